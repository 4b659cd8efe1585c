//! What natives share that read or write whole texts on Lua's own stack: through the binding each
//! call took as long as a short text itself.
//!
//! What makes them sound is what does in `call`: Lua leaves a C function by `longjmp` when memory
//! is short or an error is raised, which skips destructors. So such a native first takes its
//! arguments, owning nothing; then does what owns anything in [`Desk::attempt`], which calls
//! nothing of Lua that can raise; and then leaves its results, or goes on in a native of the
//! binding that raises what went wrong.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::slice;

use mlua::ffi::{self, lua_State};
use mlua::{Function, Lua, Table};

use super::failure::text_within;
use super::pace::Pace;
use super::redis::{self, Shared};
use super::tape::Tape;

/// Upvalues of such a native: what raises, what has others served, and its desk.
const RAISE: c_int = 1;
pub(super) const LOOK_AROUND: c_int = 2;
const DESK: c_int = 3;

/// Memory that is kept from script to script, in bytes.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Why a native cannot go on.
#[derive(Debug)]
pub(super) enum Broken {
    /// For this reason, to which the place in the script is added.
    Text(String),
    Error(mlua::Error),
    /// What is written lies deeper than the slots of the stack reach that were asked for.
    TooDeep,
    Panicked(Box<dyn Any + Send>),
}

impl From<mlua::Error> for Broken {
    fn from(error: mlua::Error) -> Self {
        Self::Error(error)
    }
}

/// What natives of one interpreter work in, one at a time.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// What is written.
    pub(super) out: Vec<u8>,
    /// What was read.
    pub(super) tape: Tape,
}

impl Work {
    /// Gives back what a large text took.
    pub(super) fn trim(&mut self) {
        if self.out.capacity() > KEPT_BYTES_MAX {
            self.out = Vec::new();
        }
        if self.tape.memory_bytes() > KEPT_BYTES_MAX {
            self.tape = Tape::default();
        }
    }
}

/// Where the natives of a library work, with its settings.
#[derive(Debug)]
pub(super) struct Desk<S> {
    shared: Rc<Shared>,
    pub(super) settings: S,
    broken: RefCell<Option<Broken>>,
}

impl<S: 'static> Desk<S> {
    pub(super) fn new(shared: &Rc<Shared>, settings: S) -> Rc<Self> {
        Rc::new(Self {
            shared: Rc::clone(shared),
            settings,
            broken: RefCell::default(),
        })
    }

    /// Adds natives that work here to their library.
    ///
    /// # Safety
    /// They ask nothing of their caller but that Lua calls them with these upvalues.
    pub(super) unsafe fn add_to(
        self: &Rc<Self>,
        lua: &Lua,
        library: &Table,
        natives: &[(&str, ffi::lua_CFunction)],
    ) -> mlua::Result<()> {
        let ours = Rc::clone(self);
        let raise = lua.create_function(move |lua, ()| ours.raise(lua))?;
        let look_around = redis::look_around(lua, &self.shared)?;
        let desk = Rc::as_ptr(self);
        for &(name, native) in natives {
            // SAFETY: `exec_raw` puts the two functions on a stack of its own and catches errors; with
            // the pointer they are the upvalues that `lua_pushcclosure` takes off, which leaves the
            // closure as the one result. The desk lives as long as `raise`, which owns it and is
            // another upvalue. What the block holds has no destructor.
            let function: Function = unsafe {
                lua.exec_raw((&raise, &look_around), |state| {
                    ffi::lua_pushlightuserdata(state, desk.cast_mut().cast());
                    ffi::lua_pushcclosure(state, native, 3);
                })?
            };
            library.raw_set(name, function)?;
        }
        Ok(())
    }

    /// The desk of the native that runs.
    ///
    /// # Safety
    /// `state` runs what `add_to` made, of a desk with such settings. It is used no longer than that.
    pub(super) unsafe fn of<'a>(state: *mut lua_State) -> &'a Self {
        // SAFETY: `add_to` made the upvalue, and another one keeps alive what it points to.
        unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(DESK)).cast() }
    }

    /// Does `work`, which calls nothing of Lua that can raise. Without a result the native goes on
    /// with [`fail`].
    pub(super) fn attempt<R: Copy>(
        &self,
        work: impl FnOnce(&mut Work) -> Result<R, Broken>,
    ) -> Option<R> {
        let run = || work(&mut self.shared.work.borrow_mut());
        let result = catch_unwind(AssertUnwindSafe(run));
        match result.unwrap_or_else(|panicked| Err(Broken::Panicked(panicked))) {
            Ok(result) => Some(result),
            Err(broken) => {
                self.broken.replace(Some(broken));
                None
            }
        }
    }

    /// What the last attempt has left.
    ///
    /// # Safety
    /// It is used before the next attempt of any native of this interpreter.
    pub(super) unsafe fn work<'a>(&self) -> &'a Work {
        // SAFETY: nobody borrows it outside of an attempt, and it lives as long as the interpreter,
        // whose natives are the only ones who ask.
        unsafe { &*self.shared.work.as_ptr() }
    }

    /// For building a value of Lua: with all that Lua holds it is within the bound.
    ///
    /// # Safety
    /// `state` is the running one.
    pub(super) unsafe fn pace(&self, state: *mut lua_State) -> Pace<'_> {
        // SAFETY: asking how much is held changes nothing.
        let held_kb = unsafe { ffi::lua_gc(state, ffi::LUA_GCCOUNT, 0) };
        let held_bytes = usize::try_from(held_kb).unwrap_or_default() << 10;
        let bytes_max = self.shared.memory_bytes_max.saturating_sub(held_bytes);
        Pace::new(&self.shared, bytes_max)
    }

    fn raise(&self, lua: &Lua) -> mlua::Result<()> {
        match self.broken.take() {
            // The native is a call between this one and the script's.
            Some(Broken::Text(message)) => Err(text_within(lua, 1, &message)),
            Some(Broken::Error(error)) => Err(error),
            Some(Broken::Panicked(panicked)) => resume_unwind(panicked),
            Some(Broken::TooDeep) | None => Ok(()),
        }
    }
}

