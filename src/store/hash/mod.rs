//! Hashes: fields with values, and with deadlines of their own.
//!
//! A small hash is one allocation of field and value in turn ([`Packed`]); one whose fields were
//! ever given a deadline has that as a third item; a large one is a table. Which is which follows
//! Redis's thresholds, because clients see it: small hashes keep the order in which fields came.
//!
//! A field whose deadline has passed is still here until somebody removes it: readers are told
//! deadlines and decide. Knows nothing of keys; the shard keeps track of the earliest deadline.

mod field;
mod fields;
#[cfg(test)]
mod tests;
mod timed;

use super::cold::{Cold, Names};
use super::packed::{Item, Packed};
use super::shape::Shape;
use fields::Fields;
use timed::Timed;

/// Fields and their values. Two words.
#[derive(Clone, Debug)]
pub struct Hash {
    kept: Kept,
}

const _: () = assert!(size_of::<Hash>() == 16);

#[derive(Clone, Debug)]
enum Kept {
    /// Field and value in turn.
    Pairs(Packed),
    /// Anything with deadlines, or large.
    Large(Box<Large>),
}

#[derive(Debug)]
struct Large {
    fields: LargeFields,
    /// The earliest deadline that the shard knows of; 0 is none.
    noted_ms: u64,
}

impl Clone for Large {
    /// A copy that no shard has noted anything of.
    fn clone(&self) -> Self {
        Self {
            fields: self.fields.clone(),
            noted_ms: 0,
        }
    }
}

#[derive(Clone, Debug)]
enum LargeFields {
    Timed(Timed),
    Table(Fields),
}

/// A field as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its name.
    pub field: Item<'a>,
    /// Its value.
    pub value: Item<'a>,
    /// When it expires, in milliseconds since the epoch.
    pub deadline_ms: Option<u64>,
}

