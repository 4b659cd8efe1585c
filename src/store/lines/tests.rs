use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::smallvec;

use super::{Attempt, Line, Lines, WaitKey, Waiter};
use crate::store::{Key, Kind, ShardSet};

#[derive(Debug)]
struct Anything;

impl Attempt for Anything {}

const KEY: Key<'static> = Key {
    db: 0,
    hash: 7,
    name: b"queue",
};

fn waiter(ticket: u64) -> Arc<Waiter> {
    Arc::new(Waiter {
        names_bytes: 0,
        ticket,
        kind: Kind::Queue,
        wakes_on_removal: false,
        keys: smallvec![WaitKey::from(&KEY)],
        shards: ShardSet::one(0),
        attempt: Anything,
    })
}

/// The tickets of a line, in order.
fn tickets(lines: &Lines) -> Vec<u64> {
    let mut tickets = Vec::new();
    while let Some(next) = lines.get(&KEY).and_then(|line| {
        let after = tickets.last().copied().unwrap_or(0);
        line.next_after(after)
    }) {
        tickets.push(next.ticket);
    }
    tickets
}

#[test]
fn a_line_is_a_map_by_ticket() {
    let (mut lines, mut model) = (Lines::default(), BTreeMap::new());
    let key = WaitKey::from(&KEY);
    let mut random: u64 = 1;
    for ticket in 1_u64..3000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let draw = random >> 33;
        // Grows to some hundred, then shrinks to nothing, and so on.
        let shrinks = !(ticket / 300).is_multiple_of(2);
        let joins = draw.is_multiple_of(4) == shrinks;
        if joins {
            let waiter = waiter(ticket);
            lines.join(&key, &waiter);
            model.insert(ticket, waiter);
        } else {
            let any = model
                .keys()
                .nth(usize::try_from(draw).unwrap() % model.len().max(1))
                .copied();
            let gone = any.unwrap_or(ticket);
            assert_eq!(lines.leave(&key, gone), model.remove(&gone).is_some());
            assert!(!lines.leave(&key, gone), "it has left");
        }
        assert_eq!(lines.is_empty(), model.is_empty());
        assert_eq!(lines.get(&KEY).map_or(0, Line::len), model.len());
        if ticket.is_multiple_of(10) {
            assert_eq!(tickets(&lines), model.keys().copied().collect::<Vec<_>>());
            let line = lines.get(&KEY);
            let places = line.map_or(0, |line| line.places.len());
            assert!(places <= 2 * model.len() + super::FREE_PLACES_MAX);
        }
    }
}

#[test]
fn who_names_a_key_twice_stands_in_its_line_once() {
    let mut lines = Lines::default();
    let key = WaitKey::from(&KEY);
    let twice = waiter(1);
    lines.join(&key, &twice);
    lines.join(&key, &twice);
    assert_eq!(tickets(&lines), [1]);
    assert!(lines.leave(&key, 1));
    assert!(!lines.leave(&key, 1));
    assert!(lines.is_empty());
}

#[test]
fn a_line_says_what_can_serve_it() {
    let mut lines = Lines::default();
    let key = WaitKey::from(&KEY);
    lines.join(&key, &waiter(1));
    let wants = lines.get(&KEY).map(Line::wants).unwrap();
    assert!(wants.any_of(Some(Kind::Queue)));
    assert!(!wants.any_of(Some(Kind::Stream)) && !wants.any_of(None));
    let reader: Arc<Waiter> = Arc::new(Waiter {
        names_bytes: 0,
        ticket: 2,
        kind: Kind::Stream,
        wakes_on_removal: true,
        keys: smallvec![key.clone()],
        shards: ShardSet::one(0),
        attempt: Anything,
    });
    lines.join(&key, &reader);
    let wants = lines.get(&KEY).map(Line::wants).unwrap();
    assert!(wants.any_of(Some(Kind::Stream)) && wants.any_of(None));
}

#[test]
fn an_alarm_goes_with_the_last_of_its_line() {
    let (mut lines, key) = (Lines::default(), WaitKey::from(&KEY));
    lines.set_alarm(&key, 5);
    assert_eq!(lines.alarms_len(), 0, "nobody waits");
    for ticket in [1, 2] {
        lines.join(&key, &waiter(ticket));
    }
    for at_ms in [9, 5, 7] {
        lines.set_alarm(&key, at_ms);
    }
    assert_eq!(lines.take_alarms(4), []);
    assert_eq!(
        lines.take_alarms(5),
        std::slice::from_ref(&key),
        "the earliest"
    );
    assert_eq!(lines.alarms_len(), 0);
    lines.set_alarm(&key, u64::MAX);
    lines.leave(&key, 1);
    assert_eq!(lines.alarms_len(), 1);
    lines.leave(&key, 2);
    assert_eq!(lines.alarms_len(), 0);
}
