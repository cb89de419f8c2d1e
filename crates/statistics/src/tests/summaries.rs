use proptest::prelude::*;

use super::close;
use crate::{
    Categories, Distinct, Moments, Quantiles, Random, SketchFault,
    categories::CATEGORIES,
    quantiles::{ACCURACY, CELLS},
};

#[test]
fn a_small_scatter_around_a_large_mean_is_not_lost() {
    // NIST's Statistical Reference Datasets, NumAcc4 (higher difficulty): the certified values are exact.
    let numbers = (0..1_001).map(|index| match index {
        0 => 10_000_000.2,
        odd if odd % 2 == 1 => 10_000_000.1,
        _ => 10_000_000.3,
    });
    let moments: Moments = numbers.collect();
    close(moments.mean().unwrap(), 10_000_000.2, 1e-8);
    close(moments.variance().unwrap().sqrt(), 0.1, 1e-8);
}

#[test]
fn nothing_has_no_mean_and_what_is_not_finite_is_counted_apart() {
    let mut moments = Moments::default();
    moments.extend([f64::NAN, f64::INFINITY, f64::MAX]);
    assert_eq!((moments.count(), moments.unusable(), moments.mean(), moments.min()), (0, 3, None, None));
    moments.add(2.0);
    assert_eq!((moments.mean(), moments.variance(), moments.sum()), (Some(2.0), None, 2.0));
}

#[test]
fn quantiles_are_as_near_as_promised() {
    let mut random = Random::new(7);
    let mut numbers: Vec<f64> = (0..20_000).map(|_| (2.0 * random.normal()).exp() - 1.5).collect();
    let sketch: Quantiles = numbers.iter().copied().collect();
    numbers.sort_by(f64::total_cmp);
    assert_eq!((sketch.accuracy() * 1e6).round(), ACCURACY * 1e6);
    for share in [0.0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
        let truth = numbers[(share * 19_999.0_f64).floor() as usize];
        close(sketch.quantile(share).unwrap(), truth, truth.abs() * ACCURACY * 1.000_001);
    }
    close(sketch.share_up_to(-0.5).unwrap(), 0.5, 0.01);
    assert_eq!((sketch.share_up_to(f64::INFINITY), sketch.share_up_to(f64::NEG_INFINITY)), (Some(1.0), Some(0.0)));
}

#[test]
fn numbers_of_every_size_take_bounded_room_and_the_sketch_says_what_that_costs() {
    let mut random = Random::new(8);
    let mut numbers: Vec<f64> = (0..50_000)
        .map(|_| 10_f64.powf(random.uniform() * 600.0 - 300.0) * if random.happens(0.5) { -1.0 } else { 1.0 })
        .collect();
    let sketch: Quantiles = numbers.iter().copied().collect();
    let mut merged = Quantiles::default();
    for part in numbers.rchunks(3_001) {
        merged.merge(&part.iter().rev().copied().collect());
    }
    assert_eq!(merged, sketch);
    assert_eq!(Quantiles::from_bytes(&sketch.to_bytes()).as_ref(), Ok(&sketch));
    numbers.sort_by(f64::total_cmp);
    assert!(sketch.side_by_side(&sketch).len() <= CELLS);
    assert!(sketch.accuracy() > ACCURACY && sketch.accuracy() < 1.0);
    assert!(sketch.to_bytes().len() < 4 * CELLS, "{}", sketch.to_bytes().len());
    for share in [0.05, 0.2, 0.8, 0.95] {
        let truth = numbers[(share * 49_999.0_f64).floor() as usize];
        close(sketch.quantile(share).unwrap(), truth, truth.abs() * sketch.accuracy() * 1.000_001);
    }
}

#[test]
fn a_sketch_of_nothing_has_no_quantiles() {
    let mut sketch = Quantiles::default();
    sketch.extend([f64::NAN, f64::NEG_INFINITY]);
    assert_eq!((sketch.quantile(0.5), sketch.min(), sketch.share_up_to(0.0), sketch.unusable()), (None, None, None, 2));
    assert_eq!(Quantiles::from_bytes(&sketch.to_bytes()), Ok(sketch));
}

#[test]
fn few_categories_are_counted_exactly() {
    let sketch: Categories = ["chat", "chat", "tool", "chat", "rerank"].into_iter().collect();
    assert_eq!(sketch.top(2), [("chat", 3), ("rerank", 1)]);
    assert_eq!((sketch.total(), sketch.other(), sketch.error(), sketch.count("none")), (5, 0, 0, 0));
}

