use mainspring_lake::{
    Filter, Scan,
    conformance::{Row, batch, ids},
};

use super::{lake_in, table_in};
use crate::{
    filter::{Condition, compile},
    widths::rows_at_once,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_long_texts_that_are_looked_into_fewer_are_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let table = table_in(&lake, "widths").await;
    let long = "word ".repeat(20_000);
    let rows: Vec<Row> = (0..70).map(|n| Row::new(format!("{n}")).doc("short").words(&long)).collect();
    table.append(batch(&rows)).await.unwrap();
    table.append(batch(&[Row::new("few").words("of which nothing is told")])).await.unwrap();
    let core = lake.found(table.name()).await.unwrap();
    let dataset = core.newest().await.unwrap();
    let at_once = async |filter: &Filter| {
        let Condition::When(expr) = compile(filter, &core.schema(), "widths").unwrap() else { panic!("{filter:?} is constant") };
        rows_at_once(&core, &dataset, &expr).await.unwrap()
    };
    let into = |column: &str| Filter::Contains(column.into(), "WORD".into());
    let found = at_once(&into("words")).await;
    assert!(found.is_some_and(|rows| (200..400).contains(&rows)), "{found:?} of 100 kB in 32 MB");
    assert_eq!(at_once(&Filter::Or(vec![into("doc"), Filter::IsNull("words".into())])).await, None, "they are short");
    assert_eq!(at_once(&Filter::eq("words", "word")).await, None, "they are only compared");
    assert_eq!(ids(&*table, Scan::of(into("words"))).await.len(), 70);
}
