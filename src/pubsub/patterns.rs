//! Patterns in the order in which they were first subscribed to.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::outbox::Mailbox;

use super::{Subscribers, Traffic};

/// Places that there may be beyond twice as many as are taken.
const FREE_PLACES_MAX: usize = 16;

/// A pattern with subscribers.
#[derive(Debug)]
pub(super) struct Pattern {
    hash: u64,
    pub(super) glob: Box<[u8]>,
    pub(super) subscribers: Subscribers,
    pub(super) traffic: Traffic,
}

/// All of them. One that has gone leaves its place free until half of the places are, so that to
/// come and to go costs no walk over the others.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    places: Vec<Option<Pattern>>,
    /// The place of each.
    by_glob: HashTable<usize>,
}

impl Patterns {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_glob.len()
    }

    /// Adds a subscriber.
    pub(super) fn insert(&mut self, hash: u64, glob: &[u8], mailbox: &Arc<Mailbox>) {
        if let Some(found) = self
            .place_of(hash, glob)
            .and_then(|at| self.places[at].as_mut())
        {
            found.subscribers.insert(mailbox);
            return;
        }
        let mut subscribers = Subscribers::default();
        subscribers.insert(mailbox);
        let places = &mut self.places;
        places.push(Some(Pattern {
            hash,
            glob: glob.into(),
            subscribers,
            traffic: Traffic::default(),
        }));
        let hash_at = |&at: &usize| places[at].as_ref().map_or(0, |pattern| pattern.hash);
        self.by_glob.insert_unique(hash, places.len() - 1, hash_at);
    }

    /// Removes a subscriber; a pattern without any is forgotten.
    pub(super) fn remove(&mut self, hash: u64, glob: &[u8], mailbox: &Mailbox) {
        let Some(at) = self.place_of(hash, glob) else {
            return;
        };
        let Some(found) = &mut self.places[at] else {
            return;
        };
        found.subscribers.remove(mailbox);
        if !found.subscribers.0.is_empty() {
            return;
        }
        self.places[at] = None;
        if let Ok(entry) = self.by_glob.find_entry(hash, |&other| other == at) {
            entry.remove();
        }
        if self.places.len() > 2 * self.len() + FREE_PLACES_MAX {
            self.close_up();
        }
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.places.iter().flatten()
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pattern> {
        self.places.iter_mut().flatten()
    }

    fn place_of(&self, hash: u64, glob: &[u8]) -> Option<usize> {
        let is_it = |&at: &usize| self.places[at].as_ref().is_some_and(|it| *it.glob == *glob);
        self.by_glob.find(hash, is_it).copied()
    }

    /// Gives up the free places.
    fn close_up(&mut self) {
        self.places.retain(Option::is_some);
        self.places.shrink_to_fit();
        let hashes: Vec<u64> = self.iter().map(|pattern| pattern.hash).collect();
        self.by_glob = HashTable::with_capacity(hashes.len());
        for (at, &hash) in hashes.iter().enumerate() {
            self.by_glob.insert_unique(hash, at, |&at| hashes[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    #[test]
    fn patterns_keep_their_order_while_others_come_and_go() {
        let bench = Bench::new();
        let (one, two) = (bench.client(), bench.client());
        let (one, two) = (&one.session.client.mailbox, &two.session.client.mailbox);
        let mut patterns = Patterns::default();
        let mut model: Vec<(u64, [bool; 2])> = Vec::new();
        // Few hashes, so that they meet; the numbers are those of a linear generator.
        let hash = |glob: u64| glob % 7;
        let mut state = 1_u64;
        for step in 0..4000_u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (glob, who, comes) = (state >> 40 & 127, state >> 50 & 1, state >> 55 & 3);
            // Phases in which most come, and most go.
            let comes = if step / 500 % 2 == 0 {
                comes > 0
            } else {
                comes == 0
            };
            let mailbox = if who == 0 { one } else { two };
            let name = glob.to_be_bytes();
            let known = model.iter().position(|(other, _)| *other == glob);
            if comes {
                patterns.insert(hash(glob), &name, mailbox);
                let at = known.unwrap_or_else(|| {
                    model.push((glob, [false; 2]));
                    model.len() - 1
                });
                model[at].1[usize::from(who == 1)] = true;
            } else {
                patterns.remove(hash(glob), &name, mailbox);
                if let Some(at) = known {
                    model[at].1[usize::from(who == 1)] = false;
                    if model[at].1 == [false; 2] {
                        model.remove(at);
                    }
                }
            }
            let held: Vec<_> = patterns
                .iter()
                .map(|pattern| (pattern.glob.to_vec(), pattern.subscribers.0.len()))
                .collect();
            let wanted: Vec<_> = model
                .iter()
                .map(|(glob, who)| {
                    let len = who.iter().filter(|is_there| **is_there).count();
                    (glob.to_be_bytes().to_vec(), len)
                })
                .collect();
            assert_eq!(held, wanted, "step {step}");
            assert_eq!(patterns.len(), model.len());
            assert!(patterns.places.len() <= 2 * model.len() + FREE_PLACES_MAX + 1);
        }
    }
}
