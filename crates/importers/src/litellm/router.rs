//! `router_settings`, and what of it may stand in `litellm_settings` too.

use std::{cell::RefCell, collections::BTreeSet};

use mainspring_gateway::{Breaker, Cache, Choose, Retry, RouteSpec, Span};
use mainspring_providers::FaultClass;
use serde_json::Value;

use super::rest::cache;
use crate::{
    draft::{self, Draft},
    read::{self, Table},
};

/// How all routes behave.
#[derive(Default)]
pub(super) struct Rules {
    choose: Choose,
    retries: Option<u64>,
    policy: Option<Policy>,
    /// By group.
    policies: Vec<(String, Policy)>,
    wait: Option<Span>,
    timeout: Option<Span>,
    first: Option<Span>,
    breaker: Option<Breaker>,
    falls: Vec<Fall>,
    /// For those without falls of their own.
    default_falls: Vec<String>,
    pub(super) aliases: Vec<(String, String)>,
    cache: Option<Cache>,
    seen: RefCell<BTreeSet<String>>,
}

/// One group that is asked after another.
#[derive(Debug, PartialEq, Eq)]
struct Fall {
    from: String,
    to: String,
    /// The one fault it is for; absent: any that has no fallbacks of its own.
    on: Option<FaultClass>,
}

/// Groups that are asked in turn when another has failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Falls {
    pub(super) to: Vec<String>,
    /// The faults they are for; none: any that has no fallbacks of its own.
    pub(super) on: Vec<FaultClass>,
}

/// Retries by the kind of fault.
#[derive(Debug, Clone)]
struct Policy {
    attempts: u64,
    on: Vec<FaultClass>,
}

/// Kinds of fault as retry policies name them.
const POLICY: [(&str, &[FaultClass]); 7] = [
    ("AuthenticationErrorRetries", &[FaultClass::Auth]),
    ("BadRequestErrorRetries", &[FaultClass::Invalid]),
    ("TimeoutErrorRetries", &[FaultClass::Timeout, FaultClass::Connect]),
    ("RateLimitErrorRetries", &[FaultClass::RateLimited]),
    ("ContentPolicyViolationErrorRetries", &[FaultClass::ContentFilter]),
    ("InternalServerErrorRetries", &[FaultClass::Server, FaultClass::Overloaded, FaultClass::Reset, FaultClass::Malformed]),
    ("ServiceUnavailableErrorRetries", &[FaultClass::Overloaded]),
];

const FALLS: [(&str, Option<FaultClass>); 3] = [
    ("fallbacks", None),
    ("context_window_fallbacks", Some(FaultClass::ContextWindow)),
    ("content_policy_fallbacks", Some(FaultClass::ContentFilter)),
];

impl Rules {
    pub(super) fn read(draft: &mut Draft, router: &mut Table, settings: &mut Table) -> Self {
        let mut rules = Self { choose: choose(draft, router), ..Self::default() };
        rules.times(router, settings);
        rules.policies(draft, router);
        rules.breaker = breaker(draft, router, settings);
        // The router's own come first.
        for table in [&mut *router, &mut *settings] {
            for (field, on) in FALLS {
                let path = table.at(field);
                if let Some(list) = table.list(field) {
                    rules.falls_from(draft, (list, on), &path);
                }
            }
            if let Some(names) = table.texts("default_fallbacks")
                && rules.default_falls.is_empty()
            {
                rules.default_falls = names;
            }
        }
        rules.aliases(draft, router);
        rules.cache = cache(draft, settings, router);
        rules
    }

    fn times(&mut self, router: &mut Table, settings: &mut Table) {
        let retries = settings.whole("num_retries");
        self.retries = router.whole("num_retries").or(retries);
        self.wait = router.number("retry_after").and_then(draft::seconds);
        let timeout = settings.number("request_timeout");
        self.timeout = router.number("timeout").or(timeout).and_then(draft::seconds);
        self.first = router.number("stream_timeout").and_then(draft::seconds);
    }

