//! What is sent under one name: kinds and units, and how sums count.
//!
//! A name has a form, or a few. One may have thousands, where a program writes into the unit what belongs into an attribute: in a
//! list such a name is a question of its own and told of in part, so that all others can still be told of.

use std::collections::{BTreeMap, HashMap};

use mainspring_lake::{Aggregate, Filter, Grouped, MeasureOf, Order, Scalar};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetricPoints, PointKind, Temporality};
use crate::{fault::TraceFault, table::Rows};

/// Forms that are told of one name.
const FORMS_MAX: usize = 20;
/// As many, each with every way to count: what one question can be about together is several groups.
pub(super) const APART_MAX: usize = 3 * FORMS_MAX;
/// Kinds and ways to count of the names of one answer.
const GROUPS_MAX: usize = 20_000;
/// Names within a question; no column is called so.
pub(super) const SEEN: &str = "last_seen";
const SERIES: &str = "series_seen";
const UNITS: &str = "units_seen";

/// What the points of a metric are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricForm {
    pub kind: PointKind,
    pub unit: String,
    pub temporality: Option<Temporality>,
    /// Of a sum: it never falls.
    pub monotonic: bool,
}

impl MetricForm {
    /// Whether one question can be about both: how their points count is told by each.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = self.kind == other.kind && self.unit == other.unit && self.monotonic == other.monotonic;
        same && (self.temporality == other.temporality || self.kind != PointKind::Sum || self.monotonic)
    }

    fn read(rows: &Rows<'_>, row: usize, unit: &str) -> Result<Self, TraceFault> {
        let unreadable = || TraceFault::Unreadable { reason: "`kind` of a metric's point".to_owned() };
        Ok(Self {
            kind: rows.text("kind", row)?.and_then(PointKind::read).ok_or_else(unreadable)?,
            unit: unit.to_owned(),
            temporality: rows.text("temporality", row)?.and_then(Temporality::read),
            monotonic: rows.yes("monotonic", row)?.unwrap_or_default(),
        })
    }
}

/// How points count, where somebody asks for those that count so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    Cumulative,
    Delta,
    /// Their sender does not say it.
    Unspecified,
}

impl Counting {
    #[must_use]
    pub const fn of(temporality: Option<Temporality>) -> Self {
        match temporality {
            Some(Temporality::Cumulative) => Self::Cumulative,
            Some(Temporality::Delta) => Self::Delta,
            None => Self::Unspecified,
        }
    }

    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text == "unspecified" { Some(Self::Unspecified) } else { Temporality::read(text).map(|said| Self::of(Some(said))) }
    }

    pub(super) fn condition(self) -> Filter {
        let said = |temporality: Temporality| Filter::eq("temporality", temporality.as_str());
        match self {
            Self::Cumulative => said(Temporality::Cumulative),
            Self::Delta => said(Temporality::Delta),
            Self::Unspecified => Filter::IsNull("temporality".to_owned()),
        }
    }
}

/// Points that are of this form.
pub(super) fn of_form(form: &MetricForm) -> Filter {
    let same = Filter::eq("kind", form.kind.as_str()).and(Filter::eq("unit", form.unit.as_str()));
    if form.kind != PointKind::Sum {
        return same;
    }
    let same = same.and(Filter::Eq("monotonic".into(), Scalar::Bool(form.monotonic)));
    if form.monotonic {
        return same;
    }
    same.and(Counting::of(form.temporality).condition())
}

/// A form, whose it is, and when it was last seen.
type Seen = (String, MetricForm, i64);

/// How many forms and series a name has, about.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) series: u64,
    /// Forms with every way to count.
    apart: u64,
    /// Kinds of forms that one question can be about, each with how many units it has.
    alike: Vec<(MetricForm, u64)>,
}

impl Counted {
    fn add(&mut self, form: MetricForm, (units, series): (u64, u64)) {
        self.apart += units;
        self.series += series;
        match self.alike.iter_mut().find(|(known, _)| known.is_like(&form)) {
            // They are the same units, as far as anybody knows.
            Some((_, most)) => *most = units.max(*most),
            None => self.alike.push((form, units)),
        }
    }

    /// Whether it has more forms than are told of one.
    pub(super) const fn is_crowded(&self) -> bool {
        self.apart > APART_MAX as u64
    }

    fn forms(&self) -> u64 {
        self.alike.iter().map(|(_, units)| units).sum()
    }
}

