//! The table against a plain model, its scan guarantee, its degenerate cases and its memory.

use super::directory::{DEPTH_MAX, Link, PART_BUCKETS_MAX, Slot};
use super::*;
use ahash::RandomState;
use proptest::prelude::*;

type HashMap<K, V> = hashbrown::HashMap<K, V, RandomState>;

fn hash(key: &u64) -> u64 {
    RandomState::with_seeds(1, 2, 3, 4).hash_one(key)
}

/// A fixed stream of numbers, so that a failure repeats.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(1);
        RandomState::with_seeds(5, 6, 7, 8).hash_one(state)
    }
}

fn insert(table: &mut Table<u64>, key: u64) {
    table.insert_unique(hash(&key), key, hash);
}

fn remove(table: &mut Table<u64>, key: u64) -> Option<u64> {
    table.remove(hash(&key), |&other| other == key, hash)
}

fn filled(keys: std::ops::Range<u64>) -> Table<u64> {
    let mut table = Table::new(0);
    keys.for_each(|key| insert(&mut table, key));
    table
}

/// Recounts elements and bytes and checks that every run is where its span says.
fn check<T>(table: &Table<T>, rehash: impl Fn(&T) -> u64 + Copy) {
    let skip_bits = table.account.skip_bits();
    let (len, bytes) = match &table.root {
        Root::Part(part) => (part.len(), part.allocation_size()),
        Root::Directory { slots, .. } => check_directory(slots, skip_bits, None, rehash),
    };
    assert_eq!(table.len(), len);
    assert_eq!(table.heap_bytes(), bytes);
    assert_eq!(table.iter().count(), len);
}

fn check_directory<T>(
    directory: &Directory<T>,
    depth: u32,
    prefix: Option<u64>,
    rehash: impl Fn(&T) -> u64 + Copy,
) -> (usize, usize) {
    let slots = directory.slots();
    assert!(slots.len().is_power_of_two() && slots.len() >= 2);
    let slot_bits = slots.len().trailing_zeros();
    let (mut len, mut bytes) = (0, size_of_val(slots));
    let mut index = 0;
    let is_shared = |slot: &Slot<T>| matches!(slot, Slot::Link(Link::Shared(_)));
    assert!(
        !slots.iter().skip(1).step_by(2).all(is_shared),
        "twice as large as needed"
    );
    while index < slots.len() {
        let span = match slots.get(index + 1) {
            Some(Slot::Link(Link::Shared(span))) => u32::from(*span),
            _ => 0,
        };
        let run = 1 << span;
        assert_eq!(index % run, 0);
        for slot in &slots[index + 1..index + run] {
            assert!(matches!(slot, Slot::Link(Link::Shared(other)) if u32::from(*other) == span));
        }
        let bits = slot_bits - span;
        let own = (index >> span) as u64;
        match &slots[index] {
            Slot::Part(part) => {
                len += part.len();
                bytes += part.allocation_size();
                for value in part {
                    let position = position_of(rehash(value));
                    assert_eq!(position << depth >> (64 - bits), own);
                    if let Some(prefix) = prefix {
                        assert_eq!(position >> (64 - depth), prefix);
                    }
                }
            }
            Slot::Link(Link::Below(below)) => {
                assert_eq!(span, 0);
                let below = check_directory(below, depth + bits, None, rehash);
                len += below.0;
                bytes += below.1;
            }
            Slot::Link(Link::Shared(_)) => panic!("a run without an owner"),
        }
        index += run;
    }
    (len, bytes)
}

/// All elements by scanning, `count` at a time, with a change to the table between calls.
fn scan_all(
    table: &mut Table<u64>,
    count: usize,
    mut between: impl FnMut(&mut Table<u64>),
) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        let before = seen.len();
        cursor = table.scan(cursor, count, hash, |&key| seen.push(key));
        assert!(seen.len() - before <= count);
        assert!(cursor == 0 || seen.len() - before == count);
        if cursor == 0 {
            return seen;
        }
        between(table);
    }
}

#[test]
fn empty_table_owns_nothing() {
    let mut table = Table::<u64>::new(0);
    assert_eq!(table.heap_bytes(), 0);
    assert!(table.find(1, |_| true).is_none());
    assert!(remove(&mut table, 1).is_none());
    assert_eq!(table.scan(0, 10, hash, |_| panic!("nothing is there")), 0);
    assert!(table.random(3).is_none());
    assert_eq!(table.clear().count(), 0);
    assert_eq!(std::mem::take(&mut table).into_iter().count(), 0);
    check(&table, hash);
}

