//! The numbers that hot paths read while `CONFIG SET` may change them.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::events::Events;
use super::limits::{OutputLimit, OutputLimits};
use super::settings::{PubsubOverflow, output_limits};
use super::table::{LEN, index_of};
use super::values::Values;

/// Every numeric setting as an atomic. Reading one is a plain load.
///
/// All orderings are relaxed: a setting is a number of its own, and a command that runs while it is
/// changed may see either value. Only [`Config`](super::Config) writes, under its lock.
#[derive(Debug)]
pub struct Live {
    /// By index in the table: numbers, sizes, yes (1) and no (0), choices, event bits.
    numbers: [AtomicI64; LEN],
    normal: LiveLimit,
    pubsub: LiveLimit,
}

#[derive(Debug, Default)]
struct LiveLimit {
    hard_bytes: AtomicU64,
    soft_bytes: AtomicU64,
    soft_s: AtomicU32,
}

impl LiveLimit {
    fn store(&self, limit: OutputLimit) {
        self.hard_bytes.store(limit.hard_bytes, Relaxed);
        self.soft_bytes.store(limit.soft_bytes, Relaxed);
        self.soft_s.store(limit.soft_s, Relaxed);
    }

    fn load(&self) -> OutputLimit {
        OutputLimit {
            hard_bytes: self.hard_bytes.load(Relaxed),
            soft_bytes: self.soft_bytes.load(Relaxed),
            soft_s: self.soft_s.load(Relaxed),
        }
    }
}

