//! Looking ahead: the requests that wait in the read buffer mostly repeat the command of the one that
//! runs. If there are many keys, the memory behind those that they name is asked for together. If
//! they repeat its key as well, they name elements of the same collection; if that is large, the
//! memory of these is.
//!
//! A handler of a command that [runs on](super::Flags::RUNS_ON) may even take such requests with its
//! own: what it looked up for the one serves for all.

use smallvec::SmallVec;

use crate::protocol::{Reply, following};
use crate::store::{AHEAD_LEN, Cold, Key, Names};

use super::engine::Engine;
use super::session::Session;

/// Replies that wait when a handler takes no more requests: a connection that has more to send than
/// a turn sends executes none.
const TAKEN_REPLY_BYTES_MAX: usize = 64 << 10;

/// What is at hand behind the request that runs.
#[derive(Debug, Default)]
pub struct Ahead<'c> {
    /// The read buffer, from the request that runs on; empty where nothing comes behind it.
    bytes: &'c [u8],
    /// Bytes of the request that name its command and its key; 0 where that is not known.
    head_bytes: usize,
    /// Where the request begins that was taken last; 0 is the one that runs.
    at: usize,
    /// Bytes of the request that runs, with those that were taken with it.
    taken_bytes: usize,
    /// Requests that were taken with the one that runs.
    taken_len: u64,
    /// Most that may be.
    taken_max: u64,
    /// Requests that follow whose keys were asked for already.
    asked_keys_len: usize,
    /// Requests that follow whose elements were asked for already.
    asked_len: usize,
    /// Whether a key was among so many that to look for it probably meant to wait for memory.
    is_cold: bool,
}

/// Asks for the memory behind the keys that requests of several clients name, each of which comes
/// next on its connection: together, before any of them runs.
pub fn ask_together<'c>(engine: &Engine, requests: impl Iterator<Item = (&'c Session, &'c [u8])>) {
    let keys = requests.filter_map(|(session, bytes)| {
        let head = following::command(bytes)?;
        let name = following::arguments(head, 1, bytes, 1).next()?;
        Some(engine.keyspace.key(session.db, name))
    });
    let keys: SmallVec<[Key<'_>; AHEAD_LEN]> = keys.collect();
    engine.keyspace.hold().ask(&keys);
}

impl<'c> Ahead<'c> {
    /// Goes on to the next request, which takes `request_bytes` of those that it begins.
    #[inline]
    pub fn advance(&mut self, bytes: &'c [u8], request_bytes: usize, head_bytes: usize) {
        let has_more = request_bytes < bytes.len();
        (self.bytes, self.head_bytes) = if has_more {
            (bytes, head_bytes)
        } else {
            Default::default()
        };
        self.at = 0;
        self.taken_bytes = request_bytes;
        self.taken_len = 0;
        self.taken_max = 0;
    }

