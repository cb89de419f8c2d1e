//! Answers that are made while their client is away: paid once, with what they used, whoever comes back for them.

use std::time::Duration;

use futures::StreamExt;
use http::{HeaderMap, Method};
use mainspring_catalog::Catalog;
use mainspring_kernel::{Fault, FaultKind, Money, PageRequest};
use mainspring_llm::{Budget, Models};
use mainspring_providers::{About, SocketConfig};
use mainspring_testservers::{
    postgres::Postgres,
    upstream::{Behaviour, Script, Upstream},
};
use serde_json::{Value, json};

use super::room::{Room, Scripted, cost, keeper, upstream};
use crate::{Answered, Body, CallRecord, CallStatus, Gateway, KeptBody, KeptRequest, Live, ledger::CallFilter};

async fn room(server: &Upstream) -> Room {
    with_route(Room::open().await, server).await
}

async fn with_route(room: Room, server: &Upstream) -> Room {
    let targets = json!({"targets": [{"provider": "main", "model": "a"}]});
    room.apply(&[("provider", "main", keeper(server)), ("route", "assistant", targets)]).await;
    room
}

fn away(stream: bool) -> Value {
    json!({"model": "assistant", "input": "think hard", "background": true, "stream": stream, "max_output_tokens": 1000})
}

impl Room {
    async fn begin(&self, stream: bool) -> Answered {
        self.gateway.call(self.response(&away(stream))).await.unwrap()
    }

    /// What a client is told who comes back.
    async fn come_back(&self, response: &str, about: About) -> Value {
        self.come_back_to(&self.gateway, response, about).await
    }

    /// The same of one of several processes.
    async fn come_back_to(&self, gateway: &Gateway, response: &str, about: About) -> Value {
        let maker = gateway.made_by(self.project, response).await.unwrap().expect("it was made here");
        let request = KeptRequest {
            project: self.project,
            response: response.to_owned(),
            about,
            query: None,
            headers: HeaderMap::new(),
            trace: self.trace(),
            budget: Budget::of(Duration::from_secs(60)),
        };
        match gateway.about(request, &maker).await.unwrap().body {
            KeptBody::Whole(body) => serde_json::from_slice(&body).unwrap(),
            KeptBody::Events(_) => panic!("nobody asked for a stream"),
        }
    }
}

fn whole(body: Body) -> Value {
    let Body::Bytes(bytes) = body else { panic!("{body:?}") };
    serde_json::from_slice(&bytes).unwrap()
}

#[track_caller]
fn used(record: &CallRecord) {
    assert_eq!((record.status, record.usage.input, record.usage.output), (CallStatus::Ok, 12, 8));
    assert_eq!((record.cost, record.response.as_deref(), record.charges.len()), (cost(12, 8), Some("resp_0"), 0));
    assert_eq!((record.provider.as_deref(), record.target.as_deref(), record.attempts), (Some("main"), Some("a"), 1));
}

#[tokio::test]
async fn what_it_used_is_paid_once_when_it_is_there() {
    let server = upstream(Script::default());
    let mut room = room(&server).await;
    let answered = room.begin(false).await;
    assert_eq!((answered.cost, answered.usage, answered.spent.cost()), (None, None, None));
    assert_eq!(whole(answered.body)["status"], json!("queued"));
    assert!(room.none_settled(), "nobody knows yet");
    let open = room.gateway.ledger().open_calls(&room.admin()).unwrap();
    assert_eq!((open.len(), open[0].response.as_deref(), room.gateway.ledger().under_way()), (1, Some("resp_0"), 1));
    assert!(open[0].cost > cost(12, 8), "what was set aside stays so");
    let mut last = room.come_back("resp_0", About::Read).await;
    while last["status"] != json!("completed") {
        last = room.come_back("resp_0", About::Read).await;
    }
    assert_eq!(last["usage"]["output_tokens"], json!(8));
    used(&room.settled_once().await);
    room.come_back("resp_0", About::Read).await;
    assert_eq!(room.come_back("resp_0", About::Delete).await["deleted"], json!(true));
    room.gateway.ledger().flush().await.unwrap();
    let (all, page) = (CallFilter::default(), PageRequest::first(9));
    let calls = room.gateway.ledger().calls(&room.admin(), &all, &page).await.unwrap();
    assert_eq!(calls.items.len(), 1, "reading it costs nothing, however often");
    assert_eq!(room.gateway.ledger().under_way(), 0);
}

