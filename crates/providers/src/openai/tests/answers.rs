use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Dialect, Finish, Part, Reasoning},
};
use serde_json::{Map, Value, json};

use super::{PLAIN, UNKNOWN, at, decoded, fixture, json};
use crate::{fault::FaultClass, openai::chat, seam::Adapter};

fn thought(text: &str) -> Part {
    Part::Reasoning(Reasoning { text: text.to_owned(), ..Reasoning::default() })
}

fn other(value: Value) -> Part {
    Part::Other { said_in: Dialect::OpenAiChat, value }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned(), signature: None }
}

#[track_caller]
fn check(text: &str, parts: &[Part], finish: Finish) -> Answer {
    let answer = decoded(text);
    assert_eq!(answer.choices.len(), 1);
    assert_eq!((answer.choices[0].parts.as_slice(), answer.choices[0].finish), (parts, finish));
    assert_eq!(answer.said_in, Dialect::OpenAiChat);
    answer
}

#[test]
fn a_text_comes_with_its_usage_tier_and_fingerprint() {
    let answer = check(fixture!("chat_text.json"), &[Part::text("Mainspring listens on port 7400.")], Finish::Stop);
    assert_eq!((answer.id.as_str(), answer.model.as_str()), ("chatcmpl-BnqkP3nVYpHZm5oCHFTNkXo2VQ0aR", "gpt-4o-mini-2024-07-18"));
    assert_eq!((answer.service_tier.as_deref(), answer.fingerprint.as_deref()), (Some("default"), Some("fp_34a54ae93c")));
    assert_eq!(answer.usage, Some(TokenUsage { input: 1117, output: 9, cache_read: 1024, ..TokenUsage::default() }));
    assert_eq!(answer.extra, Map::new());
}

#[test]
fn tool_calls_keep_their_arguments_to_the_letter() {
    let calls = [
        call("call_6iDdnXVxJTvXVQYqHhmy2Amb", "get_weather", "{\"city\": \"Köln\"}"),
        call("call_T7HnZ5WmVf3s0y8ugRkKpAJd", "get_weather", "{\"city\": \"Bonn\"}"),
    ];
    check(fixture!("chat_tools.json"), &calls, Finish::ToolCalls);
}

#[test]
fn thinking_is_found_wherever_a_server_puts_it() {
    let parts = [thought("Compare 9.11 and 9.8: the tenths are 1 and 8."), Part::text("9.8 is larger.")];
    check(fixture!("chat_deepseek.json"), &parts, Finish::Stop);
    check(fixture!("chat_mistral.json"), &[thought("Two and two are four."), Part::text("4")], Finish::Stop);
    let signed = Reasoning {
        text: "The question is about the Eiffel tower.".to_owned(),
        signature: Some("ErUBCkYIBRgCIkDZlq0fYw==".to_owned()),
        ..Reasoning::default()
    };
    let cited = json!({"annotations": [{
        "type": "url_citation",
        "url_citation": {"url": "https://example.org/tower", "title": "The tower", "start_index": 0, "end_index": 31},
    }]});
    let parts = [Part::Reasoning(signed), Part::text("The tower was finished in 1889."), other(cited)];
    let answer = check(fixture!("chat_openrouter.json"), &parts, Finish::Stop);
    assert_eq!(answer.extra, Map::from_iter([("provider".to_owned(), json!("Anthropic"))]));
}

#[test]
fn empty_fields_of_a_message_are_no_parts() {
    let answer = check(fixture!("chat_vllm.json"), &[Part::text("Step one is done.")], Finish::Stop);
    assert_eq!(answer.choices[0].stop_sequence.as_deref(), Some("STOP"));
    assert_eq!(answer.extra, Map::new());
}

#[test]
fn a_refusal_and_speech_are_kept() {
    check(fixture!("chat_refusal.json"), &[Part::Refusal { text: "I cannot help with that.".to_owned() }], Finish::Stop);
    let audio = json(fixture!("chat_audio.json"))["choices"][0]["message"]["audio"].clone();
    let answer = check(fixture!("chat_audio.json"), &[other(json!({"audio": audio}))], Finish::Stop);
    let used = answer.usage.unwrap();
    assert_eq!((used.input_audio, used.output_audio), (63, 108));
}

/// What a client reads of an answer that came from a server of its own dialect.
#[test]
fn answers_come_out_as_they_went_in() {
    for text in [
        fixture!("chat_text.json"),
        fixture!("chat_tools.json"),
        fixture!("chat_deepseek.json"),
        fixture!("chat_openrouter.json"),
        fixture!("chat_refusal.json"),
        fixture!("chat_audio.json"),
        fixture!("chat_vllm.json"),
    ] {
        let (came, answer) = (json(text), decoded(text));
        let written = chat::write(&answer, came["created"].as_i64().unwrap(), came["model"].as_str().unwrap());
        for name in ["id", "object", "created", "model", "service_tier", "system_fingerprint", "provider"] {
            assert_eq!(written.get(name), came.get(name).filter(|value| !value.is_null()), "{name} of {text}");
        }
        let (new, old) = (&written["choices"][0], &came["choices"][0]);
        assert_eq!(
            (&new["index"], &new["finish_reason"], &new["logprobs"]),
            (&old["index"], &old["finish_reason"], &old["logprobs"])
        );
        for name in ["role", "content", "refusal", "tool_calls", "audio", "annotations"] {
            let nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            let (new, old) = (&new["message"][name], &old["message"][name]);
            assert!(new == old || nothing(new) && nothing(old), "{name}: {new} and {old}");
        }
        assert_eq!(written["usage"]["total_tokens"], came["usage"]["total_tokens"]);
        assert_eq!(decoded(&written.to_string()), answer, "read again");
    }
}

