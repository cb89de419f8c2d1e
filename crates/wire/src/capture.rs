//! What projects keep of the telemetry that comes in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What it finds becomes `[name]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapturePattern {
    pub name: String,
    /// A regular expression of the crate `regex`: no look-around, no back-references.
    pub pattern: String,
}

/// The whole policy: what is left out is as it is where there is no policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCapture {
    /// `none`, `metadata`, `redacted` or `full`, and no more than the server keeps; absent: what the server keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<CapturePattern>,
    /// The share of traces that is kept whatever happens in them, from 0 to 1; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Whether traces with an error are kept beside the share; absent: they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_errors: Option<bool>,
    /// Traces with a span that took so long are kept beside the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_slower_than_ms: Option<u64>,
    /// How long spans wait for an error or a slow span of their trace, up to 300; absent: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_seconds: Option<u32>,
    /// Refuse unless the policy is at this revision now (0: there is none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// What became of the project's spans in the process that answers, since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptureCounts {
    pub kept: u64,
    /// Left out by the share of traces.
    pub left_out_by_share: u64,
    /// Left out since nothing happened in their trace.
    pub left_out_by_outcome: u64,
    /// Left out before that was known, since no more could be held.
    pub left_out_early: u64,
    /// Held until it is known.
    pub held: u64,
    /// Places in spans that were redacted.
    pub redacted: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CaptureView {
    pub project: String,
    /// What the policy says; absent: what the server keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
    /// The most that any project of this server keeps (`traces.capture`).
    pub server: String,
    /// What is kept: the lesser of both.
    pub effective: String,
    pub patterns: Vec<CapturePattern>,
    pub share: f64,
    pub keep_errors: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_slower_than_ms: Option<u64>,
    pub hold_seconds: u32,
    /// 0 where no policy was set.
    pub revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    pub here: CaptureCounts,
}

/// A text to try, under the project's policy or one that is not set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewCapture {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<SetCapture>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptureFound {
    pub name: String,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapturePreview {
    /// What is kept under the policy that was tried.
    pub capture: String,
    /// What the text of a prompt or an answer becomes; absent where none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    pub found: Vec<CaptureFound>,
}
