//! Whatever a sender sends is read.

use mainspring_kernel::Timestamp;
use mainspring_llm::trace::SpanEvent;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    super::{Conversation, Facts, aliases::all, contents::PREFIXES, is_content, messages::Fold, report::Tally},
    event, span,
};

/// Values of all kinds, with the words that shapes are told apart by among them.
fn value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "role",
        "user",
        "parts",
        "content",
        "text",
        "type",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "message",
        "0",
        "1",
        "input",
        "output",
        "total",
        "input_tokens",
        "cached_tokens",
        "prompt_tokens_details",
        "[1]",
        "{\"a\": [",
        "\"x\"",
        "\"",
        "NaN",
        "-1",
        "1e400",
        "é",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        (0_u64..1_000_000).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner.clone()), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
            inner.prop_map(|value| Value::String(value.to_string())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let known: Vec<String> = all().map(|(.., name)| name.to_owned()).collect();
    let prefixes: Vec<&'static str> = PREFIXES.iter().map(|(.., prefix)| *prefix).collect();
    let rest = prop::sample::select(vec![
        "0",
        "0.role",
        "0.message.content",
        "1.message.tool_calls.0.tool_call.function.name",
        "0.message",
        "99999999999999999999.x",
        "0.document.score",
    ]);
    prop_oneof![
        6 => prop::sample::select(known),
        2 => (prop::sample::select(prefixes), rest).prop_map(|(prefix, rest)| format!("{prefix}{rest}")),
        1 => Just("mainspring.call".to_owned()),
        1 => "[a-z._]{0,20}",
    ]
}

fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((name(), value()), 0..16).prop_map(|pairs| pairs.into_iter().collect())
}

/// Messages of the present conventions, mostly of texts.
fn messages() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["text", "text", "text", "text", "text", "reasoning"]);
    let part = (kind, "\\PC{0,8}").prop_map(|(kind, content)| json!({"type": kind, "content": content}));
    let role = prop::sample::select(vec!["user", "assistant", "model", "human", "someone"]);
    let more = prop::option::weighted(0.2, prop::sample::select(vec!["finish_reason", "name", "content"]));
    let message = (role, prop::collection::vec(part, 0..3), more).prop_map(|(role, parts, more)| {
        let mut message = json!({"role": role, "parts": parts});
        more.into_iter().for_each(|more| message[more] = json!("stop"));
        message
    });
    prop::collection::vec(message, 0..4).prop_map(Value::from)
}

proptest! {
    #[test]
    fn messages_in_a_text_are_those_of_its_values(messages in messages()) {
        let text = Value::String(messages.to_string());
        prop_assert_eq!(Fold::WHOLE.messages(&text, "user"), Fold::WHOLE.messages(&messages, "user"));
    }

    #[test]
    fn facts_of_any_attributes_are_read_and_parts_fit_their_wholes(attributes in attributes(), of_event in attributes()) {
        let mut any = span(Value::Object(attributes.clone()));
        any.events = vec![event("gen_ai.choice", -9, Value::Object(of_event.clone())), event("gen_ai.client.inference.operation.details", 5, Value::Object(of_event))];
        let facts = Facts::of(&any);
        let tokens = facts.tokens;
        let all = [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, tokens.reasoning, facts.cost, facts.first_token];
        prop_assert!(all.iter().flatten().all(|number| *number >= 0));
        let or_none = Option::unwrap_or_default;
        prop_assert!(or_none(tokens.cache_read) + or_none(tokens.cache_write) <= or_none(tokens.input), "{tokens:?}");
        prop_assert!(or_none(tokens.reasoning) <= or_none(tokens.output), "{tokens:?}");
        prop_assert_eq!(facts.clone().into_owned(), facts);
        let text = Conversation::of(&any).text();
        prop_assert!(Conversation::beginning(&any, 40).text().len() <= text.len() + 4_096);
        prop_assert_eq!(Conversation::beginning(&any, 1 << 20).text(), text, "nothing that is searched is left out");
        prop_assert_eq!(any.attributes, attributes, "what came stays as it came");
    }

    #[test]
    fn without_content_there_is_nothing_to_search(attributes in attributes()) {
        let mut bare = span(Value::Object(attributes));
        bare.attributes.retain(|name, _| !is_content(name));
        let said = Conversation { tool: None, ..Conversation::of(&bare) };
        prop_assert_eq!(said, Conversation::default());
    }

    /// The words of this server are read without the table, and mean what the table says.
    #[test]
    fn both_ways_of_reading_this_servers_spans_agree(input in 0_u32..1_000, output in 0_u32..1_000, share in 0_u32..=100, cost in 0_u64..1_000_000) {
        let part = input * share / 100;
        let mut attributes = json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "a", "gen_ai.response.model": "b",
            "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": output, "gen_ai.usage.cache_read.input_tokens": part,
            "gen_ai.usage.cache_write.input_tokens": input - part, "gen_ai.usage.reasoning.output_tokens": output / 2,
            "gen_ai.usage.cost": format!("0.{cost:09}"), "user.id": "u", "gen_ai.conversation.id": "s", "error.type": "e",
        });
        let theirs = span(attributes.clone());
        let map = attributes.as_object_mut().unwrap();
        map.remove("gen_ai.usage.cost");
        map.insert("mainspring.cost".into(), format!("0.{cost:09}").into());
        map.insert("mainspring.call".into(), "call_1".into());
        let ours = span(attributes);
        prop_assert_eq!(Facts::of(&ours), Facts::of(&theirs));
    }

    #[test]
    fn a_report_of_anything_is_bounded(spans in prop::collection::vec(attributes(), 0..20)) {
        let mut tally = Tally::default();
        for (at, attributes) in (0_i64..).zip(&spans) {
            tally.add(&format!("service {at}"), Timestamp::from_micros(at), attributes, &[]);
        }
        let told = tally.told();
        prop_assert_eq!(told.spans, spans.len() as u64);
        prop_assert!(told.services.len() <= 100 && told.unknown.len() <= 100 && told.attributes.len() <= 200);
    }
}

