//! One evaluation of a monitor: asks for what it needs, judges every slice, settles the state.

use std::{collections::HashSet, time::Duration};

use mainspring_kernel::{Fault, Timestamp};
use mainspring_statistics::slices::{Slice, SliceState, compare_slices};

use crate::{
    budget,
    change::{Rule, change},
    judge::{Judged, threshold},
    measurements::{Measurements, Query, Series, Summary, together},
    release, sequential,
    settle::{Finding, settle},
    spec::{Compare, MonitorSpec, Previous, ReleaseOf, Rest, Test, Threshold, Worse},
    state::{Evaluation, Figures, History, SliceEvaluation, State, Verdict},
};

/// What every way of looking is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looker<'l> {
    pub(crate) spec: &'l MonitorSpec,
    pub(crate) history: &'l History,
    /// Up to when everything is known.
    pub(crate) known: Timestamp,
}

/// The spans of one release: of these services, or of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfRelease<'r> {
    pub(crate) name: &'r str,
    pub(crate) services: &'r [Option<String>],
}

/// Looks at what a monitor watches as things stand at `now`.
///
/// It may be called as often as one likes: a fixed test looks at each whole window once, however often it is asked, and a
/// sequential one at each stretch of time once. The history of the evaluation goes into the next one.
pub async fn evaluate(
    spec: &MonitorSpec,
    data: &dyn Measurements,
    history: &History,
    now: Timestamp,
) -> Result<Evaluation, Box<dyn Fault>> {
    let looker = Looker { spec, history, known: now.minus(spec.delay.as_duration()) };
    let mut looked_until = history.looked_until;
    let found = match &spec.compare {
        Compare::Threshold(limits) if limits.test == Test::Sequential => {
            let (found, until) = sequential::look(&looker, limits, data).await?;
            looked_until = Some(until);
            found
        }
        Compare::Threshold(limits) => looker.fixed(limits, data).await?,
        Compare::Previous(previous) => looker.previous(previous, data).await?,
        Compare::Release(rule) => release::look(&looker, rule, data).await?,
        Compare::Rest(rest) => looker.rest(rest, data).await?,
        Compare::Budget(rule) => budget::look(&looker, rule.objective, data).await?,
    };
    Ok(settle(spec, history, now, found, looked_until))
}

