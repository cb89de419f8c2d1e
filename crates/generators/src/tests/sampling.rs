use mainspring_llm::chat::Sampling;
use proptest::prelude::*;

use crate::sampler::{Sampler, log_probabilities};

fn pick(sampling: &Sampling, logits: &[f32], seed: u64) -> Option<i32> {
    let mut sampler = Sampler::new(sampling.clone(), seed);
    let mut candidates = sampler.candidates(logits);
    sampler.pick(&mut candidates)
}

fn histogram(sampling: &Sampling, logits: &[f32], rounds: usize) -> Vec<f64> {
    let mut sampler = Sampler::new(sampling.clone(), 42);
    let mut counts = vec![0.0; logits.len()];
    for _ in 0..rounds {
        let mut candidates = sampler.candidates(logits);
        counts[sampler.pick(&mut candidates).unwrap() as usize] += 1.0 / rounds as f64;
    }
    counts
}

#[test]
fn temperature_zero_takes_the_likeliest_whatever_the_seed() {
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    for seed in 0..20 {
        assert_eq!(pick(&sampling, &[0.1, 0.3, 0.2], seed), Some(1));
    }
    // Of equals, the first.
    assert_eq!(pick(&sampling, &[0.3, 0.3], 1), Some(0));
}

#[test]
fn frequencies_follow_the_probabilities() {
    let logits = [2.0_f32.ln(), 3.0_f32.ln(), 5.0_f32.ln()];
    let seen = histogram(&Sampling::default(), &logits, 20_000);
    for (seen, want) in seen.iter().zip([0.2, 0.3, 0.5]) {
        assert!((seen - want).abs() < 0.02, "{seen} for {want}");
    }
    // At temperature 0.5 probabilities are squared.
    let seen = histogram(&Sampling { temperature: 0.5, ..Sampling::default() }, &logits, 20_000);
    for (seen, want) in seen.iter().zip([4.0 / 38.0, 9.0 / 38.0, 25.0 / 38.0]) {
        assert!((seen - want).abs() < 0.02, "{seen} for {want}");
    }
}

#[test]
fn top_k_and_top_p_leave_the_rest_out() {
    let logits = [2.0_f32.ln(), 3.0_f32.ln(), 5.0_f32.ln()];
    let seen = histogram(&Sampling { top_k: Some(2), ..Sampling::default() }, &logits, 5_000);
    assert!(seen[0] == 0.0 && seen[1] > 0.3 && seen[2] > 0.5, "{seen:?}");
    let seen = histogram(&Sampling { top_p: 0.5, ..Sampling::default() }, &logits, 500);
    assert!(seen[..2] == [0.0, 0.0] && seen[2] > 0.99, "{seen:?}");
    let seen = histogram(&Sampling { top_p: 0.51, ..Sampling::default() }, &logits, 5_000);
    assert!(seen[0] == 0.0 && seen[1] > 0.3, "{seen:?}");
    // A nucleus wider than the first guess at it.
    let flat = vec![0.0; 5_000];
    let seen = histogram(&Sampling { top_p: 0.9, ..Sampling::default() }, &flat, 3_000);
    assert!(seen.iter().filter(|share| **share > 0.0).count() > 1_500);
    assert_eq!(seen[4_600..].iter().sum::<f64>(), 0.0);
}

#[test]
fn penalties_count_what_was_said() {
    let sampling = Sampling { temperature: 0.0, presence_penalty: 0.4, frequency_penalty: 0.1, ..Sampling::default() };
    let mut sampler = Sampler::new(sampling, 0);
    let logits = [1.0, 0.55, 0.0];
    let mut said = Vec::new();
    for _ in 0..4 {
        let mut candidates = sampler.candidates(&logits);
        let token = sampler.pick(&mut candidates).unwrap();
        sampler.accept(token);
        said.push(token);
    }
    // 1.0 falls to .5 and .55 rises above it; then .05 stays below .5 - .1, and so on.
    assert_eq!(said, [0, 1, 0, 0]);
}

#[test]
fn log_probabilities_are_of_the_whole_vocabulary() {
    let logits = [2.0_f32.ln(), 3.0_f32.ln(), 5.0_f32.ln(), f32::NEG_INFINITY];
    let (chosen, top) = log_probabilities(&logits, 1, 2);
    assert!((chosen - 0.3_f32.ln()).abs() < 1e-5);
    assert_eq!(top.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [2, 1]);
    assert!((top[0].1 - 0.5_f32.ln()).abs() < 1e-5);
    assert!(log_probabilities(&logits, 1, 0).1.is_empty());
}

#[test]
fn no_finite_candidate_is_no_token() {
    assert_eq!(pick(&Sampling::default(), &[f32::NEG_INFINITY, f32::NAN], 1), None);
    assert_eq!(pick(&Sampling::default(), &[], 1), None);
}

proptest! {
    #[test]
    fn the_same_seed_picks_the_same_and_always_something_possible(
        logits in prop::collection::vec(-20.0_f32..20.0, 1..800),
        seed: u64,
        temperature in 0.0_f64..2.0,
        top_p in 0.01_f64..=1.0,
        top_k in prop::option::of(1_u32..900),
    ) {
        let sampling = Sampling { temperature, top_p, top_k, ..Sampling::default() };
        let first = pick(&sampling, &logits, seed);
        prop_assert_eq!(first, pick(&sampling, &logits, seed));
        let token = usize::try_from(first.unwrap()).unwrap();
        prop_assert!(token < logits.len());
        if let Some(k) = top_k {
            let above = logits.iter().filter(|logit| **logit > logits[token]).count();
            prop_assert!(above < k as usize);
        }
    }
}
