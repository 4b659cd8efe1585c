//! ACL SETUSER DELUSER LOAD SAVE, and users that come from the settings.
//!
//! Users change with all shards held: that is one step for everybody else, for other changes too.
//! A user that may hear less than before, or that is gone, loses the connections that this
//! concerns: nobody goes on hearing what it may not.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::acl::{self, Definition, Digest, RuleError, User};
use crate::command::call::Call;
use crate::command::engine::Engine;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Config;
use crate::outbox::CloseReason;
use crate::protocol::Args;

use super::check::catalogue;

/// ACL SETUSER username [rule [rule ...]]
pub(super) fn setuser(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let name = args.at(2);
    if acl::has_blank(name) {
        return Err(Error::text(
            "Usernames can't contain spaces or null characters",
        ));
    }
    let rules = acl::joined(args.from(3)).map_err(|word| {
        let head = b"ERR Unmatched parenthesis in acl selector starting at '";
        Error::Bytes([&head[..], word, b"'."].concat())
    })?;
    let all_channels = call.engine.config.live().acl_all_channels();
    let account = call.engine.users.get(name);
    let mut user = match &account {
        Some(account) => User::clone(&account.user()),
        None => User::new(catalogue(), all_channels),
    };
    for rule in rules {
        user.apply(catalogue(), all_channels, &rule)
            .map_err(|error| wrong_rule(&rule, error))?;
    }
    let ends_self = put(call, name, user);
    call.reply.ok();
    Ok(close_if(ends_self))
}

fn wrong_rule(rule: &[u8], error: RuleError) -> Error {
    let head = b"ERR Error in ACL SETUSER modifier '";
    Error::Bytes([&head[..], rule, b"': ", error.text().as_bytes()].concat())
}

fn close_if(ends_self: bool) -> Outcome {
    if ends_self {
        Outcome::Close
    } else {
        Outcome::Done
    }
}

/// Gives a user its new rules, and ends connections that hear what it may not hear any more. Says
/// whether the caller's is among them.
fn put(call: &mut Call<'_, '_>, name: &[u8], user: User) -> bool {
    let engine = call.engine;
    let before = engine.users.set(name, user);
    engine.note_users();
    let (Some(before), Some(account)) = (before, engine.users.get(name)) else {
        return false;
    };
    let now = account.user();
    now.may_hear_less_than(&before) && end_listeners(call, name, &now)
}

/// Ends the connections of a user that are subscribed to what it may not hear.
fn end_listeners(call: &mut Call<'_, '_>, name: &[u8], user: &User) -> bool {
    let pubsub = &call.engine.pubsub;
    let mut listeners: HashSet<u64, ahash::RandomState> = HashSet::default();
    pubsub.each_subscription(|channel, is_pattern, subscribers| {
        if !user.may_hear(channel, is_pattern) {
            listeners.extend(subscribers);
        }
    });
    end(call, name, |id| listeners.contains(&id))
}

/// Ends those connections of a user whose id `selects` wants; says whether the caller's is one: it
/// is left to read its reply.
fn end(call: &mut Call<'_, '_>, name: &[u8], selects: impl Fn(u64) -> bool) -> bool {
    let mut ends_self = false;
    for client in call.engine.clients.all() {
        if !selects(client.id) || client.identity.lock().user != name {
            continue;
        }
        if Arc::ptr_eq(&client, &call.session.client) {
            ends_self = true;
        } else {
            client.mailbox.close(CloseReason::Killed, call.wakes);
        }
    }
    ends_self
}

/// ACL DELUSER username [username ...]
pub(super) fn deluser(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.from(2).any(|user| user == acl::DEFAULT) {
        return Err(Error::line("ERR The 'default' user cannot be removed"));
    }
    let mut deleted = 0;
    let mut ends_self = false;
    for name in args.from(2) {
        if call.engine.users.remove(name, catalogue()) {
            deleted += 1;
            ends_self |= end(call, name, |_| true);
        }
    }
    call.reply.integer(deleted);
    Ok(close_if(ends_self))
}

/// The file of users, or what to say where there is none.
fn file(engine: &Engine) -> Result<std::path::PathBuf> {
    engine.config.settings().aclfile.clone().ok_or(Error::line(
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify \
         users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a \
         Redis configuration file set) in order to store users in the Redis configuration.",
    ))
}

