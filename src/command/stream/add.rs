//! XADD XSETID.

use smallvec::SmallVec;

use crate::command::ahead::Ahead;
use crate::command::bounds;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::policy::Kind;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::stream::{AddError, IdText, NewId, NodeLimits, SetIdError, Stream, StreamId};
use crate::store::{Key, StreamSlot};

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
    if args.at(2) == b"*" {
        // Without options, as most are: compiled without what they would ask for.
        return add(call, args, &Options::NONE);
    }
    add_with_options(call, args)
}

#[inline(never)]
fn add_with_options(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(args, call.engine.config.live(), true)?;
    add(call, args, &options)
}

#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "for options that are known when it is compiled"
)]
fn add(call: &mut Call<'_, '_>, args: Args<'_>, options: &Options<'_>) -> Result {
    let fields = args.tail(options.end);
    if fields.is_empty() || fields.len() % 2 == 1 {
        return Err(Error::Arity("xadd".into()));
    }
    if options.id == NewId::Exact(StreamId::MIN) {
        return Err(text(ZERO));
    }
    let (one, many): (_, Pairs<'_>);
    let pairs = if fields.len() == 2 {
        one = [fields.at(0), fields.at(1)];
        &one[..]
    } else {
        many = fields.iter().collect();
        &many
    };
    let entry = NewEntry {
        pairs,
        limits: limits(call),
        now_ms: call.now_ms(),
        options,
    };
    let key = call.key(args.at(1));
    let shard = call.held.shard_of(&key);
    let Some(mut slot) = shard.stream_slot(&key, entry.now_ms)? else {
        return add_to_absent(call, &key, &entry);
    };
    let added = entry
        .add_to(&mut slot)
        .map_err(|error| refusal(error, &key, slot.stream))?;
    write_id(call.reply, added.id);
    if added.is_known {
        return Ok(Outcome::Done);
    }
    if args.len() == 5 && options.id == NewId::Auto && slot.stream.governed().is_none() {
        add_following(&mut slot, &entry, &mut call.ahead, call.reply);
    }
    let is_early = slot.stream.outruns_look();
    shard.mark_ready(&key);
    if is_early {
        shard.tend(&key);
    }
    shard.watched.changed(&key);
    call.notify(&key, Events::STREAM, "xadd");
    if added.trimmed > 0 {
        call.notify(&key, Events::STREAM, "xtrim");
    }
    Ok(Outcome::Done)
}

/// Adds the entries of the requests that follow, to the same stream, which nothing refuses.
#[inline]
fn add_following(
    slot: &mut StreamSlot<'_>,
    entry: &NewEntry<'_>,
    ahead: &mut Ahead<'_>,
    reply: &mut Reply,
) {
    let mut text = IdText::default();
    // Beyond lies the one id that has no next.
    while slot.stream.log().last_id().ms < u64::MAX {
        let field = |[id, name, value]: [_; 3]| (id == b"*").then_some([name, value]);
        let Some([name, value]) = ahead.take(reply, field) else {
            return;
        };
        match slot.add(
            NewId::Auto,
            &[name, value],
            entry.limits,
            entry.now_ms,
            None,
        ) {
            Ok(id) => reply.bulk(text.of(id)),
            Err(error) => unreachable!("a short entry with the next id is added: {error:?}"),
        }
    }
}

/// Adds to a stream that is not there yet. It is ready by itself.
#[cold]
fn add_to_absent(call: &mut Call<'_, '_>, key: &Key<'_>, entry: &NewEntry<'_>) -> Result {
    if entry.options.no_make {
        call.reply.null();
        return Ok(Outcome::Done);
    }
    let added = add_to_new(call, key, |slot| entry.add_to(slot))?;
    write_id(call.reply, added.id);
    if added.is_known {
        return Ok(Outcome::Done);
    }
    call.changed(key, Events::STREAM, "xadd");
    if added.trimmed > 0 {
        call.notify(key, Events::STREAM, "xtrim");
    }
    Ok(Outcome::Done)
}

/// Makes the stream of an absent key and adds to it. What a policy refuses leaves no stream.
fn add_to_new<R>(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    add: impl FnOnce(&mut StreamSlot<'_>) -> std::result::Result<R, AddError>,
) -> Result<R> {
    let mut comes = false;
    let added = call.held.shard_of(key).make_stream(key, |slot| {
        let added = add(slot).inspect_err(|error| comes = !matches!(error, AddError::Full(_)));
        comes |= added.is_ok();
        let added = added.map_err(|error| refusal(error, key, slot.stream));
        (added, comes)
    });
    if comes {
        call.notify(key, Events::NEW, "new");
    }
    added
}

/// Adds an entry that no client asked for, to the stream at a key or to a new one, under its
/// policy. False if it found no place: the key holds something else, or the policy refuses it.
pub(in crate::command) fn add_entry(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    pairs: &[&[u8]],
) -> bool {
    let (limits, now_ms) = (limits(call), call.now_ms());
    let add = |slot: &mut StreamSlot<'_>| {
        let id = slot.add(NewId::Auto, pairs, limits, now_ms, None)?;
        slot.keep_bounds(id);
        Ok(())
    };
    let is_placed = match call.held.shard_of(key).stream_slot(key, now_ms) {
        Err(_) => false,
        Ok(Some(mut slot)) => add(&mut slot).is_ok(),
        Ok(None) => add_to_new(call, key, add).is_ok(),
    };
    if is_placed {
        call.shard(key).tend(key);
        call.shard(key).mark_ready(key);
        call.changed(key, Events::STREAM, "xadd");
    }
    is_placed
}

/// An entry to add, with all that XADD says of it.
struct NewEntry<'a> {
    pairs: &'a [&'a [u8]],
    options: &'a Options<'a>,
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
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as for `add`")]
    fn add_to(&self, slot: &mut StreamSlot<'_>) -> std::result::Result<Added, AddError> {
        let mut mark = None;
        if let Some(producer) = &self.options.producer {
            let given = producer.mark(self.pairs);
            if let Some(id) = producer.find(slot.stream, &given, self.now_ms) {
                return Ok(Added {
                    id,
                    is_known: true,
                    trimmed: 0,
                });
            }
            mark = Some((producer, given));
        }
        let trim = self.options.trim;
        let id = slot.add(self.options.id, self.pairs, self.limits, self.now_ms, trim)?;
        if let Some((producer, mark)) = mark {
            producer.record(slot.stream, mark, id, self.now_ms);
        }
        let trimmed = trim.map_or(0, |trim| slot.trim(trim));
        slot.keep_bounds(id);
        Ok(Added {
            id,
            is_known: false,
            trimmed,
        })
    }
}

fn refusal(error: AddError, key: &Key<'_>, stream: &Stream) -> Error {
    text(match error {
        AddError::Full(adding) => {
            let (bounds, held) = (stream.bounds().unwrap_or_default(), stream.held());
            let mut after = held;
            after += adding;
            return bounds::full(Kind::Stream, key.name, bounds, [held, adding, after]);
        }
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
