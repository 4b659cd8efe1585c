//! A virtual client: sends requests in pieces, reads answers in pieces, perhaps slowly, and goes.

use std::collections::VecDeque;

use super::record::Record;
use super::request::{self, Ask, Role, Writer, settle};
use crate::bench::wire::{Answer, Kind, Token, scan};
use crate::net::VirtualSocket;
use crate::store::stream::dice::Dice;

/// A client and its end of the connection.
pub struct Actor {
    /// Its number, which nobody else ever has.
    pub number: usize,
    /// Its place at the server.
    pub slot: usize,
    socket: VirtualSocket,
    /// What it does.
    pub role: Role,
    /// Requests that it keeps unanswered.
    pipeline: usize,
    /// How often it reads when it could, in percent.
    reads: u64,
    output: Vec<u8>,
    inbox: Vec<u8>,
    /// What it awaits, in order.
    pub asks: VecDeque<Ask>,
    /// Of each publisher, the last number heard.
    heard: Vec<(usize, u64)>,
    /// Publications that came.
    pub heard_len: u64,
    /// It has closed its end; the server may not know yet.
    pub has_closed: bool,
    tokens: Vec<Token>,
}

impl Actor {
    /// A client that does what `role` says, in a manner of its own.
    pub fn new(
        number: usize,
        slot: usize,
        socket: VirtualSocket,
        role: Role,
        dice: &mut Dice,
    ) -> Self {
        let pipeline = match role {
            Role::Consumer | Role::Reader if dice.chance(60) => 1,
            Role::Subscriber => 1,
            _ => 1 + super::world::index(dice, 8),
        };
        Self {
            number,
            slot,
            socket,
            role,
            pipeline,
            reads: super::world::pick(dice, &[3, 30, 100]),
            output: Vec::new(),
            inbox: Vec::new(),
            asks: VecDeque::new(),
            heard: Vec::new(),
            heard_len: 0,
            has_closed: false,
            tokens: Vec::new(),
        }
    }

    /// Writes a request if it has room for one more, sends a piece, and perhaps reads a piece.
    pub fn act(&mut self, dice: &mut Dice, record: &mut Record) {
        if self.has_closed {
            return;
        }
        // One subscription, and rarely another.
        let is_heard = self.role == Role::Subscriber && self.heard_len + self.asks.len() as u64 > 0;
        for _ in 0..=super::world::index(dice, 6) {
            if self.asks.len() >= self.pipeline || is_heard && !dice.chance(1) {
                break;
            }
            let mut writer = Writer {
                dice,
                record,
                author: self.number,
                output: &mut self.output,
            };
            writer.write(self.role, &mut self.asks);
        }
        if self.role == Role::Consumer && dice.below(200) == 0 {
            self.asks.extend(request::flood(&mut self.output));
        }
        let piece = match dice.below(4) {
            0 => 1 + super::world::index(dice, 20),
            _ => usize::MAX,
        };
        self.send(piece);
        if dice.chance(self.reads) {
            let piece = match dice.below(4) {
                0 => 1 + super::world::index(dice, 30),
                _ => usize::MAX,
            };
            self.receive(piece, record);
        }
    }

    /// Sends and reads all that there is; says whether anything moved.
    pub fn finish(&mut self, record: &mut Record) -> bool {
        if self.has_closed {
            return false;
        }
        let had = !self.output.is_empty();
        self.send(usize::MAX);
        self.receive(usize::MAX, record) || had
    }

    /// Reads what had come to it before it went.
    pub fn read_rest(&mut self, record: &mut Record) {
        self.receive(usize::MAX, record);
    }

    /// Closes its end.
    pub fn close(&mut self, dice: &mut Dice) {
        self.has_closed = true;
        self.socket.close(dice.chance(50));
    }

    fn send(&mut self, bytes_max: usize) {
        let len = self.output.len().min(bytes_max);
        if len > 0 {
            self.socket.send(&self.output[..len]);
            self.output.drain(..len);
        }
    }

    fn receive(&mut self, bytes_max: usize, record: &mut Record) -> bool {
        let came = self.socket.receive(bytes_max);
        self.inbox.extend_from_slice(&came);
        let mut used = 0;
        loop {
            let mut tokens = std::mem::take(&mut self.tokens);
            let rest = &self.inbox[used..];
            let found = if rest.is_empty() {
                Ok(None)
            } else {
                scan(rest, &mut tokens)
            };
            let len = found.unwrap_or_else(|_| panic!("no reply: {}", rest.escape_ascii()));
            if let Some(len) = len {
                let bytes = rest[..len].to_vec();
                self.hear(Answer::new(&bytes, &tokens), record);
                used += len;
            }
            self.tokens = tokens;
            if len.is_none() {
                break;
            }
        }
        self.inbox.drain(..used);
        !came.is_empty()
    }

    fn hear(&mut self, answer: Answer<'_>, record: &mut Record) {
        if self.role == Role::Subscriber && answer.kind() == Kind::Array {
            return self.hear_channel(answer);
        }
        let ask = self.asks.pop_front();
        let ask = ask.unwrap_or_else(|| {
            let text = String::from_utf8_lossy(answer.text(0)).into_owned();
            panic!(
                "client {}: an answer to nothing: {:?} {text}",
                self.number,
                answer.kind()
            )
        });
        settle(&ask, answer, self.number, record);
    }

    fn hear_channel(&mut self, answer: Answer<'_>) {
        if answer.text(1) == b"subscribe" {
            let ask = self.asks.pop_front();
            assert!(matches!(ask, Some(Ask::Subscribe)), "{ask:?} was confirmed");
            return;
        }
        assert_eq!(answer.text(1), b"message");
        self.heard_len += 1;
        let text = String::from_utf8_lossy(answer.text(3)).into_owned();
        let mut words = text.split(' ').map(|word| word.parse::<u64>().unwrap_or(0));
        let (author, number) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        let author = usize::try_from(author).unwrap_or(0);
        // It may hear two channels, but whoever publishes does one thing after the other.
        match self.heard.iter_mut().find(|(known, _)| *known == author) {
            Some((_, last)) => {
                assert!(
                    number > *last,
                    "publication {number} of {author} after {last}"
                );
                *last = number;
            }
            None => self.heard.push((author, number)),
        }
    }
}
