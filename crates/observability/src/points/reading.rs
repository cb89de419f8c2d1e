//! Points one after the other, in the order of time, however many there are.

use mainspring_lake::{Aggregate, Filter, MeasureOf, Order, Scan};

use super::MetricPoints;
use crate::{fault::TraceFault, table::Rows};

/// Points that one answer looks at, where nobody says less.
pub(crate) const POINTS_MAX: u64 = 200_000;
/// Rows that are in memory at once, about: those of one moment come together.
const SLICE: u64 = 4_000;
/// Moments that are told apart where it is decided what comes together.
const MOMENTS: i64 = 1_000;
const MOMENT: &str = "moment";
const ROWS: &str = "moment_rows";

impl MetricPoints {
    /// Hands over the rows that pass of a time, both of its ends included, oldest first, and says how many they were. More than
    /// this many are a fault, and nothing is read.
    pub(crate) async fn each(
        &self,
        among: Filter,
        (from, to): (i64, i64),
        most: u64,
        columns: &[&str],
        mut take: impl FnMut(&Rows<'_>, usize) -> Result<(), TraceFault> + Send,
    ) -> Result<u64, TraceFault> {
        let too_many = || TraceFault::TooManyPoints { most };
        let mut left = most;
        let (slices, all) = self.slices(&among, (from, to)).await?;
        if all > most {
            return Err(too_many());
        }
        for (begins, ends) in slices {
            let later = Filter::GtEq("time".into(), begins.into());
            let earlier = Filter::Lt("time".into(), ends.into());
            let scan = Scan::of(among.clone().and(later).and(earlier)).columns(columns);
            let scan = scan.order("time", Order::Ascending).order("point", Order::Ascending);
            // More may have come since they were counted.
            let room = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
            for batch in self.table().await?.scan(scan.limit(room)).await? {
                let rows = Rows(&batch);
                left = left.checked_sub(batch.num_rows() as u64).ok_or_else(too_many)?;
                for row in 0..batch.num_rows() {
                    take(&rows, row)?;
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(most - left)
    }

    /// Stretches of time with about as many rows as memory should hold, from the first moment until before the second; and how
    /// many rows there are in all.
    async fn slices(&self, among: &Filter, (from, to): (i64, i64)) -> Result<(Vec<(i64, i64)>, u64), TraceFault> {
        let width = (to.saturating_sub(from) / MOMENTS).max(1);
        let end = to.saturating_add(1);
        let later = Filter::GtEq("time".into(), from.into());
        let within = among.clone().and(later).and(Filter::Lt("time".into(), end.into()));
        let counted = Aggregate::of(within).by_bucket(MOMENT, "time", width, from).measure(ROWS, MeasureOf::Rows);
        let grouped = self.table().await?.aggregate(counted.order(MOMENT, Order::Ascending)).await?;
        let (mut slices, mut all): (Vec<(i64, i64)>, u64) = (Vec::new(), 0);
        let mut open: Option<(i64, u64)> = None;
        for batch in &grouped.batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                let begins = rows.number(MOMENT, row)?.unwrap_or(from);
                let more = rows.number(ROWS, row)?.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default();
                all += more;
                open = Some(match open {
                    Some((first, held)) if held + more <= SLICE => (first, held + more),
                    Some((first, _)) => {
                        slices.push((first, begins));
                        (begins, more)
                    }
                    None => (begins, more),
                });
            }
        }
        slices.extend(open.map(|(first, _)| (first, end)));
        Ok((slices, all))
    }
}
