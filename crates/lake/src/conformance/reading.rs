use std::sync::Arc;

use arrow_array::cast::AsArray;

use super::{
    Row, batch, done, ids,
    rows::{ids_at, ids_in_order, leaning},
    table,
};
use crate::{Distance, Filter, IdSet, Lake, LakeFault, Order, Scalar, Scan, Table, TextQuery, UpkeepPolicy, VectorQuery};

fn sample() -> Vec<Row> {
    vec![
        Row::new("a").doc("one").number(1).share(0.5).flag(true).labels(&["x"]).words("Plain words"),
        Row::new("b").doc("one").number(2).share(-1.5).flag(false).labels(&["x", "y"]).words("100% of it"),
        Row::new("c").doc("two").number(i64::MAX).labels(&[]).words("snake_case and CamelCase"),
        Row::new("d").doc("it's").number(i64::MIN).labels(&["it's", "z"]).words("Straße\\path"),
        Row::new("e"),
    ]
}

async fn check(table: &dyn Table, filter: Filter, wanted: &[&str]) {
    let found = ids(table, Scan::of(filter.clone())).await;
    assert_eq!(found, wanted, "scan of {filter:?}");
    assert_eq!(table.count(filter.clone()).await.unwrap(), wanted.len() as u64, "count of {filter:?}");
}

pub(super) async fn filters_find_what_they_say(lake: &dyn Lake) {
    let opened = table(lake, "reading-filters").await;
    opened.append(batch(&sample())).await.unwrap();
    let table = &*opened;
    let column = |name: &str| name.to_owned();
    let int = Scalar::Int;
    let float = Scalar::Float;

    check(table, Filter::All, &["a", "b", "c", "d", "e"]).await;
    check(table, Filter::eq("doc", "one"), &["a", "b"]).await;
    check(table, Filter::eq("doc", "it's"), &["d"]).await;
    check(table, Filter::eq("doc", "' OR 1=1 --"), &[]).await;
    check(table, Filter::NotEq(column("doc"), "one".into()), &["c", "d"]).await;
    check(table, Filter::Not(Box::new(Filter::eq("doc", "one"))), &["c", "d"]).await;
    check(table, Filter::Unless(Box::new(Filter::eq("doc", "one"))), &["c", "d", "e"]).await;
    check(table, Filter::Lt(column("doc"), "one".into()), &["d"]).await;
    check(table, Filter::eq("flag", Scalar::Bool(true)), &["a"]).await;
    check(table, Filter::NotEq(column("flag"), Scalar::Bool(true)), &["b"]).await;

    check(table, Filter::Gt(column("number"), int(1)), &["b", "c"]).await;
    check(table, Filter::LtEq(column("number"), int(i64::MIN)), &["d"]).await;
    check(table, Filter::Lt(column("number"), float(1.5)), &["a", "d"]).await;
    check(table, Filter::GtEq(column("number"), float(1.5)), &["b", "c"]).await;
    check(table, Filter::eq("number", float(2.0)), &["b"]).await;
    check(table, Filter::eq("number", float(2.5)), &[]).await;
    check(table, Filter::NotEq(column("number"), float(2.5)), &["a", "b", "c", "d"]).await;
    check(table, Filter::Lt(column("number"), float(1e30)), &["a", "b", "c", "d"]).await;
    check(table, Filter::Gt(column("number"), float(f64::INFINITY)), &[]).await;
    check(table, Filter::Not(Box::new(Filter::Gt(column("number"), float(1e30)))), &["a", "b", "c", "d"]).await;
    check(table, Filter::Gt(column("share"), int(0)), &["a"]).await;
    check(table, Filter::LtEq(column("share"), float(-1.5)), &["b"]).await;

    check(table, Filter::any_of("id", ["a", "d", "nobody"]), &["a", "d"]).await;
    check(table, Filter::any_of("id", ["a"]), &["a"]).await;
    check(table, Filter::any_of("id", Vec::<String>::new()), &[]).await;
    check(table, Filter::Not(Box::new(Filter::any_of("id", Vec::<String>::new()))), &["a", "b", "c", "d", "e"]).await;
    check(table, Filter::any_of("number", [1_i64, 2, 3]), &["a", "b"]).await;

    check(table, Filter::HasAny(column("labels"), vec!["y".into(), "z".into()]), &["b", "d"]).await;
    check(table, Filter::HasAny(column("labels"), vec!["it's".into()]), &["d"]).await;
    check(table, Filter::HasAny(column("labels"), vec![]), &[]).await;
    check(table, Filter::Not(Box::new(Filter::HasAny(column("labels"), vec!["x".into()]))), &["c", "d"]).await;

    check(table, Filter::Contains(column("words"), "PLAIN".into()), &["a"]).await;
    check(table, Filter::Contains(column("words"), "0% o".into()), &["b"]).await;
    check(table, Filter::Contains(column("words"), "%".into()), &["b"]).await;
    check(table, Filter::Contains(column("words"), "_".into()), &["c"]).await;
    check(table, Filter::Contains(column("words"), "CAMELcase".into()), &["c"]).await;
    check(table, Filter::Contains(column("words"), "\\p".into()), &["d"]).await;
    check(table, Filter::Contains(column("words"), String::new()), &["a", "b", "c", "d"]).await;
    check(table, Filter::StartsWith(column("words"), "Plain".into()), &["a"]).await;
    check(table, Filter::StartsWith(column("words"), "plain".into()), &[]).await;
    check(table, Filter::StartsWith(column("words"), "100%".into()), &["b"]).await;
    check(table, Filter::StartsWith(column("words"), "snake_".into()), &["c"]).await;
    check(table, Filter::StartsWith(column("words"), "snakeX".into()), &[]).await;

    check(table, Filter::IsNull(column("doc")), &["e"]).await;
    check(table, Filter::present("labels"), &["a", "b", "c", "d"]).await;
    check(table, Filter::And(vec![]), &["a", "b", "c", "d", "e"]).await;
    check(table, Filter::Or(vec![]), &[]).await;
    let either = Filter::Or(vec![Filter::eq("id", "a"), Filter::IsNull(column("doc"))]);
    check(table, either.clone(), &["a", "e"]).await;
    check(table, either.and(Filter::eq("flag", Scalar::Bool(true))), &["a"]).await;
    let impossible = Filter::And(vec![Filter::eq("id", "a"), Filter::Or(vec![])]);
    check(table, impossible.clone(), &[]).await;
    check(table, Filter::Not(Box::new(impossible)), &["a", "b", "c", "d", "e"]).await;
    done(lake, &opened).await;
}

