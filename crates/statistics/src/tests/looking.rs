//! Levels of tests that are looked at a thousand times, by simulation, each beside what a test for one look does.

use super::{close, five_percent, how_often};
use crate::{
    Moments, Random,
    burn::{Burn, RECOMMENDED, burn_limit, burn_rate},
    rates::wilson,
    sequential::{BoundedMean, MeanBet, RateDetector, RateEvidence, RateSequence, always_valid_difference, p_value, refutes},
    special::normal_tail,
};

const LOOKS: usize = 1_000;
const ALPHA: f64 = 0.05;

/// In what share of runs something is found at any of a thousand looks.
fn ever(runs: u64, start: impl Fn() -> Box<dyn FnMut(&mut Random) -> bool>) -> f64 {
    how_often(runs, |random| {
        let mut look = start();
        (0..LOOKS).any(|_| look(random))
    })
}

#[test]
fn an_interval_of_a_rate_holds_at_a_thousand_looks_where_one_for_a_single_look_does_not() {
    let misses = ever(1_000, || {
        let mut sequence = RateSequence::default();
        Box::new(move |random: &mut Random| {
            let hit = u64::from(random.happens(0.1));
            sequence.add(hit, 1 - hit);
            refutes(sequence.log_evidence_against(0.1), ALPHA)
        })
    });
    assert!(misses <= five_percent(1_000), "{misses}");
    let naive = ever(300, || {
        let (mut hits, mut trials) = (0, 0);
        Box::new(move |random: &mut Random| {
            hits += u64::from(random.happens(0.1));
            trials += 1;
            trials > 30 && !wilson(hits, trials, 0.95).unwrap().contains(0.1)
        })
    });
    assert!(naive > 0.2, "{naive}: the test would prove nothing");
}

#[test]
fn the_interval_is_what_the_evidence_does_not_refute_and_it_narrows() {
    let mut sequence = RateSequence::default();
    assert_eq!((sequence.interval(0.95).low, sequence.interval(0.95).high), (0.0, 1.0));
    let mut width = 1.0;
    for _ in 0..6 {
        sequence.add(sequence.hits() + 3, (sequence.trials() - sequence.hits()) * 2 + 21);
        let found = sequence.interval(0.95);
        let evidence = |rate| sequence.log_evidence_against(rate) - (1.0 / ALPHA).ln();
        close(evidence(found.low), 0.0, 1e-6);
        close(evidence(found.high), 0.0, 1e-6);
        assert!(found.contains(found.estimate) && found.high - found.low < width);
        width = found.high - found.low;
    }
    let mut never = RateSequence::default();
    never.add(0, 100);
    let found = never.interval(0.95);
    assert!(found.low == 0.0 && found.high > 0.03 && found.high < 0.1, "{found:?}");
}

#[test]
fn a_rate_at_its_threshold_is_found_above_it_in_one_of_twenty_runs_at_most() {
    let runs = |rate: f64, count: u64| {
        ever(count, move || {
            let mut evidence = RateEvidence::new(0.05).unwrap();
            Box::new(move |random: &mut Random| {
                let hit = u64::from(random.happens(rate));
                evidence.add(hit, 1 - hit);
                refutes(evidence.highest(), ALPHA)
            })
        })
    };
    assert!(runs(0.05, 1_000) <= five_percent(1_000));
    assert!(runs(0.03, 300) <= 0.03);
    assert!(runs(0.10, 300) > 0.95);
}

#[test]
fn evidence_for_a_rate_is_its_integral() {
    let mut evidence = RateEvidence::new(0.2).unwrap();
    close(evidence.log_evidence(), 0.0, 1e-12);
    evidence.add(7, 8);
    // The mixture of likelihood ratios by the midpoint rule over the angle in which Beta(1/2, 1/2) is uniform.
    let start = 0.2_f64.sqrt().asin();
    let (steps, width) = (20_000, std::f64::consts::FRAC_PI_2 - start);
    let ratio = |step: i32| {
        let rate = (start + width * (f64::from(step) + 0.5) / f64::from(steps)).sin().powi(2);
        (rate / 0.2).powi(7) * ((1.0 - rate) / 0.8).powi(8)
    };
    let mean = (0..steps).map(ratio).sum::<f64>() / f64::from(steps);
    close(evidence.log_evidence(), mean.ln(), 1e-6);
    assert!(RateEvidence::new(0.0).is_none() && RateEvidence::new(1.0).is_none() && RateEvidence::new(f64::NAN).is_none());
}

