//! HRANDFIELD.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::random::{PICKS_SHARE, Picked, below, repeat, select};
use crate::config::Events;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply, Resp};
use crate::store::hash::Entry;
use crate::store::{Hash, Key};

use super::{answer, is_due, look, remove_if_empty};

/// HRANDFIELD key [count [WITHVALUES]]
pub fn hrandfield(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let count = args
        .get(2)
        .map(|count| parse_count(count, args))
        .transpose()?;
    let key = call.key(args.at(1));
    look(call, &key)?;
    expire_all(call, &key);
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).hash(&key, now_ms)?;
    let engine = call.engine;
    let random = || engine.random();
    match (found, count) {
        (None, None) => call.reply.null(),
        (None, Some(_)) => call.reply.empty_array(),
        (Some(hash), None) => match hash.random(random()) {
            Some(entry) => answer(call.reply, entry.field),
            None => call.reply.null(),
        },
        (Some(hash), Some(count)) => {
            let with_values = args.len() == 4;
            answer_many(call.reply, hash, count, with_values, random)?;
        }
    }
    Ok(Outcome::Done)
}

fn parse_count(count: &[u8], args: Args<'_>) -> Result<i64> {
    let out_of_range = Error::line(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    let count = parse_i64(count).ok_or(Error::NotInteger)?;
    if count == i64::MIN {
        return Err(out_of_range);
    }
    if args.len() > 4
        || args
            .get(3)
            .is_some_and(|word| !word.eq_ignore_ascii_case(b"withvalues"))
    {
        return Err(Error::Syntax);
    }
    let too_many = count.unsigned_abs() > i64::MAX.unsigned_abs() / 2;
    if args.len() == 4 && too_many {
        return Err(Error::OutOfRange);
    }
    Ok(count)
}

/// Takes away all fields whose deadline has passed, and tells of it.
fn expire_all(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    let Ok(Some(hash)) = shard.hash(key, now_ms) else {
        return;
    };
    if !is_due(hash.first_deadline_ms(), now_ms) {
        return;
    }
    let removed = hash.expire_due(now_ms, usize::MAX);
    shard.expired_fields_total += removed as u64;
    call.changed(key, Events::HASH, "hexpired");
    remove_if_empty(call, key);
}

fn answer_many(
    reply: &mut Reply,
    hash: &Hash,
    count: i64,
    with_values: bool,
    mut random: impl FnMut() -> u64,
) -> Result<()> {
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return answer_repeats(reply, hash, wanted, with_values, random);
    }
    let len = wanted.min(hash.len());
    open(reply, len, with_values);
    let mut write = |entry: Entry<'_>| write(reply, entry, with_values);
    if len == hash.len() {
        hash.iter().for_each(write);
    } else if len == 1 {
        if let Some(entry) = hash.random(random()) {
            write(entry);
        }
    } else if hash.is_table() && len * PICKS_SHARE <= hash.len() {
        let mut picked = Picked::new(random());
        while picked.len() < len
            && let Some(entry) = hash.random(random())
        {
            if picked.insert(entry.field.to_vec()) {
                write(entry);
            }
        }
    } else {
        select(hash.iter(), hash.len(), len, random).for_each(write);
    }
    Ok(())
}

fn answer_repeats(
    reply: &mut Reply,
    hash: &Hash,
    wanted: usize,
    with_values: bool,
    mut random: impl FnMut() -> u64,
) -> Result<()> {
    let open = |reply: &mut Reply| open(reply, wanted, with_values);
    if hash.is_table() {
        return repeat(reply, wanted, open, |reply| {
            if let Some(entry) = hash.random(random()) {
                write(reply, entry, with_values);
            }
        });
    }
    let entries: Vec<_> = hash.iter().collect();
    repeat(reply, wanted, open, |reply| {
        let entry = entries[below(entries.len(), random())];
        write(reply, entry, with_values);
    })
}

/// The head of an answer of `len` fields.
fn open(reply: &mut Reply, len: usize, with_values: bool) {
    let is_flat = with_values && reply.resp() == Resp::V2;
    reply.array(if is_flat { len * 2 } else { len });
}

fn write(reply: &mut Reply, entry: Entry<'_>, with_values: bool) {
    if with_values && reply.resp() == Resp::V3 {
        reply.array(2);
    }
    answer(reply, entry.field);
    if with_values {
        answer(reply, entry.value);
    }
}
