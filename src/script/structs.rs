//! The `struct` library: values as packed bytes, by a format string.

#![allow(
    clippy::needless_pass_by_value,
    reason = "natives are handed their arguments"
)]

use mlua::{Lua, Table, Value, Variadic};

use super::arguments::{bytes, integer_or, number};
use super::failure::{bad_argument, text};
use super::number::{to_integer, to_unsigned};

/// Widest integer, in bytes.
const INTEGER_BYTES_MAX: u64 = 32;
/// What `!` alone aligns to, in bytes.
const ALIGNMENT_DEFAULT: u64 = 8;
/// The largest number in a format, C's `INT_MAX`.
const NUMBER_MAX: u64 = 0x7fff_ffff;

/// A format being read.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    is_little: bool,
    alignment: u64,
}

/// One option of a format.
struct Item {
    letter: u8,
    bytes_len: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, rest: &'a [u8]) -> Self {
        Self {
            lua,
            rest,
            is_little: true,
            alignment: 1,
        }
    }

    /// The next option with its size, which a setting such as `<` has none of.
    fn next(&mut self) -> mlua::Result<Option<Item>> {
        let Some((&letter, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let bytes_len = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INTEGER_BYTES_MAX {
                    return Err(text(
                        self.lua,
                        &format!(
                            "integral size {size} is larger than limit of {INTEGER_BYTES_MAX}"
                        ),
                    ));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item {
            letter,
            bytes_len: usize::try_from(bytes_len).unwrap_or(usize::MAX),
        }))
    }

    /// The number that follows, or `default`.
    fn number(&mut self, default: u64) -> mlua::Result<u64> {
        let mut value = None;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            self.rest = rest;
            let more = value.unwrap_or(0) * 10 + u64::from(digit - b'0');
            if more > NUMBER_MAX {
                return Err(text(self.lua, "integral size overflow"));
            }
            value = Some(more);
        }
        Ok(value.unwrap_or(default))
    }

    /// Bytes between `position` and where an option of this size may stand.
    fn gap(&self, position: usize, item: &Item) -> usize {
        let size = (item.bytes_len as u64).min(self.alignment);
        if size == 0 || item.letter == b'c' {
            return 0;
        }
        let gap = (size - (position as u64 & (size - 1))) & (size - 1);
        usize::try_from(gap).unwrap_or_default()
    }

    /// Takes an option that is a setting.
    fn set(&mut self, letter: u8) -> mlua::Result<()> {
        match letter {
            b' ' => {}
            b'>' => self.is_little = false,
            b'<' => self.is_little = true,
            b'!' => {
                let alignment = self.number(ALIGNMENT_DEFAULT)?;
                if !alignment.is_power_of_two() {
                    return Err(text(
                        self.lua,
                        &format!("alignment {alignment} is not a power of 2"),
                    ));
                }
                self.alignment = alignment;
            }
            _ => {
                let letter = char::from(letter);
                let problem = format!("invalid format option '{letter}'");
                return Err(bad_argument(self.lua, 1, &problem));
            }
        }
        Ok(())
    }

    /// Puts the low bytes of a number, which are given little end first.
    fn ordered(&self, mut little: Vec<u8>) -> Vec<u8> {
        if !self.is_little {
            little.reverse();
        }
        little
    }
}

/// The library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", lua.create_function(pack)?)?;
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    library.raw_set("size", lua.create_function(size)?)?;
    Ok(library)
}

fn pack(lua: &Lua, mut args: Variadic<Value>) -> mlua::Result<mlua::LuaString> {
    let format = bytes(lua, &args, 1)?;
    // The end of the arguments reads as nil, in messages too.
    args.push(Value::Nil);
    let mut format = Format::new(lua, &format);
    let mut out = Vec::new();
    let mut index = 2;
    while let Some(item) = format.next()? {
        out.resize(out.len() + format.gap(out.len(), &item), 0);
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = number(lua, &args, index)?;
                index += 1;
                out.extend(format.ordered(integer_bytes(value, item.bytes_len)));
            }
            b'x' => out.push(0),
            b'f' => {
                let value = number(lua, &args, index)?;
                index += 1;
                #[allow(clippy::cast_possible_truncation, reason = "what `f` is for")]
                let value = value as f32;
                out.extend(format.ordered(value.to_le_bytes().to_vec()));
            }
            b'd' => {
                let value = number(lua, &args, index)?;
                index += 1;
                out.extend(format.ordered(value.to_le_bytes().to_vec()));
            }
            b'c' | b's' => {
                let value = bytes(lua, &args, index)?;
                index += 1;
                let len = if item.bytes_len == 0 {
                    value.len()
                } else {
                    item.bytes_len
                };
                let Some(value) = value.get(..len) else {
                    return Err(bad_argument(lua, index, "string too short"));
                };
                out.extend_from_slice(value);
                if item.letter == b's' {
                    out.push(0);
                }
            }
            letter => format.set(letter)?,
        }
    }
    lua.create_string(out)
}

