//! Two servers over one PostgreSQL and one S3 store: what is erased is on the disk of neither, and does not come back with one
//! that was away.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use mainspring_kernel::{Clock as _, SystemClock};
use mainspring_testservers::{postgres::Postgres, s3::S3Server};
use serde_json::{Value, json};

use crate::{
    erasing::found,
    running::{Reply, Server, User, run, until},
    sharing::on_s3,
};

const PROJECT: &str = "shop";
const ROOT: &str = "00f067aa0ba902b7";
const OTHERS: &str = "somebody-else";

fn trace(n: u64) -> String {
    format!("{:032x}", n + 0xe1a5_ed00)
}

/// A span beneath one that is not here yet: its trace is held until something happens in it. Nothing of them is kept else.
fn span((of_trace, id): (u64, u64), words: &str, user: Option<&str>, failed: bool) -> Value {
    let time = format!("{}000", SystemClock.now().as_micros());
    let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let mut attributes = vec![text("input.value", words)];
    attributes.extend(user.map(|user| text("user.id", user)));
    json!({
        "traceId": trace(of_trace), "spanId": format!("{:016x}", id + 1), "parentSpanId": ROOT, "name": "chat", "kind": 3,
        "startTimeUnixNano": time, "endTimeUnixNano": time, "attributes": attributes,
        "status": if failed { json!({"code": 2, "message": "broke"}) } else { json!({}) },
    })
}

async fn within(user: &User, method: &str, path: &str, body: &Value) -> Reply {
    let request = http::Request::builder().method(method).uri(path).header("x-mainspring-project", PROJECT);
    let body = if method == "GET" { Bytes::new() } else { Bytes::from(body.to_string()) };
    user.send(request.header(http::header::CONTENT_TYPE, "application/json").body(body).unwrap()).await
}

async fn sent(user: &User, spans: &[Value]) -> bool {
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    within(user, "POST", "/v1/traces", &body).await.status == 200
}

async fn spans_of(user: &User, of_trace: u64) -> usize {
    let reply = within(user, "GET", &format!("/api/v1/traces/{}", trace(of_trace)), &Value::Null).await;
    if reply.status == 200 { reply.json()["spans"].as_array().map_or(0, Vec::len) } else { 0 }
}

fn held(data: &Path) -> u64 {
    run(data, &["capture", "show", "--project", PROJECT])["here"]["held"].as_u64().unwrap()
}

/// Of the traces of this project only those with an error are kept, on both servers.
async fn keep_errors_only(folders: &[tempfile::TempDir], second: &User) {
    run(folders[0].path(), &["projects", "create", PROJECT]);
    run(folders[0].path(), &["capture", "set", "--share", "0", "--hold", "300", "--project", PROJECT]);
    let next = AtomicU64::new(1_000);
    // The other server hears of it soon.
    until("spans to be held", async || {
        let n = next.fetch_add(1, Ordering::SeqCst);
        assert!(sent(second, &[span((n, n), "nothing", None, false)]).await);
        held(folders[1].path()) > 0
    })
    .await;
}

