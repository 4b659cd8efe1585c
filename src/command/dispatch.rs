//! From a request to its outcome: look-up, checks, locks, handler, bookkeeping.
//!
//! The order of the checks is Redis's, because clients see which error comes first: unknown
//! command, arity, authentication, permissions, subscribed mode, transaction, pause, memory.

use std::borrow::Cow;
use std::mem;
use std::sync::atomic::Ordering;

use crate::acl::Context;
use crate::clock;
use crate::config::Events;
use crate::protocol::{Args, Mark};
use crate::store::{Shard, ShardSet};

use super::acl;
use super::bounds;
use super::call::Call;
use super::engine::Gates;
use super::error::{BUSY, Error, SHOWN_BYTES_MAX, shown};
use super::outcome::Outcome;
use super::pause::Paused;
use super::secrets;
use super::serve;
use super::session::ReplyMode;
use super::slowlog::{SlowEntry, shortened};
use super::spec::{Command, Flags, KeyPositions, Keys};
use super::table::{Found, table};

/// Calls of a command that are all timed before sampling starts, and the share sampled then.
const TIMED_ONE_IN: u64 = 64;

/// Runs one request, and maybe some of those that follow and repeat it, and writes their replies.
pub fn execute(call: &mut Call<'_, '_>, args: Args<'_>) -> Outcome {
    let gates = call.engine.gates.load();
    if call.session.is_special || gates != 0 {
        return execute_special(call, args, gates);
    }
    // Apart, so that a request that came alone does not pay for looking at others.
    if call.ahead.has_more() {
        execute_plain::<true>(call, args)
    } else {
        execute_plain::<false>(call, args)
    }
}

/// The same where nothing is special. `AMONG` others a request may repeat the one before, and some
/// take those that follow with them.
#[inline(never)]
fn execute_plain<const AMONG: bool>(call: &mut Call<'_, '_>, args: Args<'_>) -> Outcome {
    let found = match call.session.recent.find(args, AMONG && call.repeats) {
        Some(found) => found,
        None => match find(args) {
            Ok(found) => {
                call.session.recent.note(args, found);
                found
            }
            Err(error) => return refuse(call, args, &error),
        },
    };
    run::<AMONG>(call, found, args, false)
}

/// Whether the first word is that of an HTTP request: somebody makes a browser send commands.
/// Redis ends such a connection without a word, and so does Weir.
fn is_http(args: Args<'_>) -> bool {
    args.at(0).eq_ignore_ascii_case(b"post") || args.at(0).eq_ignore_ascii_case(b"host:")
}

/// The same for clients in a special state, or when the server is in one.
fn execute_special(call: &mut Call<'_, '_>, args: Args<'_>, gates: u32) -> Outcome {
    call.forget_request();
    let reply_mode = call.session.reply_mode;
    if !call.session.wants_replies() {
        call.take_mail();
    }
    let mark = call.reply.mark();
    if call.session.reply_mode == ReplyMode::SkipNext {
        call.session.reply_mode = ReplyMode::Skipping;
    }
    call.session.has_confirmed = false;
    let outcome = execute_checked(call, args, gates);
    if matches!(outcome, Outcome::Paused | Outcome::Postponed) {
        call.session.reply_mode = reply_mode;
        return outcome;
    }
    // CLIENT REPLY SKIP, which has no reply, leaves that of EXEC around it.
    if matches!(
        call.session.reply_mode,
        ReplyMode::Off | ReplyMode::Skipping
    ) {
        silence(call, mark, &outcome);
    }
    if call.session.reply_mode == ReplyMode::Skipping {
        call.session.reply_mode = ReplyMode::On;
        call.session.note_state();
    }
    outcome
}

/// Takes back the reply to a command, written behind `mark`, and sees to it that none comes later.
/// Confirmations of subscriptions, and messages, are sent whatever becomes of replies.
#[cold]
fn silence(call: &mut Call<'_, '_>, mark: Mark, outcome: &Outcome) {
    if !call.session.has_confirmed {
        call.reply.truncate_to(mark);
    }
    if matches!(outcome, Outcome::Blocked) {
        // Its connection is to find in the mailbox that the wait is over.
        call.session.is_unheard = true;
    } else {
        call.take_mail();
    }
}

