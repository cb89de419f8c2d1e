//! The rows of a knowledge's table: one per chunk. Written and read back only here.

use std::{collections::BTreeMap, sync::Arc};

use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Int64Array, ListArray, RecordBatch, StringArray,
    builder::{ListBuilder, StringBuilder},
    cast::AsArray,
    types::{Float32Type, Int64Type},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::{Digest, Name, text};
use mainspring_lake::{Filter, IndexKind, IndexSpec, Past, TableSpec};
use serde::{Deserialize, Serialize};

use crate::{
    fault::KnowledgeFault,
    model::{DocumentId, KnowledgeKey},
};

/// Part of every table's config: rows of another format need another table.
pub(crate) const ROW_FORMAT: u32 = 3;

/// In the labels of a document that has none, so that one question finds what an actor may see.
pub(crate) const EVERYONE: &str = "*";

pub(crate) mod columns {
    pub(crate) const ID: &str = "id";
    pub(crate) const DOCUMENT: &str = "doc_id";
    pub(crate) const DOCUMENT_DIGEST: &str = "document_digest";
    pub(crate) const ORDINAL: &str = "ordinal";
    pub(crate) const TEXT: &str = "text";
    pub(crate) const HEADER: &str = "header";
    pub(crate) const SEARCH_TEXT: &str = "search_text";
    pub(crate) const TEXT_DIGEST: &str = "text_digest";
    pub(crate) const START: &str = "start";
    pub(crate) const END: &str = "end";
    pub(crate) const PARENT_START: &str = "parent_start";
    pub(crate) const PARENT_END: &str = "parent_end";
    pub(crate) const PAGE: &str = "page";
    pub(crate) const HEADING_PATH: &str = "heading_path";
    pub(crate) const KIND: &str = "kind";
    pub(crate) const TOKENS: &str = "tokens";
    pub(crate) const TITLE: &str = "title";
    pub(crate) const URI: &str = "uri";
    pub(crate) const MEDIA_TYPE: &str = "media_type";
    pub(crate) const LABELS: &str = "labels";
    pub(crate) const META: &str = "meta";
    pub(crate) const SOURCE: &str = "source";
    pub(crate) const UPDATED: &str = "updated";
    pub(crate) const VECTOR: &str = "vector";

    /// Everything a passage shows, together: reading thirty rows of one column takes a sixth of the time that
    /// reading them of twenty-three does.
    pub(crate) const CARD: &str = "card";

    pub(crate) const SHOWN: [&str; 1] = [CARD];
}
use columns as c;

/// A chunk as it stands in the table, without its vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChunkRow {
    pub id: String,
    pub document: String,
    pub document_digest: String,
    pub ordinal: u32,
    pub text: String,
    /// What was embedded and indexed before the text: title and headings.
    pub header: String,
    /// The first row of the table that the text goes on with. Only on the card: nothing is searched by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_head: Option<String>,
    /// What was embedded, and is searched by words: the header, and the text as it is spoken. On a card it stands apart.
    #[serde(skip)]
    pub search_text: String,
    pub text_digest: String,
    pub start: u64,
    pub end: u64,
    pub parent_start: u64,
    pub parent_end: u64,
    pub page: Option<u32>,
    pub heading_path: Vec<String>,
    pub kind: String,
    pub tokens: u32,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    /// Empty: everyone.
    pub labels: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub source: String,
    pub updated: i64,
}

/// `kn_<name>_<12 digits>`: the digits are of project, whole name and config, so that no two meet.
pub(crate) fn table_name(knowledge: &KnowledgeKey, config: &Digest) -> Result<Name, KnowledgeFault> {
    let project = knowledge.project.to_string();
    let digest = Digest::of_parts([project.as_bytes(), knowledge.name.as_str().as_bytes(), config.to_string().as_bytes()]);
    let shown: String = knowledge.name.as_str().chars().take(40).collect();
    let name = format!("kn_{shown}_{}", digest.short());
    name.parse().map_err(|fault| KnowledgeFault::rows(&name, fault))
}

pub(crate) fn table_spec(dimensions: usize) -> Result<TableSpec, KnowledgeFault> {
    let index = |column: &str, kind| IndexSpec { column: column.to_owned(), kind };
    Ok(TableSpec {
        schema: schema(dimensions)?,
        indexes: vec![
            index(c::VECTOR, IndexKind::Vector),
            index(c::SEARCH_TEXT, IndexKind::Text),
            index(c::LABELS, IndexKind::Labels),
            index(c::META, IndexKind::Labels),
            index(c::DOCUMENT, IndexKind::Scalar),
            index(c::TEXT_DIGEST, IndexKind::Scalar),
        ],
        past: Past::AsAsked,
        packed: Vec::new(),
        echoes: Vec::new(),
    })
}

