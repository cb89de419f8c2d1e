use lance::deps::datafusion::logical_expr::Operator;
use mainspring_lake::{
    Filter, Order, Scalar, Scan,
    conformance::{Row, batch, ids, spec},
};

use super::{lake_in, table_in};
use crate::{
    filter::{Condition, compile},
    zones::{self, Bound},
};

fn bounds(filter: &Filter) -> Vec<Bound> {
    match compile(filter, &spec().schema, "t").unwrap() {
        Condition::When(expr) => zones::bounds(&expr),
        Condition::Always | Condition::Never => Vec::new(),
    }
}

#[test]
fn only_what_must_hold_is_a_bound() {
    let from = || Filter::GtEq("number".into(), Scalar::Int(3));
    let to = || Filter::Lt("number".into(), Scalar::Int(9));
    let bound = |operator, number| Bound { column: "number".into(), operator, number };
    let mut both = bounds(&Filter::eq("doc", "x").and(from()).and(to()));
    both.sort_by_key(|bound| bound.number);
    assert_eq!(both, [bound(Operator::GtEq, 3), bound(Operator::Lt, 9)]);
    for none in
        [Filter::Or(vec![from(), to()]), Filter::Not(Box::new(from())), Filter::eq("doc", "x"), Filter::IsNull("number".into())]
    {
        assert_eq!(bounds(&none), [], "{none:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_that_can_hold_no_row_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let table = table_in(&lake, "zones").await;
    for commit in 0..5_i64 {
        let rows: Vec<Row> = (0..10).map(|n| Row::new(format!("{commit}-{n}")).number(commit * 100 + n)).collect();
        table.append(batch(&rows)).await.unwrap();
    }
    table.append(batch(&[Row::new("null")])).await.unwrap();
    let core = lake.found(table.name()).await.unwrap();
    let dataset = core.newest().await.unwrap();
    let relevant = async |filter: &Filter| {
        let Condition::When(expr) = compile(filter, &core.schema(), "zones").unwrap() else { panic!("{filter:?} is constant") };
        zones::relevant(&core, &dataset, &expr).await.unwrap().map(|fragments| fragments.len())
    };
    assert_eq!(relevant(&Filter::GtEq("number".into(), Scalar::Int(305))).await, Some(2));
    assert_eq!(relevant(&Filter::Lt("number".into(), Scalar::Int(100))).await, Some(1));
    assert_eq!(relevant(&Filter::Gt("number".into(), Scalar::Int(409))).await, Some(0));
    // Another column's index would know better, but it is built only when the table is kept up.
    let pointed = Filter::eq("doc", "x").and(Filter::GtEq("number".into(), Scalar::Int(305)));
    assert_eq!(relevant(&pointed).await, Some(2));
    assert_eq!(relevant(&Filter::GtEq("share".into(), Scalar::Float(1.0))).await, None);
    // A file that is gone is missed by whoever reads it.
    for entry in std::fs::read_dir(dir.path().join("zones.lance/data")).unwrap() {
        let path = entry.unwrap().path();
        let newest = dataset.iter_fragments().filter(|fragment| fragment.id >= 4);
        let kept = newest.flat_map(|fragment| &fragment.files).any(|file| path.ends_with(&file.path));
        if !kept {
            std::fs::remove_file(path).unwrap();
        }
    }
    let late = Filter::GtEq("number".into(), Scalar::Int(400));
    assert_eq!(ids(&*table, Scan::of(late.clone()).order("id", Order::Ascending).limit(3)).await.len(), 3);
    assert_eq!(ids(&*table, Scan::of(late)).await.len(), 10);
    assert!(table.scan(Scan::of(Filter::All).order("id", Order::Ascending).limit(3)).await.is_err());
}
