//! CLIENT PAUSE and UNPAUSE.

use crate::command::call::Call;
use crate::command::engine::Gates;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::pause::Paused;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

/// CLIENT PAUSE timeout [WRITE | ALL]
pub fn pause(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let what = match args.get(3) {
        None => Paused::All,
        Some(mode) if mode.eq_ignore_ascii_case(b"all") => Paused::All,
        Some(mode) if mode.eq_ignore_ascii_case(b"write") => Paused::Writes,
        Some(_) => return Err(Error::text("CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout_ms = parse_i64(args.at(2));
    let timeout_ms =
        timeout_ms.ok_or_else(|| Error::text("timeout is not an integer or out of range"))?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| Error::text("timeout is negative"))?;
    let until_ms = call.now.unix_ms.checked_add(timeout_ms);
    let until_ms = until_ms.ok_or_else(|| Error::text("timeout is out of range"))?;
    call.engine.pauses.pause(what, until_ms);
    call.engine.gates.set(Gates::PAUSED, true);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CLIENT UNPAUSE
pub fn unpause(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.engine.pauses.unpause(call.wakes);
    call.engine.gates.set(Gates::PAUSED, false);
    call.reply.ok();
    Ok(Outcome::Done)
}
