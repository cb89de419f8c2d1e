//! From a client's request to its answer, through everything between.

use mainspring_gateway::ledger::Metric;
use mainspring_llm::End;
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, Used, When, nobody};
use serde_json::{Value, json};

use super::surface::{LOCAL, Surface};

const AGENT: &str = include_str!("../../../providers/fixtures/anthropic/request_agent.json");

fn upstream(script: Script) -> Upstream {
    Upstream::start(script).unwrap()
}

fn tool() -> Behaviour {
    Behaviour {
        think: Some("hm".to_owned()),
        tool: Some(("Read".to_owned(), r#"{"file_path":"/a"}"#.to_owned())),
        ..Behaviour::default()
    }
}

/// The surface with one route, `chat`, to a model of the upstream that speaks this dialect.
async fn routed(kind: &str, upstream: &Upstream) -> Surface {
    let surface = Surface::open().await;
    let base = if kind == "anthropic" { upstream.url() } else { format!("{}/v1", upstream.url()) };
    let targets = json!([{"provider": "main", "model": "big"}]);
    surface
        .apply(&[
            ("provider", "main", json!({"type": kind, "base_url": base})),
            ("route", "chat", json!({"targets": targets, "retry": {"attempts": 0}})),
        ])
        .await;
    surface
}

fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello."}]})
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

/// The agent's request to the route, without the tool that only Anthropic has.
fn agent() -> Value {
    let mut body: Value = serde_json::from_str(AGENT).unwrap();
    body["model"] = json!("chat");
    body["tools"].as_array_mut().unwrap().pop();
    body
}

fn text_of(events: &[(String, Value)]) -> String {
    events.iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect()
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "ping").collect();
    names.dedup();
    names
}

const WHOLE: [&str; 6] =
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"];

#[tokio::test]
async fn a_ping_of_the_provider_reaches_its_client_also_through_a_translation() {
    let server = upstream(Script::default());
    let surface = routed("anthropic", &server).await;
    // What only a translation can say, and what this dialect has no word for.
    let parameters = json!({"tool_choice": "auto", "seed": 3});
    let targets = json!([{"provider": "main", "model": "big", "parameters": parameters}]);
    surface.apply(&[("route", "translated", json!({"targets": targets}))]).await;
    for route in ["chat", "translated"] {
        let sent = surface.ask(&streamed(hello(route))).await;
        assert_eq!((sent.status, sent.header("x-mainspring-lost").is_some()), (200, route == "translated"), "{}", sent.text);
        let events = sent.events();
        let at = |name: &str| events.iter().position(|(known, _)| known == name).unwrap_or_else(|| panic!("{}", sent.text));
        assert!(at("message_start") < at("ping") && at("ping") < at("content_block_delta"), "{route}: {}", sent.text);
        assert_eq!(events[at("ping")].1, json!({"type": "ping"}));
    }
}

#[tokio::test]
async fn an_answer_that_is_none_names_its_trace_and_who_was_asked() {
    let server = upstream(Script::always(Behaviour::status(503)));
    for kind in ["anthropic", "openai"] {
        let surface = routed(kind, &server).await;
        for body in [hello("chat"), streamed(hello("chat"))] {
            let sent = surface.ask(&body).await;
            assert!(sent.status >= 500, "{kind}: {} {}", sent.status, sent.text);
            assert!(sent.header("x-mainspring-trace-id").is_some_and(|id| id.len() == 32), "{kind}: {:?}", sent.headers);
            assert_eq!(
                (sent.header("x-mainspring-provider"), sent.header("x-mainspring-attempts")),
                (Some("main"), Some("1")),
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn to_a_provider_of_this_dialect_all_goes_as_it_came() {
    let server = upstream(Script::always(Behaviour::saying("Hi there.")));
    let surface = routed("anthropic", &server).await;
    let body = r#"{ "model":"chat", "max_tokens" : 50,"novel":{"deep":[1e2]}, "messages":[{"role":"user","content":"\u00e9"}] }"#;
    let given = [
        ("x-api-key", "msk_secret"),
        ("anthropic-beta", "context-1m-2025-08-07"),
        ("anthropic-version", "2023-06-01"),
        ("user-agent", "claude-cli"),
    ];
    let sent = surface.send("/v1/messages?beta=true", &given, body).await;
    assert_eq!((sent.status, sent.json()["content"][0]["text"].as_str()), (200, Some("Hi there.")));
    assert_eq!((sent.header("x-mainspring-provider"), sent.header("x-mainspring-model")), (Some("main"), Some("big")));
    assert_eq!((sent.header("x-mainspring-attempts"), sent.header("x-mainspring-cache")), (Some("1"), Some("off")));
    assert!(sent.header("x-mainspring-trace-id").is_some_and(|id| id.len() == 32));
    assert_eq!((sent.header("x-mainspring-cost"), sent.header("x-mainspring-price")), (None, Some("unknown")));
    assert_eq!(sent.header("request-id"), Some("req_7"));
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].path.as_str()), (1, "/v1/messages"));
    assert_eq!(String::from_utf8_lossy(&seen[0].body), body.replace("\"chat\"", "\"big\""));
    assert_eq!(
        (seen[0].header("anthropic-beta"), seen[0].header("anthropic-version")),
        (Some("context-1m-2025-08-07"), Some("2023-06-01"))
    );
    assert!(!format!("{:?}", seen[0].headers).contains("msk_secret"), "{:?}", seen[0].headers);
}

#[tokio::test]
async fn a_stream_of_this_dialect_comes_back_as_it_was_sent() {
    let server = upstream(Script::always(Behaviour { think: Some("hm".to_owned()), ..Behaviour::saying("Grüße aus Köln.") }));
    let surface = routed("anthropic", &server).await;
    let sent = surface.ask(&streamed(hello("chat"))).await;
    assert_eq!((sent.status, sent.header("content-type")), (200, Some("text/event-stream; charset=utf-8")));
    let events = sent.events();
    assert_eq!(text_of(&events), "Grüße aus Köln.");
    let signature = events.iter().find_map(|(_, data)| data["delta"]["signature"].as_str()).unwrap();
    assert_eq!(signature, "EqQBCkYIBRgCKkBvcGFxdWUr/w==");
    assert_eq!(events.last().unwrap().0, "message_stop");
}

#[tokio::test]
async fn an_agents_request_reaches_anthropic_unchanged_and_openai_translated() {
    for kind in ["anthropic", "openai"] {
        let server = upstream(Script::always(tool()));
        let surface = routed(kind, &server).await;
        let sent = surface.ask(&agent()).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        let events = sent.events();
        let calls: Vec<&Value> =
            events.iter().map(|(_, data)| &data["content_block"]).filter(|block| block["type"] == "tool_use").collect();
        assert_eq!((calls.len(), calls[0]["name"].as_str(), &calls[0]["input"]), (1, Some("Read"), &json!({})), "{kind}");
        let arguments: String = events.iter().filter_map(|(_, data)| data["delta"]["partial_json"].as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"file_path": "/a"}), "{kind}");
        let delta = events.iter().find(|(name, _)| name == "message_delta").unwrap();
        assert_eq!(delta.1["delta"]["stop_reason"], json!("tool_use"), "{kind}");
        let asked = server.seen()[0].json();
        if kind == "anthropic" {
            let mut expected = agent();
            expected["model"] = json!("big");
            assert_eq!(asked, expected);
        } else {
            let roles: Vec<&str> =
                asked["messages"].as_array().unwrap().iter().filter_map(|message| message["role"].as_str()).collect();
            // The picture in the second result has no place in a result there, and is shown after it.
            assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "user", "user"]);
            assert!(
                sent.header("x-mainspring-lost").is_some_and(|lost| lost.contains("context_management")),
                "{:?}",
                sent.headers
            );
            assert_eq!(asked["messages"][2]["tool_calls"][0]["function"]["name"], json!("Read"));
            assert_eq!((&asked["model"], asked["tools"].as_array().unwrap().len()), (&json!("big"), 2));
            assert_eq!(asked["stream"], json!(true));
        }
    }
}

