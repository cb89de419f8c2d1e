//! Moving in: another gateway's file, applied to a server, and its applications with the headers they have always sent.

use std::path::Path;

use futures::StreamExt as _;
use mainspring_client::Transport as _;
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, command, refused, run, until};

const KEY: &str = "sk-of-the-provider-0123456789";
const LITERAL: &str = "sk-literal-in-the-file-0123456789";

fn says(text: &str) -> Upstream {
    Upstream::start(Script::always(Behaviour::saying(text))).unwrap()
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn proxy(first: &Upstream, second: &Upstream) -> String {
    format!(
        r#"
model_list:
  - model_name: Team/GPT
    litellm_params:
      model: openai/small
      api_base: {}/v1
      api_key: os.environ/TEST_MODEL_KEY
      input_cost_per_token: 1e-6
      output_cost_per_token: 2e-6
  - model_name: claude
    litellm_params:
      model: anthropic/large
      api_base: {}
      api_key: {LITERAL}
      input_cost_per_token: 1e-6
      output_cost_per_token: 2e-6
router_settings:
  num_retries: 0
  fallbacks:
    - Team/GPT: [claude]
litellm_settings:
  drop_params: true
general_settings:
  master_key: sk-master-0123456789abcdef
"#,
        first.url(),
        second.url()
    )
}

/// An answer with its headers.
async fn sent(server: &Server, path: &str, headers: &[(&str, &str)], body: &Value) -> (http::Response<()>, Value) {
    let mut request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let transport = mainspring_client::HttpTransport::new(&server.url, None).unwrap();
    let answered = transport.send(request.body(bytes::Bytes::from(body.to_string())).unwrap()).await.unwrap();
    let (parts, mut body) = answered.into_parts();
    let mut text = Vec::new();
    while let Some(part) = body.next().await {
        text.extend_from_slice(&part.unwrap());
    }
    (http::Response::from_parts(parts, ()), serde_json::from_slice(&text).unwrap())
}

fn chat(model: &str) -> Value {
    json!({"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "Say something."}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxys_file_is_applied_and_its_applications_go_on_with_their_headers() {
    let (first, second) = (says("from the first"), says("from the second"));
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = written(folder.path(), "config.yaml", &proxy(&first, &second));
    let variables = [("TEST_MODEL_KEY", KEY), ("ANTHROPIC_API_KEY", LITERAL)];
    let server = Server::start_with(data.path(), &["serve"], &variables);

    let applied = run(data.path(), &["import", "litellm", &file, "--apply"]);
    assert_eq!(
        (&applied["applied"]["applied"], &applied["applied"]["changes"].as_array().unwrap().len()),
        (&json!(true), &5),
        "{applied}"
    );
    let needed = &applied["report"]["variables"];
    assert_eq!((&needed[1]["name"], &needed[1]["in_file"]), (&json!("ANTHROPIC_API_KEY"), &json!(true)), "{applied}");
    assert!(!applied.to_string().contains(LITERAL) && !applied.to_string().contains("sk-master"), "{applied}");
    // Once more changes nothing.
    let again = run(data.path(), &["import", "litellm", &file, "--apply"]);
    assert!(again["applied"]["changes"].as_array().unwrap().iter().all(|change| change["action"] == "unchanged"), "{again}");

    // The name that applications have always used, and the headers of another gateway beside it.
    let headers = [
        ("authorization", "Bearer sk-of-the-client-0123456789"),
        ("helicone-auth", "Bearer sk-helicone-0123456789"),
        ("helicone-user-id", "ann"),
        ("helicone-session-id", "conversation-7"),
        ("helicone-property-team", "red"),
        ("helicone-retry-num", "3"),
    ];
    let (answered, answer) = sent(&server, "/v1/chat/completions", &headers, &chat("Team/GPT")).await;
    assert_eq!(
        (answered.status().as_u16(), &answer["choices"][0]["message"]["content"]),
        (200, &json!("from the first")),
        "{answer}"
    );
    assert_eq!(answered.headers()["x-mainspring-ignored"], "helicone-retry-num");
    assert_eq!(answered.headers()["x-mainspring-cost"], "0.000028");
    let seen = first.seen();
    assert_eq!((seen[0].header("authorization"), seen[0].model.as_str()), (Some(format!("Bearer {KEY}").as_str()), "small"));
    assert!(!format!("{:?}", seen[0].headers).contains("helicone"));

    let trace = format!("/api/v1/traces/{}", answered.headers()["x-mainspring-trace-id"].to_str().unwrap());
    let client = server.client();
    let spans = async || client.get::<Value>(&trace).await.map(|view| view["spans"].as_array().cloned().unwrap_or_default());
    until("the spans of the call", async || spans().await.is_ok_and(|spans| spans.iter().any(|span| span["parent"].is_null())))
        .await;
    let spans = spans().await.unwrap();
    let root = spans.iter().find(|span| span["parent"].is_null()).unwrap();
    let said = root["attributes"].to_string();
    for word in ["mainspring.metadata.team", "red", "conversation-7", "ann"] {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }

    // The other target takes over when the first fails, with the key that stood in the file.
    first.script(Script::always(Behaviour::status(503)));
    let (_, answer) = sent(&server, "/v1/chat/completions", &[], &chat("Team/GPT")).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "from the second", "{answer}");
    assert_eq!(second.seen()[0].header("x-api-key"), Some(LITERAL));
    // A provider that a header names is asked for the model of the body.
    let (_, answer) = sent(&server, "/v1/messages", &[("x-portkey-provider", "anthropic")], &chat("other-model")).await;
    assert_eq!(
        (&answer["content"][0]["text"], second.seen()[1].model.as_str()),
        (&json!("from the second"), "other-model"),
        "{answer}"
    );

    let everything = format!("{} {spans:?} {}", server.said(), run(data.path(), &["calls"]));
    for secret in [KEY, LITERAL, "sk-helicone-0123456789", "sk-of-the-client-0123456789", "sk-master"] {
        assert!(!everything.contains(secret), "`{secret}` came out");
    }
}

/// What LiteLLM lists of two clients: one bound to a model and to one call a minute, one that ended long ago.
const LISTED: &str = r#"{"keys": [
    {"token": "88dc28d0f030c55ed4ab77ed8faf0981", "key_name": "sk-...aB3x", "key_alias": "Support Bot", "models": ["Team/GPT"],
     "expires": "2099-03-01T00:00:00+00:00", "rpm_limit": 1, "max_budget": 25.0, "budget_duration": "30d"},
    {"token": "99dc28d0f030c55ed4ab77ed8faf0981", "key_alias": "long-ago", "expires": "2020-01-01T00:00:00Z", "rpm_limit": 5}
]}"#;

