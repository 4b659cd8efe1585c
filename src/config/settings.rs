//! The settings that Weir honours, typed, as one value.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::events::Events;
use super::limits::OutputLimits;
use super::machine::Machine;
use super::table::index_of;
use super::values::Values;

/// Least important kind of log line that is written, in Redis's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What helps to follow a problem.
    Verbose,
    /// What an operator wants to see.
    #[default]
    Notice,
    /// What an operator must see.
    Warning,
    /// Nothing.
    Nothing,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// One JSON object per line.
    Json,
}

/// What happens when a subscriber's outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PubsubOverflow {
    /// Its oldest waiting message makes room.
    DropOldest,
    /// The new message is not taken.
    DropNewest,
    /// The connection is closed, as Redis does.
    #[default]
    Disconnect,
}

impl PubsubOverflow {
    /// The choice at a position of the setting's words.
    pub(super) fn at(position: i64) -> Self {
        match position {
            0 => Self::DropOldest,
            1 => Self::DropNewest,
            _ => Self::Disconnect,
        }
    }
}

/// Whether clients of the encrypted port show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsAuthClients {
    /// They need not.
    No,
    /// They must.
    #[default]
    Yes,
    /// They may.
    Optional,
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// A host name or an address in text; `*` and `::*` stand for all of IPv4 and of IPv6.
    pub host: String,
    /// Whether start goes on if this address is not available.
    pub optional: bool,
}

impl BindAddress {
    /// The address, unless it is a host name that has to be looked up.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host.as_str() {
            "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
            "::*" => Some(Ipv6Addr::UNSPECIFIED.into()),
            host => host.parse().ok(),
        }
    }
}

/// Every setting with an effect. A snapshot: [`Config::settings`](super::Config::settings) makes a
/// new one after each change. What hot paths need stands in [`Live`](super::Live) as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// TCP port; 0 listens on none.
    pub port: u16,
    /// Encrypted TCP port; 0 listens on none.
    pub tls_port: u16,
    /// The server's certificates.
    pub tls_cert_file: Option<PathBuf>,
    /// The key of its first certificate.
    pub tls_key_file: Option<PathBuf>,
    /// Authorities of clients.
    pub tls_ca_cert_file: Option<PathBuf>,
    /// A folder of them.
    pub tls_ca_cert_dir: Option<PathBuf>,
    /// Whether clients show certificates.
    pub tls_auth_clients: TlsAuthClients,
    /// Versions of the protocol; empty is all.
    pub tls_protocols: String,
    /// Addresses to listen on.
    pub bind: Vec<BindAddress>,
    /// Path of the Unix socket.
    pub unixsocket: Option<PathBuf>,
    /// Its permission bits; `None` leaves them to the umask.
    pub unixsocketperm: Option<u32>,
    /// Without a password, serve only clients on this machine.
    pub protected_mode: bool,
    /// Password that clients must give.
    pub requirepass: Option<String>,
    /// Address of the HTTP listener; `None` is no listener.
    pub http_bind: Option<String>,
    /// Its port; 0 picks a free one.
    pub http_port: u16,
    /// Token that it asks for.
    pub http_token: Option<String>,
    /// File of users.
    pub aclfile: Option<PathBuf>,
    /// Connections the system may hold before they are accepted.
    pub tcp_backlog: u32,
    /// Silence after which a peer is probed; 0 never.
    pub tcp_keepalive_s: u32,
    /// Idle time after which a connection is closed; 0 never.
    pub timeout_s: u32,
    /// Time that open connections get at shutdown.
    pub shutdown_timeout_s: u32,
    /// Writes are refused above this; 0 for no limit.
    pub maxmemory_bytes: u64,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Databases that SELECT can reach.
    pub databases: usize,
    /// Rounds of background work per second.
    pub hz: u32,
    /// Connections at once.
    pub maxclients: u32,
    /// Longest single argument.
    pub proto_max_bulk_bytes: u64,
    /// Most bytes of requests one connection may have pending.
    pub client_query_buffer_bytes_max: u64,
    /// When to close connections that do not read.
    pub client_output_limits: OutputLimits,
    /// What a full outbox costs a subscriber.
    pub pubsub_overflow: PubsubOverflow,
    /// Duration from which a command enters SLOWLOG; 0 all, -1 none.
    pub slowlog_slower_than_us: i64,
    /// Commands that SLOWLOG remembers.
    pub slowlog_len_max: u64,
    /// Duration from which LATENCY notes an event; 0 never.
    pub latency_threshold_ms: u64,
    /// Classes of changes to publish.
    pub notify_keyspace_events: Events,
    /// Least important kind of log line.
    pub loglevel: LogLevel,
    /// File to log to; `None` is standard output.
    pub logfile: Option<PathBuf>,
    /// Form of log lines.
    pub log_format: LogFormat,
}

