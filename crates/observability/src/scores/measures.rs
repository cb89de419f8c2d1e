//! Measures over scores, in the groups of spans that bear them.

use std::collections::HashMap;

use mainspring_kernel::text::{did_you_mean, elide};
use mainspring_lake::Filter;

use super::{Scores, bearers, bearing::since, of_project};
use crate::{
    fault::TraceFault,
    query::{self, Asking, By, MetricsQuestion},
};

/// Values that one answer is reckoned of: all of them are in memory, since percentiles are exact.
const SCORES_MAX: usize = 5_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Statistic {
    Count,
    Mean,
    Min,
    Max,
    Quantile(f64),
}

const STATISTICS: [(&str, Statistic); 8] = [
    ("count", Statistic::Count),
    ("mean", Statistic::Mean),
    ("min", Statistic::Min),
    ("max", Statistic::Max),
    ("p50", Statistic::Quantile(0.50)),
    ("p90", Statistic::Quantile(0.90)),
    ("p95", Statistic::Quantile(0.95)),
    ("p99", Statistic::Quantile(0.99)),
];

/// How the name of every measure of scores begins.
pub(crate) const OF_SCORES: &str = "score.";

/// `score.NAME.mean`: what is reckoned of the scores of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreMeasure {
    name: String,
    of: Statistic,
}

impl ScoreMeasure {
    /// None where this is a measure of something else.
    pub fn read(text: &str) -> Result<Option<Self>, TraceFault> {
        let Some(rest) = text.strip_prefix(OF_SCORES) else { return Ok(None) };
        let (name, statistic) = rest.rsplit_once('.').unwrap_or((rest, ""));
        let known = STATISTICS.iter().find(|(word, _)| *word == statistic);
        match known {
            Some((_, of)) if !name.is_empty() => Ok(Some(Self { name: name.to_owned(), of: *of })),
            _ => {
                let words = did_you_mean(statistic, STATISTICS.iter().map(|(word, _)| *word));
                let reason = format!("`{}` is written score.NAME.mean, with what is reckoned at its end{words}", elide(text, 60));
                Err(TraceFault::Question { reason })
            }
        }
    }
}

/// The column of a field that scores can be grouped by: attributes of those that bear them are not read.
pub(crate) fn score_group(field: &str) -> Result<&'static str, TraceFault> {
    match By::read(field)? {
        By::Column(column) => Ok(column),
        By::Attribute(_) => {
            Err(TraceFault::Question { reason: "scores are grouped by a field of spans, not by an attribute".to_owned() })
        }
    }
}

/// A group: where its bucket of time begins, and its keys.
pub(crate) type Group = (Option<i64>, Vec<Option<String>>);

/// What was reckoned for each group, in the order of the measures. The filter of the question has its times.
pub(crate) async fn measured(
    asking: Asking<'_>,
    scores: &Scores,
    question: &MetricsQuestion,
    wanted: &[ScoreMeasure],
) -> Result<HashMap<Group, Vec<Option<f64>>>, TraceFault> {
    let mut names: Vec<&str> = wanted.iter().map(|measure| measure.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let columns: Vec<&'static str> = question.by.iter().map(|field| score_group(field)).collect::<Result<_, _>>()?;
    let among = query::seen(asking, question.filter.spans(asking.actor, asking.now)).await?;
    let width = question.bucket.map(|bucket| i64::try_from(bucket.as_micros()).unwrap_or(i64::MAX).max(1));
    // A score of a session is borne by no one span.
    let of_traces = [Filter::present("number"), Filter::present("trace"), since(question.filter.from)];
    let named = of_project(asking.actor.project).and(Filter::any_of("name", names.iter().copied()));
    let these = of_traces.into_iter().fold(named, Filter::and);
    let mut values: HashMap<Group, Vec<Vec<f64>>> = HashMap::new();
    let mut left = SCORES_MAX;
    for piece in scores.pieces(&these, "stored").await? {
        let given = scores.given(piece).await?;
        let borne = bearers(asking.table, &among, &given, &columns).await?;
        for (score, bearer) in given.iter().zip(borne) {
            let (Some(bearer), Some(value)) = (bearer, score.value.number()) else { continue };
            let Ok(which) = names.binary_search(&score.name.as_str()) else { continue };
            left = left.checked_sub(1).ok_or(TraceFault::TooMuch { rows: SCORES_MAX })?;
            let bucket = width.map(|width| bearer.start.div_euclid(width).saturating_mul(width));
            let group = values.entry((bucket, bearer.says.clone()));
            group.or_insert_with(|| vec![Vec::new(); names.len()])[which].push(value);
        }
    }
    let reckon = |(group, mut values): (Group, Vec<Vec<f64>>)| -> (Group, Vec<Option<f64>>) {
        values.iter_mut().for_each(|values| values.sort_unstable_by(f64::total_cmp));
        let of =
            |measure: &ScoreMeasure| names.binary_search(&measure.name.as_str()).ok().map(|at| reckoned(&values[at], measure.of));
        (group, wanted.iter().map(|measure| of(measure).flatten()).collect())
    };
    Ok(values.into_iter().map(reckon).collect())
}

/// Of sorted values; of none there is nothing but their number.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are far fewer than 2^52"
)]
fn reckoned(sorted: &[f64], of: Statistic) -> Option<f64> {
    let count = sorted.len() as f64;
    match of {
        Statistic::Count => Some(count),
        Statistic::Mean => (!sorted.is_empty()).then(|| sorted.iter().sum::<f64>() / count),
        Statistic::Min => sorted.first().copied(),
        Statistic::Max => sorted.last().copied(),
        Statistic::Quantile(share) => sorted.get(((count * share).ceil() as usize).max(1) - 1).copied(),
    }
}
