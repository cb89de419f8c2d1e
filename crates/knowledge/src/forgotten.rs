//! Looking at what was forgotten, and letting it come back: receipts, and the tombstones that keep documents out.

use mainspring_kernel::{Actor, Labels, Name, Page, PageRequest, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::{
    fault::KnowledgeFault,
    forget::Receipt,
    model::{DocumentId, KnowledgeKey},
    service::{Inner, bad_page},
    store::{self, document, tombstone},
};

/// All that is left of a forgotten document: what keeps it out, and who may know of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tombstone {
    pub document: DocumentId,
    /// The key of the source it came from.
    pub source: String,
    pub labels: Vec<String>,
    pub forgotten: Timestamp,
}

const AT_ONCE: usize = 500;

/// Newest first. Receipts the actor may not read are passed over, page after page, so that nothing shows they are there.
pub(crate) async fn receipts(
    inner: &Inner,
    actor: &Actor,
    name: &Name,
    page: &PageRequest,
) -> Result<Page<Receipt>, KnowledgeFault> {
    let key = inner.existing(actor, name).await?;
    let mut before = page.after::<String>().map_err(bad_page)?;
    let mut found = Vec::new();
    while found.len() <= page.limit() {
        let missing = page.limit() + 1 - found.len();
        let some = store::receipt::page(&inner.catalog, &key, before.take(), missing).await?;
        let Some(last) = some.last() else { break };
        before = Some(last.id.clone());
        for receipt in some {
            if may_read(inner, actor, &key, &receipt).await? {
                found.push(receipt);
            }
        }
    }
    Ok(Page::from_overfetch(found, page, |receipt| receipt.id.clone()))
}

pub(crate) async fn receipt(inner: &Inner, actor: &Actor, name: &Name, id: &str) -> Result<Receipt, KnowledgeFault> {
    let key = inner.existing(actor, name).await?;
    let missing = || KnowledgeFault::ReceiptNotFound { id: mainspring_kernel::text::elide(id, 64) };
    let found = store::receipt::get(&inner.catalog, &key, id).await?.ok_or_else(missing)?;
    if may_read(inner, actor, &key, &found).await? { Ok(found) } else { Err(missing()) }
}

/// A receipt names documents, so it is for those who may know of every one of them. Who may is written on tombstones;
/// of what came back and is gone again only those know who see everything.
async fn may_read(inner: &Inner, actor: &Actor, key: &KnowledgeKey, receipt: &Receipt) -> Result<bool, KnowledgeFault> {
    if actor.labels == Labels::All {
        return Ok(true);
    }
    let Receipt { documents, former, not_found, .. } = receipt;
    let ids: Vec<String> = documents.iter().chain(former).chain(not_found).map(ToString::to_string).collect();
    let now = document::labels_of(&inner.catalog, key, &ids).await?;
    let sees = |id: &DocumentId| now.get(id.as_str()).map(|now| actor.labels.may_see(&now.labels));
    Ok(documents.iter().all(|id| sees(id) == Some(true)) && former.iter().chain(not_found).all(|id| sees(id) != Some(false)))
}

/// Newest first; those of documents the actor could not see are passed over in the same way.
pub(crate) async fn tombstones(
    inner: &Inner,
    actor: &Actor,
    name: &Name,
    page: &PageRequest,
) -> Result<Page<Tombstone>, KnowledgeFault> {
    let key = inner.existing(actor, name).await?;
    let place = |stone: &Tombstone| (stone.forgotten.as_micros(), stone.document.to_string());
    let mut before = page.after::<(i64, String)>().map_err(bad_page)?;
    let mut found = Vec::new();
    while found.len() <= page.limit() {
        let some = tombstone::page(&inner.catalog, &key, before.take(), AT_ONCE).await?;
        let Some(last) = some.last() else { break };
        before = Some(place(last));
        found.extend(some.into_iter().filter(|stone| actor.labels.may_see(&stone.labels)));
    }
    found.truncate(page.limit() + 1);
    Ok(Page::from_overfetch(found, page, place))
}

/// Takes a tombstone away, and answers what it was.
pub(crate) async fn readmit(inner: &Inner, actor: &Actor, name: &Name, given: &str) -> Result<Tombstone, KnowledgeFault> {
    let key = inner.existing(actor, name).await?;
    let stone = find(inner, actor, &key, given).await?;
    let (key, stone) = (&key, &stone);
    inner
        .catalog
        .transact::<(), KnowledgeFault, _>(|mut tx| async move {
            // Somebody may have been quicker.
            if document::lift(&mut tx, key, &stone.document).await? == 0 {
                return Err(missing(given));
            }
            inner.record(&mut tx, actor, "knowledge.readmit", (key, json!({ "document": stone.document }))).await?;
            Ok((tx, ()))
        })
        .await?;
    Ok(stone.clone())
}

/// By the document's id, or by its name within its source: the name was forgotten, but the id is its digest.
async fn find(inner: &Inner, actor: &Actor, key: &KnowledgeKey, given: &str) -> Result<Tombstone, KnowledgeFault> {
    let ids: Vec<DocumentId> = match given.parse() {
        Ok(id) => vec![id],
        Err(_) => {
            let sources = tombstone::sources(&inner.catalog, key).await?;
            sources.iter().map(|source| DocumentId::of(key, source, given.as_bytes())).collect()
        }
    };
    let mut found = Vec::new();
    for id in &ids {
        let stone = tombstone::get(&inner.catalog, key, id).await?;
        found.extend(stone.filter(|stone| actor.labels.may_see(&stone.labels)));
    }
    match found.pop() {
        Some(stone) if found.is_empty() => Ok(stone),
        Some(_) => {
            let given = mainspring_kernel::text::elide(given, 120);
            let reason = format!("`{given}` was forgotten in several sources; give an id");
            Err(KnowledgeFault::BadRequest { field: "document", reason })
        }
        None => Err(missing(given)),
    }
}

fn missing(given: &str) -> KnowledgeFault {
    KnowledgeFault::TombstoneNotFound { given: mainspring_kernel::text::elide(given, 120) }
}
