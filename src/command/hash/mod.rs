//! Commands on hashes.
//!
//! `read` looks, `write` sets and deletes, `count` adds to numbers, `random` picks; `deadline` gives
//! fields their deadlines and `left` reads them; `combined` does two of these at once.
//!
//! A field whose deadline has passed is there until time or a command that asks for it by name
//! takes it away; commands that read a whole hash pass it over.

mod combined;
mod count;
mod deadline;
mod left;
mod random;
mod read;
#[cfg(test)]
mod tests;
mod write;

use crate::config::Events;
use crate::flags;
use crate::protocol::Reply;
use crate::store::packed::Item;
use crate::store::{Hash, Key, Shape, Value};

use super::call::Call;
use super::outcome::Result;
use super::spec::{Command, Keys};

/// A row of the table: all commands on hashes share their group, and have one key.
macro_rules! hash {
    ($name:literal, $arity:literal, $flags:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            $arity,
            $flags,
            Keys::FIRST,
            "hash",
            $since,
            $summary,
            $handler,
        )
    };
}

/// Commands on hashes.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    hash!("hset", -4, flags![WRITE, DENYOOM, FAST, RUNS_ON], "2.0.0",
        "Sets the values of one or more fields of a hash.", write::hset),
    hash!("hmset", -4, flags![WRITE, DENYOOM, FAST], "2.0.0",
        "Sets the values of one or more fields of a hash.", write::hmset),
    hash!("hsetnx", 4, flags![WRITE, DENYOOM, FAST], "2.0.0",
        "Sets the value of a field of a hash only when the field doesn't exist.", write::hsetnx),
    hash!("hget", 3, flags![READONLY, FAST], "2.0.0",
        "Returns the value of a field of a hash.", read::hget),
    hash!("hmget", -3, flags![READONLY, FAST], "2.0.0",
        "Returns the values of one or more fields of a hash.", read::hmget),
    hash!("hgetall", 2, flags![READONLY], "2.0.0",
        "Returns all fields of a hash with their values.", read::hgetall),
    hash!("hkeys", 2, flags![READONLY], "2.0.0",
        "Returns all fields of a hash.", read::hkeys),
    hash!("hvals", 2, flags![READONLY], "2.0.0",
        "Returns all values of a hash.", read::hvals),
    hash!("hlen", 2, flags![READONLY, FAST], "2.0.0",
        "Returns the number of fields of a hash.", read::hlen),
    hash!("hexists", 3, flags![READONLY, FAST], "2.0.0",
        "Determines whether a field exists in a hash.", read::hexists),
    hash!("hstrlen", 3, flags![READONLY, FAST], "3.2.0",
        "Returns the length of the value of a field of a hash.", read::hstrlen),
    hash!("hscan", -3, flags![READONLY], "2.8.0",
        "Iterates over the fields of a hash and their values.", read::hscan),
    hash!("hrandfield", -2, flags![READONLY], "6.2.0",
        "Returns one or more random fields of a hash.", random::hrandfield),
    hash!("hdel", -3, flags![WRITE, FAST], "2.0.0",
        "Deletes one or more fields of a hash, and the hash with the last of them.", write::hdel),
    hash!("hincrby", 4, flags![WRITE, DENYOOM, FAST], "2.0.0",
        "Adds a number to the integer value of a field of a hash, 0 where there is none.", count::hincrby),
    hash!("hincrbyfloat", 4, flags![WRITE, DENYOOM, FAST], "2.6.0",
        "Adds a number to the floating-point value of a field of a hash, 0 where there is none.", count::hincrbyfloat),
    hash!("hexpire", -6, flags![WRITE, FAST], "7.4.0",
        "Sets the expiration time of fields of a hash in seconds.", deadline::hexpire),
    hash!("hpexpire", -6, flags![WRITE, FAST], "7.4.0",
        "Sets the expiration time of fields of a hash in milliseconds.", deadline::hpexpire),
    hash!("hexpireat", -6, flags![WRITE, FAST], "7.4.0",
        "Sets the expiration time of fields of a hash to a Unix timestamp.", deadline::hexpireat),
    hash!("hpexpireat", -6, flags![WRITE, FAST], "7.4.0",
        "Sets the expiration time of fields of a hash to a Unix milliseconds timestamp.", deadline::hpexpireat),
    hash!("hpersist", -5, flags![WRITE, FAST], "7.4.0",
        "Removes the expiration time of fields of a hash.", deadline::hpersist),
    hash!("httl", -5, flags![READONLY, FAST], "7.4.0",
        "Returns the seconds until fields of a hash expire.", left::httl),
    hash!("hpttl", -5, flags![READONLY, FAST], "7.4.0",
        "Returns the milliseconds until fields of a hash expire.", left::hpttl),
    hash!("hexpiretime", -5, flags![READONLY, FAST], "7.4.0",
        "Returns when fields of a hash expire as Unix timestamps.", left::hexpiretime),
    hash!("hpexpiretime", -5, flags![READONLY, FAST], "7.4.0",
        "Returns when fields of a hash expire as Unix milliseconds timestamps.", left::hpexpiretime),
    hash!("hgetdel", -5, flags![WRITE, FAST], "8.0.0",
        "Returns the values of fields of a hash and deletes the fields.", combined::hgetdel),
    hash!("hgetex", -5, flags![WRITE, FAST], "8.0.0",
        "Returns the values of fields of a hash and sets their expiration time.", combined::hgetex),
    hash!("hsetex", -6, flags![WRITE, DENYOOM, FAST], "8.0.0",
        "Sets the values of fields of a hash with their expiration time.", combined::hsetex),
];

