//! From a client's chat to its answer, through everything between.

use mainspring_llm::End;
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, Used, When};
use serde_json::{Value, json};

use super::surface::{LOCAL, Sent, Surface};

pub(super) fn upstream(behaviour: Behaviour) -> Upstream {
    Upstream::start(Script::always(behaviour)).unwrap()
}

/// The surface with one route, `chat`, to a model of the upstream that speaks this dialect.
pub(super) async fn routed(kind: &str, upstream: &Upstream) -> Surface {
    let surface = Surface::open().await;
    let base = if kind == "anthropic" { upstream.url() } else { format!("{}/v1", upstream.url()) };
    let targets = json!([{"provider": "main", "model": "big"}]);
    surface
        .apply(&[
            ("provider", "main", json!({"type": kind, "base_url": base, "models": ["big", "small"]})),
            ("route", "chat", json!({"models": ["gpt-*"], "targets": targets, "retry": {"attempts": 0}})),
        ])
        .await;
    surface
}

pub(super) fn hello(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello."}]})
}

pub(super) fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn streamed(body: Value) -> Value {
    with(body, &json!({"stream": true}))
}

fn text_of(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

fn content(sent: &Sent) -> Value {
    sent.json()["choices"][0]["message"]["content"].clone()
}

#[tokio::test]
async fn to_a_provider_of_this_dialect_all_goes_as_it_came() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("openai", &server).await;
    let body = r#"{ "model":"chat","novel":{"deep":[1e2]},  "messages":[{"role":"user","content":"\u00e9"}] }"#;
    let given = [
        ("authorization", "Bearer msk_secret"),
        ("openai-beta", "assistants=v2"),
        ("x-stainless-lang", "python"),
        ("user-agent", "OpenAI/Python"),
    ];
    let sent = surface.send("/v1/chat/completions", &given, body).await;
    assert_eq!((sent.status, content(&sent)), (200, json!("Hi there.")), "{}", sent.text);
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!((sent.header("x-mainspring-provider"), sent.header("x-mainspring-model")), (Some("main"), Some("big")));
    assert_eq!((sent.header("x-mainspring-attempts"), sent.header("x-mainspring-cache")), (Some("1"), Some("off")));
    assert!(sent.header("x-mainspring-trace-id").is_some_and(|id| id.len() == 32));
    assert_eq!((sent.header("x-mainspring-cost"), sent.header("x-mainspring-price")), (None, Some("unknown")));
    assert_eq!((sent.header("x-mainspring-usage"), sent.header("x-mainspring-lost")), (Some("reported"), None));
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].path.as_str()), (1, "/v1/chat/completions"));
    assert_eq!(String::from_utf8_lossy(&seen[0].body), body.replace("\"chat\"", "\"big\""));
    assert_eq!((seen[0].header("openai-beta"), seen[0].header("x-stainless-lang")), (Some("assistants=v2"), None));
    assert!(!format!("{:?}", seen[0].headers).contains("msk_secret"), "{:?}", seen[0].headers);
}

#[tokio::test]
async fn an_answer_that_is_none_names_its_trace_and_who_was_asked() {
    let server = upstream(Behaviour::status(503));
    let surface = routed("openai", &server).await;
    surface
        .apply(&[
            (
                "prompt",
                "plain",
                json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": "{{ question }}"}]}),
            ),
            ("chain", "through", json!({"steps": [{"prompt": {"use": "plain"}}, {"model": {"name": "chat"}}]})),
            ("app", "through", json!({"chain": "through"})),
        ])
        .await;
    for body in [hello("chat"), streamed(hello("chat")), hello("through"), streamed(hello("through"))] {
        let sent = surface.ask(&body).await;
        assert_eq!(sent.status, 503, "{body}: {}", sent.text);
        assert!(sent.header("x-mainspring-trace-id").is_some_and(|id| id.len() == 32), "{body}: {:?}", sent.headers);
        assert_eq!(
            (sent.header("x-mainspring-provider"), sent.header("x-mainspring-attempts")),
            (Some("main"), Some("1")),
            "{body}"
        );
    }
    // A model of this process refuses what is too long for it.
    let long = json!({"model": "plain", "messages": [{"role": "user", "content": "long ".repeat(400)}]});
    let sent = surface.ask(&long).await;
    assert_eq!(sent.status, 400, "{}", sent.text);
    assert!(sent.header("x-mainspring-trace-id").is_some_and(|id| id.len() == 32), "{:?}", sent.headers);
}

