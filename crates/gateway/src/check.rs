//! What a route's spec must not say, found before it is stored.

use std::collections::{BTreeMap, BTreeSet};

use crate::route::{Breaker, Cache, Hedge, HedgeAfter, Problems, Retry, RouteSpec, Target, Timeouts};

const TARGETS_MAX: usize = 64;
const MODELS_MAX: usize = 64;
const MODEL_BYTES_MAX: usize = 200;
const RETRIES_MAX: u32 = 10;
/// The gateway writes these itself.
const RESERVED: [&str; 8] = ["model", "messages", "input", "prompt", "stream", "stream_options", "background", "mainspring"];

/// Collects problems under the place they stand at.
#[derive(Default)]
struct Found(Problems);

impl Found {
    fn unless(&mut self, holds: bool, place: impl Into<String>, problem: &str) {
        if !holds {
            self.0.entry(place.into()).or_insert_with(|| problem.to_owned());
        }
    }
}

impl RouteSpec {
    /// Everything wrong with it, by the place in the spec; nothing if it can be used.
    #[must_use]
    pub fn validate(&self) -> Problems {
        let mut found = Found::default();
        models(&mut found, &self.models);
        targets(&mut found, self);
        retry(&mut found, &self.retry);
        timeouts(&mut found, &self.timeouts);
        breaker(&mut found, &self.breaker);
        if let Some(rules) = &self.hedge {
            hedge(&mut found, rules, self.targets.len());
        }
        if let Some(rules) = &self.cache {
            cache(&mut found, rules);
        }
        found.0
    }
}

fn models(found: &mut Found, models: &[String]) {
    found.unless(models.len() <= MODELS_MAX, "models", "at most 64 further names");
    let mut seen = BTreeSet::new();
    for (index, name) in models.iter().enumerate() {
        let place = format!("models[{index}]");
        let stem = name.strip_suffix('*').unwrap_or(name);
        found.unless(!name.is_empty() && name.len() <= MODEL_BYTES_MAX, &place, "a name has 1 to 200 characters");
        found.unless(!stem.contains('*'), &place, "`*` may stand at the end only");
        found.unless(!name.chars().any(|letter| letter.is_control() || letter.is_whitespace()), &place, "a name has no spaces");
        found.unless(seen.insert(name), &place, "this name is given twice");
    }
}

fn targets(found: &mut Found, spec: &RouteSpec) {
    found.unless(!spec.targets.is_empty(), "targets", "a route needs a target");
    found.unless(spec.targets.len() <= TARGETS_MAX, "targets", "at most 64 targets");
    let mut weights: BTreeMap<u32, u64> = BTreeMap::new();
    for (index, each) in spec.targets.iter().enumerate() {
        *weights.entry(each.tier).or_default() += u64::from(each.weight);
        target(found, each, &format!("targets[{index}]"), !spec.models.is_empty());
    }
    if let Some(lowest) = weights.keys().next() {
        for (index, each) in spec.targets.iter().enumerate() {
            let place = format!("targets[{index}].on");
            found.unless(
                each.on.is_empty() || each.tier > *lowest,
                place,
                "nobody has failed yet where it is asked: give it a higher `tier`",
            );
        }
    }
    for (tier, weight) in weights {
        let place = spec.targets.iter().position(|target| target.tier == tier).unwrap_or(0);
        found.unless(weight > 0, format!("targets[{place}].weight"), "all targets of this tier have the weight zero");
        found.unless(weight <= u64::from(u32::MAX), format!("targets[{place}].weight"), "the weights of this tier are too large");
    }
}

fn target(found: &mut Found, target: &Target, place: &str, named: bool) {
    let Target { provider: _, model, weight: _, tier: _, on: _, parameters, context_window, max_output_tokens, price_as } =
        target;
    let named = model.as_ref().map_or(named, |model| !model.trim().is_empty());
    found.unless(named, format!("{place}.model"), "say which model, or give the route `models` whose names are handed on");
    for name in RESERVED.iter().filter(|name| parameters.contains_key(**name)) {
        found.unless(false, format!("{place}.parameters.{name}"), "this field comes from the request");
    }
    found.unless(*context_window != Some(0), format!("{place}.context_window"), "more than zero");
    found.unless(*max_output_tokens != Some(0), format!("{place}.max_output_tokens"), "more than zero");
    let priced = price_as.as_ref().is_none_or(|name| !name.trim().is_empty());
    found.unless(priced, format!("{place}.price_as"), "a name, or nothing");
}

fn retry(found: &mut Found, retry: &Retry) {
    let Retry { attempts, backoff, max_backoff, on: _ } = retry;
    found.unless(*attempts <= RETRIES_MAX, "retry.attempts", "at most 10");
    found.unless(backoff <= max_backoff, "retry.backoff", "at most `max_backoff`");
}

fn timeouts(found: &mut Found, timeouts: &Timeouts) {
    let Timeouts { connect, first, whole, idle, attempt, total } = timeouts;
    let given = [("first", first), ("whole", whole)].into_iter().filter_map(|(name, span)| Some((name, span.as_ref()?)));
    let spans = [("connect", connect), ("idle", idle), ("attempt", attempt), ("total", total)];
    for (name, span) in spans.into_iter().chain(given) {
        found.unless(!span.is_zero(), format!("timeouts.{name}"), "more than zero");
    }
}

fn breaker(found: &mut Found, breaker: &Breaker) {
    let Breaker { failure_rate, min_attempts, window, open_for, probes } = breaker;
    found.unless(*failure_rate > 0.0 && *failure_rate <= 1.0, "breaker.failure_rate", "above 0 and at most 1");
    found.unless(*min_attempts > 0, "breaker.min_attempts", "at least 1");
    found.unless(*probes > 0, "breaker.probes", "at least 1");
    found.unless(!window.is_zero(), "breaker.window", "more than zero");
    found.unless(!open_for.is_zero(), "breaker.open_for", "more than zero");
}

fn hedge(found: &mut Found, hedge: &Hedge, targets: usize) {
    let Hedge { after, at_most } = hedge;
    found.unless(targets > 1, "hedge", "a second attempt goes to another target, and there is only one");
    found.unless((0.0..=1.0).contains(at_most), "hedge.at_most", "from 0 to 1");
    if let HedgeAfter::Span(span) = after {
        found.unless(!span.is_zero(), "hedge.after", "more than zero");
    }
}

fn cache(found: &mut Found, cache: &Cache) {
    let Cache { mode: _, ttl, stale_for: _, threshold, embedding, sampled: _, per_user: _ } = cache;
    found.unless(!ttl.is_zero(), "cache.ttl", "more than zero");
    found.unless((0.0..=1.0).contains(threshold), "cache.threshold", "from 0 to 1");
    let named = embedding.as_ref().is_none_or(|name| !name.trim().is_empty());
    found.unless(named, "cache.embedding", "a name, or nothing");
}
