//! Files and batches, as OpenAI's clients use them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body, extract::Request, middleware::from_fn_with_state};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Method, header};
use http_body_util::BodyExt;
use mainspring_batches::{Again, Answers, BatchConfig, Batches, Endpoint, Maker, Parts, Runner, Standing};
use mainspring_blobs::Blobs;
use mainspring_gateway::ledger::{Amount, EACH, Metric, NewLimit, SubjectKind};
use mainspring_jobs::Jobs;
use mainspring_kernel::{
    Actor, Fault, FrozenClock, Stop,
    id::{BatchId, ProjectId},
};
use mainspring_llm::TraceId;
use mainspring_testservers::upstream::{Behaviour, Script};
use mainspring_web_kit::{BodyWithin, Caller, in_time};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    surface::{LOCAL, Surface},
    walks::{hello, routed, upstream},
};
use crate::{Lines, batch_router, upload_router};

const BOUNDARY: &str = "between";

/// The maker may always do what they might.
#[derive(Debug)]
struct Same(Actor);

#[async_trait]
impl Standing for Same {
    async fn acting(&self, _: ProjectId, _: &Maker) -> Result<Actor, Box<dyn Fault>> {
        Ok(self.0.clone())
    }
}

struct Room {
    router: Router,
    actor: Actor,
    runner: Runner,
    lines: Lines,
    clock: FrozenClock,
    _folder: tempfile::TempDir,
}

impl Room {
    fn over(surface: &Surface) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FrozenClock::at(surface.openai.clock.now());
        let parts = Parts {
            catalog: surface.catalog.clone(),
            blobs: Blobs::local(folder.path()).unwrap(),
            jobs: Jobs::open(surface.catalog.clone(), Arc::new(clock.clone())),
            clock: Arc::new(clock.clone()),
        };
        let batches = Batches::open(parts, BatchConfig { file_limit: 1 << 20, ..BatchConfig::default() });
        let (actor, lines) = (surface.actor.clone(), Lines::of(surface.openai.clone(), true));
        let runner = Runner::new(batches.clone(), Arc::new(lines.clone()), Arc::new(Same(actor.clone())));
        let router = batch_router(batches.clone()).merge(upload_router(batches, 1 << 20));
        let router = router.layer(from_fn_with_state(BodyWithin(Duration::from_millis(300)), in_time));
        Self { router, actor, runner, lines, clock, _folder: folder }
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> (u16, String) {
        self.ask(Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap())
            .await
    }

