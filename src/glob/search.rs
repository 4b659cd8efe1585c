//! Long patterns on long texts: the parts between two stars are looked for, not tried at each byte.
//!
//! A part takes as many bytes as it has elements. The first place where it matches leaves most for
//! those behind it, and the last part can only match at the end. A literal part is searched for as
//! a string; any other goes over the text once for each [`BLOCK_LEN`] of its elements, with a bit
//! for each that says whether the block up to there matches up to here.

use memchr::memmem;

use super::{element, is_literal, walk_class};

/// Elements that one pass over the text looks for: the bits of a word.
const BLOCK_LEN: usize = 64;

/// As [`super::matches`] for a pattern without the star that it begins with.
pub(super) fn matches_behind_star(mut pattern: &[u8], mut text: &[u8]) -> bool {
    loop {
        let Some((part, len)) = first_part(pattern, text.len()) else {
            return false;
        };
        if part.len() == pattern.len() {
            return takes(part, &text[text.len() - len..]);
        }
        let Some(end) = find(part, text) else {
            return false;
        };
        (pattern, text) = (&pattern[part.len() + 1..], &text[end..]);
    }
}

/// What stands before the first star, and how many elements that is; `None` if it is more than
/// `len_max`.
fn first_part(pattern: &[u8], len_max: usize) -> Option<(&[u8], usize)> {
    let (mut at, mut len) = (0, 0);
    while !matches!(pattern[at..], [] | [b'*', ..]) {
        at += match &pattern[at..] {
            [b'[', class @ ..] => 1 + walk_class(class, |_, _, _| {}).0,
            [b'\\', _, ..] => 2,
            _ => 1,
        };
        len += 1;
        if len > len_max {
            return None;
        }
    }
    Some((&pattern[..at], len))
}

/// Whether a part takes a text of as many bytes as it has elements.
fn takes(mut part: &[u8], text: &[u8]) -> bool {
    text.iter().all(|&byte| {
        let width = element(part, byte, false);
        part = &part[width.unwrap_or(0)..];
        width.is_some()
    })
}

/// Where the first match of a part ends.
fn find(part: &[u8], text: &[u8]) -> Option<usize> {
    if is_literal(part) {
        return memmem::find(text, part).map(|start| start + part.len());
    }
    let (mut rest, mut before) = (part, None::<Vec<bool>>);
    loop {
        let (block, behind) = Block::first(rest);
        let may_start = |at: usize| before.as_ref().is_none_or(|ends| ends[at]);
        let mut ends = block.ends(text, may_start);
        if behind.is_empty() {
            return ends.next();
        }
        let mut places = vec![false; text.len() + 1];
        ends.for_each(|end| places[end] = true);
        (before, rest) = (Some(places), behind);
    }
}

/// Some elements in a row.
struct Block {
    /// For each byte, which of the elements take it.
    takers: [u64; 256],
    /// The bit of the last element.
    last: u64,
}

impl Block {
    /// The first elements of a part, and the elements behind them.
    fn first(mut part: &[u8]) -> (Self, &[u8]) {
        let mut takers = [0; 256];
        let (mut bit, mut last) = (1_u64, 0);
        for _ in 0..BLOCK_LEN {
            let width = match part {
                [] => break,
                [b'?', ..] => {
                    for takers in &mut takers {
                        *takers |= bit;
                    }
                    1
                }
                [b'[', class @ ..] => 1 + add_class(&mut takers, class, bit),
                [b'\\', literal, ..] => {
                    takers[usize::from(*literal)] |= bit;
                    2
                }
                [literal, ..] => {
                    takers[usize::from(*literal)] |= bit;
                    1
                }
            };
            part = &part[width..];
            last = bit;
            bit <<= 1;
        }
        (Self { takers, last }, part)
    }

    /// Where its matches end that start where one may, in order.
    fn ends(&self, text: &[u8], may_start: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        let mut matching = 0;
        let ends = text.iter().enumerate().map(move |(at, &byte)| {
            matching = (matching << 1 | u64::from(may_start(at))) & self.takers[usize::from(byte)];
            (at + 1, matching & self.last != 0)
        });
        ends.filter_map(|(end, matches)| matches.then_some(end))
    }
}

/// Adds a class after its opening bracket to what takes each byte. Returns its width.
fn add_class(takers: &mut [u64; 256], class: &[u8], bit: u64) -> usize {
    let (width, negated) = walk_class(class, |low, high, _| {
        for takers in &mut takers[usize::from(low)..=usize::from(high)] {
            *takers |= bit;
        }
    });
    if negated {
        for takers in takers {
            *takers ^= bit;
        }
    }
    width
}
