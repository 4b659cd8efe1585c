//! What redis-server 8.2.3 was seen to do, and what Weir adds to it, case by case.

use super::dice::Dice;
use super::*;

const SMALL: NodeLimits = NodeLimits {
    bytes: 4096,
    entries: 100,
};

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

/// Entries `1-0` to `len-0`, each with this value.
fn filled(len: u64, value: &[u8]) -> Stream {
    let mut stream = Stream::new();
    for ms in 1..=len {
        let pairs: [&[u8]; 2] = [b"field", value];
        let added = stream.add(NewId::Exact(id(ms)), &pairs, SMALL, 0);
        assert_eq!(added, Ok(id(ms)));
    }
    stream
}

/// A group at the start of the stream, with everything delivered to one reader at `at_ms`.
fn delivered(stream: &mut Stream, at_ms: u64) -> (GroupMut<'_>, ConsumerIndex) {
    stream.create_group(b"group", StreamId::MIN, None);
    let mut group = stream.group_mut(b"group").expect("just made");
    let (reader, _) = group.consumer(b"reader", at_ms);
    group.read_new(reader, u64::MAX, false, at_ms, |_| ());
    (group, reader)
}

fn trim(to: TrimTo, approximate: bool) -> Trim {
    Trim {
        to,
        approximate,
        limit: 0,
        references: References::Keep,
    }
}

fn entries_of(claimed: &Claimed<'_>) -> Vec<u64> {
    claimed.entries.iter().map(|c| c.entry.id.ms).collect()
}

#[test]
fn radix_nodes_are_counted_as_segments_come_and_go() {
    let single = NodeLimits {
        bytes: 0,
        entries: 1,
    };
    let mut dice = Dice::new(11);
    for spread in [1, 3, 40, 1 << 20, 1 << 44] {
        let (mut stream, mut ids) = (Stream::new(), Vec::new());
        let mut id = StreamId::MIN;
        for _ in 0..400 {
            let (ms, seq) = (dice.below(2) * dice.below(spread), dice.below(spread));
            id = StreamId::new(id.ms + ms, if ms > 0 { seq } else { id.seq + seq + 1 });
            let added = stream.add(NewId::Exact(id), &["f", "v"], single, 0);
            assert_eq!(added, Ok(id));
            ids.push(id);
            if dice.chance(40) {
                let index = usize::try_from(dice.below(ids.len() as u64));
                let gone = ids.swap_remove(index.expect("an index"));
                let deleted = stream.delete(gone, References::Keep);
                assert!(matches!(deleted, Deleted::Gone(_)));
            }
            assert_eq!(stream.log().segments(), ids.len());
            stream.verify();
        }
        let _ = stream.trim(trim(TrimTo::MaxLen(0), false));
        assert_eq!(stream.log().radix_nodes(), 1);
    }
}

#[test]
fn what_is_remembered_of_producers_is_counted() {
    let mut stream = filled(1, b"v");
    let before = stream.heap_bytes();
    let known = stream.idempotence_mut(IdempotenceLimits::default());
    let mark = EntryMark::Given(vec![b'x'; 10_000].into());
    known.record(b"producer", mark, id(1), 0);
    assert!(stream.heap_bytes() > before + 10_000);
}

#[test]
fn what_one_request_put_an_end_to_is_not_forced_again_in_it() {
    let mut stream = filled(2, b"v");
    let (mut group, reader) = delivered(&mut stream, 0);
    group.set_policy(GroupPolicy {
        deliveries_max: 1,
        ..GroupPolicy::default()
    });
    let options = ClaimOptions {
        min_idle_ms: 0,
        delivered_ms: 5,
        deliveries: None,
        force: true,
        just_id: false,
    };
    let ids = [1, 2, 1, 2, 1].map(id);
    let claimed = group.claim(reader, &ids, options, 5);
    assert_eq!(claimed.exhausted.len(), 2);
    assert_eq!(entries_of(&claimed), [0; 0]);
    assert_eq!(group.group().pending(), 0);
    stream.verify();
}

#[test]
fn each_consumer_is_looked_at_once_when_many_expire() {
    let mut stream = filled(1, b"v");
    let (mut group, _) = delivered(&mut stream, 0);
    for number in 0..100 {
        group.create_consumer(format!("{number}").as_bytes(), number);
    }
    let consumers = &mut group.group.consumers;
    let mut looks = 0;
    let removed = consumers.remove_where(|consumer| {
        looks += 1;
        consumer.seen_ms < 90
    });
    assert_eq!((removed, looks, consumers.len()), (90, 100, 11));
    group.set_policy(GroupPolicy {
        consumer_idle_ms_max: 10,
        ..GroupPolicy::default()
    });
    assert_eq!(group.expire_consumers(109), 10);
    let (_, is_new) = group.consumer(b"7", 109);
    assert!(is_new);
    stream.verify();
}

