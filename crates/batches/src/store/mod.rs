//! SQL of files and batches lives here and nowhere else.

mod batches;
mod files;
mod results;

use mainspring_catalog::{CatalogFault, Row};
use mainspring_kernel::Labels;

pub(crate) use batches::{
    batch_in, batch_of, batches, begin_batch, cancel_batch, count, end_batch, finalize_batch, find_batch, insert_batch,
    oldest_open, open_batches, reader_of, refuse_batch, rest_batch, unfinished,
};
pub(crate) use files::{
    NewFile, Part, drop_file, expired_files, file, files, finish_file, gone_files, grow, held_files, insert_file_in, is_ready,
    last_part, mark_gone, parts, ready_results, remove_file,
};
pub(crate) use results::{answered, empty_results, forget_results, insert_result, left_over, results, sizes};

/// Every statement for both engines, for the test that compiles them.
pub const STATEMENTS: &[&[&str]] = &[files::STATEMENTS, batches::STATEMENTS, results::STATEMENTS];

fn labels_text(labels: &Labels) -> String {
    serde_json::to_string(labels).unwrap_or_default()
}

fn labels_of(row: &Row) -> Result<Labels, CatalogFault> {
    row.json("labels")
}
