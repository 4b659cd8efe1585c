//! LMOVE RPOPLPUSH, and the move that their blocking forms share.

use crate::command::bounds;
use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::overflow::QueueOverflow;
use crate::protocol::Args;
use crate::store::{End, Key, Tally};

use super::pop::popped;
use super::{parse_end, push_event};

/// LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>
pub fn lmove(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (from, to) = (parse_end(args.at(3))?, parse_end(args.at(4))?);
    if !transfer(call, args, from, to)? {
        call.reply.null();
    }
    Ok(Outcome::Done)
}

/// RPOPLPUSH source destination
pub fn rpoplpush(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if !transfer(call, args, End::Back, End::Front)? {
        call.reply.null();
    }
    Ok(Outcome::Done)
}

/// Moves one message between the lists that the first two arguments name and replies with it;
/// false where there is none to move.
pub(super) fn transfer(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    from: End,
    to: End,
) -> Result<bool> {
    let (source, destination) = (call.key(args.at(1)), call.key(args.at(2)));
    let (now_ms, tick) = (call.now_ms(), call.tick());
    if bounds::ready_len(call, &source, from, 1)?.is_none() {
        return Ok(false);
    }
    check_transfer(call, &source, &destination, from)?;
    let Some(mut slot) = call.shard(&source).slot(&source, now_ms)? else {
        return Ok(false);
    };
    let before = slot.queue.gone();
    // Its time goes on where it goes.
    let ends_at = if slot.queue.has_ttls() {
        slot.queue.take_ttl(from)
    } else {
        None
    };
    let Some(moved) = slot.queue.pop(from) else {
        return Ok(false);
    };
    slot.note_out(before);
    slot.queue.note_waited(Some(moved.arrival), tick);
    let is_drained = slot.queue.is_empty();
    // A list that is moved from and to itself may be drained only for this moment.
    let is_same = source.name == destination.name;
    let mut slot = call.shard(&destination).slot_or_new(&destination, now_ms)?;
    let is_new = slot.queue.is_empty() && !is_same;
    let before = slot.queue.came();
    slot.queue.push_message(to, moved.message.clone(), tick);
    slot.note_came(before);
    if let Some(ends_at) = ends_at {
        slot.queue.set_ttls([&*moved.message], tick, ends_at);
    }
    let is_governed = slot.queue.governed().is_some();
    match moved.message.shared() {
        Some(shared) => call.reply.bulk_shared(shared),
        None => call.reply.bulk(&moved.message),
    }
    if is_new {
        call.notify(&destination, Events::NEW, "new");
    }
    call.changed(&destination, Events::LIST, push_event(to));
    popped(call, &source, from, is_drained && !is_same);
    if is_governed {
        bounds::keep_bounds(call, &destination, Some(to));
    }
    if ends_at.is_some() {
        bounds::schedule(call, &destination);
    }
    Ok(true)
}

/// Refuses a move to what is no list, or to a list that has no room and refuses.
fn check_transfer(
    call: &mut Call<'_, '_>,
    source: &Key<'_>,
    destination: &Key<'_>,
    from: End,
) -> Result<()> {
    let now_ms = call.now_ms();
    let found = call.shard(destination).queue(destination, now_ms)?;
    let bounds = match found {
        Some(queue) => queue.bounds(),
        None => call.shard(destination).bounds_of_new(destination),
    };
    if bounds.is_none_or(|bounds| bounds.overflow != QueueOverflow::Reject)
        || source.name == destination.name
    {
        return Ok(());
    }
    let mut measured = None;
    loop {
        let moved = call.shard(source).queue(source, now_ms)?;
        let moved = moved.and_then(|queue| queue.peek(from));
        let moved = moved.map(|(message, _)| Tally::one(message.bytes().len()));
        // What made room may have gone to the source.
        if moved == measured {
            return Ok(());
        }
        measured = moved;
        bounds::find_room(call, destination, moved.unwrap_or_default())?;
    }
}
