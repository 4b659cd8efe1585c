//! `redis.call` and `redis.pcall`, on Lua's own stack: handing values through the binding took as
//! long as running the command.
//!
//! What makes it sound: Lua leaves a C function by `longjmp` when memory is short or an error is
//! raised, which skips destructors. So [`invoke`] does all that owns anything in [`prepare`], which
//! calls nothing of Lua that can raise; what it does afterwards holds only plain values. A panic
//! does not pass through Lua's frames: it is kept, and goes on in a native of the binding.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::slice;

use mlua::{Function, Lua, Value, ffi};

use super::failure::{Failure, table_of};
use super::host::{Ending, with_host};
use super::to_lua;
use crate::protocol::number::Double;
use crate::protocol::{OwnedArgs, Reply, Resp};

/// Why arguments of a call are refused.
pub(super) const NO_ARGUMENT: &str =
    "ERR Please specify at least one argument for this redis lib call";
pub(super) const WRONG_ARGUMENT: &str =
    "ERR Lua redis lib command arguments must be strings or integers";

/// Memory for arguments and replies that is kept from call to call, in bytes.
pub(super) const KEPT_BYTES_MAX: usize = 64 << 10;

/// What the calls of one interpreter share. Only the running call uses it.
#[derive(Debug)]
pub(super) struct Calls {
    /// The version of replies that the running script asked for.
    pub(super) resp: Cell<Resp>,
    words: RefCell<OwnedArgs>,
    reply: RefCell<Reply>,
    /// The reply in one piece, where `reply` holds it in several.
    whole: RefCell<Vec<u8>>,
    /// The error line of a call that failed.
    failed: RefCell<Vec<u8>>,
    /// What a command panicked with.
    panicked: RefCell<Option<Box<dyn Any + Send>>>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self {
            resp: Cell::new(Resp::V2),
            words: RefCell::default(),
            reply: RefCell::new(Reply::new(Resp::V2)),
            whole: RefCell::default(),
            failed: RefCell::default(),
            panicked: RefCell::default(),
        }
    }

    fn fail(&self, line: &[u8]) {
        let mut failed = self.failed.borrow_mut();
        failed.clear();
        failed.extend_from_slice(line);
    }
}

/// `redis.call` if it raises errors, `redis.pcall` if not.
pub(super) fn function(lua: &Lua, calls: &Rc<Calls>, raises: bool) -> mlua::Result<Function> {
    let ours = Rc::clone(calls);
    let fail = lua.create_function(move |lua, ()| fail(lua, &ours, raises))?;
    let calls = Rc::as_ptr(calls);
    let invoke = if raises {
        invoke::<true>
    } else {
        invoke::<false>
    };
    // SAFETY: `exec_raw` puts `fail` on a stack of its own and catches errors; with the pointer that
    // makes the two upvalues that `lua_pushcclosure` takes off, which leaves the closure as the one
    // result. `calls` lives as long as `fail`, which owns it and is the other upvalue. What the
    // block holds has no destructor.
    unsafe {
        lua.exec_raw(fail, |state| {
            ffi::lua_pushlightuserdata(state, calls.cast_mut().cast());
            ffi::lua_pushcclosure(state, invoke, 2);
        })
    }
}

/// What becomes of a call that failed: the error is raised, or returned as a table.
fn fail(lua: &Lua, calls: &Calls, raises: bool) -> mlua::Result<Value> {
    if let Some(panicked) = calls.panicked.take() {
        resume_unwind(panicked);
    }
    let line = calls.failed.take();
    if raises {
        return Err(Failure::Line {
            line,
            is_counted: true,
        }
        .into());
    }
    Ok(Value::Table(table_of(lua, &line, true)?))
}

/// How a call goes on once its command has run.
#[derive(Clone, Copy)]
enum Next {
    /// With this reply, which stays where it is until the next call.
    Reply(*const u8, usize),
    /// With `fail`.
    Fail,
}

