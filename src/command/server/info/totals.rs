//! The sections on what happened since the start or the last CONFIG RESETSTAT.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::{Text, ratio};
use crate::command::table::table;
use crate::metrics::{CommandStats, Counter, Distribution, PassTimes};
use crate::pubsub::Space;

/// Counters of Redis for what does not happen here.
const NOTHING: &[&str] = &[
    "latest_fork_usec",
    "total_forks",
    "migrate_cached_sockets",
    "slave_expires_tracked_keys",
    "active_defrag_hits",
    "active_defrag_misses",
    "active_defrag_key_hits",
    "active_defrag_key_misses",
    "tracking_total_keys",
    "tracking_total_items",
    "tracking_total_prefixes",
];

pub(super) fn stats(text: &mut Text, facts: &Facts<'_>) {
    let engine = facts.engine;
    let per_second = engine.rates.lock().per_second();
    let kilobytes = |bytes| ratio(bytes, 1024);
    text.line(
        "total_connections_received",
        engine.sum(|stats| &stats.connections),
    );
    text.line(
        "total_commands_processed",
        engine.sum(|stats| &stats.commands_total),
    );
    text.line("instantaneous_ops_per_sec", per_second.commands);
    text.line(
        "total_net_input_bytes",
        engine.sum(|stats| &stats.received_bytes),
    );
    text.line(
        "total_net_output_bytes",
        engine.sum(|stats| &stats.sent_bytes),
    );
    text.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    text.line(
        "instantaneous_input_kbps",
        kilobytes(per_second.received_bytes),
    );
    text.line(
        "instantaneous_output_kbps",
        kilobytes(per_second.sent_bytes),
    );
    text.line("instantaneous_input_repl_kbps", "0.00");
    text.line("instantaneous_output_repl_kbps", "0.00");
    text.line("rejected_connections", engine.rejected_connections.get());
    text.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    text.line("expired_subkeys", facts.expired_fields_total);
    text.line("expired_keys", facts.expired_total);
    text.line("expired_stale_perc", "0.00");
    text.line("evicted_keys", 0);
    text.line("evicted_clients", engine.evicted_clients.get());
    text.line("evicted_scripts", 0);
    text.zeros(&[
        "total_eviction_exceeded_time",
        "current_eviction_exceeded_time",
    ]);
    text.line("keyspace_hits", engine.sum(|stats| &stats.hits));
    text.line("keyspace_misses", engine.sum(|stats| &stats.misses));
    text.line("pubsub_channels", engine.pubsub.channels_len(Space::Global));
    text.line("pubsub_patterns", engine.pubsub.patterns_len());
    text.line(
        "pubsubshard_channels",
        engine.pubsub.channels_len(Space::Shard),
    );
    text.zeros(NOTHING);
    text.line("unexpected_error_replies", 0);
    text.line(
        "total_error_replies",
        engine.sum(|stats| &stats.error_replies),
    );
    text.line("total_reads_processed", engine.sum(|stats| &stats.reads));
    text.line("total_writes_processed", engine.sum(|stats| &stats.writes));
    denials(text, facts);
}

/// Counters of what ACL LOG tells more of.
fn denials(text: &mut Text, facts: &Facts<'_>) {
    let engine = facts.engine;
    text.line(
        "acl_access_denied_auth",
        engine.sum(|stats| &stats.denied_logins),
    );
    text.line(
        "acl_access_denied_cmd",
        engine.sum(|stats| &stats.denied_commands),
    );
    text.line(
        "acl_access_denied_key",
        engine.sum(|stats| &stats.denied_keys),
    );
    text.line(
        "acl_access_denied_channel",
        engine.sum(|stats| &stats.denied_channels),
    );
}

/// What Redis has no field for.
pub(super) fn weir(text: &mut Text, facts: &Facts<'_>) {
    let engine = facts.engine;
    text.line("workers", engine.workers.len());
    text.line("health", engine.health().name());
    text.line("published_messages", engine.sum(|stats| &stats.published));
    text.line("delivered_messages", engine.sum(|stats| &stats.delivered));
    text.line(
        "outbox_dropped_messages",
        engine.sum(|stats| &stats.outbox_dropped),
    );
    text.line(
        "routes_refused_messages",
        engine.sum(|stats| &stats.routes_refused),
    );
    text.line(
        "protocol_errors",
        engine.sum(|stats| &stats.protocol_errors),
    );
}

