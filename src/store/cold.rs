//! What is larger than the caches, and asking for its memory ahead.
//!
//! To find an element of a large collection takes two or three steps through memory that nobody has
//! touched for long, to use one of many queues up to ten, each waited for before the next can be
//! made. Who knows the next few that will be wanted asks for them together, and waits about as long
//! as for one.

use std::hint::black_box;

use smallvec::SmallVec;

use super::shard::Entry;
use super::table::Table;
use super::value::Value;

/// Elements or keys that are asked for together: about as many as a core can wait for at the same time.
pub const AHEAD_LEN: usize = 8;

/// From so many elements on (30 to 100 bytes each) a collection is taken to lie outside of the
/// caches.
pub(super) const COLD_LEN_MIN: usize = if cfg!(test) { 2 * AHEAD_LEN } else { 1 << 15 };

/// Names of elements that will be wanted.
pub type Names<'a> = SmallVec<[&'a [u8]; AHEAD_LEN]>;

/// A collection whose elements have names.
pub trait Cold {
    /// Elements that are found by way of a table; 0 of a collection that is one small allocation.
    fn table_len(&self) -> usize;

    /// Asks for the memory of the elements of these names, whether there are such or not. Changes
    /// nothing.
    fn ask(&self, names: &Names<'_>);

    /// Whether to look for an element probably means to wait for memory.
    #[inline]
    fn is_cold(&self) -> bool {
        self.table_len() >= COLD_LEN_MIN
    }
}

/// The elements of a table that probably have these hashes, as far as there are any like them. None
/// is looked at yet, only the place where it stands.
///
/// Nothing is compared: a core goes on with what it expects while it waits for what a comparison
/// needs, and has asked for the next ones in vain where it finds another.
#[inline]
pub(super) fn likely<T>(
    table: &Table<T>,
    hashes: impl Iterator<Item = u64>,
) -> SmallVec<[&T; AHEAD_LEN]> {
    hashes
        .filter_map(|hash| table.find(hash, |_| true))
        .collect()
}

/// Something from where a name ends, to be asked for.
#[inline]
pub(super) fn end_of(name: &[u8]) -> u64 {
    u64::from(name.last().copied().unwrap_or_default())
}

/// Asks for the memory behind entries, as far as a command that uses them mostly goes.
pub(super) fn ask<'a>(entries: impl Iterator<Item = &'a Entry>) {
    // Step by step for all of them: what a step leads to is known once its memory has come.
    let entries: SmallVec<[&Entry; AHEAD_LEN]> = entries.collect();
    black_box(entries.iter().fold(0, |a, entry| {
        a ^ end_of(entry.name()) ^ head_of(&entry.value)
    }));
    black_box(
        entries
            .iter()
            .fold(0, |a, entry| a ^ reach_of(&entry.value)),
    );
    black_box(
        entries
            .iter()
            .fold(0, |a, entry| a ^ depth_of(&entry.value)),
    );
}

/// Something from the memory that an entry refers to.
fn head_of(value: &Value) -> u64 {
    let head = match value {
        Value::Text(_) => 0,
        Value::Queue(queue) => return queue.ask_head(),
        Value::Hash(hash) => hash.len(),
        Value::Set(set) => set.len(),
        Value::Stream(stream) => return stream.held().messages,
        Value::SortedSet(set) => set.len(),
    };
    head as u64
}

/// Something from the memory that this refers to.
fn reach_of(value: &Value) -> u64 {
    match value {
        Value::Queue(queue) => queue.ask_reach(),
        Value::Text(text) => text.ask(),
        _ => 0,
    }
}

/// Something from the memory that this refers to in turn.
fn depth_of(value: &Value) -> u64 {
    match value {
        Value::Queue(queue) => queue.ask_depth(),
        _ => 0,
    }
}
