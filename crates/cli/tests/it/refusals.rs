//! What is refused is refused in words a program can read: over HTTP and on the command line.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::running::{Server, command};

/// An answer as it came over the wire.
pub(crate) struct Raw {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends a head and whatever of a body, in this very form.
pub(crate) fn raw(server: &Server, request: &str, headers: &str, body: &str) -> Raw {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    let sent = format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n{body}");
    stream.write_all(sent.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: no whole answer: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head: head.to_owned(), text: text.to_owned() }
}

const WRONG_KEY: &str = "authorization: Bearer msk_wrong\r\n";
const HUGE: &str = "content-type: application/json\r\ncontent-length: 99999999\r\n";
/// A body that is announced and never comes.
const STALLED: &str = "content-type: application/json\r\ncontent-length: 10\r\n";

const TABLE: &[(&str, &str, u16, &str)] = &[
    ("GET /api/v1/overview", WRONG_KEY, 401, "identity-invalid-key"),
    ("GET /api/v1/nothing", "", 404, "route-not-found"),
    ("GET /api/v1/apply", "", 405, "method-not-allowed"),
    ("POST /api/v1/apply", HUGE, 413, "body-too-large"),
    ("POST /api/v1/apply", STALLED, 408, "body-too-slow"),
    ("GET /api/v1/assets/prompt/%FF", "", 400, "path-invalid"),
    ("GET /api/v1/assets/prompt/x/diff?from=first", "", 404, "registry-not-found"),
    ("DELETE /api/v1/assets/prompt/x/aliases/y?expected=first", "", 400, "query-invalid"),
    ("GET /api/v1/assets?limit=many", "", 400, "paging-invalid"),
    ("GET /v1/models", WRONG_KEY, 401, "identity-invalid-key"),
    ("GET /v1/nothing", "", 404, "route-not-found"),
    ("POST /chat/completions", "", 404, "route-not-found"),
    ("GET /models", "", 404, "route-not-found"),
    ("POST /v1/v1/messages", "", 404, "route-not-found"),
    ("GET /v1/chat/completions", "", 405, "method-not-allowed"),
    ("POST /v1/chat/completions", HUGE, 413, "body-too-large"),
    ("POST /v1/chat/completions", STALLED, 408, "body-too-slow"),
    ("GET /v1/models/%FF", "", 400, "path-invalid"),
    ("GET /v1/traces", "", 405, "method-not-allowed"),
    ("POST /v1/traces", HUGE, 413, "body-too-large"),
    ("POST /v1/traces", STALLED, 504, "body-too-slow"),
    ("GET /errors/nothing", "", 404, "route-not-found"),
];

/// What never comes is given up soon.
fn impatient(data: &Path) -> Server {
    Server::start_with(data, &["serve"], &[("MAINSPRING__SERVER__CLIENT_TIMEOUT", "2s")])
}

#[test]
fn every_refusal_has_a_code_in_the_shape_its_clients_read() {
    let data = tempfile::tempdir().unwrap();
    let server = impatient(data.path());
    for (request, headers, status, code) in TABLE {
        let answer = raw(&server, request, headers, "");
        let body: Value =
            serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{request}: {error}: {}", answer.text));
        let path = request.split(' ').nth(1).unwrap();
        let openai = path.starts_with("/v1/") && path != "/v1/traces";
        let (kind, said) = if openai {
            assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string(), "{request}: {body}");
            ("application/json", &body["error"]["code"])
        } else {
            assert_eq!((&body["type"], &body["status"]), (&json!(format!("/errors/{code}")), &json!(status)), "{request}");
            assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"), "{request}");
            ("application/problem+json", &body["code"])
        };
        assert_eq!((answer.status, said), (*status, &json!(code)), "{request}: {body}");
        assert_eq!(answer.header("content-type"), Some(kind), "{request}");
    }
    assert!(raw(&server, "GET /api/v1/apply", "", "").header("allow").is_some_and(|allow| allow.contains("POST")));
}

/// Base URLs of other gateways have none.
#[test]
fn a_base_url_without_v1_is_told_what_it_lacks() {
    let data = tempfile::tempdir().unwrap();
    for args in [["serve"], ["gateway"]] {
        let server = Server::start_with(data.path(), &args, &[]);
        for (request, meant) in [
            ("POST /chat/completions", "`/v1/chat/completions` does: end the base URL in `/v1`"),
            ("GET /models", "`/v1/models` does: end the base URL in `/v1`"),
            ("POST /v1/v1/messages", "`/v1/messages` does: the base URL has a `/v1` too many"),
        ] {
            let answer = raw(&server, request, "accept: application/json\r\n", "");
            assert!(answer.status == 404 && answer.text.contains(meant), "{args:?} {request}: {}", answer.text);
        }
        assert!(server.terminate().success());
    }
}

