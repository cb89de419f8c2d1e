//! What alerts and deliveries do, on both engines, with receivers that misbehave.

mod changes;
mod delivering;
mod incidents;
mod killed;
mod lanes;
mod mail;
mod reminding;
mod saying;
mod silencing;
mod specs;
mod together;
mod vanishing;

use std::{collections::BTreeMap, ffi::OsString, sync::Arc, time::Duration};

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx, params};
use mainspring_kernel::{
    Actor, AssetKind, FrozenClock, Labels as Access, ModelScope, PageRequest, Role, Stop, Timestamp,
    id::{IncidentId, PrincipalId, ProjectId},
};
use mainspring_providers::{Credentials, Socket, SocketConfig};
use mainspring_registry::{Draft, KindDescriptor, ParsedSpec, Registry};
use mainspring_testservers::upstream::Upstream;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    Alert, AlertFault, Alerts, Courier, Delivery, DeliveryFilter, Event, Incident, IncidentFilter, Outcome, Parts, Raised,
    Settings, Severity, Told, descriptor,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// As public libraries take it.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PASSWORD: &str = "correct-horse-battery";
const BEARER: &str = "Bearer abcdefghijklmnop";
const ROUTING: &str = "0123456789abcdefroutingkey";

fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

/// The variables that specs of tests refer to. `env:` cannot hold what a test only knows when it runs, so addresses of
/// Slack webhooks lie in files.
fn environment(name: &str) -> Option<OsString> {
    let value = match name {
        "SECRET" => SECRET,
        "OLD_SECRET" => "c2Vjb25kLXNlY3JldC1vZi10aGUtaG91c2U=",
        "NO_SECRET" => "not base64!",
        "PASSWORD" => PASSWORD,
        "BEARER" => BEARER,
        "ROUTING" => ROUTING,
        _ => return None,
    };
    Some(value.into())
}

#[derive(Debug)]
struct NoTrail;

#[async_trait::async_trait]
impl AuditTrail for NoTrail {
    async fn record(&self, _: &mut Tx, _: &Actor, _: AuditEntry) -> Result<(), CatalogFault> {
        Ok(())
    }
}

fn any(kind: AssetKind) -> KindDescriptor {
    KindDescriptor { kind, schema: || json!({}), parse: |value| ParsedSpec::of(value, Vec::new()) }
}

