//! Whether a client may run a request.
//!
//! Where the default user may do everything, as it may unless told otherwise, none of this is
//! reached: `Gates::RESTRICTED` is closed, and a session without a badge is the default user's. For
//! others a check costs a load to see that the rules are the same as last time, a bit for the
//! command, and the patterns of keys and channels.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use crate::acl::{
    self, Access, Badge, Catalogue, ChannelUse, Context, Denial, Digest, Entry, KeyUse, Named,
    Reason, Request, User,
};
use crate::protocol::Args;

use super::super::call::Call;
use super::super::client;
use super::super::engine::Gates;
use super::super::error::Error;
use super::super::outcome::Result;
use super::super::server::{categories, key_specs};
use super::super::session::Session;
use super::super::slowlog::shortened_argument;
use super::super::spec::{Flags, KeyPositions};
use super::super::table::{Found, table};
use super::access_of;

/// The commands as rules name them.
pub(in crate::command) fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let mut all: Vec<(usize, Named)> = Vec::new();
        for (name, command) in table().with_subcommands() {
            let bits = categories::CATEGORIES.iter().enumerate();
            let bits = bits.filter(|(_, category)| categories::is_in(name, command, category));
            let first = command.subcommands.first();
            let first = first.and_then(|sub| table().find_full(&format!("{name}|{}", sub.name)));
            let from = first.unwrap_or(0);
            let named = Named {
                name: name.to_owned(),
                categories: bits.fold(0, |all, (bit, _)| all | 1 << bit),
                is_subcommand: name.contains('|'),
                subcommands: from..from + command.subcommands.len(),
            };
            all.extend(table().find_full(name).map(|index| (index, named)));
        }
        all.sort_by_key(|(index, _)| *index);
        let named = all.into_iter().map(|(_, named)| named).collect();
        Catalogue::new(&categories::CATEGORIES, named)
    })
}

/// Which arguments of a command are channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Channels {
    None,
    /// The first.
    One,
    All,
    /// All, and they are patterns.
    Patterns,
}

/// What a check needs to know of a command.
#[derive(Debug)]
struct Profile {
    /// What is done to the first key and to the others.
    access: (Access, Access),
    /// It depends on the options.
    varies: bool,
    channels: Channels,
}

/// By index of the command.
fn profile(found: &Found) -> &'static Profile {
    static PROFILES: OnceLock<Vec<Profile>> = OnceLock::new();
    let profiles = PROFILES.get_or_init(|| {
        let profile = |index: usize| {
            let (name, command) = table().command_at(index);
            let (first, others) = key_specs::of(name, command);
            Profile {
                access: (access_of(first), access_of(others)),
                varies: ["set", "bitfield"].contains(&name),
                channels: match name {
                    "publish" | "spublish" => Channels::One,
                    "subscribe" | "ssubscribe" => Channels::All,
                    "psubscribe" => Channels::Patterns,
                    _ => Channels::None,
                },
            }
        };
        (0..table().stats_len()).map(profile).collect()
    });
    &profiles[found.index]
}

