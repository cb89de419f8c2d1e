//! From specs to what calls use.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use mainspring_kernel::{Digest, Name, id::ProjectId};
use mainspring_providers::{ProviderKind, ProviderSpec};
use tokio::time::Instant;

use super::LOCAL;
use crate::{
    choose::stable_hash,
    duration::Span,
    hedge::Allowance,
    route::{self, RouteSpec},
    target::{Provider, Target, TargetState},
};

/// Names of `provider/model` that are remembered at most; clients may make up any number of them.
const DIRECT_MAX: usize = 1_000;

/// A route, or the path to one `provider/model`.
#[derive(Debug)]
pub(crate) struct Route {
    /// Absent for `provider/model`.
    pub(crate) name: Option<Name>,
    /// As clients and records show it.
    pub(crate) shown: String,
    pub(crate) version: u32,
    pub(crate) digest: Digest,
    pub(crate) spec: Arc<RouteSpec>,
    pub(crate) targets: Vec<Target>,
    pub(crate) hedges: Allowance,
}

impl Route {
    /// Which version of which route.
    pub(crate) fn at(&self) -> String {
        match &self.name {
            Some(name) => format!("{name}@v{}", self.version),
            None => self.shown.clone(),
        }
    }

    /// The model of this process that is meant, where no route stands before it.
    pub(crate) fn here(&self) -> Option<&str> {
        let only = self.targets.first().filter(|_| self.name.is_none())?;
        if only.provider.kind() == ProviderKind::Local { only.model.as_deref() } else { None }
    }

    /// `provider/model` for records and traces.
    pub(crate) fn target_name(&self, index: usize, named: &str) -> String {
        let target = &self.targets[index];
        format!("{}/{}", target.provider.name, target.model(named))
    }
}

/// How targets stand, whatever version of their route is in force.
#[derive(Debug, Default)]
pub(crate) struct States(Mutex<HashMap<StateKey, Arc<TargetState>>>);

/// Project, route (empty for `provider/model`), provider, model (`*` where the client's name is handed on).
type StateKey = (ProjectId, String, Name, String);

impl States {
    fn of(&self, key: StateKey) -> Arc<TargetState> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if states.len() > 20 * DIRECT_MAX {
            states.retain(|_, state| Arc::strong_count(state) > 1);
        }
        Arc::clone(states.entry(key).or_insert_with(|| Arc::new(TargetState::new(Instant::now()))))
    }

    /// Forgets targets that no route has any more.
    pub(crate) fn sweep(&self) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|(_, route, _, _), state| route.is_empty() || Arc::strong_count(state) > 1);
    }
}

/// Routes and providers of one project, as of one moment.
#[derive(Debug)]
pub(crate) struct ProjectRoutes {
    project: ProjectId,
    pub(super) routes: BTreeMap<Name, Arc<Route>>,
    pub(super) providers: BTreeMap<Name, Arc<Provider>>,
    /// Every name of every route that is no pattern.
    exact: HashMap<String, Arc<Route>>,
    /// What stands before the `*`, the longest first.
    patterns: Vec<(String, Arc<Route>)>,
    direct: Mutex<HashMap<String, Arc<Route>>>,
    /// The models of this process, whatever the project calls `local`.
    local: Arc<Provider>,
}

/// A route's spec and which version it is.
#[derive(Debug, Clone)]
pub(crate) struct Versioned {
    pub(crate) number: u32,
    pub(crate) digest: Digest,
    pub(crate) spec: Arc<RouteSpec>,
}

impl ProjectRoutes {
    pub(crate) fn compile(
        project: ProjectId,
        mut providers: BTreeMap<Name, Arc<Provider>>,
        specs: &BTreeMap<Name, Versioned>,
        states: &States,
        local: &Arc<Provider>,
    ) -> Self {
        // A project may have its own provider of that name.
        providers.entry(local.name.clone()).or_insert_with(|| Arc::clone(local));
        let route = |(name, versioned): (&Name, &Versioned)| {
            let Versioned { number, digest, spec } = versioned.clone();
            let targets = spec.targets.iter().filter_map(|written| {
                let Some(provider) = providers.get(&written.provider) else {
                    tracing::warn!(%project, route = %name, provider = %written.provider, "a target is left out: its provider cannot be read");
                    return None;
                };
                let model = written.model.clone().unwrap_or_else(|| "*".to_owned());
                let id = stable_hash(format!("{}/{model}", written.provider).as_bytes());
                let state = states.of((project, name.to_string(), written.provider.clone(), model));
                Some(Target::of(Arc::clone(provider), written.clone(), id, state))
            });
            let targets = targets.collect();
            let route = Route {
                name: Some(name.clone()),
                shown: name.to_string(),
                version: number,
                digest,
                spec,
                targets,
                hedges: Allowance::default(),
            };
            (name.clone(), Arc::new(route))
        };
        let routes: BTreeMap<Name, Arc<Route>> = specs.iter().map(route).collect();
        let (exact, patterns) = names(&routes);
        Self { project, routes, providers, exact, patterns, direct: Mutex::default(), local: Arc::clone(local) }
    }

    /// A provider of this project, or the one that is there without a spec.
    pub(crate) fn provider(&self, name: &Name) -> Option<Arc<Provider>> {
        self.providers.get(name).cloned()
    }

    /// The route of exactly this name.
    pub(crate) fn exact(&self, model: &str) -> Option<Arc<Route>> {
        self.exact.get(model).cloned()
    }

