//! How many nodes the radix tree would have in which Redis keeps these segments: XINFO reports it.
//!
//! The tree's shape follows from its keys alone, the sixteen bytes of each segment's first id: a
//! node for every key's end, for every fork, and for every stretch between them. What one key
//! adds follows from its neighbours and from the fork that it hangs at, which makes it O(log s)
//! to keep count.

use super::id::StreamId;
use super::log::Based;
use super::sorted::{Place, Sorted};

/// Bytes of a key.
const KEY_BYTES: u32 = 16;

/// The number whose big-endian bytes are the key.
fn wide(id: StreamId) -> u128 {
    (u128::from(id.ms) << 64) | u128::from(id.seq)
}

/// The least and the greatest id whose keys begin with so many bytes of this one's, not all.
fn bounds(id: StreamId, bytes: u32) -> (StreamId, StreamId) {
    let rest_ms = u64::MAX.checked_shr(8 * bytes).unwrap_or(0);
    let rest_seq = u64::MAX >> (8 * bytes.saturating_sub(8));
    (
        StreamId::new(id.ms & !rest_ms, id.seq & !rest_seq),
        StreamId::new(id.ms | rest_ms, id.seq | rest_seq),
    )
}

/// How many bytes both keys begin with.
fn shared(left: u128, right: u128) -> u32 {
    (left ^ right).leading_zeros() / 8
}

/// Nodes that the tree of these segments has more of with one more segment, which is not among
/// them.
pub(super) fn added_nodes(segments: &Sorted<Based>, base: StreamId) -> u64 {
    let key_at = |place: Place| wide(segments.at(place).base);
    let key = wide(base);
    let before = segments.floor(base);
    let after = match before {
        Some(place) => segments.after(place),
        None => segments.start(),
    };
    let beside = [before, after].into_iter().flatten();
    let Some(depth) = beside.map(|place| shared(key, key_at(place))).max() else {
        // Beside the empty root, which a lone key's stretch takes the place of.
        return 1;
    };
    // The keys that go along with this one up to where it leaves them.
    let (low, high) = bounds(base, depth);
    let first = match segments.floor(low) {
        Some(place) if segments.at(place).base == low => Some(place),
        Some(place) => segments.after(place),
        None => segments.start(),
    };
    let (Some(first), Some(last)) = (first, segments.floor(high)) else {
        unreachable!("a neighbour is among them");
    };
    let leaf = 1 + u64::from(depth + 1 < KEY_BYTES);
    let fork = shared(key_at(first), key_at(last));
    if fork == depth {
        return leaf;
    }
    // A new fork, between the one above and the stretch to what was below that one.
    let above = segments
        .before(first)
        .map(|place| shared(key_at(place), key_at(first)));
    let below = segments
        .after(last)
        .map(|place| shared(key_at(place), key_at(last)));
    let top = above.max(below).map_or(0, |fork| fork + 1);
    leaf + u64::from(depth > top) + u64::from(fork > depth + 1)
}

/// Nodes below a point where all `keys`, which are in order, agree in their first `depth` bytes.
#[cfg(any(test, feature = "verify"))]
pub(super) fn count_nodes(keys: &[[u8; 16]], depth: usize) -> u64 {
    let [first, .., last] = keys else {
        // No key: the empty root. One key: its end, and a stretch if any byte is left.
        return 1 + u64::from(keys.len() == 1 && depth < 16);
    };
    let fork = first
        .iter()
        .zip(last)
        .take_while(|(left, right)| left == right)
        .count();
    let branches: u64 = keys
        .chunk_by(|left, right| left[fork] == right[fork])
        .map(|branch| count_nodes(branch, fork + 1))
        .sum();
    u64::from(fork > depth) + 1 + branches
}
