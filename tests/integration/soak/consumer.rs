//! A consumer: reads, acknowledges, claims, and dies now and then to come back under a new name.

use std::sync::atomic::Ordering;

use redis::{Cmd, Connection, Value, cmd};

use super::ledger::{Id, Taken};
use super::replies::{entries, fields, members, number, read_entries, text};
use super::{Alarm, CONSUMERS_PER_GROUP, KEY, Soak, group_name};
use crate::rng::Rng;

/// Deaths in ten thousand steps.
const DEATHS: usize = 100;
/// Entries that one read or claim asks for, at most.
const COUNT: usize = 200;
/// Milliseconds that an entry has been idle for before it is taken from a consumer that may live.
const IDLE_MS: usize = 50;

/// One of the sixteen.
pub struct Consumer<'a> {
    soak: &'a Soak,
    group: usize,
    index: usize,
    lives: usize,
    name: String,
    connection: Connection,
    /// Read or claimed, and not acknowledged.
    held: Vec<Taken>,
    /// The last new entry that it was given.
    last: Id,
    /// Where the next XAUTOCLAIM goes on.
    cursor: String,
    rng: Rng,
}

impl<'a> Consumer<'a> {
    /// Connects the consumer of that index.
    pub fn new(soak: &'a Soak, index: usize, rng: Rng) -> Self {
        Self {
            soak,
            group: index / CONSUMERS_PER_GROUP,
            index,
            lives: 0,
            name: format!("consumer-{index}-0"),
            connection: soak.connect(protocol(index)),
            held: Vec::new(),
            last: (0, 0),
            cursor: "0-0".to_owned(),
            rng,
        }
    }

    /// Works until everything is read in its group, and nothing pending.
    pub fn run(mut self) {
        let soak = self.soak;
        let _alarm = Alarm(&soak.failed);
        loop {
            let acting = soak.gate.read().unwrap();
            if self.is_done() || soak.failed.load(Ordering::Relaxed) {
                break;
            }
            self.step();
            drop(acting);
        }
        soak.disconnect(self.connection);
    }

    fn is_done(&mut self) -> bool {
        if !self.is_over() {
            return false;
        }
        let mut ask = cmd("XINFO");
        ask.arg("GROUPS").arg(KEY);
        let infos: Value = ask.query(&mut self.connection).unwrap();
        let info = fields(&members(&infos)[self.group]);
        number(&info["lag"]) == 0 && number(&info["pending"]) == 0
    }

    /// Whether no more entries come.
    fn is_over(&self) -> bool {
        self.soak.added() == self.soak.total
    }

    fn step(&mut self) {
        let dies = self.rng.permyriad(DEATHS);
        match self.rng.below(20) {
            0..=8 if !self.held.is_empty() => self.acknowledge(dies),
            9 | 10 => self.claim(dies),
            _ => self.read(dies),
        }
    }

    fn read(&mut self, dies: bool) {
        let count = 1 + self.rng.below(COUNT);
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(group_name(self.group))
            .arg(&self.name);
        read.arg("COUNT").arg(count).arg("BLOCK").arg(10);
        read.arg("STREAMS").arg(KEY).arg(">");
        if dies && self.rng.percent(50) {
            self.die_after(&read);
            let mut ledger = self.soak.ledgers[self.group].lock().unwrap();
            return ledger.died_reading(count);
        }
        let reply: Value = read.query(&mut self.connection).unwrap();
        let taken = read_entries(&reply);
        for entry in &taken {
            assert!(entry.id > self.last, "{:?} after {:?}", entry.id, self.last);
            self.last = entry.id;
        }
        self.soak.ledgers[self.group].lock().unwrap().read(&taken);
        self.held.extend(taken);
        if dies {
            self.die();
        }
    }

    fn acknowledge(&mut self, dies: bool) {
        let count = 1 + self.rng.below(self.held.len());
        let taken: Vec<Taken> = self.held.drain(..count).collect();
        let mut acknowledge = cmd("XACK");
        acknowledge.arg(KEY).arg(group_name(self.group));
        for entry in &taken {
            acknowledge.arg(format!("{}-{}", entry.id.0, entry.id.1));
        }
        if dies {
            self.die_after(&acknowledge);
            let mut ledger = self.soak.ledgers[self.group].lock().unwrap();
            return ledger.died_acknowledging(&taken);
        }
        let count: usize = acknowledge.query(&mut self.connection).unwrap();
        let now = self.soak.moment();
        let mut ledger = self.soak.ledgers[self.group].lock().unwrap();
        ledger.acknowledge(&taken, count, now);
    }

    fn claim(&mut self, dies: bool) {
        // At the end nothing else comes, and what is left belongs to the dead.
        let idle_ms = if self.is_over() || self.rng.percent(5) {
            0
        } else {
            IDLE_MS
        };
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(KEY).arg(group_name(self.group)).arg(&self.name);
        claim.arg(idle_ms).arg(&self.cursor);
        claim.arg("COUNT").arg(1 + self.rng.below(COUNT));
        let asked_at = self.soak.moment();
        if dies && self.rng.percent(50) {
            return self.die_after(&claim);
        }
        let reply: Value = claim.query(&mut self.connection).unwrap();
        let [cursor, claimed, deleted] = members(&reply) else {
            panic!("{reply:?}");
        };
        assert!(members(deleted).is_empty(), "nothing is ever deleted");
        self.cursor = text(cursor);
        let taken = entries(claimed);
        self.soak.ledgers[self.group]
            .lock()
            .unwrap()
            .claim(&taken, asked_at);
        self.held.extend(taken);
        if dies {
            self.die();
        }
    }

    /// Sends a request and dies without the answer.
    fn die_after(&mut self, request: &Cmd) {
        let request = request.get_packed_command();
        self.connection.send_packed_command(&request).unwrap();
        self.die();
    }

    fn die(&mut self) {
        self.lives += 1;
        self.name = format!("consumer-{}-{}", self.index, self.lives);
        let next = self.soak.connect(protocol(self.index + self.lives));
        let last = std::mem::replace(&mut self.connection, next);
        self.soak.disconnect(last);
        self.held.clear();
        self.last = (0, 0);
        self.soak.kills.fetch_add(1, Ordering::Relaxed);
    }
}

fn protocol(index: usize) -> &'static str {
    if index.is_multiple_of(2) {
        "resp2"
    } else {
        "resp3"
    }
}
