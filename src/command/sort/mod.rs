//! SORT, `SORT_RO`: the elements of a list, set or sorted set in another order, with what other keys hold
//! for each of them.
//!
//! `wanted` reads the options, `pattern` finds what belongs to an element. A request with a pattern
//! may read any key, so it runs with all shards held ([`roams`]); any other holds those of its keys.

mod pattern;
#[cfg(test)]
mod tests;
mod wanted;

use std::cmp::Ordering;

use crate::config::Events;
use crate::flags;
use crate::protocol::{Args, c_string};
use crate::store::packed::Item;
use crate::store::sorted_set::Order;
use crate::store::{End, Key, Queue, Set, Value};

use super::acl;
use super::bounds;
use super::call::Call;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::sorted_set::parse_lenient;
use super::spec::{Command, KeyPositions, Keys};
use wanted::Wanted;

/// A row of the table: these commands share their group.
macro_rules! generic {
    ($name:literal, $flags:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            -2,
            $flags,
            Keys::Found(find_keys),
            "generic",
            $since,
            $summary,
            $handler,
        )
    };
}

/// Commands that sort.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    generic!("sort", flags![WRITE, DENYOOM, MOVABLE_KEYS, ROAMS], "1.0.0",
        "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.", sort),
    generic!("sort_ro", flags![READONLY, MOVABLE_KEYS, ROAMS], "7.0.0",
        "Returns the sorted elements of a list, a set, or a sorted set.", sort_ro),
];

/// The key to sort, and the last that STORE names: read as [`Wanted::parse`] reads it, because what
/// it stores to must be held.
fn find_keys(args: Args<'_>, out: &mut KeyPositions) {
    out.push(1);
    if !args.at(0).eq_ignore_ascii_case(b"sort") {
        return;
    }
    let (mut at, mut target) = (2, None);
    while let Some(option) = args.get(at) {
        let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
        if is(b"limit") {
            at += 2;
        } else if is(b"get") || is(b"by") {
            at += 1;
        } else if is(b"store") && at + 1 < args.len() {
            target = Some(at + 1);
            at += 1;
        }
        at += 1;
    }
    out.extend(target);
}

/// Whether a request may read keys that it does not name: it has a pattern.
pub(super) fn roams(args: Args<'_>) -> bool {
    args.from(2).any(|argument| argument.contains(&b'*'))
}

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
/// [STORE destination]
pub fn sort(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = Wanted::parse(args, true, acl::may_roam(call, args))?;
    answer(call, args, wanted)
}

/// `SORT_RO` key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC]
/// [ALPHA]
pub fn sort_ro(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = Wanted::parse(args, false, acl::may_roam(call, args))?;
    answer(call, args, wanted)
}

fn answer(call: &mut Call<'_, '_>, args: Args<'_>, mut wanted: Wanted<'_>) -> Result {
    let key = call.key(args.at(1));
    if wanted.store.is_some() {
        bounds::freshen_all(call, &key);
    }
    let elements = load(call, &key, &mut wanted)?;
    let mut elements = weigh(call, elements, &wanted)?;
    if !wanted.unsorted {
        elements.sort_by(|one, other| wanted.compare(one, other));
        let range = wanted.range(elements.len());
        elements.truncate(range.end);
        elements.drain(..range.start);
    }
    match wanted.store {
        Some(target) => store(call, target, &elements, &wanted)?,
        None => reply(call, &elements, &wanted),
    }
    Ok(Outcome::Done)
}

/// What an element is sorted by.
#[derive(Clone, Debug, PartialEq)]
enum Weight {
    /// Itself, or nothing at all.
    Own,
    Number(f64),
    /// What another key holds, if that is there.
    Text(Option<Vec<u8>>),
}

/// An element to sort.
#[derive(Clone, Debug)]
struct Element {
    bytes: Vec<u8>,
    weight: Weight,
}

/// The elements at a key. Where they keep their order only those that are asked for, in that order.
fn load(call: &mut Call<'_, '_>, key: &Key<'_>, wanted: &mut Wanted<'_>) -> Result<Vec<Vec<u8>>> {
    let (now_ms, is_script) = (call.now_ms(), call.session.is_script);
    let found = call.shard(key).value(key, now_ms);
    let is_found = found.is_some();
    let mut elements = Vec::new();
    match found {
        None => {}
        Some(Value::Queue(queue)) => load_queue(queue, wanted, &mut elements),
        Some(Value::SortedSet(set)) => {
            // Redis sorts the large form only, and shows it by OBJECT ENCODING ever after.
            set.enlarge();
            let range = wanted.range(set.len());
            let (range, order) = match (wanted.unsorted, wanted.descending) {
                (false, _) => (0..set.len(), Order::Up),
                (true, false) => (range, Order::Up),
                (true, true) => (range, Order::Down),
            };
            set.walk(range.start, range.len(), order, |member, _| {
                elements.push(member.to_vec());
            });
        }
        Some(Value::Set(set)) => load_set(set, wanted, is_script, &mut elements),
        Some(_) => {
            call.stats.hits.add(1);
            return Err(Error::WrongType);
        }
    }
    call.looked_up(key, is_found);
    Ok(elements)
}

