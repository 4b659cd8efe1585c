//! Messages that time takes: how much goes at once, and what must not be seen of it.

use std::fmt::Write;
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
    let mut words = String::new();
    for number in 0..len {
        let _ = write!(words, " {number}");
    }
    words
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

/// For each way to overflow: the commands that find only what is too old in the way, their answer,
/// and what is there after.
#[test]
fn what_is_too_old_takes_no_room() {
    for (overflow, dead_letter) in [
        ("drop-oldest", ""),
        ("drop-newest", ""),
        ("reject", ""),
        ("drop-oldest", " DEAD-LETTER dead"),
        ("drop-newest", " DEAD-LETTER dead"),
    ] {
        for old in ["RPUSH q old", "WEIR.PUSH q TTL 200 old"] {
            for push in ["RPUSH q new", "LPUSH q new", "WEIR.PUSH q TTL 900 new"] {
                let mut bench = Bench::new();
                let age = if old.contains("TTL") {
                    ""
                } else {
                    " MAX-AGE 200"
                };
                bench.run(&format!(
                    "WEIR.POLICY SET q MAX-LENGTH 1 OVERFLOW {overflow}{age}{dead_letter}"
                ));
                bench.run(old);
                bench.now = bench.now.after(Duration::from_millis(200));
                let case = format!("{overflow}{dead_letter}, {old}, {push}");
                assert_eq!(bench.run(push), ":1", "{case}");
                assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $3 new", "{case}");
                let lost = ledger(
                    &bench,
                    "q",
                    [
                        "overflow_oldest",
                        "overflow_newest",
                        "expired_age",
                        "expired_ttl",
                        "dead_lettered",
                    ],
                );
                let wanted = match (dead_letter, age) {
                    ("", "") => [0, 0, 0, 1, 0],
                    ("", _) => [0, 0, 1, 0, 0],
                    _ => [0, 0, 0, 0, 1],
                };
                assert_eq!(lost, wanted, "{case}");
            }
        }
    }
}

#[test]
fn whatever_adds_finds_the_room_of_what_is_too_old() {
    for overflow in ["drop-newest", "reject"] {
        let mut bench = Bench::new();
        for command in [
            "WEIR.POLICY SET q MAX-LENGTH 2 MAX-AGE 200 OVERFLOW",
            "WEIR.POLICY SET d MAX-LENGTH 1 MAX-AGE 200 OVERFLOW",
        ] {
            bench.run(&format!("{command} {overflow}"));
        }
        bench.run("RPUSH q old");
        bench.run("RPUSH d old");
        bench.run("WEIR.PUSH d DELAY 200 late");
        bench.run("RPUSH other moved");
        bench.now = bench.now.after(Duration::from_millis(150));
        bench.run("RPUSH q pivot");
        bench.now = bench.now.after(Duration::from_millis(50));
        assert_eq!(bench.run("LINSERT q BEFORE pivot new"), ":2", "{overflow}");
        assert_eq!(bench.run("LRANGE q 0 -1"), "*2 $3 new $5 pivot");
        bench.run("RPUSH d2 old");
        assert_eq!(bench.run("LMOVE other d LEFT RIGHT"), "$5 moved");
        assert_eq!(bench.run("LRANGE d 0 -1"), "*1 $5 moved", "{overflow}");
        bench.now = bench.now.after(Duration::from_millis(200));
        bench.pass(0);
        assert_eq!(bench.run("LRANGE d 0 -1"), "*1 $4 late", "{overflow}");
    }
}

#[test]
fn what_is_too_old_does_not_come_along() {
    for command in [
        "RENAME old plain",
        "RENAMENX old plain",
        "COPY old plain",
        "MOVE old 1",
        "SORT old ALPHA STORE plain",
    ] {
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET ol* MAX-AGE 150");
        bench.run("RPUSH old a");
        bench.now = bench.now.after(Duration::from_millis(100));
        bench.run("RPUSH old b");
        bench.now = bench.now.after(Duration::from_millis(50));
        bench.run(command);
        let mut player = bench.client();
        let mut key = "plain";
        if command.starts_with("MOVE") {
            bench.play(&mut player, "SELECT 1");
            key = "old";
        }
        let all = format!("LRANGE {key} 0 -1");
        assert_eq!(bench.play(&mut player, &all), "*1 $1 b", "{command}");
        // With nothing else there, it is as if the key were not there.
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET ol* MAX-AGE 150");
        bench.run("RPUSH old a");
        bench.now = bench.now.after(Duration::from_millis(150));
        let without = Bench::new().run(command);
        assert_eq!(bench.run(command), without, "{command}");
        assert_eq!(bench.run("EXISTS old plain"), ":0", "{command}");
    }
}

#[test]
fn a_queue_that_gets_its_dead_letter_queue_later_is_prompt_from_then_on() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET q MAX-AGE 50");
    bench.run("RPUSH q a");
    let due_us = (bench.now.mono_ms() + 50) * 1000;
    assert_eq!(bench.engine.early.of(0), u64::MAX);
    bench.run("WEIR.POLICY SET q MAX-AGE 50 DEAD-LETTER dead");
    assert_eq!(bench.engine.early.of(0), due_us);
    let mut waiter = bench.client();
    assert_eq!(bench.play(&mut waiter, "BLPOP dead 0"), "(blocked)");
    bench.engine.early.answer(0, due_us);
    bench.pass(0);
    assert_eq!(bench.engine.early.of(0), due_us);
    bench.pass(50);
    assert_eq!(waiter.look(), "*2 $4 dead $1 a");
}
