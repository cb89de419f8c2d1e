//! Which indexes a table has, building the ones it should have, and what they cover.

use std::sync::Arc;

use futures::FutureExt as _;
use lance::{
    Dataset,
    index::{DatasetIndexExt, IndexParams, vector::VectorIndexParams},
};
use lance_index::{
    IndexType,
    optimize::OptimizeOptions,
    scalar::{BuiltinIndexType, InvertedIndexParams, ScalarIndexParams},
    vector::{bq::RQBuildParams, ivf::IvfBuildParams},
};
use lance_linalg::distance::DistanceType;
use lance_table::format::IndexMetadata;
use mainspring_lake::{IndexKind, IndexSpec, LakeFault, TableSpec, UpkeepPolicy};

use crate::{echoes, schema, table::Core, writer::ATTEMPTS};

/// Vectors at least this wide are told apart by two bits a number, since the error of an estimate falls with the root of the
/// width; narrower ones need more. The search ranks the best again with the exact numbers. With one bit it missed 10 of the
/// 3,000 nearest that a filter let through in 100,000 rows of 384 numbers, however many parts it asked; with two it misses 2.
const WIDE: usize = 256;
const BITS_OF_WIDE: u8 = 2;
const BITS_OF_NARROW: u8 = 5;
/// Rows in a partition, on average. Lance's own choice of 4,096 makes a search compare most of a table of 100,000 rows,
/// which takes four times as long and finds no more; with 512 as many probes see fewer rows and miss one of a thousand.
const PARTITION_ROWS: usize = 768;
/// How long the centres of partitions are looked for, and on how many rows for each: further search costs as much time
/// as everything else of building the index, and a few more probes find the same.
const TRAINING_ROUNDS: usize = 12;
const TRAINING_ROWS: usize = 64;
/// Each fold leaves a small piece of index beside the others, and each search asks all of them. A piece
/// is merged with what came after it once that weighs at least this share of it, so that the number of
/// pieces grows with the logarithm of the table and no fold rewrites much more than it adds.
const WORTH_MERGING: u64 = 2;

/// Rows in and outside of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub(crate) name: String,
    pub(crate) column: String,
    pub(crate) inside: u64,
    pub(crate) outside: u64,
    /// The rows of each piece, oldest first.
    pub(crate) pieces: Vec<u64>,
}

pub(crate) fn name_of(spec: &IndexSpec) -> String {
    let kind = match spec.kind {
        IndexKind::Vector => "vector",
        IndexKind::Text => "text",
        IndexKind::Scalar => "scalar",
        IndexKind::Labels => "labels",
    };
    format!("{kind}_{}", spec.column)
}

async fn load(core: &Core, dataset: &Dataset) -> Result<Arc<Vec<IndexMetadata>>, LakeFault> {
    dataset.load_indices().boxed().await.map_err(|error| core.fault(&error))
}

pub(crate) async fn exists(core: &Core, dataset: &Dataset, column: &str, kind: IndexKind) -> Result<bool, LakeFault> {
    let name = name_of(&IndexSpec { column: column.to_owned(), kind });
    Ok(load(core, dataset).await?.iter().any(|index| index.name == name))
}

/// No index is of a column that is an echo, whichever of the two is there and whichever is asked for: it would be of what lies
/// there, and that is not what was written.
pub(crate) async fn check_echoes(core: &Core, spec: &TableSpec) -> Result<(), LakeFault> {
    let dataset = core.newest_known()?;
    let schema = core.schema_at(&dataset);
    let mut echoes: Vec<&str> = spec.echoes.iter().map(|echo| echo.column.as_str()).collect();
    echoes.extend(schema.fields().iter().filter(|field| echoes::is_echo(field)).map(|field| field.name().as_str()));
    if echoes.is_empty() {
        return Ok(());
    }
    let there = load(core, &dataset).await?;
    let there = there.iter().filter_map(|index| dataset.schema().field_by_id(*index.fields.first()?)).map(|field| &field.name);
    let asked = spec.indexes.iter().map(|index| &index.column);
    match there.chain(asked).find(|column| echoes.contains(&column.as_str())) {
        Some(column) => {
            let reason = format!("column `{column}` is an echo and cannot carry an index");
            Err(LakeFault::Schema { table: core.name.to_string(), reason })
        }
        None => Ok(()),
    }
}

