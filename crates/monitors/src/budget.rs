//! How fast an error budget is used up, over pairs of windows.

use std::time::Duration;

use mainspring_kernel::{Fault, Timestamp};
use mainspring_statistics::burn::{Burn, RECOMMENDED, burn_rate};

use crate::{
    evaluate::Looker,
    judge::Judged,
    measurements::{Measurements, Series, together},
    settle::Finding,
    state::{Figures, Verdict},
};

/// The shortest of the windows.
pub(crate) const STEP: Duration = Duration::from_secs(5 * 60);
const HOUR_SECONDS: f64 = 3_600.0;
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

/// Whether any of the recommended pairs of windows uses the budget up too fast, of those whose long window has enough: little
/// traffic is in an hour too little to say anything of, and in three days it is not.
fn burning(objective: f64, minimum: u64, end: Timestamp, series: &Series) -> Judged {
    let counted = |hours: f64| {
        let from = end.minus(Duration::from_secs_f64(hours * HOUR_SECONDS));
        together(series, from, end).0.and_then(|summary| summary.rate()).unwrap_or_default()
    };
    let estimated = series.points.iter().any(|point| point.summary.is_estimate());
    let rules = RECOMMENDED;
    let [fast, _, slow] = rules;
    let (hits, trials) = counted(fast.long);
    let mut enough = rules.iter().filter(|rule| counted(rule.long).1 >= minimum.max(1)).peekable();
    let any = enough.peek().is_some();
    let verdict = if enough.any(|rule| rule.check(objective, counted) == Burn::Over) {
        Verdict::Over
    } else if trials == 0 {
        Verdict::Missing
    } else if any {
        Verdict::Within
    } else {
        Verdict::TooFew
    };
    let count = if verdict == Verdict::TooFew { counted(slow.long).1 } else { trials };
    let value = burn_rate(hits, trials, objective);
    (verdict, Figures { count, value, limit: Some(fast.limit), estimated, ..Figures::default() })
}
