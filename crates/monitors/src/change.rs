//! Whether one period is worse than another.

use mainspring_statistics::{
    Compared, Interval,
    drift::{compare_categories, compare_numbers},
    embedding::{compare_means, compare_shares},
    rates::{newcombe, wilson},
    sequential::always_valid_estimate,
};

use crate::{
    judge::{Judged, critical},
    measurements::{Summary, Topics},
    metric::MetricMeasure,
    moved,
    spec::{Measure, Worse},
    state::{Drift, Figures, Moved, Verdict},
    weighed::{self, Numbers, Tally},
};

/// What counts as a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) worse: Worse,
    pub(crate) by: Option<f64>,
    pub(crate) minimum: u64,
    /// The probability of a false alarm at this look; of any look where `always` is set.
    pub(crate) alpha: f64,
    pub(crate) always: bool,
}

/// A population stability index that is taken for a real change.
const DRIFTED: f64 = 0.2;

impl Rule {
    /// The probability on each side that is watched.
    fn side(&self) -> f64 {
        if self.worse == Worse::Either { self.alpha / 2.0 } else { self.alpha }
    }

    /// Whether a difference surely goes beyond a margin in a direction that is worse.
    fn passed(&self, difference: &Interval, margin: f64) -> bool {
        self.either(difference.low > margin, difference.high < -margin)
    }

    /// Of what is watched.
    const fn either(&self, up: bool, down: bool) -> bool {
        match self.worse {
            Worse::Up => up,
            Worse::Down => down,
            Worse::Either => up || down,
        }
    }

    const fn verdict(over: bool) -> Verdict {
        if over { Verdict::Over } else { Verdict::Within }
    }
}

pub(crate) fn change(measure: &Measure, rule: &Rule, reference: Option<&Summary>, current: Option<&Summary>) -> Judged {
    let (before, after) = (reference.map_or(0, Summary::count), current.map_or(0, Summary::count));
    let estimated = [reference, current].into_iter().flatten().any(Summary::is_estimate);
    let figures = Figures { count: after, reference_count: Some(before), estimated, ..Figures::default() };
    let (Some(reference), Some(current)) = (reference.filter(|_| before > 0), current.filter(|_| after > 0)) else {
        // What came is there, also where there is nothing to hold it against.
        return (if after > 0 { Verdict::TooFew } else { Verdict::Missing }, figures);
    };
    // A count is all the data there is; it is compared whatever it is.
    if *measure != Measure::Count && (reference.lacks(rule.minimum) || current.lacks(rule.minimum)) {
        return (Verdict::TooFew, figures);
    }
    let judged = match (measure, reference, current) {
        (Measure::Count, Summary::Count(before), Summary::Count(after)) => Some(of_counts(rule, before, after)),
        (Measure::Rate { .. }, before @ Summary::Rate { .. }, after @ Summary::Rate { .. }) => {
            before.rate().zip(after.rate()).and_then(|(before, after)| of_rates(rule, before, after))
        }
        (Measure::Sum { .. }, Summary::Numbers(before), Summary::Numbers(after)) => {
            Some(plainly(rule, before.sum(), after.sum()))
        }
        (Measure::Mean { .. }, Summary::Numbers(before), Summary::Numbers(after)) => of_means(rule, before, after),
        (Measure::Percentile { at, .. }, Summary::Numbers(before), Summary::Numbers(after)) => {
            of_percentiles(rule, *at, before, after)
        }
        (Measure::Numbers { .. }, Summary::Numbers(before), Summary::Numbers(after)) => of_numbers(rule, before, after),
        (Measure::Categories { .. }, Summary::Categories(before), Summary::Categories(after)) => {
            compare_categories(before, after, rule.minimum).measured().map(|found| {
                let (psi, chance, p, moved) = (found.psi, found.psi_by_chance, found.p, moved::of_categories(&found));
                naming(drifted(rule, psi, chance, p, Drift::Categories(found)), moved)
            })
        }
        (Measure::Topics { .. }, Summary::Topics(before), Summary::Topics(after)) => of_topics(rule, before, after),
        (Measure::Metric(metric), Summary::Reading(before), Summary::Reading(after)) => {
            Some(of_readings(rule, metric, before.value, after.value))
        }
        (Measure::Metric(metric), Summary::Numbers(before), Summary::Numbers(after)) => {
            metric.share().and_then(|at| of_percentiles(rule, at, before, after))
        }
        _ => None,
    };
    match judged {
        None => (Verdict::TooFew, figures),
        Some((verdict, found)) => (verdict, Figures { count: after, reference_count: Some(before), estimated, ..found }),
    }
}