impl Entry<'_> {
    /// Whether its time is over.
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.deadline_ms
            .is_some_and(|deadline_ms| deadline_ms <= now_ms)
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Hash {
    /// A hash without fields; owns no memory.
    pub fn new() -> Self {
        Self {
            kept: Kept::Pairs(Packed::new()),
        }
    }

    /// How many fields it has, those whose deadline has passed included. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Pairs(pairs) => pairs.len() / 2,
            Kept::Large(large) => match &large.fields {
                LargeFields::Timed(timed) => timed.len(),
                LargeFields::Table(table) => table.len(),
            },
        }
    }

    /// Whether it has no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes it owns. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.kept {
            Kept::Pairs(pairs) => pairs.heap_bytes(),
            Kept::Large(large) => {
                size_of::<Large>()
                    + match &large.fields {
                        LargeFields::Timed(timed) => timed.heap_bytes(),
                        LargeFields::Table(table) => table.heap_bytes(),
                    }
            }
        }
    }

    /// What OBJECT ENCODING calls the way in which it is kept.
    pub fn encoding(&self) -> &'static str {
        match &self.kept {
            Kept::Pairs(_) => "listpack",
            Kept::Large(large) => match &large.fields {
                LargeFields::Timed(_) => "listpackex",
                LargeFields::Table(_) => "hashtable",
            },
        }
    }

    /// Whether it is a table, in no order.
    #[inline]
    pub fn is_table(&self) -> bool {
        self.table().is_some()
    }

    #[inline]
    fn table(&self) -> Option<&Fields> {
        match &self.kept {
            Kept::Large(large) => match &large.fields {
                LargeFields::Table(table) => Some(table),
                LargeFields::Timed(_) => None,
            },
            Kept::Pairs(_) => None,
        }
    }

    /// The value and the deadline of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<(Item<'_>, Option<u64>)> {
        match &self.kept {
            Kept::Pairs(pairs) => {
                let value = pairs.after(pairs.find(field, 2)?)?;
                Some((pairs.at(value), None))
            }
            Kept::Large(large) => match &large.fields {
                LargeFields::Timed(timed) => timed.get(field),
                LargeFields::Table(table) => table
                    .get(field)
                    .map(|field| (Item::Bytes(field.value()), field.deadline_ms())),
            },
        }
    }

    /// Makes it a table if `fields_len` new fields, the longest of whose names and values has
    /// `bytes_max` bytes, would be too much for anything smaller.
    #[inline]
    pub fn expect(&mut self, fields_len: usize, bytes_max: usize, shape: &Shape) {
        if fields_len > shape.entries_max || bytes_max > shape.item_bytes_max {
            self.make_table(shape);
        }
    }

    /// Sets fields of a hash that has none, in one allocation. `pairs` are names and values in
    /// turn; a name may come twice. Returns how many fields there are then.
    pub fn fill<'a>(
        &mut self,
        pairs: impl Iterator<Item = &'a [u8]> + Clone,
        shape: &Shape,
    ) -> usize {
        match &mut self.kept {
            Kept::Pairs(packed)
                if packed.is_empty() && !repeats(&pairs.clone().step_by(2), shape.entries_max) =>
            {
                packed.extend(pairs);
            }
            _ => {
                let mut pairs = pairs;
                while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
                    self.set(field, value, false, shape);
                }
            }
        }
        self.len()
    }

    /// Sets a field; says whether it is new. An old field keeps its deadline only if so asked.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], keeps_deadline: bool, shape: &Shape) -> bool {
        self.expect(1, field.len().max(value.len()), shape);
        let is_new = match &mut self.kept {
            Kept::Pairs(pairs) => {
                let found = pairs.find(field, 2).and_then(|spot| pairs.after(spot));
                match found {
                    Some(spot) => pairs.replace(spot, value),
                    None => pairs.extend([field, value].into_iter()),
                }
                found.is_none()
            }
            Kept::Large(large) => match &mut large.fields {
                LargeFields::Timed(timed) => timed.set(field, value, keeps_deadline),
                LargeFields::Table(table) => return table.set(field, value, keeps_deadline),
            },
        };
        if self.len() > shape.entries_max {
            self.make_table(shape);
        }
        is_new
    }

    /// Removes a field; says whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.kept {
            Kept::Pairs(pairs) => {
                let found = pairs.find(field, 2);
                if let Some(spot) = found {
                    pairs.remove(spot, 2);
                }
                found.is_some()
            }
            Kept::Large(large) => match &mut large.fields {
                LargeFields::Timed(timed) => timed.remove(field),
                LargeFields::Table(table) => table.remove(field),
            },
        }
    }

    /// Sets or takes away the deadline of a field that is there.
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) {
        self.prepare_deadlines();
        if let Kept::Large(large) = &mut self.kept {
            match &mut large.fields {
                LargeFields::Timed(timed) => timed.set_deadline(field, deadline_ms),
                LargeFields::Table(table) => table.set_deadline(field, deadline_ms),
            }
        }
    }

    /// Makes place for deadlines; OBJECT ENCODING shows it from then on.
    pub fn prepare_deadlines(&mut self) {
        if let Kept::Pairs(pairs) = &self.kept {
            self.kept = Kept::Large(Box::new(Large {
                fields: LargeFields::Timed(Timed::from_pairs(pairs)),
                noted_ms: 0,
            }));
        }
    }

    #[cold]
    fn make_table(&mut self, shape: &Shape) {
        if self.is_table() {
            return;
        }
        let mut table = Fields::new(shape.hasher());
        for entry in self.iter() {
            entry.field.with_bytes(|field| {
                entry
                    .value
                    .with_bytes(|value| table.set(field, value, false));
                if entry.deadline_ms.is_some() {
                    table.set_deadline(field, entry.deadline_ms);
                }
            });
        }
        self.kept = Kept::Large(Box::new(Large {
            fields: LargeFields::Table(table),
            noted_ms: self.noted_ms(),
        }));
    }

    /// All fields: in the order in which they came while it is small, those with deadlines first.
    pub fn iter(&self) -> Entries<'_> {
        match &self.kept {
            Kept::Pairs(pairs) => Entries::Pairs(pairs.iter()),
            Kept::Large(large) => match &large.fields {
                LargeFields::Timed(timed) => Entries::Timed(Box::new(timed.iter())),
                LargeFields::Table(table) => Entries::Table(table.iter()),
            },
        }
    }

    /// The items of field and value in turn of a small hash without deadlines, which are read most.
    #[inline]
    pub fn pairs(&self) -> Option<&Packed> {
        match &self.kept {
            Kept::Pairs(pairs) => Some(pairs),
            Kept::Large(_) => None,
        }
    }

    /// A field picked by a random number, each as likely as any other.
    pub fn random(&self, random: u64) -> Option<Entry<'_>> {
        if let Some(table) = self.table() {
            return table.random(random).map(Entry::of);
        }
        let len = self.len() as u64;
        let index = usize::try_from(random.checked_rem(len)?).ok()?;
        self.iter().nth(index)
    }

    /// Visits `count` fields of a table in its order, or all of a small hash; returns where to go
    /// on, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        if let Some(table) = self.table() {
            return table.scan(cursor, count, |field| visit(Entry::of(field)));
        }
        self.iter().for_each(visit);
        0
    }

    /// The earliest deadline of a field.
    #[inline]
    pub fn first_deadline_ms(&self) -> Option<u64> {
        match &self.kept {
            Kept::Pairs(_) => None,
            Kept::Large(large) => match &large.fields {
                LargeFields::Timed(timed) => timed.first_deadline_ms(),
                LargeFields::Table(table) => table.first_deadline_ms(),
            },
        }
    }

    /// Removes up to `limit` fields whose deadline has passed, earliest first; says how many.
    pub fn expire_due(&mut self, now_ms: u64, limit: usize) -> usize {
        match &mut self.kept {
            Kept::Pairs(_) => 0,
            Kept::Large(large) => match &mut large.fields {
                LargeFields::Timed(timed) => timed.expire_due(now_ms, limit),
                LargeFields::Table(table) => table.expire_due(now_ms, limit),
            },
        }
    }

    /// Whether its earliest deadline is another than its shard has noted.
    #[inline]
    pub fn needs_note(&self) -> bool {
        match &self.kept {
            Kept::Pairs(_) => false,
            Kept::Large(large) => large.noted_ms != self.first_deadline_ms().unwrap_or(0),
        }
    }

    /// The earliest deadline that its shard has noted; 0 is none.
    #[inline]
    pub(super) fn noted_ms(&self) -> u64 {
        match &self.kept {
            Kept::Pairs(_) => 0,
            Kept::Large(large) => large.noted_ms,
        }
    }

    /// Remembers what its shard has noted.
    pub(super) fn set_noted_ms(&mut self, noted_ms: u64) {
        if let Kept::Large(large) = &mut self.kept {
            large.noted_ms = noted_ms;
        }
    }
}

