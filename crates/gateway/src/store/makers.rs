//! Who made the responses that providers keep.

use mainspring_catalog::{Catalog, CatalogFault, Engine, Tx, params};
use mainspring_kernel::{Timestamp, id::ProjectId};
use serde::Serialize;

use crate::record::CallRecord;

macro_rules! columns {
    () => {
        "project, response, made, model, route, provider, target"
    };
}

/// A server that begins to count anew may give a name twice: the newest is meant.
macro_rules! or_replace {
    () => {
        " ON CONFLICT (project, response) DO UPDATE SET made = excluded.made, model = excluded.model, route = excluded.route, \
         provider = excluded.provider, target = excluded.target"
    };
}

/// `$1` is a list of rows, as JSON: one statement for a whole batch.
pub(super) const ADD_SQLITE: &str = concat!(
    "INSERT INTO response_maker (",
    columns!(),
    ") SELECT json_extract(e.value, '$.project'), json_extract(e.value, '$.response'), json_extract(e.value, '$.made'), \
     json_extract(e.value, '$.model'), json_extract(e.value, '$.route'), json_extract(e.value, '$.provider'), \
     json_extract(e.value, '$.target') FROM json_each($1) AS e WHERE true",
    or_replace!()
);
pub(super) const ADD_POSTGRES: &str = concat!(
    "INSERT INTO response_maker (",
    columns!(),
    ") SELECT ",
    columns!(),
    " FROM json_to_recordset(CAST($1 AS json)) AS e (project text, response text, made bigint, model text, route text, \
      provider text, target text)",
    or_replace!()
);
const OF: &str = "SELECT model, route, provider, target FROM response_maker WHERE project = $1 AND response = $2";
const FORGET: &str = "DELETE FROM response_maker WHERE (project, response) IN \
    (SELECT project, response FROM response_maker WHERE made < $1 LIMIT $2) RETURNING made";

pub(super) const STATEMENTS: &[&str] = &[OF, FORGET];

/// Who made a response, as a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MakerRow {
    project: ProjectId,
    response: String,
    /// In microseconds.
    made: i64,
    model: String,
    route: String,
    provider: String,
    target: String,
}

impl MakerRow {
    /// Nothing, where no provider keeps what the call gave.
    pub(crate) fn of(record: &CallRecord) -> Option<Self> {
        let CallRecord { caller, at, model, route, provider, target, response, .. } = record;
        Some(Self {
            project: caller.project,
            response: response.clone()?,
            made: at.as_micros(),
            model: model.clone(),
            route: route.clone().unwrap_or_default(),
            provider: provider.clone()?,
            target: target.clone()?,
        })
    }

    pub(crate) fn key(&self) -> (ProjectId, String) {
        (self.project, self.response.clone())
    }
}

/// Who made a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// As the client named it.
    pub model: String,
    /// Absent where the client named a provider.
    pub route: Option<String>,
    pub provider: String,
    /// As the provider names the model.
    pub target: String,
}

const fn add(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => ADD_SQLITE,
        Engine::Postgres => ADD_POSTGRES,
    }
}

/// Adds rows, each of another response, written as a JSON list.
pub(crate) async fn add_makers(tx: &mut Tx, rows: &str) -> Result<(), CatalogFault> {
    tx.execute(add(tx.engine()), params![rows]).await.map(drop)
}

/// The same in a write of its own, for one that cannot wait until its call is settled.
pub(crate) async fn put_maker(catalog: &Catalog, row: &MakerRow) -> Result<(), CatalogFault> {
    let rows = serde_json::to_string(&[row]).unwrap_or_else(|_| "[]".to_owned());
    catalog.write(add(catalog.engine()), params![rows]).await.map(drop)
}

pub(crate) async fn maker(catalog: &Catalog, project: ProjectId, response: &str) -> Result<Option<Maker>, CatalogFault> {
    let rows = catalog.query(OF, params![project, response]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let route = row.text("route")?.to_owned();
    Ok(Some(Maker {
        model: row.text("model")?.to_owned(),
        route: (!route.is_empty()).then_some(route),
        provider: row.text("provider")?.to_owned(),
        target: row.text("target")?.to_owned(),
    }))
}

/// Answers how many were removed.
pub(crate) async fn forget_makers(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(FORGET, params![before, limit]).await?.len())
}
