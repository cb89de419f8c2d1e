//! Which attributes hold what people wrote and read: names, beginnings of names, and those of events.

use mainspring_llm::trace::names;

use super::aliases::{
    Convention::{self, GenAi, GenAiEarlier, Langfuse, Mainspring, Mlflow, OpenInference, OpenLlmetry, Others, VercelAi},
    Fact,
};

pub(crate) const CONTENTS: &[(Fact, Convention, &str)] = &[
    (Fact::Input, GenAi, names::INPUT_MESSAGES),
    (Fact::Input, OpenInference, "llm.input_messages"),
    (Fact::Input, VercelAi, "ai.prompt.messages"),
    (Fact::Input, VercelAi, "ai.prompt"),
    (Fact::Input, Langfuse, "langfuse.observation.input"),
    (Fact::Input, Mlflow, "mlflow.chat.messages"),
    (Fact::Input, Mlflow, "mlflow.spanInputs"),
    (Fact::Input, GenAiEarlier, "gen_ai.prompt"),
    (Fact::Input, OpenLlmetry, "llm.prompts"),
    (Fact::Input, OpenLlmetry, "traceloop.entity.input"),
    (Fact::Input, OpenInference, "input.value"),
    (Fact::Input, VercelAi, "ai.value"),
    (Fact::Input, VercelAi, "ai.values"),
    (Fact::Input, Langfuse, "langfuse.trace.input"),
    (Fact::Input, Mlflow, "mlflow.traceInputs"),
    (Fact::Input, Others, "lmnr.span.input"),
    (Fact::Input, Others, "gcp.vertex.agent.llm_request"),
    (Fact::Input, Others, "lk.chat_ctx"),
    (Fact::Input, Others, "lk.user_input"),
    (Fact::Input, Others, "lk.user_transcript"),
    (Fact::Input, Others, "lk.input_text"),
    (Fact::Input, Others, "agent.messages"),
    (Fact::Input, Others, "llm.messages"),
    (Fact::Input, Others, "user_prompt"),
    (Fact::Input, Others, "new_context"),
    (Fact::Input, Others, "input"),
    (Fact::Input, Others, "prompt"),
    (Fact::Output, GenAi, names::OUTPUT_MESSAGES),
    (Fact::Output, OpenInference, "llm.output_messages"),
    (Fact::Output, VercelAi, "ai.response.text"),
    (Fact::Output, VercelAi, "ai.response.object"),
    (Fact::Output, VercelAi, "ai.result.text"),
    (Fact::Output, VercelAi, "ai.result.object"),
    (Fact::Output, Langfuse, "langfuse.observation.output"),
    (Fact::Output, Mlflow, "mlflow.spanOutputs"),
    (Fact::Output, GenAiEarlier, "gen_ai.completion"),
    (Fact::Output, OpenLlmetry, "llm.completions"),
    (Fact::Output, OpenLlmetry, "traceloop.entity.output"),
    (Fact::Output, OpenInference, "output.value"),
    (Fact::Output, Langfuse, "langfuse.trace.output"),
    (Fact::Output, Mlflow, "mlflow.traceOutputs"),
    (Fact::Output, Others, "lmnr.span.output"),
    (Fact::Output, Others, "gcp.vertex.agent.llm_response"),
    (Fact::Output, Others, "lk.response.text"),
    (Fact::Output, Others, "response.model_output"),
    (Fact::Output, Others, "output"),
    (Fact::Output, Others, "completion"),
    (Fact::System, GenAi, "gen_ai.system_instructions"),
    (Fact::System, VercelAi, "ai.prompt.system"),
    (Fact::System, Others, "lk.instructions"),
    (Fact::Tools, GenAi, "gen_ai.tool.definitions"),
    (Fact::Tools, VercelAi, "ai.prompt.tools"),
    (Fact::Tools, Mlflow, "mlflow.chat.tools"),
    (Fact::Query, Mainspring, names::QUERY),
    (Fact::Query, GenAi, "gen_ai.retrieval.query.text"),
    (Fact::Query, GenAi, "gen_ai.memory.query.text"),
    (Fact::Query, OpenInference, "reranker.query"),
    (Fact::Query, Others, "retrieval.query"),
    (Fact::Documents, Mainspring, names::HITS),
    (Fact::Documents, GenAi, "gen_ai.retrieval.documents"),
    (Fact::Documents, GenAi, "gen_ai.memory.records"),
    (Fact::Documents, OpenInference, "retrieval.documents"),
    (Fact::Documents, OpenInference, "reranker.output_documents"),
    (Fact::ToolArguments, GenAi, "gen_ai.tool.call.arguments"),
    (Fact::ToolArguments, OpenInference, "tool.parameters"),
    (Fact::ToolArguments, OpenInference, "tool_call.function.arguments"),
    (Fact::ToolArguments, VercelAi, "ai.toolCall.args"),
    (Fact::ToolArguments, OpenLlmetry, "mcp.request.argument"),
    (Fact::ToolArguments, Others, "gcp.vertex.agent.tool_call_args"),
    (Fact::ToolArguments, Others, "lk.function_tool.arguments"),
    (Fact::ToolArguments, Others, "tool_input"),
    (Fact::ToolArguments, Others, "tool_arguments"),
    (Fact::ToolResult, GenAi, "gen_ai.tool.call.result"),
    (Fact::ToolResult, VercelAi, "ai.toolCall.result"),
    (Fact::ToolResult, OpenLlmetry, "mcp.response.value"),
    (Fact::ToolResult, Others, "gcp.vertex.agent.tool_response"),
    (Fact::ToolResult, Others, "lk.function_tool.output"),
    (Fact::ToolResult, Others, "tool_response"),
    (Fact::ToolResult, Others, "tool.result"),
    (Fact::Content, Mainspring, names::REPLAY),
    (Fact::Content, GenAi, "gen_ai.evaluation.explanation"),
    (Fact::Content, VercelAi, "ai.response.toolCalls"),
    (Fact::Content, VercelAi, "ai.result.toolCalls"),
    (Fact::Content, VercelAi, "ai.response.reasoning"),
    (Fact::Content, VercelAi, "ai.response.files"),
    (Fact::Content, VercelAi, "ai.embedding"),
    (Fact::Content, VercelAi, "ai.embeddings"),
    (Fact::Content, OpenInference, "llm.function_call"),
    (Fact::Content, OpenInference, "llm.prompt_template.template"),
    (Fact::Content, OpenInference, "llm.prompt_template.variables"),
    (Fact::Content, OpenInference, "embedding.embeddings"),
    (Fact::Content, OpenInference, "reranker.input_documents"),
    (Fact::Content, OpenLlmetry, "traceloop.prompt.template"),
    (Fact::Content, OpenLlmetry, "traceloop.prompt.template_variables"),
    (Fact::Content, Langfuse, "langfuse.experiment.item.expected_output"),
    (Fact::Content, Mlflow, "mlflow.trace.intermediate_outputs"),
    (Fact::Content, Mlflow, "mlflow.chunk.value"),
    (Fact::Content, Others, "lk.response.function_calls"),
    (Fact::Content, Others, "pydantic_ai.all_messages"),
    (Fact::Content, Others, "all_messages_events"),
    (Fact::Content, Others, "events"),
    (Fact::Content, Others, "final_result"),
    (Fact::Content, Others, "model_request_parameters"),
    (Fact::Content, Others, "full_command"),
];

