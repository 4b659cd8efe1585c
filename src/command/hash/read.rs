//! HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HSCAN.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::command::scan::{Page, answer_nothing, answer_page, parse_cursor};
use crate::config::Events;
use crate::protocol::{Args, Reply};
use crate::store::Hash;
use crate::store::packed::Item;

use super::{answer, drop_due, expire_field, is_due, look, remove_if_empty};

/// HGET key field
pub fn hget(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, value| match value {
        Some(value) => answer(reply, value),
        None => reply.null(),
    })
}

/// HEXISTS key field
pub fn hexists(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, value| {
        reply.integer(i64::from(value.is_some()));
    })
}

/// HSTRLEN key field
pub fn hstrlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, value| {
        let len = value.map_or(0, Item::len);
        reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    })
}

/// Gives the value of the field that the second argument names to `write`; one whose deadline has
/// passed goes.
#[inline]
fn show(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    write: impl FnOnce(&mut Reply, Option<Item<'_>>),
) -> Result {
    let (key, field) = (call.key(args.at(1)), args.at(2));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).hash(&key, now_ms);
    let is_found = !matches!(found, Ok(None));
    if let Ok(Some(hash)) = &found {
        call.ahead.ask(&**hash, 2);
    }
    let (is_expired, error) = match found {
        Ok(hash) => match hash.as_ref().and_then(|hash| hash.get(field)) {
            Some((_, until)) if is_due(until, now_ms) => (true, None),
            value => {
                write(call.reply, value.map(|(value, _)| value));
                call.looked_up(&key, is_found);
                return Ok(Outcome::Done);
            }
        },
        Err(error) => (false, Some(error)),
    };
    call.looked_up(&key, is_found);
    if let Some(error) = error {
        return Err(error.into());
    }
    if is_expired {
        write(call.reply, None);
        expire_field(call, &key, field);
    }
    Ok(Outcome::Done)
}

/// HMGET key field [field ...]
pub fn hmget(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let reply = &mut *call.reply;
    let mut expired = SmallVec::<[&[u8]; 4]>::new();
    let found = call.held.shard_of(&key).hash(&key, now_ms).map(|hash| {
        reply.array(args.len() - 2);
        for field in args.from(2) {
            match hash.as_ref().and_then(|hash| hash.get(field)) {
                Some((_, until)) if is_due(until, now_ms) => {
                    reply.null();
                    expired.push(field);
                }
                Some((value, _)) => answer(reply, value),
                None => reply.null(),
            }
        }
        hash.is_some()
    });
    call.looked_up(&key, found != Ok(false));
    found?;
    for field in &expired {
        drop_due(call, &key, field);
    }
    if !expired.is_empty() {
        call.changed(&key, Events::HASH, "hexpired");
        remove_if_empty(call, &key);
    }
    Ok(Outcome::Done)
}

/// HLEN key
pub fn hlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let len = look(call, &key)?.map_or(0, |hash| hash.len());
    call.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

/// What of each field is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    Fields,
    Values,
    Both,
}

/// HGETALL key
pub fn hgetall(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    all(call, args, Parts::Both)
}

/// HKEYS key
pub fn hkeys(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    all(call, args, Parts::Fields)
}

/// HVALS key
pub fn hvals(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    all(call, args, Parts::Values)
}

#[inline]
fn all(call: &mut Call<'_, '_>, args: Args<'_>, parts: Parts) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let reply = &mut *call.reply;
    let found = call.held.shard_of(&key).hash(&key, now_ms).map(|hash| {
        let is_found = hash.is_some();
        match hash {
            Some(hash) => write_all(reply, hash, parts, now_ms),
            None if parts == Parts::Both => reply.map(0),
            None => reply.empty_array(),
        }
        is_found
    });
    call.looked_up(&key, found != Ok(false));
    found?;
    Ok(Outcome::Done)
}

fn write_all(reply: &mut Reply, hash: &Hash, parts: Parts, now_ms: u64) {
    let has_due = is_due(hash.first_deadline_ms(), now_ms);
    let len = if has_due {
        hash.iter().filter(|entry| !entry.is_due(now_ms)).count()
    } else {
        hash.len()
    };
    match parts {
        Parts::Both => reply.map(len),
        Parts::Fields | Parts::Values => reply.array(len),
    }
    if let (Some(pairs), Parts::Both) = (hash.pairs(), parts) {
        for item in pairs {
            answer(reply, item);
        }
        return;
    }
    for entry in hash {
        if has_due && entry.is_due(now_ms) {
            continue;
        }
        if parts != Parts::Values {
            answer(reply, entry.field);
        }
        if parts != Parts::Fields {
            answer(reply, entry.value);
        }
    }
}

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub fn hscan(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let cursor = parse_cursor(args.at(2))?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    if look(call, &key)?.is_none() {
        answer_nothing(call.reply);
        return Ok(Outcome::Done);
    }
    let wanted = Page::parse(args, true)?;
    let Some(hash) = call.held.shard_of(&key).hash(&key, now_ms)? else {
        return Ok(Outcome::Done);
    };
    answer_page(call.reply, |page| {
        let mut len = 0;
        let next = hash.scan(cursor, wanted.count, |entry| {
            if entry.is_due(now_ms) || !entry.field.with_bytes(|field| wanted.takes(field)) {
                return;
            }
            answer(page, entry.field);
            len += 1;
            if !wanted.no_values {
                answer(page, entry.value);
                len += 1;
            }
        });
        (next, len)
    });
    Ok(Outcome::Done)
}
