//! A gateway's traces are brought to the lake by a process of its own, which is killed, and so is the gateway.

use std::{collections::BTreeSet, path::Path, process::Command};

use futures::future::join_all;
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, until};

/// A quarter of it waits after some hundred calls.
const SETTINGS: [(&str, &str); 1] = [("MAINSPRING__TRACES__SPILL_LIMIT", "8MiB")];
pub(crate) const CALLS_MAX: usize = 20_000;

/// The processes that bring traces for another.
pub(crate) fn errands_of(parent: u32) -> Vec<u32> {
    let runs_errands = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name of a process may hold anything; its parent is the second field after it.
        let above = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        command.windows(9).any(|part| part == b"__errand\0") && above == Some(parent)
    };
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).filter(runs_errands).collect()
}

/// A route to an upstream.
pub(crate) fn route_to(upstream: &Upstream, data: &Path) {
    let spec = json!({"type": "openai", "base_url": format!("{}/v1", upstream.url()), "models": ["small"]});
    let route = json!({"targets": [{"provider": "first", "model": "small"}]});
    let asset =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    apply_all(data, &[asset("provider", "first", spec), asset("route", "assistant", route)]);
}

/// Calls until it is seen that traces are being brought. Answers how many calls, and by whom.
pub(crate) async fn call_until_brought(gateway: &Server) -> (usize, u32) {
    let user = User::of(gateway, None);
    let question = json!({"model": "assistant", "messages": [{"role": "user", "content": "x".repeat(2_000)}]});
    let mut calls = 0;
    loop {
        let answers = join_all((0..8).map(|_| user.post("/v1/chat/completions", &question))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{}", answers[0].text);
        calls += answers.len();
        if let Some(errand) = errands_of(gateway.pid()).first() {
            return (calls, *errand);
        }
        assert!(calls < CALLS_MAX, "nobody brings traces: {}", gateway.said());
    }
}

pub(crate) fn segments(data: &Path) -> usize {
    let files = std::fs::read_dir(data.join("spill")).unwrap();
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "spill")).count()
}

pub(crate) async fn traces(data: &Path) -> Vec<String> {
    let server = Server::start(data, "127.0.0.1");
    until("the segments", async || segments(data) == 0).await;
    let all: Vec<Value> = server.client().all("/api/v1/traces").await.unwrap();
    assert!(server.terminate().success());
    // What applied the route is a trace as well.
    let calls = all.iter().filter(|trace| trace["name"].as_str().is_some_and(|name| !name.starts_with("POST ")));
    calls.map(|trace| trace["trace_id"].as_str().unwrap_or_else(|| panic!("{trace}")).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_brought_once_whoever_is_killed_over_it() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("here"))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let gateway = Server::start_with(data.path(), &["gateway"], &SETTINGS);
    route_to(&upstream, data.path());
    let (made, mut errand) = call_until_brought(&gateway).await;
    for _ in 0..2 {
        // It may have ended by itself in this moment.
        let _ = Command::new("kill").args(["-KILL", &errand.to_string()]).status().unwrap();
        until("its end", async || !errands_of(gateway.pid()).contains(&errand)).await;
        // What a killed one left is brought by the next.
        until("the next", async || segments(data.path()) == 0 || !errands_of(gateway.pid()).is_empty()).await;
        errand = errands_of(gateway.pid()).first().copied().unwrap_or(errand);
    }
    until("most to be brought", async || segments(data.path()) < 10).await;
    assert!(gateway.terminate().success());
    let found = traces(data.path()).await;
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "some are there twice");
    assert_eq!(found.len(), made);

    let gateway = Server::start_with(data.path(), &["gateway"], &SETTINGS);
    let (_, errand) = call_until_brought(&gateway).await;
    gateway.kill();
    let gone = async || !Path::new(&format!("/proc/{errand}")).exists();
    until("the end of what it started", gone).await;
    let found = traces(data.path()).await;
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "some are there twice");
    assert!(found.len() > made, "{} of {made} and more", found.len());
}
