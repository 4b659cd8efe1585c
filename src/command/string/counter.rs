//! INCR DECR INCRBY DECRBY INCRBYFLOAT.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::{DecimalError, add_decimal};
use crate::store::{Text, Value};

use super::{announce_change, parse_integer};

/// INCR key
pub fn incr(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    add(call, args.at(1), 1)
}

/// DECR key
pub fn decr(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    add(call, args.at(1), -1)
}

/// INCRBY key increment
pub fn incrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    add(call, args.at(1), parse_integer(args.at(2))?)
}

/// DECRBY key decrement
pub fn decrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let delta = parse_integer(args.at(2))?
        .checked_neg()
        .ok_or(Error::line("ERR decrement would overflow"))?;
    add(call, args.at(1), delta)
}

#[inline]
fn add(call: &mut Call<'_, '_>, name: &[u8], delta: i64) -> Result {
    let key = call.key(name);
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(&key);
    let (sum, is_new) = if let Some(text) = shard.text(&key, now_ms)? {
        let value = text.integer().ok_or(Error::NotInteger)?;
        let overflow = Error::line("ERR increment or decrement would overflow");
        let sum = value.checked_add(delta).ok_or(overflow)?;
        *text = Text::Integer(sum);
        (sum, false)
    } else {
        shard.insert_new(&key, Value::Text(Text::Integer(delta)), None);
        (delta, true)
    };
    announce_change(call, &key, is_new, "incrby");
    call.reply.integer(sum);
    Ok(Outcome::Done)
}

/// INCRBYFLOAT key increment
pub fn incrbyfloat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(&key);
    let found = shard.text(&key, now_ms)?;
    let is_new = found.is_none();
    let sum = match &found {
        Some(text) => text.with_bytes(|current| add_decimal(current, args.at(2))),
        None => add_decimal(b"0", args.at(2)),
    }
    .map_err(|error| match error {
        DecimalError::NotAFloat => Error::NotFloat,
        DecimalError::NotFinite => Error::line("ERR increment would produce NaN or Infinity"),
    })?;
    // A sum without a fraction stays text, as OBJECT ENCODING shows.
    let text = Text::verbatim(&sum);
    match found {
        Some(old) => *old = text,
        None => shard.insert_new(&key, Value::Text(text), None),
    }
    announce_change(call, &key, is_new, "incrbyfloat");
    call.reply.bulk(&sum);
    Ok(Outcome::Done)
}