#[test]
fn a_report_names_who_speaks_what_and_what_is_not_understood() {
    let mut tally = Tally::default();
    let said = |value: Value| value.as_object().unwrap().clone();
    let shop = said(
        json!({"otel.schema_url": "https://opentelemetry.io/schemas/1.37.0", "otel.scope.name": "otel.openai", "otel.scope.version": "2.1",
        "gen_ai.system": "openai", "gen_ai.usage.input_token": 4}),
    );
    tally.add("shop", Timestamp::from_micros(5), &shop, &[]);
    let event = SpanEvent {
        name: "gen_ai.user.message".into(),
        at: Timestamp::from_micros(3),
        attributes: said(json!({"content": "hi", "gen_ai.event.content": "hi", "gen_ai.lion": 1, "input.value": "hi"})),
    };
    tally.add("shop", Timestamp::from_micros(3), &shop, &[event.clone(), event]);
    tally.add("desk", Timestamp::from_micros(4), &said(json!({"openinference.span.kind": "LLM", "gen_ai.zebra": 1})), &[]);
    let told = tally.told();
    assert_eq!(
        told.services.iter().map(|words| (words.service.as_str(), words.spans)).collect::<Vec<_>>(),
        [("shop", 2), ("desk", 1)]
    );
    let shop = &told.services[0];
    assert_eq!((shop.last.as_micros(), shop.versions.iter().next().map(String::as_str)), (5, Some("1.37.0")));
    assert_eq!(shop.instrumentations.iter().collect::<Vec<_>>(), ["otel.openai 2.1"]);
    assert_eq!(
        shop.conventions.iter().map(|(spoken, spans)| (spoken.as_str(), *spans)).collect::<Vec<_>>(),
        [("gen-ai-earlier", 2), ("open-inference", 1)],
        "events speak too"
    );
    let unknown: Vec<(&str, u64, Option<&str>)> =
        told.unknown.iter().map(|name| (name.name.as_str(), name.spans, name.like)).collect();
    assert_eq!(unknown[0], ("gen_ai.usage.input_token", 2, Some("gen_ai.usage.input_tokens")));
    let others: Vec<(&str, u64)> = unknown[1..].iter().map(|(name, spans, _)| (*name, *spans)).collect();
    assert_eq!(others, [("gen_ai.lion", 1), ("gen_ai.zebra", 1)]);
}

#[test]
fn attributes_of_their_own_are_named_that_groups_can_be_made_of() {
    let mut tally = Tally::default();
    for attributes in [
        json!({"shop.retries": 2, "shop.region": "eu", "shop.basket": {"items": 3}, "input.value": "hi", "gen_ai.request.model": "m"}),
        json!({"shop.region": "us", "shop.asked": null, "shop.trial": true, "gen_ai.input.messages": "[]"}),
        json!({"mainspring.sampling.weight": 4.0, "otel.scope.name": "shop.sdk", "": "nameless"}),
    ] {
        tally.add("shop", Timestamp::from_micros(1), attributes.as_object().unwrap(), &[]);
    }
    assert_eq!(tally.told().attributes, ["shop.region", "shop.retries", "shop.trial"]);
}

#[test]
fn whoever_makes_up_names_without_end_does_not_hide_what_others_say_often() {
    let mut tally = Tally::default();
    let attributes = |names: Vec<String>| names.into_iter().map(|name| (name, json!(1))).collect::<Map<String, Value>>();
    tally.add(
        "shop",
        Timestamp::from_micros(1),
        &attributes(vec!["gen_ai.zebra".into(), format!("gen_ai.{}", "x".repeat(300))]),
        &[],
    );
    for span in 0..30 {
        let made_up = (span * 1_000..(span + 1) * 1_000).map(|name| format!("gen_ai.made_up.{name}")).collect();
        tally.add("flood", Timestamp::from_micros(2), &attributes(made_up), &[]);
    }
    tally.add("shop", Timestamp::from_micros(3), &attributes(vec!["gen_ai.zebra".into()]), &[]);
    let told = tally.told();
    assert_eq!((told.unknown.len(), told.unknown[0].name.as_str(), told.unknown[0].spans), (100, "gen_ai.zebra", 2));
    assert!(told.unknown.iter().all(|name| name.name.len() < 300), "a name that nobody can read is left out");
}
