//! MULTI EXEC DISCARD WATCH UNWATCH.
//!
//! EXEC holds the shards of all queued commands from the first to the last, so a transaction is
//! one step for everybody else. Those whom it makes ready are served after it.

use std::sync::atomic::Ordering;

use crate::acl::Context;
use crate::flags;
use crate::protocol::{Args, OwnedArgs};
use crate::store::{ShardSet, WaitKey};

use super::acl;
use super::call::Call;
use super::dispatch;
use super::engine::Gates;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::serve;
use super::session::{Transaction, Watching};
use super::spec::{Command, Flags, Keys};
use super::table::Found;

/// Transactions.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "multi",
        1,
        flags![NOSCRIPT, LOADING, STALE, FAST, NOT_QUEUED, ALLOW_BUSY],
        Keys::None,
        "transactions",
        "1.2.0",
        "Starts a transaction.",
        multi,
    ),
    Command::new(
        "exec",
        1,
        flags![NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG, NOT_QUEUED],
        Keys::None,
        "transactions",
        "1.2.0",
        "Executes all commands in a transaction.",
        exec,
    ),
    Command::new(
        "discard",
        1,
        flags![NOSCRIPT, LOADING, STALE, FAST, NOT_QUEUED, ALLOW_BUSY],
        Keys::None,
        "transactions",
        "2.0.0",
        "Discards a transaction.",
        discard,
    ),
    Command::new(
        "watch",
        -2,
        flags![NOSCRIPT, LOADING, STALE, FAST, NOT_QUEUED, ALLOW_BUSY],
        Keys::ALL,
        "transactions",
        "2.2.0",
        "Monitors changes to keys to determine the execution of a transaction.",
        watch,
    ),
    Command::new(
        "unwatch",
        1,
        flags![NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY],
        Keys::None,
        "transactions",
        "2.2.0",
        "Forgets about watched keys of a transaction.",
        unwatch,
    ),
];

/// Memory that a queued command takes besides its arguments: its place, and what the allocator adds
/// to their bytes.
const QUEUED_BYTES: usize = size_of::<(Found, OwnedArgs)>() + 16;

