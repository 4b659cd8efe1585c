use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::command::Meanwhile;
use crate::command::testing::Bench;

/// Runs commands one after the other, each with the reply it must get.
fn check(bench: &Bench, steps: &[(&str, &str)]) {
    let mut client = bench.client();
    for (command, wanted) in steps {
        assert_eq!(bench.play(&mut client, command), *wanted, "{command}");
    }
}

/// What listeners to all events hear of `command`, as `event key` in order.
fn events_of(bench: &Bench, command: &str) -> Vec<String> {
    let mut listener = bench.client();
    bench.play(&mut listener, "psubscribe __keyevent@*");
    bench.run(command);
    let heard = listener.look();
    let heard = heard.split("*4 ").skip(1).map(|message| {
        let words: Vec<_> = message.split(' ').collect();
        format!(
            "{} {}",
            words[5].trim_start_matches("__keyevent@"),
            words[7]
        )
    });
    heard.collect()
}

#[test]
fn counts_what_it_deletes_and_finds() {
    check(
        &Bench::new(),
        &[
            (
                "scan 0 novalues",
                "-ERR NOVALUES option can only be used in HSCAN",
            ),
            (
                "scan 0 novalues 1 count 1000",
                "-ERR NOVALUES option can only be used in HSCAN",
            ),
            ("scan 0 match novalues", "*2 $1 0 *0"),
            ("set a 1", "+OK"),
            ("rpush b 1 2", ":2"),
            ("exists a a b c", ":3"),
            ("touch a b c", ":2"),
            ("type a", "+string"),
            ("type b", "+list"),
            ("type c", "+none"),
            ("del a a c", ":1"),
            ("unlink a b", ":1"),
            ("exists a b", ":0"),
        ],
    );
}

#[test]
fn what_is_lost_with_a_key_is_counted() {
    let mut bench = Bench::new();
    bench.run("rpush a 1 2 3");
    bench.run("rpush b 1 2");
    bench.run("rename a b");
    bench.run("del b");
    bench.run("rpush c 1 2 3 4");
    bench.run("pexpire c 10");
    bench.now = bench.now.after(Duration::from_millis(11));
    assert_eq!(bench.run("exists c"), ":0");
    let ledger = bench.run("WEIR.LEDGER");
    assert!(ledger.contains("expired_key :4 "), "{ledger}");
    assert!(ledger.contains("deleted :5 "), "{ledger}");
    assert!(ledger.contains("held :0 "), "{ledger}");
}

#[test]
fn names_move_with_value_and_deadline() {
    check(
        &Bench::new(),
        &[
            ("rename a b", "-ERR no such key"),
            ("renamenx a a", "-ERR no such key"),
            ("rpush a 1 2", ":2"),
            ("pexpire a 5000", ":1"),
            ("set b x", "+OK"),
            ("renamenx a b", ":0"),
            ("renamenx a a", ":0"),
            ("rename a a", "+OK"),
            ("rename a b", "+OK"),
            ("pttl b", ":5000"),
            ("lrange b 0 -1", "*2 $1 1 $1 2"),
            ("exists a", ":0"),
            ("set c x", "+OK"),
            ("rename c b", "+OK"),
            ("pttl b", ":-1"),
        ],
    );
}

#[test]
fn copies_and_moves_cross_databases() {
    check(
        &Bench::new(),
        &[
            ("rpush a 1", ":1"),
            ("expire a 100", ":1"),
            (
                "copy a a",
                "-ERR source and destination objects are the same",
            ),
            ("copy a b foo", "-ERR syntax error"),
            ("copy a b db", "-ERR syntax error"),
            ("copy a b db 16", "-ERR DB index is out of range"),
            (
                "copy a b db x",
                "-ERR value is not an integer or out of range",
            ),
            ("copy none b", ":0"),
            ("copy a a db 3", ":1"),
            ("copy a a db 3", ":0"),
            ("rpush a 2", ":2"),
            ("copy a a replace DB 3", ":1"),
            (
                "move a 0",
                "-ERR source and destination objects are the same",
            ),
            ("move a 3", ":0"),
            ("move a 4", ":1"),
            ("move a 4", ":0"),
            ("select 3", "+OK"),
            ("llen a", ":2"),
            ("ttl a", ":100"),
            ("select 4", "+OK"),
            ("ttl a", ":100"),
        ],
    );
}

#[test]
fn values_that_arrive_by_name_serve_who_waits() {
    let bench = Bench::new();
    for (arrival, db) in [
        ("rename a q", 0),
        ("copy a q", 0),
        ("copy a q db 1", 1),
        ("move a 2", 2),
    ] {
        let mut waiter = bench.client();
        bench.play(&mut waiter, &format!("select {db}"));
        let queue = if db == 2 { "a" } else { "q" };
        assert_eq!(
            bench.play(&mut waiter, &format!("blpop {queue} 0")),
            "(blocked)"
        );
        bench.run("rpush a x");
        bench.run(arrival);
        assert_eq!(waiter.look(), format!("*2 $1 {queue} $1 x"), "{arrival}");
        bench.run("del a");
    }
}

