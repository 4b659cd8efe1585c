//! WEIR.ROUTE: what is published to channels is also pushed to queues or added to streams, under
//! their policies, so that a subscriber may be away and several may share the work.

use crate::command::bounds;
use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::command::serve;
use crate::command::stream::add_entry;
use crate::config::Events;
use crate::policy::Route;
use crate::protocol::Args;
use crate::store::{End, Key, Kind, ShardSet, Tally};

/// WEIR.ROUTE ADD channel-pattern key
pub(super) fn add(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is_new = call
        .engine
        .lead(|routes| routes.add(args.at(2), args.at(3)));
    call.reply.integer(i64::from(is_new));
    Ok(Outcome::Done)
}

/// WEIR.ROUTE DEL channel-pattern key
pub(super) fn del(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let was_there = call
        .engine
        .lead(|routes| routes.remove(args.at(2), args.at(3)));
    call.reply.integer(i64::from(was_there));
    Ok(Outcome::Done)
}

/// WEIR.ROUTE LIST
pub(super) fn list(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let routes = call.engine.routes();
    call.reply.array(routes.iter().len());
    for Route { pattern, key } in routes.iter() {
        call.reply.array(2);
        call.reply.bulk(pattern);
        call.reply.bulk(key);
    }
    Ok(Outcome::Done)
}

/// Pushes what was published to the queues and streams to which its channel leads; returns to how
/// many. What one refuses, or a key that holds something else, is counted as refused: publishers are not
/// told, as they are not of full outboxes.
#[cold]
pub(in crate::command) fn follow(call: &mut Call<'_, '_>, channel: &[u8], message: &[u8]) -> u64 {
    let routes = call.engine.routes();
    let mut pushed = 0;
    for name in routes.of(channel) {
        // Routes lead to the first database, wherever the publisher is.
        let key = Key {
            db: 0,
            ..call.engine.keyspace.key(0, name)
        };
        let shard = ShardSet::one(call.engine.keyspace.shard_of(&key));
        if !call.held.is_pinned() {
            serve::hold_with_dead_letters(call, shard);
        }
        // A transaction holds what routes asked for when it began; a route may be newer. Commands
        // wait where a step that rests keeps the shard, but time does not.
        let is_kept = !call.held.is_pinned() && call.engine.is_kept(call.held.set());
        if !is_kept && call.held.set().contains(shard) && leave(call, &key, channel, message) {
            pushed += 1;
        } else {
            // LOSS: route-refused
            call.stats.routes_refused.add(1);
        }
        if !call.held.is_pinned() && !is_kept {
            bounds::settle(call);
            serve::serve_ready(call);
            #[cfg(debug_assertions)]
            call.held.check_ledgers();
        }
    }
    pushed
}

/// Leaves a message at a key: in the stream that is there or is meant to be there, else in a queue.
fn leave(call: &mut Call<'_, '_>, key: &Key<'_>, channel: &[u8], message: &[u8]) -> bool {
    let now_ms = call.now_ms();
    let found = call.held.shard_of(key).peek(key, now_ms);
    let is_stream = match found {
        Some(entry) => entry.value.kind() == Kind::Stream,
        None => call.engine.policies().means_stream(key.name),
    };
    let queue = (!is_stream).then_some(key.name);
    if !call.engine.has_memory_for(queue.into_iter()) {
        return false;
    }
    if is_stream {
        let pairs: [&[u8]; 4] = [b"channel", channel, b"message", message];
        return add_entry(call, key, &pairs);
    }
    push(call, key, message)
}

fn push(call: &mut Call<'_, '_>, key: &Key<'_>, message: &[u8]) -> bool {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    if bounds::find_room(call, key, Tally::one(message.len())).is_err() {
        return false;
    }
    let Ok(mut slot) = call.held.shard_of(key).slot_or_new(key, now_ms) else {
        return false;
    };
    let is_new = slot.queue.is_empty();
    let before = slot.queue.came();
    slot.queue.push(End::Back, message, tick);
    slot.note_came(before);
    if is_new {
        call.notify(key, Events::NEW, "new");
    }
    call.changed(key, Events::LIST, "rpush");
    bounds::keep_bounds(call, key, Some(End::Back));
    true
}

/// The shards of all queues that routes lead to, for who must know before it publishes.
pub(in crate::command) fn shards_of(call: &Call<'_, '_>) -> ShardSet {
    let mut set = ShardSet::EMPTY;
    for route in call.engine.routes().iter() {
        let key = call.engine.keyspace.key(0, &route.key);
        set.insert(call.engine.keyspace.shard_of(&key));
    }
    set
}
