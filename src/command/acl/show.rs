//! ACL LIST USERS GETUSER LOG.

use crate::acl::{self, Selector};
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};

/// Entries that LOG shows unless told how many.
const LOG_SHOWN: usize = 10;

/// ACL LIST
pub(super) fn list(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let lines = acl::describe_all(&call.engine.users);
    call.reply.array(lines.len());
    for line in lines {
        call.reply.bulk(&[b"user ", &line[..]].concat());
    }
    Ok(Outcome::Done)
}

/// ACL USERS
pub(super) fn users(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let accounts = call.engine.users.all();
    call.reply.array(accounts.len());
    for account in accounts {
        call.reply.bulk(account.name());
    }
    Ok(Outcome::Done)
}

/// ACL GETUSER username
pub(super) fn getuser(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let reply = &mut *call.reply;
    let Some(account) = call.engine.users.get(args.at(2)) else {
        reply.null();
        return Ok(Outcome::Done);
    };
    let user = account.user();
    reply.map(6);
    reply.bulk_str("flags");
    let flags = user.flags();
    reply.set(flags.len());
    for flag in flags {
        reply.bulk_str(flag);
    }
    reply.bulk_str("passwords");
    reply.array(user.passwords().len());
    for password in user.passwords() {
        reply.bulk_str(&password.to_string());
    }
    write_selector(reply, user.root());
    reply.bulk_str("selectors");
    reply.array(user.others().len());
    for selector in user.others() {
        reply.map(3);
        write_selector(reply, selector);
    }
    Ok(Outcome::Done)
}

/// Three fields and their values.
fn write_selector(reply: &mut Reply, selector: &Selector) {
    reply.bulk_str("commands");
    reply.bulk_str(&selector.describe_commands());
    reply.bulk_str("keys");
    reply.bulk(&selector.describe_keys());
    reply.bulk_str("channels");
    reply.bulk(&selector.describe_channels());
}

/// ACL LOG [count | RESET]
pub(super) fn log(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let count = match args.get(2) {
        _ if args.len() > 3 => return Err(Error::subcommand("ACL", args.at(1))),
        None => LOG_SHOWN,
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            call.engine.denials.reset();
            call.reply.ok();
            return Ok(Outcome::Done);
        }
        Some(count) => {
            let count = parse_i64(count).ok_or(Error::NotInteger)?;
            usize::try_from(count.max(0)).unwrap_or(usize::MAX)
        }
    };
    let entries = call.engine.denials.newest(count);
    call.reply.array(entries.len());
    for entry in entries {
        write_entry(call.reply, &entry, call.now.unix_ms);
    }
    Ok(Outcome::Done)
}

fn write_entry(reply: &mut Reply, entry: &acl::Entry, now_ms: u64) {
    let integer = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    reply.map(10);
    reply.bulk_str("count");
    reply.integer(integer(entry.count));
    for (field, value) in [
        ("reason", entry.reason.name().as_bytes()),
        ("context", entry.context.name().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.user),
    ] {
        reply.bulk_str(field);
        reply.bulk(value);
    }
    reply.bulk_str("age-seconds");
    let age_ms = u32::try_from(now_ms.saturating_sub(entry.last_ms)).unwrap_or(u32::MAX);
    reply.double(f64::from(age_ms) / 1000.0);
    reply.bulk_str("client-info");
    reply.bulk(&entry.client);
    for (field, value) in [
        ("entry-id", entry.id),
        ("timestamp-created", entry.first_ms),
        ("timestamp-last-updated", entry.last_ms),
    ] {
        reply.bulk_str(field);
        reply.integer(integer(value));
    }
}
