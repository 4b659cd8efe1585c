//! CLIENT: who is connected, and what becomes of them.
//!
//! `list` shows clients, `kill` closes and unblocks them, `pause` holds them up, `identity` has
//! what a client says about itself and how it wants to be treated.

mod identity;
mod kill;
mod list;
mod pause;

use crate::flags;
use crate::protocol::Args;

use super::call::Call;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Keys};

pub(super) use identity::checked_name;
pub(super) use list::describe;

/// A row of the table: a subcommand of CLIENT.
macro_rules! client {
    ($name:literal, $arity:literal, $flags:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            $arity,
            $flags,
            Keys::None,
            "connection",
            $since,
            $summary,
            $handler,
        )
    };
}

/// CLIENT and its subcommands.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[Command {
    name: "client",
    arity: -2,
    flags: flags![],
    keys: Keys::None,
    group: "connection",
    since: "2.4.0",
    summary: "A container for client connection commands.",
    handler: unknown,
    subcommands: &[
        client!("id", 2, flags![NOSCRIPT, LOADING, STALE], "5.0.0",
            "Returns the unique client ID of the connection.", list::id),
        client!("info", 2, flags![NOSCRIPT, LOADING, STALE], "6.2.0",
            "Returns information about the connection.", list::info),
        client!("list", -2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.4.0",
            "Lists open connections.", list::list),
        client!("kill", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.4.0",
            "Terminates open connections.", kill::kill),
        client!("unblock", -3, flags![WALKS_KEYS, ADMIN, NOSCRIPT, LOADING, STALE], "5.0.0",
            "Unblocks a client blocked by a blocking command from a different connection.", kill::unblock),
        client!("pause", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "3.0.0",
            "Suspends commands processing.", pause::pause),
        client!("unpause", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE, NO_PAUSE], "6.2.0",
            "Resumes processing commands from paused clients.", pause::unpause),
        client!("setname", 3, flags![NOSCRIPT, LOADING, STALE], "2.6.9",
            "Sets the connection name.", identity::setname),
        client!("getname", 2, flags![NOSCRIPT, LOADING, STALE], "2.6.9",
            "Returns the name of the connection.", identity::getname),
        client!("setinfo", 4, flags![NOSCRIPT, LOADING, STALE], "7.2.0",
            "Sets information specific to the client or connection.", identity::setinfo),
        client!("reply", 3, flags![NOSCRIPT, LOADING, STALE], "3.2.0",
            "Instructs the server whether to reply to commands.", identity::reply),
        client!("no-evict", 3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "7.0.0",
            "Sets the client eviction mode of the connection.", identity::no_evict),
        client!("no-touch", 3, flags![NOSCRIPT, LOADING, STALE], "7.2.0",
            "Controls whether commands sent by the client affect the last access time of keys.", identity::no_touch),
        client!("tracking", -3, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Controls server-assisted client-side caching for the connection.", identity::tracking),
        client!("trackinginfo", 2, flags![NOSCRIPT, LOADING, STALE], "6.2.0",
            "Returns information about server-assisted client-side caching for the connection.", identity::trackinginfo),
        client!("getredir", 2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Returns the client ID to which the connection's tracking notifications are redirected.", identity::getredir),
        client!("caching", 3, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Instructs the server whether to track the keys in the next request.", identity::caching),
        client!("help", 2, flags![LOADING, STALE], "5.0.0",
            "Returns helpful text about the different subcommands.", help),
    ],
}];

/// CLIENT with no subcommand that exists
fn unknown(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::Syntax)
}

/// CLIENT HELP
fn help(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    super::help::write(call.reply, "CLIENT", COMMANDS[0].subcommands);
    Ok(Outcome::Done)
}

/// An argument that says ON or OFF.
fn parse_switch(argument: &[u8]) -> Result<bool> {
    if argument.eq_ignore_ascii_case(b"on") {
        Ok(true)
    } else if argument.eq_ignore_ascii_case(b"off") {
        Ok(false)
    } else {
        Err(Error::Syntax)
    }
}