pub(super) async fn a_condition_may_hold_many_ids(lake: &dyn Lake) {
    let opened = table(lake, "reading-ids").await;
    let id = |n: u32| format!("{n:016x}");
    let rows: Vec<Row> = (0..40).map(|n| Row::new(id(n)).doc(&id(n % 4))).chain([Row::new("no id").doc("A0")]).collect();
    opened.append(batch(&rows)).await.unwrap();
    let table = &*opened;
    let held = |numbers: &mut dyn Iterator<Item = u32>| {
        let mut held = IdSet::of_digits(16);
        numbers.for_each(|n| assert!(held.insert(&id(n))));
        Arc::new(held)
    };
    let many = held(&mut (3..100_000).step_by(20));
    let (third, twenty_third) = (id(3), id(23));
    check(table, Filter::Ids("id".to_owned(), many.clone()), &[&third, &twenty_third]).await;
    let few = Filter::Ids("doc".to_owned(), held(&mut [0, 1, 2].into_iter()));
    assert_eq!(table.count(few.clone()).await.unwrap(), 30);
    check(table, few.clone().and(Filter::Ids("id".to_owned(), many)), &[]).await;
    assert_eq!(table.count(Filter::Not(Box::new(few.clone()))).await.unwrap(), 11);
    check(table, Filter::Ids("id".to_owned(), Arc::default()), &[]).await;
    // Of a row that has no text nothing is known.
    opened.append(batch(&[Row::new("without")])).await.unwrap();
    assert_eq!(table.count(Filter::Not(Box::new(few.clone()))).await.unwrap(), 11);
    assert_eq!(table.count(Filter::Unless(Box::new(few))).await.unwrap(), 12);
    let refused = table.count(Filter::Ids("number".to_owned(), Arc::default())).await;
    assert!(matches!(refused, Err(LakeFault::Query { .. })), "{refused:?}");
    done(lake, &opened).await;
}

