//! MONITOR: every command, as it is executed, to whoever asked.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::Args;

use super::call::Call;
use super::engine::Gates;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::secrets::REDACTED;

/// The line that monitors see: `+seconds.micros [db address] "argument" ...`.
pub(super) fn line(
    call: &Call<'_, '_>,
    args: Args<'_>,
    hidden: &Range<usize>,
    source: Option<&str>,
) -> Bytes {
    let (seconds, micros) = (call.now.unix_ms / 1000, call.now.unix_ms % 1000 * 1000);
    let client = &call.session.client;
    let (scheme, address) = match (source, client.address.strip_suffix(":0")) {
        (Some(source), _) => ("", source),
        (None, Some(path)) if client.by_unix_socket => ("unix:", path),
        (None, _) => ("", &*client.address),
    };
    let mut line = format!(
        "+{seconds}.{micros:06} [{} {scheme}{address}]",
        call.session.db
    )
    .into_bytes();
    for (at, argument) in args.iter().enumerate() {
        let is_hidden = hidden.contains(&at);
        let argument = if is_hidden { REDACTED } else { argument };
        line.extend_from_slice(b" \"");
        for &byte in argument {
            match byte {
                b'\\' | b'"' => line.extend_from_slice(&[b'\\', byte]),
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                b'\t' => line.extend_from_slice(b"\\t"),
                0x07 => line.extend_from_slice(b"\\a"),
                0x08 => line.extend_from_slice(b"\\b"),
                b' '..=b'~' => line.push(byte),
                _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    Bytes::from(line)
}

/// MONITOR
pub(super) fn monitor(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    if call.session.is_atomic {
        return Err(Error::text(
            "MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    if call.session.is_monitor {
        // It has its answer already.
        return Ok(Outcome::Done);
    }
    call.session.is_monitor = true;
    call.session.note_state();
    let mut monitors = call.engine.monitors.lock();
    monitors.push(Arc::clone(&call.session.client.mailbox));
    call.engine.gates.set(Gates::MONITORED, true);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Ends a client's MONITOR.
pub(super) fn leave(call: &mut Call<'_, '_>) {
    if !call.session.is_monitor {
        return;
    }
    call.session.is_monitor = false;
    let id = call.session.client.id;
    let mut monitors = call.engine.monitors.lock();
    monitors.retain(|mailbox| mailbox.client_id() != id);
    call.engine
        .gates
        .set(Gates::MONITORED, !monitors.is_empty());
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn a_transaction_is_shown_in_the_order_of_its_execution() {
        let bench = Bench::new();
        let mut monitor = bench.client();
        bench.play(&mut monitor, "MONITOR");
        let mut client = bench.client();
        for command in ["MULTI", "SET a 1", "CONFIG GET port", "EXEC"] {
            bench.play(&mut client, command);
        }
        let seen = monitor.look();
        let seen: Vec<_> = seen.split_inclusive("\" +").collect();
        let order: Vec<_> = ["MULTI", "SET", "EXEC"]
            .map(|name| seen.iter().position(|line| line.contains(name)))
            .into();
        assert_eq!(order, [Some(0), Some(1), Some(2)], "{seen:?}");
        assert_eq!(seen.len(), 3, "{seen:?}");
    }

    #[test]
    fn a_monitor_uses_no_keys() {
        let bench = Bench::new();
        let mut monitor = bench.client();
        bench.play(&mut monitor, "MONITOR");
        let refused = "-ERR Replica can't interact with the keyspace";
        for command in [
            "GET a",
            "SET a 1",
            "FLUSHALL",
            "DBSIZE",
            "EVAL return(1) 0",
            "PUBLISH a b",
        ] {
            assert_eq!(bench.play(&mut monitor, command), refused, "{command}");
        }
        assert_eq!(bench.play(&mut monitor, "MULTI"), "+OK");
        assert_eq!(bench.play(&mut monitor, "GET a"), refused);
        assert!(bench.play(&mut monitor, "EXEC").starts_with("-EXECABORT "));
        assert!(bench.play(&mut monitor, "RESET").ends_with("+RESET"));
        assert_eq!(bench.play(&mut monitor, "GET a"), "$-1");
    }

    #[test]
    fn passwords_are_not_shown() {
        let bench = Bench::new();
        bench.run("CONFIG SET slowlog-log-slower-than 0");
        bench.run("CONFIG SET requirepass secret");
        bench.run("SLOWLOG RESET");
        let (mut client, mut monitor) = (bench.client(), bench.client());
        for player in [&mut client, &mut monitor] {
            bench.play(player, "AUTH secret");
        }
        bench.play(&mut monitor, "MONITOR");
        monitor.look();
        let shown = [
            ("AUTH secret", "\"AUTH\" \"(redacted)\""),
            ("AUTH secret2", "\"AUTH\" \"(redacted)\""),
            (
                "AUTH default secret",
                "\"AUTH\" \"(redacted)\" \"(redacted)\"",
            ),
            (
                "HELLO 2 AUTH default secret",
                "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\"",
            ),
            (
                "HELLO 2 SETNAME x auth default pass SETNAME y",
                "\"HELLO\" \"2\" \"SETNAME\" \"x\" \"auth\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \
                 \"y\"",
            ),
            (
                "HELLO 2 AUTH default secret0 AUTH default secret",
                "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"(redacted)\" \"(redacted)\" \
                 \"(redacted)\"",
            ),
        ];
        for in_transaction in [false, true] {
            for (command, line) in shown {
                if in_transaction {
                    bench.play(&mut client, "MULTI");
                }
                bench.play(&mut client, command);
                if in_transaction {
                    bench.play(&mut client, "EXEC");
                }
                let seen = monitor.look();
                assert!(seen.contains(line) && !seen.contains("secret"), "{seen}");
            }
        }
        bench.play(&mut client, "ACL SETUSER alice >secret");
        bench.play(&mut client, "CONFIG SET masterauth secret");
        assert_eq!(monitor.look(), "");
        let log = bench.play(&mut client, "SLOWLOG GET 100");
        assert!(
            log.contains("(redacted)") && !log.contains("secret"),
            "{log}"
        );
    }

    #[test]
    fn monitors_see_what_others_send() {
        let bench = Bench::new();
        let mut monitor = bench.client();
        assert_eq!(bench.play(&mut monitor, "MONITOR"), "+OK");
        assert_eq!(bench.play(&mut monitor, "MONITOR"), "");
        assert!(bench.run("INFO clients").contains("connected_clients:2"));
        bench.run("SET a 1");
        // Those of administrators stay hidden.
        bench.run("CONFIG GET maxclients");
        let seen = monitor.look();
        assert!(
            seen.contains("[0 127.0.0.1:1] \"SET\" \"a\" \"1\""),
            "{seen}"
        );
        assert!(!seen.contains("CONFIG"), "{seen}");
        for command in ["MULTI", "MONITOR"] {
            bench.play(&mut monitor, command);
        }
        let refused = bench.play(&mut monitor, "EXEC");
        assert!(refused.contains("-ERR MONITOR isn't allowed"), "{refused}");
        bench.play(&mut monitor, "RESET");
        monitor.look();
        bench.run("GET a");
        assert_eq!(monitor.look(), "");
    }
}
