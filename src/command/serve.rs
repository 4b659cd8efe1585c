//! Waiting for keys, and being served.
//!
//! A client that blocks stands in the line of each of its keys with its request. Whoever makes a
//! key ready tries the requests of those who wait for it, first come first served, while it still
//! holds the shards: nobody can come between a push and the waiter that it serves. A request that
//! would block again keeps its place.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use crate::acl::{Badge, Context};
use crate::clients::{Client, Served, TakenList, Wait};
use crate::clock::{self, Now};
use crate::outbox::WakeList;
use crate::protocol::{Args, OwnedArgs, Reply, Resp};
use crate::store::Delayed;
use crate::store::{self, Held, Key, Ready, Shard, ShardSet, WaitKey, Waiter};

use super::acl;
use super::bounds;
use super::call::Call;
use super::dispatch;
use super::engine::{Engine, Gates};
use super::error::Error;
use super::outcome::{Block, Nothing, Outcome};
use super::session::{Blocked, Session};
use super::spec::{Command, KeyPositions};
use super::table::Found;

/// Room in the reply to a waiter: for the name of a key and a small message. It grows for others.
const REPLY_BYTES: usize = 128;

/// What trying a blocked request again needs.
#[derive(Debug)]
struct Attempt {
    client: Arc<Client>,
    found: Found,
    request: OwnedArgs,
    /// Where the first of the waiter's keys stands in the request, if it is the one that came.
    key_at: Option<usize>,
    resp: Resp,
    db: u8,
    badge: Option<Badge>,
}

impl store::Attempt for Attempt {
    fn reader(&self) -> Option<(&[u8], &[u8])> {
        super::stream::reader_of(self.request.as_args())
    }
}

fn attempt_of(waiter: &Waiter) -> Option<&Attempt> {
    let attempt: &dyn Any = &waiter.attempt;
    attempt.downcast_ref()
}

/// Puts the client in the lines of the keys that its command named, all of which are held.
pub(super) fn wait(
    call: &mut Call<'_, '_>,
    found: &Found,
    args: Args<'_>,
    block: Block,
) -> Outcome {
    if call.session.taken.is_some() {
        set_alarms(call, args, &block.alarms);
        return Outcome::Blocked;
    }
    if call.session.is_atomic {
        match block.nothing {
            Nothing::NullArray => call.reply.null_array(),
            Nothing::Null => call.reply.null(),
        }
        return Outcome::Done;
    }
    let keys_max = call.engine.config.live().client_blocked_keys_max();
    if keys_max > 0 && block.keys.len() > keys_max {
        let error = Error::text("too many keys to wait for (client-blocked-keys-limit)");
        call.reply.error(&error.as_line());
        call.stats.note_error(&error.as_line());
        return Outcome::Done;
    }
    let keys: SmallVec<[WaitKey; 1]> = block
        .keys
        .iter()
        .map(|&at| WaitKey::from(&call.key(args.at(at))))
        .collect();
    let mut shards = ShardSet::EMPTY;
    let mut names_bytes = 0;
    for key in &keys {
        shards.insert(call.engine.keyspace.shard_of(&key.as_key()));
        names_bytes += key.name.len();
    }
    if let Some(at) = block.destination {
        shards.insert(call.engine.keyspace.shard_of(&call.key(args.at(at))));
    }
    let first = block.keys.first().copied();
    let alarms = block.alarms;
    let attempt = Attempt {
        client: Arc::clone(&call.session.client),
        found: *found,
        key_at: first.filter(|_| block.retry.is_none()),
        request: block.retry.unwrap_or_else(|| args.to_vec()),
        resp: call.reply.resp(),
        db: call.session.db,
        badge: call.session.badge.clone(),
    };
    let waiter: Arc<Waiter> = Arc::new(Waiter {
        ticket: call.engine.next_ticket(),
        kind: block.kind,
        wakes_on_removal: block.wakes_on_removal,
        keys,
        names_bytes,
        shards,
        attempt,
    });
    for key in &waiter.keys {
        call.shard(&key.as_key()).lines.join(key, &waiter);
    }
    set_alarms(call, args, &alarms);
    *call.session.client.wait.lock() = Wait::Standing(waiter);
    call.engine
        .blocked_clients_len
        .fetch_add(1, Ordering::Relaxed);
    call.session.blocked = Some(Blocked {
        deadline_us: block
            .timeout_us
            .map(|timeout_us| call.now.mono_us.saturating_add(timeout_us)),
        command: found.index,
    });
    Outcome::Blocked
}