impl Looker<'_> {
    /// The end of the last whole stretch of this length.
    pub(crate) fn whole(&self, length: Duration) -> Timestamp {
        let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
        Timestamp::from_micros(self.known.as_micros().div_euclid(micros).saturating_mul(micros))
    }

    pub(crate) async fn read(
        &self,
        data: &dyn Measurements,
        (from, to): (Timestamp, Timestamp),
        step: Duration,
        release: Option<OfRelease<'_>>,
    ) -> Result<Vec<Series>, Box<dyn Fault>> {
        let release_of = if let Compare::Release(rule) = &self.spec.compare { rule.of } else { ReleaseOf::default() };
        let query = Query {
            filter: self.spec.filter.clone(),
            of: self.spec.of,
            measure: self.spec.measure.clone(),
            slices: self.spec.slices.clone(),
            release: release.map(|release| release.name.to_owned()),
            release_of,
            services: release.map(|release| release.services.to_vec()).unwrap_or_default(),
            from,
            to,
            step,
        };
        let mut series = data.read(query).await?;
        // Where everything is watched together there is always something to say, if only that it is missing.
        if series.is_empty() && self.spec.slices.is_none() {
            series.push(Series { slice: None, points: Vec::new() });
        }
        Ok(series)
    }

    /// The probability of a false alarm that one look at one of so many slices may have.
    fn alpha(&self, slices: usize) -> f64 {
        self.spec.window.over(self.spec.false_alarm_every).min(0.5) / slices.max(1) as f64
    }

    async fn fixed(&self, limits: &Threshold, data: &dyn Measurements) -> Result<Vec<Finding>, Box<dyn Fault>> {
        let window = self.spec.window.as_duration();
        let end = self.whole(window);
        let series = self.read(data, (end.minus(window), end), window, None).await?;
        let sides = if limits.above.is_some() && limits.below.is_some() { 2 } else { 1 };
        let alpha = self.alpha(series.len() * sides);
        let judge = |series: Series| {
            let (summary, alike) = together(&series, end.minus(window), end);
            let judged = threshold(&self.spec.measure, limits, summary.as_ref(), self.spec.minimum, alpha);
            Finding::new(series.slice, unless_unlike(alike, judged))
        };
        Ok(series.into_iter().map(judge).collect())
    }

    async fn previous(&self, previous: &Previous, data: &dyn Measurements) -> Result<Vec<Finding>, Box<dyn Fault>> {
        let window = self.spec.window.as_duration();
        let back = previous.back.unwrap_or(self.spec.window).as_duration();
        let end = self.whole(window);
        let now = (end.minus(window), end);
        let then = (now.0.minus(back), now.1.minus(back));
        let current = self.read(data, now, window, None).await?;
        let reference = self.read(data, then, window, None).await?;
        let rule = Rule {
            worse: previous.worse,
            by: previous.by,
            minimum: self.spec.minimum,
            alpha: self.alpha(current.len()),
            always: false,
        };
        Ok(self.pairs(&rule, (reference, then), (current, now)))
    }

    /// Each slice of the current period with its own past.
    pub(crate) fn pairs(
        &self,
        rule: &Rule,
        (reference, then): (Vec<Series>, (Timestamp, Timestamp)),
        (current, now): (Vec<Series>, (Timestamp, Timestamp)),
    ) -> Vec<Finding> {
        let pair = |series: Series| {
            let past = reference.iter().find(|past| past.slice == series.slice);
            let (before, before_alike) = past.map_or((None, true), |past| together(past, then.0, then.1));
            let (after, after_alike) = together(&series, now.0, now.1);
            let judged = change(&self.spec.measure, rule, before.as_ref(), after.as_ref());
            Finding::new(series.slice, unless_unlike(before_alike && after_alike, judged))
        };
        current.into_iter().map(pair).collect()
    }

    async fn rest(&self, rest: &Rest, data: &dyn Measurements) -> Result<Vec<Finding>, Box<dyn Fault>> {
        let window = self.spec.window.as_duration();
        let end = self.whole(window);
        let series = self.read(data, (end.minus(window), end), window, None).await?;
        // Holm's correction is for all slices already.
        let alpha = self.alpha(1);
        let (mut slices, mut estimated) = (Vec::with_capacity(series.len()), HashSet::new());
        for series in series {
            let (name, summary) = (series.slice.clone().unwrap_or_default(), together(&series, end.minus(window), end).0);
            if summary.as_ref().is_some_and(Summary::is_estimate) {
                estimated.insert(name.clone());
            }
            let (hits, trials) = summary.and_then(|summary| summary.rate()).unwrap_or_default();
            slices.push(Slice { name, hits, trials });
        }
        let all = slices.iter().fold(0_u64, |sum, slice| sum.saturating_add(slice.trials));
        let report = compare_slices(slices, self.spec.minimum, 1.0 - alpha);
        let judged = report.slices.into_iter().map(|found| {
            let estimated = estimated.contains(&found.slice.name);
            let count = found.slice.trials;
            let reference_count = Some(all.saturating_sub(count));
            let figures = Figures { count, reference_count, limit: Some(rest.by), estimated, ..Figures::default() };
            let judged = match found.state {
                SliceState::Missing => (Verdict::Missing, figures),
                SliceState::TooFew { .. } => (Verdict::TooFew, figures),
                SliceState::Measured { rate, against_rest, p_adjusted, .. } => {
                    let off = against_rest.estimate;
                    let far = match rest.worse {
                        Worse::Up => off > rest.by,
                        Worse::Down => off < -rest.by,
                        Worse::Either => off.abs() > rest.by,
                    };
                    let verdict = if far && p_adjusted <= alpha { Verdict::Over } else { Verdict::Within };
                    let reference = rate.estimate - off;
                    let (value, reference) = (Some(rate.estimate), Some(reference));
                    let (interval, value_interval, p) = (Some(against_rest), Some(rate), Some(p_adjusted));
                    (verdict, Figures { value, reference, interval, value_interval, p, ..figures })
                }
            };
            Finding::new(Some(found.slice.name), judged)
        });
        Ok(judged.collect())
    }
}

/// Summaries that were made differently within one period say nothing about it.
fn unless_unlike(alike: bool, (verdict, figures): Judged) -> Judged {
    if alike { (verdict, figures) } else { (Verdict::TooFew, figures) }
}

impl Evaluation {
    /// The slices that are in a state now and were not before.
    pub fn entered(&self, state: State) -> impl Iterator<Item = &SliceEvaluation> {
        self.slices.iter().filter(move |slice| slice.state == state && slice.was != Some(state))
    }
}
