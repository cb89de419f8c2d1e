//! What is kept of an alert. A monitor cannot ask anybody what to do about one that is too long, so it is cut.

use std::collections::BTreeMap;

use mainspring_kernel::{Digest, text};
use serde_json::Value;

use crate::model::{Alert, Change, Labels};

const KEY_MAX: usize = 200;
const TEXT_MAX: usize = 1_000;
const LABELS: usize = 32;
const LABEL_MAX: usize = 200;
const GROUPED_BY: usize = 8;
const FACT_MAX: usize = 1_000;
const FACTS_MAX: usize = 8 << 10;
const TRACES: usize = 20;
/// Of those an alert began with, these stay while it goes on.
const FIRST_TRACES: usize = 5;
const VERSIONS: usize = 50;
/// Longer keys of groups would not fit into an index.
const GROUP_MAX: usize = 500;

impl Alert {
    /// The same, within bounds and without characters that tables and terminals do not take.
    #[must_use]
    pub(crate) fn tidied(self) -> Self {
        let Self {
            project,
            fingerprint,
            name,
            severity,
            summary,
            missing,
            labels,
            facts,
            traces,
            versions,
            group_by,
            receivers,
            at,
        } = self;
        let line = |text: &str, max: usize| text::elide(&text.replace(char::is_control, " "), max);
        let lines = |texts: Vec<String>, most: usize| texts.iter().take(most).map(|text| line(text, KEY_MAX)).collect();
        let labels = labels.iter().take(LABELS).map(|(key, value)| (line(key, 63), line(value, LABEL_MAX))).collect();
        Self {
            project,
            fingerprint: self::fingerprint(&fingerprint),
            name: line(&name, KEY_MAX),
            severity,
            summary: line(&summary, TEXT_MAX),
            missing,
            labels,
            facts: small(facts),
            traces: lines(traces, TRACES),
            versions: lines(versions, VERSIONS),
            group_by: lines(group_by, GROUPED_BY),
            receivers,
            at,
        }
    }

    /// The same, with the traces that it began with before those of now: where something was first seen is not to be told
    /// by what shows it days later.
    #[must_use]
    pub(crate) fn going_on_from(&self, began_with: &[String]) -> Self {
        let mut traces: Vec<String> = began_with.iter().take(FIRST_TRACES).cloned().collect();
        for trace in &self.traces {
            if traces.len() < TRACES && !traces.contains(trace) {
                traces.push(trace.clone());
            }
        }
        Self { traces, ..self.clone() }
    }

    /// Its labels, with `name` and `severity` among them.
    #[must_use]
    pub(crate) fn all_labels(&self) -> Labels {
        all_labels(&self.labels, &self.name, self.severity.as_str())
    }

    /// What it has in common with the others of its incident.
    #[must_use]
    pub(crate) fn group(&self) -> String {
        let labels = self.all_labels();
        let by_name = ["name".to_owned()];
        let mut keys: Vec<&String> =
            if self.group_by.is_empty() { by_name.iter().collect() } else { self.group_by.iter().collect() };
        keys.sort();
        keys.dedup();
        let pair = |label: &&String| format!("{label}={}", labels.get(*label).map_or("", String::as_str));
        key(&keys.iter().map(pair).collect::<Vec<_>>().join(","), GROUP_MAX)
    }

    /// Whether it says that it is about what a change changed.
    pub(crate) fn names(&self, change: &Change) -> bool {
        let labelled =
            |label: &str| self.labels.get(label).and_then(|value| value.split('@').next()) == Some(change.name.as_str());
        // An app of this server counts as a service.
        let Some(kind) = change.kind else { return labelled("service") || labelled("app") };
        let asset = change.what();
        labelled(kind.as_str()) || self.versions.iter().any(|version| version.split('@').next() == Some(asset.as_str()))
    }
}

pub(crate) fn all_labels(labels: &Labels, name: &str, severity: &str) -> Labels {
    let mut all = labels.clone();
    all.insert("name".to_owned(), name.to_owned());
    all.insert("severity".to_owned(), severity.to_owned());
    all
}

/// As it is kept.
pub(crate) fn fingerprint(given: &str) -> String {
    key(&given.replace(char::is_control, " "), KEY_MAX)
}

/// Longer ones end in a digest of the whole, so that two of them do not become the same.
fn key(text: &str, max: usize) -> String {
    if text.len() <= max { text.to_owned() } else { format!("{}#{}", text::elide(text, max / 8), Digest::of(text.as_bytes())) }
}

fn small(facts: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut size = 0;
    let cut = |value: Value| match value {
        Value::String(text) => Value::String(text::elide(&text, FACT_MAX)),
        value if value.to_string().len() > 4 * FACT_MAX => Value::String(text::elide(&value.to_string(), FACT_MAX)),
        value => value,
    };
    let facts = facts.into_iter().map(|(name, value)| (text::elide(&name.replace(char::is_control, " "), 63), cut(value)));
    facts
        .take_while(|(name, value)| {
            size += name.len() + value.to_string().len();
            size <= FACTS_MAX
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::{Timestamp, id::ProjectId};
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Alert, BTreeMap, Value};
    use crate::model::Severity;

    fn alert(name: &str, labels: &[(&str, &str)], group_by: &[&str]) -> Alert {
        Alert {
            project: ProjectId::from_raw(1),
            fingerprint: "f".to_owned(),
            name: name.to_owned(),
            severity: Severity::Error,
            summary: "it is slow".to_owned(),
            missing: false,
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            facts: BTreeMap::new(),
            traces: Vec::new(),
            versions: Vec::new(),
            group_by: group_by.iter().map(|label| (*label).to_owned()).collect(),
            receivers: Vec::new(),
            at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn alerts_are_grouped_by_name_or_by_the_labels_they_say() {
        assert_eq!(alert("latency", &[("app", "desk")], &[]).group(), "name=latency");
        assert_eq!(alert("latency", &[("app", "desk")], &["severity", "app"]).group(), "app=desk,severity=error");
        assert_eq!(alert("latency", &[], &["app", "app"]).group(), "app=");
    }

    #[test]
    fn long_keys_stay_apart() {
        let long = |end: &str| alert(&format!("{}{end}", "x".repeat(5_000)), &[], &[]);
        assert_ne!(long("a").group(), long("b").group());
        let print =
            |end: &str| Alert { fingerprint: format!("{}{end}", "ü".repeat(5_000)), ..alert("n", &[], &[]) }.tidied().fingerprint;
        assert_ne!(print("a"), print("b"));
        assert!(print("a").len() < 500);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let facts: BTreeMap<String, Value> = (0..100).map(|n| (format!("f{n}"), json!("y".repeat(2_000)))).collect();
        let traces = (0..100).map(|n| n.to_string()).collect();
        let tidied = Alert { facts, traces, summary: "a\0b\nc".to_owned(), ..alert("n", &[], &[]) }.tidied();
        assert!(serde_json::to_string(&tidied.facts).unwrap().len() < 10_000 && !tidied.facts.is_empty());
        assert_eq!((tidied.traces.len(), tidied.summary.as_str()), (20, "a b c"));
    }

    proptest! {
        #[test]
        fn any_alert_fits_after_it_was_tidied(name in "\\PC{0,300}", label in ".{0,300}", value in ".{0,300}", by in ".{0,300}") {
            let tidied = alert(&name, &[(&label, &value)], &[&by]).tidied();
            prop_assert!(tidied.group().len() <= 600, "{}", tidied.group().len());
            prop_assert!(!tidied.group().contains('\0'));
            prop_assert_eq!(tidied.clone().tidied().group(), tidied.group());
        }
    }
}
