//! The `cmsgpack` library: `MessagePack` as the Lua module of that name reads and writes it.

use std::rc::Rc;

use mlua::{Lua, Table, Value, Variadic};

use super::arguments::{as_f64, bytes, integer, integer_or};
use super::failure::{bad_argument, bare_text, text};
use super::pace::Pace;
use super::redis::Shared;

/// Deepest nesting that is written; what lies deeper becomes nil.
const NESTING_MAX: u32 = 16;
/// Most values that are read at once: Lua grants a function 8000 places, of which the binding uses
/// some.
const VALUES_MAX: usize = 7900;
const TOO_MANY: &str = "stack overflow (too many return values at once; use unpack_one or \
                        unpack_limit instead.)";
/// Deepest nesting that is read: the stack of a worker is finite.
const DEPTH_MAX: u32 = 1000;

/// A function that reads values.
type Unpack = fn(&Lua, &Shared, &[Value]) -> mlua::Result<Variadic<Value>>;

/// The library.
pub(super) fn library(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let ours = Rc::clone(shared);
    let pack = move |lua: &Lua, args: Variadic<Value>| pack(lua, &ours, &args);
    library.raw_set("pack", lua.create_function(pack)?)?;
    let unpackers: [(&str, Unpack); 3] = [
        ("unpack", unpack),
        ("unpack_one", unpack_one),
        ("unpack_limit", unpack_limit),
    ];
    for (name, unpack) in unpackers {
        let ours = Rc::clone(shared);
        let unpack = move |lua: &Lua, args: Variadic<Value>| unpack(lua, &ours, &args);
        library.raw_set(name, lua.create_function(unpack)?)?;
    }
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

fn pack(lua: &Lua, shared: &Shared, args: &[Value]) -> mlua::Result<mlua::LuaString> {
    if args.is_empty() {
        return Err(bad_argument(lua, 0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    let mut pace = shared.pace(lua);
    for value in args {
        write(&mut out, &mut pace, value, 0)?;
    }
    lua.create_string(out)
}

fn write(out: &mut Vec<u8>, pace: &mut Pace<'_>, value: &Value, level: u32) -> mlua::Result<()> {
    pace.step(out.len())?;
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            pace.step(out.len() + text.len())?;
            write_length(
                out,
                text.len(),
                (0xa0, 31),
                [Some(0xd9), Some(0xda), Some(0xdb)],
            );
            out.extend_from_slice(&text);
        }
        Value::Integer(integer) => write_integer(out, *integer),
        Value::Number(number) => write_double(out, *number),
        Value::Boolean(truth) => out.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Table(table) if level < NESTING_MAX => return write_table(out, pace, table, level),
        _ => out.push(0xc0),
    }
    Ok(())
}

/// Writes a length: in the marker up to a bound, else in one, two or four bytes behind a marker.
fn write_length(
    out: &mut Vec<u8>,
    len: usize,
    (short, short_max): (u8, usize),
    markers: [Option<u8>; 3],
) {
    if len <= short_max {
        out.push(short | u8::try_from(len).unwrap_or_default());
        return;
    }
    if let (Some(marker), Ok(len)) = (markers[0], u8::try_from(len)) {
        out.extend_from_slice(&[marker, len]);
    } else if let (Some(marker), Ok(len)) = (markers[1], u16::try_from(len)) {
        out.push(marker);
        out.extend_from_slice(&len.to_be_bytes());
    } else if let Some(marker) = markers[2] {
        out.push(marker);
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
}

fn write_integer(out: &mut Vec<u8>, integer: i64) {
    if let Ok(small) = i8::try_from(integer)
        && small >= -32
    {
        out.push(small.cast_unsigned());
    } else if let Ok(value) = u8::try_from(integer) {
        out.extend_from_slice(&[0xcc, value]);
    } else if let Ok(value) = u16::try_from(integer) {
        out.push(0xcd);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(integer) {
        out.push(0xce);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = u64::try_from(integer) {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i8::try_from(integer) {
        out.extend_from_slice(&[0xd0, value.cast_unsigned()]);
    } else if let Ok(value) = i16::try_from(integer) {
        out.push(0xd1);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(integer) {
        out.push(0xd2);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&integer.to_be_bytes());
    }
}

/// A number that is no integer of 64 bits; in four bytes where that loses nothing.
#[allow(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "whether the shorter form is the same number is the question"
)]
fn write_double(out: &mut Vec<u8>, number: f64) {
    if number == 0.0 {
        out.push(0);
        return;
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_table(
    out: &mut Vec<u8>,
    pace: &mut Pace<'_>,
    table: &Table,
    level: u32,
) -> mlua::Result<()> {
    if let Some(len) = array_len(pace, table)? {
        write_length(out, len, (0x90, 15), [None, Some(0xdc), Some(0xdd)]);
        for index in 1..=len {
            let element: Value = table.raw_get(index)?;
            write(out, pace, &element, level + 1)?;
        }
        return Ok(());
    }
    let mut pairs = 0;
    table.for_each(|_: bool, _: bool| {
        pairs += 1;
        pace.step(0)
    })?;
    write_length(out, pairs, (0x80, 15), [None, Some(0xde), Some(0xdf)]);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(out, pace, &key, level + 1)?;
        write(out, pace, &value, level + 1)?;
    }
    Ok(())
}

/// The length of a table whose keys are 1 to its length, as those of an empty one are.
fn array_len(pace: &mut Pace<'_>, table: &Table) -> mlua::Result<Option<usize>> {
    let (mut items, mut highest) = (0usize, 0usize);
    let mut is_array = true;
    // An error ends the walk early.
    let walked = table.for_each(|key: Value, _: bool| match key {
        Value::Integer(index) if index > 0 => {
            items += 1;
            highest = highest.max(usize::try_from(index).unwrap_or(usize::MAX));
            pace.step(0)
        }
        _ => {
            is_array = false;
            Err(mlua::Error::StackError)
        }
    });
    if !is_array {
        return Ok(None);
    }
    walked?;
    Ok((items == highest).then_some(items))
}

fn unpack(lua: &Lua, shared: &Shared, args: &[Value]) -> mlua::Result<Variadic<Value>> {
    unpack_from(lua, shared, args, 0, 0)
}

fn unpack_one(lua: &Lua, shared: &Shared, args: &[Value]) -> mlua::Result<Variadic<Value>> {
    let offset = integer_or(lua, args, 2, 0)?;
    unpack_from(lua, shared, args, 1, offset)
}

fn unpack_limit(lua: &Lua, shared: &Shared, args: &[Value]) -> mlua::Result<Variadic<Value>> {
    let limit = integer(lua, args, 2)?;
    let offset = integer_or(lua, args, 3, 0)?;
    unpack_from(lua, shared, args, limit, offset)
}

/// Reads up to `limit` values; without limit and offset all of them. Otherwise where to go on
/// comes first, -1 at the end.
fn unpack_from(
    lua: &Lua,
    shared: &Shared,
    args: &[Value],
    limit: i64,
    offset: i64,
) -> mlua::Result<Variadic<Value>> {
    let data = bytes(lua, args, 1)?;
    let reads_all = limit == 0 && offset == 0;
    let len = data.len();
    let (Ok(limit), Ok(start)) = (usize::try_from(limit), usize::try_from(offset)) else {
        return Err(text(
            lua,
            &format!("Invalid request to unpack with offset of {offset} and limit of {len}."),
        ));
    };
    let Some(rest) = data.get(start..) else {
        return Err(text(
            lua,
            &format!("Start offset {start} greater than input length {len}."),
        ));
    };
    let pace = shared.pace(lua);
    let mut reading = Reading { lua, pace, rest };
    let mut values = Vec::new();
    while !reading.rest.is_empty() && (reads_all || values.len() < limit) {
        if values.len() == VALUES_MAX {
            return Err(text(lua, TOO_MANY));
        }
        match reading.value(0) {
            Ok(value) => values.push(value),
            Err(Broken::Short) => return Err(text(lua, "Missing bytes in input.")),
            Err(Broken::Malformed) => return Err(text(lua, "Bad data format in input.")),
            Err(Broken::Lua(error)) => return Err(error),
        }
    }
    if !reads_all {
        if values.len() == VALUES_MAX {
            return Err(text(lua, "stack overflow (in function mp_unpack_full)"));
        }
        let next = if reading.rest.is_empty() {
            -1
        } else {
            i64::try_from(len - reading.rest.len()).unwrap_or(-1)
        };
        values.insert(0, Value::Integer(next));
    }
    Ok(values.into())
}

/// Why data cannot be read.
enum Broken {
    Short,
    Malformed,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Broken {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

struct Reading<'a> {
    lua: &'a Lua,
    pace: Pace<'a>,
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Broken::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn unsigned(&mut self, len: usize) -> Result<u64, Broken> {
        let bytes = self.take(len)?;
        Ok(bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn length(&mut self, len: usize) -> Result<usize, Broken> {
        self.unsigned(len)
            .map(|len| usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A signed integer of so many bytes.
    fn signed(&mut self, len: u32) -> Result<Value, Broken> {
        let spare = 64 - len * 8;
        let value = self.unsigned(len as usize)?;
        Ok(Value::Integer((value << spare).cast_signed() >> spare))
    }

    fn string(&mut self, len: usize) -> Result<Value, Broken> {
        let bytes = self.take(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn value(&mut self, depth: u32) -> Result<Value, Broken> {
        self.pace.step(0)?;
        let marker = self.take(1)?[0];
        Ok(match marker {
            0x00..=0x7f => Value::Integer(marker.into()),
            0xe0..=0xff => Value::Integer(marker.cast_signed().into()),
            0x80..=0x8f => return self.map((marker & 0xf).into(), depth),
            0x90..=0x9f => return self.array((marker & 0xf).into(), depth),
            0xa0..=0xbf => return self.string((marker & 0x1f).into()),
            0xc0 => Value::Nil,
            0xc2 | 0xc3 => Value::Boolean(marker == 0xc3),
            0xca => {
                let bits = u32::try_from(self.unsigned(4)?).unwrap_or_default();
                Value::Number(f32::from_bits(bits).into())
            }
            0xcb => Value::Number(f64::from_bits(self.unsigned(8)?)),
            0xcc => Value::Integer(self.unsigned(1)?.cast_signed()),
            0xcd => Value::Integer(self.unsigned(2)?.cast_signed()),
            0xce => Value::Integer(self.unsigned(4)?.cast_signed()),
            // Past the signed range it wraps, as in the module.
            0xcf => Value::Integer(self.unsigned(8)?.cast_signed()),
            0xd0 => return self.signed(1),
            0xd1 => return self.signed(2),
            0xd2 => return self.signed(4),
            0xd3 => return self.signed(8),
            0xd9 => return self.length(1).and_then(|len| self.string(len)),
            0xda => return self.length(2).and_then(|len| self.string(len)),
            0xdb => return self.length(4).and_then(|len| self.string(len)),
            0xdc => return self.length(2).and_then(|len| self.array(len, depth)),
            0xdd => return self.length(4).and_then(|len| self.array(len, depth)),
            0xde => return self.length(2).and_then(|len| self.map(len, depth)),
            0xdf => return self.length(4).and_then(|len| self.map(len, depth)),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Broken::Malformed),
        })
    }

    fn descend(&self, depth: u32, what: &str) -> Result<(), Broken> {
        if depth < DEPTH_MAX {
            return Ok(());
        }
        let message = format!("stack overflow (in function mp_decode_to_lua_{what})");
        Err(Broken::Lua(text(self.lua, &message)))
    }

    fn array(&mut self, len: usize, depth: u32) -> Result<Value, Broken> {
        self.descend(depth, "array")?;
        let table = self.lua.create_table()?;
        for index in 1..=len {
            let value = self.value(depth + 1)?;
            table.raw_seti(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: u32) -> Result<Value, Broken> {
        self.descend(depth, "hash")?;
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            if key.is_nil() {
                return Err(Broken::Lua(bare_text("table index is nil")));
            }
            if as_f64(&key).is_nan() {
                return Err(Broken::Lua(bare_text("table index is NaN")));
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
