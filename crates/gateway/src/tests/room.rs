//! A gateway over a real catalog, with upstreams that misbehave on command.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, FrozenClock, Labels, ModelScope, Money, Role, Tasks, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, Embedder, Embedding, EventSink, FinishReason, Message, ModelFault, Models,
    Span, SpanContext, TextTokenizer, Tokens, Told, Usage,
    embed::{EmbedAs, Embedded},
    exchange::{Dialect, Event},
};
use mainspring_providers::{Credentials, Operation, Socket, SocketConfig, openai, peek};
use mainspring_registry::{Draft, Registry};
use mainspring_telemetry::Metrics;
use mainspring_testservers::upstream::{Script, Upstream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::{
    Answered, Asks, Body, CacheWish, CallRecord, Caller, Clients, Gateway, GatewayFault, Live, Parts, Peeked, Reading, Request,
    descriptors,
};

/// Collects what is recorded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans(Arc<std::sync::Mutex<Vec<Span>>>);

impl EventSink for Spans {
    fn record(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

impl Spans {
    pub(crate) fn all(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) struct Room {
    pub(crate) gateway: Gateway,
    pub(crate) project: ProjectId,
    pub(crate) clock: FrozenClock,
    pub(crate) spans: Spans,
    pub(crate) metrics: Metrics,
    parts: Parts,
    live: broadcast::Receiver<Live>,
    _journal: tempfile::TempDir,
}

/// Dollars for a million tokens, so that one token read costs one millionth and one written two.
const PRICES: &str = r#"{"models": [{"model": "*", "input": 1, "output": 2}]}"#;

impl Room {
    pub(crate) async fn open() -> Self {
        Self::with(Models::default(), SocketConfig { allow_private: true, ..SocketConfig::default() }).await
    }

    pub(crate) async fn with(models: Models, socket: SocketConfig) -> Self {
        Self::over(Catalog::open("sqlite::memory:").await.unwrap(), models, socket).await
    }

    pub(crate) async fn over(catalog: Catalog, models: Models, socket: SocketConfig) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
        let project = ProjectId::new(Timestamp::from_micros(1_700_000_000_000_000));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        let mut kinds = descriptors();
        kinds.push(mainspring_providers::descriptor());
        let journal = tempfile::tempdir().unwrap();
        let metrics = Metrics::default();
        let parts = Parts {
            registry: Registry::open(catalog.clone(), Arc::new(clock.clone()), kinds),
            catalog,
            models,
            socket: Socket::new(socket).unwrap(),
            credentials: Credentials::default(),
            metrics: metrics.clone(),
            tasks: Tasks::default(),
            clock: Arc::new(clock.clone()),
            journal: journal.path().to_owned(),
            embedding: "letters".to_owned(),
            clients: Clients::default(),
            patience: Duration::from_secs(20),
        };
        let gateway = Gateway::open(parts.clone()).await.unwrap();
        let live = gateway.live();
        let room = Self { gateway, project, clock, spans: Spans::default(), metrics, parts, live, _journal: journal };
        room.apply(&[("prices", "default", serde_json::from_str(PRICES).unwrap())]).await;
        room
    }

    /// Another process over the same catalog.
    pub(crate) async fn neighbour(&self) -> (Gateway, tempfile::TempDir) {
        let journal = tempfile::tempdir().unwrap();
        let parts = Parts { journal: journal.path().to_owned(), tasks: Tasks::default(), ..self.parts.clone() };
        (Gateway::open(parts).await.unwrap(), journal)
    }

    /// The process ends in order.
    pub(crate) async fn stop(&self) {
        self.parts.tasks.shut_down(Duration::from_secs(60)).await.unwrap();
    }

    /// The same process, after it was stopped in order.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.parts.tasks = Tasks::default();
        self.gateway = Gateway::open(self.parts.clone()).await.unwrap();
        self.live = self.gateway.live();
    }

    /// A request for a response.
    pub(crate) fn response(&self, body: &Value) -> Request {
        Request { operation: Operation::Responses, said_in: Dialect::OpenAiResponses, ..self.request(body) }
    }

    pub(crate) async fn apply(&self, specs: &[(&str, &str, Value)]) {
        self.apply_silently(specs).await;
        self.gateway.refresh().await;
    }

    /// As a process does that has no gateway.
    pub(crate) async fn apply_silently(&self, specs: &[(&str, &str, Value)]) {
        let draft = |(kind, name, spec): &(&str, &str, Value)| Draft {
            origin: format!("{name}.yaml"),
            value: json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec}),
        };
        let drafts: Vec<Draft> = specs.iter().map(draft).collect();
        self.parts.registry.apply(&self.admin(), &drafts, "a test").await.unwrap();
    }

    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.parts.catalog
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.parts.registry
    }

    pub(crate) fn admin(&self) -> Actor {
        Actor {
            principal: PrincipalId::from_raw(1),
            project: self.project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller { project: self.project, principal: PrincipalId::from_raw(7), key: None, user: None, app: None, line_of: None }
    }

    /// As a chain asks for a model.
    pub(crate) fn asks(&self) -> Asks {
        Asks::of(self.caller(), Labels::none(), self.trace())
    }

    pub(crate) fn trace(&self) -> SpanContext {
        SpanContext::root(self.project, Arc::new(self.spans.clone()), Arc::new(self.clock.clone()))
    }

    /// A request of a client of OpenAI's.
    pub(crate) fn request(&self, body: &Value) -> Request {
        let body = Bytes::from(body.to_string());
        Request {
            caller: self.caller(),
            version: None,
            labels: Labels::none(),
            trace: self.trace(),
            operation: Operation::Chat,
            said_in: Dialect::OpenAiChat,
            headers: HeaderMap::new(),
            peeked: Peeked::from(peek::peek(&body).unwrap()),
            body,
            read,
            cache: CacheWish::AsConfigured,
            budget: Budget::of(Duration::from_secs(60)),
            batch: false,
            told: Told::default(),
        }
    }

    pub(crate) async fn ask(&self, model: &str) -> Result<Answered, GatewayFault> {
        self.gateway.call(self.request(&chat(model, false))).await
    }

    /// A stream, to its end: the bytes that came, and the fault that ended it, if one did.
    pub(crate) async fn stream(&self, model: &str) -> Result<(String, Option<GatewayFault>), GatewayFault> {
        let answered = self.gateway.call(self.request(&chat(model, true))).await?;
        Ok(drain(answered.body).await)
    }

    /// The next call that is settled.
    pub(crate) async fn settled(&mut self) -> CallRecord {
        let wait = async {
            loop {
                if let Live::Settled(record) = self.live.recv().await.unwrap() {
                    return *record;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the call is settled")
    }

    /// What comes next on the board.
    pub(crate) async fn heard(&mut self) -> Live {
        tokio::time::timeout(Duration::from_secs(60), self.live.recv()).await.expect("something happens").unwrap()
    }

    /// Whether no call was settled so far.
    pub(crate) fn none_settled(&mut self) -> bool {
        loop {
            match self.live.try_recv() {
                Ok(Live::Settled(_)) => return false,
                Ok(Live::Started(_) | Live::Answering(_)) => {}
                Err(_) => return true,
            }
        }
    }

    /// The only call that is settled: nothing else comes.
    pub(crate) async fn settled_once(&mut self) -> CallRecord {
        let record = self.settled().await;
        loop {
            match self.live.try_recv() {
                Ok(Live::Settled(other)) => panic!("settled twice: {record:?} and {other:?}"),
                Ok(Live::Started(_) | Live::Answering(_)) => {}
                Err(_) => return record,
            }
        }
    }
}

pub(crate) fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "say something"}], "stream": stream})
}

