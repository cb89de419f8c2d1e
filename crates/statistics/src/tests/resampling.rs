use proptest::prelude::*;

use super::{close, five_percent, how_often};
use crate::resample::{Bootstrap, Method, mcnemar, mean, permutation, sign_flip};

/// The spatial test data of Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, table 14.1.
const SPATIAL: [f64; 26] = [
    48.0, 36.0, 20.0, 29.0, 42.0, 42.0, 20.0, 42.0, 22.0, 41.0, 45.0, 14.0, 6.0, 0.0, 33.0, 28.0, 34.0, 4.0, 32.0, 24.0, 47.0,
    41.0, 24.0, 26.0, 30.0, 41.0,
];

fn variance(numbers: &[f64]) -> f64 {
    let middle = mean(numbers);
    numbers.iter().map(|number| (number - middle).powi(2)).sum::<f64>() / numbers.len() as f64
}

#[test]
fn intervals_are_those_of_the_book() {
    // Table 14.2: 90 % intervals of the variance, percentile (100.8, 233.9) and BCa (115.8, 259.6), from 2,000
    // resamples, which leave about 2 of chance at either end.
    let bootstrap = Bootstrap { resamples: 40_000, level: 0.9, method: Method::Percentile, seed: 1 };
    let found = bootstrap.interval(&SPATIAL, variance).unwrap();
    close(found.estimate, 171.5, 0.05);
    close(found.low, 100.8, 4.0);
    close(found.high, 233.9, 4.0);
    let found = Bootstrap { method: Method::Corrected, ..bootstrap }.interval(&SPATIAL, variance).unwrap();
    close(found.low, 115.8, 4.0);
    close(found.high, 259.6, 5.0);
}

#[test]
fn the_same_seed_gives_the_same_interval() {
    let bootstrap = Bootstrap { seed: 7, ..Bootstrap::default() };
    assert_eq!(bootstrap.interval(&SPATIAL, mean), bootstrap.interval(&SPATIAL, mean));
    assert_ne!(bootstrap.interval(&SPATIAL, mean), Bootstrap { seed: 8, ..bootstrap }.interval(&SPATIAL, mean));
}

#[test]
fn there_is_no_interval_where_there_is_nothing_to_resample() {
    let bootstrap = Bootstrap::default();
    assert_eq!(bootstrap.interval(&[1.0], mean), None);
    assert_eq!(bootstrap.interval(&[1.0, f64::NAN], mean), None);
    assert_eq!(bootstrap.paired(&[1.0, 2.0], &[1.0]), None);
    assert_eq!(Bootstrap { resamples: 0, ..bootstrap }.interval(&SPATIAL, mean), None);
    let same = bootstrap.interval(&[3.0; 10], mean).unwrap();
    assert_eq!((same.low, same.high), (3.0, 3.0));
}

#[test]
fn paired_intervals_hold_about_as_often_as_they_say() {
    let bootstrap = Bootstrap { resamples: 400, ..Bootstrap::default() };
    let missed = how_often(500, |random| {
        // Cases differ much from one another, and little between before and after.
        let before: Vec<f64> = (0..60).map(|_| 10.0 * random.normal()).collect();
        let after: Vec<f64> = before.iter().map(|before| before + 0.5 + random.normal()).collect();
        !bootstrap.paired(&before, &after).unwrap().contains(0.5)
    });
    assert!(missed <= five_percent(500) + 0.02 && missed > 0.02, "{missed}");
}

#[test]
fn mcnemars_exact_test_is_twice_the_tail() {
    close(mcnemar(1, 9), 22.0 / 1_024.0, 1e-12);
    close(mcnemar(0, 6), 2.0 / 64.0, 1e-12);
    assert_eq!((mcnemar(0, 0), mcnemar(5, 5)), (1.0, 1.0));
}

#[test]
fn signs_of_darwins_maize_are_fishers_count() {
    // Fisher, "The Design of Experiments", section 21: 863 of 32,768 sums are as large, and as many as small.
    let heights = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
    close(sign_flip(&heights, 0, 0), 1_726.0 / 32_768.0, 1e-12);
    assert_eq!(sign_flip(&[], 0, 0), 1.0);
    // The same by draws: ten pairs of zeros change no sum.
    let padded = [heights.as_slice(), &[0.0; 10]].concat();
    close(sign_flip(&padded, 20_000, 3), 1_726.0 / 32_768.0, 0.006);
}

#[test]
fn permutations_keep_their_level_and_see_a_shift() {
    let p = |random: &mut crate::Random, shift: f64| {
        let one: Vec<f64> = (0..15).map(|_| random.uniform().powi(3)).collect();
        let other: Vec<f64> = (0..25).map(|_| random.uniform().powi(3) + shift).collect();
        permutation(&one, &other, 199, random.next_u64())
    };
    let alarms = how_often(600, |random| p(random, 0.0) <= 0.05);
    assert!(alarms <= five_percent(600) && alarms > 0.02, "{alarms}");
    assert!(how_often(100, |random| p(random, 0.5) <= 0.05) > 0.95);
    assert_eq!(permutation(&[], &[1.0], 10, 0), 1.0);
    // Three against three: of twenty divisions two are as far apart.
    close(permutation(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 20_000, 1), 0.1, 0.01);
}

proptest! {
    #[test]
    fn p_values_are_probabilities(numbers in proptest::collection::vec(-10.0..10.0_f64, 0..30), better in 0..300_u64, worse in 0..300_u64) {
        for p in [sign_flip(&numbers[..numbers.len().min(10)], 50, 1), permutation(&numbers, &[0.0, 1.0], 50, 1), mcnemar(better, worse)] {
            prop_assert!(p > 0.0 && p <= 1.0, "{p}");
        }
        let bootstrap = Bootstrap { resamples: 50, ..Bootstrap::default() };
        if let Some(found) = bootstrap.interval(&numbers, mean) {
            prop_assert!(found.low <= found.high);
        }
    }
}
