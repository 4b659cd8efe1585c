//! EVAL EVALSHA `EVAL_RO` `EVALSHA_RO` SCRIPT.
//!
//! A script may touch any key, named or not, so it holds every shard from its first command to its
//! last: one step for everybody else. Those whom it makes ready are served after it.

mod control;
mod host;
mod library;
mod running;

use std::rc::Rc;
use std::sync::Arc;

use crate::flags;
use crate::protocol::Args;
use crate::script::{
    Compiled, Failed, Interpreter, Replied, Rules, Run, Script, Sha, sha_from, with_interpreter,
};

use super::call::Call;
use super::engine::Gates;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Flags, Keys};
use super::table::table;

pub use library::Library;
pub use running::Running;

use host::ScriptHost;

/// Keys behind their number, as every command here has them.
const KEYS: Keys = Keys::Numbered { at: 2, also: 0 };
/// What all who run scripts have in common.
const RUNS: Flags = flags![
    NOSCRIPT,
    STALE,
    SKIP_MONITOR,
    NO_MANDATORY_KEYS,
    MOVABLE_KEYS,
    ALL_KEYS
];

/// A row of the table.
macro_rules! script {
    ($name:literal, $flags:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            -3,
            $flags,
            KEYS,
            "scripting",
            $since,
            $summary,
            $handler,
        )
    };
}

/// Scripts.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    script!("eval", RUNS.and(Flags::MAY_REPLICATE), "2.6.0",
        "Executes a server-side Lua script.", eval),
    script!("evalsha", RUNS.and(Flags::MAY_REPLICATE), "2.6.0",
        "Executes a server-side Lua script by SHA1 digest.", evalsha),
    script!("eval_ro", RUNS.and(Flags::READONLY), "7.0.0",
        "Executes a read-only server-side Lua script.", eval_ro),
    script!("evalsha_ro", RUNS.and(Flags::READONLY), "7.0.0",
        "Executes a read-only server-side Lua script by SHA1 digest.", evalsha_ro),
    control::SCRIPT,
];

const NO_SCRIPT: Error = Error::line("NOSCRIPT No matching script. Please use EVAL.");

/// EVAL script numkeys [key [key ...]] [arg [arg ...]]
fn eval(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    from_text(call, args, false)
}

/// `EVAL_RO` script numkeys [key [key ...]] [arg [arg ...]]
fn eval_ro(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    from_text(call, args, true)
}

/// EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]
fn evalsha(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    from_name(call, args, false)
}

/// `EVALSHA_RO` sha1 numkeys [key [key ...]] [arg [arg ...]]
fn evalsha_ro(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    from_name(call, args, true)
}

fn from_text(call: &mut Call<'_, '_>, args: Args<'_>, reads_only: bool) -> Result {
    feed_monitors(call, args);
    let keys_len = keys_len(args)?;
    with_own(call, |call, interpreter| {
        let compiled = match interpreter.compiled_from(args.at(1)) {
            Some(compiled) => compiled,
            None => call.engine.scripts.learn(interpreter, args.at(1), false)?,
        };
        run(call, interpreter, &compiled, args, keys_len, reads_only)
    })
}

fn from_name(call: &mut Call<'_, '_>, args: Args<'_>, reads_only: bool) -> Result {
    feed_monitors(call, args);
    let sha = sha_from(args.at(1)).ok_or(NO_SCRIPT)?;
    let keys_len = keys_len(args)?;
    with_own(call, |call, interpreter| {
        let compiled = known(call, interpreter, &sha)?;
        run(call, interpreter, &compiled, args, keys_len, reads_only)
    })
}

/// Shows a request before the commands that its script runs, and whatever becomes of it.
fn feed_monitors(call: &mut Call<'_, '_>, args: Args<'_>) {
    if call.engine.gates.load() & Gates::MONITORED != 0 {
        call.feed_monitors(args, 0..0, None);
    }
}

/// Lends this worker's interpreter, up to date with what the library dropped.
fn with_own<R>(
    call: &mut Call<'_, '_>,
    work: impl FnOnce(&mut Call<'_, '_>, &mut Interpreter) -> R,
) -> R {
    let library = &call.engine.scripts;
    with_interpreter(library.generation(), |interpreter| {
        library.bring_up_to_date(interpreter);
        work(call, interpreter)
    })
}

/// A script that was loaded before, on whichever worker.
fn known(call: &Call<'_, '_>, interpreter: &mut Interpreter, sha: &Sha) -> Result<Rc<Compiled>> {
    if let Some(compiled) = interpreter.compiled(sha) {
        return Ok(compiled);
    }
    let script: Arc<Script> = call.engine.scripts.get(sha).ok_or(NO_SCRIPT)?;
    library::compile(interpreter, &script)
}

