//! Calls whose answers are made in the background, and which process waits for each.

use std::collections::HashSet;

use mainspring_catalog::{Catalog, CatalogFault, Engine, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{CallId, ProjectId},
};

use crate::record::CallRecord;

/// Whoever waits for it first, and nobody else.
const PUT: &str = "INSERT INTO background_call (id, project, response, owner, began, ended, record, said) \
    VALUES ($1, $2, $3, $4, $5, 0, $6, '') ON CONFLICT (id) DO NOTHING RETURNING id";
/// Also of a call that could not be written down in time: what was sent then may still arrive. It ends once: a process that got a
/// call back which it had settled before may settle it again.
const END: &str = "INSERT INTO background_call (id, project, response, owner, began, ended, record, said) \
    VALUES ($1, $2, $3, $4, $5, $6, '', '') ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, record = '', said = '' \
    WHERE background_call.owner = excluded.owner AND background_call.ended = 0";
const OWNER: &str = "SELECT owner FROM background_call WHERE id = $1";
const UNDER_WAY: &str = "SELECT owner, record FROM background_call WHERE response = $1 AND project = $2 AND ended = 0 \
    ORDER BY began DESC LIMIT 1";
const SAY: &str = "UPDATE background_call SET said = $2 WHERE id = $1 AND ended = 0 AND said = '' RETURNING id";
const SAID: &str = "SELECT said FROM background_call WHERE id = $1";
const OWN: &str = "SELECT owner, record FROM background_call WHERE ended = 0 AND owner = $1 ORDER BY id LIMIT $2";
const ORPHANS: &str = "SELECT b.owner, b.record FROM background_call b JOIN call_writer w ON w.owner = b.owner \
    WHERE b.ended = 0 AND b.owner <> $1 AND w.seen < $2 ORDER BY b.id LIMIT $3";
/// One of those who find it gets it, and only while its owner is gone.
const ADOPT: &str = "UPDATE background_call SET owner = $2 WHERE id = $1 AND owner = $3 AND ended = 0 \
    AND EXISTS (SELECT 1 FROM call_writer w WHERE w.owner = $3 AND w.seen < $4)";
const FORGET: &str = "DELETE FROM background_call WHERE id IN (SELECT id FROM background_call WHERE began < $1 LIMIT $2) \
    RETURNING id";

/// `$1` is a list of ids, as JSON.
pub(super) const STRAYS_SQLITE: &str = "SELECT id FROM background_call WHERE id IN (SELECT value FROM json_each($1)) \
    AND (owner <> $2 OR ended > 0)";
pub(super) const STRAYS_POSTGRES: &str = "SELECT id FROM background_call \
    WHERE id IN (SELECT json_array_elements_text(CAST($1 AS json))) AND (owner <> $2 OR ended > 0)";

pub(super) const STATEMENTS: &[&str] = &[PUT, END, OWNER, UNDER_WAY, SAY, SAID, OWN, ORPHANS, ADOPT, FORGET];

/// A call that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitedFor {
    pub(crate) owner: String,
    /// As it is settled if nobody knows better.
    pub(crate) record: CallRecord,
}

/// Writes down that a process waits for a call, unless it is written down already.
pub(crate) async fn put_background(catalog: &Catalog, owner: &str, record: &CallRecord) -> Result<(), CatalogFault> {
    let response = record.response.as_deref().unwrap_or_default();
    // Records are structs of texts and numbers, which always have a JSON form.
    let written = serde_json::to_string(record).unwrap_or_default();
    let values = params![record.id, record.caller.project, response, owner, record.at, written];
    catalog.write(PUT, values).await.map(drop)
}

/// Writes down that a call was settled; answers whether it was its process that did, for the first time.
pub(crate) async fn end_background(tx: &mut Tx, owner: &str, record: &CallRecord, now: Timestamp) -> Result<bool, CatalogFault> {
    let response = record.response.as_deref().unwrap_or_default();
    let values = params![record.id, record.caller.project, response, owner, record.at, now];
    Ok(tx.execute(END, values).await? > 0)
}

