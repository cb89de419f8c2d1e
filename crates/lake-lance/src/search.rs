//! Reading: rows by condition, nearest vectors, BM25, rows by address.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{Array, Float32Array, RecordBatch, UInt64Array, cast::AsArray, types::UInt64Type};
use arrow_schema::ArrowError;
use futures::{FutureExt as _, TryStreamExt};
use lance::{
    Dataset,
    dataset::{
        ProjectionRequest, ROW_ID,
        scanner::{ColumnOrdering, Scanner},
    },
};
use lance_index::scalar::{
    FullTextSearchQuery,
    inverted::query::{BooleanQuery, FtsQuery, MatchQuery, Operator},
};
use lance_linalg::distance::DistanceType;
use mainspring_lake::{Distance, DocHits, Filter, IndexKind, LakeFault, Order, Scan, TextQuery, VectorQuery};

use crate::{
    echoes,
    filter::{self, Condition},
    indexes, pages, schema,
    table::Core,
    widths, zones,
};

const DISTANCE: &str = "_distance";
const SCORE: &str = "_score";

/// When a filter leaves no more rows than this, all of them are compared: that is as quick as the
/// index, and an index asked about few rows misses some.
const EXACT_UP_TO: u64 = 5_000;

pub(crate) async fn scan(core: &Core, dataset: &Arc<Dataset>, scan: &Scan) -> Result<Vec<RecordBatch>, LakeFault> {
    let schema = core.schema_at(dataset);
    let ready = filter::ready(&scan.filter, &schema, core.name.as_str())?;
    for name in scan.columns.iter().chain(scan.order.iter().map(|(name, _)| name)) {
        schema::column(&schema, core.name.as_str(), name)?;
    }
    for (name, _) in &scan.order {
        echoes::check_order(&schema, name, core.name.as_str())?;
    }
    if ready.condition == Condition::Never || scan.limit == Some(0) {
        return Ok(Vec::new());
    }
    if let Some(page) = pages::Page::of(scan, &schema) {
        return page.read(core, dataset, &ready).await;
    }
    let mut scanner = dataset.scan();
    limited(&mut scanner, &ready.condition);
    if let Condition::When(expr) = &ready.condition {
        widths::fit(core, dataset, &mut scanner, expr).await?;
    }
    if !ready.words.is_empty() {
        with_words(core, dataset, &mut scanner, &ready.words).await?;
    } else if let Condition::When(expr) = &ready.condition
        && let Some(fragments) = zones::relevant(core, dataset, expr).await?
    {
        if fragments.is_empty() {
            return Ok(Vec::new());
        }
        scanner.with_fragments(fragments).use_scalar_index(false);
    }
    let fault = |error| core.fault(&error);
    let all = schema.fields().iter().map(|field| field.name());
    // What rows are ordered by is read too, and dropped from the answer.
    let ordering = scan.order.iter().map(|(name, _)| name).filter(|name| !scan.columns.contains(name));
    let columns: Vec<&String> =
        if scan.columns.is_empty() { all.collect() } else { scan.columns.iter().chain(ordering).collect() };
    let read = echoes::with_others(&schema, columns.iter().map(|name| name.as_str()));
    scanner.project(&read).map_err(fault)?;
    if !scan.order.is_empty() {
        let order = scan.order.iter().map(|(name, order)| match order {
            Order::Ascending => ColumnOrdering::asc_nulls_last(name.clone()),
            Order::Descending => ColumnOrdering::desc_nulls_last(name.clone()),
        });
        scanner.order_by(Some(order.collect())).map_err(fault)?;
    }
    // A search for words would take a limit for its own, and answer with the best before they are put in order.
    let cut_here = !ready.words.is_empty();
    if !cut_here && (scan.limit.is_some() || scan.offset > 0) {
        let number = |n: usize| i64::try_from(n).map_err(|_| core.query_fault("the limit is too large"));
        let offset = (scan.offset > 0).then(|| number(scan.offset)).transpose()?;
        scanner.limit(scan.limit.map(number).transpose()?, offset).map_err(fault)?;
    }
    let mut batches = run(core, &scanner).await?;
    if cut_here {
        batches = pages::cut(batches, scan.offset, scan.limit.unwrap_or(usize::MAX));
    }
    let asked: Vec<usize> = (0..scan.columns.len()).collect();
    batches
        .into_iter()
        .filter(|batch| batch.num_rows() > 0)
        .map(|batch| {
            let batch = echoes::whole(batch, &schema, core.name.as_str())?;
            let kept = if asked.is_empty() { Ok(batch) } else { batch.project(&asked) };
            kept.map_err(|error| core.query_fault(error.to_string()))
        })
        .collect()
}

