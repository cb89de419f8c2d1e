//! One trace in pages, and its spans one by one.

use super::{
    asking::{NOW, SECOND, program, record},
    *,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_has_every_span_once_in_pages_and_totals_with_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let [entry, mut call] = program(NOW - 20 * SECOND, "s-1", (10, 0.5));
    call.status = SpanStatus::Error("broke".into());
    call.end = entry.end.plus(Duration::from_secs(2));
    // Several that begin at the same moment lie on both sides of a page's end, and one was sent twice.
    let below = (0..5).map(|_| {
        let mut step = span(entry.start.as_micros() + 2, &[]);
        (step.trace, step.parent, step.kind) = (entry.trace, Some(entry.span), SpanKind::Internal);
        step
    });
    let spans: Vec<Span> = [entry.clone(), call.clone()].into_iter().chain(below).collect();
    record(&room, spans.iter().chain(&spans[3..4]).cloned()).await;
    let all = actor(Labels::All);
    let (mut seen, mut totals, mut place) = (Vec::new(), Vec::new(), PageRequest::first(1));
    loop {
        let page = room.tree(&all, entry.trace, 3, &place).await.unwrap();
        assert!(page.spans.items.len() <= 3);
        assert_eq!(page.totals.is_some(), seen.is_empty(), "they come once");
        totals.extend(page.totals);
        seen.extend(page.spans.items.iter().map(|span| (span.start, span.span.to_string())));
        let Some(next) = page.spans.next else { break };
        place = PageRequest::new(None, Some(next)).unwrap();
    }
    let mut wanted: Vec<(Timestamp, String)> = spans.iter().map(|span| (span.start, span.span.to_string())).collect();
    wanted.sort();
    assert_eq!(seen, wanted);
    let [totals] = &totals[..] else { panic!("{totals:?}") };
    assert_eq!((totals.errors, totals.input_tokens, totals.cost), (1, Some(10), Some(500_000_000)));
    assert_eq!((totals.start, totals.duration_micros, totals.replayable), (entry.start, 5 * SECOND, false));

    let opened = room.span(&all, entry.trace, Some(call.span)).await.unwrap();
    assert_eq!(opened, [call, entry.clone()], "the span and the one above it");
    assert_eq!(room.span(&all, entry.trace, None).await.unwrap(), [entry.clone()]);
    assert!(room.span(&all, entry.trace, Some(SpanId::random())).await.unwrap().is_empty());
    let broken = room.tree(&all, entry.trace, 3, &PageRequest::new(None, Some("made-up".into())).unwrap()).await;
    assert!(matches!(broken, Err(TraceFault::Page(_))));
    let nothing = room.tree(&all, TraceId::random(), 3, &PageRequest::first(1)).await;
    assert!(matches!(nothing, Err(TraceFault::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_says_what_was_used_and_whether_the_question_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut asked = span(NOW, &[]);
    asked.attributes.insert(names::VERSIONS.into(), json!(["app/handbook@v1#ab", "prompt/answer@v2#cd"]));
    asked.attributes.insert(names::REPLAY.into(), json!({"target": "handbook"}));
    record(&room, [asked.clone()]).await;
    let page = room.tree(&actor(Labels::All), asked.trace, 9, &PageRequest::first(1)).await.unwrap();
    let totals = page.totals.unwrap();
    assert_eq!((totals.versions.len(), totals.replayable, page.spans.next), (2, true, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_trace_has_neither_a_tree_nor_spans() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let shown = span(NOW - SECOND, &["hr|legal"]);
    let mut below = span(NOW, &[]);
    (below.trace, below.parent) = (shown.trace, Some(shown.span));
    record(&room, [shown.clone(), below.clone()]).await;
    let may = room.tree(&holding(&["hr"]), shown.trace, 9, &PageRequest::first(1)).await.unwrap();
    assert_eq!(may.spans.items.len(), 2);
    let other = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    for stranger in [holding(&["sales"]), other] {
        let tree = room.tree(&stranger, shown.trace, 9, &PageRequest::first(1)).await;
        assert!(matches!(tree, Err(TraceFault::NotFound { .. })), "one hidden span hides the trace");
        for wanted in [None, Some(below.span)] {
            assert!(room.span(&stranger, shown.trace, wanted).await.unwrap().is_empty());
        }
    }
}
