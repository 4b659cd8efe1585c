//! What a queue or stream has to do, and how it goes: read in one look, O(1) for a queue and
//! O(groups) for a stream.

use std::hint::black_box;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::clock::Now;
use crate::policy::Governed;

use super::key::Key;
use super::ledger::{Ledger, Tally};
use super::lines::Lines;
use super::meter::quarters;
use super::meter::{Rates, Waited};
use super::queue::Queue;
use super::shard::{Entry, Shard};
use super::stream::{Group, GroupLedger, Log, Stream};
use super::value::{Kind, Value};

/// Work that nobody has taken for so long stands still.
const STALLED_MS: u64 = 10_000;
/// What comes must pass what goes by a twentieth before a backlog counts as building up: rates of
/// a steady queue differ by a message or two.
const GROWTH_MIN: f64 = 1.05;

/// How it goes with a queue, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing waits and nothing comes.
    #[default]
    Idle,
    /// Messages go about as fast as they come, or faster.
    Flowing,
    /// Messages come faster than they go.
    BuildingUp,
    /// Messages wait and nobody takes any.
    Stalled,
}

impl State {
    /// All states, from the best to the worst.
    pub const ALL: [Self; 4] = [Self::Idle, Self::Flowing, Self::BuildingUp, Self::Stalled];

    /// Its name for clients.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Flowing => "flowing",
            Self::BuildingUp => "building-up",
            Self::Stalled => "stalled",
        }
    }
}

/// The measures of a queue or stream that are cheap to read, for walks over all of them.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// A queue or a stream.
    pub kind: Kind,
    /// What it holds.
    pub held: Tally,
    /// Messages that wait for somebody: those held, or what the group that is furthest behind has
    /// not read or not acknowledged.
    pub waiting: u64,
    /// Milliseconds that the oldest of these has waited.
    pub age_ms: Option<u64>,
    /// Messages that ever came.
    pub came: u64,
    /// Messages that were ever delivered; of a stream, by the group that is furthest behind.
    pub out: u64,
    /// Messages that were ever lost, for whatever cause.
    pub lost: u64,
    /// How fast messages come and go, by the same group.
    pub rates: Rates,
    /// Clients that wait for messages.
    pub consumers: usize,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            kind: Kind::Queue,
            held: Tally::default(),
            waiting: 0,
            age_ms: None,
            came: 0,
            out: 0,
            lost: 0,
            rates: Rates::default(),
            consumers: 0,
        }
    }
}

impl Figures {
    /// How it goes.
    pub fn state(&self) -> State {
        let (came, out) = (self.rates.came[1], self.rates.out[1]);
        if self.waiting == 0 {
            return if came > 0.0 || out > 0.0 {
                State::Flowing
            } else {
                State::Idle
            };
        }
        if out <= 0.0 && self.age_ms.is_some_and(|age_ms| age_ms >= STALLED_MS) {
            State::Stalled
        } else if came > out * GROWTH_MIN {
            State::BuildingUp
        } else {
            State::Flowing
        }
    }

    /// Seconds until nothing waits if messages go on to come and go as in the last ten seconds;
    /// `None` if they do not become fewer.
    pub fn drain_s(&self) -> Option<f64> {
        let net = self.rates.out[1] - self.rates.came[1];
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let waiting = self.waiting as f64;
        if waiting <= 0.0 {
            return Some(0.0);
        }
        (net > 0.0).then_some(waiting / net)
    }

    /// Whether anything is to be seen: messages, traffic, or somebody who waits for it.
    pub fn is_alive(&self) -> bool {
        self.held.messages > 0
            || self.consumers > 0
            || self.rates.came[2] > 0.0
            || self.rates.out[2] > 0.0
    }
}

/// A group of a stream.
#[derive(Clone, Debug)]
pub struct GroupBacklog {
    /// The name it goes by.
    pub name: Box<[u8]>,
    /// Consumers that it knows.
    pub consumers: usize,
    /// Entries that it has not delivered, where that can be told.
    pub lag: Option<i64>,
    /// Entries delivered and not acknowledged.
    pub pending: u64,
    /// Milliseconds that the first entry that it has not delivered has waited.
    pub oldest_unread_ms: Option<u64>,
    /// Milliseconds that the entry pending longest has been with its consumer.
    pub oldest_pending_ms: Option<u64>,
    /// What became of the entries that it delivered.
    pub ledger: GroupLedger,
    /// How fast it acknowledges (`came`) and delivers (`out`).
    pub rates: Rates,
    /// How old entries were when it delivered them.
    pub waited: Option<Waited>,
}

