use mainspring_llm::chat::{ResponseFormat, Speaker};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{request::ChatBody, traceparent};

fn read(body: Value) -> Result<mainspring_chains::Question, Value> {
    let body: ChatBody = serde_json::from_value(body).map_err(|error| json!(error.to_string()))?;
    body.question().map_err(|error| error.body())
}

fn with(extra: Value) -> Value {
    let mut body = json!({"model": "manual", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[test]
fn settings_reach_the_chain() {
    let question =
        read(with(json!({"temperature": 0, "max_completion_tokens": 9, "max_tokens": 5, "stop": "x", "seed": -1, "n": 2,
        "response_format": {"type": "json_object"}, "logprobs": true, "top_logprobs": 2, "user": "u", "some_future_field": 1})))
        .unwrap();
    let overrides = &question.overrides;
    assert_eq!(overrides.settings.max_tokens, Some(9));
    assert_eq!(overrides.settings.stop, ["x"]);
    assert_eq!(overrides.format(), ResponseFormat::Json);
    assert_eq!((overrides.logprobs, question.n, question.user.as_deref()), (Some(2), 2, Some("u")));
    assert!(overrides.settings.seed.is_some());
}

#[test]
fn parts_and_developer_messages_are_read() {
    let question = read(json!({"model": "m", "messages": [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    ]}))
    .unwrap();
    assert_eq!(question.messages[0].role, Speaker::System);
    assert_eq!(question.messages[1].content, "a\nb");
}

#[track_caller]
fn refused(extra: Value, param: &str) {
    let error = read(with(extra)).unwrap_err();
    assert_eq!(error["error"]["param"], json!(param), "{error}");
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    refused(json!({"tools": [{"type": "function"}]}), "tools");
    refused(json!({"logit_bias": {"1": 1.0}}), "logit_bias");
    refused(json!({"n": 0}), "n");
    refused(json!({"n": 99}), "n");
    refused(json!({"temperature": 2.5}), "temperature");
    refused(json!({"top_logprobs": 3}), "top_logprobs");
    refused(json!({"stop": ["a", "b", "c", "d", "e"]}), "stop");
    refused(json!({"modalities": ["audio"]}), "modalities");
    refused(json!({"messages": []}), "messages");
    refused(json!({"model": "Not a Name"}), "model");
    refused(
        json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
        "messages.content",
    );
    refused(json!({"messages": [{"role": "assistnt", "content": "x"}]}), "messages");
    refused(json!({"max_tokens": 0}), "max_tokens");
}

#[test]
fn a_trace_may_be_continued() {
    assert!(traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_some());
    assert!(traceparent("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_none());
    assert!(traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01").is_none());
    assert!(traceparent("rubbish").is_none());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("(role|content|type|text|model|messages|stop|n)", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(messages in any_json(), stop in any_json(), format in any_json()) {
        let _ = read(json!({"model": "m", "messages": messages, "stop": stop, "response_format": format}));
        let _ = traceparent(&stop.to_string());
    }
}
