//! How fast an error budget is used up, over pairs of windows.

use std::time::Duration;

use mainspring_kernel::{Fault, Timestamp};
use mainspring_statistics::burn::{BurnRule, RECOMMENDED};

use crate::{
    evaluate::Looker,
    judge::Judged,
    measurements::{Measurements, Series, together},
    settle::Finding,
    spec::{Compare, MonitorSpec},
    state::{Figures, Verdict},
    stretch::Stretch,
};

/// The shortest of the windows.
pub(crate) const STEP: Duration = Duration::from_secs(5 * 60);
const HOUR_SECONDS: f64 = 3_600.0;
/// Where nothing comes for as long as this, it is missing.
const SILENCE: Stretch = Stretch::minutes(60);
/// The longest of the windows.
const SPAN: Duration = Duration::from_secs(72 * 3_600);

pub(crate) async fn look(looker: &Looker<'_>, objective: f64, data: &dyn Measurements) -> Result<Vec<Finding>, Box<dyn Fault>> {
    let end = looker.whole(STEP);
    let series = looker.read(data, (end.minus(SPAN), end), STEP, None).await?;
    let judge = |series: Series| {
        let judged = burning(objective, looker.spec.minimum, end, &series);
        Finding::new(series.slice, judged)
    };
    Ok(series.into_iter().map(judge).collect())
}

/// The time that figures are of. A budget has windows of its own.
pub(crate) fn window(spec: &MonitorSpec, figures: &Figures) -> Stretch {
    match (&spec.compare, figures.windows) {
        (_, Some((long, _))) => long,
        (Compare::Budget(_), None) => SILENCE,
        _ => spec.window,
    }
}

/// A pair of windows, and what they say.
#[derive(Debug, Clone, Copy)]
struct Pair {
    rule: BurnRule,
    /// In the long window.
    trials: u64,
    /// How fast the budget is used up in both.
    rate: f64,
}

impl Pair {
    /// Of its limit: from 1 on it is too fast.
    fn share(&self) -> f64 {
        self.rate / self.rule.limit
    }

    fn windows(&self) -> (Stretch, Stretch) {
        let minutes = |hours: f64| Stretch::minutes((hours * 60.0).round() as u64);
        (minutes(self.rule.long), minutes(self.rule.short))
    }
}

/// Whether any of the recommended pairs of windows uses the budget up too fast, of those whose long window has enough: little
/// traffic is in an hour too little to say anything of, and in three days it is not. Figures are those of the pair that fires,
/// the shortest of several, or else of the one that is nearest to it.
fn burning(objective: f64, minimum: u64, end: Timestamp, series: &Series) -> Judged {
    let counted = |hours: f64| {
        let from = end.minus(Duration::from_secs_f64(hours * HOUR_SECONDS));
        together(series, from, end).0.and_then(|summary| summary.rate()).unwrap_or_default()
    };
    let pairs = RECOMMENDED.map(|rule| {
        // A window in which nothing came used nothing up.
        let rate = rule.rate(objective, counted).unwrap_or(0.0);
        Pair { rule, trials: counted(rule.long).1, rate }
    });
    let [fast, _, slow] = pairs;
    let enough: Vec<Pair> = pairs.into_iter().filter(|pair| pair.trials >= minimum.max(1)).collect();
    let over = enough.iter().copied().find(|pair| pair.share() >= 1.0);
    let nearest = enough.iter().copied().max_by(|one, other| one.share().total_cmp(&other.share()));
    let (verdict, told, rate) = match (over, nearest) {
        (Some(pair), _) => (Verdict::Over, pair, Some(pair.rate)),
        (None, _) if fast.trials == 0 => (Verdict::Missing, fast, None),
        (None, Some(pair)) => (Verdict::Within, pair, Some(pair.rate)),
        (None, None) => (Verdict::TooFew, slow, None),
    };
    let figures = Figures {
        count: told.trials,
        value: rate,
        limit: Some(told.rule.limit),
        windows: Some(told.windows()),
        estimated: series.points.iter().any(|point| point.summary.is_estimate()),
        ..Figures::default()
    };
    (verdict, figures)
}
