//! Deleting what is too old, some at a time.

use std::time::Duration;

use mainspring_kernel::{Stop, Timestamp};
use mainspring_lake::{Aggregate, Allowance, Filter, MeasureOf, Order, Table};

use super::Ended;
use crate::{fault::TraceFault, settle::Kept, table::Rows};

/// Rows that one commit deletes, about: whoever adds meanwhile waits for one of them. One hour's rows go together.
const AT_ONCE: i64 = 20_000;
const HOUR: i64 = 3_600_000_000;
/// More hours than there are are looked at the next time.
const HOURS_MAX: usize = 200_000;
/// Nobody waits for it, and where nobody has built an index it looks at all rows.
const COUNTED_WITHIN: Duration = Duration::from_secs(150);

/// Deletes traces that began before a time. Answers how many rows went.
pub(crate) async fn expire(kept: &Kept, before: Timestamp, stop: &Stop) -> Result<(u64, Ended), TraceFault> {
    in_steps(kept, before, AT_ONCE, stop).await
}

/// The same, with about so many rows to a step.
pub(crate) async fn in_steps(kept: &Kept, before: Timestamp, at_once: i64, stop: &Stop) -> Result<(u64, Ended), TraceFault> {
    let began_before = |micros: i64| Filter::Lt("start".into(), micros.into());
    let old = began_before(before.as_micros());
    let mut deleted = 0;
    if kept.table.count(old.clone()).await? == 0 {
        return Ok((deleted, Ended::Done));
    }
    for end in steps(kept.table.as_ref(), old, at_once).await? {
        if stop.is_requested() {
            return Ok((deleted, Ended::Stopped));
        }
        let _turn = kept.deleting().await;
        let some = began_before(end.min(before.as_micros()));
        deleted += kept.table.replace(some, None).await?.deleted;
    }
    Ok((deleted, Ended::Done))
}

/// Times up to which rows go together, one after the other.
async fn steps(table: &dyn Table, these: Filter, at_once: i64) -> Result<Vec<i64>, TraceFault> {
    let by_hour = Aggregate::of(these).by_bucket("hour", "start", HOUR, 0).measure("rows", MeasureOf::Rows);
    let by_hour = by_hour.order("hour", Order::Ascending).limit(HOURS_MAX);
    let allowance = Allowance { within: COUNTED_WITHIN, ..Allowance::default() };
    let (mut steps, mut gathered, mut end) = (Vec::new(), 0, 0);
    for batch in table.aggregate(Aggregate { allowance, ..by_hour }).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            end = rows.number("hour", row)?.unwrap_or_default().saturating_add(HOUR);
            gathered += rows.number("rows", row)?.unwrap_or_default();
            if gathered >= at_once {
                steps.push(end);
                gathered = 0;
            }
        }
    }
    if gathered > 0 {
        steps.push(end);
    }
    Ok(steps)
}