#[test]
fn deadlines_obey_their_conditions() {
    check(
        &Bench::new(),
        &[
            ("set a 1", "+OK"),
            ("expire none 10", ":0"),
            ("expire a 10 xx", ":0"),
            ("expire a 10 gt", ":0"),
            ("expire a 100 lt", ":1"),
            ("expire a 100 nx", ":0"),
            ("expire a 50 gt", ":0"),
            ("expire a 200 xx gt", ":1"),
            ("expire a 300 lt", ":0"),
            ("ttl a", ":200"),
            ("expiretime a", ":1700000200"),
            ("pexpiretime a", ":1700000200000"),
            ("persist a", ":1"),
            ("persist a", ":0"),
            ("ttl a", ":-1"),
            ("ttl none", ":-2"),
            ("pexpireat a 1700000000001", ":1"),
            ("pttl a", ":1"),
            ("pexpireat a 1700000000000", ":1"),
            ("exists a", ":0"),
        ],
    );
}

#[test]
fn deadlines_out_of_range_are_refused() {
    check(
        &Bench::new(),
        &[
            ("set a 1", "+OK"),
            ("expire a x", "-ERR value is not an integer or out of range"),
            (
                "expire a 9223372036854775807",
                "-ERR invalid expire time in 'expire' command",
            ),
            (
                "expireat a -9223372036854775808",
                "-ERR invalid expire time in 'expireat' command",
            ),
            (
                "pexpire a 9223372036854775807",
                "-ERR invalid expire time in 'pexpire' command",
            ),
            ("expire a x foo", "-ERR Unsupported option foo"),
            (
                "expire a 1 nx gt",
                "-ERR NX and XX, GT or LT options at the same time are not compatible",
            ),
            (
                "expire a 1 lt gt",
                "-ERR GT and LT options at the same time are not compatible",
            ),
            ("pexpireat a 9223372036854775807", ":1"),
            ("pexpireat a -9223372036854775808", ":1"),
            ("exists a", ":0"),
        ],
    );
}

#[test]
fn scans_see_what_stays_exactly_once() {
    let bench = Bench::new();
    let mut client = bench.client();
    for index in 0..500 {
        bench.play(&mut client, &format!("set stay:{index} x"));
    }
    let (mut cursor, mut seen, mut pages) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let page = bench.play(&mut client, &format!("scan {cursor} match stay:* count 7"));
        let words: Vec<_> = page.split(' ').collect();
        cursor = words[2].to_owned();
        seen.extend(
            words[4..]
                .iter()
                .filter(|word| word.starts_with("stay"))
                .map(|&w| w.to_owned()),
        );
        for index in 0..20 {
            bench.play(&mut client, &format!("set come:{pages}:{index} x"));
            bench.play(&mut client, &format!("del come:{}:{index}", pages - 1));
        }
        pages += 1;
        if cursor == "0" {
            break;
        }
    }
    assert!(pages > 500 / 7);
    seen.sort_unstable();
    let mut wanted: Vec<_> = (0..500).map(|index| format!("stay:{index}")).collect();
    wanted.sort_unstable();
    assert_eq!(seen, wanted);
}

#[test]
fn scans_filter_and_refuse() {
    check(
        &Bench::new(),
        &[
            ("set a 1", "+OK"),
            ("rpush b 1", ":1"),
            ("scan 0 count 100 type LIST", "*2 $1 0 *1 $1 b"),
            ("scan 0 count 100 type nothing", "*2 $1 0 *0"),
            ("scan 0 count 100 match [a]", "*2 $1 0 *1 $1 a"),
            ("scan 18446744073709551615", "*2 $1 0 *0"),
            ("scan x", "-ERR invalid cursor"),
            ("scan -1", "-ERR invalid cursor"),
            ("scan 0 count 0", "-ERR syntax error"),
            (
                "scan 0 count x",
                "-ERR value is not an integer or out of range",
            ),
            ("scan 0 match", "-ERR syntax error"),
            ("keys [b]", "*1 $1 b"),
            ("keys b", "*1 $1 b"),
            ("keys c", "*0"),
        ],
    );
}

