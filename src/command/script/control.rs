//! SCRIPT: loading scripts, forgetting them, ending the one that runs.

use crate::flags;
use crate::protocol::Args;
use crate::script::sha_from;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::{Command, Keys};
use super::running::Unkillable;

/// A row of the table.
macro_rules! sub {
    ($name:literal, $arity:literal, $flags:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            $arity,
            $flags,
            Keys::None,
            "scripting",
            $since,
            $summary,
            $handler,
        )
    };
}

/// SCRIPT and its subcommands.
#[rustfmt::skip]
pub(super) const SCRIPT: Command = Command {
    name: "script",
    arity: -2,
    flags: flags![],
    keys: Keys::None,
    group: "scripting",
    since: "2.6.0",
    summary: "A container for Lua scripts management commands.",
    handler: help,
    subcommands: &[
        sub!("debug", 3, flags![NOSCRIPT], "3.2.0",
            "Sets the debug mode of server-side Lua scripts.", debug),
        sub!("exists", -3, flags![NOSCRIPT], "2.8.0",
            "Determines whether server-side Lua scripts exist in the script cache.", exists),
        sub!("flush", -2, flags![NOSCRIPT], "2.6.0",
            "Removes all server-side Lua scripts from the script cache.", flush),
        sub!("kill", 2, flags![NOSCRIPT, ALLOW_BUSY], "2.6.0",
            "Terminates a server-side Lua script during execution.", kill),
        sub!("load", 3, flags![NOSCRIPT, STALE], "2.6.0",
            "Loads a server-side Lua script to the script cache.", load),
        sub!("help", 2, flags![LOADING, STALE], "5.0.0",
            "Returns helpful text about the different subcommands.", help),
    ],
};

/// SCRIPT HELP
fn help(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    super::super::help::help(call, args)
}

/// SCRIPT DEBUG <YES | SYNC | NO>
fn debug(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let mode = args.at(2);
    if mode.eq_ignore_ascii_case(b"no") {
        call.reply.ok();
        return Ok(Outcome::Done);
    }
    if mode.eq_ignore_ascii_case(b"yes") || mode.eq_ignore_ascii_case(b"sync") {
        return Err(Error::text("Weir has no debugger for scripts"));
    }
    Err(Error::text("Use SCRIPT DEBUG YES/SYNC/NO"))
}

/// SCRIPT EXISTS sha1 [sha1 ...]
fn exists(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    call.reply.array(args.len() - 2);
    for name in args.from(2) {
        let script = sha_from(name).and_then(|sha| call.engine.scripts.get(&sha));
        call.reply.integer(script.is_some().into());
    }
    Ok(Outcome::Done)
}

/// SCRIPT FLUSH [ASYNC | SYNC]
fn flush(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is_mode =
        |mode: &[u8]| mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync");
    if args.len() > 3 || args.get(2).is_some_and(|mode| !is_mode(mode)) {
        return Err(Error::text("SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    call.engine.scripts.clear();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// SCRIPT KILL
fn kill(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    match call.engine.running.kill() {
        Ok(()) => call.reply.ok(),
        Err(Unkillable::NoneRuns) => {
            return Err(Error::line("NOTBUSY No scripts in execution right now."));
        }
        Err(Unkillable::HasWritten) => {
            return Err(Error::line(
                "UNKILLABLE Sorry the script already executed write commands against the \
                 dataset. You can either wait the script termination or kill the server in a hard \
                 way using the SHUTDOWN NOSAVE command.",
            ));
        }
    }
    Ok(Outcome::Done)
}

/// SCRIPT LOAD script
fn load(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let compiled = super::with_own(call, |call, interpreter| {
        call.engine.scripts.learn(interpreter, args.at(2), true)
    })?;
    call.reply.bulk(&compiled.script.sha);
    Ok(Outcome::Done)
}
