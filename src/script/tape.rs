//! Values that natives read from a text, noted one behind the other and then made on Lua's stack in
//! one go.
//!
//! Whoever reads a text notes what it says, and owns what it likes meanwhile; what makes the values
//! of the notes may be left by `longjmp`, for want of memory or because the script must end.

use std::{ptr, slice};

use mlua::ffi::{self, lua_State};

use super::native::LOOK_AROUND;

/// Values that are made between two looks around.
const LOOK_VALUES: usize = 1_000;
/// Slots of the stack that one level takes: a table, a key and a value.
const LEVEL_SLOTS: i32 = 3;

/// A value, or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Note {
    Nil,
    /// What `cjson` has for null: a pointer to nothing.
    Null,
    Truth(bool),
    Integer(i64),
    Number(f64),
    Text(Text),
    /// So many elements follow.
    Array(usize),
    /// So many pairs follow. A key is neither nil nor NaN.
    Map(usize),
}

/// The bytes of a string: so many, from an index on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// As they stand in what is read.
    Read { start: usize, len: usize },
    /// Of those that were made.
    Made { start: usize, len: usize },
}

/// Notes of values, each with those that are in it behind it.
#[derive(Debug, Default)]
pub(super) struct Tape {
    notes: Vec<Note>,
    /// Bytes that stand in no text as they are.
    pub(super) made: Vec<u8>,
}

impl Tape {
    /// Begins with the next text.
    pub(super) fn clear(&mut self) {
        self.notes.clear();
        self.made.clear();
    }

    pub(super) fn push(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// How many notes there are, which is where the next one goes.
    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    pub(super) fn note_at(&self, index: usize) -> Option<Note> {
        self.notes.get(index).copied()
    }

    /// Puts what is known by now in the place of a note.
    pub(super) fn replace(&mut self, index: usize, note: Note) {
        self.notes[index] = note;
    }

    /// Bytes that the notes take.
    pub(super) fn held_bytes(&self) -> usize {
        self.notes.len() * size_of::<Note>() + self.made.len()
    }

    /// What it owns, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.notes.capacity() * size_of::<Note>() + self.made.capacity()
    }

    /// Leaves all values on the stack, those of a text that was `read`.
    ///
    /// # Safety
    /// `state` runs a C function that has nothing to drop, and whose upvalue `LOOK_AROUND` is a
    /// function without arguments, which is called now and then. Nobody changes this meanwhile.
    pub(super) unsafe fn make(&self, state: *mut lua_State, read: &[u8]) {
        let mut making = Making {
            notes: self.notes.iter(),
            read,
            made: &self.made,
            until_look: LOOK_VALUES,
        };
        while !making.notes.as_slice().is_empty() {
            // SAFETY: as the caller vouches.
            unsafe { making.value(state) };
        }
    }
}

/// Notes of which values are made.
struct Making<'a> {
    notes: slice::Iter<'a, Note>,
    read: &'a [u8],
    made: &'a [u8],
    until_look: usize,
}

impl Making<'_> {
    /// Leaves the next value on the stack.
    ///
    /// # Safety
    /// As of [`Tape::make`].
    unsafe fn value(&mut self, state: *mut lua_State) {
        // SAFETY: the slots are asked for first, and an error is raised where Lua does not grant
        // them. Lua copies the bytes of a string, which are borrowed meanwhile. Nothing here has a
        // destructor.
        unsafe {
            ffi::luaL_checkstack(state, LEVEL_SLOTS, c"too many nested values".as_ptr());
            self.until_look -= 1;
            if self.until_look == 0 {
                self.until_look = LOOK_VALUES;
                ffi::lua_pushvalue(state, ffi::lua_upvalueindex(LOOK_AROUND));
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
                        Text::Read { start, len } => &self.read[start..start + len],
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
