use std::time::Duration;

use crate::command::testing::Bench;

/// What the ledger of a queue, or of all, says of these names.
pub(super) fn ledger<const N: usize>(bench: &Bench, key: &str, names: [&str; N]) -> [u64; N] {
    let command = format!("WEIR.LEDGER {key}");
    let text = bench.run(command.trim_end());
    let words: Vec<&str> = text.split(' ').collect();
    names.map(|name| {
        let at = words.iter().position(|word| *word == name).unwrap();
        words[at + 1].trim_start_matches(':').parse().unwrap()
    })
}

pub(super) fn check(bench: &Bench, steps: &[(&str, &str)]) {
    for (command, reply) in steps {
        assert_eq!(bench.run(command), *reply, "{command}");
    }
}

#[test]
fn a_full_queue_lets_the_oldest_go() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.POLICY SET log* MAX-LENGTH 3", "+OK"),
            ("RPUSH log 1 2 3", ":3"),
            ("RPUSH log 4", ":3"),
            ("LRANGE log 0 -1", "*3 $1 2 $1 3 $1 4"),
            ("LPUSH log 0", ":3"),
            ("LRANGE log 0 -1", "*3 $1 0 $1 2 $1 3"),
            ("RPUSH log a b c d e", ":3"),
            ("LRANGE log 0 -1", "*3 $1 c $1 d $1 e"),
            ("RPUSH other 1 2 3 4", ":4"),
            ("LMOVE other log LEFT RIGHT", "$1 1"),
            ("LRANGE log 0 -1", "*3 $1 d $1 e $1 1"),
            ("LINSERT log BEFORE e x", ":3"),
        ],
    );
    let names = ["in", "out", "held", "overflow_oldest"];
    assert_eq!(ledger(&bench, "log", names), [12, 0, 3, 9]);
}

#[test]
fn a_full_queue_lets_the_newest_go() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.POLICY SET q MAX-BYTES 6 OVERFLOW drop-newest", "+OK"),
            ("RPUSH q aaa bb", ":2"),
            ("RPUSH q cc", ":2"),
            ("RPUSH q c", ":3"),
            ("LRANGE q 0 -1", "*3 $3 aaa $2 bb $1 c"),
            ("LSET q 2 cccc", "+OK"),
        ],
    );
    let [held, lost] = ledger(&bench, "q", ["held_bytes", "overflow_newest"]);
    assert!(held <= 6 && lost >= 2, "{held} {lost}");
}

#[test]
fn a_full_queue_refuses_and_says_so() {
    let bench = Bench::new();
    bench.run("WEIR.POLICY SET q MAX-LENGTH 2 MAX-BYTES 10 OVERFLOW reject");
    check(
        &bench,
        &[
            ("RPUSH q a", ":1"),
            (
                "RPUSH q b c",
                "-OVERFLOW queue 'q' is full: max-length is 2, it holds 1 messages and 2 more came",
            ),
            (
                "RPUSH q 1234567890",
                "-OVERFLOW queue 'q' is full: max-bytes is 10, it holds 1 bytes and 10 more came",
            ),
            ("LRANGE q 0 -1", "*1 $1 a"),
            ("RPUSH q b", ":2"),
            ("RPUSH other x y z", ":3"),
            (
                "LMOVE other q LEFT LEFT",
                "-OVERFLOW queue 'q' is full: max-length is 2, it holds 2 messages and 1 more came",
            ),
            ("LLEN other", ":3"),
            (
                "RENAME other q",
                "-OVERFLOW queue 'q' is full: max-length is 2, it holds 0 messages and 3 more came",
            ),
            (
                "LINSERT q BEFORE a x",
                "-OVERFLOW queue 'q' is full: max-length is 2, it holds 2 messages and 1 more came",
            ),
            (
                "LSET q 0 1234567890",
                "-OVERFLOW queue 'q' is full: max-bytes is 10, it holds 2 bytes and 10 more came",
            ),
            ("LSET q 0 12345", "+OK"),
            ("DEL q", ":1"),
        ],
    );
    let refused = bench.run("LPUSH q 12345678901");
    assert!(refused.starts_with("-OVERFLOW"), "{refused}");
    assert_eq!(bench.run("EXISTS q"), ":0");
}

