//! Requests that are sent together must do and answer what they do and answer one by one, however
//! much of them repeats the one before: where it does, less is looked up again.

use std::collections::BTreeMap;
use std::io::Read;

use crate::raw::{Raw, request};
use crate::rng::Rng;
use crate::server::Server;

/// What ends a batch: nothing else answers this.
const END: &[u8] = b"$3\r\nend\r\n";

/// Steps: a request, or several that must not be parted.
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
    "SADD set a b",
    "SADD set c",
    "SCARD set",
    "ZADD scores 1 a",
    "ZADD scores x a",
    "HSET hash field value",
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
fn batch(rng: &mut Rng) -> Vec<&'static str> {
    let mut batch = Vec::new();
    for _ in 0..=rng.below(12) {
        let step = rng.pick(STEPS);
        let times = if rng.percent(30) { 1 } else { rng.below(100) };
        batch.extend((0..times).map(|_| *step));
    }
    batch
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
