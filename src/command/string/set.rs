//! SET SETNX SETEX PSETEX GETSET.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;

use super::expiry::{Command, Expiry, Options};
use super::{Deadline, announce_put, answer_key, put};

/// SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds |
/// PXAT unix-time-milliseconds | KEEPTTL]
#[inline]
pub fn set(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 3 {
        return set_with_options(call, args);
    }
    let key = call.key(args.at(1));
    let before = put(call, &key, args.at(2), Deadline::Clear);
    announce_put(call, &key, before);
    call.reply.ok();
    Ok(Outcome::Done)
}

fn set_with_options(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(Command::Set, args.tail(3))?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let deadline = match options.expiry {
        Some(expiry) => Deadline::At(expiry.deadline_ms(now_ms, "set")?),
        None if options.keep_deadline => Deadline::Keep,
        None => Deadline::Clear,
    };
    let is_present = if options.get {
        answer_key(call, &key)?
    } else {
        (options.if_absent || options.if_present) && call.shard(&key).entry(&key, now_ms).is_some()
    };
    if options.if_absent && is_present || options.if_present && !is_present {
        if !options.get {
            call.reply.null();
        }
        return Ok(Outcome::Done);
    }
    put_until(call, args.at(1), args.at(2), deadline);
    if !options.get {
        call.reply.ok();
    }
    Ok(Outcome::Done)
}

/// SETNX key value
pub fn setnx(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let is_absent = call.shard(&key).entry(&key, now_ms).is_none();
    if is_absent {
        put_until(call, args.at(1), args.at(2), Deadline::Clear);
    }
    call.reply.integer(i64::from(is_absent));
    Ok(Outcome::Done)
}

/// SETEX key seconds value
pub fn setex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set_expiring(call, args, true, "setex")
}

/// PSETEX key milliseconds value
pub fn psetex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    set_expiring(call, args, false, "psetex")
}

fn set_expiring(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    in_seconds: bool,
    command: &str,
) -> Result {
    let expiry = Expiry {
        amount: args.at(2),
        in_seconds,
        is_moment: false,
    };
    let deadline = Deadline::At(expiry.deadline_ms(call.now_ms(), command)?);
    put_until(call, args.at(1), args.at(3), deadline);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// GETSET key value
pub fn getset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    answer_key(call, &key)?;
    put_until(call, args.at(1), args.at(2), Deadline::Clear);
    Ok(Outcome::Done)
}

/// Sets a key and tells of it, and of its deadline if it has a new one.
fn put_until(call: &mut Call<'_, '_>, name: &[u8], value: &[u8], deadline: Deadline) {
    let key = call.key(name);
    let before = put(call, &key, value, deadline);
    announce_put(call, &key, before);
    if let Deadline::At(_) = deadline {
        call.notify(&key, Events::GENERIC, "expire");
    }
}
