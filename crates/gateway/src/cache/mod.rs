//! Answers that are given again. Never across projects, versions of routes and apps, or access labels; kept in memory only.

mod digits;
mod key;
mod shelf;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use mainspring_llm::{Models, TokenUsage, embed::EmbedAs, exchange::Event};
use tokio::time::Instant;

use crate::{
    asked::Asked,
    duration::Span,
    route,
    service::{Body, CacheOutcome, CacheWish},
};
use key::{Keys, Scope};
pub(crate) use shelf::{Found, Kept, KeptBody};
use shelf::{Place, Shelf};

#[cfg(test)]
mod tests;

/// All answers together.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// One answer.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Cache {
    shelf: Mutex<Shelf>,
    models: Models,
    /// Of semantic caches that name none.
    embedding: String,
}

/// What a look into the cache gave.
#[derive(Debug)]
pub(crate) enum Look {
    /// The route has none, the client wants none, or this request is not to be kept.
    Off,
    /// Nobody asked exactly this before.
    Miss(Sought),
    Hit(Found),
}

impl Look {
    /// As far as it is known before questions are compared.
    pub(crate) const fn outcome(&self) -> CacheOutcome {
        match self {
            Self::Off => CacheOutcome::Off,
            Self::Miss(_) => CacheOutcome::Miss,
            Self::Hit(found) if found.stale => CacheOutcome::Stale,
            Self::Hit(_) => CacheOutcome::Hit,
        }
    }
}

/// A request that nobody made before, and what of it others may be like.
#[derive(Debug)]
pub(crate) struct Sought {
    keys: Keys,
    ttl: Duration,
    stale_for: Duration,
}

/// What comparing a request with others gave.
#[derive(Debug)]
pub(crate) enum Compared {
    Miss(Slot),
    Alike(Found),
}

/// Where the answer to one request goes.
#[derive(Debug, Clone)]
pub(crate) struct Slot(Place);

