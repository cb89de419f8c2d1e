//! What was said is searched, however long it is.

use mainspring_lake::{Filter, Scalar};

use super::{
    asking::{NOW, SECOND, record},
    *,
};
use crate::{SpanFilter, searched::SEARCHED, values::LARGE};

fn contains(text: &str) -> TraceFilter {
    TraceFilter { also: text.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() }
}

/// A call of another program's, in which this was asked.
fn asked(at: i64, text: &str) -> Span {
    let mut made = span(at, &[]);
    made.attributes = Map::from_iter([
        (names::OPERATION.to_owned(), json!("chat")),
        (names::REQUEST_MODEL.to_owned(), json!("gpt")),
        (names::INPUT_TOKENS.to_owned(), json!(5)),
        (names::INPUT_MESSAGES.to_owned(), json!([{"role": "user", "parts": [{"type": "text", "content": text}]}])),
    ]);
    made
}

/// How many spans a filter finds, as a list and as a count.
async fn found(room: &Observability, filter: &TraceFilter) -> u64 {
    let all = actor(Labels::All);
    let listed = room.spans(&all, filter, &PageRequest::first(20)).await.unwrap().items.len() as u64;
    assert_eq!(room.count_spans(&all, filter).await.unwrap().count, listed);
    listed
}

/// A few words at these places of a long text.
fn long(words: &[(usize, &str)], length: usize) -> String {
    let mut text = "- ".repeat(length / 2);
    for (at, word) in words {
        text.replace_range(*at..at + word.len(), word);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_wherever_they_stand_in_a_long_text() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let places =
        [(10, "zebra"), (7_998, "giraffe"), (40_000, "Ocelot"), (SEARCHED - 1_000, "aardvark"), (SEARCHED + 10, "quokka")];
    let text = long(&places, SEARCHED + 2_000);
    let spans =
        [asked(NOW - 3 * SECOND, &text), asked(NOW - 2 * SECOND, "a zebra and an ocelot"), asked(NOW - SECOND, "nothing")];
    // As this server records its own, and as others send theirs.
    record(&room, [spans[0].clone(), spans[2].clone()]).await;
    let again = asked(NOW - 4 * SECOND, &text);
    room.record_durably(vec![again.clone(), spans[1].clone()], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    for (filter, wanted) in [
        ("content contains zebra", 3),
        ("content contains giraffe", 2),
        ("content contains OCELOT", 3),
        ("content words \"ocelot zebra\"", 3),
        ("content words \"giraffe aardvark zebra\"", 2),
        ("content contains aardvark", 2),
        ("content contains quokka", 0),
        ("not content contains aardvark", 2),
        ("not content words \"zebra ocelot\"", 1),
        ("content contains giraffe and not content contains ocelot", 0),
    ] {
        assert_eq!(found(&room, &contains(filter)).await, wanted, "{filter}");
        let in_memory = spans.iter().chain([&again]).filter(|span| contains(filter).also.matches(span, room.now()).unwrap());
        assert_eq!(in_memory.count() as u64, wanted, "{filter}, of spans that have just come");
    }
    assert_eq!(found(&room, &TraceFilter { text: Some("aardvark".into()), ..TraceFilter::default() }).await, 2);
    // A list shows the first line and carries no more.
    let listed = room.spans(&actor(Labels::All), &TraceFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert!(listed.items.iter().all(|span| span.preview.as_ref().is_some_and(|preview| preview.chars().count() <= 160)));
}

/// A record as the protocol's reader makes it of one that is no message.
pub(super) fn recorded(at: i64, severity: i64, body: serde_json::Value) -> Span {
    let made = span(at, &[]);
    let attributes = [(names::SIGNAL, json!("log")), (names::SEVERITY_NUMBER, json!(severity))];
    let attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let body = Map::from_iter([("body".to_owned(), body)]);
    let events = vec![SpanEvent { name: "log".into(), at: made.start, attributes: body }];
    Span { name: "log".into(), kind: SpanKind::Internal, end: made.start, status: SpanStatus::Unset, attributes, events, ..made }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_log_record_says_is_searched_whatever_it_was_written_in() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let above = asked(NOW - 9 * SECOND, "a question");
    let within = Span { trace: above.trace, parent: Some(above.span), ..recorded(NOW - 3 * SECOND, 17, json!("No funds left")) };
    let structured = recorded(NOW - 2 * SECOND, 9, json!({"event": "paid", "funds": 12, "till": "left"}));
    let long = recorded(NOW - SECOND, 13, long(&[(100_000, "pangolin")], 2 * LARGE).into());
    let spans = [above, within, structured, long];
    room.record_durably(spans.to_vec(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    for (filter, wanted) in [
        ("content contains \"no funds\"", 1),
        ("content words \"funds left\"", 2),
        ("content contains paid and severity = info", 1),
        ("content contains \"\\\"funds\\\":12\"", 1),
        ("content contains pangolin and severity >= warn", 1),
        ("log", 3),
        ("log and severity >= error", 1),
        ("not log", 1),
    ] {
        assert_eq!(found(&room, &contains(filter)).await, wanted, "{filter}");
        let in_memory = spans.iter().filter(|span| contains(filter).also.matches(span, room.now()).unwrap());
        assert_eq!(in_memory.count() as u64, wanted, "{filter}, of spans that have just come");
    }
    let previews = room.spans(&actor(Labels::All), &contains("severity = error"), &PageRequest::first(9)).await.unwrap().items;
    assert_eq!(previews[0].preview.as_deref(), Some("No funds left"), "a list shows how it begins");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_takes_out_of_a_log_record_is_not_searched() {
    let spans = async |capture: Capture| {
        let dir = tempfile::tempdir().unwrap();
        let Room { room, .. } = open(dir.path(), capture).await;
        room.record_durably(vec![recorded(NOW, 9, json!("ann@example.org paid with a zebra"))], WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
        let of = async |text: &str| found(&room, &contains(text)).await;
        [of("content contains zebra").await, of("content contains example.org").await]
    };
    assert_eq!(spans(Capture::Full).await, [1, 1]);
    assert_eq!(spans(Capture::Redacted).await, [1, 0]);
    assert_eq!(spans(Capture::Metadata).await, [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_anew_is_still_found_and_what_is_forgotten_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    // The value lies among the blobs; the row has only how it begins.
    let mut caller = asked(NOW, &long(&[(LARGE + 10_000, "zukamirel")], 2 * LARGE));
    room.record_durably(vec![caller.clone()], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let filter = contains("content contains zukamirel");
    assert_eq!(found(&room, &filter).await, 1);
    // A call beneath it says the same usage, so the row is written anew.
    let mut call = asked(NOW + 1, "short");
    (call.trace, call.parent) = (caller.trace, Some(caller.span));
    room.record_durably(vec![call], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!(found(&room, &contains("content contains zukamirel and attributes[\"gen_ai.usage.input_tokens\"] = 5")).await, 1);
    assert_eq!(room.table().count(Filter::Eq("counted".into(), Scalar::Bool(false))).await.unwrap(), 1);

    (caller.trace, caller.span) = (TraceId::random(), SpanId::random());
    caller.attributes.insert(names::DOCUMENTS.into(), json!(["doc_abc"]));
    room.record_durably(vec![caller], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!(found(&room, &filter).await, 2);
    assert!(room.forget_documents(project(), &["doc_abc".to_owned()], None).await.unwrap().spans > 0);
    assert_eq!(found(&room, &filter).await, 1, "of the other trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_record_of_which_the_words_are_forgotten_is_still_one() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut caller = asked(NOW, "a zukamirel");
    caller.attributes.insert(names::DOCUMENTS.into(), json!(["doc_abc"]));
    // Written in the trace and in no span of it.
    let within = Span { trace: caller.trace, ..recorded(NOW + 1, 17, json!("a zukamirel was quoted")) };
    room.record_durably(vec![caller, within], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!(found(&room, &contains("content contains zukamirel")).await, 2);
    assert!(room.forget_documents(project(), &["doc_abc".to_owned()], None).await.unwrap().spans > 0);
    assert_eq!(found(&room, &contains("content contains zukamirel")).await, 0);
    assert_eq!(found(&room, &contains("log and severity = error and not entry")).await, 1);
    assert_eq!(found(&room, &contains("entry")).await, 1);
}
