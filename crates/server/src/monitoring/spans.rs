//! Spans, and what was said of them, counted as monitors want it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mainspring_kernel::{Actor, Fault, Labels, PageRequest, Timestamp, id::ProjectId};
use mainspring_monitors::{
    Categories, Measure, Measurements, MonitorSpec, Numbers, Of, Point, Query, ReleaseOf, ReleaseSeen, SLICES, Series, Showing,
    Summary, Tally, Watched,
};
use mainspring_observability::{
    Drift, FirstSeen, MetricPoints, NumbersRow, Observability, ScoreValue, SeriesQuestion, SeriesRow, SpanFilter, TraceFilter,
    score_field,
};
use serde_json::Value;

use super::{boxed, metrics, watcher};
use crate::drifting;

/// Traces that an alert shows, and the spans that are looked at to find them.
const EXAMPLES: usize = 5;
const EXAMPLE_SPANS: usize = 50;
/// A score is counted when it is given, and its trace may have begun so long before.
const SCORED_WITHIN: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct Spans {
    pub(super) observability: Observability,
    pub(super) drift: Drift,
    pub(super) points: MetricPoints,
}

#[derive(Debug)]
struct OfProject {
    observability: Observability,
    drift: Drift,
    points: MetricPoints,
    watcher: Actor,
}

/// Points in order, by slice. Where nothing is sliced the only one has an empty name.
pub(super) type Points<T> = BTreeMap<String, BTreeMap<Timestamp, T>>;

#[async_trait]
impl Watched for Spans {
    fn of(&self, project: ProjectId, labels: &Labels) -> Arc<dyn Measurements> {
        let watcher = watcher(project, labels.clone());
        let Self { observability, drift, points } = self;
        Arc::new(OfProject { observability: observability.clone(), drift: drift.clone(), points: points.clone(), watcher })
    }

    async fn examples(
        &self,
        project: ProjectId,
        spec: &MonitorSpec,
        of: Showing<'_>,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<String>, Box<dyn Fault>> {
        // Points of a metric say nothing of the traces behind them.
        if matches!(spec.measure, Measure::Metric(_)) {
            return Ok(Vec::new());
        }
        let also = read(Some(&showing(spec, of)))?;
        let from = if scored(&spec.measure, of).is_some() { from.minus(SCORED_WITHIN) } else { from };
        let filter = TraceFilter { from: Some(from), to: Some(to), also, ..TraceFilter::default() };
        let found = self
            .observability
            .spans(&watcher(project, Labels::All), &filter, &PageRequest::first(EXAMPLE_SPANS))
            .await
            .map_err(boxed)?;
        let mut seen = HashSet::new();
        let traces = found.items.iter().map(|span| span.trace.to_string());
        Ok(traces.filter(|trace| seen.insert(trace.clone())).take(EXAMPLES).collect())
    }
}

/// The spans that show what a monitor found, as a filter.
fn showing(spec: &MonitorSpec, of: Showing<'_>) -> String {
    let mut parts = Vec::new();
    if spec.of == Of::Traces {
        parts.push("entry".to_owned());
    }
    parts.extend(spec.filter.as_ref().map(|filter| format!("({filter})")));
    if let (Some(field), Some(value)) = (&spec.slices, of.slice) {
        let text = Value::String(value.to_owned());
        // An attribute may say it as a number, or as yes or no, which stands without quotes.
        let plain = matches!(serde_json::from_str(value), Ok(Value::Number(_) | Value::Bool(_)));
        let of_attribute = field.starts_with("attributes");
        parts.push(if plain && of_attribute { format!("{field} in ({text}, {value})") } else { format!("{field} = {text}") });
    }
    let beyond = if of.low { "<" } else { ">" };
    match &spec.measure {
        Measure::Rate { hits } if of.low => parts.push(format!("not ({hits})")),
        Measure::Rate { hits } => parts.push(format!("({hits})")),
        Measure::Percentile { field, .. } | Measure::Mean { field } if matches!(field.as_str(), "duration" | "first_token") => {
            let bound = of.bound.filter(|bound| *bound >= 0.0);
            parts.extend(bound.map(|bound| format!("{field} {beyond} {:.0}us", bound * 1e6)));
        }
        measure => parts.extend(scored(measure, of)),
    }
    parts.join(" and ")
}

