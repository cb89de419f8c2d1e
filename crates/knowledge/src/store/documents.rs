use std::collections::{BTreeMap, HashMap};

use mainspring_catalog::{Catalog, CatalogFault, Param, Row, Tx, params};
use mainspring_kernel::{Digest, Name, Timestamp};
use serde_json::json;

use super::gone;
use crate::model::{Document, DocumentId, DocumentStatus, KnowledgeKey, Origin, Reason};

/// A document as the diff sees it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub id: DocumentId,
    pub source: String,
    pub path: String,
    pub attributes: Digest,
    pub fingerprint: Option<String>,
    pub digest: Option<Digest>,
    pub parsed: Option<Digest>,
    pub status: DocumentStatus,
    pub reason: Option<Reason>,
    pub labels: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub uri: String,
    pub bytes: u64,
    /// What the rows in the table at hand were made from; `None`: it has none.
    pub row_key: Option<Digest>,
}

/// What an actor's labels are compared with.
#[derive(Debug, Clone)]
pub(crate) struct Visible {
    pub labels: Vec<String>,
    pub status: DocumentStatus,
}

/// A change of one document, made together with others.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Its rows were written.
    Ready {
        document: Box<Document>,
        attributes: Digest,
        fingerprint: Option<String>,
        table: Name,
        row_key: Digest,
    },
    /// Its content is what it was; only what the source says of it moved.
    Fingerprint {
        id: DocumentId,
        fingerprint: Option<String>,
        /// When it was read again to find that out.
        origin: Option<Origin>,
    },
    /// Its content cannot be taken in; its rows are gone.
    Failed {
        document: Box<Document>,
        attributes: Digest,
        fingerprint: Option<String>,
    },
    /// Its content could not be had now; what was there stays.
    Stale {
        id: DocumentId,
        reason: Reason,
    },
    Gone(DocumentId),
}

const LABELS_AT_ONCE: usize = 32;

const KNOWN: &str = "SELECT d.id, d.source, d.path, d.attributes, d.fingerprint, d.digest, d.parsed, d.status, \
    d.reason_code, d.reason, d.labels, d.metadata, d.uri, d.bytes, r.row_key FROM document d \
    LEFT JOIN document_rows r ON r.lake_table = $3 AND r.document = d.id \
    WHERE d.project = $1 AND d.knowledge = $2 AND d.id > $4 ORDER BY d.id LIMIT 5000";
const UPSERT: &str = "INSERT INTO document (project, knowledge, id, source, path, uri, title, media_type, labels, \
    metadata, attributes, fingerprint, digest, parsed, bytes, pages, status, reason_code, reason, updated_at, warnings, \
    origin) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) \
    ON CONFLICT (project, knowledge, id) DO UPDATE SET source = excluded.source, path = excluded.path, \
    uri = excluded.uri, title = excluded.title, media_type = excluded.media_type, labels = excluded.labels, \
    metadata = excluded.metadata, attributes = excluded.attributes, fingerprint = excluded.fingerprint, \
    digest = excluded.digest, parsed = excluded.parsed, bytes = excluded.bytes, pages = excluded.pages, \
    status = excluded.status, reason_code = excluded.reason_code, reason = excluded.reason, \
    updated_at = excluded.updated_at, warnings = excluded.warnings, \
    origin = COALESCE(excluded.origin, document.origin) WHERE document.status <> 'forgotten'";
const UPSERT_ROWS: &str = "INSERT INTO document_rows (lake_table, document, row_key, chunks, tokens) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (lake_table, document) DO UPDATE SET row_key = excluded.row_key, \
    chunks = excluded.chunks, tokens = excluded.tokens";
// That a document holds no text stays true of the same content; what else was said of it is over.
const SET_FINGERPRINT: &str = "UPDATE document SET fingerprint = $4, origin = COALESCE($5, origin), \
    reason_code = CASE WHEN reason_code = 'parse-no-text' THEN reason_code END, \
    reason = CASE WHEN reason_code = 'parse-no-text' THEN reason END WHERE project = $1 AND knowledge = $2 AND id = $3 AND status = 'ready'";
/// Of what was read without a run: as long as the content is still what was compared.
const SET_COMPARED: &str = "UPDATE document SET fingerprint = $4, origin = $5, \
    reason_code = CASE WHEN status <> 'ready' OR reason_code = 'parse-no-text' THEN reason_code END, \
    reason = CASE WHEN status <> 'ready' OR reason_code = 'parse-no-text' THEN reason END \
    WHERE project = $1 AND knowledge = $2 AND id = $3 AND digest = $6 AND status <> 'forgotten'";
