//! What the command table says of a command.

use smallvec::SmallVec;

use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::call::Call;
use super::outcome::Result;

/// A handler: pure and synchronous. It holds the shards of the keys that its command declares.
pub type Handler = fn(&mut Call<'_, '_>, Args<'_>) -> Result;

/// A set of command flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub u32);

impl Flags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// May change keys.
    pub const WRITE: Self = Self(1);
    /// Only reads keys.
    pub const READONLY: Self = Self(1 << 1);
    /// May use more memory: refused over the budget.
    pub const DENYOOM: Self = Self(1 << 2);
    /// For administrators.
    pub const ADMIN: Self = Self(1 << 3);
    /// Concerns channels.
    pub const PUBSUB: Self = Self(1 << 4);
    /// Not from scripts.
    pub const NOSCRIPT: Self = Self(1 << 5);
    /// May wait for keys.
    pub const BLOCKING: Self = Self(1 << 6);
    /// Allowed while loading (COMMAND INFO says so; Weir never loads).
    pub const LOADING: Self = Self(1 << 7);
    /// Allowed on a stale replica (likewise).
    pub const STALE: Self = Self(1 << 8);
    /// Not shown to MONITOR.
    pub const SKIP_MONITOR: Self = Self(1 << 9);
    /// Constant or logarithmic time: timed with its batch, not alone.
    pub const FAST: Self = Self(1 << 10);
    /// Allowed before authentication.
    pub const NO_AUTH: Self = Self(1 << 11);
    /// Not inside a transaction.
    pub const NO_MULTI: Self = Self(1 << 12);
    /// Runs at once inside a transaction instead of being queued.
    pub const NOT_QUEUED: Self = Self(1 << 13);
    /// Allowed to a RESP2 client that is subscribed.
    pub const SUBSCRIBED: Self = Self(1 << 14);
    /// Changes the whole keyspace in one step: runs with all shards held.
    pub const ALL_KEYS: Self = Self(1 << 15);
    /// Walks the keyspace shard by shard; with all shards held inside a transaction or script.
    pub const WALKS_KEYS: Self = Self(1 << 22);
    /// Keys are found by a function rather than by position.
    pub const MOVABLE_KEYS: Self = Self(1 << 16);
    /// Not shown to SLOWLOG.
    pub const SKIP_SLOWLOG: Self = Self(1 << 17);
    /// Runs even while clients are paused for all commands.
    pub const NO_PAUSE: Self = Self(1 << 18);
    /// May be refused or delayed by CLIENT PAUSE WRITE though it writes no key (PUBLISH).
    pub const MAY_REPLICATE: Self = Self(1 << 19);
    /// COMMAND INFO says `no_mandatory_keys`.
    pub const NO_MANDATORY_KEYS: Self = Self(1 << 20);
    /// COMMAND INFO says `allow_busy`.
    pub const ALLOW_BUSY: Self = Self(1 << 21);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// May read keys that it does not name: runs with all shards held if its patterns say so.
    pub const ROAMS: Self = Self(1 << 28);

    /// Its handler may take the requests that follow and repeat its command and key with its own:
    /// see `Ahead::take`.
    pub const RUNS_ON: Self = Self(1 << 29);

    /// Constant time, though COMMAND INFO does not call it fast; timed like those that are.
    pub const CHEAP: Self = Self(1 << 23);

    /// Whether it has any flag of `other`.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where a command's keys stand among its arguments.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// It has none.
    None,
    /// From `first` to `last` in steps; a negative `last` counts from the end.
    Range {
        /// Position of the first key.
        first: usize,
        /// Position of the last key.
        last: isize,
        /// Distance between keys.
        step: usize,
    },
    /// A count at `at`, keys behind it; `also` is one more key (a destination), or 0.
    Numbered {
        /// Position of the count.
        at: usize,
        /// Position of a further key, or 0.
        also: usize,
    },
    /// Found by a function; wrong arguments give no keys.
    Found(fn(Args<'_>, &mut KeyPositions)),
}

/// Positions of keys among the arguments.
pub type KeyPositions = SmallVec<[usize; 8]>;

impl Keys {
    /// One key as the first argument.
    pub const FIRST: Self = Self::Range {
        first: 1,
        last: 1,
        step: 1,
    };
    /// Two keys.
    pub const FIRST_TWO: Self = Self::Range {
        first: 1,
        last: 2,
        step: 1,
    };
    /// All arguments are keys.
    pub const ALL: Self = Self::Range {
        first: 1,
        last: -1,
        step: 1,
    };
    /// All arguments but the last are keys.
    pub const ALL_BUT_LAST: Self = Self::Range {
        first: 1,
        last: -2,
        step: 1,
    };

    /// Whether the first argument is the only key of a request of `len` arguments.
    #[inline]
    pub fn are_only_first(&self, len: usize) -> bool {
        match *self {
            Self::Range { first: 1, last, .. } if last < 0 => len == 1 + last.unsigned_abs(),
            Self::Range { first: 1, last, .. } => last == 1,
            _ => false,
        }
    }

    /// Appends the positions of the keys of a request.
    pub fn positions(&self, args: Args<'_>, out: &mut KeyPositions) {
        match *self {
            Self::None => {}
            Self::Range { first, last, step } => {
                let last = if last < 0 {
                    args.len().saturating_sub(last.unsigned_abs())
                } else {
                    last.unsigned_abs()
                };
                out.extend((first..=last.min(args.len().saturating_sub(1))).step_by(step));
            }
            Self::Numbered { at, also } => {
                if also > 0 && also < args.len() {
                    out.push(also);
                }
                let count = args.get(at).map_or(0, leading_integer);
                let count = usize::try_from(count).unwrap_or(0);
                if count <= args.len().saturating_sub(at + 1) {
                    out.extend(at + 1..=at + count);
                }
            }
            Self::Found(find) => find(args, out),
        }
    }
}

/// The integer that an argument begins with, 0 where it begins with none: Redis reads counts of
/// keys so when it only looks for keys.
fn leading_integer(argument: &[u8]) -> i64 {
    let argument = argument.trim_ascii_start();
    let argument = argument.strip_prefix(b"+").unwrap_or(argument);
    let digits = argument
        .iter()
        .skip(1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let len = argument.len().min(digits + 1);
    parse_i64(&argument[..len]).unwrap_or(0)
}

/// A command or a subcommand.
#[derive(Debug)]
pub struct Command {
    /// Lower-case name; of a subcommand without its command.
    pub name: &'static str,
    /// Arguments with the name (and the subcommand's): exactly this many, or at least the negated.
    pub arity: i32,
    /// Properties.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: Keys,
    /// COMMAND DOCS group.
    pub group: &'static str,
    /// The Redis version that brought it.
    pub since: &'static str,
    /// One line of what it does.
    pub summary: &'static str,
    /// Runs it; for a command with subcommands, runs when none is named or known.
    pub handler: Handler,
    /// Subcommands.
    pub subcommands: &'static [Command],
}

impl Command {
    /// A command without subcommands.
    #[allow(clippy::too_many_arguments, reason = "one line of the table")]
    pub const fn new(
        name: &'static str,
        arity: i32,
        flags: Flags,
        keys: Keys,
        group: &'static str,
        since: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            name,
            arity,
            flags,
            keys,
            group,
            since,
            summary,
            handler,
            subcommands: &[],
        }
    }

    /// Whether a request of `len` arguments fits.
    #[inline]
    pub fn takes(&self, len: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 {
            len >= wanted
        } else {
            len == wanted
        }
    }

    /// The subcommand of a name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands
            .iter()
            .find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A set of flags, for the table: `flags![WRITE, FAST]`.
#[macro_export]
macro_rules! flags {
    () => { $crate::command::Flags::NONE };
    ($($flag:ident),+ $(,)?) => { $crate::command::Flags(0 $(| $crate::command::Flags::$flag.0)+) };
}
