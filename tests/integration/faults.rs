//! What goes wrong outside of the server: clients that vanish in the middle of something, no
//! descriptors left, many comings and goings, subscribers that stop reading, an end under load.
//! The server stays up, others are served, the account of messages balances, and nothing stays
//! behind of who has gone.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::amount;
use crate::raw::{Raw, descriptors, request, resident_bytes, wait_for_blocked};
use crate::server::Server;
use crate::shutdown::terminate;

/// The server before the fault, and who asks it afterwards.
struct Watch<'a> {
    server: &'a Server,
    control: Raw,
    descriptors: usize,
}

impl<'a> Watch<'a> {
    fn begin(server: &'a Server) -> Self {
        let mut control = Raw::open(server.address);
        control.is_served();
        Self {
            server,
            control,
            descriptors: descriptors(server.pid()),
        }
    }

    /// Waits until the one who asks is the only client, and finds nothing left of the others: no
    /// descriptor, no wait, nothing in an outbox, no message without an account. Gives the ledger.
    fn finds_all_gone(&mut self) -> BTreeMap<String, u64> {
        // Arrivals are taken in their order: when one more is served, all of the others have come in.
        Raw::open(self.server.address).is_served();
        let pid = self.server.pid();
        let mut left = String::new();
        for _ in 0..1_000_000 {
            left = self.control.bulk(&["CLIENT", "LIST"]);
            if left.lines().count() == 1 && descriptors(pid) == self.descriptors {
                break;
            }
        }
        let open = descriptors(pid);
        assert_eq!(open, self.descriptors, "descriptors; clients:\n{left}");
        assert_eq!(left.lines().count(), 1, "clients stay:\n{left}");
        self.control.is_served();
        wait_for_blocked(&mut self.control, 0);
        let ledger = self.ledger();
        let lost: u64 = lost(&ledger).sum();
        assert_eq!(ledger["in"], ledger["out"] + ledger["held"] + lost);
        let ends = [
            "out",
            "dropped_oldest",
            "dropped_newest",
            "disconnected",
            "closed",
        ];
        let ended = ends.map(|end| ledger[&format!("outbox_{end}")]);
        assert_eq!(ledger["outbox_in"], ended.iter().sum::<u64>());
        assert_eq!(ledger["outbox_held"], 0);
        ledger
    }

    fn ledger(&mut self) -> BTreeMap<String, u64> {
        let info = self.control.bulk(&["INFO", "ledger"]);
        let fields = info.lines().filter_map(|line| line.split_once(':'));
        let fields =
            fields.filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
        fields.collect()
    }
}

/// What queues lost, for each cause.
fn lost(ledger: &BTreeMap<String, u64>) -> impl Iterator<Item = u64> {
    let is_cause = |name: &str| {
        let others = ["outbox_", "stream_", "groups_"];
        !name.ends_with("_bytes")
            && !others.iter().any(|prefix| name.starts_with(prefix))
            && !["in", "out", "held", "returned", "delayed"].contains(&name)
    };
    let causes = ledger.iter().filter(move |(name, _)| is_cause(name));
    causes.map(|(_, count)| *count)
}

/// Ends a connection by a reset instead of by saying goodbye.
fn reset(raw: Raw) {
    let socket = socket2::SockRef::from(&raw.stream);
    socket.set_linger(Some(Duration::ZERO)).expect("linger");
    drop(raw);
}