#[tokio::test]
async fn it_is_paid_also_where_nobody_comes_back() {
    let server = upstream(Script::default());
    let mut room = room(&server).await;
    let Body::Chunks(mut chunks) = room.begin(true).await.body else { panic!("no stream") };
    chunks.next().await.unwrap().unwrap();
    // A client that hangs up does not end it.
    drop(chunks);
    assert!(room.none_settled());
    used(&room.settled_once().await);
    assert!(server.seen().iter().skip(1).all(|seen| seen.path.ends_with("/responses/resp_0")));
}

#[tokio::test]
async fn the_next_process_goes_on_waiting() {
    let server = upstream(Script::default());
    let mut room = room(&server).await;
    room.begin(false).await;
    room.restart().await;
    let open = room.gateway.ledger().open_calls(&room.admin()).unwrap();
    assert_eq!((open.len(), room.none_settled()), (1, true), "it did not end with its process");
    assert_eq!(room.gateway.made_by(room.project, "resp_0").await.unwrap().unwrap().provider, "main");
    used(&room.settled_once().await);
}

#[tokio::test]
async fn how_it_ended_says_what_it_costs() {
    let usage = json!({"input_tokens": 5, "output_tokens": 3, "total_tokens": 8});
    let output = json!([{"type": "message", "content": [{"type": "output_text", "text": "one two three"}]}]);
    for (status, usage, output, ended, paid) in [
        ("completed", usage.clone(), output.clone(), CallStatus::Ok, Some(cost(5, 3))),
        ("incomplete", usage.clone(), output.clone(), CallStatus::Ok, Some(cost(5, 3))),
        ("cancelled", usage, json!([]), CallStatus::Cancelled, Some(cost(5, 3))),
        ("failed", Value::Null, json!([]), CallStatus::Failed, Some(Money::ZERO)),
        // The sum alone: what is seen of the answer is taken out of it.
        ("completed", json!({"total_tokens": 20}), output.clone(), CallStatus::Ok, Some(cost(17, 3))),
        // Nobody says: what was asked, and what is seen of the answer.
        ("completed", Value::Null, output, CallStatus::Ok, None),
    ] {
        let made = |status: &str, usage: &Value, output: &Value| {
            let response = json!({"id": "resp_x", "object": "response", "status": status, "usage": usage, "output": output});
            Behaviour { body: Some(response.to_string()), ..Behaviour::default() }
        };
        let queued = made("queued", &Value::Null, &json!([]));
        let server = upstream(Script::always(made(status, &usage, &output)).then(queued));
        let mut room = room(&server).await;
        room.begin(false).await;
        room.come_back("resp_x", About::Read).await;
        let record = room.settled_once().await;
        assert_eq!(record.status, ended, "{status}");
        match paid {
            Some(paid) => assert_eq!(record.cost, paid, "{status} {usage}"),
            None => assert!(record.usage.input > 0 && record.usage.output > 0 && !record.cost.is_zero(), "{record:?}"),
        }
    }
}

#[tokio::test]
async fn one_that_says_not_what_it_used_costs_what_is_seen_of_it_and_broken_no_more_than_was_set_aside() {
    let text = "word ".repeat(5_000);
    let output = json!([{"type": "message", "content": [{"type": "output_text", "text": text}]}]);
    for (status, ended, written) in
        [("completed", CallStatus::Ok, 5_000), ("incomplete", CallStatus::Ok, 5_000), ("failed", CallStatus::Failed, 1_000)]
    {
        let made = |status: &str, output: &Value| {
            let response = json!({"id": "resp_x", "object": "response", "status": status, "output": output});
            Behaviour { body: Some(response.to_string()), ..Behaviour::default() }
        };
        let server = upstream(Script::always(made(status, &output)).then(made("queued", &json!([]))));
        let mut room = room(&server).await;
        room.begin(false).await;
        room.come_back("resp_x", About::Read).await;
        let record = room.settled_once().await;
        assert_eq!((record.status, record.usage.output), (ended, written), "{status}");
    }
}

