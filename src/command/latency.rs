//! The log of events that took long, behind LATENCY.

use std::collections::{BTreeMap, VecDeque};

use crate::sync::Lock;

/// Samples kept of each event, as in Redis.
const SAMPLES_MAX: usize = 160;

/// What happened to one class of events.
#[derive(Clone, Debug, Default)]
pub struct Spikes {
    /// Seconds since the epoch, and the worst duration of that second in milliseconds; oldest
    /// first, at least one.
    pub samples: VecDeque<(u64, u64)>,
    /// The worst duration since the event was reset.
    pub worst_ms: u64,
}

/// The log, by name of the event.
#[derive(Debug, Default)]
pub struct LatencyLog(Lock<BTreeMap<&'static str, Spikes>>);

impl LatencyLog {
    /// Notes an event over the threshold.
    pub fn note(&self, event: &'static str, unix_s: u64, took_ms: u64) {
        let mut log = self.0.lock();
        let spikes = log.entry(event).or_default();
        spikes.worst_ms = spikes.worst_ms.max(took_ms);
        if let Some((last_s, worst_ms)) = spikes.samples.back_mut()
            && *last_s == unix_s
        {
            *worst_ms = took_ms.max(*worst_ms);
            return;
        }
        if spikes.samples.len() == SAMPLES_MAX {
            spikes.samples.pop_front();
        }
        spikes.samples.push_back((unix_s, took_ms));
    }

    /// All events with their samples, in order of their names.
    pub fn all(&self) -> Vec<(&'static str, Spikes)> {
        let log = self.0.lock();
        log.iter()
            .map(|(event, spikes)| (*event, spikes.clone()))
            .collect()
    }

    /// One event's samples.
    pub fn get(&self, event: &[u8]) -> Option<Spikes> {
        let event = std::str::from_utf8(event).ok()?;
        self.0.lock().get(event).cloned()
    }

    /// Forgets the events that `wanted` picks; returns how many.
    pub fn reset(&self, wanted: impl Fn(&str) -> bool) -> usize {
        let mut log = self.0.lock();
        let before = log.len();
        log.retain(|event, _| !wanted(event));
        before - log.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_worst_of_each_second() {
        let log = LatencyLog::default();
        for (unix_s, took_ms) in [(10, 5), (10, 9), (10, 7), (11, 6)] {
            log.note("command", unix_s, took_ms);
        }
        let spikes = log.get(b"command").unwrap();
        assert_eq!(spikes.samples, [(10, 9), (11, 6)]);
        assert_eq!(spikes.worst_ms, 9);
        (0..200).for_each(|second| log.note("command", 20 + second, 1));
        assert_eq!(log.get(b"command").unwrap().samples.len(), SAMPLES_MAX);
        assert_eq!(log.reset(|event| event == "other"), 0);
        assert_eq!(log.reset(|_| true), 1);
        assert!(log.all().is_empty());
    }
}