/// Begins something, in one of several ways, and vanishes.
fn vanish(address: SocketAddr, way: usize) {
    let mut raw = Raw::open(address);
    match way % 7 {
        // In the middle of a request.
        0 => raw.send(b"*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$1000\r\nhalf of it"),
        // Before it has read a large reply, or after a part of it.
        1 => raw.send(&request(&["GET", "large"]).repeat(20)),
        2 => {
            raw.send(&request(&["GET", "large"]).repeat(20));
            let mut piece = [0; 5000];
            raw.stream.read_exact(&mut piece).expect("the first bytes");
        }
        // While it waits, perhaps just served.
        3 => raw.send(&request(&["BLMOVE", "from", "to", "LEFT", "RIGHT", "0"])),
        4 => raw.send(&request(&["BLPOP", "from", "0"])),
        // While it hears a channel, or in a transaction.
        5 => raw.send(&request(&["SUBSCRIBE", "c"])),
        _ => {
            raw.send(&request(&["WATCH", "q"]));
            raw.send(&request(&["MULTI"]));
            raw.send(&request(&["LPUSH", "never", "m"]));
        }
    }
    if way.is_multiple_of(2) {
        reset(raw);
    }
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let server = Server::weir(&["--workers", "2"]);
    let mut watch = Watch::begin(&server);
    let large = "x".repeat(1 << 20);
    watch.control.ask(&["SET", "large", &large], "+OK\r\n");
    let mut pushed = 0;
    for way in 0..amount(210, 7000) {
        vanish(server.address, way);
        if way.is_multiple_of(3) {
            // It meets waiters that are there, have just gone, or are about to be noticed.
            let control = &mut watch.control;
            assert!(control.line(&["LPUSH", "from", "m"]).starts_with(':'));
            assert!(control.line(&["PUBLISH", "c", "m"]).starts_with(':'));
            pushed += 1;
        }
    }
    let ledger = watch.finds_all_gone();
    watch.control.ask(&["EXISTS", "q", "never"], ":0\r\n");
    let mut len = |key| watch.control.line(&["LLEN", key])[1..].parse::<u64>();
    let moved = len("to").expect("a length");
    let left = len("from").expect("a length") + moved;
    // What went to a socket before its client was known to be gone is delivered, as far as the
    // server can tell; what was moved came in twice.
    assert_eq!(ledger["held"], left);
    assert!(left <= pushed);
    assert!(ledger["in"] >= pushed + moved, "{ledger:?}");
    assert_eq!(lost(&ledger).sum::<u64>(), 0, "{ledger:?}");
}

#[test]
fn without_descriptors_others_are_served_and_arrivals_wait() {
    let server = Server::weir(&[]);
    let mut watch = Watch::begin(&server);
    let limit = watch.descriptors as u64 + 4;
    let pid = libc::pid_t::try_from(server.pid()).expect("a pid");
    let nofile = rlimit::Resource::NOFILE;
    rlimit::prlimit(pid, nofile, Some((limit, limit)), None).expect("a lower limit");
    let mut arrived: Vec<Raw> = (0..30).map(|_| Raw::open(server.address)).collect();
    for raw in &mut arrived {
        raw.send(b"PING\r\n");
    }
    // Who came first is in; who came last waits at the door until others leave.
    arrived[0].expect(b"+PONG\r\n");
    watch.control.ask(&["LPUSH", "q", "m"], ":1\r\n");
    watch.control.ask(&["RPOP", "q"], "$1\r\nm\r\n");
    watch.control.is_served();
    // Memory is watched all the same.
    let resident = |watch: &mut Watch<'_>| -> usize {
        let info = watch.control.bulk(&["INFO", "memory"]);
        let mut lines = info.lines();
        let line = lines.find_map(|line| line.strip_prefix("used_memory_rss:"));
        line.expect("a size").parse().expect("a number")
    };
    watch
        .control
        .ask(&["SET", "large", &"x".repeat(32 << 20)], "+OK\r\n");
    let is_seen = (0..1_000_000).any(|_| resident(&mut watch) > 32 << 20);
    assert!(is_seen, "memory is not watched");
    let mut last = arrived.pop().expect("many came");
    last.stream.set_nonblocking(true).expect("nonblocking");
    let early = last.stream.read(&mut [0; 8]);
    assert_eq!(early.unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(arrived);
    last.stream.set_nonblocking(false).expect("blocking");
    last.expect(b"+PONG\r\n");
    let mut next = Raw::open(server.address);
    next.is_served();
    drop((last, next));
    watch.finds_all_gone();
}

#[test]
fn comings_and_goings_cost_nothing_that_stays() {
    let server = Server::weir(&["--workers", "2"]);
    let mut watch = Watch::begin(&server);
    let mut round = |count: usize| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..count / 4 {
                        let mut raw = Raw::open(server.address);
                        raw.ask(&["PING"], "+PONG\r\n");
                        reset(raw);
                    }
                });
            }
        });
        watch.finds_all_gone();
    };
    round(amount(2_000, 40_000));
    let bytes = resident_bytes(server.pid());
    round(amount(2_000, 40_000));
    let grown = resident_bytes(server.pid()).saturating_sub(bytes);
    // A twentieth, and what the allocator rounds up to.
    assert!(grown <= bytes / 20 + (2 << 20), "grew by {grown} bytes");
}

