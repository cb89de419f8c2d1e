//! What columns say of spans as instrumentations send them.

use mainspring_llm::trace::SpanStatus;
use serde_json::{Value, json};

use super::{
    super::{Facts, SpanType, Tokens},
    event, span,
};

fn tokens(input: i64, output: i64, cache_read: i64, cache_write: i64, reasoning: i64) -> Tokens {
    let part = |part: i64| (part > 0).then_some(part);
    Tokens {
        input: Some(input),
        output: Some(output),
        cache_read: part(cache_read),
        cache_write: part(cache_write),
        reasoning: part(reasoning),
    }
}

#[track_caller]
fn check(attributes: Value, want: &Value) {
    let span = span(attributes);
    let facts = serde_json::to_value(Facts::of(&span)).unwrap();
    for (name, value) in want.as_object().unwrap() {
        assert_eq!(&facts[name], value, "{name} of {:#?}", span.attributes);
    }
}

#[test]
fn gen_ai_as_it_is_now() {
    check(
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 30,
            "gen_ai.usage.cache_read.input_tokens": 80, "gen_ai.usage.cache_write.input_tokens": 10,
            "gen_ai.usage.reasoning.output_tokens": 12, "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.conversation.id": "conv-1", "user.id": "ada", "gen_ai.prompt.name": "greet", "resource.service.name": "shop",
            "resource.service.version": "1.4", "resource.deployment.environment.name": "production", "error.type": "timeout",
        }),
        &json!({
            "type": "chat", "operation": "chat", "provider": "openai", "request_model": "gpt-4o",
            "response_model": "gpt-4o-2024-08-06", "input": 100, "output": 30, "cache_read": 80, "cache_write": 10, "reasoning": 12,
            "first_token": 250_000, "session": "conv-1", "user": "ada", "prompt": "greet", "service": "shop", "release": "1.4",
            "environment": "production", "error_type": "timeout", "counted": true, "cost": null, "app": null,
        }),
    );
}

#[test]
fn gen_ai_as_it_was() {
    check(
        json!({
            "gen_ai.system": "az.ai.openai", "gen_ai.request.model": "gpt-4", "gen_ai.usage.prompt_tokens": "21",
            "gen_ai.usage.completion_tokens": 9, "gen_ai.usage.cache_creation.input_tokens": 4, "gen_ai.usage.cost": "0.00125",
            "gen_ai.usage.details.reasoning_tokens": 3,
        }),
        &json!({
            "type": "chat", "operation": "chat", "provider": "azure.ai.openai", "input": 21, "output": 9, "cache_write": 4,
            "reasoning": 3, "cost": 1_250_000, "counted": true,
        }),
    );
}

#[test]
fn what_we_say_of_anybodys_span_does_not_make_it_ours() {
    check(
        json!({
            "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4", "gen_ai.usage.prompt_tokens": 21,
            "mainspring.sampling.weight": 10.0, "mainspring.redacted": {"email": 2}, "mainspring.forgotten": true,
        }),
        &json!({"type": "chat", "provider": "openai", "request_model": "gpt-4", "input": 21, "counted": true}),
    );
}

#[test]
fn the_present_name_counts_where_both_are_sent() {
    check(
        json!({"gen_ai.usage.prompt_tokens": 1, "llm.usage.prompt_tokens": 2, "gen_ai.usage.input_tokens": 3, "input_tokens": 4,
            "gen_ai.system": "openai", "gen_ai.provider.name": "azure.ai.openai"}),
        &json!({"input": 3, "provider": "azure.ai.openai"}),
    );
}

