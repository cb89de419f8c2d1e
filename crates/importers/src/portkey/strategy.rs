//! How calls are divided: a tree there, targets with shares and tiers here.

use std::collections::BTreeSet;

use mainspring_gateway::{Breaker, Cache, CacheMode, Fallback, Retry, Span, Sticky, Target};
use mainspring_providers::FaultClass;
use serde_json::{Map, Value};

use super::{Options, targets};
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
struct Inherited {
    fields: Map<String, Value>,
}

/// A target with its place.
struct Placed {
    target: Target,
    tier: u32,
    share: f64,
}

/// What is gathered on the way through the tree.
#[derive(Default)]
struct Rules {
    retries: Vec<Retry>,
    caches: Vec<Cache>,
    times: BTreeSet<Span>,
    breaker: Option<Breaker>,
    /// Of every fallback: its classes.
    falls: Vec<Vec<FaultClass>>,
    divided: bool,
    sticky: Option<Sticky>,
}

pub(super) fn write(draft: &mut Draft, top: Table, options: Options<'_>) {
    let mut rules = Rules::default();
    let mut others = Vec::new();
    let placed = walk(draft, top, &Inherited::default(), (&mut rules, &mut others), options);
    route(draft, (options.name, placed), &rules);
    for (name, table, inherited) in others {
        let mut rules = Rules::default();
        let mut deeper = Vec::new();
        let placed = walk(draft, table, &inherited, (&mut rules, &mut deeper), options);
        route(draft, (format!("{}-{name}", options.name).as_str(), placed), &rules);
        if !deeper.is_empty() {
            draft.missing("config", "conditions within conditions: the targets below are left out");
        }
    }
}

/// Targets of conditions, which become routes of their own.
type Others = Vec<(String, Table, Inherited)>;

fn walk(
    draft: &mut Draft,
    mut node: Table,
    inherited: &Inherited,
    (rules, others): (&mut Rules, &mut Others),
    options: Options<'_>,
) -> Vec<Placed> {
    let mut inherited = inherited.clone();
    settings(draft, &mut node, (&mut inherited, rules));
    let Some(list) = node.list("targets") else {
        node.merge(inherited.fields);
        let share = node.number("weight").unwrap_or(1.0);
        let target = targets::read(draft, node, options.model);
        return target.map(|target| Placed { target, tier: 0, share }).into_iter().collect();
    };
    let path = node.at("targets");
    let children = list.into_iter().enumerate().filter_map(|(index, value)| Table::of(format!("{path}[{index}]"), value));
    let children: Vec<Table> = children.collect();
    let mut strategy = node.table("strategy").unwrap_or_else(|| Table::empty(node.at("strategy")));
    breaker(draft, &mut strategy, rules);
    let mode = strategy.text("mode").unwrap_or_else(|| "single".to_owned());
    let below = |draft: &mut Draft, child: Table, rules: &mut Rules, others: &mut Others| {
        let share = child.clone().number("weight");
        (share, walk(draft, child, &inherited, (rules, others), options))
    };
    let mut placed = Vec::new();
    match mode.as_str() {
        "loadbalance" | "load-balance" | "load_balance" => {
            rules.divided = true;
            rules.sticky = rules.sticky.or(sticky(draft, &mut strategy));
            for child in children {
                let (share, inside) = below(draft, child, rules, others);
                divide(draft, &mut placed, (share.unwrap_or(1.0), inside), &path);
            }
        }
        "fallback" => {
            rules.falls.push(fallback(draft, &mut strategy));
            for child in children {
                let base = placed.iter().map(|each: &Placed| each.tier + 1).max().unwrap_or(0);
                let (_, inside) = below(draft, child, rules, others);
                placed.extend(inside.into_iter().map(|each| Placed { tier: each.tier + base, ..each }));
            }
        }
        "conditional" => {
            let place = strategy.at("conditions");
            let message = "a route does not look at what a call says: each target that is named is a route of its own, and calls that meet \
                no condition are this one";
            draft.missing(place, message);
            strategy.take("conditions");
            let default = strategy.text("default");
            for mut child in children {
                let name = child.text("name");
                if name.is_some() && name == default {
                    placed = below(draft, child, rules, others).1;
                } else if let Some(name) = name {
                    others.push((name, child, inherited.clone()));
                }
            }
        }
        "single" => {
            for (index, child) in children.into_iter().enumerate() {
                if index == 0 {
                    placed = below(draft, child, rules, others).1;
                } else {
                    draft.missing(child.path, "a strategy for one target has further ones: they are left out");
                }
            }
        }
        _ => draft.missing(strategy.at("mode"), "this strategy has no equivalent"),
    }
    for (field, _) in strategy.rest() {
        draft.missing(read::joined(&read::joined(&node.path, "strategy"), &field), "this has no equivalent");
    }
    let path = node.path.clone();
    for (field, _) in node.rest() {
        if !matches!(field.as_str(), "name" | "weight" | "id" | "slug" | "index") {
            draft.missing(read::joined(&path, &field), targets::unlike(&field).unwrap_or("this has no equivalent above targets"));
        }
    }
    placed
}

