mod fallbacks;

use mainspring_kernel::{AssetKind, Fault, Role};
use serde_json::json;

use super::{holds_none, names, provider, route, rows, says, sound, spec, targets, unset};
use crate::{Action, ImportFault, Imported, litellm, litellm_with_keys};

const PROXY: &str = include_str!("../../fixtures/litellm.yaml");
const KEYS: &str = include_str!("../../fixtures/litellm_keys.json");

fn proxy() -> Imported {
    let imported = litellm(PROXY, &unset).unwrap();
    sound(&imported);
    imported
}

/// A list of one model with these fields.
fn one(fields: &str) -> Imported {
    let imported = litellm(&format!("model_list:\n  - model_name: m\n    litellm_params: {{{fields}}}\n"), &unset).unwrap();
    sound(&imported);
    imported
}

#[test]
fn a_proxy_becomes_providers_with_references_to_their_keys() {
    let imported = proxy();
    assert_eq!(
        names(&imported, AssetKind::Provider),
        ["openai", "azure", "openai-2", "anthropic", "bedrock", "gemini", "openrouter", "ollama", "hosted_vllm"]
    );
    assert_eq!(provider(&imported, "openai"), &json!({"type": "openai", "preset": "openai", "credential": "env:OPENAI_API_KEY"}));
    assert_eq!(
        provider(&imported, "azure"),
        &json!({"type": "azure", "base_url": "https://eu-team.openai.azure.com", "credential": "env:AZURE_EU_KEY", "api_version": "2024-10-21"})
    );
    let second = provider(&imported, "openai-2");
    assert_eq!(
        (&second["credential"], &second["headers"]),
        (&json!("env:OPENAI_API_KEY_2"), &json!({"openai-organization": "org-abc"}))
    );
    assert_eq!(
        provider(&imported, "bedrock"),
        &json!({"type": "bedrock", "region": "eu-central-1", "credential": "env:BEDROCK_ID", "secret_key": "env:AWS_SECRET_ACCESS_KEY"})
    );
    assert_eq!(
        provider(&imported, "ollama"),
        &json!({"type": "openai", "preset": "ollama", "base_url": "http://localhost:11434/v1"})
    );
    assert_eq!(
        provider(&imported, "hosted_vllm"),
        &json!({"type": "openai", "preset": "vllm", "base_url": "http://gpu-7:8000/v1", "max_concurrent": 16})
    );
}

#[test]
fn patterns_are_handed_on_or_call_a_provider_by_its_name() {
    let imported = proxy();
    let claude = route(&imported, "claude");
    assert_eq!((&claude["models"], targets(claude)), (&json!(["claude-*"]), rows(&[("anthropic/*", 0, 1)])));
    says(&imported.report.different, "model_list.openai/*", "`openai/MODEL`");
    says(&imported.report.missing, "model_list[12].litellm_params", "handed on whole or not at all");
    let any = litellm("model_list:\n  - {model_name: '*', litellm_params: {model: 'openai/*'}}", &unset).unwrap();
    sound(&any);
    assert_eq!(route(&any, "any-model")["models"], json!(["*"]));
}

#[test]
fn prices_are_for_a_million_tokens_at_their_provider() {
    let imported = proxy();
    let prices = &spec(&imported, AssetKind::Prices, "default")["models"];
    let gpt = &prices[0];
    assert_eq!((&gpt["model"], &gpt["provider"]), (&json!("gpt-4o"), &json!("openai-2")));
    assert_eq!((&gpt["input"], &gpt["output"], &gpt["cache_read"]), (&json!("2.50"), &json!("10.00"), &json!("1.25")));
    assert_eq!((&gpt["batch"]["input"], &gpt["batch"]["output"]), (&json!("1.25"), &json!("5.00")));
    let quick = &gpt["service_tiers"]["priority"];
    assert_eq!((&quick["input"], &quick["output"], &quick["cache_read"]), (&json!("4.25"), &json!("17.00"), &json!("1.25")));
    let claude = &prices[1];
    assert_eq!((&claude["cache_write"], &claude["cache_write_hour"]), (&json!("3.75"), &json!("6.00")));
    let tier = &claude["tiers"][0];
    assert_eq!(
        (&tier["above_input"], &tier["rates"]["input"], &tier["rates"]["output"]),
        (&json!(200_000), &json!("6.00"), &json!("22.50"))
    );
    assert_eq!(prices.as_array().unwrap().len(), 2);
}

