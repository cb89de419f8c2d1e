use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Row, batch, done, ids, rows_of, table};
use crate::{Filter, Lake, LakeFault, Scalar, Scan};

pub(super) async fn appended_rows_come_back(lake: &dyn Lake) {
    let table = table(lake, "writing-appended").await;
    let full = Row::new("a").doc("d").number(-7).share(0.25).flag(true).labels(&["x", "y"]).words("ünï cödé").angle(30.0);
    let empty_list = Row::new("b").labels(&[]);
    let nulls = Row::new("c");
    let rows = [full, empty_list, nulls];
    let commit = table.append(batch(&rows)).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (3, 0));
    assert_eq!(commit.version, table.version().await.unwrap());
    assert_eq!(rows_of(&table.scan(Scan::of(Filter::All)).await.unwrap()), rows);
    done(lake, &table).await;
}

pub(super) async fn batches_appended_together_are_one_version(lake: &dyn Lake) {
    let table = table(lake, "writing-together").await;
    let before = table.version().await.unwrap();
    let batches = vec![batch(&[Row::new("a"), Row::new("b")]), batch(&[]), batch(&[Row::new("c")])];
    let commit = table.append_all(batches).await.unwrap();
    assert_eq!((commit.inserted, commit.version.number), (3, before.number + 1));
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a", "b", "c"]);
    let nothing = table.append_all(vec![batch(&[])]).await.unwrap();
    assert_eq!((nothing.inserted, &nothing.version), (0, &commit.version));
    let odd = batch(&[Row::new("d")]).project(&[0]).unwrap();
    let refused = table.append_all(vec![batch(&[Row::new("e")]), odd]).await;
    assert!(matches!(refused, Err(LakeFault::Schema { .. })));
    assert_eq!(table.version().await.unwrap(), commit.version);
    done(lake, &table).await;
}

pub(super) async fn an_append_of_nothing_makes_no_version(lake: &dyn Lake) {
    let table = table(lake, "writing-nothing").await;
    let before = table.version().await.unwrap();
    let commit = table.append(batch(&[])).await.unwrap();
    assert_eq!((commit.inserted, commit.version), (0, before));
    done(lake, &table).await;
}

pub(super) async fn concurrent_appends_share_commits(lake: &dyn Lake) {
    let table = table(lake, "writing-group").await;
    let before = table.version().await.unwrap().number;
    let appends = (0..40_i64).map(|n| {
        let table = table.clone();
        async move { table.append(batch(&[Row::new(format!("{n:02}")).number(n)])).await.unwrap() }
    });
    let commits = join_all(appends).await;
    assert!(commits.iter().all(|commit| commit.inserted == 1 && commit.deleted == 0));
    assert_eq!(table.count(Filter::All).await.unwrap(), 40);
    let versions: BTreeSet<u64> = commits.iter().map(|commit| commit.version.number).collect();
    assert!(versions.len() < 20, "40 appends at once made {} commits", versions.len());
    assert_eq!(table.version().await.unwrap().number, before + versions.len() as u64);
    done(lake, &table).await;
}

pub(super) async fn rows_of_another_shape_are_refused(lake: &dyn Lake) {
    let table = table(lake, "writing-shape").await;
    let all = batch(&[Row::new("a")]);
    let fewer = all.project(&[0, 1, 2]).unwrap();
    assert!(matches!(table.append(fewer).await, Err(LakeFault::Schema { .. })));
    let turned = all.project(&[7, 6, 5, 4, 3, 2, 1, 0]).unwrap();
    table.append(turned).await.unwrap();
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a"]);
    done(lake, &table).await;
}

pub(super) async fn a_replace_is_one_version(lake: &dyn Lake) {
    let table = table(lake, "writing-replace").await;
    let old: Vec<Row> = (0..6).map(|n| Row::new(format!("old{n}")).doc(if n < 4 { "one" } else { "two" })).collect();
    table.append(batch(&old)).await.unwrap();
    let before = table.snapshot().await.unwrap();
    let new = batch(&[Row::new("new0").doc("one"), Row::new("new1").doc("one")]);
    let commit = table.replace(Filter::eq("doc", "one"), Some(new)).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (2, 4));
    assert_eq!(commit.version.number, before.version().await.unwrap().number + 1);
    assert_eq!(commit.version, table.version().await.unwrap());
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["new0", "new1", "old4", "old5"]);
    assert_eq!(before.count(Filter::All).await.unwrap(), 6);
    done(lake, &table).await;
}

