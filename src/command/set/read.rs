//! SISMEMBER SMISMEMBER SMEMBERS SCARD SSCAN.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::command::scan::{Page, answer_nothing, answer_page, parse_cursor};
use crate::protocol::{Args, Reply};
use crate::store::Set;

use super::{answer, reply_len};

/// Gives the set at the key that the first argument names to `write`, and counts the look-up.
#[inline]
fn show(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    write: impl FnOnce(&mut Reply, Option<&Set>),
) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let reply = &mut *call.reply;
    let found = call.held.shard_of(&key).set(&key, now_ms).map(|set| {
        let is_found = set.is_some();
        write(reply, set.map(|set| &*set));
        is_found
    });
    call.looked_up(&key, found != Ok(false));
    found?;
    Ok(Outcome::Done)
}

/// SISMEMBER key member
pub fn sismember(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, set| {
        let is_member = set.is_some_and(|set| set.contains(args.at(2)));
        reply.integer(i64::from(is_member));
    })
}

/// SMISMEMBER key member [member ...]
pub fn smismember(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, set| {
        reply.array(args.len() - 2);
        for member in args.from(2) {
            let is_member = set.is_some_and(|set| set.contains(member));
            reply.integer(i64::from(is_member));
        }
    })
}

/// SMEMBERS key
pub fn smembers(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, set| {
        reply.set(set.map_or(0, Set::len));
        for member in set.into_iter().flatten() {
            answer(reply, member);
        }
    })
}

/// SCARD key
pub fn scard(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, |reply, set| {
        reply.integer(reply_len(set.map_or(0, Set::len)));
    })
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]
pub fn sscan(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let cursor = parse_cursor(args.at(2))?;
    let mut refusal = None;
    let outcome = show(call, args, |reply, set| {
        let Some(set) = set else {
            return answer_nothing(reply);
        };
        let page = match Page::parse(args, false) {
            Ok(page) => page,
            Err(error) => {
                refusal = Some(error);
                return;
            }
        };
        answer_page(reply, |reply| {
            let mut len = 0;
            let next = set.scan(cursor, page.count, |member| {
                if member.with_bytes(|member| page.takes(member)) {
                    answer(reply, member);
                    len += 1;
                }
            });
            (next, len)
        });
    })?;
    refusal.map_or(Ok(outcome), Err)
}