#[test]
fn a_large_rate_of_health_leaves_no_evidence_and_no_number_overflows() {
    let mut evidence = RateEvidence::new(0.01).unwrap();
    evidence.add(1_000, 10_000_000);
    // Only rates just above the threshold are left; the integral over them is the density there over the slope.
    let density = 1.0 / (std::f64::consts::PI * (0.01_f64 * 0.99).sqrt());
    let mass = 1.0 - std::f64::consts::FRAC_2_PI * 0.1_f64.asin();
    let slope = 1e7 / 0.99 - 1e3 / 0.01;
    close(evidence.log_evidence(), (density / mass / slope).ln(), 1e-3);
    assert_eq!(evidence.highest(), 0.0);
    evidence.add(10_000_000, 0);
    assert!(evidence.log_evidence() > 1e6 && evidence.log_evidence().is_finite());
    assert_eq!(p_value(evidence.log_evidence()), 0.0);
    assert_eq!(p_value(-3.0), 1.0);
}

/// Between 0 and 1, skewed, with a mean of 1/3.
fn skewed(random: &mut Random) -> f64 {
    random.uniform().powi(2)
}

#[test]
fn an_interval_of_a_bounded_mean_holds_at_a_thousand_looks() {
    let misses = ever(1_000, || {
        let mut mean = BoundedMean::new(0.95);
        Box::new(move |random: &mut Random| {
            mean.add(skewed(random));
            !mean.interval().contains(1.0 / 3.0)
        })
    });
    assert!(misses <= five_percent(1_000), "{misses}");
}

#[test]
fn a_bounded_mean_is_narrow_where_numbers_vary_little() {
    let mut random = Random::new(1);
    let (mut still, mut wild) = (BoundedMean::new(0.95), BoundedMean::new(0.95));
    for _ in 0..5_000 {
        still.add(0.5 + 0.02 * (random.uniform() - 0.5));
        wild.add(f64::from(u8::from(random.happens(0.5))));
    }
    let width = |mean: &BoundedMean| mean.interval().high - mean.interval().low;
    assert!(width(&still) < 0.01 && width(&wild) > 0.04 && width(&wild) < 0.15, "{} {}", width(&still), width(&wild));
    close(still.interval().estimate, 0.5, 0.001);
    still.add(f64::NAN);
    assert_eq!((still.count(), BoundedMean::new(0.9).interval().estimate), (5_000, 0.5));
}

#[test]
fn bets_on_a_mean_are_not_won_unless_it_is_above() {
    let runs = |threshold: f64, count: u64| {
        ever(count, move || {
            let mut bet = MeanBet::new(threshold).unwrap();
            Box::new(move |random: &mut Random| {
                bet.add(skewed(random));
                refutes(bet.highest(), ALPHA)
            })
        })
    };
    assert!(runs(1.0 / 3.0, 1_000) <= five_percent(1_000));
    assert!(runs(0.4, 300) <= 0.03);
    assert!(runs(0.25, 300) > 0.95);
    assert!(MeanBet::new(0.0).is_none() && MeanBet::new(1.0).is_none());
    let mut bet = MeanBet::new(0.001).unwrap();
    (0..100).for_each(|_| bet.add(-5.0));
    assert!(bet.log_evidence().is_finite() && bet.highest() == 0.0 && bet.count() == 100);
}

fn streams(apart: f64, found: fn(&Moments, &Moments) -> bool) -> Box<dyn FnMut(&mut Random) -> bool> {
    let (mut one, mut other) = (Moments::default(), Moments::default());
    Box::new(move |random: &mut Random| {
        one.add(random.normal() + apart);
        other.add(2.0 * random.normal());
        one.count() >= 100 && found(&one, &other)
    })
}

#[test]
fn a_difference_that_is_none_is_found_in_one_of_twenty_runs_at_most_where_a_t_test_finds_many() {
    let always_valid =
        |one: &Moments, other: &Moments| refutes(always_valid_difference(one, other, 0.3, 0.95).unwrap().log_evidence, ALPHA);
    let naive = |one: &Moments, other: &Moments| {
        let error = (one.error_squared().unwrap() + other.error_squared().unwrap()).sqrt();
        2.0 * normal_tail(((one.mean().unwrap() - other.mean().unwrap()) / error).abs()) < ALPHA
    };
    let alarms = ever(1_000, || streams(0.0, always_valid));
    assert!(alarms <= five_percent(1_000), "{alarms}");
    assert!(ever(300, || streams(0.0, naive)) > 0.15, "the test would prove nothing");
    assert!(ever(200, || streams(0.5, always_valid)) > 0.95);
}