/// What shows what was found of scores: those beyond the bound, where one value can be.
fn scored(measure: &Measure, of: Showing<'_>) -> Option<String> {
    let field = match measure {
        Measure::Sum { field }
        | Measure::Mean { field }
        | Measure::Percentile { field, .. }
        | Measure::Numbers { field }
        | Measure::Categories { field } => field,
        Measure::Count | Measure::Rate { .. } | Measure::Topics { .. } | Measure::Metric(_) => return None,
    };
    score_field(field).ok()??;
    let single = matches!(measure, Measure::Mean { .. } | Measure::Percentile { .. });
    Some(match of.bound.filter(|_| single) {
        Some(bound) if of.low => format!("{field} < {bound:?}"),
        Some(bound) => format!("{field} > {bound:?}"),
        None => format!("{field} exists"),
    })
}

fn read(filter: Option<&str>) -> Result<SpanFilter, Box<dyn Fault>> {
    match filter {
        None | Some("") => Ok(SpanFilter::all()),
        Some(words) => words.parse::<SpanFilter>().map_err(boxed),
    }
}

#[async_trait]
impl Measurements for OfProject {
    async fn read(&self, query: Query) -> Result<Vec<Series>, Box<dyn Fault>> {
        let Query { filter, of, measure, slices, release, release_of, services, from, to, step } = query;
        if from >= to {
            return Ok(Vec::new());
        }
        let sliced = slices.is_some();
        let filter = read(filter.as_deref())?;
        let question = SeriesQuestion {
            // Topics are kept of all services together.
            filter: if matches!(measure, Measure::Topics { .. }) { filter } else { filter.of_services(&services) },
            entries: of == Of::Traces,
            only: release.map(|release| (release_of.field().to_owned(), release)),
            from,
            to,
            step,
            by: slices.map(|field| (field, SLICES)),
        };
        let points = match &measure {
            Measure::Count => self.counted(&question, None).await?,
            Measure::Rate { hits } => self.counted(&question, Some(&read(Some(hits))?)).await?,
            Measure::Categories { field } => self.categories(&question, field).await?,
            Measure::Sum { field } | Measure::Mean { field } => self.numbers(&question, (field, false)).await?,
            Measure::Percentile { field, .. } | Measure::Numbers { field } => self.numbers(&question, (field, true)).await?,
            Measure::Metric(metric) => metrics::read(&self.points, &self.watcher, metric, &question).await?,
            Measure::Topics { field } => {
                let release = question.only.as_ref().map(|(_, release)| release.as_str());
                let by_release = release.is_none() || release_of == ReleaseOf::Release;
                let plain = question.filter.is_all() && by_release && !sliced;
                return drifting::topics(&self.drift, &self.watcher, (field, release, plain), (from, to)).await;
            }
        };
        let series = points.into_iter().map(|(slice, points)| Series {
            slice: sliced.then_some(slice),
            points: points.into_iter().map(|(at, summary)| Point { at, summary }).collect(),
        });
        Ok(series.collect())
    }

    async fn releases(&self, filter: Option<&str>, of: Of, by: ReleaseOf) -> Result<Vec<ReleaseSeen>, Box<dyn Fault>> {
        let filter = read(filter)?;
        let found = self.observability.first_seen(&self.watcher, (&filter, of == Of::Traces), by.field()).await;
        let found = found.map_err(boxed)?;
        let seen = |FirstSeen { value, service, first }: FirstSeen| {
            let of = match by {
                ReleaseOf::Release => service,
                ReleaseOf::Prompt => value.split('@').next().map(str::to_owned),
            };
            ReleaseSeen { name: value, of, first }
        };
        Ok(found.into_iter().map(seen).collect())
    }

