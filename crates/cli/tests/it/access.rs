//! Who may call what: every endpoint of the OpenAPI document, and the OpenAI ones, as nobody and as each role.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, header};
use mainspring_client::{HttpTransport, Transport};

use crate::running::{Server, run};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nobody,
    Reader,
    Editor,
    Admin,
}

/// An endpoint that is not here fails the test.
const TABLE: &[(&str, &str, Needs)] = &[
    ("GET", "/schemas/{kind}", Needs::Nobody),
    ("GET", "/api/v1/overview", Needs::Reader),
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
    ("POST", "/api/v1/knowledge/{name}/ingest", Needs::Editor),
    ("GET", "/api/v1/knowledge/{name}/runs", Needs::Reader),
    ("GET", "/api/v1/runs/{id}", Needs::Reader),
    ("GET", "/api/v1/runs/{id}/events", Needs::Reader),
    ("GET", "/api/v1/traces", Needs::Reader),
    ("GET", "/api/v1/traces/{id}", Needs::Reader),
    ("POST", "/api/v1/traces/{id}/replay", Needs::Reader),
    ("GET", "/api/v1/assets", Needs::Reader),
    ("GET", "/api/v1/assets/{kind}/{name}", Needs::Reader),
    ("GET", "/api/v1/assets/{kind}/{name}/versions", Needs::Reader),
    ("GET", "/api/v1/assets/{kind}/{name}/diff", Needs::Reader),
    ("PUT", "/api/v1/assets/{kind}/{name}/aliases/{alias}", Needs::Editor),
    ("DELETE", "/api/v1/assets/{kind}/{name}/aliases/{alias}", Needs::Editor),
    ("POST", "/api/v1/apply", Needs::Editor),
    ("GET", "/api/v1/keys", Needs::Admin),
    ("POST", "/api/v1/keys", Needs::Admin),
    ("POST", "/api/v1/keys/{id}/rotate", Needs::Admin),
    ("DELETE", "/api/v1/keys/{id}", Needs::Admin),
    ("GET", "/api/v1/audit", Needs::Admin),
    ("POST", "/api/v1/audit/verify", Needs::Admin),
    ("POST", "/v1/chat/completions", Needs::Reader),
    ("POST", "/v1/completions", Needs::Reader),
    ("POST", "/v1/embeddings", Needs::Reader),
    ("GET", "/v1/models", Needs::Reader),
    ("GET", "/v1/models/{name}", Needs::Reader),
    ("POST", "/v1/traces", Needs::Editor),
    ("GET", "/healthz", Needs::Nobody),
    ("GET", "/readyz", Needs::Nobody),
    ("GET", "/metrics", Needs::Nobody),
    ("GET", "/api/v1/openapi.json", Needs::Nobody),
];

fn filled(path: &str) -> String {
    path.replace("{kind}", "prompt").replace("{name}", "nothing").replace("{id}", "nothing").replace("{alias}", "a")
}

/// A body each endpoint can read, so that what is refused is refused for who asks.
fn body(path: &str) -> &'static str {
    match path {
        "/api/v1/knowledge/{name}/search" => r#"{"query": "x"}"#,
        "/api/v1/assets/{kind}/{name}/aliases/{alias}" => r#"{"to": "latest"}"#,
        "/api/v1/keys" => r#"{"name": "made-by-the-test", "role": "reader"}"#,
        "/v1/chat/completions" => r#"{"model": "nothing", "messages": [{"role": "user", "content": "x"}]}"#,
        "/v1/completions" => r#"{"model": "nothing", "prompt": "x"}"#,
        "/v1/embeddings" => r#"{"model": "nothing", "input": "x"}"#,
        _ => "{}",
    }
}

async fn status(transport: &Arc<HttpTransport>, method: &str, path: &str) -> u16 {
    let request = Request::builder()
        .method(method.parse::<Method>().unwrap())
        .uri(filled(path))
        .header(header::CONTENT_TYPE, "application/json");
    let body = if method == "GET" { Bytes::new() } else { Bytes::from_static(body(path).as_bytes()) };
    transport.send(request.body(body).unwrap()).await.unwrap().status().as_u16()
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
    let document: serde_json::Value = serde_json::from_str(include_str!("../../../../openapi/rest.json")).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let listed = TABLE.iter().any(|(other, known, _)| other.to_lowercase() == *method && known == path);
            assert!(listed, "{method} {path} is not in the table");
        }
    }
    for (method, path) in mainspring_server::other_routes() {
        assert!(TABLE.iter().any(|(known, other, _)| *known == method && *other == path), "{method} {path} is not in the table");
    }
}
