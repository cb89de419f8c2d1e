//! From logits to a token. Our own, so that a seed means the same on every build of llama.cpp.

use std::collections::HashMap;

use mainspring_llm::chat::Sampling;

/// With nucleus sampling, this many candidates nearly always hold the whole nucleus.
const NUCLEUS_GUESS: usize = 512;

/// Random numbers that will be the same in ten years (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in `0.0..1.0`.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) token: i32,
    pub(crate) logit: f32,
}

/// What was said so far and how to choose what comes next.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    dice: Dice,
    /// How often each token was generated.
    counts: HashMap<i32, u32>,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, seed: u64) -> Self {
        Self { sampling, dice: Dice::new(seed), counts: HashMap::new() }
    }

    /// The candidates with penalties applied: presence once, frequency for each time.
    pub(crate) fn candidates(&self, logits: &[f32]) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> =
            (0_i32..).zip(logits).map(|(token, logit)| Candidate { token, logit: *logit }).collect();
        let Sampling { frequency_penalty, presence_penalty, .. } = self.sampling;
        if frequency_penalty != 0.0 || presence_penalty != 0.0 {
            for (token, count) in &self.counts {
                if let Some(candidate) = usize::try_from(*token).ok().and_then(|at| candidates.get_mut(at)) {
                    candidate.logit -= (presence_penalty + frequency_penalty * f64::from(*count)) as f32;
                }
            }
        }
        candidates
    }

    /// Picks one, or `None` when there is no candidate with a finite logit.
    pub(crate) fn pick(&mut self, candidates: &mut Vec<Candidate>) -> Option<i32> {
        candidates.retain(|candidate| candidate.logit.is_finite());
        if self.sampling.temperature <= 0.0 {
            return likeliest(candidates);
        }
        let roll = self.dice.roll();
        let mut narrowed = narrow(candidates, &self.sampling);
        let weights = softmax(&mut narrowed, self.sampling.temperature);
        draw(&narrowed, &weights, self.sampling.top_p, roll)
    }

    pub(crate) fn accept(&mut self, token: i32) {
        *self.counts.entry(token).or_default() += 1;
    }
}

fn likeliest(candidates: &[Candidate]) -> Option<i32> {
    let better = |best: Candidate, next: &Candidate| if next.logit > best.logit { *next } else { best };
    let (first, rest) = candidates.split_first()?;
    Some(rest.iter().fold(*first, better).token)
}

/// Cuts to the `top_k` likeliest, sorted; or leaves the order where nothing needs sorting.
fn narrow(candidates: &mut Vec<Candidate>, sampling: &Sampling) -> Vec<Candidate> {
    let by_logit = |a: &Candidate, b: &Candidate| b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token));
    let keep = sampling.top_k.map_or(candidates.len(), |k| (k as usize).max(1)).min(candidates.len());
    if keep < candidates.len() {
        candidates.select_nth_unstable_by(keep, by_logit);
        candidates.truncate(keep);
    }
    if sampling.top_p >= 1.0 {
        if keep < NUCLEUS_GUESS {
            candidates.sort_unstable_by(by_logit);
        }
        return std::mem::take(candidates);
    }
    // The nucleus is in front after sorting; sorting everything costs more than the choice is worth.
    let guess = NUCLEUS_GUESS.min(candidates.len());
    if guess < candidates.len() {
        candidates.select_nth_unstable_by(guess, by_logit);
        let total = mass(candidates, sampling.temperature);
        let head = mass_beside(&candidates[..guess], candidates, sampling.temperature);
        if head < sampling.top_p * total {
            candidates.sort_unstable_by(by_logit);
        } else {
            candidates[..guess].sort_unstable_by(by_logit);
        }
    } else {
        candidates.sort_unstable_by(by_logit);
    }
    std::mem::take(candidates)
}

fn top(candidates: &[Candidate]) -> f32 {
    candidates.iter().map(|candidate| candidate.logit).fold(f32::MIN, f32::max)
}

fn mass(candidates: &[Candidate], temperature: f64) -> f64 {
    mass_beside(candidates, candidates, temperature)
}

fn mass_beside(part: &[Candidate], all: &[Candidate], temperature: f64) -> f64 {
    let top = top(all);
    part.iter().map(|candidate| (f64::from(candidate.logit - top) / temperature).exp()).sum()
}

fn softmax(candidates: &mut [Candidate], temperature: f64) -> Vec<f64> {
    let top = top(candidates);
    let weights: Vec<f64> = candidates.iter().map(|candidate| (f64::from(candidate.logit - top) / temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Draws from the front of the candidates until `top_p` of the mass.
fn draw(candidates: &[Candidate], weights: &[f64], top_p: f64, roll: f64) -> Option<i32> {
    let mut nucleus = weights.len();
    let mut mass = 0.0;
    if top_p < 1.0 {
        for (index, weight) in weights.iter().enumerate() {
            mass += weight;
            if mass >= top_p {
                nucleus = index + 1;
                break;
            }
        }
    } else {
        mass = weights.iter().sum();
    }
    let target = roll * mass;
    let mut sum = 0.0;
    for (candidate, weight) in candidates.iter().zip(weights).take(nucleus) {
        sum += weight;
        if target < sum {
            return Some(candidate.token);
        }
    }
    candidates[..nucleus.min(candidates.len())].last().map(|candidate| candidate.token)
}

/// The log probability of a token and of the likeliest `top`, before temperature and penalties.
pub(crate) fn log_probabilities(logits: &[f32], token: i32, alternatives: usize) -> (f32, Vec<(i32, f32)>) {
    let top = logits.iter().copied().filter(|logit| logit.is_finite()).fold(f32::MIN, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
    let of = |logit: f32| (f64::from(logit - top) - total.ln()) as f32;
    let chosen = usize::try_from(token).ok().and_then(|at| logits.get(at)).map_or(f32::NEG_INFINITY, |logit| of(*logit));
    let mut all: Vec<(i32, f32)> = (0_i32..).zip(logits.iter().copied()).collect();
    let by_logit = |a: &(i32, f32), b: &(i32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if alternatives < all.len() && alternatives > 0 {
        all.select_nth_unstable_by(alternatives - 1, by_logit);
    }
    all.truncate(alternatives);
    all.sort_unstable_by(by_logit);
    (chosen, all.into_iter().map(|(token, logit)| (token, of(logit))).collect())
}
