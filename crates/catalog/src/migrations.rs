//! Brings a database up to date. Safe when several processes start at once on one database.

use std::{borrow::Cow, sync::LazyLock, time::Duration};

use rust_embed::Embed;
use sqlx::{
    AssertSqlSafe, Connection as _, PgPool, Postgres, SqlSafeStr as _, Sqlite,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    pool::PoolConnection,
};

use crate::{CatalogFault, driver};

// Not `sqlx::migrate!`: its macro crate compiles both drivers and SQLite itself a second time.
#[derive(Embed)]
#[folder = "../../migrations/sqlite"]
struct SqliteFiles;

#[derive(Embed)]
#[folder = "../../migrations/postgres"]
struct PostgresFiles;

static SQLITE: LazyLock<Migrator> = LazyLock::new(migrator::<SqliteFiles>);
static POSTGRES: LazyLock<Migrator> = LazyLock::new(migrator::<PostgresFiles>);

/// Files are called `0001_what_they_do.sql`; what is called otherwise is no migration.
fn migrator<Files: Embed>() -> Migrator {
    let mut migrations: Vec<Migration> = Files::iter().filter_map(|name| migration::<Files>(&name)).collect();
    migrations.sort();
    Migrator::with_migrations(migrations)
}

fn migration<Files: Embed>(name: &str) -> Option<Migration> {
    let (number, what) = name.strip_suffix(".sql")?.split_once('_')?;
    let sql = String::from_utf8(Files::get(name)?.data.into_owned()).ok()?;
    let description = Cow::Owned(what.replace('_', " "));
    Some(Migration::new(number.parse().ok()?, description, MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false))
}

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
