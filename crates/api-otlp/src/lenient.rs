//! JSON that is OTLP to whoever wrote it: enums by their names, nothing as `null`, empty lists left out, counts as text.

use opentelemetry_proto::tonic::{
    logs::v1::SeverityNumber,
    metrics::v1::AggregationTemporality,
    trace::v1::{span::SpanKind, status::StatusCode},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A tree of values takes many times the memory of its text.
pub(crate) const LENIENT_MAX: usize = 4 << 20;

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut value: Value = serde_json::from_slice(bytes)?;
    straighten(&mut value);
    serde_json::from_value(value)
}

/// `serde_json` reads no deeper than 128 values, so this goes no deeper either.
fn straighten(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(straighten),
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            for (key, value) in fields.iter_mut() {
                straighten(value);
                straighten_field(key, value);
            }
        }
        _ => {}
    }
}

fn straighten_field(key: &str, value: &mut Value) {
    match (key, &mut *value) {
        ("arrayValue" | "kvlistValue", Value::Object(fields)) => with_values(fields),
        (_, Value::String(text)) => {
            if let Some(number) = number(key, text) {
                *value = number.into();
            }
        }
        _ => {}
    }
}

fn with_values(fields: &mut Map<String, Value>) {
    if !fields.contains_key("values") {
        fields.insert("values".to_owned(), Value::Array(Vec::new()));
    }
}

/// What a field of 32 bits means that came as text.
fn number(key: &str, text: &str) -> Option<i64> {
    let named = match key {
        "kind" => SpanKind::from_str_name(text).map(i32::from),
        "code" => StatusCode::from_str_name(text).map(i32::from),
        "severityNumber" => SeverityNumber::from_str_name(text).map(i32::from),
        "aggregationTemporality" => AggregationTemporality::from_str_name(text).map(i32::from),
        "flags" | "scale" | "offset" | "droppedAttributesCount" | "droppedEventsCount" | "droppedLinksCount" => None,
        _ => return None,
    };
    named.map(i64::from).or_else(|| text.parse::<i32>().ok().map(i64::from)).or_else(|| text.parse::<u32>().ok().map(i64::from))
}
