//! ZRANDMEMBER.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::random::repeat;
use crate::protocol::{Args, Reply};
use crate::store::sorted_set::Order;

use super::{open_members, parse_integer, write_member};

/// ZRANDMEMBER key [count [WITHSCORES]]
pub fn zrandmember(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = parse(args)?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).sorted_set(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    let engine = call.engine;
    let mut below = |bound: usize| {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(engine.random() % bound).unwrap_or(0)
    };
    let reply = &mut *call.reply;
    match (found, wanted) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.empty_array(),
        (Some(set), None) => {
            let rank = below(set.len());
            set.walk(rank, 1, Order::Up, |member, _| reply.bulk(member));
        }
        (Some(set), Some((count, with_scores))) => {
            let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            let write = |reply: &mut Reply, rank: usize| {
                set.walk(rank, 1, Order::Up, |member, score| {
                    write_member(reply, member, score, with_scores);
                });
            };
            if count < 0 {
                let open = |reply: &mut Reply| open_members(reply, wanted, with_scores);
                repeat(reply, wanted, open, |reply| write(reply, below(set.len())))?;
            } else {
                let ranks = draw(set.len(), wanted, &mut below);
                open_members(reply, ranks.len(), with_scores);
                for rank in ranks {
                    write(reply, rank);
                }
            }
        }
    }
    call.looked_up(&key, is_found);
    Ok(Outcome::Done)
}

/// The count, if one is given, and whether scores are wanted.
fn parse(args: Args<'_>) -> Result<Option<(i64, bool)>> {
    if args.len() == 2 {
        return Ok(None);
    }
    let count = parse_integer(args.at(2))?;
    if count == i64::MIN {
        return Err(Error::text(
            "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_scores = args.len() == 4;
    if args.len() > 4 || with_scores && !args.at(3).eq_ignore_ascii_case(b"withscores") {
        return Err(Error::Syntax);
    }
    if with_scores && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(Error::OutOfRange);
    }
    Ok(Some((count, with_scores)))
}

/// The ranks to show of `len`: as many different ones as there are up to `wanted`.
fn draw(len: usize, wanted: usize, below: &mut impl FnMut(usize) -> usize) -> Vec<usize> {
    if wanted >= len {
        // From the highest score down, as Redis shows a whole set.
        return (0..len).rev().collect();
    }
    // Each step settles one place: a shuffle that stops early where few are wanted of many.
    if wanted * 3 >= len {
        let mut ranks: Vec<usize> = (0..len).collect();
        for at in 0..wanted {
            let other = at + below(len - at);
            ranks.swap(at, other);
        }
        ranks.truncate(wanted);
        return ranks;
    }
    let mut taken = hashbrown::HashSet::<usize, ahash::RandomState>::default();
    let mut ranks = Vec::with_capacity(wanted);
    while ranks.len() < wanted {
        let rank = below(len);
        if taken.insert(rank) {
            ranks.push(rank);
        }
    }
    ranks
}