/// Every index with its coverage, read from the manifest alone.
pub(crate) async fn coverage(core: &Core, dataset: &Dataset) -> Result<Vec<Coverage>, LakeFault> {
    let mut found: Vec<Coverage> = Vec::new();
    let indices = load(core, dataset).await?;
    for index in indices.iter() {
        if found.iter().any(|coverage| coverage.name == index.name) {
            continue;
        }
        let Some(column) = index.fields.first().and_then(|id| dataset.schema().field_by_id(*id)) else { continue };
        let mut coverage =
            Coverage { name: index.name.clone(), column: column.name.clone(), inside: 0, outside: 0, pieces: Vec::new() };
        let fragments: Vec<(u32, u64)> = dataset
            .iter_fragments()
            .map(|fragment| (u32::try_from(fragment.id).unwrap_or(u32::MAX), fragment.num_rows().unwrap_or(0) as u64))
            .collect();
        for piece in indices.iter().filter(|other| other.name == index.name) {
            let covered = |id: u32| piece.fragment_bitmap.as_ref().is_some_and(|covered| covered.contains(id));
            coverage.pieces.push(fragments.iter().filter(|(id, _)| covered(*id)).map(|(_, rows)| rows).sum());
        }
        // No two pieces cover one fragment.
        coverage.inside = coverage.pieces.iter().sum();
        coverage.outside = fragments.iter().map(|(_, rows)| rows).sum::<u64>().saturating_sub(coverage.inside);
        found.push(coverage);
    }
    Ok(found)
}

/// Text indexes exist from the start, empty: their tokenizer is what scores rows not yet folded in.
pub(crate) async fn make_text_indexes(core: &Core) -> Result<(), LakeFault> {
    for spec in core.indexes().into_iter().filter(|spec| spec.kind == IndexKind::Text) {
        make_text_index(core, &spec).await?;
    }
    Ok(())
}

/// Several processes may want to make it at once; who comes second finds it made.
async fn make_text_index(core: &Core, spec: &IndexSpec) -> Result<(), LakeFault> {
    let mut dataset = core.newest_known()?;
    for attempt in 1..=ATTEMPTS {
        if exists(core, &dataset, &spec.column, spec.kind).await? {
            return Ok(());
        }
        // Nobody waits with opening for rows that are there already: upkeep folds them in, and until then they are read.
        match build(core, &dataset, spec, dataset.count_fragments() == 0).await {
            Err(LakeFault::Contended { .. }) => dataset = core.try_again(attempt).await?,
            outcome => return outcome,
        }
    }
    Err(LakeFault::Contended { table: core.name.to_string() })
}

/// Builds the indexes that are missing and now worth having; answers their columns.
pub(crate) async fn build_missing(core: &Core, policy: &UpkeepPolicy) -> Result<Vec<String>, LakeFault> {
    let mut built = Vec::new();
    for spec in core.indexes() {
        let dataset = core.newest_known()?;
        let rows: u64 = dataset.iter_fragments().map(|fragment| fragment.num_rows().unwrap_or(0) as u64).sum();
        let enough = match spec.kind {
            IndexKind::Vector => core.shared.config.vector_index_from,
            IndexKind::Text => 0,
            IndexKind::Scalar | IndexKind::Labels => policy.unindexed_rows.max(1),
        };
        if rows < enough || exists(core, &dataset, &spec.column, spec.kind).await? {
            continue;
        }
        build(core, &dataset, &spec, true).await?;
        built.push(spec.column);
    }
    Ok(built)
}