#[test]
fn segments_end_where_nodes_of_redis_end() {
    let mut stream = filled(120, &[b'x'; 64]);
    assert_eq!(
        (stream.log().segments(), stream.log().radix_nodes()),
        (3, 8)
    );
    for (len_max, len) in [(100, 120), (67, 120), (66, 66), (50, 66), (10, 12)] {
        let lost = stream.trim(trim(TrimTo::MaxLen(len_max), true));
        assert_eq!(stream.log().len(), len);
        assert_eq!(lost.bytes, lost.messages * 69);
    }
    let mut stream = filled(350, b"1");
    assert_eq!(
        (stream.log().segments(), stream.log().radix_nodes()),
        (4, 11)
    );
    let _ = stream.trim(trim(TrimTo::MaxLen(251), true));
    assert_eq!(stream.log().len(), 350);
    let _ = stream.trim(trim(TrimTo::MaxLen(250), true));
    assert_eq!(stream.log().len(), 250);
    let _ = stream.trim(trim(TrimTo::MinId(id(301)), true));
    assert_eq!(stream.log().first_id(), id(301));
    let lost = stream.trim(trim(TrimTo::MaxLen(0), true));
    assert_eq!((lost.messages, stream.log().radix_nodes()), (50, 1));
}

#[test]
fn limit_stops_before_the_segment_that_would_pass_it() {
    let mut stream = filled(350, b"1");
    let limited = |limit| Trim {
        limit,
        ..trim(TrimTo::MaxLen(10), true)
    };
    assert_eq!(stream.trim(limited(99)).messages, 0);
    assert_eq!(stream.trim(limited(199)).messages, 100);
    assert_eq!(stream.trim(limited(0)).messages, 200);
}

#[test]
fn acked_trimming_spares_what_a_group_still_needs() {
    let mut stream = filled(350, b"1");
    stream.create_group(b"group", StreamId::MIN, None);
    let mut group = stream.group_mut(b"group").expect("just made");
    let (reader, _) = group.consumer(b"reader", 0);
    group.read_new(reader, 250, false, 0, |_| ());
    for ms in (1..250).step_by(2) {
        assert!(group.ack(id(ms)));
    }
    let acked = |len_max, approximate| Trim {
        references: References::Acked,
        ..trim(TrimTo::MaxLen(len_max), approximate)
    };
    assert_eq!(stream.trim(acked(300, false)).messages, 50);
    assert_eq!(stream.trim(acked(200, false)).messages, 75);
    assert_eq!(stream.log().first_id(), id(2));
    // 8.6 and later: whole segments only, but within them whatever may go.
    for ms in (2..=250).step_by(2) {
        stream.group_mut(b"group").expect("there").ack(id(ms));
    }
    assert_eq!(stream.trim(acked(150, true)).messages, 50);
    stream.verify();
}

#[test]
fn limit_counts_entries_that_are_looked_at_and_stay() {
    let mut stream = filled(350, b"1");
    let (mut group, _) = delivered(&mut stream, 0);
    for ms in 101..=200 {
        assert!(group.ack(id(ms)));
    }
    let limited = |limit| Trim {
        limit,
        references: References::Acked,
        ..trim(TrimTo::MaxLen(10), true)
    };
    assert_eq!(stream.trim_frees(limited(199)).messages, 0);
    assert_eq!(stream.trim(limited(199)).messages, 0);
    assert_eq!(stream.trim_frees(limited(200)).messages, 100);
    assert_eq!(stream.trim(limited(200)).messages, 100);
    stream.verify();
}

#[test]
fn deleting_gives_memory_back() {
    let mut stream = filled(54 * 20, &[b'x'; 64]);
    let full = stream.log().heap_bytes();
    for ms in (1..=54 * 20).filter(|ms| ms % 9 != 0) {
        assert_eq!(
            stream.delete(id(ms), References::Keep),
            Deleted::Gone(Tally::one(69))
        );
    }
    assert_eq!(stream.log().segments(), 20);
    assert!(
        stream.log().heap_bytes() < full / 3,
        "segments were rewritten"
    );
    for ms in (9..=54 * 20).step_by(9) {
        assert_eq!(
            stream.delete(id(ms), References::Keep),
            Deleted::Gone(Tally::one(69))
        );
    }
    assert_eq!(stream.log().segments(), 0);
    assert!(stream.log().heap_bytes() < 500, "one slot of the directory");
    assert_eq!(stream.log().max_deleted_id(), id(54 * 20));
}

