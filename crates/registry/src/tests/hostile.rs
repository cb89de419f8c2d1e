//! Whatever is sent, the answer is typed.

use mainspring_kernel::{AssetKind, AssetRef, Name, PageRequest, Selector};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{kinds, parse_chain};
use crate::{Draft, ProblemKind, RegistryFault, manifest, schema};

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        "[a-z]{0,8}",
        ".{0,12}",
        proptest::sample::select(vec![
            "text",
            "tone",
            "parameters",
            "steps",
            "prompt",
            "chain",
            "use",
            "name",
            "spec",
            "kind",
            "apiVersion",
            "mainspring/v1",
            "a@v1",
            "a@sha256:",
            "formal",
            "limit",
            "tokens",
            "\0",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader_of_drafts(text in ".{0,400}") {
        let _ = Draft::read("any.yaml", &text);
    }

    #[test]
    fn no_yaml_like_text_breaks_the_reader_of_drafts(
        lines in proptest::collection::vec("( {0,4}|- |\\? )([a-z]{1,4}|&a|\\*a|!!str|<<)(: ?)?([\\[\\{\"'|>*&a-z0-9]{0,6})", 0..12)
    ) {
        let _ = Draft::read("any.yaml", &lines.join("\n"));
    }

    #[test]
    fn any_json_as_a_manifest_is_taken_or_refused(value in any_json()) {
        let draft = Draft { origin: "any".to_owned(), value };
        let _ = manifest::parse_all(&kinds(), &[draft]);
    }

    #[test]
    fn any_json_as_a_spec_is_taken_or_refused_with_a_reason(
        spec in any_json(),
        kind in proptest::sample::select(vec!["prompt", "chain"])
    ) {
        let value = json!({"apiVersion": "mainspring/v1", "kind": kind, "name": "a", "spec": spec});
        let draft = Draft { origin: "any".to_owned(), value };
        if let Err(problems) = manifest::parse_all(&kinds(), &[draft]) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| problem.path.starts_with("spec") && !problem.message.is_empty()));
        }
    }

    #[test]
    fn the_schema_walker_takes_any_schema(a in any_json(), b in any_json()) {
        let _ = schema::problems(&a, &b);
    }

    #[test]
    fn any_json_as_a_reference_is_read_or_refused(value in any_json()) {
        if let Ok(reference) = serde_json::from_value::<AssetRef>(value.clone()) {
            prop_assert_eq!(serde_json::to_value(&reference).unwrap().to_string().parse::<Value>().unwrap(), json!(reference.to_string()));
        }
        let _ = parse_chain(&json!({"steps": [{"prompt": {"use": value}}]}));
    }

    #[test]
    fn a_reference_that_was_read_reads_again(text in "[a-z]{1,5}(@(v[0-9]{1,4}|latest|[a-z]{1,6}|sha256:[0-9a-f]{60,66}))?") {
        if let Ok(reference) = text.parse::<AssetRef>() {
            prop_assert_eq!(reference.to_string().parse::<AssetRef>().unwrap(), reference);
        }
        let _ = Selector::parse(&text);
    }

    #[test]
    fn no_cursor_breaks_a_list(cursor in "[A-Za-z0-9_-]{0,60}", text in ".{0,40}") {
        for cursor in [cursor, text] {
            let request = PageRequest::new(None, Some(cursor)).unwrap();
            let _ = request.after::<(AssetKind, Name)>();
            let _ = request.after::<u32>();
            let _ = request.after::<(AssetKind, Name, u32, String)>();
        }
    }
}

#[test]
fn aliases_in_yaml_cannot_blow_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before.as_str(); 10].join(", ")));
    }
    let fault = Draft::read("bomb.yaml", &text).unwrap_err();
    let RegistryFault::Rejected { problems } = fault else { panic!("{fault:?}") };
    assert_eq!(problems[0].kind, ProblemKind::Syntax);
}

#[test]
fn a_field_that_stands_twice_is_refused_with_its_name_and_line() {
    let text = "kind: prompt\n---\nkind: prompt\nspec:\n  text: one\n  tone: dry\n  text: two\n";
    let RegistryFault::Rejected { problems } = Draft::read("twice.yaml", text).unwrap_err() else { panic!() };
    let said = problems[0].to_string();
    assert!(said.starts_with("twice.yaml#2: ") && said.contains("duplicate field `text` at line 7 column 3"), "{said}");
    let marked = Draft::read("marked.yaml", "\u{feff}kind: prompt\n").unwrap();
    assert_eq!(marked[0].value, json!({"kind": "prompt"}), "a mark of the encoding is no part of it");
    // What several objects say, each says once.
    assert_eq!(Draft::read("once.yaml", "a: &a {text: one}\nb: {text: two}\nc: *a\n").unwrap().len(), 1);
}

#[test]
fn depth_cannot_blow_the_stack_or_the_clock() {
    let deep = [
        "[".repeat(200_000),
        "{a: ".repeat(50_000),
        format!("a: {}", "- ".repeat(100_000)),
        "- ".repeat(100_000),
        // Just below the limit, and long: what is left of the square.
        format!("a: {}{}", "[".repeat(400), "x,".repeat(20_000)),
        (0..300).map(|level| format!("{}a:\n", " ".repeat(level))).collect(),
    ];
    for text in deep {
        let fault = Draft::read("deep.yaml", &text).unwrap_err();
        assert!(matches!(fault, RegistryFault::Rejected { .. }), "{fault:?}");
    }
}

#[test]
fn text_with_a_nul_is_refused_before_it_reaches_a_store() {
    let value = json!({"apiVersion": "mainspring/v1", "kind": "prompt", "name": "a", "spec": {"text": "a\0b"}});
    let problems = manifest::parse_all(&kinds(), &[Draft { origin: "nul".to_owned(), value }]).unwrap_err();
    assert!(problems[0].message.contains("NUL"), "{problems:?}");
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let fault = Draft::read("big.yaml", &"x".repeat(9 << 20)).unwrap_err();
    assert!(matches!(fault, RegistryFault::TooLarge { .. }), "{fault:?}");
}
