//! A PostgreSQL server that goes away and comes back.

use mainspring_kernel::{Fault, FaultKind};
use mainspring_testservers::postgres::Postgres;
use tokio::task::JoinSet;

use super::{INSERT_PROJECT, eventually, insert_project, moment, project_names};
use crate::{Catalog, CatalogFault, params};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_a_fault_until_it_is_back() {
    let mut server = Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));
    let url = server.new_database().unwrap();
    let catalog = Catalog::open(&url).await.unwrap();
    insert_project(&catalog, "before").await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    tx.execute(INSERT_PROJECT, params!["lost", "lost", moment()]).await.unwrap();

    server.stop();
    assert_eq!(tx.commit().await.unwrap_err().kind(), FaultKind::Unavailable);
    let faults: [CatalogFault; 3] = [
        catalog.ping().await.unwrap_err(),
        insert_project(&catalog, "away").await.unwrap_err(),
        catalog.begin().await.map(drop).unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(fault.code(), "catalog-unavailable", "{fault:?}");
        assert!(fault.retry_after().is_some());
    }
    let fault = Catalog::open(&url).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-unavailable", "{fault:?}");

    server.resume().unwrap();
    eventually("the catalog did not come back", async || catalog.ping().await.is_ok()).await;
    insert_project(&catalog, "after").await.unwrap();
    assert_eq!(project_names(&catalog).await, ["after", "before"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_postgres_can_show() {
    let server = Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));

    eprintln!("several processes may make the same catalog at once");
    let url = server.new_database().unwrap();
    let mut openers = JoinSet::new();
    for number in 0..8 {
        let url = url.clone();
        openers.spawn(async move {
            let catalog = Catalog::open(&url).await.unwrap();
            insert_project(&catalog, &format!("n{number}")).await.unwrap();
            catalog.close().await;
        });
    }
    openers.join_all().await;
    let catalog = Catalog::open(&url).await.unwrap();
    assert_eq!(project_names(&catalog).await.len(), 8);

    eprintln!("a session that is cut off is a fault once, and the next statement works");
    server
        .sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mainspring'")
        .unwrap();
    eventually("the pool did not heal", async || catalog.ping().await.is_ok()).await;

    eprintln!("of two transactions that would undo each other one is told to try again");
    let (mut one, mut two) = (catalog.begin().await.unwrap(), catalog.begin().await.unwrap());
    let count = "SELECT COUNT(*) AS held FROM project";
    one.query(count, params![]).await.unwrap();
    two.query(count, params![]).await.unwrap();
    one.execute(INSERT_PROJECT, params!["one", "one", moment()]).await.unwrap();
    one.commit().await.unwrap();
    let second = match two.execute(INSERT_PROJECT, params!["two", "two", moment()]).await {
        Ok(_) => two.commit().await,
        Err(fault) => Err(fault),
    };
    assert_eq!(second.unwrap_err().code(), CatalogFault::CONTENTION);

    eprintln!("a database or a user that is not there is refused");
    let fault = Catalog::open(&server.url("no_such_database")).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-refused", "{fault:?}");
    let fault = Catalog::open(&url.replace("postgres@", "nobody_at_all@")).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-refused", "{fault:?}");

    eprintln!("a catalog of a newer version is not touched");
    server.sql(
        url.rsplit('/').next().unwrap(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', true, '', 0)",
    )
    .unwrap();
    let fault = Catalog::open(&url).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-newer", "{fault:?}");
}
