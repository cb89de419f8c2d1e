//! What a forgetting is about, as it is kept until it has ended.

use std::collections::BTreeSet;

use mainspring_kernel::{Actor, Digest, Name, Timestamp};
use serde::{Deserialize, Serialize};

use super::{RemovedRows, states::DroppedState};
use crate::{
    fault::KnowledgeFault,
    gone::{self, Former, Means, Stone},
    model::{DocumentId, KnowledgeKey},
    service::Inner,
};

/// What is to be done, as it is kept until it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub documents: Vec<DocumentId>,
    /// What these were before they were moved.
    #[serde(default)]
    pub former: Vec<Former>,
    /// Some of them are gone from their source, or were moved in it.
    #[serde(default)]
    pub gone: bool,
    /// Buried with what is written down here.
    #[serde(skip)]
    pub stones: Vec<Stone>,
    pub texts: Vec<Digest>,
    pub not_found: Vec<DocumentId>,
    pub readmit: bool,
    pub by: String,
    /// Added to by each process that is at it: one that takes over finds only what is left.
    #[serde(default)]
    pub so_far: SoFar,
}

/// What was found and removed, written down before it goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SoFar {
    pub(super) rows: Vec<RemovedRows>,
    pub(super) dropped: Vec<DroppedState>,
}

impl SoFar {
    pub(super) fn of(&mut self, table: &Name) -> &mut RemovedRows {
        let at = self.rows.iter().position(|rows| rows.table == *table).unwrap_or_else(|| {
            self.rows.push(RemovedRows { table: table.clone(), rows: 0, pruned_versions: 0, freed_bytes: 0, left: 0 });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    pub(super) fn drops(&mut self, states: &[DroppedState]) {
        for state in states {
            if !self.dropped.iter().any(|known| known.table == state.table && known.run == state.run) {
                self.dropped.push(state.clone());
            }
        }
    }
}

impl Wanted {
    /// Adds a document with the texts it has and had; false where there is none that the actor may see.
    pub(super) async fn takes(
        &mut self,
        inner: &Inner,
        actor: &Actor,
        key: &KnowledgeKey,
        meant: (&DocumentId, Means),
    ) -> Result<bool, KnowledgeFault> {
        let Some(found) = gone::find(inner, actor, key, meant).await? else { return Ok(false) };
        self.documents.push(found.document);
        self.texts.extend(found.texts);
        self.former.extend(found.former);
        self.gone |= !found.stones.is_empty() || !self.former.is_empty();
        self.stones.extend(found.stones);
        Ok(true)
    }

    /// One document may have been named by several of its ids.
    pub(super) fn sort(&mut self) {
        self.documents.sort_unstable();
        self.documents.dedup();
        self.former.sort_by(|a, b| (&a.document, b.gone).cmp(&(&b.document, a.gone)));
        self.former.dedup_by(|a, b| a.document == b.document);
        self.former.retain(|former| self.documents.binary_search(&former.document).is_err());
    }

    /// Every id that they have or had.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &DocumentId> {
        self.documents.iter().chain(self.former.iter().map(|former| &former.document))
    }

    /// Ids that are nobody else's: whatever has one goes.
    pub(crate) fn whole(&self) -> impl Iterator<Item = &DocumentId> {
        self.documents.iter().chain(self.former.iter().filter(|former| !former.outlived).map(|former| &former.document))
    }

    /// Ids that another document has by now.
    pub(crate) fn outlived(&self) -> impl Iterator<Item = &DocumentId> {
        self.former.iter().filter(|former| former.outlived).map(|former| &former.document)
    }

    /// The same, in a state that was begun before they were gone: it is not that one's yet.
    pub(super) fn outlived_in(&self, made: Option<Timestamp>) -> Vec<DocumentId> {
        let outlived = self.former.iter().filter(|former| former.outlived);
        outlived.filter(|former| made.is_none_or(|made| made <= former.gone)).map(|former| former.document.clone()).collect()
    }

    /// Every id of the document that has this one, or had it.
    pub(super) fn ids_of(&self, id: &DocumentId) -> BTreeSet<DocumentId> {
        let mut same = BTreeSet::from([id.clone()]);
        loop {
            let before = same.len();
            for Former { document, became, .. } in &self.former {
                if same.contains(document) || same.contains(became) {
                    same.extend([document.clone(), became.clone()]);
                }
            }
            if same.len() == before {
                return same;
            }
        }
    }
}