/// Builds an index over the rows there are, or over none of them.
async fn build(core: &Core, dataset: &Arc<Dataset>, spec: &IndexSpec, over_rows: bool) -> Result<(), LakeFault> {
    let (kind, params): (IndexType, Box<dyn IndexParams>) = match spec.kind {
        IndexKind::Vector => (IndexType::Vector, Box::new(vector_params(width_of(core, &spec.column)?))),
        IndexKind::Text => (IndexType::Inverted, Box::new(text_params())),
        IndexKind::Scalar => (IndexType::BTree, Box::new(ScalarIndexParams::for_builtin(BuiltinIndexType::BTree))),
        IndexKind::Labels => (IndexType::LabelList, Box::new(ScalarIndexParams::for_builtin(BuiltinIndexType::LabelList))),
    };
    let mut dataset = Dataset::clone(dataset);
    let column = [spec.column.as_str()];
    let build = dataset.create_index_builder(&column, kind, params.as_ref()).name(name_of(spec)).train(over_rows);
    build.into_future().await.map_err(|error| core.fault(&error))?;
    core.advance(dataset);
    Ok(())
}

fn width_of(core: &Core, column: &str) -> Result<usize, LakeFault> {
    let field = schema::column(&core.schema(), core.name.as_str(), column).cloned()?;
    schema::vector_width(&field).ok_or_else(|| core.query_fault(format!("column `{column}` holds no vectors")))
}

fn vector_params(width: usize) -> VectorIndexParams {
    // Measured on 100,000 vectors of 384 numbers: quickest to build and to search at the recall we promise.
    let bits = if width >= WIDE { BITS_OF_WIDE } else { BITS_OF_NARROW };
    let mut partitions = IvfBuildParams::with_target_partition_size(PARTITION_ROWS);
    partitions.max_iters = TRAINING_ROUNDS;
    partitions.sample_rate = TRAINING_ROWS;
    VectorIndexParams::with_ivf_rq_params(DistanceType::Cosine, partitions, RQBuildParams::new(bits))
}

fn text_params() -> InvertedIndexParams {
    // Words by Unicode's rules with dictionaries for scripts that put no spaces between words, then
    // split at punctuation as English search expects (`foo.bar` is found by `bar`). The English
    // stemmer leaves words of other languages alone in most cases; folding makes `café` match `cafe`.
    // Positions would serve phrases only, and have broken compaction.
    InvertedIndexParams::default()
        .base_tokenizer("icu/split".to_owned())
        .stem(true)
        .remove_stop_words(true)
        .ascii_folding(true)
        .with_position(false)
}

/// Puts rows outside an index into it. Answers how many.
pub(crate) async fn fold(core: &Core, policy: &UpkeepPolicy) -> Result<u64, LakeFault> {
    let mut dataset = Dataset::clone(&*core.newest_known()?);
    let due: Vec<Coverage> = coverage(core, &dataset)
        .await?
        .into_iter()
        .filter(|index| index.outside > 0 && index.outside >= policy.unindexed_rows)
        .collect();
    let mut folded = 0;
    for index in due {
        let merge = pieces_to_merge(&index.pieces, index.outside);
        let mut options = OptimizeOptions::merge(merge).index_names(vec![index.name.clone()]);
        let is_vector = core.indexes().iter().any(|spec| spec.kind == IndexKind::Vector && name_of(spec) == index.name);
        if is_vector && merge == index.pieces.len() {
            // A table that has grown needs more partitions than it was born with. Pieces merge only while they share
            // their partitions, so these change only when all pieces become one.
            options = options.with_partition_rebalancing();
        }
        dataset.optimize_indices(&options).boxed().await.map_err(|error| core.fault(&error))?;
        folded = folded.max(index.outside);
    }
    core.advance(dataset);
    Ok(folded)
}

/// How many of the newest pieces to merge with the rows that are added.
pub(crate) fn pieces_to_merge(pieces: &[u64], added: u64) -> usize {
    let mut gathered = added;
    for (count, rows) in pieces.iter().rev().enumerate() {
        if *rows > gathered * WORTH_MERGING {
            return count;
        }
        gathered += rows;
    }
    pieces.len()
}