impl Cache {
    pub(crate) fn new(models: Models, embedding: String) -> Self {
        Self { shelf: Mutex::new(Shelf::of(BYTES_MAX)), models, embedding }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for an answer to exactly this request. Nothing is computed for it.
    pub(crate) fn look(&self, asked: &Asked) -> Look {
        let request = &asked.request;
        let Some(rules) = asked.route.spec.cache.as_ref().filter(|_| request.cache != CacheWish::Bypass) else {
            return Look::Off;
        };
        let scope = Scope {
            caller: &request.caller,
            app_version: request.version.as_deref(),
            user: request.peeked.user.as_deref(),
            labels: &request.labels,
            route: &asked.route.shown,
            named: &asked.named,
            version: &asked.route.digest,
            operation: request.operation,
            said_in: request.said_in,
            headers: &request.headers,
        };
        let Some(keys) = key::keys(&scope, rules, &request.body) else { return Look::Off };
        if answers(asked)
            && let Some(found) = self.lock().find(&keys.exact, Instant::now())
        {
            return Look::Hit(found);
        }
        let stale_for = rules.stale_for.map(Span::as_duration).unwrap_or_default();
        Look::Miss(Sought { keys, ttl: rules.ttl.as_duration(), stale_for })
    }

    /// Looks for an answer to a request that is like this one, where the route says so.
    pub(crate) async fn compare(&self, asked: &Asked, sought: Sought) -> Compared {
        let Sought { keys: Keys { exact, alike }, ttl, stale_for } = sought;
        let slot = |alike| Compared::Miss(Slot(Place { exact, alike, ttl, stale_for }));
        let Some(((group, words), rules)) = alike.zip(asked.route.spec.cache.as_ref()) else { return slot(None) };
        let Some(vector) = self.embed(rules, words, asked).await else { return slot(None) };
        if answers(asked)
            && let Some(found) =
                self.lock().find_alike(&group, &vector, rules.threshold, Instant::now()).filter(|found| !found.stale)
        {
            return Compared::Alike(found);
        }
        slot(Some((group, vector)))
    }

    /// A route whose embedding model does not answer has an exact cache until it does.
    async fn embed(&self, rules: &route::Cache, words: String, asked: &Asked) -> Option<Vec<f32>> {
        let name = rules.embedding.as_deref().unwrap_or(&self.embedding);
        let embedded = match self.models.embedder(name) {
            Ok(model) => model.embed(vec![words], EmbedAs::Query, asked.request.budget).await,
            Err(fault) => Err(fault),
        };
        match embedded {
            Ok(embedded) => embedded.vectors.into_iter().next(),
            Err(fault) => {
                tracing::warn!(route = %asked.route.shown, %fault, "the semantic cache cannot compare questions");
                None
            }
        }
    }

    fn put(&self, slot: Slot, kept: Kept) {
        self.lock().put(slot.0, kept, Instant::now());
    }
}

/// Whether the client takes an answer that was given before.
fn answers(asked: &Asked) -> bool {
    asked.request.cache == CacheWish::AsConfigured
}

impl Kept {
    /// The answer as a body again; a stream comes at once.
    pub(crate) fn body(&self) -> Body {
        match &self.body {
            KeptBody::Bytes(bytes) => Body::Bytes(bytes.clone()),
            KeptBody::Stream(bytes) => {
                let bytes = bytes.clone();
                Body::Chunks(Box::pin(futures::stream::once(std::future::ready(Ok(bytes)))))
            }
            KeptBody::Answer(answer) => Body::Answer(answer.clone()),
            KeptBody::Events(events) => {
                let events: Vec<_> = events.iter().cloned().map(Ok).collect();
                Body::Events(Box::pin(futures::stream::iter(events)))
            }
            KeptBody::Embedded(answer) => Body::Embedded(answer.clone()),
            KeptBody::Reranked(answer) => Body::Reranked(answer.clone()),
        }
    }
}

/// Collects an answer on its way to the client and keeps it once it is complete.
#[derive(Debug)]
pub(crate) struct Keeper {
    cache: Arc<Cache>,
    slot: Slot,
    kept: Kept,
    bytes: Vec<u8>,
    events: Vec<Event>,
    weight: usize,
}

impl Keeper {
    pub(crate) fn new(
        cache: Arc<Cache>,
        slot: Slot,
        (provider, target): (String, String),
        (lost, headers): (Vec<String>, HeaderMap),
    ) -> Self {
        let body = KeptBody::Bytes(Bytes::new());
        let kept = Kept { body, provider, target, lost, headers, usage: None };
        Self { cache, slot, kept, bytes: Vec::new(), events: Vec::new(), weight: 0 }
    }

    pub(crate) fn bytes(&mut self, piece: &[u8]) {
        self.weight += piece.len();
        if self.weight <= ANSWER_MAX {
            self.bytes.extend_from_slice(piece);
        } else {
            self.bytes = Vec::new();
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.weight += shelf::event_weight(event);
        if self.weight <= ANSWER_MAX {
            self.events.push(event.clone());
        } else {
            self.events = Vec::new();
        }
    }

    /// A stream is complete.
    pub(crate) fn finish(mut self) {
        if self.weight > ANSWER_MAX {
            return;
        }
        self.kept.body = if self.events.is_empty() { KeptBody::Stream(self.bytes.into()) } else { KeptBody::Events(self.events) };
        self.cache.put(self.slot, self.kept);
    }

    /// An answer came whole.
    pub(crate) fn keep(mut self, body: &Body, usage: Option<TokenUsage>) {
        self.kept.body = match body {
            Body::Bytes(bytes) => KeptBody::Bytes(bytes.clone()),
            Body::Answer(answer) => KeptBody::Answer(answer.clone()),
            Body::Embedded(answer) => KeptBody::Embedded(answer.clone()),
            Body::Reranked(answer) => KeptBody::Reranked(answer.clone()),
            Body::Chunks(_) | Body::Events(_) => return,
        };
        self.kept.usage = usage;
        if shelf::weight(&self.kept) <= ANSWER_MAX {
            self.cache.put(self.slot, self.kept);
        }
    }
}
