//! Keys seen in the last moments, and the user who needs none, so that a busy client costs one look-up every few seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_kernel::{Actor, Timestamp, id::ApiKeyId};

use crate::store::KeyRow;

/// How long another process may go on using a key after it was revoked, or a membership after it was changed, where it does not
/// hear of that (`told.rs`).
pub(crate) const LIFE: Duration = Duration::from_secs(5);
/// More keys than any installation uses within seconds; beyond it the cache starts again.
const SIZE: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    keys: HashMap<String, (KeyRow, Timestamp)>,
    /// The single user on loopback; nobody, where they were removed.
    local: Option<(Option<Actor>, Timestamp)>,
    /// Grows with every change to keys or members: what was read before it may not be kept.
    generation: u64,
    used: HashMap<ApiKeyId, Timestamp>,
}

impl KeyCache {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, lookup: &str, now: Timestamp) -> Option<KeyRow> {
        let inner = self.lock();
        let (row, read) = inner.keys.get(lookup)?;
        is_fresh(*read, now).then(|| row.clone())
    }

    pub(crate) fn local(&self, now: Timestamp) -> Option<Option<Actor>> {
        let inner = self.lock();
        let (local, read) = inner.local.as_ref()?;
        is_fresh(*read, now).then(|| local.clone())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    pub(crate) fn put(&self, lookup: &str, row: &KeyRow, (now, generation): (Timestamp, u64)) {
        let mut inner = self.lock();
        if inner.generation != generation {
            return;
        }
        if inner.keys.len() >= SIZE {
            inner.keys.clear();
        }
        inner.keys.insert(lookup.to_owned(), (row.clone(), now));
    }

    pub(crate) fn put_local(&self, local: Option<Actor>, (now, generation): (Timestamp, u64)) {
        let mut inner = self.lock();
        if inner.generation == generation {
            inner.local = Some((local, now));
        }
    }

    pub(crate) fn forget_all(&self) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.keys.clear();
        inner.local = None;
    }

    pub(crate) fn mark_used(&self, key: ApiKeyId, now: Timestamp) {
        self.lock().used.insert(key, now);
    }

    pub(crate) fn take_used(&self) -> HashMap<ApiKeyId, Timestamp> {
        std::mem::take(&mut self.lock().used)
    }
}

/// A clock that was set back must not make an entry live longer.
fn is_fresh(read: Timestamp, now: Timestamp) -> bool {
    read <= now && now.since(read) < LIFE
}