/// About as many tokens as a body has, where nobody told.
pub(crate) fn guess(body: &Value) -> u64 {
    match read(body.to_string().as_bytes()) {
        Ok(Reading::Chat(call)) => crate::reckon::call(&call),
        other => panic!("{other:?}"),
    }
}

fn read(body: &[u8]) -> Result<Reading, GatewayFault> {
    let call = openai::chat::read(body).map_err(|fault| GatewayFault::invalid("body", fault.to_string()))?;
    Ok(Reading::Chat(Box::new(call)))
}

/// A body to its end, as text.
pub(crate) async fn drain(body: Body) -> (String, Option<GatewayFault>) {
    let mut text = String::new();
    match body {
        Body::Bytes(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
        Body::Chunks(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                match chunk {
                    Ok(chunk) => text.push_str(&String::from_utf8_lossy(&chunk)),
                    Err(fault) => return (text, Some(fault)),
                }
            }
        }
        Body::Events(mut events) => {
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Text { text: more, .. }) => text.push_str(&more),
                    Ok(_) => {}
                    Err(fault) => return (text, Some(fault)),
                }
            }
        }
        Body::Answer(answer) => {
            let turn = answer.choices.into_iter().flat_map(|choice| choice.parts);
            for part in turn {
                if let mainspring_llm::exchange::Part::Text { text: more, .. } = part {
                    text.push_str(&more);
                }
            }
        }
        other => text.push_str(other.as_str()),
    }
    (text, None)
}

