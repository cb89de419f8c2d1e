use mainspring_catalog::{Catalog, CatalogFault, Tx, params};
use mainspring_kernel::Timestamp;

use crate::{
    forget::{Forgotten, Receipt, Wanted},
    model::{DocumentId, KnowledgeKey},
};

const INSERT: &str = "INSERT INTO forget_receipt (id, project, knowledge, wanted, started_at) VALUES ($1, $2, $3, $4, $5)";
const NOTE: &str = "UPDATE forget_receipt SET wanted = $2 WHERE id = $1 AND finished_at IS NULL";
/// What was finished stays as it was counted then: whoever comes second finds less.
const FINISH: &str = "UPDATE forget_receipt SET receipt = $2, finished_at = $3 WHERE id = $1 AND finished_at IS NULL";
const AMEND: &str = "UPDATE forget_receipt SET receipt = $2 WHERE id = $1 AND finished_at IS NOT NULL";
const PENDING: &str = "SELECT id, project, knowledge FROM forget_receipt WHERE finished_at IS NULL \
    ORDER BY started_at, id LIMIT 1000";
const PENDING_ONE: &str = "SELECT wanted FROM forget_receipt WHERE id = $1 AND finished_at IS NULL";
// In `_` any character would do, and ids have one: what is found so is looked at.
const WANTING: &str = "SELECT id, wanted, finished_at FROM forget_receipt WHERE project = $1 AND knowledge = $2 \
    AND wanted LIKE '%' || CAST($3 AS TEXT) || '%' AND id > $4 ORDER BY id LIMIT 100";
const FINISHED: &str =
    "SELECT id, project, wanted, finished_at FROM forget_receipt WHERE finished_at >= $1 ORDER BY finished_at, id LIMIT 1000";
const PAGE: &str = "SELECT receipt FROM forget_receipt WHERE project = $1 AND knowledge = $2 AND receipt IS NOT NULL \
    AND (CAST($3 AS TEXT) IS NULL OR id < $3) ORDER BY id DESC LIMIT $4";
const GET: &str = "SELECT receipt FROM forget_receipt WHERE id = $3 AND project = $1 AND knowledge = $2 AND receipt IS NOT NULL";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INSERT, NOTE, FINISH, AMEND, PENDING, PENDING_ONE, WANTING, FINISHED, PAGE, GET];

/// Written before anything is removed, so that a forgetting that was broken off is finished later.
pub(crate) async fn insert(
    tx: &mut Tx,
    key: &KnowledgeKey,
    id: &str,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(), CatalogFault> {
    let wanted = serde_json::json!(wanted);
    tx.execute(INSERT, params![id, key.project, &key.name, wanted, now]).await.map(drop)
}

/// Keeps how far it is.
pub(crate) async fn note(tx: &mut Tx, id: &str, wanted: &Wanted) -> Result<(), CatalogFault> {
    tx.execute(NOTE, params![id, serde_json::json!(wanted)]).await.map(drop)
}

/// Ends a forgetting; false when it had ended already.
pub(crate) async fn finish(tx: &mut Tx, id: &str, receipt: &Receipt, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(tx.execute(FINISH, params![id, serde_json::json!(receipt), now]).await? == 1)
}

/// Writes a receipt again, of a forgetting that has ended.
pub(crate) async fn amend(tx: &mut Tx, receipt: &Receipt) -> Result<(), CatalogFault> {
    tx.execute(AMEND, params![receipt.id.as_str(), serde_json::json!(receipt)]).await.map(drop)
}

/// What is still to be done for a receipt, and what was removed so far; nothing when it is done.
pub(crate) async fn pending_one(catalog: &Catalog, id: &str) -> Result<Option<Wanted>, CatalogFault> {
    let rows = catalog.query(PENDING_ONE, params![id]).await?;
    rows.first().map(|row| row.json("wanted")).transpose()
}

/// Those that have not ended, oldest first.
pub(crate) async fn pending(catalog: &Catalog) -> Result<Vec<(String, KnowledgeKey)>, CatalogFault> {
    let rows = catalog.query(PENDING, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let key = KnowledgeKey { project: row.parse("project")?, name: row.parse("knowledge")? };
            Ok((row.text("id")?.to_owned(), key))
        })
        .collect()
}

/// A forgetting of a document.
pub(crate) struct Wanting {
    pub id: String,
    pub wanted: Wanted,
    pub has_ended: bool,
}

/// Forgettings that are or were about this document, oldest first.
pub(crate) async fn wanting(catalog: &Catalog, key: &KnowledgeKey, document: &DocumentId) -> Result<Vec<Wanting>, CatalogFault> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let values = params![key.project, &key.name, document.as_str(), after.as_str()];
        let rows = catalog.query(WANTING, values).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.text("id")?.to_owned();
        for row in &rows {
            let wanted: Wanted = row.json("wanted")?;
            if wanted.ids().any(|id| id == document) {
                all.push(Wanting { id: row.text("id")?.to_owned(), wanted, has_ended: row.opt_time("finished_at")?.is_some() });
            }
        }
    }
}

/// What was finished at this time or later.
pub(crate) async fn finished(catalog: &Catalog, since: Timestamp) -> Result<Vec<Forgotten>, CatalogFault> {
    let rows = catalog.query(FINISHED, params![since]).await?;
    rows.iter()
        .map(|row| {
            let wanted: Wanted = row.json("wanted")?;
            Ok(Forgotten {
                receipt: row.text("id")?.to_owned(),
                project: row.parse("project")?,
                documents: wanted.whole().cloned().collect(),
                outlived: wanted.outlived().cloned().collect(),
                finished: row.time("finished_at")?,
            })
        })
        .collect()
}

/// Newest first.
pub(crate) async fn page(
    catalog: &Catalog,
    key: &KnowledgeKey,
    before: Option<String>,
    limit: usize,
) -> Result<Vec<Receipt>, CatalogFault> {
    let rows = catalog.query(PAGE, params![key.project, &key.name, before, limit]).await?;
    rows.iter().map(|row| row.json("receipt")).collect()
}

/// A receipt there is: a forgetting that has not ended has none.
pub(crate) async fn get(catalog: &Catalog, key: &KnowledgeKey, id: &str) -> Result<Option<Receipt>, CatalogFault> {
    let rows = catalog.query(GET, params![key.project, &key.name, id]).await?;
    rows.first().map(|row| row.json("receipt")).transpose()
}
