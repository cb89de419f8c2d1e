//! Conversations with an app, and prompts that are too full.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use mainspring_kernel::{Actor, AssetKind, AssetRef, Fault};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, FinishReason, Message, ModelFault, ModelUsed, Models, Passage,
    RetrieveRequest, Retrieved, Retriever, SearchMode, Searched, SpanContext, TablePin, Usage, chat::Speaker,
};
use mainspring_registry::{KindDescriptor, ParsedSpec};
use serde_json::{Value, json};

use super::{
    passage,
    project::{Project, draft},
};
use crate::{Alternative, Chains, Question, citations::check};

pub(super) const MODEL: &str = "echo";

/// Says what it was asked. A word is a token.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) window: Option<usize>,
}

fn joined(messages: &[Message]) -> String {
    let lines: Vec<String> = messages.iter().map(|message| format!("{}: {}", message.role.as_str(), message.content)).collect();
    lines.join("\n")
}

#[async_trait]
impl ChatModel for Echo {
    fn name(&self) -> &str {
        MODEL
    }
    fn identity(&self) -> String {
        "sha256:ec".to_owned()
    }
    fn context_window(&self) -> Option<usize> {
        self.window
    }
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        Ok(messages.iter().map(|message| message.content.split_whitespace().count()).sum())
    }
    async fn stream(&self, request: ChatRequest, _: Budget) -> Result<ChatStream, ModelFault> {
        let text = Delta::Text { text: joined(&request.messages), logprobs: Vec::new() };
        let done = Delta::Done { finish: FinishReason::Stop, usage: Usage::default() };
        Ok(futures::stream::iter([Ok(text), Ok(done)]).boxed())
    }
    async fn stream_text(&self, _: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        self.stream(request, budget).await
    }
}

/// Finds the texts that hold two words of the query, in the knowledge that is asked. What stands before a tab is the head
/// of the table that the text goes on with.
#[derive(Debug)]
struct Shelves {
    texts: Vec<(&'static str, &'static str)>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Retriever for Shelves {
    async fn retrieve(
        &self,
        _: &Actor,
        knowledge: &AssetRef,
        request: RetrieveRequest,
        _: &SpanContext,
        _: Budget,
    ) -> Result<Searched, Box<dyn Fault>> {
        self.asked.lock().unwrap().push(request.query.clone());
        let query = request.query.to_lowercase();
        let words: Vec<&str> = query.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).collect();
        let holds = |text: &str| words.iter().filter(|word| text.to_lowercase().contains(**word)).count() >= 2;
        let here = self.texts.iter().filter(|(shelf, text)| *shelf == knowledge.name.as_str() && holds(text));
        Ok(Searched::Read(Box::new(Retrieved {
            passages: here.map(|(_, text)| shelved(text)).collect(),
            mode: SearchMode::Hybrid,
            reranked: false,
            pin: TablePin { table: "t".parse().unwrap(), version: 1, transaction: "x".into() },
            knowledge: format!("{}@v1", knowledge.name),
            knowledge_digest: "sha256:0".into(),
            embedder: Some("words".into()),
            models: vec![ModelUsed { name: "words".into(), identity: "sha256:ab".into() }],
            timings: Vec::new(),
            best_similarity: None,
            unread: None,
        })))
    }
}

fn shelved(text: &str) -> Passage {
    match text.split_once('\t') {
        Some((head, rows)) => Passage { table_head: Some(head.to_owned()), ..passage(rows) },
        None => Passage { heading_path: vec!["Backups".into(), "SQLite".into()], page: Some(7), ..passage(text) },
    }
}

struct Room {
    chains: Chains,
    shelves: Arc<Shelves>,
    project: Project,
}

