//! A threshold that is looked at whenever something came.

use mainspring_kernel::{Fault, Timestamp};
use mainspring_statistics::sequential::RateDetector;

use crate::{
    evaluate::Looker,
    measurements::{Measurements, Series, Summary, together},
    settle::Finding,
    spec::{Measure, Threshold},
    state::{Figures, Verdict},
};

/// After a longer pause than this, what was before is not caught up with.
const CATCH_UP: std::time::Duration = std::time::Duration::from_secs(24 * 3_600);

pub(crate) async fn look(
    looker: &Looker<'_>,
    limits: &Threshold,
    data: &dyn Measurements,
) -> Result<(Vec<Finding>, Timestamp), Box<dyn Fault>> {
    let spec = looker.spec;
    let step = spec.every.as_duration();
    let until = looker.whole(step);
    let begin = until.minus(spec.window.as_duration());
    // Points of a metric are read one by one, and only so many: a look that had more to catch up with than that would fail, and
    // so would all after it.
    let catch_up = if matches!(spec.measure, Measure::Metric(_)) { spec.window.as_duration() } else { CATCH_UP };
    let from = looker.history.looked_until.unwrap_or(begin).max(until.minus(catch_up)).min(until);
    let series = looker.read(data, (from.min(begin), until), step, None).await?;
    let side = Side::of(&spec.measure, limits);
    // A false alarm of any slice is one, so each may have fewer.
    let bar = (spec.false_alarm_every.over(spec.every) * series.len().max(1) as f64).ln();
    let judge = |series: Series| one(looker, &side, bar, (from, begin, until), series);
    Ok((series.into_iter().map(judge).collect(), until))
}

/// What is counted as a hit, and the rate of hits that is too much.
#[derive(Debug)]
struct Side {
    rate: f64,
    /// Hits are what is not counted.
    inverse: bool,
    /// Numbers above this are hits.
    bound: Option<f64>,
}

impl Side {
    fn of(measure: &Measure, limits: &Threshold) -> Self {
        let limit = limits.above.or(limits.below).unwrap_or(0.5);
        let inverse = limits.above.is_none();
        match measure.share() {
            // More than the rest are above the percentile's limit, or more than its share below.
            Some(at) => Self { rate: if inverse { at } else { 1.0 - at }, inverse, bound: Some(limit) },
            None => Self { rate: if inverse { 1.0 - limit } else { limit }, inverse, bound: None },
        }
    }

    fn count(&self, summary: &Summary) -> (u64, u64) {
        let (hits, trials) = match (summary, self.bound) {
            (Summary::Numbers(numbers), Some(bound)) => numbers.beyond(bound),
            (summary, None) => summary.rate().unwrap_or_default(),
            _ => (0, 0),
        };
        if self.inverse { (trials - hits, hits) } else { (hits, trials - hits) }
    }
}

fn one(
    looker: &Looker<'_>,
    side: &Side,
    bar: f64,
    (from, begin, until): (Timestamp, Timestamp, Timestamp),
    series: Series,
) -> Finding {
    let before = looker.history.of(series.slice.as_deref());
    let (window, _) = together(&series, begin, until);
    let (hits, misses) = window.as_ref().map_or((0, 0), |summary| side.count(summary));
    let trials = hits.saturating_add(misses);
    let rate = (trials > 0).then(|| hits as f64 / trials as f64);
    let estimated = window.as_ref().is_some_and(Summary::is_estimate);
    let mut figures = Figures { count: trials, value: rate, limit: Some(side.rate), estimated, ..Figures::default() };
    let fresh = RateDetector::new(side.rate);
    if before.is_some_and(|before| before.open) {
        // It has fired: from here on the question is whether it is over, which the window says by itself.
        let verdict = match rate {
            None => Verdict::Missing,
            Some(rate) if rate > side.rate => Verdict::Over,
            Some(_) => Verdict::Within,
        };
        return Finding { slice: series.slice, verdict, figures, detector: fresh };
    }
    let mut detector = before.and_then(|before| before.detector).or(fresh);
    let mut highest = f64::NEG_INFINITY;
    for point in series.points.iter().filter(|point| point.at >= from && point.at < until) {
        let (hits, misses) = side.count(&point.summary);
        if let Some(detector) = &mut detector {
            detector.add(hits, misses);
            highest = highest.max(detector.log_evidence());
        }
    }
    let evidence = highest.max(detector.map_or(f64::NEG_INFINITY, |detector| detector.log_evidence()));
    figures.evidence = evidence.is_finite().then_some((evidence, bar));
    let verdict = if evidence >= bar && trials > 0 {
        Verdict::Over
    } else if trials == 0 {
        Verdict::Missing
    } else if trials < looker.spec.minimum {
        Verdict::TooFew
    } else {
        Verdict::Within
    };
    Finding { slice: series.slice, verdict, figures, detector }
}
