//! Tables of scripts, as natives that write them walk through them.

use mlua::{Error, Table, Value};

use super::pace::Pace;

/// Tables within each other that are walked through in one call each, which is a call of C's within
/// the one around it: Lua has 200 of these at most.
const INNER_CALLS_MAX: u32 = 50;

/// The indexes of a table that has no other keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes {
    /// How many there are.
    pub(super) items: usize,
    pub(super) highest: usize,
}

/// The indexes of a table, from 1 to `index_max`; none if it has any other key.
pub(super) fn indexes(
    table: &Table,
    pace: &mut Pace<'_>,
    index_max: i64,
) -> mlua::Result<Option<Indexes>> {
    let mut indexes = Indexes::default();
    let mut is_array = true;
    // An error ends the walk early.
    let walked = table.for_each(|key: Value, _: bool| match key {
        Value::Integer(index) if (1..=index_max).contains(&index) => {
            indexes.items += 1;
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            indexes.highest = indexes.highest.max(index);
            pace.step(0)
        }
        _ => {
            is_array = false;
            Err(Error::StackError)
        }
    });
    if !is_array {
        return Ok(None);
    }
    walked.map(|()| Some(indexes))
}

/// Whether a table in so many others may be walked through in one call.
pub(super) fn may_be_inner(depth: u32) -> bool {
    depth < INNER_CALLS_MAX
}

/// Goes through the pairs of a table, without its metatable: in one call around all, which is
/// faster, or in one for each.
pub(super) fn for_each_pair(
    table: &Table,
    is_inner: bool,
    mut visit: impl FnMut(&Value, &Value) -> mlua::Result<()>,
) -> mlua::Result<()> {
    if is_inner {
        return table.for_each(|key: Value, value: Value| visit(&key, &value));
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        visit(&key, &value)?;
    }
    Ok(())
}