#[test]
fn lag_is_told_only_where_redis_tells_it() {
    let mut stream = filled(5, b"1");
    let lag = |stream: &Stream| {
        let group = stream.group(b"group").expect("there");
        (group.entries_read(), group.lag(stream.log()))
    };
    stream.create_group(b"group", StreamId::new(1, 1), None);
    assert_eq!(lag(&stream), (None, None));
    for (last, read, expected) in [
        (0, None, (None, Some(5))),
        (1, None, (None, Some(4))),
        (3, Some(2), (Some(2), Some(3))),
        (3, Some(12), (Some(5), Some(0))),
    ] {
        let mut group = stream.group_mut(b"group").expect("there");
        group.set_id(id(last), read);
        assert_eq!(lag(&stream), expected);
    }
    let _ = stream.trim(trim(TrimTo::MaxLen(1), false));
    assert_eq!(lag(&stream), (Some(5), Some(1)));
    let _ = stream.delete(id(5), References::Keep);
    assert_eq!(lag(&stream), (Some(5), Some(0)));
}

#[test]
fn ids_run_out_and_never_back() {
    let mut stream = Stream::new();
    let pairs = ["f", "v"];
    let near = StreamId::new(u64::MAX, u64::MAX - 1);
    assert_eq!(stream.add(NewId::Exact(near), &pairs, SMALL, 5), Ok(near));
    assert_eq!(stream.add(NewId::Auto, &pairs, SMALL, 5), Ok(StreamId::MAX));
    let refused = stream.add(NewId::Auto, &pairs, SMALL, 5);
    assert_eq!(refused, Err(AddError::Exhausted));
    assert_eq!(stream.log().range(near, StreamId::MAX).count(), 2);
    let mut stream = Stream::new();
    let zero = stream.add(NewId::AutoSeq(0), &pairs, SMALL, 5);
    assert_eq!(zero, Ok(StreamId::new(0, 1)));
    let full = StreamId::new(7, u64::MAX);
    assert_eq!(stream.add(NewId::Exact(full), &pairs, SMALL, 5), Ok(full));
    let refused = stream.add(NewId::AutoSeq(7), &pairs, SMALL, 5);
    assert_eq!(refused, Err(AddError::NotGreater));
    assert_eq!(stream.add(NewId::Auto, &pairs, SMALL, 5), Ok(id(8)));
}

#[test]
fn new_ids_are_read_as_xadd_reads_them() {
    for (text, expected) in [
        (&b"*"[..], Some(NewId::Auto)),
        (b"5-*", Some(NewId::AutoSeq(5))),
        (b"5-7", Some(NewId::Exact(StreamId::new(5, 7)))),
        (b"5", Some(NewId::Exact(id(5)))),
        (b"-*", None),
        (b"5-**", None),
        (b"", None),
    ] {
        assert_eq!(NewId::parse(text), expected, "{text:?}");
    }
}

#[test]
fn set_id_refuses_what_cannot_be() {
    let mut stream = filled(5, b"1");
    assert_eq!(
        stream.set_id(id(4), None, None),
        Err(SetIdError::BelowLastEntry)
    );
    let below_len = stream.set_id(id(9), Some(4), None);
    assert_eq!(below_len, Err(SetIdError::AddedBelowLen));
    assert_eq!(stream.set_id(id(9), Some(40), Some(id(8))), Ok(()));
    assert_eq!(
        stream.set_id(id(7), None, None),
        Err(SetIdError::BelowMaxDeleted)
    );
    assert_eq!(
        (stream.log().entries_added(), stream.log().last_id()),
        (40, id(9))
    );
}

#[test]
fn released_entries_come_first_in_the_order_of_release() {
    let mut stream = filled(6, b"1");
    let (mut group, reader) = delivered(&mut stream, 1000);
    assert!(group.nack(id(5), NackMode::Silent, false));
    assert!(group.nack(id(2), NackMode::Fail, false));
    assert!(group.nack(id(3), NackMode::Fatal, false));
    assert!(!group.nack(id(9), NackMode::Fail, true), "no such entry");
    assert_eq!(group.group().released(), 3);
    assert_eq!(group.group().next_due_ms(50), Some(50));
    let claimed = group.claim_due(reader, 1, 4, 1000);
    assert_eq!(entries_of(&claimed), [5, 2, 3]);
    let deliveries: Vec<u64> = claimed.entries.iter().map(|c| c.deliveries).collect();
    assert_eq!(deliveries, [0, 1, DELIVERIES_MAX]);
    let counted = |ms| group.group().pending_entry(id(ms)).map(|p| p.deliveries);
    assert_eq!([counted(5), counted(3)], [Some(1), Some(DELIVERIES_MAX)]);
    assert_eq!(group.group().next_due_ms(50), Some(1050));
    group.ack(id(1));
    assert!(group.nack(id(1), NackMode::Fail, true), "forced");
    assert_eq!(
        group.group().pending_entry(id(1)).map(|p| p.deliveries),
        Some(0)
    );
    stream.verify();
}

