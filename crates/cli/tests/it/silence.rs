//! Streams whose model says nothing for a while, seen from outside.

use std::{io::Read as _, thread, time::Duration};

use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use crate::running::{Server, apply_all, posted};

/// What comes of a request until it holds all of this, one behind the other.
fn reads(url: &str, path: &str, body: &Value, wanted: &[&str]) -> String {
    let mut client = posted(url, path, body);
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        let mut rest = Some(text.as_str());
        for word in wanted {
            rest = rest.and_then(|rest| rest.split_once(word)).map(|(_, rest)| rest);
        }
        if rest.is_some() {
            return text;
        }
        let mut piece = [0; 4096];
        let count = client.read(&mut piece).unwrap_or_else(|fault| panic!("{path}: {fault} after {text}"));
        assert!(count > 0, "{path}: it ended: {text}");
        seen.extend_from_slice(&piece[..count]);
    }
}

/// Proxies cut what is silent for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_model_is_silent_is_kept_alive_in_its_clients_dialect() {
    // It has begun, and its first word does not come.
    let upstream = Upstream::start(Script::always(Behaviour::trouble(Trouble::Hang(When::After(1))))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let of = |name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": "provider", "name": name, "spec": spec});
    let places = [
        of("openai", json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())})),
        of("anthropic", json!({"type": "anthropic", "base_url": upstream.url()})),
    ];
    apply_all(data.path(), &places);
    let messages = json!([{"role": "user", "content": "Think."}]);
    let mut asked = Vec::new();
    // As they came, and translated.
    for provider in ["openai", "anthropic"] {
        let body = json!({"model": format!("{provider}/m"), "stream": true, "max_tokens": 50, "messages": messages});
        asked.push(("/v1/chat/completions", body.clone(), vec!["data: {", "\n\n", ": keep-alive\n\n"]));
        asked.push(("/v1/messages", body, vec!["event: message_start\n", "\n\n", "event: ping\ndata: {\"type\":"]));
        let body = json!({"model": format!("{provider}/m"), "stream": true, "max_output_tokens": 50, "input": "Think."});
        asked.push(("/v1/responses", body, vec!["event: response.created\n", "\n\n", ": keep-alive\n\n"]));
    }
    let reading = asked.into_iter().map(|(path, body, wanted)| {
        let url = server.url.clone();
        thread::spawn(move || reads(&url, path, &body, &wanted))
    });
    for reading in reading.collect::<Vec<_>>() {
        reading.join().unwrap();
    }
}