/// How long workers were at work between two waits for their sockets.
pub(super) fn passes(text: &mut Text, facts: &Facts<'_>) {
    let workers = &facts.engine.workers;
    let all = PassTimes::of(workers.iter().map(|worker| &worker.passes));
    text.line("loop_passes", all.times.calls());
    text.line("loop_usec", all.total_us);
    for (field, per_thousand) in [("p50", 500), ("p99", 990), ("p999", 999)] {
        text.line(
            &format!("loop_usec_{field}"),
            all.percentile_us(per_thousand),
        );
    }
    text.line("loop_usec_max", all.longest_us);
    for (index, worker) in workers.iter().enumerate() {
        let own = PassTimes::of([&worker.passes]);
        let [p50, p99, p999] = [500, 990, 999].map(|share| own.percentile_us(share));
        let value = format!(
            "passes={},usec={},p50={p50},p99={p99},p999={p999},max={}",
            own.times.calls(),
            own.total_us,
            own.longest_us
        );
        text.line(&format!("loop_worker{index}"), value);
    }
}

/// How often shards were waited for and held, for less than so many nanoseconds, since the last look.
#[cfg(feature = "lock-times")]
pub(super) fn locks(text: &mut Text, _facts: &Facts<'_>) {
    use crate::store::lock_times::{HOLDS, WAITS};
    for (name, times) in [("waits", &WAITS), ("holds", &HOLDS)] {
        let counts = times.take();
        let counts = counts.iter().map(|(ns, count)| format!("{ns}={count}"));
        text.line(
            &format!("shard_{name}_ns"),
            counts.collect::<Vec<_>>().join(","),
        );
    }
}

/// What came, what was delivered, what is held and what was lost, over all queues and outboxes
/// since the start; see docs/POLICY.md.
pub(super) fn ledger(text: &mut Text, facts: &Facts<'_>) {
    for (name, count) in facts.totals.fields() {
        text.line(&name, count);
    }
}

/// The counters of each command over all workers, in the order of the table.
fn commands<'f>(
    facts: &'f Facts<'_>,
) -> impl Iterator<Item = (&'static str, Vec<&'f CommandStats>)> {
    let workers = &facts.engine.workers;
    (0..table().stats_len()).map(|index| {
        (
            table().name(index),
            workers
                .iter()
                .map(|worker| &worker.commands[index])
                .collect(),
        )
    })
}

pub(super) fn commandstats(text: &mut Text, facts: &Facts<'_>) {
    for (name, stats) in commands(facts) {
        let sum = |counter: fn(&CommandStats) -> &Counter| -> u64 {
            stats.iter().map(|stats| counter(stats).get()).sum()
        };
        let (calls, usec) = (sum(|stats| &stats.calls), sum(|stats| &stats.usec));
        let (rejected, failed) = (sum(|stats| &stats.rejected), sum(|stats| &stats.failed));
        if calls + rejected + failed > 0 {
            let per_call = ratio(usec, calls);
            let value = format!(
                "calls={calls},usec={usec},usec_per_call={per_call},rejected_calls={rejected},failed_calls={failed}"
            );
            text.line(&format!("cmdstat_{name}"), value);
        }
    }
}

pub(super) fn errorstats(text: &mut Text, facts: &Facts<'_>) {
    let mut sums: BTreeMap<Box<[u8]>, u64> = BTreeMap::new();
    for worker in &facts.engine.workers {
        for (code, count) in worker.error_codes.lock().iter() {
            *sums.entry(code.clone()).or_default() += count;
        }
    }
    for (code, count) in sums {
        let code = String::from_utf8_lossy(&code).into_owned();
        text.line(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencystats(text: &mut Text, facts: &Facts<'_>) {
    for (name, stats) in commands(facts) {
        let mut times = Distribution::default();
        for histogram in stats.iter().filter_map(|stats| stats.times.get()) {
            times.add(histogram);
        }
        if times.calls() > 0 {
            let [p50, p99, p999] = [500, 990, 999].map(|share| times.percentile_us(share));
            let value = format!("p50={p50}.000,p99={p99}.000,p99.9={p999}.000");
            text.line(&format!("latency_percentiles_usec_{name}"), value);
        }
    }
}
