//! Short plays for a few clients on workers that are threads: each is tried in many orders, and
//! whatever the order, everybody got what is his, once.

use std::sync::Arc;

use super::crew::Crew;
use super::crew_tests::orders_len;
use super::world::{TICK_MS, World};
use crate::bench::wire::put_request;
use crate::config::Config;
use crate::outbox::OutboxLedger;
use crate::store::stream::dice::Dice;
use crate::sync::orders::{alone, explore, spawn};

/// What a client does at last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Stays,
    /// Goes, with or without a reset.
    Goes(bool),
}

/// A client: its worker, what it sends, one request after the other, and its end.
type Part = (usize, &'static [&'static str], End);

/// What came of a play.
struct Played {
    world: World,
    /// What each client was sent, `\r\n` shown as a blank.
    replies: Vec<String>,
}

impl Played {
    /// What a new client gets for a request.
    fn ask(&mut self, request: &str) -> String {
        let (world, mut dice) = (&mut self.world, Dice::new(1));
        let slot = world.connect(0, usize::MAX);
        let socket = world.seats[slot]
            .as_ref()
            .map(|seated| seated.socket.clone());
        let socket = socket.expect("it has come");
        socket.send(&wire(request));
        world.serve_all(&mut dice);
        text(&socket.receive(usize::MAX))
    }

