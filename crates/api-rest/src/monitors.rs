//! Monitors: where they stand, what they found, and a look at what they would find now.

use axum::{Json, extract::State};
use mainspring_kernel::Role;
use mainspring_monitors::{
    Evaluation, Going, Measure, MonitorSpec, Moved, SliceEvaluation, Standing, State as Stand, portion, sentence,
};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path};
use mainspring_wire as wire;
use serde_json::Value;

use crate::{Rest, assets};

fn json(value: &impl serde::Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

fn moved(found: Moved, measure: Option<&Measure>) -> wire::MonitorMoved {
    let Moved { what, before, after } = found;
    wire::MonitorMoved { what: portion(&what, measure), before, after }
}

/// `spec`: of the version that was looked at.
fn slice(found: SliceEvaluation, spec: Option<&MonitorSpec>) -> wire::MonitorSlice {
    let says = spec.map(|spec| sentence(spec, &found));
    let SliceEvaluation { slice, state, was, since, figures } = found;
    let (newest, baseline) = figures.releases.unzip();
    let (evidence, evidence_needed) = figures.evidence.unzip();
    wire::MonitorSlice {
        slice,
        state: state.as_str().to_owned(),
        was: was.map(|was| was.as_str().to_owned()),
        since: since.to_string(),
        says,
        count: figures.count,
        estimated: figures.estimated,
        value: figures.value,
        low: figures.interval.map(|interval| interval.low),
        high: figures.interval.map(|interval| interval.high),
        value_low: figures.value_interval.map(|interval| interval.low),
        value_high: figures.value_interval.map(|interval| interval.high),
        limit: figures.limit,
        reference: figures.reference,
        reference_count: figures.reference_count,
        p: figures.p,
        evidence,
        evidence_needed,
        newest,
        baseline,
        drift: figures.drift.as_deref().and_then(json),
        moved: figures.moved.into_iter().map(|found| moved(found, spec.map(|spec| &spec.measure))).collect(),
    }
}

fn alert(going: Going) -> wire::MonitorAlert {
    let Going { fingerprint, incident, slice, missing } = going;
    wire::MonitorAlert { fingerprint, slice, missing, incident: incident.map(|incident| incident.to_string()) }
}

fn evaluation(found: Evaluation, version: u32, spec: Option<&MonitorSpec>) -> wire::MonitorEvaluation {
    wire::MonitorEvaluation {
        at: found.at.to_string(),
        version,
        state: found.state.as_str().to_owned(),
        slices: found.slices.into_iter().map(|found| slice(found, spec)).collect(),
    }
}

fn view(standing: &Standing) -> wire::MonitorView {
    let state = standing.state();
    let Standing { name, version, description, spec, looked_version, evaluation, going, trouble, next, hidden } = standing;
    let mut slices = wire::MonitorSlices::default();
    for found in evaluation.iter().flat_map(|found| &found.slices) {
        let count = match found.state {
            Stand::Ok => &mut slices.ok,
            Stand::Warming => &mut slices.warming,
            Stand::Missing => &mut slices.missing,
            Stand::Firing => &mut slices.firing,
        };
        *count += 1;
    }
    let worst = evaluation.as_ref().and_then(|found| found.slices.iter().find(|slice| slice.state == found.state));
    let current = spec.as_ref().filter(|_| *looked_version == Some(*version));
    let mut incidents: Vec<String> = going.iter().filter_map(|going| going.incident).map(|id| id.to_string()).collect();
    incidents.sort();
    incidents.dedup();
    wire::MonitorView {
        name: name.to_string(),
        version: *version,
        description: description.clone(),
        enabled: spec.as_ref().is_none_or(|spec| spec.enabled),
        state: state.map(|state| state.as_str().to_owned()),
        says: current.zip(worst).map(|(spec, slice)| sentence(spec, slice)),
        severity: spec.as_ref().and_then(|spec| json(&spec.severity)?.as_str().map(str::to_owned)),
        slices,
        looked_at: evaluation.as_ref().map(|found| found.at.to_string()),
        looked_version: *looked_version,
        next_look_at: next.map(|next| next.to_string()),
        trouble: trouble.clone(),
        incidents,
        hidden: *hidden,
    }
}

/// Lists monitors by name, each with where it stood at its last look. What a look found is of every trace: whoever may not see
/// them all is told what is watched, and that the rest is hidden.
#[utoipa::path(get, path = "/api/v1/monitors", tag = "monitors", operation_id = "list_monitors",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::MonitorView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::MonitorView>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.monitors.list(actor, &page).await?;
    Ok(Json(wire::Page { items: found.items.iter().map(view).collect(), next: found.next }))
}

