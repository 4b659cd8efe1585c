//! What a connection does with what its client sends.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::command::testing::Bench;
use crate::command::{Meanwhile, tick};
use crate::net::testing::Wire;
use crate::worker::{Connection as _, Turn};

use super::Held;

fn request(args: &[&str]) -> Vec<u8> {
    let words = args
        .iter()
        .map(|arg| format!("${}\r\n{arg}\r\n", arg.len()));
    format!("*{}\r\n{}", args.len(), words.collect::<String>()).into_bytes()
}

#[test]
fn who_waits_out_the_longest_pause_waits() {
    let bench = Bench::new();
    let longest_ms = i64::MAX.unsigned_abs() - bench.now.unix_ms;
    assert_eq!(bench.run(&format!("CLIENT PAUSE {longest_ms}")), "+OK");
    let mut wire = Wire::new(&bench, usize::MAX);
    wire.socket.send(&request(&["GET", "x"]));
    let until_us = Some(u64::MAX);
    assert_eq!(wire.turn_ends(), Turn::Wait { until_us });
    assert_eq!(wire.turn_ends(), Turn::Wait { until_us });
    bench.run("CLIENT UNPAUSE");
    assert_eq!(wire.turn(), b"$-1\r\n");
}

#[test]
fn who_goes_while_it_waits_is_gone_however_much_it_sent() {
    let bench = Bench::new();
    let padding = "x".repeat(1000);
    for is_reset in [false, true] {
        let mut wire = Wire::new(&bench, usize::MAX);
        wire.socket.send(&request(&["BLPOP", "ghost", "0"]));
        wire.socket
            .send(&request(&["SET", "aa", &padding]).repeat(200));
        while wire.turn_ends() == Turn::Again {}
        let (input_bytes, _, _) = wire.connection.buffered();
        assert!(wire.socket.waiting_bytes() > 0 && input_bytes >= 64 << 10);
        wire.socket.close(is_reset);
        assert_eq!(wire.turn_ends(), Turn::Over);
        wire.connection.close(wire.now);
        assert_eq!(bench.run("RPUSH ghost m"), ":1");
        assert_eq!(bench.run("LPOP ghost"), "$1 m");
    }
    assert_eq!(bench.run("EXISTS aa"), ":0");
}

thread_local! {
    /// Who has turns while a script rests.
    static BESIDE: RefCell<Option<Wire>> = const { RefCell::new(None) };
}

#[test]
fn what_was_sent_before_going_is_executed_though_a_script_held_it_up() {
    let bench = Bench::new();
    let at_rest: fn() = || {
        BESIDE.with_borrow_mut(|wire| {
            let ends = wire.as_mut().map(Wire::turn_ends);
            assert_eq!(ends, Some(Turn::Wait { until_us: None }));
        });
    };
    let meanwhile = Meanwhile {
        always: at_rest,
        unless_inside: at_rest,
    };
    bench.engine.meanwhile.set(meanwhile).expect("set once");
    let wire = Wire::new(&bench, usize::MAX);
    wire.socket.send(&request(&["RPUSH", "used", "c"]));
    wire.socket.close(false);
    BESIDE.set(Some(wire));
    let script = "redis.call('rpush', KEYS[1], 'a') for i = 1, 2000 do end \
                  return redis.call('rpush', KEYS[1], 'b')";
    let words = ["EVAL", script, "1", "used"].map(|word| word.as_bytes().to_vec());
    assert_eq!(bench.play_args(&mut bench.client(), &words), ":2");
    let mut wire = BESIDE.take().expect("it stays");
    assert_eq!(wire.connection.held, Held::NotNow);
    assert_eq!(wire.turn_ends(), Turn::Over);
    assert_eq!(bench.run("LRANGE used 0 -1"), "*3 $1 a $1 b $1 c");
}