#[test]
fn every_step_agrees_with_a_map() {
    for (seed, keys) in [(1, 30), (2, 1_000), (3, 20_000), (4, 100_000)] {
        let mut table = Table::<(u64, u64)>::new(0);
        let mut model = HashMap::default();
        let rehash = |entry: &(u64, u64)| hash(&entry.0);
        let mut next = numbers(seed << 32);
        for step in 0..200_000_u64 {
            let key = next() % keys;
            let h = hash(&key);
            // Grows for a while, then shrinks, and so on.
            let is_growing = step / 50_000 % 2 == 0;
            match next() % 10 {
                0..5 if is_growing => {
                    let (entry, is_new) =
                        table.find_or_insert_with(h, |e| e.0 == key, || (key, step), rehash);
                    assert_eq!(is_new, !model.contains_key(&key));
                    assert_eq!(entry.1, *model.entry(key).or_insert(step));
                }
                0..6 => {
                    let removed = table.remove(h, |e| e.0 == key, rehash);
                    assert_eq!(removed.map(|e| e.1), model.remove(&key));
                }
                6..8 => {
                    let found = table.find_mut(h, |e| e.0 == key);
                    assert_eq!(found.is_some(), model.contains_key(&key));
                    if let Some(entry) = found {
                        entry.1 = step;
                        model.insert(key, step);
                    }
                }
                8 if !model.contains_key(&key) => {
                    assert_eq!(table.insert_unique(h, (key, step), rehash).1, step);
                    model.insert(key, step);
                }
                _ => {
                    let found = table.find(h, |e| e.0 == key);
                    assert_eq!(found.map(|e| e.1), model.get(&key).copied());
                }
            }
            assert_eq!(table.len(), model.len());
            if step % 20_000 == 0 {
                check(&table, rehash);
            }
        }
        check(&table, rehash);
        let all: HashMap<u64, u64> = table.clone().into_iter().collect();
        assert_eq!(all, model);
        table.iter_mut().for_each(|entry| entry.1 += 1);
        assert!(table.iter().all(|entry| model[&entry.0] + 1 == entry.1));
        let mut all = table.clear();
        assert!(table.is_empty() && table.heap_bytes() == 0);
        assert_eq!(all.len(), model.len());
        assert!(all.by_ref().take(7).count() <= 7);
        assert_eq!(all.len(), model.len().saturating_sub(7));
    }
}

#[test]
fn large_table_uses_directories_below_the_first() {
    let mut table = filled(0..1_200_000);
    check(&table, hash);
    let Root::Directory { slots, .. } = &table.root else {
        panic!("one part")
    };
    assert!(
        slots
            .slots()
            .iter()
            .any(|slot| matches!(slot, Slot::Link(Link::Below(_))))
    );
    assert!((0..1_200_000).all(|key| table.find(hash(&key), |&k| k == key).is_some()));
    assert!((1_200_000..1_300_000).all(|key| table.find(hash(&key), |&k| k == key).is_none()));
    assert_eq!(table.iter().count(), 1_200_000);
    let mut seen = scan_all(&mut table, 5_000, |_| {});
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..1_200_000));
    for key in 0..1_199_990 {
        assert_eq!(remove(&mut table, key), Some(key));
    }
    check(&table, hash);
    assert!(matches!(table.root, Root::Part(_)));
    assert!(table.heap_bytes() < 2_000, "{}", table.heap_bytes());
    assert_eq!(table.iter().count(), 10);
}

#[test]
fn memory_follows_the_number_of_elements() {
    let mut table = filled(0..1_000_000);
    let full = table.heap_bytes();
    assert!(full < 1_000_000 * 9 * 5 / 2, "{full}");
    let mut next = numbers(0);
    let mut left: Vec<u64> = (0..1_000_000).collect();
    while left.len() > 1_000 {
        let index = usize::try_from(next()).unwrap() % left.len();
        let key = left.swap_remove(index);
        assert_eq!(remove(&mut table, key), Some(key));
        if left.len().is_multiple_of(100_000) || left.len() == 1_000 {
            check(&table, hash);
            // At worst a part has a few elements less than an eighth of its buckets.
            assert!(table.heap_bytes() < left.len() * 9 * 10, "{}", left.len());
        }
    }
    assert!(
        left.iter()
            .all(|key| table.find(hash(key), |k| k == key).is_some())
    );
}

