//! The queue against a `VecDeque` of owned messages, which is plainly right.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::store::reclaim::{SLICE_BYTES, Shed};

/// The plain truth: messages and arrivals, front to back.
#[derive(Clone, Default)]
struct Model(VecDeque<(Vec<u8>, u64)>);

impl Model {
    fn push(&mut self, end: End, message: &[u8], tick: u64) {
        match end {
            End::Front => self.0.push_front((message.to_vec(), tick)),
            End::Back => self.0.push_back((message.to_vec(), tick)),
        }
    }

    fn pop(&mut self, end: End) -> Option<(Vec<u8>, u64)> {
        match end {
            End::Front => self.0.pop_front(),
            End::Back => self.0.pop_back(),
        }
    }

    fn peek(&self, end: End) -> Option<&(Vec<u8>, u64)> {
        match end {
            End::Front => self.0.front(),
            End::Back => self.0.back(),
        }
    }

    fn drop_while(&mut self, end: End, mut old: impl FnMut(u64) -> bool) -> Tally {
        let mut dropped = Tally::default();
        while self.peek(end).is_some_and(|&(_, arrival)| old(arrival)) {
            dropped.messages += 1;
            dropped.bytes += self.pop(end).unwrap().0.len() as u64;
        }
        dropped
    }

    fn remove(&mut self, value: &[u8], end: End, limit: usize) -> Vec<u64> {
        let mut indexes: Vec<usize> = (0..self.0.len())
            .filter(|&i| self.0[i].0 == value)
            .collect();
        if end == End::Back {
            indexes.reverse();
        }
        indexes.truncate(limit);
        let arrivals = indexes.iter().map(|&i| self.0[i].1).collect();
        indexes.sort_unstable();
        for index in indexes.into_iter().rev() {
            self.0.remove(index);
        }
        arrivals
    }
}

/// A seeded random number generator (splitmix64): tests must repeat.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn end(&mut self) -> End {
        if self.next() & 1 == 0 {
            End::Front
        } else {
            End::Back
        }
    }

    /// A message; few distinct values of each size, so that LREM finds some.
    fn message(&mut self, sizes: &[usize]) -> Vec<u8> {
        let size = sizes[self.below(sizes.len())];
        vec![b'a' + u8::try_from(self.below(3)).unwrap(); size]
    }
}

/// A queue and its model, changed together.
struct Pair {
    queue: Queue,
    model: Model,
    tick: u64,
    random: Random,
    sizes: &'static [usize],
    /// Whether ticks jump, or mostly repeat.
    restless: bool,
}

impl Pair {
    fn new(seed: u64, sizes: &'static [usize], restless: bool) -> Self {
        Self {
            queue: Queue::new(),
            model: Model::default(),
            tick: 1,
            random: Random(seed),
            sizes,
            restless,
        }
    }

    fn advance(&mut self) {
        let step = match self.random.below(if self.restless { 8 } else { 200 }) {
            0 => 1,
            1 => 40_000,
            2 => 3_000_000_000,
            3..6 => self.random.next() % 300,
            _ => 0,
        };
        self.tick += step;
    }

    fn push(&mut self) {
        let (end, message) = (self.random.end(), self.random.message(self.sizes));
        self.advance();
        match self.random.below(3) {
            0 => self
                .queue
                .push_shared(end, Bytes::from(message.clone()), self.tick),
            1 => self
                .queue
                .push_message(end, Message::from(&message[..]), self.tick),
            _ => self.queue.push(end, &message, self.tick),
        }
        self.model.push(end, &message, self.tick);
    }

    fn pop(&mut self) {
        let end = self.random.end();
        let expected = self.model.pop(end);
        let popped = if self.random.next() & 1 == 0 {
            self.queue
                .pop_with(end, |message, arrival| (message.bytes().to_vec(), arrival))
        } else {
            let popped = self.queue.pop(end);
            popped.map(|popped| (popped.message.to_vec(), popped.arrival))
        };
        assert_eq!(popped, expected);
    }

