//! Clients that break the protocol or take what they can: they get an error and a closed
//! connection, the server keeps its memory, and others are served meanwhile.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Write};

use crate::amount;
use crate::raw::{Raw, request, resident_bytes};
use crate::server::Server;

const MIB: u64 = 1024 * 1024;

/// What a connection costs at most in these tests, whatever its client announces.
const GROWTH_BYTES_MAX: u64 = 64 * MIB;

/// Runs a check, then finds another client served and the memory where it was.
fn unhurt(server: &Server, check: impl FnOnce(&mut Raw)) {
    let mut other = Raw::open(server.address);
    other.is_served();
    let before = resident_bytes(server.pid());
    check(&mut other);
    other.is_served();
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(
        grown < GROWTH_BYTES_MAX,
        "the server grew by {} MiB",
        grown / MIB
    );
}

/// Sends bytes that are an error, and finds the connection closed after exactly one error line.
fn refused(server: &Server, bytes: &[u8], error: &str) {
    let mut raw = Raw::open(server.address);
    // The server may close before it has read everything.
    let _ = raw.stream.write_all(bytes);
    let reply = String::from_utf8(raw.rest()).unwrap();
    assert_eq!(
        reply,
        format!("-ERR Protocol error: {error}\r\n"),
        "{bytes:?}"
    );
}

#[test]
fn broken_grammar_closes_the_connection() {
    let server = Server::weir(&[]);
    unhurt(&server, |_| {
        for (bytes, error) in [
            ("*2147483648\r\n", "invalid multibulk length"),
            ("*x\r\n", "invalid multibulk length"),
            ("*99999999999999999999\r\n", "invalid multibulk length"),
            ("*1\r\n$18446744073709551615\r\n", "invalid bulk length"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$-2\r\n", "invalid bulk length"),
            ("*1\r\n$\r\n", "invalid bulk length"),
            ("*1\r\n$x\r\n", "invalid bulk length"),
            ("*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"),
            ("*2\r\n$4\r\nPING\r\n:1\r\n", "expected '$', got ':'"),
            ("PING \"open\r\n", "unbalanced quotes in request"),
        ] {
            refused(&server, bytes.as_bytes(), error);
        }
    });
}

#[test]
fn a_line_without_end_is_too_big() {
    let server = Server::weir(&[]);
    unhurt(&server, |_| {
        refused(&server, &vec![b'x'; 1024 * 1024], "too big inline request");
    });
}

#[test]
fn announced_sizes_are_not_allocated() {
    let server = Server::weir(&[]);
    unhurt(&server, |other| {
        let connections: Vec<Raw> = (0..100)
            .map(|index| {
                let mut raw = Raw::open(server.address);
                let announced: &[u8] = if index % 2 == 0 {
                    b"*1000000000\r\n"
                } else {
                    b"*2\r\n$4\r\nECHO\r\n$536870912\r\nand then nothing"
                };
                let _ = raw.stream.write_all(announced);
                raw
            })
            .collect();
        other.is_served();
        drop(connections);
    });
}

#[test]
fn a_million_arguments_byte_by_byte_hold_up_nobody() {
    let server = Server::weir(&[]);
    let count = amount(20_000, 1_000_000);
    let mut other = Raw::open(server.address);
    let mut raw = Raw::open(server.address);
    let mut bytes = format!("*{}\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n", count + 2).into_bytes();
    for _ in 0..count {
        bytes.extend_from_slice(b"$1\r\nx\r\n");
    }
    for (index, byte) in bytes.iter().enumerate() {
        raw.send(&[*byte]);
        if index % 4096 == 0 {
            other.ask(&["PING"], "+PONG\r\n");
        }
    }
    raw.expect(format!(":{count}\r\n").as_bytes());
}

#[test]
fn who_asks_for_gigabytes_and_never_reads_costs_little() {
    const VALUE_BYTES: usize = 1024 * 1024;
    let server = Server::weir(&[]);
    let mut setter = Raw::open(server.address);
    let value = "v".repeat(VALUE_BYTES);
    setter.ask(&["SET", "big", &value], "+OK\r\n");
    unhurt(&server, |other| {
        let mut greedy = Raw::open(server.address);
        let gets = request(&["GET", "big"]).repeat(3000);
        greedy.stream.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while sent < gets.len() {
            match greedy.stream.write(&gets[sent..]) {
                Ok(count) => sent += count,
                // The server has stopped reading from it: that is its good right.
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        other.is_served();
        // It is not lost either: as soon as it reads, it is answered.
        greedy.stream.set_nonblocking(false).unwrap();
        let reply = format!("${VALUE_BYTES}\r\n{value}\r\n");
        for _ in 0..10 {
            greedy.expect(reply.as_bytes());
        }
    });
}

#[test]
fn a_subscriber_that_never_reads_costs_little() {
    let server = Server::weir(&[]);
    let messages = amount(40_000, 400_000);
    unhurt(&server, |publisher| {
        let mut deaf = Raw::open(server.address);
        deaf.ask(
            &["SUBSCRIBE", "c"],
            "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
        );
        let batch = request(&["PUBLISH", "c", &"m".repeat(4096)]).repeat(100);
        for _ in 0..messages / 100 {
            publisher.send(&batch);
            for _ in 0..100 {
                let line = publisher.read_line();
                assert!(line == ":1" || line == ":0", "{line}");
            }
        }
    });
}

#[test]
fn keys_lets_others_go_on_and_everybody_gets_whole_replies() {
    // More than a thousand in each shard: KEYS rests after so many.
    const NAMES: usize = 80_000;
    let server = Server::weir(&["--workers", "1"]);
    let mut clients: Vec<Raw> = (0..3).map(|_| Raw::open(server.address)).collect();
    let fill = format!("for i = 1, {NAMES} do redis.call('SET', i, '') end");
    clients[0].ask(&["EVAL", &fill, "0"], "$-1\r\n");
    // Whoever comes second has his turn inside of the first one's.
    for raw in &mut clients {
        for command in [&["KEYS", "*"][..], &["ECHO", "between"], &["KEYS", "*"]] {
            raw.send(&request(command));
        }
    }
    for raw in &mut clients {
        let mut lines = BufReader::new(&raw.stream).lines().map_while(Result::ok);
        check_names(&mut lines, NAMES);
        let between: Vec<String> = lines.by_ref().take(2).collect();
        assert_eq!(between, ["$7", "between"]);
        check_names(&mut lines, NAMES);
        drop(lines);
        raw.is_served();
    }
}

/// Reads a reply of KEYS that has each of the numbers up to `len` once.
fn check_names(lines: &mut impl Iterator<Item = String>, len: usize) {
    assert_eq!(lines.next(), Some(format!("*{len}")));
    let names = lines.take(2 * len).skip(1).step_by(2);
    let numbers: BTreeSet<usize> = names.map(|name| name.parse().unwrap()).collect();
    assert!(numbers.into_iter().eq(1..=len), "each once");
}
