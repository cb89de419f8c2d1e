//! What is written is what is read again, and bytes of any kind never panic.

use mainspring_llm::{
    TokenUsage,
    exchange::{
        Answer, Call, Choice, Dialect, Event, Finish, Format, Media, Part, Reasoning, ReasoningWanted, Role, Tool, ToolChoice,
        Turn,
    },
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json};

use super::{OPENAI, PLAIN, UNKNOWN, at, decoded, events, fixture, streamed};
use crate::{
    openai::{chat, responses},
    seam::Adapter,
};

const CHAT: Dialect = Dialect::OpenAiChat;

fn words() -> impl Strategy<Value = String> {
    "\\PC{1,12}"
}

fn names() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

/// Numbers that are the same however they are read.
fn eighths() -> impl Strategy<Value = f64> {
    (-16_i32..16).prop_map(|number| f64::from(number) / 8.0)
}

fn marks() -> impl Strategy<Value = Option<Value>> {
    option::of(Just(json!({"type": "ephemeral"})))
}

fn media(media_type: &'static str) -> impl Strategy<Value = Media> {
    prop_oneof![
        "[a-z]{1,8}".prop_map(|name| Media::Url(format!("https://example.org/{name}"))),
        "[A-Za-z0-9+/]{4,12}".prop_map(move |data| Media::Base64 { media_type: media_type.to_owned(), data }),
    ]
}

fn content() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => (words(), marks()).prop_map(|(text, cache)| Part::Text { text, cache }),
        1 => (media("image/png"), option::of(names()), marks()).prop_map(|(source, detail, cache)| Part::Image { source, detail, cache }),
        1 => "[A-Za-z0-9]{4,12}".prop_map(|data| Part::Audio {
            source: Media::Base64 { media_type: "audio/wav".to_owned(), data },
            format: Some("wav".to_owned()),
        }),
        1 => (media("application/pdf"), option::of(names()), marks()).prop_map(|(source, name, cache)| Part::File { source, name, cache }),
        1 => names().prop_map(|id| Part::File { source: Media::Id(id), name: None, cache: None }),
        1 => names().prop_map(|name| Part::Other { said_in: CHAT, value: json!({"type": "x", "name": name}) }),
    ]
}

fn tool_calls() -> impl Strategy<Value = Part> {
    (names(), names(), "\\PC{1,12}", option::of(names())).prop_map(|(id, name, arguments, signature)| Part::ToolCall {
        id,
        name,
        arguments,
        signature,
    })
}

/// At most one that is plain: several are one in this dialect.
fn thoughts() -> impl Strategy<Value = Vec<Part>> {
    let plain = words().prop_map(|text| vec![Reasoning { text, ..Reasoning::default() }]);
    let signed =
        (words(), names()).prop_map(|(text, signature)| Reasoning { text, signature: Some(signature), ..Reasoning::default() });
    let sealed = names().prop_map(|sealed| Reasoning { sealed: Some(sealed), ..Reasoning::default() });
    let own = (names(), words(), names()).prop_map(|(id, text, sealed)| Reasoning {
        id: Some(id),
        text,
        signature: None,
        sealed: Some(sealed),
    });
    prop_oneof![Just(Vec::<Reasoning>::new()), plain, vec(prop_oneof![signed, sealed, own], 1..3)]
        .prop_map(|thoughts| thoughts.into_iter().map(Part::Reasoning).collect::<Vec<_>>())
}

/// Parts of what a model said, in the order that chat gives them.
fn said(texts: impl Strategy<Value = Vec<Part>>) -> impl Strategy<Value = Vec<Part>> {
    let refusal = option::of(words().prop_map(|text| Part::Refusal { text }));
    let fields = option::of(words().prop_map(|text| Part::Other { said_in: CHAT, value: json!({"x_field": text}) }));
    (thoughts(), texts, refusal, vec(tool_calls(), 0..3), fields).prop_map(|(thoughts, texts, refusal, calls, fields)| {
        thoughts.into_iter().chain(texts).chain(refusal).chain(calls).chain(fields).collect::<Vec<_>>()
    })
}

