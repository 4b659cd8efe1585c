//! Every way of losing a message, one test each: how much goes, and that it is counted. The rows
//! of docs/LOSS.md name these tests; `tidy` checks that they do.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use weir::clients::{Client, Origin, Place, Taken, TakenList, note_taken};
use weir::clock::Now;
use weir::command::{self, Call, Engine, Session};
use weir::config::Config;
use weir::metrics::{Counter, WorkerStats};
use weir::outbox::{CloseReason, Mailbox, Seat, WakeList};
use weir::overflow::{OutboxBounds, WhenFull};
use weir::protocol::{OwnedArgs, Reply, Resp};
use weir::store::{Cause, End, Ledger, ShardSet};

/// An engine and one client of it, without sockets.
struct Scene {
    engine: Engine,
    session: Session,
    now: Now,
}

impl Scene {
    fn new() -> Self {
        let now = Now {
            unix_ms: 1_700_000_000_000,
            mono_us: 1_000_000,
        };
        let engine = Engine::new(Arc::new(Config::default()), 1, 7, now);
        let origin = Origin {
            address: "127.0.0.1:1".into(),
            local_address: "127.0.0.1:2".into(),
            ip: None,
            fd: 3,
            by_unix_socket: false,
        };
        let client = Client::new(1, origin, Seat::default(), now.mono_us);
        let session = Session::new(Arc::new(client), true);
        Self {
            engine,
            session,
            now,
        }
    }

    fn with_call<R>(&mut self, act: impl FnOnce(&mut Call<'_, '_>) -> R) -> R {
        let (mut reply, mut wakes) = (Reply::new(Resp::V2), WakeList::default());
        let (engine, session) = (&self.engine, &mut self.session);
        let mut held = engine.keyspace.hold();
        let mut call = Call::new(
            engine, &mut held, session, &mut reply, &mut wakes, self.now, 0,
        );
        let result = act(&mut call);
        command::finish(&mut call);
        result
    }

    /// Runs a command; words are split at blanks.
    fn run(&mut self, command: &str) -> String {
        let request: OwnedArgs = command.split(' ').map(str::as_bytes).collect();
        self.with_call(|call| {
            command::execute(call, request.as_args());
            String::from_utf8_lossy(&call.reply.to_bytes()).into_owned()
        })
    }

    fn count(&self, counter: impl Fn(&WorkerStats) -> &Counter) -> u64 {
        counter(&self.engine.workers[0]).get()
    }

    /// The accounts of all queues and of all streams, which balance.
    fn ledgers(&self) -> [Ledger; 2] {
        let mut held = self.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        held.check_ledgers();
        let mut sums = [Ledger::default(), Ledger::default()];
        for (_, shard) in held.shards() {
            for db in 0..16 {
                sums[0].add(shard.ledger(db));
                sums[1].add(shard.streams_ledger(db));
            }
        }
        assert!(sums.iter().all(Ledger::is_settled), "{sums:?}");
        sums
    }

    /// The account of all queues.
    fn ledger(&self) -> Ledger {
        let [queues, _] = self.ledgers();
        queues
    }

    /// Entries of streams that one cause took.
    fn lost_entries(&self, cause: Cause) -> u64 {
        let [_, streams] = self.ledgers();
        streams.lost.of(cause).messages
    }

    /// Messages that one cause took.
    fn lost(&self, cause: Cause) -> u64 {
        self.ledger().lost.of(cause).messages
    }
}

/// Room for two of the messages that [`publish`] leaves.
fn bounds(when_full: WhenFull) -> OutboxBounds {
    OutboxBounds {
        messages_max: usize::MAX,
        bytes_max: 8,
        when_full,
    }
}

