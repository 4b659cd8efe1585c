use super::words::{parse_bytes, parse_ms};
use super::{Kind, Policies};

fn holding(text: &str, name: &str) -> Option<String> {
    let policies = Policies::parse(text).unwrap();
    let rule = policies.rule_of(Kind::Queue, name.as_bytes())?;
    Some(String::from_utf8_lossy(&rule.pattern).into_owned())
}

#[test]
fn the_most_specific_pattern_holds() {
    let text = "* max-length 1; logs:* max-length 2; logs:app:* max-length 3; \
                logs:*:error max-length 4; logs:app:error max-length 5; log? max-length 6";
    for (name, pattern) in [
        ("other", "*"),
        ("logs:x", "logs:*"),
        ("logs:app:1", "logs:app:*"),
        ("logs:db:error", "logs:*:error"),
        ("logs:app:error", "logs:app:error"),
        ("logs", "log?"),
        ("", "*"),
    ] {
        assert_eq!(holding(text, name).as_deref(), Some(pattern), "{name}");
    }
    assert_eq!(holding("a* max-length 1", "b"), None);
    assert_eq!(
        holding("* kind channel max-length 1", "b"),
        None,
        "channels are no queues"
    );
}

#[test]
fn texts_come_back_as_they_were() {
    for (text, canonical) in [
        ("q MAX-LENGTH 5", "q max-length 5"),
        (
            "a* overflow REJECT max-bytes 2kb max-age 3s expire-idle 1h dead-letter dead memory shed",
            "a* max-bytes 2048 max-age 3000 expire-idle 3600000 overflow reject dead-letter dead memory shed",
        ),
        (
            "c* kind channel max-length 9 overflow disconnect",
            "c* kind channel max-length 9 overflow disconnect",
        ),
        ("\"a b;\\\"\" max-length 1", "\"a b;\\\"\" max-length 1"),
        ("\"\\x00\\xff\" max-length 1", "\"\\x00\\xff\" max-length 1"),
        ("a\\*b max-length 1", "a\\*b max-length 1"),
        ("\"\" max-length 1", "\"\" max-length 1"),
    ] {
        let lines = Policies::parse(text).unwrap().to_lines();
        assert_eq!(lines, [canonical]);
        assert_eq!(Policies::parse(canonical).unwrap().to_lines(), lines);
    }
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    for (text, reason) in [
        ("q max-length", "the value of 'max-length' is missing"),
        (
            "q max-length 0",
            "'max-length' takes a number from 1, not '0'",
        ),
        (
            "q max-bytes 5q",
            "'max-bytes' takes a size such as 64mb, not '5q'",
        ),
        (
            "q alert-length 9223372036854775808",
            "'alert-length' takes a number from 1, not '9223372036854775808'",
        ),
        ("q size 5", "no option of policies is called 'size'"),
        (
            "q overflow disconnect",
            "a queue has no 'overflow disconnect'",
        ),
        ("q kind channel max-age 5", "a channel has no 'max-age'"),
        ("\"q", "a quote is not closed"),
    ] {
        assert_eq!(Policies::parse(text).unwrap_err(), reason);
    }
}

#[test]
fn dead_letters_never_go_in_a_circle() {
    for (text, chain) in [
        ("* dead-letter dead", Some("dead -> dead")),
        ("a dead-letter a", Some("a -> a")),
        (
            "a dead-letter b; b dead-letter c; c dead-letter a",
            Some("b -> c -> a -> b"),
        ),
        ("* dead-letter dead; dead max-length 5", None),
        ("a* dead-letter b; b* dead-letter c", None),
        (
            "x dead-letter a; a dead-letter b; b dead-letter a",
            Some("b -> a -> b"),
        ),
        ("x dead-letter z; y dead-letter z; z dead-letter w", None),
        (
            "a kind stream dead-letter b max-deliveries 1; b dead-letter a",
            None,
        ),
    ] {
        let parsed = Policies::parse(text);
        match chain {
            None => assert!(parsed.is_ok(), "{text}"),
            Some(chain) => assert!(parsed.unwrap_err().contains(chain), "{text}"),
        }
    }
    let policies = Policies::parse("* dead-letter dead; dead max-length 5").unwrap();
    assert!(policies.without(Kind::Queue, b"dead").is_err());
    assert!(policies.without(Kind::Queue, b"none").unwrap().is_none());
    let rule = |text: &str| {
        Policies::parse(text)
            .unwrap()
            .iter()
            .next()
            .cloned()
            .unwrap()
    };
    assert!(policies.with(rule("dead* dead-letter d")).is_ok());
    let refusal = policies.with(rule("dead dead-letter d")).unwrap_err();
    assert!(refusal.contains("circle: d -> dead -> d;"), "{refusal}");
}

/// Thousands of policies, each with dead letters, are read while somebody waits for the server.
#[test]
fn long_chains_of_dead_letters_are_followed_once() {
    let line = |at| format!("q{at} dead-letter q{}", at + 1);
    let mut lines: Vec<String> = (0..4000).map(line).collect();
    let policies = Policies::parse(&lines.join("\n")).unwrap();
    assert_eq!(
        policies.dead_letter_of(Kind::Queue, b"q3999"),
        Some(&b"q4000"[..])
    );
    lines.push("q4000 dead-letter q0".to_owned());
    assert!(Policies::parse(&lines.join("\n")).is_err());
}

#[test]
fn of_two_for_one_pattern_the_last_holds() {
    let policies = Policies::parse("q max-length 1; q* max-length 2; q max-length 3").unwrap();
    assert_eq!(policies.to_lines(), ["q max-length 3", "q* max-length 2"]);
    let policies = Policies::parse("b max-length 1; ab max-length 2; * max-length 3; b kind stream max-length 4; c kind channel max-length 5").unwrap();
    for (kind, name, length) in [
        (Kind::Queue, "b", Some(1)),
        (Kind::Queue, "ab", Some(2)),
        (Kind::Queue, "a", Some(3)),
        (Kind::Stream, "b", Some(4)),
        (Kind::Stream, "a", None),
        (Kind::Channel, "b", None),
    ] {
        let governed = policies.governing(kind, name.as_bytes());
        assert_eq!(
            governed.map(|governed| governed.bounds.length_max),
            length,
            "{name}"
        );
    }
}

#[test]
fn sizes_and_durations_have_units() {
    assert_eq!(parse_bytes("1gb"), Some(1 << 30));
    assert_eq!(parse_bytes("2K"), Some(2000));
    assert_eq!(parse_bytes("99999999999999gb"), None);
    assert_eq!(parse_ms("1500"), Some(1500));
    assert_eq!(parse_ms("2d"), Some(172_800_000));
    assert_eq!((parse_ms("x"), parse_ms("")), (None, None));
}
