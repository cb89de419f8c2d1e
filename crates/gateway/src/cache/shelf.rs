//! Answers in memory, bounded by bytes; what was longest not asked for goes first. Whoever asks says what time it is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use mainspring_kernel::Digest;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, EmbedAnswer, Event, RerankAnswer},
};
use tokio::time::Instant;

/// Questions compared with a new one at most.
const GROUP_MAX: usize = 1_000;

/// An answer that is given again.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kept: Kept,
    fresh_until: Instant,
    gone_at: Instant,
    /// Somebody fetches a new one.
    refreshing: AtomicBool,
}

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) body: KeptBody,
    pub(crate) provider: String,
    pub(crate) target: String,
    pub(crate) lost: Vec<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) usage: Option<TokenUsage>,
}

#[derive(Debug, Clone)]
pub(crate) enum KeptBody {
    Bytes(Bytes),
    /// A stream, in one piece.
    Stream(Bytes),
    Answer(Box<Answer>),
    Events(Vec<Event>),
    Embedded(EmbedAnswer),
    Reranked(RerankAnswer),
}

/// Where an entry goes, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) exact: Digest,
    /// The group of questions it may answer too, and its own question as a vector of length one.
    pub(crate) alike: Option<(Digest, Vec<f32>)>,
    pub(crate) ttl: Duration,
    pub(crate) stale_for: Duration,
}

/// An answer that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) entry: Arc<Entry>,
    pub(crate) stale: bool,
}

#[derive(Debug)]
pub(crate) struct Shelf {
    bytes_max: usize,
    bytes: usize,
    slots: HashMap<Digest, Slot>,
    /// By when they were last asked for.
    used: BTreeMap<u64, Digest>,
    groups: HashMap<Digest, Vec<Digest>>,
    ticks: u64,
}

#[derive(Debug)]
struct Slot {
    entry: Arc<Entry>,
    alike: Option<(Digest, Vec<f32>)>,
    bytes: usize,
    tick: u64,
}

impl Entry {
    /// Whether whoever asks is the one to fetch a new answer.
    pub(crate) fn claim_refresh(&self) -> bool {
        !self.refreshing.swap(true, Ordering::AcqRel)
    }

    /// The new answer did not come: the next one who asks may try.
    pub(crate) fn release_refresh(&self) {
        self.refreshing.store(false, Ordering::Release);
    }
}

impl Shelf {
    pub(crate) fn of(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, slots: HashMap::new(), used: BTreeMap::new(), groups: HashMap::new(), ticks: 0 }
    }

    pub(crate) fn find(&mut self, exact: &Digest, now: Instant) -> Option<Found> {
        let entry = Arc::clone(&self.slots.get(exact)?.entry);
        if now >= entry.gone_at {
            self.remove(exact);
            return None;
        }
        self.touch(exact);
        Some(Found { stale: now >= entry.fresh_until, entry })
    }

    /// The answer to the question of the group that is most like this one, if it is alike enough.
    pub(crate) fn find_alike(&mut self, group: &Digest, question: &[f32], threshold: f64, now: Instant) -> Option<Found> {
        let members = self.groups.get(group)?;
        let scored = members.iter().filter_map(|digest| {
            let slot = self.slots.get(digest)?;
            let (_, vector) = slot.alike.as_ref()?;
            (now < slot.entry.gone_at).then(|| (cosine(vector, question), *digest))
        });
        let (best, digest) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (f64::from(best) >= threshold).then(|| self.find(&digest, now)).flatten()
    }

    /// Keeps an answer in place of an older one for the same request.
    pub(crate) fn put(&mut self, place: Place, kept: Kept, now: Instant) {
        let Place { exact, alike, ttl, stale_for } = place;
        // A newer answer to the same question stays in its group.
        let alike = alike.or(self.remove(&exact).and_then(|old| old.alike));
        let bytes = weight(&kept) + alike.as_ref().map_or(0, |(_, vector)| vector.len() * 4);
        if bytes > self.bytes_max / 8 {
            return;
        }
        while self.bytes + bytes > self.bytes_max
            && let Some((_, oldest)) = self.used.first_key_value()
        {
            let oldest = *oldest;
            self.remove(&oldest);
        }
        if let Some((group, _)) = &alike {
            let full =
                self.groups.get(group).filter(|members| members.len() >= GROUP_MAX).and_then(|members| members.first().copied());
            if let Some(first) = full {
                self.remove(&first);
            }
            self.groups.entry(*group).or_default().push(exact);
        }
        let (fresh_until, gone_at) = (now + ttl, now + ttl + stale_for);
        let entry = Arc::new(Entry { kept, fresh_until, gone_at, refreshing: AtomicBool::new(false) });
        self.ticks += 1;
        self.used.insert(self.ticks, exact);
        self.slots.insert(exact, Slot { entry, alike, bytes, tick: self.ticks });
        self.bytes += bytes;
    }

    fn touch(&mut self, exact: &Digest) {
        self.ticks += 1;
        if let Some(slot) = self.slots.get_mut(exact) {
            self.used.remove(&slot.tick);
            slot.tick = self.ticks;
            self.used.insert(self.ticks, *exact);
        }
    }

    fn remove(&mut self, exact: &Digest) -> Option<Slot> {
        let slot = self.slots.remove(exact)?;
        self.used.remove(&slot.tick);
        self.bytes -= slot.bytes;
        if let Some((group, _)) = &slot.alike
            && let Some(members) = self.groups.get_mut(group)
        {
            members.retain(|member| member != exact);
            if members.is_empty() {
                self.groups.remove(group);
            }
        }
        Some(slot)
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> (usize, usize, usize, usize) {
        (self.bytes, self.slots.len(), self.used.len(), self.groups.values().map(Vec::len).sum())
    }
}

/// Of vectors of length one.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() { -1.0 } else { a.iter().zip(b).map(|(a, b)| a * b).sum() }
}

/// About how many bytes an answer takes.
pub(crate) fn weight(kept: &Kept) -> usize {
    let body = match &kept.body {
        KeptBody::Bytes(bytes) | KeptBody::Stream(bytes) => bytes.len(),
        KeptBody::Answer(answer) => answer_weight(answer),
        KeptBody::Events(events) => events.iter().map(event_weight).sum(),
        KeptBody::Embedded(answer) => answer.vectors.iter().map(|vector| vector.len() * 4 + 24).sum(),
        KeptBody::Reranked(answer) => answer.results.len() * 16,
    };
    // The entry itself, its headers and its places in the indexes.
    body + 1_024
}

fn answer_weight(answer: &Answer) -> usize {
    // As text it is about as large as in memory, and counting it costs less than an answer is worth.
    format!("{answer:?}").len()
}

pub(crate) fn event_weight(event: &Event) -> usize {
    let text = match event {
        Event::Text { text, logprobs, .. } => text.len() + logprobs.as_ref().map_or(0, |value| value.to_string().len()),
        Event::Refusal { text, .. } | Event::Reasoning { text, .. } => text.len(),
        Event::ReasoningDone { signature, sealed, .. } => {
            signature.as_ref().map_or(0, String::len) + sealed.as_ref().map_or(0, String::len)
        }
        Event::Arguments { fragment, .. } => fragment.len(),
        Event::Other { value, .. } => value.to_string().len(),
        Event::Began { .. } | Event::ToolCall { .. } | Event::Finished { .. } | Event::Usage(_) | Event::Ping | Event::Ended => {
            32
        }
    };
    text + size_of::<Event>()
}
