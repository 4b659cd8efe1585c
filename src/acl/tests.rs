//! Rules and what they allow, on a handful of commands.

use super::*;

const READ: usize = 0;
const CONFIG: usize = 2;
const CONFIG_SET: usize = 4;

fn catalogue() -> Catalogue {
    let named = |name: &str, categories, subcommands| Named {
        name: name.to_owned(),
        categories,
        is_subcommand: name.contains('|'),
        subcommands,
    };
    let commands = vec![
        named("get", 0b01, 0..0),
        named("set", 0b10, 0..0),
        named("config", 0, 3..5),
        named("config|get", 0b01, 0..0),
        named("config|set", 0b10, 0..0),
    ];
    Catalogue::new(&["read", "write"], commands)
}

fn user(rules: &str) -> User {
    let catalogue = catalogue();
    let mut user = User::new(&catalogue, false);
    for rule in joined(rules.split(' ').map(str::as_bytes)).unwrap() {
        user.apply(&catalogue, false, &rule).unwrap();
    }
    user
}

fn refusal(rules: &str) -> RuleError {
    let catalogue = catalogue();
    let mut user = User::new(&catalogue, false);
    let mut applied = rules
        .split(' ')
        .map(|rule| user.apply(&catalogue, false, rule.as_bytes()));
    applied.find_map(Result::err).unwrap()
}

fn request<'a>(
    command: usize,
    keys: &'a [KeyUse<'a>],
    channels: &'a [ChannelUse<'a>],
) -> Request<'a> {
    Request {
        command,
        is_open: false,
        first: keys.first().map(|key| key.name),
        keys,
        channels,
    }
}

fn key(name: &[u8], access: Access) -> KeyUse<'_> {
    KeyUse {
        position: 1,
        name,
        access,
    }
}

#[track_caller]
fn check(rules: &str, command: usize, name: &[u8], access: Access, expected: Option<Reason>) {
    let keys = [key(name, access)];
    let checked = user(rules).check(&request(command, &keys, &[]));
    assert_eq!(
        checked.err().map(|denial| denial.reason),
        expected,
        "{rules}"
    );
}

#[test]
fn commands_are_allowed_one_by_one_and_by_category() {
    let denied = Some(Reason::Command);
    check("~*", READ, b"a", Access::READ, denied);
    check("~* +get", READ, b"a", Access::READ, None);
    check("~* +GET -@read", READ, b"a", Access::READ, denied);
    check(
        "~* +@all -config|set",
        CONFIG_SET,
        b"a",
        Access::NONE,
        denied,
    );
    check("~* +@all -config", CONFIG_SET, b"a", Access::NONE, denied);
    check("~* +config|set", CONFIG_SET, b"a", Access::NONE, None);
    check("~* +config|set", CONFIG, b"a", Access::NONE, denied);
    check("~* +get|a", READ, b"A", Access::READ, None);
    check("~* +get|a", READ, b"b", Access::READ, denied);
    check("~* +get|a -get", READ, b"a", Access::READ, denied);
}

#[test]
fn keys_are_allowed_by_pattern_and_access() {
    let denied = Some(Reason::Key);
    check("+@all ~a*", READ, b"ab", Access::BOTH, None);
    check("+@all ~a*", READ, b"b", Access::READ, denied);
    check("+@all %R~a*", READ, b"ab", Access::READ, None);
    check("+@all %R~a*", READ, b"ab", Access::BOTH, denied);
    check("+@all %w~a* %r~a*", READ, b"ab", Access::BOTH, None);
    check("+@all %W~a*", READ, b"ab", Access::NONE, None);
    check("+@all", READ, b"ab", Access::NONE, denied);
}

#[test]
fn channels_are_allowed_by_pattern_and_patterns_by_themselves() {
    let user = user("+@all ~* &news.*");
    let may = |name, is_pattern| user.may_hear(name, is_pattern);
    assert!(may(b"news.a", false) && !may(b"other", false));
    assert!(may(b"news.*", true) && !may(b"news.a*", true));
    let channels = [ChannelUse {
        position: 2,
        name: b"other",
        is_pattern: false,
    }];
    let denial = user.check(&request(READ, &[], &channels)).unwrap_err();
    assert_eq!((denial.reason, denial.position), (Reason::Channel, 2));
}

