//! The way into a script: `KEYS` and `ARGV` are set and its function is called, on Lua's own stack
//! and in one C function that is made once.

use std::ffi::c_int;

use mlua::{Function, LightUserData, Lua, Table, Value, ffi};

use super::to_lua;
use crate::protocol::Args;

/// Runs scripts.
#[derive(Debug)]
pub(super) struct Enter(Function);

/// What scripts see of their request.
struct Words<'a> {
    keys: Args<'a>,
    arguments: Args<'a>,
}

impl Enter {
    /// `contents` is the table in which scripts find their globals; `finish` is called with what
    /// a script raises and nothing in it catches.
    pub(super) fn new(lua: &Lua, contents: &Table, finish: &Function) -> mlua::Result<Self> {
        // SAFETY: `exec_raw` puts the four values on a stack of its own and catches errors;
        // `lua_pushcclosure` takes them off as upvalues and leaves the closure as the one result.
        // The block captures nothing.
        let enter = unsafe {
            lua.exec_raw((contents, finish, "KEYS", "ARGV"), |state| {
                ffi::lua_pushcclosure(state, enter, 4);
            })
        };
        enter.map(Self)
    }

    /// Runs a script: whether it ended well, and what it returned or raised. An error of this
    /// itself is one of memory.
    pub(super) fn run(
        &self,
        script: &Function,
        keys: Args<'_>,
        arguments: Args<'_>,
    ) -> mlua::Result<(bool, Value)> {
        let words = Words { keys, arguments };
        let pointer = (&raw const words).cast_mut().cast();
        self.0.call((script, LightUserData(pointer)))
    }
}

/// The C function. Upvalues: those of [`Enter::new`]. Arguments: the script, and its [`Words`].
unsafe extern "C-unwind" fn enter(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `Enter::new` made this closure, with these upvalues, and only `Enter::run` calls it,
    // with these two arguments, the second a pointer to `Words` that outlives the call. Lua grants
    // a C function 20 slots beyond them: a name and two for a list, then `finish` and the script.
    // `lua_rawset` takes a name and its list off, and an upvalue is a place of a table as good as
    // any. `lua_pcall` takes the script off and leaves one value, over `finish` at 3. Nothing here
    // has a destructor, so Lua may leave by `longjmp`.
    unsafe {
        let words = ffi::lua_touserdata(state, 2).cast::<Words<'_>>();
        for (name, list) in [(3, (*words).keys), (4, (*words).arguments)] {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(name));
            to_lua::push_list(state, list);
            ffi::lua_rawset(state, ffi::lua_upvalueindex(1));
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        ffi::lua_pushvalue(state, 1);
        let status = ffi::lua_pcall(state, 0, 1, 3);
        ffi::lua_pushboolean(state, (status == ffi::LUA_OK).into());
        ffi::lua_insert(state, -2);
    }
    2
}
