//! Functions of Lua's own libraries where the C code trusts its arguments too far: the same, with
//! these checked first.
//!
//! They run on Lua's own stack, as those that they stand for do: so errors name the same function
//! and line, and `unpack(ARGV)`, which nearly every script calls, costs what it did.

use std::ffi::c_int;

use mlua::{Lua, Table, ffi};

use super::to_lua::c_len;

/// What the sandbox puts in place of Lua's own.
pub(super) fn functions(lua: &Lua) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    // SAFETY: `unpack` asks nothing of its caller but that Lua calls it.
    functions.raw_set("unpack", unsafe { lua.create_c_function(unpack)? })?;
    Ok(functions)
}

/// The C function. Lua's own counts the elements in an `int`, which overflows.
unsafe extern "C-unwind" fn unpack(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as many slots as there are elements are asked for before the first is pushed, each
    // takes one, and the table stays below them. Nothing here has a destructor, so Lua may leave by
    // `longjmp`, as it does on wrong arguments.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let first = int_or(state, 2, 1);
        let last = int_or(state, 3, c_len(ffi::lua_objlen(state, 1)));
        if first > last {
            return 0;
        }
        let len = i64::from(last) - i64::from(first) + 1;
        let Some(len) = c_int::try_from(len)
            .ok()
            .filter(|&len| ffi::lua_checkstack(state, len) != 0)
        else {
            return ffi::luaL_error(state, c"too many results to unpack".as_ptr());
        };
        for index in first..=last {
            ffi::lua_rawgeti(state, 1, index.into());
        }
        len
    }
}

/// The argument at an index as the `int` that Lua's own functions make of it, or `default` where
/// nothing or nil stands.
///
/// # Safety
/// `state` runs a C function that has nothing to drop: what is no number is an error.
unsafe fn int_or(state: *mut ffi::lua_State, index: c_int, default: c_int) -> c_int {
    // SAFETY: the caller vouches that Lua may leave by `longjmp`; any index may be asked for.
    let integer = unsafe {
        if ffi::lua_isnoneornil(state, index) != 0 {
            return default;
        }
        ffi::luaL_checkinteger(state, index)
    };
    #[allow(clippy::cast_possible_truncation, reason = "as Lua cuts it")]
    let int = integer as c_int;
    int
}