/// A number as an integer of so many bytes, little end first; past eight bytes there are zeros.
fn integer_bytes(value: f64, len: usize) -> Vec<u8> {
    let value = if value < 0.0 {
        to_integer(value).cast_unsigned()
    } else {
        to_unsigned(value)
    };
    let mut little = value.to_le_bytes().to_vec();
    little.resize(len.max(8), 0);
    little.truncate(len);
    little
}

fn unpack(lua: &Lua, args: Variadic<Value>) -> mlua::Result<Variadic<Value>> {
    let format = bytes(lua, &args, 1)?;
    let data = bytes(lua, &args, 2)?;
    let start = integer_or(lua, &args, 3, 1)?;
    if start == 0 {
        return Err(bad_argument(lua, 3, "offset must be 1 or greater"));
    }
    let too_short = || bad_argument(lua, 2, "data string too short");
    // A start before the data counts as one far past its end, which only an item to read minds.
    let mut position = usize::try_from((start - 1).cast_unsigned()).unwrap_or(usize::MAX);
    let mut format = Format::new(lua, &format);
    let mut values: Vec<Value> = Vec::new();
    while let Some(item) = format.next()? {
        position = position.saturating_add(format.gap(position, &item));
        let rest = data.get(position..).ok_or_else(too_short)?;
        let own = rest.get(..item.bytes_len).ok_or_else(too_short)?;
        let mut taken = item.bytes_len;
        match item.letter {
            b'b' | b'h' | b'l' | b'i' => values.push(integer_of(&format, own, true)),
            b'B' | b'H' | b'L' | b'T' | b'I' => values.push(integer_of(&format, own, false)),
            b'x' => {}
            b'f' => {
                let bytes = format.ordered(own.to_vec());
                let value = f32::from_le_bytes(bytes.try_into().unwrap_or_default());
                values.push(Value::Number(f64::from(value)));
            }
            b'd' => {
                let bytes = format.ordered(own.to_vec());
                let value = f64::from_le_bytes(bytes.try_into().unwrap_or_default());
                values.push(Value::Number(value));
            }
            b'c' => {
                if item.bytes_len == 0 {
                    let len = values
                        .last()
                        .and_then(|len| number(lua, std::slice::from_ref(len), 1).ok());
                    let Some(len) = len else {
                        return Err(text(lua, "format 'c0' needs a previous size"));
                    };
                    values.pop();
                    taken = usize::try_from(to_unsigned(len)).map_err(|_| too_short())?;
                }
                let own = rest.get(..taken).ok_or_else(too_short)?;
                values.push(Value::String(lua.create_string(own)?));
            }
            b's' => {
                let Some(len) = memchr::memchr(0, rest) else {
                    return Err(text(lua, "unfinished string in data"));
                };
                values.push(Value::String(lua.create_string(&rest[..len])?));
                taken = len + 1;
            }
            letter => format.set(letter)?,
        }
        position = position.wrapping_add(taken);
    }
    let next = (position as u64).wrapping_add(1).cast_signed();
    values.push(Value::Integer(next));
    Ok(values.into())
}

/// An integer of any width, of which the low eight bytes count.
fn integer_of(format: &Format<'_>, own: &[u8], is_signed: bool) -> Value {
    let mut value: u64 = 0;
    let little = format.ordered(own.to_vec());
    for &byte in little.iter().rev() {
        value = value << 8 | u64::from(byte);
    }
    let bits = u32::try_from(own.len() * 8).unwrap_or(u32::MAX);
    #[allow(clippy::cast_precision_loss, reason = "Lua has only doubles")]
    let value = if is_signed {
        let spare = 64u32.saturating_sub(bits).min(63);
        ((value << spare).cast_signed() >> spare) as f64
    } else {
        value as f64
    };
    Value::Number(value)
}

fn size(lua: &Lua, args: Variadic<Value>) -> mlua::Result<f64> {
    let format = bytes(lua, &args, 1)?;
    let mut format = Format::new(lua, &format);
    let mut position = 0usize;
    while let Some(item) = format.next()? {
        position += format.gap(position, &item);
        match item.letter {
            b's' => return Err(bad_argument(lua, 1, "option 's' has no fixed size")),
            b'c' if item.bytes_len == 0 => {
                return Err(bad_argument(lua, 1, "option 'c0' has no fixed size"));
            }
            // Letters that mean nothing are overlooked here, as they are elsewhere.
            letter if !letter.is_ascii_alphanumeric() => format.set(letter)?,
            _ => {}
        }
        position += item.bytes_len;
    }
    #[allow(clippy::cast_precision_loss, reason = "Lua has only doubles")]
    Ok(position as f64)
}
