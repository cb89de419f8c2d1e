use mainspring_lake::Distance;
use mainspring_llm::SearchMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nearest by meaning.
    Vector,
    /// Best by words (BM25).
    Text,
    /// Both, fused by reciprocal rank.
    #[default]
    Hybrid,
}

impl From<Mode> for SearchMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Vector => Self::Vector,
            Mode::Text => Self::Text,
            Mode::Hybrid => Self::Hybrid,
        }
    }
}

/// What becomes of the larger section around a chunk that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parents {
    /// Chunks come back as they are.
    Off,
    /// Several chunks of one section come back as one passage: the section.
    #[default]
    Merge,
    /// Every chunk comes back as its section.
    Always,
}

/// How questions are answered. Each stage has its own knob; the limit is counted at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalSpec {
    pub mode: Mode,
    /// How many passages come back, counted after sections were merged.
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
    /// How many chunks each leg (vector, text) brings into the fusion.
    #[schemars(range(min = 1, max = 1000))]
    pub candidates: u32,
    /// Weight of the vector leg in the fusion.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub vector_weight: f64,
    /// Weight of the text leg in the fusion.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub text_weight: f64,
    /// Dampens the difference between neighbouring ranks in the fusion.
    #[schemars(range(min = 1, max = 10000))]
    pub rrf_k: u32,
    /// Order the best candidates again by a slower, closer look.
    pub rerank: bool,
    /// Which reranker; without one, late interaction over the embedding model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranker: Option<String>,
    /// How many fused candidates the reranker looks at.
    #[schemars(range(min = 1, max = 200))]
    pub rerank_candidates: u32,
    /// Below this cosine similarity of the nearest chunk, and without the question's words in what was
    /// found, nothing is relevant. 0 turns the decision off. Measured on XQuAD, 0.35 keeps .972 of the
    /// questions that have an answer and lets in .049 of those that have none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub relevance: f64,
    /// Passages whose final score is lower do not come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f64>,
    /// The passages together take at most this many tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u32>,
    pub parents: Parents,
    /// Share of common word pairs from which two passages count as the same text. 1 keeps all but exact copies.
    #[schemars(range(min = 0.5, max = 1.0))]
    pub dedupe: f64,
    /// How many parts of the vector index are looked into; three times as many under a filter, which leaves fewer neighbours in each.
    #[schemars(range(min = 1, max = 4096))]
    pub probes: u32,
    /// How many times the limit is compared with exact vectors.
    #[schemars(range(min = 1, max = 100))]
    pub refine: u32,
}

impl RetrievalSpec {
    /// How near vectors are looked for. A filter leaves few neighbours in each part of an index, so more parts are asked.
    #[must_use]
    pub fn distance(&self, filtered: bool) -> Distance {
        let probes = self.probes as usize * if filtered { 3 } else { 1 };
        Distance::Indexed { probes, refine: self.refine }
    }
}

impl Default for RetrievalSpec {
    fn default() -> Self {
        Self {
            mode: Mode::Hybrid,
            limit: 6,
            candidates: 64,
            vector_weight: 1.0,
            text_weight: 1.0,
            rrf_k: 60,
            rerank: false,
            reranker: None,
            rerank_candidates: 24,
            relevance: 0.35,
            min_score: None,
            token_budget: None,
            parents: Parents::Merge,
            dedupe: 0.9,
            probes: 64,
            refine: 1,
        }
    }
}
