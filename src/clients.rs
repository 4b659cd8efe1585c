//! Who is connected: what CLIENT LIST shows and CLIENT KILL finds.
//!
//! A [`Client`] is written by its own connection, without locks wherever the reader can live with
//! a value that is a moment old, and read by any other.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};

use crate::metrics::Counter;
use crate::outbox::{Mailbox, Seat};
use crate::protocol::Reply;
use crate::store::{End, Key, WaitKey, Waiter};
use crate::sync::Lock;

/// What a client says about itself.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub library: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Vec<u8>,
    /// The user it authenticated as.
    pub user: Vec<u8>,
}

impl Identity {
    fn bytes(&self) -> usize {
        self.name.len() + self.library.len() + self.library_version.len() + self.user.len()
    }
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    /// Never used twice; ascending.
    pub id: u64,
    /// The peer's address as CLIENT LIST prints it.
    pub address: String,
    /// Our address on this connection.
    pub local_address: String,
    /// The peer's address without its port; none for Unix sockets.
    pub ip: Option<IpAddr>,
    /// The socket's descriptor.
    pub fd: i32,
    /// Monotonic microseconds when it connected.
    pub connected_us: u64,
    /// What others leave for it.
    pub mailbox: Arc<Mailbox>,
    /// Guarded because it is bytes.
    pub identity: Lock<Identity>,
    /// Monotonic microseconds of the last turn in which something came from it or went to it.
    pub used_us: AtomicU64,
    /// Whether a pause, or a step that rests, holds its request back.
    pub is_held: AtomicBool,
    /// The selected database.
    pub db: AtomicU8,
    /// Index into the command table of the last command, or `usize::MAX`.
    pub command: AtomicUsize,
    /// Channels subscribed to.
    pub channels_len: AtomicUsize,
    /// Patterns subscribed to.
    pub patterns_len: AtomicUsize,
    /// Shard channels subscribed to.
    pub shard_channels_len: AtomicUsize,
    /// Commands queued in a transaction, or -1 outside one.
    pub queued_len: AtomicI64,
    /// Memory that they take, in bytes.
    pub queued_bytes: AtomicUsize,
    /// Keys watched.
    pub watched_len: AtomicUsize,
    /// Memory that the names of its subscriptions and watched keys take, in bytes.
    pub names_bytes: AtomicUsize,
    /// Bytes of requests that wait to be executed.
    pub query_bytes: AtomicUsize,
    /// Bytes of replies that wait to be sent.
    pub output_bytes: AtomicUsize,
    /// Monotonic microseconds since when more waits for it than may for long, or 0.
    pub full_since_us: AtomicU64,
    /// Bytes received so far.
    pub received_bytes: Counter,
    /// Bytes sent so far.
    pub sent_bytes: AtomicU64,
    /// Commands executed so far.
    pub commands_total: Counter,
    /// Whether it runs MONITOR.
    pub is_monitor: AtomicBool,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// Whether it came by the unix socket.
    pub by_unix_socket: bool,
    /// How it waits. Set by its connection as it joins the lines; whoever ends the wait holds the
    /// shards of those lines.
    pub wait: Lock<Wait>,
}

/// The state of a client that may block.
#[derive(Debug, Default)]
pub enum Wait {
    /// It does not wait.
    #[default]
    None,
    /// It stands in its lines.
    Standing(Arc<Waiter>),
    /// The wait is over; its connection has not looked yet.
    Served(Served),
}

/// The end of a wait.
#[derive(Debug)]
pub struct Served {
    /// The reply to the command on which it blocked.
    pub reply: Reply,
    /// Messages that the reply carries: they go back where they were if the client is gone before
    /// a byte of the reply was written.
    pub taken: TakenList,
}

/// What was taken for a client: one wait is served from one key.
pub type TakenList = SmallVec<[TakenFrom; 1]>;

/// What was taken from a key for a client that has not got it yet.
#[derive(Debug)]
pub struct TakenFrom {
    /// The key: once for all its messages, as its name may be long.
    pub key: WaitKey,
    /// The messages or members in the order in which they were taken: mostly one.
    pub messages: SmallVec<[Taken; 1]>,
}

/// A message or member that was taken.
#[derive(Debug)]
pub struct Taken {
    /// The bytes of the message or member.
    pub message: Vec<u8>,
    /// Where it was.
    pub place: Place,
}

/// Notes what a client is served with that waited for this key, and maybe others.
#[inline]
pub fn note_taken(all: &mut TakenList, key: &Key<'_>, taken: Taken) {
    match all.last_mut() {
        Some(last) => last.messages.push(taken),
        None => all.push(TakenFrom {
            key: key.into(),
            messages: smallvec![taken],
        }),
    }
}

/// Where something was taken from, so that it can go back there.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// An end of a queue.
    Queue {
        /// The end that it was popped from.
        end: End,
        /// Its arrival time, in ticks of the queue.
        arrival: u64,
    },
    /// A sorted set.
    SortedSet {
        /// Its score.
        score: f64,
    },
}

