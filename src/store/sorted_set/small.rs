//! The form of a small sorted set: its entries end to end in one allocation, in order.
//!
//! An entry is a head byte, the length of the member if it does not fit into the head, the score,
//! and the member. The head says how the score is kept: integers, which most scores are, in as few
//! bytes as hold them. So an entry costs its member and 1 to 10 bytes; Redis needs 4 to 24.
//!
//! Every operation reads from the front: O(n), about 2 ns an entry.

use smallvec::SmallVec;

/// Bits of a head that say how the score is kept; the rest is the member's length.
const KIND_BITS: u32 = 3;
/// Lengths from here on stand behind the head, seven bits to a byte.
const LONG: usize = (1 << (8 - KIND_BITS)) - 1;
/// How many bytes a score of each kind takes: zero, integers of 8, 16, 32 and 48 bits, a double.
const SCORE_BYTES: [usize; 8] = [0, 1, 2, 4, 6, 8, 8, 8];
const DOUBLE: u8 = 5;
/// The allocation grows to multiples of this.
const GROWTH_BYTES: usize = 32;

/// Entries in order.
#[derive(Debug, Default)]
pub(super) struct Small {
    bytes: Vec<u8>,
    len: usize,
}

/// Where an entry lies.
#[derive(Clone, Copy)]
struct Place {
    kind: u8,
    score_at: usize,
    member_at: usize,
    end: usize,
}

/// How a score is kept: its kind, and its bytes of which as many count as the kind says.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "an integer is told by surviving the way there and back"
)]
fn packed_score(score: f64) -> (u8, [u8; 8]) {
    const LIMIT: f64 = 140_737_488_355_328.0;
    let integer = score as i64;
    #[allow(clippy::cast_precision_loss, reason = "the check is for that")]
    let is_integer = score.abs() < LIMIT && (integer as f64).to_bits() == score.to_bits();
    if !is_integer {
        return (DOUBLE, score.to_le_bytes());
    }
    let kind = if integer == 0 {
        0
    } else if i8::try_from(integer).is_ok() {
        1
    } else if i16::try_from(integer).is_ok() {
        2
    } else if i32::try_from(integer).is_ok() {
        3
    } else {
        4
    };
    (kind, integer.to_le_bytes())
}

/// The score of a kind that begins `bytes`.
#[inline]
fn unpacked_score(kind: u8, bytes: &[u8]) -> f64 {
    let word = match bytes.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(bytes),
    };
    match kind {
        0 => 0.0,
        // Moves the sign to where the processor looks for it, and back.
        1 => small_integer(word, 56),
        2 => small_integer(word, 48),
        3 => small_integer(word, 32),
        4 => small_integer(word, 16),
        _ => f64::from_bits(word),
    }
}

#[inline]
fn small_integer(word: u64, spare: u32) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "48 bits at most")]
    let score = (word.cast_signed() << spare >> spare) as f64;
    score
}

/// The word at the end of an allocation, where fewer than eight bytes are left.
#[cold]
fn last_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

impl Small {
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The entry that begins at an offset, if that is not the end.
    #[inline]
    fn at(&self, offset: usize) -> Option<Place> {
        let &head = self.bytes.get(offset)?;
        let kind = head & ((1 << KIND_BITS) - 1);
        let (mut score_at, mut len) = (offset + 1, usize::from(head >> KIND_BITS));
        if len == LONG {
            let (more, at) = self.long_len(score_at);
            len += more;
            score_at = at;
        }
        let member_at = score_at + SCORE_BYTES[usize::from(kind)];
        Some(Place {
            kind,
            score_at,
            member_at,
            end: member_at + len,
        })
    }

