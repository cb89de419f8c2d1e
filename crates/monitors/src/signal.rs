//! Which alerts a look raises, and which of before go on.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use mainspring_kernel::{
    Name, Timestamp,
    id::{IncidentId, ProjectId},
};
use mainspring_statistics::Interval;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    budget,
    seam::{Showing, Signal},
    spec::{Compare, Measure, MonitorSpec, ReleaseOf, Worse},
    state::{Evaluation, Figures, SliceEvaluation, State},
    words::{sentence, shift},
};

/// An alert that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    pub fingerprint: String,
    /// Absent until somebody was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// It is that nothing comes, or that nobody can look.
    #[serde(default)]
    pub missing: bool,
}

impl Going {
    /// That nothing is known of what a monitor watches, as a whole.
    pub(crate) fn silent(monitor: &Name) -> Self {
        Self { fingerprint: fingerprint(monitor, None, true), incident: None, slice: None, missing: true }
    }
}

/// What follows from a look.
#[derive(Debug, Default)]
pub(crate) struct Ringing<'e> {
    /// To be raised, with what they are of.
    pub(crate) raise: Vec<(Going, Cow<'e, SliceEvaluation>)>,
    /// What fired and of which nothing is known now: neither raised again nor over.
    pub(crate) hold: Vec<String>,
}

impl Ringing<'_> {
    pub(crate) fn keeps(&self, fingerprint: &str) -> bool {
        self.raise.iter().any(|(going, _)| going.fingerprint == fingerprint) || self.hold.iter().any(|held| held == fingerprint)
    }

    /// The time in which there are traces that show what is wrong. What fires by a budget does in its short window.
    pub(crate) fn shown_within(&self, spec: &MonitorSpec) -> Duration {
        let short = self.raise.iter().filter_map(|(_, slice)| slice.figures.windows).map(|(_, short)| short).max();
        short.map_or(spec.window, |short| short.max(spec.window)).as_duration()
    }
}

pub(crate) fn ringing<'e>(monitor: &Name, spec: &MonitorSpec, found: &'e Evaluation) -> Ringing<'e> {
    let mut ringing = Ringing::default();
    for slice in &found.slices {
        let going = |missing| Going {
            fingerprint: fingerprint(monitor, slice.slice.as_deref(), missing),
            incident: None,
            slice: slice.slice.clone(),
            missing,
        };
        match slice.state {
            State::Firing => ringing.raise.push((going(false), Cow::Borrowed(slice))),
            State::Missing => {
                if found.history.is_open(slice.slice.as_deref()) {
                    ringing.hold.push(going(false).fingerprint);
                }
                if spec.notify_missing && (slice.slice.is_none() || spec.notify_missing_slices) {
                    ringing.raise.push((going(true), Cow::Borrowed(slice)));
                }
            }
            State::Ok | State::Warming => {}
        }
    }
    // What one of many has not sent for a while is no news; that none of them sends anything is.
    if spec.notify_missing && !spec.notify_missing_slices {
        ringing.raise.extend(all_silent(found).map(|silent| (Going::silent(monitor), Cow::Owned(silent))));
    }
    ringing
}

/// Every slice fell silent, the last of them then.
fn all_silent(found: &Evaluation) -> Option<SliceEvaluation> {
    let all = found.slices.iter().all(|slice| slice.slice.is_some() && slice.state == State::Missing);
    let since = found.slices.iter().map(|slice| slice.since).max().filter(|_| all)?;
    Some(SliceEvaluation { slice: None, state: State::Missing, was: None, since, figures: Figures::default() })
}

fn fingerprint(monitor: &Name, slice: Option<&str>, missing: bool) -> String {
    let slice = slice.map(|slice| format!("/{slice}")).unwrap_or_default();
    format!("monitor/{monitor}{}{slice}", if missing { "!missing" } else { "" })
}

pub(crate) fn signal(
    (project, monitor): (ProjectId, &Name),
    spec: &MonitorSpec,
    (going, slice): (&Going, &SliceEvaluation),
    (found, traces): (&Evaluation, Vec<String>),
) -> Signal {
    let mut labels = spec.labels.clone();
    if let (Some(field), Some(value)) = (&spec.slices, &slice.slice) {
        labels.insert(field.clone(), value.clone());
    }
    Signal {
        project,
        monitor: monitor.clone(),
        fingerprint: going.fingerprint.clone(),
        severity: spec.severity,
        summary: sentence(spec, slice),
        missing: going.missing,
        labels,
        facts: facts(spec, slice),
        traces,
        versions: versions(spec, slice),
        notify: spec.notify.clone(),
        group_by: spec.group_by.clone(),
        at: found.at,
    }
}

