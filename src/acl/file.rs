//! Users as lines: `user NAME RULE ...`, one each, in an ACL file or in the settings.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::catalogue::Catalogue;
use super::has_blank;
use super::selector::RuleError;
use super::user::{User, joined};
use super::users::Users;

/// A user that a line makes.
#[derive(Debug)]
pub struct Definition {
    /// The name.
    pub name: Vec<u8>,
    /// The user.
    pub user: User,
}

/// The user of a name and its rules. The error names the rule.
pub fn parse_line(
    catalogue: &Catalogue,
    all_channels: bool,
    name: &[u8],
    words: &[&[u8]],
) -> Result<Definition, (String, Option<RuleError>)> {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if has_blank(name) {
        let text = format!("username '{}' contains invalid characters", shown(name));
        return Err((text, None));
    }
    let rules = joined(words.iter().copied()).map_err(|_| {
        (
            "Unmatched parenthesis in selector definition.".to_owned(),
            None,
        )
    })?;
    let mut user = User::new(catalogue, all_channels);
    for rule in rules {
        user.apply(catalogue, all_channels, &rule)
            .map_err(|error| (shown(&rule), Some(error)))?;
    }
    let name = name.to_vec();
    Ok(Definition { name, user })
}

/// Reads a whole file, or says all that is wrong with it.
pub fn read(
    catalogue: &Catalogue,
    all_channels: bool,
    path: &Path,
) -> Result<Vec<Definition>, String> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| {
        format!(
            "Error loading ACLs, opening file '{shown}': {}",
            reason(&error)
        )
    })?;
    let mut definitions: Vec<Definition> = Vec::new();
    let mut faults = String::new();
    for (at, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let [b"user", name, rules @ ..] = words.as_slice() else {
            // Writing to a string cannot fail, here and below.
            let _ = write!(
                faults,
                "{shown}:{at} should start with user keyword followed by the username. "
            );
            continue;
        };
        if definitions.iter().any(|known| known.name == *name) {
            let name = String::from_utf8_lossy(name);
            let _ = write!(
                faults,
                "WARNING: Duplicate user '{name}' found on line {at}. "
            );
            continue;
        }
        let _ = match parse_line(catalogue, all_channels, name, rules) {
            Ok(definition) => {
                definitions.push(definition);
                Ok(())
            }
            Err((rule, Some(error @ RuleError::Unknown))) => write!(
                faults,
                "{shown}:{at}: Error in applying operation '{rule}': {}. ",
                error.text()
            ),
            // A rule may hold a password: it is not repeated.
            Err((_, Some(error))) => write!(faults, "{shown}:{at}: {}. ", error.text()),
            Err((text, None)) => write!(faults, "{shown}:{at}: {text} "),
        };
    }
    if faults.is_empty() {
        return Ok(definitions);
    }
    faults.push_str(
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
    );
    Err(faults)
}

/// What the system says of an error, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// All users as lines, each without the word `user`.
pub fn describe_all(users: &Users) -> Vec<Vec<u8>> {
    let line = |account: &std::sync::Arc<super::Account>| {
        [account.name(), b" ", &account.user().describe()].concat()
    };
    users.all().iter().map(line).collect()
}

/// Writes all users to a file, in one step for who reads it.
pub fn save(users: &Users, path: &Path) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".tmp-{}", std::process::id()));
    let written = write_lines(users, Path::new(&beside)).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left of it is of no use; that it failed is told anyway.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_lines(users: &Users, path: &Path) -> io::Result<()> {
    // It holds digests of passwords, which are for the server alone.
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    for line in describe_all(users) {
        file.write_all(&[b"user ", &line[..], b"\n"].concat())?;
    }
    file.sync_all()
}
