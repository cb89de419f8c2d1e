//! Columns that say again what others say.

use arrow_array::{Array, cast::AsArray};
use serde_json::json;

use super::{
    Row, batch, done, ids,
    rows::{ids_in_order, rows_of},
    spec, table,
};
use crate::{
    Aggregate, Comparison, Echo, Filter, JsonTest, Key, KeyOf, Lake, LakeFault, MeasureOf, Order, Scan, SqlLimits, SqlQuery,
    Table, TableSpec, TableView, TextQuery, UpkeepPolicy,
};

const ROWS: usize = 60;

/// What was said, the document that says it again among other things, and rows where either is odd.
fn various(n: usize) -> Row {
    let said = format!(
        "how long does pump number {n} last, if \"last\" is the word?\n\tIt läuft – they say – for {} years, and longer where nobody uses it\n",
        n % 7
    );
    let asked = json!([{"role": "user", "parts": [{"type": "text", "content": said}]}]).to_string();
    let kind = ["chat", "tool"][n % 2];
    let doc = json!({"kind": kind, "messages": asked, "plain": said, "n": n}).to_string();
    let row = Row::new(format!("r{n:04}")).number(i64::try_from(n).unwrap());
    match n % 10 {
        3 => row.doc(&doc),
        5 => row.words(&said),
        7 => row.doc("\u{1}\u{5}is no JSON, and begins as nothing else does").words(&said),
        8 => row.doc("").words(""),
        9 => row.doc(&said).words(&said),
        _ => row.doc(&doc).words(&said),
    }
}

fn echoing(column: &str, of: &[&str]) -> TableSpec {
    let mut spec = spec();
    spec.indexes.retain(|index| index.column != "doc");
    spec.echoes = vec![Echo { column: column.to_owned(), of: of.iter().map(|name| (*name).to_owned()).collect() }];
    spec
}

