//! Reading bodies: each has a limit, and so have all large ones together.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::{BODY_BYTES_MAX, BODY_TIME_MAX, LARGE_BODIES_MAX, SMALL_BODY_BYTES_MAX};

/// Places for large bodies, of all listeners together.
static LARGE_BODIES: Semaphore = Semaphore::const_new(LARGE_BODIES_MAX);

/// Why a body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    /// It is larger than [`BODY_BYTES_MAX`].
    TooLarge,
    /// It took longer than [`BODY_TIME_MAX`].
    TooSlow,
    /// The client broke off.
    Broken,
}

/// A body, and the place that it takes when it is a large one: to be kept for as long as the body is.
pub(crate) type Placed = (Bytes, Option<SemaphorePermit<'static>>);

/// Reads a body to its end. One that grows large waits for a place.
///
/// # Errors
/// See [`Unread`].
pub(crate) async fn read<B>(body: B) -> Result<Placed, Unread>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    let read = tokio::time::timeout(BODY_TIME_MAX, collect(Limited::new(body, BODY_BYTES_MAX)));
    match read.await {
        Ok(Ok(placed)) => Ok(placed),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
        Err(_) => Err(Unread::TooSlow),
    }
}

async fn collect<B>(mut body: B) -> Result<Placed, Box<dyn Error + Send + Sync>>
where
    B: Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Unpin,
{
    let mut bytes = BytesMut::new();
    let mut place = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if place.is_none() && bytes.len() + data.len() > SMALL_BODY_BYTES_MAX {
            place = Some(LARGE_BODIES.acquire().await?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), place))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    async fn read_octets(octets: usize) -> Result<Placed, Unread> {
        read(Full::new(Bytes::from(vec![b'a'; octets]))).await
    }

    #[tokio::test]
    async fn only_large_bodies_take_a_place() {
        let (bytes, place) = read_octets(SMALL_BODY_BYTES_MAX).await.unwrap();
        assert_eq!((bytes.len(), place.is_some()), (SMALL_BODY_BYTES_MAX, false));
        let (bytes, place) = read_octets(BODY_BYTES_MAX).await.unwrap();
        assert_eq!((bytes.len(), place.is_some()), (BODY_BYTES_MAX, true));
        assert_eq!(read_octets(BODY_BYTES_MAX + 1).await.err(), Some(Unread::TooLarge));
    }
}