fn schema(dimensions: usize) -> Result<SchemaRef, KnowledgeFault> {
    let width = i32::try_from(dimensions).map_err(|fault| KnowledgeFault::rows("new", fault))?;
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    let texts = |name: &str| Field::new_list(name, Field::new_list_field(DataType::Utf8, true), false);
    Ok(Arc::new(Schema::new(vec![
        text(c::ID),
        text(c::DOCUMENT),
        text(c::DOCUMENT_DIGEST),
        number(c::ORDINAL),
        text(c::TEXT),
        text(c::HEADER),
        text(c::SEARCH_TEXT),
        text(c::TEXT_DIGEST),
        number(c::START),
        number(c::END),
        number(c::PARENT_START),
        number(c::PARENT_END),
        Field::new(c::PAGE, DataType::Int64, true),
        texts(c::HEADING_PATH),
        text(c::KIND),
        number(c::TOKENS),
        text(c::TITLE),
        text(c::URI),
        text(c::MEDIA_TYPE),
        texts(c::LABELS),
        texts(c::META),
        text(c::SOURCE),
        number(c::UPDATED),
        text(c::CARD),
        Field::new(c::VECTOR, DataType::FixedSizeList(Arc::new(Field::new_list_field(DataType::Float32, true)), width), false),
    ])))
}

/// What is embedded, and searched by words, from a header and the text as it is spoken.
#[must_use]
pub(crate) fn search_text(header: &str, spoken: &str) -> String {
    if header.is_empty() { spoken.to_owned() } else { format!("{header}\n\n{spoken}") }
}

/// Names what was embedded; half a digest is plenty among one table's chunks.
#[must_use]
pub(crate) fn text_digest(search_text: &str) -> String {
    Digest::of(search_text.as_bytes()).hex()[..32].to_owned()
}

/// One record batch from chunks and their vectors, in the same order.
pub(crate) fn batch(rows: &[ChunkRow], vectors: &[Arc<[f32]>], dimensions: usize) -> Result<RecordBatch, KnowledgeFault> {
    let texts = |get: fn(&ChunkRow) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(get))) };
    let numbers = |get: fn(&ChunkRow) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(rows.iter().map(get))) };
    let pages: Int64Array = rows.iter().map(|row| row.page.map(i64::from)).collect();
    let mut flat = Vec::with_capacity(rows.len() * dimensions);
    for vector in vectors {
        if vector.len() != dimensions {
            let reason = format!("a vector has {} numbers instead of {dimensions}", vector.len());
            return Err(KnowledgeFault::rows("new", reason));
        }
        flat.extend_from_slice(vector);
    }
    let schema = schema(dimensions)?;
    let fault = |fault: arrow_schema::ArrowError| KnowledgeFault::rows("new", fault);
    let width = i32::try_from(dimensions).map_err(|fault| KnowledgeFault::rows("new", fault))?;
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let vectors = FixedSizeListArray::try_new(item, width, Arc::new(Float32Array::from(flat)), None).map_err(fault)?;
    let columns: Vec<ArrayRef> = vec![
        texts(|row| &row.id),
        texts(|row| &row.document),
        texts(|row| &row.document_digest),
        numbers(|row| row.ordinal.into()),
        texts(|row| &row.text),
        texts(|row| &row.header),
        texts(|row| &row.search_text),
        texts(|row| &row.text_digest),
        numbers(|row| signed(row.start)),
        numbers(|row| signed(row.end)),
        numbers(|row| signed(row.parent_start)),
        numbers(|row| signed(row.parent_end)),
        Arc::new(pages),
        lists(rows, |row| row.heading_path.clone()),
        texts(|row| &row.kind),
        numbers(|row| row.tokens.into()),
        texts(|row| &row.title),
        texts(|row| &row.uri),
        texts(|row| &row.media_type),
        lists(rows, |row| if row.labels.is_empty() { vec![EVERYONE.to_owned()] } else { row.labels.clone() }),
        lists(rows, |row| row.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        texts(|row| &row.source),
        numbers(|row| row.updated),
        Arc::new(StringArray::from(rows.iter().map(card).collect::<Result<Vec<_>, _>>()?)),
        Arc::new(vectors),
    ];
    RecordBatch::try_new(schema, columns).map_err(fault)
}