#[test]
fn each_selector_stands_for_itself() {
    let rules = "+get ~a (+set ~b) (%W~c +set)";
    check(rules, READ, b"a", Access::READ, None);
    check(rules, 1, b"b", Access::BOTH, None);
    check(rules, 1, b"a", Access::WRITE, Some(Reason::Key));
    check(rules, 1, b"c", Access::WRITE, None);
    check(rules, READ, b"b", Access::READ, Some(Reason::Key));
    check(
        "(+get ~a) clearselectors",
        READ,
        b"a",
        Access::READ,
        Some(Reason::Command),
    );
}

#[test]
fn passwords_are_kept_as_digests() {
    let digest = Digest::of(b"secret").to_string();
    assert!(user("on >secret").admits(b"secret"));
    assert!(user(&format!("on #{digest}")).admits(b"secret"));
    assert!(!user("on >secret").admits(b"other"));
    assert!(!user("off >secret").admits(b"secret"));
    assert!(!user("on").admits(b""));
    assert!(user("on nopass").admits(b"anything"));
    assert!(!user("on nopass >secret").admits(b"anything"));
    assert!(!user("on >secret <secret").admits(b"secret"));
    assert!(!user(&format!("on >secret !{digest}")).admits(b"secret"));
    assert!(!user("on >secret resetpass").admits(b"secret"));
    assert_eq!(refusal("<nosuch"), RuleError::NoSuchPassword);
    assert_eq!(
        refusal(&format!("#{}", digest.to_uppercase())),
        RuleError::BadDigest
    );
    assert_eq!(format!("{:?}", Digest::of(b"secret")), "#");
}

