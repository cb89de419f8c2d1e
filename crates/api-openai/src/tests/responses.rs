//! Responses: of routes, of providers, and of what answers here.

use mainspring_llm::End;
use mainspring_testservers::upstream::{Behaviour, Trouble};
use serde_json::{Value, json};

use super::{
    surface::{LOCAL, Surface},
    walks::{routed, upstream, with},
};

const PATH: &str = "/v1/responses";

fn hello(model: &str) -> Value {
    json!({"model": model, "input": "Hello."})
}

fn streamed(body: Value) -> Value {
    with(body, &json!({"stream": true}))
}

fn text_of(events: &[(String, Value)]) -> String {
    let deltas = events.iter().filter(|(name, _)| name == "response.output_text.delta");
    deltas.filter_map(|(_, data)| data["delta"].as_str()).collect()
}

#[tokio::test]
async fn to_a_provider_that_has_this_endpoint_all_goes_as_it_came() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = Surface::open().await;
    let base = format!("{}/openai/v1", server.url());
    surface.apply(&[("provider", "cloud", json!({"type": "azure", "base_url": base}))]).await;
    let body = r#"{ "model":"cloud/big", "input":[{"role":"user","content":"\u00e9"}],"novel":[1e2] }"#;
    let sent = surface.send(PATH, &[], body).await;
    assert_eq!((sent.status, &sent.json()["object"]), (200, &json!("response")), "{}", sent.text);
    assert_eq!(sent.json()["output"][0]["content"][0]["text"], json!("Hi there."));
    assert_eq!((sent.header("x-mainspring-provider"), sent.header("x-mainspring-model")), (Some("cloud"), Some("big")));
    let seen = server.seen();
    assert_eq!(String::from_utf8_lossy(&seen[0].body), body.replace("\"cloud/big\"", "\"big\""));
    assert!(seen[0].path.ends_with("/responses"), "{}", seen[0].path);
    let events = surface.post(PATH, &streamed(hello("cloud/big"))).await.events();
    assert_eq!((text_of(&events).as_str(), events.last().unwrap().0.as_str()), ("Hi there.", "response.completed"));
}

#[tokio::test]
async fn other_dialects_answers_become_responses_whole_and_streamed() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::saying("Hi there."));
        let surface = routed(kind, &server).await;
        let sent = surface.post(PATH, &with(hello("chat"), &json!({"instructions": "Be brief."}))).await;
        let whole = sent.json();
        assert_eq!(
            (sent.status, &whole["object"], &whole["status"]),
            (200, &json!("response"), &json!("completed")),
            "{kind}: {whole}"
        );
        assert_eq!((&whole["output"][0]["content"][0]["text"], &whole["model"]), (&json!("Hi there."), &json!("chat")), "{kind}");
        assert_eq!((&whole["usage"]["input_tokens"], &whole["usage"]["output_tokens"]), (&json!(12), &json!(8)), "{kind}");
        assert!(server.seen()[0].json().to_string().contains("Be brief."), "{kind}");
        let events = surface.post(PATH, &streamed(hello("chat"))).await.events();
        assert_eq!((events[0].0.as_str(), text_of(&events).as_str()), ("response.created", "Hi there."), "{kind}");
        let (name, last) = events.last().unwrap();
        assert_eq!((name.as_str(), &last["response"]["usage"]["total_tokens"]), ("response.completed", &json!(20)), "{kind}");
    }
}

#[tokio::test]
async fn a_function_is_called_and_its_output_goes_back() {
    let tool = Some(("weather".to_owned(), r#"{"city":"Köln"}"#.to_owned()));
    let server = upstream(Behaviour { tool, ..Behaviour::default() });
    let surface = routed("anthropic", &server).await;
    let tools = json!({"tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]});
    let whole = surface.post(PATH, &with(hello("chat"), &tools)).await.json();
    let call = whole["output"].as_array().unwrap().iter().find(|item| item["type"] == "function_call").unwrap().clone();
    assert_eq!(call["name"], json!("weather"));
    assert_eq!(serde_json::from_str::<Value>(call["arguments"].as_str().unwrap()).unwrap(), json!({"city": "Köln"}));
    let back = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "rain"});
    let again = json!({"input": [{"role": "user", "content": "Weather?"}, call, back]});
    assert_eq!(surface.post(PATH, &with(with(hello("chat"), &tools), &again)).await.status, 200);
    let last = server.seen().last().unwrap().json();
    assert_eq!(last["messages"].as_array().unwrap().len(), 3, "{last}");
    assert!(last["messages"][2].to_string().contains("rain"), "{last}");
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_a_failure_of_this_endpoint() {
    for (kind, model, last) in [("openai", "chat", "response.failed"), ("azure", "cloud/big", "error")] {
        for trouble in [Trouble::Error(5), Trouble::End(5)] {
            let server = upstream(Behaviour::trouble(trouble));
            let surface = routed("openai", &server).await;
            let base = format!("{}/openai/v1", server.url());
            surface.apply(&[("provider", "cloud", json!({"type": "azure", "base_url": base}))]).await;
            let sent = surface.post(PATH, &streamed(hello(model))).await;
            let events = sent.events();
            let (name, data) = events.last().unwrap();
            assert_eq!(
                (sent.status, name.as_str(), &data["type"]),
                (200, last, &json!(last)),
                "{kind} {trouble:?}: {}",
                sent.text
            );
            let message = if last == "error" { &data["message"] } else { &data["response"]["error"]["message"] };
            assert!(message.as_str().is_some_and(|message| !message.is_empty()), "{data}");
            assert!(!events.iter().any(|(name, _)| name == "response.completed"));
            assert!(
                matches!(sent.ended, Some(End::Broken(code)) if code.starts_with("upstream-")),
                "{kind} {trouble:?}: {:?}",
                sent.ended
            );
        }
    }
}

#[tokio::test]
async fn a_prompt_and_a_model_of_this_process_answer_in_responses() {
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "Repeat: {{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    for (model, answer) in [("echo", "Repeat: Hello.!"), ("prompt/echo", "Repeat: Hello.!"), (LOCAL, "Hello.!")] {
        let sent = surface.post(PATH, &hello(model)).await;
        let whole = sent.json();
        assert_eq!((sent.status, &whole["output"][0]["content"][0]["text"]), (200, &json!(answer)), "{model}: {whole}");
        assert_eq!((&whole["model"], &whole["usage"]["input_tokens"]), (&json!(model), &json!(3)), "{model}");
        assert_eq!(whole["mainspring"]["trace_id"].as_str(), sent.header("x-mainspring-trace-id"), "{model}");
        let sent = surface.post(PATH, &streamed(hello(model))).await;
        let events = sent.events();
        let (name, last) = events.last().unwrap();
        assert_eq!((text_of(&events).as_str(), name.as_str()), (answer, "response.completed"), "{model}");
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], json!(answer), "{model}");
        assert_eq!(last["response"]["mainspring"]["trace_id"].as_str(), sent.header("x-mainspring-trace-id"), "{model}");
    }
}