async fn what_the_other_server_holds_is_erased(users: &[User; 2], folders: &[tempfile::TempDir]) {
    const USER: &str = "user-quandelor";
    const WORDS: [&str; 3] = ["zukamirel", "borlavitek", "fenodrusap"];
    let [first, second] = users;
    // One trace is kept where it was asked for, and the other server holds a part of it that names nobody.
    assert!(sent(first, &[span((1, 1), WORDS[0], Some(USER), true)]).await);
    assert!(sent(second, &[span((1, 2), WORDS[1], None, false)]).await);
    // One is held there alone, and so is that of somebody else.
    assert!(sent(second, &[span((2, 3), WORDS[2], Some(USER), false), span((3, 4), "a question", Some(OTHERS), false)]).await);
    until("the first to have its own", async || spans_of(first, 1).await == 1).await;
    let words = [&WORDS[..], &[USER]].concat();
    assert!(!found(folders[1].path(), &words[1..3]).is_empty(), "it waits on the disk of the other");

    let erased = run(folders[0].path(), &["erase", "--user", USER, "--wait", "--project", PROJECT]);
    assert_eq!((&erased["state"], &erased["spans"]), (&json!("done"), &json!(1)), "{erased}");
    assert!(erased.get("waiting_for").is_none() && erased.get("without").is_none(), "{erased}");
    for folder in folders {
        assert_eq!(found(folder.path(), &words), Vec::<String>::new());
    }
    // What happens in a trace that was held tells of all of it: theirs is gone, and somebody else's is there.
    assert!(sent(second, &[span((2, 5), "later", None, true), span((3, 6), "later", None, true)]).await);
    until("the trace of somebody else", async || spans_of(second, 3).await == 2).await;
    assert_eq!((spans_of(second, 2).await, spans_of(second, 1).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_reaches_every_servers_disk_and_waits_for_one_that_is_away() {
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let (lake, endpoint) = (format!("s3://{}/lake", S3Server::BUCKET), store.endpoint());
    let settings = [on_s3(&lake, &endpoint), vec![("MAINSPRING_CATALOG", catalog.as_str())]].concat();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [server, other] = folders.each_ref().map(|data| Server::start_with(data.path(), &["serve"], &settings));
    let users = [User::of(&server, None), User::of(&other, None)];
    keep_errors_only(&folders, &users[1]).await;
    Box::pin(what_the_other_server_holds_is_erased(&users, &folders)).await;
    let (url, second) = (other.url.clone(), &users[1]);
    let (address, _store) = Box::pin(asked_while_the_other_is_dead(&users[0], second, (other, store), &folders)).await;

    // It is back: nothing of it is brought, and what was acknowledged of others is.
    assert!(!found(folders[1].path(), &AWAY).is_empty(), "it waits on the disk of the dead server");
    let (data, settings): (_, Vec<(String, String)>) =
        (folders[1].path().to_owned(), settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
    let started = tokio::task::spawn_blocking(move || {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Server::start_at_with(&data, &url, &settings)
    });
    let other = started.await.unwrap();
    assert_eq!(found(folders[1].path(), &AWAY), Vec::<String>::new(), "before it answers anybody");
    until("the erasure to be done", async || within(&users[0], "GET", &address, &Value::Null).await.json()["state"] == "done")
        .await;
    let second = User::of(&other, None);
    until("what it had of somebody else", async || spans_of(&second, 12).await == 1).await;
    assert_eq!((spans_of(&second, 10).await, spans_of(&second, 11).await), (0, 0));
    for folder in &folders {
        assert_eq!(found(folder.path(), &AWAY), Vec::<String>::new());
    }
    let done = within(&users[0], "GET", &address, &Value::Null).await.json();
    assert!(done.get("waiting_for").is_none() && done.get("without").is_none() && done.get("subject").is_none(), "{done}");
}

/// Who is erased while a server is away, and what they wrote.
const AWAY: [&str; 3] = ["user-torvendal", "milkavoren", "dusterhaxel"];

/// The store is away while spans come to a server that dies with them: some on their way, some held. Answers where the erasure
/// is found.
async fn asked_while_the_other_is_dead(
    first: &User,
    second: &User,
    (other, mut store): (Server, S3Server),
    folders: &[tempfile::TempDir],
) -> (String, S3Server) {
    let [user, way, kept] = AWAY;
    let stopped = tokio::task::spawn_blocking(move || {
        store.stop();
        store
    });
    let mut store = stopped.await.unwrap();
    assert!(sent(second, &[span((10, 20), way, Some(user), true), span((12, 21), "a question", Some(OTHERS), true)]).await);
    assert!(sent(second, &[span((11, 22), kept, Some(user), false)]).await);
    other.kill();
    let restarted = tokio::task::spawn_blocking(move || {
        store.restart().unwrap();
        store
    });
    let store = restarted.await.unwrap();
    let asked = within(first, "POST", "/api/v1/erasures", &json!({"user": user})).await.json();
    let address = format!("/api/v1/erasures/{}", asked["id"].as_str().unwrap());
    until("the first server to wait for the other alone", async || {
        let erasure = within(first, "GET", &address, &Value::Null).await.json();
        assert_ne!(erasure["state"], "done", "{erasure}");
        erasure["waiting_for"].as_array().is_some_and(|servers| servers.len() == 1)
    })
    .await;
    let shown = run(folders[0].path(), &["erasures", "show", asked["id"].as_str().unwrap(), "--project", PROJECT]);
    let dead = json!(std::fs::read_to_string(folders[1].path().join("server")).unwrap());
    assert!(shown["waiting_for"].as_array().unwrap().iter().any(|server| server["server"] == dead), "{shown}");
    (address, store)
}
