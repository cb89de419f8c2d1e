//! Whoever was told that an alert is kept may rely on it, and on the notice, after `kill -9`.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, Labels, ModelScope, Role, SystemClock,
    id::{PrincipalId, ProjectId},
};
use mainspring_providers::{Credentials, Socket, SocketConfig};
use mainspring_registry::{Draft, Registry};
use mainspring_testservers::upstream::{Script, Upstream};
use serde_json::json;

use super::{NoTrail, at, deliver};
use crate::{Alerts, Courier, Parts, Settings, descriptor};

/// Cargo builds a package's examples before its tests, beside them.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/acknowledged_alerts");
    assert!(program.is_file(), "{} was not built: run the tests through cargo", program.display());
    program
}

async fn prepared(url: &str, upstream: &Upstream) -> (Catalog, Registry) {
    const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, 'ours', '', 0)";
    let catalog = Catalog::open(url).await.unwrap();
    let project = ProjectId::from_raw(1);
    catalog.write(PROJECT, params![project]).await.unwrap();
    let registry = Registry::open(catalog.clone(), Arc::new(SystemClock), vec![descriptor()]);
    let editor = Actor {
        principal: PrincipalId::from_raw(3),
        project,
        role: Role::Editor,
        labels: Labels::All,
        key: None,
        models: ModelScope::All,
    };
    let spec = json!({ "webhook": { "url": at(upstream, "ops", "") }, "per_minute": 600 });
    let value = json!({ "apiVersion": "mainspring/v1", "kind": "receiver", "name": "ops", "spec": spec });
    registry.apply(&editor, &[Draft { origin: "ops.yaml".to_owned(), value }], "").await.unwrap();
    (catalog, registry)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_incident_that_was_acknowledged_is_told_of_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/catalog.db", folder.path().display());
    let upstream = Upstream::start(Script::default()).unwrap();
    drop(prepared(&url, &upstream).await);
    let mut acknowledged = HashSet::new();
    for (round, wanted) in [1, 12, 25].into_iter().enumerate() {
        let mut child = Command::new(program()).args([&url, &format!("round{round}")]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..wanted {
            acknowledged.insert(lines.next().expect("the program ended by itself").unwrap());
        }
        child.kill().unwrap();
        // What it had said by then counts too, except a name cut in two.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        acknowledged.extend(rest.into_iter().rev().skip(1));
        child.wait().unwrap();
    }
    let catalog = Catalog::open(&url).await.unwrap();
    let registry = Registry::open(catalog.clone(), Arc::new(SystemClock), vec![descriptor()]);
    let socket = Socket::new(SocketConfig { allow_private: true, ..SocketConfig::default() }).unwrap();
    let alerts = Alerts::open(Parts {
        catalog,
        registry: registry.clone(),
        clock: Arc::new(SystemClock),
        audit: Arc::new(NoTrail),
        changes: Arc::new(registry),
        courier: Courier::new(socket, Credentials::default()),
        settings: Settings::default(),
    });
    alerts.end_leases().await.unwrap();
    deliver(&alerts).await;
    let told: HashSet<String> =
        upstream.seen().iter().filter_map(|seen| seen.json()["data"]["incident"].as_str().map(str::to_owned)).collect();
    let untold: Vec<&String> = acknowledged.difference(&told).collect();
    assert!(untold.is_empty(), "{untold:?}");
    assert!(acknowledged.len() >= 38);
}
