//! A stream whose client is waited for, but not for ever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::clock;

/// A stream that fails when it has taken no byte of an answer for a time: who asks and does not
/// read would keep one of few connections.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    time_max: Duration,
    /// The end of patience, while the stream takes nothing.
    until: Option<Pin<Box<Sleep>>>,
    /// When bytes last came or went, in microseconds.
    moved_us: Arc<AtomicU64>,
}

impl<S> Patient<S> {
    /// A stream that has `time_max` to take a byte.
    pub fn new(stream: S, time_max: Duration) -> Self {
        Self {
            stream,
            time_max,
            until: None,
            moved_us: Arc::new(AtomicU64::new(clock::mono_us())),
        }
    }

    /// When bytes last came or went, in microseconds, from here on.
    pub fn moved_us(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.moved_us)
    }

    fn note_moved(&self) {
        self.moved_us.store(clock::mono_us(), Ordering::Relaxed);
    }

    /// What becomes of an attempt to write.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.until = None;
            self.note_moved();
            return attempt;
        }
        let time_max = self.time_max;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(time_max)));
        ready!(until.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.note_moved();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.judge(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::runtime::Builder;

    #[test]
    fn who_does_not_read_is_given_up() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = duplex(8);
            let mut server = Patient::new(server, Duration::from_millis(1));
            let moved_us = server.moved_us();
            moved_us.store(0, Ordering::Relaxed);
            server.write_all(b"12345678").await.unwrap();
            assert_ne!(moved_us.load(Ordering::Relaxed), 0);
            assert!(server.until.is_none());
            let refused = server.write_all(b"9").await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
            let mut read = [0; 8];
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"12345678");
            // Who reads in time is waited for anew.
            server.write_all(b"9").await.unwrap();
            assert!(server.until.is_none());
            moved_us.store(0, Ordering::Relaxed);
            client.write_all(b"1").await.unwrap();
            server.read_u8().await.unwrap();
            assert_ne!(moved_us.load(Ordering::Relaxed), 0);
        });
    }
}
