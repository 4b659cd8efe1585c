//! ZPOPMIN ZPOPMAX ZMPOP, and the pop that all forms share.

use crate::clients::{Place, Taken, TakenList, note_taken};
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::multi_pop::MultiPop;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply, Resp};
use crate::store::sorted_set::{Order, SortedSet};
use crate::store::{Key, Value, WrongType};

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
    let Some(set) = found.filter(|set| count > 0 && !set.is_empty()) else {
        call.reply.empty_array();
        return Ok(Outcome::Done);
    };
    let (reply, taken) = (&mut *call.reply, &mut call.session.taken);
    let wanted = Wanted {
        key: &key,
        order,
        in_pairs: args.len() == 3 && reply.resp() == Resp::V3,
    };
    let len = set.len().min(count);
    reply.array(if wanted.in_pairs { len } else { len * 2 });
    for _ in 0..len {
        wanted.pop_one(set, reply, taken);
    }
    while args.len() == 2 && !set.is_empty() && call.ahead.take(reply, |[]| Some(())).is_some() {
        reply.array(2);
        wanted.pop_one(set, reply, taken);
    }
    let is_drained = set.is_empty();
    members_left(call, &key, wanted.event(), is_drained);
    Ok(Outcome::Done)
}

/// What is to be popped, and how it is shown.
struct Wanted<'a> {
    key: &'a Key<'a>,
    order: Order,
    /// Each member with its score is an array of its own.
    in_pairs: bool,
}

impl Wanted<'_> {
    /// Pops a member into the reply, if there is one, and notes it for who may have to give it back.
    #[inline]
    fn pop_one(&self, set: &mut SortedSet, reply: &mut Reply, taken: &mut Option<TakenList>) {
        set.pop(self.order, |member, score| {
            if self.in_pairs {
                reply.array(2);
            }
            reply.bulk(member);
            reply.double(score);
            if let Some(taken) = taken {
                let message = member.to_vec();
                let place = Place::SortedSet { score };
                note_taken(taken, self.key, Taken { message, place });
            }
        });
    }

    fn event(&self) -> &'static str {
        match self.order {
            Order::Up => "zpopmin",
            Order::Down => "zpopmax",
        }
    }
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
    let (reply, taken) = (&mut *call.reply, &mut call.session.taken);
    let Ok(Some(set)) = call.held.shard_of(key).sorted_set(key, now_ms) else {
        return;
    };
    let wanted = Wanted {
        key,
        order,
        in_pairs,
    };
    for _ in 0..count {
        wanted.pop_one(set, reply, taken);
    }
    let is_drained = set.is_empty();
    members_left(call, key, wanted.event(), is_drained);
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
    shard.watched.changed(key);
}

/// ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]
pub fn zmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = MultiPop::parse(args, 1, parse_order)?;
    if !pop_first(call, args, &wanted)? {
        call.reply.null_array();
    }
    Ok(Outcome::Done)
}

/// Which end ZMPOP and BZMPOP pop from.
pub(super) fn parse_order(word: &[u8]) -> Result<Order> {
    if word.eq_ignore_ascii_case(b"min") {
        Ok(Order::Up)
    } else if word.eq_ignore_ascii_case(b"max") {
        Ok(Order::Down)
    } else {
        Err(Error::Syntax)
    }
}

/// Pops from the first set that has members, if any has.
pub(super) fn pop_first(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    wanted: &MultiPop<Order>,
) -> Result<bool> {
    let len = |call: &mut Call<'_, '_>, key: &Key<'_>| {
        let now_ms = call.now_ms();
        let set = call.shard(key).sorted_set(key, now_ms)?;
        Ok(set.map(|set| set.len()))
    };
    wanted.pop_first(call, args, len, |call, key, len| {
        pop_into_reply(call, key, wanted.from, len, true);
    })
}
