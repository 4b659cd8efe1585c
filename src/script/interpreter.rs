//! The interpreter of a worker: one Lua state and the scripts compiled in it.
//!
//! Made when the worker runs its first script (some 300 us), and anew after SCRIPT FLUSH. It lives
//! in a thread-local, because Lua states do not move between threads and handlers are synchronous.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;
use mlua::chunk::ChunkMode;
use mlua::{
    Function, HookTriggers, Lua, LuaOptions, LuaString, StdLib, Table, Value, VmState, ffi,
};

use super::arguments::as_bytes;
use super::enter::Enter;
use super::failure::{self, Failure, failure_in};
use super::host::{Host, hosted};
use super::plain::is_plain;
use super::redis::Shared;
use super::source::{Script, Sha};
use super::{bit, bounded, from_lua, json, msgpack, random, redis, sealed, sorted, structs};
use crate::protocol::{Args, Reply, Resp, c_string};

/// Most memory that the Lua code of one worker may hold, in bytes: past it a script ends with
/// Lua's "not enough memory".
const MEMORY_BYTES_MAX: usize = if cfg!(test) { 64 << 20 } else { 1 << 30 };
/// Instructions between two looks at the clock and at who wants the script to end: about a twentieth
/// of a millisecond.
const LOOK_INSTRUCTIONS: u32 = if cfg!(test) { 500 } else { 10_000 };
/// Memory past which garbage is collected after a script rather than during later ones, in bytes.
const COLLECT_BYTES_MIN: usize = 16 << 20;
/// The name of the chunk that a script is.
const CHUNK: &str = "@user_script";

thread_local! {
    static INTERPRETER: RefCell<Option<Interpreter>> = const { RefCell::new(None) };
}

/// Why a script did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The error line, without where it happened.
    pub line: Vec<u8>,
    /// The chunk and line where it was raised.
    pub place: Option<(String, usize)>,
    /// Whether the statistics have it already.
    pub is_counted: bool,
}

impl Failed {
    /// A failure of which nobody knows where it happened.
    fn unplaced(text: &[u8]) -> Self {
        Self {
            line: [b"ERR ", text].concat(),
            place: None,
            is_counted: false,
        }
    }
}

impl From<&mlua::Error> for Failed {
    fn from(error: &mlua::Error) -> Self {
        let (line, is_counted) = match failure_in(error) {
            Some(Failure::Line { line, is_counted }) => (line.clone(), *is_counted),
            Some(Failure::Text(text)) => return Self::unplaced(text),
            Some(Failure::Stop(line)) => (line.as_bytes().to_vec(), false),
            None => return Self::unplaced(&failure::text_of(error)),
        };
        Self {
            line,
            place: None,
            is_counted,
        }
    }
}

/// A script to run.
#[derive(Debug)]
pub struct Run<'a> {
    /// The script, as [`Interpreter::compiled`] or [`Interpreter::compile`] gave it.
    pub script: &'a Compiled,
    /// What it sees as `KEYS`.
    pub keys: Args<'a>,
    /// What it sees as `ARGV`.
    pub arguments: Args<'a>,
}

/// A script that is ready to run.
#[derive(Debug)]
pub struct Compiled {
    /// What it was compiled from.
    pub script: Arc<Script>,
    function: Function,
}

/// A Lua state and what is compiled in it.
#[derive(Debug)]
pub struct Interpreter {
    generation: u64,
    lua: Lua,
    enter: Enter,
    /// Where plain scripts find their globals.
    open: Table,
    /// Lua's own, which scripts do not see.
    loadstring: Function,
    shared: Rc<Shared>,
    scripts: HashMap<Sha, Rc<Compiled>, ahash::RandomState>,
    /// The one of them that was asked for last.
    recent: Option<Rc<Compiled>>,
    /// Names by the hash of the text, to spare EVAL the digest.
    names: HashMap<u64, Sha, ahash::RandomState>,
    dropped_seen: u64,
    collect_bytes: usize,
}

/// What a script replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replied {
    /// Anything but an error.
    Value,
    /// An error that it returned.
    Error {
        /// The line.
        line: Vec<u8>,
        /// Whether the statistics have it already.
        is_counted: bool,
    },
}

/// Lends the worker's interpreter of a generation; one of another generation is dropped first.
/// Beside a script that runs on the worker, which uses that one, it makes another for this time.
pub fn with_interpreter<R>(generation: u64, work: impl FnOnce(&mut Interpreter) -> R) -> R {
    INTERPRETER.with(|slot| {
        let Ok(mut slot) = slot.try_borrow_mut() else {
            return work(&mut Interpreter::new(generation));
        };
        if slot
            .as_ref()
            .is_none_or(|present| present.generation != generation)
        {
            *slot = None;
        }
        work(slot.get_or_insert_with(|| Interpreter::new(generation)))
    })
}

