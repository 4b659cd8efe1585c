//! Streams through the `redis` crate: a consumer as its users write them, and what Redis has
//! documented since the release that the differential test compares with (8.4 to 8.8).

use redis::streams::{
    StreamAutoClaimReply, StreamClaimReply, StreamInfoStreamReply, StreamPendingCountReply,
    StreamReadOptions, StreamReadReply,
};
use redis::{Commands, Connection, RedisResult, Value, cmd};

use crate::smoke::each_version;

/// Runs a line of words.
fn run<T: redis::FromRedisValue>(connection: &mut Connection, line: &str) -> RedisResult<T> {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query(connection)
}

/// Runs lines that must succeed.
fn run_all(connection: &mut Connection, lines: &[&str]) {
    for line in lines {
        let done: RedisResult<Value> = run(connection, line);
        done.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// An entry of XREADGROUP CLAIM: its id, its idle time and how often it had been delivered.
type Claimed = (String, i64, i64);

fn claiming_read(connection: &mut Connection, line: &str) -> Vec<Claimed> {
    type Entry = (String, Vec<String>, i64, i64);
    let reply: Option<Vec<(String, Vec<Entry>)>> = run(connection, line).unwrap();
    let streams = reply.unwrap_or_default();
    assert!(streams.len() <= 1);
    let entries = streams.into_iter().flat_map(|(_, entries)| entries);
    entries
        .map(|(id, _, idle_ms, deliveries)| (id, idle_ms, deliveries))
        .collect()
}

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|(id, ..)| id.as_str()).collect()
}

/// Id, consumer and count of deliveries of all that is pending.
fn pending(connection: &mut Connection) -> Vec<(String, String, u64)> {
    type Item = (String, String, i64, u64);
    let listed: Vec<Item> = run(connection, "XPENDING s g - + 100").unwrap();
    listed
        .into_iter()
        .map(|(id, consumer, _, deliveries)| (id, consumer, deliveries))
        .collect()
}

fn owned(items: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let owned = |(id, consumer, count): &(&str, &str, u64)| {
        ((*id).to_owned(), (*consumer).to_owned(), *count)
    };
    items.iter().map(owned).collect()
}

/// Entries 1-0 to 4-0, of which `anna` has the first three.
const THREE_PENDING: &[&str] = &[
    "XADD s 1-0 f one",
    "XADD s 2-0 f two",
    "XADD s 3-0 f three",
    "XADD s 4-0 f four",
    "XGROUP CREATE s g 0",
    "XREADGROUP GROUP g anna COUNT 3 STREAMS s >",
];

#[test]
fn a_consumer_of_the_crate_reads_claims_and_acknowledges() {
    each_version(|connection| {
        let () = connection.xgroup_create_mkstream("s", "g", "$").unwrap();
        for number in 1..=4 {
            let id: String = connection
                .xadd("s", format!("{number}-0"), &[("n", number)])
                .unwrap();
            assert_eq!(id, format!("{number}-0"));
        }
        let options = StreamReadOptions::default()
            .group("g", "anna")
            .count(3)
            .block(1000);
        let reply: StreamReadReply = connection.xread_options(&["s"], &[">"], &options).unwrap();
        let read = &reply.keys[0];
        assert_eq!((read.key.as_str(), read.ids.len()), ("s", 3));
        assert_eq!(read.ids[2].get::<u32>("n"), Some(3));
        assert_eq!(connection.xack("s", "g", &["1-0"]), Ok(1));
        let claim: StreamClaimReply = connection.xclaim("s", "g", "bert", 0, &["2-0"]).unwrap();
        assert_eq!(claim.ids[0].id, "2-0");
        let options = redis::streams::StreamAutoClaimOptions::default().count(10);
        let due: StreamAutoClaimReply = connection
            .xautoclaim_options("s", "g", "bert", 0, "0", options)
            .unwrap();
        assert_eq!((due.next_stream_id.as_str(), due.claimed.len()), ("0-0", 2));
        let listed: StreamPendingCountReply =
            connection.xpending_count("s", "g", "-", "+", 10).unwrap();
        let counts: Vec<_> = listed.ids.iter().map(|item| item.times_delivered).collect();
        assert_eq!(counts, [3, 2]);
        let info: StreamInfoStreamReply = connection.xinfo_stream("s").unwrap();
        assert_eq!((info.length, info.groups), (4, 1));
        assert_eq!(info.last_entry.id, "4-0");
    });
}