pub(crate) async fn count(core: &Core, dataset: &Arc<Dataset>, filter: &Filter) -> Result<u64, LakeFault> {
    let ready = filter::ready(filter, &core.schema_at(dataset), core.name.as_str())?;
    let mut scanner = dataset.scan();
    match ready.condition {
        Condition::Never => return Ok(0),
        Condition::Always if ready.words.is_empty() => {
            let rows = dataset.count_rows(None).boxed().await.map_err(|error| core.fault(&error))?;
            return Ok(rows as u64);
        }
        Condition::Always => {}
        Condition::When(expr) => {
            widths::fit(core, dataset, &mut scanner, &expr).await?;
            scanner.filter_expr(expr);
        }
    }
    if !ready.words.is_empty() {
        with_words(core, dataset, &mut scanner, &ready.words).await?;
    }
    scanner.count_rows().boxed().await.map_err(|error| core.fault(&error))
}

/// Leaves only rows that hold all of these words, by the text indexes.
pub(crate) async fn with_words(
    core: &Core,
    dataset: &Dataset,
    scanner: &mut Scanner,
    words: &[(String, String)],
) -> Result<(), LakeFault> {
    let mut queries = Vec::with_capacity(words.len());
    for (column, words) in words {
        has_text_index(core, dataset, column).await?;
        let query = MatchQuery::new(words.clone()).with_column(Some(column.clone())).with_operator(Operator::And);
        queries.push(FtsQuery::Match(query));
    }
    let query = match queries.len() {
        1 => queries.remove(0),
        _ => FtsQuery::Boolean(BooleanQuery { should: Vec::new(), must: queries, must_not: Vec::new() }),
    };
    // The words leave few rows as a rule, so the other conditions are asked of those only.
    let query = FullTextSearchQuery::new_query(query);
    scanner.prefilter(false).disable_scoring_autoprojection().full_text_search(query).map_err(|error| core.fault(&error))?;
    Ok(())
}

async fn has_text_index(core: &Core, dataset: &Dataset, column: &str) -> Result<(), LakeFault> {
    match indexes::exists(core, dataset, column, IndexKind::Text).await? {
        true => Ok(()),
        false => Err(core.query_fault(format!("column `{column}` has no text index"))),
    }
}

pub(crate) async fn nearest(core: &Core, dataset: &Arc<Dataset>, query: &VectorQuery) -> Result<DocHits, LakeFault> {
    let schema = core.schema_at(dataset);
    let field = schema::column(&schema, core.name.as_str(), &query.column)?;
    let width =
        schema::vector_width(field).ok_or_else(|| core.query_fault(format!("column `{}` holds no vectors", field.name())))?;
    if query.vector.len() != width {
        let given = query.vector.len();
        return Err(core.query_fault(format!("the vector has {given} numbers, column `{}` has {width}", field.name())));
    }
    let length: f32 = query.vector.iter().map(|x| x * x).sum();
    if !length.is_normal() {
        return Err(core.query_fault("the vector has no direction: it is zero, or not a number"));
    }
    let condition = filter::compile(&query.filter, &schema, core.name.as_str())?;
    let mut scanner = dataset.scan();
    if !limited(&mut scanner, &condition) || query.limit == 0 {
        return Ok(DocHits::default());
    }
    let fault = |error| core.fault(&error);
    let key = Float32Array::from(query.vector.clone());
    scanner.nearest(&query.column, &key, query.limit).map_err(fault)?.distance_metric(DistanceType::Cosine);
    match query.distance {
        Distance::Indexed { probes, refine } if !few_rows(core, dataset, &query.filter, &condition).await? => {
            scanner.nprobes(probes.max(1)).refine(refine.max(1));
        }
        Distance::Indexed { .. } | Distance::Exact => {
            scanner.use_index(false);
        }
    }
    hits(core, &mut scanner, DISTANCE, |distance| 1.0 - distance).await
}

pub(crate) async fn matching(core: &Core, dataset: &Arc<Dataset>, query: &TextQuery) -> Result<DocHits, LakeFault> {
    let schema = core.schema_at(dataset);
    let field = schema::column(&schema, core.name.as_str(), &query.column)?;
    has_text_index(core, dataset, field.name()).await?;
    let condition = filter::compile(&query.filter, &schema, core.name.as_str())?;
    let mut scanner = dataset.scan();
    if !limited(&mut scanner, &condition) || query.limit == 0 || query.words.trim().is_empty() {
        return Ok(DocHits::default());
    }
    let limit = i64::try_from(query.limit).map_err(|_| core.query_fault("the limit is too large"))?;
    let words = MatchQuery::new(query.words.clone()).with_column(Some(query.column.clone()));
    let words = FullTextSearchQuery::new_query(FtsQuery::Match(words)).limit(Some(limit));
    let fault = |error| core.fault(&error);
    scanner.full_text_search(words).map_err(fault)?.limit(Some(limit), None).map_err(fault)?;
    hits(core, &mut scanner, SCORE, |score| score).await
}