#[test]
fn of_open_inference_the_model_that_was_asked_stands_among_the_parameters() {
    let parameters = "{\"model\": \"gpt-4o-mini\", \"temperature\": 0}";
    check(
        json!({"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-mini-2024-07-18", "llm.invocation_parameters": parameters}),
        &json!({"request_model": "gpt-4o-mini", "response_model": "gpt-4o-mini-2024-07-18"}),
    );
    // A call that failed has no answer to name its model by.
    check(
        json!({"openinference.span.kind": "LLM", "llm.invocation_parameters": {"model_name": "bad"}}),
        &json!({"request_model": "bad", "response_model": null}),
    );
    // Where the parameters name none, the one name is that of the model that was asked.
    for parameters in [json!("{\"temperature\": 0}"), json!("{"), json!(7), json!({"model": {"a": 1}})] {
        check(
            json!({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e5", "embedding.invocation_parameters": parameters}),
            &json!({"request_model": "e5", "response_model": null}),
        );
    }
    check(
        json!({"gen_ai.request.model": "a", "gen_ai.response.model": "b", "llm.model_name": "c", "llm.invocation_parameters": parameters}),
        &json!({"request_model": "a", "response_model": "b"}),
    );
}

#[test]
fn open_inference() {
    check(
        json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude-3", "llm.provider": "Anthropic",
            "llm.token_count.prompt": 50, "llm.token_count.completion": 7, "llm.token_count.total": 57,
            "llm.token_count.prompt_details.cache_read": 20, "llm.token_count.completion_details.reasoning": 5,
            "llm.cost.prompt": 0.001, "llm.cost.completion": 0.000_25, "session.id": "s", "tag.tags": ["a", "b"],
            "llm.prompt_template.version": "7", "prompt.id": "answer",
        }),
        &json!({
            "type": "chat", "operation": "chat", "request_model": "claude-3", "provider": "anthropic", "input": 50, "output": 7,
            "cache_read": 20, "reasoning": 5, "cost": 1_250_000, "session": "s", "tags": ["a", "b"], "prompt": "answer@7",
        }),
    );
    for (word, kind, operation) in [
        ("EMBEDDING", "embedding", json!("embeddings")),
        ("RETRIEVER", "retriever", json!("retrieval")),
        ("RERANKER", "rerank", json!("rerank")),
        ("TOOL", "tool", json!("execute_tool")),
        ("AGENT", "agent", json!("invoke_agent")),
        ("CHAIN", "chain", Value::Null),
        ("GUARDRAIL", "guardrail", Value::Null),
        ("EVALUATOR", "evaluator", Value::Null),
        ("UNKNOWN", "span", Value::Null),
    ] {
        check(json!({"openinference.span.kind": word}), &json!({"type": kind, "operation": operation, "counted": null}));
    }
}

#[test]
fn open_llmetry() {
    check(
        json!({
            "llm.request.type": "chat", "gen_ai.system": "Bedrock", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 11,
            "gen_ai.usage.output_tokens": 2, "llm.usage.total_tokens": 13, "llm.usage.cache_read_input_tokens": 5,
            "traceloop.association.properties.user_id": "u", "traceloop.association.properties.session_id": "s",
            "traceloop.prompt.key": "greet", "traceloop.prompt.version": 4,
        }),
        &json!({
            "type": "chat", "provider": "aws.bedrock", "input": 11, "output": 2, "cache_read": 5, "user": "u", "session": "s",
            "prompt": "greet@4",
        }),
    );
    for (word, kind) in [("workflow", "chain"), ("task", "chain"), ("agent", "agent"), ("tool", "tool"), ("unknown", "span")] {
        check(json!({"traceloop.span.kind": word}), &json!({"type": kind}));
    }
}

#[test]
fn vercel_ai() {
    check(
        json!({
            "ai.operationId": "ai.streamText.doStream", "ai.model.id": "gpt-4o-mini", "ai.model.provider": "openai.chat",
            "ai.usage.promptTokens": 8, "ai.usage.completionTokens": 3, "ai.usage.cachedInputTokens": 2,
            "ai.response.msToFirstChunk": 412.5, "ai.telemetry.metadata.userId": "u", "ai.telemetry.metadata.sessionId": "s",
            "ai.telemetry.metadata.tags": "[\"x\",\"y\"]",
        }),
        &json!({
            "type": "chat", "request_model": "gpt-4o-mini", "provider": "openai", "input": 8, "output": 3, "cache_read": 2,
            "first_token": 412_500, "user": "u", "session": "s", "tags": ["x", "y"],
        }),
    );
    for (operation, kind) in [
        ("ai.generateText", "chain"),
        ("ai.generateObject.doGenerate", "chat"),
        ("ai.embed.doEmbed", "embedding"),
        ("ai.toolCall", "tool"),
    ] {
        check(json!({"ai.operationId": operation}), &json!({"type": kind}));
    }
}

