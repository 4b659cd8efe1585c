//! What two clients see of streams, and what the differential test cannot reach.

use crate::command::testing::Bench;
use crate::command::tick;
use crate::store::{ShardSet, Value};

/// Runs commands one after the other on a fresh bench; each must get its reply.
fn check(steps: &[(&str, &str)]) {
    let bench = Bench::new();
    let mut player = bench.client();
    for (command, reply) in steps {
        assert_eq!(bench.play(&mut player, command), *reply, "{command}");
    }
}

#[test]
fn an_entry_comes_back_as_it_was_added() {
    check(&[
        ("xadd s 5-1 a 1 b 2", "$3 5-1"),
        ("xadd s 5-* a 3", "$3 5-2"),
        (
            "xadd s 5-2 a 3",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ),
        (
            "xrange s - + COUNT 1",
            "*1 *2 $3 5-1 *4 $1 a $1 1 $1 b $1 2",
        ),
        ("xrevrange s + (5-1", "*1 *2 $3 5-2 *2 $1 a $1 3"),
        ("xadd s * a 4", "$15 1700000000000-0"),
        ("xadd s maxlen = 1 * a 5", "$15 1700000000000-1"),
        ("xlen s", ":1"),
        ("type s", "+stream"),
        ("object encoding s", "$6 stream"),
    ]);
}

#[test]
fn a_reader_waits_for_what_comes_after_its_request() {
    let bench = Bench::new();
    let mut reader = bench.client();
    bench.run("xadd s 1 f v");
    assert_eq!(
        bench.play(&mut reader, "xread block 0 streams s t $ 0"),
        "(blocked)"
    );
    bench.run("lpush t x");
    assert_eq!(reader.look(), "", "a list serves no stream reader");
    bench.run("del t");
    bench.run("xadd s 2 f v");
    assert_eq!(reader.look(), "*1 *2 $1 s *1 *2 $3 2-0 *2 $1 f $1 v");
}

#[test]
fn group_readers_are_served_in_the_order_in_which_they_came() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.client(), bench.client());
    bench.run("xgroup create s g $ mkstream");
    for (reader, name) in [(&mut first, "c"), (&mut second, "d")] {
        let command = format!("xreadgroup group g {name} count 1 block 0 streams s >");
        assert_eq!(bench.play(reader, &command), "(blocked)");
    }
    bench.run("xadd s 1 f v");
    assert_eq!(second.look(), "");
    bench.run("xadd s 2 f v");
    assert_eq!(first.look(), "*1 *2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v");
    assert_eq!(second.look(), "*1 *2 $1 s *1 *2 $3 2-0 *2 $1 f $1 v");
    assert_eq!(
        bench.run("xpending s g"),
        "*4 :2 $3 1-0 $3 2-0 *2 *2 $1 c $1 1 *2 $1 d $1 1"
    );
}

