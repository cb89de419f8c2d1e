use proptest::prelude::*;

use super::{close, five_percent, how_often};
use crate::{
    Interval,
    multiplicity::{benjamini_hochberg, holm},
    rates::{fisher_exact, newcombe, two_proportions, wilson},
    slices::{Slice, SliceState, compare_slices},
};

#[track_caller]
fn check(found: Interval, low: f64, high: f64) {
    close(found.low, low, 5e-5);
    close(found.high, high, 5e-5);
}

#[test]
fn wilsons_interval_is_newcombes_table() {
    // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    for (hits, trials, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        check(wilson(hits, trials, 0.95).unwrap(), low, high);
    }
    assert_eq!((wilson(0, 0, 0.95), wilson(3, 2, 0.95)), (None, None));
    assert_eq!(wilson(20, 20, 0.95).unwrap().high, 1.0);
}

#[test]
fn newcombes_interval_is_his_table() {
    // Newcombe, "Interval estimation for the difference between independent proportions", 1998, table II, method 10.
    for (one, other, low, high) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ] {
        check(newcombe(one, other, 0.95), low, high);
    }
    assert_eq!(newcombe((0, 0), (1, 2), 0.95), Interval { estimate: 0.0, low: -1.0, high: 1.0 });
}

#[test]
fn fishers_tea_is_his_own_result() {
    // Four cups of eight, three recognised: 34 of 70 tables are as extreme.
    close(fisher_exact((3, 4), (1, 4)), 34.0 / 70.0, 1e-9);
    close(fisher_exact((4, 4), (0, 4)), 2.0 / 70.0, 1e-9);
    // Summed by hand: one of ten against eleven of fourteen.
    close(fisher_exact((1, 10), (11, 14)), 0.002_759_456, 1e-6);
    close(fisher_exact((0, 1_000_000), (3, 1_000_000)), 0.25, 1e-4);
    assert_eq!((fisher_exact((0, 5), (0, 5)), fisher_exact((5, 5), (5, 5))), (1.0, 1.0));
}

#[test]
fn two_rates_are_compared_by_the_test_that_fits() {
    close(two_proportions((60, 100), (40, 100)), 0.004_677_734_981_063_127, 1e-12);
    close(two_proportions((3, 4), (1, 4)), 34.0 / 70.0, 1e-9);
    assert_eq!((two_proportions((0, 0), (1, 2)), two_proportions((3, 2), (1, 2))), (1.0, 1.0));
}

/// The fifteen p-values of the myocardial infarction example in Benjamini and Hochberg, 1995.
const PUBLISHED: [f64; 15] =
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0];

#[test]
fn corrections_reject_what_the_paper_says() {
    let mut shuffled = PUBLISHED;
    shuffled.reverse();
    let rejected = |adjusted: Vec<f64>| adjusted.into_iter().filter(|p| *p <= 0.05).count();
    assert_eq!((rejected(holm(&PUBLISHED)), rejected(benjamini_hochberg(&PUBLISHED))), (3, 4));
    assert_eq!((rejected(holm(&shuffled)), rejected(benjamini_hochberg(&shuffled))), (3, 4));
    let found = holm(&[0.01, 0.04, 0.03]);
    found.iter().zip([0.03, 0.06, 0.06]).for_each(|(found, expected)| close(*found, expected, 1e-12));
    let found = benjamini_hochberg(&[0.01, 0.04, 0.03]);
    found.iter().zip([0.03, 0.04, 0.04]).for_each(|(found, expected)| close(*found, expected, 1e-12));
    assert!(holm(&[]).is_empty());
}

fn slice(name: &str, hits: u64, trials: u64) -> Slice {
    Slice { name: name.to_owned(), hits, trials }
}

