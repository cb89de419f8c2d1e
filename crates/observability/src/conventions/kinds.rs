//! What kind of work a span describes, and who provides the model, in every convention's words.

use std::borrow::Cow;

use serde::Serialize;

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanType {
    /// A model wrote something: a chat, a completion, an object.
    Chat,
    Embedding,
    Rerank,
    Tool,
    Retriever,
    Agent,
    /// Steps that belong together: a chain, a workflow, a task.
    Chain,
    Guardrail,
    Evaluator,
    /// Something that happened, without a length.
    Event,
    #[default]
    Span,
}

impl SpanType {
    pub const ALL: [Self; 11] = [
        Self::Chat,
        Self::Embedding,
        Self::Rerank,
        Self::Tool,
        Self::Retriever,
        Self::Agent,
        Self::Chain,
        Self::Guardrail,
        Self::Evaluator,
        Self::Event,
        Self::Span,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
            Self::Tool => "tool",
            Self::Retriever => "retriever",
            Self::Agent => "agent",
            Self::Chain => "chain",
            Self::Guardrail => "guardrail",
            Self::Evaluator => "evaluator",
            Self::Event => "event",
            Self::Span => "span",
        }
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The operation that the conventions of OpenTelemetry would name, where a sender names none.
    pub(super) const fn operation(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::Embedding => Some("embeddings"),
            Self::Rerank => Some("rerank"),
            Self::Tool => Some("execute_tool"),
            Self::Retriever => Some("retrieval"),
            Self::Agent => Some("invoke_agent"),
            Self::Chain | Self::Guardrail | Self::Evaluator | Self::Event | Self::Span => None,
        }
    }

    /// What a word of any convention means; nothing where it says no more than that there is a span.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        if word.len() > 40 {
            return None;
        }
        if let Some(operation) = word.strip_prefix("ai.") {
            return of_vercel(operation);
        }
        let word = word.strip_prefix("claude_code.").unwrap_or(word);
        WORDS.iter().find(|(_, words)| words.iter().any(|known| known.eq_ignore_ascii_case(word))).map(|(kind, _)| *kind)
    }
}

/// Words of `otel.signal`, `gen_ai.operation.name`, `openinference.span.kind`, `traceloop.span.kind`, `llm.request.type`,
/// `langfuse.observation.type`, `mlflow.spanType`, `lmnr.span.type` and `span.type`.
pub(super) const WORDS: &[(SpanType, &[&str])] = &[
    (
        SpanType::Chat,
        &[
            "chat",
            "llm",
            "chat_model",
            "text_completion",
            "generate_content",
            "completion",
            "generation",
            "response",
            "llm_call",
            "llm_request",
        ],
    ),
    (SpanType::Embedding, &["embeddings", "embedding"]),
    (SpanType::Rerank, &["rerank", "reranker"]),
    (SpanType::Tool, &["execute_tool", "tool", "tool_call"]),
    (SpanType::Retriever, &["retrieval", "retriever", "retrieve", "search_memory"]),
    (SpanType::Agent, &["invoke_agent", "create_agent", "agent", "agent_call", "interaction", "executor"]),
    (SpanType::Chain, &["invoke_workflow", "chain", "workflow", "task", "pipeline", "plan"]),
    (SpanType::Guardrail, &["guardrail", "moderation"]),
    (SpanType::Evaluator, &["evaluator", "evaluation", "human_evaluator"]),
    (SpanType::Event, &["event", "log"]),
];

/// `generateText` goes through steps, each of which is a `generateText.doGenerate`.
fn of_vercel(operation: &str) -> Option<SpanType> {
    match operation.rsplit_once('.') {
        Some((_, "doGenerate" | "doStream")) => Some(SpanType::Chat),
        Some((_, "doEmbed")) => Some(SpanType::Embedding),
        Some((_, "doRerank")) => Some(SpanType::Rerank),
        Some(_) => None,
        None if operation == "toolCall" => Some(SpanType::Tool),
        None => Some(SpanType::Chain),
    }
}

/// Earlier spellings, and those of SDKs, of providers that the conventions have a word for.
pub(super) const PROVIDERS: &[(&str, &[&str])] = &[
    ("openai", &["open_ai", "openai.chat", "openai.responses", "openai.completion", "openai.embedding"]),
    ("azure.ai.openai", &["az.ai.openai", "azure", "azure_openai", "azure-openai.chat", "azure-openai.responses"]),
    ("azure.ai.inference", &["az.ai.inference"]),
    ("anthropic", &["anthropic.messages"]),
    ("aws.bedrock", &["bedrock", "aws", "amazon_bedrock", "amazon-bedrock"]),
    ("gcp.gemini", &["gemini", "google.generative-ai", "google_genai"]),
    ("gcp.vertex_ai", &["vertex_ai", "vertexai", "google.vertex.chat", "google_vertexai"]),
    ("gcp.gen_ai", &["google"]),
    ("mistral_ai", &["mistral", "mistralai", "mistral.chat"]),
    ("x_ai", &["xai", "xai.chat"]),
    ("moonshot_ai", &["moonshot", "moonshotai"]),
    ("ibm.watsonx.ai", &["watsonx"]),
];

/// A provider by the conventions' word for it, where there is one; a name that nobody here knows stays as it is.
pub(super) fn provider(said: Cow<'_, str>) -> Cow<'_, str> {
    let known = PROVIDERS
        .iter()
        .find(|(word, others)| word.eq_ignore_ascii_case(&said) || others.iter().any(|other| other.eq_ignore_ascii_case(&said)));
    match known {
        Some((word, _)) => Cow::Borrowed(*word),
        None if said.chars().any(char::is_uppercase) => Cow::Owned(said.to_lowercase()),
        None => said,
    }
}
