//! What was acknowledged is there after `kill -9`.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use super::project_names;
use crate::{Catalog, params};

/// Cargo builds a package's examples before its tests, beside them.
fn writer() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/acknowledged_writes");
    assert!(program.is_file(), "{} was not built: run the tests through cargo", program.display());
    program
}

#[tokio::test]
async fn every_acknowledged_row_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/catalog.db", folder.path().display());
    let mut acknowledged = HashSet::new();
    for (round, wanted) in [1, 40, 150].into_iter().enumerate() {
        let mut child = Command::new(writer()).args([&url, &format!("round{round}")]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..wanted {
            acknowledged.insert(lines.next().expect("the writer ended by itself").unwrap());
        }
        child.kill().unwrap();
        // What it had said by then counts too, except a name cut in two.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        acknowledged.extend(rest.into_iter().rev().skip(1));
        child.wait().unwrap();
        let catalog = Catalog::open(&url).await.unwrap();
        let stored: HashSet<String> = project_names(&catalog).await.into_iter().collect();
        let lost: Vec<&String> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        let checked = catalog.query("PRAGMA integrity_check", params![]).await.unwrap();
        assert_eq!(checked[0].text("integrity_check").unwrap(), "ok");
        catalog.close().await;
    }
    assert!(acknowledged.len() >= 191);
}
