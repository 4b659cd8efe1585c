//! LPUSH RPUSH LPUSHX RPUSHX.

use crate::command::bounds;
use crate::command::call::{Call, keep};
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::End;

use super::{push_event, reply_len};

/// LPUSH key element [element ...]
pub fn lpush(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    push(call, args, End::Front, false)
}

/// RPUSH key element [element ...]
pub fn rpush(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    push(call, args, End::Back, false)
}

/// LPUSHX key element [element ...]
pub fn lpushx(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    push(call, args, End::Front, true)
}

/// RPUSHX key element [element ...]
pub fn rpushx(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    push(call, args, End::Back, true)
}

#[inline]
fn push(call: &mut Call<'_, '_>, args: Args<'_>, end: End, only_if_exists: bool) -> Result {
    let key = call.key(args.at(1));
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let shard = call.held.shard_of(&key);
    if only_if_exists && shard.queue(&key, now_ms)?.is_none() {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    }
    let mut slot = shard.slot_or_new(&key, now_ms)?;
    if slot.queue.governed().is_some() {
        let pushed = bounds::push(call, &key, args, 2, end, None)?;
        return Ok(bounds::reply_pushed(call, &key, pushed, push_event(end)));
    }
    let (is_new, before) = (slot.queue.is_empty(), slot.queue.came());
    for message in args.from(2) {
        let keep = |message: &[u8]| keep(call.carrier, message);
        slot.queue.push_kept(end, message, tick, keep);
    }
    call.reply.integer(reply_len(slot.queue.len()));
    if args.len() == 3 {
        while let Some([message]) = call.ahead.take(call.reply, Some) {
            slot.queue.push(end, message, tick);
            call.reply.integer(reply_len(slot.queue.len()));
        }
    }
    slot.note_came(before);
    shard.watched.changed(&key);
    if is_new {
        call.notify(&key, Events::NEW, "new");
    }
    call.notify(&key, Events::LIST, push_event(end));
    Ok(Outcome::Done)
}