fn turns() -> impl Strategy<Value = Turn> {
    let texts = vec((words(), marks()).prop_map(|(text, cache)| Part::Text { text, cache }), 0..3);
    let heard =
        (prop_oneof![Just(Role::System), Just(Role::User), Just(Role::Developer)], vec(content(), 1..4), option::of(names()))
            .prop_map(|(role, parts, name)| Turn { role, parts, name });
    let answered = (said(texts), option::of(names())).prop_map(|(parts, name)| Turn { role: Role::Assistant, parts, name });
    let result = (names(), option::of(names()), vec(content(), 1..3), marks()).prop_map(|(id, name, parts, cache)| Turn {
        role: Role::Tool,
        parts: vec![Part::ToolResult { id, name, parts, is_error: false, cache }],
        name: None,
    });
    prop_oneof![heard, answered, result]
}

fn tools() -> impl Strategy<Value = Tool> {
    let schema = Just(json!({"type": "object", "properties": {}}));
    prop_oneof![
        4 => (names(), option::of(words()), option::of(schema), option::of(any::<bool>()), marks()).prop_map(
            |(name, description, parameters, strict, cache)| Tool::Function { name, description, parameters, strict, cache }
        ),
        1 => names().prop_map(|name| Tool::Hosted { said_in: CHAT, value: json!({"type": "custom", "custom": {"name": name}}) }),
    ]
}

fn formats() -> impl Strategy<Value = Format> {
    let schema = (names(), option::of(any::<bool>()), option::of(words()))
        .prop_map(|(name, strict, description)| Format::Schema { name, schema: json!({"type": "object"}), strict, description });
    prop_oneof![Just(Format::Text), Just(Format::Json), schema]
}

fn choices() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        names().prop_map(ToolChoice::Function),
    ]
}

fn calls() -> impl Strategy<Value = Call> {
    let talk = (vec(turns(), 1..5), vec(tools(), 0..3), option::of(choices()), option::of(any::<bool>()), formats());
    let numbers = (
        option::of(any::<u32>()),
        option::of(eighths()),
        option::of(eighths()),
        option::of(any::<u32>()),
        option::of(any::<i64>()),
    );
    let more = (option::of(eighths()), option::of(eighths()), option::of(1_u32..9), option::of(0_u8..20), vec(words(), 0..3));
    let who =
        (option::of(names()), option::of(names()), option::of(names()), any::<bool>(), option::of(names()), option::of(words()));
    (talk, numbers, more, who).prop_map(|(talk, numbers, more, who)| {
        let mut call = Call::new("target-model", CHAT);
        (call.turns, call.tools, call.tool_choice, call.parallel_tools, call.format) = talk;
        (call.max_tokens, call.temperature, call.top_p, call.top_k, call.seed) = numbers;
        (call.frequency_penalty, call.presence_penalty, call.n, call.logprobs, call.stop) = more;
        let (user, tier, effort, stream, team, extra) = who;
        (call.user, call.service_tier, call.stream) = (user, tier, stream);
        call.reasoning = effort.map(|effort| ReasoningWanted { effort: Some(effort), ..ReasoningWanted::default() });
        call.metadata.extend(team.map(|team| ("team".to_owned(), team.into())));
        call.extra.extend(extra.map(|extra| ("x_extra".to_owned(), extra.into())));
        call
    })
}

fn finishes() -> impl Strategy<Value = Finish> {
    prop_oneof![Just(Finish::Length), Just(Finish::ContentFilter), Just(Finish::Stop)]
}

/// A choice that calls tools has stopped for it.
fn finish(finish: Finish, has_calls: bool) -> Finish {
    if has_calls && finish == Finish::Stop { Finish::ToolCalls } else { finish }
}

