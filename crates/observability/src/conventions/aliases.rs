//! Which attribute says what, in every convention that is read: one table.
//!
//! A fact is taken from the first of its names that a span carries. `docs/reference/conventions.md` is written from this table.

use std::{collections::HashMap, sync::LazyLock};

use mainspring_llm::trace::names;
use serde::Serialize;

use self::Convention::{
    GenAi, GenAiEarlier, Langfuse, Mainspring, Mlflow, OpenInference, OpenLlmetry, OpenTelemetry, Others, VercelAi,
};
use super::{
    contents::{CONTENTS, PREFIXES},
    hashing::Quick,
};

/// Who speaks so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// This server.
    Mainspring,
    /// The conventions of OpenTelemetry that are about something else than models.
    OpenTelemetry,
    /// Those of OpenTelemetry about generative models, as they are now.
    GenAi,
    /// The same as they were, and as instrumentations that nobody renewed still send them.
    GenAiEarlier,
    OpenInference,
    /// Traceloop's.
    OpenLlmetry,
    VercelAi,
    Langfuse,
    Mlflow,
    /// Names that single programs and frameworks made up.
    Others,
}

impl Convention {
    pub const ALL: [Self; 10] = [
        Self::Mainspring,
        Self::OpenTelemetry,
        Self::GenAi,
        Self::GenAiEarlier,
        Self::OpenInference,
        Self::OpenLlmetry,
        Self::VercelAi,
        Self::Langfuse,
        Self::Mlflow,
        Self::Others,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mainspring => "mainspring",
            Self::OpenTelemetry => "open-telemetry",
            Self::GenAi => "gen-ai",
            Self::GenAiEarlier => "gen-ai-earlier",
            Self::OpenInference => "open-inference",
            Self::OpenLlmetry => "open-llmetry",
            Self::VercelAi => "vercel-ai",
            Self::Langfuse => "langfuse",
            Self::Mlflow => "mlflow",
            Self::Others => "others",
        }
    }
}

/// What an attribute may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    Operation,
    Type,
    Provider,
    RequestModel,
    ResponseModel,
    /// The one that answered, where it is known who was asked; otherwise the one that was asked.
    Model,
    /// What a call was made with, the model among it.
    Parameters,
    InputTokens,
    OutputTokens,
    TotalTokens,
    CacheRead,
    CacheWrite,
    Reasoning,
    /// Several numbers of tokens in one object.
    Usage,
    Cost,
    InputCost,
    OutputCost,
    /// Several amounts in one object.
    Costs,
    FirstTokenMillis,
    FirstTokenSeconds,
    FirstTokenAt,
    User,
    Session,
    Tags,
    App,
    Key,
    Service,
    Environment,
    Release,
    Prompt,
    PromptVersion,
    /// Names and versions in one list.
    Prompts,
    Error,
    Input,
    Output,
    System,
    Tools,
    Query,
    Documents,
    ToolName,
    /// What a step is called, of whatever kind: a tool's name, where the step is the call of one.
    StepName,
    ToolCall,
    ToolArguments,
    ToolResult,
    /// What people wrote or read, in no shape that is folded into messages.
    Content,
    /// A name that is known and says nothing of the above.
    Known,
}

impl Fact {
    pub(crate) const COUNT: usize = Self::Known as usize + 1;

    /// Whether it holds what people wrote or read.
    pub(crate) const fn is_content(self) -> bool {
        matches!(
            self,
            Self::Input
                | Self::Output
                | Self::System
                | Self::Tools
                | Self::Query
                | Self::Documents
                | Self::ToolArguments
                | Self::ToolResult
                | Self::Content
        )
    }

    /// Whether it holds more than is read of it, whatever a caller put there.
    pub(crate) const fn holds_more(self) -> bool {
        matches!(self, Self::Parameters)
    }

    /// Whether it says who it was.
    pub(crate) const fn is_person(self) -> bool {
        matches!(self, Self::User | Self::Session)
    }
}

