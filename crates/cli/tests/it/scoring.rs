//! Scores and feedback: what is acknowledged stays, is there once, and is found.

use bytes::Bytes;
use http::Request;
use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, refused, run};

fn trace_of(n: u64) -> String {
    let micros = u64::try_from(SystemClock.now().as_micros()).unwrap();
    format!("{micros:016x}{:016x}", n + 1)
}

/// A trace of one span, of a user; where a score is given, the span was judged.
fn export(trace: &str, judged: Option<f64>) -> Value {
    let now = format!("{}000", SystemClock.now().as_micros());
    let event = |score: f64| {
        json!({"name": "gen_ai.evaluation.result", "timeUnixNano": now, "attributes": [
            {"key": "gen_ai.evaluation.name", "value": {"stringValue": "relevance"}},
            {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": score}},
        ]})
    };
    let span = json!({
        "traceId": trace, "spanId": &trace[16..], "name": "work", "kind": 2, "startTimeUnixNano": now, "endTimeUnixNano": now,
        "events": judged.into_iter().map(event).collect::<Vec<_>>(),
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

async fn delete(user: &User, path: &str) -> (u16, Value) {
    let reply = user.send(Request::delete(path).body(Bytes::new()).unwrap()).await;
    (reply.status, reply.json())
}

async fn ok(user: &User, path: &str, body: &Value) -> Value {
    let reply = user.post(path, body).await;
    assert!((200..300).contains(&reply.status), "{path}: {}", reply.json());
    reply.json()
}

async fn scores(user: &User, query: &str) -> Vec<Value> {
    let reply = user.get(&format!("/api/v1/scores{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    reply.json()["items"].as_array().unwrap().clone()
}

async fn traces(user: &User, filter: &str) -> Vec<String> {
    let filter = filter.replace(' ', "%20").replace('>', "%3E").replace('=', "%3D");
    let reply = user.get(&format!("/api/v1/traces?filter={filter}")).await;
    assert_eq!(reply.status, 200, "{filter}: {}", reply.json());
    reply.json()["items"].as_array().unwrap().iter().map(|trace| trace["trace_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_is_there_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let (good, bad) = (trace_of(1), trace_of(2));
    for trace in [&good, &bad] {
        ok(&user, "/v1/traces", &export(trace, None)).await;
    }
    let body = json!([
        {"id": "one", "name": "quality", "value": 0.9, "trace": good, "comment": "as it should be"},
        {"id": "two", "name": "quality", "value": 0.1, "trace": bad},
        {"id": "three", "name": "tone", "value": "kind", "trace": good, "span": &good[16..]},
        {"id": "four", "name": "quality", "value": [], "trace": good},
    ]);
    let written = ok(&user, "/api/v1/scores", &body).await;
    server.kill();

    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    assert_eq!((written["accepted"].as_u64(), written["rejected"].as_u64()), (Some(3), Some(1)), "{written}");
    assert!(written["results"][3]["error"].as_str().unwrap().contains("`value`"), "{written}");
    assert_eq!(scores(&user, "").await.len(), 3);
    // Said again, and one thing otherwise.
    ok(&user, "/api/v1/scores", &body).await;
    ok(&user, "/api/v1/scores", &json!({"id": "two", "name": "quality", "value": 0.3, "trace": bad})).await;
    let found = scores(&user, "?name=quality").await;
    let values: Vec<f64> = found.iter().map(|score| score["value"].as_f64().unwrap()).collect();
    assert_eq!((found.len(), values.contains(&0.3), values.contains(&0.1)), (2, true, false), "{found:?}");

    assert_eq!(traces(&user, "score.quality > 0.5").await, [good.clone()]);
    assert_eq!(traces(&user, "score.tone = kind").await, [good.clone()]);
    assert_eq!(traces(&user, "not score.quality > 0.5 and score.quality exists").await, [bad.clone()]);
    let view = user.get(&format!("/api/v1/traces/{good}")).await.json();
    assert_eq!(view["scores"].as_array().map(Vec::len), Some(2), "{view}");
    let listed = user.get("/api/v1/traces").await.json();
    let entry = listed["items"].as_array().unwrap().iter().find(|trace| trace["trace_id"] == good.as_str()).unwrap();
    assert_eq!(entry["scores"][0], json!({"name": "quality", "count": 1, "mean": 0.9}));
    let measured = user.get("/api/v1/traces/metrics?measures=score.quality.mean,score.quality.count").await.json();
    assert_eq!(measured["rows"][0]["values"]["score.quality.count"], json!(2.0), "{measured}");
    let mean = measured["rows"][0]["values"]["score.quality.mean"].as_f64().unwrap();
    assert!((mean - 0.6).abs() < 1e-9, "{measured}");
    let exported = user.get("/api/v1/traces/export?filter=score.tone%20exists").await;
    assert_eq!(exported.json()["scores"].as_array().map(Vec::len), Some(2), "the only line");

    assert_eq!(delete(&user, "/api/v1/scores/three").await.0, 200);
    assert_eq!(delete(&user, "/api/v1/scores/three").await.1["code"], "score-not-found");
    let alone = user.post("/api/v1/scores", &json!({"name": "quality", "value": 1})).await;
    assert_eq!((alone.status, &alone.json()["code"]), (400, &json!("score-invalid")));
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_and_judgements_become_scores() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let trace = trace_of(3);
    // A sender that repeats itself brings its judgement once.
    for _ in 0..2 {
        ok(&user, "/v1/traces", &export(&trace, Some(0.75))).await;
    }
    for (rating, who) in [(json!("up"), "ada"), (json!("down"), "ada"), (json!("up"), "bob")] {
        ok(&user, "/api/v1/feedback", &json!({"trace": trace, "rating": rating, "user": who, "comment": "well"})).await;
    }
    let found = scores(&user, &format!("?trace={trace}&source=user_feedback")).await;
    let ada = found.iter().find(|score| score["author"] == "ada").unwrap();
    assert_eq!((found.len(), &ada["value"], &ada["name"]), (2, &json!(false), &json!("feedback")), "{found:?}");
    let judged = scores(&user, "?source=evaluation").await;
    assert_eq!((judged.len(), &judged[0]["value"]), (1, &json!(0.75)), "{judged:?}");
    assert_eq!(traces(&user, "score.relevance > 0.7 and score.feedback = false").await, [trace.clone()]);
    let wrong = user.post("/api/v1/feedback", &json!({"trace": trace, "rating": 6})).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("score-invalid")));

    // As Langfuse's client writes them: a list, in words of its own.
    let sent = json!([
        {"id": "lf-1", "traceId": trace, "name": "accuracy", "value": 1.0, "dataType": "BOOLEAN", "environment": "default"},
        {"id": "lf-2", "sessionId": "s-1", "name": "mood", "value": "calm", "timestamp": "2026-01-01T00:00:00+00:00"},
    ]);
    let reply = user.post("/api/public/scores", &sent).await;
    assert_eq!((reply.status, reply.json()), (202, json!({"message": "Accepted"})));
    let mixed = user.post("/api/public/scores", &json!([sent[0], {"name": "x", "value": 1}])).await;
    assert_eq!((mixed.status, mixed.json()["accepted"].as_u64(), mixed.json()["rejected"].as_u64()), (207, Some(1), Some(1)));
    let alone = user.post("/api/public/scores", &sent[1]).await;
    assert_eq!((alone.status, alone.json()), (200, json!({"id": "lf-2"})));
    assert_eq!(scores(&user, "?name=accuracy").await[0]["value"], json!(true));
    assert_eq!(scores(&user, "?session=s-1").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_project_sees_none_and_the_command_line_writes_lists_and_deletes() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path();
    let trace = "5c".repeat(16);
    let added = run(path, &["scores", "add", "helpful", "0.5", "--trace", &trace, "--id", "mine", "--comment", "half"]);
    assert_eq!(added["results"][0]["id"], "mine");
    run(path, &["scores", "add", "kind", "yes", "--trace", &trace]);
    let listed = run(path, &["scores", "list", "--trace", &trace]);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(refused(path, &["scores", "add", "x", "1"])["code"], "score-invalid");
    assert_eq!(run(path, &["scores", "delete", "mine"])["value"], json!(0.5));
    assert_eq!(refused(path, &["scores", "delete", "mine"])["code"], "score-not-found");

    run(path, &["projects", "create", "elsewhere"]);
    let key = run(path, &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let server = Server::start(path, "127.0.0.1");
    let (owner, other) = (User::of(&server, None), User::of(&server, key["secret"].as_str()));
    assert_eq!((scores(&owner, "").await.len(), scores(&other, "").await.len()), (1, 0));
    let id = scores(&owner, "").await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(delete(&other, &format!("/api/v1/scores/{id}")).await.0, 404);
    // The same id in another project is another score.
    ok(&other, "/api/v1/scores", &json!({"id": id, "name": "theirs", "value": 1, "trace": trace})).await;
    assert_eq!(scores(&owner, "").await[0]["name"], "kind");
}
