//! What sorted sets answer, without a socket.

use crate::command::testing::Bench;

#[test]
fn zadd_obeys_its_options() {
    let bench = Bench::new();
    assert_eq!(bench.run("zadd z 1 a 2 b"), ":2");
    assert_eq!(bench.run("zadd z ch 1 a 3 b 4 c"), ":2");
    assert_eq!(bench.run("zadd z nx 9 a 5 d"), ":1");
    assert_eq!(bench.run("zadd z xx ch 9 a 5 e"), ":1");
    assert_eq!(bench.run("zadd z gt ch 1 a 10 b"), ":1");
    assert_eq!(bench.run("zadd z lt ch 11 a 1 b"), ":1");
    assert_eq!(bench.run("zadd z incr 2.5 a"), "$4 11.5");
    assert_eq!(bench.run("zadd z nx incr 1 a"), "$-1");
    assert_eq!(bench.run("zadd none xx 1 a"), ":0");
    assert_eq!(bench.run("exists none"), ":0");
    assert_eq!(bench.run("zincrby z inf a"), "$3 inf");
    assert_eq!(
        bench.run("zincrby z -inf a"),
        "-ERR resulting score is not a number (NaN)"
    );
    assert_eq!(
        bench.run("zrange z 0 -1 withscores"),
        "*8 $1 b $1 1 $1 c $1 4 $1 d $1 5 $1 a $3 inf"
    );
}

#[test]
fn ranges_by_rank_score_and_member() {
    let bench = Bench::new();
    bench.run("zadd z 1 a 2 b 2 c 3 d");
    assert_eq!(bench.run("zrange z 1 -2"), "*2 $1 b $1 c");
    assert_eq!(bench.run("zrevrange z 0 0"), "*1 $1 d");
    assert_eq!(bench.run("zrangebyscore z (1 2"), "*2 $1 b $1 c");
    assert_eq!(
        bench.run("zrangebyscore z -inf +inf limit 1 2"),
        "*2 $1 b $1 c"
    );
    assert_eq!(
        bench.run("zrevrangebyscore z 2 -inf limit 1 5"),
        "*2 $1 b $1 a"
    );
    assert_eq!(bench.run("zrange z 2 1 byscore rev"), "*3 $1 c $1 b $1 a");
    assert_eq!(bench.run("zrangebyscore z 1 2 limit -1 2"), "*0");
    assert_eq!(bench.run("zcount z (1 (3"), ":2");
    assert_eq!(bench.run("zrangestore y z 2 3 byscore"), ":3");
    assert_eq!(bench.run("zremrangebyscore y 2 2"), ":2");
    assert_eq!(bench.run("zremrangebyrank y 0 -1"), ":1");
    assert_eq!(bench.run("exists y"), ":0");
    bench.run("zadd lex 0 a 0 b 0 c");
    assert_eq!(bench.run("zrange lex (a + bylex"), "*2 $1 b $1 c");
    assert_eq!(bench.run("zrevrangebylex lex + (b"), "*1 $1 c");
    assert_eq!(bench.run("zlexcount lex [a (c"), ":2");
    assert_eq!(bench.run("zremrangebylex lex - +"), ":3");
}

#[test]
fn pops_and_their_shapes() {
    let bench = Bench::new();
    let mut modern = bench.client();
    bench.play(&mut modern, "hello 3");
    bench.run("zadd z 1 a 2 b 3 c 4 d 5 e");
    assert_eq!(bench.run("zpopmin z"), "*2 $1 a $1 1");
    assert_eq!(bench.play(&mut modern, "zpopmax z"), "*2 $1 e ,5");
    assert_eq!(bench.play(&mut modern, "zpopmin z 1"), "*1 *2 $1 b ,2");
    assert_eq!(
        bench.run("zmpop 2 none z max count 9"),
        "*2 $1 z *2 *2 $1 d $1 4 *2 $1 c $1 3"
    );
    assert_eq!(bench.run("zmpop 1 z min"), "*-1");
    assert_eq!(bench.run("exists z"), ":0");
}

