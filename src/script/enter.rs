//! The way into a script: `KEYS` and `ARGV` are set and its function is called, on Lua's own stack
//! and in one C function that is made once.
//!
//! The tables that are `KEYS` and `ARGV` serve again in the next run, as long as nobody can tell:
//! nothing that a script makes outlives it, save what hangs on one of them, so a table that lists
//! just the new words afterwards, and has no metatable, is as good as new. (Save one thing that Lua
//! leaves open: where a list with holes ends, after a run that had emptied the table, put other
//! keys into it and removed them.) Making two tables for each run, and collecting them, was a tenth
//! of what a short script took.

use std::cell::Cell;
use std::ffi::c_int;

use mlua::{Function, LightUserData, Lua, Table, Value, ffi};

use super::to_lua::{c_len, fill_list};
use crate::protocol::Args;

/// Upvalues of `enter`: the table in which scripts find their globals, what is called with what a
/// script raises, for each list its name and its table, and where plain scripts find these first.
const CONTENTS: c_int = 1;
const FINISH: c_int = 2;
const NAMES: [c_int; 2] = [3, 4];
const TABLES: [c_int; 2] = [5, 6];
const OPEN: c_int = 7;

/// Longest list whose table is used again: looking through a longer one takes as long as a new one.
const REUSED_LEN_MAX: usize = 4;
/// Runs that a table serves: room that a script made in it does not stay forever.
const USES_MAX: u8 = 100;

/// Runs scripts.
#[derive(Debug)]
pub(super) struct Enter {
    function: Function,
    lists: [Cell<Kept>; 2],
}

/// What is known of the table of a list.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// As many words were set in the last run.
    len: usize,
    /// Runs that it may still serve.
    uses_left: u8,
}

/// What scripts see of their request: `KEYS` and `ARGV`.
struct Words<'a> {
    lists: [Args<'a>; 2],
    kept: &'a [Cell<Kept>; 2],
}

impl Enter {
    /// `contents` is the table in which scripts find their globals, `open` the one in which plain
    /// ones find the lists first; `finish` is called with what a script raises and nothing in it
    /// catches.
    pub(super) fn new(
        lua: &Lua,
        contents: &Table,
        open: &Table,
        finish: &Function,
    ) -> mlua::Result<Self> {
        let upvalues = (contents, finish, "KEYS", "ARGV", false, false, open);
        // SAFETY: `exec_raw` puts the seven values on a stack of its own and catches errors;
        // `lua_pushcclosure` takes them off as upvalues and leaves the closure as the one result.
        // The block captures nothing.
        let function = unsafe {
            lua.exec_raw(upvalues, |state| {
                ffi::lua_pushcclosure(state, enter, 7);
            })?
        };
        let lists = Default::default();
        Ok(Self { function, lists })
    }

    /// Runs a script: whether it ended well, and what it returned or raised. An error of this
    /// itself is one of memory.
    pub(super) fn run(
        &self,
        script: &Function,
        keys: Args<'_>,
        arguments: Args<'_>,
    ) -> mlua::Result<(bool, Value)> {
        let words = Words {
            lists: [keys, arguments],
            kept: &self.lists,
        };
        let pointer = (&raw const words).cast_mut().cast();
        self.function.call((script, LightUserData(pointer)))
    }
}

/// The C function. Arguments: the script, and its [`Words`].
unsafe extern "C-unwind" fn enter(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `Enter::new` made this closure, and only `Enter::run` calls it, with these two
    // arguments, the second a pointer to `Words` that outlives the call. Lua grants a C function 20
    // slots beyond them; `set_list` leaves them as they were. Then come `finish` and the script:
    // `lua_pcall` takes the script off and leaves one value, over `finish` at 3. Nothing here has a
    // destructor, so Lua may leave by `longjmp`.
    unsafe {
        let words = &*ffi::lua_touserdata(state, 2).cast::<Words<'_>>();
        set_list(state, words, 0);
        set_list(state, words, 1);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(FINISH));
        ffi::lua_pushvalue(state, 1);
        let status = ffi::lua_pcall(state, 0, 1, 3);
        ffi::lua_pushboolean(state, (status == ffi::LUA_OK).into());
        ffi::lua_insert(state, -2);
    }
    2
}

/// Makes a list what scripts see under its name.
///
/// # Safety
/// `state` runs `enter`, with nothing on its stack but its two arguments.
unsafe fn set_list(state: *mut ffi::lua_State, words: &Words<'_>, list: usize) {
    let (name, table) = (
        ffi::lua_upvalueindex(NAMES[list]),
        ffi::lua_upvalueindex(TABLES[list]),
    );
    let (kept, words) = (&words.kept[list], words.lists[list]);
    let before = kept.get();
    let len = words.len();
    // SAFETY: the caller vouches for the upvalues, and for two values on the stack, so that more
    // than the five slots that are taken are free. With uses left there is a table in the upvalue.
    // It, or a new one, is the third value; what is above it is taken off, and it too at the end.
    // An upvalue is a place of a table or a value as good as any. Nothing here has a destructor.
    unsafe {
        if before.uses_left > 0 && room(before.len) == room(len) {
            ffi::lua_pushvalue(state, table);
            fill_list(state, words);
            for index in len + 1..=before.len {
                ffi::lua_pushnil(state);
                ffi::lua_rawseti(state, 3, c_len(index).into());
            }
            let is_plain = ffi::lua_getmetatable(state, 3) == 0 && is_list(state, len);
            ffi::lua_settop(state, 2);
            if is_plain {
                let uses_left = before.uses_left - 1;
                kept.set(Kept { len, uses_left });
                return;
            }
        }
        kept.set(Kept::default());
        ffi::lua_createtable(state, c_len(room(len)), 0);
        fill_list(state, words);
        for globals in [CONTENTS, OPEN] {
            ffi::lua_pushvalue(state, name);
            ffi::lua_pushvalue(state, 3);
            ffi::lua_rawset(state, ffi::lua_upvalueindex(globals));
        }
        ffi::lua_replace(state, table);
    }
    let uses_left = if len <= REUSED_LEN_MAX { USES_MAX } else { 0 };
    kept.set(Kept { len, uses_left });
}

/// Whether the table that is the third value, and the last, has `len` elements and nothing else, in
/// order.
///
/// # Safety
/// Two slots of the stack of `state` are free.
unsafe fn is_list(state: *mut ffi::lua_State, len: usize) -> bool {
    // SAFETY: `lua_next` takes the key at 4 off, which is nil or one that it found, and leaves the
    // next and its value, or nothing at the end. The value is taken off again.
    unsafe {
        ffi::lua_pushnil(state);
        for index in 1..=c_len(len) {
            if ffi::lua_next(state, 3) == 0
                || ffi::lua_type(state, 4) != ffi::LUA_TNUMBER
                || ffi::lua_tonumber(state, 4).to_bits() != f64::from(index).to_bits()
            {
                return false;
            }
            ffi::lua_settop(state, 4);
        }
        ffi::lua_next(state, 3) == 0
    }
}

/// Elements for which a list of so many has room. As in Redis, where lists grow as they are filled:
/// it shows in the length of one into which a script tears holes.
fn room(len: usize) -> usize {
    match len {
        0 => 0,
        len => len.next_power_of_two(),
    }
}
