//! Whatever stands in a file, what comes out is what the server takes, and no key of it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{holds_none, sound, unset};
use crate::{Action, ImportFault, Imported, PortkeyOptions, litellm, litellm_with_keys, portkey, portkey_with_keys, tensorzero};

const LISTS: [&str; 2] = [include_str!("../../fixtures/litellm_keys.json"), include_str!("../../fixtures/portkey_keys.json")];
const FILES: [&str; 4] = [
    include_str!("../../fixtures/litellm.yaml"),
    include_str!("../../fixtures/tensorzero.toml"),
    include_str!("../../fixtures/portkey.json"),
    include_str!("../../fixtures/portkey_conditional.json"),
];

fn by_each(text: &str) -> [Result<Imported, ImportFault>; 3] {
    let file = |path: &str| (path.len() % 2 == 0).then(|| text.chars().take(200).collect());
    let options = PortkeyOptions { name: "a route", model: None };
    [litellm(text, &unset), tensorzero(text, &file), portkey(text, options)]
}

/// Whatever is listed, a key has a name of its own and a limit names one before it, or everybody.
fn check_listed(text: &str) {
    let options = PortkeyOptions { name: "a route", model: None };
    let read = [litellm_with_keys("model_list: []", Some(text), &unset), portkey_with_keys(FILES[2], Some(text), options)];
    for imported in read.into_iter().flatten() {
        sound(&imported);
        let mut named = BTreeSet::new();
        for action in imported.report.plan.into_iter().filter_map(|step| step.action) {
            match action {
                Action::Key(key) => {
                    assert!(key.models.as_ref().is_none_or(|models| !models.is_empty()), "{key:?}");
                    assert!(named.insert(key.name.to_string()), "two have one name: {key:?}");
                }
                Action::Limit(limit) => assert!(limit.subject.as_ref().is_none_or(|name| named.contains(name)), "{limit:?}"),
            }
        }
    }
}

fn check(text: &str) {
    for imported in by_each(text).into_iter().flatten() {
        sound(&imported);
        assert!(!imported.report.is_empty() || !imported.manifests.is_empty());
    }
}

/// JSON of some depth, with the words that matter among its keys.
fn trees() -> impl Strategy<Value = Value> {
    static WORDS: [&str; 24] = [
        "model_list",
        "model_name",
        "litellm_params",
        "model",
        "api_base",
        "router_settings",
        "fallbacks",
        "models",
        "routing",
        "providers",
        "type",
        "functions",
        "variants",
        "targets",
        "strategy",
        "mode",
        "provider",
        "virtual_key",
        "override_params",
        "weight",
        "retry",
        "cache",
        "timeout",
        "*",
    ];
    static TEXTS: [&str; 14] = [
        "openai",
        "openai/gpt-4o",
        "bedrock/x",
        "azure",
        "*",
        "openai/*",
        "fallback",
        "loadbalance",
        "conditional",
        "simple",
        "chat_completion",
        "env::X",
        "os.environ/X",
        "http://x:1/v1",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (-3_i64..1_000).prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let key = prop_oneof![4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => "[a-z_]{1,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Keys as either gateway lists them, with values of every kind in every field.
fn keys() -> impl Strategy<Value = Value> {
    static FIELDS: [&str; 14] = [
        "key_alias",
        "name",
        "token",
        "user_id",
        "team_id",
        "models",
        "expires",
        "expires_at",
        "max_budget",
        "budget_duration",
        "rpm_limit",
        "usage_limits",
        "rate_limits",
        "status",
    ];
    let value = prop_oneof![
        Just(Value::Null),
        any::<f64>().prop_map(|number| json!(number)),
        (-3_i64..1_000).prop_map(Value::from),
        "[a-z*, ]{0,8}".prop_map(Value::from),
        Just(json!("30d")),
        Just(json!("2027-01-01T00:00:00Z")),
        Just(json!({"credit_limit": 3, "type": "cost"})),
        Just(json!([{"type": "requests", "unit": "rpm", "value": 3}])),
        prop::collection::vec("\\PC{0,6}", 0..3).prop_map(|names| json!(names)),
    ];
    prop::collection::btree_map(prop::sample::select(&FIELDS[..]), value, 0..8)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        check(&text);
    }

    #[test]
    fn any_tree_is_read_or_refused(tree in trees()) {
        // JSON is YAML too.
        check(&tree.to_string());
        if let Ok(text) = toml::to_string(&tree) {
            check(&text);
        }
    }

    #[test]
    fn a_list_of_any_models_is_sound(entries in prop::collection::vec(trees(), 0..4), router in trees(), settings in trees()) {
        let list: Vec<Value> = entries.into_iter().map(|params| json!({"model_name": "m", "litellm_params": params})).collect();
        check(&json!({"model_list": list, "router_settings": router, "litellm_settings": settings}).to_string());
    }

    #[test]
    fn a_file_that_is_cut_or_changed_is_read_or_refused(which in 0_usize..4, cut in 0.0_f64..1.0, at in 0.0_f64..1.0, put in "\\PC{0,3}") {
        let text = FILES[which];
        let place = |share: f64| (0..=(text.len() as f64 * share) as usize).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        check(&text[..place(cut)]);
        let (before, after) = text.split_at(place(at));
        check(&format!("{before}{put}{after}"));
    }

    #[test]
    fn a_list_of_keys_that_is_cut_or_changed_is_read_or_refused(which in 0_usize..2, cut in 0.0_f64..1.0, at in 0.0_f64..1.0, put in "\\PC{0,3}") {
        let text = LISTS[which];
        let place = |share: f64| (0..=(text.len() as f64 * share) as usize).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        check_listed(&text[..place(cut)]);
        let (before, after) = text.split_at(place(at));
        check_listed(&format!("{before}{put}{after}"));
        check_listed(&put);
    }

    #[test]
    fn any_list_of_keys_is_read_or_refused(list in prop::collection::vec(keys(), 0..6)) {
        check_listed(&json!({"keys": list, "data": list}).to_string());
    }

    #[test]
    fn no_key_comes_through(secret in "[A-Za-z0-9+/_-]{12,60}") {
        let secret = format!("zq{secret}");
        let text = FILES[0].replace("sk-proj-THISISALITERALKEY0123456789", &secret).replace("hunter2-redis-password", &secret);
        holds_none(&litellm(&text, &unset).unwrap(), &[&secret]);
        let text = FILES[2].replace("sk-portkey-literal-key-0123456789", &secret);
        holds_none(&portkey(&text, PortkeyOptions { name: "prod", model: None }).unwrap(), &[&secret]);
    }
}
