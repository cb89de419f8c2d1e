use std::time::Duration;

use mainspring_lake::{
    Filter, LakeFault, Scan,
    conformance::{Row, batch, ids},
};

use super::{lake_in, table_in};

fn rows(prefix: &str, count: usize) -> Vec<Row> {
    (0..count).map(|n| Row::new(format!("{prefix}{n:04}")).doc(prefix)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_hangs_up_leaves_a_whole_change_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let table = table_in(&lake, "hung-up").await;
    for round in 0..12_u64 {
        let prefix = format!("r{round:02}-");
        let change = table.replace(Filter::eq("doc", prefix.clone()), Some(batch(&rows(&prefix, 50))));
        // Some hang up before the writer starts, some in the middle, some after.
        let _ = tokio::time::timeout(Duration::from_millis(round * 3), change).await;
    }
    table.append(batch(&[Row::new("last")])).await.unwrap();
    for round in 0..12 {
        let kept = table.count(Filter::eq("doc", format!("r{round:02}-"))).await.unwrap();
        assert!(kept == 0 || kept == 50, "round {round} left {kept} rows");
    }
    assert_eq!(ids(&*table, Scan::of(Filter::eq("id", "last"))).await, ["last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_directory_lose_nothing() {
    // Two lakes share no memory here, as two processes would not: only the commit handler keeps them apart.
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (lake_in(dir.path()).await, lake_in(dir.path()).await);
    let tables = [table_in(&one, "shared").await, table_in(&two, "shared").await];
    let writers = tables.iter().enumerate().map(|(writer, table)| async move {
        for round in 0..15 {
            table.append(batch(&[Row::new(format!("{writer}-{round:02}"))])).await.unwrap();
        }
    });
    futures::future::join_all(writers).await;
    let fresh = table_in(&lake_in(dir.path()).await, "shared").await;
    assert_eq!(fresh.count(Filter::All).await.unwrap(), 30);
}

#[tokio::test]
async fn another_schema_never_reaches_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let table = table_in(&lake, "typed").await;
    let odd = batch(&[Row::new("a")]).project(&[0]).unwrap();
    let good = batch(&[Row::new("b")]);
    let (refused, accepted) = futures::future::join(table.append(odd), table.append(good)).await;
    assert!(matches!(refused, Err(LakeFault::Schema { .. })));
    assert_eq!(accepted.unwrap().inserted, 1);
}
