use std::time::Duration;

use futures::future::join_all;

use super::{
    Row, batch, done, ids,
    rows::{ids_at, leaning},
    table,
};
use crate::{Distance, Filter, Lake, Scan, Table, TextQuery, UpkeepPolicy, VectorQuery};

fn thorough() -> UpkeepPolicy {
    UpkeepPolicy { fragments: 2, unindexed_rows: 1, keep_versions_for: Duration::from_secs(3600) }
}

/// What a table says to a fixed set of questions.
async fn answers(table: &dyn Table) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    for filter in [
        Filter::All,
        Filter::eq("doc", "d1"),
        Filter::any_of("id", ["0003", "0150", "0299"]),
        Filter::Gt("number".into(), crate::Scalar::Int(250)),
        Filter::HasAny("labels".into(), vec!["l1".into(), "l4".into()]),
        Filter::Contains("words".into(), "WORD1".into()),
        Filter::StartsWith("id".into(), "01".into()),
    ] {
        answers.push(ids(table, Scan::of(filter.clone())).await);
        let query = VectorQuery {
            column: "vector".into(),
            vector: leaning(33.0),
            limit: 8,
            filter: filter.clone(),
            distance: Distance::Indexed { probes: 20, refine: 3 },
        };
        let hits = table.nearest(query).await.unwrap();
        answers.push(ids_at(table, &hits.rows).await);
        let query = TextQuery { column: "words".into(), words: "word7 common".into(), limit: 1_000, filter };
        let hits = table.matching(query).await.unwrap();
        let mut found = ids_at(table, &hits.rows).await;
        found.sort();
        answers.push(found);
    }
    answers
}

fn rows(from: u16, to: u16) -> Vec<Row> {
    (from..to)
        .map(|n| {
            Row::new(format!("{n:04}"))
                .doc(&format!("d{}", n % 9))
                .number(i64::from(n))
                .labels(&[&format!("l{}", n % 5)])
                .words(&format!("word{} common", n % 40))
                .angle(f32::from(n) * 0.3)
        })
        .collect()
}

pub(super) async fn upkeep_changes_no_answer(lake: &dyn Lake) {
    let table = table(lake, "upkeep-answers").await;
    for part in 0..6_u16 {
        table.append(batch(&rows(part * 50, part * 50 + 50))).await.unwrap();
    }
    table.replace(Filter::eq("doc", "d3"), Some(batch(&rows(900, 905)))).await.unwrap();
    let before = answers(&*table).await;
    for round in 0..3 {
        table.upkeep(&thorough()).await.unwrap();
        assert_eq!(answers(&*table).await, before, "after upkeep {round}");
    }
    table.append(batch(&rows(905, 910))).await.unwrap();
    table.replace(Filter::eq("doc", "d4"), None).await.unwrap();
    let before = answers(&*table).await;
    table.upkeep(&thorough()).await.unwrap();
    assert_eq!(answers(&*table).await, before);
    let stats = table.stats().await.unwrap();
    for (column, inside, outside) in stats.indexes {
        assert_eq!((inside, outside), (stats.rows, 0), "index of {column}");
    }
    done(lake, &table).await;
}

pub(super) async fn upkeep_merges_fragments(lake: &dyn Lake) {
    let table = table(lake, "upkeep-merges").await;
    for part in 0..8_u16 {
        table.append(batch(&rows(part, part + 1))).await.unwrap();
    }
    assert_eq!(table.stats().await.unwrap().fragments, 8);
    let many = UpkeepPolicy { fragments: 9, unindexed_rows: 1_000, ..thorough() };
    assert_eq!(table.upkeep(&many).await.unwrap().compacted_fragments, 0, "fewer than the policy asks for");
    let done_by = table.upkeep(&UpkeepPolicy { fragments: 8, ..many }).await.unwrap();
    assert_eq!(done_by.compacted_fragments, 8);
    assert_eq!(table.stats().await.unwrap().fragments, 1);
    assert_eq!(table.count(Filter::All).await.unwrap(), 8);
    done(lake, &table).await;
}

