//! What receivers are told, and by what they know who tells them.

use mainspring_catalog::Catalog;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Behaviour, Script, Seen, Upstream},
};
use serde_json::Value;

use super::*;
use crate::{DeliveryState, notice::Notice, send::sign};

on_every_engine!(Catalog: [
    a_webhook_is_signed_by_each_secret,
    a_webhook_says_what_is_known,
    slack_is_told_in_its_form,
    pagerduty_has_one_incident_for_each_of_ours,
    a_test_is_sent_at_once,
    a_key_that_is_not_there_is_seen_and_none_is_repeated,
    addresses_of_the_inside_are_refused,
]);

/// The example that Standard Webhooks publishes, whose libraries all pass it.
#[test]
fn signatures_are_those_of_standard_webhooks() {
    let body = r#"{"test": 2432232314}"#;
    let signed = |secret: &str| sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
    let expected = Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned());
    assert_eq!(signed(SECRET), expected);
    assert_eq!(signed("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), expected, "the beginning may be left out");
    for secret in ["", "whsec_", "not base64!", "whsec_ü"] {
        assert_eq!(signed(secret), None, "{secret}");
    }
}

fn only(upstream: &Upstream, name: &str) -> Seen {
    let end = format!("to={name}");
    let mut seen: Vec<Seen> = upstream.seen().into_iter().filter(|seen| seen.path.ends_with(&end)).collect();
    assert_eq!(seen.len(), 1, "{name}");
    seen.remove(0)
}

async fn a_webhook_is_signed_by_each_secret(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    let spec = json!({ "webhook": {
        "url": at(&upstream, "ops", ""), "secret": "env:SECRET", "old_secret": "env:OLD_SECRET", "authorization": "env:BEARER",
    } });
    room.apply("receiver", "ops", spec).await;
    room.hook("plain", &upstream, "").await;
    room.raise("de").await;
    room.deliver().await;
    let seen = only(&upstream, "ops");
    let (id, seconds) = (seen.header("webhook-id").unwrap(), seen.header("webhook-timestamp").unwrap().parse::<i64>().unwrap());
    assert_eq!(seconds, start().as_seconds());
    let body = std::str::from_utf8(&seen.body).unwrap();
    let signatures: Vec<String> = ["env:SECRET", "env:OLD_SECRET"]
        .iter()
        .map(|secret| sign(environment(&secret[4..]).unwrap().to_str().unwrap(), id, seconds, body).unwrap())
        .collect();
    assert_eq!(seen.header("webhook-signature"), Some(signatures.join(" ").as_str()));
    assert_eq!((seen.header("authorization"), seen.header("content-type")), (Some(BEARER), Some("application/json")));
    let plain = only(&upstream, "plain");
    assert_eq!((plain.header("webhook-signature"), plain.header("authorization")), (None, None));
    assert!(plain.header("webhook-id").is_some_and(|id| id.starts_with("dlv_")));
}

async fn a_webhook_says_what_is_known(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.apply("prompt", "answer", json!({ "text": "one" })).await;
    room.hook("ops", &upstream, "").await;
    let id = room.raise("de").await.incident;
    room.deliver().await;
    let body = only(&upstream, "ops").json();
    assert_eq!(body["type"], "incident.opened");
    assert_eq!(Timestamp::parse(body["timestamp"].as_str().unwrap()).unwrap().as_seconds(), start().as_seconds());
    let data = &body["data"];
    assert_eq!((&data["incident"], &data["project"]), (&json!(id.to_string()), &json!("ours")));
    assert_eq!((&data["state"], &data["severity"]), (&json!("open"), &json!("error")));
    assert_eq!((&data["title"], &data["labels"]), (&json!("latency: answers of de are slow"), &json!({ "app": "desk" })));
    assert_eq!(data["page"], format!("https://spring.example/incidents/{id}"));
    let alert = &data["alerts"][0];
    assert_eq!(
        (&alert["name"], &alert["facts"], &alert["traces"]),
        (&json!("latency"), &json!({ "p95": 4.2 }), &json!(["a1b2"]))
    );
    assert_eq!(data["changes"][0]["what"], "prompt/answer: v1 was made");
}

async fn slack_is_told_in_its_form(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    let address = room.file("slack", &at(&upstream, "slack", ""));
    room.apply("receiver", "slack", json!({ "slack": { "url": address } })).await;
    let alert = Alert { summary: "<!channel> a & b".to_owned(), ..room.alert("de") };
    let id = room.alerts.raise(alert).await.unwrap().incident;
    room.deliver().await;
    let body = only(&upstream, "slack").json();
    assert_eq!(body["text"], "[error] latency: &lt;!channel&gt; a &amp; b", "nobody is called by what a model said");
    let attachment = &body["attachments"][0];
    assert_eq!((&attachment["color"], &attachment["fallback"]), (&json!("#e65100"), &body["text"]));
    assert_eq!(attachment["title_link"], format!("https://spring.example/incidents/{id}"));
    let text = attachment["text"].as_str().unwrap();
    assert!(text.contains("app=desk") && text.contains("p95: 4.2") && !text.contains("<!"), "{text}");
}

async fn pagerduty_has_one_incident_for_each_of_ours(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    let spec = json!({ "pagerduty": { "routing_key": "env:ROUTING", "url": at(&upstream, "duty", "status=202") } });
    room.apply("receiver", "duty", spec).await;
    let id = room.raise("de").await.incident;
    room.deliver().await;
    room.alerts.acknowledge(&room.editor, id, "").await.unwrap();
    room.resolve("de").await;
    room.deliver().await;
    let events: Vec<Value> = upstream.seen().iter().map(Seen::json).collect();
    let actions: Vec<&str> = events.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    assert!(events.iter().all(|event| event["dedup_key"] == json!(id.to_string()) && event["routing_key"] == ROUTING));
    let payload = &events[0]["payload"];
    assert_eq!((&payload["summary"], &payload["source"]), (&json!("latency: answers of de are slow"), &json!("ours")));
    assert_eq!(
        (&payload["severity"], &payload["group"], &payload["class"]),
        (&json!("error"), &json!("desk"), &json!("latency"))
    );
    assert_eq!(payload["custom_details"]["alerts"][0]["traces"], json!(["a1b2"]));
    assert!(events[2].get("payload").is_none());
    assert_eq!(room.only_state("duty").await, DeliveryState::Delivered);
}

impl Room {
    /// Of all deliveries to a receiver, where they are all in one.
    async fn only_state(&self, receiver: &str) -> DeliveryState {
        let found = self.deliveries(receiver).await;
        assert!(found.iter().all(|delivery| delivery.state == found[0].state), "{found:#?}");
        found[0].state
    }
}

async fn a_test_is_sent_at_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().then(Behaviour::default()).then(Behaviour::status(500))).unwrap();
    room.hook("ops", &upstream, "").await;
    let ops = "ops".parse().unwrap();
    let tested = room.alerts.test(&room.editor, &ops).await.unwrap();
    assert_eq!((tested.arrived, tested.status, tested.message), (true, Some(200), None));
    let body = only(&upstream, "ops").json();
    assert_eq!((&body["type"], &body["data"]["project"]), (&json!("incident.test"), &json!("ours")));
    let tested = room.alerts.test(&room.editor, &ops).await.unwrap();
    assert_eq!((tested.arrived, tested.status), (false, Some(500)));
    assert_eq!(code(room.alerts.test(&room.reader, &ops).await), "incident-forbidden");
    assert_eq!(code(room.alerts.test(&room.stranger, &ops).await), "receiver-not-found");
    let spec = json!({ "pagerduty": { "routing_key": "env:ROUTING", "url": at(&upstream, "duty", "status=202") } });
    room.apply("receiver", "duty", spec).await;
    assert!(room.alerts.test(&room.editor, &"duty".parse().unwrap()).await.unwrap().arrived);
    let events: Vec<Value> = upstream.seen().iter().filter(|seen| seen.path.ends_with("to=duty")).map(Seen::json).collect();
    assert_eq!((&events[0]["event_action"], &events[1]["event_action"]), (&json!("trigger"), &json!("resolve")));
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"], "nobody is left with an open test");
    assert_eq!(events[0]["payload"]["source"], "ours", "as of what is no test");
    assert!(room.deliveries("ops").await.is_empty() && room.incidents().await.is_empty());
}