#[test]
fn a_claiming_read_gives_the_longest_idle_first_and_new_entries_last() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        run_all(
            connection,
            &[
                "XCLAIM s g anna 0 1-0 IDLE 60000 JUSTID",
                "XCLAIM s g anna 0 2-0 IDLE 120000 JUSTID",
            ],
        );
        let read = "XREADGROUP GROUP g bert COUNT 3 CLAIM 50000 STREAMS s >";
        let claimed = claiming_read(connection, read);
        assert_eq!(ids(&claimed), ["2-0", "1-0", "4-0"]);
        assert!(
            claimed[0].1 >= 120_000 && claimed[1].1 >= 60_000,
            "{claimed:?}"
        );
        assert_eq!(
            [claimed[0].2, claimed[1].2],
            [1, 1],
            "delivered once before"
        );
        assert_eq!(
            (claimed[2].1, claimed[2].2),
            (0, 0),
            "never delivered before"
        );
        let expected = [
            ("1-0", "bert", 2),
            ("2-0", "bert", 2),
            ("3-0", "anna", 1),
            ("4-0", "bert", 1),
        ];
        assert_eq!(pending(connection), owned(&expected));
        assert!(
            claiming_read(connection, read).is_empty(),
            "nothing is due any more"
        );
    });
}

#[test]
fn the_count_of_a_claiming_read_is_for_both_kinds_of_entries() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        run_all(
            connection,
            &["XCLAIM s g anna 0 1-0 2-0 3-0 IDLE 60000 JUSTID"],
        );
        let read = "XREADGROUP GROUP g bert COUNT 2 CLAIM 50000 STREAMS s >";
        assert_eq!(ids(&claiming_read(connection, read)), ["1-0", "2-0"]);
        assert_eq!(ids(&claiming_read(connection, read)), ["3-0", "4-0"]);
    });
}

#[test]
fn a_claiming_read_without_acknowledgement_leaves_claimed_entries_pending() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        run_all(connection, &["XCLAIM s g anna 0 1-0 IDLE 60000 JUSTID"]);
        let read = "XREADGROUP GROUP g bert NOACK CLAIM 50000 STREAMS s >";
        assert_eq!(ids(&claiming_read(connection, read)), ["1-0", "4-0"]);
        let expected = [("1-0", "bert", 2), ("2-0", "anna", 1), ("3-0", "anna", 1)];
        assert_eq!(pending(connection), owned(&expected));
    });
}

#[test]
fn a_read_of_ones_own_history_claims_nothing() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        run_all(connection, &["XCLAIM s g anna 0 1-0 IDLE 60000 JUSTID"]);
        let history: StreamReadReply =
            run(connection, "XREADGROUP GROUP g bert CLAIM 0 STREAMS s 0").unwrap();
        assert_eq!(history.keys[0].ids.len(), 0);
        assert_eq!(pending(connection)[0].1, "anna");
    });
}

#[test]
fn a_released_entry_counts_its_deliveries_as_it_was_told() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        let release = |connection: &mut Connection, what: &str| -> u64 {
            run(connection, &format!("XNACK s g {what}")).unwrap()
        };
        assert_eq!(release(connection, "SILENT IDS 1 1-0"), 1);
        assert_eq!(
            release(connection, "FAIL IDS 2 2-0 4-0"),
            1,
            "4-0 is not pending"
        );
        assert_eq!(release(connection, "FATAL IDS 1 3-0"), 1);
        let fatal = i64::MAX.unsigned_abs();
        assert_eq!(
            pending(connection),
            owned(&[("1-0", "", 0), ("2-0", "", 1), ("3-0", "", fatal)])
        );
        assert_eq!(release(connection, "FAIL IDS 1 3-0 RETRYCOUNT 5"), 1);
        assert_eq!(
            release(connection, "SILENT IDS 2 4-0 9-0 FORCE"),
            1,
            "9-0 does not exist"
        );
        let expected = [
            ("1-0", "", 0),
            ("2-0", "", 1),
            ("3-0", "", 5),
            ("4-0", "", 0),
        ];
        assert_eq!(pending(connection), owned(&expected));
        let idle: Vec<(String, String, i64, u64)> =
            run(connection, "XPENDING s g 1-0 1-0 1").unwrap();
        assert_eq!(idle[0].2, -1, "nobody has it");
        assert_eq!(
            run(connection, "XACK s g 1-0 2-0"),
            Ok(2),
            "it can be acknowledged"
        );
    });
}

#[test]
fn a_released_entry_is_the_first_to_be_claimed() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        run_all(
            connection,
            &[
                "XCLAIM s g anna 0 1-0 2-0 IDLE 60000 JUSTID",
                "XNACK s g FAIL IDS 1 3-0",
            ],
        );
        let read = "XREADGROUP GROUP g bert COUNT 2 CLAIM 50000 STREAMS s >";
        assert_eq!(ids(&claiming_read(connection, read)), ["3-0", "1-0"]);
        run_all(connection, &["XNACK s g FAIL IDS 1 1-0"]);
        let due: StreamAutoClaimReply = run(connection, "XAUTOCLAIM s g carl 3600000 0").unwrap();
        assert_eq!(
            due.claimed.len(),
            1,
            "however long an entry must have been idle"
        );
        assert_eq!(due.claimed[0].id, "1-0");
        let anna = ("2-0".to_owned(), "anna".to_owned(), 1);
        assert!(pending(connection).contains(&anna));
    });
}

