//! What the value of a setting may look like: parsing, printing, and the words for what is wrong.
//!
//! The texts of [`Kind::parse`] are what Redis 8.2 answers to `CONFIG SET`; clients and test suites
//! compare them. [`Kind::expects`] is ours and is what a person at the command line reads.

use std::borrow::Cow;

use crate::policy::{Policies, Routes, unit_bytes};

use super::events::Events;
use super::limits::{self, OutputLimits};
use super::machine::Machine;

/// The value of one setting. The kind of the setting says how to read and print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Numbers, sizes in bytes, yes (1) and no (0), the position of a choice, bits of events.
    Int(i64),
    /// Everything else, in the form that `CONFIG GET` answers.
    Text(String),
}

/// Why a value was refused: the last part of Redis's error line.
pub type Refusal = Cow<'static, str>;

/// The shape of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A whole number in bounds. An unsigned one words a negative number differently, as Redis does.
    Int {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
        /// Whether Redis keeps it in a signed type.
        signed: bool,
    },
    /// A whole number that is moved into bounds instead of refused.
    Clamped {
        /// What less becomes.
        min: i64,
        /// What more becomes.
        max: i64,
    },
    /// Bytes, with an optional unit such as `mb`.
    Size {
        /// Least, in bytes.
        min: i64,
        /// Greatest, in bytes.
        max: i64,
        /// Whether Redis keeps it in a signed type.
        signed: bool,
    },
    /// Bytes, or a percentage of the memory of the machine or its cgroup.
    MemoryLimit,
    /// Bytes, or a percentage that stays one: kept as a negative number.
    SizeOrPercent,
    /// A number of worker threads; `auto` is one per available core.
    Workers,
    /// Permission bits in octal.
    Octal {
        /// All bits that may be set.
        max: i64,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A setting of which Weir supports a single value.
    Only(&'static str),
    /// Classes of keyspace events.
    Events,
    /// Any text.
    Text,
    /// A path of a file.
    Path,
    /// A directory; a relative one counts from where the process was started.
    Directory,
    /// Addresses, separated by spaces.
    Addresses,
    /// `class hard soft seconds`, several times; classes not named keep their limits.
    OutputLimits,
    /// `seconds changes`, several times.
    SavePoints,
    /// How a signal ends Redis: `default`, or some of its other words.
    Shutdown,
    /// Percentiles from 0 to 100.
    Percentiles,
    /// Three numbers from -2000 to 2000.
    OomScores,
    /// Policies, separated by `;`.
    Policies,
    /// Routes, separated by `;`.
    Routes,
    /// Users with their rules, one a line.
    Users,
    /// Commands with their new names, one a line.
    Renames,
}

const NOT_AN_INTEGER: &str = "argument couldn't be parsed into an integer";
const NOT_A_SIZE: &str = "argument must be a memory value";
const NEGATIVE: &str = "argument must be greater or equal to 0";
/// Most worker threads one may ask for; far beyond any machine the sharding is meant for.
const WORKERS_MAX: i64 = 1024;

impl Kind {
    /// Reads a value, or says in Redis's words why not.
    ///
    /// `current` is the value the setting has now: output buffer limits of classes that are not
    /// named stay what they were.
    pub fn parse(self, text: &str, current: &Value, machine: &Machine) -> Result<Value, Refusal> {
        match self {
            Self::YesNo => yes_no(text),
            Self::Int { min, max, signed } => whole_number(text, min, max, signed),
            Self::Clamped { min, max } => {
                let number = parse_integer(text)?;
                in_bounds(number, 0, i64::from(i32::MAX), true)?;
                Ok(Value::Int(number.clamp(min, max)))
            }
            Self::Size { min, max, signed } => size_in_bounds(text, min, max, signed),
            Self::MemoryLimit => memory_limit(text, machine),
            Self::SizeOrPercent => size_or_percent(text),
            Self::Workers => workers(text, machine),
            Self::Octal { max } => {
                let number = i64::from_str_radix(text, 8)
                    .map_err(|_| Cow::Borrowed("argument couldn't be parsed as an octal number"))?;
                in_bounds(number, 0, max, true)?;
                Ok(Value::Int(number))
            }
            Self::Choice(words) => choice(text, words),
            Self::Shutdown => limits::shutdown_options(text).map(Value::Text),
            Self::Only(word) => {
                if text.eq_ignore_ascii_case(word) {
                    Ok(Value::Text(word.to_owned()))
                } else {
                    Err(format!("argument must be '{word}'").into())
                }
            }
            Self::Events => Events::parse(text)
                .map(|events| Value::Int(i64::from(events.bits())))
                .ok_or(Cow::Borrowed(
                    "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
                )),
            Self::Text | Self::Path => Ok(Value::Text(text.to_owned())),
            Self::Directory => {
                // Through its components, so that "." leaves no trace.
                let path: std::path::PathBuf = machine.directory.join(text).components().collect();
                Ok(Value::Text(path.to_string_lossy().into_owned()))
            }
            Self::Addresses => addresses(text),
            Self::OutputLimits => {
                let Value::Text(now) = current else {
                    return Err("no limits to start from".into());
                };
                let mut limits = OutputLimits::from_text(now);
                limits.merge(text)?;
                Ok(Value::Text(limits.to_string()))
            }
            Self::SavePoints => limits::save_points(text).map(Value::Text),
            Self::Percentiles => limits::percentiles(text).map(Value::Text),
            Self::OomScores => limits::oom_scores(text).map(Value::Text),
            Self::Users | Self::Renames => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                Ok(Value::Text(lines.collect::<Vec<_>>().join("\n")))
            }
            Self::Routes => match Routes::parse(text) {
                Ok(routes) => Ok(Value::Text(routes.to_lines().join("; "))),
                Err(reason) => Err(reason.into()),
            },
            Self::Policies => match Policies::parse(text) {
                Ok(policies) => Ok(Value::Text(policies.to_lines().join("; "))),
                Err(reason) => Err(reason.into()),
            },
        }
    }

    /// Says what is wrong with some of the lines of a value, before it is read whole.
    pub fn check_lines(self, text: &str) -> Result<(), Refusal> {
        let checked = match self {
            Self::Policies => Policies::check_lines(text),
            Self::Routes => Routes::parse(text).map(drop),
            _ => Ok(()),
        };
        checked.map_err(Cow::Owned)
    }

    /// Prints a value as `CONFIG GET` does.
    pub fn render(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Text(text)) => text.clone(),
            (Self::YesNo, Value::Int(number)) => if *number == 0 { "no" } else { "yes" }.to_owned(),
            (Self::Choice(words), Value::Int(number)) => usize::try_from(*number)
                .ok()
                .and_then(|position| words.get(position))
                .map_or_else(String::new, |word| (*word).to_owned()),
            (Self::Events, Value::Int(number)) => {
                Events::from_bits(u32::try_from(*number).unwrap_or(0)).to_string()
            }
            (Self::Octal { .. }, Value::Int(number)) => format!("{number:o}"),
            (Self::SizeOrPercent, Value::Int(number)) if *number < 0 => {
                format!("{}%", number.unsigned_abs())
            }
            (_, Value::Int(number)) => number.to_string(),
        }
    }

    /// What would have been right, for people: completes "takes ...".
    pub fn expects(self) -> String {
        match self {
            Self::YesNo => "yes or no".to_owned(),
            Self::Int { min, max, .. } | Self::Clamped { min, max } => number_between(min, max),
            Self::Size { min: 0, .. } => "a size such as 512, 64kb, 100mb or 1gb".to_owned(),
            Self::Size { min, .. } => {
                format!("a size of at least {min} bytes, such as 100mb or 1gb")
            }
            Self::MemoryLimit => {
                "a size such as 100mb or 1gb, a share of the machine such as 50%, or 0 for no limit"
                    .to_owned()
            }
            Self::SizeOrPercent => "a size such as 100mb or a share such as 5%".to_owned(),
            Self::Workers => format!("a number from 1 to {WORKERS_MAX}, or auto"),
            Self::Octal { .. } => "permission bits in octal, such as 700".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Shutdown => "default, or some of save or nosave, now, force".to_owned(),
            Self::Only(word) => format!("only '{word}': Weir does not have what it would turn on"),
            Self::Events => "letters of K E g $ l s h z x e t d m n A, or nothing".to_owned(),
            Self::Text => "any text".to_owned(),
            Self::Path => "the path of a file".to_owned(),
            Self::Directory => "a directory".to_owned(),
            Self::Addresses => "addresses such as 127.0.0.1 ::1, or * for all".to_owned(),
            Self::OutputLimits => {
                "'normal|replica|pubsub HARD SOFT SECONDS', such as pubsub 32mb 8mb 60".to_owned()
            }
            Self::SavePoints => "pairs of seconds and changes, or \"\"".to_owned(),
            Self::Percentiles => "percentiles from 0 to 100, such as 50 99 99.9".to_owned(),
            Self::OomScores => "three numbers from -2000 to 2000".to_owned(),
            Self::Renames => "a command and its new name, \"\" for none".to_owned(),
            Self::Users => {
                "a user and its rules, such as 'alice on >secret ~jobs:* +@list'".to_owned()
            }
            Self::Routes => "routes such as 'news:* archive'; docs/POLICY.md".to_owned(),
            Self::Policies => {
                "policies such as 'logs:* max-length 1000'; docs/POLICY.md".to_owned()
            }
        }
    }

    /// The stand-in for the value in `--help`.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::YesNo => "yes|no",
            Self::Int { .. } | Self::Clamped { .. } | Self::Workers => "N",
            Self::Size { .. } | Self::MemoryLimit | Self::SizeOrPercent => "SIZE",
            Self::Octal { .. } => "BITS",
            Self::Choice(_) => "WORD",
            Self::Shutdown => "WORD...",
            Self::Only(word) => word,
            Self::Events => "LETTERS",
            Self::Text => "TEXT",
            Self::Path => "PATH",
            Self::Directory => "DIR",
            Self::Addresses => "ADDR...",
            Self::OutputLimits => "CLASS HARD SOFT SECONDS",
            Self::SavePoints => "SECONDS CHANGES",
            Self::Percentiles | Self::OomScores => "N...",
            Self::Policies => "POLICY",
            Self::Routes => "ROUTE",
            Self::Users => "USER RULE...",
            Self::Renames => "COMMAND NAME",
        }
    }

    /// Whether the value is made of several words, which a command line may give unquoted.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Addresses
                | Self::OutputLimits
                | Self::SavePoints
                | Self::Shutdown
                | Self::Percentiles
                | Self::OomScores
                // So that what is refused is refused whole: `replicaof HOST PORT`.
                | Self::Only(_)
        )
    }

    /// Whether the value is made of lines, which a configuration file gives one by one.
    pub const fn is_lines(self) -> bool {
        matches!(
            self,
            Self::Policies | Self::Routes | Self::Users | Self::Renames
        )
    }

    /// Whether each of those lines is made of words, some of them in quotes.
    pub const fn has_quoted_words(self) -> bool {
        matches!(self, Self::Users | Self::Renames)
    }

    /// What stands between those lines in a value.
    pub const fn separator(self) -> &'static str {
        match self {
            Self::Users | Self::Renames => "\n",
            Self::Policies | Self::Routes => "; ",
            _ => " ",
        }
    }

    /// Whether a configuration file may hold the value as a bare number.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Int { .. } | Self::Clamped { .. } | Self::Workers
        )
    }
}

