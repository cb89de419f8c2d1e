//! The registry, and the one way versions come to be.

use std::sync::Arc;

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, Tx};
use mainspring_kernel::{Actor, AssetKind, Clock, Digest, Labels, Role, id::AssetId};
use serde_json::{Value, json};

use crate::{
    fault::RegistryFault,
    manifest::{self, BYTES_MAX, DRAFTS_MAX, Draft, Manifest},
    model::Version,
    naming::{ModelNames, Naming},
    plan::{self, Action, Change, Plan, PlannedMove},
    spec::{KindDescriptor, ParsedSpec, SpecFault},
    store::{self, Move, Reads, VersionRow},
    world::World,
};

const MESSAGE_MAX: usize = 2_000;
/// Their assets see every trace of the project, whoever made them: a monitor counts them, and a receiver is told of what was
/// counted. Whoever sees less must not ask through them.
const SEEING_ALL: [AssetKind; 2] = [AssetKind::Monitor, AssetKind::Receiver];

/// Assets, versions, aliases, references and runs of every project. Clones share everything.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<dyn Clock>,
    kinds: Arc<[KindDescriptor]>,
    audit: Option<Arc<dyn AuditTrail>>,
    models: Option<Arc<dyn ModelNames>>,
}

impl Registry {
    #[must_use]
    pub fn open(catalog: Catalog, clock: Arc<dyn Clock>, kinds: Vec<KindDescriptor>) -> Self {
        Self { catalog, clock, kinds: kinds.into(), audit: None, models: None }
    }

    /// Leaves an entry in the audit log with every change of an asset or an alias.
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<dyn AuditTrail>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Refuses specs that name a model which nobody has.
    #[must_use]
    pub fn with_models(mut self, models: Arc<dyn ModelNames>) -> Self {
        self.models = Some(models);
        self
    }