/// Where a connection comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The peer's address.
    pub address: String,
    /// Our address.
    pub local_address: String,
    /// The peer's address without its port; none for Unix sockets.
    pub ip: Option<IpAddr>,
    /// The socket's descriptor.
    pub fd: i32,
    /// Whether it came by the unix socket.
    pub by_unix_socket: bool,
}

impl Origin {
    /// Whether it is of this machine.
    pub fn is_local(&self) -> bool {
        foreign_ip(self.ip).is_none()
    }
}

/// An address, unless it is of this machine.
fn foreign_ip(ip: Option<IpAddr>) -> Option<IpAddr> {
    ip.filter(|ip| !ip.to_canonical().is_loopback())
}

impl Client {
    /// A client that has just got its seat.
    pub fn new(id: u64, origin: Origin, seat: Seat, now_us: u64) -> Self {
        Self {
            id,
            address: origin.address,
            local_address: origin.local_address,
            ip: origin.ip,
            fd: origin.fd,
            connected_us: now_us,
            mailbox: Arc::new(Mailbox::new(id, seat)),
            identity: Lock::new(Identity {
                user: b"default".to_vec(),
                ..Identity::default()
            }),
            used_us: AtomicU64::new(now_us),
            is_held: AtomicBool::new(false),
            db: AtomicU8::new(0),
            command: AtomicUsize::new(usize::MAX),
            channels_len: AtomicUsize::new(0),
            patterns_len: AtomicUsize::new(0),
            shard_channels_len: AtomicUsize::new(0),
            queued_len: AtomicI64::new(-1),
            queued_bytes: AtomicUsize::new(0),
            watched_len: AtomicUsize::new(0),
            names_bytes: AtomicUsize::new(0),
            query_bytes: AtomicUsize::new(0),
            output_bytes: AtomicUsize::new(0),
            full_since_us: AtomicU64::new(0),
            received_bytes: Counter::default(),
            sent_bytes: AtomicU64::new(0),
            commands_total: Counter::default(),
            is_monitor: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            by_unix_socket: origin.by_unix_socket,
            wait: Lock::default(),
        }
    }

    /// Its address, unless it is of this machine.
    pub fn foreign_ip(&self) -> Option<IpAddr> {
        foreign_ip(self.ip)
    }

    /// Whether its request waits for something: in a line, for its connection to send what ended
    /// the wait, for the end of a pause.
    pub fn is_blocked(&self) -> bool {
        self.is_held.load(Ordering::Relaxed) || !matches!(*self.wait.lock(), Wait::None)
    }

    /// Bytes of replies and messages that wait for it to read.
    pub fn waiting_bytes(&self) -> usize {
        self.output_bytes.load(Ordering::Relaxed) + self.mailbox.backlog_bytes()
    }

    /// Bytes of the request with which it waits in lines: of each key its name there, in what it
    /// waits for, and in its line.
    pub fn blocked_bytes(&self) -> usize {
        match &*self.wait.lock() {
            Wait::Standing(waiter) => {
                let each_bytes = size_of::<WaitKey>() + size_of::<Vec<u8>>();
                3 * waiter.names_bytes + waiter.keys.len() * each_bytes
            }
            Wait::None | Wait::Served(_) => 0,
        }
    }

    /// Bytes that it takes, buffers and names included.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.identity.lock().bytes()
            + self.names_bytes.load(Ordering::Relaxed)
            + self.blocked_bytes()
            + self.query_bytes.load(Ordering::Relaxed)
            + self.queued_bytes.load(Ordering::Relaxed)
            + self.waiting_bytes()
            + self.mailbox.list_bytes()
    }

    /// How many subscriptions of any kind it has.
    pub fn subscriptions_len(&self) -> usize {
        self.channels_len.load(Ordering::Relaxed)
            + self.patterns_len.load(Ordering::Relaxed)
            + self.shard_channels_len.load(Ordering::Relaxed)
    }
}

/// All connected clients, by id.
#[derive(Debug, Default)]
pub struct Clients {
    connected: Lock<BTreeMap<u64, Arc<Client>>>,
    /// The last id given out.
    last_id: AtomicU64,
    /// Length of `connected`, for reading without the lock.
    connected_len: AtomicUsize,
}

impl Clients {
    /// An id for a new client; the first is 1.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a client.
    pub fn insert(&self, client: &Arc<Client>) {
        let mut connected = self.connected.lock();
        connected.insert(client.id, Arc::clone(client));
        self.connected_len.store(connected.len(), Ordering::Relaxed);
    }

    /// Removes a client that has gone.
    pub fn remove(&self, id: u64) {
        let mut connected = self.connected.lock();
        connected.remove(&id);
        self.connected_len.store(connected.len(), Ordering::Relaxed);
    }

    /// The client of an id.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.connected.lock().get(&id).cloned()
    }

    /// All clients in the order in which they connected.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.connected.lock().values().cloned().collect()
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.connected_len.load(Ordering::Relaxed)
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
