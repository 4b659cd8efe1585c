//! Large messages, whose bytes may come in any pieces and are taken over from the buffer that they
//! came in: what goes in comes out, whatever was cut where.

use std::sync::Arc;

use super::world::World;
use crate::bench::wire::put_request;
use crate::config::Config;
use crate::net::VirtualSocket;
use crate::store::stream::dice::Dice;

/// Bytes that differ from their neighbours and from those of other messages.
fn message(number: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ number.wrapping_mul(89)).to_le_bytes()[0])
        .collect()
}

/// Adds a request, and what it is answered.
fn ask(words: &[&[u8]], answer: &[u8], (requests, replies): &mut (Vec<u8>, Vec<u8>)) {
    put_request(words, requests);
    replies.extend_from_slice(answer);
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Requests with large and small arguments in turn, and their answers.
fn play(sizes: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let mut play = (Vec::new(), Vec::new());
    for (number, &size) in sizes.iter().enumerate() {
        let large = message(number, size);
        ask(&[b"LPUSH", b"q", &large], b":1\r\n", &mut play);
        ask(&[b"PING"], b"+PONG\r\n", &mut play);
        ask(&[b"RPUSH", b"q", b"small", &large], b":3\r\n", &mut play);
        ask(&[b"SET", b"k", &large], b"+OK\r\n", &mut play);
        ask(&[b"LPOP", b"q"], &bulk(&large), &mut play);
        ask(
            &[b"APPEND", b"k", b"!"],
            format!(":{}\r\n", size + 1).as_bytes(),
            &mut play,
        );
        ask(
            &[b"GET", b"k"],
            &bulk(&[&large[..], b"!"].concat()),
            &mut play,
        );
        ask(&[b"LPOP", b"q"], b"$5\r\nsmall\r\n", &mut play);
        ask(&[b"LPOP", b"q"], &bulk(&large), &mut play);
    }
    play
}

/// The same message again and again, as a producer that does nothing else sends it.
fn stream(count: usize, size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut play = (Vec::new(), Vec::new());
    for number in 0..count {
        let answer = format!(":{}\r\n", number + 1);
        ask(
            &[b"LPUSH", b"q", &message(number, size)],
            answer.as_bytes(),
            &mut play,
        );
    }
    for number in 0..count {
        ask(&[b"RPOP", b"q"], &bulk(&message(number, size)), &mut play);
    }
    play
}

/// Sends requests in these pieces and the rest at once, to a client who reads everything, and
/// holds the replies against those expected.
fn check((requests, replies): &(Vec<u8>, Vec<u8>), pieces: impl IntoIterator<Item = usize>) {
    let mut world = World::new(Arc::new(Config::default()), 1, 7);
    let mut dice = Dice::new(1);
    let slot = world.connect(0, usize::MAX);
    let socket: VirtualSocket = world.seats[slot].as_ref().unwrap().socket.clone();
    let (mut received, mut sent) = (Vec::new(), 0);
    let mut pieces = pieces.into_iter();
    while sent < requests.len() {
        let left = requests.len() - sent;
        let len = pieces.next().unwrap_or(left).clamp(1, left);
        socket.send(&requests[sent..sent + len]);
        sent += len;
        world.serve_all(&mut dice);
        received.append(&mut socket.receive(usize::MAX));
        let (input_bytes, _, _) = world.seats[slot].as_ref().unwrap().buffered();
        assert!(input_bytes <= sent, "it holds more than was sent");
    }
    // A plain comparison would print megabytes.
    let first = received.iter().zip(replies).position(|(a, b)| a != b);
    assert_eq!((first, received.len()), (None, replies.len()));
    let (input_bytes, output_bytes, _) = world.seats[slot].as_ref().unwrap().buffered();
    assert_eq!((input_bytes, output_bytes), (0, 0));
}

#[test]
fn whole_requests_go_through() {
    for size in [
        8 << 10,
        16 << 10,
        40_000,
        65_490,
        64 << 10,
        65_544,
        200_000,
        3 << 20,
    ] {
        check(&play(&[size, size, size]), []);
    }
}

#[test]
fn a_cut_anywhere_near_an_edge_changes_nothing() {
    let size = 17_000;
    let play = stream(2, size);
    let request = play.0.len() / 2;
    let edges = [0, size, request, request + size, 2 * request];
    for edge in edges {
        for cut in edge.saturating_sub(80)..edge + 80 {
            check(&play, [cut]);
            check(&play, [cut, 1, 1]);
        }
    }
}

#[test]
fn pieces_of_any_size_change_nothing() {
    let mut dice = Dice::new(3);
    for round in 0..60 {
        let sizes: Vec<usize> = (0..3)
            .map(|_| match dice.below(4) {
                0 => 100,
                1 => 9_000 + round,
                2 => 16_384 + round,
                _ => 66_000 + round,
            })
            .collect();
        let most = [40_usize, 3_000, 70_000][round % 3];
        let pieces: Vec<usize> = (0..100_000 / most)
            .map(|_| usize::try_from(1 + dice.below(most as u64)).unwrap())
            .collect();
        check(&play(&sizes), pieces.iter().copied());
        check(&stream(4, sizes[0]), pieces);
    }
}
