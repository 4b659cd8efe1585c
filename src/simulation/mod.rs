//! A deterministic simulation of the server and its clients, from one seed.
//!
//! Many virtual clients use the real connections, sessions, parser and engine over virtual sockets,
//! in virtual time: requests are cut at any byte, replies are read in pieces or hardly at all,
//! clients go at any moment, waits end by time, the wall clock jumps. [`check`] says what must hold
//! after every turn, [`rest`] what must hold when nothing moves any more.
//!
//! `WEIR_SIM_SEEDS` sets how many seeds run, `WEIR_SIM_SEED` the first, `WEIR_SIM_STEPS` how long
//! each is. A seed that fails is printed, and fails again when it runs alone.

mod actor;
mod check;
mod crew;
mod crew_tests;
mod large_tests;
mod plays_tests;
mod record;
mod request;
mod rest;
mod world;

use std::sync::Arc;

use actor::Actor;
use check::Seen;
use record::Record;
use request::{Ask, HUNGRY_ROLES, LOUD_ROLES, POLICIES, ROLES, Role, STREAM};
use world::{Served, World, index, pick};

use crate::bench::wire::put_request;
use crate::config::Config;
use crate::store::Cause;
use crate::store::stream::dice::Dice;

/// What runs unless more is asked for: a few seconds in debug.
const SEEDS: u64 = 40;
const STEPS: u64 = 2_000;
/// Clients at most at one time.
const ACTORS_MAX: usize = 12;
/// What an outbox holds at most, in bytes.
const OUTBOX_BYTES_MAX: usize = 70_000;

