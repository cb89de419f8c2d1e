use std::time::Duration;

use mainspring_kernel::{Fault as _, FaultKind};
use mainspring_lake::LakeFault;

use super::lake_in;

#[tokio::test]
async fn a_store_that_never_answers_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake_in(dir.path()).await;
    let never = lake.shared().within(Duration::from_millis(1), Box::pin(std::future::pending::<Result<(), LakeFault>>())).await;
    let fault = never.unwrap_err();
    assert!(matches!(fault, LakeFault::Unavailable { .. }), "{fault:?}");
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "lake-unavailable"));
    let refused = lake.shared().in_time(Box::pin(async { Err::<(), _>(LakeFault::DiskFull) })).await;
    assert_eq!(refused, Err(LakeFault::DiskFull), "what was answered is handed on");
}
