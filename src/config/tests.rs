//! Tests of the room as a whole: table, texts, files.

use std::path::{Path, PathBuf};

use super::kind::Value;
use super::*;

pub(super) fn machine() -> Machine {
    Machine {
        memory_bytes: Some(8 << 30),
        cores: 3,
        directory: PathBuf::from("/srv"),
    }
}

fn config() -> Config {
    Config::new(Values::defaults(&machine()), machine(), None)
}

pub(super) fn get(config: &Config, name: &str) -> String {
    let mut found = config.get(|candidate| candidate == name);
    assert_eq!(found.len(), 1, "{name}");
    found.remove(0).1
}

/// What `CONFIG SET` answers.
fn set(config: &Config, pairs: &[(&str, &str)]) -> String {
    config
        .set(pairs)
        .map_or_else(|error| error.to_string(), |_| "OK".to_owned())
}

// The table.

#[test]
fn names_are_unique_and_wires_are_lower_case() {
    let mut names: Vec<&str> = table::names().map(|(name, _)| name).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
    for name in names {
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b"-_".contains(&b)),
            "{name}"
        );
        assert_eq!(
            environment::variable(name).to_lowercase()[5..],
            name.replace('-', "_")
        );
    }
    assert_eq!(table::names().count(), TABLE.len() + table::ALIASES.len());
}

#[test]
fn every_group_is_shown_and_every_effect_described() {
    for spec in &TABLE {
        let groups: &[Group] = if spec.inert {
            &Group::INERT
        } else {
            &Group::HONOURED
        };
        assert!(groups.contains(&spec.group), "{}", spec.name);
        let described = !spec.about.is_empty() || spec.inert || spec.group == Group::Encoding;
        assert!(described, "{} says nothing about itself", spec.name);
        assert!(!spec.about.ends_with('.'), "{}", spec.name);
    }
}

