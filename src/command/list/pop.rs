//! LPOP RPOP LMPOP, and the pop that all forms share.

use crate::clients::{Place, Taken};
use crate::command::bounds;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::{End, Key, WaitKey};

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
        if bounds::ready_len(call, &key)?.is_some() {
            pop_into_reply(call, &key, end, 1);
        } else {
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
    let Some(len) = bounds::ready_len(call, &key)? else {
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

/// Pops `count` messages, of which the list has as many, straight into the reply; removes the key
/// of a drained list, and tells of both.
pub(super) fn pop_into_reply(call: &mut Call<'_, '_>, key: &Key<'_>, end: End, count: usize) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let taken = &mut call.session.taken;
    let reply = &mut *call.reply;
    let Ok(Some(mut slot)) = call.held.shard_of(key).slot(key, now_ms) else {
        return;
    };
    let before = slot.queue.gone();
    let has_ttls = slot.queue.has_ttls();
    for _ in 0..count {
        if has_ttls {
            slot.queue.forget_ttl(end);
        }
        let arrival = slot.queue.pop_with(end, |message, arrival| {
            match message.shared() {
                Some(shared) => reply.bulk_shared(shared),
                None => reply.bulk(message.bytes()),
            }
            if let Some(taken) = taken {
                let message = message.bytes().to_vec();
                taken.push(Taken {
                    key: WaitKey::from(key),
                    message,
                    place: Place::Queue { end, arrival },
                });
            }
            arrival
        });
        slot.queue.note_waited(arrival, tick);
    }
    slot.note_out(before);
    let is_drained = slot.queue.is_empty();
    popped(call, key, end, is_drained);
}

/// Tells of a pop, and removes the key of a drained list.
pub(super) fn popped(call: &mut Call<'_, '_>, key: &Key<'_>, end: End, is_drained: bool) {
    call.changed(key, Events::LIST, pop_event(end));
    if is_drained {
        call.shard(key).remove_drained(key);
        call.notify(key, Events::GENERIC, "del");
    }
}

/// LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]
pub fn lmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = MultiPop::parse(args, 1)?;
    if wanted.try_pop(call, args)? {
        return Ok(Outcome::Done);
    }
    call.reply.null_array();
    Ok(Outcome::Done)
}

/// The arguments of LMPOP and BLMPOP.
#[derive(Debug)]
pub(super) struct MultiPop {
    /// Position of the first key.
    pub first_key: usize,
    /// How many keys there are.
    pub keys_len: usize,
    end: End,
    count: usize,
}

impl MultiPop {
    /// Reads them from the count of keys at position `at` on.
    pub fn parse(args: Args<'_>, at: usize) -> Result<Self> {
        let positive = |argument| {
            parse_i64(argument)
                .filter(|&n| n > 0)
                .and_then(|n| usize::try_from(n).ok())
        };
        let keys_len = positive(args.at(at));
        let keys_len = keys_len.ok_or_else(|| Error::text("numkeys should be greater than 0"))?;
        let first_key = at + 1;
        let end_at = first_key.checked_add(keys_len).ok_or(Error::Syntax)?;
        let end = parse_end(args.get(end_at).ok_or(Error::Syntax)?)?;
        let mut count = None;
        let mut options = args.from(end_at + 1);
        while let Some(option) = options.next() {
            if count.is_some() || !option.eq_ignore_ascii_case(b"count") {
                return Err(Error::Syntax);
            }
            let value = options.next().ok_or(Error::Syntax)?;
            let value = positive(value);
            count = Some(value.ok_or_else(|| Error::text("count should be greater than 0"))?);
        }
        Ok(Self {
            first_key,
            keys_len,
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Pops from the first list that has messages, if any has.
    pub fn try_pop(&self, call: &mut Call<'_, '_>, args: Args<'_>) -> Result<bool> {
        for name in args.from(self.first_key).take(self.keys_len) {
            let key = call.key(name);
            let Some(len) = bounds::ready_len(call, &key)? else {
                continue;
            };
            let len = len.min(self.count);
            call.reply.array(2);
            call.reply.bulk(name);
            call.reply.array(len);
            pop_into_reply(call, &key, self.end, len);
            return Ok(true);
        }
        Ok(false)
    }
}