#[test]
fn policies_hold_for_queues_that_are_there() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("RPUSH a 1 2 3 4 5", ":5"),
            ("LPUSH b 1 2 3 4 5", ":5"),
            ("WEIR.POLICY SET * MAX-LENGTH 2", "+OK"),
            ("LRANGE a 0 -1", "*2 $1 4 $1 5"),
            ("LRANGE b 0 -1", "*2 $1 5 $1 4"),
            ("WEIR.POLICY DEL *", ":1"),
            ("WEIR.POLICY DEL *", ":0"),
            ("RPUSH a 6 7", ":4"),
            ("WEIR.POLICY SET small MAX-LENGTH 1", "+OK"),
            ("RENAME a small", "+OK"),
            ("LRANGE small 0 -1", "*1 $1 7"),
            ("COPY b big", ":1"),
            ("LLEN big", ":2"),
        ],
    );
    assert_eq!(ledger(&bench, "", ["overflow_oldest"]), [9]);
}

#[test]
fn dead_letters_keep_their_bytes_and_a_note() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            (
                "WEIR.POLICY SET jobs:* MAX-LENGTH 2 DEAD-LETTER dead",
                "+OK",
            ),
            ("RPUSH jobs:a 1 2 3 4", ":2"),
            ("LRANGE dead 0 -1", "*2 $1 1 $1 2"),
        ],
    );
    bench.now = bench.now.after(Duration::from_millis(7));
    bench.run("LPUSH jobs:a 0");
    assert_eq!(bench.run("LRANGE dead 0 -1"), "*3 $1 1 $1 2 $1 4");
    assert_eq!(
        bench.run("WEIR.DEADLETTER dead COUNT 1"),
        "*1 *8 $6 source $6 jobs:a $5 cause $15 overflow_oldest $2 at :1700000000007 $6 waited :7"
    );
    let names = ["in", "held", "dead_lettered", "overflow_oldest"];
    assert_eq!(ledger(&bench, "jobs:a", names), [5, 2, 3, 0]);
    assert_eq!(ledger(&bench, "dead", names), [3, 3, 0, 0]);
    let name = "jobs:".to_owned() + &"n".repeat(2000);
    bench.run(&format!("RPUSH {name} 1 2 3"));
    let letter = bench.run("WEIR.DEADLETTER dead COUNT 1");
    let told = &name[..1024];
    let told = format!("$6 source $1044 {told}... (981 more bytes) ");
    assert!(letter.contains(&told), "{letter}");
}

#[test]
fn dead_letters_without_a_place_are_lost_for_their_cause() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.POLICY SET q MAX-LENGTH 1 DEAD-LETTER dead", "+OK"),
            ("SET dead text", "+OK"),
            ("RPUSH q 1 2", ":1"),
            ("DEL dead", ":1"),
            ("WEIR.POLICY SET dead MAX-LENGTH 1 OVERFLOW reject", "+OK"),
            ("RPUSH q 3 4", ":1"),
            ("LRANGE dead 0 -1", "*1 $1 2"),
            (
                "WEIR.POLICY SET dead MAX-LENGTH 1 DEAD-LETTER deader",
                "+OK",
            ),
            ("RPUSH q 5", ":1"),
            ("LRANGE dead 0 -1", "*1 $1 4"),
            ("LRANGE deader 0 -1", "*1 $1 2"),
        ],
    );
    let names = ["dead_lettered", "overflow_oldest"];
    assert_eq!(ledger(&bench, "q", names), [2, 2]);
}

#[test]
fn dead_letters_serve_who_waits_for_them() {
    let bench = Bench::new();
    bench.run("WEIR.POLICY SET q* MAX-LENGTH 1 DEAD-LETTER dead");
    let (mut mover, mut reader) = (bench.client(), bench.client());
    assert_eq!(
        bench.play(&mut mover, "BLMOVE dead q2 LEFT RIGHT 0"),
        "(blocked)"
    );
    assert_eq!(bench.play(&mut reader, "BLPOP dead 0"), "(blocked)");
    assert_eq!(bench.run("RPUSH q2 x"), ":1");
    assert_eq!(bench.run("RPUSH q1 a b"), ":1");
    assert_eq!(mover.look(), "$1 a");
    assert_eq!(reader.look(), "*2 $4 dead $1 x", "pushed out of q2 by a");
    assert_eq!(bench.run("LRANGE q2 0 -1"), "*1 $1 a");
}