/// A row as it stands in one column. What header and text give anyway is not written again.
#[derive(Serialize, Deserialize)]
struct Card<R, T> {
    row: R,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    search_text: Option<T>,
}

fn card(row: &ChunkRow) -> Result<String, KnowledgeFault> {
    let search_text = (row.search_text != search_text(&row.header, &row.text)).then_some(row.search_text.as_str());
    serde_json::to_string(&Card { row, search_text }).map_err(|fault| KnowledgeFault::rows("new", fault))
}

fn read_card(card: &str, table: &str) -> Result<ChunkRow, KnowledgeFault> {
    let Card::<ChunkRow, String> { mut row, search_text: other } =
        serde_json::from_str(card).map_err(|fault| KnowledgeFault::rows(table, fault))?;
    row.search_text = other.unwrap_or_else(|| search_text(&row.header, &row.text));
    Ok(row)
}

fn lists(rows: &[ChunkRow], get: impl Fn(&ChunkRow) -> Vec<String>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        for item in get(row) {
            builder.values().append_value(item);
        }
        builder.append(true);
    }
    let built: ListArray = builder.finish();
    Arc::new(built)
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

/// Reads chunks back, from their cards where those are there; a column that is not there is left empty, so callers may
/// ask for few.
pub(crate) struct Reader<'a> {
    batch: &'a RecordBatch,
    table: &'a str,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(batch: &'a RecordBatch, table: &'a str) -> Self {
        Self { batch, table }
    }

    pub(crate) fn rows(&self) -> Result<Vec<ChunkRow>, KnowledgeFault> {
        (0..self.batch.num_rows()).map(|at| self.row(at)).collect()
    }

    fn row(&self, at: usize) -> Result<ChunkRow, KnowledgeFault> {
        if self.batch.column_by_name(c::CARD).is_some() {
            return read_card(self.column_of_texts(c::CARD)?.value(at), self.table);
        }
        let mut labels = self.texts(c::LABELS, at)?;
        labels.retain(|label| label != EVERYONE);
        let metadata = self.texts(c::META, at)?;
        let metadata = metadata.iter().filter_map(|pair| pair.split_once('='));
        Ok(ChunkRow {
            id: self.text(c::ID, at)?,
            document: self.text(c::DOCUMENT, at)?,
            document_digest: self.text(c::DOCUMENT_DIGEST, at)?,
            ordinal: self.number(c::ORDINAL, at)?,
            text: self.text(c::TEXT, at)?,
            header: self.text(c::HEADER, at)?,
            table_head: None,
            search_text: self.text(c::SEARCH_TEXT, at)?,
            text_digest: self.text(c::TEXT_DIGEST, at)?,
            start: self.number(c::START, at)?,
            end: self.number(c::END, at)?,
            parent_start: self.number(c::PARENT_START, at)?,
            parent_end: self.number(c::PARENT_END, at)?,
            page: self.page(at)?,
            heading_path: self.texts(c::HEADING_PATH, at)?,
            kind: self.text(c::KIND, at)?,
            tokens: self.number(c::TOKENS, at)?,
            title: self.text(c::TITLE, at)?,
            uri: self.text(c::URI, at)?,
            media_type: self.text(c::MEDIA_TYPE, at)?,
            labels,
            metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            source: self.text(c::SOURCE, at)?,
            updated: self.number(c::UPDATED, at)?,
        })
    }

    fn wrong(&self, column: &str) -> KnowledgeFault {
        KnowledgeFault::rows(self.table, format!("column `{}` has another type", text::elide(column, 40)))
    }

    pub(crate) fn column_of_texts(&self, name: &str) -> Result<&'a StringArray, KnowledgeFault> {
        let column = self.batch.column_by_name(name).ok_or_else(|| self.wrong(name))?;
        column.as_string_opt::<i32>().ok_or_else(|| self.wrong(name))
    }

    fn text(&self, name: &str, at: usize) -> Result<String, KnowledgeFault> {
        match self.batch.column_by_name(name) {
            None => Ok(String::new()),
            Some(column) => column.as_string_opt::<i32>().map(|texts| texts.value(at).to_owned()).ok_or_else(|| self.wrong(name)),
        }
    }

    fn number<T: TryFrom<i64> + Default>(&self, name: &str, at: usize) -> Result<T, KnowledgeFault> {
        let Some(column) = self.batch.column_by_name(name) else { return Ok(T::default()) };
        let numbers = column.as_primitive_opt::<Int64Type>().ok_or_else(|| self.wrong(name))?;
        T::try_from(numbers.value(at)).map_err(|_| self.wrong(name))
    }

    fn page(&self, at: usize) -> Result<Option<u32>, KnowledgeFault> {
        match self.batch.column_by_name(c::PAGE) {
            Some(column) if column.is_valid(at) => self.number(c::PAGE, at).map(Some),
            _ => Ok(None),
        }
    }

    fn texts(&self, name: &str, at: usize) -> Result<Vec<String>, KnowledgeFault> {
        let Some(column) = self.batch.column_by_name(name) else { return Ok(Vec::new()) };
        let lists = column.as_list_opt::<i32>().ok_or_else(|| self.wrong(name))?;
        let items = lists.value(at);
        let items = items.as_string_opt::<i32>().ok_or_else(|| self.wrong(name))?;
        Ok(items.iter().flatten().map(str::to_owned).collect())
    }

    pub(crate) fn vectors(&self) -> Result<Vec<Arc<[f32]>>, KnowledgeFault> {
        let column = self.batch.column_by_name(c::VECTOR).ok_or_else(|| self.wrong(c::VECTOR))?;
        let lists = column.as_fixed_size_list_opt().ok_or_else(|| self.wrong(c::VECTOR))?;
        (0..lists.len())
            .map(|at| {
                let numbers = lists.value(at);
                let numbers = numbers.as_primitive_opt::<Float32Type>().ok_or_else(|| self.wrong(c::VECTOR))?;
                Ok(Arc::from(&numbers.values()[..]))
            })
            .collect()
    }
}

