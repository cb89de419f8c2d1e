//! Removing documents from everywhere: rows, indexes, tagged states, texts, catalog. What was to be removed
//! is written down first, so a forgetting that is broken off is taken up again at the next start.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mainspring_kernel::{Actor, Digest, Fault as _, Id, IdKind, Name, Timestamp, id::ProjectId};
use mainspring_lake::{LakeFault, LakeVersion, Table, UpkeepPolicy};
use mainspring_llm::TablePin;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    fault::KnowledgeFault,
    ingest::{Hold, patiently},
    model::{Document, DocumentId, DocumentStatus, KnowledgeKey},
    service::Inner,
    store::{self, document, held},
    table,
};

#[derive(Debug)]
enum ReceiptKind {}
impl IdKind for ReceiptKind {
    const PREFIX: &'static str = "fgt";
}

/// What is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetRequest {
    pub documents: Vec<DocumentId>,
    /// Everything that came from this source.
    pub source: Option<String>,
    /// Leave no tombstones: the next ingestion may take the documents in again.
    pub readmit: bool,
}

/// What is to be done, as it is kept until it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub documents: Vec<DocumentId>,
    pub texts: Vec<Digest>,
    pub not_found: Vec<DocumentId>,
    pub readmit: bool,
    pub by: String,
}

impl Wanted {
    /// Adds a document with the texts it has and had; false where there is none that the actor may see.
    async fn takes(&mut self, inner: &Inner, actor: &Actor, key: &KnowledgeKey, id: &DocumentId) -> Result<bool, KnowledgeFault> {
        let found = document::get(&inner.catalog, key, None, id).await?;
        let seen = |found: &Document| found.status != DocumentStatus::Forgotten && actor.labels.may_see(&found.labels);
        let Some(found) = found.filter(seen) else { return Ok(false) };
        self.texts.extend(found.parsed);
        self.texts.extend(document::released_by(&inner.catalog, id).await?);
        self.documents.push(id.clone());
        Ok(true)
    }
}

/// A state of a table that held a forgotten document and is gone now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedState {
    pub table: Name,
    pub version: u64,
    pub transaction: String,
    /// The run that ended on it.
    pub run: String,
    pub rows: u64,
}

impl DroppedState {
    /// Answers given from this state cannot be replayed any more.
    #[must_use]
    pub fn pin(&self) -> TablePin {
        TablePin { table: self.table.clone(), version: self.version, transaction: self.transaction.clone() }
    }
}

/// What was removed from one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedRows {
    pub table: Name,
    pub rows: u64,
    /// States, tagged or not, that were cleaned up with it.
    pub pruned_versions: u64,
    pub freed_bytes: u64,
    /// Rows of these documents that are still there: none, or something is wrong.
    pub left: u64,
}

/// Proof of a forgetting. Names documents by id only: their names are forgotten too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub id: String,
    pub knowledge: Name,
    pub by: String,
    pub started: Timestamp,
    pub finished: Timestamp,
    pub documents: Vec<DocumentId>,
    pub not_found: Vec<DocumentId>,
    pub rows: Vec<RemovedRows>,
    /// Texts removed; one that another document shares stays, and is counted in `shared_texts`.
    pub texts: u64,
    pub shared_texts: u64,
    /// Answers that read one of these cannot be replayed. Searches between two runs read states that no
    /// run ended on; all of those are gone as well.
    pub dropped_states: Vec<DroppedState>,
    /// The next ingestion keeps the documents out.
    pub tombstones: bool,
    /// Spans of traces that lost what they showed of the documents, as they were counted when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_spans: Option<u64>,
}

/// A forgetting that was carried out here, for the rooms that kept something of its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    pub receipt: String,
    pub project: ProjectId,
    pub documents: Vec<DocumentId>,
}