fn answers() -> impl Strategy<Value = Answer> {
    let texts = option::of(words()).prop_map(|text| text.map(Part::text).into_iter().collect::<Vec<_>>());
    let logprobs = option::of(Just(json!({"content": [], "refusal": null})));
    let choice = (said(texts), finishes(), option::of(words()), logprobs).prop_map(|(parts, reason, stop_sequence, logprobs)| {
        let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
        Choice { parts, finish: finish(reason, has_calls), stop_sequence, logprobs }
    });
    let used = option::of((0_u64..9_999, 0_u64..9_999, 0_u64..99).prop_map(|(input, output, cache_read)| TokenUsage {
        input,
        output,
        cache_read,
        ..TokenUsage::default()
    }));
    (names(), names(), vec(choice, 1..3), used, option::of(names()), option::of(names()), option::of(words())).prop_map(
        |(id, model, choices, usage, service_tier, fingerprint, extra)| Answer {
            id,
            model,
            choices,
            usage,
            service_tier,
            fingerprint,
            said_in: CHAT,
            extra: extra.map(|extra| ("x_extra".to_owned(), extra.into())).into_iter().collect::<Map<String, Value>>(),
        },
    )
}

/// A stream as a server may make it: each choice thinks, speaks, calls and finishes.
fn streams() -> impl Strategy<Value = Vec<Event>> {
    let ids = proptest::collection::btree_set(names(), 0..3);
    let choice =
        (option::of(words()), option::of(names()), vec(words(), 0..3), option::of(words()), ids, vec(words(), 1..3), finishes());
    let used = option::of((0_u64..9_999, 0_u64..9_999));
    (names(), vec(choice, 1..3), used).prop_map(|(id, choices, used)| {
        let mut told = vec![Event::Began { id, model: "m".to_owned() }];
        for (choice, (thought, signature, texts, refusal, ids, fragments, reason)) in (0_u32..).zip(choices) {
            told.extend(thought.map(|text| Event::Reasoning { choice, text }));
            told.extend(signature.map(|signature| Event::ReasoningDone {
                choice,
                id: None,
                signature: Some(signature),
                sealed: None,
            }));
            told.extend(texts.into_iter().map(|text| Event::Text { choice, text, logprobs: None }));
            told.extend(refusal.map(|text| Event::Refusal { choice, text }));
            let has_calls = !ids.is_empty();
            for (call, id) in (0_u32..).zip(ids) {
                told.push(Event::ToolCall { choice, call, id, name: "f".to_owned(), signature: None });
                told.extend(fragments.iter().map(|fragment| Event::Arguments { choice, call, fragment: fragment.clone() }));
            }
            told.push(Event::Finished { choice, finish: finish(reason, has_calls), stop_sequence: None });
        }
        told.extend(used.map(|(input, output)| Event::Usage(TokenUsage { input, output, ..TokenUsage::default() })));
        told.push(Event::Ended);
        told
    })
}

fn as_stream(told: &[Event]) -> String {
    let mut writer = chat::Writer::new(1, "m", true);
    let data = told.iter().cloned().flat_map(|event| writer.push(event));
    data.map(|data| format!("data: {data}\n\n")).collect()
}

