//! ROLE REPLICAOF SLAVEOF REPLCONF PSYNC SYNC FAILOVER: Weir is a master without replicas.

use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};

/// ROLE
pub(super) fn role(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.empty_array();
    Ok(Outcome::Done)
}

/// REPLICAOF host port | NO ONE
pub(super) fn replicaof(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.at(1).eq_ignore_ascii_case(b"no") && args.at(2).eq_ignore_ascii_case(b"one") {
        call.reply.ok();
        return Ok(Outcome::Done);
    }
    if parse_i64(args.at(2)).is_none_or(|port| !(0..=65535).contains(&port)) {
        return Err(Error::text("Invalid master port"));
    }
    refuse(call, args)
}

/// REPLCONF option value [option value ...]
/// PSYNC replicationid offset
/// SYNC
pub(super) fn refuse(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::line("ERR Weir does not replicate"))
}

/// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]
pub(super) fn failover(_call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is = |at: usize, word: &[u8]| args.at(at).eq_ignore_ascii_case(word);
    if args.len() == 2 && is(1, b"abort") {
        return Err(Error::line("ERR No failover in progress."));
    }
    let (mut has_target, mut has_timeout, mut has_force) = (false, false, false);
    let mut at = 1;
    while at < args.len() {
        if is(at, b"timeout") && at + 1 < args.len() && !has_timeout {
            if parse_i64(args.at(at + 1)).ok_or(Error::NotInteger)? <= 0 {
                return Err(Error::text("FAILOVER timeout must be greater than 0"));
            }
            has_timeout = true;
            at += 2;
        } else if is(at, b"to") && at + 2 < args.len() && !has_target {
            parse_i64(args.at(at + 2)).ok_or(Error::NotInteger)?;
            has_target = true;
            at += 3;
        } else if is(at, b"force") && !has_force {
            has_force = true;
            at += 1;
        } else {
            return Err(Error::Syntax);
        }
    }
    Err(Error::line("ERR FAILOVER requires connected replicas."))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn is_a_master_and_stays_one() {
        let bench = Bench::new();
        assert_eq!(bench.run("ROLE"), "*3 $6 master :0 *0");
        assert_eq!(bench.run("REPLICAOF no one"), "+OK");
        assert_eq!(bench.run("SLAVEOF NO ONE"), "+OK");
        assert_eq!(bench.run("REPLICAOF host x"), "-ERR Invalid master port");
        for command in [
            "REPLICAOF host 6379",
            "PSYNC ? -1",
            "SYNC",
            "REPLCONF ack 1",
        ] {
            assert_eq!(bench.run(command), "-ERR Weir does not replicate");
        }
        assert_eq!(bench.run("FAILOVER ABORT"), "-ERR No failover in progress.");
        for (arguments, error) in [
            ("", "FAILOVER requires connected replicas."),
            (" FORCE", "FAILOVER requires connected replicas."),
            (
                " TO host 1 TIMEOUT 5 FORCE",
                "FAILOVER requires connected replicas.",
            ),
            (" x", "syntax error"),
            (" TO host", "syntax error"),
            (" TO host 1 ABORT", "syntax error"),
            (" FORCE FORCE", "syntax error"),
            (" TIMEOUT 1 TIMEOUT 2", "syntax error"),
            (" TO host x", "value is not an integer or out of range"),
            (" TIMEOUT x", "value is not an integer or out of range"),
            (" TIMEOUT 0", "FAILOVER timeout must be greater than 0"),
        ] {
            let refused = bench.run(&format!("FAILOVER{arguments}"));
            assert_eq!(refused, format!("-ERR {error}"), "{arguments}");
        }
    }
}