pub(crate) async fn forget(
    inner: &Arc<Inner>,
    actor: &Actor,
    name: &Name,
    request: &ForgetRequest,
) -> Result<Receipt, KnowledgeFault> {
    let key = inner.existing(actor, name).await?;
    let wanted = wanted(inner, actor, &key, request).await?;
    let id = Id::<ReceiptKind>::new(inner.clock.now()).to_string();
    let (taken, wanted) = (&id, &wanted);
    inner
        .catalog
        .transact::<(), KnowledgeFault, _>(|mut tx| {
            let key = &key;
            async move {
                let now = inner.clock.now();
                Hold::take_in(&mut tx, inner, key, taken).await?;
                store::receipt::insert(&mut tx, key, taken, wanted, now).await?;
                bury(&mut tx, key, wanted, now).await?;
                let detail = json!({ "receipt": taken, "tombstones": !wanted.readmit });
                inner.record(&mut tx, actor, "knowledge.forget", (key, detail)).await?;
                Ok((tx, ()))
            }
        })
        .await?;
    carry_out(inner, &Hold::taken(inner, &key, id.clone()), &id, wanted).await
}

async fn wanted(inner: &Inner, actor: &Actor, key: &KnowledgeKey, request: &ForgetRequest) -> Result<Wanted, KnowledgeFault> {
    if request.documents.is_empty() && request.source.is_none() {
        let reason = "name documents or a source".to_owned();
        return Err(KnowledgeFault::BadRequest { field: "documents", reason });
    }
    let mut wanted = Wanted {
        documents: Vec::new(),
        texts: Vec::new(),
        not_found: Vec::new(),
        readmit: request.readmit,
        by: actor.principal.to_string(),
    };
    let mut ids: BTreeSet<DocumentId> = request.documents.iter().cloned().collect();
    for id in &ids {
        if !wanted.takes(inner, actor, key, id).await? {
            wanted.not_found.push(id.clone());
        }
    }
    if let Some(source) = &request.source {
        let mut any = false;
        for id in document::ids_of_source(&inner.catalog, key, source).await? {
            // One the actor may not see is not there, and nothing says its id.
            any |= !ids.insert(id.clone()) || wanted.takes(inner, actor, key, &id).await?;
        }
        if !any {
            return Err(KnowledgeFault::SourceNotFound { key: source.clone() });
        }
        wanted.documents.sort_unstable();
    }
    if wanted.documents.is_empty() {
        let id = wanted.not_found.first().map(ToString::to_string).unwrap_or_default();
        return Err(KnowledgeFault::DocumentNotFound { id });
    }
    Ok(wanted)
}

