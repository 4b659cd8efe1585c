//! SET GET and the other commands on strings.

use crate::config::Events;
use crate::flags;
use crate::protocol::Args;
use crate::store::{Text, Value};

use super::call::Call;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Keys};

/// Commands on strings.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "get",
        2,
        flags![READONLY, FAST],
        Keys::FIRST,
        "string",
        "1.0.0",
        "Returns the string value of a key.",
        get,
    ),
    Command::new(
        "set",
        -3,
        flags![WRITE, DENYOOM, CHEAP],
        Keys::FIRST,
        "string",
        "1.0.0",
        "Sets the string value of a key.",
        set,
    ),
];

/// GET key
fn get(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).text(&key, now_ms)?;
    let is_hit = found.is_some();
    match found {
        None => call.reply.null(),
        Some(Text::Shared(shared)) => call.reply.bulk_shared(shared),
        Some(text) => text.with_bytes(|bytes| call.reply.bulk(bytes)),
    }
    call.count_lookup(is_hit);
    Ok(Outcome::Done)
}

/// SET key value
fn set(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(&key);
    if let Some(entry) = shard.entry(&key, now_ms)
        && let has_deadline = entry.deadline_ms().is_some()
        && let Value::Text(text) = &mut entry.value
    {
        text.replace(args.at(2));
        if has_deadline {
            shard.set_deadline(&key, None);
        }
    } else {
        drop(shard.insert(&key, Value::Text(Text::new(args.at(2))), None));
    }
    call.changed(&key, Events::STRING, "set");
    call.reply.ok();
    Ok(Outcome::Done)
}
