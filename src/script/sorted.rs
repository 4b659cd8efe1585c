//! `table.sort` of many elements without a function of the script's: the same order, at a pace.
//!
//! Lua's own compares in C, where nothing interrupts it, and takes as many steps as the square of the
//! elements where these lie as badly as they can. With a function it calls that for each comparison:
//! this is one which looks around now and then.

use std::ffi::c_int;
use std::rc::Rc;

use mlua::{Function, Lua, Table, ffi};

use super::bounded::leave_to_own;
use super::redis::{self, Shared};

/// Most elements that Lua's own compares by itself: the worst order of so many takes some tens of
/// milliseconds.
const LEN_MAX: usize = 2_000;
/// Comparisons between two looks around.
const LOOK_COMPARISONS: ffi::lua_Integer = 1_000;

/// What the sandbox puts in place of Lua's own.
pub(super) fn function(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Function> {
    let look_around = redis::look_around(lua, shared)?;
    let own: Function = lua.globals().get::<Table>("table")?.raw_get("sort")?;
    // SAFETY: `exec_raw` puts both on a stack of its own and catches errors. One closure takes a
    // number and the function above it as its upvalues, the other Lua's own and that closure, which
    // is left as the one result. Nothing in the block has a destructor.
    unsafe {
        lua.exec_raw((own, 0, look_around), |state| {
            ffi::lua_pushcclosure(state, comes_before, 2);
            ffi::lua_pushcclosure(state, sort, 2);
        })
    }
}

/// `table.sort`: hands Lua's own a function where the script has none.
unsafe extern "C-unwind" fn sort(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: any argument may be asked for its type, and a table for its length. `function` made
    // this closure with Lua's own first, and nothing here has a destructor.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TTABLE
            && ffi::lua_isnoneornil(state, 2) != 0
            && ffi::lua_objlen(state, 1) > LEN_MAX
        {
            ffi::lua_settop(state, 1);
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        }
        leave_to_own(state)
    }
}

/// Whether the first argument is less than the second. It counts its calls.
unsafe extern "C-unwind" fn comes_before(state: *mut ffi::lua_State) -> c_int {
    let (count_index, look_around_index) = (ffi::lua_upvalueindex(1), ffi::lua_upvalueindex(2));
    // SAFETY: `sort` calls it with two arguments; the first upvalue is a number and stays one, the
    // second a function without arguments. What is pushed is within the slots that Lua grants.
    // Nothing here has a destructor, so Lua may leave by `longjmp` where they cannot be compared.
    unsafe {
        let count = ffi::lua_tointeger(state, count_index) + 1;
        ffi::lua_pushinteger(state, count % LOOK_COMPARISONS);
        ffi::lua_replace(state, count_index);
        if count == LOOK_COMPARISONS {
            ffi::lua_pushvalue(state, look_around_index);
            ffi::lua_call(state, 0, 0);
        }
        ffi::lua_pushboolean(state, ffi::lua_lessthan(state, 1, 2));
        1
    }
}
