//! A connection to charon's VICI socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use uxfrm::vici::{
    Encoder, LENGTH_BYTES, Malformed, PacketKind, Section, packet, packet_len, split_event, split_packet,
};

/// How long charon may take for an answer. `terminate` waits for two seconds of them by itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);

/// How many events may wait to be taken in. charon waits with the next ones, so none is lost.
const EVENT_QUEUE: usize = 64;

/// An event's name and message.
pub(crate) type Event = (String, Section);

/// Why a VICI exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ViciError {
    #[error("charon's control socket")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("charon does not know {0}")]
    Unknown(String),
    #[error("charon sent a packet of the kind {0:?} out of turn")]
    Unexpected(PacketKind),
    #[error("charon did not answer {command} within {} s", ANSWER_LIMIT.as_secs())]
    Silent { command: String },
    #[error("charon closed its control socket")]
    Closed,
    #[error("charon refused {command}: {reason}")]
    Refused { command: String, reason: String },
}

/// A VICI connection. Requests and events do not mix on one connection here: a client either asks or
/// listens.
pub(crate) struct Client {
    stream: UnixStream,
}

impl Client {
    pub(crate) async fn connect(socket: &Path) -> Result<Self, ViciError> {
        Ok(Self { stream: UnixStream::connect(socket).await? })
    }

    /// Sends a command and returns its answer, whether that says success or not.
    pub(crate) async fn ask(&mut self, command: &str, message: Encoder) -> Result<Section, ViciError> {
        in_time(command, self.exchange(command, message)).await
    }

    async fn exchange(&mut self, command: &str, message: Encoder) -> Result<Section, ViciError> {
        self.send(PacketKind::CommandRequest, command, &message.finish()).await?;
        let (kind, body) = self.receive().await?;
        match kind {
            PacketKind::CommandResponse => Ok(Section::decode(&body)?),
            PacketKind::CommandUnknown => Err(ViciError::Unknown(command.into())),
            other => Err(ViciError::Unexpected(other)),
        }
    }

    /// Sends a command that has to succeed.
    ///
    /// # Errors
    /// [`ViciError::Refused`] with charon's reason, among others.
    pub(crate) async fn command(&mut self, command: &str, message: Encoder) -> Result<(), ViciError> {
        let answer = self.ask(command, message).await?;
        if answer.text("success") == Some("yes") {
            return Ok(());
        }
        let reason = answer.text("errmsg").unwrap_or("no reason given").to_owned();
        Err(ViciError::Refused { command: command.into(), reason })
    }

    /// Sends a command that answers with a stream of `event`s, and collects them.
    pub(crate) async fn stream(
        &mut self,
        command: &str,
        event: &str,
        message: Encoder,
    ) -> Result<Vec<Section>, ViciError> {
        in_time(command, self.collect(command, event, message)).await
    }

    async fn collect(
        &mut self,
        command: &str,
        event: &str,
        message: Encoder,
    ) -> Result<Vec<Section>, ViciError> {
        self.register(event).await?;
        self.send(PacketKind::CommandRequest, command, &message.finish()).await?;
        let mut sections = Vec::new();
        loop {
            let (kind, body) = self.receive().await?;
            match kind {
                PacketKind::Event => sections.push(split_event(&body)?.1),
                PacketKind::CommandResponse => break,
                PacketKind::CommandUnknown => return Err(ViciError::Unknown(command.into())),
                other => return Err(ViciError::Unexpected(other)),
            }
        }
        self.send(PacketKind::EventUnregister, event, &[]).await?;
        match self.receive().await? {
            (PacketKind::EventConfirm, _) => Ok(sections),
            (other, _) => Err(ViciError::Unexpected(other)),
        }
    }

    /// Asks for a kind of event on this connection.
    pub(crate) async fn register(&mut self, event: &str) -> Result<(), ViciError> {
        self.send(PacketKind::EventRegister, event, &[]).await?;
        loop {
            match self.receive().await?.0 {
                PacketKind::EventConfirm => return Ok(()),
                PacketKind::EventUnknown => return Err(ViciError::Unknown(event.into())),
                // An event that was registered earlier may come between; the caller looks at the whole
                // state after registering, so nothing is lost with it.
                PacketKind::Event => {}
                other => return Err(ViciError::Unexpected(other)),
            }
        }
    }

    /// Turns the connection into a stream of events. A task reads them, because reading may not be broken
    /// off in the middle of a packet; it ends with the connection or the receiver.
    pub(crate) fn into_events(mut self) -> mpsc::Receiver<Result<Event, ViciError>> {
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
        tokio::spawn(async move {
            loop {
                let event = match self.receive().await {
                    Ok((PacketKind::Event, body)) => split_event(&body).map_err(ViciError::from),
                    Ok((other, _)) => Err(ViciError::Unexpected(other)),
                    Err(error) => Err(error),
                };
                let broken = event.is_err();
                if sender.send(event).await.is_err() || broken {
                    return;
                }
            }
        });
        receiver
    }

    async fn send(&mut self, kind: PacketKind, name: &str, message: &[u8]) -> Result<(), ViciError> {
        Ok(self.stream.write_all(&packet(kind, name, message)?).await?)
    }

    async fn receive(&mut self) -> Result<(PacketKind, Vec<u8>), ViciError> {
        let mut length = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut length).await?;
        let mut packet = vec![0; packet_len(length)?];
        self.stream.read_exact(&mut packet).await?;
        let (kind, body) = split_packet(&packet)?;
        Ok((kind, body.to_vec()))
    }
}

/// A connection whose answer did not come in time has lost its place and is of no more use.
async fn in_time<T>(
    command: &str,
    exchange: impl Future<Output = Result<T, ViciError>>,
) -> Result<T, ViciError> {
    let limited = tokio::time::timeout(ANSWER_LIMIT, exchange).await;
    limited.unwrap_or_else(|_| Err(ViciError::Silent { command: command.into() }))
}