#[test]
fn a_price_of_a_model_stands_before_that_of_a_pattern_that_matches_it() {
    let priced = |name: &str, model: &str| {
        format!(
            "  - {{model_name: '{name}', litellm_params: {{model: '{model}', input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}}}\n"
        )
    };
    let list = format!("model_list:\n{}{}", priced("*", "openai/*"), priced("cheap", "openai/gpt-4o-mini"));
    let imported = litellm(&list, &unset).unwrap();
    sound(&imported);
    let prices = spec(&imported, AssetKind::Prices, "default")["models"].as_array().unwrap();
    assert_eq!(prices.iter().map(|price| &price["model"]).collect::<Vec<_>>(), [&json!("gpt-4o-mini"), &json!("*")]);
}

#[test]
fn no_secret_of_the_file_comes_through() {
    let imported = proxy();
    holds_none(
        &imported,
        &[
            "sk-proj-THISISALITERALKEY0123456789",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
            "hunter2-redis-password",
            "cache-password-secret",
            "sk-master-1234567890abcdef",
            "db-password-secret",
            "webhook-secret",
        ],
    );
    let variables: Vec<(&str, bool)> =
        imported.report.variables.iter().map(|variable| (variable.name.as_str(), variable.in_file)).collect();
    for expected in [
        ("OPENAI_API_KEY", false),
        ("OPENAI_API_KEY_2", true),
        ("AZURE_EU_KEY", false),
        ("ANTHROPIC_API_KEY", false),
        ("BEDROCK_ID", false),
        ("AWS_SECRET_ACCESS_KEY", true),
    ] {
        assert!(variables.contains(&expected), "{expected:?}: {variables:?}");
    }
}

#[test]
fn limits_and_keys_are_a_list_of_commands() {
    let imported = proxy();
    let commands: Vec<&str> = imported.report.plan.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "mainspring limits set usd-per-month 100.00 --for project",
            "mainspring limits set usd-per-day 10.00 --for key",
            "mainspring limits set requests-per-minute 60 --for key",
            "mainspring limits set usd-per-month 5.00 --for user",
            "mainspring limits set concurrent 200 --for project",
            "mainspring keys create operator --role admin",
            "mainspring keys create my-app --role reader",
            // What both deployments take together, and may cost together.
            "mainspring limits set requests-per-minute 900 --for model=gpt-4o",
            "mainspring limits set usd-per-day 12.50 --for model=gpt-4o",
        ]
    );
    says(&imported.report.missing, "litellm_settings.max_end_user_budget", "for a day or a calendar month");
    says(&imported.report.missing, "router_settings.provider_budget_config", "--for model=ROUTE");
    says(&imported.report.different, "litellm_settings.upperbound_key_generate_params.max_budget", "the first counts");
    // All but what only a person can name is made with `--apply`.
    let by_hand: Vec<&str> =
        imported.report.plan.iter().filter(|step| step.action.is_none()).map(|step| step.command.as_str()).collect();
    assert_eq!(by_hand, ["mainspring keys create my-app --role reader"]);
}

