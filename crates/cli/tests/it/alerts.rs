//! Receivers, silences and incidents, from the command line and over HTTP.

use mainspring_testservers::upstream::{Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, refused, run};

fn receiver(name: &str, url: &str) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": "receiver", "name": name, "spec": {"webhook": {"url": url}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_tried_out_and_a_silence_made_and_ended() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let upstream = Upstream::start(Script::default()).unwrap();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let broken = format!("{}/do/status=503/v1/moderations", upstream.url());
    apply_all(data, &[receiver("ops", &format!("{}/v1/moderations", upstream.url())), receiver("broken", &broken)]);

    let tested = run(data, &["receivers", "test", "ops"]);
    assert_eq!((&tested["arrived"], &tested["status"]), (&json!(true), &json!(200)));
    let seen = upstream.seen();
    assert_eq!(seen[0].json()["type"], "incident.test");
    assert!(seen[0].header("webhook-id").is_some() && seen[0].header("webhook-timestamp").is_some());
    let tested = refused(data, &["receivers", "test", "broken"]);
    assert_eq!((&tested["arrived"], &tested["status"]), (&json!(false), &json!(503)));
    assert_eq!(refused(data, &["receivers", "test", "nobody"])["code"], "receiver-not-found");
    let listed = run(data, &["receivers", "list"]);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!((names, &listed[0]["way"]), (vec!["broken", "ops"], &json!("webhook")));

    let silence = run(data, &["silences", "add", "app=desk", "name=drift-*", "--for", "2h", "-m", "works"]);
    assert_eq!((&silence["matchers"], &silence["active"]), (&json!(["app=desk", "name=drift-*"]), &json!(true)));
    assert_eq!(run(data, &["silences", "list"])["items"][0]["id"], silence["id"]);
    let id = silence["id"].as_str().unwrap();
    assert_eq!(run(data, &["silences", "remove", id])["active"], json!(false));
    assert_eq!(refused(data, &["silences", "remove", id])["code"], "silence-ended");
    assert_eq!(run(data, &["silences", "list"])["items"], json!([]));
    assert_eq!(run(data, &["silences", "list", "--ended"])["items"][0]["comment"], "works");
    assert_eq!(refused(data, &["silences", "add", "app", "--for", "2h"])["code"], "silence-invalid");

    assert_eq!(run(data, &["incidents", "list"])["items"], json!([]));
    assert_eq!(run(data, &["incidents", "deliveries", "--state", "failed"])["items"], json!([]));
    for verb in ["show", "ack", "resolve", "retry"] {
        assert_eq!(refused(data, &["incidents", verb, "inc_0"])["code"], "incident-not-found", "{verb}");
    }
    for wrong in ["incidents?state=shut", "incidents?severity=bad", "deliveries?state=lost"] {
        let reply = user.get(&format!("/api/v1/{wrong}")).await;
        assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("query-invalid")), "{wrong}");
    }
    let audit = run(data, &["audit"]);
    let actions: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"silence.create") && actions.contains(&"silence.end"), "{actions:?}");
}
