//! Whether every message came, once, and in order.
//!
//! Messages are numbered within their source. An *audience* is whoever shares messages: all
//! consumers of a queue, one subscriber, one consumer group. In each audience every message of the
//! sources that it hears must come exactly once, and each consumer must see the numbers of a source
//! rise. Costs one bit per message and audience.

use std::fmt;

/// What was wrong with the messages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Sent, and never come.
    pub lost: u64,
    /// Come again.
    pub duplicated: u64,
    /// Come to a consumer after a later one of the same source.
    pub out_of_order: u64,
    /// Never sent, or changed on the way.
    pub strange: u64,
}

impl Verdict {
    /// Whether all is well.
    pub fn is_clean(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("ok");
        }
        write!(
            f,
            "{} lost, {} duplicated, {} out of order, {} strange",
            self.lost, self.duplicated, self.out_of_order, self.strange
        )
    }
}

/// Which messages of one source came to one audience.
#[derive(Clone, Debug, Default)]
struct Seen {
    bits: Vec<u64>,
    len: u64,
}

impl Seen {
    /// Notes a number; false if it was there already.
    fn insert(&mut self, sequence: u32) -> bool {
        let word = usize::try_from(sequence / 64).unwrap_or(usize::MAX);
        if word >= self.bits.len() {
            self.bits.resize((word + 1).next_power_of_two(), 0);
        }
        let bit = 1 << (sequence % 64);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.len += u64::from(is_new);
        is_new
    }
}

/// The account of a run.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// Messages that each source has sent.
    sent: Vec<u32>,
    /// By audience, then source.
    seen: Vec<Vec<Seen>>,
    /// By consumer, then source: the least number that is in order.
    floors: Vec<Vec<u32>>,
    found: Verdict,
}

impl Tracker {
    /// Nothing sent yet.
    pub fn new(sources: usize, audiences: usize, consumers: usize) -> Self {
        Self {
            sent: vec![0; sources],
            seen: vec![vec![Seen::default(); sources]; audiences],
            floors: vec![vec![0; sources]; consumers],
            found: Verdict::default(),
        }
    }

    /// The number of the next message of a source, which is now sent.
    pub fn send(&mut self, source: usize) -> u32 {
        let sequence = self.sent[source];
        self.sent[source] = sequence.saturating_add(1);
        sequence
    }

    /// Notes that a message came. Gives whether it was awaited: a source that exists, a number that
    /// was sent, and the first time in this audience.
    pub fn receive(
        &mut self,
        audience: usize,
        consumer: usize,
        source: usize,
        sequence: u32,
    ) -> bool {
        if self.sent.get(source).is_none_or(|sent| sequence >= *sent) {
            self.found.strange += 1;
            return false;
        }
        if !self.seen[audience][source].insert(sequence) {
            self.found.duplicated += 1;
            return false;
        }
        let floor = &mut self.floors[consumer][source];
        if sequence < *floor {
            self.found.out_of_order += 1;
        } else {
            *floor = sequence + 1;
        }
        true
    }

    /// Notes something that is no message of this run.
    pub fn strange(&mut self) {
        self.found.strange += 1;
    }

    /// The verdict; `hears` tells whether an audience should get the messages of a source.
    pub fn verdict(&self, hears: impl Fn(usize, usize) -> bool) -> Verdict {
        let mut verdict = self.found;
        for (audience, seen) in self.seen.iter().enumerate() {
            for (source, seen) in seen.iter().enumerate() {
                if hears(audience, source) {
                    verdict.lost += u64::from(self.sent[source]) - seen.len;
                }
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `count` messages from each of two sources and delivers them as `deliver` says.
    fn verdict_of(count: u32, deliver: impl Fn(&mut Tracker)) -> Verdict {
        let mut tracker = Tracker::new(2, 1, 2);
        for source in 0..2 {
            for sequence in 0..count {
                assert_eq!(tracker.send(source), sequence);
            }
        }
        deliver(&mut tracker);
        tracker.verdict(|_, _| true)
    }

    fn all(tracker: &mut Tracker, but: &[(usize, u32)]) {
        for sequence in 0..200 {
            for source in 0..2 {
                if !but.contains(&(source, sequence)) {
                    let consumer = usize::from(sequence % 3 == 0);
                    assert!(tracker.receive(0, consumer, source, sequence));
                }
            }
        }
    }

    #[test]
    fn a_whole_run_is_clean() {
        let verdict = verdict_of(200, |tracker| all(tracker, &[]));
        assert!(verdict.is_clean());
        assert_eq!(verdict.to_string(), "ok");
    }

    #[test]
    fn a_loss_is_seen() {
        let verdict = verdict_of(200, |tracker| all(tracker, &[(0, 77), (1, 199)]));
        assert_eq!(verdict.lost, 2);
        assert_eq!(
            verdict.duplicated + verdict.out_of_order + verdict.strange,
            0
        );
    }

    #[test]
    fn a_duplicate_is_seen_and_does_not_hide_a_loss() {
        let verdict = verdict_of(200, |tracker| {
            all(tracker, &[(0, 77)]);
            assert!(!tracker.receive(0, 1, 0, 76));
        });
        let wanted = Verdict {
            lost: 1,
            duplicated: 1,
            ..Verdict::default()
        };
        assert_eq!(verdict, wanted);
        assert!(verdict.to_string().starts_with("1 lost, 1 duplicated"));
    }

    #[test]
    fn disorder_is_seen_at_the_consumer_that_sees_it() {
        let swapped = verdict_of(2, |tracker| {
            assert!(tracker.receive(0, 0, 0, 1) && tracker.receive(0, 0, 0, 0));
            assert!(tracker.receive(0, 0, 1, 0) && tracker.receive(0, 0, 1, 1));
        });
        assert_eq!(swapped.out_of_order, 1);
        assert_eq!(swapped.lost, 0);
        // Two consumers may overtake each other.
        let shared = verdict_of(2, |tracker| {
            for source in 0..2 {
                assert!(tracker.receive(0, 0, source, 1) && tracker.receive(0, 1, source, 0));
            }
        });
        assert!(shared.is_clean());
    }

    #[test]
    fn strangers_are_seen() {
        let verdict = verdict_of(200, |tracker| {
            all(tracker, &[]);
            assert!(!tracker.receive(0, 0, 0, 200));
            assert!(!tracker.receive(0, 0, 9, 0));
            tracker.strange();
        });
        assert_eq!(verdict.strange, 3);
    }

    #[test]
    fn audiences_are_told_apart() {
        let mut tracker = Tracker::new(2, 2, 2);
        tracker.send(0);
        tracker.send(1);
        assert!(tracker.receive(0, 0, 0, 0));
        assert!(tracker.receive(1, 1, 0, 0));
        // Each hears its own source only, and audience 1 heard the wrong one.
        assert_eq!(
            tracker.verdict(|audience, source| audience == source).lost,
            1
        );
        assert_eq!(tracker.verdict(|_, _| true).lost, 2);
    }
}
