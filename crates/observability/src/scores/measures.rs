//! Measures over scores, in the groups of spans that bear them.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::text::{did_you_mean, elide};
use mainspring_lake::{Filter, Scalar, Scan};

use super::{AT_ONCE, Scores, bearing::since, of_project, rows::number};
use crate::{
    fault::TraceFault,
    query::{self, Asking, MetricsQuestion},
    table::Rows,
};

/// Scores that one question may look at.
const SCORES_MAX: usize = 200_000;

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

/// `score.NAME.mean`: what is reckoned of the scores of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreMeasure {
    name: String,
    of: Statistic,
}

impl ScoreMeasure {
    /// None where this is a measure of something else.
    pub fn read(text: &str) -> Result<Option<Self>, TraceFault> {
        let Some(rest) = text.strip_prefix("score.") else { return Ok(None) };
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

/// A group: where its bucket of time begins, and its keys.
pub(crate) type Group = (Option<i64>, Vec<Option<String>>);

/// A score, and the span it was given to.
type Given = (Option<String>, usize, f64);

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
    let given = given(asking, scores, question, &names).await?;
    let columns: Vec<&'static str> = question.by.iter().map(|field| query::group_column(field)).collect::<Result<_, _>>()?;
    let among = query::seen(asking, question.filter.spans(asking.actor, asking.now)).await?;
    let width = question.bucket.map(|bucket| i64::try_from(bucket.as_micros()).unwrap_or(i64::MAX).max(1));
    let mut values: HashMap<Group, Vec<Vec<f64>>> = HashMap::new();
    let traces: Vec<&String> = given.keys().collect();
    for some in traces.chunks(AT_ONCE) {
        let bearers = bearers(asking, &among, some, &given, &columns).await?;
        for (start, keys, which, value) in bearers {
            let bucket = width.map(|width| start.div_euclid(width).saturating_mul(width));
            let of_group = values.entry((bucket, keys)).or_insert_with(|| vec![Vec::new(); names.len()]);
            of_group[which].push(value);
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

/// The scores of these names, by trace.
async fn given(
    asking: Asking<'_>,
    scores: &Scores,
    question: &MetricsQuestion,
    names: &[&str],
) -> Result<HashMap<String, Vec<Given>>, TraceFault> {
    let numbered = Filter::Not(Box::new(Filter::IsNull("number".into())));
    let among = of_project(asking.actor.project)
        .and(Filter::any_of("name", names.iter().copied()))
        .and(since(question.filter.from))
        .and(numbered);
    let scan = Scan::of(among).columns(&["name", "trace", "span", "number"]).limit(SCORES_MAX + 1);
    let (mut given, mut found): (HashMap<String, Vec<Given>>, usize) = (HashMap::new(), 0);
    for batch in scores.table().await?.scan(scan).await? {
        let rows = Rows(&batch);
        found += batch.num_rows();
        for row in 0..batch.num_rows() {
            // A score of a session is borne by no one span.
            let (Some(trace), Some(value)) = (rows.text("trace", row)?, number(&rows, row)?) else { continue };
            let Ok(which) = names.binary_search(&rows.text("name", row)?.unwrap_or_default()) else { continue };
            given.entry(trace.to_owned()).or_default().push((rows.text("span", row)?.map(str::to_owned), which, value));
        }
    }
    if found > SCORES_MAX { Err(TraceFault::TooMuch { rows: SCORES_MAX }) } else { Ok(given) }
}

/// A span that bears a score: when it began and its keys; and which score, and its value.
type Borne = (i64, Vec<Option<String>>, usize, f64);

/// A score of a trace is borne once, by the first span that it is entered by and that passes.
async fn bearers(
    asking: Asking<'_>,
    among: &Filter,
    traces: &[&String],
    given: &HashMap<String, Vec<Given>>,
    columns: &[&'static str],
) -> Result<Vec<Borne>, TraceFault> {
    let spans: HashSet<&str> =
        traces.iter().filter_map(|trace| given.get(*trace)).flatten().filter_map(|(span, ..)| span.as_deref()).collect();
    let bearing = Filter::Or(vec![Filter::Eq("entry".into(), Scalar::Bool(true)), Filter::any_of("span", spans)]);
    let these = among.clone().and(Filter::any_of("trace", traces.iter().map(|trace| trace.as_str()))).and(bearing);
    let mut asked = vec!["trace", "span", "start", "entry"];
    asked.extend(columns.iter().filter(|column| !["trace", "span"].contains(*column)));
    let mut entries: HashMap<String, (i64, String, Vec<Option<String>>)> = HashMap::new();
    let (mut known, mut borne) = (HashSet::new(), Vec::new());
    for batch in asking.table.scan(Scan::of(these).columns(&asked)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let trace = rows.text("trace", row)?.unwrap_or_default();
            let span = rows.text("span", row)?.unwrap_or_default();
            // What a sender repeated may be stored twice.
            if !known.insert((trace.to_owned(), span.to_owned())) {
                continue;
            }
            let start = rows.number("start", row)?.unwrap_or_default();
            let keys = columns.iter().map(|column| Ok(rows.text(column, row)?.map(str::to_owned)));
            let keys: Vec<Option<String>> = keys.collect::<Result<_, TraceFault>>()?;
            let scores = given.get(trace).into_iter().flatten();
            let own = scores.filter(|(of, ..)| of.as_deref() == Some(span));
            borne.extend(own.map(|(_, which, value)| (start, keys.clone(), *which, *value)));
            let first = entries.get(trace).is_none_or(|(began, other, _)| (start, span) < (*began, other.as_str()));
            if rows.yes("entry", row)? == Some(true) && first {
                entries.insert(trace.to_owned(), (start, span.to_owned(), keys));
            }
        }
    }
    for (trace, (start, _, keys)) in entries {
        let whole = given.get(&trace).into_iter().flatten().filter(|(of, ..)| of.is_none());
        borne.extend(whole.map(|(_, which, value)| (start, keys.clone(), *which, *value)));
    }
    Ok(borne)
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
