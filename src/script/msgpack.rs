//! The `cmsgpack` library: `MessagePack` as the Lua module of that name reads and writes it.

use std::ffi::c_int;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table};

use super::failure::bare_text;
use super::native::{self, Broken, Desk, text_argument, text_at};
use super::pace::Pace;
use super::redis::Shared;
use super::tables::{Indexes, LEVEL_SLOTS, for_each, indexes, whole};
use super::tape::{Note, Tape, Text};

/// Deepest nesting that is written; what lies deeper becomes nil.
const NESTING_MAX: u16 = 16;
/// Slots of the stack that writing may take.
const WRITING_SLOTS: c_int = LEVEL_SLOTS * (NESTING_MAX as c_int + 1);
/// Most values that are read at once: Lua grants a function 8000 places, of which some are in use.
const VALUES_MAX: usize = 7900;
const TOO_MANY: &str = "stack overflow (too many return values at once; use unpack_one or \
                        unpack_limit instead.)";
/// Deepest nesting that is read: the stack of a worker is finite.
const DEPTH_MAX: u32 = 1000;

/// Where the library works, which has no settings.
type Ours = Desk<()>;

/// The library.
pub(super) fn library(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let ours = Desk::new(shared, ());
    let library = lua.create_table()?;
    let natives: &[(&str, ffi::lua_CFunction)] = &[
        ("pack", pack),
        ("unpack", unpack),
        ("unpack_one", unpack_one),
        ("unpack_limit", unpack_limit),
    ];
    // SAFETY: each asks for nothing but a desk without settings.
    unsafe { ours.add_to(lua, &library, natives)? };
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

/// The C function: `pack(value, ...)`.
unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: `library` made the closure, of a desk without settings. The slots that are written from
    // are asked for first, above the arguments. Outside of an attempt nothing has a destructor.
    unsafe {
        let len = ffi::lua_gettop(state);
        if len == 0 {
            return ffi::luaL_argerror(state, 0, c"MessagePack pack needs input.".as_ptr());
        }
        ffi::luaL_checkstack(state, WRITING_SLOTS, c"too many values".as_ptr());
        let desk = Ours::of(state);
        let written = desk.attempt(|work| {
            work.out.clear();
            let mut packing = Packing {
                state,
                pace: desk.pace(state),
                out: &mut work.out,
            };
            (1..=len).try_for_each(|place| packing.value(place, 0))
        });
        match written {
            Some(()) => native::leave_written::<()>(state),
            None => native::fail(state),
        }
    }
}

/// How values are written.
struct Packing<'a> {
    state: *mut lua_State,
    pace: Pace<'a>,
    out: &'a mut Vec<u8>,
}

// Every method asks of its caller that `state` is the running one, with slots free for this level and
// those that may follow. None calls what can raise, nor changes a value that was there.
impl Packing<'_> {
    /// Writes the value at a place, counted from the first.
    unsafe fn value(&mut self, place: c_int, level: u16) -> Result<(), Broken> {
        self.pace.step(self.out.len())?;
        // SAFETY: any value may be asked for its type, and is asked for what one of that type has.
        unsafe {
            match ffi::lua_type(self.state, place) {
                ffi::LUA_TSTRING => self.string(text_at(self.state, place))?,
                ffi::LUA_TNUMBER => self.number(ffi::lua_tonumber(self.state, place)),
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(self.state, place) != 0 => {
                    self.out.push(0xc3);
                }
                ffi::LUA_TBOOLEAN => self.out.push(0xc2),
                ffi::LUA_TTABLE if level < NESTING_MAX => return self.table(place, level),
                _ => self.out.push(0xc0),
            }
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8]) -> Result<(), Broken> {
        self.pace.step(self.out.len() + text.len())?;
        write_length(
            self.out,
            text.len(),
            (0xa0, 31),
            [Some(0xd9), Some(0xda), Some(0xdb)],
        );
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn number(&mut self, number: f64) {
        match whole(number) {
            Some(integer) => write_integer(self.out, integer),
            None => write_double(self.out, number),
        }
    }

    /// The place is that of a table.
    unsafe fn table(&mut self, place: c_int, level: u16) -> Result<(), Broken> {
        let state = self.state;
        // SAFETY: an element, or a key and a value, take the slots of this level, and are taken off
        // again. The value is at the top, the key below, and what the others ask is what the caller
        // vouches for.
        unsafe {
            let found = indexes(state, place, &mut self.pace, i64::MAX)?;
            if let Some(Indexes { highest: len, .. }) =
                found.filter(|found| found.items == found.highest)
            {
                write_length(self.out, len, (0x90, 15), [None, Some(0xdc), Some(0xdd)]);
                for index in (1..).take(len) {
                    ffi::lua_rawgeti(state, place, index);
                    self.value(ffi::lua_gettop(state), level + 1)?;
                    ffi::lua_settop(state, -2);
                }
                return Ok(());
            }
            let mut pairs = 0;
            for_each(state, place, || {
                pairs += 1;
                self.pace.step(0)?;
                Ok(true)
            })?;
            write_length(self.out, pairs, (0x80, 15), [None, Some(0xde), Some(0xdf)]);
            for_each(state, place, || {
                let value = ffi::lua_gettop(state);
                self.value(value - 1, level + 1)?;
                self.value(value, level + 1)?;
                Ok(true)
            })
        }
    }
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

/// The C function: `unpack(text)`.
unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: `library` made the closure, which owns nothing here.
    unsafe { unpack_from(state, 0, 0) }
}

