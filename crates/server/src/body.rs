//! Reading bodies: each has a limit, and so have all large ones together.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

use crate::large_bodies::{LargeBodies, LargePlace};
use crate::limits::{
    BODY_BYTES_MAX, BODY_BYTES_PER_S_MIN, BODY_PAUSE_MAX, BODY_TIME_MAX, LARGE_BODIES_MAX,
    LARGE_BODIES_OF_ONE_MAX, NAMELESS_BODIES_MAX, NAMELESS_BODIES_OF_ONE_MAX, NAMELESS_BODY_BYTES_MAX,
    SMALL_BODY_BYTES_MAX,
};

/// What the head of a request tells about its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sender {
    /// A key that is known, and a time that fits. Whether it holds is seen when the body is there.
    Named,
    /// Nothing: the older schemes may tell everything in the body.
    Nameless,
}

/// Why a body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    /// It is larger than [`BODY_BYTES_MAX`], or than [`NAMELESS_BODY_BYTES_MAX`] of a nameless sender.
    TooLarge,
    /// It took longer than [`BODY_TIME_MAX`], or was slower than [`BODY_BYTES_PER_S_MIN`] while it had a place.
    TooSlow,
    /// The client broke off.
    Broken,
}

/// A body, and the place that it takes when it is a large one: to be kept for as long as the body is.
pub(crate) type Placed = (Bytes, Option<LargePlace>);

/// Reads bodies. Those that grow large wait for a place.
pub(crate) struct BodyReader {
    named: LargeBodies,
    /// Of places of their own, so that a stranger can't keep waiting who has a key.
    nameless: LargeBodies,
}

impl Default for BodyReader {
    fn default() -> Self {
        Self {
            named: LargeBodies::new(LARGE_BODIES_MAX, LARGE_BODIES_OF_ONE_MAX),
            nameless: LargeBodies::new(NAMELESS_BODIES_MAX, NAMELESS_BODIES_OF_ONE_MAX),
        }
    }
}

impl BodyReader {
    /// Reads a body of a peer to its end.
    ///
    /// # Errors
    /// See [`Unread`].
    pub async fn read<B>(&self, body: B, sender: Sender, peer: IpAddr) -> Result<Placed, Unread>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if body.is_end_stream() {
            return Ok((Bytes::new(), None));
        }
        let (large, bytes_max) = match sender {
            Sender::Named => (&self.named, BODY_BYTES_MAX),
            Sender::Nameless => (&self.nameless, NAMELESS_BODY_BYTES_MAX),
        };
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Unread::TooLarge);
        }
        collect(Limited::new(body, bytes_max), large, peer).await
    }
}

/// When the next part of a body must be here at the latest.
struct Pace {
    end: Instant,
    /// When the body got its place, and what was read since.
    placed: Option<(Instant, usize)>,
}

impl Pace {
    fn deadline(&self) -> Instant {
        let Some((since, read)) = self.placed else { return self.end };
        let due = Duration::from_secs_f64(read as f64 / BODY_BYTES_PER_S_MIN as f64);
        self.end.min(since + BODY_PAUSE_MAX + due)
    }
}

async fn collect<B>(mut body: B, large: &LargeBodies, peer: IpAddr) -> Result<Placed, Unread>
where
    B: Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Unpin,
{
    let mut pace = Pace { end: Instant::now() + BODY_TIME_MAX, placed: None };
    let mut bytes = BytesMut::new();
    let mut place = None;
    while let Some(frame) = timeout_at(pace.deadline(), body.frame()).await.map_err(|_| Unread::TooSlow)? {
        let frame =
            frame.map_err(
                |error| {
                    if error.is::<LengthLimitError>() { Unread::TooLarge } else { Unread::Broken }
                },
            )?;
        let Ok(data) = frame.into_data() else { continue };
        if let Some((_, read)) = &mut pace.placed {
            *read += data.len();
        } else if bytes.len() + data.len() > SMALL_BODY_BYTES_MAX {
            place = Some(timeout_at(pace.end, large.take(peer)).await.map_err(|_| Unread::TooSlow)?);
            pace.placed = Some((Instant::now(), 0));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), place))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use futures_util::stream::{self, StreamExt as _};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    async fn read_octets(octets: usize, sender: Sender) -> Result<Placed, Unread> {
        let body = Full::new(Bytes::from(vec![b'a'; octets]));
        BodyReader::default().read(body, sender, PEER).await
    }

    #[tokio::test]
    async fn only_large_bodies_take_a_place() {
        for (sender, max) in [(Sender::Named, BODY_BYTES_MAX), (Sender::Nameless, NAMELESS_BODY_BYTES_MAX)] {
            let (bytes, place) = read_octets(SMALL_BODY_BYTES_MAX, sender).await.unwrap();
            assert_eq!((bytes.len(), place.is_some()), (SMALL_BODY_BYTES_MAX, false));
            let (bytes, place) = read_octets(max, sender).await.unwrap();
            assert_eq!((bytes.len(), place.is_some()), (max, true));
            assert_eq!(read_octets(max + 1, sender).await.err(), Some(Unread::TooLarge));
        }
    }

    #[test]
    fn who_has_a_place_must_go_on() {
        let now = Instant::now();
        let pace = |placed| Pace { end: now + BODY_TIME_MAX, placed }.deadline() - now;
        assert_eq!(pace(None), BODY_TIME_MAX, "a small one is in nobody's way");
        assert_eq!(pace(Some((now, 0))), BODY_PAUSE_MAX);
        assert_eq!(pace(Some((now, 10 * BODY_BYTES_PER_S_MIN))), BODY_PAUSE_MAX + Duration::from_secs(10));
        assert_eq!(pace(Some((now, BODY_BYTES_MAX))), BODY_TIME_MAX);
    }

    /// A body that sends so many octets, and then nothing for ever.
    fn stuck(octets: usize) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let sent = stream::iter([Ok(Frame::data(Bytes::from(vec![b'a'; octets])))]);
        StreamBody::new(sent.chain(stream::pending()))
    }

    #[tokio::test]
    async fn strangers_keep_nobody_waiting_who_has_a_key() {
        let reader = Arc::new(BodyReader::default());
        let mut strangers = tokio::task::JoinSet::new();
        for n in 0..=255 {
            let reader = Arc::clone(&reader);
            let body = stuck(SMALL_BODY_BYTES_MAX + 1);
            strangers.spawn(async move {
                reader.read(body, Sender::Nameless, [192, 0, 2, n].into()).await.is_ok()
            });
        }
        while reader.nameless.free() > 0 {
            tokio::task::yield_now().await;
        }
        let body = Full::new(Bytes::from(vec![b'a'; BODY_BYTES_MAX]));
        assert!(reader.read(body, Sender::Named, PEER).await.is_ok());
    }
}
