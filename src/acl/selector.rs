//! One set of permissions: commands, keys and channels, changed by rules.
//!
//! A request is allowed by a selector only if it allows all of it: the command, every key and
//! every channel. Checking costs a bit for the command, and for each key or channel the patterns
//! until one matches.

use crate::glob;

use super::catalogue::Catalogue;
use super::has_blank;

/// What is done to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access(u8);

impl Access {
    /// Neither: its existence, type or length is asked for.
    pub const NONE: Self = Self(0);
    /// What it holds is read.
    pub const READ: Self = Self(1);
    /// What it holds is changed.
    pub const WRITE: Self = Self(2);
    /// Both.
    pub const BOTH: Self = Self(3);

    /// Either of the two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn covers(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// A key that a request names.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse<'a> {
    /// Its position among the arguments.
    pub position: usize,
    /// The key.
    pub name: &'a [u8],
    /// What is done to it.
    pub access: Access,
}

/// A channel that a request names.
#[derive(Clone, Copy, Debug)]
pub struct ChannelUse<'a> {
    /// Its position among the arguments.
    pub position: usize,
    /// The channel, or the pattern that is subscribed to.
    pub name: &'a [u8],
    /// Whether it is a pattern: then only the same pattern in the rules allows it.
    pub is_pattern: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Index of the command.
    pub command: usize,
    /// Whether everybody may run the command, as one must to say who one is.
    pub is_open: bool,
    /// The argument behind the command's name.
    pub first: Option<&'a [u8]>,
    /// The keys.
    pub keys: &'a [KeyUse<'a>],
    /// The channels to publish or subscribe to.
    pub channels: &'a [ChannelUse<'a>],
}

/// What was not allowed, in ascending order of what is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// The command.
    Command,
    /// A key.
    Key,
    /// The password, or the name.
    Auth,
    /// A channel.
    Channel,
}

/// A refusal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Denial {
    /// What was not allowed.
    pub reason: Reason,
    /// Where it stands among the arguments; 0 for the command.
    pub position: usize,
}

/// Why a rule was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    /// No such command or category.
    Unknown,
    /// No rule looks like this.
    Syntax,
    /// A key pattern besides all keys.
    KeysAfterAll,
    /// A channel pattern besides all channels.
    ChannelsAfterAll,
    /// A password that is not there cannot be removed.
    NoSuchPassword,
    /// Not 64 hexadecimal digits.
    BadDigest,
    /// An argument of a subcommand.
    ArgumentOfSubcommand,
}

impl RuleError {
    /// Redis's words for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::KeysAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and \
                 does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::ChannelsAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid \
                 and does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Self::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::BadDigest => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::ArgumentOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct KeyPattern {
    glob: Vec<u8>,
    access: Access,
}

/// A set of permissions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    /// Every command, without looking.
    all_commands: bool,
    /// Whether the rules start from all commands rather than from none.
    from_all: bool,
    /// A bit for each command.
    allowed: Vec<u64>,
    /// First arguments that are allowed of commands which are not.
    first_arguments: Vec<(usize, Vec<u8>)>,
    /// The rules on commands since the last on all, to be told again.
    rules: Vec<(bool, String)>,
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Vec<u8>>,
}

impl Selector {
    /// Nothing is allowed, but channels if the setting says so.
    pub fn new(catalogue: &Catalogue, all_channels: bool) -> Self {
        Self {
            all_commands: false,
            from_all: false,
            allowed: vec![0; catalogue.len().div_ceil(64)],
            first_arguments: Vec::new(),
            rules: Vec::new(),
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
        }
    }

