//! Whether one figure is over its limit, as far as can be told from this much data.

use mainspring_statistics::{
    Interval,
    rates::wilson,
    special::{normal_quantile, student_critical},
};

use crate::{
    measurements::{Reading, Summary},
    spec::{Measure, Threshold},
    state::{Figures, Verdict},
    weighed::{self, Numbers},
};

pub(crate) type Judged = (Verdict, Figures);

/// One look at a whole window. `alpha` is the probability of a false alarm at this look, for each side.
pub(crate) fn threshold(measure: &Measure, limits: &Threshold, summary: Option<&Summary>, minimum: u64, alpha: f64) -> Judged {
    let (verdict, figures) = held_against(measure, limits, summary, minimum, alpha);
    // Of two limits the one that was passed.
    let below = figures.value.zip(limits.below).filter(|(value, below)| value < below).map(|(_, below)| below);
    (verdict, Figures { limit: below.or(figures.limit), ..figures })
}

fn held_against(measure: &Measure, limits: &Threshold, summary: Option<&Summary>, minimum: u64, alpha: f64) -> Judged {
    let count = summary.map_or(0, Summary::count);
    let estimated = summary.is_some_and(Summary::is_estimate);
    let figures = Figures { count, limit: limits.above.or(limits.below), estimated, ..Figures::default() };
    if *measure == Measure::Count {
        return of_count(limits, count, figures);
    }
    let Some(summary) = summary.filter(|_| count > 0) else { return (Verdict::Missing, figures) };
    if summary.lacks(minimum) {
        return (Verdict::TooFew, figures);
    }
    if let (Some(at), Summary::Numbers(numbers)) = (measure.share(), summary) {
        return of_percentile(limits, numbers, at, alpha, figures);
    }
    if let Some(value) = plain(measure, summary) {
        let over = limits.above.is_some_and(|above| value > above) || limits.below.is_some_and(|below| value < below);
        return (if over { Verdict::Over } else { Verdict::Within }, Figures { value: Some(value), ..figures });
    }
    let Some(interval) = interval(measure, summary, alpha) else { return (Verdict::TooFew, figures) };
    let over = limits.above.is_some_and(|above| interval.low > above) || limits.below.is_some_and(|below| interval.high < below);
    let figures = Figures { value: Some(interval.estimate), interval: Some(interval), ..figures };
    (if over { Verdict::Over } else { Verdict::Within }, figures)
}

/// That nothing came is what `below` asks for; to anything else it says that there is nothing to measure.
fn of_count(limits: &Threshold, count: u64, figures: Figures) -> Judged {
    let figures = Figures { value: Some(count as f64), ..figures };
    let too_few = limits.below.is_some_and(|below| (count as f64) < below);
    let verdict = match count {
        _ if too_few || limits.above.is_some_and(|above| count as f64 > above) => Verdict::Over,
        0 => Verdict::Missing,
        _ => Verdict::Within,
    };
    (verdict, figures)
}

/// A percentile is above a limit if more than the rest of the numbers are: a rate, whose interval is known.
fn of_percentile(limits: &Threshold, numbers: &Numbers, at: f64, alpha: f64, figures: Figures) -> Judged {
    let over = limits.above.is_some_and(|above| {
        let (more, all) = numbers.beyond(above);
        wilson(more, all, 1.0 - 2.0 * alpha).is_some_and(|rate| rate.low > 1.0 - at)
    });
    let under = limits.below.is_some_and(|below| {
        let (more, all) = numbers.beyond(below);
        wilson(all - more, all, 1.0 - 2.0 * alpha).is_some_and(|rate| rate.low > at)
    });
    let figures = Figures { value: numbers.quantile(at), ..figures };
    (if over || under { Verdict::Over } else { Verdict::Within }, figures)
}

/// What is as it is: of a sum, and of a number that programs say, nobody knows how it scatters.
fn plain(measure: &Measure, summary: &Summary) -> Option<f64> {
    match (measure, summary) {
        (Measure::Sum { .. }, Summary::Numbers(numbers)) => Some(numbers.sum()),
        (Measure::Metric(_), Summary::Reading(Reading { value, .. })) => Some(*value),
        _ => None,
    }
}

/// Where a figure lies with a probability of `alpha` for an error on each side. Nothing where that cannot be said.
pub(crate) fn interval(measure: &Measure, summary: &Summary, alpha: f64) -> Option<Interval> {
    match (measure, summary) {
        (Measure::Rate { .. }, Summary::Rate { hits, trials }) => {
            let (hits, trials) = weighed::rate(hits, trials);
            wilson(hits, trials, 1.0 - 2.0 * alpha)
        }
        (Measure::Mean { .. }, Summary::Numbers(numbers)) => {
            let half = critical(alpha, numbers.count()) * numbers.error_squared()?.sqrt();
            let estimate = numbers.mean()?;
            Some(Interval { estimate, low: estimate - half, high: estimate + half })
        }
        _ => None,
    }
}

/// How many standard errors a mean of so many numbers passes with this probability.
pub(crate) fn critical(alpha: f64, count: u64) -> f64 {
    if count > 1_000 { normal_quantile(1.0 - alpha) } else { student_critical(alpha, count.saturating_sub(1).max(1) as f64) }
}
