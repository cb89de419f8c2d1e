//! What receivers are told: the incident as it stood when something happened to it.

use std::collections::BTreeMap;

use mainspring_kernel::{Timestamp, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    facts::{in_words, moment},
    model::{Change, Incident, IncidentState, Labels, NoticeKind, Raised, Severity},
};

/// Alerts that a notice names; it says how many there are.
pub(crate) const ALERTS: usize = 10;
const TRACES: usize = 5;
const CHANGES: usize = 10;

/// Kept with the delivery, so that each try says the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Of this form.
    pub v: u32,
    pub what: NoticeKind,
    pub at: Timestamp,
    /// The project's name.
    pub project: String,
    pub incident: String,
    pub state: IncidentState,
    pub severity: Severity,
    pub title: String,
    pub labels: Labels,
    pub opened_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Where people read on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Alerts that go on.
    pub firing: u64,
    pub alerts: Vec<NoticeAlert>,
    /// What was moved or made before it opened and may be why, the likeliest first.
    pub changes: Vec<NoticeChange>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changes_left_out: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeAlert {
    pub name: String,
    pub severity: Severity,
    pub summary: String,
    pub labels: Labels,
    pub facts: BTreeMap<String, Value>,
    pub traces: Vec<String>,
    pub firing: bool,
    pub began_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeChange {
    /// In words.
    pub what: String,
    pub at: Timestamp,
    /// The command that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
}

/// Where and when a notice is made.
#[derive(Debug, Clone)]
pub(crate) struct Occasion<'o> {
    pub(crate) what: NoticeKind,
    pub(crate) at: Timestamp,
    pub(crate) project: &'o str,
    /// Where the page is, without a slash at its end; empty: nowhere.
    pub(crate) page: &'o str,
}

impl Notice {
    pub(crate) fn of(incident: &Incident, firing: u64, alerts: Vec<Raised>, occasion: &Occasion<'_>) -> Self {
        let Occasion { what, at, project, page } = occasion;
        let page = (!page.is_empty()).then(|| format!("{page}/incidents/{}", incident.id));
        Self {
            v: 1,
            what: *what,
            at: *at,
            project: (*project).to_owned(),
            incident: incident.id.to_string(),
            state: incident.state,
            severity: incident.severity,
            title: incident.title.clone(),
            labels: incident.labels.clone(),
            opened_at: incident.opened,
            resolved_at: incident.resolved,
            page,
            firing,
            alerts: alerts.into_iter().map(alert).collect(),
            changes: incident.changes.iter().take(CHANGES).map(change).collect(),
            changes_left_out: incident.changes.len().saturating_sub(CHANGES) as u64 + incident.changes_left_out,
        }
    }

    /// What a test sends: it looks like any other, and says what it is.
    pub(crate) fn test((project, receiver): (&str, &str), at: Timestamp, page: &str) -> Self {
        let title = format!("this is a test of the receiver {receiver}");
        let alert = NoticeAlert {
            name: "test".to_owned(),
            severity: Severity::Info,
            summary: "somebody asked for it; nothing is wrong".to_owned(),
            labels: Labels::new(),
            facts: BTreeMap::new(),
            traces: Vec::new(),
            firing: true,
            began_at: at,
        };
        Self {
            v: 1,
            what: NoticeKind::Test,
            at,
            project: project.to_owned(),
            incident: format!("test-{}", at.as_micros()),
            state: IncidentState::Open,
            severity: Severity::Info,
            title,
            labels: Labels::new(),
            opened_at: at,
            resolved_at: None,
            page: (!page.is_empty()).then(|| format!("{page}/incidents")),
            firing: 1,
            alerts: vec![alert],
            changes: Vec::new(),
            changes_left_out: 0,
        }
    }

    /// One line: `[critical] latency of desk is 4 s (reminder)`.
    #[must_use]
    pub(crate) fn subject(&self) -> String {
        let title = text::elide(&self.title, 200).replace(char::is_control, " ");
        match self.what {
            NoticeKind::Opened | NoticeKind::Test => format!("[{}] {title}", self.severity),
            NoticeKind::Resolved => format!("[resolved] {title}"),
            what => format!("[{}] {title} ({what})", self.severity),
        }
    }

    /// That there are more changes than it names.
    #[must_use]
    pub(crate) fn more_changes(&self) -> Option<String> {
        (self.changes_left_out > 0).then(|| format!("and {} more", self.changes_left_out))
    }

    /// Lines of plain text, for mail.
    #[must_use]
    pub(crate) fn plain(&self) -> String {
        let mut lines = vec![self.subject(), String::new()];
        lines.push(format!("Project: {}", self.project));
        lines.push(format!("Opened: {}", moment(self.opened_at)));
        lines.extend(self.resolved_at.map(|at| format!("Resolved: {}", moment(at))));
        if !self.labels.is_empty() {
            lines.push(format!("Labels: {}", pairs(&self.labels)));
        }
        lines.extend(self.page.as_ref().map(|page| format!("Page: {page}")));
        for alert in &self.alerts {
            lines.push(String::new());
            let over = if alert.firing { "" } else { ", over" };
            lines.push(format!("{} ({}{over}): {}", alert.name, alert.severity, alert.summary));
            lines.extend(in_words(&alert.facts).iter().map(|fact| format!("  {}: {}", fact.name, fact.value)));
            lines.extend(alert.traces.iter().map(|trace| format!("  trace {trace}")));
        }
        let firing = self.alerts.iter().filter(|alert| alert.firing).count() as u64;
        if self.firing > firing {
            lines.push(format!("and {} more", self.firing - firing));
        }
        if !self.changes.is_empty() {
            lines.extend([String::new(), "Changed before it began:".to_owned()]);
            for change in &self.changes {
                lines.push(format!("  {} {}", moment(change.at), change.what));
                lines.extend(change.rollback.as_ref().map(|command| format!("    back: {command}")));
            }
            lines.extend(self.more_changes().map(|more| format!("  {more}")));
        }
        lines.join("\n")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

pub(crate) fn pairs(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

fn alert(raised: Raised) -> NoticeAlert {
    let Raised {
        fingerprint: _,
        name,
        severity,
        summary,
        missing: _,
        labels,
        facts,
        traces,
        versions: _,
        firing,
        began,
        seen: _,
        ended: _,
    } = raised;
    let traces = traces.into_iter().take(TRACES).collect();
    NoticeAlert { name, severity, summary, labels, facts, traces, firing, began_at: began }
}

fn change(change: &Change) -> NoticeChange {
    NoticeChange { what: change.to_string(), at: change.at, rollback: change.rollback() }
}
