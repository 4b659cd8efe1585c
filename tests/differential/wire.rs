//! Connections that never block: bytes out, whole replies in, many sockets at once.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::reply::end_of_reply;

/// How long a server may be silent while replies are due before that counts as a difference.
/// Generous: the machine may be busy with other things, and a passing run never waits for it. Who
/// hunts differences one after the other shortens it by `WEIR_DIFF_PATIENCE_MS`.
pub fn patience() -> Duration {
    Duration::from_millis(crate::setting("WEIR_DIFF_PATIENCE_MS", 20_000))
}

/// Longer than it takes from one look at the sockets to the next.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// One connection.
pub struct Wire {
    stream: TcpStream,
    inbox: Vec<u8>,
    /// Where the next reply begins in `inbox`.
    taken: usize,
    outbox: Vec<u8>,
    /// How much of `outbox` has been written.
    written: usize,
    /// The other side has closed, or sent something that is no reply.
    pub closed: bool,
}

impl Wire {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_nonblocking(true).expect("nonblocking");
        Self {
            stream,
            inbox: Vec::new(),
            taken: 0,
            outbox: Vec::new(),
            written: 0,
            closed: false,
        }
    }

    /// The bytes to send next; they leave in `turn`.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Writes and reads what the socket lets us without waiting.
    pub fn turn(&mut self) {
        while self.written < self.outbox.len() {
            match self.stream.write(&self.outbox[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.written = self.outbox.len();
                    break;
                }
            }
        }
        if self.written == self.outbox.len() {
            self.outbox.clear();
            self.written = 0;
        }
        while !self.closed {
            let filled = self.inbox.len();
            self.inbox.resize(filled + 64 * 1024, 0);
            let read = self.stream.read(&mut self.inbox[filled..]);
            self.inbox.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => self.closed = true,
                Ok(count) if count < 64 * 1024 => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.closed = true,
            }
        }
    }

    /// The end of the next whole reply from `from` on, if it has arrived.
    pub fn reply_end(&mut self, from: usize) -> Option<usize> {
        let Ok(end) = end_of_reply(&self.inbox, from) else {
            self.closed = true;
            return None;
        };
        end
    }

    /// The next whole reply, taken out.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let end = self.reply_end(self.taken)?;
        let reply = self.inbox[self.taken..end].to_vec();
        self.taken = end;
        if self.taken == self.inbox.len() {
            self.drop_taken();
        }
        Some(reply)
    }

    /// Everything that has arrived and was not taken.
    pub fn received(&self) -> &[u8] {
        &self.inbox[self.taken..]
    }

    /// Forgets the bytes of the replies taken so far.
    pub fn drop_taken(&mut self) {
        self.inbox.drain(..self.taken);
        self.taken = 0;
    }

    /// Takes everything up to `end`, an offset into `received` as it was before.
    pub fn take_to(&mut self, end: usize) {
        self.taken += end;
        self.drop_taken();
    }
}

/// Waits until one of the sockets has something to read (or room to write what is due), a
/// fraction of a second at most.
pub fn wait_any(wires: &[&Wire]) {
    let mut fds: Vec<libc::pollfd> = wires
        .iter()
        .filter(|wire| !wire.closed)
        .map(|wire| libc::pollfd {
            fd: wire.stream.as_raw_fd(),
            events: if wire.outbox.is_empty() {
                libc::POLLIN
            } else {
                libc::POLLIN | libc::POLLOUT
            },
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(fds.len()).expect("few sockets");
    // SAFETY: `fds` is a live array of `count` entries for the whole call.
    unsafe {
        libc::poll(fds.as_mut_ptr(), count, 100);
    }
}

/// A clock that runs out when nothing has moved for a while. It stands still while this process
/// does: where tests are stopped and continued, the servers are, too.
pub struct Patience {
    looked: Instant,
    still: Duration,
    most: Duration,
    /// What was seen last; a change starts the clock anew.
    seen: usize,
}

impl Patience {
    /// Starts the clock.
    pub fn new(most: Duration) -> Self {
        Self {
            looked: Instant::now(),
            still: Duration::ZERO,
            most,
            seen: 0,
        }
    }

    /// True when `progress` has not changed for too long.
    pub fn is_out(&mut self, progress: usize) -> bool {
        let now = Instant::now();
        self.still += (now - self.looked).min(LOOK_MAX);
        self.looked = now;
        if progress != self.seen {
            self.seen = progress;
            self.still = Duration::ZERO;
        }
        self.still > self.most
    }
}

/// Sends what both have to send and waits until both have `count` whole replies (or have closed,
/// or fall silent). Gives the ends of the replies within `received`.
pub fn exchange(mut pair: [&mut Wire; 2], count: usize, patience: Duration) -> [Vec<usize>; 2] {
    let mut ends = [Vec::with_capacity(count), Vec::with_capacity(count)];
    let mut patience = Patience::new(patience);
    loop {
        let mut done = true;
        for (wire, ends) in pair.iter_mut().zip(&mut ends) {
            wire.turn();
            while ends.len() < count {
                let from = ends.last().copied().unwrap_or(0);
                let Some(end) = wire.reply_end(wire.taken + from) else {
                    break;
                };
                ends.push(end - wire.taken);
            }
            done &= ends.len() == count || wire.closed;
        }
        let progress = ends[0].len() + ends[1].len() + pair[0].inbox.len() + pair[1].inbox.len();
        if done || patience.is_out(progress) {
            return ends;
        }
        let waiting: Vec<&Wire> = pair
            .iter()
            .zip(&ends)
            .filter(|(_, ends)| ends.len() < count)
            .map(|(wire, _)| &**wire)
            .collect();
        wait_any(&waiting);
    }
}