#[test]
fn the_interval_of_a_difference_holds_at_a_thousand_looks_and_agrees_with_the_evidence() {
    let misses = ever(600, || {
        streams(0.4, |one, other| !always_valid_difference(one, other, 0.3, 0.95).unwrap().difference.contains(0.4))
    });
    assert!(misses <= five_percent(600), "{misses}");
    let disagreements = ever(50, || {
        streams(0.1, |one, other| {
            let found = always_valid_difference(one, other, 0.3, 0.95).unwrap();
            refutes(found.log_evidence, ALPHA) != found.difference.excludes_zero()
        })
    });
    close(disagreements, 0.0, 0.0);
}

#[test]
fn a_mixture_over_normal_differences_is_its_closed_form() {
    // With a mixture as wide as the error, the evidence for an estimate of z errors is sqrt(1/2) exp(z² / 4).
    let stream = |mean: f64| -> Moments { [mean - 1.0, mean + 1.0].into_iter().cycle().take(2).collect() };
    let (one, other) = (stream(3.0), stream(0.0));
    close(one.error_squared().unwrap(), 1.0, 1e-12);
    let found = always_valid_difference(&one, &other, 2.0_f64.sqrt(), 0.95).unwrap();
    close(found.log_evidence, 0.5 * 0.5_f64.ln() + 9.0 / 8.0, 1e-12);
    close(found.p, (2.0_f64.sqrt() * (-9.0_f64 / 8.0).exp()).min(1.0), 1e-12);
    assert!(always_valid_difference(&Moments::default(), &other, 1.0, 0.95).is_none());
    assert!(always_valid_difference(&one, &other, 0.0, 0.95).is_none());
    let still: Moments = [1.0; 5].into_iter().collect();
    assert!(always_valid_difference(&still, &still, 1.0, 0.95).is_none());
}

/// How many looks of 20 trials it takes until there is an alarm, at most `most`.
fn until_alarm(random: &mut Random, mut detector: RateDetector, rate: f64, bar: f64, most: u64) -> u64 {
    for look in 1..=most {
        let hits = (0..20).filter(|_| random.happens(rate)).count() as u64;
        detector.add(hits, 20 - hits);
        if detector.alarms(bar) {
            return look;
        }
    }
    most
}

#[test]
fn false_alarms_of_the_detector_are_as_rare_as_promised() {
    let runs = (0..300).map(|run| until_alarm(&mut Random::new(run), RateDetector::new(0.05).unwrap(), 0.05, 500.0, 10_000));
    let mean = runs.sum::<u64>() as f64 / 300.0;
    assert!(mean >= 500.0, "{mean}");
}

#[test]
fn a_long_time_of_health_does_not_delay_the_alarm() {
    let mut random = Random::new(5);
    let (mut fresh, mut old) = (0, 0);
    for _ in 0..50 {
        let mut detector = RateDetector::new(0.05).unwrap();
        fresh += until_alarm(&mut random, detector, 0.15, 100_000.0, 1_000);
        (0..5_000).for_each(|_| detector.add(0, 20));
        assert!(!detector.alarms(2.0) && detector.looks() == 5_000);
        old += until_alarm(&mut random, detector, 0.15, 100_000.0, 1_000);
    }
    assert!(fresh / 50 < 15 && old / 50 < 17, "{fresh} {old}");
    close(RateDetector::new(0.05).unwrap().log_evidence(), 0.0, 1e-15);
    assert!(RateDetector::new(1.5).is_none());
}

#[test]
fn burn_rates_are_the_workbooks() {
    close(burn_limit(0.02, 1.0, 720.0), 14.4, 1e-12);
    close(burn_limit(0.05, 6.0, 720.0), 6.0, 1e-12);
    close(burn_limit(0.10, 72.0, 720.0), 1.0, 1e-12);
    close(burn_rate(1, 100, 0.999).unwrap(), 10.0, 1e-9);
    assert_eq!((burn_rate(0, 0, 0.99), burn_rate(1, 2, 1.0)), (None, None));
    let [fast, ..] = RECOMMENDED;
    let steady = |_| (2, 100);
    assert_eq!(fast.check(0.999, steady), Burn::Over);
    // It was bad and is over: the short window is well again.
    assert_eq!(fast.check(0.999, |window| if window < 1.0 { (0, 100) } else { (2, 100) }), Burn::Within);
    assert_eq!(fast.check(0.999, |window| if window < 1.0 { (0, 0) } else { (2, 100) }), Burn::Missing);
    close(fast.rate(0.999, |window| if window < 1.0 { (4, 100) } else { (2, 100) }).unwrap(), 20.0, 1e-9);
    close(fast.rate(0.999, |window| if window < 1.0 { (1, 100) } else { (2, 100) }).unwrap(), 10.0, 1e-9);
    assert_eq!(fast.rate(0.999, |window| if window < 1.0 { (0, 0) } else { (2, 100) }), None);
}