/// One run.
struct Simulation {
    dice: Dice,
    world: World,
    actors: Vec<Actor>,
    record: Record,
    seen: Seen,
    /// How often a client goes, in ten thousand steps.
    deaths: u64,
    /// Whether somebody sets the wall clock now and then.
    has_jumps: bool,
    roles: &'static [Role],
    actors_ever: usize,
    /// A digest of what happened, to tell whether two runs were the same.
    trace: u64,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let overflow = pick(&mut dice, &["drop-oldest", "drop-newest", "disconnect"]);
        let limit = format!("normal 0 0 0 pubsub {OUTBOX_BYTES_MAX} 0 0");
        let config = Arc::new(Config::default());
        let settings = [
            ("client-output-buffer-limit", limit.as_str()),
            ("pubsub-overflow", overflow),
        ];
        config.set(&settings).expect("settings that there are");
        let workers_len = 1 + index(&mut dice, 3);
        let mut simulation = Self {
            world: World::new(config, workers_len, seed),
            actors: Vec::new(),
            record: Record::default(),
            seen: Seen::new(OUTBOX_BYTES_MAX),
            deaths: pick(&mut dice, &[0, 0, 20, 300]),
            has_jumps: dice.chance(40),
            roles: pick(&mut dice, &[&ROLES[..], &HUNGRY_ROLES, &LOUD_ROLES]),
            actors_ever: 0,
            trace: 0,
            dice,
        };
        simulation.prepare();
        simulation
    }

    /// Sets the policies and makes the group, by a client of its own.
    fn prepare(&mut self) {
        let slot = self.world.connect(0, usize::MAX);
        let group = format!("XGROUP CREATE {STREAM} g 0 MKSTREAM");
        let mut requests = Vec::new();
        for command in POLICIES.into_iter().chain([group.as_str()]) {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            put_request(&words, &mut requests);
        }
        let seated = self.world.seats[slot].as_ref().expect("it has come");
        let socket = seated.socket.clone();
        socket.send(&requests);
        self.world.serve_all(&mut self.dice);
        let replies = socket.receive(usize::MAX);
        assert_eq!(replies, b"+OK\r\n".repeat(5), "{}", replies.escape_ascii());
        socket.close(false);
        self.world.serve_all(&mut self.dice);
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..45 if !self.actors.is_empty() => {
                let at = index(&mut self.dice, self.actors.len());
                self.actors[at].act(&mut self.dice, &mut self.record);
            }
            45..90 => {
                self.serve();
            }
            90..93 => {
                let ms = self.dice.below(40);
                self.pass(ms);
            }
            93..96 if self.actors.len() < ACTORS_MAX => self.connect(),
            96 if self.has_jumps => self.jump(),
            _ => {}
        }
        if self.dice.below(10_000) < self.deaths && !self.actors.is_empty() {
            let at = index(&mut self.dice, self.actors.len());
            self.go(at);
        }
        // The moment between being served and looking is short, so it is sought.
        if self.deaths > 0 && self.dice.chance(5) {
            let is_served = |actor: &Actor| self.world.is_served(actor.slot);
            if let Some(at) = self.actors.iter().position(is_served) {
                self.go(at);
            }
        }
    }

    fn go(&mut self, at: usize) {
        if !self.actors[at].has_closed {
            self.actors[at].close(&mut self.dice);
        }
    }

    fn connect(&mut self) {
        let worker = index(&mut self.dice, self.world.engine.workers.len());
        let outbound_max = pick(&mut self.dice, &[60, 1_000, 100_000]);
        let slot = self.world.connect(worker, outbound_max);
        let role = pick(&mut self.dice, self.roles);
        let seated = self.world.seats[slot].as_ref().expect("it has come");
        let socket = seated.socket.clone();
        let number = self.actors_ever;
        self.actors_ever += 1;
        self.actors
            .push(Actor::new(number, slot, socket, role, &mut self.dice));
    }

    /// Gives one connection a turn and checks what came of it; false if nobody wants one.
    fn serve(&mut self) -> bool {
        let Some(served) = self.world.serve(&mut self.dice) else {
            return false;
        };
        if served.is_over {
            self.bury(&served);
        }
        self.note(served.slot as u64);
        self.seen
            .check(&self.world, &mut self.record, Some(&served));
        true
    }

    /// Notes what a client that has gone left unanswered.
    fn bury(&mut self, served: &Served) {
        let here = |actor: &Actor| actor.slot == served.slot;
        if let Some(at) = self.actors.iter().position(here) {
            let actor = self.actors.swap_remove(at);
            // It had nothing unanswered but the wait in which it stood, and what brings nothing.
            let mut asks = actor.asks.iter();
            let is_wait = matches!(asks.next(), Some(Ask::Wait { .. }));
            let is_alone = asks.all(|ask| matches!(ask, Ask::Plain));
            let is_whole = served.was_blocked && is_wait && is_alone;
            self.record.mourn(actor.asks.into_iter(), is_whole);
        }
    }

    fn pass(&mut self, ms: u64) {
        self.world.pass(ms);
        self.seen.check(&self.world, &mut self.record, None);
        self.note(ms);
    }

    /// Somebody sets the wall clock, forwards or back.
    fn jump(&mut self) {
        let ms = pick(&mut self.dice, &[1, 700, 90_000, 40_000_000_000]);
        let unix_ms = &mut self.world.now.unix_ms;
        *unix_ms = if self.dice.chance(50) {
            *unix_ms + ms
        } else {
            unix_ms.saturating_sub(ms)
        };
        self.seen.check(&self.world, &mut self.record, None);
        self.note(ms);
    }

    fn note(&mut self, what: u64) {
        let replies = self.record.replies;
        self.trace = (self.trace ^ what).wrapping_mul(0x0100_0000_01b3) ^ replies;
    }
}

/// What a seed, or several, came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    trace: u64,
    replies: u64,
    /// Replies that there was nothing, or nothing in time.
    nothings: u64,
    /// Waits that ended with a message from a queue.
    served: u64,
    delivered: u64,
    /// Messages that went back, because their client had gone.
    returned: u64,
    lost: u64,
    dead_letters: u64,
    /// Published messages that came to subscribers, and those that their outboxes let go of.
    heard: u64,
    unheard: u64,
    clients: u64,
}