fn number_between(min: i64, max: i64) -> String {
    if max == i64::MAX {
        format!("a number, {min} or more")
    } else {
        format!("a number from {min} to {max}")
    }
}

fn yes_no(text: &str) -> Result<Value, Refusal> {
    if text.eq_ignore_ascii_case("yes") {
        Ok(Value::Int(1))
    } else if text.eq_ignore_ascii_case("no") {
        Ok(Value::Int(0))
    } else {
        Err("argument must be 'yes' or 'no'".into())
    }
}

fn choice(text: &str, words: &'static [&'static str]) -> Result<Value, Refusal> {
    words
        .iter()
        .zip(0..)
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, position)| Value::Int(position))
        .ok_or_else(|| {
            let words = words.join(", ");
            format!("argument(s) must be one of the following: {words}").into()
        })
}

/// Redis reads numbers strictly: no blanks, no plus sign, no leading zeros.
fn parse_integer(text: &str) -> Result<i64, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let strict = text == "0" || digits.starts_with(|first: char| ('1'..='9').contains(&first));
    let number = text.parse().map_err(|_| Cow::Borrowed(NOT_AN_INTEGER))?;
    if strict {
        Ok(number)
    } else {
        Err(NOT_AN_INTEGER.into())
    }
}

fn whole_number(text: &str, min: i64, max: i64, signed: bool) -> Result<Value, Refusal> {
    let number = parse_integer(text)?;
    in_bounds(number, min, max, signed)?;
    Ok(Value::Int(number))
}

