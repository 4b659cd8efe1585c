//! Requests that are sent together must do and answer what they do and answer one by one, however
//! much of them repeats the one before: where it does, less is looked up again.

use std::collections::BTreeMap;
use std::io::Read;

use crate::raw::{Raw, request};
use crate::rng::Rng;
use crate::server::Server;

/// What ends a batch: nothing else answers this.
const END: &[u8] = b"$3\r\nend\r\n";

/// Elements that the collections called `large` have: so many that their memory is asked for ahead.
const LARGE_LEN: u32 = 40_000;

/// Steps: a request, or several that must not be parted. Each `#` stands for some number.
const STEPS: &[&str] = &[
    "LPUSH q message",
    "RPUSH q other",
    "LPUSH q one two",
    "LPUSH q",
    "LPUSH q2 message",
    "lpush q small",
    "LPUSH text message",
    "LPUSHX q x",
    "LPUSHX none x",
    "RPOP q",
    "LPOP q",
    "RPOP q 2",
    "RPOP q many",
    "RPOP q2",
    "RPOP text",
    "RPOP none",
    "BRPOP q q2 0.001",
    "DEL q",
    "DEL q2",
    "GET text",
    "SET text value",
    "SET text",
    "INCR count",
    "INCR text",
    "XADD stream 1-* field value",
    "XADD stream 1-* field value more values",
    "XADD stream 1-* field",
    "XADD q 1-* field value",
    "XADD capped MAXLEN 3 2-* field value",
    "XLEN stream",
    "XGROUP CREATE stream group 0",
    "XGROUP CREATE stream other 0",
    "XREADGROUP GROUP group consumer COUNT 20 STREAMS stream >",
    "XREADGROUP GROUP other consumer COUNT 5 STREAMS stream >",
    "XACK stream group 1-#",
    "XACK stream group 1-# 1-#",
    "XACK stream group x",
    "XACK stream other 1-#",
    "XACK stream none 1-#",
    "XACK q group 1-#",
    "XPENDING stream group",
    "SADD set a b",
    "SADD set c",
    "SADD set #",
    "SADD set member:#",
    "SADD set",
    "SADD large:set #",
    "SADD text a",
    "SCARD set",
    "SISMEMBER set member:#",
    "ZADD scores 1 a",
    "ZADD scores x a",
    "ZADD scores # member:#",
    "ZADD scores nx #",
    "ZADD scores NX # member:#",
    "ZADD scores CH # member:#",
    "ZADD scores INCR # member:#",
    "ZADD scores XX 5",
    "ZADD scores inf #",
    "ZADD scores nan #",
    "ZADD scores # a # b",
    "ZADD large:scores # #",
    "ZADD text 1 a",
    "ZINCRBY scores # member:#",
    "ZINCRBY scores inf #",
    "ZINCRBY scores -inf #",
    "ZCARD scores",
    "ZRANGE scores 0 -1 WITHSCORES",
    "ZPOPMIN scores",
    "ZPOPMAX scores",
    "ZPOPMIN scores 2",
    "ZPOPMAX scores many",
    "ZPOPMIN scores 0",
    "ZPOPMIN large:scores",
    "ZPOPMIN text",
    "ZPOPMIN none",
    "BZPOPMIN scores none 0.001",
    "HSET hash field value",
    "HSET hash # #",
    "HSET hash field:# value",
    "HSET hash field:# one other:# two",
    "HSET hash field:#",
    "HSET large:hash # #",
    "HSET text field value",
    "HGET hash #",
    "HLEN hash",
    "HPEXPIRE hash 10000000 FIELDS 1 field:#",
    "HPERSIST hash FIELDS 1 field:#",
    "HPEXPIRE hash 0 FIELDS 1 field:#",
    "DEL set",
    "DEL scores",
    "DEL hash",
    "PEXPIRE scores 0",
    "EXPIRE q 1000",
    "PEXPIRE q2 0",
    "PERSIST q",
    "MULTI|LPUSH q message|LPUSH q message|RPOP q|EXEC",
    "EXEC",
    "DISCARD",
    "WATCH q",
    "UNWATCH",
    "SELECT 1",
    "SELECT 0",
    "NOSUCH q",
    "NOSUCH q x",
    "CLIENT REPLY SKIP|LPUSH q message",
    "PING q",
    "OBJECT ENCODING q",
    "EVAL return(redis.call('LPUSH',KEYS[1],'s')) 1 q",
    "LRANGE q 0 -1",
];