struct Room {
    alerts: Alerts,
    catalog: Catalog,
    registry: Registry,
    clock: FrozenClock,
    editor: Actor,
    reader: Actor,
    stranger: Actor,
    folder: tempfile::TempDir,
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        Self::with(catalog, SocketConfig { allow_private: true, ..SocketConfig::default() }).await
    }

    async fn with(catalog: Catalog, socket: SocketConfig) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let clock = FrozenClock::at(start());
        let (project, other) = (ProjectId::from_raw(1), ProjectId::from_raw(2));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        catalog.write(PROJECT, params![other, "theirs"]).await.unwrap();
        let actor = |project, role| Actor {
            principal: PrincipalId::from_raw(3),
            project,
            role,
            labels: Access::All,
            key: None,
            models: ModelScope::All,
        };
        let kinds = vec![descriptor(), any(AssetKind::Prompt), any(AssetKind::Monitor), any(AssetKind::Dashboard)];
        let registry = Registry::open(catalog.clone(), Arc::new(clock.clone()), kinds);
        let alerts = open(&catalog, &registry, &clock, socket);
        Self {
            alerts,
            catalog,
            registry,
            clock,
            editor: actor(project, Role::Editor),
            reader: actor(project, Role::Reader),
            stranger: actor(other, Role::Admin),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Another process over the same catalog.
    fn another(&self) -> Alerts {
        open(&self.catalog, &self.registry, &self.clock, SocketConfig { allow_private: true, ..SocketConfig::default() })
    }

    async fn apply(&self, kind: &str, name: &str, spec: Value) {
        self.clock.advance(Duration::from_millis(2));
        let value = json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
        let draft = Draft { origin: format!("{name}.yaml"), value };
        self.registry.apply(&self.editor, &[draft], "a test").await.unwrap();
    }

    /// A webhook at a path of a server that does as the path says.
    async fn hook(&self, name: &str, upstream: &Upstream, behaviour: &str) {
        self.hook_with(name, upstream, behaviour, json!({})).await;
    }

    async fn hook_with(&self, name: &str, upstream: &Upstream, behaviour: &str, more: Value) {
        let mut spec = json!({ "webhook": { "url": at(upstream, name, behaviour) } });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        self.apply("receiver", name, spec).await;
    }

    fn alert(&self, fingerprint: &str) -> Alert {
        self.clock.advance(Duration::from_millis(2));
        Alert {
            project: self.editor.project,
            fingerprint: fingerprint.to_owned(),
            name: "latency".to_owned(),
            severity: Severity::Error,
            summary: format!("answers of {fingerprint} are slow"),
            missing: false,
            labels: [("app".to_owned(), "desk".to_owned())].into(),
            facts: BTreeMap::from([("p95".to_owned(), json!(4.2))]),
            traces: vec!["a1b2".to_owned()],
            versions: vec!["prompt/answer@v2".to_owned()],
            group_by: Vec::new(),
            receivers: Vec::new(),
            at: start(),
        }
    }

    async fn raise(&self, fingerprint: &str) -> Outcome {
        self.alerts.raise(self.alert(fingerprint)).await.unwrap()
    }

    async fn resolve(&self, fingerprint: &str) -> Vec<IncidentId> {
        self.clock.advance(Duration::from_millis(2));
        self.alerts.resolve(self.editor.project, fingerprint).await.unwrap()
    }

    async fn told(&self, id: IncidentId) -> Told {
        self.alerts.get(&self.reader, id).await.unwrap()
    }

    async fn incident(&self, id: IncidentId) -> Incident {
        self.told(id).await.incident
    }

    async fn incidents(&self) -> Vec<Incident> {
        self.alerts.list(&self.reader, &IncidentFilter::default(), &PageRequest::first(500)).await.unwrap().items
    }

    /// Oldest first.
    async fn deliveries(&self, receiver: &str) -> Vec<Delivery> {
        let filter = DeliveryFilter { receiver: Some(receiver.to_owned()), ..DeliveryFilter::default() };
        let mut found = self.alerts.deliveries(&self.reader, &filter, &PageRequest::first(500)).await.unwrap().items;
        found.reverse();
        found
    }

    async fn only_delivery(&self, receiver: &str) -> Delivery {
        let mut found = self.deliveries(receiver).await;
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }

    /// What is told of it, in order: `opened delivered`.
    async fn said(&self, receiver: &str) -> Vec<String> {
        self.deliveries(receiver).await.iter().map(|delivery| format!("{} {}", delivery.what, delivery.state)).collect()
    }

    /// Sends all that is due now, as a process does.
    async fn deliver(&self) {
        deliver(&self.alerts).await;
    }

    /// Later, when whatever failed is due again.
    async fn deliver_later(&self) {
        self.clock.advance(2 * HOUR);
        self.deliver().await;
    }

    /// A file that a spec can refer to.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("file:{}", path.display())
    }
}

fn open(catalog: &Catalog, registry: &Registry, clock: &FrozenClock, socket: SocketConfig) -> Alerts {
    Alerts::open(Parts {
        catalog: catalog.clone(),
        registry: registry.clone(),
        clock: Arc::new(clock.clone()),
        audit: Arc::new(NoTrail),
        changes: Arc::new(registry.clone()),
        courier: Courier::new(Socket::new(socket).unwrap(), Credentials::default().with_environment(environment)),
        settings: Settings { page: "https://spring.example/".to_owned(), ..Settings::default() },
    })
}

async fn deliver(alerts: &Alerts) {
    loop {
        let due = alerts.due_lanes().await.unwrap();
        if due.is_empty() {
            return;
        }
        let mut lanes = JoinSet::new();
        for lane in due {
            lanes.spawn(alerts.clone().work_lane(lane, Stop::never()));
        }
        while let Some(ended) = lanes.join_next().await {
            ended.unwrap();
        }
    }
}

/// The name tells requests apart.
fn at(upstream: &Upstream, name: &str, behaviour: &str) -> String {
    let behaviour = if behaviour.is_empty() { String::new() } else { format!("/do/{behaviour}") };
    format!("{}{behaviour}/v1/moderations?to={name}", upstream.url())
}

#[track_caller]
fn code<T>(outcome: Result<T, AlertFault>) -> &'static str {
    use mainspring_kernel::Fault as _;
    outcome.err().expect("a refusal").code()
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().rev().map(|event| event.kind.as_str()).collect()
}

fn firing(alerts: &[Raised]) -> Vec<&str> {
    let mut firing: Vec<&str> = alerts.iter().filter(|alert| alert.firing).map(|alert| alert.fingerprint.as_str()).collect();
    firing.sort_unstable();
    firing
}
