//! Metrics that programs sent, called as Prometheus calls what comes from OpenTelemetry.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_kernel::Actor;
use serde_json::Value;

use super::{
    LOOK_BACK,
    fault::PromFault,
    series::{Series, Times, holds, micros_as_seconds, pattern},
    tree::{Function, Selector},
};
use crate::points::{MetricForm, MetricPoints, Part, PointKind, Sent, Temporality};

/// How much earlier than a window it is looked for what counters count from.
const BEFORE_MAX: i64 = 3_600_000_000;

/// Who asks, and of which points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) points: &'a MetricPoints,
    pub(super) actor: &'a Actor,
}

/// What a name means.
#[derive(Debug)]
struct Meant {
    /// As it was sent.
    name: String,
    form: MetricForm,
    part: Part,
}

impl Meant {
    /// What only grows, or tells what came.
    fn is_counter(&self) -> bool {
        self.part != Part::Value || is_counter(&self.form) || self.form.temporality == Some(Temporality::Delta)
    }
}

fn is_counter(form: &MetricForm) -> bool {
    form.kind == PointKind::Sum && form.monotonic
}

const fn is_spread(kind: PointKind) -> bool {
    matches!(kind, PointKind::Histogram | PointKind::ExponentialHistogram | PointKind::Summary)
}

/// Series with the same labels together, by these.
type Alike = BTreeMap<BTreeMap<String, String>, Vec<Sent>>;

/// What each series was at each moment: its last point of the five minutes before.
pub(super) async fn at(of: Sending<'_>, selector: &Selector, times: &Times) -> Result<Vec<Series>, PromFault> {
    let (from, to) = (times.first().saturating_sub(LOOK_BACK), times.last());
    let Some(meant) = of.find(selector, (from, to)).await? else { return Ok(Vec::new()) };
    if meant.is_counter() && meant.form.temporality == Some(Temporality::Delta) {
        let what = format!("`{}` without rate or increase: it is sent as differences, which have no total", selector.name);
        return Err(PromFault::Unsupported { at: selector.at, what });
    }
    let adds = meant.part != Part::Value || meant.form.kind == PointKind::Sum;
    let told = |alike: &[Sent], moment: i64| {
        let last = |one: &Sent| {
            let until = one.points.partition_point(|point| point.time <= moment);
            let point = one.points.get(until.checked_sub(1)?)?;
            (point.time > moment.saturating_sub(LOOK_BACK)).then_some((point.time, point.number))
        };
        let all = alike.iter().filter_map(last);
        // Of one gauge that several tell of nobody knows more than what was told last.
        if adds {
            all.map(|(_, number)| number).reduce(|one, other| one + other)
        } else {
            all.max_by_key(|(time, _)| *time).map(|(_, number)| number)
        }
    };
    let alike = of.alike(selector, &meant, (from, to, from)).await?;
    Ok(series(alike, Some(selector.name.as_str()), times, told))
}

/// What came within the time before each moment; of each second of it for a rate.
pub(super) async fn window(
    of: Sending<'_>,
    (function, selector, length): (Function, &Selector, i64),
    times: &Times,
) -> Result<Vec<Series>, PromFault> {
    let begin = times.first().saturating_sub(length);
    let from = begin.saturating_sub(length.min(BEFORE_MAX));
    let Some(meant) = of.find(selector, (from, times.last())).await? else { return Ok(Vec::new()) };
    if !meant.is_counter() {
        let what = format!("a rate of what rises and falls (`{}`)", selector.name);
        return Err(PromFault::Unsupported { at: selector.at, what });
    }
    let over = if function == Function::Rate { micros_as_seconds(length) } else { 1.0 };
    let told = |alike: &[Sent], moment: i64| {
        let within = |one: &Sent| {
            let place = |time: i64| one.points.partition_point(|point| point.time <= time);
            let points = &one.points[place(moment.saturating_sub(length))..place(moment)];
            points.iter().filter_map(|point| point.came).reduce(|one, other| one + other)
        };
        alike.iter().filter_map(within).reduce(|one, other| one + other).map(|came| came / over)
    };
    let alike = of.alike(selector, &meant, (from, times.last(), begin)).await?;
    Ok(series(alike, None, times, told))
}

/// The labels of every series of a selector.
pub(super) async fn there(
    of: Sending<'_>,
    selector: &Selector,
    (from, to): (i64, i64),
) -> Result<BTreeSet<BTreeMap<String, String>>, PromFault> {
    let Some(meant) = of.find(selector, (from, to)).await? else { return Ok(BTreeSet::new()) };
    let named = |mut labels: BTreeMap<String, String>| {
        labels.insert("__name__".to_owned(), selector.name.clone());
        labels
    };
    Ok(of.alike(selector, &meant, (from, to, from)).await?.into_keys().map(named).collect())
}

/// Every name that can be asked for.
pub(super) async fn names(of: Sending<'_>, between: (i64, i64)) -> Result<BTreeSet<String>, PromFault> {
    let forms = of.points.forms_sent(of.actor, between).await?;
    let parts = |(name, form): (String, MetricForm)| {
        let spelled = spelled(&name, &form);
        if is_spread(form.kind) { vec![format!("{spelled}_count"), format!("{spelled}_sum")] } else { vec![spelled] }
    };
    Ok(forms.into_iter().flat_map(parts).collect())
}

