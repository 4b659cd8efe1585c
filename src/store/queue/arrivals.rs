//! Arrival times of the messages of one segment, exact to the tick, as runs of equal ticks.
//!
//! A segment in which every message arrived in one tick (at high rates most do) keeps nothing but
//! that tick. Otherwise every run of equal ticks is four bytes: how far its tick lies from the
//! run before, and how many messages it has. A gap too wide for that puts one more word before
//! its run. So a message that has a run to itself costs four bytes, eight if the queue was silent
//! for half a minute, and a thousand messages of one millisecond cost four together.
//!
//! Positions here are those of the bytes in the segment, low to high, which is not the order of
//! the queue in a reversed segment. Ticks may rise or fall along the segment.
//!
//! The segment knows how many messages it has, so the count is handed in and kept once. Push and
//! pop at either side are O(1); everything else is O(runs).

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

/// Most messages of one run; a fuller one is continued by a run at distance zero.
const RUN_COUNT_MAX: u32 = (1 << 15) - 1;
/// Marks a word that only moves the tick and has no messages.
const GAP: u32 = 1 << 31;
/// Furthest one gap word reaches: 12 days of milliseconds. More gap words reach further.
const GAP_TICKS_MAX: i64 = (1 << 30) - 1;

/// The arrival ticks of a segment that is not empty.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    /// Tick of the lowest message.
    first: u64,
    /// Tick of the highest message.
    last: u64,
    /// The runs, low to high; absent when there is one. The distance in word 0 is always zero,
    /// and word 0 and the last word are never gaps.
    runs: Option<Box<Runs>>,
}

/// Run and gap words. Boxed where it is used: most segments have none, and a pointer keeps a
/// chunk within a cache line.
#[derive(Clone, Debug, Default)]
struct Runs(VecDeque<u32>);

impl Deref for Runs {
    type Target = VecDeque<u32>;

    #[inline]
    fn deref(&self) -> &VecDeque<u32> {
        &self.0
    }
}

impl DerefMut for Runs {
    #[inline]
    fn deref_mut(&mut self) -> &mut VecDeque<u32> {
        &mut self.0
    }
}

/// A run word: `count` messages at `distance` ticks from the run before.
#[inline]
fn run(distance: i16, count: u32) -> u32 {
    debug_assert!((1..=RUN_COUNT_MAX).contains(&count));
    u32::from(distance.cast_unsigned()) << 15 | count
}

#[inline]
fn is_gap(word: u32) -> bool {
    word & GAP != 0
}

/// Messages in a word.
#[inline]
fn count_of(word: u32) -> u32 {
    if is_gap(word) {
        0
    } else {
        word & RUN_COUNT_MAX
    }
}

/// Ticks from the run before to the messages of this word, or across this gap.
#[inline]
fn distance_of(word: u32) -> i64 {
    if is_gap(word) {
        i64::from((word << 1).cast_signed() >> 1)
    } else {
        i64::from((word << 1).cast_signed() >> 16)
    }
}

/// Takes from `distance` what a run word cannot hold, as gap words for `put`; returns the rest.
fn bridge(mut distance: i64, mut put: impl FnMut(u32)) -> i16 {
    loop {
        if let Ok(short) = i16::try_from(distance) {
            return short;
        }
        let step = distance.clamp(-GAP_TICKS_MAX, GAP_TICKS_MAX);
        let word = i32::try_from(step).unwrap_or(0).cast_unsigned();
        put(word | GAP);
        distance -= step;
    }
}

/// `to - from`, signed.
#[inline]
fn distance(from: u64, to: u64) -> i64 {
    to.wrapping_sub(from).cast_signed()
}

impl Arrivals {
    /// One or more messages that arrived at `tick`.
    pub(super) fn new(tick: u64) -> Self {
        Self {
            first: tick,
            last: tick,
            runs: None,
        }
    }

    /// Tick of the lowest message.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Tick of the highest message.
    #[inline]
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Something from the memory of the list of runs.
    pub(super) fn ask_list(&self) -> usize {
        self.runs.as_deref().map_or(0, |runs| runs.len())
    }

    /// Something from the memory of its first and last run.
    pub(super) fn ask(&self) -> u32 {
        let ends = |runs: &Runs| Some(runs.front()? ^ runs.back()?);
        self.runs.as_deref().and_then(ends).unwrap_or(0)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.runs.as_ref().map_or(0, |runs| {
            size_of::<Runs>() + runs.capacity() * size_of::<u32>()
        })
    }

    /// Gives back room kept for runs to come.
    pub(super) fn shrink(&mut self) {
        if let Some(runs) = &mut self.runs {
            runs.shrink_to_fit();
        }
    }

