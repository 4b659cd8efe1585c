//! Channels, patterns and their subscribers.
//!
//! An index from channel to the mailboxes of its subscribers, in parts behind their own locks; the
//! part's lock is held while a message goes to all of them, so all see one order. Knows neither
//! protocol nor keys: the caller hands in how to encode, once per RESP version and pattern.
//!
//! Lock order: one part or the patterns, then mailboxes.

mod patterns;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::RandomState;
use bytes::Bytes;
use hashbrown::HashTable;

use crate::glob;
use crate::outbox::{Mailbox, WakeList};
use crate::overflow::OutboxBounds;
use crate::protocol::Resp;
use crate::sync::Lock;

use patterns::Patterns;

/// Parts of a channel index: more than the workers that publish at once.
const PARTS: usize = 64;

/// Which of the two separate name spaces a channel is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// SUBSCRIBE and PUBLISH.
    Global,
    /// SSUBSCRIBE and SPUBLISH.
    Shard,
}

/// Mailboxes in ascending order of their client's id, so that one is found by binary search.
#[derive(Debug, Default)]
struct Subscribers(Vec<Arc<Mailbox>>);

impl Subscribers {
    fn insert(&mut self, mailbox: &Arc<Mailbox>) {
        let id = mailbox.client_id();
        if let Err(place) = self.0.binary_search_by_key(&id, |other| other.client_id()) {
            self.0.insert(place, Arc::clone(mailbox));
        }
    }

    fn remove(&mut self, mailbox: &Mailbox) {
        let id = mailbox.client_id();
        if let Ok(place) = self.0.binary_search_by_key(&id, |other| other.client_id()) {
            self.0.remove(place);
        }
    }

    /// Leaves a message with each; `encode` is asked at most once per RESP version.
    fn send(&self, delivery: &mut Delivery<'_>, mut encode: impl FnMut(Resp) -> Bytes) {
        let mut encoded: [Option<Bytes>; 2] = [None, None];
        for mailbox in &self.0 {
            let resp = mailbox.resp();
            let message = encoded[usize::from(resp == Resp::V3)]
                .get_or_insert_with(|| encode(resp))
                .clone();
            delivery.dropped += mailbox.publish(message, delivery.bounds, delivery.wakes);
        }
        delivery.receivers += self.0.len() as u64;
    }

    fn sight(&self, name: &[u8], space: Option<Space>, traffic: Traffic) -> ChannelSight {
        let outboxes = self.0.iter().map(|mailbox| mailbox.backlog_bytes());
        ChannelSight {
            name: name.into(),
            space,
            subscribers: self.0.len() as u64,
            traffic,
            outbox_bytes_max: outboxes.max().unwrap_or(0),
        }
    }
}

/// One publication on its way.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// Bounds of the outboxes that it goes to.
    pub bounds: OutboxBounds,
    /// Who is to be woken after.
    pub wakes: &'a mut WakeList,
    /// Subscriptions that it went to.
    pub receivers: u64,
    /// Messages that outboxes let go of for it.
    pub dropped: u64,
}

/// What went through a channel or pattern since it had its first subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages published.
    pub published: u64,
    /// Messages left with subscribers.
    pub delivered: u64,
    /// Messages that full outboxes let go of for them.
    pub dropped: u64,
}

impl Traffic {
    /// Counts what a delivery added since it stood so.
    fn note(&mut self, delivery: &Delivery<'_>, (receivers, dropped): (u64, u64)) {
        self.published += 1;
        self.delivered += delivery.receivers - receivers;
        self.dropped += delivery.dropped - dropped;
    }
}

/// A channel or pattern with subscribers, as a survey sees it.
#[derive(Clone, Debug)]
pub struct ChannelSight {
    /// Its name, or the pattern.
    pub name: Box<[u8]>,
    /// The name space, `None` for patterns.
    pub space: Option<Space>,
    /// Who is subscribed.
    pub subscribers: u64,
    /// What went through.
    pub traffic: Traffic,
    /// Bytes that wait in the fullest outbox of a subscriber.
    pub outbox_bytes_max: usize,
}

