//! What surfaces of every dialect read from headers and tell in them.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use mainspring_llm::{Told, TraceId};

use crate::{
    bill::Bill,
    service::{Answered, CacheWish},
};

/// Some clients take 16 KiB of headers in all.
const LOST_MOST: usize = 4096;
const FIELD_MOST: usize = 200;

const PROVIDER: &str = "x-mainspring-provider";
const MODEL: &str = "x-mainspring-model";
const ATTEMPTS: &str = "x-mainspring-attempts";
const TRACE: &str = "x-mainspring-trace-id";
const CACHE: HeaderName = HeaderName::from_static("x-mainspring-cache");

/// What the body is, is said by whoever writes it.
const OF_THE_BODY: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRANSFER_ENCODING];

/// Fields that were left behind, in one line that may stand in a header: clients choose their names. What does not fit is
/// counted.
pub(crate) fn line(lost: &[String]) -> String {
    let mut line = String::new();
    for (index, field) in lost.iter().enumerate() {
        if line.len() > LOST_MOST {
            line.push_str(&format!(", and {} more", lost.len() - index));
            break;
        }
        if index > 0 {
            line.push_str(", ");
        }
        for letter in field.chars().take(FIELD_MOST) {
            match letter {
                ' '..='~' => line.push(letter),
                other => line.extend(other.escape_unicode()),
            }
        }
    }
    line
}

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
            ("x-mainspring-usage", self.usage.map(|usage| usage.marks().into_owned())),
            ("x-mainspring-lost", (!self.lost.is_empty()).then(|| line(&self.lost))),
        ];
        for (name, fact) in facts {
            if let Some(value) = fact.and_then(|fact| HeaderValue::from_str(&fact).ok()) {
                told.insert(HeaderName::from_static(name), value);
            }
        }
        told
    }
}

/// Tells of a call that failed where the rest of it stands, and once it was let in, how many attempts there were and whose
/// fault it is, or who was asked last.
pub(crate) fn failed(told: &Told, trace: TraceId, bill: Option<&Bill>) {
    told.say(TRACE, &trace.to_string());
    let Some((asked, attempts)) = bill.map(Bill::asked) else { return };
    told.say(ATTEMPTS, &attempts.to_string());
    if let Some((provider, target)) = asked {
        told.say(PROVIDER, &provider);
        told.say(MODEL, &target);
    }
}

#[cfg(test)]
mod tests {
    use super::{LOST_MOST, line};

    #[test]
    fn what_clients_name_as_they_like_stands_in_one_line_that_ends() {
        let lost = |names: &[&str]| line(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(lost(&["seed", "messages[0].größe\n"]), "seed, messages[0].gr\\u{f6}\\u{df}e\\u{a}");
        let many: Vec<String> = (0..5000).map(|index| format!("messages[{index}].novel")).collect();
        let line = line(&many);
        assert!(line.len() < LOST_MOST + 100 && line.starts_with("messages[0].novel, messages[1].novel, "), "{line}");
        let named = line.matches("novel").count();
        assert!(line.ends_with(&format!(", and {} more", 5000 - named)), "{line}");
        let long = "x".repeat(100_000);
        assert!(lost(&[&long]).len() < LOST_MOST);
    }
}
