//! One policy: a pattern of names with its bounds.

use std::cmp::Reverse;
use std::fmt::Write as _;

use crate::glob;
use crate::overflow::{OutboxBounds, QueueBounds, QueueOverflow, WhenFull};

use super::words::{parse_bytes, parse_ms, quote};

/// What a policy's names are names of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Lists.
    #[default]
    Queue,
    /// Streams, with their groups.
    Stream,
    /// Channels of publish and subscribe.
    Channel,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Stream => "stream",
            Self::Channel => "channel",
        }
    }

    /// The kind of a word, in any case.
    pub fn parse(word: &[u8]) -> Option<Self> {
        [Self::Queue, Self::Stream, Self::Channel]
            .into_iter()
            .find(|kind| word.eq_ignore_ascii_case(kind.name().as_bytes()))
    }
}

/// What happens when there is no room, as a policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Reject,
    DropOldest,
    DropNewest,
    Disconnect,
}

impl Overflow {
    const ALL: [Self; 4] = [
        Self::Reject,
        Self::DropOldest,
        Self::DropNewest,
        Self::Disconnect,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
            Self::Disconnect => "disconnect",
        }
    }

    fn of_queue(self) -> Option<QueueOverflow> {
        match self {
            Self::Reject => Some(QueueOverflow::Reject),
            Self::DropOldest => Some(QueueOverflow::DropOldest),
            Self::DropNewest => Some(QueueOverflow::DropNewest),
            Self::Disconnect => None,
        }
    }

    fn of_channel(self) -> Option<WhenFull> {
        match self {
            Self::Reject => None,
            Self::DropOldest => Some(WhenFull::DropOldest),
            Self::DropNewest => Some(WhenFull::DropNewest),
            Self::Disconnect => Some(WhenFull::Disconnect),
        }
    }
}

/// When somebody is to be told of a queue: nothing goes, and nothing is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Its oldest message has waited for so many milliseconds.
    pub age_ms: Option<u64>,
    /// So many messages wait in it.
    pub length: Option<u64>,
}

impl Alarms {
    /// Whether somebody may have to be told.
    pub fn is_some(self) -> bool {
        self.age_ms.is_some() || self.length.is_some()
    }
}

/// Whether a pattern has wildcards, how many fixed bytes stand in front and in all, and itself.
type Rank<'a> = (bool, Reverse<usize>, Reverse<usize>, &'a [u8]);

/// A policy. Bounds that are `None` do not bind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What it is for.
    pub kind: Kind,
    /// The names that it is for.
    pub pattern: Box<[u8]>,
    length_max: Option<u64>,
    bytes_max: Option<u64>,
    age_ms_max: Option<u64>,
    idle_ms_max: Option<u64>,
    deliveries_max: Option<u64>,
    overflow: Option<Overflow>,
    sheds: bool,
    /// When somebody is to be told of a queue or stream.
    pub alarms: Alarms,
    /// Where what would be lost goes instead.
    pub dead_letter: Option<Box<[u8]>>,
}

