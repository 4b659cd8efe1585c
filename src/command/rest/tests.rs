//! What others get while a script rests, or a long command does.

use std::cell::RefCell;
use std::rc::Rc;

use crate::command::Meanwhile;
use crate::command::backlog::{Survey, Wanted};
use crate::command::testing::{Bench, Player};
use crate::outbox::WakeList;
use crate::store::ShardSet;

type Act = Box<dyn FnOnce()>;

thread_local! {
    /// What happens at the next rest.
    static BESIDE: RefCell<Option<Act>> = const { RefCell::new(None) };
}

/// A script that uses the key `used`, computes, and uses it again.
const SCRIPT: &str = "redis.call('rpush', KEYS[1], 'a') for i = 1, 2000 do end \
     redis.call('rpush', KEYS[1], 'b') return redis.call('llen', KEYS[1])";

fn bench() -> Rc<Bench> {
    let bench = Bench::new();
    let at_rest: fn() = || {
        if let Some(act) = BESIDE.take() {
            act();
        }
    };
    let meanwhile = Meanwhile {
        always: at_rest,
        unless_inside: at_rest,
    };
    bench.engine.meanwhile.set(meanwhile).unwrap();
    assert_ne!(shard(&bench, "used"), shard(&bench, "free"), "by the seed");
    // A script that uses anything keeps the first.
    assert_ne!(shard(&bench, "free"), 0, "by the seed");
    Rc::new(bench)
}

/// Where a key lies.
fn shard(bench: &Bench, name: &str) -> u32 {
    let keyspace = &bench.engine.keyspace;
    keyspace.shard_of(&keyspace.key(0, name.as_bytes()))
}

/// Runs the script, and `act` once while it rests.
fn beside<R: 'static>(bench: &Rc<Bench>, act: impl FnOnce(&Bench) -> R + 'static) -> (String, R) {
    let script = ["EVAL", SCRIPT, "1", "used"];
    beside_request(bench, &script, act)
}

/// Runs a request, and `act` once while it rests.
fn beside_request<R: 'static>(
    bench: &Rc<Bench>,
    request: &[&str],
    act: impl FnOnce(&Bench) -> R + 'static,
) -> (String, R) {
    let (inside, result) = (Rc::clone(bench), Rc::new(RefCell::new(None)));
    let left = Rc::clone(&result);
    BESIDE.set(Some(Box::new(move || {
        *left.borrow_mut() = Some(act(&inside));
    })));
    let words: Vec<_> = request
        .iter()
        .map(|word| word.as_bytes().to_vec())
        .collect();
    let reply = bench.play_args(&mut bench.client(), &words);
    let result = result.take().expect("it rests");
    (reply, result)
}

fn plays(bench: &Bench, commands: &[&str]) -> (Player, Vec<String>) {
    let mut player = bench.client();
    let replies = commands
        .iter()
        .map(|command| bench.play(&mut player, command));
    let replies = replies.collect();
    (player, replies)
}

#[test]
fn what_it_does_not_use_is_served() {
    let bench = bench();
    let (reply, beside) = beside(&bench, |bench| {
        let mut waiter = bench.client();
        assert_eq!(bench.play(&mut waiter, "BLPOP free 0"), "(blocked)");
        let commands = [
            "PING",
            "RPUSH free m n",
            "LRANGE free 0 -1",
            "SCRIPT LOAD return",
            "GET",
        ];
        (waiter.look(), plays(bench, &commands).1, waiter.look())
    });
    assert_eq!(reply, ":2");
    let (before, replies, served) = beside;
    assert_eq!((&*before, &*served), ("", "*2 $4 free $1 m"));
    assert_eq!(replies[..3], ["+PONG", ":2", "*1 $1 n"]);
    assert!(replies[3].starts_with("$40 "), "{replies:?}");
    assert!(replies[4].contains("wrong number"), "{replies:?}");
}

