//! Scripts that run for too long: what others hear, and how they end.

use crate::raw::{Raw, blocked_clients, request};
use crate::server::Server;

const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

/// A server whose scripts are soon found slow, on one worker or more, and some connections.
fn start(workers: &str) -> (Server, Vec<Raw>) {
    start_with(workers, "20")
}

/// The same, with milliseconds after which a script is slow; never at 0.
fn start_with(workers: &str, threshold_ms: &str) -> (Server, Vec<Raw>) {
    let settings = ["--workers", workers, "--busy-reply-threshold", threshold_ms];
    let server = Server::weir(&settings);
    let mut connections: Vec<Raw> = (0..5).map(|_| Raw::open(server.address)).collect();
    for raw in &mut connections {
        raw.ask(&["PING"], "+PONG\r\n");
    }
    (server, connections)
}

/// Sends a script and does not wait for it.
fn run(raw: &mut Raw, script: &str) {
    raw.send(&request(&["EVAL", script, "0"]));
}

/// Asks until the server says that it is busy.
fn wait_until_busy(raw: &mut Raw, request: &[&str]) {
    for _ in 0..1_000_000 {
        let line = raw.line(request);
        if line.starts_with('$') && line != "$-1" {
            raw.read_line();
        }
        if line == BUSY {
            return;
        }
    }
    panic!("the server is never busy");
}

#[test]
fn whoever_asks_hears_of_a_slow_script_and_may_end_it() {
    for workers in ["1", "2"] {
        let (server, mut connections) = start(workers);
        let mut slow = connections.remove(0);
        run(
            &mut slow,
            "while true do pcall(function() while true do end end) end",
        );
        for raw in &mut connections {
            wait_until_busy(raw, &["GET", "k"]);
            raw.ask(&["MULTI"], "+OK\r\n");
            raw.ask(&["SET", "k", "v"], &format!("{BUSY}\r\n"));
            assert!(raw.line(&["EXEC"]).starts_with("-EXECABORT"));
            assert_eq!(raw.line(&["SHUTDOWN"]), BUSY);
        }
        // Who comes now is heard too.
        let mut late = Raw::open(server.address);
        assert_eq!(late.line(&["GET", "k"]), BUSY);
        late.ask(&["SCRIPT", "KILL"], "+OK\r\n");
        let reply = slow.read_line();
        assert!(reply.starts_with("-ERR Script killed by user"), "{reply}");
        for raw in connections.iter_mut().chain([&mut slow, &mut late]) {
            raw.ask(&["GET", "k"], "$-1\r\n");
        }
        late.ask(
            &["SCRIPT", "KILL"],
            "-NOTBUSY No scripts in execution right now.\r\n",
        );
    }
}

#[test]
fn a_slow_script_is_one_step_for_others_all_the_same() {
    let (_server, mut connections) = start("2");
    let mut waiter = connections.pop().unwrap();
    waiter.send(&request(&["BLPOP", "q", "0"]));
    let mut slow = connections.remove(0);
    // The two commands lie far enough apart for everybody to find the server busy in between.
    run(
        &mut slow,
        "redis.call('rpush','q','a') local x = 0 for i = 1, 30000000 do x = x + i end \
         redis.call('rpush','q','b') return redis.call('llen','q')",
    );
    let control = &mut connections[0];
    wait_until_busy(control, &["GET", "k"]);
    assert!(control.line(&["SCRIPT", "KILL"]).starts_with("-UNKILLABLE"));
    assert_eq!(slow.read_line(), ":2");
    waiter.expect(b"*2\r\n$1\r\nq\r\n$1\r\na\r\n");
    control.ask(&["LLEN", "q"], ":1\r\n");
}

#[test]
fn a_server_told_to_stop_ends_its_script() {
    let (mut server, mut connections) = start("1");
    let mut slow = connections.remove(0);
    run(&mut slow, "redis.call('set','k','v') while true do end");
    let control = &mut connections[0];
    wait_until_busy(control, &["GET", "k"]);
    control.send(&request(&["SHUTDOWN", "NOSAVE"]));
    assert!(server.wait().success());
}

#[test]
fn time_stands_still_in_a_script_until_others_are_served() {
    let (_server, mut connections) = start("2");
    let slow = &mut connections[0];
    let still =
        "local a, b = redis.call('TIME'), redis.call('TIME') return {a[1] == b[1], a[2] == b[2]}";
    slow.ask(&["EVAL", still, "0"], "*2\r\n:1\r\n:1\r\n");
    // The redis crate's own tests wait so; it ends, or the read of the reply does.
    let waits = "local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end \
                 local began = now() repeat until now() > began return 'later'";
    slow.ask(&["EVAL", waits, "0"], "$5\r\nlater\r\n");
}

#[test]
fn others_are_served_beside_a_script_that_computes() {
    for workers in ["1", "2"] {
        let (_server, mut connections) = start_with(workers, "0");
        let mut slow = connections.remove(0);
        // It uses no key: which of them share a shard is up to the server's seed.
        run(&mut slow, "while true do end");
        let mut another = connections.pop().unwrap();
        run(&mut another, "return 1");
        let mut waiter = connections.pop().unwrap();
        waiter.send(&request(&["BLPOP", "free", "0"]));
        for raw in &mut connections {
            for _ in 0..100 {
                raw.ask(&["RPUSH", "q", "m"], ":1\r\n");
                raw.ask(&["LPOP", "q"], "$1\r\nm\r\n");
            }
        }
        connections[0].ask(&["RPUSH", "free", "m"], ":1\r\n");
        waiter.expect(b"*2\r\n$4\r\nfree\r\n$1\r\nm\r\n");
        let killed = |raw: &mut Raw| raw.line(&["SCRIPT", "KILL"]) == "+OK";
        assert!((0..1_000_000).any(|_| killed(&mut connections[0])));
        let reply = slow.read_line();
        assert!(reply.starts_with("-ERR Script killed by user"), "{reply}");
        assert_eq!(another.read_line(), ":1");
    }
}

#[test]
fn a_producer_has_its_reply_though_the_consumer_computes_next() {
    for workers in ["1", "2"] {
        let (_server, mut connections) = start_with(workers, "0");
        let (mut consumer, mut producer) = (connections.remove(0), connections.remove(0));
        consumer.send(&request(&["BLPOP", "queue", "0"]));
        run(&mut consumer, "while true do end");
        assert!((0..1_000_000).any(|_| blocked_clients(&mut producer) == 1));
        producer.ask(&["RPUSH", "queue", "m"], ":1\r\n");
        let killed = |raw: &mut Raw| raw.line(&["SCRIPT", "KILL"]) == "+OK";
        assert!((0..1_000_000).any(|_| killed(&mut producer)));
        consumer.expect(b"*2\r\n$5\r\nqueue\r\n$1\r\nm\r\n");
        let reply = consumer.read_line();
        assert!(reply.starts_with("-ERR Script killed by user"), "{reply}");
    }
}
