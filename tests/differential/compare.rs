//! Judges two replies: equal, forgiven by the command's normaliser, or different.

use crate::command::Compare;
use crate::reply::Reply;

/// True when the subject's reply is as good as the oracle's.
pub fn agree(compare: Compare, oracle: &[u8], subject: &[u8]) -> bool {
    if oracle == subject {
        return true;
    }
    if compare == Compare::Exact {
        return false;
    }
    let (oracle, subject) = (Reply::parse(oracle), Reply::parse(subject));
    if oracle.kind() != subject.kind() || oracle.kind() == b'-' {
        return false;
    }
    match compare {
        Compare::Exact => false,
        Compare::AnyOrder => sorted(&oracle) == sorted(&subject),
        Compare::Pairs => pairs(&oracle) == pairs(&subject),
        Compare::Length => {
            oracle.members().map(<[Reply]>::len) == subject.members().map(<[Reply]>::len)
        }
        Compare::Shape => shape(&oracle) == shape(&subject),
        Compare::ScanPage => {
            let (ours, theirs) = (oracle.members(), subject.members());
            match (ours, theirs) {
                (Some([cursor, page]), Some([their_cursor, their_page])) => {
                    cursor == their_cursor && sorted(page) == sorted(their_page)
                }
                _ => false,
            }
        }
        Compare::Within(distance) => within(&oracle, &subject, distance),
        Compare::Clocked(distance) => clocked(&oracle, &subject, distance),
        Compare::Kind => true,
        Compare::Encoding => encoding_class(&oracle) == encoding_class(&subject),
        Compare::Hello => hello(&oracle) == hello(&subject),
        Compare::CommandInfo => command_info(&oracle) == command_info(&subject),
        Compare::Names => names(&oracle) == names(&subject),
    }
}

fn sorted(reply: &Reply) -> Option<Vec<&Reply>> {
    let mut members: Vec<&Reply> = reply.members()?.iter().collect();
    members.sort();
    Some(members)
}

/// Members two by two, sorted.
fn pairs(reply: &Reply) -> Option<Vec<&[Reply]>> {
    let members = reply.members()?;
    let is_nested = members
        .first()
        .is_some_and(|first| first.members().is_some());
    let mut pairs: Vec<&[Reply]> = members.chunks(if is_nested { 1 } else { 2 }).collect();
    pairs.sort();
    Some(pairs)
}

/// The types of a reply and of its members.
fn shape(reply: &Reply) -> Vec<(u8, bool)> {
    let kind = |reply: &Reply| {
        let is_null = matches!(reply, Reply::Bulk(_, None) | Reply::Many(_, None));
        (reply.kind(), is_null)
    };
    let members = reply.members().unwrap_or_default().iter().map(kind);
    std::iter::once(kind(reply)).chain(members).collect()
}

fn within(oracle: &Reply, subject: &Reply, distance: i64) -> bool {
    if let (Some(ours), Some(theirs)) = (oracle.integer(), subject.integer()) {
        return ours == theirs || (ours >= 0 && theirs >= 0 && (ours - theirs).abs() <= distance);
    }
    match (oracle.members(), subject.members()) {
        (Some(ours), Some(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(one, other)| within(one, other, distance))
        }
        _ => oracle == subject,
    }
}

/// Fields of XINFO that hold idle times or moments.
const CLOCKS: &[&[u8]] = &[b"idle", b"inactive", b"seen-time", b"active-time"];

/// Fields of XINFO that tell how a server stores a stream.
const STORAGE: &[&[u8]] = &[b"radix-tree-keys", b"radix-tree-nodes"];

/// Where a pending entry holds its idle time or the moment of its delivery: after the id and, where
/// it is named, the consumer.
fn clock_position(members: &[Reply]) -> Option<usize> {
    let kinds: Vec<u8> = members.iter().map(Reply::kind).collect();
    match kinds.as_slice() {
        b"$$::" => Some(2),
        b"$::" => Some(1),
        _ => None,
    }
}

fn clocked(oracle: &Reply, subject: &Reply, distance: i64) -> bool {
    let (Some(ours), Some(theirs)) = (oracle.members(), subject.members()) else {
        return oracle == subject;
    };
    let position = clock_position(ours);
    let alike = |at: usize| {
        let (one, other) = (&ours[at], &theirs[at]);
        let name = at.checked_sub(1).and_then(|before| ours[before].text());
        if name.is_some_and(|name| STORAGE.contains(&name)) {
            return one.integer().is_some() && other.integer().is_some();
        }
        if position == Some(at) || name.is_some_and(|name| CLOCKS.contains(&name)) {
            return within(one, other, distance);
        }
        clocked(one, other, distance)
    };
    oracle.kind() == subject.kind() && ours.len() == theirs.len() && (0..ours.len()).all(alike)
}

/// Which encodings stand for the same type; where a small form gives way is the server's affair.
fn encoding_class(reply: &Reply) -> Option<&'static str> {
    match reply.text()? {
        b"int" => Some("int"),
        b"embstr" | b"raw" => Some("string"),
        b"listpack" | b"quicklist" | b"ziplist" => Some("list"),
        b"listpackex" => Some("small hash"),
        b"intset" => Some("integers"),
        b"hashtable" => Some("table"),
        b"stream" => Some("stream"),
        _ => None,
    }
}

/// The field names of HELLO and the values that are not the server's own.
fn hello(reply: &Reply) -> Option<Vec<(&Reply, Option<&Reply>)>> {
    let fields = reply.members()?.chunks(2).map(|pair| {
        let own = matches!(
            pair[0].text(),
            Some(b"version" | b"id" | b"modules" | b"server")
        );
        (&pair[0], if own { None } else { pair.get(1) })
    });
    Some(fields.collect())
}

/// Of each entry: name, arity and key positions, and its flags in order.
fn command_info(reply: &Reply) -> Option<Vec<Option<CommandEntry<'_>>>> {
    Some(reply.members()?.iter().map(command_entry).collect())
}

/// What must agree of a command, and its flags in order.
type CommandEntry<'a> = (Vec<&'a Reply>, Vec<&'a Reply>);

fn command_entry(entry: &Reply) -> Option<CommandEntry<'_>> {
    let fields = entry.members()?;
    let flags = sorted(fields.get(2)?)?;
    let rest = [0, 1, 3, 4, 5]
        .iter()
        .filter_map(|&at| fields.get(at))
        .collect();
    Some((rest, flags))
}

fn names(reply: &Reply) -> Option<Vec<&Reply>> {
    let mut names: Vec<&Reply> = reply.members()?.iter().step_by(2).collect();
    names.sort();
    Some(names)
}
