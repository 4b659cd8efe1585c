//! What virtual clients ask for, and what they make of the answers.

use super::record::{Id, Place, Record};
use super::world::{index, pick};
use crate::bench::wire::{Answer, Kind, put_request};
use crate::store::stream::dice::Dice;

/// Queues and their kinds: `f` are pushed at the left and popped at the right only; `t` holds
/// messages with a time to live; `m` are used from both ends, moved and trimmed; `b` are bounded by
/// the policies beside them.
pub const QUEUES: [&str; 12] = [
    "f0", "f1", "f2", "t0", "m0", "m1", "m2", "b0", "b1", "b2", "b3", "dead",
];
/// Those in which order is kept.
pub const FIFO: std::ops::Range<usize> = 0..3;
/// Those in which messages end by themselves.
pub const ENDING: [usize; 2] = [3, 10];
const TTL_QUEUE: usize = 3;
const MIXED: [usize; 3] = [4, 5, 6];
const POPPED: [usize; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// The policies of the bounded ones.
pub const POLICIES: [&str; 4] = [
    "WEIR.POLICY SET b0 MAX-LENGTH 6",
    "WEIR.POLICY SET b1 MAX-LENGTH 6 OVERFLOW drop-newest",
    "WEIR.POLICY SET b2 MAX-LENGTH 6 DEAD-LETTER dead",
    "WEIR.POLICY SET b3 MAX-AGE 150",
];
/// The stream, whose group is `g`.
pub const STREAM: &str = "s0";
const CHANNELS: [&str; 2] = ["c0", "c1"];

/// A request that is not answered yet.
#[derive(Clone, Debug)]
pub enum Ask {
    /// These messages go to a queue or the stream.
    Push(Vec<Id>),
    /// Takes so many messages at most.
    Pop(u64),
    /// Takes one, or so many at most; the answer says from which queue.
    Take(u64),
    /// From list to list.
    Move,
    /// Waits until it can do so, or for some time.
    Wait {
        /// What it waits for.
        what: Box<Ask>,
        /// Whether time ends it.
        is_timed: bool,
    },
    /// Any answer that is no error.
    Plain,
    /// QUEUED.
    Queued,
    /// What a transaction did.
    Exec(Vec<Ask>),
    /// The number of subscribers.
    Publish,
    /// Confirmed as a message of its own.
    Subscribe,
    /// Entries of the stream.
    ReadGroup,
}

impl Ask {
    /// Messages that the answer may carry.
    pub fn messages_max(&self) -> u64 {
        match self {
            Self::Pop(count) | Self::Take(count) => *count,
            Self::Wait { what, .. } => what.messages_max(),
            Self::Exec(asks) => asks.iter().map(Self::messages_max).sum(),
            _ => 0,
        }
    }

    /// Whether it is or holds the reading of the stream.
    pub fn is_reading(&self) -> bool {
        match self {
            Self::Wait { what, .. } => what.is_reading(),
            other => matches!(other, Self::ReadGroup),
        }
    }
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Pushes and pops everywhere, in pipelines and transactions.
    Worker,
    /// Waits for messages.
    Consumer,
    /// Pushes.
    Producer,
    /// Publishes.
    Publisher,
    /// Hears a channel.
    Subscriber,
    /// Adds to the stream.
    Adder,
    /// Reads the stream in the group.
    Reader,
}

/// The roles, by how often they are taken.
pub const ROLES: [Role; 16] = [
    Role::Worker,
    Role::Worker,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Producer,
    Role::Producer,
    Role::Publisher,
    Role::Publisher,
    Role::Subscriber,
    Role::Adder,
    Role::Reader,
];

/// The roles of a run in which messages are awaited rather than waiting.
pub const HUNGRY_ROLES: [Role; 8] = [
    Role::Worker,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Reader,
    Role::Producer,
];

/// The roles of a run in which much is published and little is read.
pub const LOUD_ROLES: [Role; 6] = [
    Role::Publisher,
    Role::Publisher,
    Role::Subscriber,
    Role::Subscriber,
    Role::Consumer,
    Role::Producer,
];

/// Writes requests for a client.
pub struct Writer<'a> {
    /// Where chance comes from.
    pub dice: &'a mut Dice,
    /// Where messages are noted.
    pub record: &'a mut Record,
    /// The client.
    pub author: usize,
    /// What it will send.
    pub output: &'a mut Vec<u8>,
}

