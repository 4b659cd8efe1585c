//! Sets of byte strings.
//!
//! A small set is one allocation: a sorted array while all members are integers, else the members
//! in the order in which they came. A large one is a table. Which is which follows Redis's
//! thresholds, because clients see it.

mod integers;
mod members;
#[cfg(test)]
mod tests;

use super::cold::{Cold, Names};
use super::packed::{Item, Items, Packed};
use super::shape::Shape;
use integers::Integers;
use members::Members;

/// Members, each once. Two words.
#[derive(Clone, Debug)]
pub struct Set {
    kept: Kept,
}

const _: () = assert!(size_of::<Set>() == 16);

#[derive(Clone, Debug)]
enum Kept {
    /// A sorted array of integers or packed members, as the tag says; integers if it is empty and
    /// has no tag.
    Small(Packed),
    /// In no order.
    Table(Box<Members>),
}

impl Cold for Set {
    #[inline]
    fn table_len(&self) -> usize {
        match &self.kept {
            Kept::Table(members) => members.len(),
            Kept::Small(_) => 0,
        }
    }

    fn ask(&self, names: &Names<'_>) {
        if let Kept::Table(members) = &self.kept {
            members.ask(names);
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl Set {
    /// A set without members that keeps integers as such; owns no memory.
    pub fn new() -> Self {
        Self {
            kept: Kept::Small(Packed::new()),
        }
    }

    /// A set without members that keeps them in order even if they are integers.
    pub fn of_items() -> Self {
        Self {
            kept: Kept::Small(Packed::tagged(0)),
        }
    }

    /// A set without members that is a table from the start.
    pub fn of_table(shape: &Shape) -> Self {
        Self {
            kept: Kept::Table(Box::new(Members::new(shape.hasher()))),
        }
    }

    /// A set without members that suits `len` members of which `first` is one.
    pub fn suited(first: &[u8], len: usize, shape: &Shape) -> Self {
        if len <= shape.integers_max && Item::of(first).integer().is_some() {
            Self::new()
        } else if len <= shape.entries_max {
            Self::of_items()
        } else {
            Self::of_table(shape)
        }
    }

    /// Makes it a table if `len` new members would be too many for anything smaller.
    #[inline]
    pub fn expect(&mut self, len: usize, shape: &Shape) {
        let Kept::Small(small) = &self.kept else {
            return;
        };
        let is_items = Integers::of(small).is_none();
        if is_items && len > shape.entries_max || !is_items && len > shape.integers_max {
            self.make_table(shape);
        }
    }

    /// How many members it has. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Small(small) => match Integers::of(small) {
                Some(integers) => integers.len(),
                None => small.len(),
            },
            Kept::Table(members) => members.len(),
        }
    }

