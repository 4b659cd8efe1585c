//! The sections on what is: server, clients, memory, keys.

use std::sync::atomic::Ordering::Relaxed;

use super::facts::Facts;
use super::process::{self, Cpu};
use super::{Text, ratio};
use crate::command::connection::REDIS_VERSION;
use crate::store::reclaim;

pub(super) fn server(text: &mut Text, facts: &Facts<'_>) {
    let engine = facts.engine;
    let live = engine.config.live();
    text.line("redis_version", REDIS_VERSION);
    text.line("weir_version", env!("CARGO_PKG_VERSION"));
    text.line("redis_git_sha1", "00000000");
    text.line("redis_git_dirty", 0);
    text.line("redis_mode", "standalone");
    text.line("os", process::system());
    text.line("arch_bits", usize::BITS);
    text.line("monotonic_clock", "POSIX clock_gettime");
    text.line("multiplexing_api", "epoll");
    text.line("process_id", std::process::id());
    text.line("process_supervised", "no");
    text.line("run_id", &engine.run_id);
    let addresses = engine.addresses.lock().clone();
    let tcp: Vec<(&str, &str)> = addresses.iter().filter_map(|at| tcp_parts(at)).collect();
    let configured = engine.config.settings().port.to_string();
    text.line(
        "tcp_port",
        tcp.first().map_or(&*configured, |(_, port)| port),
    );
    text.line(
        "server_time_usec",
        facts.now.unix_ms * 1000 + facts.now.mono_us % 1000,
    );
    text.line("uptime_in_seconds", facts.uptime_s());
    text.line("uptime_in_days", facts.uptime_s() / 86_400);
    text.line("hz", live.hz());
    text.line("configured_hz", live.hz());
    text.line("lru_clock", (facts.now.unix_ms / 1000) & 0xff_ffff);
    let executable = std::env::current_exe().unwrap_or_default();
    text.line("executable", executable.display());
    let file = engine.config.file().unwrap_or(std::path::Path::new(""));
    text.line("config_file", file.display());
    text.line("io_threads_active", 0);
    let tls_port = engine.config.settings().tls_port.to_string();
    for (index, address) in addresses.iter().enumerate() {
        let listener = match tcp_parts(address) {
            Some((bind, port)) => {
                let kind = if port == tls_port { "tls" } else { "tcp" };
                format!("name={kind},bind={bind},port={port}")
            }
            None => format!("name=unix,bind={address}"),
        };
        text.line(&format!("listener{index}"), listener);
    }
    let http = engine.http_address.get();
    text.line("http_address", http.map_or("", String::as_str));
}

/// Host and port of where the server listens, unless that is a Unix socket.
fn tcp_parts(address: &str) -> Option<(&str, &str)> {
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    Some((host.trim_matches(['[', ']']), port))
}

pub(super) fn clients(text: &mut Text, facts: &Facts<'_>) {
    let clients = &facts.clients;
    text.line("connected_clients", clients.len);
    text.line("cluster_connections", 0);
    text.line("maxclients", facts.engine.config.live().maxclients());
    text.line("client_recent_max_input_buffer", clients.input_bytes_max);
    text.line("client_recent_max_output_buffer", clients.output_bytes_max);
    text.line(
        "blocked_clients",
        facts.engine.blocked_clients_len.load(Relaxed),
    );
    text.line("tracking_clients", 0);
    text.line("pubsub_clients", clients.subscribers_len);
    text.line("watching_clients", clients.watchers_len);
    text.line("total_watched_keys", clients.watched_len);
    text.line("total_blocking_keys", facts.waited_keys_len);
    let len = facts.removal_waited_keys_len;
    text.line("total_blocking_keys_on_nokey", len);
}

