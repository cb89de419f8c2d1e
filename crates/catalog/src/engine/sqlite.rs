//! SQLite: one file in WAL mode, one writer, several readers.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{pause, within_deadline};
use crate::{
    CatalogFault, Param, Row,
    constraints::Constraints,
    driver::{self, sqlite_fault},
    migrations,
};

/// How long to wait for the single writer.
const WRITER_DEADLINE: Duration = Duration::from_secs(30);
/// How long SQLite waits for a writer in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
/// Readers keep pages and prepared statements, so there is one for each processor, within these.
const READERS: std::ops::RangeInclusive<u32> = 2..=4;
/// Pages that each of them keeps, in KiB (SQLite takes 2,000). What is read again the system has in its own cache.
const READER_CACHE: &str = "-512";
/// Tries at emptying the log, each as long as SQLite waits.
const CHECKPOINTS: u32 = 2;

#[derive(Debug)]
pub(super) struct SqliteEngine {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    pub(super) constraints: Arc<Constraints>,
    /// Holds an ephemeral catalog's directory until the last handle is gone.
    _directory: Option<tempfile::TempDir>,
}

impl SqliteEngine {
    pub(super) async fn open(
        file: &Path,
        synchronous: SqliteSynchronous,
        directory: Option<tempfile::TempDir>,
    ) -> Result<Self, CatalogFault> {
        create_private(file).map_err(|source| CatalogFault::Storage(sqlx::Error::Io(source)))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("journal_size_limit", "67108864")
            // What is deleted is overwritten, not only unlisted: a forgotten name is in no free page.
            .pragma("secure_delete", "ON")
            .disable_statement_logging();
        let pool = |size: u32| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(WRITER_DEADLINE)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        // On a full disk SQLite rolls back by itself. The driver does not learn of it, counts the
        // transaction as open and refuses every later one, so such a connection is not used again.
        let writers = pool(1).after_release(|connection, _| {
            Box::pin(async move {
                // A rollback that was begun is through when this answers.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        let writer = connect_writer(&writers, &options).await?;
        let mut connection = writer.acquire().await.map_err(sqlite_fault)?;
        migrations::run_sqlite(&mut connection).await?;
        drop(connection);
        let readers = pool(readers()).connect_lazy_with(options.pragma("query_only", "ON").pragma("cache_size", READER_CACHE));
        let mut engine = Self { writer, readers, constraints: Arc::default(), _directory: directory };
        engine.constraints = Arc::new(engine.read_constraints().await?);
        Ok(engine)
    }

    /// Folds the log into the database and cuts it to nothing, once no reader needs it any more.
    pub(super) async fn empty_log(&self) -> Result<(), CatalogFault> {
        const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        for attempt in 1..=CHECKPOINTS {
            // It answers 1 while a reader stands in the way, after having waited for it.
            let busy: i64 =
                within_deadline(async { sqlx::query_scalar(TRUNCATE).fetch_one(&self.writer).await.map_err(sqlite_fault) })
                    .await?;
            if busy == 0 {
                return Ok(());
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(CatalogFault::Busy)
    }

    async fn read_constraints(&self) -> Result<Constraints, CatalogFault> {
        const SCHEMA: &str = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL";
        let mut constraints = Constraints::default();
        for row in self.fetch(&self.readers, SCHEMA, Vec::new()).await? {
            constraints.read(row.text("sql")?);
        }
        Ok(constraints)
    }

    pub(super) async fn fetch(&self, pool: &SqlitePool, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
        let arguments = driver::sqlite_arguments(sql, params)?;
        within_deadline(async {
            let rows = sqlx::query_with(sql, arguments).fetch_all(pool).await;
            driver::sqlite_rows(&rows.map_err(|source| self.constraints.name(sqlite_fault(source)))?)
        })
        .await
    }
}

fn readers() -> u32 {
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    u32::try_from(processors).unwrap_or(u32::MAX).clamp(*READERS.start(), *READERS.end())
}

/// Switching a new file to WAL needs it alone, and SQLite does not always wait for that: when several
/// processes open the same new file at once, all but one may be told it is busy.
async fn connect_writer(pool: &SqlitePoolOptions, options: &SqliteConnectOptions) -> Result<SqlitePool, CatalogFault> {
    let deadline = tokio::time::Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool.clone().connect_with(options.clone()).await.map_err(sqlite_fault) {
            Err(CatalogFault::Busy) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(pause(4)).await;
            }
            other => return other,
        }
    }
}

/// The catalog holds key hashes and people's names: nobody else on the machine reads it.
fn create_private(file: &Path) -> std::io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?;
    // SQLite syncs what it writes into the file, but nobody else would sync that there is one.
    match file.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
