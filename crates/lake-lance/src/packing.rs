//! Columns whose rows are packed together.
//!
//! Lance keeps each long text by itself, shortened by a table of what is frequent in all of them. Texts that mostly repeat what
//! stands in the row before shrink far more when they are compressed together, a block of 32 kB at a time. Which columns these
//! are is written in the table's schema (`marks.rs`), so that whoever adds rows or joins files does the same.

use arrow_schema::Schema;
use mainspring_lake::LakeFault;

use crate::schema;

/// What Lance reads from the metadata of a column. Larger blocks pack better, and cost whoever reads one row of them more.
pub(crate) const PACKED: [(&str, &str); 4] = [
    ("lance-encoding:structural-encoding", "miniblock"),
    ("lance-encoding:compression", "zstd"),
    ("lance-encoding:compression-level", "1"),
    ("lance-encoding:minichunk-size", "32768"),
];

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
