use mainspring_llm::exchange::{Call, Dialect, Media, Part, Reasoning, ReasoningWanted, Role, Tool, Turn};
use serde_json::{Value, json};

use super::{AZURE, OPENAI, PLAIN, UNKNOWN, at, fixture, json};
use crate::{
    fault::FaultClass,
    openai::{OpenAi, chat, responses},
    seam::{Adapter, Lost},
};

const OPENROUTER: &str = "https://openrouter.ai/api/v1";

/// The body that a server is sent, and the names of what is left behind.
fn sent(adapter: OpenAi, base: &str, call: &Call) -> (Value, Vec<String>) {
    let encoded = adapter.encode(&at(base), call).unwrap();
    let lost = encoded.lost.into_iter().map(|Lost { field, .. }| field);
    (serde_json::from_slice(&encoded.outgoing.body).unwrap(), lost.collect())
}

fn class(base: &str, call: &Call) -> FaultClass {
    PLAIN.encode(&at(base), call).unwrap_err().class
}

fn base64(media_type: &str, data: &str) -> Media {
    Media::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
}

#[test]
fn what_a_client_said_is_what_openai_is_sent() {
    let came = json(fixture!("request_full.json"));
    let call = chat::read(fixture!("request_full.json").as_bytes()).unwrap();
    for (adapter, base) in [(PLAIN, OPENAI), (AZURE, "https://x.openai.azure.com")] {
        let (body, lost) = sent(adapter, base, &call);
        let mut want = came.clone();
        want["model"] = json!("target-model");
        want.as_object_mut().unwrap().shift_remove("mainspring");
        // One text in a list is the text.
        want["messages"][4]["content"] = json!("A dog.");
        assert_eq!(body, want);
        assert_eq!(lost, Vec::<String>::new());
    }
}

#[test]
fn a_server_is_sent_what_it_takes() {
    let mut call = Call::new("asked", Dialect::Anthropic);
    call.turns = vec![Turn::text(Role::Developer, "Be brief."), Turn::text(Role::User, "Hi")];
    call.max_tokens = Some(9);
    call.top_k = Some(5);
    call.seed = Some(3);
    call.user = Some("u".to_owned());
    call.stream = true;
    let usage = json!({"include_usage": true});
    let rest = |adapter: OpenAi, base: &str| {
        let (mut body, lost) = sent(adapter, base, &call);
        let map = body.as_object_mut().unwrap();
        map.shift_remove("model");
        let messages = map.shift_remove("messages").unwrap();
        (messages[0]["role"].as_str().unwrap().to_owned(), body, lost)
    };
    let openai = json!({"max_completion_tokens": 9, "seed": 3, "user": "u", "stream": true, "stream_options": usage});
    let (role, body, lost) = rest(PLAIN, OPENAI);
    assert_eq!((role.as_str(), body, lost), ("developer", openai.clone(), vec!["top_k".to_owned()]));
    let (role, body, lost) = rest(AZURE, "https://x.openai.azure.com");
    assert_eq!((role.as_str(), body, lost), ("developer", openai, vec!["top_k".to_owned()]));
    for base in [UNKNOWN, "http://127.0.0.1:11434/v1", "https://api.deepseek.com/v1", OPENROUTER] {
        let plain = json!({"max_tokens": 9, "top_k": 5, "seed": 3, "user": "u", "stream": true, "stream_options": usage});
        let (role, body, lost) = rest(PLAIN, base);
        assert_eq!((role.as_str(), body, lost), ("system", plain, vec![]), "{base}");
    }
    let mistral = json!({"max_tokens": 9, "random_seed": 3, "stream": true});
    let (role, body, lost) = rest(PLAIN, "https://api.mistral.ai/v1");
    assert_eq!((role.as_str(), body, lost), ("system", mistral, vec!["top_k".to_owned(), "user".to_owned()]));

    let mut endpoint = at(UNKNOWN);
    endpoint.habits.stream_options = false;
    endpoint.default_max_tokens = Some(64);
    call.max_tokens = None;
    let body: Value = serde_json::from_slice(&PLAIN.encode(&endpoint, &call).unwrap().outgoing.body).unwrap();
    assert_eq!((body.get("stream_options"), &body["max_tokens"]), (None, &json!(64)));
}

