use mainspring_lake::conformance::ALL;

use super::{config, failures, lake_in};
use crate::{Durability, LanceConfig, LanceLake};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_on_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    assert_eq!(failures(&lake, ALL).await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_that_survives_only_the_process_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig { durability: Durability::Process, ..config(dir.path()) }).await.unwrap();
    assert_eq!(failures(&lake, ALL).await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_lake_may_lie_under_any_path() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("späces & 100% #1?/nested");
    let lake = lake_in(&odd).await;
    let some: Vec<_> =
        ALL.iter().filter(|case| case.name.starts_with("a_table") || case.name.contains("dropped")).copied().collect();
    assert!(some.len() > 3);
    assert_eq!(failures(&lake, &some).await, Vec::<&str>::new());
    assert!(odd.is_dir());
}
