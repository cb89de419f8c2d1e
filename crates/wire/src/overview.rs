//! The home page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{AppSummary, KnowledgeSummary};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    pub version: String,
    /// The project that all of this is of.
    pub project: String,
    /// The projects that the caller may be in.
    pub projects: Vec<ProjectSummary>,
    pub apps: Vec<AppSummary>,
    pub knowledge: Vec<KnowledgeSummary>,
    /// The last 24 hours, an hour each, oldest first.
    pub activity: Vec<ActivityBucket>,
    pub health: Vec<HealthItem>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProjectSummary {
    pub id: String,
    pub name: String,
    /// The caller's role in it.
    pub role: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActivityBucket {
    pub start: String,
    pub requests: u64,
    pub errors: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// Whether some requests stand for others that were not kept: the numbers are estimates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthItem {
    pub component: String,
    /// `ok`, `busy`, `degraded`, `down` or `off`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub facts: BTreeMap<String, Value>,
}
