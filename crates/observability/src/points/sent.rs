//! Series as they were sent, one by one, for whoever puts them together otherwise.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use mainspring_kernel::{Actor, Timestamp};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};
use serde_json::{Map, Value};

use super::{
    MetricForm, MetricPoints, PointFilter,
    forms::{SEEN, each, of_form},
    series::{READ, place},
    steps::{Increases, Said},
};
use crate::{fault::TraceFault, query::float};

/// Bytes of attributes that one answer reads, as they are kept.
const ATTRIBUTES_MAX: usize = 32 << 20;
/// Sets of attributes of one answer.
const SETS_MAX: usize = 10_000;
/// Forms that are asked for at once, and how often, where there are more.
const FORMS_AT_ONCE: usize = 5_000;
const ASKED_MAX: usize = 20;
/// Names among which it is looked for others then.
const NAMES_MAX: usize = 20_000;

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
    /// What was sent between two moments under names that are wanted: each in each of its forms, those first that were sent last; and
    /// whether some are left out.
    pub(crate) async fn forms_sent(
        &self,
        actor: &Actor,
        is_wanted: impl Fn(&str) -> bool + Send,
        between: (i64, i64),
    ) -> Result<(Vec<(String, MetricForm)>, bool), TraceFault> {
        let among = sent_between(actor, between);
        let (mut all, more) = self.forms(among.clone(), FORMS_AT_ONCE).await?;
        let mut cut = false;
        if more {
            // A name that has thousands hides others: after each answer it is asked for those that it does not tell of.
            let (names, further) = self.names(among.clone(), (SEEN, Order::Descending), NAMES_MAX).await?;
            let mut left: HashSet<String> = names.into_iter().map(|(name, _)| name).filter(|name| is_wanted(name)).collect();
            (all, cut) = (Vec::new(), further);
            for _ in 0..ASKED_MAX {
                if left.is_empty() {
                    break;
                }
                let these = Filter::any_of("name", left.iter().map(String::as_str));
                let (forms, more) = self.forms(among.clone().and(these), FORMS_AT_ONCE).await?;
                for (name, ..) in &forms {
                    left.remove(name);
                }
                all.extend(forms);
                cut |= more;
                if !more {
                    break;
                }
            }
            all.sort_by_key(|(.., last)| Reverse(*last));
        }
        all.retain(|(name, ..)| is_wanted(name));
        Ok((all.into_iter().map(|(name, form, _)| (name, form)).collect(), cut))
    }

    /// Hands over what stands at points between two moments, both included, of one metric or of all: each set of attributes once,
    /// those first that were sent last. Answers whether there are more.
    pub(crate) async fn attributes_sent(
        &self,
        actor: &Actor,
        of: Option<(&str, &MetricForm)>,
        between: (i64, i64),
        mut take: impl FnMut(&Map<String, Value>) + Send,
    ) -> Result<bool, TraceFault> {
        let of = of.map_or(Filter::All, |(name, form)| Filter::eq("name", name).and(of_form(form)));
        let asked = Aggregate::of(sent_between(actor, between).and(of)).by("attributes");
        let asked = asked.measure(SEEN, MeasureOf::Max("time".into())).order(SEEN, Order::Descending).limit(SETS_MAX);
        let grouped = self.table().await?.aggregate(asked).await?;
        let (mut read, mut more) = (0, grouped.more);
        each(&grouped, |rows, row| {
            let kept = rows.text("attributes", row)?.unwrap_or("{}");
            read += kept.len();
            more |= read > ATTRIBUTES_MAX;
            if read <= ATTRIBUTES_MAX {
                take(&serde_json::from_str(kept).unwrap_or_default());
            }
            Ok(())
        })?;
        Ok(more)
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
