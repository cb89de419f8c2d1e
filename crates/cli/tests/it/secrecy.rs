//! Keys of providers are in nothing that this server gives out or writes down, however their providers behave.

use std::path::Path;

use futures::StreamExt as _;
use mainspring_client::{HttpTransport, Transport as _};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, around, command, run, until};

const OPENAI: &str = "sk-upstream-openai-5f0c1d2e3b4a";
const AZURE: &str = "azure-upstream-9e8d7c6b5a4f3e2d";
const ANTHROPIC: &str = "sk-ant-upstream-0a1b2c3d4e5f";
const GEMINI: &str = "AIzaUpstreamGemini0123456789abcd";
const ACCESS: &str = "AKIAUPSTREAM0BEDROCK";
const SECRET: &str = "upstream/bedrock+secret/0123456789abcdef";
const SESSION: &str = "upstream-bedrock-session-token-fedcba98";

const KEYS: [&str; 7] = [OPENAI, AZURE, ANTHROPIC, GEMINI, ACCESS, SECRET, SESSION];

/// Each kind of provider with the keys that are sent to it, or that sign what is.
const KINDS: [(&str, &[&str]); 5] = [
    ("openai", &[OPENAI]),
    ("azure", &[AZURE]),
    ("anthropic", &[ANTHROPIC]),
    ("gemini", &[GEMINI]),
    ("bedrock", &[ACCESS, SECRET, SESSION]),
];

/// Everything that was given out or written down.
#[derive(Default)]
struct Told(Vec<(String, String)>);

impl Told {
    fn hears(&mut self, whence: impl Into<String>, text: impl Into<String>) {
        self.0.push((whence.into(), text.into()));
    }

    #[track_caller]
    fn holds_no_key(&self) {
        let mut leaks = Vec::new();
        for (whence, text) in &self.0 {
            for key in KEYS.iter().filter(|key| text.contains(**key)) {
                leaks.push(format!("{whence}: {}", around(text, key)));
            }
        }
        assert!(leaks.is_empty(), "{leaks:#?}");
    }
}

fn specs(upstream: &Upstream, azure_key: &Path) -> Vec<Value> {
    let url = upstream.url();
    let of =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    let mut all = vec![
        of("provider", "openai", json!({"type": "openai", "base_url": format!("{url}/v1"), "credential": "env:KEY_OF_OPENAI"})),
        of(
            "provider",
            "azure",
            json!({"type": "azure", "base_url": format!("{url}/openai/v1"), "credential": format!("file:{}", azure_key.display())}),
        ),
        of("provider", "anthropic", json!({"type": "anthropic", "base_url": url, "credential": "secret:anthropic"})),
        of(
            "provider",
            "gemini",
            json!({"type": "gemini", "base_url": format!("{url}/v1beta"), "credential": "env:KEY_OF_GEMINI"}),
        ),
        of(
            "provider",
            "bedrock",
            json!({
                "type": "bedrock", "base_url": url, "region": "eu-central-1", "credential": "env:AWS_KEY",
                "secret_key": "env:AWS_SECRET", "session_token": "env:AWS_SESSION",
            }),
        ),
    ];
    // Nobody is spared what goes wrong.
    let breaker = json!({"failure_rate": 1.0, "min_attempts": 100_000, "window": "1m", "open_for": "1m", "probes": 1});
    let route = |kind: &str| {
        let targets = json!([{"provider": kind, "model": "m"}]);
        of("route", &format!("by-{kind}"), json!({"targets": targets, "retry": {"attempts": 0}, "breaker": breaker}))
    };
    all.extend(KINDS.map(|(kind, _)| route(kind)));
    all
}

/// Errors that quote the key they refuse, in the form of every dialect at once, whole and within a stream, and in headers.
fn quoting(keys: &[&str]) -> Vec<Behaviour> {
    let all = keys.join(" ");
    let error = json!({
        "type": "error", "message": all,
        "error": {"type": format!("error_{all}"), "code": all, "status": all, "message": format!("Incorrect API key provided: {all}")},
    });
    let body = Some(error.to_string());
    let with_headers = |behaviour: Behaviour| {
        ["x-request-id", "request-id", "openai-organization", "anthropic-note", "www-authenticate", "x-amzn-errortype"]
            .iter()
            .fold(behaviour, |behaviour, name| behaviour.header(name, &all))
    };
    let refusal = |status| with_headers(Behaviour { body: body.clone(), ..Behaviour::status(status) });
    let begun = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"x"}}]}"#;
    let streamed = Behaviour { body: Some(format!("{begun}\n\ndata: {error}\n\n")), ..Behaviour::default() };
    let mut all: Vec<Behaviour> = [400, 401, 403, 404, 413, 422, 429, 500, 503, 529].map(refusal).into();
    all.push(with_headers(Behaviour::default()));
    all.push(Behaviour { body: body.clone(), ..Behaviour::default() });
    all.push(Behaviour { body: Some(format!("not JSON: {}", keys.join(" "))), ..Behaviour::default() });
    all.push(Behaviour { body: Some(format!("<html>{}</html>", keys.join(" "))), ..Behaviour::status(502) });
    all.push(streamed);
    all
}

