use mainspring_catalog::{Catalog, CatalogFault, Row, params};

use crate::{
    forgotten::Tombstone,
    model::{DocumentId, KnowledgeKey},
};

const PAGE: &str = "SELECT id, source, labels, updated_at FROM document WHERE project = $1 AND knowledge = $2 \
    AND status = 'forgotten' AND (updated_at, id) < ($3, $4) ORDER BY updated_at DESC, id DESC LIMIT $5";
const GET: &str = "SELECT id, source, labels, updated_at FROM document WHERE project = $1 AND knowledge = $2 AND id = $3 \
    AND status = 'forgotten'";
const SOURCES: &str = "SELECT DISTINCT source FROM document WHERE project = $1 AND knowledge = $2 AND status = 'forgotten' \
    ORDER BY source LIMIT 10000";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[PAGE, GET, SOURCES];

/// Newest first, whoever may know of them.
pub(crate) async fn page(
    catalog: &Catalog,
    key: &KnowledgeKey,
    before: Option<(i64, String)>,
    limit: usize,
) -> Result<Vec<Tombstone>, CatalogFault> {
    let (forgotten, id) = before.unwrap_or((i64::MAX, String::new()));
    catalog.query(PAGE, params![key.project, &key.name, forgotten, id, limit]).await?.iter().map(read).collect()
}

pub(crate) async fn get(catalog: &Catalog, key: &KnowledgeKey, id: &DocumentId) -> Result<Option<Tombstone>, CatalogFault> {
    let rows = catalog.query(GET, params![key.project, &key.name, id.as_str()]).await?;
    rows.first().map(read).transpose()
}

/// Keys of the sources that something was forgotten of.
pub(crate) async fn sources(catalog: &Catalog, key: &KnowledgeKey) -> Result<Vec<String>, CatalogFault> {
    let rows = catalog.query(SOURCES, params![key.project, &key.name]).await?;
    rows.iter().map(|row| Ok(row.text("source")?.to_owned())).collect()
}

fn read(row: &Row) -> Result<Tombstone, CatalogFault> {
    Ok(Tombstone {
        document: row.parse("id")?,
        source: row.text("source")?.to_owned(),
        labels: row.json("labels")?,
        forgotten: row.time("updated_at")?,
    })
}
