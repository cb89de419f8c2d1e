mod batches;
mod codex;
mod codex_exec;
mod costing;
mod inputs;
mod kept;
mod local;
mod models;
mod responses;
mod scoped;
mod surface;
mod walks;
mod wished;

use futures::{StreamExt, executor::block_on};
use mainspring_chains::{Alternative, AnswerEvent, AnswerStream, Outcome, citations::Unsupported};
use mainspring_kernel::{FrozenClock, Timestamp};
use mainspring_llm::{
    End, FinishReason, Told, TraceId, Usage,
    chat::{ResponseFormat, Speaker, TokenLogprob},
};
use mainspring_web_kit::{SseEvent, parse_body};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    answer::Envelope,
    chat::events,
    completions::{Asked, CompletionBody},
    error::{Answer, OpenAiError},
    pieces::{self, Piece},
    request::ChatBody,
};

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
        "response_format": {"type": "json_object"}, "logprobs": true, "top_logprobs": 2, "user": "u"})))
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
    refused(json!({"web_search_options": {}}), "web_search_options");
    refused(json!({"audio": {"voice": "alloy", "format": "wav"}}), "audio");
    refused(json!({"top_k": 40}), "top_k");
    refused(json!({"min_p": 0.1}), "min_p");
    refused(json!({"repetition_penalty": 1.2}), "repetition_penalty");
    refused(json!({"reasoning_effort": "low"}), "reasoning_effort");
    refused(json!({"verbosity": "low"}), "verbosity");
    refused(json!({"tool_choice": "required"}), "tool_choice");
    refused(json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), "tool_choice");
    refused(json!({"tools": [{"type": "function"}], "parallel_tool_calls": false}), "tools");
    refused(json!({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]}), "messages.function_call");
    refused(json!({"temprature": 0}), "temprature");
    refused(json!({"some_future_field": 1}), "some_future_field");
}

#[test]
fn a_name_that_nothing_reads_is_answered_with_the_nearest() {
    let error = read(with(json!({"temprature": 0}))).unwrap_err();
    assert!(error["error"]["message"].as_str().unwrap().contains("`temperature`"), "{error}");
    assert_eq!(error["error"]["code"], json!("openai-invalid-parameter"));
}

#[test]
fn what_changes_no_answer_is_accepted() {
    for harmless in [
        json!({"store": true, "metadata": {"a": "b"}, "service_tier": "flex", "safety_identifier": "x"}),
        json!({"prompt_cache_key": "x", "prompt_cache_retention": "24h", "parallel_tool_calls": true}),
        json!({"prediction": {"type": "content", "content": "x"}}),
        json!({"tools": [], "tool_choice": "auto", "function_call": "none", "logit_bias": {}, "modalities": ["text"]}),
        json!({"reasoning_effort": "none", "verbosity": "medium", "top_k": 0, "min_p": 0, "repetition_penalty": 1.0}),
        json!({"audio": null, "web_search_options": null, "reasoning_effort": null, "some_future_field": null, "seed": null}),
        json!({"stream_options": {"include_usage": true, "include_obfuscation": false}}),
    ] {
        assert!(read(with(harmless.clone())).is_ok(), "{harmless}");
    }
}

fn completion(extra: Value) -> Result<Asked, Value> {
    let mut body = json!({"model": "m", "prompt": "x"});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    let body: CompletionBody = serde_json::from_value(body).map_err(|error| json!(error.to_string()))?;
    body.asked().map_err(|error| error.body())
}

#[test]
fn a_completion_is_read_or_refused_by_name() {
    let asked = completion(json!({"prompt": ["a", "b"], "n": 2, "echo": true, "max_tokens": 3, "best_of": 2})).unwrap();
    assert_eq!((asked.prompts.as_slice(), asked.n, asked.echo), (["a".to_owned(), "b".to_owned()].as_slice(), 2, true));
    assert_eq!(completion(json!({})).unwrap().request.max_tokens, Some(16));
    assert_eq!(completion(json!({"logprobs": 2})).unwrap().request.logprobs, Some(2));
    for (body, param) in [
        (json!({"suffix": "x"}), "suffix"),
        (json!({"best_of": 2}), "best_of"),
        (json!({"logprobs": 6}), "logprobs"),
        (json!({"echo": true, "logprobs": 1}), "echo"),
        (json!({"prompt": [1, 2]}), "prompt"),
        (json!({"prompt": []}), "prompt"),
        (json!({"top_k": 5}), "top_k"),
        (json!({"response_format": {"type": "json_object"}}), "response_format"),
        (json!({"promt": "x"}), "promt"),
    ] {
        let error = completion(body).unwrap_err();
        assert_eq!(error["error"]["param"], json!(param), "{error}");
    }
}

fn envelope() -> Envelope {
    Envelope::new("x", "m", &FrozenClock::at(Timestamp::from_micros(0)))
}