#[test]
fn waiters_are_served_in_their_order() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.client(), bench.client());
    assert_eq!(bench.play(&mut first, "bzpopmin a z 0"), "(blocked)");
    assert_eq!(
        bench.play(&mut second, "bzmpop 0 1 z max count 2"),
        "(blocked)"
    );
    assert_eq!(bench.run("rpush list 1"), ":1");
    assert_eq!(
        (first.look(), second.look()),
        (String::new(), String::new())
    );
    assert_eq!(bench.run("zadd z 1 x 2 y 3 w"), ":3");
    assert_eq!(first.look(), "*3 $1 z $1 x $1 1");
    assert_eq!(second.look(), "*2 $1 z *2 *2 $1 w $1 3 *2 $1 y $1 2");
    assert_eq!(bench.run("exists z"), ":0");
}

#[test]
fn who_watches_learns_that_a_member_came_back() {
    let bench = Bench::new();
    let (mut taker, mut watcher) = (bench.client(), bench.client());
    bench.play(&mut taker, "bzpopmin z 0");
    bench.run("zadd z 1 m");
    bench.play(&mut watcher, "watch z");
    bench.play(&mut watcher, "multi");
    bench.play(&mut watcher, "ping");
    bench.lose(taker);
    assert_eq!(bench.run("zscore z m"), "$1 1");
    assert_eq!(bench.play(&mut watcher, "exec"), "*-1");
}

#[test]
fn sets_are_combined_with_weights() {
    let bench = Bench::new();
    bench.run("zadd a 1 x 2 y inf i");
    bench.run("zadd b 10 y 20 z -inf i");
    assert_eq!(
        bench.run("zunion 2 a b withscores"),
        "*8 $1 i $1 0 $1 x $1 1 $1 y $2 12 $1 z $2 20"
    );
    assert_eq!(
        bench.run("zinterstore c 2 a b weights 2 1 aggregate max"),
        ":2"
    );
    assert_eq!(
        bench.run("zrange c 0 -1 withscores"),
        "*4 $1 y $2 10 $1 i $3 inf"
    );
    assert_eq!(
        bench.run("zunion 2 a b weights 0 -inf withscores"),
        "*8 $1 y $4 -inf $1 z $4 -inf $1 x $1 0 $1 i $3 inf"
    );
    assert_eq!(bench.run("zdiff 2 a b withscores"), "*2 $1 x $1 1");
    assert_eq!(bench.run("zintercard 2 a b limit 1"), ":1");
    assert_eq!(bench.run("zdiffstore c 2 a a"), ":0");
    assert_eq!(bench.run("exists c"), ":0");
    bench.run("rpush list 1");
    assert!(
        bench
            .run("zunion 2 a list weights")
            .starts_with("-WRONGTYPE")
    );
}

#[test]
fn a_set_outgrows_its_small_form_for_good() {
    let bench = Bench::new();
    for number in 0..128 {
        bench.run(&format!("zadd z {number} m{number}"));
    }
    assert_eq!(bench.run("object encoding z"), "$8 listpack");
    bench.run("zadd z 0.5 one-more");
    assert_eq!(bench.run("object encoding z"), "$8 skiplist");
    bench.run("zremrangebyrank z 1 -1");
    assert_eq!(bench.run("object encoding z"), "$8 skiplist");
    assert_eq!(bench.run("type z"), "+zset");
    assert_eq!(bench.run("copy z y"), ":1");
    assert_eq!(bench.run("zscan y 0"), "*2 $1 0 *2 $2 m0 $1 0");
    assert_eq!(bench.run("zrandmember z 5 withscores"), "*2 $2 m0 $1 0");
}

#[test]
fn members_of_a_lost_client_go_to_the_next_or_back() {
    let bench = Bench::new();
    let (mut lost, mut next) = (bench.client(), bench.client());
    assert_eq!(
        bench.play(&mut lost, "bzmpop 0 1 z min count 2"),
        "(blocked)"
    );
    assert_eq!(bench.play(&mut next, "bzpopmin z 0"), "(blocked)");
    assert_eq!(bench.run("zadd z 1 a 2 b"), ":2");
    assert_eq!(next.look(), "");
    bench.lose(lost);
    assert_eq!(next.look(), "*3 $1 z $1 a $1 1");
    assert_eq!(bench.run("zrange z 0 -1 withscores"), "*2 $1 b $1 2");
}
