//! What a room's tests need to check its SQL on both engines.

use crate::{Catalog, CatalogFault};

/// A statement that an engine would not take.
#[derive(Debug)]
pub struct Unprepared {
    pub sql: &'static str,
    pub fault: CatalogFault,
}

/// Compiles every statement; answers those that failed. Rooms list theirs as `store::STATEMENTS`.
pub async fn prepare_all(catalog: &Catalog, statements: &[&'static str]) -> Vec<Unprepared> {
    let mut failed = Vec::new();
    for sql in statements {
        if let Err(fault) = catalog.prepare(sql).await {
            failed.push(Unprepared { sql, fault });
        }
    }
    failed
}