fn in_bounds(number: i64, min: i64, max: i64, signed: bool) -> Result<(), Refusal> {
    if number < 0 && !signed {
        return Err(NEGATIVE.into());
    }
    if number < min || number > max {
        return Err(format!("argument must be between {min} and {max} inclusive").into());
    }
    Ok(())
}

/// Reads `100mb` and the like, by the units of [`unit_bytes`]. No digits mean zero, as in Redis. Numbers too large for 64 bits come back as `u64::MAX`.
pub fn parse_size(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = unit_bytes(unit)?;
    if digits.is_empty() {
        return unit.is_empty().then_some(0);
    }
    let number: u64 = digits.parse().unwrap_or(u64::MAX);
    Some(number.saturating_mul(factor))
}

fn size_in_bounds(text: &str, min: i64, max: i64, signed: bool) -> Result<Value, Refusal> {
    let bytes = parse_size(text).ok_or(Cow::Borrowed(NOT_A_SIZE))?;
    // A size past 2^63 wraps to a negative number in Redis, which words it accordingly.
    let bytes = i64::try_from(bytes).unwrap_or(-1);
    in_bounds(bytes, min, max, signed)?;
    Ok(Value::Int(bytes))
}

fn parse_percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    digits.parse().ok().filter(|percent| *percent >= 0)
}

