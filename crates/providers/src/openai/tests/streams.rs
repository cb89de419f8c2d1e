use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish},
};
use serde_json::{Value, json};

use super::{events, fixture, streamed};
use crate::{
    fault::FaultClass,
    openai::{chat, responses},
};

const STREAMS: [&str; 8] = [
    fixture!("stream_text.sse"),
    fixture!("stream_tools.sse"),
    fixture!("stream_azure.sse"),
    fixture!("stream_deepseek.sse"),
    fixture!("stream_openrouter.sse"),
    fixture!("stream_groq.sse"),
    fixture!("stream_gemini_compat.sse"),
    fixture!("stream_mistral.sse"),
];

fn began(id: &str, model: &str) -> Event {
    Event::Began { id: id.to_owned(), model: model.to_owned() }
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

fn thought(text: &str) -> Event {
    Event::Reasoning { choice: 0, text: text.to_owned() }
}

fn call(call: u32, id: &str, name: &str) -> Event {
    Event::ToolCall { choice: 0, call, id: id.to_owned(), name: name.to_owned(), signature: None }
}

fn arguments(call: u32, fragment: &str) -> Event {
    Event::Arguments { choice: 0, call, fragment: fragment.to_owned() }
}

fn finished(finish: Finish) -> Event {
    Event::Finished { choice: 0, finish, stop_sequence: None }
}

fn chunk(fields: Value) -> Event {
    Event::Other { said_in: Dialect::OpenAiChat, value: json!({"chunk": fields}) }
}

fn used(input: u64, output: u64) -> TokenUsage {
    TokenUsage { input, output, ..TokenUsage::default() }
}

#[test]
fn a_text_is_read_as_it_is_made() {
    let logprobs = json!({"content": [{"token": "Port", "logprob": -0.0625, "bytes": [80, 111, 114, 116], "top_logprobs": []}], "refusal": null});
    let want = [
        began("chatcmpl-BnrF1", "gpt-4o-mini-2024-07-18"),
        chunk(json!({"service_tier": "default", "system_fingerprint": "fp_34a54ae93c"})),
        Event::Text { choice: 0, text: "Port".to_owned(), logprobs: Some(logprobs) },
        text(" 7400 – größer 🦀"),
        finished(Finish::Stop),
        Event::Usage(used(21, 7)),
        Event::Ended,
    ];
    assert_eq!(events(fixture!("stream_text.sse")), want);
}

#[test]
fn tool_calls_are_told_apart_by_their_indexes() {
    let want = [
        began("chatcmpl-BnrH7", "gpt-4.1-2025-04-14"),
        chunk(json!({"service_tier": "default", "system_fingerprint": "fp_799e4ca3f1"})),
        call(0, "call_6iDd", "get_weather"),
        arguments(0, "{\"city\":"),
        arguments(0, " \"Köln\"}"),
        call(1, "call_T7Hn", "get_time"),
        arguments(1, "{}"),
        finished(Finish::ToolCalls),
        Event::Usage(TokenUsage { cache_read: 64, ..used(76, 30) }),
        Event::Ended,
    ];
    assert_eq!(events(fixture!("stream_tools.sse")), want);
}

#[test]
fn azures_first_chunk_begins_nothing() {
    let read = events(fixture!("stream_azure.sse"));
    assert!(matches!(&read[0], Event::Other { value, .. } if value["chunk"]["prompt_filter_results"].is_array()), "{read:?}");
    let want = [
        began("chatcmpl-BnrK2", "gpt-4o-2024-11-20"),
        chunk(json!({"system_fingerprint": "fp_ee1d74bde0"})),
        text("Hi"),
        finished(Finish::Length),
        Event::Usage(used(9, 1)),
        Event::Ended,
    ];
    assert_eq!(read[1..], want);
}

#[test]
fn thinking_comes_before_the_text() {
    let want = [
        began("3e0c", "deepseek-reasoner"),
        chunk(json!({"system_fingerprint": "fp_393b"})),
        thought("Tenths: 1"),
        thought(" and 8."),
        text("9.8"),
        finished(Finish::Stop),
        Event::Usage(TokenUsage { cache_read: 16, reasoning: 8, ..used(19, 12) }),
        Event::Ended,
    ];
    assert_eq!(events(fixture!("stream_deepseek.sse")), want);
    let want = [
        began("c0b2", "magistral-medium-2506"),
        thought("Two and two"),
        text("4"),
        call(0, "D681PevKs", "note"),
        arguments(0, "{\"n\": 4}"),
        finished(Finish::ToolCalls),
        Event::Usage(used(22, 38)),
        Event::Ended,
    ];
    assert_eq!(events(fixture!("stream_mistral.sse")), want);
}

#[test]
fn signatures_and_citations_come_along() {
    let signature = Event::ReasoningDone { choice: 0, id: None, signature: Some("ErUBCkYIBRgCIkDZ".to_owned()), sealed: None };
    let cited = json!([{"type": "url_citation", "url_citation": {"url": "https://example.org/tower", "title": "The tower", "start_index": 0, "end_index": 5}}]);
    let want = [
        began("gen-17514501", "anthropic/claude-sonnet-4"),
        chunk(json!({"provider": "Anthropic"})),
        thought("About the tower."),
        signature,
        text("1889."),
        Event::Other { said_in: Dialect::OpenAiChat, value: json!({"choice": 0, "delta": {"annotations": cited}}) },
        finished(Finish::Stop),
        Event::Usage(TokenUsage { cache_read: 32, cache_write: 16, reasoning: 6, ..used(51, 17) }),
        Event::Ended,
    ];
    assert_eq!(events(fixture!("stream_openrouter.sse")), want);
}

#[test]
fn usage_is_found_where_groq_puts_it() {
    let read = events(fixture!("stream_groq.sse"));
    assert_eq!(read[read.len() - 3..], [finished(Finish::Stop), Event::Usage(used(38, 2)), Event::Ended]);
}

#[test]
fn calls_of_one_index_are_told_apart_by_their_ids_and_the_end_needs_no_word() {
    let signed = Event::ToolCall {
        choice: 0,
        call: 0,
        id: "function-call-11".to_owned(),
        name: "get_weather".to_owned(),
        signature: Some("CvQBAdHtim9".to_owned()),
    };
    let want = [
        began("kF1laM", "gemini-2.5-flash"),
        signed,
        arguments(0, "{\"city\":\"Köln\"}"),
        call(1, "function-call-12", "get_time"),
        arguments(1, "{}"),
        finished(Finish::ToolCalls),
        Event::Usage(TokenUsage { reasoning: 87, ..used(63, 118) }),
        Event::Ended,
    ];
    assert_eq!(events(fixture!("stream_gemini_compat.sse")), want);
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_events() {
    for stream in STREAMS {
        let whole = events(stream);
        let bytes = stream.as_bytes();
        for at in 0..=bytes.len() {
            let (read, fault) = streamed([&bytes[..at], &bytes[at..]]);
            assert!(fault.is_none() && read == whole, "cut at {at}: {fault:?}");
        }
        assert_eq!(streamed(bytes.chunks(1)).0, whole);
        assert_eq!(events(&stream.replace('\n', "\r\n")), whole, "lines end in CRLF");
        assert_eq!(events(&stream.replace('\n', "\r")), whole, "lines end in CR");
    }
}

#[test]
fn a_stream_that_breaks_off_is_a_fault_and_what_came_is_kept() {
    for stream in STREAMS {
        let whole = events(stream);
        let finish = stream.rfind("\"finish_reason\":\"").unwrap();
        for at in (0..finish).step_by(7) {
            let (read, fault) = streamed([&stream.as_bytes()[..at]]);
            assert_eq!(fault.map(|fault| fault.class), Some(FaultClass::Reset), "cut at {at}");
            assert!(whole.starts_with(&read), "cut at {at}");
        }
    }
    // The line that says that it is all is the only one missing.
    let cut = fixture!("stream_text.sse").trim_end().trim_end_matches("data: [DONE]");
    assert_eq!(events(cut), events(fixture!("stream_text.sse")));
}

#[track_caller]
fn check_fault(stream: &str, class: FaultClass, events: usize) {
    let (read, fault) = streamed([stream.as_bytes()]);
    assert_eq!((fault.map(|fault| fault.class), read.len()), (Some(class), events), "{stream}");
}

#[test]
fn errors_within_a_stream_end_it() {
    let begun = "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    for (data, class) in [
        (r#"data: {"error":{"message":"The server had an error","type":"server_error","code":null}}"#, FaultClass::Server),
        (r#"data: {"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#, FaultClass::RateLimited),
        (
            r#"data: {"id":"x","error":{"code":502,"message":"Upstream"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            FaultClass::Server,
        ),
        (
            r#"data: {"object":"error","message":"maximum context length is 5","type":"BadRequestError","code":400}"#,
            FaultClass::ContextWindow,
        ),
        (
            r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"slow","code":429}}]}"#,
            FaultClass::RateLimited,
        ),
        (r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#, FaultClass::Server),
        ("event: error\ndata: {\"message\":\"overloaded\"}", FaultClass::Overloaded),
        ("event: error\ndata: {\"error\":{\"message\":\"no\",\"code\":\"insufficient_quota\"}}", FaultClass::Quota),
        ("data: {broken", FaultClass::Malformed),
        ("data: 7", FaultClass::Malformed),
        (r#"data: {"choices":7}"#, FaultClass::Malformed),
        (r#"data: {"choices":[{"delta":7}]}"#, FaultClass::Malformed),
        (r#"data: {"choices":[{"delta":{"tool_calls":7}}]}"#, FaultClass::Malformed),
    ] {
        check_fault(&format!("{begun}{data}\n\n{begun}"), class, 2);
    }
    check_fault("", FaultClass::Reset, 0);
    check_fault(": comment\n\n", FaultClass::Reset, 0);
    check_fault("<html>\n</html>\n\n", FaultClass::Reset, 0);
    check_fault(begun, FaultClass::Reset, 2);
    check_fault(&format!("data: {}\n\n", "x".repeat(crate::sse::LONGEST)), FaultClass::Malformed, 0);
}

#[test]
fn nothing_is_read_after_the_end() {
    let after = format!("{}data: {{broken\n\n", fixture!("stream_text.sse"));
    assert_eq!(events(&after), events(fixture!("stream_text.sse")));
    assert_eq!(events("data: [DONE]\n\n"), [began("", "target-model"), Event::Ended]);
}

#[test]
fn a_call_is_told_of_when_its_name_is_known() {
    let chunk =
        |call: Value| format!("data: {}\n\n", json!({"id": "x-1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}));
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let read = |calls: &[Value]| -> Vec<Event> {
        let stream: String = calls.iter().map(|call| chunk(call.clone())).collect();
        let mut read = events(&(stream + end));
        read.pop();
        read.remove(0);
        read
    };
    // The name comes late, and no id and no index at all.
    assert_eq!(
        read(&[
            json!({"index": 0, "id": "c", "function": {"arguments": "{"}}),
            json!({"index": 0, "function": {"name": "f", "arguments": "}"}}),
            json!({"function": {"name": "g", "arguments": "{}"}}),
            json!({"function": {"arguments": " "}}),
        ]),
        [
            call(0, "c", "f"),
            arguments(0, "{"),
            arguments(0, "}"),
            call(1, "call_1_0_1", "g"),
            arguments(1, "{}"),
            arguments(1, " "),
            finished(Finish::ToolCalls),
        ]
    );
    // The name never comes: a client is better off with a call it can refuse than with a lost one.
    let nameless = read(&[json!({"index": 0, "id": "c", "function": {"arguments": "{}"}})]);
    assert_eq!(nameless, [call(0, "c", ""), arguments(0, "{}"), finished(Finish::ToolCalls)]);
    // A tool without parameters.
    let silent = read(&[json!({"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}})]);
    assert_eq!(silent, [call(0, "c", "f"), arguments(0, "{}"), finished(Finish::ToolCalls)]);
    // Another kind of tool.
    let custom = json!({"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}});
    let want = Event::Other { said_in: Dialect::OpenAiChat, value: json!({"choice": 0, "delta": {"tool_calls": [custom]}}) };
    assert_eq!(read(&[custom.clone()]), [want, finished(Finish::Stop)]);
}

fn written(stream: &str, include_usage: bool) -> Vec<String> {
    let mut writer = chat::Writer::new(1_751_445_001, "asked-model", include_usage);
    events(stream).into_iter().flat_map(|event| writer.push(event)).collect()
}

#[test]
fn streams_written_for_chat_clients_are_chunks_of_one_id() {
    for stream in STREAMS {
        let mut data = written(stream, true);
        assert_eq!(data.pop().as_deref(), Some("[DONE]"));
        let chunks: Vec<Value> = data.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!((&last["choices"], last["usage"]["total_tokens"].is_u64()), (&json!([]), true));
        let mut roles = 0;
        for chunk in before {
            assert_eq!(
                (&chunk["id"], &chunk["object"], &chunk["model"]),
                (&last["id"], &json!("chat.completion.chunk"), &json!("asked-model"))
            );
            assert_eq!((&chunk["created"], chunk.get("usage")), (&json!(1_751_445_001), Some(&Value::Null)));
            roles += usize::from(chunk["choices"][0]["delta"]["role"] == "assistant");
        }
        assert_eq!((roles, &before[0]["choices"][0]["delta"]["role"]), (1, &json!("assistant")));
        assert!(before.last().unwrap()["choices"][0]["finish_reason"].is_string());

        let without = written(stream, false);
        assert!(without.iter().all(|data| !data.contains("\"usage\"")));
        assert_eq!(without.len(), data.len());
    }
}

#[test]
fn streams_come_out_as_they_went_in() {
    for stream in STREAMS {
        let again: String = written(stream, true).iter().map(|data| format!("data: {data}\n\n")).collect();
        let renamed = |event: Event| match event {
            Event::Began { id, .. } => Event::Began { id, model: String::new() },
            event => event,
        };
        // What a chunk says beside its choices may stand in another chunk.
        let place = |event: &Event| !matches!(event, Event::Other { value, .. } if value.get("chunk").is_some());
        let (mut new, mut old): (Vec<Event>, Vec<Event>) =
            (events(&again).into_iter().map(renamed).collect(), events(stream).into_iter().map(renamed).collect());
        let fields = |events: &[Event]| {
            let chunks = events.iter().filter_map(|event| match event {
                Event::Other { value, .. } => value.get("chunk").and_then(Value::as_object),
                _ => None,
            });
            chunks.flat_map(|fields| fields.clone()).collect::<std::collections::BTreeMap<_, _>>()
        };
        assert_eq!(fields(&new), fields(&old));
        new.retain(place);
        old.retain(place);
        assert_eq!(new, old);
    }
}

#[test]
fn a_stream_for_the_responses_endpoint_needs_no_second_reading() {
    for stream in STREAMS {
        let mut writer = responses::Writer::new(1_751_445_001, "asked-model");
        let named: Vec<responses::Named> = events(stream).into_iter().flat_map(|event| writer.push(event)).collect();
        super::responses::check_stream(&named);
    }
}
