//! Telling somebody when a queue or stream is too long or too old for its policy (`alert-length`,
//! `alert-age`): on a channel, in the log, in the metrics.
//!
//! The first worker's tick looks at a few shards each time, all of them in about a second, and only
//! while a policy asks for it. An alert is raised at its threshold and cleared a fifth below it, so
//! that a queue that hovers there is told of once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Now;
use crate::limits::DATABASES;
use crate::outbox::WakeList;
use crate::policy::Governed;
use crate::pubsub::Space;
use crate::store::{Figures, Kind, SHARDS, Sight};

use super::backlog::Fact;
use super::engine::Engine;

/// The channel on which alerts are published; they follow no routes.
pub const CHANNEL: &str = "__weir__:alerts";

/// Shards that one tick looks at: all of them in a second at ten ticks a second.
const SHARDS_PER_TICK: u32 = 7;
/// Lines in the log for alerts of one shard at one time: thousands of queues may come to their
/// threshold together.
const LINES_MAX: usize = 10;
/// Alerts that are remembered for those who come later.
const RECENT_MAX: usize = 256;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// How many milliseconds the oldest message has waited.
    Age,
    /// How many messages wait.
    Length,
}

impl Concern {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Age, Self::Length];

    /// The name of its policy's option, and of the alert.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "alert-age",
            Self::Length => "alert-length",
        }
    }

    fn value_of(self, figures: &Figures) -> u64 {
        match self {
            Self::Age => figures.age_ms.unwrap_or(0),
            Self::Length => figures.waiting,
        }
    }
}

/// That a queue or stream passed a threshold, or came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its place among all alerts, from 1.
    pub number: u64,
    /// Wall clock in milliseconds.
    pub at_ms: u64,
    /// The database of the queue or stream.
    pub db: u8,
    /// Its key.
    pub name: Box<[u8]>,
    /// Which of both it is.
    pub kind: Kind,
    /// What about it.
    pub concern: Concern,
    /// Whether it passed the threshold, or came back below it.
    pub is_raised: bool,
    /// Milliseconds or messages, when that was seen.
    pub value: u64,
    /// From which on it is an alert.
    pub threshold: u64,
    /// The pattern of the policy that says so.
    pub policy: Box<[u8]>,
}

impl Alert {
    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Stream => "stream",
            _ => "queue",
        }
    }

    /// What is told of it.
    pub fn facts(&self) -> Fact {
        let state = if self.is_raised { "raised" } else { "cleared" };
        Fact::Map(vec![
            ("number", Fact::Count(self.number)),
            ("at_ms", Fact::Count(self.at_ms)),
            ("alert", Fact::Text(self.concern.name().into())),
            ("state", Fact::Text(state.into())),
            ("db", Fact::Count(self.db.into())),
            ("queue", Fact::Text(self.name.to_vec())),
            ("type", Fact::Text(self.type_name().into())),
            ("value", Fact::Count(self.value)),
            ("threshold", Fact::Count(self.threshold)),
            ("policy", Fact::Text(self.policy.to_vec())),
        ])
    }
}

/// A queue and what about it.
type Subject = (u8, Box<[u8]>, Concern);

/// A queue near or past a threshold.
#[derive(Debug)]
struct Finding {
    subject: Subject,
    kind: Kind,
    value: u64,
    threshold: u64,
    governed: Arc<Governed>,
}

/// The alerts of a server.
#[derive(Debug, Default)]
pub struct Alerts {
    /// Those in force, by the shard of the queue.
    raised: BTreeMap<(u32, Subject), Alert>,
    recent: VecDeque<Alert>,
    /// Alerts so far, cleared ones apart.
    total: u64,
    raised_total: [u64; Concern::ALL.len()],
    next_shard: u32,
}

impl Alerts {
    /// Those in force.
    pub fn raised(&self) -> impl Iterator<Item = &Alert> {
        self.raised.values()
    }

    /// How many are in force. O(1).
    pub fn raised_len(&self) -> usize {
        self.raised.len()
    }