#[test]
fn a_slice_that_is_worse_is_named_and_one_without_data_is_not_said_to_be_well() {
    let slices =
        vec![slice("de", 20, 1_000), slice("en", 22, 1_000), slice("pl", 90, 1_000), slice("eo", 1, 3), slice("la", 0, 0)];
    let report = compare_slices(slices, 50, 0.95);
    let differing: Vec<&str> = report.differing().map(|finding| finding.slice.name.as_str()).collect();
    // What is left without the bad slice is better than the rest, which says the same.
    assert_eq!(differing, ["de", "en", "pl"]);
    let SliceState::Measured { rate, against_rest, p, p_adjusted } = report.slices[2].state else { panic!("not measured") };
    assert!(rate.contains(0.09) && against_rest.low > 0.04 && p < 1e-10 && (p_adjusted - 3.0 * p).abs() < 1e-15);
    assert_eq!(report.slices[3].state, SliceState::TooFew { needed: 50 });
    assert_eq!(report.slices[4].state, SliceState::Missing);
    close(report.lowest_to_highest.unwrap(), 20.0 / 90.0, 1e-12);
    close(report.overall.unwrap().estimate, 133.0 / 3_003.0, 1e-12);
    let written = serde_json::to_value(&report.slices[4]).unwrap();
    assert_eq!(written, serde_json::json!({ "slice": { "name": "la", "hits": 0, "trials": 0 }, "state": "missing" }));
}

#[test]
fn one_slice_alone_has_nothing_to_differ_from() {
    let report = compare_slices(vec![slice("all", 5, 100)], 10, 0.95);
    assert_eq!((report.slices[0].state.clone(), report.lowest_to_highest), (SliceState::TooFew { needed: 10 }, None));
    assert_eq!(compare_slices(Vec::new(), 10, 0.95).overall, None);
}

#[test]
fn twelve_equal_slices_raise_one_false_alarm_in_twenty_reports() {
    let alarms = how_often(600, |random| {
        let slices = (0..12).map(|index| {
            let hits = (0..200).filter(|_| random.happens(0.2)).count() as u64;
            slice(&index.to_string(), hits, 200)
        });
        compare_slices(slices.collect(), 50, 0.95).differing().next().is_some()
    });
    assert!(alarms <= five_percent(600) && alarms > 0.01, "{alarms}");
}

#[test]
fn intervals_hold_as_often_as_they_say() {
    let missed = how_often(2_000, |random| {
        let hits = |random: &mut crate::Random, rate| (0..80).filter(|_| random.happens(rate)).count() as u64;
        let (one, other) = (hits(random, 0.3), hits(random, 0.15));
        !newcombe((one, 80), (other, 80), 0.95).contains(0.15)
    });
    assert!(missed <= five_percent(2_000) && missed > 0.03, "{missed}");
}

proptest! {
    #[test]
    fn intervals_hold_their_estimates(hits in 0..1_000_u64, more in 0..1_000_u64, other in 0..500_u64, level in 0.0..1.0_f64) {
        let trials = hits + more;
        if let Some(found) = wilson(hits, trials, level) {
            prop_assert!(0.0 <= found.low && found.low <= found.estimate + 1e-12);
            prop_assert!(found.estimate <= found.high + 1e-12 && found.high <= 1.0);
        }
        let found = newcombe((hits, trials), (other, 500), level);
        prop_assert!(found.low <= found.estimate + 1e-12 && found.estimate <= found.high + 1e-12);
        let p = two_proportions((hits, trials), (other, 500));
        prop_assert!((0.0..=1.0).contains(&p), "{p}");
    }

    #[test]
    fn corrections_only_raise_and_keep_the_order(p_values in proptest::collection::vec(0.0..=1.0_f64, 0..40)) {
        for adjusted in [holm(&p_values), benjamini_hochberg(&p_values)] {
            prop_assert_eq!(adjusted.len(), p_values.len());
            for (one, raised) in p_values.iter().zip(&adjusted) {
                prop_assert!(one <= raised && *raised <= 1.0);
                for (other, also) in p_values.iter().zip(&adjusted) {
                    prop_assert!(one > other || raised <= also);
                }
            }
        }
    }
}
