//! Collections that are larger than the caches, and asking for their memory ahead.
//!
//! To find an element of one takes two or three steps through memory that nobody has touched for
//! long, each waited for before the next can be made. Who knows the next few elements that will be
//! wanted asks for them together, and waits about once for all of them.

use smallvec::SmallVec;

/// Elements that are asked for together: about as many as a core can wait for at the same time.
pub const AHEAD_LEN: usize = 8;

/// From so many elements on (30 to 100 bytes each) a collection is taken to lie outside of the
/// caches.
pub(super) const COLD_LEN_MIN: usize = if cfg!(test) { 2 * AHEAD_LEN } else { 1 << 15 };

/// Names of elements that will be wanted.
pub type Names<'a> = SmallVec<[&'a [u8]; AHEAD_LEN]>;

/// A collection whose elements have names.
pub trait Cold {
    /// Whether to look for an element probably means to wait for memory.
    fn is_cold(&self) -> bool;

    /// Asks for the memory of the elements of these names, whether there are such or not. Changes
    /// nothing.
    fn ask(&self, names: &Names<'_>);
}