#[test]
fn transactions_keep_bounds() {
    let bench = Bench::new();
    bench.run("WEIR.POLICY SET q* MAX-LENGTH 1 DEAD-LETTER dead");
    let mut client = bench.client();
    for command in ["MULTI", "RPUSH q1 a b", "RPUSH q2 c d", "LLEN q1"] {
        bench.play(&mut client, command);
    }
    assert_eq!(bench.play(&mut client, "EXEC"), "*3 :1 :1 :1");
    assert_eq!(bench.run("LRANGE dead 0 -1"), "*2 $1 a $1 c");
}

#[test]
fn policies_are_shown_and_explained() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.POLICY SET * MAX-BYTES 1mb", "+OK"),
            ("WEIR.POLICY SET a* MAX-LENGTH 5 OVERFLOW REJECT", "+OK"),
            (
                "WEIR.POLICY GET a*",
                "*8 $7 pattern $2 a* $4 kind $5 queue $10 max-length :5 $8 overflow $6 reject",
            ),
            ("WEIR.POLICY GET b", "$-1"),
            (
                "WEIR.POLICY EXPLAIN abc",
                "*6 $6 policy *8 $7 pattern $2 a* $4 kind $5 queue $10 max-length :5 $8 overflow \
                 $6 reject $3 why $89 the most specific of 2 patterns that match; pattern with 1 \
                 fixed bytes in front, 1 in all $11 passed-over *1 $1 *",
            ),
            (
                "WEIR.POLICY EXPLAIN news KIND channel",
                "*6 $6 policy $-1 $3 why $38 no pattern of channel policies matches $11 \
                 passed-over *0",
            ),
            (
                "WEIR.POLICY SET a* MAX-LENGTH many",
                "-ERR 'max-length' takes a number from 1, not 'many'",
            ),
            (
                "WEIR.POLICY SET * DEAD-LETTER dead",
                "-ERR dead letters would go in a circle: dead -> dead; give one of these queues a policy of its own without dead-letter",
            ),
        ],
    );
    assert!(
        bench
            .run("WEIR.POLICY LIST")
            .starts_with("*2 *8 $7 pattern $2 a*")
    );
    let kept = bench.run("CONFIG GET policy");
    assert!(
        kept.ends_with("a* max-length 5 overflow reject; * max-bytes 1048576"),
        "{kept}"
    );
}

#[test]
fn channels_bound_their_subscribers() {
    let bench = Bench::new();
    bench.run("WEIR.POLICY SET news* KIND channel MAX-LENGTH 2");
    let mut reader = bench.client();
    bench.play(&mut reader, "SUBSCRIBE news:1 other");
    for n in 0..4 {
        bench.run(&format!("PUBLISH news:1 {n}"));
    }
    let seen = reader.look();
    assert!(seen.contains("$1 2") && seen.contains("$1 3"), "{seen}");
    assert!(!seen.contains("$1 0") && !seen.contains("$1 1"), "{seen}");
    let names = ["outbox_in", "outbox_out", "outbox_dropped_oldest"];
    assert_eq!(ledger(&bench, "", names), [4, 2, 2]);
    bench.run("WEIR.POLICY SET news* KIND channel MAX-LENGTH 2 OVERFLOW drop-newest");
    for n in 0..4 {
        bench.run(&format!("PUBLISH news:1 {n}"));
    }
    let seen = reader.look();
    assert!(seen.contains("$1 0") && seen.contains("$1 1") && !seen.contains("$1 2"));
}

