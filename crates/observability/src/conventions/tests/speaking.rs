//! Messages, documents and tools as instrumentations send them.

use mainspring_llm::Span;
use serde_json::{Value, json};

use super::{super::Conversation, event, span};

fn said(span: &Span) -> Value {
    serde_json::to_value(Conversation::of(span)).unwrap()
}

fn text(role: &str, content: &str) -> Value {
    json!({"role": role, "parts": [{"type": "text", "content": content}]})
}

#[track_caller]
fn check(attributes: Value, input: &Value, output: &Value) {
    let said = said(&span(attributes));
    assert_eq!((&said["input"], &said["output"]), (input, output));
}

/// What most conventions below say, each in its way.
fn asked() -> Value {
    json!([text("system", "be kind"), text("user", "what is the weather?")])
}

fn answered() -> Value {
    json!([{"role": "assistant", "parts": [
        {"type": "text", "content": "let me see"},
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
    ]}])
}

#[test]
fn gen_ai_messages_stay_what_they_are_structured_or_as_text() {
    let input = json!([
        text("user", "hi"),
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "result": "42"}]},
        {"role": "user", "parts": [{"type": "uri", "uri": "https://example.org/a.png", "mime_type": "image/png"},
            {"type": "blob", "content": "aGk=", "mime_type": "image/png"}, {"type": "file", "file_id": "file_1"}]}
    ]);
    let output = json!([{"role": "assistant", "parts": [{"type": "text", "content": "bye"}], "finish_reason": "stop"}]);
    check(json!({"gen_ai.input.messages": input, "gen_ai.output.messages": output}), &input, &output);
    check(json!({"gen_ai.input.messages": input.to_string(), "gen_ai.output.messages": output.to_string()}), &input, &output);
}

#[test]
fn system_instructions_and_tools_stand_beside_the_messages() {
    let said = said(&span(json!({
        "gen_ai.system_instructions": [{"type": "text", "content": "be kind"}],
        "gen_ai.tool.definitions": "[{\"type\": \"function\", \"name\": \"weather\"}]",
        "gen_ai.input.messages": [text("user", "hi")],
    })));
    assert_eq!(said["system"], json!([{"type": "text", "content": "be kind"}]));
    assert_eq!(said["tools"], json!([{"type": "function", "name": "weather"}]));
}

#[test]
fn open_inference_writes_a_message_as_many_attributes() {
    check(
        json!({
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": "what is the weather?",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "be kind",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "let me see",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "weather",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{\"city\": \"Paris\"}",
            "input.value": "{\"model\": \"gpt\", \"messages\": []}",
            "output.value": "raw",
        }),
        &asked(),
        &answered(),
    );
    check(
        json!({
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "image",
            "llm.input_messages.0.message.contents.0.message_content.image.image.url": "data:image/png;base64,aGk=",
            "llm.input_messages.1.message.role": "tool",
            "llm.input_messages.1.message.tool_call_id": "call_1",
            "llm.input_messages.1.message.content": "18 degrees",
        }),
        &json!([
            {"role": "user", "parts": [{"type": "blob", "content": "aGk=", "mime_type": "image/png"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "result": "18 degrees"}]},
        ]),
        &json!([]),
    );
}