proptest! {
    #[test]
    fn a_call_sent_is_the_call_read(call in calls()) {
        let sent = PLAIN.encode(&at(UNKNOWN), &call).unwrap();
        prop_assert_eq!(sent.lost, vec![]);
        let mut want = call;
        for turn in &mut want.turns {
            // Servers nobody knows are told of no developers.
            if turn.role == Role::Developer {
                turn.role = Role::System;
            }
        }
        prop_assert_eq!(chat::read(&sent.outgoing.body).unwrap(), want);
    }

    #[test]
    fn an_answer_written_is_the_answer_read(answer in answers()) {
        let written = chat::write(&answer, 1, &answer.model).to_string();
        prop_assert_eq!(decoded(&written), answer);
    }

    #[test]
    fn a_stream_written_is_the_stream_read_however_it_is_cut(told in streams(), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let stream = as_stream(&told);
        prop_assert_eq!(&events(&stream), &told);
        let bytes = stream.as_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let (read, fault) = streamed(places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]));
        prop_assert!(fault.is_none());
        prop_assert_eq!(read, told);
    }

    #[test]
    fn a_stream_for_the_responses_endpoint_is_in_order_and_ends_with_what_it_said(told in streams()) {
        let mut writer = responses::Writer::new(1, "m");
        let named: Vec<responses::Named> = told.iter().cloned().flat_map(|event| writer.push(event)).collect();
        let response = super::responses::check_stream(&named);
        let said: String = told.iter().filter_map(|event| match event {
            Event::Text { choice: 0, text, .. } => Some(text.as_str()),
            _ => None,
        }).collect();
        let items = response["output"].as_array().unwrap().iter().filter_map(|item| item["content"].as_array()).flatten();
        let texts: String = items.filter_map(|part| part["text"].as_str()).collect();
        prop_assert_eq!(texts, said);
    }

    #[test]
    fn bytes_of_any_kind_never_panic(body in vec(any::<u8>(), 0..300)) {
        let _ = chat::read(&body);
        let _ = responses::read(&body);
        let _ = PLAIN.decode(&at(UNKNOWN), &body);
        let _ = PLAIN.decode_embed(&at(UNKNOWN), &body);
        let _ = PLAIN.decode_rerank(&at(UNKNOWN), &body);
        let _ = streamed([&body[..]]);
        let _ = streamed([&b"data: "[..], &body[..], &b"\n\n"[..]]);
    }

    #[test]
    fn json_of_any_shape_never_panics(value in values()) {
        let mut body = value.clone();
        if let Some(map) = body.as_object_mut() {
            map.insert("model".to_owned(), json!("m"));
        }
        let text = body.to_string();
        for call in [chat::read(text.as_bytes()), responses::read(text.as_bytes())].into_iter().flatten() {
            let _ = PLAIN.encode(&at(OPENAI), &call);
        }
        if let Ok(answer) = PLAIN.decode(&at(UNKNOWN), text.as_bytes()) {
            let _ = (chat::write(&answer, 1, "m"), responses::write(&answer, 1, "m"));
        }
        let (told, _) = streamed([format!("data: {text}\n\n").as_bytes()]);
        let (mut chat, mut named) = (chat::Writer::new(1, "m", true), responses::Writer::new(1, "m"));
        for event in told {
            let _ = (chat.push(event.clone()), named.push(event));
        }
    }

    #[test]
    fn cut_and_changed_payloads_never_panic(which in 0_usize..5, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = [
            fixture!("request_full.json"),
            fixture!("responses_codex.json"),
            fixture!("chat_openrouter.json"),
            fixture!("stream_tools.sse"),
            fixture!("stream_openrouter.sse"),
        ][which];
        let mut bytes = text.as_bytes().to_vec();
        let place = at.index(bytes.len());
        for body in [bytes[..place].to_vec(), { bytes[place] = byte; bytes }] {
            let _ = (chat::read(&body), responses::read(&body), PLAIN.decode(&super::at(UNKNOWN), &body));
            let _ = streamed([&body[..]]);
        }
    }
}

/// JSON whose members have names that mean something here, in places where they may mean nothing.
fn values() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "messages",
        "input",
        "role",
        "content",
        "type",
        "text",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "index",
        "delta",
        "choices",
        "message",
        "finish_reason",
        "error",
        "usage",
        "reasoning",
        "reasoning_details",
        "summary",
        "call_id",
        "output",
        "tools",
        "tool_choice",
        "image_url",
        "url",
        "file",
        "audio",
        "annotations",
        "refusal",
        "thinking",
        "prompt_tokens",
    ];
    const TEXTS: &[&str] =
        &["user", "assistant", "tool", "function", "text", "image_url", "message", "reasoning", "data:a;base64,b", "", "x"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => vec((prop::sample::select(NAMES), inner), 0..8)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()),
        ]
    })
}
