//! Values that natives read from a text, noted one behind the other and then made on Lua's stack in
//! one go.
//!
//! A value that is made through the binding takes a call that catches errors, and a place among
//! what Rust holds of Lua; a text of some tables has dozens. So whoever reads a text notes what it
//! says, and errors are its own to raise; what makes the values of the notes cannot fail but for
//! want of memory, or because the script must end.

use std::{ptr, slice};

use mlua::ffi::{self, lua_State};
use mlua::{FromLuaMulti, Function, Lua};

/// Values that are made between two looks around.
const LOOK_VALUES: usize = 1_000;
/// Slots of the stack that one level takes: a table, a key and a value.
const LEVEL_SLOTS: i32 = 3;

/// A value, or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Note<'t> {
    Nil,
    /// What `cjson` has for null: a pointer to nothing.
    Null,
    Truth(bool),
    Integer(i64),
    Number(f64),
    Text(Text<'t>),
    /// So many elements follow.
    Array(usize),
    /// So many pairs follow. A key is neither nil nor NaN.
    Map(usize),
}

/// The bytes of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text<'t> {
    /// As they stand in what is read.
    Read(&'t [u8]),
    /// So many of those that were made, from an index on.
    Made { start: usize, len: usize },
}

/// Notes of values, each with those that are in it behind it.
#[derive(Debug, Default)]
pub(super) struct Tape<'t> {
    notes: Vec<Note<'t>>,
    /// Bytes that stand in no text as they are.
    pub(super) made: Vec<u8>,
}

impl<'t> Tape<'t> {
    pub(super) fn push(&mut self, note: Note<'t>) {
        self.notes.push(note);
    }

    /// How many notes there are, which is where the next one goes.
    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    pub(super) fn note_at(&self, index: usize) -> Option<Note<'t>> {
        self.notes.get(index).copied()
    }

    /// Puts what is known by now in the place of a note.
    pub(super) fn replace(&mut self, index: usize, note: Note<'t>) {
        self.notes[index] = note;
    }

    /// Bytes that the notes take.
    pub(super) fn held_bytes(&self) -> usize {
        self.notes.len() * size_of::<Note<'_>>() + self.made.len()
    }

    /// Makes all values. `look_around`, without arguments, is called now and then.
    pub(super) fn make<R: FromLuaMulti>(
        &self,
        lua: &Lua,
        look_around: &Function,
    ) -> mlua::Result<R> {
        let mut making = Making {
            notes: self.notes.iter(),
            made: &self.made,
            until_look: LOOK_VALUES,
        };
        // SAFETY: `exec_raw` runs the block as a C function, whose stack has the function at its first
        // place only, and catches what Lua raises there. Nothing that is alive in it has a
        // destructor. The function is taken off, the values are left.
        unsafe {
            lua.exec_raw(look_around, |state| {
                while !making.notes.as_slice().is_empty() {
                    making.value(state);
                }
                ffi::lua_remove(state, 1);
            })
        }
    }
}

/// Notes of which values are made.
struct Making<'a, 't> {
    notes: slice::Iter<'a, Note<'t>>,
    made: &'a [u8],
    until_look: usize,
}

impl Making<'_, '_> {
    /// Leaves the next value on the stack.
    ///
    /// # Safety
    /// `state` runs a C function that may be left by `longjmp` and has a function without arguments
    /// at its first place.
    unsafe fn value(&mut self, state: *mut lua_State) {
        // SAFETY: the slots are asked for first, and an error is raised where Lua does not grant
        // them. Lua copies the bytes of a string, which are borrowed meanwhile. Nothing here has a
        // destructor.
        unsafe {
            ffi::luaL_checkstack(state, LEVEL_SLOTS, c"too many nested values".as_ptr());
            self.until_look -= 1;
            if self.until_look == 0 {
                self.until_look = LOOK_VALUES;
                ffi::lua_pushvalue(state, 1);
                ffi::lua_call(state, 0, 0);
            }
            match self.notes.next() {
                None | Some(Note::Nil) => ffi::lua_pushnil(state),
                Some(Note::Null) => ffi::lua_pushlightuserdata(state, ptr::null_mut()),
                Some(Note::Truth(truth)) => ffi::lua_pushboolean(state, (*truth).into()),
                Some(Note::Integer(integer)) => {
                    ffi::lua_pushinteger(state, *integer as ffi::lua_Integer);
                }
                Some(Note::Number(number)) => ffi::lua_pushnumber(state, *number),
                Some(Note::Text(text)) => {
                    let bytes = match *text {
                        Text::Read(bytes) => bytes,
                        Text::Made { start, len } => &self.made[start..start + len],
                    };
                    ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
                }
                Some(Note::Array(len)) => self.array(state, *len),
                Some(Note::Map(pairs)) => self.map(state, *pairs),
            }
        }
    }

    /// Leaves a table of the next values on the stack.
    ///
    /// # Safety
    /// As of `value`, and three slots are free.
    unsafe fn array(&mut self, state: *mut lua_State, len: usize) {
        // SAFETY: as of `value`. Each value is above the table as it is taken off. Tables grow as
        // they are filled, as elsewhere: that is the order in which scripts walk through them.
        unsafe {
            ffi::lua_createtable(state, 0, 0);
            for index in (1..).take(len) {
                self.value(state);
                ffi::lua_rawseti(state, -2, index);
            }
        }
    }

    /// Leaves a table of the next pairs on the stack.
    ///
    /// # Safety
    /// As of `array`.
    unsafe fn map(&mut self, state: *mut lua_State, pairs: usize) {
        // SAFETY: as of `array`. A key that Lua does not take is an error.
        unsafe {
            ffi::lua_createtable(state, 0, 0);
            for _ in 0..pairs {
                self.value(state);
                self.value(state);
                ffi::lua_rawset(state, -3);
            }
        }
    }
}
