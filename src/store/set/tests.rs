use std::collections::BTreeSet;

use super::Set;
use crate::store::Shape;
use crate::store::packed::Item;
use crate::store::stream::dice::Dice;

const SHAPE: Shape = Shape {
    entries_max: 16,
    item_bytes_max: 20,
    integers_max: 24,
    seed: 3,
};

type Model = BTreeSet<Vec<u8>>;

fn check(set: &Set, model: &Model) {
    assert_eq!(set.len(), model.len());
    assert_eq!(&set.iter().map(Item::to_vec).collect::<Model>(), model);
    let mut scanned = Model::new();
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, 3, |member| {
            assert!(scanned.insert(member.to_vec()), "scanned twice");
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&scanned, model);
}

#[test]
fn behaves_as_a_set() {
    for seed in 0..80 {
        let mut dice = Dice::new(seed);
        let (mut set, mut model) = (Set::new(), Model::new());
        let spread = [4, 12, 40, 800][usize::try_from(seed % 4).unwrap()];
        let texts = [0, 0, 5, 50][usize::try_from(seed / 4 % 4).unwrap()];
        for step in 0..400 {
            let mut number = dice.below(spread).cast_signed() - 3;
            if dice.chance(10) {
                number <<= dice.below_u32(60);
            }
            let member = match dice.chance(texts) {
                true if dice.chance(3) => vec![b'm'; 21],
                true => format!("m{number}").into_bytes(),
                false => number.to_string().into_bytes(),
            };
            if dice.chance(60) {
                assert_eq!(set.insert(&member, &SHAPE), model.insert(member.clone()));
            } else {
                assert_eq!(set.remove(&member), model.remove(&member));
            }
            assert_eq!(set.contains(&member), model.contains(&member));
            if step % 16 == 0 {
                check(&set, &model);
            }
            if let Some(random) = set.random(dice.roll()) {
                assert!(model.contains(&random.to_vec()));
            }
        }
        set.make_integers(&SHAPE);
        check(&set.clone(), &model);
    }
}

#[test]
fn encodings_follow_the_thresholds() {
    let mut set = Set::new();
    for number in 0..24 {
        set.insert(number.to_string().as_bytes(), &SHAPE);
    }
    assert_eq!(set.encoding(), "intset");
    let mut text = set.clone();
    text.insert(b"x", &SHAPE);
    assert_eq!(text.encoding(), "hashtable");
    set.insert(b"24", &SHAPE);
    assert_eq!(set.encoding(), "hashtable");
    set.remove(b"3");
    set.make_integers(&SHAPE);
    assert_eq!(set.encoding(), "intset");
    let mut set = Set::new();
    for member in [&b"3"[..], b"1", b"b", b"2", b"a"] {
        set.insert(member, &SHAPE);
    }
    assert_eq!(set.encoding(), "listpack");
    let members: Vec<_> = set.iter().map(Item::to_vec).collect();
    assert_eq!(members, [&b"1"[..], b"3", b"b", b"2", b"a"]);
    set.insert(&[b'm'; 21], &SHAPE);
    assert_eq!(set.encoding(), "hashtable");
    assert_eq!(Set::suited(b"1", 24, &SHAPE).encoding(), "listpack");
    assert_eq!(Set::suited(b"1", 25, &SHAPE).encoding(), "hashtable");
    assert_eq!(Set::suited(b"a", 17, &SHAPE).encoding(), "hashtable");
}