/// Has keys tried when they may serve by themselves the client that now stands in their lines.
#[inline]
fn set_alarms(call: &mut Call<'_, '_>, args: Args<'_>, alarms: &[(usize, u64)]) {
    for &(at, at_ms) in alarms {
        let key = call.key(args.at(at));
        call.shard(&key)
            .lines
            .set_alarm(&WaitKey::from(&key), at_ms);
    }
}

/// Holds, beside `set`, every shard that serving waiters of these shards may touch: those that
/// their requests name, and those of dead-letter queues, on which they may spill.
#[cold]
pub(super) fn hold_waiters(call: &mut Call<'_, '_>, set: ShardSet) {
    let mut wanted = set;
    loop {
        for shard in wanted.iter() {
            if call.held.set().contains(ShardSet::one(shard)) {
                let shard = call.held.shard(shard);
                if !shard.lines.is_empty() {
                    wanted = wanted
                        .union(shard.lines.reach())
                        .union(shard.dead_letters());
                }
            }
        }
        if call.held.set().contains(wanted) || call.held.is_pinned() {
            return;
        }
        call.held.need(wanted);
    }
}

/// Holds, beside what is held, every shard that serving those who wait there may touch. A command that
/// only reads holds the shards of its keys, and may find one gone by time that somebody waits for.
/// False where a script came to keep any of them meanwhile: a tick will try the waiters.
#[cold]
pub(super) fn hold_reach(call: &mut Call<'_, '_>) -> bool {
    let before = call.held.set();
    hold_waiters(call, before);
    call.held.set() == before || !call.engine.is_kept(call.held.set())
}

/// Holds, beside `set`, every shard that the dead letters of a command's keys may go to. Policies
/// may change while shards are let go to hold more, so it looks again.
#[cold]
pub(super) fn hold_dead_letters(
    call: &mut Call<'_, '_>,
    command: &Command,
    args: Args<'_>,
    set: ShardSet,
) -> ShardSet {
    if !matches!(command.group, "list" | "generic" | "weir") {
        return set;
    }
    let mut positions = KeyPositions::new();
    command.keys.positions(args, &mut positions);
    loop {
        let mut wanted = set;
        for &position in &positions {
            let key = call.key(args.at(position));
            wanted = wanted.union(bounds::spill_of(call, &key));
        }
        if call.held.set().contains(wanted) || call.held.is_pinned() {
            return wanted;
        }
        call.held.need(wanted);
    }
}

/// Holds, beside `set`, the shards of all dead-letter queues, and those that serving waiters may
/// touch: for who does not know yet which queues it will change.
pub(super) fn hold_with_dead_letters(call: &mut Call<'_, '_>, set: ShardSet) {
    call.held.need(set);
    loop {
        let mut wanted = set;
        for (_, shard) in call.held.shards() {
            wanted = wanted.union(shard.dead_letters());
        }
        if !call.held.set().contains(wanted) {
            call.held.need(wanted);
            continue;
        }
        // Shards that are let go to hold more may see other policies.
        let before = call.held.set();
        hold_waiters(call, wanted);
        if call.held.set() == before {
            return;
        }
    }
}

/// What time asks of a queue.
#[derive(Debug)]
pub(super) enum Late {
    /// To look after it.
    Queue(WaitKey),
    /// To take a message that waited.
    Message(Delayed),
}

/// Does what time asks, each in a step of its own. Under a script that is over its time nothing
/// is done, and all is to be asked for again.
pub(super) fn look_after(engine: &Engine, worker: usize, now: Now, late: &[Late]) {
    let mut wakes = WakeList::default();
    for work in late {
        let key = match work {
            Late::Queue(key) => key.as_key(),
            Late::Message(delayed) => delayed.key(),
        };
        unasked(engine, worker, now, &mut wakes, &key, |call| {
            let set = ShardSet::one(engine.keyspace.shard_of(&key));
            hold_with_dead_letters(call, set);
            match work {
                _ if engine.is_kept(call.held.set()) => put_off(call.shard(&key), work),
                Late::Queue(_) => bounds::look_after(call, &key),
                Late::Message(delayed) => bounds::push_late(call, &key, delayed),
            }
        });
    }
    wakes.wake();
}

