//! What Codex sends when its base URL is this server, to providers of every kind.

use std::collections::BTreeSet;

use mainspring_testservers::upstream::Behaviour;
use serde_json::{Value, json};

use super::{
    surface::{LOCAL, Sent, Surface},
    walks::{routed, upstream, with},
};

const TURN: &str = include_str!("../../fixtures/codex_turn.json");
const PATH: &str = "/v1/responses";
const HEADERS: [(&str, &str); 5] = [
    ("authorization", "Bearer msk_secret"),
    ("originator", "codex_cli_rs"),
    ("session_id", "0199a213-81c0-7800-8aa1-bbab2a035a53"),
    ("accept", "text/event-stream"),
    ("user-agent", "codex_cli_rs/0.99.0 (Debian 12; x86_64) xterm"),
];

fn turn(model: &str) -> Value {
    let mut body: Value = serde_json::from_str(TURN).unwrap();
    body["model"] = json!(model);
    body
}

fn shell() -> Behaviour {
    let tool = Some(("shell_command".to_owned(), r#"{"command":"ls"}"#.to_owned()));
    Behaviour { think: Some("List them.".to_owned()), tool, ..Behaviour::default() }
}

async fn sent(surface: &Surface, body: &Value) -> Sent {
    surface.send(PATH, &HEADERS, body.to_string()).await
}

/// The items of a finished stream, as Codex keeps them for its next turn.
fn items(sent: &Sent) -> Vec<Value> {
    let done = sent.events().into_iter().filter(|(name, _)| name == "response.output_item.done");
    done.map(|(_, data)| data["item"].clone()).collect()
}

#[tokio::test]
async fn to_a_provider_that_has_this_endpoint_a_turn_goes_as_it_came_with_every_kind_of_tool() {
    let server = upstream(shell());
    let surface = Surface::open().await;
    let base = format!("{}/openai/v1", server.url());
    surface.apply(&[("provider", "cloud", json!({"type": "azure", "base_url": base}))]).await;
    let mut body = turn("cloud/gpt-5-codex");
    let own = [
        json!({"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"x\""}}),
        json!({"type": "local_shell"}),
        json!({"type": "web_search", "external_web_access": false}),
    ];
    body["tools"].as_array_mut().unwrap().extend(own);
    let sent = sent(&surface, &body).await;
    assert_eq!(
        (sent.status, sent.header("x-mainspring-lost"), sent.header("x-mainspring-ignored")),
        (200, None, None),
        "{}",
        sent.text
    );
    assert_eq!(sent.events().last().unwrap().0, "response.completed");
    let mut expected = body;
    expected["model"] = json!("gpt-5-codex");
    let seen = &server.seen()[0];
    assert_eq!(seen.json(), expected);
    assert!(seen.header("session_id").is_none() && !format!("{:?}", seen.headers).contains("msk_secret"));
}

#[tokio::test]
async fn elsewhere_a_turn_calls_its_functions_and_the_next_one_brings_what_they_gave() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(shell());
        let surface = routed(kind, &server).await;
        let first = sent(&surface, &turn("chat")).await;
        assert_eq!(
            (first.status, first.header("content-type")),
            (200, Some("text/event-stream; charset=utf-8")),
            "{kind}: {}",
            first.text
        );
        let events = first.events();
        assert_eq!(events[0].0, "response.created", "{kind}");
        let (name, last) = events.last().unwrap();
        assert_eq!((name.as_str(), &last["response"]["usage"]["total_tokens"]), ("response.completed", &json!(20)), "{kind}");
        let made = items(&first);
        let call = made.iter().find(|item| item["type"] == "function_call").unwrap();
        assert_eq!((&call["name"], call["call_id"].is_string()), (&json!("shell_command"), true), "{kind}: {call}");
        assert_eq!(
            serde_json::from_str::<Value>(call["arguments"].as_str().unwrap()).unwrap(),
            json!({"command": "ls"}),
            "{kind}"
        );
        let asked = server.seen()[0].json();
        let tools = asked["tools"].as_array().unwrap();
        assert_eq!(tools.len(), 3, "{kind}: {asked}");
        assert!(
            asked.to_string().contains("You are a coding agent") && asked.to_string().contains("Approval policy"),
            "{kind}: {asked}"
        );

        // Everything that was made comes back, with what the command gave.
        let mut next = turn("chat");
        let input = next["input"].as_array_mut().unwrap();
        input.extend(made.iter().cloned());
        input.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": "src\ntarget"}));
        let second = sent(&surface, &next).await;
        assert_eq!(second.status, 200, "{kind}: {}", second.text);
        let asked = server.seen()[1].json();
        assert!(asked["messages"].as_array().unwrap().last().unwrap().to_string().contains("target"), "{kind}: {asked}");
    }
}

