//! Series as they were sent, one by one, for whoever puts them together otherwise.

use std::collections::HashMap;

use mainspring_kernel::{Actor, Timestamp};
use serde_json::{Map, Value};

use super::{
    MetricForm, MetricPoints, PointFilter,
    series::{READ, of_form, place},
    steps::{Increases, Said},
};
use crate::{fault::TraceFault, query::float};

/// Bytes of attributes in memory, as they are kept.
const ATTRIBUTES_MAX: usize = 32 << 20;

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
    /// What was sent between two moments, both included: each name in each form, those first that were sent last.
    pub(crate) async fn forms_sent(
        &self,
        actor: &Actor,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, MetricForm)>, TraceFault> {
        let to = Some(Timestamp::from_micros(to.saturating_add(1)));
        let among = PointFilter { from: Some(Timestamp::from_micros(from)), to, ..PointFilter::default() }.condition(actor);
        let by_name = self.forms_of_each(&among).await?;
        let of_name = |(name, forms): (String, Vec<(MetricForm, i64)>)| forms.into_iter().map(move |form| (name.clone(), form));
        let mut all: Vec<(String, (MetricForm, i64))> = by_name.into_iter().flat_map(of_name).collect();
        all.sort_by(|(name, (_, last)), (other, (_, seen))| seen.cmp(last).then_with(|| name.cmp(other)));
        Ok(all.into_iter().map(|(name, (form, _))| (name, form)).collect())
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
