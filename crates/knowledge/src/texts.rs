//! Parsed texts in memory, for passages that are larger than their chunk. Bounded by bytes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mainspring_kernel::Digest;

#[derive(Debug)]
pub(crate) struct Texts {
    limit: usize,
    inner: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    texts: HashMap<Digest, (Arc<str>, u64)>,
    bytes: usize,
    clock: u64,
}

impl Texts {
    pub(crate) fn of(limit: usize) -> Self {
        Self { limit, inner: Mutex::default() }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<str>> {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let now = shelf.clock;
        shelf.texts.get_mut(digest).map(|(text, used)| {
            *used = now;
            text.clone()
        })
    }

    pub(crate) fn put(&self, digest: Digest, text: Arc<str>) {
        // One text that takes up the shelf would push out everything else.
        if text.len() > self.limit / 4 {
            return;
        }
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let now = shelf.clock;
        shelf.bytes += text.len();
        if let Some((old, _)) = shelf.texts.insert(digest, (text, now)) {
            shelf.bytes -= old.len();
        }
        while shelf.bytes > self.limit {
            let oldest = shelf.texts.iter().min_by_key(|(_, (_, used))| *used).map(|(digest, _)| *digest);
            let Some((text, _)) = oldest.and_then(|digest| shelf.texts.remove(&digest)) else { break };
            shelf.bytes -= text.len();
        }
    }

    /// A text that was to be forgotten is in no cache either.
    pub(crate) fn forget(&self, digest: &Digest) {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, _)) = shelf.texts.remove(digest) {
            shelf.bytes -= text.len();
        }
    }
}
