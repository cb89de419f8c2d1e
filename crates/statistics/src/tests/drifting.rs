use proptest::prelude::*;

use super::{close, five_percent, how_often};
use crate::{
    Categories, Compared, Quantiles, Random,
    drift::{
        NumericDrift, compare_categories, compare_numbers, compare_ranges, jensen_shannon, kolmogorov_smirnov_p, psi,
        psi_by_chance,
    },
    special::normal_cdf,
};

fn normals(random: &mut Random, count: usize, mean: f64) -> Vec<f64> {
    (0..count).map(|_| mean + random.normal()).collect()
}

fn sketch(numbers: &[f64]) -> Quantiles {
    numbers.iter().copied().collect()
}

fn measured(one: &[f64], other: &[f64]) -> NumericDrift {
    compare_numbers(&sketch(one), &sketch(other), 1).measured().unwrap()
}

#[test]
fn indices_are_their_closed_forms() {
    let bins = [(500_000, 900_000), (500_000, 100_000)];
    close(psi(&bins), 0.4 * 1.8_f64.ln() - 0.4 * 0.2_f64.ln(), 1e-5);
    close(jensen_shannon(&[(7, 70), (3, 30)]), 0.0, 1e-15);
    close(jensen_shannon(&[(7, 0), (0, 30)]), 1.0, 1e-15);
    // One share of (1, 0), the other of (1/2, 1/2): 3/4 log2(4/3) by hand.
    close(jensen_shannon(&[(8, 5), (0, 5)]), 0.75 * (4.0_f64 / 3.0).log2(), 1e-12);
    assert_eq!((psi(&[]), psi(&[(0, 0)]), jensen_shannon(&[(0, 0)])), (0.0, 0.0, 0.0));
    assert!(psi(&[(100, 0), (0, 100)]).is_finite());
}

#[test]
fn ranges_say_where_numbers_went() {
    let (one, other): (Vec<f64>, Vec<f64>) =
        ((1..=100).map(f64::from).collect(), (1..=60).chain(1_001..=1_040).map(f64::from).collect());
    let ranges = compare_ranges(&sketch(&one), &sketch(&other));
    let most = ranges.iter().max_by(|one, other| (one.after - one.before).total_cmp(&(other.after - other.before))).unwrap();
    assert_eq!((most.before, most.after), (0.0, 0.4), "nobody has seen such numbers before");
    assert!((950.0..1_100.0).contains(&most.from) && (most.from..1_100.0).contains(&most.to), "{most:?}");
    let sum = ranges.iter().fold((0.0, 0.0), |sum, range| (sum.0 + range.before, sum.1 + range.after));
    close(sum.0, 1.0, 1e-9);
    close(sum.1, 1.0, 1e-9);
    assert!(ranges.windows(2).all(|two| two[0].to < two[1].from), "{ranges:?}");
    assert!(compare_ranges(&sketch(&[]), &sketch(&[])).is_empty());
}

#[test]
fn missing_and_too_few_are_not_no_drift() {
    let (none, few, many) = (sketch(&[]), sketch(&[1.0; 9]), sketch(&[1.0; 100]));
    assert_eq!(compare_numbers(&many, &none, 10), Compared::Missing { reference: 100, current: 0 });
    assert_eq!(compare_numbers(&few, &many, 10), Compared::TooFew { reference: 9, current: 100, needed: 10 });
    let same = compare_numbers(&many, &many, 10).measured().unwrap();
    assert_eq!((same.psi, same.ks, same.ks_p, same.moved, same.moved_relative), (0.0, 0.0, 1.0, 0.0, None));
    let none = Categories::default();
    assert_eq!(compare_categories(&none, &none, 0), Compared::Missing { reference: 0, current: 0 });
    let written = serde_json::to_value(compare_categories(&none, &none, 0)).unwrap();
    assert_eq!(written, serde_json::json!({ "state": "missing", "reference": 0, "current": 0 }));
}

