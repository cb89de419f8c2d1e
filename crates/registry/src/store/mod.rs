//! SQL of the registry lives here and nowhere else.

mod aliases;
mod assets;
mod changes;
mod marks;
mod runs;

use mainspring_catalog::{Catalog, CatalogFault, Param, Row, Tx};

pub(crate) use aliases::*;
pub(crate) use assets::*;
pub(crate) use runs::*;

/// Every statement of this crate, for the test that compiles them on both engines.
pub const STATEMENTS: &[&[&str]] =
    &[assets::STATEMENTS, aliases::STATEMENTS, changes::STATEMENTS, marks::STATEMENTS, runs::STATEMENTS];

/// Where to read from: the catalog as it is, or inside a transaction.
pub(crate) enum Reads<'r> {
    Catalog(&'r Catalog),
    Tx(&'r mut Tx),
}

impl Reads<'_> {
    async fn query(&mut self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
        match self {
            Self::Catalog(catalog) => catalog.query(sql, params).await,
            Self::Tx(tx) => tx.query(sql, params).await,
        }
    }

    async fn first(&mut self, sql: &'static str, params: Vec<Param>) -> Result<Option<Row>, CatalogFault> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }
}
