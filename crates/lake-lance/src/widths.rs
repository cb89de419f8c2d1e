//! How wide the values of a column are, about.
//!
//! Lance reads every text only of rows that pass a condition, one by one. Where many pass, that takes many times as long as
//! reading a column of short texts whole; so only the wide ones are left for then.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::Array;
use lance::{Dataset, dataset::scanner::MaterializationStyle};
use mainspring_lake::LakeFault;

use crate::{search, table::Core};

const SAMPLE: u16 = 256;
/// Bytes of a value, on average.
const WIDE_FROM: usize = 128;

/// Columns whose values were looked at, and whether they are wide.
#[derive(Debug, Default)]
pub(crate) struct Widths(Mutex<HashMap<String, bool>>);

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
    let known = core.widths.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
    if let Some(known) = known {
        return Ok(known);
    }
    let Some(newest) = dataset.iter_fragments().last().cloned() else { return Ok(false) };
    let fault = |error| core.fault(&error);
    let mut scanner = dataset.scan();
    scanner.with_fragments(vec![newest]).project(&[name]).map_err(fault)?.limit(Some(SAMPLE.into()), None).map_err(fault)?;
    let (mut rows, mut bytes) = (0, 0);
    for batch in search::run(core, &scanner).await? {
        rows += batch.num_rows();
        bytes += batch.column(0).to_data().get_slice_memory_size().unwrap_or(0);
    }
    let wide = bytes >= rows.max(1) * WIDE_FROM;
    // A few rows say little about those to come.
    if rows >= usize::from(SAMPLE) {
        core.widths.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), wide);
    }
    Ok(wide)
}