#[test]
fn who_waits_for_a_group_learns_that_it_has_gone() {
    for (ending, answer) in [
        (
            "xgroup destroy s g",
            "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        (
            "del s",
            "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        (
            "set s x",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ] {
        let bench = Bench::new();
        let mut reader = bench.client();
        bench.run("xgroup create s g $ mkstream");
        assert_eq!(
            bench.play(&mut reader, "xreadgroup group g c block 0 streams s >"),
            "(blocked)"
        );
        bench.run(ending);
        assert_eq!(reader.look(), answer, "{ending}");
    }
}

#[test]
fn keys_stand_behind_the_word_streams() {
    check(&[
        (
            "command getkeys xread block 5 streams a b 1 2",
            "*2 $1 a $1 b",
        ),
        (
            "command getkeys xreadgroup group streams c streams a >",
            "*1 $1 a",
        ),
        ("command getkeys xread nonsense streams a b", "*1 $1 a"),
    ]);
}

#[test]
fn to_acknowledge_an_entry_that_has_gone_changes_nothing() {
    for (deleted, watched) in [("xdel s 1", "*1 :0"), ("xdel s 7", "*-1")] {
        let bench = Bench::new();
        let mut player = bench.client();
        bench.run("xadd s 1 f v");
        bench.run("xgroup create s g 0");
        bench.run("xreadgroup group g c streams s >");
        bench.run(deleted);
        bench.play(&mut player, "watch s");
        bench.play(&mut player, "multi");
        assert_eq!(bench.run("xackdel s g ids 1 1"), "*1 :1");
        bench.play(&mut player, "xlen t");
        let got = bench.play(&mut player, "exec");
        assert_eq!(got, watched, "{deleted}");
    }
}

#[test]
fn a_claiming_reader_gets_what_is_due_and_then_what_is_new() {
    let mut bench = Bench::new();
    let mut player = bench.client();
    for id in ["1", "2", "3"] {
        bench.run(&format!("xadd s {id} f v"));
    }
    bench.run("xgroup create s g 0");
    bench.run("xreadgroup group g c count 2 streams s >");
    bench.now.unix_ms += 50;
    assert_eq!(
        bench.play(&mut player, "xreadgroup group g d claim 50 streams s >"),
        "*1 *2 $1 s *3 \
         *4 $3 1-0 *2 $1 f $1 v :50 :1 \
         *4 $3 2-0 *2 $1 f $1 v :50 :1 \
         *4 $3 3-0 *2 $1 f $1 v :0 :0"
    );
    assert_eq!(bench.run("xpending s g - + 9 c"), "*0");
    assert_eq!(
        bench.play(&mut player, "xreadgroup group g d claim 50 streams s >"),
        "*-1"
    );
    assert_eq!(
        bench.play(&mut player, "xreadgroup group g d claim 50 streams s 2"),
        "*1 *2 $1 s *1 *2 $3 3-0 *2 $1 f $1 v"
    );
    for (option, error) in [
        ("x", "-ERR min-idle-time is not an integer or out of range"),
        ("-1", "-ERR min-idle-time must be a positive integer"),
    ] {
        let command = format!("xreadgroup group g d claim {option} streams s >");
        assert_eq!(bench.run(&command), error);
    }
    assert_eq!(
        bench.run("xread claim 5 streams s 0"),
        "-ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead."
    );
}

#[test]
fn a_waiting_reader_claims_what_comes_due() {
    let mut bench = Bench::new();
    let mut reader = bench.client();
    bench.run("xadd s 1 f v");
    bench.run("xgroup create s g 0");
    bench.run("xreadgroup group g c streams s >");
    let command = "xreadgroup group g d block 0 claim 100 streams s >";
    assert_eq!(bench.play(&mut reader, command), "(blocked)");
    bench.now.unix_ms += 99;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(reader.look(), "");
    bench.now.unix_ms += 1;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(
        reader.look(),
        "*1 *2 $1 s *1 *4 $3 1-0 *2 $1 f $1 v :100 :1"
    );
}

#[test]
fn only_who_can_wait_sets_an_alarm() {
    let bench = Bench::new();
    let alarms = || {
        let mut held = bench.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        held.shards()
            .map(|(_, s)| s.lines.alarms_len())
            .sum::<usize>()
    };
    bench.run("xgroup create s g $ mkstream");
    let command = "xreadgroup group g c block 1 claim 9223372036854775807 streams s >";
    let mut player = bench.client();
    bench.play(&mut player, "multi");
    bench.play(&mut player, command);
    assert_eq!(bench.play(&mut player, "exec"), "*1 *-1");
    assert_eq!(alarms(), 0);
    assert_eq!(bench.play(&mut player, command), "(blocked)");
    assert_eq!(alarms(), 1);
    bench.run("del s");
    assert!(player.look().starts_with("-NOGROUP"));
    assert_eq!(alarms(), 0);
}

#[test]
fn what_a_claim_makes_due_is_claimed_at_once() {
    for option in ["idle 120000", "time 1699999880000"] {
        let bench = Bench::new();
        let mut reader = bench.client();
        bench.run("xadd s 1 f v");
        bench.run("xgroup create s g 0");
        bench.run("xreadgroup group g a streams s >");
        // In other shards, which serving the reader touches.
        for other in ["t", "u", "v"] {
            bench.run(&format!("xgroup create {other} g 0 mkstream"));
        }
        let command = "xreadgroup group g b block 4000 claim 60000 streams t s u v > > > >";
        assert_eq!(bench.play(&mut reader, command), "(blocked)");
        assert_eq!(bench.run("xclaim s g a 0 1 justid"), "*1 $3 1-0");
        assert_eq!(reader.look(), "", "claimed just now");
        let claim = format!("xclaim s g a 0 1 {option} justid");
        assert_eq!(bench.run(&claim), "*1 $3 1-0");
        assert_eq!(
            reader.look(),
            "*1 *2 $1 s *1 *4 $3 1-0 *2 $1 f $1 v :120000 :1"
        );
    }
}

#[test]
fn a_released_entry_is_claimed_at_once() {
    let bench = Bench::new();
    let mut reader = bench.client();
    bench.run("xadd s 1 f v");
    bench.run("xgroup create s g 0");
    bench.run("xreadgroup group g c streams s >");
    let command = "xreadgroup group g d block 0 claim 100000 streams s >";
    assert_eq!(bench.play(&mut reader, command), "(blocked)");
    assert_eq!(bench.run("xnack s g silent ids 1 1"), ":1");
    assert_eq!(
        reader.look(),
        "*1 *2 $1 s *1 *4 $3 1-0 *2 $1 f $1 v :1700000000000 :0"
    );
    assert_eq!(bench.run("xnack s g fatal ids 2 1 7"), ":1");
    assert_eq!(
        bench.run("xpending s g - + 9"),
        "*1 *4 $3 1-0 $0  :-1 :9223372036854775807"
    );
    assert!(
        bench
            .run("xinfo stream s full")
            .contains("$12 nacked-count :1")
    );
    for (command, error) in [
        (
            "xnack s h fail ids 1 1",
            "-NOGROUP No such key 's' or consumer group 'h'",
        ),
        (
            "xnack s g what ids 1 1",
            "-ERR mode must be SILENT, FAIL, or FATAL",
        ),
        (
            "xnack s g fail ids 0 1",
            "-ERR numids must be a positive integer",
        ),
        (
            "xnack s g fail ids 3 1 2",
            "-ERR number of IDs doesn't match numids",
        ),
        (
            "xnack s g fail ids 1 1 what",
            "-ERR Unrecognized XNACK option 'what'",
        ),
        (
            "xnack s g fail force force force",
            "-ERR syntax error, expected IDS keyword",
        ),
        (
            "xnack s g fail ids 1 1 retrycount -1",
            "-ERR Invalid RETRYCOUNT value, must be >= 0",
        ),
    ] {
        assert_eq!(bench.run(command), error, "{command}");
    }
    assert_eq!(bench.run("xadd s 2 f v"), "$3 2-0");
    assert_eq!(
        bench.run("xnack s g fail ids 2 2 3 retrycount 5 force"),
        ":1"
    );
    assert_eq!(bench.run("xpending s g 2 2 9"), "*1 *4 $3 2-0 $0  :-1 :5");
}

#[test]
fn a_producer_that_says_it_again_adds_nothing() {
    check(&[
        ("xadd s idmp p 1 * f v", "$15 1700000000000-0"),
        ("xadd s idmp p 1 * f w", "$15 1700000000000-0"),
        ("xadd s idmp q 1 * f w", "$15 1700000000000-1"),
        ("xadd s idmpauto p * a 1 b 2", "$15 1700000000000-2"),
        ("xadd s idmpauto p * b 2 a 1", "$15 1700000000000-2"),
        ("xlen s", ":3"),
        ("xcfgset s idmp-maxsize 5", "+OK"),
        ("xadd s idmp p 1 * f v", "$15 1700000000000-3"),
        ("xcfgset s idmp-maxsize 5", "+OK"),
        ("xadd s idmp p 1 * f v", "$15 1700000000000-3"),
        (
            "xadd s idmp p 2 5-5 f v",
            "-ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs",
        ),
        (
            "xadd s idmp p 2 idmpauto p * f v",
            "-ERR syntax error, IDMP/IDMPAUTO specified multiple times",
        ),
        (
            "xadd s idmp '' 2 * f v",
            "-ERR syntax error, IDMP requires a non-empty producer ID",
        ),
        (
            "xadd s idmp p '' * f v",
            "-ERR syntax error, IDMP requires a non-empty idempotent ID",
        ),
        (
            "xadd s idmpauto '' * f v",
            "-ERR syntax error, IDMPAUTO requires a non-empty producer ID",
        ),
        ("xcfgset s", "-ERR At least one parameter must be specified"),
        (
            "xcfgset s idmp-duration 0",
            "-ERR IDMP-DURATION must be between 1 and 86400 seconds",
        ),
        (
            "xcfgset s idmp-maxsize 10001",
            "-ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
        ),
        (
            "xcfgset s idmp-maxsize 1 idmp-maxsize 1",
            "-ERR IDMP-MAXSIZE specified multiple times",
        ),
        ("xcfgset s what 1", "-ERR syntax error"),
        ("xcfgset none what 1", "-ERR no such key"),
    ]);
    let bench = Bench::new();
    bench.run("xadd s idmp p 1 * f v");
    bench.run("xadd s idmp p 1 * f v");
    let shown = bench.run("xinfo stream s");
    assert!(shown.contains(
        "$13 idmp-duration :100 $12 idmp-maxsize :100 $12 pids-tracked :1 $12 iids-tracked :1 \
         $10 iids-added :1 $15 iids-duplicates :1 $6 groups :0"
    ));
    assert!(!bench.run("xinfo stream s full").contains("nacked-count"));
}

#[test]
fn a_producer_can_be_told_of_later() {
    check(&[
        ("xadd s 1-1 f v", "$3 1-1"),
        ("xadd s 1-2 f v", "$3 1-2"),
        ("xidmprecord s p 7 1-1", "+OK"),
        ("xidmprecord s p 7 1-1", "+OK"),
        ("xadd s idmp p 7 * f v", "$3 1-1"),
        (
            "xidmprecord s p 7 1-2",
            "-ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID",
        ),
        (
            "xidmprecord s p 8 1-9",
            "-ERR The specified stream ID was deleted or doesn't exist",
        ),
        ("xdel s 1-1", ":1"),
        (
            "xidmprecord s p 7 1-1",
            "-ERR The specified stream ID was deleted or doesn't exist",
        ),
        ("xadd s idmp p 7 * f v", "$3 1-1"),
        (
            "xidmprecord s '' 7 1-2",
            "-ERR syntax error, IDMP requires a non-empty producer ID",
        ),
        (
            "xidmprecord s p '' 1-2",
            "-ERR syntax error, IDMP requires a non-empty idempotent ID",
        ),
        (
            "xidmprecord s p 8 what",
            "-ERR Invalid stream ID specified as stream command argument",
        ),
        ("xidmprecord none p 8 1-1", "-ERR no such key"),
        ("set text t", "+OK"),
        (
            "xidmprecord text p 8 1-1",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ]);
    let mut bench = Bench::new();
    bench.run("xadd s 1-1 f v");
    bench.run("xidmprecord s p 7 1-1");
    let shown = bench.run("xinfo stream s");
    let counts = "$12 pids-tracked :1 $12 iids-tracked :1 $10 iids-added :0 $15 iids-duplicates :0";
    assert!(shown.contains(counts), "{shown}");
    // It is forgotten in its time, like all others.
    bench.pass(100_001);
    assert_ne!(bench.run("xadd s idmp p 7 * f v"), "$3 1-1");
}

/// The policy of the stream `s`.
fn set_policy(bench: &Bench, options: &str) {
    let command = format!("weir.policy set s kind stream {options}");
    assert_eq!(bench.run(&command), "+OK");
}

#[test]
fn what_was_delivered_too_often_goes_to_the_dead_letters() {
    let bench = Bench::new();
    bench.run("xadd s 1 f v");
    bench.run("xadd s 2 f w");
    bench.run("xgroup create s g 0");
    set_policy(&bench, "max-deliveries 2 dead-letter dead");
    bench.run("xreadgroup group g c streams s >");
    assert_eq!(bench.run("xclaim s g d 0 1"), "*1 *2 $3 1-0 *2 $1 f $1 v");
    assert_eq!(
        bench.run("xautoclaim s g d 0 0"),
        "*3 $3 0-0 *1 *2 $3 2-0 *2 $1 f $1 w *0"
    );
    assert_eq!(
        bench.run("xrange dead - +"),
        "*1 *2 $15 1700000000000-0 *10 $1 f $1 v $11 weir.origin $1 s $7 weir.id $3 1-0 \
         $10 weir.group $1 g $15 weir.deliveries $1 2"
    );
    assert_eq!(bench.run("xreadgroup group g d claim 0 streams s >"), "*-1");
    assert_eq!(bench.run("xlen dead"), ":2");
    assert_eq!(bench.run("xpending s g"), "*4 :0 $-1 $-1 *-1");
    assert_eq!(bench.run("xlen s"), ":2", "other groups may want them");
}

#[test]
fn a_transaction_leaves_dead_letters_where_they_are() {
    let bench = Bench::new();
    let mut player = bench.client();
    bench.run("xadd s 1 f v");
    bench.run("xgroup create s g 0");
    set_policy(&bench, "max-deliveries 1 dead-letter dead");
    bench.run("xreadgroup group g c streams s >");
    bench.play(&mut player, "multi");
    bench.play(&mut player, "xclaim s g d 0 1");
    assert_eq!(bench.play(&mut player, "exec"), "*1 *0");
    assert_eq!(bench.run("xlen dead"), ":0");
    assert_eq!(bench.run("xclaim s g d 0 1"), "*0");
    assert_eq!(bench.run("xlen dead"), ":1");
}

#[test]
fn a_waiter_for_dead_letters_is_served_by_the_tick() {
    let mut bench = Bench::new();
    let (mut claimer, mut undertaker) = (bench.client(), bench.client());
    bench.run("xadd s 1 f v");
    bench.run("xgroup create s g 0");
    set_policy(&bench, "max-deliveries 1 dead-letter dead");
    bench.run("xreadgroup group g c streams s >");
    let command = "xreadgroup group g d block 0 claim 10 streams s >";
    assert_eq!(bench.play(&mut claimer, command), "(blocked)");
    let command = "xread block 0 streams dead $";
    assert_eq!(bench.play(&mut undertaker, command), "(blocked)");
    bench.now.unix_ms += 10;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(claimer.look(), "");
    assert!(undertaker.look().contains("$11 weir.origin $1 s"));
}

/// How many streams the tick is to look after, and in how many shards it would look at one now.
fn tended(bench: &Bench) -> (usize, usize) {
    let mut held = bench.engine.keyspace.hold();
    held.need(ShardSet::ALL);
    let tended = held.shards().map(|(_, s)| s.tended(bench.now.unix_ms));
    tended.fold((0, 0), |sum, one| {
        (sum.0 + one.0, sum.1 + usize::from(one.1))
    })
}

#[test]
fn a_tick_looks_only_at_streams_with_something_due() {
    let mut bench = Bench::new();
    bench.run("weir.policy set s* kind stream max-age 1000");
    bench.run("weir.policy set i* kind stream expire-idle 1000");
    for number in 0..50 {
        bench.run(&format!("xadd s{number} * f v"));
        bench.run(&format!("xgroup create i{number} g $ mkstream"));
        for mark in [1, 2] {
            bench.run(&format!("xadd p{number} idmp p {mark} * f v"));
        }
    }
    assert_eq!(tended(&bench).0, 150);
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(tended(&bench), (150, 0));
    bench.now.unix_ms += 999;
    assert_eq!(tended(&bench), (150, 0), "nothing is due");
    bench.now.unix_ms += 2;
    assert!(tended(&bench).1 > 0);
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(tended(&bench), (100, 0), "those with entries are empty");
    for number in 0..50 {
        bench.run(&format!("rename i{number} j{number}"));
        bench.run(&format!("xadd s{number} 1-1000000 f v"));
        bench.run(&format!("xadd s{number} * f v"));
    }
    assert_eq!(tended(&bench).0, 100, "no policy for j*");
    bench.run("swapdb 0 1");
    bench.now.unix_ms += 100_000;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(tended(&bench), (0, 0), "all forgotten");
}

#[test]
fn what_leaves_its_key_leaves_the_list_of_the_tick() {
    let mut bench = Bench::new();
    bench.run("weir.policy set s* kind stream max-age 100000000 expire-idle 100000000");
    for (leave, left) in [
        ("del s1", 0),
        ("set s1 x", 0),
        ("rename s1 t", 0),
        ("rename s1 s2", 1),
        ("move s1 5", 1),
        ("flushdb", 0),
        ("weir.policy del s* kind stream", 0),
    ] {
        bench.run("flushall");
        bench.run("weir.policy set s* kind stream max-age 100000000 expire-idle 100000000");
        bench.run("xadd s1 * f v");
        tick::tend(&bench.engine, 0, bench.now);
        assert_eq!(tended(&bench), (1, 0));
        bench.run(leave);
        assert_eq!(tended(&bench).0, left, "{leave}");
    }
    bench.run("flushall");
    bench.run("weir.policy set s* kind stream max-age 1000");
    bench.run("xgroup create s1 g $ mkstream");
    tick::tend(&bench.engine, 0, bench.now);
    bench.run("xadd s1 1 f v");
    assert_eq!(tended(&bench).1, 1, "an entry that is old already");
    bench.now.unix_ms += 1;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(tended(&bench), (0, 0));
}

#[test]
fn old_entries_and_idle_consumers_go_without_traffic() {
    let mut bench = Bench::new();
    bench.run("xadd s * f v");
    bench.run("xgroup create s g 0");
    bench.run("xgroup createconsumer s g idle");
    set_policy(&bench, "max-age 1000 expire-idle 500");
    let memory = |bench: &Bench| {
        let mut held = bench.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        let key = bench.engine.keyspace.key(0, b"s");
        let entry = held.shard_of(&key).peek(&key, bench.now.unix_ms);
        match entry.map(|entry| &entry.value) {
            Some(Value::Stream(stream)) => stream.log().len(),
            _ => 0,
        }
    };
    bench.now.unix_ms += 500;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(bench.run("xinfo consumers s g"), "*0");
    assert_eq!(memory(&bench), 1);
    bench.run("copy s t");
    bench.run("del t");
    bench.now.unix_ms += 501;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(memory(&bench), 0, "before anybody looked");
    bench.run("xadd s * f v");
    bench.now.unix_ms += 1001;
    assert_eq!(bench.run("xlen s"), ":0", "before the tick");
}

#[test]
fn a_consumer_that_waits_stays() {
    let mut bench = Bench::new();
    let mut reader = bench.client();
    bench.run("xgroup create s g $ mkstream");
    set_policy(&bench, "expire-idle 500");
    bench.run("xgroup createconsumer s g idle");
    let command = "xreadgroup block 0 group g waits streams s >";
    assert_eq!(bench.play(&mut reader, command), "(blocked)");
    for _ in 0..3 {
        bench.now.unix_ms += 500;
        tick::tend(&bench.engine, 0, bench.now);
    }
    let consumers = bench.run("xinfo consumers s g");
    assert!(
        consumers.starts_with("*1 *8 $4 name $5 waits"),
        "{consumers}"
    );
    bench.run("xadd s 1 f v");
    assert!(reader.look().contains("$3 1-0"));
    bench.now.unix_ms += 2000;
    tick::tend(&bench.engine, 0, bench.now);
    assert!(bench.run("xinfo consumers s g").starts_with("*1"));
    bench.run("xack s g 1");
    bench.now.unix_ms += 1000;
    tick::tend(&bench.engine, 0, bench.now);
    assert_eq!(bench.run("xinfo consumers s g"), "*0");
}

#[test]
fn who_waits_for_a_stream_learns_by_the_tick_that_it_expired() {
    for policy in ["", "expire-idle 1000"] {
        let mut bench = Bench::new();
        let mut reader = bench.client();
        bench.run("xgroup create s g $ mkstream");
        if !policy.is_empty() {
            set_policy(&bench, policy);
        }
        let command = "xreadgroup group g c block 0 streams s >";
        assert_eq!(bench.play(&mut reader, command), "(blocked)");
        bench.run("pexpire s 10");
        bench.now.unix_ms += 10;
        if policy.is_empty() {
            tick::expire(&bench.engine, 0, bench.now);
        }
        tick::tend(&bench.engine, 0, bench.now);
        let told = reader.look();
        assert!(told.starts_with("-NOGROUP"), "{told}");
    }
}

#[test]
fn a_heavy_stream_is_freed_elsewhere() {
    let bench = Bench::new();
    let value = "v".repeat(5000);
    for _ in 0..300 {
        bench.run(&format!("xadd s * f {value}"));
    }
    assert_eq!(bench.run("del s"), ":1");
    assert_eq!(bench.run("exists s"), ":0");
}