#[test]
fn what_is_too_old_is_not_popped() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET q MAX-AGE 100");
    bench.run("RPUSH q 1 2");
    bench.now = bench.now.after(Duration::from_millis(60));
    bench.run("LPUSH q 3");
    bench.now = bench.now.after(Duration::from_millis(60));
    assert_eq!(bench.run("LLEN q"), ":3", "looking is not popping");
    assert_eq!(bench.run("RPOP q"), "$1 3");
    assert_eq!(bench.run("EXISTS q"), ":0");
    bench.run("RPUSH q 4");
    bench.now = bench.now.after(Duration::from_millis(100));
    let mut waiter = bench.client();
    assert_eq!(bench.play(&mut waiter, "BLPOP q 0"), "(blocked)");
    bench.run("RPUSH q 5");
    assert_eq!(waiter.look(), "*2 $1 q $1 5");
    assert_eq!(
        ledger(&bench, "q", ["in", "out", "held", "expired_age"]),
        [5, 2, 0, 3]
    );
}

#[test]
fn what_is_too_old_goes_without_traffic() {
    let mut bench = Bench::new();
    bench.run("RPUSH q 1 2");
    bench.pass(30);
    bench.run("WEIR.POLICY SET q* MAX-AGE 100");
    bench.run("LPUSH q 3");
    bench.pass(69);
    assert_eq!(bench.run("LLEN q"), ":3");
    bench.pass(1);
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 3");
    bench.pass(30);
    assert_eq!(bench.run("EXISTS q"), ":0");
    bench.run("RPUSH q 4");
    bench.run("RENAME q q2");
    bench.pass(100);
    assert_eq!(bench.run("EXISTS q q2"), ":0");
    assert_eq!(ledger(&bench, "", ["expired_age"]), [4]);
}

#[test]
fn a_forgotten_queue_goes() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET q* EXPIRE-IDLE 100");
    bench.run("RPUSH q1 a b c");
    bench.run("RPUSH q2 a b c");
    bench.pass(60);
    bench.run("LPOP q1");
    bench.pass(60);
    assert_eq!(bench.run("EXISTS q1 q2"), ":1");
    bench.run("RPUSH q1 d");
    bench.pass(99);
    assert_eq!(bench.run("LLEN q1"), ":3");
    bench.pass(1);
    assert_eq!(bench.run("EXISTS q1"), ":0");
    assert_eq!(ledger(&bench, "q1", ["out", "expired_idle"]), [1, 3]);
    assert_eq!(ledger(&bench, "q2", ["out", "expired_idle"]), [0, 3]);
}

/// The recipe of a delay queue: what is pushed to `later` comes to `now` when it is old enough.
#[test]
fn a_delay_queue_hands_over_in_time() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET later MAX-AGE 1000 DEAD-LETTER now");
    let mut worker = bench.client();
    assert_eq!(bench.play(&mut worker, "BRPOP now 0"), "(blocked)");
    bench.run("LPUSH later job1");
    bench.pass(500);
    bench.run("LPUSH later job2");
    bench.pass(499);
    assert_eq!(worker.look(), "");
    bench.pass(1);
    assert_eq!(worker.look(), "*2 $3 now $4 job1");
    bench.pass(500);
    assert_eq!(bench.run("LRANGE now 0 -1"), "*1 $4 job2");
    assert_eq!(
        ledger(
            &bench,
            "later",
            ["in", "held", "dead_lettered", "expired_age"]
        ),
        [2, 0, 2, 0]
    );
}

/// The recipe of a visibility timeout: what nobody finishes goes back to where it came from.
#[test]
fn a_processing_list_gives_back_what_nobody_finished() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET jobs:doing MAX-AGE 1000 DEAD-LETTER jobs");
    bench.run("LPUSH jobs one two");
    assert_eq!(bench.run("LMOVE jobs jobs:doing RIGHT LEFT"), "$3 one");
    bench.pass(600);
    assert_eq!(bench.run("LMOVE jobs jobs:doing RIGHT LEFT"), "$3 two");
    assert_eq!(bench.run("LREM jobs:doing 1 two"), ":1");
    bench.pass(400);
    assert_eq!(bench.run("EXISTS jobs:doing"), ":0");
    assert_eq!(bench.run("LRANGE jobs 0 -1"), "*1 $3 one");
}

