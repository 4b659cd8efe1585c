//! PING ECHO SELECT HELLO AUTH QUIT RESET.

use crate::flags;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Resp};

use super::call::Call;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Keys};
use super::{pubsub, transaction};

/// Connection management.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "ping",
        -1,
        flags![FAST, SUBSCRIBED],
        Keys::None,
        "connection",
        "1.0.0",
        "Returns the server's liveliness response.",
        ping,
    ),
    Command::new(
        "echo",
        2,
        flags![LOADING, STALE, FAST],
        Keys::None,
        "connection",
        "1.0.0",
        "Returns the given string.",
        echo,
    ),
    Command::new(
        "select",
        2,
        flags![LOADING, STALE, FAST],
        Keys::None,
        "connection",
        "1.0.0",
        "Changes the selected database.",
        select,
    ),
    Command::new(
        "quit",
        -1,
        flags![
            NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, SUBSCRIBED, NOT_QUEUED, ALLOW_BUSY
        ],
        Keys::None,
        "connection",
        "1.0.0",
        "Closes the connection.",
        quit,
    ),
];

/// PING [message]
fn ping(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 2 {
        return Err(Error::Arity("ping".into()));
    }
    if call.session.is_subscribed() && call.reply.resp() == Resp::V2 {
        call.reply.array(2);
        call.reply.bulk(b"pong");
        call.reply.bulk(args.get(1).unwrap_or(b""));
    } else if let Some(message) = args.get(1) {
        call.reply.bulk(message);
    } else {
        call.reply.simple("PONG");
    }
    Ok(Outcome::Done)
}

/// ECHO message
fn echo(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    call.reply.bulk(args.at(1));
    Ok(Outcome::Done)
}

/// SELECT index
fn select(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let index = parse_i64(args.at(1)).ok_or(Error::NotInteger)?;
    let databases = call.engine.config.settings().databases;
    let db = u8::try_from(index)
        .ok()
        .filter(|&db| usize::from(db) < databases);
    call.session.db = db.ok_or_else(|| Error::text("DB index is out of range"))?;
    call.session.note_state();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// QUIT
fn quit(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.ok();
    Ok(Outcome::Close)
}

/// Takes a client that is gone out of everything that knows it.
pub fn leave(call: &mut Call<'_, '_>) {
    transaction::abandon(call);
    pubsub::leave_all(call);
    super::monitor::leave(call);
}