pub(crate) fn upstream(script: Script) -> Upstream {
    Upstream::start(script).unwrap()
}

/// A provider of OpenAI's dialect.
pub(crate) fn provider(upstream: &Upstream) -> Value {
    json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())})
}

/// A provider that has the responses endpoint itself.
pub(crate) fn keeper(upstream: &Upstream) -> Value {
    json!({"type": "azure", "base_url": format!("{}/openai/v1", upstream.url())})
}

/// So many tokens read and written at the test's prices.
pub(crate) fn cost(input: u64, output: u64) -> Money {
    Money::from_dollars(1).for_tokens(input) + Money::from_dollars(2).for_tokens(output)
}

/// A model of this process that says what it is told to.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<&'static str>,
}

#[async_trait]
impl ChatModel for Scripted {
    fn name(&self) -> &str {
        self.name
    }
    fn identity(&self) -> String {
        format!("scripted:{}", self.name)
    }
    fn context_window(&self) -> Option<usize> {
        Some(100)
    }
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        Ok(messages.len())
    }
    async fn stream(&self, request: ChatRequest, _: Budget) -> Result<ChatStream, ModelFault> {
        if request.messages.iter().any(|message| message.content.len() > 100) {
            return Err(ModelFault::ContextExceeded { model: self.name.to_owned(), tokens: 200, window: 100 });
        }
        let usage = Usage { input_tokens: 3, output_tokens: self.words.len() as u64, cached_tokens: 1 };
        let text = |word: &&'static str| Ok(Delta::Text { text: (*word).to_owned(), logprobs: Vec::new() });
        let mut deltas: Vec<Result<Delta, ModelFault>> = self.words.iter().map(text).collect();
        deltas.push(Ok(Delta::Done { finish: FinishReason::Stop, usage }));
        Ok(futures::stream::iter(deltas).boxed())
    }
    async fn stream_text(&self, _: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        self.stream(request, budget).await
    }
}

/// Texts with the same letters are alike.
#[derive(Debug)]
pub(crate) struct Letters;

#[async_trait]
impl Embedder for Letters {
    fn name(&self) -> &str {
        "letters"
    }
    fn identity(&self) -> String {
        "letters".to_owned()
    }
    fn dimensions(&self) -> usize {
        26
    }
    fn max_tokens(&self) -> usize {
        1_000
    }
    async fn embed(&self, texts: Vec<String>, _: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        let vector = |text: &String| -> Embedding {
            let letters: BTreeSet<u8> = text.bytes().filter(u8::is_ascii_lowercase).collect();
            let length = (letters.len().max(1) as f32).sqrt();
            (b'a'..=b'z').map(|letter| f32::from(u8::from(letters.contains(&letter))) / length).collect()
        };
        Ok(Embedded { vectors: texts.iter().map(vector).collect(), tokens: texts.len() as u64 })
    }
    async fn embed_tokens(&self, _: Vec<String>, _: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        Ok(Vec::new())
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(Self)
    }
}

impl TextTokenizer for Letters {
    fn tokenize(&self, _: &str) -> Tokens {
        Tokens::default()
    }
}
