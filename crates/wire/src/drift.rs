use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How one stretch of time differs from another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DriftView {
    /// In whole hours.
    pub from: String,
    pub to: String,
    /// `previous`, `release` or `range`.
    pub against: String,
    pub reference_from: String,
    pub reference_to: String,
    /// The releases that are compared: where none are named, the one before and the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_release: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The service whose spans are compared: the one that was named, or the only one that has releases. Absent: all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What moved most comes first.
    pub fields: Vec<FieldDriftView>,
    /// Of what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<TopicDriftView>,
    /// Why nothing is said of topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_topics: Option<String>,
    /// Of what was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_topics: Option<TopicDriftView>,
    /// Why nothing is said of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_output_topics: Option<String>,
    /// Hours that are not made yet, or have newer spans than is known of them: ask again.
    pub waiting_hours: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldDriftView {
    /// As it is asked for: `model`, `attributes["tier"]`, `score.relevance`.
    pub field: String,
    /// `numbers` or `categories`.
    pub kind: String,
    /// `ms`, `dollars` or `tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// `measured`; `too_few` or `missing` where there is too little on either side: that is not the same as no drift.
    pub state: String,
    /// Values on each side.
    pub reference: u64,
    pub current: u64,
    /// The change is large, and larger than chance makes it.
    pub drifted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<DriftFiguresView>,
    /// The two distributions, side by side.
    pub bins: Vec<DriftBinView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DriftFiguresView {
    /// The population stability index.
    pub psi: f64,
    /// What the index exceeds in one of twenty comparisons although nothing changed.
    pub psi_by_chance: f64,
    /// Jensen and Shannon's divergence, in bits: 0 to 1.
    pub jensen_shannon: f64,
    /// The largest distance between the distribution functions of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ks: Option<f64>,
    /// By Kolmogorov and Smirnov's test, or Pearson's for categories; with Holm's correction over the fields of the answer.
    pub p: f64,
    /// By how much numbers moved on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<f64>,
    /// The share of the current values that were not there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<f64>,
}

/// A range of numbers, or a category; without either, all other categories together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DriftBinView {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Shares of all values.
    pub before: f64,
    pub after: f64,
}

/// How what texts are about moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopicDriftView {
    /// `measured`, `too_few` or `missing`.
    pub state: String,
    /// Texts on each side.
    pub reference: u64,
    pub current: u64,
    /// The maximum mean discrepancy, squared: about 0 where nothing changed, 2 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mmd_squared: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Over the shares of topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// What grew most comes first.
    pub topics: Vec<DriftTopicView>,
    /// Which topics these are.
    pub version: TopicsVersionView,
}

/// Topics are learnt anew when they no longer fit; what is counted in others is not compared with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopicsVersionView {
    pub number: u32,
    /// The same topics have the same one.
    pub digest: String,
    /// Absent of those of before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt_at: Option<String>,
    /// `first`: there were none. `embedder`: another model embeds. `release`: a release came of which those of before had heard
    /// nothing. `unlike`: too much was unlike all of them. `reference`: a monitor compares with another time than before. `age`:
    /// nothing was left of the time that those of before were made of.
    pub why: String,
    /// Why others are to take their place, in the same words; they do when their hours are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DriftTopicView {
    /// The words that tell it from the others; none for what is unlike every topic.
    pub words: Vec<String>,
    pub before: f64,
    pub after: f64,
    /// It surely takes a larger share than before.
    pub grew: bool,
    pub p: f64,
    /// Examples, the newest first.
    pub traces: Vec<String>,
}