/// That nobody can look. Why it is in words is for whoever runs the server: they may name its stores.
pub(crate) fn unseen(
    (project, monitor): (ProjectId, &Name),
    spec: &MonitorSpec,
    going: &Going,
    (code, since, at): (&str, Timestamp, Timestamp),
) -> Signal {
    let facts = [
        ("code", Some(json!(code))),
        ("window", Some(json!(budget::window(spec, &Figures::default())))),
        ("filter", spec.filter.as_ref().map(|filter| json!(filter))),
        ("metric", of_metric(spec)),
        ("since", Some(json!(since))),
    ];
    Signal {
        project,
        monitor: monitor.clone(),
        fingerprint: going.fingerprint.clone(),
        severity: spec.severity,
        summary: format!("it cannot be looked at, since {since} ({code})"),
        missing: going.missing,
        labels: spec.labels.clone(),
        group_by: spec.group_by.clone(),
        facts: facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        traces: Vec::new(),
        versions: Vec::new(),
        notify: spec.notify.clone(),
        at,
    }
}

/// On which side a slice is wrong: traces that are well on it say nothing of why.
pub(crate) fn showing<'s>(spec: &MonitorSpec, slice: &'s SliceEvaluation) -> Showing<'s> {
    let (value, reference) = (slice.figures.value, slice.figures.reference);
    let under = |bound: Option<f64>| value.zip(bound).is_some_and(|(value, bound)| value < bound);
    let side = |worse: Worse| match worse {
        Worse::Up => false,
        Worse::Down => true,
        Worse::Either => under(reference),
    };
    let (low, bound) = match &spec.compare {
        Compare::Threshold(limits) => {
            let low = limits.above.is_none() || under(limits.below);
            (low, if low { limits.below } else { limits.above })
        }
        Compare::Previous(previous) => (side(previous.worse), reference),
        Compare::Release(release) => (side(release.worse), reference),
        Compare::Rest(rest) => (side(rest.worse), reference),
        Compare::Budget(_) => (false, None),
    };
    Showing { slice: slice.slice.as_deref(), low, bound }
}

/// What moved most of a distribution that an alert tells of.
const MOVED: usize = 3;

fn facts(spec: &MonitorSpec, slice: &SliceEvaluation) -> BTreeMap<String, Value> {
    let figures = &slice.figures;
    let number = |value: Option<f64>| value.map(|value| json!(value));
    let bounds = |interval: Option<Interval>| interval.map(|interval| json!([interval.low, interval.high]));
    // Of a comparison an interval and a limit are of the difference, which does not lie where the value does.
    let compared =
        matches!(spec.compare, Compare::Previous(_) | Compare::Release(_) | Compare::Rest(_)) && !spec.measure.drifts();
    let off = figures.value.zip(figures.reference).map(|(value, reference)| value - reference);
    let moved: Vec<String> = figures.moved.iter().take(MOVED).map(|moved| shift(moved, &spec.measure)).collect();
    let all = [
        ("value", number(figures.value)),
        ("interval", bounds(if compared { figures.value_interval } else { figures.interval })),
        ("limit", number(figures.limit.filter(|_| !compared))),
        ("reference", number(figures.reference)),
        ("difference", number(off)),
        ("difference_interval", bounds(figures.interval.filter(|_| compared))),
        // Where every difference matters there is none.
        ("difference_limit", number(figures.limit.filter(|limit| compared && *limit > 0.0))),
        ("p", number(figures.p)),
        ("moved", (!moved.is_empty()).then(|| json!(moved.join("; ")))),
        ("count", Some(json!(figures.count))),
        ("estimated", figures.estimated.then(|| json!(true))),
        ("window", Some(json!(budget::window(spec, figures)))),
        ("short_window", figures.windows.map(|(_, short)| json!(short))),
        ("filter", spec.filter.as_ref().map(|filter| json!(filter))),
        ("metric", of_metric(spec)),
        ("since", Some(json!(slice.since))),
        // So that whoever tells it to people can say what the figures are of.
        ("unit", Some(crate::words::unit_of_figures(spec)).filter(|unit| !unit.is_empty()).map(|unit| json!(unit))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The metric that is watched, where one is.
fn of_metric(spec: &MonitorSpec) -> Option<Value> {
    if let Measure::Metric(metric) = &spec.measure { Some(json!(metric.name)) } else { None }
}

/// Of prompts alone it is known which asset a release is a version of.
fn versions(spec: &MonitorSpec, slice: &SliceEvaluation) -> Vec<String> {
    match (&spec.compare, &slice.figures.releases) {
        (Compare::Release(rule), Some((newest, _))) if rule.of == ReleaseOf::Prompt => vec![format!("prompt/{newest}")],
        _ => Vec::new(),
    }
}
