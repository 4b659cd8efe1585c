//! ACL: there is one user, `default`, who may do everything.

use std::fmt::Write as _;
use std::io::Read as _;

use crate::flags;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::Command;
use super::super::table::table;
use super::categories::{self, CATEGORIES};

/// ACL and its subcommands.
#[rustfmt::skip]
pub(super) const ACL: Command =
    container!("acl", "server", "6.0.0", "A container for Access List Control commands.", [
        row!("whoami", 2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Returns the authenticated username of the current connection.", whoami),
        row!("cat", -2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists the ACL categories, or the commands inside a category.", cat),
        row!("list", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Dumps the effective rules in ACL file format.", list),
        row!("users", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists all ACL users.", users),
        row!("getuser", 3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists the ACL rules of a user.", getuser),
        row!("setuser", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Refused: the default user is the only one; its password is the setting requirepass.", setuser),
        row!("deluser", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Deletes ACL users, of which there are none that can be.", deluser),
        row!("genpass", -2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Generates a pseudorandom, secure password that can be used to identify ACL users.", genpass),
        row!("dryrun", -4, flags![ADMIN, NOSCRIPT, LOADING, STALE], "7.0.0",
            "Simulates the execution of a command by a user, without executing the command.", dryrun),
        row!("log", -2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists recent security events generated due to ACL rules, of which there are none.", log),
        row!("load", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Refused: Weir has no ACL file.", refuse_file),
        row!("save", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Refused: Weir has no ACL file.", refuse_file),
    ]);

const USER: &[u8] = b"default";

/// ACL WHOAMI
fn whoami(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.bulk(USER);
    Ok(Outcome::Done)
}

/// ACL CAT [category]
fn cat(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let Some(asked) = args.get(2) else {
        call.reply.array(CATEGORIES.len());
        for category in CATEGORIES {
            call.reply.bulk_str(category);
        }
        return Ok(Outcome::Done);
    };
    if args.len() > 3 {
        return Err(super::wrong_arguments(args, "ACL"));
    }
    let is_asked = |category: &&str| category.as_bytes().eq_ignore_ascii_case(asked);
    let Some(category) = CATEGORIES.into_iter().find(is_asked) else {
        return Err(Error::Bytes(
            [b"ERR Unknown category '", asked, b"'"].concat(),
        ));
    };
    let later = call.reply.array_later();
    let mut len = 0;
    for (name, command) in table().with_subcommands() {
        if categories::is_in(name, command, category) {
            call.reply.bulk_str(name);
            len += 1;
        }
    }
    call.reply.close_array(later, len);
    Ok(Outcome::Done)
}

/// ACL LIST
fn list(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let nopass = if call.engine.has_password() {
        ""
    } else {
        "nopass "
    };
    call.reply.array(1);
    let line = format!("user default on {nopass}sanitize-payload ~* &* +@all");
    call.reply.bulk_str(&line);
    Ok(Outcome::Done)
}

/// ACL USERS
fn users(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.array(1);
    call.reply.bulk(USER);
    Ok(Outcome::Done)
}

/// ACL GETUSER username
fn getuser(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let has_password = call.engine.has_password();
    let reply = &mut *call.reply;
    if args.at(2) != USER {
        reply.null();
        return Ok(Outcome::Done);
    }
    reply.map(6);
    reply.bulk_str("flags");
    let flags: &[&str] = if has_password {
        &["on", "sanitize-payload"]
    } else {
        &["on", "nopass", "sanitize-payload"]
    };
    reply.set(flags.len());
    for flag in flags {
        reply.bulk_str(flag);
    }
    reply.bulk_str("passwords");
    reply.empty_array();
    for (field, value) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        reply.bulk_str(field);
        reply.bulk_str(value);
    }
    reply.bulk_str("selectors");
    reply.empty_array();
    Ok(Outcome::Done)
}

/// ACL SETUSER username [rule [rule ...]]
fn setuser(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::line(
        "ERR Weir has the default user only; CONFIG SET requirepass sets its password",
    ))
}

/// ACL DELUSER username [username ...]
fn deluser(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.from(2).any(|user| user == USER) {
        return Err(Error::line("ERR The 'default' user cannot be removed"));
    }
    call.reply.integer(0);
    Ok(Outcome::Done)
}

/// ACL GENPASS [bits]
fn genpass(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    const BITS_MAX: i64 = 4096;
    if args.len() > 3 {
        return Err(super::wrong_arguments(args, "ACL"));
    }
    let bits = args
        .get(2)
        .map_or(Some(256), parse_i64)
        .ok_or(Error::NotInteger)?;
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(Error::line(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a \
             positive number up to 4096",
        ));
    }
    // The engine's own randomness is not meant for secrets.
    let digits_len = usize::try_from(bits).unwrap_or(0).div_ceil(4);
    let mut bytes = vec![0; digits_len.div_ceil(2)];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Error::text(&format!("cannot read random bytes: {error}")))?;
    let mut digits = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    call.reply.bulk_str(&digits[..digits_len]);
    Ok(Outcome::Done)
}

/// ACL DRYRUN username command [arg [arg ...]]
fn dryrun(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.at(2) != USER {
        return Err(Error::Bytes(
            [b"ERR User '", args.at(2), b"' not found"].concat(),
        ));
    }
    let request = args.tail(3);
    let found = table()
        .resolve(request)
        .filter(|found| !found.is_unknown_subcommand);
    let Some(found) = found else {
        return Err(Error::Bytes(
            [b"ERR Command '", args.at(3), b"' not found"].concat(),
        ));
    };
    if !found.command.takes(request.len()) {
        return Err(Error::Arity(table().name(found.index).into()));
    }
    call.reply.ok();
    Ok(Outcome::Done)
}

/// ACL LOG [count | RESET]
fn log(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    match args.get(2) {
        _ if args.len() > 3 => return Err(super::wrong_arguments(args, "ACL")),
        Some(word) if word.eq_ignore_ascii_case(b"reset") => call.reply.ok(),
        Some(count) if parse_i64(count).is_none() => return Err(Error::NotInteger),
        _ => call.reply.empty_array(),
    }
    Ok(Outcome::Done)
}

/// ACL LOAD
/// ACL SAVE
fn refuse_file(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::line("ERR Weir has no ACL file"))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn there_is_one_user() {
        let bench = Bench::new();
        assert_eq!(bench.run("ACL WHOAMI"), "$7 default");
        assert_eq!(bench.run("ACL USERS"), "*1 $7 default");
        assert!(bench.run("ACL LIST").contains("user default on nopass"));
        assert!(bench.run("ACL GETUSER default").contains("$6 nopass"));
        assert_eq!(bench.run("ACL GETUSER nobody"), "$-1");
        assert!(bench.run("ACL SETUSER x on").starts_with("-ERR Weir has"));
        assert_eq!(bench.run("ACL DELUSER x"), ":0");
        assert!(bench.run("ACL DELUSER default").starts_with("-ERR The"));
        assert_eq!(bench.run("ACL DRYRUN default GET a"), "+OK");
        assert_eq!(
            bench.run("ACL DRYRUN default NOSUCH"),
            "-ERR Command 'NOSUCH' not found"
        );
        assert_eq!(bench.run("ACL LOG"), "*0");
    }

    #[test]
    fn categories_list_their_commands() {
        let bench = Bench::new();
        assert!(bench.run("ACL CAT").starts_with("*21 $8 keyspace $4 read"));
        let lists = bench.run("ACL CAT List");
        assert!(
            lists.contains("$5 lpush") && !lists.contains("$3 get"),
            "{lists}"
        );
        assert_eq!(
            bench.run("ACL CAT nosuch"),
            "-ERR Unknown category 'nosuch'"
        );
    }

    #[test]
    fn passwords_have_the_asked_size() {
        let bench = Bench::new();
        let (one, other) = (bench.run("ACL GENPASS"), bench.run("ACL GENPASS"));
        assert!(one.starts_with("$64 ") && one != other);
        assert_eq!(bench.run("ACL GENPASS 5").len(), "$2 ab".len());
        for bits in ["0", "4097", "-1"] {
            assert!(
                bench
                    .run(&format!("ACL GENPASS {bits}"))
                    .starts_with("-ERR ACL GENPASS")
            );
        }
    }
}
