//! Entries as they lie in a segment, and how to read them: views that borrow, nothing is copied.
//!
//! The flags that open an entry are said here; `segment` writes them.

use super::id::StreamId;
use super::varint;

pub(super) const DEAD: u8 = 1;
pub(super) const SHARED: u8 = 2;
/// The sequence is the one that follows: the previous plus one, or zero in a new millisecond.
pub(super) const SEQ_NEXT: u8 = 4;
/// More bits of the millisecond step follow.
pub(super) const MS_MORE: u8 = 8;
pub(super) const MS_SHIFT: u32 = 4;
pub(super) const MS_LOW: u64 = 15;

/// One entry as it lies in its segment: nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The entry's id.
    pub id: StreamId,
    /// Its fields and values, in the order they were added.
    pub fields: Fields<'a>,
}

/// The fields and values of an entry, in order. Reading one costs a few nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// Names of the segment's shape, or nothing where the entry brings its own.
    names: &'a [u8],
    values: &'a [u8],
    left: usize,
}

#[allow(
    clippy::copy_iterator,
    reason = "a view of an entry, handed on and read more than once"
)]
impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let names = if self.names.is_empty() {
            &mut self.values
        } else {
            &mut self.names
        };
        let mut at = 0;
        let name = varint::take_bytes(names, &mut at);
        *names = &names[at..];
        let mut at = 0;
        let value = varint::take_bytes(self.values, &mut at);
        self.values = &self.values[at..];
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl Fields<'_> {
    /// Bytes of the names and values, without any overhead: what the ledger counts.
    pub fn payload_bytes(self) -> u64 {
        self.map(|(name, value)| (name.len() + value.len()) as u64)
            .sum()
    }
}

/// An entry with its place in the segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub entry: Entry<'a>,
    pub dead: bool,
    /// Offset of the entry's first byte.
    pub start: usize,
    /// Offset past its last byte.
    pub end: usize,
}

/// Walks a segment's entries in order.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    pub bytes: &'a [u8],
    /// Names of the shape, and whatever follows them.
    pub names: &'a [u8],
    pub names_len: usize,
    pub at: usize,
    /// Id that the next step starts from.
    pub previous: StreamId,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Placed<'a>;

    #[inline]
    fn next(&mut self) -> Option<Placed<'a>> {
        let bytes = self.bytes;
        let start = self.at;
        let flags = *bytes.get(start)?;
        let mut at = start + 1;
        let mut ms_step = u64::from(flags >> MS_SHIFT);
        if flags & MS_MORE != 0 {
            ms_step |= varint::take(bytes, &mut at) << MS_SHIFT;
        }
        let seq_step = if flags & SEQ_NEXT == 0 {
            varint::take(bytes, &mut at)
        } else {
            0
        };
        let seq_start = if ms_step == 0 {
            self.previous.seq.wrapping_add(1)
        } else {
            0
        };
        let id = StreamId::new(
            self.previous.ms.wrapping_add(ms_step),
            seq_start.wrapping_add(seq_step),
        );
        let shared = flags & SHARED != 0;
        let (left, parts) = if shared {
            (self.names_len, self.names_len)
        } else {
            let fields = varint::take_len(bytes, &mut at);
            (fields, fields * 2)
        };
        let values = at;
        for _ in 0..parts {
            let len = varint::take_len(bytes, &mut at);
            at += len;
        }
        self.at = at;
        self.previous = id;
        let fields = Fields {
            names: if shared { self.names } else { &[] },
            values: &bytes[values..at],
            left,
        };
        Some(Placed {
            entry: Entry { id, fields },
            dead: flags & DEAD != 0,
            start,
            end: at,
        })
    }
}

impl Placed<'_> {
    /// Where the entry lies, for [`Segment::kill`], which cannot borrow it.
    pub fn place(&self) -> (usize, usize) {
        (self.start, self.end)
    }
}