/// What else than the first is sent under a name, as far as it is told, and how many more there are: about, where it is crowded.
pub(super) fn others(
    first: &MetricForm,
    rest: impl IntoIterator<Item = MetricForm>,
    counted: Option<&Counted>,
) -> (Vec<MetricForm>, u64) {
    let mut others: Vec<MetricForm> = Vec::new();
    for other in rest {
        if !first.is_like(&other) && !others.iter().any(|known| known.is_like(&other)) {
            others.push(other);
        }
    }
    let known = others.len() as u64 + 1;
    others.truncate(FORMS_MAX - 1);
    let all = counted.filter(|counted| counted.is_crowded()).map_or(known, |counted| counted.forms().max(known));
    let told = others.len() as u64 + 1;
    (others, all - told)
}

impl MetricPoints {
    /// How many forms and series each of the names has of which there are points.
    pub(super) async fn counted_forms(&self, among: &Filter) -> Result<BTreeMap<String, Counted>, TraceFault> {
        let asked = ["name", "kind", "temporality", "monotonic"].into_iter().fold(Aggregate::of(among.clone()), Aggregate::by);
        let asked = asked
            .measure(UNITS, MeasureOf::Distinct("unit".into()))
            .measure(SERIES, MeasureOf::Distinct("series".into()))
            .limit(GROUPS_MAX);
        let grouped = self.table().await?.aggregate(asked).await?;
        let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
        each(&grouped, |rows, row| {
            let number = |name: &str| {
                let number = rows.number(name, row)?.and_then(|number| u64::try_from(number).ok());
                Ok::<_, TraceFault>(number.unwrap_or_default())
            };
            if let Some(name) = rows.text("name", row)? {
                let form = MetricForm::read(rows, row, "")?;
                counted.entry(name.to_owned()).or_default().add(form, (number(UNITS)?, number(SERIES)?));
            }
            Ok(())
        })?;
        Ok(counted)
    }

    /// So many forms of what passes, those first that were sent last, and whether there are more.
    pub(super) async fn forms(&self, among: Filter, most: usize) -> Result<(Vec<Seen>, bool), TraceFault> {
        let columns = ["name", "unit", "kind", "temporality", "monotonic"];
        let asked = columns.into_iter().fold(Aggregate::of(among), Aggregate::by);
        let asked = asked.measure(SEEN, MeasureOf::Max("time".into())).order(SEEN, Order::Descending).limit(most);
        let grouped = self.table().await?.aggregate(asked).await?;
        let mut forms = Vec::new();
        each(&grouped, |rows, row| {
            let form = MetricForm::read(rows, row, rows.text("unit", row)?.unwrap_or_default())?;
            let last = rows.number(SEEN, row)?.unwrap_or_default();
            forms.extend(rows.text("name", row)?.map(|name| (name.to_owned(), form, last)));
            Ok(())
        })?;
        Ok((forms, grouped.more))
    }

    /// The forms of names that have so many; of crowded ones those that were sent last. Each of these is a question of its own.
    pub(super) async fn forms_of_each(
        &self,
        among: &Filter,
        names: &[&str],
        counted: &BTreeMap<String, Counted>,
    ) -> Result<HashMap<String, Vec<MetricForm>>, TraceFault> {
        let is_crowded = |name: &str| counted.get(name).is_some_and(Counted::is_crowded);
        let (crowded, few): (Vec<&str>, Vec<&str>) = names.iter().copied().partition(|name| is_crowded(name));
        let mut found = Vec::new();
        if !few.is_empty() {
            // How many there are is known about.
            let room = few.len().saturating_mul(2 * APART_MAX);
            found.extend(self.forms(among.clone().and(Filter::any_of("name", few)), room).await?.0);
        }
        for name in crowded {
            found.extend(self.forms(among.clone().and(Filter::eq("name", name)), APART_MAX).await?.0);
        }
        let mut forms: HashMap<String, Vec<MetricForm>> = HashMap::new();
        for (name, form, _) in found {
            forms.entry(name).or_default().push(form);
        }
        Ok(forms)
    }
}

pub(super) fn each(
    grouped: &Grouped,
    mut take: impl FnMut(&Rows<'_>, usize) -> Result<(), TraceFault>,
) -> Result<(), TraceFault> {
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            take(&rows, row)?;
        }
    }
    Ok(())
}
