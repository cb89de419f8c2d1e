//! The numbers of a dashboard.

use std::{sync::Arc, time::Duration};

use mainspring_kernel::{Actor, Fault as _, FaultKind, Timestamp};

use super::{
    Asking, By, MetricsQuestion, SpanMetrics, SqlColumn, SqlQuestion, SqlRows, TraceFilter,
    metrics::{largest, metrics_among},
    sql::{Sources, sql},
};
use crate::{
    dashboards::{ChartKind, DashboardSpec, PanelMetric, PanelSpec},
    fault::TraceFault,
    filter::SpanFilter,
    points::{MetricPoints, MetricQuestion, MetricSeries, MetricValue},
    scores::OF_SCORES,
};

/// Values that a panel shows apart; the largest ones.
const GROUPS: usize = 8;
/// Points of a chart, about.
const POINTS: i64 = 60;
/// Lengths of buckets of time that people can read, in seconds.
const WIDTHS: [i64; 18] =
    [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 604_800];
const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone, PartialEq)]
pub struct DashboardQuestion {
    pub from: Timestamp,
    pub to: Timestamp,
    /// The field, or the attribute, by which panels show values apart that name none themselves.
    pub by: Option<String>,
    /// Only these spans, on every panel that measures.
    pub filter: SpanFilter,
}

/// What a dashboard shows.
#[derive(Debug)]
pub struct DashboardAnswer {
    /// Where the first bucket of time begins: `from`, or a little before.
    pub from: Timestamp,
    pub to: Timestamp,
    pub bucket: Duration,
    /// In the order of the panels.
    pub panels: Vec<PanelAnswer>,
}

/// What a panel shows. Panels that ask the same share an answer.
#[derive(Debug, Clone)]
pub enum PanelAnswer {
    Measured {
        by: Option<String>,
        /// May hold measures of other panels.
        found: Arc<SpanMetrics>,
        /// What was reckoned of scores for each row, in the order of the panel's measures. None where it has no such measure.
        scored: Vec<Vec<Option<f64>>>,
        /// Whether more values are not shown.
        more: bool,
    },
    Rows(SqlRows),
    /// A metric that programs send, in steps of its own.
    Metric(Box<MetricSeries>),
    Failed(Arc<TraceFault>),
}

/// What makes panels ask the same, and everything they want measured.
#[derive(Debug)]
struct Group {
    filter: String,
    by: Option<String>,
    over_time: bool,
    measures: Vec<String>,
    panels: Vec<usize>,
}

