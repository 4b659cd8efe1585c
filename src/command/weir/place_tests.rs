//! Messages that find no place, or lose it: what goes, what stays, and who is told.

use crate::command::engine::Gates;
use crate::command::testing::Bench;

use super::tests::{check, ledger};

#[test]
fn a_message_larger_than_its_queue_goes_alone() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.POLICY SET big MAX-BYTES 10 DEAD-LETTER dead", "+OK"),
            ("WEIR.POLICY SET dead MAX-BYTES 11", "+OK"),
            ("RPUSH big a b c", ":3"),
            ("RPUSH big 12345678901 d", ":4"),
            ("LPUSH big z 123456789012", ":5"),
            ("LINSERT big AFTER a 12345678901", ":5"),
            ("LSET big 0 12345678901", "+OK"),
            ("LRANGE big 0 -1", "*5 $1 z $1 a $1 b $1 c $1 d"),
            // The longest finds no place there either.
            ("LRANGE dead 0 -1", "*1 $11 12345678901"),
            ("RPUSH new 12345678901", ":1"),
            ("WEIR.POLICY SET new MAX-BYTES 10", "+OK"),
            ("EXISTS new", ":0"),
            ("RPUSH new 12345678901", ":0"),
            ("EXISTS new", ":0"),
        ],
    );
    let names = ["in", "held", "dead_lettered"];
    assert_eq!(ledger(&bench, "big", names), [9, 5, 4]);
}

#[test]
fn what_comes_last_goes_wherever_it_was_to_stand() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            (
                "WEIR.POLICY SET n MAX-LENGTH 3 OVERFLOW drop-newest DEAD-LETTER dead",
                "+OK",
            ),
            ("RPUSH n a b c", ":3"),
            ("LINSERT n AFTER a X", ":3"),
            ("LSET n 0 A", "+OK"),
            ("RPUSH n d e", ":3"),
            ("LPUSH n f g", ":3"),
            ("LRANGE n 0 -1", "*3 $1 A $1 b $1 c"),
            ("LRANGE dead 0 -1", "*5 $1 X $1 d $1 e $1 f $1 g"),
        ],
    );
}

#[test]
fn who_watches_learns_that_a_queue_was_cut_or_got_something_back() {
    let bench = Bench::new();
    bench.run("RPUSH q a b");
    let mut watcher = bench.client();
    let mut ends_after = |change: &dyn Fn()| {
        for command in ["WATCH q", "MULTI", "PING"] {
            bench.play(&mut watcher, command);
        }
        change();
        bench.play(&mut watcher, "EXEC")
    };
    assert_eq!(ends_after(&|| ()), "*1 +PONG");
    let cut = || assert_eq!(bench.run("WEIR.POLICY SET q MAX-LENGTH 1"), "+OK");
    assert_eq!(ends_after(&cut), "*-1");
    bench.run("DEL q");
    let mut consumer = bench.client();
    assert_eq!(bench.play(&mut consumer, "BLPOP q 0"), "(blocked)");
    bench.run("RPUSH q c");
    let consumer = std::cell::Cell::new(Some(consumer));
    let lost = || bench.lose(consumer.take().unwrap());
    assert_eq!(ends_after(&lost), "*-1");
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 c");
}

#[test]
fn databases_take_their_clocks_along_and_leave_nothing_that_waits() {
    let mut bench = Bench::new();
    for command in [
        "WEIR.POLICY SET later MAX-AGE 300 DEAD-LETTER mail",
        "RPUSH later a",
        "WEIR.PUSH own TTL 300 b",
        "SWAPDB 0 2",
        "SWAPDB 2 3",
        "WEIR.PUSH delayed DELAY 500 m",
        "FLUSHALL",
        "WEIR.PUSH delayed DELAY 500 n",
        "FLUSHDB",
    ] {
        assert!(!bench.run(command).starts_with('-'), "{command}");
        // What the flush takes was not there before.
        if command == "SWAPDB 2 3" {
            bench.pass(301);
            let mut client = bench.client();
            for (command, reply) in [
                ("SELECT 3", "+OK"),
                ("LLEN later", ":0"),
                ("LRANGE mail 0 -1", "*1 $1 a"),
                ("LLEN own", ":0"),
            ] {
                assert_eq!(bench.play(&mut client, command), reply, "{command}");
            }
        }
    }
    bench.pass(600);
    assert_eq!(bench.run("DBSIZE"), ":0");
    let names = ["in", "flushed", "dead_lettered", "expired_ttl"];
    assert_eq!(ledger(&bench, "", names), [5, 3, 1, 1]);
}

#[test]
fn a_copy_ends_when_its_model_does() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.PUSH q TTL 500 x", ":1"),
            ("RPUSH q y", ":2"),
            ("COPY q copy", ":1"),
        ],
    );
    bench.pass(501);
    check(
        &bench,
        &[
            ("LRANGE q 0 -1", "*1 $1 y"),
            ("LRANGE copy 0 -1", "*1 $1 y"),
        ],
    );
}

#[test]
fn a_time_goes_with_its_message() {
    let mut bench = Bench::new();
    for removal in ["DEL q", "LREM q 0 x", "LTRIM q 1 0", "LSET q 0 x"] {
        bench.run("WEIR.PUSH q TTL 500 x");
        bench.run(removal);
        bench.run("DEL q");
        bench.run("RPUSH q x");
        bench.pass(501);
        assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 x", "{removal}");
        bench.run("DEL q");
    }
}

#[test]
fn the_account_of_a_queue_outlives_its_deadline() {
    let mut bench = Bench::new();
    bench.run("RPUSH q a b");
    bench.run("PEXPIRE q 100");
    bench.now = bench.now.after(std::time::Duration::from_millis(101));
    assert!(crate::command::tick::expire(&bench.engine, 0, bench.now));
    let names = ["in", "expired_key"];
    assert_eq!(ledger(&bench, "q", names), [2, 2]);
    assert_eq!(ledger(&bench, "", names), [2, 2]);
}

#[test]
fn routes_keep_to_the_memory_that_there_is() {
    let bench = Bench::new();
    bench.run("WEIR.ROUTE ADD news q");
    bench.engine.gates.set(Gates::OVER_BUDGET, true);
    assert_eq!(bench.run("PUBLISH news m"), ":0");
    assert_eq!(bench.run("LLEN q"), ":0");
    bench.engine.gates.set(Gates::OVER_BUDGET, false);
    assert_eq!(bench.run("PUBLISH news m"), ":1");
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 m");
}