/// First come first served: of two names of one fact the upper one counts.
pub(crate) const ALIASES: &[(Fact, Convention, &str)] = &[
    (Fact::Type, OpenTelemetry, names::SIGNAL),
    (Fact::Type, Langfuse, "langfuse.observation.type"),
    (Fact::Type, OpenInference, "openinference.span.kind"),
    (Fact::Operation, GenAi, names::OPERATION),
    (Fact::Type, VercelAi, "ai.operationId"),
    (Fact::Type, OpenLlmetry, "llm.request.type"),
    (Fact::Type, OpenLlmetry, "traceloop.span.kind"),
    (Fact::Type, Mlflow, "mlflow.spanType"),
    (Fact::Type, Others, "lmnr.span.type"),
    (Fact::Type, Others, "span.type"),
    (Fact::Type, Others, "entity.type"),
    (Fact::Provider, GenAi, names::PROVIDER),
    (Fact::Provider, GenAiEarlier, "gen_ai.system"),
    (Fact::Provider, OpenInference, "llm.provider"),
    (Fact::Provider, OpenInference, "llm.system"),
    (Fact::Provider, VercelAi, "ai.model.provider"),
    (Fact::Provider, Mlflow, "mlflow.llm.provider"),
    (Fact::RequestModel, GenAi, names::REQUEST_MODEL),
    (Fact::RequestModel, Langfuse, "langfuse.observation.model.name"),
    (Fact::RequestModel, OpenInference, "llm.request.model_name"),
    (Fact::RequestModel, OpenLlmetry, "llm.request.model"),
    (Fact::RequestModel, VercelAi, "ai.model.id"),
    (Fact::RequestModel, Mlflow, "mlflow.llm.model"),
    (Fact::RequestModel, Others, "model"),
    (Fact::ResponseModel, GenAi, names::RESPONSE_MODEL),
    (Fact::ResponseModel, OpenInference, "llm.response.model_name"),
    (Fact::ResponseModel, OpenLlmetry, "llm.response.model"),
    (Fact::ResponseModel, VercelAi, "ai.response.model"),
    (Fact::Model, OpenInference, "llm.model_name"),
    (Fact::Model, OpenInference, "embedding.model_name"),
    (Fact::Model, OpenInference, "reranker.model_name"),
    (Fact::Parameters, OpenInference, "llm.invocation_parameters"),
    (Fact::Parameters, OpenInference, "embedding.invocation_parameters"),
    (Fact::InputTokens, GenAi, names::INPUT_TOKENS),
    (Fact::InputTokens, GenAiEarlier, "gen_ai.usage.prompt_tokens"),
    (Fact::InputTokens, OpenInference, "llm.token_count.prompt"),
    (Fact::InputTokens, OpenLlmetry, "llm.usage.prompt_tokens"),
    (Fact::InputTokens, VercelAi, "ai.usage.inputTokens"),
    (Fact::InputTokens, VercelAi, "ai.usage.promptTokens"),
    (Fact::InputTokens, VercelAi, "ai.usage.tokens"),
    (Fact::InputTokens, Others, "usage.prompt_tokens"),
    (Fact::InputTokens, Others, BARE_INPUT),
    (Fact::OutputTokens, GenAi, names::OUTPUT_TOKENS),
    (Fact::OutputTokens, GenAiEarlier, "gen_ai.usage.completion_tokens"),
    (Fact::OutputTokens, OpenInference, "llm.token_count.completion"),
    (Fact::OutputTokens, OpenLlmetry, "llm.usage.completion_tokens"),
    (Fact::OutputTokens, VercelAi, "ai.usage.outputTokens"),
    (Fact::OutputTokens, VercelAi, "ai.usage.completionTokens"),
    (Fact::OutputTokens, Others, "usage.completion_tokens"),
    (Fact::OutputTokens, Others, "output_tokens"),
    (Fact::TotalTokens, GenAiEarlier, "gen_ai.usage.total_tokens"),
    (Fact::TotalTokens, OpenInference, "llm.token_count.total"),
    (Fact::TotalTokens, OpenLlmetry, "llm.usage.total_tokens"),
    (Fact::TotalTokens, VercelAi, "ai.usage.totalTokens"),
    (Fact::TotalTokens, Others, "usage.total_tokens"),
    (Fact::CacheRead, GenAi, names::CACHED_TOKENS),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.cache_read_input_tokens"),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.cache_read_tokens"),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.cached_input_tokens"),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.cached_tokens"),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.details.cache_read_input_tokens"),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.details.cache_read_tokens"),
    (Fact::CacheRead, GenAiEarlier, "gen_ai.usage.details.cached_tokens"),
    (Fact::CacheRead, OpenInference, "llm.token_count.prompt_details.cache_read"),
    (Fact::CacheRead, OpenInference, "llm.token_count.prompt_details.cache_input"),
    (Fact::CacheRead, OpenLlmetry, "llm.usage.cache_read_input_tokens"),
    (Fact::CacheRead, VercelAi, "ai.usage.cachedInputTokens"),
    (Fact::CacheRead, VercelAi, "ai.usage.inputTokenDetails.cacheReadTokens"),
    (Fact::CacheRead, Others, "cache_read_tokens"),
    (Fact::CacheWrite, GenAi, "gen_ai.usage.cache_write.input_tokens"),
    (Fact::CacheWrite, GenAiEarlier, "gen_ai.usage.cache_creation.input_tokens"),
    (Fact::CacheWrite, GenAiEarlier, "gen_ai.usage.cache_creation_input_tokens"),
    (Fact::CacheWrite, GenAiEarlier, "gen_ai.usage.cache_write_tokens"),
    (Fact::CacheWrite, GenAiEarlier, "gen_ai.usage.details.cache_creation_input_tokens"),
    (Fact::CacheWrite, GenAiEarlier, "gen_ai.usage.details.cache_write_tokens"),
    (Fact::CacheWrite, OpenInference, "llm.token_count.prompt_details.cache_write"),
    (Fact::CacheWrite, OpenLlmetry, "llm.usage.cache_creation_input_tokens"),
    (Fact::CacheWrite, VercelAi, "ai.usage.inputTokenDetails.cacheWriteTokens"),
    (Fact::CacheWrite, Others, "cache_creation_tokens"),
    (Fact::Reasoning, GenAi, "gen_ai.usage.reasoning.output_tokens"),
    (Fact::Reasoning, GenAiEarlier, "gen_ai.usage.reasoning_tokens"),
    (Fact::Reasoning, GenAiEarlier, "gen_ai.usage.details.reasoning_tokens"),
    (Fact::Reasoning, OpenInference, "llm.token_count.completion_details.reasoning"),
    (Fact::Reasoning, OpenLlmetry, "llm.usage.reasoning_tokens"),
    (Fact::Reasoning, VercelAi, "ai.usage.reasoningTokens"),
    (Fact::Reasoning, VercelAi, "ai.usage.outputTokenDetails.reasoningTokens"),
    (Fact::Usage, Langfuse, "langfuse.observation.usage_details"),
    (Fact::Usage, Mlflow, "mlflow.chat.tokenUsage"),
    (Fact::Cost, Mainspring, COST),
    (Fact::Cost, GenAiEarlier, "gen_ai.usage.cost"),
    (Fact::Cost, GenAiEarlier, "gen_ai.usage.total_cost"),
    (Fact::Cost, OpenInference, "llm.cost.total"),
    (Fact::Cost, Others, "operation.cost"),
    (Fact::Cost, Others, "cost_usd"),
    (Fact::InputCost, GenAiEarlier, "gen_ai.usage.input_cost"),
    (Fact::InputCost, OpenInference, "llm.cost.prompt"),
    (Fact::OutputCost, GenAiEarlier, "gen_ai.usage.output_cost"),
    (Fact::OutputCost, OpenInference, "llm.cost.completion"),
    (Fact::Costs, Langfuse, "langfuse.observation.cost_details"),
    (Fact::Costs, Mlflow, "mlflow.llm.cost"),
    (Fact::FirstTokenMillis, Mainspring, names::FIRST_TOKEN_MS),
    (Fact::FirstTokenMillis, VercelAi, "ai.response.msToFirstChunk"),
    (Fact::FirstTokenMillis, VercelAi, "ai.stream.msToFirstChunk"),
    (Fact::FirstTokenMillis, Others, "ttft_ms"),
    (Fact::FirstTokenSeconds, GenAi, "gen_ai.response.time_to_first_chunk"),
    (Fact::FirstTokenSeconds, GenAiEarlier, "gen_ai.server.time_to_first_token"),
    (Fact::FirstTokenAt, Langfuse, "langfuse.observation.completion_start_time"),
    (Fact::User, OpenTelemetry, names::USER),
    (Fact::User, OpenTelemetry, "enduser.id"),
    (Fact::User, Langfuse, "langfuse.user.id"),
    (Fact::User, Langfuse, "langfuse.trace.metadata.langfuse_user_id"),
    (Fact::User, Langfuse, "langfuse.observation.metadata.langfuse_user_id"),
    (Fact::User, OpenLlmetry, "traceloop.association.properties.user_id"),
    (Fact::User, OpenLlmetry, "llm.user"),
    (Fact::User, VercelAi, "ai.telemetry.metadata.userId"),
    (Fact::User, Mlflow, "mlflow.trace.user"),
    (Fact::User, Others, "lmnr.association.properties.user_id"),
    (Fact::Session, GenAi, names::CONVERSATION),
    (Fact::Session, OpenTelemetry, "session.id"),
    (Fact::Session, Langfuse, "langfuse.session.id"),
    (Fact::Session, Langfuse, "langfuse.trace.metadata.langfuse_session_id"),
    (Fact::Session, Langfuse, "langfuse.observation.metadata.langfuse_session_id"),
    (Fact::Session, OpenLlmetry, "traceloop.association.properties.session_id"),
    (Fact::Session, VercelAi, "ai.telemetry.metadata.sessionId"),
    (Fact::Session, Mlflow, "mlflow.trace.session"),
    (Fact::Session, Others, "lmnr.association.properties.session_id"),
    (Fact::Session, Others, "voltagent.conversation_id"),
    (Fact::Session, Others, "gcp.vertex.agent.session_id"),
    (Fact::Tags, Mainspring, "mainspring.metadata.tags"),
    (Fact::Tags, Langfuse, "langfuse.trace.tags"),
    (Fact::Tags, Langfuse, "langfuse.tags"),
    (Fact::Tags, OpenInference, "tag.tags"),
    (Fact::Tags, OpenLlmetry, "traceloop.association.properties.tags"),
    (Fact::Tags, VercelAi, "ai.telemetry.metadata.tags"),
    (Fact::Tags, Others, "lmnr.association.properties.tags"),
    (Fact::App, Mainspring, names::APP),
    (Fact::Key, Mainspring, names::KEY),
    (Fact::Service, OpenTelemetry, "resource.service.name"),
    (Fact::Service, OpenTelemetry, "service.name"),
    (Fact::Environment, Langfuse, "langfuse.environment"),
    (Fact::Environment, OpenTelemetry, "resource.deployment.environment.name"),
    (Fact::Environment, OpenTelemetry, "resource.deployment.environment"),
    (Fact::Environment, OpenTelemetry, "deployment.environment.name"),
    (Fact::Environment, OpenTelemetry, "deployment.environment"),
    (Fact::Release, Langfuse, "langfuse.release"),
    (Fact::Release, Langfuse, "langfuse.version"),
    (Fact::Release, OpenTelemetry, "resource.service.version"),
    (Fact::Release, OpenTelemetry, "service.version"),
    (Fact::Release, GenAi, "gen_ai.agent.version"),
    (Fact::Prompt, GenAi, "gen_ai.prompt.name"),
    (Fact::Prompt, Langfuse, "langfuse.observation.prompt.name"),
    (Fact::Prompt, OpenLlmetry, "traceloop.prompt.key"),
    (Fact::Prompt, OpenInference, "prompt.id"),
    (Fact::PromptVersion, GenAiEarlier, "gen_ai.prompt.version"),
    (Fact::PromptVersion, Langfuse, "langfuse.observation.prompt.version"),
    (Fact::PromptVersion, OpenLlmetry, "traceloop.prompt.version"),
    (Fact::PromptVersion, OpenInference, "llm.prompt_template.version"),
    (Fact::Prompts, Mlflow, "mlflow.linkedPrompts"),
    (Fact::Error, OpenTelemetry, names::ERROR),
    (Fact::ToolName, GenAi, "gen_ai.tool.name"),
    (Fact::ToolName, OpenInference, "tool.name"),
    (Fact::ToolName, VercelAi, "ai.toolCall.name"),
    (Fact::ToolName, Others, "lk.function_tool.name"),
    (Fact::ToolName, Others, "tool_name"),
    (Fact::StepName, OpenLlmetry, "traceloop.entity.name"),
    (Fact::StepName, Mlflow, "mlflow.spanFunctionName"),
    (Fact::ToolCall, GenAi, "gen_ai.tool.call.id"),
    (Fact::ToolCall, OpenInference, "tool.id"),
    (Fact::ToolCall, VercelAi, "ai.toolCall.id"),
    (Fact::ToolCall, Others, "lk.function_tool.id"),
];

