//! CLIENT ID INFO LIST.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::clients::Client;
use crate::clock::Now;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::table::table;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Resp, c_string};

/// CLIENT ID
pub fn id(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let id = call.session.client.id;
    call.reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

/// CLIENT INFO
pub fn info(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    note_command(call);
    let line = describe(&call.session.client, call.now);
    call.reply.verbatim("txt", &line);
    Ok(Outcome::Done)
}

/// Shows the client the command that it runs now, which others learn of after the batch.
fn note_command(call: &Call<'_, '_>) {
    let client = &call.session.client;
    client.command.store(call.session.last_command, Relaxed);
}

/// CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]
pub fn list(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    note_command(call);
    let all = call.engine.clients.all();
    let mut listed: Vec<Arc<Client>> = match args.len() {
        2 => all,
        4 if args.at(2).eq_ignore_ascii_case(b"type") => {
            let class = Class::parse(args.at(3))?;
            all.into_iter()
                .filter(|client| class == Class::of(client))
                .collect()
        }
        4.. if args.at(2).eq_ignore_ascii_case(b"id") => {
            let mut listed = Vec::new();
            for id in args.from(3) {
                let id = parse_i64(id).ok_or_else(|| Error::text("Invalid client ID"))?;
                let client = u64::try_from(id)
                    .ok()
                    .and_then(|id| call.engine.clients.get(id));
                listed.extend(client);
            }
            listed
        }
        _ => return Err(Error::Syntax),
    };
    let mut lines = Vec::new();
    // Who was killed is gone for everybody, though its worker may not have come to it yet.
    listed.retain(|client| !client.mailbox.is_ending());
    for client in listed {
        lines.extend_from_slice(&describe(&client, call.now));
    }
    call.reply.verbatim("txt", &lines);
    Ok(Outcome::Done)
}

/// An argument that is a client's id.
pub(super) fn parse_client_id(argument: &[u8]) -> Result<u64> {
    let id = parse_i64(argument)
        .and_then(|id| u64::try_from(id).ok())
        .filter(|&id| id > 0);
    id.ok_or_else(|| Error::text("Invalid client ID"))
}

/// The classes of clients that LIST and KILL select by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Normal,
    Subscriber,
    /// Masters and replicas; Weir has none.
    Replication,
}

impl Class {
    pub(super) fn parse(argument: &[u8]) -> Result<Self> {
        match argument.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::Subscriber),
            b"master" | b"replica" | b"slave" => Ok(Self::Replication),
            _ => {
                let line = [b"ERR Unknown client type '", c_string(argument), b"'"].concat();
                Err(Error::Bytes(line))
            }
        }
    }

    pub(super) fn of(client: &Client) -> Self {
        if client.subscriptions_len() > 0 {
            Self::Subscriber
        } else {
            Self::Normal
        }
    }
}

/// The letters that tell a client's state, in Redis's order.
fn flags_of(client: &Client) -> String {
    let mut flags = String::new();
    let letters = [
        (client.is_monitor.load(Relaxed), 'O'),
        (client.subscriptions_len() > 0, 'P'),
        (client.queued_len.load(Relaxed) >= 0, 'x'),
        (client.is_blocked(), 'b'),
        (client.by_unix_socket, 'U'),
        (client.no_evict.load(Relaxed), 'e'),
        (client.no_touch.load(Relaxed), 'T'),
    ];
    for (holds, letter) in letters {
        if holds {
            flags.push(letter);
        }
    }
    if flags.is_empty() {
        flags.push('N');
    }
    flags
}

/// A client's line, ended by a newline. Names are bytes, so the line is too.
pub fn describe(client: &Client, now: Now) -> Vec<u8> {
    let seconds_since = |us: u64| now.mono_us.saturating_sub(us) / 1_000_000;
    let identity = client.identity.lock().clone();
    let mailbox = &client.mailbox;
    let command = client.command.load(Relaxed);
    let command = if command == usize::MAX {
        "NULL"
    } else {
        table().name(command)
    };
    let output_bytes = client.output_bytes.load(Relaxed);
    let (outbox_bytes, outbox) = (mailbox.backlog_bytes(), mailbox.ledger());
    let head = format!(
        "id={} addr={} laddr={} fd={} name=",
        client.id, client.address, client.local_address, client.fd
    );
    let mut middle = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        middle,
        " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} qbuf={} \
         qbuf-free=0 argv-mem={} multi-mem={} rbs=0 rbp=0 obl={output_bytes} oll=0 \
         omem={} tot-mem={} events=r cmd={command} user=",
        seconds_since(client.connected_us),
        seconds_since(client.used_us.load(Relaxed)),
        flags_of(client),
        client.db.load(Relaxed),
        client.channels_len.load(Relaxed),
        client.patterns_len.load(Relaxed),
        client.shard_channels_len.load(Relaxed),
        client.queued_len.load(Relaxed),
        client.watched_len.load(Relaxed),
        client.query_bytes.load(Relaxed),
        client.blocked_bytes(),
        client.queued_bytes.load(Relaxed),
        output_bytes + outbox_bytes,
        client.memory_bytes(),
    );
    let tail = format!(
        " redir=-1 resp={} lib-name={} lib-ver={} io-thread={} tot-net-in={} tot-net-out={} \
         tot-cmds={} outbox-dropped={} outbox-delivered={} outbox-len={} outbox-bytes={outbox_bytes}\n",
        if mailbox.resp() == Resp::V3 { 3 } else { 2 },
        String::from_utf8_lossy(&identity.library),
        String::from_utf8_lossy(&identity.library_version),
        mailbox.worker(),
        client.received_bytes.get(),
        client.sent_bytes.load(Relaxed),
        client.commands_total.get(),
        mailbox.dropped_messages(),
        outbox.taken.messages,
        outbox.held.messages,
    );
    [
        head.as_bytes(),
        &identity.name,
        middle.as_bytes(),
        &identity.user,
        tail.as_bytes(),
    ]
    .concat()
}
