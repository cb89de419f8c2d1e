//! Random changes and questions, against a map that does the same in memory.

use std::collections::BTreeMap;

use mainspring_lake::{
    Distance, Filter, Order, Scalar, Scan, Table, TextQuery, UpkeepPolicy, VectorQuery,
    conformance::{Row, batch, rows_of},
};
use proptest::{prelude::*, test_runner::Config};

use super::{lake_in, table_in};

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Row>),
    Replace(Filter, Vec<Row>),
    Upkeep,
    Reopen,
    Ask(Filter),
}

/// Rows by id and by the order they came in, so that one id may occur twice.
type Model = BTreeMap<u64, Row>;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "a%", "a_b", "A'B", "\\", "", "ab c", "é"]).prop_map(str::to_owned),
        1 => ".{0,6}",
    ]
}

prop_compose! {
    fn row()(
        id in 0..30_u8,
        doc in prop::option::weighted(0.8, text()),
        number in prop::option::weighted(0.8, -4..5_i64),
        labels in prop::option::weighted(0.8, prop::collection::vec(text(), 0..3)),
        words in prop::option::weighted(0.8, text()),
        degrees in prop::option::weighted(0.8, 0..90_u8),
    ) -> Row {
        let vector = degrees.map(|degrees| Row::new("").angle(f32::from(degrees)).vector.unwrap_or_default());
        Row { doc, number, labels, words, vector, ..Row::new(format!("{id:02}")) }
    }
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        1 => Just(Filter::All),
        3 => (0..30_u8).prop_map(|id| Filter::eq("id", format!("{id:02}"))),
        3 => text().prop_map(|doc| Filter::eq("doc", doc)),
        2 => text().prop_map(|doc| Filter::NotEq("doc".into(), doc.into())),
        2 => prop::collection::vec(text(), 0..4).prop_map(|docs| Filter::any_of("doc", docs)),
        2 => (-5..6_i64).prop_map(|n| Filter::Lt("number".into(), Scalar::Int(n))),
        2 => (-5..6_i64).prop_map(|n| Filter::GtEq("number".into(), Scalar::Float(n as f64 + 0.5))),
        3 => prop::collection::vec(text(), 0..3).prop_map(|labels| Filter::HasAny("labels".into(), labels)),
        2 => text().prop_map(|part| Filter::Contains("words".into(), part)),
        2 => text().prop_map(|start| Filter::StartsWith("doc".into(), start)),
        1 => Just(Filter::IsNull("doc".into())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Or),
            inner.clone().prop_map(|inner| Filter::Not(Box::new(inner))),
            inner.prop_map(|inner| Filter::Unless(Box::new(inner))),
        ]
    })
}

fn step() -> impl Strategy<Value = Step> {
    let rows = || prop::collection::vec(row(), 0..5);
    prop_oneof![
        4 => rows().prop_map(Step::Append),
        4 => (filter(), rows()).prop_map(|(filter, rows)| Step::Replace(filter, rows)),
        2 => Just(Step::Upkeep),
        1 => Just(Step::Reopen),
        5 => filter().prop_map(Step::Ask),
    ]
}

/// The truth of a filter for a row: `None` where a null makes it unknown.
fn truth(filter: &Filter, row: &Row) -> Option<bool> {
    let text = |column: &str| if column == "id" { Some(row.id.clone()) } else { column_text(row, column) };
    match filter {
        Filter::All => Some(true),
        Filter::Eq(column, Scalar::Text(value)) => text(column).map(|found| found == *value),
        Filter::NotEq(column, Scalar::Text(value)) => text(column).map(|found| found != *value),
        Filter::In(_, values) if values.is_empty() => Some(false),
        Filter::In(column, values) => text(column).map(|found| values.contains(&Scalar::Text(found))),
        Filter::Lt(_, Scalar::Int(n)) => row.number.map(|found| found < *n),
        Filter::GtEq(_, Scalar::Float(n)) => row.number.map(|found| found as f64 >= *n),
        Filter::HasAny(_, labels) if labels.is_empty() => Some(false),
        Filter::HasAny(_, labels) => row.labels.as_ref().map(|held| held.iter().any(|label| labels.contains(label))),
        Filter::Contains(column, part) => text(column).map(|found| found.to_lowercase().contains(&part.to_lowercase())),
        Filter::StartsWith(column, start) => text(column).map(|found| found.starts_with(start)),
        Filter::IsNull(column) => Some(text(column).is_none()),
        Filter::Not(inner) => truth(inner, row).map(|truth| !truth),
        Filter::Unless(inner) => Some(truth(inner, row) != Some(true)),
        Filter::And(parts) => all(parts.iter().map(|part| truth(part, row))),
        Filter::Or(parts) => all(parts.iter().map(|part| truth(part, row).map(|truth| !truth))).map(|truth| !truth),
        other => panic!("the model knows no {other:?}"),
    }
}

