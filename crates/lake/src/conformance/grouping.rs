use std::time::Duration;

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int64Type},
};
use arrow_schema::DataType;
use mainspring_kernel::Fault as _;
use mainspring_statistics::{Moments, Quantiles};

use super::{Row, batch, done, table};
use crate::{
    Aggregate, Allowance, Filter, First, Grouped, Key, KeyOf, Lake, LakeFault, MeasureOf, Numbers, Order, Scalar, Table,
    UpkeepPolicy,
};

fn column(name: &str) -> String {
    name.to_owned()
}

/// Each group as text, in the order of the answer.
fn told(grouped: &Grouped) -> Vec<String> {
    grouped.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| told_row(batch, row))).collect()
}

fn told_row(batch: &RecordBatch, row: usize) -> String {
    let values = batch.columns().iter().map(|column| match column.data_type() {
        _ if column.is_null(row) => "-".to_owned(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        other => panic!("no measure and no key is {other}"),
    });
    values.collect::<Vec<_>>().join(" ")
}

async fn ask(table: &dyn Table, question: Aggregate) -> Vec<String> {
    told(&table.aggregate(question).await.unwrap())
}

fn sample() -> Vec<Row> {
    vec![
        Row::new("a").doc("one").number(10).share(1.5).flag(true).words("plain words").labels(&["x"]),
        Row::new("b").doc("one").number(20).share(2.5).flag(false).words("more words"),
        Row::new("c").doc("two").number(-5).flag(true),
        Row::new("d").doc("two"),
        Row::new("e").number(1_000),
    ]
}

pub(super) async fn groups_are_reckoned(lake: &dyn Lake) {
    let table = table(lake, "grouping-reckoned").await;
    for part in sample().chunks(2) {
        table.append(batch(part)).await.unwrap();
    }
    let every = Aggregate::of(Filter::All)
        .by("doc")
        .measure("rows", MeasureOf::Rows)
        .measure("there", MeasureOf::Present(column("number")))
        .measure("sum", MeasureOf::Sum(column("number")))
        .measure("least", MeasureOf::Min(column("number")))
        .measure("greatest", MeasureOf::Max(column("id")))
        .measure("mean", MeasureOf::Mean(column("number")))
        .measure("shares", MeasureOf::Sum(column("share")))
        .measure("distinct", MeasureOf::Distinct(column("flag")))
        .measure_of("true", MeasureOf::Rows, Filter::eq("flag", Scalar::Bool(true)))
        .measure_of("none", MeasureOf::Sum(column("number")), Filter::any_of("id", Vec::<String>::new()));
    let wanted = ["one 2 2 30 10 b 15 4 2 1 -", "two 2 1 -5 -5 d -5 - 1 1 -", "- 1 1 1000 1000 e 1000 - 0 0 -"];
    for _ in 0..2 {
        assert_eq!(ask(&*table, every.clone()).await, wanted);
        table.upkeep(&UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    }
    let answer = table.aggregate(every).await.unwrap();
    let schema = answer.batches[0].schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names[..4], ["doc", "rows", "there", "sum"]);

    let filtered = Aggregate::of(Filter::Gt("number".into(), Scalar::Int(0))).measure("n", MeasureOf::Rows);
    assert_eq!(ask(&*table, filtered.clone().by("flag")).await, ["false 1", "true 1", "- 1"]);
    assert_eq!(ask(&*table, filtered).await, ["3"]);
    table.replace(Filter::eq("id", "e"), None).await.unwrap();
    assert_eq!(ask(&*table, Aggregate::of(Filter::All).measure("n", MeasureOf::Rows)).await, ["4"]);
    done(lake, &table).await;
}

pub(super) async fn nothing_is_one_group_of_nothing(lake: &dyn Lake) {
    let table = table(lake, "grouping-nothing").await;
    let all = |filter: Filter| {
        Aggregate::of(filter)
            .measure("n", MeasureOf::Rows)
            .measure("sum", MeasureOf::Sum(column("number")))
            .measure("p50", MeasureOf::Quantile { column: column("number"), at: 0.5 })
    };
    assert_eq!(ask(&*table, all(Filter::All)).await, ["0 - -"]);
    table.append(batch(&sample())).await.unwrap();
    for none in [Filter::eq("id", "nobody"), Filter::any_of("id", Vec::<String>::new())] {
        assert_eq!(ask(&*table, all(none.clone())).await, ["0 - -"]);
        assert_eq!(ask(&*table, all(none).by("doc")).await, Vec::<String>::new());
    }
    done(lake, &table).await;
}

pub(super) async fn time_falls_into_buckets(lake: &dyn Lake) {
    let table = table(lake, "grouping-buckets").await;
    let rows = [-61, -60, -1, 0, 59, 60, 119, 3_600].map(|n| Row::new(n.to_string()).number(n).share(n as f64 / 4.0));
    table.append(batch(&rows)).await.unwrap();
    table.append(batch(&[Row::new("never"), Row::new("least").number(i64::MIN)])).await.unwrap();
    let minutes = Aggregate::of(Filter::All).measure("n", MeasureOf::Rows);
    let buckets = ask(&*table, minutes.clone().by_bucket("minute", "number", 60, 0)).await;
    assert_eq!(buckets, ["-120 1", "-60 2", "0 2", "60 2", "3600 1", "- 2"], "the earliest bucket has no beginning");
    let shifted = ask(&*table, minutes.clone().by_bucket("minute", "number", 60, 30)).await;
    assert_eq!(shifted, ["-90 2", "-30 2", "30 2", "90 1", "3570 1", "- 2"]);
    let mut shares = minutes;
    shares.keys.push(Key { name: column("b"), of: KeyOf::Share { column: column("share"), width: 7.5, origin: 0.0 } });
    assert_eq!(ask(&*table, shares).await, ["-22.5 1", "-15 1", "-7.5 1", "0 1", "7.5 1", "15 1", "22.5 1", "900 1", "- 2"]);
    done(lake, &table).await;
}

pub(super) async fn percentiles_are_near(lake: &dyn Lake) {
    let table = table(lake, "grouping-percentiles").await;
    for part in 0..4_i64 {
        let rows: Vec<Row> = (0..1_000)
            .map(|n| {
                let number = n * 4 + part + 1;
                Row::new(format!("{number:04}")).number(number).share(-(number as f64)).doc(if number % 2 == 0 {
                    "even"
                } else {
                    "odd"
                })
            })
            .collect();
        table.append(batch(&rows)).await.unwrap();
    }
    let quantile = |of: &str, at| MeasureOf::Quantile { column: column(of), at };
    let question = Aggregate::of(Filter::All)
        .by("doc")
        .measure("p0", quantile("number", 0.0))
        .measure("p50", quantile("number", 0.5))
        .measure("p95", quantile("number", 0.95))
        .measure("p99", quantile("number", 0.99))
        .measure("p100", quantile("number", 1.0))
        .measure("p50s", quantile("share", 0.5))
        .measure_of("low", quantile("number", 0.5), Filter::LtEq("number".into(), Scalar::Int(100)));
    let answer = table.aggregate(question).await.unwrap();
    for (row, ends) in [(0, (2.0, 4_000.0)), (1, (1.0, 3_999.0))] {
        let value = |name: &str| answer.batches[0].column_by_name(name).unwrap().as_primitive::<Float64Type>().value(row);
        assert_eq!((value("p0"), value("p100")), ends);
        for (name, exact) in [("p50", 2_000.0), ("p95", 3_800.0), ("p99", 3_960.0), ("p50s", -2_000.0), ("low", 50.0)] {
            let near = (value(name) - exact).abs() / exact.abs();
            assert!(near < 0.03, "{name} is {}, not {exact}", value(name));
        }
    }
    let distinct = Aggregate::of(Filter::All).measure("ids", MeasureOf::Distinct(column("id")));
    let found: f64 = ask(&*table, distinct).await[0].parse().unwrap();
    assert!((found - 4_000.0).abs() < 120.0, "{found} different ids of 4000");
    done(lake, &table).await;
}

pub(super) async fn summaries_of_parts_add_up(lake: &dyn Lake) {
    let table = table(lake, "grouping-summaries").await;
    for part in 0..4_i64 {
        let rows: Vec<Row> = (0..250)
            .map(|n| {
                Row::new(format!("{part}-{n:03}")).number((n * 4 + part) * 1_000).doc(if n % 2 == 0 { "even" } else { "odd" })
            })
            .collect();
        table.append(batch(&rows)).await.unwrap();
    }
    table.append(batch(&[Row::new("none").doc("odd")])).await.unwrap();
    let of = |name: &str, unit: f64| Numbers { column: column(name), path: Vec::new(), unit };
    let question = Aggregate::of(Filter::All)
        .by("doc")
        .measure("moments", MeasureOf::Moments(of("number", 1_000.0)))
        .measure("spread", MeasureOf::Spread(of("number", 1_000.0)))
        .measure_of("nothing", MeasureOf::Spread(of("number", 1_000.0)), Filter::eq("id", "nobody"));
    let answer = table.aggregate(question).await.unwrap();
    let (mut moments, mut spread) = (Moments::default(), Quantiles::default());
    for batch in &answer.batches {
        let told = |name: &str| batch.column_by_name(name).unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            moments.merge(&Moments::from_bytes(told("moments").value(row)).unwrap());
            spread.merge(&Quantiles::from_bytes(told("spread").value(row)).unwrap());
            assert!(told("nothing").is_null(row));
        }
    }
    let every = (0..1_000).map(f64::from);
    let (whole, all): (Moments, Quantiles) = (every.clone().collect(), every.collect());
    assert_eq!((moments.count(), moments.min(), moments.max()), (1_000, Some(0.0), Some(999.0)));
    assert!((moments.mean().unwrap() - 499.5).abs() < 1e-9, "{moments:?}");
    assert!((moments.variance().unwrap() / whole.variance().unwrap() - 1.0).abs() < 1e-9, "{moments:?}");
    assert_eq!(spread, all, "as if one had seen all of them");
    for unit in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let odd = Aggregate::of(Filter::All).measure("x", MeasureOf::Moments(of("number", unit)));
        assert!(matches!(table.aggregate(odd).await, Err(LakeFault::Query { .. })), "{unit}");
    }
    let words = Aggregate::of(Filter::All).measure("x", MeasureOf::Spread(of("words", 1.0)));
    assert!(matches!(table.aggregate(words).await, Err(LakeFault::Query { .. })));
    done(lake, &table).await;
}

