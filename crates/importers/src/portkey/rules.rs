//! What a node says beside its targets: retries, times, caches, which faults lead on.

use mainspring_gateway::{Breaker, Cache, CacheMode, Retry, Span, Sticky};
use mainspring_providers::FaultClass;
use serde_json::{Map, Value};

use crate::{
    draft::{self, Draft},
    read::{self, Table},
};

/// Retried where nothing is said.
const RETRIED: [u64; 5] = [429, 500, 502, 503, 504];
/// How long answers are kept where nothing is said: a week.
const KEPT_FOR: f64 = 604_800.0;
/// Whatever the status, the next target is asked.
const ANY: [FaultClass; 15] = [
    FaultClass::Connect,
    FaultClass::Timeout,
    FaultClass::Reset,
    FaultClass::Malformed,
    FaultClass::RateLimited,
    FaultClass::Overloaded,
    FaultClass::Server,
    FaultClass::Auth,
    FaultClass::Quota,
    FaultClass::NotFound,
    FaultClass::ContextWindow,
    FaultClass::Invalid,
    FaultClass::ContentFilter,
    FaultClass::Unsupported,
    FaultClass::TooLarge,
];

/// What parents hand on to the targets below them.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    pub(super) fields: Map<String, Value>,
    /// What holds for a target is what is said nearest above it.
    pub(super) retry: Option<Retry>,
    pub(super) cache: Option<Cache>,
    pub(super) time: Option<Span>,
}

/// What is gathered on the way through the tree.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) breaker: Option<Breaker>,
    /// Of every fallback: its classes.
    pub(super) falls: Vec<Vec<FaultClass>>,
    pub(super) divided: bool,
    pub(super) sticky: Option<Sticky>,
}

/// Reads what a node says for all below it.
pub(super) fn settings(draft: &mut Draft, node: &mut Table, inherited: &mut Inherited) {
    if let Some(mut retry) = node.table("retry") {
        let attempts = retry.whole("attempts").unwrap_or(0);
        let codes = codes(&mut retry).unwrap_or_else(|| RETRIED.to_vec());
        let mut on: Vec<FaultClass> = Vec::new();
        for class in codes.iter().filter_map(|code| draft::class(*code)) {
            if !on.contains(&class) {
                on.push(class);
            }
        }
        for field in ["use_retry_after_header", "use_retry_after_headers"] {
            if retry.truth(field) == Some(false) {
                draft.different(retry.at(field), "a provider's `Retry-After` is always obeyed");
            }
        }
        let path = retry.path.clone();
        for (field, _) in retry.rest() {
            draft.missing(read::joined(&path, &field), "this has no equivalent");
        }
        inherited.retry = Some(Retry { attempts: draft::retries(attempts), on, ..Retry::default() });
    }
    if let Some(found) = cache(draft, node) {
        inherited.cache = Some(found);
    }
    inherited.time = node.number("request_timeout").and_then(draft::millis).or(inherited.time);
    for field in ["custom_host", "api_key", "provider", "virtual_key", "resource_name", "api_version"] {
        // Only where there are targets below; a target's own fields are its own.
        if node.has("targets")
            && let Some(value) = node.take(field)
        {
            inherited.fields.insert(field.to_owned(), value);
        }
    }
    // What is said further down comes before what is said above it.
    if let Some(Value::Object(own)) = node.take("override_params") {
        let all = inherited.fields.entry("override_params").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(all) = all {
            all.extend(own);
        }
    }
}

fn cache(draft: &mut Draft, node: &mut Table) -> Option<Cache> {
    let path = node.at("cache");
    let (mode, age) = match node.take("cache")? {
        Value::String(mode) => (mode, None),
        value => {
            let mut table = Table::of(&path, value)?;
            (table.text("mode").unwrap_or_default(), table.number("max_age"))
        }
    };
    let mode = match mode.as_str() {
        "simple" => CacheMode::Exact,
        "semantic" => CacheMode::Semantic,
        _ => {
            draft.missing(path, "a cache is `simple` or `semantic`");
            return None;
        }
    };
    if mode == CacheMode::Semantic {
        draft.different(&path, "questions are compared by the server's own embedding model, above a `threshold` of 0.95");
    }
    draft.different(path, "answers are kept in this process's memory, for each project by itself");
    Some(draft::cache(mode, draft::seconds(age.unwrap_or(KEPT_FOR))?))
}

fn codes(table: &mut Table) -> Option<Vec<u64>> {
    Some(table.list("on_status_codes")?.iter().filter_map(read::whole).collect())
}

/// Which faults lead on. Where no answer came the next target is always asked.
pub(super) fn fallback(draft: &mut Draft, strategy: &mut Table) -> Vec<FaultClass> {
    let path = strategy.at("on_status_codes");
    let Some(codes) = codes(strategy) else { return ANY.to_vec() };
    let mut on =
        vec![FaultClass::Connect, FaultClass::Timeout, FaultClass::Reset, FaultClass::Malformed, FaultClass::Unsupported];
    for code in codes {
        match draft::class(code) {
            Some(class) if !on.contains(&class) => on.push(class),
            Some(_) => {}
            None if matches!(code, 246 | 446) => draft.missing(&path, format!("{code} is what Portkey's guards answer")),
            None => draft.missing(&path, format!("{code} is no fault here")),
        }
    }
    on
}

/// Whose calls stay at one target.
pub(super) fn sticky(draft: &mut Draft, strategy: &mut Table) -> Option<Sticky> {
    let mut said = strategy.table("sticky")?;
    if said.truth("enabled") != Some(true) {
        return None;
    }
    let fields = said.texts("hash_fields").unwrap_or_default();
    let any = |words: &[&str]| fields.iter().any(|field| words.iter().any(|word| field.contains(word)));
    let sticky = match () {
        () if any(&["session", "thread", "conversation", "trace"]) => Sticky::Session,
        () if any(&["user"]) => Sticky::User,
        () => {
            draft.missing(
                &said.path,
                "calls are kept at one target by the conversation, the user or the key, and by nothing else",
            );
            return None;
        }
    };
    draft.different(
        &said.path,
        "what calls are kept together by is the conversation or the user, and for as long as the target is well",
    );
    Some(sticky)
}

pub(super) fn breaker(draft: &mut Draft, strategy: &mut Table, rules: &mut Rules) {
    let Some(mut said) = strategy.table("cb_config") else { return };
    let mut breaker = Breaker::default();
    if let Some(percent) =
        said.number("failure_threshold_percentage").filter(|percent| (0.0..=100.0).contains(percent) && *percent > 0.0)
    {
        breaker.failure_rate = percent / 100.0;
    }
    let count = said.whole("minimum_requests").or_else(|| said.whole("failure_threshold"));
    if let Some(count) = count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0) {
        breaker.min_attempts = count;
    }
    if let Some(rest) = said.number("cooldown_interval").and_then(draft::millis) {
        breaker.open_for = rest;
    }
    draft.different(&said.path, "a breaker opens by the share of attempts that failed within its window, whatever their status");
    rules.breaker.get_or_insert(breaker);
}
