//! From Google's JSON to an answer.

use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, EmbedCall, Finish, Media, Part, Reasoning, Role},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{body, damaged, endpoint, fixture, flash, hello, turn};
use crate::{
    fault::{FaultClass, UpstreamFault},
    gemini::Gemini,
    seam::{Adapter, Operation},
};

fn answered(name: &str) -> Result<Answer, UpstreamFault> {
    Gemini.decode(&flash(), fixture(name).as_bytes())
}

fn answer(name: &str) -> Answer {
    answered(name).unwrap()
}

#[test]
fn a_plain_answer_is_read() {
    let Answer { id, model, choices, usage, said_in, extra, .. } = answer("text.json");
    assert_eq!((id.as_str(), model.as_str(), said_in), ("Il0taoSYJ5Cez7IPlaXAyQ4", "gemini-2.5-flash", Dialect::Gemini));
    assert_eq!(choices.len(), 1);
    assert_eq!(choices[0].parts, [Part::text("The Danube rises in the Black Forest.")]);
    assert_eq!((choices[0].finish, choices[0].logprobs.clone()), (Finish::Stop, None));
    assert_eq!(usage.unwrap(), TokenUsage { input: 9, output: 232, reasoning: 224, ..TokenUsage::default() });
    assert!(extra.is_empty());
}

