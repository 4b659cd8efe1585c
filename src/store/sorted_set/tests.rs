//! Sorted sets against a model: a list of pairs in order.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]

use super::{LexBound, LexRange, Limits, Order, ScoreBound, ScoreRange, SortedSet, cut};
use crate::store::stream::dice::Dice;

const LIMITS: Limits = Limits {
    small_len_max: 128,
    small_member_bytes_max: 64,
};
const LARGE: Limits = Limits {
    small_len_max: 0,
    small_member_bytes_max: 64,
};

#[derive(Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn score(&self, member: &[u8]) -> Option<f64> {
        self.0
            .iter()
            .find(|(_, other)| other == member)
            .map(|(score, _)| *score)
    }

    fn set(&mut self, member: &[u8], score: f64) {
        self.remove(member);
        let entry = (score, member.to_vec());
        let at = self.0.partition_point(|other| *other < entry);
        self.0.insert(at, entry);
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let at = self.0.iter().position(|(_, other)| other == member)?;
        Some(self.0.remove(at).0)
    }
}

fn members(set: &SortedSet, order: Order) -> Vec<(f64, Vec<u8>)> {
    let mut all = Vec::new();
    set.walk(0, usize::MAX, order, |member, score| {
        all.push((score, member.to_vec()));
    });
    all
}

fn member(dice: &mut Dice, kinds: u64) -> Vec<u8> {
    let number = dice.below(kinds);
    match dice.below(10) {
        0..7 => format!("m{number}").into_bytes(),
        7 | 8 => format!("{number}:a-member-longer-than-a-slot").into_bytes(),
        _ if number == 0 => Vec::new(),
        _ => vec![b'0' + (number % 10) as u8; 40],
    }
}

fn score(dice: &mut Dice) -> f64 {
    match dice.below(20) {
        0..8 => dice.below(10) as f64 - 5.0,
        8..12 => 0.0,
        12..16 => dice.below(1 << 40) as f64 / 8.0,
        16..18 => 1_700_000_000_000.0 + dice.below(1_000) as f64,
        18 if dice.chance(50) => -0.0,
        18 => f64::INFINITY,
        _ => f64::NEG_INFINITY,
    }
}

fn play(seed: u64, steps: usize, kinds: u64, limits: Limits) {
    let mut dice = Dice::new(seed);
    let (mut set, mut model) = (SortedSet::new(), Model::default());
    for step in 0..steps {
        // Grows for a while, then shrinks, and again.
        let growing = (step / (steps / 4)).is_multiple_of(2);
        let name = member(&mut dice, kinds);
        match dice.below(100) {
            roll if roll < if growing { 70 } else { 25 } => {
                let score = score(&mut dice);
                assert_eq!(set.insert(&name, score, limits), model.score(&name));
                model.set(&name, score);
            }
            roll if roll < 80 => assert_eq!(set.remove(&name), model.remove(&name)),
            80..88 => {
                let order = if dice.chance(50) {
                    Order::Up
                } else {
                    Order::Down
                };
                let popped = set.pop(order, |member, score| (score, member.to_vec()));
                let at = if order == Order::Up {
                    0
                } else {
                    model.0.len().saturating_sub(1)
                };
                let expected = (!model.0.is_empty()).then(|| model.0.remove(at));
                assert_eq!(popped, expected);
            }
            88 => {
                let from = dice.below(model.0.len() as u64 + 3) as usize;
                let to = from + dice.below(9) as usize;
                set.remove_ranks(from..to);
                let end = to.min(model.0.len());
                model.0.drain(from.min(end)..end);
            }
            89..94 => {
                let rank = model.0.iter().position(|(_, other)| *other == name);
                assert_eq!(set.rank(&name).map(|(rank, _)| rank), rank);
                assert_eq!(set.score(&name), model.score(&name));
            }
            _ => compare_ranges(&mut dice, &set, &model),
        }
        assert_eq!(set.len(), model.0.len(), "seed {seed} step {step}");
        if step % 512 == 0 || step + 1 == steps {
            set.verify();
            assert_eq!(members(&set, Order::Up), model.0);
            let mut down = members(&set, Order::Down);
            down.reverse();
            assert_eq!(down, model.0);
        }
    }
}