    /// Whether nothing is refused.
    pub fn allows_everything(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Whether every channel is allowed.
    pub(super) fn allows_all_channels(&self) -> bool {
        self.all_channels
    }

    /// The channel patterns.
    pub(super) fn channels(&self) -> &[Vec<u8>] {
        &self.channels
    }

    /// Changes it by one rule.
    pub fn apply(&mut self, catalogue: &Catalogue, rule: &[u8]) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if is("allkeys") || is("~*") {
            self.set_keys(true);
        } else if is("resetkeys") {
            self.set_keys(false);
        } else if is("allchannels") || is("&*") {
            self.set_channels(true);
        } else if is("resetchannels") {
            self.set_channels(false);
        } else if is("allcommands") || is("+@all") {
            self.set_commands(true);
        } else if is("nocommands") || is("-@all") {
            self.set_commands(false);
        } else {
            return match rule {
                [b'~', glob @ ..] => self.add_keys(glob, Access::BOTH),
                [b'%', ..] if self.all_keys => Err(RuleError::KeysAfterAll),
                [b'%', rest @ ..] => {
                    let (access, glob) = parse_access(rest)?;
                    self.add_keys(glob, access)
                }
                [b'&', glob @ ..] => self.add_channels(glob),
                [sign @ (b'+' | b'-'), b'@', name @ ..] => {
                    self.switch_category(catalogue, name, *sign == b'+')
                }
                [b'+', name @ ..] if name.contains(&b'|') => self.allow_part(catalogue, name),
                [sign @ (b'+' | b'-'), name @ ..] => {
                    self.switch_command(catalogue, name, *sign == b'+')
                }
                _ => Err(RuleError::Syntax),
            };
        }
        Ok(())
    }

    fn set_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn set_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn set_commands(&mut self, all: bool) {
        self.all_commands = all;
        self.from_all = all;
        self.allowed.fill(if all { u64::MAX } else { 0 });
        self.first_arguments.clear();
        self.rules.clear();
    }

