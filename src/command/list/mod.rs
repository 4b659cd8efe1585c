//! Commands on lists, which are queues.
//!
//! `push` puts messages in, `pop` takes them, `transfer` moves them between lists, `blocking` has
//! the forms that wait, `read` looks, `edit` changes in the middle.

mod blocking;
mod edit;
mod pop;
mod push;
mod read;
mod transfer;

pub(super) use blocking::parse_timeout;

use crate::flags;
use crate::protocol::number::parse_i64;
use crate::store::End;

use super::error::Error;
use super::outcome::Result;
use super::spec::{Command, Keys};

/// A row of the table: all lists commands share their group.
macro_rules! list {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "list", $since, $summary, $handler,
        )
    };
}

/// Commands on lists.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    list!("lpush", -3, flags![WRITE, DENYOOM, FAST, RUNS_ON], Keys::FIRST, "1.0.0",
        "Prepends one or more elements to a list.", push::lpush),
    list!("rpush", -3, flags![WRITE, DENYOOM, FAST, RUNS_ON], Keys::FIRST, "1.0.0",
        "Appends one or more elements to a list.", push::rpush),
    list!("lpushx", -3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "2.2.0",
        "Prepends one or more elements to a list only when the list exists.", push::lpushx),
    list!("rpushx", -3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "2.2.0",
        "Appends an element to a list only when the list exists.", push::rpushx),
    list!("lpop", -2, flags![WRITE, FAST, RUNS_ON], Keys::FIRST, "1.0.0",
        "Returns the first elements in a list after removing it.", pop::lpop),
    list!("rpop", -2, flags![WRITE, FAST, RUNS_ON], Keys::FIRST, "1.0.0",
        "Returns and removes the last elements of a list.", pop::rpop),
    list!("lmpop", -4, flags![WRITE, MOVABLE_KEYS], Keys::Numbered { at: 1, also: 0 }, "7.0.0",
        "Returns multiple elements from a list after removing them.", pop::lmpop),
    list!("llen", 2, flags![READONLY, FAST], Keys::FIRST, "1.0.0",
        "Returns the length of a list.", read::llen),
    list!("lindex", 3, flags![READONLY], Keys::FIRST, "1.0.0",
        "Returns an element from a list by its index.", read::lindex),
    list!("lrange", 4, flags![READONLY], Keys::FIRST, "1.0.0",
        "Returns a range of elements from a list.", read::lrange),
    list!("lpos", -3, flags![READONLY], Keys::FIRST, "6.0.6",
        "Returns the index of matching elements in a list.", read::lpos),
    list!("lset", 4, flags![WRITE, DENYOOM], Keys::FIRST, "1.0.0",
        "Sets the value of an element in a list by its index.", edit::lset),
    list!("linsert", 5, flags![WRITE, DENYOOM], Keys::FIRST, "2.2.0",
        "Inserts an element before or after another element in a list.", edit::linsert),
    list!("lrem", 4, flags![WRITE], Keys::FIRST, "1.0.0",
        "Removes elements from a list.", edit::lrem),
    list!("ltrim", 4, flags![WRITE], Keys::FIRST, "1.0.0",
        "Removes elements from both ends a list.", edit::ltrim),
    list!("lmove", 5, flags![WRITE, DENYOOM], Keys::FIRST_TWO, "6.2.0",
        "Returns an element after popping it from one list and pushing it to another.", transfer::lmove),
    list!("rpoplpush", 3, flags![WRITE, DENYOOM], Keys::FIRST_TWO, "1.2.0",
        "Returns the last element of a list after removing and pushing it to another list.", transfer::rpoplpush),
    list!("blpop", -3, flags![WRITE, BLOCKING, CHEAP], Keys::ALL_BUT_LAST, "2.0.0",
        "Removes and returns the first element in a list, waiting until there is one.", blocking::blpop),
    list!("brpop", -3, flags![WRITE, BLOCKING, CHEAP], Keys::ALL_BUT_LAST, "2.0.0",
        "Removes and returns the last element in a list, waiting until there is one.", blocking::brpop),
    list!("blmpop", -5, flags![WRITE, BLOCKING, MOVABLE_KEYS], Keys::Numbered { at: 2, also: 0 }, "7.0.0",
        "Pops elements from the first list that has any, waiting until one has.", blocking::blmpop),
    list!("blmove", 6, flags![WRITE, DENYOOM, BLOCKING], Keys::FIRST_TWO, "6.2.0",
        "Moves an element from one list to another and returns it, waiting until there is one.", blocking::blmove),
    list!("brpoplpush", 4, flags![WRITE, DENYOOM, BLOCKING], Keys::FIRST_TWO, "2.2.0",
        "Pops the last element of a list and pushes it to another, waiting until there is one.", blocking::brpoplpush),
];

/// An argument that says LEFT or RIGHT.
fn parse_end(argument: &[u8]) -> Result<End> {
    if argument.eq_ignore_ascii_case(b"left") {
        Ok(End::Front)
    } else if argument.eq_ignore_ascii_case(b"right") {
        Ok(End::Back)
    } else {
        Err(Error::Syntax)
    }
}

/// The event that a pop at this end, or a push, is notified by.
fn pop_event(end: End) -> &'static str {
    match end {
        End::Front => "lpop",
        End::Back => "rpop",
    }
}

fn push_event(end: End) -> &'static str {
    match end {
        End::Front => "lpush",
        End::Back => "rpush",
    }
}

/// An index argument.
fn parse_index(argument: &[u8]) -> Result<i64> {
    parse_i64(argument).ok_or(Error::NotInteger)
}

/// A length as a reply carries it.
fn reply_len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// The position in a list of `len` that an index means, which may count from the end.
fn position(index: i64, len: usize) -> Option<usize> {
    let position = if index < 0 {
        index.checked_add(reply_len(len))?
    } else {
        index
    };
    usize::try_from(position)
        .ok()
        .filter(|&position| position < len)
}

/// The first position and the length of the part of a list that `start` and `stop` span, both
/// included and perhaps counted from the end; empty parts have no position.
fn span(start: i64, stop: i64, len: usize) -> Option<(usize, usize)> {
    let len = reply_len(len);
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(len)
        } else {
            index
        }
    };
    let first = from_end(start).max(0);
    let last = from_end(stop).min(len - 1);
    if first > last {
        return None;
    }
    Some((
        usize::try_from(first).ok()?,
        usize::try_from(last - first + 1).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::{position, span};

    #[test]
    fn indexes_count_from_either_end() {
        assert_eq!(position(0, 3), Some(0));
        assert_eq!(position(-1, 3), Some(2));
        assert_eq!(position(3, 3), None);
        assert_eq!(position(-4, 3), None);
        assert_eq!(position(i64::MIN, 3), None);
    }

    #[test]
    fn spans_are_cut_to_the_list() {
        assert_eq!(span(0, -1, 3), Some((0, 3)));
        assert_eq!(span(-100, 100, 3), Some((0, 3)));
        assert_eq!(span(1, 1, 3), Some((1, 1)));
        assert_eq!(span(2, 1, 3), None);
        assert_eq!(span(3, 5, 3), None);
        assert_eq!(span(i64::MIN, i64::MAX, 0), None);
    }
}