#[test]
fn gen_ai_of_before_numbers_prompts_and_completions() {
    check(
        json!({
            "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "be kind",
            "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "[{\"type\": \"text\", \"text\": \"what is the weather?\"}]",
            "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "let me see",
            "gen_ai.completion.0.tool_calls.0.id": "call_1", "gen_ai.completion.0.tool_calls.0.name": "weather",
            "gen_ai.completion.0.tool_calls.0.arguments": "{\"city\": \"Paris\"}",
            "gen_ai.prompt.name": "a prompt's name",
        }),
        &asked(),
        &answered(),
    );
    check(
        json!({"gen_ai.prompt": "hi", "gen_ai.completion": "bye"}),
        &json!([text("user", "hi")]),
        &json!([text("assistant", "bye")]),
    );
}

#[test]
fn messages_are_read_from_events() {
    let mut said_so = span(json!({}));
    said_so.events = vec![
        event("gen_ai.system.message", 1, json!({"gen_ai.system": "openai", "content": "be kind"})),
        event("gen_ai.user.message", 2, json!({"content": "what is the weather?"})),
        event("gen_ai.tool.message", 3, json!({"id": "call_0", "content": "18 degrees"})),
        event(
            "gen_ai.choice",
            4,
            json!({"index": 0, "finish_reason": "tool_calls",
            "message": "{\"role\": \"assistant\", \"content\": \"let me see\", \"tool_calls\": [{\"id\": \"call_1\", \"type\": \"function\", \"function\": {\"name\": \"weather\", \"arguments\": \"{\\\"city\\\": \\\"Paris\\\"}\"}}]}"}),
        ),
        event("gen_ai.choice", 5, json!({"index": 1, "finish_reason": "stop"})),
    ];
    let mut want = asked();
    want.as_array_mut()
        .unwrap()
        .push(json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_0", "result": "18 degrees"}]}));
    let mut answer = answered();
    answer[0]["finish_reason"] = json!("tool_calls");
    assert_eq!((&said(&said_so)["input"], &said(&said_so)["output"]), (&want, &answer));

    let mut detailed = span(json!({}));
    let details = json!({"gen_ai.input.messages": asked().to_string(), "gen_ai.output.messages": answered()});
    detailed.events = vec![event("gen_ai.client.inference.operation.details", 1, details)];
    assert_eq!((&said(&detailed)["input"], &said(&detailed)["output"]), (&asked(), &answered()));
    let mut spring = span(json!({}));
    spring.events = vec![
        event("gen_ai.content.prompt", 1, json!({"gen_ai.prompt": "hi"})),
        event("gen_ai.content.completion", 2, json!({"gen_ai.completion": "bye"})),
    ];
    assert_eq!(
        (&said(&spring)["input"], &said(&spring)["output"]),
        (&json!([text("user", "hi")]), &json!([text("assistant", "bye")]))
    );
}

/// A message as `opentelemetry-instrumentation-openai-v2` logs it, after it came in.
fn record(name: &str, after: i64, body: Value) -> Span {
    let mut record = span(json!({"otel.signal": "log", "gen_ai.system": "openai", "resource.service.name": "shop"}));
    record.name = name.into();
    record.events = if body.is_null() { Vec::new() } else { vec![event(name, after, body)] };
    record
}

#[test]
fn log_records_beneath_a_call_are_what_was_said_in_it() {
    let call = span(json!({"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt"}));
    let function = json!({"name": "weather", "arguments": "{\"city\": \"Paris\"}"});
    let calls = json!([{"id": "call_1", "type": "function", "function": function}]);
    let records = [
        record("gen_ai.developer.message", 1, json!({"content": "answer in French"})),
        record("gen_ai.system.message", 1, json!({"content": "be kind"})),
        record("gen_ai.user.message", 2, json!({"content": "what is the weather?"})),
        record("gen_ai.assistant.message", 3, json!({"tool_calls": calls})),
        record("gen_ai.tool.message", 4, json!({"content": "18 degrees", "id": "call_1"})),
        record(
            "gen_ai.choice",
            5,
            json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "mild"}}),
        ),
    ];
    let own = Conversation::of(&call);
    assert!(own.lacks_messages());
    let read = own.with_records(&records);
    assert!(!read.lacks_messages());
    let read = serde_json::to_value(read).unwrap();
    let called = json!({"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}});
    assert_eq!(
        read["input"],
        json!([
            text("developer", "answer in French"),
            text("system", "be kind"),
            text("user", "what is the weather?"),
            {"role": "assistant", "parts": [called]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "result": "18 degrees"}]},
        ])
    );
    let answered = json!({"role": "assistant", "parts": [{"type": "text", "content": "mild"}], "finish_reason": "stop"});
    assert_eq!(read["output"], json!([answered]));

    // What the call says itself is not said again by them, and an event of the whole call is read like one in the span.
    let itself = span(json!({"gen_ai.input.messages": [text("user", "hi")]}));
    let read = serde_json::to_value(Conversation::of(&itself).with_records(&records)).unwrap();
    assert_eq!((&read["input"], &read["output"]), (&json!([text("user", "hi")]), &json!([answered])));
    let details = json!({"gen_ai.input.messages": [text("user", "hi")], "gen_ai.output.messages": [text("assistant", "bye")]});
    let details = [record("gen_ai.client.inference.operation.details", 1, details)];
    let read = serde_json::to_value(Conversation::of(&call).with_records(&details)).unwrap();
    assert_eq!((&read["input"], &read["output"]), (&json!([text("user", "hi")]), &json!([text("assistant", "bye")])));

    // Where content is not to be captured, they say who spoke and no more.
    let silent = [
        record("gen_ai.user.message", 1, Value::Null),
        record("gen_ai.choice", 2, json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}})),
    ];
    assert_eq!(Conversation::of(&call).with_records(&silent), Conversation::default());
}