    /// Pops some, and puts them back with pushes at the other end between.
    fn unpop(&mut self) {
        let end = self.random.end();
        let mut popped = Vec::new();
        for _ in 0..self.random.below(5) {
            popped.extend(self.queue.pop(end));
            if let Some((message, _)) = self.model.pop(end) {
                assert_eq!(popped.last().unwrap().message, message[..]);
            }
        }
        for Popped { message, arrival } in popped.into_iter().rev() {
            self.model.push(end, &message, arrival);
            if self.random.next() & 1 == 0 {
                self.queue.unpop(end, &message, arrival);
            } else {
                self.queue.unpop_message(end, message, arrival);
            }
        }
    }

    fn set(&mut self) {
        let index = self.random.below(self.model.0.len() + 2);
        let message = self.random.message(self.sizes);
        let done = self.queue.set(index, &message);
        assert_eq!(done, index < self.model.0.len());
        if done {
            self.model.0[index].0 = message;
        }
    }

    fn insert(&mut self) {
        let index = self.random.below(self.model.0.len() + 2);
        let message = self.random.message(self.sizes);
        self.advance();
        let done = self.queue.insert_before(index, &message, self.tick);
        assert_eq!(done, index <= self.model.0.len());
        if !done {
            return;
        }
        let mut arrival = self.tick;
        if 0 < index && index < self.model.0.len() {
            let (above, below) = (self.model.0[index - 1].1, self.model.0[index].1);
            arrival = arrival.clamp(above.min(below), above.max(below));
        }
        self.model.0.insert(index, (message, arrival));
    }

    fn remove(&mut self) {
        let (end, value) = (self.random.end(), self.random.message(self.sizes));
        let limit = [1, 1, 2, 20, usize::MAX][self.random.below(5)];
        let mut arrivals = Vec::new();
        let removed = self
            .queue
            .remove_matching(&value, end, limit, |message, arrival| {
                assert_eq!(message, value);
                arrivals.push(arrival);
            });
        assert_eq!(removed, arrivals.len());
        assert_eq!(arrivals, self.model.remove(&value, end, limit));
    }

    fn drop_some(&mut self) {
        let end = self.random.end();
        if self.random.next() & 1 == 0 {
            let count = self.random.below(self.model.0.len() / 4 + 2);
            let mut left = count;
            let expected = self.model.drop_while(end, |_| {
                let more = left > 0;
                left = left.saturating_sub(1);
                more
            });
            let dropped = match end {
                End::Front => self.queue.drop_at(End::Front, count),
                End::Back => self.queue.drop_at(End::Back, count),
            };
            assert_eq!(dropped, expected);
        } else {
            let index = self.random.below(self.model.0.len() + 1);
            let tick = self.model.0.get(index).map_or(0, |&(_, arrival)| arrival);
            let expected = self.model.drop_while(end, |arrival| arrival < tick);
            assert_eq!(self.queue.drop_older_than(end, tick), expected);
        }
    }

    fn read(&mut self) {
        let len = self.model.0.len();
        let (from, count) = (self.random.below(len + 2), self.random.below(len + 2));
        let forward = self.model.0.iter().skip(from).take(count);
        assert!(same(self.queue.range(from, count), forward));
        let backward = self.model.0.iter().rev().skip(len.wrapping_sub(from + 1));
        let count = if from < len { count } else { 0 };
        assert!(same(
            self.queue.range_rev(from, count),
            backward.take(count)
        ));
        let expected = self.model.0.get(from);
        let found = self.queue.get(from).map(|message| message.bytes());
        assert_eq!(found, expected.map(|(message, _)| &message[..]));
        assert_eq!(self.queue.arrival(from), expected.map(|&(_, tick)| tick));
    }

    /// One random operation. `growth` of 100 are pushes.
    fn step(&mut self, growth: usize) {
        match self.random.below(100) {
            kind if kind < growth => self.push(),
            kind if kind < 80 => self.pop(),
            80..83 => self.unpop(),
            83..88 => self.set(),
            88..92 => self.insert(),
            92..95 => self.remove(),
            95 if self.random.below(10) == 0 => self.drop_some(),
            _ => self.read(),
        }
    }

