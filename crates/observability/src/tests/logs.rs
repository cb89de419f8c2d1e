//! Log records as a list of their own.

use super::{
    asking::{NOW, SECOND},
    searching::recorded,
    *,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_records_ends_early_and_leaves_nothing_out() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let large = |n: i64| {
        let mut record = recorded(NOW - n * SECOND, 9, json!(format!("record {n}")));
        record.attributes.extend((0..5).map(|part| (format!("part.{part}"), json!("x".repeat(60_000)))));
        record
    };
    for first in (0..50).step_by(10) {
        room.record_durably((first..first + 10).map(large).collect(), WAIT).await.unwrap();
    }
    // A span is no record, however it is asked.
    room.record_durably(vec![span(NOW, &[])], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let all = actor(Labels::All);
    let (mut found, mut pages, mut page) = (Vec::new(), 0, PageRequest::first(100));
    loop {
        let part = room.logs(&all, &TraceFilter::default(), &page).await.unwrap();
        pages += 1;
        found.extend(part.items.into_iter().map(|record| (record.severity, record.body)));
        let Some(next) = part.next else { break };
        page = PageRequest::new(Some(100), Some(next)).unwrap();
    }
    let expected: Vec<_> = (0..50).map(|n| (Some("info"), Some(json!(format!("record {n}"))))).collect();
    assert_eq!(found, expected, "the newest first, each once");
    assert!(pages > 1, "fifteen megabytes are more than a page");
    assert_eq!(room.count_logs(&all, &TraceFilter::default()).await.unwrap().count, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_for_those_who_may_see_its_trace() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let hidden = span(NOW, &["board"]);
    let within = Span { trace: hidden.trace, parent: Some(hidden.span), ..recorded(NOW + 1, 17, json!("of the board")) };
    let alone = recorded(NOW, 9, json!("of everybody"));
    room.record_durably(vec![hidden, within, alone], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let of = async |actor: Actor| {
        let found = room.logs(&actor, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap().items;
        let bodies: Vec<_> = found.into_iter().filter_map(|record| record.body).collect();
        assert_eq!(room.count_logs(&actor, &TraceFilter::default()).await.unwrap().count, bodies.len() as u64);
        bodies
    };
    assert_eq!(of(holding(&["board"])).await, [json!("of the board"), json!("of everybody")]);
    assert_eq!(of(holding(&["staff"])).await, [json!("of everybody")]);
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    assert!(of(stranger).await.is_empty());
}