#[test]
fn the_page_of_a_code_is_in_the_binary() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let text = raw(&server, "GET /errors/body-too-large", "", "");
    assert_eq!((text.status, text.header("content-type")), (200, Some("text/markdown; charset=utf-8")));
    assert!(text.text.starts_with("# body-too-large\n"), "{}", text.text);
    // As clients of OpenAI see codes.
    for (code, page) in [("context_length_exceeded", "context-length-exceeded"), ("model_not_found", "model-not-found")] {
        let text = raw(&server, &format!("GET /errors/{code}"), "", "");
        assert!(text.status == 200 && text.text.starts_with(&format!("# {page}\n")), "{}", text.text);
    }
    let page = raw(&server, "GET /errors/body-too-large", "accept: text/html\r\n", "");
    assert!(page.text.contains("<h1>body-too-large</h1>"), "{}", page.text);
}

#[test]
fn a_name_and_a_password_are_as_good_as_nothing_on_this_machine() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    assert_eq!(raw(&server, "GET /v1/models", "authorization: Basic dXNlcjpwYXNz\r\n", "").status, 200);
}

struct Failed {
    exit: Option<i32>,
    said: Value,
}

fn fail(data: &Path, args: &[&str], settings: &[(&str, &str)]) -> Failed {
    let output = command(data).envs(settings.iter().copied()).args(args).arg("--json").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out} {err}"));
    // People are told the same.
    for (label, value) in [("hint: ", &said["hint"]), ("code: ", &said["code"])] {
        assert!(value.as_str().is_none_or(|text| err.contains(&format!("{label}{text}"))), "{args:?}: {err}");
    }
    Failed { exit: output.status.code(), said }
}

#[test]
fn serving_the_network_without_a_key_says_how_to_make_one() {
    let data = tempfile::tempdir().unwrap();
    let Failed { exit, said } = fail(data.path(), &["serve", "--listen", "0.0.0.0:0"], &[]);
    assert_eq!((exit, &said["code"]), (Some(1), &json!("boot-key-needed")), "{said}");
    assert!(said["hint"].as_str().unwrap().contains("keys create"), "{said}");
}

#[test]
fn exit_codes_tell_the_input_from_the_machine() {
    let data = tempfile::tempdir().unwrap();
    let broken = data.path().join("broken.yaml");
    std::fs::write(&broken, "kind: [prompt").unwrap();
    let broken = broken.to_str().unwrap();
    let wrong: &[(&[&str], &[(&str, &str)], Option<&str>)] = &[
        (&["apply", broken], &[], None),
        (&["apply", "not-there"], &[], None),
        (&["get", "nonsense"], &[], None),
        (&["get", "nonsense/name"], &[], Some("path-invalid")),
        (&["get", "prompt/nobody"], &[], Some("registry-not-found")),
        (&["models", "pull", "nothing"], &[], Some("weights-unknown-model")),
        (&["list"], &[("MAINSPRING__SERVER__BODY_LIMIT", "lots")], Some("config-invalid")),
        (&["list"], &[("MAINSPRING__MODELS__PULL", "maybe")], Some("config-wrong-type")),
        (&["list"], &[("MAINSPRING__SERVER__NOTHING", "1")], Some("config-unknown-setting")),
        (&["list"], &[("MAINSPRING_CATALOG", "mysql://x")], Some("catalog-bad-url")),
    ];
    for (args, settings, code) in wrong {
        let Failed { exit, said } = fail(data.path(), args, settings);
        assert_eq!((exit, said["code"].as_str()), (Some(1), *code), "{args:?} {settings:?}: {said}");
    }
    let server = Server::start(data.path(), "127.0.0.1");
    let machine: &[(&[&str], &str)] = &[
        (&["list", "--url", "http://127.0.0.1:1"], "server-unreachable"),
        (&["serve", "--listen", "127.0.0.1:0"], "boot-data-in-use"),
    ];
    for (args, code) in machine {
        let Failed { exit, said } = fail(data.path(), args, &[]);
        assert_eq!((exit, said["code"].as_str()), (Some(2), Some(*code)), "{args:?}: {said}");
    }
    drop(server);
    // clap speaks for itself, before there is anything to say in JSON.
    assert_eq!(command(data.path()).arg("--nothing").output().unwrap().status.code(), Some(1));
}
