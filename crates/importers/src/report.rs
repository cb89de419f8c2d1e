//! What became of a file, beside the specs.

use std::fmt::Write as _;

use mainspring_gateway::ledger::{Amount, Metric, SubjectKind};
use mainspring_kernel::{Name, Role, Timestamp};
use serde::Serialize;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Carried over, and not quite the same here.
    pub different: Vec<Note>,
    /// Has no equivalent and was left out, with what to do instead where there is something.
    pub missing: Vec<Note>,
    /// What the server needs in its environment.
    pub variables: Vec<Variable>,
    /// What is no spec: keys and limits, as commands. `mainspring import … --apply` makes those that have an action.
    pub plan: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where in the file: `model_list[0].litellm_params.rpm`.
    pub path: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    pub name: String,
    /// Where in the file.
    pub paths: Vec<String>,
    /// The key itself stands in the file, and has to be put into the variable.
    pub in_file: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub path: String,
    pub command: String,
    pub why: String,
    /// What the command makes; absent where only a person knows all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Key(WantedKey),
    Limit(WantedLimit),
}

/// A key for a client of the other gateway. Its secret is a new one: others keep digests of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedKey {
    pub name: Name,
    pub role: Role,
    /// What it may name as `model`; absent: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedLimit {
    pub kind: SubjectKind,
    /// Of a key it is the name of one that the same plan has before it. Absent: each there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub metric: Metric,
    pub amount: Amount,
}

impl Report {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { different, missing, variables, plan } = self;
        different.is_empty() && missing.is_empty() && variables.is_empty() && plan.is_empty()
    }

    /// As people read it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let lines = |notes: &[Note]| notes.iter().map(|Note { path, message }| format!("{path}: {message}")).collect();
        section(&mut out, "Carried over with a difference", lines(&self.different));
        section(&mut out, "No equivalent, left out", lines(&self.missing));
        let variables = self.variables.iter().map(|Variable { name, paths, in_file }| {
            let from = if *in_file { "the key stands in the file: put it there" } else { "as before" };
            format!("{name}: {from} ({})", paths.join(", "))
        });
        section(&mut out, "Variables the server needs", variables.collect());
        let plan = self.plan.iter().map(|Step { path, command, why, action: _ }| format!("{command}\n      {why} ({path})"));
        section(&mut out, "To do by hand", plan.collect());
        out
    }
}

fn section(out: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{title}:");
    for line in lines {
        let _ = writeln!(out, "  - {line}");
    }
}
