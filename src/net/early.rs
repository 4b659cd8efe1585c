//! Reading before a connection's turn.
//!
//! Who sends one request at a time for something among many has the worker wait for memory in every
//! turn, and there is nothing behind the request to look ahead at. But mostly others have sent
//! something, too: if a few read before any of them has its turn, the memory behind all their
//! requests can be asked for at once (`command::ask_together`). Nothing else changes: what was read
//! is executed in the connection's turn, as if it were read there.

use std::cell::RefCell;
use std::mem;
use std::task::Poll;

use crate::worker::Ready;

use super::stream::Stream;

/// Room for what is read early: more than one small request, which is mostly all that comes.
const EARLY_BYTES: usize = 4 << 10;
/// The largest request after which the next is taken for small.
const REQUEST_BYTES_MAX: usize = EARLY_BYTES / 4;

thread_local! {
    /// The worker's buffers for reading early while no connection has them: as many as ever read
    /// before their turns at a time.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// What a connection read before its turn, and whether it will do so again.
#[derive(Debug, Default)]
pub struct Early {
    bytes: Vec<u8>,
    is_wanted: bool,
}

impl Early {
    /// Learns from the last batch what the next is probably like. `is_cold` says whether it was
    /// about a key among many.
    #[inline]
    pub fn note_batch(&mut self, is_cold: bool, commands_len: u64, bytes_len: usize) {
        self.is_wanted = is_cold && commands_len == 1 && bytes_len <= REQUEST_BYTES_MAX;
    }

    /// Whether to read early next time.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// What was read.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads what waits in the socket; says whether there was something.
    pub fn read(&mut self, stream: &mut Stream) -> bool {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        let mut buffer = spare.unwrap_or_else(|| Vec::with_capacity(EARLY_BYTES));
        if let Poll::Ready(Ok(0) | Err(_)) = stream.read(&mut buffer) {
            // It has ended: the turn finds that out again.
            stream.note(Ready {
                readable: true,
                ..Ready::default()
            });
        }
        let has_read = !buffer.is_empty();
        if has_read {
            self.bytes = buffer;
        } else {
            give_back(buffer);
        }
        has_read
    }

    /// Takes what was read, if something was; [`give_back`] the buffer.
    #[inline]
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (!self.bytes.is_empty()).then(|| mem::take(&mut self.bytes))
    }
}

/// Keeps a buffer for whoever reads early next.
pub fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    SPARE.with_borrow_mut(|spare| spare.push(buffer));
}

#[cfg(test)]
mod tests {
    use crate::command::ask_together;
    use crate::command::testing::Bench;
    use crate::net::testing::Wire;
    use crate::worker::{Connection as _, Ready, Turn};

    /// A client that asked for a key, and was not read early for that.
    fn asked_for_a_key(bench: &Bench) -> Wire {
        let mut wire = Wire::new(bench, 1 << 10);
        wire.socket.send(b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n");
        assert!(!wire.read_early(), "it was not asked for a key yet");
        assert_eq!(wire.turn(), b"$-1\r\n");
        wire
    }

    #[test]
    fn what_is_read_early_is_executed_in_its_turn() {
        let bench = Bench::new();
        let (mut one, mut two) = (asked_for_a_key(&bench), asked_for_a_key(&bench));
        one.socket.send(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
        two.socket
            .send(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nPI");
        assert!(one.read_early() && two.read_early());
        assert!(!two.read_early(), "it has something already");
        let wires = [&one, &two];
        let requests = wires.iter().map(|wire| wire.connection.early_request());
        ask_together(&bench.engine, requests);
        assert_eq!(two.turn(), b":1\r\n");
        assert_eq!(one.turn(), b":2\r\n");
        two.socket.send(b"NG\r\n");
        assert!(!two.read_early(), "it is in the middle of a request");
        assert_eq!(two.turn(), b"+PONG\r\n");
        two.socket.send(b"*1\r\n$4\r\nPING\r\n");
        assert!(!two.read_early(), "the last named no key");
    }

    #[test]
    fn an_end_that_is_read_early_is_found_in_its_turn() {
        let bench = Bench::new();
        for is_reset in [false, true] {
            let mut wire = asked_for_a_key(&bench);
            wire.socket.close(is_reset);
            assert!(!wire.read_early());
            let turn = wire.connection.turn(Ready::default(), &mut wire.now);
            assert_eq!(turn, Turn::Over);
            wire.connection.close(wire.now);
        }
    }
}
