//! XCFGSET, XIDMPRECORD, and the producers that XADD knows again.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::stream::{EntryMark, Idempotence, IdempotenceLimits, Stream, StreamId};

use super::ids::parse_id;
use super::text;

/// The longest that marks can be remembered, in seconds: a day.
const DURATION_S_MAX: i64 = 86_400;
/// The most marks that can be remembered for a producer.
const MARKS_MAX: i64 = 10_000;

/// Who adds an entry, and what it calls it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Producer<'a> {
    name: &'a [u8],
    /// The producer's own id for the entry; without one its content is the id.
    given: Option<&'a [u8]>,
}

impl<'a> Producer<'a> {
    /// Reads IDMP and IDMPAUTO, and says how many arguments they take.
    pub fn parse(args: Args<'a>, at: usize) -> Result<Option<(Self, usize)>> {
        let option = args.at(at);
        let takes = if option.eq_ignore_ascii_case(b"idmpauto") {
            1
        } else if option.eq_ignore_ascii_case(b"idmp") {
            2
        } else {
            return Ok(None);
        };
        if args.len() <= at + takes {
            return Ok(None);
        }
        let given = (takes == 2).then(|| args.at(at + 2));
        let producer = Self::new(args.at(at + 1), given)?;
        Ok(Some((producer, takes + 1)))
    }

    fn new(name: &'a [u8], given: Option<&'a [u8]>) -> Result<Self> {
        if name.is_empty() {
            return Err(text(match given {
                Some(_) => "syntax error, IDMP requires a non-empty producer ID",
                None => "syntax error, IDMPAUTO requires a non-empty producer ID",
            }));
        }
        if given.is_some_and(<[u8]>::is_empty) {
            return Err(text(
                "syntax error, IDMP requires a non-empty idempotent ID",
            ));
        }
        Ok(Self { name, given })
    }

    /// What tells an entry of these names and values from others of this producer.
    pub fn mark(&self, pairs: &[&[u8]]) -> EntryMark {
        match self.given {
            Some(given) => EntryMark::Given(given.into()),
            None => EntryMark::of_content(pairs),
        }
    }

    /// The entry that has this mark already.
    pub fn find(&self, stream: &mut Stream, mark: &EntryMark, now_ms: u64) -> Option<StreamId> {
        let known = stream.idempotence_mut(IdempotenceLimits::default());
        known.find(self.name, mark, now_ms)
    }

    /// Remembers the entry by its mark.
    pub fn record(&self, stream: &mut Stream, mark: EntryMark, id: StreamId, now_ms: u64) {
        let known = stream.idempotence_mut(IdempotenceLimits::default());
        known.record(self.name, mark, id, now_ms);
    }
}

/// XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count]
pub fn xcfgset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(&key);
    let stream = shard.stream(&key, now_ms)?.ok_or(Error::NoSuchKey)?;
    let present = stream.idempotence().map(Idempotence::limits);
    let limits = parse_limits(args, present.unwrap_or_default())?;
    if present.unwrap_or_default() != limits {
        stream.idempotence_mut(limits).set_limits(limits);
        shard.tend(&key);
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

/// XIDMPRECORD key producer-id idempotent-id stream-id
pub fn xidmprecord(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let producer = Producer::new(args.at(2), Some(args.at(3)))?;
    let id = parse_id(args.at(4), 0)?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(&key);
    let stream = shard.stream(&key, now_ms)?.ok_or(Error::NoSuchKey)?;
    if stream.log().get(id).is_none() {
        return Err(text("The specified stream ID was deleted or doesn't exist"));
    }
    let mark = producer.mark(&[]);
    let known = stream.idempotence_mut(IdempotenceLimits::default());
    match known.get(producer.name, &mark, now_ms) {
        None => known.remember(producer.name, mark, id, now_ms),
        Some(other) if other != id => {
            return Err(text(
                "The specified IDMP producer-id/idempotent-id pair maps to a different stream ID",
            ));
        }
        Some(_) => {}
    }
    shard.tend(&key);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// The limits that XCFGSET asks for, where they are not what is present.
fn parse_limits(args: Args<'_>, present: IdempotenceLimits) -> Result<IdempotenceLimits> {
    let (mut duration_s, mut len_max) = (None, None);
    let mut options = args.from(2);
    while let Some(option) = options.next() {
        let is_duration = option.eq_ignore_ascii_case(b"idmp-duration");
        if !is_duration && !option.eq_ignore_ascii_case(b"idmp-maxsize") {
            return Err(Error::Syntax);
        }
        let value = options.next().ok_or(Error::Syntax)?;
        let (twice, bound, refusal) = if is_duration {
            let refusal = "IDMP-DURATION must be between 1 and 86400 seconds";
            (duration_s.is_some(), DURATION_S_MAX, refusal)
        } else {
            let refusal = "IDMP-MAXSIZE must be between 1 and 10000 entries";
            (len_max.is_some(), MARKS_MAX, refusal)
        };
        if twice {
            return Err(text(if is_duration {
                "IDMP-DURATION specified multiple times"
            } else {
                "IDMP-MAXSIZE specified multiple times"
            }));
        }
        let value = parse_i64(value).ok_or(Error::NotInteger)?;
        if !(1..=bound).contains(&value) {
            return Err(text(refusal));
        }
        if is_duration {
            duration_s = Some(value.unsigned_abs());
        } else {
            len_max = usize::try_from(value).ok();
        }
    }
    if duration_s.is_none() && len_max.is_none() {
        return Err(text("At least one parameter must be specified"));
    }
    Ok(IdempotenceLimits {
        duration_ms: duration_s.map_or(present.duration_ms, |duration_s| duration_s * 1000),
        len_max: len_max.unwrap_or(present.len_max),
    })
}
