//! MONITOR: every command, as it is executed, to whoever asked.

use bytes::Bytes;

use crate::protocol::Args;

use super::call::Call;
use super::engine::Gates;

/// The line that monitors see: `+seconds.micros [db address] "argument" ...`.
pub(super) fn line(call: &Call<'_, '_>, args: Args<'_>) -> Bytes {
    let (seconds, micros) = (call.now.unix_ms / 1000, call.now.unix_ms % 1000 * 1000);
    let address = &call.session.client.address;
    let mut line = format!("+{seconds}.{micros:06} [{} {address}]", call.session.db).into_bytes();
    for argument in args {
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
