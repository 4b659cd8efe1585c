//! Settings of Redis that Weir accepts, remembers and answers, but that have nothing to act on.
//!
//! They keep existing start lines, files, clients and tools working. A setting that asks for
//! something Weir would only pretend to do (TLS, a cluster, a master) takes its off value alone.
//! Names, bounds and defaults are those of Redis 8.2.

use super::honoured::{choice, count, int, only, size, size_signed, text, yes_no};
use super::kind::Kind;
use super::table::{Change, Group, Spec};

const MAX: i64 = i64::MAX;
const INT: i64 = i32::MAX as i64;
const UINT: i64 = u32::MAX as i64;

const fn directory() -> Kind {
    Kind::Directory
}
const fn save_points() -> Kind {
    Kind::SavePoints
}
const fn shutdown() -> Kind {
    Kind::Shutdown
}
const fn percentiles() -> Kind {
    Kind::Percentiles
}
const fn oom_scores() -> Kind {
    Kind::OomScores
}

/// Rows: name, kind, default, when it may change.
macro_rules! inert {
    ($group:ident: $($name:literal $kind:ident $args:tt = $default:literal, $change:ident;)*) => {
        &[$(Spec {
            name: $name,
            group: Group::$group,
            kind: $kind $args,
            default: $default,
            change: Change::$change,
            about: "",
            inert: true,
        },)*]
    };
}

pub(super) const PERSISTENCE: &[Spec] = inert! { Persistence:
    "aof-load-truncated" yes_no() = "yes", Live;
    "aof-rewrite-cpulist" text() = "", Start;
    "aof-rewrite-incremental-fsync" yes_no() = "yes", Live;
    "aof-timestamp-enabled" yes_no() = "no", Live;
    "aof-use-rdb-preamble" yes_no() = "yes", Live;
    "appenddirname" text() = "appendonlydir", Start;
    "appendfilename" text() = "appendonly.aof", Start;
    "appendfsync" choice(&["everysec", "always", "no"]) = "everysec", Live;
    "appendonly" yes_no() = "no", Live;
    "auto-aof-rewrite-min-size" size_signed(0, MAX) = "67108864", Live;
    "auto-aof-rewrite-percentage" int(0, INT) = "100", Live;
    "bgsave-cpulist" text() = "", Start;
    "dbfilename" text() = "dump.rdb", Protected;
    "dir" directory() = ".", Protected;
    "no-appendfsync-on-rewrite" yes_no() = "no", Live;
    "rdb-del-sync-files" yes_no() = "no", Live;
    "rdb-save-incremental-fsync" yes_no() = "yes", Live;
    "rdbchecksum" yes_no() = "yes", Start;
    "rdbcompression" yes_no() = "yes", Live;
    "sanitize-dump-payload" choice(&["no", "yes", "clients"]) = "no", Live;
    "save" save_points() = "", Live;
    "stop-writes-on-bgsave-error" yes_no() = "yes", Live;
};

pub(super) const REPLICATION: &[Spec] = inert! { Replication:
    "masterauth" text() = "", Live;
    "masteruser" text() = "", Live;
    "min-replicas-max-lag" int(0, INT) = "10", Live;
    "min-replicas-to-write" int(0, INT) = "0", Live;
    "propagation-error-behavior" choice(&["ignore", "panic", "panic-on-replicas"]) = "ignore", Live;
    "repl-backlog-size" size_signed(1, MAX) = "1048576", Live;
    "repl-backlog-ttl" int(0, MAX) = "3600", Live;
    "repl-disable-tcp-nodelay" yes_no() = "no", Live;
    "repl-diskless-load" choice(&["disabled", "on-empty-db", "swapdb"]) = "disabled", Live;
    "repl-diskless-sync" yes_no() = "yes", Live;
    "repl-diskless-sync-delay" int(0, INT) = "5", Live;
    "repl-diskless-sync-max-replicas" int(0, INT) = "0", Live;
    "repl-ping-replica-period" int(1, INT) = "10", Live;
    "repl-timeout" int(1, INT) = "60", Live;
    "replica-announce-ip" text() = "", Live;
    "replica-announce-port" int(0, 65535) = "0", Live;
    "replica-announced" yes_no() = "yes", Live;
    "replica-full-sync-buffer-limit" size_signed(0, MAX) = "0", Live;
    "replica-ignore-disk-write-errors" yes_no() = "no", Live;
    "replica-ignore-maxmemory" yes_no() = "yes", Live;
    "replica-lazy-flush" yes_no() = "no", Live;
    "replica-priority" int(0, INT) = "100", Live;
    "replica-read-only" yes_no() = "yes", Live;
    "replica-serve-stale-data" yes_no() = "yes", Live;
    "replicaof" only("") = "", Start;
};