#[tokio::test]
async fn one_that_its_provider_has_lost_costs_what_was_set_aside() {
    let server = upstream(Script::default());
    let mut room = room(&server).await;
    room.begin(false).await;
    let set_aside = room.gateway.ledger().open_calls(&room.admin()).unwrap()[0].cost;
    server.script(Script::always(Behaviour::status(404)));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Interrupted, set_aside));
    assert!(!set_aside.is_zero());
}

fn body(status: &str, usage: &Value) -> Behaviour {
    let response = json!({"id": "resp_x", "object": "response", "status": status, "usage": usage, "output": []});
    Behaviour { body: Some(response.to_string()), ..Behaviour::default() }
}

#[tokio::test]
async fn deleted_through_another_process_it_costs_what_it_used() {
    let usage = json!({"input_tokens": 5, "output_tokens": 3, "total_tokens": 8});
    let server = upstream(Script::always(body("in_progress", &Value::Null)));
    let mut room = room(&server).await;
    let (neighbour, _journal) = room.neighbour().await;
    room.begin(false).await;
    // From here on only the neighbour asks.
    room.stop().await;
    let before = server.seen().len();
    server.script(Script::always(body("completed", &usage)));
    room.come_back_to(&neighbour, "resp_x", About::Delete).await;
    let sent: Vec<Method> = server.seen().into_iter().skip(before).map(|seen| seen.method).collect();
    assert_eq!(sent, [Method::GET, Method::DELETE], "it was asked before");
    // And from here on nobody can any more.
    server.script(Script::always(Behaviour::status(404)));
    room.restart().await;
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(5, 3)));
    neighbour.ledger().flush().await.unwrap();
    room.gateway.ledger().flush().await.unwrap();
    let (all, page) = (CallFilter::default(), PageRequest::first(9));
    assert_eq!(room.gateway.ledger().calls(&room.admin(), &all, &page).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn one_that_goes_on_is_ended_before_it_is_deleted() {
    for elsewhere in [false, true] {
        let server = upstream(Script::default());
        let mut room = room(&server).await;
        let (neighbour, _journal) = room.neighbour().await;
        room.begin(false).await;
        let set_aside = room.gateway.ledger().open_calls(&room.admin()).unwrap()[0].cost;
        let gateway = if elsewhere { neighbour } else { room.gateway.clone() };
        assert_eq!(room.come_back_to(&gateway, "resp_0", About::Delete).await["deleted"], json!(true));
        let record = room.settled_once().await;
        // Who asked for it when it was nearly done was told that it is.
        assert!(matches!(record.status, CallStatus::Cancelled | CallStatus::Ok), "elsewhere: {elsewhere}: {record:?}");
        assert!(!record.cost.is_zero() && record.cost < set_aside, "elsewhere: {elsewhere}: {record:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_goes_on_for_one_that_is_gone_for_good() {
    let postgres = Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));
    let catalog = Catalog::open(&postgres.new_database().unwrap()).await.unwrap();
    let server = upstream(Script::always(body("in_progress", &Value::Null)));
    let socket = SocketConfig { allow_private: true, ..SocketConfig::default() };
    let mut room = with_route(Room::over(catalog, Models::default(), socket).await, &server).await;
    let (neighbour, _journal) = room.neighbour().await;
    let mut live = neighbour.live();
    room.begin(false).await;
    room.stop().await;
    assert!(room.none_settled());
    let usage = json!({"input_tokens": 5, "output_tokens": 3, "total_tokens": 8});
    server.script(Script::always(body("completed", &usage)));
    room.clock.advance(Duration::from_secs(61));
    neighbour.adopt().await.unwrap();
    let record = loop {
        let told = tokio::time::timeout(Duration::from_secs(60), live.recv()).await.expect("it is settled").unwrap();
        if let Live::Settled(record) = told {
            break *record;
        }
    };
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(5, 3)));
    // Should it come back it has nothing left to wait for.
    room.restart().await;
    assert_eq!(room.gateway.ledger().under_way(), 0);
    neighbour.ledger().flush().await.unwrap();
    let (all, page) = (CallFilter::default(), PageRequest::first(9));
    let calls = room.gateway.ledger().calls(&room.admin(), &all, &page).await.unwrap().items;
    assert_eq!((calls.len(), calls[0].cost), (1, cost(5, 3)), "paid once");
    room.stop().await;
}