    /// What holds after every operation; cheap enough for that.
    fn check(&self) {
        let bytes: usize = self.model.0.iter().map(|(message, _)| message.len()).sum();
        assert_eq!(self.queue.len(), self.model.0.len());
        assert_eq!(self.queue.is_empty(), self.model.0.is_empty());
        assert_eq!(self.queue.bytes(), bytes as u64);
        for end in [End::Front, End::Back] {
            let found = self.queue.peek(end);
            let found = found.map(|(message, arrival)| (message.bytes(), arrival));
            let expected = self.model.peek(end);
            assert_eq!(found, expected.map(|(message, tick)| (&message[..], *tick)));
        }
    }

    /// What holds after every operation, looked at in full.
    fn check_all(&self) {
        self.queue.check_invariants();
        assert!(same(self.queue.iter(), self.model.0.iter()));
        let copy = self.queue.clone();
        copy.check_invariants();
        assert!(same(&copy, self.model.0.iter()));
        for (index, &(_, arrival)) in self.model.0.iter().enumerate() {
            assert_eq!(self.queue.arrival(index), Some(arrival));
        }
    }
}

fn same<'a, 'b>(
    found: impl IntoIterator<Item = MessageRef<'a>>,
    expected: impl IntoIterator<Item = &'b (Vec<u8>, u64)>,
) -> bool {
    let found = found.into_iter().map(|message| message.bytes());
    found.eq(expected.into_iter().map(|(message, _)| &message[..]))
}

const SMALL: &[usize] = &[0, 1, 2, 16, 63, 64, 65, 126, 127, 128, 129, 130];
const MIXED: &[usize] = &[
    0,
    1,
    16,
    64,
    127,
    128,
    1024,
    PACKED_BYTES_MAX,
    PACKED_BYTES_MAX + 1,
];
const LARGE: &[usize] = &[1, 300, 5000, 16 << 10, 100 << 10];

#[test]
fn random_operations_agree_with_the_model() {
    for (seed, sizes) in (0..).zip([SMALL, MIXED, LARGE, SMALL, MIXED, LARGE]) {
        let mut pair = Pair::new(seed, sizes, seed % 2 == 0);
        for step in 0..12_000 {
            // The queue swells and shrinks, so that it is also small and empty at times.
            let growth = if step / 1500 % 2 == 0 { 60 } else { 25 };
            pair.step(growth);
            pair.check();
            if step % 61 == 0 {
                pair.check_all();
            }
        }
    }
}

#[test]
fn tiny_queues_agree_with_the_model_in_full() {
    for seed in 0..400 {
        let mut pair = Pair::new(seed, if seed % 3 == 0 { LARGE } else { SMALL }, true);
        for _ in 0..60 {
            pair.step(45);
            pair.check();
            pair.check_all();
        }
    }
}

#[test]
fn long_queues_agree_with_the_model() {
    for seed in 0..3 {
        let mut pair = Pair::new(seed, SMALL, false);
        for step in 0..60_000 {
            pair.push();
            if step % 3000 == 0 {
                for _ in 0..10 {
                    pair.step(0);
                }
                pair.check();
                pair.queue.check_invariants();
            }
        }
        pair.check_all();
        while !pair.queue.is_empty() {
            pair.pop();
        }
        assert!(pair.queue.heap_bytes() <= 4 * size_of::<Chunk>());
    }
}

#[test]
fn edits_in_long_queues_agree_with_the_model() {
    const SIZES: &[usize] = &[
        5,
        100,
        300,
        700,
        1500,
        PACKED_BYTES_MAX,
        PACKED_BYTES_MAX + 1,
    ];
    for seed in 0..6 {
        let mut pair = Pair::new(seed, SIZES, seed % 2 == 0);
        for _ in 0..1500 {
            pair.push();
        }
        assert!(pair.queue.chunks.len() > 10);
        for step in 0..1500 {
            match pair.random.below(8) {
                0..3 => pair.insert(),
                3..6 => pair.set(),
                6 => pair.push(),
                _ if step % 3 == 0 => pair.remove(),
                _ => pair.read(),
            }
            pair.check();
            if step % 31 == 0 {
                pair.check_all();
            }
        }
    }
}