pub(crate) async fn take(core: &Core, dataset: &Arc<Dataset>, rows: &[u64], columns: &[&str]) -> Result<RecordBatch, LakeFault> {
    let schema = core.schema_at(dataset);
    let indices = columns
        .iter()
        .map(|name| {
            schema::column(&schema, core.name.as_str(), name)?;
            schema.index_of(name).map_err(|error| core.query_fault(error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let unfit = |error: ArrowError| core.query_fault(error.to_string());
    let wanted = echoes::hidden(&Arc::new(schema.project(&indices).map_err(unfit)?));
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(wanted));
    }
    if !rows.iter().all(|row| is_address(dataset, *row)) {
        return Err(core.query_fault(OTHER_VERSION));
    }
    let read = echoes::with_others(&schema, columns.iter().copied());
    let projection = ProjectionRequest::from_columns(&read, dataset.schema());
    let found = dataset.take_rows(rows, projection).boxed().await.map_err(|error| core.fault(&error))?;
    if found.num_rows() != rows.len() {
        return Err(core.query_fault(OTHER_VERSION));
    }
    let found = echoes::whole(found, &schema, core.name.as_str())?;
    let kept = columns.iter().map(|name| found.schema_ref().index_of(name)).collect::<Result<Vec<_>, _>>().map_err(unfit)?;
    schema::conform(found.project(&kept).map_err(unfit)?, &wanted, core.name.as_str())
}

const OTHER_VERSION: &str = "a row address is not of this version";

/// Whether a row was ever at this address: a fragment in the upper half, an offset in the lower.
fn is_address(dataset: &Dataset, row: u64) -> bool {
    let fragment = dataset.iter_fragments().find(|fragment| fragment.id == row >> 32);
    let rows = fragment.and_then(|fragment| fragment.physical_rows);
    rows.is_some_and(|rows| (row & u64::from(u32::MAX)) < rows as u64)
}

/// Sets the condition; false when no row can pass it.
fn limited(scanner: &mut Scanner, condition: &Condition) -> bool {
    // Before the search, always: a filter after it would leave fewer hits than were asked for, or none.
    scanner.prefilter(true);
    match condition {
        Condition::Never => return false,
        Condition::Always => {}
        Condition::When(expr) => {
            scanner.filter_expr(expr.clone());
        }
    }
    true
}

async fn hits(core: &Core, scanner: &mut Scanner, column: &str, score: impl Fn(f32) -> f32) -> Result<DocHits, LakeFault> {
    scanner.project(&[ROW_ID, column]).map_err(|error| core.fault(&error))?;
    let mut rows = Vec::new();
    for batch in run(core, scanner).await? {
        let (Some(ids), Some(values)) = (batch.column_by_name(ROW_ID), batch.column_by_name(column)) else {
            let reason = format!("a search came back without `{column}`");
            return Err(LakeFault::Engine { table: core.name.to_string(), reason });
        };
        let ids: &UInt64Array = ids.as_primitive::<UInt64Type>();
        let values = values.as_primitive::<arrow_array::types::Float32Type>();
        // A vector of zeros has no angle to anything and is no neighbour.
        let found = (0..batch.num_rows()).filter(|&at| ids.is_valid(at) && values.is_valid(at));
        rows.extend(found.map(|at| (ids.value(at), score(values.value(at)))).filter(|(_, score)| score.is_finite()));
    }
    rows.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(DocHits { rows })
}

pub(crate) async fn run(core: &Core, scanner: &Scanner) -> Result<Vec<RecordBatch>, LakeFault> {
    let stream = scanner.try_into_stream().boxed().await.map_err(|error| core.fault(&error))?;
    stream.try_collect().await.map_err(|error| core.fault(&error))
}

/// How many rows a condition leaves, counted once per version: the same access labels come back with
/// every search of the same person.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<CountsOfVersion>);

#[derive(Debug, Default)]
struct CountsOfVersion {
    version: u64,
    few: HashMap<String, bool>,
}

const COUNTS_MAX: usize = 1_024;

impl Counts {
    fn get(&self, version: u64, key: &str) -> Option<bool> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.version == version { counts.few.get(key).copied() } else { None }
    }

    fn put(&self, version: u64, key: String, few: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.version != version || counts.few.len() >= COUNTS_MAX {
            *counts = CountsOfVersion { version, few: HashMap::new() };
        }
        counts.few.insert(key, few);
    }
}

async fn few_rows(core: &Core, dataset: &Arc<Dataset>, filter: &Filter, condition: &Condition) -> Result<bool, LakeFault> {
    let Condition::When(expr) = condition else { return Ok(false) };
    let (version, key) = (dataset.version_id(), format!("{filter:?}"));
    if let Some(few) = core.counts.get(version, &key) {
        return Ok(few);
    }
    let mut scanner = dataset.scan();
    scanner.filter_expr(expr.clone()).with_row_id();
    let nothing: [&str; 0] = [];
    let enough = i64::try_from(EXACT_UP_TO + 1).unwrap_or(i64::MAX);
    scanner.project(&nothing).and_then(|scanner| scanner.limit(Some(enough), None)).map_err(|error| core.fault(&error))?;
    let rows: usize = run(core, &scanner).await?.iter().map(RecordBatch::num_rows).sum();
    let few = rows as u64 <= EXACT_UP_TO;
    core.counts.put(version, key, few);
    Ok(few)
}
