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