/// Bare counts, as Claude Code writes them, are those of Anthropic: what came from the cache is not among the input.
pub(super) const BARE_INPUT: &str = "input_tokens";
pub(super) const COST: &str = "mainspring.cost";

/// Names of the present conventions that say nothing a column holds.
const KNOWN: &[&str] = &[
    "gen_ai.agent.description",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    names::DATA_SOURCE,
    names::EMBED_DIMENSIONS,
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label",
    "gen_ai.evaluation.score.value",
    "gen_ai.memory.record.count",
    "gen_ai.memory.record.id",
    "gen_ai.memory.store.id",
    "gen_ai.output.type",
    "gen_ai.request.choice.count",
    "gen_ai.request.encoding_formats",
    "gen_ai.request.frequency_penalty",
    names::MAX_TOKENS,
    "gen_ai.request.presence_penalty",
    names::SEED,
    names::STOP,
    "gen_ai.request.stream",
    names::TEMPERATURE,
    "gen_ai.request.top_k",
    names::TOP_P,
    names::FINISH,
    names::RESPONSE_ID,
    "gen_ai.token.cache",
    "gen_ai.token.modality",
    "gen_ai.token.phase",
    "gen_ai.token.type",
    "gen_ai.tool.description",
    "gen_ai.tool.type",
    "gen_ai.usage.audio.input_tokens",
    "gen_ai.usage.audio.output_tokens",
    "gen_ai.usage.image.input_tokens",
    "gen_ai.usage.image.output_tokens",
    "gen_ai.usage.text.input_tokens",
    "gen_ai.usage.text.output_tokens",
    "gen_ai.usage.video.input_tokens",
    "gen_ai.usage.video.output_tokens",
    "gen_ai.workflow.name",
];

