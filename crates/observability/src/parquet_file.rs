//! Spans as a Parquet file, which is sent while it is made.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::{fault::TraceFault, query::Export};

/// Not of the span itself.
const LEFT_OUT: [&str; 2] = ["project", "labels"];
/// What is held in memory before it is written as a group of rows.
const GROUP_BYTES: usize = 16 << 20;

/// A file under way: the columns of the table, attributes and events as JSON.
#[derive(Debug)]
pub struct ParquetExport {
    export: Export,
    /// Absent when the file is whole.
    writer: Option<Writer>,
}

impl Export {
    /// The same spans as one Parquet file.
    pub fn into_parquet(self) -> Result<ParquetExport, TraceFault> {
        let writer = Some(Writer::new(&self.schema())?);
        Ok(ParquetExport { export: self, writer })
    }
}

impl ParquetExport {
    /// The next bytes; none when the file is whole.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, TraceFault> {
        while let Some(mut writer) = self.writer.take() {
            let rows = self.export.next_rows().await?;
            // A group of rows keeps a thread busy for longer than anyone's answer should wait.
            let written = tokio::task::spawn_blocking(move || match rows {
                Some(rows) => writer.add(&rows).map(|bytes| (bytes, Some(writer))),
                None => writer.end().map(|bytes| (bytes, None)),
            });
            let (bytes, writer) = written.await.map_err(|error| unwritable(&error))??;
            self.writer = writer;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

struct Writer {
    schema: SchemaRef,
    file: ArrowWriter<Vec<u8>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    fn new(table: &Schema) -> Result<Self, TraceFault> {
        let kept = table.fields().iter().filter(|field| !LEFT_OUT.contains(&field.name().as_str()));
        let schema = Arc::new(Schema::new(kept.cloned().collect::<Vec<_>>()));
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let file = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties)).map_err(|error| unwritable(&error))?;
        Ok(Self { schema, file })
    }

    fn add(&mut self, batches: &[RecordBatch]) -> Result<Vec<u8>, TraceFault> {
        for batch in batches {
            let column = |name: &String| batch.column_by_name(name).cloned();
            let columns: Option<Vec<ArrayRef>> = self.schema.fields().iter().map(|field| column(field.name())).collect();
            let missing = || TraceFault::Unreadable { reason: "a column is missing".into() };
            let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns.ok_or_else(missing)?);
            rows.map_err(ParquetError::from).and_then(|rows| self.file.write(&rows)).map_err(|error| unwritable(&error))?;
        }
        if self.file.in_progress_size() >= GROUP_BYTES {
            self.file.flush().map_err(|error| unwritable(&error))?;
        }
        Ok(std::mem::take(self.file.inner_mut()))
    }

    fn end(self) -> Result<Vec<u8>, TraceFault> {
        self.file.into_inner().map_err(|error| unwritable(&error))
    }
}

fn unwritable(error: &dyn std::error::Error) -> TraceFault {
    TraceFault::Unreadable { reason: format!("a file of spans could not be made: {error}") }
}
