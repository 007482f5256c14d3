//! The keeper's socket.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};

use super::keeper::Keeper;
use super::protocol::{Answer, MAX_LINE_BYTES, Refusal, Request, socket};
use crate::error::LinuxError;
use crate::records;

/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens the socket; the future answers on it until it is told to stop.
pub(super) fn serve(keeper: Arc<Keeper>) -> Result<impl Future<Output = Result<(), LinuxError>>, LinuxError> {
    let path = socket(&keeper.args.instance_dir);
    records::remove_file(&path)?;
    let opened = UnixListener::bind(&path).and_then(|listener| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    let listener = opened.map_err(|source| LinuxError::File { path, source })?;
    Ok(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = keeper.stopped() => return Ok(()),
            };
            match accepted {
                Ok((stream, _)) => drop(tokio::spawn(answer_all(keeper.clone(), stream))),
                Err(error) => {
                    // Out of descriptors, say: the next try would fail at once.
                    super::say(format_args!("accept: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

async fn answer_all(keeper: Arc<Keeper>, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    loop {
        let mut line = String::new();
        let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
        match (&mut reader).take(limit).read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let request: Request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(error) => {
                let _ = send(&mut write, &Answer::Refused(Refusal::from_error(&error))).await;
                return;
            }
        };
        let watching = matches!(request, Request::Watch);
        let stopping = matches!(request, Request::Stop);
        // Subscribed before the answer goes out: the client looks after the answer and misses nothing.
        let changes = keeper.watch();
        let answer = answer(&keeper, request).await;
        if send(&mut write, &answer).await.is_err() {
            return;
        }
        if stopping {
            keeper.stop();
            // The stream ends with the process, which tells the client that it is gone.
            return std::future::pending().await;
        }
        if watching {
            return follow(changes, &mut reader, &mut write).await;
        }
    }
}

/// Sends an empty line per change, until the client goes.
async fn follow(
    mut changes: tokio::sync::watch::Receiver<u64>,
    reader: &mut (impl AsyncReadExt + Unpin),
    write: &mut OwnedWriteHalf,
) {
    let mut byte = [0];
    loop {
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() || write.write_all(b"\n").await.is_err() {
                    return;
                }
            }
            // A client that watches says nothing more; an end or a byte ends it.
            _ = reader.read(&mut byte) => return,
        }
    }
}

async fn answer(keeper: &Keeper, request: Request) -> Answer {
    let done = |result: Result<(), super::core::TunnelFailure>| match result {
        Ok(()) => Answer::Done,
        Err(error) => Answer::Refused(Refusal::from_error(&error)),
    };
    match request {
        Request::Reload => done(keeper.reload().await),
        Request::Load { connection } => {
            keeper.started().await;
            done(keeper.load(&connection).await)
        }
        Request::Unload { connection } => done(keeper.unload(&connection).await),
        Request::Status => Answer::Status(keeper.status().await),
        Request::Log => {
            let log = keeper.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Answer::Log(log.iter().cloned().collect())
        }
        Request::Watch => Answer::Done,
        Request::Stop => {
            keeper.close_all().await;
            Answer::Done
        }
    }
}

async fn send(write: &mut OwnedWriteHalf, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(std::io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await
}
