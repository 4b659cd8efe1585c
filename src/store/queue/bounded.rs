//! A queue under a policy: whether it is within its bounds, and what goes if it is not.

use std::sync::Arc;

use crate::overflow::QueueBounds;
use crate::policy::Governed;

use crate::store::ledger::Cause;

use super::message::{End, Popped};
use super::{Chunk, Queue};

/// Dead letters that a queue knows something of.
const LETTERS_LEN_MAX: usize = 128;

/// What is known of a dead letter beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The queue that it comes from; the caller sees to it that it is short.
    pub source: Box<[u8]>,
    /// Why it could not stay there.
    pub cause: Cause,
    /// Wall clock in milliseconds when it came here.
    pub at_ms: u64,
    /// Milliseconds that it was in the queue that it comes from.
    pub waited_ms: u64,
}

impl Queue {
    /// Notes what is known of the dead letter that was just pushed.
    pub fn note_letter(&mut self, source: Box<[u8]>, cause: Cause, at_ms: u64, waited_ms: u64) {
        let letters = &mut self.extra.get_or_insert_default().letters;
        if letters.len() == LETTERS_LEN_MAX {
            letters.pop_front();
        }
        letters.push_back(Letter {
            source,
            cause,
            at_ms,
            waited_ms,
        });
    }

    /// What is known of the dead letters that came last, the latest first. Those that were popped
    /// meanwhile are among them.
    pub fn letters(&self) -> impl Iterator<Item = &Letter> {
        let extra = self.extra.iter();
        extra.flat_map(|extra| extra.letters.iter().rev())
    }

    /// Puts the queue under a policy, or under none.
    pub fn govern(&mut self, governed: Option<&Arc<Governed>>) {
        if governed.is_some() || self.extra.is_some() {
            self.extra.get_or_insert_default().governed = governed.cloned();
        }
    }

    /// The policy that holds for it.
    #[inline]
    pub fn governed(&self) -> Option<&Arc<Governed>> {
        self.extra.as_ref()?.governed.as_ref()
    }

    /// Its bounds, if it has any.
    #[inline]
    pub fn bounds(&self) -> Option<QueueBounds> {
        Some(self.governed()?.bounds)
    }

    /// Whether it holds more than its policy allows.
    pub fn is_over(&self) -> bool {
        let held = self.held();
        self.bounds()
            .is_some_and(|bounds| !bounds.hold(held.messages, held.bytes))
    }

    /// The end with the oldest messages: away from where the last push was, as far as can be told.
    pub fn old_end(&self) -> End {
        let (Some((_, front)), Some((_, back))) = (self.peek(End::Front), self.peek(End::Back))
        else {
            return End::Front;
        };
        if front == back && self.chunks.at_end(End::Back).is_some_and(Chunk::reversed)
            || back < front
        {
            End::Back
        } else {
            End::Front
        }
    }

    /// Lets go of messages at one end until the rest is within bounds. O(1) for one message, and
    /// O(chunks) where length alone decides and none has a time of its own. The caller counts what went
    /// for its cause.
    #[inline]
    pub fn drop_surplus(&mut self, bounds: &QueueBounds, end: End) {
        match self.held().messages.saturating_sub(bounds.length_max) {
            0 => {}
            1 => self.drop_one(end),
            many => {
                let _ = self.drop_at(end, usize::try_from(many).unwrap_or(usize::MAX));
            }
        }
        while self.bytes() > bounds.bytes_max {
            self.drop_one(end);
        }
    }

    #[inline]
    fn drop_one(&mut self, end: End) {
        if self.has_ttls() {
            self.take_ttl(end);
        }
        self.pop_with(end, |_, _| ());
    }

    /// Lets go of whole chunks at one end until so many payload bytes went. The caller counts them.
    pub fn drop_chunks(&mut self, end: End, bytes: u64) {
        let gone = self.gone().bytes;
        while self.gone().bytes - gone < bytes
            && let Some(chunk) = self.chunks.at_end(end)
        {
            let len = chunk.len();
            let _ = self.drop_at(end, len);
        }
    }

    /// Takes messages at one end away until the rest is within bounds, and hands them over, that
    /// nearest to the end first.
    pub fn take_surplus(&mut self, bounds: &QueueBounds, end: End) -> Vec<Popped> {
        let mut taken = Vec::new();
        while !bounds.hold(self.held().messages, self.held().bytes) {
            self.take_ttl(end);
            taken.extend(self.pop(end));
        }
        taken
    }
}
