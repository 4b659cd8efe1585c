//! Configuration files: TOML, or the `name value` lines of redis.conf.

use std::path::Path;

use toml_edit::{Document, Item, Value as TomlValue};

use super::table::{TABLE, find};

/// One setting as a file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as written.
    pub name: String,
    /// The value in the form of the command line.
    pub text: String,
    /// Line of the name, counted from one.
    pub line: usize,
}

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, counted from one.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// The two languages of configuration files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `name = value`.
    Toml,
    /// `name value`.
    Lines,
}

impl Syntax {
    /// TOML by its extension; otherwise what the first line that says something looks like.
    pub fn of(path: &Path, text: &str) -> Self {
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            return Self::Toml;
        }
        let first = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))
            .unwrap_or_default();
        let name_end = first.find(|c: char| c.is_whitespace() || c == '=');
        let after = name_end.map_or("", |end| first[end..].trim_start());
        if first.starts_with('[') || after.starts_with('=') {
            Self::Toml
        } else {
            Self::Lines
        }
    }
}

/// Reads the settings of a file, in its order.
pub fn parse(syntax: Syntax, text: &str) -> Result<Vec<Entry>, Fault> {
    match syntax {
        Syntax::Toml => parse_toml(text),
        Syntax::Lines => parse_lines(text),
    }
}

fn parse_toml(text: &str) -> Result<Vec<Entry>, Fault> {
    let document = Document::parse(text).map_err(|error| Fault {
        line: line_at(text, error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let table = document.as_table();
    let mut entries = Vec::new();
    for (name, item) in table {
        let start = table.key(name).and_then(toml_edit::Key::span);
        let line = line_at(text, start.map_or(0, |span| span.start));
        let separator = find(name).map_or(" ", |index| TABLE[index].kind.separator());
        let text = item_text(item, separator).ok_or_else(|| Fault {
            line,
            message: format!(
                "{name}: a setting is a string, a number, true, false, or an array of them"
            ),
        })?;
        entries.push(Entry {
            name: name.to_owned(),
            text,
            line,
        });
    }
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

/// The value of an item in the form of the command line.
fn item_text(item: &Item, separator: &str) -> Option<String> {
    match item.as_value()? {
        TomlValue::String(text) => Some(text.value().clone()),
        TomlValue::Integer(number) => Some(number.value().to_string()),
        TomlValue::Float(number) => Some(number.value().to_string()),
        TomlValue::Boolean(yes) => Some(if *yes.value() { "yes" } else { "no" }.to_owned()),
        TomlValue::Array(array) => {
            let words: Option<Vec<String>> = array
                .iter()
                .map(|value| item_text(&Item::Value(value.clone()), " "))
                .collect();
            Some(words?.join(separator))
        }
        TomlValue::Datetime(_) | TomlValue::InlineTable(_) => None,
    }
}

/// Whether a setting takes lines.
fn is_lines(name: &str) -> bool {
    find(name).is_some_and(|index| TABLE[index].kind.is_lines())
}

fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset)
        .map_or(1, |before| 1 + before.matches('\n').count())
}

/// Directives of redis.conf that Weir has nothing for.
const UNSUPPORTED: [&str; 2] = ["loadmodule", "loadmodule-ex"];
/// The directive that names a file to be read in its place.
pub const INCLUDE: &str = "include";

fn parse_lines(text: &str) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let fault = |message: String| Fault { line, message };
        let words = split_words(content)
            .ok_or_else(|| fault("unbalanced quotes, or text right after one".to_owned()))?;
        let Some((name, values)) = words.split_first() else {
            continue;
        };
        if UNSUPPORTED
            .iter()
            .any(|word| word.eq_ignore_ascii_case(name))
        {
            return Err(fault(format!(
                "{name}: Weir does not support this directive"
            )));
        }
        if values.is_empty() {
            return Err(fault(format!("{name}: the value is missing")));
        }
        if is_lines(name) {
            // Its words have quotes of their own.
            let text = content[name.len()..].trim();
            let whole = if values.len() == 1 { &*values[0] } else { text };
            entries.push(Entry {
                name: name.clone(),
                text: whole.to_owned(),
                line,
            });
            continue;
        }
        // A name that is no setting is reported as such by the caller.
        let one = find(name).is_some_and(|index| !TABLE[index].kind.is_list());
        if values.len() > 1 && one {
            return Err(fault(format!(
                "{name}: takes one value; put quotes around one that has spaces"
            )));
        }
        entries.push(Entry {
            name: name.clone(),
            text: values.join(" "),
            line,
        });
    }
    Ok(entries)
}

/// Splits a line at blanks. Double quotes keep blanks and understand `\n \r \t \b \a \xHH`; single
/// quotes understand `\'`. `None` if a quote is not closed or something follows it directly.
pub fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' => double_quoted(&rest[1..])?,
            '\'' => single_quoted(&rest[1..])?,
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if after.starts_with(|c: char| !c.is_whitespace()) {
            return None;
        }
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

/// A word as [`split_words`] finds it again.
pub fn quoted(word: &str) -> String {
    if split_words(word).is_some_and(|words| words == [word]) {
        return word.to_owned();
    }
    let escaped = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\r', "\\r");
    format!("\"{escaped}\"")
}

