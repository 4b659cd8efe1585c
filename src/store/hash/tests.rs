use std::collections::BTreeMap;

use super::{Entry, Hash};
use crate::store::Shape;
use crate::store::stream::dice::Dice;

const SHAPE: Shape = Shape {
    entries_max: 16,
    item_bytes_max: 20,
    integers_max: 0,
    seed: 3,
};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn owned(entry: Entry<'_>) -> (Vec<u8>, (Vec<u8>, Option<u64>)) {
    (
        entry.field.to_vec(),
        (entry.value.to_vec(), entry.deadline_ms),
    )
}

fn check(hash: &Hash, model: &Model) {
    assert_eq!(hash.len(), model.len());
    assert_eq!(&hash.iter().map(owned).collect::<Model>(), model);
    let deadlines = model.values().filter_map(|(_, deadline_ms)| *deadline_ms);
    assert_eq!(hash.first_deadline_ms(), deadlines.min());
    let mut scanned = Model::new();
    let mut cursor = 0;
    loop {
        cursor = hash.scan(cursor, 3, |entry| {
            let (field, rest) = owned(entry);
            assert!(scanned.insert(field, rest).is_none(), "scanned twice");
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&scanned, model);
}

#[test]
fn behaves_as_a_map_with_deadlines() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let (mut hash, mut model) = (Hash::new(), Model::new());
        let spread = [4, 12, 40, 800][usize::try_from(seed % 4).unwrap()];
        for step in 0..400 {
            let field = format!("f{}", dice.below(spread)).into_bytes();
            let value = if dice.chance(3) {
                vec![b'v'; 21]
            } else {
                dice.below(1000).to_string().into_bytes()
            };
            match dice.below(10) {
                0..=4 => {
                    let keeps = dice.chance(50);
                    let is_new = hash.set(&field, &value, keeps, &SHAPE);
                    assert_eq!(is_new, !model.contains_key(&field));
                    let entry = model.entry(field).or_default();
                    let deadline_ms = entry.1.filter(|_| keeps);
                    *entry = (value, deadline_ms);
                }
                5 | 6 => assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                7 | 8 => {
                    let deadline_ms = dice.chance(70).then(|| 1 + dice.below(50));
                    hash.set_deadline(&field, deadline_ms);
                    if let Some(entry) = model.get_mut(&field) {
                        entry.1 = deadline_ms;
                    }
                }
                _ => {
                    let now_ms = dice.below(20);
                    let removed = hash.expire_due(now_ms, usize::MAX);
                    let before = model.len();
                    model.retain(|_, (_, until)| until.is_none_or(|until| until > now_ms));
                    assert_eq!(removed, before - model.len());
                }
            }
            if step % 16 == 0 {
                check(&hash, &model);
            }
            let random = hash.random(dice.roll());
            assert_eq!(random.is_some(), !model.is_empty());
        }
        check(&hash.clone(), &model);
    }
}

#[test]
fn encodings_follow_the_thresholds() {
    let mut hash = Hash::new();
    for index in 0..16 {
        hash.set(format!("f{index}").as_bytes(), b"v", false, &SHAPE);
    }
    assert_eq!(hash.encoding(), "listpack");
    let mut timed = hash.clone();
    timed.set_deadline(b"f3", Some(9));
    assert_eq!(timed.encoding(), "listpackex");
    assert_eq!(timed.iter().next().unwrap().field.to_vec(), b"f3");
    timed.set(b"f3", b"w", false, &SHAPE);
    assert_eq!(timed.iter().last().unwrap().field.to_vec(), b"f3");
    assert_eq!(timed.encoding(), "listpackex");
    hash.set(b"one more", b"v", false, &SHAPE);
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 17));
    let mut hash = Hash::new();
    hash.set(b"f", &[b'v'; 20], false, &SHAPE);
    assert_eq!(hash.encoding(), "listpack");
    hash.set(b"f", &[b'v'; 21], false, &SHAPE);
    assert_eq!(hash.encoding(), "hashtable");
}

#[test]
fn a_filled_hash_has_each_name_once() {
    let mut hash = Hash::new();
    let pairs: [&[u8]; 6] = [b"a", b"1", b"b", b"2", b"a", b"3"];
    assert_eq!(hash.fill(pairs.into_iter(), &SHAPE), 2);
    assert_eq!(hash.get(b"a").unwrap().0.to_vec(), b"3");
    let mut hash = Hash::new();
    assert_eq!(hash.fill(pairs[..4].iter().copied(), &SHAPE), 2);
    assert_eq!(hash.get(b"b").unwrap().0.to_vec(), b"2");
}