impl Room {
    async fn open(texts: &[(&'static str, &'static str)], window: Option<usize>, prompt: Value) -> Self {
        let knowledge =
            KindDescriptor { kind: AssetKind::Knowledge, schema: || json!({}), parse: |value| ParsedSpec::of(value, Vec::new()) };
        let steps = json!([
            {"retrieve": {"knowledge": "notes"}},
            {"retrieve": {"knowledge": "papers"}},
            {"prompt": {"use": "answer"}},
            {"model": {"name": MODEL}},
        ]);
        let drafts = [
            draft("knowledge", "notes", &json!({})),
            draft("knowledge", "papers", &json!({})),
            draft("prompt", "answer", &prompt),
            draft("chain", "manual", &json!({"steps": steps})),
            draft("app", "manual", &json!({"chain": "manual", "abstain": "It is not in there."})),
        ];
        let project = Project::with([knowledge, mainspring_prompts::descriptor()], &drafts).await;
        let models = Models::default().with_chat(Arc::new(Echo { window }));
        let shelves = Arc::new(Shelves { texts: texts.to_vec(), asked: Mutex::default() });
        let chains = Chains::new(Arc::clone(&project.registry), Arc::<Shelves>::clone(&shelves), models, MODEL.to_owned());
        Self { chains, shelves, project }
    }

    /// The last of these turns is asked, the others were said before, by the user and the app in turn.
    async fn ask(&self, turns: &[&str]) -> Alternative {
        let speakers = [Speaker::User, Speaker::Assistant].into_iter().cycle();
        let messages = turns.iter().zip(speakers).map(|(text, speaker)| Message::new(speaker, *text)).collect();
        let mut question = Question::of("manual".parse().unwrap(), messages);
        question.overrides.settings.max_tokens = Some(1);
        let budget = Budget::of(Duration::from_secs(60));
        let answer = self.chains.answer(&self.project.actor, question, &self.project.trace(), budget).await.unwrap();
        answer.alternatives.into_iter().next().unwrap()
    }

    fn searches(&self) -> Vec<String> {
        let mut asked = self.shelves.asked.lock().unwrap().split_off(0);
        // Each of the two steps searches.
        asked.dedup();
        asked
    }
}

const TEXTS: [(&str, &str); 2] =
    [("notes", "A backup of SQLite is a copy of its file."), ("papers", "A backup of PostgreSQL is made with pg_dump.")];
const FIRST: &str = "How is a backup of SQLite made?";

fn prompt(parameters: &Value, content: &str) -> Value {
    json!({"parameters": parameters, "messages": [{"role": "user", "content": content}]})
}

pub(super) fn plain() -> Value {
    prompt(
        &json!({"question": {}, "sources": {"type": "array"}}),
        "{% for source in sources %}[{{ source.number }}] {{ source.text }}\n{% endfor %}{{ question }}",
    )
}

#[tokio::test]
async fn a_question_that_leans_on_the_one_before_is_answered() {
    let room = Room::open(&TEXTS, None, plain()).await;
    let answer = room.ask(&[FIRST, "It is a copy.", "And on PostgreSQL?"]).await;
    assert!(!answer.outcome.abstained && answer.text.contains("pg_dump"), "{}", answer.text);
    assert!(answer.text.ends_with("And on PostgreSQL?"), "the prompt is given what was asked: {}", answer.text);
    assert!(answer.text.starts_with(&format!("user: {FIRST}\nassistant: It is a copy.\nuser: [1]")), "{}", answer.text);
    assert_eq!(room.searches(), ["And on PostgreSQL?".to_owned(), format!("{FIRST}\nAnd on PostgreSQL?")]);
    let versions: Vec<String> = answer.outcome.versions.iter().map(ToString::to_string).collect();
    assert_eq!(versions.iter().filter(|version| *version == "model/words#sha256:ab").count(), 1, "{versions:?}");
    assert!(versions.iter().any(|version| version == "model/echo#sha256:ec"), "{versions:?}");
    assert_eq!(answer.outcome.tables.len(), 2, "a replay reads one state for each step");
    let spans = room.project.spans.0.lock().unwrap();
    let root = spans.iter().find(|span| span.name == "invoke_agent manual").unwrap();
    assert_eq!(root.attributes["mainspring.retrieval.looked_back"], json!(true));
}

#[tokio::test]
async fn a_question_that_finds_something_by_itself_is_searched_by_itself() {
    let room = Room::open(&TEXTS, None, plain()).await;
    let answer = room.ask(&[FIRST, "It is a copy.", "And a backup of PostgreSQL, is it another one?"]).await;
    assert!(answer.text.contains("pg_dump"), "{}", answer.text);
    assert_eq!(room.searches(), ["And a backup of PostgreSQL, is it another one?"]);
}