    fn policies(&mut self, draft: &mut Draft, router: &mut Table) {
        self.policy = router.table("retry_policy").and_then(|table| policy(draft, table));
        if let Some(by_group) = router.table("model_group_retry_policy") {
            for (name, table) in by_group.tables().0 {
                self.policies.extend(policy(draft, table).map(|policy| (name, policy)));
            }
        }
    }

    /// `[{"gpt-4": ["claude", "gpt-3.5"]}]`.
    fn falls_from(&mut self, draft: &mut Draft, (list, on): (Vec<Value>, Option<FaultClass>), path: &str) {
        for (index, value) in list.into_iter().enumerate() {
            let Value::Object(each) = value else {
                draft.missing(format!("{path}[{index}]"), "this is no table of a model and those after it");
                continue;
            };
            for (from, to) in each {
                let place = read::joined(&format!("{path}[{index}]"), &from);
                let names: Vec<String> = match &to {
                    Value::Array(list) => list.iter().filter_map(fallback).collect(),
                    other => fallback(other).into_iter().collect(),
                };
                if to.as_array().is_some_and(|list| list.iter().any(Value::is_object)) {
                    draft.different(&place, "a fallback that changes the request too: only the model it names is carried over");
                }
                // A group may be there for any fault, and for one that has fallbacks of its own as well.
                for to in names {
                    let fall = Fall { from: from.clone(), to, on };
                    if fall.to != from && !self.falls.contains(&fall) {
                        self.falls.push(fall);
                    }
                }
            }
        }
    }

    fn aliases(&mut self, draft: &mut Draft, router: &mut Table) {
        let path = router.at("model_group_alias");
        let Some(Value::Object(aliases)) = router.take("model_group_alias") else { return };
        for (alias, meant) in aliases {
            let name = meant.as_str().or_else(|| meant.get("model").and_then(Value::as_str)).map(str::to_owned);
            match name {
                Some(name) => self.aliases.push((alias, name)),
                None => draft.missing(read::joined(&path, &alias), "it names no model"),
            }
        }
    }

    /// What every route has.
    pub(super) fn general(&self, spec: &mut RouteSpec, group: &str) {
        spec.choose = self.choose;
        if let Some(breaker) = &self.breaker {
            spec.breaker = breaker.clone();
        }
        if let Some(retries) = self.retries {
            spec.retry.attempts = draft::retries(retries);
        }
        let own = self.policies.iter().find(|(name, _)| name == group).map(|(_, policy)| policy);
        if let Some(Policy { attempts, on }) = own.or(self.policy.as_ref()) {
            spec.retry = Retry { attempts: draft::retries(*attempts), on: on.clone(), ..spec.retry.clone() };
        }
        if let Some(wait) = self.wait {
            spec.retry.backoff = wait;
            spec.retry.max_backoff = spec.retry.max_backoff.max(wait);
        }
        if let Some(timeout) = self.timeout {
            draft::attempt_within(&mut spec.timeouts, timeout);
        }
        spec.timeouts.first = self.first.or(spec.timeouts.first);
        spec.cache.clone_from(&self.cache);
    }

    /// Whom a group falls back to: first after any fault, and then after those that have fallbacks of their own.
    pub(super) fn falls_of(&self, group: &str) -> Vec<Falls> {
        self.seen.borrow_mut().insert(group.to_owned());
        let mut falls: Vec<Falls> = Vec::new();
        for (_, on) in FALLS {
            let mut to = self.named(group, on);
            if on.is_none() && to.is_empty() {
                for name in self.named("*", None).into_iter().chain(self.default_falls.iter().cloned()) {
                    if name != group && !to.contains(&name) {
                        to.push(name);
                    }
                }
            }
            if to.is_empty() {
                continue;
            }
            match falls.iter_mut().find(|known| !known.on.is_empty() && known.to == to) {
                Some(known) => known.on.extend(on),
                None => falls.push(Falls { to, on: on.into_iter().collect() }),
            }
        }
        falls
    }

