use mainspring_kernel::{AssetKind, Fault};
use serde_json::json;

use super::{holds_none, names, provider, route, rows, says, sound, targets};
use crate::{Imported, PortkeyOptions, portkey, portkey_with_keys};

const CONFIG: &str = include_str!("../../fixtures/portkey.json");
const KEYS: &str = include_str!("../../fixtures/portkey_keys.json");
const CONDITIONAL: &str = include_str!("../../fixtures/portkey_conditional.json");

#[track_caller]
fn config(text: &str, model: Option<&str>) -> Imported {
    let imported = portkey(text, PortkeyOptions { name: "prod", model }).unwrap();
    sound(&imported);
    imported
}

#[test]
fn a_tree_of_strategies_becomes_tiers_and_shares() {
    let imported = config(CONFIG, None);
    let prod = route(&imported, "prod");
    assert_eq!(
        targets(prod),
        rows(&[
            ("openai/gpt-4o", 0, 7),
            ("azure-eu-3f2a1c/gpt4o-eu", 0, 3),
            ("anthropic-prod/claude-sonnet-4-5", 1, 1),
            ("openai-house/qwen", 2, 1),
        ])
    );
    assert_eq!(
        prod["fallback"]["on"],
        json!(["connect", "timeout", "reset", "malformed", "unsupported", "rate_limited", "server", "overloaded"])
    );
    assert_eq!(prod["retry"], json!({"attempts": 3, "on": ["rate_limited", "server"]}));
    assert_eq!((&prod["cache"]["mode"], &prod["cache"]["ttl"]), (&json!("semantic"), &json!("1h")));
    assert_eq!((&prod["timeouts"]["attempt"], &prod["breaker"]), (&json!("20s"), &json!({"min_attempts": 4, "open_for": "1m"})));
    let parameters = |at: usize| prod["targets"][at]["parameters"].clone();
    assert_eq!((parameters(0), parameters(2)), (json!({"temperature": 0.1}), json!({"temperature": 0.1, "max_tokens": 1024})));
}

#[test]
fn what_one_target_says_is_not_spread_in_silence() {
    let of = |one: &str, other: &str| {
        let text = format!(
            r#"{{"strategy": {{"mode": "fallback"}}, "targets": [
                {{"provider": "openai", "override_params": {{"model": "a"}}{one}}},
                {{"provider": "groq", "override_params": {{"model": "b"}}{other}}}]}}"#
        );
        config(&text, None)
    };
    let retry = r#", "retry": {"attempts": 3}"#;
    let time = r#", "request_timeout": 4000000"#;
    for (one, other, words) in
        [(retry, retry, [false, false]), (retry, "", [true, false]), (time, time, [false, false]), ("", time, [false, true])]
    {
        let imported = of(one, other);
        let told = ["the most count", "the longest counts"]
            .map(|word| imported.report.different.iter().any(|note| note.path == "prod" && note.message.contains(word)));
        assert_eq!(told, words, "{one} {other}");
        let prod = route(&imported, "prod");
        assert_eq!(prod["retry"]["attempts"] == json!(3), one == retry, "{one} {other}");
        assert_eq!(prod["timeouts"].get("attempt").is_some(), other == time, "{one} {other}");
    }
}

#[test]
fn keys_that_others_keep_become_variables() {
    let imported = config(CONFIG, None);
    assert_eq!(provider(&imported, "openai"), &json!({"type": "openai", "preset": "openai", "credential": "env:OPENAI_API_KEY"}));
    assert_eq!(
        provider(&imported, "azure-eu-3f2a1c"),
        &json!({"type": "azure", "base_url": "https://eu-team.openai.azure.com", "credential": "env:AZURE_EU_3F2A1C_API_KEY", "api_version": "2024-10-21"})
    );
    assert_eq!(provider(&imported, "anthropic-prod"), &json!({"type": "anthropic", "credential": "env:ANTHROPIC_PROD_API_KEY"}));
    assert_eq!(provider(&imported, "openai-house")["base_url"], json!("http://gpu-7:8000/v1"));
    holds_none(&imported, &["sk-portkey-literal-key"]);
    let in_file: Vec<&str> =
        imported.report.variables.iter().filter(|variable| variable.in_file).map(|variable| variable.name.as_str()).collect();
    assert_eq!(in_file, ["OPENAI_API_KEY"]);
    for (path, words) in [
        ("targets[2]", "`vertex-ai` is not known"),
        ("targets[0].targets[0].override_params.messages", "from the request"),
        ("targets[3].forward_headers", "passed on"),
        ("targets[3].input_guardrails", "guards"),
    ] {
        says(&imported.report.missing, path, words);
    }
    says(&imported.report.different, "cb_config", "the share");
}