/// Of equally long windows with the same traffic, each event is as likely in one as in the other.
fn of_counts(rule: &Rule, before: &Tally, after: &Tally) -> Judged {
    let by = rule.by.unwrap_or(0.0);
    let (old, new) = weighed::beside(before, after);
    let share = wilson(new, old.saturating_add(new), 1.0 - 2.0 * rule.side());
    let up = share.is_some_and(|share| share.low > (1.0 + by) / (2.0 + by));
    let down = by < 1.0 && share.is_some_and(|share| share.high < (1.0 - by) / (2.0 - by));
    let over = rule.either(up, down);
    let (value, reference) = (Some(after.count() as f64), Some(before.count() as f64));
    (Rule::verdict(over), Figures { value, reference, ..Figures::default() })
}

/// What was counted are things that happened; of other numbers nobody knows how they scatter.
fn of_readings(rule: &Rule, metric: &MetricMeasure, reference: f64, value: f64) -> Judged {
    if metric.counts() {
        let tally = |count: f64| Tally::exact(count.max(0.0).round() as u64);
        return of_counts(rule, &tally(reference), &tally(value));
    }
    plainly(rule, reference, value)
}

/// Without a test: whether the difference is larger than what matters.
fn plainly(rule: &Rule, reference: f64, value: f64) -> Judged {
    let off = value - reference;
    let over = rule.passed(&Interval { estimate: off, low: off, high: off }, rule.by.unwrap_or(0.0) * reference.abs());
    (Rule::verdict(over), Figures { value: Some(value), reference: Some(reference), ..Figures::default() })
}

fn of_rates(rule: &Rule, before: (u64, u64), after: (u64, u64)) -> Option<Judged> {
    let rate = |(hits, trials): (u64, u64)| hits as f64 / trials as f64;
    let (reference, value) = (rate(before), rate(after));
    let difference = if rule.always {
        // A rate of nothing in so many is not known to be zero.
        let error = |(hits, trials): (u64, u64)| {
            let likely = (hits as f64 + 1.0) / (trials as f64 + 2.0);
            likely * (1.0 - likely) / trials as f64
        };
        // Differences as large as the rate itself are what one wants to find soon.
        let width = (rule.by.unwrap_or(0.0).max(1.0) * reference).clamp(0.02, 0.5);
        always(rule, value - reference, error(before) + error(after), width)?
    } else {
        newcombe(after, before, 1.0 - 2.0 * rule.side())
    };
    Some(compared(rule, reference, value, difference))
}

fn of_means(rule: &Rule, before: &Numbers, after: &Numbers) -> Option<Judged> {
    let (reference, value) = (before.mean()?, after.mean()?);
    let error = before.error_squared()? + after.error_squared()?;
    let difference = if rule.always && error > 0.0 {
        let scatter = before.variance()?.sqrt().max(after.variance()?.sqrt());
        let width = (rule.by.unwrap_or(0.0) * reference.abs()).max(0.2 * scatter);
        always(rule, value - reference, error, width)?
    } else {
        let half = critical(rule.side(), before.count().min(after.count())) * error.sqrt();
        let estimate = value - reference;
        Interval { estimate, low: estimate - half, high: estimate + half }
    };
    Some(compared(rule, reference, value, difference))
}

fn always(rule: &Rule, estimate: f64, error: f64, width: f64) -> Option<Interval> {
    always_valid_estimate(estimate, error, width, 1.0 - 2.0 * rule.side()).map(|found| found.difference)
}

