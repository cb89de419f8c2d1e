//! What a client of this dialect makes of a stream, and the rules that it relies on.

use serde_json::{Map, Value, json};

/// Puts a stream together as the official clients do. Panics where the stream breaks a rule.
#[track_caller]
pub(super) fn assemble(events: &[(&'static str, Value)]) -> Value {
    let (first, rest) = events.split_first().expect("a stream is not empty");
    assert_eq!(first.0, "message_start");
    let mut message = first.1["message"].clone();
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &Value::Null));
    let (last, rest) = rest.split_last().expect("a stream has an end");
    assert_eq!(*last, ("message_stop", json!({"type": "message_stop"})));
    let (delta, blocks) = rest.split_last().expect("a stream says why it ends");
    assert_eq!(delta.0, "message_delta");
    assert!(delta.1["delta"]["stop_reason"].is_string(), "{delta:?}");
    let mut open: Option<Block> = None;
    let mut content = Vec::new();
    for (name, event) in blocks {
        assert_eq!(event["type"], json!(name));
        // Passed over, wherever it comes.
        if *name == "ping" {
            continue;
        }
        assert_eq!(event["index"], json!(content.len()), "blocks are counted and follow one another: {event}");
        match *name {
            "content_block_start" => assert!(open.replace(Block::begin(&event["content_block"])).is_none(), "{event}"),
            "content_block_delta" => open.as_mut().expect("a block is open").go_on(&event["delta"]),
            "content_block_stop" => content.push(open.take().expect("a block is open").end()),
            other => panic!("{other} has no place between a stream's beginning and its end"),
        }
    }
    assert!(open.is_none(), "a block was left open");
    message["content"] = Value::Array(content);
    for (name, value) in delta.1["delta"].as_object().expect("a delta") {
        message[name.as_str()] = value.clone();
    }
    for (name, value) in delta.1["usage"].as_object().expect("usage") {
        message["usage"][name.as_str()] = value.clone();
    }
    message
}

struct Block {
    fields: Map<String, Value>,
    input: Option<String>,
}

impl Block {
    #[track_caller]
    fn begin(block: &Value) -> Self {
        let fields = block.as_object().expect("a block is an object").clone();
        assert!(fields["type"].is_string(), "{block}");
        match fields["type"].as_str().unwrap_or_default() {
            "text" => assert_eq!(fields["text"], json!("")),
            "thinking" => assert_eq!((&fields["thinking"], &fields["signature"]), (&json!(""), &json!(""))),
            "tool_use" => {
                assert_eq!(fields["input"], json!({}));
                let id = fields["id"].as_str().expect("an id");
                assert!(!id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{id}");
            }
            _ => {}
        }
        Self { fields, input: None }
    }

    #[track_caller]
    fn go_on(&mut self, delta: &Value) {
        let kind = self.fields["type"].as_str().expect("a type").to_owned();
        let named = delta["type"].as_str().expect("a type");
        match (kind.as_str(), named) {
            ("text", "text_delta") => self.append("text", &delta["text"]),
            ("text", "citations_delta") => {
                let all = self.fields.entry("citations").or_insert_with(|| json!([]));
                all.as_array_mut().expect("a list").push(delta["citation"].clone());
            }
            ("thinking", "thinking_delta") => self.append("thinking", &delta["thinking"]),
            ("thinking", "signature_delta") => self.append("signature", &delta["signature"]),
            ("tool_use" | "server_tool_use", "input_json_delta") => {
                self.input.get_or_insert_default().push_str(delta["partial_json"].as_str().expect("a text"));
            }
            other => panic!("{other:?} do not go together"),
        }
    }

    #[track_caller]
    fn append(&mut self, field: &str, more: &Value) {
        let more = more.as_str().expect("a text");
        let text = self.fields[field].as_str().expect("a text");
        self.fields[field] = json!(format!("{text}{more}"));
    }

    /// Arguments that are no JSON object stay the text they are.
    fn end(mut self) -> Value {
        if let Some(text) = self.input {
            self.fields["input"] = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        }
        Value::Object(self.fields)
    }
}
