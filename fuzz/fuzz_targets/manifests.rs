//! Specs that people write: what is taken is stored in a form that is taken again, and exported as text that says the same.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mainspring_kernel::Digest;
use mainspring_registry::{API_VERSION, Draft, KindDescriptor};
use serde_json::{Value, json};

static KINDS: LazyLock<Vec<KindDescriptor>> = LazyLock::new(|| {
    let mut kinds = mainspring_gateway::descriptors();
    kinds.extend(mainspring_chains::descriptors());
    kinds.extend([mainspring_providers::descriptor(), mainspring_prompts::descriptor(), mainspring_knowledge::kind()]);
    kinds
});

/// More than these, in whatever place, and the reader of drafts refuses a text.
const BRACKETS: usize = 400;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(drafts) = Draft::read("fuzzed.yaml", text) else { return };
    for draft in drafts {
        let named = draft.value.get("kind").and_then(Value::as_str);
        let spec = draft.value.get("spec").unwrap_or(&Value::Null);
        for kind in KINDS.iter().filter(|kind| named.is_none_or(|named| named == kind.kind.as_str())) {
            taken(kind, spec);
        }
    }
});

fn taken(kind: &KindDescriptor, spec: &Value) {
    let parsed = match kind.check(spec) {
        Ok(parsed) => parsed,
        Err(fault) => {
            assert!(!fault.problems.is_empty() && fault.problems.iter().all(|problem| !problem.message.is_empty()));
            return;
        }
    };
    let again = kind.check(&parsed.canonical).unwrap_or_else(|fault| panic!("{fault}: {}", parsed.canonical));
    assert_eq!(Digest::of_json(&again.canonical), Digest::of_json(&parsed.canonical), "one version has two names");
    assert_eq!((again.references, again.offers), (parsed.references, parsed.offers));
    exported(kind, &parsed.canonical);
}

fn exported(kind: &KindDescriptor, canonical: &Value) {
    let plain = canonical.to_string();
    // The registry refuses NUL before it stores anything.
    if plain.contains("\\u0000") || plain.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > BRACKETS {
        return;
    }
    let manifest = json!({"apiVersion": API_VERSION, "kind": kind.kind.as_str(), "name": "fuzzed", "spec": canonical});
    let text = yaml_serde::to_string(&manifest).expect("a manifest can be written");
    let drafts = Draft::read("exported.yaml", &text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
    let values: Vec<Value> = drafts.into_iter().map(|draft| draft.value).collect();
    assert_eq!(values, [manifest], "{text}");
}
