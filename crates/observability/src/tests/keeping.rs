use mainspring_lake::UpkeepPolicy;

use super::{open, span};
use crate::{Capture, table::to_batch};

#[tokio::test(flavor = "multi_thread")]
async fn the_table_keeps_few_of_its_versions_however_often_spans_come() {
    const COMMITS: i64 = 320;
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path(), Capture::Full).await;
    let table = room.room.table();
    for n in 0..COMMITS {
        table.append(to_batch(&[span(n, &[])]).unwrap()).await.unwrap();
    }
    assert!(table.stats().await.unwrap().versions > COMMITS as u64, "each commit is a version");
    // The server's settings ask for a day.
    table.upkeep(&UpkeepPolicy::default()).await.unwrap();
    let left = table.stats().await.unwrap();
    assert!(left.versions <= 200 + 10, "{left:?}");
    assert_eq!((left.rows, left.tags), (COMMITS as u64, 0));
}
