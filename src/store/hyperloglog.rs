//! Counting distinct elements in 12 KiB, with an error of 0.81%: the `HyperLogLog` algorithm.
//!
//! Kept inside a string value, in Redis's dense layout, so that the string can be read and written
//! as any other: a header of 16 bytes, then 16384 registers of 6 bits. Redis also has a sparse
//! layout, which is read and never written. The estimator is Ertl's ("New cardinality estimation
//! algorithms for `HyperLogLog` sketches", 2017), the hash function `MurmurHash64A`: estimates are
//! those of Redis to the unit.

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// Bits of a hash that are left for counting zeros.
const COUNTED_BITS: usize = 64 - INDEX_BITS as usize;
const REGISTER_BITS: usize = 6;
const REGISTER_MAX: u8 = (1 << REGISTER_BITS) - 1;
const MAGIC: &[u8; 4] = b"HYLL";
const HEADER_BYTES: usize = 16;
/// Where the header says which layout follows: 0 dense, 1 sparse.
const LAYOUT_AT: usize = 4;
/// Where the header keeps the last estimate, little-endian; the top bit says that it is stale.
const ESTIMATE_AT: usize = 8;
const STALE: u8 = 0x80;
/// Bytes of a dense string.
pub const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * REGISTER_BITS / 8;
const HASH_SEED: u64 = 0xadc8_3b19;

/// Why a string does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no string of this kind.
    Foreign,
    /// It begins as one and is broken.
    Corrupted,
}

/// The registers of one or more counters, one byte each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers(Box<[u8]>);

impl Default for Registers {
    fn default() -> Self {
        Self(vec![0; REGISTERS].into_boxed_slice())
    }
}

/// A dense string without elements.
pub fn new_dense() -> Vec<u8> {
    let mut bytes = vec![0; DENSE_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes
}

/// Whether a string is a counter, and then whether it is dense.
pub fn check(bytes: &[u8]) -> Result<bool, Unusable> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return Err(Unusable::Foreign);
    }
    match bytes[LAYOUT_AT] {
        0 if bytes.len() == DENSE_BYTES => Ok(true),
        1 => Ok(false),
        _ => Err(Unusable::Foreign),
    }
}

/// The estimate that a string keeps, unless it is stale.
pub fn kept_estimate(bytes: &[u8]) -> Option<u64> {
    let word = bytes.get(ESTIMATE_AT..)?.first_chunk::<8>()?;
    (word[7] & STALE == 0).then(|| u64::from_le_bytes(*word))
}

/// Keeps an estimate in a string.
pub fn keep_estimate(bytes: &mut [u8], estimate: u64) {
    bytes[ESTIMATE_AT..HEADER_BYTES].copy_from_slice(&estimate.to_le_bytes());
}

/// Adds an element to a dense string; says whether a register changed.
pub fn add(bytes: &mut [u8], element: &[u8]) -> bool {
    let (register, rank) = place(element);
    let registers = &mut bytes[HEADER_BYTES..];
    if get(registers, register) >= rank {
        return false;
    }
    set(registers, register, rank);
    bytes[HEADER_BYTES - 1] |= STALE;
    true
}

/// The register of an element, and the rank that it has there.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let register = usize::try_from(hash & (REGISTERS as u64 - 1)).unwrap_or(0);
    let counted = hash >> INDEX_BITS | 1 << COUNTED_BITS;
    let rank = counted.trailing_zeros() + 1;
    (register, rank.to_le_bytes()[0])
}

/// A register of six bits; neighbours share bytes, low bits first.
fn get(registers: &[u8], register: usize) -> u8 {
    let bit = register * REGISTER_BITS;
    let low = u16::from(registers[bit / 8]);
    let high = u16::from(registers.get(bit / 8 + 1).copied().unwrap_or(0));
    ((high << 8 | low) >> (bit % 8)).to_le_bytes()[0] & REGISTER_MAX
}

fn set(registers: &mut [u8], register: usize, rank: u8) {
    let bit = register * REGISTER_BITS;
    let mask = u16::from(REGISTER_MAX) << (bit % 8);
    let value = u16::from(rank) << (bit % 8);
    let ([mask_low, mask_high], [low, high]) = (mask.to_le_bytes(), value.to_le_bytes());
    let at = bit / 8;
    registers[at] = registers[at] & !mask_low | low;
    if mask_high != 0 {
        registers[at + 1] = registers[at + 1] & !mask_high | high;
    }
}

/// The four registers that lie in three bytes.
fn unpack([first, second, third]: [u8; 3]) -> [u8; 4] {
    [
        first,
        first >> 6 | second << 2,
        second >> 4 | third << 4,
        third >> 2,
    ]
    .map(|rank| rank & REGISTER_MAX)
}

/// Three bytes for four registers.
fn pack([first, second, third, fourth]: [u8; 4]) -> [u8; 3] {
    [
        first | second << 6,
        second >> 2 | third << 4,
        third >> 4 | fourth << 2,
    ]
}

