//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them.
//!
//! `*` any run of bytes, `?` any byte, `[a-c]` and `[^a-c]` a class, `\` the next byte itself.
//! Whatever a pattern looks like, it means something: an unclosed class ends with the pattern, a
//! reversed range is turned round, a backslash at the end is a backslash.
//!
//! Every element but `*` takes exactly one byte, so only the last `*` ever needs to be tried again:
//! cost is at most the product of both lengths, and a pattern like `a*a*a*a*b` cannot make it
//! explode. No allocation.

/// Whether `text` as a whole matches `pattern`. With `nocase`, ASCII letters match in either case
/// (except a letter escaped inside a class, as in Redis).
///
/// The empty text matches the empty pattern alone; Redis answers that way even for `*`.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    // Positions in pattern and text, and where to go on when the last star must take one more.
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            if at == pattern.len() {
                return true;
            }
            star = Some((at, seen));
            continue;
        }
        if seen == text.len() {
            return at == pattern.len();
        }
        let step = element(&pattern[at..], text[seen], nocase);
        match (step, star) {
            (Some(width), _) => {
                at += width;
                seen += 1;
            }
            (None, Some((after, from))) => {
                at = after;
                seen = from + 1;
                star = Some((after, seen));
            }
            (None, None) => return false,
        }
    }
}

/// Whether a pattern matches itself and nothing else.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Width of the pattern's first element if it matches `byte`; not called on a star.
#[inline]
fn element(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let (width, matched) = match pattern {
        [] => return None,
        [b'?', ..] => (1, true),
        [b'[', class @ ..] => {
            let (width, matched) = class_matches(class, byte, nocase);
            (width + 1, matched)
        }
        [b'\\', literal, ..] => (2, same(*literal, byte, nocase)),
        [literal, ..] => (1, same(*literal, byte, nocase)),
    };
    matched.then_some(width)
}

/// Width of a class after its opening bracket, and whether it holds `byte`.
fn class_matches(class: &[u8], byte: u8, nocase: bool) -> (usize, bool) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut matched = false;
    loop {
        match &class[at..] {
            [] => return (at, matched != negated),
            [b'\\', literal, ..] => {
                matched |= *literal == byte;
                at += 2;
            }
            [b']', ..] => return (at + 1, matched != negated),
            [low, b'-', high, ..] => {
                let fold = |byte: u8| {
                    if nocase {
                        byte.to_ascii_lowercase()
                    } else {
                        byte
                    }
                };
                let (low, high) = (*low.min(high), *low.max(high));
                matched |= (fold(low)..=fold(high)).contains(&fold(byte));
                at += 3;
            }
            [literal, ..] => {
                matched |= same(*literal, byte, nocase);
                at += 1;
            }
        }
    }
}

fn same(literal: u8, byte: u8, nocase: bool) -> bool {
    literal == byte || nocase && literal.eq_ignore_ascii_case(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, by recursion: exponential and obvious.
    fn naive(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => {
                (0..=text.len()).any(|skip| naive(rest, &text[skip..], nocase))
            }
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
    fn literals_have_no_special_bytes() {
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
    }
}
