//! Permissions as clients meet them.

use std::path::Path;
use std::sync::Arc;

use crate::clients::{Client, Origin};
use crate::command::testing::{Bench, Player};
use crate::config::{Config, Loaded, load};
use crate::outbox::Seat;

const NO_KEY: &str = "-NOPERM No permissions to access a key";
const NO_CHANNEL: &str = "-NOPERM No permissions to access a channel";

/// A client that has become a user with these rules.
fn as_user(bench: &Bench, name: &str, rules: &str) -> Player {
    let made = bench.run(&format!("ACL SETUSER {name} on nopass {rules}"));
    assert_eq!(made, "+OK", "{rules}");
    let mut player = bench.client();
    assert_eq!(bench.play(&mut player, &format!("AUTH {name} any")), "+OK");
    player
}

#[test]
fn a_user_may_do_what_its_rules_say() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all -@dangerous ~jobs:* %R~conf:* &news");
    for (command, expected) in [
        ("ACL WHOAMI", "$5 alice"),
        ("SET jobs:1 x", "+OK"),
        ("SET conf:1 x", NO_KEY),
        ("GET conf:1", "$-1"),
        ("SET conf:1 x GET", NO_KEY),
        ("COPY conf:1 jobs:2", ":0"),
        ("COPY jobs:1 conf:2", NO_KEY),
        ("MGET jobs:1 other", NO_KEY),
        (
            "KEYS *",
            "-NOPERM User alice has no permissions to run the 'keys' command",
        ),
        (
            "CONFIG GET port",
            "-NOPERM User alice has no permissions to run the 'config|get' command",
        ),
        ("PUBLISH news x", ":0"),
        ("PUBLISH old x", NO_CHANNEL),
        ("SUBSCRIBE news old", NO_CHANNEL),
        ("PSUBSCRIBE n*", NO_CHANNEL),
        ("UNSUBSCRIBE old", "*3 $11 unsubscribe $3 old :0"),
        ("BITFIELD conf:1 GET u8 0", "*1 :0"),
        ("BITFIELD conf:1 SET u8 0 1", NO_KEY),
        (
            "NOSUCH",
            "-ERR unknown command 'NOSUCH', with args beginning with: ",
        ),
        ("RESET", "+RESET"),
        ("ACL WHOAMI", "$7 default"),
    ] {
        assert_eq!(
            bench.play(&mut alice, command),
            expected.trim_end(),
            "{command}"
        );
    }
}

#[test]
fn rules_take_effect_on_those_who_are_there() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+get ~*");
    assert_eq!(bench.play(&mut alice, "GET a"), "$-1");
    bench.run("ACL SETUSER alice -get");
    assert!(
        bench
            .play(&mut alice, "GET a")
            .starts_with("-NOPERM User alice")
    );
    bench.run("ACL SETUSER alice +get resetkeys");
    assert_eq!(bench.play(&mut alice, "GET a"), NO_KEY);
    assert_eq!(bench.run("ACL DELUSER alice nobody"), ":1");
    assert!(bench.play(&mut alice, "GET a").starts_with("-NOPERM"));
    assert!(alice.session.client.mailbox.is_notified());
}

#[test]
fn the_default_user_can_be_restricted_and_freed() {
    let bench = Bench::new();
    let mut nobody = bench.client();
    bench.run("ACL SETUSER admin on nopass +@all ~* &*");
    let mut admin = as_user(&bench, "admin", "");
    assert_eq!(bench.play(&mut admin, "ACL SETUSER default -set"), "+OK");
    assert!(
        bench
            .play(&mut nobody, "SET a 1")
            .starts_with("-NOPERM User default")
    );
    assert_eq!(bench.play(&mut nobody, "GET a"), "$-1");
    assert_eq!(bench.play(&mut admin, "ACL SETUSER default +@all"), "+OK");
    assert_eq!(bench.play(&mut nobody, "SET a 1"), "+OK");
    assert_eq!(bench.play(&mut admin, "ACL SETUSER default off"), "+OK");
    // Who is there stays; who comes must say who it is.
    assert_eq!(bench.play(&mut nobody, "SET a 1"), "+OK");
    assert!(bench.run("GET a").starts_with("-NOAUTH"));
}

