//! Large hashes: a table of fields, and an index of deadlines where fields have any.

use std::collections::BTreeSet;
use std::hint::black_box;

use ahash::RandomState;

use super::field::Field;
use crate::ends::is_same;
use crate::store::cold::{Cold, Names, end_of, likely};
use crate::store::reclaim::{self, HEAVY_BYTES_MIN, Remains};
use crate::store::table::{Iter, Table};

/// The fields of a large hash.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    table: Table<Field>,
    hasher: RandomState,
    /// Bytes that the fields own.
    bytes: usize,
    /// Deadlines with the hashes of their fields, earliest first. Two fields that share both share
    /// a place here; the second one then goes when somebody next asks for it.
    deadlines: BTreeSet<(u64, u64)>,
}

impl Fields {
    pub fn new(hasher: RandomState) -> Self {
        Self {
            table: Table::default(),
            hasher,
            bytes: 0,
            deadlines: BTreeSet::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn heap_bytes(&self) -> usize {
        // A place in a B-tree takes its sixteen bytes and half of that again.
        self.table.heap_bytes() + self.bytes + self.deadlines.len() * 24
    }

    #[inline]
    fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.hash_one(name)
    }

    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Field> {
        self.table
            .find(self.hash(name), |field| is_same(field.name(), name))
    }

    /// Sets a field; says whether it is new. An old field keeps its deadline only if so asked.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], keeps_deadline: bool) -> bool {
        let hash = self.hash(name);
        let Self { table, hasher, .. } = self;
        let (field, is_new) = table.find_or_insert_with(
            hash,
            |field| is_same(field.name(), name),
            || Field::new(name, value, None),
            |field| hasher.hash_one(field.name()),
        );
        if is_new {
            self.bytes += field.heap_bytes();
            return true;
        }
        self.bytes -= field.heap_bytes();
        field.set_value(value);
        if !keeps_deadline && let Some(deadline_ms) = field.deadline_ms() {
            field.set_deadline(None);
            self.deadlines.remove(&(deadline_ms, hash));
        }
        self.bytes += field.heap_bytes();
        false
    }

    /// Sets the deadline of a field that is there.
    pub fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<u64>) {
        let hash = self.hash(name);
        let Some(field) = self
            .table
            .find_mut(hash, |field| is_same(field.name(), name))
        else {
            return;
        };
        if let Some(old_ms) = field.deadline_ms() {
            self.deadlines.remove(&(old_ms, hash));
        }
        self.bytes -= field.heap_bytes();
        field.set_deadline(deadline_ms);
        self.bytes += field.heap_bytes();
        if let Some(deadline_ms) = deadline_ms {
            self.deadlines.insert((deadline_ms, hash));
        }
    }

    /// Removes a field; says whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let hash = self.hash(name);
        self.remove_where(hash, |field| is_same(field.name(), name))
    }

    fn remove_where(&mut self, hash: u64, is_meant: impl FnMut(&Field) -> bool) -> bool {
        let hasher = &self.hasher;
        let rehash = |field: &Field| hasher.hash_one(field.name());
        let Some(field) = self.table.remove(hash, is_meant, rehash) else {
            return false;
        };
        self.bytes -= field.heap_bytes();
        if let Some(deadline_ms) = field.deadline_ms() {
            self.deadlines.remove(&(deadline_ms, hash));
        }
        true
    }

    pub fn iter(&self) -> Iter<'_, Field> {
        self.table.iter()
    }

    pub fn random(&self, random: u64) -> Option<&Field> {
        self.table.random(random)
    }

    /// See [`Table::scan`].
    pub fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(&Field)) -> u64 {
        let rehash = |field: &Field| self.hash(field.name());
        self.table.scan(cursor, count, rehash, visit)
    }

    /// The earliest deadline of a field.
    pub fn first_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|&(deadline_ms, _)| deadline_ms)
    }

    /// Removes up to `limit` fields whose deadline has passed; says how many.
    pub fn expire_due(&mut self, now_ms: u64, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit
            && let Some(&(deadline_ms, hash)) = self.deadlines.first()
            && deadline_ms <= now_ms
        {
            let is_due = |field: &Field| {
                field
                    .deadline_ms()
                    .is_some_and(|until_ms| until_ms <= now_ms)
            };
            if !self.remove_where(hash, is_due) {
                self.deadlines.pop_first();
                continue;
            }
            removed += 1;
        }
        removed
    }
}

impl Cold for Fields {
    #[inline]
    fn table_len(&self) -> usize {
        self.len()
    }

    fn ask(&self, names: &Names<'_>) {
        let fields = likely(&self.table, names.iter().map(|name| self.hash(name)));
        black_box(fields.iter().fold(0, |a, field| a ^ end_of(field.value())));
    }
}

impl Drop for Fields {
    /// Hands a heavy table over to be freed elsewhere: whoever drops it may hold a shard.
    fn drop(&mut self) {
        let bytes = self.heap_bytes();
        if bytes >= HEAVY_BYTES_MIN {
            let mean_bytes = bytes / self.table.len().max(1);
            reclaim::free(Remains::new(self.table.clear(), mean_bytes), bytes);
        }
    }
}
