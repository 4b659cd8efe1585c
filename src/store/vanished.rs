//! Queues whose keys vanished: a list goes when it is empty, and comes back with the next push.
//!
//! Their entries are kept for a while, so that the account of a queue that drains all the time
//! goes on, and so that coming and going costs neither its name, its header nor its list of chunks
//! another allocation. Bounded by count, and by the length of their names; none of them holds a
//! message. The least recent half goes when the other is full, so remembering is O(1) on average,
//! as is finding.

use hashbrown::HashTable;

use super::key::Key;
use super::shard::Entry;
use super::value::Value;

/// Queues of one shard that are remembered in each half: some hundred bytes each.
const HALF_LEN_MAX: usize = 128;
/// Longest name that is remembered. Whoever names queues could fill memory with names else, and
/// find no key to delete.
const NAME_BYTES_MAX: usize = 1024;

#[derive(Debug)]
struct Gone {
    db: u8,
    hash: u64,
    entry: Entry,
}

impl Gone {
    #[inline]
    fn is_of(&self, key: &Key) -> bool {
        self.db == key.db && key.is_named(self.entry.name())
    }
}

/// The remembered entries of one shard.
#[derive(Debug, Default)]
pub struct Vanished {
    /// The last that vanished: a queue whose consumer keeps up is mostly the next to come back.
    last: Option<Gone>,
    recent: HashTable<Gone>,
    older: HashTable<Gone>,
}

impl Vanished {
    /// Remembers the entry of a queue that has drained, whose name has this hash, unless that name
    /// is very long.
    #[inline]
    pub fn remember(&mut self, db: u8, hash: u64, entry: Entry) {
        if entry.name().len() > NAME_BYTES_MAX {
            return;
        }
        if let Some(gone) = self.last.replace(Gone { db, hash, entry }) {
            self.put_away(gone);
        }
    }

    fn put_away(&mut self, gone: Gone) {
        if self.recent.len() == HALF_LEN_MAX {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert_unique(gone.hash, gone, |gone| gone.hash);
    }

    /// Takes the entry of a queue that comes back.
    #[inline]
    pub fn take(&mut self, key: &Key) -> Option<Entry> {
        if let Some(gone) = self.last.take_if(|gone| gone.is_of(key)) {
            return Some(gone.entry);
        }
        for half in [&mut self.recent, &mut self.older] {
            if half.is_empty() {
                continue;
            }
            if let Ok(found) = half.find_entry(key.hash, |gone| gone.is_of(key)) {
                return Some(found.remove().0.entry);
            }
        }
        None
    }

    /// The entry of a queue that has vanished.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        let last = self.last.as_ref().filter(|gone| gone.is_of(key));
        let find = |half| HashTable::find(half, key.hash, |gone: &Gone| gone.is_of(key));
        let found = last.or_else(|| find(&self.recent));
        let found = found.or_else(|| find(&self.older));
        found.map(|gone| &gone.entry)
    }

    /// The value of one with this hash for which `is_it` holds.
    pub fn find_mut(
        &mut self,
        db: u8,
        hash: u64,
        is_it: impl Fn(&Entry) -> bool,
    ) -> Option<&mut Value> {
        let is_last = |gone: &&mut Gone| gone.db == db && gone.hash == hash && is_it(&gone.entry);
        if let Some(gone) = self.last.as_mut().filter(is_last) {
            return Some(&mut gone.entry.value);
        }
        for half in [&mut self.recent, &mut self.older] {
            let found = half.find_mut(hash, |gone| {
                gone.db == db && gone.hash == hash && is_it(&gone.entry)
            });
            if let Some(found) = found {
                return Some(&mut found.entry.value);
            }
        }
        None
    }

    /// All of them with their databases and hashes, for changing their queues.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u8, u64, &mut Entry)> {
        let halves = self.recent.iter_mut().chain(self.older.iter_mut());
        let all = self.last.iter_mut().chain(halves);
        all.map(|gone| (gone.db, gone.hash, &mut gone.entry))
    }

    /// Moves those of two databases to each other.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        let halves = self.recent.iter_mut().chain(self.older.iter_mut());
        for gone in self.last.iter_mut().chain(halves) {
            gone.db = match gone.db {
                db if db == a => b,
                db if db == b => a,
                db => db,
            };
        }
    }

    /// Whether any is of a database.
    pub fn has_of_database(&self, db: u8) -> bool {
        let mut all = self.last.iter().chain(&self.recent).chain(&self.older);
        all.any(|gone| gone.db == db)
    }

    /// Forgets those of a database.
    pub fn forget_database(&mut self, db: u8) {
        self.last.take_if(|gone| gone.db == db);
        self.recent.retain(|gone| gone.db != db);
        self.older.retain(|gone| gone.db != db);
    }
}