#[test]
fn what_it_uses_or_may_use_waits_for_its_end() {
    let bench = bench();
    let commands = [
        "LLEN used",
        "BLPOP used 0",
        "MSET free 1 used 2",
        "KEYS *",
        "SCAN 0",
        "DBSIZE",
        "FLUSHALL",
        "EVAL return 0",
        "WATCH used",
    ];
    let (reply, replies) = beside(&bench, move |bench| plays(bench, &commands).1);
    assert_eq!(reply, ":2");
    assert_eq!(replies, ["(postponed)"; 9]);
    assert_eq!(bench.run("LRANGE used 0 -1"), "*2 $1 a $1 b");
    assert_eq!(bench.run("DBSIZE"), ":1");
}

#[test]
fn a_transaction_stays_whole_until_it_may_run() {
    let bench = bench();
    let (_, (mut player, replies)) = beside(&bench, |bench| {
        plays(bench, &["MULTI", "SET free x", "LLEN used", "EXEC"])
    });
    assert_eq!(replies, ["+OK", "+QUEUED", "+QUEUED", "(postponed)"]);
    assert_eq!(bench.run("EXISTS free"), ":0");
    assert_eq!(bench.play(&mut player, "EXEC"), "*2 +OK :2");
    let stats = bench.run("INFO commandstats");
    assert!(stats.contains("cmdstat_exec:calls=1,"), "{stats}");
    let times = bench.run("LATENCY HISTOGRAM exec");
    assert!(times.contains("calls :1 "), "{times}");
}

#[test]
fn a_claim_does_not_bury_in_a_stream_that_it_uses() {
    let bench = bench();
    assert_ne!(shard(&bench, "dead"), shard(&bench, "free"), "by the seed");
    for command in [
        "WEIR.POLICY SET free KIND stream MAX-DELIVERIES 1 DEAD-LETTER dead",
        "XADD free 1-1 field value",
        "XGROUP CREATE free group 0",
        "XREADGROUP GROUP group one STREAMS free >",
    ] {
        assert!(!bench.run(command).starts_with('-'), "{command}");
    }
    let script = "redis.call('xadd', 'dead', '*', 'a', 'b') for i = 1, 2000 do end \
         return redis.call('xlen', 'dead')";
    let claims = [
        "XCLAIM free group two 0 1-1",
        "XAUTOCLAIM free group two 0 0",
        "XREADGROUP GROUP group two CLAIM 0 STREAMS free >",
    ];
    let (reply, (mut player, replies)) =
        beside_request(&bench, &["EVAL", script, "0"], move |bench| {
            plays(bench, &claims)
        });
    assert_eq!(reply, ":1");
    assert_eq!(replies, ["(postponed)"; 3]);
    assert_eq!(bench.play(&mut player, claims[0]), "*0");
    assert_eq!(bench.run("XLEN dead"), ":2");
}

#[test]
fn a_reply_to_be_skipped_is_skipped_later() {
    let bench = bench();
    let (_, (mut player, replies)) = beside(&bench, |bench| {
        plays(bench, &["CLIENT REPLY SKIP", "LLEN used"])
    });
    assert_eq!(replies, ["", "(postponed)"]);
    assert_eq!(bench.play(&mut player, "LLEN used"), "");
    assert_eq!(bench.play(&mut player, "LLEN used"), ":2");
}

#[test]
fn who_waits_for_what_it_uses_is_served_at_its_end() {
    let bench = bench();
    let mut waiter = bench.client();
    bench.play(&mut waiter, "BLPOP free used 0");
    let (reply, replies) = beside(&bench, |bench| {
        plays(bench, &["RPUSH free m", "LLEN free"]).1
    });
    // Serving the waiter would need what the script uses.
    assert_eq!(replies, ["(postponed)", ":0"]);
    assert_eq!(reply, ":2");
    assert_eq!(waiter.look(), "*2 $4 used $1 a");
    assert_eq!(bench.run("LRANGE used 0 -1"), "*1 $1 b");
}

