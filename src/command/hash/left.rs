//! HTTL HPTTL HEXPIRETIME HPEXPIRETIME.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;

use super::deadline::{NOT_POSITIVE, parse_fields};
use super::{is_due, look};

/// HTTL key FIELDS numfields field [field ...]
pub fn httl(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    answer(call, args, |until_ms| {
        to_seconds(until_ms.saturating_sub(now_ms))
    })
}

/// HPTTL key FIELDS numfields field [field ...]
pub fn hpttl(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    answer(call, args, |until_ms| until_ms.saturating_sub(now_ms))
}

/// HEXPIRETIME key FIELDS numfields field [field ...]
pub fn hexpiretime(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    answer(call, args, to_seconds)
}

/// HPEXPIRETIME key FIELDS numfields field [field ...]
pub fn hpexpiretime(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    answer(call, args, |until_ms| until_ms)
}

/// Rounded up, unlike those of keys.
fn to_seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

/// Answers with what `show` makes of each field's deadline; -1 without one, -2 without the field.
fn answer(call: &mut Call<'_, '_>, args: Args<'_>, show: impl Fn(u64) -> u64) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    look(call, &key)?;
    let fields = parse_fields(args, 2, NOT_POSITIVE)?;
    call.reply.array(fields.len());
    let hash = call.held.shard_of(&key).hash(&key, now_ms)?;
    for field in fields {
        let found = hash.as_ref().and_then(|hash| hash.get(field));
        call.reply.integer(match found.map(|(_, until)| until) {
            None => -2,
            Some(None) => -1,
            Some(until) if is_due(until, now_ms) => -2,
            Some(Some(until_ms)) => i64::try_from(show(until_ms)).unwrap_or(i64::MAX),
        });
    }
    Ok(Outcome::Done)
}
