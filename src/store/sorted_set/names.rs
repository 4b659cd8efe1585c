//! The members of a large sorted set, each under a number that stays its own while it is there.
//!
//! The table and the tree of a set both refer to a member by this number, so its bytes are kept
//! once. Slots lie in pages of [`PAGE_SLOTS`], so that growth never copies what is there, and a
//! page is freed as soon as its last member goes: a set that serves as a queue by time gives its
//! memory back as it drains. Short members lie in their slots.
//!
//! Every operation is O(1).

use crate::store::member::Member;

/// Members to a page: 8 KiB.
const PAGE_SLOTS: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 8;
/// The end of a list of free slots.
const NONE: u32 = u32::MAX;

/// A member's number.
pub(super) type Id = u32;

#[derive(Clone, Debug)]
enum Name {
    Taken(Member),
    /// Nobody's, with the next free slot of the page.
    Free(u32),
}

#[derive(Clone, Debug)]
struct Slot {
    score: f64,
    name: Name,
}

const _: () = assert!(size_of::<Slot>() == 32);

#[derive(Clone, Debug)]
struct Page {
    slots: Vec<Slot>,
    /// The first free slot among `slots`, or [`NONE`].
    free: u32,
    live: u32,
}

/// The members of one set.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pages: Vec<Page>,
    /// Pages with room, each once; the last is filled first.
    open: Vec<u32>,
    /// Slots allocated, in use or not.
    slots_len: usize,
    /// Bytes of members that have an allocation of their own.
    long_bytes: usize,
}

impl Names {
    /// The bytes of a member.
    #[inline]
    pub fn get(&self, id: Id) -> &[u8] {
        match &self.slot(id).name {
            Name::Taken(member) => member.bytes(),
            Name::Free(_) => &[],
        }
    }

    /// The score noted for a member.
    #[inline]
    pub fn score(&self, id: Id) -> f64 {
        self.slot(id).score
    }

    /// Notes another score for a member.
    #[inline]
    pub fn set_score(&mut self, id: Id, score: f64) {
        let (page, at) = place(id);
        self.pages[page].slots[at].score = score;
    }

    #[inline]
    fn slot(&self, id: Id) -> &Slot {
        let (page, at) = place(id);
        &self.pages[page].slots[at]
    }

    /// Takes in a member.
    ///
    /// # Panics
    /// At 2^32 members, which take more memory than there is.
    pub fn add(&mut self, name: &[u8], score: f64) -> Id {
        let member = Member::new(name);
        self.long_bytes += member.heap_bytes();
        let name = Name::Taken(member);
        let page_at = self.open_page();
        let page = &mut self.pages[page_at as usize];
        page.live += 1;
        let slot = Slot { score, name };
        let at = if page.free == NONE {
            let before = page.slots.capacity();
            page.slots.push(slot);
            self.slots_len += page.slots.capacity() - before;
            page.slots.len() - 1
        } else {
            let at = page.free as usize;
            let old = std::mem::replace(&mut page.slots[at], slot);
            page.free = match old.name {
                Name::Free(next) => next,
                Name::Taken(_) => unreachable!("it stood in the free list"),
            };
            at
        };
        if page.free == NONE && page.slots.len() == PAGE_SLOTS {
            self.open.pop();
        }
        let at = u32::try_from(at).expect("below PAGE_SLOTS");
        page_at << PAGE_BITS | at
    }

    /// The page to put the next member in: a new one if none has room.
    fn open_page(&mut self) -> u32 {
        if let Some(&page) = self.open.last() {
            return page;
        }
        let page = u32::try_from(self.pages.len()).expect("fewer than 2^32 members");
        assert!(page <= u32::MAX >> PAGE_BITS, "fewer than 2^32 members");
        // All pages but the first are made in one piece.
        let capacity = if page == 0 { 0 } else { PAGE_SLOTS };
        self.pages.push(Page {
            slots: Vec::with_capacity(capacity),
            free: NONE,
            live: 0,
        });
        self.slots_len += capacity;
        self.open.push(page);
        page
    }

    /// Lets go of a member, whose number may then be another's.
    pub fn remove(&mut self, id: Id) {
        let (page_at, at) = place(id);
        let page = &mut self.pages[page_at];
        let was_full = page.free == NONE && page.slots.len() == PAGE_SLOTS;
        let free = Name::Free(page.free);
        if let Name::Taken(member) = std::mem::replace(&mut page.slots[at].name, free) {
            self.long_bytes -= member.heap_bytes();
        }
        page.free = u32::try_from(at).expect("below PAGE_SLOTS");
        page.live -= 1;
        if page.live == 0 {
            self.slots_len -= page.slots.capacity();
            page.slots = Vec::new();
            page.free = NONE;
        }
        if was_full {
            self.open.push(id >> PAGE_BITS);
        }
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.slots_len * size_of::<Slot>()
            + self.long_bytes
            + self.pages.capacity() * size_of::<Page>()
            + self.open.capacity() * size_of::<u32>()
    }

    /// Frees pages, about `bytes` of them; true while there is more. For a set that has gone.
    pub fn shed(&mut self, bytes: usize) -> bool {
        let page_bytes = PAGE_SLOTS * size_of::<Slot>();
        let average = self.long_bytes / self.pages.len().max(1) + page_bytes;
        for _ in 0..=bytes / average {
            if self.pages.pop().is_none() {
                return false;
            }
        }
        true
    }
}

#[inline]
fn place(id: Id) -> (usize, usize) {
    ((id >> PAGE_BITS) as usize, id as usize % PAGE_SLOTS)
}

#[cfg(test)]
mod tests {
    use super::{Names, PAGE_SLOTS};

    #[test]
    fn numbers_stay_and_drained_pages_go() {
        let mut names = Names::default();
        let long = vec![b'x'; 100];
        let mut ids = Vec::new();
        for index in 0..PAGE_SLOTS * 3 {
            let name = format!("m{index}").into_bytes();
            let name = if index % 7 == 0 {
                [&name[..], &long].concat()
            } else {
                name
            };
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            ids.push((names.add(&name, index as f64), name));
        }
        let full = names.heap_bytes();
        for (id, name) in &ids {
            assert_eq!(names.get(*id), &name[..]);
        }
        for (id, _) in ids.drain(..PAGE_SLOTS * 2) {
            names.remove(id);
        }
        assert!(names.heap_bytes() < full / 2);
        for (id, name) in &ids {
            assert_eq!(names.get(*id), &name[..]);
        }
        let again: Vec<_> = (0..PAGE_SLOTS * 2)
            .map(|_| names.add(b"again", 1.0))
            .collect();
        assert_eq!(names.pages.len(), 3, "room is used again");
        for id in again.into_iter().chain(ids.into_iter().map(|(id, _)| id)) {
            names.remove(id);
        }
        assert_eq!((names.slots_len, names.long_bytes), (0, 0));
    }
}
