use crate::command::testing::Bench;
use crate::store::{Loss, ShardSet};

fn check(bench: &Bench, exchanges: &[(&str, &str)]) {
    for (command, reply) in exchanges {
        assert_eq!(bench.run(command), *reply, "{command}");
    }
}

#[test]
fn fields_are_set_read_and_deleted() {
    let bench = Bench::new();
    check(
        &bench,
        &[
            ("HSET h a 1 b two", ":2"),
            ("HSET h a 2 c 3", ":1"),
            ("HMSET h d 4", "+OK"),
            ("HSETNX h a 9", ":0"),
            ("HSETNX h e 5", ":1"),
            ("HGET h a", "$1 2"),
            ("HGET h nosuch", "$-1"),
            ("HMGET h b nosuch c", "*3 $3 two $-1 $1 3"),
            ("HLEN h", ":5"),
            ("HSTRLEN h b", ":3"),
            ("HEXISTS h b", ":1"),
            (
                "HGETALL h",
                "*10 $1 a $1 2 $1 b $3 two $1 c $1 3 $1 d $1 4 $1 e $1 5",
            ),
            ("HKEYS h", "*5 $1 a $1 b $1 c $1 d $1 e"),
            ("HVALS h", "*5 $1 2 $3 two $1 3 $1 4 $1 5"),
            ("HDEL h a nosuch b", ":2"),
            ("HDEL h c d e", ":3"),
            ("EXISTS h", ":0"),
            ("HGETALL h", "*0"),
            (
                "HSET h a",
                "-ERR wrong number of arguments for 'hset' command",
            ),
            (
                "HSET h a 1 b",
                "-ERR wrong number of arguments for 'hset' command",
            ),
            (
                "HMSET h a 1 b",
                "-ERR wrong number of arguments for 'hmset' command",
            ),
        ],
    );
    bench.run("SET s x");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    for command in [
        "HSET s a 1",
        "HGET s a",
        "HMGET s a",
        "HDEL s a",
        "HGETALL s",
        "HINCRBY s a 1",
        "HSCAN s 0",
        "HRANDFIELD s",
        "HTTL s FIELDS 1 a",
        "HEXPIRE s 10 FIELDS 1 a",
        "HSETEX s FIELDS 1 a 1",
    ] {
        assert_eq!(bench.run(command), wrong, "{command}");
    }
}

#[test]
fn numbers_are_added() {
    check(
        &Bench::new(),
        &[
            ("HINCRBY h n 5", ":5"),
            ("HINCRBY h n -7", ":-2"),
            ("HINCRBYFLOAT h n 0.5", "$4 -1.5"),
            ("HINCRBY h n 1", "-ERR hash value is not an integer"),
            (
                "HINCRBY h n x",
                "-ERR value is not an integer or out of range",
            ),
            ("HINCRBYFLOAT h n x", "-ERR value is not a valid float"),
            ("HINCRBYFLOAT h n inf", "-ERR value is NaN or Infinity"),
            ("HSET h t text", ":1"),
            ("HINCRBYFLOAT h t 1", "-ERR hash value is not a float"),
            ("HSET h m 9223372036854775807", ":1"),
            (
                "HINCRBY h m 1",
                "-ERR increment or decrement would overflow",
            ),
        ],
    );
}

#[test]
fn encodings_follow_the_settings() {
    let bench = Bench::new();
    bench.run("HSET h a 1");
    assert_eq!(bench.run("OBJECT ENCODING h"), "$8 listpack");
    bench.run("CONFIG SET hash-max-listpack-entries 2");
    bench.run("HSET h b 1 c 1");
    assert_eq!(bench.run("OBJECT ENCODING h"), "$9 hashtable");
    bench.run(&format!("HSET long a {}", "x".repeat(65)));
    assert_eq!(bench.run("OBJECT ENCODING long"), "$9 hashtable");
    bench.run("HSET timed a 1");
    bench.run("HEXPIRE timed 10 FIELDS 1 a");
    assert_eq!(bench.run("OBJECT ENCODING timed"), "$10 listpackex");
    assert_eq!(bench.run("TYPE timed"), "+hash");
}

#[test]
fn scans_see_every_field() {
    let bench = Bench::new();
    for index in 0..1000 {
        bench.run(&format!("HSET h f{index} v"));
    }
    let seen = bench.scan("HSCAN h {} COUNT 50 MATCH f*1 NOVALUES");
    assert_eq!(seen.len(), 100);
    check(
        &bench,
        &[
            ("HSCAN nosuch 0", "*2 $1 0 *0"),
            ("HSCAN nosuch x", "-ERR invalid cursor"),
            ("HSCAN h 0 COUNT 0", "-ERR syntax error"),
            (
                "HSCAN h 0 COUNT x",
                "-ERR value is not an integer or out of range",
            ),
            ("HSCAN h 0 TYPE hash", "-ERR syntax error"),
        ],
    );
}

