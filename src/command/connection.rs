//! PING ECHO SELECT HELLO AUTH QUIT RESET.

use std::sync::atomic::Ordering;

use crate::flags;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Resp, c_string};

use super::call::Call;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::session::ReplyMode;
use super::spec::{Command, Keys};
use super::{acl, client, monitor, pubsub, transaction};

/// The Redis version whose behaviour clients may expect; they choose commands by it.
pub const REDIS_VERSION: &str = "7.2.9";

/// Connection management.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "ping",
        -1,
        flags![FAST, SUBSCRIBED],
        Keys::None,
        "connection",
        "1.0.0",
        "Returns the server's liveliness response.",
        ping,
    ),
    Command::new(
        "echo",
        2,
        flags![LOADING, STALE, FAST],
        Keys::None,
        "connection",
        "1.0.0",
        "Returns the given string.",
        echo,
    ),
    Command::new(
        "select",
        2,
        flags![LOADING, STALE, FAST],
        Keys::None,
        "connection",
        "1.0.0",
        "Changes the selected database.",
        select,
    ),
    Command::new(
        "quit",
        -1,
        flags![
            NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, SUBSCRIBED, NOT_QUEUED, ALLOW_BUSY
        ],
        Keys::None,
        "connection",
        "1.0.0",
        "Closes the connection.",
        quit,
    ),
    Command::new(
        "hello",
        -1,
        flags![
            NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, NO_PAUSE
        ],
        Keys::None,
        "connection",
        "6.0.0",
        "Handshakes with the server.",
        hello,
    ),
    Command::new(
        "auth",
        -2,
        flags![NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY],
        Keys::None,
        "connection",
        "1.0.0",
        "Authenticates the connection.",
        auth,
    ),
    Command::new(
        "reset",
        1,
        flags![
            NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, SUBSCRIBED, NOT_QUEUED, ALLOW_BUSY
        ],
        Keys::None,
        "connection",
        "6.2.0",
        "Resets the connection.",
        reset,
    ),
];

/// PING [message]
fn ping(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 2 {
        return Err(Error::Arity("ping".into()));
    }
    if call.session.is_subscribed() && call.reply.resp() == Resp::V2 {
        call.reply.array(2);
        call.reply.bulk(b"pong");
        call.reply.bulk(args.get(1).unwrap_or(b""));
    } else if let Some(message) = args.get(1) {
        call.reply.bulk(message);
    } else {
        call.reply.simple("PONG");
    }
    Ok(Outcome::Done)
}

/// ECHO message
fn echo(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    call.reply.bulk(args.at(1));
    Ok(Outcome::Done)
}

