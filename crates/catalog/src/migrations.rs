//! Brings a database up to date. Safe when several processes start at once on one database.

use std::time::Duration;

use sqlx::{
    Connection as _, PgPool, Postgres, Sqlite,
    migrate::{MigrateError, Migrator},
    pool::PoolConnection,
};

use crate::{CatalogFault, driver};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// The writer's lock is taken first, so a second process waits and then finds nothing left to do;
/// all pending migrations become visible together or not at all.
pub(crate) async fn run_sqlite(writer: &mut PoolConnection<Sqlite>) -> Result<(), CatalogFault> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(driver::sqlite_fault)?;
    SQLITE.run_direct(None, &mut *transaction, false).await.map_err(|source| fault(source, driver::sqlite_fault))?;
    transaction.commit().await.map_err(driver::sqlite_fault)
}

/// sqlx holds an advisory lock meanwhile. The session's short timeouts would break off a long
/// migration, so they are raised, and the session is thrown away afterwards.
pub(crate) async fn run_postgres(pool: &PgPool) -> Result<(), CatalogFault> {
    const DEADLINE: Duration = Duration::from_secs(600);
    let mut session: PoolConnection<Postgres> = pool.acquire().await.map_err(driver::postgres_fault)?;
    session.close_on_drop();
    for raise in ["SET statement_timeout = '590s'", "SET lock_timeout = '590s'"] {
        sqlx::query(raise).execute(&mut *session).await.map_err(driver::postgres_fault)?;
    }
    tokio::time::timeout(DEADLINE, POSTGRES.run_direct(None, &mut *session, false))
        .await
        .map_err(|_| CatalogFault::Timeout { limit: DEADLINE })?
        .map_err(|source| fault(source, driver::postgres_fault))
}

fn fault(source: MigrateError, engine: fn(sqlx::Error) -> CatalogFault) -> CatalogFault {
    match source {
        MigrateError::VersionMissing(version) => CatalogFault::Newer { version },
        MigrateError::Execute(source) => engine(source),
        MigrateError::ExecuteMigration(source, version) => match engine(source) {
            CatalogFault::Statement(source) => CatalogFault::Migration(MigrateError::ExecuteMigration(source, version)),
            other => other,
        },
        other => CatalogFault::Migration(other),
    }
}
