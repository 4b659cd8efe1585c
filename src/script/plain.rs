//! Scripts whose text shows that they leave `KEYS`, `ARGV` and `redis` as they are.
//!
//! Lua has no read-only tables, so globals lie behind a metatable, and to find one takes three
//! look-ups. For a plain script these three lie open in the table in which it finds its globals:
//! nothing in it can assign to them there, or put anything into `redis`.
//!
//! A name is assigned to where it stands before `=`, or before `,` in a list, or behind `function`.
//! So that is all that must not be found, comments in between included. Texts and comments are not
//! told from code: at worst a script is not called plain.

/// Whether code leaves these names as they are.
pub(super) fn is_plain(code: &[u8]) -> bool {
    let mut rest = code;
    while let Some(start) = rest.iter().position(is_of_name) {
        let (name, behind) = name_of(&rest[start..]);
        let is_harmless = match name {
            b"KEYS" | b"ARGV" => !may_be_assigned(behind),
            // Only ever asked for something in it.
            b"redis" => asks_for_member(behind),
            b"function" => defines_another(behind),
            _ => true,
        };
        if !is_harmless {
            return false;
        }
        rest = behind;
    }
    true
}

/// Whether what comes behind a name may make it something that is assigned to.
fn may_be_assigned(behind: &[u8]) -> bool {
    matches!(without_space(behind).first(), Some(b'=' | b',' | b'-'))
}

/// Whether what comes behind a name asks for something in what it names, and leaves that as it is.
fn asks_for_member(behind: &[u8]) -> bool {
    let (member, behind) = match behind.split_first() {
        Some((b'.', behind)) => name_of(behind),
        _ => return false,
    };
    !member.is_empty() && !may_be_assigned(behind)
}

/// Whether what comes behind `function` is no definition of one of the names.
fn defines_another(behind: &[u8]) -> bool {
    let behind = without_space(behind);
    match name_of(behind).0 {
        b"" => behind.first() == Some(&b'('),
        name => !matches!(name, b"KEYS" | b"ARGV" | b"redis"),
    }
}

/// The name that a text begins with, which may be empty, and what comes behind it.
fn name_of(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is_of_name(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Without the space at the beginning, as Lua sees it.
fn without_space(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte));
    &text[start.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_only_reads_the_names_is_plain() {
        for code in [
            "",
            "return 1",
            "return redis.call('LPUSH', KEYS[1], ARGV[1])",
            "local call = redis.call\nfor i = 1, #KEYS do call('DEL', KEYS[i]) end",
            "local function f(a) return unpack(ARGV) end return f(KEYS)",
            "KEYS[1] = ARGV [ 2 ]",
            "MYKEYS = 1 KEYS_ = 2 redis2 = 3 x.functions = 4",
            "return redis.sha1hex(ARGV[1]) == KEYS[1]",
        ] {
            assert!(is_plain(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn what_may_assign_to_a_name_is_not() {
        for code in [
            "KEYS = {}",
            "KEYS={}",
            "ARGV\n\t\x0b\x0c\r = 1",
            "KEYS, x = 1, 2",
            "x, ARGV = 1, 2",
            "KEYS --[[ ]] = 1",
            "function KEYS() end",
            "function ARGV.x() end",
            "function --\nKEYS() end",
            "function --[[ x ]] redis.call() end",
            "function redis.call() end",
            "local function redis() end",
            "redis = nil",
            "redis.call = nil",
            "redis.call , x = nil",
            "redis['call'] = nil",
            "redis .call = nil",
            "redis. call = nil",
            "redis.--\ncall = nil",
            "local r = redis r.call = nil",
            "for k in pairs(redis) do end",
            "return redis",
        ] {
            assert!(!is_plain(code.as_bytes()), "{code}");
        }
    }
}
