//! HSET HMSET HSETNX HDEL.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::{Hash, Key, Value};

use super::{expire_field, is_due, make, remove_if_empty, shape};

/// HSET key field value [field value ...]
pub fn hset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let added = set_all(call, args, "hset")?;
    call.reply.integer(added);
    if args.len() == 4 && call.ahead.may_take() {
        set_following(call, &call.key(args.at(1)))?;
    }
    Ok(Outcome::Done)
}

/// Sets the fields of the requests that follow, in the same hash, which is there.
fn set_following(call: &mut Call<'_, '_>, key: &Key<'_>) -> Result<()> {
    let shape = shape(call, key);
    let now_ms = call.now_ms();
    let (shard, reply) = (call.held.shard_of(key), &mut *call.reply);
    let Some(hash) = shard.hash(key, now_ms)? else {
        return Ok(());
    };
    while let Some([field, value]) = call.ahead.take(reply, Some) {
        call.ahead.ask(hash, 2);
        let is_new = hash.set(field, value, false, &shape);
        reply.integer(i64::from(is_new));
    }
    if hash.needs_note() {
        shard.note_fields(key);
    }
    Ok(())
}

/// HMSET key field value [field value ...]
pub fn hmset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set_all(call, args, "hmset")?;
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Sets all fields; returns how many are new.
#[inline]
fn set_all(call: &mut Call<'_, '_>, args: Args<'_>, name: &'static str) -> Result<i64> {
    if args.len() % 2 == 1 {
        return Err(Error::Arity(name.into()));
    }
    let key = call.key(args.at(1));
    let added = put_all(call, &key, args, 2, false)?;
    call.changed(&key, Events::HASH, "hset");
    Ok(added)
}

/// Sets the fields of the names and values that stand in turn from argument `first` on; returns how
/// many are new. Old ones keep their deadlines only if so asked.
#[inline]
pub(super) fn put_all(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    args: Args<'_>,
    first: usize,
    keeps_deadline: bool,
) -> Result<i64> {
    let pairs = args.tail(first);
    let shape = shape(call, key);
    let now_ms = call.now_ms();
    let fields_len = pairs.len() / 2;
    let bytes_max = pairs.iter().map(<[u8]>::len).max().unwrap_or(0);
    let shard = call.held.shard_of(key);
    let Some(hash) = shard.hash(key, now_ms)? else {
        let mut hash = Hash::new();
        hash.expect(fields_len, bytes_max, &shape);
        let added = hash.fill(pairs.iter(), &shape);
        shard.insert_new(key, Value::Hash(hash), None);
        call.notify(key, Events::NEW, "new");
        return Ok(i64::try_from(added).unwrap_or(i64::MAX));
    };
    call.ahead.ask(hash, first);
    hash.expect(fields_len, bytes_max, &shape);
    let mut added = 0;
    for at in (0..pairs.len()).step_by(2) {
        let is_new = hash.set(pairs.at(at), pairs.at(at + 1), keeps_deadline, &shape);
        added += i64::from(is_new);
    }
    if hash.needs_note() {
        shard.note_fields(key);
    }
    Ok(added)
}

/// HSETNX key field value
pub fn hsetnx(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (key, field) = (call.key(args.at(1)), args.at(2));
    let now_ms = call.now_ms();
    let found = call.shard(&key).hash(&key, now_ms)?;
    match found.as_ref().and_then(|hash| hash.get(field)) {
        Some((_, until)) if is_due(until, now_ms) => expire_field(call, &key, field),
        Some(_) => {
            call.reply.integer(0);
            return Ok(Outcome::Done);
        }
        None => {}
    }
    make(call, &key)?;
    put_all(call, &key, args, 2, false)?;
    call.changed(&key, Events::HASH, "hset");
    call.reply.integer(1);
    Ok(Outcome::Done)
}

/// HDEL key field [field ...]
pub fn hdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(hash) = call.held.shard_of(&key).hash(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    call.ahead.ask(hash, 2);
    let mut removed = 0;
    for field in args.from(2) {
        removed += i64::from(hash.remove(field));
        if hash.is_empty() {
            break;
        }
    }
    if removed > 0 {
        call.changed(&key, Events::HASH, "hdel");
        remove_if_empty(call, &key);
    }
    call.reply.integer(removed);
    Ok(Outcome::Done)
}
