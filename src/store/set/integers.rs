//! Sets of integers: a sorted array of 2, 4 or 8 bytes each, as narrow as the widest needs.
//!
//! The array lies behind the header of a [`Packed`], whose tag is the width; so a small set is two
//! words whatever it holds.

use crate::store::packed::{HEADER_BYTES, Packed};

const WIDTHS: [u8; 3] = [2, 4, 8];

/// Fewest bytes that hold an integer.
fn width_of(integer: i64) -> u8 {
    if i16::try_from(integer).is_ok() {
        2
    } else if i32::try_from(integer).is_ok() {
        4
    } else {
        8
    }
}

/// An empty array.
pub(super) fn empty() -> Packed {
    Packed::tagged(WIDTHS[0])
}

/// A sorted array of integers, for reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integers<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Integers<'a> {
    /// The array in a small set, if that holds one.
    #[inline]
    pub fn of(small: &'a Packed) -> Option<Self> {
        let tag = small.tag();
        (tag != 0).then(|| Self {
            bytes: &small.bytes()[HEADER_BYTES..],
            width: usize::from(tag),
        })
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// The integer at an index.
    #[inline]
    pub fn at(&self, index: usize) -> i64 {
        let at = index * self.width;
        match (self.width, &self.bytes[at..at + self.width]) {
            (2, &[a, b]) => i64::from(i16::from_le_bytes([a, b])),
            (4, &[a, b, c, d]) => i64::from(i32::from_le_bytes([a, b, c, d])),
            (_, bytes) => {
                let mut word = [0; 8];
                word.copy_from_slice(bytes);
                i64::from_le_bytes(word)
            }
        }
    }

    /// Where an integer is, or where it would be.
    #[inline]
    pub fn search(&self, integer: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Members often come in rising order.
        if high > 0 && self.at(high - 1) < integer {
            return Err(high);
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.at(middle).cmp(&integer) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// All integers in rising order.
    pub fn iter(self) -> impl Iterator<Item = i64> + 'a {
        (0..self.len()).map(move |index| self.at(index))
    }

    /// Most digits, a sign included, of any of them.
    pub fn digits_max(&self) -> usize {
        let digits = |index| itoa::Buffer::new().format(self.at(index)).len();
        match self.len().checked_sub(1) {
            Some(last) => digits(0).max(digits(last)),
            None => 0,
        }
    }
}

/// Adds an integer to an array; says whether it is new.
pub(super) fn insert(small: &mut Packed, integer: i64) -> bool {
    let Some(integers) = Integers::of(small) else {
        return false;
    };
    let Err(index) = integers.search(integer) else {
        return false;
    };
    let width = width_of(integer);
    if width > small.tag() {
        widen(small, width);
    }
    let width = usize::from(small.tag());
    let bytes = small.bytes_mut();
    let mut grown = Vec::from(std::mem::take(bytes));
    let (at, len) = (HEADER_BYTES + index * width, grown.len());
    grown.reserve_exact(width);
    grown.resize(len + width, 0);
    grown.copy_within(at..len, at + width);
    grown[at..at + width].copy_from_slice(&integer.to_le_bytes()[..width]);
    *bytes = grown.into_boxed_slice();
    true
}

/// Makes the integers of an array wider.
#[cold]
fn widen(small: &mut Packed, width: u8) {
    let Some(integers) = Integers::of(small) else {
        return;
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + integers.len() * usize::from(width));
    bytes.extend_from_slice(&[0, 0, 0, width]);
    for integer in integers.iter() {
        bytes.extend_from_slice(&integer.to_le_bytes()[..usize::from(width)]);
    }
    *small.bytes_mut() = bytes.into_boxed_slice();
}

/// Removes an integer from an array; says whether it was there.
pub(super) fn remove(small: &mut Packed, integer: i64) -> bool {
    let width = usize::from(small.tag());
    let Some(Ok(index)) = Integers::of(small).map(|integers| integers.search(integer)) else {
        return false;
    };
    let bytes = small.bytes_mut();
    let mut shrunk = Vec::from(std::mem::take(bytes));
    let at = HEADER_BYTES + index * width;
    shrunk.drain(at..at + width);
    *bytes = shrunk.into_boxed_slice();
    true
}
