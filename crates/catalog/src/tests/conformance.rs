//! One suite for every engine.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use mainspring_kernel::{AssetKind, Digest, Fault, Name, Timestamp, id::ProjectId};
use mainspring_testservers::on_every_engine;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{INSERT_PROJECT, insert_project, moment, project_names};
use crate::{Catalog, CatalogFault, OnConstraint as _, params};

const MAKE_PROBE: &str = "CREATE TABLE probe (name TEXT NOT NULL PRIMARY KEY, number BIGINT)";
const INSERT_PROBE: &str = "INSERT INTO probe (name, number) VALUES ($1, $2)";
const READ_PROBE: &str = "SELECT number FROM probe WHERE name = $1";
const RAISE_PROBE: &str = "UPDATE probe SET number = $2 WHERE name = $1 RETURNING name, number";

on_every_engine!(Catalog: [
    values_of_every_type_come_back,
    absent_values_keep_their_type,
    columns_that_are_not_as_asked_are_faults,
    bindings_that_do_not_fit_are_refused,
    text_with_a_nul_is_refused,
    a_dropped_transaction_leaves_nothing,
    a_transaction_takes_nothing_after_a_failure,
    violated_constraints_are_named,
    reads_go_on_beside_an_open_transaction,
    no_update_is_lost_among_concurrent_transactions,
    an_abandoned_statement_leaves_the_catalog_usable,
    a_write_answers_the_rows_it_returns,
    schema_changes_are_there_from_the_start,
    a_fault_of_the_work_itself_is_not_tried_again,
]);

async fn values_of_every_type_come_back(catalog: Catalog) {
    let digest = Digest::of(b"x");
    let id = ProjectId::new(moment());
    let name: Name = "a.name-1".parse().unwrap();
    let sql = "SELECT CAST($1 AS TEXT) AS t, CAST($2 AS BIGINT) AS i, CAST($3 AS BIGINT) AS b, \
        CAST($4 AS BIGINT) AS at, CAST($5 AS TEXT) AS id, CAST($6 AS TEXT) AS name, CAST($7 AS TEXT) AS digest, \
        CAST($8 AS TEXT) AS j, CAST($9 AS TEXT) AS kind, $2 > 1 AS yes";
    let values =
        params!["grüße 🌍 'quoted' $1", i64::MIN, true, moment(), id, &name, digest, json!({"a": [1, null]}), AssetKind::Prompt];
    let rows = catalog.query(sql, values).await.unwrap();
    let row = &rows[0];
    assert_eq!(row.text("t").unwrap(), "grüße 🌍 'quoted' $1");
    assert_eq!(row.int("i").unwrap(), i64::MIN);
    assert!(row.bool("b").unwrap());
    assert!(!row.bool("yes").unwrap());
    assert_eq!(row.time("at").unwrap(), moment());
    assert_eq!(row.parse::<ProjectId>("id").unwrap(), id);
    assert_eq!(row.parse::<Name>("name").unwrap(), name);
    assert_eq!(row.parse::<Digest>("digest").unwrap(), digest);
    assert_eq!(row.json::<Value>("j").unwrap(), json!({"a": [1, null]}));
    assert_eq!(row.parse::<AssetKind>("kind").unwrap(), AssetKind::Prompt);
    let bytes = vec![0_u8, 255, 10, 0];
    insert_key(&catalog, &bytes).await;
    let rows = catalog.query("SELECT hash FROM api_key", params![]).await.unwrap();
    assert_eq!(rows[0].bytes("hash").unwrap(), bytes);
}

async fn insert_key(catalog: &Catalog, hash: &[u8]) {
    insert_project(catalog, "p").await.unwrap();
    let principal = "INSERT INTO principal (id, name, kind, created) VALUES ('u', 'u', 'person', 0)";
    catalog.write(principal, params![]).await.unwrap();
    let key = "INSERT INTO api_key (id, project, principal, name, role, labels, lookup, hash, created, created_by) \
        VALUES ('k', 'p', 'u', 'n', 'reader', '\"all\"', 'l', $1, 0, 'u')";
    catalog.write(key, params![hash]).await.unwrap();
}

async fn absent_values_keep_their_type(catalog: Catalog) {
    catalog.write(MAKE_PROBE, params![]).await.unwrap();
    catalog.write(INSERT_PROBE, params!["a", None::<i64>]).await.unwrap();
    let rows = catalog.query(READ_PROBE, params!["a"]).await.unwrap();
    assert_eq!(rows[0].opt_int("number").unwrap(), None);
    assert_eq!(rows[0].opt_time("number").unwrap(), None);
    assert_eq!(rows[0].opt_text("number").unwrap(), None);
    // The same statement with a value: PostgreSQL remembers the types of the first time.
    catalog.write(INSERT_PROBE, params!["b", Some(7_i64)]).await.unwrap();
    let rows = catalog.query(READ_PROBE, params!["b"]).await.unwrap();
    assert_eq!(rows[0].number::<u32>("number").unwrap(), 7);
}

