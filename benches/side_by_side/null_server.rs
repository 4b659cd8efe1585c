//! The floor: a server that reads, finds the end of each request and answers `:1`, and stores
//! nothing. PUBLISH goes to whoever sent SUBSCRIBE and LPUSH to whoever sent BRPOP, whatever the
//! channel or key, so that deliveries have a floor too.
//!
//! What it costs per request is what the sockets, the worker's loop and the least possible
//! splitting cost; the rest of a real server's cost is its own. It has Weir's workers and socket
//! calls. It trusts its client: bytes that are not a request end the connection, and nothing is
//! bounded.
//!
//! `null_server PORT [WORKERS]`; `benches/side_by_side/run` starts it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, IoSlice, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::Poll;

use weir::clock::Now;
use weir::net::{Socket, Stream};
use weir::outbox::Bell;
use weir::worker::{self, Connection, Duty, Ready, Turn};

const READ_BYTES: usize = 16 * 1024;
const REPLY: &[u8] = b":1\r\n";

/// Requests that are handed on: how they begin, up to what is handed on.
const SUBSCRIBE: &[u8] = b"*2\r\n$9\r\nSUBSCRIBE\r\n";
const PUBLISH: &[u8] = b"*3\r\n$7\r\nPUBLISH\r\n";
const BRPOP: &[u8] = b"*3\r\n$5\r\nBRPOP\r\n";
const LPUSH: &[u8] = b"*3\r\n$5\r\nLPUSH\r\n";

/// Who waits for what, at one worker.
#[derive(Default)]
struct Relay {
    subscribers: Vec<Arc<TcpStream>>,
    poppers: VecDeque<Arc<TcpStream>>,
    /// Pushed while nobody waited.
    pushed: VecDeque<Vec<u8>>,
    /// Somebody subscribed or popped: from then on requests are looked at.
    is_used: bool,
}

thread_local! {
    static RELAY: RefCell<Relay> = RefCell::default();
}

impl Relay {
    /// Hands a request on, and says whether it gets its reply now.
    fn take(&mut self, request: &[u8], from: &Arc<TcpStream>) -> bool {
        if let Some(rest) = request.strip_prefix(PUBLISH) {
            for subscriber in &self.subscribers {
                deliver(subscriber, b"*3\r\n$7\r\nmessage\r\n", rest);
            }
        } else if let Some(rest) = request.strip_prefix(LPUSH) {
            match self.poppers.pop_front() {
                Some(popper) => deliver(&popper, b"*2\r\n", rest),
                None => self.pushed.push_back(rest.to_vec()),
            }
        } else if request.starts_with(BRPOP) {
            match self.pushed.pop_front() {
                Some(rest) => deliver(from, b"*2\r\n", &rest),
                None => self.poppers.push_back(Arc::clone(from)),
            }
            return false;
        } else if request.starts_with(SUBSCRIBE) {
            self.subscribers.push(Arc::clone(from));
        }
        true
    }

    fn forget(&mut self, gone: &Arc<TcpStream>) {
        self.subscribers.retain(|other| !Arc::ptr_eq(other, gone));
        self.poppers.retain(|other| !Arc::ptr_eq(other, gone));
        if self.poppers.is_empty() {
            self.pushed.clear();
        }
    }
}

/// Writes at once: what a socket does not take is lost.
fn deliver(mut to: &TcpStream, head: &[u8], rest: &[u8]) {
    let _ = to.write_vectored(&[IoSlice::new(head), IoSlice::new(rest)]);
}

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
            worker.door.hand_over(stream);
        }
    }
}

struct Null;

impl Duty<TcpStream> for Null {
    type Connection = Client;

    fn open(&mut self, socket: TcpStream, _slot: usize) -> Result<Client> {
        Ok(Client {
            twin: Arc::new(socket.try_clone()?),
            stream: Stream::new(Socket::Tcp(socket)),
            input: Vec::with_capacity(READ_BYTES),
            output: Vec::with_capacity(READ_BYTES),
        })
    }

    fn tick(&mut self) {}
}

/// A connection; it keeps its buffers.
struct Client {
    stream: Stream,
    /// The same socket, for others to write to.
    twin: Arc<TcpStream>,
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

    fn close(self, _now: Now) {
        RELAY.with_borrow_mut(|relay| relay.forget(&self.twin));
    }
}

impl Client {
    /// Answers the whole requests in the input; false if there is something else.
    fn answer(&mut self) -> bool {
        RELAY.with_borrow_mut(|relay| {
            relay.is_used |= self.input.starts_with(SUBSCRIBE) || self.input.starts_with(BRPOP);
            let mut start = 0;
            loop {
                let rest = &self.input[start..];
                let bytes = match request_bytes(rest) {
                    Split::Whole(bytes) => bytes,
                    Split::Partial => break,
                    Split::Broken => return false,
                };
                if !relay.is_used || relay.take(&rest[..bytes], &self.twin) {
                    self.output.extend_from_slice(REPLY);
                }
                start += bytes;
            }
            self.input.drain(..start);
            true
        })
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