#[tokio::test]
async fn an_answer_of_openais_becomes_a_message_whole_and_streamed() {
    let used = Used { input: 100, output: 7, cache_read: 60, cache_write: 0, reasoning: 0 };
    let server = upstream(Script::always(Behaviour { usage: Some(used), ..Behaviour::saying("Hi there.") }));
    let surface = routed("openai", &server).await;
    let mut body = hello("chat");
    body["inference_geo"] = json!("eu");
    let whole = surface.ask(&body).await;
    let message = whole.json();
    assert_eq!((&message["type"], &message["content"]), (&json!("message"), &json!([{"type": "text", "text": "Hi there."}])));
    assert_eq!(message["stop_reason"], json!("end_turn"));
    let usage = &message["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["cache_read_input_tokens"], &usage["output_tokens"]),
        (&json!(40), &json!(60), &json!(7))
    );
    assert_eq!(whole.header("x-mainspring-lost"), Some("inference_geo"));
    let stream = surface.ask(&streamed(body)).await.events();
    assert_eq!((names(&stream), text_of(&stream)), (WHOLE.to_vec(), "Hi there.".to_owned()));
    let end = &stream[stream.len() - 2].1;
    assert_eq!((&end["usage"]["input_tokens"], &end["usage"]["output_tokens"]), (&json!(40), &json!(7)));
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_in_anthropics_shape() {
    for kind in ["anthropic", "openai"] {
        for (status, word, sent_status) in [
            (400, "invalid_request_error", 400),
            (429, "rate_limit_error", 429),
            (529, "overloaded_error", 529),
            (500, "api_error", 503),
        ] {
            let server = upstream(Script::always(Behaviour::status(status).header("retry-after", "7")));
            let surface = routed(kind, &server).await;
            let sent = surface.ask(&streamed(hello("chat"))).await;
            let error = sent.json();
            let own = kind == "anthropic" && status == 500;
            assert_eq!(
                (sent.status, &error["error"]["type"]),
                (if own { 500 } else { sent_status }, &json!(word)),
                "{kind} {status} {error}"
            );
            assert_eq!(error["type"], json!("error"));
            if status == 429 {
                assert_eq!(sent.header("retry-after"), Some("7"));
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_says_so_in_its_last_event() {
    for kind in ["anthropic", "openai"] {
        for trouble in [Trouble::Error(2), Trouble::End(2)] {
            let server =
                upstream(Script::always(Behaviour { text: Some("a b c d e f g h".to_owned()), ..Behaviour::trouble(trouble) }));
            let surface = routed(kind, &server).await;
            let sent = surface.ask(&streamed(hello("chat"))).await;
            let events: Vec<(String, Value)> = super::answers::events(&sent.text.replace("\n\n\n", "\n\n"));
            let (name, data) = events.last().unwrap();
            assert_eq!((name.as_str(), &data["type"]), ("error", &json!("error")), "{kind} {trouble:?}: {}", sent.text);
            assert!(data["error"]["type"].is_string() && data["error"]["message"].is_string(), "{data}");
            assert!(!events.iter().any(|(name, _)| name == "message_stop"));
            assert!(
                matches!(sent.ended, Some(End::Broken(code)) if code.starts_with("upstream-")),
                "{kind} {trouble:?}: {:?}",
                sent.ended
            );
        }
    }
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider() {
    let server = upstream(Script::always(Behaviour {
        usage: Some(Used { input: 42, output: 0, cache_read: 0, cache_write: 0, reasoning: 0 }),
        ..Behaviour::default()
    }));
    let surface = routed("anthropic", &server).await;
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": "Hello."}], "tools": []});
    let sent = surface.send("/v1/messages/count_tokens", &[], body.to_string()).await;
    assert_eq!((sent.status, sent.json()["input_tokens"].as_u64()), (200, Some(42)), "{}", sent.text);
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), &seen[0].json()["model"]), ("/v1/messages/count_tokens", &json!("big")));
}

#[tokio::test]
async fn tokens_are_counted_here_where_the_provider_does_not_and_said_to_be() {
    let server = upstream(Script::default());
    let surface = routed("openai", &server).await;
    for (model, from) in [("chat", "estimated"), (LOCAL, "counted")] {
        let sent = surface.send("/v1/messages/count_tokens", &[], hello(model).to_string()).await;
        assert!(sent.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{model}: {}", sent.text);
        assert_eq!(sent.header("x-mainspring-usage"), Some(from), "{model}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_model_of_this_process_answers_in_this_dialect() {
    let surface = Surface::open().await;
    let message = surface.ask(&hello(LOCAL)).await.json();
    assert_eq!((&message["content"][0]["text"], &message["usage"]["input_tokens"]), (&json!("Hello.!"), &json!(2)));
    let stream = surface.ask(&streamed(hello(LOCAL))).await.events();
    assert_eq!((names(&stream), text_of(&stream)), (WHOLE.to_vec(), "Hello.!".to_owned()));
    let long = json!({"model": LOCAL, "max_tokens": 5, "messages": [{"role": "user", "content": "word ".repeat(900)}]});
    let sent = surface.ask(&long).await;
    let message = sent.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(sent.status == 400 && message.starts_with("prompt is too long"), "{message}");
    let odd = surface.ask(&json!({"model": LOCAL, "max_tokens": 5, "messages": [{"role": "robot", "content": "x"}]})).await;
    assert_eq!((odd.status, &odd.json()["error"]["code"]), (400, &json!("gateway-bad-request")), "{}", odd.text);
}

#[tokio::test]
async fn a_prompt_answers_where_the_gateway_knows_no_such_model() {
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "Repeat: {{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    for model in ["echo", "prompt/echo", "echo@v1"] {
        let sent = surface.ask(&hello(model)).await;
        assert_eq!((sent.status, &sent.json()["content"][0]["text"]), (200, &json!("Repeat: Hello.!")), "{model}: {}", sent.text);
        assert_eq!(sent.json()["mainspring"]["trace_id"].as_str(), sent.header("x-mainspring-trace-id"));
        let sent = surface.ask(&streamed(hello(model))).await;
        let stream = sent.events();
        assert_eq!((names(&stream), text_of(&stream)), (WHOLE.to_vec(), "Repeat: Hello.!".to_owned()));
        assert_eq!(sent.ended, Some(End::Complete), "{model}");
    }
    let mut body = hello("echo");
    body["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let error = surface.ask(&body).await.json();
    assert_eq!((&error["error"]["code"], &error["request_id"]), (&json!("anthropic-unsupported-parameter"), &json!("req_7")));
    let counted = surface.send("/v1/messages/count_tokens", &[], hello("echo").to_string()).await;
    assert_eq!((counted.status, &counted.json()["error"]["code"]), (400, &json!("anthropic-unsupported-parameter")));
}

#[tokio::test]
async fn the_model_of_this_process_behind_a_prompt_is_counted_as_by_its_own_name() {
    for model in ["echo", "model/parrot", LOCAL] {
        for body in [hello(model), streamed(hello(model))] {
            let surface = Surface::open().await;
            let echo = json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": "{{ question }}"}]});
            surface.apply(&[("prompt", "echo", echo)]).await;
            surface.limit(Metric::RequestsPerMinute, "1").await;
            let sent = surface.ask(&body).await;
            let told = [sent.header("x-mainspring-provider"), sent.header("x-ratelimit-remaining-requests")];
            assert_eq!((sent.status, told), (200, [Some("local"), Some("0")]), "{model}: {}", sent.text);
            let refused = surface.ask(&body).await;
            let error = refused.json()["error"].clone();
            assert_eq!((refused.status, &error["code"]), (429, &json!("limit-requests")), "{model}: {error}");
            assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"), "{model}");
            assert!(refused.header("retry-after").is_some(), "{model}");
        }
    }
}

/// The same order as on every other surface.
#[tokio::test]
async fn who_answers_a_name_is_an_app_or_a_prompt_then_a_route_then_a_model_of_this_process() {
    let server = upstream(Script::always(Behaviour::saying("routed")));
    let surface = routed("anthropic", &server).await;
    let target = json!({"targets": [{"provider": "main", "model": "big"}]});
    let echo = json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": "Repeat: {{ question }}"}]});
    let mut rest = target.clone();
    rest["models"] = json!(["*"]);
    surface.apply(&[("prompt", "echo", echo), ("route", "echo", target.clone())]).await;
    let check = async |rows: &[(&str, &str)]| {
        for (model, answer) in rows {
            let sent = surface.ask(&hello(model)).await;
            assert_eq!((sent.status, &sent.json()["content"][0]["text"]), (200, &json!(answer)), "{model}: {}", sent.text);
        }
    };
    let known = [
        ("echo", "Repeat: Hello.!"),
        ("prompt/echo", "Repeat: Hello.!"),
        ("echo@v1", "Repeat: Hello.!"),
        ("chat", "routed"),
        ("main/small", "routed"),
        (LOCAL, "Hello.!"),
        ("model/parrot", "Hello.!"),
    ];
    check(&known).await;
    // A pattern takes what is left: it hides nobody.
    surface.apply(&[("route", "rest", rest)]).await;
    check(&known).await;
    check(&[("nobody-has-this", "routed")]).await;
    surface.apply(&[("route", LOCAL, target)]).await;
    // A route of the project comes before a model of this process, also where it is said that a model is meant.
    check(&[(LOCAL, "routed"), ("model/parrot", "routed")]).await;
}

#[tokio::test]
async fn a_name_that_nobody_has_is_not_found() {
    let surface = Surface::open().await;
    for (model, path) in [
        ("nobody", "/v1/messages"),
        ("nobody", "/v1/messages/count_tokens"),
        ("app/nobody", "/v1/messages"),
        ("no/body/at all", "/v1/messages"),
    ] {
        let sent = surface.send(path, &[], hello(model).to_string()).await;
        assert_eq!((sent.status, &sent.json()["error"]["type"]), (404, &json!("not_found_error")), "{model}: {}", sent.text);
        assert_eq!(sent.json()["request_id"], json!("req_7"));
    }
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
            let server = upstream(Script::always(behaviour.clone()));
            let surface = routed(kind, &server).await;
            let to = |provider: &str, timeouts: Value| json!({"targets": [{"provider": provider, "model": "big"}], "retry": {"attempts": 0}, "timeouts": timeouts});
            surface
                .apply(&[
                    ("provider", "nobody", json!({"type": kind, "base_url": nobody().unwrap()})),
                    ("route", "hasty", to("main", json!({"first": "150ms", "whole": "150ms", "idle": "150ms"}))),
                    ("route", "nowhere", to("nobody", json!({}))),
                ])
                .await;
            for body in [hello(model), streamed(hello(model))] {
                let sent = surface.ask(&body).await;
                let said = sent.json();
                assert_eq!((sent.status, &said["error"]["code"]), (status, &json!(code)), "{kind} {model} {behaviour:?}: {said}");
                assert_eq!((&said["type"], &said["request_id"]), (&json!("error"), &json!("req_7")), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_says_before_its_last_event_what_it_cost() {
    for kind in ["anthropic", "openai"] {
        let server = upstream(Script::default());
        let surface = routed(kind, &server).await;
        surface.apply(&[("prices", "default", json!({"models": [{"model": "*", "input": 1, "output": 2}]}))]).await;
        let sent = surface.ask(&streamed(hello("chat"))).await;
        // Twelve tokens read at a millionth of a dollar, eight written at two.
        assert!(sent.text.contains("\n\n: mainspring-cost 0.000028\n\nevent: message_stop\n"), "{kind}: {}", sent.text);
        assert_eq!((sent.header("x-mainspring-cost"), sent.events().last().unwrap().0.as_str()), (None, "message_stop"));
    }
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "{{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    let whole = surface.ask(&hello("echo")).await.json();
    assert_eq!(whole["mainspring"]["cost"], json!("0.00"), "{whole}");
    let sent = surface.ask(&streamed(hello("echo"))).await;
    let (_, delta) = sent.events().into_iter().rev().nth(1).unwrap();
    assert_eq!(delta["mainspring"]["cost"], json!("0.00"), "{}", sent.text);
    assert!(sent.text.contains("\n\n: mainspring-cost 0.00\n\nevent: message_stop\n"), "{}", sent.text);
}
