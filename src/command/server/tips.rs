//! What COMMAND INFO advises clients that speak to many servers: which of them a command goes to,
//! what becomes of the replies, and what of a reply may differ from time to time.

const ANY_TIME: &str = "nondeterministic_output";
const ANY_ORDER: &str = "nondeterministic_output_order";
const TO_NODES: &str = "request_policy:all_nodes";
const TO_SHARDS: &str = "request_policy:all_shards";
const BY_KEYS: &str = "request_policy:multi_shard";
const ALL_SUCCEEDED: &str = "response_policy:all_succeeded";
const SUM: &str = "response_policy:agg_sum";
const SPECIAL: &str = "response_policy:special";

/// Tips, and the commands that have them, as `container|subcommand` where they are one.
#[rustfmt::skip]
const TIPS: &[(&[&str], &[&str])] = &[
    (&[ANY_TIME], &[
        "client|info", "client|list", "cluster|getkeysinslot", "cluster|info", "cluster|links",
        "cluster|myshardid", "cluster|nodes", "cluster|replicas", "cluster|shards",
        "cluster|slaves", "cluster|slots", "dump", "hpttl", "hrandfield", "hscan", "httl",
        "lastsave", "object|encoding", "object|freq", "object|idletime", "object|refcount", "pttl",
        "spop", "srandmember", "sscan", "time", "ttl", "xadd", "xautoclaim", "xclaim",
        "xinfo|consumers", "xpending", "xtrim", "zrandmember", "zscan",
    ]),
    (&[ANY_ORDER], &[
        "command", "command|docs", "command|info", "command|list", "hgetall", "hkeys", "hvals",
        "module|list", "sdiff", "sinter", "smembers", "sunion",
    ]),
    (&[ANY_TIME, "request_policy:special", SPECIAL], &["scan"]),
    (&[ANY_TIME, TO_NODES, SPECIAL], &[
        "latency|doctor", "latency|graph", "latency|histogram", "latency|history", "latency|latest",
    ]),
    (&[ANY_TIME, TO_SHARDS, SPECIAL], &["info", "memory|doctor", "memory|malloc-stats", "memory|stats"]),
    (&[BY_KEYS], &["mget"]),
    (&[BY_KEYS, ALL_SUCCEEDED], &["mset"]),
    (&[BY_KEYS, SUM], &["del", "exists", "touch", "unlink"]),
    (&[TO_NODES, ALL_SUCCEEDED], &[
        "acl|deluser", "acl|save", "acl|setuser", "client|setinfo", "client|setname",
        "config|resetstat", "config|rewrite", "config|set", "script|flush", "script|load",
        "slowlog|reset",
    ]),
    (&[TO_NODES, ANY_TIME], &["slowlog|get"]),
    (&[TO_NODES, SUM], &["latency|reset"]),
    (&[TO_NODES, SUM, ANY_TIME], &["slowlog|len"]),
    (&[TO_SHARDS, ALL_SUCCEEDED], &["flushall", "flushdb", "memory|purge", "ping"]),
    (&[TO_SHARDS, ANY_ORDER], &["keys"]),
    (&[TO_SHARDS, SPECIAL, ANY_TIME], &["randomkey"]),
    (&[TO_SHARDS, SUM], &["dbsize"]),
    (&[TO_SHARDS, "response_policy:agg_logical_and"], &["script|exists"]),
    (&[TO_SHARDS, "response_policy:agg_min"], &["wait", "waitaof"]),
    (&[TO_SHARDS, "response_policy:one_succeeded"], &["script|kill"]),
];

/// The tips of a command, in Redis's order.
pub(super) fn of(name: &str) -> &'static [&'static str] {
    let found = TIPS.iter().find(|(_, names)| names.contains(&name));
    found.map_or(&[], |(tips, _)| tips)
}

#[cfg(test)]
mod tests {
    use super::TIPS;
    use crate::command::table::table;

    #[test]
    fn each_command_that_has_tips_is_there_once() {
        let mut named: Vec<_> = TIPS.iter().flat_map(|(_, names)| *names).collect();
        for name in &named {
            let is_known = |(known, _)| known == **name;
            assert!(table().with_subcommands().any(is_known), "{name}");
        }
        let len = named.len();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len(), len);
    }
}