#[test]
fn frequent_categories_are_found_among_very_many() {
    let mut random = Random::new(9);
    let mut truth = std::collections::BTreeMap::<String, u64>::new();
    let mut halves = [Categories::default(), Categories::default()];
    for index in 0..60_000_usize {
        // The share of the k-th falls as 1/k; most of 20,000 are seen a few times.
        let name = format!("topic {}", (20_000_f64.powf(random.uniform())) as u64);
        *truth.entry(name.clone()).or_default() += 1;
        halves[index % 2].add(&name);
    }
    let [mut sketch, other] = halves;
    sketch.merge(&other);
    let stored = Categories::from_bytes(&sketch.to_bytes()).unwrap();
    for sketch in [sketch, stored] {
        assert!(sketch.error() > 0 && sketch.error() <= 60_000 / (CATEGORIES as u64 + 1));
        assert_eq!(sketch.iter().map(|(_, held)| held).sum::<u64>() + sketch.other(), 60_000);
        for (name, true_count) in &truth {
            let held = sketch.count(name);
            assert!(held <= *true_count && held + sketch.error() >= *true_count, "{name}: {held} of {true_count}");
        }
    }
}

#[test]
fn long_names_stay_apart_and_take_bounded_room() {
    let long = "ä".repeat(100_000);
    let sketch: Categories = [format!("{long}1").as_str(), format!("{long}2").as_str()].into_iter().collect();
    assert_eq!(sketch.iter().count(), 2);
    assert!(sketch.to_bytes().len() < 400);
    assert_eq!(sketch.count(&format!("{long}2")), 1);
    assert_eq!(Categories::from_bytes(&sketch.to_bytes()), Ok(sketch));
}

#[test]
fn different_things_are_counted_within_a_few_percent_and_few_almost_exactly() {
    for count in [0_u64, 1, 10, 100, 1_000, 20_000, 500_000] {
        let mut sketch = Distinct::default();
        (0..count).for_each(|thing| sketch.add(&thing.to_le_bytes()));
        (0..count.min(1_000)).for_each(|thing| sketch.add(&thing.to_le_bytes()));
        close(sketch.estimate(), count as f64, 0.5 + 0.05 * count as f64);
        assert_eq!(Distinct::from_bytes(&sketch.to_bytes()), Ok(sketch));
    }
    let mut small = Distinct::default();
    small.add(b"one");
    assert!(small.to_bytes().len() < 8);
}

#[test]
fn a_newer_format_is_named() {
    let fault = Moments::from_bytes(&[2, 0, 0]).unwrap_err();
    assert_eq!(
        (fault.code(), fault.to_string().as_str()),
        ("sketch-newer", "the bytes of the moments have format 2, and this build reads up to 1")
    );
    assert_eq!(Quantiles::from_bytes(&[]).unwrap_err().code(), "sketch-unreadable");
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let wide = (-300.0..300.0_f64, any::<bool>()).prop_map(|(power, sign)| 10_f64.powf(power) * if sign { 1.0 } else { -1.0 });
    let number = prop_oneof![8 => wide, 2 => -1.0..1.0_f64, 1 => Just(0.0), 1 => any::<f64>()];
    proptest::collection::vec(number, 0..400)
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-d]{0,6}", 0..700)
}

/// A payload with a piece cut off and a byte changed.
fn damaged(mut bytes: Vec<u8>, cut: usize, place: usize, byte: u8) -> Vec<u8> {
    bytes.truncate(bytes.len().saturating_sub(cut % 8));
    let length = bytes.len().max(1);
    if let Some(changed) = bytes.get_mut(place % length) {
        *changed = byte;
    }
    bytes
}

