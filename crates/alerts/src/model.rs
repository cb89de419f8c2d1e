//! What an alert is, and what becomes of it.

use std::collections::BTreeMap;

use mainspring_kernel::{
    AssetKind, AssetRef, Name, Timestamp,
    id::{DeliveryId, IncidentId, PrincipalId, ProjectId, SilenceId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{matcher::Matcher, words::words};

pub type Labels = BTreeMap<String, String>;

words! {
    /// How bad it is; later ones are worse.
    Severity, "severity":
    Info "info",
    Warning "warning",
    Error "error",
    Critical "critical",
}

impl schemars::JsonSchema for Severity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Severity".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words: Vec<&str> = Self::ALL.iter().map(|word| word.as_str()).collect();
        schemars::json_schema!({ "type": "string", "enum": words })
    }
}

words! {
    IncidentState, "state":
    Open "open",
    /// Somebody looks after it: nobody is reminded.
    Acknowledged "acknowledged",
    Resolved "resolved",
}

words! {
    /// What stands in an incident's history.
    EventKind, "event":
    Opened "opened",
    /// An alert of the same group came to it.
    Joined "joined",
    /// An alert that was over is not.
    Refired "refired",
    Escalated "escalated",
    /// One of its alerts is over.
    Ended "ended",
    Silenced "silenced",
    Reminded "reminded",
    Acknowledged "acknowledged",
    Resolved "resolved",
    Reopened "reopened",
    /// Deliveries that were given up are tried again.
    Retried "retried",
}

words! {
    /// What a notice says.
    NoticeKind, "notice":
    Opened "opened",
    /// There is more of it, and none of it is worse.
    Updated "updated",
    /// It is worse than it was.
    Escalated "escalated",
    Reopened "reopened",
    Reminder "reminder",
    Acknowledged "acknowledged",
    Resolved "resolved",
    Test "test",
}

words! {
    DeliveryState, "state":
    /// Not tried yet, or to be tried again.
    Pending "pending",
    Delivered "delivered",
    /// The receiver does not want notices of this kind.
    Skipped "skipped",
    /// Given up; `retry` takes it up again.
    Failed "failed",
}

/// What a monitor found. The same `fingerprint` is the same alert: raising it again keeps it going, and what it says is
/// brought up to date.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub project: ProjectId,
    /// Within the project: which monitor, and which slice of what it watches.
    pub fingerprint: String,
    /// Of the monitor, for people.
    pub name: String,
    pub severity: Severity,
    /// One sentence.
    pub summary: String,
    /// It is that nothing comes, or that nobody can look: an incident is rather called by what is wrong.
    pub missing: bool,
    pub labels: Labels,
    /// What was measured: value, threshold, window.
    pub facts: BTreeMap<String, Value>,
    /// Ids of traces that show it.
    pub traces: Vec<String>,
    /// Versions it is about: `prompt/answer@v4`.
    pub versions: Vec<String>,
    /// Alerts that agree in these labels are one incident; `name` and `severity` count as labels. Empty: by name.
    pub group_by: Vec<String>,
    /// Who is told. Empty: every receiver that matches.
    pub receivers: Vec<AssetRef>,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    pub id: IncidentId,
    pub project: ProjectId,
    /// What its alerts have in common: `app=desk,name=latency`.
    pub group: String,
    pub state: IncidentState,
    /// The worst of its alerts so far.
    pub severity: Severity,
    /// The monitor and the sentence of the worst alert that goes on, as it is now: of equals one that is wrong before one that is
    /// missing, then the newest.
    pub title: String,
    /// Those that all of its alerts have.
    pub labels: Labels,
    /// Absent: every receiver that matches.
    pub receivers: Option<Vec<AssetRef>>,
    /// What may be why: what its alerts are about first, then what took effect by itself, of each the newest.
    pub changes: Vec<Change>,
    /// How much more changed than is kept.
    pub changes_left_out: u64,
    pub silence: Option<SilenceId>,
    pub opened: Timestamp,
    pub updated: Timestamp,
    pub acknowledged: Option<Timestamp>,
    pub acknowledged_by: Option<PrincipalId>,
    pub resolved: Option<Timestamp>,
    /// Absent where it ended by itself.
    pub resolved_by: Option<PrincipalId>,
    pub remind: Option<Timestamp>,
}

