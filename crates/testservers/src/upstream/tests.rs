use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    Behaviour, Ended, Script, Trouble, Upstream, When,
    body::{Step, plan},
    dialects::decoded,
};

/// What came until the server closed the connection, and whether it was reset.
fn ask(upstream: &Upstream, method: &str, path: &str, body: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", upstream.port())).unwrap();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = Vec::new();
    let reset = stream.read_to_end(&mut answer).is_err();
    (String::from_utf8_lossy(&answer).into_owned(), reset)
}

fn post(upstream: &Upstream, path: &str, body: &Value) -> String {
    ask(upstream, "POST", path, &body.to_string()).0
}

fn whole(upstream: &Upstream, path: &str, body: &Value) -> Value {
    let answer = post(upstream, path, body);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn every_dialect_is_answered() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("Hello there."))).unwrap();
    let asked = json!({ "model": "m", "input": ["a", "b"], "query": "q", "documents": ["x", "q"] });
    for (path, pointer, want) in [
        ("/v1/chat/completions", "/choices/0/message/content", json!("Hello there.")),
        ("/openai/deployments/d/chat/completions?api-version=1", "/model", json!("d")),
        ("/v1/completions", "/choices/0/text", json!("Hello there.")),
        ("/v1/responses", "/output/0/content/0/text", json!("Hello there.")),
        ("/v1/embeddings", "/data/1/index", json!(1)),
        ("/v1/rerank", "/results/0/index", json!(1)),
        ("/v1/moderations", "/results/1/flagged", json!(false)),
        ("/v1/messages", "/content/0/text", json!("Hello there.")),
        ("/v1/messages/count_tokens", "/input_tokens", json!(12)),
        ("/v1beta/models/g%2F1:generateContent", "/candidates/0/content/parts/0/text", json!("Hello there.")),
        ("/v1beta/models/g:countTokens", "/totalTokens", json!(12)),
        ("/model/amazon.nova%3A1/converse", "/output/message/content/0/text", json!("Hello there.")),
        ("/model/amazon.titan/invoke", "/inputTextTokenCount", json!(12)),
    ] {
        assert_eq!(whole(&upstream, path, &asked).pointer(pointer), Some(&want), "{path}");
    }
    let models: Vec<String> = upstream.seen().into_iter().map(|seen| seen.model).collect();
    assert_eq!(models[9..], ["g/1", "g", "amazon.nova:1", "amazon.titan"]);
    assert!(post(&upstream, "/v1/nothing", &asked).starts_with("HTTP/1.1 404"));
}

#[test]
fn streams_end_as_their_dialects_end() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for (path, ends) in [
        ("/v1/chat/completions", "data: [DONE]\n\n"),
        ("/v1/completions", "data: [DONE]\n\n"),
        ("/v1/responses", "\"sequence_number\":15}\n\n"),
        ("/v1/messages", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        ("/v1beta/models/g:streamGenerateContent?alt=sse", "\"responseId\":\"resp-4\",\"usageMetadata\":"),
    ] {
        let answer = post(&upstream, path, &json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } }));
        assert!(
            answer.contains("text/event-stream") && answer.contains(ends) && answer.ends_with("0\r\n\r\n"),
            "{path}: {answer}"
        );
    }
}

#[test]
fn what_a_request_says_itself_comes_before_what_is_scripted() {
    let script = Script::default().then(Behaviour::status(500)).model("m", Behaviour::status(418));
    let upstream = Upstream::start(script).unwrap();
    let status = |path: &str, model: &str| {
        let answer = post(&upstream, path, &json!({ "model": model }));
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status("/v1/messages", "do:status=429,retry-after=2"), "429");
    assert_eq!(status("/do/status=503/v1/messages", "m"), "503");
    assert_eq!(status("/v1/messages", "m"), "500");
    assert_eq!(status("/v1/messages", "m"), "418");
    assert_eq!(status("/v1/messages", "other"), "200");
    assert_eq!(status("/v1/messages", "do:nonsense"), "400");
    for want in ["503", "503", "200", "200"] {
        assert_eq!(status("/v1/messages", "do:status=503,times=2"), want);
    }
}

