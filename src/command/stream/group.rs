//! XGROUP.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::stream::{Stream, StreamId, free_group};
use crate::store::{Key, Value};

use super::ids::{no_group_for_key, parse_id, parse_id_or_end};
use super::{reply_len, text};

/// XGROUP with no subcommand that exists
pub fn xgroup(_call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    Err(Error::subcommand("XGROUP", args.get(1).unwrap_or_default()))
}

/// What may follow the id in XGROUP CREATE and SETID.
#[derive(Debug, Default)]
struct Options {
    makes: bool,
    /// `None` where it is not known.
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: Args<'_>, is_create: bool) -> Result<Self> {
        let mut parsed = Self::default();
        let wrong = || Error::subcommand("XGROUP", args.at(1));
        let mut options = args.from(5);
        while let Some(option) = options.next() {
            if is_create && option.eq_ignore_ascii_case(b"mkstream") {
                parsed.makes = true;
            } else if option.eq_ignore_ascii_case(b"entriesread") {
                let value = options.next().ok_or_else(wrong)?;
                let value = parse_i64(value).ok_or(Error::NotInteger)?;
                if value < -1 {
                    return Err(text("value for ENTRIESREAD must be positive or -1"));
                }
                parsed.entries_read = u64::try_from(value).ok();
            } else {
                return Err(wrong());
            }
        }
        Ok(parsed)
    }
}

/// The stream that a subcommand needs.
fn stream<'c>(call: &'c mut Call<'_, '_>, key: &Key<'_>) -> Result<&'c mut Stream> {
    let now_ms = call.now_ms();
    call.held.shard_of(key).stream(key, now_ms)?.ok_or(Error::line(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want \
         to use the MKSTREAM option to create an empty stream automatically.",
    ))
}

/// XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]
pub fn create(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(args, true)?;
    let key = call.key(args.at(2));
    let now_ms = call.now_ms();
    let found = call
        .shard(&key)
        .stream(&key, now_ms)?
        .map(|stream| stream.log().last_id());
    if found.is_none() && !options.makes {
        stream(call, &key)?;
    }
    // As many options as there are, each once.
    if args.len() > 8 {
        return Err(Error::subcommand("XGROUP", args.at(1)));
    }
    let last_id = match args.at(4) {
        b"$" => found.unwrap_or_default(),
        id => parse_id(id, 0)?,
    };
    if found.is_none() {
        call.shard(&key)
            .insert_new(&key, Value::Stream(Box::default()), None);
        call.notify(&key, Events::NEW, "new");
        call.shard(&key).watched.changed(&key);
    }
    let is_created = stream(call, &key)?.create_group(args.at(3), last_id, options.entries_read);
    if !is_created {
        return Err(Error::line("BUSYGROUP Consumer Group name already exists"));
    }
    call.notify(&key, Events::STREAM, "xgroup-create");
    call.reply.ok();
    Ok(Outcome::Done)
}

/// XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]
pub fn setid(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(args, false)?;
    let key = call.key(args.at(2));
    let stream = stream(call, &key)?;
    let newest = stream.log().last_id();
    let group = stream.group_mut(args.at(3));
    let mut group = group.ok_or_else(|| no_group_for_key(args.at(2), args.at(3)))?;
    if args.len() != 5 && args.len() != 7 {
        return Err(Error::subcommand("XGROUP", args.at(1)));
    }
    let last_id: StreamId = match args.at(4) {
        b"$" => newest,
        id => parse_id_or_end(id, 0)?,
    };
    group.set_id(last_id, options.entries_read);
    call.notify(&key, Events::STREAM, "xgroup-setid");
    call.reply.ok();
    Ok(Outcome::Done)
}

/// XGROUP DESTROY key group
pub fn destroy(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    let destroyed = stream(call, &key)?.destroy_group(args.at(3));
    let is_destroyed = destroyed.is_some();
    if let Some(group) = destroyed {
        free_group(group);
        call.notify(&key, Events::STREAM, "xgroup-destroy");
        // Those who wait for the group learn that it has gone.
        call.shard(&key).mark_ready(&key);
    }
    call.reply.integer(i64::from(is_destroyed));
    Ok(Outcome::Done)
}

/// XGROUP CREATECONSUMER key group consumer
pub fn createconsumer(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    let now_ms = call.now_ms();
    let group = stream(call, &key)?.group_mut(args.at(3));
    let mut group = group.ok_or_else(|| no_group_for_key(args.at(2), args.at(3)))?;
    let is_created = group.create_consumer(args.at(4), now_ms);
    if is_created {
        call.notify(&key, Events::STREAM, "xgroup-createconsumer");
    }
    call.reply.integer(i64::from(is_created));
    Ok(Outcome::Done)
}

/// XGROUP DELCONSUMER key group consumer
pub fn delconsumer(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    let group = stream(call, &key)?.group_mut(args.at(3));
    let mut group = group.ok_or_else(|| no_group_for_key(args.at(2), args.at(3)))?;
    let pending = group.delete_consumer(args.at(4));
    if pending.is_some() {
        call.notify(&key, Events::STREAM, "xgroup-delconsumer");
    }
    call.reply.integer(reply_len(pending.unwrap_or(0)));
    Ok(Outcome::Done)
}