/// `filters`: those of the panels, ready to be asked.
pub(crate) async fn dashboard(
    asking: Asking<'_>,
    (sources, points): (Sources<'_>, &MetricPoints),
    (spec, filters): (&DashboardSpec, &[Result<SpanFilter, Arc<TraceFault>>]),
    question: &DashboardQuestion,
) -> Result<DashboardAnswer, TraceFault> {
    if let Some(by) = &question.by {
        By::read(by)?;
    }
    let (from, to) = (question.from.as_micros(), question.to.as_micros());
    if from >= to {
        return Err(TraceFault::Question { reason: "`from` is a time before `to`".to_owned() });
    }
    let width = width_for(to.saturating_sub(from));
    let from = Timestamp::from_micros(from - from.rem_euclid(width));
    let bucket = Duration::from_micros(width.unsigned_abs());
    let mut panels: Vec<Option<PanelAnswer>> = spec.panels.iter().map(|_| None).collect();
    for group in groups(spec, question.by.as_deref()) {
        let answer = match group.panels.first().and_then(|first| filters.get(*first)) {
            Some(Err(fault)) => PanelAnswer::Failed(Arc::clone(fault)),
            Some(Ok(filter)) => measured(asking, (&group, filter), question, (from, bucket))
                .await
                .unwrap_or_else(|fault| PanelAnswer::Failed(Arc::new(fault))),
            None => continue,
        };
        group.panels.iter().for_each(|at| panels[*at] = Some(answer.clone()));
    }
    for (panel, answer) in spec.panels.iter().zip(&mut panels) {
        if let Some(metric) = &panel.metric {
            let found = Box::pin(of_metric((points, asking.actor), (panel, metric), (from, question.to))).await;
            *answer = Some(found.map_or_else(|fault| PanelAnswer::Failed(Arc::new(fault)), PanelAnswer::Metric));
        }
        let Some(text) = &panel.sql else { continue };
        let found = sql(asking, sources, &in_sql(text, width, (from, question.to))).await;
        *answer = Some(found.map_or_else(|fault| PanelAnswer::Failed(Arc::new(fault)), PanelAnswer::Rows));
    }
    Ok(DashboardAnswer { from, to: question.to, bucket, panels: panels.into_iter().flatten().collect() })
}

fn in_sql(text: &str, width: i64, (from, to): (Timestamp, Timestamp)) -> SqlQuestion {
    SqlQuestion { text: text.replace("$bucket", &width.to_string()), from: Some(from), to: Some(to), limit: None }
}

/// What is wrong with the question in SQL of a panel. It is asked about no time at all, so no row is read, and what fails over
/// certain rows is not found; nor is anything while the lake is away.
pub(crate) async fn wrong_sql(asking: Asking<'_>, sources: Sources<'_>, panel: &PanelSpec) -> Option<String> {
    let never = Timestamp::from_micros(0);
    let asked = in_sql(panel.sql.as_deref()?, 60 * SECOND, (never, never));
    match sql(asking, sources, &asked).await {
        Ok(found) => undrawn(panel.chart, &found.columns),
        Err(fault) if fault.kind() == FaultKind::Invalid => {
            Some(fault.hint().map_or_else(|| fault.to_string(), |hint| format!("{fault}: {hint}")))
        }
        Err(_) => None,
    }
}

/// Why columns make no chart of the kind.
fn undrawn(chart: ChartKind, columns: &[SqlColumn]) -> Option<String> {
    if !chart.is_over_time() {
        return None;
    }
    let is_number = |kind: &str| !["TEXT", "BOOLEAN", "TIMESTAMP", "DATE"].contains(&kind) && !kind.ends_with("[]");
    let chart = chart.as_str();
    let (start, others): (Vec<&SqlColumn>, Vec<&SqlColumn>) = columns.iter().partition(|column| column.name == "start");
    if start.is_empty() {
        let how = "select `bucket(start, $bucket, 0) AS start`, or make it a `table`";
        return Some(format!("a {chart} is drawn over time, and no column is called `start`: {how}"));
    }
    let drawn = others.iter().any(|column| is_number(&column.kind));
    (!drawn).then(|| format!("a {chart} is drawn of numbers, and no column beside `start` is one"))
}

/// The filter and the groups of the page are of spans, and not of points.
async fn of_metric(
    (points, actor): (&MetricPoints, &Actor),
    (panel, metric): (&PanelSpec, &PanelMetric),
    (from, to): (Timestamp, Timestamp),
) -> Result<Box<MetricSeries>, TraceFault> {
    let PanelMetric { name, kind, unit, monotonic, temporality, attributes } = metric;
    let values = panel.measures.iter().map(|name| MetricValue::read(name)).collect::<Result<Vec<_>, TraceFault>>()?;
    let question = MetricQuestion {
        name: name.clone(),
        from,
        to,
        // Over time it is as long as makes a chart, and holds more than one point of most senders.
        step: (!panel.chart.is_over_time()).then(|| to.since(from)),
        by: panel.by.clone(),
        kind: *kind,
        unit: unit.clone(),
        monotonic: *monotonic,
        temporality: *temporality,
        attributes: attributes.clone().into_iter().collect(),
        values,
        groups: Some(GROUPS),
        ..MetricQuestion::default()
    };
    Ok(Box::new(points.series(actor, &question).await?))
}

/// Panels that measure spans, together where one question answers them.
fn groups(spec: &DashboardSpec, by: Option<&str>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let of_spans = |panel: &PanelSpec| panel.sql.is_none() && panel.metric.is_none();
    for (at, panel) in spec.panels.iter().enumerate().filter(|(_, panel)| of_spans(panel)) {
        let PanelSpec { filter, chart, .. } = panel;
        let measures = measures_of_spans(panel);
        let by = panel.by.as_deref().or(by).map(str::to_owned);
        let same = |group: &&mut Group| group.filter == *filter && group.by == by && group.over_time == chart.is_over_time();
        match groups.iter_mut().find(same) {
            Some(group) => {
                let new: Vec<String> = measures.iter().filter(|name| !group.measures.contains(name)).cloned().collect();
                group.measures.extend(new);
                group.panels.push(at);
            }
            None => {
                groups.push(Group { filter: filter.clone(), by, over_time: chart.is_over_time(), measures, panels: vec![at] })
            }
        }
    }
    groups
}

/// What is measured of spans. Scores are reckoned in the groups of those that bear them.
fn measures_of_spans(panel: &PanelSpec) -> Vec<String> {
    let measures: Vec<String> = panel.measures.iter().filter(|name| !name.starts_with(OF_SCORES)).cloned().collect();
    if measures.is_empty() { vec!["count".to_owned()] } else { measures }
}

async fn measured(
    asking: Asking<'_>,
    (group, filter): (&Group, &SpanFilter),
    question: &DashboardQuestion,
    (from, bucket): (Timestamp, Duration),
) -> Result<PanelAnswer, TraceFault> {
    let mut asked = MetricsQuestion {
        filter: TraceFilter { from: Some(from), to: Some(question.to), also: filter.clone(), ..TraceFilter::default() },
        by: group.by.iter().cloned().collect(),
        bucket: None,
        measures: group.measures.clone(),
        limit: Some(GROUPS),
    };
    let (mut among, mut more) = (question.filter.condition(asking.now), false);
    if group.over_time {
        if group.by.is_some() {
            // Otherwise a line would come and go.
            let (largest, theirs) = largest(asking, &asked, GROUPS, among.clone()).await?;
            more = largest.more;
            among = among.and(theirs);
        }
        (asked.bucket, asked.limit) = (Some(bucket), None);
    }
    let found = metrics_among(asking, &asked, among).await?;
    more |= found.more;
    Ok(PanelAnswer::Measured { by: group.by.clone(), found: Arc::new(found), scored: Vec::new(), more })
}

/// In microseconds: the shortest that gives no more points than there should be, or weeks.
pub(crate) fn width_for(stretch: i64) -> i64 {
    let fits = WIDTHS.into_iter().find(|width| stretch / (width * SECOND) <= POINTS);
    fits.unwrap_or_else(|| (stretch / (604_800 * SECOND) / POINTS + 1) * 604_800) * SECOND
}
