use std::str::FromStr;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Digest, Name, Timestamp, id::ProjectId};
use mainspring_lake::LakeVersion;
use serde_json::json;

use crate::model::KnowledgeKey;

/// A knowledge as the catalog has it.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub key: KnowledgeKey,
    pub active_table: Option<Name>,
    pub lake: Option<LakeVersion>,
    pub synced: Option<Timestamp>,
    /// Of the spec that the last complete ingestion followed.
    pub spec: Option<Digest>,
    /// Marks of the sources that complete ingestions have read; `None`: it was not kept yet.
    pub read_sources: Option<Vec<String>>,
    /// Who changes it now, and until when that counts.
    pub holder: Option<(String, Timestamp)>,
    pub unsettled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableState {
    Building,
    Active,
    Retired,
}

impl TableState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

impl FromStr for TableState {
    type Err = String;
    fn from_str(given: &str) -> Result<Self, String> {
        [Self::Building, Self::Active, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == given)
            .ok_or_else(|| format!("`{given}` is no state of a table"))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TableRow {
    pub table: Name,
    pub config: Digest,
    pub embedder: String,
    pub embedder_identity: String,
    pub dimensions: usize,
    pub state: TableState,
    pub retired: Option<Timestamp>,
}

const ENSURE: &str = "INSERT INTO knowledge (project, name) VALUES ($1, $2) ON CONFLICT (project, name) DO NOTHING";
const FIND: &str = "SELECT project, name, active_table, lake_version, lake_transaction, \
    synced_at, asset_digest, read_sources, holder_run, held_until, unsettled FROM knowledge WHERE project = $1 AND name = $2";
const LIST: &str = "SELECT project, name, active_table, lake_version, lake_transaction, \
    synced_at, asset_digest, read_sources, holder_run, held_until, unsettled FROM knowledge WHERE (project, name) > ($1, $2) \
    ORDER BY project, name LIMIT 500";
const OF_PROJECT: &str = "SELECT project, name FROM knowledge WHERE project = $1 ORDER BY name LIMIT 10000";
const HOLD: &str = "UPDATE knowledge SET holder = $3, holder_run = $4, held_until = $5 \
    WHERE project = $1 AND name = $2 AND (holder_run IS NULL OR held_until < $6)";
const HOLDER: &str = "SELECT holder_run FROM knowledge WHERE project = $1 AND name = $2";
const RENEW: &str = "UPDATE knowledge SET held_until = $4 WHERE project = $1 AND name = $2 AND holder_run = $3";
const FREE: &str = "UPDATE knowledge SET holder = NULL, holder_run = NULL, held_until = NULL \
    WHERE project = $1 AND name = $2 AND holder_run = $3";
const FREE_ALL: &str = "UPDATE knowledge SET holder = NULL, holder_run = NULL, held_until = NULL \
    WHERE holder_run IS NOT NULL AND (held_until < $1 OR $2 = 1)";
const MARK_UNSETTLED: &str = "UPDATE knowledge SET unsettled = 1 WHERE project = $1 AND name = $2";
const SETTLE: &str = "UPDATE knowledge SET unsettled = 0, asset_version = $3, asset_digest = $4, lake_version = $5, \
    lake_transaction = $6, synced_at = $7, read_sources = $8 WHERE project = $1 AND name = $2";
const TABLES: &str = "SELECT lake_table, config, embedder, embedder_identity, dimensions, state, retired_at \
    FROM knowledge_table WHERE project = $1 AND knowledge = $2 ORDER BY created_at, lake_table LIMIT 1000";
const ADD_TABLE: &str = "INSERT INTO knowledge_table (lake_table, project, knowledge, config, embedder, \
    embedder_identity, dimensions, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'building', $8) \
    ON CONFLICT (lake_table) DO NOTHING";
const RETIRE: &str = "UPDATE knowledge_table SET state = 'retired', retired_at = $3 \
    WHERE project = $1 AND knowledge = $2 AND state = 'active' AND lake_table <> $4";
const ACTIVATE: &str = "UPDATE knowledge_table SET state = 'active', completed_at = $2, retired_at = NULL \
    WHERE lake_table = $1 AND state <> 'active'";
/// What was to take its place when the spec changed again: nothing was ever answered from it.
const GIVE_UP: &str = "UPDATE knowledge_table SET state = 'retired', retired_at = $3 \
    WHERE project = $1 AND knowledge = $2 AND state = 'building' \
    AND lake_table <> (SELECT active_table FROM knowledge WHERE project = $1 AND name = $2)";
const POINT: &str = "UPDATE knowledge SET active_table = $3 WHERE project = $1 AND name = $2";
const DROP_TABLE: &str = "DELETE FROM knowledge_table WHERE lake_table = $1 AND state <> 'active'";
const DROP_ROWS: &str = "DELETE FROM document_rows WHERE lake_table = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    ENSURE,
    FIND,
    LIST,
    OF_PROJECT,
    HOLD,
    HOLDER,
    RENEW,
    FREE,
    FREE_ALL,
    MARK_UNSETTLED,
    SETTLE,
    TABLES,
    ADD_TABLE,
    RETIRE,
    ACTIVATE,
    GIVE_UP,
    POINT,
    DROP_TABLE,
    DROP_ROWS,
];

pub(crate) async fn find(catalog: &Catalog, key: &KnowledgeKey) -> Result<Option<State>, CatalogFault> {
    let rows = catalog.query(FIND, params![key.project, &key.name]).await?;
    rows.first().map(state).transpose()
}

/// Every knowledge of every project, a page at a time: for the building's own upkeep.
pub(crate) async fn list(catalog: &Catalog, after: Option<&KnowledgeKey>) -> Result<Vec<State>, CatalogFault> {
    let (project, name) =
        after.map_or_else(|| (String::new(), String::new()), |key| (key.project.to_string(), key.name.to_string()));
    catalog.query(LIST, params![project, name]).await?.iter().map(state).collect()
}

pub(crate) async fn of_project(catalog: &Catalog, project: ProjectId) -> Result<Vec<KnowledgeKey>, CatalogFault> {
    let rows = catalog.query(OF_PROJECT, params![project]).await?;
    rows.iter().map(|row| Ok(KnowledgeKey { project: row.parse("project")?, name: row.parse("name")? })).collect()
}

fn state(row: &Row) -> Result<State, CatalogFault> {
    let lake = match (row.opt_int("lake_version")?, row.opt_text("lake_transaction")?) {
        (Some(number), Some(transaction)) => {
            Some(LakeVersion { number: u64::try_from(number).unwrap_or(0), transaction: transaction.to_owned() })
        }
        _ => None,
    };
    let holder = match (row.opt_text("holder_run")?, row.opt_time("held_until")?) {
        (Some(run), Some(until)) => Some((run.to_owned(), until)),
        _ => None,
    };
    Ok(State {
        key: KnowledgeKey { project: row.parse::<ProjectId>("project")?, name: row.parse("name")? },
        active_table: row.opt_parse("active_table")?,
        lake,
        synced: row.opt_time("synced_at")?,
        spec: row.opt_parse("asset_digest")?,
        read_sources: row.opt_json("read_sources")?,
        holder,
        unsettled: row.bool("unsettled")?,
    })
}

/// Takes hold of a knowledge; false when another run has it.
pub(crate) async fn hold(
    tx: &mut Tx,
    key: &KnowledgeKey,
    (holder, run): (&str, &str),
    (now, until): (Timestamp, Timestamp),
) -> Result<bool, CatalogFault> {
    tx.execute(ENSURE, params![key.project, &key.name]).await?;
    let held = tx.execute(HOLD, params![key.project, &key.name, holder, run, until, now]).await?;
    Ok(held == 1)
}

pub(crate) async fn holder(tx: &mut Tx, key: &KnowledgeKey) -> Result<Option<String>, CatalogFault> {
    let rows = tx.query(HOLDER, params![key.project, &key.name]).await?;
    Ok(rows.first().map(|row| row.opt_text("holder_run")).transpose()?.flatten().map(str::to_owned))
}

/// Keeps hold for longer; false when it was lost.
pub(crate) async fn renew(tx: &mut Tx, key: &KnowledgeKey, run: &str, until: Timestamp) -> Result<bool, CatalogFault> {
    Ok(tx.execute(RENEW, params![key.project, &key.name, run, until]).await? == 1)
}

pub(crate) async fn free(tx: &mut Tx, key: &KnowledgeKey, run: &str) -> Result<(), CatalogFault> {
    tx.execute(FREE, params![key.project, &key.name, run]).await.map(drop)
}

/// Frees what dead processes held: what has run out, or everything where only one process can be alive.
pub(crate) async fn free_all(tx: &mut Tx, now: Timestamp, alone: bool) -> Result<u64, CatalogFault> {
    tx.execute(FREE_ALL, params![now, alone]).await
}

pub(crate) async fn mark_unsettled(tx: &mut Tx, key: &KnowledgeKey) -> Result<(), CatalogFault> {
    tx.execute(MARK_UNSETTLED, params![key.project, &key.name]).await.map(drop)
}

/// Catalog and lake agree, and this is what they hold, from these sources. Tables that were begun for other specs are given up.
pub(crate) async fn settle(
    tx: &mut Tx,
    key: &KnowledgeKey,
    (asset_version, asset_digest): (u32, Digest),
    (lake, read_sources): (&LakeVersion, &[String]),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    let (number, transaction, read) = (lake.number, lake.transaction.as_str(), json!(read_sources));
    let values = params![key.project, &key.name, asset_version, asset_digest, number, transaction, now, read];
    tx.execute(SETTLE, values).await?;
    tx.execute(GIVE_UP, params![key.project, &key.name, now]).await.map(drop)
}

pub(crate) async fn tables(catalog: &Catalog, key: &KnowledgeKey) -> Result<Vec<TableRow>, CatalogFault> {
    let rows = catalog.query(TABLES, params![key.project, &key.name]).await?;
    rows.iter()
        .map(|row| {
            Ok(TableRow {
                table: row.parse("lake_table")?,
                config: row.parse("config")?,
                embedder: row.text("embedder")?.to_owned(),
                embedder_identity: row.text("embedder_identity")?.to_owned(),
                dimensions: row.number::<u32>("dimensions")? as usize,
                state: row.parse("state")?,
                retired: row.opt_time("retired_at")?,
            })
        })
        .collect()
}

pub(crate) async fn add_table(tx: &mut Tx, key: &KnowledgeKey, table: &TableRow, now: Timestamp) -> Result<(), CatalogFault> {
    let TableRow { table, config, embedder, embedder_identity, dimensions, state: _, retired: _ } = table;
    let values = params![table, key.project, &key.name, config, embedder, embedder_identity, *dimensions, now];
    tx.execute(ADD_TABLE, values).await.map(drop)
}

/// Searches read this table from now on; the one they read before is kept for replays.
pub(crate) async fn activate(tx: &mut Tx, key: &KnowledgeKey, table: &Name, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(RETIRE, params![key.project, &key.name, now, table]).await?;
    tx.execute(ACTIVATE, params![table, now]).await?;
    tx.execute(POINT, params![key.project, &key.name, table]).await.map(drop)
}

pub(crate) async fn drop_table(tx: &mut Tx, table: &Name) -> Result<(), CatalogFault> {
    if tx.execute(DROP_TABLE, params![table]).await? == 1 {
        tx.execute(DROP_ROWS, params![table]).await?;
    }
    Ok(())
}

/// The run that holds, as its id.
impl State {
    pub(crate) fn held_by(&self, now: Timestamp) -> Option<&str> {
        self.holder.as_ref().filter(|(_, until)| *until >= now).map(|(run, _)| run.as_str())
    }
}
