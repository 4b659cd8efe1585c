//! What commands are made of: few keys so that commands meet, and arguments good and bad.

use std::collections::VecDeque;

use crate::command::Command;
use crate::rng::Rng;

/// Keys per family; small, so that most commands find something.
const KEYS_PER_FAMILY: usize = 5;

/// The first letters of keys that hold lists, strings, streams, hashes and sets (small ones, and of
/// any size) and sorted sets for the most part.
const PREFIXES: &[char] = &['l', 's', 'x', 'h', 'H', 't', 'T', 'z'];

/// Words that mean something to some command; damage puts them where they do not belong.
const ODD_WORDS: &[&str] = &[
    "NX",
    "XX",
    "GT",
    "LT",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "GET",
    "COUNT",
    "MATCH",
    "TYPE",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "RANK",
    "MAXLEN",
    "DB",
    "REPLACE",
    "LEN",
    "IDX",
    "MINMATCHLEN",
    "WITHMATCHLEN",
    "PERSIST",
    "ASYNC",
    "SYNC",
    "zset",
    "WITHSCORES",
    "BYSCORE",
    "REV",
    "LIMIT",
    "WEIGHTS",
    "AGGREGATE",
    "INCR",
    "MIN",
    "string",
    "*",
    "?",
    "~",
    "=",
    "$",
    ">",
    "+",
    "(5",
    "MINID",
    "LIMIT",
    "ACKED",
    "DELREF",
    "IDS",
    "NOACK",
    "JUSTID",
    "FORCE",
    "FULL",
    "STREAMS",
    "GROUP",
];

/// Numbers at and past the edges, and things that are no numbers. None lies between a million and
/// 512 MiB, where SETRANGE would have to allocate.
pub const ODD_NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "-2",
    "10",
    "100",
    "-100",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "2147483647",
    "-2147483648",
    "2147483648",
    "4294967295",
    "4294967296",
    " 1",
    "1 ",
    "+1",
    "01",
    "-0",
    "00",
    "1.0",
    "1.5",
    "1e3",
    "",
    "abc",
    "0x10",
    "-",
    "1a",
    "inf",
    "nan",
    "-inf",
    "99999999999999999999999999999999999999",
];

/// Numbers for INCRBYFLOAT and the like.
pub const ODD_FLOATS: &[&str] = &[
    "0",
    "0.1",
    "0.2",
    "-0.1",
    "1.5",
    "3.0e3",
    "1e-5",
    "-1.25",
    "10.50",
    "5.0e2",
    "1e17",
    "1e-17",
    "123456789.123456789",
    ".5",
    "5.",
    "+1",
    "1e400",
    "-1e400",
    "inf",
    "-inf",
    "nan",
    " 1",
    "1 ",
    "",
    "abc",
    "0x1p3",
    "1e",
    "--1",
    "17179869184",
    "9007199254740993",
    "1e20",
    "0.000001",
];

/// The generator that the families draw from.
pub struct Gen {
    /// Where the randomness comes from.
    pub rng: Rng,
    /// Milliseconds of the newest id that an entry was given: ids grow, whatever they go to.
    pub newest_ms: u64,
    /// Commands that must follow the last one at once, on its connection.
    pub queued: VecDeque<Command>,
}

