//! What time alone brings: expiry, idle clients, memory readings. Ten times a second per worker,
//! and in between when something is due (`early`).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use crate::clock::{self, Now};
use crate::config::Events;
use crate::outbox::{CloseReason, WakeList};
use crate::store::stream::Tended;
use crate::store::{Expired, Key, Loss, SHARDS, Shard, WaitKey};

use super::engine::Engine;
use super::returned::put_back_late;
use super::serve::Late;

/// Keys that expire under one hold of a shard: some microseconds.
const EXPIRED_PER_HOLD_MAX: usize = 16;
/// Time that one tick may spend on expiry.
const EXPIRY_US_MAX: u64 = 500;
/// Time that one tick may spend on what policies do by time.
const AGEING_US_MAX: u64 = 500;
/// Time that clients have to themselves before a tick's unfinished work goes on: a fifth of the
/// worker goes into expiry, and as much into ageing, while either has a backlog.
const REST_US: u64 = 2000;

/// Microseconds between readings of memory that is near the budget: one takes some ten.
const MEMORY_US: u64 = 10_000;

/// Runs the tick of one worker: its share of the shards, its own clients, and on the first worker
/// what concerns the whole process.
pub fn run(engine: &Engine, worker: usize) {
    let is_over = expire_by_time(engine, worker, clock::now());
    let now = clock::now();
    engine.early.answer(worker, now.mono_us);
    put_back_late(engine, worker, now);
    tend(engine, worker, now);
    if age(engine, worker, now) || !is_over {
        go_on_soon(engine, worker);
    }
    close_idle(engine, worker, now);
    if worker == 0 {
        look_at_memory(engine, now);
        super::excess::end_excess(engine, now);
        super::alerts::watch(engine, now);
        engine.note_rates(clock::mono_us());
    }
}

/// Does before its time what one worker was called for.
pub fn hurry(engine: &Engine, worker: usize) {
    let now = clock::now();
    engine.early.answer(worker, now.mono_us);
    put_back_late(engine, worker, now);
    let is_over = expire_by_time(engine, worker, now);
    // What called may stand in any shard.
    if age_shards(engine, worker, now, 0..SHARDS) || !is_over {
        go_on_soon(engine, worker);
    }
    if worker == 0 && super::pressure::is_near(engine) {
        look_at_memory(engine, now);
    }
}

/// Has a worker go on after a rest with what it did not finish.
fn go_on_soon(engine: &Engine, worker: usize) {
    engine.early.call(worker, clock::mono_us() + REST_US);
}

/// Reads how much memory is in use, and has messages go if it is too much. Near the budget the
/// next look comes soon: a burst must not pass by between two ticks.
fn look_at_memory(engine: &Engine, now: Now) {
    let reading = engine.statm.as_ref().and_then(resident_bytes);
    let last_bytes = engine.resident_bytes.load(Ordering::Relaxed);
    engine.note_memory(reading.unwrap_or(last_bytes));
    super::pressure::relieve(engine, now);
    if super::pressure::is_near(engine) {
        engine.early.call(0, now.mono_us + MEMORY_US);
    }
}

/// What a tick does with the keyspace and with who is idle, at a moment that the simulator chooses.
#[cfg(test)]
pub fn run_at(engine: &Engine, worker: usize, now: Now) {
    close_idle(engine, worker, now);
    put_back_late(engine, worker, now);
    expire(engine, worker, now);
    tend(engine, worker, now);
    while age(engine, worker, now) {}
}

/// [`expire`], unless that is left to traffic.
fn expire_by_time(engine: &Engine, worker: usize, now: Now) -> bool {
    !engine.expires_by_time.load(Ordering::Relaxed) || expire(engine, worker, now)
}

/// Removes keys whose time is over at `now`, in slices, from the shards that fall to this worker.
/// What is not done in the time of a tick is left for later: false if there is such.
pub(super) fn expire(engine: &Engine, worker: usize, now: Now) -> bool {
    let started_us = clock::mono_us();
    let workers_len = engine.workers.len();
    let mut wakes = WakeList::default();
    for shard in (0..SHARDS).filter(|&shard| shard as usize % workers_len == worker) {
        loop {
            let Some(mut held) = engine.hold_calm(shard) else {
                break;
            };
            let (removed, keys_len) = held
                .shard(shard)
                .expire_due(now.unix_ms, EXPIRED_PER_HOLD_MAX);
            let (emptied, fields_len) = held
                .shard(shard)
                .expire_fields_due(now.unix_ms, EXPIRED_PER_HOLD_MAX);
            let is_done = keys_len < EXPIRED_PER_HOLD_MAX && fields_len < EXPIRED_PER_HOLD_MAX;
            let expired = std::mem::take(&mut held.shard(shard).expired);
            for key in &expired {
                notify_expired(engine, key, &mut wakes);
            }
            let ready = take_ready(held.shard(shard));
            drop(held);
            drop((removed, emptied));
            wakes.wake();
            super::serve::ring(engine, worker, now, &ready);
            if is_done {
                break;
            }
            if clock::mono_us() - started_us > EXPIRY_US_MAX {
                return false;
            }
        }
    }
    true
}

