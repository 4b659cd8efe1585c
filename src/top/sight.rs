//! What was seen in one look: INFO's fields, and a row for each queue.

use std::collections::BTreeMap;

use crate::bench::wire::{Answer, Kind};

/// A queue or stream as WEIR.BACKLOG tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its key, with what cannot be shown replaced.
    pub name: String,
    facts: BTreeMap<String, String>,
    /// Messages lost, by cause.
    pub drops: Vec<(String, String)>,
    /// Its groups, if it is a stream: names and values.
    pub groups: Vec<BTreeMap<String, String>>,
}

impl Row {
    /// A fact as it was told; empty if it was not.
    pub fn text(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }

    /// A fact as a number, unless there is none.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }
}

/// One look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sight {
    info: BTreeMap<String, String>,
    /// The queues, as sorted by the server.
    pub rows: Vec<Row>,
}

/// Words without what would upset a terminal.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// The parts of an answer, taken in turn. What is not there is empty.
struct Parts<'a> {
    answer: Answer<'a>,
    at: usize,
}

impl Parts<'_> {
    /// Takes the head of an array and gives how many items follow; 0 if something else stood there.
    fn items(&mut self) -> usize {
        let token = self.answer.tokens().get(self.at);
        self.at += 1;
        match token {
            Some(token) if token.kind == Kind::Array => usize::try_from(token.number).unwrap_or(0),
            _ => 0,
        }
    }

    /// Takes a whole part; the text of one that has any.
    fn text(&mut self) -> String {
        let text = words(self.answer.text(self.at));
        let mut left = 1;
        while left > 0 {
            left += self.items();
            left -= 1;
        }
        text
    }

    /// Takes names and values of a flat array.
    fn pairs<C: FromIterator<(String, String)>>(&mut self) -> C {
        let pairs = self.items() / 2;
        (0..pairs).map(|_| (self.text(), self.text())).collect()
    }

    fn row(&mut self) -> Row {
        let mut row = Row::default();
        for _ in 0..self.items() / 2 {
            let name = self.text();
            match name.as_str() {
                "name" => row.name = self.text(),
                "drops" => row.drops = self.pairs(),
                "groups" => {
                    let groups = self.items();
                    row.groups = (0..groups).map(|_| self.pairs()).collect();
                }
                _ => {
                    row.facts.insert(name, self.text());
                }
            }
        }
        row
    }
}

impl Sight {
    /// What two answers tell: the text of INFO, and the rows of WEIR.BACKLOG.
    pub fn of(info: &[u8], queues: Answer<'_>) -> Self {
        let info = String::from_utf8_lossy(info);
        let fields = info.lines().filter_map(|line| line.split_once(':'));
        let mut parts = Parts {
            answer: queues,
            at: 0,
        };
        let rows = parts.items();
        Self {
            info: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            rows: (0..rows).map(|_| parts.row()).collect(),
        }
    }

    /// A field of INFO; empty if it has none of the name.
    pub fn field(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    /// A field of INFO as a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.field(name).parse().ok()
    }
}
