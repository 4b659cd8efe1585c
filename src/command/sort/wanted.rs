//! The options of SORT.

use std::ops::Range;

use smallvec::SmallVec;

use crate::command::error::Error;
use crate::command::outcome::Result;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, c_string};

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub descending: bool,
    pub alpha: bool,
    offset: i64,
    count: i64,
    /// A pattern to sort by.
    pub by: Option<&'a [u8]>,
    /// BY without a pattern: elements keep the order in which they lie.
    pub unsorted: bool,
    /// Patterns of what to answer for each element; none answers the element.
    pub gets: SmallVec<[&'a [u8]; 4]>,
    pub store: Option<&'a [u8]>,
}

impl<'a> Wanted<'a> {
    /// Reads the options. `may_roam` says whether the client may read any key.
    pub fn parse(args: Args<'a>, may_store: bool, may_roam: bool) -> Result<Self> {
        let mut wanted = Self {
            descending: false,
            alpha: false,
            offset: 0,
            count: -1,
            by: None,
            unsorted: false,
            gets: SmallVec::new(),
            store: None,
        };
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
            let left = args.len() - at - 1;
            if is(b"asc") {
                wanted.descending = false;
            } else if is(b"desc") {
                wanted.descending = true;
            } else if is(b"alpha") {
                wanted.alpha = true;
            } else if is(b"limit") && left >= 2 {
                wanted.offset = parse_i64(args.at(at + 1)).ok_or(Error::NotInteger)?;
                wanted.count = parse_i64(args.at(at + 2)).ok_or(Error::NotInteger)?;
                at += 2;
            } else if may_store && is(b"store") && left >= 1 {
                wanted.store = Some(args.at(at + 1));
                at += 1;
            } else if is(b"by") && left >= 1 {
                let pattern = args.at(at + 1);
                wanted.by = Some(pattern);
                let is_pattern = c_string(pattern).contains(&b'*');
                if is_pattern && !may_roam {
                    return Err(denied("BY"));
                }
                // Once said, this cannot be unsaid.
                wanted.unsorted |= !is_pattern;
                at += 1;
            } else if is(b"get") && left >= 1 {
                if !may_roam {
                    return Err(denied("GET"));
                }
                wanted.gets.push(args.at(at + 1));
                at += 1;
            } else {
                return Err(Error::Syntax);
            }
            at += 1;
        }
        Ok(wanted)
    }

    /// The places of the elements to answer, of `len` in order.
    pub fn range(&self, len: usize) -> Range<usize> {
        let place = |number: i64| usize::try_from(number).unwrap_or(0).min(len);
        let start = place(self.offset);
        let end = if self.count < 0 {
            len
        } else {
            start.saturating_add(place(self.count)).min(len)
        };
        start..end
    }
}

/// What a client hears that may not read every key.
fn denied(option: &str) -> Error {
    Error::text(&format!(
        "{option} option of SORT denied due to insufficient ACL permissions."
    ))
}
