//! The same lake on a real S3 server. One test, so that the server starts once.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use mainspring_lake::{
    Filter, Lake, LakeFault, Scan, UpkeepPolicy,
    conformance::{ALL, Row, batch, ids},
};
use mainspring_testservers::s3::S3Server;
use secrecy::SecretString;

use super::{failures, table_in};
use crate::{LakeLocation, LanceConfig, LanceLake};

fn location(server: &S3Server, prefix: &str) -> LakeLocation {
    LakeLocation::S3 {
        bucket: S3Server::BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(server.endpoint()),
        region: S3Server::REGION.to_owned(),
        access_key: Some(S3Server::ACCESS_KEY.to_owned()),
        secret_key: Some(SecretString::from(S3Server::SECRET_KEY)),
        session_token: None,
        allow_http: true,
    }
}

async fn lake_at(server: &S3Server, prefix: &str) -> LanceLake {
    let mut config = LanceConfig::new(location(server, prefix));
    config.look_for_newer_after = Some(Duration::ZERO);
    LanceLake::open(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_on_s3_keeps_the_contract_and_survives_the_server() {
    let mut server = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let lake = lake_at(&server, "some/prefix").await;
    let failed = failures(&lake, ALL).await;
    assert_eq!(failed, Vec::<&str>::new(), "the server says: {}", server.log());
    two_processes_share_a_table(&server).await;
    many_appends_of_two_processes_all_land(&server).await;
    rows_of_a_change_that_was_refused_lie_nowhere(&server).await;
    a_torn_version_is_moved_out(&server).await;
    the_server_may_go_away_and_come_back(&mut server).await;
    let denied = LanceConfig::new(match location(&server, "some/prefix") {
        LakeLocation::S3 { bucket, prefix, endpoint, region, access_key, session_token, allow_http, .. } => LakeLocation::S3 {
            bucket,
            prefix,
            endpoint,
            region,
            access_key,
            secret_key: Some(SecretString::from("wrong")),
            session_token,
            allow_http,
        },
        LakeLocation::Local(_) => panic!("not S3"),
    });
    let denied = LanceLake::open(denied).await.unwrap();
    assert!(matches!(denied.ping().await, Err(LakeFault::Unavailable { .. })));
}

async fn two_processes_share_a_table(server: &S3Server) {
    let (one, two) = (lake_at(server, "shared").await, lake_at(server, "shared").await);
    let tables = [table_in(&one, "t").await, table_in(&two, "t").await];
    let writers = tables.iter().enumerate().map(|(writer, table)| async move {
        for round in 0..6 {
            let row = Row::new(format!("{writer}-{round}")).doc(&format!("w{writer}"));
            if round % 3 == 2 {
                table.replace(Filter::eq("id", format!("{writer}-0")), Some(batch(&[row]))).await.unwrap();
            } else {
                table.append(batch(&[row])).await.unwrap();
            }
        }
    });
    futures::future::join_all(writers).await;
    for table in &tables {
        assert_eq!(
            ids(&**table, Scan::of(Filter::All)).await,
            ["0-1", "0-2", "0-3", "0-4", "0-5", "1-1", "1-2", "1-3", "1-4", "1-5"],
            "each sees what the other wrote"
        );
    }
}

/// Each process shares commits among its own tasks, loses races against the other, and one of them compacts.
async fn many_appends_of_two_processes_all_land(server: &S3Server) {
    const TASKS: usize = 4;
    const ROUNDS: usize = 8;
    let (one, two) = (lake_at(server, "many").await, lake_at(server, "many").await);
    let tables = [table_in(&one, "t").await, table_in(&two, "t").await];
    let appends = (0..2 * TASKS).map(|task| {
        let table = tables[task % 2].clone();
        async move {
            for round in 0..ROUNDS {
                let commit = table.append(batch(&[Row::new(format!("{task}-{round}")).words("word")])).await.unwrap();
                assert_eq!(commit.inserted, 1);
            }
        }
    });
    let keeper = async {
        for _ in 0..3 {
            let policy = UpkeepPolicy { fragments: 2, unindexed_rows: 1, keep_versions_for: Duration::from_secs(3600) };
            tables[0].upkeep(&policy).await.unwrap();
        }
    };
    futures::future::join(futures::future::join_all(appends), keeper).await;
    let wanted: Vec<String> = (0..2 * TASKS).flat_map(|task| (0..ROUNDS).map(move |round| format!("{task}-{round}"))).collect();
    for table in &tables {
        assert_eq!(ids(&**table, Scan::of(Filter::All)).await, wanted, "nothing is lost and nothing twice");
    }
}

async fn rows_of_a_change_that_was_refused_lie_nowhere(server: &S3Server) {
    let (one, two) = (lake_at(server, "refused").await, lake_at(server, "refused").await);
    let (reader, other) = (table_in(&one, "t").await, table_in(&two, "t").await);
    reader.append(batch(&[Row::new("a"), Row::new("b")])).await.unwrap();
    let version = reader.snapshot().await.unwrap().version().await.unwrap();
    other.replace(Filter::eq("id", "a"), None).await.unwrap();
    let files = async || {
        let dir = one.stores().root.clone().join("t.lance").join("data");
        one.stores().store.inner.list(Some(&dir)).try_collect::<Vec<_>>().await.unwrap().len()
    };
    let before = files().await;
    let late = reader.replace_as_read(&version, Filter::eq("id", "a"), Some(batch(&[Row::new("a").words("of somebody")]))).await;
    assert!(matches!(late, Err(LakeFault::Contended { .. })), "{late:?}");
    assert_eq!((files().await, ids(&*reader, Scan::of(Filter::All)).await), (before, vec!["b".to_owned()]));
}

async fn a_torn_version_is_moved_out(server: &S3Server) {
    let lake = lake_at(server, "torn").await;
    let table = table_in(&lake, "t").await;
    table.append(batch(&[Row::new("a")])).await.unwrap();
    let bad = table.append(batch(&[Row::new("b")])).await.unwrap().version;
    tear_newest(&lake, "t").await;
    let fresh = lake_at(server, "torn").await;
    let repairs = fresh.repair().await.unwrap();
    assert_eq!(repairs.iter().map(|repair| repair.bad_version).collect::<Vec<_>>(), [bad.number]);
    assert_eq!(ids(&*table_in(&fresh, "t").await, Scan::of(Filter::All)).await, ["a"]);
}

async fn the_server_may_go_away_and_come_back(server: &mut S3Server) {
    let lake = lake_at(server, "away").await;
    let table = table_in(&lake, "t").await;
    table.append(batch(&[Row::new("before")])).await.unwrap();
    server.stop();
    let started = Instant::now();
    for outcome in [
        table.append(batch(&[Row::new("during")])).await.map(|_| ()),
        table.count(Filter::All).await.map(|_| ()),
        lake.ping().await,
        lake.list().await.map(|_| ()),
        lake.open_existing(&"other".parse().unwrap()).await.map(|_| ()),
        lake.repair().await.map(|_| ()),
    ] {
        assert!(matches!(outcome, Err(LakeFault::Unavailable { .. })), "{outcome:?}");
    }
    // Six questions, each of which may try for a few seconds; nobody waits for minutes.
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    server.restart().unwrap();
    // The server takes requests before its volumes are back, and answers 500 until then.
    let table = once_back(&lake).await;
    table.append(batch(&[Row::new("after")])).await.unwrap();
    let found = ids(&*table, Scan::of(Filter::All)).await;
    assert!(found == ["after", "before"] || found == ["after", "before", "during"], "{found:?}");
}

/// Overwrites the newest manifest with zeroes, which S3 itself would never leave behind but a person might.
async fn tear_newest(lake: &LanceLake, table: &str) {
    use object_store::ObjectStoreExt as _;
    let stores = lake.stores();
    let dir = stores.root.clone().join(format!("{table}.lance")).join("_versions");
    let mut files: Vec<_> = stores.store.inner.list(Some(&dir)).try_collect().await.unwrap();
    files.sort_by(|a, b| a.location.cmp(&b.location));
    let newest = &files[0];
    let zeroes = vec![0_u8; usize::try_from(newest.size).unwrap()];
    stores.store.inner.put(&newest.location, zeroes.into()).await.unwrap();
}

/// The table, as soon as the server answers for it again.
async fn once_back(lake: &LanceLake) -> std::sync::Arc<dyn mainspring_lake::Table> {
    let name = "t".parse().unwrap();
    for _ in 0..60 {
        if let Ok(table) = lake.open_existing(&name).await
            && table.count(Filter::All).await.is_ok()
        {
            return table;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the lake does not work again");
}