/// The number of a setting, in the type of the field it goes to.
macro_rules! number {
    ($values:ident, $name:literal) => {
        // Bounds in the table are narrower than the field's type.
        $values
            .int(const { index_of($name) })
            .try_into()
            .unwrap_or_default()
    };
}

/// The text of a setting; `None` if it is empty.
macro_rules! text {
    ($values:ident, $name:literal) => {
        Some($values.text(const { index_of($name) }))
            .filter(|text| !text.is_empty())
            .map(Into::into)
    };
}

impl Settings {
    /// Reads the typed view off the stored values.
    pub fn of(values: &Values) -> Self {
        let permissions: u32 = number!(values, "unixsocketperm");
        let events: u32 = number!(values, "notify-keyspace-events");
        Self {
            port: number!(values, "port"),
            tls_port: number!(values, "tls-port"),
            tls_cert_file: text!(values, "tls-cert-file"),
            tls_key_file: text!(values, "tls-key-file"),
            tls_ca_cert_file: text!(values, "tls-ca-cert-file"),
            tls_ca_cert_dir: text!(values, "tls-ca-cert-dir"),
            tls_auth_clients: match values.int(const { index_of("tls-auth-clients") }) {
                0 => TlsAuthClients::No,
                1 => TlsAuthClients::Yes,
                _ => TlsAuthClients::Optional,
            },
            tls_protocols: values.text(const { index_of("tls-protocols") }).to_owned(),
            bind: bind_addresses(values.text(const { index_of("bind") })),
            unixsocket: text!(values, "unixsocket"),
            unixsocketperm: Some(permissions).filter(|bits| *bits != 0),
            protected_mode: values.int(const { index_of("protected-mode") }) != 0,
            requirepass: text!(values, "requirepass"),
            http_bind: text!(values, "http-bind"),
            http_port: number!(values, "http-port"),
            http_token: text!(values, "http-token"),
            aclfile: aclfile(values),
            tcp_backlog: number!(values, "tcp-backlog"),
            tcp_keepalive_s: number!(values, "tcp-keepalive"),
            timeout_s: number!(values, "timeout"),
            shutdown_timeout_s: number!(values, "shutdown-timeout"),
            maxmemory_bytes: number!(values, "maxmemory"),
            workers: number!(values, "workers"),
            databases: number!(values, "databases"),
            hz: number!(values, "hz"),
            maxclients: number!(values, "maxclients"),
            proto_max_bulk_bytes: number!(values, "proto-max-bulk-len"),
            client_query_buffer_bytes_max: number!(values, "client-query-buffer-limit"),
            client_output_limits: output_limits(values),
            pubsub_overflow: PubsubOverflow::at(values.int(const { index_of("pubsub-overflow") })),
            slowlog_slower_than_us: values.int(const { index_of("slowlog-log-slower-than") }),
            slowlog_len_max: number!(values, "slowlog-max-len"),
            latency_threshold_ms: number!(values, "latency-monitor-threshold"),
            notify_keyspace_events: Events::from_bits(events),
            loglevel: match values.int(const { index_of("loglevel") }) {
                0 => LogLevel::Debug,
                1 => LogLevel::Verbose,
                2 => LogLevel::Notice,
                3 => LogLevel::Warning,
                _ => LogLevel::Nothing,
            },
            logfile: text!(values, "logfile"),
            log_format: match values.int(const { index_of("log-format") }) {
                0 => LogFormat::Plain,
                _ => LogFormat::Json,
            },
        }
    }
}

impl Default for Settings {
    /// The defaults for the machine this runs on.
    fn default() -> Self {
        Self::of(&Values::defaults(&Machine::detect()))
    }
}

/// The file of users; a relative path counts from `dir`, as in Redis.
fn aclfile(values: &Values) -> Option<PathBuf> {
    let name = values.text(const { index_of("aclfile") });
    let folder = PathBuf::from(values.text(const { index_of("dir") }));
    (!name.is_empty()).then(|| folder.join(name))
}

/// The limits of `client-output-buffer-limit`.
pub(super) fn output_limits(values: &Values) -> OutputLimits {
    OutputLimits::from_text(values.text(const { index_of("client-output-buffer-limit") }))
}

fn bind_addresses(text: &str) -> Vec<BindAddress> {
    let address = |word: &str| {
        let host = word.strip_prefix('-');
        BindAddress {
            host: host.unwrap_or(word).to_owned(),
            optional: host.is_some(),
        }
    };
    text.split_whitespace().map(address).collect()
}
