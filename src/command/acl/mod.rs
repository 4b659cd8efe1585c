//! ACL: users and their permissions, and AUTH's part in them.
//!
//! The rules are the `acl` room's. Here is what ties them to commands and clients: `check` asks
//! them whether a request may run, `change` alters users and ends connections that lost a right.

mod change;
mod check;
mod show;
#[cfg(test)]
mod tests;

pub(super) use change::{load_at_start, set_default_password, user_lines};
pub(super) use check::{
    authenticate, catalogue, check, is_allowed, may_roam, refusal, rights_changed,
};

use std::fmt::Write as _;
use std::io::Read as _;

use crate::acl::{self, Access};
use crate::flags;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, c_string};

use super::call::Call;
use super::error::{Error, shown};
use super::outcome::{Outcome, Result};
use super::server::categories::CATEGORIES;
use super::spec::Command;
use super::table::table;

/// ACL and its subcommands.
#[rustfmt::skip]
pub const COMMANDS: &[Command] =
    &[container!("acl", "server", "6.0.0", "A container for Access List Control commands.", [
        row!("whoami", 2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Returns the authenticated username of the current connection.", whoami),
        row!("cat", -2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists the ACL categories, or the commands inside a category.", cat),
        row!("list", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Dumps the effective rules in ACL file format.", show::list),
        row!("users", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists all ACL users.", show::users),
        row!("getuser", 3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists the ACL rules of a user.", show::getuser),
        row!("setuser", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE, ALL_KEYS], "6.0.0",
            "Creates and modifies an ACL user and its rules.", change::setuser),
        row!("deluser", -3, flags![ADMIN, NOSCRIPT, LOADING, STALE, ALL_KEYS], "6.0.0",
            "Deletes ACL users, and terminates their connections.", change::deluser),
        row!("genpass", -2, flags![NOSCRIPT, LOADING, STALE], "6.0.0",
            "Generates a pseudorandom, secure password that can be used to identify ACL users.", genpass),
        row!("dryrun", -4, flags![ADMIN, NOSCRIPT, LOADING, STALE], "7.0.0",
            "Simulates the execution of a command by a user, without executing the command.", dryrun),
        row!("log", -2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Lists recent security events generated due to ACL rules.", show::log),
        row!("load", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE, ALL_KEYS], "6.0.0",
            "Reloads the rules from the configured ACL file.", change::load),
        row!("save", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "6.0.0",
            "Saves the effective ACL rules in the configured ACL file.", change::save),
    ])];

/// ACL WHOAMI
fn whoami(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let name = call
        .session
        .badge
        .as_ref()
        .map_or(acl::DEFAULT, acl::Badge::name);
    call.reply.bulk(name);
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
        return Err(Error::subcommand("ACL", args.at(1)));
    }
    let catalogue = check::catalogue();
    let Some(members) = catalogue.in_category(asked) else {
        return Err(Error::Bytes(
            [b"ERR Unknown category '", shown(asked), b"'"].concat(),
        ));
    };
    let later = call.reply.array_later();
    let mut len = 0;
    for command in members {
        call.reply.bulk_str(&catalogue.get(command).name);
        len += 1;
    }
    call.reply.close_array(later, len);
    Ok(Outcome::Done)
}

/// ACL GENPASS [bits]
fn genpass(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    const BITS_MAX: i64 = 4096;
    if args.len() > 3 {
        return Err(Error::subcommand("ACL", args.at(1)));
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
    let Some(account) = call.engine.users.get(args.at(2)) else {
        let name = c_string(args.at(2));
        return Err(Error::Bytes([b"ERR User '", name, b"' not found"].concat()));
    };
    let request = args.tail(3);
    let found = table()
        .resolve(request)
        .filter(|found| !found.is_unknown_subcommand);
    let Some(found) = found else {
        return Err(Error::Bytes(
            [b"ERR Command '", c_string(args.at(3)), b"' not found"].concat(),
        ));
    };
    if !found.command.takes(request.len()) {
        return Err(Error::Arity(table().name(found.index).into()));
    }
    match check::verdict(&account.user(), &found, request) {
        Ok(()) => call.reply.ok(),
        Err(denial) => {
            let text = check::explain(denial, account.name(), &found, request, true);
            call.reply.bulk(&text);
        }
    }
    Ok(Outcome::Done)
}

/// What the words of COMMAND INFO say of an access.
fn access_of(words: &str) -> Access {
    let access = words.split(' ').map(|word| match word {
        "access" => Access::READ,
        "insert" | "delete" | "update" => Access::WRITE,
        _ => Access::NONE,
    });
    access.fold(Access::NONE, Access::and)
}
