//! Removing documents from everywhere: rows, indexes, tagged states, texts, catalog. What was to be removed
//! is written down first, so a forgetting that is broken off is taken up again at the next start.

mod states;
mod wanted;

use std::{collections::BTreeSet, iter::once, sync::Arc, time::Duration};

use mainspring_kernel::{Actor, Digest, Fault as _, Id, IdKind, Name, Timestamp, id::ProjectId};
use mainspring_lake::{LakeFault, Table, UpkeepPolicy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    fault::KnowledgeFault,
    gone::{Former, Means, Stone},
    ingest::{Hold, patiently},
    kept,
    model::{DocumentId, KnowledgeKey},
    service::Inner,
    store::{self, TableState, document, gone_document, held},
    table,
};
pub use states::DroppedState;
use wanted::SoFar;
pub(crate) use wanted::Wanted;

#[derive(Debug)]
enum ReceiptKind {}
impl IdKind for ReceiptKind {
    const PREFIX: &'static str = "fgt";
}

/// What is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetRequest {
    /// Also those that are gone from their source. One that was moved goes wherever it is, and under every id it had.
    pub documents: Vec<DocumentId>,
    /// Everything that came from this source, also what is gone from it.
    pub source: Option<String>,
    /// Leave no tombstones: the next ingestion may take the documents in again.
    pub readmit: bool,
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
    /// Ids that these had before they were moved: what was theirs is gone too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<DocumentId>,
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
    /// With the ids they had before they were moved.
    pub documents: Vec<DocumentId>,
    /// Of these ids those that another document has by now: what came after `finished` is of that one.
    pub outlived: Vec<DocumentId>,
    pub finished: Timestamp,
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
        former: Vec::new(),
        gone: false,
        stones: Vec::new(),
        texts: Vec::new(),
        not_found: Vec::new(),
        readmit: request.readmit,
        by: actor.principal.to_string(),
        so_far: SoFar::default(),
    };
    let mut ids: BTreeSet<DocumentId> = request.documents.iter().cloned().collect();
    for id in &ids {
        if !wanted.takes(inner, actor, key, (id, Means::Moved)).await? {
            wanted.not_found.push(id.clone());
        }
    }
    if let Some(source) = &request.source {
        let mut any = false;
        let there = document::ids_of_source(&inner.catalog, key, source).await?;
        let gone = gone_document::ids_of_source(&inner.catalog, key, source).await?;
        for id in there.into_iter().chain(gone) {
            // One the actor may not see is not there, and nothing says its id.
            any |= !ids.insert(id.clone()) || wanted.takes(inner, actor, key, (&id, Means::There)).await?;
        }
        if !any {
            return Err(KnowledgeFault::SourceNotFound { key: source.clone() });
        }
    }
    wanted.sort();
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
    for Stone { document: id, source, labels } in &wanted.stones {
        document::bury(tx, key, id, (source, labels), now).await?;
    }
    let whole: Vec<DocumentId> = wanted.whole().cloned().collect();
    for id in &whole {
        document::forget(tx, key, id, now).await?;
        gone_document::strike(tx, key, id, now).await?;
    }
    for Former { document: id, gone, outlived, .. } in &wanted.former {
        if *outlived {
            gone_document::strike(tx, key, id, *gone).await?;
        }
    }
    store::run::forget(tx, key, &whole).await?;
    Ok(())
}

/// Ends the forgetting, and lets go of the knowledge however that went: what failed is tried again.
async fn carry_out(inner: &Arc<Inner>, hold: &Hold, id: &str, wanted: &Wanted) -> Result<Receipt, KnowledgeFault> {
    let ended = Box::pin(end(inner, hold, id, wanted)).await;
    if ended.is_err()
        && let Err(fault) = hold.let_go().await
    {
        tracing::warn!(code = fault.code(), receipt = id, "a forgetting that failed holds its knowledge until its lease ends");
    }
    ended
}

