//! Models that a project names and another room answers for.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use mainspring_kernel::{Fault, FaultKind, id::ProjectId};
use mainspring_llm::{
    Asking, Budget, ChatModel, ChatRequest, ChatStream, Delta, FinishReason, Message, ModelFault, ModelSource, Models, Span,
    SpanContext, Usage,
    trace::{SpanKind, names},
};
use serde_json::json;

use super::project::{NoDocuments, Project, draft};
use crate::{Answer, AnswerEvent, AnswerStream, ChainFault, Chains, Pins, Question};

const LOCAL: &str = "tiny";
/// Both a model of this process and a name of the source.
const BOTH: &str = "both";

/// Says where it is; one of the source leaves a span, as a route does.
#[derive(Debug, Clone)]
struct Scripted {
    name: String,
    identity: &'static str,
    trace: Option<SpanContext>,
}

#[derive(Debug, thiserror::Error)]
#[error("nothing is left of 50 dollars for this month")]
struct Spent;

impl Fault for Spent {
    fn kind(&self) -> FaultKind {
        FaultKind::Saturated
    }
    fn code(&self) -> &'static str {
        "limit-spend"
    }
    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(70))
    }
}

#[async_trait]
impl ChatModel for Scripted {
    fn name(&self) -> &str {
        &self.name
    }
    fn identity(&self) -> String {
        self.identity.to_owned()
    }
    fn context_window(&self) -> Option<usize> {
        None
    }
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        Ok(messages.len())
    }
    async fn stream(&self, _: ChatRequest, _: Budget) -> Result<ChatStream, ModelFault> {
        if self.name == "spent" {
            return Err(ModelFault::Elsewhere(Box::new(Spent)));
        }
        if let Some(trace) = &self.trace {
            trace.start("call", SpanKind::Internal).finish();
        }
        let usage = Usage { input_tokens: 3, output_tokens: 2, cached_tokens: 0 };
        let text = Delta::Text { text: format!("{} by {}", self.name, self.identity), logprobs: Vec::new() };
        Ok(futures::stream::iter([Ok(text), Ok(Delta::Done { finish: FinishReason::Stop, usage })]).boxed())
    }
    fn under(&self, trace: &SpanContext) -> Option<Arc<dyn ChatModel>> {
        self.trace.as_ref().map(|_| Arc::new(Self { trace: Some(trace.clone()), ..self.clone() }) as Arc<dyn ChatModel>)
    }
    async fn stream_text(&self, _: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        self.stream(request, budget).await
    }
}

type Asked = (ProjectId, Option<String>, Option<String>, String);

/// What it was asked, and by which versions.
#[derive(Debug, Default)]
struct Source(Mutex<Vec<Asked>>, Mutex<Vec<Option<String>>>);

impl ModelSource for Source {
    fn chat(&self, asking: &Asking<'_>, name: &str) -> Option<Arc<dyn ChatModel>> {
        if !["assistant", "first/small", "spent", BOTH].contains(&name) {
            return None;
        }
        let said = |text: Option<&str>| text.map(str::to_owned);
        self.1.lock().unwrap().push(said(asking.version));
        asking.told.say("x-source", name);
        self.0.lock().unwrap().push((asking.actor.project, said(asking.app), said(asking.user), name.to_owned()));
        Some(Arc::new(Scripted { name: name.to_owned(), identity: "route:v1", trace: Some(asking.trace.clone()) }))
    }
}

struct Room {
    chains: Chains,
    source: Arc<Source>,
    project: Project,
}

