use http::{HeaderMap, StatusCode};
use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    MESSAGE_SEARCH, MESSAGE_TOOLS, REQUEST_AGENT, STREAM_SEARCH, STREAM_TEXT, STREAM_TOOLS, endpoint, grammar::assemble, read,
    read_in_pieces,
};
use crate::{
    anthropic::{self, Anthropic, Writer, arguments, balance::Balance, usage},
    seam::{Adapter, Operation},
};

const WHOLE: [&str; 7] =
    [MESSAGE_TOOLS, MESSAGE_SEARCH, REQUEST_AGENT, STREAM_TEXT, STREAM_TOOLS, STREAM_SEARCH, super::MESSAGE_CACHED];

/// Something valid with a few bytes changed and an end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (prop::sample::select(WHOLE.to_vec()), changes, any::<prop::sample::Index>()).prop_map(|(text, changes, end)| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() * 2).min(bytes.len()));
        bytes
    })
}

/// The words of the dialect with anything in the place of their values.
fn any_json() -> impl Strategy<Value = Value> {
    const NAMES: &str = "type|text|content|role|messages|system|tools|tool_choice|name|input|id|tool_use_id|source|data|media_type|url\
        |file_id|thinking|signature|budget_tokens|usage|message|delta|index|content_block|partial_json|stop_reason|citations|citation\
        |cache_creation|input_tokens|output_tokens|output_config|format|schema|metadata|error|model|max_tokens";
    const WORDS: &str = "text|image|document|tool_use|tool_result|thinking|redacted_thinking|base64|url|file|user|assistant|system\
        |message_start|content_block_start|content_block_delta|content_block_stop|message_delta|message_stop|text_delta\
        |input_json_delta|signature_delta|thinking_delta|citations_delta|error|enabled|adaptive|json_schema|auto|[a-z]{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..4).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        WORDS.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((NAMES, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Everything that reads bytes from outside. What comes out may be a fault; what is read may be written again.
fn read_everywhere(bytes: &[u8]) {
    let endpoint = endpoint("claude-sonnet-4-5");
    if let Ok(answer) = Anthropic.decode(&endpoint, bytes) {
        let _ = anthropic::write(&answer);
    }
    let _ = Anthropic.usage(Operation::Messages, bytes);
    let _ = Anthropic.refusal(&endpoint, StatusCode::BAD_GATEWAY, &HeaderMap::new(), bytes);
    if let Ok(call) = anthropic::read(bytes) {
        let _ = Anthropic.encode(&endpoint, &call);
        let foreign = mainspring_llm::exchange::Call { said_in: Dialect::OpenAiChat, ..call };
        let _ = Anthropic.encode(&endpoint, &foreign);
    }
    let half = bytes.len() / 2;
    if let Ok(events) = read_in_pieces(bytes, &[half]) {
        written(events);
    }
}

fn written(events: Vec<Event>) -> Vec<(&'static str, Value)> {
    let mut writer = Writer::new("m");
    events.into_iter().flat_map(|event| writer.write(event)).collect()
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = || "[a-zß☂\"{}\\\\ ]{0,6}";
    let some = || proptest::option::of("[a-zA-Z+/=.]{0,6}");
    let finish =
        prop::sample::select(vec![Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::ContentFilter, Finish::Pause]);
    let other = prop::sample::select(vec![
        json!({"type": "content_block_start", "index": 7, "content_block": {"type": "server_tool_use", "id": "s", "name": "n", "input": {}}}),
        json!({"type": "content_block_delta", "index": 7, "delta": {"type": "citations_delta", "citation": {"a": 1}}}),
        json!({"type": "content_block_stop", "index": 7}),
        json!({"type": "citations", "citations": [{"a": 1}, {"b": 2}]}),
        json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
        json!({}),
    ]);
    prop_oneof![
        text().prop_map(|text| Event::Text { choice: 0, text, logprobs: None }),
        text().prop_map(|text| Event::Text { choice: 1, text, logprobs: None }),
        text().prop_map(|text| Event::Refusal { choice: 0, text }),
        text().prop_map(|text| Event::Reasoning { choice: 0, text }),
        (some(), some(), some()).prop_map(|(id, signature, sealed)| Event::ReasoningDone { choice: 0, id, signature, sealed }),
        (0_u32..4, text(), some()).prop_map(|(call, name, signature)| Event::ToolCall {
            choice: 0,
            call,
            id: name.clone(),
            name,
            signature
        }),
        (0_u32..4, "[{}\\[\\]\"\\\\a:1,]{0,5}").prop_map(|(call, fragment)| Event::Arguments { choice: 0, call, fragment }),
        other.prop_map(|value| Event::Other { said_in: Dialect::Anthropic, value }),
        Just(Event::Ping),
        finish.prop_map(|finish| Event::Finished { choice: 0, finish, stop_sequence: None }),
        (0_u64..99, 0_u64..99).prop_map(|(input, output)| Event::Usage(TokenUsage { input, output, ..TokenUsage::default() })),
    ]
}

fn text_of(events: &[Event]) -> String {
    let texts = events.iter().map(|event| match event {
        Event::Text { choice: 0, text, .. } | Event::Refusal { choice: 0, text } => text.as_str(),
        _ => "",
    });
    texts.collect()
}

/// Events as the bytes of a stream.
fn as_stream(events: &[(&'static str, Value)]) -> String {
    events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect()
}

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn valid_payloads_cut_and_changed_are_read_or_refused(bytes in mutated()) {
        read_everywhere(&bytes);
    }

    #[test]
    fn the_dialects_words_in_any_order_are_read_or_refused(value in any_json(), more in any_json()) {
        read_everywhere(value.to_string().as_bytes());
        read_everywhere(format!("data: {value}\n\ndata: {more}\n\n").as_bytes());
        read_everywhere(json!({"model": "m", "messages": [{"role": "user", "content": value}], "tools": more}).to_string().as_bytes());
        read_everywhere(json!({"content": [value], "usage": more}).to_string().as_bytes());
    }

    #[test]
    fn cuts_do_not_matter(stream in prop::sample::select(vec![STREAM_TEXT, STREAM_TOOLS, STREAM_SEARCH]), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..9)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.sort_unstable();
        prop_assert_eq!(read_in_pieces(stream.as_bytes(), &cuts).unwrap(), read(stream));
    }

    #[test]
    fn whatever_happens_a_client_gets_a_stream_by_the_rules(middle in proptest::collection::vec(any_event(), 0..24)) {
        let began = Event::Began { id: "x".to_owned(), model: "m".to_owned() };
        let events: Vec<Event> = [began].into_iter().chain(middle).chain([Event::Ended]).collect();
        let (said, calls) = (text_of(&events), events.iter().filter(|event| matches!(event, Event::ToolCall { .. })).count());
        let stream = written(events);
        let message = assemble(&stream);
        let content = message["content"].as_array().unwrap();
        let texts = content.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str());
        prop_assert_eq!(texts.collect::<String>(), said.clone());
        prop_assert_eq!(content.iter().filter(|block| block["type"] == "tool_use").count(), calls);
        // Our own reader of the dialect agrees.
        let again = read(&as_stream(&stream));
        prop_assert_eq!(text_of(&again), said);
        prop_assert_eq!(again.iter().filter(|event| matches!(event, Event::ToolCall { .. })).count(), calls);
    }

    #[test]
    fn arguments_survive_both_ways(text in "\\PC{0,40}", key in "[a-z]{1,3}|raw_arguments", value in "\\PC{0,12}|\\{\\}") {
        let input = arguments::input(&text);
        prop_assert!(input.is_object());
        if !text.trim().is_empty() && serde_json::from_str::<Map<String, Value>>(&text).is_err() {
            prop_assert_eq!(arguments::text(&input), text);
        }
        let object = json!({key: value});
        prop_assert_eq!(arguments::input(&arguments::text(&object)), object);
    }

    #[test]
    fn an_object_is_whole_when_its_last_brace_has_come(value in "\\PC{0,12}", number in any::<i64>()) {
        let text = json!({"a": value, "b": [number, {"c": "}"}]}).to_string();
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let mut balance = Balance::default();
            balance.push(&text[..cut]);
            prop_assert!(!balance.is_whole());
            balance.push(&text[cut..]);
            prop_assert!(balance.is_whole());
        }
    }

    #[test]
    fn tokens_are_counted_once_both_ways(numbers in proptest::array::uniform6(0_u64..1_000_000)) {
        let [input, read, five, hour, output, thinking] = numbers;
        let said = json!({
            "input_tokens": input,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": five + hour,
            "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
            "output_tokens": output,
            "output_tokens_details": {"thinking_tokens": thinking},
        });
        let usage = usage::read(&said);
        prop_assert_eq!(usage.input, input + read + five + hour);
        prop_assert_eq!(usage.buckets().total(), usage.total());
        let back = usage::write(&usage);
        for field in ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "output_tokens"] {
            prop_assert_eq!(&back[field], &said[field]);
        }
    }
}