#[test]
fn a_producer_may_repeat_itself() {
    each_version(|connection| {
        let add = |connection: &mut Connection, line: &str| -> String {
            run(connection, &format!("XADD s {line}")).unwrap()
        };
        let first = add(connection, "IDMP anna one * f v");
        assert_eq!(add(connection, "IDMP anna one * f v"), first);
        assert_ne!(
            add(connection, "IDMP bert one * f v"),
            first,
            "of another producer"
        );
        assert_ne!(
            add(connection, "IDMP anna two * f v"),
            first,
            "of another id"
        );
        let content = add(connection, "IDMPAUTO anna * f v");
        assert_eq!(add(connection, "IDMPAUTO anna * f v"), content);
        assert_ne!(add(connection, "IDMPAUTO anna * f w"), content);
        assert_eq!(run(connection, "XLEN s"), Ok(5));
        let info: std::collections::BTreeMap<String, Value> =
            run(connection, "XINFO STREAM s").unwrap();
        let expected = [
            ("idmp-duration", 100),
            ("idmp-maxsize", 100),
            ("pids-tracked", 2),
            ("iids-tracked", 5),
            ("iids-added", 5),
            ("iids-duplicates", 2),
        ];
        for (name, value) in expected {
            assert_eq!(info[name], Value::Int(value), "{name}");
        }
        let refused: RedisResult<String> = run(connection, "XADD none NOMKSTREAM IDMP a b 1-1 f v");
        assert!(refused.is_err(), "ids must be the server's choice");
    });
}

#[test]
fn a_stream_remembers_as_much_of_its_producers_as_it_was_told() {
    each_version(|connection| {
        let add = |connection: &mut Connection, id: &str| -> String {
            run(connection, &format!("XADD s IDMP anna {id} * f v")).unwrap()
        };
        let first = add(connection, "one");
        run_all(connection, &["XCFGSET s IDMP-MAXSIZE 1"]);
        let second = add(connection, "one");
        assert_ne!(second, first, "another setting forgets all");
        run_all(connection, &["XCFGSET s IDMP-MAXSIZE 1 IDMP-DURATION 100"]);
        assert_eq!(add(connection, "one"), second, "the same setting does not");
        add(connection, "two");
        assert_ne!(add(connection, "one"), second, "only the newest is kept");
        let refusals = [
            ("XCFGSET none IDMP-MAXSIZE 1", "no such key"),
            ("XCFGSET s IDMP-MAXSIZE 0", "IDMP-MAXSIZE"),
            ("XCFGSET s IDMP-DURATION 86401", "IDMP-DURATION"),
            ("XCFGSET s", "parameter"),
        ];
        for (line, part) in refusals {
            let error = run::<Value>(connection, line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    });
}

/// What Redis 8.2.3 leaves undone and later versions do; see docs/DIFFERENCES.md.
#[test]
fn an_approximate_trim_minds_references() {
    each_version(|connection| {
        run_all(
            connection,
            &[
                "XGROUP CREATE s g 0 MKSTREAM",
                "XGROUP CREATE t g 0 MKSTREAM",
            ],
        );
        for key in ["s", "t"] {
            for number in 1..=300 {
                run_all(connection, &[&format!("XADD {key} {number}-0 f v")]);
            }
            run_all(
                connection,
                &[&format!("XREADGROUP GROUP g anna STREAMS {key} >")],
            );
        }
        for number in 1..=250 {
            run_all(connection, &[&format!("XACK s g {number}-0")]);
        }
        assert_eq!(
            run(connection, "XTRIM s MAXLEN ~ 10 ACKED"),
            Ok(200),
            "two whole nodes"
        );
        assert_eq!(
            run(connection, "XTRIM s MAXLEN = 10 ACKED"),
            Ok(50),
            "what all have had"
        );
        assert_eq!(run(connection, "XLEN s"), Ok(50));
        assert_eq!(run(connection, "XTRIM t MAXLEN ~ 10 DELREF"), Ok(200));
        let left: (u64, String, String, Value) = run(connection, "XPENDING t g").unwrap();
        assert_eq!((left.0, left.1.as_str()), (100, "201-0"));
    });
}

#[test]
fn a_group_that_is_gone_holds_nothing_back() {
    each_version(|connection| {
        run_all(connection, THREE_PENDING);
        assert_eq!(run(connection, "XDELEX s ACKED IDS 2 1-0 4-0"), Ok([2, 2]));
        run_all(connection, &["XGROUP DESTROY s g"]);
        assert_eq!(run(connection, "XDELEX s ACKED IDS 2 1-0 4-0"), Ok([1, 1]));
    });
}