fn anthropic() -> Call {
    let mark = Some(json!({"type": "ephemeral"}));
    let image = Part::Image { source: base64("image/png", "iVBO"), detail: None, cache: None };
    let result = |id: &str, parts: Vec<Part>, is_error: bool| Part::ToolResult {
        id: id.to_owned(),
        name: None,
        parts,
        is_error,
        cache: None,
    };
    let signed = Reasoning { text: "Look twice.".to_owned(), signature: Some("sig==".to_owned()), ..Reasoning::default() };
    let tool_call =
        |id: &str| Part::ToolCall { id: id.to_owned(), name: "look".to_owned(), arguments: "{}".to_owned(), signature: None };
    let mut call = Call::new("claude", Dialect::Anthropic);
    call.turns = vec![
        Turn {
            role: Role::System,
            parts: vec![Part::text("One."), Part::Text { text: "Two.".to_owned(), cache: mark }],
            name: None,
        },
        Turn::text(Role::User, "What is there?"),
        Turn {
            role: Role::Assistant,
            parts: vec![Part::Reasoning(signed), Part::text("Let me see."), tool_call("toolu_1"), tool_call("toolu_2")],
            name: None,
        },
        Turn {
            role: Role::User,
            parts: vec![
                Part::text("And hurry."),
                result("toolu_1", vec![Part::text("A picture:"), image], false),
                result("toolu_2", vec![Part::text("not found")], true),
            ],
            name: None,
        },
    ];
    call.tools = vec![Tool::Function {
        name: "look".to_owned(),
        description: None,
        parameters: Some(json!({"type": "object"})),
        strict: None,
        cache: None,
    }];
    call.reasoning = Some(ReasoningWanted { budget_tokens: Some(4096), ..ReasoningWanted::default() });
    call.metadata.insert("trace".to_owned(), json!("t"));
    call.extra.insert("context_management".to_owned(), json!({}));
    call
}

#[test]
fn a_conversation_of_anthropics_becomes_one_of_openais() {
    let (body, lost) = sent(PLAIN, OPENAI, &anthropic());
    let tool_call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "One.\nTwo."},
            {"role": "user", "content": "What is there?"},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [tool_call("toolu_1"), tool_call("toolu_2")]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "A picture:"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": "not found"},
            {"role": "user", "content": [
                {"type": "text", "text": "Result of the tool call toolu_1:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            ]},
            {"role": "user", "content": "And hurry."},
        ])
    );
    assert_eq!((&body["reasoning_effort"], body.get("metadata")), (&json!("medium"), None));
    assert_eq!(
        lost,
        [
            "cache_control",
            "messages[2].reasoning",
            "messages[3].content",
            "messages[3].is_error",
            "reasoning.budget_tokens",
            "metadata",
            "context_management",
        ]
    );
}

#[test]
fn thinking_goes_back_to_those_who_take_it() {
    let said = |base: &str| {
        let (body, lost) = sent(PLAIN, base, &anthropic());
        let message = &body["messages"][2];
        let lost = lost.iter().any(|field| field == "messages[2].reasoning");
        (message.get("reasoning_content").cloned(), message.get("reasoning_details").is_some(), lost)
    };
    assert_eq!(said(OPENAI), (None, false, true));
    assert_eq!(said("https://api.groq.com/openai/v1"), (None, false, true));
    assert_eq!(said(UNKNOWN), (None, false, true), "nobody knows whether it would be refused");
    assert_eq!(said("https://api.deepseek.com/v1"), (Some(json!("Look twice.")), false, true), "but for the signature");
    assert_eq!(said(OPENROUTER), (Some(json!("Look twice.")), true, false));
    let body = br#"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_content":"Hm."},{"role":"user","content":"b"}]}"#;
    let (body, lost) = sent(PLAIN, UNKNOWN, &chat::read(body).unwrap());
    assert_eq!((&body["messages"][0]["reasoning_content"], lost), (&json!("Hm."), vec![]));
}

#[test]
fn effort_is_said_as_each_server_takes_it() {
    let said = |base: &str, wanted: ReasoningWanted| {
        let mut call = Call::new("m", Dialect::Anthropic);
        call.turns.push(Turn::text(Role::User, "Hi"));
        call.reasoning = Some(wanted);
        let (body, _) = sent(PLAIN, base, &call);
        (body.get("reasoning_effort").cloned(), body.get("reasoning").cloned())
    };
    let budget = |tokens| ReasoningWanted { budget_tokens: Some(tokens), ..ReasoningWanted::default() };
    for (tokens, effort) in [(0, "none"), (1024, "low"), (8192, "medium"), (30_000, "high")] {
        assert_eq!(said(OPENAI, budget(tokens)), (Some(json!(effort)), None));
    }
    assert_eq!(said(OPENROUTER, budget(4096)), (None, Some(json!({"max_tokens": 4096}))));
    let effort = ReasoningWanted { effort: Some("high".to_owned()), summary: Some("auto".to_owned()), budget_tokens: None };
    assert_eq!(said(OPENROUTER, effort.clone()), (None, Some(json!({"effort": "high"}))));
    assert_eq!(said(UNKNOWN, effort), (Some(json!("high")), None));
}

