use std::collections::BTreeSet;

use crate::command::testing::Bench;

fn check(bench: &Bench, exchanges: &[(&str, &str)]) {
    for (command, reply) in exchanges {
        assert_eq!(bench.run(command), *reply, "{command}");
    }
}

/// The bulk strings of a flat reply.
fn members(reply: &str) -> BTreeSet<String> {
    let words = reply.split(' ').skip(2).step_by(2);
    words.map(str::to_owned).collect()
}

#[test]
fn members_come_and_go() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("SADD s 3 1 2 2", ":3"),
            ("SMEMBERS s", "*3 $1 1 $1 2 $1 3"),
            ("OBJECT ENCODING s", "$6 intset"),
            ("SADD s b a 3", ":2"),
            ("SMEMBERS s", "*5 $1 1 $1 2 $1 3 $1 b $1 a"),
            ("OBJECT ENCODING s", "$8 listpack"),
            ("SCARD s", ":5"),
            ("SISMEMBER s b", ":1"),
            ("SMISMEMBER s b x 1 01", "*4 :1 :0 :1 :0"),
            ("SMOVE s t b", ":1"),
            ("SMOVE s t b", ":0"),
            ("SMOVE s s a", ":1"),
            ("SREM s 1 2 3 x a 4", ":4"),
            ("EXISTS s", ":0"),
            ("SMEMBERS s", "*0"),
            ("TYPE t", "+set"),
            ("SPOP t", "$1 b"),
            ("SPOP t", "$-1"),
        ],
    );
    bench.run("SET s x");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    for command in [
        "SADD s a",
        "SREM s a",
        "SMEMBERS s",
        "SMOVE s t a",
        "SPOP s",
        "SPOP s 3",
        "SRANDMEMBER s",
        "SINTER nosuch s",
        "SUNIONSTORE d s",
        "SSCAN s 0",
    ] {
        assert_eq!(bench.run(command), wrong, "{command}");
    }
}

#[test]
fn encodings_follow_the_settings() {
    let bench = Bench::new();
    bench.run("CONFIG SET set-max-intset-entries 3");
    bench.run("CONFIG SET set-max-listpack-entries 5");
    check(
        &bench,
        &[
            ("SADD i 1 2 3", ":3"),
            ("OBJECT ENCODING i", "$6 intset"),
            ("SADD i 4", ":1"),
            ("OBJECT ENCODING i", "$9 hashtable"),
            ("SADD j 1 2 3 4", ":4"),
            ("OBJECT ENCODING j", "$8 listpack"),
            ("SADD l a b c d e", ":5"),
            ("OBJECT ENCODING l", "$8 listpack"),
            ("SADD l f", ":1"),
            ("OBJECT ENCODING l", "$9 hashtable"),
            ("SINTERSTORE l j j", ":4"),
            ("OBJECT ENCODING l", "$8 listpack"),
            ("SADD k 2 3", ":2"),
            ("SINTERSTORE l j k", ":2"),
            ("OBJECT ENCODING l", "$6 intset"),
        ],
    );
}

#[test]
fn sets_are_combined() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("SADD a 1 2 3 x", ":4"),
            ("SADD b 2 3 y", ":3"),
            ("SADD c 3 2 1", ":3"),
            ("SINTER a b", "*2 $1 2 $1 3"),
            ("SINTER a b nosuch", "*0"),
            ("SINTERCARD 3 a b c", ":2"),
            ("SINTERCARD 3 a b c LIMIT 1", ":1"),
            (
                "SINTERCARD 2 a",
                "-ERR Number of keys can't be greater than number of args",
            ),
            ("SINTERCARD 0 a", "-ERR numkeys should be greater than 0"),
            ("SINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative"),
            ("SINTERCARD 1 a FOO", "-ERR syntax error"),
            ("SDIFF c b", "*1 $1 1"),
            ("SDIFF a a", "*0"),
            ("SDIFF nosuch a", "*0"),
            ("SUNION c c", "*3 $1 1 $1 2 $1 3"),
            ("SUNIONSTORE d c a b", ":5"),
            ("SMEMBERS d", "*5 $1 1 $1 2 $1 3 $1 x $1 y"),
            ("SDIFFSTORE d d c", ":2"),
            ("SMEMBERS d", "*2 $1 x $1 y"),
            ("SINTERSTORE d a nosuch", ":0"),
            ("EXISTS d", ":0"),
        ],
    );
    assert_eq!(members(&bench.run("SUNION a b")).len(), 5);
    assert_eq!(
        members(&bench.run("SDIFF a b")),
        ["1", "x"].map(str::to_owned).into()
    );
}

#[test]
fn pops_take_each_member_once() {
    let bench = Bench::new();
    for prefix in ["", "m"] {
        for len in [20, 700] {
            for count in [1, 7, 15, 19, len - 1, len, len + 1] {
                let all: BTreeSet<String> = (0..len).map(|n| format!("{prefix}{n}")).collect();
                for member in &all {
                    bench.run(&format!("SADD s {member}"));
                }
                let popped = members(&bench.run(&format!("SPOP s {count}")));
                let left = members(&bench.run("SMEMBERS s"));
                assert_eq!(popped.len(), count.min(len));
                assert!(popped.is_disjoint(&left));
                assert_eq!(popped.union(&left).cloned().collect::<BTreeSet<_>>(), all);
                bench.run("DEL s");
            }
        }
    }
    check(
        &bench,
        &[
            ("SPOP s 3", "*0"),
            ("SPOP s -1", "-ERR value is out of range, must be positive"),
            ("SPOP s 1 2", "-ERR syntax error"),
        ],
    );
}

#[test]
fn random_members_are_members() {
    let bench = Bench::new();
    for prefix in ["", "m"] {
        for len in [20, 700] {
            bench.run("DEL s");
            let all: BTreeSet<String> = (0..len).map(|n| format!("{prefix}{n}")).collect();
            for member in &all {
                bench.run(&format!("SADD s {member}"));
            }
            for count in [1, 3, 15, 300, len, len + 5] {
                let some = members(&bench.run(&format!("SRANDMEMBER s {count}")));
                assert_eq!(some.len(), count.min(len));
                assert!(some.is_subset(&all));
            }
            let reply = bench.run("SRANDMEMBER s -2000");
            assert!(reply.starts_with("*2000 ") && members(&reply).is_subset(&all));
        }
    }
    check(
        &bench,
        &[
            ("SRANDMEMBER nosuch", "$-1"),
            ("SRANDMEMBER nosuch 3", "*0"),
            ("SRANDMEMBER s 0", "*0"),
            (
                "SRANDMEMBER s x",
                "-ERR value is not an integer or out of range",
            ),
            ("SRANDMEMBER s 1 2", "-ERR syntax error"),
        ],
    );
}

#[test]
fn scans_see_every_member() {
    let bench = Bench::new();
    for index in 0..1000 {
        bench.run(&format!("SADD s m{index}"));
    }
    let seen = bench.scan("SSCAN s {} COUNT 50 MATCH *1");
    assert_eq!(seen.len(), 100);
    check(
        &bench,
        &[
            ("SSCAN nosuch 0", "*2 $1 0 *0"),
            ("SSCAN nosuch x", "-ERR invalid cursor"),
            (
                "SSCAN s 0 NOVALUES",
                "-ERR NOVALUES option can only be used in HSCAN",
            ),
        ],
    );
}
