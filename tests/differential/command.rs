//! One generated command: its arguments, how its reply is compared, and how it goes on the wire.

use crate::reply::quoted;

/// How two replies whose bytes differ are compared. Errors always compare as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// As bytes: nothing is forgiven.
    Exact,
    /// Members in any order (KEYS and its kin).
    AnyOrder,
    /// Members two by two, the pairs in any order (HGETALL of a large hash); members that are
    /// arrays count as one.
    Pairs,
    /// As many members of the same type: which ones is the server's own choice.
    Length,
    /// As many members of the same types (EXEC).
    Shape,
    /// `[cursor, members]` of a SCAN wide enough to end in one step: the members in any order.
    ScanPage,
    /// Integers, or arrays of them, at most this far apart; the negative codes are exact.
    Within(i64),
    /// Only the type must agree: the value is the server's own (ids, times, sizes, texts).
    Kind,
    /// Encoding names: small and large forms of the same type count as one.
    Encoding,
    /// What tells of streams: idle times and moments may differ by so many milliseconds, figures of
    /// the storage by anything.
    Clocked(i64),
    /// HELLO: the same fields in the same order, and the same protocol version.
    Hello,
    /// COMMAND INFO: name, arity, flags in any order, and key positions.
    CommandInfo,
    /// CONFIG GET: the same names in any order; values are each server's own.
    Names,
}

/// A command and how to judge its reply.
#[derive(Clone, Debug)]
pub struct Command {
    /// Name and arguments.
    pub args: Vec<Vec<u8>>,
    /// How its replies are compared.
    pub compare: Compare,
    /// Whether random damage to its arguments is safe: it cannot block, close or silence.
    pub damageable: bool,
    /// Sent as an inline line instead of an array.
    pub inline: bool,
}

impl Command {
    /// A command that compares exactly and may be damaged.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self {
            args: vec![name.as_ref().to_vec()],
            compare: Compare::Exact,
            damageable: true,
            inline: false,
        }
    }

    /// A command from words separated by spaces.
    pub fn words(line: &str) -> Self {
        let mut words = line.split(' ');
        Self::new(words.next().unwrap_or_default()).args(words)
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<[u8]>) -> Self {
        self.args.push(arg.as_ref().to_vec());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_vec()));
        self
    }

    /// Compares its replies in this way.
    pub fn compared(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }

    /// Keeps random damage away from it.
    pub fn undamaged(mut self) -> Self {
        self.damageable = false;
        self
    }

    /// Appends the request to what goes out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.inline {
            self.encode_inline(out);
            return;
        }
        encode_array(&self.args, out);
    }

    /// An inline request: plain words as they are, all else quoted.
    fn encode_inline(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
            if !arg.is_empty() && arg.iter().all(plain) {
                out.extend_from_slice(arg);
                continue;
            }
            out.push(b'"');
            for &byte in arg {
                match byte {
                    b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                    b'\n' => out.extend_from_slice(b"\\n"),
                    b'\r' => out.extend_from_slice(b"\\r"),
                    b'\t' => out.extend_from_slice(b"\\t"),
                    0x07 => out.extend_from_slice(b"\\a"),
                    0x08 => out.extend_from_slice(b"\\b"),
                    0x20..=0x7e => out.push(byte),
                    _ => write!(out, "\\x{byte:02x}").expect("a vector takes all"),
                }
            }
            out.push(b'"');
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The command as redis-cli would take it.
    pub fn shown(&self) -> String {
        let mut out = String::new();
        for arg in &self.args {
            if !out.is_empty() {
                out.push(' ');
            }
            let plain = !arg.is_empty()
                && arg
                    .iter()
                    .all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
            if plain && arg.len() < 200 {
                out.push_str(&String::from_utf8_lossy(arg));
            } else {
                out.push_str(&quoted(arg));
            }
        }
        if self.inline {
            out.push_str("    # inline");
        }
        out
    }

    /// The name in upper case, with the subcommand for containers.
    pub fn full_name(&self) -> String {
        let upper = |arg: &[u8]| String::from_utf8_lossy(arg).to_ascii_uppercase();
        let name = self.args.first().map(|arg| upper(arg)).unwrap_or_default();
        let container = [
            "CLIENT", "CONFIG", "COMMAND", "OBJECT", "MEMORY", "PUBSUB", "DEBUG", "XGROUP",
            "XINFO", "SCRIPT",
        ];
        match self.args.get(1) {
            Some(sub) if container.contains(&name.as_str()) => format!("{name} {}", upper(sub)),
            _ => name,
        }
    }
}

/// Appends an array of bulk strings.
pub fn encode_array(args: &[Vec<u8>], out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "*{}\r\n", args.len()).expect("a vector takes all");
    for arg in args {
        write!(out, "${}\r\n", arg.len()).expect("a vector takes all");
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}