#[test]
fn keys_that_it_lists_are_made_with_what_holds_for_each() {
    let imported = litellm_with_keys("model_list: []\nlitellm_settings: {}", Some(KEYS), &unset).unwrap();
    let commands: Vec<&str> = imported.report.plan.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "mainspring keys create support-bot --role reader --models gpt-4o,claude-*,team-gpt --expires-at 2027-03-01T00:00:00.000000Z",
            "mainspring limits set usd-per-month 25.00 --for key=ID-OF-support-bot",
            "mainspring limits set requests-per-minute 30 --for key=ID-OF-support-bot",
            "mainspring limits set tokens-per-minute 20000 --for key=ID-OF-support-bot",
            "mainspring limits set concurrent 4 --for key=ID-OF-support-bot",
            "mainspring keys create ann --role reader",
            "mainspring limits set usd-per-month 3.00 --for key=ID-OF-ann",
            "mainspring keys create weekly --role reader",
            "mainspring limits set usd-per-month 7.00 --for key=ID-OF-weekly",
            "mainspring keys create hourly --role reader",
            "mainspring limits set usd-per-day 0.25 --for key=ID-OF-hourly",
            "mainspring keys create support-bot-2 --role reader",
        ]
    );
    let Some(Action::Key(first)) = &imported.report.plan[0].action else { panic!("{:?}", imported.report.plan[0]) };
    assert_eq!(
        (first.role, first.models.as_deref(), first.expires_at.map(|at| at.as_seconds())),
        (Role::Reader, Some(["gpt-4o", "claude-*", "team-gpt"].map(str::to_owned).as_slice()), Some(1_803_859_200))
    );
    for (path, words) in [
        ("keys[0].aliases", "a route's `models`"),
        ("keys[0].metadata", "no notes"),
        ("keys[0].model_max_budget", "within the other"),
        ("keys[5]", "blocked"),
        ("keys[6]", "cannot be read"),
        ("keys[7].models", "no key is made"),
        ("keys[8]", "a session of its page"),
        ("keys[9].max_budget", "cannot be read"),
        ("keys[10].rpm_limit", "lets nothing through"),
    ] {
        says(&imported.report.missing, path, words);
    }
    says(&imported.report.missing, "keys", "one page of several");
    for (path, words) in [
        ("keys[0].team_id", "a team is a project"),
        ("keys[0].user_id", "--for MEMBER"),
        ("keys[1].max_budget", "never begins anew"),
        ("keys[2].max_budget", "for another time"),
        ("keys[2].models", "is not in this list"),
    ] {
        says(&imported.report.different, path, words);
    }
    // Neither digests nor beginnings of keys are anyone's business.
    holds_none(&imported, &["88dc28d0", "sk-...aB3x", "zz9p", "4711"]);
}

#[test]
fn what_warns_before_a_budget_is_spent_is_named() {
    let listed = r#"{"keys": [{"token": "x", "key_alias": "a", "soft_budget": 5}]}"#;
    let imported = litellm_with_keys("model_list: []\nlitellm_settings: {}", Some(listed), &unset).unwrap();
    says(&imported.report.missing, "keys[0].soft_budget", "`monitor`");
}

