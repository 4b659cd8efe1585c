//! A TCP or Unix stream, encrypted or not, as one type, and what is known of its readiness.

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustls::ServerConfig;

use crate::worker::Ready;

use super::tls::Records;
#[cfg(test)]
use super::virtual_socket::VirtualSocket;

/// An accepted socket, which does not block.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
    /// None at all: see the simulator.
    #[cfg(test)]
    Virtual(VirtualSocket),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(tcp) => tcp.as_fd(),
            Self::Unix(unix) => unix.as_fd(),
            #[cfg(test)]
            Self::Virtual(_) => unreachable!("a virtual socket has no descriptor"),
        }
    }
}

/// A connected socket. System calls are made without the C library's, which check for the
/// cancellation of threads: 1.5% of a small request.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    /// What the system said, until a call found otherwise.
    ready: Ready,
    /// Between the socket and the caller, where the connection is encrypted.
    records: Option<Box<Records>>,
}

impl Stream {
    /// A stream whose socket may have something to read.
    pub fn new(socket: Socket) -> Self {
        Self {
            socket,
            ready: Ready {
                readable: true,
                writable: true,
                hung_up: false,
            },
            records: None,
        }
    }

    /// The same, encrypted.
    pub fn encrypted(socket: Socket, config: Arc<ServerConfig>, now_us: u64) -> io::Result<Self> {
        let records = Records::new(config, now_us)?;
        Ok(Self {
            records: Some(Box::new(records)),
            ..Self::new(socket)
        })
    }

    /// When the handshake must be over, in monotonic microseconds, while there is one.
    #[inline]
    pub fn handshake_until_us(&self) -> Option<u64> {
        let records = self.records.as_ref();
        records.and_then(|records| records.handshake_until_us())
    }

    /// Ready when the socket has taken all that was written.
    #[inline]
    pub fn flush(&mut self) -> Poll<io::Result<()>> {
        match &mut self.records {
            None => Poll::Ready(Ok(())),
            Some(records) => match records.flush(&self.socket, &mut self.ready) {
                Ok(flushed) => flushed.map(Ok),
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }

    /// Whether something that was written waits for the socket.
    #[inline]
    pub fn holds_back(&self) -> bool {
        let records = self.records.as_ref();
        records.is_some_and(|records| records.holds_back())
    }

    /// Says goodbye where the protocol has a word for it.
    pub fn part(&mut self) {
        if let Some(records) = &mut self.records {
            records.part(&self.socket, &mut self.ready);
        }
    }

    /// Its descriptor.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }

    /// Adds what the system says.
    #[inline]
    pub fn note(&mut self, ready: Ready) {
        self.ready.readable |= ready.readable | ready.hung_up;
        self.ready.writable |= ready.writable;
        self.ready.hung_up |= ready.hung_up;
    }

    /// Whether the other side was said to have closed, or the connection to have failed.
    #[inline]
    pub fn has_hung_up(&self) -> bool {
        self.ready.hung_up
    }

    /// Whether reading is known to give nothing before the system says otherwise.
    #[inline]
    pub fn is_dry(&self) -> bool {
        !self.ready.readable && self.records.is_none()
    }

    /// Whether a plain socket was said to have something to read, and not yet found empty.
    #[inline]
    pub fn is_told_readable(&self) -> bool {
        self.ready.readable && self.records.is_none()
    }

    /// Bytes that can be read now, as far as the system tells; 0 of an encrypted connection.
    pub fn waiting_bytes(&self) -> usize {
        #[cfg(test)]
        if let Socket::Virtual(socket) = &self.socket {
            return socket.waiting_bytes();
        }
        if self.records.is_some() {
            return 0;
        }
        let waiting = rustix::io::ioctl_fionread(&self.socket).unwrap_or(0);
        usize::try_from(waiting).unwrap_or(usize::MAX)
    }

    /// Appends what can be read to `buffer`, up to its spare capacity; 0 bytes is the end.
    #[inline]
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if let Some(records) = &mut self.records {
            return records.read(&self.socket, &mut self.ready, buffer);
        }
        if !self.ready.readable {
            return Poll::Pending;
        }
        let room = buffer.capacity() - buffer.len();
        #[cfg(test)]
        if let Socket::Virtual(socket) = &self.socket {
            let read = socket.read(buffer);
            let len = match &read {
                Poll::Ready(Ok(len)) => *len,
                _ => 0,
            };
            self.ready.readable = len == room || self.ready.hung_up;
            return read;
        }
        loop {
            let flags = RecvFlags::empty();
            match rustix::net::recv(&self.socket, spare_capacity(buffer), flags) {
                Ok((len, _)) => {
                    // Less than there was room for empties the socket: what comes later is told
                    // anew. An end may already be behind what was read.
                    self.ready.readable = len == room || self.ready.hung_up;
                    return Poll::Ready(Ok(len));
                }
                Err(Errno::AGAIN) => {
                    self.ready.readable = false;
                    return Poll::Pending;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Writes as much of the slices as the socket takes.
    #[inline]
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(records) = &mut self.records {
            return records.write(&self.socket, &mut self.ready, slices);
        }
        if !self.ready.writable {
            return Poll::Pending;
        }
        #[cfg(test)]
        if let Socket::Virtual(socket) = &self.socket {
            let sent = socket.write(slices);
            self.ready.writable = sent.is_ready();
            return sent;
        }
        loop {
            let sent = match slices {
                [slice] => rustix::net::send(&self.socket, slice, SendFlags::NOSIGNAL),
                slices => rustix::io::writev(&self.socket, slices),
            };
            match sent {
                Ok(len) => return Poll::Ready(Ok(len)),
                Err(Errno::AGAIN) => {
                    self.ready.writable = false;
                    return Poll::Pending;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}
