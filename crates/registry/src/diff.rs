//! What changed between two versions, as lines of the manifests people write.

use mainspring_kernel::{Actor, AssetKind, AssetRef, Name, Selector};
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::{Registry, RegistryFault, model::Pin};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    pub from: Pin,
    pub to: Pin,
    pub lines: Vec<DiffLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    pub change: LineChange,
    /// The line's number on each side, from 1.
    pub old: Option<u32>,
    pub new: Option<u32>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineChange {
    Same,
    Removed,
    Added,
}

/// Every line of both sides; callers that want only hunks leave out runs of `Same`.
pub(crate) fn lines(old: &Value, new: &Value) -> Vec<DiffLine> {
    let (old, new) = (text(old), text(new));
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let number = |index: Option<usize>| index.and_then(|index| u32::try_from(index + 1).ok());
    diff.iter_all_changes()
        .map(|line| DiffLine {
            change: match line.tag() {
                ChangeTag::Equal => LineChange::Same,
                ChangeTag::Delete => LineChange::Removed,
                ChangeTag::Insert => LineChange::Added,
            },
            old: number(line.old_index()),
            new: number(line.new_index()),
            text: line.value().trim_end_matches('\n').to_owned(),
        })
        .collect()
}

/// YAML is what people wrote; what YAML cannot say is shown as JSON.
fn text(value: &Value) -> String {
    yaml_serde::to_string(value).unwrap_or_else(|_| format!("{value:#}"))
}

impl Registry {
    pub async fn diff(
        &self,
        actor: &Actor,
        kind: AssetKind,
        name: &Name,
        (from, to): (Selector, Selector),
    ) -> Result<Diff, RegistryFault> {
        let version = |selector| AssetRef { name: name.clone(), selector };
        let old = self.get(actor, kind, &version(from)).await?;
        let new = self.get(actor, kind, &version(to)).await?;
        let lines = lines(&old.manifest(), &new.manifest());
        Ok(Diff { from: old.pin, to: new.pin, lines })
    }
}
