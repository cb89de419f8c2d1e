use mainspring_kernel::{AssetKind, Fault};
use serde_json::json;

use super::{holds_none, names, provider, route, rows, says, sound, spec, targets};
use crate::{Imported, tensorzero};

const GATEWAY: &str = include_str!("../../fixtures/tensorzero.toml");

/// The files beside it.
fn file(path: &str) -> Option<String> {
    let text = match path {
        "functions/draft-email/careful.minijinja" => "Write {{ tone }} mail.{% if name %} Sign as {{ name }}.{% endif %}",
        "functions/draft-email/system_schema.json" => {
            r#"{"type": "object", "properties": {"tone": {"type": "string", "description": "How it sounds."}}}"#
        }
        "functions/extract/user.minijinja" => "Extract from: {{ text }}",
        "functions/extract/output_schema.json" => r#"{"type": "object", "properties": {"name": {"type": "string"}}}"#,
        _ => return None,
    };
    Some(text.to_owned())
}

fn gateway() -> Imported {
    let imported = tensorzero(GATEWAY, &file).unwrap();
    sound(&imported);
    imported
}

#[test]
fn models_are_routes_whose_targets_are_asked_in_order() {
    let imported = gateway();
    let gpt = route(&imported, "gpt-4o");
    assert_eq!(targets(gpt), rows(&[("openai/gpt-4o-2024-08-06", 0, 1), ("azure/gpt4o-eu", 1, 1)]));
    assert_eq!(gpt["models"], json!(["tensorzero::model_name::gpt-4o"]));
    assert_eq!((&gpt["timeouts"], &gpt["retry"]), (&json!({"first": "3s", "attempt": "1m"}), &json!({"attempts": 0})));
    assert_eq!(gpt["targets"][0]["parameters"], json!({"service_tier": "flex"}));
    assert_eq!(
        targets(route(&imported, "claude")),
        rows(&[("anthropic/claude-sonnet-4-5", 0, 1), ("bedrock/us.anthropic.claude-sonnet-4-5-v1:0", 1, 1)])
    );
    let small = route(&imported, "small");
    assert_eq!(small["models"], json!(["tensorzero::embedding_model_name::small"]));
    assert_eq!(small["timeouts"]["attempt"], json!("5s"));
}

#[test]
fn a_server_of_one_model_is_asked_without_its_name() {
    let text = "[models.phi]\nrouting = ['tgi']\n[models.phi.providers.tgi]\ntype = 'tgi'\napi_base = 'http://gpu-7:8080/v1/'\n\
                api_key_location = 'none'";
    let imported = tensorzero(text, &|_| None).unwrap();
    sound(&imported);
    assert_eq!(targets(route(&imported, "phi")), rows(&[("tgi/tgi", 0, 1)]));
    assert_eq!(provider(&imported, "tgi"), &json!({"type": "openai", "preset": "tgi", "base_url": "http://gpu-7:8080/v1"}));
}

#[test]
fn times_of_one_provider_are_not_spread_in_silence() {
    let of = |one: &str, other: &str| {
        let provider =
            |name: &str, more: &str| format!("[models.m.providers.{name}]\ntype = '{name}'\nmodel_name = 'm'\n{more}\n");
        let text = format!("[models.m]\nrouting = ['openai', 'groq']\n{}{}", provider("openai", one), provider("groq", other));
        let imported = tensorzero(&text, &|_| None).unwrap();
        sound(&imported);
        imported
    };
    for (one, other, attempt, first, differs) in [
        ("timeout_ms = 15000", "timeout_ms = 15000", json!("15s"), json!("15s"), false),
        ("timeout_ms = 15000", "timeout_ms = 20000", json!("20s"), json!("20s"), true),
        ("timeouts.streaming.ttft_ms = 3000", "timeouts.streaming.ttft_ms = 2000", json!(null), json!("3s"), true),
        ("timeouts.streaming.ttft_ms = 3000", "", json!(null), json!(null), true),
        ("timeouts.streaming.ttft_ms = 900000", "", json!(null), json!("15m"), true),
    ] {
        let imported = of(one, other);
        let m = route(&imported, "m");
        assert_eq!((&m["timeouts"]["attempt"], &m["timeouts"]["first"]), (&attempt, &first), "{one} {other}");
        let told = imported.report.different.iter().any(|note| note.path == "models.m" && note.message.contains("longest"));
        assert_eq!(told, differs, "{one} {other}");
    }
    let mixed = of("timeout_ms = 1000", "");
    says(&mixed.report.different, "models.m", "the longest counts");
    assert_ne!(route(&mixed, "m")["timeouts"]["attempt"], json!("1s"), "what says nothing is not cut off");
    let variant = |name: &str, more: &str| {
        format!("[functions.f.variants.{name}]\ntype = 'chat_completion'\nmodel = 'openai::m-{name}'\n{more}\n")
    };
    let one = variant("one", "timeouts.non_streaming.total_ms = 5000\nretries.num_retries = 4");
    let text = format!("[functions.f]\ntype = 'chat'\n{one}{}", variant("two", ""));
    let imported = tensorzero(&text, &|_| None).unwrap();
    sound(&imported);
    assert_eq!(route(&imported, "f")["retry"]["attempts"], json!(4));
    says(&imported.report.different, "functions.f", "the longest counts");
    says(&imported.report.different, "functions.f", "the most count");
}

