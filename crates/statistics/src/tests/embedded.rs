use proptest::prelude::*;

use super::{close, five_percent, how_often};
use crate::{
    Compared, Random,
    embedding::{ClusterShares, Clusters, Features, KernelMean, MeanDifference, compare_means, compare_shares},
};

const DIMENSIONS: usize = 6;

fn point(random: &mut Random, shift: f64) -> Vec<f32> {
    (0..DIMENSIONS).map(|_| (random.normal() + shift) as f32).collect()
}

fn features() -> Features {
    Features::new(DIMENSIONS, 32, 2.0, 5)
}

fn mean(features: &Features, random: &mut Random, count: u32, shift: f64) -> KernelMean {
    let mut mean = features.mean();
    (0..count).for_each(|unit| mean.add(features, &point(random, shift), &unit.to_le_bytes()).unwrap());
    mean
}

fn difference(one: &KernelMean, other: &KernelMean) -> MeanDifference {
    compare_means(one, other, 1).unwrap().measured().unwrap()
}

#[test]
fn the_inner_product_of_features_is_nearly_the_kernel() {
    let (features, mut random) = (Features::new(DIMENSIONS, 4_000, 2.0, 1), Random::new(2));
    for _ in 0..20 {
        let (one, other) = (point(&mut random, 0.0), point(&mut random, 0.3));
        let squared: f64 = one.iter().zip(&other).map(|(one, other)| f64::from(one - other).powi(2)).sum();
        let (first, second) = (features.of(&one).unwrap(), features.of(&other).unwrap());
        let product: f64 = first.iter().zip(&second).map(|(one, other)| one * other).sum();
        close(product, (-squared / 8.0).exp(), 0.06);
        close(first.iter().map(|wave| wave * wave).sum(), 1.0, 1e-9);
    }
}

#[test]
fn features_are_the_same_for_ever() {
    // Computed by another program: sketches on disk are compared with features that are made anew.
    let expected = [0.707_106_250, -0.000_866_968, 0.702_577_840, -0.079_902_306];
    let found = Features::new(3, 2, 1.5, 42).of(&[0.1, -0.2, 0.3]).unwrap();
    found.into_iter().zip(expected).for_each(|(found, expected)| close(found, expected, 1e-7));
    assert_ne!(Features::new(3, 2, 1.5, 43), Features::new(3, 2, 1.5, 42));
    let mut random = Random::new(42);
    let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
    assert_eq!(first, [15_021_278_609_987_233_951, 5_881_210_131_331_364_753, 18_149_643_915_985_481_100]);
}

#[test]
fn the_discrepancy_of_two_normals_is_its_closed_form() {
    let (features, mut random) = (Features::new(DIMENSIONS, 1_000, 2.0, 5), Random::new(6));
    let (one, other) = (mean(&features, &mut random, 6_000, 0.0), mean(&features, &mut random, 6_000, 0.5));
    // Between N(0, I) and N(m, I): 2 (s / (s + 2))^(d/2) (1 - exp(-|m|² / (2 (s + 2)))) with s the bandwidth squared.
    let (squared, dimensions) = (4.0_f64, DIMENSIONS as f64);
    let apart = 0.25 * dimensions;
    let expected = 2.0 * (squared / (squared + 2.0)).powf(dimensions / 2.0) * (1.0 - (-apart / (2.0 * (squared + 2.0))).exp());
    close(difference(&one, &other).mmd_squared, expected, 0.1 * expected);
    let same = difference(&one, &mean(&features, &mut random, 6_000, 0.0));
    close(same.mmd_squared, 0.0, 0.002);
    assert!(difference(&one, &other).p < 1e-6 && same.p > 0.01);
}

#[test]
fn periods_that_do_not_differ_raise_no_alarm_also_when_one_is_much_longer() {
    let features = features();
    for (one, other) in [(400, 400), (3_000, 150)] {
        let alarms = how_often(600, |random| {
            difference(&mean(&features, random, one, 0.0), &mean(&features, random, other, 0.0)).p < 0.05
        });
        assert!(alarms <= five_percent(600) && alarms > 0.01, "{alarms} for {one} and {other}");
    }
    let seen =
        how_often(100, |random| difference(&mean(&features, random, 3_000, 0.0), &mean(&features, random, 150, 0.35)).p < 0.05);
    assert!(seen > 0.9, "{seen}");
}

#[test]
fn many_texts_of_one_conversation_are_one_piece_of_news() {
    // 40 conversations of 25 texts, each about its own subject, in both periods alike.
    let features = features();
    let period = |random: &mut Random, by_conversation: bool| {
        let mut mean = features.mean();
        for conversation in 0..40_u32 {
            let subject = point(random, 0.0);
            for text in 0..25_u32 {
                let near: Vec<f32> = subject.iter().map(|number| number + 0.1 * random.normal() as f32).collect();
                let unit = if by_conversation { conversation } else { conversation * 25 + text };
                mean.add(&features, &near, &unit.to_le_bytes()).unwrap();
            }
        }
        mean
    };
    let alarms = |by_conversation| {
        how_often(200, |random| difference(&period(random, by_conversation), &period(random, by_conversation)).p < 0.05)
    };
    assert!(alarms(true) <= five_percent(200));
    assert!(alarms(false) > 0.3, "the test would prove nothing");
}

