//! How it goes with all queues and streams: one walk over the shards, each held for as long as it
//! is looked at, from which come WEIR.BACKLOG, INFO, the metrics and the dashboard.
//!
//! A [`Survey`] keeps sums of everything and the few queues that were asked for, so its size does
//! not depend on how many there are. Cost: the walk, see `Shard::survey`.

#[cfg(test)]
mod accuracy_tests;
mod facts;
mod glance;
mod json;
mod order;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Now;
use crate::command::engine::Engine;
use crate::glob;
use crate::policy::Governed;
use crate::store::{
    Backlog, Cause, Figures, Held, Key, Kind, Ledger, SHARDS, Shard, ShardSet, Sight, State, Tally,
    Walk,
};

pub use facts::{Fact, facts_of, facts_of_sums};
pub use glance::Glimpse;
pub use order::{Order, Pick};

/// Which queues and streams a survey is to name, and how many of them.
#[derive(Clone, Debug)]
pub struct Wanted<'w> {
    /// The only database to look at, or all.
    pub db: Option<u8>,
    /// The names that count, as in KEYS.
    pub pattern: &'w [u8],
    /// Which come first.
    pub order: Order,
    /// How many are named.
    pub limit: usize,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            db: None,
            pattern: b"*",
            order: Order::Trouble,
            limit: usize::MAX,
        }
    }
}

/// Figures of many queues and streams together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Queues.
    pub queues: u64,
    /// Streams.
    pub streams: u64,
    /// How many are in each state, in the order of [`State::ALL`].
    pub states: [u64; State::ALL.len()],
    /// The figures added up; the age is the greatest.
    pub figures: Figures,
}

impl Sums {
    fn add(&mut self, figures: &Figures) {
        match figures.kind {
            Kind::Stream => self.streams += 1,
            _ => self.queues += 1,
        }
        self.states[figures.state() as usize] += 1;
        let sum = &mut self.figures;
        sum.held += figures.held;
        sum.waiting += figures.waiting;
        sum.age_ms = sum.age_ms.max(figures.age_ms);
        sum.came += figures.came;
        sum.out += figures.out;
        sum.lost += figures.lost;
        sum.consumers += figures.consumers;
        for window in 0..3 {
            sum.rates.came[window] += figures.rates.came[window];
            sum.rates.out[window] += figures.rates.out[window];
        }
    }
}

/// A queue or stream that a survey names.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its database.
    pub db: u8,
    /// Its key.
    pub name: Box<[u8]>,
    /// What is measured of it.
    pub figures: Figures,
}

/// What a walk over the shards brings.
#[derive(Debug)]
pub struct Survey<'w> {
    wanted: Wanted<'w>,
    now: Now,
    is_everything: bool,
    named: Pick,
    /// Everything that matches, together.
    pub sums: Sums,
    /// The same for the queues of each policy.
    by_policy: BTreeMap<Box<[u8]>, Sums>,
    /// The accounts of all queues and of all streams, those that have gone included, whether they
    /// match or not.
    pub ledgers: [Ledger; 2],
}

impl<'w> Survey<'w> {
    /// A survey that has seen nothing yet.
    pub fn new(wanted: Wanted<'w>, now: Now) -> Self {
        Self {
            is_everything: glob::is_everything(wanted.pattern),
            named: Pick::new(wanted.order, wanted.limit),
            wanted,
            now,
            sums: Sums::default(),
            by_policy: BTreeMap::new(),
            ledgers: Default::default(),
        }
    }

    /// Looks at one shard.
    pub fn visit(&mut self, shard: &mut Shard) {
        let mut walk = Walk::default();
        while self.visit_part(shard, &mut walk) {}
    }

    /// Looks at some hundred keys of a shard, and moves on; false when there are no more.
    fn visit_part(&mut self, shard: &mut Shard, walk: &mut Walk) -> bool {
        let Some((db, cursor)) = walk.next_part(|db| self.passes_over(shard, db)) else {
            return false;
        };
        if cursor == 0 {
            self.ledgers[0].add(shard.ledger(db));
            self.ledgers[1].add(shard.streams_ledger(db));
        }
        let now = self.now;
        walk.advance(shard.survey_part(db, cursor, now, |sight| self.see(&sight)));
        true
    }

