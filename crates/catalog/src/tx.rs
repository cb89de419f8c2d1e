//! A transaction: rolled back when dropped, unless committed.

use std::sync::Arc;

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::{
    CatalogFault, Engine, Param, Row,
    constraints::Constraints,
    driver::{self, postgres_fault, sqlite_fault},
    engine::within_deadline,
    params,
};

/// A transaction dropped in the middle of a statement is safe too: the driver first finishes or
/// closes the session, then rolls back.
#[derive(Debug)]
pub struct Tx {
    link: Link,
    failed: bool,
}

#[derive(Debug)]
enum Link {
    Sqlite(Transaction<'static, Sqlite>, Arc<Constraints>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(crate) async fn begin_sqlite(writer: &SqlitePool, constraints: Arc<Constraints>) -> Result<Self, CatalogFault> {
        let transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(sqlite_fault)?;
        Ok(Self { link: Link::Sqlite(transaction, constraints), failed: false })
    }

    pub(crate) async fn begin_postgres(pool: &PgPool) -> Result<Self, CatalogFault> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        let begun = async { pool.begin_with(BEGIN).await.map_err(postgres_fault) };
        Ok(Self { link: Link::Postgres(Box::pin(within_deadline(begun)).await?), failed: false })
    }

    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.link {
            Link::Sqlite(..) => Engine::Sqlite,
            Link::Postgres(_) => Engine::Postgres,
        }
    }

    pub async fn query(&mut self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
        self.start()?;
        let rows = within_deadline(self.link.query(sql, params)).await?;
        self.failed = false;
        Ok(rows)
    }

    /// Answers how many rows were changed.
    pub async fn execute(&mut self, sql: &'static str, params: Vec<Param>) -> Result<u64, CatalogFault> {
        self.start()?;
        let changed = within_deadline(self.link.execute(sql, params)).await?;
        self.failed = false;
        Ok(changed)
    }

    /// Has every process that listens on the channel hear of it when this is committed, this one among them. On SQLite
    /// nobody listens.
    pub async fn tell(&mut self, channel: &'static str) -> Result<(), CatalogFault> {
        const TELL: &str = "SELECT pg_notify($1, '')";
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => self.execute(TELL, params![channel]).await.map(drop),
        }
    }

    /// When this answers `Ok`, the change is durable. When the database goes away during it, nobody
    /// can say whether it was made: write so that doing it again is harmless.
    pub async fn commit(mut self) -> Result<(), CatalogFault> {
        self.start()?;
        within_deadline(self.link.commit()).await
    }

    /// A statement counts as failed until it has answered, so an abandoned one counts too.
    fn start(&mut self) -> Result<(), CatalogFault> {
        if std::mem::replace(&mut self.failed, true) { Err(CatalogFault::Aborted) } else { Ok(()) }
    }
}

impl Link {
    async fn query(&mut self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
        match self {
            Self::Sqlite(transaction, constraints) => {
                let arguments = driver::sqlite_arguments(sql, params)?;
                let rows = sqlx::query_with(sql, arguments).fetch_all(&mut **transaction).await;
                driver::sqlite_rows(&rows.map_err(|source| constraints.name(sqlite_fault(source)))?)
            }
            Self::Postgres(transaction) => {
                let arguments = driver::postgres_arguments(sql, params)?;
                let rows = sqlx::query_with(sql, arguments).fetch_all(&mut **transaction).await;
                driver::postgres_rows(&rows.map_err(postgres_fault)?)
            }
        }
    }

    async fn execute(&mut self, sql: &'static str, params: Vec<Param>) -> Result<u64, CatalogFault> {
        match self {
            Self::Sqlite(transaction, constraints) => {
                let arguments = driver::sqlite_arguments(sql, params)?;
                let done = sqlx::query_with(sql, arguments).execute(&mut **transaction).await;
                Ok(done.map_err(|source| constraints.name(sqlite_fault(source)))?.rows_affected())
            }
            Self::Postgres(transaction) => {
                let arguments = driver::postgres_arguments(sql, params)?;
                let done = sqlx::query_with(sql, arguments).execute(&mut **transaction).await;
                Ok(done.map_err(postgres_fault)?.rows_affected())
            }
        }
    }

    async fn commit(self) -> Result<(), CatalogFault> {
        match self {
            Self::Sqlite(transaction, constraints) => {
                transaction.commit().await.map_err(|source| constraints.name(sqlite_fault(source)))
            }
            Self::Postgres(transaction) => transaction.commit().await.map_err(postgres_fault),
        }
    }
}
