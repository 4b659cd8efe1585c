//! What one client received in one step, compared.

use crate::command::{Command, Compare};
use crate::compare::agree;
use crate::reply::Reply;

/// Compares what one client received. Patterns that match the same message, and channels left all
/// at once, come in an order that no client may rely on (Redis keeps them in a hash table).
pub fn same_frames(
    oracle: &[Vec<u8>],
    subject: &[Vec<u8>],
    compare: Compare,
    unordered: bool,
) -> bool {
    if oracle == subject {
        return true;
    }
    if oracle.len() != subject.len() {
        return false;
    }
    if let ([one], [other]) = (oracle, subject) {
        return agree(compare, one, other);
    }
    if unordered {
        return left_all(oracle) == left_all(subject);
    }
    let is_pattern =
        |frame: &&Vec<u8>| memchr::memmem::find(frame, b"$8\r\npmessage\r\n").is_some();
    let split = |frames: &[Vec<u8>]| {
        let (mut patterns, rest): (Vec<_>, Vec<_>) =
            frames.iter().partition(|frame| is_pattern(frame));
        patterns.sort();
        (
            patterns.into_iter().cloned().collect::<Vec<_>>(),
            rest.into_iter().cloned().collect(),
        )
    };
    let ours: (Vec<Vec<u8>>, Vec<Vec<u8>>) = split(oracle);
    ours == split(subject)
}

/// The channels left, in any order, and the counts as they fell.
fn left_all(frames: &[Vec<u8>]) -> (Vec<Vec<Reply>>, Vec<Option<Reply>>) {
    let parsed: Vec<Reply> = frames.iter().map(|frame| Reply::parse(frame)).collect();
    let members = |reply: &Reply| reply.members().unwrap_or_default().to_vec();
    let mut names: Vec<Vec<Reply>> = parsed
        .iter()
        .map(|reply| members(reply).into_iter().take(2).collect())
        .collect();
    names.sort();
    (
        names,
        parsed
            .iter()
            .map(|reply| members(reply).get(2).cloned())
            .collect(),
    )
}

/// The replies of a step as text.
pub fn shown(frames: &[Vec<u8>], closed: bool) -> String {
    let mut text = frames
        .iter()
        .map(|frame| Reply::parse(frame).to_string().chars().take(300).collect())
        .collect::<Vec<String>>()
        .join(" ");
    if closed {
        text.push_str(" (closed)");
    }
    if text.is_empty() {
        "(nothing)".to_owned()
    } else {
        text
    }
}

/// Whether a command leaves all channels at once.
pub fn is_unsubscribe_all(command: &Command) -> bool {
    let name = command.args[0].to_ascii_uppercase();
    command.args.len() == 1 && name.ends_with(b"UNSUBSCRIBE")
}

/// Whether a reply answers a PING with this token, as a subscriber or not.
pub fn is_pong(frame: &[u8], token: &[u8]) -> bool {
    frame.ends_with(b"\r\n") && frame[..frame.len() - 2].ends_with(token) && {
        let reply = Reply::parse(frame);
        reply.text() == Some(token)
            || reply
                .members()
                .is_some_and(|members| members.len() == 2 && members[0].text() == Some(b"pong"))
    }
}
