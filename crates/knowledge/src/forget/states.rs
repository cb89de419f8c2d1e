//! States of a table that hold a document which is to be forgotten.

use mainspring_kernel::Name;
use mainspring_lake::{LakeVersion, Table};
use mainspring_llm::TablePin;
use serde::{Deserialize, Serialize};

use super::{
    rows_of,
    wanted::{SoFar, Wanted},
};
use crate::{fault::KnowledgeFault, model::DocumentId, upkeep};

/// A state of a table that held a forgotten document and is gone now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedState {
    pub table: Name,
    pub version: u64,
    pub transaction: String,
    /// The run that ended on it.
    pub run: String,
    /// Of these documents. None where it showed nothing of them any more, but its files still held what was deleted.
    pub rows: u64,
}

impl DroppedState {
    /// Answers given from this state cannot be replayed any more.
    #[must_use]
    pub fn pin(&self) -> TablePin {
        TablePin { table: self.table.clone(), version: self.version, transaction: self.transaction.clone() }
    }
}

/// Every tag whose state shows one of the documents, and of those since every one whose files hold rows that it does not show:
/// they may be theirs. The states from before they were there stay replayable.
pub(super) async fn holding(
    table: &dyn Table,
    documents: &[DocumentId],
    (wanted, so_far): (&Wanted, &SoFar),
) -> Result<Vec<DroppedState>, KnowledgeFault> {
    let (mut holding, mut thinned) = (Vec::new(), Vec::new());
    for (tag, version) in table.tags().await? {
        let state = table.at(&version).await?;
        let outlived = wanted.outlived_in(upkeep::made_at(&tag));
        let rows = rows_of(state.as_ref(), documents).await? + rows_of(state.as_ref(), &outlived).await?;
        let LakeVersion { number, transaction } = version;
        let found = DroppedState { table: table.name().clone(), version: number, transaction, run: tag, rows };
        if rows > 0 {
            holding.push(found);
        } else if state.stats().await?.deleted_rows > 0 {
            thinned.push(found);
        }
    }
    // Whoever was at it before may have dropped the first ones.
    let of_table = |state: &&DroppedState| state.table == *table.name();
    let first = holding.iter().chain(so_far.dropped.iter().filter(of_table)).map(|state| state.version).min();
    // States that showed what is gone may be past their retention, while its rows lie in files of later ones.
    let had_rows = so_far.rows.iter().any(|of| of.table == *table.name() && of.rows > 0);
    let since = first.or_else(|| (wanted.gone && !had_rows).then_some(0));
    holding.extend(thinned.into_iter().filter(|state| since.is_some_and(|since| state.version > since)));
    Ok(holding)
}