#[test]
fn a_moved_distribution_is_as_far_as_the_closed_form_says() {
    let mut random = Random::new(3);
    let found = measured(&normals(&mut random, 40_000, 10.0), &normals(&mut random, 40_000, 11.0));
    close(found.ks, 2.0 * normal_cdf(0.5) - 1.0, 0.03);
    close(found.moved, 1.0, 0.05);
    close(found.moved_relative.unwrap(), 1.0 / 2.563, 0.03);
    // Kullback and Leibler's divergence both ways between normals one apart is 1; ten bins see most of it.
    assert!(found.psi > 0.85 && found.psi < 1.0, "{}", found.psi);
    assert!(found.ks_p < 1e-100);

    let wide: Vec<f64> = (0..20_000).map(|_| 2.0 * random.uniform()).collect();
    let narrow: Vec<f64> = (0..20_000).map(|_| random.uniform()).collect();
    let found = measured(&narrow, &wide);
    close(found.ks, 0.5, 0.02);
    close(found.moved, 0.5, 0.02);
}

#[test]
fn numbers_at_the_ends_of_the_range_give_finite_figures() {
    let (low, high) = (vec![-f64::MAX; 40], vec![f64::MAX; 40]);
    for (one, other) in [(&low, &high), (&high, &low), (&high, &high), (&vec![1e-11; 40], &high)] {
        let found = measured(one, other);
        let figures = [found.psi, found.ks, found.ks_p, found.moved, found.jensen_shannon, found.moved_relative.unwrap_or(0.0)];
        assert!(figures.into_iter().all(f64::is_finite), "{found:?}");
    }
}

#[test]
fn numbers_nobody_has_seen_before_are_a_bin_of_their_own() {
    let usual: Vec<f64> = (0..1_000).map(|index| 1.0 + f64::from(index) / 1_000.0).collect();
    let outage: Vec<f64> = usual.iter().map(|number| if *number > 1.9 { 60.0 } else { *number }).collect();
    assert!(measured(&usual, &outage).psi > 0.2);
}

#[test]
fn the_distance_test_keeps_its_level_and_sees_a_shift() {
    let p = |random: &mut Random, shift| measured(&normals(random, 200, 0.0), &normals(random, 300, shift)).ks_p;
    let false_alarms = how_often(1_000, |random| p(random, 0.0) < 0.05);
    assert!(false_alarms <= five_percent(1_000) && false_alarms > 0.015, "{false_alarms}");
    assert!(how_often(200, |random| p(random, 0.5) < 0.05) > 0.95);
}

#[test]
fn psi_stays_below_its_chance_value_in_nineteen_of_twenty_comparisons() {
    let above = how_often(1_000, |random| {
        let found = measured(&normals(random, 1_000, 0.0), &normals(random, 500, 0.0));
        found.psi > found.psi_by_chance
    });
    assert!(above <= five_percent(1_000) && above > 0.01, "{above}");
    close(psi_by_chance(10, 1_000, 500, 0.05), 16.919 * 0.003, 1e-4);
}

#[test]
fn the_distance_tests_p_is_the_tables() {
    // Smirnov's table: at 5 % the critical distance of large samples is 1.358 times the root of (n + m) / (n m).
    close(kolmogorov_smirnov_p(1.358 * (2.0_f64 / 20_000.0).sqrt(), 20_000, 20_000), 0.05, 5e-4);
    assert_eq!((kolmogorov_smirnov_p(1.0, 0, 5), kolmogorov_smirnov_p(0.0, 5, 5)), (1.0, 1.0));
}

fn draw(random: &mut Random, count: usize, shares: &[(&str, f64)]) -> Categories {
    let pick = |mut left: f64| {
        let found = shares.iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        found.or(shares.last()).unwrap().0
    };
    (0..count).map(|_| pick(random.uniform())).collect()
}

