//! CLIENT KILL and UNBLOCK.

use std::sync::Arc;

use crate::clients::Client;
use crate::command::call::Call;
use crate::command::engine::Engine;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::serve;
use crate::outbox::CloseReason;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, c_string};

use super::list::{Class, parse_client_id};

/// Which clients to close; every condition given must hold.
#[derive(Debug)]
struct Filter<'a> {
    id: Option<u64>,
    class: Option<Class>,
    user: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    age_s_min: Option<u64>,
    spares_self: bool,
}

impl<'a> Filter<'a> {
    fn parse(engine: &Engine, args: Args<'a>) -> Result<Self> {
        let mut filter = Self {
            id: None,
            class: None,
            user: None,
            address: None,
            local_address: None,
            age_s_min: None,
            spares_self: true,
        };
        let mut options = args.from(2);
        while let Some(option) = options.next() {
            let value = options.next().ok_or(Error::Syntax)?;
            match option.to_ascii_lowercase().as_slice() {
                b"id" => {
                    let id = parse_client_id(value);
                    filter.id =
                        Some(id.map_err(|_| Error::text("client-id should be greater than 0"))?);
                }
                b"type" => filter.class = Some(Class::parse(value)?),
                b"user" => filter.user = Some(known_user(engine, value)?),
                b"addr" => filter.address = Some(value),
                b"laddr" => filter.local_address = Some(value),
                b"maxage" => {
                    let age = parse_i64(value)
                        .ok_or_else(|| Error::text("maxage is not an integer or out of range"))?;
                    let age = u64::try_from(age).ok().filter(|&age| age > 0);
                    filter.age_s_min =
                        Some(age.ok_or_else(|| Error::text("maxage should be greater than 0"))?);
                }
                b"skipme" => {
                    filter.spares_self = match value.to_ascii_lowercase().as_slice() {
                        b"yes" => true,
                        b"no" => false,
                        _ => return Err(Error::Syntax),
                    }
                }
                _ => return Err(Error::Syntax),
            }
        }
        Ok(filter)
    }

    fn selects(&self, client: &Client, now_us: u64) -> bool {
        let age_s = now_us.saturating_sub(client.connected_us) / 1_000_000;
        self.id.is_none_or(|id| id == client.id)
            && self.class.is_none_or(|class| class == Class::of(client))
            && self
                .user
                .is_none_or(|user| user == client.identity.lock().user)
            && self
                .address
                .is_none_or(|address| address == client.address.as_bytes())
            && self
                .local_address
                .is_none_or(|address| address == client.local_address.as_bytes())
            && self.age_s_min.is_none_or(|age_s_min| age_s >= age_s_min)
            && !client.mailbox.is_ending()
    }
}

fn known_user<'a>(engine: &Engine, name: &'a [u8]) -> Result<&'a [u8]> {
    if engine.users.get(name).is_some() {
        return Ok(name);
    }
    Err(Error::Bytes(
        [b"ERR No such user '", c_string(name), b"'"].concat(),
    ))
}

/// CLIENT KILL <ip:port | <[ID client-id] | [TYPE type] | [USER username] | [ADDR ip:port] |
/// [LADDR ip:port] | [SKIPME yes|no] | [MAXAGE maxage]> ...>
pub fn kill(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is_old_form = args.len() == 3;
    let filter = if is_old_form {
        let blank = Filter::parse(call.engine, args.head(2))?;
        Filter {
            address: Some(args.at(2)),
            spares_self: false,
            ..blank
        }
    } else {
        Filter::parse(call.engine, args)?
    };
    let mut killed = 0;
    let mut is_suicide = false;
    for client in call.engine.clients.all() {
        let is_self = Arc::ptr_eq(&client, &call.session.client);
        if !filter.selects(&client, call.now.mono_us) || (is_self && filter.spares_self) {
            continue;
        }
        killed += 1;
        if is_self {
            is_suicide = true;
        } else {
            // Nothing goes to who is about to go.
            serve::cancel(call, &client);
            client.mailbox.close(CloseReason::Killed, call.wakes);
        }
    }
    if !is_old_form {
        call.reply.integer(killed);
    } else if killed > 0 {
        call.reply.ok();
    } else {
        return Err(Error::text("No such client"));
    }
    Ok(if is_suicide {
        Outcome::Close
    } else {
        Outcome::Done
    })
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
pub fn unblock(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 4 {
        return Err(Error::subcommand("CLIENT", args.at(1)));
    }
    let error = match args.get(3) {
        None => None,
        Some(how) if how.eq_ignore_ascii_case(b"timeout") => None,
        Some(how) if how.eq_ignore_ascii_case(b"error") => {
            Some(Error::line("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
        }
        Some(_) => {
            return Err(Error::text(
                "CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    };
    let id = parse_i64(args.at(2)).ok_or(Error::NotInteger)?;
    let client = u64::try_from(id)
        .ok()
        .and_then(|id| call.engine.clients.get(id));
    let unblocked = client.is_some_and(|client| serve::unblock(call, &client, error));
    call.reply.integer(i64::from(unblocked));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn who_was_killed_is_gone_for_everybody() {
        let bench = Bench::new();
        let victim = bench.client();
        let kill = format!("CLIENT KILL ID {}", victim.session.client.id);
        assert!(
            bench
                .run("CLIENT LIST TYPE normal")
                .contains(&format!("id={} ", victim.session.client.id))
        );
        assert_eq!(bench.run(&kill), ":1");
        // Its worker has not come to it yet.
        assert!(
            !bench
                .run("CLIENT LIST TYPE normal")
                .contains(&format!("id={} ", victim.session.client.id))
        );
        assert_eq!(bench.run(&kill), ":0");
    }

    #[test]
    fn the_request_of_who_waits_counts_as_his() {
        let bench = Bench::new();
        let mut player = bench.client();
        let client = player.session.client.clone();
        let before = client.memory_bytes();
        bench.play(&mut player, &format!("BLPOP {} q 0", "n".repeat(10_000)));
        assert!(client.memory_bytes() > before + 30_000);
        bench.run("RPUSH q message");
        player.look();
        assert_eq!(client.memory_bytes(), before);
    }

    #[test]
    fn who_was_killed_stands_in_no_line() {
        let bench = Bench::new();
        let (mut victim, mut next) = (bench.client(), bench.client());
        bench.play(&mut victim, "BLPOP q 0");
        bench.play(&mut next, "BLPOP q 0");
        let id = victim.session.client.id;
        assert_eq!(bench.run(&format!("CLIENT KILL ID {id}")), ":1");
        assert_eq!(bench.run("RPUSH q first second"), ":2");
        assert_eq!(next.look(), "*2 $1 q $5 first");
        assert_eq!(bench.run("LRANGE q 0 -1"), "*1 $6 second");
        assert_eq!(bench.run(&format!("CLIENT UNBLOCK {id}")), ":0");
    }
}
