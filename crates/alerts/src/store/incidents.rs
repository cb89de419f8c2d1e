//! Incidents, their alerts and their history.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{IncidentId, PrincipalId, ProjectId},
};
use serde::Serialize;
use serde_json::Value;

use crate::model::{Alert, Event, EventKind, Incident, IncidentFilter, Raised, Severity};

macro_rules! incident_columns {
    () => {
        "id, project, grouped, state, severity, title, labels, receivers, changes, silence, opened, updated, acknowledged, \
         acknowledged_by, resolved, resolved_by, remind, changes_left_out"
    };
}
macro_rules! alert_columns {
    () => {
        "fingerprint, name, severity, summary, labels, facts, traces, versions, firing, began, seen, ended, missing"
    };
}

/// Of equals what is wrong before what is missing.
macro_rules! worst {
    () => {
        "CASE severity WHEN 'critical' THEN 0 WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, missing"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO incident (",
    incident_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
);
const UPDATE: &str = "UPDATE incident SET state = $2, severity = $3, title = $4, labels = $5, receivers = $6, changes = $7, \
    silence = $8, updated = $9, acknowledged = $10, acknowledged_by = $11, resolved = $12, resolved_by = $13, remind = $14, \
    changes_left_out = $15 \
    WHERE id = $1";
const LATEST: &str = concat!(
    "SELECT ",
    incident_columns!(),
    " FROM incident WHERE project = $1 AND grouped = $2 ORDER BY CASE WHEN state <> 'resolved' THEN 0 ELSE 1 END, id DESC LIMIT 1"
);
const GET: &str = concat!("SELECT ", incident_columns!(), " FROM incident WHERE project = $1 AND id = $2");
/// `$3` is how bad it has to be, as the words that fit, each between commas: a static statement has no lists.
const LIST: &str = concat!(
    "SELECT ",
    incident_columns!(),
    " FROM incident WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR state = $2) \
     AND (CAST($3 AS TEXT) IS NULL OR REPLACE($3, ',' || severity || ',', '') <> $3) \
     AND (CAST($4 AS TEXT) IS NULL OR id < $4) ORDER BY id DESC LIMIT $5"
);
const REMIND: &str =
    concat!("SELECT ", incident_columns!(), " FROM incident WHERE remind <= $1 AND state = 'open' ORDER BY remind, id LIMIT $2");
const FIRING_INCIDENTS: &str = concat!(
    "SELECT ",
    incident_columns!(),
    " FROM incident WHERE project = $1 AND state <> 'resolved' AND id IN \
     (SELECT incident FROM incident_alert WHERE fingerprint = $2 AND firing = 1) ORDER BY id LIMIT 100"
);
const ALERT: &str = concat!("SELECT ", alert_columns!(), " FROM incident_alert WHERE incident = $1 AND fingerprint = $2");
const ALERTS: &str = concat!(
    "SELECT ",
    alert_columns!(),
    " FROM incident_alert WHERE incident = $1 ORDER BY firing DESC, ",
    worst!(),
    ", seen DESC, fingerprint LIMIT $2"
);
const WORST: &str = concat!(
    "SELECT ",
    alert_columns!(),
    " FROM incident_alert WHERE incident = $1 AND firing = 1 ORDER BY ",
    worst!(),
    ", began DESC, fingerprint LIMIT 1"
);
const COUNT: &str = "SELECT COUNT(*) AS alerts, CAST(COALESCE(SUM(firing), 0) AS BIGINT) AS firing \
    FROM incident_alert WHERE incident = $1";
const INSERT_ALERT: &str = concat!(
    "INSERT INTO incident_alert (incident, ",
    alert_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10, NULL, $11)"
);
const REFRESH_ALERT: &str = "UPDATE incident_alert SET name = $3, severity = $4, summary = $5, labels = $6, facts = $7, traces = $8, \
    versions = $9, firing = 1, seen = $10, ended = NULL, missing = $11 WHERE incident = $1 AND fingerprint = $2";
const END_ALERT: &str =
    "UPDATE incident_alert SET firing = 0, ended = $3 WHERE incident = $1 AND fingerprint = $2 AND firing = 1";
const END_ALERTS: &str = "UPDATE incident_alert SET firing = 0, ended = $2 WHERE incident = $1 AND firing = 1";
const ADD_EVENT: &str = "INSERT INTO incident_event (incident, seq, happened, kind, principal, detail) \
    VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM incident_event WHERE incident = $1), $2, $3, $4, $5)";
const EVENTS: &str = "SELECT seq, happened, kind, principal, detail FROM incident_event WHERE incident = $1 \
    AND (CAST($2 AS BIGINT) IS NULL OR seq < $2) ORDER BY seq DESC LIMIT $3";
const PROJECT: &str = "SELECT name FROM project WHERE id = $1";

pub(super) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    LATEST,
    GET,
    LIST,
    REMIND,
    FIRING_INCIDENTS,
    ALERT,
    ALERTS,
    WORST,
    COUNT,
    INSERT_ALERT,
    REFRESH_ALERT,
    END_ALERT,
    END_ALERTS,
    ADD_EVENT,
    EVENTS,
    PROJECT,
];

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(crate) async fn insert_incident(tx: &mut Tx, incident: &Incident) -> Result<(), CatalogFault> {
    let Incident { id, project, group, state, severity, title, labels, receivers, changes, silence, opened, updated, .. } =
        incident;
    let Incident { acknowledged, acknowledged_by, resolved, resolved_by, remind, changes_left_out, .. } = incident;
    let values = params![
        *id,
        *project,
        group,
        state.as_str(),
        severity.as_str(),
        title,
        json(labels),
        receivers.as_ref().map(json),
        json(changes),
        *silence,
        *opened,
        *updated,
        *acknowledged,
        *acknowledged_by,
        *resolved,
        *resolved_by,
        *remind,
        *changes_left_out,
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// All of it that can change.
pub(crate) async fn update_incident(tx: &mut Tx, incident: &Incident) -> Result<(), CatalogFault> {
    let Incident {
        id,
        project: _,
        group: _,
        state,
        severity,
        title,
        labels,
        receivers,
        changes,
        silence,
        opened: _,
        updated,
        ..
    } = incident;
    let Incident { acknowledged, acknowledged_by, resolved, resolved_by, remind, changes_left_out, .. } = incident;
    let values = params![
        *id,
        state.as_str(),
        severity.as_str(),
        title,
        json(labels),
        receivers.as_ref().map(json),
        json(changes),
        *silence,
        *updated,
        *acknowledged,
        *acknowledged_by,
        *resolved,
        *resolved_by,
        *remind,
        *changes_left_out,
    ];
    tx.execute(UPDATE, values).await.map(drop)
}

/// The one that is not over, or else the last that was.
pub(crate) async fn latest_of_group(tx: &mut Tx, project: ProjectId, group: &str) -> Result<Option<Incident>, CatalogFault> {
    tx.query(LATEST, params![project, group]).await?.first().map(read_incident).transpose()
}

pub(crate) async fn incident_in(tx: &mut Tx, project: ProjectId, id: IncidentId) -> Result<Option<Incident>, CatalogFault> {
    tx.query(GET, params![project, id]).await?.first().map(read_incident).transpose()
}

pub(crate) async fn get_incident(
    catalog: &Catalog,
    project: ProjectId,
    id: IncidentId,
) -> Result<Option<Incident>, CatalogFault> {
    catalog.query(GET, params![project, id]).await?.first().map(read_incident).transpose()
}

pub(crate) async fn incidents(
    catalog: &Catalog,
    project: ProjectId,
    filter: &IncidentFilter,
    before: Option<IncidentId>,
    limit: usize,
) -> Result<Vec<Incident>, CatalogFault> {
    let state = filter.state.map(|state| state.as_str());
    let severities = filter.severity.map(|least| {
        let enough = Severity::ALL.iter().filter(|severity| **severity >= least);
        enough.fold(String::from(","), |list, severity| format!("{list},{severity},"))
    });
    let rows = catalog.query(LIST, params![project, state, severities, before, limit]).await?;
    rows.iter().map(read_incident).collect()
}

/// Of every project.
pub(crate) async fn to_remind(catalog: &Catalog, now: Timestamp, limit: usize) -> Result<Vec<Incident>, CatalogFault> {
    catalog.query(REMIND, params![now, limit]).await?.iter().map(read_incident).collect()
}

pub(crate) async fn firing_incidents(tx: &mut Tx, project: ProjectId, fingerprint: &str) -> Result<Vec<Incident>, CatalogFault> {
    tx.query(FIRING_INCIDENTS, params![project, fingerprint]).await?.iter().map(read_incident).collect()
}

/// Whether an alert goes on in any incident.
pub(crate) async fn is_firing(catalog: &Catalog, project: ProjectId, fingerprint: &str) -> Result<bool, CatalogFault> {
    Ok(!catalog.query(FIRING_INCIDENTS, params![project, fingerprint]).await?.is_empty())
}

pub(crate) async fn alert_of(tx: &mut Tx, incident: IncidentId, fingerprint: &str) -> Result<Option<Raised>, CatalogFault> {
    tx.query(ALERT, params![incident, fingerprint]).await?.first().map(read_alert).transpose()
}

/// Those that go on first, the worst before others.
pub(crate) async fn alert_in(tx: &mut Tx, incident: IncidentId, limit: usize) -> Result<Vec<Raised>, CatalogFault> {
    tx.query(ALERTS, params![incident, limit]).await?.iter().map(read_alert).collect()
}

pub(crate) async fn alerts(catalog: &Catalog, incident: IncidentId, limit: usize) -> Result<Vec<Raised>, CatalogFault> {
    catalog.query(ALERTS, params![incident, limit]).await?.iter().map(read_alert).collect()
}

/// The worst that goes on; of equals one that is wrong before one that is missing, then the one that began last.
pub(crate) async fn worst_firing(tx: &mut Tx, incident: IncidentId) -> Result<Option<Raised>, CatalogFault> {
    tx.query(WORST, params![incident]).await?.first().map(read_alert).transpose()
}

/// How many alerts an incident has, and how many of them go on.
pub(crate) async fn firing(tx: &mut Tx, incident: IncidentId) -> Result<(u64, u64), CatalogFault> {
    let rows = tx.query(COUNT, params![incident]).await?;
    rows.first().map_or(Ok((0, 0)), |row| Ok((row.number("alerts")?, row.number("firing")?)))
}

/// An alert and where it belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AlertUpdate<'a> {
    pub(crate) incident: IncidentId,
    pub(crate) alert: &'a Alert,
    pub(crate) now: Timestamp,
}

impl AlertUpdate<'_> {
    fn values(self) -> Vec<mainspring_catalog::Param> {
        let Self { incident, alert, now } = self;
        let Alert { fingerprint, name, severity, summary, missing, labels, facts, traces, versions, .. } = alert;
        params![
            incident,
            fingerprint,
            name,
            severity.as_str(),
            summary,
            json(labels),
            json(facts),
            json(traces),
            json(versions),
            now,
            *missing,
        ]
    }
}

