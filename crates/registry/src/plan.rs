//! What applying drafts would do.

use mainspring_kernel::{AssetKind, Digest, Name, canonical_json};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    diff::{self, DiffLine},
    fault::{Problem, ProblemKind, RegistryFault},
    manifest::{API_VERSION, Manifest},
    model::{Pin, ResolvedReference},
    naming::Naming,
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
        self.changes.iter().all(|change| change.action == Action::Unchanged && change.aliases.is_empty())
    }

    /// Names what was planned from what was there: two plans with one digest do the same to the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let changes = self.changes.iter().map(|change| {
            let Change { action, before, after, references, aliases, .. } = change;
            json!({ "action": action, "before": before, "after": after, "references": references, "aliases": aliases })
        });
        Digest::of_json(&Value::Array(changes.collect()))
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
    /// Aliases that will name another version than now.
    pub aliases: Vec<PlannedMove>,
    /// What an update changes, as lines; empty for the other actions.
    pub diff: Vec<DiffLine>,
    /// What may be meant otherwise, and keeps nothing from being applied.
    pub warnings: Vec<String>,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedMove {
    pub alias: Name,
    /// Absent when the alias is new.
    pub from: Option<u32>,
    pub to: u32,
}

/// Plans all manifests together, so that their references may be in any order.
pub(crate) async fn plan(world: &mut World<'_>, manifests: &[Manifest], naming: Naming<'_>) -> Result<Plan, RegistryFault> {
    let mut changes = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        let change = first_draft(world, manifest).await?;
        let (references, aliases) = (manifest.spec.references.clone(), manifest.aliases.clone());
        let planned = Planned { pin: change.after.clone(), references, aliases };
        world.planned.insert((manifest.kind, manifest.name.clone()), planned);
        changes.push(change);
    }
    let mut problems = Vec::new();
    for (change, manifest) in changes.iter_mut().zip(manifests) {
        change.references = resolve_references(world, manifest, &mut problems).await?;
        change.warnings = missing_mentions(world, manifest).await?;
    }
    for (change, shared) in changes.iter_mut().zip(naming.shared(world, manifests).await?) {
        change.warnings.extend(shared);
    }
    problems.extend(naming.problems(world, manifests).await?);
    if problems.is_empty() {
        find_cycles(world, &changes, &mut problems).await?;
    }
    if problems.is_empty() { Ok(Plan { changes }) } else { Err(RegistryFault::Rejected { problems }) }
}

/// The change without its references, which need every other draft's.
async fn first_draft(world: &mut World<'_>, manifest: &Manifest) -> Result<Change, RegistryFault> {
    let Manifest { origin, kind, name, description, aliases, spec } = manifest;
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
    let aliases = moves(world, current.as_ref(), aliases, number).await?;
    Ok(Change {
        origin: origin.clone(),
        action,
        kind: *kind,
        name: name.clone(),
        before: current.map(|current| pin(current.number, current.digest)),
        after: pin(number, digest),
        references: Vec::new(),
        aliases,
        diff,
        warnings: Vec::new(),
        description: description.clone(),
        canonical: canonical_json(&spec.canonical),
    })
}

async fn moves(
    world: &mut World<'_>,
    current: Option<&Current>,
    aliases: &[Name],
    to: u32,
) -> Result<Vec<PlannedMove>, RegistryFault> {
    let known = match current {
        Some(current) if !aliases.is_empty() => world.reads.aliases(current.id).await?,
        _ => Vec::new(),
    };
    let step = |alias: &Name| {
        let from = known.iter().find(|known| known.name == *alias).map(|known| known.number);
        PlannedMove { alias: alias.clone(), from, to }
    };
    Ok(aliases.iter().map(step).filter(|step| step.from != Some(to)).collect())
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

/// Those that are not there yet may come later, so they are no reason to refuse.
async fn missing_mentions(world: &mut World<'_>, manifest: &Manifest) -> Result<Vec<String>, RegistryFault> {
    let mut warnings = Vec::new();
    for mention in &manifest.spec.mentions {
        match world.resolve(mention.kind, &mention.target).await {
            Ok(_) => {}
            Err(fault @ (RegistryFault::NotFound { .. } | RegistryFault::VersionNotFound { .. })) => {
                warnings.push(format!("spec.{}: {fault}", mention.path));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(warnings)
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
