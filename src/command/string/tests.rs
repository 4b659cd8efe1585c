use crate::command::testing::{Bench, Player};

/// Runs commands one after the other and compares each reply.
fn check(bench: &Bench, steps: &[(&str, &str)]) {
    for (command, reply) in steps {
        assert_eq!(bench.run(command), *reply, "{command}");
    }
}

/// A client that hears of every keyspace event.
fn listener(bench: &Bench) -> Player {
    let set = bench
        .engine
        .config
        .set(&[("notify-keyspace-events", "EAnocm")]);
    assert!(set.is_ok());
    let mut listener = bench.client();
    bench.play(&mut listener, "psubscribe *");
    listener
}

/// The events since the last look, as `event=key`.
fn events(listener: &mut Player) -> String {
    let text = listener.look();
    let words: Vec<&str> = text.split(' ').collect();
    words
        .split(|word| *word == "pmessage")
        .skip(1)
        .filter_map(|message| {
            let event = message.get(3)?.strip_prefix("__keyevent@0__:")?;
            Some(format!("{event}={}", message.get(5)?))
        })
        .collect::<Vec<_>>()
        .join(" ")
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range";

#[test]
fn set_obeys_its_conditions() {
    check(
        &Bench::new(),
        &[
            ("set a 1 xx", "$-1"),
            ("set a 1 nx", "+OK"),
            ("set a 2 NX", "$-1"),
            ("set a 2 xx get", "$1 1"),
            ("set b 2 get", "$-1"),
            ("get b", "$1 2"),
            ("set a 3 nx get", "$1 2"),
            ("get a", "$1 2"),
            ("rpush l x", ":1"),
            ("set l 1 get", WRONG_TYPE),
            ("set l 1", "+OK"),
            ("get l", "$1 1"),
            ("set a 1 nx xx", "-ERR syntax error"),
            ("set a 1 ex 10 px 10", "-ERR syntax error"),
            ("set a 1 ex 10 keepttl", "-ERR syntax error"),
            ("set a 1 persist", "-ERR syntax error"),
            ("set a 1 ex", "-ERR syntax error"),
            ("set a 1 ex x", NOT_INTEGER),
            ("set a 1 ex 0", "-ERR invalid expire time in 'set' command"),
            (
                "set a 1 ex 9223372036854775",
                "-ERR invalid expire time in 'set' command",
            ),
            (
                "setex a -1 v",
                "-ERR invalid expire time in 'setex' command",
            ),
            (
                "psetex a 9223372036854775807 v",
                "-ERR invalid expire time in 'psetex' command",
            ),
        ],
    );
}

#[test]
fn deadlines_are_set_kept_and_cleared() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            ("set kept 1 ex 10", "+OK"),
            ("set kept 2 keepttl", "+OK"),
            ("set cleared 1 px 10000", "+OK"),
            ("set cleared 2", "+OK"),
            ("setex touched 10 1", "+OK"),
            ("incr touched", ":2"),
            ("append touched 3", ":2"),
            ("psetex stays 10000 1", "+OK"),
            ("getex stays persist", "$1 1"),
            ("set longer 1 exat 1700000005", "+OK"),
            ("getex longer pxat 1700000020000", "$1 1"),
            ("set ended 1 ex 100", "+OK"),
            ("getex ended pxat 1", "$1 1"),
            ("get ended", "$-1"),
            ("set past 1 pxat 1", "+OK"),
            ("get past", "$-1"),
        ],
    );
    bench.now.unix_ms += 10_000;
    check(
        &bench,
        &[
            (
                "mget kept cleared touched stays longer",
                "*5 $-1 $1 2 $-1 $1 1 $1 1",
            ),
            ("setnx kept 5", ":1"),
        ],
    );
    bench.now.unix_ms += 10_000;
    check(&bench, &[("mget longer kept", "*2 $-1 $1 5")]);
}

#[test]
fn getex_checks_the_key_before_the_time() {
    check(
        &Bench::new(),
        &[
            ("getex none ex x", "$-1"),
            ("rpush l x", ":1"),
            ("getex l ex x", WRONG_TYPE),
            ("set a 1", "+OK"),
            ("getex a ex x", NOT_INTEGER),
            (
                "getex a ex 0",
                "-ERR invalid expire time in 'getex' command",
            ),
            ("getex a keepttl", "-ERR syntax error"),
            ("getex a ex 1 persist", "-ERR syntax error"),
            ("getdel a", "$1 1"),
            ("getdel a", "$-1"),
            ("getset a 1", "$-1"),
            ("getset a 2", "$1 1"),
        ],
    );
}

#[test]
fn several_keys_are_set_in_one_step() {
    check(
        &Bench::new(),
        &[
            (
                "mset a 1 b",
                "-ERR wrong number of arguments for 'mset' command",
            ),
            (
                "msetnx a 1 b",
                "-ERR wrong number of arguments for 'msetnx' command",
            ),
            ("mset a 1 b 2 a 3", "+OK"),
            ("msetnx c 1 a 2", ":0"),
            ("msetnx c 1 c 2", ":1"),
            ("rpush l x", ":1"),
            ("mget a b c d l", "*5 $1 3 $1 2 $1 2 $-1 $-1"),
        ],
    );
}

