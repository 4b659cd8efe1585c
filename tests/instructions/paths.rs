//! The hot paths. Each is a closure that arranges what one run needs, and has the run itself
//! counted.

use std::hint::black_box;

use weir::protocol::{Limits, OwnedArgs, Parsed, Parser, Reply, Resp};

use crate::counting::counted;
use crate::stage::{Player, Stage, encoded, words};

/// A path with its name in the baseline.
type Path = (&'static str, Box<dyn FnMut()>);

/// A message of 64 bytes, as in all measurements of the project.
const MESSAGE: &str = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";
/// Requests that come in one read, where they do.
const PIPELINE: u32 = 16;
const SUBSCRIBERS: usize = 100;
const CONSUMERS: usize = 100;
/// Members of collections that are not small.
const MEMBERS: u32 = 10_000;

/// All paths, each to be run `runs` times.
pub fn all(runs: u32) -> Vec<Path> {
    let mut paths = protocol();
    paths.extend(one_by_one());
    paths.extend(streams(runs));
    paths.extend(collections());
    paths.push(script());
    paths.extend(turns());
    paths.push(hand_off());
    paths.push(hand_off_of_many());
    paths.push(fan_out());
    paths
}

fn protocol() -> Vec<Path> {
    let wire = encoded(&words(&format!("LPUSH queue {MESSAGE}")));
    let limits = Limits::default();
    let mut parser = Parser::default();
    let parse = move || {
        counted(&mut || {
            let parsed = parser.parse(black_box(&wire), &limits);
            assert!(matches!(parsed, Parsed::Request { .. }));
            black_box(parser.args(&wire));
        });
    };
    let write = |act: fn(&mut Reply)| {
        let mut reply = Reply::new(Resp::V2);
        move || {
            counted(&mut || act(black_box(&mut reply)));
            reply.advance(reply.len());
        }
    };
    let integer = write(|reply| reply.integer(black_box(12345)));
    let bulk = write(|reply| reply.bulk(black_box(MESSAGE.as_bytes())));
    let array = write(|reply| {
        reply.array(10);
        for _ in 0..10 {
            reply.bulk(black_box(MESSAGE.as_bytes()));
        }
    });
    vec![
        ("parse LPUSH", Box::new(parse)),
        ("reply: an integer", Box::new(integer)),
        ("reply: 64 bytes", Box::new(bulk)),
        ("reply: 10 times 64 bytes", Box::new(array)),
    ]
}

/// A path of one request, always the same, after others that prepare it each time.
fn same(name: &'static str, before: &'static str, request: &str, reply: &'static str) -> Path {
    let mut player = Stage::new().player();
    let request = words(request);
    let run = move || {
        if !before.is_empty() {
            player.ask(before);
        }
        player.count(&request, reply.as_bytes());
    };
    (name, Box::new(run))
}

fn one_by_one() -> Vec<Path> {
    let message = |head: &str| format!("{head} {MESSAGE}");
    vec![
        same("LPUSH", "", &message("LPUSH queue"), ":"),
        same("RPOP", "LPUSH queue message", "RPOP queue", "$7"),
        same(
            "LPUSH to an empty queue",
            "DEL queue",
            &message("LPUSH queue"),
            ":1",
        ),
        same("SET", "", &message("SET key"), "+OK"),
        same("GET", "SET key value", "GET key", "$5"),
        same("GET of nothing", "", "GET key", "$-1"),
        same("PUBLISH to nobody", "", &message("PUBLISH channel"), ":0"),
    ]
}

fn streams(runs: u32) -> Vec<Path> {
    let add = same("XADD", "", &format!("XADD stream * field {MESSAGE}"), "$");
    let mut player = Stage::new().player();
    player.ask("XGROUP CREATE stream group 0 MKSTREAM");
    for id in 1..=runs {
        player.ask(&format!("XADD stream {id}-1 field {MESSAGE}"));
    }
    let request = words("XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >");
    let read = move || player.count(&request, b"*1");
    let mut player = Stage::new().player();
    player.ask("XGROUP CREATE stream group 0 MKSTREAM");
    let mut id = 0;
    let acknowledge = move || {
        id += 1;
        player.ask(&format!("XADD stream {id}-1 field {MESSAGE}"));
        player.ask("XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >");
        player.count(&words(&format!("XACK stream group {id}-1")), b":1");
    };
    vec![
        add,
        ("XREADGROUP", Box::new(read)),
        ("XACK", Box::new(acknowledge)),
    ]
}

/// A path of requests that differ, of a player for whom something was prepared.
fn each(
    name: &'static str,
    mut player: Player,
    request: impl Fn(u32) -> OwnedArgs + 'static,
) -> Path {
    let mut turn = 0;
    let run = move || {
        turn += 1;
        player.count(&request(turn), b":");
    };
    (name, Box::new(run))
}

fn collections() -> Vec<Path> {
    let mut of_ten = Stage::new().player();
    let mut large = Stage::new().player();
    let [mut scored, mut ranged] = [(); 2].map(|()| Stage::new().player());
    for field in 0..10 {
        of_ten.ask(&format!("HSET hash field{field} value"));
    }
    for member in 0..MEMBERS {
        large.ask(&format!("HSET hash field{member} value"));
        for player in [&mut scored, &mut ranged] {
            player.ask(&format!("ZADD set {} member{member}", spread(member)));
        }
    }
    // The delayed jobs that are due by now, as frameworks ask for them.
    let due = move || {
        let request = words("ZRANGEBYSCORE set 0 5000 LIMIT 0 10");
        ranged.count(&request, b"*10\r\n");
    };
    vec![
        each("HSET, ten fields", of_ten, |turn| {
            words(&format!("HSET hash field{} value{turn}", turn % 10))
        }),
        each("HSET, many fields", large, |turn| {
            words(&format!("HSET hash field{} value{turn}", spread(turn)))
        }),
        each("ZADD, many members", scored, |turn| {
            words(&format!(
                "ZADD set {} member{}",
                spread(turn + 1),
                spread(turn)
            ))
        }),
        ("ZRANGEBYSCORE, ten of many", Box::new(due)),
    ]
}

/// Numbers below [`MEMBERS`] in no order, always the same.
fn spread(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761) % MEMBERS
}

