//! In which order targets are asked, with dice the test throws.

use std::collections::BTreeMap;

use mainspring_kernel::Money;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    breaker::Standing,
    choose::{Bar, Order, Seen, Why, order, stable_hash},
    route::Choose,
};

fn seen(name: &str) -> Seen {
    Seen {
        weight: 1,
        tier: 0,
        standing: Standing::Closed,
        begin_ms: None,
        in_flight: 0,
        cost: None,
        id: stable_hash(name.as_bytes()),
        bar: None,
    }
}

fn dice(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn places(order: &Order) -> Vec<usize> {
    order.picked.iter().map(|picked| picked.index).collect()
}

/// How often each target comes first.
fn firsts(seen: &[Seen], choose: Choose, times: u64) -> BTreeMap<usize, u64> {
    let mut counts = BTreeMap::new();
    for seed in 0..times {
        *counts.entry(order(seen, choose, None, &mut dice(seed)).picked[0].index).or_default() += 1;
    }
    counts
}

#[test]
fn weights_are_shares() {
    let targets = [Seen { weight: 3, ..seen("a") }, seen("b"), Seen { weight: 0, ..seen("c") }];
    let counts = firsts(&targets, Choose::Weighted, 4_000);
    assert_eq!(counts.get(&2), None, "a weight of zero has no share");
    let share = counts[&0] as f64 / 4_000.0;
    // Five standard deviations of 4,000 draws at three quarters.
    assert!((share - 0.75).abs() < 0.035, "{share}");
    let all = order(&targets, Choose::Weighted, None, &mut dice(1));
    assert_eq!(all.picked.last().map(|picked| picked.index), Some(2), "but it is asked when the others have failed");
}

#[test]
fn tiers_come_one_after_the_other() {
    let targets =
        [Seen { tier: 1, ..seen("a") }, seen("b"), Seen { tier: 2, ..seen("c") }, seen("d"), Seen { tier: 1, ..seen("e") }];
    for choose in [Choose::Weighted, Choose::First, Choose::Latency, Choose::Cost] {
        for sticky in [None, Some(7)] {
            let tiers: Vec<u32> =
                places(&order(&targets, choose, sticky, &mut dice(3))).into_iter().map(|index| targets[index].tier).collect();
            assert_eq!(tiers, [0, 0, 1, 1, 2], "{choose:?}");
        }
    }
}

#[test]
fn first_means_as_written() {
    let targets = [seen("a"), seen("b"), seen("c")];
    let all = order(&targets, Choose::First, None, &mut dice(1));
    assert_eq!(places(&all), [0, 1, 2]);
    assert_eq!(all.picked[0].why, Why::Written);
}

#[test]
fn the_cheapest_comes_first_and_the_unpriced_last() {
    let cost = |text: &str| Some(text.parse::<Money>().unwrap());
    let targets = [seen("a"), Seen { cost: cost("0.02"), ..seen("b") }, Seen { cost: cost("0.001"), ..seen("c") }];
    let all = order(&targets, Choose::Cost, None, &mut dice(1));
    assert_eq!(places(&all), [2, 1, 0]);
    assert_eq!(all.picked[0].why.to_string(), "would cost 0.001 dollars");
    assert_eq!(all.picked[2].why, Why::Unpriced);
}

#[test]
fn of_two_that_are_drawn_the_one_that_begins_sooner_is_asked() {
    let at = |ms, name| Seen { begin_ms: Some(ms), ..seen(name) };
    let two = [at(200.0, "a"), at(50.0, "b")];
    assert_eq!(firsts(&two, Choose::Latency, 100).get(&0), None);
    // A crowd in front of the quick one makes it slow.
    let crowded = [at(200.0, "a"), Seen { in_flight: 9, ..at(50.0, "b") }];
    assert_eq!(firsts(&crowded, Choose::Latency, 100).get(&1), None);
    // Of three the slowest is never first, and the quickest not always: two thirds of the draws have it.
    let three = [at(50.0, "a"), at(100.0, "b"), at(400.0, "c")];
    let counts = firsts(&three, Choose::Latency, 3_000);
    assert_eq!(counts.get(&2), None);
    assert!((counts[&0] as f64 / 3_000.0 - 2.0 / 3.0).abs() < 0.05, "{counts:?}");
    // What nobody has tried is tried.
    let fresh = [at(50.0, "a"), seen("b")];
    assert_eq!(firsts(&fresh, Choose::Latency, 50).get(&0), None);
}

#[test]
fn open_breakers_and_bars_leave_a_target_out_and_say_so() {
    let window = Bar::ContextWindow { tokens: 9_000, window: 8_000 };
    let targets = [
        Seen { standing: Standing::Open { wait_ms: 700 }, ..seen("a") },
        Seen { bar: Some(window), ..seen("b") },
        Seen { standing: Standing::HalfOpen, ..seen("c") },
    ];
    let all = order(&targets, Choose::Weighted, None, &mut dice(1));
    assert_eq!(places(&all), [2], "half open is well enough to be tried");
    assert_eq!(all.picked[0].why, Why::Only);
    assert_eq!(all.barred, [(0, Bar::Unwell(Standing::Open { wait_ms: 700 })), (1, window)]);
    assert_eq!(all.barred[0].1.to_string(), "its breaker is open for another 700 ms");
    assert_eq!(all.barred[1].1.to_string(), "the call has at least 9000 tokens and the window is 8000");
}

#[test]
fn calls_with_one_key_stay_with_one_target() {
    let names = ["a", "b", "c", "d", "e"];
    let targets: Vec<Seen> = names.iter().map(|name| seen(name)).collect();
    let home =
        |targets: &[Seen], key: u64| targets[order(targets, Choose::Weighted, Some(key), &mut dice(key)).picked[0].index].id;
    let keys: Vec<u64> = (0..2_000).map(|n: u64| stable_hash(&n.to_le_bytes())).collect();
    let before: Vec<u64> = keys.iter().map(|key| home(&targets, *key)).collect();
    assert_eq!(before, keys.iter().map(|key| home(&targets, *key)).collect::<Vec<_>>(), "the dice do not matter");
    // One target goes: its own keys move, everyone else's stay.
    let gone = targets[2].id;
    let fewer: Vec<Seen> = targets.iter().filter(|target| target.id != gone).cloned().collect();
    for (key, home_before) in keys.iter().zip(&before) {
        let now = home(&fewer, *key);
        assert!(now == *home_before || *home_before == gone);
    }
    let share = before.iter().filter(|id| **id == gone).count() as f64 / 2_000.0;
    assert!((share - 0.2).abs() < 0.05, "each has about its share: {share}");
}

#[test]
fn calls_stay_with_the_first_and_the_others_stand_by() {
    let second = |name| Seen { tier: 1, ..seen(name) };
    let why = |targets: &[Seen]| -> Vec<Why> {
        order(targets, Choose::Weighted, Some(7), &mut dice(1)).picked.into_iter().map(|picked| picked.why).collect()
    };
    let two_tiers = [seen("a"), seen("b"), seen("c"), second("d"), second("e")];
    assert_eq!(why(&two_tiers), [Why::Sticky, Why::StickyThen, Why::StickyThen, Why::StickyThen, Why::StickyThen]);
    assert_eq!(why(&[seen("a"), second("b"), second("c")]), [Why::Only, Why::StickyThen, Why::StickyThen]);
    assert_eq!(Why::StickyThen.to_string(), "calls like this one go to it where those before it do not take them");
}

#[test]
fn weights_count_for_sticky_calls_too() {
    let targets = [Seen { weight: 9, ..seen("a") }, seen("b")];
    let keys = (0..4_000).map(|n: u64| stable_hash(&n.to_le_bytes()));
    let first = keys.filter(|key| order(&targets, Choose::Weighted, Some(*key), &mut dice(0)).picked[0].index == 0).count();
    assert!((first as f64 / 4_000.0 - 0.9).abs() < 0.03, "{first}");
}

#[test]
fn the_hash_is_the_same_in_every_version() {
    assert_eq!(stable_hash(b""), 0xc381_7c01_6ba4_ff30);
    assert_ne!(stable_hash(b"openai/gpt-4o"), stable_hash(b"openai/gpt-4p"));
}

fn any_target() -> impl Strategy<Value = Seen> {
    let standing = prop_oneof![
        3 => Just(Standing::Closed),
        1 => Just(Standing::HalfOpen),
        1 => (1_u64..9_999).prop_map(|wait_ms| Standing::Open { wait_ms }),
    ];
    let bar = prop_oneof![4 => Just(None), 1 => Just(Some(Bar::Unsupported))];
    let numbers = (
        0_u32..5,
        0_u32..3,
        proptest::option::of(0.0_f64..10_000.0),
        0_u32..50,
        proptest::option::of(0_i128..1_000_000),
        any::<u64>(),
    );
    (standing, bar, numbers).prop_map(|(standing, bar, (weight, tier, begin_ms, in_flight, cost, id))| Seen {
        weight,
        tier,
        standing,
        begin_ms,
        in_flight,
        cost: cost.map(Money::from_pico),
        id,
        bar,
    })
}

proptest! {
    /// Every target is in exactly one place, tiers never mix, and the same dice give the same order.
    #[test]
    fn an_order_has_everyone_once(
        targets in proptest::collection::vec(any_target(), 0..12), policy in 0_usize..4, sticky in proptest::option::of(any::<u64>()), seed in any::<u64>(),
    ) {
        let choose = [Choose::Weighted, Choose::First, Choose::Latency, Choose::Cost][policy];
        let all = order(&targets, choose, sticky, &mut dice(seed));
        let mut indexes = places(&all);
        prop_assert!(indexes.windows(2).all(|pair| targets[pair[0]].tier <= targets[pair[1]].tier));
        for index in &indexes {
            let open = matches!(targets[*index].standing, Standing::Open { .. });
            prop_assert!(targets[*index].bar.is_none() && !open);
        }
        indexes.extend(all.barred.iter().map(|(index, _)| *index));
        indexes.sort_unstable();
        prop_assert_eq!(indexes, (0..targets.len()).collect::<Vec<_>>());
        prop_assert_eq!(all, order(&targets, choose, sticky, &mut dice(seed)));
    }
}
