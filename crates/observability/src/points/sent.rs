//! Series as they were sent, one by one, for whoever puts them together otherwise.

use std::collections::HashMap;

use mainspring_kernel::{Actor, Timestamp};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};
use serde_json::{Map, Value};

use super::{
    MetricForm, MetricPoints, PointFilter,
    forms::{CROWDED_MAX, Counted, SEEN, Seen, each, of_form},
    series::{READ, place},
    steps::{Increases, Said},
};
use crate::{fault::TraceFault, query::float};

/// Bytes of attributes in memory, as they are kept.
const ATTRIBUTES_MAX: usize = 32 << 20;
/// Sets of attributes of one answer.
const SETS_MAX: usize = 10_000;
/// Names among which one is looked for, and those whose forms are asked for at once.
const NAMES_MAX: usize = 20_000;
const NAMES_AT_ONCE: usize = 500;

/// Which number of its points is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Value,
    /// Of histograms and summaries, as the next.
    Count,
    Sum,
}

impl Part {
    const fn column(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Count => "count",
            Self::Sum => "sum",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) attributes: Map<String, Value>,
    /// Oldest first.
    pub(crate) points: Vec<SentPoint>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct SentPoint {
    pub(crate) time: i64,
    pub(crate) number: f64,
    /// It counts since its sender began, or counts nothing; otherwise since the point before.
    pub(crate) is_whole: bool,
    /// What came since the point before, where it counts something and that is known.
    pub(crate) came: Option<f64>,
}

impl MetricPoints {
    /// The names of what was sent between two moments, both included, those first that were sent last, and whether there are more.
    pub(crate) async fn names_sent(&self, actor: &Actor, between: (i64, i64)) -> Result<(Vec<String>, bool), TraceFault> {
        let asked = Aggregate::of(sent_between(actor, between)).by("name").measure(SEEN, MeasureOf::Max("time".into()));
        let grouped = self.table().await?.aggregate(asked.order(SEEN, Order::Descending).limit(NAMES_MAX)).await?;
        let mut names = Vec::new();
        each(&grouped, |rows, row| {
            names.extend(rows.text("name", row)?.map(str::to_owned));
            Ok(())
        })?;
        Ok((names, grouped.more))
    }

    /// What was sent under these names: each in each of its forms, those first that were sent last; and whether some are left out,
    /// since a name has more than so many.
    pub(crate) async fn forms_sent(
        &self,
        actor: &Actor,
        (names, most): (&[String], usize),
        between: (i64, i64),
    ) -> Result<(Vec<(String, MetricForm)>, bool), TraceFault> {
        let among = sent_between(actor, between);
        let (mut all, mut cut, mut crowded): (Vec<Seen>, bool, usize) = (Vec::new(), false, 0);
        for names in names.chunks(NAMES_AT_ONCE) {
            let mut these: Vec<&str> = names.iter().map(String::as_str).collect();
            let among = among.clone().and(Filter::any_of("name", these.iter().copied()));
            let counted = self.counted_forms(&among).await?;
            // Each of these is a question of its own.
            these.retain(|name| {
                let is_crowded = counted.get(*name).is_some_and(Counted::is_crowded);
                crowded += usize::from(is_crowded);
                !is_crowded || crowded <= CROWDED_MAX
            });
            cut |= these.len() < names.len();
            let (forms, more) = self.forms_of_each(&among, (these.as_slice(), &counted), most).await?;
            cut |= more;
            for (name, forms) in forms {
                all.extend(forms.into_iter().map(|(form, last)| (name.clone(), form, last)));
            }
        }
        all.sort_by(|(name, _, last), (other, _, seen)| seen.cmp(last).then_with(|| name.cmp(other)));
        Ok((all.into_iter().map(|(name, form, _)| (name, form)).collect(), cut))
    }

    /// What stands at points between two moments, both included, of one metric or of all: each set of attributes once, those
    /// first that were sent last, and whether there are more.
    pub(crate) async fn attributes_sent(
        &self,
        actor: &Actor,
        of: Option<(&str, &MetricForm)>,
        between: (i64, i64),
    ) -> Result<(Vec<Map<String, Value>>, bool), TraceFault> {
        let of = of.map_or(Filter::All, |(name, form)| Filter::eq("name", name).and(of_form(form)));
        let asked = Aggregate::of(sent_between(actor, between).and(of)).by("attributes");
        let asked = asked.measure(SEEN, MeasureOf::Max("time".into())).order(SEEN, Order::Descending).limit(SETS_MAX);
        let grouped = self.table().await?.aggregate(asked).await?;
        let (mut sets, mut held, mut more) = (Vec::new(), 0, grouped.more);
        each(&grouped, |rows, row| {
            let kept = rows.text("attributes", row)?.unwrap_or("{}");
            held += kept.len();
            if held > ATTRIBUTES_MAX {
                more = true;
            } else {
                sets.push(serde_json::from_str(kept).unwrap_or_default());
            }
            Ok(())
        })?;
        Ok((sets, more))
    }

    /// Every series of a metric, with its points between two moments, both included. A series that began at the third or later
    /// counts from its beginning. More points than this many are a fault.
    pub(crate) async fn sent(
        &self,
        actor: &Actor,
        (name, form, part): (&str, &MetricForm, Part),
        (from, to, counted_from): (i64, i64, i64),
        most: u64,
    ) -> Result<Vec<Sent>, TraceFault> {
        let among = PointFilter { name: Some(name.to_owned()), ..PointFilter::default() }.condition(actor).and(of_form(form));
        let mut columns = READ.to_vec();
        columns.extend([part.column(), "attributes"]);
        let (mut places, mut all): (HashMap<u128, usize>, Vec<Sent>) = (HashMap::new(), Vec::new());
        let mut held = 0;
        let mut increases = Increases::since(counted_from);
        self.each(among, (from, to), most, &columns, |rows, row| {
            let Some(number) = float(rows, part.column(), row)?.filter(|number| number.is_finite()) else { return Ok(()) };
            let at = place(rows, row)?;
            let which = *places.entry(at.series).or_insert(all.len());
            if which == all.len() {
                let kept = rows.text("attributes", row)?.unwrap_or("{}");
                held += kept.len();
                if held > ATTRIBUTES_MAX {
                    return Err(TraceFault::TooManyPoints { most });
                }
                all.push(Sent { attributes: serde_json::from_str(kept).unwrap_or_default(), points: Vec::new() });
            }
            let came = match increases.of(at, Said::Number(number)) {
                Some(Said::Number(came)) => Some(came),
                _ => None,
            };
            all[which].points.push(SentPoint { time: at.time, number, is_whole: at.cumulative, came });
            Ok(())
        })
        .await?;
        Ok(all)
    }
}

/// Points of the actor's project between two moments, both included.
fn sent_between(actor: &Actor, (from, to): (i64, i64)) -> Filter {
    let to = Some(Timestamp::from_micros(to.saturating_add(1)));
    PointFilter { from: Some(Timestamp::from_micros(from)), to, ..PointFilter::default() }.condition(actor)
}