/// What a queue with a bound is to clients of Redis.
fn script() -> Path {
    let mut player = Stage::new().player();
    let body = "redis.call('LPUSH',KEYS[1],ARGV[1])redis.call('LTRIM',KEYS[1],0,99)return(1)";
    let reply = player.ask(&format!("SCRIPT LOAD {body}"));
    let sha = String::from_utf8(reply[5..45].to_vec()).unwrap();
    let request = words(&format!("EVALSHA {sha} 1 queue {MESSAGE}"));
    let run = move || player.count(&request, b":1");
    ("EVALSHA of LPUSH and LTRIM", Box::new(run))
}

/// Whole turns of a connection: system calls are made, and only their preparation is counted.
fn turns() -> Vec<Path> {
    let turn = |name, request: &str, reply: &'static str, pipeline: u32| -> Path {
        let pipeline = pipeline as usize;
        let mut wire = Stage::new().wire();
        wire.ask("SET key value", b"+OK\r\n");
        let (requests, replies) = (
            encoded(&words(request)).repeat(pipeline),
            reply.repeat(pipeline),
        );
        let run = move || {
            wire.send(&requests);
            counted(&mut || wire.turn());
            wire.expect(replies.as_bytes());
        };
        (name, Box::new(run))
    };
    let set = format!("SET key {MESSAGE}");
    let publish = format!("PUBLISH channel {MESSAGE}");
    vec![
        turn("a turn of 1 GET", "GET key", "$5\r\nvalue\r\n", 1),
        turn("a turn of 16 GET", "GET key", "$5\r\nvalue\r\n", PIPELINE),
        turn("a turn of 1 SET", &set, "+OK\r\n", 1),
        turn("a turn of 16 SET", &set, "+OK\r\n", PIPELINE),
        turn("a turn of 16 PUBLISH", &publish, ":0\r\n", PIPELINE),
        run_of("a turn of 16 HSET", |n| format!("HSET key field{n} value")),
        run_of("a turn of 16 SADD", |n| format!("SADD key member{n}")),
        run_of("a turn of 16 ZADD", |n| {
            format!("ZADD key {} member{n}", n % 100)
        }),
    ]
}