#[tokio::test]
async fn what_an_app_cannot_honour_is_refused_by_name() {
    let surface = Surface::open().await;
    for (more, code, param) in [
        (json!({"tools": [{"type": "function", "name": "f", "parameters": {}}]}), "openai-unsupported-parameter", "tools"),
        (json!({"previous_response_id": "resp_1"}), "openai-unsupported-parameter", "previous_response_id"),
        (json!({"background": true}), "openai-unsupported-parameter", "background"),
        (json!({"reasoning": {"effort": "high"}}), "openai-unsupported-parameter", "reasoning"),
        (json!({"include": ["message.output_text.logprobs"]}), "openai-unsupported-parameter", "include"),
        (json!({"truncation": "auto"}), "openai-unsupported-parameter", "truncation"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x/y.png"}]}]}),
            "openai-unsupported-parameter",
            "input",
        ),
        (json!({"temprature": 1}), "openai-invalid-parameter", "temprature"),
        (json!({"temperature": 9}), "openai-invalid-parameter", "temperature"),
        (json!({"max_output_tokens": 0}), "openai-invalid-parameter", "max_output_tokens"),
        (json!({"mainspring": {"sesion": "x"}}), "openai-invalid-parameter", "mainspring"),
        (json!({"input": []}), "openai-invalid-parameter", "input"),
        (json!({"input": null}), "openai-invalid-parameter", "input"),
        (json!({"model": ""}), "openai-invalid-parameter", "model"),
    ] {
        let sent = surface.post(PATH, &with(hello(LOCAL), &more)).await;
        let error = sent.json()["error"].clone();
        assert_eq!((sent.status, &error["code"], &error["param"]), (400, &json!(code), &json!(param)), "{more}: {error}");
    }
    let harmless = json!({"store": true, "include": ["reasoning.encrypted_content"], "truncation": "disabled", "background": false,
        "previous_response_id": null, "parallel_tool_calls": true, "tools": [], "text": {"verbosity": "medium"}, "metadata": {"a": "b"}});
    let sent = surface.post(PATH, &with(hello(LOCAL), &harmless)).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let unknown = surface.post(PATH, &hello("nobody")).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn what_another_provider_would_have_to_remember_is_refused() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::default());
        let surface = routed(kind, &server).await;
        let sent = surface.post(PATH, &with(hello("chat"), &json!({"previous_response_id": "resp_1"}))).await;
        let error = sent.json()["error"].clone();
        assert_eq!((sent.status, &error["code"]), (400, &json!("upstream-unsupported")), "{kind}: {error}");
        assert!(error["message"].as_str().unwrap().contains("previous_response_id"), "{kind}: {error}");
        assert_eq!(server.count(), 0, "{kind}");
    }
}

#[tokio::test]
async fn a_provider_that_has_this_endpoint_is_told_which_response_came_before() {
    let server = upstream(Behaviour::default());
    let surface = Surface::open().await;
    let base = format!("{}/openai/v1", server.url());
    surface.apply(&[("provider", "cloud", json!({"type": "azure", "base_url": base}))]).await;
    let body = with(hello("cloud/big"), &json!({"previous_response_id": "resp_1", "conversation": "conv_2"}));
    assert_eq!(surface.post(PATH, &body).await.status, 200);
    let sent = server.seen()[0].json();
    assert_eq!((&sent["previous_response_id"], &sent["conversation"]), (&json!("resp_1"), &json!("conv_2")));
}