pub(crate) async fn insert_alert(tx: &mut Tx, update: AlertUpdate<'_>) -> Result<(), CatalogFault> {
    tx.execute(INSERT_ALERT, update.values()).await.map(drop)
}

pub(crate) async fn refresh_alert(tx: &mut Tx, update: AlertUpdate<'_>) -> Result<(), CatalogFault> {
    tx.execute(REFRESH_ALERT, update.values()).await.map(drop)
}

pub(crate) async fn end_alert(
    tx: &mut Tx,
    incident: IncidentId,
    fingerprint: &str,
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(END_ALERT, params![incident, fingerprint, now]).await? > 0)
}

pub(crate) async fn end_alerts(tx: &mut Tx, incident: IncidentId, now: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(END_ALERTS, params![incident, now]).await.map(drop)
}

pub(crate) async fn add_event(
    tx: &mut Tx,
    incident: IncidentId,
    (kind, by): (EventKind, Option<PrincipalId>),
    detail: &Value,
    now: Timestamp,
) -> Result<(), CatalogFault> {
    tx.execute(ADD_EVENT, params![incident, now, kind.as_str(), by, detail]).await.map(drop)
}

/// Newest first.
pub(crate) async fn events(
    catalog: &Catalog,
    incident: IncidentId,
    before: Option<u32>,
    limit: usize,
) -> Result<Vec<Event>, CatalogFault> {
    catalog.query(EVENTS, params![incident, before, limit]).await?.iter().map(read_event).collect()
}