    async fn reference_set(&self, measure: &Measure) -> Result<(), Box<dyn Fault>> {
        let Measure::Topics { field } = measure else { return Ok(()) };
        self.drift.reference_set(self.watcher.project, field).await.map_err(boxed)
    }
}

impl OfProject {
    async fn counted(&self, question: &SeriesQuestion, hits: Option<&SpanFilter>) -> Result<Points<Summary>, Box<dyn Fault>> {
        let rows = self.observability.series(&self.watcher, question, (hits, None)).await.map_err(boxed)?;
        // Hits, and all. Spans that stand for as many have a row of their own.
        let mut points: Points<(Tally, Tally)> = Points::new();
        for SeriesRow { at, slice, weight, count, hits, .. } in rows {
            let point = points.entry(slice.unwrap_or_default()).or_default().entry(at).or_default();
            point.0.merge(&Tally::of(hits, weight));
            point.1.merge(&Tally::of(count, weight));
        }
        let rate = hits.is_some();
        Ok(summed(points, |(hits, trials)| if rate { Summary::Rate { hits, trials } } else { Summary::Count(trials) }))
    }

    async fn categories(&self, question: &SeriesQuestion, field: &str) -> Result<Points<Summary>, Box<dyn Fault>> {
        if let Some(name) = score_field(field).map_err(boxed)? {
            return self.scored_categories(question, &name).await;
        }
        let rows = self.observability.series(&self.watcher, question, (None, Some(field))).await.map_err(boxed)?;
        let mut points: Points<BTreeMap<String, Tally>> = Points::new();
        for SeriesRow { at, slice, word, weight, count, .. } in rows {
            let words = points.entry(slice.unwrap_or_default()).or_default().entry(at).or_default();
            words.entry(word.unwrap_or_default()).or_default().merge(&Tally::of(count, weight));
        }
        Ok(summed(points, |words| Summary::Categories(worth(&words))))
    }

    /// Yes and no are words as any other; numbers are none.
    async fn scored_categories(&self, question: &SeriesQuestion, name: &str) -> Result<Points<Summary>, Box<dyn Fault>> {
        let mut points: Points<Categories> = Points::new();
        let mut add = |given: Timestamp, slice: Option<&str>, value: &ScoreValue| {
            let word = match value {
                ScoreValue::Boolean(true) => "true",
                ScoreValue::Boolean(false) => "false",
                ScoreValue::Categorical(word) => word.as_str(),
                ScoreValue::Numeric(_) | ScoreValue::Text(_) => return,
            };
            let slice = points.entry(slice.unwrap_or_default().to_owned()).or_default();
            slice.entry(point_of(question, given)).or_default().add(word);
        };
        self.observability.scores_over_time(&self.watcher, question, name, &mut add).await.map_err(boxed)?;
        Ok(summed(points, Summary::Categories))
    }

    /// `spread`: not only how many there are, their mean and their variance.
    async fn numbers(&self, question: &SeriesQuestion, (field, spread): (&str, bool)) -> Result<Points<Summary>, Box<dyn Fault>> {
        let mut points: Points<Numbers> = Points::new();
        match score_field(field).map_err(boxed)? {
            Some(name) => {
                // A score is somebody's word about one trace: it stands for itself, however many traces its trace stands for.
                let mut score = |given: Timestamp, slice: Option<&str>, value: &ScoreValue| {
                    if let Some(number) = value.number() {
                        let slice = points.entry(slice.unwrap_or_default().to_owned()).or_default();
                        slice.entry(point_of(question, given)).or_default().add(number, 1.0);
                    }
                };
                self.observability.scores_over_time(&self.watcher, question, &name, &mut score).await.map_err(boxed)?;
            }
            None => {
                let mut add = |row: NumbersRow| {
                    let NumbersRow { at, slice, weight, moments, spread } = row;
                    let slice = points.entry(slice.unwrap_or_default()).or_default();
                    slice.entry(at).or_default().add_summed(&moments, &spread, weight);
                };
                self.observability.numbers(&self.watcher, question, (field, spread), &mut add).await.map_err(boxed)?;
            }
        }
        Ok(summed(points, |numbers| Summary::Numbers(Box::new(numbers))))
    }
}

