//! What points of a metric come to, step by step. Pure: it is told of points in the order of time, and says numbers.
//!
//! A step is what lies after where it begins, up to where it ends, as a point tells of the time until it: the one at the very
//! beginning is where counting starts.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use mainspring_kernel::Timestamp;

use super::{
    MetricValue,
    spread::{Histogram, Merged, MetricRange},
};

#[cfg(test)]
#[path = "../tests/points/steps.rs"]
mod tests;

/// For how long a point tells what its series is where no other comes, in microseconds: as long as with Prometheus.
pub(crate) const LOOK_BACK: i64 = 300_000_000;
/// Quantiles that summaries of one answer may name.
const NAMED_MAX: usize = 20;
/// Shares that are this near are the same one: programs write `0.999`, and people `p99.9`.
const NEAR: f64 = 1e-9;

/// A stretch of time in steps, in microseconds. The last may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) width: i64,
}

impl Steps {
    /// The step that a moment lies in.
    pub(super) fn of(&self, time: i64) -> Option<usize> {
        if time <= self.from || time > self.to {
            return None;
        }
        usize::try_from((time.saturating_sub(self.from) - 1) / self.width.max(1)).ok()
    }

    pub(super) fn begins(&self, step: usize) -> i64 {
        let behind = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(self.width);
        self.from.saturating_add(behind)
    }

    fn ends(&self, step: usize) -> i64 {
        self.begins(step).saturating_add(self.width).min(self.to)
    }

    fn count(&self) -> usize {
        self.of(self.to).map_or(0, |last| last + 1)
    }

    #[expect(clippy::cast_precision_loss, reason = "stretches of time are far below 2^52 microseconds")]
    fn seconds(&self, step: usize) -> f64 {
        self.ends(step).saturating_sub(self.begins(step)) as f64 / 1e6
    }
}

/// What is told of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A gauge: what it was.
    Level,
    /// A sum that rises and falls: what its series come to together.
    Together,
    /// A sum that only grows, or one of changes: by how much.
    Counter,
    Histogram,
    Summary,
}

impl Shape {
    /// What is told of it where nobody chose. `named`: the quantiles that its summaries name.
    fn usual(self, named: &[f64]) -> Vec<MetricValue> {
        use MetricValue::{Count, Increase, Last, Max, Mean, Min, Quantile, Rate};
        match self {
            Self::Level => vec![Mean, Min, Max, Last],
            Self::Together => vec![Last],
            Self::Counter => vec![Increase, Rate],
            Self::Histogram => vec![Count, Mean, Quantile(0.50), Quantile(0.95), Quantile(0.99)],
            Self::Summary => [Count, Mean].into_iter().chain(named.iter().copied().map(Quantile)).collect(),
        }
    }

    pub(super) const fn says(self, value: MetricValue) -> bool {
        use MetricValue::{Count, Increase, Last, Max, Mean, Min, Quantile, Rate, Sum};
        match self {
            Self::Level => matches!(value, Mean | Min | Max | Last),
            Self::Together => matches!(value, Last),
            Self::Counter => matches!(value, Increase | Rate),
            Self::Histogram => matches!(value, Count | Sum | Mean | Quantile(_)),
            Self::Summary => matches!(value, Count | Sum | Mean | Min | Max | Quantile(_)),
        }
    }

    /// What people call it, and what there is of it.
    pub(super) const fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Level => ("a gauge", "mean, min, max or last"),
            Self::Together => ("a sum that rises and falls", "last"),
            Self::Counter => ("a counter", "increase or rate"),
            Self::Histogram => ("a histogram", "count, sum, mean or a percentile such as p95"),
            Self::Summary => ("a summary", "count, sum, mean, or a percentile that its program names"),
        }
    }
}

/// What a point says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Number(f64),
    Histogram(Histogram),
    Summary {
        count: f64,
        sum: f64,
        /// Share and value.
        quantiles: Vec<(f64, f64)>,
    },
}

impl Said {
    /// What came since `before`; none where it fell: then it began anew.
    fn beyond(&self, before: &Self) -> Option<Self> {
        match (self, before) {
            (Self::Number(now), Self::Number(then)) => (now >= then).then(|| Self::Number(now - then)),
            (Self::Histogram(now), Self::Histogram(then)) => now.beyond(then).map(Self::Histogram),
            (Self::Summary { count, sum, quantiles }, Self::Summary { count: fewer, sum: less, .. }) => {
                (count >= fewer).then(|| Self::Summary { count: count - fewer, sum: sum - less, quantiles: quantiles.clone() })
            }
            _ => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Histogram(histogram) => histogram.size(),
            Self::Summary { quantiles, .. } => 2 + 2 * quantiles.len(),
        }
    }
}

