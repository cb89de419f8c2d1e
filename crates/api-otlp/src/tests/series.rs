//! Metrics.

use std::collections::HashSet;

use mainspring_kernel::Timestamp;
use mainspring_observability::{MetricPoint, PointKind, Temporality};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{metric::Data, number_data_point},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::project;
use crate::{
    points::{self, Received},
    request::{Encoding, decode, decode_leniently},
};

/// When the examples happened.
const THEN: i64 = 1_544_712_661_000_000;

fn metrics(metrics: &Value) -> ExportMetricsServiceRequest {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let group = json!({"resource": resource, "scopeMetrics": [{"scope": {"name": "openai"}, "metrics": metrics}]});
    decode_leniently(json!({"resourceMetrics": [group]}).to_string().as_bytes()).unwrap()
}

fn read(all: &Value) -> Received {
    points::read(metrics(all), project(), Timestamp::from_micros(THEN))
}

fn at(mut more: Value) -> Value {
    let common = json!({
        "startTimeUnixNano": "1544712660000000000", "timeUnixNano": "1544712661000000000",
        "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "gpt"}}]
    });
    more.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
    more
}

/// One point of every kind.
fn every() -> Value {
    json!([
        {"name": "queue", "unit": "1", "gauge": {"dataPoints": [at(json!({"asInt": "3"}))]}},
        {"name": "calls", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [at(json!({"asDouble": 1.5}))]}},
        {"name": "gen_ai.client.token.usage", "unit": "{token}", "histogram": {"aggregationTemporality": 1, "dataPoints": [
            at(json!({"count": "3", "sum": 25.0, "min": 1, "max": 20, "bucketCounts": ["1", "2"], "explicitBounds": [4]}))]}},
        {"name": "spread", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [
            at(json!({"count": "3", "scale": 2, "zeroCount": "1", "positive": {"offset": -1, "bucketCounts": ["2"]}}))]}},
        {"name": "quantiles", "summary": {"dataPoints": [
            at(json!({"count": "2", "sum": 3, "quantileValues": [{"quantile": 0.5, "value": 1.5}]}))]}}
    ])
}

#[test]
fn every_kind_of_point_is_read() {
    let received = read(&every());
    assert_eq!((received.points.len(), received.rejected), (5, 0), "{}", received.reason);
    let [gauge, sum, histogram, spread, quantiles] = &received.points[..] else { panic!("{received:?}") };
    for point in &received.points {
        assert_eq!(point.time, Timestamp::from_micros(THEN));
        assert_eq!(point.since, Some(Timestamp::from_micros(THEN - 1_000_000)));
        assert_eq!(point.attributes["gen_ai.request.model"], "gpt");
        assert_eq!(point.attributes["resource.service.name"], "shop");
    }
    assert_eq!((gauge.kind, gauge.value, gauge.unit.as_str(), gauge.temporality), (PointKind::Gauge, Some(3.0), "1", None));
    assert_eq!((sum.kind, sum.value, sum.monotonic), (PointKind::Sum, Some(1.5), true));
    assert_eq!(sum.temporality, Some(Temporality::Cumulative));
    let MetricPoint { count, sum, min, max, temporality, .. } = histogram;
    assert_eq!((*count, *sum, *min, *max), (Some(3), Some(25.0), Some(1.0), Some(20.0)));
    assert_eq!(*temporality, Some(Temporality::Delta));
    assert_eq!(histogram.buckets, Some(json!({"bounds": [4.0], "counts": [1, 2]})));
    assert_eq!(spread.buckets.as_ref().unwrap()["positive"], json!({"offset": -1, "counts": [2]}));
    assert_eq!(quantiles.buckets, Some(json!({"quantiles": [{"quantile": 0.5, "value": 1.5}]})));
}

#[test]
fn a_point_that_comes_again_is_the_same_and_its_series_goes_on() {
    let gauge = |time: &str, value: i64, model: &str| {
        let attributes = json!([{"key": "gen_ai.request.model", "value": {"stringValue": model}}]);
        let point = json!({"timeUnixNano": time, "asInt": value.to_string(), "attributes": attributes});
        read(&json!([{"name": "queue", "gauge": {"dataPoints": [point]}}])).points.remove(0)
    };
    let first = gauge("1544712661000000000", 3, "gpt");
    assert_eq!(gauge("1544712661000000000", 3, "gpt"), first);
    let (later, other) = (gauge("1544712660000000000", 4, "gpt"), gauge("1544712661000000000", 3, "claude"));
    assert_eq!(later.series, first.series);
    assert_ne!(later.point, first.point);
    assert_ne!(other.series, first.series);
}

#[test]
fn points_of_one_moment_that_count_in_other_ways_are_others() {
    let sum = |temporality: u8, monotonic: bool| {
        let points = [at(json!({"asInt": "3"}))];
        json!({"name": "load", "sum": {"aggregationTemporality": temporality, "isMonotonic": monotonic, "dataPoints": points}})
    };
    let histogram = |temporality: u8| {
        let points = [at(json!({"count": "3", "bucketCounts": ["3"]}))];
        json!({"name": "load", "histogram": {"aggregationTemporality": temporality, "dataPoints": points}})
    };
    let mut all: Vec<Value> = (0..3).flat_map(|temporality| [sum(temporality, true), sum(temporality, false)]).collect();
    all.extend((0..3).map(histogram));
    all.push(json!({"name": "load", "gauge": {"dataPoints": [at(json!({"asInt": "3"}))]}}));
    let points = read(&json!(all)).points;
    let (series, names): (HashSet<&str>, HashSet<&str>) =
        points.iter().map(|point| (point.series.as_str(), point.point.as_str())).unzip();
    // Of a series it is each kind that has one.
    assert_eq!((points.len(), names.len(), series.len()), (10, 10, 3));
}

