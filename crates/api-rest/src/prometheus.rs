//! Measures over spans and metrics that programs sent, as Prometheus' query API tells them: what Grafana reads.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Request, State},
};
use http::{StatusCode, Uri};
use mainspring_kernel::{FaultKind, Role, Timestamp, duration};
use mainspring_observability::{PromAnswer, PromFound, PromListed, PromMetric, PromSeries, PromTimes};
use mainspring_web_kit::{Answer, Caller, Path, Problem, Query, read_body};
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::Rest;

const HERE: &str = "/api/v1/prometheus/";
/// What labels and series are told of where nobody says.
const USUAL: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A name may come several times.
type Pair = (String, String);
type Pairs = Vec<Pair>;
type Reply = Answer<Json<wire::PromReply>>;

/// An error as Prometheus writes it, on these paths.
#[must_use]
pub fn dialect(path: &str, problem: &Problem) -> Option<Value> {
    if !path.starts_with(HERE) {
        return None;
    }
    let kind = match problem.status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => "timeout",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "unavailable",
        status if status.is_server_error() => "internal",
        _ => "bad_data",
    };
    let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    Some(json!({"status": "error", "errorType": kind, "error": format!("{}: {}{hint}", problem.code, problem.detail)}))
}

/// What is shown beside a chart whose numbers are made of a sample.
const ESTIMATE: &str = "only some of the traces are kept: this is an estimate of all that came";
/// What is said of a list that does not have everything.
const CUT: &str = "programs sent more in this time than one answer looks at: what they sent last is told";

fn success(data: Value, info: Option<&str>) -> Json<wire::PromReply> {
    Json(wire::PromReply { status: "success".to_owned(), data, infos: info.map(str::to_owned).into_iter().collect() })
}

fn found(data: Value, estimated: bool) -> Json<wire::PromReply> {
    success(data, estimated.then_some(ESTIMATE))
}

fn listed(data: Value, cut: bool) -> Json<wire::PromReply> {
    success(data, cut.then_some(CUT))
}

fn wrong(field: &str, what: &str) -> Problem {
    Problem::new(FaultKind::Invalid, "query-invalid", format!("`{field}` is {what}"))
}

/// A form as Grafana posts it: what an address has after `?`.
async fn form(request: Request) -> Answer<Pairs> {
    let unreadable = || wrong("the body", "a form of names and values, percent-encoded");
    let body = read_body(request).await?;
    let text = std::str::from_utf8(&body).map_err(|_| unreadable())?;
    let uri: Uri = format!("/?{text}").parse().map_err(|_| unreadable())?;
    axum::extract::Query::<Pairs>::try_from_uri(&uri).map(|axum::extract::Query(pairs)| pairs).map_err(|_| unreadable())
}

fn one<'a>(pairs: &'a [Pair], name: &str) -> Option<&'a str> {
    pairs.iter().rfind(|(given, value)| given == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn selectors(pairs: &[Pair]) -> Vec<String> {
    pairs.iter().filter(|(name, _)| name == "match[]").map(|(_, value)| value.clone()).collect()
}

/// Seconds since the epoch, or RFC 3339.
fn moment(pairs: &[Pair], name: &str) -> Answer<Option<Timestamp>> {
    let Some(text) = one(pairs, name) else { return Ok(None) };
    let read = text.parse::<f64>().ok().and_then(micros).map(Timestamp::from_micros).or_else(|| Timestamp::parse(text));
    read.map(Some).ok_or_else(|| wrong(name, "a number of seconds since 1970, or an RFC 3339 time"))
}

/// In whole microseconds, within some thousands of years.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is refused before")]
fn micros(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds.abs() < 1e11).then(|| (seconds * 1e6).round() as i64)
}

fn step(pairs: &[Pair]) -> Answer<i64> {
    let text = one(pairs, "step").unwrap_or_default();
    let read = text.parse::<f64>().ok().and_then(micros);
    let read = read.or_else(|| duration::read(text).and_then(|step| i64::try_from(step.as_micros()).ok()));
    read.filter(|step| *step > 0).ok_or_else(|| wrong("step", "a number of seconds, or a stretch of time such as 15s"))
}

fn between(rest: &Rest, pairs: &[Pair]) -> Answer<(Timestamp, Timestamp)> {
    let end = moment(pairs, "end")?.unwrap_or_else(|| rest.clock.now());
    Ok((moment(pairs, "start")?.unwrap_or_else(|| end.minus(USUAL)), end))
}