#[test]
fn requirepass_is_the_default_users_password() {
    let bench = Bench::new();
    let mut there = bench.client();
    assert!(
        bench
            .play(&mut there, "AUTH x")
            .contains("without any password configured")
    );
    bench.play(&mut there, "CONFIG SET requirepass secret");
    let mut comes = bench.client();
    for (command, expected) in [
        ("GET a", "-NOAUTH Authentication required."),
        (
            "AUTH wrong",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        ),
        (
            "AUTH nobody secret",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        ),
        ("AUTH default secret", "+OK"),
        ("AUTH secret", "+OK"),
        ("GET a", "$-1"),
    ] {
        assert_eq!(bench.play(&mut comes, command), expected, "{command}");
    }
    let listed = bench.play(&mut there, "ACL LIST");
    assert!(
        listed.contains("user default on sanitize-payload #2bb80d537b1da3e3"),
        "{listed}"
    );
    bench.play(&mut there, "CONFIG SET requirepass ''");
    assert_eq!(bench.run("GET a"), "$-1");
}

#[test]
fn transactions_are_checked_when_queued_and_when_executed() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all ~a");
    for command in ["MULTI", "SET a 1"] {
        bench.play(&mut alice, command);
    }
    assert_eq!(bench.play(&mut alice, "SET b 1"), NO_KEY);
    assert!(bench.play(&mut alice, "EXEC").starts_with("-EXECABORT"));
    for command in ["MULTI", "SET a 1", "GET a"] {
        bench.play(&mut alice, command);
    }
    bench.run("ACL SETUSER alice -set");
    let answer = bench.play(&mut alice, "EXEC");
    assert!(
        answer.starts_with("*2 -NOPERM ACLs rules changed between"),
        "{answer}"
    );
    assert!(answer.ends_with("$-1"), "{answer}");
    let log = bench.run("ACL LOG");
    assert!(
        log.contains("$7 context $5 multi") && log.contains("$6 object $3 set"),
        "{log}"
    );
}

#[test]
fn scripts_may_do_what_their_client_may() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all -set ~a");
    let mut eval = |script: &str| {
        let words = [b"EVAL".to_vec(), script.as_bytes().to_vec(), b"0".to_vec()];
        bench.play_args(&mut alice, &words)
    };
    assert!(eval("return redis.call('set', 'a', '1')").starts_with(
        "-ERR ACL failure in script: User alice has no permissions to run the 'set' command"
    ));
    assert!(
        eval("return redis.pcall('get', 'b').err")
            .contains("ACL failure in script: No permissions to access a key")
    );
    assert_eq!(
        eval("return redis.acl_check_cmd('set', 'a', '1') and 1 or 0"),
        ":0"
    );
    assert_eq!(
        eval("return redis.acl_check_cmd('get', 'a') and 1 or 0"),
        ":1"
    );
    assert!(bench.run("ACL LOG").contains("$7 context $3 lua"));
}

#[test]
fn a_permission_that_goes_while_its_client_waits_ends_the_wait() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all ~a");
    assert_eq!(bench.play(&mut alice, "BLPOP a 0"), "(blocked)");
    bench.run("ACL SETUSER alice resetkeys");
    assert_eq!(bench.run("RPUSH a x"), ":1");
    assert_eq!(alice.look(), NO_KEY);
    assert_eq!(bench.run("LLEN a"), ":1");

    let mut bob = as_user(&bench, "bob", "+@all ~b");
    assert_eq!(bench.play(&mut bob, "BLPOP b 0"), "(blocked)");
    bench.run("ACL DELUSER bob");
    assert_eq!(bench.run("RPUSH b x"), ":1");
    assert_eq!(bench.run("LLEN b"), ":1");
}

