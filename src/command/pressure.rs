//! Memory over the budget: what goes, where policies allow it, and what is refused.
//!
//! The budget is `maxmemory`, judged by the resident size. That size falls long after messages
//! went, because the allocator keeps what it may need again; who sheds until it falls empties
//! every queue. So the first reading over the budget is turned into a ceiling for the bytes that
//! queues hold, which are known exactly, and the ceiling is lowered again only if the resident size
//! has not followed after a while, in which the allocator gives back what is free.
//!
//! Messages go in whole segments from the old end, first from queues that nobody reads, then from
//! the largest, and only where the policy of the queue says `memory shed`.

use std::cmp::Reverse;
use std::mem;
use std::sync::atomic::Ordering;

use crate::clock::Now;
use crate::limits::DATABASES;
use crate::policy::Kind;
use crate::protocol::Args;
use crate::store::{SHARDS, ShardSet, Sheddable, WaitKey, Walk};

use super::engine::{Engine, Gates};
use super::spec::{Command, KeyPositions};

/// Hundredths of the budget from which on memory is looked at more often.
const NEAR: u64 = 75;
/// Microseconds that the resident size is given to follow what was shed.
const PATIENCE_US: u64 = 300_000;
/// The same, over the budget: what is free goes back ten times a second.
const PATIENCE_OVER_US: u64 = 100_000;
/// A queue that somebody popped from or waited for within so many milliseconds has a consumer.
const CONSUMER_MS: u64 = 60_000;

/// Keys among which one look searches for queues whose messages may go: half a millisecond where
/// they lie in no cache.
const SEARCHED_MAX: usize = if cfg!(test) { 500 } else { 4000 };

/// Whether the server takes what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Memory is within the budget.
    #[default]
    Serving,
    /// It would not be, but for messages that policies let go.
    Shedding,
    /// Writes are refused.
    Refusing,
}

impl Health {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Shedding => "shedding",
            Self::Refusing => "refusing",
        }
    }
}

/// What is known of the pressure on memory.
#[derive(Debug, Default)]
pub struct Pressure {
    /// Payload bytes that queues may hold while there is pressure.
    ceiling_bytes: Option<u64>,
    /// Monotonic microseconds when the ceiling was set.
    set_us: u64,
    search: Search,
}

/// A search for queues whose messages may go, among all keys: as far as it has come.
#[derive(Debug, Default)]
struct Search {
    shard: u32,
    walk: Walk,
    found: Vec<Sheddable>,
}

impl Search {
    /// Looks at some thousand keys more, each shard let go after some hundred. Gives what it found
    /// when there are no more, and begins anew.
    fn go_on(&mut self, engine: &Engine, now: Now) -> Option<Vec<Sheddable>> {
        let consumed_since = now.mono_ms().saturating_sub(CONSUMER_MS);
        let mut seen_len = 0;
        let mut held = engine.keyspace.hold();
        while self.shard < SHARDS {
            if seen_len >= SEARCHED_MAX {
                return None;
            }
            held.need(ShardSet::one(self.shard));
            let shard = held.shard(self.shard);
            let Some((db, cursor)) = self.walk.next_part(|db| shard.keys_len(db) == 0) else {
                (self.shard, self.walk) = (self.shard + 1, Walk::default());
                continue;
            };
            let (len, next) = shard.sheddable(db, cursor, consumed_since, &mut self.found);
            seen_len += len;
            self.walk.advance(next);
            held.release();
        }
        Some(mem::take(self).found)
    }
}

/// A part of the budget, in hundredths.
fn share(budget_bytes: u64, hundredths: u64) -> u64 {
    budget_bytes / 100 * hundredths
}

impl Engine {
    /// Whether the server takes what it is sent.
    pub fn health(&self) -> Health {
        let budget_bytes = self.config.live().maxmemory_bytes();
        let resident_bytes = self.resident_bytes.load(Ordering::Relaxed);
        if budget_bytes == 0 || resident_bytes <= share(budget_bytes, 95) {
            Health::Serving
        } else if self.sheds.load(Ordering::Relaxed) && !is_beyond(resident_bytes, budget_bytes) {
            Health::Shedding
        } else if resident_bytes > budget_bytes {
            Health::Refusing
        } else {
            Health::Serving
        }
    }

    /// Whether a command that may use more memory is let through though memory is over the budget:
    /// all that it names are queues whose messages may go.
    pub(super) fn may_overrun(&self, command: &Command, args: Args<'_>) -> bool {
        let mut positions = KeyPositions::new();
        command.keys.positions(args, &mut positions);
        matches!(command.group, "list" | "weir")
            && self.has_memory_for(positions.iter().map(|&at| args.at(at)))
    }

