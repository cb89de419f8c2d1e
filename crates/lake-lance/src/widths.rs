//! How wide the values of a column are, about.
//!
//! Lance reads every text only of rows that pass a condition, one by one. Where many pass, that takes many times as long as
//! reading a column of short texts whole; so only the wide ones are left for then. And a condition that looks into texts has
//! as many rows of them in memory as are read at once; so of long texts fewer are.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{Array, RecordBatch};
use lance::{
    Dataset,
    dataset::scanner::{MaterializationStyle, Scanner},
    deps::datafusion::{
        common::tree_node::{TreeNode, TreeNodeRecursion},
        logical_expr::Expr,
    },
};
use lance_table::format::Fragment;
use mainspring_lake::LakeFault;

use crate::{search, table::Core};

const SAMPLE: u16 = 256;
/// Bytes of a value, on average.
const WIDE_FROM: usize = 128;

/// Rows whose texts tell how long the others are.
const LONG_SAMPLE: usize = 64;
/// Bytes of texts that are looked into at once, about, and the rows that are read at once.
const LOOKED_INTO: usize = 32 << 20;
const ROWS_LEAST: usize = 64;
const ROWS_MOST: usize = 8 * 1024;

/// Columns whose values were looked at.
#[derive(Debug, Default)]
pub(crate) struct Widths {
    /// Whether they are wide.
    wide: Mutex<HashMap<String, bool>>,
    /// The bytes of a value, and the fragment that told it: once that is gone, another one is asked.
    long: Mutex<HashMap<String, (u64, usize)>>,
}

/// Narrow columns first, along with those of the condition.
pub(crate) async fn style(core: &Core, dataset: &Arc<Dataset>, names: &[&str]) -> Result<MaterializationStyle, LakeFault> {
    let schema = core.schema_at(dataset);
    let mut wide = Vec::new();
    for name in names {
        let varies = schema.field_with_name(name).is_ok_and(|field| field.data_type().primitive_width().is_none());
        if varies && is_wide(core, dataset, name).await? {
            wide.push(*name);
        }
    }
    MaterializationStyle::all_early_except(&wide, dataset.schema()).map_err(|error| core.fault(&error))
}

async fn is_wide(core: &Core, dataset: &Arc<Dataset>, name: &str) -> Result<bool, LakeFault> {
    let known = core.widths.wide.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
    if let Some(known) = known {
        return Ok(known);
    }
    let Some(newest) = dataset.iter_fragments().last().cloned() else { return Ok(false) };
    let fault = |error| core.fault(&error);
    let mut scanner = dataset.scan();
    scanner.with_fragments(vec![newest]).project(&[name]).map_err(fault)?.limit(Some(SAMPLE.into()), None).map_err(fault)?;
    let (rows, bytes) = measured(&search::run(core, &scanner).await?);
    let wide = bytes >= rows.max(1) * WIDE_FROM;
    // A few rows say little about those to come.
    if rows >= usize::from(SAMPLE) {
        core.widths.wide.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), wide);
    }
    Ok(wide)
}

/// The rows of a column, and the bytes they take.
fn measured(batches: &[RecordBatch]) -> (usize, usize) {
    batches.iter().fold((0, 0), |(rows, bytes), batch| {
        (rows + batch.num_rows(), bytes + batch.column(0).to_data().get_slice_memory_size().unwrap_or(0))
    })
}

/// Has a scan read no more rows at once than memory should hold of the texts that its condition looks into.
pub(crate) async fn fit(core: &Core, dataset: &Arc<Dataset>, scanner: &mut Scanner, condition: &Expr) -> Result<(), LakeFault> {
    if let Some(rows) = rows_at_once(core, dataset, condition).await? {
        scanner.batch_size(rows);
    }
    Ok(())
}

/// Nothing where as many as usual may be read.
pub(crate) async fn rows_at_once(core: &Core, dataset: &Arc<Dataset>, condition: &Expr) -> Result<Option<usize>, LakeFault> {
    let schema = core.schema_at(dataset);
    let mut bytes = 0;
    for name in looked_into(condition) {
        if schema.field_with_name(&name).is_ok_and(|field| field.data_type().primitive_width().is_none()) {
            bytes += length(core, dataset, &name).await?;
        }
    }
    Ok(rows_of(bytes, LOOKED_INTO))
}

/// How many rows of so many bytes are read at once where there is so much room, if that is fewer than usual.
pub(crate) fn rows_of(bytes: usize, room: usize) -> Option<usize> {
    let rows = (room / bytes.max(1)).max(ROWS_LEAST);
    (rows < ROWS_MOST).then_some(rows)
}

/// The columns whose values a function is asked of: of those that are only compared, the values are short.
fn looked_into(condition: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let walked = condition.apply(|part| {
        if let Expr::ScalarFunction(call) = part {
            let columns = call.args.iter().flat_map(|argument| argument.column_refs());
            names.extend(columns.map(|column| column.name.clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // Whoever walks stops for no fault of its own.
    debug_assert!(walked.is_ok());
    names
}

/// The bytes of a value, on average; nought while there are few.
async fn length(core: &Core, dataset: &Arc<Dataset>, name: &str) -> Result<usize, LakeFault> {
    let enough = |fragment: &&Fragment| fragment.physical_rows.is_some_and(|rows| rows >= LONG_SAMPLE);
    let known = core.widths.long.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
    if let Some((_, bytes)) = known.filter(|(told, _)| dataset.iter_fragments().any(|fragment| fragment.id == *told)) {
        return Ok(bytes);
    }
    let Some(newest) = dataset.iter_fragments().filter(enough).last().cloned() else { return Ok(0) };
    let (id, fault) = (newest.id, |error| core.fault(&error));
    let sample = i64::try_from(LONG_SAMPLE).unwrap_or(i64::MAX);
    let mut scanner = dataset.scan();
    scanner.with_fragments(vec![newest]).batch_size(LONG_SAMPLE).project(&[name]).map_err(fault)?;
    scanner.limit(Some(sample), None).map_err(fault)?;
    let (rows, bytes) = measured(&search::run(core, &scanner).await?);
    let bytes = bytes / rows.max(1);
    core.widths.long.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), (id, bytes));
    Ok(bytes)
}