    /// The rest of a long member's length, and where it ends.
    fn long_len(&self, mut at: usize) -> (usize, usize) {
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[at];
            at += 1;
            len += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return (len, at);
            }
        }
    }

    #[inline]
    fn score_at(&self, place: Place) -> f64 {
        unpacked_score(place.kind, &self.bytes[place.score_at..])
    }

    #[inline]
    fn member_at(&self, place: Place) -> &[u8] {
        &self.bytes[place.member_at..place.end]
    }

    /// The offset, the rank and the place of a member. Members of a set often differ in their last
    /// byte only, so that is compared first.
    #[inline]
    fn find(&self, member: &[u8]) -> Option<(usize, usize, Place)> {
        let (mut offset, mut rank) = (0, 0);
        let last = member.last();
        while let Some(place) = self.at(offset) {
            let other = self.member_at(place);
            if other.len() == member.len() && other.last() == last && other == member {
                return Some((offset, rank, place));
            }
            offset = place.end;
            rank += 1;
        }
        None
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|(_, _, place)| self.score_at(place))
    }

    /// The rank and the score of a member.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        self.find(member)
            .map(|(_, rank, place)| (rank, self.score_at(place)))
    }

    /// Gives a member the score that `decide` makes of its present one, if it makes any.
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let old = self
            .find(member)
            .map(|(offset, _, place)| (offset, place.end, self.score_at(place)));
        let Some(score) = decide(old.map(|(_, _, score)| score)) else {
            return;
        };
        if let Some((offset, end, old)) = old {
            if old == score {
                return;
            }
            self.cut(offset, end, 1);
        }
        self.insert(member, score);
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64) {
        let mut offset = 0;
        while let Some(place) = self.at(offset) {
            let other = self.score_at(place);
            if other > score || other == score && self.member_at(place) > member {
                break;
            }
            offset = place.end;
        }
        let mut entry: SmallVec<[u8; 16]> = SmallVec::new();
        let (kind, score) = packed_score(score);
        let short = member.len().min(LONG);
        #[allow(clippy::cast_possible_truncation, reason = "five bits")]
        entry.push((short as u8) << KIND_BITS | kind);
        if short == LONG {
            push_varint(&mut entry, member.len() - LONG);
        }
        entry.extend_from_slice(&score[..SCORE_BYTES[usize::from(kind)]]);
        self.open(offset, &entry, member);
        self.len += 1;
    }

    /// Makes room at an offset and fills it.
    fn open(&mut self, offset: usize, head: &[u8], member: &[u8]) {
        let (old, more) = (self.bytes.len(), head.len() + member.len());
        let wanted = old + more;
        if wanted > self.bytes.capacity() {
            let spare = GROWTH_BYTES.max(wanted / 16);
            self.bytes
                .reserve_exact((wanted + spare - 1) / GROWTH_BYTES * GROWTH_BYTES - old);
        }
        self.bytes.resize(wanted, 0);
        self.bytes.copy_within(offset..old, offset + more);
        let (head_at, rest) = self.bytes[offset..offset + more].split_at_mut(head.len());
        head_at.copy_from_slice(head);
        rest.copy_from_slice(member);
    }

    /// Takes `count` entries out, which lie between two offsets.
    fn cut(&mut self, from: usize, to: usize, count: usize) {
        let len = self.bytes.len();
        self.bytes.copy_within(to..len, from);
        self.bytes.truncate(len - (to - from));
        self.len -= count;
        if self.bytes.capacity() > 4 * GROWTH_BYTES.max(self.bytes.len()) {
            self.bytes.shrink_to(2 * self.bytes.len());
        }
    }

    /// Removes a member; returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (offset, _, place) = self.find(member)?;
        let score = self.score_at(place);
        self.cut(offset, place.end, 1);
        Some(score)
    }

    /// The offset of the entry at a rank, or the end.
    #[inline]
    fn offset_of(&self, rank: usize) -> usize {
        let mut offset = 0;
        for _ in 0..rank {
            match self.at(offset) {
                Some(found) => offset = found.end,
                None => break,
            }
        }
        offset
    }

    /// Removes the member at a rank, and shows it first.
    #[inline]
    pub fn remove_at<R>(&mut self, rank: usize, show: impl FnOnce(&[u8], f64) -> R) -> Option<R> {
        let offset = self.offset_of(rank);
        let place = self.at(offset)?;
        let shown = show(self.member_at(place), self.score_at(place));
        self.cut(offset, place.end, 1);
        Some(shown)
    }

    /// Removes the members at these ranks.
    pub fn remove_ranks(&mut self, from: usize, to: usize) {
        let (from_at, to_at) = (self.offset_of(from), self.offset_of(to));
        self.cut(from_at, to_at, to - from);
    }

    /// How many entries, from the first on, `before` holds for.
    #[inline]
    pub fn count(&self, before: impl Fn(&[u8], f64) -> bool) -> usize {
        let (mut offset, mut count) = (0, 0);
        while let Some(place) = self.at(offset) {
            if !before(self.member_at(place), self.score_at(place)) {
                break;
            }
            offset = place.end;
            count += 1;
        }
        count
    }

    /// Shows members from a rank on for as long as `visit` says so.
    #[inline]
    pub fn walk_up(&self, rank: usize, mut visit: impl FnMut(&[u8], f64) -> bool) {
        let mut offset = self.offset_of(rank);
        while let Some(place) = self.at(offset) {
            if !visit(self.member_at(place), self.score_at(place)) {
                return;
            }
            offset = place.end;
        }
    }

    /// Shows the members before `end`, the last one first, for as long as `visit` says so.
    pub fn walk_down(&self, end: usize, mut visit: impl FnMut(&[u8], f64) -> bool) {
        let mut offsets: SmallVec<[usize; 128]> = SmallVec::new();
        let mut offset = 0;
        while offsets.len() < end
            && let Some(found) = self.at(offset)
        {
            offsets.push(offset);
            offset = found.end;
        }
        for &offset in offsets.iter().rev() {
            if let Some(place) = self.at(offset)
                && !visit(self.member_at(place), self.score_at(place))
            {
                return;
            }
        }
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Clone for Small {
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes.as_slice().to_vec(),
            len: self.len,
        }
    }
}

