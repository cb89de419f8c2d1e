//! The gateway from outside: specs applied, providers called, money counted, and all of it after a kill.

use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, command, refused, run, until};

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

/// Two providers of two dialects, a route over both, and prices of a dollar and two for a million tokens.
fn specs(first: &Upstream, second: &Upstream) -> Vec<Value> {
    let price = json!({"models": [{"model": "*", "input": 1, "output": "2.00"}]});
    vec![
        asset(
            "provider",
            "first",
            json!({"type": "openai", "base_url": format!("{}/v1", first.url()), "credential": "env:TEST_MODEL_KEY"}),
        ),
        asset("provider", "second", json!({"type": "anthropic", "base_url": second.url(), "credential": "env:TEST_MODEL_KEY"})),
        asset(
            "route",
            "assistant",
            json!({
                "models": ["claude-*"],
                "targets": [{"provider": "first", "model": "small"}, {"provider": "second", "model": "large", "tier": 1}],
                "retry": {"attempts": 0},
            }),
        ),
        asset("prices", "default", price),
    ]
}

const KEY: &str = "sk-of-the-provider-0123456789";

fn start(data: &std::path::Path) -> Server {
    Server::start_with(data, &["serve"], &[("TEST_MODEL_KEY", KEY)])
}

fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "max_tokens": 20, "messages": [{"role": "user", "content": "Say something."}]})
}