pub(super) const CLUSTER: &[Spec] = inert! { Cluster:
    "cluster-allow-pubsubshard-when-down" yes_no() = "yes", Live;
    "cluster-allow-reads-when-down" yes_no() = "no", Live;
    "cluster-allow-replica-migration" yes_no() = "yes", Live;
    "cluster-announce-bus-port" int(0, 65535) = "0", Live;
    "cluster-announce-hostname" text() = "", Live;
    "cluster-announce-human-nodename" text() = "", Live;
    "cluster-announce-ip" text() = "", Live;
    "cluster-announce-port" int(0, 65535) = "0", Live;
    "cluster-announce-tls-port" int(0, 65535) = "0", Live;
    "cluster-compatibility-sample-ratio" int(0, 100) = "0", Live;
    "cluster-config-file" text() = "nodes.conf", Start;
    "cluster-enabled" only("no") = "no", Start;
    "cluster-link-sendbuf-limit" size(0, MAX) = "0", Live;
    "cluster-migration-barrier" int(0, INT) = "1", Live;
    "cluster-node-timeout" int(0, MAX) = "15000", Live;
    "cluster-port" int(0, 65535) = "0", Start;
    "cluster-preferred-endpoint-type" choice(&["ip", "hostname", "unknown-endpoint"]) = "ip", Live;
    "cluster-replica-no-failover" yes_no() = "no", Live;
    "cluster-replica-validity-factor" int(0, INT) = "10", Live;
    "cluster-require-full-coverage" yes_no() = "yes", Live;
    "cluster-slot-stats-enabled" yes_no() = "no", Live;
};

pub(super) const TLS: &[Spec] = inert! { Tls:
    "tls-ciphers" text() = "", Live;
    "tls-ciphersuites" text() = "", Live;
    "tls-client-cert-file" text() = "", Live;
    "tls-client-key-file" text() = "", Live;
    "tls-client-key-file-pass" text() = "", Live;
    "tls-cluster" yes_no() = "no", Live;
    "tls-dh-params-file" text() = "", Live;
    "tls-key-file-pass" only("") = "", Live;
    "tls-prefer-server-ciphers" yes_no() = "no", Live;
    "tls-replication" yes_no() = "no", Live;
    "tls-session-cache-size" int(0, INT) = "20480", Live;
    "tls-session-cache-timeout" int(0, INT) = "300", Live;
    "tls-session-caching" yes_no() = "yes", Live;
};

pub(super) const INTERNALS: &[Spec] = inert! { Internals:
    "active-defrag-cycle-max" int(1, 99) = "25", Live;
    "active-defrag-cycle-min" int(1, 99) = "1", Live;
    "active-defrag-ignore-bytes" size(1, MAX) = "104857600", Live;
    "active-defrag-max-scan-fields" int(1, MAX) = "1000", Live;
    "active-defrag-threshold-lower" int(0, 1000) = "10", Live;
    "active-defrag-threshold-upper" int(0, 1000) = "100", Live;
    "active-expire-effort" int(1, 10) = "1", Live;
    "activedefrag" yes_no() = "no", Live;
    "activerehashing" yes_no() = "yes", Live;
    "always-show-logo" yes_no() = "no", Start;
    "bind-source-addr" text() = "", Live;
    "bio-cpulist" text() = "", Start;
    "crash-log-enabled" yes_no() = "yes", Live;
    "crash-memcheck-enabled" yes_no() = "yes", Live;
    "daemonize" yes_no() = "no", Start;
    "disable-thp" yes_no() = "yes", Start;
    "dynamic-hz" yes_no() = "yes", Live;
    "enable-module-command" choice(&["no", "yes", "local"]) = "no", Start;
    "enable-protected-configs" choice(&["no", "yes", "local"]) = "no", Start;
    "hide-user-data-from-log" yes_no() = "no", Live;
    "hll-sparse-max-bytes" size(0, MAX) = "3000", Live;
    "ignore-warnings" text() = "", Live;
    "io-threads" int(1, 128) = "1", Start;
    "jemalloc-bg-thread" yes_no() = "yes", Live;
    "latency-tracking" yes_no() = "yes", Live;
    "latency-tracking-info-percentiles" percentiles() = "50 99 99.9", Live;
    "list-compress-depth" int(0, INT) = "0", Live;
    "locale-collate" only("") = "", Live;
    "max-new-connections-per-cycle" count(1, 1000) = "10", Live;
    "max-new-tls-connections-per-cycle" count(1, 1000) = "1", Live;
    "oom-score-adj" choice(&["no", "yes", "relative", "absolute"]) = "no", Live;
    "oom-score-adj-values" oom_scores() = "0 200 800", Live;
    "pidfile" text() = "", Start;
    "proc-title-template" text() = "{title} {listen-addr} {server-mode}", Live;
    "server-cpulist" text() = "", Start;
    "set-proc-title" yes_no() = "yes", Start;
    "shutdown-on-sigint" shutdown() = "default", Live;
    "shutdown-on-sigterm" shutdown() = "default", Live;
    "socket-mark-id" count(0, UINT) = "0", Start;
    "supervised" choice(&["upstart", "systemd", "auto", "no"]) = "no", Start;
    "syslog-enabled" yes_no() = "no", Start;
    "syslog-facility" choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]) = "local0", Start;
    "syslog-ident" text() = "redis", Start;
    "tracking-table-max-keys" count(0, MAX) = "1000000", Live;
    "vset-force-single-threaded-execution" yes_no() = "no", Live;
};

pub(super) const EVICTION: &[Spec] = inert! { Eviction:
    "lazyfree-lazy-eviction" yes_no() = "no", Live;
    "lazyfree-lazy-expire" yes_no() = "no", Live;
    "lazyfree-lazy-server-del" yes_no() = "no", Live;
    "lazyfree-lazy-user-del" yes_no() = "no", Live;
    "lazyfree-lazy-user-flush" yes_no() = "no", Live;
    "lfu-decay-time" int(0, INT) = "1", Live;
    "lfu-log-factor" int(0, INT) = "10", Live;
    "maxmemory-eviction-tenacity" int(0, 100) = "10", Live;
    "maxmemory-policy" choice(&["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"]) = "noeviction", Live;
    "maxmemory-samples" int(1, 64) = "5", Live;
};
