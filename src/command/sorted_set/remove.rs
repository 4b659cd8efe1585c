//! ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX.

use std::ops::Range;

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::store::sorted_set::SortedSet;

use super::{bounds, members_left, parse_integer, reply_len};

/// ZREM key member [member ...]
pub fn zrem(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let (mut removed, mut is_drained) = (0, false);
    if let Some(set) = call.held.shard_of(&key).sorted_set(&key, now_ms)? {
        call.ahead.ask(set, 2);
        for member in args.from(2) {
            removed += i64::from(set.remove(member).is_some());
            if set.is_empty() {
                is_drained = true;
                break;
            }
        }
    }
    call.reply.integer(removed);
    if removed > 0 {
        members_left(call, &key, "zrem", is_drained);
    }
    Ok(Outcome::Done)
}

/// ZREMRANGEBYRANK key start stop
pub fn zremrangebyrank(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (start, stop) = (parse_integer(args.at(2))?, parse_integer(args.at(3))?);
    remove_part(call, args, "zremrangebyrank", |set| {
        bounds::ranks(start, stop, set.len())
    })
}

/// ZREMRANGEBYSCORE key min max
pub fn zremrangebyscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let range = bounds::parse_scores(args.at(2), args.at(3))?;
    remove_part(call, args, "zremrangebyscore", |set| {
        set.ranks_by_score(&range)
    })
}

/// ZREMRANGEBYLEX key min max
pub fn zremrangebylex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let range = bounds::parse_members(args.at(2), args.at(3))?;
    remove_part(call, args, "zremrangebylex", |set| {
        set.ranks_by_member(&range)
    })
}

fn remove_part(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    event: &str,
    part: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(set) = call.held.shard_of(&key).sorted_set(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let ranks = part(set);
    let removed = ranks.len();
    set.remove_ranks(ranks);
    let is_drained = set.is_empty();
    call.reply.integer(reply_len(removed));
    if removed > 0 {
        members_left(call, &key, event, is_drained);
    }
    Ok(Outcome::Done)
}