/// The C function: `unpack_one(text, [offset])`.
unsafe extern "C-unwind" fn unpack_one(state: *mut lua_State) -> c_int {
    // SAFETY: as of `unpack`; what is no number is an error.
    unsafe {
        let offset = ffi::luaL_optinteger(state, 2, 0) as i64;
        unpack_from(state, 1, offset)
    }
}

/// The C function: `unpack_limit(text, limit, [offset])`.
unsafe extern "C-unwind" fn unpack_limit(state: *mut lua_State) -> c_int {
    // SAFETY: as of `unpack_one`.
    unsafe {
        let limit = ffi::luaL_checkinteger(state, 2) as i64;
        let offset = ffi::luaL_optinteger(state, 3, 0) as i64;
        unpack_from(state, limit, offset)
    }
}

/// Reads up to `limit` values of the first argument; without limit and offset all of them. Otherwise
/// where to go on comes first, -1 at the end.
///
/// # Safety
/// `state` runs one of the natives of the library, which has nothing to drop and returns what this
/// does.
unsafe fn unpack_from(state: *mut lua_State, limit: i64, offset: i64) -> c_int {
    // SAFETY: a native of the library has such a desk. The text stays where it is, among the
    // arguments, until the values are made above them. Outside of the attempt nothing has a destructor.
    unsafe {
        let text = text_argument(state, 1);
        let desk = Ours::of(state);
        let noted =
            desk.attempt(|work| note(desk.pace(state), text, limit, offset, &mut work.tape));
        if noted.is_none() {
            return native::fail(state);
        }
        let arguments = ffi::lua_gettop(state);
        desk.work().tape.make(state, text);
        ffi::lua_gettop(state) - arguments
    }
}

/// Notes what [`unpack_from`] leaves.
fn note(
    pace: Pace<'_>,
    text: &[u8],
    limit: i64,
    offset: i64,
    tape: &mut Tape,
) -> Result<(), Broken> {
    tape.clear();
    let reads_all = limit == 0 && offset == 0;
    let len = text.len();
    let (Ok(limit), Ok(start)) = (usize::try_from(limit), usize::try_from(offset)) else {
        return broken(format!(
            "Invalid request to unpack with offset of {offset} and limit of {len}."
        ));
    };
    if start > len {
        return broken(format!(
            "Start offset {start} greater than input length {len}."
        ));
    }
    let mut reading = Reading {
        pace,
        text,
        at: start,
        tape,
    };
    if !reads_all {
        // Where to go on comes first.
        reading.tape.push(Note::Integer(-1));
    }
    let mut values = 0;
    while reading.at < len && (reads_all || values < limit) {
        if values == VALUES_MAX {
            return broken(TOO_MANY);
        }
        reading.value(0)?;
        values += 1;
    }
    if !reads_all {
        if values == VALUES_MAX {
            return broken("stack overflow (in function mp_unpack_full)");
        }
        if reading.at < len {
            let at = i64::try_from(reading.at).unwrap_or(-1);
            reading.tape.replace(0, Note::Integer(at));
        }
    }
    Ok(())
}

fn broken<T>(message: impl Into<String>) -> Result<T, Broken> {
    Err(Broken::Text(message.into()))
}

struct Reading<'a> {
    pace: Pace<'a>,
    text: &'a [u8],
    at: usize,
    tape: &'a mut Tape,
}

impl Reading<'_> {
    /// Passes over so many bytes, and says where they begin.
    fn take(&mut self, len: usize) -> Result<usize, Broken> {
        let start = self.at;
        if len > self.text.len() - start {
            return broken("Missing bytes in input.");
        }
        self.at += len;
        Ok(start)
    }

    fn unsigned(&mut self, len: usize) -> Result<u64, Broken> {
        let start = self.take(len)?;
        let bytes = &self.text[start..self.at];
        Ok(bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn length(&mut self, len: usize) -> Result<usize, Broken> {
        self.unsigned(len)
            .map(|len| usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A signed integer of so many bytes.
    fn signed(&mut self, len: u32) -> Result<Note, Broken> {
        let spare = 64 - len * 8;
        let value = self.unsigned(len as usize)?;
        Ok(Note::Integer((value << spare).cast_signed() >> spare))
    }

    fn string(&mut self, len: usize) -> Result<Note, Broken> {
        let start = self.take(len)?;
        Ok(Note::Text(Text::Read { start, len }))
    }

    fn value(&mut self, depth: u32) -> Result<(), Broken> {
        self.pace.step(self.tape.held_bytes())?;
        let marker = self.text[self.take(1)?];
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
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return broken("Bad data format in input."),
        };
        self.tape.push(note);
        Ok(())
    }

    fn descend(depth: u32, what: &str) -> Result<(), Broken> {
        if depth < DEPTH_MAX {
            return Ok(());
        }
        broken(format!(
            "stack overflow (in function mp_decode_to_lua_{what})"
        ))
    }

    fn array(&mut self, len: usize, depth: u32) -> Result<(), Broken> {
        Self::descend(depth, "array")?;
        self.tape.push(Note::Array(len));
        for _ in 0..len {
            self.value(depth + 1)?;
        }
        Ok(())
    }

    fn map(&mut self, len: usize, depth: u32) -> Result<(), Broken> {
        Self::descend(depth, "hash")?;
        self.tape.push(Note::Map(len));
        for _ in 0..len {
            let key = self.tape.len();
            self.value(depth + 1)?;
            self.value(depth + 1)?;
            match self.tape.note_at(key) {
                Some(Note::Nil) => {
                    return Err(Broken::Error(bare_text("table index is nil")));
                }
                Some(Note::Number(number)) if number.is_nan() => {
                    return Err(Broken::Error(bare_text("table index is NaN")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
