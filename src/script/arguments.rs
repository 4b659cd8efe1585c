//! Arguments of natives, checked and converted as Lua's own functions do, with their messages.

use mlua::{Lua, Value};

use super::failure::bad_argument;
use super::number::{to_integer, write_general};

/// The name that messages give to what stands at an index, counted from 1.
pub(super) fn type_at(args: &[Value], index: usize) -> &'static str {
    match args.get(index - 1) {
        None => "no value",
        Some(value) => type_of(value),
    }
}

/// The name of a value's type as Lua gives it.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}

fn wrong_type(lua: &Lua, args: &[Value], index: usize, expected: &str) -> mlua::Error {
    let got = type_at(args, index);
    bad_argument(lua, index, &format!("{expected} expected, got {got}"))
}

/// A number, or a string that reads as one.
pub(super) fn as_number(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        #[allow(clippy::cast_precision_loss, reason = "it was a double before")]
        Value::Integer(integer) => Some(*integer as f64),
        Value::Number(number) => Some(*number),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}

/// The number at an index.
pub(super) fn number(lua: &Lua, args: &[Value], index: usize) -> mlua::Result<f64> {
    let value = args.get(index - 1).and_then(|value| as_number(lua, value));
    value.ok_or_else(|| wrong_type(lua, args, index, "number"))
}

/// The number at an index, cut to an integer.
pub(super) fn integer(lua: &Lua, args: &[Value], index: usize) -> mlua::Result<i64> {
    number(lua, args, index).map(to_integer)
}

/// The same, or `default` where nothing or nil stands.
pub(super) fn integer_or(
    lua: &Lua,
    args: &[Value],
    index: usize,
    default: i64,
) -> mlua::Result<i64> {
    match args.get(index - 1) {
        None | Some(Value::Nil) => Ok(default),
        Some(_) => integer(lua, args, index),
    }
}

/// The bytes of a string, or of a number as Lua prints it.
pub(super) fn as_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(string) => Some(string.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => {
            let mut text = Vec::new();
            write_general(&mut text, as_f64(value), 14);
            Some(text)
        }
        _ => None,
    }
}

/// The string at an index.
pub(super) fn bytes(lua: &Lua, args: &[Value], index: usize) -> mlua::Result<Vec<u8>> {
    let value = args.get(index - 1).and_then(as_bytes);
    value.ok_or_else(|| wrong_type(lua, args, index, "string"))
}

/// The value of a number, 0 of anything else.
pub(super) fn as_f64(value: &Value) -> f64 {
    match value {
        #[allow(clippy::cast_precision_loss, reason = "it was a double before")]
        Value::Integer(integer) => *integer as f64,
        Value::Number(number) => *number,
        _ => 0.0,
    }
}

/// Whether Lua takes a value for true.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    !matches!(value, None | Some(Value::Nil | Value::Boolean(false)))
}
