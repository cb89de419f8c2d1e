//! A target as calls use it: where it is, how it stands, and one attempt's right to ask it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::{Digest, Money, Name, Timestamp, id::ProjectId};
use mainspring_llm::TokenUsage;
use mainspring_providers::{
    CredentialFault, Credentials, Endpoint, EndpointFault, FaultClass, Preset, ProviderKind, ProviderSpec, UpstreamFault,
};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    begins::Manner,
    breaker::{BreakerState, Pass, Standing, Verdict, verdict},
    cost::Place,
    health::{Health, TargetHealth},
    history::TargetHistory,
    route::{self, Percentile},
};

/// A provider of a project, as its newest version says.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) project: ProjectId,
    pub(crate) name: Name,
    pub(crate) digest: Digest,
    pub(crate) spec: ProviderSpec,
    /// Which account of which server it is.
    pub(crate) account: Digest,
    /// Which known server it is, for prices.
    pub(crate) preset: Option<Preset>,
    /// Calls at once, where that is bounded.
    pub(crate) slots: Option<Arc<Semaphore>>,
    /// Without a model, and with the keys as they were found last time.
    ready: RwLock<Result<Arc<Endpoint>, EndpointFault>>,
}

impl Provider {
    /// With its keys looked up. One that lacks a key is there all the same: its calls say what is missing.
    pub(crate) async fn of(
        (project, name, digest): (ProjectId, Name, Digest),
        spec: ProviderSpec,
        slots: Option<Arc<Semaphore>>,
        credentials: &Credentials,
    ) -> Self {
        let ready = RwLock::new(endpoint(project, &name, &spec, credentials).await);
        Self { project, name, digest, preset: spec.server(), account: spec.account(), spec, slots, ready }
    }

    pub(crate) const fn kind(&self) -> ProviderKind {
        self.spec.kind
    }

    /// Looks its keys up again. What was found before stays while the place where keys lie does not answer.
    pub(crate) async fn refresh(&self, credentials: &Credentials) {
        let found = endpoint(self.project, &self.name, &self.spec, credentials).await;
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        let silent = matches!(found, Err(EndpointFault::Credential { fault: CredentialFault::Store { .. }, .. }));
        if ready.is_err() || !silent {
            *ready = found;
        }
    }

    /// Where to send what is about no model.
    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint>, UpstreamFault> {
        self.ready().map_err(|fault| self.fault(FaultClass::Auth, fault.to_string()))
    }

    /// A fault of this provider that no server told.
    pub(crate) fn fault(&self, class: FaultClass, message: String) -> UpstreamFault {
        let provider = self.name.clone();
        UpstreamFault { provider, class, status: None, message, said: None, retry_after: None, body: None }
    }

    /// Why it has no endpoint.
    pub(crate) fn endpoint_fault(&self) -> Option<EndpointFault> {
        self.ready().err()
    }

    fn ready(&self) -> Result<Arc<Endpoint>, EndpointFault> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn endpoint(
    project: ProjectId,
    name: &Name,
    spec: &ProviderSpec,
    credentials: &Credentials,
) -> Result<Arc<Endpoint>, EndpointFault> {
    spec.endpoint(name, "", credentials, project).await.map(Arc::new)
}

/// A provider's model that may answer calls of a route.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) provider: Arc<Provider>,
    /// Absent where the client's own name is handed on.
    pub(crate) model: Option<String>,
    pub(crate) spec: route::Target,
    /// Which target it is, the same in every process.
    pub(crate) id: u64,
    pub(crate) state: Arc<TargetState>,
    /// The provider's endpoint that was used last, and with this model in it.
    endpoint: RwLock<Option<(Arc<Endpoint>, Arc<Endpoint>)>>,
}

impl Target {
    pub(crate) fn of(provider: Arc<Provider>, spec: route::Target, id: u64, state: Arc<TargetState>) -> Self {
        Self { model: spec.model.clone(), provider, spec, id, state, endpoint: RwLock::new(None) }
    }

    /// The name the provider knows the model by, for a client's name.
    pub(crate) fn model<'a>(&'a self, named: &'a str) -> &'a str {
        self.model.as_deref().unwrap_or(named)
    }

    /// The name prices know the model by.
    pub(crate) fn price_as<'a>(&'a self, named: &'a str) -> &'a str {
        self.spec.price_as.as_deref().unwrap_or_else(|| self.model(named))
    }

    /// What prices are asked for, where a client named its model so.
    pub(crate) fn place<'a>(&'a self, named: &'a str) -> Place<'a> {
        let Provider { name, preset, .. } = self.provider.as_ref();
        Place { provider: name.as_str(), kind: self.provider.kind(), preset: *preset, model: self.price_as(named) }
    }