#[test]
fn walks_pass_over_what_has_expired() {
    let mut bench = Bench::new();
    assert_eq!(bench.run("randomkey"), "$-1");
    bench.run("set a 1");
    assert_eq!(bench.run("randomkey"), "$1 a");
    bench.run("pexpire a 10");
    bench.now = bench.now.after(Duration::from_millis(10));
    assert_eq!(bench.run("randomkey"), "$-1");
    assert_eq!(bench.run("keys *"), "*0");
    assert_eq!(bench.run("scan 0 count 100"), "*2 $1 0 *0");
}

#[test]
fn walks_in_a_transaction_see_one_moment() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("set a 1", "+OK"),
            ("multi", "+OK"),
            ("keys *", "+QUEUED"),
            ("scan 0 count 100", "+QUEUED"),
            ("randomkey", "+QUEUED"),
            ("exec", "*3 *1 $1 a *2 $1 0 *1 $1 a $1 a"),
        ],
    );
}

#[test]
fn idle_time_counts_from_the_last_use() {
    let mut bench = Bench::new();
    bench.run("set a 1");
    bench.now = bench.now.after(Duration::from_secs(10));
    bench.run("exists a");
    bench.run("type a");
    bench.run("ttl a");
    bench.run("object encoding a");
    bench.run("memory usage a");
    assert_eq!(bench.run("object idletime a"), ":10");
    for policy in ["volatile-lfu", "allkeys-lfu"] {
        bench.run(&format!("CONFIG SET maxmemory-policy {policy}"));
        let refused = bench.run("OBJECT IDLETIME a");
        assert!(
            refused.starts_with("-ERR An LFU maxmemory policy is selected"),
            "{refused}"
        );
        assert_eq!(bench.run("OBJECT IDLETIME nosuch"), "$-1");
    }
    bench.run("CONFIG SET maxmemory-policy allkeys-lru");
    bench.run("touch a");
    assert_eq!(bench.run("object idletime a"), ":0");
    bench.now = bench.now.after(Duration::from_secs(3));
    bench.run("get a");
    assert_eq!(bench.run("object idletime a"), ":0");
    // What is refused because of a key has used it.
    for command in [
        "setnx a 2",
        "set a 2 nx",
        "msetnx b 1 a 2",
        "rename a a",
        "renamenx c a",
    ] {
        bench.run("set c 1");
        bench.now = bench.now.after(Duration::from_secs(3));
        bench.run(command);
        assert_eq!(bench.run("object idletime a"), ":0", "{command}");
    }
}

#[test]
fn who_does_not_touch_leaves_idle_times_as_they_are() {
    let mut bench = Bench::new();
    for create in [
        "set s 1",
        "rpush q a b c",
        "xadd x * f v",
        "xlen x",
        "hset h f v",
        "hlen h",
    ] {
        bench.run(create);
    }
    bench.now = bench.now.after(Duration::from_secs(10));
    let mut viewer = bench.client();
    bench.play(&mut viewer, "client no-touch on");
    for (key, read) in [
        ("s", "get s"),
        ("q", "lpop q"),
        ("x", "xadd x * f w"),
        ("h", "eval return{redis.call('hget','h','f')} 0"),
    ] {
        bench.play(&mut viewer, read);
        let idle = bench.run(&format!("object idletime {key}"));
        assert_eq!(idle, ":10", "{read}");
    }
    bench.play(&mut viewer, "touch s");
    assert_eq!(bench.run("object idletime s"), ":0");
    bench.play(&mut viewer, "client no-touch off");
    bench.play(&mut viewer, "llen q");
    assert_eq!(bench.run("object idletime q"), ":0");
}

#[test]
fn encodings_are_named_as_redis_names_them() {
    let bench = Bench::new();
    let (short, long) = ("x".repeat(44), "x".repeat(45));
    for (value, encoding) in [("17", "$3 int"), (&short, "$6 embstr"), (&long, "$3 raw")] {
        bench.run(&format!("set a {value}"));
        assert_eq!(bench.run("object encoding a"), encoding, "{value}");
    }
    let big = "y".repeat(4000);
    for encoding in ["$8 listpack", "$8 listpack", "$9 quicklist"] {
        bench.run(&format!("rpush q {big}"));
        assert_eq!(bench.run("object encoding q"), encoding);
    }
    check(
        &bench,
        &[
            ("object refcount a", ":1"),
            ("object encoding none", "$-1"),
            ("object idletime none", "$-1"),
            ("object freq none", "$-1"),
            (
                "object foo a",
                "-ERR unknown subcommand 'foo'. Try OBJECT HELP.",
            ),
        ],
    );
}

#[test]
fn nobody_replicates() {
    check(
        &Bench::new(),
        &[
            ("wait 1 0", ":0"),
            ("wait x 0", "-ERR value is not an integer or out of range"),
            ("wait 0 -1", "-ERR timeout is negative"),
            ("waitaof 0 1 0", "*2 :0 :0"),
            (
                "waitaof 1 0 0",
                "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
            ),
            (
                "waitaof 2 0 0",
                "-ERR value is out of range, value must between 0 and 1",
            ),
            (
                "waitaof 0 -1 0",
                "-ERR value is out of range, must be positive",
            ),
            ("dump none", "$-1"),
        ],
    );
}