fn execute_checked(call: &mut Call<'_, '_>, args: Args<'_>, gates: u32) -> Outcome {
    let found = match find(args) {
        Ok(found) => found,
        Err(error) => return refuse(call, args, &error),
    };
    let flags = found.command.flags;
    if let Err(error) = check(call, &found, args, gates) {
        return refuse(call, args, &error);
    }
    if gates & Gates::PAUSED != 0 && is_paused(call, &found, args) {
        call.session.last_command = found.index;
        return Outcome::Paused;
    }
    if call.session.transaction.is_some() && !flags.any(Flags::NOT_QUEUED) {
        return super::transaction::queue(call, &found, args);
    }
    let is_noted =
        found.command.name == "touch" || !call.session.client.no_touch.load(Ordering::Relaxed);
    call.held.note_uses(is_noted);
    let outcome = run::<false>(call, found, args, gates & Gates::TIMED != 0);
    call.held.note_uses(true);
    // Afterwards, so that EXEC follows the commands that it executed.
    if gates & Gates::MONITORED != 0 && !matches!(outcome, Outcome::Postponed) {
        call.show_monitors(&found, args);
    }
    outcome
}

/// The command that a request names, if it exists and takes as many arguments.
fn find(args: Args<'_>) -> Result<Found, Error> {
    let Some(found) = table().resolve(args) else {
        return Err(unknown_command(args));
    };
    if found.is_unknown_subcommand {
        return Err(unknown_subcommand(found.command, args));
    }
    if !found.command.takes(args.len()) {
        return Err(Error::Arity(Cow::Borrowed(table().name(found.index))));
    }
    Ok(found)
}

/// What an unknown command gets: its name and the first arguments, cut as Redis cuts them.
fn unknown_command(args: Args<'_>) -> Error {
    let mut arguments = Vec::new();
    for argument in args.from(1) {
        if arguments.len() >= SHOWN_BYTES_MAX {
            break;
        }
        let room = SHOWN_BYTES_MAX - arguments.len();
        let argument = shown(argument);
        arguments.push(b'\'');
        arguments.extend_from_slice(&argument[..argument.len().min(room)]);
        arguments.extend_from_slice(b"' ");
    }
    let head = [b"ERR unknown command '", shown(args.at(0))].concat();
    Error::Bytes([&head[..], b"', with args beginning with: ", &arguments].concat())
}

fn unknown_subcommand(command: &Command, args: Args<'_>) -> Error {
    let upper = command.name.to_ascii_uppercase();
    let head = [b"ERR unknown subcommand '", shown(args.at(1))].concat();
    Error::Bytes([&head[..], b"'. Try ", upper.as_bytes(), b" HELP."].concat())
}

/// Whether this client may run the command now.
fn check(call: &mut Call<'_, '_>, found: &Found, args: Args<'_>, gates: u32) -> Result<(), Error> {
    let flags = found.command.flags;
    let is_nobody = !call.session.is_authenticated && call.engine.asks_who();
    if is_nobody && !flags.any(Flags::NO_AUTH) {
        return Err(Error::line("NOAUTH Authentication required."));
    }
    let context = if call.session.transaction.is_some() {
        Context::Multi
    } else {
        Context::TopLevel
    };
    if let Err(denial) = acl::check(call, found, args, context) {
        return Err(acl::refusal(call, denial, found, args, "NOPERM "));
    }
    if call.session.transaction.is_some() && flags.any(Flags::NO_MULTI) {
        return Err(Error::text("Command not allowed inside a transaction"));
    }
    if call.session.transaction.is_some() && found.command.name == "debug" {
        super::server::check_debug(call)?;
    }
    if gates & Gates::OVER_BUDGET != 0 && may_grow(call, found.command, args) {
        return Err(Error::line(
            "OOM command not allowed when used memory > 'maxmemory'.",
        ));
    }
    if call.session.is_subscriber_only(call.reply.resp()) && !flags.any(Flags::SUBSCRIBED) {
        return Err(Error::text(&format!(
            "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context",
            table().name(found.index)
        )));
    }
    if gates & Gates::BUSY != 0 && !flags.any(Flags::ALLOW_BUSY) {
        return Err(BUSY);
    }
    let uses_keys = Flags::READONLY.and(Flags::WRITE).and(Flags::MAY_REPLICATE);
    // To Redis a monitor is a replica.
    if call.session.is_monitor && flags.any(uses_keys) {
        return Err(Error::text("Replica can't interact with the keyspace"));
    }
    Ok(())
}