async fn end(inner: &Arc<Inner>, hold: &Hold, id: &str, wanted: &Wanted) -> Result<Receipt, KnowledgeFault> {
    let key = hold.key();
    let started = inner.clock.now();
    // Not kept up beyond this: the last transaction gives the hold back.
    let (so_far, (texts, shared_texts)) = hold.during(Box::pin(remove(inner, hold, id, wanted))).await?;
    let receipt = Receipt {
        id: id.to_owned(),
        knowledge: key.name.clone(),
        by: wanted.by.clone(),
        started,
        finished: inner.clock.now(),
        documents: wanted.documents.clone(),
        former: wanted.former.iter().map(|former| former.document.clone()).collect(),
        not_found: wanted.not_found.clone(),
        rows: so_far.rows,
        texts,
        shared_texts,
        dropped_states: so_far.dropped,
        tombstones: !wanted.readmit,
        removed_spans: None,
    };
    let (kept, whole) = (&receipt, &wanted.whole().cloned().collect::<Vec<DocumentId>>());
    let finished = inner.catalog.transact::<bool, KnowledgeFault, _>(|mut tx| async move {
        if !held::renew(&mut tx, key, hold.by(), kept.finished).await? {
            return Err(hold.lost());
        }
        let finished = store::receipt::finish(&mut tx, id, kept, kept.finished).await?;
        if finished && wanted.readmit {
            for id in whole {
                document::delete(&mut tx, key, id, true).await?;
            }
        }
        held::free(&mut tx, key, hold.by()).await?;
        Ok((tx, finished))
    });
    if !finished.await? {
        // Somebody else was done before; theirs is the receipt.
        return Ok(store::receipt::get(&inner.catalog, key, id).await?.unwrap_or(receipt));
    }
    if let Err(fault) = inner.catalog.scrub().await {
        tracing::warn!(
            code = fault.code(),
            receipt = id,
            "names of what was forgotten are still in the catalog's log; upkeep removes them"
        );
    }
    Ok(receipt)
}

/// Out of every table, and off the store of texts. Each step may be taken twice, but never by one who lost the hold.
async fn remove(inner: &Inner, hold: &Hold, id: &str, wanted: &Wanted) -> Result<(SoFar, (u64, u64)), KnowledgeFault> {
    for text in &wanted.texts {
        inner.texts.forget(text);
    }
    let mut so_far = wanted.so_far.clone();
    for row in held::tables(&inner.catalog, hold.key()).await? {
        match inner.lake.open_existing(&row.table).await {
            Ok(table) => {
                let table = (table.as_ref(), row.state);
                Box::pin(from_table(inner, table, (hold, id, wanted), &mut so_far)).await?;
            }
            Err(LakeFault::NoTable { .. }) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let texts = remove_texts(inner, hold, &wanted.texts).await?;
    Ok((so_far, texts))
}

const AT_ONCE: usize = 500;

/// Rows out of the newest state, then every older state that held them, then the files themselves.
async fn from_table(
    inner: &Inner,
    (table, state): (&dyn Table, TableState),
    (hold, id, wanted): (&Hold, &str, &Wanted),
    so_far: &mut SoFar,
) -> Result<(), KnowledgeFault> {
    // A table that nothing is written to any more never lost what went from its source since.
    let all = state == TableState::Retired;
    let documents: Vec<DocumentId> = if all { wanted.ids().cloned().collect() } else { wanted.whole().cloned().collect() };
    let documents = &documents;
    let there = patiently(inner, || rows_of(table, documents)).await?;
    let found = so_far.of(table.name());
    // Whoever was at it before may have removed some that they had counted.
    found.rows = found.rows.max(there);
    note(inner, (hold, id, wanted), so_far).await?;
    for some in documents.chunks(AT_ONCE) {
        hold.fence().await?;
        let delete = table::of_documents(some);
        patiently(inner, || async { Ok(table.replace(delete.clone(), None).await?) }).await?;
    }
    let states = states::holding(table, documents, (wanted, &*so_far)).await?;
    so_far.drops(&states);
    note(inner, (hold, id, wanted), so_far).await?;
    for state in &states {
        hold.fence().await?;
        table.untag(&state.run).await?;
    }
    let everything = UpkeepPolicy { fragments: 1, unindexed_rows: 1, keep_versions_for: Duration::ZERO };
    // The second round takes the files that the first one replaced.
    for _ in 0..2 {
        hold.fence().await?;
        let done = patiently(inner, || async { Ok(table.upkeep(&everything).await?) }).await?;
        let found = so_far.of(table.name());
        found.pruned_versions += done.pruned_versions;
        found.freed_bytes += done.freed_bytes;
    }
    // What an ingestion wrote that was broken off is in no state.
    hold.fence().await?;
    let leftovers = patiently(inner, || async { Ok(table.clear_leftovers().await?) }).await?;
    so_far.of(table.name()).freed_bytes += leftovers;
    so_far.of(table.name()).left = rows_of(table, documents).await?;
    note(inner, (hold, id, wanted), so_far).await?;
    retag(inner, table).await
}

/// Keeps what is about to go, or went, for whoever may have to go on from here.
async fn note(inner: &Inner, (hold, id, wanted): (&Hold, &str, &Wanted), so_far: &SoFar) -> Result<(), KnowledgeFault> {
    let noted = Wanted { so_far: so_far.clone(), ..wanted.clone() };
    patiently(inner, || note_now(inner, (hold, id), &noted)).await
}

async fn note_now(inner: &Inner, (hold, id): (&Hold, &str), noted: &Wanted) -> Result<(), KnowledgeFault> {
    let until = inner.clock.now().plus(inner.config.lease);
    let noting = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        if !held::renew(&mut tx, hold.key(), hold.by(), until).await? {
            return Err(hold.lost());
        }
        store::receipt::note(&mut tx, id, noted).await?;
        Ok((tx, ()))
    });
    noting.await
}

