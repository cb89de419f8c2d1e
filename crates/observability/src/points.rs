//! Points of metrics that other programs send: rows of the table `metric_points`.
//!
//! They come a few times a minute and many at once, so they wait for no queue: a sender is answered when their commit is in
//! the lake. What a sender repeats is there once, whichever process it says it to.

use std::{collections::HashSet, sync::Arc, time::Duration};

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, RecordBatch,
    builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::{Actor, Name, Page, PageRequest, Tasks, Timestamp, id::ProjectId, name::NameFault};
use mainspring_lake::{Filter, IndexKind, IndexSpec, Lake, Order, Past, Scan, Table, TableSpec};
use mainspring_llm::trace::names;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OnceCell, oneshot};

use crate::{capture::Policies, fault::TraceFault, table::Rows};

mod by;
mod forms;
mod list;
mod reading;
mod sent;
mod series;
mod spread;
mod steps;
mod value;

#[cfg(test)]
#[path = "tests/points.rs"]
mod tests;

pub use by::check_point_attribute;
pub use forms::{Counting, MetricForm};
pub use list::Metric;
pub(crate) use reading::POINTS_MAX;
pub(crate) use sent::{Part, Sent};
pub use series::{MetricGroup, MetricQuestion, MetricSeries, MetricStep};
pub use spread::MetricRange;
pub(crate) use steps::LOOK_BACK;
pub use steps::{MetricFigure, MetricFigures};
pub use value::MetricValue;

const TABLE: &str = "metric_points";
/// Points that are compared with the table and added at once.
const CHUNK: usize = 2_000;
/// Nobody asks for points as they were.
const PAST: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: 200 };
/// Attributes with columns of their own, in the order of the columns.
const OWN: [(&str, &str); 5] = [
    ("service", "resource.service.name"),
    ("operation", names::OPERATION),
    ("model", names::REQUEST_MODEL),
    ("provider", names::PROVIDER),
    ("token_type", "gen_ai.token.type"),
];

/// What a point counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl PointKind {
    const ALL: [Self; 5] = [Self::Gauge, Self::Sum, Self::Histogram, Self::ExponentialHistogram, Self::Summary];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Sum => "sum",
            Self::Histogram => "histogram",
            Self::ExponentialHistogram => "exponential_histogram",
            Self::Summary => "summary",
        }
    }

    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// Whether a point counts since the one before, or since its sender began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporality {
    Delta,
    Cumulative,
}

impl Temporality {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Cumulative => "cumulative",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Delta, Self::Cumulative].into_iter().find(|known| known.as_str() == text)
    }
}

/// A point of a metric's series.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPoint {
    pub project: ProjectId,
    /// 32 hex digits, made of everything that makes it this point and no other.
    pub point: String,
    /// 32 hex digits; the same for all points of a series.
    pub series: String,
    pub time: Timestamp,
    /// Since when it counts, where it does.
    pub since: Option<Timestamp>,
    pub name: String,
    pub unit: String,
    pub kind: PointKind,
    pub temporality: Option<Temporality>,
    /// Of a sum: it never falls.
    pub monotonic: bool,
    pub attributes: Map<String, Value>,
    /// Of gauges and sums.
    pub value: Option<f64>,
    /// Of histograms and summaries, as the fields after it.
    pub count: Option<u64>,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Bounds and counts, or quantiles.
    pub buckets: Option<Value>,
}

/// Which points are listed.
#[derive(Debug, Clone, Default)]
pub struct PointFilter {
    pub name: Option<String>,
    pub service: Option<String>,
    pub model: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

impl PointFilter {
    /// Points that pass, of the actor's project.
    fn condition(&self, actor: &Actor) -> Filter {
        let mut parts = vec![Filter::eq("project", actor.project.to_string())];
        let texts = [("name", &self.name), ("service", &self.service), ("model", &self.model)];
        parts.extend(
            texts.into_iter().filter_map(|(column, value)| value.as_ref().map(|value| Filter::eq(column, value.as_str()))),
        );
        parts.extend(self.from.map(|from| Filter::GtEq("time".into(), from.as_micros().into())));
        parts.extend(self.to.map(|to| Filter::Lt("time".into(), to.as_micros().into())));
        Filter::And(parts)
    }
}

/// Where the next page starts: after this point, in order of time and name of the point.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct After(i64, String);

#[derive(Debug, Clone)]
pub struct MetricPoints {
    lake: Arc<dyn Lake>,
    table: Arc<OnceCell<Arc<dyn Table>>>,
    policies: Policies,
    /// Between looking for a point and adding it nobody else of this process adds it.
    adding: Arc<Mutex<()>>,
    tasks: Tasks,
}

impl MetricPoints {
    /// Nothing is opened before it is used: a process that takes no telemetry has no such table.
    #[must_use]
    pub fn new(lake: Arc<dyn Lake>, policies: impl Into<Policies>, tasks: Tasks) -> Self {
        Self { lake, table: Arc::default(), policies: policies.into(), adding: Arc::default(), tasks }
    }

