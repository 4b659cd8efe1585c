//! Lines of waiters: per key, first come first served.
//!
//! A client that blocks on several keys stands in the line of each. Who serves a waiter holds the
//! locks of *all* its shards ([`Waiter::shards`]) and takes it out of all its lines at once; who
//! cancels one holds the same locks. So a waiter is served exactly once, and finding it in its
//! line proves that nobody has served it yet.
//!
//! A line is ordered by ticket. Joining, leaving and finding the first are O(log n) in the length
//! of the line.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashTable;

use super::key::{Key, ShardSet};
use super::value::Kind;

/// A key that a waiter waits for, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitKey {
    /// The logical database.
    pub db: u8,
    /// The name's hash.
    pub hash: u64,
    /// The key's bytes.
    pub name: Box<[u8]>,
}

impl WaitKey {
    /// The same key, borrowed.
    pub fn as_key(&self) -> Key<'_> {
        Key {
            db: self.db,
            hash: self.hash,
            name: &self.name,
        }
    }
}

impl From<&Key<'_>> for WaitKey {
    fn from(key: &Key<'_>) -> Self {
        Self {
            db: key.db,
            hash: key.hash,
            name: key.name.into(),
        }
    }
}

/// What the command room needs to try a request again; opaque here.
pub trait Attempt: Any + fmt::Debug + Send + Sync {}

/// A client that waits for a key to hold something.
#[derive(Debug)]
pub struct Waiter {
    /// The place in every line: lower was first.
    pub ticket: u64,
    /// The type that can serve it.
    pub kind: Kind,
    /// Whether a key that vanishes or changes its type serves it too (group readers get an error).
    pub wakes_on_removal: bool,
    /// The keys it waits for, in the order in which they are tried.
    pub keys: Box<[WaitKey]>,
    /// All shards that serving it may touch: those of its keys and of its destination.
    pub shards: ShardSet,
    /// The request, for trying it again.
    pub attempt: Box<dyn Attempt>,
}

/// The waiters of one key.
#[derive(Debug)]
pub struct Line {
    key: WaitKey,
    waiters: BTreeMap<u64, Arc<Waiter>>,
}

impl Line {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether nobody waits; such lines are removed at once.
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// The first waiter whose ticket is above `after`.
    pub fn next_after(&self, after: u64) -> Option<Arc<Waiter>> {
        self.waiters
            .range(after + 1..)
            .next()
            .map(|(_, waiter)| Arc::clone(waiter))
    }
}

/// The lines of one shard.
#[derive(Debug, Default)]
pub struct Lines {
    by_key: HashTable<Line>,
    /// Union of the shards of all waiters who joined since the lines were last empty.
    reach: ShardSet,
    /// Moments on the wall clock at which a key may serve by itself; one for each key. Few: only
    /// group readers who claim what others left pending set them.
    alarms: Vec<(u64, WaitKey)>,
}

impl Lines {
    /// How many keys have a waiter whom their removal serves too. Cost: a look at every waiter.
    pub fn watched_for_removal_len(&self) -> usize {
        let is_so = |line: &&Line| line.waiters.values().any(|waiter| waiter.wakes_on_removal);
        self.by_key.iter().filter(is_so).count()
    }

    /// Whether nobody waits for any key of the shard.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Every shard that serving a waiter of this shard may touch, and perhaps some more.
    pub fn reach(&self) -> ShardSet {
        self.reach
    }

    /// The line for `key`.
    pub fn get(&self, key: &Key) -> Option<&Line> {
        self.by_key.find(key.hash, |line| {
            line.key.db == key.db && *line.key.name == *key.name
        })
    }

    /// Puts a waiter in the line of one of its keys.
    pub fn join(&mut self, key: &WaitKey, waiter: &Arc<Waiter>) {
        let found = self.by_key.find_mut(key.hash, |line| {
            line.key.db == key.db && *line.key.name == *key.name
        });
        let line = match found {
            Some(line) => line,
            None => self
                .by_key
                .insert_unique(
                    key.hash,
                    Line {
                        key: key.clone(),
                        waiters: BTreeMap::new(),
                    },
                    |line| line.key.hash,
                )
                .into_mut(),
        };
        self.reach = self.reach.union(waiter.shards);
        line.waiters.insert(waiter.ticket, Arc::clone(waiter));
    }

    /// Takes a waiter out of the line of one of its keys; says whether it stood there.
    pub fn leave(&mut self, key: &WaitKey, ticket: u64) -> bool {
        let found = self.by_key.find_entry(key.hash, |line| {
            line.key.db == key.db && *line.key.name == *key.name
        });
        let Ok(mut entry) = found else { return false };
        let stood = entry.get_mut().waiters.remove(&ticket).is_some();
        if entry.get().is_empty() {
            entry.remove();
            if self.by_key.is_empty() {
                self.reach = ShardSet::EMPTY;
            }
        }
        stood
    }

    /// Asks to have a key tried at a moment, or earlier if that was asked for already.
    pub fn set_alarm(&mut self, key: &Key, at_ms: u64) {
        let is_it = |(_, set): &&mut (u64, WaitKey)| set.db == key.db && *set.name == *key.name;
        match self.alarms.iter_mut().find(is_it) {
            Some((set_ms, _)) => *set_ms = at_ms.min(*set_ms),
            None => self.alarms.push((at_ms, key.into())),
        }
    }

    /// Takes the keys whose moment has come.
    pub fn take_alarms(&mut self, now_ms: u64) -> Vec<WaitKey> {
        let due = self.alarms.extract_if(.., |(at_ms, _)| *at_ms <= now_ms);
        due.map(|(_, key)| key).collect()
    }

    /// The keys of a database that somebody waits for.
    pub fn keys_of(&self, db: u8) -> impl Iterator<Item = &WaitKey> {
        self.by_key
            .iter()
            .map(|line| &line.key)
            .filter(move |key| key.db == db)
    }

    /// How many keys have a line.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }
}
