//! Who may do what: users, their rules, and the log of what was refused.
//!
//! `catalogue` is what rules may name, handed in by who knows the commands; `selector` is one set
//! of permissions, `user` is selectors with passwords, `users` is all of them; `file` reads and
//! writes them as lines, `log` remembers refusals, `attempts` failed logins. This room knows neither clients nor replies: it
//! is asked whether a [`Request`] is within a [`User`]'s rules.

mod attempts;
mod catalogue;
mod file;
mod log;
mod password;
mod selector;
mod user;
mod users;

#[cfg(test)]
mod tests;

pub use attempts::Attempts;
pub use catalogue::{Catalogue, Named};
pub use file::{Definition, describe_all, parse_line, read, save};
pub use log::{Context, Entry, Log};
pub use password::Digest;
pub use selector::{Access, ChannelUse, Denial, KeyUse, Reason, Request, RuleError, Selector};
pub use user::{User, joined};
pub use users::{Account, Badge, Users};

/// The user of those who have not said who they are.
pub const DEFAULT: &[u8] = b"default";

/// Whether a name or pattern has a byte that the lines of a file could not hold.
pub fn has_blank(text: &[u8]) -> bool {
    text.iter()
        .any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}