/// An alert within an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    pub fingerprint: String,
    pub name: String,
    pub severity: Severity,
    pub summary: String,
    pub missing: bool,
    pub labels: Labels,
    pub facts: BTreeMap<String, Value>,
    pub traces: Vec<String>,
    pub versions: Vec<String>,
    pub firing: bool,
    pub began: Timestamp,
    /// When it was last raised.
    pub seen: Timestamp,
    pub ended: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub seq: u32,
    pub happened: Timestamp,
    pub kind: EventKind,
    /// Absent where nobody did it.
    pub by: Option<PrincipalId>,
    pub detail: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub project: ProjectId,
    pub incident: IncidentId,
    pub receiver: AssetRef,
    pub what: NoticeKind,
    pub state: DeliveryState,
    pub attempts: u32,
    /// Not tried before.
    pub due: Timestamp,
    /// What the receiver answered last: of HTTP or SMTP.
    pub status: Option<u16>,
    /// Why it did not arrive the last time, or was not sent; or what is to be said of one that did arrive.
    pub error: Option<String>,
    pub created: Timestamp,
    pub attempted: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    pub id: SilenceId,
    pub project: ProjectId,
    /// All of them hold for an alert that is not told of.
    pub matchers: Vec<Matcher>,
    pub starts: Timestamp,
    pub ends: Timestamp,
    pub comment: String,
    pub created: Timestamp,
    pub created_by: PrincipalId,
}

impl Silence {
    #[must_use]
    pub fn covers(&self, labels: &Labels, at: Timestamp) -> bool {
        self.starts <= at && at < self.ends && self.matchers.iter().all(|matcher| matcher.holds(labels))
    }
}

/// Something that was moved or made before an incident began, or came from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Absent for a release of a program, which is no asset of this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AssetKind>,
    /// Of the asset, or of the service.
    pub name: String,
    /// A release of which the first span came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Released>,
    /// Absent for a version that was made, by whatever name it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    pub at: Timestamp,
    /// Absent where it was done elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PrincipalId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// One of the alerts is about it.
    #[serde(default)]
    pub named: bool,
}

/// A version of a program, as its spans name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub release: String,
    /// The one whose spans came last before it, as far as there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl Change {
    /// The command that moves the alias back, if nobody has moved it since.
    #[must_use]
    pub fn rollback(&self) -> Option<String> {
        let (alias, from, to) = (self.alias.as_ref()?, self.from?, self.to?);
        Some(format!("mainspring alias {}/{} {alias} v{from} --expected {to}", self.kind?, self.name))
    }

    /// Whether it changed by itself what runs. A version that was made is used where somebody asks for the newest.
    #[must_use]
    pub const fn takes_effect(&self) -> bool {
        self.release.is_some() || self.alias.is_some()
    }

    /// What changed, without how: `prompt/answer`, `service shop`.
    #[must_use]
    pub fn what(&self) -> String {
        self.kind.map_or_else(|| format!("service {}", self.name), |kind| format!("{kind}/{}", self.name))
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = |number: Option<u32>| number.map_or_else(|| "nothing".to_owned(), |number| format!("v{number}"));
        let what = self.what();
        match (&self.release, &self.alias) {
            (Some(Released { release, before: Some(before) }), _) => write!(f, "{what}: {before} → {release}"),
            (Some(Released { release, before: None }), _) => write!(f, "{what}: {release} was seen first"),
            (None, Some(alias)) => write!(f, "{what}@{alias}: {} → {}", version(self.from), version(self.to)),
            (None, None) => write!(f, "{what}: {} was made", version(self.to)),
        }
    }
}

/// What became of an alert that was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Opened,
    Reopened,
    /// The incident has an alert more.
    Joined,
    Escalated,
    /// It was known already.
    Known,
    /// The incident has as many alerts as it may have; this one is not kept.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub incident: IncidentId,
    pub news: News,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    pub state: Option<IncidentState>,
    /// This bad or worse.
    pub severity: Option<Severity>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
    pub incident: Option<IncidentId>,
    pub receiver: Option<String>,
}

/// How a receiver stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub pending: u64,
    pub failed: u64,
    pub delivered: Option<Timestamp>,
    /// Of the newest delivery that has one and has not arrived.
    pub error: Option<String>,
}