#[tokio::test]
async fn a_tool_that_takes_text_is_called_with_text_whoever_answers() {
    const PATCH: &str = "*** Begin Patch\n+\"é\"\n*** End Patch";
    let custom = json!({"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"x\""}});
    for kind in ["openai", "anthropic"] {
        let tool = Some(("apply_patch".to_owned(), json!({"input": PATCH}).to_string()));
        let server = upstream(Behaviour { tool, ..Behaviour::default() });
        let surface = routed(kind, &server).await;
        let mut body = turn("chat");
        body["tools"].as_array_mut().unwrap().push(custom.clone());
        let first = sent(&surface, &body).await;
        let lost = first.header("x-mainspring-lost").unwrap_or_default();
        assert_eq!((first.status, lost.contains("tools")), (200, false), "{kind} {lost}: {}", first.text);
        let made = items(&first);
        let call = made.iter().find(|item| item["type"] == "custom_tool_call").unwrap();
        assert_eq!((&call["name"], &call["input"]), (&json!("apply_patch"), &json!(PATCH)), "{kind}: {call}");
        let told: String = first
            .events()
            .iter()
            .filter(|(name, _)| name == "response.custom_tool_call_input.delta")
            .map(|(_, data)| data["delta"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(told, PATCH, "{kind}");
        let asked = server.seen()[0].json().to_string();
        assert!(asked.contains("apply_patch") && asked.contains("lark"), "{kind}: {asked}");

        body["input"].as_array_mut().unwrap().extend(made.iter().cloned());
        let output = json!({"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done: é"});
        body["input"].as_array_mut().unwrap().push(output);
        body["stream"] = json!(false);
        let second = sent(&surface, &body).await;
        assert_eq!(second.status, 200, "{kind}: {}", second.text);
        let asked = server.seen()[1].json();
        assert!(asked["messages"].as_array().unwrap().last().unwrap().to_string().contains("Done: é"), "{kind}: {asked}");
        let whole = second.json();
        let called = whole["output"].as_array().unwrap().iter().find(|item| item["type"] == "custom_tool_call").unwrap();
        assert_eq!(called["input"], PATCH, "{kind}: {whole}");
    }
}

/// Servers of tools that it has been given stand there as namespaces.
#[tokio::test]
async fn tools_in_a_namespace_are_called_in_it_whoever_answers() {
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    let inside =
        json!([{"type": "function", "name": "search", "description": "Searches.", "strict": false, "parameters": schema}]);
    for kind in ["openai", "anthropic"] {
        let tool = Some(("mcp__mail__search".to_owned(), r#"{"query":"x"}"#.to_owned()));
        let server = upstream(Behaviour { tool, ..Behaviour::default() });
        let surface = routed(kind, &server).await;
        let mut body = turn("chat");
        let space = json!({"type": "namespace", "name": "mcp__mail", "description": "Mail.", "tools": inside});
        body["tools"].as_array_mut().unwrap().push(space);
        let first = sent(&surface, &body).await;
        let lost = first.header("x-mainspring-lost").unwrap_or_default();
        assert_eq!((first.status, lost.contains("tools")), (200, false), "{kind} {lost}: {}", first.text);
        let made = items(&first);
        let call = made.iter().find(|item| item["type"] == "function_call").unwrap();
        assert_eq!((&call["namespace"], &call["name"]), (&json!("mcp__mail"), &json!("search")), "{kind}: {call}");
        assert!(server.seen()[0].json().to_string().contains("mcp__mail__search"), "{kind}");

        body["input"].as_array_mut().unwrap().extend(made.iter().cloned());
        let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "Nothing."});
        body["input"].as_array_mut().unwrap().push(output);
        let second = sent(&surface, &body).await;
        assert_eq!(second.status, 200, "{kind}: {}", second.text);
        let asked = server.seen()[1].json();
        assert!(asked["messages"].to_string().contains("mcp__mail__search"), "{kind}: {asked}");
    }
}

/// It looks for those of servers with many of them when it needs them.
#[tokio::test]
async fn tools_that_are_found_on_the_way_are_called_whoever_answers() {
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    let search = json!({"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": schema});
    for kind in ["openai", "anthropic"] {
        let tool = Some(("tool_search".to_owned(), r#"{"query":"mail"}"#.to_owned()));
        let server = upstream(Behaviour { tool, ..Behaviour::default() });
        let surface = routed(kind, &server).await;
        let mut body = turn("chat");
        body["tools"].as_array_mut().unwrap().push(search.clone());
        let first = sent(&surface, &body).await;
        let lost = first.header("x-mainspring-lost").unwrap_or_default();
        assert_eq!((first.status, lost.contains("tools")), (200, false), "{kind} {lost}: {}", first.text);
        let made = items(&first);
        let call = made.iter().find(|item| item["type"] == "tool_search_call").unwrap();
        assert_eq!((&call["execution"], &call["arguments"]), (&json!("client"), &json!({"query": "mail"})), "{kind}: {call}");

        let found = json!({"type": "function", "name": "read", "description": "Reads.", "parameters": schema});
        let space = json!({"type": "namespace", "name": "mcp__mail", "description": "Mail.", "tools": [found]});
        let output = json!({"type": "tool_search_output", "call_id": call["call_id"], "status": "completed", "execution": "client", "tools": [space]});
        body["input"].as_array_mut().unwrap().extend(made.iter().cloned().chain([output]));
        let second = sent(&surface, &body).await;
        assert_eq!(second.status, 200, "{kind}: {}", second.text);
        let asked = server.seen()[1].json();
        assert_eq!(asked["tools"].as_array().unwrap().len(), 5, "{kind}: {asked}");
        assert!(asked["tools"].to_string().contains("mcp__mail__read"), "{kind}: {asked}");
        assert!(asked["messages"].to_string().contains("Found: mcp__mail__read"), "{kind}: {asked}");
    }
}

#[tokio::test]
async fn tools_that_only_openai_runs_are_named_where_another_provider_is_asked() {
    let search = json!({"type": "web_search"});
    let server = upstream(Behaviour::saying("Here."));
    let surface = routed("openai", &server).await;
    let mut body = turn("chat");
    body["tools"].as_array_mut().unwrap().push(search.clone());
    let left = sent(&surface, &body).await;
    assert_eq!(left.status, 200, "{}", left.text);
    assert!(left.header("x-mainspring-lost").is_some_and(|lost| lost.contains("tools[3]")), "{:?}", left.headers);
    assert_eq!(server.seen()[0].json()["tools"].as_array().unwrap().len(), 3);

    let server = upstream(Behaviour::saying("Here."));
    let surface = routed("anthropic", &server).await;
    let refused = sent(&surface, &body).await;
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["code"]), (400, &json!("upstream-unsupported")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("tools[3]"), "{error}");
    assert_eq!(server.count(), 0);
    // Without them it is answered.
    assert_eq!(sent(&surface, &turn("chat")).await.status, 200);
}

/// With the settings it comes with, Codex offers a search that only OpenAI has.
#[tokio::test]
async fn what_codex_offers_unasked_keeps_no_turn_from_being_answered() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::saying("Here."));
        let surface = routed(kind, &server).await;
        let mut body = turn("chat");
        body["tools"].as_array_mut().unwrap().push(json!({"type": "web_search", "external_web_access": false}));
        let sent = sent(&surface, &body).await;
        assert_eq!(sent.status, 200, "{kind}: {}", sent.text);
        assert!(sent.header("x-mainspring-lost").is_some_and(|lost| lost.contains("tools[3]")), "{kind}: {:?}", sent.headers);
        assert_eq!(server.seen()[0].json()["tools"].as_array().unwrap().len(), 3, "{kind}");
    }
}

