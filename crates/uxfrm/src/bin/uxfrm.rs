//! `uxfrm`: runs an IKE daemon on IPsec in user space.

use clap::{Args, Parser, Subcommand};
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use uxfrm::broker::{self, Broker, BrokerConfig};
use uxfrm::engine::{EngineConfig, watchers};
use uxfrm::sys::{self, wait::Waiter};

#[derive(Parser)]
#[command(version, about = "IPsec in user space under an unmodified IKE daemon")]
struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run an IKE daemon whose IPsec is served from user space, in the current network namespace.
    Run(Run),
    /// Run a command whose XFRM sockets are served by a running `uxfrm run`: `uxfrm join -- ip xfrm state`.
    Join {
        /// The socket of `uxfrm run --control`.
        #[arg(long, default_value = "/run/uxfrm.sock")]
        control: PathBuf,
        /// The command with its arguments.
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Say what this machine permits.
    Probe,
    /// Print the counters of a running engine.
    Stats {
        /// The socket of `uxfrm run --stats`.
        #[arg(long, default_value = "/run/uxfrm.stats")]
        stats: PathBuf,
        /// In Prometheus' text format; else JSON.
        #[arg(long)]
        prometheus: bool,
        /// Again and again, with so many milliseconds between (100 at least).
        #[arg(long)]
        every_ms: Option<u64>,
    },
    /// Print what happens to SAs, as it happens: a line of JSON for each event.
    Events {
        /// The socket of `uxfrm run --stats`.
        #[arg(long, default_value = "/run/uxfrm.stats")]
        stats: PathBuf,
    },
}

/// Least MTU of IPv4 (RFC 791), which interfaces of the kernel have too.
const LEAST_MTU: i64 = 68;
/// As many as [`EngineConfig::worker_count`] makes.
const MOST_WORKERS: i64 = 64;

#[derive(Args)]
struct Run {
    /// Name of the interface of each if_id, of 15 bytes at most: {if_id} decimal, {if_id:x} hexadecimal.
    #[arg(long, default_value = "ipsec{if_id}")]
    interface_name: String,
    /// MTU of the interfaces, in bytes; IPv6 inside takes 1280.
    #[arg(long, default_value_t = 1400, value_parser = clap::value_parser!(u16).range(LEAST_MTU..))]
    mtu: u16,
    /// Port of ESP in UDP, the IKE daemon's for NAT traversal; nobody else may have it.
    #[arg(long, default_value_t = 4500, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Worker threads; 0 for half of the CPUs.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=MOST_WORKERS))]
    workers: u8,
    /// Microseconds that a worker looks for more packets before it sleeps, while that pays; 0 for never.
    #[arg(long, default_value_t = 50)]
    busy_poll_us: u64,
    /// Microseconds that a worker pauses after each batch at more than about 60,000 packets a second; 0 for never.
    #[arg(long, default_value_t = 100)]
    moderation_us: u64,
    /// Make the interfaces of these if_ids at once.
    #[arg(long)]
    interface: Vec<u32>,
    /// The daemon's VICI socket, for rekeying after the engine was replaced.
    #[arg(long, default_value = "/run/charon.vici")]
    vici: PathBuf,
    /// Where `uxfrm join` finds this process; each `uxfrm run` needs a path of its own.
    #[arg(long, default_value = "/run/uxfrm.sock")]
    control: PathBuf,
    /// Where counters are read, and events beside it (`.events`); each `uxfrm run` needs a path of its own.
    #[arg(long, default_value = "/run/uxfrm.stats")]
    stats: PathBuf,
    /// Make no rules (ip-rule(8)) for policies without if_id: routes into their interface are the operator's then, and what they
    /// do not catch leaves in clear.
    #[arg(long)]
    no_rules: bool,
    /// The IKE daemon with its arguments. It is looked for where Debian and Fedora put charon, too.
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    uxfrm::engine::child_entry();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO);
    // Colours are for terminals.
    log.with_ansi(std::io::stderr().is_terminal())
        // A log that cannot be written would be said on standard error, which panics where that is what has ended.
        .log_internal_errors(false)
        .init();
    // Who starts this may ignore its children's ends; this waits for its own.
    // SAFETY: no pointers.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    let result = match Cli::parse().command {
        Action::Run(run) => run_daemon(run),
        Action::Join { control, command } => join(control, command),
        Action::Probe => {
            let probe = uxfrm::probe::probe();
            // Who does not read it knows by the exit code.
            let _ = write!(std::io::stdout(), "{probe}");
            Ok(if probe.uxfrm_works() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::Stats { stats, prometheus, every_ms } => print_stats(&stats, prometheus, every_ms),
        Action::Events { stats } => print_events(&stats),
    };
    result.unwrap_or_else(|error| {
        say(format_args!("{error}{}", causes(&*error)));
        ExitCode::FAILURE
    })
}

type Error = Box<dyn std::error::Error>;

/// On standard error, if anybody reads that.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "uxfrm: {text}");
}

/// What an error says is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let behind = std::iter::successors(error.source(), |error| error.source());
    behind.map(|cause| format!(": {cause}")).collect()
}

static DAEMON: AtomicI32 = AtomicI32::new(0);
/// A signal that came before there was a daemon.
static EARLY: AtomicI32 = AtomicI32::new(0);

/// Passes a signal on to the daemon, so that it can say goodbye to its peers.
extern "C" fn forward(signal: libc::c_int) {
    let daemon = DAEMON.load(Ordering::SeqCst);
    if daemon == 0 {
        EARLY.store(signal, Ordering::SeqCst);
    } else if daemon > 0 {
        // SAFETY: kill is async-signal-safe; the process is our child, not yet waited for.
        unsafe { libc::kill(daemon, signal) };
    }
}

