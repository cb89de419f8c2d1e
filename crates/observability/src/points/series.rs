//! What a metric came to over time, in groups.

use std::{collections::BTreeSet, time::Duration};

use mainspring_kernel::{Actor, Timestamp, text::elide};
use mainspring_lake::{Filter, Order, Scalar, Scan};
use serde_json::{Map, Value};

use super::{
    Counting, MetricFigures, MetricForm, MetricPoints, MetricValue, PointFilter, PointKind, Temporality,
    by::PointBy,
    forms::{APART_MAX, of_form, others},
    reading::POINTS_MAX,
    spread::{Buckets, Histogram},
    steps::{Folding, LOOK_BACK, Place, Said, Shape, Steps, Told},
};
use crate::{conventions::is_content, fault::TraceFault, query::float, query::width_for, table::Rows};

#[cfg(test)]
#[path = "../tests/points/asking.rs"]
mod tests;

/// Steps of one answer, and groups.
const STEPS_MAX: i64 = 2_000;
const GROUPS_MAX: usize = 50;
/// Most programs send once a minute: in shorter steps every other one would have nothing.
const STEP_LEAST: i64 = 120_000_000;
/// Numbers in memory, most of them in the buckets of histograms.
const HELD_MAX: usize = 4_000_000;
/// Points whose attributes are named.
const LOOKED_AT: usize = 100;
const ATTRIBUTES_MAX: usize = 100;
/// How much earlier than the first step it is looked for what counters count from.
const BEFORE_MAX: i64 = 3_600_000_000;
/// Columns that are read of every point.
pub(super) const READ: [&str; 5] = ["point", "series", "time", "since", "temporality"];

