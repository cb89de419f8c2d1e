//! The first rows in some order, without reading what the others hold.
//!
//! First only what they are ordered by is read, with their addresses; then the other columns of the few that are left. Where
//! the order begins with a column of whole numbers, as times are, the fragments that can hold the first rows are read first,
//! and the rest not at all once they can hold none of them.

use std::{cmp::Reverse, sync::Arc};

use arrow_array::{RecordBatch, UInt64Array, cast::AsArray, types::Int64Type};
use arrow_schema::{DataType, Schema};
use futures::{FutureExt as _, TryStreamExt};
use lance::{
    Dataset,
    dataset::ROW_ID,
    deps::datafusion::arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch},
};
use lance_table::format::Fragment;
use mainspring_lake::{LakeFault, Order, Scan};

use crate::{
    filter::{Condition, Ready},
    search,
    table::Core,
    widths, zones,
};

/// More rows are sorted with all their columns, in one sweep: fetching so many one by one takes longer.
const ROWS_MAX: usize = 5_000;
/// Rows that are kept before the worst are thrown out.
const SLACK: usize = 16 * 1024;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    scan: &'a Scan,
    rows: usize,
    /// Fragments can be told apart by the first column of the order.
    by_zones: bool,
}

impl<'a> Page<'a> {
    /// A page that is worth it; nothing for other scans.
    pub(crate) fn of(scan: &'a Scan, schema: &Schema) -> Option<Self> {
        let rows = scan.limit?.checked_add(scan.offset).filter(|rows| *rows <= ROWS_MAX)?;
        let (first, _) = scan.order.first()?;
        if scan.order.iter().any(|(name, _)| schema.field_with_name(name).is_ok_and(|field| field.data_type().is_nested())) {
            return None;
        }
        let field = schema.field_with_name(first).ok()?;
        let by_zones = *field.data_type() == DataType::Int64 && !field.is_nullable();
        Some(Self { scan, rows, by_zones })
    }

    pub(crate) async fn read(self, core: &Core, dataset: &Arc<Dataset>, ready: &Ready) -> Result<Vec<RecordBatch>, LakeFault> {
        let best = self.best(core, dataset, ready).await?;
        let addresses: Vec<u64> = match &best {
            Some(batch) => addresses(batch).map_or_else(Vec::new, |found| found.values().to_vec()),
            None => Vec::new(),
        };
        let addresses = addresses.get(self.scan.offset..).unwrap_or_default();
        if addresses.is_empty() {
            return Ok(Vec::new());
        }
        let schema = core.schema_at(dataset);
        let all = schema.fields().iter().map(|field| field.name());
        let columns: Vec<&str> = if self.scan.columns.is_empty() {
            all.map(String::as_str).collect()
        } else {
            self.scan.columns.iter().map(String::as_str).collect()
        };
        Ok(vec![search::take(core, dataset, addresses, &columns).await?])
    }

    async fn best(self, core: &Core, dataset: &Arc<Dataset>, ready: &Ready) -> Result<Option<RecordBatch>, LakeFault> {
        let mut best = Best { page: self, kept: Vec::new(), rows: 0 };
        let (pointed, kept) = match &ready.condition {
            Condition::When(expr) if ready.words.is_empty() => {
                (zones::is_pointed(core, dataset, expr).await?, zones::relevant(core, dataset, expr).await?)
            }
            _ => (false, None),
        };
        if !self.by_zones || pointed || !ready.words.is_empty() || dataset.count_fragments() < 2 {
            best.sweep(core, dataset, ready, kept, pointed).await?;
            return best.sorted(core);
        }
        let mut fragments = self.ranked(core, dataset, kept).await?.into_iter();
        // A few at first, since the page may be in them; then more and more at once, since it takes long.
        let mut at_once = 1;
        while let Some((zone, fragment)) = fragments.next() {
            if best.beats(core, zone)? {
                break;
            }
            let more = fragments.by_ref().take(at_once - 1).map(|(_, fragment)| fragment);
            let group = std::iter::once(fragment).chain(more).collect();
            best.sweep(core, dataset, ready, Some(group), false).await?;
            at_once *= 2;
        }
        best.sorted(core)
    }

    /// Fragments that can hold rows, those that can hold the first ones first, with the best they can hold.
    async fn ranked(
        self,
        core: &Core,
        dataset: &Arc<Dataset>,
        kept: Option<Vec<Fragment>>,
    ) -> Result<Vec<(i64, Fragment)>, LakeFault> {
        let kept = kept.unwrap_or_else(|| dataset.iter_fragments().cloned().collect());
        let (first, order) = &self.scan.order[0];
        let zones = zones::of(core, dataset, first).await?;
        let mut ranked: Vec<(i64, Fragment)> = kept
            .into_iter()
            .filter_map(|fragment| {
                let (least, greatest) = (*zones.get(&fragment.id)?)?;
                Some((if *order == Order::Ascending { least } else { greatest }, fragment))
            })
            .collect();
        match order {
            Order::Ascending => ranked.sort_by_key(|(best, _)| *best),
            Order::Descending => ranked.sort_by_key(|(best, _)| Reverse(*best)),
        }
        Ok(ranked)
    }
}

