//! XDEL XDELEX XACKDEL.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::stream::{Deleted, References};

use super::ids::parse_ids;
use super::reply_len;

/// XDEL key id [id ...]
pub fn xdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(stream) = call.held.shard_of(&key).stream(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let ids = parse_ids(args.from(2))?;
    let deleted = ids
        .iter()
        .filter(|&&id| matches!(stream.delete(id, References::Keep), Deleted::Gone(_)))
        .count() as u64;
    if deleted > 0 {
        call.stats.deleted.add(deleted);
        call.changed(&key, Events::STREAM, "xdel");
    }
    call.reply.integer(reply_len(deleted));
    Ok(Outcome::Done)
}
