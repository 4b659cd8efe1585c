//! A connection of the load generator: first blocking, to greet and to prepare, then driven by
//! readiness.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::{Interest, Registry, Token};

use super::wire::{Answer, Kind, Malformed, Token as Part, put_request, scan};

/// How long a reply to a single request may take while a test is prepared.
pub const PATIENCE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 << 10;

/// Where to connect, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `HOST:PORT`, as it was given.
    pub name: String,
    /// User of ACL, if not the default one.
    pub user: Option<String>,
    /// Password, if one is needed.
    pub password: Option<String>,
}

/// Bytes that came and are not read yet.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// Where the reply begins that was read last.
    begun: usize,
    used: usize,
    filled: usize,
    parts: Vec<Part>,
}

impl Inbox {
    /// Reads once. Gives how many bytes came, and whether that was less than there was room for.
    fn fill(&mut self, mut stream: impl Read) -> std::io::Result<(usize, bool)> {
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
        } else if self.used > self.bytes.len() / 2 {
            self.bytes.copy_within(self.used..self.filled, 0);
            (self.used, self.filled) = (0, self.filled - self.used);
        }
        if self.bytes.len() - self.filled < READ_BYTES / 2 {
            self.bytes.resize(self.filled + READ_BYTES, 0);
        }
        let room = &mut self.bytes[self.filled..];
        let room_bytes = room.len();
        let count = stream.read(room)?;
        self.filled += count;
        Ok((count, count < room_bytes))
    }

    /// Goes on to the next reply; false if it is not whole yet.
    fn advance(&mut self) -> Result<bool, Malformed> {
        self.begun = self.used;
        if self.used == self.filled {
            return Ok(false);
        }
        let len = scan(&self.bytes[self.used..self.filled], &mut self.parts)?;
        self.used += len.unwrap_or(0);
        Ok(len.is_some())
    }

    /// The reply to which [`Inbox::advance`] went.
    fn answer(&self) -> Answer<'_> {
        Answer::new(&self.bytes[self.begun..self.used], &self.parts)
    }
}

/// A blocking connection: one request, one reply.
#[derive(Debug)]
pub struct Control {
    stream: TcpStream,
    inbox: Inbox,
}

impl Control {
    /// Connects and authenticates. No reply may take longer than `patience`.
    pub fn open(target: &Target, patience: Duration) -> Result<Self> {
        let mut control = Self {
            stream: connect(&target.name, patience)
                .with_context(|| format!("{}: connect", target.name))?,
            inbox: Inbox::default(),
        };
        if let Some(password) = &target.password {
            let user = target.user.as_deref().unwrap_or("default");
            control.ask(&[b"AUTH", user.as_bytes(), password.as_bytes()])?;
        }
        Ok(control)
    }

    /// The server's end.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Sends one request and gives its reply, which must not be an error.
    pub fn ask(&mut self, args: &[&[u8]]) -> Result<Answer<'_>> {
        let mut request = Vec::new();
        put_request(args, &mut request);
        self.send(&request)?;
        self.answer()
    }

    /// Sends requests, whose replies are then read by [`Control::answer`].
    pub fn send(&mut self, requests: &[u8]) -> Result<()> {
        self.stream.write_all(requests).context("send")
    }

    /// The next reply, which must not be an error.
    pub fn answer(&mut self) -> Result<Answer<'_>> {
        while !self.inbox.advance()? {
            let (count, _) = self.inbox.fill(&self.stream).context("receive")?;
            if count == 0 {
                bail!("the server has closed the connection");
            }
        }
        let answer = self.inbox.answer();
        if answer.kind() == Kind::Error {
            bail!("{}", String::from_utf8_lossy(answer.text(0)));
        }
        Ok(answer)
    }

    /// Deletes keys, in portions.
    pub fn delete(&mut self, keys: &[String]) -> Result<()> {
        for keys in keys.chunks(100) {
            let mut args: Vec<&[u8]> = vec![b"DEL"];
            args.extend(keys.iter().map(String::as_bytes));
            self.ask(&args)?;
        }
        Ok(())
    }
}

fn connect(name: &str, patience: Duration) -> Result<TcpStream> {
    let mut last = None;
    for address in name.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error.into()),
        None => bail!("no such host"),
    }
}

/// A connection driven by readiness.
#[derive(Debug)]
pub struct Link {
    stream: mio::net::TcpStream,
    inbox: Inbox,
    /// What is to be sent; whoever adds to it flushes.
    pub output: Vec<u8>,
    sent: usize,
    is_writable: bool,
}

impl Link {
    /// Connects, authenticates, and joins a poll under `token`.
    pub fn open(target: &Target, registry: &Registry, token: Token) -> Result<Self> {
        let control = Control::open(target, PATIENCE)?;
        control.stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(control.stream);
        registry.register(
            &mut stream,
            token,
            Interest::READABLE.add(Interest::WRITABLE),
        )?;
        Ok(Self {
            stream,
            inbox: Inbox::default(),
            output: Vec::new(),
            sent: 0,
            is_writable: true,
        })
    }

    /// Bytes that the server has not taken yet.
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Notes that the socket takes bytes again.
    pub fn writable(&mut self) {
        self.is_writable = true;
    }

    /// Sends as much as the socket takes.
    pub fn flush(&mut self) -> Result<()> {
        while self.is_writable && self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("send"),
            }
        }
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
        } else if self.sent > READ_BYTES && self.sent > self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Reads once; false when nothing is left to read for now.
    pub fn fill(&mut self) -> Result<bool> {
        match self.inbox.fill(&self.stream) {
            Ok((0, _)) => bail!("the server has closed a connection"),
            Ok((_, is_short)) => Ok(!is_short),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error).context("receive"),
        }
    }

    /// The next reply, and where to write what it calls for.
    pub fn next(&mut self) -> Result<Option<(Answer<'_>, &mut Vec<u8>)>> {
        let Self { inbox, output, .. } = self;
        let is_whole = inbox.advance()?;
        Ok(is_whole.then(|| (inbox.answer(), output)))
    }
}