#[test]
fn a_drained_queue_owns_nothing() {
    for (push, pop) in [
        (End::Front, End::Front),
        (End::Front, End::Back),
        (End::Back, End::Front),
        (End::Back, End::Back),
    ] {
        let mut queue = Queue::new();
        for tick in 0..50_000 {
            queue.push(push, &[7; 40], tick / 100);
        }
        assert!(queue.heap_bytes() > 50_000 * 42);
        assert!(queue.heap_bytes() < 50_000 * 43 + 2 * SEGMENT_BYTES_MAX);
        let mut held = queue.heap_bytes();
        while queue.pop_with(pop, |_, _| ()).is_some() {
            held = held.min(queue.heap_bytes());
            let list = queue.chunks.heap_bytes();
            assert!(queue.heap_bytes() <= queue.len() * 43 + SEGMENT_BYTES_MAX * 2 + list);
        }
        assert!(queue.heap_bytes() <= 4 * size_of::<Chunk>());
    }
}

#[test]
fn a_small_queue_is_small() {
    let mut queue = Queue::new();
    queue.push(End::Front, &[0; 16], 5);
    assert!(size_of::<Queue>() + queue.heap_bytes() <= 16 + 200);
    let mut queue = Queue::new();
    queue.push(End::Back, &[0; 64], 5);
    assert!(size_of::<Queue>() + queue.heap_bytes() <= 64 + 200);
}

#[test]
fn a_shallow_queue_stays_small_however_much_passes() {
    let mut queue = Queue::new();
    for tick in 0..100_000 {
        queue.push(End::Front, &[1; 64], tick);
        if queue.len() > 10 {
            queue.pop_with(End::Back, |_, _| ());
        }
        assert!(queue.heap_bytes() < 8192, "{}", queue.heap_bytes());
    }
}

#[test]
fn a_queue_that_was_long_holds_little_for_its_last_message() {
    for (pop, len) in [(End::Front, 400), (End::Back, 400), (End::Front, 40_000)] {
        let mut queue = Queue::new();
        for tick in 0..len {
            queue.push(End::Back, &[1; 64], tick);
        }
        while queue.len() > 1 {
            queue.pop_with(pop, |_, _| ());
        }
        queue.check_invariants();
        assert!(queue.heap_bytes() < 5 << 10, "{}", queue.heap_bytes());
    }
}

#[test]
fn oldest_arrival_is_exact_for_pushes_at_both_ends() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, SMALL, true);
        for _ in 0..3000 {
            if pair.random.below(5) < 3 {
                pair.push();
            } else {
                pair.pop();
            }
            let oldest = pair.model.0.iter().map(|&(_, arrival)| arrival).min();
            assert_eq!(pair.queue.oldest_arrival(), oldest);
        }
    }
}

#[test]
fn large_messages_are_shared() {
    let bytes = Bytes::from(vec![1; PACKED_BYTES_MAX + 1]);
    let mut queue = Queue::new();
    queue.push_shared(End::Back, bytes.clone(), 1);
    let held = queue.get(0).unwrap();
    assert_eq!(held.shared().unwrap().as_ptr(), bytes.as_ptr());
    let popped = queue.pop(End::Front).unwrap().message.into_bytes();
    assert_eq!(popped.as_ptr(), bytes.as_ptr());
    queue.push_shared(End::Back, Bytes::from_static(b"small"), 1);
    assert!(queue.get(0).unwrap().shared().is_none());
}

#[test]
fn heavy_chunks_are_freed_in_slices() {
    let mut queue = Queue::new();
    for _ in 0..100_000 {
        queue.push(End::Back, &[0; 64], 1);
    }
    let heap = queue.heap;
    let mut chunks = mem::take(&mut queue.chunks);
    let mut slices = 1;
    while chunks.shed() {
        slices += 1;
    }
    assert_eq!(slices, heap.div_ceil(SLICE_BYTES));
}

