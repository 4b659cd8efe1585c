//! TTL PTTL EXPIRETIME PEXPIRETIME.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;

/// TTL key
pub fn ttl(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    answer(call, args, |deadline_ms| {
        to_seconds(deadline_ms.saturating_sub(now_ms))
    })
}

/// PTTL key
pub fn pttl(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    answer(call, args, |deadline_ms| deadline_ms.saturating_sub(now_ms))
}

/// EXPIRETIME key
pub fn expiretime(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    answer(call, args, to_seconds)
}

/// PEXPIRETIME key
pub fn pexpiretime(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    answer(call, args, |deadline_ms| deadline_ms)
}

/// Rounded to the nearest second, as clients of TTL expect right after EXPIRE.
fn to_seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

/// Answers with what `show` makes of the key's deadline; -1 without one, -2 without the key.
fn answer(call: &mut Call<'_, '_>, args: Args<'_>, show: impl Fn(u64) -> u64) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.shard(&key).peek(&key, now_ms);
    let deadline_ms = found.map(crate::store::Entry::deadline_ms);
    call.looked_up(&key, deadline_ms.is_some());
    call.reply.integer(match deadline_ms {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline_ms)) => i64::try_from(show(deadline_ms)).unwrap_or(i64::MAX),
    });
    Ok(Outcome::Done)
}