#[test]
fn random_fields_are_fields() {
    let bench = Bench::new();
    for len in [5, 600] {
        bench.run("DEL h");
        for index in 0..len {
            bench.run(&format!("HSET h f{index} {index}"));
        }
        for count in [1, 2, 4, 100, 500, len, len + 1] {
            let reply = bench.run(&format!("HRANDFIELD h {count} WITHVALUES"));
            let words: Vec<&str> = reply.split(' ').collect();
            let fields: std::collections::BTreeSet<_> = words[2..].iter().step_by(4).collect();
            assert_eq!(
                fields.len(),
                count.min(len),
                "{count} of {len} without repetition"
            );
            for pair in words[2..].chunks(4) {
                assert_eq!(pair[0][1..], *pair[2], "each with its value");
            }
        }
        assert!(bench.run("HRANDFIELD h -2000").starts_with("*2000 "));
        assert!(bench.run("HRANDFIELD h").starts_with('$'));
    }
    check(
        &bench,
        &[
            ("HRANDFIELD nosuch", "$-1"),
            ("HRANDFIELD nosuch 3", "*0"),
            ("HRANDFIELD h 0", "*0"),
            ("HRANDFIELD h 1 WITHSCORES", "-ERR syntax error"),
            (
                "HRANDFIELD h 4611686018427387904 WITHVALUES",
                "-ERR value is out of range",
            ),
        ],
    );
}

#[test]
fn fields_expire_when_asked_for() {
    let mut bench = Bench::new();
    check(
        &bench,
        &[
            ("HSET h a 1 b 2 c 3", ":3"),
            ("HPEXPIRE h 100 FIELDS 2 a nosuch", "*2 :1 :-2"),
            ("HPEXPIRE h 200 NX FIELDS 2 a b", "*2 :0 :1"),
            ("HPTTL h FIELDS 4 a b c nosuch", "*4 :100 :200 :-1 :-2"),
            ("HTTL h FIELDS 1 a", "*1 :1"),
            ("HPEXPIRETIME h FIELDS 1 a", "*1 :1700000000100"),
            ("HEXPIRETIME h FIELDS 1 a", "*1 :1700000001"),
        ],
    );
    assert!(bench.run("INFO keyspace").contains("subexpiry=1"));
    bench.now.unix_ms += 100;
    check(
        &bench,
        &[
            ("HLEN h", ":3"),
            ("HGETALL h", "*4 $1 b $1 2 $1 c $1 3"),
            ("HGET h a", "$-1"),
            ("HLEN h", ":2"),
            ("HPERSIST h FIELDS 3 a b c", "*3 :-2 :1 :-1"),
            ("HPEXPIRE h 0 FIELDS 2 b c", "*2 :2 :2"),
            ("EXISTS h", ":0"),
        ],
    );
    assert!(bench.run("INFO stats").contains("expired_subkeys:3"));
}

#[test]
fn fields_expire_by_time() {
    let mut bench = Bench::new();
    bench.run("HSET h a 1 b 2");
    bench.run("HPEXPIRE h 100 FIELDS 1 a");
    bench.run("HPEXPIRE h 200 FIELDS 1 b");
    let expire = |bench: &Bench| {
        let mut held = bench.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        let mut losses = Vec::new();
        for (_, shard) in held.shards() {
            shard.expire_fields_due(bench.now.unix_ms, 10);
            losses.extend(shard.expired.drain(..).map(|expired| expired.loss));
        }
        losses
    };
    assert_eq!(expire(&bench), []);
    bench.now.unix_ms += 150;
    assert_eq!(expire(&bench), [Loss::Fields]);
    assert_eq!(bench.run("HGETALL h"), "*2 $1 b $1 2");
    bench.now.unix_ms += 100;
    assert_eq!(expire(&bench), [Loss::LastFields]);
    assert_eq!(bench.run("EXISTS h"), ":0");
    assert!(!bench.run("INFO keyspace").contains("subexpiry"));
}

#[test]
fn a_hash_that_is_filled_again_keeps_its_deadline() {
    let mut bench = Bench::new();
    for (condition, ttl) in [("FNX", ":1000"), ("FXX", ":-2")] {
        bench.run("HSET h a 1");
        bench.run("EXPIRE h 1000");
        bench.run("HPEXPIRE h 5 FIELDS 1 a");
        bench.now.unix_ms += 6;
        bench.run(&format!("HSETEX h {condition} FIELDS 1 a 2"));
        assert_eq!(bench.run("TTL h"), ttl, "{condition}");
    }
}

