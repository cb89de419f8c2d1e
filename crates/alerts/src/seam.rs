//! What alerts need to know of others.

use async_trait::async_trait;
use mainspring_kernel::{
    Actor, AssetKind, Fault, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_registry::{Changed, Registry};

use crate::model::Change;

/// More than this nobody counts.
const CHANGES: usize = 1_000;

/// Whether an asset of a kind can make answers, or what they cost, other than they were. What only looks at them cannot, nor
/// what data is tried out with.
const fn may_cause(kind: AssetKind) -> bool {
    match kind {
        AssetKind::Prompt
        | AssetKind::Policy
        | AssetKind::Chain
        | AssetKind::Knowledge
        | AssetKind::Dataset
        | AssetKind::Model
        | AssetKind::Pipeline
        | AssetKind::App
        | AssetKind::Provider
        | AssetKind::Route
        | AssetKind::Prices => true,
        AssetKind::Suite | AssetKind::Recipe | AssetKind::Monitor | AssetKind::Receiver | AssetKind::Dashboard => false,
    }
}

/// Whoever knows what changed in a project that may be why something is wrong.
#[async_trait]
pub trait Changes: Send + Sync + std::fmt::Debug + 'static {
    /// After the first moment and until the second, newest first.
    async fn between(&self, project: ProjectId, within: (Timestamp, Timestamp)) -> Result<Vec<Change>, Box<dyn Fault>>;
}

#[async_trait]
impl Changes for Registry {
    async fn between(&self, project: ProjectId, within: (Timestamp, Timestamp)) -> Result<Vec<Change>, Box<dyn Fault>> {
        let kinds: Vec<AssetKind> = AssetKind::ALL.into_iter().filter(|kind| may_cause(*kind)).collect();
        let found = self.changed_between(&reader(project), within, (kinds.as_slice(), CHANGES)).await;
        let found = found.map_err(|fault| Box::new(fault) as Box<dyn Fault>)?;
        Ok(found.into_iter().map(change).collect())
    }
}

fn change(changed: Changed) -> Change {
    let Changed { kind, name, alias, from, to, at, by, message } = changed;
    let (kind, name, by) = (Some(kind), name.to_string(), Some(by));
    Change { kind, name, release: None, alias, from, to, at, by, message, named: false }
}

/// Incidents are everybody's in the project: what is read for them is what every reader may see.
pub(crate) const fn reader(project: ProjectId) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(0),
        project,
        role: Role::Reader,
        labels: Labels::none(),
        key: None,
        models: ModelScope::All,
    }
}
