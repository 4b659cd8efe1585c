//! HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST, and the reading of what they and their kin share:
//! moments, and lists of fields.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Key;

use super::{is_due, remove_if_empty};

/// The latest moment that Redis can give a field, in milliseconds since the epoch: the year 4199.
const MOMENT_MS_MAX: i64 = ((1 << 48) - 2) >> 2;

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub fn hexpire(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let base_ms = call.now_ms();
    set(call, args, 1000, base_ms, "hexpire")
}

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub fn hpexpire(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let base_ms = call.now_ms();
    set(call, args, 1, base_ms, "hpexpire")
}

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub fn hexpireat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set(call, args, 1000, 0, "hexpireat")
}

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub fn hpexpireat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set(call, args, 1, 0, "hpexpireat")
}

/// The moment that an amount of units of `unit_ms` after `base_ms` is; `command` is named where
/// there is none such.
pub(super) fn parse_moment(
    amount: &[u8],
    unit_ms: i64,
    base_ms: u64,
    command: &str,
) -> Result<u64> {
    let amount = parse_i64(amount).ok_or(Error::NotInteger)?;
    if amount < 0 {
        return Err(Error::line("ERR invalid expire time, must be >= 0"));
    }
    let moment_ms = amount
        .checked_mul(unit_ms)
        .and_then(|ms| ms.checked_add_unsigned(base_ms))
        .filter(|&ms| ms <= MOMENT_MS_MAX)
        .and_then(|ms| u64::try_from(ms).ok());
    moment_ms.ok_or_else(|| Error::text(&format!("invalid expire time in '{command}' command")))
}

/// The fields behind the word FIELDS, which must stand at `at`, and their number; `refusal` is what
/// a number that is none gets.
pub(super) fn parse_fields<'a>(
    args: Args<'a>,
    at: usize,
    refusal: &'static str,
) -> Result<Args<'a>> {
    let word = args.get(at).unwrap_or_default();
    if !word.eq_ignore_ascii_case(b"fields") {
        return Err(Error::line(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = args
        .get(at + 1)
        .and_then(parse_i64)
        .filter(|&count| count > 0);
    let count = count.ok_or(Error::line(refusal))?;
    let fields = args.tail(at + 2);
    if usize::try_from(count) != Ok(fields.len()) {
        return Err(Error::line(
            "ERR The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(fields)
}

/// What a number of fields that is none gets.
pub(super) const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// On which condition a field gets a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    /// NX: it has none.
    Absent,
    /// XX: it has one.
    Present,
    /// GT: the new one is later.
    Later,
    /// LT: the new one is earlier.
    Earlier,
}

impl Condition {
    fn parse(word: &[u8]) -> Self {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => Self::Absent,
            b"xx" => Self::Present,
            b"gt" => Self::Later,
            b"lt" => Self::Earlier,
            _ => Self::Always,
        }
    }

    /// Whether a field with this deadline gets the wanted one. No deadline counts as the latest.
    fn holds(self, current_ms: Option<u64>, wanted_ms: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => current_ms.is_none(),
            Self::Present => current_ms.is_some(),
            Self::Later => current_ms.is_some_and(|current_ms| wanted_ms > current_ms),
            Self::Earlier => current_ms.is_none_or(|current_ms| wanted_ms < current_ms),
        }
    }
}

/// What became of a field that was to get a deadline, as the reply says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    NoField = -2,
    Refused = 0,
    Set = 1,
    Deleted = 2,
}

/// Gives fields a deadline; one that has passed deletes them at once.
fn set(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    unit_ms: i64,
    base_ms: u64,
    command: &str,
) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    call.shard(&key).hash(&key, now_ms)?;
    let wanted_ms = parse_moment(args.at(2), unit_ms, base_ms, command)?;
    let condition = Condition::parse(args.at(3));
    let fields_at = if condition == Condition::Always { 3 } else { 4 };
    let refusal = "ERR Parameter `numFields` should be greater than 0";
    let fields = parse_fields(args, fields_at, refusal)?;
    call.reply.array(fields.len());
    let Some(hash) = call.held.shard_of(&key).hash(&key, now_ms)? else {
        (0..fields.len()).for_each(|_| call.reply.integer(-2));
        return Ok(Outcome::Done);
    };
    hash.prepare_deadlines();
    let (mut set_len, mut deleted_len) = (0, 0);
    for field in fields {
        let given = match hash.get(field) {
            None => Given::NoField,
            Some((_, current_ms)) if !condition.holds(current_ms, wanted_ms) => Given::Refused,
            Some(_) if wanted_ms <= now_ms => Given::Deleted,
            Some(_) => Given::Set,
        };
        if given == Given::Set {
            hash.set_deadline(field, Some(wanted_ms));
            set_len += 1;
        } else if given == Given::Deleted {
            hash.remove(field);
            deleted_len += 1;
        }
        call.reply.integer(given as i64);
    }
    finish(call, &key, set_len, deleted_len);
    Ok(Outcome::Done)
}

/// Tells of deadlines given and of fields deleted because theirs had passed.
pub(super) fn finish(call: &mut Call<'_, '_>, key: &Key<'_>, set_len: u64, deleted_len: u64) {
    call.held.shard_of(key).expired_fields_total += deleted_len;
    if set_len > 0 {
        call.changed(key, Events::HASH, "hexpire");
    }
    if deleted_len > 0 {
        call.changed(key, Events::HASH, "hdel");
    }
    remove_if_empty(call, key);
}

/// HPERSIST key FIELDS numfields field [field ...]
pub fn hpersist(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    call.shard(&key).hash(&key, now_ms)?;
    let fields = parse_fields(args, 2, NOT_POSITIVE)?;
    call.reply.array(fields.len());
    let Some(hash) = call.held.shard_of(&key).hash(&key, now_ms)? else {
        (0..fields.len()).for_each(|_| call.reply.integer(-2));
        return Ok(Outcome::Done);
    };
    let mut has_changed = false;
    for field in fields {
        let found = hash.get(field).map(|(_, until)| until);
        call.reply.integer(match found {
            None => -2,
            Some(None) => -1,
            Some(until) if is_due(until, now_ms) => -2,
            Some(_) => {
                hash.set_deadline(field, None);
                has_changed = true;
                1
            }
        });
    }
    if has_changed {
        call.shard(&key).note_fields(&key);
        call.changed(&key, Events::HASH, "hpersist");
    }
    Ok(Outcome::Done)
}