fn is_paused(call: &Call<'_, '_>, found: &Found, args: Args<'_>) -> bool {
    let flags = found.command.flags;
    match call.engine.paused(call.now.unix_ms) {
        None => false,
        Some(_) if flags.any(Flags::NO_PAUSE) => false,
        Some(Paused::All) => true,
        Some(Paused::Writes) => {
            may_write(call, found, args) || found.command.name == "exec" && queues_writes(call)
        }
    }
}

/// Whether a request is refused while memory is over the budget.
#[cold]
fn may_grow(call: &Call<'_, '_>, command: &Command, args: Args<'_>) -> bool {
    if command.flags.any(Flags::DENYOOM) {
        return !call.engine.may_overrun(command, args);
    }
    super::script::may_grow(call, command, args)
}

/// Whether a pause of writes holds a request up.
fn may_write(call: &Call<'_, '_>, found: &Found, args: Args<'_>) -> bool {
    let writes = Flags::WRITE.and(Flags::MAY_REPLICATE);
    found.command.flags.any(writes) && !super::script::only_reads(call, found.command, args)
}

/// Whether a pause of writes holds up any command of the client's transaction.
fn queues_writes(call: &Call<'_, '_>) -> bool {
    let transaction = call.session.transaction.iter();
    let mut queued = transaction.flat_map(|transaction| &transaction.queued);
    queued.any(|(found, request)| may_write(call, found, request.as_args()))
}

/// Answers with an error without running anything; that breaks a transaction, and ends it where
/// the refused command is EXEC.
fn refuse(call: &mut Call<'_, '_>, args: Args<'_>, error: &Error) -> Outcome {
    call.forget_request();
    if is_http(args) {
        return Outcome::Close;
    }
    let line = error.as_line();
    // By whatever name it goes here.
    let refused = table().resolve(args);
    if let Some(found) = refused.filter(|found| !found.is_unknown_subcommand) {
        call.stats.commands[found.index].rejected.add(1);
    }
    if refused.is_some_and(|found| found.command.name == "exec") {
        super::transaction::abandon(call);
        let cause = line.strip_prefix(b"ERR ").unwrap_or(&line);
        let head = b"EXECABORT Transaction discarded because of: ";
        let line = [&head[..], cause].concat();
        call.reply.error(&line);
        call.stats.note_error(&line);
        return Outcome::Done;
    }
    if let Some(transaction) = &mut call.session.transaction {
        transaction.is_broken = true;
    }
    call.reply.error(&line);
    call.stats.note_error(&line);
    Outcome::Done
}

/// Whether nobody learns of what a command on one key does before all that came with it is done: no
/// client waits for keys of its shard, and events are not told.
#[inline]
fn is_private(call: &Call<'_, '_>) -> bool {
    call.engine.config.live().notify_keyspace_events() == Events::default()
        && !call.held.any(Shard::reaches_out)
}

/// Holds what the command needs, runs it, and does what follows from it.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a call less is 20 of a GET's 700 instructions"
)]
fn run<const AMONG: bool>(
    call: &mut Call<'_, '_>,
    found: Found,
    args: Args<'_>,
    is_timed: bool,
) -> Outcome {
    hold::<AMONG>(call, found.command, args);
    if call.engine.gates.load() & (Gates::BUSY | Gates::RESTING) != 0 {
        return run_beside(call, found, args, is_timed);
    }
    let outcome = timed::<AMONG>(call, found, args, is_timed);
    if call.held.has_aftermath() {
        settle(call, found.command);
    }
    #[cfg(debug_assertions)]
    call.held.check_ledgers();
    outcome
}

/// The same beside a step that has let go of its shards.
#[cold]
#[inline(never)]
fn run_beside(call: &mut Call<'_, '_>, found: Found, args: Args<'_>, is_timed: bool) -> Outcome {
    if let Some(outcome) = give_way(call, &found, args) {
        return outcome;
    }
    let outcome = timed::<false>(call, found, args, is_timed);
    // What a script that keeps these shards has made ready waits for its end.
    let may_settle =
        !matches!(outcome, Outcome::Postponed) && !call.engine.is_kept(call.held.set());
    if may_settle && call.held.has_aftermath() {
        settle(call, found.command);
    }
    #[cfg(debug_assertions)]
    call.held.check_ledgers();
    outcome
}

