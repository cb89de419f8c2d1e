use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Finish, Part, Reasoning},
};
use serde_json::json;

use super::{MESSAGE_CACHED, MESSAGE_SEARCH, MESSAGE_TOOLS, SEALED, SIGNATURE, endpoint, json};
use crate::{
    anthropic::Anthropic,
    fault::FaultClass,
    seam::{Adapter, Operation},
};

fn decode(body: &str) -> mainspring_llm::exchange::Answer {
    Anthropic.decode(&endpoint("claude-sonnet-4-5"), body.as_bytes()).unwrap()
}

#[test]
fn cached_tokens_are_part_of_the_input_and_counted_once() {
    let answer = decode(MESSAGE_CACHED);
    let usage = TokenUsage {
        input: 21 + 1248 + 18_930,
        output: 17,
        cache_read: 18_930,
        cache_write: 248,
        cache_write_hour: 1000,
        ..TokenUsage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(usage.buckets().input, 21);
    assert_eq!(usage.buckets().total(), usage.total());
    assert_eq!(answer.choices[0].finish, Finish::Stop);
    assert_eq!(answer.choices[0].stop_sequence.as_deref(), Some("\n\n"));
    assert_eq!((answer.model.as_str(), answer.service_tier.as_deref()), ("claude-sonnet-4-5-20250929", Some("standard")));
    assert!(answer.extra.is_empty(), "{:?}", answer.extra);
}

#[test]
fn thinking_keeps_its_signatures_and_tools_their_arguments() {
    let answer = decode(MESSAGE_TOOLS);
    let tool = |id: &str, name: &str, arguments: &str| Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    };
    let thought = "Two cities are asked for, so both are looked up at once.";
    assert_eq!(
        answer.choices[0].parts,
        [
            Part::Reasoning(Reasoning {
                text: thought.to_owned(),
                signature: Some(SIGNATURE.to_owned()),
                ..Reasoning::default()
            }),
            Part::Reasoning(Reasoning { sealed: Some(SEALED.to_owned()), ..Reasoning::default() }),
            Part::text("Ich sehe nach. ☂"),
            tool("toolu_01A09q90qw90lq917835lq9", "weather", r#"{"city":"Köln","days":3}"#),
            tool("toolu_01B09q90qw90lq917835lq9", "now", "{}"),
        ]
    );
    assert_eq!(answer.choices[0].finish, Finish::ToolCalls);
    assert_eq!(answer.usage.unwrap().reasoning, 61);
}

#[test]
fn what_has_no_word_is_kept_as_it_was_said() {
    let answer = decode(MESSAGE_SEARCH);
    let original = json(MESSAGE_SEARCH);
    let parts = &answer.choices[0].parts;
    assert_eq!(parts[1], Part::Other { said_in: Dialect::Anthropic, value: original["content"][1].clone() });
    assert_eq!(parts[2], Part::Other { said_in: Dialect::Anthropic, value: original["content"][2].clone() });
    assert_eq!(parts[3], Part::text("The Jeddah Light stands 133 metres tall."));
    let citations = json!({"type": "citations", "citations": original["content"][3]["citations"]});
    assert_eq!(parts[4], Part::Other { said_in: Dialect::Anthropic, value: citations });
    assert_eq!(answer.choices[0].finish, Finish::Pause);
    assert_eq!(answer.extra.get("container"), Some(&original["container"]));
}

#[test]
fn every_reason_to_end_has_a_word() {
    for (reason, finish) in [
        (json!("end_turn"), Finish::Stop),
        (json!("stop_sequence"), Finish::Stop),
        (json!("max_tokens"), Finish::Length),
        (json!("model_context_window_exceeded"), Finish::Length),
        (json!("tool_use"), Finish::ToolCalls),
        (json!("refusal"), Finish::ContentFilter),
        (json!("pause_turn"), Finish::Pause),
        (json!("some_day"), Finish::Stop),
        (json!(null), Finish::Stop),
    ] {
        let mut body = json(MESSAGE_CACHED);
        body["stop_reason"] = reason.clone();
        assert_eq!(decode(&body.to_string()).choices[0].finish, finish, "{reason}");
    }
}

#[test]
fn what_is_no_message_is_a_fault() {
    let refused = |body: &str| Anthropic.decode(&endpoint("claude-sonnet-4-5"), body.as_bytes()).unwrap_err().class;
    for body in ["", "<html>", "[]", "{}", r#"{"content": "text"}"#, r#"{"content": [1]}"#, r#"{"content": [{"type": "text"}]}"#]
    {
        assert_eq!(refused(body), FaultClass::Malformed, "{body}");
    }
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(refused(error), FaultClass::Overloaded);
}

#[test]
fn usage_of_what_passes_through_is_found_without_reading_the_rest() {
    let usage = |body: &str| Anthropic.usage(Operation::Messages, body.as_bytes());
    assert_eq!(usage(MESSAGE_CACHED), decode(MESSAGE_CACHED).usage);
    assert_eq!(usage(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\"usage\""}}"#), None);
    assert_eq!(usage(r#"{"type":"ping"}"#), None);
    assert_eq!(usage(r#"{"usage": 5}"#), None);
    assert_eq!(usage("rubbish \"usage\""), None);
    assert_eq!(Anthropic.usage(Operation::CountTokens, br#"{"input_tokens": 5, "usage": {"input_tokens": 5}}"#), None);
}

#[test]
fn the_end_of_a_stream_does_not_count_again_what_its_beginning_wrote_to_the_cache() {
    let usage = |event: &str| Anthropic.usage(Operation::Messages, event.as_bytes()).unwrap();
    let start = r#"{"type":"message_start","message":{"type":"message","content":[],"usage":{"input_tokens":25,
        "cache_creation_input_tokens":100,"cache_read_input_tokens":2000,
        "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":100},"output_tokens":1}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},
        "usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"output_tokens":15}}"#;
    let mut all = usage(start);
    all.merge(&usage(delta));
    let pieces = all.buckets();
    assert_eq!((all.input, all.output), (2125, 15));
    assert_eq!((pieces.input, pieces.cache_read, pieces.cache_write, pieces.cache_write_hour), (25, 2000, 0, 100));
}

#[test]
fn what_the_end_of_a_stream_wrote_to_the_cache_beyond_its_beginning_is_no_plain_input() {
    let usage = |event: &str| Anthropic.usage(Operation::Messages, event.as_bytes()).unwrap();
    // A search of the web: the model is asked again with what was found.
    let start = r#"{"type":"message_start","message":{"type":"message","content":[],"usage":{"input_tokens":90,
        "cache_creation_input_tokens":0,"cache_read_input_tokens":0,
        "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":3}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},
        "usage":{"input_tokens":97,"cache_creation_input_tokens":700,"cache_read_input_tokens":0,"output_tokens":15}}"#;
    let mut all = usage(start);
    all.merge(&usage(delta));
    assert_eq!((all.input, all.output), (797, 15));
    assert_eq!((all.buckets().input, all.buckets().cache_write, all.buckets().cache_write_hour), (97, 700, 0));
}

#[test]
fn what_compacting_a_conversation_used_is_counted() {
    let turns = |compacted: u32, answered: u32| {
        json!([
            {"type": "compaction", "input_tokens": compacted, "output_tokens": 40, "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30}},
            {"type": "message", "input_tokens": answered, "output_tokens": 12, "cache_read_input_tokens": 5},
        ])
    };
    let whole = json!({
        "type": "message", "id": "msg_1", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "compaction", "content": "Shorter."}, {"type": "text", "text": "Hi."}],
        "usage": {"input_tokens": 20, "output_tokens": 12, "cache_read_input_tokens": 5, "iterations": turns(9000, 20)},
    });
    let answer = decode(&whole.to_string());
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.output), (9000 + 30 + 20 + 5, 40 + 12));
    assert_eq!((usage.cache_read, usage.cache_write, usage.cache_write_hour), (5, 0, 30));
    assert_eq!(Anthropic.usage(Operation::Messages, whole.to_string().as_bytes()), Some(usage));
    // Compacted, and handed back before the answer.
    let paused = json!({"type": "message", "stop_reason": "compaction", "content": [], "usage": {"input_tokens": 0, "output_tokens": 0, "iterations": [turns(9000, 0)[0]]}});
    let answer = decode(&paused.to_string());
    assert_eq!((answer.choices[0].finish, answer.usage.unwrap().total()), (Finish::Pause, 9000 + 30 + 40));
    // The turns of the model alone say no more than their sum.
    let plain = json!({"content": [], "usage": {"input_tokens": 20, "output_tokens": 12, "iterations": [turns(0, 20)[1]]}});
    assert_eq!(decode(&plain.to_string()).usage.unwrap().total(), 20 + 5 + 12);
}
