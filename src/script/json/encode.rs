//! Lua values as JSON.

use mlua::{Lua, Table, Value};

use super::super::arguments::{as_f64, type_of};
use super::super::failure::text_within;
use super::super::number::write_general;
use super::super::pace::Pace;
use super::super::tables::{Indexes, for_each_pair, indexes, may_be_inner};
use super::{DEPTH_MAX, Invalid, Settings};

/// Bytes of a string that are one step.
const PIECE_BYTES: usize = 512;

struct Encoding<'a> {
    lua: &'a Lua,
    pace: Pace<'a>,
    settings: &'a Settings,
    out: Vec<u8>,
    /// Calls that walk through a table each, this one being in the next.
    inner_calls: usize,
}

/// The text of a value.
pub(super) fn encode(
    lua: &Lua,
    pace: Pace<'_>,
    settings: &Settings,
    value: &Value,
) -> mlua::Result<Vec<u8>> {
    let mut encoding = Encoding {
        lua,
        pace,
        settings,
        out: Vec::new(),
        inner_calls: 0,
    };
    encoding.value(value, 0)?;
    Ok(encoding.out)
}

impl Encoding<'_> {
    fn refuse<T>(&self, value: &Value, reason: &str) -> mlua::Result<T> {
        let kind = type_of(value);
        self.fail(&format!("Cannot serialise {kind}: {reason}"))
    }

    fn fail<T>(&self, message: &str) -> mlua::Result<T> {
        Err(text_within(self.lua, self.inner_calls, message))
    }

    fn value(&mut self, value: &Value, depth: u32) -> mlua::Result<()> {
        self.pace.step(self.out.len())?;
        match value {
            Value::String(text) => return self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => return self.number(value),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            null if *null == Value::NULL => self.out.extend_from_slice(b"null"),
            Value::Table(table) => return self.table(table, depth + 1),
            other => return self.refuse(other, "type not supported"),
        }
        Ok(())
    }

    fn number(&mut self, value: &Value) -> mlua::Result<()> {
        let number = as_f64(value);
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Refused => return self.refuse(value, "must not be NaN or Inf"),
                Invalid::Allowed if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::Allowed => {}
            }
        }
        self.plain_number(value);
        Ok(())
    }

    fn plain_number(&mut self, value: &Value) {
        if let Value::Integer(integer) = value
            && self.settings.digits == 14
            && integer.unsigned_abs() < 100_000_000_000_000
            && *integer != 0
        {
            let mut digits = itoa::Buffer::new();
            self.out
                .extend_from_slice(digits.format(*integer).as_bytes());
            return;
        }
        let digits = usize::try_from(self.settings.digits).unwrap_or(14);
        write_general(&mut self.out, as_f64(value), digits);
    }

    fn string(&mut self, bytes: &[u8]) -> mlua::Result<()> {
        self.pace.step(self.out.len() + bytes.len())?;
        self.out.reserve(bytes.len() + 2);
        self.out.push(b'"');
        for piece in bytes.chunks(PIECE_BYTES) {
            self.pace.step(self.out.len())?;
            self.escape(piece);
        }
        self.out.push(b'"');
        Ok(())
    }

    fn escape(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let escaped: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'/' => b"\\/",
                0x08 => b"\\b",
                0x0c => b"\\f",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..0x20 | 0x7f => {
                    let digits = format!("\\u{byte:04x}");
                    self.out.extend_from_slice(digits.as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend_from_slice(escaped);
        }
    }

    fn table(&mut self, table: &Table, depth: u32) -> mlua::Result<()> {
        if depth > self.settings.encode_depth_max.min(DEPTH_MAX) {
            let message = format!("Cannot serialise, excessive nesting ({depth})");
            return self.fail(&message);
        }
        match self.array_len(table)? {
            Some(len) => self.array(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// The length of a table that is an array, which an empty one is not.
    fn array_len(&mut self, table: &Table) -> mlua::Result<Option<usize>> {
        let found = indexes(table, &mut self.pace, i32::MAX.into())?;
        let Some(Indexes { items, highest }) = found.filter(|found| found.items > 0) else {
            return Ok(None);
        };
        let ratio = usize::try_from(self.settings.sparse_ratio).unwrap_or_default();
        let safe = usize::try_from(self.settings.sparse_safe).unwrap_or_default();
        if ratio > 0 && highest > items.saturating_mul(ratio) && highest > safe {
            if !self.settings.sparse_as_object {
                let table = Value::Table(table.clone());
                return self.refuse(&table, "excessively sparse array");
            }
            return Ok(None);
        }
        Ok(Some(highest))
    }

    fn array(&mut self, table: &Table, len: usize, depth: u32) -> mlua::Result<()> {
        self.out.push(b'[');
        for index in 1..=len {
            if index > 1 {
                self.out.push(b',');
            }
            let element: Value = table.raw_get(index)?;
            self.value(&element, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: u32) -> mlua::Result<()> {
        self.out.push(b'{');
        let mut is_first = true;
        let is_inner = may_be_inner(depth);
        self.inner_calls += usize::from(is_inner);
        for_each_pair(table, is_inner, |key, value| {
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            match key {
                Value::String(name) => self.string(&name.as_bytes())?,
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.number(key)?;
                    self.out.push(b'"');
                }
                other => return self.refuse(other, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(value, depth)
        })?;
        self.inner_calls -= usize::from(is_inner);
        self.out.push(b'}');
        Ok(())
    }
}