#[test]
fn thinking_is_written_for_chat_clients() {
    let written = chat::write(&decoded(fixture!("chat_openrouter.json")), 1, "m");
    let message = &written["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "The question is about the Eiffel tower.");
    assert_eq!(
        message["reasoning_details"],
        json!([{"type": "reasoning.text", "text": "The question is about the Eiffel tower.", "signature": "ErUBCkYIBRgCIkDZlq0fYw=="}])
    );
    let message = &chat::write(&decoded(fixture!("chat_deepseek.json")), 1, "m")["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "Compare 9.11 and 9.8: the tenths are 1 and 8.");
    assert_eq!(message.get("reasoning_details"), None);
}

#[track_caller]
fn choice(choice: Value) -> mainspring_llm::exchange::Choice {
    decoded(&json!({"id": "chatcmpl-Ab-9", "choices": [choice]}).to_string()).choices.remove(0)
}

#[test]
fn servers_that_bend_the_dialect_are_understood() {
    let called = json!({"content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]});
    let read = choice(json!({"index": 0, "message": called, "finish_reason": "stop"}));
    assert_eq!((read.parts.as_slice(), read.finish), (&[call("call_9_0_0", "f", "{\"a\":1}")][..], Finish::ToolCalls));
    for (reason, want) in [
        (json!("stop"), Finish::Stop),
        (json!("length"), Finish::Length),
        (json!("content_filter"), Finish::ContentFilter),
        (json!("eos"), Finish::Stop),
        (json!(null), Finish::Stop),
    ] {
        assert_eq!(choice(json!({"message": {"content": "x"}, "finish_reason": reason})).finish, want, "{reason}");
    }
    let images =
        json!({"content": "Here.", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]});
    assert!(matches!(choice(json!({"message": images})).parts[1], Part::Image { .. }));
    let silent = json!({"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    assert_eq!(choice(json!({"message": silent})).parts, [call("c", "f", "{}")]);
    let object = choice(json!({"message": {"content": {"title": "Apples", "of": [1, 2]}}, "finish_reason": "stop"}));
    assert_eq!(object.parts, [Part::text(r#"{"title":"Apples","of":[1,2]}"#)]);
    let filtered = choice(json!({"content_filter_results": {"hate": {"filtered": true}}, "finish_reason": "content_filter"}));
    assert_eq!((filtered.parts.len(), filtered.finish), (0, Finish::ContentFilter));
    let two = json!({"choices": [
        {"index": 1, "message": {"content": "b"}},
        {"index": 0, "message": {"content": "a"}},
    ]});
    let texts: Vec<_> = decoded(&two.to_string()).choices.into_iter().map(|choice| choice.parts).collect();
    assert_eq!(texts, [[Part::text("a")], [Part::text("b")]]);
    assert_eq!(decoded(r#"{"choices":[]}"#).model, "target-model");
}

#[test]
fn what_is_no_answer_is_a_fault() {
    for (body, class) in [
        ("", FaultClass::Malformed),
        ("<html>", FaultClass::Malformed),
        ("[]", FaultClass::Malformed),
        ("{}", FaultClass::Malformed),
        (r#"{"choices":{}}"#, FaultClass::Malformed),
        (r#"{"choices":[{}]}"#, FaultClass::Malformed),
        (r#"{"choices":[{"message":"Hi.","finish_reason":"stop"}]}"#, FaultClass::Malformed),
        (r#"{"choices":[{"message":{"content":7}}]}"#, FaultClass::Malformed),
        (r#"{"choices":[{"message":{"tool_calls":[{"function":{}}]}}]}"#, FaultClass::Malformed),
        (r#"{"error":{"message":"Provider returned error","code":502}}"#, FaultClass::Server),
        (r#"{"error":{"message":"slow down","code":429}}"#, FaultClass::RateLimited),
        (r#"{"object":"error","message":"maximum context length is 5","code":400}"#, FaultClass::ContextWindow),
        (r#"{"error":"something"}"#, FaultClass::Server),
        (
            r#"{"choices":[{"message":{"content":"ha"},"finish_reason":"error","error":{"code":429,"message":"slow"}}]}"#,
            FaultClass::RateLimited,
        ),
        (r#"{"choices":[{"message":{"content":"ha"},"finish_reason":"error"}]}"#, FaultClass::Server),
    ] {
        let fault = PLAIN.decode(&at(UNKNOWN), body.as_bytes()).unwrap_err();
        assert_eq!(fault.class, class, "{body}: {fault}");
    }
}