/// Readers, one per setting: name, type, the setting in the table, documentation.
macro_rules! readers {
    ($($(#[$about:meta])* $name:ident -> $type:ty = $setting:literal;)*) => {
        $($(#[$about])*
        #[inline]
        pub fn $name(&self) -> $type {
            // Bounds in the table are narrower than the type, so this never falls back.
            self.number(const { index_of($setting) }).try_into().unwrap_or_default()
        })*
    };
}

impl Live {
    pub(super) fn new(values: &Values) -> Self {
        let live = Self {
            numbers: std::array::from_fn(|_| AtomicI64::new(0)),
            normal: LiveLimit::default(),
            pubsub: LiveLimit::default(),
        };
        live.store(values);
        live
    }

    /// Takes over changed values.
    pub(super) fn store(&self, values: &Values) {
        for (index, number) in self.numbers.iter().enumerate() {
            number.store(values.int(index), Relaxed);
        }
        let OutputLimits {
            normal,
            replica: _,
            pubsub,
        } = output_limits(values);
        self.normal.store(normal);
        self.pubsub.store(pubsub);
    }

    /// The number of the setting at an index of the table; get the index from
    /// [`index_of`](super::index_of) in a constant.
    #[inline]
    pub fn number(&self, index: usize) -> i64 {
        self.numbers[index].load(Relaxed)
    }

    readers! {
        /// Writes are refused above this many bytes; 0 for no limit.
        maxmemory_bytes -> u64 = "maxmemory";
        /// Queues that metrics name.
        metrics_queues -> usize = "metrics-queues";
        /// 0: workers sleep as soon as there is nothing to do.
        busy_poll_us -> u64 = "busy-poll-us";
        /// Connections at once.
        maxclients -> u32 = "maxclients";
        /// Seconds of idleness after which a connection is closed; 0 never.
        timeout_s -> u32 = "timeout";
        /// Seconds of silence after which a peer is probed; 0 never.
        tcp_keepalive_s -> u32 = "tcp-keepalive";
        /// Seconds that open connections get at shutdown.
        shutdown_timeout_s -> u32 = "shutdown-timeout";
        /// Rounds of background work per second, 1 to 500.
        hz -> u32 = "hz";
        /// Longest single argument in bytes.
        proto_max_bulk_bytes -> u64 = "proto-max-bulk-len";
        /// Most bytes of requests that one connection may have pending.
        client_query_buffer_bytes_max -> u64 = "client-query-buffer-limit";
        /// Microseconds from which a command enters SLOWLOG; 0 all, -1 none.
        slowlog_slower_than_us -> i64 = "slowlog-log-slower-than";
        /// Commands that SLOWLOG remembers.
        slowlog_len_max -> u64 = "slowlog-max-len";
        /// Channels and patterns that one connection may be subscribed to; 0 for no limit.
        client_subscriptions_max -> usize = "client-subscriptions-limit";
        /// Keys that one connection may watch; 0 for no limit.
        client_watched_keys_max -> usize = "client-watched-keys-limit";
        /// Keys that one connection may wait for at once; 0 for no limit.
        client_blocked_keys_max -> usize = "client-blocked-keys-limit";
        /// Failed logins of an address within a minute; 0 for no limit.
        auth_failures_max -> u64 = "auth-failures-limit";
        /// Refusals that ACL LOG remembers.
        acllog_len_max -> u64 = "acllog-max-len";
        /// Milliseconds from which LATENCY notes an event; 0 never.
        latency_threshold_ms -> u64 = "latency-monitor-threshold";
        /// Milliseconds after which a script may be killed.
        busy_reply_threshold_ms -> u64 = "busy-reply-threshold";
        /// OBJECT ENCODING of lists: entries if positive, else -1 to -5 for 4 to 64 kB.
        list_max_listpack_size -> i64 = "list-max-listpack-size";
        /// OBJECT ENCODING of hashes: most fields of a listpack.
        hash_max_listpack_entries -> u64 = "hash-max-listpack-entries";
        /// OBJECT ENCODING of hashes: longest field or value of a listpack, in bytes.
        hash_max_listpack_value -> u64 = "hash-max-listpack-value";
        /// OBJECT ENCODING of sets: most numbers of an intset.
        set_max_intset_entries -> u64 = "set-max-intset-entries";
        /// OBJECT ENCODING of sets: most members of a listpack.
        set_max_listpack_entries -> u64 = "set-max-listpack-entries";
        /// OBJECT ENCODING of sets: longest member of a listpack, in bytes.
        set_max_listpack_value -> u64 = "set-max-listpack-value";
        /// OBJECT ENCODING of sorted sets: most members of a listpack.
        zset_max_listpack_entries -> u64 = "zset-max-listpack-entries";
        /// OBJECT ENCODING of sorted sets: longest member of a listpack, in bytes.
        zset_max_listpack_value -> u64 = "zset-max-listpack-value";
        /// Bytes of one stream node, the grain of approximate trimming; 0 for no bound.
        stream_node_bytes_max -> u64 = "stream-node-max-bytes";
        /// Entries of one stream node, the grain of approximate trimming; 0 for no bound.
        stream_node_entries_max -> u64 = "stream-node-max-entries";
    }

    /// Whether clients of other machines are kept out while there is no password.
    #[inline]
    pub fn protected_mode(&self) -> bool {
        self.number(const { index_of("protected-mode") }) != 0
    }

    /// Whether a new user may use every channel.
    #[inline]
    pub fn acl_all_channels(&self) -> bool {
        self.number(const { index_of("acl-pubsub-default") }) == 0
    }

    /// Bytes that the buffers of all clients may hold; 0 for no limit. A share is one of `maxmemory`.
    pub fn maxmemory_clients_bytes(&self) -> u64 {
        let number = self.number(const { index_of("maxmemory-clients") });
        if number < 0 {
            self.maxmemory_bytes() / 100 * number.unsigned_abs()
        } else {
            number.unsigned_abs()
        }
    }

    /// Classes of keyspace events to publish.
    #[inline]
    pub fn notify_keyspace_events(&self) -> Events {
        let bits = self.number(const { index_of("notify-keyspace-events") });
        Events::from_bits(u32::try_from(bits).unwrap_or_default())
    }

    /// What a full outbox costs a subscriber.
    #[inline]
    pub fn pubsub_overflow(&self) -> PubsubOverflow {
        PubsubOverflow::at(self.number(const { index_of("pubsub-overflow") }))
    }

    /// When to close a connection that sends commands but does not read. The three numbers may be
    /// of two different settings for a moment while they change.
    #[inline]
    pub fn output_limit_normal(&self) -> OutputLimit {
        self.normal.load()
    }

    /// The same for a connection with subscriptions.
    #[inline]
    pub fn output_limit_pubsub(&self) -> OutputLimit {
        self.pubsub.load()
    }
}