    fn add_keys(&mut self, glob: &[u8], access: Access) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::KeysAfterAll);
        }
        if has_blank(glob) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| known.glob == glob) {
            Some(known) => known.access = known.access.and(access),
            None => self.keys.push(KeyPattern {
                glob: glob.to_vec(),
                access,
            }),
        }
        Ok(())
    }

    fn add_channels(&mut self, glob: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::ChannelsAfterAll);
        }
        if has_blank(glob) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == glob) {
            self.channels.push(glob.to_vec());
        }
        Ok(())
    }

    fn switch_category(
        &mut self,
        catalogue: &Catalogue,
        name: &[u8],
        on: bool,
    ) -> Result<(), RuleError> {
        let members = catalogue.in_category(name).ok_or(RuleError::Unknown)?;
        self.note_rule(&[b"@", name].concat(), on);
        for command in members {
            self.switch(catalogue, command, on);
        }
        Ok(())
    }

    fn switch_command(
        &mut self,
        catalogue: &Catalogue,
        name: &[u8],
        on: bool,
    ) -> Result<(), RuleError> {
        let command = catalogue.find(name).ok_or(RuleError::Unknown)?;
        self.switch(catalogue, command, on);
        self.note_rule(catalogue.get(command).name.as_bytes(), on);
        Ok(())
    }

    /// `command|subcommand`, or `command|argument` of a command without subcommands.
    fn allow_part(&mut self, catalogue: &Catalogue, name: &[u8]) -> Result<(), RuleError> {
        let bar = name.iter().rposition(|&byte| byte == b'|').unwrap_or(0);
        let (whole, part) = (&name[..bar], &name[bar + 1..]);
        let command = catalogue.find(whole).ok_or(RuleError::Unknown)?;
        if catalogue.get(command).is_subcommand {
            return Err(RuleError::ArgumentOfSubcommand);
        }
        if part.is_empty() {
            return Err(RuleError::Syntax);
        }
        if catalogue.get(command).subcommands.is_empty() {
            if has_blank(part) {
                return Err(RuleError::Syntax);
            }
            let is_known =
                |(of, known): &(usize, Vec<u8>)| *of == command && known.eq_ignore_ascii_case(part);
            if !self.first_arguments.iter().any(is_known) {
                self.first_arguments.push((command, part.to_vec()));
            }
        } else {
            let subcommand = catalogue.find(name).ok_or(RuleError::Unknown)?;
            self.switch(catalogue, subcommand, true);
        }
        self.note_rule(name, true);
        Ok(())
    }

    /// Allows a command with its subcommands, or does not.
    fn switch(&mut self, catalogue: &Catalogue, command: usize, on: bool) {
        self.first_arguments.retain(|(of, _)| *of != command);
        let subcommands = catalogue.get(command).subcommands.clone();
        for index in std::iter::once(command).chain(subcommands) {
            let (word, bit) = (index / 64, 1 << (index % 64));
            if on {
                self.allowed[word] |= bit;
            } else {
                self.allowed[word] &= !bit;
                self.all_commands = false;
            }
        }
    }

    /// Notes a rule on commands in place of those that it makes void: on the same name, or on a
    /// part of it.
    fn note_rule(&mut self, name: &[u8], on: bool) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let is_void = |known: &str| {
            known
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        };
        self.rules.retain(|(_, known)| !is_void(known));
        self.rules.push((on, name));
    }

    /// Whether it allows a request.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Denial> {
        if !self.all_commands && !request.is_open && !self.allows_command(request) {
            return Err(Denial {
                reason: Reason::Command,
                position: 0,
            });
        }
        if !self.all_keys
            && let Some(key) = request.keys.iter().find(|key| !self.allows_key(key))
        {
            return Err(Denial {
                reason: Reason::Key,
                position: key.position,
            });
        }
        let is_denied =
            |channel: &&ChannelUse<'_>| !allows(&self.channels, channel.name, channel.is_pattern);
        if !self.all_channels
            && let Some(channel) = request.channels.iter().find(is_denied)
        {
            return Err(Denial {
                reason: Reason::Channel,
                position: channel.position,
            });
        }
        Ok(())
    }

    fn allows_command(&self, request: &Request<'_>) -> bool {
        let (word, bit) = (request.command / 64, 1 << (request.command % 64));
        let is_first = |(of, argument): &(usize, Vec<u8>)| {
            *of == request.command
                && request
                    .first
                    .is_some_and(|first| first.eq_ignore_ascii_case(argument))
        };
        self.allowed[word] & bit != 0 || self.first_arguments.iter().any(is_first)
    }

    fn allows_key(&self, key: &KeyUse<'_>) -> bool {
        self.keys.iter().any(|pattern| {
            pattern.access.covers(key.access) && glob::matches(&pattern.glob, key.name, false)
        })
    }

    /// Whether what is allowed of any key is allowed of all of them.
    pub(super) fn opens_all_keys(&self, access: Access) -> bool {
        let opens = |pattern: &KeyPattern| pattern.access.covers(access) && pattern.glob == b"*";
        self.all_keys || self.keys.iter().any(opens)
    }

    /// The rules on commands that make it what it is.
    pub fn describe_commands(&self) -> String {
        let mut text = String::from(if self.from_all { "+@all" } else { "-@all" });
        for (on, name) in &self.rules {
            text.push_str(if *on { " +" } else { " -" });
            text.push_str(name);
        }
        text
    }

    /// The rules on keys.
    pub fn describe_keys(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let rules = self.keys.iter().map(|pattern| {
            let head: &[u8] = match pattern.access {
                Access::READ => b"%R~",
                Access::WRITE => b"%W~",
                _ => b"~",
            };
            [head, &pattern.glob].concat()
        });
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules on channels.
    pub fn describe_channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let rules = self.channels.iter().map(|glob| [b"&", &glob[..]].concat());
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// All rules, which make a new selector what this one is.
    pub fn describe(&self) -> Vec<u8> {
        let mut parts = vec![self.describe_keys()];
        if !self.all_channels {
            parts.push(b"resetchannels".to_vec());
        }
        parts.push(self.describe_channels());
        parts.push(self.describe_commands().into_bytes());
        parts.retain(|part| !part.is_empty());
        parts.join(&b' ')
    }
}

/// Whether channel patterns allow a channel; a pattern is allowed by itself alone.
pub(super) fn allows<P: AsRef<[u8]>>(patterns: &[P], channel: &[u8], is_pattern: bool) -> bool {
    patterns.iter().any(|pattern| {
        let pattern = pattern.as_ref();
        if is_pattern {
            pattern == channel
        } else {
            glob::matches(pattern, channel, false)
        }
    })
}

/// What stands between `%` and `~`, and the pattern behind it. Without a `~` that is the empty
/// pattern, as in Redis.
fn parse_access(rest: &[u8]) -> Result<(Access, &[u8]), RuleError> {
    let mut access = Access::NONE;
    for (at, byte) in rest.iter().enumerate() {
        let more = match byte.to_ascii_uppercase() {
            b'R' => Access::READ,
            b'W' => Access::WRITE,
            b'~' if access != Access::NONE => return Ok((access, &rest[at + 1..])),
            _ => return Err(RuleError::Syntax),
        };
        if access.covers(more) {
            return Err(RuleError::Syntax);
        }
        access = access.and(more);
    }
    if access == Access::NONE {
        return Err(RuleError::Syntax);
    }
    Ok((access, b""))
}
