//! This server among those over one catalog.
//!
//! Each has spans on a disk of its own: on their way to the lake, or held until the outcome of their trace is known. So each
//! has to carry out an erasure itself, and one that was away does so before it brings anything.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_catalog::{Catalog, Engine};
use mainspring_jobs::Jobs;
use mainspring_kernel::{Clock, Fault as _, Timestamp, fault::chain};

use super::{KeepingFault, cleanse, model::ServerId, store};
use crate::{fault::TraceFault, spill};

/// One that has not been heard of for so long is taken for dead.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(60);
/// An erasure is done without a server that has not been heard of for so long.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// For so long after its end an erasure is known to servers that come back, and a server to erasures.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

/// What a server begins with.
#[derive(Debug)]
pub struct Entering<'e> {
    pub catalog: &'e Catalog,
    pub jobs: &'e Jobs,
    pub clock: &'e dyn Clock,
    /// Says which server this is; made where it is not there.
    pub file: PathBuf,
    pub spill_dir: &'e Path,
    /// For people: which process of which machine it is.
    pub name: String,
}

/// This server, as others know it.
#[derive(Debug)]
pub struct SpanServer {
    file: PathBuf,
    name: String,
    session: String,
    id: Mutex<ServerId>,
    /// Erasures are carried out by one at a time.
    pub(super) acting: tokio::sync::Mutex<()>,
}

impl SpanServer {
    /// Takes out of its disk what was erased while it was not here. Nothing of the disk may be brought before this has
    /// returned.
    pub async fn enter(entering: Entering<'_>) -> Result<Self, KeepingFault> {
        let Entering { catalog, clock, spill_dir, ref file, ref name, .. } = entering;
        let now = clock.now();
        let id = read(file)?.map_or_else(|| made(file, now), Ok)?;
        let session = ServerId::new(now).to_string();
        let empty = cleanse::nothing_in(spill_dir).map_err(|source| unusable(spill_dir, source))?;
        let known = store::is_known(catalog, id).await?;
        // A command that finds nothing here and leaves nothing is no server that anybody has to wait for. Others say first
        // that they are here, so that no erasure is done in between without them.
        if known || !empty {
            enter(catalog, (id, session.as_str(), name.as_str()), now, known).await?;
        }
        cleanse::cleanse(&entering, id, (known, empty)).await?;
        let Entering { file, name, .. } = entering;
        Ok(Self { file, name, session, id: Mutex::new(id), acting: tokio::sync::Mutex::default() })
    }

    /// Says that it is here: from now on spans come to its disk.
    pub(super) async fn begin(&self, catalog: &Catalog, now: Timestamp) -> Result<(), KeepingFault> {
        let (id, session, name) = (self.id(), self.session.as_str(), self.name.as_str());
        let known = store::is_known(catalog, id).await?;
        enter(catalog, (id, session, name), now, known).await
    }

    pub(super) fn id(&self) -> ServerId {
        *self.lock()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn lock(&self) -> MutexGuard<'_, ServerId> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that it is still here.
    pub(super) async fn say_seen(&self, catalog: &Catalog, now: Timestamp) -> Result<(), KeepingFault> {
        let id = self.id();
        if store::say_seen(catalog, (id, self.session.as_str()), now).await? {
            return Ok(());
        }
        // Its data directory was copied, and the copy goes by the same name; or it was forgotten, since the catalog was away
        // for so long. By another name it is asked for everything that is under way.
        let id = made(&self.file, now)?;
        tracing::warn!(server = %id, "this server goes by another name in erasures: somebody else goes by the one it had");
        store::enter(catalog, (id, self.session.as_str(), self.name.as_str()), now, false).await?;
        *self.lock() = id;
        Ok(())
    }

    /// Nothing is on its disk any longer, and nothing will be.
    pub(super) async fn leave(&self, catalog: &Catalog) -> Result<(), KeepingFault> {
        Ok(store::leave(catalog, (self.id(), self.session.as_str())).await?)
    }
}

/// Says that a server is here. Where no other goes by the catalog, one that is known needs no word: a disk that is full keeps
/// it from nothing.
async fn enter(catalog: &Catalog, who: (ServerId, &str, &str), now: Timestamp, known: bool) -> Result<(), KeepingFault> {
    let alone = is_alone(catalog);
    match store::enter(catalog, who, now, alone).await {
        Err(fault) if alone && known && fault.kind().is_transient() => {
            tracing::warn!(cause = %chain(&fault), "the catalog could not be told that this server is here");
            Ok(())
        }
        entered => Ok(entered?),
    }
}

fn is_alone(catalog: &Catalog) -> bool {
    catalog.engine() == Engine::Sqlite
}

fn read(file: &Path) -> Result<Option<ServerId>, TraceFault> {
    match std::fs::read_to_string(file) {
        // One that cannot be read is made again.
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(unusable(file, source)),
    }
}

fn made(file: &Path, now: Timestamp) -> Result<ServerId, TraceFault> {
    let id = ServerId::new(now);
    spill::write_whole(file, id.to_string().as_bytes()).map_err(|source| unusable(file, source))?;
    Ok(id)
}

fn unusable(file: &Path, source: std::io::Error) -> TraceFault {
    TraceFault::Spill { path: file.display().to_string(), source }
}