/// Where a point stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) series: u128,
    pub(super) time: i64,
    /// Since when it counts, where it says so.
    pub(super) since: Option<i64>,
    /// Whether it counts since then; otherwise since the point before.
    pub(super) cumulative: bool,
}

/// What points add to those before them.
#[derive(Debug)]
pub(super) struct Increases {
    /// What began before counted things that nobody asks about.
    from: i64,
    /// By series and when it began: two processes that say the same of themselves are counted side by side, and one that was
    /// started again is another.
    last: HashMap<(u128, Option<i64>), Said>,
    /// Numbers in these, about.
    held: usize,
}

impl Increases {
    pub(super) fn since(from: i64) -> Self {
        Self { from, last: HashMap::new(), held: 0 }
    }

    /// What came with this point, if anybody can know.
    pub(super) fn of(&mut self, at: Place, said: Said) -> Option<Said> {
        if !at.cumulative {
            return Some(said);
        }
        let size = said.size();
        let before = self.last.insert((at.series, at.since), said.clone());
        // A histogram may have more buckets than the one before.
        self.held = (self.held + size).saturating_sub(before.as_ref().map_or(0, Said::size));
        match before {
            Some(before) => Some(said.beyond(&before).unwrap_or(said)),
            // One that counts since its own moment does not know since when.
            None => at.since.filter(|since| (self.from..at.time).contains(since)).map(|_| said),
        }
    }
}

/// What is known of a group in a step. Of what series come to together: of each its last point, and when that was; and what that
/// is where the step ends, once it is settled.
#[derive(Debug)]
enum Cell {
    Level { count: f64, sum: f64, min: f64, max: f64, last: (i64, f64) },
    Together(HashMap<u128, (i64, f64)>),
    Last(f64),
    Counter(f64),
    Histogram(Merged),
    Summary { count: f64, sum: f64, last: HashMap<u128, Vec<(f64, f64)>> },
}

impl Cell {
    fn new(shape: Shape) -> Self {
        match shape {
            Shape::Level => {
                Self::Level { count: 0.0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, last: (i64::MIN, 0.0) }
            }
            Shape::Together => Self::Together(HashMap::new()),
            Shape::Counter => Self::Counter(0.0),
            Shape::Histogram => Self::Histogram(Merged::default()),
            Shape::Summary => Self::Summary { count: 0.0, sum: 0.0, last: HashMap::new() },
        }
    }

    /// How many numbers more it takes to hold.
    fn add(&mut self, at: Place, said: Said) -> usize {
        match (self, said) {
            (Self::Level { count, sum, min, max, last }, Said::Number(number)) => {
                *count += 1.0;
                *sum += number;
                *min = f64::min(*min, number);
                *max = f64::max(*max, number);
                if at.time >= last.0 {
                    *last = (at.time, number);
                }
                0
            }
            (Self::Together(all), Said::Number(number)) => 4 * usize::from(all.insert(at.series, (at.time, number)).is_none()),
            (Self::Counter(all), Said::Number(number)) => {
                *all += number;
                0
            }
            (Self::Histogram(all), Said::Histogram(one)) => all.add(&one),
            (Self::Summary { count, sum, last }, Said::Summary { count: more, sum: also, quantiles }) => {
                *count += more;
                *sum += also;
                let size = |quantiles: &Vec<(f64, f64)>| 2 + 2 * quantiles.len();
                let now = size(&quantiles);
                now.saturating_sub(last.insert(at.series, quantiles).as_ref().map_or(0, size))
            }
            _ => 0,
        }
    }

