//! One settings table, and everything that reads it.
//!
//! `table` (rows in `honoured` and `inert`) names the settings; `kind` says what values look like;
//! `load` puts defaults, file, environment and command line together; [`Config`] holds the result
//! for the life of the server and answers `CONFIG GET`, `SET` and `REWRITE` in text. The shapes of
//! replies are the command room's business. This room knows `sync`, and
//! `policy` to read policies.

mod cli;
#[cfg(test)]
mod doc;
mod environment;
mod events;
mod file;
mod honoured;
mod inert;
mod kind;
mod limits;
mod live;
mod load;
mod machine;
mod rewrite;
mod settings;
mod table;
mod values;

#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub use events::Events;
pub use kind::{Kind, parse_size};
pub use limits::{OutputLimit, OutputLimits};
pub use live::Live;
pub use load::{LoadError, Loaded, Start, load};
pub use machine::Machine;
pub use rewrite::RewriteError;
pub use settings::{BindAddress, LogFormat, LogLevel, PubsubOverflow, Settings, TlsAuthClients};
pub use table::{Change, Group, Spec, TABLE, index_of};

use crate::sync::Lock;
use values::{Values, guard};

/// All settings of a running server. Shared as an `Arc`.
///
/// Reading [`live`](Self::live) costs an atomic load; a [snapshot](Self::settings) costs a lock and
/// a reference count; the rest is for commands that people send.
#[derive(Debug)]
pub struct Config {
    live: Live,
    state: Lock<State>,
    machine: Machine,
    file: Option<PathBuf>,
    level_hook: OnceLock<LevelHook>,
    tls_hook: OnceLock<TlsHook>,
    clients_hook: OnceLock<ClientsHook>,
}

/// Carries the log level to the log, which this room does not know.
struct LevelHook(Box<dyn Fn(LogLevel) + Send + Sync>);

impl fmt::Debug for LevelHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelHook")
    }
}

/// Tries settings of TLS, which this room does not know, before they hold.
struct TlsHook(Box<TryTls>);

type TryTls = dyn Fn(&Settings) -> Result<(), String> + Send + Sync;

impl fmt::Debug for TlsHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsHook")
    }
}

/// Makes room for clients, of which this room knows none.
struct ClientsHook(Box<dyn Fn(u32) -> u32 + Send + Sync>);

impl fmt::Debug for ClientsHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientsHook")
    }
}

/// What the lock of [`Config`] guards; the snapshot always agrees with the values.
#[derive(Debug)]
struct State {
    values: Values,
    settings: Arc<Settings>,
}

/// A setting that `CONFIG SET` gave another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its current name, also if it was set by an older one.
    pub name: &'static str,
}

/// Why `CONFIG SET` changed nothing. Prints as Redis's whole error line, `ERR` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// No setting has this name.
    Unknown(Vec<u8>),
    /// This setting refused, for this reason.
    Refused(String, String),
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(
                f,
                "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                String::from_utf8_lossy(name)
            ),
            Self::Refused(name, reason) => write!(
                f,
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ),
        }
    }
}

impl std::error::Error for SetError {}

impl Default for Config {
    /// Defaults for the machine this runs on, without a file.
    fn default() -> Self {
        let machine = Machine::detect();
        Self::new(Values::defaults(&machine), machine, None)
    }
}

impl Config {
    fn new(values: Values, machine: Machine, file: Option<PathBuf>) -> Self {
        let settings = Arc::new(Settings::of(&values));
        Self {
            live: Live::new(&values),
            state: Lock::new(State { values, settings }),
            machine,
            file,
            level_hook: OnceLock::new(),
            tls_hook: OnceLock::new(),
            clients_hook: OnceLock::new(),
        }
    }