    pub(crate) fn lake(&self) -> &dyn Lake {
        self.lake.as_ref()
    }

    /// The table, made where it does not exist.
    pub async fn table(&self) -> Result<&Arc<dyn Table>, TraceFault> {
        let open = async {
            let name: Name = TABLE.parse().map_err(|fault: NameFault| TraceFault::Unreadable { reason: fault.to_string() })?;
            let index = |column: &str| IndexSpec { column: column.to_owned(), kind: IndexKind::Scalar };
            let indexes = vec![index("time"), index("point")];
            let spec = TableSpec { schema: schema(), indexes, past: PAST, packed: Vec::new(), echoes: Vec::new() };
            Ok::<_, TraceFault>(self.lake.open(&name, &spec).await?)
        };
        self.table.get_or_try_init(|| open).await
    }

    /// Adds points that are not there yet. What a sender repeats is there once.
    pub async fn add(&self, points: Vec<MetricPoint>, within: Duration) -> Result<(), TraceFault> {
        if points.is_empty() {
            return Ok(());
        }
        // It goes on to its end though nobody waits any more: the lake may be at it, and who repeats must find what it added.
        let (done, added) = oneshot::channel();
        let this = self.clone();
        self.tasks.spawn("points: to the lake", |_| async move {
            let _ = done.send(Box::pin(this.add_all(points)).await);
        });
        match tokio::time::timeout(within, added).await {
            Ok(Ok(added)) => added,
            Ok(Err(_)) | Err(_) => Err(TraceFault::NotStored),
        }
    }

    async fn add_all(&self, mut points: Vec<MetricPoint>) -> Result<(), TraceFault> {
        let policies = self.policies.now();
        for point in &mut points {
            policies.of(point.project).apply_to_point(&mut point.attributes);
        }
        let table = self.table().await?;
        let _alone = self.adding.lock().await;
        for chunk in points.chunks(CHUNK) {
            let known = known(table.as_ref(), chunk).await?;
            let mut seen = HashSet::new();
            let fresh: Vec<_> =
                chunk.iter().filter(|point| !known.contains(&point.point) && seen.insert(point.point.as_str())).collect();
            if !fresh.is_empty() {
                // Another process may have added some of them meanwhile: then these take their place.
                let these = Filter::any_of("point", fresh.iter().map(|point| point.point.as_str()));
                table.put(&["point"], these, to_batch(&fresh)?).await?;
            }
        }
        Ok(())
    }

    /// Newest first.
    pub async fn list(&self, actor: &Actor, filter: &PointFilter, page: &PageRequest) -> Result<Page<MetricPoint>, TraceFault> {
        let after: Option<After> = page.after()?;
        let mut among = filter.condition(actor);
        if let Some(After(time, point)) = after {
            let earlier = Filter::Lt("time".into(), time.into());
            let same = Filter::And(vec![Filter::Eq("time".into(), time.into()), Filter::Gt("point".into(), point.into())]);
            among = among.and(Filter::Or(vec![earlier, same]));
        }
        let scan = Scan::of(among).order("time", Order::Descending).order("point", Order::Ascending);
        let mut found = Vec::new();
        for batch in self.table().await?.scan(scan.limit(page.limit() + 1)).await? {
            for row in 0..batch.num_rows() {
                found.push(point(&batch, row)?);
            }
        }
        Ok(Page::from_overfetch(found, page, |point| After(point.time.as_micros(), point.point.clone())))
    }

