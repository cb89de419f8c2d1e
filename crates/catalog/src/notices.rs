//! What processes over one PostgreSQL tell each other the moment it is committed. It is kept for nobody: whoever does not
//! listen at that moment does not hear it.

use sqlx::{PgPool, postgres::PgListener};

use crate::{CatalogFault, driver::postgres_fault};

/// Hears what is told on one channel, over a connection of its own.
#[derive(Debug)]
pub struct Notices(PgListener);

impl Notices {
    pub(crate) async fn on(pool: &PgPool, channel: &str) -> Result<Self, CatalogFault> {
        let mut listener = PgListener::connect_with(pool).await.map_err(postgres_fault)?;
        listener.listen(channel).await.map_err(postgres_fault)?;
        Ok(Self(listener))
    }

    /// Waits until something was told, or until it may have been: the connection was lost, and is there again.
    pub async fn heard(&mut self) -> Result<(), CatalogFault> {
        self.0.try_recv().await.map(drop).map_err(postgres_fault)
    }
}