    /// The numbers that hot paths need.
    #[inline]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// All settings with an effect, as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.state.lock().settings)
    }

    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }

    /// What the machine gives the process, as read at start.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Has `apply` called with the log level after each `CONFIG SET`, so that it reaches the log. A
    /// second call changes nothing.
    pub fn on_log_level(&self, apply: impl Fn(LogLevel) + Send + Sync + 'static) {
        let _ = self.level_hook.set(LevelHook(Box::new(apply)));
    }

    /// Has `try_it` called with settings whose part on TLS is another than before; where it fails,
    /// they do not hold. A second call changes nothing.
    pub fn on_tls(&self, try_it: impl Fn(&Settings) -> Result<(), String> + Send + Sync + 'static) {
        let _ = self.tls_hook.set(TlsHook(Box::new(try_it)));
    }

    /// Has `make_room` called with another number of clients than before; it says how many there can
    /// be, and where that is less, `CONFIG SET` fails. A second call changes nothing.
    pub fn on_clients(&self, make_room: impl Fn(u32) -> u32 + Send + Sync + 'static) {
        let _ = self.clients_hook.set(ClientsHook(Box::new(make_room)));
    }

    /// `CONFIG GET`: the settings whose name `matches` wants, older names included, sorted.
    ///
    /// Redis ignores the case of patterns; the caller's matcher has to.
    pub fn get(&self, mut matches: impl FnMut(&str) -> bool) -> Vec<(&'static str, String)> {
        let state = self.state.lock();
        let mut found: Vec<_> = table::names()
            // Redis shows neither here: passwords and secret names are nobody's business.
            .filter(|(_, index)| !matches!(TABLE[*index].kind, Kind::Users | Kind::Renames))
            .filter(|(name, _)| matches(name))
            .map(|(name, index)| (name, state.values.render(index)))
            .collect();
        found.sort_unstable_by_key(|(name, _)| *name);
        found
    }

    /// `CONFIG SET`: gives all settings their new values, or none and says why.
    ///
    /// Returns the settings that have another value than before.
    pub fn set<N, V>(&self, pairs: &[(N, V)]) -> Result<Vec<Changed>, SetError>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        // Names come first, all of them, as in Redis: the first wrong one is the one reported.
        let mut targets: Vec<(String, usize)> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let name = name.as_ref();
            let unknown = || SetError::Unknown(name.to_vec());
            let name = std::str::from_utf8(name).map_err(|_| unknown())?.to_owned();
            let index = table::find(&name).ok_or_else(unknown)?;
            if let Some(reason) = guard(TABLE[index].change) {
                return Err(SetError::Refused(name, reason.into_owned()));
            }
            if targets
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(&name))
            {
                return Err(SetError::Refused(name, "duplicate parameter".to_owned()));
            }
            targets.push((name, index));
        }

        let mut state = self.state.lock();
        let mut values = state.values.clone();
        let mut changed = Vec::new();
        for ((name, index), (_, value)) in targets.into_iter().zip(pairs) {
            let assigned = match std::str::from_utf8(value.as_ref()) {
                Ok(text) => values.assign(index, text, &self.machine),
                Err(_) => Err("argument must be valid UTF-8".into()),
            };
            match assigned {
                Ok(true) => changed.push(Changed {
                    name: TABLE[index].name,
                }),
                Ok(false) => {}
                Err(reason) => return Err(SetError::Refused(name, reason.into_owned())),
            }
        }
        let settings = Settings::of(&values);
        self.try_clients(settings.maxclients, &changed)?;
        self.try_tls(&settings, &changed)?;
        state.settings = Arc::new(settings);
        self.live.store(&values);
        if let Some(LevelHook(apply)) = self.level_hook.get() {
            apply(state.settings.loglevel);
        }
        state.values = values;
        Ok(changed)
    }

    fn try_clients(&self, wanted: u32, changed: &[Changed]) -> Result<(), SetError> {
        let name = "maxclients";
        let Some(ClientsHook(make_room)) = self.clients_hook.get() else {
            return Ok(());
        };
        if changed.iter().all(|changed| changed.name != name) {
            return Ok(());
        }
        let room = make_room(wanted);
        if room >= wanted {
            return Ok(());
        }
        let reason = format!(
            "The operating system is not able to handle the specified number of clients, try with \
             {room}"
        );
        Err(SetError::Refused(name.to_owned(), reason))
    }

    fn try_tls(&self, settings: &Settings, changed: &[Changed]) -> Result<(), SetError> {
        let of_tls = changed
            .iter()
            .find(|changed| changed.name.starts_with("tls-"));
        let (Some(changed), Some(TlsHook(try_it))) = (of_tls, self.tls_hook.get()) else {
            return Ok(());
        };
        let reason = "Unable to update TLS configuration. Check server logs.".to_owned();
        try_it(settings).map_err(|_| SetError::Refused(changed.name.to_owned(), reason))
    }

    /// The policies, separated by `;`.
    pub fn policy_text(&self) -> String {
        let state = self.state.lock();
        state.values.text(const { index_of("policy") }).to_owned()
    }

    /// The routes, separated by `;`.
    pub fn route_text(&self) -> String {
        let state = self.state.lock();
        state.values.text(const { index_of("route") }).to_owned()
    }

    /// The users that the settings speak of: the name of each, and its rules.
    pub fn users(&self) -> Vec<Vec<String>> {
        self.lines_of_words(const { index_of("user") })
    }

    /// The commands that have other names, each with its new one.
    pub fn renames(&self) -> Vec<Vec<String>> {
        self.lines_of_words(const { index_of("rename-command") })
    }

    fn lines_of_words(&self, index: usize) -> Vec<Vec<String>> {
        let state = self.state.lock();
        // Lines with bad quotes are taken word by word.
        let words = |line: &str| {
            file::split_words(line)
                .unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect())
        };
        state.values.text(index).lines().map(words).collect()
    }

    /// Whether a configuration file can hold a user's line, so that its words come back.
    pub fn can_hold_user(line: &str) -> bool {
        file::split_words(line).is_some_and(|words| words.join(" ") == line)
    }

    /// Takes over users that were changed by commands, for `CONFIG REWRITE`.
    pub fn keep_user_text(&self, text: String) {
        self.keep(const { index_of("user") }, text);
    }

    /// Takes over policies that were changed by other ways than `CONFIG SET`, so that
    /// `CONFIG REWRITE` writes them.
    pub fn keep_policy_text(&self, text: String) {
        self.keep(const { index_of("policy") }, text);
    }

    /// The same for routes.
    pub fn keep_route_text(&self, text: String) {
        self.keep(const { index_of("route") }, text);
    }

    fn keep(&self, index: usize, text: String) {
        self.state.lock().values.put_text(index, text);
    }

    /// `CONFIG REWRITE`: brings the configuration file up to what is set now. Lines that already
    /// say so, comments and order stay; settings that are not in the file and not at their default
    /// are added at its end.
    pub fn rewrite(&self) -> Result<(), RewriteError> {
        let file = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        let values = self.state.lock().values.clone();
        rewrite::rewrite(file, &values, &self.machine)
    }
}