    fn naming(&self) -> Naming<'_> {
        Naming { models: self.models.as_deref(), kinds: &self.kinds }
    }

    #[must_use]
    pub fn kinds(&self) -> &[KindDescriptor] {
        &self.kinds
    }

    pub fn descriptor(&self, kind: AssetKind) -> Result<&KindDescriptor, RegistryFault> {
        self.kinds.iter().find(|known| known.kind == kind).ok_or(RegistryFault::UnsupportedKind { kind })
    }

    /// The JSON Schema of a kind's manifests.
    pub fn schema(&self, kind: AssetKind) -> Result<Value, RegistryFault> {
        Ok(self.descriptor(kind)?.manifest_schema())
    }

    /// A stored spec, read by its kind again.
    pub fn parse_spec(&self, version: &Version) -> Result<ParsedSpec, RegistryFault> {
        let parse = self.descriptor(version.pin.kind)?.parse;
        parse(&version.spec).map_err(|SpecFault { problems }| RegistryFault::Rejected {
            problems: problems
                .into_iter()
                .map(|found| crate::Problem {
                    origin: version.pin.to_string(),
                    path: found.path,
                    kind: crate::ProblemKind::Spec,
                    message: found.message,
                })
                .collect(),
        })
    }

    /// What `apply` would do, without doing it.
    pub async fn plan(&self, actor: &Actor, drafts: &[Draft]) -> Result<Plan, RegistryFault> {
        needs(actor, Role::Reader)?;
        let manifests = self.check(drafts).await?;
        let mut world = World::new(Reads::Catalog(&self.catalog), actor.project);
        plan::plan(&mut world, &manifests, self.naming()).await
    }

    /// Makes the drafts so: all of them, or none and every reason why.
    pub async fn apply(&self, actor: &Actor, drafts: &[Draft], message: &str) -> Result<Plan, RegistryFault> {
        self.apply_planned(actor, drafts, message, None).await
    }

    /// Like `apply`, if what it would do now is still what was planned.
    #[tracing::instrument(skip_all, fields(project.id = %actor.project, registry.drafts = drafts.len()))]
    pub async fn apply_planned(
        &self,
        actor: &Actor,
        drafts: &[Draft],
        message: &str,
        expected: Option<Digest>,
    ) -> Result<Plan, RegistryFault> {
        needs(actor, Role::Editor)?;
        fits("the message", MESSAGE_MAX, message.len())?;
        let manifests = self.check(drafts).await?;
        let manifests = &manifests;
        self.catalog
            .transact(|mut tx| async move {
                let mut world = World::new(Reads::Tx(&mut tx), actor.project);
                let plan = plan::plan(&mut world, manifests, self.naming()).await?;
                if expected.is_some_and(|expected| expected != plan.digest()) {
                    return Err(RegistryFault::PlanMoved);
                }
                sees_enough(actor, &plan)?;
                self.write(&mut tx, actor, &plan, message).await?;
                Ok((tx, plan))
            })
            .await
    }

    /// Parsing may take long: templates are compiled and schemas walked.
    async fn check(&self, drafts: &[Draft]) -> Result<Vec<Manifest>, RegistryFault> {
        fits("the drafts", DRAFTS_MAX, drafts.len())?;
        let size = drafts.iter().map(|draft| size(&draft.value)).sum();
        fits("the drafts", BYTES_MAX, size)?;
        let (kinds, drafts) = (self.kinds.clone(), drafts.to_vec());
        tokio::task::spawn_blocking(move || manifest::parse_all(&kinds, &drafts))
            .await
            .map_err(|_| RegistryFault::Interrupted)?
            .map_err(|problems| RegistryFault::Rejected { problems })
    }

    async fn write(&self, tx: &mut Tx, actor: &Actor, plan: &Plan, message: &str) -> Result<(), RegistryFault> {
        let now = self.clock.now();
        let changed = || plan.changes.iter().filter(|change| change.action != Action::Unchanged);
        // Assets and versions first: references among them may point either way.
        for change in changed() {
            let asset = match change.action {
                Action::Create => {
                    let asset = AssetId::new(now);
                    store::insert_asset(tx, actor.project, (asset, change.kind, &change.name), now).await?;
                    asset
                }
                Action::Update | Action::Unchanged => {
                    let asset = self.asset_in(tx, actor, change).await?;
                    store::advance_asset(tx, asset, change.after.number, now).await?;
                    asset
                }
            };
            let row = VersionRow {
                asset,
                number: change.after.number,
                digest: change.after.digest,
                description: change.description.as_deref(),
                spec: &change.canonical,
                author: actor.principal,
                message,
                created: now,
            };
            store::insert_version(tx, row).await?;
        }
        for change in changed() {
            self.write_references(tx, actor, change).await?;
            let detail = json!({ "action": change.action, "number": change.after.number, "digest": change.after.digest });
            self.record(tx, actor, "asset.apply", change.after.to_string(), detail).await?;
        }
        for change in plan.changes.iter().filter(|change| !change.aliases.is_empty()) {
            self.write_aliases(tx, actor, change, message).await?;
        }
        Ok(())
    }

    async fn write_aliases(&self, tx: &mut Tx, actor: &Actor, change: &Change, message: &str) -> Result<(), RegistryFault> {
        let asset = self.asset_in(tx, actor, change).await?;
        let now = self.clock.now();
        for PlannedMove { alias, from, to } in &change.aliases {
            let step = Move { asset, alias, from: *from, to: Some(*to), now, by: actor.principal, message };
            store::move_alias(tx, step).await?;
            let subject = format!("{} {}@{alias}", change.kind, change.name);
            self.record(tx, actor, "alias.set", subject, json!({ "from": from, "to": to })).await?;
        }
        Ok(())
    }

    async fn write_references(&self, tx: &mut Tx, actor: &Actor, change: &Change) -> Result<(), RegistryFault> {
        if change.references.is_empty() {
            return Ok(());
        }
        let from = self.asset_in(tx, actor, change).await?;
        for (ordinal, reference) in change.references.iter().enumerate() {
            let mut world = World::new(Reads::Tx(tx), actor.project);
            let to = world.asset_id(reference.kind, &reference.pin.name).await?;
            store::insert_reference(tx, (from, change.after.number, ordinal), reference, to).await?;
        }
        Ok(())
    }

    async fn asset_in(&self, tx: &mut Tx, actor: &Actor, change: &Change) -> Result<AssetId, RegistryFault> {
        World::new(Reads::Tx(tx), actor.project).asset_id(change.kind, &change.name).await
    }

    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &'static str,
        subject: String,
        detail: Value,
    ) -> Result<(), RegistryFault> {
        match &self.audit {
            Some(audit) => Ok(audit.record(tx, actor, AuditEntry { action, subject, detail }).await?),
            None => Ok(()),
        }
    }
}

pub(crate) fn needs(actor: &Actor, needed: Role) -> Result<(), RegistryFault> {
    if actor.may(needed) { Ok(()) } else { Err(RegistryFault::Forbidden { needed }) }
}

/// Those that stay as they are may stand among the drafts.
fn sees_enough(actor: &Actor, plan: &Plan) -> Result<(), RegistryFault> {
    if actor.labels == Labels::All {
        return Ok(());
    }
    let mut changed = plan.changes.iter().filter(|change| change.action != Action::Unchanged);
    match changed.find(|change| SEEING_ALL.contains(&change.kind)) {
        Some(change) => Err(RegistryFault::Unseen { kind: change.kind, name: change.name.clone() }),
        None => Ok(()),
    }
}

pub(crate) fn fits(what: &'static str, limit: usize, given: usize) -> Result<(), RegistryFault> {
    if given <= limit { Ok(()) } else { Err(RegistryFault::TooLarge { what, limit, given }) }
}

/// About how many bytes a value takes as text, without writing it.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
    }
}
