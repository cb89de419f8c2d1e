use mainspring_lake::{
    Filter, UpkeepPolicy,
    conformance::{Row, batch},
};

use super::{lake_in, table_in};
use crate::{
    indexes::pieces_to_merge,
    upkeep::{Piece, excluded, rows_at_once, target_rows},
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
    let of = |bytes: u64| rows_at_once(&[Piece { id: 0, rows: 1_000, deleted: 0, bytes: 1_000 * bytes }]);
    assert_eq!((of(265), rows_at_once(&[])), (None, None), "as many as usual");
    assert_eq!(of(16 << 10), Some(512));
    assert_eq!(of(10 << 20), Some(64), "not one by one");
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
