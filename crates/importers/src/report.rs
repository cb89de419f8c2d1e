//! What became of a file, beside the specs.

use std::fmt::Write as _;

use serde::Serialize;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Carried over, and not quite the same here.
    pub different: Vec<Note>,
    /// Has no equivalent and was left out, with what to do instead where there is something.
    pub missing: Vec<Note>,
    /// What the server needs in its environment.
    pub variables: Vec<Variable>,
    /// What is no spec: keys and limits, as commands.
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
        let plan = self.plan.iter().map(|Step { path, command, why }| format!("{command}\n      {why} ({path})"));
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