/// The same of earlier ones.
const KNOWN_EARLIER: &[&str] = &[
    "gen_ai.openai.api_base",
    "gen_ai.openai.api_type",
    "gen_ai.openai.api_version",
    "gen_ai.openai.request.response_format",
    "gen_ai.openai.request.seed",
    "gen_ai.openai.request.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.openai.system_fingerprint",
    "gen_ai.request.is_stream",
    "gen_ai.response.finish_reason",
    "gen_ai.finishReason",
];

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) fact: Fact,
    pub(crate) spoken: Convention,
    /// Of two names of one fact the one with the smaller rank counts.
    pub(crate) rank: u16,
    /// The whole name is known, not only how it begins.
    pub(crate) whole: bool,
}

/// Every name, in the order of the tables.
pub(super) fn all() -> impl Iterator<Item = (Fact, Convention, &'static str)> {
    let known = KNOWN.iter().map(|name| (Fact::Known, GenAi, *name));
    let earlier = KNOWN_EARLIER.iter().map(|name| (Fact::Known, GenAiEarlier, *name));
    ALIASES.iter().chain(CONTENTS).copied().chain(known).chain(earlier)
}

static TABLE: LazyLock<HashMap<&'static str, Alias, Quick>> = LazyLock::new(|| {
    let ranked = (0_u16..).zip(all());
    ranked.map(|(rank, (fact, spoken, name))| (name, Alias { fact, spoken, rank, whole: true })).collect()
});

