//! Incidents: what is wrong, since when, who was told, and what changed before.

use axum::{Json, extract::State};
use mainspring_alerts::{
    AlertFault, Change, Delivery, DeliveryFilter, Event, Fact, Incident, IncidentFilter, Raised, Told, WordFault,
};
use mainspring_kernel::{
    FaultKind, Role, Timestamp,
    id::{IncidentId, PrincipalId},
    text,
};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, assets::Names};

fn at(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn view(incident: Incident, names: &Names) -> wire::IncidentView {
    let Incident { id, project: _, group, state, severity, title, labels, receivers, changes: _, silence, .. } = incident;
    let Incident { opened, updated, acknowledged, acknowledged_by, resolved, resolved_by, remind: _, .. } = incident;
    wire::IncidentView {
        id: id.to_string(),
        state: state.as_str().to_owned(),
        severity: severity.as_str().to_owned(),
        title,
        labels,
        group,
        receivers: receivers.map(|receivers| receivers.iter().map(ToString::to_string).collect()),
        silence: silence.map(|silence| silence.to_string()),
        opened_at: opened.to_string(),
        updated_at: updated.to_string(),
        acknowledged_at: at(acknowledged),
        acknowledged_by: acknowledged_by.map(|by| names.get(by)),
        resolved_at: at(resolved),
        resolved_by: resolved_by.map(|by| names.get(by)),
    }
}

fn alert(raised: Raised) -> wire::AlertView {
    let measured = raised.measured().into_iter().map(|Fact { name, value }| wire::FactView { name, value }).collect();
    let Raised { fingerprint, name, severity, summary, missing: _, labels, facts, traces, versions, firing, began, seen, ended } =
        raised;
    wire::AlertView {
        fingerprint,
        name,
        severity: severity.as_str().to_owned(),
        summary,
        labels,
        facts,
        measured,
        traces,
        versions,
        firing,
        began_at: began.to_string(),
        seen_at: seen.to_string(),
        ended_at: at(ended),
    }
}

fn change(change: &Change, names: &Names) -> wire::ChangeView {
    let rollback = change.rollback();
    let Change { kind, name, release, alias, from, to, at, by, message, named } = change;
    wire::ChangeView {
        kind: kind.map_or_else(|| "release".to_owned(), |kind| kind.to_string()),
        name: name.clone(),
        release: release.as_ref().map(|released| released.release.clone()),
        release_before: release.as_ref().and_then(|released| released.before.clone()),
        alias: alias.as_ref().map(ToString::to_string),
        from: *from,
        to: *to,
        at: at.to_string(),
        by: by.map(|by| names.get(by)),
        message: message.clone(),
        named: *named,
        rollback,
    }
}

fn event(event: Event, names: &Names) -> wire::IncidentEvent {
    let Event { seq, happened, kind, by, detail } = event;
    wire::IncidentEvent { seq, at: happened.to_string(), kind: kind.as_str().to_owned(), by: by.map(|by| names.get(by)), detail }
}

fn delivery(delivery: Delivery) -> wire::DeliveryView {
    let Delivery { id, project: _, incident, receiver, what, state, attempts, due, status, error, created, attempted, ended } =
        delivery;
    wire::DeliveryView {
        id: id.to_string(),
        incident: incident.to_string(),
        receiver: receiver.to_string(),
        what: what.as_str().to_owned(),
        state: state.as_str().to_owned(),
        attempts,
        due_at: due.to_string(),
        status,
        error,
        created_at: created.to_string(),
        attempted_at: at(attempted),
        ended_at: at(ended),
    }
}

fn people(incident: &Incident) -> impl Iterator<Item = PrincipalId> {
    [incident.acknowledged_by, incident.resolved_by].into_iter().flatten()
}

async fn one(rest: &Rest, incident: Incident) -> Answer<Json<wire::IncidentView>> {
    let names = Names::of(rest, people(&incident).collect()).await?;
    Ok(Json(view(incident, &names)))
}

fn read_id(given: &str) -> Answer<IncidentId> {
    given.parse().map_err(|_| Problem::of(&AlertFault::NotFound { id: text::elide(given, 80) }))
}

/// A word of a query, if it is there and known.
fn word<T: std::str::FromStr<Err = WordFault>>(given: Option<&str>) -> Answer<Option<T>> {
    let read = given.map(str::parse).transpose();
    read.map_err(|fault: WordFault| Problem::new(FaultKind::Invalid, "query-invalid", fault.to_string()))
}

#[derive(Debug, Deserialize)]
pub(crate) struct IncidentsQuery {
    state: Option<String>,
    severity: Option<String>,
}

/// Lists incidents, newest first: in a state, or this bad or worse. For whoever sees every trace, as all of incidents is.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", operation_id = "list_incidents",
    params(("state" = Option<String>, Query), ("severity" = Option<String>, Query), ("limit" = Option<usize>, Query),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::IncidentView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<IncidentsQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::IncidentView>>> {
    let actor = caller.needs(Role::Reader)?;
    let filter = IncidentFilter { state: word(query.state.as_deref())?, severity: word(query.severity.as_deref())? };
    let found = rest.alerts.list(actor, &filter, &page).await?;
    let names = Names::of(&rest, found.items.iter().flat_map(people).collect()).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(|incident| view(incident, &names)).collect(), next: found.next }))
}

