use std::time::Duration;

use arrow_array::{Array, RecordBatch, cast::AsArray, types::Int64Type};
use arrow_schema::DataType;
use mainspring_kernel::Fault as _;

use super::{Row, batch, done, table};
use crate::{Allowance, Filter, Lake, LakeFault, Scalar, SqlAnswer, SqlLimits, SqlQuery, Table, TableView};

/// The rows of one document, without the vectors.
fn view(table: &dyn Table, doc: &str) -> TableView {
    TableView {
        name: "docs".to_owned(),
        table: table.name().clone(),
        filter: Filter::eq("doc", doc),
        columns: ["id", "doc", "number", "share", "flag", "labels", "words"].map(str::to_owned).to_vec(),
    }
}

async fn ask(lake: &dyn Lake, view: TableView, text: &str) -> Result<SqlAnswer, LakeFault> {
    lake.sql(SqlQuery { text: text.to_owned(), views: vec![view], limits: SqlLimits::default() }).await
}

/// The rows of an answer, each as text.
fn told(answer: &SqlAnswer) -> Vec<String> {
    answer.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| told_row(batch, row))).collect()
}

fn told_row(batch: &RecordBatch, row: usize) -> String {
    let values = batch.columns().iter().map(|column| match column.data_type() {
        _ if column.is_null(row) => "-".to_owned(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        other => format!("a value of {other}"),
    });
    values.collect::<Vec<_>>().join(" ")
}

async fn filled(lake: &dyn Lake, name: &str) -> std::sync::Arc<dyn Table> {
    let table = table(lake, name).await;
    let ours = [
        Row::new("a").doc("ours").number(1).words(r#"{"model":"gpt","tokens":10}"#).labels(&["x"]),
        Row::new("b").doc("ours").number(2).share(0.5).words(r#"{"model":"gpt","tokens":30}"#),
        Row::new("c").doc("ours").number(4).words(r#"{"model":"other"}"#),
    ];
    let theirs: Vec<Row> = (0..20).map(|n| Row::new(format!("t{n:02}")).doc("theirs").number(n).words("secret")).collect();
    table.append(batch(&ours)).await.unwrap();
    table.append(batch(&theirs)).await.unwrap();
    table
}

pub(super) async fn questions_in_sql_are_answered(lake: &dyn Lake) {
    let table = filled(lake, "sql-answers").await;
    for (text, wanted) in [
        ("SELECT id, number FROM docs ORDER BY id", vec!["a 1", "b 2", "c 4"]),
        ("select count(*), sum(number) from docs where number > 1;", vec!["2 6"]),
        ("SELECT id FROM docs WHERE id LIKE 'b%' OR number = 4 ORDER BY 1 DESC", vec!["c", "b"]),
        ("SELECT json_text(words, 'model') AS m, count(*) AS n FROM docs GROUP BY 1 ORDER BY n DESC", vec!["gpt 2", "other 1"]),
        ("SELECT CAST(sum(json_number(words, 'tokens')) AS BIGINT) FROM docs", vec!["40"]),
        ("SELECT bucket(number, 2, 0) AS b, count(*) FROM docs GROUP BY 1 ORDER BY 1", vec!["0 1", "2 1", "4 1"]),
        ("SELECT CAST(quantile(sketch(number), 0.5) AS BIGINT) FROM docs", vec!["2"]),
        (
            "WITH big AS (SELECT * FROM docs WHERE number >= 2) SELECT d.id FROM docs d JOIN big ON big.id = d.id ORDER BY 1",
            vec!["b", "c"],
        ),
        ("SELECT id FROM docs WHERE number = (SELECT max(number) FROM docs)", vec!["c"]),
        (
            "SELECT id, CAST(row_number() OVER (ORDER BY number DESC) AS BIGINT) AS place FROM docs ORDER BY place LIMIT 1",
            vec!["c 1"],
        ),
        ("SELECT 1 + 1 AS two", vec!["2"]),
        ("SELECT id FROM docs WHERE array_has(labels, 'x')", vec!["a"]),
    ] {
        let answer = ask(lake, view(&*table, "ours"), text).await.unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((told(&answer), answer.more), (wanted.into_iter().map(str::to_owned).collect(), false), "{text}");
    }
    let names = ask(lake, view(&*table, "ours"), "SELECT number AS n, id FROM docs LIMIT 0").await.unwrap();
    let names: Vec<&str> = names.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["n", "id"]);
    done(lake, &table).await;
}

pub(super) async fn a_view_lets_nothing_else_through(lake: &dyn Lake) {
    let table = filled(lake, "sql-views").await;
    // Whatever is asked, in whichever way, about all there is: it is three rows.
    for text in [
        "SELECT count(*) FROM docs",
        "SELECT count(id) FROM docs WHERE true OR doc = 'theirs'",
        "SELECT count(*) FROM (SELECT * FROM docs UNION SELECT * FROM docs) AS twice",
        "SELECT count(*) FROM docs AS a LEFT JOIN docs AS b ON a.id = b.id",
        "WITH docs AS (SELECT * FROM docs WHERE number >= 0) SELECT count(*) FROM docs",
        "SELECT count(*) FROM docs WHERE EXISTS (SELECT 1 FROM docs AS b WHERE b.id = docs.id)",
        "SELECT count(DISTINCT id) FROM docs CROSS JOIN (SELECT 1 AS one) AS x",
        "SELECT (SELECT count(*) FROM docs) FROM docs LIMIT 1",
        "SELECT count(*) FROM docs WHERE number NOT IN (SELECT number + 100 FROM docs)",
        "SELECT sum(n) FROM (SELECT doc, count(*) AS n FROM docs GROUP BY ROLLUP (doc) HAVING grouping(doc) = 0) AS x",
        "SELECT max(n) FROM (SELECT count(*) OVER () AS n FROM docs) AS x",
    ] {
        let answer = ask(lake, view(&*table, "ours"), text).await.unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(told(&answer), ["3"], "{text}");
    }
    for text in [
        "SELECT id FROM docs WHERE doc = 'theirs'",
        "SELECT id FROM docs WHERE NOT (doc = 'ours')",
        "SELECT id FROM docs WHERE doc <> 'ours' OR words = 'secret' OR id LIKE 't%' OR id IN ('t01') OR number BETWEEN 10 AND 20",
        "SELECT a.id FROM docs AS a JOIN docs AS b ON a.number = b.number WHERE b.words = 'secret'",
        "SELECT id FROM docs WHERE doc IS DISTINCT FROM 'ours'",
        // It would fail on the one row with this number, which is not ours.
        "SELECT id FROM docs WHERE 1 / (number - 17) > 100",
        "SELECT id FROM docs WHERE number > 10 AND CAST(id AS BIGINT) = 1",
    ] {
        let answer = ask(lake, view(&*table, "ours"), text).await.unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(told(&answer), Vec::<String>::new(), "{text}");
    }
    for text in [
        "SELECT vector FROM docs",
        "SELECT _rowid FROM docs",
        "SELECT * FROM \"sql-views\"",
        "SELECT * FROM rows",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
    ] {
        let fault = ask(lake, view(&*table, "ours"), text).await.unwrap_err();
        assert!(matches!(fault, LakeFault::Sql { .. }), "{text}: {fault}");
        assert_eq!(fault.code(), "lake-bad-sql");
        assert!(fault.hint().is_some_and(|hint| hint.contains("docs")), "{text}: {:?}", fault.hint());
    }
    let star = ask(lake, view(&*table, "ours"), "SELECT * FROM docs").await.unwrap();
    assert_eq!(star.schema.fields().len(), 7, "no column that the view leaves out");
    let nothing = TableView { filter: Filter::any_of("id", Vec::<String>::new()), ..view(&*table, "ours") };
    assert_eq!(told(&ask(lake, nothing, "SELECT count(*) FROM docs").await.unwrap()), ["0"]);
    let words =
        TableView { filter: Filter::eq("doc", "ours").and(Filter::Words("words".into(), "tokens".into())), ..view(&*table, "x") };
    assert_eq!(told(&ask(lake, words, "SELECT id, number FROM docs ORDER BY id").await.unwrap()), ["a 1", "b 2"]);
    let odd = TableView { columns: vec!["nope".to_owned()], ..view(&*table, "ours") };
    assert!(matches!(ask(lake, odd, "SELECT 1").await, Err(LakeFault::NoColumn { .. })));
    let odd = TableView { filter: Filter::Gt("doc".into(), Scalar::Int(1)), ..view(&*table, "ours") };
    assert!(matches!(ask(lake, odd, "SELECT 1").await, Err(LakeFault::Query { .. })));
    done(lake, &table).await;
}

pub(super) async fn only_questions_are_let_in(lake: &dyn Lake) {
    let table = filled(lake, "sql-refused").await;
    let chain = format!("SELECT {} 1", "1 +".repeat(5_000));
    let brackets = format!("SELECT {}1{}", "(".repeat(1_500), ")".repeat(1_500));
    let doubling = (0..40).fold("WITH c0 AS (SELECT * FROM docs)".to_owned(), |text, n| {
        format!("{text}, c{} AS (SELECT a.id FROM c{n} AS a, c{n} AS b)", n + 1)
    }) + " SELECT count(*) FROM c40";
    for text in [
        "",
        " ; ",
        "SELEC id FROM docs",
        "SELECT id FROM docs; SELECT id FROM docs",
        "SELECT 'unfinished",
        "INSERT INTO docs SELECT * FROM docs",
        "DELETE FROM docs",
        "UPDATE docs SET number = 1",
        "WITH gone AS (DELETE FROM docs RETURNING id) SELECT * FROM gone",
        "CREATE TABLE x AS SELECT * FROM docs",
        "CREATE VIEW x AS SELECT * FROM docs",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * INTO x FROM docs",
        "DROP TABLE docs",
        "COPY docs TO '/tmp/out.csv'",
        "SET datafusion.execution.batch_size = 1",
        "SHOW TABLES",
        "EXPLAIN ANALYZE SELECT * FROM docs",
        "DESCRIBE docs",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "SELECT repeat('x', 1000000000)",
        "SELECT * FROM generate_series(1, 1000000000)",
        "SELECT $1",
        "SELECT nothing_like_it(id) FROM docs",
        "SELECT count(*) FROM docs a, docs b, docs c WHERE a.number + b.number > c.number",
        &chain,
        &brackets,
        &doubling,
    ] {
        let outcome = ask(lake, view(&*table, "ours"), text).await;
        assert!(matches!(outcome, Err(LakeFault::Sql { .. })), "{}: {outcome:?}", text.chars().take(80).collect::<String>());
    }
    assert_eq!(table.count(Filter::All).await.unwrap(), 23);
    let chained = format!("SELECT count(*) FROM docs WHERE {} number = 4", "number = 1 OR ".repeat(90));
    assert_eq!(told(&ask(lake, view(&*table, "ours"), &chained).await.unwrap()), ["2"]);
    done(lake, &table).await;
}

pub(super) async fn questions_in_sql_have_limits(lake: &dyn Lake) {
    let table = table(lake, "sql-limits").await;
    let rows: Vec<Row> =
        (0..3_000).map(|n| Row::new(format!("{n:04}")).doc("ours").number(n).words(&"word ".repeat(40))).collect();
    table.append(batch(&rows)).await.unwrap();
    let asked = |text: &str, limits: SqlLimits| SqlQuery { text: text.to_owned(), views: vec![view(&*table, "ours")], limits };
    let few = SqlLimits { rows: 10, ..SqlLimits::default() };
    let cut = lake.sql(asked("SELECT id FROM docs ORDER BY id", few)).await.unwrap();
    assert_eq!((told(&cut).len(), told(&cut)[9].as_str(), cut.more), (10, "0009", true));
    let whole = lake.sql(asked("SELECT id FROM docs ORDER BY id LIMIT 10", few)).await.unwrap();
    assert_eq!((told(&whole).len(), whole.more), (10, false));
    let light = SqlLimits { bytes: 20_000, ..SqlLimits::default() };
    let cut = lake.sql(asked("SELECT words FROM docs", light)).await.unwrap();
    assert!(cut.more && told(&cut).len() < 1_000, "{} rows of 200 bytes in 20,000", told(&cut).len());
    let poor = SqlLimits { allowance: Allowance { memory: 64 << 10, ..Allowance::default() }, ..SqlLimits::default() };
    let fault = lake.sql(asked("SELECT id, count(*), min(words) FROM docs GROUP BY id ORDER BY 3, 2", poor)).await.unwrap_err();
    assert!(matches!(fault, LakeFault::QueryTooLarge { .. }), "{fault:?}");
    let hurried =
        SqlLimits { allowance: Allowance { within: Duration::from_millis(50), ..Allowance::default() }, ..SqlLimits::default() };
    for endless in [
        "SELECT sum(a.number * b.number * c.number) FROM docs a CROSS JOIN docs b CROSS JOIN docs c",
        "SELECT count(*) FROM docs a JOIN docs b ON a.doc = b.doc AND a.number + b.number < 0 JOIN docs c ON c.doc = a.doc",
    ] {
        let fault = lake.sql(asked(endless, hurried)).await.unwrap_err();
        assert!(matches!(fault, LakeFault::QueryTooLong { .. }), "{endless}: {fault:?}");
    }
    done(lake, &table).await;
}
