//! A scripted run with known arrival and service times: what is told of a queue is within 5% or one
//! tick of what the clients saw.
//!
//! Time is handed in, so a run of minutes takes none. The clients keep their own record of every
//! push and delivery; once a second the queue is asked, and compared with that record.

use crate::command::testing::Bench;
use crate::store::State;

use super::{Row, row_of};

/// One step of the script.
const STEP_MS: u64 = 5;
/// A second as the meter means it, and a window of waits.
const SECOND_MS: u64 = 1024;
const WINDOW_MS: u64 = 30 * SECOND_MS;
const QUARTER_MS: u64 = 256;
const TICK_MS: u64 = 1;

/// What the clients saw, by the wall clock.
#[derive(Default)]
struct Seen {
    pushed: Vec<u64>,
    /// When, and how long the message had waited.
    popped: Vec<(u64, u64)>,
}

struct Run {
    bench: Bench,
    seen: Seen,
    waiting: std::collections::VecDeque<u64>,
    random: u64,
    checks: u64,
}

fn count_between(moments: impl Iterator<Item = u64>, from: u64, to: u64) -> u64 {
    moments.filter(|at| (from..to).contains(at)).count() as u64
}

/// Whether two values are within a twentieth of each other, or within `tick`.
fn is_near(told: f64, truth: f64, tick: f64) -> bool {
    (told - truth).abs() <= (truth * 0.05).max(tick)
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
impl Run {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            seen: Seen::default(),
            waiting: std::collections::VecDeque::new(),
            random: 88,
            checks: 0,
        }
    }

    /// Whether something that happens so often a second happens in this step.
    fn happens(&mut self, per_second: u64) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 1000 < per_second * STEP_MS
    }

    fn now(&self) -> u64 {
        self.bench.now.unix_ms
    }

    /// Messages come and go at these mean rates for a while.
    fn phase(&mut self, seconds: u64, push_rate: u64, pop_rate: u64) -> Row {
        for step in 0..seconds * 1000 / STEP_MS {
            if self.happens(push_rate) {
                assert!(self.bench.run("RPUSH jobs payload").starts_with(':'));
                self.seen.pushed.push(self.now());
                self.waiting.push_back(self.now());
            }
            if self.happens(pop_rate) && self.bench.run("LPOP jobs") != "$-1" {
                let since = self.waiting.pop_front().unwrap();
                self.seen.popped.push((self.now(), self.now() - since));
            }
            self.bench.pass(STEP_MS);
            if step % 200 == 199 {
                self.check();
            }
        }
        self.look()
    }

    fn look(&self) -> Row {
        let key = self.bench.engine.keyspace.key(0, b"jobs");
        row_of(&mut self.bench.engine.keyspace.hold(), &key, self.bench.now)
    }

    fn check(&mut self) {
        let now = self.now();
        let row = self.look();
        let figures = &row.backlog.figures;
        assert_eq!(figures.held.messages, self.waiting.len() as u64);
        let age_ms = self.waiting.front().map(|pushed| now - pushed);
        match (figures.age_ms, age_ms) {
            (Some(told), Some(truth)) => assert!(told.abs_diff(truth) <= TICK_MS),
            (told, truth) => assert_eq!(told, truth),
        }
        // The meter tells of whole seconds, the last of which may have ended a second ago.
        let end = now / SECOND_MS * SECOND_MS;
        for (window, seconds) in [(0, 1), (1, 10)] {
            let (from, span) = (end - seconds * SECOND_MS, seconds * SECOND_MS);
            let pushed = count_between(self.seen.pushed.iter().copied(), from, end);
            let popped = count_between(self.seen.popped.iter().map(|(at, _)| *at), from, end);
            let per_second = |count: u64| count as f64 * 1000.0 / span as f64;
            let tick = 1000.0 / span as f64;
            for (told, truth) in [
                (figures.rates.came[window], per_second(pushed)),
                (figures.rates.out[window], per_second(popped)),
            ] {
                assert!(
                    is_near(told, truth, tick),
                    "window {window}: {told}, not {truth}"
                );
            }
        }
        self.check_waits(&row, now);
        self.checks += 1;
    }

    fn check_waits(&self, row: &Row, now: u64) {
        // Windows begin where the meter's count of quarters says, which is cut to 32 bits.
        let in_window = (now / QUARTER_MS) % (1 << 32) * QUARTER_MS % WINDOW_MS;
        let since = now / QUARTER_MS * QUARTER_MS - in_window - WINDOW_MS;
        let popped = self.seen.popped.iter().filter(|(at, _)| *at >= since);
        let mut waits: Vec<u64> = popped.map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        let Some(waited) = row.backlog.waited else {
            assert!(waits.is_empty());
            return;
        };
        assert_eq!(waited.count, waits.len() as u64);
        for (told, share) in [
            (waited.p50_ms, 0.5),
            (waited.p90_ms, 0.9),
            (waited.p99_ms, 0.99),
            (waited.max_ms, 1.0),
        ] {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in the list"
            )]
            let rank = (waits.len() as f64 * share).ceil() as usize;
            let truth = waits[rank.max(1) - 1];
            assert!(
                is_near(told as f64, truth as f64, TICK_MS as f64),
                "{share}: {told} ms, not {truth} ms, of {}",
                waits.len()
            );
        }
    }
}

#[test]
fn what_is_told_is_what_the_clients_saw() {
    let mut run = Run::new();
    let row = run.phase(40, 60, 90);
    assert_eq!(row.backlog.figures.state(), State::Flowing);
    let row = run.phase(40, 80, 50);
    let figures = &row.backlog.figures;
    assert_eq!(
        (figures.state(), figures.drain_s()),
        (State::BuildingUp, None)
    );
    let row = run.phase(20, 5, 0);
    assert_eq!(row.backlog.figures.state(), State::Stalled);
    let row = run.phase(20, 20, 120);
    let figures = &row.backlog.figures;
    assert_eq!(figures.state(), State::Flowing);
    // It drains when it says that it will.
    let drain_s = figures.drain_s().unwrap();
    let length = figures.held.messages;
    run.phase(1, 20, 120);
    let left = run.look().backlog.figures.held.messages;
    assert!(
        length > left,
        "{drain_s} s to go, and {left} of {length} left"
    );
    run.phase(60, 0, 150);
    let row = run.phase(80, 0, 0);
    assert_eq!(row.backlog.figures.state(), State::Idle);
    assert_eq!(row.backlog.waited, None);
    assert!(run.checks > 250);
}

#[test]
fn the_rate_of_a_stream_that_is_only_written_to_is_told_from_the_first_look() {
    let mut bench = Bench::new();
    for _ in 0..90 * 10 {
        bench.run("XADD log * field value");
        bench.pass(100);
    }
    let key = bench.engine.keyspace.key(0, b"log");
    let row = row_of(&mut bench.engine.keyspace.hold(), &key, bench.now);
    let rates = row.backlog.figures.rates.came;
    assert!(
        rates.iter().all(|rate| is_near(*rate, 10.0, 1.0)),
        "{rates:?}"
    );
}