/// Shows an incident with its alerts, what changed before it, its history and who was told.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", operation_id = "get_incident",
    params(("id" = String, Path)), responses((status = 200, body = wire::IncidentDetail)))]
pub(crate) async fn show(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::IncidentDetail>> {
    let actor = caller.needs(Role::Reader)?;
    let Told { incident, alerts, events, deliveries } = rest.alerts.get(actor, read_id(&id)?).await?;
    let mut ids: Vec<PrincipalId> = people(&incident).chain(events.iter().filter_map(|event| event.by)).collect();
    ids.extend(incident.changes.iter().filter_map(|change| change.by));
    let names = Names::of(&rest, ids).await?;
    Ok(Json(wire::IncidentDetail {
        changes: incident.changes.iter().map(|found| change(found, &names)).collect(),
        changes_left_out: incident.changes_left_out,
        incident: view(incident, &names),
        alerts: alerts.into_iter().map(alert).collect(),
        events: events.into_iter().map(|found| event(found, &names)).collect(),
        deliveries: deliveries.into_iter().map(delivery).collect(),
    }))
}

/// Says that somebody looks after an incident: nobody is reminded of it any more.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/acknowledge", tag = "incidents", operation_id = "acknowledge_incident",
    params(("id" = String, Path)), request_body = wire::IncidentNote, responses((status = 200, body = wire::IncidentView)))]
pub(crate) async fn acknowledge(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<wire::IncidentNote>,
) -> Answer<Json<wire::IncidentView>> {
    let actor = caller.needs(Role::Editor)?;
    let incident = rest.alerts.acknowledge(actor, read_id(&id)?, &body.note).await?;
    one(&rest, incident).await
}

/// Ends an incident by hand. It opens again when one of its alerts is raised again within the hour.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/resolve", tag = "incidents", operation_id = "resolve_incident",
    params(("id" = String, Path)), request_body = wire::IncidentNote, responses((status = 200, body = wire::IncidentView)))]
pub(crate) async fn resolve(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<wire::IncidentNote>,
) -> Answer<Json<wire::IncidentView>> {
    let actor = caller.needs(Role::Editor)?;
    let incident = rest.alerts.close(actor, read_id(&id)?, &body.note).await?;
    one(&rest, incident).await
}

/// Tries the deliveries of an incident again that were given up.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/retry", tag = "incidents", operation_id = "retry_incident",
    params(("id" = String, Path)), responses((status = 200, body = wire::RetriedDeliveries)))]
pub(crate) async fn retry(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<wire::RetriedDeliveries>> {
    let actor = caller.needs(Role::Editor)?;
    let deliveries = rest.alerts.retry(actor, read_id(&id)?).await?;
    Ok(Json(wire::RetriedDeliveries { deliveries }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeliveriesQuery {
    state: Option<String>,
    receiver: Option<String>,
    incident: Option<String>,
}

/// Lists deliveries, newest first: in a state, to a receiver, of an incident.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "incidents", operation_id = "list_deliveries",
    params(("state" = Option<String>, Query), ("receiver" = Option<String>, Query), ("incident" = Option<String>, Query),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::DeliveryView>)))]
pub(crate) async fn deliveries(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<DeliveriesQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::DeliveryView>>> {
    let actor = caller.needs(Role::Reader)?;
    let incident = query.incident.as_deref().map(read_id).transpose()?;
    let filter = DeliveryFilter { state: word(query.state.as_deref())?, incident, receiver: query.receiver };
    let found = rest.alerts.deliveries(actor, &filter, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(delivery).collect(), next: found.next }))
}
