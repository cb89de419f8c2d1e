//! The process that brings a gateway's traces is stopped, signalled, told to end, and left alone, in the middle of its work.

use std::{
    cell::Cell, collections::BTreeSet, fs::File, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path, process::Command,
    time::Duration,
};

use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::{
    bringing::{CALLS_MAX, call_until_brought, route_to, segments, traces},
    running::{Server, User, binary, refused, until},
};

/// A quarter of the spill waits after some hundred calls, and nothing else is done at the traces meanwhile.
const SETTINGS: [(&str, &str); 2] = [("MAINSPRING__TRACES__SPILL_LIMIT", "8MiB"), ("MAINSPRING__LAKE__UPKEEP_EVERY", "3600s")];
const BRING_DONE: &str = "mainspring_errands_total{errand=\"bring\",outcome=\"done\"}";
const BRING_FAILED: &str = "mainspring_errands_total{errand=\"bring\",outcome=\"failed\"}";
/// One that is stopped is looked at again so often.
const SOON: Duration = Duration::from_millis(2);

struct Place {
    upstream: Upstream,
    data: tempfile::TempDir,
}

fn place() -> Place {
    let upstream = Upstream::start(Script::always(Behaviour::saying("here"))).unwrap();
    Place { upstream, data: tempfile::tempdir().unwrap() }
}

impl Place {
    fn data(&self) -> &Path {
        self.data.path()
    }

    fn gateway(&self) -> Server {
        let gateway = Server::start_with(self.data(), &["gateway"], &SETTINGS);
        route_to(&self.upstream, self.data());
        gateway
    }
}

/// One that has ended by itself is not there to be signalled.
fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap();
}