#[test]
fn a_model_may_name_its_provider() {
    let imported = config(
        r#"{"strategy": {"mode": "load-balance", "sticky": {"enabled": true, "hash_fields": ["metadata.user_id"], "ttl": 3600}},
            "input_guardrails": ["pii"],
            "targets": [{"override_params": {"model": "@openai-prod/gpt-4o"}, "weight": 3},
                        {"provider": "openai", "override_params": {"model": "@groq/openai/gpt-oss-20b"}}]}"#,
        None,
    );
    let prod = route(&imported, "prod");
    assert_eq!(targets(prod), rows(&[("openai-prod/gpt-4o", 0, 3), ("groq/openai/gpt-oss-20b", 0, 1)]));
    assert_eq!(prod["sticky"], json!("user"));
    assert_eq!(provider(&imported, "openai-prod")["credential"], json!("env:OPENAI_PROD_API_KEY"));
    says(&imported.report.different, "strategy.sticky", "as long as");
    let one = config(r#"{"retry": {"attempts": 5, "jitter": 1}, "override_params": {"model": "@openai-prod/gpt-4o"}}"#, None);
    assert_eq!(targets(route(&one, "prod")), rows(&[("openai-prod/gpt-4o", 0, 1)]));
    assert_eq!(route(&one, "prod")["retry"]["attempts"], json!(5));
    says(&one.report.missing, "retry.jitter", "no equivalent");
    says(&imported.report.missing, "input_guardrails", "guards");
}

#[test]
fn what_lies_with_a_key_elsewhere_is_asked_for() {
    let imported = config(
        r#"{"strategy": {"mode": "fallback", "on_status_codes": [446]},
            "targets": [{"provider": "@openai-prod", "override_params": {"model": "gpt-4o"}}, {"provider": "@bedrock-prod"},
                        {"virtual_key": "azure-prod"}, {"provider": "@vertex-prod"}, {"prompt_id": "pp-1"}, {"weight": 1}]}"#,
        None,
    );
    assert_eq!(names(&imported, AssetKind::Provider), ["openai-prod"]);
    for (path, words) in [
        ("targets[1]", "add `aws_region`"),
        ("targets[2]", "add `resource_name`"),
        ("targets[3]", "`vertex-prod` is of a provider that is not known"),
        ("targets[4]", "a prompt that Portkey keeps"),
        ("targets[5]", "names no provider"),
        ("strategy.on_status_codes", "guards answer"),
    ] {
        says(&imported.report.missing, path, words);
    }
    // No key of theirs is asked for where there is no provider.
    assert_eq!(imported.report.variables.len(), 1);
}

#[test]
fn targets_of_conditions_are_routes_of_their_own() {
    let imported = config(CONDITIONAL, None);
    assert_eq!(names(&imported, AssetKind::Route), ["prod", "prod-good"]);
    assert_eq!(targets(route(&imported, "prod")), rows(&[("groq/*", 0, 1)]));
    assert_eq!(route(&imported, "prod")["models"], json!(["*"]));
    assert_eq!(targets(route(&imported, "prod-good")), rows(&[("openai/gpt-4o", 0, 1)]));
    says(&imported.report.missing, "strategy.conditions", "does not look at what a call says");
    let with = config(CONDITIONAL, Some("llama-3.3-70b"));
    assert_eq!(targets(route(&with, "prod")), rows(&[("groq/llama-3.3-70b", 0, 1)]));
    assert!(route(&with, "prod").get("models").is_none());
}