/// A set has no order to keep, so what is stored of it, or read by a script, is sorted by its
/// members.
fn load_set(set: &Set, wanted: &mut Wanted<'_>, is_script: bool, elements: &mut Vec<Vec<u8>>) {
    if wanted.unsorted && (wanted.store.is_some() || is_script) {
        wanted.unsorted = false;
        wanted.alpha = true;
        wanted.by = None;
    }
    elements.extend(set.iter().map(Item::to_vec));
    if wanted.unsorted {
        let range = wanted.range(elements.len());
        elements.truncate(range.end);
        elements.drain(..range.start);
    }
}

fn load_queue(queue: &Queue, wanted: &Wanted<'_>, elements: &mut Vec<Vec<u8>>) {
    let len = queue.len();
    let range = if wanted.unsorted {
        wanted.range(len)
    } else {
        0..len
    };
    let backward = wanted.unsorted && wanted.descending;
    let first = if backward {
        len - range.end
    } else {
        range.start
    };
    let part = queue.range(first, range.len());
    elements.extend(part.map(|message| message.bytes().to_vec()));
    if backward {
        elements.reverse();
    }
}

/// Finds out what each element is sorted by.
fn weigh(
    call: &mut Call<'_, '_>,
    elements: Vec<Vec<u8>>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Element>> {
    let mut weighed = Vec::with_capacity(elements.len());
    let mut is_number = true;
    for bytes in elements {
        let weight = match (wanted.unsorted, wanted.by, wanted.alpha) {
            (true, ..) | (_, None, true) => Weight::Own,
            (_, Some(by), true) => Weight::Text(pattern::find(call, by, &bytes)),
            (_, by, false) => {
                let text = match by {
                    Some(by) => pattern::find(call, by, &bytes),
                    None => Some(bytes.clone()),
                };
                // What is not there counts 0.
                let number = text.map_or(Some(0.0), |text| parse_lenient(&text));
                is_number &= number.is_some();
                Weight::Number(number.unwrap_or(0.0))
            }
        };
        weighed.push(Element { bytes, weight });
    }
    if is_number {
        Ok(weighed)
    } else {
        Err(Error::text(
            "One or more scores can't be converted into double",
        ))
    }
}

impl Wanted<'_> {
    /// What is stored is compared as bytes, what is shown as C strings.
    fn compare(&self, one: &Element, other: &Element) -> Ordering {
        let texts = |one: &[u8], other: &[u8]| {
            if self.store.is_some() {
                one.cmp(other)
            } else {
                c_string(one).cmp(c_string(other))
            }
        };
        let ordering = match (&one.weight, &other.weight) {
            (Weight::Number(a), Weight::Number(b)) => {
                let by_number = a.partial_cmp(b).unwrap_or(Ordering::Equal);
                by_number.then_with(|| one.bytes.cmp(&other.bytes))
            }
            (Weight::Text(Some(a)), Weight::Text(Some(b))) => texts(a, b),
            (Weight::Text(a), Weight::Text(b)) => a.is_some().cmp(&b.is_some()),
            _ => texts(&one.bytes, &other.bytes),
        };
        if self.descending {
            ordering.reverse()
        } else {
            ordering
        }
    }
}

fn reply(call: &mut Call<'_, '_>, elements: &[Element], wanted: &Wanted<'_>) {
    call.reply.array(elements.len() * wanted.gets.len().max(1));
    for element in elements {
        if wanted.gets.is_empty() {
            call.reply.bulk(&element.bytes);
        }
        for get in &wanted.gets {
            match pattern::find(call, get, &element.bytes) {
                Some(found) => call.reply.bulk(&found),
                None => call.reply.null(),
            }
        }
    }
}

/// Stores a list of the elements, or of what was got for them, nothing being the empty string.
fn store(
    call: &mut Call<'_, '_>,
    target: &[u8],
    elements: &[Element],
    wanted: &Wanted<'_>,
) -> Result<()> {
    let tick = call.tick();
    let mut queue = Queue::new();
    for element in elements {
        if wanted.gets.is_empty() {
            queue.push(End::Back, &element.bytes, tick);
        }
        for get in &wanted.gets {
            let found = pattern::find(call, get, &element.bytes);
            queue.push(End::Back, &found.unwrap_or_default(), tick);
        }
    }
    let target = call.key(target);
    bounds::check_replacement(call, &target, queue.held())?;
    let len = i64::try_from(queue.len()).unwrap_or(i64::MAX);
    let value = (len > 0).then(|| Value::Queue(Box::new(queue)));
    super::keys::replace(call, &target, value, Events::LIST, "sortstore");
    call.reply.integer(len);
    Ok(())
}
