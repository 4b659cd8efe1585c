//! `CONFIG REWRITE`: the file brought up to the settings, with its comments and order kept.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Value as TomlValue};

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
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let syntax = Syntax::of(path, &text);
    let entries = file::parse(syntax, &text)
        .map_err(|fault| RewriteError::Failed(format!("line {}: {}", fault.line, fault.message)))?;
    let plan = plan(&entries, values, machine);
    let new = match syntax {
        Syntax::Toml => rewrite_toml(&text, &entries, &plan, values)?,
        Syntax::Lines => rewrite_lines(&text, &entries, &plan, values),
    };
    if new != text {
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
    let value = values.render(index);
    let bare = file::split_words(&value).is_some_and(|words| {
        words.join(" ") == value && !words.is_empty() && (words.len() == 1 || is_list(index))
    });
    if bare {
        return format!("{name} {value}");
    }
    let escaped = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\r', "\\r");
    format!("{name} \"{escaped}\"")
}

fn is_list(index: usize) -> bool {
    TABLE[index].kind.is_list()
}

/// Writes beside the file and renames over it, with the file's own permissions.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    // A link stays a link: what it points to is replaced.
    let path = std::fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".rewrite");
    let beside = path.with_file_name(name);
    let mut file = std::fs::File::create(&beside)?;
    file.set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&beside, &path)
}
