//! A project with specs of its own, and the spans that its answers leave.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, AssetRef, Fault, FrozenClock, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{Budget, EventSink, RetrieveRequest, Retriever, Searched, Span, SpanContext};
use mainspring_registry::{Draft, KindDescriptor, Registry};
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub(super) struct Kept(pub(super) Mutex<Vec<Span>>);

impl EventSink for Kept {
    fn record(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

#[derive(Debug)]
pub(super) struct NoDocuments;

#[async_trait]
impl Retriever for NoDocuments {
    async fn retrieve(
        &self,
        _: &Actor,
        _: &AssetRef,
        _: RetrieveRequest,
        _: &SpanContext,
        _: Budget,
    ) -> Result<Searched, Box<dyn Fault>> {
        panic!("nobody asks for documents here")
    }
}

pub(super) fn draft(kind: &str, name: &str, spec: &Value) -> Draft {
    Draft {
        origin: format!("{name}.yaml"),
        value: json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec}),
    }
}

pub(super) struct Project {
    pub(super) catalog: Catalog,
    pub(super) registry: Arc<Registry>,
    pub(super) actor: Actor,
    pub(super) spans: Arc<Kept>,
    clock: Arc<FrozenClock>,
}

impl Project {
    /// Specs of chains, of apps, and of one kind of another room.
    pub(super) async fn of(other: KindDescriptor, drafts: &[Draft]) -> Self {
        Self::with([other], drafts).await
    }

    pub(super) async fn with(others: impl IntoIterator<Item = KindDescriptor>, drafts: &[Draft]) -> Self {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let (clock, project) = (Arc::new(FrozenClock::at(now)), ProjectId::new(now));
        let catalog = Catalog::open("sqlite::memory:").await.unwrap();
        let sql = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        catalog.write(sql, params![project, "ours"]).await.unwrap();
        let kinds = crate::descriptors().into_iter().chain(others).collect();
        let registry = Arc::new(Registry::open(catalog.clone(), Arc::<FrozenClock>::clone(&clock), kinds));
        let actor = Actor {
            principal: PrincipalId::from_raw(1),
            project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        registry.apply(&actor, drafts, "a test").await.unwrap();
        Self { catalog, registry, actor, spans: Arc::default(), clock }
    }

    pub(super) fn trace(&self) -> SpanContext {
        SpanContext::root(self.actor.project, Arc::<Kept>::clone(&self.spans), Arc::<FrozenClock>::clone(&self.clock))
    }
}
