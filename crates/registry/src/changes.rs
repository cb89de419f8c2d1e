//! What moved in a project within a stretch of time: for whoever asks what came before something else.

use mainspring_kernel::{Actor, AssetKind, Name, Role, Timestamp, id::PrincipalId};

use crate::{Registry, RegistryFault, apply::needs, store::Reads};

/// An alias that moved, or a version that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub kind: AssetKind,
    pub name: Name,
    /// Absent for a version that was made.
    pub alias: Option<Name>,
    /// Absent where there was none before.
    pub from: Option<u32>,
    /// Absent where an alias was taken away.
    pub to: Option<u32>,
    pub at: Timestamp,
    pub by: PrincipalId,
    pub message: String,
}

impl Registry {
    /// Of assets of these kinds, after `since` and until `until`, newest first; of aliases and of versions so many at most.
    pub async fn changed_between(
        &self,
        actor: &Actor,
        (since, until): (Timestamp, Timestamp),
        (kinds, limit): (&[AssetKind], usize),
    ) -> Result<Vec<Changed>, RegistryFault> {
        needs(actor, Role::Reader)?;
        let mut reads = Reads::Catalog(&self.catalog);
        let mut changed = reads.moved_between(actor.project, (since, until), (kinds, limit)).await?;
        changed.extend(reads.made_between(actor.project, (since, until), (kinds, limit)).await?);
        changed.sort_by_key(|changed| std::cmp::Reverse(changed.at));
        Ok(changed)
    }
}
