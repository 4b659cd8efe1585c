//! Whole databases: emptying them, freeing what they held, swapping two.

use crate::store::key::Key;
use crate::store::ledger::Cause;
use crate::store::lines::WaitKey;
use crate::store::reclaim::{self, HEAVY_BYTES_MIN, SLICE_BYTES, Shed};
use crate::store::table::{IntoIter, Table};

use super::{Entry, Ready, Shard};

/// What one key with a small value takes, allocations included.
const ENTRY_BYTES: usize = 128;

/// The keys of databases that were emptied. Heavy values among them hand themselves over.
struct Entries(Vec<IntoIter<Entry>>);

impl Shed for Entries {
    fn shed(&mut self) -> bool {
        let mut freed = 0;
        while freed < SLICE_BYTES {
            let Some(table) = self.0.last_mut() else {
                return false;
            };
            match table.next() {
                Some(entry) => freed += ENTRY_BYTES.max(entry.heap_bytes().min(HEAVY_BYTES_MIN)),
                None => drop(self.0.pop()),
            }
        }
        true
    }
}

impl Shard {
    /// Empties a database. The table comes back for freeing after the lock is let go.
    pub fn take_database(&mut self, db: u8) -> IntoIter<Entry> {
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
        self.deadlines.clear_database(db);
        self.field_deadlines.clear_database(db);
        database.timed_len = 0;
        self.vanished.forget_database(db);
        database.expiring_len = 0;
        for ledger in [&mut database.ledger, &mut database.streams] {
            let held = ledger.held();
            // LOSS: flushed
            ledger.lost.add(Cause::Flushed, held);
        }
        database.table.clear()
    }

    /// Frees what [`Shard::take_database`] took, elsewhere if it is much.
    pub fn free(tables: Vec<IntoIter<Entry>>) {
        let keys_len: usize = tables.iter().map(ExactSizeIterator::len).sum();
        reclaim::free(Entries(tables), keys_len * ENTRY_BYTES);
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
        for db in [a, b] {
            self.vanished.forget_database(db);
        }
        for listed in &mut self.tended {
            match listed.db {
                db if db == a => listed.db = b,
                db if db == b => listed.db = a,
                _ => {}
            }
        }
        self.swap_delayed(a, b);
        self.dbs.swap(usize::from(a), usize::from(b));
        self.deadlines.swap_databases(a, b);
        self.field_deadlines.swap_databases(a, b);
    }
}
