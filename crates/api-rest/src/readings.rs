//! A span as it is read, whichever convention it came in.

use axum::{Json, extract::State};
use mainspring_kernel::Role;
use mainspring_llm::Span;
use mainspring_observability::{ClockMark, Conversation, Facts, FoundDocument, Message, Part, ToolUse, clock_marks};
use mainspring_web_kit::{Answer, Caller, Path, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{
    Rest,
    traces::{dollars, millis, tokens, trace_id},
    traces_tree::{no_span, span_id},
};

#[derive(Debug, Deserialize)]
pub(crate) struct ReadingQuery {
    span: Option<String>,
}

/// Shows what a span says in one model: facts, messages as a conversation, documents, and why its times may be doubtful. `span`
/// names it; otherwise it is the one the trace begins with.
#[utoipa::path(get, path = "/api/v1/traces/{id}/reading", tag = "traces", operation_id = "read_span",
    params(("id" = String, Path), ("span" = Option<String>, Query)), responses((status = 200, body = wire::SpanReading)))]
pub(crate) async fn read(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ReadingQuery>,
) -> Answer<Json<wire::SpanReading>> {
    let actor = caller.needs(Role::Reader)?;
    let wanted = query.span.as_deref().map(span_id).transpose()?;
    // The one above it says whether its times fit.
    let spans = rest.observability.span(actor, trace_id(&id)?, wanted).await?;
    let found = spans.first().ok_or_else(|| no_span(&id, &query.span.unwrap_or_default()))?;
    let marks = clock_marks(&spans, rest.clock.now()).remove(&found.span).unwrap_or_default();
    let said = rest.observability.conversation(actor, found).await?;
    Ok(Json(reading(id, (found, said), &marks)))
}

fn reading(trace_id: String, (span, said): (&Span, Conversation), marks: &[ClockMark]) -> wire::SpanReading {
    let facts = Facts::of(span).into_owned();
    let Conversation { system, input, output, tools, tool, query, documents, .. } = said;
    let word = |word: Option<std::borrow::Cow<'static, str>>| word.map(std::borrow::Cow::into_owned);
    wire::SpanReading {
        trace_id,
        span: span.span.to_string(),
        kind: facts.kind.as_str().to_owned(),
        model: facts.model().map(str::to_owned),
        operation: word(facts.operation),
        provider: word(facts.provider),
        response_model: word(facts.response_model),
        input_tokens: tokens(facts.tokens.input),
        cache_read_tokens: tokens(facts.tokens.cache_read),
        cache_write_tokens: tokens(facts.tokens.cache_write),
        output_tokens: tokens(facts.tokens.output),
        reasoning_tokens: tokens(facts.tokens.reasoning),
        cost: facts.cost.map(dollars),
        first_token_ms: facts.first_token.map(millis),
        user: word(facts.user),
        session: word(facts.session),
        service: word(facts.service),
        environment: word(facts.environment),
        release: word(facts.release),
        prompt: word(facts.prompt),
        tags: facts.tags.into_iter().map(std::borrow::Cow::into_owned).collect(),
        marks: marks.iter().map(|mark| mark.as_str().to_owned()).collect(),
        system: system.into_iter().map(part).collect(),
        input: input.into_iter().map(message).collect(),
        output: output.into_iter().map(message).collect(),
        tools,
        tool: tool.map(|ToolUse { id, name, arguments, result }| wire::ToolCalled { id, name, arguments, result }),
        query,
        documents: documents.into_iter().map(document).collect(),
    }
}

fn message(Message { role, name, parts, finish_reason }: Message) -> wire::SpanMessage {
    wire::SpanMessage { role, name, parts: parts.into_iter().map(part).collect(), finish_reason }
}

fn part(part: Part) -> wire::MessagePart {
    match part {
        Part::Text { content } => wire::MessagePart::Text { content },
        Part::Reasoning { content } => wire::MessagePart::Reasoning { content },
        Part::ToolCall { id, name, arguments } => wire::MessagePart::ToolCall { id, name, arguments },
        Part::ToolCallResponse { id, result } => wire::MessagePart::ToolCallResponse { id, result },
        Part::Uri { uri, mime_type } => wire::MessagePart::Uri { uri, mime_type },
        Part::Blob { content, mime_type } => wire::MessagePart::Blob { content, mime_type },
        Part::File { file_id } => wire::MessagePart::File { file_id },
        Part::Other { value } => wire::MessagePart::Other { value },
    }
}

fn document(FoundDocument { id, score, content }: FoundDocument) -> wire::DocumentFound {
    wire::DocumentFound { id, score, content }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::{Timestamp, id::ProjectId};
    use mainspring_llm::{
        SpanId, TraceId,
        trace::{SpanKind, SpanStatus},
    };
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_reading_says_the_same_of_a_span_in_another_convention() {
        let now = Timestamp::from_micros(1_764_000_000_000_000);
        let sent = |attributes: Value| Span {
            project: ProjectId::from_raw(1),
            trace: TraceId::random(),
            span: SpanId::random(),
            parent: None,
            name: "chat".into(),
            kind: SpanKind::Client,
            start: now,
            end: now,
            status: SpanStatus::Ok,
            attributes: serde_json::from_value(attributes).expect("an object"),
            events: Vec::new(),
            links: Vec::new(),
        };
        let gen_ai = sent(json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.cost": 0.25, "gen_ai.response.time_to_first_chunk": 0.5,
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        }));
        let vercel = sent(json!({
            "ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "m", "ai.usage.inputTokens": 5, "operation.cost": "0.25",
            "ai.response.msToFirstChunk": 500, "ai.prompt.messages": "[{\"role\": \"user\", \"content\": \"hi\"}]",
        }));
        let read = |span: &Span| {
            let said = (span, Conversation::of(span));
            wire::SpanReading { span: String::new(), ..reading("t".into(), said, &[ClockMark::Skew]) }
        };
        let first = read(&gen_ai);
        assert_eq!(first, read(&vercel));
        assert_eq!((first.kind.as_str(), first.cost.as_deref(), first.first_token_ms), ("chat", Some("0.25"), Some(500.0)));
        assert_eq!(first.marks, ["skew"]);
        let said = serde_json::to_value(&first.input).expect("JSON");
        assert_eq!(said, json!([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]));
    }
}
