//! Columns whose rows are packed together.
//!
//! Lance keeps each long text by itself, shortened by a table of what is frequent in all of them. Texts that mostly repeat what
//! stands in the row before shrink far more when they are compressed together, a block of 32 kB at a time. Which columns these
//! are is written in the table's schema, so that whoever adds rows or joins files does the same.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use futures::FutureExt as _;
use lance::{Dataset, Error};
use mainspring_lake::LakeFault;

use crate::{schema, table::Core, writer};

/// What Lance reads from the metadata of a column. Larger blocks pack better, and cost whoever reads one row of them more.
const PACKED: [(&str, &str); 4] = [
    ("lance-encoding:structural-encoding", "miniblock"),
    ("lance-encoding:compression", "zstd"),
    ("lance-encoding:compression-level", "1"),
    ("lance-encoding:minichunk-size", "32768"),
];
/// Writers commit between our look and our commit; each try takes a few milliseconds.
const ATTEMPTS: u32 = 20;

/// Whether each of these columns is one of text.
pub(crate) fn check(schema: &Schema, packed: &[String], table: &str) -> Result<(), LakeFault> {
    for name in packed {
        if !schema::is_text(schema::column(schema, table, name)?.data_type()) {
            let reason = format!("column `{name}` cannot be packed: it is not text");
            return Err(LakeFault::Schema { table: table.to_owned(), reason });
        }
    }
    Ok(())
}

/// The schema of a new table.
pub(crate) fn asked(schema: &SchemaRef, packed: &[String]) -> SchemaRef {
    if packed.is_empty() {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().map(|field| {
        let mut field = field.as_ref().clone();
        if packed.contains(field.name()) {
            let mut metadata = field.metadata().clone();
            metadata.extend(PACKED.map(|(key, value)| (key.to_owned(), value.to_owned())));
            field.set_metadata(metadata);
        }
        field
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// Has these columns of a table packed from now on. Any number of processes may do so at once: who loses looks again.
pub(crate) async fn add_lacking(core: &Core, packed: &[String]) -> Result<(), LakeFault> {
    if lacking(&*core.newest_known()?, packed).is_empty() {
        return Ok(());
    }
    for attempt in 1..=ATTEMPTS {
        let mut dataset = Dataset::clone(&*core.refresh().await?);
        let lacking = lacking(&dataset, packed);
        if lacking.is_empty() {
            return Ok(());
        }
        let mut update = dataset.update_field_metadata();
        for column in lacking {
            update = update.update(column.as_str(), PACKED).map_err(|error| core.fault(&error))?;
        }
        let updated = update.into_future().boxed().await.map(drop);
        match updated {
            Ok(()) => {
                core.advance(dataset);
                return Ok(());
            }
            // Whoever does the same at the same time is no conflict to Lance but a contradiction.
            Err(error) if writer::is_conflict(&error) || matches!(error, Error::IncompatibleTransaction { .. }) => {
                core.try_again(attempt).await?;
            }
            Err(error) => return Err(core.fault(&error)),
        }
    }
    Err(LakeFault::Contended { table: core.name.to_string() })
}

fn lacking<'a>(dataset: &Dataset, packed: &'a [String]) -> Vec<&'a String> {
    let is_packed = |column: &str| {
        let field = dataset.schema().field(column);
        field.is_some_and(|field| PACKED.iter().all(|(key, value)| field.metadata.get(*key).is_some_and(|is| is == value)))
    };
    packed.iter().filter(|column| !is_packed(column)).collect()
}