#[test]
fn means_of_other_features_are_not_compared_and_few_texts_are_too_few() {
    let (features, mut random) = (features(), Random::new(1));
    let other = Features::new(DIMENSIONS, 32, 2.0, 6);
    let mut own = mean(&features, &mut random, 20, 0.0);
    let foreign = other.mean();
    assert_eq!(own.merge(&foreign).unwrap_err().code(), "sketch-unlike");
    assert_eq!(own.add(&other, &[0.0; DIMENSIONS], b"").unwrap_err().code(), "sketch-unlike");
    assert!(compare_means(&own, &foreign, 1).is_err());
    assert_eq!(compare_means(&own, &features.mean(), 1), Ok(Compared::Missing { reference: 20, current: 0 }));
    assert_eq!(compare_means(&own, &own, 1), Ok(Compared::TooFew { reference: 20, current: 20, needed: 32 }));
    own.add(&features, &[0.0; DIMENSIONS + 1], b"").unwrap();
    own.add(&features, &[f32::NAN; DIMENSIONS], b"").unwrap();
    own.add(&features, &[f32::MAX; DIMENSIONS], b"").unwrap();
    assert_eq!((own.count(), own.unusable()), (21, 2));
}

#[test]
fn means_merge_and_lie_on_disk() {
    let (features, mut random) = (features(), Random::new(4));
    let mut whole = features.mean();
    let mut parts = [features.mean(), features.mean()];
    for unit in 0..300_u32 {
        let point = point(&mut random, 0.0);
        whole.add(&features, &point, &unit.to_le_bytes()).unwrap();
        parts[unit as usize % 2].add(&features, &point, &unit.to_le_bytes()).unwrap();
    }
    let [mut merged, other] = parts;
    merged.merge(&other).unwrap();
    let later = mean(&features, &mut random, 300, 0.5);
    let expected = difference(&whole, &later);
    close(difference(&merged, &later).mmd_squared, expected.mmd_squared, 1e-12);
    let stored = KernelMean::from_bytes(&merged.to_bytes()).unwrap();
    close(difference(&stored, &later).mmd_squared, expected.mmd_squared, 1e-6);
    close(difference(&stored, &later).p, expected.p, 1e-3);
    assert!(merged.to_bytes().len() < 16 * 64 * 4 + 100);
}

#[test]
fn the_median_distance_is_the_scale_of_the_sample() {
    let mut random = Random::new(3);
    let sample: Vec<Vec<f32>> = (0..300).map(|_| point(&mut random, 0.0)).collect();
    // The distance of two normals is the root of twice a chi-squared variable with 6 degrees, whose median is 5.348.
    close(Features::median_distance(&sample, 1).unwrap(), 10.696_f64.sqrt(), 0.2);
    assert_eq!(Features::median_distance(&[], 1), None);
    assert_eq!(Features::median_distance(&[vec![1.0], vec![1.0]], 1), None);
}

/// Four topics at the corners of a square.
fn topics(random: &mut Random, shares: [u32; 4], far: u32) -> Vec<Vec<f32>> {
    let corners = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (10.0, 10.0)];
    let mut at = |(x, y): (f64, f64), count: u32| -> Vec<Vec<f32>> {
        (0..count).map(|_| vec![(x + random.normal()) as f32, (y + random.normal()) as f32]).collect()
    };
    let mut points: Vec<Vec<f32>> = corners.into_iter().zip(shares).flat_map(|(corner, count)| at(corner, count)).collect();
    points.extend(at((40.0, 40.0), far));
    points
}

fn trained() -> (Clusters, [usize; 4]) {
    let points = topics(&mut Random::new(1), [500; 4], 0);
    let clusters = Clusters::train(&points, 4, 60, 9).unwrap();
    let at = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]].map(|corner| clusters.place(&corner).unwrap().cluster);
    (clusters, at)
}

fn shares(clusters: &Clusters, points: &[Vec<f32>]) -> ClusterShares {
    let mut shares = ClusterShares::new(clusters);
    points.iter().for_each(|point| shares.add(clusters, point).unwrap());
    shares
}

#[test]
fn topics_are_found_and_the_same_seed_finds_the_same() {
    let (clusters, at) = trained();
    for (index, corner) in [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]].into_iter().enumerate() {
        let place = clusters.place(&corner).unwrap();
        assert!(place.distance < 0.5 && !place.far, "{place:?}");
        assert!(!at[..index].contains(&place.cluster));
    }
    assert!(clusters.place(&[40.0, 40.0]).unwrap().far);
    assert_eq!(clusters.place(&[1.0]), None);
    assert_eq!(trained().0.mark(), clusters.mark());
    let read: Clusters = serde_json::from_str(&serde_json::to_string(&clusters).unwrap()).unwrap();
    assert_eq!(read.mark(), clusters.mark());
    let points = [vec![0.1, 0.0], vec![5.0, 0.1], vec![10.0, 0.0]];
    assert_eq!(clusters.examples(&points, 1)[at[0]], [0]);
}

