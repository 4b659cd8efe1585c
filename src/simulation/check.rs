//! What must hold after every turn.

use super::record::{Id, Place, Record};
use super::request::{ENDING, FIFO, QUEUES};
use super::world::{Served, World};
use crate::clients::Wait;
use crate::store::{Ledger, ShardSet, Value};

/// Bytes of replies that a connection may hold: the bound past which it executes no more, and one
/// batch of large answers.
const OUTPUT_BYTES_MAX: usize = (256 << 10) + (512 << 10);
/// Bytes of requests that a connection may hold: what it reads ahead, and one read more.
const INPUT_BYTES_MAX: usize = (64 << 10) + (96 << 10);

/// Turns between two looks at the account of all shards.
const LEDGER_EVERY: u64 = 16;

/// A client that stands in lines.
#[derive(Clone, Debug)]
struct Standing {
    slot: usize,
    ticket: u64,
    keys: Vec<Box<[u8]>>,
}

/// What was seen after the last turn, to compare with.
pub struct Seen {
    /// What each queue holds, the oldest push of a FIFO queue first.
    queues: Vec<Vec<Id>>,
    standing: Vec<Standing>,
    outbox_bytes_max: usize,
    checks: u64,
}

impl Seen {
    /// Nothing yet. Outboxes hold so many bytes at most, or one message.
    pub fn new(outbox_bytes_max: usize) -> Self {
        Self {
            queues: vec![Vec::new(); QUEUES.len()],
            standing: Vec::new(),
            outbox_bytes_max,
            checks: 0,
        }
    }

    /// Compares what is there now with what was before. `served` is whose turn it was.
    pub fn check(&mut self, world: &World, record: &mut Record, served: Option<&Served>) {
        let queues = contents(world);
        self.checks += 1;
        for id in queues.iter().flatten() {
            let fate = &mut record.fates[*id];
            assert!(fate.mark != self.checks, "m{id} is in two places");
            fate.mark = self.checks;
            assert!(
                fate.got_by.is_none(),
                "m{id} was delivered and is still there"
            );
            assert!(matches!(fate.place, Place::Queue(_)), "m{id} is in a queue");
        }
        if self.checks.is_multiple_of(LEDGER_EVERY) {
            let total = ledger(world);
            let there = queues.iter().map(Vec::len).sum::<usize>() as u64;
            assert_eq!(total.held().messages, there, "{total:?}");
        }
        let may_return = served.is_none_or(|served| served.is_over);
        let at_stake = served.map_or(&[][..], |served| &served.at_stake);
        let at_stake: Vec<Id> = at_stake.iter().map(|taken| Record::id_of(taken)).collect();
        for index in FIFO {
            check_fifo(
                QUEUES[index],
                [&self.queues[index], &queues[index]],
                record,
                may_return.then_some(&at_stake),
            );
        }
        if may_return {
            forget_times(&self.queues, &queues, record);
        }
        note_ends(&self.queues, &queues, record, world.now.mono_ms());
        if let Some(served) = served.filter(|served| served.is_over) {
            check_returned(world, served, &queues, record);
        }
        let standing = standing(world);
        check_lines(
            world,
            [&self.standing, &standing],
            [&self.queues, &queues],
            record,
        );
        self.check_bounds(world);
        (self.queues, self.standing) = (queues, standing);
    }

    fn check_bounds(&self, world: &World) {
        for (slot, seated) in world.seated() {
            let backlog_bytes = seated.client.mailbox.backlog_bytes();
            let ledger = seated.client.mailbox.ledger();
            assert!(ledger.is_balanced(), "{ledger:?}");
            assert!(
                backlog_bytes <= self.outbox_bytes_max || ledger.held.messages == 1,
                "the outbox of {slot} holds {backlog_bytes} bytes"
            );
            let (input, output, sent) = seated.buffered();
            assert!(
                input <= INPUT_BYTES_MAX,
                "{slot} holds {input} bytes of requests"
            );
            assert!(
                output <= OUTPUT_BYTES_MAX,
                "{slot} holds {output} bytes of replies"
            );
            assert_eq!(sent, seated.socket.written(), "bytes sent by {slot}");
        }
    }
}

