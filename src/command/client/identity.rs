//! CLIENT SETNAME GETNAME SETINFO REPLY NO-EVICT NO-TOUCH TRACKING TRACKINGINFO GETREDIR CACHING.

use std::sync::atomic::Ordering;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::session::ReplyMode;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, c_string};

use super::parse_switch;

/// Whether bytes may stand in a line of CLIENT LIST: printable, and no blank.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// A connection name, if it is one.
pub fn checked_name(name: &[u8]) -> Result<&[u8]> {
    if is_plain(name) {
        Ok(name)
    } else {
        Err(Error::text(
            "Client names cannot contain spaces, newlines or special characters.",
        ))
    }
}

/// CLIENT SETNAME connection-name
pub fn setname(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let name = checked_name(args.at(2))?;
    call.session.client.identity.lock().name = name.to_vec();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CLIENT GETNAME
pub fn getname(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let identity = call.session.client.identity.lock();
    if identity.name.is_empty() {
        call.reply.null();
    } else {
        call.reply.bulk(&identity.name);
    }
    Ok(Outcome::Done)
}

/// CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>
pub fn setinfo(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (attribute, value) = (args.at(2), args.at(3));
    let is_name = attribute.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !attribute.eq_ignore_ascii_case(b"lib-ver") {
        let line = [b"ERR Unrecognized option '", c_string(attribute), b"'"].concat();
        return Err(Error::Bytes(line));
    }
    if !is_plain(value) {
        let attribute = String::from_utf8_lossy(attribute);
        return Err(Error::text(&format!(
            "{attribute} cannot contain spaces, newlines or special characters."
        )));
    }
    let mut identity = call.session.client.identity.lock();
    if is_name {
        identity.library = value.to_vec();
    } else {
        identity.library_version = value.to_vec();
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CLIENT REPLY <ON | OFF | SKIP>
pub fn reply(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let mode = args.at(2);
    if mode.eq_ignore_ascii_case(b"on") {
        call.session.reply_mode = ReplyMode::On;
        call.reply.ok();
    } else if mode.eq_ignore_ascii_case(b"off") {
        call.session.reply_mode = ReplyMode::Off;
    } else if mode.eq_ignore_ascii_case(b"skip") {
        if call.session.reply_mode != ReplyMode::Off {
            call.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Error::Syntax);
    }
    call.session.note_state();
    Ok(Outcome::Done)
}

/// CLIENT NO-EVICT <ON | OFF>
pub fn no_evict(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let on = parse_switch(args.at(2))?;
    call.session.client.no_evict.store(on, Ordering::Relaxed);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CLIENT NO-TOUCH <ON | OFF>
pub fn no_touch(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let on = parse_switch(args.at(2))?;
    call.session.client.no_touch.store(on, Ordering::Relaxed);
    call.session.note_state();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// CLIENT TRACKING <ON | OFF> ...
pub fn tracking(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    check_tracking(call, args)?;
    if parse_switch(args.at(2))? {
        return Err(Error::text(
            "client-side caching is not supported by this server",
        ));
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Looks at the options of CLIENT TRACKING, which make no difference.
fn check_tracking(call: &Call<'_, '_>, args: Args<'_>) -> Result<()> {
    let mut has_target = false;
    let mut at = 3;
    while let Some(option) = args.get(at) {
        let value = args.get(at + 1);
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        if let (true, Some(id)) = (is(b"redirect"), value) {
            if has_target {
                return Err(Error::text(
                    "A client can only redirect to a single other client",
                ));
            }
            let id = parse_i64(id).ok_or(Error::NotInteger)?;
            let target = u64::try_from(id).ok();
            if target.and_then(|id| call.engine.clients.get(id)).is_none() {
                return Err(Error::text(
                    "The client ID you want redirect to does not exist",
                ));
            }
            has_target = true;
            at += 2;
        } else if is(b"prefix") && value.is_some() {
            at += 2;
        } else if [&b"bcast"[..], b"optin", b"optout", b"noloop"]
            .into_iter()
            .any(is)
        {
            at += 1;
        } else {
            return Err(Error::Syntax);
        }
    }
    Ok(())
}

/// CLIENT TRACKINGINFO
pub fn trackinginfo(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.map(3);
    call.reply.bulk(b"flags");
    call.reply.set(1);
    call.reply.bulk(b"off");
    call.reply.bulk(b"redirect");
    call.reply.integer(-1);
    call.reply.bulk(b"prefixes");
    call.reply.empty_array();
    Ok(Outcome::Done)
}

/// CLIENT GETREDIR
pub fn getredir(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.integer(-1);
    Ok(Outcome::Done)
}

/// CLIENT CACHING <YES | NO>
pub fn caching(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::text(
        "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn options_of_tracking_are_looked_at() {
        let bench = Bench::new();
        let here = bench.client();
        let id = here.session.client.id;
        let unsupported = "-ERR client-side caching is not supported by this server";
        let nobody = "-ERR The client ID you want redirect to does not exist";
        for (arguments, answer) in [
            ("OFF", "+OK"),
            ("OFF FOO", "-ERR syntax error"),
            ("FOO", "-ERR syntax error"),
            ("FOO BCAST", "-ERR syntax error"),
            ("OFF bcast OPTIN OPTOUT NOLOOP PREFIX a", "+OK"),
            ("OFF PREFIX", "-ERR syntax error"),
            ("OFF REDIRECT", "-ERR syntax error"),
            (
                "OFF REDIRECT x",
                "-ERR value is not an integer or out of range",
            ),
            ("OFF REDIRECT 99999", nobody),
            ("OFF REDIRECT -5", nobody),
            (&format!("OFF REDIRECT {id}"), "+OK"),
            (
                &format!("OFF REDIRECT {id} REDIRECT {id}"),
                "-ERR A client can only redirect to a single other client",
            ),
            ("ON FOO", "-ERR syntax error"),
            ("ON BCAST", unsupported),
        ] {
            let told = bench.run(&format!("CLIENT TRACKING {arguments}"));
            assert_eq!(told, answer, "{arguments}");
        }
    }
}