impl Room {
    /// An app of every model's name, and a prompt.
    async fn open(default_model: &str) -> Self {
        let messages = json!([{"role": "user", "content": "{{ question }}"}]);
        let mut drafts = vec![draft("prompt", "plain", &json!({"parameters": {"question": {}}, "messages": messages}))];
        for (name, model) in [("routed", "first/small"), ("near", LOCAL), ("twice", BOTH), ("poor", "spent"), ("lost", "x/y")] {
            let steps = json!([{"prompt": {"use": "plain"}}, {"model": {"name": model}}]);
            drafts.push(draft("chain", name, &json!({"steps": steps})));
            drafts.push(draft("app", name, &json!({"chain": name})));
        }
        let project = Project::of(mainspring_prompts::descriptor(), &drafts).await;
        let here = |name: &str| Arc::new(Scripted { name: name.to_owned(), identity: "weights", trace: None });
        let models = Models::default().with_chat(here(LOCAL)).with_chat(here(BOTH));
        let source = Arc::new(Source::default());
        let chains = Chains::new(Arc::clone(&project.registry), Arc::new(NoDocuments), models, default_model.to_owned())
            .with_source(Arc::<Source>::clone(&source));
        Self { chains, source, project }
    }

    fn question(target: &str, model: Option<&str>) -> Question {
        let mut question = Question::of(target.parse().unwrap(), vec![Message::user("What?")]);
        question.user = Some("ada".to_owned());
        question.pins = Pins { model: model.map(str::to_owned), ..Pins::default() };
        question
    }

    async fn ask(&self, target: &str, model: Option<&str>) -> Result<Answer, ChainFault> {
        let question = Self::question(target, model);
        self.chains.answer(&self.project.actor, question, &self.project.trace(), Budget::of(Duration::from_secs(60))).await
    }

    async fn begin(&self, question: Question) -> Result<AnswerStream, ChainFault> {
        self.chains.stream(&self.project.actor, question, &self.project.trace(), Budget::of(Duration::from_secs(60))).await
    }

    #[track_caller]
    fn span(&self, name: &str) -> Span {
        let spans = self.project.spans.0.lock().unwrap();
        spans.iter().find(|span| span.name == name).cloned().unwrap_or_else(|| panic!("no span `{name}`: {spans:?}"))
    }
}

fn text(answer: &Answer) -> &str {
    &answer.alternatives[0].text
}

#[tokio::test]
async fn an_app_is_answered_by_the_model_of_a_provider_in_one_trace() {
    let room = Room::open(LOCAL).await;
    let answer = room.ask("routed", None).await.unwrap();
    assert_eq!(text(&answer), "first/small by route:v1");
    let asked = (room.project.actor.project, Some("routed".to_owned()), Some("ada".to_owned()), "first/small".to_owned());
    assert_eq!(*room.source.0.lock().unwrap(), [asked]);
    let versions: Vec<String> = answer.alternatives[0].outcome.versions.iter().map(ToString::to_string).collect();
    assert_eq!(versions.last().unwrap(), "model/first/small#route:v1");

    let (root, model, call) = (room.span("invoke_agent routed"), room.span("chat first/small"), room.span("call"));
    assert_eq!((model.parent, call.parent), (Some(root.span), Some(model.span)));
    assert_eq!((model.trace, call.trace), (root.trace, root.trace));
    assert_eq!(root.attributes[names::VERSIONS], json!(versions));
    // Who answered is known to the call, not to the chain.
    assert_eq!(model.attributes.get(names::PROVIDER), None);
}

#[tokio::test]
async fn the_projects_own_models_come_before_those_of_the_process() {
    let room = Room::open(LOCAL).await;
    assert_eq!(text(&room.ask("twice", None).await.unwrap()), "both by route:v1");
    assert_eq!(text(&room.ask("near", None).await.unwrap()), "tiny by weights");
    assert_eq!(room.span("chat tiny").attributes[names::PROVIDER], "mainspring.local");
    assert_eq!(text(&room.ask("near", Some("first/small")).await.unwrap()), "first/small by route:v1");
    assert_eq!(text(&room.ask("routed", Some(LOCAL)).await.unwrap()), "tiny by weights");
    assert_eq!(room.ask("lost", None).await.unwrap_err().code(), "model-not-found");
}

#[tokio::test]
async fn prompts_and_requests_may_name_a_route_too() {
    let room = Room::open("assistant").await;
    assert_eq!(text(&room.ask("plain", None).await.unwrap()), "assistant by route:v1");
    assert_eq!(text(&room.ask("model/assistant", None).await.unwrap()), "assistant by route:v1");
    assert_eq!(text(&room.ask("model/tiny", None).await.unwrap()), "tiny by weights");
    assert_eq!(room.ask("model/nobody", None).await.unwrap_err().code(), "chain-unknown-target");
    assert!(room.source.0.lock().unwrap().iter().all(|(_, app, user, _)| app.is_none() && user.as_deref() == Some("ada")));
}

