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
    let aborts = args
        .get(1)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"abort"));
    Err(Error::line(if aborts {
        "ERR No failover in progress."
    } else {
        "ERR FAILOVER requires connected replicas."
    }))
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
    }
}
