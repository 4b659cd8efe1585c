//! XDEL XDELEX XACKDEL.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::{Args, Reply};
use crate::store::stream::{Deleted, References};

use super::ids::parse_ids;
use super::trim::parse_references;
use super::{parse_id_block, reply_len};

/// XDEL key id [id ...]
pub fn xdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(mut slot) = call.held.shard_of(&key).stream_slot(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let ids = parse_ids(args.from(2))?;
    let deleted = ids
        .iter()
        .filter(|&&id| matches!(slot.delete(id, References::Keep), Deleted::Gone(_)))
        .count() as u64;
    if deleted > 0 {
        call.changed(&key, Events::STREAM, "xdel");
    }
    call.reply.integer(reply_len(deleted));
    Ok(Outcome::Done)
}

/// The arguments that XDELEX and XACKDEL share: what becomes of references, and ids.
struct Wanted {
    references: References,
    ids_at: usize,
    ids_len: usize,
}

impl Wanted {
    /// Reads them from `at` on, in any order; of several blocks of ids the last counts.
    fn parse(args: Args<'_>, at: usize) -> Result<Self> {
        let (mut references, mut ids) = (None, None);
        let mut at = at;
        while let Some(option) = args.get(at) {
            if references.is_none()
                && let Some(known) = parse_references(option)
            {
                references = Some(known);
                at += 1;
            } else if let Some((ids_at, ids_len)) = parse_id_block(args, at)? {
                ids = Some((ids_at, ids_len));
                at = ids_at + ids_len;
            } else {
                return Err(Error::Syntax);
            }
        }
        let (ids_at, ids_len) = ids.ok_or(Error::Syntax)?;
        Ok(Self {
            references: references.unwrap_or_default(),
            ids_at,
            ids_len,
        })
    }

    fn ids<'a>(&self, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        args.from(self.ids_at).take(self.ids_len)
    }

    /// What is answered where there is nothing to delete from.
    fn write_none(&self, reply: &mut Reply) {
        reply.array(self.ids_len);
        (0..self.ids_len).for_each(|_| reply.integer(NOT_FOUND));
    }
}

/// The answer for an entry that is not there.
const NOT_FOUND: i64 = -1;

/// XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]
pub fn xdelex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    delete(call, args, None)
}

/// XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]
pub fn xackdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    delete(call, args, Some(args.at(2)))
}

/// Deletes entries by name, after acknowledging them for a group if one is given.
fn delete(call: &mut Call<'_, '_>, args: Args<'_>, group: Option<&[u8]>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.shard(&key).stream(&key, now_ms);
    let is_found = found.map(|stream| stream.is_some());
    if group.is_some() {
        // The look comes before the arguments.
        call.looked_up(&key, is_found != Ok(false));
    }
    is_found?;
    let wanted = Wanted::parse(args, if group.is_some() { 3 } else { 2 })?;
    let found = call.held.shard_of(&key).stream_slot(&key, now_ms)?;
    let found = found.filter(|slot| group.is_none_or(|name| slot.stream.group(name).is_some()));
    let Some(mut slot) = found else {
        wanted.write_none(call.reply);
        return Ok(Outcome::Done);
    };
    let ids = parse_ids(wanted.ids(args))?;
    call.reply.array(ids.len());
    let mut is_changed = false;
    for &id in &ids {
        let deleted = match group {
            None => slot.delete(id, wanted.references),
            Some(group) => slot
                .ack_delete(group, id, wanted.references)
                .unwrap_or(Deleted::NotFound),
        };
        let answer = match deleted {
            Deleted::NotFound => NOT_FOUND,
            Deleted::Gone(_) | Deleted::GoneBefore => 1,
            Deleted::Referenced => 2,
        };
        // An acknowledgement alone changes no entry: Redis tells nobody of it.
        is_changed |= matches!(deleted, Deleted::Gone(_));
        call.reply.integer(answer);
    }
    if is_changed {
        call.changed(&key, Events::STREAM, "xdel");
    }
    Ok(Outcome::Done)
}
