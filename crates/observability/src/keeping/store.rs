//! SQL of retention and erasures lives here and nowhere else.

mod servers;

use std::time::Duration;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Timestamp, id::ProjectId};

pub(super) use self::servers::{
    Answer, Mark, Marks, acknowledge, add_mark, done_since, enter, forget_found, give_up, given_up_on, is_known, leave,
    made_good, marks, missing, missing_in, owed_by, prune, say_seen, waited_for, without,
};
use super::model::{Erased, Erasure, ErasureId, ErasureState, ErasureStep, Looked, Removal, Retention, Subject, Telemetry};

const RULES: &str = "SELECT project, kind, keep_seconds, max_bytes FROM retention ORDER BY project, kind";
const PUT_RULE: &str = "INSERT INTO retention (project, kind, keep_seconds, max_bytes, changed, changed_by) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, kind) DO UPDATE SET \
    keep_seconds = $3, max_bytes = $4, changed = $5, changed_by = $6";
const REMOVE_RULE: &str = "DELETE FROM retention WHERE project = $1 AND kind = $2";
const PROJECTS: &str = "SELECT id FROM project ORDER BY id";
const TAKE_TURN: &str = "INSERT INTO retention_turn (name, holder, held_until) VALUES ('retention', $1, $2) \
    ON CONFLICT (name) DO UPDATE SET holder = $1, held_until = $2 \
    WHERE retention_turn.held_until < $3 OR retention_turn.holder = $1 RETURNING holder";
const REMOVED: &str = "INSERT INTO retention_run (project, kind, ran, removed_rows, removed_bytes, all_rows, all_bytes) \
    VALUES ($1, $2, $3, $4, $5, $4, $5) ON CONFLICT (project, kind) DO UPDATE SET ran = $3, removed_rows = $4, \
    removed_bytes = $5, all_rows = retention_run.all_rows + $4, all_bytes = retention_run.all_bytes + $5";
const RUNS: &str = "SELECT kind, ran, removed_rows, removed_bytes, all_rows, all_bytes FROM retention_run WHERE project = $1";

macro_rules! erasure {
    ($rest:literal) => {
        concat!(
            "SELECT id, project, kind, subject, fingerprint, state, asked, asked_by, ended, spans, points, freed, freed_values, \
             trouble, cleaned, step, looked FROM erasure WHERE ",
            $rest
        )
    };
}
use erasure;
const INSERT: &str = "INSERT INTO erasure (id, project, kind, subject, fingerprint, state, asked, asked_by, spans, points, freed) \
    VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, 0, 0, 0) ON CONFLICT DO NOTHING RETURNING id";
const OPEN: &str = erasure!("project = $1 AND fingerprint = $2 AND state IN ('waiting', 'running')");
const ONE: &str = erasure!("project = $1 AND id = $2");
const ANY: &str = erasure!("id = $1");
const LIST: &str = erasure!("project = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3");
const BEGIN: &str = "UPDATE erasure SET state = 'running' WHERE id = $1 AND state IN ('waiting', 'running') RETURNING id";
const ADD: &str = "UPDATE erasure SET spans = spans + $2, points = points + $3, freed = freed + $4, \
    freed_values = freed_values + $5 WHERE id = $1 RETURNING id";
const STEP: &str = "UPDATE erasure SET step = $2 WHERE id = $1";
const LOOKED: &str = "UPDATE erasure SET looked = $2 WHERE id = $1";
const TROUBLE: &str = "UPDATE erasure SET trouble = $2, state = $3 WHERE id = $1 AND state <> 'done' RETURNING id";
/// Whoever begins again after this looks at everything anew.
const CLEANED: &str = "UPDATE erasure SET cleaned = COALESCE(cleaned, $2), looked = NULL WHERE id = $1";
const CLEANED_SINCE: &str = "SELECT id FROM erasure WHERE cleaned >= $1 LIMIT 1";
const DONE: &str = "UPDATE erasure SET state = 'done', ended = $2, subject = NULL, trouble = NULL, step = NULL, looked = NULL \
    WHERE id = $1";

/// Every statement, for the test that compiles them on both engines.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&[&str]] = &[
    &[RULES, PUT_RULE, REMOVE_RULE, PROJECTS, TAKE_TURN, REMOVED, RUNS],
    &[INSERT, OPEN, ONE, ANY, LIST, BEGIN, ADD, STEP, LOOKED, TROUBLE, CLEANED, CLEANED_SINCE, DONE],
    servers::STATEMENTS,
];

/// What each project says of each kind.
pub(super) async fn rules(catalog: &Catalog) -> Result<Vec<(ProjectId, Telemetry, Retention)>, CatalogFault> {
    let rows = catalog.query(RULES, params![]).await?;
    rows.iter().map(|row| Ok((row.parse("project")?, row.parse("kind")?, retention(row)?))).collect()
}

fn retention(row: &Row) -> Result<Retention, CatalogFault> {
    let number = |column: &str| Ok::<_, CatalogFault>(row.opt_int(column)?.and_then(|number| u64::try_from(number).ok()));
    Ok(Retention { keep_for: number("keep_seconds")?.map(Duration::from_secs), max_bytes: number("max_bytes")? })
}

pub(super) async fn put_rule(
    tx: &mut Tx,
    (project, kind): (ProjectId, Telemetry),
    rule: Retention,
    (now, by): (Timestamp, &str),
) -> Result<(), CatalogFault> {
    if rule == Retention::default() {
        return tx.execute(REMOVE_RULE, params![project, kind.as_str()]).await.map(drop);
    }
    let seconds = rule.keep_for.map(|keep| keep.as_secs());
    tx.execute(PUT_RULE, params![project, kind.as_str(), seconds, rule.max_bytes, now, by]).await.map(drop)
}

