//! Finds a short sequence that still ends in a difference.

/// How many replays a search may take.
const REPLAYS_MAX: usize = 500;

/// Drops ever smaller pieces of the history for as long as its last step still differs, which
/// `differs` finds out. `None` when even the whole history does not reproduce it.
pub fn shortest<Step: Clone, Difference>(
    history: &[Step],
    differs: impl Fn(&[Step]) -> Option<Difference>,
) -> Option<(Vec<Step>, Difference)> {
    let mut best = history.to_vec();
    let mut difference = differs(&best)?;
    let mut replays = 0;
    let mut piece = best.len() / 2;
    while piece > 0 && replays < REPLAYS_MAX {
        let before = best.len();
        let mut start = 0;
        // The last step is the one that differs; it stays.
        while start + 1 < best.len() && replays < REPLAYS_MAX {
            let end = (start + piece).min(best.len() - 1);
            let mut shorter = best[..start].to_vec();
            shorter.extend_from_slice(&best[end..]);
            replays += 1;
            if let Some(found) = differs(&shorter) {
                best = shorter;
                difference = found;
            } else {
                start = end;
            }
        }
        if piece > 1 || best.len() == before {
            piece /= 2;
        }
    }
    Some((best, difference))
}
