use std::time::Duration;

use mainspring_lake::{
    Filter, LakeFault, Scan,
    conformance::{Row, batch, ids, rows_of},
};

use super::{config, data_files, lake_in, table_in};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_write_a_row_as_they_read_it_lose_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let shared = async || {
        let config = LanceConfig { look_for_newer_after: Some(Duration::from_secs(3_600)), ..config(dir.path()) };
        LanceLake::open(config).await.unwrap()
    };
    let (one, two) = (shared().await, shared().await);
    let tables = [table_in(&one, "as-read").await, table_in(&two, "as-read").await];
    tables[0].append(batch(&[Row::new("a").number(0), Row::new("b").number(0)])).await.unwrap();
    // Each adds one to what it read, of a table that it may know as it was an hour ago.
    let writers = tables.iter().map(|table| async move {
        for _ in 0..6 {
            loop {
                let read = table.snapshot().await.unwrap();
                let mut rows = rows_of(&read.scan(Scan::of(Filter::eq("id", "a"))).await.unwrap());
                let Some(row) = rows.pop() else {
                    // It has not heard of the row yet: a change of nothing looks at the table.
                    table.replace(Filter::eq("id", "nobody"), None).await.unwrap();
                    continue;
                };
                let next = Row { number: row.number.map(|number| number + 1), ..row };
                let version = read.version().await.unwrap();
                match table.replace_as_read(&version, Filter::eq("id", "a"), Some(batch(&[next]))).await {
                    Ok(_) => break,
                    Err(LakeFault::Contended { .. }) => {}
                    Err(fault) => panic!("{fault}"),
                }
            }
        }
    });
    futures::future::join_all(writers).await;
    let fresh = table_in(&lake_in(dir.path()).await, "as-read").await;
    let mut found = rows_of(&fresh.scan(Scan::of(Filter::All)).await.unwrap());
    found.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(found.iter().map(|row| row.number).collect::<Vec<_>>(), [Some(12), Some(0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_change_that_was_refused_lie_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let shared = async || {
        let config = LanceConfig { look_for_newer_after: Some(Duration::ZERO), ..config(dir.path()) };
        LanceLake::open(config).await.unwrap()
    };
    let (one, two) = (shared().await, shared().await);
    let (reader, other) = (table_in(&one, "refused").await, table_in(&two, "refused").await);
    reader.append(batch(&rows("a", 20))).await.unwrap();
    let read = reader.snapshot().await.unwrap();
    let version = read.version().await.unwrap();
    let this = || Filter::eq("id", "a0007");
    // Somebody takes out what is written there while another is about to write it again.
    other.replace(this(), None).await.unwrap();
    let before = data_files(dir.path(), "refused");
    for _ in 0..3 {
        let late = reader.replace_as_read(&version, this(), Some(batch(&[Row::new("a0007").words("of somebody")]))).await;
        assert!(matches!(late, Err(LakeFault::Contended { .. })), "{late:?}");
        assert_eq!(data_files(dir.path(), "refused"), before);
    }
    assert_eq!(reader.count(Filter::All).await.unwrap(), 19);
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
