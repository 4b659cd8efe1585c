//! How natives go about what may take long: others are served beside the script meanwhile, it ends
//! when it must, and what is built stays within bounds.
//!
//! Tables that hold one table several times are short, and what is written of them doubles with
//! each level: so every element counts as a step, wherever it is.

use super::failure::bare_text;
use super::redis::Shared;

/// Steps between two looks around: some tenths of a millisecond.
const LOOK_STEPS: usize = 1000;

/// What a native keeps to while it works on one thing.
#[derive(Debug)]
pub(super) struct Pace<'a> {
    shared: &'a Shared,
    bytes_max: usize,
    steps_left: usize,
}

impl<'a> Pace<'a> {
    /// For building up to `bytes_max` bytes.
    pub(super) fn new(shared: &'a Shared, bytes_max: usize) -> Self {
        Self {
            shared,
            bytes_max,
            steps_left: LOOK_STEPS,
        }
    }

    /// A step that leaves so many bytes built; an error where that is too much, or the script must
    /// end.
    #[inline]
    pub(super) fn step(&mut self, built_bytes: usize) -> mlua::Result<()> {
        self.steps(1, built_bytes)
    }

    /// What takes as long as so many steps.
    #[inline]
    pub(super) fn steps(&mut self, count: usize, built_bytes: usize) -> mlua::Result<()> {
        if built_bytes > self.bytes_max {
            return Err(bare_text("not enough memory"));
        }
        if let Some(left) = self.steps_left.checked_sub(count) {
            self.steps_left = left;
            return Ok(());
        }
        self.steps_left = LOOK_STEPS;
        self.shared.look_around()
    }
}
