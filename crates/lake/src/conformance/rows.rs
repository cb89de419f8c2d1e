//! The table that every case uses, and its rows.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Float64Array, Int64Array, RecordBatch, StringArray,
    builder::{ListBuilder, StringBuilder},
    cast::AsArray,
    types::{Float32Type, Float64Type, Int64Type},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::{IndexKind, IndexSpec, Past, Scan, Table, TableSpec};

pub const WIDTH: i32 = 8;

/// A row with one column of each kind; everything but the id may be null.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    pub id: String,
    pub doc: Option<String>,
    pub number: Option<i64>,
    pub share: Option<f64>,
    pub flag: Option<bool>,
    pub labels: Option<Vec<String>>,
    pub words: Option<String>,
    pub vector: Option<Vec<f32>>,
}

impl Row {
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = Some(doc.to_owned());
        self
    }
    #[must_use]
    pub const fn number(mut self, number: i64) -> Self {
        self.number = Some(number);
        self
    }
    #[must_use]
    pub const fn share(mut self, share: f64) -> Self {
        self.share = Some(share);
        self
    }
    #[must_use]
    pub const fn flag(mut self, flag: bool) -> Self {
        self.flag = Some(flag);
        self
    }
    #[must_use]
    pub fn labels(mut self, labels: &[&str]) -> Self {
        self.labels = Some(labels.iter().map(|label| (*label).to_owned()).collect());
        self
    }
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.words = Some(words.to_owned());
        self
    }
    /// A vector that leans from the first axis towards the second by this angle in degrees.
    #[must_use]
    pub fn angle(mut self, degrees: f32) -> Self {
        self.vector = Some(leaning(degrees));
        self
    }
}

/// A vector whose cosine to the first axis is the cosine of this angle.
pub(super) fn leaning(degrees: f32) -> Vec<f32> {
    let mut vector = vec![0.0; 8];
    let angle = degrees.to_radians();
    (vector[0], vector[1]) = (angle.cos(), angle.sin());
    vector
}

pub(super) fn schema() -> SchemaRef {
    let label = Arc::new(Field::new("item", DataType::Utf8, true));
    let number = Arc::new(Field::new("item", DataType::Float32, true));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("doc", DataType::Utf8, true),
        Field::new("number", DataType::Int64, true),
        Field::new("share", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("labels", DataType::List(label), true),
        Field::new("words", DataType::Utf8, true),
        Field::new("vector", DataType::FixedSizeList(number, WIDTH), true),
    ]))
}

#[must_use]
pub fn spec() -> TableSpec {
    let index = |column: &str, kind| IndexSpec { column: column.to_owned(), kind };
    TableSpec {
        schema: schema(),
        indexes: vec![
            index("id", IndexKind::Scalar),
            index("doc", IndexKind::Scalar),
            index("number", IndexKind::Scalar),
            index("labels", IndexKind::Labels),
            index("words", IndexKind::Text),
            index("vector", IndexKind::Vector),
        ],
        past: Past::AsAsked,
        packed: Vec::new(),
        echoes: Vec::new(),
    }
}

#[must_use]
pub fn batch(rows: &[Row]) -> RecordBatch {
    let mut labels = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match &row.labels {
            Some(list) => labels.append_value(list.iter().map(Some)),
            None => labels.append_null(),
        }
    }
    let vectors = rows.iter().map(|row| row.vector.as_ref().map(|vector| vector.iter().copied().map(Some)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.id))),
        Arc::new(rows.iter().map(|row| row.doc.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.share).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>()),
        Arc::new(labels.finish()),
        Arc::new(rows.iter().map(|row| row.words.as_deref()).collect::<StringArray>()),
        Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors, WIDTH)),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// The rows of batches with all columns, as they were written.
#[must_use]
pub fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|at| row_of(batch, at))).collect()
}

fn row_of(batch: &RecordBatch, at: usize) -> Row {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let there = |name: &str| column(name).is_valid(at);
    let text = |name: &str| there(name).then(|| column(name).as_string::<i32>().value(at).to_owned());
    Row {
        id: text("id").unwrap(),
        doc: text("doc"),
        number: there("number").then(|| column("number").as_primitive::<Int64Type>().value(at)),
        share: there("share").then(|| column("share").as_primitive::<Float64Type>().value(at)),
        flag: there("flag").then(|| column("flag").as_boolean().value(at)),
        labels: there("labels").then(|| {
            let list = column("labels").as_list::<i32>().value(at);
            list.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
        }),
        words: text("words"),
        vector: there("vector")
            .then(|| column("vector").as_fixed_size_list().value(at).as_primitive::<Float32Type>().values().to_vec()),
    }
}

/// The ids a scan finds, sorted.
pub async fn ids(table: &dyn Table, scan: Scan) -> Vec<String> {
    let mut ids = ids_in_order(table, scan).await;
    ids.sort();
    ids
}

/// The ids a scan finds, as they come.
pub(super) async fn ids_in_order(table: &dyn Table, scan: Scan) -> Vec<String> {
    let batches = table.scan(scan.columns(&["id"])).await.unwrap();
    batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The ids of rows by address, in this order.
pub(super) async fn ids_at(table: &dyn Table, rows: &[(u64, f32)]) -> Vec<String> {
    let addresses: Vec<u64> = rows.iter().map(|(address, _)| *address).collect();
    let batch = table.take(&addresses, &["id"]).await.unwrap();
    batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}
