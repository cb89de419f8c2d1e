//! Values in memory, so that providers may look often.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_kernel::{Name, Timestamp, id::ProjectId};
use secrecy::SecretString;

/// How long another process may go on using a value after it was changed.
pub(crate) const LIFE: Duration = Duration::from_secs(5);
/// More names than any installation refers to; beyond it the cache starts again.
const SIZE: usize = 4_096;

#[derive(Default)]
pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("kept", &self.lock().kept.len()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Inner {
    /// Names that nobody has are kept as well: a provider that refers to one asks all the time.
    kept: HashMap<(ProjectId, Name), (Option<SecretString>, Timestamp)>,
    /// Grows with every change: what was read before it may not be kept.
    generation: u64,
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, project: ProjectId, name: &Name, now: Timestamp) -> Option<Option<SecretString>> {
        let inner = self.lock();
        let (value, read) = inner.kept.get(&(project, name.clone()))?;
        // A clock that was set back must not make an entry live longer.
        let fresh = *read <= now && now.since(*read) < LIFE;
        fresh.then(|| value.clone())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    pub(crate) fn put(&self, place: (ProjectId, &Name), value: Option<SecretString>, (now, generation): (Timestamp, u64)) {
        let mut inner = self.lock();
        if inner.generation != generation {
            return;
        }
        if inner.kept.len() >= SIZE {
            inner.kept.clear();
        }
        inner.kept.insert((place.0, place.1.clone()), (value, now));
    }

    pub(crate) fn forget(&self, project: ProjectId, name: &Name) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.kept.remove(&(project, name.clone()));
    }
}
