//! Traffic of the last hours.

use std::collections::{BTreeMap, HashMap};

use mainspring_kernel::Timestamp;
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};

use super::{Asking, By, TraceFilter, access::seen, failed, metrics::float, once::Once, sampled};
use crate::{
    fault::TraceFault,
    table::{Rows, WEIGHT},
};

/// Apps that are told apart.
const APPS_MAX: usize = 10_000;
const HOUR: i64 = 3_600_000_000;

/// Requests of a stretch of time. Where only some traces are kept, what they stand for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Traffic {
    pub requests: u64,
    pub errors: u64,
    pub p50_millis: Option<f64>,
    pub p95_millis: Option<f64>,
    /// Some traces stand for others that were not kept, or there are too many to count each of them once.
    pub estimated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ActivityBucket {
    pub start: Timestamp,
    pub traffic: Traffic,
}

/// Requests per hour, for whole hours from `from`, each hour there even when nothing happened.
pub(crate) async fn activity(
    asking: Asking<'_>,
    from: Timestamp,
    to: Timestamp,
    app: Option<&str>,
) -> Result<Vec<ActivityBucket>, TraceFault> {
    let filter = TraceFilter { from: Some(from), to: Some(to), app: app.map(str::to_owned), ..TraceFilter::default() };
    let first = from.as_micros().div_euclid(HOUR);
    let last = (to.as_micros() - 1).div_euclid(HOUR);
    let mut hours: BTreeMap<i64, Traffic> = (first..=last).map(|hour| (hour, Traffic::default())).collect();
    let among = seen(asking, filter.entries(asking.actor, asking.now)).await?;
    let question = |of: &Filter| traffic(&among, of).by_bucket("hour", "start", HOUR, 0).order("hour", Order::Ascending);
    let (grouped, every) = Once::of(&among, &[], question).ask(asking).await?;
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let hour = rows.number("hour", row)?.unwrap_or_default().div_euclid(HOUR);
            if let Some(of_hour) = hours.get_mut(&hour) {
                *of_hour = Traffic::read(&rows, row, every)?;
            }
        }
    }
    let bucket = |(hour, traffic)| ActivityBucket { start: Timestamp::from_micros(hour * HOUR), traffic };
    Ok(hours.into_iter().map(bucket).collect())
}

/// Requests by app, and when the last of them began.
pub(crate) async fn by_app(asking: Asking<'_>, from: Timestamp) -> Result<HashMap<String, (Traffic, Timestamp)>, TraceFault> {
    let filter = TraceFilter { from: Some(from), ..TraceFilter::default() };
    let among = seen(asking, filter.entries(asking.actor, asking.now)).await?;
    let last = || MeasureOf::Max("start".into());
    let question = |of: &Filter| traffic(&among, of).by("app").measure("last", last()).limit(APPS_MAX);
    let (grouped, every) = Once::of(&among, &[By::Column("app")], question).ask(asking).await?;
    if grouped.more {
        return Err(TraceFault::TooMuch { rows: APPS_MAX });
    }
    let mut apps = HashMap::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let Some(app) = rows.text("app", row)? else { continue };
            let last = Timestamp::from_micros(rows.number("last", row)?.unwrap_or_default());
            apps.insert(app.to_owned(), (Traffic::read(&rows, row, every)?, last));
        }
    }
    Ok(apps)
}

/// The question about the traffic of these entries, of which `of` are measured.
fn traffic(among: &Filter, of: &Filter) -> Aggregate {
    let quantile = |at| MeasureOf::Quantile { column: "duration".into(), at };
    Aggregate::of(among.clone())
        .measure_weighed("requests", MeasureOf::Rows, of.clone(), WEIGHT)
        .measure_weighed("errors", MeasureOf::Rows, failed().and(of.clone()), WEIGHT)
        .measure_weighed("p50", quantile(0.50), of.clone(), WEIGHT)
        .measure_weighed("p95", quantile(0.95), of.clone(), WEIGHT)
        .measure_of("sampled", MeasureOf::Rows, sampled().and(of.clone()))
}

impl Traffic {
    fn read(rows: &Rows<'_>, row: usize, every: bool) -> Result<Self, TraceFault> {
        let count = |name: &str| -> Result<u64, TraceFault> {
            Ok(rows.number(name, row)?.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
        };
        let millis =
            |name: &str| -> Result<Option<f64>, TraceFault> { Ok(float(rows, name, row)?.map(|micros| micros / 1000.0)) };
        Ok(Self {
            requests: count("requests")?,
            errors: count("errors")?,
            p50_millis: millis("p50")?,
            p95_millis: millis("p95")?,
            estimated: every || count("sampled")? > 0,
        })
    }
}
