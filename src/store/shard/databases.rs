//! Whole databases: emptying them, freeing what they held, swapping two.

use crate::store::deadlines::Deadlines;
use crate::store::key::Key;
use crate::store::ledger::Cause;
use crate::store::lines::WaitKey;
use crate::store::reclaim::{self, HEAVY_BYTES_MIN, SLICE_BYTES, Shed};
use crate::store::table::{IntoIter, Table};

use super::{Entry, Ready, Shard};

/// What one key with a small value takes, allocations included.
const ENTRY_BYTES: usize = 128;

/// What was in a database of a shard that was emptied.
pub struct Emptied {
    entries: IntoIter<Entry>,
    /// Of its keys, of the fields of its hashes, and of its streams.
    _deadlines: [Deadlines; 3],
}

/// Databases that were emptied. Heavy values among them hand themselves over.
struct Entries(Vec<Emptied>);

impl Shed for Entries {
    fn shed(&mut self) -> bool {
        let mut freed = 0;
        while freed < SLICE_BYTES {
            let Some(emptied) = self.0.last_mut() else {
                return false;
            };
            match emptied.entries.next() {
                Some(entry) => freed += ENTRY_BYTES.max(entry.heap_bytes().min(HEAVY_BYTES_MIN)),
                None => drop(self.0.pop()),
            }
        }
        true
    }
}

impl Shard {
    /// Whether a database has nothing here that emptying it would take: no keys, no messages that
    /// wait for their time, no accounts of queues that vanished.
    pub fn is_vacant(&self, db: u8) -> bool {
        let database = &self.dbs[usize::from(db)];
        database.table.is_empty()
            && database.ledger.delayed.is_zero()
            && !self.vanished.has_of_database(db)
    }

    /// Empties a database, and ends the accounts of its queues: those that hold messages would
    /// outnumber what is remembered of queues that vanished. What was in it comes back for freeing
    /// after the lock is let go.
    pub fn take_database(&mut self, db: u8) -> Emptied {
        self.flush_delayed(db);
        let database = &mut self.dbs[usize::from(db)];
        let table = &database.table;
        let hit = |key: &Key| {
            table
                .find(key.hash, |entry| key.is_named(&entry.name))
                .is_some()
        };
        self.watched.changed_where(db, hit);
        let ready: Vec<WaitKey> = self
            .lines
            .keys_of(db)
            .filter(|key| hit(&key.as_key()))
            .cloned()
            .collect();
        self.ready.extend(ready.into_iter().map(Ready::new));
        let deadlines = [
            &mut self.deadlines,
            &mut self.field_deadlines,
            &mut self.tended,
        ];
        let deadlines = deadlines.map(|deadlines| deadlines.clear_database(db));
        database.timed_len = 0;
        self.vanished.forget_database(db);
        database.expiring_len = 0;
        for ledger in [&mut database.ledger, &mut database.streams] {
            let held = ledger.held();
            // LOSS: flushed
            ledger.lost.add(Cause::Flushed, held);
        }
        Emptied {
            entries: database.table.clear(),
            _deadlines: deadlines,
        }
    }

    /// Frees what [`Shard::take_database`] took, elsewhere if it is much.
    pub fn free(emptied: Vec<Emptied>) {
        let keys_len: usize = emptied.iter().map(|emptied| emptied.entries.len()).sum();
        reclaim::free(Entries(emptied), keys_len * ENTRY_BYTES);
    }

    /// Swaps two databases, and marks the keys that somebody waits for in either.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        for (db, other) in [(a, b), (b, a)] {
            let (table, other) = (
                &self.dbs[usize::from(db)].table,
                &self.dbs[usize::from(other)].table,
            );
            let holds = |table: &Table<Entry>, key: &Key| {
                table
                    .find(key.hash, |entry| key.is_named(&entry.name))
                    .is_some()
            };
            self.watched
                .changed_where(db, |key| holds(table, key) || holds(other, key));
            let ready: Vec<WaitKey> = self.lines.keys_of(db).cloned().collect();
            self.ready.extend(ready.into_iter().map(Ready::new));
        }
        self.vanished.swap_databases(a, b);
        self.swap_delayed(a, b);
        self.timed.swap_databases(a, b);
        self.dbs.swap(usize::from(a), usize::from(b));
        self.deadlines.swap_databases(a, b);
        self.field_deadlines.swap_databases(a, b);
        self.tended.swap_databases(a, b);
    }
}