async fn columns_that_are_not_as_asked_are_faults(catalog: Catalog) {
    let sql = "SELECT CAST($1 AS TEXT) AS t, CAST($2 AS BIGINT) AS i, CAST($3 AS TEXT) AS n";
    let rows = catalog.query(sql, params!["text", -1_i64, None::<String>]).await.unwrap();
    let row = &rows[0];
    let faults = [
        row.int("t").unwrap_err(),
        row.text("i").unwrap_err(),
        row.text("n").unwrap_err(),
        row.text("missing").unwrap_err(),
        row.bytes("t").unwrap_err(),
        row.bool("i").unwrap_err(),
        row.number::<u32>("i").unwrap_err(),
        row.json::<Value>("t").unwrap_err(),
        row.parse::<ProjectId>("t").unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(fault.code(), "catalog-column", "{fault}");
    }
    let fraction = catalog.query("SELECT CAST(1.5 AS DOUBLE PRECISION) AS f", params![]).await.unwrap_err();
    assert_eq!(fraction.code(), "catalog-column", "{fraction}");
}

async fn bindings_that_do_not_fit_are_refused(catalog: Catalog) {
    let sql = "SELECT CAST($1 AS TEXT) AS a, CAST($2 AS TEXT) AS b";
    for values in [params![], params!["one"], params!["one", "two", "three"]] {
        let fault = catalog.query(sql, values).await.unwrap_err();
        assert_eq!(fault.code(), "catalog-binding", "{fault}");
    }
}

async fn text_with_a_nul_is_refused(catalog: Catalog) {
    let fault = insert_project(&catalog, "a\0b").await.unwrap_err();
    assert_eq!(fault.code(), "catalog-nul-text");
}