pub(super) async fn a_replace_of_nothing_is_an_append(lake: &dyn Lake) {
    let table = table(lake, "writing-insert").await;
    let commit = table.replace(Filter::eq("doc", "none"), Some(batch(&[Row::new("a")]))).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (1, 0));
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a"]);
    done(lake, &table).await;
}

pub(super) async fn a_replace_without_rows_deletes(lake: &dyn Lake) {
    let table = table(lake, "writing-delete").await;
    table.append(batch(&[Row::new("a").number(1), Row::new("b").number(2), Row::new("c")])).await.unwrap();
    let commit = table.replace(Filter::GtEq("number".into(), Scalar::Int(2)), None).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (0, 1));
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["a", "c"]);
    done(lake, &table).await;
}

pub(super) async fn a_replace_that_changes_nothing_makes_no_version(lake: &dyn Lake) {
    let table = table(lake, "writing-unchanged").await;
    table.append(batch(&[Row::new("a")])).await.unwrap();
    let before = table.version().await.unwrap();
    for filter in [Filter::eq("id", "z"), Filter::any_of("id", Vec::<String>::new())] {
        let commit = table.replace(filter, None).await.unwrap();
        assert_eq!((commit.inserted, commit.deleted, &commit.version), (0, 0, &before));
    }
    done(lake, &table).await;
}

pub(super) async fn a_replace_of_everything_leaves_only_the_new_rows(lake: &dyn Lake) {
    let table = table(lake, "writing-everything").await;
    for n in 0..3 {
        table.append(batch(&[Row::new(format!("old{n}"))])).await.unwrap();
    }
    let commit = table.replace(Filter::All, Some(batch(&[Row::new("new")]))).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (1, 3));
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["new"]);
    let commit = table.replace(Filter::All, None).await.unwrap();
    assert_eq!(commit.deleted, 1);
    assert_eq!(table.count(Filter::All).await.unwrap(), 0);
    table.append(batch(&[Row::new("again")])).await.unwrap();
    assert_eq!(ids(&*table, Scan::of(Filter::All)).await, ["again"]);
    done(lake, &table).await;
}

pub(super) async fn concurrent_replaces_all_land(lake: &dyn Lake) {
    let table = table(lake, "writing-replaces").await;
    let rows = |doc: usize, round: usize| {
        batch(&(0..3).map(|n| Row::new(format!("{doc}-{round}-{n}")).doc(&format!("d{doc}"))).collect::<Vec<_>>())
    };
    for doc in 0..6 {
        table.append(rows(doc, 0)).await.unwrap();
    }
    let replaces = (0..6).map(|doc| {
        let table = table.clone();
        async move {
            for round in 1..4 {
                let commit = table.replace(Filter::eq("doc", format!("d{doc}")), Some(rows(doc, round))).await.unwrap();
                assert_eq!((commit.inserted, commit.deleted), (3, 3), "document {doc}, round {round}");
            }
        }
    });
    join_all(replaces).await;
    let found = ids(&*table, Scan::of(Filter::All)).await;
    let wanted: Vec<String> = (0..6).flat_map(|doc| (0..3).map(move |n| format!("{doc}-3-{n}"))).collect();
    assert_eq!(found, wanted);
    done(lake, &table).await;
}

pub(super) async fn appends_and_replaces_mix(lake: &dyn Lake) {
    let table = table(lake, "writing-mixed").await;
    let changes = (0..24).map(|n| {
        let table = table.clone();
        async move {
            let row = batch(&[Row::new(format!("{n:02}")).doc("mixed")]);
            if n % 3 == 0 {
                table.replace(Filter::eq("id", format!("{n:02}")), Some(row)).await.unwrap();
            } else {
                table.append(row).await.unwrap();
            }
        }
    });
    join_all(changes).await;
    assert_eq!(table.count(Filter::eq("doc", "mixed")).await.unwrap(), 24);
    done(lake, &table).await;
}

