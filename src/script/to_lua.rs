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

/// Slots of the stack that one level of a reply takes: a table in a table under its name, and a key
/// and a value for the inner one, each of which may be the place of a level of its own.
const LEVEL_SLOTS: i32 = 5;
/// Levels that fit into the slots that Lua grants any C function.
const GRANTED_LEVELS: i32 = 4;
const _: () = assert!(GRANTED_LEVELS * LEVEL_SLOTS <= ffi::LUA_MINSTACK);

/// Pushes the value of a whole reply. An error becomes a table with `err`, marked as one that the
/// statistics have.
///
/// # Safety
/// `state` runs a C function that has nothing to drop, and whose stack is empty.
pub(super) unsafe fn push(state: *mut lua_State, reply: &[u8]) {
    let mut reading = Reading {
        state,
        rest: reply,
        level: 0,
    };
    // SAFETY: what `value` asks of its state is what the caller vouches for, and on an empty stack
    // are as many slots free as Lua grants.
    unsafe { reading.value() }
}

/// Sets the first elements of the table on top to words.
///
/// # Safety
/// `state` runs a C function that has nothing to drop, there is a table on top of its stack, and a
/// slot is free.
pub(super) unsafe fn fill_list(state: *mut lua_State, words: Args<'_>) {
    // SAFETY: a word takes the slot, which `lua_rawseti` frees again; -2 is the table then. Lua
    // copies the bytes of a word, which are borrowed meanwhile. Of what is alive here nothing has a
    // destructor.
    unsafe {
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
    /// How many values this one is in.
    level: i32,
}

impl<'a> Reading<'a> {
    fn line(&mut self) -> &'a [u8] {
        // Nearly all are shorter than what a search by vectors begins with.
        let end = self.rest.iter().position(|&byte| byte == b'\r');
        let len = end.unwrap_or(self.rest.len());
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

// Every method leaves one more value on the stack, if it does not say otherwise, and asks two things
// of its caller: that `state` runs a C function that may be left by `longjmp`, which none of them
// changes, and that the slots are free that it says it takes, its value's included. `value` takes
// one, and makes sure of the LEVEL_SLOTS of its level before it calls any other.
impl Reading<'_> {
    /// Takes one slot.
    unsafe fn value(&mut self) {
        let line = self.line();
        let Some((&marker, line)) = line.split_first() else {
            // SAFETY: the caller left a slot free.
            return unsafe { ffi::lua_pushnil(self.state) };
        };
        // SAFETY: if Lua grants no more slots, nil takes the one that the caller left free. If it
        // does, or did from the first as for the first levels, there are five: a simple value takes one, an error or a status three (the table,
        // a name and its value), and the others say that they take no more than five. Of what is
        // alive here nothing has a destructor.
        unsafe {
            let is_granted = self.level < GRANTED_LEVELS;
            if !is_granted && ffi::lua_checkstack(self.state, LEVEL_SLOTS) == 0 {
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

    /// Takes one slot.
    unsafe fn string(&mut self, bytes: &[u8]) {
        // SAFETY: the caller left a slot free; Lua copies the bytes, which are borrowed meanwhile.
        unsafe {
            ffi::lua_pushlstring(self.state, bytes.as_ptr().cast(), bytes.len());
        }
    }

    /// Sets a field of the table on top to what `push` leaves, which is taken off: leaves nothing.
    /// Takes one slot, and those of `push`.
    unsafe fn field(&mut self, name: &[u8], push: impl FnOnce(&mut Self)) {
        // SAFETY: the caller left a slot free for the name, and those of `push` above it. That
        // leaves one value, so the table, which the caller has on top, is third from the top when
        // `lua_rawset` takes the two off. A name is a key that Lua takes.
        unsafe {
            self.string(name);
            push(self);
            ffi::lua_rawset(self.state, -3);
        }
    }

    /// A table with this one field. Takes two slots, and those of `push`.
    unsafe fn wrap(&mut self, name: &[u8], push: impl FnOnce(&mut Self)) {
        // SAFETY: the caller left a slot free for the table, and what `field` takes above it; the
        // table is on top when `field` sets it.
        unsafe {
            ffi::lua_createtable(self.state, 0, 1);
            self.field(name, push);
        }
    }

    /// Takes two slots.
    unsafe fn array(&mut self, len: usize) {
        // SAFETY: the caller left a slot free for the table and one for an element, which
        // `lua_rawseti` takes off; the table lies below it.
        unsafe {
            ffi::lua_createtable(self.state, c_len(len), 0);
            self.level += 1;
            for index in 1..=c_len(len) {
                self.value();
                ffi::lua_rawseti(self.state, -2, index.into());
            }
            self.level -= 1;
        }
    }

    /// Takes five slots.
    unsafe fn map(&mut self, pairs: usize) {
        // SAFETY: the caller left two slots free for `wrap` and three for what it wraps: the inner
        // table, a key and a value, which `pair` takes off with the table below them.
        unsafe {
            self.wrap(b"map", |reading| {
                ffi::lua_createtable(reading.state, 0, 0);
                reading.level += 1;
                for _ in 0..pairs {
                    reading.value();
                    reading.value();
                    reading.pair();
                }
                reading.level -= 1;
            });
        }
    }

    /// Takes five slots.
    unsafe fn set(&mut self, len: usize) {
        // SAFETY: the caller left two slots free for `wrap` and three for what it wraps: the inner
        // table, a member and `true`, which `pair` takes off with the table below them.
        unsafe {
            self.wrap(b"set", |reading| {
                ffi::lua_createtable(reading.state, 0, 0);
                reading.level += 1;
                for _ in 0..len {
                    reading.value();
                    ffi::lua_pushboolean(reading.state, 1);
                    reading.pair();
                }
                reading.level -= 1;
            });
        }
    }

    /// Sets a pair, which lies on top of its table, and takes it off. A nil, which is no key for
    /// Lua, is left out. Takes no slot, and leaves two less.
    unsafe fn pair(&mut self) {
        // SAFETY: the caller has a table, a key and a value on top, so that -2 and -3 are there and
        // -3 is a table. Nil is looked for; a number that is no number would be refused as a key
        // too, but doubles come as tables.
        unsafe {
            if ffi::lua_type(self.state, -2) == ffi::LUA_TNIL {
                ffi::lua_settop(self.state, -3);
            } else {
                ffi::lua_rawset(self.state, -3);
            }
        }
    }

    /// Takes five slots.
    unsafe fn verbatim(&mut self, len: usize) {
        let bytes = self.bytes(len);
        let (format, text) = bytes.split_at(bytes.len().min(3));
        let text = text.get(1..).unwrap_or_default();
        // SAFETY: the caller left two slots free for `wrap` and three for what it wraps: the inner
        // table, on which `field` takes one and a string one.
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
pub(super) fn c_len(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
