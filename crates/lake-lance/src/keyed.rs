//! Rows that are known by keys, where several processes add them.
//!
//! Two commits that only add rows never conflict, so whoever looked for a key before it added it may have looked too early. A
//! commit that says which keys it adds conflicts with one that added any of them meanwhile, or that does not say which it added;
//! then it looks again.

use std::collections::HashSet;

use arrow_array::{Array, RecordBatch, StringArray, cast::AsArray};
use lance::Dataset;
use lance_table::format::key_existence::{FilterType, KeyExistenceFilter};
use mainspring_kernel::Digest;
use mainspring_lake::LakeFault;

use crate::table::Core;

/// Which keys these rows have, as every process tells it. None where nobody else writes.
pub(crate) fn of(
    core: &Core,
    dataset: &Dataset,
    rows: Option<&RecordBatch>,
    keys: &[String],
) -> Result<Option<KeyExistenceFilter>, LakeFault> {
    let alone = core.shared.config.look_for_newer_after.is_none();
    let Some(rows) = rows.filter(|_| !keys.is_empty() && !alone) else { return Ok(None) };
    let fault = |key: &String| core.query_fault(format!("column `{key}` holds no texts that rows could be known by"));
    let mut columns: Vec<&StringArray> = Vec::with_capacity(keys.len());
    let mut field_ids = Vec::with_capacity(keys.len());
    for key in keys {
        columns.push(rows.column_by_name(key).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(|| fault(key))?);
        field_ids.push(dataset.schema().field(key).ok_or_else(|| fault(key))?.id);
    }
    let filter = FilterType::ExactSet((0..rows.num_rows()).map(|row| named(&columns, row)).collect::<HashSet<u64>>());
    Ok(Some(KeyExistenceFilter { field_ids, filter }))
}

/// The key of a row as a number, the same in every process. Where chance makes two keys alike, two commits take turns.
fn named(columns: &[&StringArray], row: usize) -> u64 {
    let texts = columns.iter().map(|column| if column.is_null(row) { &[][..] } else { column.value(row).as_bytes() });
    let digest = Digest::of_parts(texts);
    digest.as_bytes().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
