use std::time::Duration;

use mainspring_lake::{
    Filter, LakeFault, Scan,
    conformance::{Row, batch, ids},
};

use super::{config, lake_in, table_in};
use crate::{LanceConfig, LanceLake};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_put_the_same_keys_leave_each_there_once() {
    let dir = tempfile::tempdir().unwrap();
    // What they read may be an hour old: what they put is compared with what is there all the same.
    let shared = async || {
        let config = LanceConfig { look_for_newer_after: Some(Duration::from_secs(3_600)), ..config(dir.path()) };
        LanceLake::open(config).await.unwrap()
    };
    let (one, two) = (shared().await, shared().await);
    let tables = [table_in(&one, "put").await, table_in(&two, "put").await];
    let writers = tables.iter().enumerate().map(|(writer, table)| async move {
        for round in 0..12 {
            let rows: Vec<Row> = (0..5).map(|n| Row::new(format!("{round:02}-{n}")).doc(&format!("w{writer}"))).collect();
            let these = Filter::any_of("id", rows.iter().map(|row| row.id.clone()));
            assert_eq!(table.put(&["id"], these, batch(&rows)).await.unwrap().inserted, 5);
        }
    });
    futures::future::join_all(writers).await;
    let fresh = table_in(&lake_in(dir.path()).await, "put").await;
    let wanted: Vec<String> = (0..12).flat_map(|round| (0..5).map(move |n| format!("{round:02}-{n}"))).collect();
    assert_eq!(ids(&*fresh, Scan::of(Filter::All)).await, wanted);
    // Of one round the rows are those of one writer: a put is whole.
    for round in 0..12 {
        for writer in ["w0", "w1"] {
            let of_round = Filter::StartsWith("id".into(), format!("{round:02}-")).and(Filter::eq("doc", writer));
            let kept = fresh.count(of_round).await.unwrap();
            assert!(kept == 0 || kept == 5, "{kept} rows of {writer} in round {round}");
        }
    }
    let refused = tables[0].put(&["number"], Filter::eq("id", "a"), batch(&[Row::new("a")])).await;
    assert!(matches!(refused, Err(LakeFault::Query { .. })), "{refused:?}");
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