fn push_varint(out: &mut SmallVec<[u8; 16]>, mut value: usize) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::{SCORE_BYTES, Small, packed_score, unpacked_score};

    #[test]
    fn scores_come_back_from_as_few_bytes_as_hold_them() {
        for (score, bytes) in [
            (0.0, 0),
            (-0.0, 8),
            (-1.0, 1),
            (127.0, 1),
            (-128.0, 1),
            (128.0, 2),
            (-40_000.0, 4),
            (1_700_000_000_123.0, 6),
            (-140_737_488_355_327.0, 6),
            (140_737_488_355_328.0, 8),
            (0.5, 8),
            (f64::INFINITY, 8),
            (f64::NEG_INFINITY, 8),
            (f64::MAX, 8),
        ] {
            let (kind, packed) = packed_score(score);
            let kept = &packed[..SCORE_BYTES[usize::from(kind)]];
            assert_eq!(kept.len(), bytes, "{score}");
            assert_eq!(unpacked_score(kind, kept).to_bits(), score.to_bits());
        }
    }

    #[test]
    fn members_of_any_length_come_back() {
        let mut set = Small::default();
        for len in [0, 1, 30, 31, 32, 127, 158, 159, 5_000, 70_000] {
            set.insert(&vec![b'm'; len], 1.5);
            assert_eq!(set.score(&vec![b'm'; len]), Some(1.5), "{len}");
        }
        assert_eq!(set.len(), 10);
        let mut lens = Vec::new();
        set.walk_up(2, |member, _| {
            lens.push(member.len());
            true
        });
        assert_eq!(lens, [30, 31, 32, 127, 158, 159, 5_000, 70_000]);
        set.remove_ranks(1, 9);
        assert_eq!(set.len(), 2);
        assert!(set.heap_bytes() < 200_000);
    }
}
