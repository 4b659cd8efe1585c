//! GET GETDEL GETEX.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;

use super::answer_key;
use super::expiry::{Command, Expiry, Options};

/// GET key
pub fn get(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    answer_key(call, &key)?;
    Ok(Outcome::Done)
}

/// GETDEL key
pub fn getdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    if answer_key(call, &key)? {
        drop(call.shard(&key).remove(&key));
        call.changed(&key, Events::GENERIC, "del");
    }
    Ok(Outcome::Done)
}

/// GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds |
/// PXAT unix-time-milliseconds | PERSIST]
pub fn getex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(Command::GetEx, args.tail(2))?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).text(&key, now_ms);
    if found.inspect_err(call.stats.hit())?.is_none() {
        call.reply.null();
        call.looked_up(&key, false);
        return Ok(Outcome::Done);
    }
    let expiry = options.expiry;
    let deadline_ms = match expiry {
        None => None,
        Some(expiry) => Some(expiry.deadline_ms(now_ms, "getex")?),
    };
    answer_key(call, &key)?;
    match (deadline_ms, expiry) {
        (Some(deadline_ms), Some(Expiry { is_moment, .. })) => {
            if is_moment && deadline_ms <= now_ms {
                drop(call.shard(&key).remove(&key));
                call.changed(&key, Events::GENERIC, "del");
            } else {
                call.shard(&key).set_deadline(&key, Some(deadline_ms));
                call.changed(&key, Events::GENERIC, "expire");
            }
        }
        _ if options.persist => {
            let shard = call.shard(&key);
            let had = shard
                .entry(&key, now_ms)
                .is_some_and(|entry| entry.deadline_ms().is_some());
            if had {
                shard.set_deadline(&key, None);
                call.changed(&key, Events::GENERIC, "persist");
            }
        }
        _ => {}
    }
    Ok(Outcome::Done)
}