async fn a_key_that_is_not_there_is_seen_and_none_is_repeated(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    let hook = |secret: &str| json!({ "webhook": { "url": at(&upstream, "x", ""), "secret": secret } });
    room.apply("receiver", "a", hook("env:NOT_SET")).await;
    room.apply("receiver", "b", hook("env:NO_SECRET")).await;
    let address = room.file("slack", &format!("{}/services/T000/B000/s3cr3tpart", at(&upstream, "c", "status=500")));
    room.apply("receiver", "c", json!({ "slack": { "url": address } })).await;
    let nobody = format!("{}/services/T000/B000/s3cr3tpart", mainspring_testservers::upstream::nobody().unwrap());
    room.apply("receiver", "d", json!({ "slack": { "url": room.file("nobody", &nobody) } })).await;
    room.raise("de").await;
    room.deliver().await;
    let mut errors = Vec::new();
    for receiver in ["a", "b", "c", "d"] {
        let delivery = room.only_delivery(receiver).await;
        assert_eq!(delivery.state, DeliveryState::Pending, "{receiver}: somebody may set it right");
        errors.push(delivery.error.unwrap());
    }
    assert!(errors[0].contains("no variable `NOT_SET`"), "{errors:?}");
    assert!(errors[1].contains("`env:NO_SECRET` holds is no secret in base64"), "{errors:?}");
    assert!(errors.iter().all(|error| !error.contains("s3cr3tpart") && !error.contains("not base64!")), "{errors:?}");
    assert_eq!(upstream.seen().len(), 1, "nothing goes out unsigned that is to be signed");
}

