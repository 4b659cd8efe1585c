//! What lies at the ends of a queue or stream, for people who want to see it. Nothing is taken, and
//! long messages are shown in part.

use crate::clock::Now;
use crate::store::queue::Queue;
use crate::store::stream::{Stream, StreamId};
use crate::store::{Held, Key, Value};

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Where it lies: the index in a queue, the id in a stream.
    pub place: String,
    /// Milliseconds since it came.
    pub age_ms: u64,
    /// Its payload bytes.
    pub bytes: u64,
    /// The first of them.
    pub head: Vec<u8>,
}

/// Bytes that are shown of a message.
const HEAD_BYTES_MAX: usize = 512;

fn head(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(HEAD_BYTES_MAX)].to_vec()
}

/// The messages at both ends of a queue, or all of a short one, from the front.
fn of_queue(queue: &Queue, tick: u64, count: usize) -> Vec<Glimpse> {
    let len = queue.len();
    let front = len.min(count);
    let back = len.saturating_sub(count).max(front);
    let mut seen = Vec::new();
    for (first, messages) in [
        (0, queue.range(0, front)),
        (back, queue.range(back, len - back)),
    ] {
        for (index, message) in (first..).zip(messages) {
            let arrival = queue.arrival(index).unwrap_or(tick);
            seen.push(Glimpse {
                place: index.to_string(),
                age_ms: tick.saturating_sub(arrival),
                bytes: message.bytes().len() as u64,
                head: head(message.bytes()),
            });
        }
    }
    seen
}

/// The last entries of a stream, the latest first.
fn of_stream(stream: &Stream, now_ms: u64, count: usize) -> Vec<Glimpse> {
    let entries = stream.log().range_rev(StreamId::MIN, StreamId::MAX);
    let glimpses = entries.take(count).map(|entry| {
        let mut shown = Vec::new();
        for (name, value) in entry.fields {
            if shown.len() > HEAD_BYTES_MAX {
                break;
            }
            for part in [name, b"=", value, b" "] {
                shown.extend_from_slice(&part[..part.len().min(HEAD_BYTES_MAX)]);
            }
        }
        Glimpse {
            place: format!("{}-{}", entry.id.ms, entry.id.seq),
            age_ms: now_ms.saturating_sub(entry.id.ms),
            bytes: entry.fields.payload_bytes(),
            head: head(shown.trim_ascii_end()),
        }
    });
    glimpses.collect()
}

/// The messages at the ends of what a key holds, `count` from each; its shard is held.
pub(super) fn at(held: &Held<'_>, key: &Key<'_>, now: Now, count: usize) -> Vec<Glimpse> {
    match held.look(key) {
        Some(Value::Queue(queue)) => of_queue(queue, now.mono_ms(), count),
        Some(Value::Stream(stream)) => of_stream(stream, now.unix_ms, count),
        _ => Vec::new(),
    }
}
