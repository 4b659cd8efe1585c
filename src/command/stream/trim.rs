//! XTRIM, and the options that it shares with XADD.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::{Events, Live};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::stream::{NewId, References, Trim, TrimTo};

use super::idempotence::Producer;
use super::ids::{INVALID_ID, parse_id};
use super::{reply_len, text};

/// Entries that an approximate trim looks at, for each entry that a node may have.
const NODES_MAX: u64 = 100;
/// The same where the bound of entries in a node is off.
const LIMIT_DEFAULT: u64 = 10_000;
/// Most entries that an approximate trim looks at by itself.
const LIMIT_MAX: u64 = 1_000_000;

/// The options of XADD and XTRIM.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// How to trim, if at all.
    pub trim: Option<Trim>,
    /// XADD does not make the stream.
    pub no_make: bool,
    /// Who adds the entry, for XADD to know it again.
    pub producer: Option<Producer<'a>>,
    /// The id that XADD is to give.
    pub id: NewId,
    /// Position of the first argument that is no option; XADD's id stands before it.
    pub end: usize,
}

/// What options say of trimming, as they come.
#[derive(Default)]
struct Wanted {
    to: Option<TrimTo>,
    approximate: bool,
    limit: Option<u64>,
    references: Option<References>,
}

impl<'a> Options<'a> {
    /// Those of XADD that gives the next id and no option.
    pub const NONE: Self = Self {
        trim: None,
        no_make: false,
        producer: None,
        id: NewId::Auto,
        end: 3,
    };

    /// Reads options from the second argument on; XADD's end with an id.
    pub fn parse(args: Args<'a>, live: &Live, is_add: bool) -> Result<Self> {
        let mut options = Self::NONE;
        options.read(args, live, is_add)?;
        Ok(options)
    }

    fn read(&mut self, args: Args<'a>, live: &Live, is_add: bool) -> Result<()> {
        let mut wanted = Wanted::default();
        let mut at = 2;
        while let Some(option) = args.get(at) {
            if let Some(taken) = wanted.take(args, at)? {
                at += taken;
                continue;
            }
            if !is_add {
                return Err(Error::Syntax);
            }
            if option.eq_ignore_ascii_case(b"nomkstream") {
                self.no_make = true;
                at += 1;
            } else if let Some((producer, taken)) = Producer::parse(args, at)? {
                if self.producer.is_some() {
                    return Err(text("syntax error, IDMP/IDMPAUTO specified multiple times"));
                }
                self.producer = Some(producer);
                at += taken;
            } else {
                self.id = NewId::parse(option).ok_or(INVALID_ID)?;
                if self.producer.is_some() && self.id != NewId::Auto {
                    return Err(text(
                        "syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs",
                    ));
                }
                at += 1;
                break;
            }
        }
        self.end = at;
        self.trim = wanted.finish(live, is_add)?;
        Ok(())
    }
}

impl Wanted {
    /// Reads an option of trimming, if it is one, and says how many arguments it takes.
    fn take(&mut self, args: Args<'_>, at: usize) -> Result<Option<usize>> {
        let option = args.at(at);
        let more = args.len() - 1 - at;
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let references = parse_references(option);
        if references.is_some() && self.references.is_none() {
            self.references = references;
            return Ok(Some(1));
        }
        if more == 0 {
            return Ok(None);
        }
        let is_len = is(b"maxlen");
        if is_len || is(b"minid") {
            if self.to.is_some() {
                return Err(text(
                    "syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            let mut value_at = at + 1;
            if more >= 2 && matches!(args.at(value_at), b"~" | b"=") {
                self.approximate = args.at(value_at) == b"~";
                value_at += 1;
            }
            let value = args.at(value_at);
            self.to = Some(if is_len {
                TrimTo::MaxLen(parse_count(value, "The MAXLEN argument must be >= 0.")?)
            } else {
                TrimTo::MinId(parse_id(value, 0)?)
            });
            return Ok(Some(value_at + 1 - at));
        }
        if is(b"limit") {
            let value = args.at(at + 1);
            self.limit = Some(parse_count(value, "The LIMIT argument must be >= 0.")?);
            return Ok(Some(2));
        }
        Ok(None)
    }

    /// Checks that the options go together, in Redis's order.
    fn finish(self, live: &Live, is_add: bool) -> Result<Option<Trim>> {
        if self.limit.is_some_and(|limit| limit > 0) && self.to.is_none() {
            return Err(text(
                "syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if !is_add && self.to.is_none() {
            return Err(text(
                "syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        let limit = match self.limit {
            Some(_) if !self.approximate => {
                return Err(text(
                    "syntax error, LIMIT cannot be used without the special ~ option",
                ));
            }
            Some(limit) => limit,
            None if self.approximate => match live.stream_node_entries_max() {
                0 => LIMIT_DEFAULT,
                entries => entries.saturating_mul(NODES_MAX).min(LIMIT_MAX),
            },
            None => 0,
        };
        let references = self.references.unwrap_or_default();
        Ok(self.to.map(|to| Trim {
            to,
            approximate: self.approximate,
            limit,
            references,
        }))
    }
}

/// KEEPREF, DELREF or ACKED.
pub(super) fn parse_references(option: &[u8]) -> Option<References> {
    let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
    match () {
        () if is(b"keepref") => Some(References::Keep),
        () if is(b"delref") => Some(References::Delete),
        () if is(b"acked") => Some(References::Acked),
        () => None,
    }
}

/// A number that must not be negative.
fn parse_count(argument: &[u8], refusal: &'static str) -> Result<u64> {
    let count = parse_i64(argument).ok_or(Error::NotInteger)?;
    u64::try_from(count).map_err(|_| text(refusal))
}

/// XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]
pub fn xtrim(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(args, call.engine.config.live(), false)?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).stream_slot(&key, now_ms)?;
    let (Some(mut slot), Some(trim)) = (found, options.trim) else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let trimmed = slot.trim(trim);
    if trimmed > 0 {
        call.changed(&key, Events::STREAM, "xtrim");
    }
    call.reply.integer(reply_len(trimmed));
    Ok(Outcome::Done)
}
