//! APPEND STRLEN GETRANGE SUBSTR SETRANGE.

use std::ops::Range;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::store::{Text, Value};

use super::{announce_change, check_len, parse_integer, read, reply_len};

/// APPEND key value
pub fn append(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let value = args.at(2);
    let now_ms = call.now_ms();
    let old_len = call.shard(&key).text(&key, now_ms)?.map(|text| text.len());
    check_len(call, old_len.unwrap_or(0).saturating_add(value.len()))?;
    let shard = call.held.shard_of(&key);
    let len = if let Some(text) = shard.text(&key, now_ms)? {
        text.append(value)
    } else {
        shard.insert_new(&key, Value::Text(Text::new(value)), None);
        value.len()
    };
    announce_change(call, &key, old_len.is_none(), "append");
    call.reply.integer(reply_len(len));
    Ok(Outcome::Done)
}

/// STRLEN key
pub fn strlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    read(call, &key, |reply, text| {
        reply.integer(reply_len(text.map_or(0, |text| text.len())));
    })?;
    Ok(Outcome::Done)
}

/// GETRANGE key start end
/// SUBSTR key start end
pub fn getrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (start, end) = (parse_integer(args.at(2))?, parse_integer(args.at(3))?);
    let key = call.key(args.at(1));
    read(call, &key, |reply, text| {
        let Some(text) = text else {
            reply.bulk(b"");
            return;
        };
        let part = part(start, end, text.len());
        match text.shared() {
            Some(shared) => reply.bulk_part(shared, part),
            None => text.with_bytes(|bytes| reply.bulk(&bytes[part])),
        }
    })?;
    Ok(Outcome::Done)
}

/// The part of a string of `len` bytes between two positions, both included and perhaps counted
/// from the end. An end before the beginning means the first byte, unless both count from the end
/// and the wrong way round.
fn part(start: i64, end: i64, len: usize) -> Range<usize> {
    let position = |index: i64| {
        if index < 0 {
            index.saturating_add(reply_len(len)).max(0)
        } else {
            index
        }
    };
    let is_backward = start < 0 && end < 0 && start > end;
    let (first, last) = (position(start), position(end).min(reply_len(len) - 1));
    if is_backward || first > last {
        return 0..0;
    }
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    at(first)..at(last) + 1
}

/// SETRANGE key offset value
pub fn setrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let offset = usize::try_from(parse_integer(args.at(2))?)
        .map_err(|_| Error::line("ERR offset is out of range"))?;
    let key = call.key(args.at(1));
    let value = args.at(3);
    let now_ms = call.now_ms();
    let old_len = call.shard(&key).text(&key, now_ms)?.map(|text| text.len());
    if value.is_empty() {
        call.reply.integer(reply_len(old_len.unwrap_or(0)));
        return Ok(Outcome::Done);
    }
    check_len(call, offset.saturating_add(value.len()))?;
    let shard = call.held.shard_of(&key);
    let len = if let Some(text) = shard.text(&key, now_ms)? {
        text.write_at(offset, value)
    } else {
        shard.insert_new(&key, Value::Text(Text::padded(offset, value)), None);
        offset + value.len()
    };
    announce_change(call, &key, old_len.is_none(), "setrange");
    call.reply.integer(reply_len(len));
    Ok(Outcome::Done)
}