/// What the queues hold, from the right to the left: the oldest first where all push at the left.
pub fn contents(world: &World) -> Vec<Vec<Id>> {
    let keyspace = &world.engine.keyspace;
    let mut queues = Vec::with_capacity(QUEUES.len());
    for name in QUEUES {
        let key = keyspace.key(0, name.as_bytes());
        let mut held = keyspace.hold();
        held.need(ShardSet::one(keyspace.shard_of(&key)));
        let Some(Value::Queue(queue)) = held.look(&key) else {
            queues.push(Vec::new());
            continue;
        };
        assert!(!queue.is_empty(), "{name} is empty and stays");
        let walk = queue.range_rev(queue.len() - 1, queue.len());
        let ids: Vec<Id> = walk.map(|message| Record::id_of(message.bytes())).collect();
        assert_eq!(ids.len(), queue.len(), "{name}");
        queues.push(ids);
    }
    queues
}

/// The account of all queues.
pub fn ledger(world: &World) -> Ledger {
    let keyspace = &world.engine.keyspace;
    let mut held = keyspace.hold();
    held.need(ShardSet::ALL);
    held.check_ledgers();
    let mut total = Ledger::default();
    for (_, shard) in held.shards() {
        assert!(shard.ready.is_empty() && shard.unsettled.is_empty());
        total.add(shard.ledger(0));
    }
    assert!(total.is_settled(), "{total:?}");
    total
}

/// A FIFO queue loses at its old end and grows at the other. What was taken for a client that is
/// gone may be back at the old end: `returning` is what is known to have been, if anything was.
fn check_fifo(
    name: &str,
    [before, after]: [&[Id]; 2],
    record: &mut Record,
    returning: Option<&Vec<Id>>,
) {
    let mut rest = after;
    if let Some(returning) = returning {
        // What went straight to a client that waited was never seen here. A client may have taken
        // a later message before it was served one that came back from another client.
        let any_kept = rest.iter().any(|id| before.contains(id));
        let is_known = |id: &Id| record.fates[*id].seen_ms.is_some() || returning.contains(id);
        let is_back = |id: &Id| !before.contains(id) && (any_kept || is_known(id));
        let back = rest.iter().take_while(|id| is_back(id)).count();
        rest = &rest[back..];
    }
    let kept = rest.iter().take_while(|id| before.contains(id)).count();
    let (kept, new) = rest.split_at(kept);
    assert!(
        kept.is_empty() || before.ends_with(kept),
        "{name} is no longer in order: {before:?} became {after:?}"
    );
    for (at, id) in new.iter().enumerate() {
        let author = record.fates[*id].author;
        assert!(
            record.fates[*id].seen_ms.is_none() && !before.contains(id),
            "m{id} came to {name} twice: {before:?} became {after:?}"
        );
        let is_later = |other: &Id| record.fates[*other].author == author && other > id;
        assert!(!new[..at].iter().any(is_later), "{name}: {after:?}");
    }
    // What one client pushed later does not stand before what it pushed earlier.
    for id in new {
        let author = record.fates[*id].author;
        let overtakes = |other: &Id| record.fates[*other].author == author && other > id;
        assert!(
            !kept.iter().any(overtakes),
            "{name}: {before:?} became {after:?}"
        );
    }
}

/// What was taken for a client that has gone, and no byte of it written, is back in its queue, or
/// was taken for another one.
fn check_returned(world: &World, gone: &Served, queues: &[Vec<Id>], record: &Record) {
    for payload in &gone.at_stake {
        let id = Record::id_of(payload);
        let is_kept = matches!(record.fates[id].place, Place::Queue(at) if FIFO.contains(&at));
        let is_back = || queues.iter().flatten().any(|other| *other == id);
        let has_another = || {
            let mut others = world.seated().flat_map(|(_, seated)| seated.at_stake());
            others.any(|other| other == *payload)
        };
        assert!(
            !is_kept || is_back() || has_another(),
            "m{id} went with the client that it was taken for"
        );
    }
}

/// What comes back from a client that has gone leaves its time behind.
fn forget_times(before: &[Vec<Id>], after: &[Vec<Id>], record: &mut Record) {
    for index in ENDING {
        for id in &after[index] {
            if !before[index].contains(id) {
                record.fates[*id].ttl_ms = None;
            }
        }
    }
}

