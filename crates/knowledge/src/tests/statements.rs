use mainspring_catalog::{Catalog, testing::prepare_all};

use crate::store::statements;

#[tokio::test]
async fn every_statement_compiles_on_sqlite() {
    let catalog = Catalog::open("sqlite::memory:").await.unwrap();
    let failed = prepare_all(&catalog, &statements()).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_compiles_on_postgresql() {
    let server = mainspring_testservers::postgres::Postgres::start().unwrap();
    let catalog = Catalog::open(&server.new_database().unwrap()).await.unwrap();
    let failed = prepare_all(&catalog, &statements()).await;
    assert!(failed.is_empty(), "{failed:#?}");
}
