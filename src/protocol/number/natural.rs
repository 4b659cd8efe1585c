//! Natural numbers of any size, for the decimals that do not fit into 128 bits.
//!
//! Schoolbook arithmetic: INCRBYFLOAT meets these numbers about never, and their length is bounded
//! by the text they come from.

/// Largest power of ten in a limb, and its exponent.
const CHUNK: u32 = 1_000_000_000;
const CHUNK_DIGITS: usize = 9;

/// A natural number; limbs of 32 bits, lowest first, the last one not zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Natural {
    limbs: Vec<u32>,
}

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut number = Self {
            limbs: vec![low(value), low(value >> 32)],
        };
        number.trim();
        number
    }
}

impl Natural {
    /// From digits, which the caller has checked to be such.
    pub(crate) fn from_decimal(digits: &[u8]) -> Self {
        let mut number = Self { limbs: Vec::new() };
        for chunk in digits.chunks(CHUNK_DIGITS) {
            let value = chunk
                .iter()
                .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            let scale = chunk.iter().fold(1, |scale, _| scale * 10);
            number.multiply_add(scale, value);
        }
        number
    }

    /// Number of bits, 0 for zero.
    pub(crate) fn bits(&self) -> usize {
        self.limbs.last().map_or(0, |top| {
            self.limbs.len() * 32 - top.leading_zeros() as usize
        })
    }

    pub(crate) fn multiply_by_ten_to(&mut self, power: usize) {
        for _ in 0..power / CHUNK_DIGITS {
            self.multiply_add(CHUNK, 0);
        }
        for _ in 0..power % CHUNK_DIGITS {
            self.multiply_add(10, 0);
        }
    }

    pub(crate) fn shift_left(&mut self, bits: usize) {
        if self.limbs.is_empty() {
            return;
        }
        let mut carry = 0u64;
        for limb in &mut self.limbs {
            let shifted = u64::from(*limb) << (bits % 32) | carry;
            *limb = low(shifted);
            carry = shifted >> 32;
        }
        self.limbs.push(low(carry));
        self.trim();
        let zeros = std::iter::repeat_n(0, bits / 32);
        self.limbs.splice(..0, zeros);
    }

    /// The quotient by `divisor`, which must have at most `bits` bits, and whether nothing is left.
    pub(crate) fn divide_small(mut self, mut divisor: Self, bits: u64) -> (u128, bool) {
        let steps = usize::try_from(bits).unwrap_or(usize::MAX);
        divisor.shift_left(steps);
        let mut quotient = 0u128;
        for _ in 0..=steps {
            quotient <<= 1;
            if self.at_least(&divisor) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            divisor.halve();
        }
        (quotient, self.limbs.is_empty())
    }

    /// Appends the decimal digits.
    pub(crate) fn print(mut self, text: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            chunks.push(self.divide_by_chunk());
        }
        let mut digits = itoa::Buffer::new();
        let first = digits.format(chunks.pop().unwrap_or(0));
        text.extend_from_slice(first.as_bytes());
        for chunk in chunks.into_iter().rev() {
            let chunk = digits.format(chunk).as_bytes();
            text.resize(text.len() + CHUNK_DIGITS - chunk.len(), b'0');
            text.extend_from_slice(chunk);
        }
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.limbs {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = low(product);
            carry = product >> 32;
        }
        self.limbs.push(low(carry));
        self.trim();
    }

    /// Divides by a power of ten and returns the remainder.
    fn divide_by_chunk(&mut self) -> u32 {
        let mut rest = 0u64;
        for limb in self.limbs.iter_mut().rev() {
            let value = rest << 32 | u64::from(*limb);
            *limb = low(value / u64::from(CHUNK));
            rest = value % u64::from(CHUNK);
        }
        self.trim();
        low(rest)
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.limbs.iter_mut().rev() {
            let next = *limb << 31;
            *limb = *limb >> 1 | carry;
            carry = next;
        }
        self.trim();
    }

    fn at_least(&self, other: &Self) -> bool {
        let key = |number: &Self| number.limbs.len();
        key(self)
            .cmp(&key(other))
            .then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
            .is_ge()
    }

    /// Takes away a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        let others = other.limbs.iter().copied().chain(std::iter::repeat(0));
        for (limb, other) in self.limbs.iter_mut().zip(others) {
            let (value, under) = limb.overflowing_sub(other);
            let (value, under_again) = value.overflowing_sub(u32::from(borrow));
            *limb = value;
            borrow = under || under_again;
        }
        debug_assert!(!borrow);
        self.trim();
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

/// The low half.
#[allow(
    clippy::cast_possible_truncation,
    reason = "dropping the high half is the purpose"
)]
fn low(value: u64) -> u32 {
    value as u32
}
