//! DEBUG: what tests of clients and servers need, where `enable-debug-command` allows it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::config::index_of;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::{Key, ShardSet, Text, Value};

use super::super::call::Call;
use super::super::error::Error;
use super::super::keys::encoding_of;
use super::super::outcome::{Outcome, Result};

/// Longest DEBUG SLEEP: an hour.
const SLEEP_SECONDS_MAX: f64 = 3600.0;

/// Switches of Redis's insides, which tests turn and Weir does not have.
const WITHOUT_EFFECT: &[&str] = &[
    "change-repl-id",
    "dict-resizing",
    "pause-cron",
    "quicklist-packed-threshold",
    "replybuffer",
    "set-disable-deny-scripts",
];

/// DEBUG subcommand [argument ...]
pub(super) fn debug(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    check_debug(call)?;
    let subcommand = String::from_utf8_lossy(args.at(1)).to_ascii_lowercase();
    match (&*subcommand, args.len()) {
        ("sleep", 3) => sleep(call, args),
        ("set-active-expire", 3) => {
            let expires = parse_i64(args.at(2)).unwrap_or(0) != 0;
            call.engine
                .expires_by_time
                .store(expires, Ordering::Relaxed);
            call.reply.ok();
            Ok(Outcome::Done)
        }
        ("object", 3 | 4) => object(call, args),
        ("populate", 3..=5) => populate(call, args),
        ("error", 3) => Err(Error::Bytes(args.at(2).to_vec())),
        ("log", 3) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.at(2)));
            call.reply.ok();
            Ok(Outcome::Done)
        }
        ("protocol", 3) => protocol(call, args),
        ("reload" | "loadaof", _) => Err(Error::text("Weir keeps nothing on disk to load")),
        (name, _) if WITHOUT_EFFECT.contains(&name) => {
            call.reply.ok();
            Ok(Outcome::Done)
        }
        _ => Err(Error::subcommand("DEBUG", args.at(1))),
    }
}

/// Refuses DEBUG where the settings do not allow it to this client.
pub fn check_debug(call: &Call<'_, '_>) -> Result<()> {
    if is_allowed(call) {
        return Ok(());
    }
    Err(Error::line(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
         \"local\", you can run it from a local connection, otherwise you need to set this \
         option in the configuration file, and then restart the server.",
    ))
}

fn is_allowed(call: &Call<'_, '_>) -> bool {
    let setting = const { index_of("enable-debug-command") };
    // The positions of its words: no, yes, local.
    match call.engine.config.live().number(setting) {
        0 => false,
        1 => true,
        _ => {
            let client = &call.session.client;
            let local = ["127.0.0.1:", "[::1]:"];
            client.by_unix_socket || local.iter().any(|host| client.address.starts_with(host))
        }
    }
}

/// DEBUG SLEEP seconds
///
/// Holds up the worker with all its clients, as Redis holds up all; other workers go on.
fn sleep(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let text = std::str::from_utf8(args.at(2)).unwrap_or("");
    let seconds: f64 = text.parse().unwrap_or(0.0);
    let seconds = if seconds.is_finite() { seconds } else { 0.0 };
    if !call.held.is_pinned() {
        call.held.release();
    }
    std::thread::sleep(Duration::from_secs_f64(
        seconds.clamp(0.0, SLEEP_SECONDS_MAX),
    ));
    call.reply.ok();
    Ok(Outcome::Done)
}

/// Holds the shard of a key that the command does not declare; inside a transaction all are held.
fn hold(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let shard = call.engine.keyspace.shard_of(key);
    call.held.need(ShardSet::one(shard));
}

