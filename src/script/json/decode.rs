//! JSON as Lua values.

use super::super::native::Broken;
use super::super::number::read_prefix;
use super::super::pace::Pace;
use super::super::tape::{Note, Tape, Text};
use super::{DEPTH_MAX, Invalid, Settings};

/// What stands next in the text.
#[derive(Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Text),
    Number(f64),
    Truth(bool),
    Null,
    Colon,
    Comma,
    End,
    /// Not a token, and why.
    Wrong(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Truth(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Wrong(reason) => reason,
        }
    }
}

struct Decoding<'a> {
    pace: Pace<'a>,
    settings: &'a Settings,
    text: &'a [u8],
    /// Where the next token begins, blanks skipped or not.
    at: usize,
    /// Where the last token began, or what is wrong with it.
    token_at: usize,
    depth: u32,
    tape: &'a mut Tape,
}

/// Notes the value of a text.
pub(super) fn decode(
    pace: Pace<'_>,
    settings: &Settings,
    text: &[u8],
    tape: &mut Tape,
) -> Result<(), Broken> {
    tape.clear();
    let mut decoding = Decoding {
        pace,
        settings,
        text,
        at: 0,
        token_at: 0,
        depth: 0,
        tape,
    };
    if let [first, second, ..] = text
        && (*first == 0 || *second == 0)
    {
        let message = "JSON parser does not support UTF-16 or UTF-32";
        return Err(Broken::Text(message.to_owned()));
    }
    let token = decoding.token();
    decoding.value(token)?;
    match decoding.token() {
        Token::End => Ok(()),
        other => decoding.expected("the end", &other),
    }
}

