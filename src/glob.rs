//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them.

/// Whether `text` as a whole matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            star = Some((at, seen));
            continue;
        }
        if seen == text.len() {
            return at == pattern.len();
        }
        let step = (at < pattern.len()).then(|| element(&pattern[at..], text[seen], nocase));
        match (step, star) {
            (Some((width, true)), _) => {
                at += width;
                seen += 1;
            }
            (_, Some((after, from))) => {
                at = after;
                seen = from + 1;
                star = Some((after, seen));
            }
            (_, None) => return false,
        }
    }
}

/// Whether a pattern matches itself and nothing else.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Width of the pattern's first element, and whether it matches `byte`.
fn element(pattern: &[u8], byte: u8, nocase: bool) -> (usize, bool) {
    match pattern {
        [b'?', ..] => (1, true),
        [b'[', class @ ..] => {
            let (width, matched) = class_matches(class, byte, nocase);
            (width + 1, matched)
        }
        [b'\\', literal, ..] => (2, same(*literal, byte, nocase)),
        [literal, ..] => (1, same(*literal, byte, nocase)),
        [] => (0, false),
    }
}

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
