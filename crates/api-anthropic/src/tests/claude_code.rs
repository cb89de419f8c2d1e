//! What Claude Code sends when its base URL is this server, to providers of every kind.

use std::collections::BTreeSet;

use mainspring_gateway::ledger::{Metric, SubjectKind};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::surface::{Sent, Surface};

const PATH: &str = "/v1/messages?beta=true";
// As version 2.1.197 was seen to send them; `scenarios/gateway/agents.py` runs it.
const BETAS: &str = "claude-code-20250219,interleaved-thinking-2025-05-14,thinking-token-count-2026-05-13,\
    context-management-2025-06-27,prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24";
const HEADERS: [(&str, &str); 16] = [
    ("accept", "application/json"),
    ("authorization", "Bearer msk_secret"),
    ("user-agent", "claude-cli/2.1.197 (external, sdk-cli)"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-lang", "js"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-package-version", "0.94.0"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-runtime", "node"),
    ("x-stainless-runtime-version", "v26.3.0"),
    ("x-stainless-timeout", "600"),
    ("anthropic-beta", BETAS),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("anthropic-version", "2023-06-01"),
    ("x-app", "cli"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
];

/// One turn, of a person in one of their conversations. Instructions stand among the messages too.
fn turn(model: &str, (account, session): (&str, &str)) -> Value {
    let who = json!({"device_id": "b42919dc", "account_uuid": account, "session_id": session});
    json!({
        "model": model,
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nToday is Tuesday.\n</system-reminder>\n"},
                {"type": "text", "text": "Which files are here?", "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "system", "content": "Available agent types for the Agent tool:\n- claude: Catch-all for any task."},
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197.8ab; cc_entrypoint=sdk-cli;"},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "You work in a terminal.\nThe folder is /srv/app.", "cache_control": {"type": "ephemeral"}},
        ],
        "tools": [{
            "name": "Bash",
            "description": "Runs a command.",
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {"command": {"type": "string"}},
                "required": ["command"],
                "additionalProperties": false,
            },
        }],
        "metadata": {"user_id": who.to_string()},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stream": true,
    })
}

fn calling() -> Behaviour {
    let tool = Some(("Bash".to_owned(), r#"{"command":"ls"}"#.to_owned()));
    Behaviour { think: Some("List them.".to_owned()), tool, ..Behaviour::default() }
}

async fn routed(kind: &str, server: &Upstream) -> Surface {
    let surface = Surface::open().await;
    let base = match kind {
        "openai" => "/v1",
        "azure" => "/openai/v1",
        "gemini" => "/v1beta",
        _ => "",
    };
    let mut provider = json!({"type": kind, "base_url": format!("{}{base}", server.url())});
    if kind == "bedrock" {
        provider["region"] = json!("eu-central-1");
    }
    let route = json!({"models": ["claude-*"], "targets": [{"provider": "main", "model": "big"}], "retry": {"attempts": 0}});
    surface.apply(&[("provider", "main", provider), ("route", "coding", route)]).await;
    surface
}

async fn sent(surface: &Surface, body: &Value) -> Sent {
    surface.send(PATH, &HEADERS, body.to_string()).await
}

/// The blocks of a finished stream, as Claude Code sends them back with its next turn.
fn blocks(sent: &Sent) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut arguments = String::new();
    for (name, data) in sent.events() {
        match name.as_str() {
            "content_block_start" => {
                blocks.push(data["content_block"].clone());
                arguments.clear();
            }
            "content_block_delta" => {
                let (block, delta) = (blocks.last_mut().unwrap(), &data["delta"]);
                for field in ["text", "thinking", "signature"] {
                    if let Some(more) = delta[field].as_str() {
                        block[field] = json!(format!("{}{more}", block[field].as_str().unwrap_or_default()));
                    }
                }
                arguments.push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" if blocks.last().unwrap()["type"] == "tool_use" => {
                blocks.last_mut().unwrap()["input"] = serde_json::from_str(&arguments).unwrap();
            }
            _ => {}
        }
    }
    blocks
}

#[tokio::test]
async fn to_anthropic_a_turn_goes_as_it_came_with_its_betas_and_nobodys_key() {
    let server = Upstream::start(Script::always(calling())).unwrap();
    let surface = routed("anthropic", &server).await;
    let body = turn("claude-opus-4-6", ("a1", "s1"));
    let answered = sent(&surface, &body).await;
    assert_eq!((answered.status, answered.header("x-mainspring-lost")), (200, None), "{}", answered.text);
    assert_eq!(answered.events().last().unwrap().0, "message_stop");
    let mut counted = body.clone();
    for field in ["stream", "max_tokens", "metadata", "context_management", "output_config"] {
        counted.as_object_mut().unwrap().remove(field);
    }
    let tokens = surface.send("/v1/messages/count_tokens?beta=true", &HEADERS, counted.to_string()).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    for (seen, path, sent) in [(0, "/v1/messages", body), (1, "/v1/messages/count_tokens", counted)] {
        let seen = &server.seen()[seen];
        let mut expected = sent;
        expected["model"] = json!("big");
        assert_eq!((seen.path.as_str(), seen.json()), (path, expected));
        assert_eq!((seen.header("anthropic-beta"), seen.header("anthropic-version")), (Some(BETAS), Some("2023-06-01")));
        let headers = format!("{:?}", seen.headers);
        assert!(
            !headers.contains("msk_secret") && !headers.contains("claude-cli") && !headers.contains("stainless"),
            "{headers}"
        );
    }
}

#[tokio::test]
async fn elsewhere_a_turn_calls_its_tools_and_the_next_one_brings_what_they_gave() {
    for kind in ["openai", "azure", "gemini", "bedrock"] {
        let server = Upstream::start(Script::always(calling())).unwrap();
        let surface = routed(kind, &server).await;
        let first = sent(&surface, &turn("claude-opus-4-6", ("a1", "s1"))).await;
        assert_eq!(first.status, 200, "{kind}: {}", first.text);
        let made = blocks(&first);
        let call = made.iter().find(|block| block["type"] == "tool_use").unwrap_or_else(|| panic!("{kind}: {made:?}"));
        assert_eq!((&call["name"], &call["input"]), (&json!("Bash"), &json!({"command": "ls"})), "{kind}");
        let (name, delta) = first.events().into_iter().rev().nth(1).unwrap();
        assert_eq!((name.as_str(), &delta["delta"]["stop_reason"]), ("message_delta", &json!("tool_use")), "{kind}");
        assert!(delta["usage"]["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{kind}: {delta}");

        let mut next = turn("claude-opus-4-6", ("a1", "s1"));
        let result = json!({"type": "tool_result", "tool_use_id": call["id"], "content": "src\ntarget"});
        let messages = next["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": made}));
        messages.push(json!({"role": "user", "content": [result]}));
        let second = sent(&surface, &next).await;
        assert_eq!(second.status, 200, "{kind}: {}", second.text);
        let asked = server.seen()[1].json().to_string();
        assert!(asked.contains("src\\ntarget") && asked.contains("You work in a terminal."), "{kind}: {asked}");
        assert!(asked.contains("Available agent types"), "{kind}: {asked}");
        let tokens = surface.send("/v1/messages/count_tokens?beta=true", &HEADERS, next.to_string()).await;
        assert!(tokens.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{kind}: {}", tokens.text);
    }
}

/// As it speaks to Anthropic itself, and as other versions of it do.
#[tokio::test]
async fn what_other_versions_say_beside_it_keeps_no_turn_from_being_answered() {
    let mut body = turn("coding", ("a1", "s1"));
    body["system"][1]["cache_control"] = json!({"type": "ephemeral", "ttl": "1h", "scope": "global"});
    body["tools"][0]["eager_input_streaming"] = json!(true);
    body["messages"].as_array_mut().unwrap().pop();
    for kind in ["anthropic", "openai", "azure", "gemini", "bedrock"] {
        let server = Upstream::start(Script::always(calling())).unwrap();
        let surface = routed(kind, &server).await;
        let answered = sent(&surface, &body).await;
        assert_eq!(answered.status, 200, "{kind}: {}", answered.text);
    }
}

#[tokio::test]
async fn a_person_is_one_user_in_all_of_their_conversations() {
    let server = Upstream::start(Script::always(calling())).unwrap();
    let surface = routed("anthropic", &server).await;
    surface.limit_each(SubjectKind::User, Metric::RequestsPerMinute, "2").await;
    for (who, status) in [(("ann", "s1"), 200), (("ann", "s2"), 200), (("ann", "s3"), 429), (("bob", "s4"), 200)] {
        assert_eq!(sent(&surface, &turn("coding", who)).await.status, status, "{who:?}");
    }
}

#[tokio::test]
async fn a_conversation_stays_with_one_provider() {
    let servers = [0, 1, 2].map(|_| Upstream::start(Script::always(calling())).unwrap());
    let surface = Surface::open().await;
    let names = ["p0", "p1", "p2"];
    let targets: Vec<Value> = names.iter().map(|name| json!({"provider": name, "model": "big"})).collect();
    let mut specs: Vec<(&str, &str, Value)> = vec![("route", "coding", json!({"targets": targets, "sticky": "session"}))];
    for (name, server) in names.into_iter().zip(&servers) {
        specs.push(("provider", name, json!({"type": "anthropic", "base_url": server.url()})));
    }
    surface.apply(&specs).await;
    let mut homes = BTreeSet::new();
    for session in ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11"] {
        // In the header, or where nothing but the body says it.
        let mut home = None;
        let named = [&HEADERS[..], &[("x-claude-code-session-id", session)][..]].concat();
        for headers in [&named[..], &HEADERS[..], &named[..]] {
            let answered = surface.send(PATH, headers, turn("coding", ("ann", session)).to_string()).await;
            let provider = answered.header("x-mainspring-provider").map(str::to_owned);
            assert!(answered.status == 200 && provider.is_some(), "{}", answered.text);
            assert_eq!(*home.get_or_insert_with(|| provider.clone()), provider, "{session}");
        }
        homes.insert(home);
    }
    assert!(homes.len() > 1, "conversations are spread: {homes:?}");
}
