use std::time::Duration;

use super::{Row, batch, done, ids, table};
use crate::{
    Distance, Filter, Lake, LakeFault, LakeVersion, Scan, TextQuery, UpkeepPolicy, VectorQuery, conformance::rows::leaning,
};

/// Upkeep that keeps no past.
fn forgetful() -> UpkeepPolicy {
    UpkeepPolicy { fragments: 1, unindexed_rows: 1, keep_versions_for: Duration::ZERO }
}

pub(super) async fn a_snapshot_does_not_move(lake: &dyn Lake) {
    let table = table(lake, "versions-snapshot").await;
    table.append(batch(&[Row::new("a").words("word").angle(1.0)])).await.unwrap();
    let view = table.snapshot().await.unwrap();
    let version = table.version().await.unwrap();
    table.replace(Filter::All, Some(batch(&[Row::new("b").words("word").angle(2.0)]))).await.unwrap();
    assert_eq!(view.version().await.unwrap(), version);
    assert_eq!(ids(&*view, Scan::of(Filter::All)).await, ["a"]);
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["b"]);
    let words = TextQuery { column: "words".into(), words: "word".into(), limit: 9, filter: Filter::All };
    let hits = view.matching(words).await.unwrap();
    assert_eq!(super::rows::ids_at(&*view, &hits.rows).await, ["a"]);
    done(lake, &table).await;
}

pub(super) async fn an_old_version_can_be_read_and_not_written(lake: &dyn Lake) {
    let table = table(lake, "versions-old").await;
    let first = table.append(batch(&[Row::new("a")])).await.unwrap().version;
    table.append(batch(&[Row::new("b")])).await.unwrap();
    let old = table.at(&first).await.unwrap();
    assert_eq!(old.version().await.unwrap(), first);
    assert_eq!(ids(&*old, Scan::of(Filter::All)).await, ["a"]);
    assert!(matches!(old.append(batch(&[Row::new("c")])).await, Err(LakeFault::Query { .. })));
    assert!(matches!(old.replace(Filter::All, None).await, Err(LakeFault::Query { .. })));
    assert!(matches!(old.upkeep(&forgetful()).await, Err(LakeFault::Query { .. })));
    done(lake, &table).await;
}

pub(super) async fn a_version_of_another_transaction_is_not_this_version(lake: &dyn Lake) {
    let table = table(lake, "versions-other").await;
    let first = table.append(batch(&[Row::new("a")])).await.unwrap().version;
    let second = table.append(batch(&[Row::new("b")])).await.unwrap().version;
    assert_ne!(first.transaction, second.transaction);
    let mixed = LakeVersion { number: first.number, transaction: second.transaction.clone() };
    let future = LakeVersion { number: second.number + 5, transaction: second.transaction };
    for version in [mixed, future] {
        assert!(matches!(table.at(&version).await, Err(LakeFault::NoVersion { .. })), "{version}");
        assert!(matches!(table.tag("t", &version).await, Err(LakeFault::NoVersion { .. })), "{version}");
    }
    assert!(table.tags().await.unwrap().is_empty());
    done(lake, &table).await;
}

pub(super) async fn tags_name_versions(lake: &dyn Lake) {
    let table = table(lake, "versions-tags").await;
    let first = table.append(batch(&[Row::new("a")])).await.unwrap().version;
    let second = table.append(batch(&[Row::new("b")])).await.unwrap().version;
    table.tag("run-2", &second).await.unwrap();
    table.tag("run-1", &first).await.unwrap();
    assert_eq!(table.tags().await.unwrap(), [("run-1".to_owned(), first.clone()), ("run-2".to_owned(), second.clone())]);
    table.tag("run-1", &second).await.unwrap();
    table.tag("run-1", &second).await.unwrap();
    assert_eq!(table.tags().await.unwrap(), [("run-1".to_owned(), second.clone()), ("run-2".to_owned(), second.clone())]);
    table.untag("run-1").await.unwrap();
    assert!(matches!(table.untag("run-1").await, Err(LakeFault::NoTag { .. })));
    assert!(matches!(table.tag("../x", &second).await, Err(LakeFault::Query { .. })));
    assert_eq!(table.tags().await.unwrap(), [("run-2".to_owned(), second)]);
    done(lake, &table).await;
}

pub(super) async fn tagged_versions_outlive_pruning(lake: &dyn Lake) {
    let table = table(lake, "versions-pruned").await;
    let rows = |doc: &str| batch(&[Row::new(doc).words("kept words").angle(10.0)]);
    let kept = table.append(rows("a")).await.unwrap().version;
    let untagged = table.append(rows("b")).await.unwrap().version;
    table.tag("keep", &kept).await.unwrap();
    table.replace(Filter::All, Some(rows("c"))).await.unwrap();
    table.append(rows("d")).await.unwrap();
    table.upkeep(&forgetful()).await.unwrap();
    table.upkeep(&forgetful()).await.unwrap();
    assert!(matches!(table.at(&untagged).await, Err(LakeFault::NoVersion { .. })));
    let old = table.at(&kept).await.unwrap();
    assert_eq!(ids(&*old, Scan::of(Filter::All)).await, ["a"]);
    let query = VectorQuery {
        column: "vector".into(),
        vector: leaning(0.0),
        limit: 5,
        filter: Filter::All,
        distance: Distance::Indexed { probes: 10, refine: 2 },
    };
    assert_eq!(old.nearest(query).await.unwrap().rows.len(), 1);
    let words = TextQuery { column: "words".into(), words: "kept".into(), limit: 9, filter: Filter::All };
    assert_eq!(old.matching(words).await.unwrap().rows.len(), 1);
    drop(old);
    table.untag("keep").await.unwrap();
    table.upkeep(&forgetful()).await.unwrap();
    assert!(matches!(table.at(&kept).await, Err(LakeFault::NoVersion { .. })));
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["c", "d"]);
    done(lake, &table).await;
}

pub(super) async fn a_snapshot_in_use_outlives_pruning(lake: &dyn Lake) {
    let table = table(lake, "versions-pinned").await;
    table.append(batch(&[Row::new("a")])).await.unwrap();
    let view = table.snapshot().await.unwrap();
    table.replace(Filter::All, Some(batch(&[Row::new("b")]))).await.unwrap();
    table.upkeep(&forgetful()).await.unwrap();
    assert_eq!(ids(&*view, Scan::of(Filter::All)).await, ["a"]);
    let version = view.version().await.unwrap();
    drop(view);
    table.upkeep(&forgetful()).await.unwrap();
    assert!(matches!(table.at(&version).await, Err(LakeFault::NoVersion { .. })));
    done(lake, &table).await;
}
