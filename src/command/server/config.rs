//! CONFIG: the settings as clients see and change them.

use crate::config::SetError;
use crate::flags;
use crate::glob;
use crate::metrics::{Counter, WorkerStats};
use crate::protocol::{Args, c_string};

use super::super::acl;
use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::Command;

/// CONFIG and its subcommands.
#[rustfmt::skip]
pub(super) const CONFIG: Command =
    container!("config", "server", "2.0.0", "A container for server configuration commands.", [
        row!("get", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.0.0",
            "Returns the effective values of configuration parameters.", get),
        row!("set", -4, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.0.0",
            "Sets configuration parameters in-flight.", set),
        row!("resetstat", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE, WALKS_KEYS], "2.0.0",
            "Resets the server's statistics.", resetstat),
        row!("rewrite", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.8.0",
            "Persists the effective configuration to file.", rewrite),
    ]);

/// CONFIG GET parameter [parameter ...]
///
/// A name asked for outright comes back as it was written.
fn get(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let asked = |name: &str| {
        args.from(2)
            .find(|pattern| glob::matches(pattern, name.as_bytes(), true))
    };
    let found = call.engine.config.get(|name| asked(name).is_some());
    call.reply.map(found.len());
    for (name, value) in found {
        let literal = asked(name).filter(|pattern| glob::is_literal(pattern));
        call.reply.bulk(literal.unwrap_or(name.as_bytes()));
        call.reply.bulk_str(&value);
    }
    Ok(Outcome::Done)
}

/// CONFIG SET parameter value [parameter value ...]
fn set(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if !args.len().is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = (2..args.len())
        .step_by(2)
        .map(|at| (args.at(at), args.at(at + 1)))
        .collect();
    let changed = call.engine.config.set(&pairs);
    let changed = changed.map_err(|error| Error::Bytes(line_of(&error)))?;
    if changed.iter().any(|changed| changed.name == "requirepass") {
        acl::set_default_password(call.engine);
    }
    call.engine.note_settings();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// A refusal as Redis sends it: a name is repeated as it is, up to a NUL.
fn line_of(error: &SetError) -> Vec<u8> {
    match error {
        SetError::Unknown(name) => {
            let head = b"ERR Unknown option or number of arguments for CONFIG SET - '";
            [head, c_string(name), b"'"].concat()
        }
        SetError::Refused(..) => error.to_string().into_bytes(),
    }
}

/// CONFIG RESETSTAT
fn resetstat(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.engine.workers.iter().for_each(WorkerStats::reset);
    Counter::reset(&call.engine.rejected_connections);
    Counter::reset(&call.engine.evicted_clients);
    call.engine.rates.lock().reset();
    call.each_shard(|_, shard| (shard.expired_total, shard.expired_fields_total) = (0, 0));
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CONFIG REWRITE
fn rewrite(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let user_lines = acl::user_lines(call.engine)?;
    call.engine.config.keep_user_text(user_lines.join("\n"));
    let rewritten = call.engine.config.rewrite();
    rewritten.map_err(|error| Error::Bytes(error.to_string().into_bytes()))?;
    call.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn a_name_that_is_unknown_is_repeated_as_it_is() {
        let bench = Bench::new();
        for (name, shown) in [(&b"a\xff\xfe"[..], &b"a\xff\xfe"[..]), (b"a\0b\xff", b"a")] {
            let request = [&b"CONFIG"[..], b"SET", name, b"1"].map(<[u8]>::to_vec);
            let head = b"-ERR Unknown option or number of arguments for CONFIG SET - '";
            assert_eq!(bench.wire(&request), [head, shown, b"'\r\n"].concat());
            let request = [b"HELLO", &b"2"[..], name].map(<[u8]>::to_vec);
            let head = b"-ERR Syntax error in HELLO option '";
            assert_eq!(bench.wire(&request), [head, shown, b"'\r\n"].concat());
        }
    }

    #[test]
    fn settings_are_read_by_patterns_and_set_in_pairs() {
        let bench = Bench::new();
        assert_eq!(
            bench.run("CONFIG GET TIMEOUT max?lients"),
            "*4 $10 maxclients $5 10000 $7 TIMEOUT $1 0"
        );
        assert_eq!(bench.run("CONFIG GET nosuch"), "*0");
        assert_eq!(bench.run("CONFIG SET timeout 7 maxclients 9"), "+OK");
        assert_eq!(bench.run("CONFIG GET timeout"), "*2 $7 timeout $1 7");
        assert_eq!(bench.run("CONFIG SET timeout 7 x"), "-ERR syntax error");
        assert_eq!(
            bench.run("CONFIG SET nosuch 1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
        );
        assert_eq!(
            bench.run("CONFIG REWRITE"),
            "-ERR The server is running without a config file"
        );
    }

    #[test]
    fn statistics_start_again() {
        let bench = Bench::new();
        bench.run("GET nosuch");
        assert!(bench.run("INFO stats").contains("keyspace_misses:1 "));
        assert_eq!(bench.run("CONFIG RESETSTAT"), "+OK");
        assert!(bench.run("INFO stats").contains("keyspace_misses:0 "));
        assert!(!bench.run("INFO commandstats").contains("cmdstat_get"));
    }

    #[test]
    fn a_lower_slowlog_bound_times_everything() {
        let bench = Bench::new();
        bench.run("CONFIG SET slowlog-log-slower-than 0");
        bench.run("PING");
        assert!(bench.run("SLOWLOG GET 1").contains("PING"));
    }
}