#[tokio::test]
async fn a_stream_comes_back_as_it_was_sent_and_says_what_it_used_only_when_asked() {
    for kind in ["openai", "anthropic"] {
        let used = Used { input: 100, output: 7, cache_read: 60, cache_write: 0, reasoning: 0 };
        let server = upstream(Behaviour { usage: Some(used), ..Behaviour::saying("Grüße aus Köln.") });
        let surface = routed(kind, &server).await;
        let quiet = surface.ask(&streamed(hello("chat"))).await;
        assert_eq!((quiet.status, quiet.header("content-type")), (200, Some("text/event-stream; charset=utf-8")));
        assert_eq!(text_of(&quiet.chunks()), "Grüße aus Köln.", "{kind}");
        assert!(!quiet.text.contains("prompt_tokens"), "{kind}: {}", quiet.text);
        let told = surface.ask(&with(streamed(hello("chat")), &json!({"stream_options": {"include_usage": true}}))).await;
        let chunks = told.chunks();
        let (last, chunks) = chunks.split_last().unwrap();
        assert_eq!(text_of(chunks), "Grüße aus Köln.", "{kind}");
        assert_eq!(last["choices"], json!([]), "{kind}: {last}");
        let usage = &last["usage"];
        let numbers = [&usage["prompt_tokens"], &usage["completion_tokens"], &usage["prompt_tokens_details"]["cached_tokens"]];
        assert_eq!(numbers, [&json!(100), &json!(7), &json!(60)], "{kind}: {last}");
    }
}

#[tokio::test]
async fn a_field_that_nobody_knows_refuses_no_call_and_is_named() {
    for kind in ["anthropic", "gemini"] {
        let server = upstream(Behaviour::saying("Hi there."));
        let surface = routed(kind, &server).await;
        let text = json!([{"type": "text", "text": "Hello.", "novel": 1}]);
        let body = json!({"model": "chat", "messages": [{"role": "user", "content": text, "größe": 1}]});
        let sent = surface.ask(&body).await;
        assert_eq!((sent.status, content(&sent)), (200, json!("Hi there.")), "{kind}: {}", sent.text);
        let named = Some("messages[0].gr\\u{f6}\\u{df}e, messages[0].content[0].novel");
        assert_eq!(sent.header("x-mainspring-lost"), named, "{kind}");
    }
}

#[tokio::test]
async fn a_message_of_anthropics_becomes_a_completion() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("anthropic", &server).await;
    let sent = surface.ask(&with(hello("chat"), &json!({"logit_bias": {"5": 1}, "store": true}))).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let answer = sent.json();
    assert_eq!((&answer["object"], &answer["model"]), (&json!("chat.completion"), &json!("chat")));
    assert_eq!((content(&sent), &answer["choices"][0]["finish_reason"]), (json!("Hi there."), &json!("stop")));
    assert_eq!(answer["created"], json!(1_700_000_000));
    assert!(sent.header("x-mainspring-lost").is_some_and(|lost| lost.contains("logit_bias")), "{:?}", sent.headers);
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), &seen[0].json()["model"]), ("/v1/messages", &json!("big")));
}

#[tokio::test]
async fn tools_are_called_whole_and_streamed_whoever_answers() {
    let arguments = r#"{"city":"Köln"}"#;
    let tools = json!({"tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]});
    for kind in ["openai", "anthropic"] {
        let tool = Some(("weather".to_owned(), arguments.to_owned()));
        let server = upstream(Behaviour { tool, ..Behaviour::default() });
        let surface = routed(kind, &server).await;
        let body = with(hello("chat"), &tools);
        let whole = surface.ask(&body).await.json();
        let choice = &whole["choices"][0];
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!((&call["function"]["name"], &choice["finish_reason"]), (&json!("weather"), &json!("tool_calls")), "{kind}");
        let written: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(written, json!({"city": "Köln"}), "{kind}");
        let chunks = surface.ask(&streamed(body)).await.chunks();
        let calls: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
        assert_eq!((&calls[0]["function"]["name"], &calls[0]["index"]), (&json!("weather"), &json!(0)), "{kind}");
        let joined: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), json!({"city": "Köln"}), "{kind}");
        // What the model asked for and what came of it go back.
        let again = json!({"messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "rain"},
        ]});
        assert_eq!(surface.ask(&with(with(hello("chat"), &tools), &again)).await.status, 200, "{kind}");
        let last = server.seen().last().unwrap().json();
        assert_eq!(last["messages"].as_array().unwrap().len(), 3, "{kind}: {last}");
        assert!(last["messages"][2].to_string().contains("rain"), "{kind}: {last}");
    }
}