/// Shares multiply downwards. What lies in a deeper tier comes after all that is above it, whosever it was.
fn divide(draft: &mut Draft, placed: &mut Vec<Placed>, (share, inside): (f64, Vec<Placed>), path: &str) {
    if inside.iter().any(|each| each.tier > 0) {
        let message = "what a target falls back to is asked after the other targets of its strategy, not before them";
        draft.different(path, message);
    }
    let sum: f64 = inside.iter().filter(|each| each.tier == 0).map(|each| each.share).sum();
    let several = inside.iter().filter(|each| each.tier == 0).count() > 1;
    for each in inside {
        let own = if several && sum > 0.0 { share * each.share / sum } else { share };
        placed.push(Placed { share: own, ..each });
    }
}

/// Reads what a node says for all below it.
fn settings(draft: &mut Draft, node: &mut Table, (inherited, rules): (&mut Inherited, &mut Rules)) {
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
        rules.retries.push(Retry { attempts: draft::retries(attempts), on, ..Retry::default() });
    }
    if let Some(found) = cache(draft, node) {
        rules.caches.push(found);
    }
    rules.times.extend(node.number("request_timeout").and_then(draft::millis));
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
fn fallback(draft: &mut Draft, strategy: &mut Table) -> Vec<FaultClass> {
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
fn sticky(draft: &mut Draft, strategy: &mut Table) -> Option<Sticky> {
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

fn breaker(draft: &mut Draft, strategy: &mut Table, rules: &mut Rules) {
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

fn route(draft: &mut Draft, (name, placed): (&str, Vec<Placed>), rules: &Rules) {
    let path = name;
    if placed.is_empty() {
        draft.missing(path, "none of its targets can be called from here: there is no route");
        return;
    }
    let mut targets = Vec::with_capacity(placed.len());
    let tiers: BTreeSet<u32> = placed.iter().map(|each| each.tier).collect();
    for (number, tier) in tiers.iter().enumerate() {
        let inside: Vec<&Placed> = placed.iter().filter(|each| each.tier == *tier).collect();
        let weights = draft::weights(&inside.iter().map(|each| each.share).collect::<Vec<_>>());
        for (each, weight) in inside.into_iter().zip(weights) {
            let weight = if rules.divided { weight } else { 1 };
            targets.push(Target { weight, tier: u32::try_from(number).unwrap_or(0), ..each.target.clone() });
        }
    }
    let hands_on = targets.iter().any(|target| target.model.is_none());
    let mut spec = draft::route(targets);
    if hands_on {
        spec.models.push("*".to_owned());
        let message = "targets without a model are handed the name that the client gives, and the route takes every name that no other \
            has: write the names into `models`, or import with `--model`";
        draft.different(path, message);
    }
    spec.sticky = rules.sticky;
    spec.retry.attempts = 0;
    if let Some(most) = rules.retries.iter().max_by_key(|retry| retry.attempts) {
        spec.retry = most.clone();
    }
    if rules.retries.windows(2).any(|two| two[0] != two[1]) {
        draft.different(path, "retries are of the route, not of each target: the most count");
    }
    spec.fallback = falls(draft, rules, path);
    if let Some(longest) = rules.times.last() {
        draft::attempt_within(&mut spec.timeouts, *longest);
        if rules.times.len() > 1 {
            draft.different(path, "timeouts are of the route, not of each target: the longest counts");
        }
    }
    if let Some(breaker) = &rules.breaker {
        spec.breaker = breaker.clone();
    }
    spec.cache = rules.caches.first().cloned();
    if rules.caches.windows(2).any(|two| two[0] != two[1]) {
        draft.different(path, "a cache is of the route, not of each target: the first counts");
    }
    draft.route(name, spec, None, path);
}

/// Only a strategy that says so asks another target.
fn falls(draft: &mut Draft, rules: &Rules, path: &str) -> Fallback {
    if rules.falls.windows(2).any(|two| two[0] != two[1]) {
        draft.different(path, "one list of faults is for all tiers of a route: those of every strategy together");
    }
    let mut on: Vec<FaultClass> = Vec::new();
    for class in rules.falls.iter().flatten() {
        if !on.contains(class) {
            on.push(*class);
        }
    }
    Fallback { on }
}