#[derive(Debug)]
struct Channel {
    hash: u64,
    name: Box<[u8]>,
    subscribers: Subscribers,
    traffic: Traffic,
}

#[derive(Debug, Default)]
struct Index {
    parts: Vec<Lock<HashTable<Channel>>>,
    /// Channels in all parts. Relaxed: a publisher that races with the first SUBSCRIBE may miss it.
    channels_len: AtomicUsize,
}

/// The index of all subscriptions.
#[derive(Debug)]
pub struct PubSub {
    hasher: RandomState,
    global: Index,
    shard: Index,
    patterns: Lock<Patterns>,
    /// Length of `patterns`, so that publishers need not lock where there are none.
    patterns_len: AtomicUsize,
}

impl Default for PubSub {
    fn default() -> Self {
        Self::new()
    }
}

impl PubSub {
    /// No channels yet.
    pub fn new() -> Self {
        let index = || Index {
            parts: (0..PARTS).map(|_| Lock::default()).collect(),
            channels_len: AtomicUsize::new(0),
        };
        Self {
            hasher: RandomState::new(),
            global: index(),
            shard: index(),
            patterns: Lock::default(),
            patterns_len: AtomicUsize::new(0),
        }
    }

    fn index(&self, space: Space) -> &Index {
        match space {
            Space::Global => &self.global,
            Space::Shard => &self.shard,
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "only the low bits are wanted"
    )]
    fn part(&self, space: Space, channel: &[u8]) -> (&Lock<HashTable<Channel>>, u64) {
        let hash = self.hasher.hash_one(channel);
        (
            &self.index(space).parts[(hash >> 32) as usize % PARTS],
            hash,
        )
    }

