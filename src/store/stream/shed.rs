//! How a heavy stream goes: in pieces, on the thread that frees.
//!
//! Whoever drops a stream or a group may hold a shard, and freeing millions of segments or
//! pending entries takes tens of milliseconds.

use std::mem;

use super::Stream;
use super::group::Group;
use super::idempotence::Idempotence;
use super::log::Based;
use super::sorted::{Keyed, Sorted};
use crate::store::reclaim::{self, HEAVY_BYTES_MIN, SLICE_BYTES, Shed};

impl Drop for Stream {
    /// Hands the parts of a heavy stream over to be freed elsewhere.
    fn drop(&mut self) {
        let bytes = heavy(self.heap_bytes());
        if bytes >= HEAVY_BYTES_MIN {
            let remains = Remains {
                segments: self.log.take_segments(),
                groups: mem::take(&mut self.groups),
                idempotence: self.idempotence.take(),
            };
            reclaim::free(remains, bytes);
        }
    }
}

/// What is left of a stream that has gone.
struct Remains {
    segments: Sorted<Based>,
    #[allow(clippy::vec_box, reason = "moved as it is from the stream")]
    groups: Vec<Box<Group>>,
    idempotence: Option<Box<Idempotence>>,
}

impl Shed for Remains {
    fn shed(&mut self) -> bool {
        let mut left = SLICE_BYTES;
        while let Some(segments) = self.segments.take_some() {
            let freed: u64 = segments.iter().map(|b| b.segment.heap_bytes()).sum();
            left = left.saturating_sub(heavy(freed));
            if left == 0 {
                return true;
            }
        }
        while let Some(group) = self.groups.last_mut() {
            if !group.shed_some(&mut left) {
                self.groups.pop();
            }
            if left == 0 {
                return true;
            }
        }
        let known = self.idempotence.as_mut();
        known.is_some_and(|known| known.shed_some(&mut left))
    }
}

impl Shed for Box<Group> {
    fn shed(&mut self) -> bool {
        self.shed_some(&mut SLICE_BYTES.clone())
    }
}

/// Frees a group that was destroyed, elsewhere if it is heavy.
pub fn free_group(group: Box<Group>) {
    let bytes = heavy(group.heap_bytes());
    reclaim::free(group, bytes);
}

/// Frees items of a list up to so many bytes; true while there are more.
pub(super) fn shed_list<T: Keyed>(list: &mut Sorted<T>, left: &mut usize) -> bool {
    while *left > 0 {
        let Some(items) = list.take_some() else {
            return false;
        };
        *left = left.saturating_sub(items.len() * size_of::<T>());
    }
    list.len() > 0
}

fn heavy(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
