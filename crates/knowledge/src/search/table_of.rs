//! Which table a search reads, and at which version.

use std::sync::Arc;

use mainspring_kernel::{Actor, AssetKind, AssetRef};
use mainspring_lake::{LakeFault, LakeVersion, Table};
use mainspring_llm::{TablePin, Unread};
use mainspring_registry::Version;

use super::unread;
use crate::{
    fault::KnowledgeFault,
    model::KnowledgeKey,
    service::Inner,
    spec::KnowledgeSpec,
    store::{State, TableRow, held},
};

/// A state of a knowledge that does not move while a search reads it.
pub(super) struct Opened {
    pub key: KnowledgeKey,
    pub version: Version,
    pub spec: KnowledgeSpec,
    pub row: TableRow,
    pub snapshot: Arc<dyn Table>,
    pub pin: TablePin,
    /// As far as it is known without asking.
    pub unread: Option<Unread>,
}

pub(super) async fn open(
    inner: &Inner,
    actor: &Actor,
    target: &AssetRef,
    at: Option<&TablePin>,
) -> Result<Opened, KnowledgeFault> {
    let key = KnowledgeKey::new(actor.project, target.name.clone());
    let (version, tables, state) = tokio::try_join!(
        async { inner.registry.get(actor, AssetKind::Knowledge, target).await.map_err(KnowledgeFault::from) },
        async { Ok(held::tables(&inner.catalog, &key).await?) },
        async { Ok(held::find(&inner.catalog, &key).await?) },
    )?;
    let spec = inner.spec_of(&version)?;
    let name = || key.name.to_string();
    // How far it was at the time of a pin nobody knows any more.
    let unread = if at.is_none() { unread::at_hand(inner, actor, (&version, &spec), state.as_ref()) } else { None };
    let (row, snapshot, state) = match at {
        Some(pin) => {
            // Only tables of this very knowledge: a pin comes from outside and could name anybody's.
            let row = tables.into_iter().find(|row| row.table == pin.table);
            let row = row.ok_or_else(|| KnowledgeFault::PinGone { name: name() })?;
            let state = LakeVersion { number: pin.version, transaction: pin.transaction.clone() };
            let gone = |fault| match fault {
                LakeFault::NoVersion { .. } | LakeFault::NoTable { .. } => KnowledgeFault::PinGone { name: name() },
                other => KnowledgeFault::Lake(other),
            };
            let table = inner.lake.open_existing(&row.table).await.map_err(gone)?;
            let snapshot = table.at(&state).await.map_err(gone)?;
            (row, snapshot, state)
        }
        None => {
            let row = searched(state.as_ref(), tables).ok_or_else(|| KnowledgeFault::NotIngested { name: name() })?;
            let table = inner.lake.open_existing(&row.table).await.map_err(|fault| match fault {
                LakeFault::NoTable { .. } => KnowledgeFault::NotIngested { name: name() },
                other => KnowledgeFault::Lake(other),
            })?;
            let snapshot = table.snapshot().await?;
            let state = snapshot.version().await?;
            (row, snapshot, state)
        }
    };
    let pin = TablePin { table: row.table.clone(), version: state.number, transaction: state.transaction };
    Ok(Opened { key, version, spec, row, snapshot, pin, unread })
}

/// The active table: the one that was built last, whichever version of the spec is asked.
fn searched(state: Option<&State>, tables: Vec<TableRow>) -> Option<TableRow> {
    let active = state?.active_table.as_ref()?;
    tables.into_iter().find(|row| row.table == *active)
}
