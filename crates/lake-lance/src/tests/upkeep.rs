use arrow_array::{Array as _, RecordBatch};
use lance::dataset::optimize::{CompactionMode, CompactionOptions, compact_files};
use mainspring_lake::{
    Filter, IndexKind, Lake as _, Order, Scan, Table, TableSpec, UpkeepPolicy,
    conformance::{Row, batch},
};

use super::{config, lake_in, spec, table_in};
use crate::{
    Footprint, LanceConfig, LanceLake,
    indexes::pieces_to_merge,
    upkeep::{Piece, excluded, rows_at_once, steps, target_rows},
};

fn piece(id: u32, rows: u64) -> Piece {
    Piece { id, rows, deleted: 0, bytes: rows * 100 }
}

#[test]
fn a_fragment_is_measured_in_bytes() {
    let rows_of = |bytes_per_row: u64, fragment: u64| {
        target_rows(&[Piece { id: 0, rows: 1_000, deleted: 0, bytes: 1_000 * bytes_per_row }], fragment)
    };
    assert_eq!(rows_of(265, 256 << 20), (256 << 20) / 265);
    assert_eq!(rows_of(265, 16 << 20), (16 << 20) / 265);
    assert_eq!(rows_of(1, 256 << 20), 1 << 20, "narrow rows: as many as a fragment may have");
    assert_eq!(rows_of(10 << 20, 256 << 20), 1_024, "rows of ten megabytes: not one by one");
    assert_eq!(target_rows(&[], 256 << 20), 1 << 20);
}

#[test]
fn of_large_rows_fewer_are_read_at_once() {
    let of = |bytes: u64, room| rows_at_once(&[Piece { id: 0, rows: 1_000, deleted: 0, bytes: 1_000 * bytes }], room);
    assert_eq!((of(16, 4 << 20), rows_at_once(&[], 4 << 20)), (None, None), "as many as usual");
    assert_eq!((of(265, 4 << 20), of(265, 16 << 20)), (Some(1_582), Some(6_331)));
    assert_eq!(of(10 << 20, 16 << 20), Some(64), "not one by one");
}

#[test]
fn a_large_fragment_is_not_rewritten_for_a_few_rows() {
    let small = |count: u32| (1..=count).map(|id| piece(id, 10));
    let with_large: Vec<Piece> = [piece(0, 100_000)].into_iter().chain(small(32)).collect();
    assert_eq!(excluded(&with_large, 1 << 20), [0]);
    let enough: Vec<Piece> = [piece(0, 1_000)].into_iter().chain(small(32)).collect();
    assert_eq!(excluded(&enough, 1 << 20), Vec::<u32>::new());
    let full: Vec<Piece> = [piece(0, 2 << 20)].into_iter().chain(small(4)).collect();
    assert_eq!(excluded(&full, 1 << 20), Vec::<u32>::new(), "a full fragment is no candidate anyway");
    let thinned = Piece { deleted: 50_000, ..piece(0, 100_000) };
    let with_thinned: Vec<Piece> = [thinned].into_iter().chain(small(32)).collect();
    assert_eq!(excluded(&with_thinned, 1 << 20), Vec::<u32>::new(), "deleted rows are worth a rewrite");
}

#[test]
fn pieces_of_an_index_are_merged_when_it_is_worth_it() {
    for (pieces, added, wanted) in [
        (vec![], 10, 0),
        (vec![100_000], 10, 0),
        (vec![100_000, 10], 10, 1),
        (vec![100_000, 20], 10, 1),
        (vec![100_000, 21], 10, 0),
        (vec![100, 40, 20], 10, 3),
        (vec![0], 10, 1),
    ] {
        assert_eq!(pieces_to_merge(&pieces, added), wanted, "{added} rows beside {pieces:?}");
    }
    let mut pieces: Vec<u64> = Vec::new();
    for _ in 0..1_000 {
        let merged = pieces_to_merge(&pieces, 100);
        let kept = pieces.len() - merged;
        let sum: u64 = pieces.drain(kept..).sum();
        pieces.push(sum + 100);
        assert!(pieces.len() <= 12, "{pieces:?}");
    }
}

/// Weights so small that a step is the least that a fragment may have: 1,024 rows.
const SMALL: Footprint =
    Footprint { index_cache_bytes: 1 << 20, metadata_cache_bytes: 1 << 20, fragment_bytes: 4 << 20, step_bytes: Some(1) };