impl Registers {
    /// Takes over the registers of a string where they are greater.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Unusable> {
        if !check(bytes)? {
            return self.merge_sparse(&bytes[HEADER_BYTES..]);
        }
        let (fours, _) = self.0.as_chunks_mut::<4>();
        let (packed, _) = bytes[HEADER_BYTES..].as_chunks::<3>();
        for (ranks, packed) in fours.iter_mut().zip(packed) {
            for (rank, other) in ranks.iter_mut().zip(unpack(*packed)) {
                *rank = other.max(*rank);
            }
        }
        Ok(())
    }

    /// Sparse strings are runs: `00xxxxxx` that many zeros and one more, `01xxxxxx yyyyyyyy` the
    /// same with 14 bits, `1vvvvvxx` the rank `v + 1` `x + 1` times.
    fn merge_sparse(&mut self, runs: &[u8]) -> Result<(), Unusable> {
        let (mut register, mut at) = (0, 0);
        while let Some(&first) = runs.get(at) {
            at += 1;
            let (len, rank) = if first & 0x80 != 0 {
                (usize::from(first & 3) + 1, (first >> 2 & 0x1f) + 1)
            } else if first & 0x40 == 0 {
                (usize::from(first & 0x3f) + 1, 0)
            } else {
                let second = *runs.get(at).ok_or(Unusable::Corrupted)?;
                at += 1;
                let len = usize::from(first & 0x3f) << 8 | usize::from(second);
                (len + 1, 0)
            };
            let run = self.0.get_mut(register..register + len);
            for old in run.ok_or(Unusable::Corrupted)? {
                *old = rank.max(*old);
            }
            register += len;
        }
        if register == REGISTERS {
            Ok(())
        } else {
            Err(Unusable::Corrupted)
        }
    }

    /// A dense string of these registers, whose estimate is stale.
    pub fn to_dense(&self) -> Vec<u8> {
        let mut bytes = new_dense();
        let (fours, _) = self.0.as_chunks::<4>();
        let (packed, _) = bytes[HEADER_BYTES..].as_chunks_mut::<3>();
        for (packed, ranks) in packed.iter_mut().zip(fours) {
            *packed = pack(*ranks);
        }
        bytes[HEADER_BYTES - 1] |= STALE;
        bytes
    }

    /// How many distinct elements were added, about.
    pub fn estimate(&self) -> u64 {
        /// 1 / (2 ln 2).
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        let mut histogram = [0_u32; 64];
        for &rank in &self.0 {
            histogram[usize::from(rank & REGISTER_MAX)] += 1;
        }
        #[allow(clippy::cast_precision_loss, reason = "16384 is exact")]
        let registers = REGISTERS as f64;
        let full = f64::from(histogram[COUNTED_BITS + 1]);
        let mut z = registers * tau((registers - full) / registers);
        for &count in histogram[1..=COUNTED_BITS].iter().rev() {
            z = (z + f64::from(count)) * 0.5;
        }
        z += registers * sigma(f64::from(histogram[0]) / registers);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and no more than some 2^57"
        )]
        let estimate = (ALPHA * registers * registers / z).round() as u64;
        estimate
    }
}

/// The correction for registers that are zero.
#[allow(clippy::float_cmp, reason = "it ends when nothing changes any more")]
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        let before = z;
        x *= x;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// The correction for registers that are full.
#[allow(clippy::float_cmp, reason = "it ends when nothing changes any more")]
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        let before = z;
        x = x.sqrt();
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// `MurmurHash64A` by Austin Appleby, in the public domain.
fn murmur(bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mut hash = HASH_SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> SHIFT;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::{HEADER_BYTES, MAGIC, Registers, Unusable, add, check, get, new_dense, set};

    #[test]
    fn registers_lie_side_by_side() {
        let mut bytes = new_dense();
        let registers = &mut bytes[HEADER_BYTES..];
        for register in 0..16_384_usize {
            set(registers, register, (register % 64).to_le_bytes()[0]);
        }
        for register in 0..16_384_usize {
            assert_eq!(usize::from(get(registers, register)), register % 64);
        }
        let mut read = Registers::default();
        read.merge(&bytes).unwrap();
        for register in 0..16_384_usize {
            assert_eq!(usize::from(read.0[register]), register % 64);
        }
        assert_eq!(read.to_dense()[HEADER_BYTES..], bytes[HEADER_BYTES..]);
    }

    #[test]
    fn estimates_are_near() {
        let mut bytes = new_dense();
        let mut added = 0_u32;
        for target in [0, 1, 10, 1000, 100_000] {
            while added < target {
                add(&mut bytes, format!("element {added}").as_bytes());
                assert!(!add(&mut bytes, format!("element {added}").as_bytes()));
                added += 1;
            }
            let mut registers = Registers::default();
            registers.merge(&bytes).unwrap();
            let error = registers.estimate().abs_diff(u64::from(target));
            assert!(
                error * 40 <= u64::from(target),
                "{target} is off by {error}"
            );
            assert_eq!(registers.to_dense()[HEADER_BYTES..], bytes[HEADER_BYTES..]);
        }
    }

    #[test]
    fn sparse_strings_are_read() {
        let sparse = |runs: &[u8]| [&MAGIC[..], &[1, 0, 0, 0], &[0; 8], runs].concat();
        // One register of rank 3 after 1000 zeros, then zeros.
        let bytes = sparse(&[0x40 | 3, 0xe7, 0x80 | 2 << 2, 0x40 | 0x3c, 0x16]);
        let mut registers = Registers::default();
        assert_eq!(check(&bytes), Ok(false));
        registers.merge(&bytes).unwrap();
        assert_eq!((registers.0[999], registers.0[1000]), (0, 3));
        assert_eq!(registers.estimate(), 1);
        let short = registers.merge(&sparse(&[0x7f, 0xfe]));
        assert_eq!(short, Err(Unusable::Corrupted));
        assert_eq!(check(b"HYLL"), Err(Unusable::Foreign));
    }
}
