//! The protocol's metrics as points of series.

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_observability::{MetricPoint, PointKind, Temporality};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
        exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
    },
};
use serde_json::{Map, Value, json};

use crate::{
    shared::{ATTRIBUTES_MAX, Left, Name, check_time, cut, of_resource, say_also},
    spans::{SHARED_MAX, TOO_MUCH_SHARED, pair, time, weight_of, with_scope},
};

/// Many points are read at once, so none is as large as a record may be.
const POINT_MAX: usize = 64 << 10;
const TOO_LARGE: &str = "a point of a metric is larger than 64 KiB";
/// What a bucket or a quantile takes, about.
const BUCKET: usize = 16;
/// Of a point that says only that there was none: a series has ended, or its program has.
const NO_VALUE: u32 = 1;

#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) points: Vec<MetricPoint>,
    /// Points that say that there was nothing to measure: there is nothing to keep of one, and nothing is lost.
    pub(crate) without_value: usize,
    pub(crate) rejected: usize,
    /// Each reason once, in the order they came up.
    pub(crate) reason: String,
}

impl Received {
    pub(crate) fn reject(&mut self, points: usize, reason: &str) {
        self.rejected += points;
        if points > 0 {
            say_also(&mut self.reason, reason);
        }
    }

    fn take(&mut self, has_value: bool, make: impl FnOnce() -> Result<MetricPoint, &'static str>) {
        if !has_value {
            self.without_value += 1;
            return;
        }
        match make() {
            Ok(point) if size_of(&point) > POINT_MAX => self.reject(1, TOO_LARGE),
            Ok(point) => self.points.push(point),
            Err(reason) => self.reject(1, reason),
        }
    }
}

pub(crate) fn read(request: ExportMetricsServiceRequest, project: ProjectId, now: Timestamp) -> Received {
    let mut received = Received::default();
    let mut left = Left(SHARED_MAX);
    for group in request.resource_metrics {
        let resource = of_resource(group.resource);
        for scope_metrics in group.scope_metrics {
            if !left.take(weight_of(&resource)) {
                received.reject(scope_metrics.metrics.iter().map(points_of).sum(), TOO_MUCH_SHARED);
                continue;
            }
            let shared = with_scope(resource.clone(), scope_metrics.scope);
            let weight = weight_of(&shared);
            for metric in scope_metrics.metrics {
                let points = points_of(&metric);
                // Every point has the metric's name and unit too.
                let weight = weight + metric.name.len() + metric.unit.len();
                if !left.take(weight.saturating_mul(points)) {
                    received.reject(points, TOO_MUCH_SHARED);
                    continue;
                }
                let making = Making { project, now, shared: &shared, name: &metric.name, unit: &metric.unit };
                making.points(metric.data, &mut received);
            }
        }
    }
    received
}

/// How many points a metric has. One without any data that we know counts as a point, so that it can be rejected.
pub(crate) fn points_of(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 1,
    }
}

/// What the points of a metric have in common.
struct Making<'a> {
    project: ProjectId,
    now: Timestamp,
    shared: &'a Map<String, Value>,
    name: &'a str,
    unit: &'a str,
}

/// What every point says.
struct Said {
    attributes: Vec<KeyValue>,
    start: u64,
    time: u64,
}

