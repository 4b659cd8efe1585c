//! DEL UNLINK EXISTS TYPE TOUCH.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::{Cause, Key};

/// DEL key [key ...], UNLINK key [key ...]
///
/// Both are one: what takes long to free is never freed here (see `store::reclaim`).
pub fn del(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    let mut removed = 0;
    for name in args.from(1) {
        let key = call.key(name);
        if call.shard(&key).exists(&key, now_ms) {
            delete(call, &key);
            removed += 1;
        }
    }
    call.reply.integer(removed);
    Ok(Outcome::Done)
}

/// Deletes a key that is there, and tells of it.
pub(super) fn delete(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let shard = call.shard(key);
    if let Some(entry) = shard.remove(key) {
        // LOSS: deleted
        shard.let_go(key.db, Cause::Deleted, entry);
        call.changed(key, Events::GENERIC, "del");
    }
}

/// EXISTS key [key ...]
pub fn exists(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    count(call, args, |call, key| call.shard(key).exists(key, now_ms))
}

/// TOUCH key [key ...]
pub fn touch(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    count(call, args, |call, key| {
        call.shard(key).entry(key, now_ms).is_some()
    })
}

/// Answers for how many of the keys, repetitions included, `holds` says yes.
fn count(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    holds: impl Fn(&mut Call<'_, '_>, &Key<'_>) -> bool,
) -> Result {
    let mut found = 0;
    for name in args.from(1) {
        let key = call.key(name);
        let is_there = holds(call, &key);
        call.looked_up(&key, is_there);
        found += i64::from(is_there);
    }
    call.reply.integer(found);
    Ok(Outcome::Done)
}

/// TYPE key
pub fn kind(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.shard(&key).peek(&key, now_ms);
    let kind = found.map(|entry| entry.value.kind());
    call.looked_up(&key, kind.is_some());
    call.reply.simple(kind.map_or("none", |kind| kind.name()));
    Ok(Outcome::Done)
}
