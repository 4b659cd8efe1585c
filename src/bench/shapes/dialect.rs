//! How programs hand work over by a queue: what they send to push, to wait, and after a message.

use super::super::wire::{Answer, Kind, Token, put_arg, put_head, put_length, put_request};
use super::{PREFIX, numbered};

/// A way of using the server as a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// LPUSH, and BRPOP of one queue without a timeout.
    Plain,
    /// SADD of the queue's name and LPUSH in one write; BRPOP of many queues, the first ones
    /// preferred, for 2 s.
    Sidekiq,
    /// LPUSH to one of the four queues of the priorities; BRPOP of the four for 1 s.
    Celery,
    /// LPUSH and a marker in a sorted set in one write; BZPOPMIN of the marker, then RPOPLPUSH until
    /// nothing is left, and LREM when done.
    Bullmq,
}

/// What a consumer makes of a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A message; the token's text.
    Message(&'a [u8]),
    /// Nothing yet, or a reply of no interest.
    Nothing,
    /// It has to wait again.
    Again,
    /// A marker: there is something to fetch.
    Fetch,
    /// No reply that this dialect knows.
    Strange,
}

/// A queue and those who wait for it.
#[derive(Clone, Debug)]
pub struct Queue {
    dialect: Dialect,
    /// The queues among which its consumers look, itself among them.
    keys: Vec<String>,
    /// Its own, in `keys`.
    own: usize,
}

impl Queue {
    /// The queues of a dialect, with `keys` keys or as many as it always has, under names of its own.
    pub fn all(dialect: Dialect, keys: usize) -> Vec<Self> {
        match dialect {
            Dialect::Plain => Self::apart(dialect, numbered("handoff", keys)),
            Dialect::Bullmq => Self::apart(dialect, numbered("bull", keys)),
            Dialect::Sidekiq => Self::together(dialect, &numbered("queue", keys)),
            Dialect::Celery => {
                let own = format!("{PREFIX}celery");
                let steps = [3, 6, 9].map(|step| format!("{own}\x06\x16{step}"));
                let keys: Vec<String> = [own].into_iter().chain(steps).collect();
                Self::together(dialect, &keys)
            }
        }
    }

    fn apart(dialect: Dialect, keys: Vec<String>) -> Vec<Self> {
        let single = |key| Self {
            dialect,
            keys: vec![key],
            own: 0,
        };
        keys.into_iter().map(single).collect()
    }

    fn together(dialect: Dialect, keys: &[String]) -> Vec<Self> {
        let of = |own| Self {
            dialect,
            keys: keys.to_vec(),
            own,
        };
        (0..keys.len()).map(of).collect()
    }

    /// Its own key.
    pub fn key(&self) -> &str {
        &self.keys[self.own]
    }

    /// The marker of `BullMQ`, or the set of queues of Sidekiq.
    fn beside(&self) -> String {
        match self.dialect {
            Dialect::Sidekiq => format!("{PREFIX}queues"),
            _ => format!("{}:marker", self.key()),
        }
    }

    fn active(&self) -> String {
        format!("{}:active", self.key())
    }

    /// Every key it may leave behind.
    pub fn all_keys(&self) -> Vec<String> {
        vec![self.key().to_owned(), self.beside(), self.active()]
    }

    /// Writes what comes before the bytes of a message of `size` in a push.
    pub fn put_push_head(&self, size: usize, output: &mut Vec<u8>) {
        if self.dialect == Dialect::Sidekiq {
            let queues = self.beside();
            put_request(&[b"SADD", queues.as_bytes(), self.key().as_bytes()], output);
        }
        put_head(3, output);
        put_arg(b"LPUSH", output);
        put_arg(self.key().as_bytes(), output);
        put_length(b'$', size, output);
    }

    /// Writes what comes after the bytes of a message in a push.
    pub fn put_push_tail(&self, output: &mut Vec<u8>) {
        output.extend_from_slice(b"\r\n");
        if self.dialect == Dialect::Bullmq {
            put_request(&[b"ZADD", self.beside().as_bytes(), b"0", b"0"], output);
        }
    }

    /// Writes the request with which a consumer waits.
    pub fn put_wait(&self, output: &mut Vec<u8>) {
        let marker = self.beside();
        let (command, timeout): (&[u8], &[u8]) = match self.dialect {
            Dialect::Plain => (b"BRPOP", b"0"),
            Dialect::Sidekiq => (b"BRPOP", b"2"),
            Dialect::Celery => (b"BRPOP", b"1"),
            Dialect::Bullmq => (b"BZPOPMIN", b"5"),
        };
        let keys: Vec<&str> = match self.dialect {
            Dialect::Bullmq => vec![&marker],
            _ => self.keys.iter().map(String::as_str).collect(),
        };
        put_head(keys.len() + 2, output);
        put_arg(command, output);
        for key in keys {
            put_arg(key.as_bytes(), output);
        }
        put_arg(timeout, output);
    }

