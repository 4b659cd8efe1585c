//! What was seen in one look: INFO's fields, and a row for each queue.

use std::collections::BTreeMap;

use redis_protocol::resp2::types::OwnedFrame;

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

fn text_of(frame: &OwnedFrame) -> String {
    match frame {
        OwnedFrame::SimpleString(bytes) | OwnedFrame::BulkString(bytes) => words(bytes),
        OwnedFrame::Integer(number) => number.to_string(),
        OwnedFrame::Error(text) => text.clone(),
        OwnedFrame::Array(_) | OwnedFrame::Null => String::new(),
    }
}

/// Names and values of a flat array.
fn pairs(frame: &OwnedFrame) -> impl Iterator<Item = (String, &OwnedFrame)> {
    let parts = match frame {
        OwnedFrame::Array(parts) => parts.as_slice(),
        _ => &[],
    };
    parts
        .chunks_exact(2)
        .map(|pair| (text_of(&pair[0]), &pair[1]))
}

fn row_of(frame: &OwnedFrame) -> Row {
    let mut row = Row::default();
    for (name, value) in pairs(frame) {
        match name.as_str() {
            "name" => row.name = text_of(value),
            "drops" => {
                row.drops = pairs(value)
                    .map(|(cause, count)| (cause, text_of(count)))
                    .collect();
            }
            "groups" => {
                if let OwnedFrame::Array(groups) = value {
                    let groups = groups.iter().map(|group| {
                        pairs(group)
                            .map(|(name, value)| (name, text_of(value)))
                            .collect()
                    });
                    row.groups = groups.collect();
                }
            }
            _ => {
                row.facts.insert(name, text_of(value));
            }
        }
    }
    row
}

impl Sight {
    /// What two answers tell.
    pub fn of(info: &OwnedFrame, queues: &OwnedFrame) -> Self {
        let text = match info {
            OwnedFrame::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let rows = match queues {
            OwnedFrame::Array(rows) => rows.iter().map(row_of).collect(),
            _ => Vec::new(),
        };
        Self {
            info: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            rows,
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