    /// Those after the one of a number, as far as they are remembered.
    pub fn after(&self, number: u64) -> impl Iterator<Item = &Alert> {
        let recent = self.recent.iter();
        recent.filter(move |alert| alert.number > number)
    }

    /// The number of the last.
    pub fn last_number(&self) -> u64 {
        self.total
    }

    /// How many were ever raised for one concern.
    pub fn raised_total(&self, concern: Concern) -> u64 {
        self.raised_total[concern as usize]
    }

    /// What alerts in force on queues of a shard are about.
    fn subjects_in(&self, shard: u32) -> Vec<Subject> {
        let first = |shard| (shard, (0, Box::default(), Concern::Age));
        let here = self.raised.range(first(shard)..first(shard + 1));
        here.map(|((_, subject), _)| subject.clone()).collect()
    }

    /// Takes in what was found in a shard, and at how much that is which is found no more; returns
    /// what is to be told.
    fn take_in(
        &mut self,
        shard: u32,
        findings: Vec<Finding>,
        ended: Vec<(Subject, u64)>,
        now_ms: u64,
    ) -> Vec<Alert> {
        let mut told = Vec::new();
        for found in findings {
            let is_over = found.value >= found.threshold;
            let place = (shard, found.subject);
            if let Some(raised) = self.raised.get_mut(&place) {
                raised.value = found.value;
            } else if is_over {
                let (db, name, concern) = place.1.clone();
                let alert = self.note(Alert {
                    number: 0,
                    at_ms: now_ms,
                    db,
                    name,
                    kind: found.kind,
                    concern,
                    is_raised: true,
                    value: found.value,
                    threshold: found.threshold,
                    policy: found.governed.pattern.clone(),
                });
                self.raised_total[concern as usize] += 1;
                told.push(alert.clone());
                self.raised.insert(place, alert);
            }
        }
        for (subject, value) in ended {
            if let Some(raised) = self.raised.remove(&(shard, subject)) {
                told.push(self.note(Alert {
                    at_ms: now_ms,
                    is_raised: false,
                    value,
                    ..raised
                }));
            }
        }
        told
    }

    fn note(&mut self, mut alert: Alert) -> Alert {
        self.total += 1;
        alert.number = self.total;
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(alert.clone());
        alert
    }
}

/// What a queue's policy wants to know of it and is near its threshold: from a fifth below it on.
fn findings(sight: &Sight<'_>, found: &mut Vec<Finding>) {
    let Some(governed) = sight.governed.filter(|governed| governed.alarms.is_some()) else {
        return;
    };
    let (alarms, figures) = (governed.alarms, &sight.figures);
    for (concern, threshold) in [
        (Concern::Age, alarms.age_ms),
        (Concern::Length, alarms.length),
    ] {
        let value = concern.value_of(figures);
        if let Some(threshold) = threshold
            && value >= threshold - threshold / 5
        {
            found.push(Finding {
                subject: (sight.key.db, sight.key.name.into(), concern),
                kind: figures.kind,
                value,
                threshold,
                governed: Arc::clone(governed),
            });
        }
    }
}