    /// Whether anything came behind the request that runs.
    #[inline]
    pub fn has_more(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Lets the handler of the request take so many with it. Only for one that is executed in the
    /// ordinary way, where nobody waits, watches or counts what each of them does.
    #[inline]
    pub(super) fn let_take(&mut self, taken_max: u64) {
        self.taken_max = taken_max;
    }

    /// Whether [`Self::take`] may find any.
    #[inline]
    pub fn may_take(&self) -> bool {
        self.taken_len < self.taken_max
    }

    /// How many requests ran, those that were taken with the first included, and their bytes.
    #[inline]
    pub fn taken(&self) -> (u64, usize) {
        (1 + self.taken_len, self.taken_bytes)
    }

    /// Takes the request that follows, if it has the command, the first argument and the number of
    /// arguments of the one that runs, `N` besides those two, and the handler can `read` these: what
    /// it makes of them. Who takes it does all that it asks for, and writes its reply, which is no
    /// error; who [asks](Self::ask) for the memory of elements does so for each that is taken as well.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "most requests end here, whoever else takes some"
    )]
    pub fn take<const N: usize, R>(
        &mut self,
        reply: &Reply,
        read: impl FnOnce([&'c [u8]; N]) -> Option<R>,
    ) -> Option<R> {
        if self.may_take() {
            self.take_next(reply, read)
        } else {
            None
        }
    }

    #[inline]
    fn take_next<const N: usize, R>(
        &mut self,
        reply: &Reply,
        read: impl FnOnce([&'c [u8]; N]) -> Option<R>,
    ) -> Option<R> {
        if reply.len() > TAKEN_REPLY_BYTES_MAX {
            return None;
        }
        let head = &self.bytes[..self.head_bytes];
        let (arguments, bytes) = following::next(head, self.bytes.get(self.taken_bytes..)?)?;
        let read = read(arguments)?;
        self.at = self.taken_bytes;
        self.taken_bytes += bytes;
        self.taken_len += 1;
        self.asked_keys_len = self.asked_keys_len.saturating_sub(1);
        Some(read)
    }

    /// Whether any request so far named a key among so many that it probably lay in no cache.
    pub fn is_cold(&self) -> bool {
        self.is_cold
    }

    /// The keys that this request and the next ones name as their first argument, once for each of
    /// them; nothing where there is only one, or where they were given before.
    pub fn keys(&mut self) -> Names<'c> {
        self.is_cold = true;
        if self.asked_keys_len > 0 {
            self.asked_keys_len -= 1;
            return Names::new();
        }
        let head = following::command(self.bytes).unwrap_or_default();
        let names: Names<'_> = following::arguments(head, 1, self.bytes, 1)
            .take(AHEAD_LEN)
            .collect();
        self.asked_keys_len = names.len().saturating_sub(1);
        if names.iter().all(|name| *name == names[0]) {
            return Names::new();
        }
        names
    }

    /// Asks for the memory of the elements that this request, the one taken last if any was, and the
    /// next ones name at `index`. Cheap where the collection is small.
    #[inline]
    pub fn ask(&mut self, collection: &impl Cold, index: usize) {
        if !collection.is_cold() {
            return;
        }
        if self.asked_len > 0 {
            self.asked_len -= 1;
            return;
        }
        let head = &self.bytes[..self.head_bytes];
        let bytes = &self.bytes[self.at..];
        let names: Names<'_> = following::arguments(head, 2, bytes, index)
            .take(AHEAD_LEN)
            .collect();
        if names.len() > 1 {
            self.asked_len = names.len() - 1;
            collection.ask(&names);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::Ahead;
    use crate::protocol::{Limits, Parsed, Parser, Reply, Resp};
    use crate::store::{Cold, Names};

    /// Notes what it is asked for.
    struct Collection {
        len: usize,
        asked: RefCell<Vec<String>>,
    }

    impl Cold for Collection {
        fn table_len(&self) -> usize {
            self.len
        }

        fn ask(&self, names: &Names<'_>) {
            let mut names: Vec<_> = names.iter().map(|name| name.escape_ascii()).collect();
            names.sort_by_key(ToString::to_string);
            let group: Vec<_> = names.iter().map(ToString::to_string).collect();
            self.asked.borrow_mut().push(group.join(" "));
        }
    }

    fn encode(requests: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for request in requests {
            let words: Vec<_> = request.split(' ').collect();
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
            }
        }
        bytes
    }

    /// Comes to each request in turn, as a connection does.
    fn for_each<'a>(bytes: &'a [u8], mut visit: impl FnMut(&mut Ahead<'a>)) {
        let (mut ahead, mut parser, mut rest) = (Ahead::default(), Parser::default(), bytes);
        while let Parsed::Request { consumed } = parser.parse(rest, &Limits::default()) {
            ahead.advance(rest, consumed, parser.head_bytes());
            visit(&mut ahead);
            rest = &rest[consumed..];
        }
        assert!(rest.is_empty());
    }

    /// What is asked for while requests run that name an element as their third word.
    fn asked(requests: &[&str], is_cold: bool) -> Vec<String> {
        let bytes = encode(requests);
        let collection = Collection {
            len: if is_cold { usize::MAX } else { 0 },
            asked: RefCell::default(),
        };
        for_each(&bytes, |ahead| ahead.ask(&collection, 2));
        collection.asked.into_inner()
    }

    #[test]
    fn each_element_is_asked_for_once_eight_at_a_time() {
        let requests: Vec<_> = (0..18).map(|n| format!("HGET h f{n:02}")).collect();
        let requests: Vec<_> = requests.iter().map(String::as_str).collect();
        let groups = asked(&requests, true);
        assert_eq!(
            groups,
            [
                "f00 f01 f02 f03 f04 f05 f06 f07",
                "f08 f09 f10 f11 f12 f13 f14 f15",
                "f16 f17",
            ]
        );
        assert!(asked(&requests, false).is_empty());
    }

    #[test]
    fn keys_are_given_once_eight_at_a_time_and_not_where_there_is_one() {
        let keys = |requests: &[&str]| {
            let bytes = encode(requests);
            let mut groups = Vec::new();
            for_each(&bytes, |ahead| {
                let names = ahead.keys();
                let names: Vec<_> = names.iter().map(|name| name.escape_ascii()).collect();
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                if !names.is_empty() {
                    groups.push(names.join(" "));
                }
            });
            groups
        };
        let requests: Vec<_> = (0..10).map(|n| format!("GET k{n}")).collect();
        let mut requests: Vec<_> = requests.iter().map(String::as_str).collect();
        assert_eq!(keys(&requests), ["k0 k1 k2 k3 k4 k5 k6 k7", "k8 k9"]);
        requests.insert(1, "PING");
        assert_eq!(
            keys(&requests[..1]),
            [""; 0],
            "there is nothing behind the first"
        );
        assert_eq!(keys(&["GET a", "DEL b", "DEL c"]), ["b c"]);
        assert_eq!(keys(&["RPOP q", "RPOP q", "RPOP q"]), [""; 0]);
    }

    #[test]
    fn requests_that_are_taken_ask_as_if_they_ran_alone() {
        let requests: Vec<_> = (0..18).map(|n| format!("HGET h f{n:02}")).collect();
        let requests: Vec<_> = requests.iter().map(String::as_str).collect();
        let alone = asked(&requests, true);
        let bytes = encode(&requests);
        let collection = Collection {
            len: usize::MAX,
            asked: RefCell::default(),
        };
        let (mut ahead, mut parser) = (Ahead::default(), Parser::default());
        let Parsed::Request { consumed } = parser.parse(&bytes, &Limits::default()) else {
            panic!("there is a request");
        };
        ahead.advance(&bytes, consumed, parser.head_bytes());
        ahead.let_take(16);
        ahead.ask(&collection, 2);
        let reply = Reply::new(Resp::V2);
        let mut fields = Vec::new();
        while let Some([field]) = ahead.take(&reply, Some) {
            ahead.ask(&collection, 2);
            fields.push(field.escape_ascii().to_string());
        }
        assert!(!ahead.may_take());
        let (ran, bytes_len) = ahead.taken();
        assert_eq!((ran, bytes_len), (17, bytes.len() / 18 * 17));
        assert_eq!(fields.first().map(String::as_str), Some("f01"));
        assert_eq!(fields.last().map(String::as_str), Some("f16"));
        assert_eq!(collection.asked.into_inner(), alone);
    }

    #[test]
    fn another_key_or_command_ends_a_group() {
        let requests = [
            "HGET h a", "HGET h b", "HGET i c", "HGET i d", "HDEL i e", "HGET i f",
        ];
        assert_eq!(asked(&requests, true), ["a b", "c d"]);
    }
}