    /// Writes the request that takes a message after a marker.
    pub fn put_fetch(&self, output: &mut Vec<u8>) {
        let active = self.active();
        put_request(
            &[b"RPOPLPUSH", self.key().as_bytes(), active.as_bytes()],
            output,
        );
    }

    /// Writes what a consumer sends once it has a message.
    pub fn put_done(&self, message: &[u8], output: &mut Vec<u8>) {
        if self.dialect == Dialect::Bullmq {
            put_request(&[b"LREM", self.active().as_bytes(), b"1", message], output);
            self.put_fetch(output);
        } else {
            self.put_wait(output);
        }
    }

    /// What a consumer makes of a reply that is no error. `is_fetching`: it has a marker, and is
    /// taking messages.
    pub fn step<'a>(&self, answer: Answer<'a>, is_fetching: bool) -> Step<'a> {
        let tokens: &[Token] = answer.tokens();
        match (self.dialect, answer.kind(), is_fetching) {
            (Dialect::Bullmq, Kind::Array, false) => Step::Fetch,
            (Dialect::Bullmq, Kind::Bulk, true) => Step::Message(answer.text(0)),
            (Dialect::Bullmq, Kind::Integer, true) => Step::Nothing,
            (Dialect::Plain | Dialect::Sidekiq | Dialect::Celery, Kind::Array, _)
                if tokens.len() == 3 =>
            {
                Step::Message(answer.text(2))
            }
            (_, Kind::Null, _) => Step::Again,
            _ => Step::Strange,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::scan;
    use super::*;

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut output = Vec::new();
        put(&mut output);
        let text = String::from_utf8(output).unwrap();
        let words = text.split("\r\n").filter(|word| !word.starts_with('$'));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_dialect_waits_as_its_framework_does() {
        let waits = |dialect, keys| {
            let queues = Queue::all(dialect, keys);
            text(|output| queues[queues.len() - 1].put_wait(output))
        };
        assert_eq!(waits(Dialect::Plain, 2), "*3 BRPOP weir-bench:handoff:1 0 ");
        assert_eq!(
            waits(Dialect::Sidekiq, 2),
            "*4 BRPOP weir-bench:queue:0 weir-bench:queue:1 2 "
        );
        assert!(waits(Dialect::Celery, 1).starts_with("*6 BRPOP weir-bench:celery "));
        assert_eq!(
            waits(Dialect::Bullmq, 1),
            "*3 BZPOPMIN weir-bench:bull:0:marker 5 "
        );
    }

    #[test]
    fn a_push_is_whole() {
        for dialect in [Dialect::Plain, Dialect::Sidekiq, Dialect::Bullmq] {
            let queue = &Queue::all(dialect, 1)[0];
            let mut output = Vec::new();
            queue.put_push_head(5, &mut output);
            output.extend_from_slice(b"hello");
            queue.put_push_tail(&mut output);
            let (mut at, mut requests, mut tokens) = (0, 0, Vec::new());
            while let Some(len) = scan(&output[at..], &mut tokens).unwrap() {
                at += len;
                requests += 1;
                if at == output.len() {
                    break;
                }
            }
            assert_eq!(at, output.len());
            assert_eq!(requests, if dialect == Dialect::Plain { 1 } else { 2 });
        }
    }

    #[test]
    fn replies_lead_on() {
        let step = |dialect, reply: &'static [u8], is_fetching| {
            let mut tokens = Vec::new();
            scan(reply, &mut tokens).unwrap().unwrap();
            let queue = &Queue::all(dialect, 1)[0];
            match queue.step(Answer::new(reply, &tokens), is_fetching) {
                Step::Message(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            }
        };
        let popped = b"*2\r\n$1\r\nq\r\n$2\r\nhi\r\n";
        assert_eq!(step(Dialect::Plain, popped, false), "hi");
        assert_eq!(step(Dialect::Celery, b"*-1\r\n", false), "Again");
        let marker = b"*3\r\n$1\r\nm\r\n$1\r\n0\r\n$1\r\n0\r\n";
        assert_eq!(step(Dialect::Bullmq, marker, false), "Fetch");
        assert_eq!(step(Dialect::Bullmq, b"$2\r\nhi\r\n", true), "hi");
        assert_eq!(step(Dialect::Bullmq, b":1\r\n", true), "Nothing");
        assert_eq!(step(Dialect::Bullmq, b"$-1\r\n", true), "Again");
        assert_eq!(step(Dialect::Sidekiq, b":1\r\n", false), "Strange");
    }
}
