//! Commands on sorted sets.
//!
//! `add` gives scores, `remove` takes members out, `pop` the first or last ones, `blocking` has the
//! forms that wait, `read` asks about members, `range` shows and stores parts (`bounds` reads their
//! ends), `combine` unites, intersects and subtracts sets, `random` and `scan` pick and walk.

mod add;
mod blocking;
mod bounds;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod scan;
#[cfg(test)]
mod tests;

pub(super) use bounds::parse_lenient;
pub(super) use pop::give_back;

use crate::config::Events;
use crate::flags;
use crate::protocol::number::parse_i64;
use crate::protocol::{Reply, Resp};
use crate::store::sorted_set::{Limits, SortedSet};
use crate::store::{Key, Value};

use super::call::Call;
use super::error::Error;
use super::outcome::Result;
use super::spec::{Command, Keys};

/// A row of the table: all these commands share their group.
macro_rules! sorted {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            $arity,
            $flags,
            $keys,
            "sorted-set",
            $since,
            $summary,
            $handler,
        )
    };
}

/// A count as the first argument, keys behind it.
const KEYS: Keys = Keys::Numbered { at: 1, also: 0 };
/// A destination, a count and keys.
const STORE: Keys = Keys::Numbered { at: 2, also: 1 };

/// Commands on sorted sets.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    sorted!("zadd", -4, flags![WRITE, DENYOOM, FAST, RUNS_ON], Keys::FIRST, "1.2.0",
        "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.", add::zadd),
    sorted!("zincrby", 4, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "1.2.0",
        "Increments the score of a member in a sorted set.", add::zincrby),
    sorted!("zscore", 3, flags![READONLY, FAST], Keys::FIRST, "1.2.0",
        "Returns the score of a member in a sorted set.", read::zscore),
    sorted!("zmscore", -3, flags![READONLY, FAST], Keys::FIRST, "6.2.0",
        "Returns the score of one or more members in a sorted set.", read::zmscore),
    sorted!("zcard", 2, flags![READONLY, FAST], Keys::FIRST, "1.2.0",
        "Returns the number of members in a sorted set.", read::zcard),
    sorted!("zcount", 4, flags![READONLY, FAST], Keys::FIRST, "2.0.0",
        "Returns the count of members in a sorted set that have scores within a range.", read::zcount),
    sorted!("zlexcount", 4, flags![READONLY, FAST], Keys::FIRST, "2.8.9",
        "Returns the number of members in a sorted set within a lexicographical range.", read::zlexcount),
    sorted!("zrank", -3, flags![READONLY, FAST], Keys::FIRST, "2.0.0",
        "Returns the index of a member in a sorted set ordered by ascending scores.", read::zrank),
    sorted!("zrevrank", -3, flags![READONLY, FAST], Keys::FIRST, "2.0.0",
        "Returns the index of a member in a sorted set ordered by descending scores.", read::zrevrank),
    sorted!("zrange", -4, flags![READONLY], Keys::FIRST, "1.2.0",
        "Returns members in a sorted set within a range of indexes.", range::zrange),
    sorted!("zrangestore", -5, flags![WRITE, DENYOOM], Keys::FIRST_TWO, "6.2.0",
        "Stores a range of members from sorted set in a key.", range::zrangestore),
    sorted!("zrevrange", -4, flags![READONLY], Keys::FIRST, "1.2.0",
        "Returns members in a sorted set within a range of indexes in reverse order.", range::zrevrange),
    sorted!("zrangebyscore", -4, flags![READONLY], Keys::FIRST, "1.0.5",
        "Returns members in a sorted set within a range of scores.", range::zrangebyscore),
    sorted!("zrevrangebyscore", -4, flags![READONLY], Keys::FIRST, "2.2.0",
        "Returns members in a sorted set within a range of scores in reverse order.", range::zrevrangebyscore),
    sorted!("zrangebylex", -4, flags![READONLY], Keys::FIRST, "2.8.9",
        "Returns members in a sorted set within a lexicographical range.", range::zrangebylex),
    sorted!("zrevrangebylex", -4, flags![READONLY], Keys::FIRST, "2.8.9",
        "Returns members in a sorted set within a lexicographical range in reverse order.", range::zrevrangebylex),
    sorted!("zrem", -3, flags![WRITE, FAST], Keys::FIRST, "1.2.0",
        "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.", remove::zrem),
    sorted!("zremrangebyrank", 4, flags![WRITE], Keys::FIRST, "2.0.0",
        "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.", remove::zremrangebyrank),
    sorted!("zremrangebyscore", 4, flags![WRITE], Keys::FIRST, "1.2.0",
        "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.", remove::zremrangebyscore),
    sorted!("zremrangebylex", 4, flags![WRITE], Keys::FIRST, "2.8.9",
        "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.", remove::zremrangebylex),
    sorted!("zpopmin", -2, flags![WRITE, FAST, RUNS_ON], Keys::FIRST, "5.0.0",
        "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.", pop::zpopmin),
    sorted!("zpopmax", -2, flags![WRITE, FAST, RUNS_ON], Keys::FIRST, "5.0.0",
        "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.", pop::zpopmax),
    sorted!("zmpop", -4, flags![WRITE, MOVABLE_KEYS], KEYS, "7.0.0",
        "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.", pop::zmpop),
    sorted!("bzpopmin", -3, flags![WRITE, BLOCKING, FAST], Keys::ALL_BUT_LAST, "5.0.0",
        "Removes and returns the member with the lowest score from one or more sorted sets, waiting until there is one.", blocking::bzpopmin),
    sorted!("bzpopmax", -3, flags![WRITE, BLOCKING, FAST], Keys::ALL_BUT_LAST, "5.0.0",
        "Removes and returns the member with the highest score from one or more sorted sets, waiting until there is one.", blocking::bzpopmax),
    sorted!("bzmpop", -5, flags![WRITE, BLOCKING, MOVABLE_KEYS], Keys::Numbered { at: 2, also: 0 }, "7.0.0",
        "Removes and returns members by score from the first sorted set that has any, waiting until one has.", blocking::bzmpop),
    sorted!("zunion", -3, flags![READONLY, MOVABLE_KEYS], KEYS, "6.2.0",
        "Returns the union of multiple sorted sets.", combine::zunion),
    sorted!("zinter", -3, flags![READONLY, MOVABLE_KEYS], KEYS, "6.2.0",
        "Returns the intersect of multiple sorted sets.", combine::zinter),
    sorted!("zdiff", -3, flags![READONLY, MOVABLE_KEYS], KEYS, "6.2.0",
        "Returns the difference between multiple sorted sets.", combine::zdiff),
    sorted!("zunionstore", -4, flags![WRITE, DENYOOM, MOVABLE_KEYS], STORE, "2.0.0",
        "Stores the union of multiple sorted sets in a key.", combine::zunionstore),
    sorted!("zinterstore", -4, flags![WRITE, DENYOOM, MOVABLE_KEYS], STORE, "2.0.0",
        "Stores the intersect of multiple sorted sets in a key.", combine::zinterstore),
    sorted!("zdiffstore", -4, flags![WRITE, DENYOOM, MOVABLE_KEYS], STORE, "6.2.0",
        "Stores the difference of multiple sorted sets in a key.", combine::zdiffstore),
    sorted!("zintercard", -3, flags![READONLY, MOVABLE_KEYS], KEYS, "7.0.0",
        "Returns the number of members of the intersect of multiple sorted sets.", combine::zintercard),
    sorted!("zrandmember", -2, flags![READONLY], Keys::FIRST, "6.2.0",
        "Returns one or more random members from a sorted set.", random::zrandmember),
    sorted!("zscan", -3, flags![READONLY], Keys::FIRST, "2.8.0",
        "Iterates over members and scores of a sorted set.", scan::zscan),
];