/// Tombstones first: from here on no search gives the documents out and no ingestion brings them back.
async fn bury(
    tx: &mut mainspring_catalog::Tx,
    key: &KnowledgeKey,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(), KnowledgeFault> {
    for id in &wanted.documents {
        document::forget(tx, key, id, now).await?;
    }
    store::run::forget(tx, key, &wanted.documents).await?;
    Ok(())
}

async fn carry_out(inner: &Arc<Inner>, hold: &Hold, id: &str, wanted: &Wanted) -> Result<Receipt, KnowledgeFault> {
    let key = hold.key();
    let started = inner.clock.now();
    for text in &wanted.texts {
        inner.texts.forget(text);
    }
    let (mut rows, mut dropped) = (Vec::new(), Vec::new());
    for row in held::tables(&inner.catalog, key).await? {
        match inner.lake.open_existing(&row.table).await {
            Ok(table) => {
                let (removed, states) = from_table(inner, table.as_ref(), &wanted.documents).await?;
                rows.push(removed);
                dropped.extend(states);
            }
            Err(LakeFault::NoTable { .. }) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let (texts, shared_texts) = remove_texts(inner, &wanted.texts).await?;
    let receipt = Receipt {
        id: id.to_owned(),
        knowledge: key.name.clone(),
        by: wanted.by.clone(),
        started,
        finished: inner.clock.now(),
        documents: wanted.documents.clone(),
        not_found: wanted.not_found.clone(),
        rows,
        texts,
        shared_texts,
        dropped_states: dropped,
        tombstones: !wanted.readmit,
        removed_spans: None,
    };
    let kept = &receipt;
    inner
        .catalog
        .transact::<(), KnowledgeFault, _>(|mut tx| async move {
            if wanted.readmit {
                for id in &wanted.documents {
                    document::delete(&mut tx, key, id, true).await?;
                }
            }
            store::receipt::finish(&mut tx, id, kept, kept.finished).await?;
            held::free(&mut tx, key, hold.by()).await?;
            Ok((tx, ()))
        })
        .await?;
    if let Err(fault) = inner.catalog.scrub().await {
        tracing::warn!(
            code = fault.code(),
            receipt = id,
            "names of what was forgotten are still in the catalog's log; upkeep removes them"
        );
    }
    Ok(receipt)
}

const AT_ONCE: usize = 500;

/// Rows out of the newest state, then every older state that held them, then the files themselves.
async fn from_table(
    inner: &Inner,
    table: &dyn Table,
    documents: &[DocumentId],
) -> Result<(RemovedRows, Vec<DroppedState>), KnowledgeFault> {
    let mut removed = 0;
    for some in documents.chunks(AT_ONCE) {
        let delete = table::of_documents(some);
        let commit = patiently(inner, || async { Ok(table.replace(delete.clone(), None).await?) }).await?;
        removed += commit.deleted;
    }
    let dropped = drop_states(table, documents).await?;
    let everything = UpkeepPolicy { fragments: 1, unindexed_rows: 1, keep_versions_for: Duration::ZERO };
    let mut left = 0;
    let (mut pruned_versions, mut freed_bytes) = (0, 0);
    // The second round takes the files that the first one replaced.
    for _ in 0..2 {
        let done = patiently(inner, || async { Ok(table.upkeep(&everything).await?) }).await?;
        pruned_versions += done.pruned_versions;
        freed_bytes += done.freed_bytes;
    }
    for some in documents.chunks(AT_ONCE) {
        left += table.count(table::of_documents(some)).await?;
    }
    retag(inner, table).await?;
    Ok((RemovedRows { table: table.name().clone(), rows: removed, pruned_versions, freed_bytes, left }, dropped))
}

/// Lets go of every tag whose state holds a document: the states that never held one stay replayable.
async fn drop_states(table: &dyn Table, documents: &[DocumentId]) -> Result<Vec<DroppedState>, KnowledgeFault> {
    let mut dropped = Vec::new();
    for (tag, version) in table.tags().await? {
        let state = table.at(&version).await?;
        let mut rows = 0;
        for some in documents.chunks(AT_ONCE) {
            rows += state.count(table::of_documents(some)).await?;
        }
        if rows > 0 {
            table.untag(&tag).await?;
            let LakeVersion { number, transaction } = version;
            dropped.push(DroppedState { table: table.name().clone(), version: number, transaction, run: tag, rows });
        }
    }
    Ok(dropped)
}

/// The state that is left is what searches read now: answers from it can be replayed again.
async fn retag(inner: &Inner, table: &dyn Table) -> Result<(), KnowledgeFault> {
    let version = table.version().await?;
    let tag = format!("forget-{}", inner.clock.now().as_micros());
    Ok(table.tag(&tag, &version).await?)
}

/// A text goes unless a document that stays has the same.
async fn remove_texts(inner: &Inner, texts: &[Digest]) -> Result<(u64, u64), KnowledgeFault> {
    let (mut removed, mut shared) = (0, 0);
    for text in texts.iter().collect::<BTreeSet<_>>() {
        if document::shares_parsed(&inner.catalog, text).await? {
            shared += 1;
        } else {
            inner.blobs.delete(text).await?;
            removed += 1;
        }
        let unlisted = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
            document::unlist_released(&mut tx, text).await?;
            Ok((tx, ()))
        });
        unlisted.await?;
    }
    Ok((removed, shared))
}

/// Finishes what a dead process began.
pub(crate) async fn resume(inner: &Arc<Inner>) -> Result<(), KnowledgeFault> {
    for (id, key, wanted) in store::receipt::pending(&inner.catalog).await? {
        match Hold::take(inner, &key, id.clone()).await {
            Ok(hold) => {
                Box::pin(carry_out(inner, &hold, &id, &wanted)).await?;
            }
            // Somebody alive is at it.
            Err(KnowledgeFault::Busy { .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

pub(crate) async fn amend(inner: &Inner, receipt: &Receipt) -> Result<(), KnowledgeFault> {
    let amended = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        store::receipt::finish(&mut tx, &receipt.id, receipt, receipt.finished).await?;
        Ok((tx, ()))
    });
    amended.await
}