#[test]
fn trimming_much_leaves_the_counters_right() {
    let mut queue = Queue::new();
    for _ in 0..100_000 {
        queue.push(End::Back, &[0; 64], 1);
    }
    assert_eq!(queue.drop_at(End::Front, 99_990).messages, 99_990);
    queue.check_invariants();
    assert_eq!((queue.len(), queue.bytes()), (10, 640));
}

#[test]
fn removing_leaves_no_trail_of_nearly_empty_segments() {
    let mut queue = Queue::new();
    for index in 0..100_000 {
        let message: &[u8] = if index % 100 == 0 { b"keep" } else { b"gone" };
        queue.push(End::Back, message, index / 1000);
    }
    let before = queue.heap_bytes();
    assert_eq!(
        queue.remove_matching(b"gone", End::Front, usize::MAX, |_, _| ()),
        99_000
    );
    queue.check_invariants();
    assert!(queue.heap_bytes() < before / 10);
}

#[test]
fn removing_piece_by_piece_leaves_no_trail_either() {
    let mut queue = Queue::new();
    for index in 0..30_000_u32 {
        let piece = if index % 100 == 0 {
            u32::MAX
        } else {
            index / 300
        };
        queue.push(End::Front, &[piece.to_le_bytes(); 16].concat(), 1);
    }
    let before = queue.chunks.len();
    for piece in 0..100_u32 {
        let value = [piece.to_le_bytes(); 16].concat();
        assert_eq!(
            queue.remove_matching(&value, End::Back, usize::MAX, |_, _| ()),
            297
        );
    }
    queue.check_invariants();
    assert_eq!(queue.len(), 300);
    assert!(
        before > 10 && queue.chunks.len() <= 2,
        "{} left",
        queue.chunks.len()
    );
}

#[test]
fn setting_long_and_short_in_turn_does_not_fray_a_queue() {
    let mut queue = Queue::new();
    for _ in 0..200 {
        queue.push(End::Back, &[0; 64], 1);
    }
    for index in (0..200).chain(0..200) {
        assert!(queue.set(index, &[1; PACKED_BYTES_MAX + 1]));
        assert!(queue.set(index, &[2; 64]));
    }
    queue.check_invariants();
    assert!(queue.chunks.len() <= 2, "{}", queue.chunks.len());
}

#[test]
fn a_panicking_taker_takes_nothing() {
    let mut queue = Queue::new();
    queue.push(End::Back, b"kept", 1);
    let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        queue.pop_with(End::Back, |_, _| panic!("no"));
    }));
    assert!(taken.is_err());
    queue.check_invariants();
    assert_eq!(queue.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_come_out_as_they_went_in(
        messages in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..300), any::<bool>(), 0..1u64 << 36),
            0..200,
        ),
    ) {
        let (mut queue, mut model) = (Queue::new(), Model::default());
        for (message, front, tick) in &messages {
            let end = if *front { End::Front } else { End::Back };
            queue.push(end, message, *tick);
            model.push(end, message, *tick);
        }
        queue.check_invariants();
        for &(_, front, _) in &messages {
            let end = if front { End::Back } else { End::Front };
            let popped = queue.pop_with(end, |message, tick| (message.bytes().to_vec(), tick));
            prop_assert_eq!(popped, model.pop(end));
        }
        prop_assert!(queue.is_empty());
    }
}

#[test]
fn a_worker_whose_clock_is_behind_does_not_stop_the_measuring() {
    let mut queue = Queue::new();
    for quarter in 100..200_u32 {
        let tick = u64::from(quarter) * 256;
        queue.touch(quarter);
        for _ in 0..10 {
            queue.push(End::Back, b"x", tick);
            let popped = queue.pop(End::Front).unwrap();
            queue.note_waited(Some(popped.arrival), tick);
        }
        queue.touch(quarter - 1);
    }
    let rates = queue.rates(200, 200 * 256);
    // For a minute it is not there yet.
    for window in 0..2 {
        let (came, out) = (rates.came[window], rates.out[window]);
        assert!(
            (came - 39.06).abs() < 1.0 && (out - 39.06).abs() < 1.0,
            "{rates:?}"
        );
    }
}
