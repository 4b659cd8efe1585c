//! LPOP RPOP LMPOP, and the pop that all forms share.

use crate::clients::{Place, Taken, TakenList, note_taken};
use crate::command::bounds;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::multi_pop::MultiPop;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::{End, Key, Slot};

use super::{parse_end, pop_event};

/// LPOP key [count]
pub fn lpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop(call, args, End::Front)
}

/// RPOP key [count]
pub fn rpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop(call, args, End::Back)
}

#[inline]
fn pop(call: &mut Call<'_, '_>, args: Args<'_>, end: End) -> Result {
    let key = call.key(args.at(1));
    if args.len() == 2 {
        if !pop_one(call, &key, end, |_| ())? {
            call.reply.null();
        }
        return Ok(Outcome::Done);
    }
    if args.len() > 3 {
        let name = if end == End::Front { "lpop" } else { "rpop" };
        return Err(Error::Arity(name.into()));
    }
    let count = parse_i64(args.at(2)).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or_else(|| Error::text("value is out of range, must be positive"))?;
    let Some(len) = bounds::ready_len(call, &key, end, count)? else {
        call.reply.null_array();
        return Ok(Outcome::Done);
    };
    let len = len.min(count);
    call.reply.array(len);
    if len > 0 {
        pop_into_reply(call, &key, end, len);
    }
    Ok(Outcome::Done)
}

/// Pops one message into the reply, behind what `head` writes; says whether there was one. A queue
/// that no policy governs is looked up once.
#[inline]
pub(super) fn pop_one(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    end: End,
    head: impl FnOnce(&mut Reply),
) -> Result<bool> {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let shard = call.held.shard_of(key);
    let Some(slot) = shard.slot(key, now_ms)? else {
        return Ok(false);
    };
    if slot.queue.is_plain() {
        head(call.reply);
        let (taken, ahead) = (&mut call.session.taken, &mut call.ahead);
        let goes_on = |reply: &Reply| ahead.take(reply, |[]| Some(())).is_some();
        let wanted = Wanted {
            key,
            end,
            count: 1,
            tick,
        };
        let is_drained = take(slot, &wanted, call.reply, taken, goes_on);
        shard.watched.changed(key);
        call.notify(key, Events::LIST, pop_event(end));
        if is_drained {
            remove_drained(call, key);
        }
        return Ok(true);
    }
    let is_there = bounds::ready_len(call, key, end, 1)?.is_some();
    if is_there {
        head(call.reply);
        pop_into_reply(call, key, end, 1);
    }
    Ok(is_there)
}

/// Pops `count` messages, of which the list has as many, straight into the reply; removes the key
/// of a drained list, and tells of both.
pub(super) fn pop_into_reply(call: &mut Call<'_, '_>, key: &Key<'_>, end: End, count: usize) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let Ok(Some(slot)) = call.held.shard_of(key).slot(key, now_ms) else {
        return;
    };
    let taken = &mut call.session.taken;
    let wanted = Wanted {
        key,
        end,
        count,
        tick,
    };
    let is_drained = take(slot, &wanted, call.reply, taken, |_| false);
    popped(call, key, end, is_drained);
}

/// What is to be popped, and when.
struct Wanted<'a> {
    key: &'a Key<'a>,
    end: End,
    /// As many as the queue has, or fewer.
    count: usize,
    tick: u64,
}

/// Takes messages off a queue into the reply, and then one at a time while it `goes_on`, and
/// notes them for who may have to give them back; says whether none is left.
#[inline]
fn take(
    mut slot: Slot<'_>,
    wanted: &Wanted<'_>,
    reply: &mut Reply,
    taken: &mut Option<TakenList>,
    mut goes_on: impl FnMut(&Reply) -> bool,
) -> bool {
    let &Wanted { key, end, tick, .. } = wanted;
    let before = slot.queue.gone();
    let has_ttls = slot.queue.has_ttls();
    let mut left = wanted.count;
    while left > 0 {
        left -= 1;
        if has_ttls {
            slot.queue.take_ttl(end);
        }
        let arrival = slot.queue.pop_with(end, |message, arrival| {
            match message.shared() {
                Some(shared) => reply.bulk_shared(shared),
                None => reply.bulk(message.bytes()),
            }
            if let Some(taken) = taken {
                let message = message.bytes().to_vec();
                let place = Place::Queue { end, arrival };
                note_taken(taken, key, Taken { message, place });
            }
            arrival
        });
        slot.queue.note_waited(arrival, tick);
        if left == 0 && !slot.queue.is_empty() && goes_on(reply) {
            left = 1;
        }
    }
    slot.note_out(before);
    slot.queue.is_empty()
}

/// Tells of a pop, and removes the key of a drained list.
pub(super) fn popped(call: &mut Call<'_, '_>, key: &Key<'_>, end: End, is_drained: bool) {
    call.changed(key, Events::LIST, pop_event(end));
    if is_drained {
        remove_drained(call, key);
    }
}

fn remove_drained(call: &mut Call<'_, '_>, key: &Key<'_>) {
    call.shard(key).remove_drained(key);
    call.notify(key, Events::GENERIC, "del");
}

/// LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]
pub fn lmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = MultiPop::parse(args, 1, parse_end)?;
    if !pop_first(call, args, &wanted)? {
        call.reply.null_array();
    }
    Ok(Outcome::Done)
}

/// Pops from the first list that has messages, if any has.
pub(super) fn pop_first(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    wanted: &MultiPop<End>,
) -> Result<bool> {
    let len = |call: &mut Call<'_, '_>, key: &Key<'_>| {
        bounds::ready_len(call, key, wanted.from, wanted.count)
    };
    wanted.pop_first(call, args, len, |call, key, len| {
        pop_into_reply(call, key, wanted.from, len);
    })
}
