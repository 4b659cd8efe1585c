//! WAIT WAITAOF: how many replicas, and which files, have what this client wrote.
//!
//! There are none and never will be, so the answer is known at once; Redis would let the timeout
//! pass first, in case a replica came.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

/// WAIT numreplicas timeout
pub fn wait(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    parse_i64(args.at(1)).ok_or(Error::NotInteger)?;
    check_timeout(call, args.at(2))?;
    call.reply.integer(0);
    Ok(Outcome::Done)
}

/// WAITAOF numlocal numreplicas timeout
pub fn waitaof(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let local = parse_i64(args.at(1)).ok_or(Error::NotInteger)?;
    if !(0..=1).contains(&local) {
        return Err(Error::line(
            "ERR value is out of range, value must between 0 and 1",
        ));
    }
    if parse_i64(args.at(2)).is_none_or(|replicas| replicas < 0) {
        return Err(Error::line("ERR value is out of range, must be positive"));
    }
    check_timeout(call, args.at(3))?;
    if local > 0 {
        return Err(Error::line(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    call.reply.array(2);
    call.reply.integer(0);
    call.reply.integer(0);
    Ok(Outcome::Done)
}

/// A timeout in milliseconds, which nobody will wait for.
fn check_timeout(call: &Call<'_, '_>, argument: &[u8]) -> Result<()> {
    let timeout_ms =
        parse_i64(argument).ok_or(Error::line("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(Error::line("ERR timeout is negative"));
    }
    if timeout_ms.checked_add_unsigned(call.now_ms()).is_none() {
        return Err(Error::line("ERR timeout is out of range"));
    }
    Ok(())
}
