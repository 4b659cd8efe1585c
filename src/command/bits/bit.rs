//! SETBIT GETBIT.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::string::announce_change;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::{Key, Text, Value};

use super::{parse_offset, read};

/// SETBIT key offset value
pub fn setbit(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let offset = parse_offset(call, args.at(2))?;
    let is_set = match parse_i64(args.at(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::text("bit is not an integer or out of range")),
    };
    let key = call.key(args.at(1));
    let byte = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
    let grown = grow(call, &key, byte + 1)?;
    let now_ms = call.now_ms();
    let Some(text) = call.held.shard_of(&key).text(&key, now_ms)? else {
        return Ok(Outcome::Done);
    };
    let mask = 0x80 >> (offset & 7);
    let bytes = text.make_own();
    let was_set = bytes[byte] & mask != 0;
    if is_set {
        bytes[byte] |= mask;
    } else {
        bytes[byte] &= !mask;
    }
    if grown != Grown::No || was_set != is_set {
        announce_change(call, &key, grown == Grown::New, "setbit");
    }
    call.reply.integer(i64::from(was_set));
    Ok(Outcome::Done)
}

/// What became of a string that had to have a length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grown {
    /// It had that length.
    No,
    /// It is longer now.
    Longer,
    /// There was none.
    New,
}

/// Makes the string at a key at least `len` bytes long, and changed in place.
pub(super) fn grow(call: &mut Call<'_, '_>, key: &Key<'_>, len: usize) -> Result<Grown> {
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(key);
    let Some(text) = shard.text(key, now_ms)? else {
        let text = Text::padded(len, b"");
        shard.insert_new(key, Value::Text(text), None);
        return Ok(Grown::New);
    };
    let bytes = text.make_own();
    if bytes.len() >= len {
        return Ok(Grown::No);
    }
    bytes.resize(len, 0);
    Ok(Grown::Longer)
}

/// GETBIT key offset
pub fn getbit(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let offset = parse_offset(call, args.at(2))?;
    let key = call.key(args.at(1));
    let byte = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
    let is_set = read(call, &key, |bytes| {
        let byte = bytes.and_then(|bytes| bytes.get(byte)).unwrap_or(&0);
        byte & (0x80 >> (offset & 7)) != 0
    })?;
    call.reply.integer(i64::from(is_set));
    Ok(Outcome::Done)
}
