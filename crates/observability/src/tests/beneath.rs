//! Messages that are log records beneath the call in which they were said.

use serde_json::Value;

use super::*;
use crate::{Conversation, Part};

const NOW: i64 = 1_700_000_000_000_000;

/// A call that says nothing of its words itself.
fn call() -> Span {
    let Value::Object(attributes) = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt"}) else {
        panic!("attributes are an object")
    };
    Span { kind: SpanKind::Client, name: "chat gpt".into(), attributes, ..span(NOW, &[]) }
}

/// A record as the protocol's reader makes it of one.
fn record(of: &Span, (name, start, place): (&str, i64, u64), body: Value) -> Span {
    let attributes = Map::from_iter([(names::SIGNAL.to_owned(), json!("log")), (names::PLACE.to_owned(), json!(place))]);
    let Value::Object(body) = body else { panic!("a body is an object") };
    let start = Timestamp::from_micros(start);
    let events = vec![SpanEvent { name: name.into(), at: start, attributes: body }];
    let (span, parent, name, kind) = (SpanId::random(), Some(of.span), name.to_owned(), SpanKind::Internal);
    Span { span, parent, name, kind, start, end: start, status: SpanStatus::Unset, attributes, events, ..of.clone() }
}

fn texts(said: &Conversation) -> Vec<String> {
    let mut found = Vec::new();
    for part in said.input.iter().chain(&said.output).flat_map(|message| &message.parts) {
        let Part::Text { content } = part else { panic!("{part:?}") };
        found.push(content.clone());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_with_their_call_in_their_order_and_show_it_in_lists() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let call = call();
    let user = "gen_ai.user.message";
    let sent = vec![
        call.clone(),
        // Of one moment, and not in the order in which they are found.
        record(&call, (user, NOW + 1, 3), json!({"content": "third"})),
        record(&call, (user, NOW + 1, 1), json!({"content": "first"})),
        record(&call, (user, NOW + 1, 2), json!({"content": "second"})),
        record(
            &call,
            ("gen_ai.choice", NOW + 1, 4),
            json!({"index": 0, "message": {"role": "assistant", "content": "an answer"}}),
        ),
        record(&call, ("checkout.failed", NOW + 1, 5), json!({"content": "no message"})),
    ];
    // Deeper ones are of other calls, and so are those of another trace.
    let below = Span { span: SpanId::random(), parent: Some(call.span), ..call.clone() };
    let deeper = record(&below, (user, NOW + 2, 0), json!({"content": "of another call"}));
    let elsewhere =
        Span { trace: TraceId::random(), ..record(&call, (user, NOW + 2, 0), json!({"content": "of another trace"})) };
    room.record_durably([sent, vec![below.clone(), deeper, elsewhere]].concat(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let all = actor(Labels::All);

    let read = room.span(&all, call.trace, Some(call.span)).await.unwrap().remove(0);
    let said = room.conversation(&all, &read).await.unwrap();
    assert_eq!(texts(&said), ["first", "second", "third", "an answer"]);
    assert_eq!((said.input.len(), said.output.len()), (3, 1));

    let listed = room.list(&all, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap().items;
    let shown: Vec<_> = listed.iter().map(|trace| (trace.trace, trace.preview.as_deref())).collect();
    assert_eq!(shown, [(call.trace, Some("third"))]);
    let previews = |spans: Vec<crate::SpanSummary>| -> Vec<(SpanId, Option<String>)> {
        let calls = spans.into_iter().filter(|span| span.kind.as_deref() == Some("chat"));
        let mut calls: Vec<_> = calls.map(|span| (span.span, span.preview)).collect();
        calls.sort();
        calls
    };
    let mut expected = vec![(call.span, Some("third".to_owned())), (below.span, Some("of another call".to_owned()))];
    expected.sort();
    let spans = room.spans(&all, &TraceFilter::default(), &PageRequest::first(20)).await.unwrap().items;
    assert_eq!(previews(spans), expected);
    let tree = room.tree(&all, call.trace, 100, &PageRequest::first(1)).await.unwrap().spans.items;
    assert_eq!(previews(tree), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_beneath_a_call_what_is_not_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut call = call();
    call.attributes.insert(names::LABELS.into(), json!([["board"]]));
    let asked = record(&call, ("gen_ai.user.message", NOW + 1, 0), json!({"content": "a secret"}));
    room.record_durably(vec![call.clone(), asked], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let of = async |actor: &Actor| texts(&room.conversation(actor, &call).await.unwrap());
    assert_eq!(of(&holding(&["board"])).await, ["a secret"]);
    assert_eq!(of(&holding(&["staff"])).await, Vec::<String>::new());
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    assert_eq!(of(&stranger).await, Vec::<String>::new());
}