const SET_STALE: &str = "UPDATE document SET reason_code = $4, reason = $5, fingerprint = NULL \
    WHERE project = $1 AND knowledge = $2 AND id = $3 AND status = 'ready'";
const DELETE: &str = "DELETE FROM document WHERE project = $1 AND knowledge = $2 AND id = $3 AND status <> 'forgotten'";
const DELETE_FOR_GOOD: &str = "DELETE FROM document WHERE project = $1 AND knowledge = $2 AND id = $3";
const DELETE_ROWS: &str = "DELETE FROM document_rows WHERE document = $1";
const DELETE_ROWS_IN: &str = "DELETE FROM document_rows WHERE lake_table = $1 AND document = $2";
const ROWS_OF_TABLE: &str = "SELECT document, chunks FROM document_rows WHERE lake_table = $1 AND document > $2 \
    ORDER BY document LIMIT 10000";
const FORGET: &str = "UPDATE document SET path = '', uri = '', title = '', media_type = '', metadata = '{}', \
    attributes = '', fingerprint = NULL, digest = NULL, parsed = NULL, bytes = 0, pages = NULL, status = 'forgotten', \
    reason_code = NULL, reason = NULL, warnings = '[]', origin = NULL, updated_at = $4 WHERE project = $1 AND knowledge = $2 AND id = $3";
const BURY: &str = "INSERT INTO document (project, knowledge, id, source, path, uri, title, media_type, labels, metadata, attributes, \
    bytes, status, updated_at) VALUES ($1, $2, $3, $4, '', '', '', '', $5, '{}', '', 0, 'forgotten', $6) \
    ON CONFLICT (project, knowledge, id) DO NOTHING";
const LIFT: &str = "DELETE FROM document WHERE project = $1 AND knowledge = $2 AND id = $3 AND status = 'forgotten'";
const VISIBLE: &str = "SELECT id, labels, status FROM document WHERE project = $1 AND knowledge = $2 AND id IN \
    ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, \
    $27, $28, $29, $30, $31, $32, $33, $34)";
const RELEASE_TEXT: &str = "INSERT INTO released_text (parsed, document, released_at) SELECT parsed, id, CAST($4 AS BIGINT) FROM document \
    WHERE project = $1 AND knowledge = $2 AND id = $3 AND parsed IS NOT NULL \
    ON CONFLICT (parsed, document) DO UPDATE SET released_at = excluded.released_at";
const UNLIST_DOCUMENT: &str = "DELETE FROM released_text WHERE document = $1";
const SAME_CONTENT: &str = "SELECT id, path, parsed, media_type FROM document WHERE project = $1 AND knowledge = $2 \
    AND digest = $3 AND parsed IS NOT NULL ORDER BY id LIMIT 20";
const IDS_OF_SOURCE: &str = "SELECT id FROM document WHERE project = $1 AND knowledge = $2 AND source = $3 AND id > $4 \
    AND status <> 'forgotten' ORDER BY id LIMIT 5000";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    KNOWN,
    UPSERT,
    UPSERT_ROWS,
    SET_FINGERPRINT,
    SET_COMPARED,
    SET_STALE,
    DELETE,
    DELETE_FOR_GOOD,
    DELETE_ROWS,
    DELETE_ROWS_IN,
    ROWS_OF_TABLE,
    FORGET,
    BURY,
    LIFT,
    VISIBLE,
    RELEASE_TEXT,
    UNLIST_DOCUMENT,
    SAME_CONTENT,
    IDS_OF_SOURCE,
];

/// Everything the catalog knows of a knowledge, beside what one table holds of it.
pub(crate) async fn known(
    catalog: &Catalog,
    key: &KnowledgeKey,
    table: &Name,
) -> Result<HashMap<DocumentId, Known>, CatalogFault> {
    let mut all = HashMap::new();
    let mut after = String::new();
    loop {
        let rows = catalog.query(KNOWN, params![key.project, &key.name, table, after.as_str()]).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.text("id")?.to_owned();
        for row in &rows {
            let known = known_of(row)?;
            all.insert(known.id.clone(), known);
        }
    }
}