#[test]
fn vercel_writes_calls_and_thoughts_beside_the_answer() {
    check(
        json!({
            "ai.prompt.messages": "[{\"role\": \"system\", \"content\": \"be kind\"}, {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"what is the weather?\"}]}]",
            "ai.response.text": "let me see", "ai.response.reasoning": "hm",
            "ai.response.toolCalls": "[{\"toolCallId\": \"call_1\", \"toolName\": \"weather\", \"input\": \"{\\\"city\\\": \\\"Paris\\\"}\"}]",
        }),
        &asked(),
        &json!([{"role": "assistant", "parts": [
            {"type": "reasoning", "content": "hm"}, {"type": "text", "content": "let me see"},
            {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
        ]}]),
    );
    check(json!({"ai.prompt": "{\"system\": \"be kind\", \"prompt\": \"what is the weather?\"}"}), &asked(), &json!([]));
}

#[test]
fn langfuse_and_mlflow_write_requests_and_answers_of_providers() {
    let messages = json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": "what is the weather?"}]);
    let call =
        json!([{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}}]);
    let message = json!({"role": "assistant", "content": "let me see", "tool_calls": call});
    check(
        json!({"langfuse.observation.input": messages.to_string(), "langfuse.observation.output": message.to_string()}),
        &asked(),
        &answered(),
    );
    let mut finished = answered();
    finished[0]["finish_reason"] = json!("tool_calls");
    check(
        json!({
            "mlflow.spanInputs": json!({"model": "gpt", "messages": messages}).to_string(),
            "mlflow.spanOutputs": json!({"id": "x", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}).to_string(),
        }),
        &asked(),
        &finished,
    );
    // Anthropic's request and answer.
    check(
        json!({
            "langfuse.observation.input": {"system": "be kind", "messages": [{"role": "user", "content": [{"type": "text", "text": "what is the weather?"}]}]},
            "langfuse.observation.output": {"role": "assistant", "stop_reason": "tool_calls", "content": [
                {"type": "text", "text": "let me see"}, {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}]},
        }),
        &asked(),
        &finished,
    );
    // Gemini's.
    check(
        json!({
            "gcp.vertex.agent.llm_request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
            "gcp.vertex.agent.llm_response": {"candidates": [{"content": {"role": "model", "parts": [{"text": "bye"}]}, "finishReason": "STOP"}]},
        }),
        &json!([text("user", "hi")]),
        &json!([{"role": "assistant", "parts": [{"type": "text", "content": "bye"}], "finish_reason": "STOP"}]),
    );
}

#[test]
fn a_text_is_without_quotes_where_everything_is_written_as_json() {
    check(
        json!({"mlflow.spanInputs": "\"[1] is \\\"what\\\"?\"", "mlflow.spanOutputs": "\"final \\\"text\\\"\\nline\""}),
        &json!([text("user", "[1] is \"what\"?")]),
        &json!([text("assistant", "final \"text\"\nline")]),
    );
    check(
        json!({"traceloop.entity.input": "{\"args\": []}", "traceloop.entity.output": "\"18 degrees\""}),
        &json!([{"role": "user", "parts": [{"type": "other", "value": {"args": []}}]}]),
        &json!([text("assistant", "18 degrees")]),
    );
    // Who writes texts as they are means the quotes.
    check(
        json!({"langfuse.observation.input": "\"quoted\"", "langfuse.observation.output": "\""}),
        &json!([text("user", "\"quoted\"")]),
        &json!([text("assistant", "\"")]),
    );
}