    /// Whether these queues, if any, may take more: memory is within the budget, or there are such and
    /// their messages may go.
    pub(super) fn has_memory_for<'q>(
        &self,
        mut queues: impl ExactSizeIterator<Item = &'q [u8]>,
    ) -> bool {
        if self.gates.load() & Gates::OVER_BUDGET == 0 {
            return true;
        }
        let resident_bytes = self.resident_bytes.load(Ordering::Relaxed);
        let is_hopeless = is_beyond(resident_bytes, self.config.live().maxmemory_bytes());
        if is_hopeless || !self.sheds.load(Ordering::Relaxed) {
            return false;
        }
        let policies = self.policies();
        let sheds = |name: &[u8]| {
            let governed = policies.governing(Kind::Queue, name);
            governed.is_some_and(|governed| governed.bounds.sheds)
        };
        queues.len() > 0 && queues.all(sheds)
    }
}

/// Whether shedding does not keep up.
fn is_beyond(resident_bytes: u64, budget_bytes: u64) -> bool {
    resident_bytes > share(budget_bytes, 108)
}

impl Engine {
    /// Whether memory is so short that what is free should go back to the system at once.
    pub fn is_short_of_memory(&self) -> bool {
        is_above(self, 90)
    }
}

fn is_above(engine: &Engine, hundredths: u64) -> bool {
    let budget_bytes = engine.config.live().maxmemory_bytes();
    let resident_bytes = engine.resident_bytes.load(Ordering::Relaxed);
    budget_bytes > 0 && resident_bytes > share(budget_bytes, hundredths)
}

/// Whether memory is so near the budget that a burst could pass it before the next tick.
pub(super) fn is_near(engine: &Engine) -> bool {
    is_above(engine, NEAR)
}

/// Lets messages go if memory is over the budget and policies allow it. For the tick of one
/// worker, after a fresh reading of the resident size. Costs nothing while there is no pressure;
/// when something has to go, a walk of all keys, of some thousand in each look.
pub(super) fn relieve(engine: &Engine, now: Now) {
    let pressure = mem::take(&mut *engine.pressure.lock());
    let pressure = relieved(pressure, engine, now);
    *engine.pressure.lock() = pressure;
}

fn relieved(mut pressure: Pressure, engine: &Engine, now: Now) -> Pressure {
    let budget_bytes = engine.config.live().maxmemory_bytes();
    let resident_bytes = engine.resident_bytes.load(Ordering::Relaxed);
    let is_calm = resident_bytes <= share(budget_bytes, 90);
    if budget_bytes == 0 || is_calm || !engine.sheds.load(Ordering::Relaxed) {
        return Pressure::default();
    }
    let patience_us = if resident_bytes > budget_bytes {
        PATIENCE_OVER_US
    } else {
        PATIENCE_US
    };
    let has_patience = now.mono_us < pressure.set_us + patience_us;
    if pressure.ceiling_bytes.is_none() && resident_bytes <= share(budget_bytes, 95) {
        return pressure;
    }
    let held_bytes = held_bytes(engine);
    if resident_bytes > share(budget_bytes, 95)
        && (pressure.ceiling_bytes.is_none() || !has_patience)
    {
        let surplus_bytes = resident_bytes - share(budget_bytes, 92);
        let from = pressure.ceiling_bytes.unwrap_or(held_bytes).min(held_bytes);
        pressure.ceiling_bytes = Some(from.saturating_sub(surplus_bytes));
        pressure.set_us = now.mono_us;
    }
    let ceiling_bytes = pressure.ceiling_bytes.unwrap_or(u64::MAX);
    if held_bytes <= ceiling_bytes {
        pressure.search = Search::default();
    } else if let Some(candidates) = pressure.search.go_on(engine, now) {
        shed(engine, candidates, held_bytes - ceiling_bytes);
    } else {
        // After others had their turns.
        engine.early.call(0, now.mono_us);
    }
    pressure
}

/// Payload bytes in all queues.
fn held_bytes(engine: &Engine) -> u64 {
    let mut sum = 0;
    let mut held = engine.keyspace.hold();
    for shard in 0..SHARDS {
        held.need(ShardSet::one(shard));
        for db in (0..DATABASES).filter_map(|db| u8::try_from(db).ok()) {
            sum += held.shard(shard).ledger(db).held().bytes;
        }
        held.release();
    }
    sum
}

/// Lets go of about so many bytes.
fn shed(engine: &Engine, mut candidates: Vec<Sheddable>, bytes: u64) {
    candidates.sort_by_key(|found| (found.has_consumer, Reverse(found.bytes), found.oldest));
    let mut left = bytes;
    while left > 0 {
        let before = left;
        for found in &candidates {
            if left == 0 {
                break;
            }
            // Queues with consumers share the loss: at most half of each in one round.
            let wanted = if found.has_consumer {
                left.min(found.bytes / 2 + 1)
            } else {
                left
            };
            left = left.saturating_sub(shed_from(engine, &found.key, wanted));
        }
        if left == before {
            return;
        }
    }
}

