//! What happens when something bounded is full.

/// What a full outbox lets go of. The publisher never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest undelivered messages go; the subscriber sees the freshest.
    DropOldest,
    /// The message that does not fit goes; the subscriber sees an unbroken older run.
    DropNewest,
    /// The subscriber goes, as in Redis; it learns of the loss by the closed connection.
    Disconnect,
}

/// Bounds of a subscriber's outbox.
#[derive(Clone, Copy, Debug)]
pub struct OutboxBounds {
    /// Bytes of encoded messages that may wait. A single larger message still goes through.
    pub bytes_max: usize,
    /// What goes when a message does not fit.
    pub when_full: WhenFull,
}
