//! ZSCORE ZMSCORE ZCARD ZCOUNT ZLEXCOUNT ZRANK ZREVRANK.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::store::sorted_set::{Order, SortedSet};

use super::{bounds, reply_len};

/// What `ask` gets from the set at the first key, if there is one. Counts the look-up.
#[inline]
fn look<R>(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    ask: impl FnOnce(&SortedSet) -> R,
) -> Result<Option<R>> {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).sorted_set(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let answer = found.map(|set| ask(set));
    call.looked_up(&key, answer.is_some());
    Ok(answer)
}

/// ZSCORE key member
pub fn zscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    match look(call, args, |set| set.score(args.at(2)))?.flatten() {
        Some(score) => call.reply.double(score),
        None => call.reply.null(),
    }
    Ok(Outcome::Done)
}

/// ZMSCORE key member [member ...]
pub fn zmscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).sorted_set(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    call.reply.array(args.len() - 2);
    for member in args.from(2) {
        match found.as_ref().and_then(|set| set.score(member)) {
            Some(score) => call.reply.double(score),
            None => call.reply.null(),
        }
    }
    let is_found = found.is_some();
    call.looked_up(&key, is_found);
    Ok(Outcome::Done)
}

/// ZCARD key
pub fn zcard(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let len = look(call, args, SortedSet::len)?;
    call.reply.integer(reply_len(len.unwrap_or(0)));
    Ok(Outcome::Done)
}

/// ZCOUNT key min max
pub fn zcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let range = bounds::parse_scores(args.at(2), args.at(3))?;
    let len = look(call, args, |set| set.ranks_by_score(&range).len())?;
    call.reply.integer(reply_len(len.unwrap_or(0)));
    Ok(Outcome::Done)
}

/// ZLEXCOUNT key min max
pub fn zlexcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let range = bounds::parse_members(args.at(2), args.at(3))?;
    let len = look(call, args, |set| set.ranks_by_member(&range).len())?;
    call.reply.integer(reply_len(len.unwrap_or(0)));
    Ok(Outcome::Done)
}

/// ZRANK key member [WITHSCORE]
pub fn zrank(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    rank(call, args, "zrank", Order::Up)
}

/// ZREVRANK key member [WITHSCORE]
pub fn zrevrank(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    rank(call, args, "zrevrank", Order::Down)
}

fn rank(call: &mut Call<'_, '_>, args: Args<'_>, name: &'static str, order: Order) -> Result {
    if args.len() > 4 {
        return Err(Error::Arity(name.into()));
    }
    let with_score = args.len() == 4;
    if with_score && !args.at(3).eq_ignore_ascii_case(b"withscore") {
        return Err(Error::Syntax);
    }
    let found = look(call, args, |set| {
        let (rank, score) = set.rank(args.at(2))?;
        let rank = match order {
            Order::Up => rank,
            Order::Down => set.len() - 1 - rank,
        };
        Some((reply_len(rank), score))
    })?;
    match found.flatten() {
        Some((rank, score)) if with_score => {
            call.reply.array(2);
            call.reply.integer(rank);
            call.reply.double(score);
        }
        Some((rank, _)) => call.reply.integer(rank),
        None if with_score => call.reply.null_array(),
        None => call.reply.null(),
    }
    Ok(Outcome::Done)
}