    /// Deletes points of before a time.
    pub async fn expire(&self, before: Timestamp) -> Result<u64, TraceFault> {
        let old = Filter::Lt("time".into(), before.as_micros().into());
        let table = self.table().await?;
        if table.count(old.clone()).await? == 0 {
            return Ok(0);
        }
        Ok(table.replace(old, None).await?.deleted)
    }
}

/// Those that are in the table already.
async fn known(table: &dyn Table, points: &[MetricPoint]) -> Result<HashSet<String>, TraceFault> {
    let among = Filter::any_of("point", points.iter().map(|point| point.point.clone()));
    let mut known = HashSet::new();
    for batch in table.scan(Scan::of(among).columns(&["point"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            known.extend(rows.text("point", row)?.map(str::to_owned));
        }
    }
    Ok(known)
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let mut fields = vec![
        text("project"),
        text("point"),
        text("series"),
        Field::new("time", DataType::Int64, false),
        Field::new("since", DataType::Int64, true),
        text("name"),
        text("unit"),
        text("kind"),
        maybe("temporality"),
        Field::new("monotonic", DataType::Boolean, true),
    ];
    fields.extend(OWN.iter().map(|(column, _)| maybe(column)));
    fields.extend([
        text("attributes"),
        number("value"),
        Field::new("count", DataType::Int64, true),
        number("sum"),
        number("min"),
        number("max"),
        maybe("buckets"),
    ]);
    Arc::new(Schema::new(fields))
}

/// Columns in the making, in the order of the schema where it does not say otherwise.
#[derive(Default)]
struct Making {
    /// project, point, series, name, unit, kind, temporality, attributes, buckets
    texts: [StringBuilder; 9],
    own: [StringBuilder; OWN.len()],
    /// time, since, count
    wholes: [Int64Builder; 3],
    /// value, sum, min, max
    numbers: [Float64Builder; 4],
    monotonic: BooleanBuilder,
}

impl Making {
    fn push(&mut self, point: &MetricPoint) -> serde_json::Result<()> {
        let attributes = serde_json::to_string(&point.attributes)?;
        let buckets = point.buckets.as_ref().map(serde_json::to_string).transpose()?;
        let project = point.project.to_string();
        let texts: [Option<&str>; 9] = [
            Some(&project),
            Some(&point.point),
            Some(&point.series),
            Some(&point.name),
            Some(&point.unit),
            Some(point.kind.as_str()),
            point.temporality.map(Temporality::as_str),
            Some(&attributes),
            buckets.as_deref(),
        ];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.append_option(text));
        for (column, (_, key)) in self.own.iter_mut().zip(OWN) {
            column.append_option(point.attributes.get(key).and_then(Value::as_str));
        }
        let count = point.count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let wholes = [Some(point.time.as_micros()), point.since.map(Timestamp::as_micros), count];
        self.wholes.iter_mut().zip(wholes).for_each(|(column, whole)| column.append_option(whole));
        let numbers = [point.value, point.sum, point.min, point.max];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.append_option(number));
        self.monotonic.append_option((point.kind == PointKind::Sum).then_some(point.monotonic));
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch, TraceFault> {
        let [project, point, series, name, unit, kind, temporality, attributes, buckets] = self.texts.each_mut().map(array);
        let [time, since, count] = self.wholes.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [value, sum, min, max] = self.numbers.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let mut columns = vec![project, point, series, time, since, name, unit, kind, temporality];
        columns.push(Arc::new(self.monotonic.finish()));
        columns.extend(self.own.each_mut().map(array));
        columns.extend([attributes, value, count, sum, min, max, buckets]);
        RecordBatch::try_new(schema(), columns).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })
    }
}

fn array(column: &mut StringBuilder) -> ArrayRef {
    Arc::new(column.finish())
}

fn to_batch(points: &[&MetricPoint]) -> Result<RecordBatch, TraceFault> {
    let mut rows = Making::default();
    for point in points {
        rows.push(point).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
    }
    rows.finish()
}

fn point(batch: &RecordBatch, row: usize) -> Result<MetricPoint, TraceFault> {
    let rows = Rows(batch);
    let unreadable = |what: &str| TraceFault::Unreadable { reason: format!("`{what}` of a metric's point") };
    let need = |name: &str| rows.text(name, row)?.ok_or_else(|| unreadable(name));
    let number = |name: &str| {
        let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<Float64Array>());
        let column = column.ok_or_else(|| unreadable(name))?;
        Ok::<_, TraceFault>((!column.is_null(row)).then(|| column.value(row)))
    };
    let monotonic = batch.column_by_name("monotonic").and_then(|column| column.as_any().downcast_ref::<BooleanArray>());
    let kind = need("kind")?;
    let temporality = rows.text("temporality", row)?;
    let buckets = rows.text("buckets", row)?.map(serde_json::from_str::<Value>).transpose();
    Ok(MetricPoint {
        project: need("project")?.parse().map_err(|_| unreadable("project"))?,
        point: need("point")?.to_owned(),
        series: need("series")?.to_owned(),
        time: Timestamp::from_micros(rows.number("time", row)?.unwrap_or_default()),
        since: rows.number("since", row)?.map(Timestamp::from_micros),
        name: need("name")?.to_owned(),
        unit: need("unit")?.to_owned(),
        kind: PointKind::read(kind).ok_or_else(|| unreadable("kind"))?,
        temporality: temporality.and_then(Temporality::read),
        monotonic: monotonic.is_some_and(|column| !column.is_null(row) && column.value(row)),
        attributes: serde_json::from_str(need("attributes")?).map_err(|_| unreadable("attributes"))?,
        value: number("value")?,
        count: rows.number("count", row)?.and_then(|count| u64::try_from(count).ok()),
        sum: number("sum")?,
        min: number("min")?,
        max: number("max")?,
        buckets: buckets.map_err(|_| unreadable("buckets"))?,
    })
}
