//! MSET MSETNX MGET.

use std::borrow::Cow;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;

use super::{Deadline, announce_put, answer, put};

/// MSET key value [key value ...]
pub fn mset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    check_pairs(args, "mset")?;
    put_pairs(call, args);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// MSETNX key value [key value ...]
pub fn msetnx(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    check_pairs(args, "msetnx")?;
    let now_ms = call.now_ms();
    for name in args.from(1).step_by(2) {
        let key = call.key(name);
        if call.shard(&key).entry(&key, now_ms).is_some() {
            call.reply.integer(0);
            return Ok(Outcome::Done);
        }
    }
    put_pairs(call, args);
    call.reply.integer(1);
    Ok(Outcome::Done)
}

/// MGET key [key ...]
pub fn mget(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    call.reply.array(args.len() - 1);
    for name in args.from(1) {
        let key = call.key(name);
        let found = call.held.shard_of(&key).text(&key, now_ms);
        let is_found = !matches!(found, Ok(None));
        match found {
            Ok(Some(text)) => answer(call.reply, text),
            Ok(None) | Err(_) => call.reply.null(),
        }
        call.looked_up(&key, is_found);
    }
    Ok(Outcome::Done)
}

fn check_pairs(args: Args<'_>, command: &'static str) -> Result<()> {
    if args.len().is_multiple_of(2) {
        return Err(Error::Arity(Cow::Borrowed(command)));
    }
    Ok(())
}

fn put_pairs(call: &mut Call<'_, '_>, args: Args<'_>) {
    for at in (1..args.len()).step_by(2) {
        let key = call.key(args.at(at));
        let before = put(call, &key, args.at(at + 1), Deadline::Clear);
        announce_put(call, &key, before);
    }
}
