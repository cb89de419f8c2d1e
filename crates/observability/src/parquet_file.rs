//! Spans as a Parquet file, which is sent while it is made.
//!
//! A row whose large values lie among the blobs is written by itself, with them in their places: those of a page of rows may be
//! more than memory holds.

use std::{collections::VecDeque, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{Schema, SchemaRef};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::{
    fault::TraceFault,
    query::Export,
    table::{ADOPTED, LENT, Rows, Texts},
};

/// Not of the span itself.
const LEFT_OUT: [&str; 4] = ["project", "labels", ADOPTED, LENT];
/// What a group of rows takes in the file before it is written, and what it may take in memory until then.
const GROUP_BYTES: usize = 16 << 20;
const GROUP_MEMORY: usize = 48 << 20;

/// A file under way: the columns of the table, attributes and events as JSON.
#[derive(Debug)]
pub struct ParquetExport {
    export: Export,
    /// Of the page that was read last.
    waiting: VecDeque<Piece>,
    /// Absent when the file is whole.
    writer: Option<Writer>,
}

/// Rows that are written together.
#[derive(Debug)]
enum Piece {
    /// As they lie in the table.
    Plain(Vec<RecordBatch>),
    /// One, whose large values lie elsewhere.
    Large(RecordBatch),
}

impl Export {
    /// The same spans as one Parquet file.
    pub fn into_parquet(self) -> Result<ParquetExport, TraceFault> {
        let writer = Some(Writer::new(&self.schema())?);
        Ok(ParquetExport { export: self, waiting: VecDeque::new(), writer })
    }
}

impl ParquetExport {
    /// The next bytes; none when the file is whole.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, TraceFault> {
        while let Some(mut writer) = self.writer.take() {
            let rows = self.next_rows().await?;
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

    /// The next rows, whole; none when all were given.
    async fn next_rows(&mut self) -> Result<Option<Vec<RecordBatch>>, TraceFault> {
        if self.waiting.is_empty()
            && let Some(rows) = self.export.next_rows().await?
        {
            self.waiting = parted(rows)?;
        }
        Ok(match self.waiting.pop_front() {
            Some(Piece::Plain(rows)) => Some(rows),
            Some(Piece::Large(row)) => Some(vec![whole(&self.export, row).await?]),
            None => None,
        })
    }
}

/// A row with its large values in their places. One that was erased a moment ago stays as it was read.
/// Of the file under way only the export is borrowed: its writer is for one thread at a time.
async fn whole(export: &Export, row: RecordBatch) -> Result<RecordBatch, TraceFault> {
    let mut span = Rows(&row).span(0)?;
    if !export.fill(&mut span).await? {
        return Ok(row);
    }
    let mut texts = Texts::default();
    texts.write(&span).map_err(|error| unwritable(&error))?;
    let (schema, mut columns) = (row.schema(), row.columns().to_vec());
    for (name, json) in [("attributes", texts.attributes()), ("events", texts.events()), ("links", texts.links())] {
        let at = schema.index_of(name).map_err(|error| unwritable(&error))?;
        let text = std::str::from_utf8(json).map_err(|error| unwritable(&error))?;
        columns[at] = Arc::new(StringArray::from(vec![Some(text).filter(|text| !text.is_empty())]));
    }
    RecordBatch::try_new(schema, columns).map_err(|error| unwritable(&error))
}

/// Rows with large values by themselves, and the others between them; in the same order.
fn parted(batches: Vec<RecordBatch>) -> Result<VecDeque<Piece>, TraceFault> {
    let (mut pieces, mut plain) = (VecDeque::new(), Vec::new());
    for batch in batches {
        let (rows, mut begun) = (Rows(&batch), 0);
        for row in 0..batch.num_rows() {
            if rows.number("large_bytes", row)?.is_none() {
                continue;
            }
            if row > begun {
                plain.push(batch.slice(begun, row - begun));
            }
            if !plain.is_empty() {
                pieces.push_back(Piece::Plain(std::mem::take(&mut plain)));
            }
            pieces.push_back(Piece::Large(batch.slice(row, 1)));
            begun = row + 1;
        }
        if begun < batch.num_rows() {
            plain.push(batch.slice(begun, batch.num_rows() - begun));
        }
    }
    if !plain.is_empty() {
        pieces.push_back(Piece::Plain(plain));
    }
    Ok(pieces)
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
        if self.file.in_progress_size() >= GROUP_BYTES || self.file.memory_size() >= GROUP_MEMORY {
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

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field};

    use super::*;

    #[test]
    fn large_rows_are_written_in_groups_that_memory_holds() {
        let schema = Schema::new(vec![Field::new("attributes", DataType::Utf8, false)]);
        let mut writer = Writer::new(&schema).unwrap();
        // Nothing in it repeats, so that it takes half of this in the file.
        let mut random = 7_u64;
        let mut digit = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            char::from(b"0123456789abcdef"[(random >> 40) as usize & 15])
        };
        let long: String = (0..1 << 20).map(|_| digit()).collect();
        let (mut sent, mut groups) = (0, 0);
        for row in 0..80 {
            let texts = StringArray::from(vec![format!("{row} {long}")]);
            let bytes = writer.add(&[RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(texts)]).unwrap()]).unwrap();
            groups += usize::from(bytes.len() > 1 << 20);
            sent += bytes.len();
            assert!(writer.file.memory_size() <= GROUP_MEMORY, "{row}: {} bytes are held", writer.file.memory_size());
        }
        assert!(groups >= 2, "{groups}");
        let rest = writer.end().unwrap().len();
        assert!(sent > rest && sent + rest > 30 << 20, "{sent} and {rest}");
    }
}
