//! Who writes calls, and how far each has come.

use mainspring_catalog::{Catalog, CatalogFault, Tx, params};
use mainspring_kernel::Timestamp;

const OPEN: &str = "INSERT INTO call_writer (owner, session, last_batch, seen) VALUES ($1, $2, 0, $3) \
    ON CONFLICT (owner) DO UPDATE SET session = excluded.session, seen = excluded.seen RETURNING last_batch";
const CLAIM: &str = "UPDATE call_writer SET last_batch = $3, seen = $4 WHERE owner = $1 AND session = $2 AND last_batch < $3";
const WRITER: &str = "SELECT session, last_batch FROM call_writer WHERE owner = $1";
const SEEN: &str = "UPDATE call_writer SET seen = $2 WHERE owner = $1 AND seen < $2 RETURNING owner";

const ALIVE: &str = "SELECT owner, seen FROM call_writer WHERE seen >= $1 AND (CAST($2 AS TEXT) IS NULL OR owner > $2) \
    ORDER BY owner LIMIT $3";

pub(super) const STATEMENTS: &[&str] = &[OPEN, CLAIM, WRITER, SEEN, ALIVE];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Ours,
    /// It was written before.
    Written,
    /// Another process writes under this name.
    Lost,
}

/// Begins a session; answers the last batch that was written under the name.
pub(crate) async fn open_writer(catalog: &Catalog, owner: &str, session: &str, now: Timestamp) -> Result<u64, CatalogFault> {
    let rows = catalog.write(OPEN, params![owner, session, now]).await?;
    rows.first().map_or(Ok(0), |row| row.number("last_batch"))
}

/// Marks a batch as written, if it is not yet.
pub(crate) async fn claim_batch(
    tx: &mut Tx,
    (owner, session): (&str, &str),
    number: u64,
    now: Timestamp,
) -> Result<Claim, CatalogFault> {
    if tx.execute(CLAIM, params![owner, session, number, now]).await? > 0 {
        return Ok(Claim::Ours);
    }
    let rows = tx.query(WRITER, params![owner]).await?;
    match rows.first() {
        Some(row) if row.text("session")? == session && row.number::<u64>("last_batch")? >= number => Ok(Claim::Written),
        _ => Ok(Claim::Lost),
    }
}

/// Says that the process is alive.
pub(crate) async fn seen_writer(catalog: &Catalog, owner: &str, now: Timestamp) -> Result<(), CatalogFault> {
    catalog.write(SEEN, params![owner, now]).await.map(drop)
}

/// Who was seen since, by name.
pub(crate) async fn writers_seen(
    catalog: &Catalog,
    since: Timestamp,
    (after, limit): (Option<String>, usize),
) -> Result<Vec<(String, Timestamp)>, CatalogFault> {
    let rows = catalog.query(ALIVE, params![since, after, limit]).await?;
    rows.iter().map(|row| Ok((row.text("owner")?.to_owned(), row.time("seen")?))).collect()
}