/// Ends here, and says why, where this machine does not permit what is needed: the daemon would start, and have no IPsec.
fn check_needs() -> Result<(), Error> {
    let missing = uxfrm::probe::needs().missing();
    if missing.is_empty() { Ok(()) } else { Err(format!("cannot work here: {}", missing.join("; ")).into()) }
}

fn run_daemon(run: Run) -> Result<ExitCode, Error> {
    check_needs()?;
    let (program, arguments) = run.command.split_first().ok_or("no command")?;
    // Before anything is changed here.
    let found = find(program).ok_or_else(|| format!("cannot start {program}: there is no such program"))?;
    // The daemon's keys pass through this process: no core dumps, no debugger but root's.
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only makes an async-signal-safe call.
        unsafe { libc::signal(signal, forward as *const () as libc::sighandler_t) };
    }
    let broker = Broker::start(BrokerConfig {
        engine: EngineConfig {
            interface_name: run.interface_name,
            mtu: run.mtu,
            port: run.port,
            workers: run.workers.into(),
            busy_poll: Duration::from_micros(run.busy_poll_us),
            moderation: Duration::from_micros(run.moderation_us),
            plain_esp: true,
            stats: Some(run.stats),
        },
        vici: Some(run.vici),
        control: Some(run.control),
        persistent_interfaces: true,
        lead_policies: !run.no_rules,
        ..BrokerConfig::default()
    })?;
    for if_id in run.interface {
        broker.ensure_interface(if_id)?;
    }
    let mut command = Command::new(found);
    command.arg0(program).args(arguments);
    broker.intercept(&mut command)?;
    end_with_this_process(&mut command);
    if let Some(signal) = early_signal().filter(|signal| *signal != libc::SIGHUP) {
        return Ok(ExitCode::from(128 + signal as u8));
    }
    let spawned = command.spawn();
    let mut child = spawned.map_err(|error| format!("cannot start {program}: {error} (try: uxfrm probe)"))?;
    drop(command);
    DAEMON.store(child.id() as i32, Ordering::SeqCst);
    // One that came between the last look and now.
    if let Some(signal) = early_signal() {
        forward(signal);
    }
    if !outlives(&broker, &child)? {
        say(format_args!("the broker has ended, and the daemon must"));
        child.kill()?;
    }
    let status = child.wait()?;
    DAEMON.store(ENDED, Ordering::SeqCst);
    Ok(exit_code(status))
}

/// strongSwan's daemons are in no directory of PATH.
const DAEMON_DIRECTORIES: [&str; 3] = ["/usr/lib/ipsec", "/usr/libexec/ipsec", "/usr/libexec/strongswan"];

/// A program by its path, or by its name in PATH or in the directories of daemons.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(DAEMON_DIRECTORIES.map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// Nobody is left to be told of signals.
const ENDED: i32 = -1;

fn early_signal() -> Option<i32> {
    Some(EARLY.swap(0, Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// A daemon whose broker is killed has no IPsec any more, and would ask its dead sockets for ever.
fn end_with_this_process(command: &mut Command) {
    let this = std::process::id();
    let prepare = move || {
        // SAFETY: system calls without pointers.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            // It died before that.
            if libc::getppid() as u32 != this { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
        }
    };
    // SAFETY: `prepare` makes system calls only.
    unsafe { command.pre_exec(prepare) };
}

/// Waits until the daemon or the broker has ended. Whether the broker still serves.
fn outlives(broker: &Broker, daemon: &Child) -> std::io::Result<bool> {
    const DAEMON_ENDED: u64 = 0;
    const BROKER_ENDED: u64 = 1;
    let ended = sys::process_fd(daemon.id())?;
    let mut waiter = Waiter::new()?;
    waiter.add(ended.as_fd(), DAEMON_ENDED)?;
    waiter.add(broker.ended(), BROKER_ENDED)?;
    let mut ready = Vec::new();
    while ready.is_empty() {
        waiter.wait(None, &mut ready)?;
    }
    Ok(!ready.contains(&BROKER_ENDED))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(code.clamp(0, 255) as u8)
}

fn join(control: PathBuf, command: Vec<String>) -> Result<ExitCode, Error> {
    broker::join(&control).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no `uxfrm run` answers at {} (is it running, with this --control?)", control.display())
        }
        _ => format!("cannot join {}: {error}", control.display()),
    })?;
    let (program, arguments) = command.split_first().ok_or("no command")?;
    Err(format!("cannot start {program}: {}", Command::new(program).args(arguments).exec()).into())
}

/// A socket of a running engine.
fn connect(path: &Path) -> Result<UnixStream, Error> {
    UnixStream::connect(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no `uxfrm run` answers at {} (is it running, with this --stats?)", path.display()).into()
        }
        _ => format!("{}: {error}", path.display()).into(),
    })
}

fn print_stats(path: &Path, prometheus: bool, every_ms: Option<u64>) -> Result<ExitCode, Error> {
    let mut stream = connect(path)?;
    let interval = Duration::from_millis(every_ms.unwrap_or(0));
    stream.set_read_timeout(Some(Duration::from_secs(5) + interval))?;
    let format = if prometheus { "prometheus" } else { "json" };
    let every = every_ms.map(|every| format!(" {every}")).unwrap_or_default();
    stream.write_all(format!("{format}{every}\n").as_bytes())?;
    print_all(stream)
}

/// Until the engine ends, or who reads has seen enough.
fn print_events(stats: &Path) -> Result<ExitCode, Error> {
    print_all(connect(&watchers::path(stats))?)
}

fn print_all(mut stream: UnixStream) -> Result<ExitCode, Error> {
    match std::io::copy(&mut stream, &mut std::io::stdout()) {
        // Who reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => drop(other?),
    }
    Ok(ExitCode::SUCCESS)
}
