//! A server that goes away while a run is followed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mainspring_client::{BodyStream, Client, ClientFault, Transport};
use serde_json::{Value, json};

use crate::{
    commands::{Session, following::follow},
    report,
};

const RUN: &str = "run_0198c0de";

/// What one request is answered with.
type Script = Result<(u16, Vec<Result<Bytes, ClientFault>>), ClientFault>;

#[derive(Debug)]
struct Leaving(Mutex<VecDeque<Script>>, Mutex<Vec<String>>);

#[async_trait]
impl Transport for Leaving {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        self.1.lock().unwrap().push(request.uri().to_string());
        let (status, parts) = self.0.lock().unwrap().pop_front().expect("asked more often than scripted")?;
        let body: BodyStream = Box::pin(futures::stream::iter(parts));
        Ok(Response::builder().status(status).body(body).unwrap())
    }

    async fn send_stream(&self, _: Request<BodyStream>) -> Result<Response<BodyStream>, ClientFault> {
        Err(ClientFault::Broken { reason: "nobody uploads to it".to_owned() })
    }
}

fn view(status: &str) -> Value {
    json!({"id": RUN, "kind": "ingest", "knowledge": "notes", "status": status})
}

fn event(status: &str) -> Result<Bytes, ClientFault> {
    Ok(Bytes::from(format!("event: run\ndata: {}\n\n", view(status))))
}

fn away() -> ClientFault {
    ClientFault::Unreachable { url: "http://127.0.0.1:7400".to_owned(), reason: "connection refused".to_owned() }
}

/// How the command ends, and what it asked for.
async fn followed(script: Vec<Script>) -> (anyhow::Result<String>, Vec<String>) {
    let server = Arc::new(Leaving(Mutex::new(script.into()), Mutex::default()));
    let session = Session { client: Client::new(server.clone()), url: None, json: true };
    let ended = follow(&session, "notes", RUN).await.map(|run| run.status);
    assert!(server.0.lock().unwrap().is_empty(), "{ended:?}");
    let asked = server.1.lock().unwrap().clone();
    (ended, asked)
}

#[tokio::test]
async fn whoever_loses_sight_of_a_run_is_told_its_id_and_how_to_follow_it_again() {
    let answered = |text: Value| Ok((200, vec![Ok(Bytes::from(text.to_string()))]));
    let broken = || Err(ClientFault::Broken { reason: "connection reset".to_owned() });
    let scripts: [(&str, Vec<Script>); 4] = [
        ("in the middle of a stream", vec![Ok((200, vec![event("running"), broken()]))]),
        ("before it is followed", vec![Err(away())]),
        ("behind a proxy", vec![Ok((502, vec![Ok(Bytes::from_static(b"<html>"))]))]),
        ("as it stops", vec![Ok((200, vec![event("running")])), answered(view("running")), Err(away())]),
    ];
    for (when, script) in scripts {
        let (ended, _) = followed(script).await;
        let told = report::value(&ended.unwrap_err());
        assert_eq!(told["code"], "ingest-not-followed", "{when}: {told}");
        let hint = told["hint"].as_str().unwrap();
        assert!(hint.contains(RUN) && hint.contains("`mainspring ingest notes`"), "{when}: {told}");
        assert!(told["error"].as_str().unwrap().starts_with("the ingestion of `notes` cannot be followed"), "{when}: {told}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_run_is_opened_again() {
    let script: Vec<Script> = vec![
        Ok((200, vec![event("running")])),
        Ok((200, vec![Ok(Bytes::from(view("running").to_string()))])),
        Ok((200, vec![event("running"), event("succeeded")])),
    ];
    let (ended, asked) = followed(script).await;
    let (run, events) = (format!("/api/v1/runs/{RUN}"), format!("/api/v1/runs/{RUN}/events"));
    assert_eq!((ended.unwrap().as_str(), asked), ("succeeded", vec![events.clone(), run, events]));
}

#[tokio::test]
async fn what_is_refused_is_not_taken_for_a_server_that_went_away() {
    let refusal = json!({"code": "run-not-found", "detail": "there is no such run", "status": 404});
    let (ended, _) = followed(vec![Ok((404, vec![Ok(Bytes::from(refusal.to_string()))]))]).await;
    let told = report::value(&ended.unwrap_err());
    assert_eq!((&told["code"], &told["hint"]), (&json!("run-not-found"), &Value::Null), "{told}");
}