/// Whether no other process waits for a call, or has settled it.
pub(crate) async fn is_own(tx: &mut Tx, owner: &str, id: CallId) -> Result<bool, CatalogFault> {
    let rows = tx.query(OWNER, params![id]).await?;
    rows.first().map_or(Ok(true), |row| Ok(row.text("owner")? == owner))
}

/// The call that made a response, while somebody waits for it.
pub(crate) async fn background(catalog: &Catalog, project: ProjectId, response: &str) -> Result<Option<WaitedFor>, CatalogFault> {
    catalog.query(UNDER_WAY, params![response, project]).await?.first().map(read).transpose()
}

/// Leaves word for whoever waits for a call, unless somebody did before.
pub(crate) async fn say_of_background(catalog: &Catalog, id: CallId, said: &str) -> Result<(), CatalogFault> {
    catalog.write(SAY, params![id, said]).await.map(drop)
}

/// The word that was left; empty where there is none.
pub(crate) async fn said_of_background(catalog: &Catalog, id: CallId) -> Result<String, CatalogFault> {
    let rows = catalog.query(SAID, params![id]).await?;
    rows.first().map_or_else(|| Ok(String::new()), |row| row.text("said").map(str::to_owned))
}

/// What a process waits for, as far as the catalog knows.
pub(crate) async fn own_background(catalog: &Catalog, owner: &str, limit: usize) -> Result<Vec<WaitedFor>, CatalogFault> {
    Ok(readable(&catalog.query(OWN, params![owner, limit]).await?))
}

/// What others waited for that were not seen since.
pub(crate) async fn orphans(
    catalog: &Catalog,
    owner: &str,
    seen_before: Timestamp,
    limit: usize,
) -> Result<Vec<WaitedFor>, CatalogFault> {
    Ok(readable(&catalog.query(ORPHANS, params![owner, seen_before, limit]).await?))
}

/// Answers whether the call is `to`'s from here on.
pub(crate) async fn adopt(
    tx: &mut Tx,
    id: CallId,
    (from, to): (&str, &str),
    seen_before: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(ADOPT, params![id, to, from, seen_before]).await? > 0)
}

/// Of some calls those that are settled or not this process's any more.
pub(crate) async fn strays(tx: &mut Tx, owner: &str, ids: &[CallId]) -> Result<HashSet<CallId>, CatalogFault> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, ids) = asked(tx.engine(), ids);
    tx.query(statement, params![ids, owner]).await?.iter().map(|row| row.parse("id")).collect()
}

/// The same in no transaction.
pub(crate) async fn strayed(catalog: &Catalog, owner: &str, ids: &[CallId]) -> Result<HashSet<CallId>, CatalogFault> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, ids) = asked(catalog.engine(), ids);
    catalog.query(statement, params![ids, owner]).await?.iter().map(|row| row.parse("id")).collect()
}

fn asked(engine: Engine, ids: &[CallId]) -> (&'static str, String) {
    let statement = match engine {
        Engine::Sqlite => STRAYS_SQLITE,
        Engine::Postgres => STRAYS_POSTGRES,
    };
    (statement, serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned()))
}

/// Answers how many were removed.
pub(crate) async fn forget_background(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(FORGET, params![before, limit]).await?.len())
}

/// One that another version of Mainspring wrote must not take all the others away.
fn readable(rows: &[Row]) -> Vec<WaitedFor> {
    let read = |row: &Row| read(row).inspect_err(|fault| tracing::error!(%fault, "a call in the background cannot be read")).ok();
    rows.iter().filter_map(read).collect()
}

fn read(row: &Row) -> Result<WaitedFor, CatalogFault> {
    Ok(WaitedFor { owner: row.text("owner")?.to_owned(), record: row.json("record")? })
}
