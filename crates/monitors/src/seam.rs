//! What a monitor that runs needs of others: something that counts, and something that tells.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use mainspring_kernel::{
    Fault, Labels, Name, Timestamp,
    id::{IncidentId, ProjectId},
};
use serde_json::Value;

use crate::{
    measurements::Measurements,
    spec::{MonitorSpec, Severity},
};

/// Whoever has what is watched.
#[async_trait]
pub trait Watched: Debug + Send + Sync + 'static {
    /// What counts in one project: the traces that may be seen with these labels, and no others.
    fn of(&self, project: ProjectId, labels: &Labels) -> Arc<dyn Measurements>;
    /// Ids of a few traces that show what a monitor found, the newest first.
    async fn examples(
        &self,
        project: ProjectId,
        spec: &MonitorSpec,
        showing: Showing<'_>,
        within: (Timestamp, Timestamp),
    ) -> Result<Vec<String>, Box<dyn Fault>>;
}

/// Which of what a monitor watches shows what it found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Showing<'s> {
    pub slice: Option<&'s str>,
    /// It is wrong on this side: less than it should be.
    pub low: bool,
    /// What the figure is beyond: its limit, or what it was compared with.
    pub bound: Option<f64>,
}

/// Whoever makes incidents of what monitors find. Saying the same again changes nothing.
#[async_trait]
pub trait Bell: Debug + Send + Sync + 'static {
    /// All that one look found, so that it is told once. Answers the incidents that each is part of, in their order.
    async fn raise(&self, signals: Vec<Signal>) -> Result<Vec<IncidentId>, Box<dyn Fault>>;
    async fn resolve(&self, project: ProjectId, fingerprint: &str) -> Result<(), Box<dyn Fault>>;
}

/// What a monitor has to say about one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub project: ProjectId,
    pub monitor: Name,
    /// Within the project: the monitor, the slice, and whether it is that nothing comes.
    pub fingerprint: String,
    pub severity: Severity,
    pub summary: String,
    /// It is that nothing comes, or that nobody can look.
    pub missing: bool,
    pub labels: BTreeMap<String, String>,
    pub facts: BTreeMap<String, Value>,
    pub traces: Vec<String>,
    /// `prompt/answer@v4`.
    pub versions: Vec<String>,
    pub notify: Vec<Name>,
    /// Labels in which alerts of one incident agree; empty: all of the monitor are one.
    pub group_by: Vec<String>,
    pub at: Timestamp,
}
