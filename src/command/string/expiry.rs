//! The options of SET and GETEX: until when, and on which condition.

use crate::command::error::Error;
use crate::command::outcome::Result;
use crate::protocol::Args;

use super::parse_integer;

/// Whose options are read; each knows some that the other refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// SET, which knows NX, XX, GET and KEEPTTL.
    Set,
    /// GETEX, which knows PERSIST.
    GetEx,
}

/// When a key is to expire, as an option says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expiry<'a> {
    /// The number, not looked at yet.
    pub amount: &'a [u8],
    /// It counts seconds, not milliseconds.
    pub in_seconds: bool,
    /// It is a moment since the epoch, not a time from now.
    pub is_moment: bool,
}

impl Expiry<'_> {
    /// The moment in milliseconds since the epoch; `command` is named if there is none such.
    pub fn deadline_ms(&self, now_ms: u64, command: &str) -> Result<u64> {
        let amount = parse_integer(self.amount)?;
        let unit_ms = if self.in_seconds { 1000 } else { 1 };
        let base_ms = if self.is_moment { 0 } else { now_ms };
        Some(amount)
            .filter(|&amount| amount > 0)
            .and_then(|amount| amount.checked_mul(unit_ms))
            .and_then(|amount_ms| amount_ms.checked_add_unsigned(base_ms))
            .and_then(|deadline_ms| u64::try_from(deadline_ms).ok())
            .ok_or_else(|| Error::text(&format!("invalid expire time in '{command}' command")))
    }
}

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options<'a> {
    /// NX: only if there is no such key.
    pub if_absent: bool,
    /// XX: only if there is such a key.
    pub if_present: bool,
    /// GET: answer with what was there before.
    pub get: bool,
    /// KEEPTTL: leave the deadline as it is.
    pub keep_deadline: bool,
    /// PERSIST: take the deadline away.
    pub persist: bool,
    /// EX PX EXAT PXAT; one unit may be given more than once, then the last counts.
    pub expiry: Option<Expiry<'a>>,
}

impl<'a> Options<'a> {
    /// Reads all of `args`. Numbers are looked at later, as errors about them come later.
    pub fn parse(command: Command, args: Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        let mut at = 0;
        while let Some(word) = args.get(at) {
            at += 1 + options.take(command, word, args.get(at + 1))?;
        }
        Ok(options)
    }

    /// Takes one option and says how many of the words behind it belong to it.
    fn take(&mut self, command: Command, word: &[u8], next: Option<&'a [u8]>) -> Result<usize> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let of_set = command == Command::Set;
        if of_set && is("nx") && !self.if_present {
            self.if_absent = true;
        } else if of_set && is("xx") && !self.if_absent {
            self.if_present = true;
        } else if of_set && is("get") {
            self.get = true;
        } else if of_set && is("keepttl") && self.expiry.is_none() {
            self.keep_deadline = true;
        } else if !of_set && is("persist") && self.expiry.is_none() {
            self.persist = true;
        } else if let Some(expiry) = unit(word, next)
            && !self.keep_deadline
            && !self.persist
            && self.expiry.is_none_or(|other| expiry.is_like(other))
        {
            self.expiry = Some(expiry);
            return Ok(1);
        } else {
            return Err(Error::Syntax);
        }
        Ok(0)
    }
}

impl Expiry<'_> {
    /// Whether both were said by the same option.
    fn is_like(&self, other: Self) -> bool {
        (self.in_seconds, self.is_moment) == (other.in_seconds, other.is_moment)
    }
}

/// The expiry that an option and the word behind it say.
fn unit<'a>(word: &[u8], next: Option<&'a [u8]>) -> Option<Expiry<'a>> {
    let (in_seconds, is_moment) = match word.to_ascii_lowercase().as_slice() {
        b"ex" => (true, false),
        b"px" => (false, false),
        b"exat" => (true, true),
        b"pxat" => (false, true),
        _ => return None,
    };
    Some(Expiry {
        amount: next?,
        in_seconds,
        is_moment,
    })
}
