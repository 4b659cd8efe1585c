//! Small hashes some of whose fields have, or once had, deadlines.

use crate::store::packed::{Item, Packed, Spot};

/// Field, value and deadline in turn, 0 for none. Fields with a deadline come first, earliest
/// first, as clients of Redis see them.
#[derive(Clone, Debug, Default)]
pub(super) struct Timed {
    triples: Packed,
}

/// Items of a triple.
const STRIDE: usize = 3;

fn deadline_of(item: Item<'_>) -> Option<u64> {
    item.integer()
        .and_then(|integer| u64::try_from(integer).ok())
        .filter(|&deadline_ms| deadline_ms > 0)
}

fn deadline_item(deadline_ms: Option<u64>) -> Item<'static> {
    Item::Integer(i64::try_from(deadline_ms.unwrap_or(0)).unwrap_or(i64::MAX))
}

impl Timed {
    /// The same fields without deadlines.
    pub fn from_pairs(pairs: &Packed) -> Self {
        let mut timed = Self::default();
        let mut items = pairs.iter();
        while let (Some(field), Some(value)) = (items.next(), items.next()) {
            timed.append(field, value);
        }
        timed
    }

    fn append(&mut self, field: Item<'_>, value: Item<'_>) {
        self.triples.push_item(field);
        self.triples.push_item(value);
        self.triples.push_item(deadline_item(None));
    }

    pub fn len(&self) -> usize {
        self.triples.len() / STRIDE
    }

    pub fn heap_bytes(&self) -> usize {
        self.triples.heap_bytes()
    }

    fn find(&self, field: &[u8]) -> Option<Spot> {
        self.triples.find(field, STRIDE)
    }

    /// The value and the deadline of the field at a spot.
    fn rest(&self, spot: Spot) -> Option<(Item<'_>, Option<u64>)> {
        let value = self.triples.after(spot)?;
        let deadline = self.triples.after(value)?;
        Some((
            self.triples.at(value),
            deadline_of(self.triples.at(deadline)),
        ))
    }

    pub fn get(&self, field: &[u8]) -> Option<(Item<'_>, Option<u64>)> {
        self.rest(self.find(field)?)
    }

    /// Sets a field; says whether it is new. An old field keeps its deadline only if so asked.
    pub fn set(&mut self, field: &[u8], value: &[u8], keeps_deadline: bool) -> bool {
        let Some(spot) = self.find(field) else {
            self.append(Item::of(field), Item::of(value));
            return true;
        };
        let has_deadline = self.rest(spot).is_some_and(|(_, until)| until.is_some());
        if has_deadline && !keeps_deadline {
            self.triples.remove(spot, STRIDE);
            self.append(Item::of(field), Item::of(value));
        } else if let Some(spot) = self.triples.after(spot) {
            self.triples.replace(spot, value);
        }
        false
    }

    /// Sets the deadline of a field that is there, and moves it to its place.
    pub fn set_deadline(&mut self, field: &[u8], deadline_ms: Option<u64>) {
        let Some(spot) = self.find(field) else { return };
        let Some(value) = self.rest(spot).map(|(value, _)| value.to_vec()) else {
            return;
        };
        self.triples.remove(spot, STRIDE);
        let Some(wanted_ms) = deadline_ms else {
            self.append(Item::of(field), Item::of(&value));
            return;
        };
        let is_later = |spot: &Spot| {
            self.rest(*spot)
                .is_none_or(|(_, until)| until.is_none_or(|ms| ms >= wanted_ms))
        };
        let place = self.triples.spots(STRIDE).into_iter().find(is_later);
        let place = place.unwrap_or(self.triples.end());
        for item in [
            deadline_item(deadline_ms),
            Item::of(&value),
            Item::of(field),
        ] {
            self.triples.insert_item(place, item);
        }
    }

    pub fn remove(&mut self, field: &[u8]) -> bool {
        let found = self.find(field);
        if let Some(spot) = found {
            self.triples.remove(spot, STRIDE);
        }
        found.is_some()
    }

    /// Fields, values and deadlines in order.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>, Option<u64>)> {
        let mut items = self.triples.iter();
        std::iter::from_fn(move || Some((items.next()?, items.next()?, deadline_of(items.next()?))))
    }

    pub fn first_deadline_ms(&self) -> Option<u64> {
        self.iter().next().and_then(|(_, _, until)| until)
    }

    /// Removes up to `limit` fields whose deadline has passed; says how many.
    pub fn expire_due(&mut self, now_ms: u64, limit: usize) -> usize {
        let is_due = |until: Option<u64>| until.is_some_and(|until_ms| until_ms <= now_ms);
        let due = self
            .iter()
            .take(limit)
            .take_while(|(_, _, until)| is_due(*until));
        let due_len = due.count();
        if let Some(start) = self.triples.start()
            && due_len > 0
        {
            self.triples.remove(start, due_len * STRIDE);
        }
        due_len
    }
}
