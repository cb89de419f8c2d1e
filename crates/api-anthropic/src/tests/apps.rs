use futures::{StreamExt, executor::block_on};
use mainspring_chains::{Alternative, Answer, AnswerEvent, AnswerStream, ChainFault, Outcome, Question};
use mainspring_llm::{
    FinishReason, Told, TraceId, Usage,
    chat::{ResponseFormat, Speaker},
    exchange::Event,
};
use mainspring_providers::anthropic;
use serde_json::{Value, json};

use crate::{
    apps::{events, message},
    question::question,
};

fn asked(extra: Value) -> Result<Question, Value> {
    let mut body = json!({"model": "manual", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    let call = anthropic::read(body.to_string().as_bytes()).unwrap();
    question(call, "manual".parse().unwrap()).map_err(|error| error.body())
}

#[test]
fn settings_reach_the_chain() {
    let question = asked(json!({
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "c"}]},
            {"role": "user", "content": "d"},
        ],
        "temperature": 0.5,
        "stop_sequences": ["x", ""],
        "metadata": {"user_id": "ann"},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "mainspring": {"parameters": {"tone": "dry"}, "session": "s"},
    }))
    .unwrap();
    let said: Vec<(Speaker, &str)> = question.messages.iter().map(|message| (message.role, message.content.as_str())).collect();
    assert_eq!(said, [(Speaker::System, "Be brief."), (Speaker::User, "a\nb"), (Speaker::Assistant, "c"), (Speaker::User, "d")]);
    let settings = &question.overrides.settings;
    assert_eq!(
        (settings.max_tokens, settings.temperature, settings.stop.as_slice()),
        (Some(9), Some(0.5), ["x".to_owned()].as_slice())
    );
    assert_eq!(question.overrides.format(), ResponseFormat::JsonSchema(json!({"type": "object"})));
    assert_eq!((question.user.as_deref(), question.session.as_deref()), (Some("ann"), Some("s")));
    assert_eq!(question.parameters["tone"], json!("dry"));
}

#[test]
fn what_an_app_cannot_honour_is_refused_by_name() {
    let tool = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let image =
        json!([{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}]}]);
    let result = json!([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]);
    for (extra, named, code) in [
        (json!({"tools": tool}), "tools", "anthropic-unsupported-parameter"),
        (json!({"top_k": 5}), "top_k", "anthropic-unsupported-parameter"),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), "thinking", "anthropic-unsupported-parameter"),
        (json!({"thinking": {"type": "adaptive"}}), "thinking", "anthropic-unsupported-parameter"),
        (json!({"output_config": {"effort": "low"}}), "output_config", "anthropic-unsupported-parameter"),
        (json!({"messages": image}), "messages[0].content", "anthropic-unsupported-parameter"),
        (json!({"messages": result}), "messages[0].content", "anthropic-unsupported-parameter"),
        (json!({"temperature": 1.5}), "temperature", "anthropic-invalid-parameter"),
        (json!({"top_p": -1}), "top_p", "anthropic-invalid-parameter"),
        (json!({"max_tokens": 0}), "max_tokens", "anthropic-invalid-parameter"),
        (json!({"temprature": 0}), "temprature", "anthropic-invalid-parameter"),
        (json!({"mainspring": 5}), "mainspring", "anthropic-invalid-parameter"),
        (json!({"mainspring": {"parameters": []}}), "mainspring.parameters", "anthropic-invalid-parameter"),
    ] {
        let error = asked(extra.clone()).unwrap_err();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{named}: ")), "{extra}: {message}");
        assert_eq!(error["error"]["code"], json!(code), "{extra}");
    }
    let nearly = asked(json!({"temprature": 0})).unwrap_err();
    assert!(nearly["error"]["message"].as_str().unwrap().contains("`temperature`"), "{nearly}");
}

#[test]
fn what_changes_no_answer_is_accepted() {
    let tool = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    for harmless in [
        json!({"service_tier": "auto", "metadata": {}, "cache_control": {"type": "ephemeral"}, "inference_geo": "eu"}),
        json!({"tools": [], "tool_choice": {"type": "auto"}, "thinking": {"type": "disabled"}, "top_k": null, "new_field": null}),
        json!({"tools": tool, "tool_choice": {"type": "none"}}),
    ] {
        assert!(asked(harmless.clone()).is_ok(), "{harmless}");
    }
}

fn outcome() -> Outcome {
    serde_json::from_value(json!({
        "trace_id": TraceId::random().to_string(), "target": "manual", "versions": [], "tables": [], "abstained": false,
        "sources": [], "citations": [], "unsupported": [], "invented_citations": [], "dropped_sources": 0, "timings": [],
    }))
    .unwrap()
}

const USAGE: Usage = Usage { input_tokens: 30, output_tokens: 2, cached_tokens: 10 };

fn streamed(last: Vec<Result<AnswerEvent, ChainFault>>) -> Vec<(Option<&'static str>, Value)> {
    let first = [
        AnswerEvent::Sources { sources: Vec::new(), abstains: false },
        AnswerEvent::Text { index: 0, text: "Port ".to_owned(), logprobs: Vec::new() },
        AnswerEvent::Text { index: 0, text: "7400.".to_owned(), logprobs: Vec::new() },
    ];
    let stream: AnswerStream = futures::stream::iter(first.map(Ok).into_iter().chain(last)).boxed();
    let began = Event::Began { id: "msg_1".to_owned(), model: "manual".to_owned() };
    let events = events(stream, began, Some("req_7".to_owned()), Told::default());
    block_on(events.map(|event| (event.event, serde_json::from_str(&event.data).unwrap())).collect())
}

#[test]
fn an_app_answers_the_same_whole_and_streamed() {
    let alternative =
        Alternative { text: "Port 7400.".to_owned(), finish: FinishReason::Length, logprobs: Vec::new(), outcome: outcome() };
    let whole = message(Answer { alternatives: vec![alternative], usage: USAGE }, "msg_1".to_owned(), "manual".to_owned(), None);
    assert_eq!((&whole["id"], &whole["model"], &whole["stop_reason"]), (&json!("msg_1"), &json!("manual"), &json!("max_tokens")));
    assert_eq!((&whole["usage"]["input_tokens"], &whole["usage"]["cache_read_input_tokens"]), (&json!(20), &json!(10)));
    assert_eq!(whole["mainspring"]["target"], json!("manual"));
    let stream = streamed(vec![
        Ok(AnswerEvent::Finished { index: 0, finish: FinishReason::Length }),
        Ok(AnswerEvent::Done { usage: USAGE, outcomes: vec![outcome()] }),
    ]);
    let names: Vec<&str> = stream.iter().filter_map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let text: String = stream.iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect();
    assert_eq!(json!(text), whole["content"][0]["text"]);
    let (_, delta) = &stream[5];
    assert_eq!(delta["delta"]["stop_reason"], whole["stop_reason"]);
    assert_eq!(delta["usage"], whole["usage"]);
    assert_eq!(delta["mainspring"]["target"], json!("manual"));
}

#[test]
fn an_app_that_breaks_off_says_so_and_nothing_more() {
    let stream = streamed(vec![Err(ChainFault::NoQuestion), Ok(AnswerEvent::Finished { index: 0, finish: FinishReason::Stop })]);
    let (name, error) = stream.last().unwrap();
    assert_eq!(
        (*name, &error["error"]["code"], &error["request_id"]),
        (Some("error"), &json!("chain-no-question"), &json!("req_7"))
    );
    assert!(stream.iter().all(|(name, _)| *name != Some("message_stop")));
}