#[test]
fn rules_are_told_in_order_without_those_that_are_void() {
    for (rules, told) in [
        ("", "off sanitize-payload resetchannels -@all"),
        (
            "on nopass allkeys allchannels +@all",
            "on nopass sanitize-payload ~* &* +@all",
        ),
        (
            "+get -@read +set +get",
            "off sanitize-payload resetchannels -@all -@read +set +get",
        ),
        (
            "+config|get -config",
            "off sanitize-payload resetchannels -@all -config",
        ),
        (
            "+@all -config +config|get",
            "off sanitize-payload resetchannels +@all -config +config|get",
        ),
        (
            "%R~a %W~b %RW~c ~d",
            "off sanitize-payload %R~a %W~b ~c ~d resetchannels -@all",
        ),
        ("&a &b", "off sanitize-payload resetchannels &a &b -@all"),
        (
            "(+get ~a)",
            "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get)",
        ),
        (
            "skip-sanitize-payload",
            "off skip-sanitize-payload resetchannels -@all",
        ),
        (
            "on +@all ~* reset",
            "off sanitize-payload resetchannels -@all",
        ),
    ] {
        let described = String::from_utf8(user(rules).describe()).unwrap();
        assert_eq!(described, told, "{rules}");
        assert_eq!(user(told), user(rules), "{told} makes what {rules} makes");
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    for (rules, error) in [
        ("+nosuch", RuleError::Unknown),
        ("-get|a", RuleError::Unknown),
        ("+config|nosuch", RuleError::Unknown),
        ("+config|get|x", RuleError::ArgumentOfSubcommand),
        ("+get|", RuleError::Syntax),
        // A line of a file could not hold it, or would hold another user.
        ("+get|a\tb", RuleError::Syntax),
        ("+get|a\nuser\tb\ton", RuleError::Syntax),
        ("+@nosuch", RuleError::Unknown),
        ("~* ~a", RuleError::KeysAfterAll),
        ("&* &a", RuleError::ChannelsAfterAll),
        ("%~a", RuleError::Syntax),
        ("%RR~a", RuleError::Syntax),
        ("%X~a", RuleError::Syntax),
        ("nosuch", RuleError::Syntax),
        ("(+nosuch)", RuleError::Unknown),
        ("(on)", RuleError::Syntax),
        // A file's line would end the selector here.
        ("(~a)\t~b)", RuleError::Syntax),
        ("(+get|a))", RuleError::Syntax),
    ] {
        assert_eq!(refusal(rules), error, "{rules}");
    }
    assert_eq!(
        joined([&b"(+get"[..], b"~a"].into_iter()),
        Err(&b"(+get"[..])
    );
}

#[test]
fn a_badge_sees_changes_and_the_end_of_its_user() {
    let catalogue = catalogue();
    let users = Users::new(&catalogue);
    users.set(b"alice", user("on +get ~*"));
    let mut badge = Badge::new(users.get(b"alice").unwrap());
    let keys = [key(b"a", Access::READ)];
    let wanted = request(READ, &keys, &[]);
    assert!(badge.user().check(&wanted).is_ok());
    users.set(b"alice", user("on +set ~*"));
    assert!(badge.user().check(&wanted).is_err());
    users.set(b"alice", user("on +get ~*"));
    assert!(badge.user().check(&wanted).is_ok());
    assert!(users.remove(b"alice", &catalogue));
    assert!(badge.user().check(&wanted).is_err());
    assert!(!users.remove(DEFAULT, &catalogue));
}

#[test]
fn hearing_less_is_told_from_hearing_more() {
    let less = |before, after| user(after).may_hear_less_than(&user(before));
    assert!(less("&*", "&a"));
    assert!(less("&a &b", "&a"));
    assert!(!less("&a", "&a &b"));
    assert!(!less("&a", "&*"));
    assert!(!less("&a", "(&a)"));
    assert!(less("(&a)", "&b"));
}

#[test]
fn refusals_alike_share_an_entry() {
    let log = Log::default();
    let entry = |object: &[u8], at_ms| Entry {
        id: 0,
        count: 0,
        reason: Reason::Key,
        context: Context::TopLevel,
        object: object.to_vec(),
        user: b"alice".to_vec(),
        client: Vec::new(),
        first_ms: at_ms,
        last_ms: at_ms,
    };
    for (object, at_ms) in [(b"a", 0), (b"b", 1), (b"a", 60_000), (b"a", 130_000)] {
        log.add(entry(object, at_ms), 2);
    }
    let told: Vec<_> = log
        .newest(9)
        .into_iter()
        .map(|entry| (entry.id, entry.count))
        .collect();
    assert_eq!(told, [(2, 1), (0, 2)]);
    log.add(entry(b"a", 130_000), 0);
    assert!(log.newest(9).is_empty());
}

#[test]
fn a_file_keeps_all_users() {
    let catalogue = catalogue();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    let users = Users::new(&catalogue);
    users.set(b"alice", user("on >secret ~a (+get ~b %R~c)"));
    save(&users, &path).unwrap();
    let read_back = read(&catalogue, false, &path).unwrap();
    let names: Vec<_> = read_back
        .iter()
        .map(|known| known.name.as_slice())
        .collect();
    assert_eq!(names, [&b"alice"[..], b"default"]);
    assert_eq!(read_back[0].user, *users.get(b"alice").unwrap().user());
    assert_eq!(read_back[1].user, User::unbounded(&catalogue));

    std::fs::write(
        &path,
        "user a on\nuser a off\n# no\n\nuser b +nosuch\nuser c (+get\nuser d #1\n",
    )
    .unwrap();
    let faults = read(&catalogue, false, &path).unwrap_err();
    for fault in [
        "Duplicate user 'a' found on line 2.",
        ":3 should start with user keyword",
        ":5: Error in applying operation '+nosuch': Unknown command",
        ":6: Unmatched parenthesis in selector definition.",
        ":7: The password hash must be",
        "no change to the previously active ACL rules was performed",
    ] {
        assert!(faults.contains(fault), "{faults}");
    }
    assert!(read(&catalogue, false, folder.path().join("none").as_path()).is_err());
}
