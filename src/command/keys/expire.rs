//! EXPIRE EXPIREAT PEXPIRE PEXPIREAT PERSIST.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, c_string};

use super::del::delete;

/// EXPIRE key seconds [NX | XX | GT | LT]
pub fn expire(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set(call, args, 1000, call.now_ms(), "expire")
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
pub fn expireat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set(call, args, 1000, 0, "expireat")
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub fn pexpire(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set(call, args, 1, call.now_ms(), "pexpire")
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub fn pexpireat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set(call, args, 1, 0, "pexpireat")
}

/// Sets the deadline to the second argument in units of `unit_ms` after `base_ms`. A moment that
/// has passed deletes the key at once.
fn set(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    unit_ms: i64,
    base_ms: u64,
    command: &str,
) -> Result {
    let condition = Condition::parse(args)?;
    let amount = parse_i64(args.at(2)).ok_or(Error::NotInteger)?;
    let wanted_ms = amount
        .checked_mul(unit_ms)
        .and_then(|ms| ms.checked_add_unsigned(base_ms));
    let wanted_ms = wanted_ms
        .ok_or_else(|| Error::text(&format!("invalid expire time in '{command}' command")))?;
    // Before the epoch is as much in the past as the epoch itself.
    let wanted_ms = u64::try_from(wanted_ms).unwrap_or(0);
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let current_ms = call
        .shard(&key)
        .entry(&key, now_ms)
        .map(|entry| entry.deadline_ms());
    if !current_ms.is_some_and(|current_ms| condition.holds(current_ms, wanted_ms)) {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    }
    if wanted_ms <= now_ms {
        delete(call, &key);
    } else {
        call.shard(&key).set_deadline(&key, Some(wanted_ms));
        call.changed(&key, Events::GENERIC, "expire");
    }
    call.reply.integer(1);
    Ok(Outcome::Done)
}

/// The options, which all must hold.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "one for each option")]
struct Condition {
    /// NX: it has no deadline.
    absent: bool,
    /// XX: it has one.
    present: bool,
    /// GT: the new one is later.
    later: bool,
    /// LT: the new one is earlier.
    earlier: bool,
}

impl Condition {
    fn parse(args: Args<'_>) -> Result<Self> {
        let mut wanted = Self::default();
        for option in args.from(3) {
            let flag = match option.to_ascii_lowercase().as_slice() {
                b"nx" => &mut wanted.absent,
                b"xx" => &mut wanted.present,
                b"gt" => &mut wanted.later,
                b"lt" => &mut wanted.earlier,
                _ => {
                    return Err(Error::Bytes(
                        [b"ERR Unsupported option ", c_string(option)].concat(),
                    ));
                }
            };
            *flag = true;
        }
        if wanted.absent && (wanted.present || wanted.later || wanted.earlier) {
            return Err(Error::line(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if wanted.later && wanted.earlier {
            return Err(Error::line(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(wanted)
    }

    /// Whether a key with this deadline gets the wanted one. No deadline counts as the latest.
    fn holds(self, current_ms: Option<u64>, wanted_ms: u64) -> bool {
        !(self.absent && current_ms.is_some()
            || self.present && current_ms.is_none()
            || self.later && current_ms.is_none_or(|current_ms| wanted_ms <= current_ms)
            || self.earlier && current_ms.is_some_and(|current_ms| wanted_ms >= current_ms))
    }
}

/// PERSIST key
pub fn persist(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let shard = call.shard(&key);
    let found = shard.entry(&key, now_ms);
    let is_expiring = found.is_some_and(|entry| entry.deadline_ms().is_some());
    if is_expiring {
        shard.set_deadline(&key, None);
        call.changed(&key, Events::GENERIC, "persist");
    }
    call.reply.integer(i64::from(is_expiring));
    Ok(Outcome::Done)
}