/// The settings for small sorted sets.
#[inline]
fn limits(call: &Call<'_, '_>) -> Limits {
    let live = call.engine.config.live();
    let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Limits {
        small_len_max: count(live.zset_max_listpack_entries()),
        small_member_bytes_max: count(live.zset_max_listpack_value()),
    }
}

/// An integer argument.
fn parse_integer(argument: &[u8]) -> Result<i64> {
    parse_i64(argument).ok_or(Error::NotInteger)
}

/// A length as a reply carries it.
fn reply_len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// Head of a reply of `len` members, with their scores if these are asked for: pairs of their own
/// in RESP3, one after the other in RESP2.
#[inline]
fn open_members(reply: &mut Reply, len: usize, with_scores: bool) {
    let is_flat = with_scores && reply.resp() == Resp::V2;
    reply.array(if is_flat { len * 2 } else { len });
}

/// A member of such a reply.
#[inline]
fn write_member(reply: &mut Reply, member: &[u8], score: f64, with_scores: bool) {
    if !with_scores {
        reply.bulk(member);
        return;
    }
    if reply.resp() == Resp::V3 {
        reply.array(2);
    }
    reply.bulk(member);
    reply.double(score);
}

/// Tells that members left a set, and removes its key if none is left.
#[inline]
fn members_left(call: &mut Call<'_, '_>, key: &Key<'_>, event: &str, is_drained: bool) {
    call.changed(key, Events::SORTED_SET, event);
    if is_drained {
        call.shard(key).remove(key);
        call.notify(key, Events::GENERIC, "del");
    }
}

/// Puts what a command made at a key in place of what is there, and answers with its length; an
/// empty set deletes the key.
fn store(call: &mut Call<'_, '_>, key: &Key<'_>, set: SortedSet, event: &str) {
    let len = reply_len(set.len());
    let value = (len > 0).then(|| Value::SortedSet(Box::new(set)));
    super::keys::replace(call, key, value, Events::SORTED_SET, event);
    call.reply.integer(len);
}