/// Leaves work for the tick after the script that keeps what it is for: since the work was taken,
/// the script came, and what it sees is to stay as it is.
#[cold]
fn put_off(shard: &mut Shard, work: &Late) {
    match work {
        Late::Queue(key) => _ = shard.schedule(&key.as_key()),
        // Before all that stand there, as its time came before theirs.
        Late::Message(delayed) => shard.delay(0, delayed.clone()),
    }
}

/// A step on a key that no client asked for: `act` takes hold of what it needs, then whoever it
/// made ready is served; at the end of the script, where one keeps the shards.
pub(super) fn unasked(
    engine: &Engine,
    worker: usize,
    now: Now,
    wakes: &mut WakeList,
    key: &Key<'_>,
    act: impl FnOnce(&mut Call<'_, '_>),
) {
    let mut held = engine.keyspace.hold();
    let mut session = Session::stand_in(Arc::clone(&engine.nobody), key.db, None);
    let mut reply = Reply::new(Resp::V2);
    let mut call = Call::new(
        engine,
        &mut held,
        &mut session,
        &mut reply,
        wakes,
        now,
        worker,
    );
    act(&mut call);
    if !engine.is_kept(call.held.set()) {
        serve_ready(&mut call);
    }
    call.notify_expired();
    #[cfg(debug_assertions)]
    call.held.check_ledgers();
}

/// Serves those who wait for keys that became ready, until no key is.
pub(super) fn serve_ready(call: &mut Call<'_, '_>) {
    // Tickets of those whom the round found nothing for. A request looks at all of its keys, and
    // what changes after that makes a key ready for the next round: it need not be tried again
    // for each key that it names.
    let mut vain = BTreeSet::new();
    loop {
        let mut round: SmallVec<[Ready; 1]> = SmallVec::new();
        for (_, shard) in call.held.shards() {
            round.extend(shard.ready.drain(..));
        }
        if round.is_empty() {
            return;
        }
        round.sort_unstable_by_key(|ready| ready.order);
        for ready in round {
            serve_line(call, &ready.key.as_key(), &mut vain);
        }
        vain.clear();
    }
}

/// Tries the waiters of one key in order for as long as the key can serve.
fn serve_line(call: &mut Call<'_, '_>, key: &Key<'_>, vain: &mut BTreeSet<u64>) {
    let mut tried = 0;
    loop {
        let now_ms = call.now_ms();
        let shard = call.shard(key);
        let Some(line) = shard.lines.get(key) else {
            return;
        };
        let wants = line.wants();
        let Some(waiter) = line.next_after(tried) else {
            return;
        };
        let kind = shard.value(key, now_ms).map(|value| value.kind());
        // Mostly the message went to the first, and a hundred others wait for the next.
        if !wants.any_of(kind) {
            return;
        }
        tried = waiter.ticket;
        if kind == Some(waiter.kind) || waiter.wakes_on_removal {
            debug_assert!(
                call.held.set().contains(waiter.shards),
                "a waiter's shards are not held"
            );
            let has_more = waiter.keys.len() > 1;
            if has_more && vain.contains(&waiter.ticket) {
                continue;
            }
            if !try_again(call, &waiter) && has_more {
                vain.insert(waiter.ticket);
            }
        }
    }
}

