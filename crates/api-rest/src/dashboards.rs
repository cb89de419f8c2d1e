//! Dashboards: list, show, and the numbers on them.

use std::{collections::BTreeMap, time::Duration};

use axum::{Json, extract::State};
use mainspring_kernel::{Actor, AssetKind, AssetRef, PageRequest, Role, Selector, page::cursor};
use mainspring_observability::{
    BUILT_IN, DashboardQuestion, DashboardSpec, MetricGroup, MetricSeries, MetricStep, PanelAnswer, PanelSpec, SpanMetrics,
    TraceFault, built_in,
};
use mainspring_registry::{Asset, RegistryFault};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::{Deserialize, Serialize};

use crate::{
    Rest, assets, metrics, sql,
    traces::{span_filter, time},
    traces_metrics::number,
};

/// What is looked at where nobody says since when.
const USUAL: Duration = Duration::from_secs(24 * 3600);

/// Where the next page starts: behind what is built in, or where the list of assets goes on.
#[derive(Debug, Serialize, Deserialize)]
struct After(Option<String>);

/// Lists dashboards: the one that is built in first, then the project's own by name.
#[utoipa::path(get, path = "/api/v1/dashboards", tag = "dashboards", operation_id = "list_dashboards",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::DashboardSummary>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::DashboardSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    let after: Option<After> = page.after().map_err(TraceFault::from)?;
    let first = after.is_none() && find(&rest, actor, BUILT_IN).await?.version.is_none();
    let room = page.limit() - usize::from(first);
    let mut items: Vec<wire::DashboardSummary> = first
        .then(|| wire::DashboardSummary {
            name: BUILT_IN.to_owned(),
            description: Some("Traffic, latency, errors, tokens, spend and quality".to_owned()),
            built_in: true,
            version: None,
        })
        .into_iter()
        .collect();
    if room == 0 {
        return Ok(Json(wire::Page { items, next: Some(cursor(&After(None))) }));
    }
    let own = PageRequest::new(Some(room), after.and_then(|After(own)| own)).map_err(TraceFault::from)?;
    let found = rest.registry.list(actor, Some(AssetKind::Dashboard), &own).await?;
    items.extend(found.items.into_iter().map(|Asset { name, description, latest, .. }| wire::DashboardSummary {
        name: name.to_string(),
        description,
        built_in: false,
        version: Some(latest),
    }));
    Ok(Json(wire::Page { items, next: found.next.map(|next| cursor(&After(Some(next)))) }))
}

struct Found {
    spec: DashboardSpec,
    /// None of what is built in.
    version: Option<u32>,
}

/// The newest version of the project's own, or what is built in.
async fn find(rest: &Rest, actor: &Actor, name: &str) -> Answer<Found> {
    let target = AssetRef { name: assets::name(name)?, selector: Selector::Latest };
    match rest.registry.get(actor, AssetKind::Dashboard, &target).await {
        Ok(version) => {
            let number = version.pin.number;
            let spec = serde_json::from_value(version.spec).map_err(|_| Problem::internal())?;
            Ok(Found { spec, version: Some(number) })
        }
        Err(RegistryFault::NotFound { .. }) if name == BUILT_IN => Ok(Found { spec: built_in(), version: None }),
        Err(fault) => Err(fault.into()),
    }
}