/// What a name says, whole or by how it begins.
pub(crate) fn alias(name: &str) -> Option<Alias> {
    TABLE.get(name).copied().or_else(|| {
        // Most names that stand in no table begin with none of these: the first letter tells it.
        let first = name.as_bytes().first()?;
        let begins = |prefix: &str| prefix.as_bytes().first() == Some(first) && name.starts_with(prefix);
        let (rank, found) = PREFIXES.iter().enumerate().find(|(_, (.., prefix))| begins(prefix))?;
        let rank = u16::MAX - u16::try_from(PREFIXES.len() - rank).unwrap_or(u16::MAX);
        Some(Alias { fact: found.0, spoken: found.1, rank, whole: false })
    })
}

/// Whether an attribute holds what people wrote or read.
pub(crate) fn is_content(name: &str) -> bool {
    names::CONTENT.contains(&name) || alias(name).is_some_and(|alias| alias.fact.is_content())
}

/// Every name under which a sender says who asked, or in which session.
pub(crate) fn person_names() -> impl Iterator<Item = &'static str> {
    all().filter(|(fact, _, _)| fact.is_person()).map(|(_, _, name)| name)
}

/// Whether an attribute says who it was, or in which conversation.
pub(crate) fn is_person(name: &str) -> bool {
    alias(name).is_some_and(|alias| alias.fact.is_person())
}