    /// Whether a database is not asked for, or nothing ever was in it.
    fn passes_over(&self, shard: &mut Shard, db: u8) -> bool {
        self.wanted.db.is_some_and(|only| only != db)
            || shard.keys_len(db) == 0
                && shard.ledger(db).came.is_zero()
                && shard.streams_ledger(db).came.is_zero()
                && shard.lines.is_empty()
    }

    /// Looks at all shards, one after the other and each let go after some hundred keys; nobody may
    /// hold any meanwhile. `None` while a script is over its time and has a claim to them.
    pub fn walk(mut self, engine: &Engine) -> Option<Self> {
        for shard in 0..SHARDS {
            let mut walk = Walk::default();
            loop {
                let mut held = engine.hold_to_measure(shard)?;
                if !self.visit_part(held.shard(shard), &mut walk) {
                    break;
                }
                drop(held);
                // A worker that woke meanwhile need not wait for the end of this thread's slice.
                std::thread::yield_now();
            }
        }
        Some(self)
    }

    fn see(&mut self, sight: &Sight<'_>) {
        if !self.is_everything && !glob::matches(self.wanted.pattern, sight.key.name, false) {
            return;
        }
        self.sums.add(&sight.figures);
        if let Some(governed) = sight.governed {
            if let Some(sums) = self.by_policy.get_mut(&governed.pattern) {
                sums.add(&sight.figures);
            } else {
                let mut sums = Sums::default();
                sums.add(&sight.figures);
                self.by_policy.insert(governed.pattern.clone(), sums);
            }
        }
        self.named
            .offer(sight.key.db, sight.key.name, &sight.figures);
    }

    /// What all queues and streams together lost, by cause.
    pub fn lost(&self) -> impl Iterator<Item = (Cause, Tally)> {
        let lost = Cause::ALL.into_iter().map(|cause| {
            let mut lost = self.ledgers[0].lost.of(cause);
            lost += self.ledgers[1].lost.of(cause);
            (cause, lost)
        });
        lost.filter(|(_, lost)| !lost.is_zero())
    }

    /// The queues and streams it names, in order.
    pub fn named(&mut self) -> Vec<Named> {
        self.named.take()
    }

    /// The sums of the queues under each policy, by pattern.
    pub fn by_policy(&self) -> impl Iterator<Item = (&[u8], &Sums)> {
        self.by_policy
            .iter()
            .map(|(pattern, sums)| (&**pattern, sums))
    }
}

/// A queue or stream with all that is measured of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its database.
    pub db: u8,
    /// Its key.
    pub name: Box<[u8]>,
    /// Its measures.
    pub backlog: Backlog,
}

impl Row {
    /// The pattern of the policy that holds for it.
    pub fn policy(&self) -> Option<&[u8]> {
        let governed: Option<&Arc<Governed>> = self.backlog.governed.as_ref();
        governed.map(|governed| &*governed.pattern)
    }
}

/// Looks at one queue or stream, or at what an absent key would be.
pub fn row_of(held: &mut Held<'_>, key: &Key<'_>, now: Now) -> Row {
    held.need(ShardSet::one(held.keyspace().shard_of(key)));
    let backlog = held.shard_of(key).backlog(key, now);
    Row {
        db: key.db,
        name: key.name.into(),
        backlog: backlog.unwrap_or_default(),
    }
}

/// Looks at one queue or stream from outside of any command, and at the messages at its ends, `count`
/// from each. `None` while a script that is over its time has a claim to the shards.
pub fn glance_at(
    engine: &Engine,
    (db, name): (u8, &[u8]),
    now: Now,
    count: usize,
) -> Option<(Row, Vec<Glimpse>)> {
    let key = engine.keyspace.key(db, name);
    let mut held = engine.hold_to_measure(engine.keyspace.shard_of(&key))?;
    let row = row_of(&mut held, &key, now);
    Some((row, glance::at(&held, &key, now, count)))
}
