//! What the server remembers of a connection between its commands.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::{HashSet, HashTable};

use crate::acl::Badge;
use crate::clients::{Client, TakenList};
use crate::protocol::{OwnedArgs, Resp};
use crate::store::{WaitKey, WatchFlag};

use super::rest::Awaited;
use super::table::{Found, Recent};

/// Names that a client is subscribed to, in no order. Few clients are to any: an empty set is a
/// null pointer, so that a session is made in no time.
#[derive(Debug, Default)]
pub struct Names(Option<Box<Named>>);

#[derive(Debug, Default)]
struct Named {
    names: HashSet<Box<[u8]>, ahash::RandomState>,
    /// Bytes of all names.
    bytes: usize,
}

impl Names {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |named| named.names.len())
    }

    /// Memory that they take, in bytes.
    fn memory_bytes(&self) -> usize {
        let bytes_of = |named: &Named| named.bytes + named.names.len() * size_of::<Box<[u8]>>();
        self.0.as_deref().map_or(0, bytes_of)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a name; says whether it is new.
    pub fn insert(&mut self, name: &[u8]) -> bool {
        let named = self.0.get_or_insert_default();
        let is_new = named.names.insert(name.into());
        if is_new {
            named.bytes += name.len();
        }
        is_new
    }

    /// Removes a name; says whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(named) = &mut self.0 else {
            return false;
        };
        let was_there = named.names.remove(name);
        if was_there {
            named.bytes -= name.len();
        }
        was_there
    }

    /// All names.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .flat_map(|named| named.names.iter().map(|name| &**name))
    }
}

/// What becomes of replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyMode {
    /// Sent.
    On,
    /// Not sent until CLIENT REPLY ON.
    Off,
    /// That of the next command is not sent.
    SkipNext,
    /// That of the command that runs is not sent.
    Skipping,
}

/// Commands queued between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The commands with their requests, in order.
    pub queued: Vec<(Found, OwnedArgs)>,
    /// Memory that `queued` takes, in bytes.
    pub bytes: usize,
    /// A command was refused while queueing: EXEC answers EXECABORT.
    pub is_broken: bool,
}

/// Keys watched for a transaction.
#[derive(Debug, Default)]
pub struct Watching {
    /// Raised when any of `keys` changes.
    pub flag: Arc<WatchFlag>,
    /// The keys, each once.
    pub keys: HashTable<WaitKey>,
    /// Memory that `keys` take, in bytes.
    pub bytes: usize,
}

/// How the command on which the client blocks ends without being served.
#[derive(Clone, Copy, Debug)]
pub struct Blocked {
    /// Monotonic microseconds; `None` is never.
    pub deadline_us: Option<u64>,
    /// Index of the command.
    pub command: usize,
}

/// The state of a connection that commands see and change.
#[derive(Debug)]
pub struct Session {
    /// The public part.
    pub client: Arc<Client>,
    /// The selected database.
    pub db: u8,
    /// Whether it may run commands.
    pub is_authenticated: bool,
    /// Who it is, and what it may do; `None` is the default user, who was not asked about yet.
    pub badge: Option<Badge>,
    /// What becomes of replies.
    pub reply_mode: ReplyMode,
    /// The command that runs confirmed a subscription or its end.
    pub has_confirmed: bool,
    /// Channels subscribed to.
    pub channels: Names,
    /// Patterns subscribed to.
    pub patterns: Names,
    /// Shard channels subscribed to.
    pub shard_channels: Names,
    /// Between MULTI and EXEC.
    pub transaction: Option<Transaction>,
    /// Index of the command that ran last, `usize::MAX` before any.
    pub last_command: usize,
    /// The command that ran last, for finding it again.
    pub recent: Recent,
    /// After WATCH.
    pub watching: Option<Watching>,
    /// While it stands in lines.
    pub blocked: Option<Blocked>,
    /// Nobody wants the reply to the command on which it blocks.
    pub is_unheard: bool,
    /// What its next request waits for, if that was postponed.
    pub postponed: Option<Awaited>,
    /// Inside EXEC or a script: nothing may block.
    pub is_atomic: bool,
    /// Inside a script: a set whose order nobody asked for is answered in order.
    pub is_script: bool,
    /// A stand-in runs a blocked client's request on behalf of its connection, and notes the
    /// messages that it takes.
    pub taken: Option<TakenList>,
    /// Any state in which requests need more checks than those of a plain client.
    pub is_special: bool,
    /// Whether it sees every command (MONITOR).
    pub is_monitor: bool,
}

