//! The `cmsgpack` library: `MessagePack` as the Lua module of that name reads and writes it.

use std::rc::Rc;

use mlua::{Function, Lua, Table, Value, Variadic};

use super::arguments::{bytes, integer, integer_or};
use super::failure::{bad_argument, bare_text, text};
use super::pace::Pace;
use super::redis::{self, Shared};
use super::tables::{Indexes, for_each_pair, indexes};
use super::tape::{Note, Tape, Text};

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
type Unpack = fn(&Lua, &Sides, &[Value]) -> mlua::Result<Variadic<Value>>;

/// What others are served with beside a script: while a native reads, and while it makes values.
type Sides = (Rc<Shared>, Function);

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
        let ours: Sides = (Rc::clone(shared), redis::look_around(lua, shared)?);
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
    let found = indexes(table, pace, i64::MAX)?;
    if let Some(Indexes { highest: len, .. }) = found.filter(|found| found.items == found.highest) {
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
    for_each_pair(table, true, |key, value| {
        write(out, pace, key, level + 1)?;
        write(out, pace, value, level + 1)
    })
}

fn unpack(lua: &Lua, sides: &Sides, args: &[Value]) -> mlua::Result<Variadic<Value>> {
    unpack_from(lua, sides, args, 0, 0)
}

fn unpack_one(lua: &Lua, sides: &Sides, args: &[Value]) -> mlua::Result<Variadic<Value>> {
    let offset = integer_or(lua, args, 2, 0)?;
    unpack_from(lua, sides, args, 1, offset)
}

fn unpack_limit(lua: &Lua, sides: &Sides, args: &[Value]) -> mlua::Result<Variadic<Value>> {
    let limit = integer(lua, args, 2)?;
    let offset = integer_or(lua, args, 3, 0)?;
    unpack_from(lua, sides, args, limit, offset)
}

/// Reads up to `limit` values; without limit and offset all of them. Otherwise where to go on
/// comes first, -1 at the end.
fn unpack_from(
    lua: &Lua,
    (shared, look_around): &Sides,
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
    let mut reading = Reading {
        lua,
        pace: shared.pace(lua),
        rest,
        tape: Tape::default(),
    };
    if !reads_all {
        // Where to go on comes first.
        reading.tape.push(Note::Integer(-1));
    }
    let mut values = 0;
    while !reading.rest.is_empty() && (reads_all || values < limit) {
        if values == VALUES_MAX {
            return Err(text(lua, TOO_MANY));
        }
        match reading.value(0) {
            Ok(()) => values += 1,
            Err(Broken::Short) => return Err(text(lua, "Missing bytes in input.")),
            Err(Broken::Malformed) => return Err(text(lua, "Bad data format in input.")),
            Err(Broken::Lua(error)) => return Err(error),
        }
    }
    if !reads_all {
        if values == VALUES_MAX {
            return Err(text(lua, "stack overflow (in function mp_unpack_full)"));
        }
        if !reading.rest.is_empty() {
            let at = i64::try_from(len - reading.rest.len()).unwrap_or(-1);
            reading.tape.replace(0, Note::Integer(at));
        }
    }
    reading.tape.make(lua, look_around)
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
    tape: Tape<'a>,
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
    fn signed(&mut self, len: u32) -> Result<Note<'a>, Broken> {
        let spare = 64 - len * 8;
        let value = self.unsigned(len as usize)?;
        Ok(Note::Integer((value << spare).cast_signed() >> spare))
    }

    fn string(&mut self, len: usize) -> Result<Note<'a>, Broken> {
        Ok(Note::Text(Text::Read(self.take(len)?)))
    }

    fn value(&mut self, depth: u32) -> Result<(), Broken> {
        self.pace.step(self.tape.held_bytes())?;
        let marker = self.take(1)?[0];
        let note = match marker {
            0x00..=0x7f => Note::Integer(marker.into()),
            0xe0..=0xff => Note::Integer(marker.cast_signed().into()),
            0x80..=0x8f => return self.map((marker & 0xf).into(), depth),
            0x90..=0x9f => return self.array((marker & 0xf).into(), depth),
            0xa0..=0xbf => self.string((marker & 0x1f).into())?,
            0xc0 => Note::Nil,
            0xc2 | 0xc3 => Note::Truth(marker == 0xc3),
            0xca => {
                let bits = u32::try_from(self.unsigned(4)?).unwrap_or_default();
                Note::Number(f32::from_bits(bits).into())
            }
            0xcb => Note::Number(f64::from_bits(self.unsigned(8)?)),
            0xcc => Note::Integer(self.unsigned(1)?.cast_signed()),
            0xcd => Note::Integer(self.unsigned(2)?.cast_signed()),
            0xce => Note::Integer(self.unsigned(4)?.cast_signed()),
            // Past the signed range it wraps, as in the module.
            0xcf => Note::Integer(self.unsigned(8)?.cast_signed()),
            0xd0 => self.signed(1)?,
            0xd1 => self.signed(2)?,
            0xd2 => self.signed(4)?,
            0xd3 => self.signed(8)?,
            0xd9 => self.length(1).and_then(|len| self.string(len))?,
            0xda => self.length(2).and_then(|len| self.string(len))?,
            0xdb => self.length(4).and_then(|len| self.string(len))?,
            0xdc => return self.length(2).and_then(|len| self.array(len, depth)),
            0xdd => return self.length(4).and_then(|len| self.array(len, depth)),
            0xde => return self.length(2).and_then(|len| self.map(len, depth)),
            0xdf => return self.length(4).and_then(|len| self.map(len, depth)),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Broken::Malformed),
        };
        self.tape.push(note);
        Ok(())
    }

    fn descend(&self, depth: u32, what: &str) -> Result<(), Broken> {
        if depth < DEPTH_MAX {
            return Ok(());
        }
        let message = format!("stack overflow (in function mp_decode_to_lua_{what})");
        Err(Broken::Lua(text(self.lua, &message)))
    }

    fn array(&mut self, len: usize, depth: u32) -> Result<(), Broken> {
        self.descend(depth, "array")?;
        self.tape.push(Note::Array(len));
        for _ in 0..len {
            self.value(depth + 1)?;
        }
        Ok(())
    }

    fn map(&mut self, len: usize, depth: u32) -> Result<(), Broken> {
        self.descend(depth, "hash")?;
        self.tape.push(Note::Map(len));
        for _ in 0..len {
            let key = self.tape.len();
            self.value(depth + 1)?;
            self.value(depth + 1)?;
            match self.tape.note_at(key) {
                Some(Note::Nil) => {
                    return Err(Broken::Lua(bare_text("table index is nil")));
                }
                Some(Note::Number(number)) if number.is_nan() => {
                    return Err(Broken::Lua(bare_text("table index is NaN")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
