//! Messages that wait for their time before they come to their queue, and the ids of messages that
//! came lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hashbrown::HashSet;

use crate::store::key::Key;
use crate::store::ledger::{Cause, Tally};
use crate::store::queue::End;

use super::Shard;

/// Ids that one shard remembers, the latest.
const IDS_LEN_MAX: usize = 16_384;
/// Milliseconds for which an id is remembered.
const IDS_MS_MAX: u64 = 300_000;

/// A message that waits for its time.
#[derive(Clone, Debug)]
pub struct Delayed {
    /// The database of its queue.
    pub db: u8,
    /// The hash of the name of its queue.
    pub hash: u64,
    /// The name of its queue, shared by all messages of one command: it may be long.
    pub name: Arc<[u8]>,
    /// The end to push it to.
    pub end: End,
    /// Its bytes.
    pub message: Box<[u8]>,
    /// How long it lives from then on.
    pub ttl_ms: Option<u64>,
}

impl Delayed {
    /// The key of its queue.
    pub fn key(&self) -> Key<'_> {
        Key {
            db: self.db,
            hash: self.hash,
            name: &self.name,
        }
    }
}

/// All that wait in one shard, by the tick of their time and the order in which they came.
#[derive(Debug, Default)]
pub struct Waiting {
    by_time: BTreeMap<(u64, u64), Delayed>,
    last: u64,
}

/// The ids of messages that came lately, as hashes too wide to meet by chance.
#[derive(Debug, Default)]
pub struct Ids {
    known: HashSet<u128, ahash::RandomState>,
    order: VecDeque<(u64, u128)>,
}

impl Shard {
    /// Keeps a message until `due`.
    pub fn delay(&mut self, due: u64, delayed: Delayed) {
        self.ledger(delayed.db).delayed += Tally::one(delayed.message.len());
        self.waiting.last += 1;
        let place = (due, self.waiting.last);
        self.waiting.by_time.insert(place, delayed);
    }

    /// The tick at which the time of the first message comes.
    pub(super) fn next_ripe(&self) -> Option<u64> {
        let ((due, _), _) = self.waiting.by_time.first_key_value()?;
        Some(*due)
    }

    /// Takes at most `limit` messages whose time has come, the earliest first.
    pub fn take_ripe(&mut self, tick: u64, limit: usize) -> Vec<Delayed> {
        let mut ripe = Vec::new();
        while ripe.len() < limit
            && let Some(first) = self.waiting.by_time.first_entry()
            && first.key().0 <= tick
        {
            ripe.push(first.remove());
        }
        for delayed in &ripe {
            self.ledger(delayed.db).delayed -= Tally::one(delayed.message.len());
        }
        ripe
    }

    /// Lets go of the messages that wait in a database that is emptied.
    pub(super) fn flush_delayed(&mut self, db: u8) {
        self.waiting.by_time.retain(|_, delayed| delayed.db != db);
        let ledger = self.ledger(db);
        let lost = std::mem::take(&mut ledger.delayed);
        ledger.came += lost;
        ledger.lost.add(Cause::Flushed, lost);
    }

    /// Moves the messages that wait in two databases to each other.
    pub(super) fn swap_delayed(&mut self, a: u8, b: u8) {
        for delayed in self.waiting.by_time.values_mut() {
            if delayed.db == a {
                delayed.db = b;
            } else if delayed.db == b {
                delayed.db = a;
            }
        }
    }

    /// Whether an id came here within the last five minutes, among the last 16,384.
    pub fn knows_id(&mut self, id: u128, tick: u64) -> bool {
        while let Some(&(came, oldest)) = self.ids.order.front()
            && (self.ids.order.len() > IDS_LEN_MAX || came.saturating_add(IDS_MS_MAX) <= tick)
        {
            self.ids.order.pop_front();
            self.ids.known.remove(&oldest);
        }
        self.ids.known.contains(&id)
    }

    /// Remembers an id that is not known.
    pub fn remember_id(&mut self, id: u128, tick: u64) {
        if self.ids.known.insert(id) {
            self.ids.order.push_back((tick, id));
        }
    }
}
