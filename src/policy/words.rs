//! The words of policies: sizes, durations, and texts that may need quotes.

/// Bytes in a unit, in any case: `k`, `m` and `g` are powers of 1000; `kb`, `mb` and `gb` of 1024, as
/// in Redis.
pub fn unit_bytes(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    })
}

/// Bytes, with an optional unit: `512`, `64kb`, `1gb`.
pub(super) fn parse_bytes(word: &str) -> Option<u64> {
    let (digits, unit) = split_unit(word);
    digits.parse::<u64>().ok()?.checked_mul(unit_bytes(unit)?)
}

/// Milliseconds, with an optional unit: `500`, `500ms`, `30s`, `5m`, `2h`, `7d`.
pub(super) fn parse_ms(word: &str) -> Option<u64> {
    let (digits, unit) = split_unit(word);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn split_unit(word: &str) -> (&str, &str) {
    let end = word
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(word.len());
    word.split_at(end)
}

/// Bytes that end a word unless it is quoted.
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b';' | b'"')
}

/// Writes a name so that [`split`] gives it back: as it is, or in double quotes with `\xHH` for
/// what is not printable.
pub(super) fn quote(name: &[u8], out: &mut String) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !ends_word(byte);
    if !name.is_empty() && name.iter().all(|&byte| is_plain(byte)) {
        out.extend(name.iter().map(|&byte| char::from(byte)));
        return;
    }
    out.push('"');
    for &byte in name {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' ' | b';' => out.push(char::from(byte)),
            byte if byte.is_ascii_graphic() => out.push(char::from(byte)),
            byte => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\x");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out.push('"');
}

/// Splits a text into lines at `;` and newlines outside quotes, and those into words at blanks.
/// `None` if a quote is not closed. Lines without words are left out.
pub(super) fn split(text: &str) -> Option<Vec<Vec<Vec<u8>>>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let mut bytes = text.bytes().peekable();
    while let Some(&byte) = bytes.peek() {
        if byte == b';' || byte == b'\n' {
            bytes.next();
            lines.push(std::mem::take(&mut line));
        } else if byte.is_ascii_whitespace() {
            bytes.next();
        } else if byte == b'"' {
            bytes.next();
            line.push(quoted(&mut bytes)?);
        } else {
            let mut word = Vec::new();
            while let Some(byte) = bytes.next_if(|&byte| !ends_word(byte)) {
                word.push(byte);
            }
            line.push(word);
        }
    }
    lines.push(line);
    lines.retain(|line| !line.is_empty());
    Some(lines)
}

/// The rest of a quoted word, up to its closing quote.
fn quoted(bytes: &mut impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    loop {
        match bytes.next()? {
            b'"' => return Some(word),
            b'\\' => match bytes.next()? {
                b'x' => {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
                    word.push(u8::try_from(value).ok()?);
                }
                byte => word.push(byte),
            },
            byte => word.push(byte),
        }
    }
}