pub(super) async fn a_filter_may_have_thousands_of_parts(lake: &dyn Lake) {
    let table = table(lake, "reading-many").await;
    table.append(batch(&sample())).await.unwrap();
    let many = Filter::Or((0..3_000).map(|n| Filter::eq("id", format!("id{n}"))).chain([Filter::eq("id", "c")]).collect());
    check(&*table, many, &["c"]).await;
    let listed = Filter::any_of("id", (0..3_000).map(|n| format!("id{n}")).chain(["d".to_owned()]));
    check(&*table, listed, &["d"]).await;
    let deep = (0..5_000).fold(Filter::eq("id", "a"), |inner, _| Filter::Not(Box::new(inner)));
    assert!(matches!(table.count(deep).await, Err(LakeFault::Query { .. })));
    done(lake, &table).await;
}

#[track_caller]
fn is_no_column<T: std::fmt::Debug>(outcome: Result<T, LakeFault>) {
    match outcome {
        Err(LakeFault::NoColumn { column, .. }) => assert_eq!(column, "nope"),
        other => panic!("wanted the missing column to be named, got {other:?}"),
    }
}

pub(super) async fn unknown_columns_are_named(lake: &dyn Lake) {
    let table = table(lake, "reading-unknown").await;
    table.append(batch(&sample())).await.unwrap();
    for filter in [
        Filter::eq("nope", "x"),
        Filter::IsNull("nope".into()),
        Filter::HasAny("nope".into(), vec![]),
        Filter::any_of("nope", Vec::<String>::new()),
        Filter::And(vec![Filter::Or(vec![]), Filter::Contains("nope".into(), String::new())]),
    ] {
        is_no_column(table.scan(Scan::of(filter.clone())).await);
        is_no_column(table.count(filter.clone()).await);
        is_no_column(table.replace(filter, None).await);
    }
    is_no_column(table.scan(Scan::of(Filter::All).columns(&["id", "nope"])).await);
    is_no_column(table.scan(Scan::of(Filter::All).order("nope", Order::Ascending)).await);
    is_no_column(table.take(&[0], &["nope"]).await);
    let nearest =
        VectorQuery { column: "nope".into(), vector: leaning(0.0), limit: 3, filter: Filter::All, distance: Distance::Exact };
    is_no_column(table.nearest(nearest).await);
    let matching = TextQuery { column: "nope".into(), words: "words".into(), limit: 3, filter: Filter::All };
    is_no_column(table.matching(matching).await);
    done(lake, &table).await;
}

pub(super) async fn wrong_types_are_refused(lake: &dyn Lake) {
    let table = table(lake, "reading-types").await;
    table.append(batch(&sample())).await.unwrap();
    for filter in [
        Filter::eq("number", "1"),
        Filter::eq("doc", 1_i64),
        Filter::eq("flag", 1_i64),
        Filter::eq("labels", "x"),
        Filter::eq("number", Scalar::Float(f64::NAN)),
        Filter::HasAny("doc".into(), vec!["x".into()]),
        Filter::Contains("number".into(), "1".into()),
        Filter::StartsWith("labels".into(), "x".into()),
    ] {
        assert!(matches!(table.count(filter.clone()).await, Err(LakeFault::Query { .. })), "{filter:?}");
    }
    done(lake, &table).await;
}

pub(super) async fn scans_order_and_page(lake: &dyn Lake) {
    let table = table(lake, "reading-pages").await;
    table.append(batch(&sample())).await.unwrap();
    let table_ref = &*table;
    let by_number = |order| Scan::of(Filter::All).order("number", order);
    assert_eq!(ids_in_order(table_ref, by_number(Order::Ascending)).await, ["d", "a", "b", "c", "e"]);
    assert_eq!(ids_in_order(table_ref, by_number(Order::Descending)).await, ["c", "b", "a", "d", "e"]);
    let two = Scan::of(Filter::All).order("doc", Order::Descending).order("id", Order::Descending);
    assert_eq!(ids_in_order(table_ref, two).await, ["c", "b", "a", "d", "e"]);
    let mut page = Scan::of(Filter::All).order("id", Order::Ascending).limit(2);
    page.offset = 1;
    assert_eq!(ids_in_order(table_ref, page.clone()).await, ["b", "c"]);
    page.offset = 4;
    assert_eq!(ids_in_order(table_ref, page.clone()).await, ["e"]);
    page.offset = 9;
    assert!(ids_in_order(table_ref, page).await.is_empty());
    assert!(ids_in_order(table_ref, Scan::of(Filter::All).limit(0)).await.is_empty());
    assert_eq!(ids_in_order(table_ref, Scan::of(Filter::All).limit(3)).await.len(), 3);
    done(lake, &table).await;
}