impl Interpreter {
    fn new(generation: u64) -> Self {
        // The sandbox is part of the program: it loads, or every script would fail.
        Self::with_sandbox(generation).expect("the sandbox of scripts is sound")
    }

    fn with_sandbox(generation: u64) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let shared = Shared::new(MEMORY_BYTES_MAX);
        let loadstring = lua.globals().get("loadstring")?;
        let natives = natives(&lua, &shared)?;
        let sandbox = lua.load(include_str!("sandbox.lua")).set_name("=sandbox");
        let tables = sandbox.into_function()?.call(natives)?;
        let (globals, contents, open): (Table, Table, Table) = tables;
        lua.set_globals(globals)?;
        let enter = Enter::new(&lua, &contents, &open, &finish(&lua, &shared)?)?;
        let ours = Rc::clone(&shared);
        lua.set_global_hook(
            HookTriggers::new().every_nth_instruction(LOOK_INSTRUCTIONS),
            move |_, _| ours.look_around().map(|()| VmState::Continue),
        )?;
        Ok(Self {
            generation,
            lua,
            enter,
            open,
            loadstring,
            shared,
            scripts: HashMap::default(),
            recent: None,
            names: HashMap::default(),
            dropped_seen: 0,
            collect_bytes: COLLECT_BYTES_MIN,
        })
    }

    /// A script that was compiled here before.
    pub fn compiled(&mut self, sha: &Sha) -> Option<Rc<Compiled>> {
        let compiled = match &self.recent {
            Some(recent) if recent.script.sha == *sha => recent,
            _ => self.recent.insert(Rc::clone(self.scripts.get(sha)?)),
        };
        compiled.script.is_used.store(true, Ordering::Relaxed);
        Some(Rc::clone(compiled))
    }

    /// Compiles a script and keeps it; what Lua says against it otherwise.
    pub fn compile(&mut self, script: &Arc<Script>) -> Result<Rc<Compiled>, Vec<u8>> {
        let mut chunk = self.lua.load(script.code()).set_name(CHUNK);
        if is_plain(script.code()) {
            chunk = chunk.set_environment(self.open.clone());
        }
        let function = chunk
            .set_mode(ChunkMode::Text)
            .into_function()
            .map_err(|error| {
                self.problem(script.code())
                    .unwrap_or_else(|| failure::text_of(&error))
            })?;
        let compiled = Rc::new(Compiled {
            script: Arc::clone(script),
            function,
        });
        self.scripts.insert(script.sha, Rc::clone(&compiled));
        let hash = self.scripts.hasher().hash_one(&script.text);
        self.names.insert(hash, script.sha);
        Ok(compiled)
    }

    /// What Lua says against a script, in its own bytes: the binding gives letters only.
    fn problem(&self, code: &[u8]) -> Option<Vec<u8>> {
        if code.starts_with(ffi::LUA_SIGNATURE) {
            return None;
        }
        let code = self.lua.create_string(code).ok()?;
        let told = self.loadstring.call((code, CHUNK));
        let (_, problem): (Value, Option<LuaString>) = told.ok()?;
        Some(problem?.as_bytes().to_vec())
    }

    /// A script of this text that was compiled here before.
    pub fn compiled_from(&mut self, text: &[u8]) -> Option<Rc<Compiled>> {
        let hash = self.scripts.hasher().hash_one(text);
        let sha = *self.names.get(&hash)?;
        let compiled = self.compiled(&sha)?;
        (*compiled.script.text == *text).then_some(compiled)
    }

    /// Forgets a script.
    pub fn forget(&mut self, sha: &Sha) {
        self.recent = None;
        if let Some(compiled) = self.scripts.remove(sha) {
            let hash = self.scripts.hasher().hash_one(&compiled.script.text);
            self.names.remove(&hash);
        }
    }

    /// Forgets all scripts.
    pub fn forget_all(&mut self) {
        self.recent = None;
        self.scripts.clear();
        self.names.clear();
    }

    /// How many scripts had been dropped elsewhere when this interpreter last asked.
    pub fn dropped_seen(&self) -> u64 {
        self.dropped_seen
    }

    /// Notes that it has dropped so many too.
    pub fn set_dropped_seen(&mut self, total: u64) {
        self.dropped_seen = total;
    }

    /// Runs a script and writes its reply.
    pub fn run(
        &mut self,
        host: &mut dyn Host,
        run: &Run<'_>,
        reply: &mut Reply,
    ) -> Result<Replied, Failed> {
        self.shared.calls.resp.set(Resp::V2);
        self.shared.stopped.set(None);
        let result = hosted(host, || self.reply_of(run, reply));
        self.shared.work.borrow_mut().trim();
        self.collect();
        result
    }

    fn reply_of(&self, run: &Run<'_>, reply: &mut Reply) -> Result<Replied, Failed> {
        let mark = reply.mark();
        match self.call(run) {
            Ok((true, value)) => from_lua::write(reply, &self.shared, &value)
                .and_then(|()| replied(&value))
                .map_err(|error| {
                    reply.truncate_to(mark);
                    Failed::from(&error)
                }),
            // Lua asks nobody about its own memory errors.
            Ok((false, raised)) => Err(self
                .shared
                .failed
                .take()
                .unwrap_or_else(|| Failed::unplaced(&as_bytes(&raised).unwrap_or_default()))),
            Err(error) => Err(Failed::from(&error)),
        }
    }

    fn call(&self, run: &Run<'_>) -> mlua::Result<(bool, Value)> {
        self.lua.set_memory_limit(self.shared.memory_bytes_max)?;
        let result = self
            .enter
            .run(&run.script.function, run.keys, run.arguments);
        self.lua.set_memory_limit(0)?;
        result
    }

    /// Collects the garbage of a script that made a lot of it.
    fn collect(&mut self) {
        if self.lua.used_memory() < self.collect_bytes {
            return;
        }
        // Collecting fails only where a finalizer does, and scripts have none.
        let _ = self.lua.gc_collect();
        self.collect_bytes = COLLECT_BYTES_MIN.max(self.lua.used_memory() * 2);
    }
}

