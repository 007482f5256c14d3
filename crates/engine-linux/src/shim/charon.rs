//! Keeps charon running: starts it, gives it every tunnel, listens to its events, and starts it again
//! when it ends.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use causeway_model::Initiation;
use causeway_plan::{InstanceHealth, Object};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uxfrm::vici::Section;

use super::keeper::{Keeper, vici_socket};
use super::protocol::Refusal;
use super::say;
use crate::records;
use crate::strongswan::client::{Client, Event, ViciError};
use crate::strongswan::{log, settings};

/// charon answers after about 15 ms; on a machine full of starting ones it may take long.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often the socket of a starting charon is tried.
const START_LOOK: Duration = Duration::from_millis(2);
/// The pause before a charon that died is started again, doubled while it keeps dying.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A charon that ran this long counts as healthy.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);
/// Without any event, charon is asked this often. One that does not answer is replaced.
const LOOK_AT_LEAST: Duration = Duration::from_secs(20);
/// Events come in bursts; one look at the end of a burst is enough.
const BURST: Duration = Duration::from_millis(5);
/// A stream of events without a pause is cut into bursts of this length.
const BURST_LIMIT: Duration = Duration::from_millis(50);

type Events = mpsc::Receiver<Result<Event, ViciError>>;

const EVENTS: [&str; 6] = ["log", "ike-updown", "ike-rekey", "ike-update", "child-updown", "child-rekey"];