/// The first rows of what was read so far.
#[derive(Debug)]
struct Best<'a> {
    page: Page<'a>,
    kept: Vec<RecordBatch>,
    rows: usize,
}

impl Best<'_> {
    /// Reads some fragments, or all.
    async fn sweep(
        &mut self,
        core: &Core,
        dataset: &Arc<Dataset>,
        ready: &Ready,
        fragments: Option<Vec<Fragment>>,
        by_index: bool,
    ) -> Result<(), LakeFault> {
        if fragments.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        let fault = |error| core.fault(&error);
        let mut scanner = dataset.scan();
        let mut columns = vec![ROW_ID];
        for (name, _) in &self.page.scan.order {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
        scanner.scan_in_order(false).use_scalar_index(by_index).project(&columns).map_err(fault)?;
        if let Condition::When(expr) = &ready.condition {
            widths::fit(core, dataset, &mut scanner, expr).await?;
            scanner.filter_expr(expr.clone());
            if !by_index && ready.words.is_empty() {
                scanner.materialization_style(widths::style(core, dataset, &columns).await?);
            }
        }
        if let Some(fragments) = fragments {
            scanner.with_fragments(fragments);
        }
        if !ready.words.is_empty() {
            search::with_words(core, dataset, &mut scanner, &ready.words).await?;
        }
        let mut batches = scanner.try_into_stream().boxed().await.map_err(fault)?;
        while let Some(batch) = batches.try_next().await.map_err(fault)? {
            self.rows += batch.num_rows();
            self.kept.push(batch);
            if self.rows > self.page.rows * 4 + SLACK {
                self.shrink(core)?;
            }
        }
        Ok(())
    }

    /// Throws out what is not among the first rows.
    fn shrink(&mut self, core: &Core) -> Result<(), LakeFault> {
        let Some(first) = self.kept.first() else { return Ok(()) };
        let engine = |reason: String| LakeFault::Engine { table: core.name.to_string(), reason };
        let all = concat_batches(&first.schema(), &self.kept).map_err(|error| engine(error.to_string()))?;
        let mut keys = Vec::new();
        for (name, order) in &self.page.scan.order {
            let values = all.column_by_name(name).ok_or_else(|| engine(format!("rows came back without `{name}`")))?;
            let options = SortOptions { descending: *order == Order::Descending, nulls_first: false };
            keys.push(SortColumn { values: values.clone(), options: Some(options) });
        }
        let order = lexsort_to_indices(&keys, Some(self.page.rows)).map_err(|error| engine(error.to_string()))?;
        let sorted = take_record_batch(&all, &order).map_err(|error| engine(error.to_string()))?;
        self.rows = sorted.num_rows();
        self.kept = vec![sorted];
        Ok(())
    }

    fn sorted(mut self, core: &Core) -> Result<Option<RecordBatch>, LakeFault> {
        self.shrink(core)?;
        Ok(self.kept.pop())
    }

    /// Whether the page is full of rows that come before all that begin with this number.
    fn beats(&mut self, core: &Core, number: i64) -> Result<bool, LakeFault> {
        if self.rows < self.page.rows {
            return Ok(false);
        }
        self.shrink(core)?;
        let (first, order) = &self.page.scan.order[0];
        let last = self.kept.first().and_then(|batch| {
            let numbers = batch.column_by_name(first)?.as_primitive_opt::<Int64Type>()?;
            (numbers.len() == self.page.rows).then(|| numbers.value(numbers.len() - 1))
        });
        Ok(last.is_some_and(|last| match order {
            Order::Ascending => last < number,
            Order::Descending => last > number,
        }))
    }
}

fn addresses(batch: &RecordBatch) -> Option<&UInt64Array> {
    batch.column_by_name(ROW_ID)?.as_primitive_opt()
}

/// Rows from an offset on, up to a limit.
pub(crate) fn cut(batches: Vec<RecordBatch>, offset: usize, limit: usize) -> Vec<RecordBatch> {
    let (mut skip, mut room) = (offset, limit);
    let mut kept = Vec::new();
    for batch in batches {
        let skipped = skip.min(batch.num_rows());
        skip -= skipped;
        let batch = batch.slice(skipped, (batch.num_rows() - skipped).min(room));
        room -= batch.num_rows();
        kept.push(batch);
    }
    kept
}