/// Status, headers and body as one text.
async fn sent(server: &Server, path: &str, body: &Value) -> String {
    let transport = HttpTransport::new(&server.url, None).unwrap();
    let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
    let (parts, mut body) = transport.send(request.body(body.to_string().into()).unwrap()).await.unwrap().into_parts();
    let mut text = format!("{} {:?}\n", parts.status, parts.headers);
    while let Some(part) = body.next().await {
        text.push_str(&String::from_utf8_lossy(&part.unwrap()));
    }
    text
}

fn files(folder: &Path, told: &mut Told) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, told);
        } else if let Ok(bytes) = std::fs::read(&path) {
            told.hears(path.display().to_string(), String::from_utf8_lossy(&bytes));
        }
    }
}

async fn every_trace(user: &User, told: &mut Told) -> usize {
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let page = user.get(&format!("/api/v1/traces?limit=100{cursor}")).await;
        told.hears("traces", page.text.clone());
        for item in page.json()["items"].as_array().unwrap() {
            let id = item["trace_id"].as_str().unwrap();
            told.hears(format!("trace {id}"), user.get(&format!("/api/v1/traces/{id}")).await.text);
            count += 1;
        }
        match page.json()["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_any_kind_of_provider_is_told_or_written_down() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let azure_key = keys.path().join("azure");
    std::fs::write(&azure_key, format!("{AZURE}\n")).unwrap();
    let settings = [
        ("KEY_OF_OPENAI", OPENAI),
        ("KEY_OF_GEMINI", GEMINI),
        ("AWS_KEY", ACCESS),
        ("AWS_SECRET", SECRET),
        ("AWS_SESSION", SESSION),
        ("MAINSPRING_LOG", "debug"),
    ];
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let mut told = Told::default();
    // One of them is kept by the server itself.
    let kept = http::Request::put("/api/v1/secrets/anthropic").header(http::header::CONTENT_TYPE, "application/json");
    let kept = kept.body(json!({"value": ANTHROPIC}).to_string().into()).unwrap();
    told.hears("a secret that is set", User::of(&server, None).send(kept).await.text);
    told.hears("apply", apply_all(data.path(), &specs(&upstream, &azure_key)).to_string());
    let mut calls = 0;
    for (kind, keys) in KINDS {
        let model = format!("by-{kind}");
        for behaviour in quoting(keys) {
            upstream.script(Script::always(behaviour));
            for stream in [false, true] {
                let messages = json!([{"role": "user", "content": "hello"}]);
                let body = json!({"model": model, "stream": stream, "max_tokens": 9, "messages": messages});
                let response = json!({"model": model, "stream": stream, "input": "hello"});
                for (path, body) in [("/v1/chat/completions", &body), ("/v1/messages", &body), ("/v1/responses", &response)] {
                    told.hears(format!("{path} {kind} {stream}"), sent(&server, path, body).await);
                    calls += 1;
                }
            }
            // The others have no model of this name that embeds.
            if ["openai", "azure", "gemini"].contains(&kind) {
                let body = json!({"model": model, "input": "hello"});
                told.hears(format!("/v1/embeddings {kind}"), sent(&server, "/v1/embeddings", &body).await);
                calls += 1;
            }
        }
    }
    // The keys were used: it is not that nobody had them.
    let asked: Vec<String> = upstream.seen().iter().map(|seen| format!("{:?}", seen.headers)).collect();
    for key in [OPENAI, AZURE, ANTHROPIC, GEMINI, ACCESS, SESSION] {
        assert!(asked.iter().any(|headers| headers.contains(key)), "{key} was sent to its provider");
    }
    let user = User::of(&server, None);
    let settled = async || user.get("/api/v1/usage").await.json()["total"]["calls"].as_u64() == Some(calls);
    until("every call in the sums", settled).await;
    for path in [
        "/metrics",
        "/v1/models",
        "/api/v1/health",
        "/api/v1/calls?limit=100",
        "/api/v1/calls/live?follow=false",
        "/api/v1/routes",
        "/api/v1/usage?by=provider",
        "/api/v1/audit",
        "/api/v1/secrets",
        "/api/v1/overview",
    ] {
        let reply = user.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        told.hears(path, reply.text);
    }
    // Whether all is well is not asked here: a model may not be there.
    let doctor = command(data.path()).args(["doctor", "--json"]).output().unwrap();
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert!(findings.as_array().unwrap().iter().any(|finding| finding["what"] == "providers"), "{findings}");
    told.hears("doctor", findings.to_string());
    told.hears("doctor", String::from_utf8_lossy(&doctor.stderr));
    let exported = tempfile::tempdir().unwrap();
    let written = run(data.path(), &["export", &exported.path().display().to_string()]);
    assert!(written.as_array().unwrap().len() >= 2 * KINDS.len(), "{written}");
    told.hears("export", written.to_string());
    files(exported.path(), &mut told);
    for (kind, _) in KINDS {
        told.hears(kind, run(data.path(), &["get", &format!("provider/{kind}")]).to_string());
        told.hears(kind, run(data.path(), &["routes", "explain", &format!("by-{kind}")]).to_string());
    }
    assert!(every_trace(&user, &mut told).await > 0);
    let log = server.said();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("path=\"/v1/") && !line.contains("/v1/models")).collect();
    assert_eq!(lines.len() as u64, calls, "every call is a line of the log");
    assert!(lines.iter().any(|line| line.contains("provider=\"openai\" model=\"m\" trace=\"")), "{:?}", lines.last());
    told.hears("the log", log);
    files(data.path(), &mut told);
    told.holds_no_key();
}