/// How the settings want the hash at a key to be kept.
#[inline]
fn shape(call: &Call<'_, '_>, key: &Key<'_>) -> Shape {
    let live = call.engine.config.live();
    Shape::new(
        live.hash_max_listpack_entries(),
        live.hash_max_listpack_value(),
        0,
        key.hash,
    )
}

/// Writes an item as a reply.
#[inline]
fn answer(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Bytes(bytes) => reply.bulk(bytes),
        Item::Integer(integer) => reply.bulk_integer(integer),
    }
}

/// The hash at a key, for a command that reads; counts the look-up.
#[inline]
fn look<'c>(call: &'c mut Call<'_, '_>, key: &Key<'_>) -> Result<Option<&'c mut Hash>> {
    let now_ms = call.now_ms();
    let found = call.held.shard_of(key).hash(key, now_ms);
    let is_found = !matches!(found, Ok(None));
    call.looked_up(key, is_found);
    Ok(call.held.shard_of(key).hash(key, now_ms)?)
}

/// Whether a deadline has passed.
#[inline]
fn is_due(deadline_ms: Option<u64>, now_ms: u64) -> bool {
    deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms)
}

/// Removes a field whose deadline has passed from a hash that is there. Nobody is told.
fn drop_due(call: &mut Call<'_, '_>, key: &Key<'_>, field: &[u8]) {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    if let Ok(Some(hash)) = shard.hash(key, now_ms) {
        let is_removed = hash.remove(field);
        shard.expired_fields_total += u64::from(is_removed);
    }
}

/// Removes a field whose deadline has passed, and the key if it was the last; tells of it.
fn expire_field(call: &mut Call<'_, '_>, key: &Key<'_>, field: &[u8]) {
    drop_due(call, key, field);
    call.changed(key, Events::HASH, "hexpired");
    remove_if_empty(call, key);
}

/// Removes the key of a hash without fields and tells of it, or notes the deadlines of those left;
/// says whether the key has gone.
fn remove_if_empty(call: &mut Call<'_, '_>, key: &Key<'_>) -> bool {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    let is_empty = matches!(shard.hash(key, now_ms), Ok(Some(hash)) if hash.is_empty());
    if is_empty {
        shard.remove(key);
        call.notify(key, Events::GENERIC, "del");
    } else {
        shard.note_fields(key);
    }
    is_empty
}

/// Sees to it that there is a hash at a key. The caller puts a field in it.
fn make(call: &mut Call<'_, '_>, key: &Key<'_>) -> Result<()> {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    if shard.hash(key, now_ms)?.is_none() {
        shard.insert_new(key, Value::Hash(Hash::new()), None);
        call.notify(key, Events::NEW, "new");
    }
    Ok(())
}
