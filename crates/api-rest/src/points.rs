//! Points of metrics that other programs sent.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role, Timestamp};
use mainspring_observability::{MetricPoint, PointFilter, PointKind, Temporality};
use mainspring_web_kit::{Answer, Caller, Paging, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::Rest;

#[derive(Debug, Deserialize)]
pub(crate) struct PointQuery {
    name: Option<String>,
    service: Option<String>,
    model: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// Lists points of metrics, newest first.
#[utoipa::path(get, path = "/api/v1/metric-points", tag = "metrics", operation_id = "list_metric_points",
    params(("name" = Option<String>, Query), ("service" = Option<String>, Query), ("model" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::MetricPointView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<PointQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::MetricPointView>>> {
    let actor = caller.needs(Role::Reader)?;
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = PointFilter {
        name: full(query.name),
        service: full(query.service),
        model: full(query.model),
        from: time("from", full(query.from))?,
        to: time("to", full(query.to))?,
    };
    let found = rest.points.list(actor, &filter, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

fn time(field: &str, text: Option<String>) -> Answer<Option<Timestamp>> {
    let wrong = || Problem::new(FaultKind::Invalid, "query-invalid", format!("`{field}` is not an RFC 3339 time"));
    text.map(|text| Timestamp::parse(&text).ok_or_else(wrong)).transpose()
}

fn view(point: MetricPoint) -> wire::MetricPointView {
    let MetricPoint {
        project: _,
        point: _,
        series,
        time,
        since,
        name,
        unit,
        kind,
        temporality,
        monotonic,
        attributes,
        value,
        count,
        sum,
        min,
        max,
        buckets,
    } = point;
    wire::MetricPointView {
        series,
        time: time.to_string(),
        since: since.map(|since| since.to_string()),
        name,
        unit,
        kind: kind.as_str().to_owned(),
        temporality: temporality.map(|temporality| Temporality::as_str(temporality).to_owned()),
        monotonic: (kind == PointKind::Sum).then_some(monotonic),
        attributes: attributes.into(),
        value,
        count,
        sum,
        min,
        max,
        buckets,
    }
}
