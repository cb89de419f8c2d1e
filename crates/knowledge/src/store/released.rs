//! Parsed texts that documents let go, or are about to have: nobody deletes one before its time has come.

use mainspring_catalog::{Catalog, CatalogFault, Tx, params};
use mainspring_kernel::{Digest, Timestamp};

use crate::model::DocumentId;

// Listed before it is there, and for longer than it may be in hand: it is looked at however that ends.
const ANNOUNCE_TEXT: &str = "INSERT INTO released_text (parsed, document, released_at) VALUES ($1, $2, $3) \
    ON CONFLICT (parsed, document) DO UPDATE SET released_at = excluded.released_at";
const RELEASED: &str = "SELECT DISTINCT listed.parsed FROM released_text listed WHERE listed.released_at <= $1 AND NOT EXISTS \
    (SELECT 1 FROM released_text other WHERE other.parsed = listed.parsed AND other.released_at > $1) \
    ORDER BY listed.parsed LIMIT 1000";
const RELEASED_BY: &str = "SELECT parsed FROM released_text WHERE document = $1 ORDER BY parsed LIMIT 10000";
const RELEASED_BY_UNTIL: &str =
    "SELECT parsed FROM released_text WHERE document = $1 AND released_at <= $2 ORDER BY parsed LIMIT 10000";
const UNLIST_RELEASED: &str = "DELETE FROM released_text WHERE parsed = $1 AND released_at <= $2";
const NAMES_TEXT: &str = "SELECT (SELECT COUNT(*) FROM document WHERE parsed = $1) \
    + (SELECT COUNT(*) FROM released_text WHERE parsed = $1 AND released_at > $2) AS users";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ANNOUNCE_TEXT, RELEASED, RELEASED_BY, RELEASED_BY_UNTIL, UNLIST_RELEASED, NAMES_TEXT];

/// Says that a document is about to have a text: until then it is nobody's to delete.
pub(crate) async fn announce_text(
    tx: &mut Tx,
    parsed: &Digest,
    document: &DocumentId,
    until: Timestamp,
) -> Result<(), CatalogFault> {
    tx.execute(ANNOUNCE_TEXT, params![parsed, document.as_str(), until]).await.map(drop)
}

/// Texts that every document which had them let go at this time or before.
pub(crate) async fn released(catalog: &Catalog, until: Timestamp) -> Result<Vec<Digest>, CatalogFault> {
    catalog.query(RELEASED, params![until]).await?.iter().map(|row| row.parse("parsed")).collect()
}

/// Texts a document had before.
pub(crate) async fn released_by(catalog: &Catalog, id: &DocumentId) -> Result<Vec<Digest>, CatalogFault> {
    catalog.query(RELEASED_BY, params![id.as_str()]).await?.iter().map(|row| row.parse("parsed")).collect()
}

/// The same, of those it had let go at this time or before.
pub(crate) async fn released_by_until(catalog: &Catalog, id: &DocumentId, until: Timestamp) -> Result<Vec<Digest>, CatalogFault> {
    catalog.query(RELEASED_BY_UNTIL, params![id.as_str(), until]).await?.iter().map(|row| row.parse("parsed")).collect()
}

/// Strikes a text off the list, as far as it was let go at this time or before.
pub(crate) async fn unlist_released(tx: &mut Tx, parsed: &Digest, until: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(UNLIST_RELEASED, params![parsed, until]).await.map(drop)
}

/// Whether any document of any project still refers to a parsed blob, or is about to.
pub(crate) async fn names_text(catalog: &Catalog, parsed: &Digest, now: Timestamp) -> Result<bool, CatalogFault> {
    let rows = catalog.query(NAMES_TEXT, params![parsed, now]).await?;
    Ok(rows.first().map(|row| row.int("users")).transpose()?.unwrap_or(0) > 0)
}
