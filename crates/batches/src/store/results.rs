//! What lines gave, until it is in a part of a file.

use mainspring_catalog::{Catalog, CatalogFault, Tx, params};
use mainspring_kernel::id::BatchId;

const INSERT: &str =
    "INSERT INTO batch_result (batch, line, ok, seq, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (batch, line) DO NOTHING";
const ANSWERED: &str = "SELECT line FROM batch_result WHERE batch = $1 AND line > $2 ORDER BY line LIMIT $3";
const RESULTS: &str = "SELECT seq, body FROM batch_result WHERE batch = $1 AND ok = $2 AND seq >= $3 AND body IS NOT NULL \
    ORDER BY seq LIMIT $4";
const SIZES: &str = "SELECT seq, CAST(LENGTH(body) AS BIGINT) AS size FROM batch_result WHERE batch = $1 AND ok = $2 AND seq >= $3 \
    AND body IS NOT NULL ORDER BY seq LIMIT $4";
const EMPTY: &str = "UPDATE batch_result SET body = NULL WHERE batch = $1 AND ok = $2 AND seq >= $3 AND seq < $4";
const FORGET: &str = "DELETE FROM batch_result WHERE batch = $1 AND line IN \
    (SELECT line FROM batch_result WHERE batch = $1 ORDER BY line LIMIT $2) RETURNING line";
const LEFT_OVER: &str = "SELECT id FROM batch WHERE ended IS NOT NULL \
    AND EXISTS (SELECT line FROM batch_result WHERE batch_result.batch = batch.id) ORDER BY id LIMIT $1";

pub(super) const STATEMENTS: &[&str] = &[INSERT, ANSWERED, RESULTS, SIZES, EMPTY, FORGET, LEFT_OVER];

/// Answers whether the line had none before.
pub(crate) async fn insert_result(
    tx: &mut Tx,
    (batch, line): (BatchId, u64),
    (ok, seq): (bool, u64),
    body: &[u8],
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(INSERT, params![batch, line, ok, seq, body]).await? > 0)
}

pub(crate) async fn answered(catalog: &Catalog, batch: BatchId, after: u64, limit: usize) -> Result<Vec<u64>, CatalogFault> {
    catalog.query(ANSWERED, params![batch, after, limit]).await?.iter().map(|row| row.number("line")).collect()
}

/// Those that are in no part yet, with their places.
pub(crate) async fn results(
    catalog: &Catalog,
    (batch, ok): (BatchId, bool),
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, Vec<u8>)>, CatalogFault> {
    let rows = catalog.query(RESULTS, params![batch, ok, from, limit]).await?;
    rows.iter().map(|row| Ok((row.number("seq")?, row.bytes("body")?.to_vec()))).collect()
}

/// The same, but how large they are.
pub(crate) async fn sizes(
    catalog: &Catalog,
    (batch, ok): (BatchId, bool),
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, u64)>, CatalogFault> {
    let rows = catalog.query(SIZES, params![batch, ok, from, limit]).await?;
    rows.iter().map(|row| Ok((row.number("seq")?, row.number("size")?))).collect()
}

/// They are in a part now; that their lines have a result stays known.
pub(crate) async fn empty_results(tx: &mut Tx, (batch, ok): (BatchId, bool), (from, to): (u64, u64)) -> Result<(), CatalogFault> {
    tx.execute(EMPTY, params![batch, ok, from, to]).await.map(drop)
}

/// Answers how many were forgotten.
pub(crate) async fn forget_results(catalog: &Catalog, batch: BatchId, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(FORGET, params![batch, limit]).await?.len())
}

/// Batches that have ended and still have rows.
pub(crate) async fn left_over(catalog: &Catalog, limit: usize) -> Result<Vec<BatchId>, CatalogFault> {
    catalog.query(LEFT_OVER, params![limit]).await?.iter().map(|row| row.parse("id")).collect()
}