#[test]
fn who_is_idle_for_others_is_not_hung_up_on() {
    let bench = Bench::new();
    bench.run("CONFIG SET timeout 3");
    let [mut waits, mut watches, mut writes, mut idles] =
        std::array::from_fn(|_| Wire::new(&bench, usize::MAX));
    waits.socket.send(&request(&["BLPOP", "job", "0"]));
    watches.socket.send(&request(&["MONITOR"]));
    idles.socket.send(&request(&["PING"]));
    writes.socket.send(&request(&["SET", "a", "b"]));
    for wire in [&mut waits, &mut watches, &mut idles] {
        wire.turn();
    }
    bench.run("CLIENT PAUSE 60000 WRITE");
    assert_ne!(writes.turn_ends(), Turn::Wait { until_us: None });
    let later = bench.now.after(Duration::from_secs(4));
    tick::run_at(&bench.engine, 0, later);
    bench.run("CLIENT UNPAUSE");
    bench.run("RPUSH job x");
    tick::run_at(&bench.engine, 0, later);
    for wire in [&mut waits, &mut watches, &mut writes, &mut idles] {
        wire.now = later;
    }
    assert_eq!(waits.turn(), b"*2\r\n$3\r\njob\r\n$1\r\nx\r\n");
    assert_eq!(writes.turn(), b"+OK\r\n");
    tick::run_at(&bench.engine, 0, later);
    for wire in [&mut waits, &mut watches, &mut writes] {
        wire.turn();
    }
    assert_eq!(idles.turn_ends(), Turn::Over);
}

#[test]
fn who_sends_a_request_in_pieces_is_not_idle() {
    let bench = Bench::new();
    bench.run("CONFIG SET timeout 3");
    let mut wire = Wire::new(&bench, usize::MAX);
    for piece in request(&["SET", "a", "b"]).chunks(5) {
        tick::run_at(&bench.engine, 0, wire.now);
        wire.socket.send(piece);
        assert_eq!(wire.turn_ends(), Turn::Wait { until_us: None });
        wire.now = wire.now.after(Duration::from_secs(2));
    }
    assert_eq!(wire.turn(), b"+OK\r\n");
}

#[test]
fn nobody_is_kept_whom_a_pause_held_up() {
    let bench = Bench::new();
    bench.run("CLIENT PAUSE 60000 WRITE");
    let pauses = &bench.engine.pauses;
    let [mut stays, mut goes] = [0; 2].map(|_| Wire::new(&bench, usize::MAX));
    for wire in [&mut stays, &mut goes] {
        wire.socket.send(b"SET a b\r\n");
        wire.turn_ends();
    }
    assert_eq!(pauses.waiting_len(), 2);
    goes.socket.close(false);
    assert_eq!(goes.turn_ends(), Turn::Over);
    goes.connection.close(goes.now);
    assert_eq!(pauses.waiting_len(), 1);
    stays.now = bench.now.after(Duration::from_mins(1));
    assert_eq!(stays.turn(), b"+OK\r\n");
    assert_eq!(pauses.waiting_len(), 0);
}