/// ACL LOAD
pub(super) fn load(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let path = file(call.engine)?;
    let all_channels = call.engine.config.live().acl_all_channels();
    let mut definitions =
        acl::read(catalogue(), all_channels, &path).map_err(|faults| Error::text(&faults))?;
    add_default(&mut definitions);
    let mut ends_self = false;
    for account in call.engine.users.all() {
        let name = account.name();
        if !definitions.iter().any(|definition| definition.name == name) {
            call.engine.users.remove(name, catalogue());
            ends_self |= end(call, name, |_| true);
        }
    }
    for Definition { name, user } in definitions {
        ends_self |= put(call, &name, user);
    }
    call.reply.ok();
    Ok(close_if(ends_self))
}

/// A file that does not speak of the default user leaves it everything.
fn add_default(definitions: &mut Vec<Definition>) {
    if !definitions.iter().any(|user| user.name == acl::DEFAULT) {
        definitions.push(Definition {
            name: acl::DEFAULT.to_vec(),
            user: User::unbounded(catalogue()),
        });
    }
}

/// ACL SAVE
pub(super) fn save(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let path = file(call.engine)?;
    acl::save(&call.engine.users, &path).map_err(|error| {
        tracing::warn!("cannot write {}: {error}", path.display());
        Error::line(
            "ERR There was an error trying to save the ACLs. Please check the server logs for \
             more information",
        )
    })?;
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Gives the default user the password of the settings alone, or none.
pub(in crate::command) fn set_default_password(engine: &Engine) {
    let mut user = User::clone(&engine.users.default_account().user());
    user.set_any_password(true);
    if let Some(password) = &engine.config.settings().requirepass {
        user.add_password(Digest::of(password.as_bytes()));
    }
    engine.users.set(acl::DEFAULT, user);
    engine.note_users();
}

/// Makes the users that the settings and the ACL file speak of. The error is for who starts the
/// server.
pub(in crate::command) fn load_at_start(engine: &Engine) -> std::result::Result<(), String> {
    let lines = engine.config.users();
    let all_channels = engine.config.live().acl_all_channels();
    let mut definitions = match &engine.config.settings().aclfile {
        Some(_) if !lines.is_empty() => {
            return Err("users are either in `aclfile` or in lines of `user`, not both".into());
        }
        Some(path) => {
            let mut definitions = acl::read(catalogue(), all_channels, path)?;
            add_default(&mut definitions);
            definitions
        }
        None => Vec::new(),
    };
    for words in lines {
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let [name, rules @ ..] = words.as_slice() else {
            continue;
        };
        let definition = acl::parse_line(catalogue(), all_channels, name, rules);
        let definition = definition.map_err(|(text, error)| {
            let name = String::from_utf8_lossy(name);
            let why = error.map_or("", RuleError::text);
            format!("user {name}: {text} {why}")
        })?;
        if definitions
            .iter()
            .any(|known| known.name == definition.name)
        {
            let name = String::from_utf8_lossy(name);
            return Err(format!(
                "Duplicate user '{name}': each has one line of `user`"
            ));
        }
        definitions.push(definition);
    }
    for Definition { name, user } in definitions {
        if !user.is_on() {
            let name = String::from_utf8_lossy(&name);
            tracing::info!("user {name} is disabled: its rules do not say `on`");
        }
        engine.users.set(&name, user);
    }
    engine.note_users();
    Ok(())
}

/// The users as the configuration file keeps them: nothing while there is none but the default
/// one, as `requirepass` makes it, or where they are in a file of their own. A configuration file is
/// text, so that it cannot hold all that a rule may: an ACL file can.
pub(in crate::command) fn user_lines(engine: &Engine) -> Result<Vec<String>> {
    let settings = engine.config.settings();
    let mut plain = User::unbounded(catalogue());
    if let Some(password) = &settings.requirepass {
        plain.add_password(Digest::of(password.as_bytes()));
    }
    let is_plain = engine.users.all().len() == 1 && *engine.users.default_account().user() == plain;
    if is_plain || settings.aclfile.is_some() {
        return Ok(Vec::new());
    }
    let lines = acl::describe_all(&engine.users);
    let line = |line: Vec<u8>| {
        let text = String::from_utf8(line).ok();
        let text = text.filter(|text| Config::can_hold_user(text));
        text.ok_or(Error::line(
            "ERR Rewriting config file: the name or a rule of a user has bytes that it cannot hold; \
             keep users in an aclfile",
        ))
    };
    lines.into_iter().map(line).collect()
}
