//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them.
//!
//! `*` any run of bytes, `?` any byte, `[a-c]` and `[^a-c]` a class, `\` the next byte itself.
//! Whatever a pattern looks like, it means something: an unclosed class ends with the pattern, a
//! reversed range is turned round, a backslash at the end is a backslash.
//!
//! Every element but `*` takes exactly one byte, so only the last `*` ever needs to be tried again,
//! and a pattern like `a*a*a*a*b` cannot make it explode: cost is at most the product of both
//! lengths. Where that is much, `search` looks for what stands between two stars: what is literal
//! costs the length of the text, the rest a 64th of the product. Without it there is no allocation.

mod search;

/// Product of the lengths of what is left of a pattern behind a star and of a text, past which
/// setting up a search pays.
const TRIED_MAX: usize = 1 << 14;

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
            let (behind, left) = (&pattern[at..], &text[seen..]);
            // What is asked for with `nocase` are names of the server's own, and short.
            if behind.len().saturating_mul(left.len()) > TRIED_MAX && !nocase {
                return search::matches_behind_star(behind, left);
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

/// Whether KEYS, SCAN and their kin take a pattern for "all" without looking: they then show even
/// the empty name, which [`matches`] does not.
pub fn is_everything(pattern: &[u8]) -> bool {
    pattern == b"*"
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
    let mut matched = false;
    let (width, negated) = walk_class(class, |low, high, is_escaped| {
        let fold = |byte: u8| {
            if nocase && !is_escaped {
                byte.to_ascii_lowercase()
            } else {
                byte
            }
        };
        matched |= (fold(low)..=fold(high)).contains(&fold(byte));
    });
    (width, matched != negated)
}

/// Gives `member` the first and the last byte of each range of a class after its opening bracket,
/// and whether it was escaped. Returns the width of the class, and whether it is of all other bytes.
#[inline]
fn walk_class(class: &[u8], mut member: impl FnMut(u8, u8, bool)) -> (usize, bool) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    loop {
        match &class[at..] {
            [] => return (at, negated),
            [b'\\', literal, ..] => {
                member(*literal, *literal, true);
                at += 2;
            }
            [b']', ..] => return (at + 1, negated),
            [low, b'-', high, ..] => {
                member(*low.min(high), *low.max(high), false);
                at += 3;
            }
            [literal, ..] => {
                member(*literal, *literal, false);
                at += 1;
            }
        }
    }
}

fn same(literal: u8, byte: u8, nocase: bool) -> bool {
    literal == byte || nocase && literal.eq_ignore_ascii_case(&byte)
}

#[cfg(test)]
mod tests;
