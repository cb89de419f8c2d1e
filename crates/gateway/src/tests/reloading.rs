//! What is applied while a stream runs. Calls hold what they began with.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{Sender, channel},
    thread,
};

use futures::StreamExt;
use mainspring_kernel::{AssetKind, Selector};
use mainspring_registry::Expect;
use mainspring_testservers::upstream::{Behaviour, Script};
use serde_json::{Value, json};

use super::room::{Room, chat, provider, upstream};
use crate::{Body, CallStatus};

/// A provider that says one word of a stream, and the rest when it is told to. It answers one request.
fn slow() -> (String, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let (go_on, told) = channel::<()>();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let (mut asked, mut piece) = (Vec::new(), [0_u8; 4096]);
        while !asked.ends_with(b"}") {
            let length = client.read(&mut piece).unwrap();
            assert!(length > 0, "the whole request comes");
            asked.extend_from_slice(&piece[..length]);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        client.write_all(format!("{head}{}", event("one ", &Value::Null)).as_bytes()).unwrap();
        told.recv().unwrap();
        let rest = format!("{}data: [DONE]\n\n", event("two", &json!("stop")));
        client.write_all(rest.as_bytes()).unwrap();
    });
    (base, go_on)
}

fn event(text: &str, finish: &Value) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": finish});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "a", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

fn said(text: &str) -> String {
    let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let chunks: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

/// What is changed while the stream runs.
#[derive(Debug, Clone, Copy)]
enum Change {
    Route,
    Provider,
    /// Of an alias of the route, and a new version of it too.
    Alias,
}

impl Change {
    async fn make(self, room: &Room, elsewhere: &Value) {
        let to_other = json!({"targets": [{"provider": "other", "model": "b"}]});
        match self {
            Self::Route => room.apply(&[("route", "assistant", to_other)]).await,
            Self::Provider => room.apply(&[("provider", "main", elsewhere.clone())]).await,
            Self::Alias => {
                room.apply_silently(&[("route", "assistant", to_other)]).await;
                let (route, alias) = ("assistant".parse().unwrap(), "production".parse().unwrap());
                for number in [1, 2] {
                    let to = Selector::Number(number);
                    let named = (AssetKind::Route, &route);
                    room.registry().set_alias(&room.admin(), named, (&alias, &to), Expect::Anything, "").await.unwrap();
                    room.gateway.refresh().await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_reload_drops_no_running_stream_and_the_next_call_takes_what_is_new() {
    for (change, taken) in [(Change::Route, ("other", "b")), (Change::Provider, ("main", "a")), (Change::Alias, ("other", "b"))] {
        let (base, go_on) = slow();
        let server = upstream(Script::always(Behaviour::saying("from the new one")));
        let elsewhere = provider(&server);
        let mut room = Room::open().await;
        room.apply(&[
            ("provider", "main", json!({"type": "openai", "base_url": base})),
            ("provider", "other", elsewhere.clone()),
            ("route", "assistant", json!({"targets": [{"provider": "main", "model": "a"}]})),
        ])
        .await;
        let running = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
        let Body::Chunks(mut chunks) = running.body else { panic!("{change:?}: {:?}", running.body) };
        let mut text = String::from_utf8(chunks.next().await.unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(said(&text), "one ", "{change:?}");

        change.make(&room, &elsewhere).await;
        let (next, fault) = room.stream("assistant").await.unwrap();
        assert_eq!((said(&next).as_str(), fault.is_none()), ("from the new one", true), "{change:?}");
        let record = room.settled().await;
        assert_eq!((record.provider.as_deref(), record.target.as_deref()), (Some(taken.0), Some(taken.1)), "{change:?}");

        go_on.send(()).unwrap();
        while let Some(chunk) = chunks.next().await {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
        assert_eq!((said(&text).as_str(), text.ends_with("data: [DONE]\n\n")), ("one two", true), "{change:?}: {text}");
        let record = room.settled_once().await;
        assert_eq!((record.status, record.provider.as_deref()), (CallStatus::Ok, Some("main")), "{change:?}");
        assert_eq!((record.target.as_deref(), record.attempts), (Some("a"), 1), "{change:?}");
    }
}
