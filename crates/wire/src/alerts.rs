//! Incidents, who is told of them, and silences.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentView {
    pub id: String,
    /// `open`, `acknowledged` or `resolved`.
    pub state: String,
    /// The worst of its alerts: `info`, `warning`, `error` or `critical`.
    pub severity: String,
    /// The monitor and what the worst alert that goes on says now: `latency: answers are slow`.
    pub title: String,
    /// Those that all of its alerts have.
    pub labels: BTreeMap<String, String>,
    /// What its alerts have in common: `app=desk,name=latency`.
    pub group: String,
    /// Who is told; absent: every receiver that matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Vec<String>>,
    /// The silence that hides it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<String>,
    pub opened_at: String,
    pub updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<String>,
    /// Absent where it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
}

/// An incident with what belongs to it: of alerts, events and deliveries the 200 newest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentDetail {
    pub incident: IncidentView,
    pub alerts: Vec<AlertView>,
    /// What was moved or made before it opened and may be why: what its alerts are about first, then aliases that moved and
    /// releases, of each the newest. The 50 first.
    pub changes: Vec<ChangeView>,
    /// How many more there are.
    pub changes_left_out: u64,
    /// Newest first.
    pub events: Vec<IncidentEvent>,
    /// Newest first.
    pub deliveries: Vec<DeliveryView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    pub fingerprint: String,
    pub name: String,
    pub severity: String,
    pub summary: String,
    pub labels: BTreeMap<String, String>,
    /// What was measured, as it was. `unit` says what the figures are of; `share`: of one.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub facts: BTreeMap<String, Value>,
    /// The same as people read it, what matters most first.
    pub measured: Vec<FactView>,
    /// Traces that show it.
    pub traces: Vec<String>,
    /// Versions it is about: `prompt/answer@v4`.
    pub versions: Vec<String>,
    pub firing: bool,
    pub began_at: String,
    pub seen_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// `interval of the difference`: `54.5 to 66.4 points`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactView {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// Of an asset; `release` where a program sent spans of a release for the first time.
    pub kind: String,
    /// Of the asset, or of the service.
    pub name: String,
    /// The release that is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The one that was seen last before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_before: Option<String>,
    /// Absent for a version that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    pub at: String,
    /// Absent where it was done elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub message: String,
    /// One of the alerts is about it.
    pub named: bool,
    /// The command that moves the alias back, if nobody has moved it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentEvent {
    pub seq: u32,
    pub at: String,
    /// `opened`, `joined`, `refired`, `escalated`, `ended`, `silenced`, `reminded`, `acknowledged`, `resolved`, `reopened`
    /// or `retried`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// One notice for one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    pub id: String,
    pub incident: String,
    pub receiver: String,
    /// `opened`, `updated`, `escalated`, `reopened`, `reminder`, `acknowledged` or `resolved`.
    pub what: String,
    /// `pending`, `delivered`, `skipped` (the receiver does not want it) or `failed` (given up).
    pub state: String,
    pub attempts: u32,
    /// A pending one is not tried before this.
    pub due_at: String,
    /// What the receiver answered last, of HTTP or SMTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it did not arrive the last time, or was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub created_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// What somebody has to say about what they do to an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentNote {
    #[serde(default)]
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetriedDeliveries {
    /// How many deliveries that were given up are tried again.
    pub deliveries: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceView {
    pub id: String,
    /// All of them hold for an alert that is silenced: `app=desk`, `severity!=critical`, `name=drift-*`.
    pub matchers: Vec<String>,
    pub starts_at: String,
    pub ends_at: String,
    pub comment: String,
    pub created_at: String,
    pub created_by: String,
    /// Whether it covers anything at this moment.
    pub active: bool,
}

/// A silence to be made: `ends_at` or `for` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    pub matchers: Vec<String>,
    /// Absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// How long it lasts: `30m`, `2h`, `7d`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    #[serde(default)]
    pub comment: String,
}

/// A receiver and how its deliveries stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiverView {
    pub name: String,
    pub version: u32,
    /// `webhook`, `slack`, `email` or `pagerduty`; absent where this version cannot read its spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    pub pending: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
    /// Why the newest that has not arrived has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a test notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiverTest {
    pub arrived: bool,
    /// What the receiver answered, of HTTP or SMTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it did not arrive, or what is to be said of it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub took_ms: u64,
}
