//! Measures over spans, in groups and over time.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role, duration};
use mainspring_observability::{Measured, MetricsQuestion, MetricsRow, ScoreMeasure, SpanMetrics};
use mainspring_web_kit::{Answer, Caller, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, traces::TraceQuery};

/// Each takes a place in every row.
const SCORE_MEASURES_MAX: usize = 16;

#[derive(Debug, Deserialize)]
pub(crate) struct Measuring {
    by: Option<String>,
    bucket: Option<String>,
    measures: Option<String>,
    limit: Option<usize>,
}

/// Measures spans: `measures` such as `count,error_rate,cost,duration_p95`, in groups `by` fields such as `model,app`, over
/// time in buckets such as `1h`. `score.NAME.mean` is of scores; `count`, `min`, `max`, `p50`, `p90`, `p95` and `p99` go as well. Of the last day where no `from` is given. Write `entry` in the filter to measure traces.
#[utoipa::path(get, path = "/api/v1/traces/metrics", tag = "traces", operation_id = "measure_traces",
    params(("by" = Option<String>, Query), ("bucket" = Option<String>, Query), ("measures" = Option<String>, Query), ("limit" = Option<usize>, Query),
        ("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("model" = Option<String>, Query), ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query), ("q" = Option<String>, Query),
        ("operation" = Option<String>, Query), ("user" = Option<String>, Query), ("session" = Option<String>, Query)),
    responses((status = 200, body = wire::TraceMetrics)))]
pub(crate) async fn measure(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Query(measuring): Query<Measuring>,
) -> Answer<Json<wire::TraceMetrics>> {
    let actor = caller.needs(Role::Reader)?;
    let Measuring { by, bucket, measures, limit } = measuring;
    let by = listed(by);
    let wrong = || Problem::new(FaultKind::Invalid, "query-invalid", "`bucket` is a stretch of time such as 5m, 1h or 1d");
    let bucket = bucket.filter(|text| !text.is_empty()).map(|text| duration::read(&text).ok_or_else(wrong)).transpose()?;
    let (mut of_spans, mut names, mut of_scores) = (Vec::new(), Vec::new(), Vec::new());
    for name in listed(measures) {
        match ScoreMeasure::read(&name)? {
            Some(measure) => {
                names.push(name);
                of_scores.push(measure);
            }
            None => of_spans.push(name),
        }
    }
    if of_scores.len() > SCORE_MEASURES_MAX {
        let what = format!("measures of scores are {SCORE_MEASURES_MAX} at most");
        return Err(Problem::new(FaultKind::Invalid, "trace-question-invalid", what));
    }
    if of_spans.is_empty() && !of_scores.is_empty() {
        of_spans.push("count".to_owned());
    }
    let question = MetricsQuestion { filter: query.read()?, by: by.clone(), bucket, measures: of_spans, limit };
    let found = rest.observability.measure(actor, question.clone()).await?;
    let scored = if of_scores.is_empty() {
        vec![Vec::new(); found.rows.len()]
    } else {
        rest.observability.measure_scores(actor, question, &of_scores, &found).await?
    };
    let SpanMetrics { from, to, measures, rows, more } = found;
    let (mut shown, mut estimated) = (Vec::with_capacity(rows.len()), false);
    for (found, scored) in rows.into_iter().zip(scored) {
        estimated |= found.estimated;
        let mut shown_row = row(found, &by, &measures);
        shown_row.values.extend(names.iter().cloned().zip(scored));
        shown.push(shown_row);
    }
    let measures = measures.into_iter().map(str::to_owned).chain(names).collect();
    Ok(Json(wire::TraceMetrics { from: from.to_string(), to: to.to_string(), by, measures, rows: shown, more, estimated }))
}

fn listed(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn row(row: MetricsRow, by: &[String], measures: &[&'static str]) -> wire::TraceMetricsRow {
    let MetricsRow { start, keys, values, estimated } = row;
    wire::TraceMetricsRow {
        start: start.map(|start| start.to_string()),
        keys: by.iter().cloned().zip(keys).collect(),
        values: measures.iter().map(|name| (*name).to_owned()).zip(values.into_iter().map(|found| found.map(number))).collect(),
        estimated,
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers for charts; exact up to nine million dollars")]
pub(crate) fn number(found: Measured) -> f64 {
    match found {
        Measured::Count(count) => count as f64,
        Measured::Share(share) => share,
        Measured::Millis(millis) => millis,
        Measured::Nanodollars(nanos) => nanos as f64 / 1e9,
    }
}
