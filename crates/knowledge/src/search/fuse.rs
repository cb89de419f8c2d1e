//! Two ranked lists become one, by reciprocal rank. Pure.

use std::collections::HashMap;

use mainspring_llm::{HitScores, SearchMode};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weights {
    pub vector: f64,
    pub text: f64,
    /// Dampens the difference between neighbouring ranks.
    pub k: u32,
}

/// A row that at least one leg found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fused {
    pub row: u64,
    pub scores: HitScores,
}

/// Ranks start at 1. In a mode with one leg the leg's own score decides; in both, the weighted sum of
/// reciprocal ranks, and a row that one leg did not find gets nothing from it.
pub(crate) fn fuse(mode: SearchMode, vector: &[(u64, f32)], text: &[(u64, f32)], weights: Weights) -> Vec<Fused> {
    let mut found: HashMap<u64, HitScores> = HashMap::new();
    for (rank, (row, score)) in (1_u32..).zip(vector) {
        let scores = found.entry(*row).or_default();
        (scores.vector_rank, scores.vector_score) = (Some(rank), Some(*score));
    }
    for (rank, (row, score)) in (1_u32..).zip(text) {
        let scores = found.entry(*row).or_default();
        (scores.text_rank, scores.text_score) = (Some(rank), Some(*score));
    }
    let mut fused: Vec<Fused> = found
        .into_iter()
        .map(|(row, mut scores)| {
            scores.score = match mode {
                SearchMode::Vector => scores.vector_score.unwrap_or_default(),
                SearchMode::Text => scores.text_score.unwrap_or_default(),
                SearchMode::Hybrid => {
                    let sum = reciprocal(scores.vector_rank, weights.vector, weights.k)
                        + reciprocal(scores.text_rank, weights.text, weights.k);
                    scores.fused_score = Some(sum);
                    sum
                }
            };
            Fused { row, scores }
        })
        .collect();
    fused.sort_by(|a, b| best_first(&a.scores, &b.scores).then(a.row.cmp(&b.row)));
    fused
}

#[expect(clippy::cast_possible_truncation, reason = "scores are shown as f32")]
fn reciprocal(rank: Option<u32>, weight: f64, k: u32) -> f32 {
    rank.map_or(0.0, |rank| (weight / (f64::from(k) + f64::from(rank))) as f32)
}

/// Without the numbers of BM25: they count in how many documents a word stands, also in those the reader may not see.
pub(crate) fn ranks_only(scores: &HitScores, mode: SearchMode) -> HitScores {
    let score = match (mode, scores.rerank_score) {
        (SearchMode::Text, None) => reciprocal(scores.text_rank, 1.0, 0),
        _ => scores.score,
    };
    HitScores { score, text_score: None, ..scores.clone() }
}

/// By score; rows that score the same, by the meaning rather than by chance.
pub(crate) fn best_first(a: &HitScores, b: &HitScores) -> std::cmp::Ordering {
    let meaning = |scores: &HitScores| scores.vector_score.unwrap_or(f32::MIN);
    b.score.total_cmp(&a.score).then(meaning(b).total_cmp(&meaning(a)))
}