/// Names that go on with a number, or with the name of a value.
pub(crate) const PREFIXES: &[(Fact, Convention, &str)] = &[
    (Fact::Input, GenAi, "gen_ai.input.messages."),
    (Fact::Output, GenAi, "gen_ai.output.messages."),
    (Fact::Content, GenAi, "gen_ai.system_instructions."),
    (Fact::Tools, GenAi, "gen_ai.tool.definitions."),
    (Fact::Documents, GenAi, "gen_ai.retrieval.documents."),
    (Fact::Input, OpenInference, "llm.input_messages."),
    (Fact::Input, GenAiEarlier, "gen_ai.prompt."),
    (Fact::Input, OpenLlmetry, "llm.prompts."),
    (Fact::Output, OpenInference, "llm.output_messages."),
    (Fact::Output, GenAiEarlier, "gen_ai.completion."),
    (Fact::Output, OpenLlmetry, "llm.completions."),
    (Fact::Output, OpenInference, "llm.choices."),
    (Fact::Documents, OpenInference, "retrieval.documents."),
    (Fact::Documents, OpenInference, "reranker.output_documents."),
    (Fact::Tools, OpenInference, "llm.tools."),
    (Fact::Tools, OpenLlmetry, "llm.request.functions."),
    (Fact::Content, OpenInference, "reranker.input_documents."),
    (Fact::Content, OpenInference, "embedding.embeddings."),
    (Fact::Content, OpenInference, "llm.prompt_template.variables."),
    (Fact::Content, OpenLlmetry, "traceloop.prompt.template_variables."),
    (Fact::Known, GenAiEarlier, "gen_ai.usage.details."),
];

