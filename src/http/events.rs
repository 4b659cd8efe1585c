//! The stream of events: alerts as they come, and a beat with the sums.

use std::fmt::Write as _;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::clock;
use crate::command::Engine;

use super::api;

/// How often somebody who listens hears from the server.
const BEAT: Duration = Duration::from_secs(1);

/// What one listener gets. Nothing is buffered for who does not read: the next beat is made when
/// the last was sent.
#[derive(Debug)]
pub struct Events {
    engine: Arc<Engine>,
    beat: Interval,
    /// The last alert that was told.
    told: u64,
}

impl Events {
    /// Events after the alert of this number.
    pub fn after(engine: &Arc<Engine>, number: u64) -> Self {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            engine: Arc::clone(engine),
            beat,
            told: number,
        }
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
        if let Some(sums) = api::pulse(&self.engine, clock::now()) {
            let _ = write!(text, "event: pulse\ndata: {}\n\n", sums.to_json());
        } else {
            text += ": busy\n\n";
        }
        Poll::Ready(Some(text.into()))
    }
}
