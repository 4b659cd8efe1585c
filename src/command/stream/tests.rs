//! What two clients see of streams, and what the differential test cannot reach.

use crate::command::testing::Bench;

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