#[test]
fn steady_churn_does_not_grow_a_table() {
    // 36, 73 and 146 elements in parts that hold 56, 112 and 224.
    for len in [36, 73, 75_000] {
        let mut table = filled(0..len);
        let before = table.heap_bytes();
        for key in 0..len.max(20_000) * 8 {
            assert_eq!(remove(&mut table, key), Some(key));
            insert(&mut table, key + len);
        }
        check(&table, hash);
        let after = table.heap_bytes();
        assert!(after <= before * 5 / 4, "{len} elements: {before} {after}");
    }
}

#[test]
fn retain_goes_part_by_part() {
    let mut table = filled(0..200_000);
    let mut cursor = 0;
    let mut calls = 0;
    loop {
        let before = table.len();
        cursor = table.retain_part(cursor, |key| *key % 50 == 0, hash);
        assert!(before - table.len() <= PART_BUCKETS_MAX);
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    assert!(calls > 100);
    check(&table, hash);
    assert_eq!(table.len(), 4_000);
    assert!(table.heap_bytes() < 4_000 * 90);
    table.retain(|_| false, hash);
    check(&table, hash);
    assert!(table.is_empty() && matches!(table.root, Root::Part(_)));
}

#[test]
fn equal_hashes_do_not_split_for_ever() {
    let mut table = Table::<u64>::new(0);
    let same = |_: &u64| 0x1234_5678_9abc_def0;
    for key in 0..3_000 {
        table.insert_unique(same(&key), key, same);
    }
    check(&table, same);
    assert!(matches!(table.root, Root::Part(_)));
    assert!(table.heap_bytes() < 3_000 * 40);
    assert_eq!(table.find(same(&0), |&k| k == 2_999), Some(&2_999));
    assert!(table.random(1).is_some());
    let mut seen = 0;
    assert_eq!(table.scan(0, 10, same, |_| seen += 1), 0);
    assert_eq!(seen, 3_000);
    for key in 0..3_000 {
        assert_eq!(table.remove(same(&key), |&k| k == key, same), Some(key));
    }
    check(&table, same);
    assert!(table.heap_bytes() < 1_000);
}

#[test]
fn equal_hashes_among_others_stay_bounded() {
    let mut table = Table::<u64>::new(0);
    // Odd keys all collide; even ones spread.
    let mixed = |key: &u64| if key % 2 == 1 { u64::MAX } else { hash(key) };
    for key in 0..6_000 {
        table.insert_unique(mixed(&key), key, mixed);
    }
    check(&table, mixed);
    assert!(table.heap_bytes() < 2_000_000, "{}", table.heap_bytes());
    for r in 0..200 {
        assert!(table.random(r).is_some());
    }
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, 100, mixed, |&key| seen.push(key));
        if cursor == 0 {
            break;
        }
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..6_000));
    for key in 0..6_000 {
        assert_eq!(table.remove(mixed(&key), |&k| k == key, mixed), Some(key));
    }
    check(&table, mixed);
    assert!(table.heap_bytes() < 1_000);
}

#[test]
fn positions_alike_in_their_first_bits() {
    for alike_bits in [1, 7, 12, 13, 24, DEPTH_MAX, 50] {
        let near = |key: &u64| (hash(key) >> alike_bits).rotate_right(7);
        let mut table = Table::<u64>::new(0);
        for key in 0..20_000 {
            table.insert_unique(near(&key), key, near);
        }
        check(&table, near);
        assert!((0..20_000).all(|key| table.find(near(&key), |&k| k == key).is_some()));
        let (mut cursor, mut seen) = (0, 0);
        loop {
            cursor = table.scan(cursor, 1_000, near, |_| seen += 1);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, 20_000);
        assert!(table.random(alike_bits.into()).is_some());
        for key in 0..20_000 {
            assert_eq!(table.remove(near(&key), |&k| k == key, near), Some(key));
        }
        check(&table, near);
        assert!(table.is_empty() && table.heap_bytes() < 1_000);
    }
}

