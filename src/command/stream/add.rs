//! XADD XSETID.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Value;
use crate::store::stream::{AddError, NewId, NodeLimits, SetIdError, Stream, StreamId};

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
    let fields = args.tail(options.end);
    if fields.is_empty() || fields.len() % 2 == 1 {
        return Err(Error::Arity("xadd".into()));
    }
    if options.id == NewId::Exact(StreamId::MIN) {
        return Err(text(ZERO));
    }
    let entry = NewEntry {
        pairs: fields.iter().collect(),
        limits: limits(call),
        now_ms: call.now_ms(),
        options,
    };
    let key = call.key(args.at(1));
    let shard = call.held.shard_of(&key);
    let found = shard.stream(&key, entry.now_ms)?;
    let is_new = found.is_none();
    let added = match found {
        Some(stream) => entry.add_to(stream),
        None if entry.options.no_make => {
            call.reply.null();
            return Ok(Outcome::Done);
        }
        None => {
            let mut stream: Box<Stream> = Box::default();
            let added = entry.add_to(&mut stream);
            shard.insert_new(&key, Value::Stream(stream), None);
            call.notify(&key, Events::NEW, "new");
            added
        }
    };
    let added = added.map_err(refusal)?;
    write_id(call.reply, added.id);
    if added.is_known {
        return Ok(Outcome::Done);
    }
    if !is_new {
        // A new stream is ready by itself.
        call.shard(&key).mark_ready(&key);
        if entry.options.producer.is_some() {
            call.shard(&key).tend(&key);
        }
    }
    call.changed(&key, Events::STREAM, "xadd");
    if added.trimmed > 0 {
        call.stats.entries_trimmed.add(added.trimmed);
        call.notify(&key, Events::STREAM, "xtrim");
    }
    Ok(Outcome::Done)
}

/// An entry to add, with all that XADD says of it.
struct NewEntry<'a> {
    pairs: Pairs<'a>,
    options: Options<'a>,
    limits: NodeLimits,
    now_ms: u64,
}

/// What adding an entry came to.
struct Added {
    id: StreamId,
    /// The producer had added it before: nothing was added.
    is_known: bool,
    /// Entries that were trimmed.
    trimmed: u64,
}

impl NewEntry<'_> {
    #[inline]
    fn add_to(&self, stream: &mut Stream) -> std::result::Result<Added, AddError> {
        let mut mark = None;
        if let Some(producer) = &self.options.producer {
            let given = producer.mark(&self.pairs);
            if let Some(id) = producer.find(stream, &given, self.now_ms) {
                return Ok(Added {
                    id,
                    is_known: true,
                    trimmed: 0,
                });
            }
            mark = Some((producer, given));
        }
        let id = stream.add(self.options.id, &self.pairs, self.limits, self.now_ms)?;
        if let Some((producer, mark)) = mark {
            producer.record(stream, mark, id, self.now_ms);
        }
        let trim = self.options.trim;
        Ok(Added {
            id,
            is_known: false,
            trimmed: trim.map_or(0, |trim| stream.trim(trim).entries),
        })
    }
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
