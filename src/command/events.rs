//! Keyspace notifications: classes of events, and the string that CONFIG SET takes for them.

/// A set of event classes, as `notify-keyspace-events` names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events(pub u32);

impl Events {
    /// `K`: publish on `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish on `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands of any type.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const SORTED_SET: Self = Self(1 << 7);
    /// `x`: keys that expire.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: keys evicted; never in Weir.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: look-ups that miss; not in `A`.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: modules; never in Weir.
    pub const MODULE: Self = Self(1 << 12);
    /// `n`: keys that come to life; not in `A`.
    pub const NEW: Self = Self(1 << 13);

    /// Letter and class, in the order in which Redis prints them.
    const LETTERS: [(u8, Self); 14] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::SORTED_SET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];
    /// What `A` stands for.
    const ALL: Self = Self(
        Self::GENERIC.0
            | Self::STRING.0
            | Self::LIST.0
            | Self::SET.0
            | Self::HASH.0
            | Self::SORTED_SET.0
            | Self::EXPIRED.0
            | Self::EVICTED.0
            | Self::STREAM.0
            | Self::MODULE.0,
    );

    /// Whether any class of `other` is in it.
    #[inline]
    pub fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Reads the letters of the setting; `None` where one is unknown.
    pub fn parse(letters: &str) -> Option<Self> {
        let mut events = Self::default();
        for letter in letters.bytes() {
            events.0 |= match letter {
                b'A' => Self::ALL.0,
                letter => Self::LETTERS.iter().find(|(known, _)| *known == letter)?.1.0,
            };
        }
        Some(events)
    }

    /// The letters of the setting in Redis's order, with `A` where it fits.
    pub fn letters(self) -> String {
        let mut letters = String::new();
        let all = self.0 & Self::ALL.0 == Self::ALL.0;
        if all {
            letters.push('A');
        }
        for (letter, class) in Self::LETTERS {
            if self.any(class) && !(all && Self::ALL.any(class)) {
                letters.push(char::from(letter));
            }
        }
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn letters_round_trip() {
        for (given, printed) in [("", ""), ("KEA", "AKE"), ("Kl", "lK"), ("Ex", "xE"), ("KEAm", "AKEm")] {
            assert_eq!(Events::parse(given).map(Events::letters).as_deref(), Some(printed));
        }
        assert_eq!(Events::parse("q"), None);
    }
}