async fn rows_of(table: &dyn Table, documents: &[DocumentId]) -> Result<u64, KnowledgeFault> {
    let mut rows = 0;
    for some in documents.chunks(AT_ONCE) {
        rows += table.count(table::of_documents(some)).await?;
    }
    Ok(rows)
}

/// The state that is left is what searches read now: answers from it can be replayed again.
async fn retag(inner: &Inner, table: &dyn Table) -> Result<(), KnowledgeFault> {
    let version = table.version().await?;
    let tag = format!("forget-{}", inner.clock.now().as_micros());
    Ok(table.tag(&tag, &version).await?)
}

/// A text goes unless a document that stays has the same, or is about to.
async fn remove_texts(inner: &Inner, hold: &Hold, texts: &[Digest]) -> Result<(u64, u64), KnowledgeFault> {
    let (mut removed, mut shared) = (0, 0);
    for text in texts.iter().collect::<BTreeSet<_>>() {
        hold.fence().await?;
        if kept::let_go(inner, text).await? {
            removed += 1;
        } else {
            shared += 1;
        }
    }
    Ok((removed, shared))
}

/// Forgets a document for good: what was begun of that is ended first. Answers every id it has or had, as far as one is known,
/// which is so as well when it was forgotten before.
pub(crate) async fn erase(
    inner: &Arc<Inner>,
    actor: &Actor,
    name: &Name,
    id: &DocumentId,
) -> Result<BTreeSet<DocumentId>, KnowledgeFault> {
    let key = inner.existing(actor, name).await?;
    for begun in store::receipt::wanting(&inner.catalog, &key, id).await? {
        if !begun.has_ended {
            Box::pin(resume_one(inner, &key, &begun.id)).await?;
        }
    }
    let request = ForgetRequest { documents: vec![id.clone()], ..ForgetRequest::default() };
    match Box::pin(forget(inner, actor, name, &request)).await {
        // Nothing is left of it in any state.
        Ok(_) | Err(KnowledgeFault::DocumentNotFound { .. }) => {}
        Err(fault) => return Err(fault),
    }
    let forgotten = store::receipt::wanting(&inner.catalog, &key, id).await?;
    Ok(once(id.clone()).chain(forgotten.iter().flat_map(|forgotten| forgotten.wanted.ids_of(id))).collect())
}

/// Finishes what a dead process began. One that keeps failing keeps no other from its end, nor a server from its start.
pub(crate) async fn resume(inner: &Arc<Inner>) -> Result<(), KnowledgeFault> {
    for (id, key) in store::receipt::pending(&inner.catalog).await? {
        match Box::pin(resume_one(inner, &key, &id)).await {
            // Somebody alive is at it, or at something else there.
            Ok(()) | Err(KnowledgeFault::Busy { .. }) => {}
            Err(fault) => {
                let cause = mainspring_kernel::fault::chain(&fault);
                tracing::warn!(code = fault.code(), %cause, receipt = id, "a forgetting that was broken off could not be ended; it is tried again");
            }
        }
    }
    Ok(())
}

async fn resume_one(inner: &Arc<Inner>, key: &KnowledgeKey, id: &str) -> Result<(), KnowledgeFault> {
    // Another name than that of whoever was at it before: should they be alive after all, they see that they lost it.
    let by = format!("{id}/{}", Id::<ReceiptKind>::new(inner.clock.now()));
    let hold = Hold::take(inner, key, by).await?;
    match store::receipt::pending_one(&inner.catalog, id).await {
        Ok(Some(wanted)) => carry_out(inner, &hold, id, &wanted).await.map(drop),
        // It ended in between.
        Ok(None) => hold.let_go().await,
        Err(fault) => {
            hold.let_go().await?;
            Err(fault.into())
        }
    }
}

pub(crate) async fn amend(inner: &Inner, receipt: &Receipt) -> Result<(), KnowledgeFault> {
    let amended = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        store::receipt::amend(&mut tx, receipt).await?;
        Ok((tx, ()))
    });
    amended.await
}
