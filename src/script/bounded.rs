//! Functions of Lua's own libraries where the C code trusts its arguments too far: the same, with
//! these checked first.
//!
//! They run on Lua's own stack, as those that they stand for do: so errors name the same function
//! and line, and `unpack(ARGV)`, which nearly every script calls, costs what it did.

use std::ffi::c_int;
use std::ptr;
use std::rc::Rc;

use mlua::{Function, Lua, Table, ffi};

use super::native::text_at;
use super::pattern::{self, may_search_long, may_take_long};
use super::redis::Shared;
use super::to_lua::c_len;

/// Longest pattern that is not looked at, in bytes.
const PATTERN_BYTES_MAX: usize = 10_000;
/// Most repetitions in a longer one: each may take a level of the worker's stack, and some hundred
/// bytes of it.
const REPETITIONS_MAX: usize = 5_000;
/// Least index at which `table.insert` makes room: it walks down to there step by step.
const INSERT_AT_MIN: c_int = -1_000;

/// What the sandbox puts in place of Lua's own.
pub(super) fn functions(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    // SAFETY: `unpack` asks nothing of its caller but that Lua calls it.
    functions.raw_set("unpack", unsafe { lua.create_c_function(unpack)? })?;
    let (string, table): (Table, Table) =
        (lua.globals().get("string")?, lua.globals().get("table")?);
    let long = pattern::functions(lua, shared)?;
    let with_pattern: [(&str, ffi::lua_CFunction); 5] = [
        ("find", find),
        ("match", matched),
        ("gmatch", gmatch),
        ("gfind", gmatch),
        ("gsub", gsub),
    ];
    for (name, check) in with_pattern {
        let upvalues: (Function, Function) = (string.raw_get(name)?, long.raw_get(name)?);
        // SAFETY: as in `standing_for`, with the one that may take long as a second upvalue.
        let function: Function =
            unsafe { lua.exec_raw(upvalues, |state| ffi::lua_pushcclosure(state, check, 2))? };
        functions.raw_set(name, function)?;
    }
    functions.raw_set("rep", standing_for(lua, &string, "rep", rep)?)?;
    functions.raw_set("insert", standing_for(lua, &table, "insert", insert)?)?;
    let loadstring = standing_for(lua, &lua.globals(), "loadstring", loadstring)?;
    functions.raw_set("loadstring", loadstring)?;
    Ok(functions)
}

/// A closure of `check`, which looks at its arguments and leaves them to Lua's own function.
fn standing_for(
    lua: &Lua,
    library: &Table,
    name: &str,
    check: ffi::lua_CFunction,
) -> mlua::Result<Function> {
    let own: Function = library.raw_get(name)?;
    // SAFETY: `exec_raw` puts Lua's own function on a stack of its own and catches errors;
    // `lua_pushcclosure` takes it off as the upvalue in which `leave_to_own` looks for it, and
    // leaves the closure as the one result. The block captures what has no destructor.
    unsafe { lua.exec_raw(own, |state| ffi::lua_pushcclosure(state, check, 1)) }
}

/// Goes on as the function that the running one stands for, in the same frame.
///
/// # Safety
/// `state` runs a closure whose first upvalue is that function; it returns what this returns, and has
/// nothing to drop; its stack holds its arguments. None of the functions that are stood for has upvalues.
pub(super) unsafe fn leave_to_own(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the caller vouches for the upvalue, and for the stack being as Lua made it.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(own) => own(state),
            None => 0,
        }
    }
}

// Those that match a pattern are closures with a second upvalue, which takes the same arguments
// where Lua's own may take long. Nothing in them has a destructor, so Lua may leave by `longjmp`.

/// `string.find`, which may be told to take what it looks for as it is.
unsafe extern "C-unwind" fn find(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above; any argument may be asked for.
    unsafe {
        if ffi::lua_toboolean(state, 4) == 0 {
            return matched(state);
        }
        if is_number_or_none(state, 3)
            && let (Some(subject), Some(wanted)) = (string_at(state, 1), string_at(state, 2))
            && may_search_long(subject.len(), wanted)
        {
            return go_on_at_a_pace(state);
        }
        leave_to_own(state)
    }
}

/// `string.match`.
unsafe extern "C-unwind" fn matched(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above.
    unsafe { with_pattern(state, is_number_or_none(state, 3)) }
}

/// `string.gmatch`.
unsafe extern "C-unwind" fn gmatch(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above.
    unsafe { with_pattern(state, true) }
}