#[test]
fn a_long_list_yields_what_is_due_in_one_call() {
    const LEN: u64 = 50_000;
    let mut stream = filled(LEN, b"1");
    let (mut group, reader) = delivered(&mut stream, 1_000_000);
    let due: Vec<StreamId> = (1..=10).map(|n| id(n * LEN / 10)).collect();
    let options = ClaimOptions {
        min_idle_ms: 0,
        delivered_ms: 0,
        deliveries: None,
        force: false,
        just_id: true,
    };
    group.claim(reader, &due, options, 1_000_000);
    let walk = |count| AutoclaimOptions {
        count,
        min_idle_ms: 500_000,
        just_id: true,
    };
    let (other, _) = group.consumer(b"other", 1_000_000);
    let claimed = group.autoclaim(other, id(LEN / 2), walk(3), 1_000_000);
    assert_eq!(entries_of(&claimed), [25_000, 30_000, 35_000]);
    assert_eq!(claimed.cursor, id(40_000));
    let claimed = group.autoclaim(other, StreamId::MIN, walk(100), 1_000_000);
    let rest = [5000, 10_000, 15_000, 20_000, 40_000, 45_000, 50_000];
    assert_eq!(entries_of(&claimed), rest);
    assert_eq!(claimed.cursor, StreamId::MIN);
    // Much is due: a walk by id, which gives up with a cursor only where nothing is due for long.
    let claimed = group.autoclaim(other, StreamId::MIN, walk(5), 1_000_001);
    assert!(claimed.entries.is_empty());
    let all = group.autoclaim(other, StreamId::MIN, walk(5), 2_000_000);
    assert_eq!((entries_of(&all), all.cursor), (vec![1, 2, 3, 4, 5], id(6)));
    stream.verify();
}

#[test]
fn a_short_list_is_walked_as_redis_walks_it() {
    let mut stream = filled(30, b"1");
    let (mut group, reader) = delivered(&mut stream, 1000);
    let options = ClaimOptions {
        min_idle_ms: 0,
        delivered_ms: 0,
        deliveries: None,
        force: false,
        just_id: true,
    };
    group.claim(reader, &[id(25)], options, 1000);
    let walk = AutoclaimOptions {
        count: 1,
        min_idle_ms: 500,
        just_id: false,
    };
    let mut cursors = Vec::new();
    let mut cursor = StreamId::MIN;
    let found = loop {
        let claimed = group.autoclaim(reader, cursor, walk, 1000);
        cursor = claimed.cursor;
        cursors.push(cursor.ms);
        if !claimed.entries.is_empty() || cursor == StreamId::MIN {
            break entries_of(&claimed);
        }
    };
    assert_eq!((cursors, found), (vec![11, 21, 26], vec![25]));
}

#[test]
fn a_claim_by_time_passes_over_so_many_entries_at_most() {
    let mut stream = filled(20_000, b"1");
    let (mut group, reader) = delivered(&mut stream, 1000);
    group.set_policy(GroupPolicy {
        deliveries_max: 1,
        consumer_idle_ms_max: 0,
    });
    let again = ClaimOptions {
        min_idle_ms: 0,
        delivered_ms: 2000,
        deliveries: Some(0),
        force: false,
        just_id: true,
    };
    let claimed = group.claim(reader, &[id(20_000)], again, 2000);
    assert_eq!(claimed.entries.len(), 1);
    for _ in 0..2 {
        let claimed = group.claim_due(reader, 0, 1, 3000);
        assert_eq!((claimed.entries.len(), claimed.exhausted.len()), (0, 1000));
    }
    group.keep_exhausted();
    let claimed = group.claim_due(reader, 0, 1, 3000);
    assert_eq!((claimed.entries.len(), claimed.exhausted.len()), (0, 0));
    let _ = stream.trim(trim(TrimTo::MaxLen(0), false));
    let mut group = stream.group_mut(b"group").expect("there");
    let gone = [0; 2].map(|_| group.claim_due(reader, 0, 1, 3000).deleted.len());
    assert_eq!(gone, [10_000, 8000]);
    stream.verify();
}

