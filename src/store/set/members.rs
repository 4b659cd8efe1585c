//! Large sets: a table of members.

use std::hint::black_box;

use ahash::RandomState;

use crate::ends::is_same;
use crate::store::cold::{Cold, Names, end_of, likely};
use crate::store::member::Member;
use crate::store::reclaim::{self, HEAVY_BYTES_MIN, Remains};
use crate::store::table::{Iter, Table};

/// The members of a large set.
#[derive(Clone, Debug)]
pub(super) struct Members {
    table: Table<Member>,
    hasher: RandomState,
    /// Bytes that the members own.
    bytes: usize,
}

impl Members {
    pub fn new(hasher: RandomState) -> Self {
        Self {
            table: Table::default(),
            hasher,
            bytes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.bytes
    }

    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        let hash = self.hasher.hash_one(member);
        self.table
            .find(hash, |other| is_same(other.bytes(), member))
            .is_some()
    }

    /// Adds a member; says whether it is new.
    #[inline]
    pub fn insert(&mut self, member: &[u8]) -> bool {
        let Self { table, hasher, .. } = self;
        let hash = hasher.hash_one(member);
        let (kept, is_new) = table.find_or_insert_with(
            hash,
            |other| is_same(other.bytes(), member),
            || Member::new(member),
            |other| hasher.hash_one(other.bytes()),
        );
        if is_new {
            self.bytes += kept.heap_bytes();
        }
        is_new
    }

    /// Removes a member; says whether it was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Self { table, hasher, .. } = self;
        let hash = hasher.hash_one(member);
        let removed = table.remove(
            hash,
            |other| is_same(other.bytes(), member),
            |other| hasher.hash_one(other.bytes()),
        );
        self.bytes -= removed.as_ref().map_or(0, Member::heap_bytes);
        removed.is_some()
    }

    pub fn iter(&self) -> Iter<'_, Member> {
        self.table.iter()
    }

    pub fn random(&self, random: u64) -> Option<&[u8]> {
        self.table.random(random).map(Member::bytes)
    }

    /// See [`Table::scan`].
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8])) -> u64 {
        self.table.scan(
            cursor,
            count,
            |member| self.hasher.hash_one(member.bytes()),
            |member| visit(member.bytes()),
        )
    }
}

impl Cold for Members {
    #[inline]
    fn table_len(&self) -> usize {
        self.len()
    }

    fn ask(&self, names: &Names<'_>) {
        let hashes = names.iter().map(|name| self.hasher.hash_one(name));
        let members = likely(&self.table, hashes);
        black_box(
            members
                .iter()
                .fold(0, |a, member| a ^ end_of(member.bytes())),
        );
    }
}

impl Drop for Members {
    /// Hands a heavy table over to be freed elsewhere: whoever drops it may hold a shard.
    fn drop(&mut self) {
        let bytes = self.heap_bytes();
        if bytes >= HEAVY_BYTES_MIN {
            let mean_bytes = bytes / self.table.len().max(1);
            reclaim::free(Remains::new(self.table.clear(), mean_bytes), bytes);
        }
    }
}
