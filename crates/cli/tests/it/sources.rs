//! Where specs may read from, as the settings have it.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::running::{apply_all, command};

fn repository() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.md"), "# Lamp\n\nThe lamp is lit at dusk.").unwrap();
    for args in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "a page"]] {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        assert!(Command::new("git").args(who).args(args).current_dir(home.path()).status().unwrap().success());
    }
    home
}

fn ingested(data: &Path, more: &[&str]) -> Value {
    let output = command(data).args(["ingest", "notes", "--json"]).args(more).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_repository_of_this_machine_is_read_where_any_local_file_may_be() {
    let (data, home) = (tempfile::tempdir().unwrap(), repository());
    let url = format!("file://{}", home.path().display());
    let spec = json!({"sources": [{"type": "git", "url": url}]});
    apply_all(data.path(), &[json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes", "spec": spec})]);
    let roots = home.path().join("roots.toml");
    std::fs::write(&roots, format!("[knowledge]\nlocal_roots = [{:?}]\n", home.path().display().to_string())).unwrap();
    let report = &ingested(data.path(), &["--config", roots.to_str().unwrap()])["report"];
    assert_eq!((&report["added"], &report["failures"][0]["code"]), (&json!(0), &json!("source-denied")), "{report}");
    let report = &ingested(data.path(), &[])["report"];
    assert_eq!((&report["added"], &report["failed"]), (&json!(1), &json!(0)), "{report}");
}
