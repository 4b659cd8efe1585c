//! When keys expire: an index by time, so that expiry needs neither traffic nor sampling.

use std::collections::BTreeSet;

/// The deadlines of one shard's keys, earliest first.
///
/// A key is named by its hash: two keys of one database that share both hash and deadline share a
/// place here, and the second then goes when a client next asks for it. Adding and removing cost
/// a walk down a B-tree; asking for the earliest is O(log n).
#[derive(Debug, Default)]
pub struct Deadlines(BTreeSet<(u64, u8, u64)>);

impl Deadlines {
    /// Notes that a key expires at `deadline_ms` on the wall clock.
    pub fn insert(&mut self, deadline_ms: u64, db: u8, hash: u64) {
        self.0.insert((deadline_ms, db, hash));
    }

    /// Forgets a deadline.
    pub fn remove(&mut self, deadline_ms: u64, db: u8, hash: u64) {
        self.0.remove(&(deadline_ms, db, hash));
    }

    /// Takes the earliest deadline that has passed: its database and the key's hash.
    pub fn pop_due(&mut self, now_ms: u64) -> Option<(u8, u64)> {
        let &(deadline_ms, db, hash) = self.0.first()?;
        if deadline_ms > now_ms {
            return None;
        }
        self.0.pop_first();
        Some((db, hash))
    }

    /// Moves the deadlines of two databases to each other.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        let swap = |db| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        self.0 = self
            .0
            .iter()
            .map(|&(at, db, hash)| (at, swap(db), hash))
            .collect();
    }

    /// Forgets all deadlines of a database.
    pub fn clear_database(&mut self, cleared: u8) {
        self.0.retain(|&(_, db, _)| db != cleared);
    }
}

#[cfg(test)]
mod tests {
    use super::Deadlines;

    #[test]
    fn gives_due_keys_earliest_first() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(30, 0, 3);
        deadlines.insert(10, 0, 1);
        deadlines.insert(20, 1, 2);
        deadlines.insert(20, 0, 9);
        deadlines.remove(20, 0, 9);
        deadlines.swap_databases(0, 1);
        assert_eq!(deadlines.pop_due(9), None);
        assert_eq!(deadlines.pop_due(20), Some((1, 1)));
        assert_eq!(deadlines.pop_due(20), Some((0, 2)));
        assert_eq!(deadlines.pop_due(20), None);
        deadlines.clear_database(1);
        assert_eq!(deadlines.pop_due(99), None);
    }
}
