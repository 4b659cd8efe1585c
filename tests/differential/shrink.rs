//! Finds a short sequence that still ends in the same difference.

use std::time::Duration;

use crate::plain::{Connections, Mismatch, Pair, Step};

/// How long silence may last in a replay: where it is the difference, each one costs this much.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many replays a search may take.
const REPLAYS_MAX: usize = 600;

/// Drops ever smaller pieces of the history for as long as its last command still differs.
/// `None` when even the whole history does not reproduce it.
pub fn shortest(pair: Pair, history: &[Step]) -> Option<(Vec<Step>, Mismatch)> {
    let mut best = history.to_vec();
    let mut mismatch = differs_at_end(pair, &best)?;
    let mut replays = 0;
    let mut piece = best.len() / 2;
    while piece > 0 {
        let mut start = 0;
        let mut dropped = false;
        // The last step is the one that differs; it stays.
        while start + 1 < best.len() {
            let end = (start + piece).min(best.len() - 1);
            let mut shorter = best[..start].to_vec();
            shorter.extend_from_slice(&best[end..]);
            replays += 1;
            if let Some(found) = differs_at_end(pair, &shorter) {
                best = shorter;
                mismatch = found;
                dropped = true;
            } else {
                start = end;
            }
            if replays > REPLAYS_MAX {
                return Some((best, mismatch));
            }
        }
        if !dropped || piece > 1 {
            piece /= 2;
        }
    }
    Some((best, mismatch))
}

fn differs_at_end(pair: Pair, steps: &[Step]) -> Option<Mismatch> {
    let (index, mismatch) = Connections::fresh(pair, PATIENCE).run_all(steps)?;
    (index + 1 == steps.len()).then_some(mismatch)
}