#[test]
fn who_may_hear_less_is_disconnected() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all &a &b &p*");
    let mut other = as_user(&bench, "alice", "");
    bench.play(&mut alice, "SUBSCRIBE a");
    bench.play(&mut other, "PSUBSCRIBE p*");
    let is_closed = |player: &Player| player.session.client.mailbox.is_notified();
    bench.run("ACL SETUSER alice &c");
    assert!(!is_closed(&alice) && !is_closed(&other));
    bench.run("ACL SETUSER alice resetchannels &a");
    assert!(!is_closed(&alice) && is_closed(&other));
    assert_eq!(
        bench.play(&mut alice, "SUBSCRIBE a"),
        "*3 $9 subscribe $1 a :1"
    );
    let mut self_made = as_user(&bench, "root", "+@all &*");
    bench.play(&mut self_made, "HELLO 3");
    bench.play(&mut self_made, "SUBSCRIBE a");
    let answer = bench.play(&mut self_made, "ACL SETUSER root resetchannels");
    assert_eq!(answer, "+OK(close)");
}

#[test]
fn sort_needs_all_keys_for_patterns() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all ~a");
    for (command, answer) in [
        ("SORT a", "*0"),
        ("SORT a BY nosort", "*0"),
        (
            "SORT a BY w_*",
            "-ERR BY option of SORT denied due to insufficient ACL permissions.",
        ),
        (
            "SORT a GET #",
            "-ERR GET option of SORT denied due to insufficient ACL permissions.",
        ),
        ("SORT a STORE b", NO_KEY),
    ] {
        assert_eq!(bench.play(&mut alice, command), answer, "{command}");
    }
    bench.run("ACL SETUSER alice %R~*");
    assert_eq!(bench.play(&mut alice, "SORT a BY w_* GET #"), "*0");
}

#[test]
fn refusals_are_logged_and_counted() {
    let bench = Bench::new();
    let mut alice = as_user(&bench, "alice", "+@all -set ~a");
    for command in [
        "SET a 1",
        "SET a 1",
        "GET b",
        "PUBLISH c x",
        "AUTH alice2 x",
    ] {
        assert!(
            bench.play(&mut alice, command).starts_with('-'),
            "{command}"
        );
    }
    let log = bench.run("ACL LOG");
    assert!(
        log.starts_with("*4 *20 $5 count :1 $6 reason $4 auth $7 context $8 toplevel"),
        "{log}"
    );
    assert!(
        log.contains("$6 object $4 AUTH $8 username $6 alice2 $11 age-seconds"),
        "{log}"
    );
    let auth = log.split("client-info").nth(1).unwrap();
    assert!(auth.contains(" cmd=auth "), "{log}");
    assert!(log.contains("$5 count :2 $6 reason $7 command"), "{log}");
    assert!(log.contains("user=alice"), "{log}");
    let stats = bench.run("INFO stats");
    for line in ["auth:1", "cmd:2", "key:1", "channel:1"] {
        assert!(
            (stats.clone() + " ").contains(&format!("acl_access_denied_{line} ")),
            "{line}: {stats}"
        );
    }
    assert!(bench.run("ACL LOG 1").starts_with("*1 "));
    assert_eq!(bench.run("ACL LOG -1"), "*0");
    assert_eq!(bench.run("ACL LOG RESET"), "+OK");
    assert_eq!(bench.run("ACL LOG"), "*0");
    assert_eq!(
        bench.run("ACL LOG x"),
        "-ERR value is not an integer or out of range"
    );
}

#[test]
fn users_are_shown_as_redis_shows_them() {
    let bench = Bench::new();
    assert_eq!(
        bench.run("ACL LIST"),
        "*1 $51 user default on nopass sanitize-payload ~* &* +@all"
    );
    bench.run("ACL SETUSER alice on ~a %R~b &c +get -@write (+set %W~d)");
    assert_eq!(bench.run("ACL USERS"), "*2 $5 alice $7 default");
    assert_eq!(
        bench.run("ACL GETUSER alice"),
        "*12 $5 flags *2 $2 on $16 sanitize-payload $9 passwords *0 $8 commands $18 -@all +get \
         -@write $4 keys $7 ~a %R~b $8 channels $2 &c $9 selectors *1 *6 $8 commands $10 -@all \
         +set $4 keys $4 %W~d $8 channels $0"
    );
    assert_eq!(bench.run("ACL GETUSER nobody"), "$-1");
    assert_eq!(
        bench.run("ACL SETUSER alice +nosuch"),
        "-ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL"
    );
    assert_eq!(
        bench.run("ACL SETUSER alice (+get"),
        "-ERR Unmatched parenthesis in acl selector starting at '(+get'."
    );
    assert!(
        bench
            .run("ACL DELUSER default")
            .starts_with("-ERR The 'default' user cannot")
    );
}

