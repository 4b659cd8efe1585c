//! What a handler works with: the shards that its command declared, the session, the reply.

use std::ops::Range;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::clock::Now;
use crate::config::Events;
use crate::metrics::WorkerStats;
use crate::outbox::WakeList;
use crate::protocol::{Args, Carrier, Parser, Reply};
use crate::pubsub::Space;
use crate::store::{AHEAD_LEN, Cause, Held, Key, Shard, Value};

use super::ahead::Ahead;
use super::engine::Engine;
use super::secrets;
use super::session::Session;
use super::spec::Flags;
use super::table::{Found, Recent};

/// One command being run.
///
/// The dispatcher has locked the shards of the keys that the command declares; a handler reaches
/// them by [`Call::shard`] and never locks anything itself, save commands on the whole keyspace,
/// which walk it shard by shard with [`Call::each_shard`].
#[derive(Debug)]
pub struct Call<'c, 'k> {
    /// The shared state.
    pub engine: &'k Engine,
    /// The shards held.
    pub held: &'c mut Held<'k>,
    /// The connection's state.
    pub session: &'c mut Session,
    /// Where the reply goes.
    pub reply: &'c mut Reply,
    /// Connections to wake after the locks are let go.
    pub wakes: &'c mut WakeList,
    /// The worker's counters.
    pub stats: &'c WorkerStats,
    /// The moment of this command.
    pub now: Now,
    /// The worker that runs this.
    pub worker: usize,
    /// Where the name of the command's first key stands, and its hash: hashed to find its shard,
    /// asked for again by the handler. Only ever holds a name of the command that runs or ran last.
    pub remembered: Option<(usize, u64)>,
    /// Whether the request has the command and the first argument of the one before, of which then
    /// holds what [`Call::remembered`] and the session's recent command say.
    pub repeats: bool,
    /// The clock in microseconds as it was read at the end of a request that was timed; only of use
    /// if that was the one before this.
    pub read_us: Option<u64>,
    /// The buffer of its own that a large request came in.
    pub carrier: Option<&'c Carrier>,
    /// The requests that follow.
    pub ahead: Ahead<'c>,
}

impl<'c, 'k> Call<'c, 'k> {
    /// A call that holds what `held` holds and remembers no key.
    #[inline]
    pub fn new(
        engine: &'k Engine,
        held: &'c mut Held<'k>,
        session: &'c mut Session,
        reply: &'c mut Reply,
        wakes: &'c mut WakeList,
        now: Now,
        worker: usize,
    ) -> Self {
        Self {
            engine,
            held,
            session,
            reply,
            wakes,
            stats: &engine.workers[worker],
            now,
            worker,
            remembered: None,
            repeats: false,
            read_us: None,
            carrier: None,
            ahead: Ahead::default(),
        }
    }
}