fn column_text(row: &Row, column: &str) -> Option<String> {
    match column {
        "doc" => row.doc.clone(),
        "words" => row.words.clone(),
        other => panic!("the model knows no column {other}"),
    }
}

/// SQL's AND: false wins over unknown, unknown over true.
fn all(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    truths.fold(Some(true), |all, truth| match (all, truth) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        _ => Some(true),
    })
}

fn sorted(mut rows: Vec<Row>) -> Vec<String> {
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

fn matching<'a>(model: &'a Model, filter: &'a Filter) -> impl Iterator<Item = (&'a u64, &'a Row)> {
    model.iter().filter(|(_, row)| truth(filter, row) == Some(true))
}

async fn ask(table: &dyn Table, model: &Model, filter: &Filter) {
    let wanted: Vec<Row> = matching(model, filter).map(|(_, row)| row.clone()).collect();
    let found = rows_of(&table.scan(Scan::of(filter.clone())).await.unwrap());
    assert_eq!(sorted(found), sorted(wanted.clone()), "scan of {filter:?}");
    assert_eq!(table.count(filter.clone()).await.unwrap(), wanted.len() as u64, "count of {filter:?}");

    let ordered =
        Scan::of(filter.clone()).order("number", Order::Descending).order("id", Order::Ascending).columns(&["id", "number"]);
    let found: Vec<Option<i64>> = numbers(&table.scan(ordered).await.unwrap());
    let mut numbers: Vec<Option<i64>> = wanted.iter().map(|row| row.number).collect();
    numbers.sort_by_key(|number| (number.is_none(), number.map(std::cmp::Reverse)));
    assert_eq!(found, numbers, "order of {filter:?}");

    for distance in [Distance::Exact, Distance::Indexed { probes: 8, refine: 2 }] {
        let vector = Row::new("").angle(45.0).vector.unwrap();
        let query = VectorQuery { column: "vector".into(), vector, limit: 1_000, filter: filter.clone(), distance };
        let hits = table.nearest(query).await.unwrap();
        let addresses: Vec<u64> = hits.rows.iter().map(|(address, _)| *address).collect();
        let all: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let found = rows_of(&[table.take(&addresses, &all).await.unwrap()]);
        let near: Vec<Row> = wanted.iter().filter(|row| row.vector.is_some()).cloned().collect();
        assert_eq!(sorted(found), sorted(near), "{distance:?} of {filter:?}");
    }

    let query = TextQuery { column: "words".into(), words: "ab".into(), limit: 1_000, filter: filter.clone() };
    let hits = table.matching(query).await.unwrap();
    let with_word = wanted.iter().filter(|row| row.words.as_deref() == Some("ab c")).count();
    assert!(hits.rows.len() >= with_word, "words of {filter:?}");
    assert!(hits.rows.len() <= wanted.len(), "words of {filter:?}");
}

fn numbers(batches: &[arrow_array::RecordBatch]) -> Vec<Option<i64>> {
    use arrow_array::cast::AsArray;
    batches
        .iter()
        .flat_map(|batch| batch.column(1).as_primitive::<arrow_array::types::Int64Type>().iter().collect::<Vec<_>>())
        .collect()
}

async fn play(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut lake = lake_in(dir.path()).await;
    let mut table = table_in(&lake, "model").await;
    let mut model = Model::new();
    let mut next = 0;
    let mut add = |model: &mut Model, rows: Vec<Row>| {
        for row in rows {
            model.insert(next, row);
            next += 1;
        }
    };
    for step in steps {
        match step {
            Step::Append(rows) => {
                assert_eq!(table.append(batch(&rows)).await.unwrap().inserted, rows.len() as u64);
                add(&mut model, rows);
            }
            Step::Replace(filter, rows) => {
                let gone: Vec<u64> = matching(&model, &filter).map(|(key, _)| *key).collect();
                let commit = table.replace(filter.clone(), Some(batch(&rows))).await.unwrap();
                assert_eq!((commit.deleted, commit.inserted), (gone.len() as u64, rows.len() as u64), "replace of {filter:?}");
                gone.iter().for_each(|key| drop(model.remove(key)));
                add(&mut model, rows);
            }
            Step::Upkeep => {
                let policy = UpkeepPolicy { fragments: 2, unindexed_rows: 1, ..UpkeepPolicy::default() };
                table.upkeep(&policy).await.unwrap();
            }
            Step::Reopen => {
                lake = lake_in(dir.path()).await;
                assert!(mainspring_lake::Lake::repair(&lake).await.unwrap().is_empty());
                table = table_in(&lake, "model").await;
            }
            Step::Ask(filter) => ask(&*table, &model, &filter).await,
        }
    }
    ask(&*table, &model, &Filter::All).await;
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    #[test]
    fn a_table_answers_like_a_map(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