impl Writer<'_> {
    /// Writes a request, or several that belong together, and gives what will be answered.
    pub fn write(&mut self, role: Role, asks: &mut impl Extend<Ask>) {
        let written = match role {
            Role::Worker => match self.dice.below(12) {
                0..4 => vec![self.push()],
                4..8 => vec![self.pop()],
                8 | 9 => vec![self.transfer()],
                10 => vec![self.edit()],
                _ => self.transact(),
            },
            Role::Consumer => vec![self.wait()],
            Role::Producer => vec![self.push()],
            Role::Publisher => vec![self.publish()],
            Role::Subscriber => vec![self.subscribe()],
            Role::Adder => vec![self.add()],
            Role::Reader => vec![self.read_group()],
        };
        asks.extend(written);
    }

    fn put(&mut self, words: &[&str]) {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        put_request(&words, self.output);
    }

    fn message(&mut self, place: Place, ttl_ms: Option<u64>) -> (Id, String) {
        let size = match self.dice.below(300) {
            0 => pick(self.dice, &[9_000, 20_000, 70_000]),
            1..10 => 300,
            _ => 0,
        };
        let id = self.record.write(place, self.author, ttl_ms);
        let payload = Record::payload(id, size);
        (id, String::from_utf8(payload).expect("payloads are text"))
    }

    fn push(&mut self) -> Ask {
        let queue = index(self.dice, QUEUES.len() - 1);
        let ttl_ms = (queue == TTL_QUEUE).then(|| 1 + self.dice.below(400));
        let count = 1 + self.dice.below(3);
        let (ids, payloads): (Vec<Id>, Vec<String>) = (0..count)
            .map(|_| self.message(Place::Queue(queue), ttl_ms))
            .unzip();
        let name = QUEUES[queue];
        let ttl = ttl_ms.unwrap_or(0).to_string();
        let at_right = MIXED.contains(&queue) && self.dice.chance(50);
        let mut words = match ttl_ms {
            Some(_) => vec!["WEIR.PUSH", name, "LEFT", "TTL", &ttl, "--"],
            None if at_right => vec!["RPUSH", name],
            None => vec!["LPUSH", name],
        };
        words.extend(payloads.iter().map(String::as_str));
        self.put(&words);
        Ask::Push(ids)
    }

    /// A queue, and an end from which it may be popped.
    fn end(&mut self) -> (usize, bool) {
        let queue = pick(self.dice, &POPPED);
        (queue, MIXED.contains(&queue) && self.dice.chance(50))
    }

    fn pop(&mut self) -> Ask {
        let (queue, at_left) = self.end();
        let (name, command) = (QUEUES[queue], if at_left { "LPOP" } else { "RPOP" });
        match self.dice.below(3) {
            0 => {
                let count = 1 + self.dice.below(5);
                self.put(&[command, name, &count.to_string()]);
                Ask::Pop(count)
            }
            1 => {
                let count = 1 + self.dice.below(3);
                let other = QUEUES[self.end().0];
                let text = count.to_string();
                self.put(&["LMPOP", "2", name, other, "RIGHT", "COUNT", &text]);
                Ask::Take(count)
            }
            _ => {
                self.put(&[command, name]);
                Ask::Pop(1)
            }
        }
    }

    fn wait(&mut self) -> Ask {
        let timeout = pick(self.dice, &["0", "0", "0.02", "0.2", "1"]);
        let what = Box::new(self.awaited(timeout));
        Ask::Wait {
            what,
            is_timed: timeout != "0",
        }
    }

    /// Writes a request that may wait, and gives what it waits for.
    fn awaited(&mut self, timeout: &str) -> Ask {
        let (queue, at_left) = self.end();
        let (name, others) = (QUEUES[queue], [self.end().0, self.end().0]);
        let [second, third] = others.map(|other| QUEUES[other]);
        match self.dice.below(6) {
            0 => {
                self.put(&["BLMPOP", timeout, "2", name, second, "RIGHT", "COUNT", "2"]);
                return Ask::Take(2);
            }
            1 => {
                let [from, to] = [0; 2].map(|_| QUEUES[pick(self.dice, &MIXED)]);
                self.put(&["BLMOVE", from, to, "LEFT", "RIGHT", timeout]);
                return Ask::Move;
            }
            2 => self.put(&["BRPOP", name, second, third, timeout]),
            _ if at_left => self.put(&["BLPOP", name, timeout]),
            _ => self.put(&["BRPOP", name, timeout]),
        }
        Ask::Take(1)
    }

    fn transfer(&mut self) -> Ask {
        let [from, to] = [0; 2].map(|_| QUEUES[pick(self.dice, &MIXED)]);
        if self.dice.chance(50) {
            self.put(&["RPOPLPUSH", from, to]);
        } else {
            self.put(&["LMOVE", from, to, "LEFT", "LEFT"]);
        }
        Ask::Move
    }

    fn edit(&mut self) -> Ask {
        let name = QUEUES[pick(self.dice, &MIXED)];
        match self.dice.below(6) {
            0 => self.put(&["LTRIM", name, "1", "-2"]),
            1 => self.put(&["DEL", name]),
            2 => self.put(&["PEXPIRE", name, "30"]),
            3 => {
                let other = QUEUES[pick(self.dice, &MIXED)];
                self.put(&["EVAL", "return redis.call('LLEN', KEYS[1])", "1", other]);
            }
            4 => self.put(&["LRANGE", name, "0", "-1"]),
            _ => self.put(&["PING"]),
        }
        Ask::Plain
    }

    fn transact(&mut self) -> Vec<Ask> {
        self.put(&["MULTI"]);
        let mut asks = vec![Ask::Plain];
        let mut inner = Vec::new();
        for _ in 0..=self.dice.below(3) {
            inner.push(match self.dice.below(3) {
                0 => self.transfer(),
                1 => {
                    let (queue, _) = self.end();
                    self.put(&["RPOP", QUEUES[queue]]);
                    Ask::Pop(1)
                }
                _ => self.push(),
            });
            asks.push(Ask::Queued);
        }
        self.put(&["EXEC"]);
        asks.push(Ask::Exec(inner));
        asks
    }

    fn publish(&mut self) -> Ask {
        let size = match self.dice.below(20) {
            0..4 => 30_000,
            _ => self.dice.below(200),
        };
        let (author, number) = (self.author, self.record.fates.len());
        let padding = ".".repeat(usize::try_from(size).unwrap_or(0));
        // Numbers rise with the record, in which nothing stands for them.
        let text = format!("{author} {number} {padding}");
        self.record.write(Place::Stream, usize::MAX, None);
        let channel = pick(self.dice, &CHANNELS);
        self.put(&["PUBLISH", channel, &text]);
        Ask::Publish
    }

    fn subscribe(&mut self) -> Ask {
        let channel = pick(self.dice, &CHANNELS);
        self.put(&["SUBSCRIBE", channel]);
        Ask::Subscribe
    }

    fn add(&mut self) -> Ask {
        let (id, payload) = self.message(Place::Stream, None);
        self.put(&["XADD", STREAM, "*", "m", &payload]);
        Ask::Push(vec![id])
    }

    fn read_group(&mut self) -> Ask {
        let block = pick(self.dice, &["0", "30", "300"]);
        let name = format!("r{}", self.author);
        let words = ["XREADGROUP", "GROUP", "g", &name, "COUNT", "3", "BLOCK"];
        self.put(&[&words[..], &[block, "STREAMS", STREAM, ">"]].concat());
        Ask::Wait {
            what: Box::new(Ask::ReadGroup),
            is_timed: block != "0",
        }
    }
}