fn compare_ranges(dice: &mut Dice, set: &SortedSet, model: &Model) {
    let bound = |dice: &mut Dice| ScoreBound {
        score: score(dice),
        excluded: dice.chance(50),
    };
    let range = ScoreRange {
        min: bound(dice),
        max: bound(dice),
    };
    let inside = |score: f64| {
        let above = score > range.min.score || !range.min.excluded && score == range.min.score;
        above && (score < range.max.score || !range.max.excluded && score == range.max.score)
    };
    let ranks = set.ranks_by_score(&range);
    let expected: Vec<_> = model
        .0
        .iter()
        .filter(|(score, _)| inside(*score))
        .cloned()
        .collect();
    let mut found = Vec::new();
    set.walk(ranks.start, ranks.len(), Order::Up, |member, score| {
        found.push((score, member.to_vec()));
    });
    assert_eq!(found, expected, "{range:?}");
    for order in [Order::Up, Order::Down] {
        let (skip, most) = (dice.below(4) as usize, dice.below(60) as usize);
        let part = cut(&ranks, set.len(), order, skip, most);
        let found = set.part_by_score(&range, order, skip, most);
        assert_eq!(found, part, "{range:?} {order:?}");
    }
}

#[test]
fn every_form_does_what_a_sorted_list_does() {
    for seed in 0..12 {
        play(seed, 4_000, 40, LIMITS);
        play(seed, 6_000, 300, LIMITS);
        play(seed, 8_000, 1_500, LARGE);
    }
}

#[test]
fn ranges_by_member_are_ranges_of_one_score() {
    for limits in [LIMITS, LARGE] {
        let mut set = SortedSet::new();
        for member in ["a", "b", "c", "d", ""] {
            set.insert(member.as_bytes(), 0.0, limits);
        }
        let ranks = |min, max| set.ranks_by_member(&LexRange { min, max });
        let (b, d) = (&b"b"[..], &b"d"[..]);
        assert_eq!(ranks(LexBound::Lowest, LexBound::Highest), 0..5);
        assert_eq!(ranks(LexBound::Included(b), LexBound::Included(d)), 2..5);
        assert_eq!(ranks(LexBound::Excluded(b), LexBound::Excluded(d)), 3..4);
        assert_eq!(ranks(LexBound::Lowest, LexBound::Excluded(b)), 0..2);
        assert!(ranks(LexBound::Highest, LexBound::Lowest).is_empty());
        assert!(ranks(LexBound::Excluded(b), LexBound::Excluded(b)).is_empty());
    }
}

#[test]
fn a_tree_of_many_levels_keeps_its_shape() {
    let mut set = SortedSet::new();
    for number in 0..60_000_u32 {
        let scattered = number * 7_919 % 60_000;
        set.insert(
            format!("{scattered:08}").as_bytes(),
            f64::from(scattered),
            LIMITS,
        );
    }
    set.verify();
    assert_eq!(set.rank(b"00041234").map(|(rank, _)| rank), Some(41_234));
    set.remove_ranks(10_000..40_000);
    set.verify();
    for number in 0..20_000 {
        assert!(set.pop(Order::Up, |_, _| ()).is_some());
        if number % 4_096 == 0 {
            set.verify();
        }
    }
    set.verify();
    assert_eq!(set.len(), 10_000);
}

#[test]
fn a_scan_shows_whatever_stays() {
    let mut set = SortedSet::new();
    for number in 0..5_000 {
        set.insert(format!("m{number}").as_bytes(), f64::from(number), LIMITS);
    }
    let (mut seen, mut cursor, mut round) = (std::collections::BTreeSet::new(), 0, 0);
    loop {
        cursor = set.scan(cursor, 10, |member, _| {
            seen.insert(member.to_vec());
        });
        if cursor == 0 {
            break;
        }
        round += 1;
        set.insert(
            format!("m{}", round % 2_000).as_bytes(),
            f64::from(-round),
            LIMITS,
        );
        set.remove(format!("m{}", 4_999 - round).as_bytes());
    }
    assert!((0..2_000).all(|number| seen.contains(format!("m{number}").as_bytes())));
}

#[test]
fn members_cost_less_than_in_redis() {
    // What redis-server 8.2.3 takes for the same: see benches/side_by_side.
    let mut set = SortedSet::new();
    for number in 0..100_000_u32 {
        let score = f64::from(number.wrapping_mul(2_654_435_761));
        set.insert(format!("member:{number:09}").as_bytes(), score, LIMITS);
    }
    assert!(
        set.heap_bytes() / set.len() < 75,
        "{}",
        set.heap_bytes() / set.len()
    );
    set.verify();
}
