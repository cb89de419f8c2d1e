//! The vector index, on a table large enough to have one.

use std::collections::HashSet;

use mainspring_lake::{
    Distance, Filter, Table, UpkeepPolicy, VectorQuery,
    conformance::{Row, WIDTH, batch},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{config, table_in};
use crate::{LanceConfig, LanceLake};

const ROWS: usize = 3_000;

fn vector(random: &mut StdRng) -> Vec<f32> {
    (0..WIDTH).map(|_| random.random_range(-1.0..1.0)).collect()
}

async fn hits(table: &dyn Table, vector: &[f32], filter: &Filter, distance: Distance) -> Vec<(u64, f32)> {
    let query = VectorQuery { column: "vector".into(), vector: vector.to_vec(), limit: 10, filter: filter.clone(), distance };
    table.nearest(query).await.unwrap().rows
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
async fn recall(table: &dyn Table, random: &mut StdRng, filter: &Filter) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    for _ in 0..20 {
        let query = vector(random);
        let exact = hits(table, &query, filter, Distance::Exact).await;
        let indexed = hits(table, &query, filter, Distance::Indexed { probes: 20, refine: 3 }).await;
        let indexed: HashSet<u64> = indexed.iter().map(|(row, _)| *row).collect();
        wanted += exact.len();
        found += exact.iter().filter(|(row, _)| indexed.contains(row)).count();
    }
    found as f64 / wanted as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_gets_a_vector_index_that_finds_what_is_near() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig { vector_index_from: 2_000, ..config(dir.path()) }).await.unwrap();
    let table = table_in(&lake, "t").await;
    let mut random = StdRng::seed_from_u64(7);
    let rows: Vec<Row> = (0..ROWS)
        .map(|n| {
            Row { vector: Some(vector(&mut random)), ..Row::new(format!("{n:05}")) }.labels(&[if n % 10 == 0 {
                "few"
            } else {
                "most"
            }])
        })
        .collect();
    table.append(batch(&rows[..1_000])).await.unwrap();
    let policy = UpkeepPolicy { fragments: 4, unindexed_rows: 100, ..UpkeepPolicy::default() };
    let small = table.upkeep(&policy).await.unwrap();
    assert!(!small.built_indexes.contains(&"vector".to_owned()), "too small: {small:?}");
    table.append(batch(&rows[1_000..])).await.unwrap();
    let large = table.upkeep(&policy).await.unwrap();
    assert!(large.built_indexes.contains(&"vector".to_owned()), "{large:?}");
    let few = Filter::HasAny("labels".into(), vec!["few".into()]);
    for filter in [Filter::All, few.clone()] {
        let share = recall(&*table, &mut random, &filter).await;
        assert!(share >= 0.95, "recall {share} under {filter:?}");
    }

    // Rows after the index was built are found too, deleted ones are not.
    let query = vector(&mut random);
    let near = Row { vector: Some(query.clone()), ..Row::new("near") };
    table.append(batch(&[near])).await.unwrap();
    for round in 0..2 {
        let found = hits(&*table, &query, &Filter::All, Distance::Indexed { probes: 20, refine: 3 }).await;
        assert!((found[0].1 - 1.0).abs() < 1e-4, "round {round}: {found:?}");
        table.upkeep(&UpkeepPolicy { unindexed_rows: 1, ..policy }).await.unwrap();
    }
    table.replace(Filter::eq("id", "near"), None).await.unwrap();
    let found = hits(&*table, &query, &Filter::All, Distance::Indexed { probes: 20, refine: 3 }).await;
    assert!(found[0].1 < 0.9999, "{found:?}");
    table.replace(Filter::HasAny("labels".into(), vec!["most".into()]), None).await.unwrap();
    table.upkeep(&UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..policy }).await.unwrap();
    let share = recall(&*table, &mut random, &Filter::All).await;
    assert!(share >= 0.95, "recall {share} after nine rows of ten are gone");
    assert_eq!(table.count(Filter::All).await.unwrap(), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growing_table_keeps_finding_what_is_near() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig { vector_index_from: 500, ..config(dir.path()) }).await.unwrap();
    let table = table_in(&lake, "t").await;
    let mut random = StdRng::seed_from_u64(11);
    let policy = UpkeepPolicy { fragments: 6, unindexed_rows: 200, ..UpkeepPolicy::default() };
    for part in 0..20 {
        let rows: Vec<Row> = (0..300)
            .map(|n| {
                Row { vector: Some(vector(&mut random)), ..Row::new(format!("{part:02}-{n:03}")) }
                    .words(&format!("part{part} row{n}"))
            })
            .collect();
        table.append(batch(&rows)).await.unwrap();
        if part % 3 == 2 {
            table.replace(Filter::StartsWith("id".into(), format!("{:02}-1", part - 1)), None).await.unwrap();
        }
        table.upkeep(&policy).await.unwrap();
    }
    let stats = table.stats().await.unwrap();
    assert_eq!(stats.rows, 20 * 300 - 6 * 100);
    for (column, inside, outside) in &stats.indexes {
        assert!(*outside < 200 && inside + outside == stats.rows, "index of {column}: {inside} in, {outside} out");
    }
    let share = recall(&*table, &mut random, &Filter::All).await;
    assert!(share >= 0.95, "recall {share}");
    for part in [0, 7, 19] {
        let query = mainspring_lake::TextQuery {
            column: "words".into(),
            words: format!("part{part}"),
            limit: 1_000,
            filter: Filter::All,
        };
        let wanted = table.count(Filter::StartsWith("id".into(), format!("{part:02}-"))).await.unwrap();
        assert_eq!(table.matching(query).await.unwrap().rows.len() as u64, wanted, "part {part}");
    }
}