impl Session {
    /// The session of a client that has just connected.
    pub fn new(client: Arc<Client>, is_authenticated: bool) -> Self {
        let mut session = Self::blank(client, is_authenticated);
        session.note_state();
        session
    }

    /// A stand-in for a client that blocks, to try its request again. What others see of the
    /// client stays as it is.
    pub fn stand_in(client: Arc<Client>, db: u8, badge: Option<Badge>) -> Self {
        Self {
            db,
            badge,
            taken: Some(TakenList::new()),
            ..Self::blank(client, true)
        }
    }

    fn blank(client: Arc<Client>, is_authenticated: bool) -> Self {
        Self {
            client,
            db: 0,
            is_authenticated,
            badge: None,
            reply_mode: ReplyMode::On,
            has_confirmed: false,
            channels: Names::default(),
            patterns: Names::default(),
            shard_channels: Names::default(),
            transaction: None,
            last_command: usize::MAX,
            recent: Recent::default(),
            watching: None,
            blocked: None,
            is_unheard: false,
            postponed: None,
            is_atomic: false,
            is_script: false,
            taken: None,
            is_special: false,
            is_monitor: false,
        }
    }

    /// Whether replies are sent.
    pub fn wants_replies(&self) -> bool {
        self.reply_mode == ReplyMode::On
    }

    /// How many subscriptions SUBSCRIBE's replies count: channels and patterns.
    pub fn subscriptions_len(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Whether it has any subscription.
    pub fn is_subscribed(&self) -> bool {
        self.subscriptions_len() + self.shard_channels.len() > 0
    }

    /// Works out `is_special` and what others see, after any change to what they depend on.
    pub fn note_state(&mut self) {
        let is_other = |badge: &Badge| !badge.is_default();
        self.is_special = !self.is_authenticated
            || self.badge.as_ref().is_some_and(is_other)
            || self.reply_mode != ReplyMode::On
            || self.transaction.is_some()
            || self.is_subscribed()
            || self.is_monitor
            || self.client.no_touch.load(Ordering::Relaxed);
        let client = &self.client;
        client.db.store(self.db, Ordering::Relaxed);
        client
            .channels_len
            .store(self.channels.len(), Ordering::Relaxed);
        client
            .patterns_len
            .store(self.patterns.len(), Ordering::Relaxed);
        client
            .shard_channels_len
            .store(self.shard_channels.len(), Ordering::Relaxed);
        client.is_monitor.store(self.is_monitor, Ordering::Relaxed);
        let queued = self.transaction.as_ref().map_or(-1, |transaction| {
            i64::try_from(transaction.queued.len()).unwrap_or(i64::MAX)
        });
        client.queued_len.store(queued, Ordering::Relaxed);
        let queued_bytes = self.transaction.as_ref();
        let queued_bytes = queued_bytes.map_or(0, |transaction| transaction.bytes);
        client.queued_bytes.store(queued_bytes, Ordering::Relaxed);
        let watched = self.watching.as_ref();
        let (watched, watched_bytes) =
            watched.map_or((0, 0), |watching| (watching.keys.len(), watching.bytes));
        client.watched_len.store(watched, Ordering::Relaxed);
        let subscribed_bytes = self.channels.memory_bytes()
            + self.patterns.memory_bytes()
            + self.shard_channels.memory_bytes();
        client
            .names_bytes
            .store(subscribed_bytes + watched_bytes, Ordering::Relaxed);
    }

    /// Whether a command is only allowed if it manages subscriptions.
    pub fn is_subscriber_only(&self, resp: Resp) -> bool {
        resp == Resp::V2 && self.is_subscribed()
    }
}
