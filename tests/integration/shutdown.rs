//! The end: by signal or by command, what was read is answered and the exit code is 0.

use crate::raw::{Raw, request, wait_for_blocked};
use crate::server::Server;

/// Asks the process to end.
pub fn terminate(server: &Server) {
    signal(server, libc::SIGTERM);
}

fn signal(server: &Server, number: libc::c_int) {
    let pid = libc::pid_t::try_from(server.pid()).unwrap();
    // SAFETY: a plain system call; the process is our child and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, number) }, 0);
}

#[test]
fn hangups_and_broken_pipes_end_nothing() {
    let mut server = Server::weir(&[]);
    let mut raw = Raw::open(server.address);
    raw.ask(&["PING"], "+PONG\r\n");
    for number in [libc::SIGHUP, libc::SIGPIPE] {
        signal(&server, number);
        raw.ask(&["PING"], "+PONG\r\n");
    }
    terminate(&server);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sigterm_answers_what_was_read() {
    let mut server = Server::weir(&[]);
    let mut raw = Raw::open(server.address);
    raw.send(&request(&["RPUSH", "q", "m"]).repeat(1000));
    raw.expect(b":1\r\n");
    terminate(&server);
    let replies = String::from_utf8(raw.rest()).unwrap();
    for (expected, line) in (2..).zip(replies.split_inclusive("\r\n")) {
        assert_eq!(line, format!(":{expected}\r\n"), "whole replies, in order");
    }
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sigterm_does_not_wait_for_the_waiting() {
    let mut server = Server::weir(&[]);
    let mut control = Raw::open(server.address);
    let mut waiter = Raw::open(server.address);
    waiter.send(&request(&["BLPOP", "q", "0"]));
    wait_for_blocked(&mut control, 1);
    let mut listener = Raw::open(server.address);
    listener.ask(
        &["SUBSCRIBE", "c"],
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    );
    terminate(&server);
    assert_eq!(waiter.rest(), b"");
    assert_eq!(listener.rest(), b"");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn shutdown_closes_without_a_reply() {
    for args in [
        &["SHUTDOWN"][..],
        &["shutdown", "nosave"],
        &["SHUTDOWN", "NOW", "FORCE"],
    ] {
        let mut server = Server::weir(&[]);
        let mut raw = Raw::open(server.address);
        raw.send(&request(args));
        assert_eq!(raw.rest(), b"", "{args:?}");
        assert_eq!(server.wait().code(), Some(0), "{args:?}");
    }
}

#[test]
fn shutdown_refuses_nonsense_and_stays() {
    let server = Server::weir(&[]);
    let mut raw = Raw::open(server.address);
    raw.ask(&["SHUTDOWN", "MAYBE"], "-ERR syntax error\r\n");
    raw.ask(&["SHUTDOWN", "ABORT"], "-ERR No shutdown in progress.\r\n");
    raw.ask(&["PING"], "+PONG\r\n");
}
