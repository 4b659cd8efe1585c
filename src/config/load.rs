//! Start: defaults, file, environment and command line put together, each over the one before.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, Syntax};
use super::kind::Refusal;
use super::machine::Machine;
use super::table::{Group, TABLE, find, is_given_up, nearest};
use super::values::{Layer, Values};
use super::{Config, cli, environment};

/// What the command line asked for.
#[derive(Debug)]
pub enum Loaded {
    /// Run a server.
    Run(Start),
    /// Print this on standard output and exit with 0: `--help` and `--version`.
    Answer(String),
}

/// All a server needs to start.
#[derive(Debug)]
pub struct Start {
    /// The settings.
    pub config: Arc<Config>,
    /// What an operator should know about the settings; to be logged as warnings.
    pub warnings: Vec<String>,
}

/// Why there is nothing to run. Prints as what to say on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    message: String,
    exit_code: u8,
}

impl LoadError {
    fn new(origin: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            message: format!("weir: {origin}: {message}"),
            exit_code: 1,
        }
    }

    /// 2 for a command line that cannot be read, 1 for a value or a file that is wrong.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LoadError {}

/// Reads all sources. `args` starts with the program's name; `env` is the whole environment.
pub fn load(
    args: impl Iterator<Item = OsString>,
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded, LoadError> {
    load_on(Machine::detect(), args, env)
}

/// [`load`] on a given machine.
pub fn load_on(
    machine: Machine,
    args: impl Iterator<Item = OsString>,
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded, LoadError> {
    let flags = match cli::parse(args) {
        Ok(flags) => flags,
        Err(error) if error.exit_code() == 0 => {
            return Ok(Loaded::Answer(error.render().to_string()));
        }
        Err(error) => {
            let message = error.render().to_string();
            let message = message.trim_end().trim_start_matches("error: ");
            return Err(LoadError {
                message: format!("weir: {message}"),
                exit_code: 2,
            });
        }
    };
    let variables = environment::read(env);
    let defaults = Values::defaults(&machine);
    let mut values = defaults.clone();

    let file = flags
        .file
        .map(PathBuf::from)
        .or(variables.file.map(PathBuf::from))
        .map(|path| machine.directory.join(path));
    if let Some(path) = &file {
        apply_file(path, Layer::new(&mut values, &machine))?;
    }
    let mut layer = Layer::new(&mut values, &machine);
    for (index, variable, text) in variables.settings {
        layer.assign(index, &text).map_err(|refusal| {
            LoadError::new(format_args!("{variable}={text}"), advice(index, &refusal))
        })?;
    }
    finish(layer, |index| environment::variable(TABLE[index].name))?;
    let mut layer = Layer::new(&mut values, &machine);
    for (index, text) in flags.settings {
        layer.assign(index, &text).map_err(|refusal| {
            let name = TABLE[index].name;
            LoadError::new(format_args!("--{name} {text}"), advice(index, &refusal))
        })?;
    }
    finish(layer, |index| format!("--{}", TABLE[index].name))?;

    let mut warnings = variables.warnings;
    warnings.extend(without_effect(&values, &defaults));
    let config = Arc::new(Config::new(values, machine, file));
    Ok(Loaded::Run(Start { config, warnings }))
}

/// Ends a source; `origin` says where in it a setting stands.
fn finish(layer: Layer<'_>, origin: impl FnOnce(usize) -> String) -> Result<(), LoadError> {
    layer
        .finish()
        .map_err(|(index, refusal)| LoadError::new(origin(index), advice(index, &refusal)))
}

/// How deep files may include files.
const INCLUDED_MAX: usize = 16;

/// Reads a file and those that it includes, as one source.
fn apply_file(path: &Path, mut layer: Layer<'_>) -> Result<(), LoadError> {
    let mut last_places = BTreeMap::new();
    read_file(path, &mut layer, &mut last_places, 0)?;
    finish(layer, |index| {
        last_places.remove(&index).unwrap_or_default()
    })
}

/// Reads one file; notes where each setting stands last.
fn read_file(
    path: &Path,
    layer: &mut Layer<'_>,
    last_places: &mut BTreeMap<usize, String>,
    depth: usize,
) -> Result<(), LoadError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| LoadError::new(path.display(), format_args!("cannot read it: {error}")))?;
    let at = |line: usize| format!("{}:{line}", path.display());
    let entries = file::parse(Syntax::of(path, &text), &text)
        .map_err(|fault| LoadError::new(at(fault.line), fault.message))?;
    for entry in &entries {
        if entry.name.eq_ignore_ascii_case(file::INCLUDE) {
            if depth == INCLUDED_MAX {
                return Err(LoadError::new(
                    at(entry.line),
                    "files include files too deep",
                ));
            }
            let included = layer.machine().directory.join(&entry.text);
            read_file(&included, layer, last_places, depth + 1)?;
            continue;
        }
        if is_given_up(&entry.name) {
            continue;
        }
        let Some(index) = find(&entry.name) else {
            let hint = nearest(&entry.name).map_or_else(
                || "docs/CONFIG.md lists the settings".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            let message = format!("{}: no such setting; {hint}", entry.name);
            return Err(LoadError::new(at(entry.line), message));
        };
        layer.assign(index, &entry.text).map_err(|refusal| {
            let advice = advice(index, &refusal);
            LoadError::new(
                at(entry.line),
                format_args!("{} {}: {advice}", entry.name, entry.text),
            )
        })?;
        last_places.insert(index, at(entry.line));
    }
    Ok(())
}

/// What was wrong with a value, and what would have been right.
fn advice(index: usize, refusal: &Refusal) -> String {
    let spec = &TABLE[index];
    format!("{refusal}; {} takes {}", spec.name, spec.kind.expects())
}

/// One line per group of settings that were asked for and do nothing.
fn without_effect(values: &Values, defaults: &Values) -> Vec<String> {
    let asked = |group: Group| {
        let names: Vec<&str> = (0..TABLE.len())
            .filter(|index| TABLE[*index].inert && TABLE[*index].group == group)
            .filter(|index| values.get(*index) != defaults.get(*index))
            .map(|index| TABLE[index].name)
            .collect();
        (group, names)
    };
    Group::INERT
        .into_iter()
        .map(asked)
        .filter(|(_, names)| !names.is_empty())
        .map(|(group, names)| format!("without effect: {}. {}", names.join(", "), group.remark()))
        .collect()
}
