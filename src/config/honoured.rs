//! Settings that change what Weir does.

use super::kind::Kind;
use super::table::{Change, Group, Spec};

const MAX: i64 = i64::MAX;
const INT: i64 = i32::MAX as i64;
const UINT: i64 = u32::MAX as i64;

pub(super) const fn yes_no() -> Kind {
    Kind::YesNo
}
pub(super) const fn int(min: i64, max: i64) -> Kind {
    Kind::Int {
        min,
        max,
        signed: true,
    }
}
pub(super) const fn count(min: i64, max: i64) -> Kind {
    Kind::Int {
        min,
        max,
        signed: false,
    }
}
pub(super) const fn clamped(min: i64, max: i64) -> Kind {
    Kind::Clamped { min, max }
}
pub(super) const fn size(min: i64, max: i64) -> Kind {
    Kind::Size {
        min,
        max,
        signed: false,
    }
}
pub(super) const fn size_signed(min: i64, max: i64) -> Kind {
    Kind::Size {
        min,
        max,
        signed: true,
    }
}
pub(super) const fn choice(words: &'static [&'static str]) -> Kind {
    Kind::Choice(words)
}
pub(super) const fn only(word: &'static str) -> Kind {
    Kind::Only(word)
}
pub(super) const fn text() -> Kind {
    Kind::Text
}

/// Rows: name, kind, default, when it may change, what it does.
macro_rules! honoured {
    ($group:ident: $($name:literal $kind:ident $args:tt = $default:literal, $change:ident, $about:literal;)*) => {
        &[$(Spec {
            name: $name,
            group: Group::$group,
            kind: $kind $args,
            default: $default,
            change: Change::$change,
            about: $about,
            inert: false,
        },)*]
    };
}

const fn addresses() -> Kind {
    Kind::Addresses
}
const fn path() -> Kind {
    Kind::Path
}
const fn octal(max: i64) -> Kind {
    Kind::Octal { max }
}
const fn memory_limit() -> Kind {
    Kind::MemoryLimit
}
const fn workers() -> Kind {
    Kind::Workers
}
const fn output_limits() -> Kind {
    Kind::OutputLimits
}
const fn policies() -> Kind {
    Kind::Policies
}
const fn size_or_percent() -> Kind {
    Kind::SizeOrPercent
}
const fn renames() -> Kind {
    Kind::Renames
}
const fn users() -> Kind {
    Kind::Users
}
const fn routes() -> Kind {
    Kind::Routes
}
const fn events() -> Kind {
    Kind::Events
}

/// What SELECT can reach is fixed when Weir is built; a test compares it with the bound there.
const DATABASES: i64 = 16;

pub(super) const NETWORK: &[Spec] = honoured! { Network:
    "port" int(0, 65535) = "6379", Start, "TCP port; 0 listens on none if there is a tls-port or a unixsocket, else the system chooses";
    "bind" addresses() = "127.0.0.1 -::1", Start, "addresses to listen on; - before one lets it fail, * is every IPv4 and ::* every IPv6 address";
    "unixsocket" path() = "", Start, "path of a Unix socket to listen on as well";
    "unixsocketperm" octal(0o777) = "0", Start, "permissions of the Unix socket; 0 leaves them to the umask";
    "protected-mode" yes_no() = "yes", Live, "without a password, serve only clients on this machine";
    "requirepass" text() = "", Live, "password that clients must give; empty for none";
    "user" users() = "", Start, "a user and its rules, as in ACL SETUSER; several add up. Clients change them by ACL";
    "aclfile" path() = "", Start, "file of users, instead of lines of user; ACL LOAD reads and ACL SAVE writes it. A relative path counts from dir";
    "acl-pubsub-default" choice(&["allchannels", "resetchannels"]) = "resetchannels", Live, "whether a new user may use every channel or none";
    "acllog-max-len" int(0, MAX) = "128", Live, "refusals that ACL LOG remembers";
    "rename-command" renames() = "", Start, "a command and the name that it gets instead, or \"\" to have nobody run it; several add up. Rules of users go by the old name";
    "enable-debug-command" choice(&["no", "yes", "local"]) = "no", Start, "whether clients may run DEBUG: all, or with local those on this machine";
    "tcp-backlog" int(0, INT) = "511", Start, "connections the system may hold before they are accepted";
    "tcp-keepalive" int(0, INT) = "300", Live, "seconds of silence after which a peer is probed; 0 never";
    "timeout" int(0, INT) = "0", Live, "close a connection idle for this many seconds; 0 never";
    "http-bind" text() = "127.0.0.1", Start, "address of the dashboard and of metrics; empty for neither";
    "http-port" int(0, 65535) = "9121", Start, "port of the dashboard and of metrics; 0, or one that is taken, picks a free port";
    "http-token" text() = "", Start, "token that the dashboard and metrics ask for; empty for none";
    "shutdown-timeout" int(0, INT) = "10", Live, "seconds that open connections get to take their replies at shutdown";
};

