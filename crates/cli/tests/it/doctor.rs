//! What `mainspring doctor` finds, and what is checked before anything runs.

use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, binary, command, run};

fn finding<'a>(findings: &'a Value, what: &str) -> &'a Value {
    let all = findings.as_array().unwrap();
    all.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("nothing of {what}: {findings}"))
}

#[test]
fn a_data_directory_is_checked_part_by_part_without_a_server() {
    let data = tempfile::tempdir().unwrap();
    let found = run(data.path(), &["doctor"]);
    for what in ["cpu", "data", "disk", "lock", "model", "catalog", "lake", "blobs"] {
        assert_eq!(finding(&found, what)["ok"], true, "{found}");
    }
    assert!(finding(&found, "disk")["facts"]["free_bytes"].as_u64().unwrap() > 0);
    assert!(finding(&found, "model")["detail"].as_str().unwrap().contains("verified"), "{found}");

    // A catalog that does not answer is named, and everything else is still looked at.
    let nobody = ("MAINSPRING_CATALOG", "postgres://nobody@127.0.0.1:1/none");
    let doctor = command(data.path()).envs([nobody]).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(finding(&found, "disk")["ok"], true);
    let stores = finding(&found, "stores");
    assert!(stores["ok"] == false && stores["detail"].as_str().unwrap().contains("catalog"), "{stores}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_is_asked() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let found = run(data.path(), &["doctor"]);
    assert!(finding(&found, "lock")["detail"].as_str().unwrap().contains(&server.url), "{found}");
    assert_eq!(finding(&found, "lake")["ok"], true);
    assert!(finding(&found, "process")["facts"]["resident_bytes"].as_u64().unwrap() > 0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_key_is_not_there_is_told_of_when_it_is_applied_and_by_the_doctor() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    assert_eq!(finding(&run(data.path(), &["doctor"]), "providers")["ok"], true);
    let spec = json!({"type": "openai", "credential": "env:NO_SUCH_KEY_IN_A_TEST"});
    let manifests = json!([{"apiVersion": "mainspring/v1", "kind": "provider", "name": "p", "spec": spec}]);
    let applied = apply_all(data.path(), manifests.as_array().unwrap());
    let lacks = "`credential` of provider `p`: the server's environment has no variable `NO_SUCH_KEY_IN_A_TEST`";
    let warned = applied["changes"][0]["warnings"][0].as_str().unwrap_or_default();
    assert!(warned.starts_with(lacks), "{applied}");

    let doctor = command(data.path()).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let providers = finding(&found, "providers");
    let detail = providers["detail"].as_str().unwrap();
    assert!(providers["ok"] == false && detail.contains("1 of 1 cannot be called") && detail.contains(lacks), "{providers}");

    // Whoever may not apply learns by a plan nothing of what the server has.
    let created = run(data.path(), &["keys", "create", "looker", "--role", "reader"]);
    let looker = User::of(&server, created["secret"].as_str());
    let planned = looker.post("/api/v1/apply", &json!({"manifests": manifests, "dry_run": true})).await;
    let change = &planned.json()["changes"][0];
    assert_eq!(
        (planned.status, &change["action"], &change["warnings"]),
        (200, &json!("unchanged"), &json!(null)),
        "{}",
        planned.text
    );
}

#[test]
fn models_that_are_not_here_are_said_to_be_missing() {
    let (data, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let doctor = command(data.path()).env("MAINSPRING_MODELS", empty.path()).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let model = finding(&found, "model");
    assert!(model["ok"] == false && model["detail"].as_str().unwrap().contains("mainspring models pull"), "{model}");
}

/// The first code of the process is the check of the CPU: a table of functions that run before every constructor,
/// with one entry.
#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn the_cpu_is_checked_before_anything_else_runs() {
    const PREINIT_ARRAY: u64 = 16;
    let program = std::fs::read(binary()).unwrap();
    let number = |at: usize, bytes: usize| {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(&program[at..at + bytes]);
        u64::from_le_bytes(number)
    };
    let place = |number: u64| usize::try_from(number).unwrap();
    let (sections, size, count) = (place(number(0x28, 8)), place(number(0x3a, 2)), place(number(0x3c, 2)));
    let first = (0..count).map(|n| sections + n * size).find(|section| number(section + 4, 4) == PREINIT_ARRAY);
    assert_eq!(number(first.expect("a table of first functions") + 0x20, 8), 8, "one function");
}
