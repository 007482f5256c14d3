//! The keeper of one gateway instance: a small process in the instance's namespace that outlives the
//! control plane. It runs charon and the data plane, restarts what dies, loads the tunnels from their
//! records, calls peers, and answers the engine over a unix socket.

mod charon;
mod core;
mod keeper;
pub mod protocol;
mod server;
mod tunnels;
mod wholeness;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nlink::netlink::namespace;
use tokio::io::unix::AsyncFd;

use crate::dataplane::Kind;
use crate::error::{Doing, LinuxError};
use keeper::Keeper;

/// The arguments of a keeper, after the program's own.
#[derive(Debug, Clone)]
pub struct ShimArgs {
    pub instance_dir: PathBuf,
    pub namespace: String,
    pub charon: PathBuf,
    pub data_plane: Kind,
}

impl ShimArgs {
    /// As command line arguments.
    pub fn to_args(&self) -> Vec<String> {
        let kind = match self.data_plane {
            Kind::Kernel => "kernel",
            Kind::Uxfrm => "uxfrm",
        };
        let (dir, charon) = (self.instance_dir.display().to_string(), self.charon.display().to_string());
        vec![dir, self.namespace.clone(), charon, kind.to_owned()]
    }

    /// From command line arguments.
    pub fn parse(args: &[String]) -> Option<Self> {
        let [dir, namespace, charon, kind] = args else { return None };
        let data_plane = match kind.as_str() {
            "kernel" => Kind::Kernel,
            "uxfrm" => Kind::Uxfrm,
            _ => return None,
        };
        Some(Self {
            instance_dir: dir.into(),
            namespace: namespace.clone(),
            charon: charon.into(),
            data_plane,
        })
    }
}

/// Becomes the data plane's engine when the process was started as one, and then does not return. A
/// program whose `main` may call [`main`] calls this before anything else.
pub fn child_entry() {
    uxfrm::engine::child_entry();
}

/// Runs a keeper until it is told to stop. To be called first thing in a program's `main`, while there is
/// one thread. Its messages go to stderr, which is the file `keeper.log` in the instance's directory.
pub fn main(args: &[String]) -> std::process::ExitCode {
    let Some(args) = ShimArgs::parse(args) else {
        say(format_args!("this subcommand is for the engine only"));
        return std::process::ExitCode::from(2);
    };
    match run(&args) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{}", protocol::Refusal::from_error(&error)));
            std::process::ExitCode::FAILURE
        }
    }
}

/// Writes a line to stderr. Where that can't be done (the file system is full) the keeper goes on all the same: `eprintln!` would
/// end it.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn run(args: &ShimArgs) -> Result<(), LinuxError> {
    // The lock goes with the process: whoever has it is the instance's one keeper.
    let _lock = lock(&args.instance_dir)?;
    let guard = namespace::enter(&args.namespace).doing(|| format!("entering {}", args.namespace))?;
    // The process stays in the namespace, and so do the threads it may start.
    std::mem::forget(guard);
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| LinuxError::System { what: "event loop".into(), source })?;
        match runtime.block_on(live(args))? {
            End::Told => return Ok(()),
            // With the runtime goes everything of this life: charon, and the data plane.
            End::Lost(what) => say(format_args!("{what}: charon and the data plane are started anew")),
        }
    }
}

/// How one life of a keeper ended.
enum End {
    Told,
    /// Something that only a new data plane can make again.
    Lost(String),
}

async fn live(args: &ShimArgs) -> Result<End, LinuxError> {
    let keeper = Arc::new(Keeper::new(args.clone())?);
    let serving = server::serve(keeper.clone())?;
    let plane_ended = keeper.core.lock().await.plane.ended();
    let plane_ended = plane_ended.and_then(|fd| fd.map(watched).transpose());
    let plane_ended = plane_ended
        .map_err(|source| LinuxError::System { what: "watching the data plane".into(), source })?;
    tokio::select! {
        result = serving => result.map(|()| End::Told),
        () = charon::keep_running(keeper.clone()) => Ok(End::Told),
        what = wholeness::keep_whole(keeper) => Ok(End::Lost(what)),
        () = readable(plane_ended) => Ok(End::Lost("the data plane ended by itself".to_owned())),
    }
}

fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, and nobody takes it out of where it is watched.
    unsafe { AsyncFd::register(descriptor) }.map_err(io::Error::from)
}

async fn readable(descriptor: Option<AsyncFd<OwnedFd>>) {
    match descriptor {
        // One that can't be waited for any more counts as ended, too.
        Some(descriptor) => drop(descriptor.readable().await),
        None => std::future::pending().await,
    }
}

fn lock(instance_dir: &Path) -> Result<File, LinuxError> {
    let path = instance_dir.join("keeper.lock");
    let taken = File::create(&path).and_then(|file| {
        file.try_lock().map_err(io::Error::from)?;
        Ok(file)
    });
    taken.map_err(|source| LinuxError::File { path, source })
}