#[test]
fn a_list_of_keys_that_is_none_is_refused_without_a_word_of_it() {
    for (listed, code) in [
        ("{", "import-unreadable"),
        (r#"{"data": []}"#, "import-foreign"),
        (r#"{"keys": ["88dc28d0f030c55e"]}"#, "import-foreign"),
        ("7", "import-foreign"),
    ] {
        let fault = litellm_with_keys("model_list: []", Some(listed), &unset).unwrap_err();
        assert_eq!(fault.code(), code, "{listed}");
        assert!(!format!("{fault} {:?}", fault.hint()).contains("88dc28d0"), "{fault}");
    }
}

#[test]
fn what_has_no_equivalent_is_named_with_its_place() {
    let imported = proxy();
    let missing = &imported.report.missing;
    for (path, words) in [
        ("model_list[13].litellm_params.model", "`vertex_ai` is not known"),
        ("model_list[14].litellm_params.mock_response", "left out"),
        ("model_list[15].model_info.mode", "`image_generation` is not served"),
        ("model_list.gpt-4o", "names a model that is not there"),
        ("router_settings.redis_host", "not needed"),
        ("router_settings.redis_password", "not needed"),
        ("router_settings.enable_tag_filtering", "a route for each"),
        ("litellm_settings.drop_params", "x-mainspring-lost"),
        ("litellm_settings.success_callback", "/metrics"),
        ("litellm_settings.default_team_settings", "a team is a project"),
        ("general_settings.database_url", "the catalog"),
        ("general_settings.alerting", "`receiver`"),
        ("general_settings.user_header_name", "`x-litellm-end-user-id`"),
        ("environment_variables", "SLACK_WEBHOOK_URL"),
        ("guardrails", "guards"),
    ] {
        says(missing, path, words);
    }
    says(&imported.report.missing, "model_list.Team GPT", "has spaces");
    says(&imported.report.different, "router_settings.routing_strategy", "two drawn by weight");
    says(&imported.report.different, "router_settings.allowed_fails", "half of them failed");
    assert!(!missing.iter().any(|note| note.path.starts_with("x-azure")));
}

#[test]
fn models_are_placed_by_their_words() {
    for (fields, expected) in [
        ("model: gpt-4o", json!({"type": "openai", "preset": "openai", "credential": "env:OPENAI_API_KEY"})),
        ("model: claude-3-haiku", json!({"type": "anthropic", "credential": "env:ANTHROPIC_API_KEY"})),
        ("model: groq/llama3", json!({"type": "openai", "preset": "groq", "credential": "env:GROQ_API_KEY"})),
        ("model: together_ai/x/y", json!({"type": "openai", "preset": "together", "credential": "env:TOGETHERAI_API_KEY"})),
        (
            "model: my-model, custom_llm_provider: openai, api_base: 'http://x:1/v1', api_key: EMPTY",
            json!({"type": "openai", "base_url": "http://x:1/v1"}),
        ),
        (
            "model: azure/responses/d, api_base: 'https://a.openai.azure.com/openai/deployments/d', api_key: os.environ/K",
            json!({"type": "azure", "base_url": "https://a.openai.azure.com", "credential": "env:K"}),
        ),
        (
            "model: bedrock/us-east-1/amazon.nova, aws_access_key_id: os.environ/A, aws_secret_access_key: os.environ/B",
            json!({"type": "bedrock", "region": "us-east-1", "credential": "env:A", "secret_key": "env:B"}),
        ),
    ] {
        let imported = one(fields);
        assert_eq!(imported.manifests[0].spec, expected, "{fields}");
    }
    let imported = one("model: azure/responses/d, api_base: 'https://a.openai.azure.com', api_key: os.environ/K");
    assert_eq!(targets(route(&imported, "m")), rows(&[("azure/d", 0, 1)]));
}

#[test]
fn addresses_in_variables_are_written_out_where_they_are_set() {
    let text = "model_list:\n\
        \x20 - {model_name: a, litellm_params: {model: ollama/q, api_base: os.environ/HERE, cooldown_time: 90}}\n\
        \x20 - {model_name: b, litellm_params: {model: vllm/q, api_base: os.environ/OF_THE_FILE}}\n\
        \x20 - {model_name: c, litellm_params: {model: vllm/q, api_base: os.environ/NOWHERE, api_key: os.environ/HERE}}\n\
        environment_variables: {OF_THE_FILE: 'http://gpu-8:8000/v1'}\n";
    let imported = litellm(text, &|name| (name == "HERE").then(|| " http://gpu-7:11434 ".to_owned())).unwrap();
    sound(&imported);
    assert_eq!(names(&imported, AssetKind::Route), ["a", "b"]);
    assert_eq!(provider(&imported, "ollama")["base_url"], json!("http://gpu-7:11434/v1"));
    assert_eq!(provider(&imported, "vllm")["base_url"], json!("http://gpu-8:8000/v1"));
    assert_eq!(route(&imported, "a")["breaker"]["open_for"], json!("90s"));
    says(&imported.report.different, "model_list[0].litellm_params.api_base", "written out");
    says(&imported.report.missing, "model_list[2].litellm_params.api_base", "where the variable is set");
}

#[test]
fn credentials_by_name_are_put_in() {
    let text = "credential_list:\n  - {credential_name: house, credential_values: {api_base: 'http://x:1/v1', api_key: os.environ/HOUSE}}\n\
        model_list:\n  - {model_name: m, litellm_params: {model: openai/m, litellm_credential_name: house}}";
    let imported = litellm(text, &unset).unwrap();
    sound(&imported);
    assert_eq!(provider(&imported, "openai"), &json!({"type": "openai", "base_url": "http://x:1/v1", "credential": "env:HOUSE"}));
}

#[test]
fn one_key_in_two_places_is_one_variable_and_headers_with_secrets_are_left_out() {
    let text = "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: sk-same-key-0123456789abcdef}}\n  \
        - {model_name: b, litellm_params: {model: openai/b, api_key: sk-same-key-0123456789abcdef, \
        extra_headers: {X-Secret-Thing: swordfish, x-team: red}}}";
    let imported = litellm(text, &unset).unwrap();
    sound(&imported);
    assert_eq!(imported.report.variables.len(), 1);
    assert_eq!(imported.report.variables[0].name, "OPENAI_API_KEY");
    assert_eq!(provider(&imported, "openai-2")["headers"], json!({"x-team": "red"}));
    holds_none(&imported, &["swordfish", "sk-same-key"]);
    says(&imported.report.missing, "X-Secret-Thing", "a secret");
}

#[test]
fn a_header_from_a_variable_stays_one_and_no_value_becomes_one() {
    let imported = one("model: openai/m, api_key: os.environ/K, organization: os.environ/ORG, \
         extra_headers: {X-Portal-Token: os.environ/PORTAL, x-tags: 'env:PATH', x-team: red}");
    let headers = json!({"openai-organization": "env:ORG", "x-portal-token": "env:PORTAL", "x-team": "red"});
    assert_eq!(provider(&imported, "openai")["headers"], headers);
    says(&imported.report.missing, "x-tags", "a secret");
    assert!(imported.report.variables.iter().any(|variable| variable.name == "PORTAL"));
}

#[test]
fn a_file_of_something_else_is_refused_without_a_word_of_it() {
    for (text, code) in [
        ("{", "import-unreadable"),
        ("- 1", "import-foreign"),
        ("a: b", "import-foreign"),
        ("model_list: []", "import-nothing"),
        ("model_list:\n  - {model_name: m, litellm_params: {model: vertex_ai/x}}", "import-nothing"),
    ] {
        let fault = litellm(text, &unset).unwrap_err();
        assert_eq!(mainspring_kernel::Fault::code(&fault), code, "{text}");
    }
    let twice = litellm("model_list: []\nlitellm_settings: {}\nlitellm_settings: {}", &unset).unwrap_err();
    assert_eq!((twice.code(), twice.to_string().contains("stands twice")), ("import-unreadable", true), "{twice}");
    let secret = litellm("model_list: 'sk-secret-in-a-broken-file", &unset).unwrap_err();
    assert!(matches!(secret, ImportFault::Unreadable { .. }) && !secret.to_string().contains("sk-secret"), "{secret}");
    let long = "#".repeat(crate::TEXT_MAX + 1);
    assert!(matches!(litellm(&long, &unset), Err(ImportFault::TooLarge { .. })));
}

/// What a YAML scanner would take hours for is not given to it.
#[test]
fn a_file_of_brackets_is_refused_at_once() {
    for text in ["[".repeat(2_000_000), format!("a: {}", "- ".repeat(1_000_000))] {
        assert!(matches!(litellm(&text, &unset), Err(ImportFault::Unreadable { .. })));
    }
}

#[test]
fn times_and_retries_of_one_deployment_are_not_spread_in_silence() {
    let of = |one: &str, other: &str| {
        let text = format!(
            "model_list:\n  - {{model_name: a, litellm_params: {{model: openai/a{one}}}}}\n\
            \x20 - {{model_name: a, litellm_params: {{model: groq/a{other}}}}}\nrouter_settings: {{timeout: 60, num_retries: 1}}\n"
        );
        let imported = litellm(&text, &unset).unwrap();
        sound(&imported);
        imported
    };
    let differs = |imported: &Imported, word: &str| {
        imported.report.different.iter().any(|note| note.path == "model_list.a" && note.message.starts_with(word))
    };
    for (one, other, timeouts, retries, words) in [
        ("", "", "1m", 1, [false, false]),
        (", timeout: 30", ", timeout: 30", "30s", 1, [false, false]),
        (", timeout: 30", "", "1m", 1, [true, false]),
        (", timeout: 30", ", timeout: 90", "90s", 1, [true, false]),
        (", num_retries: 3", "", "1m", 3, [false, true]),
        (", num_retries: 0", "", "1m", 1, [false, true]),
        (", cooldown_time: 5", "", "1m", 1, [true, false]),
    ] {
        let imported = of(one, other);
        let a = route(&imported, "a");
        assert_eq!(a["timeouts"]["attempt"], json!(timeouts), "{one} {other}");
        let attempts = a["retry"].get("attempts").map_or(1, |attempts| attempts.as_u64().unwrap());
        assert_eq!(
            (attempts, [differs(&imported, "timeouts"), differs(&imported, "retries")]),
            (retries, words),
            "{one} {other}"
        );
    }
    let streams = of(", stream_timeout: 5", ", stream_timeout: 5");
    assert_eq!(route(&streams, "a")["timeouts"]["first"], json!("5s"));
    says(&streams.report.different, "model_list.a", "until it begins");
}
