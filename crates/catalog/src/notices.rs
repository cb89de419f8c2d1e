//! What processes over one PostgreSQL tell each other the moment it is committed. It is kept for nobody: whoever does not
//! listen at that moment does not hear it.

use std::time::Duration;

use sqlx::{Executor as _, PgPool, postgres::PgListener};
use tokio::time::timeout;

use crate::{CatalogFault, driver::postgres_fault};

/// A connection on which nothing was told for so long is asked whether it is there: what lies between may have let go of it
/// without a word, and whoever only listens would never know.
const STILL: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Hears what is told on one channel, over a connection that is taken from the pool for as long.
#[derive(Debug)]
pub struct Notices(PgListener);

impl Notices {
    pub(crate) async fn on(pool: &PgPool, channel: &str) -> Result<Self, CatalogFault> {
        let mut listener = PgListener::connect_with(pool).await.map_err(postgres_fault)?;
        listener.listen(channel).await.map_err(postgres_fault)?;
        Ok(Self(listener))
    }

    /// Waits until something was told, or until it may have been: the connection was lost and is there again, or was still for
    /// long.
    pub async fn heard(&mut self) -> Result<(), CatalogFault> {
        // On the heap: it may open a connection, which is large.
        match timeout(STILL, Box::pin(self.0.try_recv())).await {
            Ok(heard) => heard.map(drop).map_err(postgres_fault),
            Err(_) => self.answers().await,
        }
    }

    async fn answers(&mut self) -> Result<(), CatalogFault> {
        match timeout(ANSWERS_WITHIN, self.0.execute("SELECT 1")).await {
            Ok(answered) => answered.map(drop).map_err(postgres_fault),
            Err(_) => Err(CatalogFault::Timeout { limit: ANSWERS_WITHIN }),
        }
    }
}
