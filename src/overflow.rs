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

/// What a full queue lets go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueOverflow {
    /// Nothing: the push is refused, and its client knows.
    Reject,
    /// The oldest messages, those away from the end that was pushed to.
    #[default]
    DropOldest,
    /// What came and does not fit.
    DropNewest,
}

/// Bounds of a queue; `u64::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// Messages.
    pub length_max: u64,
    /// Payload bytes.
    pub bytes_max: u64,
    /// Milliseconds since a message arrived.
    pub age_ms_max: u64,
    /// Milliseconds that nobody pushes, pops or waits.
    pub idle_ms_max: u64,
    /// What goes when there is no room.
    pub overflow: QueueOverflow,
    /// Whether its messages may go when memory is over the budget.
    pub sheds: bool,
}

impl Default for QueueBounds {
    fn default() -> Self {
        Self {
            length_max: u64::MAX,
            bytes_max: u64::MAX,
            age_ms_max: u64::MAX,
            idle_ms_max: u64::MAX,
            overflow: QueueOverflow::default(),
            sheds: false,
        }
    }
}

impl QueueBounds {
    /// Whether a queue of so many messages and bytes is within them.
    #[inline]
    pub fn hold(&self, messages: u64, bytes: u64) -> bool {
        messages <= self.length_max && bytes <= self.bytes_max
    }

    /// Whether time alone makes messages go.
    pub fn is_timed(&self) -> bool {
        self.age_ms_max < u64::MAX || self.idle_ms_max < u64::MAX
    }
}

/// Bounds of a subscriber's outbox.
#[derive(Clone, Copy, Debug)]
pub struct OutboxBounds {
    /// Encoded messages that may wait.
    pub messages_max: usize,
    /// Bytes of encoded messages that may wait. A single larger message still goes through.
    pub bytes_max: usize,
    /// What goes when a message does not fit.
    pub when_full: WhenFull,
}