/// The rows of these documents.
pub(crate) fn of_documents<'a>(documents: impl IntoIterator<Item = &'a DocumentId>) -> Filter {
    Filter::any_of(c::DOCUMENT, documents.into_iter().map(DocumentId::as_str))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row((id, text, header): (String, String, String), spoken: Option<String>, labels: Vec<String>) -> ChunkRow {
        ChunkRow {
            search_text: spoken.unwrap_or_else(|| search_text(&header, &text)),
            id: id.clone(),
            document: format!("doc_{id}"),
            document_digest: "sha256:00".into(),
            ordinal: 3,
            text,
            header,
            table_head: None,
            text_digest: id,
            start: 7,
            end: u64::from(u32::MAX) + 9,
            parent_start: 0,
            parent_end: 1,
            page: Some(2),
            heading_path: vec!["A".into(), "B > C".into()],
            kind: "paragraph".into(),
            tokens: 5,
            title: "T".into(),
            uri: "file:///t".into(),
            media_type: "text/plain".into(),
            labels,
            metadata: [("key".to_owned(), "a=b".to_owned())].into(),
            source: "docs".into(),
            updated: -1,
        }
    }

    proptest! {
        /// By its card and by its columns, with searched words that follow from the text, that do not, and that are none.
        #[test]
        fn a_row_comes_back_as_it_was_written(
            texts in (".{0,20}", ".{0,60}", ".{0,20}"),
            spoken in proptest::option::of(".{0,40}"),
            labels in proptest::collection::vec("[a-z]{1,5}", 0..3),
            table_head in proptest::option::of(".{0,20}"),
        ) {
            let written = ChunkRow { table_head, ..row(texts, spoken, labels) };
            let all = batch(std::slice::from_ref(&written), &[Arc::from([1.0_f32, 0.0])], 2).expect("a batch");
            let by_card = Reader::new(&all, "t").rows().expect("rows");
            prop_assert_eq!(&by_card, std::slice::from_ref(&written));
            let columns: Vec<usize> = (0..all.num_columns()).filter(|at| all.schema().field(*at).name() != c::CARD).collect();
            let apart = all.project(&columns).expect("the columns");
            prop_assert_eq!(Reader::new(&apart, "t").rows().expect("rows"), [ChunkRow { table_head: None, ..written }]);
        }

        /// A card of before has no such field.
        #[test]
        fn a_row_without_a_table_head_reads_as_one_of_before(texts in (".{0,20}", ".{0,60}", ".{0,20}")) {
            let written = row(texts, None, Vec::new());
            let card = card(&written).expect("a card");
            prop_assert!(!card.contains("table_head\":"), "{card}");
            prop_assert_eq!(read_card(&card, "t").expect("a row"), written);
        }

        #[test]
        fn what_is_no_card_is_a_fault(text in ".{0,60}") {
            prop_assert!(read_card(&text, "t").is_err());
        }
    }
}