#[tokio::test]
async fn what_is_refused_elsewhere_keeps_its_code_and_its_wait() {
    let room = Room::open(LOCAL).await;
    let fault = room.ask("poor", None).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Saturated, "limit-spend"));
    assert_eq!(fault.retry_after(), Some(Duration::from_secs(70)));
    assert_eq!(room.span("invoke_agent poor").attributes["error.type"], "limit-spend");
    assert_eq!(room.span("chat spent").attributes["error.type"], "limit-spend");
}

#[tokio::test]
async fn a_process_that_serves_models_only_says_so_of_apps_and_prompts() {
    let mut room = Room::open(LOCAL).await;
    room.chains = room.chains.serving_models_only();
    for (target, kind) in [("routed", "app"), ("app/routed", "app"), ("plain", "prompt"), ("plain@v1", "prompt")] {
        let fault = room.ask(target, None).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::NotFound, "models-only"), "{target}");
        assert_eq!(fault.to_string(), format!("`{target}` is of the kind `{kind}`, and this process serves models only"));
        assert!(fault.hint().unwrap().contains("mainspring serve"));
    }
    assert_eq!(room.ask("nobody", None).await.unwrap_err().code(), "chain-unknown-target");
    assert_eq!(text(&room.ask("model/assistant", None).await.unwrap()), "assistant by route:v1");
}

#[tokio::test]
async fn a_model_is_asked_before_a_stream_begins_where_there_are_no_sources_to_show() {
    let room = Room::open(LOCAL).await;
    let Err(fault) = room.begin(Room::question("poor", None)).await else { panic!("it is refused, and no stream begins") };
    assert_eq!(fault.code(), "limit-spend");
    assert_eq!(room.span("invoke_agent poor").attributes["error.type"], "limit-spend");
    let mut question = Room::question("routed", None);
    question.n = 2;
    let mut stream = room.begin(question).await.unwrap();
    let calls = || room.project.spans.0.lock().unwrap().iter().filter(|span| span.name == "call").count();
    assert_eq!(calls(), 1, "the first is under way");
    let (mut texts, mut used) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AnswerEvent::Text { index, text, .. } => texts.push((index, text)),
            AnswerEvent::Done { usage, .. } => used = Some(usage),
            AnswerEvent::Sources { .. } | AnswerEvent::Finished { .. } => {}
        }
    }
    let text = "first/small by route:v1".to_owned();
    assert_eq!(texts, [(0, text.clone()), (1, text)], "and it is not asked twice");
    assert_eq!(calls(), 2);
    let once = Usage { input_tokens: 3, output_tokens: 4, cached_tokens: 0 };
    assert_eq!(used, Some(once), "one prompt and two answers");
    let root = room.span("invoke_agent routed");
    assert_eq!(root.attributes["gen_ai.usage.input_tokens"], 6, "a trace shows what was read");
}

#[tokio::test]
async fn who_asks_a_model_says_by_which_versions_and_hears_of_the_call() {
    let room = Room::open("assistant").await;
    let question = Room::question("routed", None);
    let told = question.told.clone();
    drop(room.begin(question).await.unwrap());
    assert_eq!(told.facts().headers, [("x-source".to_owned(), "first/small".to_owned())]);
    room.ask("plain", None).await.unwrap();
    room.ask("model/assistant", None).await.unwrap();
    let versions = room.source.1.lock().unwrap().clone();
    let named: Vec<Vec<&str>> = versions
        .iter()
        .map(|version| {
            version.iter().flat_map(|version| version.split(' ')).map(|each| each.split('#').next().unwrap()).collect()
        })
        .collect();
    assert_eq!(named, [vec!["app/routed@v1", "chain/routed@v1", "prompt/plain@v1"], vec!["prompt/plain@v1"], vec![]]);
}
