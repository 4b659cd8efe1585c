//! The families of commands, each in a file of its own. A new family: a file with a `COMMANDS`
//! table, and a line in `FAMILIES`. `blocking`, `pubsub`, `events` and `stream_waits` need several
//! clients at once and are driven by `crowd` instead.

pub mod acl;
pub mod bits;
pub mod blocking;
pub mod blocking_sorted;
pub mod connection;
pub mod events;
pub mod groups;
pub mod hashes;
pub mod keys;
pub mod lists;
pub mod pubsub;
pub mod scripts;
pub mod server;
pub mod sets;
pub mod sorted_sets;
pub mod sorts;
pub mod stream_waits;
pub mod streams;
pub mod strings;

use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// A command's weight and what makes one.
pub type Entry = (u32, fn(&mut Gen) -> Command);

/// A family: its name, its weight in the mixture, its commands.
pub struct Family {
    /// As `WEIR_DIFF_FAMILIES` names it.
    pub name: &'static str,
    /// How often it is drawn, beside the others.
    pub weight: u32,
    /// What it sends.
    pub commands: &'static [Entry],
}

/// Every family that runs unless told otherwise.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "lists",
        weight: 45,
        commands: lists::COMMANDS,
    },
    Family {
        name: "strings",
        weight: 25,
        commands: strings::COMMANDS,
    },
    Family {
        name: "bits",
        weight: 8,
        commands: bits::COMMANDS,
    },
    Family {
        name: "hashes",
        weight: 25,
        commands: hashes::COMMANDS,
    },
    Family {
        name: "sets",
        weight: 20,
        commands: sets::COMMANDS,
    },
    Family {
        name: "sorted sets",
        weight: 30,
        commands: sorted_sets::COMMANDS,
    },
    Family {
        name: "sorts",
        weight: 6,
        commands: sorts::COMMANDS,
    },
    Family {
        name: "keys",
        weight: 22,
        commands: keys::COMMANDS,
    },
    Family {
        name: "streams",
        weight: 25,
        commands: streams::COMMANDS,
    },
    Family {
        name: "groups",
        weight: 25,
        commands: groups::COMMANDS,
    },
    Family {
        name: "scripts",
        weight: 15,
        commands: scripts::COMMANDS,
    },
    Family {
        name: "connection",
        weight: 5,
        commands: connection::COMMANDS,
    },
    Family {
        name: "acl",
        weight: 8,
        commands: acl::COMMANDS,
    },
    Family {
        name: "server",
        weight: 3,
        commands: server::COMMANDS,
    },
];

/// Looks at a collection without its members: mostly at how it is kept.
fn look_at(g: &mut Gen, key: &[u8]) -> Command {
    if g.rng.percent(60) {
        return Command::words("OBJECT ENCODING")
            .arg(key)
            .compared(Compare::Encoding);
    }
    let name = *g.rng.pick(&["TYPE", "DEL", "EXISTS"]);
    Command::new(name).arg(key)
}