impl<'a> Entry<'a> {
    fn of(field: &'a field::Field) -> Self {
        Self {
            field: Item::Bytes(field.name()),
            value: Item::Bytes(field.value()),
            deadline_ms: field.deadline_ms(),
        }
    }
}

impl Cold for Hash {
    #[inline]
    fn table_len(&self) -> usize {
        self.table().map_or(0, Cold::table_len)
    }

    fn ask(&self, names: &Names<'_>) {
        if let Some(table) = self.table() {
            table.ask(names);
        }
    }
}

/// Fields of one command that are compared with each other rather than looked for in the hash.
const COMPARED_LEN_MAX: usize = 64;

/// Whether names repeat, or are too many to find out or to be packed.
fn repeats<'a>(names: &(impl Iterator<Item = &'a [u8]> + Clone), entries_max: usize) -> bool {
    let mut later = names.clone();
    let mut len = 0;
    while let Some(name) = later.next() {
        len += 1;
        if len > entries_max.min(COMPARED_LEN_MAX) || later.clone().any(|other| other == name) {
            return true;
        }
    }
    false
}

/// The fields of a hash.
pub enum Entries<'a> {
    #[doc(hidden)]
    Pairs(super::packed::Items<'a>),
    #[doc(hidden)]
    Timed(Box<dyn Iterator<Item = (Item<'a>, Item<'a>, Option<u64>)> + 'a>),
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody matches on it")]
    Table(super::table::Iter<'a, field::Field>),
}

impl<'a> IntoIterator for &'a Hash {
    type Item = Entry<'a>;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        match self {
            Self::Pairs(items) => Some(Entry {
                field: items.next()?,
                value: items.next()?,
                deadline_ms: None,
            }),
            Self::Timed(triples) => triples.next().map(|(field, value, deadline_ms)| Entry {
                field,
                value,
                deadline_ms,
            }),
            Self::Table(fields) => fields.next().map(Entry::of),
        }
    }
}