    /// One of the values that there are of its shape, as far as it is known.
    fn value(&self, of: MetricValue, seconds: f64) -> Option<f64> {
        match (self, of) {
            (Self::Level { count, sum, .. }, MetricValue::Mean) => Some(sum / count),
            (Self::Level { min, .. }, MetricValue::Min) => Some(*min),
            (Self::Level { max, .. }, MetricValue::Max) => Some(*max),
            (Self::Level { last, .. }, MetricValue::Last) => Some(last.1),
            (Self::Last(all), MetricValue::Last) => Some(*all),
            (Self::Counter(all), MetricValue::Increase) => Some(*all),
            (Self::Counter(all), MetricValue::Rate) => (seconds > 0.0).then(|| all / seconds),
            (Self::Histogram(all), MetricValue::Count) => Some(all.count()),
            (Self::Histogram(all), MetricValue::Sum) => all.sum(),
            (Self::Histogram(all), MetricValue::Mean) => all.mean(),
            (Self::Histogram(all), MetricValue::Quantile(share)) => {
                let [found] = all.quantiles([share]);
                found
            }
            (Self::Summary { count, .. }, MetricValue::Count) => Some(*count),
            (Self::Summary { sum, .. }, MetricValue::Sum) => Some(*sum),
            (Self::Summary { count, sum, .. }, MetricValue::Mean) => (*count > 0.0).then(|| sum / count),
            (Self::Summary { last, .. }, MetricValue::Min) => named_quantile(last, 0.0),
            (Self::Summary { last, .. }, MetricValue::Max) => named_quantile(last, 1.0),
            (Self::Summary { last, .. }, MetricValue::Quantile(share)) => named_quantile(last, share),
            _ => None,
        }
    }
}

/// Of several that say it, no more is known than that it is not above the largest.
fn named_quantile(last: &HashMap<u128, Vec<(f64, f64)>>, share: f64) -> Option<f64> {
    let said = last.values().flatten().filter(|(at, _)| (at - share).abs() < NEAR);
    said.map(|(_, value)| *value).reduce(f64::max)
}

/// A cell, and how many points it is made of.
#[derive(Debug)]
struct Kept {
    points: u64,
    cell: Cell,
}

/// One value of a step, with what says how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFigure {
    /// It is of what is after this moment, up to the next step's.
    pub start: Timestamp,
    /// Points that it was made of.
    pub points: u64,
    /// None: points came, and do not say it.
    pub value: Option<f64>,
    /// Of a mean of what was counted, and of a percentile of a histogram: of how many numbers it is.
    pub of: Option<f64>,
    /// Of a percentile of a histogram: where these numbers lie, as far as that is known.
    pub ranges: Vec<MetricRange>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetricFigures {
    /// None: of all, where nothing is told apart.
    pub group: Option<String>,
    /// Those of which there is anything.
    pub steps: Vec<MetricFigure>,
}

/// Numbers of one group: of each step that has any, in the order of the measures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) value: Option<String>,
    pub(super) steps: Vec<(usize, Vec<Option<f64>>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) measures: Vec<String>,
    /// The largest first.
    pub(super) groups: Vec<Group>,
    /// Whether there are more groups.
    pub(super) more: bool,
}

/// What is known of a group, by step; none: of before the first.
type Cells = BTreeMap<Option<usize>, Kept>;

/// What is told of a group, step by step. Series come to something together where a step ends: each with its last point, if that is
/// not older than a step is long, or than it is looked back. So one that sent nothing in a step that is short, or not over yet, is
/// not taken to be gone.
fn settled(shape: Shape, steps: &Steps, mut cells: Cells) -> Vec<(usize, Kept)> {
    if shape != Shape::Together {
        return cells.into_iter().filter_map(|(step, kept)| Some((step?, kept))).collect();
    }
    let mut last: HashMap<u128, (i64, f64)> = HashMap::new();
    let mut told = Vec::new();
    for step in std::iter::once(None).chain((0..steps.count()).map(Some)) {
        let mut points = 0;
        if let Some(Kept { points: came, cell: Cell::Together(newer) }) = cells.remove(&step) {
            points = came;
            last.extend(newer);
        }
        let Some(step) = step else { continue };
        let since = steps.ends(step).saturating_sub(steps.width.max(LOOK_BACK));
        last.retain(|_, (time, _)| *time > since);
        if !last.is_empty() {
            let all = last.values().map(|(_, number)| number).sum();
            told.push((step, Kept { points, cell: Cell::Last(all) }));
        }
    }
    told
}

/// Points on their way to numbers.
#[derive(Debug)]
pub(super) struct Folding {
    shape: Shape,
    steps: Steps,
    increases: Increases,
    groups: BTreeMap<Option<String>, Cells>,
    /// Numbers that are held, about.
    held: usize,
}

impl Folding {
    pub(super) fn new(shape: Shape, steps: Steps) -> Self {
        Self { shape, steps, increases: Increases::since(steps.from), groups: BTreeMap::new(), held: 0 }
    }

    pub(super) const fn held(&self) -> usize {
        self.held + self.increases.held
    }