/// Notes when messages came, and which left after their time.
fn note_ends(before: &[Vec<Id>], after: &[Vec<Id>], record: &mut Record, now_ms: u64) {
    for queue in after {
        for id in queue {
            record.fates[*id].seen_ms.get_or_insert(now_ms);
        }
    }
    for index in ENDING {
        for id in &before[index] {
            let fate = &mut record.fates[*id];
            let (Some(seen_ms), Some(ttl_ms)) = (fate.seen_ms, fate.ttl_ms) else {
                continue;
            };
            let is_gone = !after[index].contains(id) && fate.got_by.is_none();
            fate.has_ended |= is_gone && now_ms > seen_ms + ttl_ms;
        }
    }
}

fn standing(world: &World) -> Vec<Standing> {
    let of = |(slot, seated): (usize, &super::world::Seated)| {
        let wait = seated.client.wait.lock();
        let Wait::Standing(waiter) = &*wait else {
            return None;
        };
        Some(Standing {
            slot,
            ticket: waiter.ticket,
            keys: waiter.keys.iter().map(|key| (&*key.name).into()).collect(),
        })
    };
    world.seated().filter_map(of).collect()
}

/// Nobody waits for what is there, and who was served from a key came before all who still wait
/// for it, unless another of its keys may have called it. Both are given as they were and as they
/// are.
fn check_lines(
    world: &World,
    [stood, after]: [&[Standing]; 2],
    [before, queues]: [&[Vec<Id>]; 2],
    record: &mut Record,
) {
    let now_ms = world.now.mono_ms();
    for waiter in after {
        for key in &waiter.keys {
            let index = QUEUES.iter().position(|name| name.as_bytes() == &**key);
            let Some(index) = index.filter(|index| !ENDING.contains(index)) else {
                continue;
            };
            if is_due(world, key) {
                continue;
            }
            assert!(
                queues[index].is_empty(),
                "client at {} waits for {} at {now_ms}, which holds {:?}",
                waiter.slot,
                QUEUES[index],
                queues[index]
                    .iter()
                    .map(|id| &record.fates[*id])
                    .collect::<Vec<_>>()
            );
        }
    }
    for served in stood {
        if after.iter().any(|waiter| waiter.ticket == served.ticket) {
            continue;
        }
        let Some(key) = served_from(world, served.slot) else {
            continue;
        };
        record.served += 1;
        // Who is called by one of its keys takes from the first that has something, as in Redis. Of
        // several that came to life in one step, that may be one whose own line was not called yet.
        let index = QUEUES.iter().position(|name| name.as_bytes() == &*key);
        let came_to_life = index.is_some_and(|at| before[at].is_empty() || ENDING.contains(&at));
        let mut from_there = served.keys.iter().skip_while(|other| ***other != *key);
        if came_to_life && from_there.any(|other| **other != *key) {
            continue;
        }
        let passed_over = |waiter: &&Standing| {
            waiter.ticket < served.ticket && waiter.keys.iter().any(|other| **other == *key)
        };
        let passed_over = after.iter().find(passed_over);
        assert!(
            passed_over.is_none(),
            "{served:?} was served before {passed_over:?}"
        );
    }
}

/// Whether a key's time is over, so that it is there no more, though it still lies there.
fn is_due(world: &World, name: &[u8]) -> bool {
    let keyspace = &world.engine.keyspace;
    let key = keyspace.key(0, name);
    let mut held = keyspace.hold();
    held.need(ShardSet::one(keyspace.shard_of(&key)));
    let entry = held.shard_of(&key).standing(&key);
    entry.is_some_and(|entry| entry.is_due(world.now.unix_ms))
}

/// The key that a client was served from, if it was and has not looked.
fn served_from(world: &World, slot: usize) -> Option<Vec<u8>> {
    let seated = world.seats.get(slot)?.as_ref()?;
    let wait = seated.client.wait.lock();
    let Wait::Served(served) = &*wait else {
        return None;
    };
    let taken = served.taken.first()?;
    Some(taken.key.name.to_vec())
}