/// Raises what ended the last attempt.
///
/// # Safety
/// `state` runs what [`Desk::add_to`] made, which has nothing to drop and returns what this does.
pub(super) unsafe fn fail(state: *mut lua_State) -> c_int {
    // SAFETY: the function takes one of the slots that Lua grants beyond the arguments, or one that
    // is made free; it is called without arguments and leaves nothing. The caller vouches for the
    // rest.
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(RAISE));
        ffi::lua_call(state, 0, 0);
    }
    0
}

/// Leaves the text that the last attempt has written as the one result.
///
/// # Safety
/// As of [`fail`].
pub(super) unsafe fn leave_written<S: 'static>(state: *mut lua_State) -> c_int {
    // SAFETY: there is a slot once the stack is empty. Lua copies the bytes, which stay as they are
    // until the next attempt. The caller vouches for the rest.
    unsafe {
        ffi::lua_settop(state, 0);
        let written = &Desk::<S>::of(state).work().out;
        ffi::lua_pushlstring(state, written.as_ptr().cast(), written.len());
    }
    1
}

/// The argument at an index, which must be a string or a number.
///
/// # Safety
/// `state` runs a native that has nothing to drop; the bytes are used while the argument stands
/// where it does.
pub(super) unsafe fn text_argument<'s>(state: *mut lua_State, index: c_int) -> &'s [u8] {
    let mut len = 0;
    // SAFETY: any index may be asked for; there are as many bytes as Lua says.
    unsafe {
        let bytes = ffi::luaL_checklstring(state, index, &raw mut len);
        slice::from_raw_parts(bytes.cast(), len)
    }
}

/// The bytes of a string.
///
/// # Safety
/// What stands at the index is one, not a number, and stands there as long as they are used.
pub(super) unsafe fn text_at<'s>(state: *mut lua_State, index: c_int) -> &'s [u8] {
    let mut len = 0;
    // SAFETY: of a string there are as many bytes as Lua says, and nothing is converted.
    unsafe {
        let bytes = ffi::lua_tolstring(state, index, &raw mut len);
        slice::from_raw_parts(bytes.cast(), len)
    }
}

/// The name of a type of Lua's.
///
/// # Safety
/// `state` is the running one, and the type one that it told of.
pub(super) unsafe fn name_of_type(state: *mut lua_State, kind: c_int) -> &'static str {
    // SAFETY: Lua has a name for each of its types, which stays for ever.
    let name = unsafe { CStr::from_ptr(ffi::lua_typename(state, kind)) };
    name.to_str().unwrap_or("userdata")
}
