//! INFO: what the server knows of itself, as text that tools parse.
//!
//! Fields have Redis's names and units. A field of Redis that would have to be invented is left
//! out; one that is truly nothing here (evictions, forks, replicas) is 0.

mod backlog;
mod facts;
mod process;
mod sections;
mod totals;

use std::fmt::{Display, Write as _};

use crate::protocol::Args;

use super::super::call::Call;
use super::super::outcome::{Outcome, Result};
use backlog::Backlogs;
use facts::Facts;

/// The text as it grows.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    fn title(&mut self, title: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# {title}\r\n");
    }

    fn line(&mut self, field: &str, value: impl Display) {
        let _ = write!(self.0, "{field}:{value}\r\n");
    }

    /// Fields that are nothing here.
    fn zeros(&mut self, fields: &[&str]) {
        for field in fields {
            self.line(field, 0);
        }
    }

    /// Bytes, and beside them the same for people.
    fn bytes(&mut self, field: &str, bytes: u64) {
        self.line(field, bytes);
        self.line(&format!("{field}_human"), human(bytes));
    }
}

/// A section: its name, its title, whether INFO without arguments shows it, how to write it.
type Section = (&'static str, &'static str, bool, fn(&mut Text, &Facts<'_>));

/// The sections in the order in which they are shown.
const SECTIONS: &[Section] = &[
    ("server", "Server", true, sections::server),
    ("clients", "Clients", true, sections::clients),
    ("memory", "Memory", true, sections::memory),
    ("persistence", "Persistence", true, sections::persistence),
    ("stats", "Stats", true, totals::stats),
    ("weir", "Weir", true, totals::weir),
    ("loop", "Loop", true, totals::passes),
    #[cfg(feature = "lock-times")]
    ("locks", "Locks", false, totals::locks),
    ("ledger", "Ledger", true, totals::ledger),
    ("backlog", "Backlog", false, backlog::backlog),
    ("replication", "Replication", true, sections::replication),
    ("cpu", "CPU", true, sections::cpu),
    ("modules", "Modules", true, |_, _| {}),
    ("commandstats", "Commandstats", false, totals::commandstats),
    ("errorstats", "Errorstats", true, totals::errorstats),
    ("latencystats", "Latencystats", false, totals::latencystats),
    ("cluster", "Cluster", true, |text, _| {
        text.line("cluster_enabled", 0);
    }),
    ("keyspace", "Keyspace", true, sections::keyspace),
];

/// INFO [section [section ...]]
pub(super) fn info(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let asked = |word: &str| {
        args.from(1)
            .any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    let by_default = args.len() == 1 || asked("default");
    let all = asked("all") || asked("everything");
    let mut facts = Facts::gather(call);
    if all || asked("backlog") {
        facts.backlogs = Some(Backlogs::gather(call));
    }
    let mut text = Text::default();
    for (name, title, is_default, write) in SECTIONS {
        if all || by_default && *is_default || asked(name) {
            text.title(title);
            write(&mut text, &facts);
        }
    }
    call.reply.verbatim("txt", text.0.as_bytes());
    Ok(Outcome::Done)
}

/// A share of a whole with two decimals, without floating point.
fn ratio(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 100 / u128::from(whole.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Bytes as Redis writes them for people: `750.18K`.
fn human(bytes: u64) -> String {
    for (bits, unit) in [(50, 'P'), (40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')] {
        if bytes >> bits > 0 {
            return format!("{}{unit}", ratio(bytes, 1 << bits));
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::human;
    use crate::command::testing::Bench;

    #[test]
    fn bytes_are_readable() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (768_184, "750.17K"),
            (25_276_502_016, "23.54G"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn keys_that_clients_wait_for_are_counted() {
        let bench = Bench::new();
        bench.run("XGROUP CREATE stream g $ MKSTREAM");
        let (mut reader, mut popper) = (bench.client(), bench.client());
        bench.play(&mut reader, "XREADGROUP GROUP g c BLOCK 0 STREAMS stream >");
        bench.play(&mut popper, "BLPOP a b 0");
        let text = bench.run("INFO clients");
        assert!(
            text.contains("total_blocking_keys:3 total_blocking_keys_on_nokey:1"),
            "{text}"
        );
    }

    #[test]
    fn backlogs_are_shown_when_asked_for() {
        let bench = Bench::new();
        bench.run("RPUSH jobs a bb");
        bench.run("XADD log * k v");
        let text = bench.run("INFO backlog");
        for field in [
            "# Backlog queues:1 streams:1 idle:0 flowing:1 building_up:1 stalled:0 length:3 ",
            " queue0:db=0,name=jobs,state=building-up,length=2,bytes=3,oldest_age_ms=0,",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert!(!bench.run("INFO").contains("# Backlog"));
    }

    #[test]
    fn passes_of_workers_are_told_until_statistics_start_again() {
        let bench = Bench::new();
        for us in [10, 10, 10, 2500] {
            bench.engine.workers[0].passes.note(us);
        }
        let text = bench.run("INFO loop");
        for field in [
            "# Loop loop_passes:4 loop_usec:2530 loop_usec_p50:11 loop_usec_p99:2500 ",
            " loop_usec_max:2500 loop_worker0:passes=4,usec=2530,p50=11,p99=2500,p999=2500,max=2500",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
        bench.run("CONFIG RESETSTAT");
        assert!(bench.run("INFO loop").contains("loop_usec_max:0 "));
    }

    #[test]
    fn sections_are_chosen() {
        let bench = Bench::new();
        let default = bench.run("INFO");
        for title in ["# Server", "# Memory", "# Errorstats", "# Keyspace"] {
            assert!(default.contains(title), "{title}");
        }
        assert!(!default.contains("# Commandstats"));
        assert!(bench.run("INFO ALL").contains("# Latencystats"));
        assert_eq!(bench.run("INFO nosuch"), "$0");
        assert_eq!(bench.run("INFO Cluster"), "$30 # Cluster cluster_enabled:0");
    }

    #[test]
    fn hits_are_counted_as_redis_counts_them() {
        for (command, hits) in [
            ("LLEN stream", 1),
            ("LPOS stream a", 1),
            ("GETEX list", 1),
            ("ZCARD list", 1),
            ("ZSCAN list 0", 1),
            ("ZUNION 2 sorted list", 2),
            ("ZRANGESTORE d list 0 -1", 1),
            ("SORT stream", 1),
            ("PFMERGE d list", 1),
            ("XLEN list", 1),
            ("XRANGE list - +", 1),
            ("XREAD STREAMS stream list 0 0", 2),
            ("XINFO STREAM list", 1),
            ("XACK list g 1", 1),
            ("XNACK list g FAIL IDS 1 1-1", 0),
            ("XDELEX list IDS 1 1-1", 0),
            ("XREADGROUP GROUP g c STREAMS stream >", 2),
            ("XREADGROUP GROUP g c STREAMS stream stream 0 >", 4),
            ("XREADGROUP GROUP other c STREAMS stream >", 1),
            ("XREADGROUP GROUP g c STREAMS list >", 1),
            ("XACKDEL stream g IDS 1 1-1", 1),
            ("XACKDEL stream other IDS 1 1-1", 1),
            ("XACKDEL stream g IDS 1 x", 1),
            ("XACKDEL list g IDS 1 1-1", 1),
            ("XAUTOCLAIM stream g c x 0", 1),
            ("XAUTOCLAIM stream g c 0 0", 1),
            ("XAUTOCLAIM list g c 0 0", 1),
        ] {
            let bench = Bench::new();
            bench.run("RPUSH list a b");
            bench.run("ZADD sorted 1 a");
            bench.run("XADD stream 1-1 f v");
            bench.run("XGROUP CREATE stream g 0");
            let before = bench.engine.sum(|stats| &stats.hits);
            bench.run(command);
            let counted = bench.engine.sum(|stats| &stats.hits) - before;
            assert_eq!(counted, hits, "{command}");
        }
    }

    #[test]
    fn what_is_refused_counts_as_rejected() {
        let bench = Bench::new();
        for request in ["GET", "LPUSH a", "CLIENT KILL", "CONFIG", "CONFIG nosuch"] {
            bench.run(request);
        }
        let all = bench.run("INFO commandstats");
        for name in ["get", "lpush", "client|kill", "config"] {
            let times = "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0";
            let field = format!("cmdstat_{name}:{times}");
            assert!(all.contains(&field), "{field} in {all}");
        }
    }

    #[test]
    fn listeners_say_what_they_speak() {
        let flags = ["weir", "--tls-port", "7001"].map(std::ffi::OsString::from);
        let loaded = crate::config::load(flags.into_iter(), std::iter::empty());
        let Ok(crate::config::Loaded::Run(start)) = loaded else {
            panic!("the flag is known");
        };
        let bench = Bench::with_config(start.config);
        let addresses = ["127.0.0.1:7000", "127.0.0.1:7001", "/s"].map(str::to_owned);
        bench.engine.note_addresses(&addresses);
        let server = bench.run("INFO server");
        for listener in [
            "listener0:name=tcp,bind=127.0.0.1,port=7000 ",
            "listener1:name=tls,bind=127.0.0.1,port=7001 ",
            "listener2:name=unix,bind=/s ",
        ] {
            assert!(server.contains(listener), "{listener} in {server}");
        }
    }

    #[test]
    fn tools_find_their_fields() {
        let bench = Bench::new();
        let mut client = bench.client();
        bench.play(&mut client, "SET a 1 EX 100");
        bench.play(&mut client, "RPUSH queue a b");
        bench.play(&mut client, "LPUSH a x");
        let all = bench.play(&mut client, "INFO everything");
        for field in [
            "redis_version:7.2.",
            "redis_mode:standalone",
            "arch_bits:64",
            "loading:0",
            "role:master",
            "maxmemory_policy:noeviction",
            "uptime_in_seconds:0",
            "connected_clients:1 ",
            "blocked_clients:0",
            "used_memory_human:",
            "used_memory_peak_human:",
            "total_commands_processed:",
            "cmdstat_rpush:calls=1,",
            "latency_percentiles_usec_rpush:p50=",
            "errorstat_WRONGTYPE:count=1 ",
            "cluster_enabled:0",
            "tcp_port:6379",
            "run_id:",
            "db0:keys=2,expires=",
        ] {
            assert!(all.contains(field), "{field} in {all}");
        }
        assert!(!all.contains("valkey") && !all.contains("dragonfly"));
    }
}