/// Whether a value was written as an error.
fn replied(value: &Value) -> mlua::Result<Replied> {
    let Value::Table(table) = value else {
        return Ok(Replied::Value);
    };
    let Value::String(line) = table.raw_get("err")? else {
        return Ok(Replied::Value);
    };
    Ok(Replied::Error {
        line: line.as_bytes().to_vec(),
        is_counted: table.raw_get("ignore_error_stats_update")?,
    })
}

/// What the sandbox is made of.
fn natives(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let natives = lua.create_table()?;
    natives.raw_set("redis", redis::library(lua, shared)?)?;
    natives.raw_set("cjson", json::library(lua, shared)?)?;
    natives.raw_set("cmsgpack", msgpack::library(lua, shared)?)?;
    natives.raw_set("struct", structs::library(lua)?)?;
    natives.raw_set("bit", bit::library(lua)?)?;
    natives.raw_set("bounded", bounded::functions(lua, shared)?)?;
    natives.raw_set("sort", sorted::function(lua, shared)?)?;
    natives.raw_set("sealed", sealed::functions(lua)?)?;
    let (random, randomseed) = random::functions(lua)?;
    natives.raw_set("random", random)?;
    natives.raw_set("randomseed", randomseed)?;
    let ours = Rc::clone(shared);
    let check = lua.create_function(move |_, ()| match ours.stopped.get() {
        None => Ok(()),
        Some(line) => Err(Failure::Stop(line).into()),
    })?;
    natives.raw_set("check", check)?;
    let ours = Rc::clone(shared);
    let is_stopped = lua.create_function(move |_, ()| Ok(ours.stopped.get().is_some()))?;
    natives.raw_set("is_stopped", is_stopped)?;
    natives.raw_set("plain", lua.create_function(failure::plain)?)?;
    Ok(natives)
}

/// The native that is told what nothing in a script caught.
fn finish(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Function> {
    let ours = Rc::clone(shared);
    lua.create_function(move |lua, raised: Value| {
        *ours.failed.borrow_mut() = Some(failed(lua, &raised)?);
        Ok(())
    })
}

/// What becomes of a value that nothing in the script caught.
fn failed(lua: &Lua, raised: &Value) -> mlua::Result<Failed> {
    let (line, is_counted) = match raised {
        Value::Error(error) => {
            let failed = Failed::from(&**error);
            (failed.line, failed.is_counted)
        }
        Value::Table(table) => {
            // Its metatable may have code of the script, which may fail.
            let line = match table.get("err") {
                Ok(line) => as_bytes(&line).unwrap_or_else(|| b"ERR unknown error".to_vec()),
                Err(error) => Failed::from(&error).line,
            };
            let is_counted = table.raw_get("ignore_error_stats_update").unwrap_or(false);
            (line, is_counted)
        }
        Value::Nil => (b"ERR nil".to_vec(), false),
        Value::Boolean(truth) => (format!("ERR {truth}").into_bytes(), false),
        null if *null == Value::NULL => (b"ERR userdata: (nil)".to_vec(), false),
        other => {
            let text = as_bytes(other).unwrap_or_else(|| {
                format!("{}: {:p}", other.type_name(), other.to_pointer()).into_bytes()
            });
            ([b"ERR ", &text[..]].concat(), false)
        }
    };
    Ok(Failed {
        line: c_string(&line).to_vec(),
        place: place(lua),
        is_counted,
    })
}

/// The innermost line of the script itself.
fn place(lua: &Lua) -> Option<(String, usize)> {
    for level in 1.. {
        let frame = lua.inspect_stack(level, |debug| {
            let source = debug.source().source?.into_owned();
            let is_ours = source.starts_with("@user_");
            is_ours.then(|| (source, debug.current_line().unwrap_or_default()))
        })?;
        if frame.is_some() {
            return frame;
        }
    }
    None
}