#[test]
fn who_wants_no_reply_gets_none_after_a_wait() {
    let bench = Bench::new();
    let mut wire = Wire::new(&bench, usize::MAX);
    wire.socket.send(&request(&["CLIENT", "REPLY", "OFF"]));
    wire.socket.send(&request(&["BLPOP", "k", "0"]));
    assert_eq!(wire.turn(), b"");
    bench.run("RPUSH k a");
    assert_eq!(wire.turn(), b"");
    assert_eq!(bench.run("EXISTS k"), ":0");
    wire.socket.send(&request(&["CLIENT", "REPLY", "ON"]));
    assert_eq!(wire.turn(), b"+OK\r\n");
    wire.socket.send(&request(&["CLIENT", "REPLY", "SKIP"]));
    wire.socket.send(&request(&["BLPOP", "k", "0.05"]));
    wire.socket.send(&request(&["PING"]));
    assert_ne!(wire.turn_ends(), Turn::Wait { until_us: None });
    wire.now = wire.now.after(Duration::from_secs(1));
    assert_eq!(wire.turn(), b"+PONG\r\n");
    wire.socket.send(&request(&["BLPOP", "k", "0"]));
    assert_eq!(wire.turn(), b"");
    bench.run("RPUSH k a");
    assert_eq!(wire.turn(), b"*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

#[test]
fn who_wants_no_reply_gets_none_to_what_is_no_request() {
    let bench = Bench::new();
    for (mode, reply) in [
        ("ON", "+OK\r\n-ERR Protocol error"),
        ("OFF", ""),
        ("SKIP", ""),
    ] {
        let mut wire = Wire::new(&bench, usize::MAX);
        wire.socket.send(&request(&["CLIENT", "REPLY", mode]));
        wire.socket.send(b"*x\r\n");
        assert_eq!(wire.turn_ends(), Turn::Over);
        let sent = String::from_utf8(wire.socket.receive(usize::MAX)).expect("text");
        assert!(
            sent.starts_with(reply) && sent.is_empty() == reply.is_empty(),
            "{sent}"
        );
    }
}

#[test]
fn what_is_held_up_is_shown() {
    let bench = Bench::new();
    let mut wire = Wire::new(&bench, usize::MAX);
    wire.socket.send(&request(&["PING"]));
    wire.turn();
    bench.run("CLIENT PAUSE 1000 WRITE");
    wire.socket.send(b"\r\n*0\r\n");
    wire.socket.send(&request(&["SET", "a", "b"]));
    wire.turn_ends();
    let list = bench.run("CLIENT LIST");
    for part in [" flags=b ", " cmd=set ", " tot-net-out=7 ", " tot-cmds=1 "] {
        assert!(list.contains(part), "{list}");
    }
}

#[test]
fn what_waits_of_requests_is_known() {
    let bench = Bench::new();
    let mut wire = Wire::new(&bench, usize::MAX);
    let query_bytes = || {
        let clients = bench.engine.clients.all();
        let bytes = clients.iter().map(|client| &client.query_bytes);
        bytes.map(|bytes| bytes.load(Ordering::Relaxed)).max()
    };
    let large = request(&["ECHO", &"x".repeat(100_000)]);
    let (first, rest) = large.split_at(60_000);
    wire.socket.send(first);
    wire.turn();
    assert_eq!(query_bytes(), Some(60_000));
    wire.socket.send(rest);
    wire.turn();
    assert_eq!(query_bytes(), Some(0));
    let echo = request(&["ECHO", &"x".repeat(1000)]);
    let partial = b"*1\r\n$4\r\nPI";
    let all = [
        &request(&["BLPOP", "z", "0"])[..],
        &echo.repeat(50),
        partial,
    ];
    wire.socket.send(&all.concat());
    wire.turn();
    assert_eq!(query_bytes(), Some(50 * echo.len() + partial.len()));
    bench.run("RPUSH z m");
    wire.turn();
    assert_eq!(query_bytes(), Some(partial.len()));
}

#[test]
fn bounds_of_requests_follow_who_the_client_is() {
    let bench = Bench::new();
    bench.run("CONFIG SET requirepass pw");
    let large = "x".repeat(20_000);
    let many = request(&["DEL", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    let auth = request(&["AUTH", "pw"]);
    let set = request(&["SET", "k", &large]);
    let mut wire = Wire::new(&bench, usize::MAX);
    wire.socket.send(&[&auth[..], &many, &set].concat());
    assert_eq!(wire.turn(), b"+OK\r\n:0\r\n+OK\r\n");
    wire.socket
        .send(&[&request(&["RESET"])[..], &many].concat());
    assert_eq!(wire.turn_ends(), Turn::Over);
    let refused = wire.socket.receive(usize::MAX);
    assert_eq!(
        refused,
        b"+RESET\r\n-ERR Protocol error: unauthenticated multibulk length\r\n"
    );

    let mut early = Wire::new(&bench, usize::MAX);
    let mut admin = Wire::new(&bench, usize::MAX);
    let open = request(&["CONFIG", "SET", "requirepass", ""]);
    admin.socket.send(&[&auth[..], &open].concat());
    assert_eq!(admin.turn(), b"+OK\r\n+OK\r\n");
    early.socket.send(&[&many[..], &set].concat());
    assert_eq!(early.turn(), b":0\r\n+OK\r\n");
}
