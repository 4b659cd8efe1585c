//! Keys that transactions watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;

use super::key::Key;

/// Raised when a key that its transaction watches changes; shared by all keys of one WATCH.
#[derive(Debug, Default)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    /// Whether a watched key has changed. EXEC asks while it holds the shards of those keys, so
    /// the lock orders this load after the store.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says that a watched key has changed.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Watched {
    db: u8,
    hash: u64,
    name: Box<[u8]>,
    flags: Vec<Arc<WatchFlag>>,
}

/// The watched keys of one shard. Usually empty, so asking costs a comparison.
#[derive(Debug, Default)]
pub struct WatchList(HashTable<Watched>);

impl WatchList {
    /// Raises `flag` at the next change of `key`.
    pub fn watch(&mut self, key: &Key, flag: &Arc<WatchFlag>) {
        if let Some(watched) = self.find(key) {
            watched.flags.push(Arc::clone(flag));
            return;
        }
        let watched = Watched {
            db: key.db,
            hash: key.hash,
            name: key.name.into(),
            flags: vec![Arc::clone(flag)],
        };
        self.0
            .insert_unique(key.hash, watched, |watched| watched.hash);
    }

    /// Stops watching `key` for `flag`.
    pub fn unwatch(&mut self, key: &Key, flag: &Arc<WatchFlag>) {
        let Some(watched) = self.find(key) else {
            return;
        };
        watched.flags.retain(|other| !Arc::ptr_eq(other, flag));
        if watched.flags.is_empty() {
            let found = self.0.find_entry(key.hash, |other| {
                other.db == key.db && *other.name == *key.name
            });
            if let Ok(entry) = found {
                entry.remove();
            }
        }
    }

    /// Says that `key` has changed.
    #[inline]
    pub fn changed(&mut self, key: &Key) {
        if self.0.is_empty() {
            return;
        }
        if let Some(watched) = self.find(key) {
            watched.flags.iter().for_each(|flag| flag.raise());
        }
    }

    /// Says that all watched keys of a database for which `holds` answers yes have changed.
    pub fn changed_where(&mut self, db: u8, mut holds: impl FnMut(&Key) -> bool) {
        for watched in self.0.iter().filter(|watched| watched.db == db) {
            if holds(&Key {
                db,
                hash: watched.hash,
                name: &watched.name,
            }) {
                watched.flags.iter().for_each(|flag| flag.raise());
            }
        }
    }

    fn find(&mut self, key: &Key) -> Option<&mut Watched> {
        self.0.find_mut(key.hash, |other| {
            other.db == key.db && *other.name == *key.name
        })
    }
}