/// Runs the handler; notes that it did, and how long it took.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as for `run`")]
fn timed<const AMONG: bool>(
    call: &mut Call<'_, '_>,
    found: Found,
    args: Args<'_>,
    is_timed: bool,
) -> Outcome {
    let before = mem::replace(&mut call.session.last_command, found.index);
    let stats = &call.stats.commands[found.index];
    let calls = stats.calls.get();
    stats.calls.add(1);
    let is_each_timed =
        is_timed || !found.command.flags.any(Flags::FAST.and(Flags::CHEAP)) || calls < TIMED_ONE_IN;
    let is_sampled = is_each_timed || calls.is_multiple_of(TIMED_ONE_IN);
    // What is always timed was so the last time, which ended as this came.
    let started_us = is_sampled.then(|| match call.read_us {
        Some(read_us) if AMONG && is_each_timed && before == found.index => read_us,
        _ => clock::mono_us(),
    });
    let may_run_on = AMONG
        && found.command.flags.any(Flags::RUNS_ON)
        && started_us.is_none()
        && is_private(call);
    if may_run_on {
        // The next one that is timed is executed by itself.
        call.ahead.let_take(TIMED_ONE_IN - 1 - calls % TIMED_ONE_IN);
    }
    let outcome = invoke(call, found, args);
    if matches!(outcome, Outcome::Postponed) {
        // It counts when it runs again.
        call.stats.commands[found.index].calls.subtract(1);
        return outcome;
    }
    if may_run_on {
        let (ran, _) = call.ahead.taken();
        call.stats.commands[found.index].calls.add(ran - 1);
    }
    if let Some(started_us) = started_us {
        let stands_for = if is_each_timed { 1 } else { TIMED_ONE_IN };
        let took_us = note_time(call, found.index, started_us, stands_for);
        // A command that waits is judged when it is served.
        if !matches!(outcome, Outcome::Blocked) {
            note_slow(call, found, args, took_us, false);
        }
    }
    outcome
}

/// Notes how long a command took that ends now, for as many calls as it stands for.
#[inline(never)]
fn note_time(call: &mut Call<'_, '_>, index: usize, started_us: u64, stands_for: u64) -> u64 {
    let ended_us = clock::mono_us();
    let took_us = ended_us.saturating_sub(started_us);
    call.read_us = Some(ended_us);
    call.stats.commands[index].note_time(took_us, stands_for);
    took_us
}

/// Does what a command and those before it left to do in the shards held: bounds, waiters, news of
/// what expired.
fn settle(call: &mut Call<'_, '_>, command: &Command) {
    call.read_us = None;
    if !command.flags.any(Flags::WRITE) && !serve::hold_reach(call) {
        return;
    }
    bounds::settle(call);
    serve::serve_ready(call);
    call.notify_expired();
}

/// What becomes of a command, which holds what it needs, beside a step that has let go of its
/// shards; `None` if it may run.
#[cold]
#[inline(never)]
fn give_way(call: &mut Call<'_, '_>, found: &Found, args: Args<'_>) -> Option<Outcome> {
    let flags = found.command.flags;
    if call.engine.is_busy() {
        if flags.any(Flags::ALLOW_BUSY) {
            return None;
        }
        // The script let go of these shards only so that this can be said.
        call.held.release();
        return Some(refuse(call, args, &BUSY));
    }
    let notifies = call.engine.config.live().notify_keyspace_events() != Events::default();
    let publishes =
        flags.any(Flags::MAY_REPLICATE) || notifies && flags.any(Flags::WRITE.and(Flags::READONLY));
    let mut reach = call.held.set();
    if flags.any(Flags::WALKS_KEYS) {
        reach = ShardSet::ALL;
    } else if publishes && call.engine.has_routes.load(Ordering::Relaxed) {
        reach = reach.union(super::weir::route::shards_of(call));
    }
    postponed(call, reach)
}