#[test]
fn what_is_published_goes_along_routes() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.ROUTE ADD news:* archive", ":1"),
            ("WEIR.ROUTE ADD news:* archive", ":0"),
            ("WEIR.ROUTE ADD news:1 first", ":1"),
            ("WEIR.POLICY SET archive MAX-LENGTH 2", "+OK"),
            ("PUBLISH news:1 a", ":2"),
            ("PUBLISH news:2 b", ":1"),
            ("PUBLISH news:2 c", ":1"),
            ("PUBLISH other d", ":0"),
            ("LRANGE archive 0 -1", "*2 $1 b $1 c"),
            ("LRANGE first 0 -1", "*1 $1 a"),
            (
                "WEIR.ROUTE LIST",
                "*2 *2 $6 news:* $7 archive *2 $6 news:1 $5 first",
            ),
            (
                "CONFIG GET route",
                "*2 $5 route $28 news:* archive; news:1 first",
            ),
            ("WEIR.ROUTE DEL news:* archive", ":1"),
            ("WEIR.ROUTE DEL news:* archive", ":0"),
            ("PUBLISH news:2 e", ":0"),
        ],
    );
    let mut waiter = bench.client();
    assert_eq!(bench.play(&mut waiter, "BLPOP q 0"), "(blocked)");
    bench.run("WEIR.ROUTE ADD * q");
    let mut client = bench.client();
    for command in ["MULTI", "PUBLISH x 1", "PUBLISH x 2"] {
        bench.play(&mut client, command);
    }
    assert_eq!(bench.play(&mut client, "EXEC"), "*2 :1 :1");
    assert_eq!(waiter.look(), "*2 $1 q $1 1");
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 2");
}

#[test]
fn what_a_route_cannot_leave_is_counted() {
    let bench = Bench::new();
    bench.run("WEIR.ROUTE ADD * q");
    bench.run("SET q text");
    assert_eq!(bench.run("PUBLISH x 1"), ":0");
    bench.run("DEL q");
    bench.run("WEIR.POLICY SET q MAX-LENGTH 1 OVERFLOW reject");
    assert_eq!(bench.run("PUBLISH x 1"), ":1");
    assert_eq!(bench.run("PUBLISH x 2"), ":0");
    assert!(bench.run("INFO weir").contains("routes_refused_messages:2"));
}

#[test]
fn messages_end_when_their_time_is_over() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.PUSH q TTL 100 a b", ":2"),
            ("WEIR.PUSH q LEFT TTL 50 c", ":3"),
            ("RPUSH q keep", ":4"),
            ("LPOP q", "$1 c"),
            ("RPUSH q a", ":4"),
        ],
    );
    bench.now = bench.now.after(Duration::from_millis(100));
    assert_eq!(bench.run("LPOP q"), "$4 keep");
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $1 a");
    bench.run("WEIR.PUSH q2 TTL 30 x");
    bench.pass(30);
    assert_eq!(bench.run("EXISTS q2"), ":0");
    bench.run("WEIR.POLICY SET q3 DEAD-LETTER dead");
    bench.run("WEIR.PUSH q3 TTL 30 x");
    bench.pass(30);
    assert_eq!(bench.run("LRANGE dead 0 -1"), "*1 $1 x");
    assert_eq!(ledger(&bench, "", ["expired_ttl", "dead_lettered"]), [3, 1]);
}

#[test]
fn messages_wait_for_their_time() {
    let mut bench = Bench::new();
    let mut worker = bench.client();
    assert_eq!(bench.play(&mut worker, "BLPOP q 0"), "(blocked)");
    assert_eq!(bench.run("WEIR.PUSH q DELAY 100 late"), ":0");
    assert_eq!(bench.run("WEIR.PUSH q DELAY 50 TTL 20 soon soon2"), ":0");
    assert_eq!(ledger(&bench, "", ["in", "delayed"]), [0, 3]);
    assert!(!bench.run("WEIR.LEDGER q").contains(" delayed "));
    bench.pass(50);
    assert_eq!(worker.look(), "*2 $1 q $4 soon");
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $5 soon2");
    bench.pass(50);
    assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $4 late");
    assert_eq!(
        ledger(&bench, "", ["in", "out", "held", "delayed", "expired_ttl"]),
        [3, 1, 1, 0, 1]
    );
    bench.run("WEIR.PUSH q DELAY 50 x");
    bench.run("FLUSHALL");
    bench.pass(50);
    assert_eq!(bench.run("EXISTS q"), ":0");
    assert_eq!(ledger(&bench, "", ["in", "flushed"]), [4, 2]);
}

