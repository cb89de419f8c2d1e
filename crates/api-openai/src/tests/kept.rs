//! Responses that were made before: read, cancelled and deleted where they were made, by whoever's project made them.

use mainspring_catalog::params;
use mainspring_gateway::CallStatus;
use mainspring_kernel::{Digest, PageRequest, id::ProjectId};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::{
    surface::{Sent, Surface, settled},
    walks::{upstream, with},
};

const PATH: &str = "/v1/responses";

/// A route over one account, and another account beside it.
async fn surface(one: &Upstream, two: &Upstream) -> Surface {
    let surface = Surface::open().await;
    let place = |server: &Upstream| json!({"type": "azure", "base_url": format!("{}/openai/v1", server.url())});
    surface
        .apply(&[
            ("provider", "one", place(one)),
            ("provider", "two", place(two)),
            ("route", "assistant", json!({"targets": [{"provider": "one", "model": "big"}]})),
        ])
        .await;
    surface
}

impl Surface {
    /// A response that was made of this model; answers its name.
    async fn made(&self, model: &str, more: &Value) -> String {
        let sent = self.post(PATH, &with(json!({"model": model, "input": "Hello."}), more)).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        sent.json()["id"].as_str().unwrap().to_owned()
    }

    /// All that can be asked about a response.
    async fn asked_about(&self, response: &str) -> [Sent; 4] {
        let path = format!("{PATH}/{response}");
        [
            self.get(&path, &[]).await,
            self.get(&format!("{path}/input_items?limit=5"), &[]).await,
            self.send(&format!("{path}/cancel"), &[], "").await,
            self.delete(&path).await,
        ]
    }
}

#[track_caller]
fn not_kept(sent: &Sent, response: &str) {
    let error = sent.json()["error"].clone();
    assert_eq!((sent.status, &error["code"]), (404, &json!("response-not-kept")), "{}", sent.text);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(response) && message.contains("`input`"), "{message}");
}

#[tokio::test]
async fn each_is_asked_of_whoever_made_it() {
    let (one, two) = (upstream(Behaviour::saying("From one.")), upstream(Behaviour::saying("From two.")));
    let surface = surface(&one, &two).await;
    // The second account counts one further, so that the names differ.
    surface.made("two/big", &json!({"store": false})).await;
    let by_one = surface.made("assistant", &json!({})).await;
    let by_two = surface.made("two/big", &json!({"store": true})).await;
    for (response, server, provider, text) in [(&by_one, &one, "one", "From one."), (&by_two, &two, "two", "From two.")] {
        let before = server.count();
        let [read, items, cancelled, deleted] = surface.asked_about(response).await;
        assert_eq!((read.status, &read.json()["id"]), (200, &json!(response)), "{}", read.text);
        assert_eq!(read.json()["output"][0]["content"][0]["text"], json!(text));
        assert_eq!(
            (read.header("x-mainspring-provider"), read.header("content-type")),
            (Some(provider), Some("application/json"))
        );
        assert!(read.header("x-mainspring-trace-id").is_some() && read.header("x-mainspring-cost").is_none());
        assert_eq!(items.json()["data"][0]["content"][0]["text"], json!("Hello."));
        // In the provider's own words, with its status.
        assert_eq!(cancelled.status, 400, "{}", cancelled.text);
        assert!(cancelled.json()["error"]["message"].as_str().unwrap().contains("synchronous"), "{}", cancelled.text);
        assert_eq!((deleted.status, &deleted.json()["deleted"]), (200, &json!(true)), "{}", deleted.text);
        let gone = surface.get(&format!("{PATH}/{response}"), &[]).await;
        assert_eq!(gone.status, 404);
        assert!(gone.json()["error"]["message"].as_str().unwrap().contains("not found"), "{}", gone.text);
        let seen: Vec<String> =
            server.seen().iter().skip(before as usize).map(|seen| format!("{} {}", seen.method, seen.path)).collect();
        let at = format!("/openai/v1/responses/{response}");
        let items = format!("GET {at}/input_items?limit=5");
        assert_eq!(seen, [format!("GET {at}"), items, format!("POST {at}/cancel"), format!("DELETE {at}"), format!("GET {at}")]);
    }
    let ledger = surface.openai.gateway.ledger();
    ledger.flush().await.unwrap();
    let calls = ledger.calls(&surface.actor, &Default::default(), &PageRequest::first(20)).await.unwrap();
    assert_eq!(calls.items.len(), 3, "nobody pays for asking");
}