/// The events of a stream as JSON, without the one that ends it.
fn read_events(events: impl futures::Stream<Item = SseEvent> + Send) -> Vec<Value> {
    let mut data: Vec<String> = block_on(events.map(|event| event.data.clone()).collect());
    assert_eq!(data.pop().as_deref(), Some("[DONE]"));
    data.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

fn outcome(abstained: bool) -> Outcome {
    serde_json::from_value(json!({
        "trace_id": TraceId::random().to_string(), "target": "m", "versions": [], "tables": [], "abstained": abstained,
        "sources": [], "citations": [], "unsupported": [], "invented_citations": [], "dropped_sources": 0, "timings": [],
    }))
    .unwrap()
}

fn abstaining() -> AnswerStream {
    let events = [
        AnswerEvent::Sources { sources: Vec::new(), abstains: true },
        AnswerEvent::Text { index: 0, text: "Not here.".into(), logprobs: Vec::new() },
        AnswerEvent::Finished { index: 0, finish: FinishReason::Stop },
        AnswerEvent::Done { usage: Usage::default(), outcomes: vec![outcome(true)] },
    ];
    futures::stream::iter(events.map(Ok)).boxed()
}

#[test]
fn an_app_that_abstains_under_a_json_format_streams_a_refusal() {
    let joined = |refuse: bool, field: &str| -> String {
        let chunks = read_events(events(abstaining(), envelope(), false, refuse, Told::default()));
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][field].as_str()).collect()
    };
    assert_eq!((joined(true, "refusal").as_str(), joined(true, "content").as_str()), ("Not here.", ""));
    assert_eq!((joined(false, "refusal").as_str(), joined(false, "content").as_str()), ("", "Not here."));
}

#[test]
fn each_of_several_answers_tells_what_carries_it_whole_and_streamed() {
    let of = |guess: &str| {
        let unsupported = vec![Unsupported { start: 0, end: guess.len(), text: guess.to_owned() }];
        Outcome { unsupported, ..outcome(false) }
    };
    let outcomes = vec![of("It is red."), of("It is blue.")];
    let alternative = |outcome: &Outcome| Alternative {
        text: outcome.unsupported[0].text.clone(),
        finish: FinishReason::Stop,
        logprobs: Vec::new(),
        outcome: outcome.clone(),
    };
    let alternatives: Vec<Alternative> = outcomes.iter().map(alternative).collect();
    let whole = envelope().completion(&alternatives, Usage::default(), false, None);
    assert_eq!(whole["mainspring"], whole["choices"][0]["mainspring"]);
    assert_eq!(whole["choices"][1]["mainspring"]["unsupported"][0]["text"], json!("It is blue."));
    let one = envelope().completion(&alternatives[..1], Usage::default(), false, None);
    assert_eq!((one["choices"][0].get("mainspring"), &one["mainspring"]), (None, &whole["mainspring"]));

    let text = |index: usize| AnswerEvent::Text { index, text: alternatives[index].text.clone(), logprobs: Vec::new() };
    let finished = |index| AnswerEvent::Finished { index, finish: FinishReason::Stop };
    let sources = AnswerEvent::Sources { sources: Vec::new(), abstains: false };
    let done = AnswerEvent::Done { usage: Usage::default(), outcomes };
    let stream = [sources, text(0), text(1), finished(0), finished(1), done];
    let chunks = read_events(events(futures::stream::iter(stream.map(Ok)).boxed(), envelope(), false, false, Told::default()));
    for (index, choice) in whole["choices"].as_array().unwrap().iter().enumerate() {
        let last = chunks.iter().rfind(|chunk| chunk["choices"][0]["index"] == json!(index)).unwrap();
        assert_eq!((&last["choices"][0]["finish_reason"], &last["mainspring"]), (&json!("stop"), &choice["mainspring"]));
        assert_eq!(last["choices"][0]["delta"]["annotations"], choice["message"]["annotations"]);
    }
}

/// Two choices of two tokens each, and what they used.
fn two_choices() -> Vec<Answer<Piece>> {
    let token = |text: &str| TokenLogprob { token: text.into(), logprob: -1.0, top: Vec::new() };
    let text = |index, text: &str| Ok(Piece::Text { index, text: text.into(), logprobs: vec![token(text)] });
    let end = |index| Ok(Piece::Finished { index, finish: FinishReason::Length, known: json!({"trace_id": index}) });
    let used = || Ok(Piece::Used(Usage { input_tokens: 3, output_tokens: 2, cached_tokens: 1 }));
    let choice = |index| [Ok(Piece::Begun), text(index, "Ü"), text(index, "ber"), end(index), used()];
    choice(0).into_iter().chain(choice(1)).collect()
}