/// Looks at the next few shards. Costs nothing while no policy asks for it and nothing is raised.
pub(super) fn watch(engine: &Engine, now: Now) {
    let is_asked_for = engine.has_alarms.load(Ordering::Relaxed);
    let first = {
        let mut alerts = engine.alerts.lock();
        if !is_asked_for && alerts.raised.is_empty() {
            return;
        }
        let first = alerts.next_shard;
        alerts.next_shard = (first + SHARDS_PER_TICK) % SHARDS;
        first
    };
    let mut wakes = WakeList::default();
    for shard in (first..first + SHARDS_PER_TICK).map(|shard| shard % SHARDS) {
        let raised = engine.alerts.lock().subjects_in(shard);
        let Some(mut held) = engine.hold_calm(shard) else {
            continue;
        };
        let mut found = Vec::new();
        for db in (0..DATABASES).filter_map(|db| u8::try_from(db).ok()) {
            if held.shard(shard).keys_len(db) > 0 {
                held.shard(shard)
                    .survey(db, now, |sight| findings(&sight, &mut found));
            }
        }
        found.sort_unstable_by(|a, b| a.subject.cmp(&b.subject));
        let is_over = |subject: &Subject| {
            let found = found.binary_search_by(|found| found.subject.cmp(subject));
            found.is_err()
        };
        let ended = raised.into_iter().filter(is_over).map(|subject| {
            let key = engine.keyspace.key(subject.0, &subject.1);
            let backlog = held.shard(shard).backlog(&key, now);
            let value = backlog.map_or(0, |backlog| subject.2.value_of(&backlog.figures));
            (subject, value)
        });
        let ended = ended.collect();
        drop(held);
        let told = engine
            .alerts
            .lock()
            .take_in(shard, found, ended, now.unix_ms);
        for (at, alert) in told.iter().enumerate() {
            publish(engine, alert, &mut wakes);
            if at < LINES_MAX {
                log(alert);
            }
        }
        if let Some(more @ 1..) = told.len().checked_sub(LINES_MAX) {
            tracing::warn!("{more} more alerts were raised or cleared");
        }
    }
    wakes.wake();
}

fn publish(engine: &Engine, alert: &Alert, wakes: &mut WakeList) {
    let message = alert.facts().to_json();
    super::pubsub::deliver(
        engine,
        Space::Global,
        CHANNEL.as_bytes(),
        message.as_bytes(),
        wakes,
    );
}