pub(super) async fn a_row_is_put_in_the_place_of_its_key(lake: &dyn Lake) {
    let table = table(lake, "writing-put").await;
    let row = |id: &str, number: i64| Row::new(id).doc("d").number(number);
    let keys = |ids: &[&str]| Filter::eq("doc", "d").and(Filter::any_of("id", ids.iter().copied()));
    let first = batch(&[row("a", 1), row("b", 1)]);
    let commit = table.put(&["doc", "id"], keys(&["a", "b"]), first).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (2, 0));
    let second = batch(&[row("b", 2), row("c", 2)]);
    let commit = table.put(&["doc", "id"], keys(&["b", "c"]), second).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (2, 1));
    let rows = rows_of(&table.scan(Scan::of(Filter::All)).await.unwrap());
    let mut found: Vec<(String, Option<i64>)> = rows.into_iter().map(|row| (row.id, row.number)).collect();
    found.sort();
    assert_eq!(found, [("a".to_owned(), Some(1)), ("b".to_owned(), Some(2)), ("c".to_owned(), Some(2))]);
    // At once, and each of them again and again.
    let puts = (0..12).map(|n| {
        let table = table.clone();
        async move {
            let id = format!("n{}", n % 3);
            let these = Filter::eq("doc", "d").and(Filter::eq("id", id.as_str()));
            table.put(&["doc", "id"], these, batch(&[row(&id, n)])).await.unwrap()
        }
    });
    join_all(puts).await;
    assert_eq!(table.count(Filter::eq("doc", "d")).await.unwrap(), 6);
    done(lake, &table).await;
}

pub(super) async fn rows_are_replaced_as_they_were_read_or_not_at_all(lake: &dyn Lake) {
    let table = table(lake, "writing-as-read").await;
    let row = |id: &str, number: i64| Row::new(id).doc("d").number(number);
    let all = || Filter::eq("doc", "d");
    let found = async || {
        let rows = rows_of(&table.scan(Scan::of(Filter::All)).await.unwrap());
        let mut found: Vec<(String, Option<i64>)> = rows.into_iter().map(|row| (row.id, row.number)).collect();
        found.sort();
        found
    };
    let known = |rows: &[(&str, i64)]| rows.iter().map(|(id, number)| ((*id).to_owned(), Some(*number))).collect::<Vec<_>>();
    table.append(batch(&[row("a", 1), row("b", 1)])).await.unwrap();
    let read = table.version().await.unwrap();
    // What came since stays, though the filter finds it.
    table.append(batch(&[row("c", 1)])).await.unwrap();
    let commit = table.replace_as_read(&read, all(), Some(batch(&[row("a", 2), row("b", 2)]))).await.unwrap();
    assert_eq!((commit.inserted, commit.deleted), (2, 2));
    assert_eq!(found().await, known(&[("a", 2), ("b", 2), ("c", 1)]));
    // Another row that was read may be written meanwhile, and one of these may not, nor may it go.
    let read = table.version().await.unwrap();
    table.replace(Filter::eq("id", "a"), Some(batch(&[row("a", 3)]))).await.unwrap();
    table.replace_as_read(&read, Filter::eq("id", "b"), Some(batch(&[row("b", 3)]))).await.unwrap();
    let late = table.replace_as_read(&read, Filter::any_of("id", ["a", "c"]), Some(batch(&[row("a", 9), row("c", 9)]))).await;
    assert!(matches!(late, Err(LakeFault::Contended { .. })), "{late:?}");
    assert_eq!(found().await, known(&[("a", 3), ("b", 3), ("c", 1)]));
    let read = table.version().await.unwrap();
    table.replace(Filter::eq("id", "c"), None).await.unwrap();
    let late = table.replace_as_read(&read, Filter::eq("id", "c"), Some(batch(&[row("c", 9)]))).await;
    assert!(matches!(late, Err(LakeFault::Contended { .. })), "{late:?}");
    let read = table.version().await.unwrap();
    assert_eq!(table.replace_as_read(&read, Filter::eq("id", "a"), None).await.unwrap().deleted, 1);
    assert_eq!(found().await, known(&[("b", 3)]));
    done(lake, &table).await;
}
