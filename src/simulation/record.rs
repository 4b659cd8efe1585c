//! What becomes of each message, as the clients know it.

use super::request::Ask;

/// A message's name: its position in the record.
pub type Id = usize;

/// Where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A queue; the index of its name.
    Queue(usize),
    /// The stream.
    Stream,
}

/// What is known of a message.
#[derive(Clone, Debug)]
pub struct Fate {
    /// Where it was sent to.
    pub place: Place,
    /// Which client sent it.
    pub author: usize,
    /// Its own time to live, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// The server said that it has it.
    pub is_acked: bool,
    /// Which client got it.
    pub got_by: Option<usize>,
    /// When it was first seen in its queue, in milliseconds.
    pub seen_ms: Option<u64>,
    /// It left its queue after its time: nobody may get it.
    pub has_ended: bool,
    /// The check that saw it last.
    pub mark: u64,
}

/// All messages, and what could not be known.
#[derive(Debug, Default)]
pub struct Record {
    /// The messages, by id.
    pub fates: Vec<Fate>,
    /// Messages at most that may have been on their way to clients that went.
    pub doubt: u64,
    /// Whether a client went with requests unanswered.
    pub has_deaths: bool,
    /// Whether a consumer of the stream went.
    pub has_dead_readers: bool,
    /// Subscribers to which publications went, as the server said.
    pub publications: u64,
    /// Whether a publisher went with publications unanswered.
    pub has_dead_publishers: bool,
    /// Replies so far.
    pub replies: u64,
    /// Those that said that there was nothing, or nothing in time.
    pub nothings: u64,
    /// Waits that ended with a message from a queue.
    pub served: u64,
}

impl Record {
    /// A new message.
    pub fn write(&mut self, place: Place, author: usize, ttl_ms: Option<u64>) -> Id {
        self.fates.push(Fate {
            place,
            author,
            ttl_ms,
            is_acked: false,
            mark: 0,
            got_by: None,
            seen_ms: None,
            has_ended: false,
        });
        self.fates.len() - 1
    }

    /// The bytes of a message: its id, and padding.
    pub fn payload(id: Id, size: usize) -> Vec<u8> {
        let mut payload = format!("m{id}").into_bytes();
        payload.resize(size.max(payload.len()), b'.');
        payload
    }

    /// The id of a payload.
    pub fn id_of(payload: &[u8]) -> Id {
        const DOTS: [u8; 256] = [b'.'; 256];
        let end = payload.iter().position(|&byte| byte == b'.');
        let (head, dots) = payload.split_at(end.unwrap_or(payload.len()));
        // Compared at once: payloads are long, and each is looked at in every step.
        let is_padded = dots
            .chunks(DOTS.len())
            .all(|some| some == &DOTS[..some.len()]);
        let digits = head.strip_prefix(b"m").filter(|_| is_padded);
        let id = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        id.unwrap_or_else(|| panic!("a changed payload: {}", payload.escape_ascii()))
    }

    /// A client got a message.
    pub fn got(&mut self, client: usize, payload: &[u8]) {
        let id = Self::id_of(payload);
        let fate = self.fates.get_mut(id).expect("a message that was sent");
        assert!(fate.got_by.is_none(), "m{id} was delivered twice: {fate:?}");
        assert!(!fate.has_ended, "m{id} was delivered after its time");
        fate.got_by = Some(client);
        fate.is_acked = true;
    }

    /// A client has gone with these requests unanswered. `is_whole`: it had blocked with the one,
    /// and no byte of a reply was written.
    pub fn mourn(&mut self, asks: impl Iterator<Item = Ask>, is_whole: bool) {
        for ask in asks {
            self.has_deaths = true;
            self.has_dead_readers |= ask.is_reading();
            self.has_dead_publishers |= matches!(ask, Ask::Publish);
            if !is_whole {
                self.doubt += ask.messages_max();
            }
        }
    }
}
