//! The model's part for streams: what they hold, what groups were handed, and bounds.

use std::fmt::Write as _;
use std::mem;

use super::{Model, is_served};
use crate::command::cancel;
use crate::overflow::QueueOverflow;
use crate::store::stream::StreamId;
use crate::store::{Ledger, ShardSet, Tally, Value};

/// Names of streams: apart from those of queues, so that what clients are told adds up.
const STREAMS: [&str; 4] = ["s1", "s2", "grave", "deep"];
const PATTERNS: [&str; 4] = ["s*", "s1", "*", "grave"];
const READERS_MAX: usize = 3;

impl Model {
    pub(super) fn stream_step(&mut self) {
        let name = self.random.pick(&STREAMS);
        match self.random.below(20) {
            0..6 => self.add(name),
            6 => {
                let len = self.random.below(6);
                self.run(&format!("XTRIM {name} MAXLEN {len}"));
            }
            7 | 8 => self.delete(name),
            9..13 => self.read_group(name),
            13 => {
                let id = self.some_id(name);
                self.run(&format!("XACK {name} g {id}"));
            }
            14 => self.claim(name),
            15 => self.change_group(name),
            16 => self.change_key(name),
            17 => self.govern_streams(),
            18 => self.wait_for(name),
            _ => self.publish(),
        }
        for mut player in mem::take(&mut self.readers) {
            if !is_served(&player) && self.random.below(20) > 0 {
                self.readers.push(player);
                continue;
            }
            self.bench.with_call(&mut player, |call| {
                let client = call.session.client.clone();
                cancel(call, &client);
            });
            self.bench.leave(&player);
        }
    }

    fn add(&mut self, name: &str) {
        let message = self.random.message();
        let trim = match self.random.below(12) {
            0 | 1 => "MAXLEN 3 ".to_owned(),
            2 | 3 => "MAXLEN ~ 2 DELREF ".to_owned(),
            4 => "MAXLEN 2 ACKED ".to_owned(),
            5 => format!("MINID {} ", self.some_id(name)),
            6 => format!("MINID ~ {} LIMIT 2 ", self.some_id(name)),
            _ => String::new(),
        };
        let reply = self.run(&format!("XADD {name} {trim}* f {message}"));
        if reply.starts_with('$') {
            self.told.entries += Tally::one(1 + message.len());
        }
    }

    /// The id of one of the entries of a stream, or one that there is not.
    fn some_id(&mut self, name: &str) -> String {
        let at = usize::try_from(self.random.below(4)).unwrap();
        let found = self.with_value(name, |value| match value {
            Value::Stream(stream) => {
                let mut entries = stream.log().range(StreamId::MIN, StreamId::MAX);
                entries.nth(at).map(|entry| entry.id.to_string())
            }
            _ => None,
        });
        found.flatten().unwrap_or_else(|| "7-7".to_owned())
    }

    fn entries_held(&self, name: &str) -> Option<Tally> {
        let held = self.with_value(name, |value| match value {
            Value::Stream(stream) => Some(stream.held()),
            _ => None,
        });
        held.flatten()
    }

    fn delete(&mut self, name: &str) {
        let id = self.some_id(name);
        let references = self.random.pick(&["KEEPREF", "DELREF", "ACKED"]);
        match self.random.below(3) {
            0 => {
                self.run(&format!("XDEL {name} {id}"));
            }
            1 => {
                self.run(&format!("XDELEX {name} {references} IDS 1 {id}"));
            }
            _ => {
                // A look has what is too old go first.
                self.run(&format!("XLEN {name}"));
                let before = self.entries_held(name).unwrap_or_default();
                self.run(&format!("XACKDEL {name} g {references} IDS 1 {id}"));
                let after = self.entries_held(name).unwrap_or_default();
                self.told.done += before - after;
            }
        }
    }

    fn read_group(&mut self, name: &str) {
        let consumer = self.random.pick(&["c", "d"]);
        let how = self.random.pick(&["", "", "NOACK ", "CLAIM 5 "]);
        let from = self.random.pick(&[">", ">", ">", "0"]);
        let how = if from == "0" { "" } else { how };
        self.run(&format!(
            "XREADGROUP GROUP g {consumer} COUNT 3 {how}STREAMS {name} {from}"
        ));
    }

    fn claim(&mut self, name: &str) {
        let id = self.some_id(name);
        let command = match self.random.below(4) {
            0 => format!("XCLAIM {name} g d 0 {id} FORCE"),
            1 => format!("XCLAIM {name} g d 0 {id} JUSTID"),
            2 => format!("XCLAIM {name} g d 0 {id}"),
            _ => format!("XAUTOCLAIM {name} g d 3 0 COUNT 3"),
        };
        self.run(&command);
    }