/// What is used is what is resident, and `maxmemory` bounds just that.
pub(super) fn memory(text: &mut Text, facts: &Facts<'_>) {
    let engine = facts.engine;
    let used_bytes = engine.resident_bytes.load(Relaxed);
    let peak_bytes = engine.resident_bytes_peak.load(Relaxed);
    text.bytes("used_memory", used_bytes);
    text.bytes("used_memory_rss", used_bytes);
    text.bytes("used_memory_peak", peak_bytes);
    text.line(
        "used_memory_peak_perc",
        ratio(used_bytes * 100, peak_bytes) + "%",
    );
    let system_bytes = engine.config.machine().memory_bytes.unwrap_or(0);
    text.bytes("total_system_memory", system_bytes);
    text.bytes("maxmemory", engine.config.live().maxmemory_bytes());
    text.line("maxmemory_policy", "noeviction");
    text.line("mem_fragmentation_ratio", "1.00");
    text.line("number_of_cached_scripts", engine.scripts.len());
    text.line("mem_clients_normal", facts.clients.buffers_bytes);
    text.zeros(&[
        "mem_fragmentation_bytes",
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_clients_slaves",
        "mem_cluster_links",
        "mem_aof_buffer",
    ]);
    text.line("mem_allocator", "mimalloc");
    text.zeros(&["active_defrag_running"]);
    text.line("lazyfree_pending_objects", reclaim::pending_len());
    text.line("lazyfreed_objects", reclaim::freed_total());
}

pub(super) fn persistence(text: &mut Text, facts: &Facts<'_>) {
    text.zeros(&[
        "loading",
        "async_loading",
        "current_cow_size",
        "rdb_changes_since_last_save",
        "rdb_bgsave_in_progress",
    ]);
    text.line("rdb_last_save_time", facts.engine.saved_s.load(Relaxed));
    text.line("rdb_last_bgsave_status", "ok");
    text.line("rdb_last_bgsave_time_sec", -1);
    text.line("rdb_current_bgsave_time_sec", -1);
    text.zeros(&[
        "rdb_saves",
        "rdb_last_cow_size",
        "aof_enabled",
        "aof_rewrite_in_progress",
        "aof_rewrite_scheduled",
    ]);
    text.line("aof_last_rewrite_time_sec", -1);
    text.line("aof_current_rewrite_time_sec", -1);
    text.line("aof_last_bgrewrite_status", "ok");
    text.line("aof_last_write_status", "ok");
    text.zeros(&["aof_last_cow_size", "module_fork_in_progress"]);
}

pub(super) fn replication(text: &mut Text, facts: &Facts<'_>) {
    text.line("role", "master");
    text.line("connected_slaves", 0);
    text.line("master_failover_state", "no-failover");
    text.line("master_replid", &facts.engine.run_id);
    text.line("master_replid2", "0".repeat(40));
    text.line("master_repl_offset", 0);
    text.line("second_repl_offset", -1);
    text.zeros(&[
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ]);
}

pub(super) fn cpu(text: &mut Text, _facts: &Facts<'_>) {
    let (process, main) = (Cpu::of_process(), Cpu::of_main_thread());
    for (field, hundredths) in [
        ("used_cpu_sys", process.system),
        ("used_cpu_user", process.user),
        ("used_cpu_sys_children", process.system_children),
        ("used_cpu_user_children", process.user_children),
        ("used_cpu_sys_main_thread", main.system),
        ("used_cpu_user_main_thread", main.user),
    ] {
        text.line(field, process::seconds(hundredths));
    }
}

pub(super) fn keyspace(text: &mut Text, facts: &Facts<'_>) {
    for (db, database) in facts.databases.iter().enumerate() {
        if database.keys_len > 0 {
            let value = format!(
                "keys={},expires={},avg_ttl={},subexpiry={}",
                database.keys_len,
                database.expiring_len,
                database.ttl_mean_ms(facts.now.unix_ms),
                database.timed_len
            );
            text.line(&format!("db{db}"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tcp_parts;

    #[test]
    fn addresses_have_their_parts() {
        assert_eq!(tcp_parts("127.0.0.1:6379"), Some(("127.0.0.1", "6379")));
        assert_eq!(tcp_parts("[::1]:7"), Some(("::1", "7")));
        assert_eq!(tcp_parts("/run/weir.sock"), None);
        assert_eq!(tcp_parts("/run/a:b"), None);
    }
}
