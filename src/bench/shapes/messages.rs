//! The messages of a run: numbered as they are sent, recognised as they come.

use super::super::options::Plan;
use super::super::stamp::Stamp;
use super::super::tally::Tally;
use super::super::verify::{Tracker, Verdict};

/// Stamps and account of a run. A source is a pair of a producer and a *lane* (a queue, a channel, a
/// stream); each producer takes the lanes in turn.
#[derive(Debug)]
pub struct Messages {
    run: u16,
    size: usize,
    lanes: usize,
    producers: usize,
    /// By producer: counts up, and gives the lane of its next message.
    next: Vec<usize>,
    tracker: Tracker,
}

impl Messages {
    /// None sent yet. `run` tells them from those of earlier runs.
    pub fn new(plan: &Plan, run: u16, lanes: usize, audiences: usize, consumers: usize) -> Self {
        let producers = plan.connections;
        Self {
            run,
            size: plan.size,
            lanes,
            producers,
            next: (0..producers).collect(),
            tracker: Tracker::new(producers * lanes, audiences, consumers),
        }
    }

    /// How many connections send.
    pub fn producers(&self) -> usize {
        self.producers
    }

    /// Bytes of each message.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The lane of a producer's next message.
    pub fn next_lane(&self, producer: usize) -> usize {
        self.next[producer] % self.lanes
    }

    /// Appends a producer's next message, which is now sent.
    pub fn put_next(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) {
        let source = producer * self.lanes + self.next_lane(producer);
        self.next[producer] += 1;
        let stamp = Stamp {
            run: self.run,
            source: u16::try_from(source).unwrap_or(u16::MAX),
            sequence: self.tracker.send(source),
            due_us,
        };
        stamp.write(self.size, output);
    }

    /// Notes a message that came to a consumer; its stamp, if it was awaited.
    pub fn take(&mut self, audience: usize, consumer: usize, message: &[u8]) -> Option<Stamp> {
        let Some(stamp) = Stamp::read(message).filter(|stamp| stamp.run == self.run) else {
            self.strange();
            return None;
        };
        let is_awaited =
            self.tracker
                .receive(audience, consumer, stamp.source.into(), stamp.sequence);
        is_awaited.then_some(stamp)
    }

    /// The same, and completes the producer's operation.
    pub fn complete(
        &mut self,
        (audience, consumer): (usize, usize),
        message: &[u8],
        now_us: u64,
        tally: &mut Tally,
    ) {
        if let Some(stamp) = self.take(audience, consumer, message) {
            let producer = usize::from(stamp.source) / self.lanes;
            tally.complete(producer, stamp.due_us, now_us);
        }
    }

    /// Notes something that is no message of this run.
    pub fn strange(&mut self) {
        self.tracker.strange();
    }

    /// The verdict; `hears` tells whether an audience should get the messages of a lane.
    pub fn verdict(&self, hears: impl Fn(usize, usize) -> bool) -> Verdict {
        self.tracker
            .verdict(|audience, source| hears(audience, source % self.lanes))
    }
}
