//! WEIR.BACKLOG.

use hashbrown::HashSet;

use crate::command::acl;
use crate::command::backlog::{Fact, Order, Survey, Wanted, facts_of, row_of};
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::spec::KeyPositions;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::Key;

/// WEIR.BACKLOG [MATCH pattern] [SORT trouble | age | length | bytes | rate | drops | name] [LIMIT count] [key ...]
pub fn backlog(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let mut wanted = Wanted {
        db: Some(call.session.db),
        ..Wanted::default()
    };
    let first_key = parse_options(args, &mut wanted)?;
    if first_key == args.len() && !acl::may_roam(call, args) {
        return Err(Error::line("NOPERM No permissions to access a key"));
    }
    // What is written is not kept: rows of streams with many groups are long.
    if first_key < args.len() {
        let mut seen = HashSet::new();
        let mut names: Vec<&[u8]> = args
            .from(first_key)
            .filter(|name| seen.insert(*name))
            .collect();
        names.truncate(wanted.limit);
        call.reply.array(names.len());
        for name in names {
            let key = call.key(name);
            write_row(call, &key);
        }
    } else {
        let mut survey = Survey::new(wanted, call.now);
        call.each_shard(|_, shard| survey.visit(shard));
        let named = survey.named();
        call.reply.array(named.len());
        for named in named {
            let key = call.held.keyspace().key(named.db, &named.name);
            write_row(call, &key);
        }
    }
    Ok(Outcome::Done)
}

fn write_row(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let row = row_of(call.held, key, call.now);
    write(call.reply, &Fact::Map(facts_of(&row)));
}

/// Reads the options; returns the position of the first name.
fn parse_options<'a>(args: Args<'a>, wanted: &mut Wanted<'a>) -> Result<usize> {
    let mut first_key = 1;
    while let Some(option) = args.get(first_key) {
        let value = args.get(first_key + 1);
        if option.eq_ignore_ascii_case(b"match") {
            wanted.pattern = value.ok_or(Error::Syntax)?;
        } else if option.eq_ignore_ascii_case(b"sort") {
            let order = Order::parse(value.ok_or(Error::Syntax)?);
            wanted.order = order.ok_or(Error::Syntax)?;
        } else if option.eq_ignore_ascii_case(b"limit") {
            let limit = parse_i64(value.ok_or(Error::Syntax)?);
            let limit = limit.and_then(|limit| usize::try_from(limit).ok());
            let refusal = || Error::text("value is out of range, must be positive");
            wanted.limit = limit.ok_or_else(refusal)?;
        } else {
            break;
        }
        first_key += 2;
    }
    Ok(first_key)
}

/// The names, whose permissions are asked for.
pub(super) fn find_keys(args: Args<'_>, positions: &mut KeyPositions) {
    if let Ok(first_key) = parse_options(args, &mut Wanted::default()) {
        positions.extend(first_key..args.len());
    }
}

