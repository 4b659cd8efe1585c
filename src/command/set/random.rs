//! SPOP SRANDMEMBER.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::random::{PICKS_SHARE, Picked, below, repeat, select};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::Reply;
use crate::protocol::number::parse_i64;
use crate::store::packed::Item;
use crate::store::{Key, Set, Shape, Value};

use super::{answer, remove_if_empty, shape};

/// A pop that leaves that many times fewer members than it takes moves those that stay.
const STAYING_SHARE: usize = 5;

/// SPOP key [count]
pub fn spop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 3 {
        return Err(Error::Syntax);
    }
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(count) = args.get(2) else {
        let engine = call.engine;
        let found = call.held.shard_of(&key).set(&key, now_ms)?;
        let Some(set) = found else {
            call.reply.null();
            return Ok(Outcome::Done);
        };
        if let Some(member) = set.random(engine.random()).map(Item::to_vec) {
            call.reply.bulk(&member);
            set.remove(&member);
        }
        call.changed(&key, Events::SET, "spop");
        remove_if_empty(call, &key);
        return Ok(Outcome::Done);
    };
    let count = parse_i64(count).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or_else(|| Error::text("value is out of range, must be positive"))?;
    let len = call
        .shard(&key)
        .set(&key, now_ms)?
        .map_or(0, |set| set.len());
    if len == 0 || count == 0 {
        call.reply.set(0);
        return Ok(Outcome::Done);
    }
    if count >= len {
        pop_all(call, &key);
    } else {
        pop_some(call, &key, count, len)?;
    }
    Ok(Outcome::Done)
}

/// Answers with the whole set and removes it.
fn pop_all(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let Some(entry) = call.shard(key).remove(key) else {
        return;
    };
    if let Value::Set(set) = &entry.value {
        call.reply.set(set.len());
        for member in set {
            answer(call.reply, member);
        }
    }
    call.changed(key, Events::SET, "spop");
    call.notify(key, Events::GENERIC, "del");
    call.let_go(entry.value);
}

/// Pops `count` of the `len` members, which are more.
fn pop_some(call: &mut Call<'_, '_>, key: &Key<'_>, count: usize, len: usize) -> Result<()> {
    let shape = shape(call, key);
    let (now_ms, engine) = (call.now_ms(), call.engine);
    let random = || engine.random();
    let staying_len = len - count;
    let reply = &mut *call.reply;
    reply.set(count);
    if let Some(set) = call.held.shard_of(key).set(key, now_ms)? {
        if staying_len * STAYING_SHARE <= count {
            keep_some(reply, set, staying_len, &shape, random);
        } else if set.is_table() || set.is_integers() {
            for _ in 0..count {
                if let Some(member) = set.random(random()).map(Item::to_vec) {
                    reply.bulk(&member);
                    set.remove(&member);
                }
            }
        } else {
            let popped = select(set.iter(), len, count, random).map(Item::to_vec);
            for member in popped.collect::<Vec<_>>() {
                reply.bulk(&member);
                set.remove(&member);
            }
        }
    }
    call.changed(key, Events::SET, "spop");
    Ok(())
}

/// Answers with all but a few members, which move to a set of their own.
fn keep_some(
    reply: &mut Reply,
    set: &mut Set,
    staying_len: usize,
    shape: &Shape,
    mut random: impl FnMut() -> u64,
) {
    let mut staying = if set.is_integers() {
        Set::new()
    } else {
        Set::of_items()
    };
    if set.is_table() || set.is_integers() {
        while staying.len() < staying_len {
            let Some(member) = set.random(random()).map(Item::to_vec) else {
                break;
            };
            set.remove(&member);
            staying.insert(&member, shape);
        }
    } else {
        let len = set.len();
        for member in select(set.iter(), len, staying_len, random) {
            staying.insert_item(member, shape);
        }
        for member in &staying {
            set.remove_item(member);
        }
    }
    for member in &*set {
        answer(reply, member);
    }
    *set = staying;
}

/// SRANDMEMBER key [count]
pub fn srandmember(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 3 {
        return Err(Error::Syntax);
    }
    let count = args.get(2).map(parse_count).transpose()?;
    let key = call.key(args.at(1));
    let (now_ms, engine) = (call.now_ms(), call.engine);
    let random = || engine.random();
    let reply = &mut *call.reply;
    let found = call.held.shard_of(&key).set(&key, now_ms).map(|set| {
        let is_found = set.is_some();
        let written = match (set, count) {
            (None, None) => {
                reply.null();
                Ok(())
            }
            (None, Some(_)) => {
                reply.empty_array();
                Ok(())
            }
            (Some(set), None) => {
                if let Some(member) = set.random(random()) {
                    answer(reply, member);
                }
                Ok(())
            }
            (Some(set), Some(count)) => answer_many(reply, set, count, random),
        };
        (is_found, written)
    });
    call.looked_up(&key, !matches!(found, Ok((false, _))));
    found?.1?;
    Ok(Outcome::Done)
}

fn parse_count(count: &[u8]) -> Result<i64> {
    let count = parse_i64(count).ok_or(Error::NotInteger)?;
    if count == i64::MIN {
        return Err(Error::line(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ));
    }
    Ok(count)
}

fn answer_many(
    reply: &mut Reply,
    set: &Set,
    count: i64,
    mut random: impl FnMut() -> u64,
) -> Result<()> {
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return answer_repeats(reply, set, wanted, random);
    }
    let len = wanted.min(set.len());
    reply.array(len);
    if len == set.len() {
        set.iter().for_each(|member| answer(reply, member));
    } else if len == 1 {
        if let Some(member) = set.random(random()) {
            answer(reply, member);
        }
    } else if set.is_table() && len * PICKS_SHARE <= set.len() {
        let mut picked = Picked::new(random());
        while picked.len() < len
            && let Some(member) = set.random(random())
        {
            if picked.insert(member.to_vec()) {
                answer(reply, member);
            }
        }
    } else {
        select(set.iter(), set.len(), len, random).for_each(|member| answer(reply, member));
    }
    Ok(())
}

fn answer_repeats(
    reply: &mut Reply,
    set: &Set,
    wanted: usize,
    mut random: impl FnMut() -> u64,
) -> Result<()> {
    let open = |reply: &mut Reply| reply.array(wanted);
    if set.is_table() {
        return repeat(reply, wanted, open, |reply| {
            if let Some(member) = set.random(random()) {
                answer(reply, member);
            }
        });
    }
    let members: Vec<_> = set.iter().collect();
    repeat(reply, wanted, open, |reply| {
        answer(reply, members[below(members.len(), random())]);
    })
}
