//! The metrics that points are of.

use std::collections::{BTreeMap, HashMap, HashSet};

use mainspring_kernel::{Actor, Page, PageRequest, Timestamp};
use mainspring_lake::{Aggregate, Filter, Grouped, MeasureOf, Order};

use super::{MetricPoints, PointFilter, PointKind, Temporality};
use crate::{fault::TraceFault, query::float, table::Rows};

/// Services that are named of one metric.
const SERVICES: usize = 20;
/// Kinds, units and services of the metrics of one page.
const GROUPS_MAX: usize = 20_000;
/// Names within a question; no column is called so.
const SEEN: &str = "last_seen";
const SERIES: &str = "series_seen";
const MEAN: &str = "value_mean";
const SUM: &str = "value_sum";
const COUNTED: &str = "count_sum";
const SUMMED: &str = "sum_sum";

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

    fn read(rows: &Rows<'_>, row: usize) -> Result<Self, TraceFault> {
        let unreadable = || TraceFault::Unreadable { reason: "`kind` of a metric's point".to_owned() };
        Ok(Self {
            kind: rows.text("kind", row)?.and_then(PointKind::read).ok_or_else(unreadable)?,
            unit: rows.text("unit", row)?.unwrap_or_default().to_owned(),
            temporality: rows.text("temporality", row)?.and_then(Temporality::read),
            monotonic: rows.yes("monotonic", row)?.unwrap_or_default(),
        })
    }
}

/// What programs send under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub name: String,
    /// Of its newest point.
    pub form: MetricForm,
    /// What else is sent under this name.
    pub others: Vec<MetricForm>,
    /// Those that send it, by name, and whether there are more.
    pub services: Vec<String>,
    pub more_services: bool,
    /// How many, about.
    pub series: u64,
    pub last_seen: Timestamp,
    /// Of the points of that moment: the mean of a gauge, a sum together, the mean of what a histogram or a summary counted.
    pub last_value: Option<f64>,
}

/// Forms with when each was last seen, the last one first.
pub(super) type Forms = Vec<(MetricForm, i64)>;

