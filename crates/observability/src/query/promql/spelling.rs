//! Names, units and attributes of what programs send, as Prometheus spells what comes from OpenTelemetry.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::points::{MetricForm, PointKind};

/// Labels of a series, by name.
pub(super) type Labels = BTreeMap<String, String>;

/// What only grows.
pub(super) fn is_counter(form: &MetricForm) -> bool {
    form.kind == PointKind::Sum && form.monotonic
}

/// What stands at a point is a label; of the program only who it is: `job` and `instance`.
pub(super) fn labels(attributes: &Map<String, Value>) -> Labels {
    let mut labels = Labels::new();
    let mut job = [None, None];
    for (key, value) in attributes {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => continue,
            other => other.to_string(),
        };
        let label = match key.as_str() {
            "resource.service.namespace" => {
                job[0] = Some(text);
                continue;
            }
            "resource.service.name" => {
                job[1] = Some(text);
                continue;
            }
            "resource.service.instance.id" => "instance".to_owned(),
            key if key.starts_with("resource.") || key.starts_with("scope.") || key.starts_with("otel.scope.") => continue,
            key => match label(key) {
                Some(label) => label,
                None => continue,
            },
        };
        // Names that differ only in what a label cannot have say what they say together.
        labels.entry(label).and_modify(|said| *said = format!("{said};{text}")).or_insert(text);
    }
    let job: Vec<String> = job.into_iter().flatten().collect();
    if !job.is_empty() {
        labels.insert("job".to_owned(), job.join("/"));
    }
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// Letters, digits and `_`.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() => plain.push(letter),
            _ if plain.ends_with('_') => {}
            _ => plain.push('_'),
        }
    }
    plain
}

/// An attribute's name as a label: one begins with a letter, and those with `_` are Prometheus' own.
fn label(key: &str) -> Option<String> {
    let plain = plain(key);
    match plain.chars().find(|letter| *letter != '_') {
        None => None,
        Some(_) if plain.starts_with('_') => Some(format!("key{plain}")),
        Some(first) if first.is_ascii_digit() => Some(format!("key_{plain}")),
        Some(_) => Some(plain),
    }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == ':')).filter(|word| !word.is_empty())
}

/// Whether a metric of this name may be spelled so, or so as far as what is counted of it: its words are the first, whatever its
/// unit is. Words that a kind has at the end may stand elsewhere in the name.
pub(super) fn may_mean(name: &str, asked: &str) -> bool {
    let is_plain = |word: &&str| !matches!(*word, "total" | "ratio");
    let mut asked = words(asked).filter(is_plain);
    words(name).filter(is_plain).all(|word| asked.next() == Some(word))
}

/// A metric's name in words, those of its unit behind them where none of them says so already, and `total` where it only grows.
pub(super) fn spelled(name: &str, form: &MetricForm) -> String {
    let (of, each) = unit(&form.unit);
    let mut words: Vec<&str> = words(name).collect();
    if !(of.is_empty() || words.contains(&of.as_str())) {
        words.push(&of);
    }
    if !(each.is_empty() || words.ends_with(&["per", each.as_str()])) {
        words.extend(["per", each.as_str()]);
    }
    let last = match form.kind {
        _ if is_counter(form) => Some("total"),
        PointKind::Gauge if form.unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| *word != last);
        words.push(last);
    }
    let spelled = words.join("_");
    if spelled.starts_with(|letter: char| letter.is_ascii_digit()) { format!("_{spelled}") } else { spelled }
}

const UNITS: [(&str, &str); 26] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("1", ""),
];
const EACH: [(&str, &str); 7] =
    [("s", "second"), ("m", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// A unit in words, and of what each; annotations in braces are none.
fn unit(unit: &str) -> (String, String) {
    let word = |table: &[(&str, &str)], unit: &str| {
        let unit = unit.split('{').next().unwrap_or_default().trim();
        let known = table.iter().find(|(short, _)| *short == unit).map(|(_, word)| (*word).to_owned());
        known.unwrap_or_else(|| plain(unit).trim_matches('_').to_owned())
    };
    let (of, each) = unit.split_once('/').unwrap_or((unit, ""));
    (word(&UNITS, of), word(&EACH, each))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: PointKind, unit: &str) -> MetricForm {
        MetricForm { kind, unit: unit.to_owned(), temporality: None, monotonic: kind == PointKind::Sum }
    }

    #[test]
    fn names_are_spelled_as_prometheus_spells_them() {
        for (name, kind, unit, wanted) in [
            ("shop.orders", PointKind::Sum, "{order}", "shop_orders_total"),
            ("shop.orders.total", PointKind::Sum, "1", "shop_orders_total"),
            ("process.cpu.time", PointKind::Sum, "s", "process_cpu_time_seconds_total"),
            ("process.memory.usage", PointKind::Gauge, "By", "process_memory_usage_bytes"),
            ("gen_ai.client.operation.duration", PointKind::Histogram, "s", "gen_ai_client_operation_duration_seconds"),
            ("gen_ai.client.token.usage", PointKind::Histogram, "{token}", "gen_ai_client_token_usage"),
            ("queue.fill", PointKind::Gauge, "1", "queue_fill_ratio"),
            ("queue.fill.ratio", PointKind::Gauge, "1", "queue_fill_ratio"),
            ("disk..speed", PointKind::Gauge, "MBy/s", "disk_speed_megabytes_per_second"),
            ("2nd/queue", PointKind::Gauge, "", "_2nd_queue"),
            ("seconds", PointKind::Gauge, "s", "seconds"),
            ("calls", PointKind::Gauge, "{call}/s", "calls_per_second"),
            ("calls", PointKind::Gauge, "1/s", "calls_per_second"),
            ("store.bytes.used", PointKind::Gauge, "By", "store_bytes_used"),
            ("shop.total.orders", PointKind::Sum, "", "shop_orders_total"),
            ("_queue_", PointKind::Gauge, "", "queue"),
            ("日本", PointKind::Gauge, "", ""),
        ] {
            assert_eq!(spelled(name, &form(kind, unit)), wanted, "{name} {unit}");
            assert!(may_mean(name, wanted) && may_mean(name, &format!("{wanted}_count")), "{name} {unit}");
            assert!(!may_mean("another.name", wanted), "{name} {unit}");
        }
    }

    #[test]
    fn labels_are_of_the_point_and_say_who_sent_it() {
        let attributes = serde_json::json!({
            "resource.service.namespace": "acme", "resource.service.name": "shop", "resource.service.instance.id": "7",
            "resource.host.name": "left out", "otel.scope.name": "left out", "http.route": "/pay", "http_route": "also",
            "retried": true, "empty": "", "2nd": "two", "__name__": "hidden", "": "none", "..": "none",
        });
        let Value::Object(attributes) = attributes else { unreachable!("it is one") };
        let labels = labels(&attributes);
        let told: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        assert_eq!(
            told,
            ["http_route=/pay;also", "instance=7", "job=acme/shop", "key_2nd=two", "key_name_=hidden", "retried=true"]
        );
    }
}
