//! LSET LINSERT LREM LTRIM.

use crate::command::bounds;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::{Cause, End, Key, Tally};

use super::{parse_index, position, reply_len, span};

/// LSET key index element
pub fn lset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let mut slot = call
        .shard(&key)
        .slot(&key, now_ms)?
        .ok_or(Error::NoSuchKey)?;
    let index = parse_index(args.at(2))?;
    let position = position(index, slot.queue.len()).ok_or(Error::IndexOutOfRange)?;
    let before = (slot.queue.came(), slot.queue.gone());
    let governed_by = slot.queue.bounds();
    if governed_by.is_some() {
        let old = slot.queue.get(position).map_or(0, |old| old.bytes().len());
        let (old, new) = (Tally::one(old), Tally::one(args.at(3).len()));
        bounds::check_room(key.name, Some(slot.queue), governed_by, new, old)?;
        if bounds::turn_away(call, &key, args.at(3), old)? {
            call.reply.ok();
            return Ok(Outcome::Done);
        }
        slot = call.shard(&key).slot_or_new(&key, now_ms)?;
    }
    slot.queue.set(position, args.at(3));
    slot.note_came(before.0);
    // LOSS: removed
    slot.note_lost(Cause::Removed, before.1);
    if governed_by.is_some() {
        bounds::keep_bounds(call, &key, None);
    }
    call.changed(&key, Events::LIST, "lset");
    call.reply.ok();
    Ok(Outcome::Done)
}

/// LINSERT key <BEFORE | AFTER> pivot element
pub fn linsert(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is_after = if args.at(2).eq_ignore_ascii_case(b"after") {
        true
    } else if args.at(2).eq_ignore_ascii_case(b"before") {
        false
    } else {
        return Err(Error::Syntax);
    };
    let key = call.key(args.at(1));
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let adding = Tally::one(args.at(4).len());
    bounds::make_room(call, &key, adding);
    let Some(mut slot) = call.shard(&key).slot(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let Some(pivot) = slot
        .queue
        .iter()
        .position(|message| message.bytes() == args.at(3))
    else {
        call.reply.integer(-1);
        return Ok(Outcome::Done);
    };
    let (before, governed_by) = (slot.queue.came(), slot.queue.bounds());
    bounds::check_room(
        key.name,
        Some(slot.queue),
        governed_by,
        adding,
        Tally::default(),
    )?;
    if governed_by.is_some() {
        let is_gone = bounds::turn_away(call, &key, args.at(4), Tally::default())?;
        slot = call.shard(&key).slot_or_new(&key, now_ms)?;
        if is_gone {
            let len = reply_len(slot.queue.len());
            call.reply.integer(len);
            return Ok(Outcome::Done);
        }
    }
    let at = pivot + usize::from(is_after);
    slot.queue.insert_before(at, args.at(4), tick);
    slot.note_came(before);
    let mut len = reply_len(slot.queue.len());
    call.changed(&key, Events::LIST, "linsert");
    if governed_by.is_some() {
        bounds::keep_bounds(call, &key, None);
        let left = call.shard(&key).queue(&key, now_ms)?;
        len = left.map_or(0, |queue| reply_len(queue.len()));
    }
    call.reply.integer(len);
    Ok(Outcome::Done)
}

/// LREM key count element
pub fn lrem(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let count = parse_index(args.at(2))?;
    if count == i64::MIN {
        return Err(Error::text(
            "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let key = call.key(args.at(1));
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let Some(mut slot) = call.shard(&key).slot(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let end = if count < 0 { End::Back } else { End::Front };
    let limit = match count.unsigned_abs() {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let before = slot.queue.gone();
    let removed = slot
        .queue
        .remove_matching(args.at(3), end, limit, |_, _| {});
    // LOSS: removed
    slot.note_lost(Cause::Removed, before);
    slot.queue.note_active(tick);
    let is_drained = slot.queue.is_empty();
    if removed > 0 {
        call.changed(&key, Events::LIST, "lrem");
        remove_drained(call, &key, is_drained);
    }
    call.reply.integer(reply_len(removed));
    Ok(Outcome::Done)
}

/// LTRIM key start stop
pub fn ltrim(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (start, stop) = (parse_index(args.at(2))?, parse_index(args.at(3))?);
    let key = call.key(args.at(1));
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let Some(mut slot) = call.shard(&key).slot(&key, now_ms)? else {
        call.reply.ok();
        return Ok(Outcome::Done);
    };
    let (len, before) = (slot.queue.len(), slot.queue.gone());
    let (first, kept) = span(start, stop, len).unwrap_or((len, 0));
    let _ = slot.queue.drop_at(End::Front, first);
    let _ = slot.queue.drop_at(End::Back, len - first - kept);
    // LOSS: trimmed
    slot.note_lost(Cause::Trimmed, before);
    slot.queue.note_active(tick);
    let is_drained = slot.queue.is_empty();
    call.changed(&key, Events::LIST, "ltrim");
    remove_drained(call, &key, is_drained);
    call.reply.ok();
    Ok(Outcome::Done)
}

fn remove_drained(call: &mut Call<'_, '_>, key: &Key<'_>, is_drained: bool) {
    if is_drained {
        call.shard(key).remove_drained(key);
        call.notify(key, Events::GENERIC, "del");
    }
}