#[test]
fn thoughts_and_calls_are_read_with_their_signatures() {
    let answer = answer("tools.json");
    let parts = &answer.choices[0].parts;
    let Part::Reasoning(Reasoning { id: Some(id), text, signature: None, sealed }) = &parts[0] else { panic!("{parts:?}") };
    assert!(id.starts_with("gmn_"), "{id}");
    assert_eq!(text, "**Looking up the weather**\n\nBoth towns are asked for.");
    assert_eq!(sealed.as_deref(), Some("CiIBcsjaf9+Q0rGm/dJ4cYk1bQ=="));
    assert_eq!(parts[1], Part::text("I will look."));
    let calls: Vec<_> = parts[2..]
        .iter()
        .map(|part| match part {
            Part::ToolCall { id, name, arguments, signature } => {
                (id.as_str(), name.as_str(), arguments.as_str(), signature.as_deref())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(calls[0].1, "weather");
    assert_eq!(calls[0].2, r#"{"city":"Ulm","days":2}"#);
    assert_eq!(calls[0].3, Some("CqYBcsjafzW/+3gbV8y0Kk3iX1Zt5nE0uQ=="));
    assert_eq!(calls[1], ("fc-8814", "weather", r#"{"city":"Linz"}"#, None));
    assert_eq!((calls[2].1, calls[2].2), ("now", "{}"));
    assert_eq!(answer.choices[0].finish, Finish::ToolCalls);
}

#[test]
fn ids_that_gemini_leaves_out_are_made_and_stay_the_same() {
    let ids = |answer: &Answer| -> Vec<String> {
        let parts = answer.choices[0].parts.iter();
        parts.filter_map(|part| if let Part::ToolCall { id, .. } = part { Some(id.clone()) } else { None }).collect()
    };
    let first = ids(&answer("tools.json"));
    assert_eq!(first, ids(&answer("tools.json")));
    assert!(first[0].starts_with("gmn_") && first[2].starts_with("gmn_"), "{first:?}");
    assert_ne!(first[0], first[2]);
    assert!(first[0].len() <= 40 && first[0].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
}

#[test]
fn an_answer_goes_back_as_it_came() {
    for (name, model) in [("tools.json", "gemini-3.5-flash"), ("signed_text.json", "gemini-3.1-flash-lite")] {
        let answer = answer(name);
        let asked = Call { turns: vec![turn(Role::Assistant, answer.choices[0].parts.clone())], ..hello() };
        let sent = body(&endpoint(model), &asked)["contents"][0]["parts"].clone();
        let came: Value = serde_json::from_str(&fixture(name)).unwrap();
        let came = came["candidates"][0]["content"]["parts"].clone();
        assert_eq!(signatures(&sent), signatures(&came), "{name}");
        assert_eq!(said(&sent), said(&came), "{name}");
    }
}

/// Each signature, with whether it is a thought's and the function it belongs to.
fn signatures(parts: &Value) -> Vec<(String, bool, Option<String>)> {
    let parts = parts.as_array().unwrap().iter();
    let signed = parts.filter_map(|part| {
        let signature = part["thoughtSignature"].as_str()?.to_owned();
        Some((signature, part["thought"] == json!(true), part["functionCall"]["name"].as_str().map(str::to_owned)))
    });
    signed.collect()
}

/// Texts and calls, without signatures and without what is empty.
fn said(parts: &Value) -> Vec<Value> {
    let parts = parts.as_array().unwrap().iter().map(|part| {
        let mut part = part.as_object().unwrap().clone();
        part.remove("thoughtSignature");
        if let Some(call) = part.get_mut("functionCall") {
            call["args"] = call.get("args").cloned().unwrap_or_else(|| json!({}));
        }
        Value::Object(part)
    });
    parts.filter(|part| part["text"] != json!("")).collect()
}

#[test]
fn candidates_come_in_order_with_log_probabilities_in_openais_form() {
    let answer = answer("two_candidates.json");
    let finishes: Vec<Finish> = answer.choices.iter().map(|choice| choice.finish).collect();
    assert_eq!(answer.choices[0].parts, [Part::text("First")]);
    assert_eq!(finishes, [Finish::Stop, Finish::Length]);
    assert_eq!(
        answer.choices[0].logprobs,
        Some(json!({
            "content": [
                {"token": "Fi", "logprob": -0.03, "bytes": [70, 105], "top_logprobs": [
                    {"token": "Fi", "logprob": -0.03, "bytes": [70, 105]},
                    {"token": "ö", "logprob": -4.5, "bytes": [195, 182]}
                ]},
                {"token": "rst", "logprob": -0.05, "bytes": [114, 115, 116], "top_logprobs": [
                    {"token": "rst", "logprob": -0.05, "bytes": [114, 115, 116]}
                ]}
            ],
            "refusal": null
        }))
    );
    assert_eq!(answer.extra["candidates"], json!([{"avgLogprobs": -0.04}, {}]));
}

#[test]
fn what_has_no_word_is_kept_beside_the_answer() {
    let answer = answer("grounded.json");
    let parts = &answer.choices[0].parts;
    let code = json!({"executableCode": {"language": "PYTHON", "code": "print(2**10)"}});
    assert_eq!(parts[0], Part::Other { said_in: Dialect::Gemini, value: code });
    assert!(matches!(&parts[1], Part::Other { value, .. } if value["codeExecutionResult"]["output"] == json!("1024\n")));
    assert_eq!(parts[2..], [Part::text("It is 1024. Spain won.")]);
    assert_eq!(answer.extra["candidates"][0]["groundingMetadata"]["webSearchQueries"], json!(["who won euro 2024"]));
    assert!(answer.extra["promptFeedback"]["safetyRatings"].is_array());
}

#[test]
fn pictures_and_sounds_are_parts() {
    let parts = answer("drawn.json").choices.remove(0).parts;
    let media = |media_type: &str, data: &str| Media::Base64 { media_type: media_type.into(), data: data.into() };
    let image = Part::Image { source: media("image/png", "iVBORw0KGgoAAAANSUhEUg=="), detail: None, cache: None };
    assert_eq!(parts[1], image);
    let signed = json!({"text": "", "thoughtSignature": "Eo8BCowBAb4+9vs="});
    assert_eq!(parts[2], Part::Other { said_in: Dialect::Gemini, value: signed });
    assert_eq!(parts[3], Part::Audio { source: media("audio/L16;codec=pcm;rate=24000", "AAABAAI="), format: None });
}

fn ending(reason: &str) -> Result<Finish, FaultClass> {
    let body = json!({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": reason}]}).to_string();
    let answer = Gemini.decode(&flash(), body.as_bytes());
    answer.map(|answer| answer.choices[0].finish).map_err(|fault| fault.class)
}

#[test]
fn reasons_to_end_are_told_apart() {
    let table: [(&[&str], Result<Finish, FaultClass>); 4] = [
        (&["STOP", "FINISH_REASON_UNSPECIFIED", "OTHER", "A_NEW_ONE"], Ok(Finish::Stop)),
        (&["MAX_TOKENS"], Ok(Finish::Length)),
        (
            &[
                "SAFETY",
                "RECITATION",
                "LANGUAGE",
                "BLOCKLIST",
                "PROHIBITED_CONTENT",
                "SPII",
                "MODEL_ARMOR",
                "IMAGE_SAFETY",
                "IMAGE_PROHIBITED_CONTENT",
                "IMAGE_RECITATION",
            ],
            Ok(Finish::ContentFilter),
        ),
        (
            &[
                "MALFORMED_FUNCTION_CALL",
                "MALFORMED_RESPONSE",
                "MISSING_THOUGHT_SIGNATURE",
                "NO_IMAGE",
                "TOO_MANY_TOOL_CALLS",
                "UNEXPECTED_TOOL_CALL",
            ],
            Err(FaultClass::Malformed),
        ),
    ];
    for (reasons, want) in table {
        for reason in reasons {
            assert_eq!(ending(reason), want, "{reason}");
        }
    }
    assert_eq!(answer("safety.json").choices[0].finish, Finish::ContentFilter);
}

#[test]
fn a_refused_prompt_is_a_fault_that_says_what_it_used() {
    let fault = answered("blocked.json").unwrap_err();
    assert_eq!((fault.class, fault.said.as_deref()), (FaultClass::ContentFilter, Some("PROHIBITED_CONTENT")));
    let used = Gemini.usage(Operation::Chat, &fault.body.unwrap()).unwrap();
    assert_eq!((used.input, used.output), (57, 0));
    let fault = answered("malformed_call.json").unwrap_err();
    assert_eq!((fault.class, fault.said.as_deref()), (FaultClass::Malformed, Some("MALFORMED_FUNCTION_CALL")));
    assert_eq!(Gemini.usage(Operation::Chat, &fault.body.unwrap()).unwrap().input, 2595);
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in
        ["", "null", "[]", "{}", r#"{"candidates": []}"#, r#"{"candidates": {}}"#, r#"{"candidates": [{"index": -1}]}"#, "<html>"]
    {
        let fault = Gemini.decode(&flash(), body.as_bytes()).unwrap_err();
        assert_eq!(fault.class, FaultClass::Malformed, "{body}");
    }
    // Odd numbers make an answer unpriced, not unread.
    let odd = r#"{"candidates": [{"content": {"parts": [{"text": "x"}]}}], "usageMetadata": {"promptTokenCount": -3}}"#;
    let answer = Gemini.decode(&flash(), odd.as_bytes()).unwrap();
    assert_eq!((answer.usage, answer.choices[0].finish), (None, Finish::Stop));
}

#[test]
fn texts_become_vectors_in_their_order() {
    let asked = EmbedCall {
        model: "any".into(),
        inputs: vec!["a".into(), "b".into()],
        dimensions: Some(3),
        user: None,
        extra: Map::from_iter([("taskType".to_owned(), json!("RETRIEVAL_QUERY"))]),
    };
    let endpoint = endpoint("gemini-embedding-001");
    let outgoing = Gemini.encode_embed(&endpoint, &asked).unwrap();
    assert!(outgoing.uri.path().ends_with("/models/gemini-embedding-001:batchEmbedContents"), "{}", outgoing.uri);
    let request = |text: &str| {
        json!({
            "model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": text}]},
            "outputDimensionality": 3,
            "taskType": "RETRIEVAL_QUERY"
        })
    };
    let sent: Value = serde_json::from_slice(&outgoing.body).unwrap();
    assert_eq!(sent, json!({"requests": [request("a"), request("b")]}));
    let answer = Gemini.decode_embed(&endpoint, fixture("embeddings.json").as_bytes()).unwrap();
    assert_eq!(answer.vectors, vec![vec![-0.02216_f32, 0.5, 0.013], vec![0.25, -1.0, 0.0]]);
    assert_eq!((answer.usage, answer.model.as_str()), (None, "gemini-embedding-001"));
    let counted = r#"{"embeddings": [{"values": [1.0]}], "usageMetadata": {"promptTokenCount": 5}}"#;
    assert_eq!(Gemini.decode_embed(&endpoint, counted.as_bytes()).unwrap().usage.unwrap().input, 5);
    assert_eq!(Gemini.decode_embed(&endpoint, b"{}").unwrap_err().class, FaultClass::Malformed);
}

const WHOLE: &[&str] = &["text.json", "tools.json", "two_candidates.json", "grounded.json", "drawn.json", "blocked.json"];

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Gemini.decode(&flash(), &bytes);
        let _ = Gemini.decode_embed(&flash(), &bytes);
        let _ = Gemini.usage(Operation::Chat, &bytes);
    }

    #[test]
    fn no_damaged_answer_makes_the_readers_panic(bytes in damaged(WHOLE)) {
        let _ = Gemini.decode(&flash(), &bytes);
        let _ = Gemini.usage(Operation::Chat, &bytes);
    }
}