pub(super) async fn upkeep_and_writers_do_not_fail_each_other(lake: &dyn Lake) {
    let table = table(lake, "upkeep-writers").await;
    table.append(batch(&rows(0, 40))).await.unwrap();
    let writers = (0..3_u16).map(|writer| {
        let table = table.clone();
        async move {
            for round in 0..6_u16 {
                let id = 1_000 + writer * 100 + round;
                table.append(batch(&rows(id, id + 1))).await.unwrap();
                let replaced = 1_500 + writer;
                let commit = table
                    .replace(Filter::eq("id", format!("{replaced:04}")), Some(batch(&rows(replaced, replaced + 1))))
                    .await
                    .unwrap();
                assert_eq!((commit.inserted, commit.deleted), (1, u64::from(round > 0)));
            }
        }
    });
    let keeper = async {
        for _ in 0..5 {
            let policy = UpkeepPolicy { fragments: 2, unindexed_rows: 1, keep_versions_for: Duration::ZERO };
            table.upkeep(&policy).await.unwrap();
        }
    };
    futures::future::join(join_all(writers), keeper).await;
    assert_eq!(table.count(Filter::All).await.unwrap(), 40 + 18 + 3);
    table.upkeep(&thorough()).await.unwrap();
    assert_eq!(table.count(Filter::All).await.unwrap(), 40 + 18 + 3);
    done(lake, &table).await;
}

pub(super) async fn a_tagged_version_stands_still_while_everything_else_moves(lake: &dyn Lake) {
    const WRITERS: u16 = 4;
    const ROUNDS: u16 = 6;
    let table = table(lake, "upkeep-tagged").await;
    let kept = table.append(batch(&rows(0, 60))).await.unwrap().version;
    table.tag("kept", &kept).await.unwrap();
    let before = answers(&*table).await;
    // What was tagged is deleted from the newest version while it is read.
    let writers = (0..WRITERS).map(|writer| {
        let table = table.clone();
        async move {
            for round in 0..ROUNDS {
                let id = 1_000 + writer * 100 + round;
                table.append(batch(&rows(id, id + 1))).await.unwrap();
                let gone = format!("{:04}", writer * ROUNDS + round);
                assert_eq!(table.replace(Filter::eq("id", gone), None).await.unwrap().deleted, 1);
            }
        }
    });
    let keeper = async {
        for _ in 0..6 {
            let policy = UpkeepPolicy { fragments: 2, unindexed_rows: 1, keep_versions_for: Duration::ZERO };
            table.upkeep(&policy).await.unwrap();
        }
    };
    let held = table.at(&kept).await.unwrap();
    let reader = async {
        for round in 0..6 {
            assert_eq!(answers(&*held).await, before, "a view that is held, round {round}");
            let again = table.at(&kept).await.unwrap();
            assert_eq!(again.count(Filter::All).await.unwrap(), 60, "opened again, round {round}");
        }
    };
    futures::future::join3(join_all(writers), keeper, reader).await;
    let changes = u64::from(WRITERS * ROUNDS);
    assert_eq!(table.count(Filter::All).await.unwrap(), 60);
    assert_eq!(table.count(Filter::GtEq("number".into(), crate::Scalar::Int(1_000))).await.unwrap(), changes);
    drop(held);
    table.upkeep(&UpkeepPolicy { keep_versions_for: Duration::ZERO, ..thorough() }).await.unwrap();
    assert_eq!(answers(&*table.at(&kept).await.unwrap()).await, before);
    done(lake, &table).await;
}

pub(super) async fn upkeep_with_nothing_to_do_does_nothing(lake: &dyn Lake) {
    let table = table(lake, "upkeep-idle").await;
    table.upkeep(&thorough()).await.unwrap();
    for part in 0..4_u16 {
        table.append(batch(&rows(part * 10, part * 10 + 10))).await.unwrap();
    }
    table.upkeep(&thorough()).await.unwrap();
    let before = table.version().await.unwrap();
    let idle = table.upkeep(&thorough()).await.unwrap();
    assert_eq!((idle.compacted_fragments, idle.folded_rows, idle.built_indexes.len()), (0, 0, 0));
    assert_eq!(table.version().await.unwrap(), before, "no work, no version");
    done(lake, &table).await;
}