#[test]
fn keys_are_looked_for_where_they_were() {
    let imported = gateway();
    let key = |name: &str| provider(&imported, name)["credential"].clone();
    assert_eq!((key("openai"), key("azure")), (json!("env:OPENAI_API_KEY"), json!("env:AZURE_EU_KEY")));
    assert_eq!((key("together"), key("vllm")), (json!("env:TOGETHER_TEAM_KEY"), json!(null)));
    assert_eq!(key("google_ai_studio_gemini"), json!("env:GOOGLE_KEY"));
    assert_eq!(
        provider(&imported, "bedrock"),
        &json!({"type": "bedrock", "region": "us-east-1", "credential": "env:AWS_ACCESS_KEY_ID", "secret_key": "env:AWS_SECRET_ACCESS_KEY"})
    );
    says(&imported.report.different, "models.flash.providers.google_ai_studio_gemini", "with each request");
    assert!(imported.report.variables.iter().all(|variable| !variable.in_file));
}

#[test]
fn functions_divide_calls_among_their_variants() {
    let imported = gateway();
    let mail = route(&imported, "draft-email");
    assert_eq!(
        targets(mail),
        rows(&[
            ("anthropic/claude-sonnet-4-5", 0, 9),
            ("bedrock/us.anthropic.claude-sonnet-4-5-v1:0", 1, 9),
            ("openai/gpt-4o-mini", 0, 1),
        ])
    );
    assert_eq!((&mail["models"], &mail["retry"]["attempts"]), (&json!(["tensorzero::function_name::draft-email"]), &json!(2)));
    assert_eq!(mail["targets"][0]["parameters"], json!({"temperature": 0.2, "max_tokens": 400}));
    assert_eq!(mail["targets"][2]["parameters"], json!({"stop": ["END"]}));
    let extract = route(&imported, "extract");
    let format = &extract["targets"][0]["parameters"]["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["name"]), (&json!("json_schema"), &json!("extract")));
    says(&imported.report.missing, "functions.draft-email.variants.best", "`experimental_best_of_n_sampling`");
}

#[test]
fn templates_become_prompts_with_their_parameters() {
    let imported = gateway();
    assert_eq!(names(&imported, AssetKind::Prompt), ["draft-email-careful", "extract"]);
    let careful = spec(&imported, AssetKind::Prompt, "draft-email-careful");
    assert_eq!(careful["parameters"]["tone"], json!({"type": "string", "description": "How it sounds."}));
    assert_eq!(
        (&careful["parameters"]["name"], &careful["parameters"]["question"]),
        (&json!({"type": "string"}), &json!({"type": "string"}))
    );
    assert_eq!(careful["settings"], json!({"temperature": 0.2, "max_tokens": 400}));
    assert_eq!(careful["messages"][1], json!({"role": "user", "content": "{{ question }}"}));
    assert_eq!(spec(&imported, AssetKind::Prompt, "extract")["messages"].as_array().unwrap().len(), 1);
    says(&imported.report.different, "functions.extract.variants.only", "`prompt/extract`");
    let without = tensorzero(GATEWAY, &|_| None).unwrap();
    sound(&without);
    assert!(names(&without, AssetKind::Prompt).is_empty());
    says(&without.report.missing, "functions.extract.variants.only.user_template", "the file is not there");
}

#[test]
fn a_template_with_a_name_of_its_own_is_what_users_say() {
    let variant = "[functions.fact]\ntype = 'chat'\nschemas.about.path = 's'\n[functions.fact.variants.one]\n\
                   type = 'chat_completion'\nmodel = 'openai::gpt-5-mini'\n";
    let read = |path: &str| match path {
        "s" => Some(r#"{"properties": {"about": {"type": "string"}}}"#.to_owned()),
        "t" => Some("A fact about {{ about }}.".to_owned()),
        _ => None,
    };
    let one = tensorzero(&format!("{variant}templates.about.path = 't'"), &read).unwrap();
    sound(&one);
    assert_eq!(
        spec(&one, AssetKind::Prompt, "fact")["messages"],
        json!([{"role": "user", "content": "A fact about {{ about }}."}])
    );
    let two = tensorzero(&format!("{variant}templates.about.path = 't'\ntemplates.of.path = 't'"), &read).unwrap();
    sound(&two);
    assert!(names(&two, AssetKind::Prompt).is_empty());
    says(&two.report.missing, "functions.fact.variants.one.templates.of", "left out");
}

#[test]
fn prices_are_read_from_where_they_are_taken_in_an_answer() {
    let imported = gateway();
    let models = spec(&imported, AssetKind::Prices, "default")["models"].as_array().unwrap();
    let of = |name: &str| models.iter().find(|price| price["model"] == name).unwrap();
    let gpt = of("gpt-4o-2024-08-06");
    assert_eq!((&gpt["input"], &gpt["output"], &gpt["cache_read"]), (&json!("2.50"), &json!("10.00"), &json!("1.25")));
    assert_eq!(gpt["batch"]["output"], json!("5.00"));
    let claude = of("claude-sonnet-4-5");
    assert_eq!((&claude["cache_read"], &claude["cache_write"]), (&json!("0.30"), &json!("3.75")));
    assert_eq!(of("text-embedding-3-small")["input"], json!("0.02"));
    says(&imported.report.missing, "models.claude.providers.anthropic.cost[4]", "only tokens have prices");
}

#[test]
fn rules_become_commands_where_there_is_a_limit_like_them() {
    let imported = gateway();
    let commands: Vec<&str> = imported.report.plan.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "mainspring limits set requests-per-minute 600 --for project",
            "mainspring limits set usd-per-day 25.50 --for project",
            "mainspring limits set tokens-per-minute 50000 --for user",
            "mainspring keys create client-aabbccddeeff --role reader",
            "mainspring limits set requests-per-minute 60 --for key=ID-OF-client-aabbccddeeff",
            "mainspring limits set usd-per-month 5.00 --for key=ID-OF-client-aabbccddeeff",
        ]
    );
    let missing = &imported.report.missing;
    for (path, words) in [
        ("rate_limiting.rules[0].tokens_per_hour", "by the minute"),
        ("rate_limiting.rules[2]", "not for other tags"),
        ("rate_limiting.rules[5]", "not for other tags"),
        ("gateway.bind_address", "server.listen"),
        ("gateway.auth", "keys create"),
        ("models.gpt-4o.providers.openai.extra_body[1]", "at the top"),
        ("models.claude.providers.vertex.type", "Vertex"),
        ("metrics", "`/api/v1/scores`"),
        ("evaluations", "the source `evaluation`"),
        ("tools", "with the request"),
    ] {
        says(missing, path, words);
    }
    // A whole key in the place of its public id is a secret.
    holds_none(&imported, &["t0-whole-key"]);
}

#[test]
fn a_file_of_something_else_is_refused() {
    for (text, code) in [
        ("= 1", "import-unreadable"),
        ("a = 1", "import-foreign"),
        ("[models.x]\nrouting = []", "import-nothing"),
        ("[gateway]\ndebug = true", "import-nothing"),
    ] {
        assert_eq!(tensorzero(text, &|_| None).unwrap_err().code(), code, "{text}");
    }
    let secret = tensorzero("[models]\nkey = \"sk-secret", &|_| None).unwrap_err();
    assert!(!secret.to_string().contains("sk-secret") && secret.to_string().contains("line 2"), "{secret}");
}