#[expect(clippy::cast_precision_loss, reason = "times of our age are far below 2^53 microseconds")]
fn point((at, value): (Timestamp, f64)) -> Value {
    let told = match value {
        value if value == f64::INFINITY => "+Inf".to_owned(),
        value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    };
    json!([at.as_micros() as f64 / 1e6, told])
}

async fn instantly(rest: &Rest, caller: &Caller, pairs: &[Pair]) -> Reply {
    let actor = caller.needs(Role::Reader)?;
    let text = one(pairs, "query").ok_or_else(|| wrong("query", "a question in PromQL"))?;
    let at = moment(pairs, "time")?.unwrap_or_else(|| rest.clock.now());
    let times = PromTimes { start: at, end: at, step_micros: None };
    let PromFound { answer, estimated } = rest.observability.prometheus(&rest.points, actor, text, times).await?;
    let data = match answer {
        PromAnswer::Scalar(points) => json!({"resultType": "scalar", "result": points.into_iter().next().map(point)}),
        PromAnswer::Series(all) => {
            let told = |PromSeries { labels, points }: PromSeries| json!({"metric": labels, "value": points.into_iter().next().map(point)});
            json!({"resultType": "vector", "result": all.into_iter().map(told).collect::<Vec<_>>()})
        }
    };
    Ok(found(data, estimated))
}

async fn over_time(rest: &Rest, caller: &Caller, pairs: &[Pair]) -> Reply {
    let actor = caller.needs(Role::Reader)?;
    let text = one(pairs, "query").ok_or_else(|| wrong("query", "a question in PromQL"))?;
    let start = moment(pairs, "start")?.ok_or_else(|| wrong("start", "a time"))?;
    let end = moment(pairs, "end")?.ok_or_else(|| wrong("end", "a time"))?;
    let times = PromTimes { start, end, step_micros: Some(step(pairs)?) };
    let PromFound { answer, estimated } = rest.observability.prometheus(&rest.points, actor, text, times).await?;
    let series = match answer {
        PromAnswer::Scalar(points) => vec![PromSeries { labels: BTreeMap::new(), points }],
        PromAnswer::Series(all) => all,
    };
    let told = |PromSeries { labels, points }: PromSeries| json!({"metric": labels, "values": points.into_iter().map(point).collect::<Vec<_>>()});
    let all: Vec<Value> = series.into_iter().map(told).collect();
    Ok(found(json!({"resultType": "matrix", "result": all}), estimated))
}

async fn names(rest: &Rest, caller: &Caller, pairs: &[Pair]) -> Reply {
    let actor = caller.needs(Role::Reader)?;
    let (selectors, between) = (selectors(pairs), between(rest, pairs)?);
    let found = rest.observability.prometheus_labels(&rest.points, actor, &selectors, between);
    let PromListed { found, cut } = Box::pin(found).await?;
    Ok(listed(json!(found), cut))
}

async fn all_series(rest: &Rest, caller: &Caller, pairs: &[Pair]) -> Reply {
    let actor = caller.needs(Role::Reader)?;
    let selectors = selectors(pairs);
    if selectors.is_empty() {
        return Err(wrong("match[]", "a selector; at least one is given"));
    }
    let found = rest.observability.prometheus_series(&rest.points, actor, &selectors, between(rest, pairs)?);
    let PromListed { found, cut } = Box::pin(found).await?;
    Ok(listed(json!(found), cut))
}

/// Answers PromQL about one moment, as Prometheus does.
#[utoipa::path(get, path = "/api/v1/prometheus/api/v1/query", tag = "prometheus", operation_id = "prometheus_query",
    params(("query" = String, Query), ("time" = Option<String>, Query)), responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn query(State(rest): State<Rest>, caller: Caller, Query(pairs): Query<Pairs>) -> Reply {
    Box::pin(instantly(&rest, &caller, &pairs)).await
}

/// The same, asked with a form.
#[utoipa::path(post, path = "/api/v1/prometheus/api/v1/query", tag = "prometheus", operation_id = "prometheus_query_by_form",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn query_by_form(State(rest): State<Rest>, caller: Caller, request: Request) -> Reply {
    Box::pin(instantly(&rest, &caller, &form(request).await?)).await
}