#[test]
fn time_does_nothing_to_what_it_uses() {
    let bench = bench();
    bench.run("PSETEX gone 1 x");
    let (_, left) = beside(&bench, |bench| {
        let used = bench.engine.keyspace.key(0, b"used");
        let free = bench.engine.keyspace.key(0, b"free");
        let is_calm = |key| {
            let shard = bench.engine.keyspace.shard_of(&key);
            bench.engine.hold_calm(shard).is_some()
        };
        let survey = Survey::new(Wanted::default(), bench.now).walk(&bench.engine);
        (is_calm(used), is_calm(free), survey.is_some())
    });
    // It is measured all the same.
    assert_eq!(left, (false, true, true));
    let used = bench.engine.keyspace.key(0, b"used");
    let shard = bench.engine.keyspace.shard_of(&used);
    assert!(bench.engine.hold_calm(shard).is_some());
}

#[test]
fn a_transaction_does_not_rest() {
    let bench = bench();
    let inside = Rc::clone(&bench);
    BESIDE.set(Some(Box::new(move || {
        inside.run("LLEN free");
    })));
    let mut player = bench.client();
    bench.play(&mut player, "MULTI");
    bench.play(&mut player, "RPUSH free m");
    let words = ["EVAL", SCRIPT, "1", "used"].map(|word| word.as_bytes().to_vec());
    bench.play_args(&mut player, &words);
    assert_eq!(bench.play(&mut player, "EXEC"), "*2 :1 :2");
    assert!(BESIDE.take().is_some());
}

#[test]
fn a_long_range_is_of_one_moment() {
    let bench = bench();
    let numbers: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    bench.run(&format!("RPUSH used {}", numbers.join(" ")));
    let request = ["LRANGE", "used", "1", "-2"];
    let (reply, replies) = beside_request(&bench, &request, |bench| {
        plays(bench, &["LPOP used", "RPUSH free m", "EVAL return 0"]).1
    });
    assert_eq!(replies, ["(postponed)", ":1", "(postponed)"]);
    let words: Vec<&str> = reply.split(' ').collect();
    assert_eq!(words[0], "*98");
    let messages: Vec<&str> = words[1..].iter().skip(1).step_by(2).copied().collect();
    assert_eq!(messages, numbers[1..99]);
    // It is over for others too.
    assert_eq!(bench.run("LPOP used"), "$1 0");
}

#[test]
fn one_step_rests_at_a_time() {
    let bench = bench();
    bench.run(&format!("RPUSH used{}", " m".repeat(50)));
    bench.run(&format!("RPUSH free{}", " n".repeat(50)));
    let request = ["LRANGE", "used", "0", "-1"];
    let (_, replies) = beside_request(&bench, &request, |bench| {
        let all = bench.run("LRANGE free 0 -1");
        (all.matches("$1 n").count(), bench.run("LPOP used"))
    });
    // The range inside of the other went through, and ended nobody else's rest.
    assert_eq!(replies, (50, "(postponed)".to_owned()));
}

#[test]
fn who_leaves_word_is_called_once_at_the_end() {
    let rest = super::Rest::default();
    let (mailbox, mut wakes) = (Bench::new().client(), WakeList::default());
    let mailbox = &mailbox.session.client.mailbox;
    let one = ShardSet::one;
    assert_eq!(rest.wait(one(3), mailbox), None);
    assert!(rest.begin(one(3)) && !rest.begin(one(4)));
    rest.keep(one(3).union(one(5)));
    assert!(rest.keeps(one(5)) && rest.keeps(ShardSet::ALL) && !rest.keeps(one(4)));
    let awaited = rest.wait(one(3).union(one(4)), mailbox).unwrap();
    assert!(!rest.is_over(awaited));
    rest.end(&mut wakes);
    assert!(rest.is_over(awaited) && mailbox.is_notified());
    assert!(!rest.keeps(ShardSet::ALL));
}
