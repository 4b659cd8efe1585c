//! ZPOPMIN ZPOPMAX ZMPOP, and the pop that all forms share.

use crate::clients::{Place, Taken};
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Resp};
use crate::store::sorted_set::{Order, SortedSet};
use crate::store::{Key, Value, WaitKey, WrongType};

use super::{limits, members_left};

/// ZPOPMIN key [count]
pub fn zpopmin(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop(call, args, Order::Up)
}

/// ZPOPMAX key [count]
pub fn zpopmax(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop(call, args, Order::Down)
}

#[inline]
fn pop(call: &mut Call<'_, '_>, args: Args<'_>, order: Order) -> Result {
    let count = match args.len() {
        2 => 1,
        3 => parse_i64(args.at(2))
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| Error::text("value is out of range, must be positive"))?,
        _ => return Err(Error::Syntax),
    };
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).sorted_set(&key, now_ms)?;
    let len = found.map_or(0, |set| set.len().min(count));
    if len == 0 {
        call.reply.empty_array();
        return Ok(Outcome::Done);
    }
    let in_pairs = args.len() == 3 && call.reply.resp() == Resp::V3;
    call.reply.array(if in_pairs { len } else { len * 2 });
    pop_into_reply(call, &key, order, len, in_pairs);
    Ok(Outcome::Done)
}

/// Pops `count` members, of which the set has as many, straight into the reply; removes the key of
/// a drained set, and tells of both.
pub(super) fn pop_into_reply(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    order: Order,
    count: usize,
    in_pairs: bool,
) {
    let now_ms = call.now_ms();
    let taken = &mut call.session.taken;
    let reply = &mut *call.reply;
    let Ok(Some(set)) = call.held.shard_of(key).sorted_set(key, now_ms) else {
        return;
    };
    for _ in 0..count {
        set.pop(order, |member, score| {
            if in_pairs {
                reply.array(2);
            }
            reply.bulk(member);
            reply.double(score);
            if let Some(taken) = taken {
                taken.push(Taken {
                    key: WaitKey::from(key),
                    message: member.to_vec(),
                    place: Place::SortedSet { score },
                });
            }
        });
    }
    let is_drained = set.is_empty();
    let event = match order {
        Order::Up => "zpopmin",
        Order::Down => "zpopmax",
    };
    members_left(call, key, event, is_drained);
}

/// Puts a member back that was popped for a client who went before its reply was written, unless it
/// has come again meanwhile. Where the key holds another type by now it has no place.
pub(in crate::command) fn give_back(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    member: &[u8],
    score: f64,
) {
    let (now_ms, limits) = (call.now_ms(), limits(call));
    let shard = call.shard(key);
    match shard.sorted_set(key, now_ms) {
        Ok(Some(set)) => {
            set.update(member, limits, |old| old.is_none().then_some(score));
        }
        Ok(None) => {
            let mut set = SortedSet::sized(1, member.len(), limits);
            set.insert(member, score, limits);
            shard.insert_new(key, Value::SortedSet(Box::new(set)), None);
        }
        Err(WrongType) => return,
    }
    shard.mark_ready(key);
}

/// ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]
pub fn zmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = MultiPop::parse(args, 1)?;
    if !wanted.try_pop(call, args)? {
        call.reply.null_array();
    }
    Ok(Outcome::Done)
}

/// The arguments of ZMPOP and BZMPOP.
#[derive(Debug)]
pub(super) struct MultiPop {
    /// Position of the first key.
    pub first_key: usize,
    /// How many keys there are.
    pub keys_len: usize,
    order: Order,
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
        let order_at = first_key.checked_add(keys_len).ok_or(Error::Syntax)?;
        let word = args.get(order_at).ok_or(Error::Syntax)?;
        let order = if word.eq_ignore_ascii_case(b"min") {
            Order::Up
        } else if word.eq_ignore_ascii_case(b"max") {
            Order::Down
        } else {
            return Err(Error::Syntax);
        };
        let mut count = None;
        let mut options = args.from(order_at + 1);
        while let Some(option) = options.next() {
            if count.is_some() || !option.eq_ignore_ascii_case(b"count") {
                return Err(Error::Syntax);
            }
            let value = positive(options.next().ok_or(Error::Syntax)?);
            count = Some(value.ok_or_else(|| Error::text("count should be greater than 0"))?);
        }
        Ok(Self {
            first_key,
            keys_len,
            order,
            count: count.unwrap_or(1),
        })
    }

    /// Pops from the first set that has members, if any has.
    pub fn try_pop(&self, call: &mut Call<'_, '_>, args: Args<'_>) -> Result<bool> {
        for name in args.from(self.first_key).take(self.keys_len) {
            let key = call.key(name);
            let now_ms = call.now_ms();
            let Some(set) = call.shard(&key).sorted_set(&key, now_ms)? else {
                continue;
            };
            let len = set.len().min(self.count);
            call.reply.array(2);
            call.reply.bulk(name);
            call.reply.array(len);
            pop_into_reply(call, &key, self.order, len, true);
            return Ok(true);
        }
        Ok(false)
    }
}