pub(super) async fn groups_are_made_of_values_inside_json(lake: &dyn Lake) {
    let table = table(lake, "grouping-json").await;
    let rows = [
        Row::new("a").words(r#"{"region":"eu","n":1,"deep":{"x":"y"}}"#),
        Row::new("b").words(r#"{"region":"eu","n":2.5}"#),
        Row::new("c").words(r#"{"region":7,"n":"three"}"#),
        Row::new("d").words(r#"{"region":true}"#),
        Row::new("e").words(r#"{"region":["eu"],"n":4}"#),
        Row::new("f").words("no JSON"),
        Row::new("g"),
    ];
    for part in rows.chunks(3) {
        table.append(batch(part)).await.unwrap();
    }
    let by = |name: &str, path: &[&str]| {
        let path = path.iter().map(|key| column(key)).collect();
        let mut asked = Aggregate::of(Filter::All).measure("rows", MeasureOf::Rows);
        asked.keys.push(Key { name: column("key"), of: KeyOf::Json { column: column(name), path } });
        asked
    };
    assert_eq!(ask(&*table, by("words", &["region"])).await, ["7 1", "eu 2", "true 1", "- 3"]);
    assert_eq!(ask(&*table, by("words", &["deep", "x"])).await, ["y 1", "- 6"]);
    let n = |path: &[&str]| Numbers { column: column("words"), path: path.iter().map(|key| column(key)).collect(), unit: 1.0 };
    let summed = Aggregate::of(Filter::All).measure("n", MeasureOf::Moments(n(&["n"])));
    let answer = table.aggregate(summed).await.unwrap();
    let moments = Moments::from_bytes(answer.batches[0].column(0).as_binary::<i32>().value(0)).unwrap();
    assert!(moments.count() == 3 && (moments.sum() - 7.5).abs() < 1e-9, "what is no number is left out: {moments:?}");
    for odd in [by("number", &["n"]), by("words", &[]), by("words", &["n"; 100])] {
        assert!(matches!(table.aggregate(odd.clone()).await, Err(LakeFault::Query { .. })), "{odd:?}");
    }
    assert!(matches!(table.aggregate(by("nope", &["n"])).await, Err(LakeFault::NoColumn { .. })));
    done(lake, &table).await;
}

pub(super) async fn rows_of_a_sample_stand_for_more(lake: &dyn Lake) {
    let table = table(lake, "grouping-sampled").await;
    // One more than a float of this size can tell apart.
    let exact = (1_i64 << 53) + 1;
    let rows = [
        Row::new("a").doc("one").number(10).share(4.0),
        Row::new("b").doc("one").number(20),
        Row::new("c").doc("two").number(100).share(3.0),
        Row::new("d").doc("two").share(3.0),
        Row::new("e").doc("whole").number(exact),
    ];
    for part in rows.chunks(2) {
        table.append(batch(part)).await.unwrap();
    }
    let number = || column("number");
    let many = Filter::Gt("number".into(), Scalar::Int(15));
    let question = Aggregate::of(Filter::All)
        .by("doc")
        .measure("rows", MeasureOf::Rows)
        .measure_weighed("about", MeasureOf::Rows, Filter::All, "share")
        .measure_weighed("there", MeasureOf::Present(number()), Filter::All, "share")
        .measure_weighed("sum", MeasureOf::Sum(number()), Filter::All, "share")
        .measure_weighed("shares", MeasureOf::Sum(column("share")), Filter::All, "share")
        .measure_weighed("greatest", MeasureOf::Max(number()), Filter::All, "share")
        .measure_weighed("many", MeasureOf::Rows, many, "share")
        .measure("twice", MeasureOf::MaxSum(number(), number()));
    let wanted = [
        "one 2 5 5 60 16 20 1 40".to_owned(),
        "two 2 6 3 300 18 100 3 200".to_owned(),
        format!("whole 1 1 1 {exact} - {exact} 1 {}", 2 * exact),
    ];
    assert_eq!(ask(&*table, question).await, wanted);
    let quantile = |at| MeasureOf::Quantile { column: column("number"), at };
    let spread = Aggregate::of(Filter::eq("doc", "one"))
        .measure_weighed("mean", MeasureOf::Mean(number()), Filter::All, "share")
        .measure("p75", quantile(0.75))
        .measure_weighed("p75 of all", quantile(0.75), Filter::All, "share")
        .measure_weighed("p100 of all", quantile(1.0), Filter::All, "share");
    let answer = table.aggregate(spread).await.unwrap();
    let value = |name: &str| answer.batches[0].column_by_name(name).unwrap().as_primitive::<Float64Type>().value(0);
    assert_eq!((value("mean"), value("p75"), value("p100 of all")), (12.0, 20.0, 20.0));
    assert!((value("p75 of all") - 10.0).abs() < 0.3, "{} is not near four of five", value("p75 of all"));
    let all = || Aggregate::of(Filter::All).measure("n", MeasureOf::Rows);
    for odd in [
        all().measure_weighed("x", MeasureOf::Rows, Filter::All, "doc"),
        all().measure("x", MeasureOf::MaxSum(column("number"), column("share"))),
    ] {
        assert!(matches!(table.aggregate(odd.clone()).await, Err(LakeFault::Query { .. })), "{odd:?}");
    }
    let unknown = all().measure_weighed("x", MeasureOf::Rows, Filter::All, "nope");
    assert!(matches!(table.aggregate(unknown).await, Err(LakeFault::NoColumn { .. })));
    done(lake, &table).await;
}

pub(super) async fn rows_that_come_first_are_told_from_others(lake: &dyn Lake) {
    let table = table(lake, "grouping-first").await;
    let rows = [
        Row::new("a").doc("one").number(20).share(0.5),
        Row::new("b").doc("one").number(10).share(0.25).words("passes"),
        Row::new("c").doc("two").number(-7).words("passes"),
        // Both began at once; the second lies above the first.
        Row::new("d").doc("three").number(5).share(0.5).words("passes"),
        Row::new("e").doc("three").number(5).words("passes"),
        Row::new("f").doc("three").number(6).words("passes"),
        Row::new("g").number(1).words("passes"),
    ];
    for part in rows.chunks(3) {
        table.append(batch(part)).await.unwrap();
    }
    let first = || First { name: column("comes_first"), by: vec![column("doc")], at: column("number"), above: column("share") };
    let is_first = || Filter::present("comes_first");
    let all = Aggregate::of(Filter::All)
        .measure("rows", MeasureOf::Rows)
        .measure_of("first", MeasureOf::Rows, is_first())
        .measure_of("sum", MeasureOf::Sum(column("number")), is_first())
        .first(first());
    assert_eq!(ask(&*table, all.clone()).await, ["7 4 9"]);
    let by_id = all.clone().by("id").limit(9);
    let each = ["a 1 0 -", "b 1 1 10", "c 1 1 -7", "d 1 0 -", "e 1 1 5", "f 1 0 -", "g 1 1 1"];
    assert_eq!(ask(&*table, by_id.clone()).await, each);
    // Among the rows that pass, another one comes first.
    let fewer = Aggregate { filter: Filter::NotEq("id".into(), "b".into()), ..by_id };
    assert_eq!(ask(&*table, fewer).await, ["a 1 1 20", "c 1 1 -7", "d 1 0 -", "e 1 1 5", "f 1 0 -", "g 1 1 1"]);
    // Of those that have the same words as well.
    let both = First { by: vec![column("doc"), column("words")], ..first() };
    assert_eq!(ask(&*table, all.clone().first(both)).await, ["7 5 29"], "the first has no words");
    for odd in [
        First { by: vec![column("number")], ..first() },
        First { by: Vec::new(), ..first() },
        First { at: column("words"), ..first() },
        First { name: column("id"), ..first() },
    ] {
        let fault = table.aggregate(all.clone().first(odd.clone())).await;
        assert!(matches!(fault, Err(LakeFault::Query { .. } | LakeFault::NoColumn { .. })), "{odd:?}: {fault:?}");
    }
    let fault = table.aggregate(Aggregate { first: None, ..all }).await;
    assert!(matches!(fault, Err(LakeFault::NoColumn { .. })), "{fault:?}");
    done(lake, &table).await;
}

pub(super) async fn the_first_groups_are_cut_off(lake: &dyn Lake) {
    let table = table(lake, "grouping-top").await;
    let rows: Vec<Row> = (0..10_i64)
        .flat_map(|doc| (0..=doc).map(move |n| Row::new(format!("{doc}-{n}")).doc(&format!("d{doc}")).number(doc)))
        .collect();
    table.append(batch(&rows)).await.unwrap();
    let top = Aggregate::of(Filter::All).by("doc").measure("n", MeasureOf::Rows).order("n", Order::Descending);
    for (limit, wanted, more) in [(3, vec!["d9 10", "d8 9", "d7 8"], true), (0, vec![], true)] {
        let found = table.aggregate(top.clone().limit(limit)).await.unwrap();
        assert_eq!((told(&found), found.more), (wanted.into_iter().map(str::to_owned).collect(), more), "limit {limit}");
    }
    let all = table.aggregate(top.limit(10)).await.unwrap();
    assert_eq!((told(&all).len(), all.more), (10, false));
    let ties = Aggregate::of(Filter::All).by("doc").measure_of("n", MeasureOf::Rows, Filter::eq("number", 4_i64));
    let found = table.aggregate(ties.order("n", Order::Descending).limit(3)).await.unwrap();
    assert_eq!(told(&found), ["d4 5", "d0 0", "d1 0"], "the keys decide between equals");
    done(lake, &table).await;
}

pub(super) async fn groups_of_words_and_of_old_versions(lake: &dyn Lake) {
    let table = table(lake, "grouping-words").await;
    table.append(batch(&sample())).await.unwrap();
    let old = table.snapshot().await.unwrap();
    let words = Aggregate::of(Filter::Words("words".into(), "word".into()).and(Filter::Gt("number".into(), Scalar::Int(10))))
        .by("doc")
        .measure("n", MeasureOf::Rows);
    assert_eq!(ask(&*table, words.clone()).await, ["one 1"]);
    table.replace(Filter::All, None).await.unwrap();
    assert_eq!(ask(&*table, words.clone()).await, Vec::<String>::new());
    assert_eq!(ask(&*old, words).await, ["one 1"]);
    done(lake, &table).await;
}

pub(super) async fn senseless_groups_are_refused(lake: &dyn Lake) {
    let table = table(lake, "grouping-refused").await;
    table.append(batch(&sample())).await.unwrap();
    let all = || Aggregate::of(Filter::All).measure("n", MeasureOf::Rows);
    let quantile = |at| MeasureOf::Quantile { column: column("number"), at };
    for odd in [
        Aggregate::of(Filter::All),
        all().measure("n", MeasureOf::Rows),
        all().by("labels"),
        all().by_bucket("b", "number", 0, 0),
        all().by_bucket("b", "share", 5, 0),
        all().order("nobody", Order::Ascending),
        all().measure("x", MeasureOf::Sum(column("words"))),
        all().measure("x", MeasureOf::Mean(column("flag"))),
        all().measure("x", MeasureOf::Min(column("labels"))),
        all().measure("x", quantile(1.5)),
        all().measure("x", quantile(f64::NAN)),
        all().measure_of("x", MeasureOf::Rows, Filter::Words("words".into(), "word".into())),
        Aggregate::of(Filter::eq("number", "1")).measure("n", MeasureOf::Rows),
    ] {
        assert!(matches!(table.aggregate(odd.clone()).await, Err(LakeFault::Query { .. })), "{odd:?}");
    }
    for unknown in [
        all().by("nope"),
        all().by_bucket("b", "nope", 5, 0),
        all().measure("x", MeasureOf::Distinct(column("nope"))),
        all().measure_of("x", MeasureOf::Rows, Filter::eq("nope", "x")),
        Aggregate::of(Filter::eq("nope", "x")).measure("n", MeasureOf::Rows),
    ] {
        assert!(matches!(table.aggregate(unknown.clone()).await, Err(LakeFault::NoColumn { .. })), "{unknown:?}");
    }
    done(lake, &table).await;
}

pub(super) async fn groups_have_limits(lake: &dyn Lake) {
    let table = table(lake, "grouping-limits").await;
    let rows: Vec<Row> =
        (0..20_000_i64).map(|n| Row::new(format!("a rather long name of row number {n:08}")).number(n)).collect();
    table.append(batch(&rows)).await.unwrap();
    let many = Aggregate::of(Filter::All).by("id").measure("n", MeasureOf::Distinct(column("number")));
    let small = Aggregate { allowance: Allowance { memory: 256 << 10, ..Allowance::default() }, ..many.clone() };
    let fault = table.aggregate(small).await.unwrap_err();
    assert!(matches!(fault, LakeFault::QueryTooLarge { limit } if limit == 256 << 10), "{fault:?}");
    assert_eq!(fault.code(), "lake-query-too-large");
    let short = Aggregate { allowance: Allowance { within: Duration::ZERO, ..Allowance::default() }, ..many };
    let fault = table.aggregate(short).await.unwrap_err();
    assert!(matches!(fault, LakeFault::QueryTooLong { .. }), "{fault:?}");
    assert_eq!(fault.code(), "lake-query-too-long");
    done(lake, &table).await;
}