#[tokio::test]
async fn the_list_of_models_is_answered_to_codex_as_to_anyone() {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await;
    let listed = surface.get("/v1/models?client_version=0.99.0", &HEADERS).await;
    let names: Vec<Value> = listed.json()["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!(listed.status, 200);
    assert!(names.contains(&json!("chat")), "{names:?}");
    let one = with(json!({"model": "chat", "input": "Hi."}), &json!({"store": false}));
    assert_eq!(sent(&surface, &one).await.status, 200);
}

/// Older versions and newer ones write the header otherwise.
#[tokio::test]
async fn a_conversation_stays_with_one_provider() {
    let servers = [0, 1, 2].map(|_| upstream(shell()));
    let surface = Surface::open().await;
    let names = ["p0", "p1", "p2"];
    let targets: Vec<Value> = names.iter().map(|name| json!({"provider": name, "model": "big"})).collect();
    let mut specs: Vec<(&str, &str, Value)> = vec![("route", "coding", json!({"targets": targets, "sticky": "session"}))];
    for (name, server) in names.into_iter().zip(&servers) {
        specs.push(("provider", name, json!({"type": "openai", "base_url": format!("{}/v1", server.url())})));
    }
    surface.apply(&specs).await;
    let mut homes = BTreeSet::new();
    for session in ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11"] {
        let mut home = None;
        for header in ["session_id", "session-id", "session_id"] {
            let headers = [("originator", "codex_cli_rs"), (header, session)];
            let sent = surface.send(PATH, &headers, turn("coding").to_string()).await;
            let provider = sent.header("x-mainspring-provider").map(str::to_owned);
            assert!(sent.status == 200 && provider.is_some(), "{}", sent.text);
            assert_eq!(*home.get_or_insert_with(|| provider.clone()), provider, "{session}");
        }
        homes.insert(home);
    }
    assert!(homes.len() > 1, "conversations are spread: {homes:?}");
}