    /// Whether it has no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes it owns. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.kept {
            Kept::Small(small) => small.heap_bytes(),
            Kept::Table(members) => size_of::<Members>() + members.heap_bytes(),
        }
    }

    /// What OBJECT ENCODING calls the way in which it is kept.
    pub fn encoding(&self) -> &'static str {
        match &self.kept {
            Kept::Small(small) if Integers::of(small).is_some() => "intset",
            Kept::Small(_) => "listpack",
            Kept::Table(_) => "hashtable",
        }
    }

    /// Whether it keeps nothing but integers, in rising order.
    pub fn is_integers(&self) -> bool {
        self.encoding() == "intset"
    }

    /// Whether it is a table, in no order.
    pub fn is_table(&self) -> bool {
        matches!(self.kept, Kept::Table(_))
    }

    /// Whether `member` is in it.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.kept {
            Kept::Table(members) => members.contains(member),
            Kept::Small(small) => contains(small, Item::of(member)),
        }
    }

    /// The same for a member of another set.
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (&self.kept, member) {
            (Kept::Table(members), member) => member.with_bytes(|member| members.contains(member)),
            (Kept::Small(small), Item::Bytes(member)) => contains(small, Item::of(member)),
            (Kept::Small(small), member) => contains(small, member),
        }
    }

    /// Adds a member; says whether it is new.
    #[inline]
    pub fn insert(&mut self, member: &[u8], shape: &Shape) -> bool {
        match &mut self.kept {
            Kept::Table(members) => members.insert(member),
            Kept::Small(_) => self.insert_small(Item::of(member), shape),
        }
    }

    /// Adds a member of another set; says whether it is new.
    pub fn insert_item(&mut self, member: Item<'_>, shape: &Shape) -> bool {
        match (&mut self.kept, member) {
            (Kept::Table(members), member) => member.with_bytes(|member| members.insert(member)),
            (Kept::Small(_), Item::Bytes(member)) => self.insert_small(Item::of(member), shape),
            (Kept::Small(_), member) => self.insert_small(member, shape),
        }
    }

    fn insert_small(&mut self, member: Item<'_>, shape: &Shape) -> bool {
        let Kept::Small(small) = &mut self.kept else {
            return false;
        };
        if small.bytes().is_empty() {
            *small = integers::empty();
        }
        let Some(array) = Integers::of(small) else {
            return self.insert_packed(member, shape);
        };
        if let Item::Integer(integer) = member {
            let is_new = integers::insert(small, integer);
            if is_new && self.len() > shape.integers_max {
                self.make_table(shape);
            }
            return is_new;
        }
        let fits = array.len() < shape.entries_max
            && member.len() <= shape.item_bytes_max
            && array.digits_max() <= shape.item_bytes_max;
        if !fits {
            self.make_table(shape);
            return self.insert_item(member, shape);
        }
        let mut packed = Packed::tagged(0);
        for integer in array.iter() {
            packed.push_item(Item::Integer(integer));
        }
        packed.push_item(member);
        *small = packed;
        true
    }

    fn insert_packed(&mut self, member: Item<'_>, shape: &Shape) -> bool {
        let Kept::Small(small) = &mut self.kept else {
            return false;
        };
        if small.find_item(member, 1).is_some() {
            return false;
        }
        if small.len() < shape.entries_max && member.len() <= shape.item_bytes_max {
            small.push_item(member);
            return true;
        }
        self.make_table(shape);
        self.insert_item(member, shape)
    }

    /// Removes a member; says whether it was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.remove_item(Item::Bytes(member))
    }

    /// The same for a member of another set.
    pub fn remove_item(&mut self, member: Item<'_>) -> bool {
        let small = match &mut self.kept {
            Kept::Table(members) => return member.with_bytes(|member| members.remove(member)),
            Kept::Small(small) => small,
        };
        let member = match member {
            Item::Bytes(member) => Item::of(member),
            member @ Item::Integer(_) => member,
        };
        if Integers::of(small).is_some() {
            return matches!(member, Item::Integer(integer) if integers::remove(small, integer));
        }
        let found = small.find_item(member, 1);
        if let Some(spot) = found {
            small.remove(spot, 1);
        }
        found.is_some()
    }

    #[cold]
    fn make_table(&mut self, shape: &Shape) {
        let mut members = Members::new(shape.hasher());
        for member in self.iter() {
            member.with_bytes(|member| members.insert(member));
        }
        self.kept = Kept::Table(Box::new(members));
    }

    /// Makes it a sorted array if all its members are integers and few enough.
    pub fn make_integers(&mut self, shape: &Shape) {
        if self.len() > shape.integers_max || self.is_integers() {
            return;
        }
        let mut small = integers::empty();
        for member in self.iter() {
            match member.integer() {
                Some(integer) => integers::insert(&mut small, integer),
                None => return,
            };
        }
        self.kept = Kept::Small(small);
    }

    /// All members: integers in rising order, those of a small set in the order in which they came.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        match &self.kept {
            Kept::Table(members) => Iter::Table(members.iter()),
            Kept::Small(small) => match Integers::of(small) {
                Some(integers) => Iter::Integers(integers, 0),
                None => Iter::Packed(small.iter()),
            },
        }
    }

    /// A member picked by a random number, each as likely as any other.
    pub fn random(&self, random: u64) -> Option<Item<'_>> {
        let small = match &self.kept {
            Kept::Table(members) => return members.random(random).map(Item::Bytes),
            Kept::Small(small) => small,
        };
        let index = usize::try_from(random.checked_rem(self.len() as u64)?).ok()?;
        match Integers::of(small) {
            Some(integers) => Some(Item::Integer(integers.at(index))),
            None => small.spot(index).map(|spot| small.at(spot)),
        }
    }

    /// Visits `count` members of a table in its order, or all of a small set; returns where to go
    /// on, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        if let Kept::Table(members) = &self.kept {
            return members.scan(cursor, count, |member| visit(Item::Bytes(member)));
        }
        self.iter().for_each(visit);
        0
    }
}

/// Whether a small set has a member.
#[inline]
fn contains(small: &Packed, member: Item<'_>) -> bool {
    match (Integers::of(small), member) {
        (Some(integers), Item::Integer(integer)) => integers.search(integer).is_ok(),
        (Some(_), Item::Bytes(_)) => false,
        (None, member) => small.find_item(member, 1).is_some(),
    }
}

/// The members of a set.
pub enum Iter<'a> {
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody matches on it")]
    Integers(Integers<'a>, usize),
    #[doc(hidden)]
    Packed(Items<'a>),
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody matches on it")]
    Table(super::table::Iter<'a, super::member::Member>),
}

impl<'a> IntoIterator for &'a Set {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Integers(integers, next) => {
                let index = *next;
                *next += 1;
                (index < integers.len()).then(|| Item::Integer(integers.at(index)))
            }
            Self::Packed(items) => items.next(),
            Self::Table(members) => members.next().map(|member| Item::Bytes(member.bytes())),
        }
    }
}