pub(super) const ENCRYPTION: &[Spec] = honoured! { Encryption:
    "tls-port" int(0, 65535) = "0", Start, "encrypted TCP port; 0 listens on none";
    "tls-cert-file" path() = "", Live, "the server's certificate in PEM, with those between it and its authority behind it";
    "tls-key-file" path() = "", Live, "the key of the certificate in PEM, not encrypted";
    "tls-ca-cert-file" path() = "", Live, "authorities whose clients are let in, in PEM";
    "tls-ca-cert-dir" path() = "", Live, "folder of files like that";
    "tls-auth-clients" choice(&["no", "yes", "optional"]) = "yes", Live, "whether clients must show a certificate of such an authority, or may; with no, nobody looks";
    "tls-protocols" text() = "", Live, "versions that are spoken, TLSv1.2 and TLSv1.3; empty is both";
};

pub(super) const MEMORY: &[Spec] = honoured! { Memory:
    "maxmemory" memory_limit() = "75%", Live, "refuse writes above this; a share is of the machine or its cgroup, whichever is less; 0 for no limit";
    "workers" workers() = "auto", Start, "worker threads; auto is one per core available to the process";
    "busy-poll-us" int(0, 10_000) = "0", Live, "microseconds for which a worker that had something to do looks for more before it sleeps, for shorter hand-offs at the price of its core";
    "databases" int(1, DATABASES) = "16", Start, "databases that SELECT can reach";
    "hz" clamped(1, 500) = "10", Live, "rounds of background work per second, such as expiring keys";
};

pub(super) const LIMITS: &[Spec] = honoured! { Limits:
    "maxclients" count(1, UINT) = "10000", Live, "connections at once; more are refused with an error";
    "proto-max-bulk-len" size_signed(1 << 20, MAX) = "512mb", Live, "longest single argument";
    "client-query-buffer-limit" size(1 << 20, MAX) = "1gb", Live, "most bytes of requests that one connection may have pending";
    "client-output-buffer-limit" output_limits() = "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", Live, "when to close a connection that does not read: at HARD bytes, or at SOFT bytes for SECONDS; 0 is no bound";
    "client-subscriptions-limit" int(0, MAX) = "1000000", Live, "most channels and patterns that one connection may be subscribed to; 0 for no limit";
    "client-watched-keys-limit" int(0, MAX) = "1000000", Live, "most keys that one connection may watch; 0 for no limit";
    "client-blocked-keys-limit" int(0, MAX) = "1000000", Live, "most keys that one connection may wait for at once; 0 for no limit";
    "maxmemory-clients" size_or_percent() = "0", Live, "end the largest connections while the buffers of all hold more than this, which may be a share of maxmemory such as 5%; 0 for no limit";
    "auth-failures-limit" int(0, MAX) = "100", Live, "failed logins from one address within a minute, after which it is not heard until the minute is over; those of this machine are not counted; 0 for no limit";
    "policy" policies() = "", Start, "bounds of queues and channels by pattern, as in docs/POLICY.md; several add up. WEIR.POLICY changes them live";
    "route" routes() = "", Start, "queues to which channels lead, as in docs/POLICY.md; several add up. WEIR.ROUTE changes them live";
    "pubsub-overflow" choice(&["drop-oldest", "drop-newest", "disconnect"]) = "disconnect", Live, "what a subscriber loses when its outbox is full: its oldest messages, the new one, or the connection";
    "busy-reply-threshold" int(0, MAX) = "5000", Live, "milliseconds after which other clients get BUSY while a script runs, and may kill it";
};

pub(super) const OBSERVATION: &[Spec] = honoured! { Observation:
    "slowlog-log-slower-than" int(-1, MAX) = "10000", Live, "microseconds from which a command enters SLOWLOG; 0 logs all, -1 none";
    "slowlog-max-len" int(0, MAX) = "128", Live, "commands that SLOWLOG remembers";
    "latency-monitor-threshold" int(0, MAX) = "0", Live, "milliseconds from which LATENCY notes an event; 0 never";
    "metrics-queues" int(0, 100_000) = "100", Live, "queues that metrics name one by one, the most troubled first; all are in the sums";
    "notify-keyspace-events" events() = "", Live, "classes of changes to publish to subscribers, as letters";
};

pub(super) const LOGGING: &[Spec] = honoured! { Logging:
    "loglevel" choice(&["debug", "verbose", "notice", "warning", "nothing"]) = "notice", Live, "least important kind of line that is logged";
    "logfile" path() = "", Start, "file to log to; empty is standard output";
    "log-format" choice(&["plain", "json"]) = "plain", Start, "lines for people or JSON for collectors";
};

pub(super) const ENCODING: &[Spec] = honoured! { Encoding:
    "list-max-listpack-size" int(-INT - 1, INT) = "-2", Live, "";
    "hash-max-listpack-entries" count(0, MAX) = "512", Live, "";
    "hash-max-listpack-value" size(0, MAX) = "64", Live, "";
    "set-max-intset-entries" count(0, MAX) = "512", Live, "";
    "set-max-listpack-entries" count(0, MAX) = "128", Live, "";
    "set-max-listpack-value" count(0, MAX) = "64", Live, "";
    "zset-max-listpack-entries" count(0, MAX) = "128", Live, "";
    "zset-max-listpack-value" size(0, MAX) = "64", Live, "";
    "stream-node-max-bytes" size(0, MAX) = "4096", Live, "";
    "stream-node-max-entries" int(0, MAX) = "100", Live, "";
};
