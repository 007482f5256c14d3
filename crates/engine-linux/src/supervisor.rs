//! The engine's side of the keepers: starting, finding and asking them.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::config::ShimCommand;
use crate::error::LinuxError;
use crate::shim::ShimArgs;
use crate::shim::protocol::{Answer, MAX_LINE_BYTES, OLDEST_PROTOCOL, PROTOCOL, Request, Status, socket};

/// How long a fresh keeper may take to open its socket.
const START_LIMIT: Duration = Duration::from_secs(20);
const START_LOOK: Duration = Duration::from_millis(2);
/// How much longer a keeper that was started by somebody else may take.
const RIVAL_LIMIT: Duration = Duration::from_secs(1);
/// How long a keeper may take to answer. Loading a tunnel may wait for a charon that is being restarted.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How long a keeper may take to say that it is there.
const SIGN_OF_LIFE_LIMIT: Duration = Duration::from_secs(5);

/// The keeper of one instance, seen from the engine.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    instance: String,
    dir: PathBuf,
}

impl Keeper {
    pub(crate) fn of(instance: impl ToString, dir: impl Into<PathBuf>) -> Self {
        Self { instance: instance.to_string(), dir: dir.into() }
    }

    /// Starts the keeper unless one answers already, and waits for its socket.
    pub(crate) async fn ensure(&self, shim: &ShimCommand, args: &ShimArgs) -> Result<(), LinuxError> {
        if self.connect().await.is_ok() {
            return Ok(());
        }
        let started = spawn(shim, args, &self.dir).map_err(|source| self.failed(source))?;
        let mut started = started;
        tokio::select! {
            opened = timeout(START_LIMIT, self.opened()) => opened.map_err(|_| LinuxError::ShimSilent {
                instance: self.instance.clone(),
                seconds: START_LIMIT.as_secs(),
            })?,
            status = started.wait() => {
                // Somebody else may have started one at the same time; the lock lets one of them live.
                if timeout(RIVAL_LIMIT, self.opened()).await.is_ok() {
                    return Ok(());
                }
                let log = std::fs::read_to_string(self.dir.join("keeper.log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it said nothing").to_owned();
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(self.failed(io::Error::other(format!("{status}: {last}"))));
            }
        }
        // From here on the runtime's own reaper waits for it, if this process lives longer than it.
        Ok(())
    }

    async fn opened(&self) {
        while self.connect().await.is_err() {
            sleep(START_LOOK).await;
        }
    }

    pub(crate) async fn status(&self) -> Result<Status, LinuxError> {
        match self.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(status),
            other => Err(self.odd(&other)),
        }
    }

    /// Whether it is understood: one of another version may speak otherwise. One that does not answer may be.
    pub(crate) async fn is_understood(&self) -> bool {
        match self.ask(&Request::Status).await {
            Ok(Answer::Status(status)) => (OLDEST_PROTOCOL..=PROTOCOL).contains(&status.protocol),
            Ok(_) => false,
            Err(LinuxError::Shim { source, .. }) => source.kind() != io::ErrorKind::InvalidData,
            Err(_) => true,
        }
    }

    /// The last lines of charon's log.
    pub(crate) async fn log(&self) -> Result<Vec<String>, LinuxError> {
        match self.ask(&Request::Log).await? {
            Answer::Log(lines) => Ok(lines),
            other => Err(self.odd(&other)),
        }
    }

    /// Asks for something to be done.
    pub(crate) async fn order(&self, request: &Request) -> Result<(), LinuxError> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            Answer::Refused(source) => Err(LinuxError::Refused { instance: self.instance.clone(), source }),
            other => Err(self.odd(&other)),
        }
    }

    /// Ends the keeper and waits until its socket is closed. One that is not there counts as ended.
    pub(crate) async fn stop(&self) -> Result<(), LinuxError> {
        let Ok(mut stream) = self.connect().await else { return Ok(()) };
        let ended = async {
            stream.write_all(&line(&Request::Stop)?).await?;
            // The answer, and the end of the stream when the process is gone.
            stream.read_to_end(&mut Vec::new()).await
        };
        let ended =
            timeout(ANSWER_LIMIT, ended).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        ended.map(drop).map_err(|source| self.failed(source))
    }

    /// A stream on which a line arrives whenever the keeper's status may have changed.
    pub(crate) async fn watch(&self) -> Result<Changes, LinuxError> {
        let watching = async {
            let mut stream = BufReader::new(self.connect().await?);
            stream.write_all(&line(&Request::Watch)?).await?;
            stream.read_line(&mut String::new()).await?;
            Ok(Changes { stream })
        };
        watching.await.map_err(|source| self.failed(source))
    }

    /// Whether it answers at all. A keeper that hangs still has its socket, on which the kernel takes connections.
    pub(crate) async fn answers(&self) -> bool {
        timeout(SIGN_OF_LIFE_LIMIT, self.watch()).await.is_ok_and(|watched| watched.is_ok())
    }

    /// Kills whoever has the keeper's socket; charon and the data plane go with it.
    pub(crate) async fn kill(&self) -> Result<(), LinuxError> {
        let owner = self.connect().await.and_then(|stream| stream.peer_cred()).map_err(|e| self.failed(e))?;
        let Some(pid) = owner.pid() else { return Ok(()) };
        // SAFETY: kill takes two integers. The process is the one that listens on this instance's socket, which is in
        // a directory of ours.
        match unsafe { libc::kill(pid, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(self.failed(io::Error::last_os_error())),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, LinuxError> {
        let asking = async {
            let mut stream = self.connect().await?;
            stream.write_all(&line(request)?).await?;
            let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
            let mut answer = String::new();
            BufReader::new(stream).take(limit).read_line(&mut answer).await?;
            serde_json::from_str(&answer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        };
        let answer = timeout(ANSWER_LIMIT, asking).await;
        answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|source| self.failed(source))
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(socket(&self.dir)).await
    }

    fn failed(&self, source: io::Error) -> LinuxError {
        LinuxError::Shim { instance: self.instance.clone(), source }
    }

    fn odd(&self, answer: &Answer) -> LinuxError {
        self.failed(io::Error::other(format!("unexpected answer {answer:?}")))
    }
}

/// Wake-ups from a keeper.
pub(crate) struct Changes {
    stream: BufReader<UnixStream>,
}

impl Changes {
    /// Waits for a change. `None`: the keeper is gone.
    pub(crate) async fn next(&mut self) -> Option<()> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(count) if count > 0 => Some(()),
            Ok(_) | Err(_) => None,
        }
    }
}

fn line(request: &Request) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    Ok(line)
}

/// Starts a keeper in a session of its own, so that neither a closed terminal nor the end of this process
/// ends it.
fn spawn(shim: &ShimCommand, args: &ShimArgs, dir: &Path) -> io::Result<tokio::process::Child> {
    let log = std::fs::File::create(dir.join("keeper.log"))?;
    let mut command = std::process::Command::new(&shim.exe);
    command.args(&shim.args).args(args.to_args()).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let own_session = || {
        // SAFETY: setsid takes nothing, touches no memory, and may be called between fork and exec.
        match unsafe { libc::setsid() } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(own_session) };
    Command::from(command).kill_on_drop(false).spawn()
}
