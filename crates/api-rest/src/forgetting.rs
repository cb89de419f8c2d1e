//! Forgetting documents, reading of it afterwards, and letting documents come back.

use axum::{Json, extract::State};
use mainspring_kernel::{Actor, Fault as _, FaultKind, Name, Role, text};
use mainspring_knowledge::{Called, Document, DocumentId, DroppedState, ForgetRequest, Receipt, RemovedRows, Tombstone};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem};
use mainspring_wire as wire;

use crate::{Rest, assets::name};

fn receipt_view(receipt: Receipt) -> wire::ForgetReceipt {
    let Receipt {
        id,
        knowledge,
        by,
        started,
        finished,
        documents,
        former,
        not_found,
        rows,
        texts,
        shared_texts,
        dropped_states,
        tombstones,
        removed_spans,
    } = receipt;
    let ids = |ids: Vec<DocumentId>| ids.iter().map(ToString::to_string).collect();
    let removed = |RemovedRows { table, rows, pruned_versions, freed_bytes, left }: RemovedRows| wire::RemovedRows {
        table: table.to_string(),
        rows,
        pruned_versions,
        freed_bytes,
        left,
    };
    let dropped = |DroppedState { table, version, transaction, run, rows }: DroppedState| wire::DroppedState {
        table: table.to_string(),
        version,
        transaction,
        run,
        rows,
    };
    wire::ForgetReceipt {
        id,
        knowledge: knowledge.to_string(),
        by,
        started: started.to_string(),
        finished: finished.to_string(),
        documents: ids(documents),
        former: ids(former),
        not_found: ids(not_found),
        rows: rows.into_iter().map(removed).collect(),
        texts,
        shared_texts,
        dropped_states: dropped_states.into_iter().map(dropped).collect(),
        tombstones,
        removed_spans,
        traces_pending: None,
    }
}

fn tombstone_view(Tombstone { document, source, labels, forgotten }: Tombstone) -> wire::TombstoneView {
    wire::TombstoneView { document: document.to_string(), source, labels, forgotten_at: forgotten.to_string() }
}

/// Removes documents from everywhere and gives a receipt; traces that used them lose what was written and read.
#[utoipa::path(post, path = "/api/v1/knowledge/{name}/forget", tag = "knowledge", operation_id = "forget_documents",
    params(("name" = String, Path)), request_body = wire::ForgetRequest, responses((status = 200, body = wire::ForgetReceipt)))]
pub(crate) async fn forget(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Body(body): Body<wire::ForgetRequest>,
) -> Answer<Json<wire::ForgetReceipt>> {
    let actor = caller.needs(Role::Admin)?;
    let name = name(&given)?;
    let mut documents = Vec::with_capacity(body.documents.len());
    for id in &body.documents {
        documents.push(find_document(&rest, actor, &name, id).await?);
    }
    let request = ForgetRequest { documents, source: body.source, readmit: body.readmit };
    let mut receipt = rest.knowledge.forget(actor, &name, &request).await?;
    let pending = sweep_traces(&rest, actor, &mut receipt).await;
    Ok(Json(wire::ForgetReceipt { traces_pending: Some(pending), ..receipt_view(receipt) }))
}

/// Takes the documents out of traces and notes it on the receipt. True when some may still be on their way.
async fn sweep_traces(rest: &Rest, actor: &Actor, receipt: &mut Receipt) -> bool {
    let ids: Vec<String> = receipt.documents.iter().chain(&receipt.former).map(|id| id.as_str().to_owned()).collect();
    let swept = match rest.observability.forget_documents(actor.project, &ids, None).await {
        Ok(swept) => swept,
        // The documents are gone; what traces show of them is taken out as soon as the lake lets us.
        Err(fault) => {
            tracing::warn!(code = fault.code(), receipt = receipt.id, "traces could not be cleaned yet");
            return true;
        }
    };
    receipt.removed_spans = Some(swept.spans);
    if let Err(fault) = rest.knowledge.amend(receipt).await {
        tracing::warn!(code = fault.code(), receipt = receipt.id, "the receipt is kept without the count of spans");
    }
    !swept.brought
}