/// The C function that scripts call. Upvalues: `fail`, and the [`Calls`].
unsafe extern "C-unwind" fn invoke<const RAISES: bool>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `function` made this closure, with these upvalues, and its closures are the only ones:
    // the second is a pointer to `Calls` that `fail`, the first, keeps alive. The stack holds the
    // arguments, as `prepare` asks. Once it has returned nothing here has a destructor, so Lua may
    // leave by `longjmp`. The stack is emptied then, and Lua grants a C function 20 slots of it:
    // one for the reply, or one for `fail`, which leaves one result. The reply's bytes stay as
    // they are until the next call, which cannot come before they are copied: only a finalizer
    // could make one meanwhile, and scripts have none.
    unsafe {
        let calls = ffi::lua_touserdata(state, ffi::lua_upvalueindex(2));
        let next = prepare(state, &*calls.cast::<Calls>(), RAISES);
        ffi::lua_settop(state, 0);
        match next {
            Next::Reply(bytes, len) => to_lua::push(state, slice::from_raw_parts(bytes, len)),
            Next::Fail => {
                ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
                ffi::lua_call(state, 0, 1);
            }
        }
    }
    1
}

/// Runs the command that the stack holds. Owns what it needs, and lets go of it.
///
/// # Safety
/// The stack of `state` holds the arguments of a call.
unsafe fn prepare(state: *mut ffi::lua_State, calls: &Calls, raises: bool) -> Next {
    let run = || {
        // SAFETY: the caller vouches that the stack holds the arguments of a call.
        let words = unsafe { take_words(state, &mut calls.words.borrow_mut()) };
        match words {
            Ok(()) => command(calls, raises),
            Err(refusal) => {
                calls.fail(refusal.as_bytes());
                Next::Fail
            }
        }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panicked| {
        calls.panicked.replace(Some(panicked));
        Next::Fail
    })
}

/// Copies the arguments, so that the command sees bytes and Lua keeps its own.
///
/// # Safety
/// The stack of `state` holds the arguments of a call.
unsafe fn take_words(
    state: *mut ffi::lua_State,
    words: &mut OwnedArgs,
) -> Result<(), &'static str> {
    if words.memory_bytes() > KEPT_BYTES_MAX {
        *words = OwnedArgs::default();
    }
    words.clear();
    // SAFETY: every index asked for is between 1 and the top of the stack. None of these functions
    // raises or allocates, so `words` is not left behind: a string is asked for its bytes only
    // where it is one, and a number for its value. `lua_tolstring` gives as many bytes as it says,
    // which stay where they are while the string is on the stack, and are copied at once.
    unsafe {
        let len = ffi::lua_gettop(state);
        if len == 0 {
            return Err(NO_ARGUMENT);
        }
        for index in 1..=len {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => {
                    let mut len = 0;
                    let bytes = ffi::lua_tolstring(state, index, &raw mut len);
                    words.push(slice::from_raw_parts(bytes.cast(), len));
                }
                ffi::LUA_TNUMBER => push_number(words, ffi::lua_tonumber(state, index)),
                _ => return Err(WRONG_ARGUMENT),
            }
        }
    }
    Ok(())
}

/// Adds a number as Redis writes it.
pub(super) fn push_number(words: &mut OwnedArgs, number: f64) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "compared with what it came from"
    )]
    let integer = number as i64;
    #[allow(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "exactly the same"
    )]
    let is_integer = integer as f64 == number && integer != i64::MAX;
    if is_integer {
        words.push(itoa::Buffer::new().format(integer).as_bytes());
    } else if number.is_nan() && number.is_sign_negative() {
        words.push(b"-nan");
    } else {
        words.push(Double::new(number).as_bytes());
    }
}

fn command(calls: &Calls, raises: bool) -> Next {
    let mut reply = calls.reply.borrow_mut();
    reply.clear();
    reply.set_resp(calls.resp.get());
    let words = calls.words.borrow();
    let ending = with_host(|host| host.command(words.as_args(), &mut reply));
    let refusal = match ending {
        Some(Ending::Refused(refusal)) => refusal,
        None => "ERR redis.call/pcall can only be called inside a script invocation",
        Some(Ending::Replied) => {
            let whole = match reply.as_run() {
                Cow::Borrowed(_) => Vec::new(),
                Cow::Owned(bytes) => bytes,
            };
            let bytes = match reply.as_run() {
                Cow::Borrowed(bytes) => bytes,
                Cow::Owned(_) => &whole,
            };
            if raises && bytes.first() == Some(&b'-') {
                calls.fail(bytes[1..].strip_suffix(b"\r\n").unwrap_or(&bytes[1..]));
                return Next::Fail;
            }
            let next = Next::Reply(bytes.as_ptr(), bytes.len());
            calls.whole.replace(whole);
            return next;
        }
    };
    calls.fail(refusal.as_bytes());
    Next::Fail
}
