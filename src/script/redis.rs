//! The `redis` table: commands, replies, and what scripts ask about their server.

#![allow(
    clippy::needless_pass_by_value,
    reason = "natives are handed their arguments"
)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Function, Lua, Table, Value, Variadic};

use super::arguments::{as_bytes, as_number, integer};
use super::call::{self, Calls, NO_ARGUMENT, WRONG_ARGUMENT, push_number};
use super::failure::{self, Failure, line};
use super::host::{Verdict, with_host};
use super::interpreter::Failed;
use super::native::Work;
use super::number::to_integer;
use crate::protocol::{OwnedArgs, Resp, c_string};

/// The version of Redis whose scripting this is, as scripts see it.
const VERSION: &str = "7.2.9";
const VERSION_NUMBER: u32 = 0x0007_0209;

/// What the natives of one interpreter share.
#[derive(Debug)]
pub(super) struct Shared {
    /// What calls of commands share.
    pub(super) calls: Rc<Calls>,
    /// The most memory that Lua code may hold, in bytes, and the most that natives may build for it.
    pub(super) memory_bytes_max: usize,
    /// What natives that read or write whole texts work in.
    pub(super) work: RefCell<Work>,
    /// The line with which the script must end, once it must.
    pub(super) stopped: Cell<Option<&'static str>>,
    /// How the script ended, if not well.
    pub(super) failed: RefCell<Option<Failed>>,
}

impl Shared {
    pub(super) fn new(memory_bytes_max: usize) -> Rc<Self> {
        Rc::new(Self {
            calls: Rc::new(Calls::new()),
            memory_bytes_max,
            work: RefCell::default(),
            stopped: Cell::new(None),
            failed: RefCell::default(),
        })
    }

    /// Has others served beside the script, if it is time for that; an error where it must end.
    pub(super) fn look_around(&self) -> mlua::Result<()> {
        match with_host(|host| host.look_around()) {
            None | Some(Verdict::GoOn) => Ok(()),
            Some(Verdict::Stop(line)) => {
                self.stopped.set(Some(line));
                Err(Failure::Stop(line).into())
            }
        }
    }
}