/// Whether a request runs a script that says of itself that it does not write.
#[cold]
pub(super) fn only_reads(call: &Call<'_, '_>, command: &Command, args: Args<'_>) -> bool {
    rules_of(call, command, args).is_some_and(|rules| rules.no_writes)
}

/// Whether a request runs a script that speaks for itself, and not of being one for when memory is
/// over the budget.
#[cold]
pub(super) fn may_grow(call: &Call<'_, '_>, command: &Command, args: Args<'_>) -> bool {
    rules_of(call, command, args).is_some_and(Rules::may_grow)
}

/// The rules of the script that a request runs, if it is one that does and the script is known.
fn rules_of(call: &Call<'_, '_>, command: &Command, args: Args<'_>) -> Option<Rules> {
    let script = args.get(1)?;
    match command.name {
        "eval" | "eval_ro" => Some(Script::new(script).ok()?.rules),
        "evalsha" | "evalsha_ro" => Some(call.engine.scripts.get(&sha_from(script)?)?.rules),
        _ => None,
    }
}

/// How many of the arguments are keys.
fn keys_len(args: Args<'_>) -> Result<usize> {
    let count = crate::protocol::number::parse_i64(args.at(2)).ok_or(Error::NotInteger)?;
    if count > i64::try_from(args.len() - 3).unwrap_or(i64::MAX) {
        return Err(Error::text(
            "Number of keys can't be greater than number of args",
        ));
    }
    usize::try_from(count).map_err(|_| Error::text("Number of keys can't be negative"))
}

/// Why a script may not even start.
fn refusal(call: &Call<'_, '_>, script: &Script, reads_only: bool) -> Option<Error> {
    let rules = script.rules;
    if rules.is_silent {
        return None;
    }
    if reads_only && !rules.no_writes {
        return Some(Error::text(
            "Can not execute a script with write flag using *_ro command.",
        ));
    }
    let is_over = call.engine.gates.load() & Gates::OVER_BUDGET != 0;
    (is_over && rules.may_grow())
        .then(|| Error::line("OOM command not allowed when used memory > 'maxmemory'."))
}

fn run(
    call: &mut Call<'_, '_>,
    interpreter: &mut Interpreter,
    compiled: &Compiled,
    args: Args<'_>,
    keys_len: usize,
    reads_only: bool,
) -> Result {
    let script = &compiled.script;
    if let Some(refusal) = refusal(call, script, reads_only) {
        return Err(refusal);
    }
    if call.session.is_subscribed() && !call.session.is_atomic {
        // What was published before stands before the reply, never inside it.
        call.collect_mail();
    }
    let words = args.tail(3);
    let run = Run {
        script: compiled,
        keys: words.head(keys_len),
        arguments: words.tail(keys_len),
    };
    let mut reply = std::mem::take(call.reply);
    let mut host = ScriptHost::new(call, reads_only || script.rules.no_writes);
    host.allow_oom(script.rules.allow_oom);
    let ended = host.run(|host| interpreter.run(host, &run, &mut reply));
    *call.reply = reply;
    match ended {
        Ok(Replied::Value) => {}
        Ok(Replied::Error { line, is_counted }) => note_failure(call, args, &line, is_counted),
        Err(failed) => {
            let line = line_of(&failed, &script.sha);
            call.reply.error(&line);
            note_failure(call, args, &line, failed.is_counted);
        }
    }
    if call.session.is_subscribed() && !call.session.is_atomic {
        call.collect_mail();
    }
    Ok(Outcome::Done)
}

/// The error with which a script ends: what, which script, where.
fn line_of(failed: &Failed, sha: &Sha) -> Vec<u8> {
    let mut line = failed.line.clone();
    line.extend_from_slice(b" script: ");
    line.extend_from_slice(sha);
    if let Some((chunk, number)) = &failed.place {
        line.extend_from_slice(format!(", on {chunk}:{number}.").as_bytes());
    }
    line
}

/// Counts a command whose reply is an error; the error too, unless the command inside that caused
/// it has.
fn note_failure(call: &Call<'_, '_>, args: Args<'_>, line: &[u8], is_counted: bool) {
    if !is_counted {
        call.stats.note_error(line);
    }
    if let Some(index) = table().find(args.at(0)) {
        call.stats.commands[index].failed.add(1);
    }
}

#[cfg(test)]
mod tests;
