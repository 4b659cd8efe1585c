//! What must hold when nothing moves any more: every message is in one place, or its loss is
//! counted; nobody waits who need not; and once all have gone, nothing is left of them.

use super::Simulation;
use super::check::{contents, ledger};
use super::record::Place;
use super::request::Ask;
use crate::clients::Wait;

impl Simulation {
    /// Has all clients send and read what they can, and time pass until their waits are over: four
    /// seconds, and longer where clients still wait for a time, one request after the other.
    pub fn come_to_rest(&mut self) {
        for passed in 0..400 {
            self.quiesce();
            if passed >= 40 && !self.awaits_time() {
                return;
            }
            self.pass(100);
        }
        self.quiesce();
    }

    fn awaits_time(&self) -> bool {
        let is_timed = |ask: &Ask| matches!(ask, Ask::Wait { is_timed: true, .. });
        let staying = self.actors.iter().filter(|actor| !actor.has_closed);
        staying
            .into_iter()
            .any(|actor| actor.asks.iter().any(is_timed))
    }

    fn quiesce(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for actor in &mut self.actors {
                moved |= actor.finish(&mut self.record);
            }
            while self.serve() {
                moved = true;
            }
        }
    }

    /// Holds the server's account against that of the clients.
    pub fn check_at_rest(&mut self) {
        self.check_clients();
        self.check_messages();
        self.check_channels();
        self.check_stream();
    }

    fn check_clients(&self) {
        let mut blocked = 0;
        for actor in self.actors.iter().filter(|actor| !actor.has_closed) {
            let seated = self.world.seats[actor.slot].as_ref();
            let seated = seated.expect("a client that has not gone is there");
            let wait = seated.client.wait.lock();
            assert!(
                !matches!(*wait, Wait::Served(_)),
                "client {} was served and nobody told it",
                actor.number
            );
            if matches!(*wait, Wait::Standing(_)) {
                blocked += 1;
                let ask = actor.asks.front();
                let is_endless = matches!(
                    ask,
                    Some(Ask::Wait {
                        is_timed: false,
                        ..
                    })
                );
                assert!(is_endless, "client {} waits in {ask:?}", actor.number);
            } else {
                let asks = &actor.asks;
                assert!(
                    asks.is_empty(),
                    "client {} got no answer to {asks:?}",
                    actor.number
                );
            }
            let (_, output, _) = seated.buffered();
            assert_eq!((output, seated.socket.unread()), (0, 0));
        }
        let counted = &self.world.engine.blocked_clients_len;
        assert_eq!(counted.load(std::sync::atomic::Ordering::Relaxed), blocked);
    }

    /// Each message is in a queue, with a client, lost and counted, or was on its way to a client
    /// that has gone.
    fn check_messages(&self) {
        let mut is_there = vec![false; self.record.fates.len()];
        let mut there = 0;
        for id in contents(&self.world).into_iter().flatten() {
            is_there[id] = true;
            there += 1;
        }
        let total = ledger(&self.world);
        assert_eq!(total.held().messages, there, "{total:?}");
        let fates = self.record.fates.iter().enumerate();
        let is_queued = |place| matches!(place, Place::Queue(_));
        let missing: Vec<usize> = fates
            .filter(|(_, fate)| is_queued(fate.place) && fate.is_acked && fate.got_by.is_none())
            .filter_map(|(id, _)| (!is_there[id]).then_some(id))
            .collect();
        // A dead letter has moved: it is in its new queue.
        let mut lost = total.lost.sum();
        lost -= total.lost.of(crate::store::Cause::DeadLettered);
        let (missing_len, lost) = (missing.len() as u64, lost.messages);
        let doubt = self.record.doubt;
        let account = format!("{lost} lost, {doubt} in doubt, missing: {missing:?}; {total:?}");
        assert!(
            missing_len <= lost + doubt,
            "messages are gone uncounted: {account}"
        );
        if !self.record.has_deaths {
            assert_eq!(missing_len, lost, "{account}");
        }
    }

    fn check_channels(&self) {
        let total = self.world.engine.outbox_ledger();
        assert!(total.is_balanced(), "{total:?}");
        assert_eq!(total.held.messages, 0, "{total:?}");
        if !self.record.has_dead_publishers {
            assert_eq!(total.came.messages, self.record.publications, "{total:?}");
        }
        for actor in self.actors.iter().filter(|actor| !actor.has_closed) {
            let seated = self.world.seats[actor.slot].as_ref();
            let ledger = seated.map(|seated| seated.client.mailbox.ledger());
            let taken = ledger.unwrap_or_default().taken.messages;
            assert_eq!(
                taken, actor.heard_len,
                "client {} missed some",
                actor.number
            );
        }
    }

    /// Where no reader has gone and one is left, every entry was read.
    fn check_stream(&self) {
        let reads = |actor: &&super::Actor| {
            !actor.has_closed && actor.asks.front().is_some_and(Ask::is_reading)
        };
        if self.record.has_dead_readers || !self.actors.iter().any(|actor| reads(&actor)) {
            return;
        }
        for (id, fate) in self.record.fates.iter().enumerate() {
            let is_entry = fate.place == Place::Stream && fate.author != usize::MAX;
            let is_unread = is_entry && fate.is_acked && fate.got_by.is_none();
            assert!(!is_unread, "entry m{id} was never read");
        }
    }

    /// Everybody goes, and nothing of them stays.
    pub fn part(&mut self) {
        for actor in &mut self.actors {
            if !actor.has_closed {
                actor.close(&mut self.dice);
            }
        }
        // A worker about to sleep looks once more.
        for _ in 0..3 {
            while self.serve() {}
        }
        let world = &self.world;
        assert_eq!(world.seated().count(), 0, "connections stay");
        assert!(world.engine.clients.is_empty(), "clients stay");
        let blocked = &world.engine.blocked_clients_len;
        assert_eq!(blocked.load(std::sync::atomic::Ordering::Relaxed), 0);
        let mut held = world.engine.keyspace.hold();
        held.need(crate::store::ShardSet::ALL);
        for (_, shard) in held.shards() {
            assert!(shard.lines.is_empty(), "lines stay");
        }
        let total = world.engine.outbox_ledger();
        assert!(total.is_balanced() && total.held.messages == 0, "{total:?}");
    }
}