impl Making<'_> {
    fn points(&self, data: Option<Data>, received: &mut Received) {
        match data {
            None => received.reject(1, "a metric has no data of a kind that is known"),
            Some(Data::Gauge(gauge)) => {
                for point in gauge.data_points {
                    received.take(is_number(&point), || self.number(point, PointKind::Gauge, None, false));
                }
            }
            Some(Data::Sum(sum)) => {
                let temporality = temporality(sum.aggregation_temporality);
                for point in sum.data_points {
                    received.take(is_number(&point), || self.number(point, PointKind::Sum, temporality, sum.is_monotonic));
                }
            }
            Some(Data::Histogram(histogram)) => {
                let temporality = temporality(histogram.aggregation_temporality);
                for point in histogram.data_points {
                    received.take(has_value(point.flags), || self.histogram(point, temporality));
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let temporality = temporality(histogram.aggregation_temporality);
                for point in histogram.data_points {
                    received.take(has_value(point.flags), || self.exponential(point, temporality));
                }
            }
            Some(Data::Summary(summary)) => {
                for point in summary.data_points {
                    received.take(has_value(point.flags), || self.summary(point));
                }
            }
        }
    }

    /// A point without its numbers.
    fn point(
        &self,
        said: Said,
        (kind, temporality, monotonic): (PointKind, Option<Temporality>, bool),
    ) -> Result<MetricPoint, &'static str> {
        if self.name.is_empty() {
            return Err("a metric has no name");
        }
        let at = time(said.time)?;
        check_time(at, self.now)?;
        let since = if said.start == 0 { None } else { Some(time(said.start)?) };
        let mut attributes = self.shared.clone();
        attributes.extend(said.attributes.into_iter().map(pair));
        cut(&mut attributes, ATTRIBUTES_MAX);
        let series = Name::of("metric")
            .and(self.project.to_string().as_bytes())
            .and(self.name.as_bytes())
            .and(self.unit.as_bytes())
            .and(kind.as_str().as_bytes())
            .and_all(&attributes)
            .finish();
        let point = Name::of("point").and(&series).and(&said.time.to_le_bytes()).and(&said.start.to_le_bytes());
        // What is usual has the name that it had before the others had one of their own.
        let point = match way(kind, temporality, monotonic) {
            None => point,
            Some(way) => point.and(way.as_bytes()),
        };
        let point = point.finish();
        Ok(MetricPoint {
            project: self.project,
            point: hex::encode(&point[..16]),
            series: hex::encode(&series[..16]),
            time: at,
            since,
            name: self.name.to_owned(),
            unit: self.unit.to_owned(),
            kind,
            temporality,
            monotonic,
            attributes,
            value: None,
            count: None,
            sum: None,
            min: None,
            max: None,
            buckets: None,
        })
    }

    fn number(
        &self,
        point: NumberDataPoint,
        kind: PointKind,
        temporality: Option<Temporality>,
        monotonic: bool,
    ) -> Result<MetricPoint, &'static str> {
        let NumberDataPoint { attributes, start_time_unix_nano: start, time_unix_nano: time, value, .. } = point;
        let value = match value.ok_or("a point has no value")? {
            number_data_point::Value::AsDouble(number) => number,
            #[expect(clippy::cast_precision_loss, reason = "metrics are kept as floats")]
            number_data_point::Value::AsInt(number) => number as f64,
        };
        let point = self.point(Said { attributes, start, time }, (kind, temporality, monotonic))?;
        Ok(MetricPoint { value: Some(value), ..point })
    }

    fn histogram(&self, point: HistogramDataPoint, temporality: Option<Temporality>) -> Result<MetricPoint, &'static str> {
        let HistogramDataPoint { attributes, start_time_unix_nano: start, time_unix_nano: time, .. } = point;
        let buckets = json!({"bounds": numbers(&point.explicit_bounds), "counts": point.bucket_counts});
        let made = self.point(Said { attributes, start, time }, (PointKind::Histogram, temporality, false))?;
        let buckets = (!point.bucket_counts.is_empty()).then_some(buckets);
        Ok(MetricPoint { count: Some(point.count), sum: point.sum, min: point.min, max: point.max, buckets, ..made })
    }

    fn exponential(
        &self,
        point: ExponentialHistogramDataPoint,
        temporality: Option<Temporality>,
    ) -> Result<MetricPoint, &'static str> {
        let ExponentialHistogramDataPoint { attributes, start_time_unix_nano: start, time_unix_nano: time, .. } = point;
        let side = |buckets: Option<Buckets>| {
            buckets.map_or(Value::Null, |buckets| json!({"offset": buckets.offset, "counts": buckets.bucket_counts}))
        };
        let buckets = json!({
            "scale": point.scale, "zero_count": point.zero_count, "zero_threshold": number(point.zero_threshold),
            "positive": side(point.positive), "negative": side(point.negative),
        });
        let made = self.point(Said { attributes, start, time }, (PointKind::ExponentialHistogram, temporality, false))?;
        let buckets = Some(buckets);
        Ok(MetricPoint { count: Some(point.count), sum: point.sum, min: point.min, max: point.max, buckets, ..made })
    }

    fn summary(&self, point: SummaryDataPoint) -> Result<MetricPoint, &'static str> {
        let SummaryDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, count, sum, quantile_values, ..
        } = point;
        let quantiles: Vec<Value> =
            quantile_values.iter().map(|at| json!({"quantile": number(at.quantile), "value": number(at.value)})).collect();
        let made = self.point(Said { attributes, start, time }, (PointKind::Summary, None, false))?;
        Ok(MetricPoint { count: Some(count), sum: Some(sum), buckets: Some(json!({"quantiles": quantiles})), ..made })
    }
}

const fn has_value(flags: u32) -> bool {
    flags & NO_VALUE == 0
}

/// What was measured is no number where a share of nothing was to be told, or a program had nothing to measure.
fn is_number(point: &NumberDataPoint) -> bool {
    let is_nan = matches!(point.value, Some(number_data_point::Value::AsDouble(number)) if number.is_nan());
    has_value(point.flags) && !is_nan
}

/// How a point counts, where that is not what is usual: totals, which of sums never fall. What is sent both ways at one moment would
/// be taken for the same point, sent again. Its series is the same: whoever reads it tells the ways apart, and it goes on over a
/// change of this.
const fn way(kind: PointKind, temporality: Option<Temporality>, monotonic: bool) -> Option<&'static str> {
    match (kind, monotonic, temporality) {
        (PointKind::Gauge | PointKind::Summary, ..) => None,
        (PointKind::Sum, false, Some(Temporality::Cumulative)) => Some("falls"),
        (PointKind::Sum, false, Some(Temporality::Delta)) => Some("falls, delta"),
        (PointKind::Sum, false, None) => Some("falls, unspecified"),
        (_, _, Some(Temporality::Cumulative)) => None,
        (_, _, Some(Temporality::Delta)) => Some("delta"),
        (_, _, None) => Some("unspecified"),
    }
}

fn temporality(number: i32) -> Option<Temporality> {
    match AggregationTemporality::try_from(number).unwrap_or_default() {
        AggregationTemporality::Unspecified => None,
        AggregationTemporality::Delta => Some(Temporality::Delta),
        AggregationTemporality::Cumulative => Some(Temporality::Cumulative),
    }
}

/// How large a point is, about.
fn size_of(point: &MetricPoint) -> usize {
    fn numbers(buckets: &Value) -> usize {
        match buckets {
            Value::Array(all) => all.iter().map(numbers).sum::<usize>(),
            Value::Object(all) => all.values().map(numbers).sum::<usize>(),
            _ => BUCKET,
        }
    }
    point.name.len() + point.unit.len() + weight_of(&point.attributes) + point.buckets.as_ref().map_or(0, numbers)
}

/// JSON has no infinity; a text keeps what was meant.
fn number(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
}

fn numbers(all: &[f64]) -> Vec<Value> {
    all.iter().copied().map(number).collect()
}
