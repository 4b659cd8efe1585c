//! Tables of scripts, as natives that write them walk through them on Lua's stack.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::native::Broken;
use super::pace::Pace;

/// Slots of the stack that a table takes that is written: a key and its value, which may be the
/// next table.
pub(super) const LEVEL_SLOTS: c_int = 2;

/// The indexes of a table that has no other keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes {
    /// How many there are.
    pub(super) items: usize,
    pub(super) highest: usize,
}

/// The indexes of a table, from 1 to `index_max`; none if it has any other key.
///
/// # Safety
/// There is a table at the place `table`, counted from the first, and `LEVEL_SLOTS` are free.
pub(super) unsafe fn indexes(
    state: *mut lua_State,
    table: c_int,
    pace: &mut Pace<'_>,
    index_max: i64,
) -> Result<Option<Indexes>, Broken> {
    let mut indexes = Indexes::default();
    let mut is_array = true;
    // SAFETY: the caller vouches for what `for_each` asks; of what it finds only the key is asked for
    // its kind and value.
    unsafe {
        for_each(state, table, || {
            let index = index_at(state, -2).filter(|index| (1..=index_max).contains(index));
            let Some(index) = index else {
                is_array = false;
                return Ok(false);
            };
            indexes.items += 1;
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            indexes.highest = indexes.highest.max(index);
            pace.step(0)?;
            Ok(true)
        })?;
    }
    Ok(is_array.then_some(indexes))
}

/// The number at a place, if it is a whole one.
///
/// # Safety
/// There is a value.
unsafe fn index_at(state: *mut lua_State, place: c_int) -> Option<i64> {
    // SAFETY: any value may be asked for its type, and a number for its value.
    unsafe {
        if ffi::lua_type(state, place) == ffi::LUA_TNUMBER {
            whole(ffi::lua_tonumber(state, place))
        } else {
            None
        }
    }
}

/// A number as an integer, if it is exactly that.
pub(super) fn whole(number: f64) -> Option<i64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "whether it is the same is the question"
    )]
    let integer = Some(number as i64).filter(|&integer| integer as f64 == number);
    // What is cut to the end of the range is as large as a number that is not in it.
    integer.filter(|&integer| integer != i64::MAX)
}

/// Goes through the pairs of a table, without its metatable, as long as `visit` says so. It finds
/// the key and the value on top of the stack, and leaves them there; nothing is left at the end, but
/// where it fails.
///
/// # Safety
/// As of [`indexes`]. `visit` changes neither key nor table.
pub(super) unsafe fn for_each(
    state: *mut lua_State,
    table: c_int,
    mut visit: impl FnMut() -> Result<bool, Broken>,
) -> Result<(), Broken> {
    // SAFETY: `lua_next` takes a key off, which is nil or one that it found, and leaves the next and
    // its value, or nothing at the end. So it cannot raise, as the table stays as it is.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, table) != 0 {
            if !visit()? {
                ffi::lua_settop(state, -3);
                return Ok(());
            }
            ffi::lua_settop(state, -2);
        }
    }
    Ok(())
}
