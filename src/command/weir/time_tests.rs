//! Messages that time takes: how much goes at once, and what must not be seen of it.

use std::time::Duration;

use crate::command::bounds;
use crate::command::testing::Bench;
use crate::store::ShardSet;

use super::tests::ledger;

/// Does what one hold of a tick does for the queue `q`.
fn look_after_q(bench: &Bench) {
    bench.with_call(&mut bench.client(), |call| {
        call.held.need(ShardSet::ALL);
        let key = call.key(b"q");
        bounds::look_after(call, &key);
    });
}

/// So many different messages, with a blank before each.
fn numbers(len: usize) -> String {
    (0..len).map(|number| format!(" {number}")).collect()
}

#[test]
fn what_ends_by_the_thousand_goes_part_by_part_and_is_never_popped() {
    let mut bench = Bench::new();
    bench.run(&format!("WEIR.PUSH q TTL 100{}", numbers(5000)));
    bench.run("RPUSH q keep last");
    bench.now = bench.now.after(Duration::from_millis(100));
    look_after_q(&bench);
    assert_eq!(bench.run("LLEN q"), ":3978");
    assert_eq!(bench.run("RPOP q"), "$4 last");
    assert_eq!(bench.run("LLEN q"), ":2953");
    assert_eq!(bench.run("LPOP q 10"), "*1 $4 keep");
    assert_eq!(bench.run("EXISTS q"), ":0");
    assert_eq!(ledger(&bench, "q", ["out", "expired_ttl"]), [2, 5000]);
    bench.run(&format!("WEIR.PUSH q TTL 100{}", numbers(5000)));
    bench.pass(100);
    assert_eq!(bench.run("EXISTS q"), ":0");
}

#[test]
fn dead_letters_by_age_go_part_by_part() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET q MAX-AGE 100 DEAD-LETTER dead");
    bench.run(&format!("LPUSH q{}", numbers(5000)));
    bench.now = bench.now.after(Duration::from_millis(99));
    for push in ["LPUSH q front", "RPUSH q back"] {
        bench.run(push);
    }
    bench.now = bench.now.after(Duration::from_millis(1));
    look_after_q(&bench);
    assert_eq!(bench.run("LLEN q"), ":3978");
    assert_eq!(bench.run("LLEN dead"), ":1024");
    assert_eq!(bench.run("LRANGE dead 0 1"), "*2 $1 0 $1 1");
    assert_eq!(bench.run("RPOP q"), "$4 back");
    assert_eq!(bench.run("LPOP q 2"), "*1 $5 front");
    assert_eq!(bench.run("EXISTS q"), ":0");
    assert_eq!(bench.run("LLEN dead"), ":5000");
}

#[test]
fn what_is_trimmed_takes_its_time_along() {
    let mut bench = Bench::new();
    let mut player = bench.client();
    for command in [
        "MULTI",
        "RPUSH q keep",
        "WEIR.PUSH q TTL 100 a",
        "LTRIM q 0 0",
        "RPUSH q a",
        "EXEC",
    ] {
        bench.play(&mut player, command);
    }
    bench.pass(100);
    assert_eq!(bench.run("LRANGE q 0 -1"), "*2 $4 keep $1 a");
}

#[test]
fn what_found_no_place_leaves_no_time_behind() {
    let mut bench = Bench::new();
    let mut player = bench.client();
    for command in [
        "WEIR.POLICY SET q MAX-LENGTH 1 OVERFLOW drop-newest",
        "WEIR.POLICY SET r MAX-BYTES 3",
        "MULTI",
        "RPUSH q a",
        "WEIR.PUSH q TTL 100 a",
        "WEIR.PUSH r TTL 100 a long ab",
        "EXEC",
    ] {
        bench.play(&mut player, command);
    }
    assert_eq!(bench.run("LRANGE r 0 -1"), "*2 $1 a $2 ab");
    bench.pass(100);
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 a");
    assert_eq!(bench.run("EXISTS r"), ":0");
    assert_eq!(ledger(&bench, "", ["expired_ttl"]), [2]);
}
