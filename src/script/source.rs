//! A script as it came from a client: its text, its name, and what its first line says about it.

use std::sync::atomic::AtomicBool;

use crate::protocol::split_line;

/// The name of a script: the SHA-1 of its text in lower-case hexadecimal.
pub type Sha = [u8; 40];

/// What a script may do, and must not be stopped from doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    /// It says nothing about itself: checks come as it goes.
    pub is_silent: bool,
    /// It does not write.
    pub no_writes: bool,
    /// It may run, and write, while memory is over the budget.
    pub allow_oom: bool,
}

impl Rules {
    /// Whether it says what it is, and not that it may run while memory is over the budget.
    pub fn may_grow(self) -> bool {
        !self.is_silent && !self.allow_oom && !self.no_writes
    }
}

/// A script.
#[derive(Debug)]
pub struct Script {
    /// The whole text.
    pub text: Box<[u8]>,
    /// Its name.
    pub sha: Sha,
    /// What its first line says.
    pub rules: Rules,
    /// Run since the last look for scripts that nobody uses. Relaxed: a hint.
    pub is_used: AtomicBool,
    /// Where the code begins: at the end of the first line where that is no code, so that lines
    /// keep their numbers.
    code_at: usize,
}

impl Script {
    /// A script of this text; an error line where its first line cannot be understood.
    pub fn new(text: &[u8]) -> Result<Self, Vec<u8>> {
        let (rules, code_at) = rules_of(text)?;
        Ok(Self {
            text: text.into(),
            sha: sha_of(text),
            rules,
            is_used: AtomicBool::new(false),
            code_at,
        })
    }

    /// What is to be compiled.
    pub fn code(&self) -> &[u8] {
        &self.text[self.code_at..]
    }
}

/// The name of a script of this text.
pub fn sha_of(text: &[u8]) -> Sha {
    let mut sha = [0; 40];
    let digest = sha1_smol::Sha1::from(text).digest().bytes();
    for (pair, byte) in sha.chunks_exact_mut(2).zip(digest) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    sha
}

/// The name that a request gives, in any case.
pub fn sha_from(name: &[u8]) -> Option<Sha> {
    let mut sha: Sha = name.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

/// Reads a first line such as `#!lua flags=no-writes,allow-oom`.
fn rules_of(text: &[u8]) -> Result<(Rules, usize), Vec<u8>> {
    if !text.starts_with(b"#!") {
        let rules = Rules {
            is_silent: true,
            ..Rules::default()
        };
        return Ok((rules, 0));
    }
    let Some(end) = memchr::memchr(b'\n', text) else {
        return Err(b"ERR Invalid script shebang".to_vec());
    };
    let line = &text[..end];
    if memchr::memchr(0, line).is_some() {
        return Err(b"ERR Invalid script shebang".to_vec());
    }
    let words = split_line(line).map_err(|_| b"ERR Invalid engine in script shebang".to_vec())?;
    let words = words.as_args();
    let engine = words.get(0).unwrap_or_default();
    if engine != b"#!lua" {
        return Err([b"ERR Unexpected engine in script shebang: ", engine].concat());
    }
    let mut rules = Rules::default();
    for word in words.tail(1) {
        let Some(flags) = word.strip_prefix(b"flags=") else {
            return Err([b"ERR Unknown lua shebang option: ", word].concat());
        };
        if flags.is_empty() {
            continue;
        }
        for flag in flags.split(|&byte| byte == b',') {
            match flag {
                b"no-writes" => rules.no_writes = true,
                b"allow-oom" => rules.allow_oom = true,
                // Weir is no replica, never loads, and has no slots.
                b"allow-stale" | b"no-cluster" | b"allow-cross-slot-keys" => {}
                _ => return Err([b"ERR Unexpected flag in script shebang: ", flag].concat()),
            }
        }
    }
    Ok((rules, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_digests() {
        assert_eq!(&sha_of(b""), b"da39a3ee5e6b4b0d3255bfef95601890afd80709");
        let upper = sha_of(b"return 1").to_ascii_uppercase();
        assert_eq!(sha_from(&upper), Some(sha_of(b"return 1")));
        assert_eq!(sha_from(b"x"), None);
    }

    #[test]
    fn first_lines_are_read_as_redis_reads_them() {
        let rules = |text: &str| {
            Script::new(text.as_bytes())
                .map(|script| script.rules)
                .map_err(|error| String::from_utf8_lossy(&error).into_owned())
        };
        assert!(rules("return 1").unwrap().is_silent);
        assert_eq!(rules("#!lua\nreturn 1"), Ok(Rules::default()));
        assert_eq!(rules("#!lua flags=\nreturn 1"), Ok(Rules::default()));
        let both = rules("#!lua  flags=no-writes,allow-oom flags=no-cluster\r\nreturn 1").unwrap();
        assert!(both.no_writes && both.allow_oom && !both.is_silent);
        for quoted in [
            "#!lua flags=\"no-writes\"\n",
            "#!lua 'flags=no-writes'\n",
            "#!\"lua\" flags=\"no\\x2dwrites\"\n",
        ] {
            assert!(rules(quoted).unwrap().no_writes, "{quoted}");
        }
        for (text, error) in [
            (
                "#!lua flags=\"no-writes\n",
                "ERR Invalid engine in script shebang",
            ),
            (
                "#!lua flags='no-writes'x\n",
                "ERR Invalid engine in script shebang",
            ),
            ("#!lua \"\"\n", "ERR Unknown lua shebang option: "),
            ("#!lua \0\n", "ERR Invalid script shebang"),
            ("#!lua", "ERR Invalid script shebang"),
            ("#!Lua\n", "ERR Unexpected engine in script shebang: #!Lua"),
            ("#! lua\n", "ERR Unexpected engine in script shebang: #!"),
            ("#!lua x\n", "ERR Unknown lua shebang option: x"),
            (
                "#!lua flags=no-writes,\n",
                "ERR Unexpected flag in script shebang: ",
            ),
        ] {
            assert_eq!(rules(text), Err(error.to_owned()));
        }
    }
}
