//! Picking at random among the members of a collection.

use hashbrown::HashSet;

use crate::protocol::Reply;

use super::error::Error;

/// Of a table, members are picked again where one was picked before as long as that many times
/// fewer are wanted than there are.
pub const PICKS_SHARE: usize = 3;

/// Bytes past which an answer in which members repeat grows no further: all of it is in memory
/// before a byte is sent, and no collection bounds it.
const REPEATS_BYTES_MAX: usize = 64 << 20;
/// Bytes of the shortest member in a reply.
const MEMBER_BYTES_MIN: usize = b"$0\r\n\r\n".len();

/// Answers with `count` members that may repeat: `open` writes the head, `write` one of them.
/// Writes nothing of an answer that would be too long.
pub fn repeat(
    reply: &mut Reply,
    count: usize,
    open: impl FnOnce(&mut Reply),
    mut write: impl FnMut(&mut Reply),
) -> Result<(), Error> {
    if count > REPEATS_BYTES_MAX / MEMBER_BYTES_MIN {
        return Err(Error::OutOfRange);
    }
    let (mark, before) = (reply.mark(), reply.len());
    open(reply);
    for _ in 0..count {
        if reply.len() - before > REPEATS_BYTES_MAX {
            reply.truncate_to(mark);
            return Err(Error::OutOfRange);
        }
        write(reply);
    }
    Ok(())
}

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
    use crate::command::testing::Bench;

    #[test]
    fn members_repeat_up_to_a_bound() {
        let bench = Bench::new();
        let member = "m".repeat(100_000);
        for made in ["SADD s", "HSET h f", "ZADD z 1"] {
            bench.run(&format!("{made} {member}"));
        }
        let enough: i64 = (64 << 20) / 100_000;
        for (command, tail) in [
            ("SRANDMEMBER s", ""),
            ("HRANDFIELD h", " WITHVALUES"),
            ("ZRANDMEMBER z", " WITHSCORES"),
        ] {
            let run = |count: i64| bench.run(&format!("{command} {count}{tail}"));
            let refused = "-ERR value is out of range";
            assert!(run(-10).starts_with('*'), "{command}");
            assert_eq!(run(-2 - enough), refused, "{command}");
            assert_eq!(run(i64::MIN / 2 + 1), refused, "{command}");
        }
        assert_eq!(bench.run("SRANDMEMBER nosuch -9223372036854775807"), "*0");
    }

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