    async fn ask(&self, mut request: Request) -> (u16, String) {
        request.extensions_mut().insert(Caller(self.actor.clone()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn form(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let (status, text) = self.send(Method::POST, "/v1/files", &kind, written(form)).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, text) = self.send(Method::GET, path, "", Vec::new()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn text(&self, file: &Value) -> String {
        let path = format!("/v1/files/{}/content", file.as_str().unwrap());
        let (status, text) = self.send(Method::GET, &path, "", Vec::new()).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = self.send(Method::POST, path, "application/json", body.to_string().into_bytes()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn run(&self) {
        assert!(self.runner.worker("test").run_one(&Stop::never()).await.unwrap());
    }
}

/// A form; `file` is a file.
fn written(form: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, value) in form {
        let file = if *name == "file" { "; filename=\"lines.jsonl\"" } else { "" };
        body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"));
    }
    format!("{body}--{BOUNDARY}--\r\n").into_bytes()
}

fn line(id: &str, url: &str, body: &Value) -> String {
    json!({"custom_id": id, "method": "POST", "url": url, "body": body}).to_string()
}

#[tokio::test]
async fn a_file_that_does_not_come_is_refused_as_any_body_is_and_nothing_is_kept_of_it() {
    let room = Room::over(&Surface::open().await);
    let whole = String::from_utf8(written(&[("purpose", "batch"), ("file", "one\ntwo")])).unwrap();
    for stops_at in ["purpose", "two"] {
        let begun = whole[..whole.find(stops_at).unwrap()].to_owned();
        let pieces = stream::iter([Ok::<_, std::io::Error>(begun)]).chain(stream::pending());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = Request::post("/v1/files").header(header::CONTENT_TYPE, kind);
        let (status, text) = room.ask(request.body(Body::from_stream(pieces)).unwrap()).await;
        let refused: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &refused["error"]["code"]), (408, &json!("body-too-slow")), "{stops_at}: {text}");
    }
    assert_eq!(room.get("/v1/files").await.1["data"], json!([]));
}

#[tokio::test]
async fn files_are_sent_listed_read_and_deleted() {
    let room = Room::over(&Surface::open().await);
    let expiry = [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "7200")];
    let form = [&[("file", "one\ntwo"), ("purpose", "batch"), ("unknown", "x")][..], &expiry[..]].concat();
    let (status, made) = room.form(&form).await;
    assert_eq!(status, 200, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("file-"), "{id}");
    let created = made["created_at"].as_i64().unwrap();
    let expected = json!({
        "id": id, "object": "file", "bytes": 7, "created_at": created, "expires_at": created + 7_200,
        "filename": "lines.jsonl", "purpose": "batch", "status": "processed", "status_details": null,
    });
    assert_eq!(made, expected);
    assert_eq!(room.get(&format!("/v1/files/{id}")).await, (200, expected.clone()));
    assert_eq!(room.text(&json!(id)).await, "one\ntwo");
    // Files of one moment stand in any order.
    room.clock.advance(Duration::from_secs(1));
    let (_, other) = room.form(&[("purpose", "user_data"), ("file", "three")]).await;
    assert_eq!(other["expires_at"], other["created_at"].as_i64().unwrap() + 30 * 86_400, "whatever it is for");
    let (_, page) = room.get("/v1/files?limit=1&order=asc").await;
    assert_eq!(page, json!({"object": "list", "data": [expected], "first_id": id, "last_id": id, "has_more": true}));
    let (_, rest) = room.get(&format!("/v1/files?limit=1&order=asc&after={id}")).await;
    assert_eq!((&rest["data"][0]["id"], &rest["has_more"]), (&other["id"], &json!(false)));
    assert_eq!(room.get("/v1/files?purpose=batch").await.1["data"].as_array().unwrap().len(), 1);
    let (status, gone) = room.send(Method::DELETE, &format!("/v1/files/{id}"), "", Vec::new()).await;
    assert_eq!(
        (status, serde_json::from_str::<Value>(&gone).unwrap()),
        (200, json!({"id": id, "object": "file", "deleted": true}))
    );
    for path in [format!("/v1/files/{id}"), "/v1/files/nonsense".to_owned(), "/v1/files/file-12/content".to_owned()] {
        let (status, error) = room.get(&path).await;
        assert_eq!((status, &error["error"]["code"]), (404, &json!("file-not-found")), "{path}");
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_a_file_is_refused_by_name() {
    let room = Room::over(&Surface::open().await);
    for (form, status, code, param) in [
        (vec![("file", "x")], 400, "openai-invalid-parameter", "purpose"),
        (vec![("file", "x"), ("purpose", "nonsense")], 400, "openai-invalid-parameter", "purpose"),
        (vec![("file", "x"), ("purpose", "batch_output")], 400, "file-invalid", "purpose"),
        (vec![("purpose", "batch")], 400, "openai-invalid-parameter", "file"),
        (vec![("file", ""), ("purpose", "batch")], 400, "file-invalid", "file"),
        (vec![("file", "x"), ("file", "y"), ("purpose", "batch")], 400, "openai-invalid-parameter", "file"),
        (vec![("file", "x"), ("purpose", "batch"), ("expires_after[seconds]", "1")], 400, "file-invalid", "expires_after"),
        (
            vec![("file", "x"), ("purpose", "batch"), ("expires_after[seconds]", "soon")],
            400,
            "openai-invalid-parameter",
            "expires_after",
        ),
    ] {
        let (sent, error) = room.form(&form).await;
        assert_eq!(
            (sent, &error["error"]["code"], &error["error"]["param"]),
            (status, &json!(code), &json!(param)),
            "{form:?}: {error}"
        );
    }
    let large = "x".repeat((1 << 20) + 1);
    let (status, error) = room.form(&[("file", &large), ("purpose", "batch")]).await;
    assert_eq!((status, &error["error"]["code"]), (413, &json!("file-too-large")));
    let (status, text) = room.send(Method::POST, "/v1/files", "application/json", b"{}".to_vec()).await;
    assert_eq!((status, text.contains("body-unreadable")), (400, true), "{text}");
    assert_eq!(room.get("/v1/files").await.1["data"], json!([]));
}

#[tokio::test]
async fn no_form_whatever_stands_in_it_is_our_fault() {
    let room = Room::over(&Surface::open().await);
    let mut runner = TestRunner::new(Config::default());
    let right = written(&[("file", "one"), ("purpose", "batch"), ("expires_after[seconds]", "7200")]);
    let random = proptest::collection::vec(any::<u8>(), 0..200).boxed();
    let broken = (0..right.len(), any::<u8>(), 0..right.len()).prop_map(move |(at, byte, end)| {
        let mut bytes = right.clone();
        bytes[at] = byte;
        bytes.truncate(end);
        bytes
    });
    let forms = prop_oneof![random, broken.boxed()];
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    for _ in 0..300 {
        let bytes = forms.new_tree(&mut runner).unwrap().current();
        let (status, text) = room.send(Method::POST, "/v1/files", &kind, bytes.clone()).await;
        assert!(status < 500, "{status} {text}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[tokio::test]
async fn a_batch_is_answered_by_routes_prompts_and_models_of_this_process() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("openai", &server).await;
    let messages = json!([{"role": "user", "content": "Repeat: {{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    let room = Room::over(&surface);
    let chat = "/v1/chat/completions";
    let asked = [("by-route", "chat"), ("by-prompt", "echo"), ("by-local", LOCAL), ("by-nobody", "no-such-model")];
    let file = asked.map(|(id, model)| line(id, chat, &hello(model))).join("\n");
    let (_, input) = room.form(&[("purpose", "batch"), ("file", &file)]).await;
    let new = json!({
        "input_file_id": input["id"], "endpoint": chat, "completion_window": "24h", "metadata": {"for": "a test"},
        "output_expires_after": {"anchor": "created_at", "seconds": 3_600},
    });
    let (status, made) = room.post("/v1/batches", &new).await;
    assert_eq!(status, 200, "{made}");
    let created = made["created_at"].as_i64().unwrap();
    assert_eq!(
        made,
        json!({
            "id": made["id"], "object": "batch", "endpoint": chat, "errors": null, "input_file_id": input["id"],
            "completion_window": "24h", "status": "validating", "output_file_id": null, "error_file_id": null,
            "created_at": created, "in_progress_at": null, "expires_at": created + 86_400, "finalizing_at": null,
            "completed_at": null, "failed_at": null, "expired_at": null, "cancelling_at": null, "cancelled_at": null,
            "request_counts": {"total": 0, "completed": 0, "failed": 0}, "metadata": {"for": "a test"},
        })
    );
    room.run().await;
    let path = format!("/v1/batches/{}", made["id"].as_str().unwrap());
    let (_, done) = room.get(&path).await;
    assert_eq!(
        (&done["status"], &done["request_counts"]),
        (&json!("completed"), &json!({"total": 4, "completed": 3, "failed": 1}))
    );
    let results = |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let good = results(room.text(&done["output_file_id"]).await);
    let said = |id: &str| {
        let result = good.iter().find(|result| result["custom_id"] == id).unwrap();
        assert_eq!((&result["error"], &result["response"]["status_code"]), (&Value::Null, &json!(200)), "{result}");
        result["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (said("by-route").as_str(), said("by-prompt").as_str(), said("by-local").as_str()),
        ("Hi there.", "Repeat: Hello.!", "Hello.!")
    );
    let failed = results(room.text(&done["error_file_id"]).await);
    assert_eq!((&failed[0]["custom_id"], &failed[0]["response"]["status_code"]), (&json!("by-nobody"), &json!(404)));
    assert_eq!(failed[0]["response"]["body"]["error"]["code"], "model_not_found");
    let (_, output) = room.get(&format!("/v1/files/{}", done["output_file_id"].as_str().unwrap())).await;
    assert_eq!((&output["purpose"], output["expires_at"].as_i64()), (&json!("batch_output"), Some(created + 3_600)));
    assert_eq!(room.get("/v1/batches?limit=1").await.1["data"][0], done);
    let (status, error) = room.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!((status, &error["error"]["code"]), (409, &json!("batch-ended")));
    room.clock.advance(std::time::Duration::from_millis(5));
    let (_, second) = room.post("/v1/batches", &new).await;
    let (_, newest) = room.get("/v1/batches?limit=1").await;
    assert_eq!(
        newest,
        json!({"object": "list", "data": [second], "first_id": second["id"], "last_id": second["id"], "has_more": true})
    );
    let (_, rest) = room.get(&format!("/v1/batches?limit=1&after={}", second["id"].as_str().unwrap())).await;
    assert_eq!((&rest["data"][0]["id"], &rest["has_more"]), (&made["id"], &json!(false)));
    let second = format!("/v1/batches/{}", second["id"].as_str().unwrap());
    assert_eq!(room.post(&format!("{second}/cancel"), &json!({})).await.1["status"], "cancelling");
    room.run().await;
    let (_, cancelled) = room.get(&second).await;
    assert_eq!((&cancelled["status"], cancelled["cancelled_at"].is_i64()), (&json!("cancelled"), true));
}

#[tokio::test]
async fn a_batch_that_cannot_be_is_refused_by_name_and_bad_lines_by_number() {
    let room = Room::over(&Surface::open().await);
    let file = ["nonsense".to_owned(), line("a", "/v1/embeddings", &json!({})), line("b", "/v1/rerank", &json!({}))].join("\n");
    let (_, input) = room.form(&[("purpose", "batch"), ("file", &file)]).await;
    let new = json!({"input_file_id": input["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"});
    for (field, value, param) in [
        ("endpoint", "/v1/images/edits", "endpoint"),
        ("completion_window", "soon", "completion_window"),
        ("completion_window", "1s", "completion_window"),
        ("input_file_id", "file-00000000000000000000000000000000", "input_file_id"),
    ] {
        let mut wrong = new.clone();
        wrong[field] = json!(value);
        let (status, error) = room.post("/v1/batches", &wrong).await;
        assert_eq!((status, &error["error"]["param"]), (400, &json!(param)), "{error}");
    }
    assert_eq!(room.post("/v1/batches", &json!({})).await.0, 400);
    let (_, made) = room.post("/v1/batches", &new).await;
    room.run().await;
    let (_, failed) = room.get(&format!("/v1/batches/{}", made["id"].as_str().unwrap())).await;
    assert_eq!((&failed["status"], &failed["errors"]["object"]), (&json!("failed"), &json!("list")));
    let told: Vec<_> =
        failed["errors"]["data"].as_array().unwrap().iter().map(|error| (&error["code"], &error["line"])).collect();
    assert_eq!(told, [(&json!("invalid_json_line"), &json!(1)), (&json!("url_mismatch"), &json!(3))]);
    assert!(failed["failed_at"].is_i64() && failed["output_file_id"].is_null());
    for (path, method) in [("/v1/batches/batch_1", Method::GET), ("/v1/batches/nonsense/cancel", Method::POST)] {
        let (status, text) = room.send(method, path, "", Vec::new()).await;
        assert_eq!((status, text.contains("batch-not-found")), (404, true), "{text}");
    }
}

#[tokio::test]
async fn every_endpoint_of_a_batch_answers_as_it_answers_clients() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("openai", &server).await;
    let room = Room::over(&surface);
    for (endpoint, body) in [
        (Endpoint::Chat, hello("chat")),
        (Endpoint::Completions, json!({"model": "chat", "prompt": "Hello."})),
        (Endpoint::Responses, json!({"model": "chat", "input": "Hello."})),
        (Endpoint::Embeddings, json!({"model": "chat", "input": "Hello."})),
        (Endpoint::Moderations, json!({"model": "chat", "input": "Hello."})),
        (Endpoint::Rerank, json!({"model": "chat", "query": "a", "documents": ["b"]})),
        (Endpoint::Chat, json!({"messages": []})),
    ] {
        let client = surface.post(endpoint.as_str(), &body).await;
        let line = room.lines.answer(&surface.actor, (BatchId::from_raw(1), endpoint), Bytes::from(body.to_string())).await;
        assert_eq!(line.status, client.status, "{endpoint:?}: {:?}", line.body);
        let keys =
            |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&line.body), keys(client.text.as_bytes()), "{endpoint:?}");
    }
}

#[tokio::test]
async fn what_our_limits_refuse_is_asked_later_and_what_a_provider_refuses_a_few_times() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("openai", &server).await;
    let room = Room::over(&surface);
    let ask = async |model: &str| {
        room.lines.answer(&surface.actor, (BatchId::from_raw(1), Endpoint::Chat), Bytes::from(hello(model).to_string())).await
    };
    assert_eq!(ask("chat").await.again, None);
    assert_eq!(ask("no-such-model").await.again, None);
    server.script(Script::always(Behaviour::status(429)));
    let busy = ask("main/small").await;
    assert_eq!((busy.status, matches!(busy.again, Some(Again::Busy(_)))), (429, true), "{busy:?}");
    assert!(busy.request_id.parse::<TraceId>().is_ok(), "a line that failed names its trace too: {busy:?}");
    server.script(Script::always(Behaviour::saying("Hi there.")));
    let metric = Metric::RequestsPerMinute;
    let new =
        NewLimit { kind: SubjectKind::Project, subject: EACH.to_owned(), metric, amount: Amount::read(metric, "1").unwrap() };
    surface.openai.gateway.ledger().set_limit(&surface.actor, new).await.unwrap();
    ask("chat").await;
    let limited = ask("chat").await;
    let wait = match limited.again {
        Some(Again::Limit(wait)) => wait,
        other => panic!("{other:?} {limited:?}"),
    };
    assert!(!wait.is_zero() && limited.status == 429);
}

/// No later window would pay for it, so a batch fails the line instead of waiting, and a client is not told to come back.
#[tokio::test]
async fn what_a_whole_budget_cannot_pay_is_asked_once() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("openai", &server).await;
    let room = Room::over(&surface);
    let metric = Metric::UsdPerDay;
    let amount = Amount::read(metric, "0.01").unwrap();
    let new = NewLimit { kind: SubjectKind::Project, subject: EACH.to_owned(), metric, amount };
    surface.openai.gateway.ledger().set_limit(&surface.actor, new).await.unwrap();
    // One whose models are not listed: any of them can be called, and this one has a price.
    surface.apply(&[("provider", "open", json!({"type": "openai", "base_url": format!("{}/v1", server.url())}))]).await;
    let mut body = hello("open/gpt-4o-mini");
    body["max_tokens"] = json!(1_000_000);
    let line = room.lines.answer(&surface.actor, (BatchId::from_raw(1), Endpoint::Chat), Bytes::from(body.to_string())).await;
    assert_eq!((line.status, line.again), (400, None), "{:?}", line.body);
    let client = surface.post(Endpoint::Chat.as_str(), &body).await;
    let told: Value = serde_json::from_str(&client.text).unwrap();
    assert_eq!((client.status, &told["error"]["code"]), (400, &json!("budget-too-small")), "{told}");
    assert_eq!(told["error"]["type"], "invalid_request_error");
    body["max_tokens"] = json!(10);
    assert_eq!(surface.post(Endpoint::Chat.as_str(), &body).await.status, 200);
    assert_eq!(server.count(), 1, "the dear ones asked nobody");
}