fn write(reply: &mut Reply, fact: &Fact) {
    match fact {
        Fact::Text(text) => reply.bulk(text),
        Fact::Count(count) => reply.integer(i64::try_from(*count).unwrap_or(i64::MAX)),
        Fact::Real(number) => reply.double(*number),
        Fact::Nothing => reply.null(),
        Fact::Map(facts) => {
            reply.map(facts.len());
            for (name, fact) in facts {
                reply.bulk(name.as_bytes());
                write(reply, fact);
            }
        }
        Fact::List(facts) => {
            reply.array(facts.len());
            for fact in facts {
                write(reply, fact);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn queues_are_measured_while_clients_know_nothing_of_it() {
        let mut bench = Bench::new();
        bench.run("RPUSH q aa b ccc");
        bench.pass(500);
        bench.run("LPOP q");
        bench.pass(1600);
        let told = bench.run("WEIR.BACKLOG q");
        for field in [
            "*1 *48 $4 name $1 q $4 type $5 queue $5 state $11 building-up ",
            "$6 length :2 $5 bytes :4 $7 waiting :2 $13 oldest_age_ms :2100 ",
            "$17 consumers_waiting :0 $2 in :3 $3 out :1 $7 dropped :0 ",
            "$11 wait_p50_ms :500 ",
            "$11 wait_max_ms :500 ",
            "$5 drops *0 $6 policy $-1",
        ] {
            assert!(told.contains(field), "{field} in {told}");
        }
    }

    #[test]
    fn only_queues_that_a_user_may_read_are_told_of() {
        let bench = Bench::new();
        bench.run("RPUSH secret:q a");
        bench.run("RPUSH own:q a");
        bench.run("ACL SETUSER alice on nopass ~own:* %W~secret:* +weir.backlog");
        bench.run("ACL SETUSER bob on nopass %R~* +weir.backlog");
        let (mut alice, mut bob) = (bench.client(), bench.client());
        bench.play(&mut alice, "AUTH alice x");
        bench.play(&mut bob, "AUTH bob x");
        for (arguments, may_alice) in [
            ("", false),
            (" MATCH own:*", false),
            (" secret:q", false),
            (" own:q secret:q", false),
            (" SORT name LIMIT 1 own:q secret:q", false),
            (" own:q", true),
            (" LIMIT 2 own:q", true),
        ] {
            let command = format!("WEIR.BACKLOG{arguments}");
            let told = bench.play(&mut alice, &command);
            let refused = told == "-NOPERM No permissions to access a key";
            assert_eq!(refused, !may_alice, "{command}: {told}");
            let told = bench.play(&mut bob, &command);
            assert!(told.starts_with('*'), "{command}: {told}");
        }
        let keys = bench.run("COMMAND GETKEYS WEIR.BACKLOG LIMIT 1 a b");
        assert_eq!(keys, "*2 $1 a $1 b");
    }

    #[test]
    fn queues_are_chosen_sorted_and_cut() {
        let mut bench = Bench::new();
        bench.run("WEIR.POLICY SET job* MAX-LENGTH 2 OVERFLOW drop-oldest");
        bench.run("RPUSH jobs a b c");
        bench.pass(50);
        bench.run("RPUSH big aaaaaaaaaaaaaaaaaaaa");
        bench.run("SET text x");
        bench.run("XADD log 1-1 a b");
        let names = |told: &str| -> Vec<String> {
            let words: Vec<&str> = told.split(' ').collect();
            let named = words
                .windows(6)
                .filter(|words| words[1] == "name" && words[5] == "type");
            named.map(|words| words[3].to_owned()).collect()
        };
        assert_eq!(
            names(&bench.run("WEIR.BACKLOG SORT age")),
            ["jobs", "big", "log"]
        );
        assert_eq!(
            names(&bench.run("weir.backlog sort bytes limit 1")),
            ["big"]
        );
        assert_eq!(
            names(&bench.run("WEIR.BACKLOG SORT drops LIMIT 2")),
            ["jobs", "big"]
        );
        assert_eq!(
            names(&bench.run("WEIR.BACKLOG MATCH *o* SORT name")),
            ["jobs", "log"]
        );
        assert_eq!(
            names(&bench.run("WEIR.BACKLOG LIMIT 1 nosuch big")),
            ["nosuch"]
        );
        // Each once, however often it is asked for.
        assert_eq!(
            names(&bench.run("WEIR.BACKLOG LIMIT 2 big big log big jobs")),
            ["big", "log"]
        );
        assert_eq!(bench.run("WEIR.BACKLOG LIMIT 0"), "*0");
        let told = bench.run("WEIR.BACKLOG jobs");
        assert!(
            told.contains("$5 drops *2 $15 overflow_oldest :1 $6 policy $4 job*"),
            "{told}"
        );
        assert!(bench.run("WEIR.BACKLOG LIMIT").starts_with("-ERR syntax"));
        assert!(
            bench
                .run("WEIR.BACKLOG SORT size")
                .starts_with("-ERR syntax")
        );
        assert!(bench.run("WEIR.BACKLOG LIMIT -1").starts_with("-ERR value"));
        let mut client = bench.client();
        for command in ["MULTI", "WEIR.BACKLOG", "WEIR.BACKLOG big"] {
            bench.play(&mut client, command);
        }
        assert_eq!(names(&bench.play(&mut client, "EXEC")).len(), 4);
    }

    #[test]
    fn who_waits_is_seen_and_what_has_drained_for_a_minute() {
        let mut bench = Bench::new();
        let mut waiter = bench.client();
        bench.play(&mut waiter, "BRPOP a b 0");
        let told = bench.run("WEIR.BACKLOG SORT name");
        assert_eq!(
            told.matches("$17 consumers_waiting :1").count(),
            2,
            "{told}"
        );
        bench.run("RPUSH a x");
        assert_eq!(waiter.look(), "*2 $1 a $1 x");
        bench.pass(2000);
        let told = bench.run("WEIR.BACKLOG");
        assert!(
            told.contains("$4 name $1 a $4 type $5 queue $5 state $7 flowing"),
            "{told}"
        );
        assert!(told.contains("$11 wait_max_ms :0"), "{told}");
        bench.pass(80_000);
        assert_eq!(bench.run("WEIR.BACKLOG"), "*0");
    }

    #[test]
    fn groups_are_measured_too() {
        let mut bench = Bench::new();
        bench.run("XGROUP CREATE s g $ MKSTREAM");
        for _ in 0..3 {
            bench.run("XADD s * k v");
        }
        bench.pass(700);
        bench.run("XREADGROUP GROUP g c COUNT 2 STREAMS s >");
        bench.pass(1000);
        bench.run("XREADGROUP GROUP g c COUNT 1 STREAMS s 0");
        let told = bench.run("WEIR.BACKLOG s");
        for field in [
            "$6 length :3",
            "$7 waiting :3 $13 oldest_age_ms :1700",
            "$6 groups *1 *40 $4 name $1 g $9 consumers :1 $3 lag :1 $7 pending :2 \
             $16 oldest_unread_ms :1700 $17 oldest_pending_ms :1000 $9 delivered :2 $11 redelivered :1",
            "$12 rate_out_10s $3 0.2",
        ] {
            assert!(told.contains(field), "{field} in {told}");
        }
    }
}
