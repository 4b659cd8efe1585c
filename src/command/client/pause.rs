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
    // The moment at which it ends must fit in 63 bits.
    if timeout_ms > i64::MAX.unsigned_abs() - call.now.unix_ms {
        return Err(Error::text("timeout is out of range"));
    }
    let until_ms = call.now.unix_ms + timeout_ms;
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

#[cfg(test)]
mod tests {
    use crate::command::Paused;
    use crate::command::testing::Bench;

    #[test]
    fn a_pause_ends_at_a_moment_that_there_is() {
        let bench = Bench::new();
        let longest_ms = i64::MAX.unsigned_abs() - bench.now.unix_ms;
        for timeout_ms in [longest_ms + 1, i64::MAX.unsigned_abs()] {
            assert_eq!(
                bench.run(&format!("CLIENT PAUSE {timeout_ms}")),
                "-ERR timeout is out of range"
            );
        }
        assert_eq!(bench.engine.pauses.in_force(bench.now.unix_ms), None);
        assert_eq!(bench.run(&format!("CLIENT PAUSE {longest_ms}")), "+OK");
        assert_eq!(
            bench.engine.pauses.in_force(bench.now.unix_ms),
            Some(Paused::All)
        );
    }
}