#[test]
fn codex_reaches_a_server_without_the_responses_endpoint() {
    let call = responses::read(fixture!("responses_codex.json").as_bytes()).unwrap();
    let (body, lost) = sent(PLAIN, UNKNOWN, &call);
    let tool_call =
        |id: &str, line: &str| json!({"id": id, "type": "function", "function": {"name": "shell", "arguments": line}});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "You are a coding agent."},
            {"role": "system", "content": "<permissions>read-only</permissions>"},
            {"role": "user", "content": [
                {"type": "text", "text": "Which files are here?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"}},
            ]},
            {"role": "assistant", "content": "I will look.", "tool_calls": [
                tool_call("call_a", "{\"command\":[\"ls\"]}"), tool_call("call_b", "{\"command\":[\"pwd\"]}"),
            ]},
            {"role": "tool", "tool_call_id": "call_a", "content": "src\ntarget"},
            {"role": "tool", "tool_call_id": "call_b", "content": "/work"},
        ])
    );
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&body["tool_choice"], &body["parallel_tool_calls"], &body["reasoning_effort"]),
        (&json!("auto"), &json!(true), &json!("medium"))
    );
    assert_eq!(body["response_format"]["json_schema"]["name"], "listing");
    assert_eq!(lost, ["messages[3].reasoning", "tools[1]", "reasoning.summary", "prompt_cache_key", "text.verbosity"]);
    let (body, lost) = sent(PLAIN, OPENAI, &call);
    assert_eq!((&body["verbosity"], &body["messages"][1]["role"]), (&json!("medium"), &json!("developer")));
    assert_eq!(body["prompt_cache_key"], "0199a213-81c0-7800-8aa1-bbab2a035a53");
    assert_eq!(lost, ["messages[3].reasoning", "tools[1]", "reasoning.summary"]);
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let read = |fields: &str| responses::read(format!(r#"{{"model":"m","input":"Hi",{fields}}}"#).as_bytes()).unwrap();
    for fields in [
        r#""previous_response_id":"resp_1""#,
        r#""conversation":"conv_1""#,
        r#""prompt":{"id":"pmpt_1"}"#,
        r#""background":true"#,
        r#""tools":[{"type":"web_search"}],"tool_choice":"required""#,
        r#""tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}"#,
    ] {
        assert_eq!(class(OPENAI, &read(fields)), FaultClass::Unsupported, "{fields}");
    }
    for fields in [r#""background":false"#, r#""store":false,"truncation":"disabled""#, r#""tools":[],"tool_choice":"auto""#] {
        assert_eq!(sent(PLAIN, OPENAI, &read(fields)).1, Vec::<String>::new(), "{fields}");
    }
    let odd = read(r#""background":"soon","store":"disabled","truncation":false"#);
    assert_eq!(sent(PLAIN, OPENAI, &odd).1, ["background", "store", "truncation"], "nobody asks for what happens anyway so");
    let item = responses::read(br#"{"model":"m","input":[{"type":"item_reference","id":"msg_1"}]}"#).unwrap();
    assert_eq!(class(OPENAI, &item), FaultClass::Unsupported);
    let with = |part: Part| {
        let mut call = Call::new("m", Dialect::Anthropic);
        call.turns.push(Turn { role: Role::User, parts: vec![part], name: None });
        call
    };
    let id = || Media::Id("file_1".to_owned());
    let url = || Media::Url("https://example.org/a".to_owned());
    assert_eq!(class(OPENAI, &with(Part::Image { source: id(), detail: None, cache: None })), FaultClass::Unsupported);
    assert_eq!(class(OPENAI, &with(Part::Audio { source: url(), format: None })), FaultClass::Unsupported);
    assert_eq!(class(OPENAI, &with(Part::File { source: url(), name: None, cache: None })), FaultClass::Unsupported);
    let other = Part::Other { said_in: Dialect::Anthropic, value: json!({"type": "search_result"}) };
    assert_eq!(class(OPENAI, &with(other)), FaultClass::Unsupported);
    let file = Part::File { source: url(), name: Some("a.pdf".to_owned()), cache: None };
    let (body, _) = sent(PLAIN, OPENROUTER, &with(file));
    let want = json!([{"type": "file", "file": {"file_data": "https://example.org/a", "filename": "a.pdf"}}]);
    assert_eq!(body["messages"][0]["content"], want);
}

#[test]
fn what_older_and_other_clients_write_is_repeated_to_servers_of_this_dialect() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://example.org/v.mp4"}}]},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
            {"role": "assistant", "content": "x", "prefix": true},
        ],
        "functions": [{"name": "f"}],
        "function_call": "auto",
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        "response_format": {"type": "grammar", "grammar": "root ::= x"},
        "min_p": 0.125,
    });
    let call = chat::read(body.to_string().as_bytes()).unwrap();
    let mut want = body;
    want["model"] = json!("target-model");
    assert_eq!(sent(PLAIN, UNKNOWN, &call), (want, vec![]));
}