impl Decoding<'_> {
    /// The byte at a position; the text ends with a zero, as C's strings do.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or_default()
    }

    fn expected<T>(&self, what: &str, found: &Token) -> Result<T, Broken> {
        let message = format!(
            "Expected {what} but found {} at character {}",
            found.name(),
            self.token_at + 1
        );
        Err(Broken::Text(message))
    }

    fn token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let single = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if self.settings.decode_invalid == Invalid::Refused && self.is_invalid_number() {
                    return Token::Wrong("invalid number");
                }
                return self.number();
            }
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let words = [
            (&b"true"[..], Token::Truth(true)),
            (b"false", Token::Truth(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        let may_be_number = matches!(rest[0], b'+' | b'N' | b'n' | b'I' | b'i');
        if may_be_number
            && self.settings.decode_invalid == Invalid::Allowed
            && self.is_invalid_number()
        {
            return self.number();
        }
        Token::Wrong("invalid token")
    }

    /// Whether the number here is one that C reads and JSON does not have.
    fn is_invalid_number(&self) -> bool {
        let rest = &self.text[self.at..];
        if rest.first() == Some(&b'+') {
            return true;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        match rest {
            [b'0', next, ..] => next.eq_ignore_ascii_case(&b'x') || next.is_ascii_digit(),
            [first, ..] if *first <= b'9' => false,
            [first, second, third, ..] => {
                let word = [*first, *second, *third].map(|byte| byte.to_ascii_lowercase());
                matches!(&word, b"inf" | b"nan")
            }
            _ => false,
        }
    }

    fn number(&mut self) -> Token {
        let rest = &self.text[self.at..];
        match read_prefix(rest) {
            Some((value, len)) => {
                self.at += len;
                Token::Number(value)
            }
            None => Token::Wrong("invalid number"),
        }
    }

    fn wrong_here(&mut self, reason: &'static str) -> Token {
        self.token_at = self.at;
        Token::Wrong(reason)
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(len) = memchr::memchr3(b'"', b'\\', 0, rest)
            && rest[len] == b'"'
        {
            self.at += len + 1;
            return Token::Text(Text::Read { start, len });
        }
        self.escaped_string()
    }

    /// A string in which something is escaped, behind its first quote.
    fn escaped_string(&mut self) -> Token {
        let start = self.tape.made.len();
        loop {
            let plain = match self.byte(self.at) {
                b'"' => break,
                0 => return self.wrong_here("unexpected end of string"),
                b'\\' => match self.byte(self.at + 1) {
                    plain @ (b'"' | b'\\' | b'/') => plain,
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'u' => {
                        let Some(len) = self.code_point() else {
                            return self.wrong_here("invalid unicode escape code");
                        };
                        self.at += len;
                        continue;
                    }
                    _ => return self.wrong_here("invalid escape code"),
                },
                byte => {
                    self.tape.made.push(byte);
                    self.at += 1;
                    continue;
                }
            };
            self.tape.made.push(plain);
            self.at += 2;
        }
        self.at += 1;
        let len = self.tape.made.len() - start;
        Token::Text(Text::Made { start, len })
    }

    /// Reads `\uXXXX`, or a pair of them; returns how many bytes that took.
    fn code_point(&mut self) -> Option<usize> {
        let first = self.hexadecimal(self.at + 2)?;
        let (code, len) = match first {
            0xdc00..=0xdfff => return None,
            0xd800..=0xdbff => {
                let follows = self.byte(self.at + 6) == b'\\' && self.byte(self.at + 7) == b'u';
                let second = if follows {
                    self.hexadecimal(self.at + 8)?
                } else {
                    return None;
                };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return None;
                }
                (0x10000 + ((first & 0x3ff) << 10 | second & 0x3ff), 12)
            }
            _ => (first, 6),
        };
        let letter = char::from_u32(code)?;
        let mut bytes = [0; 4];
        let bytes = letter.encode_utf8(&mut bytes).as_bytes();
        self.tape.made.extend_from_slice(bytes);
        Some(len)
    }

    fn hexadecimal(&self, at: usize) -> Option<u32> {
        let mut value = 0;
        for offset in 0..4 {
            value = value << 4 | char::from(self.byte(at + offset)).to_digit(16)?;
        }
        Some(value)
    }

    fn value(&mut self, token: Token) -> Result<(), Broken> {
        self.pace.step(self.tape.held_bytes())?;
        self.tape.push(match token {
            Token::Text(text) => Note::Text(text),
            Token::Number(number) => Note::Number(number),
            Token::Truth(truth) => Note::Truth(truth),
            Token::Null => Note::Null,
            Token::ObjectBegin => return self.object(),
            Token::ArrayBegin => return self.array(),
            other => return self.expected("value", &other),
        });
        Ok(())
    }

    fn descend(&mut self) -> Result<(), Broken> {
        self.depth += 1;
        if self.depth <= self.settings.decode_depth_max.min(DEPTH_MAX) {
            return Ok(());
        }
        let message = format!(
            "Found too many nested data structures ({}) at character {}",
            self.depth, self.at
        );
        Err(Broken::Text(message))
    }

    fn object(&mut self) -> Result<(), Broken> {
        self.descend()?;
        let begin = self.tape.len();
        self.tape.push(Note::Map(0));
        let mut pairs = 0;
        let mut token = self.token();
        if token != Token::ObjectEnd {
            loop {
                let Token::Text(name) = token else {
                    return self.expected("object key string", &token);
                };
                match self.token() {
                    Token::Colon => {}
                    other => return self.expected("colon", &other),
                }
                self.tape.push(Note::Text(name));
                let next = self.token();
                self.value(next)?;
                pairs += 1;
                match self.token() {
                    Token::ObjectEnd => break,
                    Token::Comma => {}
                    other => return self.expected("comma or object end", &other),
                }
                token = self.token();
            }
        }
        self.tape.replace(begin, Note::Map(pairs));
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Broken> {
        self.descend()?;
        let begin = self.tape.len();
        self.tape.push(Note::Array(0));
        let mut len = 0;
        let mut token = self.token();
        if token != Token::ArrayEnd {
            loop {
                self.value(token)?;
                len += 1;
                match self.token() {
                    Token::ArrayEnd => break,
                    Token::Comma => {}
                    other => return self.expected("comma or array end", &other),
                }
                token = self.token();
            }
        }
        self.tape.replace(begin, Note::Array(len));
        self.depth -= 1;
        Ok(())
    }
}