/// `string.gsub`.
unsafe extern "C-unwind" fn gsub(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as said above; any argument may be asked for its type.
    unsafe {
        let replaces = matches!(
            ffi::lua_type(state, 3),
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER | ffi::LUA_TTABLE | ffi::LUA_TFUNCTION
        );
        with_pattern(state, replaces && is_number_or_none(state, 4))
    }
}

/// Goes on as Lua's own if that does not take long, or refuses an argument. It matches by recursion,
/// as deep as the pattern has repetitions, and nothing interrupts it.
///
/// # Safety
/// `state` runs one of the above; `is_sound` says whether what comes behind the pattern is of the
/// right kind.
unsafe fn with_pattern(state: *mut ffi::lua_State, is_sound: bool) -> c_int {
    // SAFETY: what follows may be asked of any arguments, and the caller vouches for the rest.
    unsafe {
        let Some(pattern) = string_at(state, 2) else {
            return leave_to_own(state);
        };
        if is_too_deep(pattern) {
            return ffi::luaL_error(state, c"pattern too complex".as_ptr());
        }
        if is_sound
            && let Some(subject) = string_at(state, 1)
            && may_take_long(subject.len(), pattern)
        {
            return go_on_at_a_pace(state);
        }
        leave_to_own(state)
    }
}

/// Calls the second upvalue with all arguments, and returns what it does.
///
/// # Safety
/// As of `with_pattern`.
unsafe fn go_on_at_a_pace(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the upvalue takes a slot below the arguments; it is called with all of them and
    // leaves its results only.
    unsafe {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET);
        ffi::lua_gettop(state)
    }
}

/// An argument that is a string, not one that would be made of a number.
///
/// # Safety
/// It is left on the stack for as long as the bytes are used.
unsafe fn string_at<'s>(state: *mut ffi::lua_State, index: c_int) -> Option<&'s [u8]> {
    // SAFETY: only what is a string is asked for its bytes, which stay where they are while it is
    // on the stack.
    unsafe {
        let is_string = ffi::lua_type(state, index) == ffi::LUA_TSTRING;
        is_string.then(|| text_at(state, index))
    }
}

fn is_too_deep(pattern: &[u8]) -> bool {
    let is_repetition = |byte: &&u8| matches!(**byte, b'?' | b'*' | b'+' | b'-');
    pattern.len() > PATTERN_BYTES_MAX
        && pattern.iter().filter(is_repetition).count() > REPETITIONS_MAX
}

/// Whether an argument is one that Lua's own takes for a number, or left out.
///
/// # Safety
/// As of `with_pattern`.
unsafe fn is_number_or_none(state: *mut ffi::lua_State, index: c_int) -> bool {
    // SAFETY: any argument may be asked for.
    unsafe { ffi::lua_isnoneornil(state, index) != 0 || ffi::lua_isnumber(state, index) != 0 }
}

/// `string.rep`: of nothing it is nothing, however often Lua's own would add it.
unsafe extern "C-unwind" fn rep(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: a string may be asked for its length, and may be left as the only value and result.
    // `standing_for` made this closure, and nothing here has a destructor.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TSTRING
            && ffi::lua_objlen(state, 1) == 0
            && ffi::lua_isnumber(state, 2) != 0
        {
            ffi::lua_settop(state, 1);
            return 1;
        }
        leave_to_own(state)
    }
}

/// `table.insert`: not at an index so far below the first that getting there takes minutes.
unsafe extern "C-unwind" fn insert(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: what is a number may be asked for its value. `standing_for` made this closure, and
    // nothing here has a destructor.
    unsafe {
        if ffi::lua_gettop(state) == 3
            && ffi::lua_isnumber(state, 2) != 0
            && int_or(state, 2, 1) < INSERT_AT_MIN
        {
            return ffi::luaL_argerror(state, 2, c"position out of bounds".as_ptr());
        }
        leave_to_own(state)
    }
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

/// `loadstring`, of source only: Lua does not check compiled code. With a blank before it that is
/// source like any, and nonsense.
unsafe extern "C-unwind" fn loadstring(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: a string may be asked for its bytes, of which there is one more than it says. The
    // values pushed are within the slots that Lua grants, and are taken off again. `standing_for`
    // made this closure, and nothing here has a destructor.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TSTRING
            && *ffi::lua_tolstring(state, 1, ptr::null_mut()) == ffi::LUA_SIGNATURE[0].cast_signed()
        {
            ffi::lua_settop(state, 2);
            if ffi::lua_type(state, 2) == ffi::LUA_TNIL {
                ffi::lua_pushvalue(state, 1);
                ffi::lua_replace(state, 2);
            }
            ffi::lua_pushlstring(state, c" ".as_ptr(), 1);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_concat(state, 2);
            ffi::lua_replace(state, 1);
        }
        leave_to_own(state)
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