#[tokio::test]
async fn fragments_grow_in_steps_and_every_row_is_found_after_each() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig { logged: SMALL, ..config(dir.path()) }).await.unwrap();
    let indexes = spec().indexes.into_iter().filter(|index| index.kind == IndexKind::Scalar).collect();
    let table = lake.open(&"t".parse().unwrap(), &TableSpec { indexes, ..spec() }).await.unwrap();
    let policy = UpkeepPolicy { unindexed_rows: 500, ..UpkeepPolicy::default() };
    let (mut fragments, mut removed) = (Vec::new(), 0);
    for commit in 0..96 {
        let rows: Vec<Row> = (0..128).map(|n| Row::new(format!("{commit}-{n}")).number(n).words("some words")).collect();
        table.append(batch(&rows)).await.unwrap();
        if commit % 8 == 7 {
            removed += table.upkeep(&policy).await.unwrap().compacted_fragments;
            fragments.push(table.stats().await.unwrap().fragments);
            assert_eq!(table.count(Filter::All).await.unwrap(), (commit + 1) * 128);
            for id in [format!("{commit}-127"), "0-0".to_owned(), format!("{}-64", commit / 2)] {
                assert_eq!(table.count(Filter::eq("id", id.as_str())).await.unwrap(), 1, "{id} after {commit} commits");
            }
        }
    }
    // Eight commits make a piece, and of eight pieces larger ones are made, one of those that one part of an index covers.
    assert_eq!(fragments[..7], [1, 2, 3, 4, 5, 6, 7]);
    assert!(fragments[7] < 7 && removed > 96, "{fragments:?}, {removed}");
    // Where rows were deleted pages cannot be taken as they are.
    table.replace(Filter::eq("number", 5), None).await.unwrap();
    table.replace(Filter::Lt("number".into(), 40.into()), None).await.unwrap();
    table.upkeep(&policy).await.unwrap();
    let stats = table.stats().await.unwrap();
    assert_eq!((stats.rows, stats.deleted_rows), (96 * 88, 0));
    assert_eq!(table.count(Filter::eq("id", "17-40")).await.unwrap(), 1);
    assert_eq!(table.count(Filter::eq("id", "17-39")).await.unwrap(), 0);
}

#[tokio::test]
async fn pages_are_joined_as_they_are_and_hold_what_they_held() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig { logged: SMALL, ..config(dir.path()) }).await.unwrap();
    let indexes = spec().indexes.into_iter().filter(|index| index.kind == IndexKind::Scalar).collect();
    let table = lake.open(&"t".parse().unwrap(), &TableSpec { indexes, ..spec() }).await.unwrap();
    let policy = UpkeepPolicy { unindexed_rows: u64::MAX, ..UpkeepPolicy::default() };
    for commit in 0..64 {
        let rows: Vec<Row> = (0..128_i64)
            .map(|n| {
                let row = Row::new(format!("{commit:02}-{n:03}")).words(&format!("{n} ").repeat(usize::try_from(n).unwrap()));
                match n % 3 {
                    0 => row,
                    1 => row.number(n).doc("a document"),
                    _ => row.labels(&["one", "other"]),
                }
            })
            .collect();
        table.append(batch(&rows)).await.unwrap();
        if commit % 8 == 7 && commit < 63 {
            table.upkeep(&policy).await.unwrap();
        }
    }
    let before = rows_of(table.as_ref()).await;
    assert_eq!((before.len(), table.stats().await.unwrap().fragments), (64 * 128, 7 + 8));
    // Lance writes pages anew where it may not take them, and says so only where it is forced.
    let copy = dir.path().join("copy");
    let from = dir.path().join("t.lance");
    assert!(std::process::Command::new("cp").arg("-r").args([&from, &copy]).status().unwrap().success());
    let mut dataset = lance::Dataset::open(copy.to_str().unwrap()).await.unwrap();
    let forced = CompactionOptions { compaction_mode: Some(CompactionMode::ForceBinaryCopy), ..CompactionOptions::default() };
    assert_eq!(compact_files(&mut dataset, forced, None).await.unwrap().fragments_removed, 15);

    assert_eq!(table.upkeep(&policy).await.unwrap().compacted_fragments, 8 + 8);
    assert_eq!(table.stats().await.unwrap().fragments, 1);
    assert!(rows_of(table.as_ref()).await == before, "a row is not what it was");
}

/// Each row, by its id, as text.
async fn rows_of(table: &dyn Table) -> Vec<String> {
    let scan = Scan::of(Filter::All).order("id", Order::Ascending);
    let batches = table.scan(scan).await.unwrap();
    let row = |batch: &RecordBatch, row: usize| {
        format!("{:?}", batch.columns().iter().map(|column| column.slice(row, 1)).collect::<Vec<_>>())
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect()
}

#[test]
fn who_wants_one_fragment_gets_it_in_one_step() {
    let of = |fragments| {
        let taken = steps(&UpkeepPolicy { fragments, ..UpkeepPolicy::default() }, SMALL);
        taken.iter().map(|step| (step.from, step.to)).collect::<Vec<_>>()
    };
    assert_eq!((of(1), of(8)), (vec![(0, 4 << 20)], vec![(0, 1), (1, 4 << 20)]));
    let searched = Footprint { step_bytes: None, ..SMALL };
    assert_eq!(steps(&UpkeepPolicy::default(), searched).len(), 1);
}

#[tokio::test]
async fn deleted_rows_leave_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let table = table_in(&lake, "t").await;
    let secret = "xyzzysecretword";
    let rows: Vec<Row> = (0..50).map(|n| Row::new(format!("{n}")).words(if n == 7 { secret } else { "other" })).collect();
    table.append(batch(&rows)).await.unwrap();
    let policy = UpkeepPolicy { fragments: 1, unindexed_rows: 1, keep_versions_for: std::time::Duration::ZERO };
    table.upkeep(&policy).await.unwrap();
    table.replace(Filter::eq("id", "7"), None).await.unwrap();
    assert!(holds(dir.path(), secret), "a deleted row stays until upkeep");
    table.upkeep(&policy).await.unwrap();
    table.upkeep(&policy).await.unwrap();
    assert!(!holds(dir.path(), secret), "no file holds the word any more");
}

/// Whether any file under a directory holds these bytes.
fn holds(dir: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
