//! Traffic of the last hours.

use std::collections::{BTreeMap, HashMap};

use mainspring_kernel::Timestamp;
use mainspring_lake::Scan;

use super::{
    Asking, TraceFilter,
    access::{hidden, since},
};
use crate::{fault::TraceFault, table::Rows};

const ACTIVITY_MAX: usize = 500_000;

#[derive(Debug, Clone, PartialEq)]
pub struct ActivityBucket {
    pub start: Timestamp,
    pub requests: u64,
    pub errors: u64,
    pub p50_millis: Option<f64>,
    pub p95_millis: Option<f64>,
}

/// Entries per hour, for whole hours from `from`, each hour there even when nothing happened.
pub(crate) async fn activity(
    asking: Asking<'_>,
    from: Timestamp,
    to: Timestamp,
    app: Option<&str>,
) -> Result<Vec<ActivityBucket>, TraceFault> {
    const HOUR: i64 = 3_600_000_000;
    let Asking { table, actor, now, .. } = asking;
    let filter = TraceFilter { from: Some(from), to: Some(to), app: app.map(str::to_owned), ..TraceFilter::default() };
    let mut scan = Scan::of(filter.entries(actor, now)).columns(&["start", "duration", "status", "trace"]);
    let hidden = hidden(asking, since(from)).await?;
    scan.limit = Some(ACTIVITY_MAX);
    let first = from.as_micros().div_euclid(HOUR);
    let last = (to.as_micros() - 1).div_euclid(HOUR);
    let mut hours: BTreeMap<i64, (u64, Vec<i64>)> = (first..=last).map(|hour| (hour, (0, Vec::new()))).collect();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            if hidden.contains(rows.text("trace", row)?.unwrap_or_default()) {
                continue;
            }
            let hour = rows.number("start", row)?.unwrap_or_default().div_euclid(HOUR);
            let Some((errors, durations)) = hours.get_mut(&hour) else { continue };
            *errors += u64::from(rows.text("status", row)? == Some("error"));
            durations.push(rows.number("duration", row)?.unwrap_or_default());
        }
    }
    let bucket = |(hour, (errors, mut durations)): (i64, (u64, Vec<i64>))| {
        durations.sort_unstable();
        ActivityBucket {
            start: Timestamp::from_micros(hour * HOUR),
            requests: durations.len() as u64,
            errors,
            p50_millis: percentile(&durations, 0.50),
            p95_millis: percentile(&durations, 0.95),
        }
    };
    Ok(hours.into_iter().map(bucket).collect())
}

/// Nearest-rank percentile of sorted microseconds, in milliseconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks and durations are far below 2^52"
)]
pub(crate) fn percentile(sorted: &[i64], share: f64) -> Option<f64> {
    let rank = ((sorted.len() as f64) * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).map(|micros| *micros as f64 / 1000.0)
}

/// Requests and errors of the last day by app.
pub(crate) async fn by_app(
    asking: Asking<'_>,
    from: Timestamp,
) -> Result<HashMap<String, (u64, u64, Vec<i64>, Timestamp)>, TraceFault> {
    let Asking { table, actor, now, .. } = asking;
    let filter = TraceFilter { from: Some(from), ..TraceFilter::default() };
    let mut scan = Scan::of(filter.entries(actor, now)).columns(&["start", "duration", "status", "app", "trace"]);
    let hidden = hidden(asking, since(from)).await?;
    scan.limit = Some(ACTIVITY_MAX);
    let mut apps: HashMap<String, (u64, u64, Vec<i64>, Timestamp)> = HashMap::new();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some(app) = rows.text("app", row)? else { continue };
            if hidden.contains(rows.text("trace", row)?.unwrap_or_default()) {
                continue;
            }
            let start = Timestamp::from_micros(rows.number("start", row)?.unwrap_or_default());
            let entry = apps.entry(app.to_owned()).or_insert_with(|| (0, 0, Vec::new(), start));
            entry.0 += 1;
            entry.1 += u64::from(rows.text("status", row)? == Some("error"));
            entry.2.push(rows.number("duration", row)?.unwrap_or_default());
            entry.3 = entry.3.max(start);
        }
    }
    Ok(apps)
}
