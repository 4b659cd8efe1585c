use proptest::prelude::*;

use super::*;

/// The definition, by recursion: exponential and obvious.
fn naive(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    match (pattern, text) {
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..], nocase)),
        ([], []) => true,
        ([], _) | (_, []) => false,
        (_, [byte, rest @ ..]) => {
            let (width, found) = naive_element(pattern, *byte, nocase);
            found && naive(&pattern[width..], rest, nocase)
        }
    }
}

fn naive_element(pattern: &[u8], byte: u8, nocase: bool) -> (usize, bool) {
    let lower = |byte: u8| {
        if nocase {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    match pattern[0] {
        b'?' => (1, true),
        b'\\' if pattern.len() > 1 => (2, lower(pattern[1]) == lower(byte)),
        b'[' => {
            let negated = pattern.get(1) == Some(&b'^');
            let mut at = 1 + usize::from(negated);
            let mut members = Vec::new();
            while at < pattern.len() && pattern[at] != b']' {
                if pattern[at] == b'\\' && at + 1 < pattern.len() {
                    members.push(pattern[at + 1]);
                    at += 2;
                } else if at + 2 < pattern.len() && pattern[at + 1] == b'-' {
                    let mut ends = [pattern[at], pattern[at + 2]];
                    ends.sort_unstable();
                    let (low, high) = (lower(ends[0]), lower(ends[1]));
                    members.extend((0..=255).filter(|&c| low <= lower(c) && lower(c) <= high));
                    at += 3;
                } else {
                    let member = pattern[at];
                    members.extend((0..=255).filter(|&c| lower(c) == lower(member)));
                    at += 1;
                }
            }
            let width = (at + 1).min(pattern.len());
            (width, members.contains(&byte) != negated)
        }
        literal => (1, lower(literal) == lower(byte)),
    }
}

#[test]
fn answers_as_redis_does() {
    // Each line was asked of redis-server 8.2.3 (KEYS, PUBLISH, CONFIG GET).
    let cases: [(&str, &str, bool); 32] = [
        ("", "", true),
        ("*", "", false),
        ("**", "", false),
        ("*", "a", true),
        ("a**", "a", true),
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "heeeello", true),
        ("h[ae]llo", "hallo", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-b]llo", "hbllo", true),
        ("h[b-a]llo", "hbllo", true),
        ("[a", "a", true),
        ("[^a", "b", true),
        ("[", "[", false),
        ("[^", "a", true),
        ("[]", "]", false),
        ("[^]", "a", true),
        ("[a-", "-", true),
        ("[a-]", "]", true),
        ("[\\]]", "]", true),
        ("[\\", "\\", true),
        ("a\\", "a\\", true),
        ("\\a", "a", true),
        ("\\*", "*", true),
        ("\\*", "a", false),
        ("*b", "aab", true),
        ("*a*", "bab", true),
        ("a*b?c*", "axxbbc", true),
        ("A", "a", false),
    ];
    for (pattern, text, wanted) in cases {
        assert_eq!(
            matches(pattern.as_bytes(), text.as_bytes(), false),
            wanted,
            "{pattern:?} on {text:?}"
        );
    }
}

#[test]
fn ignores_case_where_redis_does() {
    for (pattern, wanted) in [
        ("\\APPENDONL?", true),
        ("[A-C]ppendonly", true),
        ("[A]ppendonly", true),
        ("[^A]ppendonly", false),
        ("[\\A]ppendonly", false),
        ("[^\\A]ppendonly", true),
        ("[Z-`]ppendonly", false),
        ("[_-z]ppendonly", true),
        ("APPENDONL[X-^]", false),
    ] {
        assert_eq!(
            matches(pattern.as_bytes(), b"appendonly", true),
            wanted,
            "{pattern:?}"
        );
    }
}

#[test]
fn many_stars_do_not_explode() {
    let pattern = "a*".repeat(1000) + "b";
    let text = "a".repeat(10_000);
    assert!(!matches(pattern.as_bytes(), text.as_bytes(), false));
}

#[test]
fn long_patterns_are_looked_for() {
    let text = "a".repeat(200_000);
    let part = "a".repeat(20_000);
    for (pattern, wanted) in [
        (format!("*{part}b"), false),
        (format!("*{part}b*"), false),
        (format!("*{part}*{part}a"), true),
        (format!("*[{part}]"), true),
        (format!("*[^{part}]*"), false),
        (format!("*?[{part}]*a?"), true),
        (format!("*?{}b*", &part[..500]), false),
        ("*a?".repeat(1000), true),
        (format!("*{}", "[".repeat(200_001)), false),
    ] {
        let start = &pattern[..pattern.len().min(9)];
        assert_eq!(
            matches(pattern.as_bytes(), text.as_bytes(), false),
            wanted,
            "{start}"
        );
    }
}

#[test]
fn simple_patterns_are_told_apart() {
    assert!(is_everything(b"*") && !is_everything(b"**") && !is_everything(b""));
    assert!(is_literal(b"a]b^-") && is_literal(b""));
    for pattern in [&b"*"[..], b"a?", b"[", b"\\a"] {
        assert!(!is_literal(pattern));
    }
}

proptest! {
    #[test]
    fn agrees_with_the_definition(
        pattern in "[ab*?\\[\\]^\\\\AB-]{0,9}",
        text in "[abAB\\]^-]{1,7}",
        nocase: bool,
    ) {
        prop_assert_eq!(
            matches(pattern.as_bytes(), text.as_bytes(), nocase),
            naive(pattern.as_bytes(), text.as_bytes(), nocase)
        );
    }

    #[test]
    fn a_search_finds_what_trying_finds(
        pattern in "[ab*?\\[\\]^\\\\-]{0,9}",
        text in "[ab\\]^-]{0,7}",
    ) {
        let whole = ["*", &pattern].concat();
        prop_assert_eq!(
            search::matches_behind_star(pattern.as_bytes(), text.as_bytes()),
            naive(whole.as_bytes(), text.as_bytes(), false)
        );
    }

    #[test]
    fn a_search_goes_on_from_block_to_block(
        pattern in "[a?]{60,70}(a|[?]|\\[ab\\]|[*]|\\[\\^b\\]){60,70}[*]?",
        text in "(a{0,90}b?){3}",
    ) {
        let whole = ["*", &pattern].concat();
        // With `nocase` everything is tried at each byte.
        prop_assert_eq!(
            search::matches_behind_star(pattern.as_bytes(), text.as_bytes()),
            matches(whole.as_bytes(), text.as_bytes(), true)
        );
    }
}