/// Runs a blocked request on behalf of its connection; serves the client unless it would block
/// again. Says whether it was served.
fn try_again(call: &mut Call<'_, '_>, waiter: &Arc<Waiter>) -> bool {
    let Some(attempt) = attempt_of(waiter) else {
        return false;
    };
    let mut session = Session::stand_in(
        Arc::clone(&attempt.client),
        attempt.db,
        attempt.badge.clone(),
    );
    let mut reply = Reply::with_room(attempt.resp, REPLY_BYTES);
    let (held, wakes) = (&mut *call.held, &mut *call.wakes);
    let mut stand_in = Call::new(
        call.engine,
        held,
        &mut session,
        &mut reply,
        wakes,
        call.now,
        call.worker,
    );
    let args = attempt.request.as_args();
    // Its first key was hashed when it came.
    if let (Some(at), Some(key)) = (attempt.key_at, waiter.keys.first()) {
        let name = args.at(at);
        debug_assert_eq!(*key.name, *name);
        stand_in.remember(&Key {
            name,
            ..key.as_key()
        });
    }
    let is_timed = call.engine.gates.load() & Gates::TIMED != 0;
    let started_us = is_timed.then(clock::mono_us);
    let outcome = match acl::check(&mut stand_in, &attempt.found, args, Context::TopLevel) {
        Ok(()) => dispatch::invoke(&mut stand_in, attempt.found, args),
        Err(denial) => {
            // The permission went while it waited.
            stand_in.stats.commands[attempt.found.index].rejected.add(1);
            let error = acl::refusal(&stand_in, denial, &attempt.found, args, "NOPERM ");
            stand_in.reply.error(&error.as_line());
            stand_in.stats.note_error(&error.as_line());
            Outcome::Done
        }
    };
    if matches!(outcome, Outcome::Blocked) {
        return false;
    }
    if let Some(started_us) = started_us {
        let took_us = clock::mono_us().saturating_sub(started_us);
        dispatch::note_slow(&stand_in, attempt.found, args, took_us, false);
    }
    leave_lines(call.held, waiter);
    call.engine
        .blocked_clients_len
        .fetch_sub(1, Ordering::Relaxed);
    let taken = session.taken.unwrap_or_default();
    *attempt.client.wait.lock() = Wait::Served(Served { reply, taken });
    attempt.client.mailbox.prompt(call.wakes);
    true
}

/// Takes a waiter out of all its lines; whoever calls holds its shards.
fn leave_lines(held: &mut Held<'_>, waiter: &Waiter) -> bool {
    let mut stood = false;
    for key in &waiter.keys {
        stood |= held.shard_of(&key.as_key()).lines.leave(key, waiter.ticket);
    }
    stood
}

/// Ends a client's wait without serving it: its time is over, it has gone, or CLIENT UNBLOCK asks.
/// Says whether it was still waiting; if not, it has been served.
pub fn cancel(call: &mut Call<'_, '_>, client: &Client) -> bool {
    let waiter = match &*client.wait.lock() {
        Wait::Standing(waiter) => Arc::clone(waiter),
        Wait::None | Wait::Served(_) => return false,
    };
    call.held.need(waiter.shards);
    let stood = leave_lines(call.held, &waiter);
    if stood {
        *client.wait.lock() = Wait::None;
        call.engine
            .blocked_clients_len
            .fetch_sub(1, Ordering::Relaxed);
    }
    stood
}

/// CLIENT UNBLOCK: ends the wait of another client with a reply.
pub(super) fn unblock(call: &mut Call<'_, '_>, client: &Client, error: Option<Error>) -> bool {
    let resp = match &*client.wait.lock() {
        Wait::Standing(waiter) => attempt_of(waiter).map(|attempt| attempt.resp),
        Wait::None | Wait::Served(_) => None,
    };
    let Some(resp) = resp else { return false };
    if !cancel(call, client) {
        return false;
    }
    let mut reply = Reply::new(resp);
    match error {
        Some(error) => reply.error(&error.as_line()),
        None => reply.null_array(),
    }
    *client.wait.lock() = Wait::Served(Served {
        reply,
        taken: TakenList::new(),
    });
    client.mailbox.prompt(call.wakes);
    true
}

/// Tries the waiters of keys whose moment has come, which no command will do for them. Holds what
/// serving them may touch.
pub(super) fn ring(engine: &Engine, worker: usize, now: Now, keys: &[WaitKey]) {
    let mut wakes = WakeList::default();
    for key in keys {
        let key = key.as_key();
        unasked(engine, worker, now, &mut wakes, &key, |call| {
            let own = ShardSet::one(engine.keyspace.shard_of(&key));
            call.held.need(own);
            let line = call.shard(&key).lines.get(&key);
            let Some(waiter) = line.and_then(|line| line.next_after(0)) else {
                return;
            };
            let reach = super::stream::dead_letter_shards(call, &key);
            hold_waiters(call, waiter.shards.union(reach));
            call.shard(&key).mark_ready(&key);
        });
    }
    wakes.wake();
}

#[cfg(test)]
mod tests {
    use super::{Late, look_after};
    use crate::command::engine::Gates;
    use crate::command::testing::Bench;