    fn change_group(&mut self, name: &str) {
        let command = match self.random.below(8) {
            0 => format!("XGROUP DESTROY {name} g"),
            1 => format!("XGROUP DELCONSUMER {name} g c"),
            2 => format!("XGROUP SETID {name} g 0"),
            _ => format!("XGROUP CREATE {name} g 0 MKSTREAM"),
        };
        self.run(&command);
    }

    fn change_key(&mut self, name: &str) {
        let other = self.random.pick(&STREAMS);
        match self.random.below(8) {
            0 => {
                self.run(&format!("DEL {name}"));
            }
            1 => {
                self.run(&format!("SET {name} text"));
            }
            2 | 3 => {
                self.run(&format!("RENAME {name} {other}"));
            }
            4 | 5 => {
                let copied = self.entries_held(name).unwrap_or_default();
                if self.run(&format!("COPY {name} {other} REPLACE")) == ":1" {
                    self.told.entries += copied;
                }
            }
            _ => {
                let ms = 1 + self.random.below(50);
                self.run(&format!("PEXPIRE {name} {ms}"));
            }
        }
    }

    fn govern_streams(&mut self) {
        let pattern = self.random.pick(&PATTERNS);
        if self.random.below(3) == 0 {
            self.run(&format!("WEIR.POLICY DEL {pattern} KIND stream"));
            return;
        }
        let mut command = format!("WEIR.POLICY SET {pattern} KIND stream");
        for (option, bound) in [
            ("MAX-LENGTH", 6),
            ("MAX-BYTES", 60),
            ("MAX-AGE", 40),
            ("EXPIRE-IDLE", 40),
        ] {
            if self.random.below(3) == 0 {
                let bound = 1 + self.random.below(bound);
                let _ = write!(command, " {option} {bound}");
            }
        }
        if self.random.below(2) == 0 {
            let way = self.random.pick(&["reject", "drop-oldest", "drop-newest"]);
            let _ = write!(command, " OVERFLOW {way}");
        }
        if self.random.below(2) == 0 {
            let most = 1 + self.random.below(2);
            let _ = write!(command, " MAX-DELIVERIES {most}");
            let grave = self
                .random
                .pick(&["", " DEAD-LETTER grave", " DEAD-LETTER deep"]);
            command.push_str(grave);
        }
        self.run(&command);
    }

    fn wait_for(&mut self, name: &str) {
        if self.readers.len() == READERS_MAX {
            return;
        }
        let command = match self.random.below(3) {
            0 => format!("XREAD BLOCK 0 STREAMS {name} $"),
            1 => format!("XREADGROUP GROUP g c BLOCK 0 CLAIM 5 STREAMS {name} >"),
            _ => format!("XREADGROUP GROUP g d BLOCK 0 STREAMS {name} >"),
        };
        let mut player = self.bench.client();
        let reply = self.bench.play(&mut player, &command);
        self.note(format!("{command} => {reply}"));
        if reply == "(blocked)" {
            self.readers.push(player);
        } else {
            self.bench.leave(&player);
        }
    }

    /// Publishes to a channel from which a route leads to a stream, where that is one.
    fn publish(&mut self) {
        if self.entries_held("s1").is_some() {
            let message = self.random.message();
            if self.run(&format!("PUBLISH news {message}")) == ":1" {
                let len = "channel".len() + "news".len() + "message".len() + message.len();
                self.told.entries += Tally::one(len);
            }
        }
    }

    pub(super) fn check_streams(&self) {
        let mut held = self.bench.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        let (mut total, mut dead_lettered) = (Ledger::default(), 0);
        for (_, shard) in held.shards() {
            total.add(shard.streams_ledger(0));
            dead_lettered += shard.dead_lettered;
        }
        assert!(total.is_settled(), "{total:?}");
        // What marks dead letters carry, clients are not told.
        let came = self.told.entries.messages + dead_lettered;
        assert_eq!(total.came.messages, came, "entries that came");
        assert_eq!(total.out, self.told.done, "entries that are done with");
        let mut sum = Tally::default();
        for name in STREAMS {
            let key = self.bench.engine.keyspace.key(0, name.as_bytes());
            // Expired keys count until somebody looks.
            let Some(entry) = held.shard_of(&key).standing(&key) else {
                continue;
            };
            let Value::Stream(stream) = &entry.value else {
                continue;
            };
            stream.verify();
            sum += stream.held();
            if let Some(bounds) = stream.bounds()
                && bounds.overflow != QueueOverflow::Reject
            {
                let held = stream.held();
                assert!(bounds.hold(held.messages, held.bytes), "{name}: {bounds:?}");
            }
        }
        assert_eq!(total.held(), sum, "{total:?}");
    }
}