impl Sending<'_> {
    /// The metric of this name that was sent last.
    async fn find(self, selector: &Selector, between: (i64, i64)) -> Result<Option<Meant>, PromFault> {
        let forms = self.points.forms_sent(self.actor, between).await?;
        for (name, form) in forms {
            let spelled = spelled(&name, &form);
            let Some(rest) = selector.name.strip_prefix(spelled.as_str()) else { continue };
            let part = match (is_spread(form.kind), rest) {
                (false, "") => Part::Value,
                (true, "_count") => Part::Count,
                (true, "_sum") => Part::Sum,
                (true, "" | "_bucket") => {
                    let ask = format!("ask for `{spelled}_count` or `{spelled}_sum`");
                    let what = format!("`{}`, which is counted in buckets ({ask}),", selector.name);
                    return Err(PromFault::Unsupported { at: selector.at, what });
                }
                _ => continue,
            };
            return Ok(Some(Meant { name, form, part }));
        }
        Ok(None)
    }

    /// Its series that pass, by their labels.
    async fn alike(
        self,
        selector: &Selector,
        Meant { name, form, part }: &Meant,
        times: (i64, i64, i64),
    ) -> Result<Alike, PromFault> {
        let mut patterns = Vec::with_capacity(selector.matchers.len());
        for matcher in &selector.matchers {
            patterns.push((matcher, pattern(matcher, selector.at)?));
        }
        let mut alike = Alike::new();
        for sent in self.points.sent(self.actor, (name.as_str(), form, *part), times).await? {
            let labels = labels(&sent);
            let passes = patterns.iter().all(|(matcher, pattern)| {
                let value = match matcher.label.as_str() {
                    "__name__" => selector.name.as_str(),
                    label => labels.get(label).map_or("", String::as_str),
                };
                holds(matcher, pattern.as_ref(), value)
            });
            if passes {
                alike.entry(labels).or_default().push(sent);
            }
        }
        Ok(alike)
    }
}

fn series(alike: Alike, name: Option<&str>, times: &Times, told: impl Fn(&[Sent], i64) -> Option<f64>) -> Vec<Series> {
    let one = |(labels, alike): (_, Vec<Sent>)| {
        let values: Vec<Option<f64>> = times.at.iter().map(|moment| told(&alike, *moment)).collect();
        Series { labels, name: name.map(str::to_owned), values }
    };
    alike.into_iter().map(one).filter(|series| series.values.iter().any(Option::is_some)).collect()
}

/// What stands at a point is a label; of the program only who it is: `job` and `instance`.
fn labels(sent: &Sent) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    let mut job = [None, None];
    for (key, value) in &sent.attributes {
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
            key => plain(key, false),
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

/// Letters, digits and `_`; of a name of a metric also `:`.
fn plain(name: &str, colons: bool) -> String {
    let mut plain = String::with_capacity(name.len() + 1);
    for letter in name.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() || (colons && letter == ':') => plain.push(letter),
            _ if plain.ends_with('_') => {}
            _ => plain.push('_'),
        }
    }
    if plain.starts_with(|letter: char| letter.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    plain
}

/// A metric's name with its unit, and `_total` where it only grows.
fn spelled(name: &str, form: &MetricForm) -> String {
    let mut spelled = plain(name, true).trim_end_matches('_').to_owned();
    let total = is_counter(form);
    if total {
        spelled = spelled.strip_suffix("_total").unwrap_or(&spelled).to_owned();
    }
    let unit = unit(&form.unit, form.kind == PointKind::Gauge);
    if !unit.is_empty() && spelled != unit && !spelled.ends_with(&format!("_{unit}")) {
        spelled = format!("{spelled}_{unit}");
    }
    if total { format!("{spelled}_total") } else { spelled }
}

const UNITS: [(&str, &str); 27] = [
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
    ("wk", "weeks"),
    ("mo", "months"),
];
const EACH: [(&str, &str); 7] =
    [("s", "second"), ("m", "minute"), ("min", "minute"), ("h", "hour"), ("d", "day"), ("wk", "week"), ("mo", "month")];

/// A unit in words; annotations in braces are none.
fn unit(unit: &str, gauge: bool) -> String {
    let word = |table: &[(&str, &str)], unit: &str| {
        let unit = unit.split('{').next().unwrap_or_default();
        let known = table.iter().find(|(short, _)| *short == unit).map(|(_, word)| (*word).to_owned());
        known.unwrap_or_else(|| plain(unit, false).trim_matches('_').to_owned())
    };
    match unit.split_once('/') {
        None if unit == "1" && gauge => "ratio".to_owned(),
        None if unit == "1" => String::new(),
        None => word(&UNITS, unit),
        Some((of, each)) => {
            let (of, each) = (word(&UNITS, of), word(&EACH, each));
            match (of.is_empty(), each.is_empty()) {
                (_, true) => of,
                (true, false) => format!("per_{each}"),
                (false, false) => format!("{of}_per_{each}"),
            }
        }
    }
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
        ] {
            assert_eq!(spelled(name, &form(kind, unit)), wanted, "{name} {unit}");
        }
    }

    #[test]
    fn labels_are_of_the_point_and_say_who_sent_it() {
        let attributes = serde_json::json!({
            "resource.service.namespace": "acme", "resource.service.name": "shop", "resource.service.instance.id": "7",
            "resource.host.name": "left out", "otel.scope.name": "left out", "http.route": "/pay", "http_route": "also",
            "retried": true, "empty": "",
        });
        let Value::Object(attributes) = attributes else { unreachable!("it is one") };
        let labels = labels(&Sent { attributes, points: Vec::new() });
        let told: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        assert_eq!(told, ["http_route=/pay;also", "instance=7", "job=acme/shop", "retried=true"]);
    }
}