/// What becomes of a request that reaches for these shards, if a step that rests keeps one of them:
/// it is tried again after that.
pub(super) fn postponed(call: &mut Call<'_, '_>, reach: ShardSet) -> Option<Outcome> {
    // Transactions always ask.
    if call.engine.gates.load() & Gates::RESTING == 0 {
        return None;
    }
    let awaited = call.engine.rest.wait(reach, &call.session.client.mailbox)?;
    call.session.postponed = Some(awaited);
    call.held.release();
    Some(Outcome::Postponed)
}

/// Runs a command of a transaction, which holds all that it may need.
pub(super) fn run_queued(call: &mut Call<'_, '_>, found: Found, args: Args<'_>) -> Outcome {
    let is_cheap = found.command.flags.any(Flags::FAST.and(Flags::CHEAP));
    let is_timed = !is_cheap || call.engine.gates.load() & Gates::TIMED != 0;
    run_within(call, found, args, is_timed, false)
}

/// Runs a command that a script asked for, which holds all that it may need.
pub(super) fn run_inside(call: &mut Call<'_, '_>, found: Found, args: Args<'_>) {
    let gates = call.engine.gates.load();
    let is_shown = !found
        .command
        .flags
        .any(Flags::SKIP_MONITOR.and(Flags::ADMIN));
    if gates & Gates::MONITORED != 0 && is_shown {
        let hidden = secrets::positions(&found, args);
        call.feed_monitors(args, hidden, Some("lua"));
    }
    run_within(call, found, args, gates & Gates::TIMED != 0, true);
}

/// Runs the handler as a part of a step that holds its shards; notes that it did, and how long it
/// took.
#[inline]
fn run_within(
    call: &mut Call<'_, '_>,
    found: Found,
    args: Args<'_>,
    is_timed: bool,
    by_script: bool,
) -> Outcome {
    let stats = &call.stats.commands[found.index];
    let calls = stats.calls.get();
    stats.calls.add(1);
    let is_each_timed = is_timed || calls < TIMED_ONE_IN;
    let started_us = (is_each_timed || calls.is_multiple_of(TIMED_ONE_IN)).then(clock::mono_us);
    let outcome = invoke(call, found, args);
    if let Some(started_us) = started_us {
        let stands_for = if is_each_timed { 1 } else { TIMED_ONE_IN };
        let took_us = note_time(call, found.index, started_us, stands_for);
        note_slow(call, found, args, took_us, by_script);
    }
    outcome
}

/// Runs the handler; an error becomes the reply, a wish to wait becomes a place in line.
#[inline]
pub(super) fn invoke(call: &mut Call<'_, '_>, found: Found, args: Args<'_>) -> Outcome {
    match (found.command.handler)(call, args) {
        Ok(Outcome::Block(block)) => serve::wait(call, &found, args, *block),
        Ok(outcome) => outcome,
        Err(error) => fail(call, found, &error),
    }
}

#[cold]
fn fail(call: &mut Call<'_, '_>, found: Found, error: &Error) -> Outcome {
    let line = error.as_line();
    call.reply.error(&line);
    call.stats.note_error(&line);
    call.stats.commands[found.index].failed.add(1);
    Outcome::Done
}

pub(super) fn note_slow(
    call: &Call<'_, '_>,
    found: Found,
    args: Args<'_>,
    took_us: u64,
    by_script: bool,
) {
    let command = found.command;
    let live = call.engine.config.live();
    let threshold_ms = live.latency_threshold_ms();
    if threshold_ms > 0 && took_us / 1000 >= threshold_ms {
        let is_fast = command.flags.any(Flags::FAST);
        let event = if is_fast { "fast-command" } else { "command" };
        let unix_s = call.now.unix_ms / 1000;
        call.engine.latency.note(event, unix_s, took_us / 1000);
    }
    let slower_than_us = live.slowlog_slower_than_us();
    let is_slow = u64::try_from(slower_than_us).is_ok_and(|limit_us| took_us >= limit_us);
    if !is_slow || command.flags.any(Flags::SKIP_SLOWLOG) {
        return;
    }
    // What a script does is not its client's own doing.
    let (address, name) = if by_script {
        Default::default()
    } else {
        let client = &call.session.client;
        (client.address.clone(), client.identity.lock().name.clone())
    };
    let entry = SlowEntry {
        id: 0,
        unix_s: call.now.unix_ms / 1000,
        took_us,
        arguments: shortened(args, &secrets::positions(&found, args)),
        address,
        name,
    };
    call.engine.slowlog.add(
        entry,
        usize::try_from(live.slowlog_len_max()).unwrap_or(usize::MAX),
    );
}