    /// Adds a message above the highest if that takes no more than counting it: the hot half of
    /// [`Self::push_high`], which is for the rest. Never allocates.
    #[inline]
    pub(super) fn repeat_high(&mut self, tick: u64) -> bool {
        if self.last != tick {
            return false;
        }
        let Some(runs) = &mut self.runs else {
            return true;
        };
        match runs.back_mut() {
            Some(word) if count_of(*word) < RUN_COUNT_MAX => {
                *word += 1;
                true
            }
            _ => false,
        }
    }

    /// Adds a message above the highest of `len`.
    pub(super) fn push_high(&mut self, tick: u64, len: u32) {
        self.push_run_high(tick, 1, len);
    }

    /// Adds `count` messages of one tick above the highest of `len`.
    fn push_run_high(&mut self, tick: u64, mut count: u32, len: u32) {
        if tick == self.last && self.runs.is_none() {
            return;
        }
        let mut far = bridge_into(&mut self.runs, len, distance(self.last, tick));
        self.last = tick;
        let runs = self.runs.get_or_insert_default();
        if far == 0
            && let Some(word) = runs.back_mut()
            && !is_gap(*word)
        {
            let fits = count.min(RUN_COUNT_MAX - count_of(*word));
            *word += fits;
            count -= fits;
        }
        while count > 0 {
            let part = count.min(RUN_COUNT_MAX);
            runs.push_back(run(far, part));
            far = 0;
            count -= part;
        }
    }

    /// Adds a message below the lowest of `len`.
    pub(super) fn push_low(&mut self, tick: u64, len: u32) {
        if tick == self.first && self.runs.is_none() {
            return;
        }
        let runs = self.runs.get_or_insert_with(|| Box::new(single(len)));
        if tick == self.first
            && let Some(word) = runs.front_mut()
            && count_of(*word) < RUN_COUNT_MAX
        {
            *word += 1;
            return;
        }
        if let Some(lowest) = runs.pop_front() {
            let mut gaps = Vec::new();
            let far = bridge(distance(tick, self.first), |gap| gaps.push(gap));
            runs.push_front(run(far, count_of(lowest)));
            for gap in gaps {
                runs.push_front(gap);
            }
        }
        runs.push_front(run(0, 1));
        self.first = tick;
    }

    /// Takes the lowest message away; others remain. Returns the bytes that left the heap.
    #[inline]
    pub(super) fn pop_low(&mut self) -> usize {
        if self.runs.is_none() {
            return 0;
        }
        self.drop_low(1)
    }

    /// Takes the highest message away; others remain. Returns the bytes that left the heap.
    #[inline]
    pub(super) fn pop_high(&mut self) -> usize {
        if self.runs.is_none() {
            return 0;
        }
        self.drop_high(1)
    }

    /// Takes the `count` lowest messages away; others remain. Returns the bytes that left the
    /// heap.
    pub(super) fn drop_low(&mut self, mut count: u32) -> usize {
        let Some(runs) = &mut self.runs else { return 0 };
        while let Some(word) = runs.front_mut() {
            let has = count_of(*word);
            if has > count {
                *word -= count;
                break;
            }
            count -= has;
            runs.pop_front();
            // What is now in front keeps its tick, to which its distance becomes zero.
            while let Some(word) = runs.front_mut() {
                self.first = self.first.wrapping_add_signed(distance_of(*word));
                if is_gap(*word) {
                    runs.pop_front();
                } else {
                    *word = run(0, count_of(*word));
                    break;
                }
            }
        }
        self.settle()
    }

    /// Takes the `count` highest messages away; others remain. Returns the bytes that left the
    /// heap.
    pub(super) fn drop_high(&mut self, mut count: u32) -> usize {
        let Some(runs) = &mut self.runs else { return 0 };
        while let Some(word) = runs.back_mut() {
            let has = count_of(*word);
            if has > count {
                *word -= count;
                break;
            }
            count -= has;
            self.last = self.last.wrapping_add_signed(-distance_of(*word));
            runs.pop_back();
            while let Some(word) = runs.back()
                && is_gap(*word)
            {
                self.last = self.last.wrapping_add_signed(-distance_of(*word));
                runs.pop_back();
            }
        }
        self.settle()
    }

    /// One run alone needs no words. Returns the bytes that left the heap.
    #[inline]
    fn settle(&mut self) -> usize {
        if self.runs.as_ref().is_some_and(|runs| runs.len() == 1) {
            let freed = self.heap_bytes();
            self.runs = None;
            return freed;
        }
        0
    }

