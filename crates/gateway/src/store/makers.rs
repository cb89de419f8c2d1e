//! Who made the responses that providers keep.

use mainspring_catalog::{Catalog, CatalogFault, Engine, Tx, params};
use mainspring_kernel::{Digest, Timestamp, id::ProjectId};
use serde::Serialize;

use crate::record::CallRecord;

macro_rules! columns {
    () => {
        "response, account, project, made, model, route, provider, target"
    };
}

/// Whose a response is stays as it was written first: another project that says it got one of this name from the same account
/// is not let at it. A server that begins to count anew may give a project a name twice: the newest is meant.
macro_rules! or_newer {
    () => {
        " ON CONFLICT (response, account) DO UPDATE SET made = excluded.made, model = excluded.model, route = excluded.route, \
         provider = excluded.provider, target = excluded.target WHERE response_maker.project = excluded.project"
    };
}

/// `$1` is a list of rows, as JSON: one statement for a whole batch.
pub(super) const ADD_SQLITE: &str = concat!(
    "INSERT INTO response_maker (",
    columns!(),
    ") SELECT json_extract(e.value, '$.response'), json_extract(e.value, '$.account'), json_extract(e.value, '$.project'), \
     json_extract(e.value, '$.made'), json_extract(e.value, '$.model'), json_extract(e.value, '$.route'), \
     json_extract(e.value, '$.provider'), json_extract(e.value, '$.target') FROM json_each($1) AS e WHERE true",
    or_newer!()
);
pub(super) const ADD_POSTGRES: &str = concat!(
    "INSERT INTO response_maker (",
    columns!(),
    ") SELECT ",
    columns!(),
    " FROM json_to_recordset(CAST($1 AS json)) AS e (response text, account text, project text, made bigint, model text, \
      route text, provider text, target text)",
    or_newer!()
);
const OF: &str = "SELECT model, route, provider, target, account FROM response_maker WHERE response = $1 AND project = $2 \
    ORDER BY made DESC LIMIT 1";
const FORGET: &str = "DELETE FROM response_maker WHERE (response, account) IN \
    (SELECT response, account FROM response_maker WHERE made < $1 LIMIT $2) RETURNING made";

pub(super) const STATEMENTS: &[&str] = &[OF, FORGET];

/// A response and the account that keeps it.
pub(crate) type MakerKey = (String, Digest);

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
    account: Digest,
}

impl MakerRow {
    /// Nothing, where no provider keeps what the call gave.
    pub(crate) fn of(record: &CallRecord) -> Option<Self> {
        let CallRecord { caller, at, model, route, provider, target, response, account, .. } = record;
        Some(Self {
            project: caller.project,
            response: response.clone()?,
            made: at.as_micros(),
            model: model.clone(),
            route: route.clone().unwrap_or_default(),
            provider: provider.clone()?,
            target: target.clone()?,
            account: (*account)?,
        })
    }

    /// What an account keeps has one name there.
    pub(crate) fn key(&self) -> MakerKey {
        (self.response.clone(), self.account)
    }

    pub(crate) fn is_of(&self, project: ProjectId) -> bool {
        self.project == project
    }

    pub(crate) const fn project(&self) -> ProjectId {
        self.project
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
    /// The account that the provider was then. Under its name may now be another, which is not asked: whoever may apply
    /// providers could otherwise have a server of their own give out a name, and then read what that names elsewhere.
    pub account: Digest,
}

const fn add(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => ADD_SQLITE,
        Engine::Postgres => ADD_POSTGRES,
    }
}

/// Adds rows, each of another response of an account, written as a JSON list.
pub(crate) async fn add_makers(tx: &mut Tx, rows: &str) -> Result<(), CatalogFault> {
    tx.execute(add(tx.engine()), params![rows]).await.map(drop)
}

/// The same in a write of its own, for one that cannot wait until its call is settled.
pub(crate) async fn put_maker(catalog: &Catalog, row: &MakerRow) -> Result<(), CatalogFault> {
    let rows = serde_json::to_string(&[row]).unwrap_or_else(|_| "[]".to_owned());
    catalog.write(add(catalog.engine()), params![rows]).await.map(drop)
}

pub(crate) async fn maker(catalog: &Catalog, project: ProjectId, response: &str) -> Result<Option<Maker>, CatalogFault> {
    let rows = catalog.query(OF, params![response, project]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let route = row.text("route")?.to_owned();
    Ok(Some(Maker {
        model: row.text("model")?.to_owned(),
        route: (!route.is_empty()).then_some(route),
        provider: row.text("provider")?.to_owned(),
        target: row.text("target")?.to_owned(),
        account: row.parse("account")?,
    }))
}

/// Answers how many were removed.
pub(crate) async fn forget_makers(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(FORGET, params![before, limit]).await?.len())
}
