//! BZPOPMIN BZPOPMAX BZMPOP: try what the plain form does and, where there is nothing, ask to wait.

use crate::command::call::Call;
use crate::command::list::parse_timeout;
use crate::command::multi_pop::MultiPop;
use crate::command::outcome::{Block, Outcome, Result};
use crate::protocol::Args;
use crate::store::Kind;
use crate::store::sorted_set::Order;

use super::pop::{parse_order, pop_first, pop_into_reply};

/// BZPOPMIN key [key ...] timeout
pub fn bzpopmin(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop_or_wait(call, args, Order::Up)
}

/// BZPOPMAX key [key ...] timeout
pub fn bzpopmax(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop_or_wait(call, args, Order::Down)
}

fn pop_or_wait(call: &mut Call<'_, '_>, args: Args<'_>, order: Order) -> Result {
    let last = args.len() - 1;
    let timeout_us = parse_timeout(args.at(last))?;
    for name in args.head(last).from(1) {
        let key = call.key(name);
        let now_ms = call.now_ms();
        if call.shard(&key).sorted_set(&key, now_ms)?.is_some() {
            call.reply.array(3);
            call.reply.bulk(name);
            pop_into_reply(call, &key, order, 1, false);
            return Ok(Outcome::Done);
        }
    }
    Ok(Block::new(Kind::SortedSet, (1..last).collect(), timeout_us).into())
}

/// BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]
pub fn bzmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = MultiPop::parse(args, 2, parse_order)?;
    let timeout_us = parse_timeout(args.at(1))?;
    if pop_first(call, args, &wanted)? {
        return Ok(Outcome::Done);
    }
    Ok(Block::new(Kind::SortedSet, wanted.keys(), timeout_us).into())
}
