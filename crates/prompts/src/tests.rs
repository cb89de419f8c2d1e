use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{PromptFault, PromptSpec};

fn prompt(value: Value) -> PromptSpec {
    serde_json::from_value(value).unwrap()
}

fn values(value: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn answer() -> PromptSpec {
    prompt(json!({
        "parameters": {"question": {}, "sources": {"type": "array", "default": []}},
        "messages": [
            {"role": "system", "content": "Answer from the sources.{% for s in sources %}\n[{{ loop.index }}] {{ s.text }}{% endfor %}"},
            {"role": "user", "content": "{{ question }}"}
        ]
    }))
}

#[test]
fn sources_are_numbered_in_the_rendered_prompt() {
    let rendered =
        answer().render(&values(json!({"question": "Why?", "sources": [{"text": "Because <b>"}, {"text": "So"}]}))).unwrap();
    assert_eq!(rendered[0].content, "Answer from the sources.\n[1] Because <b>\n[2] So");
    assert_eq!(rendered[1].content, "Why?");
}

#[track_caller]
fn check_render(given: Value, want: &PromptFault) {
    assert_eq!(&answer().render(&values(given)).unwrap_err(), want);
}

#[test]
fn wrong_values_are_named() {
    check_render(json!({}), &PromptFault::Missing { name: "question".into() });
    check_render(json!({"question": 3}), &PromptFault::WrongType { name: "question".into(), kind: crate::ParameterType::String });
    check_render(
        json!({"question": "x", "source": []}),
        &PromptFault::Unknown { name: "source".into(), suggestion: Some("sources".into()) },
    );
}

#[track_caller]
fn check_invalid(spec: Value, code: &str) {
    use mainspring_kernel::Fault;
    assert_eq!(prompt(spec).validate().unwrap_err().code(), code);
}

#[test]
fn a_prompt_that_cannot_render_is_refused_when_it_is_applied() {
    check_invalid(json!({"messages": []}), "prompt-no-messages");
    check_invalid(json!({"messages": [{"role": "user", "content": "{% if %}"}]}), "prompt-bad-template");
    check_invalid(
        json!({"messages": [{"role": "user", "content": "{{ queston }}"}], "parameters": {"question": {}}}),
        "prompt-undeclared-parameter",
    );
    check_invalid(
        json!({"messages": [{"role": "user", "content": "x"}], "parameters": {"n": {"type": "number", "default": "x"}}}),
        "prompt-bad-default",
    );
    assert!(answer().validate().is_ok());
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let endless = prompt(json!({"messages": [{"role": "user",
        "content": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}"}]}));
    assert!(matches!(endless.render(&BTreeMap::new()), Err(PromptFault::Template { .. })));
    let long = prompt(
        json!({"parameters": {"x": {}}, "messages": [{"role": "user", "content": "{% for a in range(9000) %}{{ x }}{% endfor %}"}]}),
    );
    assert!(matches!(long.render(&values(json!({"x": "y".repeat(9000)}))), Err(PromptFault::TooLong { .. })));
}

#[test]
fn a_value_is_never_read_as_a_template() {
    let rendered = answer().render(&values(json!({"question": "{{ sources }} {% raw %}"}))).unwrap();
    assert_eq!(rendered[1].content, "{{ sources }} {% raw %}");
}

proptest! {
    #[test]
    fn any_template_is_refused_or_renders(content in ".{0,200}", question in ".{0,50}") {
        let spec = prompt(json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": content}]}));
        if spec.validate().is_ok() {
            let _ = spec.render(&values(json!({"question": question})));
        }
    }
}
