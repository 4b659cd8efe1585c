//! Lua values as replies to the client.

use mlua::{Table, Value};

use super::number::to_integer;
use super::pace::Pace;
use super::redis::Shared;
use crate::protocol::{Reply, Resp, c_string};

/// Deepest nesting of tables that is written.
const DEPTH_MAX: usize = 1000;
/// Bytes moved, to make room for a length in front of them, that take as long as a step.
const MOVED_BYTES_PER_STEP: usize = 4096;

/// A reply being written.
struct Writing<'a> {
    reply: &'a mut Reply,
    /// The version that the script asked for, which decides how truth values are shown.
    resp: Resp,
    pace: Pace<'a>,
    /// What waited in `reply` before, in bytes.
    before_bytes: usize,
}

/// Writes what a script returned; on an error, a part of it.
pub(super) fn write(reply: &mut Reply, shared: &Shared, value: &Value) -> mlua::Result<()> {
    let mut writing = Writing {
        before_bytes: reply.len(),
        reply,
        resp: shared.calls.resp.get(),
        pace: Pace::new(shared, shared.memory_bytes_max),
    };
    writing.value(value, 0)
}

impl Writing<'_> {
    fn written_bytes(&self) -> usize {
        self.reply.len() - self.before_bytes
    }

    fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        self.pace.step(self.written_bytes())?;
        match value {
            Value::String(text) => {
                let text = text.as_bytes();
                self.pace.step(self.written_bytes() + text.len())?;
                self.reply.bulk(&text);
            }
            Value::Integer(integer) => self.reply.integer(*integer),
            Value::Number(number) => self.reply.integer(to_integer(*number)),
            Value::Boolean(truth) => match (self.resp, truth) {
                (Resp::V3, truth) => self.reply.boolean(*truth),
                (Resp::V2, true) => self.reply.integer(1),
                (Resp::V2, false) => self.reply.null(),
            },
            Value::Table(_) if depth >= DEPTH_MAX => {
                self.reply.error(b"ERR reached lua stack limit");
            }
            Value::Table(table) => self.table(table, depth)?,
            _ => self.reply.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        // What has a first element is nothing else, in all but made-up cases; those with both keep
        // the order of the checks.
        let field = |name: &str| table.raw_get::<Value>(name);
        if let Value::String(error) = field("err")? {
            self.reply.error(c_string(&error.as_bytes()));
            return Ok(());
        }
        if let Value::String(status) = field("ok")? {
            self.reply.simple_bytes(c_string(&status.as_bytes()));
            return Ok(());
        }
        match field("double")? {
            Value::Number(double) => {
                self.reply.double(double);
                return Ok(());
            }
            #[allow(clippy::cast_precision_loss, reason = "it was a double before")]
            Value::Integer(double) => {
                self.reply.double(double as f64);
                return Ok(());
            }
            _ => {}
        }
        if let Value::Table(map) = field("map")? {
            return self.map(&map, depth);
        }
        if let Value::Table(set) = field("set")? {
            return self.set(&set, depth);
        }
        if let Value::String(digits) = field("big_number")? {
            self.reply.big_number(&digits.as_bytes());
            return Ok(());
        }
        if let Value::Table(verbatim) = field("verbatim_string")?
            && let Value::String(text) = verbatim.raw_get("string")?
            && let Value::String(format) = verbatim.raw_get("format")?
        {
            let mut format = String::from_utf8_lossy(&format.as_bytes()).into_owned();
            format.retain(|letter| letter.is_ascii());
            format.truncate(3);
            self.reply
                .verbatim(&format!("{format:<3}"), &text.as_bytes());
            return Ok(());
        }
        self.array(table, depth)
    }

    fn array(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        let later = self.reply.array_later();
        let first = self.reply.len();
        let mut len = 0;
        loop {
            let element: Value = table.raw_get(len + 1)?;
            if element.is_nil() {
                break;
            }
            self.value(&element, depth + 1)?;
            len += 1;
        }
        self.reply.close_array(later, len);
        self.note_moved(first)
    }

    fn map(&mut self, map: &Table, depth: usize) -> mlua::Result<()> {
        let later = self.reply.array_later();
        let first = self.reply.len();
        let mut pairs = 0;
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            self.value(&key, depth + 1)?;
            self.value(&value, depth + 1)?;
            pairs += 1;
        }
        self.reply.close_map(later, pairs);
        self.note_moved(first)
    }

    fn set(&mut self, set: &Table, depth: usize) -> mlua::Result<()> {
        let later = self.reply.array_later();
        let first = self.reply.len();
        let mut len = 0;
        for pair in set.pairs::<Value, Value>() {
            let (key, _) = pair?;
            self.value(&key, depth + 1)?;
            len += 1;
        }
        self.reply.close_set(later, len);
        self.note_moved(first)
    }

    /// Notes that what was written since a length was made room for in front of it.
    fn note_moved(&mut self, first: usize) -> mlua::Result<()> {
        let moved = self.reply.len() - first;
        let written = self.written_bytes();
        self.pace.steps(moved / MOVED_BYTES_PER_STEP, written)
    }
}
