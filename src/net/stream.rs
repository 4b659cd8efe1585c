//! A TCP or Unix stream, as one type.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
}

impl Stream {
    /// Appends what can be read to `buffer`, up to its spare capacity; 0 bytes is the end.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => pin!(tcp.read_buf(buffer)).poll(cx),
            Self::Unix(unix) => pin!(unix.read_buf(buffer)).poll(cx),
        }
    }

    /// Writes as much of the slices as the socket takes.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Tcp(tcp), [slice]) => Pin::new(tcp).poll_write(cx, slice),
            (Self::Tcp(tcp), slices) => Pin::new(tcp).poll_write_vectored(cx, slices),
            (Self::Unix(unix), slices) => Pin::new(unix).poll_write_vectored(cx, slices),
        }
    }
}
