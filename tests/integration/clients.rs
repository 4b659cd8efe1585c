//! Clients seen by other clients: MONITOR, CLIENT PAUSE, CLIENT KILL.

use crate::raw::{Raw, blocked_clients, request};
use crate::server::Server;

#[test]
fn a_monitor_sees_what_others_send() {
    let server = Server::weir(&[]);
    let mut monitor = Raw::open(server.address);
    monitor.ask(&["MONITOR"], "+OK\r\n");
    let mut other = Raw::open(server.address);
    other.ask(&["SET", "k\r\n\"1\"", "v"], "+OK\r\n");
    other.ask(&["SELECT", "3"], "+OK\r\n");
    other.ask(&["LLEN", "q"], ":0\r\n");
    for (db, expected) in [
        (0, r#""SET" "k\r\n\"1\"" "v""#),
        (3, r#""SELECT" "3""#),
        (3, r#""LLEN" "q""#),
    ] {
        let line = monitor.read_line();
        let (time, rest) = line.split_once(' ').expect("a time first");
        assert!(time.starts_with('+') && time.contains('.'), "{line}");
        assert!(rest.starts_with(&format!("[{db} 127.0.0.1:")), "{line}");
        assert!(rest.ends_with(&format!("] {expected}")), "{line}");
    }
}

#[test]
fn a_pause_holds_writes_until_it_is_lifted() {
    let server = Server::weir(&[]);
    let mut control = Raw::open(server.address);
    let mut writer = Raw::open(server.address);
    // What is to be queued would wait as well.
    let mut transaction = Raw::open(server.address);
    transaction.ask(&["MULTI"], "+OK\r\n");
    transaction.ask(&["INCR", "n"], "+QUEUED\r\n");
    control.ask(&["CLIENT", "PAUSE", "100000", "WRITE"], "+OK\r\n");
    writer.ask(&["GET", "k"], "$-1\r\n");
    writer.send(&request(&["SET", "k", "v"]));
    transaction.send(&request(&["EXEC"]));
    for _ in 0..100 {
        control.ask(&["GET", "k"], "$-1\r\n");
    }
    crate::raw::wait_for_blocked(&mut control, 2);
    control.ask(&["CLIENT", "UNPAUSE"], "+OK\r\n");
    writer.expect(b"+OK\r\n");
    transaction.expect(b"*1\r\n:1\r\n");
    control.ask(&["GET", "k"], "$1\r\nv\r\n");
    crate::raw::wait_for_blocked(&mut control, 0);
}

#[test]
fn a_killed_client_is_gone_even_while_it_waits() {
    let server = Server::weir(&[]);
    let mut control = Raw::open(server.address);
    let mut victim = Raw::open(server.address);
    let id = victim.line(&["CLIENT", "ID"])[1..].to_owned();
    victim.send(&request(&["BLPOP", "q", "0"]));
    crate::raw::wait_for_blocked(&mut control, 1);
    control.ask(&["CLIENT", "KILL", "ID", &id], ":1\r\n");
    assert_eq!(victim.rest(), b"");
    control.ask(&["RPUSH", "q", "m"], ":1\r\n");
    control.ask(&["LLEN", "q"], ":1\r\n");
    while blocked_clients(&mut control) > 0 {}
    control.ask(&["CLIENT", "KILL", "ID", &id], ":0\r\n");
}
