//! From Converse's JSON to an answer.

use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, EmbedCall, Finish, Media, Part, Reasoning, Role, Tool, Turn},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{CLAUDE, body, endpoint, fixture, hello, turn};
use crate::{
    bedrock::Bedrock,
    fault::FaultClass,
    seam::{Adapter, Operation},
};

fn answer(name: &str) -> Answer {
    Bedrock.decode(&endpoint(CLAUDE), fixture(name).as_bytes()).unwrap()
}

#[test]
fn a_plain_answer_is_read() {
    let Answer { id, model, choices, usage, said_in, service_tier, extra, .. } = answer("text.json");
    assert_eq!((id.as_str(), model.as_str(), said_in, service_tier), ("", CLAUDE, Dialect::Bedrock, None));
    assert_eq!(choices[0].parts, [Part::text("The Danube rises in the Black Forest.")]);
    assert_eq!((choices.len(), choices[0].finish), (1, Finish::Stop));
    assert_eq!(usage.unwrap(), TokenUsage { input: 125, output: 60, ..TokenUsage::default() });
    assert_eq!(extra["metrics"], json!({"latencyMs": 1275}));
}

#[test]
fn thoughts_and_calls_are_read() {
    let answer = answer("tools.json");
    let thought = Reasoning {
        text: "Two towns are asked for.".into(),
        signature: Some("ErUBCkYIBxgCIkDcX0+/q1n8Q==".into()),
        ..Reasoning::default()
    };
    let redacted = Reasoning { sealed: Some("EmwKAhgBEgy3va3pzix/Lafp".into()), ..Reasoning::default() };
    let call = |id: &str, name: &str, arguments: &str| Part::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    };
    assert_eq!(
        answer.choices[0].parts,
        [
            Part::Reasoning(thought),
            Part::Reasoning(redacted),
            Part::text("I will look."),
            call("tooluse_hbTgdi0CSLq_hM4P8csZJA", "weather", r#"{"city":"Ulm","days":2}"#),
            call("tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "now", "{}"),
        ]
    );
    assert_eq!(answer.choices[0].finish, Finish::ToolCalls);
    assert_eq!(answer.service_tier.as_deref(), Some("priority"));
    let used = answer.usage.unwrap();
    assert_eq!((used.input, used.cache_read, used.cache_write, used.cache_write_hour), (2967, 2048, 300, 200));
}

#[test]
fn an_answer_goes_back_as_it_came() {
    let tool = Tool::Function { name: "weather".into(), description: None, parameters: None, strict: None, cache: None };
    let spoken = turn(Role::Assistant, answer("tools.json").choices.remove(0).parts);
    let asked = Call { turns: vec![Turn::text(Role::User, "Weather?"), spoken], tools: vec![tool], ..hello() };
    let came: Value = serde_json::from_str(&fixture("tools.json")).unwrap();
    assert_eq!(body(CLAUDE, &asked)["messages"][1]["content"], came["output"]["message"]["content"]);
}

#[test]
fn a_stop_sequence_is_named_where_the_model_names_it() {
    let choice = answer("stopped.json").choices.remove(0);
    assert_eq!((choice.finish, choice.stop_sequence.as_deref()), (Finish::Stop, Some("END")));
}

#[test]
fn what_has_no_word_is_kept_beside_the_answer() {
    let answer = answer("cited.json");
    let parts = &answer.choices[0].parts;
    assert_eq!(parts[0], Part::text("It closes at six."));
    assert!(
        matches!(&parts[1], Part::Other { value, .. } if value["citationsContent"]["citations"][0]["title"] == json!("hours"))
    );
    let source = Media::Base64 { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() };
    assert_eq!(parts[2], Part::Image { source, detail: None, cache: None });
    assert!(matches!(&parts[3], Part::Other { value, .. } if value.get("video").is_some()));
    assert_eq!(answer.choices[0].finish, Finish::ContentFilter);
    assert!(answer.extra.contains_key("trace"));
}

fn ending(reason: &str) -> Result<Finish, FaultClass> {
    let body = json!({"output": {"message": {"content": [{"text": "x"}]}}, "stopReason": reason}).to_string();
    let answer = Bedrock.decode(&endpoint(CLAUDE), body.as_bytes());
    answer.map(|answer| answer.choices[0].finish).map_err(|fault| fault.class)
}

#[test]
fn reasons_to_end_are_told_apart() {
    for (reason, want) in [
        ("end_turn", Ok(Finish::Stop)),
        ("stop_sequence", Ok(Finish::Stop)),
        ("a_new_one", Ok(Finish::Stop)),
        ("tool_use", Ok(Finish::ToolCalls)),
        ("max_tokens", Ok(Finish::Length)),
        ("model_context_window_exceeded", Ok(Finish::Length)),
        ("guardrail_intervened", Ok(Finish::ContentFilter)),
        ("content_filtered", Ok(Finish::ContentFilter)),
        ("malformed_model_output", Err(FaultClass::Malformed)),
        ("malformed_tool_use", Err(FaultClass::Malformed)),
    ] {
        assert_eq!(ending(reason), want, "{reason}");
    }
}

#[test]
fn an_answer_that_broke_off_says_what_it_used() {
    let body = json!({"output": {"message": {"content": []}}, "stopReason": "malformed_tool_use",
        "usage": {"inputTokens": 7, "outputTokens": 2}})
    .to_string();
    let fault = Bedrock.decode(&endpoint(CLAUDE), body.as_bytes()).unwrap_err();
    let used = Bedrock.usage(Operation::Chat, &fault.body.unwrap()).unwrap();
    assert_eq!((used.input, used.output), (7, 2));
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in ["", "null", "{}", r#"{"output": {}}"#, r#"{"output": {"message": {"content": "x"}}}"#, "<html>"] {
        let fault = Bedrock.decode(&endpoint(CLAUDE), body.as_bytes()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Malformed, "{body}");
    }
    let odd = r#"{"output": {"message": {"content": [{"text": "x"}]}}, "usage": {"inputTokens": -3}}"#;
    assert_eq!(Bedrock.decode(&endpoint(CLAUDE), odd.as_bytes()).unwrap().usage, None);
}

fn texts(inputs: &[&str], dimensions: Option<u32>) -> EmbedCall {
    let inputs = inputs.iter().map(|text| (*text).to_owned()).collect();
    EmbedCall { model: "any".into(), inputs, dimensions, user: None, extra: Map::new() }
}

#[track_caller]
fn embeds(model: &str, call: &EmbedCall, want: Value) {
    let outgoing = Bedrock.encode_embed(&endpoint(model), call).unwrap();
    assert!(outgoing.uri.path().ends_with("/invoke"), "{}", outgoing.uri);
    assert_eq!(serde_json::from_slice::<Value>(&outgoing.body).unwrap(), want);
}

#[test]
fn texts_become_vectors() {
    embeds("amazon.titan-embed-text-v2:0", &texts(&["a"], Some(256)), json!({"inputText": "a", "dimensions": 256}));
    embeds("amazon.titan-embed-text-v1", &texts(&["a"], None), json!({"inputText": "a"}));
    let plain = json!({"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]});
    embeds("cohere.embed-multilingual-v3", &texts(&["a", "b"], None), plain);
    let mut query = texts(&["a"], Some(512));
    query.extra.insert("input_type".into(), json!("search_query"));
    let sized = json!({"texts": ["a"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 512});
    embeds("cohere.embed-v4:0", &query, sized);
    for (model, call) in [
        ("amazon.titan-embed-text-v2:0", texts(&["a", "b"], None)),
        ("amazon.titan-embed-text-v1", texts(&["a"], Some(256))),
        ("cohere.embed-english-v3", texts(&["a"], Some(256))),
        (CLAUDE, texts(&["a"], None)),
    ] {
        assert_eq!(Bedrock.encode_embed(&endpoint(model), &call).unwrap_err().class, FaultClass::Unsupported, "{model}");
    }
}

#[test]
fn vectors_are_read_in_every_form() {
    let read = |name: &str| Bedrock.decode_embed(&endpoint("cohere.embed-v4:0"), fixture(name).as_bytes()).unwrap();
    let titan = read("titan.json");
    assert_eq!((titan.vectors, titan.usage.unwrap().input), (vec![vec![-0.0829_f32, 0.5, 0.0125]], 7));
    for name in ["cohere.json", "cohere_floats.json"] {
        assert_eq!(read(name).vectors, vec![vec![0.25_f32, -1.0], vec![0.5, 0.0]], "{name}");
    }
    for body in ["{}", "[]", r#"{"embeddings": {"int8": [[1]]}}"#] {
        let fault = Bedrock.decode_embed(&endpoint("cohere.embed-v4:0"), body.as_bytes()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Malformed, "{body}");
    }
}

/// An answer with one byte changed, or cut, or both.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let name =
        proptest::sample::select(vec!["text.json", "tools.json", "stopped.json", "cited.json", "titan.json", "cohere.json"]);
    (name, any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(name, at, byte, cut, whole)| {
            let mut bytes = fixture(name).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Bedrock.decode(&endpoint(CLAUDE), &bytes);
        let _ = Bedrock.decode_embed(&endpoint(CLAUDE), &bytes);
        let _ = Bedrock.usage(Operation::Chat, &bytes);
    }

    #[test]
    fn no_damaged_answer_makes_the_readers_panic(bytes in damaged()) {
        let _ = Bedrock.decode(&endpoint(CLAUDE), &bytes);
        let _ = Bedrock.decode_embed(&endpoint(CLAUDE), &bytes);
        let _ = Bedrock.usage(Operation::Chat, &bytes);
    }
}