    #[test]
    fn who_waits_for_a_stream_learns_from_any_look_that_it_went_by_time() {
        for look in [
            "XLEN stream",
            "EXISTS stream",
            "TYPE stream",
            "WATCH stream",
            "OBJECT ENCODING stream",
            "EVAL_RO return(redis.call('XLEN',KEYS[1])) 1 stream",
            "EVAL return(redis.call('XLEN','stream')) 0",
            "KEYS stream",
            "SORT_RO other BY stream*->f",
            "XADD stream NOMKSTREAM * a b",
        ] {
            let mut bench = Bench::new();
            let names = ["stream", "t", "u", "v", "w", "x", "y", "z"];
            for name in names {
                bench.run(&format!("XGROUP CREATE {name} g $ MKSTREAM"));
            }
            let mut waiter = bench.client();
            let read = format!(
                "XREADGROUP GROUP g c BLOCK 0 STREAMS {}{}",
                names.join(" "),
                " >".repeat(names.len())
            );
            assert_eq!(bench.play(&mut waiter, &read), "(blocked)");
            bench.run("PEXPIRE stream 10");
            bench.now = bench.now.after(std::time::Duration::from_millis(11));
            bench.run(look);
            // Not every look removes it; the next write does.
            bench.run("DEL stream");
            let reply = waiter.look();
            assert!(reply.starts_with("-NOGROUP"), "{look}: {reply}");
        }
    }

    #[test]
    fn a_request_for_many_keys_is_tried_once_for_all_that_became_ready() {
        const KEYS: usize = 50;
        let bench = Bench::new();
        let (mut reader, mut writer) = (bench.client(), bench.client());
        let names: Vec<String> = (0..KEYS).map(|at| format!("k{at}")).collect();
        let read = format!(
            "XREAD BLOCK 0 STREAMS {}{}",
            names.join(" "),
            " $".repeat(KEYS)
        );
        assert_eq!(bench.play(&mut reader, &read), "(blocked)");
        let hits = || bench.engine.sum(|stats| &stats.hits);
        let before = hits();
        bench.play(&mut writer, "MULTI");
        for name in &names {
            bench.play(&mut writer, &format!("XADD {name} MAXLEN 0 * f v"));
        }
        bench.play(&mut writer, "EXEC");
        assert_eq!(reader.look(), "");
        // It asks for what is last, and then for what is past that.
        assert_eq!(hits() - before, 2 * KEYS as u64);
        bench.run("XADD k7 1700000000000-5 f v");
        assert!(reader.look().contains("1700000000000-5"));
    }

    #[test]
    fn what_time_asks_waits_for_the_end_of_a_slow_script() {
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET q MAX-AGE 50");
        bench.run("RPUSH q old");
        bench.run("WEIR.PUSH q DELAY 60 1");
        bench.run("WEIR.PUSH q DELAY 60 2");
        bench.now = bench.now.after(std::time::Duration::from_millis(61));
        let engine = bench.engine.clone();
        let key = engine.keyspace.key(0, b"q");
        let shard = engine.keyspace.shard_of(&key);
        let late: Vec<Late> = {
            let mut held = engine.hold_calm(shard).unwrap();
            let due = held.shard(shard).take_due(bench.now.mono_ms(), 16);
            let ripe = held.shard(shard).take_ripe(bench.now.mono_ms(), 1);
            let due = due.into_iter().map(Late::Queue);
            due.chain(ripe.into_iter().map(Late::Message)).collect()
        };
        assert_eq!(late.len(), 2, "{late:?}");
        // The script came between the look at what is due and the hold of what it takes.
        engine.gates.set(Gates::BUSY, true);
        look_after(&engine, 0, bench.now, &late);
        assert!(engine.hold_calm(shard).is_none());
        let mut held = engine.keyspace.hold();
        held.need(crate::store::ShardSet::one(shard));
        let queue = held.shard(shard).queue(&key, bench.now.unix_ms);
        assert_eq!(queue.unwrap().map(|queue| queue.len()), Some(1));
        drop(held);
        engine.gates.set(Gates::BUSY, false);
        bench.pass(0);
        assert_eq!(bench.run("LRANGE q 0 -1"), "*2 $1 1 $1 2");
    }
}
