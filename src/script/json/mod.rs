//! The `cjson` library: JSON as the Lua module of that name reads and writes it.
//!
//! Settings belong to an instance; `cjson.new` makes another one. They outlive a script, as they
//! do elsewhere.

mod decode;
mod encode;

use std::cell::RefCell;
use std::ffi::c_int;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table, Value, Variadic};

use super::arguments::{bytes, integer, is_true};
use super::failure::bad_argument;
use super::native::{self, Broken, Desk, text_argument};
use super::redis::Shared;
use super::tables::LEVEL_SLOTS;

use encode::Encoding;

/// Deepest nesting that is ever read or written, whatever the settings say: the stack of a worker
/// is finite.
const DEPTH_MAX: u32 = 2000;
/// Tables within each other for which slots of the stack are asked for first, and then for eight times
/// as many: nearly all that is written has fewer.
const LEVELS_MIN: u32 = 8;

/// What to do with infinities and what is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refused,
    Allowed,
    Null,
}

/// The settings of an instance, at their defaults.
#[derive(Clone, Copy, Debug)]
struct Settings {
    sparse_as_object: bool,
    sparse_ratio: u32,
    sparse_safe: u32,
    encode_depth_max: u32,
    decode_depth_max: u32,
    encode_invalid: Invalid,
    decode_invalid: Invalid,
    digits: u32,
    keeps_buffer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_as_object: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            encode_invalid: Invalid::Refused,
            decode_invalid: Invalid::Allowed,
            digits: 14,
            keeps_buffer: true,
        }
    }
}

/// What a function that sets something does with its arguments; it answers what is set now.
type Setter = fn(&Lua, &mut Settings, &[Value]) -> mlua::Result<Vec<Value>>;

/// Where an instance works.
type Ours = Desk<RefCell<Settings>>;

/// A new instance with settings of its own.
pub(super) fn library(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let ours = Desk::new(shared, RefCell::<Settings>::default());
    let library = lua.create_table()?;
    // SAFETY: both ask for nothing but a desk of such settings.
    unsafe { ours.add_to(lua, &library, &[("encode", encode), ("decode", decode)])? };
    add_settings(lua, &library, &ours)?;
    let paced = Rc::clone(shared);
    let new = move |lua: &Lua, _: Variadic<Value>| self::library(lua, &paced);
    library.raw_set("new", lua.create_function(new)?)?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

/// The C function: `encode(value)`.
unsafe extern "C-unwind" fn encode(state: *mut lua_State) -> c_int {
    // SAFETY: `library` made the closure, of a desk with such settings. The slots that are written
    // from are asked for first, and an error is raised where Lua does not grant them; they are those
    // that are free above the one argument. What an attempt leaves there where it failed is taken off.
    // Outside of an attempt nothing has a destructor.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return ffi::luaL_argerror(state, 1, c"expected 1 argument".as_ptr());
        }
        let desk = Ours::of(state);
        let mut levels = LEVELS_MIN;
        loop {
            let slots = LEVEL_SLOTS * (levels.cast_signed() + 1);
            ffi::luaL_checkstack(state, slots, c"too many nested values".as_ptr());
            let written = desk.attempt(|work| {
                work.out.clear();
                let mut encoding = Encoding {
                    state,
                    pace: desk.pace(state),
                    settings: *desk.settings.borrow(),
                    out: &mut work.out,
                    levels,
                };
                match encoding.value(1, 0) {
                    Ok(()) => Ok(true),
                    Err(Broken::TooDeep) => Ok(false),
                    Err(broken) => Err(broken),
                }
            });
            match written {
                Some(true) => return native::leave_written::<RefCell<Settings>>(state),
                Some(false) => ffi::lua_settop(state, 1),
                None => return native::fail(state),
            }
            levels = (levels * 8).min(DEPTH_MAX);
        }
    }
}

/// The C function: `decode(text)`.
unsafe extern "C-unwind" fn decode(state: *mut lua_State) -> c_int {
    // SAFETY: as of `encode`. The text stays where it is until the values are made.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return ffi::luaL_argerror(state, 1, c"expected 1 argument".as_ptr());
        }
        let text = text_argument(state, 1);
        let desk = Ours::of(state);
        let noted = desk.attempt(|work| {
            let settings = desk.settings.borrow();
            decode::decode(desk.pace(state), &settings, text, &mut work.tape)
        });
        if noted.is_none() {
            return native::fail(state);
        }
        desk.work().tape.make(state, text);
    }
    1
}

/// Adds a function that sets something where it is given arguments, and tells it.
fn add(
    lua: &Lua,
    library: &Table,
    name: &str,
    ours: &Rc<Ours>,
    (set, arguments_max): (Setter, usize),
) -> mlua::Result<()> {
    let ours = Rc::clone(ours);
    let function = lua.create_function(move |lua, args: Variadic<Value>| {
        if args.len() > arguments_max {
            return Err(bad_argument(
                lua,
                arguments_max + 1,
                "found too many arguments",
            ));
        }
        set(lua, &mut ours.settings.borrow_mut(), &args).map(Variadic::from)
    })?;
    library.raw_set(name, function)
}