#[test]
fn a_delayed_message_without_a_place_is_counted() {
    let mut bench = Bench::new();
    bench.run("WEIR.PUSH q DELAY 50 x");
    bench.run("SET q text");
    bench.pass(50);
    assert_eq!(ledger(&bench, "", ["in", "delayed_lost"]), [1, 1]);
    bench.run("WEIR.POLICY SET full MAX-LENGTH 1 OVERFLOW reject");
    bench.run("WEIR.PUSH full x");
    bench.run("WEIR.PUSH full DELAY 5 y");
    bench.pass(5);
    assert_eq!(
        ledger(&bench, "", ["in", "held", "delayed_lost"]),
        [3, 1, 2]
    );
    let names = ["in", "held", "delayed_lost"];
    assert_eq!(ledger(&bench, "full", names), [2, 1, 1]);
}

#[test]
fn an_id_is_taken_once() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.PUSH q ID 7 a", ":1"),
            ("WEIR.PUSH q ID 7 a", "$-1"),
            ("WEIR.PUSH q2 ID 7 a", ":1"),
            ("LPOP q", "$1 a"),
            ("WEIR.PUSH q ID 7 LEFT b", "$-1"),
            ("WEIR.PUSH q ID 8 -- LEFT TTL", ":2"),
            ("LRANGE q 0 -1", "*2 $4 LEFT $3 TTL"),
            ("WEIR.PUSH q LEFT", "-ERR syntax error"),
            (
                "WEIR.PUSH q TTL x m",
                "-ERR value is not an integer or out of range",
            ),
            ("WEIR.PUSH q DELAY 0 m", "-ERR value is out of range"),
            ("SET text x", "+OK"),
            (
                "WEIR.PUSH text ID 1 m",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
        ],
    );
    bench.pass(300_000);
    assert_eq!(bench.run("WEIR.PUSH q ID 7 c"), ":3");
}

#[test]
fn a_message_takes_its_time_along() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            ("WEIR.PUSH q TTL 50 a", ":1"),
            ("RPUSH q b", ":2"),
            ("LMOVE q doing LEFT RIGHT", "$1 a"),
            ("RPOPLPUSH q doing", "$1 b"),
            ("LMOVE doing doing RIGHT LEFT", "$1 a"),
        ],
    );
    bench.pass(50);
    assert_eq!(bench.run("LRANGE doing 0 -1"), "*1 $1 b");
    assert_eq!(ledger(&bench, "doing", ["in", "expired_ttl"]), [3, 1]);
}

#[test]
fn streams_keep_within_their_bounds() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("XADD events 1-1 f v", "$3 1-1"),
            ("XADD events 2-1 f v", "$3 2-1"),
            ("WEIR.POLICY SET ev* KIND stream MAX-LENGTH 1", "+OK"),
            ("XRANGE events - +", "*1 *2 $3 2-1 *2 $1 f $1 v"),
            ("XADD events 3-1 f v", "$3 3-1"),
            ("XRANGE events - +", "*1 *2 $3 3-1 *2 $1 f $1 v"),
            (
                "WEIR.POLICY SET ev* KIND stream MAX-BYTES 4 OVERFLOW reject",
                "+OK",
            ),
            ("XADD events 4-1 f v", "$3 4-1"),
            (
                "XADD events 5-1 f v",
                "-OVERFLOW stream 'events' is full: max-bytes is 4, it holds 4 bytes and 2 more came",
            ),
            (
                "XADD ev2 1-1 f large",
                "-OVERFLOW stream 'ev2' is full: max-bytes is 4, it holds 0 bytes and 6 more came",
            ),
            ("EXISTS ev2", ":0"),
            (
                "WEIR.POLICY SET ev* KIND stream MAX-LENGTH 2 MAX-BYTES 5 OVERFLOW drop-newest",
                "+OK",
            ),
            ("XADD events 6-1 f v", "$3 6-1"),
            ("XLEN events", ":2"),
            ("WEIR.POLICY SET ev* KIND stream MAX-BYTES 5", "+OK"),
            ("XADD events 7-1 f large", "$3 7-1"),
            ("XLEN events", ":2"),
            ("XADD events 8-1 f vv", "$3 8-1"),
            (
                "XRANGE events - +",
                "*2 *2 $3 4-1 *2 $1 f $1 v *2 $3 8-1 *2 $1 f $2 vv",
            ),
        ],
    );
    let names = ["in", "held", "overflow_oldest", "overflow_newest"];
    assert_eq!(ledger(&bench, "events", names), [7, 2, 3, 2]);
    let names = ["stream_in", "stream_held", "stream_overflow_newest"];
    assert_eq!(ledger(&bench, "", names), [7, 2, 2]);
}