/// All measures of a queue or stream.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// Those that are cheap.
    pub figures: Figures,
    /// How long messages waited that were delivered lately.
    pub waited: Option<Waited>,
    /// The distribution of that: upper bounds in milliseconds, and how many messages.
    pub wait_steps: Vec<(u64, u64)>,
    /// The account. What a stream delivers is in those of its groups.
    pub ledger: Ledger,
    /// Milliseconds until a message is too old by the policy, and the policy's pattern.
    pub governed: Option<Arc<Governed>>,
    /// Groups; of streams.
    pub groups: Vec<GroupBacklog>,
}

/// A queue or stream in a walk over all.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'s> {
    /// Its key.
    pub key: Key<'s>,
    /// What is measured.
    pub figures: Figures,
    /// The policy that holds for it.
    pub governed: Option<&'s Arc<Governed>>,
}

/// Clients that wait for a key.
fn consumers(lines: &Lines, key: &Key) -> usize {
    if lines.is_empty() {
        return 0;
    }
    lines.get(key).map_or(0, super::lines::Line::len)
}

fn queue_figures(queue: &mut Queue, now: Now, consumers: usize) -> Figures {
    let tick = now.mono_ms();
    let (out, lost) = queue.out_and_lost();
    Figures {
        kind: Kind::Queue,
        held: queue.held(),
        waiting: queue.held().messages,
        age_ms: queue.oldest_arrival().map(|at| tick.saturating_sub(at)),
        came: queue.came().messages,
        out,
        lost,
        rates: queue.rates(quarters(now.unix_ms), tick),
        consumers,
    }
}

/// What a group has before it: how much, and how long the oldest of it has waited.
fn work_of(group: &Group, log: &Log, now_ms: u64) -> (u64, Option<u64>) {
    let lag = group.lag(log).unwrap_or(0);
    let work = u64::try_from(lag).unwrap_or(0) + group.pending();
    let unread = group.oldest_unread_ms(log, now_ms);
    let pending = group.oldest_pending_ms(now_ms);
    (work, unread.into_iter().chain(pending).max())
}

fn stream_figures(stream: &mut Stream, now: Now, consumers: usize) -> Figures {
    let came_rates = stream.came_rates(quarters(now.unix_ms), now.unix_ms);
    let (held, came, lost) = (stream.held(), stream.came(), stream.lost_len());
    let log = stream.log();
    let mut figures = Figures {
        kind: Kind::Stream,
        held,
        came: came.messages,
        lost,
        consumers,
        ..Figures::default()
    };
    figures.rates.came = came_rates;
    for group in stream.groups() {
        let (work, age_ms) = work_of(group, log, now.unix_ms);
        figures.age_ms = figures.age_ms.max(age_ms);
        // The group that is furthest behind speaks for the stream.
        if figures.waiting <= work {
            figures.waiting = work;
            figures.out = group.ledger().delivered;
            figures.rates.out = group.rates().out;
        }
    }
    figures
}

fn group_backlog(group: &Group, log: &Log, now_ms: u64) -> GroupBacklog {
    let ledger = group.ledger();
    GroupBacklog {
        name: group.name().into(),
        consumers: group.consumers_len(),
        lag: group.lag(log),
        pending: group.pending(),
        oldest_unread_ms: group.oldest_unread_ms(log, now_ms),
        oldest_pending_ms: group.oldest_pending_ms(now_ms),
        ledger,
        rates: group.rates(),
        waited: group.waited(),
    }
}

/// A number from the header of a queue, for having it come to the caches.
fn head_of(entry: &Entry) -> u64 {
    match &entry.value {
        Value::Queue(queue) => queue.ask_head(),
        _ => 0,
    }
}

/// The same for what the header points to.
fn age_of(entry: &Entry) -> u64 {
    match &entry.value {
        Value::Queue(queue) => queue.oldest_arrival().unwrap_or(0),
        _ => 0,
    }
}

fn figures_of(value: &mut Value, now: Now, consumers: usize) -> Option<Figures> {
    match value {
        Value::Queue(queue) => Some(queue_figures(queue, now, consumers)),
        Value::Stream(stream) => Some(stream_figures(stream, now, consumers)),
        _ => None,
    }
}

/// Entries whose memory is asked for before the first of them is looked at.
const AHEAD: usize = 16;

