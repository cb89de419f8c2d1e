//! Parsed texts in memory, for passages that are larger than their chunk. Bounded by bytes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mainspring_kernel::Digest;
use mainspring_parsers::ParsedDocument;

/// A parsed text as far as searches need it: its words, and where in it pages begin.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    words: Arc<str>,
    /// Ascending; from each place on, the page is this one.
    pages: Arc<[(usize, Option<u32>)]>,
}

impl Text {
    pub(crate) fn of(parsed: &ParsedDocument) -> Self {
        let mut pages: Vec<(usize, Option<u32>)> = Vec::new();
        for block in &parsed.blocks {
            if pages.last().map_or(block.page.is_some(), |(_, page)| *page != block.page) {
                pages.push((block.start, block.page));
            }
        }
        Self { words: parsed.text.as_str().into(), pages: pages.into() }
    }

    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// The page a byte stands on, as far as the parser knew it.
    pub(crate) fn page_at(&self, byte: usize) -> Option<u32> {
        let after = self.pages.partition_point(|(start, _)| *start <= byte);
        self.pages.get(after.checked_sub(1)?)?.1
    }

    fn bytes(&self) -> usize {
        self.words.len() + size_of_val(&*self.pages)
    }
}

#[derive(Debug)]
pub(crate) struct Texts {
    limit: usize,
    inner: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    texts: HashMap<Digest, (Text, u64)>,
    bytes: usize,
    clock: u64,
}

impl Texts {
    pub(crate) fn of(limit: usize) -> Self {
        Self { limit, inner: Mutex::default() }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Text> {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let now = shelf.clock;
        shelf.texts.get_mut(digest).map(|(text, used)| {
            *used = now;
            text.clone()
        })
    }

    pub(crate) fn put(&self, digest: Digest, text: Text) {
        // One text that takes up the shelf would push out everything else.
        if text.bytes() > self.limit / 4 {
            return;
        }
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let now = shelf.clock;
        shelf.bytes += text.bytes();
        if let Some((old, _)) = shelf.texts.insert(digest, (text, now)) {
            shelf.bytes -= old.bytes();
        }
        while shelf.bytes > self.limit {
            let oldest = shelf.texts.iter().min_by_key(|(_, (_, used))| *used).map(|(digest, _)| *digest);
            let Some((text, _)) = oldest.and_then(|digest| shelf.texts.remove(&digest)) else { break };
            shelf.bytes -= text.bytes();
        }
    }

    /// A text that was to be forgotten is in no cache either.
    pub(crate) fn forget(&self, digest: &Digest) {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, _)) = shelf.texts.remove(digest) {
            shelf.bytes -= text.bytes();
        }
    }
}
