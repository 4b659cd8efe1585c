//! XADD XSETID.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Value;
use crate::store::stream::{AddError, NewId, SetIdError, StreamId};

use super::bury::limits;
use super::ids::{parse_id, write_id};
use super::text;
use super::trim::Options;

const ZERO: &str = "The ID specified in XADD must be greater than 0-0";

/// Names and values of an entry. Entries of more fields are read into an allocation.
type Pairs<'a> = SmallVec<[&'a [u8]; 16]>;

/// XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED]
/// [IDMPAUTO producer-id | IDMP producer-id idempotent-id]
/// [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]
pub fn xadd(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let live = call.engine.config.live();
    let options = Options::parse(args, live, true)?;
    let limits = limits(call);
    let fields = args.tail(options.end);
    if fields.is_empty() || fields.len() % 2 == 1 {
        return Err(Error::Arity("xadd".into()));
    }
    if options.id == NewId::Exact(StreamId::MIN) {
        return Err(text(ZERO));
    }
    let pairs: Pairs<'_> = fields.iter().collect();
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let shard = call.held.shard_of(&key);
    let is_new = shard.stream(&key, now_ms)?.is_none();
    if is_new {
        if options.no_make {
            call.reply.null();
            return Ok(Outcome::Done);
        }
        shard.insert_new(&key, Value::Stream(Box::default()), None);
    }
    let Some(stream) = shard.stream(&key, now_ms)? else {
        return Err(Error::NoSuchKey);
    };
    let mark = options.producer.map(|producer| producer.mark(&pairs));
    if let (Some(producer), Some(mark)) = (&options.producer, &mark)
        && let Some(id) = producer.find(stream, mark, now_ms)
    {
        write_id(call.reply, id);
        return Ok(Outcome::Done);
    }
    let added = stream.add(options.id, &pairs, limits, now_ms);
    let (mut trimmed, mut is_marked) = (0, false);
    if let Ok(id) = added {
        if let (Some(producer), Some(mark)) = (&options.producer, mark) {
            producer.record(stream, mark, id, now_ms);
            is_marked = true;
        }
        if let Some(trim) = options.trim {
            trimmed = stream.trim(trim).entries;
        }
        if is_marked {
            shard.tend(&key);
        }
        shard.mark_ready(&key);
    }
    if is_new {
        call.notify(&key, Events::NEW, "new");
    }
    write_id(call.reply, added.map_err(refusal)?);
    call.changed(&key, Events::STREAM, "xadd");
    if trimmed > 0 {
        call.stats.entries_trimmed.add(trimmed);
        call.notify(&key, Events::STREAM, "xtrim");
    }
    Ok(Outcome::Done)
}

fn refusal(error: AddError) -> Error {
    text(match error {
        AddError::Zero => ZERO,
        AddError::NotGreater => {
            "The ID specified in XADD is equal or smaller than the target stream top item"
        }
        AddError::Exhausted => {
            "The stream has exhausted the last possible ID, unable to add more items"
        }
        AddError::TooLarge => "Elements are too large to be stored",
    })
}

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
pub fn xsetid(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let id = parse_id(args.at(2), 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut options = args.from(3);
    while let Some(option) = options.next() {
        let value = options.next().ok_or(Error::Syntax)?;
        if option.eq_ignore_ascii_case(b"entriesadded") {
            let count = parse_i64(value).ok_or(Error::NotInteger)?;
            let count = u64::try_from(count);
            added = Some(count.map_err(|_| text("entries_added must be positive"))?);
        } else if option.eq_ignore_ascii_case(b"maxdeletedid") {
            let deleted = parse_id(value, 0)?;
            if id < deleted {
                return Err(text(
                    "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(deleted);
        } else {
            return Err(Error::Syntax);
        }
    }
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let stream = call.shard(&key).stream(&key, now_ms)?;
    let set = stream
        .ok_or(Error::NoSuchKey)?
        .set_id(id, added, max_deleted);
    set.map_err(|error| {
        text(match error {
            SetIdError::BelowLastEntry => {
                "The ID specified in XSETID is smaller than the target stream top item"
            }
            SetIdError::BelowMaxDeleted => {
                "The ID specified in XSETID is smaller than current max_deleted_entry_id"
            }
            SetIdError::AddedBelowLen => {
                "The entries_added specified in XSETID is smaller than the target stream length"
            }
        })
    })?;
    call.notify(&key, Events::STREAM, "xsetid");
    call.reply.ok();
    Ok(Outcome::Done)
}