#[test]
fn every_default_survives_get_and_set() {
    let config = config();
    let before = config.get(|_| true);
    for (name, value) in &before {
        let index = table::find(name).unwrap();
        let expected = match guard(TABLE[index].change) {
            None => "OK".to_owned(),
            Some(reason) => {
                format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        };
        assert_eq!(set(&config, &[(name, value)]), expected, "{name} {value}");
    }
    assert_eq!(config.get(|_| true), before);
}

#[test]
fn get_is_sorted_and_knows_older_names() {
    let config = config();
    let all = config.get(|_| true);
    assert!(all.is_sorted());
    let sizes = config.get(|name| name.starts_with("list-max-"));
    assert_eq!(
        sizes,
        [
            ("list-max-listpack-size", "-2".to_owned()),
            ("list-max-ziplist-size", "-2".to_owned())
        ]
    );
}

/// Defaults that tools read, in the form of Redis 8.2 where Weir does not differ on purpose.
#[test]
fn defaults_look_as_in_redis() {
    let config = config();
    for (name, value) in [
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        ("proto-max-bulk-len", "536870912"),
        ("client-query-buffer-limit", "1073741824"),
        ("save", ""),
        ("appendonly", "no"),
        ("databases", "16"),
        ("maxclients", "10000"),
        ("slowlog-log-slower-than", "10000"),
        ("notify-keyspace-events", ""),
        ("unixsocketperm", "0"),
        ("latency-tracking-info-percentiles", "50 99 99.9"),
        ("replica-read-only", "yes"),
        ("slave-read-only", "yes"),
        ("maxmemory-policy", "noeviction"),
        ("requirepass", ""),
        ("dir", "/srv"),
        ("maxmemory", "6442450944"),
        ("workers", "3"),
        ("pubsub-overflow", "disconnect"),
    ] {
        assert_eq!(get(&config, name), value, "{name}");
    }
}

#[test]
fn databases_are_those_the_store_has() {
    let bound = Kind::Int {
        min: 1,
        max: i64::try_from(crate::limits::DATABASES).unwrap(),
        signed: true,
    };
    assert_eq!(TABLE[index_of("databases")].kind, bound);
}

// CONFIG SET.

/// Setting, value, and the end of what Redis 8.2.3 answers.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("port", "1", "can't set immutable config"),
    ("dir", "/", "can't set protected config"),
    ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
    (
        "timeout",
        "x",
        "argument couldn't be parsed into an integer",
    ),
    ("timeout", "", "argument couldn't be parsed into an integer"),
    (
        "timeout",
        "007",
        "argument couldn't be parsed into an integer",
    ),
    (
        "timeout",
        "+5",
        "argument couldn't be parsed into an integer",
    ),
    (
        "timeout",
        "-0",
        "argument couldn't be parsed into an integer",
    ),
    (
        "timeout",
        " 5",
        "argument couldn't be parsed into an integer",
    ),
    (
        "timeout",
        "99999999999999999999",
        "argument couldn't be parsed into an integer",
    ),
    (
        "timeout",
        "-5",
        "argument must be between 0 and 2147483647 inclusive",
    ),
    (
        "timeout",
        "4294967296",
        "argument must be between 0 and 2147483647 inclusive",
    ),
    (
        "maxclients",
        "0",
        "argument must be between 1 and 4294967295 inclusive",
    ),
    ("maxclients", "-5", "argument must be greater or equal to 0"),
    (
        "hz",
        "-1",
        "argument must be between 0 and 2147483647 inclusive",
    ),
    ("maxmemory", "1.5gb", "argument must be a memory value"),
    ("maxmemory", "-1", "argument must be a memory value"),
    (
        "maxmemory",
        "99999999999gb",
        "argument must be greater or equal to 0",
    ),
    (
        "maxmemory",
        "9223372036854775808",
        "argument must be greater or equal to 0",
    ),
    (
        "maxmemory-clients",
        "-5",
        "argument must be a memory or percent value",
    ),
    (
        "maxmemory-clients",
        "101%",
        "percentage argument must be less or equal to 100",
    ),
    (
        "proto-max-bulk-len",
        "0",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    ),
    (
        "loglevel",
        "info",
        "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
    ),
    (
        "notify-keyspace-events",
        "foo",
        "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    ),
    (
        "client-output-buffer-limit",
        "normal 1 2",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "foo 1 2 3",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "normal 1 2 -3",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    ("save", "3600 1 300", "Invalid save parameters"),
    ("save", "0 1", "Invalid save parameters"),
    ("save", "  ", "Invalid save parameters"),
    ("save", "60 1  30 2 ", "Invalid save parameters"),
    (
        "client-output-buffer-limit",
        "\n",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "shutdown-on-sigterm",
        "save nosave",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
    (
        "shutdown-on-sigterm",
        "",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    ("oom-score-adj-values", "1 2", "wrong number of arguments"),
];

#[test]
fn set_refuses_in_the_words_of_redis() {
    let config = config();
    for (name, value, reason) in REFUSALS {
        let expected =
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(set(&config, &[(*name, *value)]), expected, "{name} {value}");
    }
}

#[test]
fn there_are_no_more_clients_than_there_is_room_for() {
    let config = config();
    config.on_clients(|wanted| wanted.min(19_968));
    let refused = config.set(&[("hz", "20"), ("maxclients", "30000")]);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system \
         is not able to handle the specified number of clients, try with 19968"
    );
    assert_eq!(config.live().maxclients(), 10_000);
    assert!(config.set(&[("maxclients", "19968")]).is_ok());
}

#[test]
fn set_takes_what_redis_takes() {
    let config = config();
    for (name, value, shown) in [
        ("TIMEOUT", "5", "5"),
        ("maxmemory", "100MB", "104857600"),
        ("maxmemory", "1k", "1000"),
        ("maxmemory", "", "0"),
        ("maxmemory", "50%", "4294967296"),
        ("maxmemory-clients", "5%", "5%"),
        ("hz", "0", "1"),
        ("hz", "501", "500"),
        ("loglevel", "WARNING", "warning"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "KEAmn", "AKEm"),
        ("notify-keyspace-events", "Kg$lshzxetdmn", "AKm"),
        ("notify-keyspace-events", "KEg$", "g$KE"),
        (
            "notify-keyspace-events",
            "mnocdtexzhsl$KE",
            "$lshzxetdnocKEm",
        ),
        (
            "client-output-buffer-limit",
            "pubsub 1mb 2mb 60 REPLICA 1 2 3",
            "normal 0 0 0 slave 1 2 3 pubsub 1048576 2097152 60",
        ),
        (
            "client-output-buffer-limit",
            "",
            "normal 0 0 0 slave 1 2 3 pubsub 1048576 2097152 60",
        ),
        ("save", "3600 0", "3600 0"),
        (
            "shutdown-on-sigterm",
            "force NOSAVE default",
            "nosave force",
        ),
        ("shutdown-on-sigterm", "default", "default"),
        ("lua-time-limit", "7", "7"),
    ] {
        assert_eq!(set(&config, &[(name, value)]), "OK", "{name} {value}");
        assert_eq!(get(&config, &name.to_lowercase()), shown, "{name} {value}");
    }
    assert_eq!(get(&config, "busy-reply-threshold"), "7");
}

#[test]
fn set_changes_all_or_nothing_and_names_the_first_wrong() {
    let config = config();
    let before = config.get(|_| true);
    for (pairs, expected) in [
        (
            &[("maxclients", "1"), ("foo", "bar")][..],
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
        ),
        (
            &[("timeout", "1"), ("timeout", "2"), ("foo", "")][..],
            "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter",
        ),
        (
            &[("databases", "3"), ("foo", "2")][..],
            "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
        ),
        (
            &[("timeout", "1"), ("hz", "x")][..],
            "ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer",
        ),
    ] {
        assert_eq!(set(&config, pairs), expected);
        assert_eq!(config.get(|_| true), before);
    }
    // The old and the new name are two settings to Redis, and the later wins.
    let both = [
        ("list-max-ziplist-size", "1"),
        ("list-max-listpack-size", "2"),
    ];
    assert_eq!(set(&config, &both), "OK");
    assert_eq!(get(&config, "list-max-ziplist-size"), "2");
}

#[test]
fn set_reaches_live_and_settings() {
    let config = config();
    let changed = config.set(&[
        ("maxmemory", "1gb"),
        ("timeout", "9"),
        ("slowlog-log-slower-than", "-1"),
        ("notify-keyspace-events", "Kl"),
        ("client-output-buffer-limit", "pubsub 1 2 3"),
        ("pubsub-overflow", "drop-oldest"),
        ("requirepass", "secret"),
        ("protected-mode", "no"),
        ("slowlog-max-len", "128"),
    ]);
    let names: Vec<&str> = changed
        .unwrap()
        .iter()
        .map(|changed| changed.name)
        .collect();
    assert_eq!(names.len(), 8);
    assert!(
        !names.contains(&"slowlog-max-len"),
        "it had this value before"
    );

    let live = config.live();
    assert_eq!(live.maxmemory_bytes(), 1 << 30);
    assert_eq!(live.timeout_s(), 9);
    assert_eq!(live.slowlog_slower_than_us(), -1);
    assert!(live.notify_keyspace_events().wants(Events::LIST));
    assert!(!live.notify_keyspace_events().wants(Events::HASH));
    let limit = OutputLimit {
        hard_bytes: 1,
        soft_bytes: 2,
        soft_s: 3,
    };
    assert_eq!(live.output_limit_pubsub(), limit);
    assert_eq!(live.output_limit_normal(), OutputLimit::default());
    assert_eq!(live.pubsub_overflow(), PubsubOverflow::DropOldest);
    assert!(!live.protected_mode());
    assert_eq!(live.zset_max_listpack_entries(), 128);
    assert_eq!(live.list_max_listpack_size(), -2);
    assert_eq!(live.number(const { index_of("maxmemory-samples") }), 5);

    let settings = config.settings();
    assert_eq!(settings.maxmemory_bytes, 1 << 30);
    assert_eq!(settings.requirepass.as_deref(), Some("secret"));
    assert_eq!(settings.client_output_limits.pubsub, limit);
    assert_eq!(settings.pubsub_overflow, PubsubOverflow::DropOldest);
    assert_eq!(settings.workers, 3);
}

#[test]
fn log_level_reaches_the_log() {
    let config = config();
    let seen = std::sync::Arc::new(Lock::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    config.on_log_level(move |level| noted.lock().push(level));
    assert_eq!(set(&config, &[("loglevel", "debug")]), "OK");
    assert_ne!(set(&config, &[("loglevel", "loud")]), "OK");
    assert_eq!(*seen.lock(), [LogLevel::Debug]);
}

#[test]
fn bytes_that_are_no_text() {
    let config = config();
    let unknown = config.set(&[(&b"\xff"[..], &b"1"[..])]).unwrap_err();
    assert!(matches!(unknown, SetError::Unknown(_)));
    let refused = config
        .set(&[(&b"requirepass"[..], &b"\xff"[..])])
        .unwrap_err();
    assert!(matches!(refused, SetError::Refused(..)));
}

// Documentation.

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFIG.md");
    let page = doc::page();
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/CONFIG.md does not match the settings table; \
         `WEIR_BLESS=1 cargo test --lib config` rewrites it"
    );
}

#[test]
fn every_choice_has_its_variant() {
    let mut values = Values::defaults(&machine());
    let mut of = |name: &str, word: &str| {
        let index = table::find(name).unwrap();
        values.assign(index, word, &machine()).unwrap();
        assert!(matches!(values.get(index), Value::Int(_)));
        Settings::of(&values)
    };
    assert_eq!(of("loglevel", "debug").loglevel, LogLevel::Debug);
    assert_eq!(of("loglevel", "verbose").loglevel, LogLevel::Verbose);
    assert_eq!(of("loglevel", "notice").loglevel, LogLevel::Notice);
    assert_eq!(of("loglevel", "warning").loglevel, LogLevel::Warning);
    assert_eq!(of("loglevel", "nothing").loglevel, LogLevel::Nothing);
    assert_eq!(of("log-format", "json").log_format, LogFormat::Json);
    assert_eq!(of("log-format", "plain").log_format, LogFormat::Plain);
    let overflow = "pubsub-overflow";
    assert_eq!(
        of(overflow, "drop-oldest").pubsub_overflow,
        PubsubOverflow::DropOldest
    );
    assert_eq!(
        of(overflow, "drop-newest").pubsub_overflow,
        PubsubOverflow::DropNewest
    );
    assert_eq!(
        of(overflow, "disconnect").pubsub_overflow,
        PubsubOverflow::Disconnect
    );
}
