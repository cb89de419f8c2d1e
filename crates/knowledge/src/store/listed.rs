//! Documents as they are shown: one, a page of them, and how many there are.

use mainspring_catalog::{Catalog, CatalogFault, Row, params};
use mainspring_kernel::{Name, Timestamp};

use super::documents::{count, reason, stored};
use crate::model::{Document, DocumentId, DocumentStatus, KnowledgeKey};

/// Documents with the same labels, status and source, counted.
#[derive(Debug, Clone)]
pub(crate) struct Audience {
    pub source: String,
    pub status: DocumentStatus,
    pub labels: Vec<String>,
    pub documents: u64,
    pub bytes: u64,
    pub chunks: u64,
    pub tokens: u64,
    pub newest: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    pub status: Option<DocumentStatus>,
    pub source: Option<String>,
}

const GET: &str = "SELECT d.id, d.source, d.path, d.uri, d.title, d.media_type, d.labels, d.metadata, d.digest, \
    d.parsed, d.bytes, d.pages, d.status, d.reason_code, d.reason, d.warnings, d.origin, d.updated_at, r.chunks, r.tokens FROM document d \
    LEFT JOIN document_rows r ON r.lake_table = $3 AND r.document = d.id \
    WHERE d.project = $1 AND d.knowledge = $2 AND d.id = $4";
const CALLED: &str = "SELECT d.id, d.source, d.path, d.uri, d.title, d.media_type, d.labels, d.metadata, d.digest, \
    d.parsed, d.bytes, d.pages, d.status, d.reason_code, d.reason, d.warnings, d.origin, d.updated_at, r.chunks, r.tokens FROM document d \
    LEFT JOIN document_rows r ON r.lake_table = $3 AND r.document = d.id \
    WHERE d.project = $1 AND d.knowledge = $2 AND (d.path = $4 OR d.uri = $4) AND d.status <> 'forgotten' \
    ORDER BY d.id LIMIT 1000";
const PAGE: &str = "SELECT d.id, d.source, d.path, d.uri, d.title, d.media_type, d.labels, d.metadata, d.digest, \
    d.parsed, d.bytes, d.pages, d.status, d.reason_code, d.reason, d.warnings, d.origin, d.updated_at, r.chunks, r.tokens FROM document d \
    LEFT JOIN document_rows r ON r.lake_table = $3 AND r.document = d.id \
    WHERE d.project = $1 AND d.knowledge = $2 AND (d.path, d.id) > ($4, $5) AND d.status <> 'forgotten' \
    AND ($6 = '' OR d.status = $6) AND ($7 = '' OR d.source = $7) ORDER BY d.path, d.id LIMIT 1000";
const AUDIENCES: &str = "SELECT d.source, d.status, d.labels, COUNT(*) AS documents, CAST(SUM(d.bytes) AS BIGINT) AS bytes, \
    CAST(SUM(COALESCE(r.chunks, 0)) AS BIGINT) AS chunks, CAST(SUM(COALESCE(r.tokens, 0)) AS BIGINT) AS tokens, \
    MAX(d.updated_at) AS newest FROM document d LEFT JOIN document_rows r ON r.lake_table = $3 AND r.document = d.id \
    WHERE d.project = $1 AND d.knowledge = $2 GROUP BY d.source, d.status, d.labels \
    ORDER BY d.source, d.status, d.labels LIMIT 100000";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[GET, CALLED, PAGE, AUDIENCES];

pub(crate) async fn get(
    catalog: &Catalog,
    key: &KnowledgeKey,
    table: Option<&Name>,
    id: &DocumentId,
) -> Result<Option<Document>, CatalogFault> {
    let table = table.map(Name::to_string).unwrap_or_default();
    let rows = catalog.query(GET, params![key.project, &key.name, table, id.as_str()]).await?;
    rows.first().map(document).transpose()
}

/// Documents with exactly this path or address, of whatever source and whoever may see them.
pub(crate) async fn called(
    catalog: &Catalog,
    key: &KnowledgeKey,
    table: Option<&Name>,
    given: &str,
) -> Result<Vec<Document>, CatalogFault> {
    let table = table.map(Name::to_string).unwrap_or_default();
    catalog.query(CALLED, params![key.project, &key.name, table, stored(given)]).await?.iter().map(document).collect()
}

/// Up to a thousand documents after a place in the order of paths, whoever may see them.
pub(crate) async fn page(
    catalog: &Catalog,
    key: &KnowledgeKey,
    table: Option<&Name>,
    filter: &Listed,
    (path, id): (&str, &str),
) -> Result<Vec<Document>, CatalogFault> {
    let table = table.map(Name::to_string).unwrap_or_default();
    let status = filter.status.map_or("", DocumentStatus::as_str);
    let source = filter.source.as_deref().unwrap_or_default();
    let values = params![key.project, &key.name, table, path, id, status, source];
    catalog.query(PAGE, values).await?.iter().map(document).collect()
}

fn document(row: &Row) -> Result<Document, CatalogFault> {
    Ok(Document {
        id: row.parse("id")?,
        source: row.text("source")?.to_owned(),
        path: row.text("path")?.to_owned(),
        uri: row.text("uri")?.to_owned(),
        title: row.text("title")?.to_owned(),
        media_type: row.text("media_type")?.to_owned(),
        labels: row.json("labels")?,
        metadata: row.json("metadata")?,
        digest: row.opt_parse("digest")?,
        parsed: row.opt_parse("parsed")?,
        bytes: count(row, "bytes")?,
        pages: row.opt_int("pages")?.and_then(|pages| u32::try_from(pages).ok()),
        chunks: count(row, "chunks")?,
        tokens: count(row, "tokens")?,
        status: row.parse("status")?,
        reason: reason(row)?,
        warnings: row.json("warnings")?,
        origin: row.opt_json("origin")?,
        updated: row.time("updated_at")?,
    })
}

/// Counts of all documents, apart by who may see them: the caller adds up what an actor may know of.
pub(crate) async fn audiences(
    catalog: &Catalog,
    key: &KnowledgeKey,
    table: Option<&Name>,
) -> Result<Vec<Audience>, CatalogFault> {
    let table = table.map(Name::to_string).unwrap_or_default();
    let rows = catalog.query(AUDIENCES, params![key.project, &key.name, table]).await?;
    rows.iter()
        .map(|row| {
            Ok(Audience {
                source: row.text("source")?.to_owned(),
                status: row.parse("status")?,
                labels: row.json("labels")?,
                documents: count(row, "documents")?,
                bytes: count(row, "bytes")?,
                chunks: count(row, "chunks")?,
                tokens: count(row, "tokens")?,
                newest: row.opt_time("newest")?,
            })
        })
        .collect()
}