const COMPACT: &str = "/v1/responses/compact";
const COUNT: &str = "/v1/responses/input_tokens";

/// What Codex has compacted: a turn's conversation, without what says how it is answered.
fn grown(model: &str) -> Value {
    let mut body = turn(model);
    let fields = body.as_object_mut().unwrap();
    for name in ["tool_choice", "store", "stream", "include", "prompt_cache_key", "client_metadata"] {
        fields.remove(name);
    }
    let call = json!({"type": "function_call", "call_id": "c1", "name": "shell_command", "arguments": "{\"command\":\"ls\"}"});
    let output = json!({"type": "function_call_output", "call_id": "c1", "output": "src"});
    body["input"].as_array_mut().unwrap().extend([call, output]);
    body
}

#[tokio::test]
async fn openai_compacts_and_counts_what_is_its_own() {
    let server = upstream(Behaviour::saying("Notes."));
    let surface = Surface::open().await;
    let base = format!("{}/v1", server.url());
    surface.apply(&[("provider", "cloud", json!({"type": "openai", "preset": "openai", "base_url": base}))]).await;
    let sent = surface.send(COMPACT, &HEADERS, grown("cloud/gpt-5-codex").to_string()).await;
    let whole = sent.json();
    assert_eq!((sent.status, &whole["object"]), (200, &json!("response.compaction")), "{whole}");
    assert_eq!(whole["output"][0]["type"], json!("compaction"));
    assert_eq!((sent.header("x-mainspring-provider"), sent.header("x-mainspring-lost")), (Some("cloud"), None));
    let counted = surface.post(COUNT, &grown("cloud/gpt-5-codex")).await;
    assert_eq!(counted.json(), json!({"object": "response.input_tokens", "input_tokens": 12}), "{}", counted.text);
    let seen = server.seen();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths, [COMPACT, COUNT]);
    for seen in &seen {
        assert_eq!(seen.json(), grown("gpt-5-codex"));
    }
}

#[tokio::test]
async fn elsewhere_the_model_writes_the_notes_that_the_next_turn_goes_on_from() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::saying("They asked for the files: src."));
        let surface = routed(kind, &server).await;
        let sent = surface.send(COMPACT, &HEADERS, grown("chat").to_string()).await;
        let whole = sent.json();
        assert_eq!((sent.status, &whole["object"]), (200, &json!("response.compaction")), "{kind}: {whole}");
        assert_eq!(whole["usage"]["total_tokens"], json!(20), "{kind}: {whole}");
        let asked = server.seen()[0].json().to_string();
        assert!(asked.contains("needed to go on without it") && asked.contains("Which files are here?"), "{kind}: {asked}");

        // What was said stays, what was done is in the notes.
        let output = whole["output"].as_array().unwrap();
        let roles: Vec<&str> = output.iter().map(|item| item["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["developer", "user", "user", "user"], "{kind}: {whole}");
        assert!(output[3].to_string().contains("They asked for the files: src."), "{kind}: {whole}");
        assert!(!whole.to_string().contains("shell_command"), "{kind}: {whole}");
        let next = with(turn("chat"), &json!({"input": output}));
        assert_eq!(self::sent(&surface, &next).await.status, 200, "{kind}");
        assert!(server.seen()[1].json().to_string().contains("They asked for the files"), "{kind}");
    }
}