/// When the point begins that a moment lies in.
fn point_of(question: &SeriesQuestion, moment: Timestamp) -> Timestamp {
    let (from, step) = (question.from.as_micros(), i64::try_from(question.step.as_micros()).unwrap_or(i64::MAX).max(1));
    let whole = moment.as_micros().saturating_sub(from).div_euclid(step);
    Timestamp::from_micros(from.saturating_add(whole.saturating_mul(step)))
}

/// How often each word came, for a test: of a sample as many as it is worth, shared out by what it stands for.
fn worth(words: &BTreeMap<String, Tally>) -> Categories {
    let mut all = Tally::default();
    words.values().for_each(|tally| all.merge(tally));
    let (came, seen) = (all.count() as f64, all.worth());
    let mut categories = Categories::default();
    for (word, tally) in words {
        // A word that was seen is never told to be unheard of.
        let share = if all.is_estimate() && came > 0.0 { seen / came } else { 1.0 };
        categories.add_many(word, ((tally.count() as f64 * share).round() as u64).max(u64::from(tally.count() > 0)));
    }
    categories
}

fn summed<T>(points: Points<T>, summary: impl Fn(T) -> Summary) -> Points<Summary> {
    let each = |(slice, points): (String, BTreeMap<Timestamp, T>)| {
        (slice, points.into_iter().map(|(at, of)| (at, summary(of))).collect::<BTreeMap<_, _>>())
    };
    points.into_iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_shows_a_finding_can_be_read_as_a_filter() {
        let spec = |fields: Value| -> MonitorSpec {
            let mut spec = json!({ "measure": { "rate": { "hits": "error" } }, "compare": { "threshold": { "above": 0.1 } } });
            for (name, value) in fields.as_object().unwrap() {
                spec[name] = value.clone();
            }
            serde_json::from_value(spec).unwrap()
        };
        let slow = json!({ "measure": { "percentile": { "field": "duration", "at": 0.95 } } });
        let fast = json!({ "measure": { "mean": { "field": "first_token" } }, "compare": { "previous": { "worse": "down" } } });
        let quality =
            json!({ "measure": { "mean": { "field": "score.quality" } }, "compare": { "previous": { "worse": "down" } } });
        let tone = json!({
            "measure": { "categories": { "field": "score[\"a b\"]" } }, "compare": { "previous": {} }, "of": "spans",
        });
        let (above, below) = ((false, None), (true, None));
        for (fields, slice, (low, bound), expected) in [
            (
                json!({ "filter": "app = desk", "slices": "model" }),
                Some("a \"b\""),
                above,
                r#"entry and (app = desk) and model = "a \"b\"" and (error)"#,
            ),
            (json!({ "of": "spans" }), None, below, "not (error)"),
            (json!({ "compare": { "release": { "worse": "down" } } }), None, (true, Some(0.9)), "entry and not (error)"),
            (slow.clone(), None, (false, Some(2.5)), "entry and duration > 2500000us"),
            (slow, None, above, "entry"),
            (fast, None, (true, Some(0.25)), "entry and first_token < 250000us"),
            (json!({ "measure": "count", "of": "spans" }), None, above, ""),
            (quality.clone(), None, (true, Some(0.5)), "entry and score.quality < 0.5"),
            (quality, None, (false, Some(0.5)), "entry and score.quality > 0.5"),
            (tone, None, (false, Some(0.5)), "score[\"a b\"] exists"),
            (
                json!({ "slices": "attributes[\"shop.tier\"]", "of": "spans" }),
                Some("3"),
                above,
                r#"attributes["shop.tier"] in ("3", 3) and (error)"#,
            ),
        ] {
            let shown = showing(&spec(fields), Showing { slice, low, bound });
            assert_eq!(shown, expected);
            assert!(read(Some(&shown)).is_ok(), "{shown}");
        }
    }
}
