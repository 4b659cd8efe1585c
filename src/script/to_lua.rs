//! Replies of commands as Lua values.
//!
//! A reply is read as it stands on the wire, in the version that the script asked for with
//! `redis.setresp`. What came from this server is well formed; what is not ends the reading with
//! nil.

use mlua::{Lua, LuaString, Table, Value};

use super::failure::table_of;
use super::number::read_prefix;
use crate::protocol::number::parse_i64;

/// A reply being read.
struct Reading<'a> {
    lua: &'a Lua,
    /// The name `ok`.
    ok: &'a LuaString,
    rest: &'a [u8],
}

/// The value of a whole reply. An error becomes a table with `err`, marked as one that the
/// statistics have.
pub(super) fn value(lua: &Lua, ok: &LuaString, reply: &[u8]) -> mlua::Result<Value> {
    Reading {
        lua,
        ok,
        rest: reply,
    }
    .value()
}

impl<'a> Reading<'a> {
    fn line(&mut self) -> &'a [u8] {
        let len = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..len];
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        line
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let bytes = &self.rest[..len.min(self.rest.len())];
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        bytes
    }

    fn string(&self, bytes: &[u8]) -> mlua::Result<Value> {
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let line = self.line();
        let Some((&marker, line)) = line.split_first() else {
            return Ok(Value::Nil);
        };
        match marker {
            b'$' => match length(line) {
                Some(len) => {
                    let bytes = self.bytes(len);
                    self.string(bytes)
                }
                None => Ok(Value::Boolean(false)),
            },
            b':' => Ok(Value::Integer(parse_i64(line).unwrap_or_default())),
            b'+' => {
                let table = self.lua.create_table_with_capacity(0, 1)?;
                table.raw_set(self.ok, self.string(line)?)?;
                Ok(Value::Table(table))
            }
            b'-' => Ok(Value::Table(table_of(self.lua, line, true)?)),
            b'*' | b'>' => match length(line) {
                Some(len) => self.array(len),
                None => Ok(Value::Boolean(false)),
            },
            b'%' => self.map(length(line).unwrap_or_default()),
            b'~' => self.set(length(line).unwrap_or_default()),
            b'#' => Ok(Value::Boolean(line == b"t")),
            b',' => {
                let double = read_prefix(line).map_or(0.0, |(value, _)| value);
                self.wrap("double", Value::Number(double))
            }
            b'(' => self.wrapped("big_number", line),
            b'=' => self.verbatim(length(line).unwrap_or_default()),
            _ => Ok(Value::Nil),
        }
    }

    fn wrap(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn wrapped(&self, name: &str, text: &[u8]) -> mlua::Result<Value> {
        self.wrap(name, self.string(text)?)
    }

    fn array(&mut self, len: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=len {
            table.raw_seti(index, self.value()?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, pairs: usize) -> mlua::Result<Value> {
        let map = self.lua.create_table()?;
        for _ in 0..pairs {
            let key = self.value()?;
            set(&map, key, self.value()?)?;
        }
        self.wrap("map", Value::Table(map))
    }

    fn set(&mut self, len: usize) -> mlua::Result<Value> {
        let members = self.lua.create_table()?;
        for _ in 0..len {
            set(&members, self.value()?, Value::Boolean(true))?;
        }
        self.wrap("set", Value::Table(members))
    }

    fn verbatim(&mut self, len: usize) -> mlua::Result<Value> {
        let bytes = self.bytes(len);
        let (format, text) = bytes.split_at(bytes.len().min(3));
        let table = self.lua.create_table()?;
        table.raw_set("string", self.string(text.get(1..).unwrap_or_default())?)?;
        table.raw_set("format", self.string(format)?)?;
        self.wrap("verbatim_string", Value::Table(table))
    }
}

fn length(line: &[u8]) -> Option<usize> {
    parse_i64(line).and_then(|len| usize::try_from(len).ok())
}

/// Sets a pair; a key that Lua does not take is left out.
fn set(table: &Table, key: Value, value: Value) -> mlua::Result<()> {
    if key.is_nil() {
        return Ok(());
    }
    table.raw_set(key, value)
}