/// Holds the shards that a command declares. A command that writes also holds those that serving
/// waiters of its keys may touch, so that a push and what it serves are one step for everybody.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as for `run`")]
fn hold<const AMONG: bool>(call: &mut Call<'_, '_>, command: &Command, args: Args<'_>) {
    let writes = command.flags.any(Flags::WRITE);
    if let Keys::Range {
        first: 1, last: 1, ..
    } = command.keys
    {
        let (keyspace, name) = (&call.engine.keyspace, args.at(1));
        let hash = call.hash_of_repeated().filter(|_| AMONG);
        let key = keyspace.key_of_hash(call.session.db, name, hash);
        let set = ShardSet::one(keyspace.shard_of(&key));
        take(call, set);
        call.remember(&key);
        let shard = call.held.shard_of(&key);
        let (is_cold, reaches_out) = (shard.is_cold(key.db), writes && shard.reaches_out());
        if is_cold {
            call.ask_ahead();
        }
        if reaches_out {
            hold_more(call, command, args, set);
        }
    } else {
        call.forget_key();
        hold_several(call, command, args, writes);
    }
}

/// The same for a command that may have other keys than one as its first argument.
fn hold_several(call: &mut Call<'_, '_>, command: &Command, args: Args<'_>, writes: bool) {
    if matches!(command.keys, Keys::None) && !command.flags.any(Flags::ALL_KEYS) {
        return;
    }
    let set = if command.keys.are_only_first(args.len()) {
        let key = call.key(args.at(1));
        call.remember(&key);
        ShardSet::one(call.engine.keyspace.shard_of(&key))
    } else {
        shards_of(call, command, args)
    };
    if !set.is_empty() {
        take(call, set);
        if writes && call.held.any(Shard::reaches_out) {
            hold_more(call, command, args, set);
        }
    }
}

/// Holds these shards. The wait for them is not a part of the command, so what the clock said before
/// is of no use for it.
#[inline]
fn take(call: &mut Call<'_, '_>, set: ShardSet) {
    if call.held.need(set) {
        call.read_us = None;
    }
}

/// Holds what may follow from a command beside `set`, the shards of its keys.
#[cold]
fn hold_more(call: &mut Call<'_, '_>, command: &Command, args: Args<'_>, set: ShardSet) {
    call.read_us = None;
    loop {
        let mut wanted = set;
        if call.held.any(|shard| !shard.dead_letters().is_empty()) {
            wanted = serve::hold_dead_letters(call, command, args, set);
        }
        // Shards that are let go to hold more may see other policies.
        let before = call.held.set();
        serve::hold_waiters(call, wanted);
        if call.held.set() == before {
            return;
        }
    }
}

/// The shards that a request declares.
pub(super) fn shards_of(call: &Call<'_, '_>, command: &Command, args: Args<'_>) -> ShardSet {
    let roams = command.flags.any(Flags::ROAMS) && super::sort::roams(args);
    if roams || command.flags.any(Flags::ALL_KEYS) {
        return ShardSet::ALL;
    }
    let mut set = ShardSet::EMPTY;
    let mut positions = KeyPositions::new();
    command.keys.positions(args, &mut positions);
    for position in positions {
        set.insert(call.engine.keyspace.shard_of(&call.key(args.at(position))));
    }
    set
}

/// Ends a batch of commands: lets go of the shards and wakes whom the commands woke.
#[inline]
pub fn finish(call: &mut Call<'_, '_>) {
    call.held.release();
    if !call.wakes.is_empty() {
        call.wakes.wake();
    }
}

/// Notes at the end of a batch what CLIENT LIST shows.
pub fn note_activity(call: &Call<'_, '_>, commands_len: u64) {
    let client = &call.session.client;
    client
        .command
        .store(call.session.last_command, Ordering::Relaxed);
    client.commands_total.add(commands_len);
    call.stats.commands_total.add(commands_len);
}
