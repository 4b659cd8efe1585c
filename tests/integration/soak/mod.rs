//! The soak of consumer groups: producers add, consumers read, acknowledge, claim and are killed at
//! random, all at full speed. Every entry is acknowledged in every group, none comes twice without
//! a claim, and whenever everything is held for a moment the server's counts are right.
//!
//! Settings: `WEIR_SOAK_ENTRIES` (how many in all), `WEIR_SOAK_SEED`.

#![allow(
    clippy::disallowed_types,
    reason = "a lock that is poisoned by a failed assertion ends the test, not the process"
)]

mod check;
mod consumer;
mod ledger;
mod replies;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;

use redis::{Connection, cmd, pipe};

use crate::amount;
use crate::rng::Rng;
use crate::server::Server;
use consumer::Consumer;
use ledger::{Id, Ledger};
use replies::id_of;

const KEY: &str = "log";
const GROUPS: usize = 4;
const CONSUMERS_PER_GROUP: usize = 4;
const PRODUCERS: usize = 8;
const CHECKPOINTS: usize = 10;
/// Entries that a producer sends at once, at most.
const BATCH: usize = 100;

/// What all threads share.
struct Soak {
    address: SocketAddr,
    total: usize,
    /// Held for reading by who acts, for writing by who checks.
    gate: RwLock<()>,
    ledgers: Vec<Mutex<Ledger>>,
    /// Numbers given to producers, and entries that the server has confirmed.
    next: AtomicUsize,
    added: AtomicUsize,
    last_id: Mutex<Id>,
    /// See [`Ledger`].
    moment: AtomicU64,
    /// Connections that should be open.
    open: AtomicUsize,
    kills: AtomicUsize,
    /// Somebody has failed; the others need not go on.
    failed: AtomicBool,
}

/// Tells the others when its thread panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Soak {
    fn connect(&self, protocol: &str) -> Connection {
        let url = format!("redis://{}/?protocol={protocol}", self.address);
        let client = redis::Client::open(url).unwrap();
        self.open.fetch_add(1, Ordering::Relaxed);
        client.get_connection().expect("a connection")
    }

    /// Closes a connection; the answer to what was last sent may never be read.
    fn disconnect(&self, connection: Connection) {
        drop(connection);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::Relaxed)
    }

    fn added(&self) -> usize {
        self.added.load(Ordering::Relaxed)
    }

    /// Adds entries until all numbers are given out; who completes a tenth checks everything.
    fn produce(&self, mut rng: Rng) {
        let _alarm = Alarm(&self.failed);
        let mut connection = self.connect("resp2");
        loop {
            let acting = self.gate.read().unwrap();
            let wanted = 1 + rng.below(BATCH);
            let first = self.next.fetch_add(wanted, Ordering::Relaxed);
            let numbers = first.min(self.total)..(first + wanted).min(self.total);
            if numbers.is_empty() || self.failed.load(Ordering::Relaxed) {
                break;
            }
            let count = numbers.len();
            let mut adds = pipe();
            for number in numbers {
                let payload = format!("{number:064}");
                adds.cmd("XADD").arg(KEY).arg("*");
                adds.arg("number").arg(number).arg("payload").arg(payload);
            }
            let ids: Vec<String> = adds.query(&mut connection).unwrap();
            let ids: Vec<Id> = ids.iter().map(|id| id_of(id)).collect();
            assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
            let mut last = self.last_id.lock().unwrap();
            *last = (*last).max(ids[ids.len() - 1]);
            drop(last);
            let before = self.added.fetch_add(count, Ordering::Relaxed);
            drop(acting);
            let tenth = |added: usize| added * CHECKPOINTS / self.total;
            if tenth(before + count) > tenth(before) {
                self.check(&mut connection);
            }
        }
        self.disconnect(connection);
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn groups_hand_out_every_entry_though_consumers_die() {
    let server = Server::weir(&[]);
    let total = setting("WEIR_SOAK_ENTRIES", amount(20_000, 200_000));
    let seed = setting("WEIR_SOAK_SEED", 1) as u64;
    let soak = Soak {
        address: server.address,
        total,
        gate: RwLock::new(()),
        ledgers: (0..GROUPS)
            .map(|_| Mutex::new(Ledger::new(total)))
            .collect(),
        next: AtomicUsize::new(0),
        added: AtomicUsize::new(0),
        last_id: Mutex::new((0, 0)),
        moment: AtomicU64::new(1),
        open: AtomicUsize::new(0),
        kills: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
    };
    let mut control = soak.connect("resp3");
    for group in 0..GROUPS {
        let mut create = cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(KEY)
            .arg(group_name(group))
            .arg("0");
        create.arg("MKSTREAM").arg("ENTRIESREAD").arg(0);
        create.exec(&mut control).unwrap();
    }
    let mut seeds = Rng::new(seed);
    thread::scope(|scope| {
        for _ in 0..PRODUCERS {
            let rng = Rng::new(seeds.next());
            scope.spawn(|| soak.produce(rng));
        }
        for index in 0..GROUPS * CONSUMERS_PER_GROUP {
            let consumer = Consumer::new(&soak, index, Rng::new(seeds.next()));
            scope.spawn(|| consumer.run());
        }
    });
    soak.check(&mut control);
    let mut claimed = 0;
    for ledger in &soak.ledgers {
        let ledger = ledger.lock().unwrap();
        assert_eq!(ledger.acknowledged_len(), total);
        claimed += ledger.claimed;
    }
    let kills = soak.kills.load(Ordering::Relaxed);
    println!("soak: {total} entries, seed {seed}, {kills} consumers killed, {claimed} claims");
    assert!(kills > 0 && claimed > 0);
}

fn group_name(group: usize) -> String {
    format!("group-{group}")
}
