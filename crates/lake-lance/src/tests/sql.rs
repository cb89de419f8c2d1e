use std::{sync::LazyLock, time::Duration};

use mainspring_lake::{
    Allowance, Filter, Lake, LakeFault, SqlLimits, SqlQuery, TableView,
    conformance::{Row, batch},
};
use proptest::{prelude::*, test_runner::Config};
use tokio::runtime::Runtime;

use super::{lake_in, table_in};
use crate::LanceLake;

struct Here {
    runtime: Runtime,
    lake: LanceLake,
    _dir: tempfile::TempDir,
}

static HERE: LazyLock<Here> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let lake = runtime.block_on(async {
        let lake = lake_in(dir.path()).await;
        let table = table_in(&lake, "spans").await;
        let rows: Vec<Row> = (0..20).map(|n| Row::new(format!("{n}")).number(n).doc("ours").words("{\"a\":1}")).collect();
        table.append(batch(&rows)).await.unwrap();
        lake
    });
    Here { runtime, lake, _dir: dir }
});

/// Asks, and says what is wrong with the outcome, if anything.
fn ask(text: &str) -> Result<(), String> {
    let limits = SqlLimits { allowance: Allowance { within: Duration::from_secs(2), memory: 16 << 20 }, ..SqlLimits::default() };
    let view = TableView {
        name: "spans".into(),
        table: "spans".parse().unwrap(),
        filter: Filter::eq("doc", "ours"),
        columns: Vec::new(),
    };
    let query = SqlQuery { text: text.to_owned(), views: vec![view], limits };
    match HERE.runtime.block_on(HERE.lake.sql(query)) {
        Ok(_) | Err(LakeFault::Sql { .. } | LakeFault::QueryTooLong { .. } | LakeFault::QueryTooLarge { .. }) => Ok(()),
        Err(other) => Err(format!("{text}: {other}")),
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP BY",
        "ORDER BY",
        "LIMIT",
        "UNION",
        "JOIN",
        "ON",
        "WITH",
        "AS",
        "AND",
        "NOT",
        "IN",
        "(",
        ")",
        ",",
        "*",
        "+",
        "-",
        "/",
        "=",
        "<",
        "||",
        "::",
        "[",
        "]",
        "'",
        "\"",
        ";",
        "--",
        "/*",
        "spans",
        "s",
        "id",
        "number",
        "words",
        "labels",
        "vector",
        "1",
        "0",
        "1e308",
        "'x'",
        "NULL",
        "true",
        "count(*)",
        "sum",
        "max",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "CAST",
        "BIGINT",
        "INTERVAL",
        "DISTINCT",
        "OVER",
        "EXISTS",
        "BETWEEN",
        "LIKE",
        "HAVING",
        "VALUES",
        "DELETE",
        "json_text",
        "quantile",
        "sketch",
        "bucket",
        "unnest",
        "date_trunc",
        "x'00'",
    ])
}

proptest! {
    #![proptest_config(Config { cases: 96, ..Config::default() })]

    #[test]
    fn any_text_is_answered_or_refused(text in ".{0,200}") {
        ask(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn words_of_sql_in_any_order_are_answered_or_refused(words in prop::collection::vec(word(), 0..24)) {
        ask(&format!("SELECT {}", words.join(" "))).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_question_with_holes_is_answered_or_refused(
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        put in word(),
    ) {
        let whole = "WITH a AS (SELECT id, number FROM spans WHERE number > 3) SELECT json_text(s.words, 'a') AS k, count(*) \
            FILTER (WHERE a.number < 9) AS n, quantile(sketch(s.number), 0.5) FROM spans s JOIN a ON a.id = s.id \
            GROUP BY 1 HAVING count(*) > 0 ORDER BY n DESC LIMIT 5";
        let (one, other) = (from.index(whole.len()), to.index(whole.len()));
        ask(&format!("{} {put} {}", &whole[..one.min(other)], &whole[one.max(other)..])).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn bytes_that_are_no_sketch_are_refused() {
    for bytes in ["x'00'", "x''", "x'01ff'", "CAST('text' AS BYTEA)"] {
        ask(&format!("SELECT quantile({bytes}, 0.5)")).unwrap();
    }
}

#[test]
fn as_deep_as_is_let_in_fits_the_stack() {
    for (start, part, end) in [
        ("SELECT count(*) FROM spans WHERE ", "number = 1 OR ", "number = 2"),
        ("SELECT ", "number + ", "1 FROM spans"),
        ("SELECT ", "number::text || ", "'x' FROM spans"),
        ("SELECT 1 ", "UNION ALL SELECT 1 ", ""),
        ("SELECT ", "NOT ", "true"),
        ("SELECT ", "(", "1"),
        ("SELECT number", "::bigint", " FROM spans"),
        ("SELECT labels", "[1]", " FROM spans"),
        ("SELECT ", "abs(", "1"),
        ("SELECT (words)", ".a", " FROM spans"),
        ("SELECT * FROM (SELECT 1) a0", " CROSS JOIN (SELECT 1) AS x", ""),
        ("SELECT 1 FROM unnest([1])", ", unnest([1])", ""),
        ("SELECT CASE", " WHEN true THEN 1", " END"),
    ] {
        for times in [45, 190, 900] {
            ask(&format!("{start}{}{end}", part.repeat(times))).unwrap();
        }
    }
}