fn says(text: &str) -> Script {
    Script::always(Behaviour::saying(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_answers_clients_of_both_dialects_and_its_money_survives_a_kill() {
    let (first, second) = (Upstream::start(says("from the first")).unwrap(), Upstream::start(says("from the second")).unwrap());
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    apply_all(data.path(), &specs(&first, &second));
    let user = User::of(&server, None);

    let whole = user.post("/v1/chat/completions", &chat("assistant", false)).await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    assert_eq!(whole.json()["choices"][0]["message"]["content"], "from the first");
    let streamed = user.post("/v1/chat/completions", &chat("assistant", true)).await;
    assert!(streamed.text.ends_with("\n\n: mainspring-cost 0.000028\n\ndata: [DONE]\n\n"), "{}", streamed.text);
    // The client did not ask for usage in the stream, so it is counted here and not shown.
    assert!(!streamed.text.contains("prompt_tokens"), "{}", streamed.text);
    let messages = user.post("/v1/messages", &chat("claude-test", false)).await;
    assert_eq!(messages.json()["content"][0]["text"], "from the first", "{}", messages.text);
    let direct = user.post("/v1/chat/completions", &chat("second/large", false)).await;
    assert_eq!(direct.json()["choices"][0]["message"]["content"], "from the second", "{}", direct.text);
    let seen = first.seen();
    assert_eq!(seen[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(seen[0].json()["model"], "small");

    // The first fails, the second takes over.
    first.script(Script::always(Behaviour::status(503)));
    let fallen = user.post("/v1/chat/completions", &chat("assistant", false)).await;
    assert_eq!(fallen.json()["choices"][0]["message"]["content"], "from the second", "{}", fallen.text);

    server.kill();
    let server = start(data.path());
    let calls = async || run(data.path(), &["calls"])["items"].as_array().map_or(0, Vec::len);
    until("the calls of before", async || calls().await == 5).await;
    let usage = run(data.path(), &["usage", "--by", "provider"]);
    // Twelve tokens read at a millionth of a dollar, eight written at two: 0.000028 for each of five calls.
    let total: f64 =
        usage["rows"].as_array().unwrap().iter().map(|row| row["cost"].as_str().unwrap().parse::<f64>().unwrap()).sum();
    assert!((total - 5.0 * 0.000_028).abs() < 1e-12, "{usage}");
    assert!(!std::fs::read_dir(data.path().join("calls")).unwrap().any(|file| {
        std::fs::read(file.unwrap().path()).is_ok_and(|bytes| bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()))
    }));
    assert!(!server.said().contains(KEY), "{}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_refuses_with_the_time_to_come_back_and_explain_says_which_target() {
    let (first, second) = (Upstream::start(says("one")).unwrap(), Upstream::start(says("two")).unwrap());
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    apply_all(data.path(), &specs(&first, &second));
    let explained = run(data.path(), &["routes", "explain", "assistant"]);
    let targets = explained["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 2, "{explained}");
    assert_eq!((&targets[0]["provider"], &targets[0]["place"]), (&json!("first"), &json!(1)), "{explained}");
    assert_eq!(refused(data.path(), &["routes", "explain", "nothing-such"])["code"], "gateway-unknown-model");

    run(data.path(), &["limits", "set", "requests-per-minute", "2"]);
    let user = User::of(&server, None);
    for _ in 0..2 {
        assert_eq!(user.post("/v1/chat/completions", &chat("assistant", false)).await.status, 200);
    }
    let third = user.post("/v1/chat/completions", &chat("assistant", false)).await;
    assert_eq!((third.status, &third.json()["error"]["code"]), (429, &json!("limit-requests")), "{}", third.text);
    let health = run(data.path(), &["routes", "list"]);
    assert_eq!(health[0]["attempts"], 2, "{health}");
    // Whole answers have times of their own; no stream has begun.
    let (half, most) = (&health[0]["whole_p50_ms"], &health[0]["whole_p95_ms"]);
    let shown = command(data.path()).args(["routes", "list"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let row: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(row.join(" ").contains(&format!(" – {half} · {most} ms ")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_answers_for_another_key() {
    let (first, second) = (Upstream::start(says("one")).unwrap(), Upstream::start(says("two")).unwrap());
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    apply_all(data.path(), &specs(&first, &second));
    let targets = json!([{"provider": "first", "model": "big"}, {"provider": "second", "model": "small"}]);
    apply_all(data.path(), &[asset("route", "kept", json!({"sticky": "key", "targets": targets}))]);
    let mut homes = std::collections::BTreeSet::new();
    for number in 0..40 {
        let made = run(data.path(), &["keys", "create", &format!("k{number}"), "--role", "reader"]);
        let explained = run(data.path(), &["routes", "explain", "kept", "--key", made["key"]["id"].as_str().unwrap()]);
        let user = User::of(&server, made["secret"].as_str());
        let before = first.count();
        let sent = user.post("/v1/chat/completions", &chat("kept", false)).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        let home = if first.count() > before { "first" } else { "second" };
        assert_eq!(explained["targets"][0]["provider"], home, "{explained}");
        homes.insert(home);
        if homes.len() == 2 {
            break;
        }
    }
    assert_eq!(homes.len(), 2, "the keys are spread");
    let bound = run(data.path(), &["keys", "create", "bound", "--role", "reader", "--models", "other"]);
    let id = bound["key"]["id"].as_str().unwrap();
    assert_eq!(refused(data.path(), &["routes", "explain", "kept", "--key", id])["code"], "model-not-allowed");
    run(data.path(), &["keys", "revoke", id]);
    assert_eq!(refused(data.path(), &["routes", "explain", "kept", "--key", id])["code"], "identity-key-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_projects_cost_is_added_up_for_who_administers_the_installation() {
    let (first, second) = (Upstream::start(says("one")).unwrap(), Upstream::start(says("two")).unwrap());
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    let data = data.path();
    apply_all(data, &specs(&first, &second));
    run(data, &["projects", "create", "team"]);
    let folder = tempfile::tempdir().unwrap();
    for (at, spec) in specs(&first, &second).iter().enumerate() {
        std::fs::write(folder.path().join(format!("{at}.json")), spec.to_string()).unwrap();
    }
    run(data, &["apply", folder.path().to_str().unwrap(), "--project", "team"]);
    let key = |args: &[&str]| run(data, args)["secret"].as_str().unwrap().to_owned();
    let team = User::of(&server, Some(&key(&["keys", "create", "team-admin", "--role", "admin", "--project", "team"])));
    let reader = User::of(&server, Some(&key(&["keys", "create", "reader", "--role", "reader"])));
    for user in [&team, &team, &reader] {
        assert_eq!(user.post("/v1/chat/completions", &chat("assistant", false)).await.status, 200);
    }
    let by = |by: &str| run(data, &["usage", "--by", by, "--all-projects"]);
    until("all calls", async || by("project")["total"]["calls"] == 3).await;
    let rows = by("project")["rows"].clone();
    assert_eq!(
        (&rows[0]["name"], &rows[0]["calls"], &rows[0]["cost"]),
        (&json!("team"), &json!(2), &json!("0.000056")),
        "{rows}"
    );
    assert_eq!((&rows[1]["name"], &rows[1]["calls"]), (&json!("default"), &json!(1)), "{rows}");
    assert_eq!(by("provider")["rows"][0]["calls"], json!(3));
    assert_eq!(run(data, &["usage", "--by", "provider"])["rows"][0]["calls"], json!(1), "without it, of the project alone");
    for (user, code) in [(&team, "identity-not-installation-admin"), (&reader, "role-too-low")] {
        let refused = user.get("/api/v1/usage?all_projects=true").await;
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!(code)), "{}", refused.text);
    }
}

/// What a client gets, with the headers that say when to come back.
async fn sent(server: &Server, body: &Value) -> (http::Response<()>, Value) {
    use futures::StreamExt as _;
    use mainspring_client::Transport as _;
    let request = http::Request::post("/v1/chat/completions").header(http::header::CONTENT_TYPE, "application/json");
    let transport = mainspring_client::HttpTransport::new(&server.url, None).unwrap();
    let answered = transport.send(request.body(bytes::Bytes::from(body.to_string())).unwrap()).await.unwrap();
    let (parts, mut body) = answered.into_parts();
    let mut text = Vec::new();
    while let Some(part) = body.next().await {
        text.extend_from_slice(&part.unwrap());
    }
    (http::Response::from_parts(parts, ()), serde_json::from_slice(&text).unwrap())
}

/// An app over a small knowledge, whose chain names the route.
fn app(folder: &std::path::Path) -> Vec<Value> {
    let content = "{% for source in sources %}[{{ source.number }}] {{ source.text }} {% endfor %}{{ question }}";
    let prompt = json!({
        "parameters": {"question": {}, "sources": {"type": "array"}},
        "messages": [{"role": "user", "content": content}],
        "settings": {"temperature": 0, "max_tokens": 20},
    });
    let steps = json!([
        {"retrieve": {"knowledge": "garden", "limit": 1}},
        {"prompt": {"use": "garden"}},
        {"model": {"name": "assistant"}},
    ]);
    vec![
        asset("knowledge", "garden", json!({"sources": [{"type": "folder", "path": folder}]})),
        asset("prompt", "garden", prompt),
        asset("chain", "garden", json!({"steps": steps})),
        asset("app", "garden", json!({"chain": "garden"})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_answers_through_a_route_in_one_trace_until_its_money_is_spent() {
    let said = "The gate of the garden is painted vermilion [1].";
    let (first, second) = (Upstream::start(says(said)).unwrap(), Upstream::start(says("It is vermilion.")).unwrap());
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("gate.md"), "# The gate\n\nThe gate of the garden is painted vermilion.\n").unwrap();
    let server = start(data.path());
    apply_all(data.path(), &[specs(&first, &second), app(folder.path())].concat());
    run(data.path(), &["ingest", "garden"]);

    let mut body = chat("garden", false);
    body["messages"][0]["content"] = json!("What colour is the gate of the garden painted?");
    let (answered, answer) = sent(&server, &body).await;
    assert_eq!(answered.status(), 200, "{answer}");
    assert_eq!(answer["choices"][0]["message"]["content"], said, "{answer}");
    let outcome = &answer["mainspring"];
    assert_eq!(
        (&outcome["sources"][0]["title"], &outcome["sources"][0]["cited"]),
        (&json!("The gate"), &json!(true)),
        "{answer}"
    );
    let versions = outcome["versions"].as_array().unwrap();
    let model = |version: &&Value| version.as_str().unwrap().starts_with("model/assistant#route:assistant@v1#");
    assert_eq!(versions.iter().filter(model).count(), 1, "{answer}");
    // The provider was given the passage, and the question after it.
    assert!(first.seen()[0].json()["messages"].to_string().contains("[1] "), "{:?}", first.seen()[0].json());

    let trace = format!("/api/v1/traces/{}", outcome["trace_id"].as_str().unwrap());
    let client = server.client();
    let spans = async || client.get::<Value>(&trace).await.map(|view| view["spans"].as_array().cloned().unwrap_or_default());
    // The app's own span is the last to end.
    let ended = |spans: &[Value]| spans.iter().any(|span| span["name"] == "invoke_agent garden");
    until("the spans of the call", async || spans().await.is_ok_and(|spans| ended(&spans))).await;
    let spans = spans().await.unwrap();
    // From the attempt up to the app.
    let mut at = spans.iter().find(|span| span["name"] == "attempt first/small").unwrap();
    let mut names = vec![at["name"].as_str().unwrap()];
    while let Some(parent) = spans.iter().find(|span| span["span"] == at["parent"]) {
        names.push(parent["name"].as_str().unwrap());
        at = parent;
    }
    assert_eq!(names, ["attempt first/small", "chat assistant", "chat assistant", "invoke_agent garden"], "{spans:?}");
    assert!(spans.iter().any(|span| span["name"] == "retrieve" && span["parent"] == at["span"]), "{spans:?}");

    let by_app = run(data.path(), &["usage", "--by", "app"]);
    let row = by_app["rows"].as_array().unwrap().iter().find(|row| row["name"] == "garden");
    assert_eq!(row.map(|row| (&row["calls"], &row["cost"])), Some((&json!(1), &json!("0.000028"))), "{by_app}");

    let calls = run(data.path(), &["calls"]);
    let call = &calls["items"][0];
    assert_eq!(
        (&call["app"], &call["status"], &call["trace_id"]),
        (&json!("garden"), &json!("ok"), &outcome["trace_id"]),
        "{calls}"
    );

    let again = run(data.path(), &["replay", outcome["trace_id"].as_str().unwrap(), "--with", "model=second/large"]);
    assert_eq!(again["replayed"], "It is vermilion.", "{again}");

    run(data.path(), &["limits", "set", "usd-per-month", "0.00001"]);
    let (refused, problem) = sent(&server, &body).await;
    // Not even a whole month would pay for it, so nobody is told to come back.
    let told = (refused.status().as_u16(), &problem["error"]["code"], &problem["error"]["type"]);
    assert_eq!(told, (400, &json!("budget-too-small"), &json!("invalid_request_error")), "{problem}");
    assert!(!refused.headers().contains_key("retry-after"));
    assert_eq!(first.seen().len(), 1, "nobody was asked");
}
