use mainspring_catalog::{Catalog, Param, testing::prepare_all};

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

/// An ingestion asks these for every document: one that walks all documents makes it quadratic, which a thousand of
/// them do not show and a hundred thousand do.
#[tokio::test]
async fn no_statement_walks_through_all_documents() {
    let catalog = Catalog::open("sqlite::memory:").await.unwrap();
    for sql in statements().into_iter().filter(|sql| !sql.starts_with("INSERT")) {
        let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
        let wanted = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
        for step in catalog.query(explain, vec![Param::Text(None); wanted]).await.unwrap() {
            let step = step.text("detail").unwrap();
            let walks = ["SCAN document", "SCAN d ", "SCAN r "].iter().any(|walk| format!("{step} ").starts_with(walk));
            assert!(!walks, "{step}: {sql}");
            // The planner thinks little of a third equal column where the primary key has the order that is asked for.
            assert!(!sql.contains("AND digest = $3") || step.contains("digest=?"), "{step}: {sql}");
        }
    }
}
