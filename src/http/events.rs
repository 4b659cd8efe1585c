//! The stream of events: alerts as they come, and a beat with the sums.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::clock::{self, Now};
use crate::command::Engine;
use crate::sync::Lock;

use super::api;

/// How often somebody who listens hears from the server.
const BEAT: Duration = Duration::from_secs(1);

/// Who listens at once. Each keeps a connection for as long as it likes, and there are few.
const LISTENERS_MAX: usize = 16;
/// How long sums are told that were taken for another listener: almost a beat, so that one that
/// hears on the beat hears others each time.
const SUMS_TIME_MAX: Duration = Duration::from_millis(900);

/// All who listen. They share the sums, which take a look at every queue.
#[derive(Debug, Default)]
pub struct Audience {
    listeners_len: AtomicUsize,
    /// The last sums, and when they were taken.
    sums: Lock<Option<(u64, Arc<str>)>>,
}

impl Audience {
    /// The sums of everything; `None` while a script has a claim to the shards.
    fn sums(&self, engine: &Engine, now: Now) -> Option<Arc<str>> {
        let mut sums = self.sums.lock();
        let is_young = |taken_us: u64| {
            let age_us = now.mono_us.saturating_sub(taken_us);
            u128::from(age_us) < SUMS_TIME_MAX.as_micros()
        };
        if let Some((_, sums)) = sums.as_ref().filter(|(taken_us, _)| is_young(*taken_us)) {
            return Some(Arc::clone(sums));
        }
        let taken: Arc<str> = api::pulse(engine, now)?.to_json().into();
        *sums = Some((now.mono_us, Arc::clone(&taken)));
        Some(taken)
    }
}

/// What one listener gets. Nothing is buffered for who does not read: the next beat is made when
/// the last was sent.
#[derive(Debug)]
pub struct Events {
    engine: Arc<Engine>,
    audience: Arc<Audience>,
    beat: Interval,
    /// The last alert that was told.
    told: u64,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.audience.listeners_len.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Events {
    /// Events from now on; `None` if too many listen already.
    pub fn listen(engine: &Arc<Engine>, audience: &Arc<Audience>) -> Option<Self> {
        // All are on one thread.
        if audience.listeners_len.load(Ordering::Relaxed) >= LISTENERS_MAX {
            return None;
        }
        audience.listeners_len.fetch_add(1, Ordering::Relaxed);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(Self {
            engine: Arc::clone(engine),
            audience: Arc::clone(audience),
            beat,
            told: engine.alerts.lock().last_number(),
        })
    }

    /// The next events, on the beat; the end when the server stops.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.beat.poll_tick(cx).is_pending() {
            return Poll::Pending;
        }
        if api::is_stopping(&self.engine) {
            return Poll::Ready(None);
        }
        let mut text = String::new();
        {
            let alerts = self.engine.alerts.lock();
            for alert in alerts.after(self.told) {
                let json = alert.facts().to_json();
                // Writing to a string cannot fail.
                let _ = write!(text, "event: alert\nid: {}\ndata: {json}\n\n", alert.number);
            }
            self.told = alerts.last_number();
        }
        if let Some(sums) = self.audience.sums(&self.engine, clock::now()) {
            let _ = write!(text, "event: pulse\ndata: {sums}\n\n");
        } else {
            text += ": busy\n\n";
        }
        Poll::Ready(Some(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    #[test]
    fn listeners_share_a_look() {
        let mut bench = Bench::new();
        let audience = Audience::default();
        let first = audience.sums(&bench.engine, bench.now).unwrap();
        bench.run("RPUSH q x");
        bench.pass(899);
        assert_eq!(audience.sums(&bench.engine, bench.now).unwrap(), first);
        bench.pass(1);
        assert_ne!(audience.sums(&bench.engine, bench.now).unwrap(), first);
    }
}