#[test]
fn several_completions_are_the_same_whole_and_streamed() {
    let (choices, usage) = block_on(pieces::collect(futures::stream::iter(two_choices()).boxed(), 2)).unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_tokens), (6, 4, 2));
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(
            (&choice["index"], &choice["text"], &choice["finish_reason"]),
            (&json!(index), &json!("Über"), &json!("length"))
        );
        assert_eq!(choice["logprobs"]["text_offset"], json!([0, 1]));
        assert_eq!(choice["mainspring"]["trace_id"], json!(index));
    }
    let chunks = read_events(pieces::events(futures::stream::iter(two_choices()).boxed(), envelope(), true, Told::default()));
    let (last, chunks) = chunks.split_last().unwrap();
    assert_eq!((&last["usage"]["total_tokens"], &last["choices"]), (&json!(10), &json!([])));
    for whole in &choices {
        let mine: Vec<&Value> =
            chunks.iter().map(|chunk| &chunk["choices"][0]).filter(|choice| choice["index"] == whole["index"]).collect();
        let text: String = mine.iter().filter_map(|choice| choice["text"].as_str()).collect();
        assert_eq!(json!(text), whole["text"]);
        let offsets = mine.iter().filter_map(|choice| choice["logprobs"]["text_offset"].as_array()).flatten();
        assert_eq!(offsets.cloned().collect::<Value>(), whole["logprobs"]["text_offset"]);
        assert_eq!(mine.last().unwrap()["finish_reason"], whole["finish_reason"]);
        assert_eq!(mine.last().unwrap()["mainspring"], whole["mainspring"]);
    }
}

#[test]
fn a_stream_that_breaks_off_ends_with_an_error_and_nothing_more() {
    let broken = vec![Ok(Piece::Begun), Err(OpenAiError::unsupported("x"))];
    let told = Told::default();
    let stream = pieces::events(futures::stream::iter(broken).boxed(), envelope(), true, told.clone());
    let data: Vec<String> = block_on(stream.map(|event| event.data.clone()).collect());
    assert_eq!(data.len(), 1, "{data:?}");
    assert!(data[0].contains("openai-unsupported-parameter"), "{data:?}");
    assert_eq!(told.ending().told(), Some(End::Broken("openai-unsupported-parameter")), "the log is told");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(app/|prompt/|model/)?[a-z]{1,3}(@v[0-9]{1,12})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((NAMES, inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Names at every depth of a body, and others.
const NAMES: &str = "(role|content|type|text|schema|json_schema|include_usage|parameters|session|[a-z_]{1,12})";
const TOP: &str = "(model|messages|prompt|stop|n|seed|stream|stream_options|temperature|top_p|max_tokens|logprobs|top_logprobs|echo|user\
    |response_format|tools|functions|modalities|logit_bias|mainspring|metadata|tool_choice|best_of|suffix|[a-z_]{1,12})";

/// A body that lacks nothing, with any values in the place of some of its own.
fn any_body() -> impl Strategy<Value = Value> {
    proptest::collection::vec((TOP, any_json()), 0..5).prop_map(|pairs| {
        let mut body = json!({"model": "m", "prompt": "x", "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in pairs {
            body[name] = value;
        }
        body
    })
}

/// As the server reads it: the error that a client would get.
fn received<T: serde::de::DeserializeOwned, Q>(bytes: Vec<u8>, read: fn(T) -> Answer<Q>) -> Option<Value> {
    let body = parse_body::<T>(&bytes).map_err(OpenAiError::from);
    body.and_then(read).err().map(|error| error.body())
}

fn has_openai_shape(error: Option<Value>) -> Result<(), TestCaseError> {
    if let Some(error) = error {
        let error = &error["error"];
        prop_assert_eq!(&error["type"], &json!("invalid_request_error"));
        let code = error["code"].as_str().unwrap_or_default();
        prop_assert!(!code.is_empty() && code != "internal", "{}", error);
        prop_assert!(!error["message"].as_str().unwrap_or_default().is_empty(), "{}", error);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_in_openais_shape(whole in any_json(), body in any_body()) {
        for value in [whole, body] {
            has_openai_shape(received(value.to_string().into_bytes(), ChatBody::question))?;
            has_openai_shape(received(value.to_string().into_bytes(), CompletionBody::asked))?;
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_in_openais_shape(bytes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0_usize..80) {
        let mut whole = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stop": ["a"]}).to_string().into_bytes();
        whole.truncate(cut);
        whole.extend(&bytes);
        for bytes in [bytes, whole] {
            has_openai_shape(received(bytes.clone(), ChatBody::question))?;
            has_openai_shape(received(bytes, CompletionBody::asked))?;
        }
    }

    #[test]
    fn any_model_name_is_refused_or_reads_back(name in "((app|prompt|model|chain)/)?[a-z0-9._-]{0,66}(@[a-z0-9:+]{0,12})?|\\PC{0,20}") {
        match read(with(json!({"model": name}))) {
            Ok(question) => prop_assert_eq!(question.target.to_string().parse().ok(), Some(question.target)),
            Err(error) => prop_assert_eq!(&error["error"]["param"], &json!("model")),
        }
    }
}