impl<'c> Call<'c, '_> {
    /// Goes on to the request that `bytes` begin with and that the parser has just found there.
    #[inline]
    pub fn come_to(&mut self, bytes: &'c [u8], request_bytes: usize, parser: &Parser) {
        self.repeats = parser.has_repeated();
        let head_bytes = parser.head_bytes();
        self.ahead.advance(bytes, request_bytes, head_bytes);
    }

    /// An argument as a key of the selected database.
    #[inline]
    pub fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        match self.remembered {
            Some((address, hash)) if address == name.as_ptr().addr() => Key {
                db: self.session.db,
                hash,
                name,
            },
            _ => self.engine.keyspace.key(self.session.db, name),
        }
    }

    /// Spares the handler from hashing this key again.
    #[inline]
    pub(super) fn remember(&mut self, key: &Key<'_>) {
        self.remembered = Some((key.name.as_ptr().addr(), key.hash));
    }

    /// Asks for the memory behind the keys of this request and of the next ones of its command.
    #[inline(never)]
    pub(super) fn ask_ahead(&mut self) {
        let names = self.ahead.keys();
        if !names.is_empty() {
            let (keyspace, db) = (&self.engine.keyspace, self.session.db);
            let keys = names.iter().map(|name| keyspace.key(db, name));
            self.held.ask(&keys.collect::<SmallVec<[_; AHEAD_LEN]>>());
        }
    }

    /// The hash of the first argument, if the request before had the same.
    #[inline]
    pub(super) fn hash_of_repeated(&self) -> Option<u64> {
        let (_, hash) = self.remembered.filter(|_| self.repeats)?;
        Some(hash)
    }

    /// Has the next request looked up anew, whether or not it repeats this one.
    pub(super) fn forget_request(&mut self) {
        self.repeats = false;
        self.forget_key();
        self.session.recent = Recent::default();
    }

    /// Ends [`Call::remember`], before the next command may reuse the memory.
    #[inline]
    pub(super) fn forget_key(&mut self) {
        self.remembered = None;
    }

    /// The shard of a key that the command declared.
    #[inline]
    pub fn shard(&mut self, key: &Key<'_>) -> &mut Shard {
        self.held.shard_of(key)
    }

    /// For a command that takes long and need not be one step: lets go of the shards and has the
    /// worker's other connections take their turns. Does nothing in a transaction or a script.
    #[cold]
    #[inline(never)]
    pub fn let_others(&mut self) {
        if self.held.is_pinned() {
            return;
        }
        super::finish(self);
        if let Some(meanwhile) = self.engine.meanwhile.get() {
            (meanwhile.unless_inside)();
        }
    }

    /// Milliseconds on the wall clock, for deadlines.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.now.unix_ms
    }

    /// Milliseconds on the monotonic clock, the tick of arrival times.
    #[inline]
    pub fn tick(&self) -> u64 {
        self.now.mono_ms()
    }

    /// Counts a look-up by a command that only looks at the entry itself, like OBJECT.
    #[inline]
    pub fn count_lookup(&self, found: bool) {
        if found {
            self.stats.hits.add(1);
        } else {
            self.stats.misses.add(1);
        }
    }

    /// Counts a look-up by a reading command, and tells of one in vain.
    #[inline]
    pub fn looked_up(&mut self, key: &Key<'_>, found: bool) {
        self.count_lookup(found);
        if !found {
            self.notify(key, Events::MISS, "keymiss");
        }
    }

    /// Says that a key changed, and by what event: watchers and subscribers to notifications
    /// learn of it. Every handler that changes a key calls it once per change.
    #[inline]
    pub fn changed(&mut self, key: &Key<'_>, class: Events, event: &str) {
        self.held.shard_of(key).watched.changed(key);
        self.notify(key, class, event);
    }

    /// Lets go of a value that is deleted or overwritten, and counts what is lost with it.
    pub fn let_go(&mut self, value: Value) {
        let db = self.session.db;
        if let Some(shard) = self.held.first() {
            // LOSS: deleted
            shard.write_off(db, Cause::Deleted, &value);
        }
        value.free();
    }

    /// Publishes a keyspace notification, where the settings ask for it.
    #[inline]
    pub fn notify(&mut self, key: &Key<'_>, class: Events, event: &str) {
        let wanted = self.engine.config.live().notify_keyspace_events();
        if wanted.wants(class) {
            self.publish_event(key, event);
        }
    }

    /// Out of line, for few servers have it asked for. What a command does comes after what it
    /// found expired.
    #[cold]
    #[inline(never)]
    fn publish_event(&mut self, key: &Key<'_>, event: &str) {
        self.notify_expired();
        let wanted = self.engine.config.live().notify_keyspace_events();
        super::pubsub::publish_event(self.engine, wanted, key, event, self.wakes);
    }

    /// Publishes a message; returns how many subscriptions it went to.
    #[inline]
    pub fn publish(&mut self, space: Space, channel: &[u8], message: &[u8]) -> u64 {
        let (receivers, dropped) =
            super::pubsub::deliver(self.engine, space, channel, message, self.wakes);
        self.stats.published.add(1);
        if receivers > 0 {
            self.stats.delivered.add(receivers);
            self.stats.outbox_dropped.add(dropped);
        }
        if self.engine.has_routes.load(Ordering::Relaxed) {
            return receivers + super::weir::route::follow(self, channel, message);
        }
        receivers
    }

    /// Runs `visit` on every shard in order. Where the dispatcher holds them all (commands flagged
    /// `ALL_KEYS`, transactions, scripts) that is one step for everybody else; otherwise each is
    /// held only while it is visited. Values to be freed are best returned and freed outside.
    pub fn each_shard<R>(&mut self, mut visit: impl FnMut(u32, &mut Shard) -> R) -> Vec<R> {
        let mut results = Vec::new();
        for shard in 0..crate::store::SHARDS {
            self.held.need(crate::store::ShardSet::one(shard));
            results.push(visit(shard, self.held.shard(shard)));
        }
        results
    }

    /// Notifies of the keys that expired in the shards held.
    #[inline]
    pub fn notify_expired(&mut self) {
        if self.held.any(|shard| !shard.expired.is_empty()) {
            self.tell_expired();
        }
    }

    #[cold]
    fn tell_expired(&mut self) {
        let mut expired = Vec::new();
        for (_, shard) in self.held.shards() {
            expired.append(&mut shard.expired);
        }
        for key in expired {
            super::tick::notify_expired(self.engine, &key, self.wakes);
        }
    }

    /// Writes what others left in the client's own mailbox to the reply, so that it keeps its
    /// place among the replies. Where these are not sent, it is taken when the command is over.
    pub fn collect_mail(&mut self) {
        if self.session.wants_replies() {
            self.take_mail();
        }
    }

    /// The same whatever becomes of replies: for where nothing is taken back.
    pub fn take_mail(&mut self) {
        if self.session.client.mailbox.is_notified() {
            // A wish to close stays in the box for the connection to find.
            let _ = self.session.client.mailbox.drain(self.reply, usize::MAX);
        }
    }

    /// Sends a line to all who run MONITOR, unless the command's flags keep it from them.
    #[cold]
    pub(super) fn show_monitors(&mut self, found: &Found, args: Args<'_>) {
        if found
            .command
            .flags
            .any(Flags::SKIP_MONITOR.and(Flags::ADMIN))
        {
            return;
        }
        self.feed_monitors(args, secrets::positions(found, args), None);
    }

    /// Sends a line to all who run MONITOR, without the arguments that are `hidden`; `source`
    /// stands for the client's address.
    #[cold]
    pub(super) fn feed_monitors(
        &mut self,
        args: Args<'_>,
        hidden: Range<usize>,
        source: Option<&str>,
    ) {
        let line = super::monitor::line(self, args, &hidden, source);
        let bounds = self.engine.outbox_bounds();
        for mailbox in self.engine.monitors.lock().iter() {
            mailbox.publish(line.clone(), bounds, self.wakes);
        }
    }
}

/// A large argument as a value: by reference where the buffer that it came in can be given away for
/// it, otherwise a copy.
#[cold]
pub(super) fn keep(carrier: Option<&Carrier>, argument: &[u8]) -> Bytes {
    let shared = carrier.and_then(|carrier| carrier.share(argument));
    shared.unwrap_or_else(|| Bytes::copy_from_slice(argument))
}