/// Shows how a dashboard is written.
#[utoipa::path(get, path = "/api/v1/dashboards/{name}", tag = "dashboards", operation_id = "get_dashboard",
    params(("name" = String, Path)), responses((status = 200, body = wire::DashboardView)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer<Json<wire::DashboardView>> {
    let actor = caller.needs(Role::Reader)?;
    let Found { spec, version } = find(&rest, actor, &name).await?;
    let spec = serde_json::to_value(&spec).map_err(|_| Problem::internal())?;
    Ok(Json(wire::DashboardView { name, built_in: version.is_none(), version, spec }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Looking {
    from: Option<String>,
    to: Option<String>,
    by: Option<String>,
    filter: Option<String>,
}

/// Gives the numbers of every panel: of the last day where no `from` is given, told apart `by` a field such as `app`, `model`,
/// `release`, `key` or `user`, or by an attribute, `attributes["region"]`, and of those spans only that pass the `filter`. Neither
/// reaches panels in SQL or of a metric.
#[utoipa::path(get, path = "/api/v1/dashboards/{name}/data", tag = "dashboards", operation_id = "dashboard_data",
    params(("name" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("by" = Option<String>, Query),
        ("filter" = Option<String>, Query)),
    responses((status = 200, body = wire::DashboardData)))]
pub(crate) async fn data(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
    Query(looking): Query<Looking>,
) -> Answer<Json<wire::DashboardData>> {
    let actor = caller.needs(Role::Reader)?;
    let Looking { from, to, by, filter } = looking;
    let Found { spec, .. } = find(&rest, actor, &name).await?;
    // What begins at this very moment is of it.
    let to = time("to", to)?.unwrap_or_else(|| rest.clock.now().plus(Duration::from_micros(1)));
    let from = time("from", from)?.unwrap_or_else(|| to.minus(USUAL));
    let question = DashboardQuestion { from, to, by: by.filter(|by| !by.is_empty()), filter: span_filter(filter)? };
    let answer = Box::pin(rest.observability.dashboard(&rest.points, actor, &spec, &question)).await?;
    let panels = spec.panels.into_iter().zip(answer.panels).map(|(spec, answer)| panel(spec, answer)).collect();
    Ok(Json(wire::DashboardData {
        name,
        title: spec.title,
        from: answer.from.to_string(),
        to: answer.to.to_string(),
        bucket_ms: u64::try_from(answer.bucket.as_millis()).unwrap_or(u64::MAX),
        panels,
    }))
}

fn panel(spec: PanelSpec, answer: PanelAnswer) -> wire::PanelData {
    let unit = spec.unit();
    let PanelSpec { title, description, chart, measures, filter, metric, by: own, .. } = spec;
    let mut panel = wire::PanelData {
        title,
        description,
        chart: chart.as_str().to_owned(),
        unit: unit.as_str().to_owned(),
        state: "data".to_owned(),
        measures,
        by: None,
        filter,
        metric: metric.map(|metric| wire::PanelMetricView { name: metric.name, form: None, note: None }),
        bucket_ms: None,
        rows: Vec::new(),
        table: None,
        more: false,
        estimated: false,
        problem: None,
    };
    let nothing = match answer {
        PanelAnswer::Measured { by, found, scored, more } => {
            panel.rows = rows(&found, &scored, by.as_deref(), &panel.measures);
            (panel.by, panel.more) = (by, more);
            panel.estimated = panel.rows.iter().any(|row| row.estimated);
            panel.rows.is_empty()
        }
        PanelAnswer::Rows(found) => {
            panel.more = found.more;
            let table = sql::answer(found);
            let nothing = table.rows.is_empty();
            panel.table = Some(table);
            nothing
        }
        PanelAnswer::Metric(found) => {
            (panel.by, panel.more) = (own, found.more);
            of_metric(&mut panel, *found, chart.is_over_time());
            panel.rows.is_empty()
        }
        PanelAnswer::Failed(fault) => {
            let Problem { code, detail, hint, .. } = Problem::of(fault.as_ref());
            panel.problem = Some(wire::PanelProblem { code: code.to_owned(), detail, hint });
            "failed".clone_into(&mut panel.state);
            false
        }
    };
    if nothing {
        "nothing".clone_into(&mut panel.state);
    }
    panel
}

/// What a metric came to, without steps that say nothing.
fn of_metric(panel: &mut wire::PanelData, found: MetricSeries, over_time: bool) {
    let MetricSeries { form, step, measures, groups, .. } = found;
    // No other word begins as percentiles do.
    let rough = measures.iter().any(|measure| measure.starts_with('p'));
    if let Some(metric) = &mut panel.metric {
        metric.note = form.as_ref().filter(|_| rough).and_then(metrics::note).map(str::to_owned);
        metric.form = form.map(metrics::form);
    }
    panel.bucket_ms = over_time.then(|| u64::try_from(step.as_millis()).unwrap_or(u64::MAX));
    for MetricGroup { value, steps } in groups {
        let keys: BTreeMap<_, _> = panel.by.iter().map(|by| (by.clone(), value.clone())).collect();
        let row = |MetricStep { start, values }: MetricStep| wire::TraceMetricsRow {
            start: over_time.then(|| start.to_string()),
            keys: keys.clone(),
            values: measures
                .iter()
                .cloned()
                .zip(values.into_iter().map(|value| value.filter(|value| value.is_finite())))
                .collect(),
            estimated: false,
        };
        panel.rows.extend(steps.into_iter().map(row).filter(|row| row.values.values().any(Option::is_some)));
    }
}

/// What of an answer is this panel's, without rows that say nothing.
fn rows(found: &SpanMetrics, scored: &[Vec<Option<f64>>], by: Option<&str>, measures: &[String]) -> Vec<wire::TraceMetricsRow> {
    // A panel has measures of spans or of scores.
    let of_scores = |at: usize| measures.iter().cloned().zip(scored.get(at).into_iter().flatten().copied());
    let places: Vec<(usize, &str)> = found
        .measures
        .iter()
        .enumerate()
        .filter(|(_, name)| measures.iter().any(|own| own == *name))
        .map(|(at, name)| (at, *name))
        .collect();
    let row = |(at, row): (usize, &mainspring_observability::MetricsRow)| {
        let value = |at: usize| row.values.get(at).copied().flatten().map(number);
        wire::TraceMetricsRow {
            start: row.start.map(|start| start.to_string()),
            keys: by.into_iter().map(str::to_owned).zip(row.keys.iter().cloned()).collect(),
            values: places.iter().map(|(place, name)| ((*name).to_owned(), value(*place))).chain(of_scores(at)).collect(),
            estimated: row.estimated,
        }
    };
    found.rows.iter().enumerate().map(row).filter(|row| row.values.values().any(Option::is_some)).collect()
}
