//! What a spec says that cannot be, beyond its shape.

use std::time::Duration;

use crate::{
    metric::{MetricKind, MetricMeasure},
    spec::{Compare, Measure, MonitorSpec, Of, Test, every},
};

/// Alerts are grouped by no more labels.
const GROUPED_BY: usize = 8;

/// Where in the spec, and what is wrong.
pub type Problems = Vec<(String, String)>;

impl MonitorSpec {
    #[must_use]
    pub fn validate(&self) -> Problems {
        let mut problems = Problems::new();
        let mut no = |path: &str, message: &str| problems.push((path.to_owned(), message.to_owned()));
        for (path, text) in self.texts() {
            if text.trim().is_empty() {
                no(path, "is empty");
            }
        }
        for (path, stretch) in [("window", self.window), ("every", self.every), ("false_alarm_every", self.false_alarm_every)] {
            if stretch.as_duration() < Duration::from_secs(1) {
                no(path, "is shorter than 1s");
            }
        }
        // A fixed test does not ask for it: there, what nobody wrote is no mistake of theirs.
        if self.every > self.window && (self.every != every() || self.is_sequential()) {
            no("every", "is longer than `window`; where it is left out it is 1m");
        }
        if self.false_alarm_every.as_duration() < 2 * self.window.as_duration() {
            no("false_alarm_every", "has to be two windows at least");
        }
        if let Measure::Percentile { at, .. } = self.measure
            && !(at > 0.0 && at < 1.0)
        {
            no("measure.percentile.at", "is not between 0 and 1");
        }
        if let Measure::Metric(metric) = &self.measure {
            self.metric(metric, &mut no);
        }
        self.comparison(&mut no);
        self.grouping(&mut no);
        if self.notify_missing_slices && self.slices.is_none() {
            no("notify_missing_slices", "there are no slices: name their field in `slices`, or leave it out");
        }
        if self.notify_missing_slices && !self.notify_missing {
            no("notify_missing_slices", "while `notify_missing` is false nobody is told of silence: leave one of them out");
        }
        problems
    }

    fn is_sequential(&self) -> bool {
        match &self.compare {
            Compare::Threshold(limits) => limits.test == Test::Sequential,
            Compare::Release(release) => release.test == Test::Sequential,
            Compare::Previous(_) | Compare::Rest(_) | Compare::Budget(_) => false,
        }
    }

    fn texts(&self) -> Vec<(&'static str, &str)> {
        let of_measure = match &self.measure {
            Measure::Count => None,
            Measure::Rate { hits } => Some(("measure.rate.hits", hits.as_str())),
            Measure::Sum { field } => Some(("measure.sum.field", field.as_str())),
            Measure::Mean { field } => Some(("measure.mean.field", field.as_str())),
            Measure::Percentile { field, .. } => Some(("measure.percentile.field", field.as_str())),
            Measure::Numbers { field } => Some(("measure.numbers.field", field.as_str())),
            Measure::Categories { field } => Some(("measure.categories.field", field.as_str())),
            Measure::Topics { field } => Some(("measure.topics.field", field.as_str())),
            Measure::Metric(metric) => Some(("measure.metric.name", metric.name.as_str())),
        };
        let slices = self.slices.as_deref().map(|field| ("slices", field));
        let filter = self.filter.as_deref().map(|filter| ("filter", filter));
        [of_measure, slices, filter].into_iter().flatten().collect()
    }

    /// What is asked of points, and what cannot be.
    fn metric(&self, metric: &MetricMeasure, no: &mut impl FnMut(&str, &str)) {
        for (name, values) in &metric.attributes {
            if values.is_empty() {
                no(&format!("measure.metric.attributes.{name}"), "is empty");
            }
        }
        if metric.monotonic.is_some() && metric.kind.is_some_and(|kind| kind != MetricKind::Sum) {
            no("measure.metric.monotonic", "is of sums: leave it out");
        }
        if self.filter.is_some() {
            no("filter", "is of traces: name attributes of the points under `measure.metric.attributes`");
        }
        if self.of != Of::default() {
            no("of", "is of traces, and not of a metric: leave it out");
        }
        match &self.compare {
            Compare::Threshold(threshold) if threshold.test == Test::Sequential => {
                if metric.share().is_none() {
                    no("compare.threshold.test", "`sequential` is for a rate or a percentile, and of a metric for a percentile");
                } else if !metric.is_spread() {
                    let why = "`sequential` counts what is beyond the limit, which histograms tell: say which `kind` it is";
                    no("measure.metric.kind", why);
                }
            }
            // Of other values no test says how much they scatter: without it every rise would be an alert.
            Compare::Previous(previous) if previous.by.is_none() && !metric.is_spread() && !metric.counts() => {
                let why = "is missing: say which change of this value matters, in parts of it: 0.2. A percentile needs it unless \
                    `kind` says that it is of a histogram";
                no("compare.previous.by", why);
            }
            Compare::Release(_) => {
                let why = "is of traces: compare a metric with `previous`, or watch `slices: resource.service.version`";
                no("compare.release", why);
            }
            Compare::Rest(_) => no("compare.rest", "is for a rate of traces, and not for a metric"),
            Compare::Budget(_) => no("compare.budget", "is for a rate of traces, and not for a metric"),
            Compare::Threshold(_) | Compare::Previous(_) => {}
        }
    }

