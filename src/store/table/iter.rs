//! Walks over all elements of a table, part by part.

use super::directory::{Link, Slot};
use super::{Root, Table};
use hashbrown::{HashTable, hash_table};
use std::{slice, vec};

/// Every element by reference, in no order.
pub struct Iter<'a, T> {
    part: hash_table::Iter<'a, T>,
    /// Directories entered and not yet done; allocates only if the table has a directory.
    open: Vec<slice::Iter<'a, Slot<T>>>,
}

/// Every element by mutable reference, in no order.
pub struct IterMut<'a, T> {
    part: hash_table::IterMut<'a, T>,
    open: Vec<slice::IterMut<'a, Slot<T>>>,
}

/// Every element by value, in no order; the memory of a part is freed when its last one is taken.
///
/// Made to be dropped in slices: take a few thousand elements, let others work, go on.
pub struct IntoIter<T> {
    part: hash_table::IntoIter<T>,
    open: Vec<vec::IntoIter<Slot<T>>>,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.part.next() {
                return Some(value);
            }
            match self.open.last_mut()?.next() {
                Some(Slot::Part(part)) => self.part = part.iter(),
                Some(Slot::Link(Link::Below(below))) => self.open.push(below.slots().iter()),
                Some(Slot::Link(Link::Shared(_))) => {}
                None => drop(self.open.pop()),
            }
        }
    }
}

impl<'a, T> Iterator for IterMut<'a, T> {
    type Item = &'a mut T;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.part.next() {
                return Some(value);
            }
            match self.open.last_mut()?.next() {
                Some(Slot::Part(part)) => self.part = part.iter_mut(),
                Some(Slot::Link(Link::Below(below))) => {
                    self.open.push(below.slots_mut().iter_mut());
                }
                Some(Slot::Link(Link::Shared(_))) => {}
                None => drop(self.open.pop()),
            }
        }
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(value) = self.part.next() {
                self.left -= 1;
                return Some(value);
            }
            match self.open.last_mut()?.next() {
                Some(Slot::Part(part)) => self.part = part.into_iter(),
                Some(Slot::Link(Link::Below(below))) => {
                    self.open.push(below.into_slots().into_iter());
                }
                Some(Slot::Link(Link::Shared(_))) => {}
                None => drop(self.open.pop()),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}

impl<T> Table<T> {
    /// Every element, in no order.
    pub fn iter(&self) -> Iter<'_, T> {
        match &self.root {
            Root::Part(part) => Iter {
                part: part.iter(),
                open: Vec::new(),
            },
            Root::Directory { slots, .. } => Iter {
                part: hash_table::Iter::default(),
                open: vec![slots.slots().iter()],
            },
        }
    }

    /// Every element, in no order. What decides an element's hash must not change.
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        match &mut self.root {
            Root::Part(part) => IterMut {
                part: part.iter_mut(),
                open: Vec::new(),
            },
            Root::Directory { slots, .. } => IterMut {
                part: hash_table::IterMut::default(),
                open: vec![slots.slots_mut().iter_mut()],
            },
        }
    }
}

impl<T> IntoIterator for Table<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        let left = self.len();
        match self.root {
            Root::Part(part) => IntoIter {
                part: part.into_iter(),
                open: Vec::new(),
                left,
            },
            Root::Directory { slots, .. } => IntoIter {
                part: HashTable::new().into_iter(),
                open: vec![slots.into_slots().into_iter()],
                left,
            },
        }
    }
}

impl<'a, T> IntoIterator for &'a Table<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Table<T> {
    type Item = &'a mut T;
    type IntoIter = IterMut<'a, T>;

    fn into_iter(self) -> IterMut<'a, T> {
        self.iter_mut()
    }
}
