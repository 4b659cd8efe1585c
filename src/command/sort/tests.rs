//! What SORT answers, without a socket.

use crate::command::testing::Bench;

#[test]
fn numbers_texts_and_parts() {
    let bench = Bench::new();
    bench.run("rpush l 10 9 2 +1");
    assert_eq!(bench.run("sort l"), "*4 $2 +1 $1 2 $1 9 $2 10");
    assert_eq!(bench.run("sort l desc limit 1 2"), "*2 $1 9 $1 2");
    assert_eq!(bench.run("sort l alpha"), "*4 $2 +1 $2 10 $1 2 $1 9");
    assert_eq!(bench.run("sort l by none desc limit 0 2"), "*2 $2 +1 $1 2");
    assert_eq!(bench.run("sort l limit 7 1"), "*0");
    assert_eq!(bench.run("sort l limit -5 1"), "*1 $2 +1");
    bench.run("rpush l x");
    assert_eq!(
        bench.run("sort l"),
        "-ERR One or more scores can't be converted into double"
    );
    assert_eq!(bench.run("sort_ro l store d"), "-ERR syntax error");
    bench.run("zadd z 1 b 2 a");
    assert_eq!(bench.run("sort z by none"), "*2 $1 b $1 a");
    assert_eq!(bench.run("sort z by none desc"), "*2 $1 a $1 b");
    assert_eq!(bench.run("sort z alpha"), "*2 $1 a $1 b");
    assert_eq!(bench.run("object encoding z"), "$8 skiplist");
}

#[test]
fn patterns_reach_other_keys() {
    let bench = Bench::new();
    bench.run("rpush l 1 2 3");
    bench.run("mset w_1 30 w_2 20 w_3 10 t_1 one");
    assert_eq!(bench.run("sort l by w_*"), "*3 $1 3 $1 2 $1 1");
    assert_eq!(
        bench.run("sort l by w_* get # get t_* limit 1 2"),
        "*4 $1 2 $-1 $1 1 $3 one"
    );
    assert_eq!(bench.run("sort l get t_* store d"), ":3");
    assert_eq!(bench.run("lrange d 0 -1"), "*3 $3 one $0  $0");
    assert_eq!(bench.run("sort none store d"), ":0");
    assert_eq!(bench.run("exists d"), ":0");
    let mut client = bench.client();
    bench.play(&mut client, "multi");
    bench.play(&mut client, "sort l by w_* store d");
    assert_eq!(bench.play(&mut client, "exec"), "*1 :3");
    assert_eq!(bench.run("lrange d 0 -1"), "*3 $1 3 $1 2 $1 1");
    assert_eq!(
        bench.run("command getkeys sort l by w_* get store store a store b"),
        "*2 $1 l $1 b"
    );
}

#[test]
fn sets_are_sorted_and_fields_are_patterns() {
    let bench = Bench::new();
    bench.run("sadd s 3 1 2");
    bench.run("hset h_1 f 9 g one");
    bench.run("hset h_2 f 8");
    assert_eq!(bench.run("sort s desc"), "*3 $1 3 $1 2 $1 1");
    assert_eq!(bench.run("sort s by none store d"), ":3");
    assert_eq!(bench.run("lrange d 0 -1"), "*3 $1 1 $1 2 $1 3");
    assert_eq!(
        bench.run("sort s by h_*->f get h_*->g get #"),
        "*6 $-1 $1 3 $-1 $1 2 $3 one $1 1"
    );
}

/// Found by fuzz/properties/commands.rs.
#[test]
fn a_destination_may_have_the_name_of_an_option() {
    let bench = Bench::new();
    bench.run("rpush l 2 1");
    for option in ["by", "get", "limit", "store", "alpha"] {
        assert_eq!(bench.run(&format!("sort l store {option}")), ":2");
        for n in 0..20 {
            let request = format!("sort l store {option} store d{n}");
            assert_eq!(bench.run(&request), ":2");
            let seen = bench.run(&format!("lrange d{n} 0 -1"));
            assert_eq!(seen, "*2 $1 1 $1 2", "{request}");
        }
    }
}

#[test]
fn what_is_stored_serves_who_waits() {
    let bench = Bench::new();
    let mut waiter = bench.client();
    assert_eq!(bench.play(&mut waiter, "blpop d 0"), "(blocked)");
    bench.run("rpush l 2 1");
    assert_eq!(bench.run("sort l store d"), ":2");
    assert_eq!(waiter.look(), "*2 $1 d $1 1");
}

#[test]
fn a_queue_that_refuses_is_not_overfilled() {
    let bench = Bench::new();
    bench.run("WEIR.POLICY SET rj MAX-LENGTH 2 OVERFLOW reject");
    bench.run("RPUSH src c b a");
    assert_eq!(
        bench.run("SORT src ALPHA STORE rj"),
        "-OVERFLOW queue 'rj' is full: max-length is 2, it holds 0 messages and 3 more came"
    );
    assert_eq!(bench.run("EXISTS rj"), ":0");
    assert_eq!(bench.run("SORT src ALPHA LIMIT 0 2 STORE rj"), ":2");
    assert!(
        bench
            .run("SORT src ALPHA STORE rj")
            .starts_with("-OVERFLOW")
    );
    assert_eq!(bench.run("LRANGE rj 0 -1"), "*2 $1 a $1 b");
    assert_eq!(bench.run("SORT none STORE rj"), ":0");
}
