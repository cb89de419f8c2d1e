//! What alerts need to know of others.

use async_trait::async_trait;
use mainspring_kernel::{
    Actor, Fault, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_registry::{Changed, Registry};

use crate::model::Change;

/// More than this nobody reads.
const CHANGES: usize = 200;

/// Whoever knows what changed in a project.
#[async_trait]
pub trait Changes: Send + Sync + std::fmt::Debug + 'static {
    /// After the first moment and until the second, newest first.
    async fn between(&self, project: ProjectId, within: (Timestamp, Timestamp)) -> Result<Vec<Change>, Box<dyn Fault>>;
}

#[async_trait]
impl Changes for Registry {
    async fn between(&self, project: ProjectId, within: (Timestamp, Timestamp)) -> Result<Vec<Change>, Box<dyn Fault>> {
        let found = self.changed_between(&reader(project), within, CHANGES).await;
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
