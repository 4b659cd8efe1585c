//! A socket that is two buffers, for the simulator: it takes and gives bytes as the simulator lets
//! it, and tells of its readiness as epoll does, once for each change.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::Poll;

use crate::sync::Lock;
use crate::worker::Ready;

/// Both ends of a virtual connection. Clones are the same connection.
#[derive(Clone, Debug, Default)]
pub struct VirtualSocket(Arc<Lock<Ends>>);

#[derive(Debug, Default)]
struct Ends {
    /// From the client, not read yet.
    inbound: Vec<u8>,
    /// To the client, which has not read it yet.
    outbound: Vec<u8>,
    /// How much of `outbound` there is room for.
    outbound_max: usize,
    /// Bytes ever written by the server.
    written: u64,
    /// The client will send no more.
    is_closed: bool,
    /// The connection failed: nothing can be read or written.
    is_reset: bool,
    /// The server was told that there is no room.
    wants_room: bool,
    /// What the system has to say.
    news: Ready,
}

impl VirtualSocket {
    /// A connection that holds so many bytes on their way to the client.
    pub fn new(outbound_max: usize) -> Self {
        let socket = Self::default();
        socket.0.lock().outbound_max = outbound_max;
        socket
    }

    /// The server reads.
    pub fn read(&self, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let mut ends = self.0.lock();
        if ends.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if ends.inbound.is_empty() {
            return if ends.is_closed {
                Poll::Ready(Ok(0))
            } else {
                Poll::Pending
            };
        }
        let room = buffer.capacity() - buffer.len();
        let len = ends.inbound.len().min(room);
        buffer.extend(ends.inbound.drain(..len));
        Poll::Ready(Ok(len))
    }

    /// Bytes that the server can read now.
    pub fn waiting_bytes(&self) -> usize {
        self.0.lock().inbound.len()
    }

    /// The server writes.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut ends = self.0.lock();
        if ends.is_reset || ends.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut room = ends.outbound_max.saturating_sub(ends.outbound.len());
        if room == 0 {
            ends.wants_room = true;
            return Poll::Pending;
        }
        let mut sent = 0;
        for slice in slices {
            let len = slice.len().min(room);
            ends.outbound.extend_from_slice(&slice[..len]);
            room -= len;
            sent += len;
        }
        ends.written += sent as u64;
        Poll::Ready(Ok(sent))
    }

    /// The client sends.
    pub fn send(&self, bytes: &[u8]) {
        let mut ends = self.0.lock();
        ends.inbound.extend_from_slice(bytes);
        ends.news.readable = true;
    }

    /// The client reads so many bytes at most.
    pub fn receive(&self, bytes_max: usize) -> Vec<u8> {
        let mut ends = self.0.lock();
        let len = ends.outbound.len().min(bytes_max);
        let bytes = ends.outbound.drain(..len).collect();
        if len > 0 && std::mem::take(&mut ends.wants_room) {
            ends.news.writable = true;
        }
        bytes
    }

    /// The client goes; what it has sent can still be read unless the connection is reset.
    pub fn close(&self, is_reset: bool) {
        let mut ends = self.0.lock();
        ends.is_closed = true;
        ends.is_reset = is_reset;
        ends.news = Ready {
            readable: true,
            writable: true,
            hung_up: true,
        };
    }

    /// Takes what there is to tell of its readiness.
    pub fn news(&self) -> Option<Ready> {
        let news = std::mem::take(&mut self.0.lock().news);
        (news != Ready::default()).then_some(news)
    }

    /// Whether there is something to tell.
    pub fn has_news(&self) -> bool {
        self.0.lock().news != Ready::default()
    }

    /// Bytes on their way to the client.
    pub fn unread(&self) -> usize {
        self.0.lock().outbound.len()
    }

    /// Bytes ever written by the server.
    pub fn written(&self) -> u64 {
        self.0.lock().written
    }
}