#[test]
fn groups_have_accounts() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            (
                "WEIR.POLICY SET s KIND stream MAX-DELIVERIES 1 DEAD-LETTER dead",
                "+OK",
            ),
            (
                "WEIR.POLICY SET s MAX-DELIVERIES 1",
                "-ERR a queue has no 'max-deliveries'",
            ),
            (
                "WEIR.POLICY SET dead KIND stream MAX-DELIVERIES 1 DEAD-LETTER s",
                "-ERR dead letters would go in a circle: s -> dead -> s; give one of these streams \
                 a policy of its own without dead-letter",
            ),
            ("XGROUP CREATE s g 0 MKSTREAM", "+OK"),
        ],
    );
    for id in 1..=6 {
        bench.run(&format!("XADD s {id}-1 f v"));
    }
    bench.run("XREADGROUP GROUP g c COUNT 5 STREAMS s >");
    bench.run("XREADGROUP GROUP g c NOACK STREAMS s >");
    check(
        &bench,
        &[
            ("XACK s g 1-1", ":1"),
            ("XACKDEL s g IDS 1 2-1", "*1 :1"),
            ("XCLAIM s g d 0 3-1", "*0"),
            ("XDEL s 4-1", ":1"),
            ("XCLAIM s g d 0 4-1", "*0"),
            ("XGROUP DELCONSUMER s g c", ":1"),
            ("XLEN dead", ":1"),
        ],
    );
    let names = ["in", "out", "held", "removed"];
    assert_eq!(ledger(&bench, "s", names), [6, 1, 4, 1]);
    let names = [
        "delivered",
        "acked",
        "pending",
        "dead_lettered",
        "gone",
        "abandoned",
    ]
    .map(|name| format!("group:g:{name}"));
    let names = names.each_ref().map(String::as_str);
    assert_eq!(ledger(&bench, "s", names), [6, 3, 0, 1, 1, 1]);
    assert_eq!(
        ledger(&bench, "", ["groups_dead_lettered", "groups_dropped"]),
        [1, 0]
    );
}

#[test]
fn dead_letters_by_age_go_at_their_moment() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET q MAX-AGE 50 DEAD-LETTER dead");
    bench.run("WEIR.POLICY SET lax MAX-AGE 20");
    let called = |bench: &Bench| bench.engine.early.of(0);
    bench.run("RPUSH lax x");
    assert_eq!(called(&bench), u64::MAX);
    bench.run("RPUSH q a");
    let due_us = (bench.now.mono_ms() + 50) * 1000;
    assert_eq!(called(&bench), due_us);
    bench.pass(10);
    bench.run("RPUSH q b");
    // Nothing before the moment, and all of it then.
    bench.pass(39);
    assert_eq!(bench.run("LRANGE dead 0 -1"), "*0");
    bench.pass(1);
    assert_eq!(bench.run("LRANGE dead 0 -1"), "*1 $1 a");
    bench.engine.early.answer(0, due_us);
    bench.pass(0);
    assert_eq!(called(&bench), due_us + 10_000);
    bench.pass(10);
    assert_eq!(bench.run("LRANGE dead 0 -1"), "*2 $1 a $1 b");
}