    /// The route whose pattern fits best, or the path to `provider/model`, whichever says more of the name.
    pub(crate) fn fitting(&self, model: &str, states: &States) -> Option<Arc<Route>> {
        let pattern = self.patterns.iter().find(|(stem, _)| model.starts_with(stem.as_str()));
        let direct = model.split_once('/').filter(|(provider, rest)| self.may_call(provider, rest));
        match (pattern, direct) {
            // A route counts before a provider where both fit alike.
            (Some((stem, route)), Some((provider, _))) if stem.len() > provider.len() => Some(Arc::clone(route)),
            (_, Some((provider, rest))) => {
                let provider = self.providers.get(&provider.parse::<Name>().ok()?)?;
                Some(self.direct(provider, rest, states))
            }
            (Some((_, route)), None) => Some(Arc::clone(route)),
            (None, None) => None,
        }
    }

    fn may_call(&self, provider: &str, model: &str) -> bool {
        let known = provider.parse().ok().and_then(|name: Name| self.providers.get(&name));
        known.is_some_and(|provider| {
            !model.is_empty() && provider.spec.models.as_ref().is_none_or(|models| models.iter().any(|each| each == model))
        })
    }

    /// The path to a model of this process.
    pub(crate) fn local(&self, model: &str, states: &States) -> Arc<Route> {
        self.direct(&self.local, model, states)
    }

    /// The path to one model of a provider.
    fn direct(&self, provider: &Arc<Provider>, model: &str, states: &States) -> Arc<Route> {
        // A provider that a project calls `local` is another than ours.
        let key = format!("{}/{}/{model}", provider.name, provider.digest.short());
        let mut direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = direct.get(&key) {
            return Arc::clone(route);
        }
        if direct.len() >= DIRECT_MAX {
            direct.clear();
        }
        let state = states.of((self.project, String::new(), provider.name.clone(), model.to_owned()));
        let route = Arc::new(path(provider, model, state));
        direct.insert(key, Arc::clone(&route));
        route
    }

    /// What clients can name: routes with all their names, and the models providers list.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.exact.keys().cloned().collect();
        for provider in self.providers.values() {
            names.extend(provider.spec.models.iter().flatten().map(|model| format!("{}/{model}", provider.name)));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every path that has been used or may be: routes by name, then those to one model of a provider by theirs.
    pub(crate) fn all(&self) -> Vec<Arc<Route>> {
        let direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        let mut direct: Vec<_> = direct.values().cloned().collect();
        direct.sort_unstable_by(|a, b| (&a.shown, &a.digest).cmp(&(&b.shown, &b.digest)));
        self.routes.values().cloned().chain(direct).collect()
    }
}

/// Names without and with a `*`.
type Named = (HashMap<String, Arc<Route>>, Vec<(String, Arc<Route>)>);

/// Where two routes want one name, the route of that very name has it, then the first.
fn names(routes: &BTreeMap<Name, Arc<Route>>) -> Named {
    let mut exact: HashMap<String, Arc<Route>> =
        routes.iter().map(|(name, route)| (name.to_string(), Arc::clone(route))).collect();
    let mut patterns = Vec::new();
    for route in routes.values() {
        for model in &route.spec.models {
            match model.strip_suffix('*') {
                Some(stem) => patterns.push((stem.to_owned(), Arc::clone(route))),
                None => {
                    exact.entry(model.clone()).or_insert_with(|| Arc::clone(route));
                }
            }
        }
    }
    // Stable: of two alike the first by name stays first.
    patterns.sort_by_key(|(stem, _)| std::cmp::Reverse(stem.len()));
    (exact, patterns)
}

/// Longer than anyone waits for a model of this process.
const ALL_DAY: Span = Span::seconds(24 * 3600);

/// A route of one target with nothing but defaults. A model of this process is asked once and for as long as its client waits,
/// and is never left alone: nobody else is there to ask, and it says itself when it is busy.
fn path(provider: &Arc<Provider>, model: &str, state: Arc<TargetState>) -> Route {
    let written = route::Target {
        provider: provider.name.clone(),
        model: Some(model.to_owned()),
        weight: 1,
        tier: 0,
        on: Vec::new(),
        parameters: serde_json::Map::new(),
        context_window: None,
        max_output_tokens: None,
        price_as: None,
    };
    let shown = format!("{}/{model}", provider.name);
    let id = stable_hash(shown.as_bytes());
    let digest = Digest::of_parts([provider.digest.as_bytes().as_slice(), model.as_bytes()]);
    let mut spec = RouteSpec {
        models: Vec::new(),
        targets: vec![written.clone()],
        choose: route::Choose::default(),
        sticky: None,
        retry: route::Retry::default(),
        fallback: route::Fallback::default(),
        timeouts: route::Timeouts::default(),
        hedge: None,
        breaker: route::Breaker::default(),
        cache: None,
    };
    if provider.kind() == ProviderKind::Local {
        spec.retry.attempts = 0;
        spec.timeouts = route::Timeouts { first: Some(ALL_DAY), attempt: ALL_DAY, total: ALL_DAY, ..spec.timeouts };
        spec.breaker.min_attempts = u32::MAX;
    }
    let spec = Arc::new(spec);
    let targets = vec![Target::of(Arc::clone(provider), written, id, state)];
    Route { name: None, shown, version: 0, digest, spec, targets, hedges: Allowance::default() }
}

/// The provider every project has: the models of this process. `behind` routes, none of them can be called directly.
pub(crate) fn local_spec(behind: bool) -> ProviderSpec {
    ProviderSpec { models: behind.then(Vec::new), ..ProviderSpec::of(ProviderKind::Local) }
}

pub(crate) fn local_name() -> Option<Name> {
    LOCAL.parse().ok()
}