impl MetricPoints {
    /// The metrics of a time, by name; those only that have this in their name.
    pub async fn metrics(
        &self,
        actor: &Actor,
        filter: &PointFilter,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Metric>, TraceFault> {
        let after: Option<String> = page.after()?;
        let mut among = filter.condition(actor);
        if let Some(text) = text {
            among = among.and(Filter::Contains("name".into(), text.to_owned()));
        }
        let further = after.map_or(Filter::All, |after| Filter::Gt("name".into(), after.into()));
        let (names, more) = self.names(among.clone().and(further), page.limit()).await?;
        if names.is_empty() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let among = among.and(Filter::any_of("name", names.iter().map(|(name, _, _)| name.as_str())));
        let mut forms = self.forms_of_each(&among).await?;
        let (mut services, cut) = self.services(&among).await?;
        let newest = self.newest(&among, &names).await?;
        let mut found = Vec::with_capacity(names.len());
        for (name, last, series) in names {
            let mut forms = forms.remove(&name).unwrap_or_default().into_iter().map(|(form, _)| form);
            let Some(form) = forms.next() else { continue };
            let others = different(&form, forms);
            let mut services = services.remove(&name).unwrap_or_default();
            // Where not all were read, those of the last names are not known.
            let more_services = services.len() > SERVICES || cut.as_ref().is_some_and(|last| *last <= name);
            services.truncate(SERVICES);
            let last_value = newest.get(&name).and_then(|newest| newest.of(form.kind));
            let last_seen = Timestamp::from_micros(last);
            found.push(Metric { name, form, others, services, more_services, series, last_seen, last_value });
        }
        let next = found.last().filter(|_| more).map(|last| mainspring_kernel::page::cursor(&last.name));
        Ok(Page { items: found, next })
    }

    /// Names with when they were last seen and of how many series, and whether there are more.
    async fn names(&self, among: Filter, most: usize) -> Result<(Vec<(String, i64, u64)>, bool), TraceFault> {
        let asked = Aggregate::of(among)
            .by("name")
            .measure(SEEN, MeasureOf::Max("time".into()))
            .measure(SERIES, MeasureOf::Distinct("series".into()))
            .order("name", Order::Ascending)
            .limit(most);
        let grouped = self.table().await?.aggregate(asked).await?;
        let mut names = Vec::new();
        each(&grouped, |rows, row| {
            let series = rows.number(SERIES, row)?.and_then(|series| u64::try_from(series).ok()).unwrap_or_default();
            let last = rows.number(SEEN, row)?.unwrap_or_default();
            names.extend(rows.text("name", row)?.map(|name| (name.to_owned(), last, series)));
            Ok(())
        })?;
        Ok((names, grouped.more))
    }

    /// What the points of these are, the form that was last seen first.
    pub(super) async fn forms(&self, among: Filter) -> Result<Vec<MetricForm>, TraceFault> {
        let forms = self.forms_of_each(&among).await?.into_values().flatten();
        Ok(forms.map(|(form, _)| form).collect())
    }

    pub(super) async fn forms_of_each(&self, among: &Filter) -> Result<HashMap<String, Forms>, TraceFault> {
        let columns = ["name", "unit", "kind", "temporality", "monotonic"];
        let asked = columns.into_iter().fold(Aggregate::of(among.clone()), Aggregate::by);
        let asked = asked.measure(SEEN, MeasureOf::Max("time".into())).order(SEEN, Order::Descending).limit(GROUPS_MAX);
        let grouped = self.table().await?.aggregate(asked).await?;
        if grouped.more {
            let reason = "the metrics have more kinds and units than one answer tells: ask about fewer, or about less time";
            return Err(TraceFault::Question { reason: reason.to_owned() });
        }
        let mut forms: HashMap<String, Forms> = HashMap::new();
        each(&grouped, |rows, row| {
            let form = MetricForm::read(rows, row)?;
            let last = rows.number(SEEN, row)?.unwrap_or_default();
            if let Some(name) = rows.text("name", row)? {
                forms.entry(name.to_owned()).or_default().push((form, last));
            }
            Ok(())
        })?;
        Ok(forms)
    }

    /// Who sends them; with the last name of which something is known, where there are more services than are read.
    async fn services(&self, among: &Filter) -> Result<(BTreeMap<String, Vec<String>>, Option<String>), TraceFault> {
        let asked = Aggregate::of(among.clone())
            .by("name")
            .by("service")
            .measure(SEEN, MeasureOf::Rows)
            .order("name", Order::Ascending)
            .order("service", Order::Ascending)
            .limit(GROUPS_MAX);
        let grouped = self.table().await?.aggregate(asked).await?;
        let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
        each(&grouped, |rows, row| {
            let (name, service) = (rows.text("name", row)?, rows.text("service", row)?);
            if let Some((name, service)) = name.zip(service) {
                services.entry(name.to_owned()).or_default().push(service.to_owned());
            }
            Ok(())
        })?;
        let cut = services.keys().next_back().filter(|_| grouped.more).cloned();
        Ok((services, cut))
    }

    /// What the points of the last moment of each say together.
    async fn newest(&self, among: &Filter, names: &[(String, i64, u64)]) -> Result<HashMap<String, Newest>, TraceFault> {
        let moments: HashSet<i64> = names.iter().map(|(_, last, _)| *last).collect();
        let wanted: HashMap<&str, i64> = names.iter().map(|(name, last, _)| (name.as_str(), *last)).collect();
        let asked = Aggregate::of(among.clone().and(Filter::any_of("time", moments)))
            .by("name")
            .by("time")
            .measure(MEAN, MeasureOf::Mean("value".into()))
            .measure(SUM, MeasureOf::Sum("value".into()))
            .measure(COUNTED, MeasureOf::Sum("count".into()))
            .measure(SUMMED, MeasureOf::Sum("sum".into()))
            // Each name may have been seen at the last moments of all others.
            .limit(names.len().saturating_mul(names.len()));
        let grouped = self.table().await?.aggregate(asked).await?;
        let mut newest = HashMap::new();
        each(&grouped, |rows, row| {
            let name = rows.text("name", row)?.unwrap_or_default();
            if wanted.get(name).copied() == rows.number("time", row)? {
                let number = |name: &str| float(rows, name, row);
                let said = Newest { mean: number(MEAN)?, sum: number(SUM)?, count: number(COUNTED)?, summed: number(SUMMED)? };
                newest.insert(name.to_owned(), said);
            }
            Ok(())
        })?;
        Ok(newest)
    }
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    mean: Option<f64>,
    sum: Option<f64>,
    count: Option<f64>,
    summed: Option<f64>,
}

impl Newest {
    fn of(self, kind: PointKind) -> Option<f64> {
        let found = match kind {
            PointKind::Gauge => self.mean,
            PointKind::Sum => self.sum,
            PointKind::Histogram | PointKind::ExponentialHistogram | PointKind::Summary => {
                self.summed.zip(self.count.filter(|count| *count > 0.0)).map(|(sum, count)| sum / count)
            }
        };
        found.filter(|number| number.is_finite())
    }
}

/// Those that no question is about together with the first, each once.
pub(super) fn different(first: &MetricForm, others: impl IntoIterator<Item = MetricForm>) -> Vec<MetricForm> {
    let mut different: Vec<MetricForm> = Vec::new();
    for other in others {
        if !first.is_like(&other) && !different.iter().any(|known| known.is_like(&other)) {
            different.push(other);
        }
    }
    different
}

fn each(grouped: &Grouped, mut take: impl FnMut(&Rows<'_>, usize) -> Result<(), TraceFault>) -> Result<(), TraceFault> {
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            take(&rows, row)?;
        }
    }
    Ok(())
}