    /// Takes a point, none of which is older than the one before. Those of before the first step are what is counted from, or
    /// what is carried on.
    pub(super) fn add(&mut self, group: Option<&str>, at: Place, said: Said) {
        let step = self.steps.of(at.time);
        let is_before = at.time <= self.steps.from;
        let came = match self.shape {
            Shape::Level | Shape::Together => Some(said),
            Shape::Counter | Shape::Histogram | Shape::Summary => self.increases.of(at, said),
        };
        let Some(came) = came else { return };
        if step.is_none() && !(is_before && self.shape == Shape::Together) {
            return;
        }
        let cells = self.groups.entry(group.map(str::to_owned)).or_insert_with(|| {
            self.held += group.map_or(0, str::len) / size_of::<f64>();
            BTreeMap::new()
        });
        let kept = cells.entry(step).or_insert_with(|| {
            self.held += 7;
            Kept { points: 0, cell: Cell::new(self.shape) }
        });
        kept.points += 1;
        self.held += kept.cell.add(at, came);
    }

    /// What they came to: of the groups with the largest numbers these values, or the usual ones where none are wanted.
    pub(super) fn told(self, wanted: &[MetricValue], most: usize) -> Told {
        let Self { shape, steps, groups, .. } = self;
        let wanted = if wanted.is_empty() { shape.usual(&named(&groups)) } else { wanted.to_vec() };
        let told = |(value, cells): (Option<String>, Cells)| {
            let values = |(step, kept): (usize, Kept)| {
                let seconds = steps.seconds(step);
                (step, wanted.iter().map(|of| kept.cell.value(*of, seconds)).collect())
            };
            Group { value, steps: settled(shape, &steps, cells).into_iter().map(values).collect() }
        };
        let groups = groups.into_iter().map(told);
        // One that was heard of for the last time before the first step is not of this time.
        let mut groups: Vec<Group> = groups.filter(|group| !group.steps.is_empty()).collect();
        let size = |group: &Group| -> f64 {
            group.steps.iter().filter_map(|(_, values)| values.first().copied().flatten()).map(f64::abs).sum()
        };
        // Groups of one size stay in the order of their values.
        groups.sort_by(|one, other| size(other).total_cmp(&size(one)));
        let more = groups.len() > most;
        groups.truncate(most);
        Told { measures: wanted.iter().map(ToString::to_string).collect(), groups, more }
    }

    /// One value of each step in which points came, of the groups with the most points. `apart`: points that have no such attribute
    /// are of no group.
    pub(super) fn figures(self, value: MetricValue, apart: bool, most: usize) -> Vec<MetricFigures> {
        let Self { shape, steps, groups, .. } = self;
        let told = |(group, cells): (Option<String>, Cells)| {
            let mut told = settled(shape, &steps, cells);
            // Silence is no value, whatever was carried on into it.
            told.retain(|(_, kept)| kept.points > 0);
            (group, told)
        };
        let groups = groups.into_iter().filter(|(group, _)| group.is_some() == apart).map(told);
        let mut groups: Vec<_> = groups.filter(|(_, told)| !told.is_empty()).collect();
        // Groups of as many stay in the order of their values.
        groups.sort_by_cached_key(|(_, told)| Reverse(told.iter().map(|(_, kept)| kept.points).sum::<u64>()));
        let figures = |(group, told): (Option<String>, Vec<(usize, Kept)>)| MetricFigures {
            group,
            steps: told.into_iter().map(|(step, kept)| kept.figure(value, &steps, step)).collect(),
        };
        groups.into_iter().take(most).map(figures).collect()
    }
}

impl Kept {
    fn figure(&self, value: MetricValue, steps: &Steps, step: usize) -> MetricFigure {
        let (of, ranges) = match (&self.cell, value) {
            (Cell::Histogram(all), MetricValue::Quantile(_)) => (Some(all.count()), all.ranges()),
            (Cell::Histogram(all), MetricValue::Mean) => (Some(all.count()), Vec::new()),
            (Cell::Summary { count, .. }, MetricValue::Mean) => (Some(*count), Vec::new()),
            _ => (None, Vec::new()),
        };
        let start = Timestamp::from_micros(steps.begins(step));
        MetricFigure { start, points: self.points, value: self.cell.value(value, steps.seconds(step)), of, ranges }
    }
}

/// The quantiles that summaries name, in order.
fn named(groups: &BTreeMap<Option<String>, Cells>) -> Vec<f64> {
    // Shares between nought and one are in the order of their bits.
    let mut shares = BTreeSet::new();
    for kept in groups.values().flat_map(BTreeMap::values) {
        let Cell::Summary { last, .. } = &kept.cell else { break };
        shares.extend(last.values().flatten().map(|(share, _)| share.to_bits()));
    }
    shares.into_iter().take(NAMED_MAX).map(f64::from_bits).collect()
}
