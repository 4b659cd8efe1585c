//! A compact sequence of short byte strings and integers, for small hashes, sets and sorted sets.
//!
//! One allocation holds everything: three bytes that count the items, one that the owner may use
//! for what is not a sequence of items at all ([`Packed::tag`]), then the items end to end.
//! A text that spells a 64-bit integer canonically is kept as that integer, in one to nine bytes;
//! any other takes one byte more than it has (three from 128 bytes on, five from 64 KiB on).
//! Equal texts are encoded alike, so a search compares encoded bytes and decodes nothing.
//!
//! Every operation but those at the end walks or moves the bytes: made for some hundred items.
//! A [`Packed`] is two words, and an empty one owns no memory. Its owner says what items mean, for
//! instance that they come in pairs of field and value.

use std::fmt;

use super::value::Text;
use crate::ends::is_same;

#[cfg(test)]
mod tests;

/// Bytes before the first item: their number, and the tag.
pub(super) const HEADER_BYTES: usize = 4;
/// Most items that the header counts. Owners keep far below.
const LEN_MAX: usize = (1 << 24) - 1;
/// Longest text whose length stands in the first byte.
const SHORT_BYTES_MAX: usize = 0x7f;
/// First byte of an integer that stands in that byte's low bits.
const SMALL: u8 = 0x80;
/// The largest such integer.
const SMALL_MAX: i64 = 0x3f;
/// First byte of an integer in that many more bytes, 1 to 8, little-endian in two's complement.
const INTEGER: u8 = 0xc0;
/// First byte of a text whose length follows in two bytes.
const MEDIUM: u8 = 0xd0;
/// First byte of a text whose length follows in four bytes.
const LONG: u8 = 0xd1;

/// A sequence of short items in one allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// Empty, or the header and the items.
    bytes: Box<[u8]>,
}

/// Where an item of a [`Packed`] begins; worthless once the sequence changes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot(usize);

/// An item as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Bytes that spell no integer, or were added verbatim.
    Bytes(&'a [u8]),
    /// An integer, which stands for its canonical decimal spelling.
    Integer(i64),
}

impl<'a> Item<'a> {
    /// What a text is kept as.
    #[inline]
    pub fn of(text: &'a [u8]) -> Self {
        match Text::canonical_integer(text) {
            Some(integer) => Self::Integer(integer),
            None => Self::Bytes(text),
        }
    }

    /// Gives its text to `f`; an integer is printed on the stack.
    #[inline]
    pub fn with_bytes<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Bytes(bytes) => f(bytes),
            Self::Integer(integer) => f(itoa::Buffer::new().format(integer).as_bytes()),
        }
    }

    /// An owned copy of its text.
    pub fn to_vec(self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// Bytes of its text.
    pub fn len(self) -> usize {
        self.with_bytes(<[u8]>::len)
    }

    /// Whether its text is empty.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Bytes([]))
    }

    /// The integer that it spells canonically, if it does.
    #[inline]
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Bytes(bytes) => Text::canonical_integer(bytes),
        }
    }
}

/// The first bytes of an encoded item: all of an integer, what stands before the bytes of a text.
#[derive(Clone, Copy)]
struct Head {
    bytes: [u8; 9],
    len: usize,
}

