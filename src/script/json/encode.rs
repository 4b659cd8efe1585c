//! Lua values as JSON.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::super::native::{Broken, name_of_type, text_at};
use super::super::number::write_general;
use super::super::pace::Pace;
use super::super::tables::{Indexes, for_each, indexes, whole};
use super::{DEPTH_MAX, Invalid, Settings};

/// Bytes of a string that are one step.
const PIECE_BYTES: usize = 512;

/// Integers below this are written as they are, whatever the number of digits: fourteen of them.
const PLAIN_INTEGER_MAX: u64 = 100_000_000_000_000;

/// Bytes that do not stand for themselves in a string.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escaped[byte] = true;
        byte += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped[b'/' as usize] = true;
    escaped[0x7f] = true;
    escaped
};

/// How a value is written.
pub(super) struct Encoding<'a> {
    pub(super) state: *mut lua_State,
    pub(super) pace: Pace<'a>,
    pub(super) settings: Settings,
    pub(super) out: &'a mut Vec<u8>,
    /// Tables within each other for which there are slots on the stack.
    pub(super) levels: u32,
}

// Every method asks of its caller that `state` is the running one, with `LEVEL_SLOTS` free for each
// of the levels from this one on, and one level more. None calls what can raise, nor changes a
// value that was there.
impl Encoding<'_> {
    /// The kind is one of a value of Lua's.
    unsafe fn refuse<T>(&self, kind: c_int, reason: &str) -> Result<T, Broken> {
        // SAFETY: as the caller vouches.
        let kind = unsafe { name_of_type(self.state, kind) };
        Err(Broken::Text(format!("Cannot serialise {kind}: {reason}")))
    }

    /// Writes the value at a place, counted from the first.
    pub(super) unsafe fn value(&mut self, place: c_int, depth: u32) -> Result<(), Broken> {
        self.pace.step(self.out.len())?;
        // SAFETY: any value may be asked for its type, and is asked for what one of that type has.
        unsafe {
            match ffi::lua_type(self.state, place) {
                ffi::LUA_TSTRING => return self.string(text_at(self.state, place)),
                ffi::LUA_TNUMBER => return self.number(ffi::lua_tonumber(self.state, place)),
                ffi::LUA_TTABLE => return self.table(place, depth + 1),
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(self.state, place) != 0 => {
                    self.out.extend_from_slice(b"true");
                }
                ffi::LUA_TBOOLEAN => self.out.extend_from_slice(b"false"),
                ffi::LUA_TNIL => self.out.extend_from_slice(b"null"),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(self.state, place).is_null() => {
                    self.out.extend_from_slice(b"null");
                }
                other => return self.refuse(other, "type not supported"),
            }
        }
        Ok(())
    }

    unsafe fn number(&mut self, number: f64) -> Result<(), Broken> {
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Refused => {
                    // SAFETY: that is a kind of value.
                    return unsafe { self.refuse(ffi::LUA_TNUMBER, "must not be NaN or Inf") };
                }
                Invalid::Allowed if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::Allowed => {}
            }
        }
        self.plain_number(number);
        Ok(())
    }

    fn plain_number(&mut self, number: f64) {
        if self.settings.digits == 14
            && let Some(integer) = whole(number)
            && integer.unsigned_abs() < PLAIN_INTEGER_MAX
            && integer != 0
        {
            let mut digits = itoa::Buffer::new();
            self.out
                .extend_from_slice(digits.format(integer).as_bytes());
            return;
        }
        let digits = usize::try_from(self.settings.digits).unwrap_or(14);
        write_general(self.out, number, digits);
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), Broken> {
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
        let mut plain = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if !ESCAPED[usize::from(byte)] {
                continue;
            }
            self.out.extend_from_slice(&bytes[plain..at]);
            plain = at + 1;
            let escaped: &[u8] = match byte {
                0x08 => b"\\b",
                0x0c => b"\\f",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'/' => b"\\/",
                _ => {
                    let digits = format!("\\u{byte:04x}");
                    self.out.extend_from_slice(digits.as_bytes());
                    continue;
                }
            };
            self.out.extend_from_slice(escaped);
        }
        self.out.extend_from_slice(&bytes[plain..]);
    }

    /// The place is that of a table.
    unsafe fn table(&mut self, place: c_int, depth: u32) -> Result<(), Broken> {
        if depth > self.settings.encode_depth_max.min(DEPTH_MAX) {
            let message = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(Broken::Text(message));
        }
        if depth > self.levels {
            return Err(Broken::TooDeep);
        }
        // SAFETY: as the caller vouches, and there are slots for this level.
        unsafe {
            match self.array_len(place)? {
                Some(len) => self.array(place, len, depth),
                None => self.object(place, depth),
            }
        }
    }

    /// The length of a table that is an array, which an empty one is not.
    unsafe fn array_len(&mut self, place: c_int) -> Result<Option<usize>, Broken> {
        // SAFETY: as the caller vouches.
        let found = unsafe { indexes(self.state, place, &mut self.pace, i32::MAX.into())? };
        let Some(Indexes { items, highest }) = found.filter(|found| found.items > 0) else {
            return Ok(None);
        };
        let ratio = usize::try_from(self.settings.sparse_ratio).unwrap_or_default();
        let safe = usize::try_from(self.settings.sparse_safe).unwrap_or_default();
        if ratio > 0 && highest > items.saturating_mul(ratio) && highest > safe {
            if !self.settings.sparse_as_object {
                // SAFETY: that is a kind of value.
                return unsafe { self.refuse(ffi::LUA_TTABLE, "excessively sparse array") };
            }
            return Ok(None);
        }
        Ok(Some(highest))
    }

    unsafe fn array(&mut self, place: c_int, len: usize, depth: u32) -> Result<(), Broken> {
        self.out.push(b'[');
        for index in (1..).take(len) {
            if index > 1 {
                self.out.push(b',');
            }
            // SAFETY: the element takes one of the slots of this level, and is taken off again.
            unsafe {
                ffi::lua_rawgeti(self.state, place, index);
                self.value(ffi::lua_gettop(self.state), depth)?;
                ffi::lua_settop(self.state, -2);
            }
        }
        self.out.push(b']');
        Ok(())
    }

    unsafe fn object(&mut self, place: c_int, depth: u32) -> Result<(), Broken> {
        self.out.push(b'{');
        let state = self.state;
        let mut is_first = true;
        // SAFETY: key and value take the slots of this level. The value is at the top, the key below,
        // and what the others ask is what the caller vouches for.
        unsafe {
            for_each(state, place, || {
                if !is_first {
                    self.out.push(b',');
                }
                is_first = false;
                let value = ffi::lua_gettop(state);
                match ffi::lua_type(state, value - 1) {
                    ffi::LUA_TSTRING => self.string(text_at(state, value - 1))?,
                    ffi::LUA_TNUMBER => {
                        self.out.push(b'"');
                        self.number(ffi::lua_tonumber(state, value - 1))?;
                        self.out.push(b'"');
                    }
                    other => return self.refuse(other, "table key must be a number or string"),
                }
                self.out.push(b':');
                self.value(value, depth)?;
                Ok(true)
            })?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
