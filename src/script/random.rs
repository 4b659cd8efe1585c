//! `math.random` and `math.randomseed`: the generator of POSIX's `lrand48`, so that a script that
//! seeds it gets the numbers that it gets elsewhere.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, Value, Variadic};

use super::arguments::{integer, number};
use super::failure::{bad_argument, text};
use super::number::to_integer;

/// The multiplier and the addend of `lrand48`, which works modulo 2^48.
const MULTIPLIER: u64 = 0x5_deec_e66d;
const ADDEND: u64 = 0xb;
/// The low bits that every seed gets.
const SEED_LOW: u64 = 0x330e;
/// Numbers are drawn below this, and divided by it.
const RANGE: u64 = 0x7fff_ffff;

/// The pair of functions, which share their state.
pub(super) fn functions(lua: &Lua) -> mlua::Result<(Function, Function)> {
    let state = Rc::new(Cell::new(SEED_LOW));
    let seeded = Rc::clone(&state);
    let random = lua.create_function(move |lua, args: Variadic<Value>| {
        let next = state.get().wrapping_mul(MULTIPLIER).wrapping_add(ADDEND) & ((1 << 48) - 1);
        state.set(next);
        let drawn = u32::try_from((next >> 17) % RANGE).unwrap_or_default();
        draw(lua, f64::from(drawn) / 2_147_483_647.0, &args)
    })?;
    let randomseed = lua.create_function(move |lua, args: Variadic<Value>| {
        let seed = integer(lua, &args, 1)?.cast_unsigned() & 0xffff_ffff;
        seeded.set(seed << 16 | SEED_LOW);
        Ok(())
    })?;
    Ok((random, randomseed))
}

fn draw(lua: &Lua, share: f64, args: &[Value]) -> mlua::Result<f64> {
    let whole = |index| number(lua, args, index).map(|limit| as_f64(to_i32(limit)));
    let (low, high) = match args.len() {
        0 => return Ok(share),
        1 => {
            let high = whole(1)?;
            if high < 1.0 {
                return Err(bad_argument(lua, 1, "interval is empty"));
            }
            (1.0, high)
        }
        2 => {
            let (low, high) = (whole(1)?, whole(2)?);
            if low > high {
                return Err(bad_argument(lua, 2, "interval is empty"));
            }
            (low, high)
        }
        _ => return Err(text(lua, "wrong number of arguments")),
    };
    Ok((share * (high - low + 1.0)).floor() + low)
}

/// Limits are cut to 32 bits, as a C `int`.
fn to_i32(value: f64) -> i64 {
    let low = to_integer(value).cast_unsigned() & 0xffff_ffff;
    i64::from(u32::try_from(low).unwrap_or_default().cast_signed())
}

#[allow(clippy::cast_precision_loss, reason = "of 32 bits")]
fn as_f64(value: i64) -> f64 {
    value as f64
}
