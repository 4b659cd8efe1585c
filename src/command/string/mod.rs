//! Commands on strings.
//!
//! `set` writes whole values, `get` reads them, `multi` does both for several keys, `range` works
//! on parts, `counter` adds, `expiry` reads the options that say until when, `lcs` compares.
//! GET, SET and INCR are what benchmarks run: they probe the table once.

mod counter;
mod expiry;
mod get;
mod lcs;
mod multi;
mod range;
mod set;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::config::Events;
use crate::flags;
use crate::protocol::Reply;
use crate::protocol::number::parse_i64;
use crate::store::{Key, Kind, Text, Value};

use super::call::{Call, keep};
use super::error::Error;
use super::outcome::Result;
use super::spec::{Command, Keys};

/// A row of the table: all string commands share their group.
macro_rules! string {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "string", $since, $summary, $handler,
        )
    };
}

/// Every second argument is a key.
const PAIRS: Keys = Keys::Range {
    first: 1,
    last: -1,
    step: 2,
};

/// Commands on strings.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    string!("get", 2, flags![READONLY, FAST], Keys::FIRST, "1.0.0",
        "Returns the string value of a key.", get::get),
    string!("set", -3, flags![WRITE, DENYOOM, CHEAP], Keys::FIRST, "1.0.0",
        "Sets the string value of a key, whatever it held before.", set::set),
    string!("getdel", 2, flags![WRITE, FAST], Keys::FIRST, "6.2.0",
        "Returns the string value of a key and deletes the key.", get::getdel),
    string!("getex", -2, flags![WRITE, FAST], Keys::FIRST, "6.2.0",
        "Returns the string value of a key and sets its expiration time.", get::getex),
    string!("getset", 3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.0.0",
        "Returns the previous string value of a key and sets a new one.", set::getset),
    string!("setnx", 3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.0.0",
        "Sets the string value of a key only when the key doesn't exist.", set::setnx),
    string!("setex", 4, flags![WRITE, DENYOOM, CHEAP], Keys::FIRST, "2.0.0",
        "Sets the string value of a key and its expiration time in seconds.", set::setex),
    string!("psetex", 4, flags![WRITE, DENYOOM, CHEAP], Keys::FIRST, "2.6.0",
        "Sets the string value of a key and its expiration time in milliseconds.", set::psetex),
    string!("mset", -3, flags![WRITE, DENYOOM], PAIRS, "1.0.1",
        "Sets the string values of several keys in one step.", multi::mset),
    string!("msetnx", -3, flags![WRITE, DENYOOM], PAIRS, "1.0.1",
        "Sets the string values of several keys in one step, only when none of them exists.", multi::msetnx),
    string!("mget", -2, flags![READONLY, FAST], Keys::ALL, "1.0.0",
        "Returns the string values of several keys in one step.", multi::mget),
    string!("append", 3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "2.0.0",
        "Appends to the string value of a key, which is made where there is none.", range::append),
    string!("strlen", 2, flags![READONLY, FAST], Keys::FIRST, "2.2.0",
        "Returns the length of a string value.", range::strlen),
    string!("getrange", 4, flags![READONLY], Keys::FIRST, "2.4.0",
        "Returns a part of a string value.", range::getrange),
    string!("substr", 4, flags![READONLY], Keys::FIRST, "1.0.0",
        "Returns a part of a string value.", range::getrange),
    string!("setrange", 4, flags![WRITE, DENYOOM], Keys::FIRST, "2.2.0",
        "Overwrites a part of a string value, which is made where there is none.", range::setrange),
    string!("incr", 2, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.0.0",
        "Adds one to the integer value of a key, 0 where there is none.", counter::incr),
    string!("decr", 2, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.0.0",
        "Subtracts one from the integer value of a key, 0 where there is none.", counter::decr),
    string!("incrby", 3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.0.0",
        "Adds a number to the integer value of a key, 0 where there is none.", counter::incrby),
    string!("decrby", 3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.0.0",
        "Subtracts a number from the integer value of a key, 0 where there is none.", counter::decrby),
    string!("incrbyfloat", 3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "2.6.0",
        "Adds a number to the floating-point value of a key, 0 where there is none.", counter::incrbyfloat),
    string!("lcs", -3, flags![READONLY], Keys::FIRST_TWO, "7.0.0",
        "Finds the longest common subsequence of two string values.", lcs::lcs),
];

/// What a key held before a command wrote to it, as keyspace events tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    Nothing,
    Text,
    OtherType,
}

/// What becomes of a key's deadline when its value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deadline {
    Clear,
    Keep,
    /// Milliseconds since the epoch.
    At(u64),
}

