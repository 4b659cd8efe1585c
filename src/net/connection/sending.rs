//! Sending: how much of what waits goes at a time.

use std::io::{self, IoSlice};
use std::mem;
use std::task::Poll;

use crate::net::stream::Stream;
use crate::protocol::Reply;

use super::{Connection, InFlight};

/// Replies of more than this are sent in pieces, between which the worker's other connections get
/// their turns.
const WHOLE_BYTES_MAX: usize = 320 << 10;
/// A piece: it is copied into the socket in about a tenth of a millisecond.
const SEND_BYTES_MAX: usize = 256 << 10;
/// The first piece of a reply of several. Turns that go on with a reply come after those whose
/// sockets have something; first pieces are sent among these, and many clients may ask for much at
/// once.
const FIRST_SEND_BYTES_MAX: usize = 32 << 10;
/// Slices of one vectored write; Linux takes 1024, and 64 large values fill any socket buffer.
const SLICES_MAX: usize = 64;

impl Connection {
    /// Writes what waits; ready when all of it is written, or as much as one turn may.
    #[inline]
    pub(super) fn flush(&mut self) -> Poll<io::Result<()>> {
        let mut left = usize::MAX;
        if self.output.len() > WHOLE_BYTES_MAX || self.is_long_reply {
            left = self.piece_bytes();
        }
        while !self.output.is_empty() {
            if left == 0 {
                return Poll::Ready(Ok(()));
            }
            let sent = match send(&mut self.stream, &self.output, left) {
                Poll::Ready(Ok(sent)) => sent,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.is_stuck = true;
                    self.note_buffers();
                    return Poll::Pending;
                }
            };
            left -= sent;
            self.output.advance(sent);
            self.sent_bytes += sent as u64;
            let stats = &self.engine.workers[self.worker];
            stats.writes.add(1);
            stats.sent_bytes.add(sent as u64);
            let is_safe = |flight: &InFlight| flight.from_byte < self.sent_bytes;
            if self.in_flight.last().is_some_and(is_safe) {
                self.in_flight.clear();
            } else if !self.in_flight.is_empty() {
                self.in_flight.retain(|flight| !is_safe(flight));
            }
        }
        if mem::take(&mut self.is_stuck) {
            self.note_buffers();
        }
        self.stream.flush()
    }

    /// How much of a reply of several pieces goes next, or of the last of them.
    #[cold]
    fn piece_bytes(&mut self) -> usize {
        let is_last = self.output.len() <= WHOLE_BYTES_MAX;
        let is_first = !mem::replace(&mut self.is_long_reply, !is_last);
        match (is_last, is_first) {
            (true, _) => WHOLE_BYTES_MAX,
            (false, true) => FIRST_SEND_BYTES_MAX,
            (false, false) => SEND_BYTES_MAX,
        }
    }
}

/// Writes of the replies that wait at most so many bytes, as far as the socket takes them at once.
/// Most batches are one run of bytes: they are spared the long list of slices that large values by
/// reference need.
#[inline]
fn send(stream: &mut Stream, output: &Reply, bytes_max: usize) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); 2];
    if output.slices(&mut slices) < slices.len() {
        let [slice, _] = &slices;
        return stream.write(&[IoSlice::new(&slice[..slice.len().min(bytes_max)])]);
    }
    let mut whole = [IoSlice::new(&[]); SLICES_MAX];
    let len = output.slices(&mut whole);
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let (mut left, mut used) = (bytes_max, 0);
    for slice in &whole[..len] {
        if left == 0 {
            break;
        }
        let part = &slice[..slice.len().min(left)];
        left -= part.len();
        slices[used] = IoSlice::new(part);
        used += 1;
    }
    stream.write(&slices[..used])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;
    use crate::net::connection::HANDED_ON_MAX;
    use crate::net::connection::reading::READ_BYTES;
    use crate::net::testing::Wire;
    use crate::worker::Turn;

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    #[test]
    fn a_long_reply_goes_in_pieces_between_the_turns_of_others() {
        let bench = Bench::new();
        let mut wire = Wire::new(&bench, usize::MAX);
        let mut ask_for = |len: usize, pieces: &[usize]| {
            bench.run(&format!("SET key {}", "x".repeat(len)));
            wire.socket.send(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
            let mut sent = Vec::new();
            let mut ends = Turn::Again;
            while ends == Turn::Again {
                ends = wire.turn_ends();
                sent.push(wire.socket.receive(usize::MAX).len());
            }
            assert_eq!(ends, Turn::Wait { until_us: None });
            assert_eq!(sent, pieces);
        };
        let frame_bytes = b"$1048576\r\n\r\n".len();
        let all = (1 << 20) + frame_bytes;
        let pieces = [
            FIRST_SEND_BYTES_MAX,
            SEND_BYTES_MAX,
            SEND_BYTES_MAX,
            SEND_BYTES_MAX,
            all - FIRST_SEND_BYTES_MAX - 3 * SEND_BYTES_MAX,
        ];
        ask_for(1 << 20, &pieces);
        ask_for(300_000, &[300_011]);
        ask_for(1 << 20, &pieces);
    }

    #[test]
    fn who_waited_is_sent_a_message_before_its_producer_has_a_reply() {
        let bench = Bench::new();
        let waits = b"*3\r\n$5\r\nBRPOP\r\n$1\r\nq\r\n$1\r\n0\r\n";
        let mut producer = Wire::new(&bench, usize::MAX);
        for (consumers_len, ends) in [
            (1, Turn::Behind),
            (HANDED_ON_MAX, Turn::Behind),
            (HANDED_ON_MAX + 1, Turn::Wait { until_us: None }),
        ] {
            let mut consumers = Vec::new();
            for _ in 0..consumers_len {
                let mut consumer = Wire::new(&bench, usize::MAX);
                consumer.socket.send(waits);
                assert_eq!(consumer.turn(), b"");
                consumers.push(consumer);
            }
            let push = format!("*{}\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n", consumers_len + 2);
            let all = push + &"$1\r\nm\r\n".repeat(consumers_len);
            producer.socket.send(all.as_bytes());
            assert_eq!(producer.turn_ends(), ends);
            let mut sent = producer.socket.receive(usize::MAX);
            assert_eq!(sent.is_empty(), ends == Turn::Behind);
            for mut consumer in consumers {
                assert_eq!(consumer.turn(), b"*2\r\n$1\r\nq\r\n$1\r\nm\r\n");
            }
            sent.extend(producer.turn());
            assert_eq!(sent, format!(":{consumers_len}\r\n").as_bytes());
        }
    }

    #[test]
    fn a_long_pipeline_lets_others_go_between_its_reads() {
        let bench = Bench::new();
        let mut wire = Wire::new(&bench, usize::MAX);
        let requests_len = 3 * READ_BYTES / PING.len();
        wire.socket.send(&PING.repeat(requests_len));
        let (mut turns_len, mut received) = (1, 0);
        while wire.turn_ends() == Turn::Again {
            turns_len += 1;
            let len = wire.socket.receive(usize::MAX).len();
            assert!(len > 0, "each has its part answered");
            received += len;
        }
        received += wire.socket.receive(usize::MAX).len();
        assert_eq!(received, requests_len * b"+PONG\r\n".len());
        assert!(turns_len >= 3, "{turns_len}");
    }
}
