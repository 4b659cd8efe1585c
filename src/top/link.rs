//! Speaks to the server: a blocking socket, one question at a time.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use super::options::Options;
use super::sight::Sight;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection, made again when it breaks.
#[derive(Debug)]
pub struct Link {
    options: Options,
    stream: Option<TcpStream>,
}

impl Link {
    /// Connects, and says who asks.
    pub fn open(options: &Options) -> io::Result<Self> {
        let mut link = Self {
            options: options.clone(),
            stream: None,
        };
        link.connect()?;
        Ok(link)
    }

    fn connect(&mut self) -> io::Result<()> {
        let options = self.options.clone();
        let mut found = (options.host.as_str(), options.port).to_socket_addrs()?;
        let address = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        if let Some(password) = &options.password {
            let mut words = vec!["AUTH"];
            words.extend(options.user.as_deref());
            words.push(password);
            self.ask(&words)?;
        }
        self.ask(&["CLIENT", "SETNAME", "weir-top"])?;
        if options.db > 0 {
            self.ask(&["SELECT", &options.db.to_string()])?;
        }
        Ok(())
    }

    /// Asks how it goes, with these words to WEIR.BACKLOG. A connection that broke is made again.
    pub fn look(&mut self, question: &[String]) -> io::Result<Sight> {
        let looked = self.try_look(question);
        if looked.is_err() {
            self.stream = None;
        }
        looked
    }

    fn try_look(&mut self, question: &[String]) -> io::Result<Sight> {
        if self.stream.is_none() {
            self.connect()?;
        }
        let info = self.ask(&[
            "INFO", "server", "clients", "memory", "stats", "weir", "backlog",
        ])?;
        let words: Vec<&str> = ["WEIR.BACKLOG"]
            .into_iter()
            .chain(question.iter().map(String::as_str))
            .collect();
        let queues = self.ask(&words)?;
        Ok(Sight::of(&info, &queues))
    }

    fn ask(&mut self, words: &[&str]) -> io::Result<OwnedFrame> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            // Writing to a string cannot fail.
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        stream.write_all(request.as_bytes())?;
        let (mut answer, mut part) = (Vec::new(), [0; 16 << 10]);
        loop {
            let len = stream.read(&mut part)?;
            if len == 0 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            answer.extend_from_slice(&part[..len]);
            let decoded = decode(&answer).map_err(io::Error::other)?;
            match decoded {
                Some((OwnedFrame::Error(refusal), _)) => return Err(io::Error::other(refusal)),
                Some((frame, _)) => return Ok(frame),
                None => {}
            }
        }
    }
}