/// Shows a monitor with its spec, its slices at the last look and its alerts that go on, to whoever sees every trace.
#[utoipa::path(get, path = "/api/v1/monitors/{name}", tag = "monitors", operation_id = "get_monitor",
    params(("name" = String, Path)), responses((status = 200, body = wire::MonitorDetail)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer<Json<wire::MonitorDetail>> {
    let actor = caller.needs(Role::Reader)?;
    let standing = rest.monitors.get(actor, &assets::name(&name)?).await?;
    let monitor = view(&standing);
    let Standing { version, spec, looked_version, evaluation, going, .. } = standing;
    let current = spec.as_ref().filter(|_| looked_version == Some(version));
    let slices = evaluation.map(|found| found.slices).unwrap_or_default();
    Ok(Json(wire::MonitorDetail {
        monitor,
        spec: spec.as_ref().and_then(json),
        slices: slices.into_iter().map(|found| slice(found, current)).collect(),
        alerts: going.into_iter().map(alert).collect(),
    }))
}

/// Lists what looks at a monitor found, newest first, for whoever sees every trace. The newest 2000 are kept.
#[utoipa::path(get, path = "/api/v1/monitors/{name}/evaluations", tag = "monitors", operation_id = "list_monitor_evaluations",
    params(("name" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::MonitorEvaluation>)))]
pub(crate) async fn evaluations(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::MonitorEvaluation>>> {
    let actor = caller.needs(Role::Reader)?;
    let name = assets::name(&name)?;
    let Standing { version: newest, spec, .. } = rest.monitors.get(actor, &name).await?;
    let found = rest.monitors.evaluations(actor, &name, &page).await?;
    let items = found.items.into_iter().map(|(version, found)| {
        let spec = spec.as_ref().filter(|_| version == newest);
        evaluation(found, version, spec)
    });
    Ok(Json(wire::Page { items: items.collect(), next: found.next }))
}

/// Looks at a monitor now and says what it finds among the traces that the caller may see. With `raise`, which takes the role
/// editor and the sight of every trace, it counts as a look: it is remembered, and alerts are raised and resolved.
#[utoipa::path(post, path = "/api/v1/monitors/{name}/evaluate", tag = "monitors", operation_id = "evaluate_monitor",
    params(("name" = String, Path)), request_body = wire::MonitorLookRequest,
    responses((status = 200, body = wire::MonitorLook)))]
pub(crate) async fn evaluate(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<wire::MonitorLookRequest>,
) -> Answer<Json<wire::MonitorLook>> {
    let actor = caller.needs(if body.raise { Role::Editor } else { Role::Reader })?;
    let name = assets::name(&name)?;
    let looked = if body.raise {
        Box::pin(rest.monitors.look_now(actor, &name)).await?
    } else {
        Box::pin(rest.monitors.try_out(actor, &name)).await?
    };
    Ok(Json(wire::MonitorLook {
        name: name.to_string(),
        evaluation: evaluation(looked.evaluation, looked.version, Some(&looked.spec)),
        raised: body.raise,
        alerts: looked.going.into_iter().map(alert).collect(),
    }))
}
