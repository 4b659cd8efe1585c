//! DUMP RESTORE, which Weir knows and refuses.
//!
//! The format of their payload is that of Redis's snapshots, which Weir neither writes nor reads:
//! nothing that it holds outlives it. They are in the table so that clients learn that, instead of
//! a word that looks like a misspelling, and so that DUMP of a key that is not there is what it is
//! everywhere: nothing.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;

/// DUMP key
pub fn dump(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let is_there = call.shard(&key).exists(&key, now_ms);
    call.looked_up(&key, is_there);
    if is_there {
        return Err(Error::line(
            "ERR DUMP is not supported: values have no serialized form here",
        ));
    }
    call.reply.null();
    Ok(Outcome::Done)
}

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub fn restore(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::line(
        "ERR RESTORE is not supported: values have no serialized form here",
    ))
}
