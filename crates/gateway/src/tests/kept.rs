//! Who made which response, for those who come back for one.

use std::time::Duration;

use mainspring_catalog::params;
use mainspring_kernel::{Fault, FaultKind, id::ProjectId};
use mainspring_llm::Budget;
use mainspring_providers::{About, ProviderSpec, openai};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::room::{Room, drain, keeper, provider, upstream};
use crate::{Body, GatewayFault, KeptBody, KeptRequest, Maker, Reading, Request};

/// Two accounts.
async fn room(one: &Upstream, two: &Upstream) -> Room {
    let room = Room::open().await;
    let targets = json!([{"provider": "one", "model": "m"}, {"provider": "two", "model": "m"}]);
    room.apply(&[
        ("provider", "one", keeper(one)),
        ("provider", "two", keeper(two)),
        ("provider", "plain", provider(one)),
        ("route", "assistant", json!({"targets": targets})),
    ])
    .await;
    room
}

impl Room {
    /// Has a server make a response of this name.
    async fn make(&self, (server, response): (&Upstream, &str), model: &str, more: &Value) {
        let made = json!({"id": response, "object": "response", "status": "completed", "output": []});
        let mut body = json!({"model": model, "input": "hello"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let events = ["response.created", "response.completed"].map(|kind| {
            let data = json!({"type": kind, "response": made});
            format!("event: {kind}\ndata: {data}\n\n")
        });
        let said = if body["stream"] == json!(true) { events.concat() } else { made.to_string() };
        server.script(Script::default().then(Behaviour { body: Some(said), ..Behaviour::default() }));
        let text = drain(self.gateway.call(self.response(&body)).await.unwrap().body).await.0;
        assert!(text.contains(response), "{text}");
    }

    fn asks_about(&self, response: &str) -> KeptRequest {
        KeptRequest {
            project: self.project,
            response: response.to_owned(),
            about: About::Read,
            query: None,
            headers: http::HeaderMap::new(),
            trace: self.trace(),
            budget: Budget::of(Duration::from_secs(60)),
        }
    }
}

fn read(body: &[u8]) -> Result<Reading, GatewayFault> {
    let call = openai::responses::read(body).map_err(|fault| GatewayFault::invalid("body", fault.to_string()))?;
    Ok(Reading::Chat(Box::new(call)))
}

/// `place` is the provider's spec.
fn maker(model: &str, provider: &str, place: &Value) -> Maker {
    let spec: ProviderSpec = serde_json::from_value(place.clone()).unwrap();
    let account = spec.account();
    Maker { model: model.to_owned(), route: None, provider: provider.to_owned(), target: "m".to_owned(), account }
}

#[tokio::test]
async fn whoever_made_a_response_is_known_to_its_project_in_every_process_and_after_a_restart() {
    let (one, two) = (upstream(Script::default()), upstream(Script::default()));
    let mut room = room(&one, &two).await;
    let (neighbour, _journal) = room.neighbour().await;
    room.make((&one, "resp_one"), "one/m", &json!({"store": true})).await;
    room.make((&two, "resp_two"), "two/m", &json!({"stream": true})).await;
    let (by_one, by_two) = (maker("one/m", "one", &keeper(&one)), maker("two/m", "two", &keeper(&two)));
    for gateway in [&room.gateway, &neighbour] {
        assert_eq!(gateway.made_by(room.project, "resp_one").await.unwrap().as_ref(), Some(&by_one));
        assert_eq!(gateway.made_by(room.project, "resp_two").await.unwrap().as_ref(), Some(&by_two));
        assert_eq!(gateway.made_by(ProjectId::from_raw(9), "resp_two").await.unwrap(), None, "it is another's");
        for odd in ["resp_three", "", "..", "resp_one/cancel", "resp_\0"] {
            assert_eq!(gateway.made_by(room.project, odd).await.unwrap(), None, "{odd:?}");
        }
    }
    room.restart().await;
    assert_eq!(room.gateway.made_by(room.project, "resp_two").await.unwrap(), Some(by_two));
    // Who never made anything here asks who did, and not whose turn it is.
    for _ in 0..8 {
        for (previous, server) in [("resp_one", &one), ("resp_two", &two)] {
            let before = server.count();
            let body = json!({"model": "assistant", "input": "go on", "previous_response_id": previous});
            neighbour.call(room.response(&body)).await.unwrap();
            assert_eq!(server.count(), before + 1, "{previous}");
        }
    }
}

#[tokio::test]
async fn by_a_route_it_is_known_under_the_name_that_its_client_used() {
    let server = upstream(Script::default());
    let room = Room::open().await;
    let route = json!({"targets": [{"provider": "one", "model": "m"}], "models": ["gpt-*"]});
    room.apply(&[("provider", "one", keeper(&server)), ("route", "assistant", route)]).await;
    room.make((&server, "resp_1"), "gpt-9", &json!({})).await;
    let known = room.gateway.made_by(room.project, "resp_1").await.unwrap();
    assert_eq!(known, Some(Maker { route: Some("assistant".to_owned()), ..maker("gpt-9", "one", &keeper(&server)) }));
}

#[tokio::test]
async fn what_nobody_keeps_is_not_written_down() {
    let (one, two) = (upstream(Script::default()), upstream(Script::default()));
    let room = room(&one, &two).await;
    room.make((&one, "resp_1"), "one/m", &json!({"store": false})).await;
    assert_eq!(room.gateway.made_by(room.project, "resp_1").await.unwrap(), None, "its client wanted it so");
    // Of a provider without the endpoint, and of other calls, nothing is kept either.
    room.ask("one/m").await.unwrap();
    let translated = Request { read, ..room.response(&json!({"model": "plain/m", "input": "hello"})) };
    room.gateway.call(translated).await.unwrap();
    room.gateway.ledger().flush().await.unwrap();
    let rows = room.catalog().query("SELECT response FROM response_maker", params![]).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test]
async fn after_a_month_nobody_knows_any_more() {
    let (one, two) = (upstream(Script::default()), upstream(Script::default()));
    let room = room(&one, &two).await;
    let day = Duration::from_secs(86_400);
    room.make((&one, "resp_old"), "one/m", &json!({})).await;
    assert!(room.gateway.made_by(room.project, "resp_old").await.unwrap().is_some());
    room.clock.advance(29 * day);
    room.make((&two, "resp_new"), "two/m", &json!({})).await;
    room.clock.advance(2 * day);
    room.gateway.ledger().flush().await.unwrap();
    room.gateway.ledger().tidy().await.unwrap();
    assert_eq!(room.gateway.made_by(room.project, "resp_old").await.unwrap(), None);
    let by_two = maker("two/m", "two", &keeper(&two));
    assert_eq!(room.gateway.made_by(room.project, "resp_new").await.unwrap(), Some(by_two));
}

#[tokio::test]
async fn a_maker_that_is_gone_is_named() {
    let (one, two) = (upstream(Script::default()), upstream(Script::default()));
    let room = room(&one, &two).await;
    for gone in ["nobody", "Not a name", "local", "plain"] {
        let place = if gone == "plain" { provider(&one) } else { keeper(&one) };
        let fault = room.gateway.about(room.asks_about("resp_0"), &maker("x", gone, &place)).await.unwrap_err();
        assert!(matches!(fault, GatewayFault::MakerGone { .. }), "{gone}: {fault:?}");
        assert_eq!((fault.kind(), fault.code()), (FaultKind::NotFound, "response-maker-gone"));
        assert!(fault.hint().is_some_and(|hint| hint.contains(gone)), "{gone}");
    }
    assert_eq!((one.count(), two.count()), (0, 0));
    assert_eq!(room.spans.all().iter().filter(|span| span.name == "response read").count(), 4, "each is in a trace");
}

#[tokio::test]
async fn of_an_account_every_model_knows_what_another_made() {
    let (one, two) = (upstream(Script::default()), upstream(Script::default()));
    let room = room(&one, &two).await;
    room.make((&two, "resp_two"), "two/another", &json!({})).await;
    assert!(room.gateway.made_by(room.project, "resp_two").await.unwrap().is_some());
    for _ in 0..8 {
        let before = two.count();
        let body = json!({"model": "assistant", "input": "go on", "previous_response_id": "resp_two"});
        room.gateway.call(room.response(&body)).await.unwrap();
        assert_eq!((one.count(), two.count()), (0, before + 1));
    }
}

#[tokio::test]
async fn a_stream_that_quotes_our_key_is_told_in_our_words() {
    const KEY: &str = "sk-test-0123456789abcdefghijklmnop";
    let server = upstream(Script::default());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    let mut place = keeper(&server);
    place["credential"] = json!(format!("file:{}", file.display()));
    let room = Room::open().await;
    room.apply(&[("provider", "one", place.clone())]).await;
    let body = Some(format!("event: error\ndata: {}\n\n", json!({"type": "error", "message": format!("wrong key {KEY}")})));
    let streams = Behaviour { body, ..Behaviour::default() }.header("content-type", "text/event-stream");
    server.script(Script::always(streams));
    let answer = room.gateway.about(room.asks_about("resp_0"), &maker("one/m", "one", &place)).await.unwrap();
    let KeptBody::Events(events) = answer.body else { panic!("no stream") };
    let (text, fault) = drain(Body::Chunks(events)).await;
    let fault = fault.expect("it is no event of the client's");
    assert_eq!((text.as_str(), fault.code()), ("", "upstream-malformed"));
    assert!(!format!("{fault} {fault:?}").contains(KEY));
    assert_eq!(server.seen()[0].header("api-key"), Some(KEY), "but it is sent");
}

/// Who may apply providers writes the addresses of servers, and those give out whatever names they like.
#[tokio::test]
async fn a_name_that_another_server_gave_out_opens_nothing() {
    const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
    let (account, decoy) = (upstream(Script::default()), upstream(Script::default()));
    let mut room = Room::open().await;
    let (ours, theirs) = (room.project, ProjectId::from_raw(77));
    room.catalog().write(PROJECT, params![theirs, "theirs"]).await.unwrap();
    room.apply(&[("provider", "main", keeper(&account))]).await;
    room.make((&account, "resp_secret"), "main/m", &json!({})).await;
    let by_us = Some(maker("main/m", "main", &keeper(&account)));
    assert_eq!(room.gateway.made_by(ours, "resp_secret").await.unwrap(), by_us);

    // Their own server gives out the name, and then the provider is called what keeps it.
    room.project = theirs;
    room.apply(&[("provider", "mine", keeper(&decoy))]).await;
    room.make((&decoy, "resp_secret"), "mine/m", &json!({})).await;
    let planted = room.gateway.made_by(theirs, "resp_secret").await.unwrap().unwrap();
    assert_eq!(planted, maker("mine/m", "mine", &keeper(&decoy)));
    room.apply(&[("provider", "mine", keeper(&account))]).await;
    let asked = account.count();
    for about in [About::Read, About::InputItems, About::Cancel, About::Delete] {
        let request = KeptRequest { about, ..room.asks_about("resp_secret") };
        let fault = room.gateway.about(request, &planted).await.unwrap_err();
        assert!(matches!(fault, GatewayFault::MakerGone { .. }), "{about:?}: {fault:?}");
    }
    assert_eq!(account.count(), asked, "nobody was asked");

    // The account itself is made to give out the name once more, to another project: it stays whose it is.
    room.make((&account, "resp_secret"), "mine/m", &json!({})).await;
    room.gateway.ledger().flush().await.unwrap();
    assert_eq!(room.gateway.made_by(theirs, "resp_secret").await.unwrap(), Some(planted));
    assert_eq!(room.gateway.made_by(ours, "resp_secret").await.unwrap(), by_us);
    room.make((&account, "resp_new"), "mine/m", &json!({})).await;
    let newer = room.gateway.made_by(theirs, "resp_new").await.unwrap();
    assert_eq!(newer, Some(maker("mine/m", "mine", &keeper(&account))), "what it made there itself is its own");
    account.script(Script::always(Behaviour { body: Some(json!({"id": "resp_new"}).to_string()), ..Behaviour::default() }));
    assert!(room.gateway.about(room.asks_about("resp_new"), &newer.unwrap()).await.is_ok());
}

#[tokio::test]
async fn an_account_stays_the_same_when_its_key_is_exchanged() {
    let server = upstream(Script::default());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "sk-test-0123456789abcdefghijklmnop").unwrap();
    let mut place = keeper(&server);
    place["credential"] = json!(format!("file:{}", file.display()));
    let room = Room::open().await;
    room.apply(&[("provider", "one", place.clone())]).await;
    room.make((&server, "resp_1"), "one/m", &json!({})).await;
    let made_by = room.gateway.made_by(room.project, "resp_1").await.unwrap().unwrap();
    server.script(Script::always(Behaviour { body: Some(json!({"id": "resp_1"}).to_string()), ..Behaviour::default() }));
    std::fs::write(&file, "sk-test-another-0123456789abcdef").unwrap();
    room.gateway.refresh_keys().await;
    assert!(room.gateway.about(room.asks_about("resp_1"), &made_by).await.is_ok());
    // Another place may hold another account's.
    let other = dir.path().join("other");
    std::fs::copy(&file, &other).unwrap();
    place["credential"] = json!(format!("file:{}", other.display()));
    room.apply(&[("provider", "one", place)]).await;
    let fault = room.gateway.about(room.asks_about("resp_1"), &made_by).await.unwrap_err();
    assert_eq!(fault.code(), "response-maker-gone");
}
