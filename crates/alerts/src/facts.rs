//! What was measured, as people read it: in mail and chats, on the page and in a terminal. Programs have it as it was measured.

use std::collections::BTreeMap;

use mainspring_kernel::{
    Timestamp,
    figure::{amount, number},
};
use serde_json::Value;

use crate::model::Raised;

/// `value`: `67.6 %`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

/// What a figure is of.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// In the unit of the alert.
    Value,
    /// The difference of two of these.
    Difference,
    Probability,
    Moment,
    Itself,
}

/// What matters most comes first; others than these after them.
const KNOWN: &[(&str, &str, Of)] = &[
    ("value", "value", Of::Value),
    ("interval", "interval", Of::Value),
    ("rate_interval", "interval of the value", Of::Value),
    ("limit", "limit", Of::Value),
    ("reference", "compared with", Of::Value),
    ("difference", "difference", Of::Difference),
    ("difference_interval", "interval of the difference", Of::Difference),
    ("difference_limit", "limit of the difference", Of::Difference),
    ("moved", "moved most", Of::Itself),
    ("count", "measured", Of::Itself),
    ("p", "p", Of::Probability),
    ("estimated", "estimated", Of::Itself),
    ("window", "window", Of::Itself),
    ("short_window", "short window", Of::Itself),
    ("since", "since", Of::Moment),
    ("metric", "metric", Of::Itself),
    ("filter", "filter", Of::Itself),
    ("code", "code", Of::Itself),
];
/// It stands with the figures.
const UNIT: &str = "unit";

impl Raised {
    /// What was measured, as people read it.
    #[must_use]
    pub fn measured(&self) -> Vec<Fact> {
        in_words(&self.facts)
    }
}

pub(crate) fn in_words(facts: &BTreeMap<String, Value>) -> Vec<Fact> {
    let unit = facts.get(UNIT).and_then(Value::as_str).unwrap_or_default();
    let known = KNOWN
        .iter()
        .filter_map(|(name, said, of)| Some(Fact { name: (*said).to_owned(), value: said_of(facts.get(*name)?, unit, *of)? }));
    let others = facts.iter().filter(|(name, _)| *name != UNIT && KNOWN.iter().all(|(known, ..)| *known != name.as_str()));
    let others =
        others.filter_map(|(name, value)| Some(Fact { name: name.replace('_', " "), value: said_of(value, unit, Of::Itself)? }));
    known.chain(others).collect()
}

fn said_of(value: &Value, unit: &str, of: Of) -> Option<String> {
    let unit = match of {
        Of::Value => unit,
        Of::Difference if unit == "share" => "points",
        Of::Difference => unit,
        Of::Probability | Of::Moment | Of::Itself => "",
    };
    Some(match (value, of) {
        (Value::Null, _) => return None,
        (Value::Bool(yes), _) => (if *yes { "yes" } else { "no" }).to_owned(),
        (Value::String(text), Of::Moment) => Timestamp::parse(text).map_or_else(|| text.clone(), moment),
        (Value::String(text), _) => text.clone(),
        (Value::Number(count), Of::Itself) if !count.is_f64() => count.to_string(),
        (Value::Number(figure), _) => figure.as_f64().map_or_else(|| figure.to_string(), |figure| one(figure, unit, of)),
        (Value::Array(parts), _) => {
            let bounds = if let [low, high] = parts.as_slice() { low.as_f64().zip(high.as_f64()) } else { None };
            bounds.map_or_else(|| value.to_string(), |bounds| range(bounds, unit))
        }
        (Value::Object(_), _) => value.to_string(),
    })
}

fn one(figure: f64, unit: &str, of: Of) -> String {
    match of {
        Of::Probability if figure < 0.001 => "less than 0.001".to_owned(),
        _ => amount(figure, unit),
    }
}

/// Both in one unit, so that it is said once.
fn range((low, high): (f64, f64), unit: &str) -> String {
    match unit {
        "share" => format!("{} to {} %", number(low * 100.0), number(high * 100.0)),
        "points" => format!("{} to {} points", number(low * 100.0), number(high * 100.0)),
        unit => format!("{} to {}", amount(low, unit), amount(high, unit)),
    }
}

/// To the second: `2026-11-28 14:37:45 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let whole = text.split('.').next().unwrap_or_default();
    format!("{} UTC", whole.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BTreeMap, Value, in_words};

    #[track_caller]
    fn check(facts: &Value, want: &[(&str, &str)]) {
        let facts: BTreeMap<String, Value> = serde_json::from_value(facts.clone()).unwrap();
        let said = in_words(&facts);
        let said: Vec<(&str, &str)> = said.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())).collect();
        assert_eq!(said, want, "{facts:?}");
    }

    #[test]
    fn what_was_measured_is_rounded_and_has_its_unit() {
        let release = json!({
            "value": 0.675_612_345, "reference": 0.068, "difference": 0.607_6, "difference_interval": [0.545, 0.664],
            "difference_limit": 0.05, "p": 1e-9, "count": 12345, "unit": "share", "since": "2026-11-28T14:37:45.296409Z",
            "window": "5m", "estimated": true,
        });
        let said = [
            ("value", "67.6 %"),
            ("compared with", "6.8 %"),
            ("difference", "60.8 points"),
            ("interval of the difference", "54.5 to 66.4 points"),
            ("limit of the difference", "5 points"),
            ("measured", "12345"),
            ("p", "less than 0.001"),
            ("estimated", "yes"),
            ("window", "5m"),
            ("since", "2026-11-28 14:37:45 UTC"),
        ];
        check(&release, &said);
        let slow = json!({ "value": 4.012_3, "interval": [0.9, 5.1], "limit": 2.0, "unit": "s" });
        check(&slow, &[("value", "4.01 s"), ("interval", "900 ms to 5.1 s"), ("limit", "2 s")]);
        let budget = json!({ "value": 5.194_805_194_805_19, "limit": 1.0, "unit": "times", "short_window": "6h" });
        check(&budget, &[("value", "5.19 times"), ("limit", "1 times"), ("short window", "6h")]);
    }

    #[test]
    fn what_nobody_here_knows_is_said_as_well_as_can_be() {
        let others =
            json!({ "p95": 4.2, "queue_length": 7, "none": null, "parts": [1, 2, 3], "value": "high", "by": { "a": 1 } });
        let said = [("value", "high"), ("by", "{\"a\":1}"), ("p95", "4.2"), ("parts", "[1,2,3]"), ("queue length", "7")];
        check(&others, &said);
    }
}
