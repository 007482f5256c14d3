//! A connection whose writing must go on: a client that takes nothing of its answer would else hold its place, and what
//! was made for it, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Fails with [`io::ErrorKind::TimedOut`] when a write makes no progress for too long. Reading is passed on as it is.
pub(crate) struct Patient<S> {
    inner: S,
    pause_max: Duration,
    /// Runs while a write waits.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Waits `pause_max` for each bit of progress.
    pub fn new(inner: S, pause_max: Duration) -> Self {
        Self { inner, pause_max, patience: None }
    }

    fn judge<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience = None;
            return written;
        }
        let pause_max = self.pause_max;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(pause_max)));
        match patience.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Much longer than a busy machine may keep a reader from its turn.
    const PAUSE_MAX: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off() {
        let (near, _far) = duplex(16);
        let mut near = Patient::new(near, PAUSE_MAX);
        let error = near.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_is_slow_is_waited_for() {
        let (near, mut far) = duplex(16);
        let mut near = Patient::new(near, PAUSE_MAX);
        let reading = tokio::spawn(async move {
            let mut taken = 0;
            let mut some = [0; 16];
            while let Ok(octets @ 1..) = far.read(&mut some).await {
                taken += octets;
                sleep(PAUSE_MAX / 8).await;
            }
            taken
        });
        // Longer than one pause in all.
        near.write_all(&[0; 160]).await.unwrap();
        drop(near);
        assert_eq!(reading.await.unwrap(), 160);
    }
}
