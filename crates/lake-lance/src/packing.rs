//! Columns whose rows are packed together.
//!
//! Lance keeps each long text by itself, shortened by a table of what is frequent in all of them. Texts that mostly repeat what
//! stands in the row before shrink far more when they are compressed together, a block of 256 kB at a time. Beside them the
//! numbers and short words of a row are no longer little, so a table that packs some columns compresses the others too. Which
//! columns these are is written in the table's schema (`marks.rs`), so that whoever adds rows or joins files does the same.

use arrow_schema::{DataType, Schema};
use mainspring_lake::{LakeFault, TableSpec};

use crate::schema;

/// What Lance reads from the metadata of a column. The third level takes little more time than the first on texts like these.
const COMPRESSED: [(&str, &str); 2] = [("lance-encoding:compression", "zstd"), ("lance-encoding:compression-level", "3")];

/// Larger blocks pack better, and cost whoever reads one row of them more.
const PACKED: [(&str, &str); 2] =
    [("lance-encoding:structural-encoding", "miniblock"), ("lance-encoding:minichunk-size", "262144")];

/// What is to be said of each column of a table. Vectors are as good as random, and read one by one.
pub(crate) fn marks(spec: &TableSpec) -> impl Iterator<Item = (&String, Vec<(&'static str, &'static str)>)> {
    let compressed = spec.schema.fields().iter().filter(|_| !spec.packed.is_empty());
    compressed.filter(|field| !matches!(field.data_type(), DataType::FixedSizeList(..))).map(|field| {
        let packed = spec.packed.contains(field.name()).then_some(PACKED);
        (field.name(), COMPRESSED.into_iter().chain(packed.into_iter().flatten()).collect())
    })
}

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
