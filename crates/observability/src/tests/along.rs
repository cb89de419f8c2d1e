//! Questions that are asked of a stretch of time after the other.

use mainspring_lake::Filter;

use super::{
    asking::{NOW, record},
    *,
};
use crate::{along::Along, forget, table::Rows};

const HOUR: i64 = 3_600_000_000;
const SPANS: i64 = 30;

/// A span of its own trace, of which every third names a document.
fn shows(n: i64) -> Span {
    let mut made = span(NOW - (SPANS - n) * HOUR, &[]);
    if n % 3 == 0 {
        made.attributes.insert(names::DOCUMENTS.into(), json!(["doc_abc"]));
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_asked_about_once_from_the_earliest_to_the_latest_and_few_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let spans: Vec<Span> = (0..SPANS).map(shows).collect();
    record(&room, spans.iter().cloned()).await;
    let table = room.table().as_ref();
    let ours = || Filter::eq("project", project().to_string());
    let of_others = Along::of(table, Filter::eq("project", ProjectId::from_raw(8).to_string()), 4).await.unwrap();
    assert_eq!(of_others.left(), None);

    let mut along = Along::of(table, ours(), 4).await.unwrap();
    assert_eq!(along.left(), Some((spans[0].start.as_micros(), spans[29].start.as_micros())));
    let (mut found, mut last, mut questions) = (Vec::new(), i64::MIN, 0);
    while let Some((until, batches)) = along.next(&Filter::All, &["trace", "start"]).await.unwrap() {
        let rows: usize = batches.iter().map(arrow_array::RecordBatch::num_rows).sum();
        assert!(rows <= 4, "{rows} at once");
        for batch in &batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                let start = rows.number("start", row).unwrap().unwrap();
                assert!(start > last && start <= until, "{start} after {last}, up to {until}");
                found.push(rows.text("trace", row).unwrap().unwrap().to_owned());
            }
        }
        (last, questions) = (until, questions + 1);
    }
    assert!(questions >= 8, "{questions}");
    found.sort();
    let mut all: Vec<String> = spans.iter().map(|span| span.trace.to_string()).collect();
    all.sort();
    assert_eq!(found, all);

    let mut along = Along::of(table, ours(), 4).await.unwrap();
    let (named, mut naming) = (forget::names_any(&["doc_abc".to_owned()]), 0);
    while let Some((_, batches)) = along.next(&named, &["trace"]).await.unwrap() {
        naming += batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>();
    }
    assert_eq!(naming, 10);
}