#[test]
fn an_entry_that_makes_its_own_room_is_not_refused() {
    let bench = Bench::new();
    let full = "-OVERFLOW stream 's' is full: max-length is 3, it holds 3 entries and 1 more came";
    check(
        &bench,
        &[
            (
                "WEIR.POLICY SET s KIND stream MAX-LENGTH 3 OVERFLOW reject",
                "+OK",
            ),
            ("XADD s 1-1 f v", "$3 1-1"),
            ("XADD s 2-1 f v", "$3 2-1"),
            ("XADD s 3-1 f v", "$3 3-1"),
            ("XADD s 4-1 f v", full),
            ("XADD s MAXLEN 4 4-1 f v", full),
            ("XADD s MAXLEN 3 4-1 f v", "$3 4-1"),
            ("XADD s MINID 2-1 5-1 f v", full),
            ("XADD s MINID 3-1 5-1 f v", "$3 5-1"),
            // All stand in one segment, which the new one may join: none is sure to go.
            ("XADD s MAXLEN ~ 1 6-1 f v", full),
            ("XGROUP CREATE s g 3-1", "+OK"),
            ("XADD s MAXLEN 3 ACKED 6-1 f v", "$3 6-1"),
            ("XADD s MAXLEN 3 ACKED 7-1 f v", full),
            ("XADD s MAXLEN 0 DELREF 7-1 f v", "$3 7-1"),
            ("XLEN s", ":0"),
            (
                "WEIR.POLICY SET s KIND stream MAX-BYTES 5 OVERFLOW reject",
                "+OK",
            ),
            ("XADD s 8-1 f v", "$3 8-1"),
            ("XADD s 9-1 f v", "$3 9-1"),
            ("XADD s MAXLEN 2 10-1 f vv", "$4 10-1"),
            (
                "XADD s MAXLEN 2 11-1 f vv",
                "-OVERFLOW stream 's' is full: max-bytes is 5, it holds 5 bytes and 3 more came",
            ),
            ("XADD s MAXLEN 1 11-1 f vv", "$4 11-1"),
        ],
    );
}

#[test]
fn routes_lead_to_streams() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("XADD s 1-1 f v", "$3 1-1"),
            ("WEIR.ROUTE ADD news:* s", ":1"),
            ("WEIR.ROUTE ADD news:* t", ":1"),
            ("WEIR.POLICY SET t* MAX-LENGTH 9", "+OK"),
            ("WEIR.POLICY SET t KIND stream MAX-LENGTH 1", "+OK"),
            ("PUBLISH news:a hello", ":2"),
            ("PUBLISH news:a again", ":2"),
            ("XLEN s", ":3"),
            ("XLEN t", ":1"),
            (
                "WEIR.POLICY SET t KIND stream MAX-LENGTH 1 OVERFLOW reject",
                "+OK",
            ),
            ("PUBLISH news:a more", ":1"),
        ],
    );
    let entries = bench.run("XRANGE t - +");
    assert!(
        entries.ends_with("*4 $7 channel $6 news:a $7 message $5 again"),
        "{entries}"
    );
    assert!(bench.run("INFO ledger").contains(" stream_in:6 "));
}

#[test]
fn who_may_only_write_may_push() {
    let bench = Bench::new();
    bench.run("ACL SETUSER alice on nopass %W~q* +rpush +weir.push");
    let mut alice = bench.client();
    bench.play(&mut alice, "AUTH alice x");
    assert_eq!(bench.play(&mut alice, "RPUSH q a"), ":1");
    assert_eq!(bench.play(&mut alice, "WEIR.PUSH q TTL 1000 a"), ":2");
    assert!(
        bench
            .play(&mut alice, "WEIR.PUSH other a")
            .starts_with("-NOPERM")
    );
    assert_eq!(
        bench.run("COMMAND GETKEYSANDFLAGS WEIR.PUSH q TTL 1000 a"),
        "*1 *2 $1 q *2 +RW +insert"
    );
}