/// Pages over many commits whose rows come nearly, but not quite, in order.
pub(super) async fn pages_run_over_many_commits(lake: &dyn Lake) {
    let table = table(lake, "reading-commits").await;
    let mut all: Vec<(i64, String)> = Vec::new();
    for commit in 0..8_i64 {
        let rows: Vec<Row> = (0..25_i64)
            .map(|n| {
                // A late one in every commit, and the same number twice.
                let number = if n == 7 { commit * 3 } else { commit * 20 + n };
                let id = format!("{commit}-{n:02}");
                all.push((number, id.clone()));
                Row::new(id).number(number).doc(if n % 5 == 0 { "five" } else { "other" })
            })
            .collect();
        table.append(batch(&rows)).await.unwrap();
    }
    table.append(batch(&[Row::new("null").doc("five")])).await.unwrap();
    let fives: Vec<(i64, String)> = all.iter().filter(|(_, id)| id[2..].parse::<i64>().unwrap() % 5 == 0).cloned().collect();
    for _ in 0..2 {
        for (filter, mut wanted) in [
            (Filter::All, all.clone()),
            (Filter::eq("doc", "five"), fives.clone()),
            (Filter::Lt("number".into(), Scalar::Int(40)), all.iter().filter(|(number, _)| *number < 40).cloned().collect()),
            (Filter::Gt("number".into(), Scalar::Int(1_000)), Vec::new()),
        ] {
            wanted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let mut ids: Vec<String> = wanted.into_iter().map(|(_, id)| id).collect();
            if filter.is_all() || filter == Filter::eq("doc", "five") {
                ids.push("null".to_owned());
            }
            let mut scan = Scan::of(filter.clone()).order("number", Order::Descending).order("id", Order::Ascending).limit(30);
            let mut found = Vec::new();
            loop {
                let page = ids_in_order(&*table, scan.clone()).await;
                if page.is_empty() {
                    break;
                }
                found.extend(page);
                scan.offset = found.len();
            }
            assert_eq!(found, ids, "{filter:?}");
        }
        table.upkeep(&UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    }
    done(lake, &table).await;
}

pub(super) async fn scans_project(lake: &dyn Lake) {
    let table = table(lake, "reading-columns").await;
    table.append(batch(&sample())).await.unwrap();
    let found = table.scan(Scan::of(Filter::eq("doc", "two")).columns(&["words", "id"])).await.unwrap();
    let names: Vec<&str> = found[0].schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["words", "id"]);
    assert_eq!(found[0].column(1).as_string::<i32>().value(0), "c");
    done(lake, &table).await;
}

pub(super) async fn rows_are_taken_in_order(lake: &dyn Lake) {
    let table = table(lake, "reading-take").await;
    let rows: Vec<Row> = (0..5_u8).map(|n| Row::new(format!("{n}")).angle(f32::from(n) * 10.0)).collect();
    table.append(batch(&rows[..2])).await.unwrap();
    table.append(batch(&rows[2..])).await.unwrap();
    let query =
        VectorQuery { column: "vector".into(), vector: leaning(0.0), limit: 5, filter: Filter::All, distance: Distance::Exact };
    let hits = table.nearest(query).await.unwrap().rows;
    assert_eq!(ids_at(&*table, &hits).await, ["0", "1", "2", "3", "4"]);
    let turned: Vec<(u64, f32)> = hits.iter().rev().copied().collect();
    assert_eq!(ids_at(&*table, &turned).await, ["4", "3", "2", "1", "0"]);
    let twice = [hits[3], hits[0], hits[3]];
    assert_eq!(ids_at(&*table, &twice).await, ["3", "0", "3"]);
    let none = table.take(&[], &["id", "vector"]).await.unwrap();
    assert_eq!((none.num_rows(), none.num_columns()), (0, 2));
    table.replace(Filter::eq("id", "3"), None).await.unwrap();
    assert!(matches!(table.take(&[hits[3].0], &["id"]).await, Err(LakeFault::Query { .. })));
    assert!(matches!(table.take(&[u64::MAX - 7], &["id"]).await, Err(LakeFault::Query { .. })));
    done(lake, &table).await;
}