/// Which metric is asked about, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricQuestion {
    pub name: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// None: as long as makes a chart that can be read.
    pub step: Option<Duration>,
    /// An attribute whose values are told apart.
    pub by: Option<String>,
    pub service: Option<String>,
    pub model: Option<String>,
    /// What of what is sent under this name, as the next three; none: what was sent last.
    pub kind: Option<PointKind>,
    /// An empty one is a unit, too.
    pub unit: Option<String>,
    /// Of sums: whether they never fall.
    pub monotonic: Option<bool>,
    /// Points that count so, and no others.
    pub temporality: Option<Counting>,
    /// Only points that have one of these values under each of these names.
    pub attributes: Vec<(String, Vec<String>)>,
    /// What each step is to say; none: what is usual for the form.
    pub values: Vec<MetricValue>,
    /// Groups at most; none: as many as one answer tells.
    pub groups: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// None: no point came in this time.
    pub form: Option<MetricForm>,
    /// What else is sent under this name, those first that were sent last, and how many more there are, about.
    pub others: Vec<MetricForm>,
    pub more_forms: u64,
    pub from: Timestamp,
    pub to: Timestamp,
    pub step: Duration,
    /// What each step says, in the order of its values.
    pub measures: Vec<String>,
    /// The largest first.
    pub groups: Vec<MetricGroup>,
    /// Whether there are more groups.
    pub more: bool,
    /// Attributes of the newest points.
    pub attributes: Vec<String>,
    /// Points that were looked at.
    pub points: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetricGroup {
    /// None: of points that have no such attribute, or of all where nothing is told apart.
    pub value: Option<String>,
    /// Those of which anything is known.
    pub steps: Vec<MetricStep>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetricStep {
    /// What is after this moment, up to the next step's.
    pub start: Timestamp,
    pub values: Vec<Option<f64>>,
}

impl MetricPoints {
    /// What the metric came to, step by step. A counter's increase is what lies between two of its points, and counts where the
    /// later one is; of the first that is known only what it counted in this time.
    pub async fn series(&self, actor: &Actor, question: &MetricQuestion) -> Result<MetricSeries, TraceFault> {
        let MetricQuestion { name, from, to, step, by, values, groups: most, .. } = question;
        let steps = steps(*from, *to, *step)?;
        let by = by.as_deref().map(PointBy::read).transpose()?;
        let named = question.named(actor)?;
        let within = within(&steps);
        let in_time = named.clone().and(within.clone());
        let (forms, cut) = self.forms(in_time.clone(), APART_MAX).await?;
        let mut forms: Vec<MetricForm> = forms.into_iter().map(|(_, form, _)| form).collect();
        let mut meant = forms.iter().position(|form| question.means(form)).map(|at| forms.remove(at));
        let mut counted = None;
        if cut {
            counted = self.counted_forms(&in_time).await?.remove(name);
            if meant.is_none() {
                // It may have been sent before those.
                let (found, _) = self.forms(in_time.and(question.meant()), 1).await?;
                meant = found.into_iter().next().map(|(_, form, _)| form);
            }
        }
        let mut answer = MetricSeries {
            form: None,
            others: Vec::new(),
            more_forms: 0,
            from: *from,
            to: *to,
            step: Duration::from_micros(steps.width.unsigned_abs()),
            measures: Vec::new(),
            groups: Vec::new(),
            more: false,
            attributes: Vec::new(),
            points: 0,
        };
        let Some(form) = meant else {
            let mut forms = forms.into_iter();
            if let Some(newest) = forms.next() {
                let (others, more_forms) = others(&newest, forms, counted.as_ref());
                answer.others = std::iter::once(newest).chain(others).collect();
                answer.more_forms = more_forms;
            }
            return Ok(answer);
        };
        for value in values {
            check_value(name, &form, *value)?;
        }
        (answer.others, answer.more_forms) = others(&form, forms, counted.as_ref());
        let among = question.of(named, &form);
        answer.attributes = self.attributes(among.clone().and(within)).await?;
        let mut folding = Folding::new(shape(&form), steps);
        answer.points = self.fold(among, (&form, by.as_ref()), steps, &mut folding).await?;
        let Told { measures, groups, more } = folding.told(values, most.unwrap_or(GROUPS_MAX));
        let group = |group: super::steps::Group| MetricGroup {
            value: group.value,
            steps: group.steps.into_iter().map(|(step, values)| MetricStep { start: begins(&steps, step), values }).collect(),
        };
        Ok(MetricSeries { form: Some(form), measures, groups: groups.into_iter().map(group).collect(), more, ..answer })
    }

    /// One value of each step and group, those with the most points, for whoever holds it against a limit: he does not choose
    /// among what is sent under the name, so that has to be of one form, and points that have no such attribute are nobody's.
    /// Nothing where no point came.
    pub async fn figures(
        &self,
        actor: &Actor,
        question: &MetricQuestion,
        value: MetricValue,
    ) -> Result<Vec<MetricFigures>, TraceFault> {
        let MetricQuestion { name, from, to, step, by, groups, .. } = question;
        let width = step.unwrap_or_else(|| to.since(*from));
        let width = i64::try_from(width.as_micros()).unwrap_or(i64::MAX).max(1);
        let steps = Steps { from: from.as_micros(), to: to.as_micros(), width };
        let by = by.as_deref().map(PointBy::read).transpose()?;
        let named = question.named(actor)?;
        let meant = named.clone().and(within(&steps)).and(question.meant());
        let (forms, _) = self.forms(meant, APART_MAX).await?;
        let mut forms = forms.into_iter().map(|(_, form, _)| form);
        let Some(form) = forms.next() else { return Ok(Vec::new()) };
        if !forms.all(|other| form.is_like(&other)) {
            let told = "is sent in several kinds or units: say `kind`, `unit`, `monotonic` or `temporality`, or by `attributes` \
                which points are meant";
            return Err(TraceFault::Question { reason: format!("`{}` {told}", elide(name, 60)) });
        }
        check_value(name, &form, value)?;
        let mut folding = Folding::new(shape(&form), steps);
        self.fold(question.of(named, &form), (&form, by.as_ref()), steps, &mut folding).await?;
        Ok(folding.figures(value, by.is_some(), groups.unwrap_or(GROUPS_MAX)))
    }

    async fn fold(
        &self,
        among: Filter,
        (form, by): (&MetricForm, Option<&PointBy>),
        steps: Steps,
        folding: &mut Folding,
    ) -> Result<u64, TraceFault> {
        let mut columns = READ.to_vec();
        columns.extend_from_slice(match form.kind {
            PointKind::Gauge | PointKind::Sum => &["value"],
            PointKind::Histogram | PointKind::ExponentialHistogram | PointKind::Summary => {
                &["count", "sum", "min", "max", "buckets"]
            }
        });
        columns.extend(by.map(PointBy::column));
        let before = match shape(form) {
            // What it was before says nothing of what it is.
            Shape::Level => 0,
            Shape::Together => LOOK_BACK,
            // They are counted on from what they said before.
            Shape::Counter | Shape::Histogram | Shape::Summary => steps.width.clamp(STEP_LEAST, BEFORE_MAX),
        };
        let between = (steps.from.saturating_sub(before), steps.to);
        self.each(among, between, POINTS_MAX, &columns, |rows, row| {
            let Some(said) = said(rows, row, form.kind)? else { return Ok(()) };
            let at = place(rows, row)?;
            let group = by.map(|by| by.of(rows, row)).transpose()?.flatten();
            folding.add(group.as_deref(), at, said);
            if folding.held() > HELD_MAX { Err(TraceFault::TooManyPoints { most: POINTS_MAX }) } else { Ok(()) }
        })
        .await
    }

    /// The names of attributes that groups can be made of, as far as the newest points have them.
    async fn attributes(&self, among: Filter) -> Result<Vec<String>, TraceFault> {
        let scan = Scan::of(among).columns(&["attributes"]).order("time", Order::Descending).limit(LOOKED_AT);
        let mut names = BTreeSet::new();
        for batch in self.table().await?.scan(scan).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let kept = rows.text("attributes", row)?.unwrap_or("{}");
                let attributes: Map<String, Value> = serde_json::from_str(kept).unwrap_or_default();
                let plain = attributes.into_iter().filter(|(name, value)| !(is_content(name) || is_nested(value)));
                names.extend(plain.map(|(name, _)| name));
            }
        }
        Ok(names.into_iter().take(ATTRIBUTES_MAX).collect())
    }
}

