//! The `bit` library: 32-bit operations on Lua's numbers.

use mlua::{Lua, Table, Value, Variadic};

use super::arguments::{integer_or, number};

/// Adding it leaves the low 32 bits of a number, rounded, in the low bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// The library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let bit = lua.create_table()?;
    one(lua, &bit, "tobit", |x| x)?;
    one(lua, &bit, "bnot", |x| !x)?;
    one(lua, &bit, "bswap", u32::swap_bytes)?;
    many(lua, &bit, "band", |a, b| a & b)?;
    many(lua, &bit, "bor", |a, b| a | b)?;
    many(lua, &bit, "bxor", |a, b| a ^ b)?;
    shift(lua, &bit, "lshift", |x, n| x << n)?;
    shift(lua, &bit, "rshift", |x, n| x >> n)?;
    shift(lua, &bit, "arshift", |x, n| {
        (x.cast_signed() >> n).cast_unsigned()
    })?;
    shift(lua, &bit, "rol", u32::rotate_left)?;
    shift(lua, &bit, "ror", u32::rotate_right)?;
    let tohex = lua.create_function(|lua, args: Variadic<Value>| {
        let value = bits(lua, &args, 1)?;
        let digits = integer_or(lua, &args, 2, 8)?;
        let len = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
        let text = if digits < 0 {
            format!("{value:08X}")
        } else {
            format!("{value:08x}")
        };
        lua.create_string(&text[8 - len..])
    })?;
    bit.raw_set("tohex", tohex)?;
    Ok(bit)
}

fn bits(lua: &Lua, args: &[Value], index: usize) -> mlua::Result<u32> {
    let sum = (number(lua, args, index)? + ROUNDER).to_bits();
    Ok(u32::try_from(sum & 0xffff_ffff).unwrap_or_default())
}

fn signed(value: u32) -> i64 {
    i64::from(value.cast_signed())
}

fn one(lua: &Lua, bit: &Table, name: &str, operation: fn(u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: Variadic<Value>| {
        bits(lua, &args, 1).map(|value| signed(operation(value)))
    })?;
    bit.raw_set(name, function)
}

fn many(lua: &Lua, bit: &Table, name: &str, operation: fn(u32, u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: Variadic<Value>| {
        let mut value = bits(lua, &args, 1)?;
        for index in 2..=args.len() {
            value = operation(value, bits(lua, &args, index)?);
        }
        Ok(signed(value))
    })?;
    bit.raw_set(name, function)
}

fn shift(lua: &Lua, bit: &Table, name: &str, operation: fn(u32, u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: Variadic<Value>| {
        let value = bits(lua, &args, 1)?;
        let distance = bits(lua, &args, 2)? & 31;
        Ok(signed(operation(value, distance)))
    })?;
    bit.raw_set(name, function)
}
