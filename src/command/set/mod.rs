//! Commands on sets.
//!
//! `read` looks, `write` adds, removes and moves, `random` picks and pops, `algebra` intersects,
//! unites and subtracts.

mod algebra;
mod random;
mod read;
#[cfg(test)]
mod tests;
mod write;

use crate::config::Events;
use crate::flags;
use crate::protocol::Reply;
use crate::store::packed::Item;
use crate::store::{Key, Shape};

use super::call::Call;
use super::spec::{Command, Keys};

/// A row of the table: all commands on sets share their group.
macro_rules! set {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "set", $since, $summary, $handler,
        )
    };
}

/// Commands on sets.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    set!("sadd", -3, flags![WRITE, DENYOOM, FAST, RUNS_ON], Keys::FIRST, "1.0.0",
        "Adds one or more members to a set.", write::sadd),
    set!("srem", -3, flags![WRITE, FAST], Keys::FIRST, "1.0.0",
        "Removes one or more members from a set, and the set with the last of them.", write::srem),
    set!("smove", 4, flags![WRITE, FAST], Keys::FIRST_TWO, "1.0.0",
        "Moves a member from one set to another.", write::smove),
    set!("sismember", 3, flags![READONLY, FAST], Keys::FIRST, "1.0.0",
        "Determines whether a member belongs to a set.", read::sismember),
    set!("smismember", -3, flags![READONLY, FAST], Keys::FIRST, "6.2.0",
        "Determines which of several members belong to a set.", read::smismember),
    set!("smembers", 2, flags![READONLY], Keys::FIRST, "1.0.0",
        "Returns all members of a set.", read::smembers),
    set!("scard", 2, flags![READONLY, FAST], Keys::FIRST, "1.0.0",
        "Returns the number of members of a set.", read::scard),
    set!("sscan", -3, flags![READONLY], Keys::FIRST, "2.8.0",
        "Iterates over the members of a set.", read::sscan),
    set!("spop", -2, flags![WRITE, FAST], Keys::FIRST, "1.0.0",
        "Removes one or more random members from a set and returns them.", random::spop),
    set!("srandmember", -2, flags![READONLY], Keys::FIRST, "1.0.0",
        "Returns one or more random members of a set.", random::srandmember),
    set!("sinter", -2, flags![READONLY], Keys::ALL, "1.0.0",
        "Returns the intersection of sets.", algebra::sinter),
    set!("sinterstore", -3, flags![WRITE, DENYOOM], Keys::ALL, "1.0.0",
        "Stores the intersection of sets in a key.", algebra::sinterstore),
    set!("sintercard", -3, flags![READONLY, MOVABLE_KEYS], Keys::Numbered { at: 1, also: 0 }, "7.0.0",
        "Returns the number of members of the intersection of sets.", algebra::sintercard),
    set!("sunion", -2, flags![READONLY], Keys::ALL, "1.0.0",
        "Returns the union of sets.", algebra::sunion),
    set!("sunionstore", -3, flags![WRITE, DENYOOM], Keys::ALL, "1.0.0",
        "Stores the union of sets in a key.", algebra::sunionstore),
    set!("sdiff", -2, flags![READONLY], Keys::ALL, "1.0.0",
        "Returns what the first set has and the others have not.", algebra::sdiff),
    set!("sdiffstore", -3, flags![WRITE, DENYOOM], Keys::ALL, "1.0.0",
        "Stores in a key what the first set has and the others have not.", algebra::sdiffstore),
];

/// How the settings want the set at a key to be kept.
#[inline]
fn shape(call: &Call<'_, '_>, key: &Key<'_>) -> Shape {
    let live = call.engine.config.live();
    Shape::new(
        live.set_max_listpack_entries(),
        live.set_max_listpack_value(),
        live.set_max_intset_entries(),
        key.hash,
    )
}

/// Writes a member as a reply.
#[inline]
fn answer(reply: &mut Reply, member: Item<'_>) {
    match member {
        Item::Bytes(bytes) => reply.bulk(bytes),
        Item::Integer(integer) => reply.bulk_integer(integer),
    }
}

/// Removes the key of a set without members and tells of it.
fn remove_if_empty(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    if matches!(shard.set(key, now_ms), Ok(Some(set)) if set.is_empty()) {
        shard.remove(key);
        call.notify(key, Events::GENERIC, "del");
    }
}

/// A length as a reply carries it.
fn reply_len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