#[test]
fn deadlines_follow_their_hash() {
    let bench = Bench::new();
    let subexpiry = |db: u8| -> usize {
        let info = bench.run("INFO keyspace");
        let line = info.split(&format!("db{db}:")).nth(1).unwrap_or("");
        let number = line.split("subexpiry=").nth(1).unwrap_or("0");
        number.split(' ').next().unwrap_or("0").parse().unwrap()
    };
    bench.run("HSETEX h EX 100 FIELDS 2 a 1 b 2");
    assert_eq!(subexpiry(0), 1);
    bench.run("COPY h copied");
    bench.run("RENAME h other");
    assert_eq!(subexpiry(0), 2);
    bench.run("MOVE other 1");
    assert_eq!((subexpiry(0), subexpiry(1)), (1, 1));
    bench.run("SWAPDB 0 1");
    assert_eq!((subexpiry(0), subexpiry(1)), (1, 1));
    bench.run("SET other x");
    assert_eq!((subexpiry(0), subexpiry(1)), (0, 1));
    bench.run("SWAPDB 0 1");
    bench.run("HDEL copied a");
    assert_eq!(subexpiry(0), 1);
    bench.run("HSET copied b 3");
    assert_eq!(subexpiry(0), 0);
    bench.run("HEXPIRE copied 10 FIELDS 1 b");
    assert_eq!(subexpiry(0), 1);
    bench.run("FLUSHDB");
    assert_eq!(subexpiry(0), 0);
}

#[test]
fn values_are_taken_and_given_with_deadlines() {
    check(
        &Bench::new(),
        &[
            ("HSETEX h FXX FIELDS 1 a 1", ":0"),
            ("HSETEX h FNX PX 500 FIELDS 2 a 1 b 2", ":1"),
            ("HSETEX h FNX FIELDS 2 b 1 c 2", ":0"),
            ("HSETEX h KEEPTTL FIELDS 2 a 5 c 3", ":1"),
            ("HPTTL h FIELDS 3 a b c", "*3 :500 :500 :-1"),
            ("HGETEX h PERSIST FIELDS 2 a nosuch", "*2 $1 5 $-1"),
            ("HPTTL h FIELDS 1 a", "*1 :-1"),
            ("HGETEX h PX 70 FIELDS 1 a", "*1 $1 5"),
            ("HPTTL h FIELDS 1 a", "*1 :70"),
            ("HGETDEL h FIELDS 2 a nosuch", "*2 $1 5 $-1"),
            ("HGETEX h EXAT 1 FIELDS 2 b c", "*2 $1 2 $1 3"),
            ("EXISTS h", ":0"),
            ("HSETEX h EXAT 1 FIELDS 1 a 1", ":1"),
            ("EXISTS h", ":0"),
        ],
    );
}

#[test]
fn wrong_arguments_are_refused_as_in_redis() {
    let long = "x".repeat(300);
    let bench = Bench::new();
    bench.run("HSET h a 1");
    let misplaced = "-ERR Mandatory argument FIELDS is missing or not at the right position";
    let mismatch = "-ERR The `numfields` parameter must match the number of arguments";
    let positive = "-ERR Number of fields must be a positive integer";
    let only_one = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    check(
        &bench,
        &[
            (
                "HEXPIRE h x FIELDS 1 a",
                "-ERR value is not an integer or out of range",
            ),
            (
                "HEXPIRE h -1 FIELDS 1 a",
                "-ERR invalid expire time, must be >= 0",
            ),
            (
                "HPEXPIREAT h 70368744177664 FIELDS 1 a",
                "-ERR invalid expire time in 'hpexpireat' command",
            ),
            ("HEXPIRE h 1 FIELDZ 1 a", misplaced),
            ("HEXPIRE h 1 NX GT FIELDS 1 a", misplaced),
            (
                "HEXPIRE h 1 FIELDS 0 a",
                "-ERR Parameter `numFields` should be greater than 0",
            ),
            ("HEXPIRE h 1 FIELDS 2 a", mismatch),
            ("HTTL h FIELDS 0 a", positive),
            ("HPERSIST h FIELDS x a", positive),
            ("HGETDEL h FIELDS 1 a b", mismatch),
            (
                "HGETEX h EX 10 FIELDS",
                "-ERR wrong number of arguments for 'hgetex' command",
            ),
            ("HGETEX h EX 10 PERSIST FIELDS 1 a", misplaced),
            ("HSETEX h EX 10 PX 10 FIELDS 1 a 1", only_one),
            (
                "HSETEX h FNX FXX FIELDS 1 a 1",
                "-ERR Only one of FXX or FNX arguments can be specified",
            ),
            ("HSETEX h FOO FIELDS 1 a 1", "-ERR unknown argument: FOO"),
            (
                &format!("HSETEX h {long} FIELDS 1 a 1"),
                &format!("-ERR unknown argument: {long}"),
            ),
            ("HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"),
            (
                "HSETEX h FIELDS 2 a 1",
                "-ERR wrong number of arguments for 'hsetex' command",
            ),
        ],
    );
}