    /// How often a word stands in what clients were sent, and in what a request finds.
    fn count(&mut self, word: &str, clients: &[usize], requests: &[&str]) -> usize {
        let mut texts: Vec<String> = clients.iter().map(|&at| self.replies[at].clone()).collect();
        for request in requests {
            texts.push(self.ask(request));
        }
        let all = texts.join(" ");
        all.split(' ').filter(|found| *found == word).count()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", " ")
}

fn wire(request: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
    let mut bytes = Vec::new();
    put_request(&words, &mut bytes);
    bytes
}

/// A world of two workers with the clients of a play, whose sockets hold so many bytes.
fn stage(settings: &[(&str, &str)], parts: &[Part], outbound_max: usize) -> World {
    let config = Arc::new(Config::default());
    config.set(settings).expect("settings that there are");
    let mut world = World::new(config, 2, 7);
    for (worker, _, _) in parts {
        world.connect(*worker, outbound_max);
    }
    world
}

/// Plays it once, in the order that is tried; `passes_ms` of time pass meanwhile.
fn play(mut world: World, parts: &'static [Part], passes_ms: &[u64]) -> Played {
    let sockets: Vec<_> = world
        .seated()
        .map(|(_, seated)| seated.socket.clone())
        .collect();
    let crew = Crew::start(&mut world);
    let mut threads = Vec::new();
    for (socket, (worker, requests, end)) in sockets.iter().cloned().zip(parts) {
        let alarm = crew.alarm(*worker);
        threads.push(spawn(move || {
            for request in *requests {
                socket.send(&wire(request));
                alarm.wake_by_ref();
            }
            if let End::Goes(is_reset) = *end {
                socket.close(is_reset);
                alarm.wake_by_ref();
            }
        }));
    }
    for ms in passes_ms {
        crew.pass(*ms);
    }
    for thread in threads {
        thread.join().expect("a client that panics ends the test");
    }
    crew.rest();
    let mut replies = vec![Vec::new(); sockets.len()];
    let mut moved = true;
    while moved {
        moved = false;
        for (at, socket) in sockets.iter().enumerate() {
            let bytes = socket.receive(usize::MAX);
            moved |= !bytes.is_empty();
            replies[at].extend_from_slice(&bytes);
            crew.alarm(parts[at].0).wake_by_ref();
        }
        crew.rest();
    }
    crew.stop(&mut world);
    world.check_told();
    for (slot, _) in world.seated() {
        assert!(parts[slot].2 == End::Stays, "{slot} has gone and is there");
    }
    let replies = replies.iter().map(|bytes| text(bytes)).collect();
    Played { world, replies }
}

/// Tries a play in many orders.
fn check(parts: &'static [Part], passes_ms: &'static [u64], judge: fn(&mut Played)) {
    explore(1, orders_len(), move || {
        let world = alone(|| stage(&[], parts, usize::MAX));
        let mut played = play(world, parts, passes_ms);
        alone(|| judge(&mut played));
    });
}

#[test]
fn a_chain_of_moves_serves_its_end() {
    const PARTS: &[Part] = &[
        (0, &["BLMOVE a b RIGHT LEFT 0"], End::Stays),
        (1, &["BLMOVE b c RIGHT LEFT 0"], End::Stays),
        (0, &["BRPOP c 0"], End::Stays),
        (1, &["LPUSH a m1"], End::Stays),
    ];
    check(PARTS, &[], |played| {
        let expected = ["$2 m1 ", "$2 m1 ", "*2 $1 c $2 m1 ", ":1 "];
        assert_eq!(played.replies, expected);
        assert_eq!(played.ask("EXISTS a b c"), ":0 ");
    });
}

#[test]
fn a_circle_of_moves_ends() {
    const PARTS: &[Part] = &[
        (0, &["BLMOVE a b RIGHT LEFT 0"], End::Stays),
        (1, &["BLMOVE b a RIGHT LEFT 0"], End::Stays),
        (1, &["LPUSH a m1"], End::Stays),
        (0, &["LPUSH b m2"], End::Stays),
    ];
    check(PARTS, &[], |played| {
        for at in [0, 1] {
            assert!(
                played.replies[at].starts_with("$2 m"),
                "{:?}",
                played.replies
            );
        }
        for word in ["m1", "m2"] {
            assert_eq!(
                played.count(word, &[], &["LRANGE a 0 -1", "LRANGE b 0 -1"]),
                1
            );
        }
    });
}

#[test]
fn crossing_keys_are_served_once() {
    const PARTS: &[Part] = &[
        (0, &["BLPOP x y 0", "BLPOP y x 0"], End::Stays),
        (1, &["BLPOP y x 0", "BLPOP x y 0"], End::Stays),
        (
            0,
            &["LPUSH x m1", "MULTI", "LPUSH y m2", "LPUSH x m3", "EXEC"],
            End::Stays,
        ),
        (
            1,
            &["LPUSH y m4", "MULTI", "LPUSH x m5", "LPUSH y m6", "EXEC"],
            End::Stays,
        ),
    ];
    check(PARTS, &[], |played| {
        for at in [0, 1] {
            assert_eq!(
                played.replies[at].matches('*').count(),
                2,
                "{:?}",
                played.replies
            );
        }
        for word in ["m1", "m2", "m3", "m4", "m5", "m6"] {
            let found = played.count(word, &[0, 1], &["LRANGE x 0 -1", "LRANGE y 0 -1"]);
            assert_eq!(found, 1, "{word}: {:?}", played.replies);
        }
    });
}

#[test]
fn a_wait_ends_by_time_or_by_a_message() {
    const PARTS: &[Part] = &[
        (0, &["BLPOP q 0.01"], End::Stays),
        (1, &["BLPOP q 0.02"], End::Stays),
        (1, &["LPUSH q m1"], End::Stays),
    ];
    check(PARTS, &[15, 15, 15], |played| {
        played.world.pass(100);
        let mut dice = Dice::new(1);
        played.world.serve_all(&mut dice);
        for slot in [0, 1] {
            let seated = played.world.seats[slot].as_ref().expect("it stays");
            let late = text(&seated.socket.receive(usize::MAX));
            played.replies[slot].push_str(&late);
        }
        let nulls = played.count("*-1", &[0, 1], &[]);
        let served = played.count("m1", &[0, 1], &[]);
        assert_eq!(nulls + served, 2, "{:?}", played.replies);
        assert_eq!(played.count("m1", &[0, 1], &["LRANGE q 0 -1"]), 1);
    });
}

#[test]
fn who_goes_while_served_loses_nothing() {
    const GOES: [&[Part]; 2] = [
        &[
            (0, &[], End::Goes(false)),
            (1, &["BLPOP q 0"], End::Stays),
            (1, &["LPUSH q m1", "LPUSH q m2"], End::Stays),
        ],
        &[
            (0, &[], End::Goes(true)),
            (1, &["BLPOP q 0"], End::Stays),
            (1, &["LPUSH q m1", "LPUSH q m2"], End::Stays),
        ],
    ];
    for parts in GOES {
        explore(1, orders_len(), move || {
            let world = alone(|| {
                let mut world = stage(&[], parts, usize::MAX);
                // The first waits already: what is popped at once for who goes is gone with him.
                let first = world.seats[0].as_ref().expect("it has come");
                first.socket.send(&wire("BLPOP q 0"));
                let mut dice = Dice::new(1);
                world.serve_all(&mut dice);
                world
            });
            let mut played = play(world, parts, &[]);
            alone(|| {
                assert!(played.replies[1].contains(" m"), "{:?}", played.replies);
                for word in ["m1", "m2"] {
                    let found = played.count(word, &[0, 1], &["LRANGE q 0 -1"]);
                    assert_eq!(found, 1, "{word}: {:?}", played.replies);
                }
            });
        });
    }
}

#[test]
fn client_unblock_or_a_push_ends_a_wait() {
    const PARTS: &[Part] = &[
        (0, &["BLPOP q 0"], End::Stays),
        (1, &["CLIENT UNBLOCK 1"], End::Stays),
        (0, &["LPUSH q m1"], End::Stays),
    ];
    check(PARTS, &[], |played| {
        let is_unblocked = played.replies[1] == ":1 ";
        assert_eq!(
            is_unblocked,
            played.replies[0] == "*-1 ",
            "{:?}",
            played.replies
        );
        assert_eq!(played.count("m1", &[0], &["LRANGE q 0 -1"]), 1);
    });
}

/// The numbers published, in the order in which a subscriber got them.
fn heard(reply: &str) -> Vec<u32> {
    let mut words = reply.split(' ');
    let mut numbers = Vec::new();
    while let Some(word) = words.next() {
        if word == "message" {
            let payload = words.by_ref().nth(3);
            numbers.extend(payload.and_then(|payload| payload.parse::<u32>().ok()));
        }
    }
    numbers
}

/// Subscriptions that publications went to, as publishers were told.
fn receivers(replies: &[String]) -> u64 {
    let words = replies.iter().flat_map(|reply| reply.split(' '));
    words
        .filter_map(|word| word.strip_prefix(':')?.parse::<u64>().ok())
        .sum()
}

fn ascends(numbers: &[u32], publisher: u32) -> bool {
    let own = numbers.iter().filter(|number| **number / 10 == publisher);
    own.is_sorted()
}

const CHANNEL: &[Part] = &[
    (0, &["SUBSCRIBE ch", "UNSUBSCRIBE ch", "PING"], End::Stays),
    (
        1,
        &["PUBLISH ch 10", "PUBLISH ch 11", "PUBLISH ch 12"],
        End::Stays,
    ),
    (0, &["PUBLISH ch 20", "PUBLISH ch 21"], End::Stays),
    (
        1,
        &["SUBSCRIBE ch", "UNSUBSCRIBE", "SUBSCRIBE ch"],
        End::Stays,
    ),
];

#[test]
fn a_subscriber_hears_all_between_its_coming_and_going() {
    check(CHANNEL, &[], |played| {
        let total = played.world.engine.outbox_ledger();
        assert_eq!(total.came.messages, receivers(&played.replies[1..3]));
        assert_eq!(total.came, total.taken, "nothing was dropped");
        let mut heard_len = 0;
        for at in [0, 3] {
            let reply = &played.replies[at];
            let numbers = heard(reply);
            heard_len += numbers.len() as u64;
            assert!(ascends(&numbers, 1) && ascends(&numbers, 2), "{numbers:?}");
        }
        assert_eq!(heard_len, total.taken.messages, "{:?}", played.replies);
        let reply = &played.replies[0];
        let (_, after) = reply.split_once("unsubscribe").expect("it was confirmed");
        assert!(heard(after).is_empty(), "{reply}");
        assert!(after.ends_with("+PONG "), "{reply}");
    });
}

/// The same with an outbox of two messages and a socket that takes one.
fn overflows(overflow: &'static str, judge: fn(&mut Played, OutboxLedger)) {
    const PARTS: &[Part] = &[
        (0, &["SUBSCRIBE ch"], End::Stays),
        (
            1,
            &["PUBLISH ch 10", "PUBLISH ch 11", "PUBLISH ch 12"],
            End::Stays,
        ),
        (
            0,
            &["PUBLISH ch 20", "PUBLISH ch 21", "PUBLISH ch 22"],
            End::Stays,
        ),
    ];
    explore(1, orders_len(), move || {
        let world = alone(|| {
            let limit = "normal 0 0 0 pubsub 70 0 0";
            let settings = [
                ("client-output-buffer-limit", limit),
                ("pubsub-overflow", overflow),
            ];
            stage(&settings, PARTS, 40)
        });
        let mut played = play(world, PARTS, &[]);
        alone(|| {
            let total = played.world.engine.outbox_ledger();
            assert!(total.is_balanced() && total.held.messages == 0, "{total:?}");
            let told = receivers(&played.replies[1..]);
            assert_eq!(total.came.messages, told, "{:?}", played.replies);
            let numbers = heard(&played.replies[0]);
            assert_eq!(numbers.len() as u64, total.taken.messages, "{total:?}");
            assert!(ascends(&numbers, 1) && ascends(&numbers, 2), "{numbers:?}");
            judge(&mut played, total);
        });
    });
}

#[test]
fn a_full_outbox_drops_and_counts() {
    for overflow in ["drop-oldest", "drop-newest"] {
        overflows(overflow, |_, total| {
            assert_eq!(total.disconnected.messages + total.closed.messages, 0);
        });
    }
}

/// Pushes to a queue, computes for a while, and pushes to two others.
const PUSHES: &str = "EVAL redis.call('rpush','a','m')\tfor\ti=1,1200\tdo\tend\t\
     redis.call('rpush','b','m')\treturn\tredis.call('rpush','c','m') 0";

#[test]
fn a_script_that_rests_is_one_step_all_the_same() {
    const PARTS: &[Part] = &[
        (0, &[PUSHES, "RPUSH d m"], End::Stays),
        (1, &["MULTI", "LLEN a", "LLEN b", "EXEC"], End::Stays),
        (0, &["BLPOP c 0", "LLEN b"], End::Stays),
        (1, &[PUSHES], End::Stays),
        (1, &["SET free 1", "GET free"], End::Stays),
        (0, &["RPUSH d m"], End::Goes(true)),
    ];
    check(PARTS, &[TICK_MS], |played| {
        let both = played.replies[1].split_once("*2 ").expect("EXEC answers").1;
        assert!([":0 :0 ", ":1 :1 ", ":2 :2 "].contains(&both), "{both}");
        let waiter = &played.replies[2];
        let served = ["*2 $1 c $1 m :1 ", "*2 $1 c $1 m :2 "];
        assert!(served.contains(&&**waiter), "{waiter}");
        assert_eq!(played.replies[4], "+OK $1 1 ");
        let left = played.count(
            "m",
            &[],
            &["LRANGE a 0 -1", "LRANGE b 0 -1", "LRANGE c 0 -1"],
        );
        assert_eq!(left, 5, "{:?}", played.replies);
    });
}

#[test]
fn a_long_range_beside_its_queue_s_consumers() {
    const PARTS: &[Part] = &[
        (
            0,
            &[
                "RPUSH q 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
                "LRANGE q 0 -1",
            ],
            End::Stays,
        ),
        (1, &["BLPOP q 0", "BLPOP q 0"], End::Stays),
        (1, &["LRANGE q 0 -1", "BRPOP q 0"], End::Stays),
        (0, &["BLPOP free 0"], End::Stays),
        (1, &["RPUSH free m"], End::Goes(false)),
    ];
    check(PARTS, &[], |played| {
        let range = played.replies[0]
            .strip_prefix(":20 *")
            .expect("both answer");
        let words: Vec<&str> = range.trim_end().split(' ').collect();
        let messages: Vec<u32> = words[1..]
            .iter()
            .skip(1)
            .step_by(2)
            .map(|word| word.parse().unwrap())
            .collect();
        assert_eq!(words[0], messages.len().to_string());
        assert!(
            messages.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{range}"
        );
        assert_eq!(played.replies[3], "*2 $4 free $1 m ");
        assert_eq!(played.ask("LLEN q"), ":17 ");
    });
}
