//! What surfaces of every dialect read from headers and tell in them.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use mainspring_llm::{Told, TraceId};

use crate::{
    bill::Bill,
    service::{Answered, CacheWish},
};

const PROVIDER: &str = "x-mainspring-provider";
const MODEL: &str = "x-mainspring-model";
const ATTEMPTS: &str = "x-mainspring-attempts";
const TRACE: &str = "x-mainspring-trace-id";
const CACHE: HeaderName = HeaderName::from_static("x-mainspring-cache");

/// What the body is, is said by whoever writes it.
const OF_THE_BODY: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRANSFER_ENCODING];

impl CacheWish {
    /// By `x-mainspring-cache`, or else by `cache-control`.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let said = headers.get(&CACHE).or_else(|| headers.get(header::CACHE_CONTROL));
        let said = said.and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        let has = |word: &str| said.split(',').any(|part| part.trim() == word);
        if has("no-store") {
            Self::Bypass
        } else if has("no-cache") {
            Self::Refresh
        } else {
            Self::AsConfigured
        }
    }
}

impl Answered {
    /// Everything that clients are told beside the body, as headers: the provider's own, limits, and what became of the call.
    #[must_use]
    pub fn told(&self) -> HeaderMap {
        let mut told = HeaderMap::new();
        for (name, value) in self.headers.iter().filter(|(name, _)| !OF_THE_BODY.contains(name)) {
            told.append(name, value.clone());
        }
        let facts = [
            (PROVIDER, Some(self.provider.clone())),
            (MODEL, Some(self.target.clone())),
            (ATTEMPTS, Some(self.attempts.to_string())),
            ("x-mainspring-cache", Some(self.cache.as_str().to_owned())),
            ("x-mainspring-cost", self.cost.map(|cost| cost.to_string())),
            // Where the numbers come from: the provider, our own count or a guess.
            ("x-mainspring-usage", self.usage.map(|usage| usage.input_from.max(usage.output_from).as_str().to_owned())),
            ("x-mainspring-lost", (!self.lost.is_empty()).then(|| self.lost.join(", "))),
        ];
        for (name, fact) in facts {
            if let Some(value) = fact.and_then(|fact| HeaderValue::from_str(&fact).ok()) {
                told.insert(HeaderName::from_static(name), value);
            }
        }
        told
    }
}

/// Tells of a call that failed where the rest of it stands, and once it was let in, how many attempts there were and who was
/// asked last.
pub(crate) fn failed(told: &Told, trace: TraceId, bill: Option<&Bill>) {
    told.say(TRACE, &trace.to_string());
    let Some((asked, attempts)) = bill.map(Bill::asked) else { return };
    told.say(ATTEMPTS, &attempts.to_string());
    if let Some((provider, target)) = asked {
        told.say(PROVIDER, &provider);
        told.say(MODEL, &target);
    }
}
