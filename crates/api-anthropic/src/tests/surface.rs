//! The surface over a real gateway and real sockets, with a model of this process that says what it is told to.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body, extract::Request};
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use mainspring_catalog::{Catalog, params};
use mainspring_chains::Chains;
use mainspring_gateway::{
    Clients, Gateway, Parts,
    ledger::{Amount, EACH, Metric, NewLimit, SubjectKind},
};
use mainspring_kernel::{
    Actor, AssetRef, Fault, FrozenClock, Labels, ModelScope, Role, Tasks, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, End, Ending, FinishReason, Message, ModelFault, Models, RetrieveRequest,
    Retriever, Searched, SpanContext, Usage, trace::NoSink,
};
use mainspring_providers::{Credentials, Socket, SocketConfig};
use mainspring_registry::{Draft, Registry};
use mainspring_telemetry::Metrics;
use mainspring_web_kit::{Caller, RequestTag};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::answers::events;
use crate::{Anthropic, router};

pub(super) const LOCAL: &str = "parrot";

pub(super) struct Surface {
    router: Router,
    gateway: Gateway,
    registry: Registry,
    actor: Actor,
    _journal: tempfile::TempDir,
}

/// An answer as its client has it.
pub(super) struct Sent {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// As the log is told of a stream.
    pub(super) ended: Option<End>,
}

impl Sent {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn events(&self) -> Vec<(String, Value)> {
        events(&self.text)
    }
}

impl Surface {
    pub(super) async fn open() -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let catalog = Catalog::open("sqlite::memory:").await.unwrap();
        let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
        let project = ProjectId::new(Timestamp::from_micros(1_700_000_000_000_000));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        let mut kinds = mainspring_gateway::descriptors();
        kinds.extend(mainspring_chains::descriptors());
        kinds.extend([mainspring_providers::descriptor(), mainspring_prompts::descriptor()]);
        let registry = Registry::open(catalog.clone(), Arc::new(clock.clone()), kinds);
        let models = Models::default().with_chat(Arc::new(Parrot));
        let journal = tempfile::tempdir().unwrap();
        let gateway = Gateway::open(Parts {
            registry: registry.clone(),
            catalog,
            models: models.clone(),
            socket: Socket::new(SocketConfig { allow_private: true, ..SocketConfig::default() }).unwrap(),
            credentials: Credentials::default(),
            metrics: Metrics::default(),
            tasks: Tasks::default(),
            clock: Arc::new(clock.clone()),
            journal: journal.path().to_owned(),
            embedding: "none".to_owned(),
            clients: Clients::default(),
            patience: Duration::from_secs(60),
        });
        let gateway = gateway.await.unwrap();
        let state = Anthropic {
            gateway: gateway.clone(),
            chains: Arc::new(
                Chains::new(Arc::new(registry.clone()), Arc::new(NoDocuments), models, LOCAL.to_owned())
                    .with_source(Arc::new(gateway.clone())),
            ),
            sink: Arc::new(NoSink),
            clock: Arc::new(clock),
            answer_deadline: Duration::from_secs(60),
        };
        let actor = Actor {
            principal: PrincipalId::from_raw(1),
            project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        Self { router: router(state), gateway, registry, actor, _journal: journal }
    }

    /// For the whole project.
    pub(super) async fn limit(&self, metric: Metric, amount: &str) {
        self.limit_each(SubjectKind::Project, metric, amount).await;
    }

    pub(super) async fn limit_each(&self, kind: SubjectKind, metric: Metric, amount: &str) {
        let amount = Amount::read(metric, amount).unwrap();
        let new = NewLimit { kind, subject: EACH.to_owned(), metric, amount };
        self.gateway.ledger().set_limit(&self.actor, new).await.unwrap();
    }

    /// Asked with a key that may name these models only.
    pub(super) fn with_key_for(mut self, models: &[&str]) -> Self {
        self.actor.models = ModelScope::Some(models.iter().map(|model| (*model).to_owned()).collect());
        self
    }

    pub(super) async fn apply(&self, specs: &[(&str, &str, Value)]) {
        let draft = |(kind, name, spec): &(&str, &str, Value)| Draft {
            origin: format!("{name}.yaml"),
            value: json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec}),
        };
        let drafts: Vec<Draft> = specs.iter().map(draft).collect();
        self.registry.apply(&self.actor, &drafts, "a test").await.unwrap();
        self.gateway.refresh().await;
    }

    pub(super) async fn send(&self, path: &str, headers: &[(&'static str, &'static str)], body: impl Into<Body>) -> Sent {
        let mut request = Request::post(path).body(body.into()).unwrap();
        for &(name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        request.extensions_mut().insert(Caller(self.actor.clone()));
        request.extensions_mut().insert(RequestTag("req_7".to_owned()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let ending = response.extensions().get::<Ending>().cloned();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let ended = ending.and_then(|ending| ending.told());
        Sent { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap(), ended }
    }

    pub(super) async fn ask(&self, body: &Value) -> Sent {
        self.send("/v1/messages", &[], body.to_string()).await
    }
}

/// Says again what was said last.
#[derive(Debug)]
struct Parrot;

#[async_trait]
impl ChatModel for Parrot {
    fn name(&self) -> &str {
        LOCAL
    }
    fn identity(&self) -> String {
        LOCAL.to_owned()
    }
    fn context_window(&self) -> Option<usize> {
        Some(1_000)
    }
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        Ok(messages.len())
    }
    async fn stream(&self, request: ChatRequest, _: Budget) -> Result<ChatStream, ModelFault> {
        let last = request.messages.last().map(|message| message.content.clone()).unwrap_or_default();
        if last.len() > 1_000 {
            return Err(ModelFault::ContextExceeded { model: LOCAL.to_owned(), tokens: last.len(), window: 1_000 });
        }
        let usage = Usage { input_tokens: 3, output_tokens: 2, cached_tokens: 1 };
        let deltas = [
            Ok(Delta::Text { text: last, logprobs: Vec::new() }),
            Ok(Delta::Text { text: "!".to_owned(), logprobs: Vec::new() }),
            Ok(Delta::Done { finish: FinishReason::Stop, usage }),
        ];
        Ok(futures::stream::iter(deltas).boxed())
    }
    async fn stream_text(&self, _: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        self.stream(request, budget).await
    }
}

#[derive(Debug)]
struct NoDocuments;

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
        panic!("no test has an app that retrieves")
    }
}