fn is_here(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of a process may hold anything; its state follows.
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// Whether a process holds the folder: the last that did wrote its number.
fn holds(data: &Path, process: u32) -> bool {
    std::fs::read_to_string(data.join("spill/errand.lock")).is_ok_and(|held| held == process.to_string())
}

/// Stops a process when it holds the folder, unless it is done with its work by then. Answers whether it has stopped in it.
fn stop_at_work(data: &Path, process: u32) -> bool {
    while is_here(process) && !holds(data, process) {
        std::thread::sleep(SOON);
    }
    signal(process, "STOP");
    while is_here(process) && !is_stopped(process) {
        std::thread::sleep(SOON);
    }
    let at_work = is_stopped(process) && segments(data) > 0;
    if !at_work {
        signal(process, "CONT");
    }
    at_work
}

/// Calls until a process brings traces, and stops that in the middle. Answers how many calls, and which process.
async fn stopped_at_work(gateway: &Server, data: &Path) -> (usize, u32) {
    let mut made = 0;
    loop {
        let (calls, process) = call_until_brought(gateway).await;
        made += calls;
        if stop_at_work(data, process) {
            return (made, process);
        }
        until("its end", async || !is_here(process)).await;
        assert!(made < CALLS_MAX, "none is at work for long enough: {}", gateway.said());
    }
}

async fn metric(gateway: &Server, name: &str) -> u64 {
    let text = User::of(gateway, None).get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
    line.trim().parse().unwrap_or_else(|error| panic!("{error}: {name}{line}"))
}

/// What happened survives the death of the gateway. Some of it is recorded after the answer.
async fn until_stored(gateway: &Server) {
    let before = Cell::new(0);
    let is_stored = async || {
        let recorded = metric(gateway, "mainspring_spans_recorded_total").await;
        before.replace(recorded) == recorded && metric(gateway, "mainspring_spans_stored_total").await == recorded
    };
    until("what was recorded to be stored", is_stored).await;
}

/// How the traces are, by the gateway's own word.
async fn health(gateway: &Server) -> (String, String) {
    let parts = User::of(gateway, None).get("/api/v1/health").await.json();
    let parts: &Vec<Value> = parts["items"].as_array().unwrap();
    let traces = parts.iter().find(|part| part["component"] == "traces").unwrap();
    let text = |field: &str| traces[field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("detail"))
}

async fn assert_all_once(data: &Path, made: usize) {
    let found = traces(data).await;
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "some are there twice");
    assert_eq!(found.len(), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_told_to_stop_while_traces_are_brought_ends_well() {
    let place = place();
    let gateway = place.gateway();
    let (made, process) = call_until_brought(&gateway).await;
    assert!(gateway.terminate().success());
    assert!(!is_here(process), "it ends before the gateway does");
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_ends_well_although_the_process_that_brings_hangs() {
    let place = place();
    let gateway = place.gateway();
    let (made, process) = stopped_at_work(&gateway, place.data()).await;
    assert!(gateway.terminate().success());
    assert!(!is_here(process), "it was killed");
    // What it had not brought waits on the disk, or another brought it where there was time left.
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_signalled_with_its_service_goes_on_until_the_gateway_says_otherwise() {
    let place = place();
    let gateway = place.gateway();
    let (made, process) = stopped_at_work(&gateway, place.data()).await;
    let before = metric(&gateway, BRING_DONE).await;
    // They are heard when it goes on.
    ["TERM", "INT", "HUP"].into_iter().for_each(|name| signal(process, name));
    signal(process, "CONT");
    until("its work", async || metric(&gateway, BRING_DONE).await > before).await;
    assert_eq!(metric(&gateway, BRING_FAILED).await, 0, "{}", gateway.said());
    assert!(gateway.terminate().success());
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_is_noticed_told_of_and_replaced() {
    let place = place();
    let gateway = place.gateway();
    assert_eq!(health(&gateway).await.0, "ok");
    let (made, process) = stopped_at_work(&gateway, place.data()).await;
    until("its end", async || !is_here(process)).await;
    let is_told = async || {
        let (state, why) = health(&gateway).await;
        state == "degraded" && why.contains("it said nothing")
    };
    until("why", is_told).await;
    assert_eq!(metric(&gateway, BRING_FAILED).await, 1);
    until("the next", async || health(&gateway).await.0 == "ok").await;
    assert_eq!(metric(&gateway, "mainspring_errands_failing{errand=\"bring\"}").await, 0);
    assert!(gateway.terminate().success());
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_gateway_is_killed_ends_and_nothing_is_there_twice() {
    let place = place();
    let gateway = place.gateway();
    let (made, process) = stopped_at_work(&gateway, place.data()).await;
    until_stored(&gateway).await;
    gateway.kill();
    // Where nobody of its session is left, the kernel itself lets it go on.
    signal(process, "CONT");
    until("its end", async || !is_here(process)).await;
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_leaves_the_rest_to_the_next() {
    let place = place();
    let gateway = place.gateway();
    let (made, process) = stopped_at_work(&gateway, place.data()).await;
    let before = metric(&gateway, BRING_DONE).await;
    signal(process, "KILL");
    until("its end", async || !is_here(process)).await;
    until("the next", async || metric(&gateway, BRING_DONE).await > before).await;
    assert_eq!(metric(&gateway, BRING_FAILED).await, 1);
    assert!(gateway.said().contains("signal: 9"), "{}", gateway.said());
    assert!(gateway.terminate().success());
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_folder_and_does_not_end_keeps_a_server_from_starting_and_a_gateway_only_from_bringing() {
    let place = place();
    let gateway = place.gateway();
    let (mut made, process) = call_until_brought(&gateway).await;
    until_stored(&gateway).await;
    gateway.kill();
    until("the end of what it started", async || !is_here(process)).await;
    // It stands for a process that an earlier gateway started, and that the kernel lets neither work nor end.
    let lock = place.data().join("spill/errand.lock");
    let mut held = File::options().create(true).write(true).truncate(true).open(lock).unwrap();
    held.lock().unwrap();
    write!(held, "{}", std::process::id()).unwrap();

    let refusal = refused(place.data(), &["traces"]);
    assert_eq!(refusal["code"], "trace-spill-held", "{refusal}");
    assert!(refusal["hint"].as_str().unwrap().contains(&std::process::id().to_string()), "{refusal}");
    let gateway = Server::start_with(place.data(), &["gateway"], &SETTINGS);
    assert!(gateway.said().contains("its end is waited for"), "{}", gateway.said());
    let user = User::of(&gateway, None);
    let question = json!({"model": "assistant", "messages": [{"role": "user", "content": "Say something."}]});
    assert_eq!(user.post("/v1/chat/completions", &question).await.status, 200);
    made += 1;
    if segments(place.data()) > 0 {
        until("why nothing is brought", async || health(&gateway).await.1.contains("does not end")).await;
    }
    drop(held);
    until("the rest", async || segments(place.data()) == 0 && health(&gateway).await.0 == "ok").await;
    assert!(gateway.terminate().success());
    assert_all_once(place.data(), made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_upgrade_a_running_gateway_starts_what_it_is_itself() {
    let place = place();
    // Beside the binary, so that it need not be copied.
    let folder = tempfile::tempdir_in(binary().parent().unwrap()).unwrap();
    let program = folder.path().join("mainspring");
    std::fs::hard_link(binary(), &program).unwrap();
    let gateway = Server::start_from(&program, place.data(), &["gateway"], &SETTINGS);
    route_to(&place.upstream, place.data());
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, "#!/bin/sh\nexit 3\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (made, _) = call_until_brought(&gateway).await;
    until("its work", async || metric(&gateway, BRING_DONE).await > 0).await;
    assert_eq!(metric(&gateway, BRING_FAILED).await, 0, "{}", gateway.said());
    assert!(gateway.terminate().success());
    assert_all_once(place.data(), made).await;
}
