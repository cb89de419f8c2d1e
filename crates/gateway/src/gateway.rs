//! The gateway's one handle.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainspring_kernel::{Stop, Tasks, fault::chain, id::ProjectId};
use mainspring_llm::ChatModel;
use tokio::{
    sync::broadcast,
    time::{Instant, timeout},
};

use crate::{
    background::Background,
    begin::Reach,
    bill::Desk,
    breaker::Standing,
    cache::Cache,
    explain::{self, ExplainQuestion, Explanation},
    fault::GatewayFault,
    health::TargetHealth,
    history::TargetHistory,
    ledger::{Ledger, LedgerParts},
    live::{Board, Live},
    makers::Makers,
    metrics::{self, Counters, Sum},
    model::{Asks, RouteModel},
    record::Caller,
    routes::Routes,
    service::{Clients, Parts},
    taken::Streams,
    target::{Target, Totals},
};

/// Other processes' changes are seen within twice this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const KEYS_WITHIN: Duration = Duration::from_secs(5);
/// A quarter of a year of single calls; sums stay.
const KEEP_CALLS_FOR: Duration = Duration::from_secs(92 * 24 * 3600);

/// Route, provider and model, as pages show them.
type TargetNames = (Option<String>, String, String);

/// Model calls for every project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) routes: Routes,
    pub(crate) ledger: Ledger,
    pub(crate) desk: Arc<Desk>,
    pub(crate) reach: Reach,
    pub(crate) cache: Arc<Cache>,
    pub(crate) tasks: Tasks,
    pub(crate) clients: Clients,
    pub(crate) background: Background,
}

impl Gateway {
    /// Reads every project's routes and settles what an earlier process left under way.
    pub async fn open(parts: Parts) -> Result<Self, GatewayFault> {
        let ledger = Ledger::open(LedgerParts {
            catalog: parts.catalog.clone(),
            registry: parts.registry.clone(),
            clock: Arc::clone(&parts.clock),
            tasks: parts.tasks.clone(),
            metrics: parts.metrics.clone(),
            journal: parts.journal.clone(),
            audit: None,
            keep_calls_for: KEEP_CALLS_FOR,
        });
        Self::over(ledger.await?, parts).await
    }

    /// With a ledger that was opened before, as whoever wants other terms for it does.
    pub async fn over(ledger: Ledger, parts: Parts) -> Result<Self, GatewayFault> {
        let Parts {
            registry,
            models,
            socket,
            credentials,
            metrics,
            tasks,
            clock,
            embedding,
            clients,
            patience,
            catalog: _,
            journal: _,
        } = parts;
        let routes = Routes::open(registry, credentials, models.are_behind_routes()).await?;
        let streams = Streams::new(patience);
        let desk = Desk { metrics, counters: Counters::default(), board: Board::default(), makers: Makers::default(), streams };
        let cache = Arc::new(Cache::new(models.clone(), embedding));
        let reach = Reach { socket, models, clock };
        let background = Background::default();
        let inner = Inner { routes, ledger, desk: Arc::new(desk), reach, cache, tasks, clients, background };
        let gateway = Self { inner: Arc::new(inner) };
        let watching = gateway.clone();
        gateway.inner.tasks.spawn("gateway-watch", move |stop| async move { watching.watch(stop).await });
        let desk = Arc::clone(&gateway.inner.desk);
        gateway.inner.tasks.spawn("gateway-streams", move |stop| async move { desk.streams.watch(stop).await });
        if gateway.inner.ledger.is_shared() {
            let adopting = gateway.clone();
            gateway.inner.tasks.spawn("gateway-adopts", move |stop| adopting.adopt_from_time_to_time(stop));
        }
        Ok(gateway)
    }

    /// Keeps up with what other processes apply and with keys that change, and tells metrics.
    async fn watch(&self, stop: Stop) {
        let mut away = false;
        while stop.sleep(LOOK_EVERY).await {
            match self.inner.routes.reload().await {
                Ok(()) => away = false,
                // Once, and not every second until it is back.
                Err(fault) if !std::mem::replace(&mut away, true) => {
                    tracing::warn!(fault = %chain(&fault), "routes cannot be read; those in force stay");
                }
                Err(_) => {}
            }
            self.follow_left();
            // A store of secrets that does not answer must not keep routes from being read.
            self.refresh_keys().await;
            self.publish();
        }
        self.publish();
    }

    /// Puts what was applied in force, at once. Whoever applies in this process calls it before answering.
    pub async fn refresh(&self) {
        if let Err(fault) = self.inner.routes.reload().await {
            tracing::warn!(fault = %chain(&fault), "routes cannot be read; those in force stay");
        }
        if let Err(fault) = self.inner.ledger.refresh().await {
            tracing::warn!(fault = %chain(&fault), "prices cannot be read; those in force stay");
        }
    }