#[test]
fn few_or_equal_points_make_few_clusters() {
    assert_eq!(Clusters::train(&[], 3, 5, 1), None);
    assert_eq!(Clusters::train(&[vec![1.0], vec![2.0]], 0, 5, 1), None);
    assert_eq!(Clusters::train(&[vec![f32::NAN]], 1, 5, 1), None);
    let same = vec![vec![1.0, 2.0]; 50];
    assert_eq!(Clusters::train(&same, 5, 5, 1).unwrap().centres(), [[1.0, 2.0]]);
    let two = Clusters::train(&[vec![0.0], vec![5.0], vec![5.0, 1.0]], 8, 5, 1).unwrap();
    assert_eq!(two.centres().len(), 2);
}

#[test]
fn the_topics_that_grew_are_named() {
    let (clusters, at) = trained();
    let mut random = Random::new(2);
    let before = shares(&clusters, &topics(&mut random, [500, 300, 100, 100], 0));
    let after = shares(&clusters, &topics(&mut random, [250, 150, 200, 50], 80));
    let report = compare_shares(&before, &after, 50, 0.95).unwrap().measured().unwrap();
    let grew: Vec<Option<usize>> =
        report.clusters.iter().filter(|cluster| cluster.grew()).map(|cluster| cluster.cluster).collect();
    assert_eq!(grew, [Some(at[2]), None]);
    let first = report.clusters[0];
    assert!(first.change.contains(200.0 / 730.0 - 0.1) && first.p_adjusted < 1e-6, "{first:?}");
    assert_eq!(report.clusters.last().unwrap().cluster, Some(at[0]));
    assert!(report.psi > 0.2);
}

#[test]
fn topics_that_stay_are_not_said_to_grow() {
    let (clusters, _) = trained();
    let said = how_often(300, |random| {
        let mut period = || {
            let mut counts = [0; 4];
            (0..600).for_each(|_| counts[random.below(4)] += 1);
            shares(&clusters, &topics(random, counts, 0))
        };
        let (before, after) = (period(), period());
        let report = compare_shares(&before, &after, 50, 0.95).unwrap().measured().unwrap();
        report.clusters.iter().any(|cluster| cluster.change.excludes_zero())
    });
    assert!(said <= five_percent(300), "{said}");
}

#[test]
fn shares_of_other_clusters_are_not_compared() {
    let (clusters, _) = trained();
    let other = Clusters::train(&topics(&mut Random::new(7), [50; 4], 0), 4, 5, 3).unwrap();
    let (mut own, foreign) = (ClusterShares::new(&clusters), ClusterShares::new(&other));
    assert_eq!(own.merge(&foreign).unwrap_err().code(), "sketch-unlike");
    assert!(compare_shares(&own, &foreign, 1, 0.95).is_err());
    own.add(&clusters, &[0.0, 0.0, 0.0]).unwrap();
    own.add(&clusters, &[0.0, 0.0]).unwrap();
    let copy = own.clone();
    own.merge(&copy).unwrap();
    assert_eq!((own.count(), own.unusable(), own.far()), (2, 2, 0));
    assert_eq!(ClusterShares::from_bytes(&own.to_bytes()), Ok(own.clone()));
    assert_eq!(compare_shares(&own, &own, 50, 0.95), Ok(Compared::TooFew { reference: 2, current: 2, needed: 50 }));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for bytes in [bytes.clone(), [&[1], bytes.as_slice()].concat()] {
            if let Ok(mut mean) = KernelMean::from_bytes(&bytes) {
                let copy = mean.clone();
                mean.merge(&copy).unwrap();
                let _ = compare_means(&mean, &copy, 0).unwrap();
            }
            if let Ok(mut shares) = ClusterShares::from_bytes(&bytes) {
                let copy = shares.clone();
                shares.merge(&copy).unwrap();
                let _ = compare_shares(&shares, &copy, 0, 0.95).unwrap();
            }
        }
    }

    #[test]
    fn damaged_means_never_panic(cut in any::<usize>(), place in any::<usize>(), byte in any::<u8>(), count in 0..60_u32) {
        let features = Features::new(DIMENSIONS, 4, 1.0, 1);
        let mut bytes = mean(&features, &mut Random::new(u64::from(count)), count, 0.0).to_bytes();
        bytes.truncate(bytes.len() - cut % 3);
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Ok(read) = KernelMean::from_bytes(&bytes) {
            let _ = compare_means(&read, &read, 0).unwrap();
        }
    }
}