#[test]
fn counters_are_canonical_integers() {
    check(
        &Bench::new(),
        &[
            ("incr a", ":1"),
            ("decrby a 11", ":-10"),
            ("append a 5", ":4"),
            ("incrby a 5", ":-100"),
            ("incrby a 05", NOT_INTEGER),
            (
                "decrby a -9223372036854775808",
                "-ERR decrement would overflow",
            ),
            ("set a 9223372036854775807", "+OK"),
            ("incr a", "-ERR increment or decrement would overflow"),
            ("set a 01", "+OK"),
            ("incr a", NOT_INTEGER),
            ("incrbyfloat a 1e1", "$2 11"),
            ("incrbyfloat a 0.5", "$4 11.5"),
            (
                "incrbyfloat a inf",
                "-ERR increment would produce NaN or Infinity",
            ),
            ("incrbyfloat a x", "-ERR value is not a valid float"),
            ("rpush l x", ":1"),
            ("incr l", WRONG_TYPE),
            ("incrbyfloat l x", WRONG_TYPE),
        ],
    );
}

#[test]
fn ranges_count_from_either_end() {
    check(
        &Bench::new(),
        &[
            ("set a hello", "+OK"),
            ("getrange a 1 3", "$3 ell"),
            ("substr a -3 -1", "$3 llo"),
            ("getrange a -1 -3", "$0"),
            ("getrange a 0 -100", "$1 h"),
            ("getrange a 3 100", "$2 lo"),
            ("getrange a 5 9", "$0"),
            (
                "getrange a -9223372036854775808 9223372036854775807",
                "$5 hello",
            ),
            ("getrange none 0 -1", "$0"),
            ("getrange a x 1", NOT_INTEGER),
            ("set n 1234", "+OK"),
            ("getrange n 1 2", "$2 23"),
            ("setrange n 2 xy", ":4"),
            ("get n", "$4 12xy"),
            ("setrange none 0 ''", ":0"),
            ("strlen none", ":0"),
            ("setrange none -1 x", "-ERR offset is out of range"),
            (
                "setrange none 536870912 x",
                "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            ),
            (
                "setrange none 9223372036854775807 x",
                "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            ),
            ("setrange a 7 x", ":8"),
            ("get a", "$8 hello\0\0x"),
        ],
    );
}

#[test]
fn appending_stops_at_the_longest_string() {
    let bench = Bench::new();
    let set = bench.engine.config.set(&[("proto-max-bulk-len", "1mb")]);
    assert!(set.is_ok());
    let mut player = bench.client();
    let half = vec![b'x'; 512 << 10];
    let mut append = || {
        bench.play_args(
            &mut player,
            &[b"append".to_vec(), b"a".to_vec(), half.clone()],
        )
    };
    assert_eq!(append(), ":524288");
    assert_eq!(append(), ":1048576");
    assert!(append().starts_with("-ERR string exceeds"));
    assert_eq!(bench.run("append a ''"), ":1048576");
    assert_eq!(bench.run("getrange a 1048575 -1"), "$1 x");
    assert!(
        bench
            .run("lcs a a len")
            .starts_with("-ERR Insufficient memory")
    );
}

#[test]
fn lcs_says_length_text_and_places() {
    check(
        &Bench::new(),
        &[
            ("mset a ohmytext b mynewtext", "+OK"),
            ("lcs a b", "$6 mytext"),
            ("lcs a b len", ":6"),
            (
                "lcs a b idx",
                "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6",
            ),
            (
                "lcs a b idx minmatchlen 4 withmatchlen",
                "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6",
            ),
            ("lcs a none", "$0"),
            ("lcs a none idx", "*4 $7 matches *0 $3 len :0"),
            (
                "lcs a b idx len",
                "-ERR If you want both the length and indexes, please just use IDX.",
            ),
            ("lcs a b minmatchlen", "-ERR syntax error"),
            ("rpush l x", ":1"),
            (
                "lcs a l nonsense",
                "-ERR The specified keys must contain string values",
            ),
        ],
    );
}

#[test]
fn every_change_is_told_once() {
    let bench = Bench::new();
    let mut listener = listener(&bench);
    for (command, expected) in [
        ("set a 1", "new=a set=a"),
        ("set a 1 ex 10", "overwritten=a set=a expire=a"),
        ("set a 1 nx", ""),
        ("getex a persist", "persist=a"),
        ("getex a persist", ""),
        ("getex a ex 5", "expire=a"),
        ("getex a exat 1", "del=a"),
        ("get a", "keymiss=a"),
        ("getset a 1", "keymiss=a new=a set=a"),
        ("incr a", "incrby=a"),
        ("decr b", "new=b incrby=b"),
        ("incrbyfloat b 1.5", "incrbyfloat=b"),
        ("append c x", "new=c append=c"),
        ("setrange c 0 ''", ""),
        ("setrange c 0 y", "setrange=c"),
        ("getdel c", "del=c"),
        ("mset a 1 d 2", "overwritten=a set=a new=d set=d"),
        ("msetnx a 1 e 2", ""),
        ("lcs x y", "keymiss=x keymiss=y"),
        ("psetex d 5 v", "overwritten=d set=d expire=d"),
    ] {
        bench.run(command);
        assert_eq!(events(&mut listener), expected, "{command}");
    }
    bench.run("rpush l x");
    events(&mut listener);
    bench.run("setnx l v");
    assert_eq!(events(&mut listener), "");
    bench.run("set l v");
    assert_eq!(events(&mut listener), "overwritten=l type_changed=l set=l");
}

#[test]
fn a_transaction_that_watches_sees_a_change() {
    let bench = Bench::new();
    for (change, is_change) in [("append w x", true), ("get w", false), ("setnx w x", false)] {
        let mut watcher = bench.client();
        bench.run("set w 1");
        for command in ["watch w", "multi", "incr w"] {
            bench.play(&mut watcher, command);
        }
        bench.run(change);
        let reply = bench.play(&mut watcher, "exec");
        assert_eq!(reply, if is_change { "*-1" } else { "*1 :2" }, "{change}");
    }
}
