//! Picking at random among the members of a collection.

use hashbrown::HashSet;

/// Of a table, members are picked again where one was picked before as long as that many times
/// fewer are wanted than there are.
pub const PICKS_SHARE: usize = 3;

/// An index below `len`.
pub fn below(len: usize, random: u64) -> usize {
    let index = (u128::from(random) * (len as u128)) >> 64;
    usize::try_from(index).unwrap_or(0)
}

/// `wanted` of the `len` things, each as likely as any other, in their order.
pub fn select<T>(
    things: impl Iterator<Item = T>,
    len: usize,
    wanted: usize,
    mut random: impl FnMut() -> u64,
) -> impl Iterator<Item = T> {
    let (mut left, mut missing) = (len, wanted);
    things.filter(move |_| {
        let is_taken = below(left, random()) < missing;
        left = left.saturating_sub(1).max(1);
        missing -= usize::from(is_taken);
        is_taken
    })
}

/// Names that were picked before.
#[derive(Debug)]
pub struct Picked(HashSet<Vec<u8>, ahash::RandomState>);

impl Picked {
    /// None yet; `seed` keeps clients from guessing where names collide.
    pub fn new(seed: u64) -> Self {
        Self(HashSet::with_hasher(ahash::RandomState::with_seeds(
            seed, !seed, seed, !seed,
        )))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Notes a name; says whether it is new.
    pub fn insert(&mut self, name: Vec<u8>) -> bool {
        self.0.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::select;

    #[test]
    fn every_thing_is_selected_as_often() {
        let mut seed: u64 = 1;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed ^ (seed >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            let selected: Vec<usize> = select(0..10, 10, 3, &mut random).collect();
            assert_eq!(selected.len(), 3);
            for index in selected {
                counts[index] += 1;
            }
        }
        assert!(
            counts.iter().all(|count| (2700..3300).contains(count)),
            "{counts:?}"
        );
    }
}
