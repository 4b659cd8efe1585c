//! DBSIZE FLUSHDB FLUSHALL SWAPDB: whole databases at once.

use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Shard;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::as_integer;

/// Keys whose freeing is left to `store::reclaim`; fewer are freed in about a millisecond.
const KEYS_FREED_HERE_MAX: usize = 10_000;

/// DBSIZE
pub(super) fn dbsize(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let (db, now_ms) = (call.session.db, call.now_ms());
    let lens = call.each_shard(|_, shard| shard.live_len(db, now_ms));
    let len: usize = lens.into_iter().sum();
    call.reply.integer(as_integer(len));
    Ok(Outcome::Done)
}

/// FLUSHDB [ASYNC | SYNC]
pub(super) fn flushdb(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let db = call.session.db;
    flush(call, args, db..db + 1)
}

/// FLUSHALL [ASYNC | SYNC]
pub(super) fn flushall(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let databases = call.engine.config.settings().databases;
    flush(call, args, 0..u8::try_from(databases).unwrap_or(u8::MAX))
}

/// Empties databases in one step. Both modes free outside the locks; a large keyspace
/// elsewhere and in slices, so that not even this worker's clients wait.
fn flush(call: &mut Call<'_, '_>, args: Args<'_>, dbs: std::ops::Range<u8>) -> Result {
    let is_mode =
        |mode: &[u8]| mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync");
    if args.len() > 2 || args.get(1).is_some_and(|mode| !is_mode(mode)) {
        return Err(Error::Syntax);
    }
    let mut keys_len = 0;
    let taken = call.each_shard(|_, shard| {
        let dbs: Vec<u8> = dbs.clone().filter(|&db| !shard.is_vacant(db)).collect();
        keys_len += dbs.iter().map(|&db| shard.keys_len(db)).sum::<usize>();
        let emptied = dbs.into_iter().map(|db| shard.take_database(db));
        emptied.collect::<Vec<_>>()
    });
    if keys_len > KEYS_FREED_HERE_MAX {
        Shard::free(taken.into_iter().flatten().collect());
    } else {
        call.held.discard(taken);
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

/// SWAPDB index1 index2
pub(super) fn swapdb(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let index = |at: usize, error: &str| {
        let index = parse_i64(args.at(at))
            .and_then(|index| i32::try_from(index).ok())
            .map(i64::from);
        index.ok_or_else(|| Error::text(error))
    };
    let a = index(1, "invalid first DB index")?;
    let b = index(2, "invalid second DB index")?;
    let databases = call.engine.config.settings().databases;
    let in_range = |index: i64| {
        let db = u8::try_from(index).ok();
        db.filter(|&db| usize::from(db) < databases)
            .ok_or_else(|| Error::text("DB index is out of range"))
    };
    let (a, b) = (in_range(a)?, in_range(b)?);
    if a != b {
        call.each_shard(|_, shard| shard.swap_databases(a, b));
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn databases_are_counted_emptied_and_swapped() {
        let bench = Bench::new();
        let mut client = bench.client();
        for key in 0..100 {
            bench.play(&mut client, &format!("SET key{key} value"));
        }
        bench.play(&mut client, "SELECT 3");
        bench.play(&mut client, "RPUSH queue a b");
        assert_eq!(bench.play(&mut client, "DBSIZE"), ":1");
        assert_eq!(bench.run("DBSIZE"), ":100");
        assert_eq!(bench.run("SWAPDB 0 3"), "+OK");
        assert_eq!(bench.run("LRANGE queue 0 -1"), "*2 $1 a $1 b");
        assert_eq!(bench.play(&mut client, "DBSIZE"), ":100");
        assert_eq!(bench.play(&mut client, "FLUSHDB ASYNC"), "+OK");
        assert_eq!(bench.play(&mut client, "DBSIZE"), ":0");
        assert_eq!(bench.run("DBSIZE"), ":1");
        assert_eq!(bench.run("FLUSHALL SYNC"), "+OK");
        assert_eq!(bench.run("DBSIZE"), ":0");
    }

    #[test]
    fn the_accounts_of_queues_end_with_their_database() {
        let bench = Bench::new();
        let is_known = |name: &str| {
            let ledger = bench.run(&format!("WEIR.LEDGER {name}"));
            !ledger.contains("$2 in :0 ")
        };
        for flush in ["FLUSHDB", "FLUSHALL"] {
            // With a message left, with none, and with no key in all of the database.
            for take in ["LPOP q", "LPOP q 2", "DEL q"] {
                bench.run("RPUSH q a b");
                bench.run(take);
                assert!(is_known("q"), "{take}");
                bench.run(flush);
                assert!(!is_known("q"), "{take}, {flush}");
            }
        }
        let total = bench.run("WEIR.LEDGER");
        for field in ["$2 in :12 ", "$3 out :6 ", "$7 flushed :2 "] {
            assert!(total.contains(field), "{field} in {total}");
        }
    }

    #[test]
    fn flushing_forgets_letters() {
        let bench = Bench::new();
        bench.run("WEIR.POLICY SET q MAX-LENGTH 1 DEAD-LETTER dead");
        bench.run("RPUSH q a b");
        bench.run("DEL q dead");
        assert!(bench.run("WEIR.DEADLETTER dead").starts_with("*1 "));
        bench.run("FLUSHALL");
        assert_eq!(bench.run("WEIR.DEADLETTER dead"), "*0");
    }

    #[test]
    fn accounts_go_along_with_their_database() {
        let bench = Bench::new();
        let mut other = bench.client();
        bench.play(&mut other, "SELECT 1");
        bench.run("RPUSH drained a b");
        bench.run("LPOP drained 2");
        bench.play(&mut other, "RPUSH elsewhere a");
        bench.play(&mut other, "LPOP elsewhere");
        bench.run("SWAPDB 0 1");
        let ledger = bench.play(&mut other, "WEIR.LEDGER drained");
        assert!(ledger.contains("$2 in :2 "), "{ledger}");
        let ledger = bench.run("WEIR.LEDGER elsewhere");
        assert!(ledger.contains("$2 in :1 "), "{ledger}");
        assert!(bench.run("WEIR.LEDGER drained").contains("$2 in :0 "));
    }

    #[test]
    fn wrong_arguments_change_nothing() {
        let bench = Bench::new();
        bench.run("SET key value");
        for command in ["FLUSHALL NOW", "FLUSHDB SYNC ASYNC"] {
            assert_eq!(bench.run(command), "-ERR syntax error");
        }
        assert_eq!(bench.run("SWAPDB a 1"), "-ERR invalid first DB index");
        assert_eq!(bench.run("SWAPDB 0 b"), "-ERR invalid second DB index");
        assert_eq!(bench.run("SWAPDB 0 99"), "-ERR DB index is out of range");
        assert_eq!(bench.run("SWAPDB -1 0"), "-ERR DB index is out of range");
        assert_eq!(bench.run("DBSIZE"), ":1");
    }

    #[test]
    fn waiters_and_watchers_learn_of_it() {
        let bench = Bench::new();
        let (mut waiter, mut watcher) = (bench.client(), bench.client());
        assert_eq!(bench.play(&mut waiter, "BLPOP queue 0"), "(blocked)");
        let mut other = bench.client();
        bench.play(&mut other, "SELECT 1");
        bench.play(&mut other, "RPUSH queue a");
        bench.play(&mut watcher, "WATCH queue");
        assert_eq!(bench.run("SWAPDB 0 1"), "+OK");
        assert_eq!(waiter.look(), "*2 $5 queue $1 a");
        bench.play(&mut watcher, "MULTI");
        bench.play(&mut watcher, "PING");
        assert_eq!(bench.play(&mut watcher, "EXEC"), "*-1");
    }

    #[test]
    fn a_transaction_may_flush() {
        let bench = Bench::new();
        let mut client = bench.client();
        for command in [
            "MULTI", "SET a 1", "DBSIZE", "FLUSHALL", "DBSIZE", "SET b 2",
        ] {
            bench.play(&mut client, command);
        }
        assert_eq!(bench.play(&mut client, "EXEC"), "*5 +OK :1 +OK :0 +OK");
        assert_eq!(bench.run("DBSIZE"), ":1");
    }
}
