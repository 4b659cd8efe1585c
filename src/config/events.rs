//! Classes of keyspace events, as `notify-keyspace-events` selects them.

use std::fmt;

/// A set of event classes. Copying and testing cost one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events(u32);

/// Letters in the order in which `CONFIG GET` prints them; the position is the bit.
const LETTERS: &[u8; 16] = b"g$lshzxetdnocKEm";
/// The classes that `A` stands for: the first ten letters.
const ALL: u32 = (1 << 10) - 1;

impl Events {
    /// `g`: commands on keys of any type, such as DEL, EXPIRE and RENAME.
    pub const GENERIC: Self = Self(1 << 0);
    /// `$`: commands on strings.
    pub const STRING: Self = Self(1 << 1);
    /// `l`: commands on lists.
    pub const LIST: Self = Self(1 << 2);
    /// `s`: commands on sets.
    pub const SET: Self = Self(1 << 3);
    /// `h`: commands on hashes.
    pub const HASH: Self = Self(1 << 4);
    /// `z`: commands on sorted sets.
    pub const SORTED_SET: Self = Self(1 << 5);
    /// `x`: a key expired.
    pub const EXPIRED: Self = Self(1 << 6);
    /// `e`: a key was evicted.
    pub const EVICTED: Self = Self(1 << 7);
    /// `t`: commands on streams.
    pub const STREAM: Self = Self(1 << 8);
    /// `d`: events of modules.
    pub const MODULE: Self = Self(1 << 9);
    /// `n`: a key was made.
    pub const NEW: Self = Self(1 << 10);
    /// `o`: a value was overwritten.
    pub const OVERWRITTEN: Self = Self(1 << 11);
    /// `c`: a key changed its type.
    pub const TYPE_CHANGED: Self = Self(1 << 12);
    /// `K`: publish to `__keyspace@DB__:KEY`.
    pub const KEYSPACE: Self = Self(1 << 13);
    /// `E`: publish to `__keyevent@DB__:EVENT`.
    pub const KEYEVENT: Self = Self(1 << 14);
    /// `m`: a read missed.
    pub const MISS: Self = Self(1 << 15);

    /// Reads letters; `None` if one is no class.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bits = 0;
        for letter in text.bytes() {
            if letter == b'A' {
                bits |= ALL;
            } else {
                bits |= 1 << LETTERS.iter().position(|known| *known == letter)?;
            }
        }
        Some(Self(bits))
    }

    /// The classes in one word, for an atomic.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The classes that [`bits`](Self::bits) gave.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether every class of `other` is selected.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether an event of `class` is to be published anywhere.
    pub const fn wants(self, class: Self) -> bool {
        self.0 & class.0 != 0 && self.0 & (Self::KEYSPACE.0 | Self::KEYEVENT.0) != 0
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0 & ALL == ALL;
        if all {
            f.write_str("A")?;
        }
        for (letter, bit) in LETTERS.iter().zip(0..) {
            // Redis leaves out the classes outside of A (n, o, c) when it prints A.
            let covered = all && bit < 13;
            if self.0 & (1 << bit) != 0 && !covered {
                write!(f, "{}", char::from(*letter))?;
            }
        }
        Ok(())
    }
}