#[tokio::test]
async fn another_subject_is_not_answered_from_passages_of_the_old_one() {
    let room = Room::open(&TEXTS, None, plain()).await;
    let answer = room.ask(&[FIRST, "It is a copy.", "And the weather?"]).await;
    assert_eq!((answer.text.as_str(), answer.outcome.abstained), ("It is not in there.", true));
    assert!(answer.outcome.sources.is_empty());
    let whole = "Which teams won the football cups of the last decades?";
    room.searches();
    assert!(room.ask(&[FIRST, "It is a copy.", whole]).await.outcome.abstained);
    assert_eq!(room.searches(), [whole], "it stands for itself");
}

#[tokio::test]
async fn a_prompt_may_place_what_was_said_itself() {
    let parameters = json!({"question": {}, "sources": {"type": "array"}, "history": {"type": "array"}});
    let content = "{% for turn in history %}({{ turn.role }}) {{ turn.content }} {% endfor %}| {{ question }}{% for source in sources %}{% endfor %}";
    let room = Room::open(&TEXTS, None, prompt(&parameters, content)).await;
    let answer = room.ask(&[FIRST, "It is a copy.", "And on PostgreSQL?"]).await;
    assert_eq!(answer.text, format!("user: (user) {FIRST} (assistant) It is a copy. | And on PostgreSQL?"));
    assert_eq!(room.ask(&[FIRST]).await.text, format!("user: | {FIRST}"));
}

#[tokio::test]
async fn a_row_of_a_table_is_given_under_the_names_of_its_columns() {
    let (head, row) = ("| Article | Gross price |", "| Widget222 | 341.20 |");
    let room = Room::open(&[("notes", "| Article | Gross price |\t| Widget222 | 341.20 |")], None, plain()).await;
    let answer = room.ask(&["Which gross price has the article Widget222?"]).await;
    assert!(answer.text.contains(&format!("[1] {head}\n{row}\n")), "{}", answer.text);
    let source = &answer.outcome.sources[0];
    assert_eq!((source.text.as_str(), source.table_head.as_deref()), (row, Some(head)));
    assert_eq!(usize::try_from(source.end - source.start).unwrap(), row.len(), "offsets are those of the row");
    let checked = check("The gross price of the article Widget222 is 341.20.", &[shelved(&format!("{head}\t{row}"))]);
    assert!(checked.unsupported.is_empty() && checked.citations.len() == 1, "{checked:?}");
    assert!(!check("The gross price of the article Widget222 is 341.20.", &[passage(row)]).unsupported.is_empty());
}

/// Those that the guide to a first app names.
#[tokio::test]
async fn a_prompt_may_name_every_field_of_a_source() {
    let parameters = json!({"question": {}, "sources": {"type": "array"}});
    let content = "{% for source in sources %}{{ source.number }}|{{ source.title }}|{{ source.heading }}|{{ source.page }}|{{ source.uri }}|{{ source.text }}{% endfor %} {{ question }}";
    let room = Room::open(&[("notes", "A backup of SQLite is a copy.")], None, prompt(&parameters, content)).await;
    let answer = room.ask(&[FIRST]).await;
    let expected = format!("user: 1|Title|Backups > SQLite|7|file:///x.md|A backup of SQLite is a copy. {FIRST}");
    assert_eq!(answer.text, expected);
}

#[tokio::test]
async fn a_full_prompt_leaves_out_the_worst_of_every_search() {
    let texts = [
        ("notes", "garden gate first note"),
        ("notes", "garden gate second note"),
        ("notes", "garden gate third note"),
        ("papers", "garden gate first paper"),
        ("papers", "garden gate second paper"),
    ];
    // 3 words are asked, each source has 5 with its number, and 1 is kept for the answer: two sources fit.
    let room = Room::open(&texts, Some(14), plain()).await;
    let answer = room.ask(&["Which garden gate?"]).await;
    let given: Vec<&str> = answer.outcome.sources.iter().map(|source| source.text.as_str()).collect();
    assert_eq!(given, ["garden gate first note", "garden gate first paper"]);
    assert_eq!(answer.outcome.dropped_sources, 3);
    let room = Room::open(&texts, Some(19), plain()).await;
    let answer = room.ask(&["Which garden gate?"]).await;
    let given: Vec<&str> = answer.outcome.sources.iter().map(|source| source.text.as_str()).collect();
    assert_eq!(given, ["garden gate first note", "garden gate second note", "garden gate first paper"]);
}
