//! What was told, to be looked through for somebody's name, and written anew without it.

use std::collections::BTreeMap;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{DeliveryId, IncidentId, ProjectId, SilenceId},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    model::{Labels, Raised},
    notice::Notice,
};

const ALERTS: &str = "SELECT a.incident, a.fingerprint, a.name, a.summary, a.labels, a.facts, a.traces \
    FROM incident_alert a JOIN incident i ON i.id = a.incident WHERE i.project = $1 \
    AND (a.incident > $2 OR (a.incident = $2 AND a.fingerprint > $3)) ORDER BY a.incident, a.fingerprint LIMIT $4";
const NOTICES: &str = "SELECT id, incident, notice, error FROM delivery WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3";
const SILENCES: &str = "SELECT id, matchers, comment FROM silence WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3";
const OF_INCIDENT: &str = "SELECT id, incident, notice, error FROM delivery WHERE incident = $1 AND id > $2 ORDER BY id LIMIT $3";
const HISTORY: &str = "SELECT seq, detail FROM incident_event WHERE incident = $1 AND seq > $2 ORDER BY seq LIMIT $3";

const ALERT: &str = "UPDATE incident_alert SET fingerprint = $3, name = $4, summary = $5, labels = $6, facts = $7, traces = $8, \
    firing = $9, ended = $10 WHERE incident = $1 AND fingerprint = $2";
const EVENT: &str = "UPDATE incident_event SET detail = $3 WHERE incident = $1 AND seq = $2";
const NOTICE: &str = "UPDATE delivery SET notice = $2, error = $3 WHERE id = $1";
const GROUP: &str = "UPDATE incident SET grouped = $2 WHERE id = $1";
const SILENCE: &str =
    "UPDATE silence SET matchers = $2, comment = $3, ends = CASE WHEN ends > $4 THEN $4 ELSE ends END WHERE id = $1";

pub(super) const STATEMENTS: &[&str] = &[ALERTS, NOTICES, SILENCES, OF_INCIDENT, HISTORY, ALERT, EVENT, NOTICE, GROUP, SILENCE];

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What an alert says of whom.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) incident: IncidentId,
    pub(crate) fingerprint: String,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) labels: Labels,
    pub(crate) facts: BTreeMap<String, Value>,
    pub(crate) traces: Vec<String>,
}

/// Alerts of a project after one, in order.
pub(crate) async fn said_after(
    catalog: &Catalog,
    project: ProjectId,
    (incident, fingerprint): (&str, &str),
    limit: usize,
) -> Result<Vec<Said>, CatalogFault> {
    let read = |row: &Row| {
        Ok(Said {
            incident: row.parse("incident")?,
            fingerprint: row.text("fingerprint")?.to_owned(),
            name: row.text("name")?.to_owned(),
            summary: row.text("summary")?.to_owned(),
            labels: row.json("labels")?,
            facts: row.json("facts")?,
            traces: row.json("traces")?,
        })
    };
    catalog.query(ALERTS, params![project, incident, fingerprint, limit]).await?.iter().map(read).collect()
}

/// A notice, and why it did not arrive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) id: DeliveryId,
    pub(crate) incident: IncidentId,
    pub(crate) notice: Notice,
    pub(crate) error: Option<String>,
}

fn read_sent(row: &Row) -> Result<Sent, CatalogFault> {
    Ok(Sent {
        id: row.parse("id")?,
        incident: row.parse("incident")?,
        notice: row.json("notice")?,
        error: row.opt_text("error")?.map(str::to_owned),
    })
}

/// Notices of a project after one, in order.
pub(crate) async fn sent_after(
    catalog: &Catalog,
    project: ProjectId,
    after: &str,
    limit: usize,
) -> Result<Vec<Sent>, CatalogFault> {
    catalog.query(NOTICES, params![project, after, limit]).await?.iter().map(read_sent).collect()
}

/// Those of one incident.
pub(crate) async fn sent_of(tx: &mut Tx, incident: IncidentId, after: &str, limit: usize) -> Result<Vec<Sent>, CatalogFault> {
    tx.query(OF_INCIDENT, params![incident, after, limit]).await?.iter().map(read_sent).collect()
}

/// What happened to an incident after something, in order.
pub(crate) async fn history_after(
    tx: &mut Tx,
    incident: IncidentId,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Value)>, CatalogFault> {
    let rows = tx.query(HISTORY, params![incident, after, limit]).await?;
    rows.iter().map(|row| Ok((row.int("seq")?, row.json("detail")?))).collect()
}

/// Silences of a project after one: which alerts they hide, in words, and why.
pub(crate) async fn silences_after(
    catalog: &Catalog,
    project: ProjectId,
    after: &str,
    limit: usize,
) -> Result<Vec<(SilenceId, Vec<String>, String)>, CatalogFault> {
    let rows = catalog.query(SILENCES, params![project, after, limit]).await?;
    rows.iter().map(|row| Ok((row.parse("id")?, row.json("matchers")?, row.text("comment")?.to_owned()))).collect()
}

pub(crate) async fn rewrite_alert(
    tx: &mut Tx,
    (incident, fingerprint): (IncidentId, &str),
    alert: &Raised,
) -> Result<(), CatalogFault> {
    let Raised { fingerprint: new, name, summary, labels, facts, traces, firing, ended, .. } = alert;
    let values = params![incident, fingerprint, new, name, summary, json(labels), json(facts), json(traces), *firing, *ended,];
    tx.execute(ALERT, values).await.map(drop)
}

pub(crate) async fn rewrite_event(tx: &mut Tx, incident: IncidentId, seq: i64, detail: &Value) -> Result<(), CatalogFault> {
    tx.execute(EVENT, params![incident, seq, detail]).await.map(drop)
}

pub(crate) async fn rewrite_notice(tx: &mut Tx, sent: &Sent) -> Result<(), CatalogFault> {
    tx.execute(NOTICE, params![sent.id, json(&sent.notice), &sent.error]).await.map(drop)
}

pub(crate) async fn regroup(tx: &mut Tx, incident: IncidentId, group: &str) -> Result<(), CatalogFault> {
    tx.execute(GROUP, params![incident, group]).await.map(drop)
}

/// It ends by then, if it does not end before.
pub(crate) async fn end_silence_of(
    catalog: &Catalog,
    id: SilenceId,
    (matchers, comment): (&[String], &str),
    ends: Timestamp,
) -> Result<(), CatalogFault> {
    let matchers = json(&matchers);
    catalog.write(SILENCE, params![id, matchers, comment, ends]).await.map(drop)
}