/// Hands a request over in the form that the rules are asked in.
fn with_request<R>(found: &Found, args: Args<'_>, ask: impl FnOnce(&Request<'_>) -> R) -> R {
    let profile = profile(found);
    let (first, others) = if profile.varies {
        let name = table().name(found.index);
        let (first, others) = key_specs::of_request(name, found.command, args);
        (access_of(first), access_of(others))
    } else {
        profile.access
    };
    let mut positions = KeyPositions::new();
    found.command.keys.positions(args, &mut positions);
    let mut keys: SmallVec<[KeyUse<'_>; 8]> = SmallVec::new();
    for (order, position) in positions.into_iter().enumerate() {
        let access = if order == 0 { first } else { others };
        keys.extend(args.get(position).map(|name| KeyUse {
            position,
            name,
            access,
        }));
    }
    let channels_len = match profile.channels {
        Channels::None => 0,
        Channels::One => 1,
        Channels::All | Channels::Patterns => args.len(),
    };
    let channels = args.from(1).take(channels_len).enumerate();
    let channels: SmallVec<[ChannelUse<'_>; 4]> = channels
        .map(|(order, name)| ChannelUse {
            position: order + 1,
            name,
            is_pattern: profile.channels == Channels::Patterns,
        })
        .collect();
    let is_subcommand = found.index >= table().len();
    ask(&Request {
        command: found.index,
        is_open: found.command.flags.any(Flags::NO_AUTH),
        first: args.get(1 + usize::from(is_subcommand)),
        keys: &keys,
        channels: &channels,
    })
}

/// Whether a user's rules allow a request.
pub(super) fn verdict(
    user: &User,
    found: &Found,
    args: Args<'_>,
) -> std::result::Result<(), Denial> {
    with_request(found, args, |request| user.check(request))
}

/// The rules that bind a session; `None` if it may do everything.
fn rules<'s>(session: &'s mut Session, call: &super::super::Engine) -> Option<&'s Arc<User>> {
    if session.badge.is_none() && call.gates.load() & Gates::RESTRICTED == 0 {
        return None;
    }
    let badge = session
        .badge
        .get_or_insert_with(|| Badge::new(Arc::clone(call.users.default_account())));
    let user = badge.user();
    (!user.may_do_everything()).then_some(user)
}

/// Whether the client may run a request; a refusal is counted and logged.
pub(in crate::command) fn check(
    call: &mut Call<'_, '_>,
    found: &Found,
    args: Args<'_>,
    context: Context,
) -> std::result::Result<(), Denial> {
    let Some(user) = rules(call.session, call.engine) else {
        return Ok(());
    };
    let checked = verdict(user, found, args);
    if let Err(denial) = checked {
        let object = match denial.reason {
            Reason::Key | Reason::Channel => args.at(denial.position),
            Reason::Command | Reason::Auth => table().name(found.index).as_bytes(),
        };
        // Inside EXEC or a script, that is what its client is shown to run.
        let shown = if call.session.is_atomic {
            call.session.last_command
        } else {
            found.index
        };
        call.session.client.command.store(shown, Ordering::Relaxed);
        note(call, denial.reason, context, object, None);
    }
    checked
}

/// The same without a trace, for who only asks.
pub(in crate::command) fn is_allowed(
    call: &mut Call<'_, '_>,
    found: &Found,
    args: Args<'_>,
) -> bool {
    rules(call.session, call.engine).is_none_or(|user| verdict(user, found, args).is_ok())
}

/// Whether the client may run a request that reads keys which it does not name.
pub(in crate::command) fn may_roam(call: &mut Call<'_, '_>, args: Args<'_>) -> bool {
    let Some(user) = rules(call.session, call.engine) else {
        return true;
    };
    let roams =
        |found: Found| with_request(&found, args, |request| user.may_roam(request, Access::READ));
    table().resolve(args).is_some_and(roams)
}

/// Redis's words for a refusal, without a code. With `names`, the key or channel is named.
pub(super) fn explain(
    denial: Denial,
    name: &[u8],
    found: &Found,
    args: Args<'_>,
    names: bool,
) -> Vec<u8> {
    let what: &[u8] = match denial.reason {
        Reason::Key => b"key",
        Reason::Channel => b"channel",
        Reason::Command | Reason::Auth => {
            let command = table().name(found.index).as_bytes();
            return [
                b"User ",
                name,
                b" has no permissions to run the '",
                command,
                b"' command",
            ]
            .concat();
        }
    };
    if !names {
        return [b"No permissions to access a ", what].concat();
    }
    let object = args.at(denial.position);
    let parts = [
        b"User ",
        name,
        b" has no permissions to access the '",
        object,
        b"' ",
        what,
    ];
    parts.concat()
}