impl MetricQuestion {
    /// Points of that name that have what it asks for.
    fn named(&self, actor: &Actor) -> Result<Filter, TraceFault> {
        let Self { name, service, model, attributes, .. } = self;
        let named =
            PointFilter { name: Some(name.clone()), service: service.clone(), model: model.clone(), from: None, to: None };
        let mut among = named.condition(actor);
        for (attribute, values) in attributes {
            among = among.and(PointBy::read(attribute)?.one_of(values));
        }
        Ok(among)
    }

    fn means(&self, form: &MetricForm) -> bool {
        let Self { kind, unit, monotonic, temporality, .. } = self;
        kind.is_none_or(|kind| form.kind == kind)
            && unit.as_ref().is_none_or(|unit| form.unit == *unit)
            && monotonic.is_none_or(|monotonic| form.kind == PointKind::Sum && form.monotonic == monotonic)
            && temporality.is_none_or(|counting| counting == Counting::of(form.temporality))
    }

    /// Points of the forms that are meant.
    fn meant(&self) -> Filter {
        let mut parts = Vec::new();
        parts.extend(self.kind.map(|kind| Filter::eq("kind", kind.as_str())));
        parts.extend(self.unit.as_ref().map(|unit| Filter::eq("unit", unit.as_str())));
        parts.extend(self.monotonic.map(|monotonic| Filter::Eq("monotonic".into(), Scalar::Bool(monotonic))));
        parts.extend(self.temporality.map(Counting::condition));
        Filter::And(parts)
    }

    /// Of these the points of this form that are meant.
    fn of(&self, named: Filter, form: &MetricForm) -> Filter {
        named.and(of_form(form)).and(self.temporality.map_or(Filter::All, Counting::condition))
    }
}