impl Gen {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            newest_ms: 1000,
            queued: VecDeque::new(),
        }
    }

    fn family_key(&mut self, prefix: char) -> Vec<u8> {
        format!("{prefix}{}", self.rng.below(KEYS_PER_FAMILY)).into_bytes()
    }

    /// A key of any family, now and then an odd one.
    pub fn key(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => Vec::new(),
            1 => b"bin\x00\xff\r\nkey".to_vec(),
            2 => b"gl*b[a-c]?".to_vec(),
            3 => b"{tag}k".to_vec(),
            4..=5 => b"absent".to_vec(),
            _ => {
                let prefix = *self.rng.pick(PREFIXES);
                self.family_key(prefix)
            }
        }
    }

    /// Mostly a key that holds a list.
    pub fn list_key(&mut self) -> Vec<u8> {
        if self.rng.percent(88) {
            self.family_key('l')
        } else {
            self.key()
        }
    }

    /// Mostly a key that holds a string.
    pub fn string_key(&mut self) -> Vec<u8> {
        if self.rng.percent(88) {
            self.family_key('s')
        } else {
            self.key()
        }
    }

    /// Mostly a key that holds a hash: a small one, or of any size.
    pub fn hash_key(&mut self) -> Vec<u8> {
        match self.rng.below(100) {
            0..=49 => self.family_key('h'),
            50..=91 => self.family_key('H'),
            _ => self.key(),
        }
    }

    /// Mostly a key that holds a set: a small one, or of any size.
    pub fn set_key(&mut self) -> Vec<u8> {
        match self.rng.below(100) {
            0..=49 => self.family_key('t'),
            50..=91 => self.family_key('T'),
            _ => self.key(),
        }
    }

    /// A field of a hash: of few, so that they meet.
    pub fn hash_field(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0 => Vec::new(),
            1 | 2 => self.rng.between(-3, 8).to_string().into_bytes(),
            3 => b"bin\x00\xff\r\nfield".to_vec(),
            _ => format!("f{}", self.rng.below(10)).into_bytes(),
        }
    }

    /// A member of a set: of few, more than half of them integers.
    pub fn set_member(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0 => Vec::new(),
            1 => self
                .rng
                .pick(&["007", "-0", "32768", "-32769", "2147483648", "1.5"])
                .as_bytes()
                .to_vec(),
            2 => self
                .rng
                .pick(&[
                    "9223372036854775807",
                    "-9223372036854775808",
                    "9223372036854775808",
                ])
                .as_bytes()
                .to_vec(),
            3..=14 => self.rng.between(-3, 12).to_string().into_bytes(),
            _ => format!("m{}", self.rng.below(8)).into_bytes(),
        }
    }

    /// A value of at most 64 bytes, to which no number can be added that makes it longer.
    pub fn short_value(&mut self) -> Vec<u8> {
        loop {
            let mut value = self.value();
            if !value.ends_with(b"e400") {
                value.truncate(64);
                return value;
            }
        }
    }

    /// Mostly a key that holds a sorted set.
    pub fn sorted_key(&mut self) -> Vec<u8> {
        if self.rng.percent(90) {
            self.family_key('z')
        } else {
            self.key()
        }
    }

    /// Mostly a key that holds a stream.
    pub fn stream_key(&mut self) -> Vec<u8> {
        if self.rng.percent(94) {
            self.family_key('x')
        } else {
            self.key()
        }
    }

    /// A key that holds a sorted set whose scores are all the same; no other command names it.
    pub fn even_key(&mut self) -> Vec<u8> {
        self.family_key('y')
    }

    /// Every key that the generators use, for sweeps.
    pub fn all_keys() -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = ["", "gl*b[a-c]?", "{tag}k", "absent"]
            .iter()
            .map(|key| key.as_bytes().to_vec())
            .collect();
        keys.push(b"bin\x00\xff\r\nkey".to_vec());
        for prefix in PREFIXES.iter().chain(&['y']) {
            keys.extend((0..KEYS_PER_FAMILY).map(|index| format!("{prefix}{index}").into_bytes()));
        }
        keys
    }

    /// A value: short and repeating for the most part.
    pub fn value(&mut self) -> Vec<u8> {
        match self.rng.below(100) {
            0..=54 => format!("v{}", self.rng.below(8)).into_bytes(),
            55..=69 => self.rng.between(-20, 300).to_string().into_bytes(),
            70..=73 => Vec::new(),
            74..=77 => self.rng.pick(ODD_NUMBERS).as_bytes().to_vec(),
            78..=81 => self.rng.pick(ODD_FLOATS).as_bytes().to_vec(),
            82..=86 => (0..self.rng.below(12)).map(|_| self.byte()).collect(),
            87..=88 => b"line\r\nfeed\r\n".to_vec(),
            89..=93 => self.bytes_about(70),
            94..=97 => self.bytes_about(700),
            98 => self.bytes_about(5_000),
            _ => self.rare_long_value(),
        }
    }

    fn rare_long_value(&mut self) -> Vec<u8> {
        if self.rng.percent(5) {
            self.bytes_about(70_000)
        } else {
            self.bytes_about(90)
        }
    }

    fn byte(&mut self) -> u8 {
        self.rng.next().to_le_bytes()[0]
    }

    /// A long value of about this size: one byte repeated, with a number at the front.
    fn bytes_about(&mut self, size: usize) -> Vec<u8> {
        let length = size / 2 + self.rng.below(size);
        let mut bytes = format!("{}:", self.rng.below(1000)).into_bytes();
        let filler = b'a' + self.byte() % 26;
        bytes.resize(length.max(bytes.len()), filler);
        bytes
    }

    /// Between one value and `most`.
    pub fn values(&mut self, most: usize) -> Vec<Vec<u8>> {
        (0..=self.rng.below(most)).map(|_| self.value()).collect()
    }

    /// An integer as an argument: small as a rule, odd now and then.
    pub fn int(&mut self, low: i64, high: i64) -> Vec<u8> {
        if self.rng.percent(94) {
            self.rng.between(low, high).to_string().into_bytes()
        } else {
            self.rng.pick(ODD_NUMBERS).as_bytes().to_vec()
        }
    }

    /// A position in a list or string.
    pub fn index(&mut self) -> Vec<u8> {
        self.int(-12, 12)
    }

    /// An option word, in upper case as a rule.
    pub fn word(&mut self, word: &str) -> Vec<u8> {
        match self.rng.below(16) {
            0 => word.to_ascii_lowercase().into_bytes(),
            1 => word
                .bytes()
                .map(|byte| {
                    if self.rng.percent(50) {
                        byte.to_ascii_lowercase()
                    } else {
                        byte
                    }
                })
                .collect(),
            _ => word.as_bytes().to_vec(),
        }
    }

    /// One of the option words.
    pub fn word_of(&mut self, words: &[&str]) -> Vec<u8> {
        let word = *self.rng.pick(words);
        self.word(word)
    }

    /// Damages a command: arguments lost, doubled, swapped, replaced, inserted; odd letter case.
    pub fn damage(&mut self, command: &mut Command) {
        let args = &mut command.args;
        match self.rng.below(8) {
            0 | 1 if args.len() > 1 => {
                let at = 1 + self.rng.below(args.len() - 1);
                args.remove(at);
            }
            2 if args.len() > 1 => {
                let at = 1 + self.rng.below(args.len() - 1);
                args.insert(at, args[at].clone());
            }
            3 if args.len() > 2 => {
                let one = 1 + self.rng.below(args.len() - 1);
                let other = 1 + self.rng.below(args.len() - 1);
                args.swap(one, other);
            }
            4 | 5 if args.len() > 1 => {
                let at = 1 + self.rng.below(args.len() - 1);
                args[at] = self.odd_argument();
            }
            6 => {
                let at = 1 + self.rng.below(args.len());
                args.insert(at, self.odd_argument());
            }
            _ => {
                let name = String::from_utf8_lossy(&args[0]).into_owned();
                args[0] = self.word(&name).to_ascii_lowercase();
            }
        }
    }

    fn odd_argument(&mut self) -> Vec<u8> {
        match self.rng.below(5) {
            0 | 1 => self.rng.pick(ODD_NUMBERS).as_bytes().to_vec(),
            2 | 3 => self.word_of(ODD_WORDS),
            _ => self.key(),
        }
    }
}