async fn a_dropped_transaction_leaves_nothing(catalog: Catalog) {
    let mut tx = catalog.begin().await.unwrap();
    tx.execute(INSERT_PROJECT, params!["a", "a", moment()]).await.unwrap();
    drop(tx);
    assert_eq!(project_names(&catalog).await, [""; 0]);
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(tx.execute(INSERT_PROJECT, params!["b", "b", moment()]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(project_names(&catalog).await, ["b"]);
}

async fn a_transaction_takes_nothing_after_a_failure(catalog: Catalog) {
    insert_project(&catalog, "taken").await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    tx.execute(INSERT_PROJECT, params!["new", "new", moment()]).await.unwrap();
    tx.execute(INSERT_PROJECT, params!["other", "taken", moment()]).await.unwrap_err();
    let fault = tx.execute(INSERT_PROJECT, params!["next", "next", moment()]).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-aborted");
    assert_eq!(tx.commit().await.unwrap_err().code(), "catalog-aborted");
    assert_eq!(project_names(&catalog).await, ["taken"]);
}

async fn violated_constraints_are_named(catalog: Catalog) {
    insert_project(&catalog, "a").await.unwrap();
    let member = "INSERT INTO membership (project, principal, role, labels, created) VALUES ('none', $1, 'reader', '', 0)";
    let principal = "INSERT INTO principal (id, name, kind, created) VALUES ($1, $1, 'robot', 0)";
    let broken = [
        ("project_pk", catalog.write(INSERT_PROJECT, params!["a", "b", moment()]).await),
        ("project_name_unique", catalog.write(INSERT_PROJECT, params!["b", "a", moment()]).await),
        ("membership_project_fk", catalog.write(member, params!["x"]).await),
        ("principal_kind_known", catalog.write(principal, params!["x"]).await),
    ];
    for (name, result) in broken {
        let fault = result.unwrap_err();
        assert!(fault.is_constraint(name), "{name}: {fault:?}");
        assert_eq!(fault.code(), "catalog-constraint");
        let mapped: Result<(), Room> = Err(fault).on_constraint(name, || Room::Taken);
        assert!(matches!(mapped, Err(Room::Taken)), "{name}");
    }
    let other = catalog.write(INSERT_PROJECT, params!["b", "a", moment()]).await;
    let mapped = other.on_constraint("another_name", || Room::Taken);
    assert!(matches!(mapped, Err(Room::Catalog(CatalogFault::Constraint { .. }))));
}

#[derive(Debug, thiserror::Error)]
enum Room {
    #[error("taken")]
    Taken,
    #[error("catalog")]
    Catalog(#[from] CatalogFault),
}

impl Fault for Room {
    fn kind(&self) -> mainspring_kernel::FaultKind {
        mainspring_kernel::FaultKind::Conflict
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Taken => "room-taken",
            Self::Catalog(source) => source.code(),
        }
    }
}

async fn reads_go_on_beside_an_open_transaction(catalog: Catalog) {
    insert_project(&catalog, "before").await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    tx.execute(INSERT_PROJECT, params!["during", "during", moment()]).await.unwrap();
    assert_eq!(project_names(&catalog).await, ["before"]);
    let seen = tx.query("SELECT COUNT(*) AS seen FROM project", params![]).await.unwrap();
    assert_eq!(seen[0].int("seen").unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(project_names(&catalog).await, ["before", "during"]);
}

async fn no_update_is_lost_among_concurrent_transactions(catalog: Catalog) {
    catalog.write(MAKE_PROBE, params![]).await.unwrap();
    catalog.write(INSERT_PROBE, params!["counter", 0_i64]).await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let catalog = catalog.clone();
        writers.spawn(async move {
            let mut acknowledged = 0;
            for _ in 0..20 {
                let raised = catalog
                    .transact(|mut tx| async move {
                        let rows = tx.query(READ_PROBE, params!["counter"]).await?;
                        let number = rows[0].int("number")?;
                        tx.execute(RAISE_PROBE, params!["counter", number + 1]).await?;
                        Ok::<_, CatalogFault>((tx, ()))
                    })
                    .await;
                match raised {
                    Ok(()) => acknowledged += 1,
                    // A busy machine may use up the attempts; then the caller is told so.
                    Err(fault) => assert_eq!(fault.code(), CatalogFault::CONTENTION, "{fault:?}"),
                }
            }
            acknowledged
        });
    }
    let acknowledged: i64 = writers.join_all().await.into_iter().sum();
    let rows = catalog.query(READ_PROBE, params!["counter"]).await.unwrap();
    assert_eq!(rows[0].int("number").unwrap(), acknowledged);
    assert!(acknowledged >= 100, "only {acknowledged} of 160 came through");
}

async fn an_abandoned_statement_leaves_the_catalog_usable(catalog: Catalog) {
    let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) \
        SELECT COUNT(*) AS counted FROM n";
    let mut tx = catalog.begin().await.unwrap();
    tx.execute(INSERT_PROJECT, params!["a", "a", moment()]).await.unwrap();
    let abandoned = tokio::time::timeout(std::time::Duration::from_millis(1), tx.query(slow, params![])).await;
    assert!(abandoned.is_err(), "the statement was too quick to be abandoned");
    assert_eq!(tx.commit().await.unwrap_err().code(), "catalog-aborted");
    insert_project(&catalog, "b").await.unwrap();
    assert_eq!(project_names(&catalog).await, ["b"]);
}

async fn a_write_answers_the_rows_it_returns(catalog: Catalog) {
    catalog.write(MAKE_PROBE, params![]).await.unwrap();
    catalog.write(INSERT_PROBE, params!["a", 1_i64]).await.unwrap();
    let rows = catalog.write(RAISE_PROBE, params!["a", 2_i64]).await.unwrap();
    assert_eq!((rows[0].text("name").unwrap(), rows[0].int("number").unwrap()), ("a", 2));
    assert!(catalog.write(RAISE_PROBE, params!["none", 2_i64]).await.unwrap().is_empty());
}

async fn schema_changes_are_there_from_the_start(catalog: Catalog) {
    catalog.ping().await.unwrap();
    let statements = [INSERT_PROJECT, "SELECT COUNT(*) FROM job", "SELECT COUNT(*) FROM asset_version"];
    let failed = crate::testing::prepare_all(&catalog, &statements).await;
    assert!(failed.is_empty(), "{failed:?}");
    let failed = crate::testing::prepare_all(&catalog, &["SELECT nonsense FROM project"]).await;
    assert_eq!(failed.len(), 1);
}

async fn a_fault_of_the_work_itself_is_not_tried_again(catalog: Catalog) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let result: Result<(), Room> = catalog
        .transact(|mut tx| {
            let counted = counted.clone();
            async move {
                counted.fetch_add(1, Ordering::Relaxed);
                tx.execute(INSERT_PROJECT, params!["a", "a", Timestamp::default()]).await?;
                Err(Room::Taken)
            }
        })
        .await;
    assert!(matches!(result, Err(Room::Taken)));
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    assert_eq!(project_names(&catalog).await, [""; 0]);
}