fn known_of(row: &Row) -> Result<Known, CatalogFault> {
    let status: DocumentStatus = row.parse("status")?;
    // A forgotten document keeps nothing that its content could be told from.
    let attributes = if status == DocumentStatus::Forgotten { Digest::of(b"") } else { row.parse("attributes")? };
    Ok(Known {
        id: row.parse("id")?,
        source: row.text("source")?.to_owned(),
        path: row.text("path")?.to_owned(),
        attributes,
        fingerprint: row.opt_text("fingerprint")?.map(str::to_owned),
        digest: row.opt_parse("digest")?,
        parsed: row.opt_parse("parsed")?,
        status,
        reason: reason(row)?,
        labels: row.json("labels")?,
        metadata: row.json("metadata")?,
        uri: row.text("uri")?.to_owned(),
        bytes: count(row, "bytes")?,
        row_key: row.opt_parse("row_key")?,
    })
}

pub(super) fn reason(row: &Row) -> Result<Option<Reason>, CatalogFault> {
    Ok(match (row.opt_text("reason_code")?, row.opt_text("reason")?) {
        (Some(code), Some(detail)) => Some(Reason { code: code.to_owned(), detail: detail.to_owned() }),
        _ => None,
    })
}

pub(super) fn count(row: &Row, column: &str) -> Result<u64, CatalogFault> {
    Ok(row.opt_int(column)?.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
}

pub(crate) async fn apply(tx: &mut Tx, key: &KnowledgeKey, change: &Change, now: Timestamp) -> Result<(), CatalogFault> {
    let losing = match change {
        Change::Ready { document, .. } | Change::Failed { document, .. } => Some(&document.id),
        Change::Gone(id) => Some(id),
        Change::Fingerprint { .. } | Change::Stale { .. } => None,
    };
    if let Some(id) = losing {
        // Whether the text is really unused is asked when its time has come.
        tx.execute(RELEASE_TEXT, params![key.project, &key.name, id.as_str(), now]).await?;
    }
    match change {
        Change::Ready { document, attributes, fingerprint, table, row_key } => {
            if let Some(content) = &document.digest {
                gone::moved(tx, key, &document.id, content).await?;
            }
            upsert(tx, key, document, (attributes, fingerprint)).await?;
            let values = params![table, document.id.as_str(), row_key, document.chunks, document.tokens];
            tx.execute(UPSERT_ROWS, values).await.map(drop)
        }
        Change::Fingerprint { id, fingerprint, origin } => {
            let origin = origin.as_ref().map(|origin| json!(origin));
            let values = params![key.project, &key.name, id.as_str(), fingerprint, origin];
            tx.execute(SET_FINGERPRINT, values).await.map(drop)
        }
        Change::Failed { document, attributes, fingerprint } => {
            upsert(tx, key, document, (attributes, fingerprint)).await?;
            tx.execute(DELETE_ROWS, params![document.id.as_str()]).await.map(drop)
        }
        Change::Stale { id, reason } => {
            let values = params![key.project, &key.name, id.as_str(), &reason.code, &reason.detail];
            tx.execute(SET_STALE, values).await.map(drop)
        }
        Change::Gone(id) => {
            gone::add(tx, key, id, now).await?;
            delete(tx, key, id, false).await
        }
    }
}

async fn upsert(
    tx: &mut Tx,
    key: &KnowledgeKey,
    document: &Document,
    (attributes, fingerprint): (&Digest, &Option<String>),
) -> Result<(), CatalogFault> {
    let Document { id, source, path, uri, title, media_type, labels, metadata, .. } = document;
    let Document { digest, parsed, bytes, pages, chunks: _, tokens: _, status, reason, warnings, origin, updated, .. } = document;
    let (code, detail) = reason.as_ref().map(|reason| (reason.code.clone(), stored(&reason.detail))).unzip();
    let values = params![
        key.project,
        &key.name,
        id.as_str(),
        source,
        stored(path),
        stored(uri),
        stored(title),
        stored(media_type),
        json!(labels),
        json!(metadata),
        attributes,
        fingerprint,
        digest,
        parsed,
        *bytes,
        *pages,
        status.as_str(),
        code,
        detail,
        *updated,
        json!(warnings),
        origin.as_ref().map(|origin| json!(origin))
    ];
    tx.execute(UPSERT, values).await.map(drop)
}

/// Catalogs refuse NUL characters; foreign text may hold them.
pub(super) fn stored(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Removes a document and its entries in every table; a tombstone only goes when it is lifted.
pub(crate) async fn delete(tx: &mut Tx, key: &KnowledgeKey, id: &DocumentId, tombstone: bool) -> Result<(), CatalogFault> {
    let statement = if tombstone { DELETE_FOR_GOOD } else { DELETE };
    tx.execute(statement, params![key.project, &key.name, id.as_str()]).await?;
    tx.execute(DELETE_ROWS, params![id.as_str()]).await.map(drop)
}

/// Says that a table holds nothing of a document, so that the next ingestion writes it again.
pub(crate) async fn reset_rows(tx: &mut Tx, table: &Name, id: &str) -> Result<(), CatalogFault> {
    tx.execute(DELETE_ROWS_IN, params![table, id]).await.map(drop)
}

/// Which documents a table should hold, with how many chunks.
pub(crate) async fn rows_of_table(catalog: &Catalog, table: &Name) -> Result<BTreeMap<String, u64>, CatalogFault> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let rows = catalog.query(ROWS_OF_TABLE, params![table, after.as_str()]).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.text("document")?.to_owned();
        for row in &rows {
            all.insert(row.text("document")?.to_owned(), count(row, "chunks")?);
        }
    }
}

