//! What goes back to where it was: taken for a client that went before a byte of its reply was
//! written.
//!
//! Nothing goes back to what a script keeps that lets others be served beside it, because what the
//! script sees is to stay as it is, and nobody is served before its end. It waits here, delivered by
//! the account, for the tick after the script.

use crate::clients::{Place, Taken, TakenFrom};
use crate::clock::Now;
use crate::outbox::WakeList;
use crate::store::{Cause, Key, ShardSet, Tally};

use super::bounds;
use super::call::Call;
use super::engine::Engine;
use super::serve::{hold_with_dead_letters, serve_ready, unasked};

/// Puts messages back where they were, the last that was taken first. Who waits for a key is served
/// when all are back that lie side by side: in the order in which they were.
pub fn put_back(call: &mut Call<'_, '_>, mut all: Vec<TakenFrom>) {
    while let Some(key) = all.last().map(|taken| taken.key.clone()) {
        let set = ShardSet::one(call.engine.keyspace.shard_of(&key.as_key()));
        hold_with_dead_letters(call, set);
        if call.engine.is_kept(call.held.set()) {
            let mut returned = call.engine.returned.lock();
            all.append(&mut returned);
            *returned = all;
            return;
        }
        while let Some(taken) = all.pop_if(|taken| taken.key == key) {
            for taken in taken.messages.iter().rev() {
                put_one_back(call, &key.as_key(), taken);
            }
        }
        serve_ready(call);
    }
}

fn put_one_back(call: &mut Call<'_, '_>, key: &Key<'_>, taken: &Taken) {
    let now_ms = call.now_ms();
    let (end, arrival) = match taken.place {
        Place::Queue { end, arrival } => (end, arrival),
        Place::SortedSet { score } => {
            super::sorted_set::give_back(call, key, &taken.message, score);
            return;
        }
    };
    // A key that holds another type by now has no place for the message.
    let tally = Tally::one(taken.message.len());
    if let Ok(slot) = call.shard(key).slot_or_new(key, now_ms) {
        slot.queue.unpop(end, &taken.message, arrival);
        slot.queue.give_back(tally);
        slot.ledger.give_back(tally);
        call.shard(key).mark_ready(key);
        call.shard(key).watched.changed(key);
        // It counts as the oldest at its end.
        bounds::keep_bounds(call, key, Some(end.opposite()));
    } else {
        // LOSS: returned-wrong-type
        let ledger = call.shard(key).ledger(key.db);
        ledger.lose_delivered(Cause::ReturnedLost, tally);
    }
}

/// Puts back what waited for the end of a script, if it has ended.
pub(super) fn put_back_late(engine: &Engine, worker: usize, now: Now) {
    let mut late = std::mem::take(&mut *engine.returned.lock());
    late.sort_by_key(|taken| (taken.key.db, taken.key.hash));
    let Some(key) = late.first().map(|taken| taken.key.clone()) else {
        return;
    };
    let mut wakes = WakeList::default();
    unasked(engine, worker, now, &mut wakes, &key.as_key(), |call| {
        put_back(call, late);
    });
    wakes.wake();
}

#[cfg(test)]
mod tests {
    use crate::clients::Wait;
    use crate::command::engine::Gates;
    use crate::command::testing::Bench;

    #[test]
    fn what_goes_back_waits_for_the_end_of_a_slow_script() {
        let mut bench = Bench::new();
        let mut players = [bench.client(), bench.client(), bench.client()];
        for player in &mut players {
            bench.play(player, "BLPOP q 0");
        }
        bench.run("RPUSH q first second");
        let [first, second, mut third] = players;
        bench.engine.gates.set(Gates::BUSY, true);
        bench.lose(second);
        bench.lose(first);
        assert_eq!(third.look(), "");
        bench.pass(100);
        assert_eq!(third.look(), "");
        bench.engine.gates.set(Gates::BUSY, false);
        // What the script has done is there before.
        assert_eq!(bench.run("RPUSH r x"), ":1");
        bench.pass(100);
        assert_eq!(third.look(), "*2 $1 q $5 first");
        assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $6 second");
        let ledger = bench.run("WEIR.LEDGER q");
        assert!(ledger.contains("$8 returned :2"), "{ledger}");
    }

    #[test]
    fn several_are_back_before_anybody_is_served() {
        let bench = Bench::new();
        let (mut taker, mut waiter) = (bench.client(), bench.client());
        bench.play(&mut taker, "BLMPOP 0 1 q LEFT COUNT 3");
        bench.run("RPUSH q a b c");
        if let Wait::Served(served) = &*taker.session.client.wait.lock() {
            let [from_q] = &served.taken[..] else {
                panic!("each message with a name of its own: {:?}", served.taken);
            };
            assert_eq!(from_q.messages.len(), 3);
        }
        bench.play(&mut waiter, "BLPOP q 0");
        bench.lose(taker);
        assert_eq!(waiter.look(), "*2 $1 q $1 a");
        assert_eq!(bench.run("LRANGE q 0 -1"), "*2 $1 b $1 c");
    }

    #[test]
    fn what_the_script_made_of_the_key_decides() {
        let mut bench = Bench::new();
        let mut player = bench.client();
        bench.play(&mut player, "BLPOP q 0");
        bench.run("RPUSH q message");
        bench.engine.gates.set(Gates::BUSY, true);
        bench.lose(player);
        bench.engine.gates.set(Gates::BUSY, false);
        // The script ended so.
        bench.run("SET q text");
        bench.pass(0);
        assert_eq!(bench.run("GET q"), "$4 text");
        assert!(bench.run("INFO ledger").contains("returned_lost:1"));
    }
}