/// As it was before there were tools.
#[tokio::test]
async fn a_client_that_has_functions_is_answered_with_a_function() {
    let tool = Some(("weather".to_owned(), r#"{"city":"Bonn"}"#.to_owned()));
    let server = upstream(Behaviour { tool, ..Behaviour::default() });
    let surface = routed("anthropic", &server).await;
    let functions = json!({"functions": [{"name": "weather", "parameters": {"type": "object"}}], "function_call": "auto"});
    let body = with(hello("chat"), &functions);
    let choice = surface.ask(&body).await.json()["choices"][0].clone();
    let call = &choice["message"]["function_call"];
    assert_eq!((&call["name"], &choice["finish_reason"]), (&json!("weather"), &json!("function_call")), "{choice}");
    let chunks = surface.ask(&streamed(body.clone())).await.chunks();
    let called = |name: &str| -> String {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["function_call"][name].as_str()).collect()
    };
    assert_eq!((called("name").as_str(), called("arguments").contains("Bonn")), ("weather", true), "{chunks:?}");
    let again = json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null, "function_call": call},
        {"role": "function", "name": "weather", "content": "rain"},
    ]});
    assert_eq!(surface.ask(&with(body, &again)).await.status, 200);
    let last = server.seen().last().unwrap().json();
    let messages = last["messages"].to_string();
    assert!(messages.contains("tool_use") && messages.contains("rain"), "{last}");
    assert_eq!(last["tools"][0]["name"], "weather", "{last}");
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_in_openais_shape() {
    for kind in ["openai", "anthropic"] {
        for (status, word, sent_status) in [
            (400, "invalid_request_error", 400),
            (404, "not_found_error", 404),
            (401, "server_error", 503),
            (429, "rate_limit_error", 429),
            (500, "server_error", 503),
        ] {
            let server = upstream(Behaviour::status(status).header("retry-after", "7"));
            let surface = routed(kind, &server).await;
            let sent = surface.ask(&streamed(hello("chat"))).await;
            let error = sent.json()["error"].clone();
            assert!(
                error["message"].is_string() && error.get("code").is_some() && error.get("param").is_some(),
                "{kind}: {error}"
            );
            // A provider of this dialect is heard in its own words, but for what is between it and us.
            if kind == "openai" && status != 401 {
                assert_eq!((sent.status, &error["message"]), (status, &json!("the script says so")), "{kind} {status}");
            } else {
                assert_eq!((sent.status, &error["type"]), (sent_status, &json!(word)), "{kind} {status} {error}");
            }
            if status == 429 {
                assert_eq!(sent.header("retry-after"), Some("7"), "{kind}");
            }
            if status == 404 {
                assert_eq!(error["code"], json!("model_not_found"), "{kind}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_says_so_in_its_last_event() {
    for kind in ["openai", "anthropic"] {
        for trouble in [Trouble::Error(2), Trouble::End(2)] {
            let text = Some("a b c d e f g h".to_owned());
            let server = upstream(Behaviour { text, ..Behaviour::trouble(trouble) });
            let surface = routed(kind, &server).await;
            let sent = surface.ask(&streamed(hello("chat"))).await;
            let data = sent.data();
            let last: Value = serde_json::from_str(data.last().unwrap()).unwrap();
            assert!(
                last["error"]["message"].is_string() && last["error"]["type"].is_string(),
                "{kind} {trouble:?}: {}",
                sent.text
            );
            assert!(!data.contains(&"[DONE]".to_owned()), "{kind} {trouble:?}");
            assert!(
                matches!(sent.ended, Some(End::Broken(code)) if code.starts_with("upstream-")),
                "{kind} {trouble:?}: {:?}",
                sent.ended
            );
        }
    }
}

#[tokio::test]
async fn who_answers_a_name_is_an_app_or_a_prompt_then_a_route_then_a_model_of_this_process() {
    let server = upstream(Behaviour::saying("routed"));
    let surface = routed("openai", &server).await;
    let target = json!({"targets": [{"provider": "main", "model": "big"}]});
    let echo = json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": "Repeat: {{ question }}"}]});
    surface.apply(&[("prompt", "echo", echo), ("route", "echo", target.clone())]).await;
    for (model, answer) in [
        ("echo", "Repeat: Hello.!"),
        ("prompt/echo", "Repeat: Hello.!"),
        ("echo@v1", "Repeat: Hello.!"),
        ("chat", "routed"),
        ("gpt-5", "routed"),
        ("main/small", "routed"),
        (LOCAL, "Hello.!"),
        ("model/parrot", "Hello.!"),
    ] {
        let sent = surface.ask(&hello(model)).await;
        assert_eq!((sent.status, content(&sent)), (200, json!(answer)), "{model}: {}", sent.text);
        let provider = if answer == "routed" { "main" } else { "local" };
        assert_eq!(sent.header("x-mainspring-provider"), Some(provider), "{model}");
    }
    // A pattern takes what is left: it hides nobody.
    surface.apply(&[("route", "rest", with(target.clone(), &json!({"models": ["*"]})))]).await;
    for (model, answer) in
        [("echo", "Repeat: Hello.!"), (LOCAL, "Hello.!"), ("main/small", "routed"), ("nobody-has-this", "routed")]
    {
        assert_eq!(content(&surface.ask(&hello(model)).await), json!(answer), "{model}");
    }
    surface.apply(&[("route", LOCAL, target)]).await;
    // A route of the project comes before a model of this process, also where it is said that a model is meant.
    for model in [LOCAL, "model/parrot"] {
        assert_eq!(content(&surface.ask(&hello(model)).await), json!("routed"), "{model}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_not_found_and_the_nearest_is_told() {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await;
    for (model, nearest) in [
        ("chatt", Some("`chat`")),
        ("main/bigg", Some("`main/big`")),
        ("nobody-has-this", None),
        ("app/nobody", None),
        ("no/body/at all", None),
    ] {
        let sent = surface.ask(&hello(model)).await;
        let error = sent.json()["error"].clone();
        assert_eq!((sent.status, &error["code"]), (404, &json!("model_not_found")), "{model}: {error}");
        if let Some(nearest) = nearest {
            assert!(error["message"].as_str().unwrap().contains(nearest), "{model}: {error}");
        }
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_before_anyone_is_asked() {
    let server = upstream(Behaviour::default());
    let surface = routed("anthropic", &server).await;
    for (body, code, param) in [
        ("{", "body-not-json", Value::Null),
        (r#"{"model":"chat","model":"chat","messages":[]}"#, "body-duplicate-field", Value::Null),
        (
            r#"{"model":"chat","messages":[{"role":"robot","content":"x"}]}"#,
            "openai-invalid-parameter",
            json!("messages[0].role"),
        ),
        (r#"{"model":"chat","messages":7}"#, "openai-invalid-parameter", json!("messages")),
    ] {
        let sent = surface.send("/v1/chat/completions", &[], body).await;
        let error = sent.json()["error"].clone();
        assert_eq!((sent.status, &error["code"], &error["param"]), (400, &json!(code), &param), "{body}: {error}");
    }
    assert_eq!(server.count(), 0);
}

/// Two routes to the same model, of which one has little patience, and one to where nobody listens.
async fn troubled(kind: &str, upstream: &Upstream) -> Surface {
    let surface = routed(kind, upstream).await;
    let to = |provider: &str, timeouts: Value| json!({"targets": [{"provider": provider, "model": "big"}], "retry": {"attempts": 0}, "timeouts": timeouts});
    let nobody = mainspring_testservers::upstream::nobody().unwrap();
    surface
        .apply(&[
            ("provider", "nobody", json!({"type": kind, "base_url": nobody})),
            ("route", "hasty", to("main", json!({"first": "150ms", "whole": "150ms", "idle": "150ms"}))),
            ("route", "nowhere", to("nobody", json!({}))),
        ])
        .await;
    surface
}

#[tokio::test]
async fn every_trouble_of_a_provider_is_told_with_its_own_code() {
    for kind in ["openai", "anthropic"] {
        for (model, behaviour, status, code) in [
            ("hasty", Behaviour::trouble(Trouble::Hang(When::BeforeHead)), 504, "upstream-timeout"),
            ("hasty", Behaviour::trouble(Trouble::Hang(When::After(0))), 504, "upstream-timeout"),
            ("chat", Behaviour::trouble(Trouble::Reset(When::BeforeHead)), 503, "upstream-reset"),
            ("chat", Behaviour::trouble(Trouble::NotJson), 503, "upstream-malformed"),
            ("chat", Behaviour::trouble(Trouble::Malformed(0)), 503, "upstream-malformed"),
            ("chat", Behaviour::status(401), 503, "upstream-auth"),
            ("nowhere", Behaviour::default(), 503, "upstream-connect"),
        ] {
            let server = upstream(behaviour.clone());
            let surface = troubled(kind, &server).await;
            for body in [hello(model), streamed(hello(model))] {
                let sent = surface.ask(&body).await;
                let error = sent.json()["error"].clone();
                assert_eq!((sent.status, &error["code"]), (status, &json!(code)), "{kind} {model} {behaviour:?}: {error}");
                assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
                assert_eq!(sent.header("content-type"), Some("application/json"), "no stream has begun");
            }
        }
    }
}