fn encoded(step: &str) -> Vec<u8> {
    let requests = step
        .split('|')
        .map(|line| line.split(' ').collect::<Vec<_>>());
    requests.flat_map(|words| request(&words)).collect()
}

/// Steps in no order, most of them several times in a row.
fn batch(rng: &mut Rng) -> Vec<String> {
    let mut batch = Vec::new();
    for _ in 0..=rng.below(12) {
        let step = rng.pick(STEPS);
        let times = if rng.percent(30) { 1 } else { rng.below(100) };
        batch.extend((0..times).map(|_| with_numbers(step, rng)));
    }
    batch
}

/// A step with its numbers, few enough that many come again.
fn with_numbers(step: &str, rng: &mut Rng) -> String {
    let number = |step: String, _| step.replacen('#', &rng.below(150).to_string(), 1);
    step.matches('#').fold(step.to_owned(), number)
}

/// Makes the collections that are large.
fn prepare(client: &mut Raw) {
    let numbers: Vec<_> = (0..LARGE_LEN).map(|n| n.to_string()).collect();
    let members: Vec<_> = numbers.iter().map(String::as_str).collect();
    let pairs: Vec<_> = members.iter().flat_map(|n| [*n, *n]).collect();
    let made = format!(":{LARGE_LEN}\r\n");
    client.ask(&[&["SADD", "large:set"], &members[..]].concat(), &made);
    client.ask(&[&["HSET", "large:hash"], &pairs[..]].concat(), &made);
    client.ask(&[&["ZADD", "large:scores"], &pairs[..]].concat(), &made);
}

/// Everything that is answered before the end.
fn answers(client: &mut Raw) -> Vec<u8> {
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    while !all.ends_with(END) {
        let len = client.stream.read(&mut chunk).expect("answers");
        assert!(len > 0, "the server hung up");
        all.extend_from_slice(&chunk[..len]);
    }
    all
}

/// Calls of each command, and how many of them failed.
fn calls(client: &mut Raw) -> BTreeMap<String, String> {
    let all = client.bulk(&["INFO", "commandstats"]);
    let lines = all.lines().filter_map(|line| line.split_once(':'));
    let counts = lines.map(|(name, counts)| {
        let kept = counts.split(',').filter(|count| !count.starts_with("usec"));
        (name.to_owned(), kept.collect::<Vec<_>>().join(","))
    });
    counts
        .filter(|(name, _)| name != "cmdstat_echo" && name != "cmdstat_info")
        .collect()
}

fn check(flags: &[&str]) {
    let seed = std::env::var("WEIR_PIPELINE_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("WEIR_PIPELINE_SEED={seed}");
    let mut rng = Rng::new(seed);
    let (together, apart) = (Server::weir(flags), Server::weir(flags));
    let mut together = Raw::open(together.address);
    let mut apart = Raw::open(apart.address);
    prepare(&mut together);
    prepare(&mut apart);
    for _ in 0..crate::amount(40, 1000) {
        let batch = batch(&mut rng);
        let end = request(&["ECHO", "end"]);
        let mut bytes: Vec<u8> = batch.iter().flat_map(|step| encoded(step)).collect();
        bytes.extend(&end);
        together.send(&bytes);
        let got = answers(&mut together);
        let mut expected = Vec::new();
        for step in &batch {
            apart.send(&encoded(step));
            apart.send(&end);
            let mut answer = answers(&mut apart);
            answer.truncate(answer.len() - END.len());
            expected.extend(answer);
        }
        expected.extend(END);
        let (got, expected) = (got.escape_ascii(), expected.escape_ascii());
        assert_eq!(got.to_string(), expected.to_string(), "{batch:?}");
    }
    assert_eq!(calls(&mut together), calls(&mut apart));
}

#[test]
fn requests_sent_together_do_what_they_do_one_by_one() {
    check(&[]);
}

#[test]
fn they_do_so_under_policies_and_while_keys_notify() {
    check(&[
        "--notify-keyspace-events",
        "KEA",
        "--policy",
        "q max-length 5 overflow reject",
    ]);
}