#[test]
fn points_that_say_nothing_are_counted_and_the_others_are_kept() {
    let received = read(&json!([
        {"name": "of no kind"},
        {"name": "", "gauge": {"dataPoints": [at(json!({"asInt": "1"}))]}},
        {"name": "queue", "gauge": {"dataPoints": [
            at(json!({"asInt": "1"})), at(json!({})), at(json!({"flags": 1, "asInt": "1"})), {"asInt": "1"},
            {"timeUnixNano": "1644712661000000000", "asInt": "1"}]}}
    ]));
    assert_eq!((received.points.len(), received.rejected, received.without_value), (1, 5, 1));
    let reasons: Vec<&str> = received.reason.split("; ").collect();
    assert_eq!((reasons[0], reasons.len()), ("a metric has no data of a kind that is known", 5), "{reasons:?}");
}

#[test]
fn a_series_that_has_ended_and_what_is_no_number_are_not_refused() {
    let ended = || at(json!({"flags": 1}));
    let received = read(&json!([
        {"name": "queue", "gauge": {"dataPoints": [
            ended(), at(json!({"asDouble": "NaN"})), at(json!({"asDouble": null})), at(json!({"asDouble": null, "asInt": "2"}))]}},
        {"name": "calls", "sum": {"aggregationTemporality": 2, "dataPoints": [ended()]}},
        {"name": "took", "histogram": {"aggregationTemporality": 2, "dataPoints": [ended()]}},
        {"name": "spread", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [ended()]}},
        {"name": "quantiles", "summary": {"dataPoints": [ended()]}}
    ]));
    assert_eq!((received.rejected, received.reason.as_str(), received.without_value), (0, "", 7));
    assert_eq!(received.points.iter().map(|point| point.value).collect::<Vec<_>>(), [Some(2.0)]);
    // So it is in protobuf.
    let mut export = metrics(&json!([{"name": "queue", "gauge": {"dataPoints": [at(json!({"asDouble": 2.5}))]}}]));
    let Some(Data::Gauge(gauge)) = &mut export.resource_metrics[0].scope_metrics[0].metrics[0].data else { panic!("{export:?}") };
    gauge.data_points[0].value = Some(number_data_point::Value::AsDouble(f64::NAN));
    let bytes = prost::Message::encode_to_vec(&export);
    let received = points::read(decode(&bytes, Encoding::Protobuf).unwrap(), project(), Timestamp::from_micros(THEN));
    assert_eq!((received.points.len(), received.rejected, received.without_value), (0, 0, 1));
}

#[test]
fn a_long_resource_is_not_written_out_with_every_one_of_very_many_points() {
    let mut export = metrics(&json!([{"name": "queue", "gauge": {"dataPoints": [at(json!({"asInt": "1"}))]}}]));
    let group = &mut export.resource_metrics[0];
    let long = json!({"key": "long", "value": {"stringValue": "x".repeat(60_000)}});
    group.resource.as_mut().unwrap().attributes.push(serde_json::from_value(long).unwrap());
    let metric = group.scope_metrics[0].metrics[0].clone();
    group.scope_metrics[0].metrics = vec![metric; 4_000];
    let received = points::read(export, project(), Timestamp::from_micros(THEN));
    assert_eq!(received.points.len() + received.rejected, 4_000);
    assert!((1_700..2_300).contains(&received.points.len()), "{}", received.points.len());
}

#[test]
fn a_long_name_is_not_written_out_with_every_one_of_very_many_points() {
    let points = vec![at(json!({"asInt": "1"})); 2_000];
    let received = read(&json!([{"name": "n".repeat(100_000), "gauge": {"dataPoints": points}}]));
    assert_eq!((received.points.len(), received.rejected), (0, 2_000));
}

#[test]
fn a_point_that_is_very_large_is_refused() {
    let point = |buckets: usize| {
        let (bounds, counts): (Vec<usize>, _) = ((1..buckets).collect(), vec!["1"; buckets]);
        at(json!({"count": buckets.to_string(), "sum": 1.0, "explicitBounds": bounds, "bucketCounts": counts}))
    };
    let histogram = json!({"aggregationTemporality": 2, "dataPoints": [point(1_000), point(100_000)]});
    let received = read(&json!([{"name": "time", "histogram": histogram}]));
    assert_eq!((received.points.len(), received.rejected), (1, 1));
    assert_eq!(received.reason, "a point of a metric is larger than 64 KiB");
}

proptest! {
    /// A valid export with bytes changed or cut off: never a panic, and every point is either kept or counted.
    #[test]
    fn changed_points_are_kept_or_counted(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = prost::Message::encode_to_vec(&metrics(&every()));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        if let Ok(changed) = decode::<ExportMetricsServiceRequest>(&bytes, Encoding::Protobuf) {
            let groups = changed.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
            let sent: usize = groups.flat_map(|group| &group.metrics).map(points::points_of).sum();
            let received = points::read(changed, project(), Timestamp::from_micros(THEN));
            prop_assert_eq!(received.points.len() + received.without_value + received.rejected, sent);
        }
    }

    #[test]
    fn any_bytes_are_points_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            if let Err(problem) = decode::<ExportMetricsServiceRequest>(&bytes, encoding) {
                prop_assert_eq!(problem.code, "otlp-malformed");
            }
        }
    }
}