    /// Adds a subscriber to a channel.
    pub fn subscribe(&self, space: Space, channel: &[u8], mailbox: &Arc<Mailbox>) {
        let (part, hash) = self.part(space, channel);
        let mut part = part.lock();
        if let Some(found) = part.find_mut(hash, |other| *other.name == *channel) {
            found.subscribers.insert(mailbox);
            return;
        }
        let mut subscribers = Subscribers::default();
        subscribers.insert(mailbox);
        let new = Channel {
            hash,
            name: channel.into(),
            subscribers,
            traffic: Traffic::default(),
        };
        part.insert_unique(hash, new, |channel| channel.hash);
        self.index(space)
            .channels_len
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a subscriber off a channel; a channel without subscribers is forgotten.
    pub fn unsubscribe(&self, space: Space, channel: &[u8], mailbox: &Mailbox) {
        let (part, hash) = self.part(space, channel);
        let mut part = part.lock();
        let Ok(mut found) = part.find_entry(hash, |other| *other.name == *channel) else {
            return;
        };
        found.get_mut().subscribers.remove(mailbox);
        if found.get().subscribers.0.is_empty() {
            found.remove();
            self.index(space)
                .channels_len
                .fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Adds a subscriber to a pattern.
    pub fn subscribe_pattern(&self, glob: &[u8], mailbox: &Arc<Mailbox>) {
        let mut patterns = self.patterns.lock();
        patterns.insert(self.hasher.hash_one(glob), glob, mailbox);
        self.patterns_len.store(patterns.len(), Ordering::Relaxed);
    }

    /// Takes a subscriber off a pattern; a pattern without subscribers is forgotten.
    pub fn unsubscribe_pattern(&self, glob: &[u8], mailbox: &Mailbox) {
        let mut patterns = self.patterns.lock();
        patterns.remove(self.hasher.hash_one(glob), glob, mailbox);
        self.patterns_len.store(patterns.len(), Ordering::Relaxed);
    }

    /// Sends a message to all subscribers of a channel, then, in the global space, to those of
    /// each pattern that matches, in the order in which the patterns were first subscribed to.
    /// `encode` makes the message for a RESP version, and for a pattern or the channel itself.
    pub fn publish(
        &self,
        space: Space,
        channel: &[u8],
        delivery: &mut Delivery<'_>,
        encode: impl Fn(Resp, Option<&[u8]>) -> Bytes,
    ) {
        if self.index(space).channels_len.load(Ordering::Relaxed) > 0 {
            let (part, hash) = self.part(space, channel);
            if let Some(found) = part.lock().find_mut(hash, |other| *other.name == *channel) {
                let before = (delivery.receivers, delivery.dropped);
                found.subscribers.send(delivery, |resp| encode(resp, None));
                found.traffic.note(delivery, before);
            }
        }
        if space == Space::Global && self.patterns_len.load(Ordering::Relaxed) > 0 {
            for pattern in self.patterns.lock().iter_mut() {
                if glob::matches(&pattern.glob, channel, false) {
                    let before = (delivery.receivers, delivery.dropped);
                    pattern
                        .subscribers
                        .send(delivery, |resp| encode(resp, Some(&pattern.glob)));
                    pattern.traffic.note(delivery, before);
                }
            }
        }
    }

    /// The channels that have subscribers, those that match `glob` only; in no order.
    pub fn channels(&self, space: Space, glob: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let mut found = Vec::new();
        for part in &self.index(space).parts {
            let part = part.lock();
            let wanted = part.iter().map(|channel| &*channel.name);
            let matches = |name: &&[u8]| glob.is_none_or(|glob| glob::matches(glob, name, false));
            found.extend(wanted.filter(matches).map(Box::from));
        }
        found
    }

    /// Visits every subscription: the channel or pattern, whether it is a pattern, and the ids of
    /// its subscribers' clients. One part is locked while it is visited.
    pub fn each_subscription(
        &self,
        mut visit: impl FnMut(&[u8], bool, &mut dyn Iterator<Item = u64>),
    ) {
        let ids = |subscribers: &Subscribers| {
            let ids = subscribers.0.iter().map(|mailbox| mailbox.client_id());
            ids.collect::<Vec<_>>().into_iter()
        };
        for part in self.global.parts.iter().chain(&self.shard.parts) {
            for channel in part.lock().iter() {
                visit(&channel.name, false, &mut ids(&channel.subscribers));
            }
        }
        for pattern in self.patterns.lock().iter() {
            visit(&pattern.glob, true, &mut ids(&pattern.subscribers));
        }
    }

    /// All channels and patterns that have subscribers, in no order. Part by part, so nobody waits
    /// for more than a part of it.
    pub fn survey(&self) -> Vec<ChannelSight> {
        let mut seen = Vec::new();
        for space in [Space::Global, Space::Shard] {
            for part in &self.index(space).parts {
                let part = part.lock();
                let sights = part.iter().map(|channel| {
                    channel
                        .subscribers
                        .sight(&channel.name, Some(space), channel.traffic)
                });
                seen.extend(sights);
            }
        }
        let patterns = self.patterns.lock();
        let sights = patterns.iter().map(|pattern| {
            pattern
                .subscribers
                .sight(&pattern.glob, None, pattern.traffic)
        });
        seen.extend(sights);
        seen
    }

    /// How many channels have subscribers.
    pub fn channels_len(&self, space: Space) -> usize {
        self.index(space).channels_len.load(Ordering::Relaxed)
    }

    /// How many subscribers a channel has, pattern subscribers not counted.
    pub fn subscribers_len(&self, space: Space, channel: &[u8]) -> usize {
        let (part, hash) = self.part(space, channel);
        let part = part.lock();
        part.find(hash, |other| *other.name == *channel)
            .map_or(0, |found| found.subscribers.0.len())
    }

    /// How many different patterns are subscribed to.
    pub fn patterns_len(&self) -> usize {
        self.patterns_len.load(Ordering::Relaxed)
    }
}