#[test]
fn langfuse() {
    check(
        json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": "{\"input\": 20, \"input_cached_tokens\": 80, \"output\": 5, \"output_reasoning_tokens\": 15, \"total\": 120}",
            "langfuse.observation.cost_details": "{\"input\": 0.001, \"output\": 0.002, \"total\": 0.003}",
            "langfuse.observation.completion_start_time": "\"2025-11-24T16:00:01.500000Z\"", "langfuse.release": "v9",
            "langfuse.environment": "staging", "langfuse.observation.prompt.name": "folder/answer",
            "langfuse.observation.prompt.version": 12, "langfuse.trace.tags": ["one"], "user.id": "u", "session.id": "s",
        }),
        &json!({
            "type": "chat", "request_model": "gpt-4o", "input": 100, "cache_read": 80, "output": 20, "reasoning": 15,
            "cost": 3_000_000, "first_token": 1_500_000, "release": "v9", "environment": "staging", "prompt": "folder/answer@12",
            "tags": ["one"], "user": "u", "session": "s",
        }),
    );
    let openai = json!({"prompt_tokens": 30, "completion_tokens": 6, "total_tokens": 36,
        "prompt_tokens_details": {"cached_tokens": 10}, "completion_tokens_details": {"reasoning_tokens": 4}});
    check(
        json!({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": openai.to_string()}),
        &json!({"input": 30, "output": 6, "cache_read": 10, "reasoning": 4}),
    );
    for word in ["agent", "tool", "chain", "retriever", "evaluator", "guardrail", "embedding", "event", "span"] {
        check(json!({"langfuse.observation.type": word}), &json!({"type": word}));
    }
}

#[test]
fn mlflow_writes_json_within_json() {
    check(
        json!({
            "mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.llm.model": "\"gpt-4\"", "mlflow.llm.provider": "\"openai\"",
            "mlflow.chat.tokenUsage": "{\"input_tokens\": 40, \"output_tokens\": 10, \"total_tokens\": 50, \"cache_read_input_tokens\": 15}",
            "mlflow.llm.cost": "{\"input_cost\": 0.5, \"output_cost\": 0.25}", "mlflow.trace.session": "\"s\"",
            "mlflow.linkedPrompts": "[{\"name\": \"answer\", \"version\": \"3\"}]",
        }),
        &json!({
            "type": "chat", "request_model": "gpt-4", "provider": "openai", "input": 40, "output": 10, "cache_read": 15,
            "cost": 750_000_000, "session": "s", "prompt": "answer@3",
        }),
    );
}

#[test]
fn claude_code_counts_cached_tokens_beside_the_input() {
    check(
        json!({"span.type": "claude_code.llm_request", "model": "claude-opus-4", "input_tokens": 10, "output_tokens": 200,
            "cache_read_tokens": 5, "cache_creation_tokens": 2, "cost_usd": 0.123_456, "ttft_ms": "91"}),
        &json!({"type": "chat", "request_model": "claude-opus-4", "input": 17, "output": 200, "cache_read": 5, "cache_write": 2,
            "cost": 123_456_000, "first_token": 91_000}),
    );
}

#[test]
fn parts_that_are_more_than_their_whole_were_counted_beside_it() {
    let of = |attributes: Value| Facts::of(&span(attributes)).tokens;
    let said = json!({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 90, "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 50});
    assert_eq!(of(said), tokens(100, 55, 90, 0, 50));
    // Both parts fit, but not together.
    let said = json!({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.cache_write.input_tokens": 8, "gen_ai.usage.output_tokens": 0});
    assert_eq!(of(said), tokens(26, 0, 8, 8, 0));
}

#[test]
fn what_is_missing_of_a_sum_is_reckoned_and_nothing_else_is_guessed() {
    check(json!({"llm.token_count.prompt": 30, "llm.token_count.total": 42}), &json!({"input": 30, "output": 12}));
    check(json!({"openinference.span.kind": "EMBEDDING", "llm.token_count.total": 42}), &json!({"input": 42, "output": null}));
    check(json!({"llm.token_count.total": 42}), &json!({"input": null, "output": null, "counted": null}));
    check(
        json!({"gen_ai.usage.input_tokens": -5, "gen_ai.usage.output_tokens": "many"}),
        &json!({"input": null, "output": null}),
    );
    check(json!({"gen_ai.usage.input_tokens": 7.0, "gen_ai.usage.cost": -1}), &json!({"input": 7, "cost": null}));
}

#[test]
fn the_first_token_is_read_from_events_where_no_attribute_says_it() {
    let mut said = span(json!({"openinference.span.kind": "LLM"}));
    said.events =
        vec![event("First Token Stream Event", 700_000, json!({})), event("First Token Stream Event", 300_000, json!({}))];
    assert_eq!(Facts::of(&said).first_token, Some(300_000));
    // When an answer was complete is not when it began.
    said.events = vec![event("gen_ai.choice", 700_000, json!({"finish_reason": "stop"}))];
    assert_eq!(Facts::of(&said).first_token, None);
}

#[test]
fn a_failure_without_a_type_has_that_of_its_exception() {
    let mut failed = span(json!({}));
    failed.events = vec![event("exception", 1, json!({"exception.type": "ValueError", "exception.message": "no"}))];
    assert_eq!(Facts::of(&failed).error_type, None);
    failed.status = SpanStatus::Error("no".into());
    assert_eq!(Facts::of(&failed).error_type.as_deref(), Some("ValueError"));
}

#[test]
fn a_record_of_a_log_is_an_event() {
    check(
        json!({"otel.signal": "log", "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 4}),
        &json!({"type": "event", "input": 4}),
    );
}

#[test]
fn calls_of_this_server_count_and_their_attempts_do_not() {
    let of = |attributes: Value| {
        let span = span(attributes);
        let facts = Facts::of(&span).into_owned();
        (facts.kind, facts.counted, facts.tokens.input, facts.cost)
    };
    let usage = json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3, "mainspring.cost": "0.0000125"});
    let with = |more: Value| {
        let mut all = usage.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        Value::Object(all)
    };
    let cost = Some(12_500);
    let call = with(json!({"mainspring.call": "call_1", "mainspring.target": "openai/gpt", "mainspring.key": "key_1"}));
    assert_eq!(of(call.clone()), (SpanType::Chat, Some(true), Some(12), cost));
    assert_eq!(Facts::of(&span(call)).key.as_deref(), Some("key_1"));
    assert_eq!(of(with(json!({"mainspring.target": "openai/gpt"}))), (SpanType::Chat, None, Some(12), cost));
    assert_eq!(of(with(json!({"mainspring.usage_beneath": true}))), (SpanType::Chat, Some(false), Some(12), cost));
    let agent = with(json!({"gen_ai.operation.name": "invoke_agent", "mainspring.app": "handbook",
        "gen_ai.request.model": "handbook", "gen_ai.response.model": "smollm2",
        "mainspring.versions": ["chain/answer@v2#aa", "prompt/answer@v3#bb", "app/handbook@v7#cc"]}));
    assert_eq!(of(agent.clone()), (SpanType::Agent, Some(false), Some(12), cost));
    let agent = span(agent);
    let facts = Facts::of(&agent);
    assert_eq!(
        (facts.app.as_deref(), facts.release.as_deref(), facts.prompt.as_deref()),
        (Some("handbook"), Some("v7"), Some("answer@v3"))
    );
    assert_eq!(facts.model(), Some("smollm2"), "the app is no model");
}