    /// Where to send a call that named its model so.
    pub(crate) fn endpoint(&self, named: &str) -> Result<Arc<Endpoint>, UpstreamFault> {
        let ready = self.provider.endpoint()?;
        let of = |model: &str| Arc::new(Endpoint { model: model.to_owned(), ..Endpoint::clone(&ready) });
        let Some(model) = &self.model else {
            return Ok(of(named));
        };
        let kept = self.endpoint.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((from, endpoint)) = kept
            && Arc::ptr_eq(&from, &ready)
        {
            return Ok(endpoint);
        }
        let endpoint = of(model);
        *self.endpoint.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&ready), Arc::clone(&endpoint)));
        Ok(endpoint)
    }

    /// A fault of this target that no server told.
    pub(crate) fn fault(&self, class: FaultClass, message: String) -> UpstreamFault {
        self.provider.fault(class, message)
    }
}

/// How a target stands. Outlives the versions of the route it belongs to.
#[derive(Debug)]
pub(crate) struct TargetState {
    inner: Mutex<Inner>,
    in_flight: AtomicU32,
}

#[derive(Debug)]
struct Inner {
    breaker: BreakerState,
    health: Health,
}

impl TargetState {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            inner: Mutex::new(Inner { breaker: BreakerState::new(now), health: Health::new(now) }),
            in_flight: AtomicU32::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an attempt through, or says how the target stands instead.
    pub(crate) fn enter(self: &Arc<Self>, rules: &route::Breaker, now: Instant) -> Result<Entered, Standing> {
        let pass = self.lock().breaker.enter(rules, now)?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Entered { state: Arc::clone(self), rules: rules.clone(), pass: Some(pass), since: now })
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        self.lock().breaker.standing(now)
    }

    /// How it stands, and how soon answers that come so lately began.
    pub(crate) fn look(&self, manner: Manner, now: Instant) -> (Standing, Option<f64>) {
        let inner = self.lock();
        (inner.breaker.standing(now), inner.health.begin_ms(manner, now))
    }

    /// Whether an answer that comes so ever began, and not only failed before.
    pub(crate) fn has_begun(&self, manner: Manner) -> bool {
        self.lock().health.has_begun(manner)
    }

    /// What an answer used that was made in the background.
    pub(crate) fn used(&self, usage: &TokenUsage, cost: Money) {
        self.lock().health.used(usage, cost, None);
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn percentile(&self, manner: Manner, percentile: Percentile) -> Option<Duration> {
        self.lock().health.percentile(manner, percentile)
    }

    pub(crate) fn show(&self, names: (Option<String>, String, String), now: Instant) -> TargetHealth {
        let inner = self.lock();
        inner.health.show(names, inner.breaker.standing(now), self.in_flight())
    }

    /// Its last hour, with the wall clock at `now`.
    pub(crate) fn history(
        &self,
        (route, provider, model): (Option<String>, String, String),
        now: (Instant, Timestamp),
    ) -> TargetHistory {
        TargetHistory { route, provider, model, minutes: self.lock().health.history.show(now) }
    }

    /// What metrics tell of it: attempts and failures by class, tokens read and written, spend.
    pub(crate) fn totals(&self) -> Totals {
        let inner = self.lock();
        let Health { attempts, failures, input_tokens, output_tokens, spend, .. } = &inner.health;
        Totals {
            attempts: *attempts,
            failures: failures.iter().map(|(class, count)| (*class, *count)).collect(),
            input_tokens: *input_tokens,
            output_tokens: *output_tokens,
            spend: *spend,
        }
    }
}

/// Counted since this process started.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Totals {
    pub(crate) attempts: u64,
    pub(crate) failures: Vec<(FaultClass, u64)>,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) spend: Money,
}

/// One attempt that was let through. Dropped before anything came of it, it says nothing of the target.
#[derive(Debug)]
pub(crate) struct Entered {
    state: Arc<TargetState>,
    rules: route::Breaker,
    pass: Option<Pass>,
    since: Instant,
}

impl Entered {
    /// The answer begins; without a manner its time says nothing of others.
    pub(crate) fn began(&mut self, manner: Option<Manner>, now: Instant) {
        let mut inner = self.state.lock();
        if let Some(pass) = self.pass.take() {
            inner.breaker.leave(&self.rules, pass, Verdict::Well, now);
        }
        inner.health.began(manner, now.saturating_duration_since(self.since), now);
    }

    pub(crate) fn failed(&mut self, class: FaultClass, manner: Manner, now: Instant) {
        let mut inner = self.state.lock();
        let verdict = verdict(class);
        let Some(pass) = self.pass.take() else {
            if verdict == Verdict::Failed {
                inner.breaker.broke_off(&self.rules, now);
            }
            inner.health.broke_off(class, now);
            return;
        };
        inner.breaker.leave(&self.rules, pass, verdict, now);
        match verdict {
            Verdict::Failed => inner.health.failed(class, (manner, now.saturating_duration_since(self.since)), now),
            Verdict::Well | Verdict::Neither => inner.health.refused(class, now),
        }
    }

    /// The answer is complete.
    pub(crate) fn completed(&self, now: Instant) {
        self.state.lock().health.completed(now.saturating_duration_since(self.since));
    }

    pub(crate) fn used(&self, usage: &TokenUsage, cost: Money, writing: Option<Duration>) {
        self.state.lock().health.used(usage, cost, writing);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(pass) = self.pass.take() {
            self.state.lock().breaker.leave(&self.rules, pass, Verdict::Neither, Instant::now());
        }
    }
}
