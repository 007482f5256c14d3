//! The engine: one process per network namespace that holds the databases and moves the packets. Its only link to the
//! world is the broker, which relays the IKE daemon's requests and keeps what must survive the engine (see
//! [`crate::broker`]).

pub mod config;
pub mod control;
pub mod link;
mod readers;
pub mod report;
mod retired;
pub(crate) mod sockets;
pub mod watchers;

pub use config::EngineConfig;

use std::io::Write;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

/// `argv[0]` of an engine process.
pub const ENGINE_NAME: &str = "uxfrm-engine";

/// Says something on standard error, if anybody reads that: a log that has ended is no reason for an engine to end, as `eprintln!`
/// takes it to be.
pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{ENGINE_NAME}: {text}");
}

/// Runs the engine and never returns if this process was started as one. Call it first thing in `main` of every program
/// that starts a [`crate::broker::Broker`], before threads and logging.
pub fn child_entry() {
    let mut arguments = std::env::args();
    if arguments.next().as_deref() != Some(ENGINE_NAME) {
        return;
    }
    crate::datapath::isolation::quieten_panics();
    let result = start(arguments);
    if let Err(error) = &result {
        say(format_args!("{error}"));
    }
    std::process::exit(i32::from(result.is_err()));
}

fn start(mut arguments: impl Iterator<Item = String>) -> std::io::Result<()> {
    let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidInput);
    if arguments.next().as_deref() != Some(link::VERSION) {
        return Err(std::io::Error::other("the broker is of another version"));
    }
    let fd: RawFd = arguments.next().and_then(|fd| fd.parse().ok()).ok_or_else(invalid)?;
    let config = EngineConfig::from_arguments(arguments).ok_or_else(invalid)?;
    if fd < 3 {
        return Err(invalid());
    }
    // For top, pgrep and pkill; the program's own name is the broker's. Nothing depends on it.
    let _ = std::fs::write("/proc/self/comm", ENGINE_NAME);
    // Keys are in this process's memory: no core dumps, no debugger but root's.
    // SAFETY: no pointers.
    crate::sys::check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })?;
    crate::sys::raise_descriptor_limit()?;
    // SAFETY: the broker left this descriptor open for us alone and said its number; nothing else in this process, which
    // has just started, knows it.
    let link = unsafe { OwnedFd::from_raw_fd(fd) };
    let teller = link.try_clone()?;
    control::Control::start(link, config).and_then(control::Control::run).inspect_err(|error| {
        // A broker that is gone does not want to know.
        let text = error.to_string();
        let _ = link::send(teller.as_fd(), link::Kind::Failed, 0, text.as_bytes(), None, false);
    })
}
