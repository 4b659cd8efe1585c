use super::{Item, Packed, item_bytes};
use crate::store::stream::dice::Dice;

fn below(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).unwrap()
}

/// Texts that differ in how they are kept, and some that nearly spell integers.
fn text(dice: &mut Dice) -> Vec<u8> {
    match dice.below(6) {
        0 => dice.below(100).to_string().into_bytes(),
        1 => {
            let shift = dice.below_u32(64);
            (dice.roll().cast_signed() >> shift)
                .to_string()
                .into_bytes()
        }
        2 => [&b""[..], b"-0", b"007", b"1.5", b"+1", b"-"][below(dice, 6)].to_vec(),
        3 => vec![b'x'; below(dice, 256) + 60],
        4 => vec![b'y'; 65_500 + below(dice, 80)],
        _ => format!("field:{}", dice.below(20)).into_bytes(),
    }
}

fn check(packed: &Packed, model: &[Vec<u8>]) {
    let texts: Vec<_> = packed.iter().map(Item::to_vec).collect();
    assert_eq!(texts, model);
    assert_eq!(packed.len(), model.len());
    assert_eq!(packed.is_empty(), model.is_empty());
    let bytes: usize = model.iter().map(|text| item_bytes(Item::of(text))).sum();
    let header = if model.is_empty() { 0 } else { 4 };
    assert_eq!(packed.heap_bytes(), header + bytes);
    let spots = packed.spots(1);
    assert!(spots.iter().map(|&spot| packed.at(spot).to_vec()).eq(texts));
}

#[test]
fn behaves_as_a_list_of_texts() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let (mut packed, mut model) = (Packed::new(), Vec::<Vec<u8>>::new());
        for _ in 0..200 {
            let text = text(&mut dice);
            let index = below(&mut dice, model.len() + 1);
            match (dice.below(6), packed.spot(index)) {
                (0, Some(spot)) => {
                    let count = 1 + below(&mut dice, model.len() - index);
                    packed.remove(spot, count);
                    model.drain(index..index + count);
                }
                (1, Some(spot)) => {
                    packed.replace(spot, &text);
                    model[index] = text;
                }
                (2, spot) => {
                    packed.insert_item(spot.unwrap_or(packed.end()), Item::of(&text));
                    model.insert(index, text);
                }
                (3, _) => {
                    let more = [text.as_slice(), b"12", b"more"];
                    packed.extend(more.into_iter());
                    model.extend(more.map(<[u8]>::to_vec));
                }
                _ => {
                    packed.push(&text);
                    model.push(text);
                }
            }
            check(&packed, &model);
        }
    }
}

#[test]
fn finds_what_it_holds_at_the_stride() {
    let mut dice = Dice::new(9);
    for _ in 0..2000 {
        let texts: Vec<_> = (0..6).map(|_| text(&mut dice)).collect();
        let packed = Packed::from_texts(texts.iter().map(Vec::as_slice));
        for stride in 1..=3 {
            for wanted in &texts {
                let at = texts.iter().step_by(stride).position(|text| text == wanted);
                let found = packed.find(wanted, stride);
                assert_eq!(found, at.map(|at| packed.spot(at * stride).unwrap()));
            }
        }
        assert_eq!(packed.find(b"nothing like it", 1), None);
    }
}

#[test]
fn integers_take_few_bytes() {
    for (text, bytes) in [
        ("0", 1),
        ("63", 1),
        ("64", 2),
        ("-128", 2),
        ("128", 3),
        ("1700000000000", 7),
        ("-9223372036854775808", 9),
        ("-0", 3),
        ("abc", 4),
    ] {
        assert_eq!(item_bytes(Item::of(text.as_bytes())), bytes, "{text}");
    }
    let mut verbatim = Packed::new();
    verbatim.push_item(Item::Bytes(b"12"));
    verbatim.push_item(Item::Integer(12));
    assert_eq!(verbatim.find(b"12", 1), verbatim.spot(1));
    assert_eq!(verbatim.find_item(Item::Bytes(b"12"), 1), verbatim.spot(0));
    assert_eq!(verbatim.iter().next().unwrap().integer(), Some(12));
}