/// An id as it is, or the one document with this path or address, to the letter, or that had it before it was gone from there:
/// what is destroyed was named.
pub(crate) async fn find_document(rest: &Rest, actor: &Actor, knowledge: &Name, given: &str) -> Answer<DocumentId> {
    if let Ok(id) = given.parse() {
        return Ok(id);
    }
    let Called { exact, gone, near } = rest.knowledge.documents_called(actor, knowledge, given).await?;
    let shown = text::elide(given, 120);
    match (exact.as_slice(), gone.as_slice()) {
        ([one], _) => Ok(one.id.clone()),
        ([], [one]) => Ok(one.clone()),
        ([], []) => {
            let missing = Problem::new(FaultKind::NotFound, "document-not-found", format!("no document is called `{shown}`"));
            let hint = "give an id, or a whole path or address";
            Err(if near.is_empty() {
                missing.with_hint(hint)
            } else {
                missing.with_hint(format!("{hint}; near: {}", listed(&near)))
            })
        }
        (several, gone) => {
            let problem =
                Problem::new(FaultKind::Invalid, "query-invalid", format!("`{shown}` means several documents; give an id"));
            let several = if several.is_empty() { ids(gone) } else { listed(several) };
            Err(problem.with_hint(format!("one of {several}")))
        }
    }
}

/// As many as a hint has room for.
const HINTED: usize = 5;

fn listed(documents: &[Document]) -> String {
    let named = |document: &Document| format!("`{}` ({})", text::elide(&document.path, 120), document.id);
    documents.iter().take(HINTED).map(named).collect::<Vec<_>>().join(", ")
}

fn ids(gone: &[DocumentId]) -> String {
    gone.iter().take(HINTED).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

/// Lists the receipts of what was forgotten, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/receipts", tag = "knowledge", operation_id = "list_receipts",
    params(("name" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::ForgetReceipt>)))]
pub(crate) async fn receipts(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ForgetReceipt>>> {
    let actor = caller.needs(Role::Admin)?;
    let found = rest.knowledge.receipts(actor, &name(&given)?, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(receipt_view).collect(), next: found.next }))
}

/// Shows one receipt.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/receipts/{id}", tag = "knowledge", operation_id = "get_receipt",
    params(("name" = String, Path), ("id" = String, Path)), responses((status = 200, body = wire::ForgetReceipt)))]
pub(crate) async fn receipt(
    State(rest): State<Rest>,
    caller: Caller,
    Path((given, id)): Path<(String, String)>,
) -> Answer<Json<wire::ForgetReceipt>> {
    let actor = caller.needs(Role::Admin)?;
    Ok(Json(receipt_view(rest.knowledge.receipt(actor, &name(&given)?, &id).await?)))
}

/// Lists what is kept out because it was forgotten, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/tombstones", tag = "knowledge", operation_id = "list_tombstones",
    params(("name" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::TombstoneView>)))]
pub(crate) async fn tombstones(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::TombstoneView>>> {
    let actor = caller.needs(Role::Admin)?;
    let found = rest.knowledge.tombstones(actor, &name(&given)?, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(tombstone_view).collect(), next: found.next }))
}

/// Lifts a tombstone, so that the next ingestion takes the document in again. `id` is the document's, or the name it
/// has within its source.
#[utoipa::path(delete, path = "/api/v1/knowledge/{name}/tombstones/{id}", tag = "knowledge", operation_id = "lift_tombstone",
    params(("name" = String, Path), ("id" = String, Path)), responses((status = 200, body = wire::TombstoneView)))]
pub(crate) async fn readmit(
    State(rest): State<Rest>,
    caller: Caller,
    Path((given, id)): Path<(String, String)>,
) -> Answer<Json<wire::TombstoneView>> {
    let actor = caller.needs(Role::Admin)?;
    Ok(Json(tombstone_view(rest.knowledge.readmit(actor, &name(&given)?, &id).await?)))
}