    /// The runs of `len` messages, low to high, as tick and count.
    pub(super) fn runs(&self, len: u32) -> impl Iterator<Item = (u64, u32)> + '_ {
        let mut tick = self.first;
        let single = self.runs.is_none().then_some((tick, len));
        let words = self.runs.iter().flat_map(|runs| runs.iter());
        single.into_iter().chain(words.filter_map(move |&word| {
            tick = tick.wrapping_add_signed(distance_of(word));
            (!is_gap(word)).then(|| (tick, count_of(word)))
        }))
    }

    /// The ticks of `len` messages, low to high.
    pub(super) fn ticks(&self, len: u32) -> impl Iterator<Item = u64> + '_ {
        self.runs(len)
            .flat_map(|(tick, count)| std::iter::repeat_n(tick, count as usize))
    }

    /// Tick of the message at `position`.
    pub(super) fn get(&self, position: u32, len: u32) -> u64 {
        let mut below = 0;
        for (tick, count) in self.runs(len) {
            below += count;
            if position < below {
                return tick;
            }
        }
        self.last
    }

    /// How many messages at the low side, one after the other, arrived before `tick`.
    pub(super) fn older_low(&self, tick: u64, len: u32) -> u32 {
        let old = self.runs(len).take_while(|&(at, _)| at < tick);
        old.map(|(_, count)| count).sum()
    }

    /// How many messages at the high side, one after the other, arrived before `tick`.
    pub(super) fn older_high(&self, tick: u64, len: u32) -> u32 {
        let mut old = 0;
        for (at, count) in self.runs(len) {
            old = if at < tick { old + count } else { 0 };
        }
        old
    }

    /// Puts a message of `tick` in below `position` of `len`.
    pub(super) fn insert(&mut self, position: u32, tick: u64, len: u32) {
        if self.runs.is_none() && tick == self.first {
            return;
        }
        if position == 0 {
            self.push_low(tick, len);
        } else if position == len {
            self.push_high(tick, len);
        } else {
            let above = self.split_off(position, len);
            self.push_high(tick, position);
            self.append(position + 1, &above, len - position);
        }
    }

    /// Takes the message at `position` of `len` away; others remain.
    pub(super) fn remove(&mut self, position: u32, len: u32) {
        if self.runs.is_none() {
            return;
        }
        if position == 0 {
            self.pop_low();
        } else if position + 1 == len {
            self.pop_high();
        } else {
            let mut above = self.split_off(position, len);
            above.pop_low();
            self.append(position, &above, len - position - 1);
        }
    }

    /// Keeps the lowest `position` of `len` and returns the rest; neither part is empty.
    pub(super) fn split_off(&mut self, position: u32, len: u32) -> Self {
        debug_assert!(0 < position && position < len);
        let mut above = self.clone();
        above.drop_low(position);
        self.drop_high(len - position);
        above
    }

    /// Adds the `count` messages of `other` above the highest of `len`.
    pub(super) fn append(&mut self, len: u32, other: &Self, count: u32) {
        let mut len = len;
        for (tick, count) in other.runs(count) {
            self.push_run_high(tick, count, len);
            len += count;
        }
    }
}

/// Puts the gap words for `distance` behind `runs`, which stood for `len` messages of one tick if
/// absent; returns what is left for the run word.
fn bridge_into(runs: &mut Option<Box<Runs>>, len: u32, distance: i64) -> i16 {
    let runs = runs.get_or_insert_with(|| Box::new(single(len)));
    bridge(distance, |gap| runs.push_back(gap))
}

/// Words for `count` messages of one tick.
fn single(mut count: u32) -> Runs {
    let mut runs = VecDeque::with_capacity(2);
    while count > 0 {
        let part = count.min(RUN_COUNT_MAX);
        runs.push_back(run(0, part));
        count -= part;
    }
    Runs(runs)
}

#[cfg(any(test, feature = "verify"))]
impl Arrivals {
    /// Panics if the runs do not add up to `len` messages from the first tick to the last.
    pub(super) fn check(&self, len: u32) {
        let count: u32 = self.runs(len).map(|(_, count)| count).sum();
        assert_eq!(count, len, "runs cover every message");
        let last = self.runs(len).last().map(|(tick, _)| tick);
        assert_eq!(last, Some(self.last), "distances lead to the last tick");
        if let Some(runs) = &self.runs {
            assert!(runs.len() > 1, "one run alone has no words");
            let ends = [runs.front(), runs.back()];
            for word in ends.into_iter().flatten() {
                assert!(!is_gap(*word), "gaps lie between runs");
            }
            assert_eq!(distance_of(runs[0]), 0, "the first tick is kept outside");
        }
    }
}
