//! The `redis` table: commands, replies, and what scripts ask about their server.

#![allow(
    clippy::needless_pass_by_value,
    reason = "natives are handed their arguments"
)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Table, Value, Variadic};

use super::arguments::{as_bytes, as_number, integer};
use super::failure::{self, Failure, line};
use super::host::{Ending, with_host};
use super::interpreter::Failed;
use super::to_lua;
use crate::protocol::number::Double;
use crate::protocol::{OwnedArgs, Reply, Resp, c_string};

/// The version of Redis whose scripting this is, as scripts see it.
const VERSION: &str = "7.2.9";
const VERSION_NUMBER: u32 = 0x0007_0209;

/// Why arguments of a call are refused.
const NO_ARGUMENT: &str = "ERR Please specify at least one argument for this redis lib call";
const WRONG_ARGUMENT: &str = "ERR Lua redis lib command arguments must be strings or integers";

/// Memory for arguments that is kept from call to call, in bytes.
const ARGUMENTS_KEPT_BYTES_MAX: usize = 64 << 10;

/// What the natives of one interpreter share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The name `ok`, which most replies need.
    pub(super) ok: LuaString,
    /// The version of replies that the running script asked for.
    pub(super) resp: Cell<Resp>,
    /// The most memory that Lua code may hold, in bytes. Natives build their results without it.
    pub(super) memory_bytes_max: usize,
    /// The line with which the script must end, once it must.
    pub(super) stopped: Cell<Option<&'static str>>,
    /// How the script ended, if not well.
    pub(super) failed: RefCell<Option<Failed>>,
    /// Reused from call to call.
    reply: RefCell<Reply>,
}

impl Shared {
    pub(super) fn new(lua: &Lua, memory_bytes_max: usize) -> mlua::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            ok: lua.create_string("ok")?,
            resp: Cell::new(Resp::V2),
            memory_bytes_max,
            stopped: Cell::new(None),
            failed: RefCell::default(),
            reply: RefCell::new(Reply::new(Resp::V2)),
        }))
    }
}

thread_local! {
    /// Reused from call to call.
    static ARGUMENTS: RefCell<Arguments> = RefCell::default();
}

/// The arguments of the call that is being made.
#[derive(Debug, Default)]
struct Arguments {
    words: OwnedArgs,
    /// One of them was no string and no number.
    is_wrong: bool,
}

impl Arguments {
    /// Copies the arguments, so that the command sees bytes and the interpreter keeps its own.
    fn take(&mut self, args: &MultiValue) {
        self.is_wrong = false;
        if self.words.memory_bytes() > ARGUMENTS_KEPT_BYTES_MAX {
            self.words = OwnedArgs::default();
        }
        self.words.clear();
        let words = &mut self.words;
        for value in args {
            match value {
                Value::String(text) => words.push(&text.as_bytes()),
                Value::Integer(integer) => {
                    words.push(itoa::Buffer::new().format(*integer).as_bytes());
                }
                Value::Number(number) if number.is_nan() && number.is_sign_negative() => {
                    words.push(b"-nan");
                }
                Value::Number(number) => words.push(Double::new(*number).as_bytes()),
                _ => self.is_wrong = true,
            }
        }
    }
}

/// The table, as scripts see it.
pub(super) fn library(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let ours = Rc::clone(shared);
    redis.raw_set(
        "call",
        lua.create_function(move |lua, args: MultiValue| call(lua, &ours, &args, true))?,
    )?;
    let ours = Rc::clone(shared);
    redis.raw_set(
        "pcall",
        lua.create_function(move |lua, args: MultiValue| call(lua, &ours, &args, false))?,
    )?;
    let ours = Rc::clone(shared);
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

/// Gives the arguments in the form that commands take.
fn with_arguments<R>(
    args: &MultiValue,
    ask: impl FnOnce(crate::protocol::Args<'_>) -> R,
) -> Result<R, &'static str> {
    if args.is_empty() {
        return Err(NO_ARGUMENT);
    }
    ARGUMENTS.with_borrow_mut(|arguments| {
        arguments.take(args);
        if arguments.is_wrong {
            return Err(WRONG_ARGUMENT);
        }
        Ok(ask(arguments.words.as_args()))
    })
}

/// `redis.call` and `redis.pcall`: an error is raised by the one and returned by the other.
fn call(lua: &Lua, shared: &Shared, args: &MultiValue, raises: bool) -> mlua::Result<Value> {
    // Natives allocate without the limit, which would put a protected call around each
    // allocation; what they made counts when Lua code asks for more.
    lua.set_memory_limit(0)?;
    let result = call_unlimited(lua, shared, args, raises);
    lua.set_memory_limit(shared.memory_bytes_max)?;
    result
}

fn call_unlimited(
    lua: &Lua,
    shared: &Shared,
    args: &MultiValue,
    raises: bool,
) -> mlua::Result<Value> {
    let mut reply = shared.reply.borrow_mut();
    reply.clear();
    reply.set_resp(shared.resp.get());
    let ending = with_arguments(args, |args| {
        with_host(|host| host.command(args, &mut reply))
    });
    let refusal = match ending {
        Err(refusal) | Ok(Some(Ending::Refused(refusal))) => Some(refusal),
        Ok(None) => Some("ERR redis.call/pcall can only be called inside a script invocation"),
        Ok(Some(Ending::Replied)) => None,
    };
    if let Some(refusal) = refusal {
        let failure = Failure::Line {
            line: refusal.as_bytes().to_vec(),
            is_counted: true,
        };
        return if raises {
            Err(failure.into())
        } else {
            Ok(Value::Table(failure::table_of(
                lua,
                refusal.as_bytes(),
                true,
            )?))
        };
    }
    let bytes = reply.as_run();
    if raises && bytes.first() == Some(&b'-') {
        let line = bytes[1..].strip_suffix(b"\r\n").unwrap_or(&bytes[1..]);
        return Err(Failure::Line {
            line: line.to_vec(),
            is_counted: true,
        }
        .into());
    }
    to_lua::value(lua, &shared.ok, &bytes)
}

fn set_resp(lua: &Lua, shared: &Shared, args: &[Value]) -> mlua::Result<()> {
    let [version] = args else {
        return Err(line("ERR redis.setresp() requires one argument."));
    };
    match as_number(lua, version) {
        Some(2.0) => shared.resp.set(Resp::V2),
        Some(3.0) => shared.resp.set(Resp::V3),
        _ => return Err(line("ERR RESP version must be 2 or 3.")),
    }
    Ok(())
}

fn acl_check_cmd(_: &Lua, args: MultiValue) -> mlua::Result<bool> {
    let answer = with_arguments(&args, |args| with_host(|host| host.may_run(args)).flatten());
    match answer {
        Err(problem) => Err(line(problem)),
        Ok(Some(may)) => Ok(may),
        Ok(None) => Err(line("ERR Invalid command passed to redis.acl_check_cmd()")),
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