fn states(made: &Value, what: &str) -> Vec<String> {
    let name = |each: &Value| each["name"].as_str().or(each["metric"].as_str()).unwrap_or_default().to_owned();
    made[what].as_array().unwrap().iter().map(|each| format!("{} {}", name(each), each["state"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_limits_of_a_file_are_made_once_and_hold() {
    let (first, second) = (says("from the first"), says("from the second"));
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = format!("{}  max_budget: 100\n  budget_duration: 30d\n", proxy(&first, &second));
    let file = written(folder.path(), "config.yaml", &text);
    let listed = written(folder.path(), "keys.json", LISTED);
    let server = Server::start_with(data.path(), &["serve"], &[("TEST_MODEL_KEY", KEY)]);
    let all = |what: &str| run(data.path(), &[what, "list"]).as_array().unwrap().clone();

    // Without being told to apply, nothing is changed.
    let planned = run(data.path(), &["import", "litellm", &file, "--keys", &listed]);
    assert!(
        planned["report"]["plan"].as_array().unwrap().iter().any(|step| step["action"]["key"]["name"] == "support-bot"),
        "{planned}"
    );
    assert_eq!((all("keys").len(), all("limits").len()), (0, 0));

    let out = folder.path().join("new-keys");
    let to = out.to_str().unwrap();
    let arguments = ["import", "litellm", &file, "--keys", &listed, "--apply", "--keys-out", to];
    let made = run(data.path(), &arguments);
    assert_eq!(states(&made, "keys"), ["operator created", "support-bot created", "long-ago ended"], "{made}");
    assert_eq!(
        states(&made, "limits"),
        ["usd_per_month created", "usd_per_month created", "requests_per_minute created"],
        "{made}"
    );
    assert_eq!(made["report"]["plan"].as_array().unwrap().len(), 1, "what was made is not to be done by hand: {made}");
    let handed = std::fs::read_to_string(&out).unwrap();
    let secret = handed.lines().find_map(|line| line.strip_prefix("support-bot ")).unwrap().to_owned();
    assert!(!made.to_string().contains(&secret) && handed.lines().count() == 2, "{made}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&out).unwrap().permissions()) & 0o777, 0o600);

    let keys = all("keys");
    let bot = keys.iter().find(|key| key["name"] == "support-bot").unwrap();
    assert_eq!(
        (&bot["role"], &bot["models"], &bot["expires_at"]),
        (&json!("reader"), &json!(["Team/GPT"]), &json!("2099-03-01T00:00:00.000000Z"))
    );
    let limits = all("limits");
    let of = |kind: &str, metric: &str| limits.iter().find(|limit| limit["kind"] == kind && limit["metric"] == metric).unwrap();
    assert_eq!(of("project", "usd_per_month")["amount"], "100.00");
    assert_eq!((&of("key", "usd_per_month")["amount"], &of("key", "usd_per_month")["subject"]), (&json!("25.00"), &bot["id"]));

    // The new key may do what the old one might.
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let status = async |model: &str| sent(&server, "/v1/chat/completions", &headers, &chat(model)).await.0.status().as_u16();
    assert_eq!((status("claude").await, status("Team/GPT").await, status("Team/GPT").await), (403, 200, 429));

    // Once more doubles nothing, and needs no file. What was changed here meanwhile is as the file says.
    run(data.path(), &["limits", "set", "usd-per-month", "7"]);
    let again = run(data.path(), &arguments);
    assert_eq!(states(&again, "keys"), ["operator unchanged", "support-bot unchanged", "long-ago ended"], "{again}");
    assert_eq!(
        states(&again, "limits"),
        ["usd_per_month updated", "usd_per_month unchanged", "requests_per_minute unchanged"],
        "{again}"
    );
    assert_eq!((all("keys").len(), all("limits").len()), (2, 3));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), handed);

    // A key that was revoked here stays so.
    run(data.path(), &["keys", "revoke", bot["id"].as_str().unwrap()]);
    let again = run(data.path(), &arguments);
    assert_eq!(states(&again, "keys"), ["operator unchanged", "support-bot revoked", "long-ago ended"], "{again}");
    assert_eq!(all("keys").len(), 2);
    let everything = format!("{made} {} {}", server.said(), run(data.path(), &["audit"]));
    for hidden in [secret.as_str(), "88dc28d0", "aB3x", "sk-master", LITERAL] {
        assert!(!everything.contains(hidden), "`{hidden}` came out");
    }
}

#[test]
fn new_keys_are_printed_once_and_no_file_of_keys_is_written_over() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rules = "[[rate_limiting.rules]]\nmodel_inferences_per_minute = 60\nscope = [{ api_key_public_id = \"aabbccddeeff\" }]\n";
    let file = written(folder.path(), "tensorzero.toml", &format!("[rate_limiting]\n{rules}"));
    let taken = written(folder.path(), "taken", "mine\n");
    let fault = refused(data.path(), &["import", "tensorzero", &file, "--apply", "--keys-out", &taken]);
    assert!(fault["error"].as_str().unwrap().contains("is there already"), "{fault}");
    assert_eq!(run(data.path(), &["keys", "list"]), json!([]));
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine\n");

    let output = command(data.path()).args(["import", "tensorzero", &file, "--apply"]).output().unwrap();
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(printed.contains("+ key/client-aabbccddeeff  create\n    msk_"), "{printed}");
    assert!(printed.contains("+ limit/requests-per-minute 60 for key=client-aabbccddeeff  create"), "{printed}");
    assert!(told.contains("shown this once") && !told.contains("msk_"), "{told}");
    let again = run(data.path(), &["import", "tensorzero", &file, "--apply"]);
    assert_eq!(
        (states(&again, "keys"), again.to_string().contains("msk_")),
        (vec!["client-aabbccddeeff unchanged".to_owned()], false)
    );

    // As data, a key that is made is in the value.
    let other =
        written(folder.path(), "other.toml", &format!("[rate_limiting]\n{}", rules.replace("aabbccddeeff", "112233445566")));
    let made = run(data.path(), &["import", "tensorzero", &other, "--apply"]);
    assert!(made["keys"][0]["secret"].as_str().unwrap().starts_with("msk_"), "{made}");
}

#[test]
fn specs_are_printed_or_written_and_nothing_is_written_over() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let toml = "[models.gpt-4o]\nrouting = [\"openai\"]\n[models.gpt-4o.providers.openai]\ntype = \"openai\"\nmodel_name = \"gpt-4o\"\n\
        [functions.mail.variants.a]\ntype = \"chat_completion\"\nmodel = \"gpt-4o\"\nsystem_template = \"mail.minijinja\"\n\
        [functions.other.variants.a]\ntype = \"chat_completion\"\nmodel = \"gpt-4o\"\nsystem_template = \"../outside.minijinja\"\n";
    std::fs::create_dir(folder.path().join("config")).unwrap();
    let config = folder.path().join("config");
    let file = written(&config, "tensorzero.toml", toml);
    written(&config, "mail.minijinja", "Write mail to {{ whom }}.");
    written(folder.path(), "outside.minijinja", "Out of reach.");

    let output = command(data.path()).args(["import", "tensorzero", &file]).output().unwrap();
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(
        printed.contains("kind: provider") && printed.contains("Write mail to {{ whom }}.") && !printed.contains("Out of reach"),
        "{printed}"
    );
    assert!(told.contains("Variables the server needs") && told.contains("OPENAI_API_KEY"), "{told}");
    assert!(told.contains("functions.other.variants.a") && told.contains("not there"), "{told}");

    let out = folder.path().join("specs");
    let to = out.to_str().unwrap();
    let wrote = run(data.path(), &["import", "tensorzero", &file, "-o", to]);
    let names: Vec<String> =
        wrote["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap().replace(to, "")).collect();
    assert_eq!(names, ["/providers.yaml", "/routes.yaml", "/prompts.yaml", "/report.txt"]);
    let report = std::fs::read_to_string(out.join("report.txt")).unwrap();
    assert!(report.contains("OPENAI_API_KEY"), "{report}");
    std::fs::write(out.join("routes.yaml"), "# mine\n").unwrap();
    let fault = refused(data.path(), &["import", "tensorzero", &file, "-o", to]);
    assert!(fault["error"].as_str().unwrap().contains("--force"), "{fault}");
    assert_eq!(std::fs::read_to_string(out.join("routes.yaml")).unwrap(), "# mine\n");
    run(data.path(), &["import", "tensorzero", &file, "-o", to, "--force"]);
    // What was written is what `apply` takes.
    let plan = run(data.path(), &["apply", to, "--dry-run"]);
    assert_eq!(plan["changes"].as_array().unwrap().len(), 5, "{plan}");
}

#[test]
fn a_config_of_portkey_takes_the_name_of_its_file_and_a_wrong_file_is_refused() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = r#"{"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "openai", "weight": 0.5}, {"provider": "groq", "weight": 0.5}]}"#;
    let file = written(folder.path(), "pc-team-1.json", config);
    let imported = run(data.path(), &["import", "portkey", &file, "--model", "llama"]);
    let route = imported["manifests"].as_array().unwrap().iter().find(|manifest| manifest["kind"] == "route").unwrap();
    assert_eq!((&route["name"], &route["spec"]["targets"][1]["model"]), (&json!("pc-team-1"), &json!("llama")), "{imported}");
    let named = run(data.path(), &["import", "portkey", &file, "--name", "team"]);
    assert!(named["manifests"].as_array().unwrap().iter().any(|manifest| manifest["name"] == "team"), "{named}");
    for (gateway, code) in [("litellm", "import-foreign"), ("tensorzero", "import-unreadable")] {
        assert_eq!(refused(data.path(), &["import", gateway, &file])["code"], code);
    }
}
