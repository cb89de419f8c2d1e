//! What Converse cannot say: listed where the answer stays the same, refused where it would be another.

use mainspring_llm::exchange::{Call, Dialect, Format, Media, Part, Role, Tool, Turn};
use serde_json::json;

use super::{CLAUDE, NOVA, asks, encoded, hello, lost, png, turn, weather};
use crate::fault::FaultClass;

#[track_caller]
fn loses(change: impl FnOnce(&mut Call), want: &[&str]) {
    let mut asked = hello();
    change(&mut asked);
    assert_eq!(lost(NOVA, &asked), want);
}

#[test]
fn what_converse_cannot_say_is_listed() {
    loses(|call| call.user = Some("u".into()), &["user"]);
    loses(|call| call.seed = Some(7), &["seed"]);
    loses(|call| call.frequency_penalty = Some(0.5), &["frequency_penalty"]);
    loses(|call| call.presence_penalty = Some(0.5), &["presence_penalty"]);
    loses(|call| call.presence_penalty = Some(0.0), &[]);
    loses(|call| call.temperature = Some(1.5), &["temperature"]);
    loses(|call| call.n = Some(1), &[]);
    loses(|call| call.service_tier = Some("scale".into()), &["service_tier"]);
    loses(|call| call.service_tier = Some("auto".into()), &[]);
    loses(|call| call.format = Format::Json, &["response_format"]);
    loses(|call| drop(call.metadata.insert("a".into(), json!("{odd}"))), &["metadata.a"]);
    loses(|call| drop(call.extra.insert("logit_bias".into(), json!({"1": 2}))), &["logit_bias"]);
    loses(|call| drop(call.extra.insert("modalities".into(), json!(["text"]))), &[]);
    loses(|call| call.turns[0].name = Some("ada".into()), &["messages[0].name"]);
    loses(|call| call.turns.push(Turn::text(Role::Developer, "Hurry.")), &["messages[1]"]);
    loses(
        |call| call.turns[0].parts.push(Part::Image { source: png(), detail: Some("high".into()), cache: None }),
        &["messages[0].detail"],
    );
    loses(
        |call| {
            call.tools.push(weather());
            call.parallel_tools = Some(false);
        },
        &["parallel_tool_calls"],
    );
    let theirs = Part::Other { said_in: Dialect::Anthropic, value: json!({"type": "server_tool_use"}) };
    loses(|call| call.turns.push(turn(Role::Assistant, vec![theirs])), &["messages[1]"]);
    loses(
        |call| {
            call.tools.push(weather());
            call.turns.push(turn(Role::Assistant, vec![asks("c", "weather", "{\"city\": \"Par")]));
        },
        &["messages[1].tool_calls"],
    );
    let mut asked = Call { top_k: Some(5), ..hello() };
    assert_eq!(lost("meta.llama3-3-70b-instruct-v1:0", &asked), ["top_k"]);
    asked.top_k = None;
    assert_eq!(lost("meta.llama3-3-70b-instruct-v1:0", &asked), [""; 0]);
}

#[track_caller]
fn refuses(change: impl FnOnce(&mut Call)) {
    let mut asked = hello();
    change(&mut asked);
    let fault = encoded(CLAUDE, &asked).unwrap_err();
    assert_eq!(fault.class, FaultClass::Unsupported, "{fault}");
}

#[test]
fn what_would_be_another_answer_is_refused() {
    refuses(|call| call.n = Some(2));
    refuses(|call| call.logprobs = Some(0));
    refuses(|call| call.tools.push(Tool::Hosted { said_in: Dialect::Anthropic, value: json!({"type": "web_search_20250305"}) }));
    refuses(|call| call.turns[0].parts.push(Part::Other { said_in: Dialect::OpenAiChat, value: json!({"type": "x"}) }));
    let by_address = |address: &str| Part::Image { source: Media::Url(address.into()), detail: None, cache: None };
    refuses(|call| call.turns[0].parts.push(by_address("https://example.org/a.png")));
    refuses(|call| call.turns[0].parts.push(by_address("data:image/bmp;base64,AAAA")));
    refuses(|call| call.turns[0].parts.push(Part::File { source: Media::Id("file-1".into()), name: None, cache: None }));
    let zip = Media::Base64 { media_type: "application/zip".into(), data: "AAAA".into() };
    refuses(|call| call.turns[0].parts.push(Part::File { source: zip, name: Some("a.zip".into()), cache: None }));
    refuses(|call| call.turns.insert(0, turn(Role::System, vec![Part::Image { source: png(), detail: None, cache: None }])));
    refuses(|call| drop(call.extra.insert("conversation".into(), json!("conv_1"))));
    refuses(|call| drop(call.extra.insert("modalities".into(), json!(["text", "audio"]))));
}
