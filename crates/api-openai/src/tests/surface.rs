//! The surface over a real gateway and real sockets, with a model of this process that says what it is told to.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body, extract::Request};
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use mainspring_catalog::{Catalog, params};
use mainspring_chains::Chains;
use mainspring_gateway::{CallRecord, Clients, Gateway, Live, Parts};
use mainspring_kernel::{
    Actor, AssetRef, Fault, FrozenClock, Labels, ModelScope, Role, Tasks, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, Embedder, Embedding, End, Ending, FinishReason, Message, ModelFault,
    Models, Reranker, RetrieveRequest, Retriever, Scored, Searched, SpanContext, TextTokenizer, Tokens, Usage,
    chat::ResponseFormat,
    embed::{EmbedAs, Embedded},
    trace::NoSink,
};
use mainspring_providers::{Credentials, Socket, SocketConfig};
use mainspring_registry::{Draft, Registry};
use mainspring_telemetry::Metrics;
use mainspring_web_kit::{Caller, RequestTag};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tower::ServiceExt;

use crate::{OpenAi, router};

pub(super) const LOCAL: &str = "parrot";
pub(super) const EMBEDDER: &str = "ruler";
pub(super) const RERANKER: &str = "judge";

pub(super) struct Surface {
    router: Router,
    pub(super) openai: OpenAi,
    pub(super) catalog: Catalog,
    gateway: Gateway,
    registry: Registry,
    pub(super) actor: Actor,
    _journal: tempfile::TempDir,
}

/// The next call that is settled.
pub(super) async fn settled(live: &mut Receiver<Live>) -> CallRecord {
    loop {
        let told = tokio::time::timeout(Duration::from_secs(60), live.recv()).await.expect("a call is settled");
        if let Live::Settled(record) = told.unwrap() {
            return *record;
        }
    }
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

    /// The data of a stream's events.
    pub(super) fn data(&self) -> Vec<String> {
        self.text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// The chunks of a stream that ends as it should.
    #[track_caller]
    pub(super) fn chunks(&self) -> Vec<Value> {
        let mut data = self.data();
        assert_eq!(data.pop().as_deref(), Some("[DONE]"), "{}", self.text);
        data.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
    }

    /// The names and the data of a stream's events.
    pub(super) fn events(&self) -> Vec<(String, Value)> {
        let names = self.text.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned);
        names.zip(self.data().iter().map(|data| serde_json::from_str(data).unwrap())).collect()
    }
}

impl Surface {
    pub(super) async fn open() -> Self {
        Self::open_for(Clients::default()).await
    }

    /// Of a server whose clients may say so much of traces.
    pub(super) async fn open_for(clients: Clients) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let catalog = Catalog::open("sqlite::memory:").await.unwrap();
        let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
        let project = ProjectId::new(Timestamp::from_micros(1_700_000_000_000_000));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        let mut kinds = mainspring_gateway::descriptors();
        kinds.extend(mainspring_chains::descriptors());
        kinds.extend([mainspring_providers::descriptor(), mainspring_prompts::descriptor()]);
        let registry = Registry::open(catalog.clone(), Arc::new(clock.clone()), kinds);
        let models =
            Models::default().with_chat(Arc::new(Parrot)).with_embedder(Arc::new(Ruler)).with_reranker(RERANKER, Arc::new(Judge));
        let journal = tempfile::tempdir().unwrap();
        let gateway = Gateway::open(Parts {
            registry: registry.clone(),
            catalog: catalog.clone(),
            models: models.clone(),
            socket: Socket::new(SocketConfig { allow_private: true, ..SocketConfig::default() }).unwrap(),
            credentials: Credentials::default(),
            metrics: Metrics::default(),
            tasks: Tasks::default(),
            clock: Arc::new(clock.clone()),
            journal: journal.path().to_owned(),
            embedding: "none".to_owned(),
            clients,
            patience: Duration::from_secs(60),
        });
        let gateway = gateway.await.unwrap();
        let state = OpenAi {
            gateway: gateway.clone(),
            chains: Arc::new(
                Chains::new(Arc::new(registry.clone()), Arc::new(NoDocuments), models, LOCAL.to_owned())
                    .with_source(Arc::new(gateway.clone())),
            ),
            sink: Arc::new(NoSink),
            clock: Arc::new(clock),
            answer_deadline: Duration::from_secs(60),
            public_url: None,
        };
        let actor = Actor {
            principal: PrincipalId::from_raw(1),
            project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        Self { router: router(state.clone()), openai: state, catalog, gateway, registry, actor, _journal: journal }
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
        self.answer(Request::post(path).body(body.into()).unwrap(), headers).await
    }

    async fn answer(&self, mut request: Request, headers: &[(&'static str, &'static str)]) -> Sent {
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

    pub(super) async fn get(&self, path: &str, headers: &[(&'static str, &'static str)]) -> Sent {
        self.answer(Request::get(path).body(Body::empty()).unwrap(), headers).await
    }

    pub(super) async fn delete(&self, path: &str) -> Sent {
        self.answer(Request::delete(path).body(Body::empty()).unwrap(), &[]).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Sent {
        self.send(path, &[], body.to_string()).await
    }

    pub(super) async fn ask(&self, body: &Value) -> Sent {
        self.send("/v1/chat/completions", &[], body.to_string()).await
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
        // As a model of the generators refuses it.
        match &request.format {
            ResponseFormat::JsonSchema(schema) if schema["type"] == "objekt" => {
                let reason = "the schema at #: there is no type `objekt`: did you mean `object`?".to_owned();
                return Err(ModelFault::InvalidParameter { parameter: "response_format", reason });
            }
            ResponseFormat::JsonSchema(schema) if schema["not"].is_object() => {
                let (what, at) = ("`not`".to_owned(), "#".to_owned());
                return Err(ModelFault::UnkeptSchema { model: LOCAL.to_owned(), what, at });
            }
            _ => {}
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

/// Embeds a text as its length and a one.
#[derive(Debug)]
struct Ruler;

impl TextTokenizer for Ruler {
    fn tokenize(&self, text: &str) -> Tokens {
        Tokens { ranges: (0..text.len()).map(|at| at..at + 1).collect() }
    }
}

#[async_trait]
impl Embedder for Ruler {
    fn name(&self) -> &str {
        EMBEDDER
    }
    fn identity(&self) -> String {
        EMBEDDER.to_owned()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn max_tokens(&self) -> usize {
        100
    }
    async fn embed(&self, texts: Vec<String>, _: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        let tokens = texts.iter().map(String::len).sum::<usize>() as u64;
        Ok(Embedded { vectors: texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect(), tokens })
    }
    async fn embed_tokens(&self, _: Vec<String>, _: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        panic!("nobody here embeds tokens")
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(Self)
    }
}

/// Likes long passages.
#[derive(Debug)]
struct Judge;

#[async_trait]
impl Reranker for Judge {
    fn name(&self) -> &str {
        RERANKER
    }
    fn identity(&self) -> String {
        RERANKER.to_owned()
    }
    async fn rerank(&self, _: &str, passages: Vec<String>, _: Budget) -> Result<Vec<Scored>, ModelFault> {
        Ok(passages.iter().enumerate().map(|(index, passage)| Scored { index, score: passage.len() as f32 }).collect())
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
