//! What a list shows of a trace: what is beneath the span by which it is entered, and no more of long words than a row needs.

use super::{
    asking::{NOW, SECOND, program},
    *,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_listed_with_what_its_tree_says_and_the_model_that_was_called_most() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let [entry, call] = program(NOW - 9 * SECOND, "s-1", (10, 0.5));
    let again = Span { span: SpanId::random(), ..call.clone() };
    let mut other = Span { span: SpanId::random(), ..call.clone() };
    other.attributes.insert(names::REQUEST_MODEL.into(), json!("a-small-one"));
    // What it says itself is another's: there is no number for the cost of what counts.
    let mut said = span(NOW - 5 * SECOND, &[]);
    said.kind = SpanKind::Internal;
    said.attributes = Map::from_iter([("llm.cost.total".to_owned(), json!(1.0))]);
    let mut beneath = Span { trace: said.trace, parent: Some(said.span), span: SpanId::random(), ..call.clone() };
    beneath.attributes.remove("llm.cost.total");
    room.record_durably(vec![entry, call, again, other, said, beneath], WAIT).await.unwrap();
    let all = actor(Labels::All);
    let listed = room.list(&all, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap().items;
    assert_eq!(listed.iter().map(|trace| trace.model.as_deref()).collect::<Vec<_>>(), [Some("gpt"), Some("gpt")]);
    for trace in &listed {
        let tree = room.tree(&all, trace.trace, 9, &PageRequest::first(1)).await.unwrap().totals.unwrap();
        assert_eq!((trace.input_tokens, trace.cost), (tree.input_tokens, tree.cost), "{}", trace.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_list_holds_the_beginning_of_long_words_and_the_span_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut long = span(NOW, &[]);
    (long.name, long.status) = ("n".repeat(100_000), SpanStatus::Error("e".repeat(100_000)));
    room.record_durably(vec![long.clone()], WAIT).await.unwrap();
    let (all, every) = (actor(Labels::All), TraceFilter::default());
    let trace = &room.list(&all, &every, &PageRequest::first(9)).await.unwrap().items[0];
    let lengths = |name: &str, error: Option<&String>| (name.chars().count(), error.map(|error| error.chars().count()));
    assert_eq!(lengths(&trace.name, trace.error.as_ref()), (200, Some(1_000)));
    let found = &room.spans(&all, &every, &PageRequest::first(9)).await.unwrap().items[0];
    assert_eq!(lengths(&found.name, found.error.as_ref()), (200, Some(1_000)));
    assert_eq!(room.span(&all, long.trace, None).await.unwrap(), [long]);
}
