//! Walking over the messages of a queue, in either direction, without copying.

use super::Queue;
use super::chunk::Chunk;
use super::chunks::Chunks;
use super::message::{End, MessageRef};
use super::segment::{Record, Segment};

/// An iterator over consecutive messages. Each step reads one length; a step into another chunk
/// costs a look at the list.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    chunks: &'a Chunks,
    /// Index of the chunk to enter next.
    next_chunk: usize,
    /// The end of the queue the walk goes towards.
    towards: End,
    /// Messages still to yield.
    remaining: usize,
    /// Where in a segment the walk stands: the record yielded last, and how many follow it there.
    inside: Option<(&'a Segment, Record, usize)>,
}

impl<'a> Walk<'a> {
    /// Enters the next chunk and yields its first message in the direction of the walk.
    fn enter(&mut self) -> Option<MessageRef<'a>> {
        let chunk = self.chunks.get(self.next_chunk)?;
        self.step();
        match chunk {
            Chunk::Segment(segment) => {
                let record = segment.record_at(self.towards.opposite());
                let message = MessageRef::packed(segment.payload_of(&record));
                self.inside = Some((segment, record, segment.len() - 1));
                Some(message)
            }
            Chunk::Large(large) => {
                self.inside = None;
                Some(MessageRef::by_reference(&large.bytes))
            }
        }
    }

    fn step(&mut self) {
        self.next_chunk = match self.towards {
            End::Back => self.next_chunk + 1,
            // Past the first chunk there is nothing left to yield, so wrapping ends the walk.
            End::Front => self.next_chunk.wrapping_sub(1),
        };
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = MessageRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<MessageRef<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        if let Some((segment, record, left)) = &mut self.inside
            && *left > 0
        {
            *left -= 1;
            *record = segment.record_beside(record, self.towards);
            return Some(MessageRef::packed(segment.payload_of(record)));
        }
        self.enter()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Walk<'_> {}

impl Queue {
    /// At most `count` messages from index `from` towards the back. Seeking costs as
    /// [`Queue::get`].
    pub fn range(&self, from: usize, count: usize) -> Walk<'_> {
        let count = count.min(self.len().saturating_sub(from));
        self.walk(from, count, End::Back)
    }

    /// At most `count` messages from index `from` towards the front.
    pub fn range_rev(&self, from: usize, count: usize) -> Walk<'_> {
        let count = if from < self.len() {
            count.min(from + 1)
        } else {
            0
        };
        self.walk(from, count, End::Front)
    }

    /// All messages, front to back.
    pub fn iter(&self) -> Walk<'_> {
        self.range(0, self.len())
    }

    fn walk(&self, from: usize, count: usize, towards: End) -> Walk<'_> {
        let mut walk = Walk {
            chunks: &self.chunks,
            next_chunk: 0,
            towards,
            remaining: count,
            inside: None,
        };
        let Some((at, index)) = self.seek(from) else {
            walk.remaining = 0;
            return walk;
        };
        walk.next_chunk = at;
        let Chunk::Segment(segment) = &self.chunks[at] else {
            return walk;
        };
        // Stand on the message before the first one to yield, if the chunk has one.
        let (before, left) = match towards {
            End::Back => (index.checked_sub(1), segment.len() - index),
            End::Front => (Some(index + 1).filter(|&i| i < segment.len()), index + 1),
        };
        if let Some(before) = before {
            walk.inside = Some((segment, segment.record(before), left));
            walk.step();
        }
        walk
    }
}

impl<'a> IntoIterator for &'a Queue {
    type Item = MessageRef<'a>;
    type IntoIter = Walk<'a>;

    fn into_iter(self) -> Walk<'a> {
        self.iter()
    }
}
