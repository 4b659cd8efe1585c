//! What a handler wants to happen next.

use smallvec::SmallVec;

use crate::protocol::OwnedArgs;
use crate::store::Kind;

use super::error::Error;

/// What follows a command.
#[derive(Debug)]
pub enum Outcome {
    /// The reply is written; go on.
    Done,
    /// Nothing to serve now: wait in the lines of some keys. Boxed, as every command returns an
    /// outcome and few block.
    Block(Box<Block>),
    /// The client now stands in its lines; its connection awaits the end of that.
    Blocked,
    /// Write what is written, then close.
    Close,
    /// Nothing was done (CLIENT PAUSE): try the same request again when the pause is over.
    Paused,
    /// Nothing was done: a script or command that takes long uses what the request needs. Try it again
    /// when the session's [`Awaited`](super::Awaited) is over; the connection is called then. This
    /// stands in the session to keep the outcome in two registers.
    Postponed,
}

/// What every handler returns.
pub type Result<T = Outcome> = std::result::Result<T, Error>;

/// How a client waits.
#[derive(Debug)]
pub struct Block {
    /// Positions in the arguments of the keys to wait for, in order of preference.
    pub keys: SmallVec<[usize; 4]>,
    /// Position of a key that serving will write besides, such as the destination of BLMOVE.
    pub destination: Option<usize>,
    /// The type that serves.
    pub kind: Kind,
    /// Whether a key that vanishes or changes its type serves too.
    pub wakes_on_removal: bool,
    /// Microseconds to wait; `None` is for ever.
    pub timeout_us: Option<u64>,
    /// What to answer inside a transaction or script, where nothing waits.
    pub nothing: Nothing,
    /// Moments on the wall clock at which keys at these positions may serve by themselves.
    pub alarms: Vec<(usize, u64)>,
    /// The request to try again, where it is not the one that came (XREAD's `$` is resolved once).
    pub retry: Option<OwnedArgs>,
}

impl Block {
    /// A wait for something of this kind at any of these positions, answered by a null array.
    pub fn new(kind: Kind, keys: SmallVec<[usize; 4]>, timeout_us: Option<u64>) -> Self {
        Self {
            keys,
            destination: None,
            kind,
            wakes_on_removal: false,
            timeout_us,
            nothing: Nothing::NullArray,
            alarms: Vec::new(),
            retry: None,
        }
    }
}

impl From<Block> for Outcome {
    fn from(block: Block) -> Self {
        Self::Block(Box::new(block))
    }
}

/// The answer of a blocking command that finds nothing and may not wait. When a wait ends by its
/// timeout the answer is a null array whatever the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// `*-1`, or `_` in RESP3.
    NullArray,
    /// `$-1`, or `_` in RESP3.
    Null,
}
