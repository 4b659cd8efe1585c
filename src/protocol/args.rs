//! The arguments of one request, borrowed from the read buffer or owned.
//!
//! [`Args`] is what every handler receives: two slices, `Copy`, no allocation. [`OwnedArgs`] is the
//! same thing with its bytes, for requests that outlive the read buffer (a queued transaction, a
//! blocked command, a call from a script, a test).

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Index;

use smallvec::SmallVec;

/// Where an argument lies in the bytes of its request; `start <= end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The arguments of one request, the command's name first. Borrowed: valid as long as the buffer
/// they were read into stays as it is.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// Number of arguments, the command's name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument at all, as in a tail past the end.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, if there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes;
        self.spans
            .get(index)
            .map(|span| &bytes[span.start..span.end])
    }

    /// The argument at `index`. Panics past the end: arity is checked before handlers run.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.bytes[span.start..span.end]
    }

    /// All arguments in order.
    #[inline]
    pub fn iter(&self) -> Iter<'a> {
        Iter {
            bytes: self.bytes,
            spans: self.spans.iter(),
        }
    }

    /// The arguments from `index` on; none if that is past the end.
    #[inline]
    pub fn from(&self, index: usize) -> Iter<'a> {
        self.tail(index).iter()
    }

    /// The view that starts at `index`; empty if that is past the end.
    #[inline]
    #[must_use]
    pub fn tail(&self, index: usize) -> Self {
        Self {
            bytes: self.bytes,
            spans: self.spans.get(index..).unwrap_or(&[]),
        }
    }

    /// The first `len` arguments, or all if there are fewer.
    #[inline]
    #[must_use]
    pub fn head(&self, len: usize) -> Self {
        Self {
            bytes: self.bytes,
            spans: &self.spans[..len.min(self.spans.len())],
        }
    }

    /// A copy that owns its bytes: one allocation, or two where there are many arguments.
    pub fn to_vec(&self) -> OwnedArgs {
        let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) else {
            return OwnedArgs::default();
        };
        // At once, with the few bytes that frame each: they stand in order.
        let base = first.start;
        let spans = self.spans.iter().map(|span| Span {
            start: span.start - base,
            end: span.end - base,
        });
        OwnedArgs {
            bytes: self.bytes[base..last.end].to_vec(),
            spans: spans.collect(),
        }
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Args<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for argument in self {
            list.entry(&format_args!("\"{}\"", argument.escape_ascii()));
        }
        list.finish()
    }
}

/// Arguments in order, from either end.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let span = self.spans.next()?;
        Some(&self.bytes[span.start..span.end])
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<&'a [u8]> {
        let span = self.spans.nth(n)?;
        Some(&self.bytes[span.start..span.end])
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let span = self.spans.next_back()?;
        Some(&self.bytes[span.start..span.end])
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

/// Arguments that own their bytes, in order, with whatever stood between them.
#[derive(Clone, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: SmallVec<[Span; SPANS_INLINE]>,
}

/// Arguments whose places need no allocation: a BRPOP of two keys, an LPUSH of two messages.
const SPANS_INLINE: usize = 4;

impl OwnedArgs {
    /// The borrowed view that handlers take.
    #[inline]
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Adds one argument at the end.
    #[inline]
    pub fn push(&mut self, argument: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(argument);
        let end = self.bytes.len();
        self.spans.push(Span { start, end });
    }

    /// Forgets the arguments and keeps the memory, for a caller that fills it again and again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Memory it holds, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let spans = if self.spans.spilled() {
            self.spans.capacity() * size_of::<Span>()
        } else {
            0
        };
        self.bytes.capacity() + spans
    }
}

impl<T: AsRef<[u8]>> Extend<T> for OwnedArgs {
    fn extend<I: IntoIterator<Item = T>>(&mut self, arguments: I) {
        for argument in arguments {
            self.push(argument.as_ref());
        }
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = T>>(arguments: I) -> Self {
        let mut owned = Self::default();
        owned.extend(arguments);
        owned
    }
}

impl PartialEq for OwnedArgs {
    fn eq(&self, other: &Self) -> bool {
        self.as_args().iter().eq(other.as_args())
    }
}

impl Eq for OwnedArgs {}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_args().fmt(f)
    }
}
/// The part of some bytes that a C string of them has: where Redis takes or repeats an argument as
/// such, it ends at the first zero.
pub fn c_string(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}
