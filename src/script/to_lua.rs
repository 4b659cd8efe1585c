//! Replies of commands as Lua values, made on Lua's stack.
//!
//! A reply is read as it stands on the wire, in the version that the script asked for with
//! `redis.setresp`. What came from this server is well formed; what is not ends the reading with
//! nil. Lua may raise a memory error in any of these functions and leave by `longjmp`: they hold
//! plain values only, which have no destructors.

use mlua::ffi::{self, lua_State};

use super::number::read_prefix;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

/// Slots of the stack that one level of a reply takes: a table, a key, a value.
const LEVEL_SLOTS: i32 = 3;

/// Pushes the value of a whole reply. An error becomes a table with `err`, marked as one that the
/// statistics have.
///
/// # Safety
/// `state` runs a C function that has nothing to drop.
pub(super) unsafe fn push(state: *mut lua_State, reply: &[u8]) {
    // SAFETY: as for this function.
    unsafe { Reading { state, rest: reply }.value() }
}

/// Pushes words as a list.
///
/// # Safety
/// As for [`push`].
pub(super) unsafe fn push_list(state: *mut lua_State, words: Args<'_>) {
    // SAFETY: as for this function; a list and a word are within what Lua grants.
    unsafe {
        ffi::lua_createtable(state, c_len(words.len()), 0);
        for (index, word) in (1..).zip(words) {
            ffi::lua_pushlstring(state, word.as_ptr().cast(), word.len());
            ffi::lua_rawseti(state, -2, index);
        }
    }
}

/// A reply being read.
struct Reading<'a> {
    state: *mut lua_State,
    rest: &'a [u8],
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
}

// Every method leaves one more value on the stack, if it does not say otherwise.
//
// SAFETY of all: `push` asks for a state in a C function that may be left by `longjmp`. Each level
// makes room on the stack before it uses it, and pops what it does not leave.
impl Reading<'_> {
    unsafe fn value(&mut self) {
        let line = self.line();
        let Some((&marker, line)) = line.split_first() else {
            // SAFETY: as above.
            return unsafe { ffi::lua_pushnil(self.state) };
        };
        // SAFETY: as above.
        unsafe {
            if ffi::lua_checkstack(self.state, LEVEL_SLOTS) == 0 {
                return ffi::lua_pushnil(self.state);
            }
            match marker {
                b'$' => match length(line) {
                    Some(len) => {
                        let bytes = self.bytes(len);
                        self.string(bytes);
                    }
                    None => ffi::lua_pushboolean(self.state, 0),
                },
                b':' => {
                    let integer = parse_i64(line).unwrap_or_default();
                    ffi::lua_pushinteger(self.state, integer as ffi::lua_Integer);
                }
                b'+' => {
                    ffi::lua_createtable(self.state, 0, 1);
                    self.field(b"ok", |reading| reading.string(line));
                }
                b'-' => {
                    ffi::lua_createtable(self.state, 0, 2);
                    self.field(b"err", |reading| reading.string(line));
                    self.field(b"ignore_error_stats_update", |reading| {
                        ffi::lua_pushboolean(reading.state, 1);
                    });
                }
                b'*' | b'>' => match length(line) {
                    Some(len) => self.array(len),
                    None => ffi::lua_pushboolean(self.state, 0),
                },
                b'%' => self.map(length(line).unwrap_or_default()),
                b'~' => self.set(length(line).unwrap_or_default()),
                b'#' => ffi::lua_pushboolean(self.state, (line == b"t").into()),
                b',' => {
                    let double = read_prefix(line).map_or(0.0, |(value, _)| value);
                    self.wrap(b"double", |reading| {
                        ffi::lua_pushnumber(reading.state, double);
                    });
                }
                b'(' => self.wrap(b"big_number", |reading| reading.string(line)),
                b'=' => self.verbatim(length(line).unwrap_or_default()),
                _ => ffi::lua_pushnil(self.state),
            }
        }
    }

    unsafe fn string(&mut self, bytes: &[u8]) {
        // SAFETY: as above; the bytes are copied.
        unsafe {
            ffi::lua_pushlstring(self.state, bytes.as_ptr().cast(), bytes.len());
        }
    }

    /// Sets a field of the table on top to what `push` leaves, which is taken off.
    unsafe fn field(&mut self, name: &[u8], push: impl FnOnce(&mut Self)) {
        // SAFETY: as above; the table lies below the name and the value.
        unsafe {
            self.string(name);
            push(self);
            ffi::lua_rawset(self.state, -3);
        }
    }

    /// A table with this one field.
    unsafe fn wrap(&mut self, name: &[u8], push: impl FnOnce(&mut Self)) {
        // SAFETY: as above.
        unsafe {
            ffi::lua_createtable(self.state, 0, 1);
            self.field(name, push);
        }
    }

    unsafe fn array(&mut self, len: usize) {
        // SAFETY: as above; the table lies below the value.
        unsafe {
            ffi::lua_createtable(self.state, c_len(len), 0);
            for index in 1..=c_len(len) {
                self.value();
                ffi::lua_rawseti(self.state, -2, index.into());
            }
        }
    }

    unsafe fn map(&mut self, pairs: usize) {
        // SAFETY: as above; `pair` takes the key and the value off.
        unsafe {
            self.wrap(b"map", |reading| {
                ffi::lua_createtable(reading.state, 0, 0);
                for _ in 0..pairs {
                    reading.value();
                    reading.value();
                    reading.pair();
                }
            });
        }
    }

    unsafe fn set(&mut self, len: usize) {
        // SAFETY: as above; `pair` takes the key and the value off.
        unsafe {
            self.wrap(b"set", |reading| {
                ffi::lua_createtable(reading.state, 0, 0);
                for _ in 0..len {
                    reading.value();
                    ffi::lua_pushboolean(reading.state, 1);
                    reading.pair();
                }
            });
        }
    }

    /// Sets a pair, which lies on top of its table, and takes it off. A nil, which is no key for
    /// Lua, is left out.
    unsafe fn pair(&mut self) {
        // SAFETY: as above. A number that is no number would be refused as a key too, but doubles
        // come as tables.
        unsafe {
            if ffi::lua_type(self.state, -2) == ffi::LUA_TNIL {
                ffi::lua_settop(self.state, -3);
            } else {
                ffi::lua_rawset(self.state, -3);
            }
        }
    }

    unsafe fn verbatim(&mut self, len: usize) {
        let bytes = self.bytes(len);
        let (format, text) = bytes.split_at(bytes.len().min(3));
        let text = text.get(1..).unwrap_or_default();
        // SAFETY: as above.
        unsafe {
            self.wrap(b"verbatim_string", |reading| {
                ffi::lua_createtable(reading.state, 0, 2);
                reading.field(b"string", |reading| reading.string(text));
                reading.field(b"format", |reading| reading.string(format));
            });
        }
    }
}

fn length(line: &[u8]) -> Option<usize> {
    parse_i64(line).and_then(|len| usize::try_from(len).ok())
}

/// A length as C counts: no reply has more elements.
fn c_len(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
