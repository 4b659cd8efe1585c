//! Entries that were delivered as often as their group allows: to the dead-letter stream with
//! where they came from, or dropped and counted.

use crate::command::call::Call;
use crate::command::{dispatch, serve};
use crate::store::stream::{Exhausted, NodeLimits, StreamId};
use crate::store::{Key, ShardSet};

use super::add::add_entry;

/// An entry on its way to the dead-letter stream, or to nowhere.
#[derive(Debug)]
pub(super) struct Dead {
    id: StreamId,
    deliveries: u64,
    pairs: Vec<Vec<u8>>,
}

impl Dead {
    /// Copies what a claim handed back.
    pub fn of(exhausted: &[Exhausted<'_>]) -> Vec<Self> {
        exhausted
            .iter()
            .map(|exhausted| Self {
                id: exhausted.entry.id,
                deliveries: exhausted.deliveries,
                pairs: exhausted
                    .entry
                    .fields
                    .flat_map(|(name, value)| [name.to_vec(), value.to_vec()])
                    .collect(),
            })
            .collect()
    }
}

/// Where a stream's dead letters go, if it has such a place.
fn place(call: &mut Call<'_, '_>, key: &Key<'_>) -> Option<Box<[u8]>> {
    let now_ms = call.now_ms();
    let stream = call.held.shard_of(key).stream(key, now_ms).ok().flatten()?;
    stream.governed()?.dead_letter.clone()
}

/// Sees to it that dead letters of a stream can be put away, before a claim makes any: holds the
/// shard of the place to which they go. False where that cannot be had, because a transaction or
/// a push that serves a waiter holds what it holds; such entries then stay pending. `None` if a step
/// that rests keeps a shard of these: the command is postponed, and has to end so.
pub(super) fn prepare(call: &mut Call<'_, '_>, key: &Key<'_>) -> Option<bool> {
    let Some(name) = place(call, key) else {
        return Some(true);
    };
    let target = call.key(&name);
    let shard = ShardSet::one(call.engine.keyspace.shard_of(&target));
    if call.held.set().contains(shard) {
        return Some(true);
    }
    if call.held.is_pinned() || call.session.is_atomic || call.session.taken.is_some() {
        return Some(false);
    }
    let wanted = call.held.set().union(shard);
    call.held.need(wanted);
    serve::hold_waiters(call, wanted);
    // Its own shard was let go for a moment.
    let is_postponed = dispatch::postponed(call, call.held.set()).is_some();
    (!is_postponed).then_some(true)
}

/// The shards beside its own that a claim on a stream may touch: that of its dead letters.
pub(in crate::command) fn dead_letter_shards(call: &mut Call<'_, '_>, key: &Key<'_>) -> ShardSet {
    place(call, key).map_or(ShardSet::EMPTY, |name| {
        let target = Key {
            db: key.db,
            ..call.key(&name)
        };
        ShardSet::one(call.engine.keyspace.shard_of(&target))
    })
}

/// Puts entries of a group away. They are off its pending list and still in their stream.
pub(super) fn bury(call: &mut Call<'_, '_>, key: &Key<'_>, group: &[u8], dead: &[Dead]) {
    if dead.is_empty() {
        return;
    }
    let mut buried = 0;
    if let Some(name) = place(call, key) {
        let target = call.key(&name);
        let is_buried = |dead: &&Dead| lay(call, &target, key, group, dead);
        buried = dead.iter().filter(is_buried).count() as u64;
    }
    call.shard(key)
        .note_exhausted(key, group, dead.len() as u64, buried);
}

/// Puts one entry into a dead-letter stream, with where it came from, unless that has no place
/// for it.
fn lay(
    call: &mut Call<'_, '_>,
    target: &Key<'_>,
    source: &Key<'_>,
    group: &[u8],
    dead: &Dead,
) -> bool {
    let (id, deliveries) = (dead.id.to_string(), dead.deliveries.to_string());
    let marks: [&[u8]; 8] = [
        b"weir.origin",
        source.name,
        b"weir.id",
        id.as_bytes(),
        b"weir.group",
        group,
        b"weir.deliveries",
        deliveries.as_bytes(),
    ];
    let mut pairs: Vec<&[u8]> = dead.pairs.iter().map(Vec::as_slice).collect();
    pairs.extend(marks);
    add_entry(call, target, &pairs)
}

/// Where nodes end, by the settings.
pub(super) fn limits(call: &Call<'_, '_>) -> NodeLimits {
    let live = call.engine.config.live();
    NodeLimits {
        bytes: live.stream_node_bytes_max(),
        entries: live.stream_node_entries_max(),
    }
}