/// Runs charon until the keeper is told to stop.
pub(super) async fn keep_running(keeper: Arc<Keeper>) {
    if let Err(error) = keeper.core.lock().await.clear().await {
        say(format_args!("{}", Refusal::from_error(&error)));
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        let ended = tokio::select! {
            ended = run_once(&keeper) => ended,
            () = keeper.stopped() => return,
        };
        if started.elapsed() > HEALTHY_AFTER {
            pause = FIRST_PAUSE;
        }
        say(format_args!("charon ended: {ended}"));
        keeper.log_line(format!("charon ended: {ended}"));
        {
            let mut core = keeper.core.lock().await;
            core.client = None;
            core.charon_pid = None;
            core.health = InstanceHealth::Failed(format!("charon ended: {ended}"));
            core.tunnels.all_lost();
        }
        keeper.changed();
        tokio::select! {
            () = sleep(pause) => {}
            () = keeper.stopped() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Why a charon is no longer running.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Start(#[source] std::io::Error),
    #[error("it did not answer within {} s", START_LIMIT.as_secs())]
    Silent,
    #[error("{0}")]
    Exit(std::process::ExitStatus),
    #[error("{0}")]
    Vici(#[from] ViciError),
    #[error("{0}")]
    Record(#[from] crate::LinuxError),
}

async fn run_once(keeper: &Arc<Keeper>) -> Ended {
    match start(keeper).await {
        Err(ended) => ended,
        Ok((mut child, mut events)) => {
            let ended = tokio::select! {
                error = listen(keeper, &mut events) => error.into(),
                status = child.wait() => match status {
                    Ok(status) => Ended::Exit(status),
                    Err(error) => Ended::Start(error),
                },
            };
            // With its control socket broken it is of no use any more.
            let _ = child.kill().await;
            ended
        }
    }
}

async fn start(keeper: &Arc<Keeper>) -> Result<(Child, Events), Ended> {
    let dir = &keeper.args.instance_dir;
    let (vici, settings_path) = (vici_socket(dir), dir.join("strongswan.conf"));
    records::remove_file(&vici)?;
    records::write_private(&settings_path, settings::text(&vici).as_bytes())?;
    let mut command = Command::new(&keeper.args.charon);
    command.env_clear().env("STRONGSWAN_CONF", &settings_path).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    die_with_keeper(command.as_std_mut());
    let mut child = {
        let mut core = keeper.core.lock().await;
        core.health = InstanceHealth::Starting;
        let child = core.plane.spawn(command).map_err(Ended::Start)?;
        core.charon_pid = child.id();
        child
    };
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(keep_log(keeper.clone(), stderr));
    }
    let (client, mut events) = tokio::select! {
        clients = timeout(START_LIMIT, connect(&vici)) => clients.map_err(|_| Ended::Silent)?,
        status = child.wait() => return Err(status.map_or_else(Ended::Start, Ended::Exit)),
    };
    for event in EVENTS {
        events.register(event).await?;
    }
    take_in_all(keeper, client).await?;
    keeper.changed();
    keeper.calls_changed.notify_one();
    Ok((child, events.into_events()))
}

/// A killed keeper takes charon with it, so that its successor finds the ports free.
fn die_with_keeper(command: &mut std::process::Command) {
    let set = || {
        // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number, touches no memory of ours, and may be
        // called between fork and exec.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing, which is all that is allowed in a
    // forked child of a process that may have other threads.
    unsafe { command.pre_exec(set) };
}

/// Two connections to a charon that is starting.
async fn connect(vici: &Path) -> (Client, Client) {
    loop {
        if let (Ok(client), Ok(events)) = (Client::connect(vici).await, Client::connect(vici).await) {
            return (client, events);
        }
        sleep(START_LOOK).await;
    }
}

/// Gives a fresh charon every tunnel that has a record. One that fails is reported as not loaded and does
/// not keep the others from theirs.
async fn take_in_all(keeper: &Keeper, client: Client) -> Result<(), Ended> {
    let connections = records::connections(&keeper.args.instance_dir)?;
    let waits_for_traffic = |name: &String| {
        let record = records::read(&records::tunnel_path(&keeper.args.instance_dir, name));
        matches!(record.map(|it| it.object), Ok(Object::Tunnel(it)) if it.initiation == Initiation::OnTraffic)
    };
    {
        let mut core = keeper.core.lock().await;
        if connections.iter().any(waits_for_traffic) {
            // What an earlier charon left would do for packets that have to start a negotiation now: no peer may know
            // those SAs any more. Tunnels that start at once replace theirs anyway.
            core.plane.flush().await?;
        }
        core.client = Some(client);
        core.health = InstanceHealth::Active;
    }
    for name in connections {
        if let Err(error) = keeper.load(&name).await {
            say(format_args!("tunnel {name}: {}", Refusal::from_error(&error)));
        }
    }
    Ok(())
}

async fn keep_log(keeper: Arc<Keeper>, stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        keeper.log_line(line);
    }
}

/// Follows charon's events and calls peers, until the socket breaks.
async fn listen(keeper: &Keeper, events: &mut Events) -> ViciError {
    loop {
        let next_call = keeper.core.lock().await.tunnels.next_call();
        let look_time = Instant::now() + LOOK_AT_LEAST;
        let call_time = next_call.map_or(look_time, |at| look_time.min(Instant::from_std(at)));
        let event = tokio::select! {
            event = events.recv() => Some(event.unwrap_or(Err(ViciError::Closed))),
            () = sleep_until(call_time) => None,
            () = keeper.calls_changed.notified() => None,
        };
        if event.is_none() && Instant::now() >= look_time && keeper.core.lock().await.look().await {
            keeper.changed();
        }
        let outcome = match event {
            Some(Ok((name, section))) => digest(keeper, events, &name, &section).await,
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Err(error) = outcome {
            return error;
        }
        if let Err(error) = call_due(keeper).await {
            return error;
        }
        if keeper.core.lock().await.client.is_none() {
            return ViciError::Closed;
        }
    }
}

/// Takes in an event and those right behind it, then looks once if any of them was about an SA.
async fn digest(
    keeper: &Keeper,
    events: &mut Events,
    name: &str,
    section: &Section,
) -> Result<(), ViciError> {
    let (mut about_sa, mut news) = note(keeper, name, section).await;
    let end = Instant::now() + BURST_LIMIT;
    while Instant::now() < end
        && let Ok(Some(next)) = timeout(BURST, events.recv()).await
    {
        let (name, section) = next?;
        let (sa, new) = note(keeper, &name, &section).await;
        about_sa |= sa;
        news |= new;
    }
    if about_sa {
        news |= keeper.core.lock().await.look().await;
    }
    if news {
        keeper.changed();
    }
    Ok(())
}

/// Whether an event is about an SA, and whether it is news about a tunnel that does not come up.
async fn note(keeper: &Keeper, name: &str, section: &Section) -> (bool, bool) {
    if name != "log" {
        return (true, false);
    }
    let Some((connection, error)) = log::reason(section) else { return (false, false) };
    (false, keeper.core.lock().await.tunnels.note(connection, error))
}

async fn call_due(keeper: &Keeper) -> Result<(), ViciError> {
    let mut core = keeper.core.lock().await;
    let due = core.tunnels.due();
    // A tunnel may have come up since the last event.
    if !due.is_empty() && core.look().await {
        keeper.changed();
    }
    core.call(&due).await?;
    core.end_stale().await
}