#[test]
fn shards_are_scanned_in_one_order() {
    for skip_bits in [0, 1, 6, SKIP_BITS_MAX] {
        let mut shards: Vec<Table<u64>> =
            (0..1 << skip_bits).map(|_| Table::new(skip_bits)).collect();
        for key in 0..100_000 {
            let shard = shard_of_position(position_of(hash(&key)), skip_bits);
            insert(&mut shards[shard], key);
        }
        for table in shards.iter().step_by(97) {
            check(table, hash);
        }
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            let shard = shard_of_position(position_from_cursor(cursor), skip_bits);
            assert!(cursor >= first_cursor_of_shard(shard, skip_bits));
            cursor = shards[shard].scan(cursor, 100, hash, |&key| seen.push(key));
            if cursor == 0 {
                if shard + 1 == shards.len() {
                    break;
                }
                cursor = first_cursor_of_shard(shard + 1, skip_bits);
            }
            assert_eq!(cursor >> CURSOR_BITS, 0);
        }
        let positions: Vec<u64> = seen.iter().map(|key| position_of(hash(key))).collect();
        assert!(positions.is_sorted());
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..100_000));
        // A shard's scan may also begin with 0.
        let table = shards.last().unwrap();
        let mut first = Vec::new();
        table.scan(0, 3, hash, |&key| first.push(key));
        assert_eq!(first.len(), table.len().min(3));
    }
}

#[test]
fn scan_ends_under_steady_churn() {
    let mut table = filled(0..10_000);
    let (mut oldest, mut newest) = (0, 10_000);
    let seen = scan_all(&mut table, 10, |table| {
        for _ in 0..20 {
            remove(table, oldest).unwrap();
            insert(table, newest);
            oldest += 1;
            newest += 1;
        }
    });
    // A place in the order is passed once, so what comes behind the cursor is not waited for.
    assert!(seen.len() < 12_000, "{}", seen.len());
}

#[test]
fn random_reaches_every_element_about_equally() {
    for len in [1_u64, 10, 700, 5_000] {
        let table = filled(0..len);
        let mut picks = vec![0_u32; usize::try_from(len).unwrap()];
        let mut next = numbers(len);
        for _ in 0..len * 200 {
            picks[usize::try_from(*table.random(next()).unwrap()).unwrap()] += 1;
        }
        // 200 expected, deviation 14.
        assert!(picks.iter().all(|picks| (110..300).contains(picks)));
        // Chi-square per element: 1 expected, deviation sqrt(2 / len).
        let chi: f64 = picks
            .iter()
            .map(|&p| (f64::from(p) - 200.0).powi(2) / 200.0)
            .sum();
        if len >= 700 {
            let excess = chi / f64::from(u32::try_from(len).unwrap());
            assert!((0.7..1.3).contains(&excess), "{excess}");
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    Grow(u64),
    Shrink(u64),
    Churn(u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (1..4_000_u64).prop_map(Change::Grow),
        (1..6_000_u64).prop_map(Change::Shrink),
        (1..2_000_u64).prop_map(Change::Churn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever grows, shrinks or churns between the calls of a scan, it shows every element that
    /// was there all the time, once.
    #[test]
    fn scan_shows_what_stays(
        lasting in 0..3_000_u64,
        passing in 0..20_000_u64,
        count in 1..400_usize,
        changes in prop::collection::vec(change(), 1..20),
        seed in any::<u64>(),
    ) {
        const PASSING: u64 = 1 << 40;
        let mut table = filled(0..lasting);
        let mut others: Vec<u64> = Vec::new();
        let mut next = numbers(seed);
        let mut newest = PASSING;
        let mut add = |table: &mut Table<u64>, others: &mut Vec<u64>| {
            newest += 1;
            insert(table, newest);
            others.push(newest);
        };
        let mut take = |table: &mut Table<u64>, others: &mut Vec<u64>| {
            if !others.is_empty() {
                let index = usize::try_from(next()).unwrap() % others.len();
                remove(table, others.swap_remove(index)).unwrap();
            }
        };
        for _ in 0..passing {
            add(&mut table, &mut others);
        }
        let mut changes = changes.into_iter().cycle().take(60);
        let seen = scan_all(&mut table, count, |table| match changes.next() {
            Some(Change::Grow(n)) => (0..n).for_each(|_| add(table, &mut others)),
            Some(Change::Shrink(n)) => (0..n).for_each(|_| take(table, &mut others)),
            Some(Change::Churn(n)) => (0..n).for_each(|_| {
                add(table, &mut others);
                take(table, &mut others);
            }),
            None => {}
        });
        check(&table, hash);
        let mut stayed: Vec<u64> = seen.into_iter().filter(|&key| key < PASSING).collect();
        stayed.sort_unstable();
        prop_assert!(stayed.into_iter().eq(0..lasting));
    }
}