/// Sees to the streams that do something by themselves, and tries waiters whose moment has come,
/// in the shards that fall to this worker.
pub(super) fn tend(engine: &Engine, worker: usize, now: Now) {
    let workers_len = engine.workers.len();
    for shard in (0..SHARDS).filter(|&shard| shard as usize % workers_len == worker) {
        let mut more = true;
        while more {
            let mut wakes = WakeList::default();
            let Some(mut held) = engine.hold_calm(shard) else {
                break;
            };
            more = held.shard(shard).tend_due(now.unix_ms, |key, tended| {
                notify_tended(engine, key, &tended, &mut wakes);
            });
            let mut due = held.shard(shard).lines.take_alarms(now.unix_ms);
            due.extend(take_ready(held.shard(shard)));
            drop(held);
            wakes.wake();
            super::serve::ring(engine, worker, now, &due);
        }
    }
}

/// The keys that went by time while somebody waits for them, who is to learn of it.
fn take_ready(shard: &mut Shard) -> Vec<WaitKey> {
    shard.ready.drain(..).map(|ready| ready.key).collect()
}

/// Queues that a tick takes on under one hold of a shard.
const AGED_PER_HOLD_MAX: usize = 16;

/// Sees to the queues that time has changed, in the shards that fall to this worker. What is not
/// done in the time of a tick is left to the next one: true if there is such.
pub(super) fn age(engine: &Engine, worker: usize, now: Now) -> bool {
    let workers_len = engine.workers.len();
    let own = (0..SHARDS).filter(|&shard| shard as usize % workers_len == worker);
    age_shards(engine, worker, now, own)
}

fn age_shards(engine: &Engine, worker: usize, now: Now, shards: impl Iterator<Item = u32>) -> bool {
    let started_us = clock::mono_us();
    for shard in shards {
        loop {
            let Some(mut held) = engine.hold_calm(shard) else {
                break;
            };
            let due = held.shard(shard).take_due(now.mono_ms(), AGED_PER_HOLD_MAX);
            let ripe = held
                .shard(shard)
                .take_ripe(now.mono_ms(), AGED_PER_HOLD_MAX);
            let due = due.into_iter().map(Late::Queue);
            let due: Vec<Late> = due.chain(ripe.into_iter().map(Late::Message)).collect();
            let next = held.shard(shard).next_prompt();
            drop(held);
            if due.is_empty() {
                engine.early.call_at(worker, next);
                break;
            }
            super::serve::look_after(engine, worker, now, &due);
            if clock::mono_us() - started_us > AGEING_US_MAX {
                return true;
            }
        }
    }
    false
}

/// Tells subscribers what a stream did by itself, by the names of the commands that do the same.
fn notify_tended(engine: &Engine, key: &Key<'_>, tended: &Tended, wakes: &mut WakeList) {
    let wanted = engine.config.live().notify_keyspace_events();
    if !wanted.wants(Events::STREAM) {
        return;
    }
    if !tended.expired.is_zero() {
        super::pubsub::publish_event(engine, wanted, key, "xtrim", wakes);
    }
    for _ in 0..tended.consumers {
        super::pubsub::publish_event(engine, wanted, key, "xgroup-delconsumer", wakes);
    }
}

/// Tells subscribers to keyspace notifications that a key or fields of it have expired.
pub(super) fn notify_expired(engine: &Engine, key: &Expired, wakes: &mut WakeList) {
    let wanted = engine.config.live().notify_keyspace_events();
    let events: &[(Events, &str)] = match key.loss {
        Loss::Key => &[(Events::EXPIRED, "expired")],
        Loss::Fields => &[(Events::HASH, "hexpired")],
        Loss::LastFields => &[(Events::HASH, "hexpired"), (Events::GENERIC, "del")],
    };
    for &(_, event) in events.iter().filter(|(class, _)| wanted.wants(*class)) {
        let key = engine.keyspace.key(key.db, &key.name);
        super::pubsub::publish_event(engine, wanted, &key, event, wakes);
    }
}

/// Closes this worker's clients that have been idle for longer than `timeout`, but for those who
/// are idle because it is others who have to do something.
fn close_idle(engine: &Engine, worker: usize, now: Now) {
    let timeout_us = u64::from(engine.config.live().timeout_s()) * 1_000_000;
    if timeout_us == 0 {
        return;
    }
    let mut wakes = WakeList::default();
    for client in engine.clients.all() {
        let used_us = client.used_us.load(Ordering::Relaxed);
        let idle_us = now.mono_us.saturating_sub(used_us);
        let listens = client.subscriptions_len() > 0 || client.is_monitor.load(Ordering::Relaxed);
        let is_waiting = listens || client.is_blocked();
        if client.mailbox.worker() == worker && idle_us > timeout_us && !is_waiting {
            client.mailbox.close(CloseReason::Idle, &mut wakes);
        }
    }
    wakes.wake();
}

/// Resident memory of this process, from `/proc/self/statm`; `None` where the kernel does not say.
fn resident_bytes(statm: &File) -> Option<u64> {
    const PAGE_BYTES: u64 = 4096;
    let mut text = [0; 128];
    let len = statm.read_at(&mut text, 0).ok()?;
    let text = str::from_utf8(&text[..len]).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
