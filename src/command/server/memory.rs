//! MEMORY: what keys and the process take.

use std::sync::atomic::Ordering::Relaxed;

use crate::flags;
use crate::limits::DATABASES;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Entry;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::{Command, Keys};
use super::as_integer;

/// MEMORY and its subcommands.
#[rustfmt::skip]
pub(super) const MEMORY: Command =
    container!("memory", "server", "4.0.0", "A container for memory diagnostics commands.", [
        Command::new("usage", -3, flags![READONLY], Keys::Range { first: 2, last: 2, step: 1 },
            "server", "4.0.0", "Returns the memory that a key and its value take.", usage),
        row!("stats", 2, flags![WALKS_KEYS], "4.0.0",
            "Returns details about memory usage.", stats),
        row!("doctor", 2, flags![], "4.0.0",
            "Outputs a memory problems report.", doctor),
        row!("malloc-stats", 2, flags![], "4.0.0",
            "Returns what the system says of the process's memory.", malloc_stats),
        row!("purge", 2, flags![], "4.0.0",
            "Does nothing: the allocator gives memory back by itself.", purge),
    ]);

/// MEMORY USAGE key [SAMPLES count]
///
/// The answer is exact, so there is nothing to sample.
fn usage(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let mut options = args.from(3);
    while let Some(option) = options.next() {
        let count = options
            .next()
            .filter(|_| option.eq_ignore_ascii_case(b"samples"));
        if parse_i64(count.ok_or(Error::Syntax)?).ok_or(Error::NotInteger)? < 0 {
            return Err(Error::Syntax);
        }
    }
    let key = call.key(args.at(2));
    let now_ms = call.now_ms();
    let bytes = call.shard(&key).peek(&key, now_ms).map(Entry::heap_bytes);
    match bytes {
        None => call.reply.null(),
        Some(bytes) => call.reply.integer(as_integer(bytes)),
    }
    Ok(Outcome::Done)
}

/// MEMORY STATS
fn stats(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let dbs = || (0..DATABASES).filter_map(|db| u8::try_from(db).ok());
    let tables = call.each_shard(|_, shard| {
        let table = |db| (shard.keys_len(db), shard.table(db).heap_bytes());
        dbs().map(table).collect::<Vec<_>>()
    });
    let mut sums = vec![(0, 0); DATABASES];
    for shard in tables {
        for (sum, (keys_len, bytes)) in sums.iter_mut().zip(shard) {
            *sum = (sum.0 + keys_len, sum.1 + bytes);
        }
    }
    let used_bytes = call.engine.resident_bytes.load(Relaxed);
    let peak_bytes = call.engine.resident_bytes_peak.load(Relaxed).max(1);
    let keys_len: usize = sums.iter().map(|(keys_len, _)| keys_len).sum();
    let tables_bytes: usize = sums.iter().map(|(_, bytes)| bytes).sum();
    let filled: Vec<_> = sums
        .iter()
        .enumerate()
        .filter(|(_, (keys_len, _))| *keys_len > 0)
        .collect();
    let clients_bytes: usize = call
        .engine
        .clients
        .all()
        .iter()
        .map(|client| client.query_bytes.load(Relaxed) + client.output_bytes.load(Relaxed))
        .sum();
    let reply = &mut *call.reply;
    reply.map(8 + filled.len());
    let mut field = |name: &str, value: i64| {
        reply.bulk_str(name);
        reply.integer(value);
    };
    field("peak.allocated", as_integer(peak_bytes));
    field("total.allocated", as_integer(used_bytes));
    field("replication.backlog", 0);
    field("clients.normal", as_integer(clients_bytes));
    field("overhead.total", as_integer(tables_bytes + clients_bytes));
    field("keys.count", as_integer(keys_len));
    let per_key = used_bytes.checked_div(keys_len as u64).unwrap_or(0);
    field("keys.bytes-per-key", as_integer(per_key));
    for (db, (_, bytes)) in filled {
        reply.bulk_str(&format!("db.{db}"));
        reply.map(1);
        reply.bulk_str("overhead.hashtable.main");
        reply.integer(as_integer(*bytes));
    }
    reply.bulk_str("peak.percentage");
    #[allow(clippy::cast_precision_loss, reason = "a share for people")]
    reply.double(used_bytes as f64 * 100.0 / peak_bytes as f64);
    Ok(Outcome::Done)
}

/// MEMORY DOCTOR
fn doctor(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let used_bytes = call.engine.resident_bytes.load(Relaxed);
    let limit_bytes = call.engine.config.live().maxmemory_bytes();
    let text = if limit_bytes == 0 {
        "There is no limit: the system may end the process when memory is short. CONFIG SET \
         maxmemory sets one.\n"
            .to_owned()
    } else if used_bytes > limit_bytes {
        format!(
            "{used_bytes} bytes are used of {limit_bytes}: commands that need more are refused.\n"
        )
    } else {
        format!("{used_bytes} bytes are used of {limit_bytes}. Nothing stands out.\n")
    };
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// MEMORY MALLOC-STATS
fn malloc_stats(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines: Vec<_> = status
        .lines()
        .filter(|line| line.starts_with(['V', 'R']))
        .collect();
    let text = format!("mimalloc; from /proc/self/status:\n{}\n", lines.join("\n"));
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// MEMORY PURGE
fn purge(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn keys_have_their_size() {
        let bench = Bench::new();
        bench.run("SET small x");
        bench.run(&format!("SET large {}", "x".repeat(10_000)));
        let size = |key: &str| -> i64 {
            bench.run(&format!("MEMORY USAGE {key} SAMPLES 0"))[1..]
                .parse()
                .unwrap()
        };
        assert!(size("small") > 0 && size("large") > size("small") + 9_000);
        for n in 0..3000 {
            bench.run(&format!("RPUSH plain {n}"));
            bench.run(&format!("WEIR.PUSH timed TTL 1000 {n}"));
        }
        assert!(size("timed") > size("plain") + 3000 * 50, "notes of TTLs");
        bench.run("WEIR.POLICY SET source MAX-LENGTH 1 DEAD-LETTER dead");
        bench.run(&format!("RPUSH source{}", " x".repeat(101)));
        bench.run(&format!("RPUSH many{}", " x".repeat(100)));
        assert!(size("dead") > size("many") + 100 * 40, "notes of letters");
        assert_eq!(bench.run("MEMORY USAGE nosuch"), "$-1");
        assert_eq!(bench.run("MEMORY USAGE a SAMPLES"), "-ERR syntax error");
        assert_eq!(bench.run("MEMORY USAGE a SAMPLES -1"), "-ERR syntax error");
        assert!(
            bench
                .run("MEMORY USAGE a SAMPLES x")
                .starts_with("-ERR value is not")
        );
        assert!(
            bench
                .run("COMMAND GETKEYS MEMORY USAGE a")
                .ends_with("$1 a")
        );
    }

    #[test]
    fn the_whole_is_described() {
        let bench = Bench::new();
        bench.run("SET a 1");
        bench.engine.note_memory(1 << 20);
        let shown = bench.run("MEMORY STATS");
        assert!(
            shown.starts_with("*18 $14 peak.allocated :1048576"),
            "{shown}"
        );
        assert!(
            shown.contains("$10 keys.count :1") && shown.contains("$4 db.0"),
            "{shown}"
        );
        bench.run("CONFIG SET maxmemory 1");
        assert!(bench.run("MEMORY DOCTOR").contains("are refused"));
        assert_eq!(bench.run("MEMORY PURGE"), "+OK");
        assert!(bench.run("MEMORY MALLOC-STATS").contains("mimalloc"));
    }
}
