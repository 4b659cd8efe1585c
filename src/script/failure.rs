//! How natives fail: the value that Lua code gets to see of it.

use std::fmt;

use mlua::{Error, Lua, Value};

/// What a native raises. It travels through Lua as an opaque value; `plain` makes of it what a
/// script sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A string, with the position of its caller where Lua's own functions would give it.
    Text(Vec<u8>),
    /// A table with this line as its `err`.
    Line {
        /// The line, with its code.
        line: Vec<u8>,
        /// Whether the statistics have it already.
        is_counted: bool,
    },
    /// The script must end: nothing in it may catch this.
    Stop(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Line { line: text, .. } => {
                write!(f, "{}", String::from_utf8_lossy(text))
            }
            Self::Stop(line) => f.write_str(line),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::external(failure)
    }
}

/// An error line of a server's making, as a table.
pub(super) fn line(line: &str) -> Error {
    Failure::Line {
        line: line.as_bytes().to_vec(),
        is_counted: false,
    }
    .into()
}

/// A message that begins with where the native was called from, as `luaL_error` gives it.
pub(super) fn text(lua: &Lua, message: &str) -> Error {
    text_within(lua, 0, message)
}

/// The same, within so many calls that the native itself has made.
pub(super) fn text_within(lua: &Lua, inner_calls: usize, message: &str) -> Error {
    let mut text = position(lua, 1 + inner_calls);
    text.extend_from_slice(message.as_bytes());
    Failure::Text(text).into()
}

/// A message without a position.
pub(super) fn bare_text(message: &str) -> Error {
    Failure::Text(message.as_bytes().to_vec()).into()
}

/// What is wrong with an argument of the native that runs, as `luaL_argerror` says it.
pub(super) fn bad_argument(lua: &Lua, index: usize, problem: &str) -> Error {
    let names = |debug: &mlua::debug::Debug<'_>| {
        let names = debug.names();
        let is_method = names.name_what == Some("method");
        (names.name.map(std::borrow::Cow::into_owned), is_method)
    };
    let (name, is_method) = lua.inspect_stack(0, names).unwrap_or_default();
    let name = name.unwrap_or_else(|| "?".to_owned());
    let index = index - usize::from(is_method && index > 0);
    if is_method && index == 0 {
        return text(lua, &format!("calling '{name}' on bad self ({problem})"));
    }
    text(
        lua,
        &format!("bad argument #{index} to '{name}' ({problem})"),
    )
}

/// `source:line: ` of a level of the stack, or nothing where that is native.
fn position(lua: &Lua, level: usize) -> Vec<u8> {
    let place = |debug: &mlua::debug::Debug<'_>| {
        let line = debug.current_line()?;
        let source = debug.source().short_src?.into_owned();
        Some(format!("{source}:{line}: ").into_bytes())
    };
    lua.inspect_stack(level, place)
        .flatten()
        .unwrap_or_default()
}

/// The failure in an error of the binding, if a native of ours raised it.
pub(super) fn failure_in(error: &Error) -> Option<&Failure> {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => failure_in(cause),
        Error::ExternalError(error) => error.downcast_ref(),
        _ => None,
    }
}

/// The text of an error of the binding itself.
pub(super) fn text_of(error: &Error) -> Vec<u8> {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => text_of(cause),
        Error::RuntimeError(text) | Error::SyntaxError { message: text, .. } => {
            text.clone().into_bytes()
        }
        Error::MemoryError(_) => b"not enough memory".to_vec(),
        other => other.to_string().into_bytes(),
    }
}

/// What Lua code sees of a value that was raised: natives' failures as strings or tables, others
/// as they are.
pub(super) fn plain(lua: &Lua, raised: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &raised else {
        return Ok(raised);
    };
    let text = match failure_in(error) {
        Some(Failure::Line { line, is_counted }) => {
            return Ok(Value::Table(table_of(lua, line, *is_counted)?));
        }
        Some(Failure::Text(text)) => lua.create_string(text),
        Some(Failure::Stop(line)) => lua.create_string(line),
        None => lua.create_string(text_of(error)),
    };
    Ok(Value::String(text?))
}

/// An error as a table, as `redis.pcall` returns it.
pub(super) fn table_of(lua: &Lua, line: &[u8], is_counted: bool) -> mlua::Result<mlua::Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(line)?)?;
    if is_counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}
