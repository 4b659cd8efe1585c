//! Everything that commands share: the keyspace, channels, clients, settings and counters.

use std::fmt::Write;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use crate::acl::{Attempts, Log, Users};
use crate::clients::{Client, Clients, Origin, TakenFrom};
use crate::clock::Now;
use crate::config::{Config, PubsubOverflow};
use crate::metrics::{Counter, Rates, Totals, WorkerStats};
use crate::outbox::{Mailbox, OutboxLedger, Seat};
use crate::overflow::{OutboxBounds, WhenFull};
use crate::policy::{self, Policies, Routes};
use crate::pubsub::PubSub;
use crate::store::{Held, Keyspace, ShardSet};
use crate::sync::Lock;

use super::alerts::Alerts;
use super::early::Early;
use super::latency::LatencyLog;
use super::pause::{Paused, Pauses};
use super::pressure::Pressure;
use super::rest::Rest;
use super::script::{Library, Running};
use super::slowlog::Slowlog;
use super::table::table;

/// How a command that takes long has the other connections of its worker served, inside its turn.
#[derive(Clone, Copy, Debug)]
pub struct Meanwhile {
    /// For a script, of which there is one at most: it must hear that it is to end.
    pub always: fn(),
    /// For what many clients may do at once: does nothing while a turn is inside of another one's.
    pub unless_inside: fn(),
}

/// Reasons why a command may need more than running its handler; one load tells that there is none.
#[derive(Debug, Default)]
pub struct Gates(AtomicU32);

impl Gates {
    /// CLIENT PAUSE is in force.
    pub const PAUSED: u32 = 1;
    /// Somebody runs MONITOR.
    pub const MONITORED: u32 = 1 << 1;
    /// Memory is over the budget.
    pub const OVER_BUDGET: u32 = 1 << 2;
    /// Every command is timed, because SLOWLOG or LATENCY wants short ones too.
    pub const TIMED: u32 = 1 << 3;
    /// A script has run for longer than `busy-reply-threshold`. It has let go of the shards so that
    /// nobody hangs on them, and whoever gets one meanwhile must not use it: they look at this gate
    /// once more when they hold what they need.
    pub const BUSY: u32 = 1 << 4;
    /// The default user may not do everything, so sessions must ask even if they are nobody else.
    pub const RESTRICTED: u32 = 1 << 5;
    /// A script or a long command lets others be served beside it. It has let go of its shards, and
    /// those that it has used are still its own: who holds one of them asks [`Engine::is_kept`]
    /// before using it.
    pub const RESTING: u32 = 1 << 6;

