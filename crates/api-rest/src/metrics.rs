//! Metrics that other programs sent: which there are, and what they came to over time.

use std::time::Duration;

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role, Timestamp, duration};
use mainspring_observability::{
    Counting, Metric, MetricForm, MetricGroup, MetricQuestion, MetricSeries, MetricStep, PointFilter, PointKind, Temporality,
};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, usage::moment};

/// What is looked at where nobody says since when.
const USUAL: Duration = Duration::from_secs(24 * 3600);
const ESTIMATE: &str = "percentiles are estimated from buckets, as if the numbers of each were spread over it evenly";
const OF_SEVERAL: &str = "quantiles are as programs say them; of several series together, the largest";

#[derive(Debug, Deserialize)]
pub(crate) struct MetricsQuery {
    q: Option<String>,
    service: Option<String>,
    model: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SeriesQuery {
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
    by: Option<String>,
    service: Option<String>,
    model: Option<String>,
    kind: Option<String>,
    unit: Option<String>,
    monotonic: Option<bool>,
    temporality: Option<String>,
}

/// Lists metrics that programs sent points of, by name: what they are, who sends them and what they said last. Of the last day
/// where no `from` is given, which may be a moment or how long ago: `6h`. `q` finds those with this in their name.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "metrics", operation_id = "list_metrics",
    params(("q" = Option<String>, Query), ("service" = Option<String>, Query), ("model" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::MetricView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<MetricsQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::MetricView>>> {
    let actor = caller.needs(Role::Reader)?;
    let MetricsQuery { q, service, model, from, to } = query;
    let (from, to) = between(&rest, from, to)?;
    let filter = PointFilter { name: None, service: full(service), model: full(model), from: Some(from), to: Some(to) };
    let found = Box::pin(rest.points.metrics(actor, &filter, full(q).as_deref(), &page)).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(metric).collect(), next: found.next }))
}

/// Shows what a metric came to over time, in steps such as `5m`, with the values of an attribute told apart: `by=region`. Of the
/// last day where no `from` is given. Counters are told as increases and rates, whether they are sent as differences or as
/// totals; percentiles of histograms are estimated from their buckets. Where several are sent under the name, it is what was sent
/// last, unless it is said which: by its `kind`; its `unit`, which may be empty; of sums by whether they are `monotonic`; and by the
/// `temporality` of its points, which is `cumulative`, `delta` or `unspecified`.
#[utoipa::path(get, path = "/api/v1/metrics/{name}/series", tag = "metrics", operation_id = "metric_series",
    params(("name" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("step" = Option<String>, Query),
        ("by" = Option<String>, Query), ("service" = Option<String>, Query), ("model" = Option<String>, Query),
        ("kind" = Option<String>, Query), ("unit" = Option<String>, Query), ("monotonic" = Option<bool>, Query),
        ("temporality" = Option<String>, Query)),
    responses((status = 200, body = wire::MetricSeriesView)))]
pub(crate) async fn series(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<SeriesQuery>,
) -> Answer<Json<wire::MetricSeriesView>> {
    let actor = caller.needs(Role::Reader)?;
    let SeriesQuery { from, to, step, by, service, model, kind, unit, monotonic, temporality } = query;
    let (from, to) = between(&rest, from, to)?;
    let step =
        full(step).map(|text| duration::read(&text).ok_or_else(|| wrong("`step` is a stretch of time such as 5m, 1h or 1d")));
    let known = "`kind` is gauge, sum, histogram, exponential_histogram or summary";
    let kind = full(kind).map(|text| PointKind::read(&text).ok_or_else(|| wrong(known)));
    let known = "`temporality` is cumulative, delta or unspecified";
    let temporality = full(temporality).map(|text| Counting::read(&text).ok_or_else(|| wrong(known)));
    let by = full(by);
    let question = MetricQuestion {
        name: name.clone(),
        from,
        to,
        step: step.transpose()?,
        by: by.clone(),
        service: full(service),
        model: full(model),
        kind: kind.transpose()?,
        unit,
        monotonic,
        temporality: temporality.transpose()?,
        ..MetricQuestion::default()
    };
    let MetricSeries { form, others, more_forms, from, to, step, measures, groups, more, attributes, points } =
        Box::pin(rest.points.series(actor, &question)).await?;
    let note = form.as_ref().and_then(note).map(str::to_owned);
    Ok(Json(wire::MetricSeriesView {
        name,
        form: form.map(self::form),
        others: others.into_iter().map(self::form).collect(),
        more_forms,
        from: from.to_string(),
        to: to.to_string(),
        step_ms: u64::try_from(step.as_millis()).unwrap_or(u64::MAX),
        by,
        measures,
        note,
        groups: groups.into_iter().map(group).collect(),
        more,
        attributes,
        points,
    }))
}

fn full(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn wrong(what: &str) -> Problem {
    Problem::new(FaultKind::Invalid, "query-invalid", what)
}

fn between(rest: &Rest, from: Option<String>, to: Option<String>) -> Answer<(Timestamp, Timestamp)> {
    let now = rest.clock.now();
    // What comes at this very moment is of it.
    let to = moment("to", to.as_deref(), now)?.unwrap_or_else(|| now.plus(Duration::from_micros(1)));
    Ok((moment("from", from.as_deref(), now)?.unwrap_or_else(|| to.minus(USUAL)), to))
}

pub(crate) const fn note(form: &MetricForm) -> Option<&'static str> {
    match form.kind {
        PointKind::Histogram | PointKind::ExponentialHistogram => Some(ESTIMATE),
        PointKind::Summary => Some(OF_SEVERAL),
        PointKind::Gauge | PointKind::Sum => None,
    }
}

fn metric(found: Metric) -> wire::MetricView {
    let Metric { name, form, others, more_forms, services, more_services, series, last_seen, last_value } = found;
    wire::MetricView {
        name,
        form: self::form(form),
        others: others.into_iter().map(self::form).collect(),
        more_forms,
        services,
        more_services,
        series,
        last_seen: last_seen.to_string(),
        last_value,
    }
}

pub(crate) fn form(form: MetricForm) -> wire::MetricFormView {
    let MetricForm { kind, unit, temporality, monotonic } = form;
    wire::MetricFormView {
        kind: kind.as_str().to_owned(),
        unit,
        temporality: temporality.map(|temporality| Temporality::as_str(temporality).to_owned()),
        monotonic: (kind == PointKind::Sum).then_some(monotonic),
    }
}

fn group(MetricGroup { value, steps }: MetricGroup) -> wire::MetricGroupView {
    let step = |MetricStep { start, values }: MetricStep| wire::MetricStepView {
        start: start.to_string(),
        values: values.into_iter().map(|value| value.filter(|value| value.is_finite())).collect(),
    };
    wire::MetricGroupView { value, steps: steps.into_iter().map(step).collect() }
}
