//! Lua's own functions that look into tables without asking their metatables, so that they see what
//! sealed tables hold, and change none.
//!
//! A sealed table is empty and known to the sandbox by itself, as a key of a table that holds its
//! contents. As in `bounded`, the functions run in the frame of those that they stand for.

use std::ffi::c_int;

use mlua::{Function, Lua, Table, ffi};

use super::bounded::leave_to_own;

/// Upvalues beside Lua's own function: the contents of sealed tables by these, and by them too what
/// `pairs` walks with or `getmetatable` tells.
const CONTENTS: c_int = 2;
const OTHER: c_int = 3;

const READONLY: &std::ffi::CStr = c"Attempt to modify a readonly table";

/// What the sandbox puts in place of Lua's own, with the tables in which it notes what it seals.
pub(super) fn functions(lua: &Lua) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    let (contents, metatables) = (lua.create_table()?, lua.create_table()?);
    let globals = lua.globals();
    let table: Table = globals.get("table")?;
    let put = |library: &Table, name: &str, function, other: &Table| {
        let own: Function = library.raw_get(name)?;
        functions.raw_set(name, closure(lua, (own, &contents, other), function)?)
    };
    put(&globals, "next", see_through, &contents)?;
    put(&globals, "rawget", see_through, &contents)?;
    put(&globals, "rawset", rawset, &contents)?;
    put(&globals, "getmetatable", getmetatable, &metatables)?;
    put(&globals, "setmetatable", setmetatable, &contents)?;
    put(&table, "foreach", see_through, &contents)?;
    let (next, ours): (Function, Function) = (globals.get("next")?, functions.raw_get("next")?);
    functions.raw_set("pairs", closure(lua, (next, &contents, ours), pairs)?)?;
    functions.raw_set("contents_of", contents)?;
    functions.raw_set("metatable_of", metatables)?;
    Ok(functions)
}

fn closure(
    lua: &Lua,
    upvalues: impl mlua::IntoLuaMulti,
    function: ffi::lua_CFunction,
) -> mlua::Result<Function> {
    // SAFETY: `exec_raw` puts the three upvalues on a stack of its own and catches errors;
    // `lua_pushcclosure` takes them off and leaves the closure as the one result. The block
    // captures what has no destructor.
    unsafe { lua.exec_raw(upvalues, |state| ffi::lua_pushcclosure(state, function, 3)) }
}

/// Pushes what the table in an upvalue has under the first argument; whether that is anything.
/// Pushes nothing otherwise.
///
/// # Safety
/// `state` runs a function that `closure` made, and a slot of its stack is free.
unsafe fn push_noted(state: *mut ffi::lua_State, upvalue: c_int) -> bool {
    // SAFETY: the caller vouches for the upvalue, a table, and for the slot, which the key takes and
    // then what is found. A table that is a key of another may be asked for without raising.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            return false;
        }
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawget(state, ffi::lua_upvalueindex(upvalue));
        let is_noted = ffi::lua_type(state, -1) != ffi::LUA_TNIL;
        if !is_noted {
            ffi::lua_settop(state, -2);
        }
        is_noted
    }
}

// The C functions below are closures that `closure` made, with no more on their stack than their
// arguments, to which Lua grants 20 slots more: so they may push a few values, ask for any argument,
// and go on as Lua's own. Nothing in them has a destructor, so Lua may leave by `longjmp`.

/// What sees the contents in place of the table, and hands out nothing but what is in them.
unsafe extern "C-unwind" fn see_through(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above; the contents take the place of the first argument.
    unsafe {
        if push_noted(state, CONTENTS) {
            ffi::lua_replace(state, 1);
        }
        leave_to_own(state)
    }
}

/// `pairs`: a sealed table is handed on as it is, to a `next` that sees through it.
unsafe extern "C-unwind" fn pairs(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let next = if push_noted(state, CONTENTS) {
            OTHER
        } else {
            1
        };
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(next));
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushnil(state);
    }
    3
}

unsafe extern "C-unwind" fn rawset(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above. Lua's own refuses fewer arguments.
    unsafe {
        if ffi::lua_gettop(state) >= 3 && push_noted(state, CONTENTS) {
            return refuse(state);
        }
        leave_to_own(state)
    }
}

unsafe extern "C-unwind" fn getmetatable(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above. What is sealed has a metatable that nobody is told of.
    unsafe {
        if push_noted(state, OTHER) {
            return 1;
        }
        if push_noted(state, CONTENTS) {
            ffi::lua_pushnil(state);
            return 1;
        }
        leave_to_own(state)
    }
}

unsafe extern "C-unwind" fn setmetatable(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above. Lua's own refuses what is neither nil nor a table.
    unsafe {
        let kind = ffi::lua_type(state, 2);
        if matches!(kind, ffi::LUA_TNIL | ffi::LUA_TTABLE) && push_noted(state, CONTENTS) {
            return refuse(state);
        }
        leave_to_own(state)
    }
}

/// Raises what Redis does where a script would change a table that it must not.
///
/// # Safety
/// As of the functions above.
unsafe fn refuse(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above; the message is a C string that Lua copies.
    unsafe {
        ffi::lua_pushstring(state, READONLY.as_ptr());
        ffi::lua_error(state)
    }
}