impl Rule {
    /// Reads `pattern [KIND kind] [OPTION value ...]`, or says what is wrong.
    pub fn parse<'w>(mut words: impl Iterator<Item = &'w [u8]>) -> Result<Self, String> {
        let pattern = words.next().ok_or("a policy begins with its pattern")?;
        let mut rule = Self {
            pattern: pattern.into(),
            ..Self::default()
        };
        while let Some(option) = words.next() {
            let option = String::from_utf8_lossy(option).to_ascii_lowercase();
            let value = words
                .next()
                .ok_or_else(|| format!("the value of '{option}' is missing"))?;
            rule.set(&option, value)?;
        }
        rule.check()?;
        Ok(rule)
    }

    fn set(&mut self, option: &str, value: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(value);
        let refuse = |expected: &str| format!("'{option}' takes {expected}, not '{text}'");
        // What replies can tell as integers.
        let positive = |number: Option<u64>| {
            number.filter(|&number| number > 0 && i64::try_from(number).is_ok())
        };
        match option {
            "kind" => {
                let kind = Kind::parse(value);
                self.kind = kind.ok_or_else(|| refuse("queue, stream or channel"))?;
            }
            "max-length" | "max-deliveries" | "alert-length" => {
                let number = positive(text.parse().ok());
                let number = number.ok_or_else(|| refuse("a number from 1"))?;
                let bound = match option {
                    "max-length" => &mut self.length_max,
                    "max-deliveries" => &mut self.deliveries_max,
                    _ => &mut self.alarms.length,
                };
                *bound = Some(number);
            }
            "max-bytes" => {
                let number = positive(parse_bytes(&text));
                self.bytes_max = Some(number.ok_or_else(|| refuse("a size such as 64mb"))?);
            }
            "max-age" | "expire-idle" | "alert-age" => {
                let number = positive(parse_ms(&text));
                let number = number.ok_or_else(|| refuse("milliseconds, or 30s"))?;
                let bound = match option {
                    "max-age" => &mut self.age_ms_max,
                    "expire-idle" => &mut self.idle_ms_max,
                    _ => &mut self.alarms.age_ms,
                };
                *bound = Some(number);
            }
            "overflow" => {
                let is_it = |way: &Overflow| text.eq_ignore_ascii_case(way.name());
                let found = Overflow::ALL.into_iter().find(is_it);
                let expected = "reject, drop-oldest, drop-newest or, for channels, disconnect";
                self.overflow = Some(found.ok_or_else(|| refuse(expected))?);
            }
            "dead-letter" => self.dead_letter = Some(value.into()),
            "memory" => {
                self.sheds = match text.to_ascii_lowercase().as_str() {
                    "shed" => true,
                    "keep" => false,
                    _ => return Err(refuse("shed or keep")),
                }
            }
            _ => return Err(format!("no option of policies is called '{option}'")),
        }
        Ok(())
    }

    /// Whether it makes sense for its kind.
    fn check(&self) -> Result<(), String> {
        let refuse = |option: &str| Err(format!("a {} has no '{option}'", self.kind.name()));
        match self.kind {
            Kind::Queue | Kind::Stream if self.overflow == Some(Overflow::Disconnect) => {
                refuse("overflow disconnect")
            }
            Kind::Queue | Kind::Channel if self.deliveries_max.is_some() => {
                refuse("max-deliveries")
            }
            Kind::Stream if self.dead_letter.is_some() && self.deliveries_max.is_none() => {
                Err("dead letters of a stream are what 'max-deliveries' ends".to_owned())
            }
            Kind::Channel if self.overflow == Some(Overflow::Reject) => refuse("overflow reject"),
            Kind::Channel if self.age_ms_max.is_some() => refuse("max-age"),
            Kind::Channel if self.idle_ms_max.is_some() => refuse("expire-idle"),
            Kind::Channel if self.dead_letter.is_some() => refuse("dead-letter"),
            Kind::Stream | Kind::Channel if self.sheds => refuse("memory shed"),
            Kind::Channel if self.alarms.age_ms.is_some() => refuse("alert-age"),
            Kind::Channel if self.alarms.length.is_some() => refuse("alert-length"),
            _ => Ok(()),
        }
    }

    /// Its options that are numbers.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let numbers = [
            ("max-length", self.length_max),
            ("max-bytes", self.bytes_max),
            ("max-age", self.age_ms_max),
            ("expire-idle", self.idle_ms_max),
            ("max-deliveries", self.deliveries_max),
            ("alert-age", self.alarms.age_ms),
            ("alert-length", self.alarms.length),
        ];
        let given = |(name, number): (_, Option<_>)| Some((name, number?));
        numbers.into_iter().filter_map(given)
    }

    /// Its options that are words or names.
    pub fn words(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let words = [
            ("overflow", self.overflow.map(|way| way.name().as_bytes())),
            ("dead-letter", self.dead_letter.as_deref()),
            ("memory", self.sheds.then_some(b"shed")),
        ];
        let given = |(name, word): (_, Option<_>)| Some((name, word?));
        words.into_iter().filter_map(given)
    }

    /// The policy as a line of a configuration file.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        quote(&self.pattern, &mut line);
        if self.kind != Kind::default() {
            // Writing to a string cannot fail.
            let _ = write!(line, " kind {}", self.kind.name());
        }
        for (name, number) in self.numbers() {
            let _ = write!(line, " {name} {number}");
        }
        for (name, word) in self.words() {
            let _ = write!(line, " {name} ");
            quote(word, &mut line);
        }
        line
    }

    /// Whether it is for a name.
    pub fn matches(&self, name: &[u8]) -> bool {
        glob::is_everything(&self.pattern) || glob::matches(&self.pattern, name, false)
    }

    /// Whether its pattern has wildcards.
    pub(super) fn is_wild(&self) -> bool {
        !glob::is_literal(&self.pattern)
    }

    /// Its place among all policies: by kind, then the most specific first.
    pub(super) fn place(&self) -> (Kind, Rank<'_>) {
        (self.kind, self.rank())
    }

    /// Its place among policies of its kind: lower is more specific. Also why, for people.
    pub(super) fn rank(&self) -> Rank<'_> {
        let is_wild = |&byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
        let fixed = self
            .pattern
            .iter()
            .take_while(|byte| !is_wild(byte))
            .count();
        let literal = self.pattern.iter().filter(|byte| !is_wild(byte)).count();
        (
            self.is_wild(),
            Reverse(fixed),
            Reverse(literal),
            &self.pattern,
        )
    }

    /// Why it stands where it stands.
    pub fn reason(&self) -> String {
        let (has_wildcards, Reverse(fixed), Reverse(literal), _) = self.rank();
        if has_wildcards {
            format!("pattern with {fixed} fixed bytes in front, {literal} in all")
        } else {
            "names it exactly".to_owned()
        }
    }

    /// How often a group delivers an entry; 0 is without bound.
    pub(super) fn deliveries_max(&self) -> u64 {
        self.deliveries_max.unwrap_or(0)
    }

    /// The bounds of a queue, or of a stream, under this policy.
    pub fn queue_bounds(&self) -> QueueBounds {
        let overflow = self.overflow.and_then(Overflow::of_queue);
        QueueBounds {
            length_max: self.length_max.unwrap_or(u64::MAX),
            bytes_max: self.bytes_max.unwrap_or(u64::MAX),
            age_ms_max: self.age_ms_max.unwrap_or(u64::MAX),
            idle_ms_max: self.idle_ms_max.unwrap_or(u64::MAX),
            overflow: overflow.unwrap_or_default(),
            sheds: self.sheds,
        }
    }

    /// The bounds of a subscriber's outbox under this policy; what it leaves open is as in
    /// `default`, but for the overflow: policies let the oldest go unless they say otherwise.
    pub fn outbox_bounds(&self, default: OutboxBounds) -> OutboxBounds {
        let bound = |max: Option<u64>, default| {
            max.map_or(default, |max| usize::try_from(max).unwrap_or(usize::MAX))
        };
        let when_full = self.overflow.and_then(Overflow::of_channel);
        OutboxBounds {
            messages_max: bound(self.length_max, default.messages_max),
            bytes_max: bound(self.bytes_max, default.bytes_max),
            when_full: when_full.unwrap_or(WhenFull::DropOldest),
        }
    }
}
