//! The floor below the null server: one thread around epoll, without Weir's workers and sockets,
//! that answers `:1` as often as it finds the head of a request, and splits nothing.
//!
//! A head is a star with a digit behind it, which nothing in the rows of `core`, `frameworks`, `spread`,
//! `streams` and `large` holds but the heads of requests. It trusts its client in all else, too.
//!
//! `epoll_loop PORT`; `benches/side_by_side/run` starts it.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 1024;
const READ_BYTES: usize = 64 << 10;
const REPLY: &[u8] = b":1\r\n";

/// A client of the loop.
struct Client {
    socket: TcpStream,
    /// The last byte that was read is a star.
    ends_with_star: bool,
    /// Bytes of replies that the socket had no room for.
    owed_bytes: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("epoll_loop PORT")?.parse()?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients: Slab<Client> = Slab::new();
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut buffer = vec![0; READ_BYTES];
    let replies = REPLY.repeat(READ_BYTES);
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error.into());
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, poll.registry(), &mut clients)?;
                continue;
            }
            let slot = event.token().0;
            if clients[slot].turn(&mut buffer, &replies).is_err() {
                clients.remove(slot);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    registry: &Registry,
    clients: &mut Slab<Client>,
) -> io::Result<()> {
    loop {
        let mut socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        socket.set_nodelay(true)?;
        let vacant = clients.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut socket, Token(vacant.key()), interest)?;
        vacant.insert(Client {
            socket,
            ends_with_star: false,
            owed_bytes: 0,
        });
    }
}

impl Client {
    /// Reads what there is and answers it; an error when the client has gone.
    fn turn(&mut self, buffer: &mut [u8], replies: &[u8]) -> io::Result<()> {
        self.pay(replies)?;
        loop {
            let len = match self.socket.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.owed_bytes += self.heads_in(&buffer[..len]) * REPLY.len();
            self.pay(replies)?;
            if len < buffer.len() {
                return Ok(());
            }
        }
    }

    /// How many requests begin here.
    fn heads_in(&mut self, bytes: &[u8]) -> usize {
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let split = usize::from(self.ends_with_star && is_digit(0));
        self.ends_with_star = bytes.last() == Some(&b'*');
        let whole = memchr::memchr_iter(b'*', bytes).filter(|star| is_digit(star + 1));
        split + whole.count()
    }

    fn pay(&mut self, replies: &[u8]) -> io::Result<()> {
        while self.owed_bytes > 0 {
            // A part of a reply may have been written: the next begins where it ended.
            let from = (REPLY.len() - self.owed_bytes % REPLY.len()) % REPLY.len();
            let end = replies.len().min(from + self.owed_bytes);
            match self.socket.write(&replies[from..end]) {
                Ok(len) => self.owed_bytes -= len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