fn add_settings(lua: &Lua, library: &Table, settings: &Rc<Ours>) -> mlua::Result<()> {
    add(
        lua,
        library,
        "encode_sparse_array",
        settings,
        (sparse_array, 3),
    )?;
    add(
        lua,
        library,
        "encode_max_depth",
        settings,
        (encode_max_depth, 1),
    )?;
    add(
        lua,
        library,
        "decode_max_depth",
        settings,
        (decode_max_depth, 1),
    )?;
    add(
        lua,
        library,
        "encode_number_precision",
        settings,
        (precision, 1),
    )?;
    add(
        lua,
        library,
        "encode_keep_buffer",
        settings,
        (keep_buffer, 1),
    )?;
    add(
        lua,
        library,
        "encode_invalid_numbers",
        settings,
        (encode_invalid, 1),
    )?;
    add(
        lua,
        library,
        "decode_invalid_numbers",
        settings,
        (decode_invalid, 1),
    )
}

fn sparse_array(lua: &Lua, settings: &mut Settings, args: &[Value]) -> mlua::Result<Vec<Value>> {
    set_switch(lua, args, 1, &mut settings.sparse_as_object)?;
    set_integer(lua, args, 2, &mut settings.sparse_ratio, (0, i32::MAX))?;
    set_integer(lua, args, 3, &mut settings.sparse_safe, (0, i32::MAX))?;
    Ok(vec![
        Value::Boolean(settings.sparse_as_object),
        Value::Integer(settings.sparse_ratio.into()),
        Value::Integer(settings.sparse_safe.into()),
    ])
}

fn encode_max_depth(
    lua: &Lua,
    settings: &mut Settings,
    args: &[Value],
) -> mlua::Result<Vec<Value>> {
    set_integer(lua, args, 1, &mut settings.encode_depth_max, (1, i32::MAX))?;
    Ok(vec![Value::Integer(settings.encode_depth_max.into())])
}

fn decode_max_depth(
    lua: &Lua,
    settings: &mut Settings,
    args: &[Value],
) -> mlua::Result<Vec<Value>> {
    set_integer(lua, args, 1, &mut settings.decode_depth_max, (1, i32::MAX))?;
    Ok(vec![Value::Integer(settings.decode_depth_max.into())])
}

fn precision(lua: &Lua, settings: &mut Settings, args: &[Value]) -> mlua::Result<Vec<Value>> {
    set_integer(lua, args, 1, &mut settings.digits, (1, 14))?;
    Ok(vec![Value::Integer(settings.digits.into())])
}

fn keep_buffer(lua: &Lua, settings: &mut Settings, args: &[Value]) -> mlua::Result<Vec<Value>> {
    set_switch(lua, args, 1, &mut settings.keeps_buffer)?;
    Ok(vec![Value::Boolean(settings.keeps_buffer)])
}

fn encode_invalid(lua: &Lua, settings: &mut Settings, args: &[Value]) -> mlua::Result<Vec<Value>> {
    if let Some(Value::String(word)) = args.first()
        && *word.as_bytes() == *b"null"
    {
        settings.encode_invalid = Invalid::Null;
        return Ok(vec![args[0].clone()]);
    }
    told_invalid(lua, args, &mut settings.encode_invalid)
}

fn decode_invalid(lua: &Lua, settings: &mut Settings, args: &[Value]) -> mlua::Result<Vec<Value>> {
    told_invalid(lua, args, &mut settings.decode_invalid)
}

fn told_invalid(lua: &Lua, args: &[Value], setting: &mut Invalid) -> mlua::Result<Vec<Value>> {
    if let None | Some(Value::Nil) = args.first() {
        return Ok(vec![match setting {
            Invalid::Null => Value::String(lua.create_string("null")?),
            other => Value::Boolean(*other == Invalid::Allowed),
        }]);
    }
    let mut allowed = false;
    set_switch(lua, args, 1, &mut allowed)?;
    *setting = if allowed {
        Invalid::Allowed
    } else {
        Invalid::Refused
    };
    Ok(vec![Value::Boolean(allowed)])
}

/// Takes `true`, `false`, `on` or `off`; leaves the setting alone where nothing is given.
fn set_switch(lua: &Lua, args: &[Value], index: usize, setting: &mut bool) -> mlua::Result<()> {
    let value = args.get(index - 1);
    match value {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(_)) => *setting = is_true(value),
        Some(_) => {
            let word = bytes(lua, args, index)?;
            *setting = match &word[..] {
                b"on" => true,
                b"off" => false,
                other => {
                    let word = String::from_utf8_lossy(other);
                    return Err(bad_argument(
                        lua,
                        index,
                        &format!("invalid option '{word}'"),
                    ));
                }
            };
        }
    }
    Ok(())
}

fn set_integer(
    lua: &Lua,
    args: &[Value],
    index: usize,
    setting: &mut u32,
    (least, most): (i32, i32),
) -> mlua::Result<()> {
    if let None | Some(Value::Nil) = args.get(index - 1) {
        return Ok(());
    }
    let value = integer(lua, args, index)?;
    if !(i64::from(least)..=i64::from(most)).contains(&value) {
        // The first argument is blamed whichever it is.
        let problem = format!("expected integer between {least} and {most}");
        return Err(bad_argument(lua, 1, &problem));
    }
    *setting = u32::try_from(value).unwrap_or_default();
    Ok(())
}