/// Leaves a tombstone: the id, which is a digest, its source, and who could see it. It has no text in hand any more.
pub(crate) async fn forget(tx: &mut Tx, key: &KnowledgeKey, id: &DocumentId, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(FORGET, params![key.project, &key.name, id.as_str(), now]).await?;
    tx.execute(UNLIST_DOCUMENT, params![id.as_str()]).await?;
    tx.execute(DELETE_ROWS, params![id.as_str()]).await.map(drop)
}

/// Leaves a tombstone of a document that is not there any more, with what is known of it.
pub(crate) async fn bury(
    tx: &mut Tx,
    key: &KnowledgeKey,
    id: &DocumentId,
    (source, labels): (&str, &[String]),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    tx.execute(BURY, params![key.project, &key.name, id.as_str(), source, json!(labels), now]).await.map(drop)
}

/// Takes a tombstone away; answers how many that were.
pub(crate) async fn lift(tx: &mut Tx, key: &KnowledgeKey, id: &DocumentId) -> Result<u64, CatalogFault> {
    tx.execute(LIFT, params![key.project, &key.name, id.as_str()]).await
}

/// Labels and status of documents as they are now; those that are not there are missing in the answer.
pub(crate) async fn labels_of(
    catalog: &Catalog,
    key: &KnowledgeKey,
    ids: &[String],
) -> Result<HashMap<String, Visible>, CatalogFault> {
    let mut found = HashMap::with_capacity(ids.len());
    for some in ids.chunks(LABELS_AT_ONCE) {
        let mut values = params![key.project, &key.name];
        values.extend((0..LABELS_AT_ONCE).map(|at| Param::Text(Some(some.get(at).cloned().unwrap_or_default()))));
        for row in catalog.query(VISIBLE, values).await? {
            let visible = Visible { labels: row.json("labels")?, status: row.parse("status")? };
            found.insert(row.text("id")?.to_owned(), visible);
        }
    }
    Ok(found)
}

/// Documents with the same bytes that were parsed: their path, parsed blob and media type.
pub(crate) async fn same_content(
    catalog: &Catalog,
    key: &KnowledgeKey,
    digest: &Digest,
) -> Result<Vec<(String, Digest, String)>, CatalogFault> {
    let rows = catalog.query(SAME_CONTENT, params![key.project, &key.name, digest]).await?;
    rows.iter().map(|row| Ok((row.text("path")?.to_owned(), row.parse("parsed")?, row.text("media_type")?.to_owned()))).collect()
}

/// Notes how a document is told the next time whose content was found to be what it was.
pub(crate) async fn same_as_before(
    tx: &mut Tx,
    key: &KnowledgeKey,
    (id, digest): (&DocumentId, &Digest),
    (fingerprint, origin): (&str, &Origin),
) -> Result<(), CatalogFault> {
    let values = params![key.project, &key.name, id.as_str(), fingerprint, json!(origin), digest];
    tx.execute(SET_COMPARED, values).await.map(drop)
}

pub(crate) async fn ids_of_source(catalog: &Catalog, key: &KnowledgeKey, source: &str) -> Result<Vec<DocumentId>, CatalogFault> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let rows = catalog.query(IDS_OF_SOURCE, params![key.project, &key.name, source, after.as_str()]).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.text("id")?.to_owned();
        for row in &rows {
            all.push(row.parse("id")?);
        }
    }
}
