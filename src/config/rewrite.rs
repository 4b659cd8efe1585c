//! `CONFIG REWRITE`: the file brought up to the settings, with its comments and order kept.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Value as TomlValue};

use crate::policy::{Policies, Routes};

use super::file::{self, Entry, Syntax};
use super::kind::{Kind, Value};
use super::machine::Machine;
use super::table::{LEN, TABLE, find};
use super::values::{Layer, Values};

/// Why the file was not rewritten. Prints as Redis's whole error line, `ERR` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteError {
    /// The server was started without a file.
    NoFile,
    /// The file cannot be read, understood or replaced.
    Failed(String),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("ERR The server is running without a config file"),
            Self::Failed(reason) => write!(f, "ERR Rewriting config file: {reason}"),
        }
    }
}

impl std::error::Error for RewriteError {}

/// What has to happen to the file.
struct Plan {
    /// Settings whose lines in the file say something else, with the line that is to be kept.
    update: Vec<(usize, usize)>,
    /// Settings that have no line and are not at their default.
    append: Vec<usize>,
}

/// Rewrites the file in one step: a reader sees the old text or the new, never a part.
pub fn rewrite(path: &Path, values: &Values, machine: &Machine) -> Result<(), RewriteError> {
    let failed = |error: std::io::Error| RewriteError::Failed(error.to_string());
    let text = match std::fs::read_to_string(path) {
        // A file that is gone is written anew.
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.map_err(failed)?,
    };
    let syntax = Syntax::of(path, &text);
    let entries = file::parse(syntax, &text)
        .map_err(|fault| RewriteError::Failed(format!("line {}: {}", fault.line, fault.message)))?;
    let plan = plan(&entries, values, machine);
    let new = match syntax {
        Syntax::Toml => rewrite_toml(&text, &entries, &plan, values)?,
        Syntax::Lines => rewrite_lines(&text, &entries, &plan, values),
    };
    if new != text || !path.exists() {
        replace(path, new.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn plan(entries: &[Entry], values: &Values, machine: &Machine) -> Plan {
    let defaults = Values::defaults(machine);
    let mut written = defaults.clone();
    let mut layer = Layer::new(&mut written, machine);
    let mut last_line = [None; LEN];
    let mut spoiled = [false; LEN];
    for entry in entries {
        // A name that is no setting cannot have been there at start; it is left alone.
        if let Some(index) = find(&entry.name) {
            spoiled[index] |= layer.assign(index, &entry.text).is_err();
            last_line[index] = Some(entry.line);
        }
    }
    if let Err((index, _)) = layer.finish() {
        spoiled[index] = true;
    }
    let mut plan = Plan {
        update: Vec::new(),
        append: Vec::new(),
    };
    for index in 0..LEN {
        match last_line[index] {
            Some(line) if spoiled[index] || written.get(index) != values.get(index) => {
                plan.update.push((index, line));
            }
            None if defaults.get(index) != values.get(index) => plan.append.push(index),
            _ => {}
        }
    }
    plan
}

fn rewrite_toml(
    text: &str,
    entries: &[Entry],
    plan: &Plan,
    values: &Values,
) -> Result<String, RewriteError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| RewriteError::Failed(error.message().to_owned()))?;
    for (index, line) in &plan.update {
        for entry in entries
            .iter()
            .filter(|entry| find(&entry.name) == Some(*index))
        {
            if entry.line != *line {
                document.remove(&entry.name);
            } else if let Some(old) = document.get_mut(&entry.name).and_then(Item::as_value_mut) {
                let mut new = toml_value(*index, values, old.is_array());
                // The comment behind the value belongs to the setting, not to the value.
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
        }
    }
    for index in &plan.append {
        document.insert(
            TABLE[*index].name,
            Item::Value(toml_value(*index, values, false)),
        );
    }
    Ok(document.to_string())
}

fn toml_value(index: usize, values: &Values, as_array: bool) -> TomlValue {
    let kind = TABLE[index].kind;
    match (kind, values.get(index)) {
        (Kind::YesNo, Value::Int(number)) => (*number != 0).into(),
        (Kind::Choice(_) | Kind::Events | Kind::Octal { .. }, _) => values.render(index).into(),
        (_, Value::Int(number)) if *number >= 0 || kind.is_number() => (*number).into(),
        (Kind::Addresses, Value::Text(text)) if as_array => {
            text.split_whitespace().collect::<Array>().into()
        }
        (_, Value::Text(_)) if kind.is_lines() => {
            lines_of(index, values).iter().collect::<Array>().into()
        }
        _ => values.render(index).into(),
    }
}

fn rewrite_lines(text: &str, entries: &[Entry], plan: &Plan, values: &Values) -> String {
    let mut lines: Vec<Option<String>> = text.lines().map(|line| Some(line.to_owned())).collect();
    for (index, keep) in &plan.update {
        for entry in entries
            .iter()
            .filter(|entry| find(&entry.name) == Some(*index))
        {
            let new = (entry.line == *keep).then(|| plain_line(&entry.name, *index, values));
            lines[entry.line - 1] = new;
        }
    }
    let appended = plan
        .append
        .iter()
        .map(|index| Some(plain_line(TABLE[*index].name, *index, values)));
    lines.extend(appended);
    let mut new = String::with_capacity(text.len());
    for line in lines.into_iter().flatten() {
        new.push_str(&line);
        new.push('\n');
    }
    new
}

/// `name value`, with quotes where the value would not come back without them.
fn plain_line(name: &str, index: usize, values: &Values) -> String {
    if TABLE[index].kind.is_lines() {
        let lines = lines_of(index, values);
        if lines.is_empty() {
            return format!("{name} \"\"");
        }
        let lines = lines.into_iter().map(|line| format!("{name} {line}"));
        return lines.collect::<Vec<_>>().join("\n");
    }
    let value = values.render(index);
    let bare = file::split_words(&value).is_some_and(|words| {
        words.join(" ") == value && !words.is_empty() && (words.len() == 1 || is_list(index))
    });
    if bare {
        return format!("{name} {value}");
    }
    format!("{name} {}", file::quoted(&value))
}

/// The lines that a setting is made of.
fn lines_of(index: usize, values: &Values) -> Vec<String> {
    let text = values.text(index);
    // Both were checked when they were set.
    match TABLE[index].kind {
        Kind::Users | Kind::Renames => text.lines().map(str::to_owned).collect(),
        Kind::Routes => Routes::parse(text).map_or_else(|_| Vec::new(), |all| all.to_lines()),
        _ => Policies::parse(text).map_or_else(|_| Vec::new(), |all| all.to_lines()),
    }
}

fn is_list(index: usize) -> bool {
    TABLE[index].kind.is_list()
}

/// Writes beside the file and renames over it, with the file's own permissions.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    // A link stays a link: what it points to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".rewrite");
    let beside = path.with_file_name(name);
    let mut file = std::fs::File::create(&beside)?;
    if let Ok(old) = std::fs::metadata(&path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&beside, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            memory_bytes: Some(1 << 30),
            cores: 2,
            directory: "/".into(),
        }
    }

    /// Starts with `text` in a file, makes changes, rewrites: what the file holds then.
    fn rewritten(name: &str, text: &str, changes: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut values = Values::defaults(&machine());
        let machine = machine();
        let mut layer = Layer::new(&mut values, &machine);
        for entry in file::parse(Syntax::of(&path, text), text).unwrap() {
            layer
                .assign(find(&entry.name).unwrap(), &entry.text)
                .unwrap();
        }
        layer.finish().unwrap();
        for (name, value) in changes {
            values.assign(find(name).unwrap(), value, &machine).unwrap();
        }
        rewrite(&path, &values, &machine).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 1, "the draft is gone");

        // Reading it again gives the same settings, and a second rewrite nothing new.
        let mut again = Values::defaults(&machine);
        let mut layer = Layer::new(&mut again, &machine);
        for entry in file::parse(Syntax::of(&path, &after), &after).unwrap() {
            layer
                .assign(find(&entry.name).unwrap(), &entry.text)
                .unwrap();
        }
        layer.finish().unwrap();
        assert_eq!(again, values);
        rewrite(&path, &values, &machine).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        after
    }

    #[test]
    fn toml_keeps_comments_order_and_style() {
        let text = "# Ours.\nmaxmemory = \"50%\" # half\n\n# Where.\nbind = [\"127.0.0.1\"] # local\n\
                    hz = 20\nprotected-mode = true\n";
        assert_eq!(rewritten("weir.toml", text, &[]), text);
        let changes = [
            ("hz", "30"),
            ("bind", "127.0.0.1 ::1"),
            ("protected-mode", "no"),
            ("timeout", "7"),
            ("loglevel", "debug"),
            ("notify-keyspace-events", "KEA"),
            ("client-output-buffer-limit", "pubsub 1 2 3"),
            ("requirepass", "a \"b\" \\"),
        ];
        let expected = "# Ours.\nmaxmemory = \"50%\" # half\n\n# Where.\n\
                        bind = [\"127.0.0.1\", \"::1\"] # local\nhz = 30\nprotected-mode = false\n\
                        requirepass = 'a \"b\" \\'\ntimeout = 7\n\
                        client-output-buffer-limit = \"normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3\"\n\
                        notify-keyspace-events = \"AKE\"\nloglevel = \"debug\"\n";
        assert_eq!(rewritten("weir.toml", text, &changes), expected);
    }

    #[test]
    fn toml_goes_back_to_a_default() {
        let text = "hz = 20 # fast\nmaxmemory = 5\n";
        let changes = [("hz", "10"), ("maxmemory", "1kb")];
        let expected = "hz = 10 # fast\nmaxmemory = 1024\n";
        assert_eq!(rewritten("weir.toml", text, &changes), expected);
    }

    #[test]
    fn lines_keep_comments_and_order() {
        let text = "# Ours.\nport 7000\n\nsave 900 1\n# more\nsave 300 10\nslave-read-only yes\n";
        assert_eq!(rewritten("weir.conf", text, &[]), text);
        let changes = [
            ("save", "60 1"),
            ("replica-read-only", "no"),
            ("requirepass", "a b\"c"),
            ("client-output-buffer-limit", "pubsub 1 2 3"),
        ];
        let expected = "# Ours.\nport 7000\n\n# more\nsave 60 1\nslave-read-only no\n\
                        requirepass \"a b\\\"c\"\n\
                        client-output-buffer-limit normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3\n";
        assert_eq!(rewritten("weir.conf", text, &changes), expected);
        let emptied = rewritten("weir.conf", text, &[("save", "")]);
        assert_eq!(
            emptied,
            "# Ours.\nport 7000\n\n# more\nsave \"\"\nslave-read-only yes\n"
        );
    }

    #[test]
    fn a_file_that_is_gone_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let mut values = Values::defaults(&machine());
        let hz = find("hz").unwrap();
        for (value, text) in [("20", "hz 20\n"), ("10", "")] {
            let path = directory.path().join(value);
            values.assign(hz, value, &machine()).unwrap();
            rewrite(&path, &values, &machine()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn failures_are_in_the_words_of_redis() {
        let none = super::super::Config::default().rewrite().unwrap_err();
        assert_eq!(
            none.to_string(),
            "ERR The server is running without a config file"
        );
        let values = Values::defaults(&machine());
        let missing = rewrite(Path::new("/nowhere/weir.toml"), &values, &machine()).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "ERR Rewriting config file: No such file or directory (os error 2)"
        );
    }
}
