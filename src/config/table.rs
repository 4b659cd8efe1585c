//! The settings table: the one place that knows every setting.
//!
//! Command line, files, environment, `CONFIG GET`/`SET`/`REWRITE`, `weir --help` and
//! docs/CONFIG.md are all read from it. A new setting is one row in `honoured.rs` (and a field of
//! [`Settings`](super::Settings) if it is read as a whole) or one in `inert.rs`; then
//! `WEIR_BLESS=1 cargo test config` rewrites the page.

use super::honoured;
use super::inert;
use super::kind::Kind;

/// When a setting may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At any time, by `CONFIG SET`.
    Live,
    /// Only at start.
    Start,
    /// Only at start, because Redis guards it from clients.
    Protected,
}

/// Where a setting stands in `--help` and in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Listening and letting in.
    Network,
    /// Encrypted connections.
    Encryption,
    /// Bounds per connection.
    Limits,
    /// Memory and threads.
    Memory,
    /// What is noted down.
    Observation,
    /// The log.
    Logging,
    /// Thresholds of OBJECT ENCODING.
    Encoding,
    /// Files of Redis.
    Persistence,
    /// Masters and replicas.
    Replication,
    /// Redis Cluster.
    Cluster,
    /// Parts of OpenSSL.
    Tls,
    /// Eviction and lazy freeing.
    Eviction,
    /// Everything else of Redis.
    Internals,
}

impl Group {
    /// Groups of settings with effect, in reading order.
    pub const HONOURED: [Self; 7] = [
        Self::Network,
        Self::Encryption,
        Self::Memory,
        Self::Limits,
        Self::Observation,
        Self::Logging,
        Self::Encoding,
    ];
    /// Groups of settings without effect, in reading order.
    pub const INERT: [Self; 6] = [
        Self::Persistence,
        Self::Replication,
        Self::Cluster,
        Self::Tls,
        Self::Eviction,
        Self::Internals,
    ];

    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Encryption => "TLS",
            Self::Limits => "Limits",
            Self::Memory => "Memory and workers",
            Self::Observation => "Observation",
            Self::Logging => "Logging",
            Self::Encoding => "Encodings",
            Self::Persistence => "Persistence",
            Self::Replication => "Replication",
            Self::Cluster => "Cluster",
            Self::Tls => "OpenSSL",
            Self::Eviction => "Eviction and freeing",
            Self::Internals => "Redis internals",
        }
    }

    /// Why the settings of the group are the way they are.
    pub const fn remark(self) -> &'static str {
        match self {
            Self::Network => "Where Weir listens and whom it lets in.",
            Self::Encryption => {
                "Encrypted connections, by rustls. Files are read at start and by each CONFIG SET of \
                 one of these; connections that are there keep what they have."
            }
            Self::Limits => "How much one connection may take.",
            Self::Memory => "How much the server may hold, and on how many cores it works.",
            Self::Observation => "What the server notes down about itself.",
            Self::Logging => "What goes to the log.",
            Self::Encoding => {
                "Weir stores values its own way. These thresholds decide what OBJECT ENCODING \
                 answers and how coarsely `~` trims a stream, as in Redis."
            }
            Self::Persistence => "Weir keeps everything in memory and writes nothing to disk.",
            Self::Replication => "Weir does not replicate.",
            Self::Cluster => "Weir is one process; it is not part of a cluster.",
            Self::Tls => {
                "These tune OpenSSL. Weir's TLS picks ciphers and resumes sessions by itself."
            }
            Self::Eviction => {
                "Weir does not evict keys: at `maxmemory` it refuses writes, as Redis does with \
                 `noeviction`. It frees memory its own way."
            }
            Self::Internals => "These tune parts of Redis that Weir does not have.",
        }
    }
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Redis's name for it, or ours in Redis's manner.
    pub name: &'static str,
    /// Its heading.
    pub group: Group,
    /// What values it takes.
    pub kind: Kind,
    /// The value when nobody gives one, in the form a user would write.
    pub default: &'static str,
    /// When it may change.
    pub change: Change,
    /// What it does, in one line; empty where the group's remark says it all.
    pub about: &'static str,
    /// Accepted, remembered and answered, but without effect.
    pub inert: bool,
}

const PARTS: [&[Spec]; 13] = [
    honoured::NETWORK,
    honoured::ENCRYPTION,
    honoured::MEMORY,
    honoured::LIMITS,
    honoured::OBSERVATION,
    honoured::LOGGING,
    honoured::ENCODING,
    inert::PERSISTENCE,
    inert::REPLICATION,
    inert::CLUSTER,
    inert::TLS,
    inert::INTERNALS,
    inert::EVICTION,
];

