//! Counters as they were at the last few boundaries of equal stretches of time.

/// Two counters at a moment, as many of their low bits as tell the growth of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    came: u32,
    out: u32,
}

impl Mark {
    /// By how much both counters grew since an earlier mark.
    pub(super) fn since(self, earlier: Self) -> (u64, u64) {
        let came = self.came.wrapping_sub(earlier.came);
        let out = self.out.wrapping_sub(earlier.out);
        (came.into(), out.into())
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "differences are what counts"
    )]
    pub(super) fn new(came: u64, out: u64) -> Self {
        Self {
            came: came as u32,
            out: out as u32,
        }
    }
}

/// The marks at the beginning of the slot under way and of those before it.
#[derive(Clone, Debug)]
pub(super) struct Ring<const LEN: usize> {
    /// The slot under way.
    slot: u32,
    /// The first slot whose beginning is known.
    born: u32,
    /// That of slot n lies at n modulo the length.
    marks: [Mark; LEN],
}

impl<const LEN: usize> Ring<LEN> {
    #[allow(clippy::cast_possible_truncation, reason = "rings are short")]
    const SLOTS: u32 = LEN as u32;

    /// A ring that knows all its marks.
    pub(super) fn since(slot: u32, mark_of: impl Fn(u32) -> Mark) -> Self {
        let born = slot.saturating_sub(Self::SLOTS - 1);
        let mut ring = Self {
            slot,
            born,
            marks: [Mark::default(); LEN],
        };
        for at in born..=slot {
            ring.marks[(at % Self::SLOTS) as usize] = mark_of(at);
        }
        ring
    }

    /// Forgets what was before the slot under way.
    pub(super) fn begin_here(&mut self) {
        self.born = self.slot;
    }

    /// A slot is under way, and since the one before nothing happened beyond this mark.
    pub(super) fn advance(&mut self, slot: u32, mark: Mark) {
        if slot == self.slot {
            return;
        }
        if slot < self.slot {
            // The clock was set back.
            *self = Self::since(slot, |_| mark);
            self.begin_here();
            return;
        }
        for at in (self.slot + 1).max(slot.saturating_sub(Self::SLOTS - 1))..=slot {
            self.marks[(at % Self::SLOTS) as usize] = mark;
        }
        self.slot = slot;
    }

    /// The last boundary: where the slot under way begins.
    pub(super) fn last(&self) -> (u32, Mark) {
        (self.slot, self.marks[(self.slot % Self::SLOTS) as usize])
    }

    /// The boundary so many slots before the last, or the first that is known.
    pub(super) fn before(&self, slots: u32) -> (u32, Mark) {
        let at = self.slot - slots.min(self.slot - self.born).min(Self::SLOTS - 1);
        (at, self.marks[(at % Self::SLOTS) as usize])
    }
}