/// Answers PromQL over time, as Prometheus does.
#[utoipa::path(get, path = "/api/v1/prometheus/api/v1/query_range", tag = "prometheus", operation_id = "prometheus_query_range",
    params(("query" = String, Query), ("start" = String, Query), ("end" = String, Query), ("step" = String, Query)),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn query_range(State(rest): State<Rest>, caller: Caller, Query(pairs): Query<Pairs>) -> Reply {
    Box::pin(over_time(&rest, &caller, &pairs)).await
}

/// The same, asked with a form.
#[utoipa::path(post, path = "/api/v1/prometheus/api/v1/query_range", tag = "prometheus", operation_id = "prometheus_query_range_by_form",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn query_range_by_form(State(rest): State<Rest>, caller: Caller, request: Request) -> Reply {
    Box::pin(over_time(&rest, &caller, &form(request).await?)).await
}

/// Names labels: all there are, or those of the series that match.
#[utoipa::path(get, path = "/api/v1/prometheus/api/v1/labels", tag = "prometheus", operation_id = "prometheus_labels",
    params(("start" = Option<String>, Query), ("end" = Option<String>, Query), ("match[]" = Option<String>, Query)),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn labels(State(rest): State<Rest>, caller: Caller, Query(pairs): Query<Pairs>) -> Reply {
    Box::pin(names(&rest, &caller, &pairs)).await
}

/// The same, asked with a form.
#[utoipa::path(post, path = "/api/v1/prometheus/api/v1/labels", tag = "prometheus", operation_id = "prometheus_labels_by_form",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn labels_by_form(State(rest): State<Rest>, caller: Caller, request: Request) -> Reply {
    Box::pin(names(&rest, &caller, &form(request).await?)).await
}

/// Lists the labels of every series that matches.
#[utoipa::path(get, path = "/api/v1/prometheus/api/v1/series", tag = "prometheus", operation_id = "prometheus_series",
    params(("start" = Option<String>, Query), ("end" = Option<String>, Query), ("match[]" = String, Query)),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn series(State(rest): State<Rest>, caller: Caller, Query(pairs): Query<Pairs>) -> Reply {
    Box::pin(all_series(&rest, &caller, &pairs)).await
}

/// The same, asked with a form.
#[utoipa::path(post, path = "/api/v1/prometheus/api/v1/series", tag = "prometheus", operation_id = "prometheus_series_by_form",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn series_by_form(State(rest): State<Rest>, caller: Caller, request: Request) -> Reply {
    Box::pin(all_series(&rest, &caller, &form(request).await?)).await
}

/// Lists the values of a label.
#[utoipa::path(get, path = "/api/v1/prometheus/api/v1/label/{name}/values", tag = "prometheus", operation_id = "prometheus_label_values",
    params(("name" = String, Path), ("start" = Option<String>, Query), ("end" = Option<String>, Query), ("match[]" = Option<String>, Query)),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn label_values(
    State(rest): State<Rest>,
    caller: Caller,
    Path(name): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Reply {
    let actor = caller.needs(Role::Reader)?;
    let (selectors, between) = (selectors(&pairs), between(&rest, &pairs)?);
    let found = rest.observability.prometheus_values(&rest.points, actor, &name, &selectors, between);
    let PromListed { found, cut } = Box::pin(found).await?;
    Ok(listed(json!(found), cut))
}

/// Says what each metric is: those over spans, and those that programs sent, of the last day where no `start` is given.
#[utoipa::path(get, path = "/api/v1/prometheus/api/v1/metadata", tag = "prometheus", operation_id = "prometheus_metadata",
    params(("metric" = Option<String>, Query), ("start" = Option<String>, Query), ("end" = Option<String>, Query)),
    responses((status = 200, body = wire::PromReply)))]
pub(crate) async fn metadata(State(rest): State<Rest>, caller: Caller, Query(pairs): Query<Pairs>) -> Reply {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.observability.prometheus_metrics(&rest.points, actor, between(&rest, &pairs)?);
    let PromListed { found, cut } = Box::pin(found).await?;
    let wanted = one(&pairs, "metric");
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for PromMetric { name, kind, help, unit } in found {
        if wanted.is_none_or(|wanted| wanted == name) {
            told.entry(name).or_default().push(json!({"type": kind, "help": help, "unit": unit}));
        }
    }
    Ok(listed(json!(told), cut))
}