/// MULTI
fn multi(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    if call.session.transaction.is_some() {
        return Err(Error::text("MULTI calls can not be nested"));
    }
    call.session.transaction = Some(Transaction::default());
    call.session.note_state();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Queues a command that came after MULTI.
pub(super) fn queue(call: &mut Call<'_, '_>, found: &Found, args: Args<'_>) -> Outcome {
    let bytes_max = call.engine.config.live().client_query_buffer_bytes_max();
    if let Some(transaction) = &mut call.session.transaction {
        let request = args.to_vec();
        transaction.bytes += QUEUED_BYTES + request.memory_bytes();
        transaction.queued.push((*found, request));
        if transaction.bytes as u64 > bytes_max {
            let client = call.session.client.id;
            tracing::warn!(client, "a transaction is beyond the query buffer limit");
            return Outcome::Close;
        }
        call.session.note_state();
        call.reply.queued();
    }
    Outcome::Done
}

/// DISCARD
fn discard(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    if call.session.transaction.take().is_none() {
        return Err(Error::text("DISCARD without MULTI"));
    }
    forget_watched(call);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// EXEC
fn exec(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let Some(transaction) = call.session.transaction.take() else {
        return Err(Error::text("EXEC without MULTI"));
    };
    let refused = refusal(call, &transaction);
    if refused.is_some() {
        forget_watched(call);
        return refused.map_or(Ok(Outcome::Done), Err);
    }
    let mut set = ShardSet::EMPTY;
    for (found, request) in &transaction.queued {
        set = set.union(shards_of_queued(call, found, request.as_args()));
    }
    for key in call
        .session
        .watching
        .iter()
        .flat_map(|watching| &watching.keys)
    {
        set.insert(call.engine.keyspace.shard_of(&key.as_key()));
    }
    let publishes = |(found, _): &(Found, _)| found.command.flags.any(Flags::MAY_REPLICATE);
    let has_routes = call.engine.has_routes.load(Ordering::Relaxed);
    if has_routes && transaction.queued.iter().any(publishes) {
        set = set.union(super::weir::route::shards_of(call));
    }
    serve::hold_with_dead_letters(call, set);
    if call.engine.is_busy() {
        // A script let go of these shards only so that this can be said.
        call.held.release();
        forget_watched(call);
        return Err(Error::line(
            "EXECABORT Transaction discarded because of: BUSY Redis is busy running a script. You \
             can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        ));
    }
    if let Some(postponed) = dispatch::postponed(call, set) {
        call.session.transaction = Some(transaction);
        return Ok(postponed);
    }
    if is_dirty(call) {
        forget_watched(call);
        call.reply.null_array();
        return Ok(Outcome::Done);
    }
    forget_watched(call);
    if call.session.is_subscribed() {
        // What was published before stands before the reply, never inside it.
        call.collect_mail();
    }
    call.session.is_atomic = true;
    call.held.pin();
    let outcome = run_queued(call, &transaction);
    call.held.unpin();
    call.session.is_atomic = false;
    if call.session.is_subscribed() {
        // What the transaction published to its own client follows its reply.
        call.collect_mail();
    }
    Ok(outcome)
}

/// Why a transaction as a whole is refused.
fn refusal(call: &Call<'_, '_>, transaction: &Transaction) -> Option<Error> {
    if transaction.is_broken {
        return Some(Error::line(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    let grows = |(found, request): &(Found, OwnedArgs)| {
        found.command.flags.any(Flags::DENYOOM)
            && !call.engine.may_overrun(found.command, request.as_args())
    };
    if call.engine.gates.load() & Gates::OVER_BUDGET != 0 && transaction.queued.iter().any(grows) {
        return Some(Error::line(
            "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > \
             'maxmemory'.",
        ));
    }
    None
}

fn shards_of_queued(call: &Call<'_, '_>, found: &Found, args: Args<'_>) -> ShardSet {
    // SELECT changes which database later keys are in, but a key's shard depends on its name only.
    if found.command.flags.any(Flags::WALKS_KEYS) {
        return ShardSet::ALL;
    }
    dispatch::shards_of(call, found.command, args)
}

/// Whether a watched key has changed since WATCH, by expiry too.
fn is_dirty(call: &mut Call<'_, '_>) -> bool {
    let Some(watching) = &call.session.watching else {
        return false;
    };
    for key in &watching.keys {
        // Looking at an expired key removes it, which raises the flag.
        call.held
            .shard_of(&key.as_key())
            .exists(&key.as_key(), call.now.unix_ms);
    }
    watching.flag.is_raised()
}

fn run_queued(call: &mut Call<'_, '_>, transaction: &Transaction) -> Outcome {
    call.reply.array(transaction.queued.len());
    let mut after = Outcome::Done;
    let is_monitored = call.engine.gates.load() & Gates::MONITORED != 0;
    for (found, request) in &transaction.queued {
        if let Err(denial) = acl::check(call, found, request.as_args(), Context::Multi) {
            let line = acl::rights_changed(denial);
            call.reply.error(&line.as_line());
            call.stats.note_error(&line.as_line());
            continue;
        }
        if let Outcome::Close = dispatch::run_queued(call, *found, request.as_args()) {
            after = Outcome::Close;
        }
        if is_monitored {
            call.show_monitors(found, request.as_args());
        }
    }
    after
}

/// WATCH key [key ...]
fn watch(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if call.session.transaction.is_some() {
        return Err(Error::text("WATCH inside MULTI is not allowed"));
    }
    let watched = call.session.watching.as_ref();
    let len = watched.map_or(0, |watching| watching.keys.len()) + args.len() - 1;
    let len_max = call.engine.config.live().client_watched_keys_max();
    if len_max > 0 && len > len_max {
        return Err(Error::text(
            "too many keys to watch (client-watched-keys-limit)",
        ));
    }
    let mut watching = call.session.watching.take().unwrap_or_default();
    for name in args.from(1) {
        let key = call.key(name);
        let is_known = |known: &WaitKey| known.db == key.db && *known.name == *key.name;
        if watching.keys.find(key.hash, is_known).is_some() {
            continue;
        }
        let now_ms = call.now_ms();
        let shard = call.shard(&key);
        // An expired key that nobody asked for yet is absent from the start.
        shard.exists(&key, now_ms);
        shard.watched.watch(&key, &watching.flag);
        let keys = &mut watching.keys;
        keys.insert_unique(key.hash, WaitKey::from(&key), |known| known.hash);
        watching.bytes += size_of::<WaitKey>() + name.len();
    }
    call.session.watching = Some(watching);
    call.session.note_state();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// UNWATCH
fn unwatch(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    if call.held.is_pinned() {
        // Inside EXEC nothing is watched any more.
        call.reply.ok();
        return Ok(Outcome::Done);
    }
    forget_watched(call);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Stops watching; afterwards the session is outside any transaction.
fn forget_watched(call: &mut Call<'_, '_>) {
    if let Some(watching) = call.session.watching.take() {
        stop_watching(call, &watching);
    }
    call.session.note_state();
}

fn stop_watching(call: &mut Call<'_, '_>, watching: &Watching) {
    let mut set = ShardSet::EMPTY;
    for key in &watching.keys {
        set.insert(call.engine.keyspace.shard_of(&key.as_key()));
    }
    call.held.need(set);
    for key in &watching.keys {
        let key = key.as_key();
        call.held
            .shard_of(&key)
            .watched
            .unwatch(&key, &watching.flag);
    }
}

/// Ends whatever transaction the session is in: RESET, or the client is gone.
pub fn abandon(call: &mut Call<'_, '_>) {
    call.session.transaction = None;
    forget_watched(call);
}

#[cfg(test)]
mod tests {
    use super::QUEUED_BYTES;
    use crate::command::testing::Bench;

    #[test]
    fn a_queued_command_counts_with_its_place() {
        let bench = Bench::new();
        bench.run("CONFIG SET client-query-buffer-limit 1048576");
        let mut player = bench.client();
        bench.play(&mut player, "MULTI");
        let mut queued_len = 0;
        while bench.play(&mut player, "PING") == "+QUEUED" {
            queued_len += 1;
        }
        assert!((5_000..10_000).contains(&queued_len), "{queued_len}");
        let mut player = bench.client();
        let before = player.session.client.memory_bytes();
        for command in ["MULTI", "PING", "DEL 1 2 3 4 5 6 7 8 9"] {
            bench.play(&mut player, command);
        }
        let queued_bytes = player.session.client.memory_bytes() - before;
        assert!(queued_bytes > 2 * QUEUED_BYTES + 9 * 16, "{queued_bytes}");
        let seen = bench.run("CLIENT LIST");
        assert!(
            seen.contains(&format!(" multi-mem={queued_bytes} ")),
            "{seen}"
        );
        bench.play(&mut player, "EXEC");
        assert_eq!(player.session.client.memory_bytes(), before);
    }

    #[test]
    fn queued_commands_are_timed() {
        let bench = Bench::new();
        let mut player = bench.client();
        let slower_than = "CONFIG SET slowlog-log-slower-than 0";
        for command in ["MULTI", slower_than, "KEYS nosuch", "EXEC"] {
            bench.play(&mut player, command);
        }
        let timed = bench.run("LATENCY HISTOGRAM keys");
        assert!(timed.contains("calls :1"), "{timed}");
        let slow = bench.run("SLOWLOG GET 2");
        assert!(
            slow.contains("$4 KEYS $6 nosuch $11 127.0.0.1:1 "),
            "{slow}"
        );
        assert!(!slow.contains("EXEC"), "{slow}");
    }

    #[test]
    fn exec_says_that_memory_is_why() {
        let bench = Bench::new();
        let mut player = bench.client();
        for command in ["MULTI", "SET a 1", "GET a"] {
            bench.play(&mut player, command);
        }
        bench.engine.gates.set(super::Gates::OVER_BUDGET, true);
        assert_eq!(
            bench.play(&mut player, "EXEC"),
            "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory \
             > 'maxmemory'."
        );
        assert!(bench.play(&mut player, "DISCARD").contains("without MULTI"));
    }
}