fn shed_from(engine: &Engine, key: &WaitKey, bytes: u64) -> u64 {
    let key = key.as_key();
    let Some(mut held) = engine.hold_calm(engine.keyspace.shard_of(&key)) else {
        return 0;
    };
    // LOSS: memory-pressure
    held.shard_of(&key).shed(&key, bytes)
}

/// Works out whether any policy lets messages go for memory; after policies changed.
pub(super) fn note_policies(engine: &Engine) {
    let policies = engine.policies();
    let mut queues = policies.iter().filter(|rule| rule.kind == Kind::Queue);
    let sheds = queues.any(|rule| rule.queue_bounds().sheds);
    engine.sheds.store(sheds, Ordering::Relaxed);
    let has_alarms = policies.iter().any(|rule| rule.alarms.is_some());
    engine.has_alarms.store(has_alarms, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::{Health, relieve};
    use crate::command::testing::Bench;

    const BUDGET: u64 = 100_000_000;

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.run(&format!("CONFIG SET maxmemory {BUDGET}"));
        bench
    }

    fn len(bench: &Bench, key: &str) -> u64 {
        let reply = bench.run(&format!("LLEN {key}"));
        reply.trim_start_matches(':').parse().expect("a length")
    }

    /// Queues of two megabytes each, in messages of 10 kB; one has a consumer.
    fn fill(bench: &Bench) {
        let message = "x".repeat(10_000);
        for _ in 0..200 {
            for queue in ["celeryev.1", "celeryev.2", "busy", "kept"] {
                bench.run(&format!("RPUSH {queue} {message}"));
            }
        }
        bench.run("LPOP busy");
    }

    #[test]
    fn without_a_policy_writes_are_refused_and_nothing_goes() {
        let bench = bench();
        fill(&bench);
        bench.engine.note_memory(BUDGET + 1);
        relieve(&bench.engine, bench.now);
        assert_eq!(len(&bench, "kept"), 200);
        assert_eq!(bench.engine.health(), Health::Refusing);
        assert!(bench.run("RPUSH kept x").starts_with("-OOM"));
        assert!(bench.run("LPOP kept").starts_with("$10000"));
    }

    #[test]
    fn memory_pressure_takes_from_forgotten_queues_first() {
        let bench = bench();
        bench.run("WEIR.POLICY SET celeryev.* MEMORY shed");
        bench.run("WEIR.POLICY SET busy MEMORY shed");
        fill(&bench);
        // A surplus of 3 MB over 92 % of the budget.
        bench.engine.note_memory(BUDGET / 100 * 95 + 1);
        relieve(&bench.engine, bench.now);
        let before = len(&bench, "celeryev.1") + len(&bench, "celeryev.2");
        assert!((80..=100).contains(&before), "{before}");
        assert_eq!((len(&bench, "busy"), len(&bench, "kept")), (199, 200));
        assert_eq!(bench.engine.health(), Health::Shedding);
        let ledger = bench.run("WEIR.LEDGER");
        assert!(!ledger.contains("$15 memory_pressure :0"), "{ledger}");
        // The resident size has a moment to follow; what came meanwhile goes all the same.
        relieve(&bench.engine, bench.now);
        let same = len(&bench, "celeryev.1") + len(&bench, "celeryev.2");
        assert_eq!(same, before);
    }

    #[test]
    fn a_search_among_many_keys_is_done_in_pieces() {
        let bench = bench();
        bench.run("WEIR.POLICY SET celeryev.* MEMORY shed");
        fill(&bench);
        for number in 0..2000 {
            bench.run(&format!("SET key:{number} x"));
        }
        bench.engine.note_memory(BUDGET / 100 * 95 + 1);
        let left = || len(&bench, "celeryev.1") + len(&bench, "celeryev.2");
        let mut looks_len = 0;
        while left() == 400 {
            relieve(&bench.engine, bench.now);
            looks_len += 1;
            assert!(looks_len < 100, "the search ends");
        }
        assert!(looks_len > 2, "{looks_len}");
        assert!((80..=100).contains(&left()), "{}", left());
    }

    #[test]
    fn who_may_shed_may_push() {
        let bench = bench();
        bench.run("WEIR.POLICY SET logs* MEMORY shed");
        bench.engine.note_memory(BUDGET + 1);
        assert_eq!(bench.run("RPUSH logs x"), ":1");
        assert!(bench.run("RPUSH other x").starts_with("-OOM"));
        assert!(bench.run("SET logs2 x").starts_with("-OOM"));
        bench.engine.note_memory(BUDGET / 100 * 109);
        assert_eq!(bench.engine.health(), Health::Refusing);
        assert!(bench.run("RPUSH logs x").starts_with("-OOM"));
        bench.engine.note_memory(1);
        assert_eq!(bench.engine.health(), Health::Serving);
        assert!(bench.run("INFO weir").contains("health:serving"));
    }
}