impl Outcome {
    fn of(simulation: &Simulation) -> Self {
        let record = &simulation.record;
        let total = check::ledger(&simulation.world);
        let outboxes = simulation.world.engine.outbox_ledger();
        let got = record.fates.iter().filter(|fate| fate.got_by.is_some());
        Self {
            trace: simulation.trace,
            replies: record.replies,
            nothings: record.nothings,
            served: record.served,
            delivered: got.count() as u64,
            returned: total.returned.messages,
            lost: total.lost.sum().messages,
            dead_letters: total.lost.of(Cause::DeadLettered).messages,
            heard: outboxes.taken.messages,
            unheard: outboxes.came.messages - outboxes.taken.messages,
            clients: simulation.actors_ever as u64,
        }
    }

    fn add(&mut self, other: &Self) {
        self.trace ^= other.trace;
        self.replies += other.replies;
        self.nothings += other.nothings;
        self.served += other.served;
        self.delivered += other.delivered;
        self.returned += other.returned;
        self.lost += other.lost;
        self.dead_letters += other.dead_letters;
        self.heard += other.heard;
        self.unheard += other.unheard;
        self.clients += other.clients;
    }
}

fn run(seed: u64, steps: u64) -> Outcome {
    let mut simulation = Simulation::new(seed);
    for _ in 0..steps {
        simulation.step();
    }
    simulation.come_to_rest();
    simulation.check_at_rest();
    let outcome = Outcome::of(&simulation);
    simulation.part();
    outcome
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_breaks_whatever_happens() {
    let first = setting("WEIR_SIM_SEED", 1);
    let seeds = setting("WEIR_SIM_SEEDS", SEEDS);
    let steps = setting("WEIR_SIM_STEPS", STEPS);
    let mut sum = Outcome::default();
    for seed in first..first + seeds {
        let outcome = std::panic::catch_unwind(|| run(seed, steps));
        assert!(
            outcome.is_ok(),
            "seed {seed} fails: WEIR_SIM_SEED={seed} WEIR_SIM_SEEDS=1 WEIR_SIM_STEPS={steps} \
             cargo test --lib simulation"
        );
        sum.add(&outcome.unwrap_or_default());
    }
    println!("{seeds} seeds of {steps} steps: {sum:?}");
    // A simulation in which nothing happens proves nothing.
    if seeds * steps >= SEEDS * STEPS {
        let rare = [sum.returned, sum.dead_letters, sum.unheard];
        assert!(rare.iter().all(|count| *count > 0), "{sum:?}");
        let frequent = [sum.nothings, sum.served, sum.delivered, sum.lost, sum.heard];
        assert!(frequent.iter().all(|count| *count > seeds), "{sum:?}");
    }
}

#[test]
fn a_seed_repeats() {
    assert_eq!(run(7, 2_000), run(7, 2_000));
    assert_ne!(run(7, 2_000).trace, run(8, 2_000).trace);
}

/// A client that pipelines waits, and whose socket takes nothing, may be served twice before it is
/// gone: neither message goes with it.
#[test]
fn all_that_was_taken_for_a_client_comes_back() {
    let config = Arc::new(Config::default());
    let mut world = World::new(config, 1, 1);
    let mut dice = Dice::new(1);
    let [stuck, pusher] = [0, 1 << 10].map(|outbound_max| world.connect(0, outbound_max));
    let mut say = |slot: usize, line: &str| {
        let seated = world.seats[slot].as_ref().expect("it is there");
        seated.socket.send(format!("{line}\r\n").as_bytes());
        world.serve_all(&mut dice);
    };
    say(stuck, "BRPOP a 0\r\nBRPOP b 0");
    say(pusher, "RPUSH a 1");
    say(pusher, "RPUSH b 2");
    world.seats[stuck]
        .as_ref()
        .expect("it is there")
        .socket
        .close(true);
    world.serve_all(&mut dice);
    assert!(world.seats[stuck].is_none());
    let total = check::ledger(&world);
    assert_eq!((total.returned.messages, total.held().messages), (2, 2));
}
