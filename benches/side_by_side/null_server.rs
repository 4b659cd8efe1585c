//! The floor: a server that reads, finds the end of each request and answers `:1`, and stores
//! nothing.
//!
//! What it costs per request is what the sockets, the worker's loop and the least possible
//! splitting cost; the rest of a real server's cost is its own. It has Weir's workers and socket
//! calls. It trusts its client: bytes that are not a request end the connection, and nothing is
//! bounded.
//!
//! `null_server PORT [WORKERS]`; `benches/side_by_side/run` starts it.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::Poll;

use weir::clock::Now;
use weir::net::{Socket, Stream};
use weir::outbox::Bell;
use weir::worker::{self, Connection, Duty, Ready, Turn};

const READ_BYTES: usize = 16 * 1024;
const REPLY: &[u8] = b":1\r\n";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::new(ErrorKind::InvalidInput, "usage: null_server PORT [WORKERS]");
    let port: u16 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .ok_or_else(usage)?;
    let workers: usize = match arguments.next() {
        Some(text) => text.parse().map_err(|_| usage())?,
        None => 1,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let workers = (0..workers)
        .map(|index| worker::start(index, Arc::new(Bell::default()), Null))
        .collect::<Result<Vec<_>>>()?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let fewest = workers
            .iter()
            .min_by_key(|worker| worker.door.connections_len());
        if let Some(worker) = fewest {
            worker.door.hand_over(Socket::Tcp(stream));
        }
    }
}

struct Null;

impl Duty<Socket> for Null {
    type Connection = Client;

    fn open(&mut self, socket: Socket, _slot: usize) -> Result<Client> {
        Ok(Client {
            stream: Stream::new(socket),
            input: Vec::with_capacity(READ_BYTES),
            output: Vec::with_capacity(READ_BYTES),
        })
    }

    fn tick(&mut self) {}
}

/// A connection; it keeps its buffers.
struct Client {
    stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Connection for Client {
    fn socket(&self) -> RawFd {
        self.stream.raw_fd()
    }

    fn turn(&mut self, ready: Ready, _now: &mut Now) -> Turn {
        self.stream.note(ready);
        loop {
            match self.flush() {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Turn::Over,
                Poll::Pending => return Turn::Wait { until_us: None },
            }
            if self.input.len() == self.input.capacity() {
                self.input.reserve(self.input.len());
            }
            match self.stream.read(&mut self.input) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Turn::Over,
                Poll::Pending => return Turn::Wait { until_us: None },
            }
            if !self.answer() {
                return Turn::Over;
            }
        }
    }

    fn close(self, _now: Now) {}
}

impl Client {
    /// Answers the whole requests in the input; false if there is something else.
    fn answer(&mut self) -> bool {
        let mut start = 0;
        loop {
            match request_bytes(&self.input[start..]) {
                Split::Whole(bytes) => start += bytes,
                Split::Partial => break,
                Split::Broken => return false,
            }
            self.output.extend_from_slice(REPLY);
        }
        self.input.drain(..start);
        true
    }

    fn flush(&mut self) -> Poll<Result<()>> {
        while !self.output.is_empty() {
            match self.stream.write(&[IoSlice::new(&self.output)]) {
                Poll::Ready(Ok(count)) => drop(self.output.drain(..count)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

enum Split {
    /// A request of this many bytes stands at the front.
    Whole(usize),
    Partial,
    Broken,
}

/// Finds the end of the first request: an array of bulk strings, or an inline line.
fn request_bytes(bytes: &[u8]) -> Split {
    match bytes.first() {
        None => return Split::Partial,
        Some(b'*') => {}
        Some(_) => {
            return memchr::memchr(b'\n', bytes)
                .map_or(Split::Partial, |end| Split::Whole(end + 1));
        }
    }
    let (arguments, mut end) = match length_line(bytes) {
        Length::Read(value, end) => (value, end),
        Length::Partial => return Split::Partial,
        Length::Broken => return Split::Broken,
    };
    for _ in 0..arguments {
        match bytes.get(end) {
            None => return Split::Partial,
            Some(b'$') => {}
            Some(_) => return Split::Broken,
        }
        match length_line(&bytes[end..]) {
            Length::Read(value, header) => end += header + value + 2,
            Length::Partial => return Split::Partial,
            Length::Broken => return Split::Broken,
        }
    }
    if end <= bytes.len() {
        Split::Whole(end)
    } else {
        Split::Partial
    }
}

enum Length {
    /// The number, and the bytes its line takes.
    Read(usize, usize),
    Partial,
    Broken,
}

/// Reads `*12\r\n` or `$12\r\n`.
fn length_line(bytes: &[u8]) -> Length {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' if index < 11 => value = value * 10 + usize::from(byte - b'0'),
            b'\r' if index + 1 < bytes.len() => return Length::Read(value, index + 2),
            b'\r' => return Length::Partial,
            _ => return Length::Broken,
        }
    }
    Length::Partial
}