impl Room {
    /// Another process waits for all of them from here on: this one was cut off, and does not know.
    async fn cut_off(&self) {
        const TAKEN: &str = "UPDATE background_call SET owner = 'another' RETURNING id";
        assert_eq!(self.catalog().write(TAKEN, Vec::new()).await.unwrap().len(), 1);
    }

    /// Until no call is under way here.
    async fn idle(&self) {
        let idle = async {
            while self.gateway.ledger().under_way() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), idle).await.expect("nothing is under way");
    }
}

#[tokio::test]
async fn one_that_another_process_has_settled_is_not_told_here() {
    let server = upstream(Script::always(body("in_progress", &Value::Null)));
    let mut room = room(&server).await;
    room.begin(false).await;
    room.cut_off().await;
    let usage = json!({"input_tokens": 5, "output_tokens": 3, "total_tokens": 8});
    server.script(Script::always(body("completed", &usage)));
    room.come_back("resp_x", About::Read).await;
    room.idle().await;
    room.gateway.ledger().flush().await.unwrap();
    server.script(Script::default());
    // Whoever waited for the word of the catalog has heard it by the time the next call is told.
    room.ask("main/a").await.unwrap();
    let told = room.settled_once().await;
    assert_eq!((told.model.as_str(), told.response), ("main/a", None), "the other one tells of it");
    room.gateway.publish();
    assert!(!room.metrics.render().contains("mainspring_gateway_calls_total{operation=\"responses\""), "and counts it");
}

#[tokio::test]
async fn one_that_another_process_has_taken_over_is_not_under_way_here() {
    let server = upstream(Script::always(body("in_progress", &Value::Null)));
    let mut room = room(&server).await;
    room.begin(false).await;
    room.gateway.adopt().await.unwrap();
    assert_eq!(room.gateway.ledger().under_way(), 1, "it is its own");
    room.cut_off().await;
    room.gateway.adopt().await.unwrap();
    room.idle().await;
    assert!(room.gateway.ledger().open_calls(&room.admin()).unwrap().is_empty());
    assert_eq!((room.none_settled(), room.gateway.ledger().waiting()), (true, 0), "it did not end");
}

#[tokio::test]
async fn who_cannot_make_one_says_so_and_is_paid_nothing() {
    let models = Models::default().with_chat(std::sync::Arc::new(Scripted { name: "tiny", words: vec!["x"] }));
    let room = Room::with(models, SocketConfig { allow_private: true, ..SocketConfig::default() }).await;
    let server = upstream(Script::default());
    room.apply(&[("provider", "main", keeper(&server))]).await;
    let mut to_ours = away(false);
    to_ours["model"] = json!("tiny");
    let fault = room.gateway.call(room.response(&to_ours)).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("upstream-unsupported", FaultKind::Invalid), "{fault}");
    let mut in_batch = away(false);
    in_batch["model"] = json!("main/a");
    let at_its_prices = crate::Request { batch: true, ..room.response(&in_batch) };
    let caller = crate::Caller { line_of: Some(mainspring_kernel::id::BatchId::from_raw(1)), ..room.caller() };
    for request in [at_its_prices, crate::Request { caller, ..room.response(&in_batch) }] {
        let fault = room.gateway.call(request).await.unwrap_err();
        assert_eq!((fault.code(), server.count()), ("gateway-bad-request", 0), "{fault}");
    }
    // Another endpoint has no such field: what it makes of it is the provider's.
    let mut chat = super::room::chat("main/a", false);
    chat["background"] = json!(true);
    room.gateway.call(room.request(&chat)).await.unwrap();
}