/// Leaves messages of four bytes; returns how many were let go of.
fn publish(mailbox: &Arc<Mailbox>, messages: &[&'static str], when_full: WhenFull) -> u64 {
    let mut wakes = WakeList::default();
    messages
        .iter()
        .map(|message| {
            let message = Bytes::from_static(message.as_bytes());
            mailbox.publish(message, bounds(when_full), &mut wakes)
        })
        .sum()
}

fn mailbox() -> Arc<Mailbox> {
    Arc::new(Mailbox::new(1, Seat::default()))
}

/// What the connection finds.
fn drain(mailbox: &Mailbox) -> (String, Option<CloseReason>) {
    let mut reply = Reply::new(Resp::V2);
    let close = mailbox.drain(&mut reply, usize::MAX);
    let text = String::from_utf8_lossy(&reply.to_bytes()).into_owned();
    (text, close)
}

#[test]
fn a_full_outbox_lets_the_oldest_go() {
    let mailbox = mailbox();
    let messages = ["aaaa", "bbbb", "cccc", "dddd"];
    assert_eq!(publish(&mailbox, &messages, WhenFull::DropOldest), 2);
    assert_eq!(mailbox.dropped_messages(), 2);
    assert_eq!(mailbox.backlog_bytes(), 8);
    assert_eq!(drain(&mailbox), ("ccccdddd".into(), None));
}

#[test]
fn a_full_outbox_lets_the_newest_go() {
    let mailbox = mailbox();
    let messages = ["aaaa", "bbbb", "cccc", "dddd"];
    assert_eq!(publish(&mailbox, &messages, WhenFull::DropNewest), 2);
    assert_eq!(mailbox.dropped_messages(), 2);
    assert_eq!(drain(&mailbox), ("aaaabbbb".into(), None));
}

#[test]
fn a_full_outbox_disconnects() {
    let mailbox = mailbox();
    let messages = ["aaaa", "bbbb", "cccc"];
    assert_eq!(publish(&mailbox, &messages, WhenFull::Disconnect), 3);
    assert_eq!(mailbox.dropped_messages(), 3);
    let nothing = (String::new(), Some(CloseReason::OutboxFull));
    assert_eq!(drain(&mailbox), nothing);
}

#[test]
fn what_outboxes_drop_is_counted_for_the_publisher() {
    let mut scene = Scene::new();
    let settings = [
        ("client-output-buffer-limit", "pubsub 64 0 0"),
        ("pubsub-overflow", "drop-oldest"),
    ];
    scene.engine.config.set(&settings).unwrap();
    scene.run("SUBSCRIBE news");
    for n in 0..3 {
        // 38 bytes on the wire: one waits.
        scene.with_call(|call| call.publish(weir::pubsub::Space::Global, b"news", &[b'0' + n]));
    }
    assert_eq!(scene.count(|stats| &stats.delivered), 3);
    assert_eq!(scene.count(|stats| &stats.outbox_dropped), 2);
}

#[test]
fn ltrim_counts_what_it_removes() {
    let mut scene = Scene::new();
    scene.run("RPUSH q a b c d e");
    assert_eq!(scene.run("LTRIM q 1 2"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Trimmed), 3);
    assert_eq!(scene.run("LTRIM q 5 1"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Trimmed), 5);
    assert_eq!(scene.run("EXISTS q"), ":0\r\n");
}

#[test]
fn deleting_a_queue_counts_its_messages() {
    let mut scene = Scene::new();
    scene.run("RPUSH q a b c");
    scene.run("SET s text");
    assert_eq!(scene.run("DEL q s"), ":2\r\n");
    assert_eq!(scene.lost(Cause::Deleted), 3);
    scene.run("RPUSH old a b");
    scene.run("RPUSH new c");
    assert_eq!(scene.run("RENAME new old"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Deleted), 5);
    assert_eq!(scene.run("SET old text"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Deleted), 6);
}

#[test]
fn a_queue_that_expires_counts_its_messages() {
    let mut scene = Scene::new();
    scene.run("RPUSH q a b c");
    assert_eq!(scene.run("PEXPIRE q 100"), ":1\r\n");
    scene.now = scene.now.after(Duration::from_millis(101));
    assert_eq!(scene.run("EXISTS q"), ":0\r\n");
    assert_eq!(scene.lost(Cause::ExpiredKey), 3);
}

#[test]
fn flushing_counts_what_goes() {
    let mut scene = Scene::new();
    scene.run("RPUSH a 1 2 3");
    scene.run("LPOP a");
    scene.run("RPUSH b 1");
    assert_eq!(scene.run("FLUSHDB"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Flushed), 3);
    scene.run("SELECT 5");
    scene.run("RPUSH c 1 2");
    assert_eq!(scene.run("FLUSHALL"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Flushed), 5);
    assert_eq!(scene.ledger().out.messages, 1);
}

#[test]
fn what_clients_remove_is_counted() {
    let mut scene = Scene::new();
    scene.run("RPUSH q a b a ccc");
    assert_eq!(scene.run("LREM q 0 a"), ":2\r\n");
    assert_eq!(scene.run("LSET q 1 dd"), "+OK\r\n");
    assert_eq!(scene.lost(Cause::Removed), 3);
    let ledger = scene.ledger();
    assert_eq!((ledger.came.messages, ledger.came.bytes), (5, 8));
    assert_eq!(ledger.lost.of(Cause::Removed).bytes, 5);
    assert_eq!(ledger.held().bytes, 3);
}

#[test]
fn what_waits_for_a_client_that_leaves_is_counted() {
    let mut scene = Scene::new();
    scene.run("SUBSCRIBE news");
    for message in [b"a", b"b"] {
        scene.with_call(|call| call.publish(weir::pubsub::Space::Global, b"news", message));
    }
    scene.with_call(command::leave);
    let ledger = scene.engine.outbox_ledger();
    assert_eq!((ledger.came.messages, ledger.closed.messages), (2, 2));
    assert!(ledger.is_balanced());
}

#[test]
fn a_returned_message_without_a_place_is_counted() {
    let mut scene = Scene::new();
    let taken = |scene: &Scene, name: &[u8]| {
        let message = Taken {
            place: Place::Queue {
                end: End::Front,
                arrival: 1,
            },
            message: b"m".to_vec(),
        };
        let mut list = TakenList::new();
        note_taken(&mut list, &scene.engine.keyspace.key(0, name), message);
        list.into_vec()
    };
    let back = taken(&scene, b"q");
    scene.with_call(|call| command::put_back(call, back));
    assert_eq!(scene.run("LRANGE q 0 -1"), "*1\r\n$1\r\nm\r\n");
    assert_eq!(scene.ledger().returned.messages, 1);

    scene.run("SET s text");
    let lost = taken(&scene, b"s");
    scene.with_call(|call| command::put_back(call, lost));
    assert_eq!(scene.ledger().returned.messages, 1);
    assert_eq!(scene.lost(Cause::ReturnedLost), 1);
    assert_eq!(scene.run("GET s"), "$4\r\ntext\r\n");
}

#[test]
fn an_entry_delivered_too_often_is_counted() {
    for (dead_letter, dead_lettered) in [("", 0), (" DEAD-LETTER dead", 1)] {
        let mut scene = Scene::new();
        scene.run("XADD s 1-1 f v");
        scene.run("XGROUP CREATE s g 0");
        scene.run(&format!(
            "WEIR.POLICY SET s KIND stream MAX-DELIVERIES 1{dead_letter}"
        ));
        scene.run("XREADGROUP GROUP g c STREAMS s >");
        assert_eq!(scene.run("XCLAIM s g d 0 1-1"), "*0\r\n");
        let mut held = scene.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        let counts = held
            .shards()
            .map(|(_, shard)| (shard.exhausted, shard.dead_lettered));
        let (dropped, moved): (Vec<u64>, Vec<u64>) = counts.unzip();
        assert_eq!(dropped.iter().sum::<u64>(), 1 - dead_lettered);
        assert_eq!(moved.iter().sum::<u64>(), dead_lettered);
        drop(held);
        let len = scene.run("XLEN dead");
        assert_eq!(len, format!(":{dead_lettered}\r\n"));
    }
}

#[test]
fn trimming_and_deleting_entries_is_counted() {
    let mut scene = Scene::new();
    for id in 1..=5 {
        scene.run(&format!("XADD s {id} f v"));
    }
    scene.run("XADD s MAXLEN 5 6 f v");
    scene.run("XTRIM s MAXLEN 4");
    assert_eq!(scene.lost_entries(Cause::Trimmed), 2);
    scene.run("XDEL s 3 99");
    scene.run("XDELEX s IDS 1 4");
    assert_eq!(scene.lost_entries(Cause::Removed), 2);
}

#[test]
fn what_a_stream_under_a_policy_lets_go_of_is_counted() {
    let mut scene = Scene::new();
    scene.run("XADD s 1-1 f v");
    scene.run("XADD s * f v");
    scene.run("WEIR.POLICY SET s KIND stream MAX-AGE 1000");
    assert_eq!(scene.run("XLEN s"), ":1\r\n");
    assert_eq!(scene.lost_entries(Cause::ExpiredAge), 1);
    scene.run("WEIR.POLICY SET s KIND stream MAX-LENGTH 1");
    scene.run("XADD s * f w");
    assert_eq!(scene.lost_entries(Cause::OverflowOldest), 1);
    scene.run("WEIR.POLICY SET s KIND stream MAX-LENGTH 1 OVERFLOW drop-newest");
    scene.run("XADD s * f x");
    assert_eq!(scene.lost_entries(Cause::OverflowNewest), 1);
    assert!(scene.run("XRANGE s - +").ends_with("f\r\n$1\r\nw\r\n"));
}

#[test]
fn a_stream_that_goes_as_a_whole_is_counted() {
    let mut scene = Scene::new();
    for name in ["a", "b", "c", "d"] {
        scene.run(&format!("XADD {name} 1-1 f v"));
    }
    scene.run("DEL a");
    scene.run("SET b text");
    assert_eq!(scene.lost_entries(Cause::Deleted), 2);
    scene.run("PEXPIRE c 1");
    scene.now = scene.now.after(Duration::from_millis(2));
    scene.run("EXISTS c");
    assert_eq!(scene.lost_entries(Cause::ExpiredKey), 1);
    scene.run("FLUSHALL");
    assert_eq!(scene.lost_entries(Cause::Flushed), 1);
}
