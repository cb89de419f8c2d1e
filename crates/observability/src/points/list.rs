//! The metrics that points are of.

use std::collections::{BTreeMap, HashMap, HashSet};

use mainspring_kernel::{Actor, Page, PageRequest, Timestamp};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};

use super::{
    MetricForm, MetricPoints, PointFilter, PointKind,
    forms::{Counted, SEEN, each, others},
};
use crate::{fault::TraceFault, query::float};

/// Services that are named of one metric.
const SERVICES: usize = 20;
/// Services of the metrics of one page.
const GROUPS_MAX: usize = 20_000;
/// Names of one page that have more forms than are told of one.
const CROWDED_MAX: usize = 20;
/// Names within a question; no column is called so.
const MEAN: &str = "value_mean";
const SUM: &str = "value_sum";
const COUNTED: &str = "count_sum";
const SUMMED: &str = "sum_sum";

/// What programs send under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub name: String,
    /// Of its newest point.
    pub form: MetricForm,
    /// What else is sent under this name, those first that were sent last, and how many more there are, about.
    pub others: Vec<MetricForm>,
    pub more_forms: u64,
    /// Those that send it, by name, and whether there are more.
    pub services: Vec<String>,
    pub more_services: bool,
    /// How many, about.
    pub series: u64,
    pub last_seen: Timestamp,
    /// Of the points of that moment: the mean of a gauge, a sum together, the mean of what a histogram or a summary counted.
    pub last_value: Option<f64>,
}

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
        let (mut names, mut more) = self.names(among.clone().and(further), ("name", Order::Ascending), page.limit()).await?;
        if names.is_empty() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let among = among.and(Filter::any_of("name", names.iter().map(|(name, _)| name.as_str())));
        let counted = self.counted_forms(&among).await?;
        // A page ends before there are too many names that are a question each.
        let is_crowded = |name: &str| counted.get(name).is_some_and(Counted::is_crowded);
        let crowded = names.iter().enumerate().filter(|(_, (name, _))| is_crowded(name));
        let cut = crowded.map(|(at, _)| at).nth(CROWDED_MAX);
        if let Some(cut) = cut {
            names.truncate(cut);
            more = true;
        }
        let these: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let mut forms = self.forms_of_each(&among, &these, &counted).await?;
        let (mut services, cut) = self.services(&among).await?;
        let newest = self.newest(&among, &names).await?;
        let next = names.last().filter(|_| more).map(|(last, _)| mainspring_kernel::page::cursor(last));
        let mut found = Vec::with_capacity(names.len());
        for (name, last) in names {
            let mut forms = forms.remove(&name).unwrap_or_default().into_iter();
            let Some(form) = forms.next() else { continue };
            let counted = counted.get(&name);
            let (others, more_forms) = others(&form, forms, counted);
            let series = counted.map_or(0, |counted| counted.series);
            let mut services = services.remove(&name).unwrap_or_default();
            // Where not all were read, those of the last names are not known.
            let more_services = services.len() > SERVICES || cut.as_ref().is_some_and(|last| *last <= name);
            services.truncate(SERVICES);
            let last_value = newest.get(&name).and_then(|newest| newest.of(form.kind));
            let last_seen = Timestamp::from_micros(last);
            found.push(Metric { name, form, others, more_forms, services, more_services, series, last_seen, last_value });
        }
        Ok(Page { items: found, next })
    }

    /// So many names with when they were last seen, and whether there are more.
    pub(super) async fn names(
        &self,
        among: Filter,
        (first, order): (&str, Order),
        most: usize,
    ) -> Result<(Vec<(String, i64)>, bool), TraceFault> {
        let asked = Aggregate::of(among).by("name").measure(SEEN, MeasureOf::Max("time".into()));
        let grouped = self.table().await?.aggregate(asked.order(first, order).limit(most)).await?;
        let mut names = Vec::new();
        each(&grouped, |rows, row| {
            let last = rows.number(SEEN, row)?.unwrap_or_default();
            names.extend(rows.text("name", row)?.map(|name| (name.to_owned(), last)));
            Ok(())
        })?;
        Ok((names, grouped.more))
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
    async fn newest(&self, among: &Filter, names: &[(String, i64)]) -> Result<HashMap<String, Newest>, TraceFault> {
        let moments: HashSet<i64> = names.iter().map(|(_, last)| *last).collect();
        let wanted: HashMap<&str, i64> = names.iter().map(|(name, last)| (name.as_str(), *last)).collect();
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
