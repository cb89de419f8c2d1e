//! Counters, gauges and histograms, rendered in Prometheus' text format.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Seconds; from a fast search to a slow answer.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Distinct label sets of one family; beyond it values are added to one set marked `overflow`.
const SERIES_MAX: usize = 500;

#[derive(Debug, Clone, Default)]
pub struct Metrics {
    families: Arc<Mutex<BTreeMap<&'static str, Family>>>,
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: &'static str,
    series: BTreeMap<String, Value>,
}

#[derive(Debug, Clone)]
enum Value {
    Number(f64),
    Histogram { counts: [u64; BUCKETS.len()], sum: f64, count: u64 },
}

impl Metrics {
    pub fn add(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], by: f64) {
        self.change(name, help, "counter", labels, |value| {
            if let Value::Number(number) = value {
                *number += by;
            }
        });
    }

    /// A counter that somebody else keeps: what it says now.
    pub fn total(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], now: f64) {
        self.change(name, help, "counter", labels, |value| *value = Value::Number(now));
    }

    pub fn set(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], to: f64) {
        self.change(name, help, "gauge", labels, |value| *value = Value::Number(to));
    }

    pub fn observe(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], took: Duration) {
        let seconds = took.as_secs_f64();
        self.change(name, help, "histogram", labels, |value| {
            if let Value::Number(_) = value {
                *value = Value::Histogram { counts: [0; BUCKETS.len()], sum: 0.0, count: 0 };
            }
            if let Value::Histogram { counts, sum, count } = value {
                *sum += seconds;
                *count += 1;
                for (bucket, limit) in counts.iter_mut().zip(BUCKETS) {
                    *bucket += u64::from(seconds <= limit);
                }
            }
        });
    }

    /// One HTTP request that was answered.
    pub fn observe_request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let status = format!("{}xx", status / 100);
        let labels = [("method", method), ("route", route), ("status", status.as_str())];
        self.add("mainspring_http_requests_total", "Requests answered.", &labels, 1.0);
        self.observe("mainspring_http_request_seconds", "Time until the answer began.", &labels[..2], took);
    }

    fn change(
        &self,
        name: &'static str,
        help: &'static str,
        kind: &'static str,
        labels: &[(&str, &str)],
        f: impl FnOnce(&mut Value),
    ) {
        // Every call counts something, so nothing is made while the others wait.
        let mut key = label_text(labels);
        let mut families = self.lock();
        let family = families.entry(name).or_insert_with(|| Family { help, kind, series: BTreeMap::new() });
        if let Some(value) = family.series.get_mut(&key) {
            f(value);
            return;
        }
        if family.series.len() >= SERIES_MAX {
            key = "overflow=\"true\"".to_owned();
        }
        f(family.series.entry(key).or_insert(Value::Number(0.0)));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Family>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.lock().iter() {
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind);
            for (labels, value) in &family.series {
                match value {
                    Value::Number(number) => {
                        let _ = writeln!(text, "{name}{} {number}", braces(labels));
                    }
                    Value::Histogram { counts, sum, count } => render_histogram(&mut text, name, labels, (counts, *sum, *count)),
                }
            }
        }
        text
    }
}

fn render_histogram(text: &mut String, name: &str, labels: &str, (counts, sum, count): (&[u64], f64, u64)) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (bucket, limit) in counts.iter().zip(BUCKETS) {
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{limit}\"}} {bucket}");
    }
    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{} {sum}\n{name}_count{} {count}", braces(labels), braces(labels));
}

fn braces(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn label_text(labels: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(labels.iter().map(|(name, value)| name.len() + value.len() + 4).sum());
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        for piece in value.split_inclusive(['\\', '"', '\n']) {
            match piece.as_bytes().last() {
                Some(b'\n') => text.extend([&piece[..piece.len() - 1], "\\n"]),
                Some(last @ (b'\\' | b'"')) => {
                    text.extend([&piece[..piece.len() - 1], "\\"]);
                    text.push(char::from(*last));
                }
                _ => text.push_str(piece),
            }
        }
        text.push('"');
    }
    text
}