fn double_quoted(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((word, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => word.push('\n'),
                'r' => word.push('\r'),
                't' => word.push('\t'),
                'b' => word.push('\u{8}'),
                'a' => word.push('\u{7}'),
                'x' if text.get(at + 2..at + 4).is_some_and(is_hex) => {
                    let code = u8::from_str_radix(&text[at + 2..at + 4], 16).ok()?;
                    word.push(char::from(code));
                    chars.next();
                    chars.next();
                }
                other => word.push(other),
            },
            _ => word.push(c),
        }
    }
    None
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn single_quoted(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((word, &text[at + 1..])),
            '\\' if chars.next_if(|(_, next)| *next == '\'').is_some() => word.push('\''),
            _ => word.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, value and line of every setting, or line and text of the fault.
    type Expected<'a> = Result<&'a [(&'a str, &'a str, usize)], (usize, &'a str)>;

    fn check(syntax: Syntax, text: &str, expected: Expected<'_>) {
        let parsed = parse(syntax, text);
        let parsed = parsed.as_ref().map(|entries| {
            let triple = |entry: &'_ Entry| (entry.name.clone(), entry.text.clone(), entry.line);
            entries.iter().map(triple).collect::<Vec<_>>()
        });
        let expected = expected.map(|entries| {
            let triple = |(name, text, line): &(&str, &str, usize)| {
                ((*name).to_owned(), (*text).to_owned(), *line)
            };
            entries.iter().map(triple).collect::<Vec<_>>()
        });
        match (parsed, expected) {
            (Ok(parsed), Ok(expected)) => assert_eq!(parsed, expected, "{text}"),
            (Err(fault), Err((line, message))) => {
                assert_eq!(
                    (fault.line, fault.message.as_str()),
                    (line, message),
                    "{text}"
                );
            }
            (parsed, expected) => panic!("{text}: {parsed:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn syntax_by_extension_then_by_first_line() {
        for (path, text, syntax) in [
            ("a.toml", "port 7000", Syntax::Toml),
            ("a.conf", "\n# port = 1\nport 7000", Syntax::Lines),
            ("a.conf", "port=7000", Syntax::Toml),
            ("a", "port = 7000", Syntax::Toml),
            ("a", "[a]", Syntax::Toml),
            ("a", "requirepass = ", Syntax::Toml),
            ("a", "requirepass a=b", Syntax::Lines),
            ("a", "", Syntax::Lines),
        ] {
            assert_eq!(Syntax::of(Path::new(path), text), syntax, "{path}: {text}");
        }
    }

    #[test]
    fn toml_values_become_text() {
        let text = "# top\nport = 7000\nbind = [\"127.0.0.1\", \"::1\"] # two\nappendonly = false\n\
                    maxmemory = \"1gb\"\nsave = \"\"\nlatency-tracking-info-percentiles = [50, 99.9]\n";
        let expected: &[_] = &[
            ("port", "7000", 2),
            ("bind", "127.0.0.1 ::1", 3),
            ("appendonly", "no", 4),
            ("maxmemory", "1gb", 5),
            ("save", "", 6),
            ("latency-tracking-info-percentiles", "50 99.9", 7),
        ];
        check(Syntax::Toml, text, Ok(expected));
    }

    #[test]
    fn toml_faults_have_lines() {
        let kinds = "a setting is a string, a number, true, false, or an array of them";
        check(
            Syntax::Toml,
            "a = 1\n[network]\nport = 1",
            Err((2, &format!("network: {kinds}"))),
        );
        check(
            Syntax::Toml,
            "port = 1\nport = 2",
            Err((2, "duplicate key")),
        );
        let fault = parse(Syntax::Toml, "port = 1\n\nbind = \n").unwrap_err();
        assert_eq!(fault.line, 3, "{}", fault.message);
    }

    #[test]
    fn lines_as_in_redis_conf() {
        let text = "# comment\n\nport 7000\n  bind 127.0.0.1 -::1  \nsave 900 1\nsave \"\"\n\
                    requirepass 'it\\'s'\nlogfile \"a b\\x41\\n\"\nsave \"60 1\"";
        let expected: &[_] = &[
            ("port", "7000", 3),
            ("bind", "127.0.0.1 -::1", 4),
            ("save", "900 1", 5),
            ("save", "", 6),
            ("requirepass", "it's", 7),
            ("logfile", "a bA\n", 8),
            ("save", "60 1", 9),
        ];
        check(Syntax::Lines, text, Ok(expected));
    }

    #[test]
    fn faults_of_lines() {
        let quotes = "unbalanced quotes, or text right after one";
        check(Syntax::Lines, "port 1\nlogfile \"a", Err((2, quotes)));
        check(Syntax::Lines, "logfile \"a\"b", Err((1, quotes)));
        check(
            Syntax::Lines,
            "port",
            Err((1, "port: the value is missing")),
        );
        let one = "port: takes one value; put quotes around one that has spaces";
        check(Syntax::Lines, "port 1 2", Err((1, one)));
        let module = "loadmodule: Weir does not support this directive";
        check(Syntax::Lines, "\nloadmodule a.so", Err((2, module)));
        let include = [("include", "other.conf", 2)];
        check(Syntax::Lines, "\ninclude other.conf", Ok(&include));
    }
}