const USUAL: [(&str, f64); 5] = [("en", 0.6), ("de", 0.25), ("fr", 0.1), ("it", 0.045), ("eo", 0.005)];

#[test]
fn chi_squared_is_the_textbooks() {
    // Two by two: 60 of 100 against 40 of 100, without a continuity correction: 8.
    let counts = |yes, no| {
        let mut counts = Categories::default();
        counts.add_many("yes", yes);
        counts.add_many("no", no);
        counts
    };
    let found = compare_categories(&counts(60, 40), &counts(40, 60), 1).measured().unwrap();
    close(found.chi_squared, 8.0, 1e-12);
    close(found.p, 0.004_677_734_981_063_127, 1e-12);
    assert_eq!((found.degrees, found.movers.len(), found.unseen), (1, 2, 0.0));
    let found = compare_categories(&counts(5, 0), &counts(7, 0), 1).measured().unwrap();
    assert_eq!((found.degrees, found.p), (0, 1.0));
}

#[test]
fn shares_that_stay_raise_no_alarm_and_rare_categories_do_not_change_that() {
    let alarms = how_often(1_000, |random| {
        let (one, other) = (draw(random, 400, &USUAL), draw(random, 250, &USUAL));
        compare_categories(&one, &other, 50).measured().unwrap().p < 0.05
    });
    assert!(alarms <= five_percent(1_000) && alarms > 0.02, "{alarms}");
}

#[test]
fn a_language_that_grows_is_named_with_its_interval() {
    let mut random = Random::new(11);
    let now = [("en", 0.5), ("de", 0.2), ("fr", 0.1), ("it", 0.05), ("pl", 0.15)];
    let found = compare_categories(&draw(&mut random, 5_000, &USUAL), &draw(&mut random, 2_000, &now), 50).measured().unwrap();
    assert_eq!(found.movers[0].category, "pl");
    assert!(found.movers[0].change.low > 0.1 && found.movers[0].change.contains(0.15));
    close(found.unseen, 0.15, 0.03);
    assert!(found.p < 1e-20 && found.psi > 0.2);
}

#[test]
fn what_a_sketch_cannot_tell_is_not_taken_for_drift() {
    // Thousands of different words, each period through a sketch that has to leave most out.
    let alarms = how_often(200, |random| {
        let mut period = |count: usize| {
            let mut words = Categories::default();
            (0..count).for_each(|_| words.add(&format!("{}", 8_000_f64.powf(random.uniform()) as u64)));
            words
        };
        let (one, other) = (period(12_000), period(3_000));
        assert!(one.error() > 0);
        compare_categories(&one, &other, 50).measured().unwrap().p < 0.05
    });
    assert!(alarms <= five_percent(200), "{alarms}");
}

/// The two-sample distance from the numbers themselves.
fn exact_distance(one: &[f64], other: &[f64]) -> f64 {
    let up_to =
        |numbers: &[f64], bound: f64| numbers.iter().filter(|number| **number <= bound).count() as f64 / numbers.len() as f64;
    one.iter().chain(other).map(|bound| (up_to(one, *bound) - up_to(other, *bound)).abs()).fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn a_distance_from_sketches_is_never_above_the_true_one(
        one in proptest::collection::vec(-50.0..50.0_f64, 1..80),
        other in proptest::collection::vec(-60.0..40.0_f64, 1..80),
    ) {
        let found = measured(&one, &other);
        prop_assert!(found.ks <= exact_distance(&one, &other) + 1e-12);
        prop_assert!((0.0..=1.0).contains(&found.jensen_shannon) && found.psi >= 0.0 && (0.0..=1.0).contains(&found.ks_p));
        prop_assert!(found.moved.is_finite() && found.moved_relative.is_none_or(f64::is_finite));
        let back = measured(&other, &one);
        prop_assert!((found.ks - back.ks).abs() < 1e-12 && (found.moved - back.moved).abs() < 1e-9);
    }
}
