use proptest::prelude::*;

use super::write::SHIFT_BYTES_MAX;
use super::*;

/// What `write` writes in both versions.
fn check(write: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
    for (resp, wanted) in [(Resp::V2, resp2), (Resp::V3, resp3)] {
        let mut reply = Reply::new(resp);
        write(&mut reply);
        assert_eq!(
            reply.to_bytes().escape_ascii().to_string(),
            wanted.escape_default().to_string()
        );
        assert_eq!(reply.len(), wanted.len());
        assert_eq!(reply.resp(), resp);
    }
}

fn same(write: impl Fn(&mut Reply), wanted: &str) {
    check(write, wanted, wanted);
}

fn sliced(reply: &Reply) -> Vec<u8> {
    let mut out = [IoSlice::new(&[]); 64];
    let used = reply.slices(&mut out);
    out[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

fn large(byte: u8) -> Bytes {
    Bytes::from(vec![byte; SHARED_BYTES_MIN])
}

#[test]
fn lines() {
    same(Reply::ok, "+OK\r\n");
    same(Reply::queued, "+QUEUED\r\n");
    same(|reply| reply.simple("PONG"), "+PONG\r\n");
    same(|reply| reply.error(b"ERR a\r\nb\n"), "-ERR a  b\r\n");
    same(|reply| reply.raw(b":1\r\n"), ":1\r\n");
}

#[test]
fn integers() {
    for value in (-2000..2000).chain([i64::MIN, i64::MAX, 99_999, 1_000_000]) {
        same(|reply| reply.integer(value), &format!(":{value}\r\n"));
        let text = value.to_string();
        same(
            |reply| reply.bulk_integer(value),
            &format!("${}\r\n{text}\r\n", text.len()),
        );
    }
}

#[test]
fn strings() {
    for len in [0, 1, 9, 10, 99, 100, 999, 1000, 1023, 1024, 10_000] {
        let text = "x".repeat(len);
        same(
            |reply| reply.bulk_str(&text),
            &format!("${len}\r\n{text}\r\n"),
        );
        same(|reply| reply.array(len), &format!("*{len}\r\n"));
    }
    check(
        |reply| reply.verbatim("txt", b"hi"),
        "$2\r\nhi\r\n",
        "=6\r\ntxt:hi\r\n",
    );
    check(
        |reply| reply.big_number(b"123"),
        "$3\r\n123\r\n",
        "(123\r\n",
    );
}

#[test]
fn values_that_differ_between_versions() {
    check(Reply::null, "$-1\r\n", "_\r\n");
    check(Reply::null_array, "*-1\r\n", "_\r\n");
    check(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
    check(|reply| reply.boolean(false), ":0\r\n", "#f\r\n");
    check(|reply| reply.double(3.5), "$3\r\n3.5\r\n", ",3.5\r\n");
    check(
        |reply| reply.double(f64::NEG_INFINITY),
        "$4\r\n-inf\r\n",
        ",-inf\r\n",
    );
    same(Reply::empty_array, "*0\r\n");
    check(|reply| reply.map(2), "*4\r\n", "%2\r\n");
    check(|reply| reply.set(2), "*2\r\n", "~2\r\n");
    check(|reply| reply.push(3), "*3\r\n", ">3\r\n");
}

#[test]
fn lengths_may_come_later() {
    let write = |reply: &mut Reply| {
        reply.ok();
        let outer = reply.array_later();
        reply.integer(1);
        let map = reply.array_later();
        reply.bulk(b"k");
        reply.bulk(b"v");
        reply.close_map(map, 1);
        let set = reply.array_later();
        reply.close_set(set, 0);
        reply.close_array(outer, 3);
        let push = reply.array_later();
        reply.close_push(push, 2000);
    };
    check(
        write,
        "+OK\r\n*3\r\n:1\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n*0\r\n*2000\r\n",
        "+OK\r\n*3\r\n:1\r\n%1\r\n$1\r\nk\r\n$1\r\nv\r\n~0\r\n>2000\r\n",
    );
}

#[test]
fn lengths_may_come_later_around_large_values() {
    for filler in [0, SHIFT_BYTES_MAX + 1] {
        let mut reply = Reply::new(Resp::V2);
        let filler = vec![b'f'; filler];
        reply.bulk_shared(&large(b'a'));
        let outer = reply.array_later();
        let inner = reply.array_later();
        reply.raw_shared(large(b'b'));
        reply.bulk(&filler);
        reply.close_array(inner, 1);
        reply.raw_shared(large(b'c'));
        reply.close_array(outer, 2);
        let wanted = [
            format!("${SHARED_BYTES_MIN}\r\n").as_bytes(),
            &large(b'a'),
            b"\r\n*2\r\n*1\r\n",
            &large(b'b'),
            format!("${}\r\n", filler.len()).as_bytes(),
            &filler,
            b"\r\n",
            &large(b'c'),
        ]
        .concat();
        assert!(reply.to_bytes() == wanted && sliced(&reply) == wanted);
        assert_eq!(reply.len(), wanted.len());
    }
}

#[test]
fn large_values_are_not_copied() {
    let value = large(b'x');
    let mut reply = Reply::new(Resp::V3);
    reply.bulk_shared(&value);
    let mut out = [IoSlice::new(&[]); 4];
    assert_eq!(reply.slices(&mut out), 3);
    assert_eq!(out[1].as_ptr(), value.as_ptr());
    assert_eq!(reply.slices(&mut out[..2]), 2);
    let small = value.slice(1..);
    let mut reply = Reply::new(Resp::V3);
    reply.bulk_shared(&small);
    assert_eq!(reply.slices(&mut [IoSlice::new(&[]); 4]), 1);
}

#[test]
fn a_part_holds_little_more_than_itself() {
    let whole = Bytes::from(vec![b'x'; 1 << 20]);
    let mut reply = Reply::new(Resp::V2);
    reply.bulk_part(&whole, 0..1 << 19);
    assert!(whole.is_unique(), "half of it is copied");
    reply.bulk_part(&whole, 1..1 << 20);
    assert!(!whole.is_unique(), "nearly all of it is not");
    let lengths = [1 << 19, (1 << 20) - 1];
    let wanted = lengths.map(|len| format!("${len}\r\n{}\r\n", "x".repeat(len)));
    assert_eq!(reply.to_bytes(), wanted.concat().as_bytes());
}

#[test]
fn a_half_written_reply_can_be_undone() {
    let mut reply = Reply::new(Resp::V2);
    reply.bulk_shared(&large(b'a'));
    let before = reply.to_bytes();
    let mark = reply.mark();
    reply.array(2);
    reply.bulk_shared(&large(b'b'));
    reply.truncate_to(mark);
    assert!(reply.to_bytes() == before && reply.len() == before.len());
}

#[test]
fn buffers_are_kept_within_bounds() {
    let mut reply = Reply::new(Resp::V2);
    reply.raw(&vec![0; 200 << 10]);
    reply.advance(200 << 10);
    assert!(reply.own.capacity() >= 200 << 10, "a busy buffer stays");
    reply.ok();
    reply.advance(5);
    assert!(reply.own.capacity() <= KEPT_BYTES_MAX);
    reply.raw(&vec![0; 2 << 20]);
    reply.advance(2 << 20);
    assert!(reply.own.capacity() <= KEPT_BYTES_MAX);
    let buffer = reply.return_buffer().unwrap();
    assert_eq!(reply.own.capacity(), 0);
    reply.borrow_buffer(|| buffer);
    reply.ok();
    assert_eq!(reply.return_buffer(), None, "something waits in it");
    reply.borrow_buffer(|| unreachable!("it has a buffer"));
    assert_eq!(reply.to_bytes(), b"+OK\r\n");
}

#[test]
fn a_reader_that_never_catches_up_does_not_make_the_buffer_grow() {
    let mut reply = Reply::new(Resp::V2);
    for _ in 0..20_000 {
        reply.bulk_shared(&large(b'x'));
        reply.bulk(b"small");
        if reply.len() > 3 * SHARED_BYTES_MIN {
            reply.advance(SHARED_BYTES_MIN + 16);
        }
    }
    assert!(reply.own.capacity() <= 4 * COMPACT_BYTES_MIN);
}

#[test]
fn what_is_set_aside_is_not_moved_and_goes_when_it_is_sent() {
    let mut reply = Reply::new(Resp::V2);
    reply.set_aside();
    reply.raw(&vec![b'a'; PIECE_BYTES_MIN - 1]);
    reply.set_aside();
    assert!(reply.shared.is_empty(), "little stays where it is");
    reply.bulk_shared(&large(b'b'));
    reply.advance(1);
    reply.set_aside();
    assert_eq!(reply.own.len(), 0);
    let places: Vec<_> = reply
        .shared
        .iter()
        .map(|piece| piece.bytes.as_ptr())
        .collect();
    assert_eq!(
        places.len(),
        3,
        "before the large value, itself, its line end"
    );
    let room = reply.own.capacity();
    reply.raw(&vec![b'c'; PIECE_BYTES_MIN]);
    assert_eq!(
        reply.own.capacity(),
        room,
        "there is room for a piece of the same size"
    );
    reply.set_aside();
    let after: Vec<_> = reply
        .shared
        .iter()
        .map(|piece| piece.bytes.as_ptr())
        .collect();
    assert_eq!(&after[..3], places);
    let head_bytes = b"$8192\r\n".len();
    reply.advance(PIECE_BYTES_MIN - 2 + head_bytes);
    assert_eq!(reply.shared.len(), 3, "the first piece is gone");
    assert_eq!(reply.len(), SHARED_BYTES_MIN + 2 + PIECE_BYTES_MIN);
}

#[test]
#[should_panic(expected = "more than was waiting")]
fn sending_more_than_was_waiting_is_a_fault() {
    let mut reply = Reply::new(Resp::V2);
    reply.ok();
    reply.advance(6);
}

#[derive(Clone, Debug)]
enum Step {
    Small(usize),
    Large,
    Sent(prop::sample::Index),
    Append(usize, bool),
    Take,
    SetAside,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_000usize).prop_map(Step::Small),
        Just(Step::Large),
        any::<prop::sample::Index>().prop_map(Step::Sent),
        (0..300usize, any::<bool>()).prop_map(|(small, large)| Step::Append(small, large)),
        Just(Step::Take),
        Just(Step::SetAside),
    ]
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(steps in prop::collection::vec(step(), 1..40)) {
        let mut reply = Reply::new(Resp::V2);
        let mut model: Vec<u8> = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            let fill = u8::try_from(index).unwrap();
            match step {
                Step::Small(len) => {
                    reply.raw(&vec![fill; len]);
                    model.resize(model.len() + len, fill);
                }
                Step::Large => {
                    reply.raw_shared(large(fill));
                    model.resize(model.len() + SHARED_BYTES_MIN, fill);
                }
                Step::Sent(index) => {
                    let count = index.index(model.len() + 1);
                    prop_assert!(sliced(&reply).starts_with(&model[..count]));
                    reply.advance(count);
                    model.drain(..count);
                }
                Step::Append(small, with_large) => {
                    let mut other = Reply::new(Resp::V2);
                    other.raw(&vec![fill; small]);
                    if with_large {
                        other.raw_shared(large(fill));
                    }
                    other.advance(small / 2);
                    model.extend(other.to_bytes());
                    reply.append(&mut other);
                    prop_assert!(other.is_empty());
                }
                Step::Take => {
                    let mut taken = reply.take();
                    prop_assert!(reply.is_empty());
                    reply.append(&mut taken);
                }
                Step::SetAside => reply.set_aside(),
            }
            prop_assert_eq!(reply.len(), model.len());
            prop_assert_eq!(reply.is_empty(), model.is_empty());
        }
        prop_assert!(reply.to_bytes() == model && sliced(&reply) == model);
    }
}
