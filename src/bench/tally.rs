//! What a run counts while it goes.

use hdrhistogram::Histogram;

/// Durations are kept to three digits, up to an hour.
const LONGEST_US: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// An empty histogram of microseconds.
pub fn durations() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("bounds that a histogram takes")
}

/// Counts and times of a run. An *operation* is what completes: a reply, or the arrival of a message
/// at one consumer.
#[derive(Debug)]
pub struct Tally {
    /// Requests or messages sent.
    pub sent: u64,
    /// Operations that those will complete.
    pub expected: u64,
    /// Operations that have completed.
    pub done: u64,
    /// Replies that were errors.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// From when an operation was due until it completed, after the warm-up.
    pub latency: Histogram<u64>,
    /// How late this client itself sent, after the warm-up.
    pub late: Histogram<u64>,
    /// From when a message was due until its producer had the reply, after the warm-up; of shapes
    /// whose operations are arrivals at consumers.
    pub replies: Histogram<u64>,
    /// What is due from here on is measured.
    measured_from_us: u64,
    in_flight: Vec<u64>,
    /// Producers with nothing in flight that may have to go on.
    idle: Vec<usize>,
}

impl Tally {
    /// Nothing done yet, by so many producers.
    pub fn new(producers: usize) -> Self {
        Self {
            sent: 0,
            expected: 0,
            done: 0,
            errors: 0,
            first_error: None,
            latency: durations(),
            late: durations(),
            replies: durations(),
            measured_from_us: u64::MAX,
            in_flight: vec![0; producers],
            idle: (0..producers).rev().collect(),
        }
    }

    /// Measures what is due from a moment on.
    pub fn measure_from(&mut self, from_us: u64) {
        self.measured_from_us = from_us;
    }

    /// A producer has sent one message, at `now_us`, that completes `operations` operations.
    pub fn sent(&mut self, producer: usize, operations: u64, due_us: u64, now_us: u64) {
        self.sent += 1;
        self.expected += operations;
        self.in_flight[producer] += operations;
        if due_us >= self.measured_from_us {
            self.late.saturating_record(now_us.saturating_sub(due_us));
        }
    }

    /// An operation of a producer has completed.
    pub fn complete(&mut self, producer: usize, due_us: u64, now_us: u64) {
        self.done += 1;
        if due_us >= self.measured_from_us {
            self.latency
                .saturating_record(now_us.saturating_sub(due_us));
        }
        let in_flight = &mut self.in_flight[producer];
        *in_flight = in_flight.saturating_sub(1);
        if *in_flight == 0 {
            self.idle.push(producer);
        }
    }

    /// A producer has the reply to its request.
    pub fn replied(&mut self, due_us: u64, now_us: u64) {
        if due_us >= self.measured_from_us {
            self.replies
                .saturating_record(now_us.saturating_sub(due_us));
        }
    }

    /// A reply was an error.
    pub fn error(&mut self, text: &[u8]) {
        self.errors += 1;
        self.first_error
            .get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
    }

    /// Takes a producer with nothing in flight.
    pub fn take_idle(&mut self) -> Option<usize> {
        self.idle.pop()
    }

    /// Operations awaited.
    pub fn outstanding(&self) -> u64 {
        self.expected.saturating_sub(self.done)
    }
}