/// What is read can be used, whatever it was read from.
fn use_everything(bytes: &[u8]) -> Result<(), SketchFault> {
    if let Ok(mut sketch) = Quantiles::from_bytes(bytes) {
        let copy = sketch.clone();
        sketch.merge(&copy);
        sketch.add(1.5);
        let _ = (sketch.quantile(0.3), sketch.share_up_to(2.0), sketch.accuracy());
        let _ = crate::drift::compare_numbers(&sketch, &copy, 0);
        Quantiles::from_bytes(&copy.to_bytes())?;
    }
    if let Ok(mut sketch) = Categories::from_bytes(bytes) {
        let copy = sketch.clone();
        sketch.merge(&copy);
        sketch.add("more");
        let _ = crate::drift::compare_categories(&sketch, &copy, 0);
        Categories::from_bytes(&copy.to_bytes())?;
    }
    if let Ok(mut sketch) = Moments::from_bytes(bytes) {
        let copy = sketch;
        sketch.merge(&copy);
        sketch.add(1.0);
        Moments::from_bytes(&copy.to_bytes())?;
    }
    if let Ok(mut sketch) = Distinct::from_bytes(bytes) {
        let copy = sketch.clone();
        sketch.merge(&copy);
        assert!(sketch.estimate() >= 0.0);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_sketch_of_quantiles_is_the_same_however_it_was_put_together(numbers in numbers(), cuts in any::<(u8, u8)>()) {
        let whole: Quantiles = numbers.iter().copied().collect();
        let mut cuts = [usize::from(cuts.0), usize::from(cuts.1)].map(|cut| cut % (numbers.len() + 1));
        cuts.sort_unstable();
        let part = |range: std::ops::Range<usize>| numbers[range].iter().copied().collect::<Quantiles>();
        let (one, two, three) = (part(0..cuts[0]), part(cuts[0]..cuts[1]), part(cuts[1]..numbers.len()));
        let (mut left, mut right) = (one.clone(), three);
        left.merge(&two);
        left.merge(&right);
        right.merge(&two);
        right.merge(&one);
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&right, &whole);
        prop_assert_eq!(Quantiles::from_bytes(&whole.to_bytes()), Ok(whole));
    }

    #[test]
    fn a_quantile_is_never_further_off_than_the_accuracy(numbers in numbers(), share in 0.0..1.0_f64) {
        let sketch: Quantiles = numbers.iter().copied().collect();
        let mut sorted: Vec<f64> = numbers.into_iter().filter(|number| number.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        prop_assert_eq!(sketch.count(), sorted.len() as u64);
        if let Some(found) = sketch.quantile(share) {
            let truth = sorted[(share * (sorted.len() - 1) as f64).floor() as usize];
            prop_assert!((found - truth).abs() <= truth.abs() * sketch.accuracy() * 1.000_001 + 1e-12, "{found} for {truth}");
        }
    }

    #[test]
    fn a_number_so_many_times_is_that_number_each_time(numbers in proptest::collection::vec((-1e6..1e6_f64, 0_u64..20), 0..20)) {
        let (mut many, mut each) = (Moments::default(), Moments::default());
        for (number, times) in numbers {
            many.add_many(number, times);
            (0..times).for_each(|_| each.add(number));
        }
        prop_assert_eq!((many.count(), many.min(), many.max()), (each.count(), each.min(), each.max()));
        prop_assert!((many.mean().unwrap_or(0.0) - each.mean().unwrap_or(0.0)).abs() < 1e-6);
        let (found, truth) = (many.variance().unwrap_or(0.0), each.variance().unwrap_or(0.0));
        prop_assert!((found - truth).abs() <= 1e-9 * truth + 1e-6);
    }

    #[test]
    fn moments_merge(numbers in proptest::collection::vec(-1e6..1e6_f64, 0..200), cut in any::<u8>()) {
        let whole: Moments = numbers.iter().copied().collect();
        let (one, other) = numbers.split_at(usize::from(cut) % (numbers.len() + 1));
        let mut merged: Moments = one.iter().copied().collect();
        merged.merge(&other.iter().copied().collect());
        prop_assert_eq!((merged.count(), merged.min(), merged.max()), (whole.count(), whole.min(), whole.max()));
        prop_assert!((merged.mean().unwrap_or(0.0) - whole.mean().unwrap_or(0.0)).abs() < 1e-6);
        let (found, truth) = (merged.variance().unwrap_or(0.0), whole.variance().unwrap_or(0.0));
        prop_assert!((found - truth).abs() <= 1e-9 * truth + 1e-6);
        prop_assert_eq!(Moments::from_bytes(&whole.to_bytes()), Ok(whole));
    }

    #[test]
    fn categories_merge_within_their_error_in_any_order(one in words(), two in words(), three in words()) {
        let mut truth = std::collections::BTreeMap::<&str, u64>::new();
        for word in one.iter().chain(&two).chain(&three) {
            *truth.entry(word).or_default() += 1;
        }
        let sketch = |words: &[String]| words.iter().map(String::as_str).collect::<Categories>();
        let (first, second, third) = (sketch(&one), sketch(&two), sketch(&three));
        let (mut left, mut right) = (first.clone(), third.clone());
        left.merge(&second);
        left.merge(&third);
        right.merge(&second);
        right.merge(&first);
        for merged in [left, right] {
            prop_assert_eq!(merged.total(), (one.len() + two.len() + three.len()) as u64);
            prop_assert!(merged.error() <= merged.total() / (CATEGORIES as u64 + 1));
            for (word, count) in &truth {
                let held = merged.count(word);
                prop_assert!(held <= *count && held + merged.error() >= *count);
            }
        }
    }

    #[test]
    fn different_things_merge_exactly(one in proptest::collection::vec(any::<u16>(), 0..300), other in proptest::collection::vec(any::<u16>(), 0..300)) {
        let sketch = |things: &[u16]| {
            let mut sketch = Distinct::default();
            things.iter().for_each(|thing| sketch.add(&thing.to_le_bytes()));
            sketch
        };
        let mut merged = sketch(&one);
        merged.merge(&sketch(&other));
        prop_assert_eq!(merged, sketch(&[one, other].concat()));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use_everything(&bytes).unwrap();
        use_everything(&[&[1], bytes.as_slice()].concat()).unwrap();
    }

    #[test]
    fn damaged_sketches_never_panic(numbers in numbers(), words in words(), cut in any::<usize>(), place in any::<usize>(), byte in any::<u8>()) {
        let quantiles: Quantiles = numbers.iter().copied().collect();
        let moments: Moments = numbers.iter().copied().collect();
        let categories: Categories = words.iter().map(String::as_str).collect();
        let mut distinct = Distinct::default();
        words.iter().for_each(|word| distinct.add(word.as_bytes()));
        for bytes in [quantiles.to_bytes(), moments.to_bytes(), categories.to_bytes(), distinct.to_bytes()] {
            use_everything(&damaged(bytes, cut, place, byte)).unwrap();
        }
    }
}
