//! Bounds on connections: how many, how long idle, and the Unix socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::raw::Raw;
use crate::server::{Server, free_port};

#[test]
fn one_client_too_many_is_refused_until_another_leaves() {
    let server = Server::weir(&["--maxclients", "3"]);
    let mut inside: Vec<Raw> = (0..3).map(|_| Raw::open(server.address)).collect();
    for raw in &mut inside {
        raw.ask(&["PING"], "+PONG\r\n");
    }
    let mut refused = Raw::open(server.address);
    assert_eq!(refused.rest(), b"-ERR max number of clients reached\r\n");
    inside.pop();
    // The server notices the one that left in its own time.
    for _ in 0..10_000 {
        let mut next = Raw::open(server.address);
        // A refused client's request may meet a closed socket.
        if next.stream.write_all(b"PING\r\n").is_ok() {
            let mut start = [0; 1];
            if matches!(next.stream.read(&mut start), Ok(1)) && start[0] == b'+' {
                return;
            }
        }
    }
    panic!("the place of the client that left is never given to another");
}

#[test]
fn the_idle_are_closed_but_not_those_who_listen() {
    let server = Server::weir(&["--timeout", "1"]);
    let mut listener = Raw::open(server.address);
    listener.ask(
        &["SUBSCRIBE", "c"],
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    );
    let mut idle = Raw::open(server.address);
    idle.ask(&["PING"], "+PONG\r\n");
    assert_eq!(idle.rest(), b"", "closed without a word");
    listener.ask(&["PING"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

#[test]
fn a_unix_socket_serves_like_tcp() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weir.sock");
    let port = free_port().to_string();
    let server = Server::weir(&["--unixsocket", path.to_str().unwrap(), "--port", &port]);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
    Raw::open(server.address).ask(&["PING"], "+PONG\r\n");
}

/// Asks until the server knows a client no more.
fn wait_until_gone(control: &mut Raw, id: &str) {
    for _ in 0..100_000 {
        let size = control.line(&["CLIENT", "LIST", "ID", id])[1..].parse::<usize>();
        let mut body = vec![0; size.unwrap() + 2];
        control.stream.read_exact(&mut body).unwrap();
        if body.len() == 2 {
            return;
        }
    }
    panic!("client {id} is never ended");
}

/// A subscriber that reads nothing, and more messages for it than sockets hold.
fn deaf_subscriber(server: &Server) -> (Raw, Raw) {
    let mut control = Raw::open(server.address);
    control.is_served();
    let mut deaf = Raw::open(server.address);
    deaf.ask(
        &["SUBSCRIBE", "c"],
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    );
    let message = "x".repeat(1 << 20);
    for _ in 0..32 {
        control.line(&["PUBLISH", "c", &message]);
    }
    (control, deaf)
}

#[test]
fn a_subscriber_that_does_not_read_is_ended_by_its_limit() {
    let limits = ["--client-output-buffer-limit", "pubsub 4mb 0 0"];
    let server = Server::weir(&limits);
    let (mut control, deaf) = deaf_subscriber(&server);
    wait_until_gone(&mut control, "2");
    drop(deaf);
}

#[test]
fn a_subscriber_that_does_not_read_can_be_killed() {
    let limits = ["--client-output-buffer-limit", "pubsub 0 0 0"];
    let server = Server::weir(&limits);
    let (mut control, deaf) = deaf_subscriber(&server);
    control.ask(&["CLIENT", "KILL", "ID", "2"], ":1\r\n");
    wait_until_gone(&mut control, "2");
    drop(deaf);
}

#[test]
fn who_does_not_read_a_large_reply_is_ended() {
    let limits = ["--client-output-buffer-limit", "normal 1mb 0 0"];
    let server = Server::weir(&limits);
    let mut control = Raw::open(server.address);
    let large = "x".repeat(64 << 20);
    control.ask(&["SET", "large", &large], "+OK\r\n");
    let mut idle = Raw::open(server.address);
    idle.send(b"GET large\r\n");
    // It is gone before it reads a byte.
    wait_until_gone(&mut control, "2");
    assert!(idle.rest().len() < large.len());
    control.is_served();
}

#[test]
fn renamed_commands_go_by_another_name() {
    let server = Server::weir(&[
        "--rename-command",
        "FLUSHALL sweep",
        "--rename-command",
        "KEYS \"\"",
        "--rename-command",
        "EXEC go",
    ]);
    let mut raw = Raw::open(server.address);
    raw.ask(&["SET", "a", "1"], "+OK\r\n");
    assert!(raw.line(&["FLUSHALL"]).starts_with("-ERR unknown command"));
    assert!(raw.line(&["KEYS", "*"]).starts_with("-ERR unknown command"));
    raw.ask(&["Sweep"], "+OK\r\n");
    raw.ask(&["DBSIZE"], ":0\r\n");
    // A transaction ends with the EXEC that is refused, and only with that one.
    raw.ask(&["MULTI"], "+OK\r\n");
    raw.ask(&["SET", "a", "2"], "+QUEUED\r\n");
    let refused = raw.line(&["Go", "on"]);
    assert!(refused.starts_with("-EXECABORT"), "{refused}");
    raw.ask(&["DISCARD"], "-ERR DISCARD without MULTI\r\n");
    raw.ask(&["MULTI"], "+OK\r\n");
    assert!(raw.line(&["EXEC"]).starts_with("-ERR unknown command"));
    let broken = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    raw.ask(&["GO"], broken);
    raw.ask(&["GET", "a"], "$-1\r\n");
}
