//! CLIENT PAUSE and UNPAUSE.

use crate::command::call::Call;
use crate::command::engine::Engine;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::pause::Paused;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

/// CLIENT PAUSE timeout [WRITE | ALL]
pub fn pause(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let what = match args.get(3) {
        _ if args.len() > 4 => return Err(Error::subcommand("CLIENT", args.at(1))),
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
    let Engine { pauses, gates, .. } = call.engine;
    pauses.pause(gates, what, until_ms, call.now.unix_ms);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CLIENT UNPAUSE
pub fn unpause(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let Engine { pauses, gates, .. } = call.engine;
    pauses.unpause(gates, call.wakes);
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
        assert_eq!(bench.engine.paused(bench.now.unix_ms), None);
        assert_eq!(bench.run(&format!("CLIENT PAUSE {longest_ms}")), "+OK");
        assert_eq!(bench.engine.paused(bench.now.unix_ms), Some(Paused::All));
    }

    #[test]
    fn of_two_pauses_the_stricter_kind_and_the_later_end_count() {
        let mut bench = Bench::new();
        for pause in ["700 WRITE", "100 ALL"] {
            assert_eq!(bench.run(&format!("CLIENT PAUSE {pause}")), "+OK");
        }
        bench.pass(699);
        assert_eq!(bench.run("GET a"), "(postponed)");
        bench.pass(1);
        assert_eq!(bench.run("GET a"), "$-1");
        assert_eq!(bench.run("CLIENT PAUSE 100 WRITE"), "+OK");
        assert_eq!(
            bench.run("GET a"),
            "$-1",
            "nothing is left of the other kind"
        );
    }

    #[test]
    fn what_is_queued_is_paused_too() {
        let bench = Bench::new();
        let mut client = bench.client();
        bench.play(&mut client, "MULTI");
        bench.run("CLIENT PAUSE 100 WRITE");
        assert_eq!(bench.play(&mut client, "GET a"), "+QUEUED");
        assert_eq!(bench.play(&mut client, "SET a b"), "(postponed)");
        assert_eq!(bench.play(&mut client, "EXEC"), "*1 $-1");
    }

    #[test]
    fn a_pause_of_too_many_words_is_refused() {
        let bench = Bench::new();
        let refused = "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT \
                       HELP.";
        for pause in ["CLIENT PAUSE 1 ALL x", "CLIENT PAUSE 1 WRITE ALL"] {
            assert_eq!(bench.run(pause), refused);
        }
    }
}
