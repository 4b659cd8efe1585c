//! HINCRBY HINCRBYFLOAT.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::{DecimalError, add_decimal, parse_i64};
use crate::store::Key;
use crate::store::packed::Item;

use super::{expire_field, is_due, make, shape};

/// HINCRBY key field increment
pub fn hincrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let delta = parse_i64(args.at(3)).ok_or(Error::NotInteger)?;
    let (key, field) = (call.key(args.at(1)), args.at(2));
    let sum = add(call, &key, field, |value| {
        let value = match value {
            Some(value) => value.integer(),
            None => Some(0),
        };
        let value = value.ok_or(Error::line("ERR hash value is not an integer"))?;
        let overflow = Error::line("ERR increment or decrement would overflow");
        let sum = value.checked_add(delta).ok_or(overflow)?;
        Ok(itoa::Buffer::new().format(sum).as_bytes().to_vec())
    })?;
    call.changed(&key, Events::HASH, "hincrby");
    call.reply.integer(parse_i64(&sum).unwrap_or_default());
    Ok(Outcome::Done)
}

/// HINCRBYFLOAT key field increment
pub fn hincrbyfloat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let delta = args.at(3);
    add_decimal(b"0", delta).map_err(|error| match error {
        DecimalError::NotAFloat => Error::NotFloat,
        DecimalError::NotFinite => Error::line("ERR value is NaN or Infinity"),
    })?;
    let (key, field) = (call.key(args.at(1)), args.at(2));
    let sum = add(call, &key, field, |value| {
        let sum = match value {
            Some(value) => value.with_bytes(|value| add_decimal(value, delta)),
            None => add_decimal(b"0", delta),
        };
        sum.map_err(|error| {
            Error::line(match error {
                DecimalError::NotAFloat => "ERR hash value is not a float",
                DecimalError::NotFinite => "ERR increment would produce NaN or Infinity",
            })
        })
    })?;
    call.changed(&key, Events::HASH, "hincrbyfloat");
    call.reply.bulk(&sum);
    Ok(Outcome::Done)
}

/// Sets a field to what `sum` makes of its value, and returns that. Its deadline stays.
fn add(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    field: &[u8],
    sum: impl FnOnce(Option<Item<'_>>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let shape = shape(call, key);
    let now_ms = call.now_ms();
    let found = call.held.shard_of(key).hash(key, now_ms)?;
    let value = found.as_ref().and_then(|hash| hash.get(field));
    let has_expired = value.is_some_and(|(_, until)| is_due(until, now_ms));
    if !has_expired && let Some(hash) = found {
        let sum = sum(hash.get(field).map(|(value, _)| value))?;
        hash.set(field, &sum, true, &shape);
        return Ok(sum);
    }
    if has_expired {
        expire_field(call, key, field);
    }
    let sum = sum(None)?;
    make(call, key)?;
    if let Some(hash) = call.held.shard_of(key).hash(key, now_ms)? {
        hash.set(field, &sum, false, &shape);
    }
    Ok(sum)
}
