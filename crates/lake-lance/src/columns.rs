//! Columns that a table gets when it is opened with a schema that has more of them.
//!
//! Only the manifest changes: files without the column are read as if it were null in them.

use std::sync::Arc;

use arrow_schema::Schema;
use futures::FutureExt as _;
use lance::{Dataset, dataset::NewColumnTransform};
use mainspring_lake::LakeFault;

use crate::{schema, table::Core, writer};

/// Writers commit between our look and our commit; each try takes a few milliseconds.
const ATTEMPTS: u32 = 20;

/// Gives the table what it lacks of this schema. Any number of processes may do so at once: who loses looks again.
pub(crate) async fn add_lacking(core: &Core, wanted: &Schema) -> Result<(), LakeFault> {
    let table = core.name.as_str();
    if schema::lacking(&core.schema(), wanted, table)?.is_empty() {
        return Ok(());
    }
    for attempt in 1..=ATTEMPTS {
        let mut dataset = Dataset::clone(&*core.refresh().await?);
        let lacking = schema::lacking(&core.schema_at(&dataset), wanted, table)?;
        if lacking.is_empty() {
            return Ok(());
        }
        let nulls = NewColumnTransform::AllNulls(Arc::new(Schema::new(lacking)));
        match dataset.add_columns(nulls, None, None).boxed().await {
            Ok(()) => {
                core.advance(dataset);
            }
            Err(error) if writer::is_conflict(&error) => {
                core.try_again(attempt).await?;
            }
            Err(error) => return Err(core.fault(&error)),
        }
    }
    Err(LakeFault::Contended { table: core.name.to_string() })
}