async fn addresses_of_the_inside_are_refused(catalog: Catalog) {
    let room = Room::with(catalog, SocketConfig::default()).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("http", &upstream, "").await;
    let email = json!({ "host": "127.0.0.1", "port": 25, "security": "none", "from": "a@example.com", "to": ["b@example.com"] });
    room.apply("receiver", "mail", json!({ "email": email })).await;
    room.raise("de").await;
    room.deliver().await;
    for receiver in ["http", "mail"] {
        let error = room.only_delivery(receiver).await.error.unwrap();
        assert!(error.contains("is an address of the inside"), "{error}");
    }
    assert_eq!(upstream.count(), 0);
}

/// Deliveries that an older version has written are read by this one.
#[test]
fn a_notice_of_the_first_form_is_read() {
    let written = r##"{"v":1,"what":"opened","at":"2026-01-02T03:04:05.000000Z","project":"ours","incident":"inc_1","state":"open",
        "severity":"critical","title":"t","labels":{"app":"desk"},"opened_at":"2026-01-02T03:04:05.000000Z","firing":1,
        "alerts":[{"name":"n","severity":"critical","summary":"s","labels":{},"facts":{"p95":4},"traces":["a"],"firing":true,
        "began_at":"2026-01-02T03:04:05.000000Z"}],"changes":[{"what":"w","at":"2026-01-02T03:04:05.000000Z"}],"later":"more"}"##;
    let notice: Notice = serde_json::from_str(written).unwrap();
    assert_eq!((notice.v, notice.page.as_deref(), notice.alerts.len()), (1, None, 1));
    let again: Notice = serde_json::from_str(&serde_json::to_string(&notice).unwrap()).unwrap();
    assert_eq!(again, notice);
}