    /// The reasons in force. Relaxed: a command that races with the change may miss it.
    #[inline]
    pub fn load(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Opens or closes one.
    pub fn set(&self, gate: u32, in_force: bool) {
        if in_force {
            self.0.fetch_or(gate, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!gate, Ordering::Relaxed);
        }
    }
}

/// The state that all commands and workers share.
#[derive(Debug)]
pub struct Engine {
    /// What is stored.
    pub keyspace: Keyspace,
    /// Who listens to what.
    pub pubsub: PubSub,
    /// Who is connected.
    pub clients: Clients,
    /// The settings.
    pub config: Arc<Config>,
    /// Counters, one set per worker.
    pub workers: Box<[WorkerStats]>,
    /// See [`Gates`].
    pub gates: Gates,
    /// CLIENT PAUSE.
    pub pauses: Pauses,
    /// Scripts that clients loaded.
    pub scripts: Library,
    /// The script that runs now.
    pub running: Running,
    /// The script or long command that lets others be served beside it.
    pub rest: Rest,
    /// How a command that takes long has others served; set once, at start.
    pub meanwhile: OnceLock<Meanwhile>,
    /// Commands that took long.
    pub slowlog: Slowlog,
    /// Events that took long.
    pub latency: LatencyLog,
    /// What happens per second now, sampled by a tick.
    pub rates: Lock<Rates>,
    /// Connections that run MONITOR.
    pub monitors: Lock<Vec<Arc<Mailbox>>>,
    /// When the server started.
    pub started: Now,
    /// Forty hexadecimal digits that name this run.
    pub run_id: String,
    /// Raised once, by SHUTDOWN or a signal.
    pub is_shutting_down: AtomicBool,
    /// Whether ticks remove expired keys; DEBUG SET-ACTIVE-EXPIRE leaves it to traffic.
    pub expires_by_time: AtomicBool,
    /// Seconds since the epoch of the last SAVE or its kin, which do nothing; else of the start.
    pub saved_s: AtomicU64,
    /// Clients that wait in lines or for the end of a pause.
    pub blocked_clients_len: AtomicUsize,
    /// Resident memory of the process, read by a tick, in bytes.
    pub resident_bytes: AtomicU64,
    /// What `resident_bytes` is read from. It stays open, because memory is to be watched also
    /// while there are no descriptors left to open it with.
    pub(super) statm: Option<File>,
    /// The most that `resident_bytes` ever was.
    pub resident_bytes_peak: AtomicU64,
    /// Where the server listens.
    pub addresses: Lock<Vec<String>>,
    /// The routes; a leaf like `policies`.
    routes: Lock<Arc<Routes>>,
    /// Whether there are routes, so that publishers need not ask where there are none.
    pub has_routes: AtomicBool,
    /// What goes back to its keys when a step that rests has ended and keeps them no more; of
    /// clients that went meanwhile, of the tick after.
    pub(super) returned: Lock<Vec<TakenFrom>>,
    /// When workers are to look again before their next tick.
    pub early: Early,
    /// Whether any policy lets messages go for memory.
    pub sheds: AtomicBool,
    /// Whether any policy asks to be told of queues.
    pub has_alarms: AtomicBool,
    /// What was told of queues; of the tick, and of those who read it.
    pub alerts: Lock<Alerts>,
    /// Where metrics and the dashboard are, once that is known.
    pub http_address: OnceLock<String>,
    /// What is known of the pressure on memory; of the tick.
    pub(super) pressure: Lock<Pressure>,
    /// Who may do what.
    pub users: Users,
    /// What was refused.
    pub denials: Log,
    /// Failed logins from other machines.
    pub attempts: Attempts,
    /// Clients ended because all together held too much; written by the first worker.
    pub evicted_clients: Counter,
    /// Monotonic microseconds of the last look at clients that hold too much; of the first worker.
    pub(super) excess_looked_us: AtomicU64,
    /// Stands in where time acts and no client does.
    pub nobody: Arc<Client>,
    /// The policies in force; changed while all shards are held.
    policies: Lock<Arc<Policies>>,
    /// Whether any policy is for channels, so that publishers need not ask where none is.
    has_channel_policies: AtomicBool,
    /// The account of the outboxes of clients that have gone.
    pub departed: Lock<OutboxLedger>,
    /// Connections turned away; written by all.
    pub rejected_connections: Counter,
    shutdown_waker: Lock<Option<Waker>>,
    /// The last ticket given to a waiter; the first is 1.
    tickets: AtomicU64,
    /// Randomness for commands that answer something random.
    entropy: AtomicU64,
}

impl Engine {
    /// An empty server for `workers_len` workers; `seed` is its only randomness.
    pub fn new(config: Arc<Config>, workers_len: usize, seed: u64, now: Now) -> Self {
        let stats = || WorkerStats::new(table().stats_len());
        let mut digits = seed;
        let mut run_id = String::new();
        while run_id.len() < 40 {
            digits = mix(digits);
            // Writing to a string cannot fail.
            let _ = write!(run_id, "{digits:016x}");
        }
        run_id.truncate(40);
        let engine = Self {
            keyspace: Keyspace::new(seed),
            pubsub: PubSub::new(),
            clients: Clients::default(),
            config,
            workers: (0..workers_len).map(|_| stats()).collect(),
            gates: Gates::default(),
            pauses: Pauses::default(),
            scripts: Library::default(),
            running: Running::default(),
            rest: Rest::default(),
            meanwhile: OnceLock::new(),
            slowlog: Slowlog::default(),
            latency: LatencyLog::default(),
            rates: Lock::default(),
            monitors: Lock::default(),
            started: now,
            run_id,
            is_shutting_down: AtomicBool::new(false),
            expires_by_time: AtomicBool::new(true),
            saved_s: AtomicU64::new(now.unix_ms / 1000),
            blocked_clients_len: AtomicUsize::new(0),
            resident_bytes: AtomicU64::new(0),
            statm: File::open("/proc/self/statm").ok(),
            resident_bytes_peak: AtomicU64::new(0),
            addresses: Lock::default(),
            routes: Lock::default(),
            has_routes: AtomicBool::new(false),
            returned: Lock::default(),
            early: Early::new(workers_len),
            sheds: AtomicBool::new(false),
            has_alarms: AtomicBool::new(false),
            alerts: Lock::default(),
            http_address: OnceLock::new(),
            pressure: Lock::default(),
            users: Users::new(super::acl::catalogue()),
            denials: Log::default(),
            attempts: Attempts::default(),
            evicted_clients: Counter::default(),
            excess_looked_us: AtomicU64::new(0),
            nobody: Arc::new(Client::new(
                0,
                Origin::default(),
                Seat::default(),
                now.mono_us,
            )),
            policies: Lock::default(),
            has_channel_policies: AtomicBool::new(false),
            departed: Lock::default(),
            rejected_connections: Counter::default(),
            shutdown_waker: Lock::default(),
            tickets: AtomicU64::new(0),
            entropy: AtomicU64::new(seed),
        };
        engine.note_settings();
        super::acl::set_default_password(&engine);
        // The settings were read with the same rules.
        let policies = Policies::parse(&engine.config.policy_text()).unwrap_or_default();
        engine.govern(&mut engine.keyspace.hold(), policies);
        let routes = Routes::parse(&engine.config.route_text()).unwrap_or_default();
        engine.lead(|in_force| *in_force = routes);
        engine
    }

