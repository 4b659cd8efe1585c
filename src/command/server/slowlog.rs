//! SLOWLOG: commands that took long.

use crate::flags;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::Command;
use super::as_integer;

/// SLOWLOG and its subcommands.
#[rustfmt::skip]
pub(super) const SLOWLOG: Command =
    container!("slowlog", "server", "2.2.12", "A container for slow log commands.", [
        row!("get", -2, flags![ADMIN, LOADING, STALE], "2.2.12",
            "Returns the slow log's entries.", get),
        row!("len", 2, flags![ADMIN, LOADING, STALE], "2.2.12",
            "Returns the number of entries in the slow log.", len),
        row!("reset", 2, flags![ADMIN, LOADING, STALE], "2.2.12",
            "Clears all entries from the slow log.", reset),
    ]);

/// SLOWLOG GET [count]
fn get(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 3 {
        return Err(Error::subcommand("SLOWLOG", args.at(1)));
    }
    let count = match args.get(2).map(parse_i64) {
        None => 10,
        Some(Some(-1)) => usize::MAX,
        Some(count) => count
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| Error::text("count should be greater than or equal to -1"))?,
    };
    let entries = call.engine.slowlog.newest(count);
    let reply = &mut *call.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(as_integer(entry.id));
        reply.integer(as_integer(entry.unix_s));
        reply.integer(as_integer(entry.took_us));
        reply.array(entry.arguments.len());
        entry
            .arguments
            .iter()
            .for_each(|argument| reply.bulk(argument));
        reply.bulk_str(&entry.address);
        reply.bulk(&entry.name);
    }
    Ok(Outcome::Done)
}

/// SLOWLOG LEN
fn len(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.integer(as_integer(call.engine.slowlog.len()));
    Ok(Outcome::Done)
}

/// SLOWLOG RESET
fn reset(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.engine.slowlog.reset();
    call.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn a_command_that_waits_is_logged_when_it_is_served() {
        let bench = Bench::new();
        bench.run("CONFIG SET slowlog-log-slower-than 0");
        let mut waiting = bench.client();
        assert_eq!(bench.play(&mut waiting, "BLPOP q 0"), "(blocked)");
        assert!(!bench.run("SLOWLOG GET").contains("BLPOP"));
        bench.run("RPUSH q m");
        assert_eq!(bench.run("SLOWLOG GET").matches("BLPOP").count(), 1);
        bench.run("RPUSH q m");
        bench.run("BLPOP q 0");
        assert_eq!(bench.run("SLOWLOG GET").matches("BLPOP").count(), 2);
    }

    #[test]
    fn slow_commands_are_shown_newest_first() {
        let bench = Bench::new();
        bench.run("CONFIG SET slowlog-log-slower-than 0");
        bench.run("SLOWLOG RESET");
        bench.run("SET a 1");
        bench.run("GET a");
        let shown = bench.run("SLOWLOG GET 2");
        let (get, set) = (shown.find("$3 GET"), shown.find("$3 SET"));
        assert!(get.is_some() && get < set, "{shown}");
        assert!(shown.ends_with("$11 127.0.0.1:1 $0"), "{shown}");
        bench.run("CONFIG SET slowlog-log-slower-than -1");
        bench.run("SLOWLOG RESET");
        assert_eq!(bench.run("SLOWLOG LEN"), ":0");
    }

    #[test]
    fn counts_are_checked() {
        let bench = Bench::new();
        assert_eq!(bench.run("SLOWLOG GET -1"), "*0");
        for count in ["-2", "x"] {
            assert_eq!(
                bench.run(&format!("SLOWLOG GET {count}")),
                "-ERR count should be greater than or equal to -1"
            );
        }
        assert_eq!(
            bench.run("SLOWLOG get 1 2"),
            "-ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP."
        );
        assert!(bench.run("SLOWLOG HELP").contains("+RESET"));
    }
}