#[test]
fn troubles_are_seen_on_the_wire() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let ask = |model: &str, stream: bool| {
        let body = json!({ "model": model, "stream": stream }).to_string();
        ask(&upstream, "POST", "/v1/chat/completions", &body)
    };
    assert_eq!(ask("do:reset", false), (String::new(), true));
    assert_eq!(ask("do:close", false), (String::new(), false));
    let (answer, reset) = ask("do:reset=3", true);
    assert!(reset && answer.contains("word1") && !answer.contains("word2"), "{answer}");
    let (answer, reset) = ask("do:close=3", true);
    assert!(!reset && answer.contains("word1") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    let (answer, reset) = ask("do:end=3", true);
    assert!(!reset && answer.contains("word1") && answer.ends_with("0\r\n\r\n") && !answer.contains("[DONE]"), "{answer}");
    let (answer, _) = ask("do:close=1", false);
    assert!(
        answer.contains("content-length") && serde_json::from_str::<Value>(answer.split("\r\n\r\n").nth(1).unwrap()).is_err()
    );
    assert!(ask("do:not-json", false).0.ends_with("</title>"));
    assert!(ask("do:wrong-json", false).0.ends_with(r#"{"unexpected":["shape"]}"#));
    assert!(ask("do:long-line=100000", true).0.contains(&"x".repeat(100_000)));
    assert!(ask("do:error=2", true).0.contains("server_error"));
    assert!(ask("do:status=200,drip=1ms,text=slow", false).0.contains("slow"));
    let ended: Vec<bool> = upstream.seen().iter().map(|seen| matches!(seen.ended, Ended::BrokenOff(_))).collect();
    assert_eq!(ended[..6], [true, true, true, true, false, true]);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_noticed() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for model in ["do:hang", "do:hang=2"] {
        let mut stream = TcpStream::connect(("127.0.0.1", upstream.port())).unwrap();
        let body = json!({ "model": model, "stream": true }).to_string();
        write!(stream, "POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        upstream.wait_until(|seen| seen.last().is_some_and(|seen| seen.model == model && seen.ended == Ended::Open)).await;
        drop(stream);
        upstream.wait_until_hung_up().await;
    }
    assert_eq!(upstream.count(), 2);
}

#[test]
fn programs_write_the_script_and_read_the_requests() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let script = "next status=503\nmodel m text=as scripted\n\notherwise status=404\n";
    assert!(ask(&upstream, "POST", "/_script", script).0.starts_with("HTTP/1.1 200"));
    assert!(ask(&upstream, "POST", "/_script", "never this").0.starts_with("HTTP/1.1 400"));
    assert!(post(&upstream, "/v1/messages", &json!({ "model": "m" })).starts_with("HTTP/1.1 503"));
    assert!(post(&upstream, "/v1/messages", &json!({ "model": "m" })).contains("as scripted"));
    assert!(post(&upstream, "/v1/messages", &json!({ "model": "n" })).starts_with("HTTP/1.1 404"));
    let (answer, _) = ask(&upstream, "GET", "/_requests", "");
    let seen: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(seen.as_array().map(Vec::len), Some(3));
    assert_eq!(seen[1]["model"], "m");
    ask(&upstream, "DELETE", "/_requests", "");
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_behaviour_is_written_as_text() {
    let read: Behaviour = "status=429,retry-after=2,header=x-a:b,delay=200ms,gap=0.5s,chunks=3,input=9,cached=4".parse().unwrap();
    assert_eq!((read.status, read.chunks), (429, 3));
    assert_eq!(read.headers, [("retry-after".into(), "2".into()), ("x-a".into(), "b".into())]);
    assert_eq!((read.delay, read.gap), (Duration::from_millis(200), Duration::from_millis(500)));
    assert_eq!(read.usage.map(|used| (used.input, used.cache_read)), Some((9, 4)));
    assert_eq!("hang".parse::<Behaviour>().unwrap().trouble, Some(Trouble::Hang(When::BeforeHead)));
    assert_eq!("reset=0".parse::<Behaviour>().unwrap().trouble, Some(Trouble::Reset(When::After(0))));
    assert_eq!("usage=none".parse::<Behaviour>().unwrap().usage, None);
    let called = |text: &str| text.parse::<Behaviour>().unwrap().tool.unwrap();
    assert_eq!(called("tool=weather"), ("weather".to_owned(), r#"{"city":"Paris"}"#.to_owned()));
    assert_eq!(called("tool=Bash:command:echo a:b"), ("Bash".to_owned(), r#"{"command":"echo a:b"}"#.to_owned()));
    for wrong in ["status", "status=x", "delay=5", "delay=-1s", "gap=s", "nonsense", "hang=x", "long-line", "header=x"] {
        assert!(wrong.parse::<Behaviour>().is_err(), "{wrong}");
    }
}

#[test]
fn a_plan_has_waits_between_pieces_and_trouble_where_it_was_asked_for() {
    let pieces = vec!["a".into(), "b".into(), "c".into()];
    let mut behaviour = Behaviour { gap: Duration::from_secs(1), ..Behaviour::trouble(Trouble::Hang(When::After(2))) };
    let steps = plan(pieces.clone(), &behaviour, "garbage".into(), "error".into());
    assert_eq!(steps, [Step::Piece("a".into()), Step::Wait(Duration::from_secs(1)), Step::Piece("b".into()), Step::Hang]);
    behaviour.trouble = Some(Trouble::Malformed(0));
    assert_eq!(plan(pieces, &behaviour, "garbage".into(), "error".into()), [Step::Piece("garbage".into())]);
}

#[test]
fn comments_fill_the_wait_for_the_first_piece() {
    let behaviour: Behaviour = "first=250ms,comments=100ms,chunks=1".parse().unwrap();
    let steps = plan(vec!["a".into()], &behaviour, "".into(), "".into());
    let (wait, comment) = (|millis| Step::Wait(Duration::from_millis(millis)), || Step::Piece(": keep-alive\n\n".into()));
    assert_eq!(steps, [wait(100), comment(), wait(100), comment(), wait(50), Step::Piece("a".into())]);
}

#[test]
fn escapes_in_paths_are_undone() {
    for (given, want) in [("a", "a"), ("a%3Ab%2fc", "a:b/c"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%C3%BC", "ü")] {
        assert_eq!(decoded(given), want);
    }
}