#[test]
fn subscribers_that_stop_reading_take_nothing_from_others() {
    let bounded = "news kind channel max-bytes 64kb overflow drop-oldest";
    let server = Server::weir(&["--workers", "2", "--policy", bounded]);
    let mut watch = Watch::begin(&server);
    let subscribe = || {
        let mut raw = Raw::open(server.address);
        raw.ask(
            &["SUBSCRIBE", "news"],
            "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n",
        );
        raw
    };
    let deaf: Vec<Raw> = (0..10).map(|_| subscribe()).collect();
    let mut reader = subscribe();
    let count = amount(600, 20_000);
    let padding = "x".repeat(20_000);
    let told = format!(":{}\r\n", deaf.len() + 1);
    for number in 0..count {
        let message = format!("{number:08}{padding}");
        watch.control.ask(&["PUBLISH", "news", &message], &told);
        let len = message.len();
        reader.expect(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n");
        reader.expect(format!("${len}\r\n{message}\r\n").as_bytes());
    }
    let ledger = watch.ledger();
    let came = (count * (deaf.len() + 1)) as u64;
    assert_eq!(ledger["outbox_in"], came);
    assert!(ledger["outbox_dropped_oldest"] > 0, "{ledger:?}");
    drop((deaf, reader));
    let ledger = watch.finds_all_gone();
    assert_eq!(ledger["outbox_in"], came);
    assert!(ledger["outbox_closed"] > 0, "{ledger:?}");
}

/// Pushes until the server closes; gives how many pushes were answered.
fn push_until_closed(address: SocketAddr, key: &str, is_busy: &AtomicBool) -> usize {
    let mut raw = Raw::open(address);
    let batch = request(&["RPUSH", key, "message"]).repeat(50);
    let mut replies = Vec::new();
    let mut piece = vec![0; 65536];
    while raw.stream.write_all(&batch).is_ok() {
        match raw.stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(len) => replies.extend_from_slice(&piece[..len]),
        }
        if replies.len() > 100_000 {
            is_busy.store(true, Ordering::Relaxed);
        }
    }
    let _ = raw.stream.read_to_end(&mut replies);
    let text = String::from_utf8(replies).expect("text");
    let mut answered = 0;
    for line in text.split_inclusive("\r\n") {
        answered += 1;
        // A reset may take the end of the last reply with it.
        if line.ends_with("\r\n") {
            assert_eq!(line, format!(":{answered}\r\n"), "in order");
        }
    }
    answered
}

#[test]
fn sigterm_under_load_ends_in_order() {
    // Who never reads is left behind after that long.
    let mut server = Server::weir(&["--workers", "2", "--shutdown-timeout", "1"]);
    let address = server.address;
    let mut control = Raw::open(address);
    let large = "x".repeat(8 << 20);
    control.ask(&["SET", "large", &large], "+OK\r\n");
    let mut waiter = Raw::open(address);
    waiter.send(&request(&["BLPOP", "none", "0"]));
    wait_for_blocked(&mut control, 1);
    let mut deaf = Raw::open(address);
    deaf.send(&request(&["GET", "large"]).repeat(10));
    let mut half = Raw::open(address);
    half.send(b"*2\r\n$3\r\nGET\r\n$5\r\nlar");
    let is_busy = AtomicBool::new(false);
    thread::scope(|scope| {
        let pushers: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|key| {
                let is_busy = &is_busy;
                scope.spawn(move || push_until_closed(address, key, is_busy))
            })
            .collect();
        while !is_busy.load(Ordering::Relaxed) {
            control.ask(&["PING"], "+PONG\r\n");
        }
        terminate(&server);
        for pusher in pushers {
            assert!(pusher.join().expect("it ends") > 0);
        }
    });
    assert_eq!(waiter.rest(), b"");
    assert_eq!(half.rest(), b"");
    assert_eq!(server.wait().code(), Some(0));
    drop(deaf);
}