/// SELECT index
fn select(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let index = parse_i64(args.at(1)).ok_or(Error::NotInteger)?;
    if i32::try_from(index).is_err() {
        return Err(Error::text(
            "value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    let databases = call.engine.config.settings().databases;
    let db = u8::try_from(index)
        .ok()
        .filter(|&db| usize::from(db) < databases);
    call.session.db = db.ok_or_else(|| Error::text("DB index is out of range"))?;
    call.session.note_state();
    call.reply.ok();
    Ok(Outcome::Done)
}

/// QUIT
fn quit(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.ok();
    Ok(Outcome::Close)
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
fn hello(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = match args.get(1) {
        None => None,
        Some(version) => match parse_i64(version) {
            None => {
                return Err(Error::text(
                    "Protocol version is not an integer or out of range",
                ));
            }
            Some(2) => Some(Resp::V2),
            Some(3) => Some(Resp::V3),
            Some(_) => return Err(Error::line("NOPROTO unsupported protocol version")),
        },
    };
    let mut name = None;
    let mut login = None;
    let mut at = 2;
    while let Some(option) = args.get(at) {
        if option.eq_ignore_ascii_case(b"auth") && at + 2 < args.len() {
            login = Some((args.at(at + 1), args.at(at + 2)));
            at += 3;
        } else if option.eq_ignore_ascii_case(b"setname") && at + 1 < args.len() {
            name = Some(client::checked_name(args.at(at + 1))?);
            at += 2;
        } else {
            let head = b"ERR Syntax error in HELLO option '";
            let line = [head, c_string(option), b"'"].concat();
            return Err(Error::Bytes(line));
        }
    }
    if let Some((user, password)) = login {
        acl::authenticate(call, args.at(0), user, password)?;
    }
    if !call.session.is_authenticated && call.engine.asks_who() {
        return Err(Error::line(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        call.session.client.identity.lock().name = name.to_vec();
    }
    if let Some(resp) = wanted {
        set_resp(call, resp);
    }
    write_hello(call);
    Ok(Outcome::Done)
}

fn write_hello(call: &mut Call<'_, '_>) {
    let is_three = call.reply.resp() == Resp::V3;
    let id = i64::try_from(call.session.client.id).unwrap_or(i64::MAX);
    let reply = &mut *call.reply;
    reply.map(7);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk_str(field);
        reply.bulk_str(value);
    }
    reply.bulk_str("proto");
    reply.integer(if is_three { 3 } else { 2 });
    reply.bulk_str("id");
    reply.integer(id);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk_str(field);
        reply.bulk_str(value);
    }
    reply.bulk_str("modules");
    reply.empty_array();
}

fn set_resp(call: &mut Call<'_, '_>, resp: Resp) {
    if !call.session.is_atomic {
        // What was published before was encoded for what it spoke.
        call.collect_mail();
    }
    call.reply.set_resp(resp);
    call.session.client.mailbox.set_resp(resp);
}

/// AUTH [username] password
fn auth(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (user, password) = match args.len() {
        2 if !call.engine.has_password() => {
            return Err(Error::text(
                "AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => (&b"default"[..], args.at(1)),
        3 => (args.at(1), args.at(2)),
        _ => return Err(Error::Syntax),
    };
    acl::authenticate(call, args.at(0), user, password)?;
    call.reply.ok();
    Ok(Outcome::Done)
}

/// RESET
fn reset(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    withdraw(call);
    // What was published before stands before the reply.
    call.take_mail();
    call.session.db = 0;
    call.session.reply_mode = ReplyMode::On;
    call.session.is_authenticated = !call.engine.asks_who();
    call.session.badge = None;
    let client = &call.session.client;
    {
        // The library stays the same whatever connection it pools.
        let mut identity = client.identity.lock();
        identity.name.clear();
        identity.user = b"default".to_vec();
    }
    client.no_evict.store(false, Ordering::Relaxed);
    client.no_touch.store(false, Ordering::Relaxed);
    set_resp(call, Resp::V2);
    call.session.note_state();
    call.reply.simple("RESET");
    Ok(Outcome::Done)
}

/// Takes a client that is gone out of everything that knows it.
pub fn leave(call: &mut Call<'_, '_>) {
    withdraw(call);
    // Nobody publishes to it any more.
    let mut departed = call.engine.departed.lock();
    departed.append(&call.session.client.mailbox.retire());
}

/// Ends its transaction and all that others send it.
fn withdraw(call: &mut Call<'_, '_>) {
    transaction::abandon(call);
    pubsub::leave_all(call);
    monitor::leave(call);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn nobody_runs_commands_before_the_password() {
        let bench = Bench::new();
        bench.run("CONFIG SET requirepass secret");
        let mut player = bench.client();
        assert_eq!(
            bench.play(&mut player, "get x"),
            "-NOAUTH Authentication required."
        );
        assert!(
            bench
                .play(&mut player, "hello 3")
                .starts_with("-NOAUTH HELLO must be called")
        );
        assert!(
            bench
                .play(&mut player, "auth wrong")
                .starts_with("-WRONGPASS")
        );
        assert!(
            bench
                .play(&mut player, "auth other secret")
                .starts_with("-WRONGPASS")
        );
        assert_eq!(bench.play(&mut player, "auth secret"), "+OK");
        assert_eq!(bench.play(&mut player, "get x"), "$-1");
        assert_eq!(bench.play(&mut player, "reset"), "+RESET");
        assert_eq!(
            bench.play(&mut player, "get x"),
            "-NOAUTH Authentication required."
        );
    }

    #[test]
    fn reset_forgets_the_name_but_not_the_library() {
        let bench = Bench::new();
        let mut player = bench.client();
        for command in ["CLIENT SETNAME me", "CLIENT SETINFO LIB-NAME lib", "RESET"] {
            bench.play(&mut player, command);
        }
        let shown = bench.play(&mut player, "CLIENT INFO");
        for part in [" name= ", " lib-name=lib ", " cmd=client|info "] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn messages_before_reset_and_hello_are_sent_before_their_replies() {
        let bench = Bench::new();
        bench.run("CONFIG SET notify-keyspace-events K$");
        let event = ">4 $8 pmessage $6 __key* $16 __keyspace@0__:k $3 set";
        for (command, reply) in [("RESET", "+RESET"), ("HELLO 2", "*14 $6 server")] {
            let mut player = bench.client();
            for before in ["HELLO 3", "PSUBSCRIBE __key*", "SET k v"] {
                bench.play(&mut player, before);
            }
            let shown = bench.play(&mut player, command);
            assert!(shown.starts_with(&format!("{event} {reply}")), "{shown}");
        }
        let mut monitor = bench.client();
        for command in ["MONITOR", "PING"] {
            bench.play(&mut monitor, command);
        }
        let shown = bench.play(&mut monitor, "RESET");
        assert!(shown.ends_with("\"PING\" +RESET"), "{shown}");
        assert_eq!(bench.play(&mut monitor, "PING"), "+PONG");
        assert_eq!(monitor.look(), "");
    }

    #[test]
    fn hello_answers_in_the_version_it_sets() {
        let bench = Bench::new();
        let mut player = bench.client();
        assert!(
            bench
                .play(&mut player, "hello 3 setname me")
                .starts_with("%7 $6 server $5 redis")
        );
        assert_eq!(bench.play(&mut player, "get x"), "_");
        assert!(
            bench
                .play(&mut player, "hello 2")
                .starts_with("*14 $6 server")
        );
        assert_eq!(
            bench.play(&mut player, "hello 4"),
            "-NOPROTO unsupported protocol version"
        );
        assert!(
            bench
                .play(&mut player, "hello 2 bad")
                .contains("Syntax error in HELLO option 'bad'")
        );
    }
}