impl Head {
    fn of(item: Item<'_>) -> Self {
        let mut bytes = [0; 9];
        let len = match item {
            Item::Bytes(text) if text.len() <= SHORT_BYTES_MAX => {
                bytes[0] = text.len().to_le_bytes()[0];
                1
            }
            Item::Bytes(text) if u16::try_from(text.len()).is_ok() => {
                bytes[0] = MEDIUM;
                bytes[1..3].copy_from_slice(&text.len().to_le_bytes()[..2]);
                3
            }
            Item::Bytes(text) => {
                bytes[0] = LONG;
                bytes[1..5].copy_from_slice(&text.len().to_le_bytes()[..4]);
                5
            }
            Item::Integer(integer @ 0..=SMALL_MAX) => {
                bytes[0] = SMALL | integer.to_le_bytes()[0];
                1
            }
            Item::Integer(integer) => {
                let width = integer_bytes(integer);
                bytes[0] = INTEGER | width;
                bytes[1..].copy_from_slice(&integer.to_le_bytes());
                1 + usize::from(width)
            }
        };
        Self { bytes, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Fewest bytes that hold an integer with its sign: 1 to 8.
fn integer_bytes(integer: i64) -> u8 {
    let magnitude = if integer < 0 { !integer } else { integer };
    let bits = 65 - magnitude.leading_zeros();
    bits.div_ceil(8).to_le_bytes()[0]
}

/// The bytes behind the head of an item: those of a text, none of an integer.
fn body(item: Item<'_>) -> &[u8] {
    match item {
        Item::Bytes(text) => text,
        Item::Integer(_) => &[],
    }
}

/// Bytes that an item takes in a sequence.
pub fn item_bytes(item: Item<'_>) -> usize {
    Head::of(item).len + body(item).len()
}

/// The little-endian number at the start of `bytes`, of as many bytes as there are: at most 8.
#[inline]
fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// Where the bytes of the item at `at` begin, and where it ends.
///
/// # Panics
/// When `at` is not where an item begins.
#[inline]
fn bounds(bytes: &[u8], at: usize) -> (usize, usize) {
    let first = bytes[at];
    if first < SMALL {
        (at + 1, at + 1 + usize::from(first))
    } else if first < INTEGER {
        (at + 1, at + 1)
    } else if first < MEDIUM {
        (at + 1, at + 1 + usize::from(first & 0xf))
    } else {
        let start = if first == MEDIUM { at + 3 } else { at + 5 };
        (start, start + number(&bytes[at + 1..start]))
    }
}

/// The item at `at` and where the next one begins.
#[inline]
fn decode(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let first = bytes[at];
    if first < SMALL {
        let end = at + 1 + usize::from(first);
        return (Item::Bytes(&bytes[at + 1..end]), end);
    }
    decode_other(bytes, at)
}

/// The same for what is no short text.
fn decode_other(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let (start, end) = bounds(bytes, at);
    let first = bytes[at];
    let item = if first >= MEDIUM {
        Item::Bytes(&bytes[start..end])
    } else if first < INTEGER {
        Item::Integer(i64::from(first & 0x3f))
    } else {
        let is_negative = bytes[end - 1] & 0x80 != 0;
        let mut word = if is_negative { [0xff; 8] } else { [0; 8] };
        word[..end - start].copy_from_slice(&bytes[start..end]);
        Item::Integer(i64::from_le_bytes(word))
    };
    (item, end)
}

impl Packed {
    /// An empty sequence; owns no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sequence of these texts, in one allocation of the right size.
    pub fn from_texts<'a>(texts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let mut packed = Self::new();
        packed.extend(texts);
        packed
    }

    /// Number of items. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match self.bytes.first_chunk() {
            Some(&[low, middle, high, _]) => u32::from_le_bytes([low, middle, high, 0]) as usize,
            None => 0,
        }
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= HEADER_BYTES
    }

    /// What the owner keeps in the bytes behind the header: 0 for items. With any other tag only
    /// [`Packed::bytes`] makes sense.
    #[inline]
    pub(super) fn tag(&self) -> u8 {
        self.bytes.get(HEADER_BYTES - 1).copied().unwrap_or(0)
    }

    /// Nothing but a header with a tag.
    pub(super) fn tagged(tag: u8) -> Self {
        Self {
            bytes: Box::new([0, 0, 0, tag]),
        }
    }

    /// Header and all.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Header and all, for an owner that keeps something else here.
    pub(super) fn bytes_mut(&mut self) -> &mut Box<[u8]> {
        &mut self.bytes
    }