    /// Looks keys of providers up again, at once. Whoever changes one in this process calls it before answering.
    pub async fn refresh_keys(&self) {
        // Where they lie may not answer; then the watch goes on looking.
        let _ = timeout(KEYS_WITHIN, self.inner.routes.refresh_keys()).await;
    }

    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// What clients of this server may say in headers about traces.
    #[must_use]
    pub fn clients(&self) -> Clients {
        self.inner.clients
    }

    /// Whether a call of this name goes through a route or to `provider/model`. Models of this process that no route
    /// names are not among them.
    pub async fn knows(&self, project: ProjectId, model: &str) -> bool {
        let routes = self.inner.routes.of(project);
        routes.exact(model).is_some() || routes.fitting(model, &self.inner.routes.states).is_some()
    }

    /// What clients can name beside the models of this process.
    pub async fn names(&self, project: ProjectId) -> Vec<String> {
        self.inner.routes.of(project).names()
    }

    /// Which target a call would take now, and why.
    pub fn explain(&self, caller: &Caller, model: &str, question: &ExplainQuestion) -> Result<Explanation, GatewayFault> {
        let route = self.resolve(caller.project, model)?;
        let prices = self.inner.ledger.prices(caller.project);
        Ok(explain::explain(&route, (caller, model, question), &prices, &mut rand::rng()))
    }

    /// How the targets of a project stand: those of its routes by name and as they are written, then calls of
    /// `provider/model` by theirs.
    pub async fn health(&self, project: ProjectId) -> Vec<TargetHealth> {
        let now = Instant::now();
        let prices = self.inner.ledger.prices(project);
        self.targets(project, |target, names| TargetHealth {
            priced: target.model.as_deref().map(|model| prices.has(target.place(model))),
            ..target.state.show(names, now)
        })
    }

    /// What the targets of a project did in the last hour, by the minute; in the same order.
    pub async fn history(&self, project: ProjectId) -> Vec<TargetHistory> {
        let now = (Instant::now(), self.inner.reach.clock.now());
        self.targets(project, |target, names| target.state.history(names, now))
    }

    fn targets<T>(&self, project: ProjectId, look: impl Fn(&Target, TargetNames) -> T) -> Vec<T> {
        let mut all = Vec::new();
        for route in self.inner.routes.known(project).map(|routes| routes.all()).unwrap_or_default() {
            for target in &route.targets {
                let name = route.name.as_ref().map(ToString::to_string);
                let model = target.model.clone().unwrap_or_else(|| "*".to_owned());
                all.push(look(target, (name, target.provider.name.to_string(), model)));
            }
        }
        all
    }

    /// Calls of every project as they begin and end, from now on.
    #[must_use]
    pub fn live(&self) -> broadcast::Receiver<Live> {
        self.inner.desk.board.look()
    }

    /// A route, `provider/model` or a model of this process, as a model that chains can use. Its calls are made on behalf of
    /// whoever asks: their limits hold, and what is used is theirs.
    #[must_use]
    pub fn chat_model(&self, asks: Asks, model: &str) -> Option<Arc<dyn ChatModel>> {
        let route = self.find(asks.caller.project, model)?;
        let routed = RouteModel::of(self.clone(), &route, asks, model);
        Some(match route.here() {
            Some(name) => Arc::new(routed.answered_by(self.inner.reach.models.chat(name).ok()?)),
            None => Arc::new(routed),
        })
    }

    /// Tells metrics what was counted so far.
    pub fn publish(&self) {
        let now = Instant::now();
        let mut providers: BTreeMap<String, Sum> = BTreeMap::new();
        for project in self.inner.routes.projects() {
            for route in self.inner.routes.of(project).all() {
                for target in &route.targets {
                    let sum = providers.entry(target.provider.name.to_string()).or_default();
                    sum.in_flight += target.state.in_flight();
                    sum.open += u32::from(target.state.standing(now) != Standing::Closed);
                    add(&mut sum.totals, target.state.totals());
                }
            }
        }
        metrics::publish(&self.inner.desk.metrics, &self.inner.desk.counters, &providers);
    }
}

fn add(sum: &mut Totals, more: Totals) {
    let Totals { attempts, failures, input_tokens, output_tokens, spend } = more;
    sum.attempts += attempts;
    sum.input_tokens += input_tokens;
    sum.output_tokens += output_tokens;
    sum.spend += spend;
    for (class, count) in failures {
        match sum.failures.iter_mut().find(|(known, _)| *known == class) {
            Some((_, total)) => *total += count,
            None => sum.failures.push((class, count)),
        }
    }
}