fn compared(rule: &Rule, reference: f64, value: f64, difference: Interval) -> Judged {
    let margin = rule.by.unwrap_or(0.0) * reference.abs();
    let figures = Figures {
        value: Some(value),
        reference: Some(reference),
        interval: Some(difference),
        limit: Some(margin),
        ..Figures::default()
    };
    (Rule::verdict(rule.passed(&difference, margin)), figures)
}

/// Whether more of the current numbers than should are beyond the reference's percentile and its margin. How well the
/// reference's percentile is known depends on how many numbers it is of; that is in the interval of the difference.
fn of_percentiles(rule: &Rule, at: f64, before: &Numbers, after: &Numbers) -> Option<Judged> {
    let (reference, value) = (before.quantile(at)?, after.quantile(at)?);
    let margin = rule.by.unwrap_or(0.0) * reference.abs();
    // Where many numbers are the same, the reference itself has more than its share at a bound.
    let surely_more = |share: f64, own: (u64, u64), now: (u64, u64)| {
        let expected = own.0.max((share * own.1 as f64).ceil() as u64).min(own.1);
        newcombe(now, (expected, own.1), 1.0 - 2.0 * rule.side()).low > 0.0
    };
    let above = |numbers: &Numbers| numbers.beyond(reference + margin);
    let below = |numbers: &Numbers| {
        let (more, all) = numbers.beyond(reference - margin);
        (all - more, all)
    };
    let up = surely_more(1.0 - at, above(before), above(after));
    let down = surely_more(at, below(before), below(after));
    let figures = Figures { value: Some(value), reference: Some(reference), limit: Some(margin), ..Figures::default() };
    Some((Rule::verdict(rule.either(up, down)), figures))
}

fn of_numbers(rule: &Rule, before: &Numbers, after: &Numbers) -> Option<Judged> {
    let (before, after) = (before.distribution(), after.distribution());
    let found = compare_numbers(&before, &after, rule.minimum).measured()?;
    let judged = drifted(rule, found.psi, found.psi_by_chance, found.ks_p, Drift::Numbers(found));
    Some(naming(judged, moved::of_numbers(&before, &after)))
}

/// A distribution has drifted if the change is large, and larger than chance makes it.
fn drifted(rule: &Rule, psi: f64, chance: f64, p: f64, drift: Drift) -> Judged {
    let limit = rule.by.unwrap_or(DRIFTED);
    let over = psi >= limit && psi > chance && p <= rule.alpha;
    let figures = Figures {
        value: Some(psi),
        limit: Some(limit),
        p: Some(p),
        chance: psi >= limit && !over,
        drift: Some(Box::new(drift)),
        ..Figures::default()
    };
    (Rule::verdict(over), figures)
}

fn naming((verdict, figures): Judged, moved: Vec<Moved>) -> Judged {
    (verdict, Figures { moved, ..figures })
}

/// Topics of other features are not compared: it is too early to say anything.
fn of_topics(rule: &Rule, before: &Topics, after: &Topics) -> Option<Judged> {
    let mean = compare_means(&before.mean, &after.mean, rule.minimum).ok()?.measured()?;
    let shares = before.shares.as_ref().zip(after.shares.as_ref());
    let growth = shares.and_then(|(before, after)| compare_shares(before, after, rule.minimum, 0.95).ok());
    let Some(growth) = growth.and_then(Compared::measured) else {
        // Without clusters there is no index to hold a limit against, only that the texts differ.
        let (verdict, figures) = drifted(rule, f64::INFINITY, 0.0, mean.p, Drift::Topics { mean, growth: None });
        return Some((verdict, Figures { value: Some(mean.mmd_squared), limit: None, ..figures }));
    };
    // Either test may see it, so each is taken for two.
    let smallest = growth.clusters.iter().map(|cluster| cluster.p_adjusted).fold(mean.p, f64::min);
    let (psi, p) = (growth.psi, (2.0 * smallest).min(1.0));
    let moved = moved::of_topics(&growth, &after.words);
    Some(naming(drifted(rule, psi, 0.0, p, Drift::Topics { mean, growth: Some(growth) }), moved))
}
