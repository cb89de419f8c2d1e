//! Opening a catalog, single statements, and transactions that are tried again.

mod sqlite;

use std::{future::Future, path::Path, pin::Pin, str::FromStr as _, sync::Arc, time::Duration};

use mainspring_kernel::Fault;
use sqlite::SqliteEngine;
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::SqliteSynchronous,
};

use crate::{
    CatalogFault, Notices, Param, Row, Tx,
    driver::{self, postgres_fault, sqlite_fault},
    migrations,
};

/// How long one statement may take on PostgreSQL before the server breaks it off.
pub(crate) const STATEMENT_DEADLINE: Duration = Duration::from_secs(30);
/// How long we wait for any answer: longer than the server's own limit, so that only a connection
/// that fell silent is caught by it.
const ANSWER_DEADLINE: Duration = Duration::from_secs(40);
/// How long to wait for a connection to PostgreSQL before calling it away.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const POSTGRES_CONNECTIONS: u32 = 16;
const ATTEMPTS: u32 = 10;

/// A handle to the catalog; clones share its connections.
#[derive(Clone, Debug)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub open: usize,
    pub idle: usize,
}

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteEngine),
    Postgres(PgPool),
}

impl Catalog {
    /// Opens `sqlite:///absolute/path.db`, `sqlite::memory:` or `postgres://…`, and brings its schema
    /// up to date.
    ///
    /// `sqlite::memory:` is a private database that vanishes with its last handle. It is a file in
    /// the temporary directory without fsync, because SQLite's own memory databases know neither WAL
    /// nor readers beside a writer, and tests should meet the same engine as users.
    pub async fn open(url: &str) -> Result<Self, CatalogFault> {
        let inner = if url == "sqlite::memory:" {
            let directory = tempfile::Builder::new().prefix("mainspring-catalog-").tempdir();
            let directory = directory.map_err(|source| CatalogFault::Storage(sqlx::Error::Io(source)))?;
            let file = directory.path().join("catalog.db");
            Inner::Sqlite(SqliteEngine::open(&file, SqliteSynchronous::Off, Some(directory)).await?)
        } else if let Some(path) = url.strip_prefix("sqlite://") {
            if !Path::new(path).is_absolute() {
                return Err(CatalogFault::BadUrl { reason: "the SQLite path is not absolute".to_owned() });
            }
            Inner::Sqlite(SqliteEngine::open(Path::new(path), SqliteSynchronous::Full, None).await?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Inner::Postgres(open_postgres(url).await?)
        } else {
            let reason = "it starts with neither `sqlite://` nor `postgres://`".to_owned();
            return Err(CatalogFault::BadUrl { reason });
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    #[must_use]
    pub fn engine(&self) -> Engine {
        match *self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Connections to the database that are open, and how many of them nobody uses.
    #[must_use]
    pub fn connections(&self) -> Connections {
        match &*self.inner {
            Inner::Sqlite(engine) => Connections {
                open: engine.readers.size() as usize + engine.writer.size() as usize,
                idle: engine.readers.num_idle() + engine.writer.num_idle(),
            },
            Inner::Postgres(pool) => Connections { open: pool.size() as usize, idle: pool.num_idle() },
        }
    }

    /// Reads. Put a `LIMIT` in the statement: every row is held in memory.
    pub async fn query(&self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
        match &*self.inner {
            Inner::Sqlite(engine) => engine.fetch(&engine.readers, sql, params).await,
            Inner::Postgres(pool) => Box::pin(postgres_fetch(pool, sql, params)).await,
        }
    }

    /// One statement that writes, committed by itself; answers its `RETURNING` rows.
    ///
    /// On PostgreSQL it runs at `READ COMMITTED`, so it waits for a row that another transaction holds
    /// and then looks at it again, instead of failing with contention.
    pub async fn write(&self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
        match &*self.inner {
            Inner::Sqlite(engine) => engine.fetch(&engine.writer, sql, params).await,
            Inner::Postgres(pool) => Box::pin(postgres_fetch(pool, sql, params)).await,
        }
    }

    pub async fn begin(&self) -> Result<Tx, CatalogFault> {
        self.begun().await
    }

    /// On the heap: a connection that is being opened is large, and with it would be everything that opens a transaction.
    fn begun(&self) -> Pin<Box<dyn Future<Output = Result<Tx, CatalogFault>> + Send + '_>> {
        match &*self.inner {
            Inner::Sqlite(engine) => Box::pin(Tx::begin_sqlite(&engine.writer, engine.constraints.clone())),
            Inner::Postgres(pool) => Box::pin(Tx::begin_postgres(pool)),
        }
    }

    /// Runs `work` in a transaction and commits it; tries again when another transaction was first.
    ///
    /// `work` gives the transaction back with its answer, so forgetting to commit does not compile.
    /// It may run several times: effects outside the transaction belong after this call.
    ///
    /// ```ignore
    /// catalog.transact(|mut tx| async move {
    ///     tx.execute(INSERT, params![id]).await?;
    ///     Ok((tx, id))
    /// }).await
    /// ```
    pub async fn transact<T, E, W>(&self, work: impl Fn(Tx) -> W) -> Result<T, E>
    where
        W: Future<Output = Result<(Tx, T), E>>,
        E: Fault + From<CatalogFault>,
    {
        let mut attempt = 1;
        loop {
            let outcome = async {
                let (tx, answer) = work(self.begin().await?).await?;
                tx.commit().await?;
                Ok(answer)
            };
            match outcome.await {
                Err(fault) if fault_is_contention(&fault) && attempt < ATTEMPTS => {
                    tokio::time::sleep(pause(attempt)).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    /// Begins to hear what other processes tell on a channel (`Tx::tell`). Nothing on SQLite, which has no way to say it.
    pub async fn listen(&self, channel: &'static str) -> Result<Option<Notices>, CatalogFault> {
        match &*self.inner {
            Inner::Sqlite(_) => Ok(None),
            // On the heap: a connection that is being opened is large.
            Inner::Postgres(pool) => Box::pin(within_deadline(Notices::on(pool, channel))).await.map(Some),
        }
    }

    /// Whether the database answers: for readiness checks.
    pub async fn ping(&self) -> Result<(), CatalogFault> {
        const PING: &str = "SELECT 1 AS one";
        self.query(PING, Vec::new()).await.map(drop)
    }

    /// Takes out of the files what was overwritten or deleted. On SQLite every commit overwrites it in the database,
    /// and this empties the log, where it stands as it was; PostgreSQL does both in its own time.
    pub async fn scrub(&self) -> Result<(), CatalogFault> {
        match &*self.inner {
            Inner::Sqlite(engine) => engine.empty_log().await,
            Inner::Postgres(_) => Ok(()),
        }
    }

    /// Waits for the connections to close; SQLite folds its log into the database file.
    pub async fn close(&self) {
        match &*self.inner {
            Inner::Sqlite(engine) => {
                engine.readers.close().await;
                engine.writer.close().await;
            }
            Inner::Postgres(pool) => pool.close().await,
        }
    }

    /// Compiles a statement without running it.
    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<(), CatalogFault> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        match &*self.inner {
            Inner::Sqlite(engine) => {
                let mut writer = engine.writer.acquire().await.map_err(sqlite_fault)?;
                writer.prepare(sql.into_sql_str()).await.map(drop).map_err(sqlite_fault)
            }
            Inner::Postgres(pool) => {
                let mut session = pool.acquire().await.map_err(postgres_fault)?;
                session.prepare(sql.into_sql_str()).await.map(drop).map_err(postgres_fault)
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn sqlite_writer(&self) -> Option<&sqlx::SqlitePool> {
        match &*self.inner {
            Inner::Sqlite(engine) => Some(&engine.writer),
            Inner::Postgres(_) => None,
        }
    }
}

fn fault_is_contention(fault: &dyn Fault) -> bool {
    fault.code() == CatalogFault::CONTENTION
}

/// Doubles from 4 ms to a quarter of a second, with jitter so that rivals do not meet again.
fn pause(attempt: u32) -> Duration {
    let ceiling = (4_u64 << attempt.min(6)).min(250);
    Duration::from_millis(rand::random_range(ceiling / 2..=ceiling))
}

/// Gives up on a database that stopped answering.
pub(crate) async fn within_deadline<T>(work: impl Future<Output = Result<T, CatalogFault>>) -> Result<T, CatalogFault> {
    match tokio::time::timeout(ANSWER_DEADLINE, work).await {
        Ok(result) => result,
        Err(_) => Err(CatalogFault::Timeout { limit: ANSWER_DEADLINE }),
    }
}

async fn postgres_fetch(pool: &PgPool, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, CatalogFault> {
    let arguments = driver::postgres_arguments(sql, params)?;
    within_deadline(async {
        let rows = sqlx::query_with(sql, arguments).fetch_all(pool).await.map_err(postgres_fault)?;
        driver::postgres_rows(&rows)
    })
    .await
}

async fn open_postgres(url: &str) -> Result<PgPool, CatalogFault> {
    // The driver's message may quote the address, and the address may hold a password.
    let bad = |_| CatalogFault::BadUrl { reason: "the PostgreSQL address cannot be read".to_owned() };
    let millis = |duration: Duration| duration.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(bad)?
        .application_name("mainspring")
        .options([
            ("statement_timeout", millis(STATEMENT_DEADLINE)),
            ("lock_timeout", millis(STATEMENT_DEADLINE / 3)),
            ("idle_in_transaction_session_timeout", millis(STATEMENT_DEADLINE * 2)),
        ])
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(CONNECT_DEADLINE)
        // Without this limit a session that fell silent would keep its place in the pool until the
        // operating system gives up on it, which takes a quarter of an hour.
        .after_release(|session, _| {
            Box::pin(async move {
                let answered = tokio::time::timeout(CONNECT_DEADLINE, session.ping()).await;
                Ok(matches!(answered, Ok(Ok(()))))
            })
        })
        .connect_with(options)
        .await
        .map_err(postgres_fault)?;
    migrations::run_postgres(&pool).await?;
    Ok(pool)
}