/// How many settings there are.
pub const LEN: usize = {
    let mut len = 0;
    let mut part = 0;
    while part < PARTS.len() {
        len += PARTS[part].len();
        part += 1;
    }
    len
};

/// Every setting. A setting's position here is its index in every store of values.
pub static TABLE: [Spec; LEN] = {
    let mut table = [PARTS[0][0]; LEN];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            table[at] = PARTS[part][row];
            at += 1;
            row += 1;
        }
        part += 1;
    }
    table
};

/// Older names, and the settings they stand for. They read and set the same value.
pub const ALIASES: [(&str, &str); 23] = [
    ("aof_rewrite_cpulist", "aof-rewrite-cpulist"),
    ("bgsave_cpulist", "bgsave-cpulist"),
    ("bio_cpulist", "bio-cpulist"),
    ("server_cpulist", "server-cpulist"),
    ("cluster-slave-no-failover", "cluster-replica-no-failover"),
    (
        "cluster-slave-validity-factor",
        "cluster-replica-validity-factor",
    ),
    ("hash-max-ziplist-entries", "hash-max-listpack-entries"),
    ("hash-max-ziplist-value", "hash-max-listpack-value"),
    ("list-max-ziplist-size", "list-max-listpack-size"),
    ("lua-time-limit", "busy-reply-threshold"),
    ("min-slaves-max-lag", "min-replicas-max-lag"),
    ("min-slaves-to-write", "min-replicas-to-write"),
    ("repl-ping-slave-period", "repl-ping-replica-period"),
    ("slave-announce-ip", "replica-announce-ip"),
    ("slave-announce-port", "replica-announce-port"),
    ("slave-ignore-maxmemory", "replica-ignore-maxmemory"),
    ("slave-lazy-flush", "replica-lazy-flush"),
    ("slave-priority", "replica-priority"),
    ("slave-read-only", "replica-read-only"),
    ("slave-serve-stale-data", "replica-serve-stale-data"),
    ("slaveof", "replicaof"),
    ("zset-max-ziplist-entries", "zset-max-listpack-entries"),
    ("zset-max-ziplist-value", "zset-max-listpack-value"),
];

/// Settings that Redis has given up. It passes over them in files and start lines, and so does Weir.
const GIVEN_UP: [&str; 4] = [
    "io-threads-do-reads",
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

/// Whether a name is that of a setting that was given up.
pub fn is_given_up(name: &str) -> bool {
    GIVEN_UP
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// The index of a setting that is known to exist; a wrong name fails the build when the call is in
/// a constant, which is how it is meant to be used.
///
/// # Panics
///
/// If there is no setting of that name.
pub const fn index_of(name: &str) -> usize {
    let mut index = 0;
    while index < LEN {
        if same(TABLE[index].name.as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
    }
    panic!("no setting of that name");
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Finds a setting by its name or an older one, in any case. Walks the table: a microsecond.
pub fn find(name: &str) -> Option<usize> {
    let current = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(name))
        .map_or(name, |(_, current)| current);
    TABLE
        .iter()
        .position(|spec| spec.name.eq_ignore_ascii_case(current))
}

/// Every name a setting answers to, older ones included, with its index; in no useful order.
pub fn names() -> impl Iterator<Item = (&'static str, usize)> {
    let current = TABLE
        .iter()
        .zip(0..)
        .map(|(spec, index)| (spec.name, index));
    let older = ALIASES
        .iter()
        .filter_map(|(alias, name)| Some((*alias, find(name)?)));
    current.chain(older)
}

/// The setting whose name is closest to a mistyped one, if any comes near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let allowed = 1 + name.len() / 5;
    TABLE
        .iter()
        .map(|spec| (edits(name.as_bytes(), spec.name.as_bytes()), spec))
        .filter(|(edits, _)| *edits <= allowed)
        // Among equals, one that does something comes first.
        .min_by_key(|(edits, spec)| (*edits, spec.inert))
        .map(|(_, spec)| spec.name)
}

/// How many letters to insert, delete, replace or swap with their neighbour to get from one word to
/// the other.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let width = to.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut here = vec![row + 1; width];
        for column in 1..width {
            let replaced = above[column - 1] + usize::from(*letter != to[column - 1]);
            let mut best = replaced.min(above[column] + 1).min(here[column - 1] + 1);
            let swapped = row > 0
                && column > 1
                && *letter == to[column - 2]
                && from[row - 1] == to[column - 1];
            if swapped {
                best = best.min(before[column - 2] + 1);
            }
            here[column] = best;
        }
        before = std::mem::replace(&mut above, here);
    }
    above[width - 1]
}
