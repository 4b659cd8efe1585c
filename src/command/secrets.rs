//! Which arguments of a request are nobody's business: names of users and their passwords.

use std::ops::Range;

use crate::protocol::Args;

use super::table::{Found, table};

/// Shown in their place.
pub const REDACTED: &[u8] = b"(redacted)";
/// Settings whose values are not shown.
const SETTINGS: [&str; 3] = ["requirepass", "masterauth", "http-token"];

/// The positions of what MONITOR and SLOWLOG do not show. What the command is, and not the name
/// that it was asked for by, decides: it may have been renamed.
pub fn positions(found: &Found, args: Args<'_>) -> Range<usize> {
    match table().name(found.index) {
        "auth" => 1..args.len(),
        "acl|setuser" | "acl|deluser" | "acl|getuser" => 2..args.len(),
        "config|set" if of_words(args, &SETTINGS).next().is_some() => 2..args.len(),
        "hello" => {
            // More than one pair is unusual: what stands between them goes too.
            let mut pairs = of_words(args, &["auth"]);
            let first = pairs.next().unwrap_or(args.len());
            let last = pairs.last().unwrap_or(first);
            first + 1..last + 3
        }
        _ => 0..0,
    }
}

/// The positions, from the third argument on, of any of these words.
fn of_words(args: Args<'_>, words: &[&str]) -> impl Iterator<Item = usize> {
    (2..args.len()).filter(move |&at| {
        let mut words = words.iter();
        words.any(|word| args.at(at).eq_ignore_ascii_case(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::OwnedArgs;

    fn request(line: &str) -> OwnedArgs {
        line.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn a_command_of_another_name_keeps_its_secrets() {
        for (own, typed, hidden) in [
            ("hello 2", "greet 2 AUTH default pw", 3..5),
            ("hello 2", "greet 2 SETNAME x", 5..7),
            ("auth x", "login pw", 1..2),
            ("acl setuser x", "rights setuser alice >pw", 2..4),
            ("config set x y", "settings set port 1 requirepass pw", 2..6),
            ("config set x y", "settings set port 1", 0..0),
            ("set x y", "config set requirepass pw", 0..0),
        ] {
            let found = table().resolve(request(own).as_args()).unwrap();
            assert_eq!(
                positions(&found, request(typed).as_args()),
                hidden,
                "{typed}"
            );
        }
    }
}