fn memory_limit(text: &str, machine: &Machine) -> Result<Value, Refusal> {
    match parse_percent(text) {
        Some(percent @ 0..=100) => Ok(Value::Int(machine.memory_share_bytes(percent))),
        Some(_) => Err("percentage argument must be less or equal to 100".into()),
        None => size_in_bounds(text, 0, i64::MAX, false),
    }
}

fn size_or_percent(text: &str) -> Result<Value, Refusal> {
    match parse_percent(text) {
        Some(percent @ 0..=100) => Ok(Value::Int(-percent)),
        Some(_) => Err("percentage argument must be less or equal to 100".into()),
        None => match parse_size(text).map(i64::try_from) {
            Some(Ok(bytes)) => Ok(Value::Int(bytes)),
            Some(Err(_)) => Err(NEGATIVE.into()),
            None => Err("argument must be a memory or percent value".into()),
        },
    }
}

fn workers(text: &str, machine: &Machine) -> Result<Value, Refusal> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Value::Int(i64::from(machine.cores)));
    }
    whole_number(text, 1, WORKERS_MAX, true)
}

/// Keeps the words as given but refuses what cannot be an address, so that a mistake shows at the
/// setting and not as a failure to listen.
fn addresses(text: &str) -> Result<Value, Refusal> {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let host = word.strip_prefix('-').unwrap_or(word);
        let wildcard = host == "*" || host == "::*";
        let name = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
            && host.chars().any(|c| c.is_ascii_alphabetic());
        let host_ip = host.split('%').next().unwrap_or(host);
        if host.is_empty() || !(wildcard || name || host_ip.parse::<std::net::IpAddr>().is_ok()) {
            return Err(format!("'{word}' is not an address").into());
        }
        words.push(word);
    }
    Ok(Value::Text(words.join(" ")))
}