    /// Whom the file names for a group and a fault.
    fn named(&self, group: &str, on: Option<FaultClass>) -> Vec<String> {
        self.falls.iter().filter(|fall| fall.from == group && fall.on == on).map(|fall| fall.to.clone()).collect()
    }

    /// Falls of models that have no route.
    pub(super) fn unused(&self, draft: &mut Draft, is_made: impl Fn(&str) -> bool) {
        let seen = self.seen.borrow();
        for Fall { from, .. } in &self.falls {
            if from != "*" && !(seen.contains(from) && is_made(from)) {
                draft.missing("fallbacks", "a model that falls back has no route here: its fallbacks are left out");
            }
        }
    }
}

fn fallback(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("model").and_then(Value::as_str)).map(str::to_owned)
}

fn choose(draft: &mut Draft, router: &mut Table) -> Choose {
    let path = router.at("routing_strategy");
    let weighted = |draft: &mut Draft, why: &str| {
        draft.different(&path, why);
        Choose::Weighted
    };
    match router.text("routing_strategy").as_deref() {
        None | Some("simple-shuffle") => Choose::Weighted,
        Some("latency-based-routing") => {
            draft.different(&path, "the better of two drawn by weight, by how soon each lately began to answer");
            Choose::Latency
        }
        Some("cost-based-routing") => Choose::Cost,
        Some("least-busy") => weighted(draft, "targets are chosen by weight; how many calls each has under way is not weighed"),
        Some("usage-based-routing" | "usage-based-routing-v2") => {
            weighted(draft, "targets are chosen by weight; a limit refuses, it does not choose")
        }
        Some(_) => weighted(draft, "this strategy has no equivalent: targets are chosen by weight"),
    }
}

fn policy(draft: &mut Draft, mut table: Table) -> Option<Policy> {
    let (mut on, mut most, mut least) = (Vec::new(), 0, u64::MAX);
    for (name, classes) in POLICY {
        let Some(count) = table.whole(name) else { continue };
        if count > 0 {
            on.extend(classes.iter().copied().filter(|class| !on.contains(class)).collect::<Vec<_>>());
            (most, least) = (most.max(count), least.min(count));
        }
    }
    if most > 0 && least != most {
        draft.different(&table.path, "one number of retries is for all faults that are tried again: the largest");
    }
    let path = table.path.clone();
    for (name, _) in table.rest() {
        draft.missing(read::joined(&path, &name), "this has no equivalent");
    }
    (most > 0).then_some(Policy { attempts: most, on })
}

fn breaker(draft: &mut Draft, router: &mut Table, settings: &mut Table) -> Option<Breaker> {
    let of_settings = (settings.whole("allowed_fails"), settings.number("cooldown_time"));
    let allowed = router.whole("allowed_fails").or(of_settings.0);
    let cooldown = router.number("cooldown_time").or(of_settings.1).and_then(draft::seconds);
    if router.truth("disable_cooldowns") == Some(true) {
        draft.different(
            router.at("disable_cooldowns"),
            "a breaker is always there: it opens when a million attempts have all failed",
        );
        return Some(Breaker { failure_rate: 1.0, min_attempts: 1_000_000, ..Breaker::default() });
    }
    if allowed.is_none() && cooldown.is_none() {
        return None;
    }
    let mut breaker = Breaker { window: Span::seconds(60), ..Breaker::default() };
    if let Some(allowed) = allowed {
        breaker.min_attempts = u32::try_from(allowed.saturating_add(1)).unwrap_or(u32::MAX);
        let path = router.at("allowed_fails");
        draft.different(
            path,
            "a target is left alone when more than so many attempts within a minute were made and half of them failed",
        );
    }
    if let Some(cooldown) = cooldown {
        breaker.open_for = cooldown;
    }
    Some(breaker)
}