    /// Alerts without a label would all agree in that they have none.
    fn grouping(&self, no: &mut impl FnMut(&str, &str)) {
        if self.group_by.len() > GROUPED_BY {
            no("group_by", "has more than 8 labels");
        }
        for (index, label) in self.group_by.iter().enumerate() {
            let known = matches!(label.as_str(), "name" | "severity")
                || self.labels.contains_key(label)
                || self.slices.as_ref().is_some_and(|field| field == label);
            if !known {
                no(&format!("group_by[{index}]"), "its alerts have no such label: add it to `labels`");
            }
        }
    }

    fn comparison(&self, no: &mut impl FnMut(&str, &str)) {
        let (rate, metric) = (matches!(self.measure, Measure::Rate { .. }), matches!(self.measure, Measure::Metric(_)));
        match &self.compare {
            Compare::Threshold(threshold) => {
                self.threshold(threshold.above, threshold.below, threshold.test, no);
            }
            Compare::Previous(previous) => {
                margin("compare.previous.by", previous.by, no);
                if previous.back.is_some_and(|back| back < self.window) {
                    no("compare.previous.back", "is shorter than `window`: the two would overlap");
                }
            }
            Compare::Release(release) => {
                margin("compare.release.by", release.by, no);
                if !(release.error > 0.0 && release.error < 0.5) {
                    no("compare.release.error", "is not between 0 and 0.5");
                }
                if matches!(self.measure, Measure::Count | Measure::Sum { .. }) {
                    no("compare.release", "releases do not have the same traffic: compare a rate, a mean or a distribution");
                }
                let one_figure = matches!(self.measure, Measure::Rate { .. } | Measure::Mean { .. });
                if release.test == Test::Sequential && !one_figure && !metric {
                    no("compare.release.test", "`sequential` is for a rate or a mean");
                }
            }
            Compare::Rest(rest) => {
                margin("compare.rest.by", Some(rest.by), no);
                if !rate && !metric {
                    no("compare.rest", "is for a rate");
                }
                if self.slices.is_none() {
                    no("slices", "is missing: there is nothing to compare with the rest");
                }
            }
            Compare::Budget(budget) => {
                if !rate && !metric {
                    no("compare.budget", "is for a rate");
                }
                if !(budget.objective > 0.0 && budget.objective < 1.0) {
                    no("compare.budget.objective", "is not between 0 and 1");
                }
            }
        }
    }

    fn threshold(&self, above: Option<f64>, below: Option<f64>, test: Test, no: &mut impl FnMut(&str, &str)) {
        if above.is_none() && below.is_none() {
            no("compare.threshold", "names neither `above` nor `below`");
        }
        if above.zip(below).is_some_and(|(above, below)| below > above) {
            no("compare.threshold", "everything is above or below");
        }
        if self.measure.drifts() {
            no("compare.threshold", "a distribution has no single figure: compare it with `previous` or `release`");
        }
        for (path, limit) in [("compare.threshold.above", above), ("compare.threshold.below", below)] {
            let Some(limit) = limit else { continue };
            if !limit.is_finite() {
                no(path, "is not a number");
            }
            if matches!(self.measure, Measure::Rate { .. }) && !(0.0..=1.0).contains(&limit) {
                no(path, "a rate is between 0 and 1");
            }
            if test == Test::Sequential && matches!(self.measure, Measure::Rate { .. }) && !(limit > 0.0 && limit < 1.0) {
                no(path, "a sequential test needs room on both sides of a rate");
            }
        }
        // Of a metric it is said above.
        let countable = matches!(self.measure, Measure::Rate { .. } | Measure::Percentile { .. } | Measure::Metric(_));
        if test == Test::Sequential && !countable {
            no("compare.threshold.test", "`sequential` is for a rate or a percentile");
        }
        if test == Test::Sequential && above.is_some() && below.is_some() {
            no("compare.threshold.test", "`sequential` watches one side: write two monitors");
        }
    }
}

fn margin(path: &str, by: Option<f64>, no: &mut impl FnMut(&str, &str)) {
    if by.is_some_and(|by| !by.is_finite() || by < 0.0) {
        no(path, "is not a number from 0");
    }
}