pub(super) async fn projects(catalog: &Catalog) -> Result<Vec<ProjectId>, CatalogFault> {
    catalog.query(PROJECTS, params![]).await?.iter().map(|row| row.parse("id")).collect()
}

/// Whether the turn is the holder's until then.
pub(super) async fn take_turn(
    catalog: &Catalog,
    holder: &str,
    (now, until): (Timestamp, Timestamp),
) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(TAKE_TURN, params![holder, until, now]).await?.is_empty())
}

pub(super) async fn removed(
    tx: &mut Tx,
    (project, kind): (ProjectId, Telemetry),
    (now, rows, bytes): (Timestamp, u64, u64),
) -> Result<(), CatalogFault> {
    tx.execute(REMOVED, params![project, kind.as_str(), now, rows, bytes]).await.map(drop)
}

pub(super) async fn runs(catalog: &Catalog, project: ProjectId) -> Result<Vec<(Telemetry, Removal)>, CatalogFault> {
    let read = |row: &Row| {
        let removal = Removal {
            at: row.time("ran")?,
            rows: row.number("removed_rows")?,
            bytes: row.number("removed_bytes")?,
            all_rows: row.number("all_rows")?,
            all_bytes: row.number("all_bytes")?,
        };
        Ok((row.parse("kind")?, removal))
    };
    catalog.query(RUNS, params![project]).await?.iter().map(read).collect()
}

/// Whether there was none under way of the same subject.
pub(super) async fn insert(
    tx: &mut Tx,
    (id, project): (ErasureId, ProjectId),
    subject: &Subject,
    (now, by): (Timestamp, &str),
) -> Result<bool, CatalogFault> {
    let values = params![id, project, subject.kind(), subject.text(), subject.fingerprint(project), now, by];
    Ok(!tx.query(INSERT, values).await?.is_empty())
}

pub(super) async fn open(tx: &mut Tx, project: ProjectId, subject: &Subject) -> Result<Option<Erasure>, CatalogFault> {
    tx.query(OPEN, params![project, subject.fingerprint(project)]).await?.first().map(read).transpose()
}

pub(super) async fn one(catalog: &Catalog, project: ProjectId, id: ErasureId) -> Result<Option<Erasure>, CatalogFault> {
    catalog.query(ONE, params![project, id]).await?.first().map(read).transpose()
}

/// Of whichever project.
pub(super) async fn any(catalog: &Catalog, id: ErasureId) -> Result<Option<Erasure>, CatalogFault> {
    catalog.query(ANY, params![id]).await?.first().map(read).transpose()
}

/// Newest first.
pub(super) async fn list(
    catalog: &Catalog,
    project: ProjectId,
    before: Option<ErasureId>,
    limit: usize,
) -> Result<Vec<Erasure>, CatalogFault> {
    catalog.query(LIST, params![project, before, limit]).await?.iter().map(read).collect()
}

pub(super) async fn begin(catalog: &Catalog, id: ErasureId) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(BEGIN, params![id]).await?.is_empty())
}

pub(super) async fn add(catalog: &Catalog, id: ErasureId, erased: Erased) -> Result<(), CatalogFault> {
    let Erased { spans, points, bytes, values } = erased;
    catalog.write(ADD, params![id, spans, points, bytes, values]).await.map(drop)
}

/// What it is at.
pub(super) async fn step(catalog: &Catalog, id: ErasureId, step: ErasureStep) -> Result<(), CatalogFault> {
    catalog.write(STEP, params![id, step.as_str()]).await.map(drop)
}

/// How far it has looked.
pub(super) async fn looked(tx: &mut Tx, id: ErasureId, looked: Looked) -> Result<(), CatalogFault> {
    tx.execute(LOOKED, params![id, serde_json::to_string(&looked).unwrap_or_default()]).await.map(drop)
}

pub(super) async fn trouble(catalog: &Catalog, id: ErasureId, why: &str, state: ErasureState) -> Result<(), CatalogFault> {
    catalog.write(TROUBLE, params![id, why, state.as_str()]).await.map(drop)
}

/// The lake holds none of it.
pub(super) async fn cleaned(catalog: &Catalog, id: ErasureId, now: Timestamp) -> Result<(), CatalogFault> {
    catalog.write(CLEANED, params![id, now]).await.map(drop)
}

/// Whether the lake was rid of something since then.
pub(super) async fn cleaned_since(catalog: &Catalog, since: Timestamp) -> Result<bool, CatalogFault> {
    Ok(!catalog.query(CLEANED_SINCE, params![since]).await?.is_empty())
}

pub(super) async fn done(tx: &mut Tx, id: ErasureId, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(DONE, params![id, now]).await.map(drop)
}

fn read(row: &Row) -> Result<Erasure, CatalogFault> {
    Ok(Erasure {
        id: row.parse("id")?,
        project: row.parse("project")?,
        kind: row.text("kind")?.to_owned(),
        subject: row.opt_text("subject")?.map(str::to_owned),
        fingerprint: row.parse("fingerprint")?,
        state: row.parse("state")?,
        asked: row.time("asked")?,
        asked_by: row.text("asked_by")?.to_owned(),
        ended: row.opt_time("ended")?,
        erased: Erased {
            spans: row.number("spans")?,
            points: row.number("points")?,
            bytes: row.number("freed")?,
            values: row.number("freed_values")?,
        },
        trouble: row.opt_text("trouble")?.map(str::to_owned),
        cleaned: row.opt_time("cleaned")?,
        step: row.opt_text("step")?.and_then(|step| step.parse().ok()),
        looked: row.opt_json("looked")?,
        waits_for: Vec::new(),
        without: Vec::new(),
    })
}
