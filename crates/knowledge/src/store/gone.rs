use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Digest, Timestamp};

use super::documents::stored;
use crate::model::{DocumentId, KnowledgeKey};

/// What is kept of a document that went from its source.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    pub id: DocumentId,
    pub at: Timestamp,
    pub source: String,
    /// Who could see it last.
    pub labels: Vec<String>,
    /// The document that has its content since.
    pub moved_to: Option<DocumentId>,
}

const ADD: &str = "INSERT INTO gone_document (project, knowledge, id, gone_at, source, path, uri, labels, digest) \
    SELECT project, knowledge, id, CAST($4 AS BIGINT), source, path, uri, labels, digest FROM document \
    WHERE project = $1 AND knowledge = $2 AND id = $3 AND status <> 'forgotten' \
    ON CONFLICT (project, knowledge, id, gone_at) DO NOTHING";
// A run that was broken off may have taken out what the next one finds elsewhere: everything counts that went since the last
// one came to its end. Into a copy that has been there nothing was moved.
const MOVED: &str = "UPDATE gone_document SET moved_to = $3 WHERE project = $1 AND knowledge = $2 AND digest = $4 \
    AND id <> $3 AND moved_to IS NULL AND NOT EXISTS (SELECT 1 FROM document had \
    WHERE had.project = $1 AND had.knowledge = $2 AND had.id = $3 AND had.digest = $4) \
    AND gone_at >= COALESCE((SELECT synced_at FROM knowledge WHERE project = $1 AND name = $2), 0)";
const LIVES: &str = "SELECT id, gone_at, source, labels, moved_to FROM gone_document \
    WHERE project = $1 AND knowledge = $2 AND id = $3 ORDER BY gone_at DESC LIMIT 1000";
const BECAME: &str = "SELECT id, gone_at, source, labels, moved_to FROM gone_document \
    WHERE project = $1 AND knowledge = $2 AND moved_to = $3 ORDER BY gone_at DESC, id LIMIT 10000";
const CALLED: &str = "SELECT id, gone_at, source, labels, moved_to FROM gone_document \
    WHERE project = $1 AND knowledge = $2 AND (path = $3 OR uri = $3) ORDER BY id, gone_at DESC LIMIT 1000";
const OF_SOURCE: &str = "SELECT DISTINCT id FROM gone_document WHERE project = $1 AND knowledge = $2 AND source = $3 \
    AND id > $4 ORDER BY id LIMIT 5000";
const STRIKE: &str = "DELETE FROM gone_document WHERE project = $1 AND knowledge = $2 AND id = $3 AND gone_at <= $4";
// The run that took it out, or one after it, has left a newer state: none that shows it is kept as the newest one.
const EXPIRE: &str = "DELETE FROM gone_document WHERE gone_at < $1 AND EXISTS (SELECT 1 FROM knowledge held \
    WHERE held.project = gone_document.project AND held.name = gone_document.knowledge \
    AND held.synced_at >= gone_document.gone_at)";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ADD, MOVED, LIVES, BECAME, CALLED, OF_SOURCE, STRIKE, EXPIRE];

/// Notes that a document goes, while the catalog still knows what it was called.
pub(crate) async fn add(tx: &mut Tx, key: &KnowledgeKey, id: &DocumentId, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(ADD, params![key.project, &key.name, id.as_str(), now]).await.map(drop)
}

/// Notes that a document has the content of those that went in this ingestion, before the catalog has it.
pub(crate) async fn moved(tx: &mut Tx, key: &KnowledgeKey, to: &DocumentId, content: &Digest) -> Result<(), CatalogFault> {
    tx.execute(MOVED, params![key.project, &key.name, to.as_str(), content]).await.map(drop)
}

/// Each time a document went, the last one first: the same name may have come back.
pub(crate) async fn lives(catalog: &Catalog, key: &KnowledgeKey, id: &DocumentId) -> Result<Vec<Gone>, CatalogFault> {
    catalog.query(LIVES, params![key.project, &key.name, id.as_str()]).await?.iter().map(read).collect()
}

/// What was moved and is this document since, the last one first.
pub(crate) async fn became(catalog: &Catalog, key: &KnowledgeKey, id: &DocumentId) -> Result<Vec<Gone>, CatalogFault> {
    catalog.query(BECAME, params![key.project, &key.name, id.as_str()]).await?.iter().map(read).collect()
}

/// Those that had exactly this path or address, whoever could see them.
pub(crate) async fn called(catalog: &Catalog, key: &KnowledgeKey, given: &str) -> Result<Vec<Gone>, CatalogFault> {
    catalog.query(CALLED, params![key.project, &key.name, stored(given)]).await?.iter().map(read).collect()
}

pub(crate) async fn ids_of_source(catalog: &Catalog, key: &KnowledgeKey, source: &str) -> Result<Vec<DocumentId>, CatalogFault> {
    let mut all: Vec<DocumentId> = Vec::new();
    loop {
        let after = all.last().map_or("", DocumentId::as_str);
        let rows = catalog.query(OF_SOURCE, params![key.project, &key.name, source, after]).await?;
        if rows.is_empty() {
            return Ok(all);
        }
        for row in &rows {
            all.push(row.parse("id")?);
        }
    }
}

/// Leaves nothing of what a document was until then.
pub(crate) async fn strike(tx: &mut Tx, key: &KnowledgeKey, id: &DocumentId, until: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(STRIKE, params![key.project, &key.name, id.as_str(), until]).await.map(drop)
}

/// Lets go of what no state shows any longer.
pub(crate) async fn expire(tx: &mut Tx, oldest: Timestamp) -> Result<u64, CatalogFault> {
    tx.execute(EXPIRE, params![oldest]).await
}

fn read(row: &Row) -> Result<Gone, CatalogFault> {
    Ok(Gone {
        id: row.parse("id")?,
        at: row.time("gone_at")?,
        source: row.text("source")?.to_owned(),
        labels: row.json("labels")?,
        moved_to: row.opt_parse("moved_to")?,
    })
}