fn log(alert: &Alert) {
    let state = if alert.is_raised { "raised" } else { "cleared" };
    tracing::warn!(
        "{} {state}: {} '{}' in database {} is at {}, the threshold is {}",
        alert.concern.name(),
        alert.type_name(),
        alert.name.escape_ascii(),
        alert.db,
        alert.value,
        alert.threshold,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    /// A second of ticks, and what a subscriber got.
    fn watched(bench: &mut Bench) -> Vec<(Concern, bool, u64)> {
        let before = bench.engine.alerts.lock().last_number();
        for _ in 0..10 {
            bench.pass(100);
            watch(&bench.engine, bench.now);
        }
        let alerts = bench.engine.alerts.lock();
        let told = alerts.after(before);
        told.map(|alert| (alert.concern, alert.is_raised, alert.value / 100))
            .collect()
    }

    #[test]
    fn thresholds_are_told_of_once_and_taken_back() {
        let mut bench = Bench::new();
        let mut listener = bench.client();
        bench.play(&mut listener, "SUBSCRIBE __weir__:alerts");
        bench.run("WEIR.POLICY SET jobs* ALERT-LENGTH 200 ALERT-AGE 5s");
        assert!(
            bench
                .run("WEIR.POLICY GET jobs*")
                .contains("$9 alert-age :5000")
        );
        for _ in 0..199 {
            bench.run("RPUSH jobs:1 x");
        }
        assert_eq!(watched(&mut bench), []);
        bench.run("RPUSH jobs:1 x");
        assert_eq!(watched(&mut bench), [(Concern::Length, true, 2)]);
        let told = listener.look();
        assert!(told.contains("\"alert\":\"alert-length\",\"state\":\"raised\",\"db\":0,\"queue\":\"jobs:1\",\"type\":\"queue\",\"value\":200,\"threshold\":200"), "{told}");
        // Hovering is not told of.
        bench.run("LPOP jobs:1 20");
        assert_eq!(watched(&mut bench), []);
        bench.run("LPOP jobs:1 30");
        assert_eq!(watched(&mut bench), [(Concern::Length, false, 1)]);
        bench.pass(2000);
        assert_eq!(watched(&mut bench).len(), 1);
        assert_eq!(bench.engine.alerts.lock().raised().count(), 1);
        bench.run("DEL jobs:1");
        assert_eq!(watched(&mut bench).len(), 1);
        let alerts = bench.engine.alerts.lock();
        assert_eq!(alerts.raised().count(), 0);
        assert_eq!(
            Concern::ALL.map(|concern| alerts.raised_total(concern)),
            [1, 1]
        );
    }

    #[test]
    fn what_is_cleared_is_told_with_where_it_is_now() {
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET q ALERT-LENGTH 5 ALERT-AGE 2s");
        bench.run("RPUSH q a b c d e f");
        bench.pass(2500);
        assert_eq!(watched(&mut bench).len(), 2);
        let mut listener = bench.client();
        bench.play(&mut listener, "SUBSCRIBE __weir__:alerts");
        listener.look();
        bench.run("LPOP q 3");
        watched(&mut bench);
        let told = listener.look();
        let cleared = "\"alert\":\"alert-length\",\"state\":\"cleared\",\"db\":0,\"queue\":\"q\",\"type\":\"queue\",\"value\":3,\"threshold\":5";
        assert!(told.contains(cleared), "{told}");
        bench.run("DEL q");
        watched(&mut bench);
        let told = listener.look();
        let cleared = "\"alert\":\"alert-age\",\"state\":\"cleared\",\"db\":0,\"queue\":\"q\",\"type\":\"queue\",\"value\":0,";
        assert!(told.contains(cleared), "{told}");
    }

    #[test]
    fn streams_are_told_of_by_the_group_that_is_furthest_behind() {
        let mut bench = Bench::new();
        let mut listener = bench.client();
        bench.play(&mut listener, "SUBSCRIBE __weir__:alerts");
        listener.look();
        bench.run("WEIR.POLICY SET s KIND stream ALERT-LENGTH 3 ALERT-AGE 1h");
        bench.run("XGROUP CREATE s g $ MKSTREAM");
        bench.run("XGROUP CREATE s slow $");
        for _ in 0..3 {
            bench.run("XADD s * k v");
        }
        bench.run("XREADGROUP GROUP g c NOACK STREAMS s >");
        assert_eq!(watched(&mut bench), [(Concern::Length, true, 0)]);
        let told = listener.look();
        assert!(
            told.contains("\"queue\":\"s\",\"type\":\"stream\",\"value\":3"),
            "{told}"
        );
        // What was delivered and not acknowledged still waits.
        bench.run("XREADGROUP GROUP slow c STREAMS s >");
        assert_eq!(watched(&mut bench), []);
        bench.run("XGROUP DESTROY s slow");
        assert_eq!(watched(&mut bench), [(Concern::Length, false, 0)]);
        bench.pass(3_600_000);
        assert_eq!(watched(&mut bench), []);
    }

    #[test]
    fn each_shard_keeps_its_own() {
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET q* ALERT-LENGTH 1");
        for number in 0..1000 {
            bench.run(&format!("RPUSH q{number} x"));
        }
        watched(&mut bench);
        assert_eq!(bench.engine.alerts.lock().raised_len(), 1000);
        for number in 0..1000 {
            bench.run(&format!("LPOP q{number}"));
            bench.run(&format!("RPUSH q{} x", number + 1000));
        }
        watched(&mut bench);
        let alerts = bench.engine.alerts.lock();
        assert_eq!(alerts.raised_len(), 1000);
        assert_eq!(alerts.last_number(), 3000);
        assert!(alerts.raised().all(|alert| alert.name.len() == 5));
    }

    #[test]
    fn alerts_end_with_their_policy() {
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET q ALERT-LENGTH 1");
        bench.run("RPUSH q x");
        assert_eq!(watched(&mut bench).len(), 1);
        bench.run("WEIR.POLICY DEL q");
        assert_eq!(watched(&mut bench).len(), 1);
        assert_eq!(bench.engine.alerts.lock().raised().count(), 0);
        assert!(
            bench
                .run("WEIR.POLICY SET c KIND channel ALERT-LENGTH 1")
                .starts_with('-')
        );
    }
}