#[tokio::test]
async fn notes_that_nobody_wrote_are_a_fault_of_the_model() {
    let server = upstream(shell());
    let surface = routed("openai", &server).await;
    let refused = surface.post(COMPACT, &grown("chat")).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &json!("upstream-malformed")), "{}", refused.text);
}

#[tokio::test]
async fn of_what_users_said_the_newest_stays_when_a_conversation_is_compacted() {
    let server = upstream(Behaviour::saying("Notes."));
    let surface = routed("openai", &server).await;
    let said = |word: &str| json!({"role": "user", "content": word.repeat(10_000)});
    let input =
        json!([{"role": "system", "content": "Rules."}, said("a b "), said("c d "), {"role": "assistant", "content": "Yes."}]);
    let output = surface.post(COMPACT, &json!({"model": "chat", "input": input})).await.json()["output"].clone();
    let all = output.to_string();
    assert_eq!(output.as_array().unwrap().len(), 3, "{all}");
    assert!(all.contains("Rules.") && all.contains("c d ") && !all.contains("a b "));
}

#[tokio::test]
async fn tokens_that_a_provider_does_not_count_are_counted_here() {
    let server = upstream(Behaviour::saying("Hi."));
    let counted = routed("openai", &server).await.post(COUNT, &grown("chat")).await;
    let whole = counted.json();
    assert_eq!((counted.status, &whole["object"]), (200, &json!("response.input_tokens")), "{whole}");
    assert!(whole["input_tokens"].as_u64().unwrap() > 100, "{whole}");
    assert_eq!((counted.header("x-mainspring-usage"), server.count()), (Some("estimated"), 0));
    // Anthropic does, in its own dialect.
    let counted = routed("anthropic", &server).await.post(COUNT, &grown("chat")).await;
    assert_eq!(counted.json()["input_tokens"], json!(12), "{}", counted.text);
    assert_eq!(
        (counted.header("x-mainspring-usage"), server.seen()[0].path.as_str()),
        (Some("reported"), "/v1/messages/count_tokens")
    );
    // Of a model of this process exactly.
    let surface = Surface::open().await;
    let whole = surface.post(COUNT, &json!({"model": LOCAL, "input": "Hi.", "instructions": "Be brief."})).await.json();
    assert_eq!(whole, json!({"object": "response.input_tokens", "input_tokens": 2}));
}

#[tokio::test]
async fn what_cannot_be_compacted_says_so() {
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "{{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    for path in [COMPACT, COUNT] {
        let refused = surface.post(path, &json!({"model": "echo", "input": "x"})).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("model")), "{}", refused.text);
        let unknown = surface.post(path, &json!({"model": "nobody", "input": "x"})).await;
        assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("model_not_found")), "{}", unknown.text);
        let streamed = surface.post(path, &json!({"model": LOCAL, "input": "x", "stream": true})).await;
        assert_eq!((streamed.status, &streamed.json()["error"]["param"]), (400, &json!("stream")), "{}", streamed.text);
    }
}

/// Newer versions try a web socket first, and go on over HTTP where the answer is this.
#[tokio::test]
async fn a_web_socket_is_refused_as_codex_expects_it() {
    let surface = Surface::open().await;
    let refused = surface.get(PATH, &[("connection", "Upgrade"), ("upgrade", "websocket")]).await;
    assert_eq!((refused.status, refused.header("upgrade")), (426, Some("HTTP/1.1")));
    assert_eq!(refused.json()["error"]["code"], json!("response-no-socket"), "{}", refused.text);
    let plain = surface.get(PATH, &[]).await;
    assert_eq!((plain.status, plain.header("allow")), (405, Some("POST")));
}