#[test]
fn events_come_in_the_order_of_redis() {
    let bench = Bench::new();
    bench
        .engine
        .config
        .set(&[("notify-keyspace-events", "KEAnoc")])
        .unwrap();
    bench.run("rpush a 1");
    bench.run("set b 1");
    let all = |events: &[&str]| {
        events
            .iter()
            .map(|&event| event.to_owned())
            .collect::<Vec<_>>()
    };
    for (command, events) in [
        (
            "copy a b replace",
            all(&[
                "0__:new b",
                "0__:copy_to b",
                "0__:overwritten b",
                "0__:type_changed b",
            ]),
        ),
        (
            "rename a b",
            all(&[
                "0__:new b",
                "0__:rename_from a",
                "0__:rename_to b",
                "0__:overwritten b",
            ]),
        ),
        (
            "move b 1",
            all(&["1__:new b", "0__:move_from b", "1__:move_to b"]),
        ),
        ("move b 1", all(&[])),
    ] {
        assert_eq!(events_of(&bench, command), events, "{command}");
    }
    bench.run("set c 1");
    for (command, event) in [
        ("expire c 10", "expire"),
        ("persist c", "persist"),
        ("expire c 0", "del"),
    ] {
        assert_eq!(
            events_of(&bench, command),
            [format!("0__:{event} c")],
            "{command}"
        );
    }
}

#[test]
fn a_stream_does_not_come_to_a_name_that_refuses_it() {
    let bench = Bench::new();
    bench.run("weir.policy set ev kind stream max-length 1 overflow reject");
    for fields in ["a 1", "b 2"] {
        bench.run(&format!("xadd s * {fields}"));
    }
    let full = "-OVERFLOW stream 'ev' is full: max-length is 1, it holds 0 entries and 2 more came";
    check(
        &bench,
        &[
            ("rename s ev", full),
            ("copy s ev", full),
            ("exists s ev", ":1"),
            ("xtrim s maxlen 1", ":1"),
            ("copy s ev", ":1"),
            // It is no queue.
            ("weir.policy set other max-bytes 1 overflow reject", "+OK"),
            ("rename s other", "+OK"),
        ],
    );
}

#[test]
fn what_expired_is_told_before_what_found_it() {
    let mut bench = Bench::new();
    bench
        .engine
        .config
        .set(&[("notify-keyspace-events", "KEA$mn")])
        .unwrap();
    for (command, events) in [
        ("set k w", &["expired k", "new k", "set k"][..]),
        ("get k", &["expired k", "keymiss k"]),
        ("incr k", &["expired k", "new k", "incrby k"]),
        ("lpush k x", &["expired k", "new k", "lpush k"]),
        ("sadd k x", &["expired k", "new k", "sadd k"]),
        ("del k", &["expired k"]),
        (
            "rename a k",
            &["expired k", "new k", "rename_from a", "rename_to k"],
        ),
    ] {
        bench.run("set a 1");
        bench.run("del k");
        bench.run("set k v px 2");
        bench.now.unix_ms += 3;
        let events: Vec<_> = events.iter().map(|event| format!("0__:{event}")).collect();
        assert_eq!(events_of(&bench, command), events, "{command}");
    }
}

#[test]
fn keys_lets_others_go_on_and_sees_each_key_once() {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let note = || {
        TURNS.fetch_add(1, Ordering::Relaxed);
    };
    let bench = Bench::new();
    let meanwhile = Meanwhile {
        always: || panic!("this is for scripts"),
        unless_inside: note,
    };
    bench.engine.meanwhile.set(meanwhile).unwrap();
    for first in (0..100_000).step_by(1000) {
        let pairs = (first..first + 1000).map(|number| format!(" key:{number} v"));
        bench.run(&format!("MSET{}", pairs.collect::<String>()));
    }
    let found = bench.run("KEYS *");
    let mut names: Vec<_> = found
        .split(' ')
        .filter(|word| word.starts_with("key:"))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 100_000);
    assert!(found.starts_with("*100000 "));
    let turns = TURNS.load(Ordering::Relaxed);
    assert!(turns >= 64, "{turns}");
    // A transaction is one step for all others.
    let mut client = bench.client();
    bench.play(&mut client, "MULTI");
    bench.play(&mut client, "KEYS *");
    assert!(bench.play(&mut client, "EXEC").starts_with("*1 *100000 "));
    assert_eq!(TURNS.load(Ordering::Relaxed), turns);
}
