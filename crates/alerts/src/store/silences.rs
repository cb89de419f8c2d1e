use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{ProjectId, SilenceId},
};

use crate::model::Silence;

macro_rules! columns {
    () => {
        "id, project, matchers, starts, ends, comment, created, created_by"
    };
}

const INSERT: &str = concat!("INSERT INTO silence (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
const GET: &str = concat!("SELECT ", columns!(), " FROM silence WHERE project = $1 AND id = $2");
const ACTIVE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM silence WHERE project = $1 AND starts <= $2 AND ends > $2 ORDER BY ends DESC, id LIMIT $3"
);
/// `$2`: those that have not ended by then.
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM silence WHERE project = $1 AND (CAST($2 AS BIGINT) IS NULL OR ends > $2) \
     AND (CAST($3 AS TEXT) IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
);
const END: &str = "UPDATE silence SET ends = $2 WHERE id = $1 AND ends > $2";
const UNHIDE: &str = "UPDATE incident SET remind = $3 WHERE project = $1 AND silence = $2 AND state = 'open'";

pub(super) const STATEMENTS: &[&str] = &[INSERT, GET, ACTIVE, LIST, END, UNHIDE];

pub(crate) async fn insert_silence(tx: &mut Tx, silence: &Silence) -> Result<(), CatalogFault> {
    let Silence { id, project, matchers, starts, ends, comment, created, created_by } = silence;
    let matchers = serde_json::to_string(matchers).unwrap_or_default();
    tx.execute(INSERT, params![*id, *project, matchers, *starts, *ends, comment, *created, *created_by]).await.map(drop)
}

pub(crate) async fn get_silence(tx: &mut Tx, project: ProjectId, id: SilenceId) -> Result<Option<Silence>, CatalogFault> {
    tx.query(GET, params![project, id]).await?.first().map(read).transpose()
}

/// Those that last longest first.
pub(crate) async fn active_silences(
    tx: &mut Tx,
    project: ProjectId,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Silence>, CatalogFault> {
    tx.query(ACTIVE, params![project, now, limit]).await?.iter().map(read).collect()
}

/// Newest first.
pub(crate) async fn silences(
    catalog: &Catalog,
    project: ProjectId,
    not_ended: Option<Timestamp>,
    before: Option<SilenceId>,
    limit: usize,
) -> Result<Vec<Silence>, CatalogFault> {
    catalog.query(LIST, params![project, not_ended, before, limit]).await?.iter().map(read).collect()
}

pub(crate) async fn end_silence(tx: &mut Tx, id: SilenceId, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(tx.execute(END, params![id, now]).await? > 0)
}

/// What a silence hid is looked at again at once.
pub(crate) async fn unhide(tx: &mut Tx, project: ProjectId, id: SilenceId, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(UNHIDE, params![project, id, now]).await.map(drop)
}

fn read(row: &Row) -> Result<Silence, CatalogFault> {
    Ok(Silence {
        id: row.parse("id")?,
        project: row.parse("project")?,
        matchers: row.json("matchers")?,
        starts: row.time("starts")?,
        ends: row.time("ends")?,
        comment: row.text("comment")?.to_owned(),
        created: row.time("created")?,
        created_by: row.parse("created_by")?,
    })
}
