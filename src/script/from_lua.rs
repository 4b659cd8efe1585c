//! Lua values as replies to the client.

use mlua::{Table, Value};

use super::number::to_integer;
use crate::protocol::{Reply, Resp, c_string};

/// Deepest nesting of tables that is written.
const DEPTH_MAX: usize = 1000;

/// Writes what a script returned; `resp` is the version that the script asked for, which decides
/// how truth values are shown.
pub(super) fn write(reply: &mut Reply, resp: Resp, value: &Value) -> mlua::Result<()> {
    write_nested(reply, resp, value, 0)
}

fn write_nested(reply: &mut Reply, resp: Resp, value: &Value, depth: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(integer) => reply.integer(*integer),
        Value::Number(number) => reply.integer(to_integer(*number)),
        Value::Boolean(truth) => match (resp, truth) {
            (Resp::V3, truth) => reply.boolean(*truth),
            (Resp::V2, true) => reply.integer(1),
            (Resp::V2, false) => reply.null(),
        },
        Value::Table(_) if depth >= DEPTH_MAX => reply.error(b"ERR reached lua stack limit"),
        Value::Table(table) => write_table(reply, resp, table, depth)?,
        _ => reply.null(),
    }
    Ok(())
}

fn write_table(reply: &mut Reply, resp: Resp, table: &Table, depth: usize) -> mlua::Result<()> {
    // What has a first element is nothing else, in all but made-up cases; those with both keep
    // the order of the checks.
    let field = |name: &str| table.raw_get::<Value>(name);
    if let Value::String(error) = field("err")? {
        reply.error(c_string(&error.as_bytes()));
        return Ok(());
    }
    if let Value::String(status) = field("ok")? {
        reply.simple_bytes(c_string(&status.as_bytes()));
        return Ok(());
    }
    match field("double")? {
        Value::Number(double) => {
            reply.double(double);
            return Ok(());
        }
        #[allow(clippy::cast_precision_loss, reason = "it was a double before")]
        Value::Integer(double) => {
            reply.double(double as f64);
            return Ok(());
        }
        _ => {}
    }
    if let Value::Table(map) = field("map")? {
        return write_map(reply, resp, &map, depth);
    }
    if let Value::Table(set) = field("set")? {
        return write_set(reply, resp, &set, depth);
    }
    if let Value::String(digits) = field("big_number")? {
        reply.big_number(&digits.as_bytes());
        return Ok(());
    }
    if let Value::Table(verbatim) = field("verbatim_string")?
        && let Value::String(text) = verbatim.raw_get("string")?
        && let Value::String(format) = verbatim.raw_get("format")?
    {
        let mut format = String::from_utf8_lossy(&format.as_bytes()).into_owned();
        format.retain(|letter| letter.is_ascii());
        format.truncate(3);
        reply.verbatim(&format!("{format:<3}"), &text.as_bytes());
        return Ok(());
    }
    write_array(reply, resp, table, depth)
}

fn write_array(reply: &mut Reply, resp: Resp, table: &Table, depth: usize) -> mlua::Result<()> {
    let later = reply.array_later();
    let mut len = 0;
    loop {
        let element: Value = table.raw_get(len + 1)?;
        if element.is_nil() {
            break;
        }
        write_nested(reply, resp, &element, depth + 1)?;
        len += 1;
    }
    reply.close_array(later, len);
    Ok(())
}

fn write_map(reply: &mut Reply, resp: Resp, map: &Table, depth: usize) -> mlua::Result<()> {
    let later = reply.array_later();
    let mut pairs = 0;
    for pair in map.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write_nested(reply, resp, &key, depth + 1)?;
        write_nested(reply, resp, &value, depth + 1)?;
        pairs += 1;
    }
    reply.close_map(later, pairs);
    Ok(())
}

fn write_set(reply: &mut Reply, resp: Resp, set: &Table, depth: usize) -> mlua::Result<()> {
    let later = reply.array_later();
    let mut len = 0;
    for pair in set.pairs::<Value, Value>() {
        let (key, _) = pair?;
        write_nested(reply, resp, &key, depth + 1)?;
        len += 1;
    }
    reply.close_set(later, len);
    Ok(())
}
