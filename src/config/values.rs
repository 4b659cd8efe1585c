//! The values of all settings, by the index of the setting in the table.

use std::collections::BTreeMap;

use super::kind::{Kind, Refusal, Value};
use super::machine::Machine;
use super::table::{Change, LEN, TABLE};

/// One value per row of the table. Reading one costs an index; the copy that `CONFIG SET` works on
/// costs a few microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values(Vec<Value>);

impl Values {
    /// What the table says, worked out for this machine.
    ///
    /// # Panics
    ///
    /// If a default in the table does not suit its kind; a test reads them all.
    pub fn defaults(machine: &Machine) -> Self {
        let empty = Value::Text(String::new());
        let read = TABLE.iter().map(
            |spec| match spec.kind.parse(spec.default, &empty, machine) {
                Ok(value) => value,
                Err(refusal) => panic!("default of {}: {refusal}", spec.name),
            },
        );
        Self(read.collect())
    }

    /// The value of the setting at `index`.
    pub fn get(&self, index: usize) -> &Value {
        &self.0[index]
    }

    /// The value as a number; texts count as zero.
    pub fn int(&self, index: usize) -> i64 {
        match self.get(index) {
            Value::Int(number) => *number,
            Value::Text(_) => 0,
        }
    }

    /// The value as text; numbers count as empty.
    pub fn text(&self, index: usize) -> &str {
        match self.get(index) {
            Value::Int(_) => "",
            Value::Text(text) => text,
        }
    }

    /// The value as `CONFIG GET` answers it.
    pub fn render(&self, index: usize) -> String {
        TABLE[index].kind.render(self.get(index))
    }

    /// Reads and stores a value; whether it is another than before.
    pub fn assign(&mut self, index: usize, text: &str, machine: &Machine) -> Result<bool, Refusal> {
        let value = TABLE[index].kind.parse(text, self.get(index), machine)?;
        let changed = value != self.0[index];
        self.0[index] = value;
        Ok(changed)
    }

    /// Stores a text that was printed from what it would be read to.
    pub fn put_text(&mut self, index: usize, text: String) {
        self.0[index] = Value::Text(text);
    }
}

/// Why `CONFIG SET` may not touch a setting, if it may not.
pub fn guard(change: Change) -> Option<Refusal> {
    match change {
        Change::Live => None,
        Change::Start => Some("can't set immutable config".into()),
        Change::Protected => Some("can't set protected config".into()),
    }
}

/// Assigns what one source (a file, the command line) says. Within one source save points and
/// policies add up, as lines of redis.conf do; over what an earlier source said, they replace.
pub struct Layer<'a> {
    values: &'a mut Values,
    machine: &'a Machine,
    seen: [bool; LEN],
    /// What settings that are made of lines are to be, by index. They are read as a whole, once.
    lines: BTreeMap<usize, String>,
}

impl<'a> Layer<'a> {
    /// A new source over what earlier ones said.
    pub fn new(values: &'a mut Values, machine: &'a Machine) -> Self {
        Self {
            values,
            machine,
            seen: [false; LEN],
            lines: BTreeMap::new(),
        }
    }

    /// The machine that values are read for.
    pub fn machine(&self) -> &'a Machine {
        self.machine
    }

    /// Takes over one value. One of several lines counts from [`Self::finish`] on.
    pub fn assign(&mut self, index: usize, text: &str) -> Result<(), Refusal> {
        let kind = TABLE[index].kind;
        if kind.is_lines() {
            kind.check_lines(text)?;
            let lines = self.lines.entry(index).or_default();
            lines.push_str(kind.separator());
            lines.push_str(text);
            return Ok(());
        }
        let again = std::mem::replace(&mut self.seen[index], true);
        let text = if again && kind == Kind::SavePoints && !text.is_empty() {
            let before = self.values.text(index);
            if before.is_empty() {
                text
            } else {
                &format!("{before} {text}")
            }
        } else {
            text
        };
        self.values.assign(index, text, self.machine).map(drop)
    }

    /// Takes over what is made of several lines; on a refusal says of which setting.
    pub fn finish(self) -> Result<(), (usize, Refusal)> {
        for (index, text) in self.lines {
            let assigned = self.values.assign(index, &text, self.machine);
            assigned.map_err(|refusal| (index, refusal))?;
        }
        Ok(())
    }
}