/// DEBUG OBJECT key
fn object(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    hold(call, &key);
    let now_ms = call.now_ms();
    let list_limit = call.engine.config.live().list_max_listpack_size();
    let entry = call
        .shard(&key)
        .peek(&key, now_ms)
        .ok_or(Error::NoSuchKey)?;
    let encoding = encoding_of(&entry.value, list_limit);
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{encoding} serializedlength:{} lru:{} lru_seconds_idle:{}",
        &raw const entry.value,
        entry.value.heap_bytes(),
        // Twenty-four bits of the second in which it was last used.
        entry.used_s(now_ms) & 0xff_ffff,
        entry.idle_s(now_ms),
    );
    call.reply.simple(&line);
    Ok(Outcome::Done)
}

/// DEBUG POPULATE count [prefix] [size]
fn populate(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let number = |argument: &[u8]| {
        let number = parse_i64(argument).and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| Error::text("value is out of range, must be positive"))
    };
    let count = number(args.at(2))?;
    let prefix = args.get(3).unwrap_or(b"key");
    let bytes = args.get(4).map_or(Ok(0), number)?;
    for index in 0..count {
        let name = [prefix, format!(":{index}").as_bytes()].concat();
        let key = call.key(&name);
        hold(call, &key);
        let now_ms = call.now_ms();
        if call.shard(&key).exists(&key, now_ms) {
            continue;
        }
        let mut value = format!("value:{index}").into_bytes();
        if bytes > 0 {
            value.resize(bytes, 0);
        }
        call.shard(&key)
            .insert(&key, Value::Text(Text::new(&value)), None);
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

/// DEBUG PROTOCOL type
fn protocol(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let reply = &mut *call.reply;
    match args.at(2).to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(-1.5),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|member| reply.integer(member));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|member| reply.integer(member));
        }
        b"map" => {
            reply.map(3);
            for member in 0..3 {
                reply.integer(member);
                reply.boolean(member == 1);
            }
        }
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(Error::text(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|verbatim|true|false",
            ));
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::command::testing::Bench;
    use crate::config::{Loaded, load};

    fn allowed(by: &str) -> Bench {
        let flags = ["weir", "--enable-debug-command", by].map(OsString::from);
        let Ok(Loaded::Run(start)) = load(flags.into_iter(), std::iter::empty()) else {
            panic!("the flag is known");
        };
        Bench::with_config(start.config)
    }

    #[test]
    fn is_off_unless_allowed() {
        assert!(
            Bench::new()
                .run("DEBUG SLEEP 0")
                .starts_with("-ERR DEBUG command not allowed.")
        );
        assert_eq!(allowed("local").run("DEBUG SLEEP 0"), "+OK");
    }

    #[test]
    fn serves_tests() {
        let bench = allowed("yes");
        for seconds in ["x", "nan", "-nan", "inf", "-1"] {
            assert_eq!(bench.run(&format!("DEBUG SLEEP {seconds}")), "+OK");
        }
        assert_eq!(bench.run("DEBUG POPULATE 100 p 30"), "+OK");
        assert_eq!(bench.run("DBSIZE"), ":100");
        assert!(bench.run("GET p:99").starts_with("$30 value:99"));
        assert!(bench.run("DEBUG OBJECT p:1").contains("encoding:embstr"));
        bench.run("RPUSH l a");
        assert!(bench.run("DEBUG OBJECT l").contains(" encoding:listpack "));
        assert_eq!(bench.run("DEBUG OBJECT nosuch"), "-ERR no such key");
        assert_eq!(bench.run("DEBUG ERROR CODE"), "-CODE");
        assert_eq!(bench.run("DEBUG PROTOCOL map"), "*6 :0 :0 :1 :1 :2 :0");
        assert_eq!(
            bench.run("DEBUG jmap"),
            "-ERR unknown subcommand or wrong number of arguments for 'jmap'. Try DEBUG HELP."
        );
    }

    #[test]
    fn a_transaction_may_debug() {
        let bench = allowed("yes");
        let mut client = bench.client();
        for command in ["MULTI", "SET a 1", "DEBUG OBJECT a"] {
            bench.play(&mut client, command);
        }
        assert!(bench.play(&mut client, "EXEC").contains("refcount:1"));
    }
}