/// Shows one queue or stream, if it is one.
fn sight(
    db: u8,
    hash: u64,
    entry: &mut Entry,
    lines: &Lines,
    now: Now,
    is_shown: impl Fn(&Figures) -> bool,
    visit: &mut impl FnMut(Sight<'_>),
) {
    let (name, value) = entry.parts_mut();
    let key = Key { db, hash, name };
    let consumers = consumers(lines, &key);
    if let Some(figures) = figures_of(value, now, consumers).filter(is_shown) {
        let governed = governed_of(value);
        visit(Sight {
            key,
            figures,
            governed,
        });
    }
}

impl Shard {
    /// Shows every queue and stream of a database: those that hold something, those that are waited
    /// for, and those that have drained within a minute. O(keys), some 100 ns each.
    pub fn survey(&mut self, db: u8, now: Now, mut visit: impl FnMut(Sight<'_>)) {
        let mut cursor = 0;
        loop {
            cursor = self.survey_part(db, cursor, now, &mut visit);
            if cursor == 0 {
                return;
            }
        }
    }

    /// The same for some hundred keys, from a cursor that is 0 at first. Gives the next, or 0 when
    /// all were shown. The shard may change between two calls: what stays is shown.
    pub fn survey_part(
        &mut self,
        db: u8,
        cursor: u64,
        now: Now,
        mut visit: impl FnMut(Sight<'_>),
    ) -> u64 {
        let (database, vanished, lines, hasher) = self.measured(db);
        let (entries, next) = database.part_at(cursor);
        let mut entries = entries.filter(|entry| !entry.is_due(now.unix_ms));
        loop {
            // Queues lie cold, each elsewhere: asked for together, they come together.
            let mut group: SmallVec<[&mut Entry; AHEAD]> = entries.by_ref().take(AHEAD).collect();
            if group.is_empty() {
                break;
            }
            black_box(group.iter().map(|entry| head_of(entry)).sum::<u64>());
            black_box(group.iter().map(|entry| age_of(entry)).sum::<u64>());
            for entry in &mut group {
                let hash = entry.hash(hasher);
                sight(db, hash, entry, lines, now, |_| true, &mut visit);
            }
        }
        if cursor > 0 {
            return next;
        }
        for (_, hash, entry) in vanished.iter_mut().filter(|(of, ..)| *of == db) {
            sight(db, hash, entry, lines, now, Figures::is_alive, &mut visit);
        }
        for (key, len) in self.waited_for(db) {
            let figures = Figures {
                consumers: len,
                ..Figures::default()
            };
            visit(Sight {
                key,
                figures,
                governed: None,
            });
        }
        next
    }

    /// All measures of the queue or stream at a key, or of the queue that drained there; `None`
    /// where there is nothing of the kind and nobody waits for it.
    pub fn backlog(&mut self, key: &Key, now: Now) -> Option<Backlog> {
        let consumers = consumers(&self.lines, key);
        let Some(value) = self.measurable(key, now.unix_ms) else {
            return (consumers > 0).then(|| Backlog {
                figures: Figures {
                    consumers,
                    ..Figures::default()
                },
                ..Backlog::default()
            });
        };
        let figures = figures_of(value, now, consumers)?;
        let mut backlog = Backlog {
            figures,
            ..Backlog::default()
        };
        match value {
            Value::Queue(queue) => {
                backlog.waited = queue.waited();
                backlog.wait_steps = queue.wait_steps();
                backlog.ledger = queue.ledger();
                backlog.governed = queue.governed().cloned();
            }
            Value::Stream(stream) => {
                let log = stream.log();
                let groups = stream.groups();
                let groups = groups.map(|group| group_backlog(group, log, now.unix_ms));
                backlog.groups = groups.collect();
                backlog.ledger = stream.ledger();
                backlog.governed = stream.governed().cloned();
                // The group that waits longest speaks for the stream.
                let waits = backlog.groups.iter().filter_map(|group| group.waited);
                backlog.waited = waits.max_by_key(|waited| waited.p99_ms);
            }
            _ => return None,
        }
        Some(backlog)
    }
}

fn governed_of(value: &Value) -> Option<&Arc<Governed>> {
    match value {
        Value::Queue(queue) => queue.governed(),
        Value::Stream(stream) => stream.governed(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(waiting: u64, age_ms: u64, came: f64, out: f64) -> Figures {
        Figures {
            waiting,
            age_ms: (waiting > 0).then_some(age_ms),
            rates: Rates {
                came: [came; 3],
                out: [out; 3],
            },
            ..Figures::default()
        }
    }

    #[test]
    fn states_say_how_it_goes() {
        for (waiting, age_ms, came, out, state, drain_s) in [
            (0, 0, 0.0, 0.0, State::Idle, Some(0.0)),
            (0, 0, 10.0, 10.0, State::Flowing, Some(0.0)),
            (5, 10, 10.0, 10.2, State::Flowing, None),
            (100, 9_000, 10.0, 20.0, State::Flowing, Some(10.0)),
            (100, 60_000, 20.0, 10.0, State::BuildingUp, None),
            (100, 9_000, 5.0, 0.0, State::BuildingUp, None),
            (100, 10_000, 5.0, 0.0, State::Stalled, None),
            (1, 10_000, 0.0, 0.0, State::Stalled, None),
        ] {
            let figures = figures(waiting, age_ms, came, out);
            assert_eq!(figures.state(), state, "{figures:?}");
            if let Some(expected) = drain_s {
                assert_eq!(figures.drain_s(), Some(expected));
            }
        }
        assert_eq!(figures(100, 1, 20.0, 10.0).drain_s(), None);
    }
}