/// Events that are messages, with the role of whoever spoke; `gen_ai.choice` is what was answered.
pub(crate) const MESSAGE_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.system.message", "system"),
    ("gen_ai.developer.message", "developer"),
    ("gen_ai.user.message", "user"),
    ("gen_ai.assistant.message", "assistant"),
    ("gen_ai.tool.message", "tool"),
    (CHOICE, "assistant"),
];
pub(crate) const CHOICE: &str = "gen_ai.choice";
/// Events that carry the messages of a call under the names that a span would use.
pub(crate) const DETAIL_EVENTS: &[&str] =
    &["gen_ai.client.inference.operation.details", "gen_ai.content.prompt", "gen_ai.content.completion"];
/// Log records that are messages, or carry them: they are said in the call above them.
pub(crate) fn said_above() -> impl Iterator<Item = &'static str> {
    MESSAGE_EVENTS.iter().map(|(name, _)| *name).chain(DETAIL_EVENTS.iter().copied())
}
/// Those of them that say what was asked last.
pub(crate) const QUESTIONS: [&str; 3] =
    ["gen_ai.user.message", "gen_ai.client.inference.operation.details", "gen_ai.content.prompt"];
/// Events that are the first piece of an answer.
pub(crate) const FIRST_TOKEN_EVENTS: &[&str] =
    &["First Token Stream Event", "ai.stream.firstChunk", "llm.content.completion.chunk", "gen_ai.content.completion.chunk"];

/// What else of an event's attributes people wrote or read.
const IN_EVENTS: &[&str] =
    &["content", "message", "tool_calls", "arguments", "output", "diff", "body", "gen_ai.event.content", "event.body"];
/// What of a message's own fields says nothing of its words. The names of its other fields are not settled between versions
/// of the convention, so they all count as words.
const PLAIN_IN_MESSAGES: &[&str] = &["role", "index", "id", "finish_reason", "name", "type"];
/// The same of names with parts, which messages carry beside their fields; those of the conventions are in the table.
const PLAIN_BESIDE: &[&str] = &["otel.", "event.name"];

pub(crate) fn is_content_of_event(event: &str, name: &str) -> bool {
    let message = is_message(event);
    let of_its_own = message && !name.contains('.') && !PLAIN_IN_MESSAGES.contains(&name);
    let named = message || event == "tool.output" || name == "body";
    of_its_own || (named && IN_EVENTS.contains(&name)) || super::is_content(name)
}

/// The same, or a name in a message that nobody knows: some write there what a tool gave back.
pub(crate) fn may_be_content_of_event(event: &str, name: &str) -> bool {
    let unknown =
        || name.contains('.') && super::alias(name).is_none() && !PLAIN_BESIDE.iter().any(|plain| name.starts_with(plain));
    is_content_of_event(event, name) || (is_message(event) && unknown())
}

fn is_message(event: &str) -> bool {
    event.starts_with("gen_ai.")
}