#[tokio::test]
async fn nobody_is_asked_for_what_another_project_made_or_nobody_keeps() {
    let (one, two) = (upstream(Behaviour::default()), upstream(Behaviour::default()));
    let mut surface = surface(&one, &two).await;
    // The first account counts one further, so that the names differ.
    surface.made("one/big", &json!({"store": false})).await;
    let ours = surface.made("one/big", &json!({})).await;
    let unkept = surface.made("two/big", &json!({"store": false})).await;
    for response in [unkept.as_str(), "resp_of_nobody", "chatcmpl-1"] {
        for sent in surface.asked_about(response).await {
            not_kept(&sent, response);
        }
    }
    surface.actor.project = ProjectId::from_raw(77);
    for sent in surface.asked_about(&ours).await {
        not_kept(&sent, &ours);
    }
    assert!(one.seen().iter().chain(&two.seen()).all(|seen| seen.method == "POST" && seen.path.ends_with("/responses")));
}

#[tokio::test]
async fn a_key_for_some_models_is_let_at_what_those_made() {
    let (one, two) = (upstream(Behaviour::default()), upstream(Behaviour::default()));
    let surface = surface(&one, &two).await;
    let made = surface.made("assistant", &json!({})).await;
    let path = format!("{PATH}/{made}");
    let surface = surface.with_key_for(&["other"]);
    let refused = surface.get(&path, &[]).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!("model-not-allowed")), "{}", refused.text);
    assert_eq!(one.count(), 1);
    let surface = surface.with_key_for(&["assistant"]);
    assert_eq!(surface.get(&path, &[]).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_is_gone_is_named_with_what_to_do() {
    const ROW: &str = "INSERT INTO response_maker (project, response, account, made, model, route, provider, target) \
        VALUES ($1, 'resp_1', $2, 1700000000000000, 'assistant', '', 'elsewhere', 'big')";
    let (one, two) = (upstream(Behaviour::default()), upstream(Behaviour::default()));
    let surface = surface(&one, &two).await;
    surface.catalog.write(ROW, params![surface.actor.project, Digest::of(b"elsewhere")]).await.unwrap();
    for sent in surface.asked_about("resp_1").await {
        let error = sent.json()["error"].clone();
        assert_eq!((sent.status, &error["code"]), (404, &json!("response-maker-gone")), "{}", sent.text);
        assert!(error["message"].as_str().unwrap().contains("apply a provider `elsewhere`"), "{error}");
    }
}

#[tokio::test]
async fn a_stream_is_taken_up_where_it_was_left() {
    let (one, two) = (upstream(Behaviour::default()), upstream(Behaviour::default()));
    let surface = surface(&one, &two).await;
    let made = surface.made("one/big", &json!({})).await;
    let event = |kind: &str, number: u32| {
        let data = json!({"type": kind, "sequence_number": number, "response": {"id": made}});
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let rest = [event("response.output_text.done", 4), event("response.completed", 5)].concat();
    let streams = Behaviour { body: Some(rest.clone()), ..Behaviour::default() }.header("content-type", "text/event-stream");
    one.script(Script::always(streams));
    let sent = surface.get(&format!("{PATH}/{made}?stream=true&starting_after=3"), &[]).await;
    assert_eq!((sent.status, sent.text.as_str()), (200, rest.as_str()));
    assert!(sent.header("content-type").unwrap().starts_with("text/event-stream"), "{:?}", sent.headers);
    let seen = one.seen();
    assert!(seen.last().unwrap().path.ends_with("?stream=true&starting_after=3"), "{}", seen.last().unwrap().path);
}

#[tokio::test]
async fn in_the_background_it_is_polled_until_it_is_there_and_paid_once() {
    let (one, two) = (upstream(Behaviour::saying("At last.")), upstream(Behaviour::default()));
    let surface = surface(&one, &two).await;
    let mut live = surface.openai.gateway.live();
    let sent = surface.post(PATH, &json!({"model": "assistant", "input": "Think.", "background": true})).await;
    let begun = sent.json();
    assert_eq!((sent.status, &begun["status"], &begun["usage"]), (200, &json!("queued"), &Value::Null), "{}", sent.text);
    assert_eq!(sent.header("x-mainspring-cost"), None, "nobody knows yet");
    let path = format!("{PATH}/{}", begun["id"].as_str().unwrap());
    let mut now = begun;
    while now["status"] == "queued" || now["status"] == "in_progress" {
        now = surface.get(&path, &[]).await.json();
    }
    assert_eq!((&now["status"], &now["output"][0]["content"][0]["text"]), (&json!("completed"), &json!("At last.")));
    let record = settled(&mut live).await;
    assert_eq!((record.status, record.usage.input, record.usage.output), (CallStatus::Ok, 12, 8));
    assert_eq!((record.model.as_str(), record.provider.as_deref()), ("assistant", Some("one")));
    // One that is cancelled ends with what it had used.
    let other = surface.made("assistant", &json!({"background": true})).await;
    let cancelled = surface.send(&format!("{PATH}/{other}/cancel"), &[], "").await.json();
    assert_eq!(cancelled["status"], json!("cancelled"));
    assert_eq!(settled(&mut live).await.status, CallStatus::Cancelled);
}