    /// The routes in force.
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.lock())
    }

    /// Changes the routes in force. A publication that races with it may follow those before.
    pub fn lead<R>(&self, change: impl FnOnce(&mut Routes) -> R) -> R {
        let mut in_force = self.routes.lock();
        let mut routes = (**in_force).clone();
        let result = change(&mut routes);
        self.has_routes.store(!routes.is_empty(), Ordering::Relaxed);
        self.config.keep_route_text(routes.to_lines().join("; "));
        *in_force = Arc::new(routes);
        result
    }

    /// The policies in force.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.lock())
    }

    /// Puts everything under other policies in one step. Queues with more than they may hold are
    /// left in their shard's `unsettled`.
    pub fn govern(&self, held: &mut Held<'_>, policies: Policies) {
        held.need(ShardSet::ALL);
        let policies = Arc::new(policies);
        let mut dead_letters = ShardSet::EMPTY;
        for name in policies.dead_letters() {
            let key = self.keyspace.key(0, name);
            dead_letters.insert(self.keyspace.shard_of(&key));
        }
        for (_, shard) in held.shards() {
            shard.govern(&policies, dead_letters);
        }
        self.has_channel_policies
            .store(policies.has(policy::Kind::Channel), Ordering::Relaxed);
        self.config.keep_policy_text(policies.to_lines().join("; "));
        *self.policies.lock() = policies;
        super::pressure::note_policies(self);
    }

    /// Bounds of a subscriber's outbox for what is published to a channel.
    pub fn outbox_bounds_of(&self, channel: &[u8]) -> OutboxBounds {
        let default = self.outbox_bounds();
        if !self.has_channel_policies.load(Ordering::Relaxed) {
            return default;
        }
        let policies = self.policies();
        let rule = policies.rule_of(policy::Kind::Channel, channel);
        rule.map_or(default, |rule| rule.outbox_bounds(default))
    }

    /// A ticket later than all before.
    pub fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The next of a sequence of well mixed numbers (splitmix64) that the seed determines.
    pub fn random(&self) -> u64 {
        mix(self
            .entropy
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// Works out the gates that depend on settings and memory; after either changed.
    pub fn note_settings(&self) {
        let live = self.config.live();
        let limit = live.maxmemory_bytes();
        let over = limit > 0 && self.resident_bytes.load(Ordering::Relaxed) > limit;
        self.gates.set(Gates::OVER_BUDGET, over);
        let slower_than_us = live.slowlog_slower_than_us();
        let timed = (0..SLOWLOG_SAMPLED_US_MIN).contains(&slower_than_us)
            || live.latency_threshold_ms() > 0;
        self.gates.set(Gates::TIMED, timed);
    }

    /// Bounds of a subscriber's outbox: the hard limit of `client-output-buffer-limit pubsub`.
    pub fn outbox_bounds(&self) -> OutboxBounds {
        let live = self.config.live();
        let hard_bytes = live.output_limit_pubsub().hard_bytes;
        let bytes_max = match usize::try_from(hard_bytes) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(bytes) => bytes,
        };
        OutboxBounds {
            messages_max: usize::MAX,
            bytes_max,
            when_full: when_full(live.pubsub_overflow()),
        }
    }

    /// Whether the default user has a password, so that protected mode has nothing to protect.
    pub fn has_password(&self) -> bool {
        !self.users.default_account().user().takes_any_password()
    }

    /// What CLIENT PAUSE holds up now.
    pub fn paused(&self, now_ms: u64) -> Option<Paused> {
        self.pauses.in_force(&self.gates, now_ms)
    }

    /// Whether a script is over its time. For who holds a shard this does not change meanwhile.
    pub fn is_busy(&self) -> bool {
        self.gates.load() & Gates::BUSY != 0
    }

    /// Holds a shard for looking at what is measured there, which changes nothing that a step that
    /// rests sees. `None` while a script is over its time, when nobody is told anything.
    pub fn hold_to_measure(&self, shard: u32) -> Option<Held<'_>> {
        let mut held = self.keyspace.hold();
        held.need(ShardSet::one(shard));
        (!self.is_busy()).then_some(held)
    }

    /// Holds a shard, unless a step that rests keeps it.
    pub fn hold_calm(&self, shard: u32) -> Option<Held<'_>> {
        let set = ShardSet::one(shard);
        let mut held = self.keyspace.hold();
        held.need(set);
        (!self.is_kept(set)).then_some(held)
    }

    /// Whether clients must say who they are.
    pub fn asks_who(&self) -> bool {
        !self.users.is_open()
    }

    /// Whether a client may do everything without saying who it is.
    pub fn is_open(&self) -> bool {
        !self.asks_who() && self.gates.load() & Gates::RESTRICTED == 0
    }

    /// Makes the users that the settings and the ACL file speak of; once, at start.
    pub fn load_users(&self) -> Result<(), String> {
        super::acl::load_at_start(self)
    }

    /// Works out the gate that depends on users, after any of them changed.
    pub fn note_users(&self) {
        let default = self.users.default_account().user();
        self.gates
            .set(Gates::RESTRICTED, !default.may_do_everything());
    }

    /// Notes where the server listens, for INFO.
    pub fn note_addresses(&self, addresses: &[String]) {
        *self.addresses.lock() = addresses.to_vec();
    }

    /// Starts the shutdown.
    pub fn shut_down(&self) {
        self.is_shutting_down.store(true, Ordering::Relaxed);
        let waker = self.shutdown_waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Leaves the waker of the task that carries out the shutdown.
    pub fn register_shutdown(&self, waker: &Waker) {
        *self.shutdown_waker.lock() = Some(waker.clone());
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, counter: impl Fn(&WorkerStats) -> &Counter) -> u64 {
        self.workers.iter().map(|stats| counter(stats).get()).sum()
    }

    /// The account of all outboxes, those of clients that have gone included.
    pub fn outbox_ledger(&self) -> OutboxLedger {
        let clients = self.clients.all();
        // A client that leaves from here on either has not yet moved its account, or waits to.
        let departed = self.departed.lock();
        let mut sum = *departed;
        for client in clients {
            sum.append(&client.mailbox.ledger());
        }
        sum
    }

    /// Samples what INFO shows per second.
    pub fn note_rates(&self, now_us: u64) {
        let totals = Totals {
            commands: self.sum(|stats| &stats.commands_total),
            received_bytes: self.sum(|stats| &stats.received_bytes),
            sent_bytes: self.sum(|stats| &stats.sent_bytes),
        };
        self.rates.lock().sample(now_us, totals);
    }

    /// Takes a fresh reading of resident memory.
    pub fn note_memory(&self, resident_bytes: u64) {
        self.resident_bytes.store(resident_bytes, Ordering::Relaxed);
        self.resident_bytes_peak
            .fetch_max(resident_bytes, Ordering::Relaxed);
        self.note_settings();
    }
}

fn when_full(overflow: PubsubOverflow) -> WhenFull {
    match overflow {
        PubsubOverflow::DropOldest => WhenFull::DropOldest,
        PubsubOverflow::DropNewest => WhenFull::DropNewest,
        PubsubOverflow::Disconnect => WhenFull::Disconnect,
    }
}

/// A slowlog threshold below this makes every command timed; above it, commands of constant time
/// are timed one call in 64, as none of them comes near it.
const SLOWLOG_SAMPLED_US_MIN: i64 = 1000;

/// The mixing step of splitmix64 (Steele, Lea and Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