/// Sets a key to a string, whatever it held. One probe, none of them for an allocation where the
/// old string's will do.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "the calls are 50 of a SET's 850 instructions"
)]
pub(super) fn put(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    bytes: &[u8],
    deadline: Deadline,
) -> Before {
    let now_ms = call.now_ms();
    let keep = |bytes: &[u8]| keep(call.carrier, bytes);
    let shard = call.held.shard_of(key);
    let new_deadline_ms = match deadline {
        Deadline::At(deadline_ms) => Some(deadline_ms),
        Deadline::Clear | Deadline::Keep => None,
    };
    let Some(entry) = shard.entry(key, now_ms) else {
        shard.insert_new(key, Value::Text(Text::kept(bytes, keep)), new_deadline_ms);
        return Before::Nothing;
    };
    let old_deadline_ms = entry.deadline_ms();
    let before = if let Value::Text(text) = &mut entry.value {
        text.replace(bytes, keep);
        Before::Text
    } else {
        let text = Value::Text(Text::kept(bytes, keep));
        let old = shard.insert(key, text, old_deadline_ms);
        if let Some(old) = old {
            call.let_go(old);
        }
        Before::OtherType
    };
    if deadline != Deadline::Keep && old_deadline_ms != new_deadline_ms {
        call.shard(key).set_deadline(key, new_deadline_ms);
    }
    before
}

/// Sets a key to a string that is kept as it is handed in, whatever the key held, without a
/// deadline.
pub(super) fn put_text(call: &mut Call<'_, '_>, key: &Key<'_>, text: Text) -> Before {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    let before = match shard.value(key, now_ms).map(|value| value.kind()) {
        None => Before::Nothing,
        Some(Kind::Text) => Before::Text,
        Some(_) => Before::OtherType,
    };
    if let Some(old) = shard.insert(key, Value::Text(text), None) {
        call.let_go(old);
    }
    before
}

/// Says that a key was set to a whole new value.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as for `put`")]
pub(super) fn announce_put(call: &mut Call<'_, '_>, key: &Key<'_>, before: Before) {
    match before {
        Before::Nothing => call.notify(key, Events::NEW, "new"),
        Before::Text => call.notify(key, Events::OVERWRITTEN, "overwritten"),
        Before::OtherType => {
            call.notify(key, Events::OVERWRITTEN, "overwritten");
            call.notify(key, Events::TYPE_CHANGED, "type_changed");
        }
    }
    call.changed(key, Events::STRING, "set");
}

/// Says that a string was changed, or made by a command that changes.
#[inline]
pub(super) fn announce_change(call: &mut Call<'_, '_>, key: &Key<'_>, is_new: bool, event: &str) {
    if is_new {
        call.notify(key, Events::NEW, "new");
    }
    call.changed(key, Events::STRING, event);
}

/// Writes a string as a reply, by reference if it is long.
#[inline]
fn answer(reply: &mut Reply, text: &mut Text) {
    match text.shared() {
        Some(shared) => reply.bulk_shared(shared),
        None => text.with_bytes(|bytes| reply.bulk(bytes)),
    }
}

/// What a string holds, without a copy if it is long.
pub(super) fn bytes_of(text: &mut Text) -> Bytes {
    match text.shared() {
        Some(shared) => shared.clone(),
        None => text.with_bytes(Bytes::copy_from_slice),
    }
}

/// Gives the string at a key, if there is one, to `write` for the reply, and counts the look-up;
/// says whether there was one.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a call less is 20 of a GET's 700 instructions"
)]
fn read(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    write: impl FnOnce(&mut Reply, Option<&mut Text>),
) -> Result<bool> {
    let now_ms = call.now_ms();
    let found = call.held.shard_of(key).text(key, now_ms).map(|text| {
        let is_found = text.is_some();
        write(call.reply, text);
        is_found
    });
    call.looked_up(key, found != Ok(false));
    Ok(found?)
}

/// Writes the string at a key as the reply, null where there is none; says whether there was one.
#[inline]
fn answer_key(call: &mut Call<'_, '_>, key: &Key<'_>) -> Result<bool> {
    read(call, key, |reply, text| match text {
        Some(text) => answer(reply, text),
        None => reply.null(),
    })
}

/// An integer argument.
fn parse_integer(argument: &[u8]) -> Result<i64> {
    parse_i64(argument).ok_or(Error::NotInteger)
}

/// A length as a reply carries it.
fn reply_len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// Refuses a string of `len` bytes where the settings allow none as long.
fn check_len(call: &Call<'_, '_>, len: usize) -> Result<()> {
    if len as u64 > call.engine.config.live().proto_max_bulk_bytes() {
        return Err(Error::line(
            "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        ));
    }
    Ok(())
}
