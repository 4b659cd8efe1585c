//! DEL and the other commands on keys of any type.

use crate::config::Events;
use crate::flags;
use crate::protocol::Args;

use super::call::Call;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Keys};

/// Commands on keys of any type.
pub const COMMANDS: &[Command] = &[Command::new(
    "del",
    -2,
    flags![WRITE],
    Keys::ALL,
    "generic",
    "1.0.0",
    "Deletes one or more keys.",
    del,
)];

/// DEL key [key ...]
fn del(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let mut removed = 0;
    for name in args.from(1) {
        let key = call.key(name);
        let now_ms = call.now_ms();
        let shard = call.shard(&key);
        if !shard.exists(&key, now_ms) {
            continue;
        }
        shard.remove(&key);
        removed += 1;
        call.changed(&key, Events::GENERIC, "del");
    }
    call.reply.integer(removed);
    Ok(Outcome::Done)
}
