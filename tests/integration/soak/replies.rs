//! Replies of stream commands, taken apart in both RESP versions.

use std::collections::BTreeMap;

use redis::Value;

use super::ledger::{Id, Taken};

/// An id from its text.
pub fn id_of(text: &str) -> Id {
    let (ms, seq) = text.split_once('-').expect("two parts");
    (ms.parse().unwrap(), seq.parse().unwrap())
}

/// The members of an array.
pub fn members(value: &Value) -> &[Value] {
    match value {
        Value::Array(members) => members,
        Value::Nil => &[],
        other => panic!("{other:?} is no array"),
    }
}

/// The text of a string.
pub fn text(value: &Value) -> String {
    redis::from_redis_value_ref(value).expect("a text")
}

/// The number in an integer, or in the text of one.
pub fn number(value: &Value) -> usize {
    redis::from_redis_value_ref(value).expect("a number")
}

/// Names and values: a map, or an array of them in turn.
pub fn fields(value: &Value) -> BTreeMap<String, Value> {
    match value {
        Value::Map(pairs) => pairs
            .iter()
            .map(|(name, value)| (text(name), value.clone()))
            .collect(),
        flat => members(flat)
            .chunks(2)
            .map(|pair| (text(&pair[0]), pair[1].clone()))
            .collect(),
    }
}

/// Entries, as XRANGE shows them.
pub fn entries(value: &Value) -> Vec<Taken> {
    members(value).iter().map(entry).collect()
}

fn entry(value: &Value) -> Taken {
    let [id, pairs] = members(value) else {
        panic!("{value:?} is no entry");
    };
    let fields = fields(pairs);
    let number = number(&fields["number"]);
    assert_eq!(text(&fields["payload"]), format!("{number:064}"));
    Taken {
        id: id_of(&text(id)),
        number,
    }
}

/// The entries of the one stream that XREADGROUP was asked for.
pub fn read_entries(value: &Value) -> Vec<Taken> {
    match value {
        Value::Nil => Vec::new(),
        Value::Map(streams) => entries(&streams[0].1),
        streams => entries(&members(&members(streams)[0])[1]),
    }
}