/// [`Shared::look_around`], for natives that work on Lua's stack.
pub(super) fn look_around(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Function> {
    let ours = Rc::clone(shared);
    lua.create_function(move |_, ()| ours.look_around())
}

/// The table, as scripts see it.
pub(super) fn library(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    redis.raw_set("call", call::function(lua, &shared.calls, true)?)?;
    redis.raw_set("pcall", call::function(lua, &shared.calls, false)?)?;
    let ours = Rc::clone(&shared.calls);
    let setresp = move |lua: &Lua, args: Variadic<Value>| set_resp(lua, &ours, &args);
    redis.raw_set("setresp", lua.create_function(setresp)?)?;
    redis.raw_set("acl_check_cmd", lua.create_function(acl_check_cmd)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    let yes = lua.create_function(|_, _: Variadic<Value>| Ok(true))?;
    redis.raw_set("replicate_commands", yes)?;
    let no = lua.create_function(|_, _: Variadic<Value>| Ok(false))?;
    redis.raw_set("breakpoint", no)?;
    redis.raw_set(
        "debug",
        lua.create_function(|_, _: Variadic<Value>| Ok(()))?,
    )?;
    let numbers = [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
    ];
    for (name, number) in numbers {
        redis.raw_set(name, number)?;
    }
    redis.raw_set("REDIS_VERSION", VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", VERSION_NUMBER)?;
    Ok(redis)
}

/// The arguments of a native in the form that commands take.
fn words_of(args: &[Value]) -> Result<OwnedArgs, &'static str> {
    if args.is_empty() {
        return Err(NO_ARGUMENT);
    }
    let mut words = OwnedArgs::default();
    for value in args {
        match value {
            Value::String(text) => words.push(&text.as_bytes()),
            #[allow(clippy::cast_precision_loss, reason = "Lua has only doubles")]
            Value::Integer(integer) => push_number(&mut words, *integer as f64),
            Value::Number(number) => push_number(&mut words, *number),
            _ => return Err(WRONG_ARGUMENT),
        }
    }
    Ok(words)
}

fn set_resp(lua: &Lua, calls: &Calls, args: &[Value]) -> mlua::Result<()> {
    let [version] = args else {
        return Err(line("ERR redis.setresp() requires one argument."));
    };
    match as_number(lua, version).map(to_integer) {
        Some(2) => calls.resp.set(Resp::V2),
        Some(3) => calls.resp.set(Resp::V3),
        _ => return Err(line("ERR RESP version must be 2 or 3.")),
    }
    Ok(())
}

fn acl_check_cmd(_: &Lua, args: Variadic<Value>) -> mlua::Result<bool> {
    let words = words_of(&args).map_err(line)?;
    match with_host(|host| host.may_run(words.as_args())).flatten() {
        Some(may) => Ok(may),
        None => Err(line("ERR Invalid command passed to redis.acl_check_cmd()")),
    }
}

fn log(lua: &Lua, args: Variadic<Value>) -> mlua::Result<()> {
    if args.len() < 2 {
        return Err(line("ERR redis.log() requires two arguments or more."));
    }
    if as_number(lua, &args[0]).is_none() {
        return Err(line("ERR First argument must be a number (log level)."));
    }
    let level = integer(lua, &args, 1)?;
    let texts: Vec<_> = args[1..].iter().filter_map(as_bytes).collect();
    let text = texts.join(&b' ');
    let text = String::from_utf8_lossy(&text);
    match level {
        0 => tracing::trace!("script: {text}"),
        1 => tracing::debug!("script: {text}"),
        2 => tracing::info!("script: {text}"),
        3 => tracing::warn!("script: {text}"),
        _ => return Err(line("ERR Invalid log level.")),
    }
    Ok(())
}

fn sha1hex(lua: &Lua, args: Variadic<Value>) -> mlua::Result<Value> {
    let [value] = &args[..] else {
        return Err(line("ERR wrong number of arguments"));
    };
    let digest = sha1_smol::Sha1::from(as_bytes(value).unwrap_or_default()).digest();
    Ok(Value::String(lua.create_string(digest.to_string())?))
}

/// The one string that makes a reply, or the error that Redis returns (not raises) instead.
fn only_text(lua: &Lua, args: &[Value]) -> Result<Vec<u8>, mlua::Result<Table>> {
    match args {
        [Value::String(text)] => Ok(text.as_bytes().to_vec()),
        _ => Err(failure::table_of(
            lua,
            b"ERR wrong number or type of arguments",
            false,
        )),
    }
}

fn error_reply(lua: &Lua, args: Variadic<Value>) -> mlua::Result<Table> {
    let text = match only_text(lua, &args) {
        Ok(text) => text,
        Err(table) => return table,
    };
    // A code of one's own is marked by a dash, or by being the first of several words.
    let text = c_string(&text);
    let line = text.strip_prefix(b"-").unwrap_or(text);
    let has_code = memchr::memchr(b' ', line).is_some();
    let code: &[u8] = if has_code { b"" } else { b"ERR " };
    let line = [code, line].concat();
    failure::table_of(lua, &line, false)
}

fn status_reply(lua: &Lua, args: Variadic<Value>) -> mlua::Result<Table> {
    let text = match only_text(lua, &args) {
        Ok(text) => text,
        Err(table) => return table,
    };
    let table = lua.create_table()?;
    table.raw_set("ok", lua.create_string(text)?)?;
    Ok(table)
}

fn set_repl(lua: &Lua, args: Variadic<Value>) -> mlua::Result<()> {
    let [flags] = &args[..] else {
        return Err(line("ERR redis.set_repl() requires one argument."));
    };
    let flags = as_number(lua, flags).unwrap_or_default();
    if (0.0..4.0).contains(&flags) {
        return Ok(());
    }
    Err(line(
        "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
    ))
}