    /// Bytes it owns. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn set_len(bytes: &mut [u8], len: usize) {
        assert!(len <= LEN_MAX, "a packed sequence of millions");
        bytes[..HEADER_BYTES - 1].copy_from_slice(&len.to_le_bytes()[..HEADER_BYTES - 1]);
    }

    /// The bytes for growing by `more`, the header included.
    fn take_bytes(&mut self, more: usize) -> Vec<u8> {
        let mut bytes = Vec::from(std::mem::take(&mut self.bytes));
        if bytes.is_empty() {
            bytes.reserve_exact(HEADER_BYTES + more);
            bytes.extend_from_slice(&[0; HEADER_BYTES]);
        } else {
            bytes.reserve_exact(more);
        }
        bytes
    }

    /// Adds a text at the end.
    pub fn push(&mut self, text: &[u8]) {
        self.push_item(Item::of(text));
    }

    /// Adds an item at the end as it is: bytes stay bytes even if they spell an integer. Such
    /// bytes are found by [`Packed::find_item`] only.
    pub fn push_item(&mut self, item: Item<'_>) {
        let len = self.len();
        let (head, body) = (Head::of(item), body(item));
        let mut bytes = self.take_bytes(head.len + body.len());
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(body);
        Self::set_len(&mut bytes, len + 1);
        self.bytes = bytes.into_boxed_slice();
    }

    /// Adds texts at the end, growing once.
    pub fn extend<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]> + Clone) {
        let mut len = self.len();
        let size = |text| item_bytes(Item::of(text));
        let more: usize = texts.clone().map(size).sum();
        if more == 0 {
            return;
        }
        let mut bytes = self.take_bytes(more);
        for text in texts {
            let item = Item::of(text);
            bytes.extend_from_slice(Head::of(item).as_bytes());
            bytes.extend_from_slice(body(item));
            len += 1;
        }
        Self::set_len(&mut bytes, len);
        self.bytes = bytes.into_boxed_slice();
    }

    /// Puts an item before the one at `spot`, or at the end if that is [`Packed::end`].
    pub fn insert_item(&mut self, spot: Spot, item: Item<'_>) {
        if self.is_empty() {
            return self.push_item(item);
        }
        let len = self.len();
        self.splice(spot.0..spot.0, item);
        Self::set_len(&mut self.bytes, len + 1);
    }

    /// Puts a text in the place of the item at `spot`.
    pub fn replace(&mut self, spot: Spot, text: &[u8]) {
        self.replace_item(spot, Item::of(text));
    }

    /// Puts an item in the place of the one at `spot`, as it is.
    pub fn replace_item(&mut self, spot: Spot, item: Item<'_>) {
        let (_, end) = bounds(&self.bytes, spot.0);
        self.splice(spot.0..end, item);
    }

    /// Puts an encoded item in the place of some bytes.
    fn splice(&mut self, place: std::ops::Range<usize>, item: Item<'_>) {
        let (head, body) = (Head::of(item), body(item));
        let (old, new) = (place.len(), head.len + body.len());
        if old != new {
            let mut bytes = Vec::from(std::mem::take(&mut self.bytes));
            let (before, end) = (bytes.len(), place.end);
            if new > old {
                bytes.reserve_exact(new - old);
                bytes.resize(before + new - old, 0);
            }
            bytes.copy_within(end..before, place.start + new);
            bytes.truncate(before + new - old);
            self.bytes = bytes.into_boxed_slice();
        }
        let at = place.start;
        self.bytes[at..at + head.len].copy_from_slice(head.as_bytes());
        self.bytes[at + head.len..at + new].copy_from_slice(body);
    }

    /// Removes `count` items from `spot` on, of which there must be as many. The spot is then that
    /// of the item behind them.
    pub fn remove(&mut self, spot: Spot, count: usize) {
        let len = self.len() - count;
        if len == 0 {
            self.bytes = Box::default();
            return;
        }
        let mut end = spot.0;
        for _ in 0..count {
            (_, end) = bounds(&self.bytes, end);
        }
        let mut bytes = Vec::from(std::mem::take(&mut self.bytes));
        bytes.drain(spot.0..end);
        Self::set_len(&mut bytes, len);
        self.bytes = bytes.into_boxed_slice();
    }

    /// Where the first item begins, if there is one.
    #[inline]
    pub fn start(&self) -> Option<Spot> {
        (!self.is_empty()).then_some(Spot(HEADER_BYTES))
    }

    /// The spot behind the last item, for inserting there.
    pub fn end(&self) -> Spot {
        Spot(self.bytes.len().max(HEADER_BYTES))
    }

    /// Where the item at an index begins. Walks to it.
    pub fn spot(&self, index: usize) -> Option<Spot> {
        let mut spot = self.start()?;
        for _ in 0..index {
            spot = self.after(spot)?;
        }
        Some(spot)
    }

    /// The item at a spot.
    #[inline]
    pub fn at(&self, spot: Spot) -> Item<'_> {
        decode(&self.bytes, spot.0).0
    }

    /// Where the item behind the one at `spot` begins, if there is one.
    #[inline]
    pub fn after(&self, spot: Spot) -> Option<Spot> {
        let (_, end) = bounds(&self.bytes, spot.0);
        (end < self.bytes.len()).then_some(Spot(end))
    }

    /// The first text among the items 0, `stride`, 2 * `stride` and so on that equals `text`.
    #[inline]
    pub fn find(&self, text: &[u8], stride: usize) -> Option<Spot> {
        self.find_item(Item::of(text), stride)
    }

    /// The same for an item as it is kept.
    #[inline]
    pub fn find_item(&self, item: Item<'_>, stride: usize) -> Option<Spot> {
        let (head, body) = (Head::of(item), body(item));
        let (first, number) = (head.bytes[0], &head.bytes[1..head.len]);
        let is_text = matches!(item, Item::Bytes(_));
        let mut at = HEADER_BYTES;
        while at < self.bytes.len() {
            let (start, end) = bounds(&self.bytes, at);
            // The first byte tells texts from integers, and a text's length says the rest.
            let is_meant = self.bytes[at] == first
                && if is_text {
                    is_same(&self.bytes[start..end], body)
                } else {
                    self.bytes[start..end] == *number
                };
            if is_meant {
                return Some(Spot(at));
            }
            at = end;
            for _ in 1..stride {
                (_, at) = bounds(&self.bytes, at);
            }
        }
        None
    }

    /// All items in order.
    #[inline]
    pub fn iter(&self) -> Items<'_> {
        Items {
            bytes: &self.bytes,
            at: HEADER_BYTES,
            left: self.len(),
        }
    }

    /// The items from `spot` on, in order; their number is not known.
    pub fn iter_from(&self, spot: Spot) -> impl Iterator<Item = Item<'_>> + '_ {
        let mut at = spot.0;
        std::iter::from_fn(move || {
            if at >= self.bytes.len() {
                return None;
            }
            let (item, next) = decode(&self.bytes, at);
            at = next;
            Some(item)
        })
    }

    /// The spots of the items 0, `stride`, 2 * `stride` and so on, for walking back over them.
    pub fn spots(&self, stride: usize) -> Vec<Spot> {
        let mut spots = Vec::with_capacity(self.len().div_ceil(stride.max(1)));
        let mut at = HEADER_BYTES;
        while at < self.bytes.len() {
            spots.push(Spot(at));
            for _ in 0..stride.max(1) {
                (_, at) = bounds(&self.bytes, at);
            }
        }
        spots
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Packed {
    type Item = Item<'a>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

/// The items of a [`Packed`] in order.
#[derive(Clone)]
pub struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
    left: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (item, next) = decode(self.bytes, self.at);
        self.at = next;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}
