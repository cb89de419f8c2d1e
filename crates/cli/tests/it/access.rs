//! Who may call what: every endpoint of the OpenAPI document, and the OpenAI ones, as nobody, as each role, and as
//! the admin of another project.

mod strangers;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, header};
use mainspring_client::{HttpTransport, Transport};

use serde_json::Value;

use crate::running::{Server, run};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Needs {
    Nobody,
    Reader,
    Editor,
    Admin,
}

/// An endpoint that is not here fails the test.
pub(crate) const TABLE: &[(&str, &str, Needs)] = &[
    ("GET", "/schemas/{kind}", Needs::Nobody),
    ("GET", "/api/v1/overview", Needs::Reader),
    ("GET", "/api/v1/health", Needs::Reader),
    ("GET", "/api/v1/apps", Needs::Reader),
    ("GET", "/api/v1/models", Needs::Reader),
    ("GET", "/api/v1/knowledge", Needs::Reader),
    ("GET", "/api/v1/knowledge/{name}", Needs::Reader),
    ("GET", "/api/v1/knowledge/{name}/documents", Needs::Reader),
    ("GET", "/api/v1/knowledge/{name}/documents/{id}", Needs::Reader),
    ("GET", "/api/v1/knowledge/{name}/documents/{id}/text", Needs::Reader),
    ("GET", "/api/v1/knowledge/{name}/documents/{id}/chunks", Needs::Reader),
    ("GET", "/api/v1/knowledge/{name}/search", Needs::Reader),
    ("POST", "/api/v1/knowledge/{name}/search", Needs::Reader),
    ("POST", "/api/v1/knowledge/{name}/forget", Needs::Admin),
    ("GET", "/api/v1/knowledge/{name}/receipts", Needs::Admin),
    ("GET", "/api/v1/knowledge/{name}/receipts/{id}", Needs::Admin),
    ("GET", "/api/v1/knowledge/{name}/tombstones", Needs::Admin),
    ("DELETE", "/api/v1/knowledge/{name}/tombstones/{id}", Needs::Admin),
    ("POST", "/api/v1/knowledge/{name}/ingest", Needs::Editor),
    ("GET", "/api/v1/knowledge/{name}/runs", Needs::Reader),
    ("GET", "/api/v1/runs", Needs::Reader),
    ("GET", "/api/v1/runs/{id}", Needs::Reader),
    ("GET", "/api/v1/runs/{id}/events", Needs::Reader),
    ("GET", "/api/v1/jobs", Needs::Reader),
    ("POST", "/api/v1/jobs/{id}/cancel", Needs::Editor),
    ("GET", "/api/v1/batches", Needs::Reader),
    ("GET", "/api/v1/batches/{id}", Needs::Reader),
    ("GET", "/api/v1/batches/{id}/results", Needs::Reader),
    ("POST", "/api/v1/batches/{id}/cancel", Needs::Reader),
    ("GET", "/api/v1/traces", Needs::Reader),
    ("GET", "/api/v1/traces/count", Needs::Reader),
    ("GET", "/api/v1/traces/metrics", Needs::Reader),
    ("GET", "/api/v1/traces/export", Needs::Reader),
    ("GET", "/api/v1/traces/tail", Needs::Reader),
    ("GET", "/api/v1/spans", Needs::Reader),
    ("GET", "/api/v1/spans/count", Needs::Reader),
    ("GET", "/api/v1/logs", Needs::Reader),
    ("GET", "/api/v1/logs/count", Needs::Reader),
    ("GET", "/api/v1/sessions", Needs::Reader),
    ("GET", "/api/v1/sessions/{id}", Needs::Reader),
    ("GET", "/api/v1/users", Needs::Reader),
    ("GET", "/api/v1/traces/conventions", Needs::Reader),
    ("GET", "/api/v1/traces/{id}/reading", Needs::Reader),
    ("GET", "/api/v1/traces/fields", Needs::Reader),
    ("GET", "/api/v1/traces/{id}/tree", Needs::Reader),
    ("GET", "/api/v1/traces/{id}/spans/{span}", Needs::Reader),
    ("GET", "/api/v1/traces/{id}/spans/{span}/values/{digest}", Needs::Reader),
    ("GET", "/api/v1/retention", Needs::Reader),
    ("PUT", "/api/v1/retention/{kind}", Needs::Admin),
    ("POST", "/api/v1/erasures", Needs::Admin),
    ("GET", "/api/v1/erasures", Needs::Admin),
    ("GET", "/api/v1/erasures/{id}", Needs::Admin),
    ("GET", "/api/v1/traces/{id}", Needs::Reader),
    ("POST", "/api/v1/traces/{id}/replay", Needs::Reader),
    ("GET", "/api/v1/incidents", Needs::Reader),
    ("GET", "/api/v1/incidents/{id}", Needs::Reader),
    ("POST", "/api/v1/incidents/{id}/acknowledge", Needs::Editor),
    ("POST", "/api/v1/incidents/{id}/resolve", Needs::Editor),
    ("POST", "/api/v1/incidents/{id}/retry", Needs::Editor),
    ("GET", "/api/v1/deliveries", Needs::Reader),
    ("GET", "/api/v1/monitors", Needs::Reader),
    ("GET", "/api/v1/monitors/{name}", Needs::Reader),
    ("GET", "/api/v1/monitors/{name}/evaluations", Needs::Reader),
    ("POST", "/api/v1/monitors/{name}/evaluate", Needs::Reader),
    ("GET", "/api/v1/receivers", Needs::Reader),
    ("POST", "/api/v1/receivers/{name}/test", Needs::Editor),
    ("GET", "/api/v1/silences", Needs::Reader),
    ("POST", "/api/v1/silences", Needs::Editor),
    ("DELETE", "/api/v1/silences/{id}", Needs::Editor),
    ("GET", "/api/v1/assets", Needs::Reader),
    ("GET", "/api/v1/assets/{kind}/{name}", Needs::Reader),
    ("GET", "/api/v1/assets/{kind}/{name}/versions", Needs::Reader),
    ("GET", "/api/v1/assets/{kind}/{name}/diff", Needs::Reader),
    ("PUT", "/api/v1/assets/{kind}/{name}/aliases/{alias}", Needs::Editor),
    ("DELETE", "/api/v1/assets/{kind}/{name}/aliases/{alias}", Needs::Editor),
    ("POST", "/api/v1/apply", Needs::Editor),
    ("GET", "/api/v1/projects", Needs::Reader),
    ("POST", "/api/v1/projects", Needs::Admin),
    ("GET", "/api/v1/projects/{project}/capture", Needs::Admin),
    ("PUT", "/api/v1/projects/{project}/capture", Needs::Admin),
    ("POST", "/api/v1/projects/{project}/capture/preview", Needs::Admin),
    ("GET", "/api/v1/members", Needs::Admin),
    ("POST", "/api/v1/members", Needs::Admin),
    ("PUT", "/api/v1/members/{id}", Needs::Admin),
    ("DELETE", "/api/v1/members/{id}", Needs::Admin),
    ("GET", "/api/v1/keys", Needs::Admin),
    ("POST", "/api/v1/keys", Needs::Admin),
    ("POST", "/api/v1/keys/{id}/rotate", Needs::Admin),
    ("DELETE", "/api/v1/keys/{id}", Needs::Admin),
    ("GET", "/api/v1/limits", Needs::Reader),
    ("POST", "/api/v1/limits", Needs::Admin),
    ("DELETE", "/api/v1/limits/{id}", Needs::Admin),
    ("GET", "/api/v1/usage", Needs::Reader),
    ("GET", "/api/v1/usage/reprice", Needs::Reader),
    ("GET", "/api/v1/calls", Needs::Reader),
    ("GET", "/api/v1/calls/live", Needs::Reader),
    ("GET", "/api/v1/routes", Needs::Reader),
    ("GET", "/api/v1/routes/history", Needs::Reader),
    ("GET", "/api/v1/processes", Needs::Reader),
    ("POST", "/api/v1/routes/explain", Needs::Reader),
    ("GET", "/api/v1/audit", Needs::Admin),
    ("POST", "/api/v1/audit/verify", Needs::Admin),
    ("GET", "/api/v1/secrets", Needs::Admin),
    ("PUT", "/api/v1/secrets/{name}", Needs::Admin),
    ("DELETE", "/api/v1/secrets/{name}", Needs::Admin),
    ("POST", "/api/v1/master-key/rotate", Needs::Admin),
    ("POST", "/v1/messages", Needs::Reader),
    ("POST", "/v1/messages/count_tokens", Needs::Reader),
    ("POST", "/v1/chat/completions", Needs::Reader),
    ("POST", "/v1/responses", Needs::Reader),
    ("GET", "/v1/responses", Needs::Reader),
    ("POST", "/v1/responses/compact", Needs::Reader),
    ("POST", "/v1/responses/input_tokens", Needs::Reader),
    ("GET", "/v1/responses/{id}", Needs::Reader),
    ("DELETE", "/v1/responses/{id}", Needs::Reader),
    ("POST", "/v1/responses/{id}/cancel", Needs::Reader),
    ("GET", "/v1/responses/{id}/input_items", Needs::Reader),
    ("POST", "/v1/completions", Needs::Reader),
    ("POST", "/v1/embeddings", Needs::Reader),
    ("POST", "/v1/files", Needs::Reader),
    ("GET", "/v1/files", Needs::Reader),
    ("GET", "/v1/files/{id}", Needs::Reader),
    ("DELETE", "/v1/files/{id}", Needs::Reader),
    ("GET", "/v1/files/{id}/content", Needs::Reader),
    ("POST", "/v1/batches", Needs::Reader),
    ("GET", "/v1/batches", Needs::Reader),
    ("GET", "/v1/batches/{id}", Needs::Reader),
    ("POST", "/v1/batches/{id}/cancel", Needs::Reader),
    ("POST", "/v1/rerank", Needs::Reader),
    ("POST", "/v2/rerank", Needs::Reader),
    ("POST", "/v1/moderations", Needs::Reader),
    ("GET", "/v1/models", Needs::Reader),
    ("GET", "/v1/models/{*name}", Needs::Reader),
    ("GET", "/api/v1/metric-points", Needs::Reader),
    ("GET", "/api/v1/metrics", Needs::Reader),
    ("GET", "/api/v1/metrics/{name}/series", Needs::Reader),
    ("GET", "/api/v1/scores", Needs::Reader),
    ("POST", "/api/v1/scores", Needs::Editor),
    ("DELETE", "/api/v1/scores/{id}", Needs::Editor),
    ("POST", "/api/v1/feedback", Needs::Reader),
    ("GET", "/api/v1/drift", Needs::Reader),
    ("POST", "/api/v1/sql", Needs::Reader),
    ("GET", "/api/v1/sql/schema", Needs::Reader),
    ("GET", "/api/v1/dashboards", Needs::Reader),
    ("GET", "/api/v1/dashboards/{name}", Needs::Reader),
    ("GET", "/api/v1/dashboards/{name}/data", Needs::Reader),
    ("GET", "/api/v1/prometheus/api/v1/query", Needs::Reader),
    ("POST", "/api/v1/prometheus/api/v1/query", Needs::Reader),
    ("GET", "/api/v1/prometheus/api/v1/query_range", Needs::Reader),
    ("POST", "/api/v1/prometheus/api/v1/query_range", Needs::Reader),
    ("GET", "/api/v1/prometheus/api/v1/labels", Needs::Reader),
    ("POST", "/api/v1/prometheus/api/v1/labels", Needs::Reader),
    ("GET", "/api/v1/prometheus/api/v1/series", Needs::Reader),
    ("POST", "/api/v1/prometheus/api/v1/series", Needs::Reader),
    ("GET", "/api/v1/prometheus/api/v1/label/{name}/values", Needs::Reader),
    ("GET", "/api/v1/prometheus/api/v1/metadata", Needs::Reader),
    ("POST", "/v1/traces", Needs::Editor),
    ("POST", "/v1/logs", Needs::Editor),
    ("POST", "/v1/metrics", Needs::Editor),
    ("POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", Needs::Editor),
    ("POST", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", Needs::Editor),
    ("POST", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", Needs::Editor),
    ("POST", "/api/public/otel", Needs::Editor),
    ("POST", "/api/public/otel/v1/traces", Needs::Editor),
    ("POST", "/api/public/otel/v1/logs", Needs::Editor),
    ("POST", "/api/public/otel/v1/metrics", Needs::Editor),
    ("GET", "/api/public/health", Needs::Nobody),
    ("GET", "/api/public/projects", Needs::Reader),
    ("POST", "/api/public/scores", Needs::Editor),
    ("DELETE", "/api/public/scores/{id}", Needs::Editor),
    ("GET", "/project/{project}/traces/{id}", Needs::Nobody),
    ("GET", "/healthz", Needs::Nobody),
    ("GET", "/readyz", Needs::Nobody),
    ("GET", "/metrics", Needs::Nobody),
    ("GET", "/errors/{code}", Needs::Nobody),
    ("GET", "/api/v1/openapi.json", Needs::Nobody),
];

/// An id that no span has.
const SPAN: &str = "00000000000000ab";

fn filled(path: &str) -> String {
    let path = path.replace("{kind}", "prompt").replace("{name}", "nothing").replace("{*name}", "nothing");
    let path = path.replace("{project}", "default");
    path.replace("{id}", "nothing")
        .replace("{alias}", "a")
        .replace("{code}", "internal")
        .replace("{span}", SPAN)
        .replace("{digest}", "nothing")
}

/// A body each endpoint can read, so that what is refused is refused for who asks.
fn body(path: &str) -> &'static str {
    match path {
        "/api/v1/knowledge/{name}/search" => r#"{"query": "x"}"#,
        "/api/v1/assets/{kind}/{name}/aliases/{alias}" => r#"{"to": "latest"}"#,
        "/api/v1/projects" => r#"{"name": "made-by-the-test"}"#,
        "/api/v1/keys" | "/api/v1/members" => r#"{"name": "made-by-the-test", "role": "reader"}"#,
        "/api/v1/limits" => r#"{"kind": "project", "metric": "concurrent", "amount": "1000"}"#,
        "/v1/chat/completions" => r#"{"model": "nothing", "messages": [{"role": "user", "content": "x"}]}"#,
        "/v1/messages" | "/v1/messages/count_tokens" => {
            r#"{"model": "nothing", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}"#
        }
        "/api/v1/projects/{project}/capture/preview" => r#"{"text": "x"}"#,
        "/api/v1/secrets/{name}" => r#"{"value": "made-by-the-test"}"#,
        // Of somebody nobody knows.
        "/api/v1/erasures" => r#"{"user": "nobody-made-by-the-test"}"#,
        "/api/v1/silences" => r#"{"matchers": ["app=nothing"], "for": "1h"}"#,
        "/api/v1/routes/explain" => r#"{"model": "nothing"}"#,
        "/api/v1/sql" => r#"{"query": "SELECT count(*) FROM spans"}"#,
        "/v1/completions" => r#"{"model": "nothing", "prompt": "x"}"#,
        "/v1/embeddings" | "/v1/responses" | "/v1/responses/compact" | "/v1/responses/input_tokens" | "/v1/moderations" => {
            r#"{"model": "nothing", "input": "x"}"#
        }
        "/v1/rerank" | "/v2/rerank" => r#"{"model": "nothing", "query": "x", "documents": ["x"]}"#,
        _ => "{}",
    }
}

fn request(method: &str, address: &str, body: &str) -> Request<Bytes> {
    let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(address);
    let body = if method == "GET" { Bytes::new() } else { Bytes::from(body.to_owned()) };
    request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

async fn status(transport: &Arc<HttpTransport>, method: &str, path: &str) -> u16 {
    transport.send(request(method, &filled(path), body(path))).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_asks_for_the_role_it_needs() {
    let data = tempfile::tempdir().unwrap();
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    for role in ["reader", "editor", "admin"] {
        let created = run(data.path(), &["keys", "create", role, "--role", role]);
        keys.insert(role, created["secret"].as_str().unwrap().to_owned());
    }
    // Beyond loopback nobody is the single user.
    let server = Server::start(data.path(), "0.0.0.0");
    let transport = |key: Option<&str>| Arc::new(HttpTransport::new(&server.url, key.map(|role| keys[role].clone())).unwrap());
    let callers = [
        (Needs::Nobody, transport(None)),
        (Needs::Reader, transport(Some("reader"))),
        (Needs::Editor, transport(Some("editor"))),
        (Needs::Admin, transport(Some("admin"))),
    ];
    let mut wrong = Vec::new();
    for (method, path, needs) in TABLE {
        for (who, transport) in &callers {
            let status = status(transport, method, path).await;
            let expected = match who {
                Needs::Nobody if *needs != Needs::Nobody => status == 401,
                who if who < needs => status == 403,
                _ => status != 401 && status != 403,
            };
            if !expected {
                wrong.push(format!("{method} {path} as {who:?}: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_covers_every_endpoint_of_the_document() {
    let document: Value = serde_json::from_str(&mainspring_server::openapi()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let listed = TABLE.iter().any(|(other, known, _)| other.to_lowercase() == *method && known == path);
            assert!(listed, "{method} {path} is not in the table");
        }
    }
    let others = mainspring_server::other_routes();
    let known = |method: &str, path: &str| {
        document["paths"][path].get(method.to_lowercase()).is_some()
            || others.iter().any(|(known, other)| *known == method && *other == path)
    };
    for (method, path, _) in TABLE {
        assert!(known(method, path), "{method} {path} is in the table and nowhere else");
    }
    for (method, path) in &others {
        assert!(TABLE.iter().any(|(known, other, _)| known == method && other == path), "{method} {path} is not in the table");
    }
}

/// Rust files of what ships, with their text.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "tests" | "examples" | "benches") {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push((path.to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()));
        }
    }
}

/// The lists that the table is compared with are what the routers are made of. A route that is put into a router by hand
/// would be in none of them.
#[test]
fn no_route_is_made_beside_the_lists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut by_hand = Vec::new();
    for entry in std::fs::read_dir(crates).unwrap().map(Result::unwrap) {
        let manifest = std::fs::read_to_string(entry.path().join("Cargo.toml")).unwrap_or_default();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Servers for tests are nobody's endpoints.
        if !manifest.contains("\naxum") || ["testservers", "workspace-hack"].contains(&name.as_str()) {
            continue;
        }
        let mut files = Vec::new();
        sources(&entry.path().join("src"), &mut files);
        for (file, text) in files {
            for way in [".route(", ".route_service(", ".nest(", ".nest_service(", ".fallback_service("] {
                by_hand.extend(text.matches(way).map(|way| format!("{name}/{}: {way}", file.rsplit('/').next().unwrap())));
            }
        }
    }
    by_hand.sort();
    // The OpenAPI document does not hold its own address: `other_routes` does.
    assert_eq!(by_hand, ["api-rest/lib.rs: .route(", "web-kit/routes.rs: .route("]);
    assert!(mainspring_server::other_routes().contains(&("GET", "/api/v1/openapi.json")));
}
