use mainspring_llm::exchange::Tool;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CustomTools, Fields, Input, arguments, input, tool};

/// The text of arguments that come in these pieces, as it was told on the way and as it is at the end.
fn pieces<'a>(fragments: impl IntoIterator<Item = &'a str>) -> (String, String) {
    let (mut input, mut told) = (Input::default(), String::new());
    for fragment in fragments {
        told.push_str(&input.push(fragment));
    }
    told.push_str(&input.finish());
    (told, input.text().to_owned())
}

#[test]
fn a_tool_that_takes_text_is_a_function_of_one_argument() {
    let value = json!({"type": "custom", "name": "apply_patch", "description": "Edits files.",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"x\""}});
    let Ok(Tool::Function { name, description, parameters, .. }) = tool(Fields::of(value, "tools[0]").unwrap()) else {
        panic!("it is a function");
    };
    assert_eq!(name, "apply_patch");
    assert_eq!(description.unwrap(), "Edits files.\n\n`input` must be text of this grammar (lark):\nstart: \"x\"");
    assert_eq!(parameters.unwrap()["required"], json!(["input"]));
    let plain = json!({"type": "custom", "name": "say", "format": {"type": "text"}});
    let Ok(Tool::Function { description: None, .. }) = tool(Fields::of(plain, "tools[0]").unwrap()) else {
        panic!("nothing is said of it");
    };
    assert_eq!(tool(Fields::of(json!({"type": "custom"}), "tools[0]").unwrap()).unwrap_err().param, "tools[0].name");
}

#[test]
fn the_names_of_a_requests_tools_are_found() {
    let body = json!({"tools": [{"type": "custom", "name": "patch"}, {"type": "function", "name": "f"}, {"type": "custom"}]});
    let found = CustomTools::of(body.to_string().as_bytes());
    assert!(found.has("patch") && !found.has("f"));
    let added = json!({"tools": null, "input": [{"type": "additional_tools", "tools": [{"type": "custom", "name": "patch"}]}]});
    assert!(CustomTools::of(added.to_string().as_bytes()).has("patch"), "no list of tools is as good as none");
    for none in ["", "{", r#"{"tools": null}"#, r#"{"tools": "custom"}"#, r#"{"input": "a \"custom\" tool"}"#] {
        assert_eq!(CustomTools::of(none.as_bytes()), CustomTools::default(), "{none}");
    }
}

#[test]
fn text_is_told_as_it_comes() {
    let mut input = Input::default();
    let told: Vec<String> = ["{\"in", "put\" : \"", "a\\", "nb", "\\u00", "e9\\ud83d", "\\ude00", "\\\"c\"", "}"]
        .map(|piece| input.push(piece))
        .into();
    assert_eq!(told, ["", "", "a", "\nb", "", "é", "😀", "\"c", ""]);
    assert_eq!((input.finish(), input.text()), (String::new(), "a\nbé😀\"c"));
}

#[test]
fn what_keeps_to_no_schema_is_told_at_the_end() {
    for (raw, text) in [
        (r#"{"patch": "x"}"#, "x"),
        (r#""x""#, "x"),
        (r#"{"why": "y", "input": "x"}"#, "x"),
        ("*** Begin Patch", "*** Begin Patch"),
        (r#"{"a": "x", "b": "y"}"#, r#"{"a": "x", "b": "y"}"#),
        (r#"{"input": 7}"#, r#"{"input": 7}"#),
        ("", ""),
        ("{}", ""),
        (" { }", ""),
        (r#"{"input": "cut o"#, "cut o"),
        (r#"{"input": "lone \ud83d!"}"#, "lone \u{fffd}!"),
        (r#"{"input": "no \uzzzz"}"#, "no \u{fffd}zzzz"),
    ] {
        assert_eq!(pieces([raw]), (text.to_owned(), text.to_owned()), "{raw}");
        assert_eq!(input(raw), text, "{raw}");
    }
}

/// A text in pieces that end anywhere between two characters.
fn cut(text: &str, size: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(size).map(|chunk| chunk.iter().collect()).collect()
}

proptest! {
    #[test]
    fn any_text_comes_back_in_whatever_pieces(text in "(\\PC|[\n\t\"\\\\\u{1F600}]){0,60}", size in 1_usize..7, ascii in any::<bool>()) {
        let mut raw = arguments(&text);
        if ascii {
            let escaped = |letter: char| {
                let mut units = [0; 2];
                let units = letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
                if letter.is_ascii() { letter.to_string() } else { units.collect() }
            };
            raw = raw.chars().map(escaped).collect();
        }
        let fragments = cut(&raw, size);
        prop_assert_eq!(pieces(fragments.iter().map(String::as_str)), (text.clone(), text.clone()));
        prop_assert_eq!(input(&raw), text);
    }

    #[test]
    fn no_arguments_are_too_strange(raw in "(\\{ ?\"input\" ?: ?\")?(\\PC|[\"\\\\u{}]|\\\\u[0-9a-fD]{0,5}){0,40}", size in 1_usize..5) {
        let fragments = cut(&raw, size);
        let (told, text) = pieces(fragments.iter().map(String::as_str));
        prop_assert_eq!(told, text);
    }

    #[test]
    fn no_body_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0_usize..120) {
        let body = json!({"tools": [{"type": "custom", "name": "patch"}], "input": Value::Null}).to_string();
        for body in [&bytes[..], &body.as_bytes()[..cut.min(body.len())]] {
            let _ = CustomTools::of(body);
        }
    }
}