fn check_value(name: &str, form: &MetricForm, value: MetricValue) -> Result<(), TraceFault> {
    let shape = shape(form);
    if shape.says(value) {
        return Ok(());
    }
    let (what, there_is) = shape.in_words();
    let reason = format!("`{}` is {what}, of which there is no {value}: take {there_is}", elide(name, 60));
    Err(TraceFault::Question { reason })
}

fn within(steps: &Steps) -> Filter {
    Filter::Gt("time".into(), steps.from.into()).and(Filter::LtEq("time".into(), steps.to.into()))
}

const fn is_nested(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_) | Value::Null)
}

fn begins(steps: &Steps, step: usize) -> Timestamp {
    Timestamp::from_micros(steps.begins(step))
}

fn steps(from: Timestamp, to: Timestamp, step: Option<Duration>) -> Result<Steps, TraceFault> {
    let (from, to) = (from.as_micros(), to.as_micros());
    let wrong = |reason: String| TraceFault::Question { reason };
    if from >= to {
        return Err(wrong("`from` is a time before `to`".to_owned()));
    }
    let stretch = to.saturating_sub(from);
    let usual = || width_for(stretch).max(STEP_LEAST);
    let width = step.map_or_else(usual, |step| i64::try_from(step.as_micros()).unwrap_or(i64::MAX));
    if width <= 0 {
        return Err(wrong("`step` is a stretch of time that is longer than nothing".to_owned()));
    }
    if (stretch - 1) / width >= STEPS_MAX {
        return Err(wrong(format!("that is more than {STEPS_MAX} steps: take longer ones, or less time")));
    }
    Ok(Steps { from, to, width })
}

pub(super) fn shape(form: &MetricForm) -> Shape {
    match form.kind {
        PointKind::Gauge => Shape::Level,
        PointKind::Sum if form.monotonic || form.temporality == Some(Temporality::Delta) => Shape::Counter,
        PointKind::Sum => Shape::Together,
        PointKind::Histogram | PointKind::ExponentialHistogram => Shape::Histogram,
        PointKind::Summary => Shape::Summary,
    }
}

pub(super) fn place(rows: &Rows<'_>, row: usize) -> Result<Place, TraceFault> {
    let unreadable = || TraceFault::Unreadable { reason: "`series` of a metric's point".to_owned() };
    let series = rows.text("series", row)?.and_then(|series| u128::from_str_radix(series, 16).ok());
    Ok(Place {
        series: series.ok_or_else(unreadable)?,
        time: rows.number("time", row)?.unwrap_or_default(),
        since: rows.number("since", row)?,
        // What does not say how it counts goes on counting, as most do; summaries always do.
        cumulative: rows.text("temporality", row)? != Some(Temporality::Delta.as_str()),
    })
}

/// What a row says; nothing where its number is none.
pub(super) fn said(rows: &Rows<'_>, row: usize, kind: PointKind) -> Result<Option<Said>, TraceFault> {
    let number = |name: &str| Ok::<_, TraceFault>(float(rows, name, row)?.filter(|number| number.is_finite()));
    if matches!(kind, PointKind::Gauge | PointKind::Sum) {
        return Ok(number("value")?.map(Said::Number));
    }
    let buckets = rows.text("buckets", row)?.map(serde_json::from_str::<Value>).transpose();
    let buckets = buckets.map_err(|_| TraceFault::Unreadable { reason: "`buckets` of a metric's point".to_owned() })?;
    let (count, sum) = (number("count")?.unwrap_or_default(), number("sum")?);
    if kind == PointKind::Summary {
        let quantiles = buckets.as_ref().map(quantiles).unwrap_or_default();
        return Ok(Some(Said::Summary { count, sum: sum.unwrap_or_default(), quantiles }));
    }
    let buckets = buckets.as_ref().map_or(Buckets::Unknown, Buckets::read);
    Ok(Some(Said::Histogram(Histogram { count, sum, min: number("min")?, max: number("max")?, buckets })))
}

fn quantiles(kept: &Value) -> Vec<(f64, f64)> {
    let all = kept.get("quantiles").and_then(Value::as_array).into_iter().flatten();
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
    all.filter_map(|at| number(at, "quantile").zip(number(at, "value"))).collect()
}