pub(super) async fn an_echo_is_read_as_it_was_written(lake: &dyn Lake) {
    let name = "echoes-read".parse().unwrap();
    lake.drop_table(&name).await.unwrap();
    let echoing = echoing("doc", &["words"]);
    let plain = lake.open(&name, &TableSpec { echoes: Vec::new(), ..echoing.clone() }).await.unwrap();
    let mut rows: Vec<Row> = (0..ROWS).map(various).collect();
    plain.append(batch(&rows[..20])).await.unwrap();
    let before = plain.snapshot().await.unwrap();
    // A table that was there gets it for what comes, by whoever writes.
    let table = lake.open(&name, &echoing).await.unwrap();
    table.append(batch(&rows[20..40])).await.unwrap();
    plain.append(batch(&rows[40..])).await.unwrap();
    assert!(table.schema().fields().iter().all(|field| field.metadata().keys().all(|key| !key.contains("echo"))));
    for _ in 0..2 {
        every_reader_finds(lake, &*table, &rows).await;
        table.upkeep(&UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    }
    assert_eq!(rows_of(&before.scan(Scan::of(Filter::All)).await.unwrap()), rows[..20]);

    // Rows are found by what was written, also to be taken out.
    let gone = rows.remove(31);
    let new = various(1_001);
    table.replace(Filter::eq("doc", gone.doc.unwrap()), Some(batch(std::slice::from_ref(&new)))).await.unwrap();
    rows.push(new);
    every_reader_finds(lake, &*table, &rows).await;
    // What is read is written again as it was.
    let read = table.snapshot().await.unwrap();
    let these = Filter::StartsWith("doc".into(), r#"{"kind":"tool""#.into());
    let found = read.scan(Scan::of(these.clone())).await.unwrap();
    let again = batch(&rows_of(&found));
    table.replace_as_read(&read.version().await.unwrap(), these, Some(again)).await.unwrap();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    every_reader_finds(lake, &*table, &rows).await;
    done(lake, &table).await;
}

/// `rows` in any order.
async fn every_reader_finds(lake: &dyn Lake, table: &dyn Table, rows: &[Row]) {
    let mut wanted = rows.to_vec();
    wanted.sort_by(|one, other| one.id.cmp(&other.id));
    let mut all = rows_of(&table.scan(Scan::of(Filter::All)).await.unwrap());
    all.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(all, wanted);
    alone(table, &wanted).await;
    conditions(table, &wanted).await;
    groups(table, &wanted).await;
    questions(lake, table, &wanted).await;
}

/// Without the column that it echoes, and in several ways of reading.
async fn alone(table: &dyn Table, wanted: &[Row]) {
    let docs: Vec<Option<String>> = wanted.iter().rev().take(25).map(|row| row.doc.clone()).collect();
    for limit in [Some(25), None] {
        let scan = Scan { limit, ..Scan::of(Filter::All).columns(&["doc"]).order("id", Order::Descending) };
        let batches = table.scan(scan).await.unwrap();
        assert!(batches.iter().all(|batch| batch.num_columns() == 1));
        let found = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().map(|doc| doc.map(str::to_owned)));
        assert_eq!(found.take(25).collect::<Vec<_>>(), docs);
    }
    let one = Scan::of(Filter::eq("id", wanted[21].id.as_str()));
    assert_eq!(rows_of(&table.scan(one).await.unwrap()), wanted[21..=21]);
    let query = TextQuery { column: "words".into(), words: "pump years".into(), limit: 100, filter: Filter::All };
    let addresses: Vec<u64> = table.matching(query).await.unwrap().rows.iter().map(|(address, _)| *address).collect();
    let taken = table.take(&addresses, &["doc", "id"]).await.unwrap();
    assert_eq!((taken.num_columns(), taken.num_rows()), (2, wanted.iter().filter(|row| is_said(row)).count()));
    let (docs, ids) = (taken.column(0).as_string::<i32>(), taken.column(1).as_string::<i32>());
    for at in 0..taken.num_rows() {
        let row = wanted.iter().find(|row| row.id == ids.value(at)).unwrap();
        assert_eq!(docs.is_valid(at).then(|| docs.value(at)), row.doc.as_deref());
    }
}

fn is_said(row: &Row) -> bool {
    row.words.as_ref().is_some_and(|words| words.contains("pump"))
}

async fn conditions(table: &dyn Table, wanted: &[Row]) {
    let doc = || "doc".to_owned();
    let exact = wanted[0].doc.clone().unwrap();
    let is = |holds: &dyn Fn(&str) -> bool| {
        let found = wanted.iter().filter(|row| row.doc.as_deref().is_some_and(holds));
        found.map(|row| row.id.clone()).collect::<Vec<_>>()
    };
    let json = |path: &str, test: JsonTest| Filter::json("doc", &[path], test);
    let value = |doc: &str, key: &str| serde_json::from_str::<serde_json::Value>(doc).ok().and_then(|doc| doc.get(key).cloned());
    let lower = |doc: &str| doc.to_lowercase().contains("for 3 years");
    let cases = [
        (Filter::Contains(doc(), "For 3 YEARS".into()), is(&lower)),
        (Filter::StartsWith(doc(), r#"{"kind":"chat","mess"#.into()), is(&|doc| doc.starts_with(r#"{"kind":"chat""#))),
        (Filter::StartsWith(doc(), "\u{1}".into()), is(&|doc| doc.starts_with('\u{1}'))),
        (Filter::eq("doc", exact.as_str()), is(&|doc| doc == exact)),
        (Filter::NotEq(doc(), exact.as_str().into()), is(&|doc| doc != exact)),
        (Filter::any_of("doc", [exact.as_str(), ""]), is(&|doc| doc.is_empty() || doc == exact)),
        (json("kind", JsonTest::Is(Comparison::Eq, "tool".into())), is(&|doc| value(doc, "kind") == Some(json!("tool")))),
        (json("plain", JsonTest::Contains("FOR 3 YEARS".into())), is(&|doc| doc.starts_with('{') && lower(doc))),
        (
            json("n", JsonTest::Is(Comparison::Gt, 40_i64.into())),
            is(&|doc| value(doc, "n").is_some_and(|n| n.as_i64() > Some(40))),
        ),
    ];
    for (filter, found) in cases {
        assert_eq!(ids(table, Scan::of(filter.clone())).await, found, "{filter:?}");
        let page = Scan::of(filter.clone()).order("number", Order::Ascending).limit(100);
        assert_eq!(ids(table, page).await, found, "{filter:?}");
        assert_eq!(table.count(filter.clone()).await.unwrap(), found.len() as u64, "{filter:?}");
        let counted = Aggregate::of(Filter::All).measure_of("n", MeasureOf::Rows, filter.clone());
        let counted = table.aggregate(counted).await.unwrap();
        let counted = counted.batches[0].column(0).as_primitive::<arrow_array::types::Int64Type>().value(0);
        assert_eq!(u64::try_from(counted).unwrap(), found.len() as u64, "{filter:?}");
    }
    let missing: Vec<String> = wanted.iter().filter(|row| row.doc.is_none()).map(|row| row.id.clone()).collect();
    assert_eq!(ids(table, Scan::of(Filter::IsNull(doc()))).await, missing);
    let refused = table.scan(Scan::of(Filter::All).order("doc", Order::Ascending)).await;
    assert!(matches!(refused, Err(LakeFault::Query { .. })));
}

async fn groups(table: &dyn Table, wanted: &[Row]) {
    let mut by_kind = Aggregate::of(Filter::present("doc")).measure("n", MeasureOf::Rows);
    by_kind.keys.push(Key { name: "kind".into(), of: KeyOf::Json { column: "doc".into(), path: vec!["kind".into()] } });
    let grouped = table.aggregate(by_kind).await.unwrap();
    let kinds: Vec<Option<String>> = grouped
        .batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().map(|kind| kind.map(str::to_owned)).collect::<Vec<_>>())
        .collect();
    assert_eq!(kinds, [Some("chat".to_owned()), Some("tool".to_owned()), None]);
    let greatest = Aggregate::of(Filter::All).measure("greatest", MeasureOf::Max("doc".into()));
    let grouped = table.aggregate(greatest).await.unwrap();
    let greatest = grouped.batches[0].column(0).as_string::<i32>().value(0);
    assert_eq!(Some(greatest), wanted.iter().filter_map(|row| row.doc.as_deref()).max());
}

async fn questions(lake: &dyn Lake, table: &dyn Table, wanted: &[Row]) {
    let view = TableView {
        name: "docs".to_owned(),
        table: table.name().clone(),
        filter: Filter::json("doc", &["kind"], JsonTest::Is(Comparison::Eq, "tool".into())),
        columns: ["doc", "id"].map(str::to_owned).to_vec(),
    };
    let tools: Vec<&Row> =
        wanted.iter().filter(|row| row.doc.as_ref().is_some_and(|doc| doc.contains(r#""kind":"tool""#))).collect();
    let docs: Vec<&str> = tools.iter().filter_map(|row| row.doc.as_deref()).collect();
    let ids: Vec<&str> = tools.iter().map(|row| row.id.as_str()).collect();
    let count = tools.len().to_string();
    for (text, answers) in [
        ("SELECT CAST(count(*) AS VARCHAR) FROM docs", vec![count.as_str()]),
        ("SELECT doc FROM docs ORDER BY id", docs.clone()),
        ("SELECT * FROM docs ORDER BY id", docs.clone()),
        ("SELECT id FROM docs WHERE doc LIKE '%pump number%' ORDER BY 1", ids.clone()),
        ("SELECT a.doc FROM docs AS a JOIN docs AS b ON a.doc = b.doc ORDER BY a.id", docs.clone()),
        ("SELECT max(doc) FROM docs", docs.iter().max().copied().into_iter().collect()),
        ("SELECT DISTINCT json_text(doc, 'kind') FROM docs", vec!["tool"]),
        ("SELECT id FROM docs WHERE json_number(doc, 'n') >= 0 AND doc IS NOT NULL AND doc <> '' ORDER BY 1", ids),
    ] {
        let query = SqlQuery { text: text.to_owned(), views: vec![view.clone()], limits: SqlLimits::default() };
        let answer = lake.sql(query).await.unwrap_or_else(|fault| panic!("{text}: {fault}"));
        let found = answer.batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
        assert_eq!(found.collect::<Vec<_>>(), answers, "{text}");
    }
    // What it echoes is not among the columns that are let through, nor is the function that puts it together known.
    for text in ["SELECT words FROM docs", "SELECT said_again(doc, id) FROM docs", "SELECT count(*) FROM kept"] {
        let query = SqlQuery { text: text.to_owned(), views: vec![view.clone()], limits: SqlLimits::default() };
        assert!(matches!(lake.sql(query).await, Err(LakeFault::Sql { .. })), "{text}");
    }
}

pub(super) async fn only_texts_without_an_index_are_echoes(lake: &dyn Lake) {
    let name = "echoes-odd".parse().unwrap();
    for odd in [
        echoing("number", &["words"]),
        echoing("doc", &["number"]),
        echoing("doc", &[]),
        echoing("doc", &["doc"]),
        echoing("id", &["words"]),
        TableSpec { indexes: spec().indexes, ..echoing("doc", &["words"]) },
    ] {
        assert!(matches!(lake.open(&name, &odd).await, Err(LakeFault::Schema { .. })), "{odd:?}");
    }
    assert!(matches!(lake.open(&name, &echoing("doc", &["nothing"])).await, Err(LakeFault::NoColumn { .. })));
    assert!(!lake.list().await.unwrap().contains(&name), "nothing was made");

    // Rows that lie there can be put together of these columns only.
    let table = table(lake, "echoes-other").await;
    done(lake, &table).await;
    let table = lake.open(table.name(), &echoing("doc", &["words"])).await.unwrap();
    let other = lake.open(table.name(), &echoing("doc", &["words", "id"])).await;
    assert!(matches!(other, Err(LakeFault::Schema { .. })));
    assert_eq!(ids_in_order(&*table, Scan::of(Filter::All)).await, Vec::<String>::new());
    assert!(table.stats().await.unwrap().indexes.iter().all(|(column, ..)| column != "doc"));

    // An index is of what lies there, so a column has one or is an echo, whichever comes first.
    assert!(matches!(lake.open(table.name(), &spec()).await, Err(LakeFault::Schema { .. })));
    done(lake, &table).await;
    let indexed = super::table(lake, "echoes-indexed").await;
    indexed.append(batch(&[various(0), various(1)])).await.unwrap();
    indexed.upkeep(&UpkeepPolicy { unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    assert!(indexed.stats().await.unwrap().indexes.iter().any(|(column, ..)| column == "doc"));
    assert!(matches!(lake.open(indexed.name(), &echoing("doc", &["words"])).await, Err(LakeFault::Schema { .. })));
    done(lake, &indexed).await;
}
