//! What version 0.171 of Codex was seen to send, shortened; `scenarios/gateway/agents.py` runs it. Instructions are messages,
//! items have ids, its tools come in a namespace too, and a search is offered that only OpenAI has.

use mainspring_testservers::upstream::Behaviour;
use serde_json::{Value, json};

use super::{
    surface::{Sent, Surface},
    walks::{routed, upstream},
};

const TURN: &str = include_str!("../../fixtures/codex_exec_turn.json");
const SESSION: &str = "01a21fe7-92f6-70f3-9532-4cd28eb84fa8";
const HEADERS: [(&str, &str); 10] = [
    ("x-codex-beta-features", "remote_compaction_v2"),
    ("x-codex-window-id", "01a21fe7-92f6-70f3-9532-4cd28eb84fa8:0"),
    ("x-client-request-id", SESSION),
    ("session-id", SESSION),
    ("thread-id", SESSION),
    ("accept", "text/event-stream"),
    ("authorization", "Bearer msk_secret"),
    ("originator", "codex_exec"),
    ("user-agent", "codex_exec/0.171.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.171.0)"),
    ("accept-encoding", "zstd,gzip"),
];

fn turn(model: &str) -> Value {
    let mut body: Value = serde_json::from_str(TURN).unwrap();
    body["model"] = json!(model);
    body
}

fn exec() -> Behaviour {
    Behaviour { tool: Some(("exec_command".to_owned(), r#"{"cmd":"ls"}"#.to_owned())), ..Behaviour::default() }
}

async fn sent(surface: &Surface, body: &Value) -> Sent {
    surface.send("/v1/responses", &HEADERS, body.to_string()).await
}

#[tokio::test]
async fn to_a_provider_that_has_this_endpoint_a_turn_goes_as_it_came() {
    let server = upstream(exec());
    let surface = Surface::open().await;
    let cloud = json!({"type": "azure", "base_url": format!("{}/openai/v1", server.url())});
    surface.apply(&[("provider", "cloud", cloud)]).await;
    let answered = sent(&surface, &turn("cloud/gpt-5-codex")).await;
    assert_eq!((answered.status, answered.header("x-mainspring-lost")), (200, None), "{}", answered.text);
    assert_eq!(answered.events().last().unwrap().0, "response.completed");
    let seen = &server.seen()[0];
    assert_eq!(seen.json(), turn("gpt-5-codex"));
    let headers = format!("{:?}", seen.headers);
    assert!(!headers.contains("codex") && !headers.contains("msk_secret") && !headers.contains(SESSION), "{headers}");
}

#[tokio::test]
async fn elsewhere_a_turn_calls_its_tools_and_the_next_one_brings_what_they_gave() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(exec());
        let surface = routed(kind, &server).await;
        let first = sent(&surface, &turn("chat")).await;
        assert_eq!(first.status, 200, "{kind}: {}", first.text);
        assert!(first.header("x-mainspring-lost").is_some_and(|lost| lost.contains("tools[4]")), "{kind}: {:?}", first.headers);
        let asked = server.seen()[0].json();
        let (tools, whole) = (asked["tools"].to_string(), asked.to_string());
        for name in ["exec_command", "write_stdin", "multi_agent_v1__spawn_agent", "multi_agent_v1__wait_agent", "get_goal"] {
            assert!(tools.contains(&format!("\"{name}\"")), "{kind} {name}: {tools}");
        }
        for said in ["running in the Codex CLI", "Approval policy is currently never.", "Which files are here?"] {
            assert!(whole.contains(said), "{kind} {said}: {whole}");
        }
        let done = first.events().into_iter().filter(|(name, _)| name == "response.output_item.done");
        let made: Vec<Value> = done.map(|(_, data)| data["item"].clone()).collect();
        let call = made.iter().find(|item| item["type"] == "function_call").unwrap();
        let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
        assert_eq!((&call["name"], arguments), (&json!("exec_command"), json!({"cmd": "ls"})), "{kind}: {call}");

        let mut next = turn("chat");
        let input = next["input"].as_array_mut().unwrap();
        input.extend(made.iter().cloned());
        input.push(json!({
            "type": "function_call_output",
            "id": "fco_01a21fe7-9436-7853-9bf0-8633b7bb8920",
            "call_id": call["call_id"],
            "output": "Chunk ID: e7a348\nProcess exited with code 0\nOutput:\nsrc\n",
        }));
        let second = sent(&surface, &next).await;
        assert_eq!(second.status, 200, "{kind}: {}", second.text);
        let asked = server.seen()[1].json()["messages"].to_string();
        assert!(asked.contains("Chunk ID: e7a348"), "{kind}: {asked}");
    }
}