/// A turn of requests that add or change members of one large collection.
fn run_of(name: &'static str, request: fn(u32) -> String) -> Path {
    let mut wire = Stage::new().wire();
    for n in 0..MEMBERS {
        wire.ask(&request(n), b":1\r\n");
    }
    let mut turn = 0;
    let run = move || {
        turn += 1;
        let members = (0..PIPELINE).map(|n| spread(turn * PIPELINE + n));
        let requests = members.flat_map(|n| encoded(&words(&request(n))));
        wire.send(&requests.collect::<Vec<_>>());
        counted(&mut || wire.turn());
        wire.expect(&b":0\r\n".repeat(PIPELINE as usize));
    };
    (name, Box::new(run))
}

/// A push that a blocked pop waits for, until the message is with both.
fn hand_off() -> Path {
    let stage = Stage::new();
    let (mut producer, mut consumer) = (stage.wire(), stage.wire());
    let (pop, push) = (
        encoded(&words("BRPOP queue 0")),
        encoded(&words("LPUSH queue message")),
    );
    let run = move || {
        consumer.send(&pop);
        producer.send(&push);
        counted(&mut || {
            consumer.turn();
            producer.turn_to_hand_on();
            consumer.called();
            producer.called();
        });
        producer.expect(b":1\r\n");
        consumer.expect(b"*2\r\n$5\r\nqueue\r\n$7\r\nmessage\r\n");
    };
    ("hand-off: BRPOP, LPUSH", Box::new(run))
}

/// The same while others wait as well, whose number must not matter.
fn hand_off_of_many() -> Path {
    let stage = Stage::new();
    let mut producer = stage.wire();
    let mut consumers: Vec<_> = (0..CONSUMERS).map(|_| stage.wire()).collect();
    let (pop, push) = (
        encoded(&words("BRPOP queue 0")),
        encoded(&words("LPUSH queue message")),
    );
    for consumer in &mut consumers {
        consumer.send(&pop);
        consumer.turn();
    }
    let run = move || {
        producer.send(&push);
        consumers.rotate_left(1);
        let first = &mut consumers[CONSUMERS - 1];
        counted(&mut || {
            producer.turn_to_hand_on();
            first.called();
            producer.called();
        });
        producer.expect(b":1\r\n");
        first.expect(b"*2\r\n$5\r\nqueue\r\n$7\r\nmessage\r\n");
        first.send(&pop);
        counted(&mut || first.turn());
    };
    ("hand-off to 1 of 100", Box::new(run))
}

/// A publication until it is with all subscribers.
fn fan_out() -> Path {
    let stage = Stage::new();
    let mut publisher = stage.wire();
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| stage.wire()).collect();
    for subscriber in &mut subscribers {
        let reply = b"*3\r\n$9\r\nsubscribe\r\n$7\r\nchannel\r\n:1\r\n";
        subscriber.ask("SUBSCRIBE channel", reply);
    }
    let publication = words(&format!("PUBLISH channel {MESSAGE}"));
    let delivery = encoded(&words(&format!("message channel {MESSAGE}")));
    let publication = encoded(&publication);
    let run = move || {
        publisher.send(&publication);
        counted(&mut || {
            publisher.turn();
            for subscriber in &mut subscribers {
                subscriber.called();
            }
        });
        publisher.expect(format!(":{SUBSCRIBERS}\r\n").as_bytes());
        for subscriber in &mut subscribers {
            subscriber.expect(&delivery);
        }
    };
    ("fan-out to 100", Box::new(run))
}
