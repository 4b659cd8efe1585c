//! Subscribers and publishers on several connections, in RESP2 (where a subscriber may hardly
//! speak) and RESP3 (where it may, and hears its own messages).

use super::keys::pattern;
use crate::command::{Command, Compare};
use crate::crowd::{Action, Crowd};
use crate::vocabulary::Gen;

/// Channels, and words that patterns of the keys family match.
const CHANNELS: &[&str] = &["l1", "l2", "s1", "s2", "news", "", "gl*b"];

/// The next action of a random client.
pub fn next_action(g: &mut Gen, crowd: &Crowd) -> Action {
    let client = g.rng.below(crowd.len());
    if g.rng.percent(2) {
        return Action::Leave(client);
    }
    if g.rng.percent(4) {
        let mut commands = vec![Command::new("MULTI")];
        commands.extend((0..=g.rng.below(3)).map(|_| publish(g)));
        commands.push(Command::new("EXEC"));
        return Action::Send(client, commands);
    }
    let command = match g.rng.below(20) {
        0..=2 => Command::new("SUBSCRIBE").args(channels(g)),
        3..=4 => Command::new("PSUBSCRIBE").args(patterns(g)),
        5 => Command::new("SSUBSCRIBE").args(channels(g)),
        6..=7 => leave(g),
        8..=14 => publish(g),
        15..=16 => facts(g),
        17 => odd(g),
        18 => Command::words("PING"),
        _ => Command::new("GET").arg("k"),
    };
    Action::Send(client, vec![command])
}

fn channel(g: &mut Gen) -> &'static str {
    CHANNELS[g.rng.below(CHANNELS.len())]
}

fn channels(g: &mut Gen) -> Vec<&'static str> {
    (0..=g.rng.below(3)).map(|_| channel(g)).collect()
}

fn patterns(g: &mut Gen) -> Vec<Vec<u8>> {
    (0..=g.rng.below(2)).map(|_| pattern(g)).collect()
}

fn publish(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["PUBLISH", "PUBLISH", "PUBLISH", "SPUBLISH"]);
    Command::new(name).arg(channel(g)).arg(g.value())
}

fn leave(g: &mut Gen) -> Command {
    let (name, named) = match g.rng.below(3) {
        0 => (
            "UNSUBSCRIBE",
            channels(g)
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
        ),
        1 => ("PUNSUBSCRIBE", patterns(g)),
        _ => (
            "SUNSUBSCRIBE",
            channels(g)
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
        ),
    };
    let command = Command::new(name);
    if g.rng.percent(35) {
        command
    } else {
        command.args(named)
    }
}

fn facts(g: &mut Gen) -> Command {
    let pubsub = Command::new("PUBSUB");
    match g.rng.below(6) {
        0 => pubsub.arg("CHANNELS").compared(Compare::AnyOrder),
        1 => pubsub
            .arg("CHANNELS")
            .arg(pattern(g))
            .compared(Compare::AnyOrder),
        2 => pubsub.arg("NUMSUB").args(channels(g)),
        3 => pubsub.arg("NUMPAT"),
        4 => pubsub.arg("SHARDCHANNELS").compared(Compare::AnyOrder),
        _ => pubsub.arg("SHARDNUMSUB").args(channels(g)),
    }
}

/// What changes a connection's state, or is refused while subscribed in RESP2.
fn odd(g: &mut Gen) -> Command {
    match g.rng.below(10) {
        0 => Command::new("RESET"),
        1 => Command::new("QUIT"),
        2 => Command::words("HELLO 2").compared(Compare::Hello),
        3 | 4 => Command::words("HELLO 3").compared(Compare::Hello),
        5 => Command::words("SUBSCRIBE"),
        6 => Command::words("PUBLISH l1"),
        7 => Command::words("SELECT 1"),
        8 => Command::words("NOSUCH a b"),
        _ => Command::words("PING a b"),
    }
}
