//! What applying drafts would do.

use mainspring_kernel::{AssetKind, Digest, Name, canonical_json};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    diff::{self, DiffLine},
    fault::{Problem, ProblemKind, RegistryFault},
    manifest::{API_VERSION, Manifest},
    model::{Pin, ResolvedReference},
    store::Current,
    world::{Planned, World},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// In the order of the drafts.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether applying would write nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.action == Action::Unchanged)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub origin: String,
    pub action: Action,
    pub kind: AssetKind,
    pub name: Name,
    /// The newest version before; absent when the asset is new.
    pub before: Option<Pin>,
    /// The newest version afterwards.
    pub after: Pin,
    pub references: Vec<ResolvedReference>,
    /// What an update changes, as lines; empty for the other actions.
    pub diff: Vec<DiffLine>,
    #[serde(skip)]
    pub(crate) description: Option<String>,
    #[serde(skip)]
    pub(crate) canonical: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    Unchanged,
}

/// Plans all manifests together, so that their references may be in any order.
pub(crate) async fn plan(world: &mut World<'_>, manifests: &[Manifest]) -> Result<Plan, RegistryFault> {
    let mut changes = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        let change = first_draft(world, manifest).await?;
        let planned = Planned { pin: change.after.clone(), references: manifest.spec.references.clone() };
        world.planned.insert((manifest.kind, manifest.name.clone()), planned);
        changes.push(change);
    }
    let mut problems = Vec::new();
    for (change, manifest) in changes.iter_mut().zip(manifests) {
        change.references = resolve_references(world, manifest, &mut problems).await?;
    }
    if problems.is_empty() {
        find_cycles(world, &changes, &mut problems).await?;
    }
    if problems.is_empty() { Ok(Plan { changes }) } else { Err(RegistryFault::Rejected { problems }) }
}

/// The change without its references, which need every other draft's.
async fn first_draft(world: &mut World<'_>, manifest: &Manifest) -> Result<Change, RegistryFault> {
    let Manifest { origin, kind, name, description, spec } = manifest;
    let digest = digest(*kind, description.as_deref(), &spec.canonical);
    let current = world.current(*kind, name).await?;
    let pin = |number, digest| Pin { kind: *kind, name: name.clone(), number, digest };
    let (action, number) = match &current {
        None => (Action::Create, 1),
        Some(Current { number, digest: same, .. }) if *same == digest => (Action::Unchanged, *number),
        Some(Current { number, .. }) => (Action::Update, number + 1),
    };
    let mut diff = Vec::new();
    if let (Action::Update, Some(current)) = (action, &current)
        && let Some((summary, old)) = world.reads.read_version(current.id, current.number).await?
    {
        let side = |description: Option<&str>, spec: &Value| match description {
            Some(description) => json!({ "description": description, "spec": spec }),
            None => json!({ "spec": spec }),
        };
        // Both sides in the order of the canonical text, or order alone would show as change.
        let new = serde_json::from_str(&canonical_json(&spec.canonical)).unwrap_or_default();
        diff = diff::lines(&side(summary.description.as_deref(), &old), &side(description.as_deref(), &new));
    }
    Ok(Change {
        origin: origin.clone(),
        action,
        kind: *kind,
        name: name.clone(),
        before: current.map(|current| pin(current.number, current.digest)),
        after: pin(number, digest),
        references: Vec::new(),
        diff,
        description: description.clone(),
        canonical: canonical_json(&spec.canonical),
    })
}

/// The digest of a version: the same text under another name has the same digest.
pub(crate) fn digest(kind: AssetKind, description: Option<&str>, canonical: &Value) -> Digest {
    Digest::of_json(&json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "description": description,
        "spec": canonical,
    }))
}

async fn resolve_references(
    world: &mut World<'_>,
    manifest: &Manifest,
    problems: &mut Vec<Problem>,
) -> Result<Vec<ResolvedReference>, RegistryFault> {
    let mut resolved = Vec::new();
    for reference in &manifest.spec.references {
        match world.resolve(reference.kind, &reference.target).await {
            Ok(pin) => resolved.push(ResolvedReference {
                path: reference.path.clone(),
                kind: reference.kind,
                target: reference.target.clone(),
                pin,
            }),
            Err(fault @ (RegistryFault::NotFound { .. } | RegistryFault::VersionNotFound { .. })) => {
                problems.push(Problem {
                    origin: manifest.origin.clone(),
                    path: format!("spec.{}", reference.path),
                    kind: ProblemKind::MissingReference,
                    message: fault.to_string(),
                });
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(resolved)
}

/// Only what is about to be written can close a circle that was open before.
async fn find_cycles(world: &mut World<'_>, changes: &[Change], problems: &mut Vec<Problem>) -> Result<(), RegistryFault> {
    let mut reported = Vec::new();
    for change in changes.iter().filter(|change| change.action != Action::Unchanged && !change.references.is_empty()) {
        match world.lock(change.after.clone()).await {
            // An alias removed below us is for the next apply of that asset to find.
            Ok(_) | Err(RegistryFault::NotFound { .. } | RegistryFault::VersionNotFound { .. }) => {}
            Err(fault @ RegistryFault::Cycle { .. }) => {
                let RegistryFault::Cycle { path } = &fault else {
                    continue;
                };
                // Every version on a circle would report the same circle.
                let mut members = path.clone();
                members.sort();
                members.dedup();
                if !reported.contains(&members) {
                    problems.push(Problem {
                        origin: change.origin.clone(),
                        path: "spec".to_owned(),
                        kind: ProblemKind::Cycle,
                        message: fault.to_string(),
                    });
                    reported.push(members);
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