pub(crate) async fn project_name(catalog: &Catalog, project: ProjectId) -> Result<String, CatalogFault> {
    let rows = catalog.query(PROJECT, params![project]).await?;
    rows.first().map_or_else(|| Ok(project.to_string()), |row| row.text("name").map(str::to_owned))
}

fn read_incident(row: &Row) -> Result<Incident, CatalogFault> {
    Ok(Incident {
        id: row.parse("id")?,
        project: row.parse("project")?,
        group: row.text("grouped")?.to_owned(),
        state: row.parse("state")?,
        severity: row.parse("severity")?,
        title: row.text("title")?.to_owned(),
        labels: row.json("labels")?,
        receivers: row.opt_json("receivers")?,
        changes: row.json("changes")?,
        changes_left_out: row.number("changes_left_out")?,
        silence: row.opt_parse("silence")?,
        opened: row.time("opened")?,
        updated: row.time("updated")?,
        acknowledged: row.opt_time("acknowledged")?,
        acknowledged_by: row.opt_parse("acknowledged_by")?,
        resolved: row.opt_time("resolved")?,
        resolved_by: row.opt_parse("resolved_by")?,
        remind: row.opt_time("remind")?,
    })
}

fn read_alert(row: &Row) -> Result<Raised, CatalogFault> {
    Ok(Raised {
        fingerprint: row.text("fingerprint")?.to_owned(),
        name: row.text("name")?.to_owned(),
        severity: row.parse("severity")?,
        summary: row.text("summary")?.to_owned(),
        labels: row.json("labels")?,
        facts: row.json("facts")?,
        traces: row.json("traces")?,
        versions: row.json("versions")?,
        firing: row.bool("firing")?,
        began: row.time("began")?,
        seen: row.time("seen")?,
        ended: row.opt_time("ended")?,
        missing: row.bool("missing")?,
    })
}

fn read_event(row: &Row) -> Result<Event, CatalogFault> {
    Ok(Event {
        seq: row.number("seq")?,
        happened: row.time("happened")?,
        kind: row.parse("kind")?,
        by: row.opt_parse("principal")?,
        detail: row.json("detail")?,
    })
}
