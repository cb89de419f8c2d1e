//! Paging by cursor: a page names where the next one starts, so rows written meanwhile shift nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub const LIMIT_DEFAULT: usize = 50;
pub const LIMIT_MAX: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    limit: usize,
    cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    #[error("`limit` must be 1 to {LIMIT_MAX}, not {given}")]
    Limit { given: usize },
    #[error("`cursor` is not one this list gave out")]
    Cursor,
}

impl PageRequest {
    pub fn new(limit: Option<usize>, cursor: Option<String>) -> Result<Self, PageFault> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if limit == 0 || limit > LIMIT_MAX {
            return Err(PageFault::Limit { given: limit });
        }
        Ok(Self { limit, cursor })
    }

    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { limit: limit.clamp(1, LIMIT_MAX), cursor: None }
    }

    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The key the page starts after, as the list's own key type.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, PageFault> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| PageFault::Cursor)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| PageFault::Cursor)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give this back as `cursor` for the page after; absent on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` items: the extra one only says that there are more.
    pub fn from_overfetch<K: Serialize>(mut items: Vec<T>, request: &PageRequest, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > request.limit;
        items.truncate(request.limit);
        let next = if more { items.last().map(|last| cursor(&key(last))) } else { None };
        Self { items, next }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// Encodes a key as an opaque cursor.
pub fn cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}