#[test]
fn a_dry_run_says_what_would_happen() {
    let bench = Bench::new();
    bench.run("ACL SETUSER alice +@all -set ~a");
    for (command, answer) in [
        ("alice GET a", "+OK"),
        (
            "alice SET a 1",
            "$54 User alice has no permissions to run the 'set' command",
        ),
        (
            "alice GET b",
            "$51 User alice has no permissions to access the 'b' key",
        ),
        ("alice NOSUCH", "-ERR Command 'NOSUCH' not found"),
        (
            "alice GET",
            "-ERR wrong number of arguments for 'get' command",
        ),
        ("nobody GET a", "-ERR User 'nobody' not found"),
    ] {
        assert_eq!(
            bench.run(&format!("ACL DRYRUN {command}")),
            answer,
            "{command}"
        );
    }
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
        let answer = bench.run(&format!("ACL GENPASS {bits}"));
        assert!(answer.starts_with("-ERR ACL GENPASS"), "{answer}");
    }
}

/// Settings from a file with these lines.
fn settings(folder: &Path, lines: &str) -> Arc<Config> {
    let file = folder.join("weir.conf");
    std::fs::write(&file, lines).unwrap();
    let args = ["weir".into(), file.into_os_string()];
    match load(args.into_iter(), std::iter::empty()) {
        Ok(Loaded::Run(start)) => start.config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn users_come_from_the_settings_and_go_back_there() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "requirepass x\nuser alice on >secret ~* +@all\nuser bob off (+get ~b)\n";
    let bench = Bench::with_config(settings(folder.path(), lines));
    bench.engine.load_users().unwrap();
    let mut alice = bench.client();
    assert_eq!(bench.play(&mut alice, "AUTH alice secret"), "+OK");
    assert_eq!(
        bench.play(&mut alice, "ACL USERS"),
        "*3 $5 alice $3 bob $7 default"
    );
    assert_eq!(bench.play(&mut alice, "CONFIG GET user"), "*0");
    bench.play(&mut alice, "ACL DELUSER bob");
    assert_eq!(bench.play(&mut alice, "CONFIG REWRITE"), "+OK");
    let text = std::fs::read_to_string(folder.path().join("weir.conf")).unwrap();
    assert!(
        text.contains("user alice on sanitize-payload #2bb80d53"),
        "{text}"
    );
    assert!(
        text.contains("user default on sanitize-payload #") && !text.contains("bob"),
        "{text}"
    );
    for (lines, fault) in [
        ("user alice +nosuch", "user alice: +nosuch Unknown command"),
        ("user alice on\nuser alice off", "Duplicate user 'alice'"),
        ("aclfile /nosuch\nuser alice on", "not both"),
        (
            "aclfile /nosuch",
            "opening file '/nosuch': No such file or directory",
        ),
    ] {
        let bench = Bench::with_config(settings(folder.path(), lines));
        let error = bench.engine.load_users().unwrap_err();
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn a_rule_that_the_settings_cannot_hold_is_not_changed_in_them() {
    for pattern in [&b"~\xff\xfe*"[..], "~a\u{a0}b".as_bytes()] {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::with_config(settings(folder.path(), "timeout 7\n"));
        let mut player = bench.client();
        let rule = [&b"ACL"[..], b"SETUSER", b"alice", pattern].map(<[u8]>::to_vec);
        assert_eq!(bench.play_args(&mut player, &rule), "+OK");
        let refused = bench.play(&mut player, "CONFIG REWRITE");
        assert!(refused.contains("keep users in an aclfile"), "{refused}");
        let text = std::fs::read_to_string(folder.path().join("weir.conf")).unwrap();
        assert_eq!(text, "timeout 7\n");
    }
}

#[test]
fn a_file_of_users_is_loaded_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.acl");
    std::fs::write(
        &file,
        "user alice on nopass ~a +@all\nuser bob on nopass +@all\n",
    )
    .unwrap();
    let bench = Bench::with_config(settings(
        folder.path(),
        &format!("aclfile {}", file.display()),
    ));
    bench.engine.load_users().unwrap();
    let mut alice = as_user(&bench, "alice", "");
    let mut bob = as_user(&bench, "bob", "");
    assert_eq!(bench.play(&mut alice, "GET b"), NO_KEY);
    std::fs::write(&file, "user alice on nopass ~b +@all\n").unwrap();
    assert_eq!(bench.play(&mut bob, "ACL LOAD"), "+OK(close)");
    assert_eq!(bench.play(&mut alice, "GET b"), "$-1");
    assert_eq!(bench.run("ACL SETUSER carol on"), "+OK");
    assert_eq!(bench.run("ACL SAVE"), "+OK");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("user alice on nopass") && text.contains("user carol on"),
        "{text}"
    );
    std::fs::write(&file, "user alice nosuch\n").unwrap();
    assert!(
        bench
            .run("ACL LOAD")
            .contains("users.acl:1: Syntax error. WARNING: ACL errors")
    );
    assert_eq!(bench.run("ACL USERS"), "*3 $5 alice $5 carol $7 default");
    let without = Bench::new();
    assert!(
        without
            .run("ACL SAVE")
            .starts_with("-ERR This Redis instance is not configured")
    );
}

#[test]
fn the_log_keeps_the_beginning_of_long_names() {
    let bench = Bench::new();
    let mut player = as_user(&bench, "alice", "+get ~own:*");
    let long = "x".repeat(1000);
    bench.play(&mut player, &format!("GET {long}"));
    bench.play(&mut player, &format!("AUTH {long} {long}"));
    let told = bench.run("ACL LOG");
    let kept = format!("{}... (872 more bytes)", "x".repeat(128));
    assert_eq!(told.matches(&kept).count(), 2, "{told}");
    assert!(!told.contains(&"x".repeat(129)), "{told}");
}

#[test]
fn secrets_stay_out_of_the_slowlog() {
    let bench = Bench::new();
    bench.run("CONFIG SET slowlog-log-slower-than 0");
    bench.run("ACL SETUSER alice >secret");
    bench.run("CONFIG SET requirepass secret");
    let mut player = bench.client();
    bench.play(&mut player, "HELLO 2 AUTH default secret");
    let log = bench.play(&mut player, "SLOWLOG GET 9");
    assert!(
        log.contains("(redacted)") && !log.contains("secret"),
        "{log}"
    );
}

/// A client from somewhere.
fn from(bench: &Bench, ip: &str) -> Player {
    let mut player = bench.client();
    let origin = Origin {
        ip: Some(ip.parse().unwrap()),
        ..Origin::default()
    };
    player.session.client = Arc::new(Client::new(0, origin, Seat::default(), 0));
    player
}

#[test]
fn who_guesses_passwords_is_not_heard_for_a_while() {
    let mut bench = Bench::new();
    bench.run("CONFIG SET requirepass secret");
    let mut local = from(&bench, "127.0.0.1");
    for _ in 0..200 {
        assert!(
            bench
                .play(&mut local, "AUTH wrong")
                .starts_with("-WRONGPASS")
        );
    }
    assert_eq!(bench.play(&mut local, "AUTH secret"), "+OK");
    let mut guesser = from(&bench, "192.0.2.1");
    for _ in 0..100 {
        assert!(
            bench
                .play(&mut guesser, "AUTH wrong")
                .starts_with("-WRONGPASS")
        );
    }
    let barred = "-ERR too many failed logins from this address; try again in a minute";
    assert_eq!(bench.play(&mut guesser, "AUTH secret"), barred);
    let mut again = from(&bench, "192.0.2.1");
    assert_eq!(
        bench.play(&mut again, "HELLO 3 AUTH default secret"),
        barred
    );
    let mut other = from(&bench, "192.0.2.2");
    assert_eq!(bench.play(&mut other, "AUTH secret"), "+OK");
    bench.pass(60_000);
    assert_eq!(bench.play(&mut guesser, "AUTH secret"), "+OK");
    assert_eq!(
        bench.play(&mut local, "CONFIG SET auth-failures-limit 0"),
        "+OK"
    );
    for _ in 0..200 {
        assert!(
            bench
                .play(&mut guesser, "AUTH wrong")
                .starts_with("-WRONGPASS")
        );
    }
}