#[test]
fn deliveries_past_the_bound_are_handed_back() {
    let mut stream = filled(3, b"payload");
    let (mut group, reader) = delivered(&mut stream, 1000);
    group.set_policy(GroupPolicy {
        deliveries_max: 2,
        consumer_idle_ms_max: 0,
    });
    assert_eq!(group.claim_due(reader, 0, 10, 2000).entries.len(), 3);
    group.nack(id(2), NackMode::Silent, false);
    let claimed = group.claim_due(reader, 0, 10, 3000);
    assert_eq!(entries_of(&claimed), [2]);
    let exhausted: Vec<_> = claimed
        .exhausted
        .iter()
        .map(|e| (e.entry.id.ms, e.deliveries, e.entry.fields.payload_bytes()))
        .collect();
    assert_eq!(exhausted, [(1, 2, 12), (3, 2, 12)]);
    assert_eq!((group.group().pending(), stream.log().len()), (1, 3));
    stream.verify();
}

#[test]
fn entries_expire_by_age_in_slices() {
    let mut stream = filled(350, b"1");
    let (lost, more) = stream.expire(1000, 850, 1);
    assert_eq!((lost.messages, more), (100, true));
    let (lost, more) = stream.expire(1000, 850, 10);
    assert_eq!((lost.messages, lost.bytes, more), (49, 49 * 6, false));
    assert_eq!(stream.log().first_id(), id(150));
    assert_eq!(stream.expire(1000, 850, 10), (Tally::default(), false));
    assert_eq!(stream.expire(u64::MAX, 0, 10).0.messages, 201);
    assert_eq!(stream.log().max_deleted_id(), StreamId::MIN);
}

#[test]
fn a_reader_may_keep_entries_while_the_group_goes_on() {
    let mut stream = filled(3, b"v");
    stream.create_group(b"group", StreamId::MIN, None);
    let mut group = stream.group_mut(b"group").expect("just made");
    let (reader, created) = group.consumer(b"reader", 7);
    assert!(created);
    let mut kept = Vec::new();
    group.read_new(reader, 2, false, 7, |entry| kept.push(entry));
    assert!(group.ack(kept[0].id));
    let fields: Vec<_> = kept[1].fields.collect();
    assert_eq!(fields, [(&b"field"[..], &b"v"[..])]);
    assert_eq!(group.delete_consumer(b"reader"), Some(1));
    assert_eq!(group.delete_consumer(b"reader"), None);
}

#[test]
fn an_id_may_come_again_after_the_last_id_was_taken_back() {
    let pairs = ["field", "again"];
    // Dead entries above live ones, and a place whose entries are all dead.
    for kept in [3, 0] {
        let mut stream = filled(6, b"v");
        for ms in kept + 1..=6 {
            let _ = stream.delete(id(ms), References::Keep);
        }
        if kept == 0 {
            for ms in 1..=6 {
                let added = stream.add(NewId::Exact(id(ms + 6)), &pairs, SMALL, 0);
                assert_eq!(added, Ok(id(ms + 6)));
            }
            let _ = stream.delete(id(12), References::Keep);
            let _ = stream.trim(trim(TrimTo::MinId(id(12)), false));
            assert_eq!((stream.log().len(), stream.log().segments()), (0, 1));
        }
        let back = StreamId::new(kept, 1);
        assert_eq!(stream.set_id(id(12), None, Some(back)), Ok(()));
        assert_eq!(stream.set_id(back, None, None), Ok(()));
        let added = stream.add(NewId::Exact(id(kept + 1)), &pairs, SMALL, 0);
        assert_eq!(added, Ok(id(kept + 1)));
        assert!(stream.log().get(id(kept + 1)).is_some());
        assert_eq!(stream.log().len(), kept + 1);
        stream.verify();
    }
}

#[test]
fn large_delivery_counts_are_measured_and_freed() {
    let bytes_after = |mode| {
        let mut stream = filled(1000, b"1");
        let (mut group, _) = delivered(&mut stream, 0);
        for ms in 1..=1000 {
            assert!(group.nack(id(ms), mode, false));
        }
        let bytes = group.group().heap_bytes();
        let mut pieces = 0;
        while group.group.shed_some(&mut 1000) {
            pieces += 1;
        }
        (bytes, pieces)
    };
    let (small, large) = (bytes_after(NackMode::Fail), bytes_after(NackMode::Fatal));
    assert_eq!(large.0 - small.0, 36_000);
    assert!(large.1 - small.1 > 30, "{large:?} {small:?}");
}