/// Writes more requests than are read ahead of a client that waits, and gives what will be answered.
pub fn flood(output: &mut Vec<u8>) -> impl Iterator<Item = Ask> {
    const LEN: usize = 200;
    for _ in 0..LEN {
        put_request(&[b"PING", &[b'.'; 1000]], output);
    }
    std::iter::repeat_n(Ask::Plain, LEN)
}

/// Takes the answer to a request: notes messages that came, and refuses any other answer than one
/// that fits.
pub fn settle(ask: &Ask, answer: Answer<'_>, client: usize, record: &mut Record) {
    record.replies += 1;
    record.nothings += u64::from(answer.kind() == Kind::Null);
    let at = &mut 0;
    let kind = answer.kind();
    settle_at(ask, answer, at, client, record);
    assert!(
        *at == answer.tokens().len(),
        "{ask:?} was answered by {kind:?} with {:?}",
        answer
            .tokens()
            .iter()
            .map(|token| token.kind)
            .collect::<Vec<_>>()
    );
}

/// The same for the part of an answer that begins at token `at`, which moves behind it.
fn settle_at(ask: &Ask, answer: Answer<'_>, at: &mut usize, client: usize, record: &mut Record) {
    let tokens = answer.tokens();
    let first = *at;
    let kind = tokens[first].kind;
    let text = String::from_utf8_lossy(answer.text(first));
    assert!(kind != Kind::Error, "{ask:?} was refused: {text}");
    *at += 1;
    match (ask, kind) {
        (Ask::Push(ids), Kind::Integer | Kind::Bulk) => {
            for id in ids {
                record.fates[*id].is_acked = true;
            }
        }
        (Ask::Pop(_), Kind::Bulk) => record.got(client, answer.text(first)),
        (Ask::Pop(count), Kind::Array) => {
            let len = tokens[first].number;
            assert!(len.cast_unsigned() <= *count, "{len} messages for {count}");
            for _ in 0..len {
                record.got(client, answer.text(*at));
                *at += 1;
            }
        }
        (Ask::Wait { what, .. }, _) => {
            *at = first;
            settle_at(what, answer, at, client, record);
        }
        (Ask::Take(_), Kind::Array) => {
            *at += 1;
            if tokens[*at].kind == Kind::Array {
                *at += 1;
            }
            while *at < tokens.len() {
                record.got(client, answer.text(*at));
                *at += 1;
            }
        }
        (Ask::ReadGroup, Kind::Array) => {
            // Stream, its entries; of each its id, and a field with its value.
            *at = first + 4;
            while *at < tokens.len() {
                record.got(client, answer.text(*at + 4));
                *at += 5;
            }
        }
        (Ask::Exec(asks), Kind::Array) => {
            for ask in asks {
                settle_at(ask, answer, at, client, record);
            }
        }
        (Ask::Publish, Kind::Integer) => {
            record.publications += tokens[first].number.cast_unsigned();
        }
        (Ask::Queued, Kind::Simple) => assert_eq!(text, "QUEUED"),
        (Ask::Plain, _) => *at = tokens.len(),
        (Ask::Pop(_) | Ask::Take(_) | Ask::Move | Ask::ReadGroup, Kind::Null)
        | (Ask::Move, Kind::Bulk) => {}
        _ => panic!("{ask:?} was answered by {kind:?} {text}"),
    }
}