#[test]
fn items_of_a_response_are_messages_of_whoever_made_them() {
    check(
        json!({
            "langfuse.observation.input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "42"}],
            "langfuse.observation.output": {"output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "bye"}]}]},
        }),
        &json!([
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "result": "42"}]},
        ]),
        &json!([{"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]}, text("assistant", "bye")]),
    );
}

#[test]
fn what_is_in_no_known_shape_is_kept_as_it_is() {
    check(
        json!({"traceloop.entity.input": "{\"args\": [1], \"kwargs\": {\"city\": \"Paris\"}}", "traceloop.entity.output": "plain"}),
        &json!([{"role": "user", "parts": [{"type": "other", "value": {"args": [1], "kwargs": {"city": "Paris"}}}]}]),
        &json!([text("assistant", "plain")]),
    );
}

#[test]
fn documents_and_tools_are_read() {
    let found = said(&span(json!({
        "openinference.span.kind": "RETRIEVER",
        "retrieval.documents.1.document.id": "b", "retrieval.documents.1.document.score": 0.5,
        "retrieval.documents.0.document.id": "a", "retrieval.documents.0.document.content": "a text",
        "retrieval.documents.0.document.score": "0.75",
    })));
    assert_eq!(found["documents"], json!([{"id": "a", "score": 0.75, "content": "a text"}, {"id": "b", "score": 0.5}]));
    let found =
        said(&span(json!({"gen_ai.retrieval.query.text": "q", "gen_ai.retrieval.documents": "[{\"id\": \"d\", \"score\": 1}]"})));
    assert_eq!((&found["query"], &found["documents"]), (&json!("q"), &json!([{"id": "d", "score": 1.0}])));
    let tool = said(&span(json!({"gen_ai.tool.name": "weather", "gen_ai.tool.call.id": "c",
        "gen_ai.tool.call.arguments": "{\"city\": \"Paris\"}", "gen_ai.tool.call.result": {"degrees": 18}})));
    assert_eq!(tool["tool"], json!({"id": "c", "name": "weather", "arguments": {"city": "Paris"}, "result": {"degrees": 18}}));
}

#[test]
fn what_goes_into_a_tool_and_comes_out_of_it_is_its_call_in_every_convention() {
    let of = |attributes: Value| {
        let said = said(&span(attributes));
        assert_eq!((&said["input"], &said["output"]), (&json!([]), &json!([])), "nobody spoke");
        said["tool"].clone()
    };
    let calc = json!({"name": "calc", "arguments": {"a": 1}, "result": {"r": 2}});
    assert_eq!(
        of(
            json!({"openinference.span.kind": "TOOL", "tool.name": "calc", "input.value": "{\"a\":1}", "output.value": "{\"r\":2}"})
        ),
        calc
    );
    assert_eq!(
        of(json!({"traceloop.span.kind": "tool", "traceloop.entity.name": "calc",
            "traceloop.entity.input": "{\"a\":1}", "traceloop.entity.output": "{\"r\":2}"})),
        calc
    );
    assert_eq!(
        of(json!({"mlflow.spanType": "\"TOOL\"", "mlflow.spanFunctionName": "\"calc\"",
            "mlflow.spanInputs": "{\"a\":1}", "mlflow.spanOutputs": "{\"r\":2}"})),
        calc
    );
    // A tool that nobody names is called as its span is, and a text is the text.
    assert_eq!(
        of(
            json!({"langfuse.observation.type": "tool", "langfuse.observation.input": "{\"a\":1}", "langfuse.observation.output": "2"})
        ),
        json!({"name": "a span", "arguments": {"a": 1}, "result": "2"})
    );
    assert_eq!(
        of(json!({"mlflow.spanType": "\"TOOL\"", "mlflow.spanOutputs": "\"it \\\"rains\\\"\""})),
        json!({"name": "a span", "arguments": null, "result": "it \"rains\""})
    );
    // What has names of its own is not taken for something else, and a step that is no tool has none.
    let named =
        said(&span(json!({"openinference.span.kind": "TOOL", "gen_ai.tool.call.arguments": "{\"a\":1}", "input.value": "q"})));
    assert_eq!((&named["tool"]["arguments"], &named["input"]), (&json!({"a": 1}), &json!([text("user", "q")])));
    let task =
        said(&span(json!({"traceloop.span.kind": "task", "traceloop.entity.name": "t", "traceloop.entity.output": "done"})));
    assert_eq!((&task["tool"], &task["output"]), (&Value::Null, &json!([text("assistant", "done")])));
}

#[test]
fn what_goes_into_a_search_and_comes_out_of_it_is_its_query_and_its_documents() {
    let mlflow = span(json!({"mlflow.spanType": "\"RETRIEVER\"", "mlflow.spanInputs": "{\"q\":\"why?\"}",
        "mlflow.spanOutputs": "[{\"page_content\":\"doc A\",\"metadata\":{\"doc_uri\":\"u\",\"score\":0.5},\"id\":\"1\"}]"}));
    let read = said(&mlflow);
    assert_eq!((&read["query"], &read["documents"]), (&json!("why?"), &json!([{"id": "1", "score": 0.5, "content": "doc A"}])));
    assert_eq!((&read["input"], &read["output"]), (&json!([]), &json!([])), "nobody spoke");
    assert_eq!(Conversation::of(&mlflow).text(), "why?\n1\ndoc A\n", "what was found is searched as an answer is");
    let langfuse = said(&span(json!({"langfuse.observation.type": "retriever", "langfuse.observation.input": "why?",
        "langfuse.observation.output": "[{\"content\":\"doc one\",\"id\":7,\"score\":0.9},\"doc two\"]"})));
    assert_eq!(
        (&langfuse["query"], &langfuse["documents"]),
        (&json!("why?"), &json!([{"id": "7", "score": 0.9, "content": "doc one"}, {"content": "doc two"}]))
    );
    let nodes =
        said(&span(json!({"openinference.span.kind": "RETRIEVER", "input.value": "{\"args\": [1], \"query\": \"why?\"}",
        "output.value": "{\"nodes\": [{\"node\": {\"id\": \"n\", \"text\": \"a text\"}, \"score\": 0.25}]}"})));
    assert_eq!(
        (&nodes["query"], &nodes["documents"]),
        (&json!("why?"), &json!([{"id": "n", "score": 0.25, "content": "a text"}]))
    );
    // Documents that are named as such are those that were found; what is no document stays what it is.
    let named = said(&span(json!({"openinference.span.kind": "RETRIEVER", "retrieval.documents.0.document.id": "a",
        "output.value": "[{\"content\": \"other\"}]"})));
    assert_eq!(named["documents"], json!([{"id": "a"}]));
    for other in ["nothing found", "[]", "[1]", "{\"hits\": 3}", "[{\"id\": \"a\"}]"] {
        let read = said(&span(json!({"langfuse.observation.type": "retriever", "langfuse.observation.output": other})));
        assert_eq!(read["documents"], Value::Null, "{other}");
    }
    let chain = said(&span(json!({"langfuse.observation.type": "chain", "langfuse.observation.output": "[\"a\", \"b\"]"})));
    assert_eq!(chain["documents"], Value::Null);
}

#[test]
fn search_finds_the_words_of_every_part_and_the_last_question_first() {
    let said = span(json!({
        "gen_ai.input.messages": [text("system", "be kind"), text("user", "first"), text("assistant", "so"), text("user", "last")],
        "gen_ai.output.messages": answered(),
    }));
    assert_eq!(Conversation::of(&said).text(), "last\nbe kind\nfirst\nso\nlet me see\nweather\nParis\n");
    let long = span(json!({"input.value": "é".repeat(1_000)}));
    assert_eq!(Conversation::beginning(&long, 101).text().trim_end(), "é".repeat(50));
}