#[test]
fn a_single_target_is_a_config_and_so_is_an_exported_one() {
    let one = config(
        r#"{"provider": "openai", "api_key": "sk-abcdefghijklmnop123456", "retry": {"attempts": 9}, "cache": "simple"}"#,
        Some("gpt-4o"),
    );
    let spec = route(&one, "prod");
    assert_eq!((&spec["retry"]["attempts"], &spec["cache"]["ttl"]), (&json!(9), &json!("7d")));
    assert_eq!(spec["fallback"], json!({"on": []}));
    let exported =
        config(r#"{"name": "x", "config": {"virtual_key": "groq-1a", "overrideParams": {"model": "@groq-1a/llama"}}}"#, None);
    assert_eq!(targets(route(&exported, "prod")), rows(&[("groq-1a/llama", 0, 1)]));
    assert_eq!(provider(&exported, "groq-1a")["preset"], json!("groq"));
    let nested = config(
        r#"{"strategy": {"mode": "loadbalance"}, "targets": [
            {"weight": 1, "strategy": {"mode": "fallback"}, "targets": [{"provider": "openai"}, {"provider": "groq"}]},
            {"weight": 3, "provider": "mistral-ai"}]}"#,
        Some("m"),
    );
    assert_eq!(targets(route(&nested, "prod")), rows(&[("openai/m", 0, 1), ("mistral-ai/m", 0, 3), ("groq/m", 1, 1)]));
    assert_eq!(route(&nested, "prod")["fallback"]["on"].as_array().unwrap().len(), 15);
    says(&nested.report.different, "strategy", "not before them");
}

#[test]
fn keys_that_it_lists_are_made_with_what_holds_for_each() {
    let options = PortkeyOptions { name: "prod", model: None };
    let imported = portkey_with_keys(CONFIG, Some(KEYS), options).unwrap();
    sound(&imported);
    let commands: Vec<&str> = imported.report.plan.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "mainspring keys create batch-jobs --role reader --expires-at 2027-01-01T00:00:00.000000Z",
            "mainspring limits set usd-per-month 40.00 --for key=ID-OF-batch-jobs",
            "mainspring limits set requests-per-minute 100 --for key=ID-OF-batch-jobs",
            "mainspring limits set tokens-per-minute 50000 --for key=ID-OF-batch-jobs",
            "mainspring keys create once --role reader",
            "mainspring limits set usd-per-month 5.00 --for key=ID-OF-once",
        ]
    );
    for (path, words) in [
        ("data[0].rate_limits[2]", "by the minute"),
        ("data[0].scopes", "may call models"),
        ("data[0].defaults", "of a route"),
        ("data[1]", "not active"),
    ] {
        says(&imported.report.missing, path, words);
    }
    assert!(!imported.report.missing.iter().any(|note| note.path.starts_with("data[2]")), "{:?}", imported.report.missing);
    says(&imported.report.different, "data[2].usage_limits.credit_limit", "never begins anew");
    holds_none(&imported, &["pk-of-portkey-itself", "9b1f0c4e"]);
    let fault = portkey_with_keys(CONFIG, Some(r#"{"keys": []}"#), options).unwrap_err();
    assert!(fault.code() == "import-foreign" && fault.hint().is_some_and(|hint| hint.contains("/v1/api-keys")), "{fault}");
}

#[test]
fn a_file_of_something_else_is_refused_without_a_word_of_it() {
    let options = PortkeyOptions { name: "prod", model: None };
    for (text, code) in [
        ("", "import-unreadable"),
        (r#"{"api_key": "sk-secret"#, "import-unreadable"),
        ("[]", "import-foreign"),
        (r#"{"retry": {}}"#, "import-foreign"),
        (r#"{"provider": "vertex-ai"}"#, "import-nothing"),
        (r#"{"strategy": {"mode": "scientist"}, "targets": []}"#, "import-nothing"),
    ] {
        let fault = portkey(text, options).unwrap_err();
        assert_eq!(fault.code(), code, "{text}");
        assert!(!format!("{fault} {:?}", fault.hint()).contains("sk-secret"));
    }
}
