//! Templates: what was found sound renders or says where it does not, in bounded time, text and memory.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mainspring_fuzz::memory;
use mainspring_prompts::{PromptFault, PromptSpec};
use serde_json::{Value, json};

const RENDERED: usize = 4 << 20;
const HELD: usize = 256 << 20;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The question stands behind a NUL, which no template has.
    let (template, question) = text.split_once('\0').unwrap_or((text, "What is it?"));
    let spec = json!({
        "parameters": {"question": {}, "sources": {"type": "array", "default": [{"text": "It is.", "title": "A"}]}, "n": {"type": "number", "default": 3}},
        "messages": [{"role": "user", "content": template}],
    });
    let spec: PromptSpec = serde_json::from_value(spec).expect("it is a prompt");
    if spec.validate().is_err() {
        return;
    }
    let values: BTreeMap<String, Value> = BTreeMap::from([("question".to_owned(), json!(question))]);
    let (rendered, held) = memory::most(|| spec.render(&values));
    assert!(held < HELD, "{held} bytes");
    match rendered {
        Ok(messages) => {
            assert!(messages.len() == 1 && messages[0].content.len() <= RENDERED);
            // What a value says is never read as a template.
            if template == "{{ question }}" {
                assert_eq!(messages[0].content, question.trim());
            }
        }
        Err(PromptFault::Template { message: 0, reason }) => assert!(!reason.is_empty()),
        Err(PromptFault::TooLong { message: 0, limit: RENDERED }) => {}
        Err(fault) => panic!("{fault}"),
    }
});
