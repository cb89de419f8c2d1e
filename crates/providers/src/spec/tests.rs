use mainspring_kernel::{AssetKind, Fault as _, Name, Timestamp, id::ProjectId};
use mainspring_llm::exchange::{Call, Dialect, EmbedCall, Role, Turn};
use mainspring_registry::SpecFault;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{ProviderKind, ProviderSpec};
use crate::{Credentials, Endpoint, EndpointFault, Operation, Preset, adapter, descriptor};

fn spec(value: Value) -> ProviderSpec {
    serde_json::from_value(value).unwrap()
}

fn problems(value: &Value) -> Vec<String> {
    match descriptor().check(value) {
        Ok(_) => Vec::new(),
        Err(SpecFault { problems }) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn fits(value: Value) {
    assert_eq!(problems(&value), Vec::<String>::new(), "{value}");
}

#[track_caller]
fn refused(value: Value, path: &str, says: &str) {
    let found = problems(&value);
    assert_eq!(found.len(), 1, "{value}: {found:?}");
    assert!(found[0].starts_with(&format!("{path}: ")) && found[0].contains(says), "{value}: {found:?}");
}

#[test]
fn providers_of_every_type_can_be_written() {
    assert_eq!(descriptor().kind, AssetKind::Provider);
    fits(json!({ "type": "openai" }));
    fits(json!({ "type": "openai", "preset": "groq", "credential": "env:MY_GROQ_KEY", "models": [], "max_concurrent": 8 }));
    fits(json!({ "type": "openai", "base_url": "http://gpu-7:8000/v1", "headers": { "x-tenant": "blue" } }));
    fits(
        json!({ "type": "azure", "base_url": "https://us.openai.azure.com/", "api_version": "2024-10-21", "credential": "secret:azure" }),
    );
    fits(
        json!({ "type": "anthropic", "headers": { "authorization": "Bearer", "anthropic-beta": "x" }, "default_max_tokens": 4096 }),
    );
    fits(json!({ "type": "gemini", "credential": "file:/run/secrets/gemini" }));
    fits(json!({ "type": "bedrock", "region": "eu-central-1" }));
    fits(
        json!({ "type": "bedrock", "region": "eu-central-1", "credential": "env:A", "secret_key": "env:B", "session_token": "env:C" }),
    );
    fits(json!({ "type": "local", "models": ["smollm2-135m-instruct"] }));
}

#[test]
fn every_preset_is_a_whole_provider() {
    for preset in Preset::ALL {
        let written = spec(json!({ "type": "openai", "preset": preset }));
        written.validate().unwrap();
        assert_eq!(written.address().unwrap(), preset.known().base_url);
    }
}

#[test]
fn an_address_is_http_and_holds_nothing_but_a_place() {
    for (address, says) in [
        ("api.example.com/v1", "is not an address"),
        ("localhost:8000/v1", "must begin with"),
        ("ftp://example.com", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("http://", "is not an address"),
        ("https://user@example.com/v1", "a user or password"),
        ("https://user:hunter2@example.com/v1", "a user or password"),
        ("https://:hunter2@example.com/v1", "a user or password"),
        ("https://example.com/v1?key=hunter2", "ends with its path"),
        ("https://example.com/v1#x", "ends with its path"),
        ("https://exa mple.com/v1", "is not an address"),
        ("https://example.com/v 1", "is not an address"),
    ] {
        let value = json!({ "type": "openai", "base_url": address });
        refused(value.clone(), "base_url", says);
        assert!(!problems(&value)[0].contains("hunter2"));
    }
}

#[test]
fn a_type_takes_what_it_has_a_use_for() {
    refused(json!({ "type": "anthropic", "preset": "groq" }), "preset", "`openai` only");
    refused(json!({ "type": "azure" }), "base_url", "no common address");
    refused(json!({ "type": "bedrock" }), "region", "needs a region");
    refused(json!({ "type": "bedrock", "region": "eu/central" }), "region", "not a region");
    refused(json!({ "type": "openai", "region": "eu-central-1" }), "region", "`bedrock` only");
    refused(json!({ "type": "gemini", "secret_key": "env:A" }), "secret_key", "`bedrock` only");
    refused(json!({ "type": "bedrock", "region": "us-east-1", "secret_key": "env:A" }), "credential", "is missing");
    refused(
        json!({ "type": "bedrock", "region": "us-east-1", "credential": "env:A", "session_token": "env:B" }),
        "secret_key",
        "is missing",
    );
    refused(json!({ "type": "local", "base_url": "http://127.0.0.1" }), "base_url", "servers only");
    refused(json!({ "type": "local", "credential": "env:A" }), "credential", "servers only");
    refused(json!({ "type": "azure", "base_url": "https://a.b", "api_version": "1&x=2" }), "api_version", "not a version");
    refused(json!({ "type": "openai", "max_concurrent": 0 }), "max_concurrent", "at least 1");
    refused(json!({ "type": "openai", "default_max_tokens": 0 }), "default_max_tokens", "at least 1");
    refused(json!({ "type": "openai", "models": ["a", " "] }), "models[1]", "is empty");
    assert!(problems(&json!({ "type": "opneai" }))[0].contains("did you mean `openai`?"));
}

#[test]
fn headers_carry_no_credentials_and_nothing_of_the_connection() {
    for name in ["Authorization", "x-api-key", "X-Api-Key", "api-key", "cookie", "proxy-authorization", "x-goog-api-key"] {
        refused(json!({ "type": "openai", "headers": { name: "hunter2" } }), &format!("headers.{name}"), "use `credential`");
        assert!(!problems(&json!({ "type": "openai", "headers": { name: "hunter2" } }))[0].contains("hunter2"));
    }
    refused(
        json!({ "type": "anthropic", "headers": { "authorization": "Bearer hunter2" } }),
        "headers.authorization",
        "use `credential`",
    );
    refused(json!({ "type": "openai", "headers": { "authorization": "Bearer" } }), "headers.authorization", "use `credential`");
    refused(json!({ "type": "openai", "headers": { "x-a": "sk-live-4f9a1c77d0e84b6e9b1d" } }), "headers.x-a", "looks like a key");
    refused(json!({ "type": "openai", "headers": { "Host": "b" } }), "headers.Host", "belongs to the connection");
    refused(json!({ "type": "openai", "headers": { "a b": "c" } }), "headers.a b", "is not the name");
    refused(json!({ "type": "openai", "headers": { "a": "b\nc: d" } }), "headers.a", "no header can carry");
}

#[test]
fn a_header_with_a_secret_says_where_it_lies() {
    for value in ["env:PORTAL_TOKEN", "secret:portal", "file:/run/secrets/portal"] {
        for name in ["x-portal-token", "authorization", "api-key", "x-team"] {
            fits(json!({ "type": "openai", "headers": { name: value } }));
        }
        refused(json!({ "type": "openai", "headers": { "host": value } }), "headers.host", "belongs to the connection");
        refused(json!({ "type": "local", "headers": { "x-team": value } }), "headers", "servers only");
    }
    for name in ["x-my-api-key", "Ocp-Apim-Subscription-Key", "X_Auth", "x-portal-token", "portal-secret", "password", "x-apikey"]
    {
        let value = json!({ "type": "openai", "headers": { name: "hunter2" } });
        refused(value.clone(), &format!("headers.{name}"), "write where the value lies, as `env:NAME`");
        assert!(!problems(&value)[0].contains("hunter2"));
    }
    for name in ["x-monkey", "openai-organization", "x-author", "anthropic-beta"] {
        fits(json!({ "type": "openai", "headers": { name: "hunter2" } }));
    }
    // What begins as a reference and is none is no value.
    for (value, says) in [("env:MY-TOKEN", "letters, digits and underscores"), ("file:key", "begins with a slash")] {
        refused(json!({ "type": "openai", "headers": { "x-team": value } }), "headers.x-team", says);
    }
    let key = json!({ "type": "openai", "headers": { "x-team": "env:sk-live-4f9a1c77d0e84b6e9b1d" } });
    refused(key.clone(), "headers.x-team", "looks like a key itself");
    assert!(!problems(&key)[0].contains("4f9a"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = problems(&json!({ "type": "bedrock", "base_url": "x", "headers": { "cookie": "a" }, "max_concurrent": 0 }));
    let places: Vec<&str> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(places, ["region", "base_url", "headers.cookie", "max_concurrent"]);
}

#[test]
fn a_key_in_a_spec_is_refused_and_not_repeated() {
    let key = "sk-live-4f9a1c77d0e84b6e9b1d";
    for value in [
        json!({ "type": "openai", "credential": key }),
        json!({ "type": "openai", "credential": format!("env:{key}") }),
        json!({ "type": "bedrock", "region": "us-east-1", "credential": "env:A", "secret_key": key }),
    ] {
        let found = problems(&value);
        assert!(found.len() == 1 && found[0].contains("looks like a key itself") && !found[0].contains(key), "{found:?}");
    }
}

#[test]
fn what_is_stored_is_what_was_written() {
    let written = json!({ "type": "openai", "preset": "openrouter", "credential": "env:K", "headers": { "x-title": "us" }, "models": ["a/b"] });
    assert_eq!((descriptor().parse)(&written).unwrap().canonical, written);
}

fn environment() -> Credentials {
    Credentials::default().with_environment(|name| match name {
        "OPENAI_API_KEY" | "GROQ_API_KEY" | "ANTHROPIC_API_KEY" | "GEMINI_API_KEY" | "MINE" => Some(format!("of {name}").into()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some(format!("of {name}").into()),
        _ => None,
    })
}

async fn endpoint(value: Value) -> Result<Endpoint, EndpointFault> {
    let provider: Name = "there".parse().unwrap();
    let project = ProjectId::new(Timestamp::from_micros(1_700_000_000_000_000));
    spec(value).endpoint(&provider, "some/model", &environment(), project).await
}

fn shown(key: Option<&SecretString>) -> Option<&str> {
    key.map(|key| key.expose_secret())
}

#[tokio::test]
async fn the_usual_address_comes_with_the_usual_key() {
    for (value, address, key) in [
        (json!({ "type": "openai" }), "https://api.openai.com/v1", Some("of OPENAI_API_KEY")),
        (json!({ "type": "openai", "preset": "groq" }), "https://api.groq.com/openai/v1", Some("of GROQ_API_KEY")),
        (json!({ "type": "openai", "preset": "vllm" }), "http://127.0.0.1:8000/v1", None),
        (json!({ "type": "anthropic" }), "https://api.anthropic.com/v1", Some("of ANTHROPIC_API_KEY")),
        (json!({ "type": "gemini" }), "https://generativelanguage.googleapis.com/v1beta", Some("of GEMINI_API_KEY")),
        (json!({ "type": "openai", "credential": "env:MINE" }), "https://api.openai.com/v1", Some("of MINE")),
    ] {
        let found = endpoint(value.clone()).await.unwrap();
        assert_eq!((found.base_url.as_str(), shown(found.credential.as_ref())), (address, key), "{value}");
        assert_eq!((found.provider.as_str(), found.model.as_str()), ("there", "some/model"));
    }
}

#[tokio::test]
async fn a_key_of_the_server_goes_to_an_address_of_a_spec_only_by_name() {
    for preset in [json!(null), json!("groq"), json!("openai")] {
        let unnamed = json!({ "type": "openai", "preset": preset, "base_url": "https://elsewhere.example/v1/" });
        let found = endpoint(unnamed).await.unwrap();
        assert_eq!((found.base_url.as_str(), shown(found.credential.as_ref())), ("https://elsewhere.example/v1", None));
    }
    let named = json!({ "type": "anthropic", "base_url": "https://elsewhere.example", "credential": "env:MINE" });
    assert_eq!(shown(endpoint(named).await.unwrap().credential.as_ref()), Some("of MINE"));
}

#[tokio::test]
async fn bedrock_has_an_address_by_region_and_two_halves_of_a_key() {
    let found = endpoint(json!({ "type": "bedrock", "region": "eu-central-1" })).await.unwrap();
    assert_eq!(found.base_url, "https://bedrock-runtime.eu-central-1.amazonaws.com");
    assert_eq!(found.region.as_deref(), Some("eu-central-1"));
    let keys = [found.credential.as_ref(), found.secret_key.as_ref(), found.session_token.as_ref()].map(shown);
    assert_eq!(keys, [Some("of AWS_ACCESS_KEY_ID"), Some("of AWS_SECRET_ACCESS_KEY"), None]);
    let china = endpoint(json!({ "type": "bedrock", "region": "cn-north-1" })).await.unwrap();
    assert_eq!(china.base_url, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn");
    // A key of Bedrock's own has one half only.
    let own = endpoint(json!({ "type": "bedrock", "region": "eu-central-1", "credential": "env:MINE" })).await.unwrap();
    assert_eq!([own.credential.as_ref(), own.secret_key.as_ref()].map(shown), [Some("of MINE"), None]);
}

#[tokio::test]
async fn a_key_that_is_not_there_is_named_by_its_place() {
    let fault = endpoint(json!({ "type": "openai", "preset": "mistral" })).await.unwrap_err();
    assert_eq!(fault.code(), "credential-no-variable");
    let says = "`credential` of provider `there`: the server's environment has no variable `MISTRAL_API_KEY`";
    assert_eq!(fault.to_string(), says);
    assert_eq!(fault.hint().unwrap(), "start the server with `MISTRAL_API_KEY` in its environment");
    let fault = endpoint(json!({ "type": "local" })).await.unwrap_err();
    assert_eq!(fault.code(), "provider-no-address");
}

#[tokio::test]
async fn headers_take_their_values_from_where_keys_lie() {
    let with = |value: &str| {
        let headers = json!({ "x-portal-token": value, "x-team": "red" });
        endpoint(json!({ "type": "openai", "base_url": "https://proxy.example/v1", "headers": headers }))
    };
    let found = with("env:MINE").await.unwrap();
    let secret: Vec<_> = found.secret_headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    let plain: Vec<_> = found.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!((secret, plain), (vec![("x-portal-token", "of MINE")], vec![("x-team", "red")]));
    assert!(!format!("{found:?}").contains("of MINE"));
    let fault = with("env:NOT_SET").await.unwrap_err();
    let says = "`headers.x-portal-token` of provider `there`: the server's environment has no variable `NOT_SET`";
    assert_eq!((fault.to_string().as_str(), fault.code()), (says, "credential-no-variable"));
}

#[tokio::test]
async fn habits_of_a_preset_reach_the_endpoint() {
    let mistral = json!({ "type": "openai", "preset": "mistral", "credential": "env:MINE" });
    assert!(!endpoint(mistral).await.unwrap().habits.stream_options);
    assert!(endpoint(json!({ "type": "openai" })).await.unwrap().habits.stream_options);
}

#[tokio::test]
async fn a_preset_behind_another_address_keeps_its_habits() {
    let at = |preset: &str| json!({ "type": "openai", "preset": preset, "base_url": "https://proxy.example/v1" });
    for preset in Preset::ALL {
        let found = endpoint(at(preset.as_str())).await.unwrap();
        assert_eq!((found.preset, found.habits), (Some(preset), preset.known().habits), "{preset}");
    }
    let unknown = endpoint(json!({ "type": "openai", "base_url": "https://proxy.example/v1" })).await.unwrap();
    assert_eq!((unknown.preset, unknown.habits.responses), (None, false));

    // What is sent there is what the server itself is sent.
    let mistral = endpoint(at("mistral")).await.unwrap();
    let mut call = Call::new("m", Dialect::OpenAiChat);
    call.turns.push(Turn::text(Role::User, "Hi"));
    (call.seed, call.stream) = (Some(7), true);
    let sent = adapter(ProviderKind::OpenAi).unwrap().encode(&mistral, &call).unwrap().outgoing;
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!((sent.uri.host(), &body["random_seed"]), (Some("proxy.example"), &json!(7)));
    assert_eq!((body.get("seed"), body.get("stream_options")), (None, None), "{body}");
    let voyage = endpoint(at("voyage")).await.unwrap();
    let texts = EmbedCall {
        model: "m".to_owned(),
        inputs: vec!["a".to_owned()],
        dimensions: Some(256),
        user: None,
        extra: serde_json::Map::new(),
    };
    let sent = adapter(ProviderKind::OpenAi).unwrap().encode_embed(&voyage, &texts).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap()["output_dimension"], json!(256));
}

#[test]
fn a_known_server_is_known_by_its_preset_or_its_address() {
    let server = |value: Value| spec(value).server();
    assert_eq!(server(json!({"type": "openai", "preset": "groq"})), Some(Preset::Groq));
    assert_eq!(server(json!({"type": "openai", "base_url": "https://api.groq.com/openai/v1"})), Some(Preset::Groq));
    assert_eq!(server(json!({"type": "openai", "preset": "groq", "base_url": "http://relay:8080/v1"})), Some(Preset::Groq));
    assert_eq!(server(json!({"type": "openai", "base_url": "http://relay:8080/v1"})), None);
    assert_eq!(server(json!({"type": "openai"})), Some(Preset::OpenAi));
    assert_eq!(server(json!({"type": "anthropic"})), None);
}

/// `None` where the request has to become a chat completion.
async fn responses_of(written: Value) -> Option<String> {
    let found = endpoint(written).await.unwrap();
    let sent = adapter(ProviderKind::OpenAi).unwrap().pass(&found, Operation::Responses, "{}".into(), false);
    sent.map(|sent| sent.unwrap().uri.to_string())
}

#[tokio::test]
async fn requests_of_responses_go_to_servers_that_have_them() {
    let at = "https://proxy.example/v1";
    let there = Some(format!("{at}/responses"));
    assert_eq!(responses_of(json!({ "type": "openai", "base_url": at })).await, None);
    assert_eq!(responses_of(json!({ "type": "openai", "base_url": at, "responses": true })).await, there);
    assert_eq!(responses_of(json!({ "type": "openai", "base_url": at, "preset": "openai" })).await, there);
    assert_eq!(responses_of(json!({ "type": "openai", "base_url": at, "preset": "openai", "responses": false })).await, None);
    refused(json!({ "type": "anthropic", "responses": true }), "responses", "`openai` only");
}

#[test]
fn an_account_is_where_requests_go_and_where_their_keys_lie() {
    let account = |value: Value| spec(value).account();
    let base = json!({"type": "azure", "base_url": "https://us.openai.azure.com/openai/v1", "credential": "secret:azure"});
    let with = |name: &str, value: Value| {
        let mut other = base.clone();
        other[name] = value;
        account(other)
    };
    let same = [
        with("base_url", json!("https://us.openai.azure.com/openai/v1/")),
        with("models", json!(["a"])),
        with("max_concurrent", json!(3)),
        with("api_version", json!("2024-10-21")),
    ];
    assert!(same.iter().all(|same| *same == account(base.clone())));
    let mut others = vec![
        account(base.clone()),
        with("type", json!("openai")),
        with("base_url", json!("https://eu.openai.azure.com/openai/v1")),
        with("credential", json!("secret:other")),
        with("credential", json!("env:AZURE")),
        with("headers", json!({"openai-organization": "org-1"})),
        with("headers", json!({"openai-organization": "org-2"})),
        account(json!({"type": "openai"})),
        account(json!({"type": "openai", "preset": "groq"})),
        account(json!({"type": "anthropic"})),
        account(json!({"type": "local"})),
    ];
    let all = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), all);
    // What is not written is as if the usual were.
    let usual = json!({"type": "openai", "base_url": "https://api.openai.com/v1", "credential": "env:OPENAI_API_KEY"});
    assert_eq!(account(json!({"type": "openai"})), account(usual));
}