/// The name of the client's user.
fn name_of<'s>(call: &'s Call<'_, '_>) -> &'s [u8] {
    let badge = call.session.badge.as_ref();
    badge.map_or(acl::DEFAULT, Badge::name)
}

/// What a client reads that was refused; `head` goes before Redis's words.
pub(in crate::command) fn refusal(
    call: &Call<'_, '_>,
    denial: Denial,
    found: &Found,
    args: Args<'_>,
    head: &str,
) -> Error {
    let text = explain(denial, name_of(call), found, args, false);
    Error::Bytes([head.as_bytes(), &text].concat())
}

/// Counts a refusal, and puts it on the log.
#[cold]
fn note(call: &Call<'_, '_>, reason: Reason, context: Context, object: &[u8], user: Option<&[u8]>) {
    let stats = call.stats;
    let counter = match reason {
        Reason::Command => &stats.denied_commands,
        Reason::Key => &stats.denied_keys,
        Reason::Auth => &stats.denied_logins,
        Reason::Channel => &stats.denied_channels,
    };
    counter.add(1);
    let mut client = client::describe(&call.session.client, call.now);
    client.pop();
    let entry = Entry {
        id: 0,
        count: 0,
        reason,
        context,
        object: shortened_argument(object),
        user: shortened_argument(user.unwrap_or_else(|| name_of(call))),
        client,
        first_ms: call.now.unix_ms,
        last_ms: call.now.unix_ms,
    };
    let entries_max = call.engine.config.live().acllog_len_max();
    let entries_max = usize::try_from(entries_max).unwrap_or(usize::MAX);
    call.engine.denials.add(entry, entries_max);
}

/// Makes the client the user of a name, if the password is right. `command` is what it said.
pub(in crate::command) fn authenticate(
    call: &mut Call<'_, '_>,
    command: &[u8],
    name: &[u8],
    password: &[u8],
) -> Result<()> {
    let foreign_ip = call.session.client.foreign_ip();
    let now_ms = call.now.mono_ms();
    let failures_max = call.engine.config.live().auth_failures_max();
    let is_barred =
        |ip| failures_max > 0 && call.engine.attempts.are_too_many(ip, now_ms, failures_max);
    if foreign_ip.is_some_and(is_barred) {
        call.stats.denied_logins.add(1);
        return Err(Error::text(
            "too many failed logins from this address; try again in a minute",
        ));
    }
    let account = call.engine.users.get(name);
    let admitted = if let Some(account) = &account {
        account.user().admits(password)
    } else {
        // Takes as long as for a user that there is.
        std::hint::black_box(Digest::of(password));
        false
    };
    let Some(account) = account.filter(|_| admitted) else {
        let context = if call.session.transaction.is_some() {
            Context::Multi
        } else {
            Context::TopLevel
        };
        let client = &call.session.client;
        let running = call.session.last_command;
        client.command.store(running, Ordering::Relaxed);
        note(call, Reason::Auth, context, command, Some(name));
        if let Some(ip) = foreign_ip {
            call.engine.attempts.note_failure(ip, now_ms);
        }
        return Err(Error::line(
            "WRONGPASS invalid username-password pair or user is disabled.",
        ));
    };
    call.session.is_authenticated = true;
    call.session.badge = (name != acl::DEFAULT).then(|| Badge::new(account));
    call.session.client.identity.lock().user = name.to_vec();
    call.session.note_state();
    Ok(())
}

/// What EXEC answers for a command that was allowed when it was queued.
pub(in crate::command) fn rights_changed(denial: Denial) -> Error {
    let reason = match denial.reason {
        Reason::Command | Reason::Auth => "no permission to execute the command or subcommand",
        Reason::Key => "no permission to touch the specified keys",
        Reason::Channel => "no permission to access one of the channels used as arguments",
    };
    Error::Line(
        format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and \
             the EXEC call. This command is no longer allowed for the following reason: {reason}"
        )
        .into(),
    )
}
